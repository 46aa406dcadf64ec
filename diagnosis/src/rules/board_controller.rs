//! BMC-001: board's controller reports trouble.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::bmc::{BmcEvent, BmcEventKind, BmcSensor};

use crate::certainty::{CONTROLLER_COOLING, CONTROLLER_FAN, CONTROLLER_OTHER, CONTROLLER_SUPPLY, Place, Row};
use crate::controller::{
    Badness, SensorKind, ZONES_S, at_unix_s, badness, event_evidence, events, kind, number, sensor_evidence,
    sensors,
};
use crate::evidence::{test, told};
use crate::rule::{Judgement, Rule};
use crate::view::View;

/// An event counts as present for so long (judgement).
const RECENT_S: i64 = 30 * 24 * 3600;
/// Kinds of events that no other rule looks at. Memory and power units have rules of their own.
const EVENTS: [(BmcEventKind, &str); 7] = [
    (BmcEventKind::Fan, "fan"),
    (BmcEventKind::Temperature, "temperature"),
    (BmcEventKind::Voltage, "voltage"),
    (BmcEventKind::Processor, "processor"),
    (BmcEventKind::Bus, "bus"),
    (BmcEventKind::Drive, "drive slot"),
    (BmcEventKind::Other, "board"),
];
/// Words of a processor's event that are no heat and no presence (IPMI 2.0 table 42-3, sensor type 07h).
const PROCESSOR_FAILS: [&str; 5] = ["IERR", "FRB1", "FRB2", "FRB3", "CATERR"];
/// QTS's words for a system that is well.
const WELL: [&str; 3] = ["good", "ok", "normal"];

/// The rule.
pub static RULE: Rule = Rule {
    code: "BMC-001",
    title: "Board's controller reports trouble",
    component: Component::Mainboard,
    checks: "Sensors of the board's management controller outside their limits and recent events of its log that no other rule looks at, and the word of QTS's management page for the whole system.",
    why: "The controller watches the board by itself, also while the system is down, and often saw first what is wrong.",
    what_to_do: "Read the controller's own log and look at the part that it names before anything is replaced.",
    threshold_source: "Limits that the board's maker set (IPMI): a critical sensor of a fan, a power unit or a processor's internal error to suspect, all else to watch. An event counts for 30 days when the controller's clock was set (judgement). QTS's word has no reason in it, so it is only watched.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let mut judgements: Vec<Judgement> = word_of_qts(facts).into_iter().collect();
    match &facts.bmc {
        Observed::Seen { value, .. } => {
            if let Observed::Unreadable { why } = &value.sensors {
                let why = format!("its sensors could not be read: {why}");
                judgements.push(Judgement::cannot_tell("board's controller", why, false));
            }
            judgements.extend(sensors(facts).filter_map(|sensor| judge(facts, sensor)));
            judgements.extend(EVENTS.iter().filter_map(|(kind, word)| recent(facts, *kind, word)));
            if judgements.is_empty() {
                judgements.push(Judgement::clear("board's controller"));
            }
        }
        Observed::Unreadable { why } => {
            let why = format!("could not be asked: {why}");
            judgements.push(Judgement::cannot_tell("board's controller", why, false));
        }
        Observed::Absent | Observed::NotCollected => {
            if judgements.is_empty() {
                judgements.push(Judgement::not_applicable("board's controller"));
            }
        }
    }
    judgements
}

/// Whether another rule judges this sensor.
fn is_claimed(facts: &Facts, sensor: &BmcSensor, bad: Badness) -> bool {
    match kind(sensor) {
        SensorKind::Voltage | SensorKind::Temperature | SensorKind::Battery => bad == Badness::Critical,
        // The sensor of a fan that QTS lists too speaks there, when that fan stands still.
        SensorKind::Fan => facts.fans.value().into_iter().flatten().any(|fan| {
            let same = fan.name.starts_with("system fan") && number(&fan.name) == number(&sensor.name);
            same && fan.speed_rpm.value().is_some_and(|speed| speed.0 == 0)
        }),
        SensorKind::PowerSupply | SensorKind::Other => false,
    }
}

fn judge(facts: &Facts, sensor: &BmcSensor) -> Option<Judgement> {
    let bad = badness(sensor)?;
    if is_claimed(facts, sensor, bad) {
        return None;
    }
    let (row, component): (&'static Row, Component) = match kind(sensor) {
        SensorKind::Fan => (&CONTROLLER_FAN, Component::Fan),
        SensorKind::PowerSupply => (&CONTROLLER_SUPPLY, Component::Psu),
        SensorKind::Temperature => (&CONTROLLER_COOLING, Component::Cooling),
        SensorKind::Voltage | SensorKind::Battery | SensorKind::Other => {
            (&CONTROLLER_OTHER, Component::Mainboard)
        }
    };
    let firm = matches!(kind(sensor), SensorKind::Fan | SensorKind::PowerSupply);
    let verdict = if firm && bad == Badness::Critical { Verdict::Suspected } else { Verdict::Watch };
    let title = match bad {
        Badness::Critical => format!("The board's controller calls {} critical", sensor.name),
        Badness::NonCritical => {
            format!("The board's controller sees {} outside its normal range", sensor.name)
        }
    };
    Some(found(&sensor.name, component, row, verdict, title, vec![sensor_evidence(sensor)]))
}

/// Recent events of one kind that did not end and whose sensor is not known to be well again.
fn recent(facts: &Facts, kind: BmcEventKind, word: &str) -> Option<Judgement> {
    let now = *facts.clock.unix_s.value()?;
    let log: Vec<&BmcEvent> = events(facts, kind).collect();
    let is_recent = |event: &&&BmcEvent| {
        at_unix_s(event).is_some_and(|at| {
            let ago = now.saturating_sub(at);
            (-ZONES_S..=RECENT_S).contains(&ago)
        })
    };
    let is_open = |event: &&&BmcEvent| {
        let ended = log.iter().any(|later| {
            later.line > event.line
                && later.sensor == event.sensor
                && later.event == event.event
                && later.asserted.value() == Some(&false)
        });
        event.asserted.value() == Some(&true) && !ended
    };
    let told_by_sensor = |event: &&&BmcEvent| {
        sensors(facts).any(|s| s.state.is_seen() && event.sensor.ends_with(s.name.as_str()))
    };
    let mut open: Vec<&BmcEvent> =
        log.iter().filter(is_recent).filter(is_open).filter(|e| !told_by_sensor(e)).copied().collect();
    open.retain(|event| kind != BmcEventKind::Other || !is_routine(&event.event));
    let last = open.last()?;
    let fails = kind == BmcEventKind::Processor
        && open.iter().any(|event| PROCESSOR_FAILS.iter().any(|words| event.event.contains(words)));
    let (row, component): (&'static Row, Component) = match kind {
        BmcEventKind::Fan => (&CONTROLLER_FAN, Component::Fan),
        BmcEventKind::Temperature => (&CONTROLLER_COOLING, Component::Cooling),
        _ => (&CONTROLLER_OTHER, Component::Mainboard),
    };
    let verdict = if fails { Verdict::Suspected } else { Verdict::Watch };
    let evidence = open.iter().rev().take(3).map(|event| event_evidence(facts, event)).collect();
    let title = format!("The board's controller logged: {}, {}", last.sensor, last.event);
    Some(found(&format!("{word} events"), component, row, verdict, title, evidence))
}

/// Events that only tell of the controller's and the system's life.
fn is_routine(event: &str) -> bool {
    let event = event.to_ascii_lowercase();
    ["log", "boot", "power down", "power on", "power cycle", "button", "version", "timestamp", "reset", "s0"]
        .iter()
        .any(|word| event.contains(word))
}

/// QTS's own word, when it is not one for a system that is well.
fn word_of_qts(facts: &Facts) -> Option<Judgement> {
    let Observed::Seen { value, from } = &facts.management.health else { return None };
    let subject = "word of QTS's management page";
    if WELL.contains(&value.trim().to_ascii_lowercase().as_str()) {
        return Some(Judgement::clear(subject));
    }
    let title = format!("QTS's management page calls the system {:?}", value.trim());
    let evidence = vec![told("management.health", value.trim().to_owned(), from)];
    let mut judgement =
        found(subject, Component::Software, &CONTROLLER_OTHER, Verdict::Watch, title, evidence);
    if let crate::rule::Outcome::Found(finding) = &mut judgement.outcome {
        finding.component = Component::Mainboard;
        let doubt = "the page gives no reason: what else was found here tells, or nothing does";
        finding.counter_evidence.push(told("management.health", doubt, ""));
    }
    Some(judgement)
}

fn found(
    subject: &str,
    component: Component,
    row: &Row,
    verdict: Verdict,
    title: String,
    evidence: Vec<Evidence>,
) -> Judgement {
    let suspects = row.suspects(|share| match share.component {
        Component::Mainboard => Place::at("mainboard"),
        Component::Environment => Place::at("room or rack"),
        Component::Cooling => Place::at("fans and air flow of the unit"),
        Component::PowerInput => Place::at("cable and outlet"),
        Component::Software => Place::at("limits and firmware of the controller"),
        _ => Place::at(subject),
    });
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    finding.component = component;
    finding.test = test(
        "Read the controller's sensors and its log again after an hour, while the unit works as usual.",
        &[
            "It stays, or comes again: look at the part that it names.",
            "It is well: an accident or a sensor; watch it.",
        ],
    );
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, bmc_event, bmc_sensor, fan, nas, with_bmc};

    fn with(sensors: Vec<BmcSensor>) -> Facts {
        with_bmc(nas(), sensors, Vec::new())
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: with(vec![bmc_sensor("FAN3", "lcr", Some((0, "RPM")))]),
            clear: with(vec![bmc_sensor("FAN3", "ok", Some((900, "RPM")))]),
            cannot_tell: Facts { bmc: Observed::unreadable("x"), ..nas() },
            not_applicable: Some(nas()),
        }
    }

    fn check(facts: &Facts, states: &[&str], says: &str) {
        crate::fixture::check(evaluate, facts, states, says);
    }

    #[test]
    fn sensors_that_nobody_else_judges() {
        let one = |name, state, reading| with(vec![bmc_sensor(name, state, Some(reading))]);
        check(&one("FAN3", "lcr", (0, "RPM")), &["found, suspected"], "calls FAN3 critical");
        check(&one("PSU2 Fan", "lnr", (0, "RPM")), &["found, suspected"], "Psu");
        check(&one("CPU Temp", "unc", (80, "degrees C")), &["found, watch"], "normal range");
        check(&one("CPU Temp", "ucr", (99, "degrees C")), &["clear"], "");
        check(&one("12V", "lcr", (10, "Volts")), &["clear"], "");
        check(&one("Chassis Intru", "cr", (0, "")), &["found, watch"], "mainboard");
        let mut qts = one("FAN2", "lcr", (0, "RPM"));
        qts.fans = Observed::seen(vec![fan("system fan 2", 0)], "x");
        check(&qts, &["clear"], "");
        qts.fans = Observed::seen(vec![fan("system fan 2", 900)], "x");
        check(&qts, &["found, suspected"], "");
    }

    #[test]
    fn events_that_nobody_else_looks_at() {
        // The clock of the fixture is 2023-11-14.
        let log = |kind, sensor: &str, what: &str, begins, when: &str| {
            with_bmc(nas(), Vec::new(), vec![bmc_event(1, kind, sensor, what, begins, when)])
        };
        let (recent, old) = ("11/10/2023 10:00:00", "01/10/2023 10:00:00");
        use BmcEventKind::{Memory, Other, Processor, Temperature};
        check(&log(Processor, "Processor CPU1", "IERR", true, recent), &["found, suspected"], "CPU1, IERR");
        check(&log(Processor, "Processor CPU1", "IERR", true, old), &["clear"], "");
        check(&log(Processor, "Processor CPU1", "IERR", true, ""), &["clear"], "");
        let hot = "Upper Critical going high";
        check(&log(Temperature, "Temperature PCH", hot, true, recent), &["found, watch"], "PCH");
        check(&log(Temperature, "Temperature PCH", hot, false, recent), &["clear"], "");
        check(&log(Other, "System Event", "OEM System boot event", true, recent), &["clear"], "");
        check(&log(Memory, "Memory", "Uncorrectable ECC", true, recent), &["clear"], "");
    }

    #[test]
    fn the_word_of_qts() {
        let says = |word: &str| {
            let mut facts = nas();
            facts.management.health = Observed::seen(word.to_owned(), "sample/health.xml");
            facts
        };
        check(&says("good"), &["clear"], "");
        check(&says("bad"), &["found, watch"], "gives no reason");
    }
}
