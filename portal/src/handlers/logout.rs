//! `POST /logout`: ends the session, here and in the browser.

use assay_bundle::digest::sha256_hex;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::Shared;
use crate::page::{PageError, Viewer};
use crate::session::{COOKIE, cookie, own_origin, same_token, set_cookie};

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Input {
    csrf: String,
}

/// Ends the session.
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
    if let Some(token) = cookie(&headers, COOKIE) {
        app.store.close_session(&sha256_hex(token.as_bytes())).await?;
    }
    tracing::info!(user = %viewer.user, "logged out");
    Ok(([(header::SET_COOKIE, set_cookie(COOKIE, "", 0))], Redirect::to("/login")).into_response())
}
