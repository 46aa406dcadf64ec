//! What the run cost the machine: the proof of harmlessness.

use serde::{Deserialize, Serialize};

use crate::units::{Bytes, Milliseconds};

/// Cost of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Wall time of the collection.
    pub wall_ms: Milliseconds,
    /// Processor time of our own process.
    pub cpu_ms: Milliseconds,
    /// Processor time of the children that ended.
    pub children_cpu_ms: Milliseconds,
    /// Peak resident memory of our own process (`VmHWM`).
    pub peak_memory_bytes: Bytes,
    /// Bytes that our own process wrote to storage up to sealing (`/proc/self/io` `write_bytes`), and what was written
    /// down for the next runs.
    pub written_bytes: Option<Bytes>,
    /// Child processes started.
    pub processes_started: u64,
    /// Children abandoned in this run because they could not be killed.
    pub readers_abandoned: u64,
    /// Sleeping disks woken. Zero by construction: a sleeping disk is asked for its power mode and nothing else.
    pub disks_woken: u64,
}
