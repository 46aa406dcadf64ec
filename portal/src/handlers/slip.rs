//! `GET` and `POST /slip`: a verdict slip that somebody pasted, read and explained. Nothing of it is kept.
//!
//! The address that a QR code opens carries the slip behind `#`, which a browser sends to nobody: it is pasted whole,
//! address and all. Refused are a form from elsewhere, and a slip whose signature does not fit.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::Shared;
use crate::clock;
use crate::display::visible;
use crate::page::{PageError, Viewer, render};
use crate::refusal::chain;
use crate::session::{own_origin, same_token};
use crate::slip::{Examined, SlipRefusal, examine};
use crate::view::Badge;

#[derive(Template)]
#[template(path = "slip.html")]
struct Page {
    viewer: Viewer,
    error: String,
    result: Option<Shown>,
}

/// What a slip says, for people.
struct Shown {
    verdict: Badge,
    whose: String,
    device_id: Option<String>,
    warnings: Vec<&'static str>,
    serial: String,
    model: String,
    counts: String,
    made: String,
    key_id: String,
    codes: Vec<Code>,
}

/// A code and what our rules say of it.
struct Code {
    code: String,
    title: &'static str,
    checks: &'static str,
    what_to_do: &'static str,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Input {
    csrf: String,
    slip: String,
}

/// Shows the form.
pub(super) async fn form(viewer: Viewer) -> Result<Response, PageError> {
    Ok(render(&Page { viewer, error: String::new(), result: None })?.into_response())
}

/// Reads what was pasted.
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
    match examine(app.store.of(&viewer.tenant), &input.slip).await {
        Ok(examined) => {
            let page = Page { viewer, error: String::new(), result: Some(shown(&examined)) };
            Ok(render(&page)?.into_response())
        }
        Err(trouble @ (SlipRefusal::Store(_) | SlipRefusal::Key(_))) => {
            Err(PageError::Internal(chain(&trouble)))
        }
        Err(refusal) => {
            let page = Page { viewer, error: visible(&chain(&refusal)), result: None };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, render(&page)?).into_response())
        }
    }
}

fn shown(examined: &Examined) -> Shown {
    let slip = &examined.slip;
    let known = |text: &Option<String>| visible(text.as_deref().unwrap_or("not known"));
    Shown {
        verdict: Badge::of(slip.summary.overall),
        whose: visible(&examined.whose()),
        device_id: examined.device.as_ref().map(|device| device.id.clone()),
        warnings: examined.warnings(),
        serial: known(&slip.serial),
        model: known(&slip.model),
        counts: examined.counts(),
        made: clock::for_people(slip.made_unix_s),
        key_id: visible(&slip.key_id),
        codes: slip.summary.top_codes.iter().map(|code| explained(code)).collect(),
    }
}

fn explained(code: &str) -> Code {
    match assay_diagnosis::explain(code) {
        Some(rule) => {
            Code { code: visible(code), title: rule.title, checks: rule.checks, what_to_do: rule.what_to_do }
        }
        None => Code {
            code: visible(code),
            title: "not known to this portal",
            checks: "The device has a newer or older set of rules.",
            what_to_do: "Ask for a bundle: the portal judges it with its own rules.",
        },
    }
}
