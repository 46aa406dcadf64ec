//! `cargo xtask adopt`: a bundle from the field, or a recording, becomes a test device without conversion.
//!
//! It copies outputs and writes the page about the device that a person has to finish; it accepts no snapshot. What
//! arrives has passed the redaction door on the device, and is read again by a person before it is committed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::sh;

/// What to adopt, and under which name.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A bundle (.assay), or a folder that `assay collect --record` wrote
    from: PathBuf,
    /// Name of the device: model and fault, such as ts-453d-fan-stalled
    name: String,
    /// Secret key that opens an encrypted bundle
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

/// Runs the task.
pub(crate) fn run(args: &Args) -> Result<()> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if args.name.is_empty() || !args.name.chars().all(good) {
        bail!("{:?} is no name for a device: use lower-case letters, digits and '-'", args.name);
    }
    let device = sh::root().join("tests/devices").join(&args.name);
    if device.exists() {
        bail!("{} is there already: choose another name, or remove it first", device.display());
    }
    let build = ["build", "--quiet", "--package", "assay-agent"];
    sh::must(&mut sh::cargo(&build), Duration::from_secs(900), true)?;
    let assay = sh::root().join("target/debug/assay");
    let result = fill(args, &assay, &device);
    if result.is_err() {
        // Half a device would be tested as a whole one.
        let _ = std::fs::remove_dir_all(&device);
    }
    result
}

fn fill(args: &Args, assay: &Path, device: &Path) -> Result<()> {
    let (from, to) = (text(&args.from)?, text(device)?);
    if args.from.is_dir() {
        let source = args.from.join("source");
        let source = if source.is_dir() { source } else { args.from.clone() };
        copy(&source, &device.join("source"))?;
    } else {
        let mut line = vec!["show", from, "--extract", to];
        if let Some(identity) = &args.identity {
            line.extend(["--identity", text(identity)?]);
        }
        sh::must(&mut sh::command(assay, &line), Duration::from_secs(120), false)?;
    }
    let scratch = sh::root().join("target/docs-state");
    let mut check = sh::command(assay, &["check", "--source", to, "--json"]);
    check.env("ASSAY_STATE_DIR", &scratch).stderr(std::process::Stdio::null());
    let output = sh::run(&mut check, Duration::from_secs(120), false)?;
    let found: serde_json::Value = serde_json::from_str(&output.stdout)
        .with_context(|| format!("{from} is no recording that `assay check --source` understands"))?;
    std::fs::write(device.join("about.md"), about(&args.name, &found)).context("about.md")?;
    sh::say(&format!("adopted {to}: {}", found["diagnosis"]["overall"].as_str().unwrap_or("no verdict")));
    sh::say("next: finish about.md; read every file of source/ for what should not be published;");
    sh::say(
        "      ASSAY_BLESS=1 cargo test -p assay-tests --test suite devices; then read expected/ as the engineer",
    );
    Ok(())
}

/// The page about a device, as far as a program can write it.
fn about(name: &str, found: &serde_json::Value) -> String {
    let seen = |field: &str| {
        let value = &found["facts"]["identity"][field]["seen"]["value"];
        value.as_str().unwrap_or("not read").to_owned()
    };
    let codes: Vec<String> = found["diagnosis"]["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|finding| {
            format!(
                "{} ({})",
                finding["code"].as_str().unwrap_or("?"),
                finding["verdict"].as_str().unwrap_or("?")
            )
        })
        .collect();
    let codes = if codes.is_empty() { "no finding".to_owned() } else { codes.join(", ") };
    format!(
        "# {name}\n\nA {} on {}.\n\n- **Shows**: \n- **Written from**: a real unit, redacted by its own agent.\n\
         - **Expected**: {}; {codes}.\n",
        seen("model"),
        seen("firmware"),
        found["diagnosis"]["overall"].as_str().unwrap_or("no verdict"),
    )
}

/// Copies plain files and folders; anything else is refused, because a recording holds nothing else.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), &target).with_context(|| entry.path().display().to_string())?;
        } else {
            bail!("{} is neither a file nor a folder: this is no recording", entry.path().display());
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
