//! `assay show`: what is in a bundle, exactly. Opens the payload; says what is proven and what is not.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use assay_bundle::archive::Envelope;
use assay_bundle::cost::Cost;
use assay_bundle::manifest::RunSource;
use assay_bundle::units::Bytes;
use assay_bundle::{Diagnosis, Facts};
use assay_diagnosis::report::{Material, Origin, View};

use crate::bundle_file::{Entries, Opened};
use crate::cli::exit_codes;
use crate::context::Context;
use crate::report::ReportArgs;
use crate::trouble::refuse;
use crate::{browse, output, pipeline, record, stand_ins};

/// Show what is in a bundle: who made it, what it found, every file
#[derive(clap::Args)]
#[command(after_help = concat!(
    "What is shown was checked against its own digests, not against a key. Next: `assay verify FILE`.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The bundle (.assay)
    file: PathBuf,
    /// Print one file of it as it is, such as raw/proc/mdstat
    #[arg(long, visible_alias = "file", value_name = "NAME", conflicts_with_all = ["tree", "json", "html", "markdown"])]
    raw: Option<String>,
    /// List every file with its size
    #[arg(long, conflicts_with_all = ["html", "markdown"])]
    tree: bool,
    /// Print every line of it that holds WORD, in any case
    #[arg(long, value_name = "WORD", conflicts_with_all = ["raw", "tree", "json", "extract"])]
    search: Option<String>,
    /// Print every line in which something was replaced, beside what it was: on the device that made it
    #[arg(long, conflicts_with_all = ["raw", "tree", "json", "extract", "search"])]
    diff_raw: bool,
    /// Write its recorded outputs to the new folder DIR, which --source reads
    #[arg(long, value_name = "DIR", conflicts_with_all = ["raw", "tree", "json", "html", "markdown"])]
    extract: Option<PathBuf>,
    /// Secret key that opens an encrypted bundle (written by age-keygen)
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    #[command(flatten)]
    report: ReportArgs,
    /// Manifest, diagnosis and list of files as JSON
    #[arg(long)]
    json: bool,
}

/// Opens and prints.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let opened = Opened::read(&args.file)?;
    let named_key = opened.named_key()?;
    opened.verify_signature(&named_key)?;
    let browses = args.search.is_some() || args.diff_raw;
    let other_form = args.tree || args.json || args.report.wants_files() || browses;
    let head_only = args.raw.is_none() && args.extract.is_none() && !other_form;
    if opened.is_sealed() && args.identity.is_none() && head_only {
        output::print(sealed_words(&opened.envelope))?;
        return Ok(0);
    }
    if let Some(folder) = &args.extract {
        return extract(opened, folder, args.identity.as_deref());
    }
    if browses {
        let (_, entries) = opened.entries(args.identity.as_deref(), &|_| true)?;
        let text = match &args.search {
            Some(word) => browse::search(&entries.bytes, word),
            None => browse::difference(&entries.bytes, &table(context)?),
        };
        output::print(text)?;
        return Ok(0);
    }
    let wanted_raw = args.raw.clone();
    let wanted = move |name: &str| match &wanted_raw {
        Some(raw) => name == raw || name.strip_prefix("raw/") == Some(raw),
        None => matches!(name, "facts.json" | "diagnosis.json" | "cost.json"),
    };
    let outputs = args.report.begin(args.json)?;
    let (envelope, entries) = opened.entries(args.identity.as_deref(), &wanted)?;
    if let Some(raw) = &args.raw {
        let Some(bytes) = entries.bytes.into_values().next() else {
            return Err(refuse(
                format!("the bundle has no file {raw:?}"),
                "`assay show FILE --tree` lists its files",
            ));
        };
        output::print(bytes)?;
        return Ok(0);
    }
    if args.json {
        let diagnosis: Diagnosis = entries.document("diagnosis.json")?;
        let list = &entries.list;
        output::print_json(&serde_json::json!({
            "manifest": output::value(&envelope.manifest)?, "diagnosis": output::value(&diagnosis)?,
            "entries": output::value(list)?,
        }))?;
        return if args.report.wants_files() {
            outputs.finish(&view(&envelope, &entries, context)?).map(|()| 0)
        } else {
            Ok(0)
        };
    }
    let head = head(&envelope);
    if args.tree {
        output::print(head + &tree(&entries))?;
        return Ok(0);
    }
    let view = view(&envelope, &entries, context)?;
    output::print(outputs.text(&view, &head, ""))?;
    outputs.finish(&view)?;
    Ok(0)
}

/// What this device's stand-ins stand for.
fn table(context: &Context) -> anyhow::Result<stand_ins::StandIns> {
    match &context.paths.memory_dir {
        Some(folder) => stand_ins::load(folder),
        None => Ok(stand_ins::StandIns::new()),
    }
}

/// Writes the recorded outputs as a folder.
fn extract(opened: Opened, folder: &Path, identity: Option<&Path>) -> anyhow::Result<u8> {
    record::check(folder)?;
    let (_, entries) = opened.entries(identity, &|name| name.starts_with("raw/"))?;
    let raw = entries.into_raw();
    let files = record::write(folder, raw.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))?;
    let shown = folder.display();
    output::print(format!(
        "recording  {shown} ({files} files)\nnext       `assay check --source {shown}` reads it again\n"
    ))?;
    Ok(0)
}

/// What the manifest says.
pub(crate) fn head(envelope: &Envelope) -> String {
    let manifest = &envelope.manifest;
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "not read".to_owned());
    let source = match manifest.source {
        RunSource::Live => "a live run",
        RunSource::Recorded => "a recording: not evidence",
        RunSource::Judged => "outputs gathered by other means: not evidence",
    };
    let clock = match (manifest.clock.plausible, manifest.clock.synchronised) {
        (false, _) => " (cannot be right)",
        (true, Some(false)) => " (clock not synchronised)",
        (true, _) => "",
    };
    let recipients = match manifest.recipients.is_empty() {
        true => "nobody yet: it was sealed before enrolment".to_owned(),
        false => manifest.recipients.join(", "),
    };
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<13}{value}");
    };
    line("source", source);
    line(
        "device",
        &format!("{}, serial {}", or_unknown(&manifest.device.model), or_unknown(&manifest.device.serial)),
    );
    line("firmware", &or_unknown(&manifest.device.firmware));
    line("made", &format!("{}{clock}, number {}", manifest.clock.device_time, manifest.seq));
    line(
        "signed by",
        &format!("{} (the bundle's own word; `assay verify` compares it)", manifest.device.key_id),
    );
    line(
        "by",
        &format!(
            "assay {}, parsers {}, rules {}",
            manifest.agent.version, manifest.parser_set, manifest.rule_pack
        ),
    );
    line("redaction", &format!("{}, rule set {}", manifest.redaction.level, manifest.redaction.rule_set));
    line("readable by", &recipients);
    text.push('\n');
    text
}

/// What can be said of an encrypted bundle without its key.
fn sealed_words(envelope: &Envelope) -> String {
    let mut text = head(envelope);
    let summary = &envelope.manifest.summary;
    let _ =
        writeln!(text, "The device's verdict: {}. {}", summary.overall.words(), summary.top_codes.join(", "));
    let _ = writeln!(text, "The payload is encrypted; --identity FILE opens it for a reader named above.");
    text
}

/// Every file of the payload.
pub(crate) fn tree(entries: &Entries) -> String {
    let mut text = String::new();
    for entry in &entries.list {
        let _ = writeln!(text, "{:>12}  {}", Bytes(entry.size_bytes).to_string(), entry.name);
    }
    let total = entries.list.iter().map(|entry| entry.size_bytes).sum();
    let _ = writeln!(text, "{:>12}  in {} files", Bytes(total).to_string(), entries.list.len());
    text
}

/// The report as the device's diagnosis has it.
fn view(envelope: &Envelope, entries: &Entries, context: &Context) -> anyhow::Result<View> {
    let facts: Facts = entries.document("facts.json")?;
    let diagnosis: Diagnosis = entries.document("diagnosis.json")?;
    let source = envelope.manifest.source;
    // What reading a recording cost says nothing about the machine.
    let cost: Option<Cost> =
        (source == RunSource::Live).then(|| entries.document("cost.json")).transpose()?;
    let invoice_date = context.settings().map(|s| s.config.warranty_invoice_date).unwrap_or_default();
    let (entitlement, recommendation) = pipeline::recommend(&facts, &diagnosis, invoice_date);
    let origin = match source {
        RunSource::Live => Origin::Bundle,
        RunSource::Recorded => Origin::Recorded,
        RunSource::Judged => Origin::Judged,
    };
    Ok(View::of(&Material {
        entitlement: Some(&entitlement),
        cost: cost.as_ref(),
        ..Material::new(&facts, &diagnosis, &recommendation, origin)
    }))
}
