//! Volumes as QTS lists them: by command (`getsysinfo vol_…`), where their numbers count from 0, unlike disks and fans;
//! or on a management page that somebody pasted, where they have their own numbers, from 1, and exact sizes.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// What QTS says of a volume. The words are those of its management pages; by command only `Ready` was ever seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeStatus {
    /// `Ready`; 0 and -7 as a number.
    Ready,
    /// -1.
    NotReady,
    /// -4.
    Error,
    /// -5.
    Degraded,
    /// -6.
    NotActive,
    /// Other words, kept as text.
    #[default]
    Other,
}

/// The unit of a size as it is printed. Whether it counts in steps of 1000 or of 1024 is not documented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeUnit {
    /// Bytes, exactly, as management pages write them.
    Byte,
    /// `MB`.
    Mega,
    /// `GB`.
    #[default]
    Giga,
    /// `TB`.
    Tera,
}

/// A size as it is printed: `1014.41 GB`, or `865955594240` on a management page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSize {
    /// The number times 100.
    pub hundredths: u64,
    /// Its unit.
    pub unit: VolumeUnit,
}

/// One volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Volume {
    /// Its number: counted from 0 by command, its own from 1 on a management page.
    pub number: u32,
    /// Description: `[Volume DataVol1, Pool 1]`; the label alone on a management page.
    pub description: Observed<String>,
    /// Type of the file system: `EXT4`. Absent when QTS says `Unknown`.
    pub filesystem: Observed<String>,
    /// State.
    pub status: Observed<VolumeStatus>,
    /// State as printed.
    pub status_text: Observed<String>,
    /// Size.
    pub size: Observed<VolumeSize>,
    /// Free.
    pub free: Observed<VolumeSize>,
}
