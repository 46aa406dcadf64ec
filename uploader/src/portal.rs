//! One portal, and the calls a device makes to it.
//!
//! Always TLS (rustls with ring, HTTP/1.1), whatever the address: there is no plain HTTP, not even to this machine.
//! Redirects are not followed, because a signed call is for one host. The portal's TLS key is pinned after enrolment;
//! [`verifier`] says what the pin replaces and what it does not. A proxy comes from the configuration or from the
//! environment, but never from the environment of a CGI program, where a visitor sets it.

pub mod address;
pub(crate) mod answer;
pub(crate) mod call;
mod error;
mod explain;
mod life;
mod options;
mod roots;
pub mod support;
mod verifier;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use assay_bundle::enrolment::{EnrolmentAnswer, EnrolmentRequest, PortalCard};
use assay_bundle::health_report::{HealthReport, is_boot_id};
use assay_bundle::keys::SigningKey;
use serde::de::DeserializeOwned;

pub(crate) use error::chain;
pub use error::{Cause, PortalError};
pub use options::{ClockTrust, Now, PortalOptions, system_now};

use crate::rate::Bucket;
use crate::trust::Trust;
use address::Address;
use answer::Answer;
use call::{Body, Call};
use verifier::PortalVerifier;

/// A portal that can be called. Making one opens no connection.
pub struct Portal {
    client: reqwest::Client,
    address: Address,
    verifier: Option<Arc<PortalVerifier>>,
    /// The portal's clock minus ours, in seconds; known after the portal refused a call for its time. Serves only the
    /// `created` of signatures, never a decision of ours.
    skew_s: AtomicI64,
    now: Now,
    idle_timeout: Duration,
    /// Shared by all parts, so that many small ones are no faster.
    bucket: Option<Mutex<Bucket>>,
    begun: Instant,
    trust: Option<Trust>,
    /// What a poll tells of this boot, as a query.
    here: String,
}

impl std::fmt::Debug for Portal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Portal").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Portal {
    /// Prepares calls to a portal.
    ///
    /// # Errors
    /// An address, CA file, proxy or pin that cannot be used, or an implausible clock before there is a pin.
    pub fn new(options: PortalOptions) -> Result<Self, PortalError> {
        let address = Address::parse(&options.url)?;
        let (client, verifier) = options::client(&options, &address, true)?;
        Ok(Self {
            client,
            address,
            verifier: Some(verifier),
            skew_s: AtomicI64::new(0),
            now: options.now,
            idle_timeout: options.idle_timeout,
            bucket: options.bytes_per_s.map(|rate| Mutex::new(Bucket::new(rate))),
            begun: Instant::now(),
            trust: options.trust,
            here: here(options.boot_id.as_deref(), options.seq),
        })
    }

    /// A portal on plain HTTP on this machine, for tests of everything above TLS.
    #[cfg(test)]
    pub(crate) fn plain_for_tests(address: std::net::SocketAddr, now: Now) -> Self {
        let address = Address::plain_for_tests(address);
        let options = PortalOptions { now, ..PortalOptions::new(address.base()) };
        let (client, _) = options::client(&options, &address, false).expect("a client");
        Self {
            client,
            address,
            verifier: None,
            skew_s: AtomicI64::new(0),
            now: options.now,
            idle_timeout: Duration::from_secs(5),
            bucket: None,
            begun: Instant::now(),
            trust: None,
            here: String::new(),
        }
    }

    #[cfg(test)]
    pub(crate) fn set_idle_timeout(&mut self, idle: Duration) {
        self.idle_timeout = idle;
    }

    /// Base address, `https://host[:port]`.
    pub fn url(&self) -> &str {
        self.address.base()
    }

    /// Pin (`sha256/…`) of the key that the portal showed in the last handshake that was accepted.
    pub fn seen_pin(&self) -> Option<String> {
        self.verifier.as_ref()?.seen_pin()
    }

    /// What the portal says of itself. Its keys vouch for each other and the TLS key it names is the one it showed;
    /// whether it is the *right* portal is for the owner to compare.
    ///
    /// # Errors
    /// Not reachable, no card, or a card that contradicts itself or the connection.
    pub async fn card(&self) -> Result<PortalCard, PortalError> {
        let card: PortalCard = self.read("GET", "/api/v1/card", None, Body::Empty, &[200]).await?;
        Trust::from_card(&card)?;
        match self.seen_pin() {
            Some(seen) if !card.tls_key_pin.is_empty() && card.tls_key_pin != seen => {
                Err(PortalError::OtherTlsKey { card: card.tls_key_pin, seen })
            }
            _ => Ok(card),
        }
    }

    /// Enrols `key`: the call is signed with it, which proves its possession.
    ///
    /// # Errors
    /// [`PortalError::Refused`] with the portal's reason (`code-unknown`, `code-expired`, `code-used`, …), or not
    /// reachable, or an answer for another key.
    pub async fn enrol(
        &self,
        key: &SigningKey,
        request: &EnrolmentRequest,
    ) -> Result<EnrolmentAnswer, PortalError> {
        let body = serde_json::to_vec(request).map_err(PortalError::Encode)?;
        let answer: EnrolmentAnswer =
            self.read("POST", "/api/v1/enrol", Some(key), Body::Json(&body), &[200, 201]).await?;
        Trust::from_card(&answer.card)?;
        if answer.key_id != key.public().fingerprint() {
            return Err(PortalError::OtherKey { found: answer.key_id, wanted: key.public().fingerprint() });
        }
        if answer.card.fingerprint() != request.card_fingerprint {
            return Err(PortalError::OtherCard);
        }
        Ok(answer)
    }

    /// Sends a health report. Nothing comes back but that it is kept.
    ///
    /// # Errors
    /// [`PortalError::Refused`] with the portal's reason, or not reachable.
    pub async fn report(&self, key: &SigningKey, report: &HealthReport) -> Result<(), PortalError> {
        let body = serde_json::to_vec(report).map_err(PortalError::Encode)?;
        let call =
            Call { method: "POST", path: "/api/v1/reports", body: Body::Json(&body), ..Call::default() };
        let answer = self.call(Some(key), &call, &mut |_| ()).await?;
        if matches!(answer.status, 200 | 204) { Ok(()) } else { Err(answer.refusal()) }
    }

    /// How long to wait before `bytes` are fed.
    pub(crate) fn pause(&self, bytes: u64) -> Duration {
        let take = |bucket: &Mutex<Bucket>| {
            bucket.lock().unwrap_or_else(PoisonError::into_inner).take(bytes, self.begun.elapsed())
        };
        self.bucket.as_ref().map_or(Duration::ZERO, take)
    }

    /// Our time, corrected by what is known of the portal's.
    pub(crate) fn portal_now_unix_s(&self) -> i64 {
        (self.now)().saturating_add(self.skew_s.load(Ordering::Relaxed))
    }

    /// The path of a `Location` on this portal.
    pub(crate) fn own_path(&self, location: &str) -> Option<String> {
        self.address.own_path(location)
    }

    /// Our time, as it is.
    pub(crate) fn now_unix_s(&self) -> i64 {
        (self.now)()
    }

    async fn read<T: DeserializeOwned>(
        &self,
        method: &'static str,
        path: &str,
        key: Option<&SigningKey>,
        body: Body<'_>,
        wanted: &[u16],
    ) -> Result<T, PortalError> {
        let call = Call { method, path, body, ..Call::default() };
        self.call(key, &call, &mut |_| ()).await?.expect_json(wanted)
    }

    /// Makes a call; signed when there is a key. A refusal for its time is answered once, by signing again with the
    /// portal's clock. Every other answer is the caller's to judge. `sent` hears of the bytes of a part as they go.
    pub(crate) async fn call(
        &self,
        key: Option<&SigningKey>,
        call: &Call<'_>,
        sent: &mut dyn FnMut(u64),
    ) -> Result<Answer, PortalError> {
        let nonce = match key {
            Some(_) if call.nonce.is_none() => Some(call::nonce_of_a_call()?),
            _ => None,
        };
        let call = &Call { nonce: call.nonce.or(nonce.as_deref()), ..*call };
        let answer = call::send(self, key, call, sent).await?;
        let Some(portal_time) = answer.clock_skew() else { return self.unless_revoked(key, call, answer) };
        let skew_s = portal_time.saturating_sub((self.now)());
        tracing::warn!(
            skew_s,
            "the clocks of the portal and of this device differ; signing with the portal's"
        );
        self.skew_s.store(skew_s, Ordering::Relaxed);
        let answer = call::send(self, key, call, sent).await?;
        self.unless_revoked(key, call, answer)
    }

    /// The answer, unless the portal says in it that the key was revoked.
    fn unless_revoked(
        &self,
        key: Option<&SigningKey>,
        call: &Call<'_>,
        answer: Answer,
    ) -> Result<Answer, PortalError> {
        let (Some(key), Some(nonce), Some(trust)) = (key, call.nonce, &self.trust) else { return Ok(answer) };
        match life::revocation(answer.problem(), trust, &key.public().fingerprint(), nonce)? {
            Some(revocation) => Err(PortalError::Revoked(Box::new(revocation))),
            None => Ok(answer),
        }
    }
}

/// Boot and number as a query; empty where the boot is not known.
fn here(boot_id: Option<&str>, seq: Option<u64>) -> String {
    let Some(boot_id) = boot_id.filter(|id| is_boot_id(id)) else { return String::new() };
    format!("boot={boot_id}{}", seq.map(|seq| format!("&seq={seq}")).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
