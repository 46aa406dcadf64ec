//! DRV-005: drive returned errors that it could not correct.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::drive::{AtaErrorKind, Drive, Protocol};
use assay_bundle::facts::history::Metric;

use crate::certainty::{UNCORRECTABLE, UNCORRECTABLE_WITH_WITNESS};
use crate::counters::{
    Counted, EXTENDED_TEST, LOOK_AGAIN, counted, each, failed_test, finding, rose, untold, yields,
};
use crate::course::{Course, DAY_S, WEEK_S};
use crate::evidence::{test, told};
use crate::rule::{Judgement, Rule};
use crate::rules::drive_pending_sectors::{READ_FAILED, has_pending, kernel_witness};
use crate::rules::drive_self_test_failed::ATA_HOURS_WRAP;
use crate::shared::Mark;
use crate::subject::{fact, name};
use crate::view::View;

/// From so many errors on a drive is suspicious (Backblaze 2014 and 2016: replaced from the first one on).
const ERRORS_FROM: u64 = 1;
/// A count that was followed for so long and did not rise is watched only: the risk is highest within 60 days of an
/// error (Google, FAST 2007).
const QUIET_S: u64 = 60 * DAY_S;
/// Names of attribute 187 where it counts them, in small letters.
const NAMES: [&str; 2] = ["reported_uncorrect", "uncorrectable_error_c"];

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-005",
    title: "Drive returned errors that it could not correct",
    component: Component::Drive,
    checks: "Errors that an ATA drive reported to the host because it could not correct them: the device statistics, and attribute 187 where its name says so; with its course over earlier runs, the drive's error log and read errors of the kernel.",
    why: "Each of them was data that the drive could not give back; redundancy hid it. No other single counter predicts a failure as well, and drives with one are most likely to fail within weeks.",
    what_to_do: "Back up the data, then run the drive's extended self-test: it decides whether the medium is still damaged.",
    threshold_source: "1 error: Backblaze 2014 and 2016 (drives with attribute 187 above 0 are taken out). Confirmed when the count rises within 7 days while the kernel sees reads of the same drive fail, or when its self-test failed. Watched only after 60 days without another (Google, FAST 2007), and where the statistics alone count errors, because some makers count refused commands there.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    each(view, |drive| judge(view, drive))
}

fn judge(view: &View<'_>, drive: &Drive) -> Judgement {
    let (facts, subject) = (view.facts, name(drive));
    if matches!(drive.protocol.value(), Some(Protocol::Nvme | Protocol::Scsi)) {
        return Judgement::not_applicable(subject);
    }
    let statistic = match &drive.ata_statistics {
        Observed::Seen { value, from } => value.uncorrectable_errors.map(|n| (n, from.as_str())),
        _ => None,
    };
    let by_table = match (counted(drive, 187, &NAMES), statistic) {
        (Counted::Count(counter), _) => Some(counter),
        (_, Some(_)) => None,
        (why, None) => return untold(drive, why),
    };
    let mut counts: Vec<(u64, Evidence)> = Vec::new();
    counts.extend(by_table.as_ref().map(|c| (c.count, c.evidence(drive, "errors"))));
    counts.extend(statistic.map(|(n, from)| {
        (n, told(fact(drive, "ata_statistics.uncorrectable_errors"), format!("{n} errors"), from))
    }));
    let errors = counts.iter().map(|(n, _)| *n).max().unwrap_or(0);
    if errors < ERRORS_FROM {
        return Judgement::clear(subject);
    }
    let kernel = kernel_witness(facts, drive, &READ_FAILED);
    let (tested, logged) = (failed_test(drive), logged(drive));
    let recent = |(_, age_h): &(Evidence, Option<u64>)| age_h.is_none_or(|age| age <= QUIET_S / 3600);
    let seen = logged.as_ref().is_some_and(recent);
    let witnessed = kernel.is_some() || tested.is_some() || seen || unread_sectors(drive);
    let by_attribute = by_table.as_ref().map(|c| c.count).filter(|count| *count >= ERRORS_FROM);
    // The statistic alone: some makers count every error there that was reported, refused commands among them.
    let alone = by_attribute.is_none() && !witnessed;
    if alone && by_table.is_some() && logged.is_none() {
        let why = format!(
            "its statistics count {errors} uncorrectable errors, its attribute 187 counts none, and nothing else shows one: some makers count refused commands there"
        );
        return Judgement::exonerated(subject, why);
    }
    if let Some(shared) = yields(view, drive, Mark::Media, "its count of uncorrectable errors") {
        return shared;
    }
    let (counted, against): (Vec<_>, Vec<_>) = counts.into_iter().partition(|(n, _)| *n == errors);
    let mut why: Vec<Evidence> = counted.into_iter().map(|(_, e)| e).collect();
    let value = match &logged {
        Some(_) => {
            "only the statistic says so, and the newest read error of its log is over 60 days under power old"
        }
        None => {
            "only the statistic says so; some makers count refused commands there, and no read error is seen"
        }
    };
    why.extend(logged.map(|(evidence, _)| evidence));
    let moved = by_table.as_ref().and_then(|c| rose(facts, drive, c, Some(Metric::Ata187), WEEK_S));
    let quiet = by_table.as_ref().and_then(|c| match c.course(facts, drive, Metric::Ata187, QUIET_S) {
        Course::Still { followed_s } => followed_s.filter(|s| *s >= QUIET_S && kernel.is_none()),
        _ => None,
    });
    let (row, verdict) = match (tested.is_some() || (moved.is_some() && kernel.is_some()), quiet) {
        (true, _) => (&UNCORRECTABLE_WITH_WITNESS, Verdict::Confirmed),
        (false, quiet) if alone || quiet.is_some() => (&UNCORRECTABLE, Verdict::Watch),
        (false, _) => (&UNCORRECTABLE, Verdict::Suspected),
    };
    let rate = moved.as_ref().map(|m| m.rise.rate());
    why.extend(moved.map(|m| m.evidence));
    why.extend(kernel);
    why.extend(tested);
    let noun = if errors == 1 { "error" } else { "errors" };
    let title = format!("The {subject} returned {errors} {noun} that it could not correct");
    let mut finding = finding(&RULE, view, drive, row, (verdict, title), why);
    finding.rate = rate;
    finding.counter_evidence.extend(against.into_iter().map(|(_, e)| e));
    finding.counter_evidence.extend(quiet.map(|s| {
        told(
            fact(drive, "ata_attributes"),
            format!("did not rise in {} days", s / DAY_S),
            "state/recorder.jsonl",
        )
    }));
    if alone {
        finding.counter_evidence.push(told(fact(drive, "ata_statistics"), value, ""));
    }
    match verdict {
        Verdict::Confirmed => {
            finding.advice = "Back up the data now, then have the drive replaced by its own maker: the damage of its medium is proven.".to_owned();
        }
        Verdict::Suspected => {
            finding.test = test(
                EXTENDED_TEST,
                &[
                    "The test fails, or the count rises: the drive is defective.",
                    "The test passes and the count stays: an old error; keep the drive and watch it.",
                ],
            );
        }
        Verdict::Watch => {
            finding.advice =
                "Nothing to do now: nothing shows that it goes on. Keep backups, and look again when the count rises.".to_owned();
            finding.test = test(
                LOOK_AGAIN,
                &["The count rises: treat the drive as suspicious.", "It stays: the error is history."],
            );
        }
    }
    Judgement::found(subject, finding)
}

/// Whether the drive counts errors that it could not correct, by either source.
pub(crate) fn reports_uncorrectable(drive: &Drive) -> bool {
    let by_table =
        matches!(counted(drive, 187, &NAMES), Counted::Count(counter) if counter.count >= ERRORS_FROM);
    let statistics = drive.ata_statistics.value().and_then(|statistics| statistics.uncorrectable_errors);
    let by_pages = drive.scsi.value().and_then(|pages| pages.uncorrected_errors);
    by_table || statistics.or(by_pages).is_some_and(|errors| errors >= ERRORS_FROM)
}

/// Whether the table shows sectors that could not be read.
fn unread_sectors(drive: &Drive) -> bool {
    let offline = counted(drive, 198, &["offline_uncorrectable", "uncorrectable_sector"]);
    has_pending(drive) || matches!(offline, Counted::Count(counter) if counter.count > 0)
}

/// The newest error of the drive's own log that is about the medium, and how many hours under power ago it was. The
/// log's hours are 16 bits wide, so they begin anew every 65,536 hours.
fn logged(drive: &Drive) -> Option<(Evidence, Option<u64>)> {
    let Observed::Seen { value, from } = &drive.ata_errors else { return None };
    let error = value.iter().find(|e| e.kind == AtaErrorKind::Uncorrectable)?;
    let at = error.at_power_on_hours.map(|h| format!(" at {h} under power")).unwrap_or_default();
    let age_h = drive.power_on_hours.value().zip(error.at_power_on_hours);
    let age_h = age_h.and_then(|(now, at)| Some(now.0.checked_sub(at.0)? % ATA_HOURS_WRAP));
    let ago = age_h.map(|age| format!(", {age} h ago")).unwrap_or_default();
    let value = format!("the newest read error of its log was{at}{ago}");
    Some((told(fact(drive, "ata_errors"), value, from), age_h))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{
        Four, attribute, hdd, nvme, nvme_health, recorded, self_test, with_drives, with_log,
    };
    use assay_bundle::facts::drive::{AtaError, AtaStatistics, SelfTestOutcome};
    use assay_bundle::facts::kernel_log::KernelEvent;
    use assay_bundle::units::Hours;

    pub(crate) fn four() -> Four {
        Four {
            fires: with_drives(vec![with(3)]),
            clear: with_drives(vec![with(0)]),
            cannot_tell: with_drives(vec![Drive { ata_attributes: Observed::NotCollected, ..hdd("sda", 1) }]),
            not_applicable: Some(with_drives(vec![nvme("nvme0", nvme_health(0, 0, 0))])),
        }
    }

    fn with(errors: u64) -> Drive {
        let rows = vec![attribute(187, "Reported_Uncorrect", errors)];
        Drive { ata_attributes: Observed::seen(rows, "cmd/smartctl.sat.sda/stdout"), ..hdd("sda", 3) }
    }

    #[test]
    fn by_table_and_by_statistics() {
        let check = |drive, state: &str, says: &str| {
            crate::fixture::check(evaluate, &with_drives(vec![drive]), &[state], says);
        };
        check(with(0), "clear", "");
        check(with(1), "found, suspected", "returned 1 error that");
        check(hdd("sda", 1), "not applicable", "");
        let statistics = |n| {
            Observed::seen(AtaStatistics { uncorrectable_errors: Some(n), ..AtaStatistics::default() }, "x")
        };
        check(Drive { ata_statistics: statistics(0), ..hdd("sda", 1) }, "clear", "");
        check(Drive { ata_statistics: statistics(2), ..hdd("sda", 1) }, "found, watch", "only the statistic");
        check(Drive { ata_statistics: statistics(0), ..with(2) }, "found, suspected", "0 errors");
        check(Drive { ata_statistics: statistics(9), ..with(0) }, "exonerated", "refused commands");
        let logged = |at| {
            let unread = AtaError {
                number: Some(1),
                kind: AtaErrorKind::Uncorrectable,
                at_power_on_hours: Some(Hours(at)),
                text: String::new(),
                lba: None,
            };
            Drive {
                ata_statistics: statistics(2),
                ata_errors: Observed::seen(vec![unread], "x"),
                ..hdd("sda", 1)
            }
        };
        check(logged(19_999), "found, suspected", "at 19999 h under power, 1 h ago");
        check(logged(9_000), "found, watch", "over 60 days under power old");
        let failed = vec![self_test("Extended offline", SelfTestOutcome::Failed)];
        let failed = Drive { self_tests: Observed::seen(failed, "x"), ..with(2) };
        check(failed, "found, confirmed", "first failing sector");
    }

    #[test]
    fn a_rise_with_failed_reads_is_proof() {
        const NOW: i64 = 1_700_000_100;
        const DAY: i64 = 86_400;
        let unread = || KernelEvent {
            signature: "ata-uncorrectable".to_owned(),
            subject: Some("sda".to_owned()),
            repeats: 1,
            line: 4,
            ..KernelEvent::default()
        };
        let check = |points: &[(i64, u32, Option<i64>)], events, state: &str, says: &str| {
            let drive = with(5);
            let facts = recorded(with_drives(vec![drive.clone()]), &drive, Metric::Ata187, points);
            crate::fixture::check(evaluate, &with_log(facts, events), &[state], says);
        };
        let rose = [(NOW - 3 * DAY, 0, Some(1))];
        check(&rose, vec![unread()], "found, confirmed", "rose from 1 to 5");
        check(&rose, Vec::new(), "found, suspected", "rose from 1 to 5");
        let still = [(NOW - 90 * DAY, 0, Some(5))];
        check(&still, Vec::new(), "found, watch", "did not rise in 90 days");
        check(&still, vec![unread()], "found, suspected", "");
        check(&[(NOW - 9 * DAY, 0, Some(5))], Vec::new(), "found, suspected", "");
    }
}
