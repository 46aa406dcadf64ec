//! What was bought, and what the service terms grant a unit today. `warranty` computes the second from the first; here
//! are only the words.
//!
//! Dates are text, `YYYY-MM-DD`: a document with a date that is none must still be readable. Plans are open words: a
//! document of a later version still reads. What an older document does not say is unknown, never "not bought".

use serde::{Deserialize, Serialize};

/// How long the standard warranty of a unit's series runs (service terms L3, L4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandardPeriod {
    /// The model is in a listed series, or the ledger or dealer grants a period.
    Years {
        /// Length of the standard warranty in years: 2 to 5 in the terms; a dealer's may be another.
        years: u8,
        /// Series as the terms print it, such as `TS-x53`.
        series: String,
        /// Years of global coverage included, where the terms or the ledger grant it.
        global_years: Option<u8>,
    },
    /// The model is in no listed series, or was not read: the portal's entitlement record decides.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What one warranty or plan does for a unit today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// Covered through this day, included.
    Until {
        /// Last covered day, `YYYY-MM-DD`.
        last_day: String,
    },
    /// Bought and eligible, but its own period begins later (E2).
    Starts {
        /// First covered day, `YYYY-MM-DD`.
        first_day: String,
        /// Last covered day, `YYYY-MM-DD`.
        last_day: String,
    },
    /// The period appears over. Never a refusal: dealers may give more.
    AppearsExpired {
        /// Last covered day, `YYYY-MM-DD`.
        last_day: String,
    },
    /// It cannot be told.
    Unknown {
        /// Why: no invoice date, unsynchronised clock, unlisted series.
        why: String,
    },
    /// The purchase record is there and holds no such plan.
    NotBought,
    /// The terms do not grant it to this unit or this customer, as recorded. A person decides.
    NotEligible {
        /// Why, with the rule.
        why: String,
    },
    /// It was taken over by a replacement; this serial has none from then on (A13).
    Moved {
        /// Serial number of the unit that has it now.
        serial: String,
    },
}

impl Default for Coverage {
    /// A document that does not speak of it leaves it unknown.
    fn default() -> Self {
        Self::Unknown { why: "coverage unknown: no purchase record says".to_owned() }
    }
}

/// A yes or no that somebody may not have given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Nobody said, or in a word of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A plan that is sold beside the standard warranty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Extended warranty, QEWS (E1-E9).
    Extended,
    /// Advanced replacement, QARS (A1-A17).
    AdvancedReplacement,
    /// On-site service on the next business day (O1-O15).
    OnSite,
    /// A word of a later version.
    #[serde(other)]
    Other,
}

impl Plan {
    /// The name that a person reads.
    pub fn words(self) -> &'static str {
        match self {
            Self::Extended => "extended warranty",
            Self::AdvancedReplacement => "advanced replacement",
            Self::OnSite => "on-site service",
            Self::Other => "a plan that this version does not know",
        }
    }
}

/// One plan that was bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanPurchase {
    /// Which plan.
    pub plan: Plan,
    /// Its length in years as bought.
    pub years: u8,
    /// Day it was bought, `YYYY-MM-DD`.
    pub bought: String,
    /// Whether the vendor's validated certificate with model, serial number and period is on file (E4).
    #[serde(default)]
    pub certificate: Answer,
    /// Whether the buyer is a direct customer of the vendor (E4).
    #[serde(default)]
    pub direct_customer: Answer,
}

/// Where the unit is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Country, two letters of ISO 3166-1, such as `US`.
    #[serde(default)]
    pub country: Option<String>,
    /// State, two letters as the postal service writes it, such as `AK`; asked in the United States only.
    #[serde(default)]
    pub us_state: Option<String>,
}

/// What the terms tell apart about a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The 48 adjoining states and the District of Columbia.
    ContinentalUs,
    /// Alaska: in the United States, without on-site service (O2).
    Alaska,
    /// Hawaii: in the United States, without on-site service (O2).
    Hawaii,
    /// The United States; the state is not known.
    UsStateUnknown,
    /// A territory or a forces' address: the terms do not say whether it counts as the United States.
    UsTerritory,
    /// Canada.
    Canada,
    /// Any other country.
    Other,
    /// Not known.
    Unknown,
}

/// The 48 adjoining states and the District of Columbia, as the postal service writes them.
const CONTINENTAL: &[&str] = &[
    "AL", "AR", "AZ", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "IA", "ID", "IL", "IN", "KS", "KY", "LA",
    "MA", "MD", "ME", "MI", "MN", "MO", "MS", "MT", "NC", "ND", "NE", "NH", "NJ", "NM", "NV", "NY", "OH",
    "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VA", "VT", "WA", "WI", "WV", "WY",
];
/// Territories with a country code of their own, as the postal service and ISO 3166-1 write them, and the forces'.
const TERRITORIES: &[&str] = &["AS", "GU", "MP", "PR", "UM", "VI", "AA", "AE", "AP", "FM", "MH", "PW"];
/// Those of them that are a country in ISO 3166-1 and a territory of the United States.
const TERRITORY_COUNTRIES: &[&str] = &["AS", "GU", "MP", "PR", "UM", "VI"];

impl Region {
    /// A region by its letters; none for what is not known.
    pub fn new(country: Option<&str>, us_state: Option<&str>) -> Self {
        Self { country: country.map(str::to_owned), us_state: us_state.map(str::to_owned) }
    }

    /// What the terms tell apart. Letters may have any case.
    pub fn place(&self) -> Place {
        let letters = |text: &Option<String>| {
            text.as_deref().map(|t| t.trim().to_ascii_uppercase()).filter(|t| !t.is_empty())
        };
        let Some(country) = letters(&self.country) else { return Place::Unknown };
        match (country.as_str(), letters(&self.us_state).as_deref()) {
            ("CA", _) => Place::Canada,
            ("US", Some("AK")) => Place::Alaska,
            ("US", Some("HI")) => Place::Hawaii,
            ("US", Some(state)) if CONTINENTAL.contains(&state) => Place::ContinentalUs,
            ("US", Some(state)) if TERRITORIES.contains(&state) => Place::UsTerritory,
            ("US", _) => Place::UsStateUnknown,
            (other, _) if TERRITORY_COUNTRIES.contains(&other) => Place::UsTerritory,
            (other, _) if other.len() == 2 && other.bytes().all(|b| b.is_ascii_uppercase()) => Place::Other,
            _ => Place::Unknown,
        }
    }
}

/// Whether the shop that sold the unit can still take it back (L7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// It is there.
    Open,
    /// Recorded as out of business or unavailable.
    Gone,
    /// Nobody said, or in a word of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What the ledger or the owner says about the purchase of one unit. Every field may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Purchase {
    /// Model, as read or as the ledger has it.
    pub model: Option<String>,
    /// Serial number of the unit.
    pub serial: Option<String>,
    /// Date of the initial invoice, `YYYY-MM-DD`.
    pub invoice_date: Option<String>,
    /// Where the unit is.
    pub region: Region,
    /// Whether the owner is the original purchaser, from the vendor or its authorised channel (L11).
    pub original_purchaser: Answer,
    /// Whether the original purchase channel still exists (L7).
    pub channel: Channel,
    /// Plans that were bought; `None` when nobody knows, an empty list when it is known that there are none.
    pub plans: Option<Vec<PlanPurchase>>,
    /// The vendor's list price of the unit in US cents: the cap of late fees (A10).
    pub list_price_usd_cents: Option<u64>,
    /// On-site occurrences already used (O3).
    pub on_site_used: Option<u8>,
    /// Series that the ledger puts the unit in, as the terms print it; replaces what the model's name says.
    pub series: Option<String>,
    /// Standard warranty in years that the ledger or the dealer grants; replaces that of the series (L3).
    pub standard_years: Option<u8>,
    /// Years of global coverage that the ledger grants (L6).
    pub global_years: Option<u8>,
    /// Serial number of the replacement that took the coverage over (A13).
    pub moved_to: Option<String>,
}

/// One reason for what is granted, for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Rule ID of the service terms, such as `E2`.
    pub rule: String,
    /// What it does here, one sentence.
    pub text: String,
}

/// What the terms grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// Model that was looked up, as read.
    pub model: Option<String>,
    /// Standard period of its series.
    pub standard_period: StandardPeriod,
    /// Standard coverage today.
    pub standard: Coverage,
    /// Extended warranty today (E1-E4).
    #[serde(default)]
    pub extended: Coverage,
    /// Advanced replacement today (A1).
    #[serde(default)]
    pub advanced_replacement: Coverage,
    /// On-site service today (O1-O4).
    #[serde(default)]
    pub on_site: Coverage,
    /// On-site occurrences left of the four (O3); `None` when there is no such plan or the count is not known.
    #[serde(default)]
    pub on_site_left: Option<u8>,
    /// Service at the nearest retailer, not only where it was bought (L6).
    #[serde(default)]
    pub global: Coverage,
    /// Serial number of the replacement that has the coverage now (A13).
    #[serde(default)]
    pub moved_to: Option<String>,
    /// Why, in words.
    #[serde(default)]
    pub reasons: Vec<Reason>,
    /// Rule IDs that this rests on.
    pub rules: Vec<String>,
}

impl Entitlement {
    /// Every coverage, to change them all alike.
    pub fn coverages(&mut self) -> [&mut Coverage; 5] {
        [
            &mut self.standard,
            &mut self.extended,
            &mut self.advanced_replacement,
            &mut self.on_site,
            &mut self.global,
        ]
    }
}

/// Whether a plan can still be bought for a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offer {
    /// It can, through this day, included.
    Open {
        /// Lengths in years that the terms sell for this series.
        years: Vec<u8>,
        /// Last day of the purchase window, `YYYY-MM-DD`.
        last_day: String,
        /// What else must hold or be bought, with the rule.
        condition: Option<String>,
    },
    /// The terms do not sell it, or no longer.
    Closed {
        /// Why, with the rule.
        why: String,
    },
    /// It cannot be told.
    Unknown {
        /// Why: what has to be asked.
        why: String,
    },
}

/// What can still be bought for a unit today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offers {
    /// Extended warranty (E1, E3, E4).
    pub extended: Offer,
    /// Advanced replacement (A1).
    pub advanced_replacement: Offer,
    /// On-site service (O1, O2, O4).
    pub on_site: Offer,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_what_the_terms_tell_apart() {
        let check = |country: &str, state: &str, expected: Place| {
            let given = |text: &'static str| (text != "-").then_some(text);
            let (country, state) = (country.to_owned(), state.to_owned());
            let region = Region::new(given(country.leak()), given(state.leak()));
            assert_eq!(region.place(), expected, "{region:?}");
        };
        check("US", "CA", Place::ContinentalUs);
        check(" us ", "dc", Place::ContinentalUs);
        check("US", "AK", Place::Alaska);
        check("US", "HI", Place::Hawaii);
        for state in ["-", "", "XX", "California"] {
            check("US", state, Place::UsStateUnknown);
        }
        check("US", "PR", Place::UsTerritory);
        check("US", "AP", Place::UsTerritory);
        check("PR", "-", Place::UsTerritory);
        check("CA", "-", Place::Canada);
        check("CA", "ON", Place::Canada);
        for country in ["DE", "MX", "GB", "FM", "AE"] {
            check(country, "-", Place::Other);
        }
        for country in ["-", "", "USA", "U.", "Kanada"] {
            check(country, "CA", Place::Unknown);
        }
        assert_eq!(CONTINENTAL.len(), 49, "48 states and the district");
    }

    #[test]
    fn other_versions_still_read() {
        let first = r#"{"model":"TS-451","standard_period":{"years":{"years":2,"series":"TS-x51","global_years":null}},
            "standard":{"until":{"last_day":"2022-03-15"}},"rules":["L3","L4"]}"#;
        let first: Entitlement = serde_json::from_str(first).expect("the first version reads");
        assert_eq!((first.extended, first.on_site_left), (Coverage::default(), None));
        let later = r#"{"plans":[{"plan":"gold_service","years":9,"bought":"2030-01-01"}],"colour":"red"}"#;
        let later: Purchase = serde_json::from_str(later).expect("a later version reads");
        assert_eq!(later.plans.expect("plans")[0].plan, Plan::Other);
        let odd = r#"{"original_purchaser":"perhaps","channel":"on_fire"}"#;
        let odd: Purchase = serde_json::from_str(odd).expect("other words read");
        assert_eq!((odd.original_purchaser, odd.channel), (Answer::Unknown, Channel::Unknown));
        let same = serde_json::to_string(&odd).expect("JSON");
        assert_eq!(serde_json::from_str::<Purchase>(&same).expect("our own words"), odd);
        let empty: Purchase = serde_json::from_str("{}").expect("an empty record reads");
        assert_eq!((empty.plans, empty.original_purchaser), (None, Answer::Unknown));
    }
}
