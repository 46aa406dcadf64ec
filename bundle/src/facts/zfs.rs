//! ZFS pools as `zpool status` tells them. Texts are kept as they were printed and mean nothing by themselves: "Some
//! supported features are not enabled" stands below a healthy pool.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// What QuTS hero uses a pool for, by the name that it gives it. On another system it is Absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZfsRole {
    /// `zpool256`, `zpool257`, `zpoolExt2`: the system's own.
    System,
    /// Every other name: the owner's data.
    Data,
}

/// One pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ZfsPool {
    /// Name: `zpool1`.
    pub name: String,
    /// What the system uses it for.
    pub role: Observed<ZfsRole>,
    /// `ONLINE`, `DEGRADED`, `FAULTED`, `OFFLINE`, `UNAVAIL`, `REMOVED`, `SUSPENDED`.
    pub state: Observed<String>,
    /// `status:`, its lines joined. Absent when the pool says nothing.
    pub status: Observed<String>,
    /// `action:`, its lines joined.
    pub action: Observed<String>,
    /// Number of the message such as `ZFS-8000-9P`, from `see:`.
    pub message_id: Observed<String>,
    /// The scrub or resilver that runs or ran last.
    pub scan: Observed<ZfsScan>,
    /// Data errors that nothing could repair: the number on the `errors:` line.
    pub data_errors: Observed<u64>,
    /// The first line of `errors:`.
    pub errors_text: Observed<String>,
    /// Every line of the tree, from the pool down, in order.
    pub vdevs: Vec<ZfsVdev>,
}

/// What a pool reads through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZfsScanKind {
    /// Nothing was ever asked for.
    None,
    /// A scrub: everything is read and compared.
    Scrub,
    /// A resilver: a device is filled.
    Resilver,
    /// Something else, kept in the text.
    #[default]
    Other,
}

/// How far it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZfsScanState {
    /// Nothing was ever asked for.
    None,
    /// It runs.
    InProgress,
    /// It waits to be resumed.
    Paused,
    /// It ended by itself.
    Finished,
    /// It was stopped.
    Canceled,
    /// Something else, kept in the text.
    #[default]
    Other,
}

/// A scrub or resilver. What a line does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ZfsScan {
    /// What runs or ran.
    pub kind: ZfsScanKind,
    /// How far it came.
    pub state: ZfsScanState,
    /// Percent times 100 while it runs, 0 to 10,000.
    pub done_hundredths_of_percent: Option<u32>,
    /// Bytes that were repaired or resilvered.
    pub repaired_bytes: Option<ZfsNumber>,
    /// Errors that were left.
    pub errors: Option<u64>,
    /// When it ended, as the device printed it: local time without a zone.
    pub ended: Option<String>,
    /// The whole text, its lines joined.
    pub text: String,
}

/// A number as ZFS prints it: exact up to four digits, then `1.2K` in steps of 1024.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZfsNumber {
    /// The number that the text says.
    pub value: u64,
    /// Whether the text was rounded, so that the number is near it and no more.
    pub rounded: bool,
}

/// Which part of a pool a device serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZfsClass {
    /// The pool's data.
    #[default]
    Data,
    /// `logs`: intent log.
    Log,
    /// `cache`: read cache.
    Cache,
    /// `spares`.
    Spare,
    /// `special`: metadata.
    Special,
    /// `dedup`: deduplication tables.
    Dedup,
}

/// What a line of the tree is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZfsVdevKind {
    /// The pool itself.
    Pool,
    /// Several devices: `mirror-0`, `raidz1-0`, `draid2:…`, `spare-1`, `replacing-2`.
    Group,
    /// A device.
    #[default]
    Device,
}

/// One line of a pool's tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ZfsVdev {
    /// Name as printed: `sda`, `mirror-0`, `qzfs/enc_0/disk_0x4_5000C500E6B4AE7B_3`.
    pub name: String,
    /// Steps below the pool, 0 for the pool.
    pub depth: u32,
    /// Which part of the pool it serves.
    pub class: ZfsClass,
    /// What it is.
    pub kind: ZfsVdevKind,
    /// State: those of a pool, and `AVAIL`, `INUSE` of spares.
    pub state: Observed<String>,
    /// Reads that failed. Absent where the line has no counters (spares).
    pub read_errors: Observed<ZfsNumber>,
    /// Writes that failed.
    pub write_errors: Observed<ZfsNumber>,
    /// Blocks whose checksum was wrong.
    pub checksum_errors: Observed<ZfsNumber>,
    /// What stands behind the counters: `too many errors`, `(resilvering)`, `was /dev/…`.
    pub note: Option<String>,
    /// Enclosure, where the name says it (QuTS hero).
    pub enclosure: Option<u32>,
    /// Bay in that enclosure, from 1, where the name says it (QuTS hero).
    pub bay: Option<u32>,
    /// World wide name or serial of the drive, where the name says it (QuTS hero).
    pub drive_id: Option<String>,
}
