//! Which values are worth a record: how fine the flight recorder keeps what it follows.
//!
//! The steps here are granularity of recording, not judgement: they bound what is written, and a rule that looks at
//! the series decides what a change means. Counters are kept at every change. Temperatures wander all day, so they
//! are kept from 3 C on, and at each new extreme, because the hottest minute is what matters. A fan is kept at a tenth
//! of its speed, and always when it stops or starts. Hours only rise, so they ride along with another change of the
//! drive, or once a day. A value that could not be read is no change; a thing that is not listed any more, in a list
//! that could be read whole, is gone, and that is recorded, as is its return.

use std::collections::BTreeMap;

use assay_bundle::facts::Facts;
use assay_bundle::facts::history::Metric;

use super::readings::Readings;
use super::{Entry, Key, Known, Line, Parsed, SEGMENT_BYTES, frame};

/// A temperature is recorded when it differs by so much from the last recorded one.
const TEMPERATURE_STEP_C: u64 = 3;
/// A fan's speed is recorded when it differs by one part in so many.
const SPEED_PART: u64 = 10;
/// Hours are recorded when the last record of them is so old.
const HOURS_EVERY_S: u64 = 24 * 3600;

/// The two forms of one run's record, each as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Records {
    /// What changed; for the end of the file that is written.
    pub(crate) changes: String,
    /// All that is known; for the beginning of a new file.
    pub(crate) full: String,
}

/// The record of this run after what earlier ones recorded; `None` when nothing changed.
pub(crate) fn record(before: &Parsed, facts: &Facts, program: &str) -> Option<Records> {
    let readings = Readings::of(facts);
    let now = facts.clock.unix_s.value().copied();
    let changed = changed(&before.state, &readings, now);
    if changed.is_empty() {
        return None;
    }
    let mut seen: BTreeMap<Key, Option<i64>> =
        readings.values.into_iter().map(|(key, value)| (key, Some(value))).collect();
    // That something went away has to be known in the new file too, once.
    seen.extend(changed.iter().map(|(key, value)| (key.clone(), *value)));
    let mut all: BTreeMap<Key, Option<i64>> =
        before.state.iter().filter_map(|(key, known)| Some((key.clone(), Some(known.last?)))).collect();
    all.extend(seen.clone());
    let line = |full: bool, values: BTreeMap<Key, Option<i64>>| {
        let line = Line {
            unix_s: now,
            boot_id: facts.clock.boot_id.value().cloned(),
            uptime_s: facts.clock.uptime_s.value().map(|uptime| uptime.0),
            agent: Some(program.to_owned()),
            full,
            of: entries(values),
            ..Line::default()
        };
        serde_json::to_string(&line).ok().map(|json| frame(&json))
    };
    let fits = |text: &String| u64::try_from(text.len()).is_ok_and(|length| length <= SEGMENT_BYTES);
    let changes = line(false, changed).filter(fits)?;
    // Things that nobody saw go away can pile up over years; then what this run saw is the base.
    let full = line(true, all).filter(fits).or_else(|| line(true, seen).filter(fits))?;
    Some(Records { changes, full })
}

/// Values grouped by what they belong to.
fn entries(values: BTreeMap<Key, Option<i64>>) -> Vec<serde_json::Value> {
    let mut entries: Vec<Entry> = Vec::new();
    for (key, value) in values {
        // Keys are in order, so the values of one thing follow each other.
        let same = |entry: &&mut Entry| {
            entry.subject == key.subject && entry.name == key.name && entry.serial == key.serial
        };
        let Some(word) = word(key.metric) else { continue };
        match entries.last_mut().filter(same) {
            Some(entry) => {
                entry.values.insert(word, value);
            }
            None => entries.push(Entry {
                subject: key.subject,
                name: key.name,
                serial: key.serial,
                values: [(word, value)].into(),
            }),
        }
    }
    entries.into_iter().filter_map(|entry| serde_json::to_value(entry).ok()).collect()
}

/// The word that stands for a metric in a record.
fn word(metric: Metric) -> Option<String> {
    serde_json::to_value(metric).ok()?.as_str().map(str::to_owned)
}

fn changed(
    before: &BTreeMap<Key, Known>,
    readings: &Readings,
    now: Option<i64>,
) -> BTreeMap<Key, Option<i64>> {
    let mut changed: BTreeMap<Key, Option<i64>> = readings
        .values
        .iter()
        .filter(|(key, value)| before.get(key).is_none_or(|known| is_news(key.metric, known, **value, now)))
        .map(|(key, value)| (key.clone(), Some(*value)))
        .collect();
    for (key, known) in before {
        let thing = (key.subject, key.name.clone(), key.serial.clone());
        if known.last.is_some()
            && readings.complete.contains(&key.subject)
            && !readings.listed.contains(&thing)
        {
            changed.insert(key.clone(), None);
        }
    }
    // Hours ride along with any other change of the same drive.
    let hours: Vec<(Key, i64)> = readings
        .values
        .iter()
        .filter(|(key, _)| key.metric == Metric::PowerOnHours)
        .filter(|(key, value)| before.get(key).is_none_or(|known| known.last != Some(**value)))
        .filter(|(key, _)| {
            changed.keys().any(|other| (&other.name, &other.serial) == (&key.name, &key.serial))
        })
        .map(|(key, value)| (key.clone(), *value))
        .collect();
    changed.extend(hours.into_iter().map(|(key, value)| (key, Some(value))));
    changed
}

/// Whether a value differs enough from what is known of it.
fn is_news(metric: Metric, known: &Known, value: i64, now: Option<i64>) -> bool {
    let Some(last) = known.last else { return true };
    match metric {
        Metric::TemperatureC => {
            last.abs_diff(value) >= TEMPERATURE_STEP_C || value < known.lowest || value > known.highest
        }
        Metric::SpeedRpm => {
            (last == 0) != (value == 0)
                || last.abs_diff(value).saturating_mul(SPEED_PART) >= last.unsigned_abs().max(1)
                    && last != value
        }
        Metric::PowerOnHours => {
            let age = now.zip(known.unix_s).map(|(now, then)| now.abs_diff(then));
            last != value && age.is_none_or(|age| age >= HOURS_EVERY_S)
        }
        _ => last != value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(metric: Metric, last: Option<i64>, value: i64, age_s: i64, expected: bool) {
        let known = Known { last, unix_s: Some(1_000_000), lowest: 20, highest: 45 };
        let now = Some(1_000_000 + age_s);
        assert_eq!(is_news(metric, &known, value, now), expected, "{metric:?} {last:?} -> {value}");
    }

    #[test]
    fn how_fine_it_records() {
        use Metric::{Ata5, PowerOnHours, SpeedRpm, TemperatureC};
        check(Ata5, Some(3), 3, 0, false);
        check(Ata5, Some(3), 4, 0, true);
        check(Ata5, Some(3), 2, 0, true);
        check(Ata5, None, 3, 0, true);
        check(TemperatureC, Some(40), 42, 0, false);
        check(TemperatureC, Some(40), 43, 0, true);
        check(TemperatureC, Some(45), 46, 0, true);
        check(TemperatureC, Some(21), 19, 0, true);
        check(SpeedRpm, Some(1000), 1099, 0, false);
        check(SpeedRpm, Some(1000), 900, 0, true);
        check(SpeedRpm, Some(5), 0, 0, true);
        check(SpeedRpm, Some(0), 5, 0, true);
        check(SpeedRpm, Some(0), 0, 0, false);
        check(SpeedRpm, Some(1), 1, 0, false);
        check(PowerOnHours, Some(10), 11, 3600, false);
        check(PowerOnHours, Some(10), 34, 86_400, true);
        check(PowerOnHours, Some(10), 10, 86_400, false);
        check(PowerOnHours, Some(10), 11, -90_000, true);
    }

    #[test]
    fn a_metric_has_the_word_that_facts_have() {
        assert_eq!(word(Metric::NvmeMediaErrors).as_deref(), Some("nvme_media_errors"));
        assert_eq!(word(Metric::Ata5).as_deref(), Some("ata5"));
    }
}
