//! TMP-003: processor or case is too hot.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::hwmon::TemperatureSensor;
use assay_bundle::facts::limits::{LimitKind, LimitOf};
use assay_bundle::units::Celsius;

use crate::certainty::{Place, TOO_HOT, TOO_HOT_FAN};
use crate::controller::{Badness, SensorKind, badness, kind, sensor_evidence, sensors};
use crate::course::DAY_S;
use crate::evidence::{listed, test, told};
use crate::rule::{Judgement, Rule};
use crate::rules::fan_stalled;
use crate::view::View;

/// What a sensor can read: QNAP's embedded controller counts 0 < t < 128 as valid, and 127 is its full scale.
const PLAUSIBLE: std::ops::RangeInclusive<i16> = 1..=126;
/// A processor's own critical limit counts only in this range: makers state 85 C to 115 C, drivers 127 C or 0 C.
const PLAUSIBLE_LIMIT: std::ops::RangeInclusive<i16> = 60..=120;
/// So close below a processor's own critical limit it is watched (judgement: it slows itself down there).
const CLOSE_C: i16 = 5;
/// Drivers of sensors inside the processor; inputs of other chips may be open and read anything.
const INSIDE: [&str; 7] =
    ["coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "x86_pkg_temp", "soc_dts"];
/// A shutdown by heat counts as present for so long (judgement).
const RECENT_S: i64 = 90 * 24 * 3600;

/// The rule.
pub static RULE: Rule = Rule {
    code: "TMP-003",
    title: "Processor or case is too hot",
    component: Component::Cooling,
    checks: "Temperatures of processor and case against the limits that this NAS works with, the processor's own critical limit, and the limits of the board's controller; whether the kernel stopped the machine because of heat; and whether the processor slowed itself down.",
    why: "A processor that is too hot slows down and then stops the unit; heat in the case ages capacitors, memory and drives.",
    what_to_do: "See that every fan turns, clean the heat sink and the vents, and let the unit stand free.",
    threshold_source: "The limits that QTS itself is set to (critical to watch, shutdown to suspect); the critical limit of the processor's driver, 5 C below it to watch (judgement). A shutdown by the kernel because of heat is proof that cooling failed. A processor that slows down is no machine check and no defect. Readings outside 1 to 126 C are none.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let mut judgements: Vec<Judgement> = shutdowns(view).into_iter().collect();
    judgements.extend(throttled(view));
    let mut hot: Vec<(String, Verdict, Vec<Evidence>)> = Vec::new();
    let mut cool = 0;
    match &facts.temperatures {
        Observed::Seen { value, .. } => {
            for sensor in value {
                match judge(facts, sensor) {
                    Some(Ok(None)) => cool += 1,
                    Some(Ok(Some((verdict, evidence)))) => hot.push((name(sensor), verdict, evidence)),
                    Some(Err(judgement)) => judgements.push(judgement),
                    None => {}
                }
            }
        }
        Observed::Unreadable { why } => {
            let why = format!("could not be read: {why}");
            judgements.push(Judgement::cannot_tell("temperatures", why, false));
        }
        Observed::Absent | Observed::NotCollected => {}
    }
    for sensor in sensors(facts).filter(|s| kind(s) == SensorKind::Temperature && s.state.is_seen()) {
        match badness(sensor) {
            Some(Badness::Critical) => {
                let name = format!("{} of the board's controller", sensor.name);
                hot.push((name, Verdict::Suspected, vec![sensor_evidence(sensor)]));
            }
            _ => cool += 1,
        }
    }
    judgements.extend(found(facts, &hot));
    if cool > 0 && hot.is_empty() {
        judgements.push(Judgement::clear("processor and case"));
    }
    if judgements.is_empty() {
        judgements.push(Judgement::not_applicable("processor and case"));
    }
    judgements
}

fn name(sensor: &TemperatureSensor) -> String {
    match sensor.label.value().map(|label| label.trim()).filter(|label| !label.is_empty()) {
        Some(label) => format!("{label} ({})", sensor.name),
        None => sensor.name.clone(),
    }
}

/// How bad the heat is, and what shows it.
type Heat = (Verdict, Vec<Evidence>);

/// One sensor: hot, cool, not to be told, or none that is judged here.
fn judge(facts: &Facts, sensor: &TemperatureSensor) -> Option<Result<Option<Heat>, Judgement>> {
    let of = match sensor.name.as_str() {
        "CPU" => Some(LimitOf::Cpu),
        "system" => Some(LimitOf::System),
        _ => None,
    };
    let label = sensor.label.value().map(String::as_str).unwrap_or_default();
    let inside = |words: &str| INSIDE.iter().any(|chip| words.starts_with(chip));
    if of.is_none() && !inside(&sensor.name) && !inside(label) {
        return None;
    }
    let (now, from) = match &sensor.temperature_c {
        Observed::Seen { value, from } if PLAUSIBLE.contains(&value.0) => (*value, from),
        Observed::Seen { value, .. } => {
            let why = format!("reads {value}, which no part of a running unit has");
            return Some(Err(Judgement::cannot_tell(name(sensor), why, false)));
        }
        Observed::Unreadable { why } => {
            let why = format!("its temperature could not be read: {why}");
            return Some(Err(Judgement::cannot_tell(name(sensor), why, false)));
        }
        Observed::Absent | Observed::NotCollected => return None,
    };
    let (watch, suspect, limit) = match of {
        Some(of) => set_to(facts, of)?,
        None => own_limit(sensor)?,
    };
    let verdict = match now {
        now if suspect.is_some_and(|suspect| now >= suspect) => Verdict::Suspected,
        now if watch.is_some_and(|watch| now >= watch) => Verdict::Watch,
        _ => return Some(Ok(None)),
    };
    let reading = told(format!("temperatures[{}].temperature_c", sensor.name), now.to_string(), from);
    Some(Ok(Some((verdict, vec![reading, limit]))))
}

/// Where watching and suspecting begin, and whose limits these are.
type Limits = (Option<Celsius>, Option<Celsius>, Evidence);

/// What this NAS is set to. Its warnings steer the fans, so they are no sign of a fault.
fn set_to(facts: &Facts, of: LimitOf) -> Option<Limits> {
    let lowest = |kind: LimitKind| {
        let wanted = facts.temperature_limits.value().into_iter().flatten();
        let read = wanted.filter(|l| l.of == of && l.kind == kind).filter_map(|l| match &l.temperature_c {
            Observed::Seen { value, from } if PLAUSIBLE.contains(&value.0) => Some((*value, from.as_str())),
            _ => None,
        });
        read.min_by_key(|(limit, _)| *limit)
    };
    let (critical, shutdown) = (lowest(LimitKind::Critical), lowest(LimitKind::Shutdown));
    let (_, from) = critical.or(shutdown)?;
    let words = |limit: Option<(Celsius, &str)>| limit.map_or("none".to_owned(), |(l, _)| l.to_string());
    let value = format!("this NAS: critical {}, shutdown {}", words(critical), words(shutdown));
    let limit = told("temperature_limits", value, from);
    Some((critical.map(|(l, _)| l), shutdown.map(|(l, _)| l), limit))
}

/// The processor's own limit.
fn own_limit(sensor: &TemperatureSensor) -> Option<Limits> {
    match &sensor.critical_c {
        Observed::Seen { value, from } if PLAUSIBLE_LIMIT.contains(&value.0) => {
            let path = format!("temperatures[{}].critical_c", sensor.name);
            let limit = told(path, format!("{value} by the processor's driver"), from);
            Some((Some(Celsius(value.0 - CLOSE_C)), Some(*value), limit))
        }
        _ => None,
    }
}

/// Whether the kernel stopped the machine because of heat.
fn shutdowns(view: &View<'_>) -> Option<Judgement> {
    let events: Vec<_> = view.log.of_kind(&["thermal-shutdown"]).collect();
    let last = events.last()?;
    let now = view.facts.clock.unix_s.value().copied();
    let ago = now.zip(last.at_unix_s).map(|(now, at)| now.saturating_sub(at));
    let recent = last.now || ago.is_some_and(|ago| ago <= RECENT_S);
    let verdict = if recent { Verdict::Confirmed } else { Verdict::Watch };
    let suspects = TOO_HOT.suspects(|share| match share.component {
        Component::Cooling => Place::at("fans, heat sink and air flow of the unit"),
        _ => Place::at("room or rack"),
    });
    let evidence = events.iter().rev().take(3).map(|event| event.evidence()).collect();
    let title = "The kernel stopped this unit because of heat".to_owned();
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    if !recent {
        let days = ago.and_then(|ago| u64::try_from(ago).ok()).map(|ago| ago / DAY_S);
        let words = days.map_or("when it was is not known".to_owned(), |days| format!("{days} days ago"));
        finding.counter_evidence.push(told("persisted_log.events", words, ""));
    }
    finding.test = test(
        "Watch the fans and the temperatures for an hour after a cold start with the vents cleaned.",
        &[
            "A fan stands still or the processor climbs at rest: that fan, or the heat sink's paste.",
            "All stays cool: dust was the cause, or the room.",
        ],
    );
    Some(Judgement::found("shutdown by heat", finding))
}

/// A processor that slowed itself down: told so that nobody takes it for a machine check.
fn throttled(view: &View<'_>) -> Option<Judgement> {
    let times = view.log.of_kind(&["cpu-throttled"]).map(|h| h.times()).fold(0, u64::saturating_add);
    let word = if times == 1 { "once".to_owned() } else { format!("{times} times") };
    let why =
        format!("slowed itself down {word} because of heat: no machine check and no defect of the processor");
    (times > 0).then(|| Judgement::exonerated("processor's clock", why))
}

/// One finding for everything that is hot: what it shares is the air.
fn found(facts: &Facts, hot: &[(String, Verdict, Vec<Evidence>)]) -> Option<Judgement> {
    let verdict = hot.iter().map(|(_, verdict, _)| *verdict).max()?;
    let names = listed(&hot.iter().map(|(name, ..)| name.clone()).collect::<Vec<_>>());
    let still = fan_stalled::stalled(facts);
    let row = if still.is_empty() { &TOO_HOT } else { &TOO_HOT_FAN };
    let suspects = row.suspects(|share| match share.component {
        Component::Fan => Place::at(listed(&still)),
        Component::Cooling => Place::at("heat sink, dust and air flow of the unit"),
        _ => Place::at("room or rack"),
    });
    let evidence = hot.iter().flat_map(|(_, _, evidence)| evidence.clone()).collect();
    let title = format!("The unit is too hot: {names}");
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    finding.counter_evidence.push(told(
        "temperatures",
        "one reading; a short load heats a processor too",
        "",
    ));
    finding.test = test(
        "Let the unit rest for half an hour with the fan speed set to high, and run a check again.",
        &[
            "It cools down: load, dust or fan control; clean it and watch it.",
            "It stays hot and a fan stands still: that fan.",
            "It stays hot with all fans turning: the heat sink's paste, or the room.",
        ],
    );
    Some(Judgement::found(names, finding))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, bmc_sensor, nas, with_bmc, with_log};
    use assay_bundle::facts::kernel_log::KernelEvent;
    use assay_bundle::facts::limits::TemperatureLimit;
    use assay_bundle::facts::persisted_log::{PastEvent, PersistedLog};

    fn sensor(
        name: &str,
        label: Option<&str>,
        now: Observed<Celsius>,
        critical: Option<i16>,
    ) -> TemperatureSensor {
        TemperatureSensor {
            name: name.to_owned(),
            label: label.map_or(Observed::Absent, |label| Observed::seen(label.to_owned(), "x")),
            temperature_c: now,
            critical_c: critical.map_or(Observed::Absent, |c| Observed::seen(Celsius(c), "x")),
            ..TemperatureSensor::default()
        }
    }

    fn with(sensors: Vec<TemperatureSensor>) -> Facts {
        use LimitKind::{Critical, Shutdown, Warning};
        let limit = |(of, kind, celsius)| TemperatureLimit {
            of,
            kind,
            temperature_c: Observed::seen(Celsius(celsius), "var/log/hal_daemon.log"),
            line: None,
        };
        let limits = [
            (LimitOf::Cpu, Warning, 72),
            (LimitOf::Cpu, Critical, 80),
            (LimitOf::Cpu, Shutdown, 85),
            (LimitOf::System, Critical, 60),
            (LimitOf::System, Shutdown, 70),
        ];
        Facts {
            temperatures: Observed::seen(sensors, "x"),
            temperature_limits: Observed::seen(limits.into_iter().map(limit).collect(), "x"),
            ..nas()
        }
    }

    fn at(name: &str, celsius: i16) -> Facts {
        with(vec![sensor(name, None, Observed::seen(Celsius(celsius), "x"), None)])
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: at("system", 75),
            clear: at("system", 40),
            cannot_tell: at("CPU", 127),
            not_applicable: Some(nas()),
        }
    }

    fn check(facts: &Facts, states: &[&str], says: &str) {
        crate::fixture::check(evaluate, facts, states, says);
    }

    #[test]
    fn by_the_limits_of_the_nas() {
        check(&at("CPU", 79), &["clear"], "");
        check(&at("CPU", 80), &["found, watch"], "critical 80 C, shutdown 85 C");
        check(&at("CPU", 85), &["found, suspected"], "The unit is too hot: CPU");
        check(&at("system", 59), &["clear"], "");
        check(&at("system", 70), &["found, suspected"], "");
        let mut unknown = at("system", 75);
        unknown.temperature_limits = Observed::NotCollected;
        check(&unknown, &["not applicable"], "");
    }

    #[test]
    fn by_the_processors_own_limit() {
        let core = |celsius, critical| {
            with(vec![sensor(
                "coretemp/temp2",
                Some("Core 0"),
                Observed::seen(Celsius(celsius), "x"),
                critical,
            )])
        };
        check(&core(99, Some(105)), &["clear"], "");
        check(&core(100, Some(105)), &["found, watch"], "Core 0 (coretemp/temp2)");
        check(&core(105, Some(105)), &["found, suspected"], "105 C by the processor's driver");
        check(&core(105, Some(127)), &["not applicable"], "");
        check(&core(105, None), &["not applicable"], "");
        let open = sensor("nct6775/temp4", Some("AUXTIN1"), Observed::seen(Celsius(115), "x"), Some(100));
        check(&with(vec![open]), &["not applicable"], "");
    }

    #[test]
    fn absurd_readings_are_none() {
        for celsius in [0, -1, 127, 128, i16::MAX] {
            check(&at("CPU", celsius), &["cannot tell"], "no part of a running unit");
        }
        let unread = sensor("system", None, Observed::unreadable("3892314 C"), None);
        check(&with(vec![unread]), &["cannot tell"], "3892314 C");
        check(&with(vec![sensor("system", None, Observed::Absent, None)]), &["not applicable"], "");
    }

    #[test]
    fn what_the_kernel_did() {
        let event = |signature: &str, repeats| KernelEvent {
            signature: signature.to_owned(),
            subject: Some("thermal_zone0".to_owned()),
            at_us: Some(1),
            repeats,
            ..KernelEvent::default()
        };
        let facts = with_log(nas(), vec![event("thermal-shutdown", 1)]);
        check(&facts, &["found, confirmed"], "because of heat");
        let slow = with_log(at("CPU", 60), vec![event("cpu-throttled", 9)]);
        check(&slow, &["exonerated", "clear"], "slowed itself down 9 times");
        let past = |at: &str| {
            let log = PersistedLog {
                events: vec![PastEvent {
                    at: Some(at.to_owned()),
                    from: "mnt/HDA_ROOT/.logs/kmsg".to_owned(),
                    event: event("thermal-shutdown", 1),
                    ..PastEvent::default()
                }],
                ..PersistedLog::default()
            };
            Facts { persisted_log: Observed::seen(log, "x"), ..nas() }
        };
        check(&past("2023-11-01 00:00:00"), &["found, confirmed"], "");
        check(&past("2022-11-01 00:00:00"), &["found, watch"], "378 days ago");
    }

    #[test]
    fn the_boards_controller() {
        let says =
            |state| with_bmc(nas(), vec![bmc_sensor("CPU Temp", state, Some((99, "degrees C")))], Vec::new());
        check(&says("ucr"), &["found, suspected"], "CPU Temp of the board's controller");
        check(&says("ok"), &["clear"], "");
    }
}
