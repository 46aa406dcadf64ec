//! A physical drive and what it says of itself (SMART, NVMe health, SCSI log pages).

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::{Bytes, Celsius, Hours, MegabitsPerSecond, Percent, Rpm, Seconds};

mod logs;

pub use logs::{
    AtaError, AtaErrorKind, AtaStatistics, BackgroundDefect, Farm, NvmeMediaError, PendingDefect, PhyEvent,
};

/// The command set a drive speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// ATA (SATA drives).
    Ata,
    /// SCSI (SAS drives).
    Scsi,
    /// NVMe.
    Nvme,
}

/// What kind of medium a drive stores on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// Rotating platters.
    Hdd,
    /// Flash.
    Ssd,
}

/// Power mode as the drive answered to the question that does not wake it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerMode {
    /// Spinning, or an SSD.
    Active,
    /// Idle, heads perhaps unloaded, still answers at once.
    Idle,
    /// Spun down; it was not asked anything more.
    Standby,
    /// Asleep; it was not asked anything more.
    Sleep,
}

/// One drive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drive {
    /// Device node it was asked through, without `/dev/`: `sda`, `nvme0`.
    pub device: String,
    /// Bay as printed on the chassis, from 1.
    pub bay: Observed<u32>,
    /// Command set.
    pub protocol: Observed<Protocol>,
    /// Rotating or flash.
    pub medium: Observed<Medium>,
    /// Maker's model.
    pub model: Observed<String>,
    /// Serial number: with the model, the drive's identity.
    pub serial: Observed<String>,
    /// World wide name or logical unit id, lower-case hex without separators.
    pub wwn: Observed<String>,
    /// Drive firmware revision.
    pub firmware: Observed<String>,
    /// Capacity.
    pub capacity_bytes: Observed<Bytes>,
    /// Rotation speed; Absent for flash.
    pub rotation_rpm: Observed<Rpm>,
    /// Power mode when asked.
    pub power_mode: Observed<PowerMode>,
    /// The drive's own overall health answer (SMART RETURN STATUS, NVMe critical warning == 0, SCSI IE page).
    /// Not there for a sleeping drive: a missing answer is not a pass.
    pub health_passed: Observed<bool>,
    /// Whether `health_passed` was computed from attributes because the bridge dropped the drive's own answer.
    pub health_from_attributes: bool,
    /// Current temperature.
    pub temperature_c: Observed<Celsius>,
    /// Highest temperature at which the maker lets it operate, where the drive says so.
    pub temperature_limit_c: Observed<Celsius>,
    /// Hours under power.
    pub power_on_hours: Observed<Hours>,
    /// Power cycles.
    pub power_cycles: Observed<u64>,
    /// ATA attributes.
    pub ata_attributes: Observed<Vec<AtaAttribute>>,
    /// ATA sectors waiting to be remapped, by the ACS-4 pending defects log (more exact than attribute 197).
    pub pending_defects: Observed<u64>,
    /// Those sectors, as many as the log was read for (at most 256).
    pub pending_defect_sectors: Observed<Vec<PendingDefect>>,
    /// Lifetime count of the ATA error log.
    pub ata_error_count: Observed<u64>,
    /// The entries that the ATA error log still holds, newest first.
    pub ata_errors: Observed<Vec<AtaError>>,
    /// ATA device statistics.
    pub ata_statistics: Observed<AtaStatistics>,
    /// SATA phy event counters.
    pub phy_events: Observed<Vec<PhyEvent>>,
    /// Seagate's FARM log.
    pub farm: Observed<Farm>,
    /// Speed of the link to the drive as negotiated (`interface_speed.current`; SAS: the first phy).
    pub link_speed: Observed<MegabitsPerSecond>,
    /// Highest speed that the drive's link can do.
    pub link_speed_max: Observed<MegabitsPerSecond>,
    /// Endurance used, 0 to 255, by whatever the drive counts with: smartctl 7.5 `endurance_used`, ATA device
    /// statistics page 7, NVMe percentage used, SCSI solid state media page.
    pub endurance_used_percent: Observed<Percent>,
    /// Spare capacity left, 0 to 100: smartctl 7.5 `spare_available`, NVMe available spare.
    pub spare_available_percent: Observed<Percent>,
    /// NVMe health log.
    pub nvme: Observed<NvmeHealth>,
    /// Media errors that the NVMe error information log still holds, newest first.
    pub nvme_media_errors: Observed<Vec<NvmeMediaError>>,
    /// SCSI log pages.
    pub scsi: Observed<ScsiHealth>,
    /// What a SAS drive's background medium scan found (at most 256).
    pub scsi_background_defects: Observed<Vec<BackgroundDefect>>,
    /// Self-tests, newest first.
    pub self_tests: Observed<Vec<SelfTest>>,
    /// `smartctl`'s exit status bits (smartctl(8), EXIT STATUS), where it was used.
    pub smartctl_exit_bits: Observed<u8>,
    /// Enclosure that `bay` counts in, as QTS numbers them: 0 the NAS itself, 1 to 31 inside it (adapters, M.2), 32
    /// and above outside (expansion units).
    pub enclosure: Observed<u32>,
    /// Link speed that QTS's map has for the drive now.
    pub listed_link_speed: Observed<LinkSpeed>,
    /// Highest link speed that QTS's map has for the drive.
    pub listed_link_speed_max: Observed<LinkSpeed>,
    /// QTS's own judgement of the drive, from its SMART cache. Not the drive's answer: see `health_passed`.
    pub qts_health: Observed<QtsHealth>,
    /// What else QTS's SMART cache says of the drive, where no other reading holds it.
    pub qts_cache: Observed<QtsCache>,
}

/// A link speed as QTS's map of the bays has it (`link_speed`, `max_link_speed`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkSpeed {
    /// The number as it stands in the map. The numbering grew over firmware versions: two codes of one map compare,
    /// two maps of different versions may not.
    pub code: u32,
    /// What the code means by the numbering of QTS 4.5: 7 to 10 SATA and SAS, below USB, 100 to 400 one PCIe lane.
    /// `None` for 0 (unknown) and for codes outside of it.
    pub speed: Option<MegabitsPerSecond>,
}

/// Field 4 of the header of QTS's SMART cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QtsHealth {
    /// 0: nothing is wrong. Inferred from SNMP's values.
    Good,
    /// 1: a warning. Inferred from SNMP's values.
    Warning,
    /// 2: an error. The one value whose meaning is certain (derived from the vendor's library).
    Abnormal,
    /// Any other number.
    Unknown(i64),
}

/// Fields of QTS's SMART cache that have no other place. The codes are as they stand in the file; what they mean is
/// inferred, so nothing is decided by them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QtsCache {
    /// How long before it was read QTS had written it; Unreadable when the file's time lies in the future.
    pub age_s: Observed<Seconds>,
    /// Header field 2: result of the last self-test.
    pub self_test_code: Option<i64>,
    /// Header field 7: overall status.
    pub status_code: Option<i64>,
    /// Attributes with status flags that are neither 0 nor 65535 (flags unknown).
    pub flagged: Vec<QtsFlag>,
}

/// The status flags that QTS keeps beside one attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QtsFlag {
    /// Attribute id (ATA) or row number (NVMe), 0 to 255.
    pub id: u8,
    /// The flags. QNAP's own support parser takes 4 for a disk warning.
    pub flags: u16,
}

/// A drive that left: a row of QTS's `/etc/enclosure_N_del.conf`. It may have been put back since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DepartedDrive {
    /// Enclosure, numbered as in [`Drive::enclosure`].
    pub enclosure: u32,
    /// Bay that it was in.
    pub bay: Option<u32>,
    /// Maker's model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// World wide name as it stands in the file.
    pub wwn: Option<String>,
    /// Where it stands: a path below `raw/`.
    pub from: String,
}

/// When an ATA attribute was at or below its threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFailed {
    /// It never was.
    #[default]
    Never,
    /// It is now.
    Now,
    /// It was once.
    Past,
}

/// One row of the ATA attribute table. Judge by id *and* name: makers reuse ids (hardware.md 1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtaAttribute {
    /// Attribute id, 1 to 255.
    pub id: u8,
    /// Name that the reader's drive database gives it.
    pub name: String,
    /// Normalised value, by the standard 1 to 253, higher is better; `None` where the drive gives none.
    pub value: Option<u8>,
    /// Lowest normalised value so far.
    pub worst: Option<u8>,
    /// Threshold of failure; `None` or 0 means that the attribute cannot fail.
    pub threshold: Option<u8>,
    /// Whether the maker counts it as predicting failure (flag bit 0) rather than as old age.
    pub prefailure: bool,
    /// When it was at or below its threshold.
    pub when_failed: WhenFailed,
    /// Raw value as a 48-bit number; may be several numbers packed. From a text report that prints only a part of
    /// the packed numbers, the part that is printed first.
    pub raw: u64,
    /// Raw value as the reader's drive database decodes it.
    pub raw_text: String,
    /// The one number that `raw` means, when it is known: a count, hours, degrees Celsius. 94490722326 of attribute
    /// 188 is 22 commands; Seagate's 1 and 7 are the errors without the operations beside them. `None` when the
    /// packing is not known.
    #[serde(default)]
    pub decoded: Option<u64>,
}

/// The NVMe SMART / Health Information log (NVMe base specification, log page 02h).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NvmeHealth {
    /// Critical warning bits: 1 spare, 2 temperature, 4 reliability, 8 read-only, 16 backup, 32 persistent memory.
    pub critical_warning: u8,
    /// Spare capacity left, 0 to 100.
    pub available_spare_percent: Option<Percent>,
    /// Below this spare capacity the drive warns; 0 means that the drive does not report it.
    pub available_spare_threshold_percent: Option<Percent>,
    /// Endurance used, 0 to 255.
    pub percentage_used: Option<Percent>,
    /// Unrecovered data integrity errors (128 bit in the log).
    pub media_errors: Option<u128>,
    /// Error log entries over life; not a sign of defect (hardware.md 0.6).
    pub error_log_entries: Option<u128>,
    /// Power losses without notice.
    pub unsafe_shutdowns: Option<u128>,
    /// Minutes above the warning temperature.
    pub warning_temperature_minutes: Option<u64>,
    /// Minutes above the critical temperature.
    pub critical_temperature_minutes: Option<u64>,
    /// Units of 1000 x 512 bytes read.
    pub data_units_read: Option<u128>,
    /// Units of 1000 x 512 bytes written.
    pub data_units_written: Option<u128>,
    /// Read commands.
    pub host_reads: Option<u128>,
    /// Write commands.
    pub host_writes: Option<u128>,
    /// Minutes that the controller was busy with commands.
    pub controller_busy_minutes: Option<u128>,
    /// Temperature sensors 1 to 8 of the log; `None` for one that the drive does not have.
    pub temperature_sensors_c: Vec<Option<Celsius>>,
    /// Composite temperature at which the drive warns (identify controller, WCTEMP).
    pub warning_temperature_c: Option<Celsius>,
    /// Composite temperature at which it may stop (identify controller, CCTEMP).
    pub critical_temperature_c: Option<Celsius>,
}

/// What a SAS drive's log pages say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScsiHealth {
    /// Additional sense code of the informational exceptions page; 0x5d is a predicted failure.
    pub asc: Option<u8>,
    /// Its qualifier; 5d/ff is a test, not a failure.
    pub ascq: Option<u8>,
    /// Sectors added to the defect list since manufacture.
    pub grown_defects: Option<u64>,
    /// Read, write and verify errors that could not be corrected.
    pub uncorrected_errors: Option<u64>,
    /// Of these, reads.
    pub uncorrected_read_errors: Option<u64>,
    /// Of these, writes.
    pub uncorrected_write_errors: Option<u64>,
    /// Of these, verifies.
    pub uncorrected_verify_errors: Option<u64>,
    /// Errors that are not of the medium (bus, cable, firmware).
    pub non_medium_errors: Option<u64>,
    /// Spin-ups so far.
    pub start_stop_cycles: Option<u64>,
    /// Spin-ups that the maker specifies.
    pub start_stop_cycles_specified: Option<u64>,
    /// Head unloads so far.
    pub load_unload_cycles: Option<u64>,
    /// Head unloads that the maker specifies.
    pub load_unload_cycles_specified: Option<u64>,
    /// Endurance used, 0 to 255 (solid state media page).
    pub percentage_used: Option<Percent>,
    /// Background medium scans that were completed.
    pub background_medium_scans: Option<u64>,
}

/// Outcome of a self-test. The groups are the ATA status nibble's (hardware.md 1.1); NVMe and SCSI map onto them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfTestOutcome {
    /// Completed without error.
    Passed,
    /// Aborted, interrupted or not run: says nothing about the drive.
    NotCompleted,
    /// Completed and found a defect (read, servo, electrical, handling, unknown element).
    Failed,
    /// Still running.
    Running,
}

/// One recorded self-test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTest {
    /// Kind as printed: `Short offline`, `Extended offline`.
    pub kind: String,
    /// Outcome group.
    pub outcome: SelfTestOutcome,
    /// Outcome as printed.
    pub text: String,
    /// Power-on hours at which it ran.
    pub at_power_on_hours: Option<Hours>,
    /// First failing sector, when there was one.
    pub first_error_lba: Option<u64>,
}
