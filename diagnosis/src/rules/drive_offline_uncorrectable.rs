//! DRV-011: drive's own scan found sectors that it could not read.

use assay_bundle::diagnosis::{Component, Verdict};
use assay_bundle::facts::drive::{Drive, SelfTestOutcome};
use assay_bundle::facts::history::Metric;

use crate::certainty::OFFLINE_UNCORRECTABLE;
use crate::counters::{
    Counted, EXTENDED_TEST, LOOK_AGAIN, counted, each, failed_test, finding, rose, untold, yields,
};
use crate::course::WEEK_S;
use crate::evidence::test;
use crate::rule::{Judgement, Rule};
use crate::rules::drive_pending_sectors::has_pending;
use crate::shared::Mark;
use crate::subject::{last_completed_test, name, test_evidence};
use crate::view::View;

/// From so many sectors on a drive is suspicious.
const SECTORS_FROM: u64 = 1;
/// Names of attribute 198 where it counts them, in small letters.
const NAMES: [&str; 3] = ["offline_uncorrectable", "uncorrectable_sector", "off_line_scan_uncorrectable"];

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-011",
    title: "Drive's own scan found unreadable sectors",
    component: Component::Drive,
    checks: "Sectors that the drive's offline scan could not read (attribute 198 where its name says so), where no sector is pending now; against its newest completed self-test.",
    why: "The drive found damage on its own surface. It updates this count only in a scan, so the damage may be healed since: a self-test tells.",
    what_to_do: "Back up the data, then run the drive's extended self-test: it reads the whole surface and decides.",
    threshold_source: "1 sector: Backblaze 2014 and 2019 (198 goes before most failures). Watched only where an extended self-test passed, because the count is old until the next scan; confirmed where one failed, which makers accept as proof.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    each(view, |drive| judge(view, drive))
}

fn judge(view: &View<'_>, drive: &Drive) -> Judgement {
    let subject = name(drive);
    let counter = match counted(drive, 198, &NAMES) {
        Counted::Count(counter) => counter,
        why => return untold(drive, why),
    };
    if counter.count < SECTORS_FROM {
        return Judgement::clear(subject);
    }
    // DRV-002 counts the very sectors and has this number in its evidence.
    if has_pending(drive) {
        return Judgement::not_applicable(subject);
    }
    if let Some(shared) = yields(view, drive, Mark::Media, "its unreadable sectors") {
        return shared;
    }
    let whole = |kind: &str| ["extended", "long"].iter().any(|word| kind.to_ascii_lowercase().contains(word));
    let passed =
        last_completed_test(drive).filter(|t| t.outcome == SelfTestOutcome::Passed && whole(&t.kind));
    let moved = rose(view.facts, drive, &counter, Some(Metric::Ata198), WEEK_S);
    let tested = failed_test(drive);
    let verdict = match (passed, &moved) {
        _ if tested.is_some() => Verdict::Confirmed,
        (Some(_), None) => Verdict::Watch,
        _ => Verdict::Suspected,
    };
    let mut why = vec![counter.evidence(drive, "sectors")];
    let rate = moved.as_ref().map(|m| m.rise.rate());
    why.extend(moved.map(|m| m.evidence));
    why.extend(tested);
    let noun = if counter.count == 1 { "sector" } else { "sectors" };
    let title = format!("The own scan of the {subject} found {} unreadable {noun}", counter.count);
    let mut finding = finding(&RULE, view, drive, &OFFLINE_UNCORRECTABLE, (verdict, title), why);
    finding.rate = rate;
    finding.counter_evidence.extend(passed.map(|t| test_evidence(drive, t)));
    if verdict == Verdict::Watch {
        finding.advice = "Nothing to do now: an extended self-test read the whole surface and passed. The count falls with the next offline scan; look again then.".to_owned();
        finding.test = test(
            LOOK_AGAIN,
            &["The count rises: treat the drive as suspicious.", "It stays or falls: the damage is history."],
        );
    } else if verdict == Verdict::Suspected {
        finding.test = test(
            EXTENDED_TEST,
            &[
                "The test fails: the drive is defective; its maker accepts the test as proof.",
                "The test passes: the count is old; watch it.",
            ],
        );
    }
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, hdd, self_test, with_drives};
    use assay_bundle::Observed;

    pub(crate) fn four() -> Four {
        Four {
            fires: with_drives(vec![with("Offline_Uncorrectable", 2, 0)]),
            clear: with_drives(vec![with("Offline_Uncorrectable", 0, 0)]),
            cannot_tell: with_drives(vec![Drive { ata_attributes: Observed::NotCollected, ..hdd("sda", 1) }]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    fn with(name: &str, sectors: u64, pending: u64) -> Drive {
        let rows = vec![attribute(197, "Current_Pending_Sector", pending), attribute(198, name, sectors)];
        Drive { ata_attributes: Observed::seen(rows, "cmd/smartctl.sat.sda/stdout"), ..hdd("sda", 3) }
    }

    #[test]
    fn a_self_test_tells_whether_it_is_old() {
        let check = |drive, state: &str, says: &str| {
            crate::fixture::check(evaluate, &with_drives(vec![drive]), &[state], says);
        };
        check(with("Offline_Uncorrectable", 0, 0), "clear", "");
        check(with("Offline_Uncorrectable", 1, 0), "found, suspected", "found 1 unreadable sector\"");
        check(with("Offline_Uncorrectable", 8, 8), "not applicable", "");
        check(with("Host_Reads_GiB", 900, 0), "exonerated", "Host_Reads_GiB");
        let tested = |kind: &str, outcome| Drive {
            self_tests: Observed::seen(vec![self_test(kind, outcome)], "x"),
            ..with("Offline_Uncorrectable", 8, 0)
        };
        check(tested("Extended offline", SelfTestOutcome::Passed), "found, watch", "read the whole surface");
        check(tested("Short offline", SelfTestOutcome::Passed), "found, suspected", "");
        check(tested("Extended offline", SelfTestOutcome::Failed), "found, confirmed", "");
    }
}
