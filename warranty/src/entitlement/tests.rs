//! The standard and the global warranty over days, records and clocks.

use super::*;

/// `today`, model and invoice date as text, `-` for none; the coverage in short.
fn check(today: &str, model: &str, invoice: &str, expected: &str) {
    let date = |text: &str| (text != "-").then(|| text.parse::<Date>().expect("a civil date"));
    let got = entitlement(date(today), (model != "-").then_some(model), date(invoice));
    let short = short(&got.standard);
    assert!(short.contains(expected), "{today} {model} {invoice}: {short}");
    assert_eq!(
        got.rules.contains(&"L10".to_owned()),
        short.starts_with("appears expired"),
        "{:?}",
        got.rules
    );
    assert_eq!(got.extended, Coverage::default(), "nobody asked for plans");
}

fn short(coverage: &Coverage) -> String {
    match coverage {
        Coverage::Until { last_day } => format!("until {last_day}"),
        Coverage::Starts { first_day, last_day } => format!("starts {first_day}, ends {last_day}"),
        Coverage::AppearsExpired { last_day } => format!("appears expired {last_day}"),
        Coverage::Unknown { why } => why.clone(),
        Coverage::NotEligible { why } => format!("not eligible: {why}"),
        Coverage::NotBought => "not bought".to_owned(),
        Coverage::Moved { serial } => format!("moved to {serial}"),
    }
}

/// A TS-451 of 2020, changed; its standard and its global coverage on a day.
fn check_record(today: &str, change: impl Fn(&mut Purchase), standard: &str, global: &str) {
    let mut purchase = Purchase {
        model: Some("TS-451".to_owned()),
        invoice_date: Some("2020-03-15".to_owned()),
        original_purchaser: Answer::Yes,
        ..Purchase::default()
    };
    change(&mut purchase);
    let got = entitlement_of(today.parse().ok(), &purchase);
    let (got_standard, got_global) = (short(&got.standard), short(&got.global));
    assert!(got_standard.contains(standard), "{got_standard}");
    assert!(got_global.contains(global), "{got_global}");
    for reason in &got.reasons {
        let sentence = reason.text.starts_with(char::is_uppercase) && reason.text.ends_with('.');
        assert!(got.rules.contains(&reason.rule) && sentence, "{reason:?}");
        assert!(!reason.text.contains("not listed"), "{reason:?}");
    }
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
    check("2021-01-01", "TS-451", "-", "coverage unknown: no invoice date");
    check("2021-01-01", "-", "2020-03-15", "coverage unknown: the model was not read");
    check("2021-01-01", "TS-453D", "2020-03-15", "coverage unknown: TS-453D is in no listed series");
    check(
        "2000-01-01",
        "TS-451",
        "2020-03-15",
        "coverage unknown: the invoice date 2020-03-15 lies after today",
    );
    check("2021-01-01", "TS-451", "9998-03-15", "coverage unknown: the invoice date 9998-03-15 lies after");
    check("9999-01-01", "TS-451", "9998-03-15", "is no date");
}

#[test]
fn l3_without_a_trusted_clock_no_date_is_named() {
    let purchase = Purchase {
        model: Some("TVS-EC880U-SAS".to_owned()),
        invoice_date: Some("2020-03-15".to_owned()),
        plans: Some(Vec::new()),
        ..Purchase::default()
    };
    let got = entitlement_of(None, &purchase);
    for coverage in [&got.standard, &got.global] {
        let Coverage::Unknown { why } = coverage else { panic!("{coverage:?}") };
        assert!(why.contains("clock") && !why.contains("20"), "{why}");
    }
    let words = format!("{:?}", got.reasons);
    assert!(!words.contains("202"), "{words}");
}

#[test]
fn l3_the_record_decides_over_the_table() {
    let by_series = |p: &mut Purchase| (p.model, p.series) = (Some("TS-453D".into()), Some("TS-x51".into()));
    check_record("2021-01-01", by_series, "until 2022-03-15", "");
    check_record("2021-01-01", |p| p.standard_years = Some(3), "until 2023-03-15", "");
    check_record(
        "2021-01-01",
        |p| p.series = Some("TS-x99".into()),
        "TS-x99 is in no listed series",
        "unknown",
    );
    let dealer = |p: &mut Purchase| (p.model, p.standard_years) = (Some("TS-h973AX".into()), Some(3));
    check_record("2023-03-15", dealer, "until 2023-03-15", "");
    check_record("2023-03-15", |p| p.standard_years = Some(0), "appears expired 2022-03-15", "");
}

#[test]
fn l3_a_date_has_one_form() {
    for text in ["2020-02-30", "15.03.2020", "2020-3-15", "20200315", "2020-03-15T10:00", "", "yesterday"] {
        check_record("2021-01-01", |p| p.invoice_date = Some(text.into()), "is no date", "");
    }
}

#[test]
fn l6_global_coverage_where_it_is_granted() {
    let sas = |p: &mut Purchase| p.model = Some("TVS-EC880U-SAS".into());
    check_record("2023-03-15", sas, "until 2025-03-15", "until 2023-03-15");
    check_record("2023-03-16", sas, "until 2025-03-15", "appears expired 2023-03-15");
    check_record("2021-01-01", |_| {}, "until 2022-03-15", "not eligible: no global coverage is granted");
    check_record("2021-01-01", |p| p.global_years = Some(1), "until 2022-03-15", "until 2021-03-15");
    let unlisted = |p: &mut Purchase| p.model = Some("TS-453D".into());
    check_record("2021-01-01", unlisted, "coverage unknown", "coverage unknown");
    let granted = |p: &mut Purchase| (p.model, p.global_years) = (Some("TS-453D".into()), Some(2));
    check_record("2021-01-01", granted, "coverage unknown", "until 2022-03-15");
}

#[test]
fn l11_only_for_the_original_purchaser() {
    check_record(
        "2021-01-01",
        |p| p.original_purchaser = Answer::No,
        "not eligible: the warranty is for",
        "",
    );
    check_record("2021-01-01", |p| p.original_purchaser = Answer::Unknown, "until 2022-03-15", "");
    let second_hand = |p: &mut Purchase| {
        (p.model, p.original_purchaser) = (Some("TVS-EC880U-SAS".into()), Answer::No);
    };
    check_record("2021-01-01", second_hand, "(L11)", "(L11)");
    let asked = entitlement_of(
        "2021-01-01".parse().ok(),
        &Purchase { model: Some("TS-451".into()), ..Purchase::default() },
    );
    assert!(asked.reasons.iter().any(|r| r.rule == "L11" && r.text.starts_with("Ask")), "{asked:?}");
}

#[test]
fn a13_the_old_serial_has_no_coverage() {
    check_record("2021-01-01", |p| p.moved_to = Some("Q2".into()), "moved to Q2", "moved to Q2");
}

#[test]
fn l3_the_portals_answer_on_another_day() {
    use assay_bundle::entitlement::{Plan, PlanPurchase, Region};
    let purchase = Purchase {
        model: Some("TS-453".to_owned()),
        invoice_date: Some("2024-03-01".to_owned()),
        region: Region::new(Some("US"), Some("CA")),
        original_purchaser: Answer::Yes,
        plans: Some(vec![PlanPurchase {
            plan: Plan::Extended,
            years: 1,
            bought: "2024-03-02".to_owned(),
            certificate: Answer::Yes,
            direct_customer: Answer::Yes,
        }]),
        ..Purchase::default()
    };
    let day = |text: &str| text.parse::<Date>().ok();
    let received = entitlement_of(day("2024-06-01"), &purchase);
    for today in ["2024-06-01", "2026-03-01", "2026-03-02", "2027-03-01", "2027-03-02"] {
        let own = entitlement_of(day(today), &purchase);
        let shown = entitlement_as_of(day(today), &received);
        assert_eq!((&shown.standard, &shown.extended), (&own.standard, &own.extended), "{today}");
        assert_eq!(shown.advanced_replacement, Coverage::NotBought);
    }
    let shown = entitlement_as_of(None, &received);
    for coverage in [&shown.standard, &shown.extended] {
        let words = short(coverage);
        assert!(words.starts_with("coverage unknown") && !words.contains("202"), "{words}");
    }
    let odd = Entitlement { standard: Coverage::Until { last_day: "soon".to_owned() }, ..received };
    assert!(short(&entitlement_as_of(day("2024-06-01"), &odd).standard).contains("is no date"));
}
