//! What the portal answers to a bundle, signed (SSHSIG, namespace `assay-receipt`, over the exact JSON bytes).

use serde::{Deserialize, Serialize};

use crate::diagnosis::Overall;

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptStatus {
    /// Verified, opened, read again and stored.
    Accepted,
    /// Refused; `reason` says why. The bytes are not needed again.
    Refused,
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// SHA-256 of the bundle file as received, lower-case hex.
    pub bundle_sha256: String,
    /// Portal's name for the bundle.
    pub bundle_id: String,
    /// What became of it.
    pub status: ReceiptStatus,
    /// Why it was refused; empty otherwise.
    pub reason: String,
    /// Portal's time, RFC 3339 in UTC.
    pub received_at: String,
    /// Whether it counts as evidence (a live run of an enrolled key).
    pub evidence: bool,
    /// The portal's own verdict after reading `raw/` again.
    pub overall: Option<Overall>,
    /// Last `seq` that the portal has accepted from this device.
    pub last_seq: u64,
    /// Support request that this bundle answered, where it was accepted for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Whether that request is now ready for remote support. Nothing else says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ready: bool,
}

/// A receipt with its signature: what travels and what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedReceipt {
    /// The exact bytes of a [`Receipt`] as JSON.
    pub receipt: String,
    /// SSHSIG over them.
    pub signature: String,
}
