//! The portal's answer to a poll (SSHSIG by its online key, namespace `assay-poll`): what is open, what was taken
//! back, when to ask again.
//!
//! It is bound to the call that it answers by that call's nonce, so that an old answer cannot hide a cancellation. It
//! only informs: a request inside carries its own signature under its own namespace, and nothing here runs anything.
//! Fields that are not known are passed over.

use serde::{Deserialize, Serialize};

use crate::key_life::MOST_REASON_BYTES;
use crate::sshsig::namespace;
use crate::statement::{Signed, Statement, is_id, is_plain, is_sha256, require};
use crate::support_request::SessionMethod;

/// Shortest time between polls, in seconds (design: 10 s).
pub const SHORTEST_INTERVAL_S: u32 = 10;
/// Longest time between polls, in seconds (design: 6 h).
pub const LONGEST_INTERVAL_S: u32 = 21_600;
/// Interval of a device without anything open, in seconds (design: 15 minutes).
pub const USUAL_INTERVAL_S: u32 = 900;
/// Longest time that the portal holds a poll, in seconds; a caller waits longer than that.
pub const LONGEST_HOLD_S: u32 = 60;
/// Most open requests of one device.
pub const MOST_REQUESTS: usize = 8;
/// Most ids of cancelled requests that are told.
pub const MOST_CANCELLED: usize = 64;

/// A session that the owner can start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOffer {
    /// Portal's name for it.
    pub id: String,
    /// Request under which it is.
    pub request_id: String,
    /// Who will look.
    pub engineer: String,
    /// How.
    pub method: SessionMethod,
    /// For how many hours at most from the owner's start.
    pub most_hours: u32,
    /// Until when it can be started, seconds since 1970.
    pub start_before_unix_s: i64,
}

/// The latest version of the agent. Nothing installs itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionNotice {
    /// Version.
    pub version: String,
    /// SHA-256 of its release, lower-case hex.
    pub sha256: String,
    /// Where it can be had, for a person to open; never fetched by the device.
    pub url: String,
}

/// Which side of a replacement a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplacementRole {
    /// The unit that goes.
    Replaced,
    /// The unit that comes.
    Replacement,
}

/// An open replacement that names this device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacementHint {
    /// Which side it is.
    pub role: ReplacementRole,
    /// Serial number of the unit that goes.
    pub old_serial: String,
    /// Serial number of the unit that comes.
    pub new_serial: String,
}

/// An answer to a poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollAnswer {
    /// Version; see [`crate::statement::STATEMENT_FORMAT`].
    pub format: u32,
    /// Portal's name for the device.
    pub device_id: String,
    /// Device's key, `SHA256:…`.
    pub key_id: String,
    /// `nonce` of the signature of the call that this answers.
    pub call_nonce: String,
    /// Portal's time, seconds since 1970.
    pub made_unix_s: i64,
    /// Digest of all that is open. Sent back as `known` in the query of the next poll, that poll may be held until
    /// it is another one.
    pub state: String,
    /// When to ask again, [`SHORTEST_INTERVAL_S`] to [`LONGEST_INTERVAL_S`].
    pub interval_s: u32,
    /// Open requests, each signed by itself, oldest first.
    pub requests: Vec<Signed>,
    /// Ids of requests that were cancelled, newest first.
    pub cancelled: Vec<String>,
    /// Sessions that the owner can start.
    pub sessions: Vec<SessionOffer>,
    /// Ids of sessions that are over for the portal.
    pub closed_sessions: Vec<String>,
    /// Latest version, where the portal's operator has set one.
    pub latest: Option<VersionNotice>,
    /// Last `seq` that the portal accepted from this device.
    pub last_seq: u64,
    /// Whether this key was revoked: nothing else in the answer counts then, and every other call is refused.
    pub revoked: bool,
    /// An open replacement that names this device.
    pub replacement: Option<ReplacementHint>,
    /// Why the key was revoked, for the owner; left out when it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_why: Option<String>,
    /// Number of the portal's keys in force; a device that has a lower one asks for the card.
    #[serde(default)]
    pub keys_number: u64,
}

impl PollAnswer {
    /// Whether it answers this call of this key.
    pub fn answers(&self, key_id: &str, call_nonce: &str) -> bool {
        self.key_id == key_id && self.call_nonce == call_nonce
    }
}

impl Statement for PollAnswer {
    const NAMESPACE: &'static str = namespace::POLL;
    const NOUN: &'static str = "poll answer";
    const MOST_BYTES: usize = 192 << 10;

    fn format(&self) -> u32 {
        self.format
    }

    fn check(&self) -> Result<(), String> {
        require(is_id(&self.device_id), "device_id is no id")?;
        require(
            (SHORTEST_INTERVAL_S..=LONGEST_INTERVAL_S).contains(&self.interval_s),
            "interval_s is not 10 to 21600",
        )?;
        require(is_sha256(&self.state), "state is no SHA-256")?;
        require(self.requests.len() <= MOST_REQUESTS, "it lists too many requests")?;
        let lists = [&self.cancelled, &self.closed_sessions];
        require(
            lists.iter().all(|ids| ids.len() <= MOST_CANCELLED && ids.iter().all(|id| is_id(id))),
            "a list of ids is too long or holds none",
        )?;
        let sessions = self.sessions.iter().all(|s| is_id(&s.id) && is_plain(&s.engineer, 120, false));
        require(sessions && self.sessions.len() <= MOST_REQUESTS, "a session is not acceptable")?;
        let plain = |text: &str| is_plain(text, 256, false);
        let why = self.revoked_why.as_deref().is_none_or(|why| is_plain(why, MOST_REASON_BYTES, false));
        require(why, "revoked_why is not acceptable")?;
        if let Some(latest) = &self.latest {
            require(
                plain(&latest.version)
                    && is_sha256(&latest.sha256)
                    && plain(&latest.url)
                    && latest.url.starts_with("https://"),
                "latest is not acceptable",
            )?;
        }
        let replacement =
            self.replacement.as_ref().is_none_or(|r| plain(&r.old_serial) && plain(&r.new_serial));
        require(replacement, "replacement names no serial numbers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::read;
    use crate::support_request::tests::{key, request};
    use crate::support_request::{Scope, SupportRequest};

    fn answer() -> PollAnswer {
        PollAnswer {
            format: 1,
            device_id: "d-1".to_owned(),
            key_id: key(2).public().fingerprint(),
            call_nonce: "n".repeat(22),
            made_unix_s: 1_000_000,
            state: "cd".repeat(32),
            interval_s: USUAL_INTERVAL_S,
            requests: vec![Signed::new(&request(), &key(1)).expect("acceptable")],
            cancelled: vec!["r-0".to_owned()],
            sessions: Vec::new(),
            closed_sessions: Vec::new(),
            latest: Some(VersionNotice {
                version: "0.2.0".to_owned(),
                sha256: "ab".repeat(32),
                url: "https://portal.example/assay".to_owned(),
            }),
            last_seq: 7,
            revoked: false,
            replacement: None,
            revoked_why: None,
            keys_number: 1,
        }
    }

    #[test]
    fn it_carries_requests_that_are_signed_by_themselves() {
        let signed = Signed::new(&answer(), &key(1)).expect("acceptable");
        let opened: PollAnswer = signed.open(&key(1).public()).expect("opens");
        assert_eq!(opened, answer());
        let inner: SupportRequest = opened.requests[0].open(&key(1).public()).expect("opens");
        assert!(inner.scope.contains(&Scope::Bundle));
        // Neither signature stands for the other.
        assert!(signed.open::<SupportRequest>(&key(1).public()).is_err());
        assert!(opened.requests[0].open::<PollAnswer>(&key(1).public()).is_err());
        assert!(opened.answers(&answer().key_id, &"n".repeat(22)));
        assert!(!opened.answers(&answer().key_id, &"m".repeat(22)));
    }

    #[test]
    fn limits_hold_and_later_fields_are_passed_over() {
        fn check(from: &str, to: &str, expected: bool) {
            let text = serde_json::to_string(&answer()).expect("plain data");
            assert!(text.contains(from), "{from} is not in {text}");
            assert_eq!(read::<PollAnswer>(&text.replacen(from, to, 1)).is_ok(), expected, "{to}");
        }
        check("\"format\":1", "\"format\":1,\"later\":[1]", true);
        check("\"format\":1", "\"format\":2", false);
        check("\"interval_s\":900", "\"interval_s\":10", true);
        check("\"interval_s\":900", "\"interval_s\":9", false);
        check("\"interval_s\":900", "\"interval_s\":21600", true);
        check("\"interval_s\":900", "\"interval_s\":21601", false);
        check("https://", "http://", false);
        check("r-0", "r/0", false);
        check("\"revoked\":false,", "", false);
    }
}
