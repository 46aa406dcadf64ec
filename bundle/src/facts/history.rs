//! What changed over time, as the flight recorder kept it: counters, temperatures and fan speeds of earlier runs.
//!
//! The recorder keeps *changes*: between two points the value is the earlier one, as far as any run looked. It is
//! kept by identity, never by device name: a drive by model and serial number, a fan by its name, a module by its
//! label. What has no identity (a drive without a serial number) has no history. Temperatures are kept from a change
//! of 3 C or a new extreme on, fan speeds from a tenth on, hours once a day: that is how fine it records, no judgement.

use serde::{Deserialize, Serialize};

/// What earlier runs recorded. Nothing of the present run is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Boots in which something was recorded, by their id; the order is that of recording.
    pub boots: Vec<String>,
    /// One for each value that is followed, in the order in which they were first recorded; 2,000 at most.
    pub series: Vec<Series>,
    /// Values that the limit of series left out.
    pub series_left_out: u64,
    /// Records that were read whole, 0 to some thousands.
    pub records: u64,
    /// Places at which a record was damaged or torn, and parts that could not be read at all; what stood there is
    /// lost, everything else counts.
    pub segments_damaged: u64,
    /// Values of whole records that this version does not know.
    pub values_unknown: u64,
    /// When the newest record was written, seconds since 1970 by the device's clock then.
    pub newest_unix_s: Option<i64>,
}

/// The course of one value of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// What kind of thing.
    pub subject: Subject,
    /// Which one: a drive's model, a fan's or sensor's or link's or array's name, a memory module's label.
    pub name: String,
    /// Serial number; `None` for what is known by its name alone.
    pub serial: Option<String>,
    /// Which value.
    pub metric: Metric,
    /// The first point that is still known, even when `points` begins later.
    pub first: Point,
    /// The newest points, oldest first; 200 at most.
    pub points: Vec<Point>,
    /// Points between `first` and the oldest of `points`.
    pub points_left_out: u64,
}

/// One recorded change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Seconds since 1970 by the device's clock then; `None` when no clock was readable.
    pub unix_s: Option<i64>,
    /// Index into `boots`; `None` when the boot had no id. Counters marked "since boot" start anew with another one.
    pub boot: Option<u32>,
    /// Seconds since that boot.
    pub uptime_s: Option<u64>,
    /// The value, in the unit of its [`Metric`]; `None` when the thing was gone.
    pub value: Option<i64>,
}

/// The kind of thing that a value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A drive, by model and serial number.
    Drive,
    /// A fan, by name.
    Fan,
    /// A temperature sensor that is no drive, by name.
    Sensor,
    /// A memory controller, by name.
    MemoryController,
    /// A memory module, by its label, else by controller and place.
    Dimm,
    /// A network link, by name.
    Link,
    /// A RAID array, by name.
    Array,
}

/// What is followed. A number beyond the range of `i64` is kept as the largest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// ATA attribute 5, reallocated sectors: raw value as the drive gives it, possibly packed, as all attributes here.
    Ata5,
    /// ATA attribute 187, reported uncorrectable errors: raw.
    Ata187,
    /// ATA attribute 188, command timeouts: raw, three numbers of 16 bits on some makers' drives.
    Ata188,
    /// ATA attribute 196, reallocation events: raw.
    Ata196,
    /// ATA attribute 197, pending sectors: raw.
    Ata197,
    /// ATA attribute 198, sectors that offline scans could not correct: raw.
    Ata198,
    /// ATA attribute 199, link CRC errors: raw.
    Ata199,
    /// Entries of the ACS-4 pending defects log.
    PendingDefects,
    /// Lifetime count of the ATA error log.
    AtaErrors,
    /// NVMe critical warning bits.
    NvmeCriticalWarning,
    /// NVMe spare capacity left, percent.
    NvmeSparePercent,
    /// NVMe endurance used, percent, 0 to 255.
    NvmeUsedPercent,
    /// NVMe media and data integrity errors.
    NvmeMediaErrors,
    /// NVMe power losses without notice.
    NvmeUnsafeShutdowns,
    /// NVMe minutes above the warning temperature.
    NvmeWarningMinutes,
    /// SAS grown defect list.
    ScsiGrownDefects,
    /// SAS errors that could not be corrected.
    ScsiUncorrected,
    /// Hours under power.
    PowerOnHours,
    /// SCSI commands that ended in an error (`ioerr_cnt`), since boot.
    IoErrors,
    /// Read errors that md corrected on this drive, over all arrays, since they were assembled.
    MdCorrected,
    /// Degrees Celsius.
    TemperatureC,
    /// Revolutions per minute.
    SpeedRpm,
    /// Corrected memory errors, since boot or reset.
    MemoryCorrected,
    /// Uncorrected memory errors, since boot or reset.
    MemoryUncorrected,
    /// Frames with a bad checksum, since boot.
    RxCrcErrors,
    /// Times that the carrier came or went, since boot.
    CarrierChanges,
    /// Sectors that did not match at an array's last check.
    MismatchSectors,
}
