//! Which plans can still be bought for a unit today, and for how many years (service terms E1-E4, A1, O1, O2, O4).
//!
//! An offer passes the same gates as a plan that was bought, but those about the plan's own papers. It closes with the
//! window of 60 days, and it is unknown where the record is silent: a plan that is sold to the wrong customer is worse
//! than a question.

use assay_bundle::entitlement::{Offer, Offers, Plan, Purchase, StandardPeriod};
use jiff::ToSpan;
use jiff::civil::Date;

use super::{
    ADVANCED_YEARS, Gate, MOST_YEARS, ON_SITE_YEARS, Stop, WINDOW_DAYS, continental, needs_advanced,
    on_site_series, original_purchaser, usa_or_canada, weigh,
};
use crate::entitlement::{Reasons, Unit};
use crate::series::{EXTENDED, Lookup};

/// What can still be bought today: options by series and region, in the window of 60 days, within 5 years in all.
pub fn offers(today: Option<Date>, purchase: &Purchase) -> Offers {
    let unit = Unit::new(today, purchase);
    Offers {
        extended: offer_extended(&unit),
        advanced_replacement: offer_advanced(&unit),
        on_site: offer_on_site(&unit),
    }
}

/// The window as an offer: `Ok` with its last day, and `Err` when it cannot be told or is over.
fn window_today(rule: &'static str, unit: &Unit<'_>, plan: Plan) -> Result<Date, Offer> {
    if unit.purchase.moved_to.is_some() {
        return Err(closed("the coverage moved to a replacement (A13)"));
    }
    match &unit.purchase.plans {
        None => return Err(ask("whether it was already bought is not recorded")),
        Some(plans) if plans.iter().any(|p| p.plan == plan) => return Err(closed("it is already bought")),
        Some(_) => {}
    }
    let invoice = unit.invoice.clone().map_err(ask)?;
    let Some(today) = unit.today else { return Err(ask("which day it is cannot be told")) };
    if today < invoice {
        return Err(ask(format!("the invoice date {invoice} lies after today, {today}: check both")));
    }
    let last_day = invoice.checked_add(WINDOW_DAYS.days()).map_err(|_| ask("the invoice date is no date"))?;
    if today > last_day {
        return Err(closed(format!("the window of {WINDOW_DAYS} days ended with {last_day} ({rule})")));
    }
    Ok(last_day)
}

fn closed(why: impl Into<String>) -> Offer {
    Offer::Closed { why: why.into() }
}

fn ask(why: impl Into<String>) -> Offer {
    Offer::Unknown { why: why.into() }
}

/// The first gate that fails closes the offer, else the first open one leaves it unknown.
fn pass(plan: Plan, gates: impl IntoIterator<Item = Gate>) -> Result<(), Offer> {
    weigh(plan, gates, &mut Reasons::default()).map_err(|stop| match stop {
        Stop::Failed(why) => closed(why),
        Stop::Asked(why) => ask(why),
    })
}

fn offer_extended(unit: &Unit<'_>) -> Offer {
    let offer = || {
        let options = match unit.look_up(EXTENDED) {
            Lookup::Listed { series, terms: [] } => {
                return Err(closed(format!("series {series} has no extended warranty (E3)")));
            }
            Lookup::Listed { terms, .. } => terms,
            Lookup::NotListed { why } | Lookup::CannotTell { why } => return Err(ask(why)),
        };
        pass(
            Plan::Extended,
            [usa_or_canada("E4", unit.purchase), original_purchaser("L11", unit.purchase.original_purchaser)],
        )?;
        let last_day = window_today("E1", unit, Plan::Extended)?;
        let standard = match unit.period {
            StandardPeriod::Years { years, .. } => years,
            StandardPeriod::Unknown { ref why } => return Err(ask(why.clone())),
        };
        let fits = |years: &u8| standard.saturating_add(*years) <= MOST_YEARS;
        let years: Vec<u8> = options.iter().copied().filter(fits).collect();
        if years.is_empty() {
            return Err(closed(format!(
                "the standard warranty of {standard} years leaves none of {MOST_YEARS} (E2)"
            )));
        }
        let condition = Some("for direct customers of the vendor only (E4)".to_owned());
        Ok(Offer::Open { years, last_day: last_day.to_string(), condition })
    };
    offer().unwrap_or_else(|offer| offer)
}

fn offer_advanced(unit: &Unit<'_>) -> Offer {
    let offer = || {
        let gates =
            [usa_or_canada("A1", unit.purchase), original_purchaser("A1", unit.purchase.original_purchaser)];
        pass(Plan::AdvancedReplacement, gates)?;
        let last_day = window_today("A1", unit, Plan::AdvancedReplacement)?;
        Ok(Offer::Open { years: ADVANCED_YEARS.to_vec(), last_day: last_day.to_string(), condition: None })
    };
    offer().unwrap_or_else(|offer| offer)
}

fn offer_on_site(unit: &Unit<'_>) -> Offer {
    let offer = || {
        pass(Plan::OnSite, [continental(unit.purchase), on_site_series(unit)])?;
        let last_day = window_today("O1", unit, Plan::OnSite)?;
        let condition = match (needs_advanced(unit), offer_advanced(unit)) {
            (Gate::Holds, _) => None,
            (_, Offer::Open { .. }) => {
                Some(format!("an advanced-replacement plan of {ON_SITE_YEARS} years (O1)"))
            }
            (Gate::Fails(rule, why), Offer::Closed { .. }) => return Err(closed(format!("{why} ({rule})"))),
            (_, _) => {
                return Err(ask(
                    "whether there is an advanced-replacement plan of 5 years is not known (O1)",
                ));
            }
        };
        Ok(Offer::Open { years: vec![ON_SITE_YEARS], last_day: last_day.to_string(), condition })
    };
    offer().unwrap_or_else(|offer| offer)
}
