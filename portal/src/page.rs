//! Pages for people: the frame around each, and the pages that say no, each with a next step.

use askama::Template;
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::password::PasswordError;
use crate::refusal::{Refusal, chain};
use crate::roles::Roles;
use crate::store::{StoreError, Tenant};

/// Who is looking: what the frame around every page needs.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Portal's name.
    pub portal: String,
    /// Tenant whose people the person is of: nothing of another is shown.
    pub tenant: Tenant,
    /// Person's name.
    pub user: String,
    /// What the person may do.
    pub roles: Roles,
    /// Token of this session's forms.
    pub csrf: String,
}

/// Why a page is not shown.
#[derive(Debug)]
pub enum PageError {
    /// There is none, or none for this person.
    NotFound,
    /// The form was not sent from our own page in this session.
    Forbidden,
    /// The person has these roles, and none that it takes.
    NotOfYourRoles(Roles),
    /// Nobody is logged in.
    LogInFirst,
    /// Not possible at the moment, with the reason in words.
    NotNow(String),
    /// Our own failure, already in words for the log.
    Internal(String),
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    title: &'static str,
    what: String,
    next_step: &'static str,
}

/// Renders a template.
///
/// # Errors
/// When the template fails, which is our own fault.
pub fn render(template: &impl Template) -> Result<Html<String>, PageError> {
    template.render().map(Html).map_err(|error| PageError::Internal(chain(&error)))
}

/// The answer to what is in no list: a page for people, an object for devices.
pub async fn not_found(uri: Uri) -> Response {
    if uri.path().starts_with("/api/") {
        return Refusal::new(
            StatusCode::NOT_FOUND,
            "unknown-call",
            "This portal has no such call.",
            "Check the portal's address on the device; update Assay where it is older.",
        )
        .into_response();
    }
    PageError::NotFound.into_response()
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        Self::Internal(chain(&error))
    }
}

impl From<PasswordError> for PageError {
    fn from(error: PasswordError) -> Self {
        Self::Internal(chain(&error))
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, title, what, next_step) = match self {
            Self::LogInFirst => return Redirect::to("/login").into_response(),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Not found",
                "There is nothing at this address.".to_owned(),
                "Go back to the queue and open it from there.",
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "Not allowed",
                "This form did not come from a page of this portal in your session.".to_owned(),
                "Open the portal by its own address, log in, and send the form again.",
            ),
            Self::NotOfYourRoles(roles) => (
                StatusCode::FORBIDDEN,
                "Not for your roles",
                match roles.to_string() {
                    none if none.is_empty() => "You have no role here, and this takes one.".to_owned(),
                    yours => format!("Your roles do not include this. You are here as: {yours}."),
                },
                "If it is your work, ask an administrator of this portal for the role.",
            ),
            Self::NotNow(why) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not possible at the moment",
                why,
                "Try again in a minute. If it stays, tell the portal's operator.",
            ),
            Self::Internal(why) => {
                tracing::error!(error = %why, "a page failed");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The portal failed",
                    "This page could not be made. Nothing was lost.".to_owned(),
                    "Try again. If it stays, give the portal's operator the X-Request-Id of this answer.",
                )
            }
        };
        let page = ErrorPage { title, what, next_step };
        match page.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], title).into_response(),
        }
    }
}
