//! `cargo xtask test`: every check and test, each step with its time and its budget. A step over its budget fails:
//! a suite that nobody waits for is a suite that nobody runs.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{foreign, lab, policy, setup, sh};

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also run what takes too long for every change
    #[arg(long)]
    full: bool,
    /// Only the steps whose name contains this word
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
}

/// Tests that a machine may lack a kernel facility for. Any other skip fails the run.
const ALLOWED_SKIPS: &[&str] =
    &["fuse", "tmpfs", "mount-namespace", "kmsg", "not-root", "systemd-analyze", "xattr"];

/// Modules of the suite that need the portal and a network stack.
const PORTAL_MODULES: &[&str] =
    &["portal::", "upload::", "cli::", "failures::", "interop::", "offline::", "support_requests::"];

struct Step {
    name: &'static str,
    budget_minutes: u64,
    run: fn(&Context_) -> Result<Counts>,
}

struct Context_ {
    limit: Duration,
    full: bool,
    notes: std::path::PathBuf,
}

#[derive(Default, Clone, Copy)]
struct Counts {
    passed: u64,
    failed: u64,
}

const STEPS: &[Step] = &[
    Step { name: "tools and sources", budget_minutes: 6, run: tools },
    Step { name: "format and policy", budget_minutes: 2, run: format_and_policy },
    Step { name: "build, clippy, docs", budget_minutes: 16, run: build },
    Step { name: "unit, device and property tests", budget_minutes: 8, run: unit },
    Step { name: "portal, upload and command-line tests", budget_minutes: 9, run: portal },
    Step { name: "virtual NAS", budget_minutes: 10, run: virtual_nas },
];

/// How many times its budget a step of a full run may take.
const FULL_RUN_FACTOR: u32 = 12;

/// Runs the steps.
pub(crate) fn run(args: &Args) -> Result<()> {
    let notes = sh::root().join("target/test-notes.txt");
    std::fs::create_dir_all(sh::root().join("target")).context("target/")?;
    std::fs::write(&notes, "").context("target/test-notes.txt")?;
    let mut table = Vec::new();
    let mut counts = Counts::default();
    let mut wrong = Vec::new();
    for step in STEPS {
        if args.only.as_ref().is_some_and(|word| !step.name.contains(word.as_str())) {
            continue;
        }
        sh::say(&format!("\n== {} (budget {} min)", step.name, step.budget_minutes));
        let start = Instant::now();
        let budget = Duration::from_secs(step.budget_minutes * 60);
        // A full run damages every file of the corpora a thousand times: no budget, but an end.
        let limit = if args.full { budget * FULL_RUN_FACTOR } else { budget };
        let context = Context_ { limit, full: args.full, notes: notes.clone() };
        let result = (step.run)(&context);
        let took = start.elapsed();
        let verdict = match result {
            Ok(part) => {
                counts.passed += part.passed;
                counts.failed += part.failed;
                if took > budget && !args.full {
                    wrong.push(format!("{} took longer than its budget", step.name));
                    "over budget"
                } else if part.failed > 0 {
                    wrong.push(format!("{}: {} tests failed", step.name, part.failed));
                    "failed"
                } else {
                    "ok"
                }
            }
            Err(error) => {
                sh::say(&format!("{error:#}"));
                wrong.push(format!(
                    "{}: {}",
                    step.name,
                    error.to_string().lines().next().unwrap_or_default()
                ));
                counts.failed += 1;
                "failed"
            }
        };
        table.push(format!(
            "{:<40} {:>5} s of {:>5} s  {verdict}",
            step.name,
            took.as_secs(),
            budget.as_secs()
        ));
        if verdict == "failed" && step.name.starts_with("build") {
            break;
        }
    }
    let skipped = skips(&notes, &mut wrong)?;
    sh::say("");
    table.iter().for_each(|row| sh::say(row));
    wrong.iter().for_each(|line| sh::say(&format!("FAILED {line}")));
    sh::say(&format!("{} passed, {} failed, {skipped} skipped", counts.passed, counts.failed));
    if wrong.is_empty() { Ok(()) } else { bail!("{} of the steps did not hold", wrong.len()) }
}

/// Prints what was skipped or absent; a skip outside the list is wrong.
fn skips(notes: &Path, wrong: &mut Vec<String>) -> Result<u64> {
    let text = std::fs::read_to_string(notes).context("target/test-notes.txt")?;
    let mut skipped = 0;
    let mut absent = 0;
    for line in text.lines() {
        sh::say(line);
        if let Some(rest) = line.strip_prefix("SKIP ") {
            skipped += 1;
            let name = rest.split(':').next().unwrap_or_default();
            if !ALLOWED_SKIPS.contains(&name) {
                wrong.push(format!("skip of `{name}` is not on the list in packaging/xtask/src/test.rs"));
            }
        } else if line.starts_with("ABSENT ") {
            absent += 1;
        }
    }
    sh::say(&format!("{absent} corpora of third-party data absent"));
    Ok(skipped)
}

fn tools(context: &Context_) -> Result<Counts> {
    setup::ensure(setup::FOR_TESTS)?;
    foreign::install()?;
    sh::must(&mut sh::cargo(&["fetch", "--locked"]), context.limit, true)?;
    Ok(Counts::default())
}

fn format_and_policy(context: &Context_) -> Result<Counts> {
    sh::must(&mut sh::cargo(&["fmt", "--all", "--check"]), context.limit, true)?;
    policy::run()?;
    Ok(Counts::default())
}

fn build(context: &Context_) -> Result<Counts> {
    let start = Instant::now();
    let left = || context.limit.saturating_sub(start.elapsed());
    sh::must(&mut sh::cargo(&["build", "--workspace", "--all-targets", "--locked"]), left(), true)?;
    sh::must(
        &mut sh::cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        left(),
        true,
    )?;
    let mut docs = sh::cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    sh::must(docs.env("RUSTDOCFLAGS", "-D warnings"), left(), true)?;
    Ok(Counts::default())
}

fn cargo_test(context: &Context_, limit: Duration, args: &[&str]) -> Result<Counts> {
    let mut all = vec!["test", "--locked", "--no-fail-fast"];
    all.extend(args);
    let mut command = sh::cargo(&all);
    command.env("ASSAY_NOTES", &context.notes).env("ASSAY_BUILT", "1");
    if context.full {
        command.env("ASSAY_FULL", "1");
    }
    let output = sh::run(&mut command, limit, true)?;
    let mut counts = Counts::default();
    for line in output.stdout.lines().filter(|l| l.starts_with("test result: ")) {
        let number = |word: &str| -> u64 {
            line.split(';')
                .find_map(|p| p.trim_end().strip_suffix(word))
                .and_then(|p| p.split(' ').rev().find(|w| !w.is_empty())?.parse().ok())
                .unwrap_or(0)
        };
        counts.passed += number(" passed");
        counts.failed += number(" failed");
    }
    if output.code != Some(0) && counts.failed == 0 {
        bail!("cargo test {} did not finish", args.join(" "));
    }
    Ok(counts)
}

/// The suite, out of the whole workspace: asked for alone, it would have other features and be compiled anew with all it
/// depends on.
const SUITE: &[&str] = &["--workspace", "--test", "suite", "--"];

fn unit(context: &Context_) -> Result<Counts> {
    let start = Instant::now();
    let left = || context.limit.saturating_sub(start.elapsed());
    let mut suite = SUITE.to_vec();
    PORTAL_MODULES.iter().for_each(|module| suite.extend(["--skip", module]));
    let mut counts = Counts::default();
    for args in [&["--workspace", "--lib", "--bins"][..], &["--workspace", "--doc"], &suite] {
        let part = cargo_test(context, left(), args)?;
        counts.passed += part.passed;
        counts.failed += part.failed;
    }
    Ok(counts)
}

/// Eight scenarios, or all of a full run.
fn virtual_nas(context: &Context_) -> Result<Counts> {
    let counts = lab::of_test(context.full)?;
    Ok(Counts { passed: counts.passed, failed: counts.failed })
}

fn portal(context: &Context_) -> Result<Counts> {
    let mut args = SUITE.to_vec();
    args.extend(PORTAL_MODULES);
    if context.full {
        args.push("--include-ignored");
    }
    cargo_test(context, context.limit, &args)
}
