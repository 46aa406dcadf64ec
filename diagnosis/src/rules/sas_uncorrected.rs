//! SAS-002: SAS drive could not correct errors.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::drive::{BackgroundDefect, Drive, Protocol, ScsiHealth};
use assay_bundle::facts::history::Metric;

use crate::certainty::{FLASH_LOSES_DATA, FLASH_LOST_DATA};
use crate::course::{self, WEEK_S};
use crate::evidence::{test, told};
use crate::health::says_failing;
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Rule, over};
use crate::shared::Mark;
use crate::subject::{asleep, fact, identity, name, sorted, suspects, why_missing};
use crate::view::View;

/// From so many errors a drive is suspicious.
const SUSPECTED_FROM: u64 = 1;

/// Sense key "medium error" (SPC).
const MEDIUM: u8 = 3;

/// The rule.
pub static RULE: Rule = Rule {
    code: "SAS-002",
    title: "SAS drive could not correct errors",
    component: Component::Drive,
    checks: "The total of uncorrected read, write and verify errors of each SAS drive and its course over earlier runs, with sectors that its background scan found unreadable. Corrected errors of any number are normal and are not looked at; errors that are not of the medium are the cable's or the host's.",
    why: "An uncorrected error is data that the drive could not give back or could not store.",
    what_to_do: "Back up the data, run the drive's extended self-test and a scrub of the array, and read the count again.",
    threshold_source: "More than 0 is suspected, a rise within a week confirms: SCSI SPC, error counter log pages, total uncorrected errors. Modern drives correct errors all the time, so that their corrected counts run into billions on sound ones.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    over(&view.facts.drives, "drives", false, |drives| {
        sorted(drives).into_iter().map(|drive| judge(view, drive)).collect()
    })
}

fn judge(view: &View<'_>, drive: &Drive) -> Judgement {
    let facts = view.facts;
    let subject = name(drive);
    if drive.protocol.value() != Some(&Protocol::Scsi) || asleep(drive) {
        return Judgement::not_applicable(subject);
    }
    let (pages, from) = match &drive.scsi {
        Observed::Seen { value, from } => (value, from),
        Observed::Absent => return Judgement::not_applicable(subject),
        other => return Judgement::cannot_tell(subject, why_missing(drive, "its log pages", other), false),
    };
    let waiting = waiting(drive);
    let Some(errors) = pages.uncorrected_errors else { return Judgement::not_applicable(subject) };
    if errors < SUSPECTED_FROM && waiting.is_none() {
        return Judgement::clear(subject);
    }
    if let Some(shared) = view.shares(drive, Mark::Media)
        && !says_failing(drive)
    {
        let why = format!(
            "failed to read in the same moment as others, which yields to SHR-001: {}",
            shared.ancestor
        );
        return Judgement::exonerated(subject, why);
    }
    let path = fact(drive, "scsi.uncorrected_errors");
    let course = course::of_drive(facts, drive, Metric::ScsiUncorrected, Some(errors), WEEK_S);
    let rise = course.rise_within(WEEK_S);
    let verdict = if rise.is_some() { Verdict::Confirmed } else { Verdict::Suspected };
    let row = if rise.is_some() { &FLASH_LOSES_DATA } else { &FLASH_LOST_DATA };
    let mut evidence = identity(drive);
    evidence.push(told(path.clone(), in_words(errors, pages), from));
    evidence.extend(rise.map(|rise| rise.evidence(path.clone())));
    evidence.extend(waiting);
    let plural = if errors == 1 { "error" } else { "errors" };
    let title = match errors {
        0 => format!("The background scan of the {subject} found sectors that it cannot read"),
        _ => format!("The {subject} could not correct {errors} {plural}"),
    };
    let mut finding = RULE.finding(verdict, title, suspects(row, drive), evidence);
    finding.rate = rise.map(course::Rise::rate);
    match rise {
        Some(_) => {
            finding.advice = "Back up the data now, then have the drive replaced by its own maker: it goes on losing data.".to_owned();
        }
        None => {
            let words =
                "whether it rises is not known, or it has not risen for a week: old errors may be healed";
            finding.counter_evidence.push(told(path, words, ""));
            finding.test = test(
                "With a backup made, scrub the array, run the drive's extended self-test and read the count again after a day; the drive stays in its bay.",
                &[
                    "The count rises or the test fails: the drive is defective.",
                    "Neither: the sectors were rewritten and are sound; watch it.",
                ],
            );
        }
    }
    finding.safe_to_remove = Some(safe_to_remove(facts, drive));
    Judgement::found(subject, finding)
}

fn in_words(errors: u64, pages: &ScsiHealth) -> String {
    let parts = [
        (pages.uncorrected_read_errors, "reads"),
        (pages.uncorrected_write_errors, "writes"),
        (pages.uncorrected_verify_errors, "verifies"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter_map(|(count, what)| count.filter(|n| *n > 0).map(|n| format!("{n} {what}")))
        .collect();
    if parts.is_empty() { format!("{errors}") } else { format!("{errors} ({})", parts.join(", ")) }
}

/// Sectors that the background scan could not read and that wait to be rewritten.
fn waiting(drive: &Drive) -> Option<Evidence> {
    let Observed::Seen { value, from } = &drive.scsi_background_defects else { return None };
    let lost: Vec<&BackgroundDefect> =
        value.iter().filter(|d| d.needs_reassignment && d.sense_key == MEDIUM).collect();
    let first = lost.first()?;
    let value = format!("{} sectors unreadable, the first is {}", lost.len(), first.lba);
    Some(told(fact(drive, "scsi_background_defects"), value, from))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, hdd, recorded, sas, with_drives};

    const NOW: i64 = 1_700_000_100;

    fn with(errors: Option<u64>) -> Drive {
        let pages = ScsiHealth {
            uncorrected_errors: errors,
            uncorrected_read_errors: errors,
            non_medium_errors: Some(1_201),
            ..ScsiHealth::default()
        };
        Drive { scsi: Observed::seen(pages, "cmd/smartctl.scsi.sda/stdout"), ..sas("sda", 0, 0, true) }
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: with_drives(vec![with(Some(3))]),
            clear: with_drives(vec![with(Some(0))]),
            cannot_tell: with_drives(vec![Drive { scsi: Observed::NotCollected, ..with(None) }]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    #[test]
    fn a_count_suspects_and_its_rise_confirms() {
        let check = |now, before: Option<(i64, i64)>, state: &str, says: &str| {
            let drive = with(Some(now));
            let mut facts = with_drives(vec![drive.clone()]);
            if let Some((days, value)) = before {
                let points = [(NOW - days * 86_400, 0, Some(value))];
                facts = recorded(facts, &drive, Metric::ScsiUncorrected, &points);
            }
            crate::fixture::check(evaluate, &facts, &[state], says);
        };
        check(0, None, "clear", "");
        check(1, None, "found, suspected", "could not correct 1 error\"");
        check(3, Some((60, 3)), "found, suspected", "3 (3 reads)");
        check(3, Some((2, 1)), "found, confirmed", "rose from 1 to 3");
        check(3, Some((60, 1)), "found, suspected", "");
    }

    #[test]
    fn what_the_background_scan_found() {
        let defect = |sense_key, needs_reassignment| BackgroundDefect {
            lba: 77,
            at_power_on_hours: None,
            sense_key,
            asc: 0x11,
            ascq: 0,
            needs_reassignment,
        };
        for (defects, state) in
            [(vec![defect(3, true)], "found, suspected"), (vec![defect(3, false), defect(1, true)], "clear")]
        {
            let drive = Drive { scsi_background_defects: Observed::seen(defects, "x"), ..with(Some(0)) };
            crate::fixture::check(evaluate, &with_drives(vec![drive]), &[state], "");
        }
    }
}
