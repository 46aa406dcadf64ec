//! The third column: faults that were put into emulated hardware, where the truth is known, and what was found.
//!
//! The virtual NAS writes what it found (`cargo xtask lab --keep`); here it is counted, with what ended wrong. Only here
//! may the words precision and recall stand, and with them how few faults they are of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use assay_diagnosis::{RULE_PACK, RULES};
use serde::Deserialize;

use crate::support::root;

/// `tests/lab/found.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    rule_pack: u32,
    scenarios: Vec<Scenario>,
}

/// One scenario and its end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    fault_in: String,
    judged: bool,
    due: Vec<String>,
    may: Vec<String>,
    /// Code, component, verdict.
    found: Vec<[String; 3]>,
    ended_as_due: bool,
}

impl Scenario {
    fn is_found(&self, due: &str) -> bool {
        due.split('|').any(|code| self.found.iter().any(|[found, ..]| found == code))
    }
}

fn record() -> Record {
    let text = std::fs::read_to_string(root().join("tests/lab/found.json")).expect("the record of the lab");
    serde_json::from_str(&text).expect("the record of the lab is JSON")
}

/// How often a rule was due, was found where it was due, and spoke at all, rightly or not.
#[derive(Default)]
struct Score {
    due: u32,
    met: u32,
    spoke: u32,
    right: u32,
}

fn scores(scenarios: &[Scenario]) -> BTreeMap<&str, Score> {
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    for scenario in scenarios {
        let due: BTreeSet<&str> = scenario.due.iter().flat_map(|codes| codes.split('|')).collect();
        let spoke: BTreeSet<&str> = scenario.found.iter().map(|[code, ..]| code.as_str()).collect();
        for code in &spoke {
            let score = scores.entry(code).or_default();
            score.spoke += 1;
            score.right += u32::from(due.contains(code) || scenario.may.iter().any(|may| may == code));
        }
        // Of several rules of which one is enough, those that spoke were due; when none did, all were.
        for codes in &scenario.due {
            for code in codes.split('|').filter(|code| spoke.contains(code) || !scenario.is_found(codes)) {
                let score = scores.entry(code).or_default();
                score.due += 1;
                score.met += u32::from(spoke.contains(code));
            }
        }
    }
    scores
}

/// Writes the column.
pub(super) fn column(text: &mut String) {
    let record = record();
    text.push_str(
        "\n## 3. Injected faults\n\n\
         Faults put into the emulated hardware of a virtual NAS (`cargo xtask lab`), where the truth is known. They are few,\n\
         chosen by us, and run against the rules that were written with them in mind: what fails here is wrong; what passes\n\
         here may still fail in the field.\n\n",
    );
    let judged: Vec<&Scenario> = record.scenarios.iter().filter(|scenario| scenario.judged).collect();
    let healthy: Vec<_> = judged.iter().filter(|scenario| scenario.fault_in == "none").collect();
    let faulty: Vec<_> = judged.iter().filter(|scenario| !scenario.due.is_empty()).collect();
    let confirmed = |scenario: &Scenario| scenario.found.iter().any(|[.., verdict]| verdict == "confirmed");
    let _ = writeln!(
        text,
        "{} scenarios, {} of them judged by a report. Of {} with a fault that a finding is due for, {} had every due finding; \
         of {} without a fault, {} said `confirmed`. Rule pack {}.\n",
        record.scenarios.len(),
        judged.len(),
        faulty.len(),
        faulty.iter().filter(|scenario| scenario.due.iter().all(|due| scenario.is_found(due))).count(),
        healthy.len(),
        healthy.iter().filter(|scenario| confirmed(scenario)).count(),
        record.rule_pack
    );
    text.push_str(
        "| scenario | fault in | due | found (component, verdict) | ended as due |\n|---|---|---|---|---|\n",
    );
    for scenario in &record.scenarios {
        let found: Vec<String> = scenario
            .found
            .iter()
            .map(|[code, component, verdict]| format!("{code} ({component}, {verdict})"))
            .collect();
        let or_none = |text: String| if text.is_empty() { "nothing".to_owned() } else { text };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            scenario.name,
            scenario.fault_in,
            or_none(scenario.due.join(", ").replace('|', " or ")),
            if scenario.judged { or_none(found.join(", ")) } else { "no report is due".to_owned() },
            if scenario.ended_as_due { "yes" } else { "no" }
        );
    }
    text.push_str(
        "\nBy rule. Recall: of the scenarios in which it was due, those in which it spoke. Precision: of those in which it \
         spoke,\nthose in which it was due or follows from the fault.\n\n\
         | rule | recall on injected faults | precision on injected faults | field precision |\n|---|---|---|---|\n",
    );
    let scores = scores(&record.scenarios);
    for rule in RULES {
        let of =
            |part: u32, whole: u32| if whole == 0 { "-".to_owned() } else { format!("{part} of {whole}") };
        let score = scores.get(rule.code);
        let _ = writeln!(
            text,
            "| {} | {} | {} | not measured |",
            rule.code,
            score.map_or_else(|| "-".to_owned(), |score| of(score.met, score.due)),
            score.map_or_else(|| "-".to_owned(), |score| of(score.right, score.spoke)),
        );
    }
}

/// A new scenario, a changed one or a new rule pack wants `cargo xtask lab --keep`.
#[test]
fn the_record_of_the_lab_is_of_these_scenarios() {
    let record = record();
    let kept: BTreeSet<String> = record.scenarios.iter().map(|scenario| scenario.name.clone()).collect();
    let mut there = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("tests/lab")).expect("the scenarios").flatten() {
        if entry.path().join("scenario.toml").is_file() {
            there.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    assert_eq!(kept, there, "cargo xtask lab --keep");
    assert_eq!(record.rule_pack, RULE_PACK, "cargo xtask lab --keep");
    let wrong: Vec<&str> =
        record.scenarios.iter().filter(|s| !s.ended_as_due).map(|s| s.name.as_str()).collect();
    assert!(wrong.is_empty(), "these did not end as they should: {wrong:?}");
}
