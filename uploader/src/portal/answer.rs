//! What the portal answered: status, the few headers that matter, a bounded body, and what they mean.

use std::time::Duration;

use assay_bundle::json;
use assay_bundle::problem::Problem;
use reqwest::Response;
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{Portal, PortalError, explain};
use crate::{http_date, retry};

/// Answers are a card, a receipt or a refusal, each a few KiB; more is refused unread.
const ANSWER_LIMIT_BYTES: usize = 256 * 1024;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Reads the body within its limit.
pub(super) async fn read(portal: &Portal, mut response: Response) -> Result<Answer, PortalError> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut body = Vec::new();
    loop {
        let chunk = timeout(portal.idle_timeout, response.chunk())
            .await
            .map_err(|_| PortalError::Silent { portal: portal.url().to_owned() })?
            .map_err(|why| explain::failed(portal.url(), why))?;
        let Some(chunk) = chunk else { break };
        if body.len() + chunk.len() > ANSWER_LIMIT_BYTES {
            return Err(PortalError::Answer { status, what: "more than 256 KiB".to_owned() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A header that is a decimal number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.trim().parse().ok()
    }

    pub(crate) fn location(&self) -> Option<&str> {
        self.header(LOCATION.as_str())
    }

    /// How long the portal asks us to wait.
    pub(crate) fn retry_after(&self, now_unix_s: i64) -> Option<Duration> {
        retry::retry_after(self.header(RETRY_AFTER.as_str()), self.header(DATE.as_str()), now_unix_s)
    }

    /// The portal's reason, when it gave one in the agreed form.
    pub(crate) fn problem(&self) -> Option<Problem> {
        json::from_slice(&self.body).ok()
    }

    /// The portal's time, when it refused the call for its time.
    pub(super) fn clock_skew(&self) -> Option<i64> {
        (self.status == 401 && self.problem()?.kind == "clock-skew")
            .then(|| http_date::unix_s(self.header(DATE.as_str())?))?
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, PortalError> {
        json::from_slice(&self.body).map_err(|why| PortalError::Answer {
            status: self.status,
            what: format!("no {} ({why})", short_name::<T>()),
        })
    }

    /// The body as JSON when the status is one of `wanted`, else why not.
    pub(super) fn expect_json<T: DeserializeOwned>(&self, wanted: &[u16]) -> Result<T, PortalError> {
        if wanted.contains(&self.status) { self.json() } else { Err(self.refusal()) }
    }

    /// This answer as an error: the portal's own reason when it gave one.
    pub(crate) fn refusal(&self) -> PortalError {
        if let Some(location) = self.location().filter(|_| (300..400).contains(&self.status)) {
            return PortalError::Redirected { to: location.to_owned() };
        }
        match self.problem() {
            Some(problem) => PortalError::Refused { status: self.status, problem },
            None if self.status == 407 => PortalError::ProxyAuth,
            None => PortalError::Answer { status: self.status, what: self.excerpt() },
        }
    }

    /// The beginning of a body nobody agreed on, made safe for a terminal.
    fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect();
        if line.trim().is_empty() { "nothing else".to_owned() } else { format!("{:?}", line.trim()) }
    }
}

fn short_name<T>() -> &'static str {
    std::any::type_name::<T>().rsplit("::").next().unwrap_or("answer")
}
