//! `assay backup …`: recovery copies of the configuration, for the owner alone. Makes, shows, proves, carries, restores.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use assay_bundle::recovery::{CopyLevel, CopyReceipt};
use assay_bundle::units::Bytes;
use assay_diagnosis::text::escaped;

use crate::backup::{self, Wish, keys, shelf};
use crate::cli::exit_codes;
use crate::context::Context;
use crate::runtime::block_on;
use crate::trouble::{NextStep, refuse};
use crate::{output, terminal};

mod carry;
mod restore;
mod show;

/// Protect the configuration of this machine: an encrypted copy that only its owner can open
#[derive(clap::Args)]
#[command(after_help = concat!(
    "A copy holds everything, passwords too, encrypted to the owner's recovery key; it never leaves by itself.\n\
     Next: `assay backup create`, then `assay backup verify latest --identity FILE`.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Make a copy, read it back, and remove the oldest beyond backup.keep
    #[command(after_help = concat!(
        "It goes to the data volume, else to a USB disk, else where -o says.\n\
         Next: `assay backup verify latest --identity FILE` proves that your key opens it.\n",
        exit_codes!()
    ))]
    Create(Create),
    /// What copies there are
    #[command(after_help = concat!("Next: `assay backup show latest`.\n", exit_codes!()))]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// The receipt of a copy, and with the key what is in it
    #[command(after_help = concat!("Next: `assay backup verify COPY --identity FILE`.\n", exit_codes!()))]
    Show {
        /// Path, name or number of a copy, or latest
        #[arg(default_value = "latest")]
        copy: String,
        /// Recovery key: file with an AGE-SECRET-KEY-… line, - for standard input
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Prove that a copy is whole: its digest, and with the key that of every entry
    #[command(after_help = concat!("Next: `assay backup export COPY DEST` takes it to another place.\n", exit_codes!()))]
    Verify {
        /// Path, name or number of a copy, or latest
        #[arg(default_value = "latest")]
        copy: String,
        /// Recovery key: file with an AGE-SECRET-KEY-… line, - for standard input
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// The receipt as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what a copy would change, ask, and put it back
    #[command(after_help = concat!(
        "Shadow, keys and this program's identity are put back only when named by their path.\n\
         Next: `assay check`; what was replaced is kept in the folder that is named at the end.\n",
        exit_codes!()
    ))]
    Restore(restore::Args),
    /// Carry a copy with its receipt to another place, and read it back there
    #[command(after_help = concat!("Next: keep the recovery key somewhere else than the copy.\n", exit_codes!()))]
    Export {
        /// Path, name or number of a copy, or latest
        copy: String,
        /// Folder or file
        dest: PathBuf,
    },
    /// Remove the oldest copies, never the newest good one
    #[command(after_help = concat!("Next: `assay backup list`.\n", exit_codes!()))]
    Prune {
        /// Copies that stay; backup.keep when it is not given
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        keep: Option<u64>,
    },
    /// Encrypt a copy to another key; the old key opens it once more
    #[command(after_help = concat!("Next: `assay backup verify COPY --identity NEW`.\n", exit_codes!()))]
    Rekey {
        /// Path, name or number of a copy, or latest
        copy: String,
        /// The key that opens it now: file with an AGE-SECRET-KEY-… line, - for standard input
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// New recipients (age1…); the device's recovery key when none is given
        #[arg(long, value_name = "RECIPIENT")]
        recipient: Vec<String>,
    },
}

#[derive(clap::Args)]
struct Create {
    /// Write to this file instead; - is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Encrypt to this age recipient as well
    #[arg(long, value_name = "RECIPIENT")]
    recipient: Vec<String>,
    /// Take saved volume keys, too: whoever opens the copy can then open the volumes
    #[arg(long)]
    with_volume_keys: bool,
    /// Open the finished copy with this key: file with an AGE-SECRET-KEY-… line, - for standard input
    #[arg(long, value_name = "FILE")]
    verify_with_key: Option<PathBuf>,
    /// Copy the system below this folder, such as a mounted system disk
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Fill the list that was prepared here, for the comparison with another copy
    #[arg(long, value_name = "FILE", hide = true)]
    digests: Option<PathBuf>,
    /// The receipt as JSON
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    match args.action {
        Action::Create(create) => self::create(create, context),
        Action::List { json } => show::list(json, context),
        Action::Show { copy, identity, json } => show::show(&copy, identity.as_deref(), json, context),
        Action::Verify { copy, identity, json } => verify(&copy, identity.as_deref(), json, context),
        Action::Restore(args) => restore::run(args, context),
        Action::Export { copy, dest } => carry::export(&copy, &dest, context),
        Action::Prune { keep } => carry::prune(keep, context),
        Action::Rekey { copy, identity, recipient } => {
            carry::rekey(&copy, identity.as_deref(), &recipient, context)
        }
    }
}

fn create(args: Create, context: &Context) -> anyhow::Result<u8> {
    let settings = context.settings()?;
    let config = settings.config;
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if to_stdout && (args.json || args.verify_with_key.is_some()) {
        return Err(refuse(
            "standard output takes the copy and nothing else, and cannot be read back",
            "write to a file (-o FILE), or leave --json and --verify-with-key away",
        ));
    }
    if to_stdout && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        return Err(refuse("standard output is a terminal", "send it to a file or a pipe: `… -o - > FILE`"));
    }
    let root = std::fs::canonicalize(&args.root)
        .or_advise(format!("cannot copy {}", args.root.display()), "name a folder that exists")?;
    let (target, keep) = match &args.output {
        Some(_) if to_stdout => (None, None),
        Some(path) => (Some(std::path::absolute(path)?), None),
        None => {
            let folder = shelf::folder(context)?;
            let keep = usize::try_from(config.backup_keep).unwrap_or(usize::MAX);
            (Some(shelf::next(&folder, context.clock.now_unix_s)), Some(keep))
        }
    };
    let key = args.verify_with_key.as_deref().map(|path| keys::identity(Some(path))).transpose()?;
    let wish = Wish {
        root,
        target: target.clone(),
        recipients: args.recipient,
        volume_keys: args.with_volume_keys,
        key: key.map(|key| key.to_string()),
        keep,
        digests: args.digests.map(std::path::absolute).transpose()?,
    };
    let made = block_on(backup::make(context, &config, wish))?;
    for note in made.notes.iter().take(MOST_NOTES_SAID) {
        let what = if note.left_out { "left out" } else { "note" };
        output::say(&format!("{what}: {} ({})", escaped(&note.path), note.kind));
    }
    if let Some(more) = made.notes.len().checked_sub(MOST_NOTES_SAID).filter(|more| *more > 0) {
        output::say(&format!("and {more} more; `assay backup show COPY` counts them"));
    }
    for name in &made.removed {
        output::say(&format!("removed the older copy {name}"));
    }
    match (&target, args.json) {
        (None, _) => output::say(&words(&made.receipt)),
        (Some(_), true) => output::print_json(&made.receipt)?,
        (Some(path), false) => output::print(format!("{}\n{}", path.display(), words(&made.receipt)))?,
    }
    if made.receipt.level < CopyLevel::OpenedWithKey {
        output::say("next: `assay backup verify COPY --identity FILE` proves that your key opens it");
    }
    Ok(0)
}

/// Notes that are said; the copy holds all.
const MOST_NOTES_SAID: usize = 20;

/// A receipt for a person.
fn words(receipt: &CopyReceipt) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} of {} entries ({}), made {}, {}",
        Bytes(receipt.size_bytes),
        receipt.entries,
        Bytes(receipt.content_bytes),
        receipt.made_at,
        receipt.level.words()
    );
    let _ = writeln!(text, "sha256     {}", receipt.sha256);
    for recipient in &receipt.recipients {
        let _ = writeln!(text, "for        {recipient}");
    }
    for (name, counts) in [("noted", &receipt.notes), ("left out", &receipt.left_out)] {
        for (kind, count) in counts {
            let _ = writeln!(text, "{name:<11}{count} {kind}");
        }
    }
    if receipt.volume_keys {
        let _ = writeln!(text, "it holds saved volume keys");
    }
    text
}

/// Checks a copy against its receipt: size and digest.
fn check_digest(path: &Path, receipt: &CopyReceipt) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be read", path.display());
    let next = "`assay backup list` shows other copies; `assay check` tells whether a disk fails";
    let file = std::fs::File::open(path).or_advise(cannot(), next)?;
    let found = shelf::digest(&file, &mut || ()).or_advise(cannot(), next)?;
    match found == (receipt.size_bytes, receipt.sha256.clone()) {
        true => Ok(()),
        false => Err(refuse(
            format!("{} is not what was written: it was changed or damaged", path.display()),
            next,
        )),
    }
}

fn verify(copy: &str, identity: Option<&Path>, json: bool, context: &Context) -> anyhow::Result<u8> {
    let path = shelf::find(context, copy)?;
    let key = identity.map(|path| keys::identity(Some(path))).transpose()?;
    let receipt = shelf::receipt(&path);
    if let Ok(receipt) = &receipt {
        check_digest(&path, receipt)?;
    }
    let Some(key) = key else {
        let receipt = receipt?;
        match json {
            true => output::print_json(&receipt)?,
            false => output::print(format!("{}\n{}", path.display(), words(&receipt)))?,
        }
        output::say("its bytes are those that were written; only the key proves more: --identity FILE");
        return Ok(0);
    };
    let (head, entries) = backup::verify(&path, &key)?;
    let level = CopyLevel::OpenedWithKey;
    if let Ok(mut receipt) = receipt {
        // Proven once is worth remembering, but a copy on a read-only disk is as good without.
        if receipt.level < level {
            receipt.level = level;
            if let Err(error) = shelf::keep_receipt(&path, &receipt) {
                tracing::info!(error = %format!("{error:#}"), "the receipt could not be brought up to date");
            }
        }
        if json {
            output::print_json(&receipt)?;
            return Ok(0);
        }
    } else if json {
        output::print_json(
            &serde_json::json!({ "entries": entries, "level": level, "made_at": head.made_at }),
        )?;
        return Ok(0);
    }
    output::print(format!(
        "{}\nopened with the key: {entries} entries, each as it was read of the machine at {}\n",
        path.display(),
        escaped(&head.made_at)
    ))?;
    Ok(0)
}

/// Asks a yes-or-no question; refuses where nobody can answer.
fn ask(question: &str, refusal: &str) -> anyhow::Result<()> {
    if !terminal::can_ask() {
        return Err(refuse(
            "nobody is here to agree",
            "look at the difference above, then call again with --yes",
        ));
    }
    match terminal::said_yes(question)? {
        true => Ok(()),
        false => Err(refuse(refusal, "nothing was written")),
    }
}
