//! Readers that never came back. A child in an uninterruptible sleep on a device is evidence about that device.

use serde::{Deserialize, Serialize};

/// One abandoned child that still lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StuckReader {
    /// Process id; identifies the child together with `started_ticks`.
    pub pid: u32,
    /// Start time in clock ticks since boot (field 22 of `/proc/PID/stat`): process ids are reused.
    pub started_ticks: u64,
    /// What it reads: a device node or a path.
    pub target: String,
    /// What it is: the command line or `file reader`.
    pub command: String,
    /// Seconds since 1970 when it was abandoned, by the device's clock.
    pub since_unix_s: i64,
}
