//! Processor, memory, load and uptime of the host, as the `sysinfo` library reads them.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::Bytes;

/// Host readings. Load averages are in hundredths so that facts hold no floating point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// Processor's brand string.
    pub cpu_brand: Observed<String>,
    /// Logical processors.
    pub cpu_count: Observed<u32>,
    /// Installed memory that the kernel can use.
    pub memory_total_bytes: Observed<Bytes>,
    /// Memory that a new program could get without swapping.
    pub memory_available_bytes: Observed<Bytes>,
    /// Configured swap.
    pub swap_total_bytes: Observed<Bytes>,
    /// Swap in use.
    pub swap_used_bytes: Observed<Bytes>,
    /// One-minute load average times 100.
    pub load_1min_hundredths: Observed<u32>,
    /// Fifteen-minute load average times 100.
    pub load_15min_hundredths: Observed<u32>,
}
