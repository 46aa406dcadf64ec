//! Whether a request is one that this device listens to. Pure: everything that it is judged by is handed in.
//!
//! The order is the order of trust: whose word it is, then for whom, then when, then whether it was there before, then
//! whether there are too many. A request that only the fields could refuse is never looked into before its signature.

use assay_bundle::statement::Signed;
use assay_bundle::support_request::{SKEW_S, SupportRequest};
use assay_uploader::{Trust, TrustError};

use crate::chassis::{self, Mark};

/// Most requests that wait at a time (the portal lists no more).
const MOST_OPEN: usize = assay_bundle::poll::MOST_REQUESTS;
/// Most requests of one day (judgement: nobody who helps asks more often).
const MOST_A_DAY: usize = 20;
const DAY_S: i64 = 86_400;

/// Who this device is to the portal.
#[derive(Clone, Debug)]
pub(crate) struct Me {
    /// Portal's name for it.
    pub(crate) device_id: String,
    /// Fingerprint of its key.
    pub(crate) key_id: String,
    /// What its key is bound to.
    pub(crate) chassis: Vec<Mark>,
    /// Fingerprint of the pinned card.
    pub(crate) portal: String,
}

/// A request that is known already.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Its exact bytes.
    pub(crate) document: String,
    /// Its id.
    pub(crate) id: String,
    /// Its nonce.
    pub(crate) nonce: String,
    /// When it came, seconds since 1970.
    pub(crate) received_unix_s: i64,
    /// Whether it still waits.
    pub(crate) open: bool,
}

/// What a request that verifies is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verified {
    /// New.
    New(Box<SupportRequest>),
    /// The very same that is known: delivered again, nothing happens.
    Same(String),
}

/// Why a request is not listened to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotForUs {
    /// Not the portal's word, or not acceptable.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// For another device.
    #[error("it is for another device ({0})")]
    Device(&'static str),
    /// Of another portal than the pinned one.
    #[error("it names another portal than the one that this NAS is enrolled at")]
    Portal,
    /// Ran out.
    #[error("it expired at {0}")]
    Expired(String),
    /// Of the future.
    #[error("it was issued in the future ({0}); one of the clocks is wrong")]
    Future(String),
    /// Another request with a nonce that was seen.
    #[error("its nonce was used by the request {0} already: it is a replay")]
    Replayed(String),
    /// Another text under a known id.
    #[error("another request with this id is known: the first one counts")]
    OtherText,
    /// Too many.
    #[error("there are too many requests: {0}")]
    TooMany(&'static str),
}

/// Judges a request.
pub(crate) fn verify(
    signed: &Signed,
    trust: &Trust,
    me: &Me,
    known: &[Known],
    now_unix_s: i64,
) -> Result<Verified, NotForUs> {
    let request: SupportRequest = trust.open(signed)?;
    if request.device_id != me.device_id {
        return Err(NotForUs::Device("its name differs"));
    }
    if request.key_id != me.key_id {
        return Err(NotForUs::Device("its key differs"));
    }
    if request.serial.as_deref().is_some_and(|serial| chassis::is_other_serial(&me.chassis, serial)) {
        return Err(NotForUs::Device("its serial number differs"));
    }
    if request.portal_fingerprint != me.portal {
        return Err(NotForUs::Portal);
    }
    if let Some(same) = known.iter().find(|known| known.id == request.id) {
        return match same.document == signed.document {
            true => Ok(Verified::Same(request.id)),
            false => Err(NotForUs::OtherText),
        };
    }
    if request.is_expired(now_unix_s) {
        return Err(NotForUs::Expired(crate::clock::rfc3339(request.expires_unix_s)));
    }
    if request.issued_unix_s > now_unix_s.saturating_add(SKEW_S) {
        return Err(NotForUs::Future(crate::clock::rfc3339(request.issued_unix_s)));
    }
    if let Some(first) = known.iter().find(|known| known.nonce == request.nonce) {
        return Err(NotForUs::Replayed(first.id.clone()));
    }
    if known.iter().filter(|known| known.open).count() >= MOST_OPEN {
        return Err(NotForUs::TooMany("eight wait for an answer already"));
    }
    // A time ahead of now was written by a clock that has jumped since; it counts as today's.
    let today = known.iter().filter(|known| known.received_unix_s > now_unix_s.saturating_sub(DAY_S));
    if today.count() >= MOST_A_DAY {
        return Err(NotForUs::TooMany("twenty came within a day"));
    }
    Ok(Verified::New(Box::new(request)))
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
