//! Repair at the customer's cost, when the standard warranty appears expired (service terms L10, L3).
//!
//! It stays possible beside a plan that covers the unit, ranked last: a customer may prefer it, and a plan's coverage is
//! not always what a defect needs. Refuses to say "expired": dealer and plans are checked first.

use assay_bundle::entitlement::Coverage;

use crate::decision::{Case, Draft, Lane, LaneOption};
use crate::gates;

/// The rules that it rests on.
const RULES: &[&str] = &["L7", "L9", "L10"];

pub(super) fn judge(case: &Case<'_>) -> LaneOption {
    let mut gates = gates::paid(case.situation);
    gates.push(gates::answers(case.situation));
    let draft = Draft { lane: Lane::PaidRepair, rules: RULES, gates, conflicts: Vec::new() };
    if let Some(why) = case.barred() {
        return draft.not_offered(why);
    }
    let text =
        "If dealer and plans grant nothing more: ask the purchase channel for a repair at your own cost."
            .to_owned();
    match &case.entitlement.standard {
        Coverage::AppearsExpired { last_day } => draft.possible(
            format!("the standard warranty appears expired, its last day was {last_day}"),
            text,
            Vec::new(),
        ),
        Coverage::Until { last_day } => {
            draft.not_offered(format!("the standard warranty runs through {last_day}"))
        }
        Coverage::Starts { .. } => draft.not_offered("the standard warranty has not begun"),
        Coverage::Unknown { why } => draft.look_up(why, text),
        Coverage::NotBought | Coverage::NotEligible { .. } | Coverage::Moved { .. } => {
            draft.possible("no standard warranty is recorded for the unit", text, Vec::new())
        }
    }
}
