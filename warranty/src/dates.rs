//! The dates of the lanes, from what people said: when something is due, when its clock starts, or why it cannot be told
//! (service terms A3, A9-A11, E6, O6, O8; counted by [`crate::deadlines`]).
//!
//! A date that was typed wrongly, or that lies past a holiday table, is shown as such in the deadline's place: a missing
//! deadline would look like none.

use assay_bundle::entitlement::Place;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::calendar::Country;
use crate::deadlines::{self, DeadlineError};
use crate::decision::{Deadline, Due};
use crate::situation::Situation;
use crate::zones::Zone;

/// Dates of an advance shipment and of the return after it.
pub(crate) fn advance(said: &Situation) -> Vec<Deadline> {
    let order = said.order_received_at.as_deref();
    let ordered = "the receipt of the complete shipping order";
    let came = "the receipt of the replacement at the customer's site";
    vec![
        deadline(
            "A3",
            "the replacement ships on (Pacific)",
            from(order, ordered, instant, |at| Ok(deadlines::shipment(at)?.ship_on.to_string())),
        ),
        deadline(
            "A3",
            "target of 48 hours: shown beside it, not overdue while the day above is kept",
            from(order, ordered, instant, |at| Ok(deadlines::shipment(at)?.target.to_string())),
        ),
        deadline(
            "A9",
            "the courier picks up the defective unit or part; later, a person may charge USD 100 per calendar day up to the list price, from the carrier's dates only (A10)",
            match country(said) {
                Ok(country) => from(said.replacement_received.as_deref(), came, day, |day| {
                    Ok(deadlines::return_by(day, country)?.to_string())
                }),
                Err(why) => Due::CannotTell(why),
            },
        ),
        deadline(
            "A11",
            "missing components and accessories are sent in, 5 business days",
            Due::StartsWith("the notification that something is missing".to_owned()),
        ),
    ]
}

/// Dates of a direct repair under the extended warranty.
pub(crate) fn extended(said: &Situation) -> Vec<Deadline> {
    vec![
        deadline(
            "E6",
            "the RMA number is given by (2 business days)",
            from(
                said.documents_validated_at.as_deref(),
                "the validation of the RMA documents",
                instant,
                |at| Ok(deadlines::rma_number_by(at)?.to_string()),
            ),
        ),
        deadline(
            "E6",
            "the repair is done by (7 working days)",
            from(said.received_for_repair.as_deref(), "the receipt at the RMA location", day, |day| {
                Ok(deadlines::repair_by(day)?.to_string())
            }),
        ),
    ]
}

/// Dates of a visit.
pub(crate) fn on_site(said: &Situation) -> Vec<Deadline> {
    let logged = "a technician's accepting and logging the fault after remote trouble-shooting";
    let visit = |at| match zone(said) {
        Some(zone) => Ok(deadlines::visit(at, zone)?.before.to_string()),
        // The day is known without the site's clock.
        None => {
            let day = deadlines::visit(at, Zone::Pacific)?.day;
            Ok(format!("{day} 17:00 on the site's clock (its time zone is not recorded)"))
        }
    };
    vec![
        deadline(
            "O6",
            "the technician or the part is at the site before, subject to parts",
            from(said.fault_logged_at.as_deref(), logged, instant, visit),
        ),
        deadline(
            "O8",
            "the customer is contacted to confirm details and schedule by (24 hours)",
            from(said.visit_confirmed_at.as_deref(), "the confirmation of the visit", instant, |at| {
                Ok(deadlines::contact_by(at)?.to_string())
            }),
        ),
    ]
}

fn deadline(rule: &str, what: &str, due: Due) -> Deadline {
    Deadline { rule: rule.to_owned(), what: what.to_owned(), due }
}

/// Counts from what was said; the clock that did not start, the text that is no date and the table's end are told.
fn from<T>(
    said: Option<&str>,
    starts_with: &str,
    read: fn(&str) -> Option<T>,
    count: impl FnOnce(T) -> Result<String, DeadlineError>,
) -> Due {
    let Some(text) = said.map(str::trim).filter(|text| !text.is_empty()) else {
        return Due::StartsWith(starts_with.to_owned());
    };
    match read(text).map(count) {
        None => {
            Due::CannotTell(format!("{starts_with} is recorded as {text:?}, which is no date: correct it"))
        }
        Some(Err(error)) => Due::CannotTell(error.to_string()),
        Some(Ok(by)) => Due::By(by),
    }
}

fn day(text: &str) -> Option<Date> {
    text.parse().ok()
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// The customer's country, whose holidays count beside the vendor's.
fn country(said: &Situation) -> Result<Country, String> {
    match said.region.place() {
        Place::ContinentalUs | Place::Alaska | Place::Hawaii | Place::UsStateUnknown | Place::UsTerritory => {
            Ok(Country::UnitedStates)
        }
        Place::Canada => Ok(Country::Canada),
        Place::Other => Err("the customer's country has no holiday table: count by hand".to_owned()),
        Place::Unknown => Err("the customer's country is not recorded: its holidays count".to_owned()),
    }
}

/// The site's clock: as recorded, else that of its state where a state has one.
fn zone(said: &Situation) -> Option<Zone> {
    match said.site_zone.as_deref() {
        Some(name) => Zone::of_name(name.trim()),
        None => said.region.us_state.as_deref().and_then(Zone::of_state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_bundle::entitlement::Region;

    fn check(deadlines: &[Deadline], expected: &[(&str, Due)]) {
        let got: Vec<(&str, Due)> = deadlines.iter().map(|d| (d.rule.as_str(), d.due.clone())).collect();
        assert_eq!(got, expected);
    }

    fn by(text: &str) -> Due {
        Due::By(text.to_owned())
    }

    fn starts(text: &str) -> Due {
        Due::StartsWith(text.to_owned())
    }

    fn said(change: impl FnOnce(&mut Situation)) -> Situation {
        let mut said = Situation { region: Region::new(Some("US"), Some("NY")), ..Situation::default() };
        change(&mut said);
        said
    }

    #[test]
    fn a3_dates_of_an_advance_replacement() {
        let missing = || starts("the notification that something is missing");
        let ordered = || starts("the receipt of the complete shipping order");
        let came = || starts("the receipt of the replacement at the customer's site");
        check(
            &advance(&said(|_| {})),
            &[("A3", ordered()), ("A3", ordered()), ("A9", came()), ("A11", missing())],
        );
        // Wednesday before Thanksgiving, one second before the cut-off in winter; five business days without the holiday.
        let dated = said(|s| {
            s.order_received_at = Some("2026-11-25T21:59:59Z".to_owned());
            s.replacement_received = Some("2026-11-25".to_owned());
        });
        check(
            &advance(&dated),
            &[
                ("A3", by("2026-11-25")),
                ("A3", by("2026-11-27T21:59:59Z")),
                ("A9", by("2026-12-03")),
                ("A11", missing()),
            ],
        );
        let late = said(|s| s.order_received_at = Some("2026-11-25T22:00:00Z".to_owned()));
        assert_eq!(advance(&late)[0].due, by("2026-11-27"));
    }

    #[test]
    fn e6_dates_of_a_repair() {
        let dated = said(|s| {
            s.documents_validated_at = Some("2026-11-23T18:00:00Z".to_owned());
            s.received_for_repair = Some("2026-11-23".to_owned());
        });
        check(&extended(&dated), &[("E6", by("2026-11-25")), ("E6", by("2026-12-03"))]);
    }

    #[test]
    fn o6_dates_of_a_visit() {
        let dated = said(|s| {
            s.fault_logged_at = Some("2026-11-23T21:00:00Z".to_owned());
            s.visit_confirmed_at = Some("2026-11-23T21:00:00Z".to_owned());
        });
        check(&on_site(&dated), &[("O6", by("2026-11-24T22:00:00Z")), ("O8", by("2026-11-24T21:00:00Z"))]);
        let mut texas = dated;
        texas.region = Region::new(Some("US"), Some("TX"));
        assert_eq!(
            on_site(&texas)[0].due,
            by("2026-11-24 17:00 on the site's clock (its time zone is not recorded)")
        );
        texas.site_zone = Some("America/Chicago".to_owned());
        assert_eq!(on_site(&texas)[0].due, by("2026-11-24T23:00:00Z"));
    }

    #[test]
    fn what_cannot_be_told_is_shown() {
        let cannot = |due: &Due, says: &str| {
            assert!(matches!(due, Due::CannotTell(why) if why.contains(says)), "{due:?}");
        };
        let wrong = said(|s| {
            s.order_received_at = Some("yesterday".to_owned());
            s.replacement_received = Some("2099-01-02".to_owned());
        });
        cannot(&advance(&wrong)[0].due, "\"yesterday\", which is no date");
        cannot(&advance(&wrong)[2].due, "outside the holiday tables");
        let nowhere =
            Situation { replacement_received: Some("2026-11-25".to_owned()), ..Situation::default() };
        cannot(&advance(&nowhere)[2].due, "country is not recorded");
        let abroad = Situation { region: Region::new(Some("DE"), None), ..nowhere };
        cannot(&advance(&abroad)[2].due, "count by hand");
    }
}
