//! `GET /static/portal.css`: the one style sheet, part of the program.

use axum::http::header;
use axum::response::IntoResponse;

const STYLE: &str = include_str!("../../assets/portal.css");

/// The style sheet. It may be kept for an hour: a new version of the portal is not more urgent than that.
pub(super) async fn handle() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")], STYLE)
}
