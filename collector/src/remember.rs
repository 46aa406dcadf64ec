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
    "a hard drive sleeps; the memory lies on a volume of such drives and is left alone so that none wakes";

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
    if any_asleep(&collection.facts.drives) {
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

/// Whether a disk sleeps: a read from a mirror that it belongs to may wake it.
pub fn any_asleep(drives: &Observed<Vec<Drive>>) -> bool {
    disks(drives).any(sleeps)
}

fn disks(drives: &Observed<Vec<Drive>>) -> impl Iterator<Item = &Drive> {
    drives.value().into_iter().flatten().filter(|drive| drive.medium.value() == Some(&Medium::Hdd))
}

/// Whether a drive was found asleep.
pub(crate) fn sleeps(drive: &Drive) -> bool {
    matches!(drive.power_mode.value(), Some(PowerMode::Standby | PowerMode::Sleep))
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    //! Whole collections over recorded files: what one leaves is what the next one reads.

    use std::collections::BTreeMap;

    use super::*;
    use crate::Options;
    use crate::recorded::RecordedSource;

    const SMART: &str = r#"{"smartctl":{"exit_status":0},"device":{"name":"/dev/sda","type":"sat","protocol":"ATA"},"model_name":"WDC WD40EFRX","serial_number":"S1","rotation_rate":5400,"smart_status":{"passed":true},"temperature":{"current":31},"power_on_time":{"hours":77}}"#;
    const STANDBY: &str = r#"{"smartctl":{"exit_status":3,"messages":[{"string":"Device is in STANDBY mode, exit(3)","severity":"information"}]},"device":{"name":"/dev/sda","protocol":"ATA"}}"#;

    fn files(smart: &str, more: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        [
            ("sys/block/sda.link", "../devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sda"),
            ("sys/block/sda/queue/rotational", "1"),
            ("cmd/smartctl.sat.sda/stdout", smart),
            ("sample/clock.json", r#"{"unix_s":1760000000}"#),
            ("proc/sys/kernel/random/boot_id", "6c1e"),
        ]
        .iter()
        .chain(more)
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
        .collect()
    }

    fn collect(files: BTreeMap<String, Vec<u8>>) -> Collection {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(crate::collect(&RecordedSource::from_files(files), &Options::default()))
    }

    #[test]
    fn one_run_leaves_what_the_next_one_reads() {
        let first = collect(files(SMART, &[]));
        assert!(first.facts.history.is_absent() && first.facts.inventory.is_absent());
        let left = to_remember(&first, "1.0.0").expect("drives are awake");
        let (full, inventory) = (left.full.expect("all is new"), left.inventory.expect("all is new"));
        assert_eq!(left.inventory_before, None);
        let record = String::from_utf8(ring::unframe(full.as_bytes())).expect("JSON");
        let memory = [("state/recorder.jsonl", record.as_str()), ("state/inventory.json", &inventory)];
        let second = collect(files(SMART, &memory));
        let history = second.facts.history.value().expect("one record");
        assert_eq!((history.records, history.boots.as_slice()), (1, ["6c1e".to_owned()].as_slice()));
        let known = &second.facts.inventory.value().expect("one drive").remembered_drives[0];
        assert_eq!((known.serial.as_str(), known.present.value()), ("S1", Some(&true)));
        let again = to_remember(&second, "1.0.0").expect("drives are awake");
        assert!(again.is_empty(), "nothing changed: {again:?}");
        assert_eq!(again.inventory_before, Some(sha256_hex(inventory.as_bytes())));
        assert_eq!(collect(second.raw).facts, second.facts, "recomputed from raw");
    }

    #[test]
    fn a_vanished_drive_is_a_fact() {
        let inventory = to_remember(&collect(files(SMART, &[])), "1").expect("awake").inventory.expect("new");
        let mut later = files(SMART, &[("state/inventory.json", &inventory), ("sys/block/.list", "loop0\n")]);
        later.remove("sys/block/sda.link");
        let collection = collect(later);
        let drives = &collection.facts.inventory.value().expect("a memory").remembered_drives;
        assert_eq!(drives[0].present.value(), Some(&false), "{:?}", drives[0].present);
    }

    #[test]
    fn while_the_drives_sleep_nothing_is_read_or_written() {
        let asleep =
            collect(files(STANDBY, &[("state/recorder.jsonl", "x"), ("state/inventory.json", "{}")]));
        assert_eq!(asleep.facts.history, Observed::unreadable(ASLEEP));
        assert_eq!(asleep.facts.inventory, Observed::unreadable(ASLEEP));
        assert!(!asleep.raw.keys().any(|path| path.starts_with("state/")));
        assert_eq!(to_remember(&asleep, "1"), Err(ASLEEP.to_owned()));
        assert_eq!(collect(asleep.raw).facts, asleep.facts, "recomputed from raw");
    }

    #[test]
    fn what_could_not_be_read_is_not_overwritten() {
        let failure = r#"{"io":{"why":"it burnt"}}"#;
        for place in ["state/recorder.jsonl.unreadable", "state/inventory.json.unreadable"] {
            let collection = collect(files(SMART, &[(place, failure)]));
            let why = to_remember(&collection, "1").expect_err("not read");
            assert!(why.contains("could not be read"), "{why}");
        }
        // A damaged memory begins anew.
        let left =
            to_remember(&collect(files(SMART, &[("state/inventory.json", "{oh")])), "1").expect("awake");
        assert!(left.inventory.is_some() && left.inventory_before.is_some());
    }
}
