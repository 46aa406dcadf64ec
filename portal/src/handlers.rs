//! The one list of calls and pages: a file each, a line each.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::map_response;
use axum::routing::{get, options, post};

use crate::app::Shared;

mod bundle;
mod card;
mod device;
mod device_key;
mod download;
mod enrol;
mod export;
mod farewell;
mod judge;
mod login;
mod logout;
mod poll;
mod queue;
mod raw;
mod receipt;
mod replacement;
mod report;
mod request_consent;
mod request_deny;
mod session_record;
mod slip;
mod style;
mod upload_create;
mod upload_drop;
mod upload_offset;
mod upload_options;
mod upload_part;

pub use enrol::code_digest;

/// Largest form and largest enrolment request, in bytes. Parts of uploads have limits of their own.
const MOST_BODY_BYTES: usize = 64 << 10;

/// What devices call. All but the card and the options are signed.
pub fn device_calls() -> Router<Shared> {
    let upload = get(upload_offset::handle).head(upload_offset::handle).delete(upload_drop::handle);
    let tus = Router::new()
        .route("/api/v1/uploads", options(upload_options::handle).post(upload_create::handle))
        .route("/api/v1/uploads/{id}", upload.options(upload_options::handle).patch(upload_part::handle))
        .layer(map_response(upload_options::speaks_tus));
    Router::new()
        .merge(tus)
        .route("/api/v1/card", get(card::handle))
        .route("/api/v1/enrol", post(enrol::handle))
        .route("/api/v1/device-key", post(device_key::handle))
        .route("/api/v1/export", get(export::handle))
        .route("/api/v1/farewell", post(farewell::handle))
        .route("/api/v1/reports", post(report::handle))
        .route("/api/v1/uploads/{id}/receipt", get(receipt::handle))
        .route("/api/v1/poll", get(poll::handle))
        .route("/api/v1/replacement", get(replacement::handle))
        .route("/api/v1/requests/{id}/consent", post(request_consent::handle))
        .route("/api/v1/requests/{id}/deny", post(request_deny::handle))
        .route("/api/v1/sessions/{id}/start", post(session_record::start))
        .route("/api/v1/sessions/{id}/stop", post(session_record::stop))
}

/// What engineers see. All but the login and the style need a session.
pub fn pages() -> Router<Shared> {
    Router::new()
        .route("/", get(queue::handle))
        .route("/login", get(login::form).post(login::handle))
        .route("/logout", post(logout::handle))
        .route("/devices/{id}", get(device::handle))
        .route("/bundles/{id}", get(bundle::handle))
        .route("/bundles/{id}/raw/{index}", get(raw::handle))
        .route("/bundles/{id}/download", get(download::handle))
        .route(
            "/judge",
            get(judge::form).post(judge::handle).layer(DefaultBodyLimit::max(judge::MOST_BODY_BYTES)),
        )
        .route("/slip", get(slip::form).post(slip::handle))
        .route("/static/portal.css", get(style::handle))
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
}
