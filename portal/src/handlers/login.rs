//! `GET` and `POST /login`: a name and a password become a session.
//!
//! Refused are: a form from elsewhere, too many wrong passwords for one person or from one address, and an unknown
//! person after the same work as a known one.

use std::net::SocketAddr;

use askama::Template;
use assay_bundle::digest::sha256_hex;
use axum::Form;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::{App, Shared};
use crate::clock;
use crate::page::{PageError, render};
use crate::password::{LONGEST, random_text};
use crate::session::{COOKIE, LASTS_S, LOGIN_COOKIE, cookie, own_origin, same_token, set_cookie};

/// Window in which wrong passwords are counted, in seconds.
const WINDOW_S: i64 = 15 * 60;
/// Wrong passwords in a window for one person.
const MOST_FOR_USER: i64 = 5;
/// Wrong passwords in a window from one address, where several people may sit behind one.
const MOST_FROM_ADDRESS: i64 = 20;
/// How long a login form may lie open, in seconds.
const FORM_LASTS_S: i64 = 3_600;
/// Length of a token of 32 bytes in base64url.
const TOKEN_LETTERS: usize = 43;
const BY_USER: &str = "login-user";
const BY_ADDRESS: &str = "login-address";

#[derive(Template)]
#[template(path = "login.html")]
struct Page<'a> {
    portal: &'a str,
    csrf: &'a str,
    user: &'a str,
    error: &'a str,
    no_users: bool,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Input {
    user: String,
    password: String,
    csrf: String,
}

/// Shows the form.
pub(super) async fn form(State(app): State<Shared>, headers: HeaderMap) -> Result<Response, PageError> {
    show(&app, &headers, StatusCode::OK, "", "").await
}

async fn show(
    app: &App,
    headers: &HeaderMap,
    status: StatusCode,
    user: &str,
    error: &str,
) -> Result<Response, PageError> {
    // A second open form must not make the first one useless.
    let open = cookie(headers, LOGIN_COOKIE).filter(|token| token.len() == TOKEN_LETTERS).map(str::to_owned);
    let csrf = open
        .or_else(random_text::<32>)
        .ok_or_else(|| PageError::Internal("no randomness for a form".to_owned()))?;
    let no_users = app.store.user_count().await? == 0;
    let user = crate::display::visible(user);
    let page = render(&Page { portal: &app.card.name, csrf: &csrf, user: &user, error, no_users })?;
    let bound = [(header::SET_COOKIE, set_cookie(LOGIN_COOKIE, &csrf, FORM_LASTS_S))];
    Ok((status, bound, page).into_response())
}

/// Checks name and password and opens a session.
pub(super) async fn handle(
    State(app): State<Shared>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(input): Form<Input>,
) -> Result<Response, PageError> {
    own_origin(&app, &headers)?;
    if !same_token(cookie(&headers, LOGIN_COOKIE).unwrap_or_default(), &input.csrf) {
        return Err(PageError::Forbidden);
    }
    let now = clock::now_unix_s();
    let (who, place) = (sha256_hex(input.user.to_lowercase().as_bytes()), address.ip().to_string());
    let since = now - WINDOW_S;
    let too_many = app.store.failures_of(BY_USER, &who, since).await? >= MOST_FOR_USER
        || app.store.failures_of(BY_ADDRESS, &place, since).await? >= MOST_FROM_ADDRESS;
    if too_many {
        tracing::warn!(address = %place, "too many wrong passwords");
        let error = "Too many wrong passwords. Wait 15 minutes and try again.";
        return show(&app, &headers, StatusCode::TOO_MANY_REQUESTS, &input.user, error).await;
    }
    // Counted before the check, so that tries at the same time are counted too.
    app.store.add_failure(BY_USER, &who, now).await?;
    app.store.add_failure(BY_ADDRESS, &place, now).await?;
    let known = app.store.user(&input.user).await?;
    let stored = known.as_ref().map(|(_, hash)| hash.as_str());
    let fits = input.password.len() <= LONGEST && app.passwords.check(stored, input.password).await?;
    let Some((name, _)) = known.filter(|_| fits) else {
        tracing::warn!(address = %place, "wrong name or password");
        let error = "Name or password is wrong. Check both and try again.";
        return show(&app, &headers, StatusCode::UNAUTHORIZED, &input.user, error).await;
    };
    app.store.forgive(BY_USER, &who).await?;
    app.store.take_back(BY_ADDRESS, &place, now).await?;
    let random =
        || random_text::<32>().ok_or_else(|| PageError::Internal("no randomness for a session".to_owned()));
    let (token, csrf) = (random()?, random()?);
    app.store.open_session(&sha256_hex(token.as_bytes()), &name, &csrf, now, now + LASTS_S).await?;
    tracing::info!(user = %name, "logged in");
    let cookies = AppendHeaders([
        (header::SET_COOKIE, set_cookie(COOKIE, &token, LASTS_S)),
        (header::SET_COOKIE, set_cookie(LOGIN_COOKIE, "", 0)),
    ]);
    Ok((cookies, Redirect::to("/")).into_response())
}
