//! What a replacement does to the records of two units: coverage moves (A13), comes back (A12), or a courier loses a
//! unit (A14). Pure: records in, records and proposals out.
//!
//! No fee is charged here. An amount is proposed to a person, in US cents, and `None` where the list price is not
//! recorded. Customer-induced damage is refused before an inspection: software evidence never shows it.

use std::fmt;

use assay_bundle::entitlement::Purchase;
use jiff::civil::Date;

/// The records after a replacement took the coverage over (A13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The defective unit: no coverage from then on.
    pub original: Purchase,
    /// The replacement: the rest of the original's coverage, under its own serial number.
    pub replacement: Purchase,
}

/// Registers a replacement (A13). It takes over the *rest of the original's* coverage: its invoice date, its plans, its
/// used visits and its series' terms, even where it is another, upgraded model.
///
/// # Errors
/// The original was replaced before: it has nothing left to move.
pub fn replace(original: &Purchase, serial: &str, model: Option<&str>) -> Result<Moved, AlreadyMoved> {
    if let Some(serial) = &original.moved_to {
        return Err(AlreadyMoved { serial: serial.clone() });
    }
    // The replaced model's terms stay those of the coverage: without this the new model's series would be looked up.
    let series = original
        .series
        .clone()
        .or_else(|| original.model.clone())
        .unwrap_or_else(|| "the replaced unit, whose model is not recorded,".to_owned());
    Ok(Moved {
        replacement: Purchase {
            model: model.map(str::to_owned),
            serial: Some(serial.to_owned()),
            series: Some(series),
            ..original.clone()
        },
        original: Purchase { moved_to: Some(serial.to_owned()), ..original.clone() },
    })
}

/// A unit whose coverage went to a replacement before (A13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlreadyMoved {
    /// Serial number of that replacement.
    pub serial: String,
}

impl fmt::Display for AlreadyMoved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the coverage moved to the replacement {} before (A13): register the replacement of that one",
            self.serial
        )
    }
}

impl std::error::Error for AlreadyMoved {}

/// The records after customer-induced damage was found (A12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reinstated {
    /// The original unit, with its original warranty again.
    pub original: Purchase,
    /// The replacement, which the customer keeps and pays: what covers it is not in the terms, so nothing is recorded.
    pub replacement: Purchase,
    /// List price that a person may charge, in US cents.
    pub proposed_charge_usd_cents: Option<u64>,
    /// Why, for a person.
    pub why: String,
}

/// Customer-induced damage is decided after inspection only (A12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotInspected;

impl fmt::Display for NotInspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "customer-induced damage is decided after inspection only (A12): record the day of the inspection first",
        )
    }
}

impl std::error::Error for NotInspected {}

/// The service does not apply, the list price is proposed, the original warranty is reinstated (A12).
///
/// # Errors
/// There was no inspection.
pub fn customer_damage(moved: &Moved, inspected: Option<Date>) -> Result<Reinstated, NotInspected> {
    let inspected = inspected.ok_or(NotInspected)?;
    let Moved { original, replacement } = moved;
    Ok(Reinstated {
        original: Purchase { moved_to: None, ..original.clone() },
        replacement: Purchase {
            model: replacement.model.clone(),
            serial: replacement.serial.clone(),
            region: replacement.region.clone(),
            list_price_usd_cents: replacement.list_price_usd_cents,
            ..Purchase::default()
        },
        proposed_charge_usd_cents: original.list_price_usd_cents,
        why: format!(
            "the inspection of {inspected} found damage by the customer: the original warranty is reinstated, and the list price is proposed (A12)"
        ),
    })
}

/// The way on which a courier lost or damaged a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// The replacement on its way to the customer.
    Replacement,
    /// The defective unit on its way back.
    Return,
}

/// Who claims compensation from the courier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimant {
    /// The vendor.
    Vendor,
    /// The customer.
    Customer,
}

/// What follows when a courier lost or damaged a unit (A14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CourierLoss {
    /// Who claims from the courier.
    pub claimant: Claimant,
    /// Whether another replacement ships.
    pub ship_another: bool,
    /// Whether the days of A9 and the fee of A10 are counted. After a lost return the full price stands instead.
    pub fee_clock: bool,
    /// Full price that a person may charge, in US cents; `None` when nothing is due or the price is not recorded.
    pub proposed_charge_usd_cents: Option<u64>,
    /// What to do, for a person.
    pub text: &'static str,
}

/// What follows when a courier lost or damaged a unit (A14).
pub fn courier_loss(leg: Leg, original: &Purchase) -> CourierLoss {
    match leg {
        Leg::Replacement => CourierLoss {
            claimant: Claimant::Vendor,
            ship_another: true,
            fee_clock: false,
            proposed_charge_usd_cents: None,
            text: "The vendor claims from the courier and ships another replacement; no late fee runs (A14).",
        },
        Leg::Return => CourierLoss {
            claimant: Claimant::Customer,
            ship_another: false,
            fee_clock: false,
            proposed_charge_usd_cents: original.list_price_usd_cents,
            text: "The customer claims from the courier; the full price of the unit is proposed (A14).",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entitlement_of;
    use assay_bundle::entitlement::{Answer, Coverage, Plan, PlanPurchase, Region};

    fn original() -> Purchase {
        Purchase {
            model: Some("TS-853BU-RP".to_owned()),
            serial: Some("Q1".to_owned()),
            invoice_date: Some("2024-03-01".to_owned()),
            region: Region::new(Some("US"), Some("CA")),
            original_purchaser: Answer::Yes,
            standard_years: Some(3),
            plans: Some(vec![
                PlanPurchase {
                    plan: Plan::AdvancedReplacement,
                    years: 5,
                    bought: "2024-03-02".to_owned(),
                    certificate: Answer::Unknown,
                    direct_customer: Answer::Unknown,
                },
                PlanPurchase {
                    plan: Plan::OnSite,
                    years: 5,
                    bought: "2024-03-02".to_owned(),
                    certificate: Answer::Unknown,
                    direct_customer: Answer::Unknown,
                },
            ]),
            on_site_used: Some(1),
            list_price_usd_cents: Some(299_900),
            ..Purchase::default()
        }
    }

    /// Standard, advanced replacement and on-site, with the visits left, on 1 January 2026.
    fn covered(purchase: &Purchase) -> ([Coverage; 3], Option<u8>) {
        let got = entitlement_of("2026-01-01".parse().ok(), purchase);
        ([got.standard, got.advanced_replacement, got.on_site], got.on_site_left)
    }

    #[test]
    fn a13_the_replacement_has_the_rest_of_the_coverage() {
        let before = covered(&original());
        assert!(before.0.iter().all(|c| matches!(c, Coverage::Until { .. })), "{before:?}");
        // An upgraded unit of another series, with and without terms of its own.
        for model in ["TS-853BU-RP", "TS-h987XU-RP", "TVS-EC880U-SAS"] {
            let moved = replace(&original(), "Q2", Some(model)).expect("not moved");
            assert_eq!(covered(&moved.replacement), before, "{model}");
            assert_eq!(moved.replacement.serial.as_deref(), Some("Q2"));
            assert_eq!(moved.replacement.model.as_deref(), Some(model));
            let (old, left) = covered(&moved.original);
            assert!(old.iter().all(|c| *c == Coverage::Moved { serial: "Q2".to_owned() }), "{old:?}");
            assert_eq!(left, None);
            // A second replacement is the first one over again.
            let third = replace(&moved.replacement, "Q3", None).expect("not moved");
            assert_eq!(covered(&third.replacement), before);
            let error = replace(&moved.original, "Q4", None).expect_err("nothing is left");
            assert!(error.to_string().contains("replacement Q2 before"), "{error}");
        }
    }

    #[test]
    fn a13_unknown_terms_stay_unknown() {
        for model in [None, Some("TS-453D".to_owned())] {
            let unlisted = Purchase { model, standard_years: None, ..original() };
            let moved = replace(&unlisted, "Q2", Some("TS-453")).expect("not moved");
            let got = entitlement_of("2026-01-01".parse().ok(), &moved.replacement);
            assert!(matches!(got.standard, Coverage::Unknown { .. }), "{got:?}");
        }
    }

    #[test]
    fn a12_the_original_warranty_is_reinstated_after_inspection() {
        let moved = replace(&original(), "Q2", Some("TS-853BU-RP")).expect("not moved");
        let error = customer_damage(&moved, None).expect_err("nobody looked");
        assert!(error.to_string().contains("after inspection only"), "{error}");
        let got = customer_damage(&moved, "2025-12-01".parse().ok()).expect("inspected");
        assert_eq!(got.original, original());
        assert_eq!(got.proposed_charge_usd_cents, Some(299_900));
        assert!(got.why.contains("2025-12-01"), "{}", got.why);
        let (coverage, _) = covered(&got.replacement);
        assert!(coverage.iter().all(|c| matches!(c, Coverage::Unknown { .. })), "{coverage:?}");
        assert_eq!(got.replacement.serial.as_deref(), Some("Q2"));
    }

    #[test]
    fn a14_who_claims_and_what_is_due() {
        let priced = original();
        let unpriced = Purchase { list_price_usd_cents: None, ..original() };
        for (leg, unit, claimant, ship_another, charge) in [
            (Leg::Replacement, &priced, Claimant::Vendor, true, None),
            (Leg::Return, &priced, Claimant::Customer, false, Some(299_900)),
            (Leg::Return, &unpriced, Claimant::Customer, false, None),
        ] {
            let got = courier_loss(leg, unit);
            assert_eq!((got.claimant, got.ship_another, got.fee_clock), (claimant, ship_another, false));
            assert_eq!(got.proposed_charge_usd_cents, charge);
            assert!(got.text.contains("(A14)"));
        }
    }
}
