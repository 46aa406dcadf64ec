//! DRV-010: drive lets commands time out.

use assay_bundle::diagnosis::{Component, Verdict};
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::history::Metric;

use crate::certainty::{COMMAND_TIMEOUTS, COMMAND_TIMEOUTS_WITNESSED};
use crate::counters::{Counted, counted, each, finding, rose, untold, yields};
use crate::course::WEEK_S;
use crate::evidence::test;
use crate::rule::{Judgement, Rule};
use crate::rules::drive_pending_sectors::kernel_witness;
use crate::shared::Mark;
use crate::subject::name;
use crate::view::View;

/// Signatures of the kernel log that say that a command was not answered in time.
const NO_ANSWER: [&str; 3] = ["ata-timeout", "timeout-error", "scsi-task-abort"];

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-010",
    title: "Drive lets commands time out",
    component: Component::Drive,
    checks: "Commands that an ATA drive did not finish in time (attribute 188 where its name says so, unpacked): whether the count rose within a week, and whether the kernel saw commands to the same drive time out.",
    why: "A drive that stops answering is dropped from its array sooner or later. The same mark comes from a bad contact, a weak supply or a slow drive, so a rise alone proves nothing.",
    what_to_do: "Back up the data, and look at the kernel log and at the drive's neighbours before replacing anything.",
    threshold_source: "Any rise within 7 days (judgement); with time-outs in the kernel's log of the same drive, suspicious. The count over life never fires: it keeps every cable that was ever loose, and makers pack three numbers into it.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    each(view, |drive| judge(view, drive))
}

fn judge(view: &View<'_>, drive: &Drive) -> Judgement {
    let (facts, subject) = (view.facts, name(drive));
    let counter = match counted(drive, 188, &["command_timeout"]) {
        Counted::Count(counter) => counter,
        why => return untold(drive, why),
    };
    if counter.count == 0 {
        return Judgement::clear(subject);
    }
    let moved = rose(facts, drive, &counter, Some(Metric::Ata188), WEEK_S);
    let kernel = kernel_witness(facts, drive, &NO_ANSWER);
    let (row, verdict) = match (&moved, &kernel) {
        (Some(_), Some(_)) => (&COMMAND_TIMEOUTS_WITNESSED, Verdict::Suspected),
        (None, None) => {
            let why = format!(
                "its {} timed-out commands are a count over its life, and no rise is seen: that says nothing about now",
                counter.count
            );
            return Judgement::exonerated(subject, why);
        }
        _ => (&COMMAND_TIMEOUTS, Verdict::Watch),
    };
    if let Some(shared) = yields(view, drive, Mark::Timeout, "its timed-out commands") {
        return shared;
    }
    let mut why = vec![counter.evidence(drive, "commands")];
    let rate = moved.as_ref().map(|m| m.rise.rate());
    why.extend(moved.map(|m| m.evidence));
    why.extend(kernel);
    let title = format!("The {subject} lets commands time out");
    let mut finding = finding(&RULE, view, drive, row, (verdict, title), why);
    finding.rate = rate;
    finding.test = test(
        "With a backup made, run the drive's extended self-test, which uses no cable, and watch the count for a week; the drive stays in its bay.",
        &[
            "The test fails or does not end: the drive is defective.",
            "The test passes and the count rises, here alone: the contact of this bay or the drive's electronics; have the bay looked at first.",
            "The count rises on several drives: what they share (supply, controller, backplane).",
            "The count stays: a single event; nothing to do.",
        ],
    );
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, hdd, recorded, with_drives, with_log};
    use assay_bundle::Observed;
    use assay_bundle::facts::drive::AtaAttribute;
    use assay_bundle::facts::kernel_log::KernelEvent;

    pub(crate) fn four() -> Four {
        Four {
            fires: with_log(with_drives(vec![with(3)]), vec![timeout()]),
            clear: with_drives(vec![with(0)]),
            cannot_tell: with_drives(vec![Drive { ata_attributes: Observed::NotCollected, ..hdd("sda", 1) }]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    fn timeout() -> KernelEvent {
        KernelEvent {
            signature: "ata-timeout".to_owned(),
            subject: Some("sda".to_owned()),
            repeats: 1,
            ..KernelEvent::default()
        }
    }

    fn with(commands: u64) -> Drive {
        let rows = vec![attribute(188, "Command_Timeout", commands)];
        Drive { ata_attributes: Observed::seen(rows, "cmd/smartctl.sat.sda/stdout"), ..hdd("sda", 3) }
    }

    #[test]
    fn a_count_over_life_says_nothing() {
        const NOW: i64 = 1_700_000_100;
        const DAY: i64 = 86_400;
        let check = |drive: Drive, before: Option<i64>, events, state: &str, says: &str| {
            let mut facts = with_log(with_drives(vec![drive.clone()]), events);
            if let Some(before) = before {
                facts = recorded(facts, &drive, Metric::Ata188, &[(NOW - 3 * DAY, 0, Some(before))]);
            }
            crate::fixture::check(evaluate, &facts, &[state], says);
        };
        check(with(900), None, Vec::new(), "exonerated", "over its life");
        check(with(900), Some(900), Vec::new(), "exonerated", "no rise");
        check(with(900), Some(890), Vec::new(), "found, watch", "rose from 890 to 900");
        check(with(900), Some(890), vec![timeout()], "found, suspected", "ata-timeout");
        check(with(900), Some(900), vec![timeout()], "found, watch", "ata-timeout");
        check(with(0), None, vec![timeout()], "clear", "");
        let row = AtaAttribute { decoded: Some(22), ..attribute(188, "Command_Timeout", 94_490_722_326) };
        let packed = Drive { ata_attributes: Observed::seen(vec![row], "x"), ..hdd("sda", 3) };
        check(packed, None, Vec::new(), "exonerated", "its 22 timed-out");
    }
}
