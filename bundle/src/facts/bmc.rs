//! A board management controller: sensors of its own and an event log that survives the operating system.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// What the controller says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bmc {
    /// Its sensors.
    pub sensors: Observed<Vec<BmcSensor>>,
    /// The newest entries of its event log, oldest first.
    pub events: Observed<Vec<BmcEvent>>,
}

/// One sensor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BmcSensor {
    /// Name that the board's maker gave it, such as `CPU Temp`.
    pub name: String,
    /// Its state: `ok`, `nc` (non-critical), `cr` (critical), `nr` (non-recoverable), or which limit is crossed
    /// (`lnc`, `lcr`, `lnr`, `unc`, `ucr`, `unr`). Absent for `ns` and `na`: there is no such sensor on this board.
    pub state: Observed<String>,
    /// Its reading. Absent when the controller says `No Reading`.
    pub reading: Observed<BmcReading>,
}

/// A reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BmcReading {
    /// A number in thousandths of its unit.
    Number {
        /// Thousandths of the unit.
        milli: i64,
        /// The unit as the controller writes it: `degrees C`, `RPM`, `Volts`, `Watts`, `Amps`, `percent`.
        unit: String,
    },
    /// A state without a number: `Presence detected`, `0x00`.
    Words(String),
}

/// One entry of the event log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BmcEvent {
    /// Number of the entry, as written there (hexadecimal).
    pub number: String,
    /// Day and time by the controller's own clock, as written there. Absent before the clock was set (`Pre-Init`).
    pub when: Observed<String>,
    /// What kind of sensor it is about, by its words.
    pub kind: BmcEventKind,
    /// Sensor, such as `Power Supply PS1 Status`.
    pub sensor: String,
    /// What happened, such as `Power Supply AC lost`.
    pub event: String,
    /// `Asserted` or `Deasserted`; true when it began.
    pub asserted: Observed<bool>,
    /// Line of the log, from 1.
    pub line: u64,
}

/// Kind of sensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BmcEventKind {
    /// Power supply.
    PowerSupply,
    /// Fan.
    Fan,
    /// Temperature.
    Temperature,
    /// Voltage or current.
    Voltage,
    /// Memory.
    Memory,
    /// Processor.
    Processor,
    /// Drive slot.
    Drive,
    /// Bus of expansion cards.
    Bus,
    /// Anything else.
    #[default]
    #[serde(other)]
    Other,
}
