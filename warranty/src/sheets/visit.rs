//! The checklist for an on-site visit: what the customer confirms, and what happens without it (service terms O9, O11-O13,
//! O15).

use serde::{Deserialize, Serialize};

use super::{LINE, or_by_hand, or_else};
use crate::page::Page;

/// What the customer confirms before a visit (O9), in the terms' order.
pub const SITE_READY: &[&str] = &[
    "A full backup exists and can be read.",
    "The service address is correct.",
    "Somebody can receive parts there.",
    "An adult is present during the visit.",
    "There is safe space, access and permission to work.",
    "Router, switch, PC and server are set up and working.",
];

/// One visit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisitSheet {
    /// Model of the unit.
    pub model: Option<String>,
    /// Serial number of the unit.
    pub serial: Option<String>,
    /// Where the technician goes, line by line.
    pub address: Vec<String>,
    /// Person to ask for.
    pub contact: Option<String>,
    /// Day and hour of the visit in words, once a person agreed it with the customer.
    pub agreed_for: Option<String>,
    /// What is repaired: `fan (fan 2)`.
    pub parts: Vec<String>,
    /// Visits left of the four (O3), this one included; `None` when not known.
    pub left: Option<u8>,
}

impl VisitSheet {
    /// The sheet as a page to print.
    pub fn page(&self) -> String {
        let mut page = Page::default();
        let left = match self.left {
            Some(left) => format!("{left} of 4 left, this one included (O3)"),
            None => "not known: ask support (O3)".to_owned(),
        };
        page.table(&[
            ("Model", or_by_hand(self.model.as_deref())),
            ("Serial number", or_by_hand(self.serial.as_deref())),
            ("Service address", &self.address.join("\n")),
            ("Contact person", or_else(self.contact.as_deref(), LINE)),
            ("Agreed for", or_else(self.agreed_for.as_deref(), "not agreed yet")),
            ("To be repaired", &self.parts.join("\n")),
            ("Visits", &left),
        ]);
        page.heading("Confirmed by the customer (O9)");
        page.ticks(SITE_READY.iter().copied());
        page.warning("Warning: if any of these is missing when the technician arrives, the visit counts as completed and one of the four visits is used (O12).");
        page.paragraph(
            "To re-schedule or cancel, call or write as soon as possible; that uses no visit (O15).",
        );
        page.heading("During the visit");
        page.items([
            "Passwords are typed by the customer into the system. They are never told to the technician and never written down (O13).",
            "Backup, recovery and migration of data, software, cabling, power and the site's network are not part of the visit (O10).",
        ]);
        page.heading("At the end (O11)");
        page.paragraph("The customer signs when the repair is done and was tried.");
        page.signature("Customer: name, date, signature");
        page.signature("Technician: name, date, signature");
        page.finish("Visit checklist")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::check_page;

    fn sheet() -> VisitSheet {
        VisitSheet {
            model: Some("TES-1885U".to_owned()),
            serial: Some("Q1".to_owned()),
            address: vec!["168 University Ave".to_owned(), "Palo Alto, CA".to_owned()],
            contact: None,
            agreed_for: None,
            parts: vec!["mainboard".to_owned()],
            left: Some(3),
        }
    }

    #[test]
    fn o9_what_the_customer_confirms() {
        let says = [
            "\u{2610}",
            "A full backup exists",
            "service address is correct",
            "receive parts",
            "An adult is present",
            "safe space, access and permission",
            "Router, switch, PC and server",
            "not agreed yet",
            "<td>________________</td>",
        ];
        check_page(&sheet().page(), &says);
        assert_eq!(SITE_READY.len(), 6);
        let json = serde_json::to_string(&sheet()).expect("plain data");
        assert_eq!(serde_json::from_str::<VisitSheet>(&json).expect("own output"), sheet());
    }

    #[test]
    fn o3_visits_left_are_shown() {
        check_page(&sheet().page(), &["3 of 4 left, this one included"]);
        check_page(&VisitSheet { left: None, ..sheet() }.page(), &["not known: ask support (O3)"]);
    }

    #[test]
    fn o12_a_missing_item_uses_a_visit() {
        check_page(&sheet().page(), &["counts as completed and one of the four visits is used (O12)"]);
    }

    #[test]
    fn o13_passwords_are_typed_by_the_customer() {
        check_page(&sheet().page(), &["typed by the customer into the system", "never written down (O13)"]);
    }

    #[test]
    fn o15_re_scheduling_uses_no_visit() {
        check_page(&sheet().page(), &["call or write as soon as possible; that uses no visit (O15)"]);
    }

    #[test]
    fn o11_the_customer_signs() {
        check_page(&sheet().page(), &["signs when the repair is done", "Customer: name, date, signature"]);
    }
}
