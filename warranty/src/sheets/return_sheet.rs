//! The return sheet: how the defective unit or part is packed and labelled (service terms A17, with A9-A11, A14-A16, E6,
//! E9, L13).
//!
//! Without a number that a person issued it prints "do not ship" at the top and no steps to hand the parcel over: no
//! return without an RMA number (E6).

use serde::{Deserialize, Serialize};

use super::or_by_hand;
use crate::decision::{Due, Lane, PartDecision, Standing};
use crate::page::Page;
use crate::situation::Situation;

/// Whose label goes on the parcel, and so who pays the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// The vendor's prepaid label, in the packaging of the replacement (A15, A17).
    Vendors,
    /// The customer sends it at their own cost (E7, L7).
    Customers,
}

/// What goes back, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnSheet {
    /// RMA number, once a person issued one.
    pub rma_number: Option<String>,
    /// Model of what goes back.
    pub model: Option<String>,
    /// Serial number of what goes back.
    pub serial: Option<String>,
    /// Serial number of the replacement, where one came.
    pub replacement_serial: Option<String>,
    /// Whether the whole unit goes back, and not a component of it.
    pub whole_unit: bool,
    /// What has to be in the parcel: the unit or part, and every component and accessory that came with it (A11).
    pub contents: Vec<String>,
    /// The pick-up (A9), as the decision counts it.
    pub pick_up: Due,
    /// Whose label.
    pub label: Label,
}

impl ReturnSheet {
    /// The sheet of a lane in which something goes back to the vendor; `None` for the others. `model` and `serial` are
    /// those of what goes back.
    pub fn of(
        part: &PartDecision,
        lane: Lane,
        said: &Situation,
        model: Option<&str>,
        serial: Option<&str>,
    ) -> Option<Self> {
        let option = part.lane(lane).filter(|option| option.standing != Standing::NotOffered)?;
        let what = match lane {
            Lane::Component => part.part.clone(),
            Lane::AdvanceReplacement | Lane::RepairRma | Lane::InternationalRma => {
                "the unit, without drives".to_owned()
            }
            _ => return None,
        };
        // A15 is among the rules of the lanes in which the vendor pays both ways, and of no other.
        let prepaid = option.rules.iter().any(|rule| rule == "A15");
        let pick_up = option.deadlines.iter().find(|deadline| deadline.rule == "A9").map(|d| d.due.clone());
        Some(Self {
            rma_number: said.rma_number.clone(),
            model: model.map(str::to_owned),
            serial: serial.map(str::to_owned),
            replacement_serial: None,
            whole_unit: lane != Lane::Component,
            contents: vec![what, "every component and accessory that came with it".to_owned()],
            pick_up: pick_up.unwrap_or_else(|| Due::StartsWith("the receipt of the replacement".to_owned())),
            label: if prepaid { Label::Vendors } else { Label::Customers },
        })
    }

    /// The sheet as a page to print.
    pub fn page(&self) -> String {
        let mut page = Page::default();
        let number = self.rma_number.as_deref().map(str::trim).filter(|number| !number.is_empty());
        if number.is_none() {
            page.warning(
                "Do not ship: no RMA number is issued yet. A parcel without one is not accepted (E6).",
            );
        }
        let by = match &self.pick_up {
            Due::By(day) => format!("{day} (5 business days from the receipt of the replacement, A9)"),
            Due::StartsWith(what) => format!("within 5 business days from {what} (A9)"),
            Due::CannotTell(why) => format!("cannot be told: {why}; ask support"),
        };
        let mut rows = vec![
            ("RMA number", number.unwrap_or("not issued yet")),
            ("Model", or_by_hand(self.model.as_deref())),
            ("Serial number", or_by_hand(self.serial.as_deref())),
        ];
        if self.label == Label::Vendors {
            rows.push(("Replaced by serial number", or_by_hand(self.replacement_serial.as_deref())));
            rows.push(("Courier picks it up by", &by));
        }
        page.table(&rows);
        page.heading("In the parcel (A11)");
        page.ticks(self.contents.iter().map(String::as_str));
        page.paragraph("All components and accessories go back; missing ones are charged.");
        page.heading("Before you pack (A16, E9)");
        page.ticks(["All data is backed up and the backup can be read."]);
        if self.whole_unit {
            page.ticks(["All drives are removed and kept: they are not covered and hold your data (L2)."]);
        }
        page.heading("Pack and label (A17, L13)");
        page.steps(self.packing());
        if number.is_some() {
            page.heading("Hand it over");
            page.steps(self.handing_over());
        }
        page.finish("Return sheet")
    }

    fn packing(&self) -> Vec<&'static str> {
        match self.label {
            Label::Vendors => vec![
                "Use the packaging in which the replacement came.",
                "Remove every old waybill and label from it.",
                "Put the vendor's return label outside, and no other label: mistakes are at the customer's cost.",
            ],
            Label::Customers => vec![
                "Use packaging that protects it against damage in transport: the customer answers for it.",
                "Remove every old waybill and label from it.",
                "Write the RMA number on the outside.",
            ],
        }
    }

    fn handing_over(&self) -> Vec<&'static str> {
        match self.label {
            Label::Vendors => vec![
                "Hand it to the courier of the label by the day above.",
                "Keep the pick-up receipt with the tracking number: it is the proof of a timely return (A10).",
                "If the return is lost or damaged on the way, the customer claims it from the courier (A14): tell support at once.",
            ],
            Label::Customers => vec![
                "Send it to the address that support named; this way is paid by the customer, who may insure it.",
                "Keep the receipt with the tracking number.",
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::check_page;

    fn sheet() -> ReturnSheet {
        ReturnSheet {
            rma_number: Some("RMA-1".to_owned()),
            model: Some("TS-453D".to_owned()),
            serial: Some("Q1<2".to_owned()),
            replacement_serial: Some("Q2".to_owned()),
            whole_unit: true,
            contents: vec!["the unit".to_owned(), "power adaptor".to_owned()],
            pick_up: Due::By("2026-12-01".to_owned()),
            label: Label::Vendors,
        }
    }

    #[test]
    fn a17_packaging_old_labels_and_the_vendors_label() {
        let says = [
            "RMA-1",
            "Q1&lt;2",
            "Q2",
            "power adaptor",
            "2026-12-01 (5 business days",
            "packaging in which the replacement came",
            "Remove every old waybill and label",
            "vendor&#39;s return label outside, and no other label",
            "All drives are removed",
            "proof of a timely return (A10)",
        ];
        check_page(&sheet().page(), &says);
        assert!(!sheet().page().contains("Do not ship"));
    }

    #[test]
    fn e6_no_return_without_a_number() {
        for none in [None, Some(" ".to_owned())] {
            let page = ReturnSheet { rma_number: none, ..sheet() }.page();
            check_page(&page, &["Do not ship: no RMA number is issued yet", "not issued yet"]);
            assert!(!page.contains("Hand it over"));
        }
    }

    #[test]
    fn a17_what_is_not_known_is_written_by_hand() {
        let unknown = ReturnSheet {
            serial: None,
            pick_up: Due::CannotTell("2031-01-02 is outside the holiday tables".to_owned()),
            ..sheet()
        };
        check_page(&unknown.page(), &["write it from the label", "cannot be told: 2031-01-02 is outside"]);
        let later = ReturnSheet { pick_up: Due::StartsWith("the receipt".to_owned()), ..sheet() };
        check_page(&later.page(), &["within 5 business days from the receipt (A9)"]);
        let own = ReturnSheet { label: Label::Customers, replacement_serial: None, ..sheet() };
        check_page(&own.page(), &["Write the RMA number on the outside", "paid by the customer"]);
        assert!(!own.page().contains("2026-12-01"), "the five days are plan A's");
    }

    #[test]
    fn a17_the_sheet_of_a_lane() {
        use crate::fixture::{diagnosis, finding};
        use assay_bundle::diagnosis::{Component, Verdict};
        use assay_bundle::entitlement::{Coverage, Region};
        let said = Situation {
            rma_number: Some("RMA-7".to_owned()),
            replacement_received: Some("2026-11-25".to_owned()),
            region: Region::new(Some("US"), Some("NY")),
            ..Situation::default()
        };
        let until = || Coverage::Until { last_day: "2030-01-01".to_owned() };
        let mut granted = crate::entitlement(None, None, None);
        (granted.extended, granted.advanced_replacement) = (until(), until());
        let found = |component| diagnosis(vec![finding("X-001", component, Verdict::Confirmed)], &[]);
        let sheet = |component, lane| {
            let decision = crate::decide(&found(component), &granted, &said);
            decision
                .parts
                .first()
                .and_then(|part| ReturnSheet::of(part, lane, &said, Some("TS-1"), Some("Q1")))
        };
        let swap = sheet(Component::Mainboard, Lane::AdvanceReplacement).expect("a return");
        assert_eq!((swap.label, &swap.pick_up), (Label::Vendors, &Due::By("2026-12-03".to_owned())));
        assert_eq!(swap.contents[0], "the unit, without drives");
        let repair = sheet(Component::Mainboard, Lane::RepairRma).expect("a return");
        assert_eq!(repair.label, Label::Customers);
        let fan = sheet(Component::Fan, Lane::Component).expect("a return");
        assert_eq!(fan.contents[0], "fan (bay 3)");
        assert!(!fan.page().contains("drives are removed") && swap.page().contains("drives are removed"));
        for lane in [Lane::PurchaseChannel, Lane::OnSite, Lane::DriveMaker, Lane::InternationalRma] {
            assert_eq!(sheet(Component::Mainboard, lane), None, "{lane:?}");
        }
        assert_eq!(sheet(Component::Drive, Lane::AdvanceReplacement), None);
    }

    #[test]
    fn json_reads_back() {
        let json = serde_json::to_string(&sheet()).expect("plain data");
        assert_eq!(serde_json::from_str::<ReturnSheet>(&json).expect("own output"), sheet());
    }
}
