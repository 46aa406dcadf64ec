//! Which series of the service terms a model belongs to (L3, L4, E3, O4).
//!
//! One mechanism for three tables. A series name is a pattern: `x` stands for the bay count, one or two digits. Capacity
//! (`-8G`), rack (`U`) and redundant-power (`-RP`) variants inherit. A letter or digit that adjoins the name makes
//! another model, and another model is *not listed*, never the nearest series: a later generation has its own terms, and
//! the portal's entitlement record decides. A part behind a hyphen that the terms do not explain (`-i5`, `-D1521`) and a
//! second revision that the name may leave out (`R2`) cannot be told. This module refuses to guess.

use assay_bundle::entitlement::StandardPeriod;

/// One row of a table: a series and what the terms say of it.
#[derive(Debug)]
pub struct Series<T> {
    /// Name as the terms print it; `x` is the bay count.
    pub name: &'static str,
    /// What the table says.
    pub terms: T,
}

/// The standard warranty of a series (L3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standard {
    /// Standard warranty in years.
    pub years: u8,
    /// Years of global coverage included, where the terms grant it.
    pub global_years: Option<u8>,
}

const fn years(name: &'static str, years: u8) -> Series<Standard> {
    Series { name, terms: Standard { years, global_years: None } }
}

/// The table of the standard warranty (L3), in the order of the terms.
pub static STANDARD: &[Series<Standard>] = &[
    Series { name: "TVS-ECx80U-SAS", terms: Standard { years: 5, global_years: Some(3) } },
    years("TS-x79", 3),
    years("TS-x80", 3),
    years("TVS-x80", 3),
    years("TS-1685", 3),
    years("TS-x51", 2),
    years("TS-x53", 2),
    years("TS-x69", 2),
    years("TS-x70", 2),
    years("TVS-x63", 2),
    years("TVS-x71", 2),
    years("TVS-x82", 2),
    years("TS-1635", 2),
    years("TS-x31X", 2),
];

const fn adds(name: &'static str, terms: &'static [u8]) -> Series<&'static [u8]> {
    Series { name, terms }
}

/// Years that an extended warranty may add (E3), in the order of the terms; an empty list is "none".
pub static EXTENDED: &[Series<&'static [u8]>] = &[
    adds("TVS-ECx80U-SAS", &[]),
    adds("TS-x79", &[1, 2]),
    adds("TS-x80", &[1, 2]),
    adds("TVS-x80", &[1, 2]),
    adds("TS-1685", &[1, 2]),
    adds("TS-x51", &[1, 2, 3]),
    adds("TS-x53", &[1, 2, 3]),
    adds("TS-x69", &[1, 2, 3]),
    adds("TS-x70", &[1, 2, 3]),
    adds("TVS-x63", &[1, 2, 3]),
    adds("TVS-x71", &[1, 2, 3]),
    adds("TVS-x82", &[1, 2, 3]),
    adds("TS-1635", &[1, 2, 3]),
    adds("TS-x31X", &[1, 2, 3]),
];

const fn visited(name: &'static str) -> Series<()> {
    Series { name, terms: () }
}

/// Series with on-site service (O4), in the order of the terms.
pub static ON_SITE: &[Series<()>] = &[
    visited("TDS-16489U"),
    visited("TDS-16489U R2"),
    visited("TES-x85U"),
    visited("TS-x83XU"),
    visited("TVS-ECx80U-SAS R2"),
    visited("TS-ECx80U R2"),
    visited("TS-x77XU"),
    visited("TS-x73U"),
    visited("TVS-x72XU"),
    visited("TS-x63XU"),
    visited("TS-x53BU"),
];

/// The longest model name that is looked up; the longest that QNAP sells has under 30 characters.
const LONGEST_MODEL: usize = 64;

/// What a table says of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// It is of this series.
    Listed {
        /// Series as the terms print it.
        series: &'static str,
        /// What the table says of the series.
        terms: T,
    },
    /// It was read whole, and it is of no listed series.
    NotListed {
        /// Why, for a person.
        why: String,
    },
    /// It was not read, or not well enough.
    CannotTell {
        /// Why, for a person.
        why: String,
    },
}

/// Looks up what a purchase record calls the series: the name that the terms print (`TS-x53`), or a model of it.
///
/// Only records may use such a name: firmware has platform names of the same form (`TS-X53`) that span generations.
pub fn look_up_recorded<T: Copy>(table: &'static [Series<T>], recorded: &str) -> Lookup<T> {
    let name = plain(recorded);
    match table.iter().find(|series| plain(series.name) == name) {
        Some(series) => Lookup::Listed { series: series.name, terms: series.terms },
        None => look_up(table, Some(recorded)),
    }
}

/// Looks a model up. Letters may have any case, and blanks may stand anywhere.
pub fn look_up<T: Copy>(table: &'static [Series<T>], model: Option<&str>) -> Lookup<T> {
    let cannot_tell = |why: &str| Lookup::CannotTell { why: why.to_owned() };
    let Some(model) = model.map(str::trim).filter(|m| !m.is_empty()) else {
        return cannot_tell("the model was not read");
    };
    if model.len() > LONGEST_MODEL {
        return cannot_tell("the model name is too long to be one");
    }
    let plain = plain(model);
    let mut doubt = None;
    for series in table {
        match series.fit(&plain) {
            Fit::Whole => return Lookup::Listed { series: series.name, terms: series.terms },
            Fit::No => {}
            other => {
                doubt.get_or_insert((series.name, other));
            }
        }
    }
    match doubt {
        None => Lookup::NotListed { why: format!("{model} is in no listed series") },
        Some((series, Fit::PerhapsR2)) => cannot_tell(&format!(
            "only the second revision is listed ({series}), and {model} does not say which it is: read the label"
        )),
        Some((series, _)) => cannot_tell(&format!(
            "the terms list {series} and do not explain the rest of {model}: look for the series in its purchase record"
        )),
    }
}

/// The standard warranty period of a model (L3, L4).
pub fn standard_period(model: Option<&str>) -> StandardPeriod {
    period(look_up(STANDARD, model))
}

/// What the table of L3 says, in the words of an entitlement.
pub(crate) fn period(found: Lookup<Standard>) -> StandardPeriod {
    match found {
        Lookup::Listed { series, terms: Standard { years, global_years } } => {
            StandardPeriod::Years { years, series: series.to_owned(), global_years }
        }
        Lookup::NotListed { why } => {
            StandardPeriod::Unknown { why: format!("{why}; the portal's entitlement record decides") }
        }
        Lookup::CannotTell { why } => StandardPeriod::Unknown { why },
    }
}

/// A name without blanks, in capitals.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase()
}

/// How well a model fits a series.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// Another model.
    No,
    /// It is of the series.
    Whole,
    /// The series is a second revision, and the name says no revision.
    PerhapsR2,
    /// It is of the series, but a part behind a hyphen has no meaning in the terms.
    Unexplained,
}

impl<T> Series<T> {
    /// `model` is [`plain`].
    fn fit(&self, model: &str) -> Fit {
        let (name, wants_r2) = match self.name.strip_suffix(" R2") {
            Some(name) => (name, true),
            None => (self.name, false),
        };
        let rest = match name.split_once('x') {
            None => model.strip_prefix(name),
            Some((before, after)) => model
                .strip_prefix(before)
                .and_then(without_bay_count)
                .and_then(|rest| rest.strip_prefix(after)),
        };
        let Some(rest) = rest else { return Fit::No };
        // A series whose name has its `U` takes no second one.
        let rack = !name.ends_with('U') && !name.contains("U-");
        let rest = if rack { rest.strip_prefix('U').unwrap_or(rest) } else { rest };
        let (rest, has_r2) = revision(rest);
        let rest = rest.strip_prefix("-RP").unwrap_or(rest);
        let known = rest.is_empty() || is_capacity(rest);
        match (known, wants_r2, has_r2) {
            (true, true, true) | (true, false, false) => Fit::Whole,
            (_, true, false) if known || rest.starts_with('-') => Fit::PerhapsR2,
            (false, wanted, has) if wanted == has && rest.starts_with('-') => Fit::Unexplained,
            _ => Fit::No,
        }
    }
}

/// Takes the mark of the second revision away, from the start or the end.
fn revision(rest: &str) -> (&str, bool) {
    let without = ["-R2", "R2"]
        .into_iter()
        .find_map(|mark| rest.strip_suffix(mark).or_else(|| rest.strip_prefix(mark)));
    without.map_or((rest, false), |rest| (rest, true))
}

/// The name behind a bay count of one or two digits. The last two digits of the number are the series' own (`51` of
/// `TS-1251`), so the count is what stands before them; it does not start with 0.
fn without_bay_count(text: &str) -> Option<&str> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let bays = digits.checked_sub(2)?;
    let count = text.get(..bays)?;
    ((1..=2).contains(&bays) && !count.starts_with('0')).then(|| text.get(bays..))?
}

/// `-8G`, `-16G`, `-512M`: installed memory.
fn is_capacity(suffix: &str) -> bool {
    let number = suffix.strip_prefix('-').and_then(|s| s.strip_suffix('G').or_else(|| s.strip_suffix('M')));
    number.is_some_and(|n| {
        (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()) && !n.starts_with('0')
    })
}

#[cfg(test)]
mod tests;
