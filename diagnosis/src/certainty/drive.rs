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
    &READER_STUCK,
    &READERS_STUCK,
];
