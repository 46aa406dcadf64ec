//! RTC-001: battery of the hardware clock is empty.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::certainty::{CLOCK_BATTERY, CLOCK_DRIFTS, Place};
use crate::controller::{Badness, SensorKind, badness, kind, sensor_evidence, sensors};
use crate::course::DAY_S;
use crate::evidence::{seen, test, told};
use crate::rule::{Judgement, Rule};
use crate::text::date;
use crate::view::View;

/// No unit that this runs on is older than 2005: a clock before it was lost (the two values that clocks fall back to
/// are 1970-01-01 and 2000-01-01).
const FLOOR_S: i64 = 1_104_537_600;
/// Boots and events that are looked at, the newest: a battery that was replaced years ago is no finding.
const NEWEST: usize = 10;
/// A hardware clock that is so far off drifts (judgement: a good one loses a few seconds a day, and QTS sets it).
const DRIFTS_FROM_S: u64 = 3600;
/// Some systems keep the hardware clock in local time: differences of whole quarters of an hour up to 14 hours.
const ZONE_STEP_S: u64 = 900;
/// The farthest zone.
const FARTHEST_ZONE_S: u64 = 14 * 3600;
/// How a clock that lost its time refuses to be read (EINVAL, as Linux and its C library word it).
const REFUSED: [&str; 2] = ["EINVAL", "Invalid argument"];
/// Reading both clocks takes some seconds.
const READING_S: u64 = 60;

/// The rule.
pub static RULE: Rule = Rule {
    code: "RTC-001",
    title: "Battery of the hardware clock is empty",
    component: Component::RtcBattery,
    checks: "The hardware clock, the system clock and the days on which kept logs begin: whether one of them stands before the firmware was built or at the values that a clock without power falls back to, whether the hardware clock refuses to be read, and how far both clocks are apart.",
    why: "Without its battery the clock starts in 1970 or 2000 after each power cut: planned starts fail, certificates seem not yet valid, and every log has wrong times.",
    what_to_do: "Have the battery on the mainboard (usually a CR2032 cell) replaced, then set the time; the data is not in danger.",
    threshold_source: "A clock before the day on which the running firmware was built is wrong by itself; logs before 2005 likewise. QNAP units were reported to fall back to 2000-01-01. Nothing measures the battery on most boards, so it is suspected and never confirmed. A clock that is merely not synchronised is no sign.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    vec![judge(view.facts)]
}

fn judge(facts: &Facts) -> Judgement {
    let subject = "hardware clock";
    let lost = lost(facts);
    if !lost.is_empty() {
        let title = "The hardware clock loses its time when the power is off".to_owned();
        let mut finding = finding(&CLOCK_BATTERY, Verdict::Suspected, title, lost);
        if let Some(at) = facts.rtc.unix_s.value().filter(|at| **at >= floor(facts)) {
            let from = facts.rtc.unix_s.place().unwrap_or_default();
            let words = format!("it stands at {} now: it was set since", date(*at));
            finding.counter_evidence.push(told("rtc.unix_s", words, from));
        }
        return Judgement::found(subject, finding);
    }
    if let Some(evidence) = drifts(facts) {
        let title = "The hardware clock and the system clock are far apart".to_owned();
        let mut finding = finding(&CLOCK_DRIFTS, Verdict::Watch, title, vec![evidence]);
        let doubt = "a clock that somebody set wrong looks the same";
        finding.counter_evidence.push(told("rtc", doubt, ""));
        return Judgement::found(subject, finding);
    }
    match &facts.rtc.unix_s {
        Observed::Seen { .. } => Judgement::clear(subject),
        Observed::Unreadable { why } => {
            Judgement::cannot_tell(subject, format!("could not be read: {why}"), false)
        }
        Observed::Absent | Observed::NotCollected => Judgement::not_applicable(subject),
    }
}

fn finding(
    row: &crate::certainty::Row,
    verdict: Verdict,
    title: String,
    evidence: Vec<Evidence>,
) -> assay_bundle::diagnosis::Finding {
    let suspects = row.suspects(|share| match share.component {
        Component::RtcBattery => Place::at("battery on the mainboard"),
        Component::Software => Place::at("time settings of the system"),
        _ => Place::at("mainboard"),
    });
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    finding.test = test(
        "Set the time, and at the next planned shutdown leave the unit without power for ten minutes, then look at the first time in its log.",
        &[
            "It begins in 1970 or 2000 again: replace the battery.",
            "It keeps the time: the clock had been set wrong, or the battery is near its end.",
        ],
    );
    finding
}

/// The earliest moment at which this unit's clock can be right: a day before its firmware was built, for the zones.
fn floor(facts: &Facts) -> i64 {
    let built = facts.identity.firmware_build_date.value();
    let built = built.and_then(|text| Date::strptime("%Y%m%d", text.trim()).ok());
    let built = built.and_then(|day| day.to_zoned(TimeZone::UTC).ok()).map(|at| at.timestamp().as_second());
    let day = i64::try_from(DAY_S).unwrap_or_default();
    built.map_or(FLOOR_S, |at| at.saturating_sub(day).max(FLOOR_S))
}

/// Everything that says that the clock lost its time.
fn lost(facts: &Facts) -> Vec<Evidence> {
    let floor = floor(facts);
    let mut evidence = Vec::new();
    for (path, clock) in [("rtc.unix_s", &facts.rtc.unix_s), ("clock.unix_s", &facts.clock.unix_s)] {
        if let Observed::Seen { value, from } = clock
            && *value < floor
        {
            let built = facts.identity.firmware_build_date.value();
            let built = built.map(|day| format!("; the firmware was built {day}")).unwrap_or_default();
            evidence.push(told(path, format!("{}{built}", date(*value)), from));
        }
    }
    if let Observed::Unreadable { why } = &facts.rtc.unix_s
        && REFUSED.iter().any(|words| why.contains(words))
    {
        evidence.push(told("rtc.unix_s", format!("refuses to be read: {why}"), ""));
        evidence.extend(seen("rtc.name", &facts.rtc.name));
    }
    if let Observed::Seen { value: log, from } = &facts.persisted_log {
        let newest = log.boots.iter().rev().take(NEWEST);
        let early = newest.filter(|boot| boot.first_at.as_deref().is_some_and(day_before_floor));
        evidence.extend(early.take(2).map(|boot| {
            let from = if boot.from.is_empty() { from } else { &boot.from };
            let at = boot.first_at.as_deref().unwrap_or_default();
            told("persisted_log.boots", format!("a boot began at {at}"), &format!("{from}#L{}", boot.line))
        }));
    }
    if let Observed::Seen { value: log, from } = &facts.event_log {
        let started = log.events.iter().rev().filter(|event| event.kind == "started").take(NEWEST);
        let early = started.filter(|event| event.at_unix_s.is_some_and(|at| at < FLOOR_S));
        evidence.extend(early.take(2).map(|event| {
            let at = event.at_unix_s.map(date).unwrap_or_default();
            told("event_log.events", format!("started at {at}"), &format!("{from}#L{}", event.line))
        }));
    }
    let battery = sensors(facts).filter(|s| kind(s) == SensorKind::Battery);
    evidence.extend(battery.filter(|s| badness(s) == Some(Badness::Critical)).map(sensor_evidence));
    evidence
}

/// Whether a written time lies before any that is possible.
fn day_before_floor(at: &str) -> bool {
    let day = at.get(..10).and_then(|day| day.parse::<Date>().ok());
    let floor = Timestamp::from_second(FLOOR_S).ok().map(|at| at.to_zoned(TimeZone::UTC).date());
    day.zip(floor).is_some_and(|(day, floor)| day < floor)
}

/// How far the clocks are apart, when the system's is known to be right and no zone explains it.
fn drifts(facts: &Facts) -> Option<Evidence> {
    let apart = facts.rtc.ahead_of_system_s.value()?;
    let off = apart.unsigned_abs();
    let rest = off % ZONE_STEP_S;
    let zone = off <= FARTHEST_ZONE_S + READING_S && rest.min(ZONE_STEP_S - rest) <= READING_S;
    let right = facts.clock.synchronised.value() == Some(&true);
    (right && off >= DRIFTS_FROM_S && !zone).then(|| {
        let (hours, minutes) = (off / 3600, off % 3600 / 60);
        let way = if *apart < 0 { "behind" } else { "ahead of" };
        let words = format!("{hours} h {minutes} min {way} the system clock, which is synchronised");
        told("rtc.ahead_of_system_s", words, facts.rtc.ahead_of_system_s.place().unwrap_or_default())
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, bmc_sensor, nas, with_bmc};
    use assay_bundle::facts::event_log::{EventLog, SystemEvent};
    use assay_bundle::facts::persisted_log::{Boot, PersistedLog};
    use assay_bundle::facts::rtc::Rtc;

    /// The clock of the fixture is 2023-11-14.
    fn with(rtc: Observed<i64>, ahead: Option<i64>) -> Facts {
        let rtc = Rtc {
            name: Observed::seen("rtc_cmos".to_owned(), "x"),
            unix_s: rtc,
            ahead_of_system_s: ahead.map_or(Observed::NotCollected, |ahead| Observed::seen(ahead, "x")),
        };
        let mut facts = Facts { rtc, ..nas() };
        facts.identity.firmware_build_date = Observed::seen("20230815".to_owned(), "x");
        facts
    }

    fn at(unix_s: i64) -> Facts {
        with(Observed::seen(unix_s, "sys/class/rtc/rtc0/since_epoch"), None)
    }

    const NOW: i64 = 1_700_000_100;

    pub(crate) fn four() -> Four {
        Four {
            fires: at(946_684_800),
            clear: at(NOW),
            cannot_tell: with(Observed::unreadable("EACCES"), None),
            not_applicable: Some(nas()),
        }
    }

    fn check(facts: &Facts, state: &str, says: &str) {
        crate::fixture::check(evaluate, facts, &[state], says);
    }

    #[test]
    fn a_clock_before_the_firmware() {
        check(&at(NOW), "clear", "");
        check(&at(946_684_800), "found, suspected", "2000-01-01");
        check(&at(0), "found, suspected", "the firmware was built 20230815");
        check(&at(1_690_000_000), "found, suspected", "2023-07-22");
        check(&at(1_691_900_000), "found, suspected", "2023-08-13");
        check(&at(1_692_000_000), "clear", "");
        let mut unknown = at(1_690_000_000);
        unknown.identity.firmware_build_date = Observed::NotCollected;
        check(&unknown, "clear", "");
        let mut system = at(NOW);
        system.clock.unix_s = Observed::seen(946_684_900, "sample/clock.json");
        check(&system, "found, suspected", "it was set since");
        let mut unsynchronised = at(NOW);
        unsynchronised.clock.synchronised = Observed::seen(false, "x");
        check(&unsynchronised, "clear", "");
        check(&with(Observed::unreadable("since_epoch: EINVAL"), None), "found, suspected", "refuses");
    }

    #[test]
    fn logs_that_begin_too_early() {
        let boots = |days: &[&str]| {
            let boot = |day: &&str| Boot { first_at: Some(format!("{day} 00:00:09")), ..Boot::default() };
            let log = PersistedLog { boots: days.iter().map(boot).collect(), ..PersistedLog::default() };
            Facts { persisted_log: Observed::seen(log, "mnt/HDA_ROOT/.logs/kmsg"), ..at(NOW) }
        };
        check(&boots(&["2023-01-01", "2000-01-01"]), "found, suspected", "a boot began at 2000-01-01");
        let mut long_ago = vec!["2000-01-01"];
        long_ago.extend(["2023-01-01"; NEWEST]);
        check(&boots(&long_ago), "clear", "");
        let started = |at| SystemEvent {
            kind: "started".to_owned(),
            at_unix_s: Some(at),
            line: 3,
            ..SystemEvent::default()
        };
        let log = EventLog { events: vec![started(946_684_830), started(NOW)], ..EventLog::default() };
        let facts = Facts { event_log: Observed::seen(log, "sample/event_log.jsonl"), ..at(NOW) };
        check(&facts, "found, suspected", "event_log.jsonl#L3");
    }

    #[test]
    fn two_clocks_apart() {
        let apart = |seconds| with(Observed::seen(NOW, "x"), Some(seconds));
        check(&apart(3), "clear", "");
        check(&apart(7_200), "clear", "");
        check(&apart(-19_800), "clear", "");
        check(&apart(4_000), "found, watch", "1 h 6 min ahead of");
        check(&apart(-400_000), "found, watch", "behind");
        let mut unknown = apart(4_000);
        unknown.clock.synchronised = Observed::NotCollected;
        check(&unknown, "clear", "");
    }

    #[test]
    fn the_boards_controller_measures_the_battery() {
        let facts = with_bmc(at(NOW), vec![bmc_sensor("VBAT", "lcr", Some((2, "Volts")))], Vec::new());
        check(&facts, "found, suspected", "critical, 2.000 Volts");
    }
}
