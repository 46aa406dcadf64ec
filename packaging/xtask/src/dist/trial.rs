//! What was built is run before it ships: on this machine's own processor, or under an emulator of the other one, with
//! pages of the sizes that its kernels have. A program that was linked but does not run would be found by owners.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Target;
use crate::{setup, sh};

/// Under an emulator, on a machine that does other things as well, a check of a recording takes some ten seconds.
const RUN_LIMIT: Duration = Duration::from_secs(300);

/// Stands for other processors.
pub(super) struct Emulator {
    /// Its name in `PATH`.
    pub(super) program: &'static str,
    /// The sizes of pages of the kernels that it stands for, in bytes.
    pub(super) page_bytes: &'static [u32],
}

/// Runs the program over all recorded devices. What it says of each must be what is expected of each, and to the byte
/// what the program for this machine says, where there is one.
pub(super) fn run(target: &Target, program: &Path, reference: Option<&Path>) -> Result<String> {
    let starts = starts(target, program)?;
    let devices = devices()?;
    for start in &starts {
        let version = said(start, &["--version"])?.text;
        if !version.starts_with("assay ") {
            bail!("`{} --version` says {version:?}", start.join(" "));
        }
    }
    for (index, device) in devices.iter().enumerate() {
        // Every size of pages runs; the devices take turns, because an emulator is slow.
        let start = starts.get(index % starts.len()).context("no way to start the program")?;
        judged(start, device)?;
        if let Some(reference) = reference.filter(|reference| *reference != program) {
            let own = report(start, device)?;
            let other = report(&[reference.display().to_string()], device)?;
            if own != other {
                bail!("{} says of {} what {} does not", start.join(" "), device, reference.display());
            }
        }
    }
    let how = starts.first().filter(|start| start.len() > 1).and_then(|start| start.first());
    let how = how.map_or("itself", String::as_str);
    Ok(format!("{} devices by {how}", devices.len()))
}

/// The lines by which the program starts.
fn starts(target: &Target, program: &Path) -> Result<Vec<Vec<String>>> {
    let program = program.display().to_string();
    if target.triple.starts_with(std::env::consts::ARCH) {
        return Ok(vec![vec![program]]);
    }
    let emulator = target.emulator.as_ref().context("no emulator is known for this processor")?;
    setup::ensure(&[emulator.program])?;
    let sizes = emulator.page_bytes.iter();
    Ok(sizes
        .map(|size| vec![emulator.program.into(), "-p".into(), size.to_string(), program.clone()])
        .collect())
}

/// The recorded devices that have an expected diagnosis.
fn devices() -> Result<Vec<String>> {
    let folder = sh::root().join("tests/devices");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let entry = entry.with_context(|| folder.display().to_string())?;
        if entry.path().join("expected/diagnosis.json").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    if names.is_empty() { bail!("{} has no devices", folder.display()) } else { Ok(names) }
}

/// What a run said, and how it ended.
#[derive(PartialEq)]
struct Said {
    text: String,
    code: Option<i32>,
}

fn said(start: &[String], args: &[&str]) -> Result<Said> {
    let (program, first) = start.split_first().context("no program")?;
    let first: Vec<&str> = first.iter().map(String::as_str).chain(args.iter().copied()).collect();
    let mut command = sh::command(program, &first);
    let output = sh::run(command.stderr(std::process::Stdio::null()), RUN_LIMIT, false)?;
    if output.code.is_none() {
        bail!("`{} {}` was ended by a signal", start.join(" "), args.join(" "));
    }
    Ok(Said { text: output.stdout, code: output.code })
}

fn checked(start: &[String], device: &str, how: &str) -> Result<Said> {
    let source = sh::root().join("tests/devices").join(device).join("source").display().to_string();
    let state = sh::root().join("target/dist-state").display().to_string();
    let made = said(start, &["check", "--source", &source, how, "--state-dir", &state]);
    let _ = std::fs::remove_dir_all(&state);
    made
}

fn report(start: &[String], device: &str) -> Result<Said> {
    checked(start, device, "--all")
}

/// The diagnosis is the expected one. (Names in the facts stand for others and are drawn anew in each run.)
fn judged(start: &[String], device: &str) -> Result<()> {
    let expected = sh::root().join("tests/devices").join(device).join("expected/diagnosis.json");
    let expected = std::fs::read(&expected).with_context(|| expected.display().to_string())?;
    let expected: Value = serde_json::from_slice(&expected).context("an expected diagnosis")?;
    let found: Value = serde_json::from_str(&checked(start, device, "--json")?.text)
        .with_context(|| format!("{} says no JSON of {device}", start.join(" ")))?;
    if found.get("diagnosis") != Some(&expected) {
        bail!("{} diagnoses {device} otherwise than expected", start.join(" "));
    }
    Ok(())
}
