//! Memory, processor, mainboard, cards and what is fixed to them.

use assay_bundle::diagnosis::{Component, SuspectKind};

use super::{Row, Share, part, shared};

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
/// Memory that needs correction often.
pub static MEMORY_CE: Row = Row {
    situation: "memory needs correction again and again",
    shares: &[part(Component::Memory, 70), shared(Component::Mainboard, 20), part(Component::Cpu, 10)],
    source: "judgement after the DRAM studies (Schroeder et al. 2009: errors are dominated by hard faults of modules); contacts are the rest",
};
/// Several drives deliver wrong checksums.
pub static MEMORY_BEHIND_CHECKSUMS: Row = Row {
    situation: "several devices deliver data with wrong checksums at once",
    shares: &[shared(Component::Memory, 40), shared(Component::Slot, 30), shared(Component::Psu, 30)],
    source: "judgement: memory, controller or backplane, and supply are what all drives share",
};
/// Memory that was there is gone.
pub static MEMORY_GONE: Row = Row {
    situation: "memory that was there is gone",
    shares: &[
        part(Component::Memory, 40),
        Share { kind: SuspectKind::Configuration, component: Component::Memory, percent: 40 },
        shared(Component::Mainboard, 20),
    ],
    source: "judgement: a module that failed and one that was taken out look the same; contacts and sockets are the rest",
};
/// Every row of this file.
pub(super) static BOARD_ROWS: &[&Row] =
    &[&MEMORY_UE_PLACED, &MEMORY_UE_UNPLACED, &MEMORY_CE, &MEMORY_BEHIND_CHECKSUMS, &MEMORY_GONE];
