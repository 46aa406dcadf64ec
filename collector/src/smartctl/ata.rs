//! The ATA part of smartctl's answer: attributes and self-tests; the other logs are in `ata_logs`.

use assay_bundle::Observed;
use assay_bundle::facts::drive::{AtaAttribute, Drive, SelfTest, SelfTestOutcome, WhenFailed};
use assay_bundle::units::Hours;
use serde_json::Value;

use super::json::{Json, find, number, small, words};
use super::{ata_logs, decode};

pub(super) fn read(json: &Json<'_>, drive: &mut Drive, command_failed: bool) {
    drive.nvme = Observed::Absent;
    drive.nvme_media_errors = Observed::Absent;
    drive.scsi = Observed::Absent;
    drive.scsi_background_defects = Observed::Absent;
    let model = drive.model.value().cloned().unwrap_or_default();
    drive.ata_attributes = match (json.array("/ata_smart_attributes/table"), json.rows()) {
        (Some(_), Some(rows)) => {
            let decoded = |row: &AtaAttribute| AtaAttribute {
                decoded: decode::decoded(row.id, &row.name, &model, row.raw, &row.raw_text),
                ..row.clone()
            };
            json.seen(rows.attributes.iter().map(decoded).collect())
        }
        (Some(rows), None) => {
            let known: Vec<AtaAttribute> = rows.iter().filter_map(|row| attribute(row, &model)).collect();
            match known.is_empty() && !rows.is_empty() {
                true => Observed::unreadable(format!(
                    "{}: no row of its attribute table is an attribute",
                    json.place()
                )),
                false => json.seen(known),
            }
        }
        (None, _) => json.missing("/ata_smart_attributes", "attribute table", command_failed),
    };
    drive.self_tests = self_tests(json, command_failed);
    ata_logs::read(json, drive, command_failed);
}

/// A row without an id is not a row; `value`, `worst` and `thresh` may each be missing.
fn attribute(row: &Value, model: &str) -> Option<AtaAttribute> {
    let when_failed = match find(row, "/when_failed").and_then(Value::as_str) {
        Some("now") => WhenFailed::Now,
        Some("past") => WhenFailed::Past,
        _ => WhenFailed::Never,
    };
    let id = small(row, "/id").filter(|id| *id > 0)?;
    let (name, raw, raw_text) = (words(row, "/name"), number(row, "/raw/value")?, words(row, "/raw/string"));
    Some(AtaAttribute {
        id,
        value: small(row, "/value"),
        worst: small(row, "/worst"),
        threshold: small(row, "/thresh"),
        prefailure: find(row, "/flags/prefailure").and_then(Value::as_bool).unwrap_or(false),
        when_failed,
        decoded: decode::decoded(id, &name, model, raw, &raw_text),
        name,
        raw,
        raw_text,
    })
}

/// The status byte: the high nibble is the outcome, the low one tenths that are left (ACS-4, self-test log).
fn outcome(status: u8) -> SelfTestOutcome {
    match status >> 4 {
        0 => SelfTestOutcome::Passed,
        4..=8 => SelfTestOutcome::Failed,
        0xf => SelfTestOutcome::Running,
        _ => SelfTestOutcome::NotCompleted,
    }
}

fn self_tests(json: &Json<'_>, command_failed: bool) -> Observed<Vec<SelfTest>> {
    const LOG: &str = "/ata_smart_self_test_log";
    let status = json.at("/ata_smart_data/self_test/status").and_then(|status| small(status, "/value"));
    let running = running(json);
    let Some(log) = ["extended", "standard"].iter().find_map(|kind| json.at(&format!("{LOG}/{kind}"))) else {
        return match running {
            Some(test) => json.seen(vec![test]),
            None => json.missing(LOG, "self-test log", command_failed),
        };
    };
    // An empty log has a count of 0 and no table.
    let rows = find(log, "/table").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut tests: Vec<SelfTest> = rows.iter().filter_map(logged).collect();
    // The test that runs now stands in the drive's status; its row in the log, where there is one, is the same test.
    // A row that says "in progress" while the status does not was ended by a loss of power.
    if running.is_some() && tests.first().is_some_and(|test| test.outcome == SelfTestOutcome::Running) {
        tests.remove(0);
    }
    let stale = usize::from(status.is_none());
    for test in tests.iter_mut().skip(stale).filter(|test| test.outcome == SelfTestOutcome::Running) {
        test.outcome = SelfTestOutcome::NotCompleted;
    }
    json.seen(running.into_iter().chain(tests).collect())
}

/// A test that runs now stands in the drive's own status, not in the log.
fn running(json: &Json<'_>) -> Option<SelfTest> {
    let status = json.at("/ata_smart_data/self_test/status")?;
    let value = small(status, "/value")?;
    (outcome(value) == SelfTestOutcome::Running).then(|| SelfTest {
        kind: "running now".to_owned(),
        outcome: SelfTestOutcome::Running,
        text: words(status, "/string"),
        at_power_on_hours: None,
        first_error_lba: None,
    })
}

fn logged(row: &Value) -> Option<SelfTest> {
    let status = small(row, "/status/value")?;
    Some(SelfTest {
        kind: words(row, "/type/string"),
        outcome: outcome(status),
        text: words(row, "/status/string"),
        at_power_on_hours: number(row, "/lifetime_hours").map(Hours),
        first_error_lba: number(row, "/lba"),
    })
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use assay_bundle::facts::drive::Medium;
    use assay_bundle::units::{Celsius, Rpm};
    use serde_json::json;

    use super::*;
    use crate::smartctl::sample::ata;
    use crate::smartctl::{Answer, ParsedDrive, parse};

    const PLACE: &str = "cmd/smartctl.sat.sda/stdout";

    fn parsed(answer: &Value) -> ParsedDrive {
        parse(answer.to_string().as_bytes(), PLACE)
    }

    #[test]
    fn a_whole_ata_answer() {
        let found = parsed(&ata(json!({})));
        let drive = &found.drive;
        assert_eq!(found.answer, Answer::Answered);
        assert!(!found.is_poor());
        assert_eq!(drive.device, "sda");
        assert_eq!(drive.serial, Observed::seen("EX0001".to_owned(), PLACE));
        assert_eq!(drive.wwn.value().map(String::as_str), Some("5000c50000003039"));
        assert_eq!(
            (drive.medium.value(), drive.rotation_rpm.value()),
            (Some(&Medium::Hdd), Some(&Rpm(5400)))
        );
        assert_eq!(
            (drive.temperature_c.value(), drive.temperature_limit_c.value()),
            (Some(&Celsius(34)), Some(&Celsius(70)))
        );
        assert_eq!(
            (drive.power_on_hours.value(), drive.power_cycles.value()),
            (Some(&Hours(12345)), Some(&20))
        );
        assert_eq!((drive.ata_error_count.value(), drive.pending_defects.is_absent()), (Some(&3), true));
        assert_eq!(drive.self_tests.value().map(Vec::len), Some(0));
        let rows = drive.ata_attributes.value().expect("a table");
        assert_eq!((rows[0].prefailure, rows[0].when_failed), (true, WhenFailed::Never));
        assert_eq!((rows[1].raw, rows[1].raw_text.as_str()), (94_490_722_326, "22 22 22"));
        assert_eq!(rows[2].when_failed, WhenFailed::Past);
        assert!(drive.nvme.is_absent() && drive.scsi.is_absent());
    }

    #[test]
    fn self_tests_newest_first() {
        fn check(rest: Value, expected: &[(SelfTestOutcome, Option<u64>, Option<u64>)]) {
            let found = parsed(&ata(rest));
            let tests = found.drive.self_tests.value().expect("a log");
            let short: Vec<_> = tests
                .iter()
                .map(|t| (t.outcome, t.at_power_on_hours.map(|h| h.0), t.first_error_lba))
                .collect();
            assert_eq!(short, expected);
        }
        let row = |status: u32, hours: u32| json!({"type": {"string": "Short offline"}, "status": {"value": status, "string": "x"}, "lifetime_hours": hours});
        let failed = json!({"type": {"string": "Extended offline"}, "status": {"value": 121, "string": "Completed: read failure", "passed": false}, "lifetime_hours": 7, "lba": 99});
        check(
            json!({"ata_smart_self_test_log": {"extended": {"table": [row(25, 9), failed, row(0, 5), {"odd": 1}]}}}),
            &[
                (SelfTestOutcome::NotCompleted, Some(9), None),
                (SelfTestOutcome::Failed, Some(7), Some(99)),
                (SelfTestOutcome::Passed, Some(5), None),
            ],
        );
        check(
            json!({"ata_smart_data": {"self_test": {"status": {"value": 249, "string": "in progress, 90% remaining", "remaining_percent": 90}}}}),
            &[(SelfTestOutcome::Running, None, None)],
        );
        let absent = parsed(&ata(json!({"ata_smart_self_test_log": null})));
        assert!(absent.drive.self_tests.is_absent());
        let failed_command =
            parsed(&ata(json!({"ata_smart_self_test_log": null, "smartctl": {"exit_status": 4}})));
        assert!(
            failed_command
                .drive
                .self_tests
                .why_not()
                .is_some_and(|why| why.contains("a command to the drive failed"))
        );
    }
}
