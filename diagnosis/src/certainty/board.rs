//! Memory, processor, mainboard, cards and what is fixed to them.

use assay_bundle::diagnosis::{Component, SuspectKind};

use super::{Row, Share, cable, part, shared, software};

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
/// The processor corrects errors of its own.
pub static PROCESSOR_CORRECTED: Row = Row {
    situation: "the processor corrects errors of its own",
    shares: &[part(Component::Cpu, 60), shared(Component::Mainboard, 20), shared(Component::Psu, 20)],
    source: "judgement: one bank is one unit of the processor; its supply on the board and the power supply can cause the same",
};
/// The processor met an error that it could not correct.
pub static PROCESSOR_UNCORRECTED: Row = Row {
    situation: "the processor met an error that it could not correct",
    shares: &[part(Component::Cpu, 50), part(Component::Mainboard, 40), shared(Component::Psu, 10)],
    source: "judgement: on these machines processor and board are one part to replace; the split between them is unknown",
};
/// A PCIe link corrects errors all the time.
pub static PCI_CORRECTED: Row = Row {
    situation: "a PCIe link corrects errors all the time",
    shares: &[cable(50), part(Component::Slot, 30), software(20)],
    source: "judgement: contacts and risers first; power saving of the link makes the same errors",
};
/// A PCIe link met an error that it could not correct.
pub static PCI_UNCORRECTED: Row = Row {
    situation: "a PCIe link met an error that it could not correct and went on",
    shares: &[cable(40), part(Component::Slot, 30), software(30)],
    source: "judgement: contacts, the device or slot, or its driver; one error alone does not tell",
};
/// A PCIe port shut itself off, or lost its device.
pub static PCI_LOST: Row = Row {
    situation: "a PCIe port shut itself off after errors, or lost its device",
    shares: &[part(Component::Slot, 40), cable(40), shared(Component::Mainboard, 20)],
    source: "judgement: the card or drive in the slot, its contacts, or the board",
};
/// The board reported a fault without saying which.
pub static BOARD_NMI: Row = Row {
    situation: "the board reported a fault to the processor without saying which",
    shares: &[shared(Component::Mainboard, 50), shared(Component::Memory, 30), software(20)],
    source: "judgement: system error and I/O check lines are raised by buses and by memory; unknown ones also by drivers",
};
/// Every row of this file.
pub(super) static BOARD_ROWS: &[&Row] =
    &[&MEMORY_UE_PLACED, &MEMORY_UE_UNPLACED, &MEMORY_CE, &MEMORY_BEHIND_CHECKSUMS, &MEMORY_GONE];
