//! `cargo xtask qpkg`: packs a QPKG without QDK, and takes one apart. The same input gives the same bytes: sorted
//! entries, one time from SOURCE_DATE_EPOCH. Compresses with the machine's gzip. A recipe folder holds `header.sh`,
//! `control/` (qpkg.cfg, qinstall.sh, package_routines) and `shared/` (what is installed besides the programs).

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::{Subcommand, ValueEnum};

use crate::sh::say;
use ustar::Entry;

mod layout;
#[cfg(test)]
mod tests;
mod ustar;

/// What to do with a package.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Write a package
    Pack(Pack),
    /// Show the parts of a package, their lengths and files, and what is wrong with it
    Inspect {
        /// The package
        file: PathBuf,
    },
}

/// QDK's names of the architectures that are built.
#[derive(Clone, Copy, ValueEnum)]
enum Arch {
    #[value(name = "x86_64")]
    X86,
    #[value(name = "arm_64")]
    Arm64,
    #[value(name = "arm-x41")]
    ArmX41,
    #[value(name = "arm-x31")]
    ArmX31,
}

#[derive(clap::Args)]
struct Pack {
    /// Architecture of the programs
    #[arg(long)]
    arch: Arch,
    /// The agent
    #[arg(long)]
    binary: PathBuf,
    /// A static smartctl
    #[arg(long)]
    smartctl: PathBuf,
    /// Folder with header.sh, control/ and shared/
    #[arg(long)]
    recipe: PathBuf,
    /// Shell command that reads what is signed on its input and prints the CMS signature
    #[arg(long)]
    code_sign_cmd: Option<String>,
    /// The package to write
    #[arg(short, long)]
    output: PathBuf,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Pack(pack) => {
            let seconds = match std::env::var("SOURCE_DATE_EPOCH") {
                Ok(text) => text.parse().context("SOURCE_DATE_EPOCH is no number of seconds")?,
                Err(_) => {
                    bail!("set SOURCE_DATE_EPOCH, e.g. to `git log -1 --format=%ct`: it dates the files")
                }
            };
            let bytes = build(pack, seconds)?;
            let part = pack.output.with_added_extension("part");
            fs::write(&part, &bytes).with_context(|| format!("writing {}", part.display()))?;
            fs::rename(&part, &pack.output).with_context(|| format!("writing {}", pack.output.display()))?;
            say(&format!("{}: {} bytes", pack.output.display(), bytes.len()));
            Ok(())
        }
        What::Inspect { file } => {
            let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
            for line in inspect(&bytes).with_context(|| format!("{} is damaged", file.display()))? {
                say(&line);
            }
            Ok(())
        }
    }
}

fn build(pack: &Pack, seconds: u64) -> Result<Vec<u8>> {
    let arch = pack.arch.to_possible_value().context("a name")?.get_name().to_owned();
    let read = |path: &Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
    let mut control = folder(&pack.recipe.join("control"), "")?;
    let config =
        control.iter().find(|entry| entry.path == "qpkg.cfg").context("control/qpkg.cfg is missing")?;
    let config = String::from_utf8(config.bytes.clone()).context("qpkg.cfg is no text")?;
    for needed in ["qinstall.sh", "package_routines"] {
        ensure!(control.iter().any(|entry| entry.path == needed), "control/{needed} is missing");
    }
    let value = |key: &str| {
        let line = config.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        Ok::<_, anyhow::Error>(
            line.with_context(|| format!("qpkg.cfg has no {key}"))?.trim_matches('"').to_owned(),
        )
    };
    let (name, version) = (value("QPKG_NAME")?, value("QPKG_VER")?);
    let day = pipe(Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+time = %Y%m%d"]), b"")?;
    control.push(Entry { path: "built_info".to_owned(), mode: 0o644, bytes: day });

    let mut data = folder(&pack.recipe.join("shared"), "")?;
    for (path, file) in [("assay", &pack.binary), ("smartctl", &pack.smartctl)] {
        ensure!(data.iter().all(|entry| entry.path != path), "shared/{path} is in the way of the program");
        data.push(Entry { path: path.to_owned(), mode: 0o755, bytes: read(file)? });
    }
    let inner = gzip(&ustar::write(control, seconds)?)?;
    let inner = Entry { path: "control.tar.gz".to_owned(), mode: 0o644, bytes: inner };
    let control = ustar::write(vec![inner], seconds)?;
    let data = gzip(&ustar::write(data, seconds)?)?;

    let template =
        String::from_utf8(read(&pack.recipe.join("header.sh"))?).context("header.sh is no text")?;
    let script = layout::script(&template.replace("@ARCH@", &arch), control.len(), data.len())?;
    let mut out = [script.as_bytes(), &control, &data].concat();
    if let Some(line) = &pack.code_sign_cmd {
        let signature = pipe(Command::new("sh").args(["-c", line]), &out).context("--code-sign-cmd")?;
        ensure!(!signature.is_empty(), "--code-sign-cmd printed no signature");
        out.extend(layout::area(&signature)?);
    }
    out.extend(layout::tail(out.len(), &name, &version)?);
    inspect(&out).context("the package that was made does not read")?;
    Ok(out)
}

/// The package in lines; an error names the first thing that is wrong.
fn inspect(file: &[u8]) -> Result<Vec<String>> {
    let parts = layout::parse(file)?;
    let outer = ustar::read(parts.control).context("the control tar")?;
    let [inner] = outer.as_slice() else {
        bail!("the control tar has {} members instead of one", outer.len())
    };
    ensure!(inner.path == "control.tar.gz", "the control tar holds {}", inner.path);
    let mut lines = vec![
        format!("package    {} {}", parts.name, parts.version),
        format!("script     {} bytes", parts.script.len()),
        format!("control    {} bytes", parts.control.len()),
        format!("data       {} bytes", parts.data.len()),
        match parts.signature {
            Some(signature) => format!("signature  {} bytes, not verified here", signature.len()),
            None => "signature  none: App Center refuses it unless the owner allows it".to_owned(),
        },
        format!("tail       {} bytes, checksum good for {} bytes", layout::TAIL, file.len()),
    ];
    for (what, packed) in [("control", inner.bytes.as_slice()), ("data", parts.data)] {
        let tar =
            pipe(Command::new("gzip").arg("-dc"), packed).with_context(|| format!("the {what} part"))?;
        for entry in ustar::read(&tar).with_context(|| format!("the {what} part"))? {
            lines.push(format!("{what:10} {:04o} {:>9} {}", entry.mode, entry.bytes.len(), entry.path));
        }
    }
    Ok(lines)
}

/// Every file below a folder; scripts may be run, nothing else. A link is refused.
fn folder(root: &Path, below: &str) -> Result<Vec<Entry>> {
    let here = root.join(below);
    let mut entries = Vec::new();
    for item in fs::read_dir(&here).with_context(|| format!("reading {}", here.display()))? {
        let item = item?;
        let name = item.file_name().into_string().ok().context("a file name that is no text")?;
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = item.file_type()?;
        if kind.is_dir() {
            entries.extend(folder(root, &path)?);
        } else {
            ensure!(kind.is_file(), "{path}: only files and folders go into a package");
            let mode = if path.ends_with(".sh") { 0o755 } else { 0o644 };
            entries.push(Entry { mode, bytes: fs::read(item.path())?, path });
        }
    }
    Ok(entries)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    pipe(Command::new("gzip").args(["-9", "-n", "-c"]), bytes)
}

/// What a program prints when it reads `input`.
fn pipe(command: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(name.clone())?;
    let mut door = child.stdin.take().context("no way in")?;
    let output = std::thread::scope(|scope| {
        // A program that closes its input early says why by its status.
        scope.spawn(move || door.write_all(input));
        child.wait_with_output()
    })?;
    ensure!(
        output.status.success(),
        "{name}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(output.stdout)
}
