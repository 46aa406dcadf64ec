//! The list of rules, in reporting order: what costs data first. A rule is one file below `rules/` and one line here;
//! a file that is not in the list fails a test.

use crate::rule::Rule;

pub mod bay_loses_drives;
pub mod drive_dropped;
pub mod drive_pending_sectors;
pub mod drive_smart_failed;
pub mod drive_stuck;
pub mod drive_too_hot;
pub mod enclosure_degraded;
pub mod fan_stalled;
pub mod flash_overheating;
pub mod md_degraded;
pub mod memory_uncorrected;
pub mod nvme_error_log;
pub mod nvme_media_errors;
pub mod nvme_timeouts;
pub mod power_unit;
pub mod sas_grown_defects;
pub mod sas_uncorrected;
pub mod shared_mark;

/// Every rule. Codes are unique and sorted within their family.
pub static RULES: &[&Rule] = &[
    &drive_smart_failed::RULE,
    &drive_pending_sectors::RULE,
    &drive_stuck::RULE,
    &drive_dropped::RULE,
    &shared_mark::RULE,
    &bay_loses_drives::RULE,
    &nvme_media_errors::RULE,
    &nvme_error_log::RULE,
    &nvme_timeouts::RULE,
    &flash_overheating::RULE,
    &sas_grown_defects::RULE,
    &sas_uncorrected::RULE,
    &enclosure_degraded::RULE,
    &md_degraded::RULE,
    &memory_uncorrected::RULE,
    &power_unit::RULE,
    &fan_stalled::RULE,
    &drive_too_hot::RULE,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Four, state};
    use crate::view::View;
    use assay_bundle::facts::Facts;
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

    /// For each rule the facts on which it reaches each of its four outcomes; one line per rule, in the order of the
    /// list. A rule that cannot reach one says why in its own file and leaves it out.
    const FOUR: &[(&Rule, fn() -> Four)] = &[
        (&drive_smart_failed::RULE, drive_smart_failed::tests::four),
        (&drive_pending_sectors::RULE, drive_pending_sectors::tests::four),
        (&drive_stuck::RULE, drive_stuck::tests::four),
        (&drive_dropped::RULE, drive_dropped::tests::four),
        (&shared_mark::RULE, shared_mark::tests::four),
        (&bay_loses_drives::RULE, bay_loses_drives::tests::four),
        (&nvme_media_errors::RULE, nvme_media_errors::tests::four),
        (&nvme_error_log::RULE, nvme_error_log::tests::four),
        (&nvme_timeouts::RULE, nvme_timeouts::tests::four),
        (&flash_overheating::RULE, flash_overheating::tests::four),
        (&sas_grown_defects::RULE, sas_grown_defects::tests::four),
        (&sas_uncorrected::RULE, sas_uncorrected::tests::four),
        (&enclosure_degraded::RULE, enclosure_degraded::tests::four),
        (&md_degraded::RULE, md_degraded::tests::four),
        (&memory_uncorrected::RULE, memory_uncorrected::tests::four),
        (&power_unit::RULE, power_unit::tests::four),
        (&fan_stalled::RULE, fan_stalled::tests::four),
        (&drive_too_hot::RULE, drive_too_hot::tests::four),
    ];

    #[test]
    fn every_rule_reaches_its_four_outcomes() {
        let listed: Vec<&str> = RULES.iter().map(|rule| rule.code).collect();
        let tested: Vec<&str> = FOUR.iter().map(|(rule, _)| rule.code).collect();
        assert_eq!(tested, listed, "every rule has its four cases, in the order of the list");
        for (rule, four) in FOUR {
            let four = four();
            let states = |facts: &Facts| -> Vec<String> {
                (rule.evaluate)(&View::new(facts)).iter().map(|j| state(&j.outcome)).collect()
            };
            for (facts, wanted) in [
                (Some(&four.fires), "found"),
                (Some(&four.clear), "clear"),
                (Some(&four.cannot_tell), "cannot tell"),
                (four.not_applicable.as_ref(), "not applicable"),
            ] {
                let Some(facts) = facts else { continue };
                let states = states(facts);
                let reached =
                    states.iter().any(|s| s.starts_with(wanted) || wanted == "clear" && s == "exonerated");
                assert!(reached, "{}: {wanted} is not among {states:?}", rule.code);
                // A clear case in which something else fires would prove little.
                assert!(
                    wanted == "found" || !states.iter().any(|s| s.starts_with("found")),
                    "{}: {states:?}",
                    rule.code
                );
            }
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
