//! Arrays, pools and file systems.

use assay_bundle::diagnosis::Component;

use super::{Row, cable, environment, part, shared, software};

/// A member was kicked out of an array.
pub static MEMBER_KICKED: Row = Row {
    situation: "md kicked one member out of an array",
    shares: &[part(Component::Drive, 60), cable(20), shared(Component::Psu, 20)],
    source: "judgement: md kicks a member when a write fails, and drive, cable or supply can fail it",
};
/// Several members were kicked out of one array.
pub static SEVERAL_KICKED: Row = Row {
    situation: "md kicked several members out of one array",
    shares: &[shared(Component::Slot, 40), shared(Component::Psu, 30), part(Component::Drive, 30)],
    source: "judgement: members of one array that fail together point at what they share",
};
/// A slot of an array is empty.
pub static MEMBER_MISSING: Row = Row {
    situation: "a slot of an array has no member",
    shares: &[part(Component::Drive, 50), cable(30), software(20)],
    source: "judgement: a drive that died, lost its link, or was removed or left out on purpose looks the same",
};
/// An array does not run.
pub static ARRAY_NOT_RUNNING: Row = Row {
    situation: "an array is known but does not run",
    shares: &[part(Component::Drive, 40), cable(30), software(30)],
    source: "judgement: missing members, a lost link, or an array that belongs to another machine",
};
/// A slot is empty, its drive is there and well, and the power went away.
pub static MEMBER_OUT_OF_DATE: Row = Row {
    situation: "a slot of an array has no member, its drive is there and well, and the machine stopped uncleanly",
    shares: &[environment(Component::PowerInput, 60), part(Component::Drive, 20), cable(20)],
    source: "judgement: md leaves out a member whose superblock is older than the others', as a power loss makes it",
};
/// Parity or copies that do not match.
pub static ARRAY_MISMATCH: Row = Row {
    situation: "sectors of an array did not match at a check",
    shares: &[
        shared(Component::Memory, 40),
        environment(Component::PowerInput, 30),
        part(Component::Drive, 20),
        shared(Component::Slot, 10),
    ],
    source: "judgement: written wrong by memory or controller, cut by a power loss, or delivered wrong by one drive",
};
/// md corrected reads of one member.
pub static MEMBER_READ_ERRORS: Row = Row {
    situation: "an array had to correct reads of one member",
    shares: &[part(Component::Drive, 80), cable(20)],
    source: "judgement after the studies of latent sector errors (Bairavasundaram et al. 2007): sectors fail in the drive; a link can drop reads too",
};
/// A file system is damaged and one drive below it is in doubt.
pub static FILE_SYSTEM_DRIVE: Row = Row {
    situation: "a file system is damaged, and one drive below it failed accesses or is in doubt",
    shares: &[part(Component::Drive, 70), cable(20), shared(Component::Memory, 10)],
    source: "judgement: the damage and the failing drive below it have most likely one cause",
};
/// A file system on one drive is damaged, and nothing else speaks against the drive.
pub static FILE_SYSTEM_DEVICE: Row = Row {
    situation: "a file system on a single drive is damaged or read-only, and the drive says nothing of it",
    shares: &[
        part(Component::Drive, 40),
        cable(20),
        environment(Component::PowerInput, 20),
        shared(Component::Memory, 20),
    ],
    source: "judgement: wrong data of one device comes from it, its link, a cut write or memory",
};
/// A file system is damaged and nothing below it is.
pub static FILE_SYSTEM: Row = Row {
    situation: "a file system is damaged or read-only, and no single drive below it is to blame",
    shares: &[
        shared(Component::Memory, 30),
        environment(Component::PowerInput, 30),
        software(20),
        part(Component::Drive, 20),
    ],
    source: "judgement: memory, a cut write or a fault of the software damage a file system above drives that are well",
};
/// A volume is not in order by what QTS or LVM says.
pub static VOLUME_NOT_READY: Row = Row {
    situation: "a volume is not in order by what QTS, LVM or the device mapper says",
    shares: &[software(40), part(Component::Drive, 40), cable(20)],
    source: "judgement: a word about a volume does not say what is below it; locked or unmounted volumes look the same",
};
/// ZFS gave one device up after failed reads or writes.
pub static VDEV_FAULTED: Row = Row {
    situation: "ZFS gave up one device of a pool",
    shares: &[part(Component::Drive, 60), cable(20), shared(Component::Psu, 20)],
    source: "judgement: ZFS gives a device up when accesses fail, and drive, cable or supply can fail them",
};
/// A device of a pool is not there.
pub static VDEV_GONE: Row = Row {
    situation: "a device of a ZFS pool is not there",
    shares: &[part(Component::Drive, 50), cable(30), software(20)],
    source: "judgement: a drive that died, lost its link, or was taken out on purpose looks the same",
};
/// A device of a pool was switched off.
pub static VDEV_OFFLINE: Row = Row {
    situation: "a device of a ZFS pool was taken offline",
    shares: &[software(70), part(Component::Drive, 30)],
    source: "judgement: ZFS itself never writes OFFLINE (zpoolconcepts(7)): somebody, or the system for them, did",
};
/// Wrong checksums on one device.
pub static VDEV_CHECKSUMS: Row = Row {
    situation: "one device of a ZFS pool delivered data with wrong checksums",
    shares: &[part(Component::Drive, 50), cable(40), shared(Component::Memory, 10)],
    source: "judgement: wrong data from one drive only comes from it or from its link; memory would hit all",
};
/// Failed reads or writes on one device.
pub static VDEV_READS_AND_WRITES: Row = Row {
    situation: "one device of a ZFS pool failed reads or writes",
    shares: &[part(Component::Drive, 60), cable(40)],
    source: "judgement: a drive that cannot read and a link that drops commands count alike here",
};
/// Wrong checksums on several devices.
pub static VDEVS_CHECKSUMS: Row = Row {
    situation: "several devices of one ZFS pool delivered data with wrong checksums",
    shares: &[shared(Component::Memory, 40), shared(Component::Slot, 30), shared(Component::Psu, 30)],
    source: "judgement: drives do not begin to lie together; memory, controller or backplane, and supply are what they share",
};
/// Several devices of one pool are not in order.
pub static VDEVS_SEVERAL: Row = Row {
    situation: "several devices of one ZFS pool are not in order",
    shares: &[shared(Component::Slot, 40), shared(Component::Psu, 30), part(Component::Drive, 30)],
    source: "judgement: devices of one pool that fail together point at what they share",
};
/// A pool does not work.
pub static ZPOOL_NOT_RUNNING: Row = Row {
    situation: "a ZFS pool does not work, or says that it is not whole without saying why",
    shares: &[shared(Component::Slot, 40), part(Component::Drive, 30), shared(Component::Psu, 30)],
    source: "judgement: a pool stops when it loses more devices than it can, and that is mostly what they share",
};
/// A device is being filled.
pub static ZPOOL_REBUILT: Row = Row {
    situation: "a ZFS pool fills one of its devices",
    shares: &[part(Component::Drive, 50), cable(30), software(20)],
    source: "judgement: a drive that was replaced, lost its link for a while, or was put back on purpose",
};
/// Data errors, and no device or several count errors.
pub static ZPOOL_DATA_ERRORS: Row = Row {
    situation: "a ZFS pool lost data, and no single device counts the errors",
    shares: &[shared(Component::Memory, 40), part(Component::Drive, 30), shared(Component::Psu, 30)],
    source: "judgement: damage that no copy survives is written wrong (memory), or by several devices at once",
};
/// Data errors, and one device counts errors.
pub static ZPOOL_DATA_ERRORS_ONE: Row = Row {
    situation: "a ZFS pool lost data, and one device of it counts errors",
    shares: &[part(Component::Drive, 60), cable(30), shared(Component::Memory, 10)],
    source: "judgement: the device that counts them is the nearest cause, and its redundancy was gone",
};

/// Every row of this file.
pub(super) static STORAGE_ROWS: &[&Row] = &[
    &MEMBER_KICKED,
    &SEVERAL_KICKED,
    &MEMBER_MISSING,
    &ARRAY_NOT_RUNNING,
    &MEMBER_OUT_OF_DATE,
    &ARRAY_MISMATCH,
    &MEMBER_READ_ERRORS,
    &FILE_SYSTEM_DRIVE,
    &FILE_SYSTEM_DEVICE,
    &FILE_SYSTEM,
    &VOLUME_NOT_READY,
    &VDEV_FAULTED,
    &VDEV_GONE,
    &VDEV_OFFLINE,
    &VDEV_CHECKSUMS,
    &VDEV_READS_AND_WRITES,
    &VDEVS_CHECKSUMS,
    &VDEVS_SEVERAL,
    &ZPOOL_NOT_RUNNING,
    &ZPOOL_REBUILT,
    &ZPOOL_DATA_ERRORS,
    &ZPOOL_DATA_ERRORS_ONE,
];
