//! What a run leaves for the next ones: a record for the flight recorder, and the inventory memory.
//!
//! Pure: computed from what the run saw and from what it read of earlier runs, unredacted, because identities have to
//! be the same in every run. Who writes it, where and when, is the caller's; nothing here touches a disk. While every
//! hard drive of the unit sleeps there is nothing to write: the drives gave no counters, and writing to the data
//! volume would wake them. What could not be read is not overwritten; a memory that is damaged begins anew.

use assay_bundle::digest::sha256_hex;
use assay_bundle::facts::drive::{Drive, Medium, PowerMode};
use assay_bundle::observed::Observed;
use serde::{Deserialize, Serialize};

use crate::source::Request;
use crate::{Collection, inventory_memory, ring};

/// Why nothing of the memory is read or written while the drives sleep.
pub(crate) const ASLEEP: &str =
    "every hard drive sleeps; the memory lies on them and is left alone so that none wakes";

/// What is to be written. Each text stands in its file byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToRemember {
    /// For the end of [`ring::NEWER`].
    pub changes: Option<String>,
    /// For the beginning of a new [`ring::NEWER`]: all that is known, instead of `changes`.
    pub full: Option<String>,
    /// The new content of [`inventory_memory::FILE`].
    pub inventory: Option<String>,
    /// SHA-256 of the content that it follows, in hex; `None` when there was none.
    pub inventory_before: Option<String>,
}

impl ToRemember {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.changes.is_none() && self.inventory.is_none()
    }
}

/// What `collection` leaves to be written by `program` (its version).
///
/// # Errors
/// Why nothing is to be written, in words: drives sleep, or what earlier runs left could not be read.
pub fn to_remember(collection: &Collection, program: &str) -> Result<ToRemember, String> {
    if all_asleep(&collection.facts.drives) {
        return Err(ASLEEP.to_owned());
    }
    let mut out = ToRemember::default();
    let (text, truncated) = kept(collection, &Request::Recorder)?;
    let text = String::from_utf8_lossy(text.unwrap_or_default());
    if let Some(records) = ring::change::record(&ring::parse(&text, truncated), &collection.facts, program) {
        (out.changes, out.full) = (Some(records.changes), Some(records.full));
    }
    let (bytes, _) = kept(collection, &Request::Inventory)?;
    let before = bytes.and_then(|bytes| inventory_memory::parse(bytes).ok());
    out.inventory = inventory_memory::updated(before.as_ref(), &collection.facts)
        .and_then(|memory| serde_json::to_string(&memory).ok())
        .filter(|text| u64::try_from(text.len()).is_ok_and(|size| size <= inventory_memory::MOST_BYTES));
    out.inventory_before = bytes.map(sha256_hex);
    Ok(out)
}

/// What was read of a file of ours, and whether its end was left out; nothing when it was not there.
fn kept<'c>(collection: &'c Collection, request: &Request) -> Result<(Option<&'c [u8]>, bool), String> {
    let place = request.place();
    if collection.raw.contains_key(&request.failure_place()) {
        return Err(format!("{} could not be read, so it is not written either", request.noun()));
    }
    let truncated = collection.raw.contains_key(&format!("{place}{}", crate::recorded::TRUNCATED));
    Ok((collection.raw.get(&place).map(Vec::as_slice), truncated))
}

/// Whether the unit has hard drives and each of them was found asleep.
pub(crate) fn all_asleep(drives: &Observed<Vec<Drive>>) -> bool {
    let is_disk = |drive: &&Drive| drive.medium.value() == Some(&Medium::Hdd);
    let sleeps =
        |drive: &Drive| matches!(drive.power_mode.value(), Some(PowerMode::Standby | PowerMode::Sleep));
    let mut disks = drives.value().into_iter().flatten().filter(is_disk).peekable();
    disks.peek().is_some() && disks.all(sleeps)
}
