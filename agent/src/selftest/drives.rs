//! Which drive is meant, what it can be asked with, and what speaks against a self-test of it now.

use assay_bundle::facts::drive::{Drive, Protocol};
use assay_bundle::support_request::SelfTestKind;
use assay_bundle::{Diagnosis, Facts, Observed};
use assay_collector::command::SmartctlKind;
use assay_collector::self_test::{FIRST_VERSION, FIRST_VERSION_NVME};

use crate::trouble::refuse;

/// What the machine is like at one moment.
pub(crate) struct Machine {
    /// Facts, redacted at the level at which serial numbers stay.
    pub(crate) facts: Facts,
    /// What they mean.
    pub(crate) diagnosis: Diagnosis,
    /// The program that gives the orders.
    pub(crate) tool: Tool,
}

/// What smartctl is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Of this version; none when it does not say.
    Version(Option<(u32, u32)>),
    /// It cannot be used, for this reason.
    Missing(String),
}

/// The drives that were seen.
pub(crate) fn drives(facts: &Facts) -> &[Drive] {
    facts.drives.value().map(Vec::as_slice).unwrap_or_default()
}

/// Where a drive is, in words: `bay 3`, `bay 1 of enclosure 32`, else the kernel's name.
pub(crate) fn place(drive: &Drive) -> String {
    match (drive.bay.value(), drive.enclosure.value()) {
        (Some(bay), None | Some(0)) => format!("bay {bay}"),
        (Some(bay), Some(enclosure)) => format!("bay {bay} of enclosure {enclosure}"),
        (None, _) => drive.device.clone(),
    }
}

/// Whether what a person typed names the drive with this serial number at this place: the serial number, `3` or `bay 3`,
/// `32/1` for a bay of an enclosure, or the place as it is shown.
pub(crate) fn is_named(word: &str, serial: &str, place: &str) -> bool {
    let word = word.trim();
    let at = |text: &str| place.eq_ignore_ascii_case(text);
    let bay = match word.split_once('/') {
        Some((enclosure, bay)) => format!("bay {bay} of enclosure {enclosure}"),
        None => format!("bay {word}"),
    };
    serial.eq_ignore_ascii_case(word) || at(word) || at(&bay)
}

/// The one drive that a person named.
pub(crate) fn find<'f>(facts: &'f Facts, word: &str) -> anyhow::Result<&'f Drive> {
    let serial = |drive: &'f Drive| drive.serial.value().map(String::as_str).unwrap_or_default();
    let by_serial = drives(facts).iter().find(|drive| serial(drive).eq_ignore_ascii_case(word.trim()));
    let mut by_place = drives(facts).iter().filter(|drive| is_named(word, serial(drive), &place(drive)));
    let found = match by_serial {
        Some(drive) => Some(drive),
        None => by_place.next().filter(|_| by_place.next().is_none()),
    };
    let Some(drive) = found else {
        return Err(refuse(
            match &facts.drives {
                Observed::Seen { .. } if may_sleep(facts) => {
                    format!("there is no drive {word:?}, or it sleeps and did not say who it is")
                }
                Observed::Seen { .. } => format!("there is no drive {word:?}, or not only one"),
                other => format!("no drive was seen: {}", other.why_not().unwrap_or_default()),
            },
            "`assay selftest list` names the drives by serial number and bay",
        ));
    };
    if serial(drive).is_empty() {
        return Err(refuse(
            format!(
                "the drive at {} says no serial number, so nobody could tell later whose result it is",
                place(drive)
            ),
            "`assay check` says why it was not read",
        ));
    }
    Ok(drive)
}

/// How to talk to a drive, best first.
pub(crate) fn kinds(device: &str, protocol: Option<Protocol>) -> &'static [SmartctlKind] {
    use SmartctlKind::{Ata, Auto, Nvme, Sat, Sat12, Scsi};
    match protocol {
        _ if device.starts_with("nvme") => &[Nvme],
        Some(Protocol::Nvme) => &[Nvme],
        Some(Protocol::Scsi) => &[Scsi, Auto],
        Some(Protocol::Ata) => &[Sat, Auto, Sat12, Ata],
        None => &[Sat, Scsi, Auto],
    }
}

/// Everything that speaks against a test of this drive now; none when it may be tested.
pub(crate) fn against(machine: &Machine, drive: &Drive, kind: SelfTestKind) -> Vec<String> {
    let nvme = drive.protocol.value() == Some(&Protocol::Nvme) || drive.device.starts_with("nvme");
    if let Some(why) = tool_is_no_good(&machine.tool, nvme) {
        return vec![why];
    }
    let mut why = Vec::new();
    // A SAS drive that never tested and one that keeps no log look the same.
    let scsi = drive.protocol.value() == Some(&Protocol::Scsi);
    match &drive.self_tests {
        Observed::Seen { .. } => {}
        Observed::Absent if scsi => {}
        Observed::Absent => {
            why.push(
                "the drive keeps no log of self-tests, so no result could be told (self_tests)".to_owned(),
            );
        }
        // One that sleeps is asked when it is awake.
        _ if is_asleep(drive) => {}
        other => {
            let reason = other.why_not().unwrap_or_default();
            why.push(format!("the drive's log of self-tests was not read (self_tests): {reason}"));
        }
    }
    if kind == SelfTestKind::Extended && !is_asleep(drive) {
        why.extend(assay_diagnosis::self_test::against_extended(&machine.facts, &machine.diagnosis, drive));
    }
    why
}

/// Whether the drive slept when it was looked at.
pub(crate) fn is_asleep(drive: &Drive) -> bool {
    use assay_bundle::facts::drive::PowerMode::{Sleep, Standby};
    matches!(drive.power_mode.value(), Some(Standby | Sleep))
}

/// Whether a drive that was not found may be one of those that sleep and did not say who they are.
pub(crate) fn may_sleep(facts: &Facts) -> bool {
    drives(facts).iter().any(|drive| is_asleep(drive) && !drive.serial.is_seen())
}

fn tool_is_no_good(tool: &Tool, nvme: bool) -> Option<String> {
    let (first, what) =
        if nvme { (FIRST_VERSION_NVME, "self-tests of NVMe drives") } else { (FIRST_VERSION, "this") };
    let needs = format!("{what} needs version {}.{} or newer", first.0, first.1);
    match tool {
        Tool::Missing(why) => Some(format!("smartctl gives the order, and it cannot be used: {why}")),
        Tool::Version(None) => Some(format!("smartctl does not say its version, and {needs}")),
        Tool::Version(Some(version)) if *version < first => {
            Some(format!("smartctl here is {}.{}, and {needs}", version.0, version.1))
        }
        Tool::Version(Some(_)) => None,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use assay_bundle::facts::drive::PowerMode;

    fn seen<T>(value: T) -> Observed<T> {
        Observed::seen(value, "test")
    }

    fn drive(device: &str, serial: &str, bay: u32, enclosure: u32) -> Drive {
        Drive {
            device: device.to_owned(),
            serial: if serial.is_empty() { Observed::NotCollected } else { seen(serial.to_owned()) },
            bay: seen(bay),
            enclosure: seen(enclosure),
            protocol: seen(Protocol::Ata),
            health_passed: seen(true),
            self_tests: seen(Vec::new()),
            ..Drive::default()
        }
    }

    #[test]
    fn which_drive_is_meant() {
        let list = vec![
            drive("sda", "WD-1", 1, 0),
            drive("sdb", "3", 2, 0),
            drive("sdc", "WD-3", 3, 0),
            drive("sdd", "WD-4", 1, 32),
            drive("sde", "", 5, 0),
        ];
        let facts = Facts { drives: seen(list), ..Facts::default() };
        for (word, expected) in [
            ("WD-1", Some("sda")),
            ("wd-1 ", Some("sda")),
            ("1", Some("sda")),
            ("bay 2", Some("sdb")),
            // A serial number that looks like a bay is the serial number.
            ("3", Some("sdb")),
            ("bay 3", Some("sdc")),
            ("32/1", Some("sdd")),
            ("bay 1 of enclosure 32", Some("sdd")),
            ("4", None),
            ("", None),
            ("5", None),
            ("sda", None),
        ] {
            let found = find(&facts, word).ok().map(|drive| drive.device.as_str());
            assert_eq!(found, expected, "{word:?}");
        }
    }

    #[test]
    fn what_speaks_against_a_test() {
        use SelfTestKind::{Extended, Short};
        fn check(tool: Tool, drive: Drive, kind: SelfTestKind, expected: &str) {
            let facts =
                Facts { drives: seen(vec![drive.clone()]), md_arrays: Observed::Absent, ..Facts::default() };
            let diagnosis = assay_diagnosis::diagnose(&facts);
            let why = against(&Machine { facts, diagnosis, tool }, &drive, kind).join("; ");
            assert!(
                if expected.is_empty() { why.is_empty() } else { why.contains(expected) },
                "{expected}: {why}"
            );
        }
        let good = || Tool::Version(Some((7, 4)));
        let with = |change: fn(&mut Drive)| {
            let mut drive = drive("sda", "WD-1", 1, 0);
            change(&mut drive);
            drive
        };
        check(good(), with(|_| ()), Short, "");
        check(good(), with(|_| ()), Extended, "");
        check(Tool::Missing("smartctl is not installed".to_owned()), with(|_| ()), Short, "is not installed");
        check(Tool::Version(Some((6, 6))), with(|_| ()), Short, "7.0 or newer");
        check(Tool::Version(None), with(|_| ()), Short, "does not say its version");
        let nvme = || Drive { protocol: seen(Protocol::Nvme), ..drive("nvme0", "N1", 1, 0) };
        check(Tool::Version(Some((7, 3))), nvme(), Short, "7.4 or newer");
        check(good(), nvme(), Short, "");
        check(good(), with(|d| d.self_tests = Observed::Absent), Short, "keeps no log");
        check(good(), with(|d| d.self_tests = Observed::NotCollected), Short, "was not read (self_tests)");
        let sas = |d: &mut Drive| (d.self_tests, d.protocol) = (Observed::Absent, seen(Protocol::Scsi));
        check(good(), with(sas), Short, "");
        // Only the extended one is refused for what a drive shows.
        check(good(), with(|d| d.health_passed = seen(false)), Short, "");
        check(good(), with(|d| d.health_passed = seen(false)), Extended, "(health_passed)");
        // One that sleeps is judged when it is awake.
        let asleep = |d: &mut Drive| {
            (d.power_mode, d.self_tests) = (seen(PowerMode::Standby), Observed::unreadable("asleep"));
            d.health_passed = Observed::unreadable("asleep");
        };
        check(good(), with(asleep), Extended, "");
    }
}
