//! Memory, processor, mainboard, cards and what is fixed to them.

use assay_bundle::diagnosis::{Component, SuspectKind};

use super::{Row, Share, cable, environment, part, shared, software};

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
/// The boot device fails now and then.
pub static BOOT_DEVICE_FAILS: Row = Row {
    situation: "the boot device is reset, leaves its bus or fails to be read",
    shares: &[part(Component::BootDevice, 70), shared(Component::Mainboard, 30)],
    source: "judgement after reports of boot modules of QNAP units: the module wears out before the board",
};
/// The boot device fails in a unit whose board clock may be wearing out.
pub static BOOT_DEVICE_OR_CLOCK: Row = Row {
    situation: "the boot device fails and readings of the board make no sense, in a family whose board clock wears out",
    shares: &[shared(Component::Mainboard, 60), part(Component::BootDevice, 40)],
    source: "judgement after owners' reports of the family: both hang on one clock",
};
/// Writes to the boot device fail.
pub static BOOT_WRITES_FAIL: Row = Row {
    situation: "writes to the boot device are lost or its file system was made read-only",
    shares: &[part(Component::BootDevice, 90), shared(Component::Mainboard, 10)],
    source: "judgement: flash at its end refuses writes first",
};
/// The boot device is not there.
pub static BOOT_DEVICE_GONE: Row = Row {
    situation: "the system names its boot device and the kernel does not list it",
    shares: &[part(Component::BootDevice, 60), shared(Component::Mainboard, 20), software(20)],
    source: "judgement: it fell off its bus, or it has another name than the configuration says",
};
/// The boot device's own wear.
pub static BOOT_DEVICE_WORN: Row = Row {
    situation: "the boot device says that it is worn out",
    shares: &[part(Component::BootDevice, 100)],
    source: "JEDEC JESD84-B51: the chip's own estimate of its life and reserve",
};
/// The hardware clock loses its time.
pub static CLOCK_BATTERY: Row = Row {
    situation: "the hardware clock loses its time when the power is off",
    shares: &[part(Component::RtcBattery, 80), shared(Component::Mainboard, 20)],
    source: "judgement: cells last about ten years, clock circuits longer",
};
/// The clocks are far apart.
pub static CLOCK_DRIFTS: Row = Row {
    situation: "the hardware clock is far from the synchronised system clock, and no time zone explains it",
    shares: &[part(Component::RtcBattery, 50), software(50)],
    source: "unknown split, shared equally: a weak cell, or a clock that somebody set wrong",
};
/// The board clock of a family of processors may be wearing out.
pub static BOARD_CLOCK: Row = Row {
    situation: "readings over the board's bus make no sense in a family of processors whose clock output wears out",
    shares: &[shared(Component::Mainboard, 70), software(20), part(Component::BootDevice, 10)],
    source: "judgement after owners' and repairers' reports of the family; not measured",
};
/// A network adapter hangs.
pub static NIC_HANGS: Row = Row {
    situation: "a network adapter hangs or falls off its bus",
    shares: &[part(Component::Nic, 50), software(30), shared(Component::Mainboard, 20)],
    source: "judgement: adapters and their drivers hang alike; the slot comes last",
};
/// A network link is bad.
pub static NIC_LINK: Row = Row {
    situation: "a network link is lost again and again, has bad checksums or is slower than its port",
    shares: &[cable(60), environment(Component::Environment, 20), part(Component::Nic, 20)],
    source: "judgement: cables go bad far more often than switches or ports",
};
/// Firmware with a published notice.
pub static FIRMWARE_NOTICE: Row = Row {
    situation: "the firmware has a fault that its maker published",
    shares: &[software(100)],
    source: "the maker's own notice",
};
/// The board's controller calls a fan critical.
pub static CONTROLLER_FAN: Row = Row {
    situation: "the board's controller says that a fan turns too slowly",
    shares: &[part(Component::Fan, 70), shared(Component::Mainboard, 20), software(10)],
    source: "judgement: fans fail far more often than headers, and limits may be wrong for another fan",
};
/// The board's controller calls a power unit's sensor critical.
pub static CONTROLLER_SUPPLY: Row = Row {
    situation: "the board's controller says that a reading of a power unit is critical",
    shares: &[part(Component::Psu, 80), environment(Component::PowerInput, 20)],
    source: "judgement: the unit's own fan, heat or output, else its input",
};
/// The board's controller sees heat.
pub static CONTROLLER_COOLING: Row = Row {
    situation: "the board's controller saw a temperature outside its limits",
    shares: &[environment(Component::Cooling, 60), environment(Component::Environment, 40)],
    source: "judgement: air flow of the unit, else the room",
};
/// The board's controller reports something else.
pub static CONTROLLER_OTHER: Row = Row {
    situation: "the board's controller, or QTS, reports trouble that no other reading shows",
    shares: &[shared(Component::Mainboard, 50), software(50)],
    source: "unknown split, shared equally: a part of the board, or limits and firmware of what watches it",
};

/// Every row of this file.
pub(super) static BOARD_ROWS: &[&Row] = &[
    &MEMORY_UE_PLACED,
    &MEMORY_UE_UNPLACED,
    &MEMORY_CE,
    &MEMORY_BEHIND_CHECKSUMS,
    &MEMORY_GONE,
    &PROCESSOR_CORRECTED,
    &PROCESSOR_UNCORRECTED,
    &PCI_CORRECTED,
    &PCI_UNCORRECTED,
    &PCI_LOST,
    &BOARD_NMI,
    &BOOT_DEVICE_FAILS,
    &BOOT_DEVICE_OR_CLOCK,
    &BOOT_WRITES_FAIL,
    &BOOT_DEVICE_GONE,
    &BOOT_DEVICE_WORN,
    &CLOCK_BATTERY,
    &CLOCK_DRIFTS,
    &BOARD_CLOCK,
    &NIC_HANGS,
    &NIC_LINK,
    &FIRMWARE_NOTICE,
    &CONTROLLER_FAN,
    &CONTROLLER_SUPPLY,
    &CONTROLLER_COOLING,
    &CONTROLLER_OTHER,
];
