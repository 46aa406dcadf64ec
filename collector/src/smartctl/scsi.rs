//! The SCSI part of smartctl's answer: informational exceptions, defect lists, error counters, self-tests.

use assay_bundle::Observed;
use assay_bundle::facts::drive::{Drive, ScsiHealth, SelfTest, SelfTestOutcome};
use assay_bundle::units::Hours;
use serde_json::Value;

use super::json::{Json, small};

/// The results page holds at most 20 tests, newest first (SPC-4, 7.3.20).
const MOST_SELF_TESTS: usize = 20;

pub(super) fn read(json: &Json<'_>, drive: &mut Drive) {
    drive.ata_attributes = Observed::Absent;
    drive.ata_error_count = Observed::Absent;
    drive.nvme = Observed::Absent;
    drive.pending_defects =
        json.unsigned("/scsi_pending_defects/count").map_or(Observed::Absent, |count| json.seen(count));
    drive.scsi = health(json);
    drive.self_tests = self_tests(json);
}

fn health(json: &Json<'_>) -> Observed<ScsiHealth> {
    let code = |key| json.unsigned(key).and_then(|number| u8::try_from(number).ok());
    let uncorrected: Vec<u64> = ["read", "write", "verify"]
        .iter()
        .filter_map(|kind| json.unsigned(&format!("/scsi_error_counter_log/{kind}/total_uncorrected_errors")))
        .collect();
    let health = ScsiHealth {
        asc: code("/smart_status/scsi/asc"),
        ascq: code("/smart_status/scsi/ascq"),
        grown_defects: json.unsigned("/scsi_grown_defect_list"),
        uncorrected_errors: (!uncorrected.is_empty())
            .then(|| uncorrected.iter().fold(0_u64, |sum, one| sum.saturating_add(*one))),
    };
    if health == ScsiHealth::default() { Observed::NotCollected } else { json.seen(health) }
}

/// `scsi_self_test_0` is the newest. A drive that keeps no results page, or never ran a test, has no such key; the
/// two cannot be told apart, so neither is called an empty log.
fn self_tests(json: &Json<'_>) -> Observed<Vec<SelfTest>> {
    let tests: Vec<SelfTest> = (0..MOST_SELF_TESTS)
        .map_while(|index| json.at(&format!("/scsi_self_test_{index}")))
        .filter_map(logged)
        .collect();
    if tests.is_empty() { Observed::Absent } else { json.seen(tests) }
}

/// Result values of SPC-4: 0 completed, 1 and 2 aborted, 3 unknown error, 4 to 7 failed, 15 in progress.
fn logged(row: &Value) -> Option<SelfTest> {
    let outcome = match small(row, "/result/value")? {
        0 => SelfTestOutcome::Passed,
        3..=7 => SelfTestOutcome::Failed,
        15 => SelfTestOutcome::Running,
        _ => SelfTestOutcome::NotCompleted,
    };
    let text = |pointer| row.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let lba = ["/lba_first_failure/value", "/lba_first_failure"]
        .iter()
        .find_map(|pointer| row.pointer(pointer).and_then(Value::as_u64));
    Some(SelfTest {
        kind: text("/code/string"),
        outcome,
        text: text("/result/string"),
        at_power_on_hours: row.pointer("/power_on_time/hours").and_then(Value::as_u64).map(Hours),
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
