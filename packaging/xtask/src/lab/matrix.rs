//! What was injected against what was found: the table for a person, and the document that `docs/accuracy.md` is made
//! from. Times are for the table only, so that the document changes when a result does.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::json;

use super::verdict::Outcome;

/// The table for a person.
pub(crate) fn table(outcomes: &[Outcome]) -> Vec<String> {
    let mut rows =
        vec![String::new(), format!("{:<28} {:<16} {:<7} {:>4}  found", "scenario", "fault in", "", "s")];
    for outcome in outcomes {
        let found: Vec<String> =
            outcome.found.iter().map(|[code, _, verdict]| format!("{code} {verdict}")).collect();
        rows.push(format!(
            "{:<28} {:<16} {:<7} {:>4}  {}",
            outcome.name,
            outcome.component,
            if outcome.wrong.is_empty() { "ok" } else { "WRONG" },
            outcome.seconds,
            if found.is_empty() { "nothing".to_owned() } else { found.join(", ") }
        ));
    }
    rows
}

/// The document: one row for each scenario, and for each component how many faults were put in and found in it.
pub(crate) fn document(outcomes: &[Outcome]) -> Result<String> {
    let mut components: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for outcome in outcomes {
        let row = components.entry(outcome.component.as_str()).or_default();
        row[0] += 1;
        row[1] += u64::from(outcome.wrong.is_empty());
    }
    let document = json!({
        "scenarios": outcomes
            .iter()
            .map(|outcome| json!({
                "name": outcome.name,
                "about": outcome.about,
                "component": outcome.component,
                "as_expected": outcome.wrong.is_empty(),
                "found": outcome.found,
            }))
            .collect::<Vec<_>>(),
        "components": components
            .iter()
            .map(|(component, [injected, found])| json!({
                "component": component, "scenarios": injected, "as_expected": found,
            }))
            .collect::<Vec<_>>(),
    });
    let mut text = serde_json::to_string_pretty(&document).context("the lab's document")?;
    text.push('\n');
    Ok(text)
}
