//! Whether the standard warranty covers a unit today (service terms L3, L4, L5, L10).
//!
//! Counted in civil dates from the invoice date: the last day is the same day of the month some years later and is
//! included; from 29 February it is 28 February where the year has no 29th. Refuses a date from a clock that nobody
//! trusts, and never says more than "appears expired": dealers may give more than the terms.

use assay_bundle::entitlement::{Coverage, Entitlement, Purchase, StandardPeriod};
use jiff::ToSpan;
use jiff::civil::Date;

use crate::series::standard_period;

/// What the standard warranty grants, when nothing else is known of the purchase: the device's own answer. `today` is
/// `None` when the clock that was asked is not synchronised; `invoice_date` is the date of the original purchase.
pub fn entitlement(today: Option<Date>, model: Option<&str>, invoice_date: Option<Date>) -> Entitlement {
    let purchase = Purchase {
        model: model.map(str::to_owned),
        invoice_date: invoice_date.map(|day| day.to_string()),
        ..Purchase::default()
    };
    entitlement_of(today, &purchase)
}

/// What the terms grant a unit today, by what the ledger or the owner says of its purchase.
pub fn entitlement_of(today: Option<Date>, purchase: &Purchase) -> Entitlement {
    let standard_period = standard_period(purchase.model.as_deref());
    let invoice_date = purchase.invoice_date.as_deref().and_then(|day| day.parse().ok());
    let standard = coverage(today, &standard_period, invoice_date);
    let mut rules = vec!["L3".to_owned(), "L4".to_owned()];
    if matches!(standard, Coverage::AppearsExpired { .. }) {
        rules.push("L10".to_owned());
    }
    Entitlement {
        model: purchase.model.clone(),
        standard_period,
        standard,
        extended: Coverage::default(),
        advanced_replacement: Coverage::default(),
        on_site: Coverage::default(),
        on_site_left: None,
        global: Coverage::default(),
        moved_to: None,
        reasons: Vec::new(),
        rules,
    }
}

fn coverage(today: Option<Date>, period: &StandardPeriod, invoice_date: Option<Date>) -> Coverage {
    let unknown = |why: String| Coverage::Unknown { why: format!("coverage unknown: {why}") };
    let years = match period {
        StandardPeriod::Years { years, .. } => *years,
        StandardPeriod::Unknown { why } => return unknown(why.clone()),
    };
    let Some(invoice_date) = invoice_date else {
        return unknown(format!("no invoice date is recorded; the series has {years} years from it"));
    };
    let Ok(last_day) = invoice_date.checked_add(i64::from(years).years()) else {
        return unknown(format!("{years} years from {invoice_date} is no date"));
    };
    match today {
        None => unknown(format!(
            "the device's clock is not synchronised; the standard period ends with {last_day}"
        )),
        Some(today) if today < invoice_date => {
            unknown(format!("the invoice date {invoice_date} lies after today, {today}: check both"))
        }
        Some(today) if today <= last_day => Coverage::Until { last_day: last_day.to_string() },
        Some(_) => Coverage::AppearsExpired { last_day: last_day.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `today`, model and invoice date as text, `-` for none; the coverage in short.
    fn check(today: &str, model: &str, invoice: &str, expected: &str) {
        let date = |text: &str| (text != "-").then(|| text.parse::<Date>().expect("a civil date"));
        let got = entitlement(date(today), (model != "-").then_some(model), date(invoice));
        let short = match &got.standard {
            Coverage::Until { last_day } => format!("until {last_day}"),
            Coverage::AppearsExpired { last_day } => format!("appears expired {last_day}"),
            Coverage::Unknown { why } => why.clone(),
            other => format!("{other:?}"),
        };
        assert!(short.contains(expected), "{today} {model} {invoice}: {short}");
        assert_eq!(
            got.rules.contains(&"L10".to_owned()),
            short.starts_with("appears expired"),
            "{:?}",
            got.rules
        );
    }

    #[test]
    fn l3_the_last_day_is_included() {
        check("2020-03-15", "TS-451", "2020-03-15", "until 2022-03-15");
        check("2022-03-15", "TS-451", "2020-03-15", "until 2022-03-15");
        check("2022-03-16", "TS-451", "2020-03-15", "appears expired 2022-03-15");
        check("2023-03-15", "TS-1685", "2020-03-15", "until 2023-03-15");
        check("2025-03-15", "TVS-EC880U-SAS", "2020-03-15", "until 2025-03-15");
        check("2025-03-16", "TVS-EC880U-SAS", "2020-03-15", "appears expired 2025-03-15");
    }

    #[test]
    fn l3_a_leap_day_ends_on_28_february() {
        check("2022-02-28", "TS-451", "2020-02-29", "until 2022-02-28");
        check("2022-03-01", "TS-451", "2020-02-29", "appears expired 2022-02-28");
        check("2023-02-28", "TS-1685", "2020-02-29", "until 2023-02-28");
        check("2024-02-29", "TS-451", "2022-02-28", "appears expired 2024-02-28");
    }

    #[test]
    fn l3_what_is_missing_is_unknown_and_says_so() {
        check("-", "TS-451", "2020-03-15", "coverage unknown: the device's clock is not synchronised");
        check("-", "TS-451", "2020-03-15", "ends with 2022-03-15");
        check("2021-01-01", "TS-451", "-", "coverage unknown: no invoice date");
        check("2021-01-01", "-", "2020-03-15", "coverage unknown: the model was not read");
        check("2021-01-01", "TS-453D", "2020-03-15", "coverage unknown: TS-453D is in no listed series");
        check(
            "2000-01-01",
            "TS-451",
            "2020-03-15",
            "coverage unknown: the invoice date 2020-03-15 lies after today",
        );
        check("2021-01-01", "TS-451", "9998-03-15", "is no date");
    }
}
