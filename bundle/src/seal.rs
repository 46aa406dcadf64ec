//! Writing a bundle: two payload forms under one manifest and one signature.
//!
//! Refuses what did not pass the redaction door, names that some tool would misread, and a bundle that its own readers
//! would refuse: what was written is read back before it is signed. Nothing is buffered beyond the entries given.

use std::io::{self, BufReader, Read, Seek, Write};

use crate::archive::{self, ArchiveError, ENTRIES_NAME, EntryDigest, Limits, header, name};
use crate::digest::{Sha256, sha256_hex};
use crate::keys::SigningKey;
use crate::manifest::{
    FORMAT_VERSION, Form, MANIFEST_NAME, Manifest, ManifestRedaction, PLAIN_PAYLOAD_NAME, Payload,
    SEALED_PAYLOAD_NAME, SIGNATURE_NAME,
};
use crate::redact::{Clean, Receipt};
use crate::sshsig;

/// Name of the door's receipt inside the inner tar.
pub const REDACTION_NAME: &str = "redaction.json";

/// Folder of what the machine itself said. Everything beside it is a document of ours.
const RAW_FOLDER: &str = "raw/";

/// zstd's level: its default, the best that a NAS's processor does at the speed of its disks.
const ZSTD_LEVEL: i32 = 3;

/// zstd's window as a power of two: 2 MiB to hold in memory on either side (the format allows the writer up to 23).
const ZSTD_WINDOW_LOG: u32 = 21;

/// Most recipients: their lines in an age header stay below what our reader takes.
const MOST_RECIPIENTS: usize = 32;

/// Buffer for copying.
const BUFFER_BYTES: usize = 64 << 10;

/// What is sealed: only what passed the door.
pub struct Content {
    /// Entries, each proof of its own cleaning: `facts.json`, `diagnosis.json`, `steps.json`, `cost.json`, `raw/…`.
    pub entries: Vec<Clean>,
    /// The door's receipt; becomes `redaction.json`.
    pub receipt: Receipt,
}

/// A place to keep a payload form while its digest is computed: an empty temporary file, or a cursor in tests.
pub trait Scratch: Read + Write + Seek {}
impl<T: Read + Write + Seek> Scratch for T {}

/// Why sealing failed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Writing failed (a full disk, most often).
    #[error("writing the bundle failed; is there room left where it is written?")]
    Io(#[source] io::Error),
    /// A recipient is not an age recipient.
    #[error("{0:?} is not an age recipient (age1…)")]
    Recipient(String),
    /// More recipients than the format allows.
    #[error("nothing was sealed: {0} recipients are more than the {MOST_RECIPIENTS} that a bundle may have")]
    Recipients(usize),
    /// The door refused.
    #[error("nothing was sealed: {0}")]
    Unredacted(String),
    /// Two entries with one name, or a name that is not allowed.
    #[error("nothing was sealed: entry name {0:?} is not allowed")]
    Name(String),
    /// The manifest could not be written as JSON.
    #[error("the manifest could not be written")]
    Json(#[source] serde_json::Error),
    /// What was written is what every reader would refuse.
    #[error("nothing was sealed: the bundle as written would be refused by its readers")]
    Refused(#[source] ArchiveError),
}

/// Seals `content` under `draft` (whose format, payload, recipients, redaction and key id are filled in here) into
/// `plain`, and into `sealed` when there are recipients. Returns the manifest as signed. The first scratch takes the
/// compressed form, the second the encrypted one.
pub fn seal(
    draft: Manifest,
    content: Content,
    key: &SigningKey,
    recipients: &[String],
    scratch: [&mut dyn Scratch; 2],
    plain: &mut dyn Write,
    sealed: &mut dyn Write,
) -> Result<Manifest, SealError> {
    if content.receipt.rule_set == 0 {
        return Err(SealError::Unredacted("its content did not pass the redaction door".to_owned()));
    }
    let receipt = json(&content.receipt)?;
    let entries = content.entries.iter().map(|c| Entry { name: c.name(), bytes: c.bytes() });
    let entries = in_order(entries.chain([Entry { name: REDACTION_NAME, bytes: &receipt }]).collect())?;
    let redaction = ManifestRedaction { rule_set: content.receipt.rule_set, level: level(&content.receipt)? };
    let draft = Manifest { redaction, ..draft };
    write(draft, &entries, key, &parse_recipients(recipients)?, scratch, plain, sealed)
}

/// Name and bytes of one file of the inner tar.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry<'a> {
    name: &'a str,
    bytes: &'a [u8],
}

/// Entries in the order of the format: documents, then `raw/`, each by name. Refuses names.
fn in_order(mut entries: Vec<Entry<'_>>) -> Result<Vec<Entry<'_>>, SealError> {
    for entry in &entries {
        let reserved = entry.name.eq_ignore_ascii_case(ENTRIES_NAME);
        if reserved || name::check(entry.name).is_err() {
            return Err(SealError::Name(entry.name.to_owned()));
        }
    }
    name::check_together(entries.iter().map(|e| e.name))
        .map_err(|(name, _)| SealError::Name(name.to_owned()))?;
    entries.sort_unstable_by_key(|e| (e.name.starts_with(RAW_FOLDER), e.name));
    Ok(entries)
}

/// The level's name, as the receipt spells it.
fn level(receipt: &Receipt) -> Result<String, SealError> {
    let value = serde_json::to_value(receipt.level).map_err(SealError::Json)?;
    value.as_str().map(str::to_owned).ok_or_else(|| SealError::Unredacted("its level has no name".to_owned()))
}

fn parse_recipients(texts: &[String]) -> Result<Vec<age::x25519::Recipient>, SealError> {
    let mut recipients: Vec<age::x25519::Recipient> = Vec::new();
    for text in texts {
        let recipient = text.trim().parse().map_err(|_| SealError::Recipient(text.clone()))?;
        if !recipients.contains(&recipient) {
            recipients.push(recipient);
        }
    }
    if recipients.len() > MOST_RECIPIENTS {
        return Err(SealError::Recipients(recipients.len()));
    }
    Ok(recipients)
}

fn write(
    draft: Manifest,
    entries: &[Entry<'_>],
    key: &SigningKey,
    recipients: &[age::x25519::Recipient],
    scratch: [&mut dyn Scratch; 2],
    plain: &mut dyn Write,
    sealed: &mut dyn Write,
) -> Result<Manifest, SealError> {
    let [compressed, encrypted] = scratch;
    let (inner, plain_form) = compress(entries, compressed)?;
    compressed.rewind().map_err(SealError::Io)?;
    archive::read_back(compressed, &plain_form, &inner).map_err(refused)?;
    let sealed_form = match recipients {
        [] => None,
        _ => Some(encrypt(compressed, &plain_form, recipients, encrypted)?),
    };

    let mut manifest = draft;
    manifest.format = FORMAT_VERSION;
    manifest.device.key_id = key.public().fingerprint();
    manifest.payload = Payload { inner, plain: plain_form.clone(), sealed: sealed_form.clone() };
    manifest.recipients = recipients.iter().map(ToString::to_string).collect();
    let bytes = json(&manifest)?;
    check_manifest(&manifest, &bytes)?;
    let signature = sshsig::sign(key, manifest.namespace(), &bytes);

    write_outer(plain, &bytes, &signature, PLAIN_PAYLOAD_NAME, compressed, &plain_form)?;
    if let Some(form) = &sealed_form {
        write_outer(sealed, &bytes, &signature, SEALED_PAYLOAD_NAME, encrypted, form)?;
    }
    Ok(manifest)
}

/// Writes the inner tar, compressed; returns what it is and what it became.
fn compress(entries: &[Entry<'_>], out: &mut dyn Scratch) -> Result<(Form, Form), SealError> {
    let limits = Limits::default();
    let refuse = |what, limit| Err(SealError::Refused(ArchiveError::Limit { what, limit }));
    if entries.len() as u64 > limits.entries {
        return refuse("the number of entries", limits.entries);
    }
    if entries.iter().any(|e| e.bytes.len() as u64 > limits.entry_bytes) {
        return refuse("the size of an entry", limits.entry_bytes);
    }
    write_inner(entries, out).map_err(SealError::Io)
}

fn write_inner(entries: &[Entry<'_>], out: &mut dyn Scratch) -> io::Result<(Form, Form)> {
    out.rewind()?;
    let mut encoder = zstd::Encoder::new(Sha256::new(out), ZSTD_LEVEL)?;
    encoder.window_log(ZSTD_WINDOW_LOG)?;
    encoder.include_checksum(true)?;
    let mut tar = Sha256::new(encoder);
    write_entry(&mut tar, Entry { name: ENTRIES_NAME, bytes: &list(entries)? })?;
    for entry in entries {
        write_entry(&mut tar, *entry)?;
    }
    header::write_zeros(&mut tar, 2 * header::BLOCK)?;
    let (encoder, size_bytes, sha256) = tar.finish();
    let inner = Form { size_bytes, sha256 };
    let (out, size_bytes, sha256) = encoder.finish()?.finish();
    out.flush()?;
    Ok((inner, Form { size_bytes, sha256 }))
}

/// `entries.json`: one entry a line, so that `sed` turns it into the list that `sha256sum -c` reads.
fn list(entries: &[Entry<'_>]) -> io::Result<Vec<u8>> {
    let mut text = b"{\"entries\":[".to_vec();
    for (i, entry) in entries.iter().enumerate() {
        text.extend_from_slice(if i == 0 { b"\n" } else { b",\n" });
        let digest = EntryDigest {
            name: entry.name.to_owned(),
            size_bytes: entry.bytes.len() as u64,
            sha256: sha256_hex(entry.bytes),
        };
        serde_json::to_writer(&mut text, &digest)?;
    }
    text.extend_from_slice(b"\n]}\n");
    Ok(text)
}

fn write_entry(out: &mut dyn Write, entry: Entry<'_>) -> io::Result<()> {
    let size_bytes = entry.bytes.len() as u64;
    header::write(out, entry.name, size_bytes)?;
    out.write_all(entry.bytes)?;
    header::write_zeros(out, header::padding(size_bytes))
}

/// Encrypts the compressed form to every recipient.
fn encrypt(
    compressed: &mut dyn Scratch,
    plain: &Form,
    recipients: &[age::x25519::Recipient],
    out: &mut dyn Scratch,
) -> Result<Form, SealError> {
    let encryptor = age::Encryptor::with_recipients(recipients.iter().map(|r| r as &dyn age::Recipient))
        .map_err(|e| SealError::Io(io::Error::other(e)))?;
    out.rewind().map_err(SealError::Io)?;
    let mut out = Sha256::new(out);
    let mut writer = encryptor.wrap_output(&mut out).map_err(SealError::Io)?;
    copy(compressed, plain, &mut writer)?;
    writer.finish().and_then(|out| out.flush()).map_err(SealError::Io)?;
    let (_, size_bytes, sha256) = out.finish();
    Ok(Form { size_bytes, sha256 })
}

/// A document of ours: readable by a person, with an end of line.
fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, SealError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(SealError::Json)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads the manifest as its readers will: a draft with a field twice (once in `extra`) would be signed rubbish.
fn check_manifest(manifest: &Manifest, bytes: &[u8]) -> Result<(), SealError> {
    let limit = Limits::default().manifest_bytes;
    if bytes.len() as u64 > limit {
        return Err(SealError::Refused(ArchiveError::Limit { what: MANIFEST_NAME, limit }));
    }
    let read = Manifest::parse(bytes).map_err(|e| SealError::Refused(ArchiveError::Manifest(e)))?;
    if read == *manifest {
        Ok(())
    } else {
        Err(SealError::Refused(ArchiveError::Shape(format!("{MANIFEST_NAME} reads as another one"))))
    }
}

/// Writes the outer tar: manifest, signature, payload.
fn write_outer(
    out: &mut dyn Write,
    manifest: &[u8],
    signature: &str,
    payload_name: &str,
    payload: &mut dyn Scratch,
    form: &Form,
) -> Result<(), SealError> {
    write_entry(out, Entry { name: MANIFEST_NAME, bytes: manifest }).map_err(SealError::Io)?;
    write_entry(out, Entry { name: SIGNATURE_NAME, bytes: signature.as_bytes() }).map_err(SealError::Io)?;
    header::write(out, payload_name, form.size_bytes).map_err(SealError::Io)?;
    copy(payload, form, out)?;
    let zeros = header::padding(form.size_bytes);
    header::write_zeros(out, zeros)
        .and_then(|()| header::write_zeros(out, 2 * header::BLOCK))
        .and_then(|()| out.flush())
        .map_err(SealError::Io)
}

/// Copies a form out of its scratch and makes sure that it is still what was digested: the disk may be the broken part.
fn copy(from: &mut dyn Scratch, form: &Form, to: &mut dyn Write) -> Result<(), SealError> {
    from.rewind().map_err(SealError::Io)?;
    let mut from = BufReader::with_capacity(BUFFER_BYTES, Sha256::new(from.take(form.size_bytes)));
    io::copy(&mut from, to).map_err(SealError::Io)?;
    let (_, size_bytes, sha256) = from.into_inner().finish();
    if (size_bytes, &sha256) == (form.size_bytes, &form.sha256) {
        Ok(())
    } else {
        Err(refused(ArchiveError::Digest("the payload, read again from its temporary file,".to_owned())))
    }
}

fn refused(error: ArchiveError) -> SealError {
    match error {
        ArchiveError::Io(e) => SealError::Io(e),
        other => SealError::Refused(other),
    }
}

#[cfg(test)]
mod tests;
