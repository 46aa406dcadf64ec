//! The rows about an idle daemon: its resident memory, and how often it wakes by itself with built-in settings.
//!
//! A wake-up is a voluntary context switch of the daemon's own process: it went to sleep once for each. Resident memory
//! counts pages of the program and the C library that are mapped, which other processes may share: what the kernel calls
//! VmRSS, the number that a person sees in `top`.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Limit;
use super::meter::field;
use crate::sh;

/// Resident memory of the daemon, in MB.
const MOST_RSS_MB: f64 = 6.0;
/// Wake-ups a minute on average.
const MOST_WAKES: f64 = 1.0;
/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(240);
/// What it may take to settle down, on a busy machine.
const SETTLES: Duration = Duration::from_secs(60);

/// A daemon, ended with the benchmark.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        // Asked first: it takes its jobs with it.
        let _ = sh::command("kill", &["-TERM", pid.as_str()]).status();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) && !matches!(self.0.try_wait(), Ok(Some(_))) {
            std::thread::park_timeout(Duration::from_millis(50));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Watches a daemon of a device that is not enrolled.
pub(super) fn run(assay: &Path, folder: &Path) -> Result<[Limit; 2]> {
    let state = folder.join("idle").display().to_string();
    let child = sh::command(assay, &["run", "--state-dir", state.as_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("assay run does not start")?;
    let daemon = Daemon(child);
    let pid = daemon.0.id();
    let begun = Instant::now();
    let sleeps = || {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let settled = line.split(|byte| *byte == 0).any(|word| word == b"__daemon");
        settled && field(pid, "status", "voluntary_ctxt_switches:").is_some_and(|count| count > 0)
    };
    while !sleeps() {
        if begun.elapsed() > SETTLES {
            bail!("assay run did not settle down");
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    // What it does once at its start is no part of being idle.
    std::thread::park_timeout(Duration::from_secs(5));
    let wakes = || field(pid, "status", "voluntary_ctxt_switches:").context("assay run has ended");
    let (before, begun) = (wakes()?, Instant::now());
    while begun.elapsed() < WATCHED {
        std::thread::park_timeout(WATCHED.saturating_sub(begun.elapsed()));
    }
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    let woke = wakes()?.saturating_sub(before) as f64 / minutes;
    let rss = field(pid, "status", "VmRSS:").context("assay run has ended")? as f64 * 1.024e-3;
    let own = field(pid, "status", "RssAnon:").unwrap_or_default() as f64 * 1.024e-3;
    sh::say(&format!(
        "assay run, idle for {minutes:.0} minutes: {rss:.1} MB resident, {own:.1} MB of them its own; woke {woke:.2} times a minute"
    ));
    Ok([
        Limit("assay run idle, MB resident", rss, MOST_RSS_MB),
        Limit("assay run idle, wake-ups a minute", woke, MOST_WAKES),
    ])
}
