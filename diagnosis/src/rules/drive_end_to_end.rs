//! DRV-008: drive damaged data on its own way.

use assay_bundle::diagnosis::{Component, Verdict};
use assay_bundle::facts::drive::Drive;

use crate::certainty::END_TO_END;
use crate::counters::{Counted, counted, each, finding, predicts, rose, untold};
use crate::course::WEEK_S;
use crate::evidence::{test, told};
use crate::health::{fails_now, is_copy};
use crate::rule::{Judgement, Rule};
use crate::subject::{fact, name};
use crate::view::View;

/// From so many errors on a drive is suspicious: makers set the threshold of this attribute so that 1 to 3 reach it.
const ERRORS_FROM: u64 = 1;

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-008",
    title: "Drive damaged data inside itself",
    component: Component::Drive,
    checks: "Errors between a drive's interface and its medium, found by its own parity: attribute 184 where its name says so, its threshold, and its course in QTS's event log.",
    why: "The data was right on the cable and wrong behind it: the drive's own memory or controller damages it. That may reach the data without a word, and no cable explains it.",
    what_to_do: "Back up the data and compare it with an older backup, then have the drive replaced.",
    threshold_source: "1 error: makers put the threshold at 97 to 99 of 100, so that 1 to 3 errors reach it. Defective at that threshold; where the drive counts it as a prediction DRV-001 says so.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    each(view, |drive| judge(view, drive))
}

fn judge(view: &View<'_>, drive: &Drive) -> Judgement {
    let subject = name(drive);
    let counter = match counted(drive, 184, &["end_to_end"]) {
        Counted::Count(counter) => counter,
        why => return untold(drive, why),
    };
    if predicts(counter.row, counter.from) {
        return Judgement::not_applicable(subject);
    }
    if counter.count < ERRORS_FROM {
        return Judgement::clear(subject);
    }
    let at_limit = fails_now(counter.row) && !is_copy(counter.from);
    let verdict = if at_limit { Verdict::Confirmed } else { Verdict::Suspected };
    let mut why = vec![counter.evidence(drive, "errors")];
    if at_limit {
        why.push(told(fact(drive, "ata_attributes"), "at the maker's own threshold now", ""));
    }
    let moved = rose(view.facts, drive, &counter, None, WEEK_S);
    let rate = moved.as_ref().map(|m| m.rise.rate());
    why.extend(moved.map(|m| m.evidence));
    let noun = if counter.count == 1 { "error" } else { "errors" };
    let title = format!("The {subject} counts {} {noun} on its internal way of the data", counter.count);
    let mut finding = finding(&RULE, view, drive, &END_TO_END, (verdict, title), why);
    finding.rate = rate;
    if drive.health_passed.value() == Some(&true) {
        let from = drive.health_passed.place().unwrap_or_default();
        finding.counter_evidence.push(told(
            fact(drive, "health_passed"),
            "the drive's overall answer is passed",
            from,
        ));
    }
    if verdict == Verdict::Suspected {
        finding.test = test(
            "Run a scrub of its pool or array, and read the count again after it; the drive stays in its bay.",
            &[
                "The count rises, or the scrub finds wrong data on this drive: the drive is defective.",
                "Both stay: a single event; watch the count.",
            ],
        );
    }
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, failing, hdd, with_drives};
    use assay_bundle::Observed;
    use assay_bundle::facts::drive::{AtaAttribute, WhenFailed};

    pub(crate) fn four() -> Four {
        Four {
            fires: with_drives(vec![with(attribute(184, "End-to-End_Error", 2))]),
            clear: with_drives(vec![with(attribute(184, "End-to-End_Error", 0))]),
            cannot_tell: with_drives(vec![Drive { ata_attributes: Observed::NotCollected, ..hdd("sda", 1) }]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    fn with(row: AtaAttribute) -> Drive {
        Drive { ata_attributes: Observed::seen(vec![row], "cmd/smartctl.sat.sda/stdout"), ..hdd("sda", 3) }
    }

    #[test]
    fn the_first_error_counts() {
        let check = |row, state: &str, says: &str| {
            crate::fixture::check(evaluate, &with_drives(vec![with(row)]), &[state], says);
        };
        check(attribute(184, "End-to-End_Error", 0), "clear", "");
        check(attribute(184, "End-to-End_Error_Count", 1), "found, suspected", "counts 1 error on");
        check(failing(184, "End-to-End_Error", true, WhenFailed::Now), "not applicable", "");
        check(failing(184, "End-to-End_Error", false, WhenFailed::Now), "found, confirmed", "own threshold");
        check(attribute(184, "Factory_Bad_Block_Count", 20), "exonerated", "Factory_Bad_Block_Count");
        check(attribute(184, "Error_Correction_Count", 20), "exonerated", "Error_Correction_Count");
        check(attribute(184, "Unknown_Attribute", 20), "not applicable", "");
    }
}
