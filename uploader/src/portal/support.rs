//! The calls about support requests: what is open, the owner's answer, sessions.
//!
//! What the portal answers counts only when its online key signed it. A denial travels as text and is bounded here, so
//! that no refusal of its length comes back to an owner who said no.

use std::time::Duration;

use assay_bundle::keys::SigningKey;
use assay_bundle::poll::{LONGEST_HOLD_S, PollAnswer};
use assay_bundle::statement::Signed;
use serde::Serialize;

use super::call::{self, Body, Call};
use super::{Portal, PortalError};
use crate::trust::{Trust, TrustError};

/// Which end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionCall {
    /// The owner starts it.
    Start,
    /// It ended.
    Stop,
}

impl Portal {
    /// Asks what is open. With the `state` of an earlier answer the portal may hold the call for a minute, while that is
    /// still the state and something is open, or somebody waits at the device.
    ///
    /// # Errors
    /// Not reachable, refused, or an answer that is not the portal's or not to this call.
    pub async fn poll(
        &self,
        key: &SigningKey,
        trust: &Trust,
        known: Option<&str>,
        waits: bool,
    ) -> Result<PollAnswer, PortalError> {
        let query = match known {
            Some(state) => format!("known={state}{}", if waits { "&wait=1" } else { "" }),
            None => String::new(),
        };
        let between = if query.is_empty() || self.here.is_empty() { "" } else { "&" };
        let query = format!("{query}{between}{}", self.here);
        let nonce = call::nonce_of_a_call()?;
        let call = Call {
            method: "GET",
            path: "/api/v1/poll",
            query: &query,
            nonce: Some(&nonce),
            patience: Duration::from_secs(u64::from(LONGEST_HOLD_S)),
            ..Call::default()
        };
        let signed: Signed = self.call(Some(key), &call, &mut |_| ()).await?.expect_json(&[200])?;
        let answer: PollAnswer = trust.open(&signed)?;
        match answer.answers(&key.public().fingerprint(), &nonce) {
            true => Ok(answer),
            false => Err(TrustError::OtherCall.into()),
        }
    }

    /// Asks for the portal's word that this unit replaces another one, as it was signed; `None` when no open case
    /// says so.
    ///
    /// # Errors
    /// Not reachable, or refused.
    pub async fn replacement(&self, key: &SigningKey) -> Result<Option<Signed>, PortalError> {
        let call = Call { method: "GET", path: "/api/v1/replacement", ..Call::default() };
        let answer = self.call(Some(key), &call, &mut |_| ()).await?;
        if answer.status == 404 { Ok(None) } else { answer.expect_json(&[200]).map(Some) }
    }

    /// Hands over the owner's signed consent. The same one again is no error.
    ///
    /// # Errors
    /// Not reachable, or [`PortalError::Refused`] with the portal's reason.
    pub async fn consent(
        &self,
        key: &SigningKey,
        request_id: &str,
        consent: &Signed,
    ) -> Result<(), PortalError> {
        self.tell(key, &format!("/api/v1/requests/{request_id}/consent"), consent).await
    }

    /// Tells that the owner says no.
    ///
    /// # Errors
    /// As [`Portal::consent`].
    pub async fn deny(&self, key: &SigningKey, request_id: &str, reason: &str) -> Result<(), PortalError> {
        let body = serde_json::json!({ "reason": reason });
        self.tell(key, &format!("/api/v1/requests/{request_id}/deny"), &body).await
    }

    /// Hands over the signed record of a session, at its start or its end.
    ///
    /// # Errors
    /// As [`Portal::consent`].
    pub async fn session(
        &self,
        key: &SigningKey,
        session_id: &str,
        end: SessionCall,
        record: &Signed,
    ) -> Result<(), PortalError> {
        let verb = match end {
            SessionCall::Start => "start",
            SessionCall::Stop => "stop",
        };
        self.tell(key, &format!("/api/v1/sessions/{session_id}/{verb}"), record).await
    }

    async fn tell(&self, key: &SigningKey, path: &str, body: &impl Serialize) -> Result<(), PortalError> {
        let body = serde_json::to_vec(body).map_err(PortalError::Encode)?;
        let call = Call { method: "POST", path, body: Body::Json(&body), ..Call::default() };
        let answer = self.call(Some(key), &call, &mut |_| ()).await?;
        if (200..300).contains(&answer.status) { Ok(()) } else { Err(answer.refusal()) }
    }
}
