//! `assay collect`: examines and seals a signed bundle, into the spool, into files, or onto a removable disk. Sends
//! nothing.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_bundle::Manifest;
use assay_bundle::manifest::{Reason, RunSource};
use assay_bundle::redact::Level;
use assay_bundle::support_request::{SupportRequest, redacts_at_least};
use assay_bundle::typed_nonce::TypedNonce;
use assay_bundle::units::Bytes;

use super::Machine;
use crate::cli::exit_codes;
use crate::context::Context;
use crate::identity::Enrolment;
use crate::runtime::StopFlag;
use crate::seal::{self, Places, Sealing};
use crate::support::desk::{Came, Desk};
use crate::terminal::Line;
use crate::trouble::{NextStep, refuse};
use crate::{output, pipeline, record, runtime, source, stand_ins, stick};

/// What `--usb` without a value means: the only disk that there is.
const ONLY_DISK: &str = "auto";

/// Examine and write a signed bundle: into the spool, to a file with -o, or to a USB disk with --usb
#[derive(clap::Args)]
#[command(after_help = concat!(
    "A live run is signed as evidence; a recording (--source) never is, and goes to a file only.\n\
     A live run also keeps what changed since the last one on the data volume: counters, temperatures, fan speeds\n\
     (512 kB at most) and which drive is in which bay. collect.recorder = false in the configuration ends that.\n\
     On a disk that is carried away (--usb) stands the encrypted form only, read back before it has its name.\n\
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
    /// Write the encrypted form to a removable disk that is mounted; with more than one, name it: --usb=DIR
    #[arg(
        long,
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ONLY_DISK,
        conflicts_with_all = ["sealed_output", "source"]
    )]
    usb: Option<PathBuf>,
    /// Before enrolment: encrypt for the recipient in FILE, which your support engineer gave you
    #[arg(long, value_name = "FILE")]
    recipient: Option<PathBuf>,
    /// The code that your support engineer reads to you: the bundle answers that request (with --usb or into a file)
    #[arg(long, value_name = "CODE", conflicts_with_all = ["source", "request"])]
    nonce: Option<String>,
    /// The request in a file that your support engineer gave you: the bundle answers it (as with --nonce)
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    request: Option<PathBuf>,
    /// Write a recording that --source reads to the new folder DIR, instead of a bundle
    #[arg(long, value_name = "DIR", conflicts_with_all = ["output", "sealed_output", "usb", "nonce", "request"])]
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
    /// Of what was read back from a disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// Examines, seals, says where it is.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    if let Some(folder) = &args.record {
        return recorded(&args, folder, context);
    }
    // A wrong sign is told before anything else happens.
    let nonce = args.nonce.as_deref().map(typed).transpose()?.map(|code| code.nonce());
    let settings = context.settings_with(args.overrides())?;
    let to_files = args.output.is_some() || args.sealed_output.is_some() || args.usb.is_some();
    let answers = nonce.is_some() || args.request.is_some();
    if answers && !to_files {
        return Err(refuse(
            "a bundle for a code or a file that you were given is brought by hand, and the spool is for what is sent",
            "name a disk with --usb, or a file with -o FILE or --sealed-output FILE",
        ));
    }
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
    let recipients = recipients(&args, enrolment.as_ref())?;
    if answers && enrolment.is_none() {
        return Err(refuse(
            "this device is not enrolled, so no request can be for it",
            "leave out --nonce and --request; a bundle without it can be looked at all the same",
        ));
    }
    if to_stdout && args.usb.is_some() {
        return Err(refuse("with --usb, standard output says what was written", "name a file for -o"));
    }
    let named = args.usb.as_deref().filter(|disk| *disk != Path::new(ONLY_DISK));
    let disk = args.usb.is_some().then(|| stick::choose(named)).transpose()?;
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
    let (nonce, level) = match &args.request {
        None => (nonce, settings.config.collect_redaction),
        Some(file) => {
            let asked = in_file(context, file)?;
            let own = settings.config.collect_redaction;
            let level = if redacts_at_least(own, asked.redaction) { own } else { asked.redaction };
            (Some(asked.nonce), level)
        }
    };
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
        let mut draft = seal::draft(&run, clock, identity.sequence().next()?, Reason::Owner);
        if let Some(nonce) = nonce {
            (draft.nonce, draft.reason) = (Some(nonce), Reason::SupportRequest);
        }
        let sealing = Sealing { draft, content, key, recipients };
        runtime::blocking(move |stop| {
            if let Some(folder) = table.filter(|_| live)
                && let Err(error) = stand_ins::keep(&folder, stand_ins)
            {
                tracing::warn!("{error:#}; `assay unmask` will not know this bundle's stand-ins");
            }
            if let Some(disk) = disk {
                return onto(&disk, sealing, places.plain.as_deref().filter(|_| !to_stdout), stop);
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

/// The code as it was typed.
fn typed(code: &str) -> anyhow::Result<TypedNonce> {
    TypedNonce::parse(code).or_advise(
        "the code was not typed as it was read to you",
        "ask for it again, group by group; nothing was done",
    )
}

/// The request in a file, verified and kept as `assay support fetch` does.
fn in_file(context: &Context, file: &Path) -> anyhow::Result<SupportRequest> {
    let desk = Desk::open(context)?;
    match desk.fetch(file)? {
        Came::New(id) | Came::Known(id) => Ok(desk.load(&id)?.1),
        Came::Not(why) => Err(refuse(
            format!("the request in {} was not listened to: {why}", file.display()),
            "ask your support engineer for another; nothing was read",
        )),
    }
}

/// Who can open the encrypted form: the portal, else whom the engineer's file names, else nobody.
fn recipients(args: &Args, enrolment: Option<&Enrolment>) -> anyhow::Result<Vec<String>> {
    match (enrolment, &args.recipient) {
        (Some(enrolment), None) => Ok(vec![enrolment.card.recipient.clone()]),
        (Some(enrolment), Some(_)) => Err(refuse(
            format!("this device is enrolled at {}, and encrypts for that portal alone", enrolment.card.name),
            "leave out --recipient",
        )),
        (None, Some(file)) => Ok(vec![stick::recipient(file)?]),
        (None, None) if args.sealed_output.is_some() || args.usb.is_some() => Err(refuse(
            "this device is not enrolled, so there is nobody to encrypt the bundle for",
            "`assay enroll` first, or --recipient FILE with the file that your support engineer gave you",
        )),
        (None, None) => Ok(Vec::new()),
    }
}

/// Seals onto a removable disk.
fn onto(disk: &Path, sealing: Sealing, plain: Option<&Path>, stop: &StopFlag) -> anyhow::Result<Made> {
    let device = &sealing.draft.device;
    let device = device.serial.clone().unwrap_or_else(|| stick::by_key(&sealing.key.public()));
    let target = stick::target(disk, &device, sealing.draft.seq);
    stick::sweep(disk);
    let (manifest, size_bytes, sha256) =
        sealing.onto_disk(&target, plain, stop).map_err(|error| stick::explain(disk, error))?;
    let sealed = Place { path: target, size_bytes, sha256: Some(sha256) };
    Ok(Made {
        manifest,
        spool_entry: None,
        plain: plain.map(Path::to_owned).map(measure),
        sealed: Some(sealed),
    })
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
    Place { path, size_bytes, sha256: None }
}

/// Where it is, how large, what it says, what is next.
fn words(made: &Made, enrolled: bool) -> String {
    let mut lines = Vec::new();
    let mut place = |name: &str, place: &Option<Place>| {
        if let Some(Place { path, size_bytes, sha256 }) = place {
            lines.push(format!("{name}{} ({})", path.display(), Bytes(*size_bytes)));
            if let Some(sha256) = sha256 {
                lines.push(format!("digest     sha256 {sha256}, read back from the disk"));
            }
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
    if let Some(Place { path, sha256: Some(_), .. }) = &made.sealed {
        let name = path.file_name().unwrap_or_default().display();
        let who = match enrolled {
            true => format!("there: `assay-portal bundle import {name} --by NAME`"),
            false => format!(
                "it is encrypted for {}: compare that with what your engineer says",
                made.manifest.recipients.join(", ")
            ),
        };
        let code = match made.manifest.nonce {
            Some(_) => "; it answers the request that you named",
            None => "",
        };
        return format!(
            "next       eject the disk and bring or send it to your support engineer{code}\n           {who}"
        );
    }
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
