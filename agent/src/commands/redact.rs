//! `assay redact`: a text through the redaction door, so that a person can paste it elsewhere.

use std::fmt::Write as _;
use std::io::Read;
use std::path::PathBuf;

use assay_bundle::redact::{Door, Level, Receipt};

use crate::cli::exit_codes;
use crate::context::Context;
use crate::trouble::{NextStep, refuse};
use crate::{identity, output};

/// Largest text that is taken: the door has to see it whole, because secrets span lines.
const MOST_BYTES: u64 = 64 << 20;
/// Where the kernel says this machine's name.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// Replace secrets and personal data in a text, by the same rules as in a bundle
#[derive(clap::Args)]
#[command(after_help = concat!(
    "The clean text goes to standard output, what was replaced how often to standard error.\n\
     Next: read the result before you give it away; no rule knows every secret.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The text; standard input when it is not given
    file: Option<PathBuf>,
    /// What was replaced as JSON (on standard error)
    #[arg(long)]
    json: bool,
}

/// Reads, redacts, prints.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let text = read(&args)?;
    let (key, kept) = match context.identity().pseudonym_key()? {
        Some(key) => (key, true),
        None => (identity::passing_pseudonym_key()?, false),
    };
    let mut door = Door::open(&key, Level::default())?;
    if let Ok(hostname) = std::fs::read_to_string(HOSTNAME) {
        door.learn_host(hostname.trim());
    }
    let clean = door.pieces(&text);
    // Only a door that shuts proves that its rules worked, so nothing is printed before.
    let receipt = door.close()?;
    output::print_pieces(clean.iter())?;
    match args.json {
        true => output::say(&serde_json::to_string_pretty(&receipt)?),
        false => output::say(&words(&receipt, kept)),
    }
    Ok(0)
}

fn read(args: &Args) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let (named, result) = match &args.file {
        Some(path) => {
            let named = path.display().to_string();
            let file =
                std::fs::File::open(path).or_advise(format!("cannot read {named}"), "name a text file")?;
            let length = file.metadata().map_or(0, |file| file.len().min(MOST_BYTES));
            bytes.reserve(usize::try_from(length).unwrap_or_default() + 1);
            (named, file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        }
        None => (
            "standard input".to_owned(),
            std::io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes),
        ),
    };
    result.or_advise(format!("cannot read {named}"), "name a text file")?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(refuse(
            format!("{named} is larger than {} MiB", MOST_BYTES >> 20),
            "cut it into pieces (not in the middle of a key) and redact each",
        ));
    }
    // Bytes that are no text are replaced, never passed on unseen.
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn words(receipt: &Receipt, kept: bool) -> String {
    let mut text = String::from("replaced:");
    if receipt.replaced.is_empty() {
        text.push_str(" nothing");
    }
    for (kind, count) in &receipt.replaced {
        let _ = write!(text, " {kind} {count}");
    }
    let _ = write!(text, " (rule set {})", receipt.rule_set);
    if !kept {
        text.push_str(
            "\nPseudonyms are of this run only: this device has no key for them before its first bundle.",
        );
    }
    text.push_str("\nnext: read the result before you give it away; no rule knows every secret");
    text
}
