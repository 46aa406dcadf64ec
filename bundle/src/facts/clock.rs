//! What the machine's clock says. A device's clock is a fact, not a truth: a NAS with a dead RTC battery lies.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::Seconds;

/// Clock readings, taken once at the start of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clock {
    /// Seconds since 1970-01-01T00:00:00Z by the system clock; may be negative on a machine that is far off.
    pub unix_s: Observed<i64>,
    /// Time since boot (`/proc/uptime`).
    pub uptime_s: Observed<Seconds>,
    /// Whether the kernel says that the clock is disciplined (`adjtimex`: not `STA_UNSYNC`).
    pub synchronised: Observed<bool>,
    /// Identifier of this boot (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: Observed<String>,
}
