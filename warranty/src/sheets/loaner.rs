//! The note that goes with a temporary loaner unit (service terms O14).

use serde::{Deserialize, Serialize};

use super::or_by_hand;
use crate::page::Page;

/// One loaner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoanerNote {
    /// Model of the loaner.
    pub model: Option<String>,
    /// Serial number of the loaner.
    pub serial: Option<String>,
    /// Day by which it goes back, `YYYY-MM-DD`, as a person agreed it.
    pub due: Option<String>,
    /// Serial number of the customer's own unit, which keeps its plan.
    pub own_serial: Option<String>,
}

impl LoanerNote {
    /// The note as a page to print.
    pub fn page(&self) -> String {
        let mut page = Page::default();
        page.table(&[
            ("Loaner, model", or_by_hand(self.model.as_deref())),
            ("Loaner, serial number", or_by_hand(self.serial.as_deref())),
            ("Goes back by", self.due.as_deref().unwrap_or("not agreed yet: ask support")),
            ("Lent for serial number", or_by_hand(self.own_serial.as_deref())),
        ]);
        page.items([
            "The loaner stays the vendor's property and has no plan of its own: the plan stays with your unit.",
            "Back up what is on it before it goes back.",
        ]);
        page.heading("Before it goes back");
        page.ticks([
            "Your own drives are removed.",
            "The loaner is wiped: settings, accounts and keys are erased (reset to factory defaults).",
            "No account or licence is bound to it any more.",
        ]);
        page.finish("Loaner note")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::check_page;

    #[test]
    fn o14_serial_due_date_wiped_and_no_plan() {
        let note = LoanerNote {
            model: Some("TS-453D".to_owned()),
            serial: Some("L1".to_owned()),
            due: Some("2026-12-24".to_owned()),
            own_serial: None,
        };
        let says =
            ["L1", "2026-12-24", "is wiped", "the plan stays with your unit", "write it from the label"];
        check_page(&note.page(), &says);
        check_page(&LoanerNote { due: None, ..note.clone() }.page(), &["not agreed yet"]);
        let json = serde_json::to_string(&note).expect("plain data");
        assert_eq!(serde_json::from_str::<LoanerNote>(&json).expect("own output"), note);
    }
}
