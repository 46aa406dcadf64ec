//! What to do about a diagnosis, in order, for its owner: the decision in steps (service terms L2, L7, L9, L10, L12).
//!
//! Data first, then what costs nothing (surroundings, settings), then the parts, each in the best lane that the decision
//! holds possible, and what could not be read is read again. There is one truth, [`crate::decide`]: a step repeats a lane's
//! text, its rules and its open gates, and decides nothing itself.

use assay_bundle::Entitlement;
use assay_bundle::diagnosis::{Component, Diagnosis, Finding};
use assay_bundle::recommendation::{Action, Recommendation, Step};

use crate::decision::{Lane, LaneOption, PartDecision, ServiceDecision, decide};
use crate::situation::Situation;

/// The steps for a diagnosis about which nobody said anything yet, first things first. Never empty.
pub fn recommend(diagnosis: &Diagnosis, entitlement: &Entitlement) -> Recommendation {
    recommendation(diagnosis, &decide(diagnosis, entitlement, &Situation::default()))
}

/// The steps of a decision about this diagnosis, first things first. Never empty.
pub fn recommendation(diagnosis: &Diagnosis, decision: &ServiceDecision) -> Recommendation {
    let mut steps = Vec::new();
    steps.extend(backup(diagnosis));
    let (surroundings, parts): (Vec<&PartDecision>, Vec<&PartDecision>) =
        decision.parts.iter().partition(|part| part.best().is_some_and(|l| l.lane == Lane::EnvironmentFirst));
    steps.extend(surroundings.into_iter().chain(parts).flat_map(|part| of_part(diagnosis, part)));
    steps.extend(decision.read_again.iter().map(|text| step(Action::ReadAgain, text.clone())));
    if steps.is_empty() {
        steps.push(step(
            Action::Nothing,
            "Nothing needs doing: every reading that was needed is there and is good.".to_owned(),
        ));
    }
    Recommendation { steps }
}

/// The best lane; beside it paid repair, when no warranty or plan carries the best one.
fn of_part(diagnosis: &Diagnosis, part: &PartDecision) -> Vec<Step> {
    let Some(best) = part.best() else { return Vec::new() };
    let mut lanes = vec![best];
    if matches!(best.lane, Lane::PurchaseChannel | Lane::InternationalRma) {
        lanes.extend(part.lane(Lane::PaidRepair).filter(|lane| lane.is_possible()));
    }
    let finding = part.findings.first().and_then(|code| diagnosis.findings.iter().find(|f| f.code == *code));
    lanes.into_iter().map(|lane| of_lane(lane, finding)).collect()
}

fn of_lane(lane: &LaneOption, finding: Option<&Finding>) -> Step {
    Step {
        finding: finding.map(|finding| finding.code.clone()),
        component: finding.map(|finding| finding.component),
        rules: lane.rules.clone(),
        blocked_by: lane.open_gates().map(|gate| gate.text.clone()).collect(),
        ..step(action(lane.lane), lane.text.clone())
    }
}

fn action(lane: Lane) -> Action {
    match lane {
        Lane::TestFirst => Action::Test,
        Lane::EnvironmentFirst => Action::Environment,
        Lane::DriveMaker => Action::DriveMaker,
        Lane::OtherMaker => Action::OtherMaker,
        Lane::Component => Action::Component,
        Lane::OnSite => Action::OnSite,
        Lane::AdvanceReplacement => Action::AdvanceReplacement,
        Lane::RepairRma => Action::RepairRma,
        Lane::PurchaseChannel => Action::PurchaseChannel,
        Lane::InternationalRma => Action::InternationalRma,
        Lane::PaidRepair => Action::PaidRepair,
        Lane::Other => Action::Other,
    }
}

fn step(action: Action, text: String) -> Step {
    Step { action, text, finding: None, component: None, rules: Vec::new(), blocked_by: Vec::new() }
}

/// Whether data hangs on the finding: a drive or the storage is what it is about, or is a suspect.
pub(crate) fn endangers_data(finding: &Finding) -> bool {
    let storage = |c| matches!(c, Component::Drive | Component::StorageState);
    storage(finding.component) || finding.suspects.iter().any(|s| storage(s.component))
}

fn backup(diagnosis: &Diagnosis) -> Option<Step> {
    let first = diagnosis.findings.iter().find(|f| endangers_data(f))?;
    let text = "Back up the data to another machine or disk before anything else is done, and check that it can be read back.";
    Some(Step {
        finding: Some(first.code.clone()),
        component: Some(first.component),
        rules: vec!["L9".to_owned()],
        ..step(Action::Backup, text.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{diagnosis, finding};
    use Action::{
        AdvanceReplacement, Backup, Component as ComponentOnly, DriveMaker, Environment, InternationalRma,
        Nothing, OnSite, OtherMaker, PaidRepair, PurchaseChannel, ReadAgain, RepairRma, Test,
    };
    use assay_bundle::diagnosis::Verdict;
    use jiff::civil::date;

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

    /// The actions of a decision for a unit with these plans, and the gates that its last step names.
    fn check_plans(
        component: Component,
        plans: [bool; 3],
        said: &Situation,
        actions: &[Action],
    ) -> Vec<String> {
        use assay_bundle::entitlement::Coverage;
        let mut granted = expired();
        let coverage = |bought| match bought {
            true => Coverage::Until { last_day: "2030-01-01".to_owned() },
            false => Coverage::NotBought,
        };
        granted.extended = coverage(plans[0]);
        granted.advanced_replacement = coverage(plans[1]);
        granted.on_site = coverage(plans[2]);
        let diagnosis = diagnosis(vec![finding("X-001", component, Verdict::Confirmed)], &[]);
        let got = recommendation(&diagnosis, &decide(&diagnosis, &granted, said));
        assert_eq!(got.steps.iter().map(|s| s.action).collect::<Vec<_>>(), actions, "{got:#?}");
        got.steps.last().map(|step| step.blocked_by.clone()).unwrap_or_default()
    }

    #[test]
    fn the_best_lane_of_each_plan_becomes_the_step() {
        let said = Situation::default();
        let nothing = [false; 3];
        check_plans(Component::Mainboard, nothing, &said, &[PurchaseChannel, PaidRepair]);
        check_plans(Component::Mainboard, [true, false, false], &said, &[RepairRma]);
        check_plans(Component::Mainboard, [true, true, false], &said, &[AdvanceReplacement]);
        check_plans(Component::Mainboard, [true, true, true], &said, &[OnSite]);
        check_plans(Component::Fan, [true, false, false], &said, &[ComponentOnly]);
        check_plans(Component::Fan, [false, true, true], &said, &[ComponentOnly]);
        check_plans(Component::Ups, [true, true, true], &said, &[OtherMaker]);
        check_plans(Component::Drive, [true, true, true], &said, &[Backup, DriveMaker]);
        let gone = Situation { channel: assay_bundle::entitlement::Channel::Gone, ..Situation::default() };
        check_plans(Component::Mainboard, nothing, &gone, &[InternationalRma, PaidRepair]);
    }

    #[test]
    fn a_step_names_the_open_gates_only() {
        let mut said = Situation::default();
        let plans = [false, true, false];
        let before = check_plans(Component::Mainboard, plans, &said, &[AdvanceReplacement]);
        said.card_authorised = true;
        let after = check_plans(Component::Mainboard, plans, &said, &[AdvanceReplacement]);
        let gone: Vec<&String> = before.iter().filter(|gate| !after.contains(gate)).collect();
        assert_eq!(gone, ["the card authorisation form is on file (A2)"]);
    }

    #[test]
    fn several_findings_about_one_part_are_one_step() {
        let fan = |code, verdict| finding(code, Component::Fan, verdict);
        let findings = vec![fan("FAN-001", Verdict::Confirmed), fan("FAN-002", Verdict::Suspected)];
        check(&diagnosis(findings, &[]), &covered(), &[PurchaseChannel], &["fan (bay 3)"]);
        let findings = vec![fan("FAN-001", Verdict::Suspected), fan("FAN-002", Verdict::Watch)];
        check(&diagnosis(findings, &[]), &covered(), &[Test], &["run the self-test"]);
        let both = vec![
            finding("DRV-001", Component::Drive, Verdict::Confirmed),
            finding("DRV-002", Component::Drive, Verdict::Confirmed),
        ];
        check(
            &diagnosis(both, &[]),
            &covered(),
            &[Backup, DriveMaker],
            &["evidence of DRV-001 and DRV-002;"],
        );
        // An array that lost a member ships nothing, confirmed or not.
        let array = finding("MD-001", Component::StorageState, Verdict::Confirmed);
        check(&diagnosis(vec![array], &[]), &covered(), &[Backup, Test], &["\"L12\""]);
    }
}
