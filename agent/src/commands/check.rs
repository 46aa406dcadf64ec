//! `assay check`: reads this machine and says what it found. Sends nothing, and writes nothing but to a memory that a
//! collection began.

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
use crate::terminal::Line;
use crate::{output, runtime, source};

/// Read the hardware and say what is defective, on what evidence, and what to do
#[derive(clap::Args)]
#[command(after_help = concat!(
    "Nothing is sent. Nothing is written either, unless `assay collect` has begun a memory of this machine: then what\n\
     changed is kept in it (collect.recorder = false in the configuration ends that; `assay status` says where).\n\
     Next: `assay explain CODE` for a finding, `assay collect` for a signed bundle.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    report: ReportArgs,
    /// Facts, diagnosis, entitlement, recommendation, steps and cost as JSON
    #[arg(long)]
    json: bool,
}

/// Examines and prints; the exit code is the verdict's.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let settings = context.settings_with(args.machine.overrides())?;
    let outputs = args.report.begin(args.json)?;
    let source = args.machine.source(context, &settings.config)?;
    let key = context.identity().pseudonym_key_for_showing()?;
    let line = Arc::new(Line::new());
    let options = source::options(&settings.config, &line);
    let memory = context.memory(&settings, false).filter(|_| args.machine.source.is_none());
    let invoice_date = settings.config.warranty_invoice_date;
    let work = pipeline::examine(source.as_ref(), &options, &key, invoice_date, memory.as_ref());
    let run = runtime::block_on(work)?;
    line.clear();
    match args.json {
        true => output::print_json(&json(&run))?,
        false => output::print(outputs.text(&view(&run), "", ""))?,
    }
    outputs.finish(&view(&run))?;
    Ok(run.diagnosis.overall.exit_code())
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
}

fn json(run: &Run) -> Report<'_> {
    let Run { source, facts, diagnosis, entitlement, recommendation, steps, cost, .. } = run;
    Report { source: *source, facts, diagnosis, entitlement, recommendation, steps, cost }
}
