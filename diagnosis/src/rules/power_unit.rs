//! PSU-001: power unit failed or missing.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, SuspectKind, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::power::{Power, PowerStatus, PowerUnit};

use crate::certainty::{POWER_UNIT_FAILED, POWER_UNIT_REMOVED, Place};
use crate::evidence::{seen, test, told};
use crate::rule::{Judgement, Rule};
use crate::view::View;

/// The rule.
pub static RULE: Rule = Rule {
    code: "PSU-001",
    title: "Power unit failed or missing",
    component: Component::Psu,
    checks: "Each power unit of a model that has units which stand in for each other: what QTS says of it, and whether every unit of the model's plan was told of.",
    why: "With one unit gone the NAS runs on the other alone, and stops without warning when that one loses its input.",
    what_to_do: "See that the unit sits firmly and that its cable and outlet have power, look at its lamp, and replace the unit if it stays dark with power.",
    threshold_source: "QNAP's own status of each unit: failed, or taken out. A unit without input reads as failed, and some models report a unit that was never fitted, so one reading never confirms.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let power = &facts.power;
    // Only the plan makes a unit one that must be known; a family may share one plan with and without a second unit.
    let planned = power.redundant.value() == Some(&true);
    let cannot_tell = |why: String| vec![Judgement::cannot_tell("power units", why, planned)];
    match &power.units {
        Observed::Seen { value, .. } => {
            let mut judgements: Vec<Judgement> =
                value.iter().map(|unit| judge(power, unit, planned)).collect();
            judgements.extend(untold(power, value, planned));
            judgements
        }
        Observed::Unreadable { why } => cannot_tell(format!("could not be read: {why}")),
        Observed::NotCollected if planned => {
            cannot_tell("were not read: nothing that reads them answered".to_owned())
        }
        // A single supply that nothing measures, or a machine that no plan says anything about.
        Observed::Absent | Observed::NotCollected => vec![Judgement::not_applicable("power units")],
    }
}

/// The units of the plan that no source named.
fn untold(power: &Power, units: &[PowerUnit], planned: bool) -> Option<Judgement> {
    let expected = usize::try_from(*power.expected_units.value()?).ok()?;
    let missed = expected.checked_sub(units.len()).filter(|missed| *missed > 0)?;
    let why = format!("the model has {expected} and nothing tells of {missed} of them");
    Some(Judgement::cannot_tell("power units", why, planned))
}

fn judge(power: &Power, unit: &PowerUnit, planned: bool) -> Judgement {
    let subject = unit.name.clone();
    match &unit.status {
        Observed::Seen { value: PowerStatus::Good, .. } => Judgement::clear(subject),
        Observed::Seen { value: PowerStatus::Failed, .. } => found(power, unit, Verdict::Suspected),
        Observed::Seen { value: PowerStatus::Removed, .. } => found(power, unit, Verdict::Watch),
        Observed::Seen { value: PowerStatus::DetectionDisabled, .. } => {
            Judgement::cannot_tell(subject, "QTS says that nothing watches it", false)
        }
        Observed::Seen { value: PowerStatus::Other, .. } => {
            Judgement::cannot_tell(subject, "its status is one that is not known", planned)
        }
        Observed::Unreadable { why } => {
            Judgement::cannot_tell(subject, format!("its status could not be read: {why}"), planned)
        }
        Observed::Absent | Observed::NotCollected => {
            Judgement::cannot_tell(subject, "nothing told its status", planned)
        }
    }
}

fn found(power: &Power, unit: &PowerUnit, verdict: Verdict) -> Judgement {
    let subject = unit.name.clone();
    let removed = verdict == Verdict::Watch;
    let row = if removed { &POWER_UNIT_REMOVED } else { &POWER_UNIT_FAILED };
    let suspects = row.suspects(|share| match share.kind {
        SuspectKind::Part => Place::at(subject.clone()),
        SuspectKind::Configuration => Place::at(format!("{subject}, taken out or never fitted")),
        _ => Place::at(format!("cable and outlet of {subject}")),
    });
    let path = |field: &str| format!("power.units[{subject}].{field}");
    let from = unit.status.place().unwrap_or_default();
    let from = unit.line.map_or(from.to_owned(), |line| format!("{from}#L{line}"));
    let word = if removed { "taken out" } else { "failed, or without input" };
    let mut evidence: Vec<Evidence> = vec![told(path("status"), word, &from)];
    evidence.extend(seen(path("temperature_c"), &unit.temperature_c));
    evidence.extend(seen(path("fan_rpm"), &unit.fan_rpm));
    evidence.extend(seen("power.expected_units", &power.expected_units));
    let title = if removed {
        format!("QTS says that {subject} is not there")
    } else {
        format!("QTS says that {subject} has failed")
    };
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    let doubt = "one reading of QNAP's own status: a unit without input reads as failed";
    finding.counter_evidence.push(told("power.units", doubt, ""));
    if power.redundant.value() != Some(&true) {
        let doubt = "nothing says that this model has power units which stand in for each other";
        finding.counter_evidence.push(told(
            "power.redundant",
            doubt,
            power.redundant.place().unwrap_or_default(),
        ));
    }
    finding.test = test(
        "Without touching the other unit, see that this one sits firmly, put its cable into an outlet that is known to work, and run a check again after half an hour.",
        &[
            "It is well again: the cable, the outlet or the UPS behind it.",
            "Its lamp stays dark or it is reported again: replace the unit; it can be changed while the other one runs.",
            "No unit was ever fitted there: nothing is wrong, and the NAS has one supply.",
        ],
    );
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, nas, power_unit};

    pub(crate) fn four() -> Four {
        let with = |units| {
            let power =
                Power { redundant: Observed::seen(true, "x"), expected_units: Observed::seen(2, "x"), units };
            Facts { power, ..nas() }
        };
        let units = |second| vec![power_unit(1, PowerStatus::Good), power_unit(2, second)];
        let mut single = with(Observed::Absent);
        single.power.redundant = Observed::seen(false, "x");
        single.power.expected_units = Observed::seen(1, "x");
        Four {
            fires: with(Observed::seen(units(PowerStatus::Failed), "x")),
            clear: with(Observed::seen(units(PowerStatus::Good), "x")),
            cannot_tell: with(Observed::unreadable("x")),
            not_applicable: Some(single),
        }
    }

    fn unit(number: u32, status: Observed<PowerStatus>) -> PowerUnit {
        PowerUnit { name: format!("power unit {number}"), status, line: Some(7), ..PowerUnit::default() }
    }

    fn is(status: PowerStatus) -> Observed<PowerStatus> {
        Observed::seen(status, "var/log/hal_daemon.log")
    }

    fn check(redundant: Observed<bool>, units: Observed<Vec<PowerUnit>>, states: &[&str], says: &str) {
        let expected_units = redundant.clone().map(|yes| if yes { 2 } else { 1 });
        let facts = Facts { power: Power { redundant, expected_units, units }, ..nas() };
        crate::fixture::check(evaluate, &facts, states, says);
    }

    fn two(one: Observed<PowerStatus>, two: Observed<PowerStatus>) -> Observed<Vec<PowerUnit>> {
        Observed::seen(vec![unit(1, one), unit(2, two)], "var/log/hal_daemon.log")
    }

    fn planned(yes: bool) -> Observed<bool> {
        Observed::seen(yes, "etc/model.conf")
    }

    #[test]
    fn what_qts_says_of_a_unit() {
        use PowerStatus::{DetectionDisabled, Failed, Good, Other, Removed};
        let check = |second, state: &str, says: &str| {
            check(planned(true), two(is(Good), second), &["clear", state], says);
        };
        check(is(Good), "clear", "");
        check(is(Failed), "found, suspected", "hal_daemon.log#L7");
        check(is(Removed), "found, watch", "is not there");
        check(is(DetectionDisabled), "cannot tell", "nothing watches it");
        check(is(Other), "cannot tell, required", "not known");
        check(Observed::unreadable("-9"), "cannot tell, required", "-9");
        check(Observed::NotCollected, "cannot tell, required", "nothing told");
    }

    #[test]
    fn a_unit_of_the_plan_that_nothing_tells_of() {
        let unread = || Observed::unreadable("SNMP is off");
        check(planned(true), unread(), &["cannot tell, required"], "SNMP is off");
        check(Observed::NotCollected, unread(), &["cannot tell"], "SNMP is off");
        check(planned(true), Observed::NotCollected, &["cannot tell, required"], "were not read");
        let one = || Observed::seen(vec![unit(1, is(PowerStatus::Good))], "var/log/hal_daemon.log");
        check(planned(true), one(), &["clear", "cannot tell, required"], "nothing tells of 1");
        check(planned(false), one(), &["clear"], "");
    }

    #[test]
    fn a_single_supply_has_no_units() {
        check(planned(false), Observed::Absent, &["not applicable"], "");
        check(Observed::NotCollected, Observed::NotCollected, &["not applicable"], "");
        let failed = Observed::seen(vec![unit(1, is(PowerStatus::Failed))], "var/log/hal_daemon.log");
        check(planned(false), failed, &["found, suspected"], "nothing says that this model");
    }
}
