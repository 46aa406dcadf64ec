//! `HEAD /api/v1/uploads/{id}`: where an upload stands.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::upload_create::version;
use crate::app::Shared;
use crate::clock;
use crate::device_call;
use crate::refusal::Refusal;
use crate::uploads::unknown_upload;

/// Answers the offset. `GET` answers the same, for clients whose proxy eats `HEAD`.
pub(super) async fn handle(
    State(app): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let device = device_call::device(&parts)?;
    version(&parts.headers)?;
    let upload = app.store.of(&device.tenant).upload(&device.id, &id).await?.ok_or_else(unknown_upload)?;
    let mut headers = vec![
        ("upload-offset", upload.offset_bytes.to_string()),
        ("upload-length", upload.length_bytes.to_string()),
        ("cache-control", "no-store".to_owned()),
    ];
    if !upload.is_whole() {
        headers.push(("upload-expires", clock::http_date(upload.expires_at)));
    }
    let mut response = StatusCode::OK.into_response();
    for (name, value) in headers {
        if let Ok(value) = axum::http::HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
