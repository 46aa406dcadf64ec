//! The list of rules, in reporting order: what costs data first. A rule is one file below `rules/` and one line here;
//! a file that is not in the list fails a test.

use crate::rule::Rule;

pub mod air_flow;
pub mod bay_loses_drives;
pub mod board_clock;
pub mod board_controller;
pub mod boot_device_failing;
pub mod clock_battery;
pub mod drive_command_timeout;
pub mod drive_dropped;
pub mod drive_end_to_end;
pub mod drive_helium;
pub mod drive_identity_changed;
pub mod drive_offline_uncorrectable;
pub mod drive_pending_sectors;
pub mod drive_read_failed;
pub mod drive_reallocated;
pub mod drive_reported_uncorrectable;
pub mod drive_self_test_failed;
pub mod drive_smart_failed;
pub mod drive_spin_retry;
pub mod drive_stuck;
pub mod drive_too_hot;
pub mod enclosure_degraded;
pub mod fan_bearing;
pub mod fan_missing;
pub mod fan_stalled;
pub mod file_system;
pub mod firmware_notice;
pub mod flash_overheating;
pub mod link_crc;
pub mod link_slow;
pub mod md_degraded;
pub mod md_mismatch;
pub mod md_not_running;
pub mod md_read_errors;
pub mod memory_corrected;
pub mod memory_gone;
pub mod memory_suspected;
pub mod memory_uncorrected;
pub mod network_port;
pub mod nvme_error_log;
pub mod nvme_media_errors;
pub mod nvme_timeouts;
pub mod pci_link;
pub mod power_ageing;
pub mod power_unit;
pub mod power_voltages;
pub mod processor;
pub mod sas_grown_defects;
pub mod sas_uncorrected;
pub mod shared_mark;
pub mod ssd_program_fail;
pub mod ssd_spare_low;
pub mod ssd_worn;
pub mod unit_too_hot;
pub mod ups_battery;
pub mod zfs_data_errors;
pub mod zfs_pool;

/// Every rule. Codes are unique and sorted within their family.
pub static RULES: &[&Rule] = &[
    &drive_smart_failed::RULE,
    &drive_pending_sectors::RULE,
    &drive_stuck::RULE,
    &drive_self_test_failed::RULE,
    &drive_reported_uncorrectable::RULE,
    &drive_reallocated::RULE,
    &drive_spin_retry::RULE,
    &drive_end_to_end::RULE,
    &drive_helium::RULE,
    &drive_command_timeout::RULE,
    &drive_offline_uncorrectable::RULE,
    &drive_identity_changed::RULE,
    &link_crc::RULE,
    &link_slow::RULE,
    &ssd_worn::RULE,
    &ssd_spare_low::RULE,
    &ssd_program_fail::RULE,
    &drive_dropped::RULE,
    &drive_read_failed::RULE,
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
    &md_mismatch::RULE,
    &md_read_errors::RULE,
    &md_not_running::RULE,
    &zfs_pool::RULE,
    &zfs_data_errors::RULE,
    &file_system::RULE,
    &memory_uncorrected::RULE,
    &memory_corrected::RULE,
    &memory_suspected::RULE,
    &memory_gone::RULE,
    &processor::RULE,
    &pci_link::RULE,
    &boot_device_failing::RULE,
    &board_clock::RULE,
    &board_controller::RULE,
    &clock_battery::RULE,
    &power_unit::RULE,
    &power_ageing::RULE,
    &power_voltages::RULE,
    &ups_battery::RULE,
    &fan_stalled::RULE,
    &fan_bearing::RULE,
    &fan_missing::RULE,
    &drive_too_hot::RULE,
    &air_flow::RULE,
    &unit_too_hot::RULE,
    &network_port::RULE,
    &firmware_notice::RULE,
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

    type RuleWithCases = (&'static Rule, fn() -> Four);

    /// For each rule the facts on which it reaches each of its four outcomes; one line per rule, in the order of the
    /// list. A rule that cannot reach one says why in its own file and leaves it out.
    const FOUR: &[RuleWithCases] = &[
        (&drive_smart_failed::RULE, drive_smart_failed::tests::four),
        (&drive_pending_sectors::RULE, drive_pending_sectors::tests::four),
        (&drive_stuck::RULE, drive_stuck::tests::four),
        (&drive_self_test_failed::RULE, drive_self_test_failed::tests::four),
        (&drive_reported_uncorrectable::RULE, drive_reported_uncorrectable::tests::four),
        (&drive_reallocated::RULE, drive_reallocated::tests::four),
        (&drive_spin_retry::RULE, drive_spin_retry::tests::four),
        (&drive_end_to_end::RULE, drive_end_to_end::tests::four),
        (&drive_helium::RULE, drive_helium::tests::four),
        (&drive_command_timeout::RULE, drive_command_timeout::tests::four),
        (&drive_offline_uncorrectable::RULE, drive_offline_uncorrectable::tests::four),
        (&drive_identity_changed::RULE, drive_identity_changed::tests::four),
        (&link_crc::RULE, link_crc::tests::four),
        (&link_slow::RULE, link_slow::tests::four),
        (&ssd_worn::RULE, ssd_worn::tests::four),
        (&ssd_spare_low::RULE, ssd_spare_low::tests::four),
        (&ssd_program_fail::RULE, ssd_program_fail::tests::four),
        (&drive_dropped::RULE, drive_dropped::tests::four),
        (&drive_read_failed::RULE, drive_read_failed::tests::four),
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
        (&md_mismatch::RULE, md_mismatch::tests::four),
        (&md_read_errors::RULE, md_read_errors::tests::four),
        (&md_not_running::RULE, md_not_running::tests::four),
        (&zfs_pool::RULE, zfs_pool::tests::four),
        (&zfs_data_errors::RULE, zfs_data_errors::tests::four),
        (&file_system::RULE, file_system::tests::four),
        (&memory_uncorrected::RULE, memory_uncorrected::tests::four),
        (&memory_corrected::RULE, memory_corrected::tests::four),
        (&memory_suspected::RULE, memory_suspected::tests::four),
        (&memory_gone::RULE, memory_gone::tests::four),
        (&processor::RULE, processor::tests::four),
        (&pci_link::RULE, pci_link::tests::four),
        (&boot_device_failing::RULE, boot_device_failing::tests::four),
        (&board_clock::RULE, board_clock::tests::four),
        (&board_controller::RULE, board_controller::tests::four),
        (&clock_battery::RULE, clock_battery::tests::four),
        (&power_unit::RULE, power_unit::tests::four),
        (&power_ageing::RULE, power_ageing::tests::four),
        (&power_voltages::RULE, power_voltages::tests::four),
        (&ups_battery::RULE, ups_battery::tests::four),
        (&fan_stalled::RULE, fan_stalled::tests::four),
        (&fan_bearing::RULE, fan_bearing::tests::four),
        (&fan_missing::RULE, fan_missing::tests::four),
        (&drive_too_hot::RULE, drive_too_hot::tests::four),
        (&air_flow::RULE, air_flow::tests::four),
        (&unit_too_hot::RULE, unit_too_hot::tests::four),
        (&network_port::RULE, network_port::tests::four),
        (&firmware_notice::RULE, firmware_notice::tests::four),
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
