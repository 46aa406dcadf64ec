//! CPU-001: processor reported errors of its own.

use std::collections::BTreeMap;

use assay_bundle::diagnosis::{Component, Finding, Verdict};

use crate::certainty::{PROCESSOR_CORRECTED, PROCESSOR_UNCORRECTED, Place, Row};
use crate::course::DAY_S;
use crate::evidence::{test, told};
use crate::happenings::{Happening, most_within};
use crate::machine_check::{Failed, record};
use crate::rule::{Judgement, Rule};
use crate::view::View;

/// Corrected errors of one bank from which it repeats (judgement: the same bank again is a fault, one is
/// chance).
const REPEATS_FROM: u64 = 2;
/// Lines about heat that look like machine checks: kernels 5.x write `mce:` before them.
const HEAT: [&str; 1] = ["cpu-throttled"];
/// The kernel noted a machine check and did not say which; heat makes it do so.
const UNTOLD: [&str; 1] = ["mce-logged"];
/// Lines about a machine that hangs: mostly storage or software, never hardware alone.
const HANGS: [&str; 1] = ["task-stuck"];

/// The rule.
pub static RULE: Rule = Rule {
    code: "CPU-001",
    title: "Processor reported errors of its own",
    component: Component::Cpu,
    checks: "Machine checks in the kernel log of this and earlier starts that are not about memory: by bank, corrected or not. Throttling by heat and tasks that hang are told apart from them.",
    why: "An uncorrected error in the processor crashes the machine or damages what it computes; corrected ones that repeat come before.",
    what_to_do: "Back up the data, check cooling and the firmware of the mainboard, and have the board with its processor replaced when it comes again.",
    threshold_source: "One uncorrected machine check, or two corrected ones of one bank (Intel SDM volume 3B, machine-check architecture; judgement for the number). Heat and hung tasks are no machine checks.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    const SUBJECT: &str = "processor";
    if !view.log.read {
        return vec![Judgement::cannot_tell(SUBJECT, "no kernel log was read", false)];
    }
    let mut by_bank: BTreeMap<Option<u32>, Vec<&Happening<'_>>> = BTreeMap::new();
    for happening in view.log.iter() {
        if let Some(record) = record(happening.event).filter(|r| r.failed == Failed::Processor) {
            by_bank.entry(record.bank).or_default().push(happening);
        }
    }
    let mut judgements: Vec<Judgement> = by_bank
        .into_iter()
        .map(|(bank, happenings)| {
            let subject = bank.map_or(SUBJECT.to_owned(), |bank| format!("{SUBJECT}, bank {bank}"));
            Judgement::found(subject, finding(bank, &happenings))
        })
        .collect();
    let logs = |kind: &'static [&'static str]| view.log.of_kind(kind).next().is_some();
    if judgements.is_empty() && logs(&HEAT) && logs(&UNTOLD) {
        let why = "it slowed itself down because of heat: that is cooling, not a defect of the processor";
        judgements.push(Judgement::exonerated(SUBJECT, why));
    }
    if logs(&HANGS) {
        let why = "tasks hung: the kernel says so when storage or software keeps them waiting, and never of hardware alone";
        judgements.push(Judgement::exonerated("hung tasks", why));
    }
    if judgements.is_empty() {
        judgements.push(Judgement::clear(SUBJECT));
    }
    judgements
}

fn finding(bank: Option<u32>, happenings: &[&Happening<'_>]) -> Finding {
    let uncorrected = |h: &&&Happening<'_>| record(h.event).is_some_and(|r| !r.corrected);
    let worst: Vec<&Happening<'_>> = happenings.iter().filter(uncorrected).copied().collect();
    let bank = bank.map(|bank| format!(" in bank {bank}")).unwrap_or_default();
    let times = happenings.iter().map(|h| h.times()).fold(0, u64::saturating_add);
    // A processor is not exchanged between two starts, but what an earlier log says is not of now.
    let (verdict, title, row): (Verdict, String, &Row) = match worst.as_slice() {
        [] if times >= REPEATS_FROM => (
            Verdict::Suspected,
            format!("The processor corrected {times} errors of its own{bank}"),
            &PROCESSOR_CORRECTED,
        ),
        [] => (
            Verdict::Watch,
            format!("The processor corrected an error of its own{bank}"),
            &PROCESSOR_CORRECTED,
        ),
        some if some.iter().any(|h| h.now) => (
            Verdict::Confirmed,
            format!("The processor met an error that it could not correct{bank}"),
            &PROCESSOR_UNCORRECTED,
        ),
        _ => (
            Verdict::Suspected,
            format!("Before the last start the processor met an error that it could not correct{bank}"),
            &PROCESSOR_UNCORRECTED,
        ),
    };
    let shown = if worst.is_empty() { happenings } else { worst.as_slice() };
    let mut evidence: Vec<_> = shown.first().map(|h| h.evidence()).into_iter().collect();
    evidence.push(told("kernel_log.events", format!("{times} machine checks{bank}"), ""));
    let suspects = row.suspects(|share| match share.component {
        Component::Cpu => Place::at("the processor"),
        Component::Mainboard => Place::at("the mainboard"),
        _ => Place::at("the unit"),
    });
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    finding.rate = most_within(happenings.iter().copied(), DAY_S).map(|(rate, _)| rate);
    if verdict != Verdict::Confirmed {
        finding.test = test(
            "Check temperatures and fans, bring the firmware up to date, and watch the kernel log for a week; nothing is moved.",
            &[
                "The same bank reports again: processor or mainboard.",
                "Another kind of error each time: the power supply.",
                "Nothing comes again: chance; go on watching.",
            ],
        );
    }
    finding
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, nas, with_log};
    use crate::machine_check::tests::event;
    use assay_bundle::facts::Facts;
    use assay_bundle::facts::kernel_log::KernelEvent;

    fn cache(at: u64) -> KernelEvent {
        event(&["mce-corrected"], &["bank 0", "status 9c0000000001110a"], at)
    }

    fn lost(at: u64) -> KernelEvent {
        event(&["mce-uncorrected"], &["bank 4", "status be00000000800400"], at)
    }

    fn logs(events: Vec<KernelEvent>) -> Facts {
        with_log(nas(), events)
    }

    // It always has something to look at: every machine has a processor.
    pub(crate) fn four() -> Four {
        Four { fires: logs(vec![lost(9)]), clear: logs(vec![]), cannot_tell: nas(), not_applicable: None }
    }

    #[test]
    fn by_bank_and_by_what_was_corrected() {
        let check = |events, states: &[&str], says: &str| {
            crate::fixture::check(evaluate, &logs(events), states, says);
        };
        check(vec![], &["clear"], "");
        check(vec![cache(9)], &["found, watch"], "corrected an error of its own in bank 0");
        check(vec![cache(9), cache(99)], &["found, suspected"], "corrected 2 errors");
        check(vec![lost(9)], &["found, confirmed"], "could not correct in bank 4");
        check(vec![cache(9), lost(99)], &["found, watch", "found, confirmed"], "bank 4");
        let memory = event(&["mce-corrected"], &["bank 8", "status 9c00000000010091"], 9);
        check(vec![memory.clone(), memory], &["clear"], "");
    }

    #[test]
    fn heat_and_hung_tasks_are_no_machine_checks() {
        let check = |events, states: &[&str], says: &str| {
            crate::fixture::check(evaluate, &logs(events), states, says);
        };
        let hot = event(&["cpu-throttled"], &[], 9);
        check(vec![hot.clone()], &["clear"], "");
        check(vec![hot, event(&["mce-logged"], &[], 9)], &["exonerated"], "cooling");
        check(vec![event(&["task-stuck"], &[], 9)], &["exonerated"], "never of hardware alone");
        check(vec![lost(9), event(&["task-stuck"], &[], 9)], &["found, confirmed", "exonerated"], "");
        check(vec![event(&["mce-logged"], &[], 9), event(&["hardware-error"], &[], 9)], &["clear"], "");
    }
}
