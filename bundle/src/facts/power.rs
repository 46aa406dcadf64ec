//! Power supplies: how many there should be, and what QTS says of each.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::{Celsius, Rpm};

/// The power supply of the unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Power {
    /// Whether the model has power units that stand in for each other (`REDUNDANT_POWER`, `REDUNDANT_POWER_INFO` or
    /// the capability bit `REDUNDANT_PWR`).
    pub redundant: Observed<bool>,
    /// Power units that there should be, 1 or 2: QNAP's hardware layer knows at most two.
    pub expected_units: Observed<u32>,
    /// The power units. Absent means: by its own configuration the model has a single supply, and nothing measures it.
    pub units: Observed<Vec<PowerUnit>>,
}

/// One power unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PowerUnit {
    /// `power unit 1`; counted from 1, as on the chassis.
    pub name: String,
    /// QNAP's own verdict.
    pub status: Observed<PowerStatus>,
    /// Its temperature.
    pub temperature_c: Observed<Celsius>,
    /// Speed of its fan.
    pub fan_rpm: Observed<Rpm>,
    /// Which source said so.
    pub source: PowerSource,
    /// Line of the source, from 1, where the source is a log.
    pub line: Option<u64>,
}

/// Status of a power unit (`PWR_STATUS` of QNAP's hardware layer).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerStatus {
    /// 0: it works.
    Good,
    /// -1: it has failed, or has no input.
    Failed,
    /// -2: it was taken out.
    Removed,
    /// -3: nobody watches it.
    DetectionDisabled,
    /// Something that this version does not know.
    #[default]
    #[serde(other)]
    Other,
}

/// Where a power unit's status was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerSource {
    /// The log of QTS's hardware daemon.
    HardwareLog,
    /// The NAS's own SNMP service.
    Snmp,
    /// QTS's management page, through an administrator's session.
    ManagementPage,
    /// Something that this version does not know.
    #[default]
    #[serde(other)]
    Other,
}
