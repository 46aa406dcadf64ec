//! The device that QTS and QuTS hero start from: a small USB disk on the board (DOM) or an eMMC chip.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::{Bytes, Percent};

/// How the boot device is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BootDeviceKind {
    /// A USB disk on the board.
    Usb,
    /// An eMMC chip.
    Emmc,
    /// A SATA disk on module.
    Sata,
    /// An NVMe drive.
    Nvme,
}

/// The boot device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BootDevice {
    /// Kernel name such as `mmcblk0` or `sdg`: `[BootDisk_0] pd_sys_name` of `/etc/hal.conf`, or what `hal_app` says.
    pub device: Observed<String>,
    /// Whether the kernel lists it now (`/sys/block`). One that fell off the bus is named and not there.
    pub present: Observed<bool>,
    /// How it is attached.
    pub kind: Observed<BootDeviceKind>,
    /// Size (`size` in sysfs).
    pub size_bytes: Observed<Bytes>,
    /// Whether the kernel has made it read-only (`ro`).
    pub read_only: Observed<bool>,
    /// Model: `device/model` of a disk, `device/name` of an eMMC.
    pub model: Observed<String>,
    /// What only an eMMC says. Absent for others.
    pub emmc: Observed<Emmc>,
}

/// How many of an eMMC's reserved blocks are used up (JEDEC JESD84-B51, `PRE_EOL_INFO`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmmcReserve {
    /// 1: as it should be.
    Normal,
    /// 2: 80 percent are used.
    Used80Percent,
    /// 3: 90 percent are used.
    Used90Percent,
}

/// What an eMMC says of itself. It has these since version 5.0 of its standard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Emmc {
    /// Used life of the first kind of memory (SLC): the upper end of a step of 10 percent; 110 is beyond the end.
    pub life_used_a_percent: Observed<Percent>,
    /// Used life of the second kind of memory (MLC), likewise.
    pub life_used_b_percent: Observed<Percent>,
    /// Reserved blocks.
    pub reserve: Observed<EmmcReserve>,
    /// Number of the maker (`manfid`): `0x000015`.
    pub maker: Observed<String>,
    /// Serial number (`serial`): `0x1a2b3c4d`.
    pub serial: Observed<String>,
    /// Firmware (`fwrev`).
    pub firmware: Observed<String>,
}
