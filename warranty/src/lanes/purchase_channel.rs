//! The standard lane: the unit goes back the way it was bought (service terms L1, L7, L8, L9; L6 for global coverage).
//!
//! No number and no label of the vendor. Also the lane when the warranty appears expired or is unknown: the dealer knows
//! what it sold and may give more than the terms.

use assay_bundle::entitlement::{Channel, Coverage, Entitlement, StandardPeriod};

use crate::decision::{Case, Draft, Kind, Lane, LaneOption};
use crate::gates;

/// The rules that it rests on.
const RULES: &[&str] = &["L1", "L7", "L8", "L9"];
/// The same with global coverage.
const RULES_GLOBAL: &[&str] = &["L1", "L6", "L7", "L8", "L9"];

pub(super) fn judge(case: &Case<'_>) -> LaneOption {
    let granted = case.entitlement;
    let global = matches!(granted.global, Coverage::Until { .. });
    let draft = Draft {
        lane: Lane::PurchaseChannel,
        rules: if global { RULES_GLOBAL } else { RULES },
        gates: gates::any_service(case.situation),
        conflicts: Vec::new(),
    };
    if let Some(why) = case.barred() {
        return draft.not_offered(why);
    }
    if case.situation.channel == Channel::Gone && !global {
        return draft.not_offered("the purchase channel is recorded as gone or unavailable (L7)");
    }
    if let Coverage::Moved { serial } = &granted.standard {
        return draft.not_offered(format!("the coverage moved to the replacement {serial} (A13)"));
    }
    let way = if global {
        "the nearest retailer, or the original purchase channel (L6)"
    } else {
        "the original purchase channel"
    };
    let whose = if case.subject.kind == Kind::Enclosure { " under its own serial number" } else { "" };
    let text = format!(
        "Ask for service of the {}{whose} through {way}. {} Repair or replacement, shipping paid by the customer, is the vendor's choice.{}",
        case.subject.words(),
        coverage(granted),
        if plans_unknown(granted) { PLANS_MAY_GIVE_MORE } else { "" },
    );
    draft.possible("the standard way: no vendor RMA number and no label", text, Vec::new())
}

/// What a device that knows no plans adds: the portal's record may hold one.
const PLANS_MAY_GIVE_MORE: &str =
    " If a plan was bought for the unit, say so: support looks it up and may offer more.";

fn plans_unknown(granted: &Entitlement) -> bool {
    [&granted.extended, &granted.advanced_replacement, &granted.on_site]
        .into_iter()
        .any(|coverage| matches!(coverage, Coverage::Unknown { .. }))
}

/// What the standard warranty says, in one sentence.
fn coverage(granted: &Entitlement) -> String {
    match (&granted.standard, &granted.standard_period) {
        (Coverage::Until { last_day }, StandardPeriod::Years { series, years, .. }) => {
            format!("The standard warranty ({series}, {years} years) runs through {last_day}.")
        }
        (Coverage::Until { last_day }, StandardPeriod::Unknown { .. }) => {
            format!("The standard warranty runs through {last_day}.")
        }
        (Coverage::AppearsExpired { last_day }, _) => format!(
            "The standard warranty appears expired: check dealer and plans (its last day was {last_day})."
        ),
        (Coverage::Starts { first_day, .. }, _) => format!("The standard warranty begins on {first_day}."),
        (Coverage::Unknown { why } | Coverage::NotEligible { why }, _) => {
            format!("{}.", crate::text::sentence(why))
        }
        (Coverage::NotBought, _) => "No standard warranty is recorded.".to_owned(),
        (Coverage::Moved { serial }, _) => format!("The coverage moved to {serial}."),
    }
}
