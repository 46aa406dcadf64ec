//! The router: the list of [`crate::handlers`] behind the gate, under the layers that every answer passes.

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use tracing::Instrument;

use crate::app::Shared;
use crate::gate::Gate;
use crate::{gate, handlers, page};

/// Nothing is fetched from anywhere, nothing runs, nothing frames us; styles and forms are our own.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Everything that is answered.
pub fn router(app: Shared) -> Router {
    let list = handlers::list();
    let gate = Gate::new(app.clone(), &list);
    let add = |router: Router<Shared>, route: handlers::Route| router.route(route.path, route.handler);
    list.into_iter()
        .fold(Router::new(), add)
        .route_layer(middleware::from_fn_with_state(gate, gate::check))
        .fallback(page::not_found)
        .method_not_allowed_fallback(page::not_found)
        .layer(DefaultBodyLimit::max(handlers::MOST_BODY_BYTES))
        .layer(middleware::from_fn(protect))
        .layer(middleware::from_fn(trace))
        .with_state(app)
}

/// Headers that keep a browser from being used against us, on every answer.
async fn protect(request: Request, next: Next) -> Response {
    // A path with NUL names nothing here, and not every database can be asked for it.
    let mut response = match request.uri().path().contains("%00") {
        true => page::not_found(request.uri().clone()).await,
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // A page may hold what only its reader may see; what may be kept says so itself.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// One log line for each answer, under an id that the answer carries too.
async fn trace(request: Request, next: Next) -> Response {
    let id = uuid::Uuid::new_v4().simple().to_string();
    // The route and not the path: ids of bundles are found by the id of the request, and secrets never stand in either.
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", id = %id, method = %request.method(), route = %route);
    let started = std::time::Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let duration_ms = started.elapsed().as_millis();
    span.in_scope(|| tracing::info!(status = response.status().as_u16(), duration_ms, "answered"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
