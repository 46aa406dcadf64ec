//! What to do about a diagnosis, in order (service terms L1, L2, L7, L8, L9, L10).
//!
//! Data first, then what costs nothing (surroundings, settings), then the parts: a drive goes to its own maker, any
//! other confirmed part goes back through the purchase channel, a suspected one is tested before anything is replaced,
//! and what could not be read is read again. This module ships nothing, refuses no claim and names no void reason.

use assay_bundle::diagnosis::{Component, Diagnosis, Finding, Removable, Suspect, Verdict};
use assay_bundle::entitlement::{Coverage, Entitlement, StandardPeriod};
use assay_bundle::observed::NOT_PASTED;
use assay_bundle::recommendation::{Action, Recommendation, Step};

/// The warning that goes with every drive that leaves the unit (L2).
const DRIVE_HOLDS_SECRETS: &str = "A drive of a QNAP holds a copy of its configuration (password hashes, keys, perhaps saved volume keys) and possibly data: erase or destroy it before it leaves, or ask its maker for a keep-your-drive service.";
/// What a service request needs (L8).
const NEEDS_PROOF: &str = "have the proof of purchase and the product's serial number at hand (L8)";
/// What the owner answers before any service, a remote look included (L9).
const NEEDS_ANSWERS: &str = "the owner's two dated answers: the data is backed up, and confidential information is removed or locked (L9)";

/// The steps for a diagnosis, first things first. Never empty.
pub fn recommend(diagnosis: &Diagnosis, entitlement: &Entitlement) -> Recommendation {
    let mut steps = Vec::new();
    steps.extend(backup(diagnosis));
    steps.extend(diagnosis.findings.iter().filter(|f| is_surroundings(f)).map(environment));
    let mut drives_sent: Vec<DriveId> = Vec::new();
    for finding in diagnosis.findings.iter().filter(|f| !is_surroundings(f)) {
        match (finding.verdict, finding.component) {
            (Verdict::Confirmed, Component::Drive) => {
                let drive = DriveId::of(finding);
                if !drives_sent.contains(&drive) {
                    steps.push(drive_maker(finding));
                    drives_sent.push(drive);
                }
            }
            (Verdict::Confirmed, _) => {
                steps.push(purchase_channel(finding, entitlement));
                steps.extend(paid_repair(finding, entitlement));
            }
            (Verdict::Suspected | Verdict::Watch, _) => steps.push(test(finding)),
        }
    }
    steps.extend(read_again(diagnosis));
    if steps.is_empty() {
        steps.push(step(
            Action::Nothing,
            "Nothing needs doing: every reading that was needed is there and is good.".to_owned(),
        ));
    }
    Recommendation { steps }
}

/// What identifies a drive over several findings.
#[derive(PartialEq)]
struct DriveId {
    serial: Option<String>,
    location: String,
}

impl DriveId {
    fn of(finding: &Finding) -> Self {
        let first = drive_suspect(finding);
        Self {
            serial: first.and_then(|s| s.serial.clone()),
            location: first.map(|s| s.location.clone()).unwrap_or_default(),
        }
    }
}

fn drive_suspect(finding: &Finding) -> Option<&Suspect> {
    finding.suspects.iter().find(|s| s.component == Component::Drive)
}

fn step(action: Action, text: String) -> Step {
    Step { action, text, finding: None, component: None, rules: Vec::new(), blocked_by: Vec::new() }
}

fn about(finding: &Finding, action: Action, text: String, rules: &[&str]) -> Step {
    Step {
        finding: Some(finding.code.clone()),
        component: Some(finding.component),
        rules: rules.iter().map(|&rule| rule.to_owned()).collect(),
        ..step(action, text)
    }
}

/// Whether mending the surroundings or a setting answers the finding, so that no part is to blame yet.
fn is_surroundings(finding: &Finding) -> bool {
    matches!(
        finding.component,
        Component::Cooling | Component::Environment | Component::PowerInput | Component::Software
    )
}

/// Whether data hangs on the finding: a drive or the storage is what it is about, or is a suspect.
fn endangers_data(finding: &Finding) -> bool {
    let storage = |c| matches!(c, Component::Drive | Component::StorageState);
    storage(finding.component) || finding.suspects.iter().any(|s| storage(s.component))
}

fn backup(diagnosis: &Diagnosis) -> Option<Step> {
    let first = diagnosis.findings.iter().find(|f| endangers_data(f))?;
    let text = "Back up the data to another machine or disk before anything else is done, and check that it can be read back.";
    Some(about(first, Action::Backup, text.to_owned(), &["L9"]))
}

fn environment(finding: &Finding) -> Step {
    about(finding, Action::Environment, finding.advice.clone(), &[])
}

/// A defective drive goes to its own maker with what the maker asks for (L2).
fn drive_maker(finding: &Finding) -> Step {
    let model = finding.evidence.iter().find(|e| e.fact.ends_with("].model")).map(|e| e.value.as_str());
    let suspect = drive_suspect(finding);
    let serial = suspect.and_then(|s| s.serial.as_deref());
    let place = suspect.map_or("the drive", |s| s.location.as_str());
    let text = format!(
        "Drive in {place}: ask its own maker for a replacement, with model {}, serial {} and the evidence of {}; the unit is sold without drives. {DRIVE_HOLDS_SECRETS}",
        model.unwrap_or("(not read; see its label)"),
        serial.unwrap_or("(not read; see its label)"),
        finding.code,
    )
    .replace("Drive in the drive", "Drive");
    let mut step = about(finding, Action::DriveMaker, text, &["L2"]);
    match &finding.safe_to_remove {
        Some(safe) if safe.answer == Removable::Yes => {
            step.blocked_by
                .push("check again right before it is pulled: a yes is good for 10 minutes".to_owned());
        }
        Some(safe) => step.blocked_by.push(format!("not safe to remove now: {}", safe.why)),
        None => {
            step.blocked_by.push("whether it is safe to remove was not judged: check again first".to_owned())
        }
    }
    step
}

/// Every other confirmed part goes back the way it came (L1, L7, L8, L9).
fn purchase_channel(finding: &Finding, entitlement: &Entitlement) -> Step {
    let part = finding.suspects.first().map_or_else(
        || finding.component.word().to_owned(),
        |s| format!("{} ({})", s.component.word(), s.location),
    );
    let coverage = match (&entitlement.standard, &entitlement.standard_period) {
        (Coverage::Until { last_day }, StandardPeriod::Years { series, years, .. }) => {
            format!("The standard warranty ({series}, {years} years) runs through {last_day}.")
        }
        (Coverage::Until { last_day }, _) => format!("The standard warranty runs through {last_day}."),
        (Coverage::AppearsExpired { last_day }, _) => {
            format!(
                "The standard warranty appears expired: check dealer and plans (its last day was {last_day})."
            )
        }
        (Coverage::Unknown { why } | Coverage::NotEligible { why }, _) => format!("{}.", sentence(why)),
        (Coverage::Starts { first_day, last_day }, _) => {
            format!("The standard warranty runs from {first_day} through {last_day}.")
        }
        (Coverage::Moved { serial }, _) => format!("The coverage moved to the replacement {serial} (A13)."),
        (Coverage::NotBought, _) => "No standard warranty is recorded.".to_owned(),
    };
    let text = format!(
        "Ask for service of the {part} through the original purchase channel. {coverage} Repair or replacement, shipping paid by the customer, is the vendor's choice."
    );
    let mut step = about(finding, Action::PurchaseChannel, text, &["L1", "L7", "L8", "L9"]);
    step.blocked_by = vec![NEEDS_PROOF.to_owned(), NEEDS_ANSWERS.to_owned()];
    step
}

/// Repair at the customer's cost, offered beside the return when the warranty appears over (L10).
fn paid_repair(finding: &Finding, entitlement: &Entitlement) -> Option<Step> {
    let Coverage::AppearsExpired { .. } = entitlement.standard else { return None };
    let text =
        "If dealer and plans grant nothing more: ask the purchase channel for a repair at your own cost.";
    let mut step = about(finding, Action::PaidRepair, text.to_owned(), &["L7", "L9", "L10"]);
    step.blocked_by = vec![
        "check dealer and plans first: dealers may give more than the terms (L3)".to_owned(),
        NEEDS_ANSWERS.to_owned(),
    ];
    Some(step)
}

/// A suspected part is tested before anything is replaced: what is sent in without a defect comes back (L12).
fn test(finding: &Finding) -> Step {
    let Some(test) = &finding.test else {
        return about(finding, Action::Test, finding.advice.clone(), &["L12"]);
    };
    let mut step = about(finding, Action::Test, test.action.clone(), &["L12"]);
    if endangers_data(finding) {
        step.blocked_by.push("a backup of the data".to_owned());
    }
    step
}

/// Readings that `healthy` needs and that were not there, one step for each reason.
fn read_again(diagnosis: &Diagnosis) -> Vec<Step> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for unknown in diagnosis.unknowns.iter().filter(|u| u.required) {
        match reasons.iter_mut().find(|(why, _)| *why == unknown.why) {
            Some((_, subjects)) if subjects.contains(&unknown.subject.as_str()) => {}
            Some((_, subjects)) => subjects.push(&unknown.subject),
            None => reasons.push((&unknown.why, vec![&unknown.subject])),
        }
    }
    let text = |(why, subjects): (&str, Vec<&str>)| {
        let subjects = subjects.join(", ");
        let how = if why.contains("asleep") {
            "run a check while it is awake, for example during a backup"
        } else if why.contains(NOT_PASTED) {
            "paste the outputs that show it too, or run a check on the NAS itself"
        } else {
            "mend that and run a check again"
        };
        step(Action::ReadAgain, format!("{} could not be told ({why}): {how}.", sentence(&subjects)))
    };
    reasons.into_iter().map(text).collect()
}

/// The text with a capital at its start.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Backup, DriveMaker, Environment, Nothing, PaidRepair, PurchaseChannel, ReadAgain, Test};
    use assay_bundle::diagnosis::{DiscriminatingTest, Evidence, SafeToRemove, SuspectKind, Unknown};
    use jiff::civil::date;

    fn finding(code: &str, component: Component, verdict: Verdict) -> Finding {
        let suspect = Suspect {
            kind: SuspectKind::Part,
            component,
            location: "bay 3".to_owned(),
            serial: Some("WD-1".to_owned()),
            firmware: None,
            certainty_percent: 100,
            certainty_source: "judgement".to_owned(),
        };
        Finding {
            code: code.to_owned(),
            title: String::new(),
            component,
            verdict,
            suspects: vec![suspect],
            evidence: vec![Evidence {
                fact: "drives[sda].model".to_owned(),
                value: "WD40".to_owned(),
                from: String::new(),
            }],
            counter_evidence: Vec::new(),
            rate: None,
            test: Some(DiscriminatingTest { action: "run the self-test".to_owned(), outcomes: Vec::new() }),
            safe_to_remove: (component == Component::Drive).then(|| SafeToRemove {
                answer: Removable::No,
                why: "md1 has no redundancy left".to_owned(),
                as_of_unix_s: None,
                boot_id: None,
            }),
            advice: "clean the vents".to_owned(),
        }
    }

    fn diagnosis(findings: Vec<Finding>, unknowns: &[(&str, &str, bool)]) -> Diagnosis {
        let unknowns = unknowns.iter().map(|&(subject, why, required)| Unknown {
            code: "DRV-001".to_owned(),
            subject: subject.to_owned(),
            why: why.to_owned(),
            required,
        });
        Diagnosis::new(1, findings, Vec::new(), unknowns.collect())
    }

    fn covered() -> Entitlement {
        crate::entitlement(Some(date(2021, 1, 1)), Some("TS-451"), Some(date(2020, 1, 1)))
    }

    fn expired() -> Entitlement {
        crate::entitlement(Some(date(2026, 1, 1)), Some("TS-451"), Some(date(2020, 1, 1)))
    }

    fn unknown() -> Entitlement {
        crate::entitlement(None, Some("TS-453D"), None)
    }

    /// The actions in order, and words that must stand somewhere in the steps.
    fn check(diagnosis: &Diagnosis, entitlement: &Entitlement, actions: &[Action], says: &[&str]) {
        let got = recommend(diagnosis, entitlement);
        assert_eq!(got.steps.iter().map(|s| s.action).collect::<Vec<_>>(), actions, "{got:#?}");
        let words = format!("{got:?}");
        for say in says {
            assert!(words.contains(say), "{say:?} is not in {got:#?}");
        }
    }

    #[test]
    fn healthy_needs_nothing() {
        check(&diagnosis(vec![], &[]), &covered(), &[Nothing], &["Nothing needs doing"]);
        check(&diagnosis(vec![], &[("bay 2", "optional", false)]), &covered(), &[Nothing], &[]);
    }

    #[test]
    fn l2_a_drive_goes_to_its_own_maker_with_a_warning() {
        let drive = || finding("DRV-001", Component::Drive, Verdict::Confirmed);
        let says = [
            "model WD40",
            "serial WD-1",
            "keep-your-drive",
            "password hashes",
            "\"L2\"",
            "not safe to remove now: md1",
        ];
        check(&diagnosis(vec![drive()], &[]), &covered(), &[Backup, DriveMaker], &says);
        // Two confirmed findings about one drive are one drive to send.
        let second = finding("DRV-002", Component::Drive, Verdict::Confirmed);
        check(&diagnosis(vec![drive(), second], &[]), &covered(), &[Backup, DriveMaker], &[]);
        // The same outside the warranty: it was never covered.
        check(&diagnosis(vec![drive()], &[]), &expired(), &[Backup, DriveMaker], &[]);
    }

    #[test]
    fn l7_a_confirmed_part_goes_through_the_purchase_channel() {
        let memory = || diagnosis(vec![finding("MEM-001", Component::Memory, Verdict::Confirmed)], &[]);
        let always = ["\"L1\"", "\"L7\"", "\"L8\"", "proof of purchase", "two dated answers"];
        check(&memory(), &covered(), &[PurchaseChannel], &always);
        check(&memory(), &covered(), &[PurchaseChannel], &["(TS-x51, 2 years) runs through 2022-01-01"]);
        check(&memory(), &unknown(), &[PurchaseChannel], &["Coverage unknown: TS-453D"]);
    }

    #[test]
    fn l10_paid_repair_is_offered_when_it_appears_expired() {
        let fan = diagnosis(vec![finding("FAN-001", Component::Fan, Verdict::Confirmed)], &[]);
        let says = [
            "appears expired: check dealer and plans (its last day was 2022-01-01)",
            "\"L10\"",
            "at your own cost",
        ];
        check(&fan, &expired(), &[PurchaseChannel, PaidRepair], &says);
    }

    #[test]
    fn l9_backup_comes_first_when_data_hangs_on_it() {
        let findings = vec![
            finding("MEM-001", Component::Memory, Verdict::Confirmed),
            finding("MD-001", Component::StorageState, Verdict::Suspected),
        ];
        check(
            &diagnosis(findings, &[]),
            &covered(),
            &[Backup, PurchaseChannel, Test],
            &["\"L9\"", "a backup of the data"],
        );
    }

    #[test]
    fn l12_a_suspected_part_is_tested_first() {
        let fan = diagnosis(vec![finding("FAN-001", Component::Fan, Verdict::Suspected)], &[]);
        check(&fan, &covered(), &[Test], &["run the self-test", "\"L12\""]);
        let mut bare = finding("DRV-001", Component::Drive, Verdict::Watch);
        bare.test = None;
        check(&diagnosis(vec![bare], &[]), &covered(), &[Backup, Test], &["clean the vents"]);
    }

    #[test]
    fn surroundings_come_before_parts() {
        let findings = vec![
            finding("MEM-001", Component::Memory, Verdict::Confirmed),
            finding("TMP-001", Component::Cooling, Verdict::Watch),
        ];
        check(&diagnosis(findings, &[]), &covered(), &[Environment, PurchaseChannel], &["clean the vents"]);
    }

    #[test]
    fn what_was_not_read_is_read_again() {
        let unknowns = [
            ("drive in bay 2 (sdb)", "asleep; was not woken", true),
            ("drive in bay 3 (sdc)", "asleep; was not woken", true),
            ("drive in bay 3 (sdc)", "asleep; was not woken", true),
            ("fans", "could not be read: denied", true),
            ("memory controllers", "were not read: not pasted", true),
        ];
        let says = [
            "Drive in bay 2 (sdb), drive in bay 3 (sdc) could not be told",
            "while it is awake",
            "Fans could not",
            "not pasted): paste the outputs",
        ];
        check(&diagnosis(vec![], &unknowns), &covered(), &[ReadAgain, ReadAgain, ReadAgain], &says);
    }
}
