//! Block devices as `/sys/block` lists them. Whether one is a drive is decided by what stands behind it.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::Bytes;

/// How a block device is attached, from its path in sysfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A SATA port (`/ataN/` in the device path).
    Sata,
    /// A SAS phy.
    Sas,
    /// An NVMe controller.
    Nvme,
    /// USB mass storage.
    Usb,
    /// eMMC or SD.
    Mmc,
    /// A virtual disk of a hypervisor.
    Virtio,
    /// Some other SCSI host.
    Scsi,
}

/// One entry of `/sys/block` with hardware (real or virtual) behind it; loop, ram, zram, md and dm are not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockDevice {
    /// Kernel name such as `sda`, `nvme0n1`, `mmcblk0`. Changes over reboots; never an identity.
    pub name: String,
    /// How it is attached.
    pub transport: Observed<Transport>,
    /// Size (`size` in sysfs, in 512-byte units there).
    pub size_bytes: Observed<Bytes>,
    /// Whether it has rotating platters (`queue/rotational`).
    pub rotational: Observed<bool>,
    /// Whether it is removable media (`removable`).
    pub removable: Observed<bool>,
    /// Whether the kernel has made it read-only (`ro`).
    pub read_only: Observed<bool>,
    /// Model as the kernel keeps it (`device/model`; 16 characters for SCSI).
    pub model: Observed<String>,
    /// SCSI device state (`device/state`): `running`, `offline`, `blocked`.
    pub state: Observed<String>,
    /// ATA port such as `ata3`: the name that the kernel log uses.
    pub ata_port: Observed<String>,
    /// What it hangs on, from the root outwards, as the path in sysfs names it: PCI functions (`0000:00:17.0`), SATA
    /// ports (`ata3`), SCSI hosts (`host2`), SAS expanders (`expander-0:0`), USB ports (`1-4`). Numbers of hosts and
    /// ports may change over reboots.
    pub attached_through: Observed<Vec<String>>,
    /// SCSI commands that ended in an error (`device/ioerr_cnt`); counts harmless ones too, so use a difference.
    pub io_error_count: Observed<u64>,
}
