//! Reading a bundle: limits while streaming, digests before parsing, nothing ever unpacked to a file system.

use std::io::Read;

use crate::keys::PublicKey;
use crate::manifest::{Manifest, ManifestError};
use crate::sshsig::SignatureError;

/// All limits of the reader in one place.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest manifest.
    pub manifest_bytes: u64,
    /// Largest signature.
    pub signature_bytes: u64,
    /// Largest payload as transported.
    pub payload_bytes: u64,
    /// Largest inner tar.
    pub inner_bytes: u64,
    /// Most bytes out for one byte in, after the first MiB.
    pub ratio: u64,
    /// Most entries.
    pub entries: u64,
    /// Largest entry.
    pub entry_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            manifest_bytes: 256 << 10,
            signature_bytes: 4 << 10,
            payload_bytes: 256 << 20,
            inner_bytes: 512 << 20,
            ratio: 200,
            entries: 50_000,
            entry_bytes: 128 << 20,
        }
    }
}

/// Which form of the payload a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadForm {
    /// `payload.tar.zst`.
    Plain,
    /// `payload.tar.zst.age`.
    Sealed,
}

/// Why a bundle was refused.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Reading failed.
    #[error("reading the bundle failed")]
    Io(#[source] std::io::Error),
    /// It ends too early.
    #[error("the bundle ends in the middle of {0}: it was cut short; send or copy it again")]
    Truncated(&'static str),
    /// Not the shape of a bundle.
    #[error("not an Assay bundle: {0}")]
    Shape(String),
    /// A limit was passed.
    #[error("the bundle is refused: {what} is over the limit of {limit}")]
    Limit {
        /// What.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Manifest refused.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Signature refused.
    #[error("the signature of the manifest is refused")]
    Signature(#[source] SignatureError),
    /// A digest or size differs.
    #[error("{0} does not match the signed manifest: the bundle was changed or damaged")]
    Digest(String),
    /// Cannot be decrypted.
    #[error("the payload cannot be opened with this identity")]
    Decrypt,
    /// Encrypted and no identity was given.
    #[error(
        "the payload is encrypted to {recipients}: open the plain form on the device, or give the identity file"
    )]
    NeedsIdentity {
        /// Recipients.
        recipients: String,
    },
}

/// The part of a bundle that can be decided on before anything is decompressed.
#[derive(Debug)]
pub struct Envelope {
    /// Exact signed bytes.
    pub manifest_bytes: Vec<u8>,
    /// What they say.
    pub manifest: Manifest,
    /// Armoured SSHSIG.
    pub signature: String,
    /// Which payload follows.
    pub form: PayloadForm,
    /// Its size as the tar header says.
    pub payload_bytes: u64,
}

/// Receives the entries of a payload, each already checked against its digest.
pub trait Visitor {
    /// Whether the bytes of this entry are wanted; an unwanted one is digested and skipped.
    fn wants(&mut self, name: &str, size_bytes: u64) -> bool;
    /// A wanted entry.
    fn entry(&mut self, name: &str, bytes: Vec<u8>);
}

/// What `entries.json` says of one entry.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EntryDigest {
    /// Name inside the inner tar.
    pub name: String,
    /// Size.
    pub size_bytes: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

/// Reads manifest and signature and stops at the first byte of the payload.
pub fn read_envelope(_reader: &mut dyn Read, _limits: &Limits) -> Result<Envelope, ArchiveError> {
    todo!()
}

impl Envelope {
    /// Checks the signature under the manifest's own namespace and that it is `key`'s, and that the manifest names it.
    pub fn verify_signature(&self, _key: &PublicKey) -> Result<(), ArchiveError> {
        todo!()
    }

    /// The key that the signature names (untrusted until [`Envelope::verify_signature`]).
    pub fn named_key(&self) -> Result<PublicKey, ArchiveError> {
        todo!()
    }

    /// Reads the payload to the end of the file and checks size, digest and that nothing follows. `reader` stands
    /// where [`read_envelope`] left it.
    pub fn check_payload(&self, _reader: &mut dyn Read, _limits: &Limits) -> Result<(), ArchiveError> {
        todo!()
    }

    /// Decrypts (with an `AGE-SECRET-KEY-…` when sealed), decompresses and walks the inner tar, checking every entry
    /// against `entries.json` (the first entry) and the whole against the manifest.
    pub fn walk_payload(
        &self,
        _reader: &mut dyn Read,
        _identity: Option<&str>,
        _limits: &Limits,
        _visitor: &mut dyn Visitor,
    ) -> Result<Vec<EntryDigest>, ArchiveError> {
        todo!()
    }
}
