//! What is said about keys after enrolment: a device's new key, the portal's keys, a revocation, and a device that
//! leaves. Each is a statement under a namespace of its own, so that none stands for another.
//!
//! What grants or ends something refuses unknown fields by name; the revocation only informs and passes over them.

use serde::{Deserialize, Serialize};

use crate::keys::PublicKey;
use crate::sshsig::namespace;
use crate::statement::{Statement, is_id, is_plain, require};

/// Longest reason of a revocation, in bytes.
pub const MOST_REASON_BYTES: usize = 500;

/// A device's new key, signed by the one that it takes the place of. The call that brings it is signed by the new one,
/// so that both were there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceKeyChange {
    /// Version; see [`crate::statement::STATEMENT_FORMAT`].
    pub format: u32,
    /// Portal's name for the device.
    pub device_id: String,
    /// The key that goes, `SHA256:…`.
    pub old_key_id: String,
    /// The key that comes, `ssh-ed25519 …`.
    pub new_key: String,
    /// Device's clock, seconds since 1970; a fact, not an order.
    pub made_unix_s: i64,
    /// Root key of the portal that this is for, `SHA256:…`.
    pub portal_root: String,
}

impl Statement for DeviceKeyChange {
    const NAMESPACE: &'static str = namespace::DEVICE_KEY;
    const NOUN: &'static str = "change of a device's key";
    const MOST_BYTES: usize = 4 << 10;

    fn format(&self) -> u32 {
        self.format
    }

    fn check(&self) -> Result<(), String> {
        require(is_id(&self.device_id), "device_id is no id")?;
        require(is_fingerprint(&self.old_key_id), "old_key_id is no fingerprint")?;
        require(is_fingerprint(&self.portal_root), "portal_root is no fingerprint")?;
        let new = PublicKey::from_openssh(&self.new_key).map_err(|_| "new_key is no key".to_owned())?;
        require(new.fingerprint() != self.old_key_id, "both keys are the same")
    }
}

/// What the portal answers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChanged {
    /// Portal's name for the device; the same as before.
    pub device_id: String,
    /// The key that counts now, `SHA256:…`.
    pub key_id: String,
    /// Last `seq` that the portal accepted from this device.
    pub last_seq: u64,
}

/// The portal's keys, signed by its root key, which every device has pinned. A device takes them only under a higher
/// number than those it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalKeys {
    /// Version; see [`crate::statement::STATEMENT_FORMAT`].
    pub format: u32,
    /// Number of this set, from 1, always growing.
    pub number: u64,
    /// OpenSSH public key that signs requests and receipts.
    pub online_key: String,
    /// age recipient of encrypted payloads.
    pub recipient: String,
    /// Portal's time, seconds since 1970.
    pub made_unix_s: i64,
}

impl Statement for PortalKeys {
    const NAMESPACE: &'static str = namespace::PORTAL_KEYS;
    const NOUN: &'static str = "statement of the portal's keys";
    const MOST_BYTES: usize = 4 << 10;

    fn format(&self) -> u32 {
        self.format
    }

    fn check(&self) -> Result<(), String> {
        require(self.number > 0, "number is not above 0")?;
        require(PublicKey::from_openssh(&self.online_key).is_ok(), "online_key is no key")?;
        require(
            self.recipient.starts_with("age1") && is_plain(&self.recipient, 128, false),
            "recipient is no age recipient",
        )
    }
}

/// That a key counts no more, by the portal's online key. Bound to the call that it answers by that call's nonce, so
/// that an old one cannot silence a device whose revocation was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Version; see [`crate::statement::STATEMENT_FORMAT`].
    pub format: u32,
    /// Portal's name for the device.
    pub device_id: String,
    /// The key, `SHA256:…`.
    pub key_id: String,
    /// `nonce` of the signature of the call that this answers.
    pub call_nonce: String,
    /// Portal's time, seconds since 1970.
    pub made_unix_s: i64,
    /// Since when, seconds since 1970.
    pub revoked_unix_s: i64,
    /// Why, for the owner.
    pub reason: String,
}

impl Revocation {
    /// Whether it answers this call of this key.
    pub fn answers(&self, key_id: &str, call_nonce: &str) -> bool {
        self.key_id == key_id && self.call_nonce == call_nonce
    }
}

impl Statement for Revocation {
    const NAMESPACE: &'static str = namespace::REVOCATION;
    const NOUN: &'static str = "revocation";
    const MOST_BYTES: usize = 4 << 10;

    fn format(&self) -> u32 {
        self.format
    }

    fn check(&self) -> Result<(), String> {
        require(is_id(&self.device_id), "device_id is no id")?;
        require(is_fingerprint(&self.key_id), "key_id is no fingerprint")?;
        require(is_plain(&self.call_nonce, 64, false), "call_nonce is no nonce")?;
        require(
            is_plain(&self.reason, MOST_REASON_BYTES, false),
            "reason is empty, too long or no plain text",
        )
    }
}

/// What a device that leaves wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leaving {
    /// Its key shall count no more; what it sent stays. Answered with a [`Revocation`].
    Goodbye,
    /// Everything of it shall be deleted. Answered with a [`crate::deletion::DeletionReceipt`].
    Deletion,
}

/// A device leaves, in its owner's name, by the device's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Farewell {
    /// Version; see [`crate::statement::STATEMENT_FORMAT`].
    pub format: u32,
    /// Portal's name for the device.
    pub device_id: String,
    /// The key, `SHA256:…`.
    pub key_id: String,
    /// What is wanted.
    pub wants: Leaving,
    /// Device's clock, seconds since 1970; a fact, not an order.
    pub made_unix_s: i64,
    /// Root key of the portal that this is for, `SHA256:…`.
    pub portal_root: String,
}

impl Statement for Farewell {
    const NAMESPACE: &'static str = namespace::FAREWELL;
    const NOUN: &'static str = "farewell";
    const MOST_BYTES: usize = 4 << 10;

    fn format(&self) -> u32 {
        self.format
    }

    fn check(&self) -> Result<(), String> {
        require(is_id(&self.device_id), "device_id is no id")?;
        require(is_fingerprint(&self.key_id), "key_id is no fingerprint")?;
        require(is_fingerprint(&self.portal_root), "portal_root is no fingerprint")
    }
}

/// Whether a text looks like `SHA256:…` of a key.
fn is_fingerprint(text: &str) -> bool {
    let digest = text.strip_prefix("SHA256:").unwrap_or_default();
    digest.len() == 43 && digest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKey;
    use crate::statement::{Signed, read};
    use zeroize::Zeroizing;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(Zeroizing::new([seed; 32])).expect("a seed")
    }

    fn change() -> DeviceKeyChange {
        DeviceKeyChange {
            format: 1,
            device_id: "d-1".into(),
            old_key_id: key(1).public().fingerprint(),
            new_key: key(2).public().to_openssh(),
            made_unix_s: 1_800_000_000,
            portal_root: key(9).public().fingerprint(),
        }
    }

    fn keys() -> PortalKeys {
        PortalKeys {
            format: 1,
            number: 2,
            online_key: key(3).public().to_openssh(),
            recipient: format!("age1{}", "q".repeat(58)),
            made_unix_s: 1_800_000_000,
        }
    }

    fn revocation() -> Revocation {
        Revocation {
            format: 1,
            device_id: "d-1".into(),
            key_id: key(1).public().fingerprint(),
            call_nonce: "n".repeat(22),
            made_unix_s: 1_800_000_000,
            revoked_unix_s: 1_700_000_000,
            reason: "The unit was reported stolen.".into(),
        }
    }

    fn farewell() -> Farewell {
        Farewell {
            format: 1,
            device_id: "d-1".into(),
            key_id: key(1).public().fingerprint(),
            wants: Leaving::Deletion,
            made_unix_s: 1_800_000_000,
            portal_root: key(9).public().fingerprint(),
        }
    }

    /// Changes the text of a statement and says whether it is still read.
    fn check<T: Statement>(statement: &T, from: &str, to: &str, expected: bool) {
        let text = serde_json::to_string(statement).expect("plain data");
        assert!(text.contains(from), "{from} is not in {text}");
        assert_eq!(read::<T>(&text.replacen(from, to, 1)).is_ok(), expected, "{} {to}", T::NOUN);
    }

    #[test]
    fn what_is_not_acceptable_is_refused() {
        check(&change(), "d-1", "d-2", true);
        check(&change(), "d-1", "d/1", false);
        check(&change(), "\"format\":1", "\"format\":2", false);
        check(&change(), "\"format\":1", "\"format\":1,\"later\":1", false);
        check(&change(), "ssh-ed25519", "ssh-rsa", false);
        check(&change(), &change().old_key_id, &key(2).public().fingerprint(), false);
        check(&change(), &change().portal_root, "SHA256:short", false);
        check(&keys(), "\"number\":2", "\"number\":0", false);
        check(&keys(), "age1", "agee", false);
        check(&keys(), "\"format\":1", "\"format\":1,\"later\":1", false);
        check(&keys(), "ssh-ed25519", "ssh-rsa", false);
        check(&revocation(), "\"format\":1", "\"format\":1,\"later\":1", true);
        check(&revocation(), "The unit was reported stolen.", "", false);
        check(&revocation(), "stolen", "stolen\\u202e", false);
        check(&revocation(), "nnnn", "\\u0000", false);
        check(&farewell(), "\"deletion\"", "\"goodbye\"", true);
        check(&farewell(), "\"deletion\"", "\"export\"", false);
        check(&farewell(), "\"format\":1", "\"format\":1,\"later\":1", false);
    }

    #[test]
    fn none_stands_for_another() {
        let signed = Signed::new(&change(), &key(1)).expect("acceptable");
        assert_eq!(signed.open::<DeviceKeyChange>(&key(1).public()).expect("opens"), change());
        assert!(signed.open::<DeviceKeyChange>(&key(2).public()).is_err());
        assert!(signed.open::<Farewell>(&key(1).public()).is_err());
        let signed = Signed::new(&farewell(), &key(1)).expect("acceptable");
        assert!(signed.open::<DeviceKeyChange>(&key(1).public()).is_err());
        let signed = Signed::new(&keys(), &key(9)).expect("acceptable");
        assert!(signed.open::<Revocation>(&key(9).public()).is_err());
        assert!(revocation().answers(&key(1).public().fingerprint(), &"n".repeat(22)));
        assert!(!revocation().answers(&key(1).public().fingerprint(), &"m".repeat(22)));
        assert!(!revocation().answers(&key(2).public().fingerprint(), &"n".repeat(22)));
    }
}
