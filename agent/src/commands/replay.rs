//! `assay replay`: judges recorded outputs again, and says where that differs from what the bundle says.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_bundle::Manifest;
use assay_collector::recorded::RecordedSource;
use assay_diagnosis::report::{Material, Origin, View};
use serde_json::Value;

use crate::bundle_file::Opened;
use crate::cli::exit_codes;
use crate::context::Context;
use crate::pipeline::{self, Run};
use crate::report::ReportArgs;
use crate::terminal::Line;
use crate::{output, runtime, source, trouble};

/// Judge a bundle's recorded outputs again and compare with what it says
#[derive(clap::Args)]
#[command(after_help = concat!(
    "Ends with the code of the new verdict; 3 when facts in the bundle contradict its own recorded outputs.\n\
     Next: `assay explain CODE`; after an update a difference is news, not damage.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// A bundle (.assay) or a device folder
    from: PathBuf,
    /// Secret key that opens an encrypted bundle (written by age-keygen)
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    #[command(flatten)]
    report: ReportArgs,
    /// The new diagnosis and the differences as JSON
    #[arg(long)]
    json: bool,
}

/// What a bundle said.
struct Said {
    manifest: Manifest,
    facts: Value,
    diagnosis: Value,
}

/// Reads again, judges again, compares.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let settings = context.settings()?;
    let outputs = args.report.begin(args.json)?;
    let (source, said) = read(&args.from, args.identity.as_deref(), context)?;
    let key = context.identity().pseudonym_key_for_showing()?;
    let options = source::options(&settings.config, &Arc::new(Line::new()));
    let invoice_date = settings.config.warranty_invoice_date;
    let run = runtime::block_on(pipeline::examine(source.as_ref(), &options, &key, invoice_date, None))?;
    let mut differences = Vec::new();
    if let Some(said) = &said {
        compare("facts", &said.facts, &output::value(&run.facts)?, &mut differences);
    }
    let same_parsers =
        said.as_ref().is_some_and(|said| said.manifest.parser_set == assay_collector::PARSER_SET);
    let forged = same_parsers && differences.iter().any(|difference| difference.contradicts);
    if let Some(said) = &said {
        compare("diagnosis", &said.diagnosis, &output::value(&run.diagnosis)?, &mut differences);
    }
    match args.json {
        true => output::print_json(&serde_json::json!({
            "diagnosis": output::value(&run.diagnosis)?,
            "compared": said.is_some(),
            "same_parser_set": same_parsers,
            "facts_contradict_raw": forged,
            "differences": differences.iter().map(|difference| &difference.text).collect::<Vec<_>>(),
        }))?,
        false => {
            output::print(outputs.text(&view(&run), "", &words(&run, said.as_ref(), &differences, forged)))?
        }
    }
    outputs.finish(&view(&run))?;
    Ok(if forged { trouble::FAILED } else { run.diagnosis.overall.exit_code() })
}

/// The recording, and what the bundle said of it.
fn read(
    from: &Path,
    secret: Option<&Path>,
    context: &Context,
) -> anyhow::Result<(Box<dyn assay_collector::source::Source>, Option<Said>)> {
    if from.is_dir() {
        let config = context.settings()?.config;
        return Ok((source::choose(Some(from), None, &config, &context.paths)?, None));
    }
    let wanted = |name: &str| name.starts_with("raw/") || matches!(name, "facts.json" | "diagnosis.json");
    let (envelope, entries) = Opened::read(from)?.entries(secret, &wanted)?;
    let facts = entries.document("facts.json")?;
    let diagnosis = entries.document("diagnosis.json")?;
    let source = RecordedSource::from_files(entries.into_raw());
    Ok((Box::new(source), Some(Said { manifest: envelope.manifest, facts, diagnosis })))
}

/// One place at which two documents differ.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    /// The place with both values.
    text: String,
    /// Whether both saw a value and the values differ. A reading that only one side has is a difference of parsers,
    /// or of what redaction left out (design section 4).
    contradicts: bool,
}

/// Lists every place at which two documents differ, as a path with both values.
fn compare(path: &str, said: &Value, now: &Value, differences: &mut Vec<Difference>) {
    match (said, now) {
        (a, b) if a == b => {}
        (Value::Object(a), Value::Object(b)) if is_unseen(said) == is_unseen(now) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            for key in keys {
                let value =
                    |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                compare(&format!("{path}.{key}"), &value(a), &value(b), differences);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{index}]"), a, b, differences);
            }
        }
        (a, b) => differences.push(Difference {
            text: format!("{path}: the bundle says {}, its outputs say {}", short(a), short(b)),
            // Where a value stands is not the value, and why there is none is not a value either.
            contradicts: !is_unseen(a)
                && !is_unseen(b)
                && !path.ends_with(".from")
                && !path.ends_with(".why"),
        }),
    }
}

/// Whether this is a reading without a value (`Observed`'s three other states).
fn is_unseen(value: &Value) -> bool {
    match value {
        Value::String(word) => word == "absent" || word == "not_collected",
        Value::Object(map) => map.len() == 1 && map.contains_key("unreadable"),
        _ => false,
    }
}

fn short(value: &Value) -> String {
    const MOST: usize = 120;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(&text)),
        None => text,
    }
}

fn view(run: &Run) -> View {
    View::of(&Material {
        entitlement: Some(&run.entitlement),
        ..Material::new(&run.facts, &run.diagnosis, &run.recommendation, Origin::Recorded)
    })
}

/// What stands below the report: whether the bundle says the same.
fn words(run: &Run, said: Option<&Said>, differences: &[Difference], forged: bool) -> String {
    let mut text = String::new();
    let Some(said) = said else { return text };
    if differences.is_empty() {
        let _ = writeln!(
            text,
            "\nThe bundle says the same: facts and diagnosis follow from its recorded outputs."
        );
        return text;
    }
    let _ = writeln!(
        text,
        "\n{} differences (bundle: parsers {}, rules {}; here: parsers {}, rules {}):",
        differences.len(),
        said.manifest.parser_set,
        said.manifest.rule_pack,
        assay_collector::PARSER_SET,
        run.diagnosis.rule_pack,
    );
    for difference in differences {
        let _ = writeln!(text, "  {}", difference.text);
    }
    if forged {
        text.push_str(
            "The facts in this bundle are not what its own recorded outputs say, under the same parsers.\n\
             next: do not act on it; collect anew, and report this when it happens again\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The differences, each with `!` before it when it contradicts.
    fn check(said: &Value, now: &Value, expected: &[&str]) {
        let mut differences = Vec::new();
        compare("facts", said, now, &mut differences);
        let marked = |d: &Difference| format!("{}{}", if d.contradicts { "!" } else { "" }, d.text);
        assert_eq!(differences.iter().map(marked).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn differences_name_their_place() {
        check(&json!({"a": [1, 2]}), &json!({"a": [1, 2]}), &[]);
        check(
            &json!({"a": [1, 2]}),
            &json!({"a": [1, 3]}),
            &["!facts.a[1]: the bundle says 2, its outputs say 3"],
        );
        check(&json!([1]), &json!([1, 2]), &["!facts: the bundle says [1], its outputs say [1,2]"]);
    }

    #[test]
    fn only_two_values_contradict_each_other() {
        let seen = |value: u8, from: &str| json!({"a": {"seen": {"value": value, "from": from}}});
        let unread = json!({"a": {"unreadable": {"why": "it burnt"}}});
        check(&seen(1, "x"), &seen(2, "x"), &["!facts.a.seen.value: the bundle says 1, its outputs say 2"]);
        check(
            &seen(1, "x"),
            &seen(1, "y"),
            &["facts.a.seen.from: the bundle says \"x\", its outputs say \"y\""],
        );
        check(
            &seen(1, "x"),
            &json!({"a": "absent"}),
            &["facts.a: the bundle says {\"seen\":{\"value\":1,\"from\":\"x\"}}, its outputs say \"absent\""],
        );
        check(
            &unread,
            &seen(1, "x"),
            &["facts.a: the bundle says {\"unreadable\":{\"why\":\"it burnt\"}}, its outputs say \
             {\"seen\":{\"value\":1,\"from\":\"x\"}}"],
        );
    }
}
