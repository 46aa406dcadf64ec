//! Business days: Monday to Friday and no holiday, in the United States or in both countries.
//!
//! The terms say only "business day" (ours: not a federal holiday of the United States). Where a *customer* has a
//! number of business days, a day counts only if it is one in the customer's country and in the United States. A day
//! outside the tables is an error that says so: a wrong deadline would be believed.

use jiff::civil::{Date, Weekday};
use std::fmt;

use crate::holidays::{CANADA, FIRST_YEAR, LAST_YEAR, UNITED_STATES};

/// A country with a holiday table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Country {
    /// The United States: federal holidays.
    UnitedStates,
    /// Canada: federal general holidays.
    Canada,
}

/// Whose days count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusinessCalendar {
    /// The vendor's days.
    UnitedStates,
    /// A customer's days in Canada: a day counts only if it is one in both countries.
    UnitedStatesAndCanada,
}

/// A day that no holiday table covers. Its message names the day and the years that are covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeyondTable {
    /// The day that was asked.
    pub day: Date,
}

impl fmt::Display for BeyondTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is outside the holiday tables ({FIRST_YEAR} to {LAST_YEAR}): no business day can be told; count by hand and update Assay",
            self.day
        )
    }
}

impl std::error::Error for BeyondTable {}

impl BusinessCalendar {
    /// The calendar for a number of days that the customer has.
    pub fn of_customer(country: Country) -> Self {
        match country {
            Country::UnitedStates => Self::UnitedStates,
            Country::Canada => Self::UnitedStatesAndCanada,
        }
    }

    /// Whether it is a business day.
    ///
    /// # Errors
    /// The day is outside the tables, whatever its weekday.
    pub fn is_business_day(self, day: Date) -> Result<bool, BeyondTable> {
        let holiday = is_holiday(UNITED_STATES, day)?
            || (self == Self::UnitedStatesAndCanada && is_holiday(CANADA, day)?);
        Ok(!holiday && !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday))
    }

    /// The day itself, or the first business day after it.
    ///
    /// # Errors
    /// It is outside the tables.
    pub fn on_or_after(self, day: Date) -> Result<Date, BeyondTable> {
        let mut day = day;
        while !self.is_business_day(day)? {
            day = day.tomorrow().map_err(|_| BeyondTable { day })?;
        }
        Ok(day)
    }

    /// The first business day after the day.
    ///
    /// # Errors
    /// It is outside the tables.
    pub fn after(self, day: Date) -> Result<Date, BeyondTable> {
        self.is_business_day(day)?;
        self.on_or_after(day.tomorrow().map_err(|_| BeyondTable { day })?)
    }

    /// The last of `count` business days that follow the day; the day itself does not count. `0` is the day itself.
    ///
    /// # Errors
    /// It is outside the tables.
    pub fn add(self, day: Date, count: u32) -> Result<Date, BeyondTable> {
        (0..count).try_fold(day, |day, _| self.after(day))
    }
}

fn is_holiday(table: &[(i16, &[u16])], day: Date) -> Result<bool, BeyondTable> {
    let (_, days) = table.iter().find(|(year, _)| *year == day.year()).ok_or(BeyondTable { day })?;
    let key = u16::from(day.month().unsigned_abs()) * 100 + u16::from(day.day().unsigned_abs());
    Ok(days.contains(&key))
}

#[cfg(test)]
pub(crate) mod tests;
