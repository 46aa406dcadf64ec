//! `GET /devices/{id}`: one enrolled key and its bundles.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Html;

use crate::app::Shared;
use crate::clock;
use crate::page::{PageError, Viewer, render};
use crate::store::devices::Device;
use crate::view::{Line, known};

/// Bundles shown.
const MOST: i64 = 100;

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

#[derive(Template)]
#[template(path = "device.html")]
struct Page {
    viewer: Viewer,
    device: Shown,
    others: Vec<Shown>,
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
    render(&Page {
        viewer,
        device: Shown::from(&device),
        others: others.iter().map(Shown::from).collect(),
        lines: rows.iter().map(Line::from).collect(),
    })
}
