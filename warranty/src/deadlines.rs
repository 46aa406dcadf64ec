//! By when, in the words of the service terms: A3, A9, A10, A11, E6, O6, O8 and the support hours S1.
//!
//! Pacific means the wall clock of Los Angeles, all year (ours: the terms write PST in summer too). A day counts by
//! [`BusinessCalendar`]; a day beyond its tables is an error that a person reads, never a silent weekday. A fee is only
//! proposed, from a carrier's dates and with its tracking number: what a device says about where it is does not count.

use std::fmt;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{Timestamp, ToSpan, Unit};

use crate::calendar::{BeyondTable, BusinessCalendar, Country};
use crate::zones::Zone;

/// Shipping orders and accepted faults before this Pacific time count for the day (A3, O6).
pub const CUT_OFF: Time = Time::constant(14, 0, 0, 0);
/// Target of an advance shipment, shown beside its day (A3).
pub const TARGET_HOURS: i64 = 48;
/// Business days for the number of a direct return, after its documents are validated (E6).
pub const RMA_NUMBER_DAYS: u32 = 2;
/// Working days for a repair, from receipt (E6; "from receipt" is ours).
pub const REPAIR_DAYS: u32 = 7;
/// Business days that the customer has to hand the defective unit to the courier (A9).
pub const RETURN_DAYS: u32 = 5;
/// Business days that the customer has to send missing parts, from notification (A11).
pub const MISSING_PARTS_DAYS: u32 = 5;
/// Late fee for each calendar day, in US cents (A10).
pub const LATE_FEE_USD_CENTS: u64 = 10_000;
/// Hour at the site before which the technician or the part is there (O6).
pub const VISIT_HOUR: i8 = 17;
/// Hours in which a customer is contacted after a visit is confirmed (O8).
pub const CONTACT_HOURS: i64 = 24;
/// First hour of support, Pacific (S1).
pub const SUPPORT_FROM: i8 = 6;
/// Hour at which support ends, Pacific (S1).
pub const SUPPORT_TO: i8 = 18;
/// Start of the office's hours, Pacific (A3).
pub const OFFICE_FROM: Time = Time::constant(8, 30, 0, 0);
/// End of the office's hours, Pacific (A3).
pub const OFFICE_TO: Time = Time::constant(17, 30, 0, 0);

/// Why there is no deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadlineError {
    /// A day that no holiday table covers.
    BeyondTable(BeyondTable),
    /// The calendar itself ends.
    EndOfTime {
        /// The day that has no such time.
        day: Date,
    },
    /// The rule of a zone cannot be read: a bug of ours.
    Zone(Zone),
    /// A fee without a tracking number (A10).
    NoTracking,
    /// The unit was picked up before its replacement was delivered.
    PickedUpBefore {
        /// Day of the pick-up.
        picked_up: Date,
        /// Day of the delivery.
        delivered: Date,
    },
    /// The unit is still out, and no trusted clock says which day it is.
    NoDay,
}

impl From<BeyondTable> for DeadlineError {
    fn from(beyond: BeyondTable) -> Self {
        Self::BeyondTable(beyond)
    }
}

impl fmt::Display for DeadlineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeyondTable(beyond) => beyond.fmt(f),
            Self::EndOfTime { day } => write!(f, "no deadline can be counted from {day}: check the date"),
            Self::Zone(zone) => write!(f, "the rule of the {zone:?} zone cannot be read: report this as a bug"),
            Self::NoTracking => {
                f.write_str("a late fee is proposed from a carrier's dates only: record its tracking number (A10)")
            }
            Self::PickedUpBefore { picked_up, delivered } => write!(
                f,
                "the unit was picked up {picked_up}, before its replacement was delivered, {delivered}: check the carrier's dates (A9)"
            ),
            Self::NoDay => f.write_str(
                "the unit has not been picked up, and which day it is cannot be told: set the clock first (A10)",
            ),
        }
    }
}

impl std::error::Error for DeadlineError {}

/// When a replacement ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipment {
    /// Business day on which it ships, Pacific: the rule.
    pub ship_on: Date,
    /// 48 hours after the order: the target, shown as such.
    pub target: Timestamp,
}

/// How a shipment that has not left stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShipmentState {
    /// Within the 48 hours.
    Due,
    /// The target has passed, and it is not overdue: its day has not.
    PastTarget,
    /// Its day has passed.
    Overdue,
}

/// When a replacement ships, from when the complete shipping order was received (A3).
///
/// # Errors
/// The days are beyond the holiday tables.
pub fn shipment(order_received: Timestamp) -> Result<Shipment, DeadlineError> {
    let wall = Zone::Pacific.wall(order_received)?;
    let target = later(order_received, TARGET_HOURS, wall)?;
    Ok(Shipment { ship_on: counted_day(wall)?, target })
}

impl Shipment {
    /// How it stands while it has not left.
    ///
    /// # Errors
    /// The zone's rule cannot be read.
    pub fn state(&self, now: Timestamp) -> Result<ShipmentState, DeadlineError> {
        Ok(if Zone::Pacific.wall(now)?.date() > self.ship_on {
            ShipmentState::Overdue
        } else if now > self.target {
            ShipmentState::PastTarget
        } else {
            ShipmentState::Due
        })
    }
}

/// Last Pacific day for the number of a direct return, from when its documents were *validated* (E6).
///
/// # Errors
/// The days are beyond the holiday tables.
pub fn rma_number_by(validated: Timestamp) -> Result<Date, DeadlineError> {
    let day = Zone::Pacific.wall(validated)?.date();
    Ok(BusinessCalendar::UnitedStates.add(day, RMA_NUMBER_DAYS)?)
}

/// Last day of a repair under the extended warranty, from the day the unit was received (E6).
///
/// # Errors
/// The days are beyond the holiday tables.
pub fn repair_by(received: Date) -> Result<Date, DeadlineError> {
    Ok(BusinessCalendar::UnitedStates.add(received, REPAIR_DAYS)?)
}

/// Last day for the courier's pick-up of the defective unit, from the day the replacement was received at the site (A9).
///
/// # Errors
/// The days are beyond the holiday tables.
pub fn return_by(received_at_site: Date, customer: Country) -> Result<Date, DeadlineError> {
    Ok(BusinessCalendar::of_customer(customer).add(received_at_site, RETURN_DAYS)?)
}

/// Last day for missing components and accessories, from the day the customer was notified (A11).
///
/// # Errors
/// The days are beyond the holiday tables.
pub fn missing_parts_by(notified: Date, customer: Country) -> Result<Date, DeadlineError> {
    Ok(BusinessCalendar::of_customer(customer).add(notified, MISSING_PARTS_DAYS)?)
}

/// What a carrier's papers say about a swap (A9, A10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrierRecord {
    /// Tracking number of the return, or of the delivery while nothing has come back.
    pub tracking: String,
    /// Day the replacement was delivered at the customer's site.
    pub delivered: Date,
    /// Day the courier picked the defective unit up; `None` while it has not.
    pub picked_up: Option<Date>,
    /// Whether the customer gave a proof of timely delivery, which a person has accepted.
    pub timely_proof: bool,
}

/// A late fee as a person may charge it (A10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateFee {
    /// Last day for the pick-up.
    pub return_by: Date,
    /// Calendar days after it.
    pub days_late: u32,
    /// Proposed fee in US cents; `None` when it is late and the list price, its cap, is not recorded.
    pub proposed_usd_cents: Option<u64>,
    /// Whether the list price caps it.
    pub capped: bool,
}

/// Proposes the late fee: USD 100 for each calendar day after the last one, up to the list price (A10).
///
/// # Errors
/// There is no tracking number, the carrier's dates contradict each other, or no day can be told.
pub fn late_fee(
    carrier: &CarrierRecord,
    customer: Country,
    today: Option<Date>,
    list_price_usd_cents: Option<u64>,
) -> Result<LateFee, DeadlineError> {
    if carrier.tracking.trim().is_empty() {
        return Err(DeadlineError::NoTracking);
    }
    let delivered = carrier.delivered;
    if let Some(picked_up) = carrier.picked_up.filter(|&day| day < delivered) {
        return Err(DeadlineError::PickedUpBefore { picked_up, delivered });
    }
    let return_by = return_by(delivered, customer)?;
    let until = carrier.picked_up.or(today).ok_or(DeadlineError::NoDay)?;
    let days_late = if carrier.timely_proof { 0 } else { days_after(return_by, until) };
    let fee = u64::from(days_late) * LATE_FEE_USD_CENTS;
    let (proposed_usd_cents, capped) = match list_price_usd_cents {
        _ if days_late == 0 => (Some(0), false),
        Some(price) => (Some(fee.min(price)), fee >= price),
        None => (None, false),
    };
    Ok(LateFee { return_by, days_late, proposed_usd_cents, capped })
}

/// When a technician or a part is at the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Day from which the next business day is counted.
    pub counted_from: Date,
    /// Day of the visit, or of the part.
    pub day: Date,
    /// The moment before which, 17:00 on the site's clock.
    pub before: Timestamp,
}

/// When a visit is due, from when a technician *accepted and logged* the fault (O6); subject to parts. The terms say
/// "Monday to Friday" here and not "business day", so a fault accepted before 14:00 on a holiday counts for that day
/// (ours: the earlier of the two readings).
///
/// # Errors
/// The days are beyond the holiday tables.
pub fn visit(accepted: Timestamp, site: Zone) -> Result<Visit, DeadlineError> {
    let wall = Zone::Pacific.wall(accepted)?;
    let weekday = !matches!(wall.date().weekday(), Weekday::Saturday | Weekday::Sunday);
    let calendar = BusinessCalendar::UnitedStates;
    let counted_from =
        if weekday && wall.time() < CUT_OFF { wall.date() } else { calendar.after(wall.date())? };
    let day = calendar.after(counted_from)?;
    Ok(Visit { counted_from, day, before: site.at(day, VISIT_HOUR)? })
}

/// By when the customer is contacted about a confirmed visit (O8).
///
/// # Errors
/// The moment is at the end of all days.
pub fn contact_by(confirmed: Timestamp) -> Result<Timestamp, DeadlineError> {
    later(confirmed, CONTACT_HOURS, Zone::Pacific.wall(confirmed)?)
}

/// Whether somebody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Within the hours.
    Open,
    /// Outside them.
    Closed,
    /// Within the hours on a federal holiday: the terms do not say.
    Holiday,
}

/// Whether support answers at a moment (S1): 06:00 to 18:00 Pacific, Monday to Friday.
///
/// # Errors
/// The day is beyond the holiday tables.
pub fn support(at: Timestamp) -> Result<Support, DeadlineError> {
    let wall = Zone::Pacific.wall(at)?;
    let weekday = !matches!(wall.date().weekday(), Weekday::Saturday | Weekday::Sunday);
    if !weekday || !(SUPPORT_FROM..SUPPORT_TO).contains(&wall.hour()) {
        return Ok(Support::Closed);
    }
    let business = BusinessCalendar::UnitedStates.is_business_day(wall.date())?;
    Ok(if business { Support::Open } else { Support::Holiday })
}

/// The next moment at which support is open for certain: the moment itself, or 06:00 Pacific of a business day (S1).
///
/// # Errors
/// The days are beyond the holiday tables.
pub fn support_opens(at: Timestamp) -> Result<Timestamp, DeadlineError> {
    if support(at)? == Support::Open {
        return Ok(at);
    }
    let wall = Zone::Pacific.wall(at)?;
    let calendar = BusinessCalendar::UnitedStates;
    let day = if wall.hour() < SUPPORT_FROM {
        calendar.on_or_after(wall.date())?
    } else {
        calendar.after(wall.date())?
    };
    Zone::Pacific.at(day, SUPPORT_FROM)
}

/// Whether the shipping office is open (A3): 08:30 to 17:30 Pacific on a business day.
///
/// # Errors
/// The day is beyond the holiday tables.
pub fn office_open(at: Timestamp) -> Result<bool, DeadlineError> {
    let wall = Zone::Pacific.wall(at)?;
    let business = BusinessCalendar::UnitedStates.is_business_day(wall.date())?;
    Ok(business && (OFFICE_FROM..OFFICE_TO).contains(&wall.time()))
}

/// The day that an order counts for: its own if it is a business day and the order came before the cut-off.
fn counted_day(wall: DateTime) -> Result<Date, DeadlineError> {
    let calendar = BusinessCalendar::UnitedStates;
    let same_day = calendar.is_business_day(wall.date())? && wall.time() < CUT_OFF;
    Ok(if same_day { wall.date() } else { calendar.after(wall.date())? })
}

fn later(at: Timestamp, hours: i64, wall: DateTime) -> Result<Timestamp, DeadlineError> {
    at.checked_add(hours.hours()).map_err(|_| DeadlineError::EndOfTime { day: wall.date() })
}

/// Calendar days from the first day to the second; 0 when it is not later.
fn days_after(from: Date, to: Date) -> u32 {
    // Whole days between two dates of 20,000 years at most: the span has days only and cannot fail.
    let days = from.until((Unit::Day, to)).map_or(0, |span| span.get_days());
    u32::try_from(days).unwrap_or(0)
}

#[cfg(test)]
mod tests;
