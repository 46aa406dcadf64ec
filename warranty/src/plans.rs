//! The plans beside the standard warranty: which of them covers a unit today (service terms E1-E4, A1, O1-O4). Which can
//! still be bought is in [`offers()`].
//!
//! A plan passes gates, one for each condition of the terms. A gate that the record contradicts makes "not eligible",
//! with the rule; one that the record leaves open makes "unknown", with what to ask. Nothing here refuses a claim.
//! Ours, where the terms are silent: a plan is counted from the invoice date, and on-site service runs for the five
//! years of the advanced-replacement plan that it needs.

use assay_bundle::entitlement::{Answer, Coverage, Place, Plan, PlanPurchase, Purchase, StandardPeriod};
use jiff::Unit as DateUnit;
use jiff::civil::Date;

use crate::entitlement::{Reasons, Unit, civil, last_day, unknown};
use crate::series::{EXTENDED, Lookup, ON_SITE};

mod offers;

pub use offers::offers;

/// Days after the unit's purchase in which a plan can be bought; the last one counts (E1, A1, O1).
pub const WINDOW_DAYS: i32 = 60;
/// Years from the invoice that standard and extended warranty never exceed together (E2).
pub const MOST_YEARS: u8 = 5;
/// Lengths in years that an advanced-replacement plan is sold for (A1).
pub const ADVANCED_YEARS: &[u8] = &[2, 3, 5];
/// Years of on-site service, and of the advanced-replacement plan that it needs (O1, O3).
pub const ON_SITE_YEARS: u8 = 5;
/// Visits in the term of on-site service (O3).
pub const OCCURRENCES: u8 = 4;

/// One condition of a plan.
enum Gate {
    /// The record meets it.
    Holds,
    /// The record contradicts it.
    Fails(&'static str, String),
    /// The record does not say; what to ask.
    Open(&'static str, String),
}

fn fails(rule: &'static str, why: impl Into<String>) -> Gate {
    Gate::Fails(rule, why.into())
}

fn open(rule: &'static str, why: impl Into<String>) -> Gate {
    Gate::Open(rule, why.into())
}

/// Extended warranty today (E1-E4).
pub(crate) fn extended(unit: &Unit<'_>, reasons: &mut Reasons) -> Coverage {
    best(unit, Plan::Extended, reasons, |bought, reasons| {
        let gates = [
            direct_customer(bought.direct_customer),
            certificate(bought.certificate),
            usa_or_canada("E4", unit.purchase),
            original_purchaser("L11", unit.purchase.original_purchaser),
            window("E1", unit, &bought.bought),
            extended_option(unit, bought.years),
        ];
        judge(Plan::Extended, gates, reasons)?;
        let StandardPeriod::Years { years: standard, .. } = unit.period else {
            return Err(unknown(
                "the extended warranty starts when the standard one has expired, and its period is not known (E2)",
            ));
        };
        if standard >= MOST_YEARS {
            reasons.push(
                "E2",
                format!("Standard and extended warranty never exceed {MOST_YEARS} years together."),
            );
            let why = format!(
                "the standard warranty of {standard} years leaves none of the {MOST_YEARS} years (E2)"
            );
            return Err(Coverage::NotEligible { why });
        }
        let invoice = unit.bought()?;
        let total = standard.saturating_add(bought.years);
        let capped = total.min(MOST_YEARS);
        if total > MOST_YEARS {
            reasons.push(
                "E2",
                format!("{standard} and {} years are capped at {MOST_YEARS} from the invoice.", bought.years),
            );
        }
        let first_day = last_day(invoice, standard)?
            .tomorrow()
            .map_err(|_| unknown("the end of the standard warranty is no date"))?;
        reasons.push("E2", "The extended warranty starts when the standard one has expired.");
        Ok(unit.during(first_day, last_day(invoice, capped)?))
    })
}

/// Advanced replacement today (A1).
pub(crate) fn advanced_replacement(unit: &Unit<'_>, reasons: &mut Reasons) -> Coverage {
    best(unit, Plan::AdvancedReplacement, reasons, |bought, reasons| {
        judge(Plan::AdvancedReplacement, advanced_gates(unit, bought), reasons)?;
        let invoice = unit.bought()?;
        reasons.push(
            "A1",
            format!("Advanced replacement runs {} years from the purchase of the unit.", bought.years),
        );
        Ok(unit.during(invoice, last_day(invoice, bought.years)?))
    })
}

/// On-site service today (O1-O4).
pub(crate) fn on_site(unit: &Unit<'_>, reasons: &mut Reasons) -> Coverage {
    best(unit, Plan::OnSite, reasons, |bought, reasons| {
        let gates = [
            on_site_option(bought.years),
            continental(unit.purchase),
            on_site_series(unit),
            window("O1", unit, &bought.bought),
            needs_advanced(unit),
            occurrences(unit.purchase.on_site_used),
        ];
        judge(Plan::OnSite, gates, reasons)?;
        if unit.purchase.on_site_used.is_none() {
            reasons.push(
                "O3",
                "How many of the four visits are used is not recorded: ask before one is booked.",
            );
        }
        let invoice = unit.bought()?;
        reasons
            .push("O1", format!("On-site service runs {ON_SITE_YEARS} years from the purchase of the unit."));
        Ok(unit.during(invoice, last_day(invoice, ON_SITE_YEARS)?))
    })
}

/// Visits left of the four (O3); `None` without the plan, or when nobody counted.
pub(crate) fn on_site_left(unit: &Unit<'_>) -> Option<u8> {
    unit.purchase.plans.as_ref()?.iter().find(|plan| plan.plan == Plan::OnSite)?;
    unit.purchase.on_site_used.map(|used| OCCURRENCES.saturating_sub(used))
}

/// The best of the plans of one kind, with its own reasons; the record may hold several.
fn best(
    unit: &Unit<'_>,
    plan: Plan,
    reasons: &mut Reasons,
    coverage: impl Fn(&PlanPurchase, &mut Reasons) -> Result<Coverage, Coverage>,
) -> Coverage {
    let Some(plans) = &unit.purchase.plans else { return Coverage::default() };
    let judged = plans.iter().filter(|bought| bought.plan == plan).map(|bought| {
        let mut own = Reasons::default();
        let coverage = coverage(bought, &mut own).unwrap_or_else(|coverage| coverage);
        (coverage, own)
    });
    // Days of one form sort like dates: of two that run, the longer one counts.
    match judged.min_by_key(|(coverage, _)| (rank(coverage), std::cmp::Reverse(end(coverage)))) {
        Some((coverage, own)) => {
            reasons.extend(own);
            coverage
        }
        None => Coverage::NotBought,
    }
}

/// Its last day, where it has one.
fn end(coverage: &Coverage) -> Option<String> {
    match coverage {
        Coverage::Until { last_day }
        | Coverage::Starts { last_day, .. }
        | Coverage::AppearsExpired { last_day } => Some(last_day.clone()),
        _ => None,
    }
}

/// The better coverage has the lower rank.
fn rank(coverage: &Coverage) -> u8 {
    match coverage {
        Coverage::Until { .. } => 0,
        Coverage::Starts { .. } => 1,
        Coverage::Unknown { .. } => 2,
        Coverage::AppearsExpired { .. } => 3,
        Coverage::NotEligible { .. } => 4,
        Coverage::Moved { .. } | Coverage::NotBought => 5,
    }
}

/// Why a plan stops at its gates.
enum Stop {
    /// The record contradicts a condition.
    Failed(String),
    /// The record leaves one open.
    Asked(String),
}

/// Every gate that does not hold is a reason; the first that fails decides, else the first that is open.
fn weigh(plan: Plan, gates: impl IntoIterator<Item = Gate>, reasons: &mut Reasons) -> Result<(), Stop> {
    let mut failed = None;
    let mut asked = None;
    for gate in gates {
        let (slot, rule, why) = match gate {
            Gate::Holds => continue,
            Gate::Fails(rule, why) => (&mut failed, rule, why),
            Gate::Open(rule, why) => (&mut asked, rule, why),
        };
        reasons.push(rule, format!("For the {}: {why}.", plan.words()));
        slot.get_or_insert(format!("{why} ({rule})"));
    }
    match (failed, asked) {
        (Some(why), _) => Err(Stop::Failed(why)),
        (None, Some(why)) => Err(Stop::Asked(why)),
        (None, None) => Ok(()),
    }
}

fn judge(plan: Plan, gates: impl IntoIterator<Item = Gate>, reasons: &mut Reasons) -> Result<(), Coverage> {
    weigh(plan, gates, reasons).map_err(|stop| match stop {
        Stop::Failed(why) => Coverage::NotEligible { why: format!("{why}; a person decides") },
        Stop::Asked(why) => unknown(why),
    })
}

fn advanced_gates(unit: &Unit<'_>, bought: &PlanPurchase) -> [Gate; 4] {
    [
        if ADVANCED_YEARS.contains(&bought.years) {
            Gate::Holds
        } else {
            fails("A1", format!("it is sold for 2, 3 or 5 years, and the record says {}", bought.years))
        },
        usa_or_canada("A1", unit.purchase),
        original_purchaser("A1", unit.purchase.original_purchaser),
        window("A1", unit, &bought.bought),
    ]
}

fn direct_customer(answer: Answer) -> Gate {
    match answer {
        Answer::Yes => Gate::Holds,
        Answer::No => fails("E4", "it is for direct customers of the vendor only"),
        Answer::Unknown => open("E4", "ask whether the buyer is a direct customer of the vendor"),
    }
}

fn certificate(answer: Answer) -> Gate {
    match answer {
        Answer::Yes => Gate::Holds,
        Answer::No => fails("E4", "the vendor's validated certificate is not on file: ask for a copy of it"),
        Answer::Unknown => {
            open("E4", "ask for a copy of the vendor's certificate with model, serial number and period")
        }
    }
}

fn original_purchaser(rule: &'static str, answer: Answer) -> Gate {
    match answer {
        Answer::Yes => Gate::Holds,
        Answer::No => fails(rule, "it is for the original purchaser only"),
        Answer::Unknown => open(rule, "ask whether the owner is the original purchaser"),
    }
}

fn usa_or_canada(rule: &'static str, purchase: &Purchase) -> Gate {
    match purchase.region.place() {
        Place::ContinentalUs | Place::Alaska | Place::Hawaii | Place::UsStateUnknown | Place::Canada => {
            Gate::Holds
        }
        Place::Other => fails(rule, "it is for the USA and Canada only"),
        Place::UsTerritory => {
            open(rule, "the terms do not say whether a territory or a forces' address is the USA: ask")
        }
        Place::Unknown => open(rule, "it is for the USA and Canada only: ask which country the unit is in"),
    }
}

fn continental(purchase: &Purchase) -> Gate {
    match purchase.region.place() {
        Place::ContinentalUs => Gate::Holds,
        Place::Alaska | Place::Hawaii | Place::UsTerritory | Place::Canada | Place::Other => {
            fails("O2", "it is for the continental USA only, without Alaska and Hawaii")
        }
        Place::UsStateUnknown => {
            open("O2", "it is for the continental USA only: ask which state the unit is in")
        }
        Place::Unknown => open("O2", "it is for the continental USA only: ask where the unit is"),
    }
}

/// Bought on the day of the unit's purchase, or up to 60 days later.
fn window(rule: &'static str, unit: &Unit<'_>, bought: &str) -> Gate {
    let invoice = match &unit.invoice {
        Ok(invoice) => *invoice,
        Err(why) => return open(rule, why.clone()),
    };
    let Some(bought) = civil(bought) else {
        return open(rule, format!("the plan's date {bought:?} is no date (YYYY-MM-DD)"));
    };
    let days = days_between(invoice, bought);
    if days < 0 {
        return open(rule, format!("the plan was bought {bought}, before the unit, {invoice}: check both"));
    }
    if unit.today.is_some_and(|today| today < bought) {
        return open(rule, format!("the plan's date {bought} lies in the future: check it"));
    }
    if days > WINDOW_DAYS {
        return fails(
            rule,
            format!("it was bought {days} days after the unit, and the window is {WINDOW_DAYS} days"),
        );
    }
    Gate::Holds
}

fn days_between(from: Date, to: Date) -> i32 {
    // Both dates are whole days, so the span has no other unit and cannot fail.
    from.until((DateUnit::Day, to)).map(|span| span.get_days()).unwrap_or(i32::MAX)
}

fn extended_option(unit: &Unit<'_>, years: u8) -> Gate {
    match unit.look_up(EXTENDED) {
        Lookup::Listed { series, terms: [] } => {
            fails("E3", format!("series {series} has no extended warranty"))
        }
        Lookup::Listed { terms, .. } if terms.contains(&years) => Gate::Holds,
        Lookup::Listed { series, terms } => {
            fails("E3", format!("series {series} is extended by {}, not by {years}", list(terms)))
        }
        Lookup::NotListed { why } | Lookup::CannotTell { why } => open("E3", why),
    }
}

fn on_site_option(years: u8) -> Gate {
    if years == ON_SITE_YEARS {
        return Gate::Holds;
    }
    fails("O3", format!("its term is {ON_SITE_YEARS} years, and the record says {years}"))
}

fn on_site_series(unit: &Unit<'_>) -> Gate {
    match unit.look_up(ON_SITE) {
        Lookup::Listed { .. } => Gate::Holds,
        Lookup::NotListed { why } => fails("O4", format!("{why} with on-site service")),
        Lookup::CannotTell { why } => open("O4", why),
    }
}

/// A 5-year advanced-replacement plan that the terms grant.
fn needs_advanced(unit: &Unit<'_>) -> Gate {
    let none = || fails("O1", format!("it needs an advanced-replacement plan of {ON_SITE_YEARS} years"));
    let plans = unit.purchase.plans.iter().flatten();
    let long = plans.filter(|p| p.plan == Plan::AdvancedReplacement && p.years == ON_SITE_YEARS);
    let mut asked = false;
    for plan in long {
        match weigh(Plan::AdvancedReplacement, advanced_gates(unit, plan), &mut Reasons::default()) {
            Ok(()) => return Gate::Holds,
            Err(Stop::Asked(_)) => asked = true,
            Err(Stop::Failed(_)) => {}
        }
    }
    if asked {
        let why =
            format!("whether its advanced-replacement plan of {ON_SITE_YEARS} years holds is not known");
        return open("O1", why);
    }
    none()
}

fn occurrences(used: Option<u8>) -> Gate {
    match used {
        Some(used) if used >= OCCURRENCES => {
            fails("O3", format!("all {OCCURRENCES} visits of its term are used"))
        }
        _ => Gate::Holds,
    }
}

/// `1 or 2 years`.
fn list(years: &[u8]) -> String {
    let words: Vec<String> = years.iter().map(u8::to_string).collect();
    format!("{} years", words.join(" or "))
}

#[cfg(test)]
mod tests;
