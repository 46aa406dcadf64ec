//! Lines that look like a fault and are none. They come first in the table, so they win over every other row.
//!
//! Announcements of drivers, empty bays, discards that a drive refuses, errors of devices that are not hardware, and
//! ext4's daily reminder of an old error. A pattern here must name the harmless form exactly: `mce:` alone would also
//! hide the overheated processor that kernels since 5.x print with that prefix.

use super::{About, Signature, row};

const fn benign(pattern: &'static str) -> Signature {
    row("benign", About::Machine, pattern)
}

pub(super) const ROWS: &[Signature] = &[
    benign(r"CPU\d+ supports (?:\d+ )?MCE banks"),
    benign(r"MCE: In-kernel MCE decoding enabled"),
    benign(r"EDAC MC: Ver: "),
    benign(r"AER: enabled with IRQ"),
    benign(r"ata\d+: DUMMY"),
    benign(r"Ignoring BGRT"),
    benign(r"ACPI (?:BIOS )?Error[^\n]*AE_(?:NOT_FOUND|ALREADY_EXISTS)"),
    benign(r"operation not supported error, dev "),
    benign(r"critical target error, dev [^\n]*\((?:DISCARD|WRITE_ZEROES|WRITE_SAME|SECURE_ERASE)\)"),
    benign(r"error, dev (?:loop|fd|sr|nbd|ram|zram)\d"),
    benign(r"Buffer I/O error on dev(?:ice)? (?:loop|fd|sr|nbd|ram|zram)\d"),
    benign(r"EXT[34]-fs \(\S+\): (?:initial|last) error at time"),
    benign(r"usb-storage[^\n]*: device ignored"),
    benign(r"missing or invalid SUBNQN field"),
    benign(r"Ignoring bogus Namespace Identifiers|globally duplicate IDs for nsid"),
    benign(r"perf: interrupt took too long"),
    benign(r"smpboot: "),
    benign(r"\[Firmware Bug\]"),
    benign(r"iTCO_wdt[^\n]*: (?:Found a|initialized|Intel TCO)"),
    benign(r"SError: \{ \}"),
];

#[cfg(test)]
mod tests {
    use super::super::testing::{check_family, none};

    #[test]
    fn what_traps_a_naive_matcher() {
        check_family(
            super::ROWS,
            &[
                none("mce: CPU0 supports MCE banks"),
                none("mce: CPU0 supports 6 MCE banks"),
                none("MCE: In-kernel MCE decoding enabled."),
                none("EDAC MC: Ver: 3.0.0"),
                none("pcieport 0000:00:1c.0: AER: enabled with IRQ 122"),
                none("ata1: DUMMY"),
                none("Ignoring BGRT: failed to map image header memory"),
                none("ACPI Error: AE_NOT_FOUND, Evaluating _STA (20150619/uteval-103)"),
                none(
                    "ACPI BIOS Error (bug): Could not resolve [\\_SB.PCI0], AE_NOT_FOUND (20200925/psargs-330)",
                ),
                none(
                    "blk_update_request: operation not supported error, dev sdb, sector 8 op 0x3:(DISCARD) flags 0x0",
                ),
                none("critical target error, dev sda, sector 8 op 0x3:(DISCARD) flags 0x800"),
                none(
                    "blk_update_request: critical target error, dev sda, sector 8 op 0x9:(WRITE_ZEROES) flags 0x0",
                ),
                none("blk_update_request: I/O error, dev fd0, sector 0"),
                none("I/O error, dev loop3, sector 0 op 0x0:(READ)"),
                none("Buffer I/O error on device sr0, logical block 9"),
                none("Buffer I/O error on dev fd0, logical block 0, async page read"),
                none("EXT4-fs (dm-7): last error at time 1593093822: ext4_lookup:1590: inode 12"),
                none("EXT4-fs (dm-7): initial error at time 1593093822: ext4_lookup:1590: inode 12"),
                none("usb-storage 1-4:1.0: device ignored"),
                none("nvme nvme0: missing or invalid SUBNQN field."),
                none("nvme nvme0: Ignoring bogus Namespace Identifiers"),
                none("nvme nvme1: globally duplicate IDs for nsid 1"),
                none(
                    "perf: interrupt took too long (2501 > 2500), lowering kernel.perf_event_max_sample_rate to 79750",
                ),
                none("smpboot: CPU 1 is now offline"),
                none("[Firmware Bug]: TSC_DEADLINE disabled due to Errata"),
                none("iTCO_wdt iTCO_wdt: initialized. heartbeat=30 sec (nowayout=0)"),
                none("ata3: SError: { }"),
            ],
        );
    }
}
