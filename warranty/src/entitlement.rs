//! What covers a unit today, and until when (service terms L3, L4, L6, L10, L11, A13; the plans are in [`crate::plans`]).
//!
//! Counted in civil dates from the invoice date: the last day is the same day of the month some years later and is
//! included; from 29 February it is 28 February where the year has no 29th. Refuses a date from a clock that nobody
//! trusts, and never says more than "appears expired": dealers may give more than the terms. "Not eligible" is what the
//! terms say of the record; a person decides.

use assay_bundle::entitlement::{Answer, Coverage, Entitlement, Purchase, Reason, StandardPeriod};
use jiff::ToSpan;
use jiff::civil::Date;

use crate::plans;
use crate::series::{Lookup, STANDARD, Series, look_up, look_up_recorded, period};

/// What the terms grant, when nothing but model and invoice date is known: the device's own answer. `today` is `None`
/// when the clock that was asked is not synchronised; `invoice_date` is the date of the original purchase.
pub fn entitlement(today: Option<Date>, model: Option<&str>, invoice_date: Option<Date>) -> Entitlement {
    let purchase = Purchase {
        model: model.map(str::to_owned),
        invoice_date: invoice_date.map(|day| day.to_string()),
        ..Purchase::default()
    };
    entitlement_of(today, &purchase)
}

/// What the terms grant a unit today, by what the ledger or the owner says of its purchase. Without a day that can be
/// trusted (`None`) every coverage is unknown, and no date is named.
pub fn entitlement_of(today: Option<Date>, purchase: &Purchase) -> Entitlement {
    let unit = Unit::new(today, purchase);
    let mut reasons = Reasons::default();
    let standard = standard(&unit, &mut reasons);
    let mut entitlement = Entitlement {
        model: purchase.model.clone(),
        standard_period: unit.period.clone(),
        global: global(&unit, &mut reasons),
        extended: plans::extended(&unit, &mut reasons),
        advanced_replacement: plans::advanced_replacement(&unit, &mut reasons),
        on_site: plans::on_site(&unit, &mut reasons),
        on_site_left: plans::on_site_left(&unit),
        standard,
        moved_to: purchase.moved_to.clone(),
        reasons: Vec::new(),
        rules: Vec::new(),
    };
    if let Some(serial) = &purchase.moved_to {
        move_away(&mut entitlement, serial, &mut reasons);
    }
    entitlement.rules = reasons.rules();
    entitlement.reasons = reasons.0;
    entitlement
}

/// The portal's answer on another day, as the device shows it: what began or ended since is said so. Without a day that
/// can be trusted (`None`) every coverage that has a date is unknown, and none is named.
pub fn entitlement_as_of(today: Option<Date>, received: &Entitlement) -> Entitlement {
    let mut entitlement = received.clone();
    for coverage in entitlement.coverages() {
        *coverage = as_of(today, coverage);
    }
    entitlement
}

fn as_of(today: Option<Date>, coverage: &Coverage) -> Coverage {
    let (first, last) = match coverage {
        Coverage::Starts { first_day, last_day } => (Some(first_day), last_day),
        Coverage::Until { last_day } | Coverage::AppearsExpired { last_day } => (None, last_day),
        Coverage::Unknown { .. }
        | Coverage::NotBought
        | Coverage::NotEligible { .. }
        | Coverage::Moved { .. } => return coverage.clone(),
    };
    let Some(today) = today else { return no_clock() };
    let (Ok(last_day), Ok(first_day)) = (last.parse(), first.map(|day| day.parse()).transpose()) else {
        return unknown("a date of the portal's entitlement record is no date");
    };
    during(today, first_day.unwrap_or(Date::MIN), last_day)
}

/// The state on a day of a period with both ends included.
fn during(today: Date, first_day: Date, last_day: Date) -> Coverage {
    if today < first_day {
        Coverage::Starts { first_day: first_day.to_string(), last_day: last_day.to_string() }
    } else if today <= last_day {
        Coverage::Until { last_day: last_day.to_string() }
    } else {
        Coverage::AppearsExpired { last_day: last_day.to_string() }
    }
}

/// One unit's record, read once.
pub(crate) struct Unit<'p> {
    /// The record.
    pub(crate) purchase: &'p Purchase,
    /// A day that can be trusted.
    pub(crate) today: Option<Date>,
    /// Day of the initial invoice, or why there is none.
    pub(crate) invoice: Result<Date, String>,
    /// Standard period.
    pub(crate) period: StandardPeriod,
}

impl<'p> Unit<'p> {
    pub(crate) fn new(today: Option<Date>, purchase: &'p Purchase) -> Self {
        let invoice = match purchase.invoice_date.as_deref() {
            None => Err("no invoice date is recorded".to_owned()),
            Some(text) => {
                civil(text).ok_or_else(|| format!("the invoice date {text:?} is no date (YYYY-MM-DD)"))
            }
        };
        Self { purchase, today, invoice, period: standard_period_of(purchase) }
    }

    /// What a table of series says of the unit: by the record's series, else by the model's name.
    pub(crate) fn look_up<T: Copy>(&self, table: &'static [Series<T>]) -> Lookup<T> {
        look_up_purchase(table, self.purchase)
    }

    /// The state today of a period with both ends included.
    pub(crate) fn during(&self, first_day: Date, last_day: Date) -> Coverage {
        self.today.map_or_else(no_clock, |today| during(today, first_day, last_day))
    }

    /// The invoice date, when today is not before it; else the coverage that is unknown for it.
    pub(crate) fn bought(&self) -> Result<Date, Coverage> {
        let invoice = self.invoice.clone().map_err(unknown)?;
        match self.today {
            None => Err(no_clock()),
            Some(today) if today < invoice => {
                Err(unknown(format!("the invoice date {invoice} lies after today, {today}: check both")))
            }
            Some(_) => Ok(invoice),
        }
    }
}

/// Reasons as they come up, each rule with its sentence.
#[derive(Default)]
pub(crate) struct Reasons(Vec<Reason>);

impl Reasons {
    pub(crate) fn push(&mut self, rule: &str, text: impl Into<String>) {
        let text = text.into();
        let mut chars = text.chars();
        let text = chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect());
        self.0.push(Reason { rule: rule.to_owned(), text });
    }

    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Each rule once, in the order of the reasons.
    fn rules(&self) -> Vec<String> {
        let mut rules: Vec<String> = Vec::new();
        for reason in &self.0 {
            if !rules.contains(&reason.rule) {
                rules.push(reason.rule.clone());
            }
        }
        rules
    }
}

/// A day as the record writes it, and in no other form.
pub(crate) fn civil(text: &str) -> Option<Date> {
    let day: Date = text.parse().ok()?;
    (day.to_string() == text).then_some(day)
}

/// The last day, included, of some years from a day.
pub(crate) fn last_day(from: Date, years: u8) -> Result<Date, Coverage> {
    from.checked_add(i64::from(years).years())
        .map_err(|_| unknown(format!("{years} years from {from} is no date")))
}

pub(crate) fn unknown(why: impl std::fmt::Display) -> Coverage {
    Coverage::Unknown { why: format!("coverage unknown: {why}") }
}

fn no_clock() -> Coverage {
    unknown("the device's clock is not synchronised; the portal's entitlement record decides")
}

/// What stands for the series of a unit whose period only the record grants.
const UNLISTED: &str = "not listed";

fn look_up_purchase<T: Copy>(table: &'static [Series<T>], purchase: &Purchase) -> Lookup<T> {
    match purchase.series.as_deref().filter(|s| !s.trim().is_empty()) {
        Some(recorded) => look_up_recorded(table, recorded),
        None => look_up(table, purchase.model.as_deref()),
    }
}

/// The standard period of a unit: what the record grants, else that of its series (L3).
fn standard_period_of(purchase: &Purchase) -> StandardPeriod {
    let listed = period(look_up_purchase(STANDARD, purchase));
    let granted = purchase.standard_years.filter(|&years| years > 0);
    match (listed, granted) {
        (StandardPeriod::Years { years, series, global_years }, _) => StandardPeriod::Years {
            years: granted.unwrap_or(years),
            series,
            global_years: purchase.global_years.or(global_years),
        },
        (StandardPeriod::Unknown { .. }, Some(years)) => {
            StandardPeriod::Years { years, series: UNLISTED.to_owned(), global_years: purchase.global_years }
        }
        (unknown, None) => unknown,
    }
}

fn standard(unit: &Unit<'_>, reasons: &mut Reasons) -> Coverage {
    let years = match &unit.period {
        StandardPeriod::Unknown { why } => {
            reasons.push("L3", "The standard warranty is 2 to 5 years by series; this unit's is not known.");
            reasons.push("L4", format!("{why}."));
            return unknown(why);
        }
        StandardPeriod::Years { years, series, .. } => {
            reasons.push(
                "L3",
                match unit.purchase.standard_years {
                    Some(_) => format!("The purchase record grants {years} years of standard warranty."),
                    None => format!("Series {series} has {years} years of standard warranty."),
                },
            );
            let by_name = unit.purchase.series.is_none() && series != UNLISTED;
            if let Some(model) = unit.purchase.model.as_ref().filter(|_| by_name) {
                reasons.push(
                    "L4",
                    format!("{model} counts as {series}: rack, redundant-power and memory variants inherit, later generations do not."),
                );
            }
            *years
        }
    };
    match unit.purchase.original_purchaser {
        Answer::Yes => {}
        Answer::No => {
            let why = "the warranty is for the original purchaser only, and the record says that the owner is not (L11); a person decides";
            reasons.push("L11", "The owner is recorded as not the original purchaser.");
            return Coverage::NotEligible { why: why.to_owned() };
        }
        Answer::Unknown => {
            reasons.push("L11", "Ask whether the owner is the original purchaser: the record does not say.");
        }
    }
    let invoice = match unit.bought() {
        Ok(invoice) => invoice,
        Err(why) => return why,
    };
    let coverage = match last_day(invoice, years) {
        Ok(last_day) => unit.during(invoice, last_day),
        Err(why) => return why,
    };
    if matches!(coverage, Coverage::AppearsExpired { .. }) {
        reasons.push("L10", "Repair may be offered at the customer's cost; check dealer and plans first.");
    }
    coverage
}

/// Service at the nearest retailer (L6).
fn global(unit: &Unit<'_>, reasons: &mut Reasons) -> Coverage {
    let granted = match &unit.period {
        StandardPeriod::Years { global_years, .. } => *global_years,
        StandardPeriod::Unknown { .. } => unit.purchase.global_years,
    };
    let Some(years) = granted else {
        return match unit.period {
            StandardPeriod::Unknown { .. } => unknown("the series is not known"),
            StandardPeriod::Years { .. } => Coverage::NotEligible {
                why: "no global coverage is granted: any retailer may help, but the return follows the purchase channel (L6)"
                    .to_owned(),
            },
        };
    };
    reasons.push("L6", format!("Global coverage of {years} years: service at the nearest retailer."));
    if unit.purchase.original_purchaser == Answer::No {
        return Coverage::NotEligible { why: "for the original purchaser only (L11)".to_owned() };
    }
    match unit.bought().and_then(|invoice| Ok((invoice, last_day(invoice, years)?))) {
        Ok((invoice, last_day)) => unit.during(invoice, last_day),
        Err(why) => why,
    }
}

/// The replacement has it now; this serial has nothing left (A13).
fn move_away(entitlement: &mut Entitlement, serial: &str, reasons: &mut Reasons) {
    for coverage in entitlement.coverages() {
        *coverage = Coverage::Moved { serial: serial.to_owned() };
    }
    entitlement.on_site_left = None;
    reasons.push("A13", format!("The replacement {serial} took the rest of the coverage over."));
}

#[cfg(test)]
mod tests;
