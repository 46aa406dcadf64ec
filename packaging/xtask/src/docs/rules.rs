//! The pages of the rules: what `assay explain` says of each, and the recorded devices on which it fires.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::sh;

/// Where the pages stand.
const FOLDER: &str = "docs/rules";
/// Where the recorded devices stand.
const DEVICES: &str = "tests/devices";

/// A rule as `assay explain --json` says it.
#[derive(Deserialize)]
struct Rule {
    code: String,
    title: String,
    component: String,
    checks: String,
    why: String,
    what_to_do: String,
    threshold_source: String,
}

/// What is read of a recorded device's diagnosis.
#[derive(Deserialize)]
struct Diagnosis {
    findings: Vec<Finding>,
}

/// What is read of a finding.
#[derive(Deserialize)]
struct Finding {
    code: String,
    title: String,
    verdict: String,
}

/// Every page with its path: the list, and one for each rule.
pub(super) fn pages(explained: &str) -> Result<BTreeMap<String, String>> {
    let rules: Vec<Rule> = serde_json::from_str(explained).context("assay explain --json")?;
    let fired = fired()?;
    let mut index = "# Rules\n\nWritten by `cargo xtask docs` from the rules themselves, in the order in which a report names them. \
        Codes are never reused.\n\n| Code | About | Suspicion |\n|---|---|---|\n"
        .to_owned();
    let mut pages = BTreeMap::new();
    for rule in &rules {
        let Rule { code, title, component, .. } = rule;
        let _ = writeln!(index, "| [{code}]({code}.md) | {component} | {title} |");
        let seen = fired.get(code).map(Vec::as_slice).unwrap_or_default();
        pages.insert(format!("{FOLDER}/{code}.md"), page(rule, seen));
    }
    pages.insert(format!("{FOLDER}/README.md"), index);
    Ok(pages)
}

/// Pages on disk that no rule has any more.
pub(super) fn stale(pages: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let folder = sh::root().join(FOLDER);
    let mut stale = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| FOLDER.to_owned())? {
        let path = format!("{FOLDER}/{}", entry?.file_name().to_string_lossy());
        if !pages.contains_key(&path) {
            stale.push(path);
        }
    }
    Ok(stale)
}

fn page(rule: &Rule, seen: &[(String, Finding)]) -> String {
    let mut text = format!("# {}: {}\n\nAbout: {}\n", rule.code, rule.title, rule.component);
    for (heading, words) in [
        ("Checks", &rule.checks),
        ("Why it matters", &rule.why),
        ("What to do", &rule.what_to_do),
        ("Source of the threshold", &rule.threshold_source),
    ] {
        let _ = write!(text, "\n## {heading}\n\n{words}\n");
    }
    text.push_str("\n## Recorded devices on which it fires\n\n");
    if seen.is_empty() {
        text.push_str("None; its tests stand beside it in `diagnosis/src/rules/`.\n");
    }
    for (device, finding) in seen {
        let _ = writeln!(text, "- `{DEVICES}/{device}`: {}: {}", finding.verdict, finding.title);
    }
    text.push_str("\nField precision: see [accuracy](../accuracy.md).\n");
    text
}

/// The findings of all recorded devices, by code.
fn fired() -> Result<BTreeMap<String, Vec<(String, Finding)>>> {
    let mut fired: BTreeMap<String, Vec<(String, Finding)>> = BTreeMap::new();
    let folder = sh::root().join(DEVICES);
    let mut devices: Vec<String> = std::fs::read_dir(&folder)
        .with_context(|| DEVICES.to_owned())?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    devices.sort();
    for device in devices {
        let path = folder.join(&device).join("expected/diagnosis.json");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let diagnosis: Diagnosis = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        for finding in diagnosis.findings {
            fired.entry(finding.code.clone()).or_default().push((device.clone(), finding));
        }
    }
    Ok(fired)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_four_headings_and_the_devices() {
        let rule = Rule {
            code: "FAN-001".to_owned(),
            title: "Fan stands still".to_owned(),
            component: "fan".to_owned(),
            checks: "Each fan.".to_owned(),
            why: "Heat.".to_owned(),
            what_to_do: "Look.".to_owned(),
            threshold_source: "None.".to_owned(),
        };
        let finding = Finding {
            code: rule.code.clone(),
            title: "It stands.".to_owned(),
            verdict: "suspected".to_owned(),
        };
        let text = page(&rule, &[("ts-1".to_owned(), finding)]);
        for words in [
            "# FAN-001: Fan stands still\n",
            "\n## Checks\n\nEach fan.\n",
            "- `tests/devices/ts-1`: suspected: It stands.\n",
        ] {
            assert!(text.contains(words), "{words:?} is not in {text}");
        }
        assert!(page(&rule, &[]).contains("None; its tests"));
    }
}
