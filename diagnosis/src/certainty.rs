//! The one table of certainties: for each situation, how sure each suspect is, and who says so.
//!
//! Certainties go in steps of 10 and add to 100; where nothing is known about the split it is an equal one and says
//! so. A row without a published source says `judgement`. Rules pick a row and name places; they hold no percentage.

use assay_bundle::diagnosis::{Component, Suspect, SuspectKind};

mod board;
mod cooling;
mod drive;
mod nvme;
mod power;
mod slot;
mod storage;

pub use board::*;
pub use cooling::*;
pub use drive::*;
pub use nvme::*;
pub use power::*;
pub use slot::*;
pub use storage::*;

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

/// Every row, by family.
pub fn table() -> impl Iterator<Item = &'static Row> {
    let families = [BOARD_ROWS, COOLING_ROWS, DRIVE_ROWS, NVME_ROWS, POWER_ROWS, SLOT_ROWS, STORAGE_ROWS];
    families.into_iter().flatten().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_its_list() {
        for (source, rows) in [
            (include_str!("certainty/board.rs"), BOARD_ROWS),
            (include_str!("certainty/cooling.rs"), COOLING_ROWS),
            (include_str!("certainty/drive.rs"), DRIVE_ROWS),
            (include_str!("certainty/nvme.rs"), NVME_ROWS),
            (include_str!("certainty/power.rs"), POWER_ROWS),
            (include_str!("certainty/slot.rs"), SLOT_ROWS),
            (include_str!("certainty/storage.rs"), STORAGE_ROWS),
        ] {
            let written = source.lines().filter(|line| line.starts_with("pub static ")).count();
            assert_eq!(written, rows.len(), "a row that is in no list is never checked: {source}");
        }
    }

    #[test]
    fn every_row_adds_to_100_in_steps_of_10_and_has_a_source() {
        for row in table() {
            let percents: Vec<u8> = row.shares.iter().map(|s| s.percent).collect();
            let sum: u32 = percents.iter().copied().map(u32::from).sum();
            assert_eq!(sum, 100, "{}", row.situation);
            assert!(percents.iter().all(|p| p % 10 == 0 && *p > 0), "{}: {percents:?}", row.situation);
            assert!(percents.is_sorted_by(|a, b| a >= b), "{}: likeliest first", row.situation);
            assert!(!row.source.is_empty(), "{}", row.situation);
        }
    }
}
