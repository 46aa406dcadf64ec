//! `assay check`: reads this machine and says what it found. Sends nothing, and writes nothing but to a memory that a
//! collection began. With `--rescue` it writes nothing at all, needs neither configuration nor identity nor data volume,
//! and ends with the verdict slip.

use std::sync::Arc;

use assay_bundle::cost::Cost;
use assay_bundle::manifest::RunSource;
use assay_bundle::steps::Step;
use assay_bundle::{Diagnosis, Entitlement, Facts, Recommendation};
use assay_diagnosis::report::{Material, Origin, View};

use super::Machine;
use crate::cli::exit_codes;
use crate::context::Context;
use crate::pipeline::{self, Run};
use crate::report::ReportArgs;
use crate::slip::{self, MadeSlip, Wanted};
use crate::terminal::Line;
use crate::{output, rescue, runtime, source};

/// Read the hardware and say what is defective, on what evidence, and what to do
#[derive(clap::Args)]
#[command(after_help = concat!(
    "Nothing is sent. Nothing is written either, unless `assay collect` has begun a memory of this machine: then what\n\
     changed is kept in it (collect.recorder = false in the configuration ends that; `assay status` says where).\n\
     With --rescue nothing is written to any disk, no configuration is read, no drive is waited for long.\n\
     Next: `assay explain CODE` for a finding, `assay collect` for a signed bundle.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    report: ReportArgs,
    /// For a NAS in trouble: everything in RAM, short deadlines, and the verdict as a slip at the end
    #[arg(long)]
    rescue: bool,
    /// How the slip's code is drawn
    #[arg(long, value_enum, value_name = "HOW", default_value_t, requires = "rescue")]
    qr: Wanted,
    /// Facts, diagnosis, entitlement, recommendation, steps and cost as JSON
    #[arg(long)]
    json: bool,
}

/// Examines and prints; the exit code is the verdict's.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let settings = match args.rescue {
        true => rescue::settings(args.machine.overrides())?,
        false => context.settings_with(args.machine.overrides())?,
    };
    let wants_page = args.report.wants_files();
    let outputs = args.report.begin(args.json)?;
    let source = match args.rescue {
        true => args.machine.source_with(&settings.config, &rescue::paths(&context.paths))?,
        false => args.machine.source(context, &settings.config)?,
    };
    let key = context.identity().pseudonym_key_for_showing()?;
    let line = Arc::new(Line::new());
    let options = source::options(&settings.config, &line);
    let memory = context.memory(&settings, false).filter(|_| args.machine.source.is_none() && !args.rescue);
    let invoice_date = settings.config.warranty_invoice_date;
    let work = pipeline::examine(source.as_ref(), &options, &key, invoice_date, memory.as_ref());
    let run = runtime::block_on(work)?;
    line.clear();
    // Looking alone makes no key, so without one only a rescue has a slip.
    let slip = match args.rescue || (wants_page && has_key(context)) {
        true => Some(slip::make(&run, context)?),
        false => None,
    };
    let shown = slip.as_ref().filter(|_| args.rescue);
    if args.json {
        output::print_json(&json(&run, shown))?;
    }
    if !args.json || wants_page {
        let view = view(&run).with_slip(slip.as_ref().map(MadeSlip::drawing));
        if !args.json {
            let after = shown.map(|slip| format!("\n{}", slip.words(args.qr))).unwrap_or_default();
            output::print(outputs.text(&view, "", &after))?;
        }
        outputs.finish(&view)?;
    }
    Ok(run.diagnosis.overall.exit_code())
}

fn has_key(context: &Context) -> bool {
    context.identity().key().is_ok_and(|key| key.is_some())
}

/// The report for a person. What reading a recording cost says nothing about the machine.
fn view(run: &Run) -> View {
    let live = run.source == RunSource::Live;
    let origin = if live { Origin::Live } else { Origin::Recorded };
    View::of(&Material {
        entitlement: Some(&run.entitlement),
        cost: live.then_some(&run.cost),
        ..Material::new(&run.facts, &run.diagnosis, &run.recommendation, origin)
    })
}

/// Everything for a program.
#[derive(serde::Serialize)]
struct Report<'r> {
    source: RunSource,
    facts: &'r Facts,
    diagnosis: &'r Diagnosis,
    entitlement: &'r Entitlement,
    recommendation: &'r Recommendation,
    steps: &'r [Step],
    cost: &'r Cost,
    #[serde(skip_serializing_if = "Option::is_none")]
    slip: Option<&'r str>,
}

fn json<'r>(run: &'r Run, slip: Option<&'r MadeSlip>) -> Report<'r> {
    let Run { source, facts, diagnosis, entitlement, recommendation, steps, cost, .. } = run;
    let slip = slip.map(|slip| slip.text.as_str());
    Report { source: *source, facts, diagnosis, entitlement, recommendation, steps, cost, slip }
}
