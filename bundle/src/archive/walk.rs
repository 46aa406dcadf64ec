//! The inner tar against its own list: `entries.json` says what follows, in order, and nothing else may.

use std::io::{self, Read};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::header::{self, HeadError};
use super::{ArchiveError, ENTRIES_NAME, EntryDigest, Limits, Visitor, name, payload};
use crate::digest::Sha256;

/// Most bytes of `entries.json` for each entry that the limits allow: a name of 255 bytes, a digest, a size, the rest.
const LISTED_BYTES: u64 = 512;

/// Walks the tar to its end. What the visitor gets is as `entries.json` says; whether that is as the manifest says is
/// known when the caller has compared the digest of the whole.
pub(super) fn walk(
    tar: &mut dyn Read,
    limits: &Limits,
    visitor: &mut dyn Visitor,
) -> Result<Vec<EntryDigest>, ArchiveError> {
    let listed = read_list(tar, limits)?;
    for entry in &listed {
        let head = header::read(tar)
            .map_err(inner)?
            .ok_or_else(|| shape(format!("entry {:?} is listed and missing", entry.name)))?;
        if head.name != entry.name {
            return Err(shape(format!("entry {:?} stands where {:?} is listed", head.name, entry.name)));
        }
        if head.size_bytes != entry.size_bytes {
            return Err(ArchiveError::Digest(format!("the size of {}", entry.name)));
        }
        let mut content = Sha256::new((&mut *tar).take(entry.size_bytes));
        let wanted = visitor.wants(&entry.name, entry.size_bytes);
        let mut bytes = Vec::new();
        if wanted {
            reserve(&mut bytes, entry.size_bytes, limits)?;
            content.read_to_end(&mut bytes).map_err(payload::carried)?;
        } else {
            io::copy(&mut content, &mut io::sink()).map_err(payload::carried)?;
        }
        let (_, size_bytes, sha256) = content.finish();
        if size_bytes != entry.size_bytes {
            return Err(inner(HeadError::End));
        }
        if sha256 != entry.sha256 {
            return Err(ArchiveError::Digest(entry.name.clone()));
        }
        header::read_padding(tar, entry.size_bytes).map_err(inner)?;
        if wanted {
            visitor.entry(&entry.name, bytes);
        }
    }
    if let Some(head) = header::read(tar).map_err(inner)? {
        return Err(shape(format!("entry {:?} is not listed", head.name)));
    }
    header::read_end(tar).map_err(inner)?;
    Ok(listed)
}

/// Reads `entries.json`, which comes first, and judges everything that it announces before anything of it is read.
fn read_list(tar: &mut dyn Read, limits: &Limits) -> Result<Vec<EntryDigest>, ArchiveError> {
    let head = header::read(tar).map_err(inner)?;
    let head = head
        .filter(|h| h.name == ENTRIES_NAME)
        .ok_or_else(|| shape(format!("the first entry of the payload is not {ENTRIES_NAME}")))?;
    let most = limits.entries.saturating_mul(LISTED_BYTES).min(limits.entry_bytes);
    if head.size_bytes > most {
        return Err(ArchiveError::Limit { what: "the size of entries.json", limit: most });
    }
    let mut bytes = Vec::new();
    reserve(&mut bytes, head.size_bytes, limits)?;
    (&mut *tar).take(head.size_bytes).read_to_end(&mut bytes).map_err(payload::carried)?;
    if bytes.len() as u64 != head.size_bytes {
        return Err(inner(HeadError::End));
    }
    header::read_padding(tar, head.size_bytes).map_err(inner)?;

    let listed = parse_list(&bytes, limits.entries)?;
    for entry in &listed {
        let refused = |why| shape(format!("entry name {:?}: {why}", entry.name));
        name::check(&entry.name).map_err(refused)?;
        if entry.name.eq_ignore_ascii_case(ENTRIES_NAME) {
            return Err(refused("the list does not list itself"));
        }
        if entry.size_bytes > limits.entry_bytes {
            return Err(ArchiveError::Limit { what: "the size of an entry", limit: limits.entry_bytes });
        }
    }
    name::check_together(listed.iter().map(|e| e.name.as_str()))
        .map_err(|(name, why)| shape(format!("entry name {name:?}: {why}")))?;
    Ok(listed)
}

/// Parses the list. It is counted before it is kept: a list of a few bytes an entry is many times longer in memory.
fn parse_list(bytes: &[u8], most: u64) -> Result<Vec<EntryDigest>, ArchiveError> {
    #[derive(Deserialize)]
    struct Count {
        entries: Vec<IgnoredAny>, // of size zero
    }
    #[derive(Deserialize)]
    struct List {
        entries: Vec<EntryDigest>,
    }
    let broken = |e| shape(format!("{ENTRIES_NAME} is not a list of entries ({e})"));
    let count: Count = serde_json::from_slice(bytes).map_err(broken)?;
    if count.entries.len() as u64 > most {
        return Err(ArchiveError::Limit { what: "the number of entries", limit: most });
    }
    serde_json::from_slice(bytes).map(|list: List| list.entries).map_err(broken)
}

/// Makes room for exactly what was announced and judged.
fn reserve(bytes: &mut Vec<u8>, size_bytes: u64, limits: &Limits) -> Result<(), ArchiveError> {
    let size = usize::try_from(size_bytes).ok();
    size.and_then(|s| bytes.try_reserve_exact(s).ok())
        .ok_or(ArchiveError::Limit { what: "the size of an entry", limit: limits.entry_bytes })
}

fn shape(what: String) -> ArchiveError {
    ArchiveError::Shape(what)
}

fn inner(error: HeadError) -> ArchiveError {
    match error {
        HeadError::Io(e) => payload::carried(e),
        HeadError::End => shape("its inner tar ends too early".to_owned()),
        HeadError::Refused(what) => shape(format!("its inner tar holds {what}")),
    }
}
