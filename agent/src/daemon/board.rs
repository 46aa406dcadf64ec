//! Where the daemon keeps what it remembers, and the one document that `assay status` reads.
//!
//! The daemon itself writes to its folder in RAM only. A child of its own copies that to the data volume when drives are
//! awake, and back after a boot: a data volume that hangs never holds the daemon.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use assay_bundle::digest::sha256_hex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::plan::Past;
use crate::paths::Paths;

/// Most bytes of a document of ours that are read.
const MOST_BYTES: u64 = 1024 * 1024;
/// The board, in RAM and on the data volume.
pub(crate) const BOARD: &str = "daemon.json";
/// What the last check found.
pub(crate) const CHECKED: &str = "checked.json";
/// Lines that wait for the data volume.
pub(crate) const PENDING_LOG: &str = "pending.log";

/// The daemon's folder in RAM; one for each identity, because two state folders on one machine have nothing in common.
pub(crate) fn folder(paths: &Paths) -> PathBuf {
    let name = sha256_hex(paths.identity_dir.as_os_str().as_encoded_bytes());
    paths.runtime_dir.join(format!("daemon-{}", name.get(..16).unwrap_or(&name)))
}

/// What the daemon says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Board {
    /// Its process; 0 once it has stopped.
    pub(crate) pid: u32,
    /// When it began, seconds since 1970.
    pub(crate) begun_unix_s: i64,
    /// The job that runs now.
    pub(crate) running: Option<String>,
    /// Why the last configuration was not taken.
    pub(crate) config_error: Option<String>,
    /// What is remembered of each job.
    pub(crate) past: BTreeMap<String, Past>,
    /// When each job runs next, by the wall clock as it stood; none: when drives are awake.
    pub(crate) next_unix_s: BTreeMap<String, Option<i64>>,
}

impl Board {
    /// The board as the daemon left it last; empty when there is none.
    pub(crate) fn read(folder: &Path) -> Self {
        read(&folder.join(BOARD)).unwrap_or_default()
    }

    /// Jobs that fail again and again.
    pub(crate) fn crash_loops(&self) -> impl Iterator<Item = &String> {
        self.past.iter().filter(|(_, past)| past.in_crash_loop).map(|(name, _)| name)
    }
}

/// A document of ours; nothing when it is not there or damaged: all of them are made again.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// This boot's id, and nothing where the kernel does not say.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Seconds since boot, sleep included.
pub(crate) fn boot_s() -> u64 {
    u64::try_from(rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec).unwrap_or_default()
}
