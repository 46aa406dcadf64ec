//! What was seen, with no opinion about it.
//!
//! One file per kind of thing. Every reading is an [`Observed`]; a list is itself observed, because "no fans" and
//! "could not ask for fans" are different facts. Units are in types and field names; docs name the source.
//! Facts hold no threshold, no severity and no advice: those are `diagnosis`.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

pub mod block;
pub mod boot_device;
pub mod clock;
pub mod drive;
pub mod edac;
pub mod host;
pub mod hwmon;
pub mod identity;
pub mod kernel_log;
pub mod lvm;
pub mod md;
pub mod mounts;
pub mod network;
pub mod stuck;
pub mod volumes;
pub mod zfs;

/// Everything that one run saw. A field that a parser set did not know yet reads as NotCollected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Who this machine says it is.
    pub identity: identity::Identity,
    /// What its clock says.
    pub clock: clock::Clock,
    /// Processor, memory, load and uptime.
    pub host: host::Host,
    /// Block devices as the kernel lists them.
    pub block_devices: Observed<Vec<block::BlockDevice>>,
    /// Physical drives and what they say of themselves.
    pub drives: Observed<Vec<drive::Drive>>,
    /// Linux software RAID arrays.
    pub md_arrays: Observed<Vec<md::MdArray>>,
    /// Fans with a tachometer.
    pub fans: Observed<Vec<hwmon::Fan>>,
    /// Temperature sensors other than drives.
    pub temperatures: Observed<Vec<hwmon::TemperatureSensor>>,
    /// Voltage sensors.
    pub voltages: Observed<Vec<hwmon::VoltageSensor>>,
    /// Memory controllers that count errors.
    pub memory_controllers: Observed<Vec<edac::MemoryController>>,
    /// What the kernel reported.
    pub kernel_log: Observed<kernel_log::KernelLog>,
    /// Network interfaces with hardware behind them.
    pub network_links: Observed<Vec<network::NetworkLink>>,
    /// Readers that never came back: a device that cannot be asked is evidence.
    pub stuck_readers: Observed<Vec<stuck::StuckReader>>,
    /// The device that the system starts from.
    pub boot_device: Observed<boot_device::BootDevice>,
    /// Mapped devices: LVM, caches, thin pools.
    pub dm_devices: Observed<Vec<lvm::DmDevice>>,
    /// Logical volumes, from a report that somebody pasted.
    pub logical_volumes: Observed<Vec<lvm::LogicalVolume>>,
    /// Physical volumes of LVM, from a report that somebody pasted.
    pub physical_volumes: Observed<Vec<lvm::PhysicalVolume>>,
    /// Mounted file systems with disks behind them.
    pub mounts: Observed<Vec<mounts::Mount>>,
    /// Volumes as QTS lists them.
    pub volumes: Observed<Vec<volumes::Volume>>,
    /// ZFS pools.
    pub zfs_pools: Observed<Vec<zfs::ZfsPool>>,
}
