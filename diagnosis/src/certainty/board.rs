//! Memory, processor, mainboard, cards and what is fixed to them.

use assay_bundle::diagnosis::Component;

use super::{Row, part, shared};

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
/// Every row of this file.
pub(super) static BOARD_ROWS: &[&Row] = &[&MEMORY_UE_PLACED, &MEMORY_UE_UNPLACED];
