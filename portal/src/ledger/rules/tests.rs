//! Tables: what may follow what, and where coverage is after each of A12, A13 and A14.

use assay_bundle::entitlement::{Answer, Coverage, Plan, PlanPurchase};
use assay_warranty::entitlement_of;

use super::super::record::Price;
use super::*;

fn sold(serial: &str) -> Record {
    let plan = |plan| PlanPurchase {
        plan,
        years: 5,
        bought: "2024-03-02".to_owned(),
        certificate: Answer::Unknown,
        direct_customer: Answer::Unknown,
    };
    let purchase = Purchase {
        model: Some("TS-853BU-RP".to_owned()),
        invoice_date: Some("2024-03-01".to_owned()),
        region: assay_bundle::entitlement::Region::new(Some("US"), Some("CA")),
        original_purchaser: Answer::Yes,
        standard_years: Some(3),
        plans: Some(vec![plan(Plan::AdvancedReplacement), plan(Plan::OnSite)]),
        on_site_used: Some(1),
        ..Purchase::default()
    };
    let list_price = Price::read("2999", "USD").ok();
    Record { sold_to: Some("dealer 7".to_owned()), list_price, ..Record::new(serial) }.with(&purchase)
}

/// Standard, advanced replacement and on-site on 1 January 2026.
fn covered(record: &Record) -> [Coverage; 3] {
    let got = entitlement_of("2026-01-01".parse().ok(), &record.purchase());
    [got.standard, got.advanced_replacement, got.on_site]
}

fn in_force(record: &Record) -> bool {
    covered(record).iter().all(|c| matches!(c, Coverage::Until { .. }))
}

fn nothing_in_force(record: &Record) -> bool {
    covered(record).iter().all(|c| !matches!(c, Coverage::Until { .. } | Coverage::Starts { .. }))
}

#[test]
fn by_hand_only_what_may_follow() {
    for from in Status::ALL {
        for to in Status::ALL {
            for replaced in [false, true] {
                let record = Record {
                    status: from,
                    replaced_by: replaced.then(|| "Q200000002".to_owned()),
                    ..sold("Q100000001")
                };
                let got = change_status(&record, to);
                let right = from == to
                    || FOLLOWS.contains(&(from, to))
                        && !(to == Status::Active && replaced)
                        && (to != Status::ReplacedBy || replaced);
                assert_eq!(got.is_ok(), right, "{from} to {to}, replaced {replaced}: {got:?}");
                if let Ok(after) = got {
                    assert_eq!(after.status, to);
                }
            }
        }
    }
}

#[test]
fn a13_coverage_is_with_the_replacement_until_the_old_one_is_refurbished() {
    let original = sold("Q100000001");
    let stock = Record { list_price: Price::read("3500", "USD").ok(), ..Record::new("Q200000002") };
    let again = change_status(
        &change_status(&sold("Q200000002"), Status::Returned).expect("comes back"),
        Status::Refurbished,
    );
    for stock in [None, Some(stock), again.ok()] {
        let Swap { original: old, replacement: new } =
            ship(&original, "Q200000002", Some("TS-853BU-RP"), stock.as_ref()).expect("ships");
        assert!(in_force(&new), "{new:?}");
        assert!(covered(&old).iter().all(|c| *c == Coverage::Moved { serial: "Q200000002".to_owned() }));
        assert_eq!((old.status, new.status), (Status::ReplacedBy, Status::Active));
        assert_eq!(new.replaces.as_deref(), Some("Q100000001"));
        assert_eq!(new.sold_to.as_deref(), Some("dealer 7"));
        assert!(!old.status.may_enrol());
        let back = change_status(&old, Status::Returned).expect("comes back");
        assert!(!back.status.may_enrol() && nothing_in_force(&back));
        assert!(change_status(&back, Status::Active).is_err(), "the coverage is elsewhere");
        let fresh = change_status(&back, Status::Refurbished).expect("put right");
        assert!(fresh.status.may_enrol() && nothing_in_force(&fresh) && fresh.is_stock(), "{fresh:?}");
        assert_eq!((fresh.replaced_by, fresh.sold_to), (None, None));
    }
}

#[test]
fn what_does_not_ship() {
    let check = |original: &Record, serial: &str, stock: Option<&Record>, says: &str| {
        let error = ship(original, serial, None, stock).expect_err("refused").to_string();
        assert!(error.contains(says), "{error}");
    };
    let original = sold("Q100000001");
    let elsewhere = sold("Q200000002");
    check(&original, "Q200000002", Some(&elsewhere), "not in stock");
    check(&original, "Q100000001", None, "cannot replace itself");
    for status in [Status::Returned, Status::Scrapped, Status::Refurbished, Status::ReportedStolen] {
        check(&Record { status, ..original.clone() }, "Q200000002", None, "nothing ships");
        if status != Status::Refurbished {
            let stock = Record { status, ..Record::new("Q200000002") };
            check(&original, "Q200000002", Some(&stock), "not in stock");
        }
    }
    let swap = ship(&original, "Q200000002", None, None).expect("ships");
    check(&swap.original, "Q300000003", None, "replacement Q200000002 before");
    check(&sold("Q400000004"), "Q200000002", Some(&swap.replacement), "not in stock");
}

#[test]
fn a14_coverage_moves_on_and_a12_finds_it() {
    let Swap { original, replacement: lost } =
        ship(&sold("Q100000001"), "Q200000002", None, None).expect("ships");
    let (original, next) = lost_outbound(&original, &lost, "Q300000003", None, None).expect("ships another");
    assert!(in_force(&next.replacement) && nothing_in_force(&next.original) && nothing_in_force(&original));
    for unit in [&original, &next.original] {
        assert_eq!((unit.status, unit.replaced_by.as_deref()), (Status::ReplacedBy, Some("Q300000003")));
    }
    assert_eq!(next.original.replaces, None);
    // The lost one is out of it: neither lost again nor reinstated against.
    let error = lost_outbound(&original, &next.original, "Q400000004", None, None).expect_err("not its own");
    assert!(matches!(error, RuleError::NotItsReplacement { .. }));
    let day = "2025-12-01".parse().ok();
    assert!(reinstate(&original, &next.original, day).is_err());
    let got = reinstate(&original, &next.replacement, day).expect("inspected");
    assert!(in_force(&got.units.original) && nothing_in_force(&got.units.replacement));
}

#[test]
fn a12_gives_the_original_its_own_warranty_back() {
    let before = sold("Q100000001");
    let Swap { original, mut replacement } = ship(&before, "Q200000002", None, None).expect("ships");
    replacement.bought.on_site_used = Some(3);
    let returned = change_status(&original, Status::Returned).expect("comes back");
    assert_eq!(reinstate(&returned, &replacement, None), Err(RuleError::NotInspected(NotInspected)));
    for original in [&original, &returned] {
        let got = reinstate(original, &replacement, "2025-12-01".parse().ok()).expect("inspected");
        let mut expected = before.clone();
        expected.bought.on_site_used = Some(3);
        assert_eq!(got.units.original, expected, "as it was, but for the visits");
        assert_eq!(got.proposed_charge_usd_cents, Some(299_900));
        assert!(nothing_in_force(&got.units.replacement));
        assert_eq!(got.units.replacement.replaces, None);
    }
    let stolen = Record { status: Status::ReportedStolen, ..original };
    let got = reinstate(&stolen, &replacement, "2025-12-01".parse().ok()).expect("inspected");
    assert_eq!(got.units.original.status, Status::ReportedStolen);
}
