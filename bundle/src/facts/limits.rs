//! Temperature limits that the NAS itself works with. They differ between models and firmware, so they are read and
//! never assumed; where two sources differ both are listed.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::Celsius;

/// One limit of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemperatureLimit {
    /// What it is a limit of.
    pub of: LimitOf,
    /// What happens there.
    pub kind: LimitKind,
    /// The limit; of a [`LimitKind::Hysteresis`] the difference in degrees.
    pub temperature_c: Observed<Celsius>,
    /// Line of the source, from 1, where the source is a log.
    pub line: Option<u64>,
}

/// What a limit is a limit of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitOf {
    /// The processor.
    Cpu,
    /// The inside of the case.
    System,
    /// Drives of any kind.
    Drive,
    /// Drives with platters.
    HardDisk,
    /// Drives without.
    SolidState,
    /// Power units.
    PowerUnit,
    /// Something that this version does not know.
    #[default]
    #[serde(other)]
    Other,
}

/// What the NAS does at a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// It warns.
    Warning,
    /// It calls it critical.
    Critical,
    /// So many degrees it has to fall before the warning ends.
    Hysteresis,
    /// It shuts down.
    Shutdown,
    /// Something that this version does not know.
    #[default]
    #[serde(other)]
    Other,
}
