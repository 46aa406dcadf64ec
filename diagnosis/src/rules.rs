//! The list of rules, in reporting order: what costs data first. A rule is one file below `rules/` and one line here;
//! a file that is not in the list fails a test.

use crate::rule::Rule;

pub mod drive_pending_sectors;
pub mod drive_smart_failed;
pub mod drive_stuck;
pub mod drive_too_hot;
pub mod fan_stalled;
pub mod md_degraded;
pub mod memory_uncorrected;
pub mod power_unit;

/// Every rule. Codes are unique and sorted within their family.
pub static RULES: &[&Rule] = &[
    &drive_smart_failed::RULE,
    &drive_pending_sectors::RULE,
    &drive_stuck::RULE,
    &md_degraded::RULE,
    &memory_uncorrected::RULE,
    &power_unit::RULE,
    &fan_stalled::RULE,
    &drive_too_hot::RULE,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn codes_are_unique_and_sorted_in_their_family() {
        let codes: Vec<&str> = RULES.iter().map(|rule| rule.code).collect();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len(), "{codes:?}");
        let mut families: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for code in &codes {
            families.entry(code.split('-').next().unwrap_or_default()).or_default().push(code);
        }
        for (family, codes) in families {
            assert!(codes.is_sorted(), "{family}: {codes:?}");
            assert!(family.chars().all(|c| c.is_ascii_uppercase()), "{family}");
        }
    }

    #[test]
    fn every_rule_says_all_four_things() {
        for rule in RULES {
            for (heading, text) in [
                ("checks", rule.checks),
                ("why", rule.why),
                ("what to do", rule.what_to_do),
                ("threshold", rule.threshold_source),
            ] {
                assert!(text.len() > 20 && text.ends_with('.'), "{} {heading}: {text:?}", rule.code);
            }
        }
    }
}
