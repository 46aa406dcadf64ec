//! Memory, processor, mainboard, cards and what is fixed to them.

use assay_bundle::diagnosis::Component;

use super::{Row, part, shared, software};

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
/// Every row of this file.
pub(super) static BOARD_ROWS: &[&Row] = &[
    &MEMORY_UE_PLACED,
    &MEMORY_UE_UNPLACED,
    &BOOT_DEVICE_FAILS,
    &BOOT_DEVICE_OR_CLOCK,
    &BOOT_WRITES_FAIL,
    &BOOT_DEVICE_GONE,
    &BOOT_DEVICE_WORN,
    &CLOCK_BATTERY,
    &CLOCK_DRIFTS,
    &BOARD_CLOCK,
];
