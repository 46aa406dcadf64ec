//! How evidence is written: path of the fact, value with its unit, place below `raw/`.
//!
//! Refuses to invent a place: what was not seen is written as the absence of a reading, with an empty place.

use std::fmt::Display;

use assay_bundle::Observed;
use assay_bundle::diagnosis::{DiscriminatingTest, Evidence};

/// A value in words, and where it stands.
pub(crate) fn told(fact: impl Into<String>, value: impl Into<String>, from: &str) -> Evidence {
    Evidence { fact: fact.into(), value: value.into(), from: from.to_owned() }
}

/// A reading as it is; nothing when it was not seen.
pub(crate) fn seen<T: Display>(fact: impl Into<String>, reading: &Observed<T>) -> Option<Evidence> {
    match reading {
        Observed::Seen { value, from } => Some(told(fact, value.to_string(), from)),
        _ => None,
    }
}

/// A reading as it is, or in words why there is none.
pub(crate) fn seen_or_why<T: Display>(fact: impl Into<String>, reading: &Observed<T>) -> Evidence {
    match reading {
        Observed::Seen { value, from } => told(fact, value.to_string(), from),
        other => told(fact, format!("not known: {}", other.why_not().unwrap_or_default()), ""),
    }
}

/// A discriminating test. Every test of this crate moves nothing: one that pulls or swaps a drive would be safe only
/// with every array redundant and clean, a confirmed backup and the power off, and facts cannot confirm a backup.
pub(crate) fn test(action: impl Into<String>, outcomes: &[&str]) -> Option<DiscriminatingTest> {
    Some(DiscriminatingTest {
        action: action.into(),
        outcomes: outcomes.iter().map(|&outcome| outcome.to_owned()).collect(),
    })
}

/// `none`, `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_like_a_sentence() {
        for (items, text) in [
            (vec![], "none"),
            (vec!["a"], "a"),
            (vec!["a", "b"], "a and b"),
            (vec!["a", "b", "c"], "a, b and c"),
        ] {
            let items: Vec<String> = items.into_iter().map(str::to_owned).collect();
            assert_eq!(listed(&items), text);
        }
    }
}
