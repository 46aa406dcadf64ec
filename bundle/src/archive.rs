//! Reading a bundle: limits while streaming, digests before parsing, nothing ever unpacked to a file system.
//!
//! The order that trusts least: [`read_envelope`], decide by the manifest whose key must have signed,
//! [`Envelope::verify_signature`], [`Envelope::check_payload`] over the whole file, and only then, from the start again,
//! [`Envelope::walk_payload`]. Whoever walks at once (a file too large to read twice) must throw away what the visitor
//! got when the walk ends in an error: a payload is known to be the signed one at its last byte and not before.

use std::io::{self, Read};

use crate::digest::Sha256;
use crate::keys::PublicKey;
use crate::manifest::{
    Form, MANIFEST_NAME, Manifest, ManifestError, PLAIN_PAYLOAD_NAME, SEALED_PAYLOAD_NAME, SIGNATURE_NAME,
};
use crate::sshsig::{self, SignatureError};

pub(crate) mod header;
pub(crate) mod name;
pub(crate) mod payload;
mod walk;

pub use name::LONGEST_NAME_BYTES;

use header::HeadError;

/// Name of the list of entries: the first entry of the inner tar.
pub const ENTRIES_NAME: &str = "entries.json";

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
    /// Most bytes out for one byte in, beyond `ratio_free_bytes`.
    pub ratio: u64,
    /// Output that any ratio may make. A unit that floods its log with one line compresses by thousands, and is just
    /// the one whose evidence must arrive: this is as much as one run records at most, and cheap to read.
    pub ratio_free_bytes: u64,
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
            ratio_free_bytes: 64 << 20,
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
    Io(#[source] io::Error),
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
pub fn read_envelope(reader: &mut dyn Read, limits: &Limits) -> Result<Envelope, ArchiveError> {
    let manifest_bytes = read_small(reader, MANIFEST_NAME, limits.manifest_bytes)?;
    // Before the rest is looked at: a newer format may differ in all of it, and is to be refused by its number.
    let manifest = Manifest::parse(&manifest_bytes)?;
    let signature = read_small(reader, SIGNATURE_NAME, limits.signature_bytes)?;
    let signature = String::from_utf8(signature)
        .map_err(|_| ArchiveError::Signature(SignatureError::Format("it is not text")))?;

    let head = header::read(reader).map_err(outer("the payload's header"))?;
    let head = head.ok_or_else(|| ArchiveError::Shape("it has no payload".to_owned()))?;
    let form = match head.name.as_str() {
        PLAIN_PAYLOAD_NAME => PayloadForm::Plain,
        SEALED_PAYLOAD_NAME => PayloadForm::Sealed,
        other => {
            return Err(ArchiveError::Shape(format!("entry {other:?} stands in the place of the payload")));
        }
    };
    if head.size_bytes > limits.payload_bytes {
        return Err(ArchiveError::Limit { what: "the payload", limit: limits.payload_bytes });
    }
    let envelope = Envelope { manifest_bytes, manifest, signature, form, payload_bytes: head.size_bytes };
    if envelope.named_form()?.size_bytes != head.size_bytes {
        return Err(ArchiveError::Digest("the size of the payload".to_owned()));
    }
    Ok(envelope)
}

impl Envelope {
    /// Checks the signature under the manifest's own namespace and that it is `key`'s, and that the manifest names it.
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), ArchiveError> {
        let namespace = self.manifest.namespace();
        sshsig::verify(key, namespace, &self.manifest_bytes, &self.signature)
            .map_err(ArchiveError::Signature)?;
        let (found, wanted) = (&self.manifest.device.key_id, key.fingerprint());
        if *found == wanted {
            Ok(())
        } else {
            Err(ArchiveError::Signature(SignatureError::Key { found: found.clone(), wanted }))
        }
    }

    /// The key that the signature names (untrusted until [`Envelope::verify_signature`]).
    pub fn named_key(&self) -> Result<PublicKey, ArchiveError> {
        sshsig::named_key(&self.signature).map_err(ArchiveError::Signature)
    }

    /// Reads the payload to the end of the file and checks size, digest and that nothing follows. `reader` stands
    /// where [`read_envelope`] left it.
    pub fn check_payload(&self, reader: &mut dyn Read, limits: &Limits) -> Result<(), ArchiveError> {
        if self.payload_bytes > limits.payload_bytes {
            return Err(ArchiveError::Limit { what: "the payload", limit: limits.payload_bytes });
        }
        let mut part = Sha256::new(payload::Part::new(&mut *reader, self.payload_bytes));
        self.drain(&mut part)?;
        let (_, size_bytes, sha256) = part.finish();
        same(self.named_form()?, size_bytes, &sha256, "the payload")?;
        self.read_end(reader)
    }

    /// Decrypts (with an `AGE-SECRET-KEY-…`, or the text of an identity file, when sealed), decompresses and walks the
    /// inner tar, checking every entry against `entries.json` (the first entry) and the whole against the manifest.
    /// What `visitor` got counts only when this ends well.
    pub fn walk_payload(
        &self,
        reader: &mut dyn Read,
        identity: Option<&str>,
        limits: &Limits,
        visitor: &mut dyn Visitor,
    ) -> Result<Vec<EntryDigest>, ArchiveError> {
        let mut part = Sha256::new(payload::Part::new(&mut *reader, self.payload_bytes));
        let walked = self.walk_form(&mut part, identity, limits, visitor);
        match walked {
            // What is behind these is not ours to read, or cannot be.
            Err(ArchiveError::Limit { .. } | ArchiveError::Io(_) | ArchiveError::Truncated(_)) => {
                return walked;
            }
            Err(ArchiveError::NeedsIdentity { .. }) => return walked,
            // The digest first: a changed byte is called that, whatever it broke on the way.
            _ => self.drain(&mut part)?,
        }
        let (_, size_bytes, sha256) = part.finish();
        same(self.named_form()?, size_bytes, &sha256, "the payload")?;
        let listed = walked?;
        self.read_end(reader)?;
        Ok(listed)
    }

    fn walk_form(
        &self,
        part: &mut dyn Read,
        identity: Option<&str>,
        limits: &Limits,
        visitor: &mut dyn Visitor,
    ) -> Result<Vec<EntryDigest>, ArchiveError> {
        let compressed: Box<dyn Read + '_> = match self.form {
            PayloadForm::Plain => Box::new(part),
            PayloadForm::Sealed => {
                let recipients = || self.manifest.recipients.join(", ");
                let text =
                    identity.ok_or_else(|| ArchiveError::NeedsIdentity { recipients: recipients() })?;
                payload::decrypt(part, &payload::identities(text)?)?
            }
        };
        let wanted = &self.manifest.payload;
        let inflate = payload::Inflate::new(compressed, wanted.inner.size_bytes, limits)?;
        let mut inner = Sha256::new(inflate);
        let listed = walk::walk(&mut inner, limits, visitor)?;
        let (inflate, size_bytes, sha256) = inner.finish();
        same(&wanted.inner, size_bytes, &sha256, "the inner tar")?;
        let (size_bytes, sha256) = inflate.finish();
        same(&wanted.plain, size_bytes, &sha256, "the compressed payload")?;
        Ok(listed)
    }

    /// What the manifest says of the payload form that follows.
    fn named_form(&self) -> Result<&Form, ArchiveError> {
        match self.form {
            PayloadForm::Plain => Ok(&self.manifest.payload.plain),
            PayloadForm::Sealed => self.manifest.payload.sealed.as_ref().ok_or_else(|| {
                ArchiveError::Shape(
                    "its payload is encrypted, and the manifest names no such form".to_owned(),
                )
            }),
        }
    }

    fn drain(&self, part: &mut dyn Read) -> Result<(), ArchiveError> {
        io::copy(part, &mut io::sink()).map(drop).map_err(payload::carried)
    }

    /// What follows the payload: its padding, the end of the archive, and nothing.
    fn read_end(&self, reader: &mut dyn Read) -> Result<(), ArchiveError> {
        const WHAT: &str = "its end";
        header::read_padding(reader, self.payload_bytes).map_err(outer(WHAT))?;
        if let Some(head) = header::read(reader).map_err(outer(WHAT))? {
            return Err(ArchiveError::Shape(format!("entry {:?} follows the payload", head.name)));
        }
        header::read_end(reader).map_err(outer(WHAT))
    }
}

/// Reads an entry of the outer tar that is held in memory.
fn read_small(reader: &mut dyn Read, name: &'static str, most: u64) -> Result<Vec<u8>, ArchiveError> {
    let head = header::read(reader).map_err(outer(name))?;
    let head = head.ok_or_else(|| ArchiveError::Shape(format!("it has no {name}")))?;
    if head.name != name {
        return Err(ArchiveError::Shape(format!("entry {:?} stands in the place of {name}", head.name)));
    }
    if head.size_bytes > most {
        return Err(ArchiveError::Limit { what: name, limit: most });
    }
    let mut bytes = Vec::new();
    (&mut *reader).take(head.size_bytes).read_to_end(&mut bytes).map_err(ArchiveError::Io)?;
    if bytes.len() as u64 != head.size_bytes {
        return Err(ArchiveError::Truncated(name));
    }
    header::read_padding(reader, head.size_bytes).map_err(outer(name))?;
    Ok(bytes)
}

fn outer(what: &'static str) -> impl Fn(HeadError) -> ArchiveError {
    move |error| match error {
        HeadError::Io(e) => ArchiveError::Io(e),
        HeadError::End => ArchiveError::Truncated(what),
        HeadError::Refused(found) => ArchiveError::Shape(format!("it holds {found}")),
    }
}

fn same(wanted: &Form, size_bytes: u64, sha256: &str, what: &str) -> Result<(), ArchiveError> {
    if wanted.size_bytes == size_bytes && wanted.sha256 == sha256 {
        Ok(())
    } else {
        Err(ArchiveError::Digest(what.to_owned()))
    }
}

/// Reads a compressed payload that was just written as its readers will, under stricter limits than theirs, and
/// compares its content with `inner`. What this refuses must not leave.
pub(crate) fn read_back(compressed: &mut dyn Read, plain: &Form, inner: &Form) -> Result<(), ArchiveError> {
    let limits = Limits::default();
    // Readers differ in how far they read ahead, and so in what they count as input; a quarter is room enough.
    let limits = Limits { ratio: limits.ratio - limits.ratio / 4, ..limits };
    if plain.size_bytes > limits.payload_bytes {
        return Err(ArchiveError::Limit { what: "the payload", limit: limits.payload_bytes });
    }
    let part = payload::Part::new(compressed, plain.size_bytes);
    let mut content = Sha256::new(payload::Inflate::new(part, inner.size_bytes, &limits)?);
    io::copy(&mut content, &mut io::sink()).map_err(payload::carried)?;
    let (inflate, size_bytes, sha256) = content.finish();
    same(inner, size_bytes, &sha256, "the inner tar as written")?;
    let (size_bytes, sha256) = inflate.finish();
    same(plain, size_bytes, &sha256, "the compressed payload as written")
}
