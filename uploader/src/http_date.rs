//! Dates as HTTP writes them today (`Sun, 06 Nov 1994 08:49:37 GMT`, RFC 9110 section 5.6.7), as seconds since 1970.
//! The two obsolete spellings are refused: a peer that still sends them gets our own waiting times.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970 of an IMF-fixdate; nothing for anything else.
pub(crate) fn unix_s(text: &str) -> Option<i64> {
    let (_weekday, rest) = text.trim().split_once(", ")?;
    let mut words = rest.split(' ');
    let day = number(words.next()?, 2)?;
    let month_name = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month_name)? as i64 + 1;
    let year = number(words.next()?, 4)?;
    let mut clock = words.next()?.split(':');
    let (hour, minute, second) =
        (number(clock.next()?, 2)?, number(clock.next()?, 2)?, number(clock.next()?, 2)?);
    let ends = words.next() == Some("GMT") && words.next().is_none() && clock.next().is_none();
    // 60 is a leap second; it is taken as the first second of the next minute.
    let sane = (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    (ends && sane).then(|| days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar: years start in March, so that the leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(unix_s(text), expected, "{text}");
    }

    #[test]
    fn dates() {
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)); // the example of RFC 9110
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
        check("Thu, 29 Feb 2024 23:59:60 GMT", Some(1_709_251_200));
        check("Fri, 31 Dec 2099 23:59:59 GMT", Some(4_102_444_799));
        check("Wed, 31 Dec 1969 23:59:59 GMT", Some(-1));
        check("Sunday, 06-Nov-94 08:49:37 GMT", None);
        check("Sun Nov  6 08:49:37 1994", None);
        check("Sun, 06 Nov 1994 08:49:37 CET", None);
        check("Sun, 6 Nov 1994 08:49:37 GMT", None);
        check("Sun, 06 Nov 1994 24:00:00 GMT", None);
        check("", None);
    }
}
