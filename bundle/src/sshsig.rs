//! SSHSIG (OpenSSH's PROTOCOL.sshsig), armoured, one namespace for each kind of statement.

use crate::keys::{PublicKey, SigningKey};

/// The namespaces. A signature under one is refused under every other.
pub mod namespace {
    /// A live run's manifest.
    pub const BUNDLE: &str = "assay-bundle";
    /// A recorded or judged run's manifest: never evidence.
    pub const REPLAY: &str = "assay-replay";
    /// A support request.
    pub const REQUEST: &str = "assay-request";
    /// The owner's consent.
    pub const CONSENT: &str = "assay-consent";
    /// The portal's receipt.
    pub const RECEIPT: &str = "assay-receipt";
    /// A key signed by its predecessor or root.
    pub const ROTATION: &str = "assay-rotation";
}

/// Why a signature was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not an armoured SSHSIG.
    #[error("not an SSH signature: {0}")]
    Format(&'static str),
    /// For something else.
    #[error(
        "signed under namespace {found:?}, not {wanted:?}: a signature for one purpose is refused for every other"
    )]
    Namespace {
        /// Namespace inside the signature.
        found: String,
        /// Namespace that was asked for.
        wanted: String,
    },
    /// By somebody else.
    #[error("signed by key {found}, not by {wanted}")]
    Key {
        /// Fingerprint inside the signature.
        found: String,
        /// Fingerprint that was asked for.
        wanted: String,
    },
    /// Over other bytes.
    #[error("the signature does not fit the bytes: they were changed after signing")]
    Mismatch,
}

/// Signs `message` under `namespace`; the result is the armoured text that `ssh-keygen -Y verify -s` reads.
pub fn sign(_key: &SigningKey, _namespace: &str, _message: &[u8]) -> String {
    todo!()
}

/// Checks an armoured signature.
pub fn verify(
    _key: &PublicKey,
    _namespace: &str,
    _message: &[u8],
    _armoured: &str,
) -> Result<(), SignatureError> {
    todo!()
}

/// The key that a signature names. It proves nothing before [`verify`].
pub fn named_key(_armoured: &str) -> Result<PublicKey, SignatureError> {
    todo!()
}
