//! Only the component ships: when a power unit or a fan failed, no whole unit goes (service terms A6, L1, E5).
//!
//! A6 belongs to advanced replacement. Under the extended warranty the part is covered (E5), and that it ships alone is
//! the vendor's option (L1): an engineer agrees to it. Under the standard warranty that option is the purchase channel's.

use assay_bundle::entitlement::Coverage;

use crate::dates;
use crate::decision::{Case, Draft, Gate, HoldsUp, Kind, Lane, LaneOption, Who};
use crate::gates;

/// The rules that it rests on under advanced replacement, and under the extended warranty.
const RULES: [&[&str]; 2] =
    [&["A2", "A5", "A6", "A7", "A8", "A11", "A15", "L8", "L9"], &["E4", "E5", "E6", "E7", "L1", "L8", "L9"]];

pub(super) fn judge(case: &Case<'_>) -> LaneOption {
    let covers = |coverage: &Coverage| matches!(coverage, Coverage::Until { .. });
    let granted = case.entitlement;
    let extended = !covers(&granted.advanced_replacement)
        && (covers(&granted.extended)
            // What may still be looked up is worth more than what is known not to be there.
            || !matches!(granted.advanced_replacement, Coverage::Unknown { .. })
                && matches!(granted.extended, Coverage::Unknown { .. }));
    let draft = if extended { under_extended(case) } else { under_advanced(case) };
    if let Some(why) = case.barred() {
        return draft.not_offered(why);
    }
    if case.subject.kind != Kind::Module {
        return draft
            .not_offered("the part does not ship by itself: only power units and fan modules do (A6)");
    }
    let text = format!(
        "Only the {} ships, new or reconditioned; the unit stays. The defective part goes back with everything that came with it.",
        case.subject.words()
    );
    let (plan, coverage) = match extended {
        true => ("extended warranty", &granted.extended),
        false => ("advanced replacement", &granted.advanced_replacement),
    };
    draft.by_plan(plan, coverage, text, || match extended {
        true => dates::extended(case.situation),
        false => dates::advance(case.situation),
    })
}

fn under_advanced(case: &Case<'_>) -> Draft {
    let mut gates = gates::any_service(case.situation);
    gates.extend(gates::advance_shipment(case.situation));
    Draft { lane: Lane::Component, rules: RULES[0], gates, conflicts: Vec::new() }
}

fn under_extended(case: &Case<'_>) -> Draft {
    let mut gates = gates::any_service(case.situation);
    gates.extend(gates::extended(case.situation));
    gates.push(Gate {
        rule: "L1".to_owned(),
        text: "an engineer agrees that the part alone ships, which is the vendor's option (L1)".to_owned(),
        closed_by: Who::Engineer,
        holds_up: HoldsUp::Shipping,
        closed: case.situation.part_alone_agreed_by.as_ref().is_some_and(|name| !name.trim().is_empty()),
    });
    Draft { lane: Lane::Component, rules: RULES[1], gates, conflicts: vec![super::repair_rma::who_pays()] }
}
