//! `GET /api/v1/replacement`: the signed word that the calling unit replaces another one, while that case is open.

use assay_bundle::statement::Signed;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;

use crate::app::Shared;
use crate::refusal::Refusal;
use crate::{clock, device_call};

/// Answers the statement, for the key that asks.
pub(super) async fn handle(State(app): State<Shared>, request: Request) -> Result<Json<Signed>, Refusal> {
    let (parts, _) = request.into_parts();
    let device = device_call::device(&parts)?;
    let named = app.store.of(&device.tenant).replacement_by(&device).await?;
    let fingerprint = app.card.fingerprint();
    let statement = named.and_then(|named| named.statement(&device, &fingerprint, clock::now_unix_s()));
    let Some(statement) = statement else {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "no-replacement",
            "No open case names this unit as the replacement of another one.",
            "Ask the support engineer of your case to name it.",
        ));
    };
    Signed::new(&statement, &app.online).map(Json).map_err(|error| Refusal::internal(&error))
}
