//! Uninterruptible power supplies, as the NAS's own UPS service (NUT) reports them.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::Seconds;

/// One UPS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ups {
    /// Name that the service gives it, such as `qnapups`.
    pub name: String,
    /// Maker (`ups.mfr`, else `device.mfr`).
    pub maker: Observed<String>,
    /// Model (`ups.model`, else `device.model`).
    pub model: Observed<String>,
    /// Serial number (`ups.serial`, else `device.serial`).
    pub serial: Observed<String>,
    /// The tokens of `ups.status`: `OL` on line, `OB` on battery, `LB` low battery, `RB` replace battery, `CHRG`,
    /// `DISCHRG`, `BYPASS`, `CAL`, `OFF`, `OVER`, `TRIM`, `BOOST`, `FSD`, `ALARM`.
    pub status: Observed<Vec<String>>,
    /// What it alarms about (`ups.alarm`).
    pub alarm: Observed<String>,
    /// Charge in hundredths of a percent (`battery.charge`), 0 to 10000.
    pub charge_hundredths_percent: Observed<u16>,
    /// Charge at which it calls the battery low (`battery.charge.low`), in hundredths of a percent.
    pub charge_low_hundredths_percent: Observed<u16>,
    /// Time that the battery lasts at this load (`battery.runtime`).
    pub runtime_s: Observed<Seconds>,
    /// Load in hundredths of a percent (`ups.load`); an overload is over 10000.
    pub load_hundredths_percent: Observed<u32>,
    /// Day the battery was put in or made, as the UPS writes it (`battery.date`, else `battery.mfr.date`).
    pub battery_date: Observed<String>,
    /// Outcome of the last self-test in the UPS's words (`ups.test.result`).
    pub test_result: Observed<String>,
    /// Input voltage in millivolts (`input.voltage`).
    pub input_mv: Observed<u32>,
}
