//! `OPTIONS /api/v1/uploads`: which parts of tus 1.0 are here.

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::uploads::MAX_BYTES;

/// Version of the protocol.
pub(super) const TUS: &str = "1.0.0";

/// The answer, to anybody.
pub(super) async fn handle() -> Response {
    let headers = [
        ("tus-version", TUS.to_owned()),
        ("tus-extension", "creation,expiration,termination".to_owned()),
        ("tus-max-size", MAX_BYTES.to_string()),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Names our version on every answer of the protocol, refusals too (tus 1.0, "Tus-Resumable").
pub(crate) async fn speaks_tus(mut response: Response) -> Response {
    response.headers_mut().insert("tus-resumable", HeaderValue::from_static(TUS));
    response
}
