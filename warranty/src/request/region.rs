//! Countries, states and postal codes of an address, as far as the terms ask.
//!
//! The plans' services exist in the USA and Canada (service terms A1, E4), visits in the continental USA (O2). Whether a
//! territory counts as the USA the terms do not say: an engineer decides, and its postal codes are those of the USA.
//! We: military post (APO, FPO, DPO) is reached by no courier and is treated as a P.O. box (A8). Postal codes of other
//! countries are not judged.

use assay_bundle::entitlement;

use crate::calendar::Country;

/// A state, province or territory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Two letters of the post.
    code: &'static str,
    /// Name.
    pub(super) name: &'static str,
    /// First characters of its postal codes.
    postal: &'static str,
}

const fn region(code: &'static str, name: &'static str, postal: &'static str) -> State {
    State { code, name, postal }
}

/// States, district and territories with the first digits of their ZIP codes (USPS Publication 28, appendix B; the
/// few places that a neighbour's post serves are why a mismatch is only asked about).
const STATES: &[State] = &[
    region("AL", "Alabama", "3"),
    region("AK", "Alaska", "9"),
    region("AZ", "Arizona", "8"),
    region("AR", "Arkansas", "7"),
    region("CA", "California", "9"),
    region("CO", "Colorado", "8"),
    region("CT", "Connecticut", "0"),
    region("DE", "Delaware", "1"),
    region("DC", "District of Columbia", "2"),
    region("FL", "Florida", "3"),
    region("GA", "Georgia", "3"),
    region("HI", "Hawaii", "9"),
    region("ID", "Idaho", "8"),
    region("IL", "Illinois", "6"),
    region("IN", "Indiana", "4"),
    region("IA", "Iowa", "5"),
    region("KS", "Kansas", "6"),
    region("KY", "Kentucky", "4"),
    region("LA", "Louisiana", "7"),
    region("ME", "Maine", "0"),
    region("MD", "Maryland", "2"),
    region("MA", "Massachusetts", "05"),
    region("MI", "Michigan", "4"),
    region("MN", "Minnesota", "5"),
    region("MS", "Mississippi", "3"),
    region("MO", "Missouri", "6"),
    region("MT", "Montana", "5"),
    region("NE", "Nebraska", "6"),
    region("NV", "Nevada", "8"),
    region("NH", "New Hampshire", "0"),
    region("NJ", "New Jersey", "0"),
    region("NM", "New Mexico", "8"),
    region("NY", "New York", "01"),
    region("NC", "North Carolina", "2"),
    region("ND", "North Dakota", "5"),
    region("OH", "Ohio", "4"),
    region("OK", "Oklahoma", "7"),
    region("OR", "Oregon", "9"),
    region("PA", "Pennsylvania", "1"),
    region("RI", "Rhode Island", "0"),
    region("SC", "South Carolina", "2"),
    region("SD", "South Dakota", "5"),
    region("TN", "Tennessee", "3"),
    region("TX", "Texas", "78"),
    region("UT", "Utah", "8"),
    region("VT", "Vermont", "0"),
    region("VA", "Virginia", "2"),
    region("WA", "Washington", "9"),
    region("WV", "West Virginia", "2"),
    region("WI", "Wisconsin", "5"),
    region("WY", "Wyoming", "8"),
    region("AS", "American Samoa", "9"),
    region("GU", "Guam", "9"),
    region("MP", "Northern Mariana Islands", "9"),
    region("PR", "Puerto Rico", "0"),
    region("VI", "U.S. Virgin Islands", "0"),
];

/// Provinces and territories with the first letters of their postal codes (Canada Post).
const PROVINCES: &[State] = &[
    region("AB", "Alberta", "T"),
    region("BC", "British Columbia", "V"),
    region("MB", "Manitoba", "R"),
    region("NB", "New Brunswick", "E"),
    region("NL", "Newfoundland and Labrador", "A"),
    region("NS", "Nova Scotia", "B"),
    region("NT", "Northwest Territories", "X"),
    region("NU", "Nunavut", "X"),
    region("ON", "Ontario", "KLMNP"),
    region("PE", "Prince Edward Island", "C"),
    region("QC", "Quebec", "GHJ"),
    region("SK", "Saskatchewan", "S"),
    region("YT", "Yukon", "Y"),
];

/// Post of the forces: their "states".
const MILITARY: &[&str] = &["AA", "AE", "AP", "APO", "FPO", "DPO"];
/// Territories that have a country code of their own.
const TERRITORIES: &[&str] = &["AS", "GU", "MP", "PR", "VI"];
/// Letters that no Canadian postal code has.
const NOT_IN_CANADA: &str = "DFIOQU";

/// The country of what was typed, its letters or its name: one with plans, or none of them.
pub(super) fn country(typed: &str) -> Option<Country> {
    let typed = letters(typed);
    match typed.as_str() {
        "US" | "USA" | "UNITEDSTATES" | "UNITEDSTATESOFAMERICA" => Some(Country::UnitedStates),
        "CA" | "CAN" | "CANADA" => Some(Country::Canada),
        other => territory(other).map(|_| Country::UnitedStates),
    }
}

/// The territory whose letters or name were typed as a country.
fn territory(letters_of_it: &str) -> Option<State> {
    let is_it = |state: &State| state.code == letters_of_it || letters(state.name) == letters_of_it;
    STATES.iter().find(|state| TERRITORIES.contains(&state.code) && is_it(state)).copied()
}

/// The state or province of what was typed, by letters or by name.
pub(super) fn find(country: Country, typed: &str) -> Option<State> {
    let table = match country {
        Country::UnitedStates => STATES,
        Country::Canada => PROVINCES,
    };
    let typed = letters(typed).replace('É', "E");
    table.iter().find(|state| state.code == typed || letters(state.name) == typed).copied()
}

/// What was typed, in the letters that the rest of the terms is decided by.
pub(super) fn of(country_typed: &str, state_typed: &str) -> entitlement::Region {
    let country = match country(country_typed) {
        Some(Country::UnitedStates) => Some("US".to_owned()),
        Some(Country::Canada) => Some("CA".to_owned()),
        None => Some(country_typed.trim().to_uppercase()).filter(|typed| !typed.is_empty()),
    };
    let state = find(Country::UnitedStates, state_typed).or_else(|| territory(&letters(country_typed)));
    let us_state =
        state.map(|s| s.code.to_owned()).or_else(|| is_military(state_typed).then(|| "AA".to_owned()));
    let us_state = us_state.filter(|_| country.as_deref() == Some("US"));
    entitlement::Region { country, us_state }
}

/// Whether it is post of the forces.
pub(super) fn is_military(typed: &str) -> bool {
    MILITARY.contains(&letters(typed).as_str())
}

impl State {
    /// Whether a postal code can be of this region, by its first character.
    pub(super) fn may_have(&self, postal_code: &str) -> bool {
        postal_code.trim().chars().next().is_some_and(|c| self.postal.contains(c.to_ascii_uppercase()))
    }
}

/// What to type instead of a postal code of the wrong shape; `None` when its shape is right or not known.
pub(super) fn postal_code_fix(country: Option<Country>, typed: &str) -> Option<&'static str> {
    let typed = typed.trim();
    match country {
        Some(Country::UnitedStates) => {
            let digits = |text: &str, most| text.len() == most && text.bytes().all(|b| b.is_ascii_digit());
            let right = match typed.split_once('-') {
                Some((zip, four)) => digits(zip, 5) && digits(four, 4),
                None => digits(typed, 5),
            };
            (!right).then_some("type five digits, or five and four: 94103 or 94103-1234")
        }
        Some(Country::Canada) => {
            let code: Vec<char> = typed.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
            let shape = code.len() == 6
                && code.iter().enumerate().all(|(at, c)| match at % 2 {
                    0 => c.is_ascii_alphabetic() && !NOT_IN_CANADA.contains(c.to_ascii_uppercase()),
                    _ => c.is_ascii_digit(),
                })
                && !code.first().is_some_and(|c| "WZ".contains(c.to_ascii_uppercase()));
            (!shape).then_some(
                "type letter, digit, letter, blank, digit, letter, digit: K1A 0B1 (it never has D, F, I, O, Q or U; a round one is a zero)",
            )
        }
        None => None,
    }
}

fn letters(typed: &str) -> String {
    typed.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_bundle::entitlement::Place;

    #[test]
    fn a1_where_an_address_lies() {
        for (country, state, place) in [
            ("US", "CA", Place::ContinentalUs),
            ("u.s.a.", "new york", Place::ContinentalUs),
            ("United States of America", "DC", Place::ContinentalUs),
            ("US", "AK", Place::Alaska),
            ("US", "Hawaii", Place::Hawaii),
            ("US", "PR", Place::UsTerritory),
            ("Puerto Rico", "", Place::UsTerritory),
            ("GU", "", Place::UsTerritory),
            ("US", "A.P.O.", Place::UsTerritory),
            ("US", "Ontario", Place::UsStateUnknown),
            ("Canada", "Québec", Place::Canada),
            ("CA", "CA", Place::Canada),
            ("DE", "", Place::Other),
            ("", "", Place::Unknown),
        ] {
            assert_eq!(of(country, state).place(), place, "{country} {state}");
        }
        assert_eq!(find(Country::Canada, "CA"), None);
        assert_eq!(find(Country::UnitedStates, "ON"), None);
        assert!(is_military("A.P.O.") && is_military("AE") && !is_military("AL"));
    }

    #[test]
    fn a7_postal_codes() {
        let (us, canada) = (Some(Country::UnitedStates), Some(Country::Canada));
        for (country, typed, right) in [
            (us, "94103", true),
            (us, " 94103-1234 ", true),
            (us, "9410", false),
            (us, "941031234", false),
            (us, "K1A 0B1", false),
            (us, "94l03", false),
            (canada, "K1A 0B1", true),
            (canada, "k1a0b1", true),
            (canada, "K1A OB1", false),
            (canada, "W1A 0B1", false),
            (canada, "D1A 0B1", false),
            (canada, "94103", false),
            (None, "anything", true),
        ] {
            assert_eq!(postal_code_fix(country, typed).is_none(), right, "{typed}");
        }
        let texas = find(Country::UnitedStates, "TX").expect("a state");
        // El Paso has codes that begin with 885.
        assert!(texas.may_have("73301") && texas.may_have("88510") && !texas.may_have("94103"));
        let quebec = find(Country::Canada, "QC").expect("a province");
        assert!(quebec.may_have("h2x 1y4") && !quebec.may_have("K1A 0B1"));
    }
}
