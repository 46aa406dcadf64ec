//! `POST /api/v1/reports`: a device says how it is. Kept and shown, never evidence.
//!
//! Refused are: a call that is not signed by an enrolled key, a report of another key or device, another version, and a
//! field that holds text where a code or a version belongs. What the closed list does not name is not kept.

use assay_bundle::health_report::{HealthReport, MOST_BYTES};
use axum::extract::{Request, State};
use axum::http::StatusCode;

use crate::app::Shared;
use crate::clock;
use crate::device_call;
use crate::refusal::Refusal;

/// Keeps a report.
pub(super) async fn handle(State(app): State<Shared>, request: Request) -> Result<StatusCode, Refusal> {
    let (parts, body) = request.into_parts();
    let device = device_call::device(&parts)?;
    let body = axum::body::to_bytes(body, MOST_BYTES)
        .await
        .map_err(|_| Refusal::bad_call("The health report is too long or broke off."))?;
    device_call::body_digest(&parts, &body)?;
    let report: HealthReport = serde_json::from_slice(&body)
        .map_err(|error| Refusal::bad_call(format!("The health report is not understood: {error}.")))?;
    report.check().map_err(|error| Refusal::bad_call(format!("The health report is refused: {error}.")))?;
    if report.key_id != device.key_id || report.device_id != device.id {
        return Err(Refusal::bad_call("The health report is another device's."));
    }
    super::poll::heard(&app, &device, report.boot_id.as_deref(), report.seq).await?;
    let kept = serde_json::to_string(&report).map_err(|error| Refusal::internal(&error))?;
    let id = uuid::Uuid::now_v7().to_string();
    app.store.of(&device.tenant).keep_report(&id, &device.id, clock::now_unix_s(), &kept).await?;
    Ok(StatusCode::NO_CONTENT)
}
