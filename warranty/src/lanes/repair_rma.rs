//! Direct repair under the extended warranty (service terms E2-E9).
//!
//! The terms contradict themselves about who pays for shipping; the contradiction is shown, and the coverage line is
//! followed (E7).

use crate::dates;
use crate::decision::{Case, Conflict, Draft, Lane, LaneOption};
use crate::gates;

/// The rules that it rests on.
const RULES: &[&str] = &["E2", "E4", "E5", "E6", "E7", "E8", "E9", "L8", "L9"];

pub(super) fn judge(case: &Case<'_>) -> LaneOption {
    let mut gates = gates::any_service(case.situation);
    gates.extend(gates::extended(case.situation));
    gates.push(gates::before_return(case.situation, "E9"));
    let draft = Draft { lane: Lane::RepairRma, rules: RULES, gates, conflicts: vec![who_pays()] };
    if let Some(why) = case.barred() {
        return draft.not_offered(why);
    }
    let text = format!(
        "The unit goes to the RMA location for repair of the {}, power supply, fan and adaptor included (E5). The customer pays the way there, the vendor the way back (E7). All data is backed up and the drives stay with the customer (E9); no parcel goes without an RMA number (E6).",
        case.subject.words()
    );
    draft.by_plan("extended warranty", &case.entitlement.extended, text, || dates::extended(case.situation))
}

/// The contradiction about the shipping cost (E7).
pub(super) fn who_pays() -> Conflict {
    Conflict {
        rule: "E7".to_owned(),
        text: "The terms say that the vendor pays the way back, and also that handling and shipping cost equal the standard service, where the customer pays it (L1). The first is followed; an engineer who reads it otherwise tells the customer before the unit goes.".to_owned(),
    }
}
