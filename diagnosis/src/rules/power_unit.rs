//! PSU-001: power unit failed or missing.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, DiscriminatingTest, Evidence, Suspect, SuspectKind, Verdict};
use assay_bundle::facts::power::{Power, PowerStatus, PowerUnit};

use crate::certainty::{
    POWER_UNIT_FAILED, POWER_UNIT_FAILS, POWER_UNIT_NO_INPUT, POWER_UNIT_REMOVED, Place, Row,
};
use crate::controller::number;
use crate::evidence::{seen, test, told};
use crate::rule::{Judgement, Rule};
use crate::supply::{self, Said, Supply};
use crate::view::View;

/// A failure that lasts so long is no hiccup (hardware.md P1: half an hour, as TrueNAS opens its ticket).
const PERSISTS_S: u64 = 30 * 60;

/// The rule.
pub static RULE: Rule = Rule {
    code: "PSU-001",
    title: "Power unit failed or missing",
    component: Component::Psu,
    checks: "Each power unit of a model that has units which stand in for each other: what QTS and the board's management controller say of it, and whether every unit of the model's plan was told of.",
    why: "With one unit gone the NAS runs on the other alone, and stops without warning when that one loses its input.",
    what_to_do: "See that the unit sits firmly and that its cable and outlet have power, look at its lamp, and replace the unit if it stays dark with power.",
    threshold_source: "QNAP's own status of each unit: failed, or taken out. A unit without input reads as failed, and some models report a unit that was never fitted, so one reading never confirms. A failure that the board's controller reports (IPMI, sensor type 08h) confirms when its log shows that it lasted for half an hour at least and QTS does not contradict; input that is lost points at cable, outlet and UPS first.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let power = &facts.power;
    // Only the plan makes a unit one that must be known; a family may share one plan with and without a second unit.
    let planned = power.redundant.value() == Some(&true);
    let supplies = supply::units(facts);
    let told = power.units.value().map(Vec::as_slice).unwrap_or_default();
    let mut judgements: Vec<Judgement> =
        told.iter().map(|unit| judge(power, unit, counterpart(&supplies, unit), planned)).collect();
    let alone = supplies.iter().filter(|s| !told.iter().any(|unit| is_same(s, unit)));
    let by_controller: Vec<Judgement> = alone.map(|supply| judge_supply(power, supply, None)).collect();
    let known = told.len() + by_controller.len();
    judgements.extend(by_controller);
    let cannot_tell = |why: String| Judgement::cannot_tell("power units", why, planned);
    let expected = power.expected_units.value().and_then(|n| usize::try_from(*n).ok());
    let enough = known > 0 && expected.is_none_or(|expected| known >= expected);
    match &power.units {
        Observed::Seen { .. } => judgements.extend(untold(power, known, planned)),
        _ if enough => {}
        Observed::Unreadable { why } => judgements.push(cannot_tell(format!("could not be read: {why}"))),
        Observed::NotCollected if planned => {
            judgements.push(cannot_tell("were not read: nothing that reads them answered".to_owned()));
        }
        // A single supply that nothing measures, or a machine that no plan says anything about.
        Observed::Absent | Observed::NotCollected => {
            judgements.push(Judgement::not_applicable("power units"));
        }
    }
    judgements
}

/// Whether the controller's unit and the one that QTS tells of are the same, by their numbers.
fn is_same(supply: &Supply, unit: &PowerUnit) -> bool {
    supply.number.is_some() && supply.number == number(&unit.name)
}

fn counterpart<'s>(supplies: &'s [Supply], unit: &PowerUnit) -> Option<&'s Supply> {
    supplies.iter().find(|supply| is_same(supply, unit))
}

/// The units of the plan that no source named.
fn untold(power: &Power, known: usize, planned: bool) -> Option<Judgement> {
    let expected = usize::try_from(*power.expected_units.value()?).ok()?;
    let missed = expected.checked_sub(known).filter(|missed| *missed > 0)?;
    let why = format!("the model has {expected} and nothing tells of {missed} of them");
    Some(Judgement::cannot_tell("power units", why, planned))
}

fn judge(power: &Power, unit: &PowerUnit, supply: Option<&Supply>, planned: bool) -> Judgement {
    let subject = unit.name.clone();
    if let Some(supply) = supply.filter(|supply| supply.said != Said::Well) {
        return judge_supply(power, supply, Some(unit));
    }
    match &unit.status {
        other
            if supply.is_some()
                && !matches!(other.value(), Some(PowerStatus::Failed | PowerStatus::Removed)) =>
        {
            Judgement::clear(subject)
        }
        Observed::Seen { value: PowerStatus::Good, .. } => Judgement::clear(subject),
        Observed::Seen { value: PowerStatus::Failed, .. } => found(power, unit, supply, Verdict::Suspected),
        Observed::Seen { value: PowerStatus::Removed, .. } => found(power, unit, supply, Verdict::Watch),
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

/// What the board's controller says against a unit; QTS's own word on it stands beside.
fn judge_supply(power: &Power, supply: &Supply, unit: Option<&PowerUnit>) -> Judgement {
    let subject = unit.map_or_else(|| format!("power unit {}", supply.name), |unit| unit.name.clone());
    let qts = unit.and_then(|unit| unit.status.value().copied());
    let persists = supply.for_s.is_some_and(|for_s| for_s >= PERSISTS_S);
    let (verdict, row, title) = match supply.said {
        Said::Well => return Judgement::clear(subject),
        Said::NoInput => (Verdict::Suspected, &POWER_UNIT_NO_INPUT, format!("The {subject} has no input")),
        Said::WillFail => {
            (Verdict::Suspected, &POWER_UNIT_FAILS, format!("The {subject} says that it will fail"))
        }
        // QTS that calls it well contradicts the controller: then nothing is proven.
        Said::Failed if persists && qts != Some(PowerStatus::Good) => {
            (Verdict::Confirmed, &POWER_UNIT_FAILS, format!("The {subject} has failed"))
        }
        Said::Failed => {
            (Verdict::Suspected, &POWER_UNIT_FAILS, format!("The {subject} is reported as failed"))
        }
    };
    let mut evidence = supply.evidence.clone();
    let mut counter = Vec::new();
    if let (Some(unit), Some(status)) = (unit, qts) {
        let path = format!("power.units[{}].status", unit.name);
        let from = unit.status.place().unwrap_or_default();
        match status {
            PowerStatus::Good => counter.push(told(path, "well, by QTS", from)),
            PowerStatus::Failed => evidence.push(told(path, "failed, or without input, by QTS", from)),
            PowerStatus::Removed => evidence.push(told(path, "taken out, by QTS", from)),
            PowerStatus::DetectionDisabled | PowerStatus::Other => {}
        }
    }
    evidence.extend(seen("power.expected_units", &power.expected_units));
    if supply.said == Said::Failed && verdict != Verdict::Confirmed {
        counter.push(told("bmc.events", "nothing shows that it lasts for half an hour", ""));
    }
    let mut finding = RULE.finding(verdict, title, suspects(row, &subject), evidence);
    finding.counter_evidence = counter;
    if supply.said == Said::NoInput {
        finding.component = Component::PowerInput;
        finding.advice =
            "Check the cable, the outlet and the UPS behind it first; the unit itself only when these are well."
                .to_owned();
    } else if verdict == Verdict::Confirmed {
        finding.advice = "Replace this power unit; it can be changed while the other one runs.".to_owned();
    }
    finding.test = swap_of_outlet();
    Judgement::found(subject, finding)
}

/// A power unit, its place when it was taken out, or what feeds it.
fn suspects(row: &Row, subject: &str) -> Vec<Suspect> {
    row.suspects(|share| match share.kind {
        SuspectKind::Part => Place::at(subject),
        SuspectKind::Configuration => Place::at(format!("{subject}, taken out or never fitted")),
        _ => Place::at(format!("cable and outlet of {subject}")),
    })
}

fn swap_of_outlet() -> Option<DiscriminatingTest> {
    test(
        "Without touching the other unit, see that this one sits firmly, put its cable into an outlet that is known to work, and run a check again after half an hour.",
        &[
            "It is well again: the cable, the outlet or the UPS behind it.",
            "Its lamp stays dark or it is reported again: replace the unit; it can be changed while the other one runs.",
            "No unit was ever fitted there: nothing is wrong, and the NAS has one supply.",
        ],
    )
}

fn found(power: &Power, unit: &PowerUnit, supply: Option<&Supply>, verdict: Verdict) -> Judgement {
    let subject = unit.name.clone();
    let removed = verdict == Verdict::Watch;
    let row = if removed { &POWER_UNIT_REMOVED } else { &POWER_UNIT_FAILED };
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
    let mut finding = RULE.finding(verdict, title, suspects(row, &subject), evidence);
    if let Some(well) = supply.filter(|supply| supply.said == Said::Well) {
        finding.counter_evidence.extend(well.evidence.clone());
    }
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
    finding.test = swap_of_outlet();
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, bmc_event, nas, power_unit, with_bmc};
    use assay_bundle::facts::Facts;
    use assay_bundle::facts::bmc::{BmcEventKind, BmcReading, BmcSensor};

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

    #[test]
    fn what_the_controller_says_beside_qts() {
        let long_ago = "11/12/2023 10:00:00";
        let check = |second: Observed<PowerStatus>, words: &str, when: &str, state: &str, says: &str| {
            let power = Power {
                redundant: planned(true),
                expected_units: Observed::seen(2, "x"),
                units: two(is(Good), second),
            };
            let sensor = BmcSensor {
                name: "PS2 Status".to_owned(),
                state: Observed::seen("ok".to_owned(), "x"),
                reading: Observed::seen(BmcReading::Words(words.to_owned()), "x"),
            };
            let what = words.split(", ").last().unwrap_or_default();
            let event = bmc_event(1, BmcEventKind::PowerSupply, "Power Supply PS2 Status", what, true, when);
            let facts = with_bmc(Facts { power, ..nas() }, vec![sensor], vec![event]);
            crate::fixture::check(evaluate, &facts, &["clear", state], says);
        };
        use PowerStatus::{Failed, Good, Removed};
        let failed = "Presence detected, Failure detected";
        check(is(Failed), failed, long_ago, "found, confirmed", "power unit 2 has failed");
        check(is(Failed), failed, "", "found, suspected", "for half an hour");
        check(is(Good), failed, long_ago, "found, suspected", "well, by QTS");
        check(Observed::unreadable("-9"), failed, long_ago, "found, confirmed", "");
        let lost = "Presence detected, Power Supply AC lost";
        check(is(Failed), lost, long_ago, "found, suspected", "cable, the outlet and the UPS");
        check(is(Failed), "Presence detected", "", "found, suspected", "without input");
        check(is(Removed), "Presence detected", "", "found, watch", "is not there");
        check(Observed::unreadable("-9"), "Presence detected", "", "clear", "");
    }

    #[test]
    fn units_that_only_the_controller_knows() {
        let sensor = |name: &str, words: &str| BmcSensor {
            name: name.to_owned(),
            state: Observed::seen("ok".to_owned(), "x"),
            reading: Observed::seen(BmcReading::Words(words.to_owned()), "x"),
        };
        let both =
            vec![sensor("PS1 Status", "Presence detected"), sensor("PS2 Status", "Predictive failure")];
        let facts = with_bmc(nas(), both, Vec::new());
        crate::fixture::check(evaluate, &facts, &["clear", "found, suspected"], "power unit PS2");
    }
}
