//! The owner's consent: this sealed bundle, for this request, after these answers (SSHSIG by the device's enrolled
//! key, namespace `assay-consent`).
//!
//! [`Consent::fits`] is the one place that says whether a consent answers a request; the device asks it before it
//! signs, and the portal before it keeps. Times here are the portal's, as the device knows them from its answers.

use serde::{Deserialize, Serialize};

use crate::redact::Level;
use crate::sshsig::namespace;
use crate::statement::{Statement, is_id, is_plain, is_sha256, require};
use crate::support_request::{SKEW_S, SupportRequest, redacts_at_least};

pub use crate::recovery::CopyLevel;

/// Longest life of a waiver, in seconds (design: it lapses after 24 hours).
pub const WAIVER_LIFE_S: i64 = 86_400;
/// Longest life of a standing consent, in seconds (design: 30 days).
pub const STANDING_LIFE_S: i64 = 30 * 86_400;
/// Most recipients (as in a manifest).
pub const MOST_RECIPIENTS: usize = 32;

/// The first question of the service terms: is there a backup?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupAnswer {
    /// The owner has backed the data up.
    BackedUp,
    /// There is no backup, and the owner takes the risk.
    NoBackupRiskAccepted,
}

impl BackupAnswer {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::BackedUp => "data is backed up",
            Self::NoBackupRiskAccepted => "no backup, risk accepted",
        }
    }
}

/// The second question: is confidential information out of reach?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfidentialAnswer {
    /// It was removed or locked.
    RemovedOrLocked,
    /// It was not removed, and the owner accepts that.
    NotRemovedAccepted,
}

impl ConfidentialAnswer {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::RemovedOrLocked => "confidential information is removed or locked",
            Self::NotRemovedAccepted => "confidential information is not removed, accepted",
        }
    }
}

/// An answer and when it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dated<T> {
    /// Answer.
    pub answer: T,
    /// Seconds since 1970.
    pub at_unix_s: i64,
}

/// What a probe saw that makes a recovery copy impossible. The list is closed: a wish is no reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaiverReason {
    /// There is no data volume, and no USB disk.
    NoVolume,
    /// The pool is gone or cannot be assembled.
    PoolGone,
    /// The volume can only be read.
    ReadOnly,
    /// The volume is locked.
    Locked,
    /// There is not enough room.
    NoRoom,
    /// The copy was tried and failed.
    CopyFailed,
}

impl WaiverReason {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoVolume => "no data volume",
            Self::PoolGone => "the pool is gone",
            Self::ReadOnly => "the volume is read-only",
            Self::Locked => "the volume is locked",
            Self::NoRoom => "not enough room",
            Self::CopyFailed => "the copy failed",
        }
    }
}

/// The owner goes on without a recovery copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// What the probe saw.
    pub reason: WaiverReason,
    /// When the owner accepted it, seconds since 1970.
    pub accepted_unix_s: i64,
    /// When it lapses; at most [`WAIVER_LIFE_S`] later.
    pub expires_unix_s: i64,
    /// SHA-256 over the configuration at that time, lower-case hex: the waiver lapses when that changes.
    pub configuration_sha256: String,
}

/// A recovery copy that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyTaken {
    /// How far it is proven.
    pub level: CopyLevel,
    /// SHA-256 of the encrypted copy, lower-case hex.
    pub sha256: String,
    /// When it was made, seconds since 1970.
    pub made_unix_s: i64,
}

/// What stands behind the device before anybody looks in: a copy, or that there is none and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Safeguard {
    /// A copy.
    Copy(CopyTaken),
    /// None.
    Waiver(Waiver),
}

/// A consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Version; see [`crate::statement::STATEMENT_FORMAT`].
    pub format: u32,
    /// Request that it answers.
    pub request_id: String,
    /// That request's nonce.
    pub nonce: String,
    /// The device's enrolled key, `SHA256:…`.
    pub key_id: String,
    /// SHA-256 of the exact manifest bytes of the sealed bundle that the owner saw, lower-case hex.
    pub manifest_sha256: String,
    /// First question.
    pub backup: Dated<BackupAnswer>,
    /// Second question.
    pub confidential: Dated<ConfidentialAnswer>,
    /// Redaction of the sealed bundle.
    pub redaction: Level,
    /// age recipients of the sealed bundle.
    pub recipients: Vec<String>,
    /// Fingerprint of the portal's card that the device has pinned.
    pub portal_fingerprint: String,
    /// Recovery copy or waiver.
    pub safeguard: Safeguard,
    /// Whether nobody was asked for this bundle: the answers are those of a standing consent. Such a bundle never
    /// makes a request ready for a remote session.
    pub standing: bool,
    /// When the owner consented (under a standing consent: when the device used it), seconds since 1970.
    pub consented_unix_s: i64,
}

/// Why a consent does not answer a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Of another request.
    #[error("the consent names another request")]
    Request,
    /// With another nonce.
    #[error("the consent carries another nonce than the request")]
    Nonce,
    /// By another key.
    #[error("the consent names another key than the request")]
    Key,
    /// For another portal.
    #[error("the consent was given for another portal")]
    Portal,
    /// The request ended.
    #[error("the request has expired")]
    Expired,
    /// Weaker redaction than asked for.
    #[error("the bundle is redacted less than the request demands")]
    Redaction,
    /// An answer is older than the request or of the future.
    #[error("an answer is not dated within the life of the request: ask the owner again")]
    Answers,
    /// The consent itself is.
    #[error("the consent is not dated within the life of the request: ask the owner again")]
    Dated,
    /// The copy was only written.
    #[error("the recovery copy was not read back")]
    CopyLevel,
    /// The copy is older than the request, or of the future.
    #[error("the recovery copy was not made for this request")]
    CopyTime,
    /// The waiver has lapsed or is not valid yet.
    #[error("the waiver of the recovery copy is not valid now: take the copy, or accept again")]
    Waiver,
    /// More was asked than a standing consent can grant.
    #[error("a standing consent covers bundles only: the owner has to be asked")]
    Standing,
}

impl Consent {
    /// Whether it answers a request at a time, seconds since 1970 by the portal's clock.
    ///
    /// # Errors
    /// The first reason why it does not.
    pub fn fits(&self, request: &SupportRequest, now_unix_s: i64) -> Result<(), Misfit> {
        let or = |holds: bool, misfit| if holds { Ok(()) } else { Err(misfit) };
        or(self.request_id == request.id, Misfit::Request)?;
        or(self.nonce == request.nonce, Misfit::Nonce)?;
        or(self.key_id == request.key_id, Misfit::Key)?;
        or(self.portal_fingerprint == request.portal_fingerprint, Misfit::Portal)?;
        or(!request.is_expired(now_unix_s), Misfit::Expired)?;
        or(redacts_at_least(self.redaction, request.redaction), Misfit::Redaction)?;
        or(!self.standing || request.only_reads(), Misfit::Standing)?;
        let latest = now_unix_s.saturating_add(SKEW_S);
        let since_issue = request.issued_unix_s.saturating_sub(SKEW_S)..=latest;
        // A standing consent was given before the request; its answers are as old as it may be.
        let answered_since = if self.standing {
            now_unix_s.saturating_sub(STANDING_LIFE_S)..=latest
        } else {
            since_issue.clone()
        };
        or(answered_since.contains(&self.backup.at_unix_s), Misfit::Answers)?;
        or(answered_since.contains(&self.confidential.at_unix_s), Misfit::Answers)?;
        or(since_issue.contains(&self.consented_unix_s), Misfit::Dated)?;
        match &self.safeguard {
            Safeguard::Copy(copy) => {
                or(copy.level >= CopyLevel::ReadBack, Misfit::CopyLevel)?;
                or(since_issue.contains(&copy.made_unix_s), Misfit::CopyTime)
            }
            Safeguard::Waiver(waiver) => {
                let valid = waiver.accepted_unix_s <= latest && now_unix_s < waiver.expires_unix_s;
                or(valid, Misfit::Waiver)
            }
        }
    }

    /// Whether a bundle under this consent can make its request ready for a remote session.
    pub fn makes_ready(&self) -> bool {
        !self.standing
    }
}

impl Statement for Consent {
    const NAMESPACE: &'static str = namespace::CONSENT;
    const NOUN: &'static str = "consent";
    const MOST_BYTES: usize = 16 << 10;

    fn format(&self) -> u32 {
        self.format
    }

    fn check(&self) -> Result<(), String> {
        require(is_id(&self.request_id), "request_id is no id")?;
        require(is_sha256(&self.manifest_sha256), "manifest_sha256 is no SHA-256 in lower-case hex")?;
        require(
            (1..=MOST_RECIPIENTS).contains(&self.recipients.len())
                && self.recipients.iter().all(|recipient| is_plain(recipient, 256, false)),
            "recipients are none, too many or not plain text",
        )?;
        match &self.safeguard {
            Safeguard::Copy(copy) => require(is_sha256(&copy.sha256), "the copy's sha256 is no SHA-256"),
            Safeguard::Waiver(waiver) => {
                let life = waiver.expires_unix_s.saturating_sub(waiver.accepted_unix_s);
                require((1..=WAIVER_LIFE_S).contains(&life), "the waiver lives no time or over 24 hours")?;
                require(is_sha256(&waiver.configuration_sha256), "configuration_sha256 is no SHA-256")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::{Signed, read};
    use crate::support_request::tests::{key, request};
    use crate::support_request::{RemoteSession, Scope, SessionMethod};

    const NOW: i64 = 1_010_000;

    fn consent() -> Consent {
        let request = request();
        Consent {
            format: 1,
            request_id: request.id,
            nonce: request.nonce,
            key_id: request.key_id,
            manifest_sha256: "ab".repeat(32),
            backup: Dated { answer: BackupAnswer::BackedUp, at_unix_s: NOW - 10 },
            confidential: Dated { answer: ConfidentialAnswer::RemovedOrLocked, at_unix_s: NOW - 10 },
            redaction: Level::Standard,
            recipients: vec!["age1x".to_owned()],
            portal_fingerprint: request.portal_fingerprint,
            safeguard: Safeguard::Copy(CopyTaken {
                level: CopyLevel::ReadBack,
                sha256: "cd".repeat(32),
                made_unix_s: NOW - 100,
            }),
            standing: false,
            consented_unix_s: NOW,
        }
    }

    fn waiver(accepted: i64, expires: i64) -> Safeguard {
        Safeguard::Waiver(Waiver {
            reason: WaiverReason::PoolGone,
            accepted_unix_s: accepted,
            expires_unix_s: expires,
            configuration_sha256: "ef".repeat(32),
        })
    }

    #[test]
    fn it_comes_back_from_its_bytes() {
        for safeguard in [consent().safeguard, waiver(NOW, NOW + 60)] {
            let given = Consent { safeguard, ..consent() };
            let signed = Signed::new(&given, &key(2)).expect("acceptable");
            assert_eq!(signed.open::<Consent>(&key(2).public()).expect("opens"), given);
        }
        for (from, to) in [
            ("\"standing\":false", "\"standing\":false,\"extra\":1"),
            ("\"backed_up\"", "\"maybe\""),
            ("\"backed_up\"", "\"backed_up\",\"why\":1"),
            ("\"standing\":false,", ""),
            ("age1x", ""),
            (&*"ab".repeat(32), &*"AB".repeat(32)),
        ] {
            let text = serde_json::to_string(&consent()).expect("plain data");
            assert!(text.contains(from), "{from} is not in {text}");
            assert!(read::<Consent>(&text.replacen(from, to, 1)).is_err(), "{to}");
        }
        let long = Consent { safeguard: waiver(NOW, NOW + WAIVER_LIFE_S + 1), ..consent() };
        assert!(Signed::new(&long, &key(2)).is_err());
    }

    fn check(change: impl FnOnce(&mut Consent, &mut SupportRequest, &mut i64), expected: Result<(), Misfit>) {
        let (mut consent, mut request, mut now) = (consent(), request(), NOW);
        change(&mut consent, &mut request, &mut now);
        assert_eq!(consent.fits(&request, now), expected, "{consent:?}");
    }

    #[test]
    fn it_fits_one_request_in_its_time() {
        check(|_, _, _| {}, Ok(()));
        check(|c, _, _| c.request_id = "b".to_owned(), Err(Misfit::Request));
        check(|c, _, _| c.nonce = "1".repeat(32), Err(Misfit::Nonce));
        check(|c, _, _| c.key_id = key(3).public().fingerprint(), Err(Misfit::Key));
        check(|c, _, _| c.portal_fingerprint = "CCCC".to_owned(), Err(Misfit::Portal));
        check(|_, r, now| *now = r.expires_unix_s, Err(Misfit::Expired));
        check(|_, r, _| r.redaction = Level::Strict, Err(Misfit::Redaction));
        check(|c, _, _| c.redaction = Level::Strict, Ok(()));
        check(|c, _, _| c.backup.at_unix_s = 900_000, Err(Misfit::Answers));
        check(|c, _, _| c.confidential.at_unix_s = NOW + SKEW_S + 1, Err(Misfit::Answers));
        check(|c, _, _| c.consented_unix_s = 900_000, Err(Misfit::Dated));
    }

    #[test]
    fn without_a_verified_copy_or_a_valid_waiver_it_fits_nothing() {
        fn copy(level: CopyLevel, made_unix_s: i64) -> Safeguard {
            Safeguard::Copy(CopyTaken { level, sha256: "cd".repeat(32), made_unix_s })
        }
        check(|c, _, _| c.safeguard = copy(CopyLevel::Written, NOW), Err(Misfit::CopyLevel));
        check(|c, _, _| c.safeguard = copy(CopyLevel::OpenedWithKey, NOW), Ok(()));
        check(|c, _, _| c.safeguard = copy(CopyLevel::ReadBack, 900_000), Err(Misfit::CopyTime));
        check(|c, _, _| c.safeguard = waiver(NOW - 10, NOW + 10), Ok(()));
        check(|c, _, _| c.safeguard = waiver(NOW - 10, NOW), Err(Misfit::Waiver));
        check(|c, _, _| c.safeguard = waiver(NOW + SKEW_S + 1, NOW + SKEW_S + 2), Err(Misfit::Waiver));
    }

    #[test]
    fn a_standing_consent_covers_bundles_only_and_makes_nothing_ready() {
        check(|c, _, _| (c.standing, c.backup.at_unix_s) = (true, NOW - STANDING_LIFE_S), Ok(()));
        check(
            |c, _, _| (c.standing, c.backup.at_unix_s) = (true, NOW - STANDING_LIFE_S - 1),
            Err(Misfit::Answers),
        );
        let session = RemoteSession { method: SessionMethod::Helpdesk, most_hours: 1 };
        check(
            |c, r, _| {
                c.standing = true;
                r.scope.push(Scope::RemoteSession(session));
            },
            Err(Misfit::Standing),
        );
        assert!(consent().makes_ready() && !Consent { standing: true, ..consent() }.makes_ready());
    }
}
