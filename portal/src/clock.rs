//! The portal's clock, the one place that asks for the time, and how times are written for people and headers.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// Seconds since 1970, now.
pub fn now_unix_s() -> i64 {
    Timestamp::now().as_second()
}

/// The day in UTC; `None` for a time that no calendar has.
pub fn day(unix_s: i64) -> Option<jiff::civil::Date> {
    Some(Timestamp::from_second(unix_s).ok()?.to_zoned(jiff::tz::TimeZone::UTC).date())
}

/// Today in UTC.
pub fn today() -> Option<jiff::civil::Date> {
    day(now_unix_s())
}

/// RFC 3339 in UTC, to the second: `2026-11-22T09:30:00Z`. A time out of range reads as the first second of 1970.
pub fn rfc3339(unix_s: i64) -> String {
    Timestamp::from_second(unix_s).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// For people: `2026-11-22 09:30:00 UTC`.
pub fn for_people(unix_s: i64) -> String {
    rfc3339(unix_s).replace('T', " ").replace('Z', " UTC")
}

/// For HTTP headers such as `Date` and `Upload-Expires`: `Sun, 22 Nov 2026 09:30:00 GMT`.
pub fn http_date(unix_s: i64) -> String {
    let at = Timestamp::from_second(unix_s).unwrap_or(Timestamp::UNIX_EPOCH);
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_spellings_of_one_second() {
        assert_eq!(rfc3339(784_111_777), "1994-11-06T08:49:37Z");
        assert_eq!(for_people(784_111_777), "1994-11-06 08:49:37 UTC");
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT"); // RFC 9110, 5.6.7
    }
}
