//! What a device and a portal say to each other when they meet: the portal's card, the code, the answer.

use serde::{Deserialize, Serialize};

use crate::statement::Signed;

/// What a portal says of itself, before anything is promised. Shown on both sides to compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalCard {
    /// Portal's name, as its operator set it.
    pub name: String,
    /// Base address, `https://host[:port]`, without a trailing slash.
    pub url: String,
    /// OpenSSH public key that signs the online key (`ssh-ed25519 …`).
    pub root_key: String,
    /// OpenSSH public key that signs requests and receipts.
    pub online_key: String,
    /// SSHSIG by the root key over the exact bytes of `online_key`, namespace `assay-rotation`.
    pub online_key_signature: String,
    /// age recipient of encrypted payloads (`age1…`).
    pub recipient: String,
    /// `sha256/…` of the TLS certificate's public key, base64, to be pinned; empty when TLS ends elsewhere.
    pub tls_key_pin: String,
    /// The [`crate::key_life::PortalKeys`] in force, signed by the root key; none at a portal of before they were
    /// numbered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Signed>,
}

impl PortalCard {
    /// What a person compares: SHA-256 over name, address, root key, recipient and pin, as eight groups of four
    /// Crockford base32 characters (160 bit). Any change of identity changes it.
    pub fn fingerprint(&self) -> String {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in [&self.name, &self.url, &self.root_key, &self.recipient, &self.tls_key_pin] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let digest = context.finish();
        let text = crate::keys::crockford(&digest.as_ref()[..20]);
        text.as_bytes()
            .chunks(4)
            .map(|c| String::from_utf8_lossy(c).into_owned())
            .collect::<Vec<_>>()
            .join("-")
    }
}

/// What the device asks. The call is signed with the new key (RFC 9421), which proves its possession.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentRequest {
    /// One-time code as typed; case, spaces and dashes do not matter.
    pub code: String,
    /// OpenSSH public key of the device.
    pub public_key: String,
    /// Model, where it was seen.
    pub model: Option<String>,
    /// Serial number, where it was seen.
    pub serial: Option<String>,
    /// Serial of the mainboard or its part number, and addresses of fixed network adapters: what binds the key to
    /// the chassis, as SHA-256 of each so that nothing but equality is told.
    pub chassis: Vec<String>,
    /// Fingerprint of the card that the owner accepted: the portal refuses when it is not its own.
    pub card_fingerprint: String,
}

/// What the portal answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentAnswer {
    /// Portal's name for the device.
    pub device_id: String,
    /// The key that was enrolled, `SHA256:…`.
    pub key_id: String,
    /// The portal's card, to be pinned.
    pub card: PortalCard,
    /// Last `seq` that the portal accepted from this serial and key; a device that lost its state goes on above it.
    pub last_seq: u64,
}
