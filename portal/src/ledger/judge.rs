//! A diagnosis joined with what the ledger says of the unit's purchase: entitlement, decision and steps.
//!
//! The ledger's model counts before the one that was read, and a difference is said. A unit for which nothing ships
//! (reported stolen, replaced, come back) keeps every lane in sight, and every lane that ships is "not offered because
//! …". A unit that the ledger does not have is decided by its model alone, and that is said, too.

use assay_bundle::diagnosis::Diagnosis;
use assay_bundle::entitlement::{Entitlement, Purchase};
use assay_bundle::recommendation::{Action, Recommendation, Step};
use assay_warranty::decision::{ServiceDecision, Standing};
use assay_warranty::{Situation, decide, entitlement_of, recommendation};
use jiff::civil::Date;

use super::record::{Record, Status};

/// What is decided, and from what.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// What is recorded of the purchase.
    pub purchase: Purchase,
    /// What the terms grant on the day.
    pub entitlement: Entitlement,
    /// Lanes with their gates.
    pub decision: ServiceDecision,
    /// What to do.
    pub recommendation: Recommendation,
    /// What an engineer has to know about the record itself.
    pub notes: Vec<String>,
}

/// What the ledger tells of a case before anybody said anything: where the unit is and whether its seller still is.
pub fn situation(purchase: &Purchase) -> Situation {
    Situation { region: purchase.region.clone(), channel: purchase.channel, ..Situation::default() }
}

/// The purchase of a unit with this model that the ledger may have.
pub fn purchase(record: Option<&Record>, model: Option<&str>) -> Purchase {
    let mut purchase = record.map(Record::purchase).unwrap_or_default();
    purchase.model = purchase.model.or_else(|| model.map(str::to_owned));
    purchase
}

/// Decides. `said` is what people said so far; [`situation`] where nobody did.
pub fn judge(
    today: Option<Date>,
    model: Option<&str>,
    record: Option<&Record>,
    diagnosis: &Diagnosis,
    said: &Situation,
) -> Judged {
    let purchase = purchase(record, model);
    let entitlement = entitlement_of(today, &purchase);
    let mut decision = decide(diagnosis, &entitlement, said);
    let barred = record.and_then(|record| record.status.bars_shipping());
    if let Some(why) = barred {
        bar(&mut decision, why);
    }
    let mut steps = recommendation(diagnosis, &decision);
    if let Some(why) = barred
        && !decision.parts.is_empty()
    {
        steps.steps.retain(|step| step.action != Action::Nothing);
        steps.steps.insert(0, barred_step(why));
    }
    let notes = notes(record, model);
    Judged { purchase, entitlement, decision, recommendation: steps, notes }
}

fn barred_step(why: &str) -> Step {
    Step {
        action: Action::Other,
        text: format!("Nothing ships for this unit: {why}."),
        finding: None,
        component: None,
        rules: Vec::new(),
        blocked_by: Vec::new(),
    }
}

fn bar(decision: &mut ServiceDecision, why: &str) {
    let lanes = decision.parts.iter_mut().flat_map(|part| &mut part.lanes);
    for lane in lanes.filter(|lane| lane.lane.ships() && lane.standing != Standing::NotOffered) {
        lane.standing = Standing::NotOffered;
        lane.why = format!("not offered because {why}");
        lane.text.clear();
        lane.deadlines.clear();
    }
}

fn notes(record: Option<&Record>, model: Option<&str>) -> Vec<String> {
    let Some(record) = record else {
        return vec![
            "The ledger does not have this serial number: coverage is told from the model alone.".to_owned(),
        ];
    };
    let mut notes = Vec::new();
    if let Some(why) = record.status.bars_shipping() {
        notes.push(format!("Nothing ships: {why}."));
    }
    if record.status == Status::ReportedStolen {
        notes.push("Do not tell the holder; follow the procedure for stolen units.".to_owned());
    }
    if let (Some(recorded), Some(read)) = (record.bought.model.as_deref(), model)
        && !recorded.eq_ignore_ascii_case(read)
    {
        notes.push(format!("The ledger has model {recorded}, the unit says {read}: check the label."));
    }
    if record.list_price.as_ref().is_some_and(|price| price.currency != "USD") {
        notes.push("The list price is not in US dollars: it caps no late fee by itself (A10).".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use assay_bundle::diagnosis::{Component, Finding, Suspect, SuspectKind, Verdict};
    use assay_bundle::entitlement::Coverage;
    use assay_warranty::decision::Lane;

    use super::*;

    fn fan() -> Diagnosis {
        let suspect = Suspect {
            kind: SuspectKind::Part,
            component: Component::Fan,
            location: "fan 2".to_owned(),
            serial: None,
            firmware: None,
            certainty_percent: 100,
            certainty_source: "judgement".to_owned(),
        };
        let finding = Finding {
            code: "FAN-001".to_owned(),
            title: "Fan 2 stands still".to_owned(),
            component: Component::Fan,
            verdict: Verdict::Confirmed,
            suspects: vec![suspect],
            evidence: Vec::new(),
            counter_evidence: Vec::new(),
            rate: None,
            test: None,
            safe_to_remove: None,
            advice: String::new(),
        };
        Diagnosis::new(1, vec![finding], Vec::new(), Vec::new())
    }

    fn sold(status: Status) -> Record {
        let purchase = Purchase {
            model: Some("TS-451".to_owned()),
            invoice_date: Some("2026-01-01".to_owned()),
            plans: Some(Vec::new()),
            ..Purchase::default()
        };
        Record { status, ..Record::new("Q100000001").with(&purchase) }
    }

    fn judged(record: Option<&Record>) -> Judged {
        let today = Some(jiff::civil::date(2026, 11, 22));
        let said = situation(&purchase(record, Some("TS-453D")));
        judge(today, Some("TS-453D"), record, &fan(), &said)
    }

    #[test]
    fn the_ledger_decides_what_covers() {
        let got = judged(Some(&sold(Status::Active)));
        assert_eq!(got.entitlement.standard, Coverage::Until { last_day: "2028-01-01".to_owned() });
        assert!(
            got.notes.iter().any(|note| note.contains("TS-451, the unit says TS-453D")),
            "{:?}",
            got.notes
        );
        assert!(got.decision.parts[0].best().is_some());
        let unknown = judged(None);
        assert!(matches!(unknown.entitlement.standard, Coverage::Unknown { .. }));
        assert!(unknown.notes[0].contains("does not have this serial number"));
    }

    #[test]
    fn nothing_ships_for_a_unit_that_is_not_in_service() {
        for status in Status::ALL.into_iter().filter(|status| *status != Status::Active) {
            let got = judged(Some(&sold(status)));
            let shipping = got.decision.parts[0].lanes.iter().filter(|lane| lane.lane.ships());
            for lane in shipping {
                assert_eq!(lane.standing, Standing::NotOffered, "{status} {:?}", lane.lane);
                assert!(lane.text.is_empty() && lane.deadlines.is_empty());
            }
            let first = got.recommendation.steps.first().expect("a step");
            assert!(first.text.starts_with("Nothing ships for this unit"), "{first:?}");
            assert!(got.recommendation.steps.iter().all(|step| step.action != Action::Nothing));
        }
        let component =
            |status| judged(Some(&sold(status))).decision.parts[0].lane(Lane::Component).map(|l| l.standing);
        assert_eq!(component(Status::ReportedStolen), Some(Standing::NotOffered));
    }
}
