//! `assay resume`: ends `assay pause`.

use crate::audit::{Log, What};
use crate::cli::exit_codes;
use crate::context::Context;
use crate::{output, pause};

/// Let everything go on that `assay pause` stopped
#[derive(clap::Args)]
#[command(after_help = concat!(
    "What waited is sent by the next `assay upload` or by the schedule. Next: `assay status`.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

/// Takes the mark away.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let was = pause::resume(context)?;
    if was {
        Log::of(context).note(What::Pause, None, "everything goes on");
    }
    match (args.json, was) {
        (true, was) => output::print_json(&serde_json::json!({ "was_paused": was }))?,
        (false, true) => output::print("resumed    `assay upload` sends what waits\n")?,
        (false, false) => output::print("resumed    nothing was paused\n")?,
    }
    Ok(0)
}
