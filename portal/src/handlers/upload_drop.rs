//! `DELETE /api/v1/uploads/{id}`: gives up an upload that is not whole. A whole one is the portal's to answer.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::upload_create::version;
use crate::app::Shared;
use crate::device_call;
use crate::refusal::Refusal;
use crate::uploads::{self, unknown_upload};

/// Terminates.
pub(super) async fn handle(
    State(app): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let device = device_call::device(&parts)?;
    version(&parts.headers)?;
    app.store.of(&device.tenant).upload(&device.id, &id).await?.ok_or_else(unknown_upload)?;
    if !uploads::drop_upload(&app, &device.tenant, &id).await? {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "already-received",
            "The upload is whole and was received.",
            "Ask for its receipt.",
        ));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
