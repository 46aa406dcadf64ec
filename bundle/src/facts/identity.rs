//! Who the machine says it is: serial, model, firmware, boards.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// The operating system family, because QTS and QuTS hero store and print differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// QNAP QTS (md and LVM).
    Qts,
    /// QNAP QuTS hero (ZFS).
    QutsHero,
    /// Any other Linux.
    Linux,
}

/// Identity readings; each may come from another source, named in its place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// QTS, QuTS hero or plain Linux.
    pub platform: Observed<Platform>,
    /// Maker of the machine (DMI `sys_vendor`; "QNAP" on QTS).
    pub vendor: Observed<String>,
    /// Marketing model, such as `TS-453D` (QTS `DISPLAY_NAME`, DMI `product_name`, device-tree `model`).
    pub model: Observed<String>,
    /// QTS internal model, such as `TS-X53D`: one internal model covers several products.
    pub internal_model: Observed<String>,
    /// Serial number of the unit (QTS `get_hwsn`, DMI `product_serial`, device-tree `serial-number`).
    pub serial: Observed<String>,
    /// Serial number of the mainboard (DMI `board_serial`).
    pub board_serial: Observed<String>,
    /// Mainboard name or part number (DMI `board_name`).
    pub board: Observed<String>,
    /// BIOS version (DMI `bios_version`).
    pub bios_version: Observed<String>,
    /// BIOS date as printed (DMI `bios_date`, `MM/DD/YYYY`).
    pub bios_date: Observed<String>,
    /// Operating system's name and version (os-release `PRETTY_NAME`; QTS version, number and build).
    pub firmware: Observed<String>,
    /// Running kernel, such as `5.10.60-qnap` (`/proc/sys/kernel/osrelease`).
    pub kernel: Observed<String>,
    /// Processor architecture as the kernel names it, such as `x86_64`, `aarch64`, `armv7l`.
    pub architecture: Observed<String>,
    /// Hostname (`/proc/sys/kernel/hostname`); replaced by a pseudonym before it leaves.
    pub hostname: Observed<String>,
}
