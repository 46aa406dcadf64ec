//! How the portal says no to a device: one JSON object that names what is wrong and what to do next.
//!
//! Our own failures are logged here with their whole chain, once, and told to the device without it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use assay_bundle::problem::Problem;
use assay_bundle::statement::Signed;

use crate::files::FileError;
use crate::store::StoreError;

/// A refusal on its way out.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    problem: Problem,
    headers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// A refusal of a kind that a program may branch on.
    pub fn new(
        status: StatusCode,
        kind: &str,
        title: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self {
            status,
            problem: Problem {
                kind: kind.to_owned(),
                title: title.into(),
                next_step: next_step.into(),
                signed: None,
            },
            headers: Vec::new(),
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with our signed word, which the device may act on.
    #[must_use]
    pub fn signed(mut self, signed: Signed) -> Self {
        self.problem.signed = Some(Box::new(signed));
        self
    }

    /// A call that does not follow the interface.
    pub fn bad_call(title: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-call",
            title,
            "Update Assay on the device; then report this as a bug.",
        )
    }

    /// Our own failure; the chain goes to the log and not to the device.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %chain(error), "a device call failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The portal failed to do this.",
            "Nothing is lost; the device tries again by itself. If it goes on, tell the portal's operator.",
        )
        .with("retry-after", "30")
    }

    /// The disk of the portal is full.
    pub fn storage_full() -> Self {
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "storage-full",
            "The portal has no room for this upload.",
            "Nothing is lost; the device tries again later. Tell the portal's operator.",
        )
        .with("retry-after", "600")
    }
}

/// An error and its causes in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::internal(&error)
    }
}

impl From<FileError> for Refusal {
    fn from(error: FileError) -> Self {
        if error.source.kind() == std::io::ErrorKind::StorageFull {
            tracing::error!(error = %chain(&error), "the disk is full");
            return Self::storage_full();
        }
        Self::internal(&error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        tracing::info!(kind = %self.problem.kind, status = self.status.as_u16(), "refused a device call");
        let body = serde_json::to_vec(&self.problem).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED
            && let Ok(date) = HeaderValue::from_str(&crate::clock::http_date(crate::clock::now_unix_s()))
        {
            // What a device with a wrong clock corrects its signatures by.
            headers.insert(header::DATE, date);
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
