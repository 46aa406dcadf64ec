//! `assay log`: what this program did that an owner may ask about: looks, consents, uploads, sessions, restores.

use crate::audit::{self, Log};
use crate::cli::exit_codes;
use crate::context::Context;
use crate::output;

/// Show what was looked at, consented to, sent and restored
#[derive(clap::Args)]
#[command(after_help = concat!(
    "The log stays on this NAS and holds no secret. Next: `assay support list` for what is open now.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// Only the last N entries
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Prints.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let log = Log::of(context);
    let entries = log.entries()?;
    let first = args.last.map_or(0, |last| entries.len().saturating_sub(last));
    let mut text = String::new();
    for entry in entries.iter().skip(first) {
        match args.json {
            true => {
                text.push_str(&serde_json::to_string(entry)?);
                text.push('\n');
            }
            false => text.push_str(&audit::words(entry)),
        }
    }
    if text.is_empty() && !args.json {
        text.push_str("Nothing has happened yet that would be written down here.\n");
    }
    if log.in_ram {
        output::say("No data volume is mounted: this log is in RAM and ends with the boot.");
    }
    output::print(text)?;
    Ok(0)
}
