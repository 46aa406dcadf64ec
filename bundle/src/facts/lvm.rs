//! Device mapper: what LVM, caches and thin pools are to the kernel (`dmsetup status`, `/sys/block/dm-*`); and what
//! `lvs` and `pvs` say of LVM itself in a report that somebody pasted.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::Bytes;

/// One mapped device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DmDevice {
    /// Name: `cachedev1`, `vg1-tp1-tpool`.
    pub name: String,
    /// Kernel node such as `dm-3`, where sysfs has it.
    pub node: Option<String>,
    /// Size (`size` in sysfs).
    pub size_bytes: Observed<Bytes>,
    /// Whether the kernel lets nobody write (`ro`).
    pub read_only: Observed<bool>,
    /// Whether it is stopped (`dm/suspended`): every access waits.
    pub suspended: Observed<bool>,
    /// What it consists of, in order.
    pub targets: Observed<Vec<DmTarget>>,
}

/// One piece of a mapped device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DmTarget {
    /// Kind: `linear`, `thin-pool`, `thin`, `cache`, `flashcache`, `raid`, `crypt`.
    pub kind: String,
    /// Whether the kernel gave the piece up (`Fail`, `Error`).
    pub failed: bool,
    /// A thin pool's state.
    pub thin_pool: Option<ThinPool>,
    /// A dm-cache's state.
    pub cache: Option<DmCache>,
    /// A dm-raid's state.
    pub raid: Option<DmRaid>,
}

/// Used of all, in blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Blocks in use, at most all.
    pub used_blocks: u64,
    /// Blocks there are, at least 1.
    pub all_blocks: u64,
}

impl Usage {
    /// The share in hundredths of a percent, 0 to 10,000.
    pub fn hundredths_of_percent(self) -> u32 {
        let share = u128::from(self.used_blocks) * 10_000 / u128::from(self.all_blocks.max(1));
        u32::try_from(share.min(10_000)).unwrap_or(10_000)
    }
}

/// Whether data can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolMode {
    /// `rw`.
    ReadWrite,
    /// `ro`: the metadata is read-only, as after an error.
    ReadOnly,
    /// `out_of_data_space`.
    OutOfDataSpace,
    /// Some other word.
    #[default]
    Other,
}

/// A thin pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThinPool {
    /// Metadata in use.
    pub metadata: Usage,
    /// Data in use.
    pub data: Usage,
    /// Whether it can be written to.
    pub mode: PoolMode,
    /// Whether its metadata has to be checked before it is used again (`needs_check`).
    pub needs_check: bool,
}

/// A dm-cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DmCache {
    /// Metadata in use.
    pub metadata: Usage,
    /// Cache in use.
    pub data: Usage,
    /// Blocks that are in the cache only: lost with it.
    pub dirty_blocks: u64,
    /// `writeback`, `writethrough`, `passthrough`.
    pub mode: Option<String>,
    /// Whether its metadata is read-only (`ro`).
    pub metadata_read_only: bool,
    /// Whether its metadata has to be checked (`needs_check`).
    pub needs_check: bool,
}

/// A dm-raid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DmRaid {
    /// Level: `raid1`, `raid6_zr`.
    pub level: String,
    /// One letter a device: `A` works, `a` is being filled, `D` is dead.
    pub devices: String,
    /// What runs: `idle`, `resync`, `recover`, `check`.
    pub action: Option<String>,
}

/// What `lvs` says of a volume's health (the ninth sign of `Attr`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LvHealth {
    /// `-`.
    Fine,
    /// `p`: some of its disks are missing.
    Partial,
    /// `r`: a disk had an error and came back.
    RefreshNeeded,
    /// `m`: a check found copies that differ.
    Mismatches,
    /// `F`: a thin pool that failed.
    Failed,
    /// `D`: a thin pool without room for data.
    OutOfDataSpace,
    /// `M`: a thin pool whose metadata is read-only.
    MetadataReadOnly,
    /// Another sign.
    #[default]
    Other,
}

/// One logical volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogicalVolume {
    /// Name: `lv1`.
    pub name: String,
    /// Its volume group: `vg1`.
    pub group: String,
    /// `Attr` as printed: `Vwi-aotz--`.
    pub attributes: String,
    /// Whether it may only be read (`r` or `R` in the second place).
    pub read_only: bool,
    /// Health; `None` in old releases, which do not tell.
    pub health: Option<LvHealth>,
    /// Data in use, in percent times 100, 0 to 10,000. Thin volumes, pools and snapshots have it.
    pub data_hundredths_of_percent: Option<u32>,
    /// Metadata in use, in percent times 100, 0 to 10,000. Pools have it.
    pub metadata_hundredths_of_percent: Option<u32>,
}

/// One physical volume of LVM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PhysicalVolume {
    /// Kernel node below `/dev`; `None` when LVM misses the device.
    pub device: Option<String>,
    /// Its volume group, where it is in one.
    pub group: Option<String>,
    /// Whether LVM misses it: `unknown device`, or `m` in the third place of `Attr`.
    pub missing: bool,
    /// `Attr` as printed: `a-m`.
    pub attributes: String,
}
