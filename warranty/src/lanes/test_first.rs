//! One more test first: what is not confirmed ships nothing, because a unit without a defect comes back (service terms
//! L12).
//!
//! The test is the finding's own discriminating test. The state of the storage is tested too, confirmed or not: it is no
//! part, and what is behind it has findings of its own.

use assay_bundle::diagnosis::Verdict;

use crate::decision::{Case, Draft, Gate, HoldsUp, Kind, Lane, LaneOption, Who};

/// The rules that it rests on.
const RULES: &[&str] = &["L12"];

pub(super) fn judge(case: &Case<'_>) -> LaneOption {
    let gates = if endangers_data(case) { vec![backup(case)] } else { Vec::new() };
    let draft = Draft { lane: Lane::TestFirst, rules: RULES, gates, conflicts: Vec::new() };
    match (case.subject.kind, case.subject.verdict) {
        (Kind::Surroundings, _) => draft.not_offered("putting the surroundings right is the test"),
        (Kind::Storage, _) => {
            draft.possible("the state of the storage ships no part by itself", text(case), Vec::new())
        }
        (_, Verdict::Confirmed) => draft.not_offered("the finding is confirmed"),
        (_, Verdict::Suspected | Verdict::Watch) => {
            draft.possible("the finding is not confirmed: nothing ships on it", text(case), Vec::new())
        }
    }
}

/// The tests of all findings about the part, each once; the advice of a finding that has none.
fn text(case: &Case<'_>) -> String {
    let mut texts: Vec<&str> = Vec::new();
    let mut line = String::new();
    for finding in &case.subject.findings {
        let text = finding.test.as_ref().map_or(finding.advice.as_str(), |test| test.action.as_str());
        if texts.contains(&text) {
            continue;
        }
        if !texts.is_empty() {
            line.push_str(&format!(" For {}: ", finding.code));
        }
        texts.push(text);
        line.push_str(text);
    }
    line
}

fn endangers_data(case: &Case<'_>) -> bool {
    // A finding without a test moves and runs nothing.
    case.subject.findings.iter().any(|f| f.test.is_some() && crate::recommend::endangers_data(f))
}

fn backup(case: &Case<'_>) -> Gate {
    use crate::request::BackupAnswer;
    Gate {
        rule: "L9".to_owned(),
        text: "a backup of the data".to_owned(),
        closed_by: Who::Customer,
        holds_up: HoldsUp::Service,
        closed: case.situation.backup.as_ref().is_some_and(|a| a.answer == BackupAnswer::BackedUp),
    }
}
