//! The NVMe part of smartctl's answer: the health log and the self-test log, with their `null` gaps.

use assay_bundle::Observed;
use assay_bundle::facts::drive::{Drive, NvmeHealth, NvmeMediaError, SelfTest, SelfTestOutcome};
use assay_bundle::units::{Celsius, Hours, Percent};
use serde_json::Value;

use super::json::{Json, find, number, small, words};

const LOG: &str = "/nvme_smart_health_information_log";
/// Status code type of media and data integrity errors (NVMe base specification, status field).
const MEDIA_ERROR: u8 = 2;
/// Entries kept of the error log; controllers hold up to 256 and smartctl prints 16 unless it is asked for more.
const MOST_ERRORS: usize = 64;
/// Sensors in the health log.
const MOST_SENSORS: usize = 8;

pub(super) fn read(json: &Json<'_>, drive: &mut Drive, command_failed: bool) {
    drive.ata_attributes = Observed::Absent;
    drive.ata_error_count = Observed::Absent;
    drive.ata_errors = Observed::Absent;
    drive.ata_statistics = Observed::Absent;
    drive.pending_defects = Observed::Absent;
    drive.pending_defect_sectors = Observed::Absent;
    drive.phy_events = Observed::Absent;
    drive.farm = Observed::Absent;
    drive.scsi = Observed::Absent;
    drive.scsi_background_defects = Observed::Absent;
    drive.nvme = health(json);
    drive.self_tests = self_tests(json, command_failed);
    drive.nvme_media_errors = match json.array("/nvme_error_information_log/table") {
        Some(rows) => json.seen(rows.iter().filter_map(media_error).take(MOST_ERRORS).collect()),
        None if json.at("/nvme_error_information_log").is_some() => json.seen(Vec::new()),
        None => json.missing_extra("/nvme_error_information_log", "error information log", command_failed),
    };
}

fn health(json: &Json<'_>) -> Observed<NvmeHealth> {
    let field = |name: &str| format!("{LOG}/{name}");
    let percent = |name: &str| json.byte(&field(name)).map(Percent);
    let counter = |name: &str| json.counter(&field(name));
    let Some(critical_warning) = json.byte(&field("critical_warning")) else {
        return Observed::NotCollected;
    };
    let limit = |name: &str| {
        json.at(&format!("/nvme_composite_temperature_threshold/{name}"))
            .and_then(Value::as_i64)
            .and_then(Celsius::of_drive)
    };
    let sensors = json.array(&field("temperature_sensors")).unwrap_or_default();
    json.seen(NvmeHealth {
        critical_warning,
        available_spare_percent: percent("available_spare").filter(|spare| spare.0 <= 100),
        available_spare_threshold_percent: percent("available_spare_threshold"),
        percentage_used: percent("percentage_used"),
        media_errors: counter("media_errors"),
        error_log_entries: counter("num_err_log_entries"),
        unsafe_shutdowns: counter("unsafe_shutdowns"),
        warning_temperature_minutes: json.unsigned(&field("warning_temp_time")),
        critical_temperature_minutes: json.unsigned(&field("critical_comp_time")),
        data_units_read: counter("data_units_read"),
        data_units_written: counter("data_units_written"),
        host_reads: counter("host_reads"),
        host_writes: counter("host_writes"),
        controller_busy_minutes: counter("controller_busy_time"),
        temperature_sensors_c: sensors
            .iter()
            .take(MOST_SENSORS)
            .map(|degrees| degrees.as_i64().and_then(Celsius::of_drive))
            .collect(),
        warning_temperature_c: limit("warning"),
        critical_temperature_c: limit("critical"),
    })
}

/// Entries that only tell of a refused command (status code types 0 and 1) are noise: 40 % of drives have them.
fn media_error(row: &Value) -> Option<NvmeMediaError> {
    (small(row, "/status_field/status_code_type")? == MEDIA_ERROR).then_some(())?;
    Some(NvmeMediaError {
        error_count: number(row, "/error_count")?,
        status_code: small(row, "/status_field/status_code")?,
        lba: number(row, "/lba/value").or_else(|| number(row, "/lba")),
        // All ones is the broadcast value: no one namespace.
        namespace: number(row, "/nsid").and_then(|id| u32::try_from(id).ok()).filter(|id| *id != u32::MAX),
    })
}

/// smartctl before 7.4 does not print this log, and many drives do not keep it: not there is Absent.
fn self_tests(json: &Json<'_>, command_failed: bool) -> Observed<Vec<SelfTest>> {
    if json.at("/nvme_self_test_log").is_none() {
        return json.missing("/nvme_self_test_log", "self-test log", command_failed);
    }
    let operation = json.unsigned("/nvme_self_test_log/current_self_test_operation/value").unwrap_or(0);
    let running = (operation != 0).then(|| SelfTest {
        kind: "running now".to_owned(),
        outcome: SelfTestOutcome::Running,
        text: json
            .text("/nvme_self_test_log/current_self_test_operation/string")
            .unwrap_or_default()
            .to_owned(),
        at_power_on_hours: None,
        first_error_lba: None,
    });
    let rows = json.array("/nvme_self_test_log/table").unwrap_or_default();
    json.seen(running.into_iter().chain(rows.iter().filter_map(logged)).collect())
}

/// Result values of the NVMe base specification's self-test log: 0 passed, 5 to 7 failed, the rest not completed.
fn logged(row: &Value) -> Option<SelfTest> {
    let outcome = match small(row, "/self_test_result/value")? {
        0 => SelfTestOutcome::Passed,
        5..=7 => SelfTestOutcome::Failed,
        _ => SelfTestOutcome::NotCompleted,
    };
    let lba = find(row, "/lba").and_then(|lba| lba.as_u64().or_else(|| find(lba, "/value")?.as_u64()));
    Some(SelfTest {
        kind: words(row, "/self_test_code/string"),
        outcome,
        text: words(row, "/self_test_result/string"),
        at_power_on_hours: number(row, "/power_on_hours").map(Hours),
        first_error_lba: lba,
    })
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::smartctl::parse;

    #[test]
    fn nvme_with_gaps_and_large_counters() {
        let found = parse(
            json!({
            "smartctl": {"version": [7, 4], "exit_status": 0},
            "device": {"name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe"},
            "model_name": "EXAMPLE SSD", "serial_number": "N1", "nvme_total_capacity": 500_107_862_016_u64,
            "nvme_namespaces": [{"id": 1, "eui64": {"oui": 9528, "ext_id": 376_106_710_327_u64}}],
            "smart_status": {"passed": false, "nvme": {"value": 4}},
            "temperature": {"current": 35}, "power_on_time": {"hours": 7},
            "nvme_smart_health_information_log": {
                "critical_warning": 4, "available_spare": 100, "available_spare_threshold": 10, "percentage_used": 110,
                "media_errors": 1e30, "media_errors_s": "340282366920938463463374607431768211455",
                "num_err_log_entries": 62, "unsafe_shutdowns": null, "temperature_sensors": [35, null, 39],
            },
            "nvme_self_test_log": {
                "current_self_test_operation": {"value": 1, "string": "Short self-test in progress"},
                "table": [null, {"self_test_code": {"value": 1, "string": "Short"}, "self_test_result": {"value": 7, "string": "failed segments"}, "power_on_hours": 3, "lba": {"value": 5}}],
            },
        })
        .to_string().as_bytes(), "cmd/smartctl.nvme.nvme0/stdout");
        let health = found.drive.nvme.value().expect("a health log");
        assert_eq!((health.critical_warning, health.percentage_used), (4, Some(Percent(110))));
        assert_eq!((health.media_errors, health.error_log_entries), (Some(u128::MAX), Some(62)));
        assert_eq!((health.unsafe_shutdowns, health.warning_temperature_minutes), (None, None));
        assert_eq!(found.drive.health_passed.value(), Some(&false));
        assert_eq!(found.drive.wwn.value().map(String::as_str), Some("0025385791b4f537"));
        let outcomes: Vec<_> = found
            .drive
            .self_tests
            .value()
            .expect("a log")
            .iter()
            .map(|t| (t.outcome, t.first_error_lba))
            .collect();
        assert_eq!(outcomes, [(SelfTestOutcome::Running, None), (SelfTestOutcome::Failed, Some(5))]);
        assert!(found.drive.rotation_rpm.is_absent() && found.drive.ata_attributes.is_absent());
    }
}
