//! The one table of certainties: for each situation, how sure each suspect is, and who says so.
//!
//! Certainties go in steps of 10 and add to 100; where nothing is known about the split it is an equal one and says
//! so. A row without a published source says `judgement`. Rules pick a row and name places; they hold no percentage.

use assay_bundle::diagnosis::{Component, Suspect, SuspectKind};

/// One suspect's share of a row.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// What kind of thing.
    pub kind: SuspectKind,
    /// Which component.
    pub component: Component,
    /// Certainty, 10 to 100 percent.
    pub percent: u8,
}

/// One situation.
#[derive(Debug)]
pub struct Row {
    /// What was seen, in words.
    pub situation: &'static str,
    /// Suspects, likeliest first; percents add to 100.
    pub shares: &'static [Share],
    /// A source, or the word `judgement` and why.
    pub source: &'static str,
}

/// Where a suspect is, and which one it is.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// As printed on the chassis, or the kernel's name said as such.
    pub location: String,
    /// Serial number, where it was read.
    pub serial: Option<String>,
    /// Firmware revision, where it was read.
    pub firmware: Option<String>,
}

impl Place {
    /// A place without serial or firmware.
    pub fn at(location: impl Into<String>) -> Self {
        Self { location: location.into(), serial: None, firmware: None }
    }
}

impl Row {
    /// The suspects of this row at the places that `place` names.
    pub fn suspects(&self, place: impl Fn(&Share) -> Place) -> Vec<Suspect> {
        let suspect = |share: &Share| {
            let Place { location, serial, firmware } = place(share);
            Suspect {
                kind: share.kind,
                component: share.component,
                location,
                serial,
                firmware,
                certainty_percent: share.percent,
                certainty_source: self.source.to_owned(),
            }
        };
        self.shares.iter().map(suspect).collect()
    }
}

const fn part(component: Component, percent: u8) -> Share {
    Share { kind: SuspectKind::Part, component, percent }
}
const fn shared(component: Component, percent: u8) -> Share {
    Share { kind: SuspectKind::SharedPart, component, percent }
}
const fn cable(percent: u8) -> Share {
    Share { kind: SuspectKind::Cable, component: Component::Link, percent }
}
const fn environment(component: Component, percent: u8) -> Share {
    Share { kind: SuspectKind::Environment, component, percent }
}
const fn software(percent: u8) -> Share {
    Share { kind: SuspectKind::Software, component: Component::Software, percent }
}

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
/// Pending sectors on several drives.
pub static PENDING_SEVERAL_DRIVES: Row = Row {
    situation: "several drives have sectors that they could not read",
    shares: &[part(Component::Drive, 50), shared(Component::Psu, 30), environment(Component::PowerInput, 20)],
    source: "judgement: one mark on several drives points at what they share (supply, a power loss)",
};
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
/// A fan that should turn stands still.
pub static FAN_STALLED: Row = Row {
    situation: "a fan that should turn does not",
    shares: &[part(Component::Fan, 70), cable(20), shared(Component::Mainboard, 10)],
    source: "judgement: bearings and dust stop fans far more often than connectors or headers fail",
};
/// A fan stands still, and it may be meant to.
pub static FAN_STANDS_STILL: Row = Row {
    situation: "a fan stands still, and some models stop fans on purpose",
    shares: &[
        part(Component::Fan, 50),
        Share { kind: SuspectKind::Configuration, component: Component::Cooling, percent: 50 },
    ],
    source: "unknown split, shared equally: one sample cannot tell a stalled fan from a stopped one",
};
/// QTS says that a power unit failed.
pub static POWER_UNIT_FAILED: Row = Row {
    situation: "a power unit of two is reported as failed",
    shares: &[part(Component::Psu, 60), environment(Component::PowerInput, 40)],
    source: "judgement: a unit whose cable or outlet is dead is reported the same way",
};
/// QTS says that a power unit is not there.
pub static POWER_UNIT_REMOVED: Row = Row {
    situation: "a power unit of two is reported as taken out",
    shares: &[
        part(Component::Psu, 50),
        Share { kind: SuspectKind::Configuration, component: Component::PowerInput, percent: 50 },
    ],
    source: "unknown split, shared equally: taken out on purpose or never fitted, or no longer seen",
};
/// Drives are too hot and no fan is known to be at fault.
pub static TOO_HOT: Row = Row {
    situation: "drives are too hot and no fan is known to be at fault",
    shares: &[environment(Component::Cooling, 50), environment(Component::Environment, 50)],
    source: "unknown split, shared equally: dust and fans, or the room",
};
/// Drives are too hot while a fan stands still.
pub static TOO_HOT_FAN: Row = Row {
    situation: "drives are too hot while a fan stands still",
    shares: &[
        part(Component::Fan, 70),
        environment(Component::Cooling, 20),
        environment(Component::Environment, 10),
    ],
    source: "judgement: a fan that stands still explains the heat behind it",
};
/// An uncorrected memory error with its module.
pub static MEMORY_UE_PLACED: Row = Row {
    situation: "a memory module delivered data that could not be corrected",
    shares: &[part(Component::Memory, 80), part(Component::Cpu, 10), shared(Component::Mainboard, 10)],
    source: "judgement after the DRAM studies (Schroeder et al. 2009: hard faults of modules dominate; servers replace on any)",
};
/// An uncorrected memory error without its module.
pub static MEMORY_UE_UNPLACED: Row = Row {
    situation: "memory delivered data that could not be corrected, and the module was not recorded",
    shares: &[shared(Component::Memory, 80), part(Component::Cpu, 10), shared(Component::Mainboard, 10)],
    source: "judgement after the DRAM studies (Schroeder et al. 2009); which module is not known",
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

/// Every row.
pub static TABLE: &[&Row] = &[
    &DRIVE_PREDICTS_FAILURE,
    &DRIVE_FAILS_WITHOUT_REASON,
    &ATTRIBUTE_AT_LIMIT,
    &DRIVE_WORN,
    &PENDING_ONE_DRIVE,
    &PENDING_WITH_WITNESS,
    &PENDING_SEVERAL_DRIVES,
    &MEMBER_KICKED,
    &SEVERAL_KICKED,
    &MEMBER_MISSING,
    &ARRAY_NOT_RUNNING,
    &FAN_STALLED,
    &FAN_STANDS_STILL,
    &POWER_UNIT_FAILED,
    &POWER_UNIT_REMOVED,
    &TOO_HOT,
    &TOO_HOT_FAN,
    &MEMORY_UE_PLACED,
    &MEMORY_UE_UNPLACED,
    &READER_STUCK,
    &READERS_STUCK,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_adds_to_100_in_steps_of_10_and_has_a_source() {
        for row in TABLE {
            let percents: Vec<u8> = row.shares.iter().map(|s| s.percent).collect();
            let sum: u32 = percents.iter().copied().map(u32::from).sum();
            assert_eq!(sum, 100, "{}", row.situation);
            assert!(percents.iter().all(|p| p % 10 == 0 && *p > 0), "{}: {percents:?}", row.situation);
            assert!(percents.is_sorted_by(|a, b| a >= b), "{}: likeliest first", row.situation);
            assert!(!row.source.is_empty(), "{}", row.situation);
        }
    }
}
