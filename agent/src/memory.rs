//! Writing down what a run leaves for the next ones: the flight recorder and the inventory memory, on the data volume.
//!
//! What is written is computed by the collector ([`assay_collector::remember`]); here is only where, when and how. A
//! data volume can hang, and this process must not: the writing is done by a child of its own ([`serve`]), which has
//! [`DEADLINE`] to do it and is left behind when it does not. One child writes at a time: it holds a lock in the
//! runtime folder, which is RAM, so a child that hangs keeps every later one from hanging too.
//!
//! The recorder is appended to in one write, flushed to the disk; a torn end from a power loss is closed with a line
//! end first. The inventory is replaced whole, and only when it still is what this run read. A volume that is missing,
//! read-only or full costs the record and nothing else: the run goes on and says so in its steps. `assay check` leaves
//! no trace on a machine that has no memory yet; `assay collect` begins one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use assay_bundle::digest::sha256_hex;
use assay_bundle::steps::{Step, StepStatus};
use assay_collector::remember::{ToRemember, to_remember};
use assay_collector::{Collection, inventory_memory, ring};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

use crate::output;

/// How long the child may take. A disk that spins up answers within it; one that hangs does not.
const DEADLINE: Duration = Duration::from_secs(10);
/// Most bytes of an errand: both forms of a record and an inventory.
const MOST_ERRAND_BYTES: u64 = 4 * 1024 * 1024;
/// Word that makes this program call [`serve`].
pub(crate) const CHILD: &str = "__remember";
/// The step that tells what became of it.
const STEP: &str = "history";

/// Where the memory is, and whether this run may begin one.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    /// Folder on the data volume.
    pub(crate) folder: PathBuf,
    /// Folder in RAM for the lock.
    pub(crate) runtime_dir: PathBuf,
    /// Whether a memory is begun when there is none.
    pub(crate) begins: bool,
}

/// What the child is sent to do.
#[derive(Debug, Serialize, Deserialize)]
struct Errand {
    folder: PathBuf,
    lock: PathBuf,
    begins: bool,
    what: ToRemember,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Done {
    written_bytes: u64,
    /// Why something was not written.
    why_not: Option<String>,
}

impl Memory {
    /// Writes down what `collection` leaves, and puts into it what that cost and why it failed.
    pub(crate) async fn keep(&self, collection: &mut Collection) {
        let what = match to_remember(collection, env!("CARGO_PKG_VERSION")) {
            Ok(what) if what.is_empty() => return,
            Ok(what) => what,
            // The step of what could not be read says so already.
            Err(why) => return tracing::info!(why, "nothing is remembered of this run"),
        };
        let is_there = [ring::NEWER, ring::OLDER, inventory_memory::FILE]
            .iter()
            .any(|name| collection.raw.contains_key(&format!("state/{name}")));
        if !is_there && !self.begins {
            return tracing::info!("nothing is remembered before the first `assay collect`");
        }
        let done = match self.send(what).await {
            Ok(done) => done,
            Err(error) => Done { written_bytes: 0, why_not: Some(format!("{error:#}")) },
        };
        let cost = &mut collection.cost;
        cost.processes_started = cost.processes_started.saturating_add(1);
        if let Some(written) = &mut cost.written_bytes {
            written.0 = written.0.saturating_add(done.written_bytes);
        }
        if let Some(why) = done.why_not {
            let why = format!("this run is not remembered: {why}");
            tracing::info!("{why}");
            if let Some(step) = collection.steps.iter_mut().find(|step| step.probe == STEP) {
                note(step, why);
            }
        }
    }

    /// Sends the child, and waits for it no longer than it has.
    async fn send(&self, what: ToRemember) -> anyhow::Result<Done> {
        let program = std::env::current_exe().context("the program cannot find its own file")?;
        let mut writer = tokio::process::Command::new(program);
        writer.arg(CHILD);
        let lock = lock_path(&self.runtime_dir, &self.folder);
        output::private_folder(&self.runtime_dir)?;
        let errand = Errand { folder: self.folder.clone(), lock, begins: self.begins, what };
        hand_over(writer, &serde_json::to_vec(&errand)?, DEADLINE).await
    }
}

/// Starts a writer, hands it its errand, and gives it up at the deadline: a child that cannot be killed stays behind,
/// with the lock.
async fn hand_over(
    mut writer: tokio::process::Command,
    errand: &[u8],
    deadline: Duration,
) -> anyhow::Result<Done> {
    writer.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = writer.spawn().context("the writer does not start")?;
    let talk = async {
        let mut stdin = child.stdin.take().context("the writer has no pipe")?;
        stdin.write_all(errand).await.context("the writer broke off")?;
        drop(stdin);
        let answer = child.wait_with_output().await.context("the writer broke off")?;
        assay_bundle::json::from_slice(&answer.stdout).context("the writer broke off")
    };
    match tokio::time::timeout(deadline, talk).await {
        Ok(done) => done,
        Err(_) => anyhow::bail!("the data volume took nothing within {} s", deadline.as_secs()),
    }
}

fn note(step: &mut Step, why: String) {
    step.errors.push(why);
    if matches!(step.status, StepStatus::Complete | StepStatus::NothingHere) {
        step.status = StepStatus::Partial;
    }
}

/// Bytes of what is remembered in a folder; `None` when nothing is.
pub(crate) fn size_bytes(folder: &Path) -> Option<u64> {
    let sizes = [ring::NEWER, ring::OLDER, inventory_memory::FILE]
        .iter()
        .filter_map(|name| folder.join(name).metadata().map(|meta| meta.len()).ok());
    sizes.reduce(u64::saturating_add)
}

/// One lock for each memory: two state folders on one machine have nothing to do with each other.
fn lock_path(runtime_dir: &Path, folder: &Path) -> PathBuf {
    let name = sha256_hex(folder.as_os_str().as_encoded_bytes());
    runtime_dir.join(format!("memory-{}.lock", name.get(..16).unwrap_or(&name)))
}

/// The child's whole life: reads its errand, does it, says what came of it.
pub(crate) fn serve() -> anyhow::Result<u8> {
    let mut errand = Vec::new();
    io::stdin().lock().take(MOST_ERRAND_BYTES).read_to_end(&mut errand)?;
    let errand: Errand =
        assay_bundle::json::from_slice(&errand).context("this is for the program itself only")?;
    output::print(serde_json::to_vec(&perform(&errand))?)?;
    Ok(0)
}

/// Writes; whatever fails is said, and what was written before it counts.
fn perform(errand: &Errand) -> Done {
    let mut done = Done::default();
    if let Err(error) = write(errand, &mut done.written_bytes) {
        done.why_not = Some(format!("{error:#}"));
    }
    done
}

fn write(errand: &Errand, written_bytes: &mut u64) -> anyhow::Result<()> {
    // Before anything on the data volume is touched.
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&errand.lock);
    let lock = lock.with_context(|| format!("cannot open {}", errand.lock.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            anyhow::bail!("another run writes at this moment, or hangs on the data volume");
        }
        Err(fs::TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", errand.lock.display()));
        }
    }
    if errand.begins {
        output::private_folder(&errand.folder)?;
    }
    let ToRemember { changes, full, inventory, inventory_before } = &errand.what;
    if let (Some(changes), Some(full)) = (changes, full) {
        *written_bytes += append(&errand.folder, changes, full)?;
    }
    if let Some(inventory) = inventory {
        let path = errand.folder.join(inventory_memory::FILE);
        if digest_of(&path)? != *inventory_before {
            anyhow::bail!("another run wrote the inventory while this one read; its version stays");
        }
        sweep(&errand.folder);
        output::replace_private(&path, inventory.as_bytes())?;
        *written_bytes += u64::try_from(inventory.len()).unwrap_or(u64::MAX);
    }
    Ok(())
}

/// Removes what writers that were killed left half done. Nobody else writes while the lock is held.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&format!(".{}.", inventory_memory::FILE)) && name.ends_with(".part") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Digest of the inventory as it stands; `None` when there is none.
fn digest_of(path: &Path) -> anyhow::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut bytes = Vec::new();
    file.take(inventory_memory::MOST_BYTES)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(sha256_hex(&bytes)))
}

/// Appends a record, to a new file when it does not fit into this one.
fn append(folder: &Path, changes: &str, full: &str) -> anyhow::Result<u64> {
    let newer = folder.join(ring::NEWER);
    let cannot = || format!("cannot write {}", newer.display());
    let mut file = open(&newer).with_context(cannot)?;
    let length = file.metadata().with_context(cannot)?.len();
    let torn = length > 0 && last_byte(&mut file).with_context(cannot)? != Some(b'\n');
    let end = if torn { "\n" } else { "" };
    let needed = u64::try_from(end.len() + changes.len()).unwrap_or(u64::MAX);
    if length > 0 && length.saturating_add(needed) <= ring::SEGMENT_BYTES {
        return put(&mut file, length, &format!("{end}{changes}")).with_context(cannot);
    }
    if length > 0 {
        drop(file);
        fs::rename(&newer, folder.join(ring::OLDER)).with_context(cannot)?;
        file = open(&newer).with_context(cannot)?;
    }
    let written = put(&mut file, 0, full).with_context(cannot)?;
    // The names are on the disk before the next run counts on them.
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(cannot)?;
    Ok(written)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

fn last_byte(file: &mut File) -> io::Result<Option<u8>> {
    let mut byte = [0];
    file.seek(SeekFrom::End(-1))?;
    let count = file.read(&mut byte)?;
    Ok(byte.first().copied().filter(|_| count == 1))
}

/// One write at the end of a file of `length` bytes, flushed. What a full disk took of it is taken back.
fn put(file: &mut File, length: u64, text: &str) -> io::Result<u64> {
    let result = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
    if let Err(error) = result {
        // When that fails too, the torn end is skipped by whoever reads it.
        let _ = file.set_len(length);
        return Err(error);
    }
    Ok(u64::try_from(text.len()).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
