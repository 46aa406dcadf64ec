//! Parsers against real outputs of real devices, which lie beside the project and are never copied into it. The
//! expected values were computed independently of us; a difference is a question to answer.

mod linux_sysfs;
mod mdadm;

use std::collections::BTreeMap;

use assay_bundle::facts::drive::SelfTestOutcome;
use assay_collector::smartctl;
use serde_json::Value;

use crate::support::shared_data;

/// How many answers had a value, and how many of those were expected.
#[derive(Default)]
struct Count {
    seen: usize,
    expected: usize,
}

fn compare(
    counts: &mut BTreeMap<&'static str, Count>,
    file: &str,
    field: &'static str,
    found: Value,
    expected: &Value,
) {
    let count = counts.entry(field).or_default();
    count.seen += usize::from(!found.is_null());
    count.expected += usize::from(!expected.is_null());
    if !expected.is_null() {
        assert_eq!(&found, expected, "{file}: {field}");
    }
}

#[test]
fn smartctl_answers_of_real_drives() {
    let Some(folder) = shared_data("smartctl-json") else { return };
    let expected = std::fs::read_to_string(folder.join("expected.jsonl")).expect("expected values");
    let mut counts = BTreeMap::new();
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for line in expected.lines() {
        let expected: Value = serde_json::from_str(line).expect("one JSON object a line");
        let file = expected["file"].as_str().expect("a file name");
        let bytes = std::fs::read(folder.join(file)).expect("the file that is named");
        let parsed = smartctl::parse(&bytes, file);
        let drive = &parsed.drive;
        let kind = format!("{:?}", parsed.answer);
        *answers.entry(kind.split('(').next().unwrap_or_default().to_owned()).or_default() += 1;
        let text = |reading: &assay_bundle::Observed<String>| {
            reading.value().map_or(Value::Null, |s| s.clone().into())
        };
        let number = |reading: Option<u64>| reading.map_or(Value::Null, Value::from);
        let raw = |id: u8| {
            let row = drive.ata_attributes.value().and_then(|rows| rows.iter().find(|row| row.id == id));
            number(row.map(|row| row.raw))
        };
        let temperature = drive.temperature_c.value().and_then(|degrees| u64::try_from(degrees.0).ok());
        let newest = drive
            .self_tests
            .value()
            .and_then(|tests| tests.iter().find(|test| test.outcome != SelfTestOutcome::Running));
        for (field, found, key) in [
            ("model", text(&drive.model), "model"),
            ("serial", text(&drive.serial), "serial"),
            ("firmware", text(&drive.firmware), "firmware"),
            ("capacity", number(drive.capacity_bytes.value().map(|bytes| bytes.0)), "capacity"),
            ("health", drive.health_passed.value().map_or(Value::Null, |passed| (*passed).into()), "passed"),
            ("temperature", number(temperature), "temp"),
            ("power_on_hours", number(drive.power_on_hours.value().map(|hours| hours.0)), "poh"),
            ("power_cycles", number(drive.power_cycles.value().copied()), "cycles"),
            ("attribute 5", raw(5), "a5"),
            ("attribute 187", raw(187), "a187"),
            ("attribute 197", raw(197), "a197"),
            ("attribute 199", raw(199), "a199"),
            ("newest self-test", newest.map_or(Value::Null, |test| test.text.clone().into()), "st_last"),
            ("ATA errors", number(drive.ata_error_count.value().copied()), "ata_err"),
            ("grown defects", number(drive.scsi.value().and_then(|scsi| scsi.grown_defects)), "gdl"),
        ] {
            compare(&mut counts, file, field, found, &expected[key]);
        }
        assert!(drive.health_passed.is_seen() || drive.health_passed.why_not().is_some(), "{file}");
    }
    println!("smartctl-json: {} answers {answers:?}", expected.lines().count());
    for (field, count) in &counts {
        println!("  {field}: {} read, {} expected and equal", count.seen, count.expected);
    }
}

#[test]
fn a_cut_smartctl_answer_never_says_something_else() {
    let Some(folder) = shared_data("smartctl-json") else { return };
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    let mut cuts = 0;
    for path in files {
        let bytes = std::fs::read(&path).expect("a file");
        let whole = smartctl::parse(&bytes, "x");
        let step = (bytes.len() / 40).max(1);
        for end in (0..bytes.len()).step_by(step) {
            let cut = smartctl::parse(&bytes[..end], "x");
            cuts += 1;
            for (found, expected) in
                [(&cut.drive.serial, &whole.drive.serial), (&cut.drive.model, &whole.drive.model)]
            {
                assert!(!found.is_seen() || found == expected, "{} cut at {end}", path.display());
            }
            assert!(
                !cut.drive.health_passed.is_seen() || cut.drive.health_passed == whole.drive.health_passed
            );
        }
    }
    println!("smartctl-json: {cuts} cut answers");
}
