//! `cargo xtask lab`: the virtual NAS. A real kernel on emulated hardware, a fault that comes through that hardware, our
//! binary as its user runs it, and a comparison with what should be found.
//!
//! Each scenario is a folder of `tests/lab/`: `scenario.toml` says which hardware there is, what is wrong with it and
//! what must be found; `guest.sh` is what happens in the guest. The emulation is TCG, so nothing depends on the host's
//! processor; the kernel and the tools of the guest are Debian's packages, unpacked below `target/lab`.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::sh;

mod control;
mod cpio;
mod image;
mod machine;
mod matrix;
mod packages;
mod scenario;
mod verdict;

use image::Image;
use scenario::Scenario;
use verdict::Outcome;

/// What a run of all scenarios found, beside them.
const RECORD: &str = "found.json";

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these scenarios; all without a name
    #[arg(value_name = "SCENARIO")]
    names: Vec<String>,
    /// Name the scenarios and what each is about, and run none
    #[arg(long)]
    list: bool,
    /// Only those of the ordinary test run
    #[arg(long, conflicts_with = "names")]
    short: bool,
    /// Write what was found into tests/lab/found.json, which docs/accuracy.md counts; only of a run of all scenarios
    #[arg(long, conflicts_with_all = ["names", "short", "list"])]
    keep: bool,
    /// How many virtual machines at once
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,
    /// The agent to put into the guest, instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// How many scenarios passed and failed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// As they should.
    pub(crate) passed: u64,
    /// Not so.
    pub(crate) failed: u64,
}

/// `cargo xtask lab`.
pub(crate) fn run(args: &Args) -> Result<()> {
    let scenarios = select(args)?;
    if args.list {
        for scenario in &scenarios {
            let mark = if scenario.about.short { "short" } else { "" };
            sh::say(&format!("{:<28} {mark:<6} {}", scenario.name, scenario.about.about));
        }
        return Ok(());
    }
    let counts = run_all(&scenarios, args.jobs, args.binary.clone(), args.keep)?;
    sh::say(&format!("lab: {} passed, {} failed", counts.passed, counts.failed));
    if counts.failed == 0 { Ok(()) } else { bail!("{} scenarios did not end as they should", counts.failed) }
}

/// The scenarios of the ordinary test run, or all.
pub(crate) fn of_test(all: bool) -> Result<Counts> {
    let scenarios: Vec<_> =
        scenario::all()?.into_iter().filter(|scenario| all || scenario.about.short).collect();
    run_all(&scenarios, 2, None, false)
}

fn select(args: &Args) -> Result<Vec<Scenario>> {
    let all = scenario::all()?;
    if let Some(unknown) = args.names.iter().find(|name| all.iter().all(|known| known.name != **name)) {
        bail!("there is no scenario `{unknown}`: `cargo xtask lab --list` names them");
    }
    Ok(all
        .into_iter()
        .filter(|scenario| args.names.is_empty() || args.names.contains(&scenario.name))
        .filter(|scenario| !args.short || scenario.about.short)
        .collect())
}

fn run_all(scenarios: &[Scenario], jobs: usize, binary: Option<PathBuf>, keep: bool) -> Result<Counts> {
    let image = Image::prepare(binary)?;
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, scenarios.len().max(1)) {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = one(scenario, &image);
                    if let Ok(mut all) = outcomes.lock() {
                        all.push(outcome);
                    }
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_default();
    outcomes.sort_by(|a, b| a.name.cmp(&b.name));
    let failed = outcomes.iter().filter(|outcome| !outcome.wrong.is_empty()).count();
    for line in matrix::table(&outcomes) {
        sh::say(&line);
    }
    if keep {
        let text = format!("{:#}\n", matrix::record(&outcomes));
        std::fs::write(scenario::folder().join(RECORD), text)
            .with_context(|| format!("tests/lab/{RECORD}"))?;
    }
    Ok(Counts { passed: (outcomes.len() - failed) as u64, failed: failed as u64 })
}

fn one(scenario: &Scenario, image: &Image) -> Outcome {
    let start = Instant::now();
    let limit = Duration::from_secs(scenario.about.limit_s);
    let mut outcome = match machine::run(scenario, image, limit) {
        Ok(folder) => verdict::compare(scenario, &folder),
        Err(error) => Outcome::broken(scenario, &format!("{error:#}")),
    };
    outcome.seconds = start.elapsed().as_secs();
    let word = if outcome.wrong.is_empty() { "ok" } else { "WRONG" };
    sh::say(&format!("{word:<6} {:<28} {:>3} s", scenario.name, outcome.seconds));
    for line in &outcome.wrong {
        sh::say(&format!("       {line}"));
    }
    outcome
}
