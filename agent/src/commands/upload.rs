//! `assay upload`: sends what waits in the spool, and files that were named. Nothing is lost and nothing is doubled.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::PathBuf;

use assay_bundle::units::Bytes;
use assay_uploader::{DrainOptions, DrainReport, Outcome, Phase, Progress, drain};

use crate::chassis;
use crate::cli::exit_codes;
use crate::context::Context;
use crate::reseal::{Ready, Resealer};
use crate::terminal::Line;
use crate::trouble::{self, refuse};
use crate::{output, pause, portal, portal_keys, revoked, rotation, runtime, source};

/// Send the bundles that wait in the spool, encrypted for the portal
#[derive(clap::Args)]
#[command(after_help = concat!(
    "A bundle that was sealed before enrolment, or for another portal, is sealed again first. What does not get\n\
     through stays in the spool and goes on where it stopped. Next: `assay status` lists what waits.\n",
    exit_codes!(),
    " 3 when something could not be sent."
))]
pub(crate) struct Args {
    /// Bundles to put into the spool first; a recording is sent only when it is named here
    files: Vec<PathBuf>,
    /// Certificates to trust besides the system's, PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Proxy for this call, http://…, https://… or socks5://…
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

/// Something that is not sent, and why, or where it is already.
type Kept = (String, String);

/// Makes ready, drains, says what became of each.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let ca_file = args.ca_file.as_deref().map(std::path::absolute).transpose()?;
    let ca_flag = ca_file.map(|path| ("portal.ca_file", path.display().to_string(), "--ca-file"));
    let proxy_flag = args.proxy.clone().map(|proxy| ("portal.proxy", proxy, "--proxy"));
    pause::check(context)?;
    let settings = context.settings_with(ca_flag.into_iter().chain(proxy_flag).collect())?;
    let identity = context.identity();
    let (Some(enrolment), Some(key)) = (identity.enrolment()?, identity.key()?) else {
        return Err(refuse(
            "this device is not enrolled, so there is nowhere to send a bundle",
            "`assay enroll --portal URL --code CODE` with the code from your portal; the spool keeps what waits",
        ));
    };
    let spool = context.spool(&settings)?;
    let sent = runtime::block_on(async {
        let here = source::who(&settings.config, &context.paths).await?;
        chassis::check(&enrolment.chassis, &chassis::marks(&here))?;
        // Whatever the line does next, what was named waits in the spool.
        let named = Resealer {
            identity: &identity,
            spool: &spool,
            recipient: &enrolment.card.recipient,
            here: &here,
            clock: context.clock,
        };
        let already = named_files(&args.files, &named).await?;
        let portal = portal::enrolled(&enrolment, &settings.config, &identity, context.clock)?;
        let enrolment = portal_keys::settled(context, &identity, enrolment, &portal).await?;
        let key = rotation::settled(context, &identity, &enrolment, &portal, key).await;
        let portal = portal::enrolled(&enrolment, &settings.config, &identity, context.clock)?;
        let resealer = Resealer {
            identity: &identity,
            spool: &spool,
            recipient: &enrolment.card.recipient,
            here: &here,
            clock: context.clock,
        };
        let mut kept: Vec<Kept> = Vec::new();
        for entry in spool.entries()? {
            let ready = resealer.entry(&entry).await.unwrap_or_else(|error| Ready::Not(format!("{error:#}")));
            if let Ready::Not(why) = ready {
                kept.push((entry.id, why));
            }
        }
        let shown = Shown::new();
        let progress = |progress: Progress| shown.show(&progress);
        let options = DrainOptions::default();
        let report = drain(&spool, &portal, &key, &enrolment.card, &options, &progress).await?;
        if let Some(last) = report.last_seq() {
            identity.sequence().go_above(last)?;
        }
        revoked::learn_of(context, &report)?;
        // Nothing was to be sent: ask, so that the word of before is worth something.
        if report.bundles.is_empty() && revoked::told(context).is_some() {
            revoked::look(context, &settings.config).await?;
        }
        Ok((report, kept, already))
    });
    revoked::learn_if_revoked(context, &sent);
    let (report, kept, already) = sent?;
    let told = revoked::told(context);
    if let Some(told) = &told {
        output::say(&format!("assay: {}", told.words()));
    }
    match args.json {
        true => output::print_json(&json(&report, &kept))?,
        false => output::print(words(&report, &kept, &already))?,
    }
    let complete = report.is_complete() && kept.is_empty() && told.is_none();
    Ok(if complete { 0 } else { trouble::FAILED })
}

/// Puts the named files into the spool and gives those that were there already; what cannot be sent is told at once,
/// before anything is sent.
async fn named_files(files: &[PathBuf], resealer: &Resealer<'_>) -> anyhow::Result<Vec<Kept>> {
    let mut already = Vec::new();
    for path in files {
        match resealer.file(path, None).await? {
            Ready::Not(why) => {
                return Err(refuse(
                    format!("{} cannot be sent: {why}", path.display()),
                    "send it from the device that made it, to the portal that it was made for",
                ));
            }
            Ready::AlreadyThere(id) => already.push((path.display().to_string(), id)),
            Ready::AsItIs | Ready::Resealed(_) => {}
        }
    }
    Ok(already)
}

/// Progress for a person: one line on a terminal, else a line for every tenth.
struct Shown {
    line: Line,
    told: RefCell<(String, u64)>,
    plain: bool,
}

impl Shown {
    fn new() -> Self {
        let plain = !std::io::stderr().is_terminal();
        Self { line: Line::new(), told: RefCell::default(), plain }
    }

    fn show(&self, progress: &Progress) {
        let percent = progress.sent_bytes.saturating_mul(100) / progress.total_bytes.max(1);
        let doing = match progress.phase {
            Phase::Checking => "checking",
            Phase::Asking => "asking the portal",
            Phase::Sending => "sending",
            Phase::Waiting => "waiting to try again",
            Phase::Reading => "the portal reads it",
            Phase::Done => "done",
        };
        let (sent, total) = (Bytes(progress.sent_bytes), Bytes(progress.total_bytes));
        let text = format!("{} {percent:3} % of {total} ({sent}) {doing}", progress.id);
        self.line.show(&text);
        let tenth = percent / 10;
        let mut told = self.told.borrow_mut();
        let news = told.0 != progress.id || tenth > told.1;
        if self.plain && progress.phase == Phase::Sending && news {
            *told = (progress.id.clone(), tenth);
            output::say(&text);
        }
    }
}

fn words(report: &DrainReport, kept: &[Kept], already: &[Kept]) -> String {
    let mut text = String::new();
    for (file, id) in already {
        let _ = writeln!(text, "already    {file} is in the spool as {id}; it is sent once");
    }
    for (id, outcome) in &report.bundles {
        let _ = match outcome {
            Outcome::Accepted(receipt) => writeln!(
                text,
                "accepted   {id} at {}; the portal's verdict: {}{}",
                receipt.received_at,
                receipt.overall.map_or("none yet", |overall| overall.words()),
                if receipt.evidence { "" } else { " (not evidence)" },
            ),
            Outcome::Refused { reason } => writeln!(text, "refused    {id}: {reason}"),
            Outcome::StillReading => {
                writeln!(
                    text,
                    "uploaded   {id}: the portal still reads it; `assay upload` fetches the receipt"
                )
            }
            Outcome::Failed(error) => writeln!(text, "not sent   {id}: {}", chain(error)),
        };
    }
    for (id, why) in kept {
        let _ = writeln!(text, "not sent   {id}: {why}");
    }
    for error in &report.unrecorded {
        let _ = writeln!(
            text,
            "not noted  {}; the next `assay upload` asks again and sends nothing twice",
            chain(error)
        );
    }
    if report.not_due > 0 {
        let _ = writeln!(text, "waiting    {} more, until their next attempt is due", report.not_due);
    }
    if report.not_tried > 0 {
        let _ =
            writeln!(text, "not tried  {} more: the next `assay upload` goes on with them", report.not_tried);
    }
    if text.is_empty() {
        text.push_str("Nothing waits in the spool. `assay collect` makes a bundle.\n");
    }
    text
}

fn json(report: &DrainReport, kept: &[Kept]) -> serde_json::Value {
    let bundles = report.bundles.iter().map(|(id, outcome)| match outcome {
        Outcome::Accepted(receipt) => {
            serde_json::json!({ "id": id, "outcome": "accepted", "receipt": receipt })
        }
        Outcome::Refused { reason } => serde_json::json!({ "id": id, "outcome": "refused", "why": reason }),
        Outcome::StillReading => serde_json::json!({ "id": id, "outcome": "still_reading" }),
        Outcome::Failed(error) => serde_json::json!({ "id": id, "outcome": "failed", "why": chain(error) }),
    });
    let kept = kept.iter().map(|(id, why)| serde_json::json!({ "id": id, "outcome": "kept", "why": why }));
    serde_json::json!({ "bundles": bundles.chain(kept).collect::<Vec<_>>(), "not_tried": report.not_tried,
        "not_due": report.not_due, "unrecorded": report.unrecorded.iter().map(|e| chain(e)).collect::<Vec<_>>() })
}

/// An error of the uploader with everything below it, on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}
