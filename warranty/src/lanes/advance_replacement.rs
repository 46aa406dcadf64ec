//! Advance replacement: an identical or better unit ships first, the defective one goes back (service terms A1-A17).
//!
//! Refuses to promise: three conditions hold first (A2), 48 hours are a target (A3), and damage by the customer is decided
//! after inspection only (A12).

use crate::dates;
use crate::decision::{Case, Draft, Kind, Lane, LaneOption};
use crate::gates;

/// The rules that it rests on.
const RULES: &[&str] = &[
    "A2", "A3", "A4", "A5", "A7", "A8", "A9", "A10", "A11", "A12", "A13", "A14", "A15", "A16", "A17", "L8",
    "L9",
];

pub(super) fn judge(case: &Case<'_>) -> LaneOption {
    let mut gates = gates::any_service(case.situation);
    gates.extend(gates::advance_shipment(case.situation));
    gates.push(gates::before_return(case.situation, "A16"));
    let draft = Draft { lane: Lane::AdvanceReplacement, rules: RULES, gates, conflicts: Vec::new() };
    if let Some(why) = case.barred() {
        return draft.not_offered(why);
    }
    match case.subject.kind {
        Kind::Module => return draft.not_offered("only a component failed, so only that ships (A6)"),
        Kind::Battery => return draft.not_offered("a clock battery is repaired and replaces no unit (L1)"),
        _ => {}
    }
    let text = format!(
        "An identical unit, or a better one if there is none, new or reconditioned, ships by 3-day express (A4) for the {}; cables, rail kits and accessories are normally not included (A5). Both ways are prepaid, with the vendor's label only (A15). The defective unit goes back with all components and accessories (A11) in the replacement's packaging, without drives, old labels removed (A16, A17); the replacement takes over the plan (A13).",
        case.subject.words()
    );
    draft.by_plan("advanced replacement", &case.entitlement.advanced_replacement, text, || {
        dates::advance(case.situation)
    })
}
