//! DRV-007: hard disk needed several tries to start.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Verdict};
use assay_bundle::facts::drive::{Drive, Medium, Protocol};

use crate::certainty::{SPIN_RETRY, SPIN_RETRY_SEVERAL};
use crate::counters::{Counted, counted, each, finding, untold, yields};
use crate::evidence::{test, told};
use crate::rule::{Judgement, Rule};
use crate::shared::Mark;
use crate::subject::{fact, name};
use crate::view::View;

/// From so many retries on a disk is suspicious (Backblaze 2014: disks with one fail about ten times as often; 10 of
/// 30,590 disks in a field sample had any).
const RETRIES_FROM: u64 = 1;
/// So many disks of one chassis with retries point at their supply.
const SEVERAL: usize = 2;

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-007",
    title: "Hard disk needed several tries to start",
    component: Component::Drive,
    checks: "Starts of a hard disk's motor that failed and were tried again: attribute 10 where its name says so, else the device statistics; and whether other disks of the same chassis show it too.",
    why: "A motor that does not start is either worn or lacks current. One disk alone is probably worn and may not start after the next power cycle; several at once are starved by the power supply.",
    what_to_do: "Back up the data before the unit is switched off again: a disk that fails to start takes its data with it.",
    threshold_source: "1 retry: Backblaze 2014, and its rarity in the field (1 disk in 3,000). 2 disks of one chassis as the sign of its supply: judgement.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let starved = |drive: &Drive| {
        let all = view.facts.drives.value().into_iter().flatten();
        let same = all.filter(|d| d.enclosure.value().unwrap_or(&0) == drive.enclosure.value().unwrap_or(&0));
        same.filter(|d| matches!(retries(d), Ok((n, _)) if n >= RETRIES_FROM)).count() >= SEVERAL
    };
    each(view, |drive| judge(view, drive, starved))
}

/// How many, and the evidence; or why that is not told.
fn retries(drive: &Drive) -> Result<(u64, assay_bundle::diagnosis::Evidence), Judgement> {
    if matches!(drive.protocol.value(), Some(Protocol::Nvme | Protocol::Scsi))
        || drive.medium.value() == Some(&Medium::Ssd)
    {
        return Err(Judgement::not_applicable(name(drive)));
    }
    let statistic = match &drive.ata_statistics {
        Observed::Seen { value, from } => value.mechanical_start_failures.map(|n| (n, from.as_str())),
        _ => None,
    };
    match (counted(drive, 10, &["spin_retry"]), statistic) {
        (Counted::Count(counter), _) => Ok((counter.count, counter.evidence(drive, "retries"))),
        (_, Some((n, from))) => {
            let path = fact(drive, "ata_statistics.mechanical_start_failures");
            Ok((n, told(path, format!("{n} failed starts"), from)))
        }
        (why, None) => Err(untold(drive, why)),
    }
}

fn judge(view: &View<'_>, drive: &Drive, starved: impl Fn(&Drive) -> bool) -> Judgement {
    let (count, why) = match retries(drive) {
        Ok(told) => told,
        Err(judgement) => return judgement,
    };
    let subject = name(drive);
    if count < RETRIES_FROM {
        return Judgement::clear(subject);
    }
    if let Some(shared) = yields(view, drive, Mark::Power, "its failed starts") {
        return shared;
    }
    let several = starved(drive);
    let row = if several { &SPIN_RETRY_SEVERAL } else { &SPIN_RETRY };
    let tries = if count == 1 { "one start" } else { "several starts" };
    let title = format!("The motor of the {subject} failed {tries}");
    let mut finding = finding(&RULE, view, drive, row, (Verdict::Suspected, title), vec![why]);
    if several {
        let value = "other disks of the same chassis failed to start too: look at their power supply first";
        finding.counter_evidence.push(told("drives", value, ""));
        finding.advice =
            "Back up the data, then have the power supply checked before any disk is replaced.".to_owned();
    }
    finding.test = test(
        "With a backup made, run the disk's short self-test and read the count again after the next planned restart; the disk stays in its bay.",
        &[
            "The test fails: the disk is defective; its maker accepts the test as proof.",
            "The count rises on this disk alone: its motor is worn; have it replaced.",
            "The count rises on several disks: the power supply does not carry their start.",
            "The count stays: a single event, such as a dip of the mains; watch it.",
        ],
    );
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, hdd, with_drives};
    use assay_bundle::facts::drive::AtaStatistics;

    pub(crate) fn four() -> Four {
        Four {
            fires: with_drives(vec![with("sda", 1, 2)]),
            clear: with_drives(vec![with("sda", 1, 0)]),
            cannot_tell: with_drives(vec![Drive { ata_attributes: Observed::NotCollected, ..hdd("sda", 1) }]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    fn with(device: &str, bay: u32, retries: u64) -> Drive {
        let rows = vec![attribute(10, "Spin_Retry_Count", retries)];
        Drive { ata_attributes: Observed::seen(rows, "cmd/smartctl.sat.sda/stdout"), ..hdd(device, bay) }
    }

    #[test]
    fn one_is_worn_and_several_are_starved() {
        let check = |drives, states: &[&str], says: &str| {
            crate::fixture::check(evaluate, &with_drives(drives), states, says);
        };
        check(vec![with("sda", 1, 0)], &["clear"], "");
        check(vec![with("sda", 1, 1), with("sdb", 2, 0)], &["found, suspected", "clear"], "failed one start");
        let both = vec![with("sda", 1, 1), with("sdb", 2, 7)];
        check(both.clone(), &["found, suspected", "found, suspected"], "power supply first");
        let apart = Drive { enclosure: Observed::seen(32, "x"), ..with("sdb", 2, 7) };
        check(
            vec![with("sda", 1, 1), apart],
            &["found, suspected", "found, suspected"],
            "counter_evidence: []",
        );
        let flash = Drive { medium: Observed::seen(Medium::Ssd, "x"), ..with("sda", 1, 7) };
        check(vec![flash], &["not applicable"], "");
        let failed = AtaStatistics { mechanical_start_failures: Some(3), ..AtaStatistics::default() };
        let drive = Drive { ata_statistics: Observed::seen(failed, "x"), ..hdd("sda", 1) };
        check(vec![drive], &["found, suspected"], "3 failed starts");
    }
}
