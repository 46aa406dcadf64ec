//! What memory kept over a restart: the kernel's last words before it went down.
//!
//! Memory survives a warm restart and not a loss of power. A dump of the boot before therefore says that power stayed;
//! where earlier restarts left dumps, none after an unclean stop says that it went.

use serde::{Deserialize, Serialize};

use super::kernel_log::KernelEvent;

/// One dump.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dump {
    /// Name, such as `console-ramoops-0`, `dmesg-efi-1`, or of QTS's copies `pstore_1`.
    pub name: String,
    /// Where it stands below `raw/`.
    pub from: String,
    /// Whether it is one of the copies that QTS makes at every warm restart, which say nothing of which restart.
    pub copy: bool,
    /// Lines read.
    pub lines: u64,
    /// Whether its beginning was left out.
    pub cut: bool,
    /// Time since boot of its last line, in microseconds.
    pub last_us: Option<u64>,
    /// Whether its last lines are those of a shutdown or restart.
    pub clean_end: bool,
    /// Events that a signature matched, at most [`Dump::MOST_EVENTS`].
    pub events: Vec<KernelEvent>,
}

impl Dump {
    /// How many events are kept of one dump.
    pub const MOST_EVENTS: usize = 200;
}
