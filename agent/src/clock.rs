//! The clock of this machine, and whether it can be right. Read once, passed as a value; nothing else asks the time.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// When this binary was built, seconds since 1970: no right clock is before it.
pub(crate) const BUILT_UNIX_S: i64 = match i64::from_str_radix(env!("ASSAY_BUILD_UNIX_S"), 10) {
    Ok(seconds) => seconds,
    // A malformed SOURCE_DATE_EPOCH must not become a clock that is never plausible.
    Err(_) => 0,
};

/// How long after its build a binary believes a clock (design section 6): fifteen years.
const BELIEVED_S: i64 = 15 * 365 * 24 * 3600 + 4 * 24 * 3600;

/// One reading of the device's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Seconds since 1970-01-01T00:00:00Z; negative when the clock is before.
    pub(crate) now_unix_s: i64,
}

impl Clock {
    /// Reads the clock.
    pub(crate) fn read() -> Self {
        let now = SystemTime::now();
        let seconds = |d: std::time::Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
        let now_unix_s = match now.duration_since(UNIX_EPOCH) {
            Ok(after) => seconds(after),
            Err(before) => -seconds(before.duration()),
        };
        Self { now_unix_s }
    }

    /// Whether the time lies between the binary's build and fifteen years after it.
    pub(crate) fn is_plausible(self) -> bool {
        plausible(self.now_unix_s)
    }

    /// The time as RFC 3339 in UTC.
    pub(crate) fn words(self) -> String {
        rfc3339(self.now_unix_s)
    }
}

/// Whether a clock that says `unix_s` can be right.
pub(crate) fn plausible(unix_s: i64) -> bool {
    (BUILT_UNIX_S..=BUILT_UNIX_S.saturating_add(BELIEVED_S)).contains(&unix_s)
}

/// RFC 3339 in UTC; a time that no calendar has is shown as its number.
pub(crate) fn rfc3339(unix_s: i64) -> String {
    Timestamp::from_second(unix_s).map_or_else(|_| format!("@{unix_s}"), |t| t.to_string())
}

/// The day in UTC, for terms that count in days.
pub(crate) fn day(unix_s: i64) -> Option<jiff::civil::Date> {
    let time = Timestamp::from_second(unix_s).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(unix_s: i64, expected: bool) {
        assert_eq!(Clock { now_unix_s: unix_s }.is_plausible(), expected, "{}", rfc3339(unix_s));
    }

    #[test]
    fn a_dead_clock_is_not_believed() {
        check(0, false);
        check(-1, false);
        check(946_684_800, false); // 2000-01-01
        check(4_070_908_800, false); // 2099-01-01
        check(i64::MAX, false);
        check(BUILT_UNIX_S - 1, false);
        check(BUILT_UNIX_S, true);
        check(BUILT_UNIX_S + 10 * 365 * 86_400, true);
        check(BUILT_UNIX_S + 16 * 366 * 86_400, false);
    }

    #[test]
    fn times_in_words() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(i64::MAX), format!("@{}", i64::MAX));
        assert_eq!(day(951_782_400), Some(jiff::civil::date(2000, 2, 29)));
    }
}
