//! The portal's receipt of a deletion (SSHSIG by its online key, namespace `assay-deletion`): all that is left.
//!
//! It names the key and counts what is gone; no serial number, model or verdict stands in it.

use serde::{Deserialize, Serialize};

use crate::sshsig::namespace;
use crate::statement::{Statement, is_id, is_plain, require};

/// A receipt of a deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionReceipt {
    /// Version; see [`crate::statement::STATEMENT_FORMAT`].
    pub format: u32,
    /// Portal's name for the deletion.
    pub id: String,
    /// Portal's name for the device that is gone.
    pub device_id: String,
    /// Its key, `SHA256:…`: by this its owner knows what was deleted.
    pub key_id: String,
    /// When, seconds since 1970.
    pub deleted_unix_s: i64,
    /// Bundles that are gone, refused ones included.
    pub bundles: u64,
    /// Bytes of them.
    pub bundle_bytes: u64,
    /// Support requests that are gone, with their consents and sessions.
    pub requests: u64,
    /// Fingerprint of the portal's card.
    pub portal_fingerprint: String,
}

impl Statement for DeletionReceipt {
    const NAMESPACE: &'static str = namespace::DELETION;
    const NOUN: &'static str = "deletion receipt";
    const MOST_BYTES: usize = 4 << 10;

    fn format(&self) -> u32 {
        self.format
    }

    fn check(&self) -> Result<(), String> {
        require(is_id(&self.id) && is_id(&self.device_id), "its ids are not ids")?;
        require(is_plain(&self.key_id, 64, false), "key_id is no fingerprint")?;
        require(is_plain(&self.portal_fingerprint, 64, false), "portal_fingerprint is no fingerprint")
    }
}
