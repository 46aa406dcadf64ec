//! What the board management controller says, sorted for the rules: which sensors stand outside their limits, and which
//! part a sensor's name means.
//!
//! A sensor's name is the board maker's own, so a number in it is matched with a numbered part of QTS only (`FAN2` with
//! `system fan 2`), never with inputs of a chip. The controller's clock is its own and in no known zone.

use assay_bundle::diagnosis::Evidence;
use assay_bundle::facts::Facts;
use assay_bundle::facts::bmc::{BmcEvent, BmcEventKind, BmcReading, BmcSensor};

use crate::evidence::told;

/// How far a controller's clock may stand from the device's when both are right: zones are at most 14 hours apart.
pub(crate) const ZONES_S: i64 = 14 * 3600;
/// Seconds since 1970 of the first day of 2015: a controller whose clock stands before was never set.
const CLOCK_WAS_SET_FROM: i64 = 1_420_070_400;

/// What a sensor is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SensorKind {
    Fan,
    Temperature,
    Voltage,
    /// The battery of the clock.
    Battery,
    PowerSupply,
    Other,
}

/// What a sensor is about, by its unit and its name.
pub(crate) fn kind(sensor: &BmcSensor) -> SensorKind {
    let name = sensor.name.to_ascii_lowercase();
    let unit = match sensor.reading.value() {
        Some(BmcReading::Number { unit, .. }) => unit.as_str(),
        _ => "",
    };
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let supply = words.iter().any(|w| {
        ["psu", "ps"]
            .iter()
            .any(|p| w.strip_prefix(p).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit())))
    });
    match () {
        () if words.contains(&"vbat") || words.contains(&"battery") => SensorKind::Battery,
        () if supply => SensorKind::PowerSupply,
        () if unit == "RPM" || name.contains("fan") => SensorKind::Fan,
        () if unit == "degrees C" || name.contains("temp") => SensorKind::Temperature,
        () if unit == "Volts" => SensorKind::Voltage,
        () => SensorKind::Other,
    }
}

/// How bad a sensor's state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Badness {
    NonCritical,
    Critical,
}

/// How far outside its limits a sensor stands; `None` when it is well or says nothing.
pub(crate) fn badness(sensor: &BmcSensor) -> Option<Badness> {
    match sensor.state.value()?.as_str() {
        "nc" | "lnc" | "unc" => Some(Badness::NonCritical),
        "cr" | "nr" | "lcr" | "lnr" | "ucr" | "unr" => Some(Badness::Critical),
        _ => None,
    }
}

/// Its state and reading in words.
pub(crate) fn words(sensor: &BmcSensor) -> String {
    let state = match sensor.state.value().map(String::as_str) {
        Some("nc" | "lnc" | "unc") => "outside its normal range",
        Some("nr" | "lnr" | "unr") => "beyond its last limit",
        Some("cr" | "lcr" | "ucr") => "critical",
        Some(_) => "well",
        None => "without a state",
    };
    match sensor.reading.value() {
        Some(BmcReading::Number { milli, unit }) => {
            let sign = if *milli < 0 { "-" } else { "" };
            let (whole, part) = (milli.unsigned_abs() / 1000, milli.unsigned_abs() % 1000);
            format!("{state}, {sign}{whole}.{part:03} {unit}")
        }
        Some(BmcReading::Words(text)) => format!("{state}, {text}"),
        None => state.to_owned(),
    }
}

/// A sensor as evidence.
pub(crate) fn sensor_evidence(sensor: &BmcSensor) -> Evidence {
    let from = sensor.state.place().or(sensor.reading.place()).unwrap_or_default();
    told(format!("bmc.sensors[{}]", sensor.name), words(sensor), from)
}

/// An event as evidence.
pub(crate) fn event_evidence(facts: &Facts, event: &BmcEvent) -> Evidence {
    let events = facts.bmc.value().map(|bmc| &bmc.events);
    let from = events.and_then(|e| e.place()).unwrap_or_default();
    let from = if from.is_empty() { String::new() } else { format!("{from}#L{}", event.line) };
    let when = event.when.value().map(|at| format!(" at {at} by its own clock")).unwrap_or_default();
    told(format!("bmc.events[{}]", event.number), format!("{}: {}{when}", event.sensor, event.event), &from)
}

/// The controller's sensors.
pub(crate) fn sensors(facts: &Facts) -> impl Iterator<Item = &BmcSensor> {
    facts.bmc.value().and_then(|bmc| bmc.sensors.value()).into_iter().flatten()
}

/// The controller's events of one kind, oldest first.
pub(crate) fn events(facts: &Facts, kind: BmcEventKind) -> impl Iterator<Item = &BmcEvent> {
    let all = facts.bmc.value().and_then(|bmc| bmc.events.value()).into_iter().flatten();
    all.filter(move |event| event.kind == kind)
}

/// The last number in a name: 2 of `FAN2`, `PS2 Status` and `system fan 2`.
pub(crate) fn number(name: &str) -> Option<u32> {
    name.split(|c: char| !c.is_ascii_digit()).rfind(|digits| !digits.is_empty())?.parse().ok()
}

/// The controller's sensor of a fan that QTS numbers, when it says that this fan does not turn as it should.
pub(crate) fn failing_fan<'f>(facts: &'f Facts, fan: &str) -> Option<&'f BmcSensor> {
    let wanted = fan.starts_with("system fan").then(|| number(fan)).flatten()?;
    sensors(facts).find(|s| {
        kind(s) == SensorKind::Fan && badness(s) == Some(Badness::Critical) && number(&s.name) == Some(wanted)
    })
}

/// When an event was, by the controller's clock taken as UTC; `None` when that clock was never set.
pub(crate) fn at_unix_s(event: &BmcEvent) -> Option<i64> {
    let when = event.when.value()?;
    let time = jiff::civil::DateTime::strptime("%m/%d/%Y %H:%M:%S", when).ok()?;
    let at = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    (at >= CLOCK_WAS_SET_FROM).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::bmc_sensor;
    use assay_bundle::Observed;

    #[test]
    fn names_and_units_say_what_a_sensor_is() {
        for (name, unit, expected) in [
            ("FAN1", "RPM", SensorKind::Fan),
            ("CPU Temp", "degrees C", SensorKind::Temperature),
            ("12V", "Volts", SensorKind::Voltage),
            ("VBAT", "Volts", SensorKind::Battery),
            ("PS1 Status", "", SensorKind::PowerSupply),
            ("PSU2 Fan", "RPM", SensorKind::PowerSupply),
            ("PSpace", "", SensorKind::Other),
            ("Chassis Intru", "", SensorKind::Other),
        ] {
            assert_eq!(kind(&bmc_sensor(name, "ok", Some((1, unit)))), expected, "{name}");
        }
    }

    #[test]
    fn numbers_are_the_last_ones() {
        for (name, expected) in
            [("FAN2", Some(2)), ("PS10 Status", Some(10)), ("FANA", None), ("", None), ("CPU1 FAN3", Some(3))]
        {
            assert_eq!(number(name), expected, "{name}");
        }
    }

    #[test]
    fn a_clock_that_was_never_set_tells_nothing() {
        let at = |when: &str| {
            at_unix_s(&BmcEvent { when: Observed::seen(when.to_owned(), "x"), ..BmcEvent::default() })
        };
        assert_eq!(at("11/14/2023 22:13:20"), Some(1_700_000_000));
        assert_eq!(at("01/01/2000 00:00:01"), None);
        assert_eq!(at("soon"), None);
    }
}
