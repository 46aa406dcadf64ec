//! A job as a child process of this program, in a group of its own: started, watched, killed with all of its group.
//!
//! Its answer and its complaints go to files in the daemon's folder in RAM, so that no pipe is waited for. A child that
//! cannot be killed (an uninterruptible sleep on a dying disk) is left behind and named; the daemon goes on.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use super::plan::Job;

/// Most bytes of an answer or of complaints that are read.
const MOST_BYTES: u64 = 64 * 1024;
/// How long a child that was killed may take to be gone; longer is a sleep in the kernel.
pub(super) const KILL_WAIT: Duration = Duration::from_millis(700);
/// How often a child that is being killed is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What a job tells the daemon at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// What it did, in words.
    pub(crate) words: String,
    /// Whether it saw all disks awake; none when it did not look.
    #[serde(default)]
    pub(crate) drives_awake: Option<bool>,
    /// Whether the log need not hold it when it is word for word what the job told last.
    #[serde(default)]
    pub(crate) repeats: bool,
    /// Seconds after which it wants to be run again.
    #[serde(default)]
    pub(crate) again_after_s: Option<u64>,
}

/// A job that runs.
pub(crate) struct Running {
    /// Which.
    pub(crate) job: Job,
    /// Seconds since boot at which it is killed.
    pub(crate) deadline_boot_s: u64,
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

/// Starts a job. `flags` come before its name.
pub(crate) fn start(
    job: &Job,
    flags: &[OsString],
    folder: &Path,
    now_boot_s: u64,
) -> anyhow::Result<Running> {
    let file = |end: &str| {
        let path = folder.join(format!("{}.{end}", job.name));
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        opened.with_context(|| format!("cannot write {}", path.display())).map(|file| (path, file))
    };
    let ((out, out_file), (err, err_file)) = (file("out")?, file("err")?);
    let program = std::env::current_exe().context("the program cannot find its own file")?;
    let child = Command::new(program)
        .args(flags)
        .arg(super::JOB)
        .arg(job.name)
        .arg(std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(out_file)
        .stderr(err_file)
        .process_group(0)
        .spawn()
        .context("the child does not start")?;
    let deadline_boot_s = now_boot_s.saturating_add(job.deadline_s);
    Ok(Running { job: job.clone(), deadline_boot_s, child, out, err })
}

impl Running {
    /// How it ended, if it has: what it told, or why it failed.
    pub(crate) fn ended(&mut self) -> Option<Result<Told, String>> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(self.judge(status)),
            Err(error) => Some(Err(format!("it cannot be waited for: {error}"))),
        }
    }

    fn judge(&self, status: ExitStatus) -> Result<Told, String> {
        if let Some(signal) = status.signal() {
            return Err(format!("it died by signal {signal}"));
        }
        if status.success() {
            let told = serde_json::from_str(&text(&self.out));
            return told.map_err(|_| "it ended without an answer".to_owned());
        }
        let complaint = text(&self.err);
        let lines = complaint.lines().filter(|line| !line.trim().is_empty());
        let said: Vec<&str> =
            lines.filter(|line| line.starts_with("assay: ") || line.starts_with("next: ")).collect();
        match said.is_empty() {
            true => Err(format!("it ended with {status}")),
            false => Err(said.join("; ").trim_start_matches("assay: ").to_owned()),
        }
    }

    /// Ends it with its group: asked first, killed after `grace`. `false` when even that did not end it.
    pub(crate) fn end(&mut self, grace: Duration) -> bool {
        for (signal, patience) in [(Signal::TERM, grace), (Signal::KILL, KILL_WAIT)] {
            // It is our child and not yet waited for, so the number is still its own.
            let _ = kill_process_group(Pid::from_child(&self.child), signal);
            let begun = Instant::now();
            while begun.elapsed() < patience {
                if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                    return true;
                }
                std::thread::sleep(LOOK);
            }
        }
        false
    }
}

fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    let _ = fs::remove_file(path);
    String::from_utf8_lossy(&bytes).into_owned()
}
