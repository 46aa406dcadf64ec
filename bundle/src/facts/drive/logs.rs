//! The logs that a drive keeps beside its health: errors, statistics, pending defects, link events.
//!
//! A log is a list as the drive orders it, newest first where the drive says which is newest. None of these counts is
//! a verdict: an abort in the error log is often the host's own mistake, and a link event is often a cable's.

use serde::{Deserialize, Serialize};

use crate::units::{Celsius, Hours, Percent};

/// What an entry of the ATA error log is about, by the error register's bits as the reader spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtaErrorKind {
    /// `UNC`: the medium could not be read.
    Uncorrectable,
    /// `ICRC`: the data was damaged between host and drive.
    InterfaceCrc,
    /// `IDNF`: the sector was not found.
    IdNotFound,
    /// `ABRT` alone: the command was refused.
    Abort,
    /// Anything else (`AMNF`, `WP`, a device fault), or no description.
    Other,
}

/// One entry of the ATA error log (summary or extended comprehensive), newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtaError {
    /// Number of the error over the drive's life; the newest has the highest.
    pub number: Option<u64>,
    /// What it is about.
    pub kind: AtaErrorKind,
    /// Power-on hours when it happened; 16 bits in the log, so it may have wrapped at 65,536.
    pub at_power_on_hours: Option<Hours>,
    /// The reader's description, such as `Error: UNC 8 sectors at LBA = 0x0071bde0 = 7454176`; may be empty.
    pub text: String,
    /// The sector that the description names.
    pub lba: Option<u64>,
}

/// The standardised ATA device statistics (ACS-4, GP log 04h); a statistic that the drive does not mark as valid is
/// `None`. More trustworthy than the makers' attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AtaStatistics {
    /// Hours under power (page 1).
    pub power_on_hours: Option<Hours>,
    /// Logical sectors that were remapped (page 3).
    pub reallocated_sectors: Option<u64>,
    /// Logical sectors that are candidates for it (page 3).
    pub reallocation_candidates: Option<u64>,
    /// Read recovery attempts (page 3).
    pub read_recovery_attempts: Option<u64>,
    /// Spin-ups that failed (page 3).
    pub mechanical_start_failures: Option<u64>,
    /// Uncorrectable errors that were reported to the host (page 4).
    pub uncorrectable_errors: Option<u64>,
    /// CRC errors of the interface (page 6).
    pub interface_crc_errors: Option<u64>,
    /// Endurance used, 0 to 255 (page 7, flash only).
    pub percentage_used: Option<Percent>,
    /// Highest temperature over life (page 5).
    pub highest_temperature_c: Option<Celsius>,
    /// Lowest temperature over life (page 5).
    pub lowest_temperature_c: Option<Celsius>,
    /// Highest operating temperature that the maker specifies (page 5).
    pub temperature_limit_max_c: Option<Celsius>,
    /// Lowest operating temperature that the maker specifies (page 5).
    pub temperature_limit_min_c: Option<Celsius>,
    /// Minutes above the highest operating temperature (page 5).
    pub over_temperature_minutes: Option<u64>,
    /// Names of the statistics whose monitored condition is met (flag bit 3), in the drive's order.
    pub conditions_met: Vec<String>,
}

/// A sector that waits to be remapped (ACS-4 pending defects log).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingDefect {
    /// The sector.
    pub lba: u64,
    /// Power-on hours when it was found; `None` where the drive does not know.
    pub at_power_on_hours: Option<Hours>,
}

/// A SATA phy event counter (GP log 11h): what happened on the link, cable and backplane included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhyEvent {
    /// Counter id: 1 is "command failed due to an interface CRC error", 10 counts COMRESETs; 0x8000 and above are
    /// the maker's own (SATA 3.2, 13.7.2).
    pub id: u16,
    /// The count.
    pub value: u64,
    /// The counter is at its end and counts no further.
    pub overflow: bool,
}

/// A small selection of Seagate's Field Access Reliability Metrics log (GP log A6h).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Farm {
    /// Hours under power; hard to reset, so a used drive sold as new shows here.
    pub power_on_hours: Option<Hours>,
    /// Hours with the spindle turning.
    pub spindle_hours: Option<Hours>,
    /// Reads that could not be recovered.
    pub unrecoverable_read_errors: Option<u64>,
    /// Writes that could not be recovered.
    pub unrecoverable_write_errors: Option<u64>,
    /// Sectors that were remapped.
    pub reallocated_sectors: Option<u64>,
    /// Sectors that are candidates for it.
    pub reallocation_candidates: Option<u64>,
    /// Spin-ups that failed.
    pub mechanical_start_failures: Option<u64>,
    /// CRC errors of the interface.
    pub interface_crc_errors: Option<u64>,
}

/// An entry of the NVMe error information log that is a media or data integrity error (status code type 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NvmeMediaError {
    /// Number of the error over the controller's life.
    pub error_count: u64,
    /// Status code within its type: 80h write fault, 81h unrecovered read error (NVMe base specification).
    pub status_code: u8,
    /// The sector, where the entry names one.
    pub lba: Option<u64>,
    /// The namespace, where the entry names one.
    pub namespace: Option<u32>,
}

/// One result of a SAS drive's background medium scan (SBC-4, log page 15h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackgroundDefect {
    /// The sector.
    pub lba: u64,
    /// Power-on hours when it was found.
    pub at_power_on_hours: Option<Hours>,
    /// Sense key: 1 recovered, 3 medium error.
    pub sense_key: u8,
    /// Additional sense code.
    pub asc: u8,
    /// Its qualifier.
    pub ascq: u8,
    /// Whether the host must still write or reassign the sector: it is unreadable until then.
    pub needs_reassignment: bool,
}
