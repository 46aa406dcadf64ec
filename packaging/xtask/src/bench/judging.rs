//! How fast a verdict is there: many pasted reports judged by one process, and the diagnosis of each recorded device, by
//! the time that the program itself logs for it.
//!
//! The reports are real ones where the third-party corpora are there, and in any case answers of our recorded devices
//! under numbers of their own: two reports of one drive are one drive.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};

use super::machine::{one_drive, recorded_answers};
use super::meter::median;
use super::{Limit, measure};
use crate::sh;

/// Reports that are judged at once where we make them.
const REPORTS: usize = 2000;
/// Reports a second on one core, at least; as processor time of [`REPORTS`], at most.
const MOST_MS_FOR_REPORTS: f64 = 1000.0;
/// The diagnosis of one device, at most.
const MOST_DIAGNOSIS_MS: f64 = 1.0;
/// Runs of one device: each is a process of its own.
const DEVICE_RUNS: usize = 5;

/// Measures; returns the promises.
pub(super) fn run(assay: &Path, folder: &Path, runs: usize) -> Result<Vec<Limit>> {
    let mut limits = Vec::new();
    let made = folder.join("reports");
    make(&made)?;
    let shared = sh::root().join("../shared/data/smartctl-text");
    sh::say(&format!(
        "\n{:<44} {:>8} {:>9} {:>9} {:>12}",
        "reports in one process, median", "reports", "wall ms", "CPU ms", "reports/CPU s"
    ));
    for (name, folder) in [
        ("judge, smartctl JSON of recorded devices", made.as_path()),
        ("judge, smartctl text of other people", shared.as_path()),
    ] {
        let files = files_of(folder);
        if files.is_empty() {
            sh::say(&format!("{name:<44} not here"));
            continue;
        }
        let arguments: Vec<&str> =
            std::iter::once("judge").chain(files.iter().filter_map(|file| file.to_str())).collect();
        let row = measure(name, assay, &arguments, runs.min(5))?;
        let cpu_s = row.cpu.as_secs_f64();
        let wall_ms = row.wall.as_secs_f64() * 1e3;
        let rate = files.len() as f64 / cpu_s;
        sh::say(&format!("{name:<44} {:>8} {wall_ms:>9.0} {:>9.0} {rate:>12.0}", files.len(), cpu_s * 1e3));
        limits.push(Limit(name_of_limit(name), 1e3 * REPORTS as f64 / rate, MOST_MS_FOR_REPORTS));
    }
    let (typical, worst, device) = diagnoses(assay)?;
    sh::say(&format!(
        "diagnosis of a recorded device: median {typical:.3} ms, longest {worst:.3} ms ({device})"
    ));
    limits.push(Limit("diagnosis of one device, longest, ms", worst, MOST_DIAGNOSIS_MS));
    Ok(limits)
}

fn name_of_limit(row: &str) -> &'static str {
    if row.contains("JSON") {
        "judge, CPU ms for 2,000 JSON reports"
    } else {
        "judge, CPU ms for 2,000 text reports"
    }
}

/// [`REPORTS`] answers of recorded drives, each of another drive.
fn make(folder: &Path) -> Result<()> {
    let recorded = recorded_answers()?;
    std::fs::create_dir_all(folder).context("the reports' folder")?;
    for n in 0..REPORTS {
        let answer = recorded.get(n % recorded.len().max(1)).context("no recorded answer")?;
        let path = folder.join(format!("{n:04}.json"));
        std::fs::write(&path, one_drive(answer, n)?).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_report = |path: &PathBuf| path.extension().is_some_and(|end| end == "txt" || end == "json");
    let mut files: Vec<PathBuf> = entries.filter(is_report).collect();
    files.sort();
    files
}

/// Median and longest diagnosis of the recorded devices in ms, each the median of its runs, and the slowest device.
fn diagnoses(assay: &Path) -> Result<(f64, f64, String)> {
    let mut all = Vec::new();
    for device in std::fs::read_dir(sh::root().join("tests/devices")).context("tests/devices")? {
        let path = device.context("tests/devices")?.path();
        let source = path.join("source").display().to_string();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut took = Vec::new();
        for _ in 0..DEVICE_RUNS {
            let said = sh::command(assay, &["-vv", "check", "--source", &source])
                .stdin(Stdio::null())
                .output()
                .context("assay check")?;
            let log = String::from_utf8_lossy(&said.stderr).into_owned();
            took.push(took_us(&log).with_context(|| format!("{name}: no time in the log: {log}"))?);
        }
        all.push((median(took), name));
    }
    all.sort();
    let (worst, device) = all.last().cloned().context("no recorded device")?;
    let typical = all.get(all.len() / 2).map_or(0, |(took, _)| *took);
    Ok((typical as f64 / 1e3, worst as f64 / 1e3, device))
}

fn took_us(log: &str) -> Option<u64> {
    let line = log.lines().find(|line| line.contains("diagnosed"))?;
    let (_, rest) = line.split_once("took_us=")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_time_of_the_log() {
        fn check(log: &str, expected: Option<u64>) {
            assert_eq!(super::took_us(log), expected, "{log}");
        }
        check("a\n2026-01-01T00:00:00Z DEBUG diagnosed took_us=417\nb", Some(417));
        check("2026-01-01T00:00:00Z DEBUG judged took_us=417", None);
        check("", None);
    }
}
