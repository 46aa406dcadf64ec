//! What the run cost the machine: the proof of harmlessness.
//!
//! Everything here is measured by the run itself, up to the moment before it is sealed; nothing is a promise.

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
    /// Class of I/O in which the kernel had our own process, in the words of `ionice(1)`: `idle` takes only what others
    /// leave over; `none` follows the niceness. What the process starts inherits it.
    pub io_class: Option<String>,
    /// Child processes started.
    pub processes_started: u64,
    /// Children abandoned in this run because they could not be killed.
    pub readers_abandoned: u64,
    /// Disks that the run found asleep.
    pub disks_asleep: u64,
    /// Of these, disks that were not left asleep: the kernel completed a request of anybody for them between the
    /// beginning and the end of the run, or they answered at its end that they spin. Who woke them cannot be told, so
    /// what another program did in that time counts too. Measured on a live machine only.
    pub disks_woken: u64,
    /// Of these, disks for which neither could be read.
    pub disks_unchecked: u64,
}
