//! What only people can decide: the rules of the service terms that no reading settles, as questions with their moment.
//!
//! The engineer sees an item with what was found and with what else it could mean. No item is answered by software, and
//! none states a void reason: an unreadable electronic serial number is a finding, not a missing label, and what also
//! supports a defect is shown under the defect (L5). Where the terms contradict themselves, the item shows the conflict.
//! The texts of the checklist live here and nowhere else.

use assay_bundle::entitlement::Plan;

/// The moment at which an item is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// With the first reply: what is and is not covered.
    Opening,
    /// Before anybody looks or works, remotely or on site.
    BeforeService,
    /// Before a return label is issued.
    BeforeReturn,
    /// When a visit is booked, and again the day before.
    BeforeVisit,
    /// While the technician is there.
    AtVisit,
    /// When a returned unit is inspected.
    AtInspection,
    /// While a loaner is out.
    OnLoan,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The owner or the person at the site.
    Customer,
    /// The support engineer.
    Engineer,
    /// Whoever opens the box, or the technician at the site.
    Inspector,
}

/// One item.
#[derive(Debug)]
pub struct Item {
    /// Rule ID of the service terms.
    pub id: &'static str,
    /// When it is shown.
    pub when: When,
    /// Who answers.
    pub who: Who,
    /// The plan that it belongs to; `None` for every unit.
    pub plan: Option<Plan>,
    /// The question or the reminder.
    pub text: &'static str,
    /// What the same observation could also mean, or the other reading of the terms.
    pub could_also_mean: Option<&'static str>,
}

const fn item(id: &'static str, when: When, who: Who, text: &'static str) -> Item {
    Item { id, when, who, plan: None, text, could_also_mean: None }
}

const fn doubt(id: &'static str, when: When, who: Who, text: &'static str, other: &'static str) -> Item {
    Item { id, when, who, plan: None, text, could_also_mean: Some(other) }
}

const fn of(plan: Plan, item: Item) -> Item {
    Item { plan: Some(plan), ..item }
}

/// The whole checklist, in the order of the terms.
pub static ITEMS: &[Item] = &[
    doubt(
        "L5",
        When::AtInspection,
        Who::Inspector,
        "Is the warranty label there and whole? Photograph it.",
        "A label comes off in transport and in heat: say when it was last seen.",
    ),
    doubt(
        "L5",
        When::AtInspection,
        Who::Inspector,
        "Is the serial-number label there and readable? Photograph it.",
        "A serial number that software could not read is a finding about the board or the firmware, not a missing label.",
    ),
    doubt(
        "L5",
        When::AtInspection,
        Who::Inspector,
        "Was the unit modified or repaired by somebody who is not authorised? Describe what shows it.",
        "Added memory or a network card may be an upgrade that the maker sells.",
    ),
    doubt(
        "L5",
        When::AtInspection,
        Who::Engineer,
        "Was the environment beyond the specification? Only inlet or ambient temperature counts, and only with all fans proven turning.",
        "A hot drive or processor with a stopped or unread fan is a cooling defect: it is shown under the defect.",
    ),
    doubt(
        "L5",
        When::AtInspection,
        Who::Engineer,
        "Was the power disturbed (brown-out, sag)? Unclean stops count only with a UPS or input-voltage record of input loss.",
        "Unclean stops without such a record support an ageing power supply, a board fault or a pulled plug.",
    ),
    doubt(
        "L5",
        When::AtInspection,
        Who::Inspector,
        "Are there marks of abuse, improper use, flood, lightning, fire, theft or vandalism? Photograph them.",
        "Transport damage is a courier's case: compare with the packaging.",
    ),
    item(
        "L5",
        When::AtInspection,
        Who::Engineer,
        "A void reason is stated by a person, with the evidence beside it; software evidence never states one.",
    ),
    item(
        "L9",
        When::BeforeService,
        Who::Customer,
        "Is the data backed up? Answer: backed up, or no backup and the risk is accepted; with the date. A recovery copy protects the configuration, not the data.",
    ),
    item(
        "L9",
        When::BeforeService,
        Who::Customer,
        "Is confidential, proprietary and personal information removed or locked? Answer: removed or locked, or not removed and accepted; with the date.",
    ),
    item(
        "L12",
        When::AtInspection,
        Who::Inspector,
        "Does the defect show under test? \"No fault found\" is an outcome: record it with what was tested.",
    ),
    item(
        "L13",
        When::BeforeReturn,
        Who::Customer,
        "Nothing inside is for the user to repair. Pack the unit against damage in transport.",
    ),
    of(
        Plan::Extended,
        item(
            "E5",
            When::Opening,
            Who::Engineer,
            "The plan covers the unit with power supply, fan and adaptor; not the accessories (network cable, CD-ROM).",
        ),
    ),
    of(
        Plan::Extended,
        doubt(
            "E7",
            When::BeforeReturn,
            Who::Engineer,
            "The customer pays the way to the RMA location, the vendor pays the way back.",
            "The terms contradict themselves: elsewhere they say that handling and shipping cost are those of the standard service. We follow the coverage line; tell the customer before the unit ships.",
        ),
    ),
    of(
        Plan::Extended,
        doubt(
            "E8",
            When::AtInspection,
            Who::Inspector,
            "Is the QNAP label, the bar-code or serial sticker, or the warranty card altered, obscured, removed or unidentifiable? Photograph it.",
            "A certificate on file shows model and serial number without the card.",
        ),
    ),
    of(
        Plan::Extended,
        doubt(
            "E8",
            When::AtInspection,
            Who::Engineer,
            "Was the damage caused by software or components that the user installed or modified?",
            "Third-party memory, cards and drives are on compatibility lists: presence is no cause. Show what links it to the damage.",
        ),
    ),
    of(
        Plan::Extended,
        doubt(
            "E8",
            When::AtInspection,
            Who::Inspector,
            "Was it mishandling, natural disaster or human error? Describe what shows it.",
            "What also supports a defect is shown under the defect.",
        ),
    ),
    item(
        "E9",
        When::BeforeReturn,
        Who::Customer,
        "Is all data backed up, and are the drives removed? Both are confirmed before a return label is issued.",
    ),
    of(
        Plan::OnSite,
        item(
            "O9",
            When::BeforeVisit,
            Who::Customer,
            "Is there a full backup of all data on the affected system?",
        ),
    ),
    of(Plan::OnSite, item("O9", When::BeforeVisit, Who::Customer, "Is the service address correct?")),
    of(
        Plan::OnSite,
        item("O9", When::BeforeVisit, Who::Customer, "Can parts be received at the site, and by whom?"),
    ),
    of(
        Plan::OnSite,
        item("O9", When::BeforeVisit, Who::Customer, "Will an adult be present during the whole visit?"),
    ),
    of(
        Plan::OnSite,
        item(
            "O9",
            When::BeforeVisit,
            Who::Customer,
            "Is there safe space, access to the system without moving heavy things, and permission to enter the building?",
        ),
    ),
    of(
        Plan::OnSite,
        item("O9", When::BeforeVisit, Who::Customer, "Are router, switch, PC and server set up and working?"),
    ),
    of(
        Plan::OnSite,
        item(
            "O10",
            When::BeforeVisit,
            Who::Engineer,
            "A visit does not include: backup, recovery or migration of data; software environment; optimisation; usage questions; third-party applications or hardware; communication software or hardware; cabling, power or environment; network problems of the site.",
        ),
    ),
    of(
        Plan::OnSite,
        item(
            "O13",
            When::AtVisit,
            Who::Customer,
            "Type passwords into the system yourself: never tell them, and nobody writes them down.",
        ),
    ),
    of(
        Plan::OnSite,
        item(
            "O14",
            When::OnLoan,
            Who::Engineer,
            "Is the loaner recorded with its serial number and due date? It never inherits the plan.",
        ),
    ),
    of(
        Plan::OnSite,
        item("O14", When::OnLoan, Who::Customer, "Wipe the loaner before it goes back: confirm the day."),
    ),
    doubt(
        "S2",
        When::Opening,
        Who::Engineer,
        "Every warranty includes hardware repair, phone, chat, e-mail, software updates and the community; advanced replacement ships in 2 days, with on-site service on the next business day (the shipment cut-off may affect it).",
        "The table of the terms lost its tick marks: the rows with text are certain; priority escalation is read as belonging to the paid plans.",
    ),
];

/// The items of a moment, for a unit with these plans.
pub fn asked(when: When, plans: &[Plan]) -> impl Iterator<Item = &'static Item> + use<'_> {
    ITEMS.iter().filter(move |item| item.when == when && item.plan.is_none_or(|plan| plans.contains(&plan)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(when: When, plans: &[Plan]) -> Vec<&'static str> {
        asked(when, plans).map(|item| item.id).collect()
    }

    #[test]
    fn items_are_asked_at_their_moment_and_for_their_plan() {
        assert_eq!(ids(When::BeforeService, &[]), ["L9", "L9"]);
        assert_eq!(ids(When::BeforeReturn, &[]), ["L13", "E9"]);
        assert_eq!(ids(When::BeforeReturn, &[Plan::Extended]), ["L13", "E7", "E9"]);
        assert_eq!(ids(When::BeforeVisit, &[Plan::Extended]), [""; 0]);
        assert_eq!(ids(When::BeforeVisit, &[Plan::OnSite]), ["O9", "O9", "O9", "O9", "O9", "O9", "O10"]);
        assert_eq!(ids(When::AtVisit, &[Plan::OnSite]), ["O13"]);
        assert_eq!(ids(When::OnLoan, &[Plan::OnSite]), ["O14", "O14"]);
        assert_eq!(ids(When::Opening, &[Plan::Extended, Plan::OnSite]), ["E5", "S2"]);
        assert!(ids(When::AtInspection, &[]).iter().all(|id| ["L5", "L12"].contains(id)));
        assert_eq!(ids(When::AtInspection, &[Plan::Extended]).iter().filter(|id| **id == "E8").count(), 3);
    }

    #[test]
    fn every_void_question_says_what_else_it_could_mean() {
        let reminder = "A void reason is stated by a person";
        for item in ITEMS.iter().filter(|i| ["L5", "E8"].contains(&i.id) && !i.text.starts_with(reminder)) {
            assert!(item.could_also_mean.is_some() && item.when == When::AtInspection, "{item:?}");
            assert!(!item.text.contains("void"), "a question names no void reason: {item:?}");
        }
        let conflict = ITEMS.iter().find(|i| i.id == "E7").and_then(|i| i.could_also_mean).expect("shown");
        assert!(conflict.contains("contradict themselves"), "{conflict}");
    }

    #[test]
    fn texts_are_whole_sentences_and_say_things_once() {
        for (n, item) in ITEMS.iter().enumerate() {
            for text in [Some(item.text), item.could_also_mean].into_iter().flatten() {
                assert!(text.ends_with(['.', '?']) && text.len() > 20, "{text}");
            }
            assert!(ITEMS.iter().skip(n + 1).all(|other| other.text != item.text), "{}", item.text);
        }
    }
}
