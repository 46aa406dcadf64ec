//! `GET /api/v1/uploads/{id}/receipt`: what became of a bundle, signed; byte for byte the same for ever.

use assay_bundle::receipt::SignedReceipt;
use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::app::Shared;
use crate::device_call;
use crate::refusal::Refusal;
use crate::uploads::unknown_upload;

/// Answers the receipt, or that it is not there yet.
pub(super) async fn handle(
    State(app): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let device = device_call::device(&parts)?;
    let upload = app.store.of(&device.tenant).upload(&device.id, &id).await?.ok_or_else(unknown_upload)?;
    let Some(bundle_id) = upload.bundle_id else {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "upload-incomplete",
            "The upload is not whole yet, so there is no receipt.",
            "Send the rest first.",
        )
        .with("upload-offset", upload.offset_bytes.to_string()));
    };
    let bundle = app.store.of(&device.tenant).bundle(&bundle_id).await?.ok_or_else(unknown_upload)?;
    match (bundle.receipt, bundle.receipt_signature) {
        (Some(receipt), Some(signature)) => Ok(Json(SignedReceipt { receipt, signature }).into_response()),
        _ => Ok((StatusCode::ACCEPTED, [("retry-after", "1")]).into_response()),
    }
}
