//! FAN-001: fan stands still.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, SuspectKind, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::chassis::Enclosure;
use assay_bundle::facts::history::{Metric, Subject};
use assay_bundle::facts::hwmon::Fan;
use assay_bundle::observed::{NOBODY_ANSWERED, NOBODY_READ};
use assay_bundle::units::Rpm;

use crate::certainty::{FAN_STALLED, FAN_STANDS_STILL, Place};
use crate::controller::{failing_fan, sensor_evidence};
use crate::course::series_of;
use crate::earlier::{self, RECORDER, Standing};
use crate::evidence::{seen, seen_or_why, test, told};
use crate::rule::{Judgement, Outcome, Rule, over};
use crate::view::View;

/// So many readings of 0 prove a stall (hardware.md F1: three samples).
const PROVEN_BY_READINGS: usize = 3;
/// Over so many seconds at least (hardware.md F1).
const PROVEN_OVER_S: u64 = 60;
/// A fan that came back from 0 so often may be stopped on purpose: judgement.
const STOPS_ON_PURPOSE_FROM: usize = 2;
/// Below this share of its own minimum a fan does not cool (percent).
const SLOW_BELOW_PERCENT: u64 = 20;

/// The rule.
pub static RULE: Rule = Rule {
    code: "FAN-001",
    title: "Fan stands still",
    component: Component::Fan,
    checks: "Each fan input: whether a fan that is known to exist stands still or turns far below its minimum while it is driven, or is reported as failed by its chip or by QTS; and whether every fan of the model's plan gave a reading.",
    why: "Without its fan a NAS heats its drives, its memory and its power supply until they wear out or it shuts down.",
    what_to_do: "Look and listen whether the fan turns, remove dust and anything that blocks it, and replace the fan if it stays still.",
    threshold_source: "0 RPM, or under 20 % of the model's own minimum. One reading never confirms: some models stop fans on purpose, and a stall counts as proven only by three readings over a minute, by the flight recorder, while the fan is driven or QTS or the board's controller calls it failed as well. An input without a fan reads 0 RPM as well (hwmon-sysfs), so a fan counts only when the model, its label or a fault flag says that it is there. A labelled fan that is driven and alarms while others turn is suspected; without one of these it is watched.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    judgements(view.facts)
}

fn judgements(facts: &Facts) -> Vec<Judgement> {
    let mut judgements =
        over(&facts.fans, "fans", true, |fans| fans.iter().map(|fan| judge(facts, fans, fan)).collect());
    judgements.extend(unanswered(facts, &judgements));
    judgements
}

/// The fans that the model's plan has beyond those that something was said about. A plan may say that its fans cannot
/// be read: then nothing is missed.
fn unanswered(facts: &Facts, judgements: &[Judgement]) -> Option<Judgement> {
    let planned = *facts.chassis.fans.value()?;
    let own = |enclosure: &&Enclosure| enclosure.id == 0;
    let root = facts.chassis.enclosures.value().into_iter().flatten().find(own);
    let blind = root.and_then(|root| root.capabilities.value()).is_some_and(|can| can.no_fan_read);
    let read = matches!(facts.fans, Observed::Seen { .. } | Observed::Absent);
    let counted = judgements.iter().filter(|j| j.outcome != Outcome::NotApplicable).count();
    let counted = u32::try_from(counted).unwrap_or(u32::MAX);
    let missed = planned.checked_sub(counted).filter(|missed| *missed > 0 && read && !blind)?;
    let why =
        format!("the model has {planned} and nothing reads {missed} of them: nobody knows whether they turn");
    Some(Judgement::cannot_tell("fans", why, true))
}

/// Names of the fans that this rule suspects, for rules about heat.
pub(crate) fn stalled(facts: &Facts) -> Vec<String> {
    let found = |j: Judgement| match j.outcome {
        Outcome::Found(finding) if finding.verdict >= Verdict::Suspected => Some(j.subject),
        _ => None,
    };
    judgements(facts).into_iter().filter_map(found).collect()
}

fn judge(facts: &Facts, fans: &[Fan], fan: &Fan) -> Judgement {
    let subject = name(fan);
    let expected = fan.expected.value().copied();
    if expected == Some(false) {
        return Judgement::not_applicable(subject);
    }
    let expected = expected == Some(true);
    if fan.fault.value() == Some(&true) {
        let title = format!("{} is reported as failed", called(&subject));
        let verdict = if proven(facts, fan) { Verdict::Confirmed } else { Verdict::Suspected };
        return found(facts, fans, fan, verdict, title);
    }
    let speed = match &fan.speed_rpm {
        Observed::Seen { value, .. } => *value,
        Observed::Absent if !expected => return Judgement::not_applicable(subject),
        Observed::Absent | Observed::NotCollected => {
            let why = if expected {
                format!("the model should have it, and {NOBODY_ANSWERED}")
            } else {
                format!("its speed was not read: {NOBODY_READ}")
            };
            return Judgement::cannot_tell(subject, why, expected);
        }
        Observed::Unreadable { why } => {
            return Judgement::cannot_tell(subject, format!("its speed could not be read: {why}"), expected);
        }
    };
    if speed > Rpm(0) {
        return match slow(fan, speed) {
            true => {
                let title = format!("{} turns far below its minimum speed", called(&subject));
                found(facts, fans, fan, Verdict::Suspected, title)
            }
            false => Judgement::clear(subject),
        };
    }
    if fan.pwm.value() == Some(&0) {
        return Judgement::exonerated(subject, "stands still because it is driven at 0: meant to");
    }
    let driven = fan.pwm.is_seen();
    let others_spin =
        fans.iter().any(|f| f.name != fan.name && f.speed_rpm.value().is_some_and(|r| *r > Rpm(0)));
    let labelled = fan.label.value().is_some_and(|l| !l.trim().is_empty());
    // A default limit makes a chip alarm for an empty header as well, but nobody labels an empty header and drives it.
    let alarmed = labelled && driven && others_spin && fan.alarm.value() == Some(&true);
    match (expected || alarmed, labelled, driven || others_spin) {
        (true, _, true) => {
            let title = format!("{} stands still while it should turn", called(&subject));
            let verdict = match stops_on_purpose(facts, fan) {
                _ if proven(facts, fan) => Verdict::Confirmed,
                true => Verdict::Watch,
                false => Verdict::Suspected,
            };
            found(facts, fans, fan, verdict, title)
        }
        (true, _, false) | (false, true, true) => {
            let title = format!("{} stands still", called(&subject));
            found(facts, fans, fan, Verdict::Watch, title)
        }
        (false, true, false) => {
            let why = "reads 0 RPM, and nothing says whether it is meant to stand still";
            Judgement::cannot_tell(subject, why, false)
        }
        (false, false, _) if driven => {
            let why = "reads 0 RPM and is driven, but nothing says that a fan is connected there";
            Judgement::cannot_tell(subject, why, false)
        }
        // An unpopulated header: 0 RPM, and nothing speaks of a fan.
        (false, false, _) => Judgement::not_applicable(subject),
    }
}

/// How long earlier runs saw this fan at 0.
fn standing(facts: &Facts, fan: &Fan) -> Option<Standing> {
    earlier::standing(facts, series_of(facts, Subject::Fan, &fan.name, Metric::SpeedRpm)?)
}

/// Whether a stall is proven: enough readings of 0 over time of a fan that must exist, with a second source that says
/// it should turn. An unreadable speed is no reading of 0.
fn proven(facts: &Facts, fan: &Fan) -> bool {
    let known = fan.expected.value() == Some(&true) || fan.label.is_seen();
    let should_turn = fan.fault.value() == Some(&true)
        || fan.pwm.value().is_some_and(|level| *level > 0)
        || failing_fan(facts, &fan.name).is_some();
    let long =
        standing(facts, fan).is_some_and(|s| s.readings >= PROVEN_BY_READINGS && s.over_s >= PROVEN_OVER_S);
    fan.speed_rpm.value() == Some(&Rpm(0)) && fan.pwm.value() != Some(&0) && known && should_turn && long
}

/// Whether the fan came back from 0 before and nothing says how it is driven: some models stop fans when it is cool.
fn stops_on_purpose(facts: &Facts, fan: &Fan) -> bool {
    let unknown = !fan.pwm.is_seen() && failing_fan(facts, &fan.name).is_none();
    unknown && standing(facts, fan).is_some_and(|s| s.restarts >= STOPS_ON_PURPOSE_FROM)
}

/// What QTS's log and the board's controller say of the same fan.
fn second_sources(facts: &Facts, fan: &Fan) -> Vec<Evidence> {
    let mut evidence: Vec<Evidence> =
        failing_fan(facts, &fan.name).into_iter().map(sensor_evidence).collect();
    let own = fan.name.strip_prefix("system ");
    if let (Observed::Seen { value: log, from }, Some(own)) = (&facts.event_log, own) {
        let told_of = log.events.iter().rev().find(|e| e.kind == "fan" && e.subject.as_deref() == Some(own));
        evidence.extend(told_of.map(|event| {
            let at = event.at_unix_s.map(|at| format!(" at {}", crate::text::date(at))).unwrap_or_default();
            let from = format!("{from}#L{}", event.line);
            told("event_log.events", format!("QTS reported {own}{at}"), &from)
        }));
    }
    evidence
}

/// Slow counts only against the minimum of a fan that the model knows: default minimums of monitoring chips mean
/// nothing, and fans of other sizes are no measure (40 mm and 120 mm fans differ tenfold in one chassis).
fn slow(fan: &Fan, speed: Rpm) -> bool {
    fan.expected.value() == Some(&true)
        && fan
            .minimum_rpm
            .value()
            .is_some_and(|min| u64::from(speed.0) * 100 < u64::from(min.0) * SLOW_BELOW_PERCENT)
}

fn name(fan: &Fan) -> String {
    match fan.label.value().map(|l| l.trim()).filter(|l| !l.is_empty()) {
        Some(label) => format!("{label} ({})", fan.name),
        None => fan.name.clone(),
    }
}

/// The subject at the start of a sentence, which says once that it is a fan.
fn called(subject: &str) -> String {
    if subject.to_ascii_lowercase().starts_with("system fan") {
        subject.replacen("system", "System", 1)
    } else {
        format!("Fan {subject}")
    }
}

fn found(facts: &Facts, fans: &[Fan], fan: &Fan, verdict: Verdict, title: String) -> Judgement {
    let row = if verdict == Verdict::Watch { &FAN_STANDS_STILL } else { &FAN_STALLED };
    let place = name(fan);
    let suspects = row.suspects(|share| match share.kind {
        SuspectKind::Part => Place::at(place.clone()),
        SuspectKind::Configuration => Place::at("fan control"),
        _ => Place::at(format!("header of {place}")),
    });
    let path = |field: &str| format!("fans[{}].{field}", fan.name);
    let mut evidence: Vec<Evidence> = vec![seen_or_why(path("speed_rpm"), &fan.speed_rpm)];
    let flag = |field: &str, reading: &Observed<bool>, yes: &str| match reading {
        Observed::Seen { value: true, from } => Some(told(path(field), yes, from)),
        _ => None,
    };
    evidence.extend(flag("fault", &fan.fault, "reported as failed"));
    evidence.extend(flag("alarm", &fan.alarm, "the chip alarms"));
    evidence.extend(flag("expected", &fan.expected, "the model has this fan"));
    evidence.extend(seen(path("minimum_rpm"), &fan.minimum_rpm));
    evidence.extend(fan.pwm.value().map(|level| {
        told(path("pwm"), format!("driven at {level} of 255"), fan.pwm.place().unwrap_or_default())
    }));
    let standing = standing(facts, fan).filter(|_| fan.speed_rpm.value() == Some(&Rpm(0)));
    evidence.extend(standing.map(|s| {
        let words =
            format!("0 RPM in {} readings or more over {} minutes", s.readings, s.over_s.div_ceil(60));
        told(format!("history[{}].speed_rpm", fan.name), words, RECORDER)
    }));
    evidence.extend(second_sources(facts, fan));
    evidence.extend(fans.iter().filter(|f| f.name != fan.name).filter_map(|f| {
        seen(format!("fans[{}].speed_rpm", f.name), &f.speed_rpm)
            .filter(|_| f.speed_rpm.value() > Some(&Rpm(0)))
    }));
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    if fan.fault.value() == Some(&true) && fan.speed_rpm.value().is_some_and(|r| *r > Rpm(0)) {
        finding.counter_evidence.extend(seen(path("speed_rpm"), &fan.speed_rpm));
    }
    if stops_on_purpose(facts, fan) {
        let words = "it came back from 0 RPM before: some models stop fans while it is cool";
        finding.counter_evidence.push(told("history", words, RECORDER));
    }
    if verdict == Verdict::Confirmed {
        finding.advice =
            "Replace the fan; until then leave the case open to the air and keep the load low.".to_owned();
    } else {
        let words = if standing.is_some_and(|s| s.readings >= PROVEN_BY_READINGS) {
            "nothing beside the readings says that it is driven"
        } else {
            "one reading only: three readings over a minute would be proof"
        };
        finding.counter_evidence.push(told("fans", words, ""));
    }
    finding.test = test(
        "Look and listen at the fan for a minute, set the fan speed to high in the system settings, and run a check again.",
        &[
            "It stands still or is reported as failed again: replace the fan.",
            "It turns and reads 0 RPM: its connector or sensor wire.",
            "It starts to turn: dust, or a fan that the settings had stopped.",
        ],
    );
    Judgement::found(place, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, fan, nas, with_fans};

    pub(crate) fn four() -> Four {
        Four {
            fires: with_fans(vec![fan("system fan 1", 900), fan("system fan 2", 0)]),
            clear: with_fans(vec![fan("system fan 1", 900)]),
            cannot_tell: Facts { fans: Observed::NotCollected, ..nas() },
            not_applicable: Some(Facts { fans: Observed::Absent, ..nas() }),
        }
    }

    fn check(fans: Vec<Fan>, states: &[&str], says: &str) {
        crate::fixture::check(evaluate, &with_fans(fans), states, says);
    }

    /// A hwmon input that nothing knows: not expected, no label, no fault.
    fn header(name: &str, rpm: u32) -> Fan {
        Fan { expected: Observed::NotCollected, fault: Observed::Absent, ..fan(name, rpm) }
    }

    #[test]
    fn a_fan_that_should_turn() {
        check(vec![fan("system fan 1", 900)], &["clear"], "");
        check(
            vec![fan("system fan 1", 900), fan("system fan 2", 0)],
            &["clear", "found, suspected"],
            "900 RPM",
        );
        check(vec![fan("system fan 1", 0)], &["found, watch"], "shared equally");
        let failed = Fan { fault: Observed::seen(true, "x"), ..fan("system fan 1", 0) };
        check(vec![failed.clone()], &["found, suspected"], "reported as failed");
        check(
            vec![Fan { speed_rpm: Observed::unreadable("ret -1"), ..failed }],
            &["found, suspected"],
            "not known: ret -1",
        );
        let driven = Fan { pwm: Observed::seen(128, "x"), ..fan("system fan 1", 0) };
        check(vec![driven], &["found, suspected"], "driven at 128 of 255");
        let slow = Fan { minimum_rpm: Observed::seen(Rpm(600), "x"), ..fan("system fan 1", 100) };
        check(vec![slow], &["found, suspected"], "far below its minimum");
    }

    #[test]
    fn a_fan_that_may_stand_still() {
        let stopped = Fan { pwm: Observed::seen(0, "x"), ..fan("system fan 1", 0) };
        check(vec![stopped], &["exonerated"], "driven at 0");
        let labelled = Fan { label: Observed::seen("CPU fan".to_owned(), "x"), ..header("it87/fan1", 0) };
        check(vec![labelled.clone()], &["cannot tell"], "CPU fan (it87/fan1)");
        let other = || header("it87/fan2", 700);
        check(vec![labelled.clone(), other()], &["found, watch", "clear"], "CPU fan");
        let driven = Fan { pwm: Observed::seen(120, "x"), ..labelled };
        let alarmed = Fan { alarm: Observed::seen(true, "x"), ..driven.clone() };
        check(vec![driven, other()], &["found, watch", "clear"], "CPU fan");
        check(vec![alarmed.clone(), other()], &["found, suspected", "clear"], "the chip alarms");
        check(vec![alarmed], &["found, watch"], "CPU fan");
    }

    #[test]
    fn three_readings_over_a_minute_prove_a_stall() {
        use crate::fixture::{bmc_sensor, recorded_name, with_bmc};
        const NOW: i64 = 1_700_000_100;
        let check = |fan: Fan, points: &[(i64, u32, Option<i64>)], state: &str, says: &str| {
            let facts = with_fans(vec![fan, crate::fixture::fan("system fan 2", 900)]);
            let facts = recorded_name(facts, Subject::Fan, "system fan 1", Metric::SpeedRpm, points);
            let looked = [(NOW - 300, 0, Some(40)), (NOW - 200, 0, Some(44))];
            let facts = recorded_name(facts, Subject::Sensor, "CPU", Metric::TemperatureC, &looked);
            crate::fixture::check(evaluate, &facts, &[state, "clear"], says);
            facts
        };
        let stands = [(NOW - 9_000, 0, Some(900)), (NOW - 600, 0, Some(0))];
        let still = || fan("system fan 1", 0);
        let driven = || Fan { pwm: Observed::seen(120, "x"), ..still() };
        check(driven(), &stands, "found, confirmed", "0 RPM in 4 readings or more over 10 minutes");
        check(driven(), &stands[..1], "found, suspected", "one reading only");
        check(driven(), &[(NOW - 30, 0, Some(0))], "found, suspected", "one reading only");
        check(Fan { fault: Observed::seen(true, "x"), ..still() }, &stands, "found, confirmed", "");
        // Nothing says that it is driven: a model may stop it.
        let facts = check(still(), &stands, "found, suspected", "nothing beside the readings");
        check(Fan { pwm: Observed::seen(0, "x"), ..still() }, &stands, "exonerated", "meant to");
        let stops = [900, 0, 900, 0, 900, 0].into_iter().zip((1..=6).rev());
        let stops: Vec<_> = stops.map(|(rpm, ago)| (NOW - ago * 1_000, 0, Some(rpm))).collect();
        check(still(), &stops, "found, watch", "some models stop fans");
        check(driven(), &stops, "found, confirmed", "");
        check(
            Fan { speed_rpm: Observed::unreadable("65535"), ..driven() },
            &stands,
            "cannot tell, required",
            "",
        );
        let sensors = vec![bmc_sensor("FAN1", "lcr", Some((0, "RPM")))];
        let facts = with_bmc(facts, sensors, Vec::new());
        crate::fixture::check(evaluate, &facts, &["found, confirmed", "clear"], "bmc.sensors[FAN1]");
    }

    #[test]
    fn an_empty_header_is_no_fan() {
        check(vec![header("nct6775/fan1", 900), header("nct6775/fan2", 0)], &["clear", "not applicable"], "");
        let driven = Fan { pwm: Observed::seen(255, "x"), ..header("nct6775/fan3", 0) };
        check(vec![header("nct6775/fan1", 900), driven], &["clear", "cannot tell"], "connected there");
        let foreign = Fan { expected: Observed::seen(false, "etc/model.conf"), ..fan("system fan 2", 0) };
        check(vec![foreign], &["not applicable"], "");
    }

    #[test]
    fn a_fan_that_was_not_read() {
        let unread = |speed| Fan { speed_rpm: speed, ..fan("system fan 2", 0) };
        check(vec![unread(Observed::unreadable("65535 RPM"))], &["cannot tell, required"], "65535 RPM");
        check(vec![unread(Observed::Absent)], &["cannot tell, required"], "the model should have it");
        check(vec![unread(Observed::NotCollected)], &["cannot tell, required"], "nothing answered");
        let header = Fan { speed_rpm: Observed::unreadable("EIO"), ..header("it87/fan2", 0) };
        check(vec![header], &["cannot tell"], "EIO");
        for (fans, state) in [
            (Observed::NotCollected, "cannot tell, required"),
            (Observed::unreadable("denied"), "cannot tell, required"),
            (Observed::Absent, "not applicable"),
        ] {
            crate::fixture::check(evaluate, &Facts { fans, ..nas() }, &[state], "fans");
        }
    }

    #[test]
    fn a_fan_of_the_plan_that_nothing_reads() {
        use assay_bundle::facts::chassis::Capabilities;
        let planned = |fans: Observed<Vec<Fan>>, bits: u32| {
            let mut facts = Facts { fans, ..nas() };
            facts.chassis.fans = Observed::seen(2, "etc/model.conf");
            let root = Enclosure {
                capabilities: Observed::seen(Capabilities::of(bits), "etc/hal.conf"),
                ..Enclosure::default()
            };
            facts.chassis.enclosures = Observed::seen(vec![root], "etc/hal.conf");
            facts
        };
        let seen = |fans| Observed::seen(fans, "sys/class/hwmon");
        let check = crate::fixture::check;
        let both = seen(vec![fan("system fan 1", 900), fan("system fan 2", 900)]);
        check(evaluate, &planned(both, 0), &["clear", "clear"], "");
        // An input without a label that reads 0 may be the second fan or an empty header.
        let dead = seen(vec![header("it87/fan1", 900), header("it87/fan2", 0)]);
        let states = ["clear", "not applicable", "cannot tell, required"];
        check(evaluate, &planned(dead.clone(), 0), &states, "nothing reads 1 of them");
        check(evaluate, &planned(dead, 0x0100_0000), &["clear", "not applicable"], "");
        check(
            evaluate,
            &planned(Observed::Absent, 0),
            &["not applicable", "cannot tell, required"],
            "2 of them",
        );
        check(evaluate, &planned(Observed::Absent, 0x0100_0000), &["not applicable"], "");
        check(evaluate, &planned(Observed::NotCollected, 0), &["cannot tell, required"], "were not read");
    }
}
