//! The tables against a slow model that decides each day by itself, and days that people know.
//!
//! The model knows rules ("the third Monday of January") and no tables; every day of every year is compared.

use super::*;
use jiff::civil::date;

/// Every day of the tables.
pub(crate) fn days() -> impl Iterator<Item = Date> {
    std::iter::successors(Some(date(FIRST_YEAR, 1, 1)), |day| day.tomorrow().ok())
        .take_while(|day| day.year() <= LAST_YEAR)
}

/// Whether it is the `nth` such weekday of the month.
fn is_nth(day: Date, month: i8, weekday: Weekday, nth: i8) -> bool {
    day.month() == month && day.weekday() == weekday && (day.day() - 1) / 7 == nth - 1
}

fn add(day: Date, days: i64) -> Date {
    day.checked_add(jiff::Span::new().days(days)).expect("a day")
}

/// 5 U.S.C. 6103(a): the days by themselves.
fn american(day: Date) -> bool {
    let fixed = matches!((day.month(), day.day()), (1, 1) | (6, 19) | (7, 4) | (11, 11) | (12, 25));
    fixed
        || is_nth(day, 1, Weekday::Monday, 3)
        || is_nth(day, 2, Weekday::Monday, 3)
        || (day.month() == 5 && day.weekday() == Weekday::Monday && add(day, 7).month() == 6)
        || is_nth(day, 9, Weekday::Monday, 1)
        || is_nth(day, 10, Weekday::Monday, 2)
        || is_nth(day, 11, Weekday::Thursday, 4)
}

/// 5 U.S.C. 6103(b): Friday for Saturday; Executive Order 11582: Monday for Sunday.
fn american_observed(day: Date) -> bool {
    american(day)
        || (day.weekday() == Weekday::Friday && american(add(day, 1)))
        || (day.weekday() == Weekday::Monday && american(add(day, -1)))
}

/// Easter by Knuth's golden number and epact (The Art of Computer Programming, 1.3.2, exercise 14).
fn easter(year: i16) -> Date {
    let year = i64::from(year);
    let golden = year % 19 + 1;
    let century = year / 100 + 1;
    let leaps = 3 * century / 4 - 12;
    let moon = (8 * century + 5) / 25 - 5;
    let sunday = 5 * year / 4 - leaps - 10;
    let mut epact = (11 * golden + 20 + moon - leaps).rem_euclid(30);
    if (epact == 25 && golden > 11) || epact == 24 {
        epact += 1;
    }
    let mut full = 44 - epact;
    if full < 21 {
        full += 30;
    }
    let day = full + 7 - (sunday + full) % 7;
    add(date(i16::try_from(year).expect("a year"), 3, 1), day - 1)
}

/// Canada Labour Code, section 166.
fn canadian(day: Date) -> bool {
    let fixed =
        matches!((day.month(), day.day()), (1, 1) | (7, 1) | (9, 30) | (11, 11) | (12, 25) | (12, 26));
    fixed
        || day == add(easter(day.year()), -2)
        // The Monday before 25 May.
        || (day.month() == 5 && day.weekday() == Weekday::Monday && (18..=24).contains(&day.day()))
        || is_nth(day, 9, Weekday::Monday, 1)
        || is_nth(day, 10, Weekday::Monday, 2)
}

/// A holiday on a weekend is kept on the next free working day: as many free days behind it as there are such holidays.
fn canadian_observed(day: Date) -> bool {
    let weekend = |day: Date| matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
    if canadian(day) {
        return true;
    }
    if weekend(day) {
        return false;
    }
    // Walk a fortnight up to this day with the holidays that are still owed.
    let mut owed = 0;
    for back in (0..=14).rev() {
        let at = add(day, -back);
        match (canadian(at), weekend(at)) {
            (true, true) => owed += 1,
            (false, false) if owed > 0 && back > 0 => owed -= 1,
            _ => {}
        }
    }
    owed > 0
}

/// Whether it is a business day, by the rules.
pub(crate) fn model(calendar: BusinessCalendar, day: Date) -> bool {
    let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
    let canada = calendar == BusinessCalendar::UnitedStatesAndCanada && canadian_observed(day);
    !weekend && !american_observed(day) && !canada
}

/// The last of `count` business days after the day, by counting.
pub(crate) fn model_add(calendar: BusinessCalendar, day: Date, count: u32) -> Date {
    let (mut day, mut left) = (day, count);
    while left > 0 {
        day = add(day, 1);
        left -= u32::from(model(calendar, day));
    }
    day
}

const BOTH: [BusinessCalendar; 2] = [BusinessCalendar::UnitedStates, BusinessCalendar::UnitedStatesAndCanada];

#[test]
fn tables_are_what_the_rules_make() {
    let mut american_days = 0;
    for day in days() {
        assert_eq!(is_holiday(UNITED_STATES, day), Ok(american_observed(day)), "US {day}");
        assert_eq!(is_holiday(CANADA, day), Ok(canadian_observed(day)), "Canada {day}");
        american_days += u32::from(american(day));
        for calendar in BOTH {
            assert_eq!(calendar.is_business_day(day), Ok(model(calendar, day)), "{calendar:?} {day}");
        }
    }
    assert_eq!(american_days, 11 * 12, "eleven a year");
    for table in [UNITED_STATES, CANADA] {
        let years: Vec<i16> = table.iter().map(|(year, _)| *year).collect();
        assert_eq!(years, (FIRST_YEAR..=LAST_YEAR).collect::<Vec<_>>());
        assert!(table.iter().all(|(_, days)| days.is_sorted() && days.len() >= 10));
    }
}

#[test]
fn adding_is_counting() {
    for calendar in BOTH {
        for day in days().take_while(|day| day.year() < LAST_YEAR) {
            for count in [0, 1, 2, 5, 7] {
                assert_eq!(calendar.add(day, count), Ok(model_add(calendar, day, count)), "{day} {count}");
            }
            assert_eq!(calendar.after(day), Ok(model_add(calendar, day, 1)), "{day}");
            let on = if model(calendar, day) { day } else { model_add(calendar, day, 1) };
            assert_eq!(calendar.on_or_after(day), Ok(on), "{day}");
        }
    }
}

/// Days of calendars that hang on walls.
#[test]
fn known_days() {
    let check = |day: Date, us: bool, both: bool| {
        let got = BOTH.map(|calendar| calendar.is_business_day(day));
        assert_eq!(got, [Ok(us), Ok(both)], "{day}");
    };
    check(date(2026, 11, 23), true, true);
    check(date(2026, 11, 26), false, false); // Thanksgiving
    check(date(2026, 11, 27), true, true);
    check(date(2026, 10, 12), false, false); // Columbus Day, and Thanksgiving in Canada
    check(date(2026, 7, 1), true, false); // Canada Day
    check(date(2026, 7, 3), false, false); // 4 July is a Saturday
    check(date(2026, 7, 4), false, false);
    check(date(2026, 4, 3), true, false); // Good Friday
    check(date(2025, 4, 18), true, false); // Good Friday
    check(date(2026, 5, 18), true, false); // Victoria Day
    check(date(2026, 9, 30), true, false); // Truth and Reconciliation
    check(date(2026, 12, 28), true, false); // Boxing Day is a Saturday
    check(date(2027, 12, 24), false, false); // Christmas is a Saturday
    check(date(2027, 12, 27), true, false); // Christmas in Canada
    check(date(2027, 12, 28), true, false); // Boxing Day in Canada
    check(date(2027, 12, 31), false, false); // New Year 2028 is a Saturday
    check(date(2028, 1, 3), true, false); // New Year in Canada
    check(date(2033, 12, 26), false, false); // Christmas is a Sunday; Boxing Day
    check(date(2033, 12, 27), true, false); // Christmas in Canada
    check(date(2027, 6, 18), false, false); // Juneteenth is a Saturday
    check(date(2025, 1, 9), true, true); // a day of mourning is no holiday
}

#[test]
fn beyond_the_tables_is_an_error_that_says_so() {
    for calendar in BOTH {
        for day in [date(2023, 12, 29), date(2036, 1, 2), date(2036, 1, 5), date(9999, 12, 31)] {
            let error = calendar.is_business_day(day).expect_err("beyond");
            let text = error.to_string();
            assert!(text.contains(&day.to_string()) && text.contains("2024 to 2035"), "{text}");
            assert!(calendar.add(day, 1).is_err() && calendar.on_or_after(day).is_err());
        }
        // A span that runs over the end, and one that starts before it began.
        assert_eq!(calendar.add(date(2035, 12, 28), 5), Err(BeyondTable { day: date(2036, 1, 1) }));
        assert!(calendar.after(date(2035, 12, 31)).is_err());
        assert_eq!(calendar.add(date(2023, 12, 29), 1), Err(BeyondTable { day: date(2023, 12, 29) }));
    }
}
