//! What earlier runs of the flight recorder saw of one value: what it was at a moment, what it usually was, and how
//! often somebody looked.
//!
//! The recorder keeps changes only, so a value holds until the next point. How often a value was looked at is told by
//! the runs that recorded anything at all: a run that recorded nothing leaves no trace, so the count is a lower bound.
//! Refuses moments without a clock, and moments after now.

use std::collections::BTreeSet;

use assay_bundle::Observed;
use assay_bundle::facts::Facts;
use assay_bundle::facts::history::{Point, Series};

/// Where the recorder stands below `raw/`.
pub(crate) const RECORDER: &str = "state/recorder.jsonl";

/// The subject of everything that only earlier runs could tell: one line of a report for all rules that ask them.
pub(crate) const OVER_TIME: &str = "changes over time";

/// Why nothing is known of earlier runs, when what they left could not be read or is not there.
pub(crate) fn why_not<T>(memory: &Observed<T>) -> String {
    match memory {
        Observed::Unreadable { why } => format!("what earlier runs recorded could not be read: {why}"),
        _ => "nothing is recorded from earlier runs".to_owned(),
    }
}

/// Points of a series with a time, oldest first.
pub(crate) fn points(series: &Series) -> impl Iterator<Item = (i64, Option<i64>)> + '_ {
    let first = (series.points.first() != Some(&series.first)).then_some(&series.first);
    first.into_iter().chain(&series.points).filter_map(|p: &Point| Some((p.unix_s?, p.value)))
}

/// The value that held at this moment; `None` before the first point and while the thing was gone.
pub(crate) fn value_at(series: &Series, at_unix_s: i64) -> Option<i64> {
    points(series).take_while(|(at, _)| *at <= at_unix_s).last()?.1
}

/// The value that held for the longest part of this span, as a median weighted by time; `None` unless the series
/// reaches back to its beginning.
pub(crate) fn usual(series: &Series, from_unix_s: i64, until_unix_s: i64) -> Option<i64> {
    value_at(series, from_unix_s)?;
    let all: Vec<(i64, Option<i64>)> = points(series).collect();
    let mut held: Vec<(i64, i64)> = Vec::new();
    for (place, (at, value)) in all.iter().enumerate() {
        let next = all.get(place + 1).map_or(until_unix_s, |(next, _)| *next);
        let seconds = next.min(until_unix_s).saturating_sub((*at).max(from_unix_s));
        if let Some(value) = value.filter(|_| seconds > 0) {
            held.push((value, seconds));
        }
    }
    held.sort_unstable();
    let total: i64 = held.iter().map(|(_, seconds)| seconds).fold(0, |sum, s| sum.saturating_add(*s));
    let mut passed: i64 = 0;
    held.iter().find_map(|(value, seconds)| {
        passed = passed.saturating_add(*seconds);
        (passed.saturating_mul(2) >= total).then_some(*value)
    })
}

/// Runs that recorded something after `from` and before `until`.
pub(crate) fn runs_between(facts: &Facts, from_unix_s: i64, until_unix_s: i64) -> usize {
    let all = facts.history.value().into_iter().flat_map(|h| &h.series).flat_map(points);
    let between = all.map(|(at, _)| at).filter(|at| *at > from_unix_s && *at < until_unix_s);
    between.collect::<BTreeSet<i64>>().len()
}

/// A reading of 0 that earlier runs saw too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Readings of 0, this run's included.
    pub(crate) readings: usize,
    /// Seconds from the first of them to now.
    pub(crate) over_s: u64,
    /// Whether it was ever above 0.
    pub(crate) turned_before: bool,
    /// How often it rose again from 0.
    pub(crate) restarts: usize,
}

/// Since when a value that is 0 now stands at 0; `None` when the last recorded value is another one.
pub(crate) fn standing(facts: &Facts, series: &Series) -> Option<Standing> {
    let now = *facts.clock.unix_s.value()?;
    let all: Vec<(i64, i64)> = points(series).filter_map(|(at, value)| Some((at, value?))).collect();
    let zeros = all.iter().rev().take_while(|(_, value)| *value == 0).count();
    let since = all.get(all.len().checked_sub(zeros)?).map(|(at, _)| *at)?;
    let over_s = u64::try_from(now.checked_sub(since)?).ok()?;
    let pairs = all.iter().zip(all.iter().skip(1));
    Some(Standing {
        readings: runs_between(facts, since, now) + 2,
        over_s,
        turned_before: all.iter().any(|(_, value)| *value > 0),
        restarts: pairs.filter(|((_, before), (_, after))| *before == 0 && *after > 0).count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{nas, recorded_name};
    use assay_bundle::facts::history::{Metric, Subject};

    const NOW: i64 = 1_700_000_100;

    fn with(values: &[(i64, Option<i64>)]) -> Facts {
        let points: Vec<(i64, u32, Option<i64>)> = values.iter().map(|&(at, v)| (at, 0, v)).collect();
        recorded_name(nas(), Subject::Fan, "f", Metric::SpeedRpm, &points)
    }

    fn series(facts: &Facts) -> &Series {
        &facts.history.value().expect("recorded").series[0]
    }

    #[test]
    fn a_value_holds_until_the_next_point() {
        let facts = with(&[(100, Some(900)), (200, None), (300, Some(700))]);
        for (at, expected) in [(99, None), (100, Some(900)), (199, Some(900)), (250, None), (999, Some(700))]
        {
            assert_eq!(value_at(series(&facts), at), expected, "{at}");
        }
    }

    #[test]
    fn the_usual_value_is_the_one_of_most_of_the_time() {
        fn check(values: &[(i64, Option<i64>)], expected: Option<i64>) {
            assert_eq!(usual(series(&with(values)), 100, 200), expected, "{values:?}");
        }
        check(&[(50, Some(40))], Some(40));
        check(&[(150, Some(40))], None);
        check(&[(50, Some(40)), (110, Some(60)), (115, Some(41))], Some(41));
        check(&[(50, Some(40)), (120, Some(60))], Some(60));
        check(&[(50, Some(40)), (110, None), (150, Some(30)), (160, Some(40))], Some(40));
    }

    #[test]
    fn standing_counts_what_was_looked_at() {
        fn check(facts: &Facts, expected: Option<(usize, u64, bool, usize)>) {
            let got = standing(facts, series(facts));
            let got = got.map(|s| (s.readings, s.over_s, s.turned_before, s.restarts));
            assert_eq!(got, expected, "{facts:?}");
        }
        check(&with(&[(NOW - 600, Some(900))]), None);
        check(&with(&[(NOW - 600, Some(900)), (NOW - 300, Some(0))]), Some((2, 300, true, 0)));
        let between = |facts| {
            recorded_name(facts, Subject::Sensor, "cpu", Metric::TemperatureC, &[(NOW - 200, 0, Some(40))])
        };
        check(&between(with(&[(NOW - 300, Some(0))])), Some((3, 300, false, 0)));
        let stops = [(NOW - 900, Some(0)), (NOW - 800, Some(700)), (NOW - 700, Some(0))];
        check(&with(&stops), Some((2, 700, true, 1)));
        check(&with(&[(NOW + 5, Some(0))]), None);
    }
}
