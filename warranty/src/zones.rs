//! Clocks on walls: the vendor's (Pacific) and those of sites in the continental United States.
//!
//! The rules stand here as POSIX strings, because a NAS may have no time-zone files and a bundled database would be
//! much for five rules: since 2007 (15 U.S.C. 260a, Energy Policy Act of 2005) summer time runs from
//! the second Sunday of March to the first Sunday of November, 02:00 local. Tests compare them with the transitions of
//! the IANA database for the years of the holiday tables. An area with rules of its own is refused, not approximated.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::deadlines::DeadlineError;

/// A time zone of the continental United States.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Eastern time, such as New York.
    Eastern,
    /// Central time, such as Chicago.
    Central,
    /// Mountain time, such as Denver.
    Mountain,
    /// Mountain time without summer time: Arizona outside the Navajo Nation.
    Arizona,
    /// Pacific time, such as Los Angeles: the vendor's own.
    Pacific,
}

impl Zone {
    fn posix(self) -> &'static str {
        match self {
            Self::Eastern => "EST5EDT,M3.2.0,M11.1.0",
            Self::Central => "CST6CDT,M3.2.0,M11.1.0",
            Self::Mountain => "MST7MDT,M3.2.0,M11.1.0",
            Self::Arizona => "MST7",
            Self::Pacific => "PST8PDT,M3.2.0,M11.1.0",
        }
    }

    /// The zone by its name in the IANA database, as the owner's browser or the NAS says it.
    pub fn of_name(name: &str) -> Option<Self> {
        let zone = match name {
            "America/New_York"
            | "America/Detroit"
            | "America/Louisville"
            | "America/Indianapolis"
            | "America/Fort_Wayne"
            | "US/Eastern"
            | "US/Michigan"
            | "US/East-Indiana" => Self::Eastern,
            "America/Chicago" | "America/Menominee" | "US/Central" | "US/Indiana-Starke" => Self::Central,
            "America/Denver" | "America/Boise" | "America/Shiprock" | "Navajo" | "US/Mountain" => {
                Self::Mountain
            }
            "America/Phoenix" | "US/Arizona" => Self::Arizona,
            "America/Los_Angeles" | "US/Pacific" => Self::Pacific,
            _ => match name.split_once("/Indiana/").or_else(|| name.split_once("/Kentucky/")) {
                Some(("America", "Knox" | "Tell_City")) => Self::Central,
                Some((
                    "America",
                    "Indianapolis" | "Marengo" | "Petersburg" | "Vevay" | "Vincennes" | "Winamac"
                    | "Louisville" | "Monticello",
                )) => Self::Eastern,
                _ => match name.strip_prefix("America/North_Dakota/") {
                    Some("Beulah" | "Center" | "New_Salem") => Self::Central,
                    _ => return None,
                },
            },
        };
        Some(zone)
    }

    /// The zone of a state by its two letters; `None` for a state with several (49 CFR 71), where the site must say.
    pub fn of_state(state: &str) -> Option<Self> {
        let zone = match state.trim().to_ascii_uppercase().as_str() {
            "CT" | "DC" | "DE" | "GA" | "MA" | "MD" | "ME" | "NC" | "NH" | "NJ" | "NY" | "OH" | "PA"
            | "RI" | "SC" | "VA" | "VT" | "WV" => Self::Eastern,
            "AL" | "AR" | "IA" | "IL" | "LA" | "MN" | "MO" | "MS" | "OK" | "WI" => Self::Central,
            "CO" | "MT" | "NM" | "UT" | "WY" => Self::Mountain,
            "CA" | "WA" => Self::Pacific,
            _ => return None,
        };
        Some(zone)
    }

    /// What the wall clock shows.
    ///
    /// # Errors
    /// The rule cannot be read: a bug of ours.
    pub fn wall(self, at: Timestamp) -> Result<DateTime, DeadlineError> {
        Ok(self.rule()?.to_datetime(at))
    }

    /// The moment of a day at which the wall clock shows a full hour that summer time never skips or repeats.
    ///
    /// # Errors
    /// The day is at the end of all days.
    pub(crate) fn at(self, day: Date, hour: i8) -> Result<Timestamp, DeadlineError> {
        self.rule()?.to_timestamp(day.at(hour, 0, 0, 0)).map_err(|_| DeadlineError::EndOfTime { day })
    }

    fn rule(self) -> Result<TimeZone, DeadlineError> {
        TimeZone::posix(self.posix()).map_err(|_| DeadlineError::Zone(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;
    use jiff::civil::date;

    /// Start and end of summer time, month x 100 + day, from the IANA database (2025b) for `America/Los_Angeles`.
    const SUMMER: &[(i16, i16, i16)] = &[
        (2024, 310, 1103),
        (2025, 309, 1102),
        (2026, 308, 1101),
        (2027, 314, 1107),
        (2028, 312, 1105),
        (2029, 311, 1104),
        (2030, 310, 1103),
        (2031, 309, 1102),
        (2032, 314, 1107),
        (2033, 313, 1106),
        (2034, 312, 1105),
        (2035, 311, 1104),
    ];

    /// Hours behind UTC in winter and in summer.
    fn check(zone: Zone, winter: i64, summer: i64) {
        for &(year, start, end) in SUMMER {
            let day = |key: i16| date(year, (key / 100) as i8, (key % 100) as i8);
            // 02:00 local, in the offset that ends there.
            let start = day(start).at(2, 0, 0, 0).to_zoned(TimeZone::UTC).expect("UTC").timestamp();
            let start = start + winter.hours();
            let end = day(end).at(2, 0, 0, 0).to_zoned(TimeZone::UTC).expect("UTC").timestamp();
            let end = end + summer.hours();
            for (at, behind) in
                [(start - 1.second(), winter), (start, summer), (end - 1.second(), summer), (end, winter)]
            {
                let utc = at.to_zoned(TimeZone::UTC).datetime();
                assert_eq!(zone.wall(at).expect("a rule"), utc - behind.hours(), "{zone:?} {at}");
            }
        }
    }

    #[test]
    fn rules_are_those_of_the_time_zone_database() {
        check(Zone::Pacific, 8, 7);
        check(Zone::Mountain, 7, 6);
        check(Zone::Central, 6, 5);
        check(Zone::Eastern, 5, 4);
        check(Zone::Arizona, 7, 7);
    }

    #[test]
    fn an_hour_of_a_day_is_that_hour() {
        for zone in [Zone::Eastern, Zone::Central, Zone::Mountain, Zone::Arizona, Zone::Pacific] {
            let mut day = date(2026, 1, 1);
            while day.year() == 2026 {
                for hour in [6, 14, 17, 18] {
                    let at = zone.at(day, hour).expect("a moment");
                    assert_eq!(zone.wall(at).expect("a rule"), day.at(hour, 0, 0, 0), "{zone:?}");
                }
                day = day.tomorrow().expect("a day");
            }
        }
    }

    #[test]
    fn names_and_states() {
        for (name, zone) in [
            ("America/Los_Angeles", Some(Zone::Pacific)),
            ("America/Phoenix", Some(Zone::Arizona)),
            ("America/Boise", Some(Zone::Mountain)),
            ("America/Indiana/Knox", Some(Zone::Central)),
            ("America/Indiana/Vevay", Some(Zone::Eastern)),
            ("America/Kentucky/Monticello", Some(Zone::Eastern)),
            ("America/North_Dakota/Center", Some(Zone::Central)),
            ("America/Anchorage", None),
            ("Pacific/Honolulu", None),
            ("America/Toronto", None),
            ("Europe/Berlin", None),
            ("Asia/Indiana/Knox", None),
            ("", None),
        ] {
            assert_eq!(Zone::of_name(name), zone, "{name}");
        }
        for (state, zone) in [
            ("ny", Some(Zone::Eastern)),
            ("CA", Some(Zone::Pacific)),
            ("TX", None),
            ("FL", None),
            ("IN", None),
            ("AZ", None),
            ("AK", None),
            ("XX", None),
        ] {
            assert_eq!(Zone::of_state(state), zone, "{state}");
        }
    }
}
