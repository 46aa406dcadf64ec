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
    /// Messages that the kernel itself kept back (`N callbacks suppressed`): events were more than are listed.
    pub suppressed: u64,
    /// Lines that look like a fault and are known to be none.
    pub benign_lines: u64,
    /// Events that a signature matched, in order, at most [`KernelLog::MOST_EVENTS`].
    pub events: Vec<KernelEvent>,
    /// Events beyond that number.
    pub events_left_out: u64,
}

impl KernelLog {
    /// How many events are kept: enough for every rate rule, small enough for a NAS.
    pub const MOST_EVENTS: usize = 2_000;
}

/// One event. Lines that the kernel prints for one occurrence (an ATA exception, a machine check) are one event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KernelEvent {
    /// Signature's name, an open string such as `ata-uncorrectable`, `medium-error`, `nvme-timeout`. Of an event of
    /// several lines, the one that tells most.
    pub signature: String,
    /// The other signatures of an event of several lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Device, port, array or processor that the line names, such as `sda`, `ata3`, `md1`, `nvme0`, `cpu1`.
    pub subject: Option<String>,
    /// The block device that stands behind the port or the SCSI address of `subject` now. Letters move after a reset
    /// and over reboots, so it is told for this boot's log only, and only where one device stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Details as `name value`: `command READ FPDMA QUEUED`, `error UNC`, `sector 128`, `bank 8`, `module DIMM_A1`. At
    /// most [`KernelEvent::MOST_DETAILS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Time since boot in microseconds, where the line has one.
    pub at_us: Option<u64>,
    /// Number of the event's first line in the raw text, from 1.
    pub line: u64,
    /// Number of its last line; those of other events may stand between. Repeats are not counted in.
    pub last_line: u64,
    /// How many times the very same event repeated in a row.
    pub repeats: u64,
}

impl KernelEvent {
    /// How many details one event keeps.
    pub const MOST_DETAILS: usize = 12;

    /// Whether one of its lines has this signature.
    pub fn says(&self, signature: &str) -> bool {
        self.signature == signature || self.also.iter().any(|also| also == signature)
    }
}
