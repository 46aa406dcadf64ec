//! The three plans over windows, regions, series and papers; what can still be bought.

use assay_bundle::entitlement::{Entitlement, Offer, Region};

use super::*;
use crate::entitlement_of;

fn plan(plan: Plan, years: u8, bought: &str) -> PlanPurchase {
    PlanPurchase {
        plan,
        years,
        bought: bought.to_owned(),
        certificate: Answer::Yes,
        direct_customer: Answer::Yes,
    }
}

/// A TS-853BU bought on 1 March 2024 in California, of a series that the record names, so that every plan is possible.
fn unit(plans: &[PlanPurchase]) -> Purchase {
    Purchase {
        model: Some("TS-853BU-RP".to_owned()),
        invoice_date: Some("2024-03-01".to_owned()),
        region: Region::new(Some("US"), Some("CA")),
        original_purchaser: Answer::Yes,
        plans: Some(plans.to_vec()),
        on_site_used: Some(0),
        ..Purchase::default()
    }
}

/// A TS-453 with an extended warranty, changed.
fn tower(years: u8, bought: &str, change: impl Fn(&mut Purchase)) -> Purchase {
    let mut purchase =
        Purchase { model: Some("TS-453".to_owned()), ..unit(&[plan(Plan::Extended, years, bought)]) };
    change(&mut purchase);
    purchase
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

fn check(
    today: &str,
    purchase: &Purchase,
    which: impl Fn(&Entitlement) -> &Coverage,
    expected: &str,
) -> Entitlement {
    let got = entitlement_of(today.parse().ok(), purchase);
    let coverage = short(which(&got));
    assert!(coverage.contains(expected), "{today} {purchase:?}: {coverage} is not {expected}");
    got
}

fn extended(today: &str, purchase: &Purchase, expected: &str) -> Entitlement {
    check(today, purchase, |e| &e.extended, expected)
}

fn advanced(today: &str, purchase: &Purchase, expected: &str) {
    check(today, purchase, |e| &e.advanced_replacement, expected);
}

fn on_site(today: &str, purchase: &Purchase, expected: &str) -> Entitlement {
    check(today, purchase, |e| &e.on_site, expected)
}

#[test]
fn e1_within_60_days_of_the_invoice() {
    // 1 March and 60 days is 30 April.
    extended("2025-01-01", &tower(1, "2024-03-01", |_| {}), "starts 2026-03-02, ends 2027-03-01");
    extended("2025-01-01", &tower(1, "2024-04-30", |_| {}), "starts 2026-03-02, ends 2027-03-01");
    extended("2025-01-01", &tower(1, "2024-05-01", |_| {}), "not eligible: it was bought 61 days after");
    extended("2025-01-01", &tower(1, "2024-02-29", |_| {}), "before the unit");
    extended("2024-03-15", &tower(1, "2024-04-01", |_| {}), "lies in the future");
    extended("2024-04-01", &tower(1, "2024-04-01", |_| {}), "starts 2026-03-02");
    extended("2025-01-01", &tower(1, "30.04.2024", |_| {}), "is no date");
    extended(
        "2025-01-01",
        &tower(1, "2024-03-01", |p| p.invoice_date = None),
        "no invoice date is recorded (E1)",
    );
}

#[test]
fn e2_starts_when_the_standard_warranty_has_expired() {
    let one = tower(1, "2024-03-01", |_| {});
    extended("2026-03-01", &one, "starts 2026-03-02, ends 2027-03-01");
    extended("2026-03-02", &one, "until 2027-03-01");
    extended("2027-03-01", &one, "until 2027-03-01");
    extended("2027-03-02", &one, "appears expired 2027-03-01");
    extended("2026-03-02", &tower(3, "2024-03-01", |_| {}), "until 2029-03-01");
    // Counted from the invoice: 29 February ends on 28 February, and on 29 February where the year has one.
    let leap = |years| tower(years, "2024-03-01", |p| p.invoice_date = Some("2024-02-29".into()));
    extended("2026-03-01", &leap(1), "until 2027-02-28");
    extended("2026-03-01", &leap(2), "until 2028-02-29");
    extended("2026-02-28", &leap(2), "starts 2026-03-01");
}

#[test]
fn e2_never_above_5_years_in_all() {
    let dealer = |years, standard: u8| tower(years, "2024-03-01", move |p| p.standard_years = Some(standard));
    let capped = extended("2027-06-01", &dealer(3, 3), "until 2029-03-01");
    assert!(capped.reasons.iter().any(|r| r.rule == "E2" && r.text.contains("capped")), "{capped:?}");
    extended("2029-03-02", &dealer(3, 3), "appears expired 2029-03-01");
    extended("2027-06-01", &dealer(3, 5), "leaves none of the 5 years");
    extended("2027-06-01", &dealer(3, 6), "leaves none of the 5 years");
}

#[test]
fn e3_options_by_series() {
    let of = |model: &str, years| {
        let model = model.to_owned();
        tower(years, "2024-03-01", move |p| p.model = Some(model.clone()))
    };
    extended("2024-06-01", &of("TS-1685", 2), "starts 2027-03-02, ends 2029-03-01");
    extended(
        "2024-06-01",
        &of("TS-1685", 3),
        "not eligible: series TS-1685 is extended by 1 or 2 years, not by 3",
    );
    extended("2024-06-01", &of("TS-453", 4), "extended by 1 or 2 or 3 years, not by 4 (E3)");
    extended("2024-06-01", &of("TS-453", 0), "(E3)");
    extended("2024-06-01", &of("TVS-EC880U-SAS", 1), "not eligible: series TVS-ECx80U-SAS has no extended");
    extended("2024-06-01", &of("TS-453D", 1), "coverage unknown: TS-453D is in no listed series");
}

#[test]
fn e4_usa_and_canada_direct_customers_with_a_certificate() {
    let with = |change: fn(&mut Purchase)| tower(1, "2024-03-01", change);
    let first = |change: fn(&mut PlanPurchase)| {
        let mut purchase = tower(1, "2024-03-01", |_| {});
        purchase.plans.iter_mut().flatten().for_each(change);
        purchase
    };
    for (country, state) in [("US", "AK"), ("US", "HI"), ("US", ""), ("CA", "")] {
        let mut purchase = with(|_| {});
        purchase.region = Region::new(Some(country), Some(state));
        extended("2026-06-01", &purchase, "until 2027-03-01");
    }
    extended("2026-06-01", &with(|p| p.region = Region::new(Some("DE"), None)), "USA and Canada only (E4)");
    extended("2026-06-01", &with(|p| p.region = Region::default()), "coverage unknown: it is for the USA");
    extended(
        "2026-06-01",
        &with(|p| p.region = Region::new(Some("PR"), None)),
        "coverage unknown: the terms",
    );
    extended(
        "2026-06-01",
        &first(|p| p.direct_customer = Answer::No),
        "direct customers of the vendor only (E4)",
    );
    extended("2026-06-01", &first(|p| p.direct_customer = Answer::Unknown), "coverage unknown: ask whether");
    extended("2026-06-01", &first(|p| p.certificate = Answer::No), "not eligible: the vendor's validated");
    extended("2026-06-01", &first(|p| p.certificate = Answer::Unknown), "coverage unknown: ask for a copy");
    extended("2026-06-01", &with(|p| p.original_purchaser = Answer::No), "original purchaser only (L11)");
    let all = extended("2026-06-01", &first(|p| (p.certificate, p.years) = (Answer::Unknown, 7)), "(E3)");
    assert!(["E3", "E4"].iter().all(|rule| all.rules.contains(&(*rule).to_owned())), "{:?}", all.rules);
}

#[test]
fn a1_runs_its_own_period_from_the_purchase() {
    let with = |years, bought: &str| unit(&[plan(Plan::AdvancedReplacement, years, bought)]);
    advanced("2024-05-01", &with(2, "2024-04-30"), "until 2026-03-01");
    advanced("2026-03-02", &with(2, "2024-04-30"), "appears expired 2026-03-01");
    advanced("2028-01-01", &with(5, "2024-03-01"), "until 2029-03-01");
    advanced("2024-05-02", &with(2, "2024-05-01"), "not eligible: it was bought 61 days after");
    advanced("2024-05-02", &with(4, "2024-04-30"), "not eligible: it is sold for 2, 3 or 5 years");
    let changed = |change: fn(&mut Purchase)| {
        let mut purchase = with(3, "2024-03-01");
        change(&mut purchase);
        purchase
    };
    advanced("2024-06-01", &changed(|p| p.region = Region::new(Some("CA"), None)), "until 2027-03-01");
    advanced(
        "2024-06-01",
        &changed(|p| p.region = Region::new(Some("MX"), None)),
        "USA and Canada only (A1)",
    );
    advanced("2024-06-01", &changed(|p| p.original_purchaser = Answer::No), "original purchaser only (A1)");
    advanced(
        "2024-06-01",
        &changed(|p| p.original_purchaser = Answer::Unknown),
        "coverage unknown: ask whether",
    );
    // Its own period: an unlisted series and a missing standard period do not matter.
    advanced("2024-06-01", &changed(|p| p.model = Some("TS-h973AX".into())), "until 2027-03-01");
    advanced("2024-02-01", &changed(|_| {}), "lies in the future");
}

const FIVE: &str = "2024-03-10";

fn site(change: impl Fn(&mut Purchase)) -> Purchase {
    let mut purchase = unit(&[plan(Plan::AdvancedReplacement, 5, FIVE), plan(Plan::OnSite, 5, "2024-04-30")]);
    change(&mut purchase);
    purchase
}

#[test]
fn o1_needs_a_5_year_advanced_replacement_plan() {
    on_site("2025-01-01", &site(|_| {}), "until 2029-03-01");
    on_site("2029-03-02", &site(|_| {}), "appears expired 2029-03-01");
    let plans = |plans: &[PlanPurchase]| {
        let plans = plans.to_vec();
        site(move |p| p.plans = Some(plans.clone()))
    };
    let visits = plan(Plan::OnSite, 5, "2024-04-30");
    on_site("2025-01-01", &plans(std::slice::from_ref(&visits)), "not eligible: it needs an advanced");
    let three = plan(Plan::AdvancedReplacement, 3, FIVE);
    on_site("2025-01-01", &plans(&[three, visits.clone()]), "plan of 5 years (O1)");
    let late = plan(Plan::AdvancedReplacement, 5, "2024-05-01");
    on_site("2025-01-01", &plans(&[late, visits]), "plan of 5 years (O1)");
    let five = plan(Plan::AdvancedReplacement, 5, FIVE);
    on_site("2025-01-01", &plans(&[five, plan(Plan::OnSite, 5, "2024-05-01")]), "61 days after");
    on_site("2025-01-01", &site(|p| p.original_purchaser = Answer::Unknown), "holds is not known (O1)");
    on_site("2025-01-01", &site(|p| p.invoice_date = None), "no invoice date");
}

#[test]
fn o2_continental_usa_only() {
    for (country, state, expected) in [
        ("US", Some("TX"), "until 2029-03-01"),
        ("US", Some("AK"), "not eligible: it is for the continental USA"),
        ("US", Some("HI"), "(O2)"),
        ("US", Some("PR"), "not eligible"),
        ("CA", None, "(O2)"),
        ("DE", None, "(O2)"),
        ("US", None, "coverage unknown: it is for the continental USA only: ask which state"),
    ] {
        on_site("2025-01-01", &site(|p| p.region = Region::new(Some(country), state)), expected);
    }
    on_site("2025-01-01", &site(|p| p.region = Region::default()), "ask where the unit is");
}

#[test]
fn o3_four_occurrences_in_five_years() {
    for (used, left, expected) in [
        (Some(0), Some(4), "until 2029-03-01"),
        (Some(3), Some(1), "until 2029-03-01"),
        (Some(4), Some(0), "not eligible: all 4 visits of its term are used (O3)"),
        (Some(9), Some(0), "not eligible"),
        (None, None, "until 2029-03-01"),
    ] {
        let got = on_site("2025-01-01", &site(|p| p.on_site_used = used), expected);
        assert_eq!(got.on_site_left, left);
        let asks = got.reasons.iter().any(|r| r.rule == "O3" && r.text.contains("not recorded"));
        assert_eq!(asks, used.is_none(), "{:?}", got.reasons);
    }
    let short =
        site(|p| p.plans = Some(vec![plan(Plan::AdvancedReplacement, 5, FIVE), plan(Plan::OnSite, 3, FIVE)]));
    on_site("2025-01-01", &short, "its term is 5 years, and the record says 3 (O3)");
    assert_eq!(on_site("2025-01-01", &unit(&[]), "not bought").on_site_left, None);
}

#[test]
fn o4_series_with_on_site_service() {
    let of = |model: &str| {
        let model = model.to_owned();
        site(move |p| p.model = Some(model.clone()))
    };
    on_site("2025-01-01", &of("TS-EC880U R2"), "until 2029-03-01");
    on_site("2025-01-01", &of("TS-EC880U-RP"), "coverage unknown: only the second revision is listed");
    on_site("2025-01-01", &of("TS-453D"), "not eligible: TS-453D is in no listed series with on-site");
    let recorded = site(|p| (p.model, p.series) = (Some("TS-EC880U".into()), Some("TS-ECx80U R2".into())));
    on_site("2025-01-01", &recorded, "until 2029-03-01");
}

#[test]
fn the_best_of_several_plans_counts_with_its_own_reasons() {
    let both = unit(&[
        plan(Plan::AdvancedReplacement, 4, FIVE),
        plan(Plan::AdvancedReplacement, 2, FIVE),
        plan(Plan::AdvancedReplacement, 3, FIVE),
    ]);
    let got = entitlement_of("2026-06-01".parse().ok(), &both);
    assert_eq!(short(&got.advanced_replacement), "until 2027-03-01");
    assert!(!format!("{:?}", got.reasons).contains("record says 4"), "{:?}", got.reasons);
    for coverage in [&got.extended, &got.on_site] {
        assert_eq!(*coverage, Coverage::NotBought);
    }
    // What has to be asked comes before what is over.
    let odd = unit(&[plan(Plan::AdvancedReplacement, 2, FIVE), plan(Plan::AdvancedReplacement, 3, "soon")]);
    advanced("2026-06-01", &odd, "is no date");
    let longer = unit(&[plan(Plan::AdvancedReplacement, 3, FIVE), plan(Plan::AdvancedReplacement, 5, FIVE)]);
    advanced("2025-01-01", &longer, "until 2029-03-01");
}

#[test]
fn without_a_trusted_clock_no_plan_has_a_date() {
    let mut purchase = site(|_| {});
    purchase.plans.iter_mut().flatten().next().expect("a plan").certificate = Answer::Unknown;
    let got = entitlement_of(None, &purchase);
    for coverage in [&got.advanced_replacement, &got.on_site] {
        let Coverage::Unknown { why } = coverage else { panic!("{coverage:?}") };
        assert!(why.contains("clock") && !why.contains("20"), "{why}");
    }
}

/// The three offers on a day.
fn offered(today: &str, purchase: &Purchase, expected: [&str; 3]) {
    let got = offers(today.parse().ok(), purchase);
    for (offer, expected) in [got.extended, got.advanced_replacement, got.on_site].iter().zip(expected) {
        let short = match offer {
            Offer::Open { years, last_day, condition } => {
                format!("{years:?} to {last_day} with {}", condition.as_deref().unwrap_or("nothing"))
            }
            Offer::Closed { why } => format!("closed: {why}"),
            Offer::Unknown { why } => format!("unknown: {why}"),
        };
        assert!(short.contains(expected), "{short} is not {expected}");
    }
}

#[test]
fn a1_offers_close_with_the_window() {
    let new = |model: &str| Purchase { model: Some(model.to_owned()), ..unit(&[]) };
    let direct = "[1, 2, 3] to 2024-04-30 with for direct customers";
    offered("2024-03-01", &new("TS-453"), [direct, "[2, 3, 5] to 2024-04-30", "closed: TS-453 is in no"]);
    offered("2024-04-30", &new("TS-453"), [direct, "[2, 3, 5] to 2024-04-30", "(O4)"]);
    offered(
        "2024-05-01",
        &new("TS-453"),
        ["closed: the window of 60", "ended with 2024-04-30 (A1)", "closed"],
    );
    offered("2024-03-01", &new("TS-1685"), ["[1, 2] to", "[2, 3, 5]", "closed"]);
    offered("2024-03-01", &new("TVS-EC880U-SAS"), ["closed: series", "[2, 3, 5]", "unknown: only"]);
    offered("-", &new("TS-453"), ["unknown: which day", "unknown: which day", "closed"]);
    offered("2024-02-01", &new("TS-453"), ["lies after today", "lies after today", "closed"]);
}

#[test]
fn o1_an_offer_says_what_it_needs() {
    let needs = "[5] to 2024-04-30 with an advanced-replacement plan of 5 years (O1)";
    offered("2024-04-01", &unit(&[]), ["unknown: TS-853BU-RP is in no", "[2, 3, 5]", needs]);
    let long = unit(&[plan(Plan::AdvancedReplacement, 5, FIVE)]);
    offered(
        "2024-04-01",
        &long,
        ["unknown", "closed: it is already bought", "[5] to 2024-04-30 with nothing"],
    );
    let short = unit(&[plan(Plan::AdvancedReplacement, 3, FIVE)]);
    offered("2024-04-01", &short, ["unknown", "closed: it is already bought", "closed: it needs"]);
    let canada = Purchase { region: Region::new(Some("CA"), None), ..unit(&[]) };
    offered("2024-04-01", &canada, ["unknown", "[2, 3, 5]", "closed: it is for the continental USA"]);
    let nobody_knows = Purchase { plans: None, ..unit(&[]) };
    offered("2024-04-01", &nobody_knows, ["unknown", "unknown: whether it was", "unknown: whether it was"]);
    let moved = Purchase { moved_to: Some("Q2".to_owned()), ..unit(&[]) };
    offered("2024-04-01", &moved, ["unknown", "closed: the coverage moved", "closed: the coverage moved"]);
}

#[test]
fn e2_an_offer_leaves_room_for_the_standard_years() {
    let with = |years| tower(0, FIVE, move |p| (p.standard_years, p.plans) = (Some(years), Some(Vec::new())));
    offered("2024-04-01", &with(3), ["[1, 2] to", "", ""]);
    offered("2024-04-01", &with(4), ["[1] to", "", ""]);
    offered(
        "2024-04-01",
        &with(5),
        ["closed: the standard warranty of 5 years leaves none of 5 (E2)", "", ""],
    );
}
