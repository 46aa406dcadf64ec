//! The NVMe part of smartctl's answer: the health log and the self-test log, with their `null` gaps.

use assay_bundle::Observed;
use assay_bundle::facts::drive::{Drive, NvmeHealth, SelfTest, SelfTestOutcome};
use assay_bundle::units::{Hours, Percent};
use serde_json::Value;

use super::json::{Json, small};

const LOG: &str = "/nvme_smart_health_information_log";

pub(super) fn read(json: &Json<'_>, drive: &mut Drive) {
    drive.ata_attributes = Observed::Absent;
    drive.ata_error_count = Observed::Absent;
    drive.pending_defects = Observed::Absent;
    drive.scsi = Observed::Absent;
    drive.nvme = health(json);
    drive.self_tests = self_tests(json);
}

fn health(json: &Json<'_>) -> Observed<NvmeHealth> {
    let field = |name: &str| format!("{LOG}/{name}");
    let percent =
        |name: &str| json.unsigned(&field(name)).and_then(|number| u8::try_from(number).ok()).map(Percent);
    let Some(critical_warning) = json.unsigned(&field("critical_warning")).and_then(|n| u8::try_from(n).ok())
    else {
        return Observed::NotCollected;
    };
    json.seen(NvmeHealth {
        critical_warning,
        available_spare_percent: percent("available_spare"),
        available_spare_threshold_percent: percent("available_spare_threshold"),
        percentage_used: percent("percentage_used"),
        media_errors: json.counter(&field("media_errors")),
        error_log_entries: json.counter(&field("num_err_log_entries")),
        unsafe_shutdowns: json.counter(&field("unsafe_shutdowns")),
        warning_temperature_minutes: json.unsigned(&field("warning_temp_time")),
        critical_temperature_minutes: json.unsigned(&field("critical_comp_time")),
    })
}

/// smartctl before 7.4 does not print this log, and many drives do not keep it: not there is Absent.
fn self_tests(json: &Json<'_>) -> Observed<Vec<SelfTest>> {
    if json.at("/nvme_self_test_log").is_none() {
        return Observed::Absent;
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
    let text = |pointer| row.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let lba = row.pointer("/lba").and_then(|lba| lba.as_u64().or_else(|| lba.pointer("/value")?.as_u64()));
    Some(SelfTest {
        kind: text("/self_test_code/string"),
        outcome,
        text: text("/self_test_result/string"),
        at_power_on_hours: row.pointer("/power_on_hours").and_then(Value::as_u64).map(Hours),
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
