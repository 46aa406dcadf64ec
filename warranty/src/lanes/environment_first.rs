//! Surroundings, supply, cables and software first: they cost nothing to put right, and no service of the vendor covers
//! them (service terms L5, O10; A5 for cables).
//!
//! Refuses to call any of it a void reason: heat, an input loss or a setting is put right, and a person judges the rest.

use crate::decision::{Case, Draft, Kind, Lane, LaneOption};

/// The rules that it rests on.
const RULES: &[&str] = &["L5", "O10"];

pub(super) fn judge(case: &Case<'_>) -> LaneOption {
    let draft =
        Draft { lane: Lane::EnvironmentFirst, rules: RULES, gates: Vec::new(), conflicts: Vec::new() };
    match case.subject.kind {
        Kind::Surroundings => draft.possible(
            "the likeliest cause is no part of the unit; it is no reason to void a warranty either",
            text(case),
            Vec::new(),
        ),
        _ => draft.not_offered("the likeliest cause is not in the surroundings, the supply or the software"),
    }
}

fn text(case: &Case<'_>) -> String {
    let mut texts: Vec<&str> = Vec::new();
    for finding in &case.subject.findings {
        if !texts.contains(&finding.advice.as_str()) {
            texts.push(&finding.advice);
        }
    }
    texts.join(" ")
}
