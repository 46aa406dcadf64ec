//! What redaction costs and what it is worth: `assay redact` over a long kernel log, and over a tree of files with planted
//! secrets beside `sos clean` on the same tree in the same run: time, secrets left, identifiers of hardware destroyed.
//!
//! Lines with secrets and the log come from the tests, so that both mean the same by a secret. `sos clean` promises
//! addresses, names and keywords only, and gets no list of keywords: that is what somebody who does not know the secrets
//! beforehand can do. Where sos is not installed the row says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::meter::{self, Time, median};
use crate::sh;

#[path = "../../../../tests/suite/redaction/kernel_log.rs"]
mod kernel_log;
#[path = "../../../../tests/suite/redaction/lines.rs"]
mod lines;

/// The least that redaction promises on a kernel log, in MB (10^6 bytes) for each second of one core.
const LEAST_MB_PER_S: f64 = 150.0;

/// The log: as large as `assay redact` takes in one piece (64 MiB), less a little.
const LOG_BYTES: usize = 60 << 20;
/// The tree: so many logs of so many bytes. sos needs a second for each megabyte.
const TREE_LOGS: usize = 8;
const TREE_LOG_BYTES: usize = 1 << 20;
/// Seed of both, fixed: every run measures the same bytes.
const SEED: u64 = 20_261_122;

/// What one cleaner made of the tree.
struct Cleaned {
    name: &'static str,
    time: Time,
    secrets_left: usize,
    destroyed: usize,
}

/// Prints the rows; gives the promises that were not kept.
pub(super) fn run(assay: &Path, folder: &Path, runs: usize) -> Result<Vec<&'static str>> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut state = SEED;
    let mut random = |bound: u64| next(&mut state) % bound.max(1);
    let mb_per_s = speed(assay, folder, runs, &mut random)?;
    let promise = "assay redact on a kernel log, MB/s per core";
    let met = mb_per_s >= LEAST_MB_PER_S;
    let verdict = if met { "met" } else { "MISSED" };
    sh::say(&format!("{promise:<44} {mb_per_s:>8.1}, at least {LEAST_MB_PER_S}  {verdict}"));

    let tree = Tree::write(&folder.join("tree"), &mut random)?;
    let said = format!("{} secrets, {} identifiers", tree.secrets.len(), tree.identifiers.len());
    sh::say(&format!(
        "\n{:<28} {:>9} {:>9} {:>13} {:>10}",
        said, "wall s", "CPU s", "secrets left", "destroyed"
    ));
    let ours = tree.by_assay(assay, &folder.join("by-assay"))?;
    ours.say();
    match tree.by_sos(&folder.join("by-sos")) {
        Ok(theirs) => {
            theirs.say();
            let ratio = theirs.time.cpu.as_secs_f64() / ours.time.cpu.as_secs_f64().max(0.01);
            sh::say(&format!("sos clean / assay redact, CPU: {ratio:.0}"));
        }
        Err(error) => sh::say(&format!("{:<28} {error:#}", "sos clean")),
    }
    let mut missed = Vec::new();
    for (what, missing) in [
        (promise, !met),
        ("secrets left by assay redact", ours.secrets_left > 0),
        ("identifiers destroyed by assay redact", ours.destroyed > 0),
    ] {
        missed.extend(missing.then_some(what));
    }
    Ok(missed)
}

/// Median of MB for each second of processor time, the start of the program and its reading and writing included.
fn speed(assay: &Path, folder: &Path, runs: usize, random: &mut dyn FnMut(u64) -> u64) -> Result<f64> {
    let (log, out) = (folder.join("kernel.log"), folder.join("kernel.clean"));
    let text = kernel_log::write(LOG_BYTES, random);
    std::fs::write(&log, &text).context("the kernel log")?;
    let mut times = Vec::new();
    for _ in 0..runs.clamp(1, 5) {
        let mut command = redact(assay, folder, &log);
        times.push(meter::time(&mut command, &out)?.cpu);
    }
    if std::fs::metadata(&out).context("the clean log")?.len() == 0 {
        bail!("assay redact printed nothing: call it by hand on {}", log.display());
    }
    Ok(text.len() as f64 / 1e6 / median(times).as_secs_f64().max(1e-3))
}

fn redact(assay: &Path, folder: &Path, file: &Path) -> std::process::Command {
    let (state, file) = (folder.join("state").display().to_string(), file.display().to_string());
    sh::command(assay, &["--state-dir", &state, "redact", &file])
}

/// The files, and what must go and must stay in them.
struct Tree {
    folder: PathBuf,
    files: Vec<String>,
    secrets: Vec<String>,
    /// With how often each stands in the tree.
    identifiers: BTreeMap<String, usize>,
}

impl Tree {
    /// Logs with lines that hold secrets between the others, in the shape that sos takes for a report.
    fn write(folder: &Path, random: &mut dyn FnMut(u64) -> u64) -> Result<Self> {
        let _ = std::fs::remove_dir_all(folder);
        let logs = folder.join("var/log");
        for made in
            [&logs, &folder.join("sos_logs"), &folder.join("sos_reports"), &folder.join("sos_commands")]
        {
            std::fs::create_dir_all(made).with_context(|| made.display().to_string())?;
        }
        let manifest = folder.join("sos_reports/manifest.json");
        std::fs::write(manifest, "{\"components\":{\"report\":{}}}").context("sos's manifest")?;
        let (mut files, mut secrets, mut all) = (Vec::new(), Vec::new(), String::new());
        for number in 0..TREE_LOGS {
            let mut text = kernel_log::write(TREE_LOG_BYTES, random);
            for (_, line) in lines::SECRETS {
                let (line, own) = lines::plant(line, random);
                text.push_str(&format!("6,1,1,-;{line}\n"));
                secrets.extend(own);
            }
            let name = format!("var/log/kern{number}.log");
            std::fs::write(folder.join(&name), &text).with_context(|| name.clone())?;
            all.push_str(&text);
            files.push(name);
        }
        let mut identifiers = BTreeMap::new();
        for n in 0..kernel_log::DRIVES {
            let (serial, wwn) = kernel_log::drive(n);
            for value in [serial, wwn, kernel_log::array(n)] {
                let times = all.matches(value.as_str()).count();
                identifiers.insert(value, times);
            }
        }
        identifiers.retain(|_, times| *times > 0);
        Ok(Self { folder: folder.to_owned(), files, secrets, identifiers })
    }

    /// One call for each file, as a person would.
    fn by_assay(&self, assay: &Path, out: &Path) -> Result<Cleaned> {
        std::fs::create_dir_all(out).context("a folder for clean files")?;
        let mut sum = Time::default();
        for (number, file) in self.files.iter().enumerate() {
            let mut command = redact(assay, out, &self.folder.join(file));
            let time = meter::time(&mut command, &out.join(format!("{number}.clean")))?;
            (sum.wall, sum.cpu, sum.bytes) =
                (sum.wall + time.wall, sum.cpu + time.cpu, sum.bytes + time.bytes);
        }
        self.judged("assay redact, each file", sum, out)
    }

    fn by_sos(&self, out: &Path) -> Result<Cleaned> {
        if !sh::exists("sos") {
            bail!("not installed here (Debian's package sosreport)");
        }
        let _ = std::fs::remove_dir_all(out);
        std::fs::create_dir_all(out).context("a folder for sos")?;
        let (to, tree) = (out.display().to_string(), self.folder.display().to_string());
        let mut command = sh::command("sos", &["clean", "--batch", "--no-update", "--tmp-dir", &to, &tree]);
        let time = meter::time(&mut command, &out.join("said.private"))?;
        if !out.join("tree").is_dir() {
            bail!("it left no cleaned folder; see {}", out.join("said.private").display());
        }
        self.judged("sos clean", time, &out.join("tree"))
    }

    fn judged(&self, name: &'static str, time: Time, cleaned: &Path) -> Result<Cleaned> {
        let (mut all, mut folders) = (String::new(), vec![cleaned.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
                let path = entry.context("an entry")?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
                    all.push_str(&String::from_utf8_lossy(&bytes));
                }
            }
        }
        let secrets_left = self.secrets.iter().filter(|secret| all.contains(secret.as_str())).count();
        let gone = |(value, times): &(&String, &usize)| all.matches(value.as_str()).count() < **times;
        Ok(Cleaned { name, time, secrets_left, destroyed: self.identifiers.iter().filter(gone).count() })
    }
}

impl Cleaned {
    fn say(&self) {
        let Self { name, time, secrets_left, destroyed } = self;
        let (wall, cpu) = (time.wall.as_secs_f64(), time.cpu.as_secs_f64());
        sh::say(&format!("{name:<28} {wall:>9.2} {cpu:>9.2} {secrets_left:>13} {destroyed:>10}"));
    }
}

/// SplitMix64, as the tests have it.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
