//! What was injected against what was found: a table for a person, and the record that `docs/accuracy.md` counts.

use serde_json::{Value, json};

use super::verdict::Outcome;

/// Of a run of all scenarios. What ended wrong stands in it as well: it is counted, not left out.
pub(crate) fn record(outcomes: &[Outcome]) -> Value {
    let rows: Vec<Value> = outcomes
        .iter()
        .map(|outcome| {
            json!({
                "name": outcome.name,
                "fault_in": outcome.component,
                "judged": outcome.judged,
                "due": outcome.due,
                "may": outcome.may,
                "found": outcome.found,
                "ended_as_due": outcome.wrong.is_empty(),
            })
        })
        .collect();
    let rule_pack = outcomes.iter().map(|outcome| outcome.rule_pack).max();
    json!({ "rule_pack": rule_pack, "scenarios": rows })
}

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
