//! PSU-003: supply voltage out of range.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::bmc::BmcReading;

use crate::certainty::{BOARD_VOLTAGE, Place, SUPPLY_VOLTAGE};
use crate::controller::{Badness, SensorKind, badness, kind, sensor_evidence, sensors};
use crate::evidence::{test, told};
use crate::rule::{Judgement, Rule};
use crate::view::View;

/// Supply voltages and the words that label them, in millivolts (ATX specification: the three main rails).
const RAILS: [(u64, [&str; 4]); 3] = [
    (12_000, ["12v", "+12v", "vcc12", "12vin"]),
    (5_000, ["5v", "+5v", "vcc5", "5vcc"]),
    (3_300, ["3.3v", "+3.3v", "vcc3.3", "3.3vcc"]),
];
/// How far a rail may be off, in percent (ATX12V design guide: 5 percent for the main rails).
const TOLERANCE_PERCENT: u64 = 5;
/// Further off than this, the input is not scaled to the rail: a NAS without its 12 V does not run (judgement).
const SCALED_PERCENT: u64 = 25;

/// The rule.
pub static RULE: Rule = Rule {
    code: "PSU-003",
    title: "Supply voltage out of range",
    component: Component::Psu,
    checks: "Voltage inputs that a label names as 12 V, 5 V or 3.3 V: whether they are within 5 percent; and voltage sensors of the board's controller that it calls critical.",
    why: "A supply that cannot hold its voltage makes drives spin down, links fail and memory err, and blames parts that are well.",
    what_to_do: "Read the voltages again under load, and measure at a drive's plug before the supply is replaced.",
    threshold_source: "5 percent (ATX12V design guide) for labelled rails; the board maker's own limits for sensors of the controller. Inputs without such a label, and limits of monitoring chips, mean nothing on most boards. One sample never confirms.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let mut judgements = Vec::new();
    for input in facts.voltages.value().into_iter().flatten() {
        let Some(nominal) = input.label.value().and_then(|label| nominal(label)) else { continue };
        let subject =
            format!("{} ({})", input.label.value().map(|l| l.trim()).unwrap_or_default(), input.name);
        judgements.push(match &input.voltage_mv {
            Observed::Seen { value, from } => {
                let (value, path) = (i64::from(value.0), format!("voltages[{}].voltage_mv", input.name));
                judge(subject, nominal, value, |words| told(path.clone(), words, from))
            }
            Observed::Unreadable { why } => {
                Judgement::cannot_tell(subject, format!("could not be read: {why}"), false)
            }
            Observed::Absent | Observed::NotCollected => Judgement::not_applicable(subject),
        });
    }
    judgements.extend(by_controller(facts));
    if judgements.is_empty() {
        judgements.push(match &facts.voltages {
            Observed::Unreadable { why } => {
                Judgement::cannot_tell("voltages", format!("could not be read: {why}"), false)
            }
            // No input says which rail it measures.
            _ => Judgement::not_applicable("voltages"),
        });
    }
    judgements
}

/// The rail that a label names, in millivolts.
fn nominal(label: &str) -> Option<u64> {
    let label: String = label.trim().to_ascii_lowercase().split_whitespace().collect();
    RAILS.iter().find(|(_, words)| words.contains(&label.as_str())).map(|(nominal, _)| *nominal)
}

fn judge(subject: String, nominal: u64, value: i64, evidence: impl Fn(String) -> Evidence) -> Judgement {
    let off = u64::try_from(value).unwrap_or(0).abs_diff(nominal);
    if off.saturating_mul(100) > nominal.saturating_mul(SCALED_PERCENT) {
        let why = format!("reads {}, which is not scaled to this rail", volts(value));
        return Judgement::cannot_tell(subject, why, false);
    }
    if off.saturating_mul(100) <= nominal.saturating_mul(TOLERANCE_PERCENT) {
        return Judgement::clear(subject);
    }
    let rail = volts(i64::try_from(nominal).unwrap_or(0));
    let words = format!("{} instead of {rail}, more than {TOLERANCE_PERCENT} % off", volts(value));
    found(
        subject.clone(),
        true,
        format!("The supply voltage {subject} is out of range"),
        vec![evidence(words)],
    )
}

fn volts(millivolts: i64) -> String {
    let sign = if millivolts < 0 { "-" } else { "" };
    format!("{sign}{}.{:03} V", millivolts.unsigned_abs() / 1000, millivolts.unsigned_abs() % 1000)
}

/// What the board's controller says of its voltages, by limits that its maker set.
fn by_controller(facts: &Facts) -> Vec<Judgement> {
    let voltages = sensors(facts).filter(|s| kind(s) == SensorKind::Voltage && s.state.is_seen());
    let judged = voltages.map(|sensor| {
        let subject = format!("{} (controller)", sensor.name);
        if badness(sensor) != Some(Badness::Critical) {
            return Judgement::clear(subject);
        }
        // A sensor that reads nothing at all is dead itself: no board runs without the voltage.
        if matches!(sensor.reading.value(), Some(BmcReading::Number { milli: 0, .. })) {
            return Judgement::cannot_tell(
                subject,
                "reads 0 V while the board runs: the sensor is dead",
                false,
            );
        }
        let supply = nominal(&sensor.name).is_some();
        let title = format!("The voltage {} of the board is critical", sensor.name);
        found(subject, supply, title, vec![sensor_evidence(sensor)])
    });
    judged.collect()
}

fn found(subject: String, supply: bool, title: String, evidence: Vec<Evidence>) -> Judgement {
    let row = if supply { &SUPPLY_VOLTAGE } else { &BOARD_VOLTAGE };
    let suspects = row.suspects(|share| match share.component {
        Component::Psu => Place::at("power supply of the unit"),
        _ => Place::at("mainboard"),
    });
    let mut finding = RULE.finding(Verdict::Suspected, title, suspects, evidence);
    if !supply {
        finding.component = Component::Mainboard;
    }
    finding.counter_evidence.push(told("voltages", "one sample only, by the board's own sensor", ""));
    finding.test = test(
        "Run a check again three times over an hour, once while the drives work hard.",
        &[
            "It stays out of range, or falls under load: the power supply; measure at a drive's plug and replace it.",
            "It is out of range at all loads by the same amount: the sensor, or a regulator of the mainboard.",
            "It is in range: one stray sample; watch it.",
        ],
    );
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, bmc_sensor, nas, with_bmc};
    use assay_bundle::facts::hwmon::VoltageSensor;
    use assay_bundle::units::Millivolts;

    fn input(label: Option<&str>, voltage_mv: Observed<Millivolts>) -> VoltageSensor {
        VoltageSensor {
            name: "nct6775/in4".to_owned(),
            label: label.map_or(Observed::Absent, |label| Observed::seen(label.to_owned(), "x")),
            voltage_mv,
            ..VoltageSensor::default()
        }
    }

    fn with(inputs: Vec<VoltageSensor>) -> Facts {
        Facts { voltages: Observed::seen(inputs, "sys/class/hwmon"), ..nas() }
    }

    fn at(label: &str, millivolts: i32) -> Facts {
        with(vec![input(Some(label), Observed::seen(Millivolts(millivolts), "x"))])
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: at("+12V", 11_100),
            clear: at("+12V", 12_100),
            cannot_tell: Facts { voltages: Observed::unreadable("x"), ..nas() },
            not_applicable: Some(nas()),
        }
    }

    fn check(facts: &Facts, state: &str, says: &str) {
        crate::fixture::check(evaluate, facts, &[state], says);
    }

    #[test]
    fn labelled_rails() {
        check(&at("+12V", 11_400), "clear", "");
        check(&at("+12V", 11_399), "found, suspected", "11.399 V instead of 12.000 V");
        check(&at(" + 12 V", 12_601), "found, suspected", "");
        check(&at("5V", 4_740), "found, suspected", "power supply of the unit");
        check(&at("+3.3V", 3_300), "clear", "");
        check(&at("+12V", 1_008), "cannot tell", "not scaled");
        check(&at("+12V", -3), "cannot tell", "-0.003 V");
        check(&at("5VSB", 4_000), "not applicable", "");
        check(&at("Vcore", 900), "not applicable", "");
        let bare = input(None, Observed::seen(Millivolts(11_000), "x"));
        check(&with(vec![bare]), "not applicable", "");
        check(&with(vec![input(Some("12V"), Observed::unreadable("EIO"))]), "cannot tell", "EIO");
    }

    #[test]
    fn the_controller_has_limits_of_its_own() {
        let sensor = |name: &str, state: &str, volts: i64| {
            with_bmc(nas(), vec![bmc_sensor(name, state, Some((volts, "Volts")))], Vec::new())
        };
        check(&sensor("12V", "ok", 12), "clear", "");
        check(&sensor("12V", "lcr", 10), "found, suspected", "critical, 10.000 Volts");
        check(&sensor("Vcpu", "unr", 2), "found, suspected", "mainboard");
        check(&sensor("12V", "nc", 11), "clear", "");
        check(&sensor("12V", "lnr", 0), "cannot tell", "the sensor is dead");
        check(&sensor("VBAT", "lcr", 2), "not applicable", "");
    }
}
