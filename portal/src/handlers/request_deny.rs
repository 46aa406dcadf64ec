//! `POST /api/v1/requests/{id}/deny`: the owner says no, also after a consent and until the bundle is accepted.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::request_consent::{must_be_open, unknown_request};
use crate::app::Shared;
use crate::clock;
use crate::device_call;
use crate::refusal::Refusal;

/// Longest reason, in bytes.
const LONGEST_REASON: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Denial {
    /// The owner's words; may be empty.
    reason: String,
}

/// Closes the request.
pub(super) async fn handle(
    State(app): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let (device, body) = device_call::with_body(request, super::MOST_BODY_BYTES).await?;
    let denial: Denial = serde_json::from_slice(&body)
        .map_err(|error| Refusal::bad_call(format!("The denial is not understood: {error}.")))?;
    if denial.reason.len() > LONGEST_REASON {
        return Err(Refusal::bad_call(format!("The reason is longer than {LONGEST_REASON} bytes.")));
    }
    let row = app.store.of(&device.tenant).request_of(&device.id, &id).await?.ok_or_else(unknown_request)?;
    let now = clock::now_unix_s();
    if row.state == "denied" {
        return Ok(StatusCode::NO_CONTENT);
    }
    must_be_open(&row, now)?;
    if !app.store.of(&device.tenant).close_request(&row.id, "denied", &denial.reason, now).await? {
        // Somebody was faster; what became of it is said anew.
        let row =
            app.store.of(&device.tenant).request_of(&device.id, &id).await?.ok_or_else(unknown_request)?;
        if row.state != "denied" {
            must_be_open(&row, now)?;
        }
    }
    tracing::info!(request = %row.id, device = %device.id, "denied");
    Ok(StatusCode::NO_CONTENT)
}
