//! `assay explain`: what a rule looks at, why it matters, what to do, and where its threshold comes from.

use std::fmt::Write as _;

use assay_diagnosis::{RULES, Rule};

use crate::cli::exit_codes;
use crate::context::Context;
use crate::output;
use crate::trouble::refuse;

/// Explain a finding's code; without one, list all rules
#[derive(clap::Args)]
#[command(after_help = concat!("Next: `assay check` for what applies to this machine.\n", exit_codes!()))]
pub(crate) struct Args {
    /// Code of a finding, as the report prints it
    code: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Prints one rule or the list.
pub(crate) fn run(args: Args, _context: &Context) -> anyhow::Result<u8> {
    let Some(code) = &args.code else {
        match args.json {
            true => output::print_json(&RULES.iter().map(|rule| json(rule)).collect::<Vec<_>>())?,
            false => output::print(list())?,
        }
        return Ok(0);
    };
    let Some(rule) = assay_diagnosis::explain(code) else {
        return Err(refuse(format!("no rule has the code {code:?}"), "`assay explain` lists all codes"));
    };
    match args.json {
        true => output::print_json(&json(rule))?,
        false => {
            let mut text = assay_diagnosis::report::explain(rule);
            if !text.ends_with('\n') {
                text.push('\n');
            }
            output::print(text)?;
        }
    }
    Ok(0)
}

fn list() -> String {
    let mut text = String::new();
    let width = RULES.iter().map(|rule| rule.code.len()).max().unwrap_or_default();
    for rule in RULES {
        let _ = writeln!(text, "{:width$}  {:<18}  {}", rule.code, rule.component.word(), rule.title);
    }
    text
}

fn json(rule: &Rule) -> serde_json::Value {
    serde_json::json!({
        "code": rule.code,
        "title": rule.title,
        "component": rule.component,
        "checks": rule.checks,
        "why": rule.why,
        "what_to_do": rule.what_to_do,
        "threshold_source": rule.threshold_source,
    })
}
