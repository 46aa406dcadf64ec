//! A support request: what an engineer asks of one device (SSHSIG by the portal's online key, namespace
//! `assay-request`).
//!
//! It can only *select* among what is built in: there is no command, no path and no pattern in it. An unknown thing,
//! an unknown field or a text that could deceive its reader refuses the whole request.

use serde::{Deserialize, Serialize};

use crate::redact::Level;
use crate::sshsig::namespace;
use crate::statement::{Statement, is_hex, is_id, is_plain, require};

/// Longest time from issue to expiry, in seconds (judgement: two weeks; an owner on holiday is asked again).
pub const LONGEST_LIFE_S: i64 = 14 * 86_400;
/// How far the issuer's clock may be ahead of the reader's, in seconds (as for signed calls).
pub const SKEW_S: i64 = crate::httpsig::AHEAD_S;
/// Longest reason, in bytes.
pub const LONGEST_REASON: usize = 2_000;
/// Longest name of an engineer, in bytes.
pub const LONGEST_NAME: usize = 120;
/// Most drives of one self-test (twice the bays of the largest model with its enclosures would be more; judgement).
pub const MOST_DRIVES: usize = 64;
/// Longest session that can be asked for, in hours (judgement: a working day).
pub const LONGEST_SESSION_H: u32 = 12;

/// Which self-test of a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfTestKind {
    /// A few minutes.
    Short,
    /// The whole surface, hours.
    Extended,
}

/// Self-tests on named drives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTests {
    /// Which.
    pub kind: SelfTestKind,
    /// Serial numbers of the drives, as the drives name themselves; at most [`MOST_DRIVES`].
    pub serials: Vec<String>,
}

/// How an engineer wants to look at the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionMethod {
    /// QNAP's helpdesk tunnel, opened by the owner on the NAS.
    Helpdesk,
    /// The owner shares a screen.
    ScreenShare,
    /// The owner opens a way of their own, such as a VPN.
    OwnersWay,
}

impl SessionMethod {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Helpdesk => "QNAP helpdesk, opened by the owner",
            Self::ScreenShare => "the owner's shared screen",
            Self::OwnersWay => "a way that the owner opens",
        }
    }
}

/// A remote session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteSession {
    /// How.
    pub method: SessionMethod,
    /// For how long at most, 1 to [`LONGEST_SESSION_H`] hours from the owner's start.
    pub most_hours: u32,
}

/// One built-in thing that can be asked for. The list is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// A bundle, collected for this request.
    Bundle,
    /// A recovery copy before anything else. It stays on the device; only its receipt is told.
    RecoveryCopy,
    /// SMART self-tests.
    SelfTests(SelfTests),
    /// A remote session after the request reads "ready".
    RemoteSession(RemoteSession),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupportRequest {
    /// Version; see [`crate::statement::STATEMENT_FORMAT`].
    pub format: u32,
    /// Portal's name for it.
    pub id: String,
    /// Portal's name for the device.
    pub device_id: String,
    /// Device's enrolled key, `SHA256:…`.
    pub key_id: String,
    /// Serial number it was enrolled for, where that is known.
    pub serial: Option<String>,
    /// What is asked for; [`Scope::Bundle`] is always among it, and each thing at most once.
    pub scope: Vec<Scope>,
    /// Why, for the owner: plain text, line breaks allowed.
    pub reason: String,
    /// Who asks.
    pub engineer: String,
    /// Portal's time of issue, seconds since 1970.
    pub issued_unix_s: i64,
    /// When it ends, seconds since 1970; at most [`LONGEST_LIFE_S`] after its issue.
    pub expires_unix_s: i64,
    /// Challenge, 128 random bits in lower-case hex: the answering manifest carries it.
    pub nonce: String,
    /// Least redaction. The owner may raise it; a request cannot lower what the owner has set.
    pub redaction: Level,
    /// Fingerprint of the card of the portal that asks.
    pub portal_fingerprint: String,
}

impl SupportRequest {
    /// Whether it has ended at a time.
    pub fn is_expired(&self, now_unix_s: i64) -> bool {
        now_unix_s >= self.expires_unix_s
    }

    /// The self-tests that it asks for.
    pub fn self_tests(&self) -> Option<&SelfTests> {
        self.scope.iter().find_map(|scope| match scope {
            Scope::SelfTests(tests) => Some(tests),
            _ => None,
        })
    }

    /// The remote session that it asks for.
    pub fn remote_session(&self) -> Option<&RemoteSession> {
        self.scope.iter().find_map(|scope| match scope {
            Scope::RemoteSession(session) => Some(session),
            _ => None,
        })
    }

    /// Whether it asks for nothing that changes or opens the device: only such a request may be answered under a
    /// standing consent.
    pub fn only_reads(&self) -> bool {
        self.scope.iter().all(|scope| matches!(scope, Scope::Bundle | Scope::RecoveryCopy))
    }
}

/// Whether one level of redaction is no weaker than another.
pub fn redacts_at_least(given: Level, asked: Level) -> bool {
    matches!((given, asked), (Level::Strict, _) | (_, Level::Standard))
}

impl Statement for SupportRequest {
    const NAMESPACE: &'static str = namespace::REQUEST;
    const NOUN: &'static str = "support request";
    const MOST_BYTES: usize = 16 << 10;

    fn format(&self) -> u32 {
        self.format
    }

    fn check(&self) -> Result<(), String> {
        require(is_id(&self.id) && is_id(&self.device_id), "its ids are not ids")?;
        require(self.key_id.starts_with("SHA256:") && self.key_id.len() == 50, "key_id is no fingerprint")?;
        let serial = self.serial.as_deref().is_none_or(|serial| is_plain(serial, 256, false));
        require(serial, "serial is not plain text")?;
        require(is_hex(&self.nonce, 32), "nonce is not 128 bits in hex")?;
        require(is_plain(&self.reason, LONGEST_REASON, true), "reason is empty, too long or not plain text")?;
        require(
            is_plain(&self.engineer, LONGEST_NAME, false),
            "engineer is empty, too long or not plain text",
        )?;
        require(is_plain(&self.portal_fingerprint, 64, false), "portal_fingerprint is no fingerprint")?;
        let life = self.expires_unix_s.saturating_sub(self.issued_unix_s);
        require(
            self.issued_unix_s > 0 && (1..=LONGEST_LIFE_S).contains(&life),
            "it lives no time or longer than 14 days",
        )?;
        check_scope(&self.scope)
    }
}

fn check_scope(scope: &[Scope]) -> Result<(), String> {
    require(scope.contains(&Scope::Bundle), "scope does not name the bundle")?;
    let kinds: Vec<_> = scope.iter().map(std::mem::discriminant).collect();
    let twice = kinds.iter().enumerate().any(|(at, kind)| kinds.iter().take(at).any(|k| k == kind));
    require(!twice, "scope names a thing twice")?;
    for thing in scope {
        match thing {
            Scope::SelfTests(tests) => {
                require((1..=MOST_DRIVES).contains(&tests.serials.len()), "it tests no drive or too many")?;
                let plain = tests.serials.iter().all(|serial| is_plain(serial, 64, false));
                require(plain, "a drive's serial number is not plain text")?;
            }
            Scope::RemoteSession(session) => {
                require((1..=LONGEST_SESSION_H).contains(&session.most_hours), "most_hours is not 1 to 12")?;
            }
            Scope::Bundle | Scope::RecoveryCopy => {}
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::keys::SigningKey;
    use crate::statement::{Signed, StatementError, read};
    use zeroize::Zeroizing;

    pub(crate) fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(Zeroizing::new([seed; 32])).expect("a seed")
    }

    pub(crate) fn request() -> SupportRequest {
        SupportRequest {
            format: 1,
            id: "0199-a".to_owned(),
            device_id: "0199-d".to_owned(),
            key_id: key(2).public().fingerprint(),
            serial: Some("Q123".to_owned()),
            scope: vec![Scope::RecoveryCopy, Scope::Bundle],
            reason: "Fan 2 was reported.\nWe look at its readings.".to_owned(),
            engineer: "Ada".to_owned(),
            issued_unix_s: 1_000_000,
            expires_unix_s: 1_086_400,
            nonce: "0".repeat(32),
            redaction: Level::Standard,
            portal_fingerprint: "AAAA-BBBB".to_owned(),
        }
    }

    #[test]
    fn it_comes_back_from_its_bytes_and_only_from_them() {
        let mut asked = request();
        asked.scope.push(Scope::SelfTests(SelfTests {
            kind: SelfTestKind::Extended,
            serials: vec!["WD-1".to_owned()],
        }));
        asked
            .scope
            .push(Scope::RemoteSession(RemoteSession { method: SessionMethod::Helpdesk, most_hours: 2 }));
        let signed = Signed::new(&asked, &key(1)).expect("acceptable");
        assert_eq!(signed.open::<SupportRequest>(&key(1).public()).expect("opens"), asked);
        assert!(matches!(
            signed.open::<SupportRequest>(&key(3).public()),
            Err(StatementError::Signature { .. })
        ));
        let changed = Signed { document: signed.document.replace("Ada", "Eve"), ..signed };
        assert!(matches!(
            changed.open::<SupportRequest>(&key(1).public()),
            Err(StatementError::Signature { .. })
        ));
    }

    #[test]
    fn what_is_not_built_in_is_refused() {
        fn check(from: &str, to: &str, expected: &str) {
            let text = serde_json::to_string(&request()).expect("plain data");
            assert!(text.contains(from), "{from} is not in {text}");
            let error = read::<SupportRequest>(&text.replacen(from, to, 1)).expect_err(to).to_string();
            assert!(error.contains(expected), "{to}: {error}");
        }
        check("\"format\":1", "\"format\":2", "of version 2");
        check("\"format\":1", "\"format\":1,\"run\":\"id\"", "unknown field `run`");
        check("\"bundle\"", "\"shell\"", "unknown variant `shell`");
        check("\"bundle\"", "\"bundle\",\"bundle\"", "scope names a thing twice");
        check(",\"bundle\"", "", "scope does not name the bundle");
        check(
            "\"bundle\"",
            "\"bundle\",{\"self_tests\":{\"kind\":\"short\",\"serials\":[]}}",
            "tests no drive",
        );
        check(
            "\"bundle\"",
            "\"bundle\",{\"self_tests\":{\"kind\":\"write\",\"serials\":[\"a\"]}}",
            "unknown variant",
        );
        check(
            "\"bundle\"",
            "\"bundle\",{\"remote_session\":{\"method\":\"helpdesk\",\"most_hours\":13}}",
            "most_hours",
        );
        check(
            "\"bundle\"",
            "\"bundle\",{\"remote_session\":{\"method\":\"ssh\",\"most_hours\":1}}",
            "variant",
        );
        check("Ada", "A\\u001bda", "engineer");
        check("Ada", "A\\nda", "engineer");
        check("Fan 2", "Fan \\u202e2", "reason");
        check("1086400", "3000000", "longer than 14 days");
        check("1086400", "1000000", "lives no time");
        check(&"0".repeat(32), &"0".repeat(31), "nonce");
        check(&"0".repeat(32), &"A".repeat(32), "nonce");
        check("0199-a", "../0199", "ids");
        check("\"standard\"", "\"none\"", "unknown variant");
    }

    #[test]
    fn redaction_can_be_raised_and_never_lowered() {
        for (given, asked, expected) in [
            (Level::Standard, Level::Standard, true),
            (Level::Strict, Level::Standard, true),
            (Level::Strict, Level::Strict, true),
            (Level::Standard, Level::Strict, false),
        ] {
            assert_eq!(redacts_at_least(given, asked), expected, "{given:?} {asked:?}");
        }
    }
}
