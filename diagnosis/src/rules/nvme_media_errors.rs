//! NVM-001: NVMe drive lost data.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::drive::{Drive, NvmeMediaError, Protocol, SelfTestOutcome};
use assay_bundle::facts::history::Metric;

use crate::certainty::{FLASH_LOSES_DATA, FLASH_LOST_DATA};
use crate::course::{self, Course, WEEK_S};
use crate::evidence::{test, told};
use crate::health::{is_copy, says_failing};
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Rule, over};
use crate::shared::Mark;
use crate::subject::{asleep, fact, identity, last_completed_test, name, sorted, suspects, why_missing};
use crate::view::View;

/// From so many errors a drive is suspicious: 51 of 66,776 drives of a published collection of server reports count
/// any, and 42 of these still call themselves well.
const SUSPECTED_FROM: u128 = 1;
/// Signatures of the kernel log that say that a read of the medium failed.
const READ_FAILED: [&str; 2] = ["nvme-media-error", "medium-error"];
/// Most entries of the drive's own log that a finding shows.
const MOST_ENTRIES: usize = 3;

/// The rule.
pub static RULE: Rule = Rule {
    code: "NVM-001",
    title: "NVMe drive lost data",
    component: Component::Drive,
    checks: "The count of media and data integrity errors of each NVMe drive and its course over earlier runs, with the entries of its error log that are of the medium and failed reads of the kernel log.",
    why: "Each of these errors is data that the drive could not give back, and most drives that count them still call themselves well.",
    what_to_do: "Back up the data, scrub the pool or array so that good copies overwrite the bad ones, and read the count again.",
    threshold_source: "More than 0 is suspected, a count that rises or that the kernel log sees at work confirms: NVMe base specification, log page 02h, media and data integrity errors; Schroeder et al. (USENIX FAST 2016).",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    over(&view.facts.drives, "drives", false, |drives| {
        sorted(drives).into_iter().map(|drive| judge(view, drive)).collect()
    })
}

/// Whether an entry of the error log is about the medium: write fault, unrecovered read and failed end-to-end checks.
/// A failed compare, a denied access and a block that was never written are of the same type and no defect.
pub(crate) fn is_medium(entry: &NvmeMediaError) -> bool {
    matches!(entry.status_code, 0x80..=0x84)
}

/// The entries of the drive's error log that are of the medium.
pub(crate) fn entries(drive: &Drive) -> Vec<Evidence> {
    let Observed::Seen { value, from } = &drive.nvme_media_errors else { return Vec::new() };
    let word = |entry: &NvmeMediaError| {
        let what = match entry.status_code {
            0x80 => "write fault",
            0x81 => "unrecovered read",
            _ => "failed end-to-end check",
        };
        let lba = entry.lba.map(|lba| format!(" of sector {lba}")).unwrap_or_default();
        told(fact(drive, "nvme_media_errors"), format!("error {}: {what}{lba}", entry.error_count), from)
    };
    value.iter().filter(|e| is_medium(e)).take(MOST_ENTRIES).map(word).collect()
}

fn judge(view: &View<'_>, drive: &Drive) -> Judgement {
    let facts = view.facts;
    let subject = name(drive);
    if drive.protocol.value() != Some(&Protocol::Nvme) {
        return Judgement::not_applicable(subject);
    }
    let (health, from) = match &drive.nvme {
        Observed::Seen { value, from } => (value, from),
        _ if asleep(drive) => return Judgement::not_applicable(subject),
        other => return Judgement::cannot_tell(subject, why_missing(drive, "its health log", other), false),
    };
    let Some(errors) = health.media_errors else {
        return Judgement::cannot_tell(subject, "its health log has no count of media errors", false);
    };
    let kernel: Vec<Evidence> = view
        .log
        .of_kind(&READ_FAILED)
        .filter(|h| h.is_about(drive))
        .take(MOST_ENTRIES)
        .map(|h| h.evidence())
        .collect();
    if errors < SUSPECTED_FROM && kernel.is_empty() {
        return Judgement::clear(subject);
    }
    let failed_test = last_completed_test(drive).is_some_and(|t| t.outcome == SelfTestOutcome::Failed);
    if let Some(shared) = view.shares(drive, Mark::Media)
        && !says_failing(drive)
        && !failed_test
    {
        let why = format!(
            "failed to read in the same moment as others, which yields to SHR-001: {}",
            shared.ancestor
        );
        return Judgement::exonerated(subject, why);
    }
    let path = fact(drive, "nvme.media_errors");
    let now = u64::try_from(errors).ok();
    let course = course::of_drive(facts, drive, Metric::NvmeMediaErrors, now, WEEK_S);
    let rise = course.rise_within(WEEK_S);
    let goes_on = rise.is_some() || !kernel.is_empty();
    // One failed read that the drive itself does not count is a witness without the drive's word.
    let confirmed = (rise.is_some() || !kernel.is_empty() && errors > 0) && !is_copy(from);
    let verdict = if confirmed { Verdict::Confirmed } else { Verdict::Suspected };
    let mut evidence = identity(drive);
    evidence.push(told(path.clone(), format!("{errors} errors"), from));
    evidence.extend(rise.map(|rise| rise.evidence(path.clone())));
    evidence.extend(entries(drive));
    evidence.extend(kernel);
    let plural = if errors == 1 { "error" } else { "errors" };
    let title = format!("The {subject} counts {errors} {plural} of data that it could not give back");
    let row = if goes_on { &FLASH_LOSES_DATA } else { &FLASH_LOST_DATA };
    let mut finding = RULE.finding(verdict, title, suspects(row, drive), evidence);
    finding.rate = rise.map(course::Rise::rate);
    match &course {
        Course::Still { followed_s: Some(seconds) } if *seconds > WEEK_S => {
            let days = seconds / course::DAY_S;
            finding.counter_evidence.push(told(
                path,
                format!("has not risen for {days} days"),
                "state/recorder.jsonl",
            ));
        }
        Course::Still { .. } | Course::NotFollowed(_) if rise.is_none() => {
            finding.counter_evidence.push(told(path, "whether it rises is not known yet", ""));
        }
        _ => {}
    }
    if is_copy(from) {
        finding.counter_evidence.push(told(
            fact(drive, "nvme"),
            "only QTS's copy says so; its format is known from samples, so this is no proof",
            from,
        ));
    }
    if verdict == Verdict::Confirmed {
        finding.advice =
            "Back up the data now, then have the drive replaced by its own maker: it goes on losing data."
                .to_owned();
    } else {
        finding.test = test(
            "With a backup made, scrub the pool or array, run the drive's extended self-test and read the count again after a day; the drive stays in its bay.",
            &[
                "The count rises or the test fails: the drive is defective.",
                "Neither: data was lost once, as a power loss can do; watch it.",
            ],
        );
    }
    finding.safe_to_remove = Some(safe_to_remove(facts, drive));
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::log::event;
    use crate::fixture::{Four, hdd, nvme, nvme_health, recorded, with_drives, with_log};
    use assay_bundle::facts::Facts;

    const NOW: i64 = 1_700_000_100;

    fn counting(errors: u128) -> Drive {
        nvme("nvme0", nvme_health(0, 3, errors))
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: with_drives(vec![counting(7)]),
            clear: with_drives(vec![counting(0)]),
            cannot_tell: with_drives(vec![Drive { nvme: Observed::NotCollected, ..counting(0) }]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    fn check(facts: &Facts, state: &str, says: &str) {
        crate::fixture::check(evaluate, facts, &[state], says);
    }

    #[test]
    fn a_count_suspects_and_its_rise_confirms() {
        let one = |errors| with_drives(vec![counting(errors)]);
        check(&one(0), "clear", "");
        check(&one(1), "found, suspected", "counts 1 error of data");
        check(&one(7), "found, suspected", "whether it rises is not known yet");
        let since = |days: i64, value| {
            recorded(one(7), &counting(7), Metric::NvmeMediaErrors, &[(NOW - days * 86_400, 0, Some(value))])
        };
        check(&since(2, 3), "found, confirmed", "rose from 3 to 7");
        check(&since(90, 7), "found, suspected", "has not risen for 90 days");
        check(&since(90, 3), "found, suspected", "");
    }

    #[test]
    fn the_kernel_sees_it_at_work() {
        let read = |errors, subject: &str| {
            with_log(with_drives(vec![counting(errors)]), vec![event("nvme-media-error", subject, 500)])
        };
        check(&read(7, "nvme0n1"), "found, confirmed", "nvme-media-error");
        check(&read(0, "nvme0n1"), "found, suspected", "");
        check(&read(7, "nvme1n1"), "found, suspected", "");
        check(&read(0, "nvme1n1"), "clear", "");
    }

    #[test]
    fn its_own_log_is_shown_and_a_copy_is_no_proof() {
        let entry =
            |status_code| NvmeMediaError { error_count: 9, status_code, lba: Some(77), namespace: None };
        let drive =
            Drive { nvme_media_errors: Observed::seen(vec![entry(0x81), entry(0x85)], "x"), ..counting(7) };
        check(&with_drives(vec![drive]), "found, suspected", "unrecovered read of sector 77");
        let copied =
            Drive { nvme: Observed::seen(nvme_health(0, 3, 7), "tmp/smart/smart_0_1.info"), ..counting(7) };
        let facts = with_drives(vec![copied.clone()]);
        let facts = recorded(facts, &copied, Metric::NvmeMediaErrors, &[(NOW - 86_400, 0, Some(3))]);
        check(&facts, "found, suspected", "only QTS's copy");
    }

    #[test]
    fn several_in_one_moment_share_a_cause() {
        let other = Drive { bay: Observed::seen(2, "x"), ..nvme("nvme1", nvme_health(0, 3, 1)) };
        let facts = with_log(
            with_drives(vec![counting(1), other]),
            vec![event("nvme-media-error", "nvme0n1", 500), event("nvme-media-error", "nvme1n1", 501)],
        );
        crate::fixture::check(evaluate, &facts, &["exonerated", "exonerated"], "yields to SHR-001");
    }
}
