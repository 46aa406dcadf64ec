//! What can go wrong with the spool, in words that end with what to do.

use std::io;
use std::path::PathBuf;

use super::SpoolLimits;

/// Why the spool refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// A file operation failed.
    #[error("cannot {doing} {}: see that the data volume is mounted and writable", path.display())]
    Disk {
        /// The operation, a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The volume has no space left. What was half written has been removed.
    #[error(
        "no space left on the volume of {}: the unfinished bundle was removed and the finished ones are untouched; free some space there and try again",
        path.display()
    )]
    DiskFull {
        /// What was being written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The bound of the spool is reached by bundles that the portal has not accepted.
    #[error(
        "the spool {} is full: {bundles} bundles of {bytes} bytes are not yet accepted by the portal{} (the limit is {} bundles and {} bytes), and they are never deleted unasked; send them with `assay upload`, remove one you do not need, or raise the limit in the configuration",
        dir.display(),
        room(*new_bytes),
        limits.bundles,
        limits.bytes
    )]
    Full {
        /// The spool.
        dir: PathBuf,
        /// Bundles that must stay.
        bundles: usize,
        /// Their bytes.
        bytes: u64,
        /// Bytes of the bundle that found no room; 0 when it was not made yet.
        new_bytes: u64,
        /// The bound.
        limits: SpoolLimits,
    },
    /// Another process uploads from this spool.
    #[error("another upload from the spool {} is under way: wait for it to end, or stop it, and try again", dir.display())]
    Busy {
        /// The spool.
        dir: PathBuf,
    },
    /// No entry of that name.
    #[error("no bundle {id:?} in the spool {}: `assay status` lists what is there", dir.display())]
    NoSuchEntry {
        /// What was asked for.
        id: String,
        /// The spool.
        dir: PathBuf,
    },
    /// A slot was committed without a bundle in it: our own bug.
    #[error("nothing was written to {} before it was committed: please report this as a defect of assay", dir.display())]
    NothingWritten {
        /// The slot's folder.
        dir: PathBuf,
    },
    /// The system gave no randomness.
    #[error("the system gave no random bytes for a file name: try again, or restart the NAS")]
    Random,
    /// State that cannot be written as JSON: our own bug.
    #[error("the state of a bundle cannot be written as JSON: please report this as a defect of assay")]
    Encode(#[source] serde_json::Error),
}

fn room(new_bytes: u64) -> String {
    if new_bytes == 0 { String::new() } else { format!(" and the new one needs {new_bytes} bytes") }
}
