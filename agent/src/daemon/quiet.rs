//! Quiet hours: a span of the local day in which nothing is sent. It may go over midnight.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// From the first minute of the day to the one before the second; the same twice is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QuietHours {
    from_minute: i32,
    to_minute: i32,
}

impl FromStr for QuietHours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let minute = |text: &str| -> Option<i32> {
            let (hour, minute) = text.trim().split_once(':')?;
            let (hour, minute) = (hour.parse::<i32>().ok()?, minute.parse::<i32>().ok()?);
            ((0..24).contains(&hour) && (0..60).contains(&minute)).then_some(hour * 60 + minute)
        };
        let ends = text.split_once('-').and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
        match ends {
            Some((from_minute, to_minute)) if from_minute != to_minute => Ok(Self { from_minute, to_minute }),
            _ => Err("it is two times of the day, such as 08:00-18:00 or 22:00-06:30".to_owned()),
        }
    }
}

impl QuietHours {
    /// Seconds until they end, while they hold. Where summer time changes in between it may be an hour off: ask again.
    pub(crate) fn left_s(self, unix_s: i64, zone: &TimeZone) -> Option<u64> {
        let time = Timestamp::from_second(unix_s).ok()?.to_zoned(zone.clone());
        let second = (i32::from(time.hour()) * 60 + i32::from(time.minute())) * 60 + i32::from(time.second());
        let left = (self.to_minute * 60 - second).rem_euclid(86_400);
        u64::try_from(left).ok().filter(|left| *left > 0 && self.hold_at(unix_s, zone))
    }

    /// Whether a moment lies in them. A moment that no calendar has lies in none.
    pub(crate) fn hold_at(self, unix_s: i64, zone: &TimeZone) -> bool {
        let Ok(time) = Timestamp::from_second(unix_s) else { return false };
        let time = time.to_zoned(zone.clone());
        let minute = i32::from(time.hour()) * 60 + i32::from(time.minute());
        match self.from_minute < self.to_minute {
            true => (self.from_minute..self.to_minute).contains(&minute),
            false => minute >= self.from_minute || minute < self.to_minute,
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn check(hours: &str, at: &str, expected: bool) {
        let hours: QuietHours = hours.parse().expect("hours");
        let at: Timestamp = format!("2026-11-22T{at}:00Z").parse().expect("a time");
        let zone = TimeZone::posix("CET-1").expect("a zone");
        assert_eq!(hours.hold_at(at.as_second(), &zone), expected, "{at}");
        // They hold until the second at which they end.
        let left = hours.left_s(at.as_second(), &zone);
        assert_eq!(left.is_some(), expected, "{at}");
        if let Some(left) = left.and_then(|left| i64::try_from(left).ok()) {
            assert!(hours.hold_at(at.as_second() + left - 1, &zone), "{at}");
            assert!(!hours.hold_at(at.as_second() + left, &zone), "{at}");
        }
    }

    #[test]
    fn a_span_of_the_local_day() {
        check("08:00-18:00", "06:59", false);
        check("08:00-18:00", "07:00", true);
        check("08:00-18:00", "16:59", true);
        check("08:00-18:00", "17:00", false);
        check("22:00-06:30", "20:59", false);
        check("22:00-06:30", "21:00", true);
        check("22:00-06:30", "05:29", true);
        check("22:00-06:30", "05:30", false);
        for bad in ["", "8-18", "08:00", "24:00-01:00", "08:00-08:00", "08:60-09:00"] {
            assert!(bad.parse::<QuietHours>().is_err(), "{bad:?}");
        }
    }
}
