//! `assay pause`: nothing is asked and nothing is sent any more, until `assay resume`.

use crate::audit::{Log, What, administrator};
use crate::cli::exit_codes;
use crate::context::Context;
use crate::{clock, output, pause};

/// Pause everything: no poll, no upload, no schedule
#[derive(clap::Args)]
#[command(after_help = concat!(
    "Bundles that wait stay in the spool, requests stay unanswered. What you call by hand and what sends nothing still\n\
     works. Next: `assay resume` lets it go on; `assay status` says that it is paused.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

/// Sets the mark.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let paused = pause::pause(context, administrator())?;
    Log::of(context).note(What::Pause, None, "everything is paused");
    match args.json {
        true => output::print_json(&paused)?,
        false => output::print(format!(
            "paused     since {} by {}\nnext       `assay resume` lets it go on\n",
            clock::rfc3339(paused.since_unix_s),
            paused.by
        ))?,
    }
    Ok(0)
}
