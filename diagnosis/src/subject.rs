//! How a drive is named, found and matched. Kernel names such as `sda` move after a reset and are never an identity:
//! a person reads the bay, and the kernel's name is given as what it is.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Suspect, SuspectKind};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::{AtaAttribute, Drive, PowerMode, SelfTest, SelfTestOutcome};
use assay_bundle::facts::kernel_log::KernelEvent;
use assay_bundle::observed::NOBODY_READ;

use crate::certainty::{Place, Row};
use crate::evidence::{seen, told};

/// The words for a drive that was left asleep.
pub(crate) const ASLEEP: &str = "asleep; was not woken";

/// Where a drive is, as printed on the chassis, or the kernel's name said as such.
pub(crate) fn location(drive: &Drive) -> String {
    bay(drive).unwrap_or_else(|| format!("{} (kernel name)", drive.device))
}

/// The drive in a sentence and as a subject: `drive in bay 3 (sda)`, `drive sda`.
pub(crate) fn name(drive: &Drive) -> String {
    match bay(drive) {
        Some(bay) => format!("drive in {bay} ({})", drive.device),
        None => format!("drive {}", drive.device),
    }
}

/// `bay 3` of the machine itself, `bay 3 of enclosure 32` of what is attached: every enclosure counts from 1. A volume
/// over all of an enclosure's drives is in none of its bays.
fn bay(drive: &Drive) -> Option<String> {
    match (drive.bay.value(), drive.enclosure.value()) {
        (Some(bay), None | Some(0)) => Some(format!("bay {bay}")),
        (Some(bay), Some(enclosure)) => Some(format!("bay {bay} of enclosure {enclosure}")),
        (None, Some(enclosure)) if *enclosure > 0 => Some(format!("enclosure {enclosure}")),
        (None, _) => None,
    }
}

/// Path of a drive's fact.
pub(crate) fn fact(drive: &Drive, field: &str) -> String {
    format!("drives[{}].{field}", drive.device)
}

/// The drive as the place of a suspect.
pub(crate) fn place(drive: &Drive) -> Place {
    Place {
        location: location(drive),
        serial: drive.serial.value().cloned(),
        firmware: drive.firmware.value().cloned(),
    }
}

/// The suspects of a row about one drive: the drive itself, and what it hangs on at the same place.
pub(crate) fn suspects(row: &Row, drive: &Drive) -> Vec<Suspect> {
    row.suspects(|share| match (share.kind, share.component) {
        (SuspectKind::Part, Component::Drive) => place(drive),
        (_, Component::Slot | Component::Link) => Place::at(location(drive)),
        _ => Place::at(chassis(drive)),
    })
}

/// What gives the drive its power: the machine, or the enclosure that is attached to it.
fn chassis(drive: &Drive) -> String {
    match drive.enclosure.value() {
        None | Some(0) => "the unit".to_owned(),
        Some(enclosure) => format!("enclosure {enclosure}"),
    }
}

/// What identifies a drive to its maker: model and serial, first in every drive finding's evidence.
pub(crate) fn identity(drive: &Drive) -> Vec<Evidence> {
    [
        seen(fact(drive, "model"), &drive.model),
        seen(fact(drive, "serial"), &drive.serial),
        seen(fact(drive, "power_on_hours"), &drive.power_on_hours),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Drives in the order in which a person looks at them, by enclosure, bay and then serial, whatever order they were read
/// in.
pub(crate) fn sorted(drives: &[Drive]) -> Vec<&Drive> {
    let mut sorted: Vec<&Drive> = drives.iter().collect();
    sorted.sort_by_key(|d| {
        (
            d.enclosure.value().copied().unwrap_or(if d.bay.is_seen() { 0 } else { u32::MAX }),
            d.bay.value().copied().unwrap_or(u32::MAX),
            d.serial.value().cloned().unwrap_or_default(),
            d.device.clone(),
        )
    });
    sorted
}

/// Whether the drive was left asleep, so that a missing answer is expected.
pub(crate) fn asleep(drive: &Drive) -> bool {
    matches!(drive.power_mode.value(), Some(PowerMode::Standby | PowerMode::Sleep))
}

/// Why a drive's reading is not there.
pub(crate) fn why_missing<T>(drive: &Drive, what: &str, reading: &Observed<T>) -> String {
    if asleep(drive) {
        return ASLEEP.to_owned();
    }
    match reading {
        Observed::Unreadable { why } => format!("{what} could not be read: {why}"),
        _ => format!("{what} was not read: {NOBODY_READ}"),
    }
}

/// The whole disk behind a kernel name: `sda3` is on `sda`, `nvme0n1p3` on `nvme0` (the controller, which is what a
/// drive is asked through), `mmcblk0p1` on `mmcblk0`. `/dev/` in front is ignored.
pub(crate) fn disk(kernel_name: &str) -> &str {
    let name = kernel_name.strip_prefix("/dev/").unwrap_or(kernel_name);
    let before = |mark: char, prefix: &str| {
        let rest = name.strip_prefix(prefix)?;
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        let tail = rest.get(digits..)?;
        (digits > 0 && (tail.is_empty() || tail.starts_with(mark)))
            .then(|| name.get(..prefix.len() + digits))?
    };
    if let Some(disk) = before('n', "nvme").or_else(|| before('p', "mmcblk")) {
        return disk;
    }
    for prefix in ["sd", "hd", "vd"] {
        let letters =
            name.strip_prefix(prefix).map(|rest| rest.trim_end_matches(|c: char| c.is_ascii_digit()));
        if letters.is_some_and(|l| !l.is_empty() && l.chars().all(|c| c.is_ascii_lowercase())) {
            return name.trim_end_matches(|c: char| c.is_ascii_digit());
        }
    }
    name
}

/// The drive that a kernel name (disk, partition, namespace) stands on.
pub(crate) fn drive_of<'a>(facts: &'a Facts, kernel_name: &str) -> Option<&'a Drive> {
    let wanted = disk(kernel_name);
    facts.drives.value()?.iter().find(|drive| disk(&drive.device) == wanted)
}

/// What the kernel log says under one of these signatures about a subject that `about` accepts: the first event, and
/// how many of its kind there were. One failed read leaves lines of several kinds.
pub(crate) fn log_witness(
    facts: &Facts,
    signatures: &[&str],
    about: impl Fn(Option<&str>) -> bool,
) -> Option<Evidence> {
    let Observed::Seen { value: log, from } = &facts.kernel_log else { return None };
    let wanted = |e: &&KernelEvent| signatures.iter().any(|name| e.says(name)) && about(e.subject.as_deref());
    let events: Vec<&KernelEvent> = log.events.iter().filter(wanted).collect();
    let first = events.first()?;
    let same = events.iter().filter(|e| e.signature == first.signature && e.subject == first.subject);
    let times: u64 = same.map(|e| e.repeats.max(1)).fold(0, u64::saturating_add);
    let subject = first.subject.as_deref().unwrap_or("this machine");
    let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
    let value = format!("{} of {subject}, {times}, first in line {}", first.signature, first.line);
    // The line's number is part of the place, so that a page can link to it.
    let from = if from.is_empty() { String::new() } else { format!("{from}#L{}", first.line) };
    Some(told("kernel_log.events", value, &from))
}

/// Whether an attribute row tells heat: the id *and* the name, because makers reuse ids.
pub(crate) fn is_heat(attribute: &AtaAttribute) -> bool {
    let name = attribute.name.to_ascii_lowercase();
    matches!(attribute.id, 190 | 194) && (name.contains("temp") || name.contains("airflow"))
}

/// The newest self-test that ran to its end: aborted and running ones say nothing about the drive.
pub(crate) fn last_completed_test(drive: &Drive) -> Option<&SelfTest> {
    let tests = drive.self_tests.value()?;
    tests.iter().find(|t| matches!(t.outcome, SelfTestOutcome::Passed | SelfTestOutcome::Failed))
}

/// A self-test as evidence.
pub(crate) fn test_evidence(drive: &Drive, test: &SelfTest) -> Evidence {
    let at = test.at_power_on_hours.map(|hours| format!(" at {hours} under power")).unwrap_or_default();
    let lba = test.first_error_lba.map(|lba| format!(", first failing sector {lba}")).unwrap_or_default();
    let from = drive.self_tests.place().unwrap_or_default();
    told(fact(drive, "self_tests"), format!("{}: {}{at}{lba}", test.kind, test.text), from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bay_is_one_of_its_enclosure() {
        for (enclosure, expected) in
            [(None, "bay 3"), (Some(0), "bay 3"), (Some(32), "bay 3 of enclosure 32")]
        {
            let enclosure = enclosure.map_or(Observed::NotCollected, |number| Observed::seen(number, "x"));
            let drive = Drive { enclosure, ..crate::fixture::hdd("sdk", 3) };
            assert_eq!(location(&drive), expected);
            assert_eq!(name(&drive), format!("drive in {expected} (sdk)"));
        }
        let enclosure = Observed::seen(33, "x");
        let volume = Drive { enclosure, bay: Observed::Absent, ..crate::fixture::hdd("sde", 1) };
        assert_eq!(
            (name(&volume).as_str(), chassis(&volume).as_str()),
            ("drive in enclosure 33 (sde)", "enclosure 33")
        );
        let outside = Drive { enclosure: Observed::seen(32, "x"), ..crate::fixture::hdd("sda", 1) };
        let drives = [outside, crate::fixture::hdd("sdb", 2)];
        assert_eq!(sorted(&drives).iter().map(|d| d.device.as_str()).collect::<Vec<_>>(), ["sdb", "sda"]);
    }

    #[test]
    fn partitions_stand_on_disks() {
        for (name, on) in [
            ("sda", "sda"),
            ("sda3", "sda"),
            ("/dev/sdab12", "sdab"),
            ("nvme0", "nvme0"),
            ("nvme0n1", "nvme0"),
            ("nvme10n1p3", "nvme10"),
            ("mmcblk0p1", "mmcblk0"),
            ("vda1", "vda"),
            ("md1", "md1"),
            ("sd", "sd"),
            ("nvme", "nvme"),
            ("", ""),
        ] {
            assert_eq!(disk(name), on, "{name}");
        }
    }
}
