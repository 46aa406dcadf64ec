//! What goes with a drive to its own maker: model, serial number, evidence, and the warning about what is on it (service
//! terms L2).
//!
//! The unit is sold without drives, so the vendor replaces none. Refuses to fill in what was not read: a wrong serial
//! number sends the wrong drive away.

use assay_bundle::diagnosis::{Evidence, Finding, Removable, Suspect};
use serde::{Deserialize, Serialize};

use super::or_by_hand;
use crate::page::Page;

/// The warning that goes with every drive that leaves the unit (L2).
pub const DRIVE_HOLDS_SECRETS: &str = "A drive of a QNAP holds a copy of its configuration (password hashes, keys, perhaps saved volume keys) and possibly data: erase or destroy it before it leaves, or ask its maker for a keep-your-drive service.";

/// One defective drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriveSheet {
    /// Model of the drive.
    pub model: Option<String>,
    /// Serial number of the drive.
    pub serial: Option<String>,
    /// Firmware revision of the drive.
    pub firmware: Option<String>,
    /// Where it is: `bay 3`.
    pub place: Option<String>,
    /// Rule that found it.
    pub finding: String,
    /// What is wrong, in one line.
    pub title: String,
    /// What speaks for it.
    pub evidence: Vec<Evidence>,
    /// Whether it may be pulled, as of the check. A yes is good for ten minutes and is not printed.
    pub not_safe_to_remove: Option<String>,
}

impl DriveSheet {
    /// The sheet of one finding about a drive; `suspect` is the drive among its suspects, where one was named.
    pub fn of(finding: &Finding, suspect: Option<&Suspect>) -> Self {
        Self {
            model: model(finding).map(str::to_owned),
            serial: suspect.and_then(|s| s.serial.clone()),
            firmware: suspect.and_then(|s| s.firmware.clone()),
            place: suspect.map(|s| s.location.clone()),
            finding: finding.code.clone(),
            title: finding.title.clone(),
            evidence: finding.evidence.clone(),
            not_safe_to_remove: finding
                .safe_to_remove
                .as_ref()
                .filter(|safe| safe.answer != Removable::Yes)
                .map(|safe| safe.why.clone()),
        }
    }

    /// The sheet as a page to print.
    pub fn page(&self) -> String {
        let mut page = Page::default();
        page.warning(&format!("Warning: {DRIVE_HOLDS_SECRETS}"));
        page.table(&[
            ("Model of the drive", or_by_hand(self.model.as_deref())),
            ("Serial number of the drive", or_by_hand(self.serial.as_deref())),
            ("Firmware", self.firmware.as_deref().unwrap_or("not read")),
            (
                "Place in the unit",
                self.place.as_deref().unwrap_or("not known: compare the serial number on the label"),
            ),
            ("Found", &format!("{} ({})", self.title, self.finding)),
        ]);
        page.heading("Evidence for its maker");
        let rows: Vec<(&str, &str)> =
            self.evidence.iter().map(|e| (e.fact.as_str(), e.value.as_str())).collect();
        page.table(&rows);
        page.heading("What to do (L2)");
        let mut steps = vec!["Back up the data, and check that the backup can be read."];
        let unsafe_now = self.not_safe_to_remove.as_ref().map(|why| format!("Do not pull it now: {why}."));
        steps.extend(unsafe_now.as_deref());
        steps.extend([
            "Ask the NAS again right before the drive is pulled; the answer ages in minutes.",
            "Compare the serial number on the drive with the one above.",
            "Ask the drive's own maker for a replacement; drives, their data and their compatibility are not covered by the unit's warranty.",
            "Erase or destroy the drive before it leaves, or use its maker's keep-your-drive service.",
        ]);
        page.steps(steps);
        page.finish("A drive for its own maker")
    }
}

/// The drive's model among the evidence.
pub(crate) fn model(finding: &Finding) -> Option<&str> {
    finding.evidence.iter().find(|e| e.fact.ends_with("].model")).map(|e| e.value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::finding;
    use crate::page::check_page;
    use assay_bundle::diagnosis::{Component, Verdict};

    #[test]
    fn l2_model_serial_evidence_and_warning() {
        let finding = finding("DRV-001", Component::Drive, Verdict::Confirmed);
        let sheet = DriveSheet::of(&finding, finding.suspects.first());
        let says = [
            "Warning: A drive of a QNAP holds",
            "password hashes",
            "keep-your-drive",
            "WD40",
            "WD-1",
            "bay 3",
            "drives[sda].model",
            "Do not pull it now: md1 has no redundancy left.",
            "own maker",
            "(DRV-001)",
        ];
        check_page(&sheet.page(), &says);
        let json = serde_json::to_string(&sheet).expect("plain data");
        assert_eq!(serde_json::from_str::<DriveSheet>(&json).expect("own output"), sheet);
        let unread = DriveSheet { model: None, serial: None, place: None, ..sheet };
        check_page(&unread.page(), &["write it from the label", "compare the serial number"]);
    }

    #[test]
    fn l2_a_yes_is_not_printed() {
        let mut finding = finding("DRV-001", Component::Drive, Verdict::Confirmed);
        if let Some(safe) = finding.safe_to_remove.as_mut() {
            safe.answer = Removable::Yes;
        }
        let page = DriveSheet::of(&finding, None).page();
        assert!(!page.contains("Do not pull it now"));
        check_page(&page, &["Ask the NAS again right before"]);
    }
}
