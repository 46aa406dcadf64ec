//! MEM-001: memory delivered data that could not be corrected.

use std::collections::BTreeMap;

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, SuspectKind, Verdict};
use assay_bundle::facts::dimm::MemorySlot;
use assay_bundle::facts::edac::{Dimm, MemoryController};
use assay_bundle::observed::NOBODY_READ_THEM;

use crate::certainty::{MEMORY_UE_PLACED, MEMORY_UE_UNPLACED, Place, Row};
use crate::evidence::{listed, seen, test, told};
use crate::happenings::Happening;
use crate::machine_check::{Failed, record};
use crate::rule::{Judgement, Outcome, Rule, over};
use crate::view::View;

/// From so many uncorrected errors a module is replaced.
const UNCORRECTED_FROM: u64 = 1;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MEM-001",
    title: "Memory delivered data that could not be corrected",
    component: Component::Memory,
    checks: "The error counters of each memory controller, by module where the controller knows it, and the kernel log of this and earlier starts (EDAC, machine checks, the firmware's own records, pages that were given up): errors that could not be corrected.",
    why: "An uncorrected error is wrong data in memory: it crashes programs, or reaches the drives as silent corruption.",
    what_to_do: "Make a backup from before the error if there is one, power off, and replace the named module; until then trust nothing that was written since.",
    threshold_source: "One uncorrected error: hard faults dominate (Schroeder et al. 2009), and servers replace a module on any (EDAC counters, kernel documentation ras/main).",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let mut judgements = match (&facts.memory_controllers, corrects(&facts.memory_slots)) {
        // Memory without correction cannot count its errors, whether anything that would count them answered or not.
        (Observed::Unreadable { .. } | Observed::NotCollected, Some(false)) => {
            vec![Judgement::not_applicable("memory controllers")]
        }
        (Observed::Absent, Some(true)) => vec![Judgement::cannot_tell(
            "memory controllers",
            "the modules have ECC, and this system counts no errors: it has no driver for them",
            false,
        )],
        (controllers, _) => over(controllers, "memory controllers", true, |controllers| {
            controllers.iter().flat_map(judge).collect()
        }),
    };
    // A machine whose firmware keeps the counters to itself still logs; with a counter found the log adds nothing.
    let counted = judgements.iter().any(|j| matches!(j.outcome, Outcome::Found(_)));
    if !counted {
        judgements.splice(0..0, logged(view));
    }
    judgements
}

/// By module, what the log says; without a module, once for all of it. A module that only an earlier boot's log names
/// may have been replaced since.
fn logged(view: &View<'_>) -> Vec<Judgement> {
    let uncorrected =
        |h: &&Happening<'_>| record(h.event).is_some_and(|r| r.failed == Failed::Memory && !r.corrected);
    let mut by_module: BTreeMap<Option<&str>, Vec<&Happening<'_>>> = BTreeMap::new();
    for happening in view.log.iter().filter(uncorrected) {
        let module = record(happening.event).and_then(|r| r.module);
        by_module.entry(module).or_default().push(happening);
    }
    // Several lines of one error: the one that names a module stands for those that do not.
    if by_module.len() > 1 {
        by_module.remove(&None);
    }
    by_module.into_iter().map(|(module, happenings)| log_found(module, &happenings)).collect()
}

fn log_found(module: Option<&str>, happenings: &[&Happening<'_>]) -> Judgement {
    let times = happenings.iter().map(|h| h.times()).fold(0, u64::saturating_add);
    let now = happenings.iter().any(|h| h.now);
    let mut evidence: Vec<Evidence> = happenings.first().map(|h| h.evidence()).into_iter().collect();
    let first = happenings.first().map(|h| h.event.line).unwrap_or_default();
    let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
    evidence.push(told("kernel_log.events", format!("uncorrected, {times}, first in line {first}"), ""));
    let Some(module) = module else {
        let title =
            "The kernel met memory that could not be corrected; which module was not recorded".to_owned();
        let row = &MEMORY_UE_UNPLACED;
        let place = "one of the modules";
        return found("memory".to_owned(), Verdict::Suspected, title, row, place, evidence);
    };
    let verdict = if now { Verdict::Confirmed } else { Verdict::Suspected };
    let when = if now { "" } else { " before the last start" };
    let title = format!("The memory module {module} delivered data that could not be corrected{when}");
    found(module.to_owned(), verdict, title, &MEMORY_UE_PLACED, module, evidence)
}

/// Whether the modules can correct errors, by the firmware's description: some say that they have more bits than data,
/// or all say that they have not.
pub(crate) fn corrects(slots: &Observed<Vec<MemorySlot>>) -> Option<bool> {
    let filled = slots.value()?.iter().filter(|slot| slot.filled.value() == Some(&true));
    let more = |slot: &MemorySlot| {
        let (data, total) = (slot.data_width_bits.value()?, slot.total_width_bits.value()?);
        Some(total > data)
    };
    let said: Vec<Option<bool>> = filled.map(more).collect();
    match () {
        () if said.contains(&Some(true)) => Some(true),
        () if !said.is_empty() && said.iter().all(|more| *more == Some(false)) => Some(false),
        () => None,
    }
}

fn judge(controller: &MemoryController) -> Vec<Judgement> {
    let dimms: Vec<&Dimm> = controller.dimms.value().into_iter().flatten().collect();
    let bad: Vec<&Dimm> = dimms.iter().copied().filter(|d| over_limit(&d.uncorrected)).collect();
    let mut judgements: Vec<Judgement> = bad.iter().map(|dimm| placed(controller, dimm)).collect();

    // The controller's count and its modules' counts are the same errors: only what no module has is left over.
    let total =
        controller.uncorrected.value().copied().max(controller.uncorrected_without_place.value().copied());
    if bad.is_empty() && total.is_some_and(|n| n >= UNCORRECTED_FROM) {
        return match dimms.as_slice() {
            [only] => vec![placed(controller, only)],
            _ => vec![unplaced(controller, &dimms)],
        };
    }
    let unread: Vec<String> =
        dimms.iter().filter(|d| is_missing(&d.uncorrected)).map(|d| module(d)).collect();
    let total_known = controller.uncorrected.is_seen();
    if total.is_none() && (dimms.is_empty() || !unread.is_empty()) {
        let why = match &controller.uncorrected {
            Observed::Unreadable { why } => format!("its error counters could not be read: {why}"),
            _ => format!("its error counters were not read: {NOBODY_READ_THEM}"),
        };
        judgements.push(Judgement::cannot_tell(controller.name.clone(), why, true));
    } else if !unread.is_empty() {
        // With the controller's own count at 0 a module's unread counter hides nothing.
        let subject = format!("{} {}", controller.name, listed(&unread));
        judgements.push(Judgement::cannot_tell(subject, "its error counter was not read", !total_known));
    }
    if judgements.is_empty() {
        judgements.push(Judgement::clear(controller.name.clone()));
    }
    judgements
}

fn over_limit(count: &Observed<u64>) -> bool {
    count.value().is_some_and(|n| *n >= UNCORRECTED_FROM)
}

fn is_missing(count: &Observed<u64>) -> bool {
    matches!(count, Observed::Unreadable { .. } | Observed::NotCollected)
}

/// The module as printed on the board, or the controller's own coordinates said as such.
pub(crate) fn module(dimm: &Dimm) -> String {
    let word =
        |reading: &Observed<String>| reading.value().map(|s| s.trim().to_owned()).filter(|s| !s.is_empty());
    match (word(&dimm.label), word(&dimm.location)) {
        (Some(label), _) if label.to_ascii_lowercase().contains("dimm") => label,
        (Some(label), _) => format!("DIMM {label}"),
        (None, Some(location)) => format!("{} ({location}, kernel name)", dimm.name),
        (None, None) => format!("{} (kernel name)", dimm.name),
    }
}

fn placed(controller: &MemoryController, dimm: &Dimm) -> Judgement {
    let place = module(dimm);
    let title = format!("The memory module {place} delivered data that could not be corrected");
    let mut evidence = counts(controller);
    let path = format!("memory_controllers[{}].{}.uncorrected", controller.name, dimm.name);
    evidence.extend(seen(path, &dimm.uncorrected).map(errors));
    found(place.clone(), Verdict::Confirmed, title, &MEMORY_UE_PLACED, &place, evidence)
}

fn unplaced(controller: &MemoryController, dimms: &[&Dimm]) -> Judgement {
    let places: Vec<String> = dimms.iter().map(|d| module(d)).collect();
    let place = if places.is_empty() {
        format!("a module of {}", controller.name)
    } else {
        format!("one of {}", listed(&places))
    };
    let title =
        "A memory module delivered data that could not be corrected; which one was not recorded".to_owned();
    let row = &MEMORY_UE_UNPLACED;
    found(controller.name.clone(), Verdict::Suspected, title, row, &place, counts(controller))
}

fn found(
    subject: String,
    verdict: Verdict,
    title: String,
    row: &Row,
    place: &str,
    evidence: Vec<Evidence>,
) -> Judgement {
    let suspects = row.suspects(|share| match (share.kind, share.component) {
        (_, Component::Memory) => Place::at(place),
        (SuspectKind::Part, _) => Place::at("memory controller in the processor"),
        _ => Place::at(format!("socket of {place}")),
    });
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    if verdict != Verdict::Confirmed {
        finding.test = test(
            "With a backup made and the power off, take out all modules but one and run a memory test; then the next one.",
            &[
                "One module fails wherever it sits: that module.",
                "Every module fails in one socket: the socket or the processor.",
            ],
        );
    }
    Judgement::found(subject, finding)
}

fn counts(controller: &MemoryController) -> Vec<Evidence> {
    let path = |field: &str| format!("memory_controllers[{}].{field}", controller.name);
    let window = match &controller.since_reset_s {
        Observed::Seen { value, from } => Some(told(path("since_reset_s"), format!("{value} s"), from)),
        _ => None,
    };
    [
        seen(path("uncorrected"), &controller.uncorrected).map(errors),
        seen(path("uncorrected_without_place"), &controller.uncorrected_without_place).map(errors),
        window,
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn errors(evidence: Evidence) -> Evidence {
    Evidence { value: format!("{} uncorrected errors", evidence.value), ..evidence }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, controller, nas};
    use assay_bundle::facts::Facts;

    pub(crate) fn four() -> Four {
        let with = |controllers| Facts { memory_controllers: controllers, ..nas() };
        Four {
            fires: with(Observed::seen(vec![controller(&[("DIMM1", 2)])], "x")),
            clear: with(Observed::seen(vec![controller(&[("DIMM1", 0)])], "x")),
            cannot_tell: with(Observed::unreadable("x")),
            not_applicable: Some(with(Observed::Absent)),
        }
    }

    fn check(controllers: Observed<Vec<MemoryController>>, states: &[&str], says: &str) {
        crate::fixture::check(evaluate, &Facts { memory_controllers: controllers, ..nas() }, states, says);
    }

    fn one(controller: MemoryController, states: &[&str], says: &str) {
        check(Observed::seen(vec![controller], "sys/devices/system/edac/mc"), states, says);
    }

    #[test]
    fn by_module() {
        one(controller(&[("DIMM1", 0), ("DIMM2", 0)]), &["clear"], "");
        one(controller(&[("DIMM1", 0), ("A2", 1)]), &["found, confirmed"], "module DIMM A2");
        one(controller(&[("DIMM1", 2), ("DIMM2", 1)]), &["found, confirmed", "found, confirmed"], "DIMM1");
    }

    #[test]
    fn without_its_place() {
        let lost = |labels: &[(&str, u64)]| MemoryController {
            uncorrected: Observed::seen(1, "x"),
            uncorrected_without_place: Observed::seen(1, "x"),
            ..controller(labels)
        };
        one(lost(&[("DIMM1", 0), ("DIMM2", 0)]), &["found, suspected"], "one of DIMM1 and DIMM2");
        one(lost(&[]), &["found, suspected"], "a module of mc0");
        one(lost(&[("DIMM1", 0)]), &["found, confirmed"], "DIMM1");
    }

    #[test]
    fn the_log_speaks_where_nobody_counts() {
        use assay_bundle::facts::kernel_log::{KernelEvent, KernelLog};
        let event = KernelEvent {
            signature: "memory-page-failed".to_owned(),
            subject: None,
            at_us: None,
            line: 7,
            repeats: 2,
            ..KernelEvent::default()
        };
        let log = KernelLog { events: vec![event], ..KernelLog::default() };
        let mut facts = Facts { kernel_log: Observed::seen(log, "dev/kmsg"), ..nas() };
        facts.memory_controllers = Observed::Absent;
        crate::fixture::check(
            evaluate,
            &facts,
            &["found, suspected", "not applicable"],
            "2 times, first in line 7",
        );
    }

    #[test]
    fn the_log_names_modules_and_starts() {
        use crate::machine_check::tests::event;
        let with = |events| {
            let facts = Facts { memory_controllers: Observed::Absent, ..nas() };
            crate::fixture::with_log(facts, events)
        };
        let check = |events, first: &str, says: &str| {
            crate::fixture::check(evaluate, &with(events), &[first, "not applicable"], says);
        };
        check(
            vec![event(&["edac-uncorrected"], &["module DIMM_A1"], 9)],
            "found, confirmed",
            "module DIMM_A1",
        );
        let poisoned =
            [event(&["edac-uncorrected"], &["module A1"], 9), event(&["memory-page-failed"], &[], 9)];
        check(poisoned.to_vec(), "found, confirmed", "uncorrected, once");
        let read = event(&["mce-uncorrected"], &["bank 7", "status bd80000000100090"], 9);
        check(vec![read], "found, suspected", "which module was not recorded");
        let cache = event(&["mce-uncorrected"], &["bank 4", "status be00000000800400"], 9);
        crate::fixture::check(evaluate, &with(vec![cache]), &["not applicable"], "");
    }

    #[test]
    fn unread_counters_are_not_zero() {
        let mut blind = controller(&[("DIMM1", 0)]);
        blind.uncorrected = Observed::unreadable("EIO");
        blind.uncorrected_without_place = Observed::NotCollected;
        blind.dimms = Observed::NotCollected;
        one(blind, &["cannot tell, required"], "EIO");
        let mut half = controller(&[("DIMM1", 0)]);
        if let Observed::Seen { value, .. } = &mut half.dimms {
            value.iter_mut().for_each(|d| d.uncorrected = Observed::unreadable("EIO"));
        }
        one(half, &["cannot tell"], "DIMM1");
        check(Observed::NotCollected, &["cannot tell, required"], "memory controllers");
        check(Observed::unreadable("denied"), &["cannot tell, required"], "denied");
        check(Observed::Absent, &["not applicable"], "");
    }

    #[test]
    fn memory_that_cannot_correct_counts_nothing() {
        let module = |total| MemorySlot {
            filled: Observed::seen(true, "x"),
            data_width_bits: Observed::seen(64, "x"),
            total_width_bits: total,
            ..MemorySlot::default()
        };
        let check = |controllers, slots, state: &str, says: &str| {
            let slots = Observed::seen(slots, "sample/dimms.json");
            let facts = Facts { memory_controllers: controllers, memory_slots: slots, ..nas() };
            crate::fixture::check(evaluate, &facts, &[state], says);
        };
        let bits = |bits| Observed::seen(bits, "x");
        let empty = || MemorySlot { filled: Observed::seen(false, "x"), ..MemorySlot::default() };
        check(Observed::NotCollected, vec![module(bits(64)), empty()], "not applicable", "");
        check(Observed::unreadable("denied"), vec![module(bits(64))], "not applicable", "");
        check(Observed::NotCollected, vec![module(bits(72))], "cannot tell, required", "");
        let unsaid = vec![module(bits(64)), module(Observed::Absent)];
        check(Observed::NotCollected, unsaid, "cannot tell, required", "");
        check(Observed::NotCollected, vec![empty()], "cannot tell, required", "");
        check(Observed::Absent, vec![module(bits(64))], "not applicable", "");
        check(Observed::Absent, vec![module(bits(72))], "cannot tell", "have ECC");
        let counting = Observed::seen(vec![controller(&[("DIMM1", 0)])], "x");
        check(counting, vec![module(bits(64))], "clear", "");
    }
}
