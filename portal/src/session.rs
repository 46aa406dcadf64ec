//! Who is logged in: 32 random bytes in a `__Host-` cookie, of which the database holds only the digest.
//!
//! Every form carries a token, and its request must come from our own pages: refused is what a browser marks as
//! cross-site, and, from a browser that marks nothing, what names another origin or none.

use assay_bundle::digest::sha256_hex;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::app::{App, Shared};
use crate::clock;
use crate::page::{PageError, Viewer};

/// Cookie of a session. The prefix makes browsers demand `Secure`, `Path=/` and no `Domain`.
pub const COOKIE: &str = "__Host-assay";
/// Cookie that a login form is bound to, before there is a session.
pub const LOGIN_COOKIE: &str = "__Host-assay-login";
/// How long a session lasts, in seconds.
pub const LASTS_S: i64 = 12 * 3_600;

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// A `Set-Cookie` that only our own pages get back, and no script reads.
pub fn set_cookie(name: &str, value: &str, max_age_s: i64) -> String {
    format!("{name}={value}; Path=/; Max-Age={max_age_s}; Secure; HttpOnly; SameSite=Lax")
}

/// Whether two tokens are the same, in a time that tells nothing.
pub fn same_token(one: &str, other: &str) -> bool {
    // Equal digests of a secret and a guess say nothing about where they differ.
    !one.is_empty() && sha256_hex(one.as_bytes()) == sha256_hex(other.as_bytes())
}

/// Refuses a form that was not sent from our own pages.
///
/// # Errors
/// When it was not.
pub fn own_origin(app: &App, headers: &HeaderMap) -> Result<(), PageError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // Our pages send no referrer, so their Origin reads `null`; a browser says instead where the form stood.
    match text("sec-fetch-site") {
        Some("same-origin") => Ok(()),
        Some(_) => Err(PageError::Forbidden),
        None if text("origin") == Some(app.card.url.as_str()) => Ok(()),
        None => Err(PageError::Forbidden),
    }
}

/// Who is logged in.
///
/// # Errors
/// When nobody is.
pub async fn viewer(app: &App, parts: &Parts) -> Result<Viewer, PageError> {
    let token = cookie(&parts.headers, COOKIE).ok_or(PageError::LogInFirst)?;
    let session = app.store.session(&sha256_hex(token.as_bytes()), clock::now_unix_s()).await?;
    let session = session.ok_or(PageError::LogInFirst)?;
    Ok(Viewer {
        portal: app.card.name.clone(),
        tenant: session.tenant,
        user: session.user_name,
        roles: session.roles,
        csrf: session.csrf,
    })
}

impl FromRequestParts<Shared> for Viewer {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, PageError> {
        // Only the gate puts one here.
        parts.extensions.get::<Self>().cloned().ok_or(PageError::LogInFirst)
    }
}
