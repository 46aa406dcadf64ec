//! `GET /bundles/{id}/raw/{index}`: one file of a bundle, line by line, as escaped text.
//!
//! The payload is opened again for it, by the worker: no decrypted file is kept.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Html;

use crate::app::Shared;
use crate::display::{lines, visible};
use crate::ingest::reading::Reading;
use crate::ingest::{IngestError, process};
use crate::page::{PageError, Viewer, render};
use crate::refusal::chain;

/// Most lines shown.
const MOST_LINES: usize = 20_000;

#[derive(Template)]
#[template(path = "raw.html")]
struct Page {
    viewer: Viewer,
    bundle_id: String,
    name: String,
    sha256: String,
    size: String,
    lines: Vec<String>,
    cut: bool,
}

/// Shows the file.
pub(super) async fn handle(
    State(app): State<Shared>,
    viewer: Viewer,
    Path((id, index)): Path<(String, usize)>,
) -> Result<Html<String>, PageError> {
    let reading = app.store.of(&viewer.tenant).reading(&id).await?.ok_or(PageError::NotFound)?;
    let reading: Reading = serde_json::from_str(&reading)
        .map_err(|error| PageError::Internal(format!("a stored reading is not understood: {error}")))?;
    let entry = reading.entries.get(index).ok_or(PageError::NotFound)?;
    let object = app.dir.objects().join(&id);
    let extracted = process::extract(&app, &object, &entry.name).await.map_err(|error| match error {
        IngestError::Refused(why) => {
            PageError::NotNow(format!("This file cannot be shown: {}.", visible(&why)))
        }
        trouble @ IngestError::Trouble(_) => PageError::Internal(chain(&trouble)),
    })?;
    let bytes = data_encoding::BASE64
        .decode(extracted.base64.as_bytes())
        .map_err(|error| PageError::Internal(format!("the worker answered no base64: {error}")))?;
    let mut lines = lines(&bytes);
    let cut =
        lines.len() > MOST_LINES || u64::try_from(bytes.len()).unwrap_or(u64::MAX) < extracted.size_bytes;
    lines.truncate(MOST_LINES);
    render(&Page {
        viewer,
        bundle_id: id,
        name: visible(&entry.name),
        sha256: entry.sha256.clone(),
        size: assay_bundle::units::Bytes(entry.size_bytes).to_string(),
        lines,
        cut,
    })
}
