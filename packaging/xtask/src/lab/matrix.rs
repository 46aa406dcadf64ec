//! What was injected against what was found, as a table for a person.

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
