//! How a counter moved over earlier runs: the flight recorder's points and this run's value.
//!
//! The recorder keeps changes only, so the moment of a rise lies between the run before, which still saw the old value,
//! and the run that saw the new one. A rise counts for a window only when both lie in it (with a day to spare: the
//! recorder notes at least daily that a drive was read). A constant, however large, never moves. A counter that went
//! backwards belongs to a new part or was reset: what it lost is no rise and what it had before is forgotten. Counters
//! that start anew at each boot count from 0 there. Refuses to tell a rate from moments that cannot be told.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Evidence, Rate};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::history::{History, Metric, Point, Series, Subject};

use crate::evidence::told;

/// Seconds of a day.
pub(crate) const DAY_S: u64 = 24 * 3600;
/// Seconds of a week.
pub(crate) const WEEK_S: u64 = 7 * DAY_S;

/// How a counter moved in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// Nothing is known of earlier runs, and why.
    NotFollowed(String),
    /// It did not rise in the window; since when it was followed, in seconds before now (`None`: no clock).
    Still {
        /// How long it was followed, in seconds.
        followed_s: Option<u64>,
    },
    /// It rose.
    Rose(Rise),
}

/// A rise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rise {
    /// By how much, all rises in the window together.
    pub(crate) by: u64,
    /// Within how many seconds before now it surely happened; longer than the window that was asked for when no run
    /// looked in between.
    pub(crate) within_s: u64,
    /// Value before the first of these rises; 0 where the counter began anew.
    pub(crate) from: u64,
    /// Value now.
    pub(crate) to: u64,
}

impl Rise {
    /// It as a finding's rate.
    pub(crate) fn rate(&self) -> Rate {
        Rate { count: self.by, window_s: self.within_s }
    }

    /// Whether all of it surely lies within the window, give or take the day that may pass between two runs.
    pub(crate) fn within(&self, window_s: u64) -> bool {
        self.within_s <= window_s.saturating_add(DAY_S)
    }

    /// It as evidence about the named fact.
    pub(crate) fn evidence(&self, fact: impl Into<String>) -> Evidence {
        let days = self.within_s.div_ceil(DAY_S);
        let days = if days <= 1 { "a day".to_owned() } else { format!("{days} days") };
        told(fact, format!("rose from {} to {} within {days}", self.from, self.to), HISTORY)
    }
}

impl Course {
    /// The rise, when it surely lies within the window.
    pub(crate) fn rise_within(&self, window_s: u64) -> Option<&Rise> {
        match self {
            Self::Rose(rise) if rise.within(window_s) => Some(rise),
            _ => None,
        }
    }
}

/// Where the recorder stands below `raw/`.
const HISTORY: &str = "state/recorder.jsonl";

/// The recorded series of a drive's counter.
pub(crate) fn series_of_drive<'a>(facts: &'a Facts, drive: &Drive, metric: Metric) -> Option<&'a Series> {
    let serial = drive.serial.value()?;
    let model = drive.model.value()?;
    history(facts)?.series.iter().find(|series| {
        series.subject == Subject::Drive
            && series.metric == metric
            && series.serial.as_ref() == Some(serial)
            && series.name == *model
    })
}

/// The recorded series of anything that is known by its name.
pub(crate) fn series_of<'a>(
    facts: &'a Facts,
    subject: Subject,
    name: &str,
    metric: Metric,
) -> Option<&'a Series> {
    history(facts)?
        .series
        .iter()
        .find(|series| series.subject == subject && series.metric == metric && series.name == name)
}

fn history(facts: &Facts) -> Option<&History> {
    facts.history.value()
}

/// How a drive's counter moved in the last `window_s` seconds; `now` is its value in this run.
pub(crate) fn of_drive(
    facts: &Facts,
    drive: &Drive,
    metric: Metric,
    now: Option<u64>,
    window_s: u64,
) -> Course {
    let course = |series| course(facts, series, now, window_s);
    series_of_drive(facts, drive, metric).map_or_else(|| not_followed(facts), course)
}

/// How a counter of a named thing moved in the last `window_s` seconds.
pub(crate) fn of_named(
    facts: &Facts,
    subject: Subject,
    name: &str,
    metric: Metric,
    now: Option<u64>,
    window_s: u64,
) -> Course {
    let course = |series| course(facts, series, now, window_s);
    series_of(facts, subject, name, metric).map_or_else(|| not_followed(facts), course)
}

fn not_followed(facts: &Facts) -> Course {
    Course::NotFollowed(match &facts.history {
        Observed::Seen { .. } => "earlier runs did not record it".to_owned(),
        Observed::Unreadable { why } => format!("what earlier runs recorded could not be read: {why}"),
        Observed::Absent | Observed::NotCollected => "nothing is recorded from earlier runs".to_owned(),
    })
}

/// Whether a counter starts anew at each boot.
fn since_boot(metric: Metric) -> bool {
    use Metric::{CarrierChanges, IoErrors, MdCorrected, MemoryCorrected, MemoryUncorrected, RxCrcErrors};
    matches!(
        metric,
        IoErrors | MdCorrected | MemoryCorrected | MemoryUncorrected | RxCrcErrors | CarrierChanges
    )
}

/// A value and when it was seen first.
#[derive(Clone, Copy)]
struct At {
    unix_s: Option<i64>,
    boot: Option<u32>,
    value: i64,
}

/// How one recorded series moved; `now` in the same unit as its points.
pub(crate) fn course(facts: &Facts, series: &Series, now: Option<u64>, window_s: u64) -> Course {
    let history = history(facts);
    let known = |point: &Point| point.value.map(|value| At { unix_s: point.unix_s, boot: point.boot, value });
    let mut points: Vec<At> = Vec::new();
    if series.points_left_out > 0 || series.points.first() != Some(&series.first) {
        points.extend(known(&series.first));
    }
    points.extend(series.points.iter().filter_map(known));
    let now_unix_s = facts.clock.unix_s.value().copied();
    if let Some(value) = now.and_then(|value| i64::try_from(value).ok()) {
        let boots = history.map(|h| h.boots.as_slice()).unwrap_or_default();
        let here = facts.clock.boot_id.value();
        let boot = boots.iter().position(|id| Some(id) == here).and_then(|at| u32::try_from(at).ok());
        // A boot that is in no record is a new one.
        let boot = boot.or(here.map(|_| u32::MAX));
        points.push(At { unix_s: now_unix_s, boot, value });
    }
    let (Some(first), Some(now_s)) = (points.first().copied(), now_unix_s) else {
        return Course::NotFollowed("no clock was readable, then or now".to_owned());
    };
    let mut rise: Option<Rise> = None;
    for (before, after) in points.iter().zip(points.iter().skip(1)) {
        let anew = since_boot(series.metric) && before.boot != after.boot;
        let start = if anew { 0 } else { before.value };
        if after.value < start {
            // Another part or a reset: what was counted before is not this counter's.
            rise = None;
            continue;
        }
        let by = after.value.abs_diff(start);
        let (Some(seen), true) = (after.unix_s, by > 0) else { continue };
        let Ok(ago) = u64::try_from(now_s.saturating_sub(seen)) else { continue };
        if ago > window_s {
            continue;
        }
        let from = u64::try_from(start).unwrap_or(0);
        let to = u64::try_from(after.value).unwrap_or(0);
        match &mut rise {
            Some(rise) => (rise.by, rise.to) = (rise.by.saturating_add(by), to),
            None => {
                let looked = last_look(history, series, seen).or(before.unix_s);
                let Some(within_s) = looked.and_then(|at| u64::try_from(now_s.saturating_sub(at)).ok())
                else {
                    continue;
                };
                rise = Some(Rise { by, within_s: within_s.max(1), from, to });
            }
        }
    }
    rise.map_or_else(
        || {
            let followed = first.unix_s.and_then(|at| u64::try_from(now_s.saturating_sub(at)).ok());
            Course::Still { followed_s: followed }
        },
        Course::Rose,
    )
}

/// The last run before `seen` that surely looked at the same thing: any of its values was recorded then.
fn last_look(history: Option<&History>, series: &Series, seen: i64) -> Option<i64> {
    let same = |other: &&Series| {
        other.subject == series.subject && other.name == series.name && other.serial == series.serial
    };
    let points = history?.series.iter().filter(same).flat_map(|s| s.points.iter().chain([&s.first]));
    points.filter(|point| point.value.is_some()).filter_map(|p| p.unix_s).filter(|at| *at < seen).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{hdd, nas, recorded};

    const NOW: i64 = 1_700_000_100;
    const DAY: i64 = 86_400;

    fn check(metric: Metric, points: &[(i64, u32, Option<i64>)], now: u64, expected: &str) {
        let drive = hdd("sda", 1);
        let facts = recorded(nas(), &drive, metric, points);
        let said = match of_drive(&facts, &drive, metric, Some(now), WEEK_S) {
            Course::NotFollowed(why) => why,
            Course::Still { followed_s } => format!("still {}", followed_s.unwrap_or(0) / DAY_S),
            Course::Rose(rise) => {
                let days = rise.within_s / DAY_S;
                format!("{} -> {} by {} in {days} {}", rise.from, rise.to, rise.by, rise.within(WEEK_S))
            }
        };
        assert_eq!(said, expected, "{metric:?} {points:?} {now}");
    }

    #[test]
    fn a_constant_never_moves() {
        check(Metric::Ata199, &[(NOW - 900 * DAY, 0, Some(20))], 20, "still 900");
        check(Metric::Ata199, &[], 20, "earlier runs did not record it");
    }

    #[test]
    fn a_rise_is_told_with_its_window() {
        check(Metric::Ata5, &[(NOW - 3 * DAY, 0, Some(1))], 9, "1 -> 9 by 8 in 3 true");
        let steps = [(NOW - 90 * DAY, 0, Some(1)), (NOW - 5 * DAY, 0, Some(4)), (NOW - DAY, 0, Some(6))];
        check(Metric::Ata5, &steps, 9, "1 -> 9 by 8 in 90 false");
        check(Metric::Ata5, &steps[..2], 4, "1 -> 4 by 3 in 90 false");
        let old = [(NOW - 90 * DAY, 0, Some(1)), (NOW - 60 * DAY, 0, Some(400))];
        check(Metric::Ata5, &old, 400, "still 90");
    }

    #[test]
    fn a_run_in_between_narrows_the_window() {
        let drive = hdd("sda", 1);
        let facts = recorded(nas(), &drive, Metric::Ata5, &[(NOW - 90 * DAY, 0, Some(1))]);
        let facts = recorded(facts, &drive, Metric::PowerOnHours, &[(NOW - 2 * DAY, 0, Some(7))]);
        let course = of_drive(&facts, &drive, Metric::Ata5, Some(9), WEEK_S);
        assert_eq!(course.rise_within(WEEK_S).map(|r| (r.by, r.within_s)), Some((8, 2 * DAY_S)));
    }

    #[test]
    fn backwards_is_a_new_start_and_not_a_rise() {
        check(Metric::Ata5, &[(NOW - 3 * DAY, 0, Some(400))], 2, "still 3");
        let replaced =
            [(NOW - 4 * DAY, 0, Some(1)), (NOW - 3 * DAY, 0, Some(400)), (NOW - 2 * DAY, 0, Some(0))];
        check(Metric::Ata5, &replaced, 3, "0 -> 3 by 3 in 2 true");
        let gone = [(NOW - 4 * DAY, 0, Some(1)), (NOW - 3 * DAY, 0, None)];
        check(Metric::Ata5, &gone, 2, "1 -> 2 by 1 in 4 true");
    }

    #[test]
    fn a_counter_of_the_boot_starts_at_nothing() {
        check(Metric::IoErrors, &[(NOW - 3 * DAY, 0, Some(7))], 3, "0 -> 3 by 3 in 3 true");
        check(Metric::IoErrors, &[(NOW - 3 * DAY, 0, Some(7))], 9, "0 -> 9 by 9 in 3 true");
    }

    #[test]
    fn no_clock_no_rate() {
        let drive = hdd("sda", 1);
        let mut facts = recorded(nas(), &drive, Metric::Ata5, &[(NOW - DAY, 0, Some(1))]);
        facts.clock.unix_s = Observed::unreadable("x");
        let course = of_drive(&facts, &drive, Metric::Ata5, Some(9), WEEK_S);
        assert!(matches!(course, Course::NotFollowed(_)), "{course:?}");
        // A clock that stands before its own records tells nothing either.
        facts.clock.unix_s = Observed::seen(946_684_800, "x");
        let course = of_drive(&facts, &drive, Metric::Ata5, Some(9), WEEK_S);
        assert!(course.rise_within(WEEK_S).is_none(), "{course:?}");
    }
}
