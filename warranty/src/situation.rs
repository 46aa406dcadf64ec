//! What people said and did about one case so far: the keys to the gates of the lanes.
//!
//! Everything is missing until somebody says it: a default closes no gate. Nothing here is concluded from device data;
//! only [`EvidenceHeld`] tells what kind of evidence the case has. Dates and instants are text, so that a document with
//! one that is none still reads; what does not parse is shown where it was needed.

use assay_bundle::entitlement::{Channel, Region};
use serde::{Deserialize, Serialize};

use crate::request::{Against, BackupAnswer, Dated, Field, PrivateDataAnswer, ServiceRequest, Weight};

/// What stands behind a decision to ship something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceHeld {
    /// Nothing that may ship hardware: an old bundle, a recording, a health report, pasted text.
    #[default]
    Nothing,
    /// A live bundle with this case's nonce: it was made for this case.
    FreshLive,
    /// Two engineers agreed without one.
    TwoPeople,
    /// The manual-evidence form is filled in and signed.
    ManualForm,
}

/// What the customer confirmed before a visit (O9), item by item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SiteReady {
    /// A full backup exists.
    pub backup: bool,
    /// The service address is correct.
    pub address: bool,
    /// Parts can be received.
    pub parts: bool,
    /// An adult is present.
    pub adult: bool,
    /// Safe space, access and permission.
    pub space: bool,
    /// Router, switch, PC and server are set up and working.
    pub network: bool,
}

impl SiteReady {
    /// The answers in the order of [`crate::sheets::SITE_READY`].
    pub fn items(&self) -> [bool; 6] {
        [self.backup, self.address, self.parts, self.adult, self.space, self.network]
    }
}

/// One case, as far as people told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Situation {
    /// What kind of evidence the case has.
    pub evidence: EvidenceHeld,
    /// Engineer who identified the unit or part as defective (A2).
    pub identified_by: Option<String>,
    /// RMA number that a person issued (A2, E6).
    pub rma_number: Option<String>,
    /// A card authorisation form is on file (A2). The card itself is never here.
    pub card_authorised: bool,
    /// The customer, and nobody for them, confirmed the delivery address (A2).
    pub address_confirmed_by_customer: bool,
    /// The service request has every field and no refused one (A7, A8).
    pub request_complete: bool,
    /// Proof of purchase and serial number were handed in (L8).
    pub proof_of_purchase: bool,
    /// The owner's answer about the backup (L9).
    pub backup: Option<Dated<BackupAnswer>>,
    /// The owner's answer about confidential information (L9).
    pub private_data: Option<Dated<PrivateDataAnswer>>,
    /// The customer confirmed that the drives are out of the unit (E9, A16).
    pub drives_removed: bool,
    /// A copy of the plan's certificate was handed in (E4).
    pub certificate_handed_in: bool,
    /// When the RMA documents were validated (E6), an instant such as `2026-11-23T21:59:59Z`.
    pub documents_validated_at: Option<String>,
    /// Day on which the unit arrived for repair (E6), `YYYY-MM-DD`.
    pub received_for_repair: Option<String>,
    /// Whether the purchase channel still exists (L7).
    pub channel: Channel,
    /// The customer accepted the fee, both ways of freight, duties, taxes and brokerage (L7).
    pub international_costs_accepted: bool,
    /// Engineer who agrees that a part alone ships under the extended warranty (L1).
    pub part_alone_agreed_by: Option<String>,
    /// Dealer and plans were checked for more than the standard warranty (L3).
    pub dealer_and_plans_checked: bool,
    /// The customer accepted a quoted price (L10).
    pub price_accepted: bool,
    /// Remote trouble-shooting is done and did not solve it (O5).
    pub remote_troubleshooting_failed: bool,
    /// Engineer who agrees that a visit would resolve it (O5).
    pub visit_agreed_by: Option<String>,
    /// What the customer confirmed about the site (O9).
    pub site: SiteReady,
    /// Where the unit is; the customer's holidays follow from it.
    pub region: Region,
    /// Time zone of the site, by its name in the IANA database; needed where a state has several (O6).
    pub site_zone: Option<String>,
    /// When the shipping order was received (A3), an instant.
    pub order_received_at: Option<String>,
    /// Day on which the replacement arrived at the customer's site (A9), `YYYY-MM-DD`.
    pub replacement_received: Option<String>,
    /// When a technician accepted and logged the fault (O6), an instant.
    pub fault_logged_at: Option<String>,
    /// When the visit was confirmed (O8), an instant.
    pub visit_confirmed_at: Option<String>,
}

impl Situation {
    /// Takes over what a service request says: whether it is complete, the proof, both answers and the place. What the
    /// request has wrong is not taken over. The address is not confirmed by being typed (A2).
    pub fn hear(&mut self, request: &ServiceRequest, against: &Against<'_>) {
        let problems = request.problems(against);
        let right = |field| !problems.iter().any(|p| p.field == field && p.weight == Weight::Refused);
        self.request_complete = problems.iter().all(|p| p.weight != Weight::Refused);
        self.proof_of_purchase = right(Field::ProofOfPurchase) && right(Field::Serial);
        self.backup = request.backup.clone().filter(|_| right(Field::Backup));
        self.private_data = request.private_data.clone().filter(|_| right(Field::PrivateData));
        self.region = request.address.region();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::good;

    fn check(change: impl FnOnce(&mut ServiceRequest), expected: (bool, bool, bool, bool)) {
        let mut request = good();
        change(&mut request);
        let mut said = Situation { card_authorised: true, ..Situation::default() };
        said.hear(&request, &Against::default());
        let got = (
            said.request_complete,
            said.proof_of_purchase,
            said.backup.is_some(),
            said.private_data.is_some(),
        );
        assert_eq!(got, expected);
        assert_eq!(said.region, Region::new(Some("US"), Some("CA")));
        assert!(said.card_authorised && !said.address_confirmed_by_customer, "the rest stays as it was");
    }

    #[test]
    fn a_request_closes_only_what_it_says_rightly() {
        check(|_| {}, (true, true, true, true));
        check(|r| r.contact.clear(), (false, true, true, true));
        check(|r| r.proof_of_purchase.clear(), (false, false, true, true));
        check(|r| r.serial.clear(), (false, false, true, true));
        check(|r| r.backup = None, (false, true, false, true));
        check(|r| r.address.line1 = "PO Box 1".to_owned(), (false, true, true, true));
        let undated = || Some(Dated { answer: PrivateDataAnswer::RemovedOrLocked, day: "soon".to_owned() });
        check(|r| r.private_data = undated(), (false, true, true, false));
    }
}
