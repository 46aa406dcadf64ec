//! On-site service: a visit, or the part for the next business day (service terms O1-O15).
//!
//! Region, series and term are the entitlement's (O1-O4). Here: that a visit comes last, after remote trouble-shooting
//! and an engineer's yes (O5), and that a visit to a site that is not ready is used up (O9, O12).

use assay_bundle::entitlement::Coverage;

use crate::dates;
use crate::decision::{Case, Draft, Lane, LaneOption};
use crate::gates;

/// The rules that it rests on.
const RULES: &[&str] =
    &["O2", "O3", "O4", "O5", "O6", "O7", "O8", "O9", "O10", "O11", "O12", "O13", "O14", "O15", "L8", "L9"];

pub(super) fn judge(case: &Case<'_>) -> LaneOption {
    let mut gates = gates::any_service(case.situation);
    gates.extend(gates::visit(case.situation));
    let draft = Draft { lane: Lane::OnSite, rules: RULES, gates, conflicts: Vec::new() };
    if let Some(why) = case.barred() {
        return draft.not_offered(why);
    }
    let granted = case.entitlement;
    let covered = matches!(granted.on_site, Coverage::Until { .. });
    if covered && granted.on_site_left == Some(0) {
        return draft
            .not_offered("all four visits of the term are used, as recorded (O3); an engineer decides");
    }
    draft.by_plan("on-site service", &granted.on_site, text(case), || dates::on_site(case.situation))
}

fn text(case: &Case<'_>) -> String {
    let left = match case.entitlement.on_site_left {
        Some(left) => format!("{left} of 4 visits are left"),
        None => "how many of the 4 visits are left has to be looked up".to_owned(),
    };
    format!(
        "The {} is repaired on site, or its part is sent for the next business day and the customer fits it (O7); {left}. Software, data, cabling and the site's network are not part of a visit (O10). If the site is not ready, the visit counts as completed (O12): remind the customer at booking and the day before; to re-schedule by phone or e-mail uses none (O15). The customer types passwords, nobody is told one (O13); a signed acceptance form ends it (O11).",
        case.subject.words()
    )
}
