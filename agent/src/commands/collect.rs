//! `assay collect`: examines and seals a signed bundle, into the spool or into files. Sends nothing.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_bundle::Manifest;
use assay_bundle::manifest::{Reason, RunSource};
use assay_bundle::redact::Level;
use assay_bundle::units::Bytes;

use super::Machine;
use crate::cli::exit_codes;
use crate::context::Context;
use crate::seal::{self, Places, Sealing};
use crate::terminal::Line;
use crate::trouble::refuse;
use crate::{output, pipeline, record, runtime, source, stand_ins};

/// Examine and write a signed bundle: into the spool, or to a file with -o
#[derive(clap::Args)]
#[command(after_help = concat!(
    "A live run is signed as evidence; a recording (--source) never is, and goes to a file only.\n\
     A live run also keeps what changed since the last one on the data volume: counters, temperatures, fan speeds\n\
     (512 kB at most) and which drive is in which bay. collect.recorder = false in the configuration ends that.\n\
     Next: `assay show FILE` to see exactly what is in it, `assay upload` to send what is in the spool.\n",
    exit_codes!(),
    "\ncollect ends with 0 whatever the verdict: its job is the bundle."
))]
pub(crate) struct Args {
    #[command(flatten)]
    machine: Machine,
    /// Write the form that you can open to FILE instead of the spool; - is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the encrypted form, which only the portal can open, to FILE
    #[arg(long, value_name = "FILE")]
    sealed_output: Option<PathBuf>,
    /// Write a recording that --source reads to the new folder DIR, instead of a bundle
    #[arg(long, value_name = "DIR", conflicts_with_all = ["output", "sealed_output"])]
    record: Option<PathBuf>,
    /// What is replaced: standard, or strict, which masks serial numbers and world wide names too
    #[arg(long, value_name = "LEVEL")]
    redaction: Option<String>,
    /// Say what was made as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The flags as values on top of the configuration.
    fn overrides(&self) -> Vec<crate::config::Override> {
        let level = self.redaction.clone().map(|t| ("collect.redaction", t, "--redaction"));
        self.machine.overrides().into_iter().chain(level).collect()
    }
}

/// What was made.
#[derive(serde::Serialize)]
struct Made {
    manifest: Manifest,
    spool_entry: Option<String>,
    plain: Option<Place>,
    sealed: Option<Place>,
}

#[derive(serde::Serialize)]
struct Place {
    path: PathBuf,
    size_bytes: u64,
}

/// Examines, seals, says where it is.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    if let Some(folder) = &args.record {
        return recorded(&args, folder, context);
    }
    let settings = context.settings_with(args.overrides())?;
    let to_files = args.output.is_some() || args.sealed_output.is_some();
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if to_stdout && std::io::stdout().is_terminal() {
        return Err(refuse(
            "a bundle is no text for a terminal",
            "name a file with -o FILE, or redirect the output",
        ));
    }
    if args.machine.source.is_some() && !to_files {
        return Err(refuse(
            "a recording is never put into the spool: it is no evidence of this machine",
            "name a file with -o FILE; `assay upload FILE` sends it when you ask for it by name",
        ));
    }
    let identity = context.identity();
    let enrolment = identity.enrolment()?;
    let recipients: Vec<String> = enrolment.iter().map(|e| e.card.recipient.clone()).collect();
    if args.sealed_output.is_some() && recipients.is_empty() {
        return Err(refuse(
            "this device is not enrolled, so there is nobody to encrypt the bundle for",
            "leave out --sealed-output, or run `assay enroll` first",
        ));
    }
    // Before anything is read: a full spool or a missing volume is told at once.
    let slot = match to_files {
        true => None,
        false => Some(context.spool(&settings)?.begin()?),
    };
    let source = args.machine.source(context, &settings.config)?;
    let pseudonyms = identity.pseudonym_key_or_new()?;
    let key = identity.key_or_new()?;
    let memory = context.memory(&settings, true).filter(|_| args.machine.source.is_none());
    let line = Arc::new(Line::new());
    let options = source::options(&settings.config, &line);
    let clock = context.clock;
    let invoice_date = settings.config.warranty_invoice_date;
    let level = settings.config.collect_redaction;
    let table = context.memory(&settings, true).map(|memory| memory.folder);
    let live = args.machine.source.is_none();
    let places = Places { plain: args.output.clone(), sealed: args.sealed_output.clone() };
    let made = runtime::block_on(async {
        let examined = pipeline::examine_to_seal(
            source.as_ref(),
            &options,
            &pseudonyms,
            level,
            invoice_date,
            memory.as_ref(),
        );
        let (mut run, content) = examined.await?;
        let stand_ins = std::mem::take(&mut run.stand_ins);
        line.show("sealing");
        let draft = seal::draft(&run, clock, identity.sequence().next()?, Reason::Owner);
        let sealing = Sealing { draft, content, key, recipients };
        runtime::blocking(move |stop| {
            if let Some(folder) = table.filter(|_| live)
                && let Err(error) = stand_ins::keep(&folder, stand_ins)
            {
                tracing::warn!("{error:#}; `assay unmask` will not know this bundle's stand-ins");
            }
            match slot {
                Some(slot) => {
                    let (manifest, entry) = sealing.into_spool(slot, clock, stop)?;
                    let place = |path: Option<PathBuf>| path.map(measure);
                    Ok(Made {
                        manifest,
                        spool_entry: Some(entry.id),
                        plain: place(entry.plain),
                        sealed: place(entry.sealed),
                    })
                }
                None => {
                    let manifest = sealing.into_files(&places, stop)?;
                    let plain = places.plain.filter(|_| !to_stdout).map(measure);
                    Ok(Made { manifest, spool_entry: None, plain, sealed: places.sealed.map(measure) })
                }
            }
        })
        .await
    })?;
    line.clear();
    match (args.json, to_stdout) {
        // The bundle itself has standard output; everything else is talk.
        (_, true) => output::say(&words(&made, enrolment.is_some())),
        (true, false) => output::print_json(&made)?,
        (false, false) => output::print(words(&made, enrolment.is_some()) + "\n")?,
    }
    Ok(0)
}

/// Examines and writes the redacted recording. It has no signature and no number: it is no evidence.
fn recorded(args: &Args, folder: &Path, context: &Context) -> anyhow::Result<u8> {
    record::check(folder)?;
    let settings = context.settings_with(args.overrides())?;
    let source = args.machine.source(context, &settings.config)?;
    let pseudonyms = context.identity().pseudonym_key_for_showing()?;
    let line = Arc::new(Line::new());
    let options = source::options(&settings.config, &line);
    let work = pipeline::examine_to_seal(
        source.as_ref(),
        &options,
        &pseudonyms,
        settings.config.collect_redaction,
        settings.config.warranty_invoice_date,
        None,
    );
    let (run, content) = runtime::block_on(work)?;
    line.clear();
    let raw =
        content.entries.iter().filter_map(|entry| Some((entry.name().strip_prefix("raw/")?, entry.bytes())));
    let files = record::write(folder, raw)?;
    let shown = folder.display();
    match args.json {
        true => output::print_json(&serde_json::json!({ "recording": folder, "files": files }))?,
        false => output::print(format!(
            "recording  {shown} ({files} files, redacted; not signed, no evidence)\n\
             verdict    {}\n\
             next       `assay check --source {shown}` reads it again\n",
            run.diagnosis.overall.words()
        ))?,
    }
    Ok(0)
}

fn measure(path: PathBuf) -> Place {
    let size_bytes = path.metadata().map(|meta| meta.len()).unwrap_or_default();
    Place { path, size_bytes }
}

/// Where it is, how large, what it says, what is next.
fn words(made: &Made, enrolled: bool) -> String {
    let mut lines = Vec::new();
    let mut place = |name: &str, place: &Option<Place>| {
        if let Some(Place { path, size_bytes }) = place {
            lines.push(format!("{name}{} ({})", path.display(), Bytes(*size_bytes)));
        }
    };
    place("bundle     ", &made.plain);
    place("encrypted  ", &made.sealed);
    let manifest = &made.manifest;
    lines.push(format!(
        "verdict    {}{}",
        manifest.summary.overall.words(),
        codes(&manifest.summary.top_codes)
    ));
    let evidence = match manifest.source {
        RunSource::Live => "this machine, signed as evidence",
        RunSource::Recorded | RunSource::Judged => "a recording, signed as a replay: not evidence",
    };
    lines.push(format!("source     {evidence}"));
    lines.push(format!("number     {} of key {}", manifest.seq, manifest.device.key_id));
    if manifest.redaction.level == Level::Strict.word() {
        lines.push(
            "redaction  strict: serial numbers are masked; a return of hardware needs them another way"
                .to_owned(),
        );
    }
    if !manifest.clock.plausible {
        lines.push(format!("clock      {} cannot be right; the bundle says so", manifest.clock.device_time));
    }
    lines.push(next(made, enrolled));
    lines.join("\n")
}

fn codes(codes: &[String]) -> String {
    if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) }
}

fn next(made: &Made, enrolled: bool) -> String {
    let shown =
        made.plain.as_ref().map_or_else(|| "FILE".to_owned(), |place| place.path.display().to_string());
    let sending = match (&made.spool_entry, enrolled) {
        (Some(_), true) => "`assay upload` sends the encrypted form",
        (None, true) => "`assay upload FILE` sends it",
        (_, false) => {
            "nothing leaves this machine before `assay enroll`; then it is sealed again for the portal"
        }
    };
    format!("next       `assay show {shown}` shows exactly what is in it\n           {sending}")
}
