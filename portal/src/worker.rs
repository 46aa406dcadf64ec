//! `assay-portal ingest-worker`: the process that opens payloads. It alone reads the decryption identity.
//!
//! One job on stdin, one answer on stdout, then it ends. Before it looks at a byte of the bundle it gives up the right
//! to write files, to take more than half a GiB and to compute for longer than its time; it unpacks nothing to a file
//! system. A bundle that makes it crash costs this process and nothing else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_bundle::archive::{ArchiveError, EntryDigest, Limits, Visitor, read_envelope};
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ingest::reading::Reading;
use crate::refusal::chain;

mod again;
mod pasted;

pub use pasted::Judgement;

/// Memory: a window of 8 MiB, the kept raw files and their parsed form, with room.
const MOST_MEMORY_BYTES: u64 = 512 << 20;
/// Processor seconds; the portal's own deadline is the wall.
const MOST_CPU_S: u64 = 110;
/// Open files: the bundle, the identity, the three standard ones and the runtime's.
const MOST_FILES: u64 = 32;
/// Largest file of a bundle that is kept to be read again; a larger one is digested and listed.
const KEPT_FILE_BYTES: u64 = 64 << 20;
/// Most bytes kept of a bundle in all.
const KEPT_BYTES: u64 = 128 << 20;
/// Most of one file that a page shows.
pub const SHOWN_BYTES: usize = 2 << 20;
/// Longest job: a pasted report of [`MOST_PASTED_BYTES`] whose every byte JSON escapes as `\u0000`.
const MOST_JOB_BYTES: u64 = (MOST_PASTED_BYTES as u64) * 6 + (64 << 10);
/// Longest report that is judged; the support log of a large unit is a third of it.
pub const MOST_PASTED_BYTES: usize = 16 << 20;

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Read a bundle again.
    Read {
        /// The file as received.
        bundle: PathBuf,
        /// Decryption identity.
        identity: PathBuf,
        /// When it was received, seconds since 1970: the day that the entitlement is for.
        received_at: i64,
    },
    /// Take one file out of it.
    Extract {
        /// The file as received.
        bundle: PathBuf,
        /// Decryption identity.
        identity: PathBuf,
        /// Name inside the payload.
        name: String,
    },
    /// Judge outputs that somebody pasted. No bundle and no identity is touched.
    Judge {
        /// The outputs.
        text: String,
    },
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was read.
    Reading(Box<Reading>),
    /// The file.
    Extracted(Extracted),
    /// What pasted outputs say.
    Judged(Box<Judgement>),
    /// The bundle is bad.
    Refused {
        /// Why, with the next step.
        reason: String,
    },
    /// We cannot work; it is not the bundle's fault.
    Trouble {
        /// Why.
        why: String,
    },
}

/// One file of a bundle.
#[derive(Debug, Serialize, Deserialize)]
pub struct Extracted {
    /// Its first [`SHOWN_BYTES`], base64.
    pub base64: String,
    /// Its whole size.
    pub size_bytes: u64,
}

/// What ends a job early.
enum Stop {
    Refused(String),
    Trouble(String),
}

impl From<ArchiveError> for Stop {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Io(_) => Self::Trouble(chain(&error)),
            // The identity is ours, and the manifest names us: what it cannot open was not encrypted to it.
            _ => Self::Refused(chain(&error)),
        }
    }
}

/// Runs the worker.
pub fn main() -> ExitCode {
    let answer = match confine().and_then(|()| job()).and_then(work) {
        Ok(answer) => answer,
        Err(Stop::Refused(reason)) => Answer::Refused { reason },
        Err(Stop::Trouble(why)) => Answer::Trouble { why },
    };
    let written = serde_json::to_writer(io::stdout().lock(), &answer).map_err(io::Error::from);
    match written.and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn confine() -> Result<(), Stop> {
    let trouble = |error| Stop::Trouble(format!("the worker cannot confine itself: {error}"));
    // Nobody would take the answer of a worker whose portal was killed.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(trouble)?;
    for (resource, most) in [
        (Resource::As, MOST_MEMORY_BYTES),
        (Resource::Cpu, MOST_CPU_S),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nofile, MOST_FILES),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).map_err(trouble)?;
    }
    Ok(())
}

fn job() -> Result<Job, Stop> {
    let mut text = String::new();
    let read = io::stdin().lock().take(MOST_JOB_BYTES).read_to_string(&mut text);
    read.map_err(|error| Stop::Trouble(format!("the worker got no job: {error}")))?;
    serde_json::from_str(&text)
        .map_err(|error| Stop::Trouble(format!("the worker does not know this job: {error}")))
}

fn work(job: Job) -> Result<Answer, Stop> {
    match job {
        Job::Judge { text } => Ok(Answer::Judged(Box::new(pasted::judge(text)))),
        Job::Read { bundle, identity, received_at } => {
            let mut kept = Kept::new(Wanted::ToReadAgain);
            let (parser_set, entries) = open(&bundle, &identity, &mut kept)?;
            again::read(kept, entries, parser_set, received_at)
                .map(|reading| Answer::Reading(Box::new(reading)))
        }
        Job::Extract { bundle, identity, name } => {
            let mut kept = Kept::new(Wanted::One(name.clone()));
            let (_, entries) = open(&bundle, &identity, &mut kept)?;
            let bytes = kept.files.remove(&name).ok_or_else(|| {
                Stop::Refused(
                    "there is no such file in the bundle, or it is too large to be shown".to_owned(),
                )
            })?;
            let size_bytes =
                entries.iter().find(|entry| entry.name == name).map_or(0, |entry| entry.size_bytes);
            let shown = bytes.get(..SHOWN_BYTES).unwrap_or(&bytes);
            Ok(Answer::Extracted(Extracted { base64: data_encoding::BASE64.encode(shown), size_bytes }))
        }
    }
}

/// Opens a bundle and keeps what is wanted. Answers the parser set that its manifest names, and its entries.
fn open(bundle: &Path, identity: &Path, kept: &mut Kept) -> Result<(u32, Vec<EntryDigest>), Stop> {
    let identity = read_identity(identity)?;
    let trouble = |error: io::Error| Stop::Trouble(format!("the bundle cannot be opened: {error}"));
    let mut file = BufReader::new(File::open(bundle).map_err(trouble)?);
    let limits = Limits::default();
    let envelope = read_envelope(&mut file, &limits)?;
    let entries = envelope.walk_payload(&mut file, Some(&identity), &limits, kept)?;
    Ok((envelope.manifest.parser_set, entries))
}

fn read_identity(path: &Path) -> Result<Zeroizing<String>, Stop> {
    let trouble =
        |error: io::Error| Stop::Trouble(format!("the identity {} cannot be read: {error}", path.display()));
    let mut file = File::open(path).map_err(trouble)?;
    let mode = file.metadata().map_err(trouble)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Stop::Trouble(format!(
            "the identity {} may be read by others (mode {:o}): chmod 600 it, and replace it if others had access",
            path.display(),
            mode & 0o777
        )));
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(trouble)?;
    Ok(text)
}

enum Wanted {
    ToReadAgain,
    One(String),
}

/// Keeps files in memory, within limits.
struct Kept {
    wanted: Wanted,
    files: BTreeMap<String, Vec<u8>>,
    bytes: u64,
    left_out: Vec<String>,
}

impl Kept {
    fn new(wanted: Wanted) -> Self {
        Self { wanted, files: BTreeMap::new(), bytes: 0, left_out: Vec::new() }
    }
}

impl Visitor for Kept {
    fn wants(&mut self, name: &str, size_bytes: u64) -> bool {
        if let Wanted::One(wanted) = &self.wanted
            && wanted != name
        {
            return false;
        }
        if size_bytes > KEPT_FILE_BYTES || self.bytes.saturating_add(size_bytes) > KEPT_BYTES {
            self.left_out.push(name.to_owned());
            return false;
        }
        self.bytes += size_bytes;
        true
    }

    fn entry(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.insert(name.to_owned(), bytes);
    }
}
