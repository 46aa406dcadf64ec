//! `assay slip`: examines and prints the verdict slip, for a NAS that reaches nobody. Sends nothing, writes nothing but
//! the picture that was asked for.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::Machine;
use crate::cli::exit_codes;
use crate::context::Context;
use crate::output::PartialFile;
use crate::slip::{self, MadeSlip, Wanted};
use crate::terminal::Line;
use crate::trouble::NextStep;
use crate::{output, pipeline, runtime, source};

/// Examine and print the verdict as a signed slip with a QR code, for a support engineer's telephone
#[derive(clap::Args)]
#[command(after_help = concat!(
    "A slip is for triage only: it is no evidence, and nothing ships on it. It holds the verdict, the codes of the worst\n\
     findings, model, serial number and time, nothing else.\n\
     Next: your support engineer reads it on the portal's page for slips; `assay collect` makes the evidence.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    #[command(flatten)]
    machine: Machine,
    /// Write the code as a picture to FILE
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// How the code is drawn here
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    qr: Wanted,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Examines, signs, prints; the exit code is the verdict's.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let settings = context.settings_with(args.machine.overrides())?;
    let picture = args.svg.as_deref().map(|path| PartialFile::begin(path, 0o600)).transpose()?;
    let source = args.machine.source(context, &settings.config)?;
    let key = context.identity().pseudonym_key_for_showing()?;
    let line = Arc::new(Line::new());
    let options = source::options(&settings.config, &line);
    let invoice_date = settings.config.warranty_invoice_date;
    let work = pipeline::examine(source.as_ref(), &options, &key, invoice_date, None);
    let run = runtime::block_on(work)?;
    line.clear();
    let made = slip::make(&run, context)?;
    match args.json {
        true => output::print_json(&document(&made))?,
        false => output::print(made.words(args.qr))?,
    }
    if let (Some(mut file), Some(path)) = (picture, &args.svg) {
        file.write_all(made.svg().as_bytes())
            .or_advise(format!("cannot write {}", path.display()), "name another folder, and call again")?;
        file.finish()?;
        output::say(&format!("picture    {}", path.display()));
    }
    Ok(run.diagnosis.overall.exit_code())
}

/// The slip for a program.
pub(super) fn document(made: &MadeSlip) -> serde_json::Value {
    serde_json::json!({
        "slip": made.text,
        "says": made.slip,
        "own_key": made.own_key,
        "page": made.page,
        "triage_only": true,
    })
}
