//! NVMe and SAS drives, and flash that grows too hot.

use assay_bundle::diagnosis::{Component, SuspectKind};

use super::{Row, Share, environment, part, shared, software};

/// An NVMe or SAS drive lost data of its medium.
pub static FLASH_LOST_DATA: Row = Row {
    situation: "a drive counts errors of its medium that it could not correct",
    shares: &[part(Component::Drive, 90), environment(Component::PowerInput, 10)],
    source: "judgement after Schroeder et al. (USENIX FAST 2016): uncorrectable errors follow bad blocks of the drive; a power loss can leave one",
};
/// The same, and it goes on.
pub static FLASH_LOSES_DATA: Row = Row {
    situation: "a drive's errors of its medium that it could not correct rise, or the kernel saw them",
    shares: &[part(Component::Drive, 100)],
    source: "NVMe base specification, media and data integrity errors; SCSI SPC, total uncorrected errors: the drive's own count, and it grows",
};
/// One NVMe drive stops answering again and again.
pub static NVME_TIMEOUTS: Row = Row {
    situation: "one NVMe drive stopped answering and was reset",
    shares: &[
        part(Component::Drive, 40),
        shared(Component::Slot, 30),
        Share { kind: SuspectKind::Configuration, component: Component::Software, percent: 30 },
    ],
    source: "judgement: drive, slot and power saving (APST, ASPM) do it alike; the kernel's own hint is to switch power saving off first",
};
/// An NVMe drive's controller declared itself dead.
pub static NVME_FATAL: Row = Row {
    situation: "the controller inside an NVMe drive declared a fatal status",
    shares: &[part(Component::Drive, 80), software(10), shared(Component::Slot, 10)],
    source: "NVMe base specification, controller status CFS: the controller's own word; its firmware or a loss of power can cause it",
};
/// Flash is too hot where it is fitted.
pub static FLASH_TOO_HOT: Row = Row {
    situation: "a flash drive is above its own warning temperature",
    shares: &[environment(Component::Cooling, 70), environment(Component::Environment, 30)],
    source: "judgement: a missing heat sink or pad and still air heat a small drive more than the room does",
};
/// A SAS drive's grown defects rise or are many.
pub static SAS_DEFECTS: Row = Row {
    situation: "a SAS drive remapped many sectors, or more every week",
    shares: &[part(Component::Drive, 100)],
    source: "SCSI SBC, grown defect list: sectors that the drive itself gave up",
};
/// Every row of this file.
pub(super) static NVME_ROWS: &[&Row] =
    &[&FLASH_LOST_DATA, &FLASH_LOSES_DATA, &NVME_TIMEOUTS, &NVME_FATAL, &FLASH_TOO_HOT, &SAS_DEFECTS];
