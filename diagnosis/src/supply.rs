//! What the board's management controller says of each power unit, in words that the rule about power units judges.
//!
//! A sensor's present words outweigh its log: an event that is over is no state. Refuses to tell how long a failure
//! lasts unless the controller's clock was set, because it runs in no known zone.

use assay_bundle::diagnosis::Evidence;
use assay_bundle::facts::Facts;
use assay_bundle::facts::bmc::{BmcEvent, BmcEventKind, BmcReading, BmcSensor};

use crate::controller::{
    SensorKind, ZONES_S, at_unix_s, event_evidence, events, kind, number, sensor_evidence, sensors,
};

/// What the controller says of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    /// It is there and nothing is said against it.
    Well,
    /// It has no input.
    NoInput,
    /// It will fail.
    WillFail,
    /// It has failed.
    Failed,
}

/// One power unit by the controller.
#[derive(Clone, Debug)]
pub(crate) struct Supply {
    /// Number in its name.
    pub(crate) number: Option<u32>,
    /// Its name there, without the words `Status` and `Power Supply`.
    pub(crate) name: String,
    /// What is said of it now.
    pub(crate) said: Said,
    /// How long that has surely lasted, in seconds; `None` when nobody can tell.
    pub(crate) for_s: Option<u64>,
    /// Where it is said.
    pub(crate) evidence: Vec<Evidence>,
}

/// The name of the unit in a sensor's or an event's words: `PS1` of `Power Supply PS1 Status`.
fn unit_name(words: &str) -> String {
    let lower = words.to_ascii_lowercase();
    let rest = lower.strip_prefix("power supply").map_or(words, |_| words.get(12..).unwrap_or_default());
    let rest = rest.trim();
    let end = rest.to_ascii_lowercase().find("status").unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest).trim().to_owned()
}

/// What words of the standard mean (IPMI 2.0 table 42-3, sensor type 08h).
fn meaning(words: &str) -> Said {
    let words = words.to_ascii_lowercase();
    let has = |part: &str| words.contains(part);
    match () {
        () if has("predictive") => Said::WillFail,
        () if has("failure detected") => Said::Failed,
        () if has("ac lost") || has("input lost") => Said::NoInput,
        () => Said::Well,
    }
}

/// Every power unit that the controller knows, in order of their names.
pub(crate) fn units(facts: &Facts) -> Vec<Supply> {
    let mut units: Vec<Supply> = Vec::new();
    let log: Vec<&BmcEvent> = events(facts, BmcEventKind::PowerSupply).collect();
    for sensor in sensors(facts).filter(|s| is_status(s)) {
        let name = unit_name(&sensor.name);
        let mut unit = Supply {
            number: number(&name),
            name,
            said: Said::Well,
            for_s: None,
            evidence: vec![sensor_evidence(sensor)],
        };
        match sensor.reading.value() {
            Some(BmcReading::Words(words)) => unit.said = meaning(words),
            // A state without words: the log tells what it is.
            _ => unit.said = standing(&log, &unit.name).map_or(Said::Well, |event| meaning(&event.event)),
        }
        if let Some(event) = standing(&log, &unit.name).filter(|e| meaning(&e.event) == unit.said) {
            unit.for_s = lasted(facts, event);
            if unit.said != Said::Well {
                unit.evidence.push(event_evidence(facts, event));
            }
        }
        units.push(unit);
    }
    for event in &log {
        let name = unit_name(&event.sensor);
        if name.is_empty() || units.iter().any(|unit| unit.name == name) {
            continue;
        }
        let Some(event) = standing(&log, &name).filter(|e| meaning(&e.event) != Said::Well) else { continue };
        units.push(Supply {
            number: number(&name),
            said: meaning(&event.event),
            for_s: lasted(facts, event),
            evidence: vec![event_evidence(facts, event)],
            name,
        });
    }
    units.sort_by(|a, b| a.name.cmp(&b.name));
    units
}

/// A sensor that tells a unit's state: those of its fan, heat and power are others.
fn is_status(sensor: &BmcSensor) -> bool {
    let words = !matches!(sensor.reading.value(), Some(BmcReading::Number { .. }));
    words && kind(sensor) == SensorKind::PowerSupply && sensor.state.is_seen()
}

/// The newest event of this unit that says something against it and has not ended.
fn standing<'e>(log: &[&'e BmcEvent], name: &str) -> Option<&'e BmcEvent> {
    let own = |event: &&&'e BmcEvent| unit_name(&event.sensor) == name;
    let worse = |event: &&'e BmcEvent| meaning(&event.event) != Said::Well;
    let open = |event: &&'e BmcEvent| {
        let ended = log.iter().filter(own).any(|later| {
            later.line > event.line && later.event == event.event && later.asserted.value() == Some(&false)
        });
        event.asserted.value() == Some(&true) && !ended
    };
    log.iter().filter(own).copied().filter(worse).filter(open).max_by_key(|event| meaning(&event.event))
}

/// How long ago an event surely was: its clock may be in any zone.
fn lasted(facts: &Facts, event: &BmcEvent) -> Option<u64> {
    let now = *facts.clock.unix_s.value()?;
    let ago = now.checked_sub(at_unix_s(event)?)?.checked_sub(ZONES_S)?;
    u64::try_from(ago).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{bmc_event, nas, with_bmc};
    use assay_bundle::Observed;

    fn sensor(words: &str) -> BmcSensor {
        BmcSensor {
            name: "PS1 Status".to_owned(),
            state: Observed::seen("ok".to_owned(), "x"),
            reading: Observed::seen(BmcReading::Words(words.to_owned()), "x"),
        }
    }

    fn check(sensors: Vec<BmcSensor>, events: &[(&str, bool, &str)], expected: &[(&str, Said, Option<u64>)]) {
        let events = events.iter().zip(1..).map(|(&(what, begins, when), line)| {
            bmc_event(line, BmcEventKind::PowerSupply, "Power Supply PS1 Status", what, begins, when)
        });
        let facts = with_bmc(nas(), sensors, events.collect());
        let units = units(&facts);
        let got: Vec<(&str, Said, Option<u64>)> =
            units.iter().map(|u| (u.name.as_str(), u.said, u.for_s)).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn what_is_said_of_a_unit() {
        // The clock of the fixture is 11/14/2023 22:15:00.
        let yesterday = "11/13/2023 22:15:00";
        let recent = "11/14/2023 20:00:00";
        check(vec![sensor("Presence detected")], &[], &[("PS1", Said::Well, None)]);
        let lost = "Presence detected, Power Supply AC lost";
        check(vec![sensor(lost)], &[], &[("PS1", Said::NoInput, None)]);
        let failed = "Presence detected, Failure detected";
        let day = 24 * 3600 - 14 * 3600;
        check(
            vec![sensor(failed)],
            &[("Failure detected", true, yesterday)],
            &[("PS1", Said::Failed, Some(day))],
        );
        check(vec![sensor(failed)], &[("Failure detected", true, recent)], &[("PS1", Said::Failed, None)]);
        check(vec![sensor(failed)], &[("Failure detected", true, "")], &[("PS1", Said::Failed, None)]);
        check(vec![sensor("Predictive failure")], &[], &[("PS1", Said::WillFail, None)]);
        // The sensor is well again: the log is history.
        check(
            vec![sensor("Presence detected")],
            &[("Failure detected", true, yesterday)],
            &[("PS1", Said::Well, None)],
        );
        check(vec![], &[("Failure detected", true, yesterday)], &[("PS1", Said::Failed, Some(day))]);
        check(
            vec![],
            &[("Power Supply AC lost", true, yesterday), ("Power Supply AC lost", false, recent)],
            &[],
        );
    }
}
