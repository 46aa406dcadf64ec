//! Times of a cron expression in the device's zone: minute, hour, day of month, month, day of week.
//!
//! What every crontab has: `*`, lists, ranges, steps, 0 and 7 for Sunday, and that a day matches when either of two
//! restricted day fields does. Names and seconds are refused. A time that the clock skips in spring is the same time
//! behind the gap; one that comes twice in autumn counts once, the first time. Nothing here asks a clock.
//!
//! Written here because a small NAS pays for each kilobyte: the usual crate brings a grammar with seconds, years and
//! sentences in several languages, of which this program would call one function.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// Days that are looked through for a match: 29 February 2096 is followed by one in 2104.
const MOST_DAYS: u32 = 8 * 366 + 2;

/// The five fields, as bits; written down as its text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Cron {
    text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    either_day: bool,
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Cron> for String {
    fn from(cron: Cron) -> Self {
        cron.text
    }
}

impl TryFrom<String> for Cron {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Cron {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(
                "it has five fields: minute hour day month weekday, such as \"30 4 * * *\"".to_owned()
            );
        };
        let sundays = field(weekdays, 0, 7)?;
        let cron = Self {
            text: fields.join(" "),
            minutes: field(minutes, 0, 59)?,
            hours: field(hours, 0, 23)?,
            days: field(days, 1, 31)?,
            months: field(months, 1, 12)?,
            weekdays: sundays & 0x7F | sundays >> 7,
            either_day: !days.starts_with('*') && !weekdays.starts_with('*'),
        };
        // A day that no year has would be looked for again and again.
        match cron.next_after(0, &TimeZone::UTC) {
            Some(_) => Ok(cron),
            None => Err("no calendar has that day".to_owned()),
        }
    }
}

/// Numbers of one field as bits.
fn field(text: &str, lowest: u32, highest: u32) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no field from {lowest} to {highest}, such as *, */15, 1-5 or 1,3");
    let number = |text: &str| text.parse::<u32>().ok().filter(|n| (lowest..=highest).contains(n));
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let step = match step {
            Some(step) => {
                step.parse::<usize>().ok().filter(|step| (1..=59).contains(step)).ok_or_else(wrong)?
            }
            None => 1,
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (lowest, highest),
            Some((first, last)) => (number(first).ok_or_else(wrong)?, number(last).ok_or_else(wrong)?),
            None => {
                let first = number(range).ok_or_else(wrong)?;
                (first, if part.contains('/') { highest } else { first })
            }
        };
        if first > last {
            return Err(wrong());
        }
        bits = (first..=last).step_by(step).fold(bits, |bits, n| bits | 1 << n);
    }
    Ok(bits)
}

fn has(bits: u64, number: i8) -> bool {
    u32::try_from(number).is_ok_and(|number| bits >> number & 1 == 1)
}

impl Cron {
    /// First time after `unix_s`.
    pub(crate) fn next_after(&self, unix_s: i64, zone: &TimeZone) -> Option<i64> {
        self.search(unix_s, zone, 1, &|times| times.filter(|time| *time > unix_s).min())
    }

    /// Last time at `unix_s` or before it.
    pub(crate) fn last_until(&self, unix_s: i64, zone: &TimeZone) -> Option<i64> {
        self.search(unix_s, zone, -1, &|times| times.filter(|time| *time <= unix_s).max())
    }

    fn search(
        &self,
        unix_s: i64,
        zone: &TimeZone,
        step_days: i64,
        pick: &dyn Fn(&mut dyn Iterator<Item = i64>) -> Option<i64>,
    ) -> Option<i64> {
        let mut day = Timestamp::from_second(unix_s).ok()?.to_zoned(zone.clone()).date();
        for _ in 0..MOST_DAYS {
            if self.has_day(day)
                && let Some(time) = pick(&mut self.times_of(day, zone))
            {
                return Some(time);
            }
            day = day.checked_add(step_days.days()).ok()?;
        }
        None
    }

    fn has_day(&self, day: Date) -> bool {
        let in_month = has(self.days, day.day());
        let in_week = has(self.weekdays, day.weekday().to_sunday_zero_offset());
        let fits = if self.either_day { in_month || in_week } else { in_month && in_week };
        fits && has(self.months, day.month())
    }

    fn times_of<'c>(&'c self, day: Date, zone: &'c TimeZone) -> impl Iterator<Item = i64> + 'c {
        let minutes = (0..24).flat_map(move |hour| (0..60).map(move |minute| (hour, minute)));
        minutes.filter(|(hour, minute)| has(self.hours, *hour) && has(self.minutes, *minute)).filter_map(
            move |(hour, minute)| {
                let time = zone.to_ambiguous_zoned(day.at(hour, minute, 0, 0)).compatible().ok()?;
                Some(time.timestamp().as_second())
            },
        )
    }
}

/// The zone of this machine: what `TZ` says, else `/etc/localtime`, else UTC. A NAS has no zone database, but its
/// `/etc/localtime` is such a file, or `TZ` a rule.
pub(crate) fn zone_of(tz: Option<&str>, localtime: Option<&[u8]>) -> TimeZone {
    let rule =
        tz.filter(|rule| rule.bytes().any(|b| b.is_ascii_digit())).and_then(|r| TimeZone::posix(r).ok());
    let file = || TimeZone::tzif("local", localtime?).ok();
    rule.or_else(file).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used)]
mod tests {
    use super::*;

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn unix(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    /// The time after and the last time until a moment, in UTC.
    fn check(expression: &str, at: &str, next: &str, last: &str) {
        let (cron, zone) = (expression.parse::<Cron>().unwrap(), TimeZone::posix(BERLIN).unwrap());
        let words = |time: Option<i64>| Timestamp::from_second(time.unwrap()).unwrap().to_string();
        assert_eq!(words(cron.next_after(unix(at), &zone)), next, "after {at}: {expression}");
        assert_eq!(words(cron.last_until(unix(at), &zone)), last, "until {at}: {expression}");
    }

    #[test]
    fn times_in_the_zone() {
        check("30 4 * * *", "2026-11-22T03:30:00Z", "2026-11-23T03:30:00Z", "2026-11-22T03:30:00Z");
        check("30 4 * * *", "2026-11-22T03:29:59Z", "2026-11-22T03:30:00Z", "2026-11-21T03:30:00Z");
        check("*/20 8-9 * * 1-5", "2026-11-20T08:59:00Z", "2026-11-23T07:00:00Z", "2026-11-20T08:40:00Z");
        check("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-28T23:00:00Z", "2024-02-28T23:00:00Z");
        // Either of two restricted day fields.
        check("0 12 13 * 5", "2026-11-11T12:00:00Z", "2026-11-13T11:00:00Z", "2026-11-06T11:00:00Z");
        check("0 12 1 * 7", "2026-11-22T12:00:00Z", "2026-11-29T11:00:00Z", "2026-11-22T11:00:00Z");
        check("5/10 0 * * *", "2026-11-21T23:00:00Z", "2026-11-21T23:05:00Z", "2026-11-20T23:55:00Z");
    }

    #[test]
    fn when_clocks_change() {
        // 2026-03-29: 02:00 becomes 03:00. 2026-10-25: 03:00 becomes 02:00.
        check("30 2 * * *", "2026-03-29T00:00:00Z", "2026-03-29T01:30:00Z", "2026-03-28T01:30:00Z");
        check("30 2 * * *", "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z", "2026-10-24T00:30:00Z");
        check("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-25T00:30:00Z");
    }

    #[test]
    fn what_is_no_expression() {
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "0 0 30 2 *",
            "0 0 * jan *",
            "-1 * * * *",
            "0 0 0 * *",
        ] {
            assert!(bad.parse::<Cron>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_zone_of_a_machine() {
        let offset =
            |zone: &TimeZone| zone.to_offset(Timestamp::from_second(1_790_000_000).unwrap()).seconds();
        assert_eq!(offset(&zone_of(Some("CST-8"), None)), 8 * 3600);
        assert_eq!(offset(&zone_of(Some("nonsense"), None)), 0);
        assert_eq!(offset(&zone_of(None, Some(b"no such file"))), 0);
        assert_eq!(offset(&zone_of(None, None)), 0);
    }
}
