//! Drives, and what they hang on.

use assay_bundle::diagnosis::Component;

use super::{Row, cable, environment, part, shared, software};

/// The drive's own firmware predicts its failure.
pub static DRIVE_PREDICTS_FAILURE: Row = Row {
    situation: "the drive's own firmware says that it is failing",
    shares: &[part(Component::Drive, 100)],
    source: "the maker's own prediction: counters kept inside the drive (ATA SMART status, NVMe critical warning, SCSI 5Dh)",
};
/// The drive says that it fails, but the reason could not be read.
pub static DRIVE_FAILS_WITHOUT_REASON: Row = Row {
    situation: "the drive says that it is failing, and its reason was not read",
    shares: &[part(Component::Drive, 70), environment(Component::Cooling, 30)],
    source: "judgement: most health failures are the drive's, but heat alone raises the same flag",
};
/// A row of QTS's copy of a drive's table is at its threshold.
pub static ATTRIBUTE_AT_LIMIT: Row = Row {
    situation: "a count that the drive keeps is at its threshold, and whether it predicts failure or tells of wear is not known",
    shares: &[part(Component::Drive, 100)],
    source: "judgement: the maker's own threshold inside the drive; both defect and wear are the drive's",
};
/// An NVMe drive has used up its rated writes.
pub static DRIVE_WORN: Row = Row {
    situation: "the drive has used up its rated writes and has lost no data",
    shares: &[part(Component::Drive, 100)],
    source: "NVMe base specification, percentage used: the maker's own estimate of wear",
};
/// Pending sectors on one drive.
pub static PENDING_ONE_DRIVE: Row = Row {
    situation: "one drive has sectors that it could not read",
    shares: &[
        part(Component::Drive, 80),
        environment(Component::PowerInput, 10),
        shared(Component::Slot, 10),
    ],
    source: "judgement after Backblaze 2016 and 2019 (attributes 197 and 198 go before most failures); a write cut by a power loss leaves the same mark",
};
/// Pending sectors on one drive, with a second witness.
pub static PENDING_WITH_WITNESS: Row = Row {
    situation: "one drive has sectors that it could not read, and a second source saw the read fail",
    shares: &[part(Component::Drive, 90), environment(Component::PowerInput, 10)],
    source: "judgement after CDEF (USENIX ATC 2018): counters and kernel errors together beat either alone",
};
/// Pending sectors on one drive that stay and grow in number.
pub static PENDING_RISING: Row = Row {
    situation: "one drive has sectors that it could not read, and more came within a day",
    shares: &[part(Component::Drive, 90), environment(Component::PowerInput, 10)],
    source: "judgement after Google (FAST 2007: drives with such errors fail far more often within 60 days); a power loss leaves its mark once and not again",
};
/// Pending sectors on several drives.
pub static PENDING_SEVERAL_DRIVES: Row = Row {
    situation: "several drives have sectors that they could not read",
    shares: &[part(Component::Drive, 50), shared(Component::Psu, 30), environment(Component::PowerInput, 20)],
    source: "judgement: one mark on several drives points at what they share (supply, a power loss)",
};
/// The drive failed its own test.
pub static SELF_TEST_FAILED: Row = Row {
    situation: "the newest completed self-test of the drive failed",
    shares: &[part(Component::Drive, 100)],
    source: "ATA and SCSI self-test status: the test runs inside the drive and uses no cable; Seagate and Western Digital accept it as proof",
};
/// The drive failed its own test long ago, or a shorter test passed since.
pub static SELF_TEST_FAILED_LONG_AGO: Row = Row {
    situation: "a self-test of the drive failed, and what came since neither repeats nor outdates it",
    shares: &[part(Component::Drive, 80), environment(Component::PowerInput, 20)],
    source: "judgement: the failing place may have been rewritten since, and a write cut by a power loss heals that way",
};
/// Errors that the drive could not correct.
pub static UNCORRECTABLE: Row = Row {
    situation: "the drive returned errors that it could not correct",
    shares: &[part(Component::Drive, 80), environment(Component::PowerInput, 20)],
    source: "judgement after Backblaze 2014 and 2016 (attribute 187 goes before most failures); a write cut by a power loss leaves one too",
};
/// Errors that the drive could not correct, rising while the kernel sees reads fail.
pub static UNCORRECTABLE_WITH_WITNESS: Row = Row {
    situation: "the drive returns ever more errors that it could not correct, and the system meets them",
    shares: &[part(Component::Drive, 100)],
    source: "judgement after CDEF (USENIX ATC 2018): counters and kernel errors together beat either alone; a cable cannot make a sector unreadable",
};
/// Remapped sectors of a hard disk.
pub static REALLOCATED: Row = Row {
    situation: "the hard disk has remapped sectors",
    shares: &[part(Component::Drive, 90), environment(Component::Environment, 10)],
    source: "judgement after RAIDShield (FAST 2015): remapped sectors are damage of the surface; heat and shock are what else does it",
};
/// The motor of one disk needed several tries.
pub static SPIN_RETRY: Row = Row {
    situation: "the motor of one disk did not start at once",
    shares: &[part(Component::Drive, 70), shared(Component::Psu, 20), environment(Component::PowerInput, 10)],
    source: "judgement: one motor alone is probably worn; a supply that sags shows on several",
};
/// The motors of several disks needed several tries.
pub static SPIN_RETRY_SEVERAL: Row = Row {
    situation: "the motors of several disks of one chassis did not start at once",
    shares: &[shared(Component::Psu, 60), part(Component::Drive, 20), environment(Component::PowerInput, 20)],
    source: "judgement: motors draw most at the start, so what several disks lack is current",
};
/// Data damaged between a drive's interface and its medium.
pub static END_TO_END: Row = Row {
    situation: "the drive's own parity found data damaged inside it",
    shares: &[part(Component::Drive, 100)],
    source: "the attribute's meaning: the data was right at the interface, so nothing outside the drive explains it",
};
/// A sealed disk that leaks.
pub static HELIUM: Row = Row {
    situation: "the sealed disk has lost helium",
    shares: &[part(Component::Drive, 100)],
    source: "the attribute's meaning: only the disk's own seal holds the gas",
};
/// Commands that time out, by the drive's counter or by the kernel.
pub static COMMAND_TIMEOUTS: Row = Row {
    situation: "commands to one drive timed out",
    shares: &[part(Component::Drive, 40), shared(Component::Slot, 40), shared(Component::Psu, 20)],
    source: "judgement: a drive, its contact and its supply each leave the same count",
};
/// Commands that time out, by the drive's counter and by the kernel.
pub static COMMAND_TIMEOUTS_WITNESSED: Row = Row {
    situation: "commands to one drive time out, by its own count and by the kernel's log, and its neighbours are well",
    shares: &[part(Component::Drive, 60), shared(Component::Slot, 30), shared(Component::Psu, 10)],
    source: "judgement after CDEF (USENIX ATC 2018): counters and kernel errors together; the neighbours speak for the supply",
};
/// A drive that refuses reads.
pub static READS_REFUSED: Row = Row {
    situation: "one drive refuses reads of its data, names no error of its medium, and its own counters show nothing",
    shares: &[part(Component::Drive, 60), shared(Component::Slot, 30), shared(Component::Psu, 10)],
    source: "judgement: a drive refuses what it does not know, and every drive knows reads; a bad link garbles commands too",
};
/// Sectors that an offline scan could not read.
pub static OFFLINE_UNCORRECTABLE: Row = Row {
    situation: "the drive's own scan found sectors that it could not read",
    shares: &[part(Component::Drive, 90), environment(Component::PowerInput, 10)],
    source: "judgement after Backblaze 2014 and 2019 (attribute 198); the count is from the last scan and may be old",
};
/// The drive answers as its controller does when its firmware does not start.
pub static FIRMWARE_BROKE_DOWN: Row = Row {
    situation: "the drive answers with the name or the size that only broken firmware gives",
    shares: &[part(Component::Drive, 100)],
    source: "known cases: SATAFIRM S11 (Phison), BAD_CTX and 8 MB (Intel 320)",
};
/// Model or size changed under one serial number.
pub static IDENTITY_CHANGED: Row = Row {
    situation: "the drive gives another model or a smaller size than before under the same serial number",
    shares: &[part(Component::Drive, 60), software(40)],
    source: "judgement: firmware that broke down, or an update, a tool or a hidden area that changed what it says",
};
/// Frames damaged on the link to a drive.
pub static LINK_DAMAGES: Row = Row {
    situation: "the drive counts ever more damaged frames on its link",
    shares: &[cable(50), shared(Component::Slot, 30), part(Component::Drive, 20)],
    source: "judgement: contacts and cables wear first; the electronics at either end are the rest",
};
/// Frames damaged on the link to a drive, by the kernel.
pub static LINK_DAMAGES_WITNESSED: Row = Row {
    situation: "the kernel sees damaged frames on the link to one drive",
    shares: &[cable(60), shared(Component::Slot, 30), part(Component::Drive, 10)],
    source: "Linux libata: ICRC and SError name the link, not the medium; which end of it is judgement",
};
/// A link that runs below its speed.
pub static LINK_SLOW: Row = Row {
    situation: "the link to one drive runs slower than both ends can",
    shares: &[cable(50), shared(Component::Slot, 30), part(Component::Drive, 20)],
    source: "judgement: a link falls back after errors at the higher speed, and contacts cause most of them",
};
/// A solid-state drive near or past its rated writes.
pub static WORN: Row = Row {
    situation: "the solid-state drive has used most of its rated writes",
    shares: &[part(Component::Drive, 100)],
    source: "the maker's own estimate of wear",
};
/// A solid-state drive without spare blocks.
pub static SPARE_LOW: Row = Row {
    situation: "the solid-state drive has hardly any spare blocks left",
    shares: &[part(Component::Drive, 100)],
    source: "the maker's own count of the reserve inside the drive",
};
/// Flash that cannot be written or erased.
pub static FLASH_FAILS: Row = Row {
    situation: "blocks of the solid-state drive could not be written or erased",
    shares: &[part(Component::Drive, 100)],
    source: "the attribute's meaning: the drive's own flash refused; nothing outside it explains that",
};
/// A reader is stuck on one drive.
pub static READER_STUCK: Row = Row {
    situation: "a reader never came back from one drive",
    shares: &[part(Component::Drive, 50), cable(30), software(20)],
    source: "judgement: a drive, its link or its driver can each keep a request forever",
};
/// Readers are stuck on several drives.
pub static READERS_STUCK: Row = Row {
    situation: "readers never came back from several drives",
    shares: &[shared(Component::Slot, 60), software(20), part(Component::Drive, 20)],
    source: "judgement: drives that hang together point at the controller or backplane that they share",
};

/// Every row of this file.
pub(super) static DRIVE_ROWS: &[&Row] = &[
    &DRIVE_PREDICTS_FAILURE,
    &DRIVE_FAILS_WITHOUT_REASON,
    &ATTRIBUTE_AT_LIMIT,
    &DRIVE_WORN,
    &PENDING_ONE_DRIVE,
    &PENDING_WITH_WITNESS,
    &PENDING_RISING,
    &PENDING_SEVERAL_DRIVES,
    &SELF_TEST_FAILED,
    &SELF_TEST_FAILED_LONG_AGO,
    &UNCORRECTABLE,
    &UNCORRECTABLE_WITH_WITNESS,
    &REALLOCATED,
    &SPIN_RETRY,
    &SPIN_RETRY_SEVERAL,
    &END_TO_END,
    &HELIUM,
    &COMMAND_TIMEOUTS,
    &COMMAND_TIMEOUTS_WITNESSED,
    &READS_REFUSED,
    &OFFLINE_UNCORRECTABLE,
    &FIRMWARE_BROKE_DOWN,
    &IDENTITY_CHANGED,
    &LINK_DAMAGES,
    &LINK_DAMAGES_WITNESSED,
    &LINK_SLOW,
    &WORN,
    &SPARE_LOW,
    &FLASH_FAILS,
    &READER_STUCK,
    &READERS_STUCK,
];
