//! `GET` and `POST /judge`: outputs that somebody pasted, judged. Nothing of it is kept.
//!
//! The same as `assay judge` on an engineer's own machine, for one who has only a browser. Refused are a form from
//! elsewhere and a report beyond the limit; the text is opened by the worker, never in this process.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::Shared;
use crate::display::visible;
use crate::ingest::{IngestError, process};
use crate::page::{PageError, Viewer, render};
use crate::refusal::chain;
use crate::session::{own_origin, same_token};
use crate::view::Badge;
use crate::worker::MOST_PASTED_BYTES;

/// Largest form, in bytes: a browser spells most characters of a report as themselves, some as three.
pub(super) const MOST_BODY_BYTES: usize = MOST_PASTED_BYTES + MOST_PASTED_BYTES / 2;

#[derive(Template)]
#[template(path = "judge.html")]
struct Page {
    viewer: Viewer,
    error: String,
    result: Option<Shown>,
}

/// What came out.
struct Shown {
    verdict: Option<Badge>,
    outputs: Vec<String>,
    report: String,
    formats: String,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Input {
    csrf: String,
    text: String,
}

/// Shows the form.
pub(super) async fn form(viewer: Viewer) -> Result<Response, PageError> {
    Ok(render(&Page { viewer, error: String::new(), result: None })?.into_response())
}

/// Judges what was pasted.
pub(super) async fn handle(
    State(app): State<Shared>,
    viewer: Viewer,
    headers: HeaderMap,
    Form(input): Form<Input>,
) -> Result<Response, PageError> {
    own_origin(&app, &headers)?;
    if !same_token(&viewer.csrf, &input.csrf) {
        return Err(PageError::Forbidden);
    }
    let refused = |viewer, error| -> Result<Response, PageError> {
        let page = render(&Page { viewer, error, result: None })?;
        Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    };
    if input.text.trim().is_empty() || input.text.len() > MOST_PASTED_BYTES {
        let error = format!(
            "Paste the output of a tool, at most {} MiB, whole and as it was printed.",
            MOST_PASTED_BYTES >> 20
        );
        return refused(viewer, error);
    }
    let judged = match process::judge(&app, input.text).await {
        Ok(judged) => judged,
        Err(IngestError::Refused(why)) => {
            return refused(viewer, format!("{}. Paste fewer outputs at a time.", visible(&why)));
        }
        Err(trouble @ IngestError::Trouble(_)) => return Err(PageError::Internal(chain(&trouble))),
    };
    let shown = Shown {
        verdict: judged.overall.map(Badge::of),
        outputs: judged.outputs.iter().map(|line| visible(line)).collect(),
        report: judged.report.lines().map(visible).collect::<Vec<_>>().join("\n"),
        formats: judged.formats.join(", "),
    };
    Ok(render(&Page { viewer, error: String::new(), result: Some(shown) })?.into_response())
}
