//! What was seen, with no opinion about it.
//!
//! One file per kind of thing. Every reading is an [`Observed`]; a list is itself observed, because "no fans" and
//! "could not ask for fans" are different facts. Units are in types and field names; docs name the source.
//! Facts hold no threshold, no severity and no advice: those are `diagnosis`.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

pub mod block;
pub mod bmc;
pub mod boot_device;
pub mod chassis;
pub mod clock;
pub mod dimm;
pub mod drive;
pub mod edac;
pub mod event_log;
pub mod history;
pub mod host;
pub mod hwmon;
pub mod identity;
pub mod inventory;
pub mod kernel_log;
pub mod limits;
pub mod lvm;
pub mod management;
pub mod md;
pub mod mounts;
pub mod network;
pub mod persisted_log;
pub mod power;
pub mod pstore;
pub mod rtc;
pub mod stuck;
pub mod ups;
pub mod volumes;
pub mod zfs;

/// Everything that one run saw. A field that a parser set did not know yet reads as NotCollected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Who this machine says it is.
    pub identity: identity::Identity,
    /// What this model should have, and the enclosures that are attached.
    pub chassis: chassis::Chassis,
    /// What its clock says.
    pub clock: clock::Clock,
    /// Processor, memory, load and uptime.
    pub host: host::Host,
    /// Block devices as the kernel lists them.
    pub block_devices: Observed<Vec<block::BlockDevice>>,
    /// Physical drives and what they say of themselves.
    pub drives: Observed<Vec<drive::Drive>>,
    /// Drives that QTS remembers to have left a bay.
    pub departed_drives: Observed<Vec<drive::DepartedDrive>>,
    /// Linux software RAID arrays.
    pub md_arrays: Observed<Vec<md::MdArray>>,
    /// Fans with a tachometer.
    pub fans: Observed<Vec<hwmon::Fan>>,
    /// Temperature sensors other than drives.
    pub temperatures: Observed<Vec<hwmon::TemperatureSensor>>,
    /// Voltage sensors.
    pub voltages: Observed<Vec<hwmon::VoltageSensor>>,
    /// Temperature limits that the NAS itself works with.
    pub temperature_limits: Observed<Vec<limits::TemperatureLimit>>,
    /// Power supplies.
    pub power: power::Power,
    /// Uninterruptible power supplies.
    pub ups: Observed<Vec<ups::Ups>>,
    /// The board management controller.
    pub bmc: Observed<bmc::Bmc>,
    /// What QTS's management pages say.
    pub management: management::ManagementReport,
    /// Memory controllers that count errors.
    pub memory_controllers: Observed<Vec<edac::MemoryController>>,
    /// What the kernel reported.
    pub kernel_log: Observed<kernel_log::KernelLog>,
    /// What the kernel reported in earlier boots.
    pub persisted_log: Observed<persisted_log::PersistedLog>,
    /// What memory kept over a restart.
    pub pstore: Observed<Vec<pstore::Dump>>,
    /// What QTS's own log says about hardware.
    pub event_log: Observed<event_log::EventLog>,
    /// Memory slots and their modules.
    pub memory_slots: Observed<Vec<dimm::MemorySlot>>,
    /// The hardware clock.
    pub rtc: rtc::Rtc,
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
    /// What the flight recorder kept of earlier runs.
    pub history: Observed<history::History>,
    /// Which parts earlier runs saw, and which of them are gone.
    pub inventory: Observed<inventory::Inventory>,
}
