//! International RMA: direct repair at the customer's freight, only when the purchase channel is recorded as gone
//! (service terms L7).
//!
//! The fee and all freight are accepted first; this lane computes no price beyond the fee and charges nothing.

use assay_bundle::entitlement::{Channel, Coverage};

use crate::decision::{Case, Draft, Lane, LaneOption};
use crate::gates;

/// The rules that it rests on.
const RULES: &[&str] = &["L1", "L7", "L8", "L9", "L13"];

pub(super) fn judge(case: &Case<'_>) -> LaneOption {
    let mut gates = gates::any_service(case.situation);
    gates.extend(gates::international(case.situation));
    let draft = Draft { lane: Lane::InternationalRma, rules: RULES, gates, conflicts: Vec::new() };
    if let Some(why) = case.barred() {
        return draft.not_offered(why);
    }
    match case.situation.channel {
        Channel::Gone => {}
        Channel::Open => return draft.not_offered("the purchase channel is there (L7)"),
        Channel::Unknown => {
            return draft.not_offered("the purchase channel is not recorded as gone or unavailable (L7)");
        }
    }
    if let Coverage::Moved { serial } = &case.entitlement.standard {
        return draft.not_offered(format!("the coverage moved to the replacement {serial} (A13)"));
    }
    let text = format!(
        "Ask technical support for an international RMA for the {}. The handling fee is USD 50, and the customer pays freight both ways, duties, taxes and brokerage, and accepts all of it first (L7). Pack it against damage in transport (L13).",
        case.subject.words()
    );
    draft.possible("the purchase channel is recorded as gone or unavailable", text, Vec::new())
}
