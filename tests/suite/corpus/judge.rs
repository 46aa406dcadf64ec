//! `assay judge` over everything that lies beside the project: each output is recognised by its content, and what the
//! rules make of 570 real drives stays what it was when it was last reviewed.
//!
//! The reference verdicts are another script's, by one rule table. They are a question, not the truth: the table below
//! is held fixed so that a change of ours is seen and looked at, not so that the two agree.

use std::collections::BTreeMap;
use std::path::Path;

use assay_bundle::Diagnosis;
use assay_bundle::diagnosis::Finding;
use assay_collector::judge::{Judged, Pasted, judge};
use serde_json::Value;

use crate::support::shared_data;

pub(super) fn judged(path: &Path) -> Judged {
    let name = path.file_name().expect("named").to_string_lossy().into_owned();
    judge(&[Pasted { name, bytes: std::fs::read(path).expect("a file") }])
}

/// Files of a folder and of those below it.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    let mut all: Vec<_> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    all.sort();
    all
}

/// Every output of the file is of this form; says whether something was read.
fn is_of(path: &Path, format: &str) -> bool {
    let judged = judged(path);
    assert!(!judged.parts.is_empty(), "{}: nothing in it", path.display());
    for part in &judged.parts {
        assert_eq!(part.format, Some(format), "{}: {part:?}", path.display());
    }
    judged.found_anything()
}

/// What the facts that may never make a drive defective are called, and those that only name it.
const NO_PROOF: [&str; 11] = [
    "ata_attributes[190 ",
    "ata_attributes[194 ",
    "ata_attributes[199 ",
    "error_log_entries",
    ".temperature_c",
    ".temperature_limit_c",
    ".model",
    ".serial",
    ".firmware",
    ".power_on_hours",
    ".power_cycles",
];

/// A finding of this weight needs more than a temperature, a count of link errors or a count of refused commands.
fn has_proof(finding: &Finding) -> bool {
    finding.evidence.iter().any(|evidence| !NO_PROOF.iter().any(|words| evidence.fact.contains(words)))
}

pub(super) fn worst(diagnosis: &Diagnosis) -> &'static str {
    diagnosis.findings.iter().map(|finding| finding.verdict).max().map_or("none", |verdict| verdict.word())
}

/// Judges every file of a corpus; counts of (their verdict, our worst one).
fn verdicts(folder: &str) -> Option<BTreeMap<(String, &'static str), usize>> {
    let folder = shared_data(folder)?;
    let expected = std::fs::read_to_string(folder.join("expected.jsonl")).expect("expected values");
    let mut counts = BTreeMap::new();
    for line in expected.lines() {
        let expected: Value = serde_json::from_str(line).expect("one JSON object a line");
        let file = expected["file"].as_str().expect("a file name");
        let judged = judged(&folder.join(file));
        let formats: Vec<_> = judged.parts.iter().map(|part| part.format).collect();
        assert_eq!(formats, [Some("smartctl")], "{file}: {:?}", judged.parts);
        let diagnosis = assay_diagnosis::diagnose_pasted(&judged.collection.facts);
        for finding in &diagnosis.findings {
            let confirmed = finding.verdict.word() == "confirmed";
            assert!(!confirmed || has_proof(finding), "{file}: {finding:#?}");
        }
        let theirs = expected["verdict"].as_str().unwrap_or("-").to_owned();
        *counts.entry((theirs, worst(&diagnosis))).or_default() += 1;
    }
    Some(counts)
}

fn check(folder: &str, reviewed: &[(&str, &str, usize)]) {
    let Some(counts) = verdicts(folder) else { return };
    let rows: Vec<(&str, &str, usize)> =
        counts.iter().map(|((theirs, ours), count)| (theirs.as_str(), *ours, *count)).collect();
    for (theirs, ours, count) in &rows {
        println!("{folder}: they say {theirs}, we say {ours}: {count}");
    }
    assert_eq!(rows, reviewed, "{folder}: read what changed, then write it down here");
}

#[test]
fn every_text_report_is_judged() {
    check("smartctl-text", TEXT);
}

#[test]
fn every_json_report_is_judged() {
    check("smartctl-json", JSON);
}

/// Their verdict, our worst finding, files. The reason for each difference stands in `docs/accuracy.md`.
const TEXT: &[(&str, &str, usize)] = &[
    ("confirmed", "confirmed", 77),
    ("confirmed", "suspected", 3),
    ("link", "none", 77),
    ("link", "suspected", 3),
    ("ok", "none", 97),
    ("ok", "suspected", 1),
    ("ok", "watch", 2),
    ("suspected", "confirmed", 4),
    ("suspected", "none", 6),
    ("suspected", "suspected", 66),
    ("suspected", "watch", 4),
    ("watch", "none", 46),
    ("watch", "suspected", 3),
    ("watch", "watch", 31),
    ("worn", "watch", 5),
];

/// These have no reference verdict. Suspected: two disks that remapped 304 and 387 sectors, an NVMe drive with media
/// errors, a SAS drive with 260 grown defects and 536 uncorrected errors, and one that was before.
const JSON: &[(&str, &str, usize)] =
    &[("-", "confirmed", 1), ("-", "none", 137), ("-", "suspected", 5), ("-", "watch", 3)];

#[test]
fn other_outputs_are_recognised() {
    if let Some(folder) = shared_data("qnap-cgi") {
        let pages = files(&folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "xml"));
        let read: Vec<bool> = pages.map(|path| is_of(&path, "QTS management page")).collect();
        println!("qnap-cgi: {} pages recognised", read.len());
        assert!(read.len() >= 19 && read.iter().all(|read| *read), "{read:?}");
    }
    if let Some(folder) = shared_data("mdadm-text") {
        let (mut arrays, mut pools) = (0, 0);
        for path in files(&folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "out")) {
            let name = path.file_name().expect("named").to_string_lossy().into_owned();
            // Throughput says nothing of health and is no form of ours.
            if name.starts_with("zpool-iostat") {
                continue;
            }
            let format = if name.starts_with("zpool") { "zpool status" } else { "mdadm" };
            assert!(is_of(&path, format), "{name}");
            *(if format == "mdadm" { &mut arrays } else { &mut pools }) += 1;
        }
        println!("mdadm-text: {arrays} reports of arrays and {pools} of pools recognised");
        assert!(arrays > 15 && pools >= 5, "{arrays} {pools}");
    }
    if let Some(folder) = shared_data("linux-sysfs") {
        assert!(is_of(&folder.join("mdstat"), "mdstat"));
    }
}
