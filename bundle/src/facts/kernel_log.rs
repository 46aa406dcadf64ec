//! What the kernel reported about hardware, classified by signature. The lines themselves stay in `raw/`.

use serde::{Deserialize, Serialize};

/// A kernel log that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KernelLog {
    /// Records read.
    pub records: u64,
    /// Time since boot of the first record read, in microseconds: earlier ones were overwritten or never here.
    pub first_us: Option<u64>,
    /// Time since boot of the last record read, in microseconds.
    pub last_us: Option<u64>,
    /// Records that the reader lost because the kernel overwrote them, or the text was cut at the limit.
    pub lost: bool,
    /// Events that a signature matched, in order, at most [`KernelLog::MOST_EVENTS`].
    pub events: Vec<KernelEvent>,
    /// Events beyond that number.
    pub events_left_out: u64,
}

impl KernelLog {
    /// How many events are kept: enough for every rate rule, small enough for a NAS.
    pub const MOST_EVENTS: usize = 2_000;
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelEvent {
    /// Signature's name, an open string such as `ata-uncorrectable`, `medium-error`, `nvme-timeout`.
    pub signature: String,
    /// Device, port, array or processor that the line names, such as `sda`, `ata3`, `md1`, `nvme0`, `cpu1`.
    pub subject: Option<String>,
    /// Time since boot in microseconds, where the line has one.
    pub at_us: Option<u64>,
    /// Line's number in the raw text, from 1.
    pub line: u64,
    /// How many times the very same event repeated in a row.
    pub repeats: u64,
}
