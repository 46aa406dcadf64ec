//! Sensors of the Linux hwmon interface (`/sys/class/hwmon`), and what stands for them on QTS.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::{Celsius, Millivolts, Rpm};

/// One fan input. An input is not yet a fan: an unpopulated header reads 0 RPM as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fan {
    /// Chip and input: `it87/fan2`, or `system fan 1` where QTS numbers them.
    pub name: String,
    /// Maker's label (`fanN_label`).
    pub label: Observed<String>,
    /// Speed (`fanN_input`).
    pub speed_rpm: Observed<Rpm>,
    /// Speed below which the chip alarms (`fanN_min`).
    pub minimum_rpm: Observed<Rpm>,
    /// The chip says that the fan has failed (`fanN_fault`), or QTS does (`fan_fail`).
    pub fault: Observed<bool>,
    /// The chip alarms (`fanN_alarm`).
    pub alarm: Observed<bool>,
    /// Drive level 0 to 255 (`pwmN`); at 0 a fan is meant to stand still.
    pub pwm: Observed<u8>,
    /// Whether the model's own configuration says that this fan exists.
    pub expected: Observed<bool>,
}

/// One temperature input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemperatureSensor {
    /// Chip and input: `coretemp/temp1`.
    pub name: String,
    /// Maker's label (`tempN_label`).
    pub label: Observed<String>,
    /// Temperature (`tempN_input`, millidegrees there).
    pub temperature_c: Observed<Celsius>,
    /// Upper limit (`tempN_max`).
    pub maximum_c: Observed<Celsius>,
    /// Critical limit (`tempN_crit`).
    pub critical_c: Observed<Celsius>,
    /// The sensor says that it is broken (`tempN_fault`).
    pub fault: Observed<bool>,
}

/// One voltage input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VoltageSensor {
    /// Chip and input: `nct6775/in0`.
    pub name: String,
    /// Maker's label (`inN_label`).
    pub label: Observed<String>,
    /// Voltage (`inN_input`).
    pub voltage_mv: Observed<Millivolts>,
    /// Lower limit (`inN_min`); default limits of Super-I/O chips are meaningless on most boards.
    pub minimum_mv: Observed<Millivolts>,
    /// Upper limit (`inN_max`).
    pub maximum_mv: Observed<Millivolts>,
}
