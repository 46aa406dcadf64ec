//! The gates of the lanes, each with its rule, its words, who can close it and whether it is closed: the one place with
//! their texts.
//!
//! A gate closes only by what is in the [`Situation`]; device data closes none. Nobody but the customer closes what only
//! the customer can say (the address, the data, the site).

use assay_bundle::entitlement::Channel;

use crate::decision::{Gate, HoldsUp, Who};
use crate::request::BackupAnswer;
use crate::sheets::SITE_READY;
use crate::situation::{EvidenceHeld, Situation};

/// What a service request needs (L8).
const NEEDS_PROOF: &str = "have the proof of purchase and the product's serial number at hand (L8)";
/// What the owner answers before any service, a remote look included (L9).
const NEEDS_ANSWERS: &str = "the owner's two dated answers: the data is backed up, and confidential information is removed or locked (L9)";

fn gate(rule: &str, text: &str, closed_by: Who, holds_up: HoldsUp, closed: bool) -> Gate {
    Gate { rule: rule.to_owned(), text: text.to_owned(), closed_by, holds_up, closed }
}

fn is_said(text: Option<&String>) -> bool {
    text.is_some_and(|text| !text.trim().is_empty())
}

/// Before any service: proof of purchase, and both answers of the owner (L8, L9).
pub(crate) fn any_service(said: &Situation) -> Vec<Gate> {
    vec![gate("L8", NEEDS_PROOF, Who::Customer, HoldsUp::Service, said.proof_of_purchase), answers(said)]
}

/// Both answers of the owner, dated (L9). An accepted risk is an answer.
pub(crate) fn answers(said: &Situation) -> Gate {
    let dated = |day: Option<&str>| day.is_some_and(|day| day.parse::<jiff::civil::Date>().is_ok());
    let closed = dated(said.backup.as_ref().map(|a| a.day.as_str()))
        && dated(said.private_data.as_ref().map(|a| a.day.as_str()));
    gate("L9", NEEDS_ANSWERS, Who::Customer, HoldsUp::Service, closed)
}

/// Before anything ships on a diagnosis: evidence of this case (L12).
pub(crate) fn evidence(said: &Situation) -> Gate {
    gate(
        "L12",
        "evidence of this case: a live bundle made for it, two engineers, or the manual-evidence form (L12)",
        Who::Engineer,
        HoldsUp::Shipping,
        said.evidence != EvidenceHeld::Nothing,
    )
}

/// A number that a person issues (A2, E6); without it nothing goes back.
pub(crate) fn rma_number(said: &Situation, rule: &str, holds_up: HoldsUp) -> Gate {
    let text = format!("an RMA number, issued by a support engineer; no return without one ({rule})");
    gate(rule, &text, Who::Engineer, holds_up, is_said(said.rma_number.as_ref()))
}

/// The three conditions of an advance shipment, and the fields that it needs (A2, A7, A8).
pub(crate) fn advance_shipment(said: &Situation) -> Vec<Gate> {
    let shipping = HoldsUp::Shipping;
    vec![
        evidence(said),
        gate(
            "A2",
            "a support engineer has identified it as defective (A2)",
            Who::Engineer,
            shipping,
            is_said(said.identified_by.as_ref()),
        ),
        rma_number(said, "A2", shipping),
        gate(
            "A2",
            "the card authorisation form is on file (A2)",
            Who::Engineer,
            shipping,
            said.card_authorised,
        ),
        gate(
            "A2",
            "the customer, in person, has confirmed the delivery address (A2)",
            Who::Customer,
            shipping,
            said.address_confirmed_by_customer,
        ),
        gate(
            "A7",
            "the service request is complete, with a street address and no P.O. box (A7, A8)",
            Who::System,
            shipping,
            said.request_complete,
        ),
    ]
}

/// Before a return label: the data backed up and the drives out (E9, A16). An accepted risk does not do here.
pub(crate) fn before_return(said: &Situation, rule: &str) -> Gate {
    let text = format!("the customer has backed up all data and removed the drives ({rule})");
    let backed_up = said.backup.as_ref().is_some_and(|a| a.answer == BackupAnswer::BackedUp);
    gate(rule, &text, Who::Customer, HoldsUp::Return, backed_up && said.drives_removed)
}

/// What the extended warranty asks before its direct repair (E4, E6, E9).
pub(crate) fn extended(said: &Situation) -> Vec<Gate> {
    vec![
        evidence(said),
        gate(
            "E4",
            "a copy of the plan's validated certificate with model, serial number and period is handed in (E4)",
            Who::Customer,
            HoldsUp::Service,
            said.certificate_handed_in,
        ),
        gate(
            "E6",
            "the RMA documents are validated (E6)",
            Who::Engineer,
            HoldsUp::Return,
            is_said(said.documents_validated_at.as_ref()),
        ),
        rma_number(said, "E6", HoldsUp::Return),
    ]
}

/// What has to be true before somebody travels (O5, O9).
pub(crate) fn visit(said: &Situation) -> Vec<Gate> {
    let mut gates = vec![
        evidence(said),
        gate(
            "O5",
            "remote trouble-shooting has shown that it cannot be solved remotely (O5)",
            Who::Engineer,
            HoldsUp::Visit,
            said.remote_troubleshooting_failed,
        ),
        gate(
            "O5",
            "an engineer agrees that a visit would resolve it (O5)",
            Who::Engineer,
            HoldsUp::Visit,
            is_said(said.visit_agreed_by.as_ref()),
        ),
    ];
    gates.extend(SITE_READY.iter().zip(said.site.items()).map(|(text, closed)| {
        gate("O9", &format!("the customer confirms: {text} (O9)"), Who::Customer, HoldsUp::Visit, closed)
    }));
    gates
}

/// What the international return asks (L7).
pub(crate) fn international(said: &Situation) -> Vec<Gate> {
    vec![
        evidence(said),
        gate(
            "L7",
            "the purchase channel is recorded as gone or unavailable (L7)",
            Who::Engineer,
            HoldsUp::Service,
            said.channel == Channel::Gone,
        ),
        gate(
            "L7",
            "the customer has accepted the handling fee of USD 50, and freight both ways, duties, taxes and brokerage (L7)",
            Who::Customer,
            HoldsUp::Service,
            said.international_costs_accepted,
        ),
        rma_number(said, "L7", HoldsUp::Return),
    ]
}

/// What a paid repair asks (L3, L10).
pub(crate) fn paid(said: &Situation) -> Vec<Gate> {
    vec![
        gate(
            "L3",
            "check dealer and plans first: dealers may give more than the terms (L3)",
            Who::Engineer,
            HoldsUp::Service,
            said.dealer_and_plans_checked,
        ),
        gate(
            "L10",
            "the customer has accepted a quoted price (L10)",
            Who::Customer,
            HoldsUp::Service,
            said.price_accepted,
        ),
    ]
}
