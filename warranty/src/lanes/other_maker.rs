//! Another maker's device, such as a UPS, goes to its own maker: neither it nor its compatibility is covered (service
//! terms L2).

use assay_bundle::diagnosis::Verdict;

use crate::decision::{Case, Draft, Kind, Lane, LaneOption};

/// The rules that it rests on.
const RULES: &[&str] = &["L2"];

pub(super) fn judge(case: &Case<'_>) -> LaneOption {
    let draft = Draft { lane: Lane::OtherMaker, rules: RULES, gates: Vec::new(), conflicts: Vec::new() };
    match (case.subject.kind, case.subject.verdict) {
        (Kind::Ups, Verdict::Confirmed) => draft.possible(
            "third-party peripherals and their compatibility are not covered",
            format!(
                "Ask the maker of the {} for service, with model, serial number and the evidence of {}. It is not part of the unit, and its compatibility with it is not covered.",
                case.subject.words(),
                case.subject.codes().join(" and "),
            ),
            Vec::new(),
        ),
        (Kind::Ups, _) => draft.not_offered("the finding is not confirmed: one more test first (L12)"),
        _ => draft.not_offered("it is no device of another maker"),
    }
}
