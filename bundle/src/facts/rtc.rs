//! The hardware clock, which a battery keeps running while the power is off.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// The first real-time clock. Whether it is right is for others to judge; it may run in local time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rtc {
    /// Driver's name (`rtc0/name`), such as `rtc_cmos`.
    pub name: Observed<String>,
    /// Its time in seconds since 1970 (`rtc0/since_epoch`). A clock that lost its time cannot be read (EINVAL).
    pub unix_s: Observed<i64>,
    /// How far it is ahead of the system clock, in seconds; both were read within the same run, some seconds apart.
    pub ahead_of_system_s: Observed<i64>,
}
