//! `docs/accuracy.md`: how the rules do on real reports, in three columns that are never merged.
//!
//! *Agreement* with a reference table is no accuracy: the reference is another script's reading of the same reports.
//! *Independent evidence* asks, for each thing called confirmed on a real report, whether a second source that the
//! finding did not use supports it. *Injected faults* are the only place where the truth is known; only there may the
//! words precision and recall stand. The document is written from the corpora with `ASSAY_BLESS=1`; without them the
//! test is counted as absent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use assay_bundle::Diagnosis;
use assay_bundle::diagnosis::{Finding, Verdict};
use assay_bundle::facts::drive::{Drive, SelfTestOutcome};
use serde_json::Value;

mod injected;

use super::judge::{judged, worst};
use crate::support::{root, shared_data};

/// What a reason of the reference and a rule of ours have in common.
struct Family {
    name: &'static str,
    /// How the reference's reason begins.
    theirs: &'static [&'static str],
    /// Our rules.
    ours: &'static [&'static str],
}

const fn family(
    name: &'static str,
    theirs: &'static [&'static str],
    ours: &'static [&'static str],
) -> Family {
    Family { name, theirs, ours }
}

const FAMILIES: &[Family] = &[
    family(
        "drive's own health",
        &["smart_status failed", "prefail attr now", "critical_warning"],
        &["DRV-001"],
    ),
    family("self-test", &["last self-test"], &["DRV-004"]),
    family("pending sectors", &["pending"], &["DRV-002"]),
    family("offline uncorrectable", &["offline_unc"], &["DRV-011"]),
    family("reported uncorrectable", &["reported_uncorrect"], &["DRV-005"]),
    family("remapped sectors", &["realloc"], &["DRV-006"]),
    family("end-to-end errors", &["end_to_end"], &["DRV-008"]),
    family("NVMe media errors", &["media_errors"], &["NVM-001"]),
    family("link CRC", &["crc"], &["LNK-001"]),
    family("wear", &["used>="], &["SSD-001"]),
    family("heat", &["temp"], &["TMP-001"]),
];

/// One report of the corpus.
struct Report {
    file: String,
    class: String,
    /// Families of the reference's reasons.
    theirs: BTreeSet<&'static str>,
    diagnosis: Diagnosis,
    drive: Drive,
}

impl Report {
    fn ours(&self) -> BTreeSet<&'static str> {
        let fired =
            |family: &&Family| self.diagnosis.findings.iter().any(|f| family.ours.contains(&f.code.as_str()));
        FAMILIES.iter().filter(fired).map(|family| family.name).collect()
    }

    /// Whether our worst word is the reference's class. Theirs for a link is a place, not a weight.
    fn agrees(&self) -> bool {
        let ours = worst(&self.diagnosis);
        match self.class.as_str() {
            "ok" => ours == "none",
            "worn" => ours == "watch",
            "link" => self.ours().contains("link CRC"),
            class => ours == class,
        }
    }
}

fn reports() -> Option<Vec<Report>> {
    let folder = shared_data("smartctl-text")?;
    let expected = std::fs::read_to_string(folder.join("expected.jsonl")).expect("expected values");
    let report = |line: &str| {
        let expected: Value = serde_json::from_str(line).expect("one JSON object a line");
        let file = expected["file"].as_str().expect("a file name").to_owned();
        let facts = judged(&folder.join(&file)).collection.facts;
        let reasons: Vec<&str> =
            expected["why"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let theirs = reasons.iter().map(|why| {
            let family =
                FAMILIES.iter().find(|family| family.theirs.iter().any(|start| why.starts_with(start)));
            family.unwrap_or_else(|| panic!("{file}: no family for {why:?}")).name
        });
        Report {
            class: expected["verdict"].as_str().expect("a verdict").to_owned(),
            theirs: theirs.collect(),
            diagnosis: assay_diagnosis::diagnose_pasted(&facts),
            drive: facts.drives.value().and_then(|d| d.first()).cloned().unwrap_or_default(),
            file,
        }
    };
    Some(expected.lines().map(report).collect())
}

/// A witness that a finding may have or not have used.
struct Witness {
    name: &'static str,
    /// Parts of fact paths that show that the finding used it.
    used: &'static [&'static str],
    /// What it says: true for a defect, false for none; `None` when the report does not have it.
    says: fn(&Drive) -> Option<bool>,
}

const WITNESSES: &[Witness] = &[
    Witness {
        name: "drive's own health answer",
        used: &["health_passed", "critical_warning", "scsi.asc", "at threshold"],
        says: |drive| drive.health_passed.value().map(|passed| !passed),
    },
    Witness {
        name: "newest completed self-test",
        used: &["self_tests"],
        says: |drive| {
            let tests = drive.self_tests.value()?;
            let done = |o| matches!(o, SelfTestOutcome::Passed | SelfTestOutcome::Failed);
            tests.iter().find(|t| done(t.outcome)).map(|t| t.outcome == SelfTestOutcome::Failed)
        },
    },
    Witness {
        name: "drive's error log",
        used: &["ata_error"],
        says: |drive| drive.ata_error_count.value().map(|count| *count > 0),
    },
    Witness {
        name: "device statistics",
        used: &["ata_statistics"],
        says: |drive| {
            let statistics = drive.ata_statistics.value()?;
            statistics.uncorrectable_errors.map(|count| count > 0)
        },
    },
];

/// How the witnesses that a finding did not use stand to it.
fn second_source(drive: &Drive, finding: &Finding) -> &'static str {
    let used = |witness: &&Witness| {
        finding
            .evidence
            .iter()
            .any(|e| witness.used.iter().any(|part| e.fact.contains(part) || e.value.contains(part)))
    };
    let said: Vec<bool> =
        WITNESSES.iter().filter(|w| !used(w)).filter_map(|witness| (witness.says)(drive)).collect();
    match (said.iter().any(|defect| *defect), said.is_empty()) {
        (true, _) => "support",
        (false, false) => "contradict",
        (false, true) => "missing",
    }
}

/// Why our word is another than the reference's: its class, its families, our word, and the reason in one line. A
/// difference without a row fails, and so does a row that argues nothing.
const REASONS: &[(&str, &str, &str, &str)] = &[
    (
        "confirmed",
        "self-test",
        "suspected",
        "the failed test is more than a year of running time old and nothing else is wrong: the test is asked for again",
    ),
    (
        "confirmed",
        "drive's own health, heat",
        "suspected",
        "the only row at its limit is temperature: heat, not a defect",
    ),
    (
        "link",
        "link CRC",
        "none",
        "one report cannot show that the count rises; an old constant blames nothing",
    ),
    (
        "link",
        "link CRC",
        "suspected",
        "the old count of link errors blames nothing; heat or spin retries are suspected for themselves",
    ),
    (
        "ok",
        "",
        "watch",
        "device statistics count uncorrectable errors, which the reference does not read; some drives count refused commands there",
    ),
    ("ok", "", "suspected", "spin retries, which the reference reads and does not weigh"),
    ("suspected", "end-to-end errors", "confirmed", "the attribute is at the maker's own threshold"),
    (
        "suspected",
        "end-to-end errors, reported uncorrectable",
        "confirmed",
        "the attribute is at the maker's own threshold",
    ),
    (
        "suspected",
        "remapped sectors",
        "none",
        "flash: remapped blocks are spare parts in use, and the thresholds are those of disks",
    ),
    (
        "suspected",
        "remapped sectors",
        "watch",
        "flash: not the remapped blocks, but wear, program failures or uncorrectable errors are told",
    ),
    (
        "suspected",
        "reported uncorrectable",
        "none",
        "the raw value is several numbers packed into one, and no count",
    ),
    ("watch", "remapped sectors", "none", "flash: remapped blocks are spare parts in use"),
    (
        "watch",
        "remapped sectors",
        "suspected",
        "errors that were not corrected, or spin retries, stand beside the remapped sectors",
    ),
];

fn document(reports: &[Report]) -> String {
    let mut text = HEAD.to_owned();
    agreement(&mut text, reports);
    disagreements(&mut text, reports);
    independent(&mut text, reports);
    injected::column(&mut text);
    text
}

const HEAD: &str = "# Accuracy

How right the rules are, as far as it was measured. Written by a test from third-party reports that lie beside the
project and are not part of it; `ASSAY_BLESS=1 cargo test -p assay-tests --test suite accuracy` writes it again.

Three questions, three answers; they are never merged into one number.
";

fn agreement(text: &mut String, reports: &[Report]) {
    text.push_str(
        "\n## 1. Agreement with a reference table (not accuracy)\n\n\
         425 `smartctl` text reports of a public collection, about 80 of each class of the reference, which is another\n\
         script's reading of the same reports by published thresholds. Where the two differ, either may be wrong.\n\n\
         | reference says | reports | confirmed | suspected | watch | none |\n|---|--:|--:|--:|--:|--:|\n",
    );
    for class in ["confirmed", "suspected", "link", "watch", "worn", "ok"] {
        let of: Vec<&Report> = reports.iter().filter(|r| r.class == class).collect();
        let count = |word: &str| of.iter().filter(|r| worst(&r.diagnosis) == word).count();
        let _ = writeln!(
            text,
            "| {class} | {} | {} | {} | {} | {} |",
            of.len(),
            count("confirmed"),
            count("suspected"),
            count("watch"),
            count("none")
        );
    }
    text.push_str("\nBy family of reasons (a report may have several):\n\n| family | rules | reference | of these also ours | ours alone |\n|---|---|--:|--:|--:|\n");
    for family in FAMILIES {
        let theirs = |r: &&Report| r.theirs.contains(family.name);
        let ours = |r: &&Report| r.ours().contains(family.name);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            family.name,
            family.ours.join(", "),
            reports.iter().filter(theirs).count(),
            reports.iter().filter(theirs).filter(ours).count(),
            reports.iter().filter(|r| !theirs(r)).filter(ours).count()
        );
    }
}

fn reason(report: &Report) -> Option<usize> {
    let families = report.theirs.iter().copied().collect::<Vec<_>>().join(", ");
    REASONS.iter().position(|(class, theirs, ours, _)| {
        *class == report.class && *theirs == families && *ours == worst(&report.diagnosis)
    })
}

fn disagreements(text: &mut String, reports: &[Report]) {
    let mut rows: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    let mut unargued = Vec::new();
    for report in reports.iter().filter(|r| !r.agrees()) {
        match reason(report) {
            Some(row) => rows.entry(row).or_default().push(report.file.trim_end_matches(".txt")),
            None => {
                let fired: Vec<&str> = report.diagnosis.findings.iter().map(|f| f.code.as_str()).collect();
                unargued.push(format!(
                    "{} {} {:?}: we say {} {fired:?}",
                    report.file,
                    report.class,
                    report.theirs,
                    worst(&report.diagnosis)
                ));
            }
        }
    }
    assert!(unargued.is_empty(), "{} differences without a reason:\n{}", unargued.len(), unargued.join("\n"));
    let idle: Vec<_> =
        (0..REASONS.len()).filter(|row| !rows.contains_key(row)).map(|row| REASONS[row]).collect();
    assert!(idle.is_empty(), "rows that argue nothing: {idle:?}");
    let total: usize = rows.values().map(Vec::len).sum();
    let _ = write!(
        text,
        "\nEvery difference ({total} reports) and its reason:\n\n| reference | its reasons | we say | reports | why |\n|---|---|---|--:|---|\n"
    );
    for (row, files) in &rows {
        let (class, theirs, ours, why) = REASONS[*row];
        let theirs = if theirs.is_empty() { "none" } else { theirs };
        let _ = writeln!(text, "| {class} | {theirs} | {ours} | {} | {why} |", files.len());
    }
    text.push_str("\n<details><summary>The reports of each row</summary>\n\n");
    for (number, files) in rows.values().enumerate() {
        let _ = writeln!(text, "{}. {}", number + 1, files.join(" "));
    }
    text.push_str("\n</details>\n");
}

fn independent(text: &mut String, reports: &[Report]) {
    let sources: Vec<&str> = WITNESSES.iter().map(|witness| witness.name).collect();
    let _ = write!(
        text,
        "\n## 2. Independent evidence\n\n\
         For each finding that is confirmed on one of these reports: does a second source in the same report, which the\n\
         finding did not use, support it? Sources: {}. *Contradict* means that all\n\
         that are there say that nothing is wrong, which a drive's health answer often does long after its self-test\n\
         failed.\n\n\
         | rule | confirmed | support | contradict | missing |\n|---|--:|--:|--:|--:|\n",
        sources.join(", ")
    );
    let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for report in reports {
        for finding in report.diagnosis.findings.iter().filter(|f| f.verdict == Verdict::Confirmed) {
            let second = second_source(&report.drive, finding);
            *counts.entry(&finding.code).or_default().entry(second).or_default() += 1;
        }
    }
    for (code, by) in &counts {
        let of = |word| by.get(word).copied().unwrap_or_default();
        let all: usize = by.values().sum();
        let _ = writeln!(
            text,
            "| {code} | {all} | {} | {} | {} |",
            of("support"),
            of("contradict"),
            of("missing")
        );
    }
}

#[test]
fn the_document_on_accuracy_is_fresh() {
    let Some(reports) = reports() else { return };
    let path = root().join("docs/accuracy.md");
    let new = document(&reports);
    if std::env::var_os("ASSAY_BLESS").is_some() {
        std::fs::write(&path, new).expect("docs/accuracy.md is written");
        return;
    }
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = old.lines().zip(new.lines()).find(|(old, new)| old != new);
    assert!(
        old == new,
        "docs/accuracy.md is out of date: {differs:?}; read the difference, then ASSAY_BLESS=1"
    );
}

/// The numbers that the product promises on these reports.
#[test]
fn what_the_drive_itself_calls_failed_is_confirmed_and_what_is_well_is_not() {
    let Some(reports) = reports() else { return };
    let missed: Vec<&str> = reports
        .iter()
        .filter(|r| r.theirs.contains("drive's own health") && !r.theirs.contains("heat"))
        .filter(|r| r.drive.health_passed.value() == Some(&false) && worst(&r.diagnosis) != "confirmed")
        .map(|r| r.file.as_str())
        .collect();
    assert_eq!(missed, [""; 0], "health FAILED and not confirmed");
    let well: Vec<&Report> = reports.iter().filter(|r| r.class == "ok").collect();
    let wrong = well.iter().filter(|r| worst(&r.diagnosis) == "confirmed").count();
    assert!(wrong * 200 <= well.len(), "{wrong} of {} that are well are confirmed", well.len());
}
