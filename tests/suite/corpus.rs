//! Parsers against real outputs of real devices, which lie beside the project and are never copied into it. The
//! expected values were computed independently of us; a difference is a question to answer.

mod qnap_cgi;

use std::collections::BTreeMap;

use assay_bundle::Facts;
use assay_bundle::facts::drive::SelfTestOutcome;
use assay_bundle::facts::md::MdMemberState;
use assay_collector::recorded::RecordedSource;
use assay_collector::{Options, collect, smartctl};
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

/// Facts of these recorded files.
fn facts_of(files: BTreeMap<String, Vec<u8>>) -> Facts {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(collect(&RecordedSource::from_files(files), &Options::default())).facts
}

#[test]
fn mdstat_with_many_kinds_of_arrays() {
    let Some(folder) = shared_data("linux-sysfs") else { return };
    let bytes = std::fs::read(folder.join("mdstat")).expect("the file");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let facts = facts_of([("proc/mdstat".to_owned(), bytes)].into());
    let arrays = facts.md_arrays.value().expect("arrays");
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("md")).collect();
    assert_eq!(arrays.len(), heads.len());
    let mut members = 0;
    for array in arrays {
        let head =
            heads.iter().find(|head| head.starts_with(&format!("{} :", array.name))).expect("its line");
        let (listed, faulty) = (head.matches('[').count(), head.matches("(F)").count());
        let found = array.members.value().expect("members");
        members += found.len();
        assert_eq!(found.len(), listed, "{head}");
        assert_eq!(
            found.iter().filter(|member| member.state == MdMemberState::Faulty).count(),
            faulty,
            "{head}"
        );
        let slots = array.raid_disks.value().zip(array.missing.value());
        let said = slots.map(|(slots, missing)| format!("[{slots}/{}]", slots - missing));
        assert!(said.is_none_or(|said| text.contains(&said)), "{head}");
    }
    println!("linux-sysfs: {} arrays, {members} members in mdstat", arrays.len());
}

/// The archive is text: `Path:` and `Lines:` then so many lines, or `SymlinkTo:`.
fn ttar(text: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut lines = text.lines();
    let mut path = String::new();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("Path: ") {
            path = name.to_owned();
        } else if let Some(target) = line.strip_prefix("SymlinkTo: ") {
            files.insert(format!("{path}.link"), target.as_bytes().to_vec());
        } else if let Some(count) = line.strip_prefix("Lines: ") {
            let count: usize = count.parse().expect("a number of lines");
            let content: String =
                (0..count).filter_map(|_| lines.next()).flat_map(|line| [line, "\n"]).collect();
            files.insert(path.clone(), content.replace("NULLBYTE", "\0").into_bytes());
        }
    }
    files
}

#[test]
fn a_sysfs_tree_of_another_project() {
    let Some(folder) = shared_data("linux-sysfs") else { return };
    let text = std::fs::read_to_string(folder.join("sys.ttar")).expect("the archive");
    let files = ttar(&text);
    let read = |path: &str| files.get(path).map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    let facts = facts_of(files.clone());
    let arrays = facts.md_arrays.value().expect("arrays");
    for array in arrays {
        let file = |name: &str| read(&format!("sys/block/{}/md/{name}", array.name));
        assert_eq!(array.level.value().cloned(), file("level"), "{}", array.name);
        assert_eq!(array.state.value().cloned(), file("array_state"), "{}", array.name);
        assert_eq!(array.missing.value().map(u32::to_string), file("degraded"), "{}", array.name);
    }
    let controllers = facts.memory_controllers.value().expect("controllers");
    for controller in controllers {
        let file = |name: &str| read(&format!("sys/devices/system/edac/mc/{}/{name}", controller.name));
        assert_eq!(controller.corrected.value().map(u64::to_string), file("ce_count"), "{}", controller.name);
        assert_eq!(
            controller.uncorrected.value().map(u64::to_string),
            file("ue_count"),
            "{}",
            controller.name
        );
    }
    let sensors = facts.temperatures.value().map_or(0, Vec::len);
    println!(
        "linux-sysfs: {} arrays, {} memory controllers, {sensors} temperatures of {} files",
        arrays.len(),
        controllers.len(),
        files.len()
    );
}
