//! `assay status`: identity, enrolment, what waits in the spool, what is remembered, what is asked and consented to, what
//! the daemon did and does next, places, clock. Reads only, asks nobody.

use std::fmt::Write as _;
use std::path::PathBuf;

use assay_bundle::json;
use assay_bundle::poll::VersionNotice;
use assay_bundle::receipt::Receipt;
use assay_bundle::units::Bytes;
use assay_uploader::{Entry, State};
use serde::Serialize;

use crate::cli::exit_codes;
use crate::clock;
use crate::config::Settings;
use crate::context::Context;
use crate::identity::Enrolment;
use crate::memory;
use crate::output;
use crate::pause::{self, Paused};
use crate::recovery_key::RecoveryKey;
use crate::revoked;
use crate::update;

mod daemon;
mod support;

/// Say who this device is, where it is enrolled, what waits, what ran and what is next
#[derive(clap::Args)]
#[command(after_help = concat!("Next: `assay upload` sends what waits.\n", exit_codes!()))]
pub(crate) struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    key_id: Option<String>,
    public_key: Option<String>,
    enrolment: Option<Enrolment>,
    /// Everything is paused, since when and by whom.
    paused: Option<Paused>,
    portal_fingerprint: Option<String>,
    /// The portal's signed word that the key counts no more.
    revoked: Option<revoked::Told>,
    /// Whether a change of the key was begun that the portal does not know of yet.
    key_change_begun: bool,
    identity_dir: PathBuf,
    config_file: PathBuf,
    runtime_dir: PathBuf,
    spool_dir: Option<PathBuf>,
    waiting: usize,
    uploading: usize,
    accepted: usize,
    refused: usize,
    spool_bytes: u64,
    last_receipt: Option<Receipt>,
    last_error: Option<String>,
    bundles: Vec<Bundle>,
    recorder: Recorder,
    recovery_key: Option<Recovery>,
    support: support::Support,
    /// The latest version as the portal told it, where it is not this one, and what of it was not believed.
    update: Update,
    daemon: daemon::Daemon,
    clock: ClockStatus,
}

#[derive(Serialize)]
struct Bundle {
    id: String,
    seq: u64,
    state: &'static str,
    encrypted: bool,
    /// Support request whose consent it waits for; it is not sent before.
    held_for: Option<String>,
    size_bytes: u64,
    plain: Option<PathBuf>,
    last_error: Option<String>,
}

#[derive(Serialize)]
struct Recorder {
    on: bool,
    dir: Option<PathBuf>,
    /// Flight recorder and inventory together; none when nothing is remembered yet.
    size_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Recovery {
    #[serde(flatten)]
    key: RecoveryKey,
    /// What the owner should do; none when the words were shown to exist not long ago.
    warning: Option<String>,
}

#[derive(Serialize)]
struct Update {
    latest: Option<VersionNotice>,
    refused: Option<String>,
    #[serde(skip)]
    lines: Vec<String>,
}

#[derive(Serialize)]
struct ClockStatus {
    device_time: String,
    plausible: bool,
}

/// Gathers and prints.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let status = gather(context)?;
    match args.json {
        true => output::print_json(&status)?,
        false => output::print(words(&status))?,
    }
    Ok(0)
}

fn gather(context: &Context) -> anyhow::Result<Status> {
    let settings = context.settings()?;
    let identity = context.identity();
    let public = identity.public()?;
    let enrolment = identity.enrolment()?;
    let spool_dir = context.spool_dir(&settings);
    // Looking makes nothing: a spool that is not there yet is empty.
    let entries = match spool_dir.as_ref().is_some_and(|dir| dir.is_dir()) {
        true => context.spool(&settings)?.entries()?,
        false => Vec::new(),
    };
    let count = |word: &str| entries.iter().filter(|entry| state_word(entry) == word).count();
    let last_receipt = entries.iter().rev().find_map(|entry| match &entry.meta.state {
        State::Done { receipt } => json::from_slice(receipt.receipt.as_bytes()).ok(),
        _ => None,
    });
    Ok(Status {
        version: env!("CARGO_PKG_VERSION"),
        key_id: public.map(|key| key.fingerprint()),
        public_key: public.map(|key| key.to_openssh()),
        portal_fingerprint: enrolment.as_ref().map(|enrolment| enrolment.card.fingerprint()),
        support: support::gather(context, enrolment.is_some()),
        enrolment,
        revoked: revoked::told(context),
        key_change_begun: identity.has_next_key(),
        paused: pause::paused(identity.dir()),
        identity_dir: identity.dir().to_owned(),
        config_file: context.config_file(),
        runtime_dir: context.paths.runtime_dir.clone(),
        spool_dir,
        waiting: count("waiting"),
        uploading: count("uploading"),
        accepted: count("accepted"),
        refused: count("refused"),
        spool_bytes: entries.iter().map(|entry| entry.size_bytes).sum(),
        last_receipt,
        last_error: entries.iter().rev().find_map(|entry| entry.meta.last_error.clone()),
        bundles: entries.iter().map(bundle).collect(),
        recorder: recorder(context, &settings),
        recovery_key: RecoveryKey::load(identity.dir())?
            .map(|key| Recovery { warning: key.warning(context.clock), key }),
        update: latest(context),
        daemon: daemon::gather(context),
        clock: ClockStatus { device_time: context.clock.words(), plausible: context.clock.is_plausible() },
    })
}

fn latest(context: &Context) -> Update {
    let heard = update::heard(context);
    Update { latest: heard.news().cloned(), lines: heard.lines(), refused: heard.refused }
}

fn recorder(context: &Context, settings: &Settings) -> Recorder {
    let dir = context.paths.memory_dir.clone();
    let size_bytes = dir.as_deref().and_then(memory::size_bytes);
    Recorder { on: settings.config.collect_recorder, dir, size_bytes }
}

fn recorder_words(recorder: &Recorder) -> String {
    let begun = match (recorder.size_bytes, recorder.on) {
        (Some(size), _) => format!("{} remembered", Bytes(size)),
        (None, true) => "empty; the first `assay collect` begins it".to_owned(),
        (None, false) => "empty".to_owned(),
    };
    match (&recorder.dir, recorder.on) {
        (None, _) => "no data volume is mounted; nothing is remembered".to_owned(),
        (Some(dir), true) => format!("{} ({begun})", dir.display()),
        (Some(dir), false) => format!("switched off by collect.recorder; {} ({begun})", dir.display()),
    }
}

/// The recovery key in lines: its public half, its proof or what is wrong with it, and the keys given up.
pub(super) fn recovery_words(key: &RecoveryKey, warning: Option<&str>) -> String {
    let mut text = format!("{}\n", key.recipient);
    let _ = match (warning, key.proven_unix_s) {
        (Some(warning), _) => writeln!(text, "warning: {warning}"),
        (None, Some(proven)) => writeln!(text, "last proven {}", clock::rfc3339(proven)),
        (None, None) => Ok(()),
    };
    for lost in &key.lost {
        let _ = writeln!(
            text,
            "lost {}: {}; copies encrypted to it alone cannot be opened",
            clock::rfc3339(lost.lost_unix_s),
            lost.recipient
        );
    }
    text
}

fn state_word(entry: &Entry) -> &'static str {
    match entry.meta.state {
        State::Waiting => "waiting",
        State::Uploading { .. } => "uploading",
        State::Done { .. } => "accepted",
        State::Refused { .. } => "refused",
    }
}

fn bundle(entry: &Entry) -> Bundle {
    Bundle {
        id: entry.id.clone(),
        seq: entry.meta.seq,
        state: state_word(entry),
        encrypted: entry.sealed.is_some(),
        held_for: entry.held_for.clone(),
        size_bytes: entry.size_bytes,
        plain: entry.plain.clone(),
        last_error: entry.meta.last_error.clone(),
    }
}

fn words(status: &Status) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<11}{value}");
    };
    line("key", status.key_id.as_deref().unwrap_or("none yet; the first bundle or `assay enroll` makes one"));
    if let Some(key) = &status.public_key {
        line("", key);
    }
    if let Some(paused) = &status.paused {
        let since = clock::rfc3339(paused.since_unix_s);
        line("paused", &format!("everything, since {since} by {}: `assay resume` lets it go on", paused.by));
    }
    if let Some(told) = &status.revoked {
        line("REVOKED", &told.words());
    }
    if status.key_change_begun {
        line(
            "",
            "a new key waits for the portal to take it: `assay rotate-key` or the next upload ends the change",
        );
    }
    match &status.enrolment {
        Some(enrolment) => {
            let card = &enrolment.card;
            line("enrolled", &format!("at {} ({}) as {}", card.name, card.url, enrolment.device_id));
            line("", &format!("since {}", clock::rfc3339(enrolment.enrolled_unix_s)));
            line("", &format!("portal's fingerprint {}", card.fingerprint()));
            if status.key_id.as_ref() != Some(&enrolment.key_id) && !status.key_change_begun {
                line("", "with another key than this device's: run `assay enroll` again");
            }
        }
        None => line("enrolled", "no; nothing leaves this machine. `assay enroll` with a code from a portal"),
    }
    match &status.spool_dir {
        Some(dir) => line("spool", &format!("{} ({})", dir.display(), Bytes(status.spool_bytes))),
        None => line("spool", "no data volume is mounted; bundles go to a file (-o FILE)"),
    }
    let Status { waiting, uploading, accepted, refused, .. } = status;
    line("", &format!("{waiting} waiting, {uploading} under way, {accepted} accepted, {refused} refused"));
    for bundle in status.bundles.iter().filter(|bundle| bundle.state != "accepted") {
        let held = bundle.held_for.as_ref();
        let held = held.map(|id| format!(", held for your answer to the support request {id}"));
        let form =
            if bundle.encrypted { "encrypted for the portal" } else { "sealed again before it is sent" };
        line(
            "",
            &format!(
                "{} number {}, {}, {form}{}",
                bundle.id,
                bundle.seq,
                bundle.state,
                held.unwrap_or_default()
            ),
        );
    }
    if let Some(receipt) = &status.last_receipt {
        let verdict = receipt.overall.map_or("no verdict yet", |overall| overall.words());
        line(
            "receipt",
            &format!("{} at {}, portal's verdict: {verdict}", receipt.bundle_id, receipt.received_at),
        );
    }
    if let Some(error) = &status.last_error {
        line("last error", error);
    }
    line("recorder", &recorder_words(&status.recorder));
    match &status.recovery_key {
        None => {
            line("recovery", "no key yet; `assay recovery-key new` makes the one that opens recovery copies")
        }
        Some(recovery) => {
            for text in recovery_words(&recovery.key, recovery.warning.as_deref()).lines() {
                line(if text.starts_with("age1") { "recovery" } else { "" }, text);
            }
        }
    }
    for (name, value) in support::lines(&status.support) {
        line(name, &value);
    }
    for (number, text) in status.update.lines.iter().enumerate() {
        line(if number == 0 { "update" } else { "" }, text);
    }
    for (name, value) in daemon::lines(&status.daemon) {
        line(name, &value);
    }
    let doubt = if status.clock.plausible { "" } else { " (cannot be right: set it with `date -u -s`)" };
    line("clock", &format!("{}{doubt}", status.clock.device_time));
    line("identity", &status.identity_dir.display().to_string());
    line("config", &status.config_file.display().to_string());
    text
}
