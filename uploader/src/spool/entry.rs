//! One bundle in the spool: its files and its state.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use assay_bundle::receipt::SignedReceipt;
use serde::{Deserialize, Serialize};

use super::{SpoolError, disk};

pub(super) const RECORD: &str = "entry.json";
pub(super) const PLAIN: &str = "plain.assay";
pub(super) const SEALED: &str = "sealed.assay";
/// A file with the name of what the entry is held for. It stands beside the record and not in it: a record that was
/// damaged is made again from the files, and a bundle that nobody consented to must stay held then too.
pub(super) const HELD: &str = "held";

/// What the maker of a bundle says about it when it is put into the spool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpoolEntry {
    /// The manifest's `seq`.
    pub seq: u64,
    /// Why it was made, in the manifest's word.
    pub reason: String,
    /// When, by the device's clock (seconds since 1970); a fact, not an order.
    pub created_unix_s: i64,
    /// What it is held for: no drain sends it before [`super::Spool::release`].
    pub held_for: Option<String>,
}

/// How far a bundle has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// Nothing of it was sent.
    Waiting,
    /// The portal knows it; perhaps all bytes are there and only the receipt is missing.
    Uploading {
        /// Path of the upload on the portal.
        url: String,
        /// Bytes of the part that the next run begins with. While a part is under way this is half of it, so that a
        /// process that was killed inside a part goes on with smaller ones.
        part_bytes: u64,
    },
    /// The portal accepted it and signed so.
    Done {
        /// The verified receipt.
        receipt: SignedReceipt,
    },
    /// The portal will not have it.
    Refused {
        /// Why, in the portal's words.
        reason: String,
        /// The signed refusal, where it was refused after it was read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt: Option<SignedReceipt>,
    },
}

/// What the spool remembers of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryMeta {
    /// SHA-256 of the sealed form, lower-case hex; kept after the form itself is gone.
    pub sha256_sealed: Option<String>,
    /// Size of the sealed form in bytes.
    pub size_sealed_bytes: Option<u64>,
    /// The manifest's `seq`.
    pub seq: u64,
    /// Why it was made.
    pub reason: String,
    /// When, by the device's clock, in seconds since 1970.
    pub created_unix_s: i64,
    /// How far it has come.
    pub state: State,
    /// Upload runs that ended without a receipt.
    pub attempts: u32,
    /// Scheduled runs leave it alone until then (seconds since 1970).
    pub next_attempt_unix_s: Option<i64>,
    /// What went wrong last, for a person.
    pub last_error: Option<String>,
}

/// A bundle in the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name; names sort by age.
    pub id: String,
    /// The form the owner browses.
    pub plain: Option<PathBuf>,
    /// The form that is uploaded.
    pub sealed: Option<PathBuf>,
    /// Its state.
    pub meta: EntryMeta,
    /// What it is held for (a support request whose consent is missing); it is not sent while it is.
    pub held_for: Option<String>,
    /// Bytes of all its files.
    pub size_bytes: u64,
}

impl Entry {
    /// Whether the portal has accepted it: only then may it make room for another.
    pub fn is_done(&self) -> bool {
        matches!(self.meta.state, State::Done { .. })
    }
}

/// The file `entry.json`.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    meta: EntryMeta,
    plain_file: Option<String>,
    sealed_file: Option<String>,
}

/// Writes the state of the entry in `dir`.
pub(super) fn save(
    dir: &Path,
    meta: &EntryMeta,
    plain: Option<&Path>,
    sealed: Option<&Path>,
) -> Result<(), SpoolError> {
    let name = |path: Option<&Path>| Some(path?.file_name()?.to_str()?.to_owned());
    let record = Record { meta: meta.clone(), plain_file: name(plain), sealed_file: name(sealed) };
    let mut bytes = serde_json::to_vec_pretty(&record).map_err(SpoolError::Encode)?;
    bytes.push(b'\n');
    disk::replace(dir, RECORD, &bytes)
}

/// Reads the entry in `dir`; a damaged state is rebuilt from the files.
pub(super) fn load(dir: &Path, id: &str) -> Result<Entry, SpoolError> {
    let read = fs::read(dir.join(RECORD));
    let parsed =
        read.and_then(|bytes| assay_bundle::json::from_slice::<Record>(&bytes).map_err(io::Error::other));
    let record = match parsed {
        Ok(record) => record,
        Err(why) => rebuild(dir, &why)?,
    };
    let named = |name: Option<String>| {
        name.filter(|name| !name.contains('/')).map(|name| dir.join(name)).filter(|path| path.is_file())
    };
    Ok(Entry {
        id: id.to_owned(),
        plain: named(record.plain_file),
        sealed: named(record.sealed_file),
        meta: record.meta,
        held_for: held_for(dir)?,
        size_bytes: size_bytes(dir)?,
    })
}

/// What the entry in `dir` is held for. A mark that cannot be read holds.
fn held_for(dir: &Path) -> Result<Option<String>, SpoolError> {
    let path = dir.join(HELD);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(disk::at("read", &path)(error)),
    }
}

/// Bytes of all files in a folder of the spool.
pub(super) fn size_bytes(dir: &Path) -> Result<u64, SpoolError> {
    let mut sum = 0;
    for item in fs::read_dir(dir).map_err(disk::at("list", dir))? {
        sum += item.and_then(|item| item.metadata()).map_err(disk::at("list", dir))?.len();
    }
    Ok(sum)
}

/// Sealed forms in `dir` that the record does not name.
pub(super) fn unnamed_sealed(dir: &Path, entry: &Entry) -> Result<Vec<PathBuf>, SpoolError> {
    let named = entry.sealed.as_deref();
    Ok(sealed_files(dir)?.into_iter().filter(|path| Some(path.as_path()) != named).collect())
}

fn sealed_files(dir: &Path) -> Result<Vec<PathBuf>, SpoolError> {
    let mut found = Vec::new();
    for item in fs::read_dir(dir).map_err(disk::at("list", dir))? {
        let item = item.map_err(disk::at("list", dir))?;
        if item.file_name().to_str().is_some_and(|n| n.starts_with("sealed") && n.ends_with(".assay")) {
            found.push(item.path());
        }
    }
    found.sort();
    Ok(found)
}

/// A state for files whose own was lost: they wait, and say why. The portal knows a bundle by its digest, so nothing
/// is doubled by sending it again.
fn rebuild(dir: &Path, why: &io::Error) -> Result<Record, SpoolError> {
    let sealed = sealed_files(dir)?.pop();
    let digest = match &sealed {
        Some(path) => Some(fs::File::open(path).and_then(disk::digest).map_err(disk::at("read", path))?),
        None => None,
    };
    let modified = fs::metadata(dir).and_then(|data| data.modified()).ok();
    let created = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let (sha256_sealed, size_sealed_bytes) = digest.unzip();
    Ok(Record {
        meta: EntryMeta {
            sha256_sealed,
            size_sealed_bytes,
            seq: 0,
            reason: String::new(),
            created_unix_s: created.and_then(|age| i64::try_from(age.as_secs()).ok()).unwrap_or(0),
            state: State::Waiting,
            attempts: 0,
            next_attempt_unix_s: None,
            last_error: Some(format!("its state was unreadable and was made again from its files: {why}")),
        },
        plain_file: dir.join(PLAIN).is_file().then(|| PLAIN.to_owned()),
        sealed_file: sealed.and_then(|path| Some(path.file_name()?.to_str()?.to_owned())),
    })
}
