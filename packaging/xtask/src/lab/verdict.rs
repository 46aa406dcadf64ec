//! What the agent found, compared with what it should have found.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::scenario::{Expect, Scenario, Wanted};

/// What became of a scenario.
pub(crate) struct Outcome {
    /// Its name.
    pub(crate) name: String,
    /// The component that the fault was in.
    pub(crate) component: String,
    /// What was found: code, component and verdict of each finding of all runs, once each.
    pub(crate) found: Vec<[String; 3]>,
    /// Which findings are due, each as the codes of which one is enough.
    pub(crate) due: Vec<String>,
    /// Codes that may be found besides, because they follow from the fault.
    pub(crate) may: Vec<String>,
    /// Whether a run made a report at all; a power cut leaves none to judge.
    pub(crate) judged: bool,
    /// The rule pack that judged.
    pub(crate) rule_pack: u64,
    /// What is not as it should be.
    pub(crate) wrong: Vec<String>,
    /// How long it took.
    pub(crate) seconds: u64,
}

impl Outcome {
    /// Of a scenario that did not come to its end.
    pub(crate) fn broken(scenario: &Scenario, why: &str) -> Self {
        let expects = scenario.about.expect.iter();
        Self {
            name: scenario.name.clone(),
            component: scenario.about.component.clone(),
            found: Vec::new(),
            due: sorted(expects.clone().flat_map(|e| &e.finding).map(|wanted| wanted.code.clone())),
            may: sorted(expects.flat_map(|e| e.may.iter().cloned())),
            judged: false,
            rule_pack: 0,
            wrong: vec![why.to_owned()],
            seconds: 0,
        }
    }
}

fn sorted(codes: impl Iterator<Item = String>) -> Vec<String> {
    codes.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Compares all runs of a scenario.
pub(crate) fn compare(scenario: &Scenario, folder: &Path) -> Outcome {
    let mut outcome = Outcome::broken(scenario, "");
    outcome.wrong.clear();
    if let Ok(said) = std::fs::read_to_string(folder.join("failed")) {
        outcome.wrong.extend(said.lines().map(|line| format!("guest.sh: {line}")));
    }
    for expect in &scenario.about.expect {
        if let Err(why) = one_run(expect, folder, &mut outcome) {
            outcome.wrong.push(format!("{}: {why}", expect.run));
        }
    }
    outcome.found.sort();
    outcome.found.dedup();
    outcome
}

fn one_run(expect: &Expect, folder: &Path, outcome: &mut Outcome) -> Result<(), String> {
    let read = |suffix: &str| {
        std::fs::read_to_string(folder.join(format!("{}.{suffix}", expect.run)))
            .map_err(|error| format!("left no {suffix}: {error}"))
    };
    let code: i32 = read("code")?.trim().parse().map_err(|_| "left no exit code".to_owned())?;
    if let Some(wanted) = expect.exit
        && wanted != code
    {
        outcome.wrong.push(format!(
            "{}: exit {code} instead of {wanted}: {}",
            expect.run,
            read("errors").unwrap_or_default().trim()
        ));
    }
    let report = read("json").unwrap_or_default();
    let said = format!("{report}\n{}", read("errors").unwrap_or_default());
    for text in &expect.says {
        if !said.contains(text.as_str()) {
            outcome.wrong.push(format!("{}: does not say `{text}`", expect.run));
        }
    }
    if expect.exit.is_some()
        && expect.finding.is_empty()
        && expect.overall.is_none()
        && !report.starts_with('{')
    {
        return Ok(());
    }
    let report: Value = serde_json::from_str(&report)
        .map_err(|error| format!("no report: {error}; {}", read("errors").unwrap_or_default().trim()))?;
    let diagnosis = &report["diagnosis"];
    outcome.judged = true;
    outcome.rule_pack = diagnosis["rule_pack"].as_u64().unwrap_or_default();
    let overall = diagnosis["overall"].as_str().unwrap_or_default();
    if let Some(wanted) = &expect.overall
        && wanted != overall
    {
        let unknown = diagnosis["unknowns"].as_array().into_iter().flatten();
        let needed: Vec<_> = unknown
            .filter(|entry| entry["required"] == true)
            .map(|entry| format!("{} {}", entry["subject"], entry["why"]))
            .collect();
        outcome.wrong.push(format!(
            "{}: `{overall}` instead of `{wanted}` {}",
            expect.run,
            needed.join("; ")
        ));
    }
    let findings: Vec<&Value> = diagnosis["findings"].as_array().into_iter().flatten().collect();
    for finding in &findings {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        outcome.found.push([text("code"), text("component"), text("verdict")]);
    }
    judge(expect, &findings, outcome);
    Ok(())
}

fn judge(expect: &Expect, findings: &[&Value], outcome: &mut Outcome) {
    let mut say = |what: String| outcome.wrong.push(format!("{}: {what}", expect.run));
    for wanted in &expect.finding {
        if let Some(why) = missing(wanted, findings) {
            say(why);
        }
    }
    for finding in findings {
        let code = finding["code"].as_str().unwrap_or_default();
        let title = finding["title"].as_str().unwrap_or_default();
        let wanted = expect.finding.iter().any(|wanted| wanted.code.split('|').any(|one| one == code));
        if expect.absent.iter().any(|absent| absent == code) {
            say(format!("{code} must not be found: {title}"));
        } else if !wanted && !expect.may.iter().any(|may| may == code) {
            say(format!("{code} was not expected: {title}"));
        }
        if !expect.may_confirm && finding["verdict"] == "confirmed" {
            say(format!("{code} says confirmed: {title}"));
        }
    }
}

fn rank(verdict: &str) -> usize {
    ["watch", "suspected", "confirmed"].iter().position(|known| *known == verdict).map_or(0, |at| at + 1)
}

/// Why a wanted finding is not there as it should be.
fn missing(wanted: &Wanted, findings: &[&Value]) -> Option<String> {
    let of_code: Vec<_> =
        findings.iter().filter(|finding| wanted.code.split('|').any(|one| finding["code"] == one)).collect();
    if of_code.is_empty() {
        return Some(format!("{} was not found", wanted.code));
    }
    let mut why = String::new();
    for finding in of_code {
        let verdict = finding["verdict"].as_str().unwrap_or_default();
        let suspect = finding["suspects"].get(0).map(Value::to_string).unwrap_or_default();
        if rank(verdict) < rank(&wanted.at_least)
            || wanted.at_most.as_ref().is_some_and(|most| rank(verdict) > rank(most))
        {
            why = format!("{} says {verdict}", wanted.code);
        } else if wanted.names.as_ref().is_some_and(|name| !suspect.contains(name.as_str())) {
            why = format!(
                "{} does not name `{}` first: {suspect}",
                wanted.code,
                wanted.names.as_deref().unwrap_or_default()
            );
        } else {
            return None;
        }
    }
    Some(why)
}
