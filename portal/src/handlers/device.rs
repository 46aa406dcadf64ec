//! `GET /devices/{id}`: one enrolled key and its bundles.

use askama::Template;
use assay_bundle::consent::{Consent, Safeguard};
use axum::extract::{Path, State};
use axum::response::Html;

use crate::app::Shared;
use crate::clock;
use crate::display::visible;
use crate::page::{PageError, Viewer, render};
use crate::store::devices::Device;
use crate::store::requests::RequestRow;
use crate::view::{Line, known};

/// Bundles shown.
const MOST: i64 = 100;
/// Support requests and sessions shown.
const MOST_REQUESTS: i64 = 10;

/// A device in words.
struct Shown {
    id: String,
    model: String,
    serial: String,
    key_id: String,
    enrolled: String,
    revoked: Option<String>,
    last_seq: i64,
}

impl From<&Device> for Shown {
    fn from(device: &Device) -> Self {
        Self {
            id: device.id.clone(),
            model: known(device.model.as_deref(), "model not known"),
            serial: known(device.serial.as_deref(), "serial not known"),
            key_id: device.key_id.clone(),
            enrolled: clock::for_people(device.enrolled_at),
            revoked: device.revoked_at.map(clock::for_people),
            last_seq: device.last_seq,
        }
    }
}

/// A support request in words.
struct ShownRequest {
    id: String,
    state: &'static str,
    issued: String,
    expires: String,
    engineer: String,
    bundle: Option<String>,
    words: String,
    /// That there is no recovery copy, and until when that was accepted: shown in red.
    waiver: Option<String>,
}

/// A remote session in words.
struct ShownSession {
    state: &'static str,
    opened: String,
    engineer: String,
}

impl ShownRequest {
    fn of(row: &RequestRow, consent: Option<&Consent>, now: i64) -> Self {
        let waiver = consent.and_then(|consent| match &consent.safeguard {
            Safeguard::Copy(_) => None,
            Safeguard::Waiver(waiver) => Some(format!(
                "No recovery copy: {}. The owner accepted that until {} or until the configuration changes.",
                waiver.reason.words(),
                clock::for_people(waiver.expires_unix_s)
            )),
        });
        Self {
            id: row.id.clone(),
            state: row.state_words(now),
            issued: clock::for_people(row.issued_at),
            expires: clock::for_people(row.expires_at),
            engineer: visible(&row.engineer),
            bundle: row.bundle_id.clone(),
            words: visible(&row.words),
            waiver,
        }
    }
}

#[derive(Template)]
#[template(path = "device.html")]
struct Page {
    viewer: Viewer,
    device: Shown,
    others: Vec<Shown>,
    requests: Vec<ShownRequest>,
    sessions: Vec<ShownSession>,
    lines: Vec<Line>,
}

/// Shows the device.
pub(super) async fn handle(
    State(app): State<Shared>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Html<String>, PageError> {
    let device = app.store.device(&id).await?.ok_or(PageError::NotFound)?;
    let others = app.store.same_serial(&device).await?;
    let rows = app.store.bundles_of_device(&device.id, MOST).await?;
    let now = clock::now_unix_s();
    let mut requests = Vec::new();
    for row in app.store.newest_requests(Some(&device.id), MOST_REQUESTS).await? {
        let kept = app.store.consent(&row.id).await?;
        // A consent that this version cannot read is shown as none; its bytes stay.
        let consent = kept.and_then(|kept| kept.consent().ok());
        requests.push(ShownRequest::of(&row, consent.as_ref(), now));
    }
    let sessions = app.store.newest_support_sessions(Some(&device.id), MOST_REQUESTS).await?;
    let sessions = sessions.iter().map(|session| ShownSession {
        state: session.state_words(now),
        opened: clock::for_people(session.opened_at),
        engineer: visible(&session.engineer),
    });
    render(&Page {
        viewer,
        device: Shown::from(&device),
        others: others.iter().map(Shown::from).collect(),
        requests,
        sessions: sessions.collect(),
        lines: rows.iter().map(Line::from).collect(),
    })
}
