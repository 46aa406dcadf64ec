//! smartctl's JSON and text of real drives: equal to values that others computed, never something else when cut,
//! and no panic when damaged.

use assay_bundle::Observed;
use assay_bundle::facts::drive::{
    AtaAttribute, Drive, Medium, Protocol, SelfTest, SelfTestOutcome, WhenFailed,
};
use assay_bundle::units::Rpm;
use assay_collector::smartctl::{self, ParsedDrive};
use serde_json::{Value, json};

use super::differences::{Comparison, Row};
use super::hostile;
use crate::support::shared_data;

/// Differences of the JSON answers.
const JSON: &[Row] = &[
    Row {
        file: "*",
        field: "endurance",
        ours: "#",
        theirs: "null",
        why: "they read smartctl 7.5's own key; we also read NVMe's percentage used and device statistics page 7",
    },
    Row {
        file: "*",
        field: "st_err",
        ours: "0",
        theirs: "null",
        why: "they need smartctl's own count, which an empty log does not have; no test in the log failed",
    },
    Row {
        file: "telegraf-4d697d3abe.json",
        field: "st_last",
        ours: "\"Completed\"",
        theirs: "null",
        why: "a SAS drive's self-tests, which they do not read: scsi_self_test_0 is the newest",
    },
    Row {
        file: "*",
        field: "firmware",
        ours: "#",
        theirs: "null",
        why: "SCSI before 7.3 calls it `revision`, later `scsi_revision`; they read `firmware_version` only",
    },
];

/// Differences of the text reports.
const TEXT: &[Row] = &[
    Row {
        file: "*",
        field: "ata_error_count",
        ours: "0",
        theirs: "null",
        why: "the report says `No Errors Logged`, which is a count of 0; they need the line with the count",
    },
    Row {
        file: "*",
        field: "power_cycles",
        ours: "#",
        theirs: "null",
        why: "NVMe's health log has power cycles; they read attribute 12 only",
    },
    Row {
        file: "*",
        field: "temp_c",
        ours: "#",
        theirs: "null",
        why: "the drive has no temperature attribute but SCT status, which they have as another field",
    },
    Row {
        file: "*",
        field: "temp_c",
        ours: "null",
        theirs: "0",
        why: "0 C is what drives print that do not know (hardware.md 1.1)",
    },
    Row {
        file: "*",
        field: "temp_c",
        ours: "null",
        theirs: "128",
        why: "128 C is a signed byte's lowest value, `unknown`; SCT prints `?` for the same drive",
    },
    Row {
        file: "a800e432e892.txt",
        field: "offline_unc",
        ours: "8",
        theirs: "null",
        why: "printed as `8/0`: the sectors and a second number, which they do not split",
    },
    Row {
        file: "186551172a87.txt",
        field: "selftests",
        ours: "1",
        theirs: "0",
        why: "an NVMe self-test log, which they do not read",
    },
    Row {
        file: "186551172a87.txt",
        field: "selftest_last",
        ours: "\"Completed without error\"",
        theirs: "null",
        why: "an NVMe self-test log, which they do not read",
    },
];

/// Every file of the folder with the values that others computed of it.
fn corpus(name: &str) -> Option<Vec<(String, Vec<u8>, Value)>> {
    let folder = shared_data(name)?;
    let expected = std::fs::read_to_string(folder.join("expected.jsonl")).expect("expected values");
    let read = |line: &str| {
        let expected: Value = serde_json::from_str(line).expect("one JSON object a line");
        let file = expected["file"].as_str().expect("a file name").to_owned();
        let bytes = std::fs::read(folder.join(&file)).expect("the file that is named");
        (file, bytes, expected)
    };
    let files: Vec<_> = expected.lines().map(read).collect();
    let there = std::fs::read_dir(&folder).expect("a folder").count() - 1;
    assert_eq!(files.len(), there, "{name}: each file has its expected values");
    Some(files)
}

fn value<T: Clone + Into<Value>>(reading: &Observed<T>) -> Value {
    reading.value().cloned().map_or(Value::Null, Into::into)
}

fn rows(drive: &Drive) -> &[AtaAttribute] {
    drive.ata_attributes.value().map(Vec::as_slice).unwrap_or_default()
}

fn ids(drive: &Drive, when: WhenFailed) -> Value {
    rows(drive).iter().filter(|row| row.when_failed == when).map(|row| row.id).collect()
}

/// The tests that have ended, newest first.
fn ended(drive: &Drive) -> Vec<&SelfTest> {
    let tests = drive.self_tests.value().map(Vec::as_slice).unwrap_or_default();
    tests
        .iter()
        .filter(|test| test.outcome != SelfTestOutcome::Running && !test.text.contains("in progress"))
        .collect()
}

fn temperature(drive: &Drive) -> Value {
    drive.temperature_c.value().map_or(Value::Null, |degrees| degrees.0.into())
}

fn small(number: Option<u128>) -> Value {
    number.and_then(|number| u64::try_from(number).ok()).into()
}

#[test]
fn json_answers_say_what_others_computed() {
    let Some(files) = corpus("smartctl-json") else { return };
    let mut compare = Comparison::new(JSON);
    for (file, bytes, expected) in &files {
        let parsed = smartctl::parse(bytes, file);
        for (field, ours) in json_fields(&parsed) {
            compare.field(file, field, ours, &expected[field]);
        }
    }
    compare.finish("smartctl-json");
}

fn json_fields(parsed: &ParsedDrive) -> Vec<(&'static str, Value)> {
    let drive = &parsed.drive;
    let raw = |id: u8| rows(drive).iter().find(|row| row.id == id).map_or(Value::Null, |row| row.raw.into());
    let ended = ended(drive);
    let newest = ended.first();
    let scsi = drive.scsi.value();
    let nvme = drive.nvme.value().map(|log| {
        json!({
            "cw": log.critical_warning,
            "spare": log.available_spare_percent,
            "thr": log.available_spare_threshold_percent,
            "used": log.percentage_used,
            "media": small(log.media_errors),
            "errlog": small(log.error_log_entries),
            "unsafe": small(log.unsafe_shutdowns),
        })
    });
    let rotation = match (drive.medium.value(), drive.protocol.value()) {
        (Some(Medium::Ssd), Some(Protocol::Ata | Protocol::Scsi)) => json!(0),
        _ => json!(drive.rotation_rpm.value()),
    };
    let messages: Vec<&str> = drive
        .health_from_attributes
        .then_some("warning: Warning: This result is based on an Attribute check.")
        .into_iter()
        .collect();
    vec![
        ("smartctl", json!(parsed.smartctl_version)),
        ("exit", value(&drive.smartctl_exit_bits)),
        ("messages", json!(messages)),
        ("model", value(&drive.model)),
        ("serial", value(&drive.serial)),
        ("firmware", value(&drive.firmware)),
        ("capacity", json!(drive.capacity_bytes.value())),
        ("rotation", rotation),
        ("passed", value(&drive.health_passed)),
        ("temp", temperature(drive)),
        ("poh", json!(drive.power_on_hours.value())),
        ("cycles", value(&drive.power_cycles)),
        ("now", ids(drive, WhenFailed::Now)),
        ("past", ids(drive, WhenFailed::Past)),
        ("a5", raw(5)),
        ("a187", raw(187)),
        ("a188", json!(rows(drive).iter().find(|row| row.id == 188).map(|row| &row.raw_text))),
        ("a197", raw(197)),
        ("a198", raw(198)),
        ("a199", raw(199)),
        ("st_last", json!(newest.map(|test| &test.text))),
        ("st_last_failed", newest.is_some_and(|test| test.outcome == SelfTestOutcome::Failed).into()),
        ("st_err", json!(drive.self_tests.value().map(|tests| failed(tests)))),
        ("ata_err", value(&drive.ata_error_count)),
        ("pend_log", value(&drive.pending_defects)),
        ("gdl", json!(scsi.and_then(|scsi| scsi.grown_defects))),
        ("unc", json!(scsi.and_then(|scsi| scsi.uncorrected_errors))),
        ("nvme", json!(nvme)),
        ("endurance", json!(drive.endurance_used_percent.value())),
        ("power_mode", json!(drive.power_mode.value())),
    ]
}

fn failed(tests: &[SelfTest]) -> usize {
    tests.iter().filter(|test| test.outcome == SelfTestOutcome::Failed).count()
}

#[test]
fn text_reports_say_what_others_computed() {
    let Some(files) = corpus("smartctl-text") else { return };
    let mut compare = Comparison::new(TEXT);
    for (file, bytes, expected) in &files {
        let parsed = smartctl::parse(bytes, file);
        for (field, ours) in text_fields(&parsed) {
            compare.field(file, field, ours, &expected[field]);
        }
    }
    compare.finish("smartctl-text");
}

/// They keep no name of 188.
const NO_NAME: &str = "";

/// The attributes that they name, by id and by the names that they take for the same thing.
const ATTRIBUTES: [(&str, &str, u8, &[&str]); 9] = [
    (
        "realloc",
        "realloc_name",
        5,
        &["Reallocated_Sector_Ct", "Retired_Block_Count", "Reallocate_NAND_Blk_Cnt"],
    ),
    (
        "spin_retry",
        "spin_retry_name",
        10,
        &["Spin_Retry_Count", "Unknown_SSD_Attribute", "Unknown_JMF_Attribute"],
    ),
    ("realloc_events", "realloc_events_name", 196, &["Reallocated_Event_Count"]),
    (
        "pending",
        "pending_name",
        197,
        &[
            "Current_Pending_Sector",
            "Current_Pending_ECC_Cnt",
            "Pending_Sector_Count",
            "Total_Pending_Sectors",
        ],
    ),
    ("offline_unc", "offline_unc_name", 198, &["Offline_Uncorrectable", "Uncorrectable_Sector_Ct"]),
    (
        "crc",
        "crc_name",
        199,
        &["UDMA_CRC_Error_Count", "CRC_Error_Count", "SATA_CRC_Error_Count", "SATA_CRC_Error"],
    ),
    (
        "reported_uncorrect",
        "reported_uncorrect_name",
        187,
        &["Reported_Uncorrect", "Uncorrectable_Error_Cnt"],
    ),
    (
        "end_to_end",
        "end_to_end_name",
        184,
        &["End-to-End_Error", "Error_Correction_Count", "End-to-End_Error_Count"],
    ),
    ("cmd_timeout_raw", NO_NAME, 188, &["Command_Timeout"]),
];

fn text_fields(parsed: &ParsedDrive) -> Vec<(&'static str, Value)> {
    let drive = &parsed.drive;
    let nvme = drive.nvme.value().map(|log| {
        json!({
            "critical_warning": log.critical_warning,
            "spare": log.available_spare_percent,
            "spare_thr": log.available_spare_threshold_percent,
            "used": log.percentage_used,
            "media_errors": small(log.media_errors),
            "err_log": small(log.error_log_entries),
            "poh": drive.power_on_hours.value(),
            "unsafe": small(log.unsafe_shutdowns),
            "warn_temp_min": log.warning_temperature_minutes,
            "crit_temp_min": log.critical_temperature_minutes,
        })
    });
    let rotation = match (drive.medium.value(), drive.rotation_rpm.value()) {
        (Some(Medium::Ssd), _) if drive.protocol.value() == Some(&Protocol::Ata) => {
            json!("Solid State Device")
        }
        (_, rpm) => json!(rpm.map(|rpm| format!("{} rpm", rpm.0))),
    };
    let ended = ended(drive);
    let power_on = rows(drive).iter().find(|row| row.id == 9).map(|row| row.raw_text.clone());
    let mut fields = vec![
        ("smartctl", json!(parsed.smartctl_version)),
        ("model", value(&drive.model)),
        ("firmware", value(&drive.firmware)),
        ("capacity_bytes", json!(drive.capacity_bytes.value())),
        ("rotation", rotation),
        ("health", value(&drive.health_passed)),
        ("attr_based_result", drive.health_from_attributes.into()),
        ("n_attrs", rows(drive).len().into()),
        ("failing_now", ids(drive, WhenFailed::Now)),
        ("failed_past", ids(drive, WhenFailed::Past)),
        ("temp_c", temperature(drive)),
        ("power_on_hours_attr_raw", json!(power_on)),
        ("power_cycles", value(&drive.power_cycles)),
        ("nvme", json!(nvme)),
        ("selftests", ended.len().into()),
        ("selftest_last", json!(ended.first().map(|test| &test.text))),
        ("selftest_any_failed", ended.iter().any(|test| test.outcome == SelfTestOutcome::Failed).into()),
        ("ata_error_count", value(&drive.ata_error_count)),
    ];
    for (field, name_field, id, names) in ATTRIBUTES {
        let row = rows(drive).iter().find(|row| row.id == id && names.contains(&row.name.as_str()));
        let ours = match (row, field) {
            (Some(row), "cmd_timeout_raw") => json!(row.raw_text),
            (Some(row), _) => json!(row.raw),
            (None, _) => Value::Null,
        };
        fields.push((field, ours));
        if name_field != NO_NAME {
            fields.push((name_field, json!(row.map(|row| &row.name))));
        }
    }
    fields
}

/// What their documentation in `facts/drive.rs` promises.
fn in_range(drive: &Drive) {
    let degrees = [&drive.temperature_c, &drive.temperature_limit_c];
    assert!(degrees.iter().all(|t| t.value().is_none_or(|t| (1..128).contains(&t.0))), "{degrees:?}");
    assert!(drive.rotation_rpm.value().is_none_or(|rpm| u64::from(rpm.0) <= Rpm::HIGHEST));
    assert!(drive.spare_available_percent.value().is_none_or(|spare| spare.0 <= 100));
    assert!(rows(drive).iter().all(|row| row.id > 0));
    assert!(drive.pending_defect_sectors.value().is_none_or(|sectors| sectors.len() <= 256));
    assert!(drive.scsi_background_defects.value().is_none_or(|defects| defects.len() <= 256));
    if let Some(log) = drive.nvme.value() {
        assert!(log.available_spare_percent.is_none_or(|spare| spare.0 <= 100));
        assert!(log.temperature_sensors_c.len() <= 8);
        assert!(log.temperature_sensors_c.iter().flatten().all(|t| (1..128).contains(&t.0)));
    }
}

/// Mutations per parser in an ordinary run; each file of the corpus gets as many when the run is a full one.
const MUTATIONS: usize = 1000;

/// Files are independent of each other, so they are shared between two threads.
fn cut_and_damage(name: &str) {
    let Some(files) = corpus(name) else { return };
    let full = std::env::var_os("ASSAY_FULL").is_some_and(|value| value == "1");
    let each = if full { MUTATIONS } else { MUTATIONS.div_ceil(files.len()) };
    std::thread::scope(|scope| {
        for half in files.chunks(files.len().div_ceil(2)) {
            scope.spawn(move || {
                for (file, bytes, _) in half {
                    let drive = |bytes: &[u8]| smartctl::parse(bytes, file).drive;
                    in_range(&drive(bytes));
                    hostile::cut(bytes, drive);
                    hostile::mutate(bytes, each, drive, in_range);
                }
            });
        }
    });
    println!("{name}: {} files, each cut at 20 offsets and damaged {each} times", files.len());
}

#[test]
fn cut_and_damaged_json_says_nothing_else() {
    cut_and_damage("smartctl-json");
}

#[test]
fn cut_and_damaged_text_says_nothing_else() {
    cut_and_damage("smartctl-text");
}
