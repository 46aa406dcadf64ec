//! `cargo xtask bench`: what the agent costs, beside stock commands in the same run, so that a ratio means something
//! on any machine. Never a test: a busy machine must not turn a build red.

mod drives;
mod idle;
mod judging;
mod machine;
mod meter;
mod recovery;
mod redaction;
mod upload;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::machine::Machine;
use self::meter::{is_zombie, median};
use crate::{dist, setup, sh};

/// How often.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Runs of each row; the median is shown
    #[arg(long, default_value_t = 15)]
    runs: usize,
    /// Only these rows; may be repeated
    #[arg(long, value_name = "ROWS")]
    only: Vec<Rows>,
    /// Measure over the drives of this prepared machine, in whose name space we are
    #[arg(long, hide = true, value_name = "DIR")]
    inside: Option<PathBuf>,
}

/// What is measured, in this order.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Rows {
    /// The program's size, start and `collect` on this machine
    Program,
    /// Reports judged a second, diagnosis of one device
    Judging,
    /// Memory and wake-ups of a daemon that has nothing to do
    Idle,
    /// Uploads beside other servers
    Uploads,
    /// Recovery copies beside tar, zstd and age
    Copies,
    /// Redaction beside sos clean
    Redaction,
    /// 24 drives beside other collectors
    Drives,
}

/// One row of the table.
struct Row {
    name: &'static str,
    wall: Duration,
    cpu: Duration,
    peak_kib: u64,
}

/// The numbers that the product promises: row, what, limit.
const MOST_COLLECT_PEAK_MIB: f64 = 15.0;
const MOST_COLLECT_CPU_S: f64 = 0.4;
const MOST_VERSION_MS: f64 = 5.0;

const MIB_OF_KIB: f64 = 1024.0;

/// A promise: what, what it is, the most that it may be.
struct Limit(&'static str, f64, f64);

/// Which program is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// What `cargo xtask dist` left: what an owner gets.
    Shipped,
    /// Built here for this machine's own library.
    Release,
}

impl Origin {
    /// What the reader of the numbers has to know about them.
    fn told(self, program: &Path) -> Result<String> {
        let made = std::fs::metadata(program).and_then(|file| file.modified());
        let age = made.with_context(|| program.display().to_string())?.elapsed().unwrap_or_default();
        let minutes = age.as_secs() / 60;
        Ok(match self {
            Self::Shipped => format!(
                "measured: {} as it ships, built {minutes} minutes ago; `cargo xtask dist` builds it anew",
                program.display()
            ),
            Self::Release => format!(
                "measured: {}, which does not ship: after `cargo xtask dist` it is what ships",
                program.display()
            ),
        })
    }
}

/// The program that ships where it has been built, else this machine's own.
fn program() -> (PathBuf, Origin) {
    match dist::shipped() {
        Some(shipped) => (shipped, Origin::Shipped),
        None => (sh::root().join("target/release/assay"), Origin::Release),
    }
}

/// How long the rows about drives may take: sosreport and the loop over slow drives are most of it.
const DRIVES_LIMIT: Duration = Duration::from_secs(900);

/// Runs the benchmarks.
pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(folder) = &args.inside {
        return end(drives::run(&Machine::at(folder), &program().0, args.runs)?);
    }
    let (assay, origin) = program();
    if origin == Origin::Release {
        sh::must(
            &mut sh::cargo(&["build", "--release", "--package", "assay-agent", "--locked"]),
            Duration::from_secs(1800),
            true,
        )?;
    }
    sh::say(&origin.told(&assay)?);
    let folder = sh::root().join("target/bench");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).context("target/bench")?;
    let wanted = |rows: Rows| args.only.is_empty() || args.only.contains(&rows);
    let mut missed = Vec::new();
    if wanted(Rows::Program) {
        missed.extend(judge(&program_rows(&assay, &folder, args.runs)?));
    }
    if wanted(Rows::Judging) {
        missed.extend(judge(&judging::run(&assay, &folder, args.runs)?));
    }
    if wanted(Rows::Idle) {
        missed.extend(judge(&idle::run(&assay, &folder)?));
    }
    if wanted(Rows::Uploads) {
        missed.extend(judge(&upload::run()?));
    }
    if wanted(Rows::Copies) {
        setup::ensure(setup::FOR_COPIES)?;
        missed.extend(recovery::run(&folder.join("recovery"), &assay)?);
    }
    if wanted(Rows::Redaction) {
        missed.extend(redaction::run(&assay, &folder.join("redaction"), args.runs)?);
    }
    let drives = if wanted(Rows::Drives) { over_drives(&folder.join("machine"), args.runs) } else { Ok(()) };
    end(missed)?;
    drives
}

/// The rows about the program itself.
fn program_rows(assay: &Path, folder: &Path, runs: usize) -> Result<[Limit; 4]> {
    let state = folder.join("state").display().to_string();
    let out = folder.join("bundle.assay").display().to_string();
    let collect = ["collect", "--state-dir", state.as_str(), "-o", out.as_str()];
    let rows = [
        measure("assay --version", assay, &["--version"], runs)?,
        measure("ls --version", Path::new("ls"), &["--version"], runs)?,
        measure("assay collect -o FILE", assay, &collect, runs)?,
        measure("lsblk --json --output-all", Path::new("lsblk"), &["--json", "--output-all"], runs)?,
    ];
    sh::say(&format!("{:<28} {:>10} {:>10} {:>12}", "median of runs", "wall ms", "CPU ms", "peak MiB"));
    for row in &rows {
        sh::say(&format!(
            "{:<28} {:>10.2} {:>10.1} {:>12.1}",
            row.name,
            row.wall.as_secs_f64() * 1e3,
            row.cpu.as_secs_f64() * 1e3,
            row.peak_kib as f64 / MIB_OF_KIB
        ));
    }
    let [version, ls, collect, lsblk] = &rows;
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64().max(1e-6);
    sh::say(&format!("assay --version / ls --version, wall: {:.2}", ratio(version.wall, ls.wall)));
    sh::say(&format!("assay collect / lsblk, wall: {:.2}", ratio(collect.wall, lsblk.wall)));
    let size = std::fs::metadata(assay).with_context(|| assay.display().to_string())?.len() as f64 / 1e6;
    Ok([
        Limit("assay collect, peak MiB", collect.peak_kib as f64 / MIB_OF_KIB, MOST_COLLECT_PEAK_MIB),
        Limit("assay collect, CPU s", collect.cpu.as_secs_f64(), MOST_COLLECT_CPU_S),
        Limit("assay --version, wall ms", version.wall.as_secs_f64() * 1e3, MOST_VERSION_MS),
        Limit("program, MB", size, dist::MOST_PROGRAM_BYTES as f64 / 1e6),
    ])
}

/// The rows over 24 drives, measured by this program in a name space of their own.
fn over_drives(folder: &Path, runs: usize) -> Result<()> {
    setup::ensure(setup::FOR_BENCH)?;
    // What we are compared with is wanted, not needed: a row says so where it is missing.
    for program in setup::COMPARED {
        if let Err(error) = setup::ensure(&[program]) {
            sh::say(&format!("{program}: {error:#}"));
        }
    }
    let machine = Machine::prepare(folder)?;
    let own = std::env::current_exe().context("own program")?;
    let (folder, runs) = (folder.display().to_string(), runs.to_string());
    let mut command = machine.inside(&own, &["bench", "--inside", &folder, "--runs", &runs]);
    sh::must(&mut command, DRIVES_LIMIT, true).map(drop)
}

/// Says which promises are kept; returns the others.
fn judge(limits: &[Limit]) -> Vec<&'static str> {
    let mut missed = Vec::new();
    for Limit(what, got, most) in limits {
        sh::say(&format!("{what:<40} {got:>8.2} of {most}  {}", if got <= most { "met" } else { "MISSED" }));
        if got > most {
            missed.push(*what);
        }
    }
    missed
}

fn end(missed: Vec<&'static str>) -> Result<()> {
    if missed.is_empty() { Ok(()) } else { bail!("missed: {}", missed.join(", ")) }
}

/// Medians of wall time, processor time and peak memory of one process (not of its children).
fn measure(name: &'static str, program: &Path, args: &[&str], runs: usize) -> Result<Row> {
    let mut walls = Vec::new();
    let mut cpus = Vec::new();
    let mut peaks = Vec::new();
    for _ in 0..runs.max(1) {
        let start = Instant::now();
        let mut child = sh::command(program, args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (mut peak, mut cpu) = (0, Duration::ZERO);
        loop {
            // The high-water mark only grows, and a zombie keeps its times: the last look before reaping is exact for
            // processor time and close for memory.
            if let Some(kib) = high_water_kib(child.id()) {
                peak = kib;
            }
            if let Some(time) = cpu_time(child.id()) {
                cpu = time;
            }
            if is_zombie(child.id()) {
                break;
            }
            std::thread::park_timeout(Duration::from_micros(200));
        }
        walls.push(start.elapsed());
        child.wait().context("wait")?;
        cpus.push(cpu);
        peaks.push(peak);
    }
    Ok(Row { name, wall: median(walls), cpu: median(cpus), peak_kib: median(peaks) })
}

fn high_water_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

/// User and system time; the kernel counts in ticks of 10 ms (`USER_HZ` is 100 on every Linux we run on), so the
/// scheduler's own count in nanoseconds is preferred.
fn cpu_time(pid: u32) -> Option<Duration> {
    if let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/schedstat")) {
        return text.split(' ').next()?.parse().ok().map(Duration::from_nanos);
    }
    let fields = meter::stat(pid)?;
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}
