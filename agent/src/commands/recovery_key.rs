//! `assay recovery-key`: the owner's key to the recovery copies: made, proven, given up, and its words turned into the
//! plain key on any machine.
//!
//! The secret goes to standard output once and nowhere else. No JSON, log or error has it, and no flag takes it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::exit_codes;
use crate::context::Context;
use crate::recovery_key::ceremony::{Caller, Ceremony, Person, may_hold_a_secret, read_words, write_page};
use crate::recovery_key::sheet::{Belongs, Sheet};
use crate::recovery_key::{LOOK, RecoveryKey, UNPACK};
use crate::trouble::refuse;
use crate::{clock, output, runtime, source, terminal};

/// The key that opens this device's recovery copies: 24 words that only its owner has
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = concat!(
        "Without a word it says which key there is. --words needs no network, no portal and not this device.\n\
         Next: `assay recovery-key new` makes the key; `assay recovery-key prove` shows once a year that the words exist.\n",
        exit_codes!()
    )
)]
pub(crate) struct Args {
    /// Turn 24 words, typed or on standard input, into the plain key that stock age reads
    #[arg(long, conflicts_with = "json")]
    words: bool,
    /// Which key there is, as JSON; never the secret
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Make the key, show its words and its sheet once, and ask three words back
    #[command(after_help = concat!(
        "Have pen and paper at hand. Only when three words came back right is the public half kept; the secret never\n\
         is. Next: `assay status`.\n",
        exit_codes!()
    ))]
    New {
        /// The words of the key that there is are lost: make another in its place
        #[arg(long)]
        lost: bool,
        #[command(flatten)]
        making: Making,
    },
    /// Say that the words are lost: copies made so far become unreadable, and another key is made
    #[command(after_help = concat!(
        "The old key stays until three words of the new one came back right. Copies that are encrypted to the old key\n\
         alone are marked, not deleted: should the words turn up, they still open. Next: `assay status`.\n",
        exit_codes!()
    ))]
    Lost(Making),
    /// Show that the words still exist: type them once
    #[command(after_help = concat!(
        "The words are compared with the public half and forgotten. Next: `assay status` says when it was last done.\n",
        exit_codes!()
    ))]
    Prove,
    /// Make the sheet again, from the words: the secret is not kept
    #[command(after_help = concat!(
        "Next: print the file and delete it, or copy what the terminal shows.\n",
        exit_codes!()
    ))]
    Sheet {
        /// Write a page for a printer here (0600; it holds the key) instead of text to standard output
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
}

/// What making a key asks for.
#[derive(clap::Args)]
struct Making {
    /// Write the sheet for a printer here too (0600; it holds the key: print it and delete it)
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Take the answers from standard input, also where it is no terminal
    #[arg(long)]
    answers: bool,
}

/// Does what was asked.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let kept = || RecoveryKey::load(&context.paths.identity_dir);
    match args.action {
        None if args.words => words()?,
        None => state(kept()?.as_ref(), context, args.json)?,
        Some(Action::New { lost: false, making }) => {
            if let Some(key) = kept()? {
                return Err(refuse(
                    format!("there is a recovery key already, made {}", clock::rfc3339(key.made_unix_s)),
                    "`assay recovery-key prove` shows that its words exist; if they are lost, `assay recovery-key lost`",
                ));
            }
            made(&make(&making, None, context)?)?;
        }
        Some(Action::New { lost: true, making } | Action::Lost(making)) => {
            let Some(old) = kept()? else {
                return Err(refuse("there is no recovery key to lose", "`assay recovery-key new` makes one"));
            };
            output::say(&format!(
                "The key {} is given up\n\
                 when the new one stands. Copies encrypted to it alone cannot be opened without its words.",
                old.recipient
            ));
            made(&make(&making, Some(old), context)?)?;
        }
        Some(Action::Prove) => prove(kept()?, context)?,
        Some(Action::Sheet { html }) => sheet(html.as_deref(), kept()?, context)?,
    }
    Ok(0)
}

fn state(key: Option<&RecoveryKey>, context: &Context, json: bool) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct State<'a> {
        key: Option<&'a RecoveryKey>,
        warning: Option<String>,
    }
    let warning = key.and_then(|key| key.warning(context.clock));
    match (json, key) {
        (true, key) => output::print_json(&State { key, warning }),
        (false, None) => output::print("no recovery key yet; `assay recovery-key new` makes it\n"),
        (false, Some(key)) => output::print(super::status::recovery_words(key, warning.as_deref())),
    }
}

fn make(making: &Making, lost: Option<RecoveryKey>, context: &Context) -> anyhow::Result<RecoveryKey> {
    if !making.answers && !terminal::can_ask() {
        return Err(refuse(
            "nobody is here to write the words down",
            "call from a terminal; a program that answers for a person says --answers",
        ));
    }
    // Told before anybody writes a word down.
    if let Some(path) = &making.html {
        may_hold_a_secret(path, &context.paths)?;
    }
    let belongs = belongs(context)?;
    terminal::secret::guard_memory();
    let (paths, clock) = (&context.paths, context.clock);
    Ceremony { paths, clock, belongs, html: making.html.as_deref(), lost }.perform(&mut Caller)
}

fn made(key: &RecoveryKey) -> anyhow::Result<()> {
    output::say(&format!(
        "The recovery key is {}.\n\
         Its words are on your paper and nowhere else.\n\
         next: `assay status` says once a year when to prove them again",
        key.recipient
    ));
    Ok(())
}

/// Model, serial number and place of the copies, as far as they can be read; drives are not asked.
pub(super) fn belongs(context: &Context) -> anyhow::Result<Belongs> {
    let settings = context.settings()?;
    let here = runtime::block_on(source::who(&settings.config, &context.paths))?;
    Ok(Belongs {
        model: here.identity.model.value().cloned(),
        serial: here.identity.serial.value().cloned(),
        data: context.paths.memory_dir.as_deref().and_then(Path::parent).map(|dir| dir.display().to_string()),
    })
}

/// The plain key as a file that age reads: comments and one line.
fn words() -> anyhow::Result<()> {
    terminal::secret::guard_memory();
    let secret = read_words(&mut Caller, terminal::can_ask())?;
    let recipient = secret.recipient()?;
    let plain = secret.plain()?;
    Caller.show(&format!(
        "# Recovery key of Assay. Save these lines as key.txt in RAM or on a USB disk, then:\n\
         #   {LOOK}\n#   {UNPACK}\n# public key: {recipient}\n"
    ))?;
    Caller.show(&plain)?;
    Caller.show("\n")
}

fn prove(kept: Option<RecoveryKey>, context: &Context) -> anyhow::Result<()> {
    let Some(mut key) = kept else {
        return Err(refuse("there is no recovery key to prove", "`assay recovery-key new` makes one"));
    };
    terminal::secret::guard_memory();
    let recipient = read_words(&mut Caller, terminal::can_ask())?.recipient()?;
    compare(&key, &recipient)?;
    key.proven_unix_s = Some(context.clock.now_unix_s);
    key.save(&context.paths.identity_dir)?;
    output::print(format!("proven at {}: these are the words of {recipient}\n", context.clock.words()))
}

/// Whether words are those of the key that there is.
fn compare(key: &RecoveryKey, recipient: &str) -> anyhow::Result<()> {
    if recipient == key.recipient {
        return Ok(());
    }
    Err(match key.lost_unix_s(recipient) {
        Some(lost) => refuse(
            format!("these are words of a key that was given up at {}", clock::rfc3339(lost)),
            "keep them: copies made before still open with them. Type the words of the key that followed",
        ),
        None => refuse(
            format!("these are words of another key ({recipient})"),
            "look for the sheet of this device; if it is lost, `assay recovery-key lost`",
        ),
    })
}

fn sheet(html: Option<&Path>, kept: Option<RecoveryKey>, context: &Context) -> anyhow::Result<()> {
    let Some(key) = kept else {
        return Err(refuse("there is no recovery key", "`assay recovery-key new` makes one, with its sheet"));
    };
    let html = html.map(|path| may_hold_a_secret(path, &context.paths)).transpose()?;
    let belongs = belongs(context)?;
    terminal::secret::guard_memory();
    let secret = read_words(&mut Caller, terminal::can_ask())?;
    compare(&key, &secret.recipient()?)?;
    let sheet = Sheet::of(&secret, &belongs, key.made_unix_s)?;
    match html {
        None => Caller.show(&sheet.text()),
        Some(path) => {
            write_page(&path, &sheet, &context.paths)?.stays();
            output::print(format!("{}\n", path.display()))
        }
    }
}
