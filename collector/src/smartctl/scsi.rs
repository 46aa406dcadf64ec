//! The SCSI part of smartctl's answer: informational exceptions, defect lists, error counters, self-tests.

use assay_bundle::Observed;
use assay_bundle::facts::drive::{
    BackgroundDefect, Drive, PendingDefect, ScsiHealth, SelfTest, SelfTestOutcome,
};
use assay_bundle::units::{Hours, Percent};
use serde_json::Value;

use super::ata_logs::MOST_DEFECTS;
use super::json::{Json, find, number, small, words};

/// The results page holds at most 20 tests, newest first (SPC-4, 7.3.20).
const MOST_SELF_TESTS: usize = 20;
/// Reassign status "the host must write or reassign the block" (SBC-4, background scan results page).
const NEEDS_REASSIGNMENT: u8 = 1;

pub(super) fn read(json: &Json<'_>, drive: &mut Drive, command_failed: bool) {
    // A drive without one of these pages has no key; one whose page is empty cannot be told from it.
    const PENDING: &str = "/scsi_pending_defects";
    const SCAN: &str = "/scsi_background_scan";
    drive.ata_attributes = Observed::Absent;
    drive.ata_error_count = Observed::Absent;
    drive.ata_errors = Observed::Absent;
    drive.ata_statistics = Observed::Absent;
    drive.phy_events = Observed::Absent;
    drive.farm = Observed::Absent;
    drive.nvme = Observed::Absent;
    drive.nvme_media_errors = Observed::Absent;
    drive.pending_defects = json.unsigned(&format!("{PENDING}/count")).map_or_else(
        || json.missing(PENDING, "pending defects page", command_failed),
        |count| json.seen(count),
    );
    drive.pending_defect_sectors = match json.at(PENDING) {
        Some(page) => {
            json.seen(numbered(page, "").map_while(|(_, row)| defect(row)).take(MOST_DEFECTS).collect())
        }
        None => json.missing(PENDING, "pending defects page", command_failed),
    };
    drive.scsi_background_defects = match json.at(SCAN) {
        Some(page) => json
            .seen(numbered(page, "result_").filter_map(|(_, row)| scanned(row)).take(MOST_DEFECTS).collect()),
        None => json.missing(SCAN, "background scan page", command_failed),
    };
    drive.scsi = health(json);
    drive.self_tests = self_tests(json, command_failed);
}

/// The rows `PREFIX1`, `PREFIX2` … in their order, whatever the order of the keys; gaps are passed over.
fn numbered<'a>(page: &'a Value, prefix: &str) -> impl Iterator<Item = (u32, &'a Value)> + use<'a> {
    let mut rows: Vec<(u32, &Value)> = page
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, row)| Some((key.strip_prefix(prefix)?.parse().ok()?, row)))
        .collect();
    rows.sort_by_key(|(index, _)| *index);
    rows.into_iter()
}

fn defect(row: &Value) -> Option<PendingDefect> {
    Some(PendingDefect {
        lba: number(row, "/LBA").or_else(|| number(row, "/lba"))?,
        at_power_on_hours: number(row, "/accum_power_on_hours").map(Hours),
    })
}

fn scanned(row: &Value) -> Option<BackgroundDefect> {
    const MINUTES: u64 = 60;
    Some(BackgroundDefect {
        lba: number(row, "/lba")?,
        at_power_on_hours: number(row, "/accumulated_power_on/minutes")
            .map(|minutes| Hours(minutes / MINUTES)),
        sense_key: small(row, "/sense_key/value")?,
        asc: small(row, "/asc")?,
        ascq: small(row, "/ascq")?,
        needs_reassignment: small(row, "/reassign_status/value") == Some(NEEDS_REASSIGNMENT),
    })
}

fn health(json: &Json<'_>) -> Observed<ScsiHealth> {
    let uncorrected =
        |kind: &str| json.unsigned(&format!("/scsi_error_counter_log/{kind}/total_uncorrected_errors"));
    let kinds = [uncorrected("read"), uncorrected("write"), uncorrected("verify")];
    let cycles = |key: &str| json.unsigned(&format!("/scsi_start_stop_cycle_counter/{key}"));
    let health = ScsiHealth {
        asc: json.byte("/smart_status/scsi/asc"),
        ascq: json.byte("/smart_status/scsi/ascq"),
        grown_defects: json.unsigned("/scsi_grown_defect_list"),
        uncorrected_errors: kinds.iter().flatten().copied().reduce(u64::saturating_add),
        uncorrected_read_errors: kinds[0],
        uncorrected_write_errors: kinds[1],
        uncorrected_verify_errors: kinds[2],
        non_medium_errors: json.unsigned("/scsi_non_medium_error_count"),
        start_stop_cycles: cycles("accumulated_start_stop_cycles"),
        start_stop_cycles_specified: cycles("specified_cycle_count_over_device_lifetime"),
        load_unload_cycles: cycles("accumulated_load_unload_cycles"),
        load_unload_cycles_specified: cycles("specified_load_unload_count_over_device_lifetime"),
        percentage_used: json.byte("/scsi_percentage_used_endurance_indicator").map(Percent),
        background_medium_scans: json.unsigned("/scsi_background_scan/status/number_medium_scans_performed"),
    };
    if health == ScsiHealth::default() { Observed::NotCollected } else { json.seen(health) }
}

/// `scsi_self_test_0` is the newest. A drive that keeps no results page, or never ran a test, has no such key; the
/// two cannot be told apart, so neither is called an empty log.
fn self_tests(json: &Json<'_>, command_failed: bool) -> Observed<Vec<SelfTest>> {
    let tests: Vec<SelfTest> = (0..MOST_SELF_TESTS)
        .map_while(|index| json.at(&format!("/scsi_self_test_{index}")))
        .filter_map(logged)
        .collect();
    if tests.is_empty() {
        return json.missing("/scsi_self_test_0", "self-test results page", command_failed);
    }
    json.seen(tests)
}

/// Result values of SPC-4: 0 completed, 1 and 2 aborted, 3 unknown error, 4 to 7 failed, 15 in progress.
fn logged(row: &Value) -> Option<SelfTest> {
    let outcome = match small(row, "/result/value")? {
        0 => SelfTestOutcome::Passed,
        3..=7 => SelfTestOutcome::Failed,
        15 => SelfTestOutcome::Running,
        _ => SelfTestOutcome::NotCompleted,
    };
    let lba = ["/lba_first_failure/value", "/lba_first_failure"]
        .iter()
        .find_map(|pointer| find(row, pointer).and_then(Value::as_u64));
    Some(SelfTest {
        kind: words(row, "/code/string"),
        outcome,
        text: words(row, "/result/string"),
        at_power_on_hours: number(row, "/power_on_time/hours").map(Hours),
        first_error_lba: lba,
    })
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use assay_bundle::facts::drive::Protocol;
    use assay_bundle::units::Celsius;
    use serde_json::json;

    use super::*;
    use crate::smartctl::parse;

    #[test]
    fn scsi_with_a_predicted_failure() {
        let test = |result: u32, hours: u32| json!({"code": {"value": 1, "string": "Background short"}, "result": {"value": result, "string": "x"}, "power_on_time": {"hours": hours}});
        let found = parse(
            json!({
            "smartctl": {"version": [7, 3], "exit_status": 8},
            "device": {"name": "/dev/sdb", "type": "scsi", "protocol": "SCSI"},
            "scsi_vendor": "EXAMPLE ", "scsi_product": "SAS4000", "scsi_revision": "A1", "serial_number": "S1",
            "logical_unit_id": "0x5000C500ABCDEF01", "rotation_rate": 7202,
            "smart_status": {"passed": false, "scsi": {"asc": 93, "ascq": 16, "ie_string": "FAILURE PREDICTION THRESHOLD EXCEEDED"}},
            "scsi_temperature": {"current": 33, "drive_trip": 65}, "temperature": {"drive_trip": 65},
            "scsi_grown_defect_list": 260,
            "scsi_error_counter_log": {"read": {"total_uncorrected_errors": 1, "gigabytes_processed": "11.5"}, "write": {"total_uncorrected_errors": 535}},
            "scsi_self_test_0": test(0, 90), "scsi_self_test_1": test(7, 80),
        })
        .to_string().as_bytes(), "cmd/smartctl.scsi.sdb/stdout");
        let drive = &found.drive;
        assert_eq!(
            (drive.protocol.value(), drive.model.value().map(String::as_str)),
            (Some(&Protocol::Scsi), Some("EXAMPLE SAS4000"))
        );
        assert_eq!(drive.wwn.value().map(String::as_str), Some("5000c500abcdef01"));
        let health = drive.scsi.value().expect("pages");
        assert_eq!(
            (health.asc, health.ascq, health.grown_defects, health.uncorrected_errors),
            (Some(93), Some(16), Some(260), Some(536))
        );
        assert_eq!(
            (drive.temperature_c.value(), drive.temperature_limit_c.value()),
            (Some(&Celsius(33)), Some(&Celsius(65)))
        );
        let outcomes: Vec<_> = drive.self_tests.value().expect("a page").iter().map(|t| t.outcome).collect();
        assert_eq!(outcomes, [SelfTestOutcome::Passed, SelfTestOutcome::Failed]);
    }
}
