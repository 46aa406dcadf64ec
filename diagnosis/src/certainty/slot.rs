//! What drives hang on: slots, backplanes, controllers, enclosures.

use assay_bundle::diagnosis::{Component, SuspectKind};

use super::{Row, Share, cable, environment, part, shared, software};

/// Several drives behind one port multiplier show one mark.
pub static SHARED_PORT_MULTIPLIER: Row = Row {
    situation: "several drives behind one port multiplier show one mark at once",
    shares: &[shared(Component::Slot, 50), cable(20), part(Component::Drive, 20), software(10)],
    source: "judgement: one link carries them all, and one bad drive can hold up the others on it",
};
/// Several drives behind one expander show one mark.
pub static SHARED_EXPANDER: Row = Row {
    situation: "several drives behind one SAS expander show one mark at once",
    shares: &[shared(Component::Slot, 40), cable(30), part(Component::Drive, 20), software(10)],
    source: "judgement: expander, its cable, or one drive that disturbs the others on it",
};
/// Several drives on one controller show one mark, and drives elsewhere do not.
pub static SHARED_CONTROLLER: Row = Row {
    situation: "several drives of one controller show one mark at once, and drives elsewhere do not",
    shares: &[shared(Component::Mainboard, 40), shared(Component::Slot, 30), cable(20), software(10)],
    source: "judgement: the controller is the smallest part that they share; a row of the backplane often hangs on it too",
};
/// Several drives of one enclosure show one mark.
pub static SHARED_ENCLOSURE: Row = Row {
    situation: "several drives of one enclosure show one mark at once",
    shares: &[
        shared(Component::Enclosure, 40),
        cable(30),
        shared(Component::Psu, 20),
        environment(Component::PowerInput, 10),
    ],
    source: "judgement: the enclosure, the cable to it, or its supply; drives of other enclosures show nothing",
};
/// Several drives show one mark and share everything.
pub static SHARED_UNIT: Row = Row {
    situation: "several drives show one mark at once, and what they share cannot be narrowed down",
    shares: &[
        shared(Component::Psu, 30),
        shared(Component::Slot, 30),
        shared(Component::Mainboard, 20),
        software(20),
    ],
    source: "judgement: all drives hang on one controller or their paths are not known, so power, backplane, controller and driver are about equal",
};
/// Several drives of different controllers show one mark.
pub static SHARED_POWER: Row = Row {
    situation: "several drives of different controllers show one mark at once",
    shares: &[
        shared(Component::Psu, 50),
        environment(Component::PowerInput, 20),
        shared(Component::Slot, 20),
        software(10),
    ],
    source: "judgement: drives of different controllers share little but their power; a new kernel can do it too",
};
/// Several drives failed to read in the same moment.
pub static SHARED_MEDIA: Row = Row {
    situation: "several drives failed to read in the same moment",
    shares: &[
        shared(Component::Psu, 30),
        part(Component::Drive, 30),
        environment(Component::PowerInput, 20),
        shared(Component::Slot, 20),
    ],
    source: "judgement: a write that a power loss cut short is unreadable on all drives of the stripe; unrelated bad sectors seldom meet",
};
/// Drives are gone together and nobody logged why.
pub static GONE_TOGETHER: Row = Row {
    situation: "several drives are gone since the same day and nothing says why",
    shares: &[
        Share { kind: SuspectKind::Configuration, component: Component::StorageState, percent: 50 },
        shared(Component::Slot, 30),
        shared(Component::Psu, 20),
    ],
    source: "judgement: taken out together, or a row of the backplane without power; half each",
};
/// Errors stay with a bay while its drives change.
pub static BAY_FOLLOWED: Row = Row {
    situation: "errors stay with one bay while the drives in it change",
    shares: &[shared(Component::Slot, 70), cable(10), shared(Component::Psu, 10), part(Component::Drive, 10)],
    source: "judgement: what stays while the drives change is the slot and what leads to it",
};
/// Errors move with a drive from bay to bay.
pub static DRIVE_FOLLOWED: Row = Row {
    situation: "link errors move with one drive from bay to bay",
    shares: &[part(Component::Drive, 80), shared(Component::Slot, 20)],
    source: "judgement: what moves with the drive is its connector or its electronics",
};
/// A bay lost several drives.
pub static BAY_LOSES: Row = Row {
    situation: "different drives left one bay within half a year and other bays kept theirs",
    shares: &[
        shared(Component::Slot, 50),
        Share { kind: SuspectKind::Configuration, component: Component::StorageState, percent: 30 },
        part(Component::Drive, 20),
    ],
    source: "judgement: a slot that loses contact or power, bad luck with drives, or drives that were changed by hand",
};
/// A drive left the bus and did not come back.
pub static DROPPED: Row = Row {
    situation: "a drive left the bus and did not come back",
    shares: &[part(Component::Drive, 50), shared(Component::Slot, 30), cable(20)],
    source: "judgement: a drive that died and a slot without contact or power leave the same lines",
};
/// A drive left the bus after errors on its link.
pub static DROPPED_AFTER_LINK_ERRORS: Row = Row {
    situation: "a drive left the bus after errors on its link",
    shares: &[shared(Component::Slot, 40), part(Component::Drive, 30), cable(30)],
    source: "judgement: damaged data on the link before it went speaks for the path to the drive",
};
/// A drive left the bus, and there is other word that it fails.
pub static DROPPED_FAILING: Row = Row {
    situation: "a drive left the bus, and its own counters or failed reads spoke against it before",
    shares: &[part(Component::Drive, 90), shared(Component::Slot, 10)],
    source: "judgement after CDEF (USENIX ATC 2018): counters and kernel errors together beat either alone",
};
/// An NVMe drive left the bus.
pub static DROPPED_NVME: Row = Row {
    situation: "an NVMe drive left the bus and did not come back",
    shares: &[part(Component::Drive, 50), shared(Component::Slot, 30), software(20)],
    source: "judgement: drive, slot, or power saving that the drive does not stand (the kernel's own hint)",
};
/// The RAID group of an enclosure is degraded.
pub static ENCLOSURE_GROUP_DEGRADED: Row = Row {
    situation: "an enclosure that makes RAID in hardware is said to have lost a member",
    shares: &[part(Component::Drive, 70), shared(Component::Enclosure, 30)],
    source: "judgement: a member fails more often than the enclosure that holds it",
};
/// An enclosure complains.
pub static ENCLOSURE_REPORTS: Row = Row {
    situation: "an enclosure complains of its fans, temperature or supply",
    shares: &[shared(Component::Enclosure, 100)],
    source: "SCSI SES: the enclosure's own watch over its parts",
};
/// Every row of this file.
pub(super) static SLOT_ROWS: &[&Row] = &[
    &SHARED_PORT_MULTIPLIER,
    &SHARED_EXPANDER,
    &SHARED_CONTROLLER,
    &SHARED_ENCLOSURE,
    &SHARED_UNIT,
    &SHARED_POWER,
    &SHARED_MEDIA,
    &GONE_TOGETHER,
    &BAY_FOLLOWED,
    &DRIVE_FOLLOWED,
    &BAY_LOSES,
    &DROPPED,
    &DROPPED_AFTER_LINK_ERRORS,
    &DROPPED_FAILING,
    &DROPPED_NVME,
    &ENCLOSURE_GROUP_DEGRADED,
    &ENCLOSURE_REPORTS,
];
