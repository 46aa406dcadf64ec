//! `GET /`: bundles, newest first.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Html;
use serde::Deserialize;

use crate::app::Shared;
use crate::page::{PageError, Viewer, render};
use crate::view::Line;

/// Bundles on one page.
const PAGE: i64 = 50;

#[derive(Template)]
#[template(path = "queue.html")]
struct Page {
    viewer: Viewer,
    url: String,
    lines: Vec<Line>,
    devices: i64,
    page: i64,
    more: bool,
}

/// Which page.
#[derive(Deserialize)]
pub(super) struct Input {
    #[serde(default)]
    page: u32,
}

/// Shows the queue.
pub(super) async fn handle(
    State(app): State<Shared>,
    viewer: Viewer,
    Query(input): Query<Input>,
) -> Result<Html<String>, PageError> {
    let page = i64::from(input.page);
    let mut rows = app.store.of(&viewer.tenant).newest_bundles(PAGE + 1, page.saturating_mul(PAGE)).await?;
    let more = rows.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    rows.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    let lines = rows.iter().map(Line::from).collect();
    let devices = app.store.of(&viewer.tenant).device_count().await?;
    render(&Page { viewer, url: app.card.url.clone(), lines, devices, page, more })
}
