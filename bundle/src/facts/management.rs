//! What QTS's own management pages say, asked through an administrator's session or pasted by a person.

use serde::{Deserialize, Serialize};

use super::hwmon::{Fan, TemperatureSensor};
use super::limits::TemperatureLimit;
use super::power::PowerUnit;
use crate::observed::Observed;
use crate::units::{Celsius, MegabitsPerSecond};

/// The pages that answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ManagementReport {
    /// System information (`subfunc=sysinfo`).
    pub system: Observed<SystemPage>,
    /// QTS's word for the whole (`sysHealth`), such as `good`.
    pub health: Observed<String>,
    /// QTS's verdict on each bay (`qsmart.cgi`).
    pub bays: Observed<Vec<BayHealth>>,
}

/// System information.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SystemPage {
    /// When it was answered, in seconds since 1970 by the device's clock; a page may be older than the run.
    pub answered_unix_s: Observed<i64>,
    /// Name on the case (`displayModelName`).
    pub model: Observed<String>,
    /// Name of the family (`internalModelName`).
    pub internal_model: Observed<String>,
    /// Whether it is QuTS hero (`is_zfs`).
    pub hero: Observed<bool>,
    /// Firmware version such as `4.5.2`.
    pub firmware: Observed<String>,
    /// Four-digit number of the firmware; older releases have none.
    pub firmware_number: Observed<String>,
    /// Build day of the firmware, `yyyymmdd`.
    pub firmware_build: Observed<String>,
    /// Serial number; models without stored product data show `--` or `Q---`, which is Absent.
    pub serial: Observed<String>,
    /// BIOS version.
    pub bios_version: Observed<String>,
    /// Processor.
    pub cpu_model: Observed<String>,
    /// Memory slots, empty ones too.
    pub memory_slots: Observed<Vec<MemorySlot>>,
    /// Network ports.
    pub network_ports: Observed<Vec<NetworkPort>>,
    /// Fans.
    pub fans: Observed<Vec<Fan>>,
    /// Temperatures of processor and case.
    pub temperatures: Observed<Vec<TemperatureSensor>>,
    /// Temperature limits.
    pub limits: Observed<Vec<TemperatureLimit>>,
    /// Power units, where the model has more than one.
    pub power_units: Observed<Vec<PowerUnit>>,
}

/// One memory slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemorySlot {
    /// Number of the slot, from 1.
    pub slot: Observed<u32>,
    /// Memory channel, such as `A`.
    pub channel: Observed<String>,
    /// Whether a module is in it.
    pub filled: Observed<bool>,
    /// Size of the module in MiB.
    pub size_mib: Observed<u64>,
    /// Maker of the module.
    pub manufacturer: Observed<String>,
}

/// One network port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkPort {
    /// Kernel name, or `port 1` where the page has none.
    pub name: String,
    /// Hardware address, as written there.
    pub mac: Observed<String>,
    /// Whether there is a link.
    pub link: Observed<bool>,
    /// Highest speed of the port.
    pub maximum_mbit_s: Observed<MegabitsPerSecond>,
    /// Packets received.
    pub rx_packets: Observed<u64>,
    /// Packets sent.
    pub tx_packets: Observed<u64>,
    /// Packets with errors.
    pub error_packets: Observed<u64>,
}

/// QTS's verdict on one bay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BayHealth {
    /// `0:1` is enclosure 0, bay 1; old firmware writes `1`.
    pub bay: String,
    /// Whether a drive is in it. An empty bay is called `Abnormal` by old firmware, which is no verdict.
    pub filled: Observed<bool>,
    /// QTS's verdict in its words: `OK`, `Warning`, `Abnormal`.
    pub health: Observed<String>,
    /// Model.
    pub model: Observed<String>,
    /// Serial number.
    pub serial: Observed<String>,
    /// Firmware of the drive.
    pub firmware: Observed<String>,
    /// Temperature; a sleeping drive shows 0, which is no reading.
    pub temperature_c: Observed<Celsius>,
    /// Outcome of the last self-test in QTS's words.
    pub last_self_test: Observed<String>,
    /// Whether it has no platters.
    pub solid_state: Observed<bool>,
}
