//! Where requests are kept: one small file each on the data volume, replaced whole; in RAM where there is none.
//!
//! Who changes a request holds its lock (in RAM, so that a hanging volume never keeps one); a second answer at the same
//! time is refused in words. A file that cannot be read is not skipped: it is named, because a request that vanished
//! could be replayed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use assay_bundle::consent::{BackupAnswer, ConfidentialAnswer, Dated};
use assay_bundle::receipt::SignedReceipt;
use assay_bundle::recovery::CopyReceipt;
use assay_bundle::statement::{Signed, is_id, read};
use assay_bundle::support_request::SupportRequest;
use serde::{Deserialize, Serialize};

use super::state::Handling;
use crate::context::Context;
use crate::daemon::board;
use crate::output;
use crate::trouble::{NextStep, refuse};

/// When somebody waited last, in seconds since boot.
const WAITED: &str = "waited";
/// So long after it the portal is asked as if they still waited (design section 6: an hour).
const WAITED_S: u64 = 3600;

/// When somebody waited for a request at this device, in seconds since boot; none when that is over an hour ago.
pub(crate) fn waited_boot_s(ram: &Path) -> Option<u64> {
    let at: u64 = fs::read_to_string(ram.join(WAITED)).ok()?.trim().parse().ok()?;
    (board::boot_s().checked_sub(at)? < WAITED_S).then_some(at)
}

/// How it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Via {
    /// The portal's answer to a poll.
    Poll,
    /// A file that somebody brought.
    File,
}

/// Both answers to the questions of the service terms, dated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answers {
    /// Is there a backup?
    pub(crate) backup: Dated<BackupAnswer>,
    /// Is confidential information out of reach?
    pub(crate) confidential: Dated<ConfidentialAnswer>,
}

/// One request with everything that became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The request as it was signed.
    pub(crate) request: Signed,
    /// When it came, by this device's clock, seconds since 1970.
    pub(crate) received_unix_s: i64,
    /// How it came.
    pub(crate) via: Via,
    /// How far it is.
    pub(crate) handling: Handling,
    /// The whole receipt of the recovery copy, for the manifest.
    #[serde(default)]
    pub(crate) copy_receipt: Option<CopyReceipt>,
    /// Why there is no copy, in the words that the owner was shown; with a waiver only.
    #[serde(default)]
    pub(crate) why_no_copy: Option<String>,
    /// The owner's answers.
    #[serde(default)]
    pub(crate) answers: Option<Answers>,
    /// The consent as it was signed.
    #[serde(default)]
    pub(crate) consent: Option<Signed>,
    /// The portal's receipt as it was signed.
    #[serde(default)]
    pub(crate) receipt: Option<SignedReceipt>,
    /// A denial that the portal has not heard of yet.
    #[serde(default)]
    pub(crate) denial_untold: bool,
}

impl Record {
    /// What is asked. It was verified when it came.
    pub(crate) fn asked(&self) -> anyhow::Result<SupportRequest> {
        read(&self.request.document).or_advise(
            "a kept request cannot be read any more",
            "ask your support engineer for a new one; nothing of this one leaves",
        )
    }
}

/// The folder of requests.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    locks: PathBuf,
    /// Whether it ends with the boot.
    pub(crate) in_ram: bool,
}

/// While this lives, nobody else changes the request.
#[derive(Debug)]
pub(crate) struct Held {
    _file: File,
}

impl Store {
    /// The requests of this device.
    pub(crate) fn of(context: &Context) -> Self {
        let runtime = &context.paths.runtime_dir;
        match &context.paths.memory_dir {
            Some(memory) => Self::at(memory.with_file_name("support"), runtime, false),
            None => Self::at(runtime.join("support"), runtime, true),
        }
    }

    /// Requests in a folder, with locks in another.
    pub(super) fn at(dir: PathBuf, runtime: &Path, in_ram: bool) -> Self {
        let name = assay_bundle::digest::sha256_hex(dir.as_os_str().as_encoded_bytes());
        let locks = runtime.join(format!("support-{}", name.get(..16).unwrap_or(&name)));
        Self { dir, locks, in_ram }
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where what dies with the boot is kept: what the portal said last, and who waits.
    pub(crate) fn ram(&self) -> &Path {
        &self.locks
    }

    /// Brings a document from RAM to where the requests are, when it is not there word for word.
    pub(crate) fn keep_from_ram(&self, name: &str) -> anyhow::Result<()> {
        let Ok(bytes) = fs::read(self.locks.join(name)) else { return Ok(()) };
        let path = self.dir.join(name);
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        output::replace_private(&path, &bytes)
    }

    /// Notes that somebody waits for a request at this device now.
    pub(crate) fn note_wait(&self) -> anyhow::Result<()> {
        output::replace_private(&self.locks.join(WAITED), board::boot_s().to_string().as_bytes())
    }

    /// All requests, oldest first.
    pub(crate) fn all(&self) -> anyhow::Result<Vec<(String, Record)>> {
        let names = match fs::read_dir(&self.dir) {
            Ok(names) => names,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error)
                    .or_advise(format!("cannot list {}", self.dir.display()), "run as administrator (root)");
            }
        };
        let ids = names.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.strip_prefix("r-")?.strip_suffix(".json").filter(|id| is_id(id)).map(str::to_owned)
        });
        let mut all = ids.map(|id| Ok((id.clone(), self.load(&id)?))).collect::<anyhow::Result<Vec<_>>>()?;
        all.sort_by(|(a, x), (b, y)| (x.received_unix_s, a).cmp(&(y.received_unix_s, b)));
        Ok(all)
    }

    /// One request.
    pub(crate) fn load(&self, id: &str) -> anyhow::Result<Record> {
        let unknown = || {
            refuse(
                format!("there is no support request {id:?} on this NAS"),
                "`assay support list` names those that are there; `assay support wait` asks the portal",
            )
        };
        if !is_id(id) {
            return Err(unknown());
        }
        let path = self.path(id);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(unknown()),
            Err(error) => {
                return Err(error)
                    .or_advise(format!("cannot read {}", path.display()), "run as administrator (root)");
            }
        };
        assay_bundle::json::from_slice(&bytes).or_advise(
            format!("{} is damaged", path.display()),
            "`assay support deny` cannot undo it: remove the file and ask for a new request",
        )
    }

    /// Keeps a request.
    pub(crate) fn save(&self, id: &str, record: &Record) -> anyhow::Result<()> {
        output::replace_private(&self.path(id), &serde_json::to_vec_pretty(record)?)
    }

    /// Keeps a request that is new; `false` when another call was first, whose record stays.
    pub(crate) fn create(&self, id: &str, record: &Record) -> anyhow::Result<bool> {
        output::create_private(&self.path(id), &serde_json::to_vec_pretty(record)?)
    }

    /// Forgets a request.
    pub(crate) fn remove(&self, id: &str) -> anyhow::Result<()> {
        let path = self.path(id);
        fs::remove_file(&path).or_advise(format!("cannot remove {}", path.display()), "remove it by hand")
    }

    /// Takes the right to change a request.
    pub(crate) fn hold(&self, id: &str) -> anyhow::Result<Held> {
        output::private_folder(&self.locks)?;
        let path = self.locks.join(format!("{id}.lock"));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .or_advise(format!("cannot open {}", path.display()), "run as administrator (root)")?;
        match file.try_lock() {
            Ok(()) => Ok(Held { _file: file }),
            Err(TryLockError::WouldBlock) => Err(refuse(
                format!("the request {id} is being answered by another call at this moment"),
                "let it end, then `assay support show ID`",
            )),
            Err(TryLockError::Error(error)) => {
                Err(error).or_advise(format!("cannot lock {}", path.display()), "call again")
            }
        }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("r-{id}.json"))
    }
}
