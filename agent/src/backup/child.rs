//! The child that makes the copy. Configuration lies on disks that may hang, and this process must not.
//!
//! The child says on its standard error what it reads, before it reads it, one JSON object a line. When nothing is heard
//! for the configured time it is killed, or left behind when it cannot be: the command returns and names the path. What
//! it had begun is removed. One child works at a time; it holds a lock in RAM, so that one that hangs keeps no later one
//! waiting: that one says so at once.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use assay_bundle::digest::sha256_hex;
use assay_bundle::recovery::path_text;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};

use super::create::{self, Beat, Errand, Made};
use super::shelf;
use crate::context::Context;
use crate::output;
use crate::terminal::Line;
use crate::trouble::{self, NextStep, refuse};

/// Word that makes this program the child.
pub(crate) const CHILD: &str = "__backup";
/// Most bytes of an errand: documents are cut far below.
const MOST_ERRAND_BYTES: u64 = 4 << 20;
/// How long removing what was begun may take before it is left.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(2);

/// An errand with the place of the lock.
#[derive(Serialize, Deserialize)]
struct Sent {
    lock: PathBuf,
    errand: Errand,
}

/// One line of the child.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    /// Is about to read this.
    At(String),
    /// Has begun this file.
    Partial(PathBuf),
    /// Is done.
    Done(Box<Made>),
    /// Failed; what, and what to do.
    Failed(String, Option<String>),
}

/// A file that has to go when the child is killed. Removing may hang as well, and nobody waits for it longer than a bit.
#[derive(Default)]
struct Begun(Option<PathBuf>);

impl Drop for Begun {
    fn drop(&mut self) {
        let Some(path) = self.0.take() else { return };
        let (done, wait) = mpsc::channel();
        std::thread::spawn(move || {
            let _ = fs::remove_file(path);
            let _ = done.send(());
        });
        let _ = wait.recv_timeout(REMOVAL_PATIENCE);
    }
}

/// Makes a copy in a child that may take `stall` without a word.
pub(super) async fn make(context: &Context, errand: Errand, stall: Duration) -> anyhow::Result<Made> {
    let program = std::env::current_exe().context("the program cannot find its own file")?;
    let mut command = tokio::process::Command::new(program);
    output::private_folder(&context.paths.runtime_dir)?;
    let place = errand.target.as_deref().and_then(Path::parent).unwrap_or(Path::new("-"));
    let name = sha256_hex(place.as_os_str().as_encoded_bytes());
    let lock = context.paths.runtime_dir.join(format!("backup-{}.lock", name.get(..16).unwrap_or(&name)));
    let sent = zeroize::Zeroizing::new(serde_json::to_vec(&Sent { lock, errand })?);
    let mut begun = Begun::default();
    // Killed when this function ends, however it ends; before what it had begun is removed.
    command.arg(CHILD).stdin(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("the process that copies does not start")?;
    let mut stdin = child.stdin.take().context("the process that copies has no pipe")?;
    let stderr = child.stderr.take().context("the process that copies has no pipe")?;
    stdin.write_all(&sent).await.context("the process that copies broke off")?;
    drop((stdin, sent));
    let mut lines = tokio::io::BufReader::new(stderr).lines();
    let line = Line::new();
    let mut at = String::new();
    loop {
        let said = match tokio::time::timeout(stall, lines.next_line()).await {
            Ok(said) => said.context("the process that copies broke off")?,
            Err(_) => {
                // Asked to end here; a process in an uninterruptible sleep stays behind, and nobody waits for it.
                let _ = child.start_kill();
                return Err(stalled(&at, stall));
            }
        };
        let Some(said) = said else { break };
        match serde_json::from_str(&said) {
            Ok(Said::At(path)) => {
                line.show(&format!("copying {path}"));
                at = path;
            }
            Ok(Said::Partial(path)) => begun.0 = Some(path),
            Ok(Said::Done(made)) => {
                begun.0 = None;
                // It has nothing left to do but to end; a zombie would stay in a long-lived caller.
                let _ = tokio::time::timeout(REMOVAL_PATIENCE, child.wait()).await;
                return Ok(*made);
            }
            Ok(Said::Failed(what, next)) => {
                return Err(match next {
                    Some(next) => refuse(what, next),
                    None => {
                        refuse(what, "call again with -v; if it fails again, name another place with -o FILE")
                    }
                });
            }
            Err(_) => output::say(&said),
        }
    }
    let ended = child.wait().await.context("the process that copies broke off")?;
    Err(refuse(
        format!("no copy was made: the process that copies ended ({ended})"),
        "call again; `assay check` tells whether the machine is short of memory or a disk fails",
    ))
}

fn stalled(at: &str, stall: Duration) -> anyhow::Error {
    let what = if at.is_empty() { "the configuration" } else { at };
    refuse(
        format!("no copy was made: nothing came for {} s while reading {what}", stall.as_secs()),
        "the disk below it may be failing: run `assay check`; a slow disk gets more time with backup.stall_s",
    )
}

/// The child's voice.
struct Voice;

impl Voice {
    fn say(&self, said: &Said) -> io::Result<()> {
        let mut line = serde_json::to_vec(said)?;
        line.push(b'\n');
        io::stderr().lock().write_all(&line)
    }
}

impl Beat for Voice {
    fn at(&mut self, path: &[u8]) {
        // The parent went away: what is done now is done for nobody, and the next write of the copy may be long.
        if self.say(&Said::At(path_text(path))).is_err() {
            tracing::debug!("nobody listens");
        }
    }

    fn partial(&mut self, path: &Path) {
        let _ = self.say(&Said::Partial(path.to_owned()));
    }
}

/// The child's whole life.
pub(crate) fn serve() -> anyhow::Result<u8> {
    let mut sent = zeroize::Zeroizing::new(Vec::new());
    io::stdin().lock().take(MOST_ERRAND_BYTES).read_to_end(&mut sent)?;
    let sent: Sent = assay_bundle::json::from_slice(&sent).context("this is for the program itself only")?;
    let said = match perform(&sent) {
        Ok(made) => Said::Done(Box::new(made)),
        Err(error) => {
            let (what, next) = trouble::parts(&error);
            Said::Failed(what, next)
        }
    };
    Voice.say(&said)?;
    Ok(0)
}

fn perform(sent: &Sent) -> anyhow::Result<Made> {
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&sent.lock);
    let lock = lock.with_context(|| format!("cannot open {}", sent.lock.display()))?;
    if let Err(error) = lock.try_lock() {
        return Err(error).or_advise(
            "another recovery copy is made at this moment, or hangs on a disk",
            "wait for it, or name another place with -o FILE; after a hang, restart the machine",
        );
    }
    let errand = &sent.errand;
    let Some(target) = &errand.target else { return create::make(errand, &mut Voice) };
    let own_folder = errand.keep.and_then(|keep| Some((target.parent()?, keep)));
    if let Some((folder, _)) = own_folder {
        output::private_folder(folder)?;
        shelf::sweep(folder);
    }
    let mut made = create::make(errand, &mut Voice)?;
    shelf::keep_receipt(target, &made.receipt)?;
    if let Some((folder, keep)) = own_folder {
        made.removed = shelf::prune(folder, keep, &errand.lost, Some(target))?;
    }
    Ok(made)
}
