//! TMP-002: unit runs hotter than it used to.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, SuspectKind, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::history::{Metric, Series, Subject};

use crate::certainty::{HOTTER, HOTTER_WITH_FANS, Place};
use crate::course::{DAY_S, series_of, series_of_drive};
use crate::earlier::{OVER_TIME, RECORDER, usual, value_at, why_not};
use crate::evidence::{listed, test, told};
use crate::rule::{Judgement, Rule};
use crate::subject::{asleep, location};
use crate::view::View;

/// A rise of more than this over the usual temperature counts (hardware.md F3).
const RISES_C: i64 = 8;
/// The run before must have seen at least this rise: the recorder leaves out steps of up to 3 C.
const RISES_BEFORE_C: i64 = RISES_C - 3;
/// Days whose usual temperature is compared (hardware.md F3).
const OVER_DAYS: u64 = 30;
/// The newest days are not part of what was usual: judgement.
const NOT_THE_NEWEST_DAYS: u64 = 2;
/// Things that must have warmed: one alone is its own affair (judgement).
const SEVERAL: usize = 2;
/// Above this load for each processor the unit is at work (judgement: half of it).
const BUSY_HUNDREDTHS: u32 = 50;
/// A fan that turns so much faster than usual works against heat (the recorder's own step for fans is 10 percent).
const FASTER_PERCENT: i64 = 20;

/// The rule.
pub static RULE: Rule = Rule {
    code: "TMP-002",
    title: "Unit runs hotter than it used to",
    component: Component::Cooling,
    checks: "Temperatures of drives, processor and case against what they usually were in the last 30 days, when the unit is not at work: whether several rose together, and what the fans do.",
    why: "Dust, a blocked vent, dried thermal paste or a warmer room heat everything in the unit slowly, long before a limit is reached.",
    what_to_do: "Clean the vents and the dust filter, leave room around the unit, and compare with the temperature of the room.",
    threshold_source: "More than 8 C over the usual temperature of 30 days at the same load, for most of what was followed, in this run and the one before (field practice; judgement). The load of earlier runs is not recorded, so only a unit at rest is judged.",
    evaluate,
};

/// One thing whose temperature was followed.
struct Followed {
    name: String,
    now: i64,
    usual: i64,
    before: i64,
}

impl Followed {
    fn rose(&self) -> bool {
        self.now.saturating_sub(self.usual) > RISES_C
            && self.before.saturating_sub(self.usual) >= RISES_BEFORE_C
    }
}

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    vec![judge(view.facts)]
}

fn judge(facts: &Facts) -> Judgement {
    let subject = "temperatures";
    let any = facts.temperatures.is_seen() || facts.drives.value().is_some_and(|drives| !drives.is_empty());
    if !any {
        return Judgement::not_applicable(subject);
    }
    let followed = followed(facts);
    if followed.len() < SEVERAL {
        return match &facts.history {
            Observed::Seen { .. } => {
                let why = format!("earlier runs do not reach back {OVER_DAYS} days yet");
                Judgement::cannot_tell(subject, why, false)
            }
            other => Judgement::cannot_tell(OVER_TIME, why_not(other), false),
        };
    }
    let rose: Vec<&Followed> = followed.iter().filter(|thing| thing.rose()).collect();
    if rose.len() < SEVERAL || rose.len() * 2 <= followed.len() {
        return Judgement::clear(subject);
    }
    if let Some(work) = at_work(facts) {
        return Judgement::exonerated(subject, format!("higher than in the last {OVER_DAYS} days; {work}"));
    }
    found(facts, &rose)
}

fn followed(facts: &Facts) -> Vec<Followed> {
    let Some(now_s) = facts.clock.unix_s.value().copied() else { return Vec::new() };
    let days = |days: u64| now_s.saturating_sub(i64::try_from(days * DAY_S).unwrap_or(i64::MAX));
    let thing = |name: String, now: Option<i64>, series: Option<&Series>| {
        let series = series?;
        let usual = usual(series, days(OVER_DAYS), days(NOT_THE_NEWEST_DAYS))?;
        Some(Followed { name, now: now?, usual, before: value_at(series, now_s)? })
    };
    let drives = facts.drives.value().into_iter().flatten().filter(|drive| !asleep(drive));
    let drives = drives.filter_map(|drive| {
        let now = drive.temperature_c.value().map(|t| i64::from(t.0));
        thing(location(drive), now, series_of_drive(facts, drive, Metric::TemperatureC))
    });
    let sensors = facts.temperatures.value().into_iter().flatten().filter_map(|sensor| {
        let now = sensor.temperature_c.value().map(|t| i64::from(t.0));
        thing(sensor.name.clone(), now, series_of(facts, Subject::Sensor, &sensor.name, Metric::TemperatureC))
    });
    drives.chain(sensors).collect()
}

/// What the unit works at, so that heat is expected.
fn at_work(facts: &Facts) -> Option<String> {
    let mut actions = facts.md_arrays.value().into_iter().flatten().filter_map(|a| a.sync_action.value());
    if let Some(action) = actions.find(|action| !matches!(action.as_str(), "idle" | "frozen")) {
        return Some(format!("an array is busy with {action}"));
    }
    let (load, processors) = (facts.host.load_15min_hundredths.value()?, facts.host.cpu_count.value()?);
    (*load > processors.saturating_mul(BUSY_HUNDREDTHS)).then(|| "the unit is at work".to_owned())
}

/// Fans whose speed left the usual one: those that turn faster, and those that turn slower.
fn fans(facts: &Facts) -> (Vec<Evidence>, Vec<Evidence>) {
    let Some(now_s) = facts.clock.unix_s.value().copied() else { return Default::default() };
    let days = |days: u64| now_s.saturating_sub(i64::try_from(days * DAY_S).unwrap_or(i64::MAX));
    let (mut faster, mut slower) = (Vec::new(), Vec::new());
    for fan in facts.fans.value().into_iter().flatten() {
        let speed = fan.speed_rpm.value().map(|speed| i64::from(speed.0));
        let series = series_of(facts, Subject::Fan, &fan.name, Metric::SpeedRpm);
        let usual = series.and_then(|s| usual(s, days(OVER_DAYS), days(NOT_THE_NEWEST_DAYS)));
        let (Some(speed), Some(usual)) = (speed, usual) else { continue };
        let words = format!("usually {usual} RPM, now {speed} RPM");
        let evidence = told(format!("history[{}].speed_rpm", fan.name), words, RECORDER);
        let (now, before) = (speed.saturating_mul(100), usual.saturating_mul(100));
        let step = usual.saturating_mul(FASTER_PERCENT);
        if now >= before.saturating_add(step) {
            faster.push(evidence);
        } else if now <= before.saturating_sub(step) {
            slower.push(evidence);
        }
    }
    (faster, slower)
}

fn found(facts: &Facts, rose: &[&Followed]) -> Judgement {
    let (faster, slower) = fans(facts);
    let works_against = !faster.is_empty() && slower.is_empty();
    let verdict = if works_against { Verdict::Suspected } else { Verdict::Watch };
    let row = if works_against { &HOTTER_WITH_FANS } else { &HOTTER };
    let suspects = row.suspects(|share| match (share.kind, share.component) {
        (SuspectKind::Configuration, _) => Place::at("fan control"),
        (_, Component::Cooling) => Place::at("dust, vents and air flow of the unit"),
        _ => Place::at("room or rack"),
    });
    let mut evidence: Vec<Evidence> = rose
        .iter()
        .map(|thing| {
            let words = format!("usually {} C, now {} C", thing.usual, thing.now);
            told(format!("history[{}].temperature_c", thing.name), words, RECORDER)
        })
        .collect();
    evidence.extend(faster);
    evidence.extend(slower);
    let names = listed(&rose.iter().map(|thing| thing.name.clone()).collect::<Vec<_>>());
    let title = format!("The unit runs hotter than it did in the last {OVER_DAYS} days: {names}");
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    if !facts.host.load_15min_hundredths.is_seen() {
        finding.counter_evidence.push(told("host", "how busy the unit is was not read", ""));
    }
    let doubt = "the temperature of the room is not measured";
    finding.counter_evidence.push(told("temperatures", doubt, ""));
    finding.test = test(
        "Clean the vents, let the unit rest for an hour in a room of known temperature, and run a check again.",
        &[
            "It is as cool as it was: dust.",
            "It stays hotter and the room is as it was: thermal paste, fan control or a fan.",
            "The room is warmer by as much: nothing of the unit.",
        ],
    );
    Judgement::found("temperatures", finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, fan, hdd, nas, recorded, recorded_name, with_drives};
    use assay_bundle::facts::drive::Drive;
    use assay_bundle::facts::hwmon::TemperatureSensor;
    use assay_bundle::units::{Celsius, Rpm};

    const NOW: i64 = 1_700_000_100;
    const DAY: i64 = 86_400;

    /// A drive and a case, each usually at 34 C.
    fn facts(drive_now: i16, drive_before: i64, system_now: i16, reaches_back_days: i64) -> Facts {
        let drive = Drive { temperature_c: Observed::seen(Celsius(drive_now), "x"), ..hdd("sda", 1) };
        let sensor = TemperatureSensor {
            name: "system".to_owned(),
            temperature_c: Observed::seen(Celsius(system_now), "x"),
            ..TemperatureSensor::default()
        };
        let past =
            |before: i64| [(NOW - reaches_back_days * DAY, 0, Some(34)), (NOW - DAY / 2, 0, Some(before))];
        let facts =
            recorded(with_drives(vec![drive.clone()]), &drive, Metric::TemperatureC, &past(drive_before));
        let facts = recorded_name(
            facts,
            Subject::Sensor,
            "system",
            Metric::TemperatureC,
            &past(i64::from(system_now)),
        );
        let mut facts = Facts { temperatures: Observed::seen(vec![sensor], "x"), ..facts };
        facts.host.cpu_count = Observed::seen(4, "x");
        facts.host.load_15min_hundredths = Observed::seen(40, "x");
        facts
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: facts(45, 44, 46, 60),
            clear: facts(36, 36, 35, 60),
            cannot_tell: nas(),
            not_applicable: Some(with_drives(Vec::new())),
        }
    }

    fn check(facts: &Facts, state: &str, says: &str) {
        crate::fixture::check(evaluate, facts, &[state], says);
    }

    #[test]
    fn several_rise_together() {
        check(&facts(45, 44, 46, 60), "found, watch", "usually 34 C, now 45 C");
        check(&facts(42, 42, 42, 60), "clear", "");
        check(&facts(45, 44, 36, 60), "clear", "");
        // One hot moment of the drive.
        check(&facts(45, 35, 46, 60), "clear", "");
        check(&facts(45, 44, 46, 20), "cannot tell", "do not reach back 30 days");
    }

    #[test]
    fn a_unit_at_work_is_hot() {
        let mut busy = facts(45, 44, 46, 60);
        busy.host.load_15min_hundredths = Observed::seen(201, "x");
        check(&busy, "exonerated", "at work");
        busy.host.load_15min_hundredths = Observed::NotCollected;
        check(&busy, "found, watch", "how busy the unit is was not read");
        let mut array = crate::fixture::array("md1", "raid1", 1, &[]);
        array.sync_action = Observed::seen("check".to_owned(), "x");
        let checking = Facts { md_arrays: Observed::seen(vec![array], "x"), ..facts(45, 44, 46, 60) };
        check(&checking, "exonerated", "busy with check");
    }

    #[test]
    fn fans_that_work_against_it() {
        let with = |speed: u32| {
            let fan = assay_bundle::facts::hwmon::Fan {
                speed_rpm: Observed::seen(Rpm(speed), "x"),
                ..fan("system fan 1", 900)
            };
            let facts = Facts { fans: Observed::seen(vec![fan], "x"), ..facts(45, 44, 46, 60) };
            let past = [(NOW - 60 * DAY, 0, Some(900))];
            recorded_name(facts, Subject::Fan, "system fan 1", Metric::SpeedRpm, &past)
        };
        check(&with(1_300), "found, suspected", "now 1300 RPM");
        check(&with(950), "found, watch", "");
        check(&with(600), "found, watch", "now 600 RPM");
    }
}
