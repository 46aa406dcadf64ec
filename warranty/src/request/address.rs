//! The address that a courier or a technician goes to (service terms A1, A7, A8, O2).
//!
//! Postal codes and states are checked where plans exist, the USA and Canada. Refuses P.O. boxes and post of the forces;
//! what is merely unusual is asked about.

use assay_bundle::entitlement::{Place, Region};
use serde::{Deserialize, Serialize};

use super::{Field, Problem, po_box, region};
use crate::calendar::Country;

/// A place that a courier finds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// Company or name on the door; may be empty.
    pub company: String,
    /// Street and number.
    pub line1: String,
    /// Floor, suite, building; may be empty.
    pub line2: String,
    /// City.
    pub city: String,
    /// State or province, by letters or name; needed in the USA and Canada.
    pub state: String,
    /// Postal code.
    pub postal_code: String,
    /// Country, by letters or name.
    pub country: String,
}

impl Address {
    /// Where it lies, in the letters that the terms are decided by.
    pub fn region(&self) -> Region {
        region::of(&self.country, &self.state)
    }

    /// Its lines as they are printed.
    pub fn lines(&self) -> Vec<String> {
        let place = [&self.city, &self.state, &self.postal_code].map(|part| part.trim().to_owned());
        let place = place.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
        let lines =
            [&self.company, &self.line1, &self.line2, &place, &self.country].map(|l| l.trim().to_owned());
        lines.into_iter().filter(|line| !line.is_empty()).collect()
    }
}

impl Address {
    pub(super) fn check(&self, plan_service: bool, problems: &mut Vec<Problem>) {
        for (field, line) in [
            (Field::Company, &self.company),
            (Field::AddressLine1, &self.line1),
            (Field::AddressLine2, &self.line2),
            (Field::City, &self.city),
        ] {
            if let Some(spelling) = po_box::find(line) {
                problems.push(Problem::refused(
                    field,
                    format!("names a P.O. box (\"{spelling}\")"),
                    "type a street address where a courier can hand over the parcel (A8)",
                ));
            }
        }
        if self.country.trim().is_empty() {
            return;
        }
        let country = region::country(&self.country);
        if country.is_none() && plan_service {
            problems.push(Problem::refused(
                Field::Country,
                "is neither the USA nor Canada",
                "type an address in the USA or Canada, where the plan's service exists, or ask for the standard service",
            ));
        }
        if let Some(country) = country {
            self.check_state(country, plan_service, problems);
        }
        if country.is_some() && self.postal_code.trim().is_empty() {
            problems.push(Problem::refused(Field::PostalCode, "is empty", Field::PostalCode.fix()));
        } else if let Some(fix) = region::postal_code_fix(country, &self.postal_code) {
            problems.push(Problem::refused(Field::PostalCode, "does not have the country's form", fix));
        }
    }

    fn check_state(&self, country: Country, plan_service: bool, problems: &mut Vec<Problem>) {
        if country == Country::UnitedStates && region::is_military(&self.state) {
            problems.push(Problem::refused(
                Field::State,
                "is post of the forces, which no courier delivers to",
                "type a street address where a courier can hand over the parcel (A8)",
            ));
            return;
        }
        let region = self.region();
        if plan_service && region.place() == Place::UsTerritory {
            problems.push(Problem::ask(
                Field::State,
                "is a territory: the terms do not say whether the plans' services go there",
                "leave it; an engineer decides, or type an address in a state",
            ));
        }
        match region::find(country, &self.state) {
            Some(state) if !self.postal_code.trim().is_empty() && !state.may_have(&self.postal_code) => {
                if region::postal_code_fix(Some(country), &self.postal_code).is_none() {
                    problems.push(Problem::ask(
                        Field::PostalCode,
                        format!("is not usual in {}", state.name),
                        "compare state and postal code; leave them when both are right",
                    ));
                }
            }
            Some(_) => {}
            // A territory that was typed as a country has no state beside it.
            None if region.place() == Place::UsTerritory => {}
            None if self.state.trim().is_empty() => {
                problems.push(Problem::refused(Field::State, "is empty", Field::State.fix()));
            }
            None => problems.push(Problem::refused(
                Field::State,
                match country {
                    Country::UnitedStates => "is no state of the USA",
                    Country::Canada => "is no province of Canada",
                },
                Field::State.fix(),
            )),
        }
    }
}
