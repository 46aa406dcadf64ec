//! The record of a remote session: who looked, how, from when to when, and what differed afterwards (SSHSIG by the
//! device's enrolled key, namespace `assay-session`).
//!
//! Nothing here opens a way into a device, and no credential, path or name of an account has a field here: the owner
//! opens and closes the way; the difference travels as counts, its paths stay on the device.

use serde::{Deserialize, Serialize};

use crate::consent::CopyTaken;
use crate::sshsig::namespace;
use crate::statement::{Statement, is_hex, is_id, is_plain, require};
use crate::support_request::{LONGEST_NAME, LONGEST_SESSION_H, SessionMethod};

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// The owner stopped it.
    Owner,
    /// Its hard expiry came.
    Expiry,
    /// The portal closed it.
    Portal,
}

impl SessionEnd {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Owner => "stopped by the owner",
            Self::Expiry => "ended at its hard expiry",
            Self::Portal => "closed by the portal",
        }
    }
}

/// What differs between the recovery copies before and after. Counts only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DifferenceSummary {
    /// Files that are new.
    pub paths_added: u64,
    /// Files that are gone.
    pub paths_removed: u64,
    /// Files that changed.
    pub paths_changed: u64,
    /// Accounts that are new.
    pub new_accounts: u64,
    /// Keys that may log in and are new.
    pub new_keys: u64,
    /// Services that listen and did not before.
    pub new_services: u64,
}

/// A session, at its start or at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRecord {
    /// Version; see [`crate::statement::STATEMENT_FORMAT`].
    pub format: u32,
    /// Portal's name for the session.
    pub session_id: String,
    /// Request under which it is.
    pub request_id: String,
    /// That request's nonce.
    pub nonce: String,
    /// The device's enrolled key, `SHA256:…`.
    pub key_id: String,
    /// Engineer as the owner was told.
    pub engineer: String,
    /// How.
    pub method: SessionMethod,
    /// The owner's start, seconds since 1970.
    pub started_unix_s: i64,
    /// When it ends whatever happens; at most [`LONGEST_SESSION_H`] hours after its start.
    pub hard_expiry_unix_s: i64,
    /// The end; null while it runs.
    pub stopped_unix_s: Option<i64>,
    /// How it ended; null while it runs.
    pub ended_by: Option<SessionEnd>,
    /// The copy that was taken after it; null while it runs, or when none could be taken.
    pub copy_after: Option<CopyTaken>,
    /// What differs between the copies; null where one of them is missing.
    pub difference: Option<DifferenceSummary>,
}

impl Statement for SessionRecord {
    const NAMESPACE: &'static str = namespace::SESSION;
    const NOUN: &'static str = "session record";
    const MOST_BYTES: usize = 16 << 10;

    fn format(&self) -> u32 {
        self.format
    }

    fn check(&self) -> Result<(), String> {
        require(is_id(&self.session_id) && is_id(&self.request_id), "its ids are not ids")?;
        require(is_hex(&self.nonce, 32), "nonce is not 128 bits in hex")?;
        require(is_plain(&self.engineer, LONGEST_NAME, false), "engineer is not plain text")?;
        let life = self.hard_expiry_unix_s.saturating_sub(self.started_unix_s);
        require(
            (1..=i64::from(LONGEST_SESSION_H) * 3_600).contains(&life),
            "its hard expiry is not within 12 hours after its start",
        )?;
        match (self.stopped_unix_s, self.ended_by) {
            (Some(stopped), Some(_)) => require(stopped >= self.started_unix_s, "it ends before its start"),
            (None, None) => require(
                self.copy_after.is_none() && self.difference.is_none(),
                "a session that runs has no copy after it and no difference",
            ),
            _ => Err("an end has a time and a way, or there is none".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::Signed;
    use crate::support_request::tests::key;

    #[test]
    fn a_record_is_at_its_start_or_whole() {
        let start = SessionRecord {
            format: 1,
            session_id: "s-1".to_owned(),
            request_id: "r-1".to_owned(),
            nonce: "0".repeat(32),
            key_id: key(2).public().fingerprint(),
            engineer: "Ada".to_owned(),
            method: SessionMethod::ScreenShare,
            started_unix_s: 1_000,
            hard_expiry_unix_s: 4_600,
            stopped_unix_s: None,
            ended_by: None,
            copy_after: None,
            difference: None,
        };
        let stop = SessionRecord {
            stopped_unix_s: Some(2_000),
            ended_by: Some(SessionEnd::Owner),
            difference: Some(DifferenceSummary::default()),
            ..start.clone()
        };
        for (record, expected) in [
            (start.clone(), true),
            (stop.clone(), true),
            (SessionRecord { ended_by: None, ..stop.clone() }, false),
            (SessionRecord { stopped_unix_s: Some(999), ..stop.clone() }, false),
            (SessionRecord { difference: stop.difference, ..start.clone() }, false),
            (SessionRecord { hard_expiry_unix_s: 1_000, ..start.clone() }, false),
            (SessionRecord { hard_expiry_unix_s: 1_000 + 12 * 3_600 + 1, ..start }, false),
        ] {
            let signed = Signed::new(&record, &key(2));
            assert_eq!(signed.is_ok(), expected, "{record:?}: {signed:?}");
            if let Ok(signed) = signed {
                assert_eq!(signed.open::<SessionRecord>(&key(2).public()).expect("opens"), record);
            }
        }
    }
}
