//! `POST /api/v1/sessions/{id}/start` and `/stop`: the owner's record of a remote session.
//!
//! A start is taken while the session is offered, under the terms that were offered and no longer. A stop is taken
//! after a hard expiry or a close too: what happened is worth more than when it was told.

use assay_bundle::keys::PublicKey;
use assay_bundle::session::SessionRecord;
use assay_bundle::statement::Signed;
use assay_bundle::support_request::SKEW_S;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;

use super::request_consent::{signed, statement_refused};
use crate::app::{App, Shared};
use crate::clock;
use crate::device_call;
use crate::refusal::Refusal;
use crate::store::devices::Device;
use crate::store::sessions::SupportSession;

/// A record that belongs to a session, and what we know of that session.
struct Told {
    device: Device,
    session: SupportSession,
    record: SessionRecord,
    signed: Signed,
}

/// Takes the record of a start.
pub(super) async fn start(
    State(app): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let told = told(&app, &id, request).await?;
    let (session, record, now) = (&told.session, &told.record, clock::now_unix_s());
    if session.start_document.as_ref() == Some(&told.signed.document) {
        return Ok(StatusCode::NO_CONTENT);
    }
    if session.started_at.is_some() || session.closed_at.is_some() || now >= session.start_before {
        return Err(over("The session was started before, or can no longer be started."));
    }
    if record.stopped_unix_s.is_some() {
        return Err(differs("The record of a start names an end."));
    }
    if (record.started_unix_s - now).abs() > SKEW_S {
        return Err(differs("The start is not dated now."));
    }
    if record.hard_expiry_unix_s > record.started_unix_s.saturating_add(session.most_hours * 3_600) {
        return Err(differs("The hard expiry is later than was offered."));
    }
    let kept = app
        .store
        .of(&told.device.tenant)
        .start_support_session(&session.id, record.started_unix_s, record.hard_expiry_unix_s, &told.signed)
        .await?;
    if !kept {
        return Err(over("The session was started or closed in the meantime."));
    }
    tracing::info!(session = %session.id, device = %session.device_id, "a session began");
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the record of an end.
pub(super) async fn stop(
    State(app): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let told = told(&app, &id, request).await?;
    let (session, record) = (&told.session, &told.record);
    if session.stop_document.as_ref() == Some(&told.signed.document) {
        return Ok(StatusCode::NO_CONTENT);
    }
    if session.stopped_at.is_some() {
        return Err(over("The session has an end already."));
    }
    let Some(stopped_at) = record.stopped_unix_s else {
        return Err(differs("The record of an end names none."));
    };
    if session.started_at != Some(record.started_unix_s)
        || session.hard_expiry != Some(record.hard_expiry_unix_s)
    {
        return Err(differs("The record names another start than the one that was told."));
    }
    if stopped_at > clock::now_unix_s().saturating_add(SKEW_S) {
        return Err(differs("The end is dated in the future."));
    }
    if !app.store.of(&told.device.tenant).stop_support_session(&session.id, stopped_at, &told.signed).await? {
        return Err(over("The session has an end already."));
    }
    tracing::info!(session = %session.id, device = %session.device_id, "a session ended");
    Ok(StatusCode::NO_CONTENT)
}

async fn told(app: &App, id: &str, request: Request) -> Result<Told, Refusal> {
    let (device, body) = device_call::with_body(request, super::MOST_BODY_BYTES).await?;
    let session = app
        .store
        .of(&device.tenant)
        .support_session(id)
        .await?
        .filter(|session| session.device_id == device.id);
    let session = session.ok_or_else(unknown_session)?;
    let signed = signed(&body)?;
    let key = PublicKey::from_openssh(&device.public_key).map_err(|error| Refusal::internal(&error))?;
    let record: SessionRecord = signed.open(&key).map_err(|error| statement_refused(&error))?;
    belongs(app, &device, &session, &record).await?;
    Ok(Told { device, session, record, signed })
}

/// The record against what was offered.
async fn belongs(
    app: &App,
    device: &Device,
    session: &SupportSession,
    record: &SessionRecord,
) -> Result<(), Refusal> {
    let row = app.store.of(&device.tenant).request(&session.request_id).await?.ok_or_else(unknown_session)?;
    let asked = row.request().map_err(|error| Refusal::internal(&error))?;
    let method = serde_json::from_value(session.method.clone().into()).ok();
    let same = record.session_id == session.id
        && record.request_id == session.request_id
        && record.nonce == asked.nonce
        && record.key_id == device.key_id
        && record.engineer == session.engineer
        && Some(record.method) == method;
    if same { Ok(()) } else { Err(differs("The record names another session than this one.")) }
}

fn unknown_session() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "unknown-session",
        "This portal has offered no such session to this device.",
        "Poll again, or ask the support engineer which session is meant.",
    )
}

fn over(title: &str) -> Refusal {
    Refusal::new(
        StatusCode::CONFLICT,
        "session-over",
        title,
        "Remove the engineer's access on the device; ask for a new session if one is wanted.",
    )
}

fn differs(title: &str) -> Refusal {
    Refusal::new(
        StatusCode::CONFLICT,
        "session-differs",
        title,
        "Nothing was kept. Run assay support list on the device and start what it shows.",
    )
}
