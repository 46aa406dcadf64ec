//! `PATCH /api/v1/uploads/{id}`: one part. It counts when it arrived whole and fits its signed digest, else not at all.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::upload_create::version;
use crate::app::Shared;
use crate::clock;
use crate::device_call::{self, single};
use crate::refusal::Refusal;
use crate::uploads::{self, KEPT_S, unknown_upload};

/// Takes a part.
pub(super) async fn handle(
    State(app): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let device = device_call::device(&parts)?;
    version(&parts.headers)?;
    if single(&parts.headers, "content-type")? != Some("application/offset+octet-stream") {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "bad-call",
            "A part has to be application/offset+octet-stream.",
            "Update Assay on the device.",
        ));
    }
    let offset: i64 = single(&parts.headers, "upload-offset")?
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Refusal::bad_call("Upload-Offset has to name where the part belongs."))?;
    let digest = single(&parts.headers, "content-digest")?
        .ok_or_else(|| Refusal::bad_call("A part needs a Content-Digest."))?;
    let upload = app.store.of(&device.tenant).upload(&device.id, &id).await?.ok_or_else(unknown_upload)?;
    let offset = uploads::receive(&app, upload, offset, digest, body).await?;
    let headers = [
        ("upload-offset", offset.to_string()),
        ("upload-expires", clock::http_date(clock::now_unix_s() + KEPT_S)),
    ];
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}
