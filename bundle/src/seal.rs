//! Writing a bundle: two payload forms under one manifest and one signature.

use std::io::{Read, Seek, Write};

use crate::keys::SigningKey;
use crate::manifest::Manifest;
use crate::redact::{Clean, Receipt};

/// What is sealed: only what passed the door.
pub struct Content {
    /// Entries, each proof of its own cleaning: `facts.json`, `diagnosis.json`, `steps.json`, `cost.json`, `raw/…`.
    pub entries: Vec<Clean>,
    /// The door's receipt; becomes `redaction.json`.
    pub receipt: Receipt,
}

/// A place to keep a payload form while its digest is computed: a temporary file, or a cursor in tests.
pub trait Scratch: Read + Write + Seek {}
impl<T: Read + Write + Seek> Scratch for T {}

/// Why sealing failed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Writing failed (a full disk, most often).
    #[error("writing the bundle failed")]
    Io(#[source] std::io::Error),
    /// A recipient is not an age recipient.
    #[error("{0:?} is not an age recipient (age1…)")]
    Recipient(String),
    /// The door refused.
    #[error("nothing was sealed: {0}")]
    Unredacted(String),
    /// Two entries with one name, or a name that is not allowed.
    #[error("nothing was sealed: entry name {0:?} is not allowed")]
    Name(String),
    /// The manifest could not be written as JSON.
    #[error("the manifest could not be written")]
    Json(#[source] serde_json::Error),
}

/// Seals `content` under `draft` (whose payload, recipients, redaction and key id are filled in here) into
/// `plain`, and into `sealed` when there are recipients. Returns the manifest as signed.
pub fn seal(
    _draft: Manifest,
    _content: Content,
    _key: &SigningKey,
    _recipients: &[String],
    _scratch: [&mut dyn Scratch; 2],
    _plain: &mut dyn Write,
    _sealed: &mut dyn Write,
) -> Result<Manifest, SealError> {
    todo!()
}
