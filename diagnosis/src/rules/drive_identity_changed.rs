//! DRV-012: drive no longer says that it is what it was.
//!
//! A drive whose firmware broke down answers with the name of its controller, or with a capacity of a few megabytes.
//! Readers spell one model in several ways, so spelling is no change; and a part that the host hid (HPA) is no loss.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::inventory::RememberedDrive;
use assay_bundle::units::Bytes;

use crate::certainty::{FIRMWARE_BROKE_DOWN, IDENTITY_CHANGED};
use crate::counters::{each, finding};
use crate::evidence::{seen, test, told};
use crate::rule::{Judgement, Rule};
use crate::rules::drive_pending_sectors::kernel_witness;
use crate::subject::{asleep, fact, name, why_missing};
use crate::view::View;

/// Names under which controllers answer when their firmware does not start: Phison's, in small letters without blanks.
const BROKEN_NAMES: [&str; 2] = ["satafirms", "sataburns"];
/// Serial number of Intel's 320 series after its firmware lost its table (it then shows 8 MB).
const BROKEN_SERIAL: &str = "BAD_CTX";
/// No drive for a NAS is smaller; firmware that broke down shows 2 MB or 8 MB.
const NO_DRIVE_BELOW: Bytes = Bytes(64 * 1024 * 1024);
/// A hidden area (HPA) or another way of counting takes less than this part, in percent; judgement.
const HIDDEN_PERCENT: u64 = 10;
/// The kernel saw another drive answer on a port that it knew.
const CHANGED: [&str; 2] = ["ata-identity-changed", "scsi-capacity-changed"];

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-012",
    title: "Drive no longer says that it is what it was",
    component: Component::Drive,
    checks: "Model and capacity of each drive against what earlier runs saw under the same serial number, against the names that broken firmware gives, and against any plausible size.",
    why: "A drive whose firmware breaks down still answers, but as an empty device of a few megabytes or under its controller's name. Its data cannot be reached, and a system that takes it for a new drive may write to it.",
    what_to_do: "Write nothing to the drive. Have it replaced by its own maker; where its data is needed, ask a recovery service before anything else.",
    threshold_source: "Names and sizes of known cases: SATAFIRM S11 (Phison), BAD_CTX with 8 MB (Intel 320, \"Bad Context 13x Error\" of 2011), 2 MB and 8 MB elsewhere. That up to 10 percent may be a hidden area is judgement.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    each(view, |drive| judge(view, drive))
}

fn judge(view: &View<'_>, drive: &Drive) -> Judgement {
    let subject = name(drive);
    let broken = broken(drive);
    if !broken.is_empty() {
        let title = format!("The firmware of the {subject} has broken down");
        let what = (Verdict::Confirmed, title);
        return Judgement::found(subject, finding(&RULE, view, drive, &FIRMWARE_BROKE_DOWN, what, broken));
    }
    if !drive.model.is_seen() && !drive.capacity_bytes.is_seen() {
        return match &drive.model {
            Observed::Absent => Judgement::not_applicable(subject),
            // A drive that answered nothing at all is told by DRV-001.
            _ if asleep(drive) || !drive.health_passed.is_seen() => Judgement::not_applicable(subject),
            unread => Judgement::cannot_tell(subject, why_missing(drive, "its model", unread), false),
        };
    }
    let Some(known) = remembered(view, drive) else { return Judgement::clear(subject) };
    let model = known.model_now.as_ref().filter(|now| !same_model(&known.model, now));
    let size = known.capacity_bytes.zip(known.capacity_now_bytes);
    let from = drive.capacity_bytes.place().or(drive.model.place()).unwrap_or_default();
    let mut why: Vec<Evidence> = Vec::new();
    why.extend(
        model.map(|now| {
            told(fact(drive, "model"), format!("{now}, and {} in earlier runs", known.model), from)
        }),
    );
    match size {
        Some((before, now)) if now < before => {
            let path = fact(drive, "capacity_bytes");
            why.push(told(path, format!("{now}, and {before} in earlier runs"), from));
        }
        _ if model.is_some() => {}
        Some((before, now)) => {
            let why = format!("it shows {now} and {before} earlier: more of it is in use, which is no loss");
            return Judgement::exonerated(subject, why);
        }
        None => return Judgement::clear(subject),
    }
    why.extend(kernel_witness(view.facts, drive, &CHANGED));
    let little = size.is_none_or(|(before, now)| lost_percent(before, now) < HIDDEN_PERCENT);
    let verdict = if little && model.is_none() { Verdict::Watch } else { Verdict::Suspected };
    let title = match model {
        Some(_) => format!("The {subject} gives another model than before"),
        None => format!("The {subject} is smaller than before"),
    };
    let mut finding = finding(&RULE, view, drive, &IDENTITY_CHANGED, (verdict, title), why);
    if let Some(firmware) = &known.firmware_now {
        let value = format!("its firmware is {firmware} now: an update may change the name that it gives");
        finding.counter_evidence.push(told(fact(drive, "firmware"), value, from));
    }
    if size.is_some_and(|(before, now)| now < before) {
        let value =
            "a host-protected area (HPA), set by another system or a tool, hides a part in the same way";
        finding.counter_evidence.push(told(fact(drive, "capacity_bytes"), value, ""));
    }
    finding.advice = "Write nothing to the drive until it is clear what changed; keep the backup.".to_owned();
    finding.test = test(
        "Read model, firmware and size again after the next planned restart, and ask for a host-protected area (hdparm -N); the drive stays in its bay.",
        &[
            "A host-protected area accounts for the difference: a setting, no defect.",
            "The old values come back: the drive's firmware failed for a time; have it replaced.",
            "The new values stay and nobody updated or changed the drive: have it replaced.",
        ],
    );
    Judgement::found(subject, finding)
}

/// What only broken firmware says of a drive.
fn broken(drive: &Drive) -> Vec<Evidence> {
    let mut why = Vec::new();
    let plain = |model: &String| model.to_ascii_lowercase().replace([' ', '-', '_'], "");
    if drive.model.value().is_some_and(|m| BROKEN_NAMES.iter().any(|name| plain(m).starts_with(name))) {
        why.extend(seen(fact(drive, "model"), &drive.model));
    }
    if drive.serial.value().is_some_and(|serial| serial.starts_with(BROKEN_SERIAL)) {
        why.extend(seen(fact(drive, "serial"), &drive.serial));
    }
    let tiny = |size: &Bytes| size.0 > 0 && *size < NO_DRIVE_BELOW;
    if drive.capacity_bytes.value().is_some_and(tiny) {
        why.extend(seen(fact(drive, "capacity_bytes"), &drive.capacity_bytes));
    }
    why
}

fn remembered<'a>(view: &View<'a>, drive: &Drive) -> Option<&'a RememberedDrive> {
    let serial = drive.serial.value()?;
    view.facts.inventory.value()?.remembered_drives.iter().find(|known| known.serial == *serial)
}

/// Readers spell a model with or without its maker, in full or cut at 16 characters.
fn same_model(before: &str, now: &str) -> bool {
    let plain = |model: &str| -> String {
        let model = model.to_ascii_lowercase();
        let model = model.trim().trim_start_matches("ata ").to_owned();
        model.chars().filter(char::is_ascii_alphanumeric).collect()
    };
    let (before, now) = (plain(before), plain(now));
    before.contains(&now) || now.contains(&before)
}

/// How much of it is gone, in percent.
fn lost_percent(before: Bytes, now: Bytes) -> u64 {
    let lost = u128::from(before.0.saturating_sub(now.0)) * 100;
    u64::try_from(lost / u128::from(before.0.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, hdd, with_drives};
    use assay_bundle::facts::Facts;
    use assay_bundle::facts::inventory::Inventory;

    pub(crate) fn four() -> Four {
        let unread = Drive { model: Observed::NotCollected, ..hdd("sda", 1) };
        let none = Drive { model: Observed::Absent, ..hdd("sda", 1) };
        Four {
            fires: with_drives(vec![called("SATAFIRM   S11")]),
            clear: with_drives(vec![hdd("sda", 1)]),
            cannot_tell: with_drives(vec![unread]),
            not_applicable: Some(with_drives(vec![none])),
        }
    }

    fn called(model: &str) -> Drive {
        Drive { model: Observed::seen(model.to_owned(), "x"), ..hdd("sda", 1) }
    }

    fn sized(bytes: u64) -> Drive {
        Drive { capacity_bytes: Observed::seen(Bytes(bytes), "x"), ..hdd("sda", 1) }
    }

    #[test]
    fn broken_firmware_is_known_by_name_and_size() {
        let check = |drive, state: &str, says: &str| {
            crate::fixture::check(evaluate, &with_drives(vec![drive]), &[state], says);
        };
        check(called("SATAFIRM   S11"), "found, confirmed", "SATAFIRM");
        check(called("WDC WD40EFRX"), "clear", "");
        check(sized(8_388_608), "found, confirmed", "capacity_bytes");
        check(sized(0), "clear", "");
        check(sized(4_000_787_030_016), "clear", "");
        let serial = Observed::seen("BAD_CTX 00000150".to_owned(), "x");
        check(Drive { serial, ..hdd("sda", 1) }, "found, confirmed", "BAD_CTX");
    }

    #[test]
    fn against_what_earlier_runs_saw() {
        const WHOLE: u64 = 4_000_787_030_016;
        let check = |model: Option<&str>, size: Option<u64>, state: &str, says: &str| {
            let drive = sized(size.unwrap_or(WHOLE));
            let known = RememberedDrive {
                serial: "WD-WCC7K001".to_owned(),
                model: "WDC WD40EFRX-68N32N0".to_owned(),
                capacity_bytes: Some(Bytes(WHOLE)),
                model_now: model.map(str::to_owned),
                capacity_now_bytes: size.map(Bytes),
                ..RememberedDrive::default()
            };
            let inventory = Inventory { remembered_drives: vec![known], ..Inventory::default() };
            let inventory = Observed::seen(inventory, "state/inventory.json");
            let facts = Facts { inventory, ..with_drives(vec![drive]) };
            crate::fixture::check(evaluate, &facts, &[state], says);
        };
        check(None, None, "clear", "");
        check(Some("WD40EFRX-68N32N0"), None, "clear", "");
        check(Some("ATA WDC WD40EFRX-68"), None, "clear", "");
        check(Some("PHISON PS3111"), None, "found, suspected", "another model");
        check(None, Some(WHOLE - 1_000_000_000), "found, watch", "HPA");
        check(None, Some(2_000_000_000_000), "found, suspected", "smaller than before");
        check(None, Some(2_097_152), "found, confirmed", "broken down");
        check(None, Some(WHOLE + 1_000_000_000), "exonerated", "no loss");
    }
}
