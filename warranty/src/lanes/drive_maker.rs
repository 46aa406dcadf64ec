//! A defective drive goes to its own maker, whatever plan there is: the unit is sold without drives (service terms L2).

use assay_bundle::diagnosis::{Component, Removable, Verdict};

use crate::decision::{Case, Draft, Gate, HoldsUp, Kind, Lane, LaneOption, Who};
use crate::sheets::{DRIVE_HOLDS_SECRETS, drive_model};

/// The rules that it rests on.
const RULES: &[&str] = &["L2"];

pub(super) fn judge(case: &Case<'_>) -> LaneOption {
    let is_drive = case.subject.kind == Kind::Drive;
    let gates = if is_drive { vec![pulling(case)] } else { Vec::new() };
    let draft = Draft { lane: Lane::DriveMaker, rules: RULES, gates, conflicts: Vec::new() };
    match (is_drive, case.subject.verdict) {
        (false, _) => draft.not_offered("it is no drive"),
        (true, Verdict::Confirmed) => draft.possible(
            "drives are not covered by any warranty or plan of the unit",
            text(case),
            Vec::new(),
        ),
        (true, Verdict::Suspected | Verdict::Watch) => {
            draft.not_offered("the finding is not confirmed: one more test first (L12)")
        }
    }
}

/// What the drive's maker asks for, and the warning about what is on it.
fn text(case: &Case<'_>) -> String {
    let subject = case.subject;
    let model = subject.findings.iter().find_map(|finding| drive_model(finding));
    let drive = subject.suspect().filter(|suspect| suspect.component == Component::Drive);
    let serial = drive.and_then(|suspect| suspect.serial.as_deref());
    let place = drive.map_or_else(|| "Drive".to_owned(), |suspect| format!("Drive in {}", suspect.location));
    format!(
        "{place}: ask its own maker for a replacement, with model {}, serial {} and the evidence of {}; the unit is sold without drives. {DRIVE_HOLDS_SECRETS}",
        model.unwrap_or("(not read; see its label)"),
        serial.unwrap_or("(not read; see its label)"),
        subject.codes().join(" and "),
    )
}

/// Whether it may be pulled. Never closed: a yes is good for minutes, and a decision is read later.
fn pulling(case: &Case<'_>) -> Gate {
    let answers = || case.subject.findings.iter().filter_map(|finding| finding.safe_to_remove.as_ref());
    let text = match answers().find(|safe| safe.answer != Removable::Yes).or_else(|| answers().next()) {
        Some(safe) if safe.answer == Removable::Yes => {
            "check again right before it is pulled: a yes is good for 10 minutes".to_owned()
        }
        Some(safe) => format!("not safe to remove now: {}", safe.why),
        None => "whether it is safe to remove was not judged: check again first".to_owned(),
    };
    Gate { rule: "L2".to_owned(), text, closed_by: Who::Customer, holds_up: HoldsUp::Service, closed: false }
}
