//! Processor, memory, PCIe and temperature (hardware.md 3.4, rows 50 to 66), and the kernel's own crashes.
//!
//! A machine check is a block of `[Hardware Error]:` lines, an error of the PCIe bus one of the same address: each is
//! one event. AER's wording went from `Corrected error received` to `Correctable error message received from`. An
//! overheated processor is printed with `mce:` in front since 5.x and is no machine check.

use super::{About, Block, Signature, joined, row};

const DEVICE: About = About::Group("");
const CPU: About = About::Group("cpu");

const fn hardware(name: &'static str, about: About, pattern: &'static str) -> Signature {
    joined(Block::HardwareError, name, about, pattern)
}

const fn pcie(name: &'static str, pattern: &'static str) -> Signature {
    joined(Block::Pcie, name, DEVICE, pattern)
}

pub(super) const ROWS: &[Signature] = &[
    // The status register's bits 61 (uncorrected) and 57 (processor context corrupt) are bit 1 of its first two digits
    // (Intel SDM volume 3B, 16.3.2.2).
    hardware(
        "mce-uncorrected",
        CPU,
        r"CPU (?P<subject>\d+): Machine Check(?: Exception)?: [0-9a-f]+ Bank (?P<bank>\d+): (?P<status>(?:[2367abef][0-9a-f]|[0-9a-f][2367abef])[0-9a-f]{14})\b",
    ),
    hardware(
        "mce-corrected",
        CPU,
        r"CPU (?P<subject>\d+): Machine Check(?: Exception)?: [0-9a-f]+ Bank (?P<bank>\d+): (?P<status>[0-9a-f]{16})\b",
    ),
    hardware("dram-ecc", About::Machine, r"\[Hardware Error\]:[^\n]*DRAM ECC error"),
    hardware(
        "hardware-error-uncorrected",
        About::Machine,
        r"\[Hardware Error\]: (?:Uncorrected, software (?:restartable|containable)|Fatal|System Fatal error)",
    ),
    hardware("hardware-error-deferred", About::Machine, r"\[Hardware Error\]: Deferred error"),
    hardware(
        "hardware-error-corrected",
        About::Machine,
        r"\[Hardware Error\]: Corrected error, no action required",
    ),
    hardware("firmware-error-fatal", About::Machine, r"\[Hardware Error\]: +event severity: (?:fatal|panic)"),
    hardware(
        "firmware-error-recoverable",
        About::Machine,
        r"\[Hardware Error\]: +event severity: recoverable",
    ),
    hardware("firmware-error-corrected", About::Machine, r"\[Hardware Error\]: +event severity: corrected"),
    hardware(
        "hardware-error",
        About::Machine,
        r"\[Hardware Error\]: +section_?type: (?P<section>[A-Za-z ]+error)",
    ),
    hardware("hardware-error", About::Machine, r"\[Hardware Error\]: +fru_text: (?P<module>\S+)"),
    hardware(
        "hardware-error",
        About::Machine,
        r"\[Hardware Error\]: CPU:\d+ \([^)]*\) MC(?P<bank>\d+)_STATUS\[[^\]]*\]: (?P<status>0x[0-9a-f]+)",
    ),
    row("mce-logged", About::Machine, r"\[Hardware Error\]: Machine check events logged"),
    hardware("hardware-error", About::Machine, r"\[Hardware Error\]: "),
    row(
        "edac-corrected",
        About::Lower,
        r"EDAC (?P<subject>MC\d+): (?P<count>\d+) CE (?:[^\n]* on (?P<module>\S+) \()?",
    ),
    row(
        "edac-uncorrected",
        About::Lower,
        r"EDAC (?P<subject>MC\d+): (?P<count>\d+) UE (?:[^\n]* on (?P<module>\S+) \()?",
    ),
    row("ecc-driver", About::Lower, r"EDAC (?P<subject>MC\d+): Giving out device to "),
    row("ecc-enabled", About::Machine, r"EDAC [^\n]*DRAM ECC enabled"),
    row("ecc-disabled", About::Machine, r"EDAC [^\n]*(?:DRAM ECC|ECC) disabled"),
    row(
        "memory-page-failed",
        About::Machine,
        r"Memory failure: 0x[0-9a-f]+: (?:recovery action|Sending SIGBUS)",
    ),
    row("cpu-throttled", CPU, r"CPU(?P<subject>\d+): (?:Core|Package) temperature (?:is )?above threshold"),
    row("thermal-shutdown", DEVICE, r"(?P<subject>thermal_zone\d+): critical temperature reached"),
    row("thermal-shutdown", About::Machine, r"critical temperature reached \(\d+ C\), shutting down"),
    pcie(
        "pcie-uncorrected",
        r"(?P<subject>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): (?:AER: )?PCIe Bus Error: severity=Uncorrect[^\n]*type=(?P<layer>(?:Physical|Data Link|Transaction) Layer)",
    ),
    pcie(
        "pcie-corrected",
        r"(?P<subject>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): (?:AER: )?PCIe Bus Error: severity=Correct[^\n]*type=(?P<layer>(?:Physical|Data Link|Transaction) Layer)",
    ),
    pcie(
        "pcie-error",
        r"(?P<subject>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): +\[ ?\d+\] (?P<bit>(?:Receiver Error|Bad TLP|Bad DLLP|Replay Timer Timeout|Unsupported Request|Completion Timeout)|[A-Za-z]+)",
    ),
    row(
        "pcie-error-message",
        DEVICE,
        r"(?P<subject>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): AER: (?:Multiple )?(?P<severity>Corrected|Correctable|Uncorrected|Uncorrectable)[^\n]*error(?: message)? received",
    ),
    row(
        "pcie-contained",
        DEVICE,
        r"(?P<subject>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): DPC: containment event",
    ),
    row("pcie-surprise-removal", DEVICE, r"(?P<subject>Slot\([^)]*\)): (?:Link Down|Card not present)"),
    row(
        "nmi-error",
        About::Machine,
        r"NMI: (?:PCI system error|IOCK error)|Uhhuh\. NMI received for unknown reason",
    ),
    row(
        "task-stuck",
        About::Machine,
        r"soft lockup - CPU#\d+ stuck|blocked for more than \d+ seconds|rcu_\w+ (?:self-)?detected stall",
    ),
    row(
        "watchdog-left-running",
        About::Machine,
        r"watchdog\d+: watchdog did not stop!|iTCO_wdt[^\n]*: Unexpected close",
    ),
    row("reset-reason", About::Machine, r"Previous system reset reason \[(?P<code>0x[0-9a-f]+)\]"),
    row("undervoltage", DEVICE, r"hwmon (?P<subject>hwmon\d+): Undervoltage detected!"),
    row("undervoltage", About::Machine, r"Under-?voltage detected!"),
    row("voltage-normal-again", About::Machine, r"Voltage normalised"),
    row("kernel-panic", About::Machine, r"Kernel panic - not syncing"),
    row(
        "kernel-crash",
        About::Machine,
        r"BUG: unable to handle|general protection fault|(?:^|\s)Oops: |Internal error: Oops",
    ),
];

#[cfg(test)]
mod tests {
    use super::super::testing::{check_family, none, some};

    fn machine(line: &'static str, name: &'static str) -> super::super::testing::Line {
        (line, Some((name, None, 1)))
    }

    #[test]
    fn machine_checks_and_memory() {
        check_family(
            &super::ROWS[..20],
            &[
                some(
                    "mce: [Hardware Error]: CPU 1: Machine Check: 0 Bank 8: 9c00000000010091",
                    "mce-corrected",
                    "cpu1",
                ),
                some(
                    "[Hardware Error]: CPU 1: Machine Check: 0 Bank 8: 9c00000000010091",
                    "mce-corrected",
                    "cpu1",
                ),
                some(
                    "mce: [Hardware Error]: CPU 3: Machine Check Exception: 5 Bank 4: be00000000800400",
                    "mce-uncorrected",
                    "cpu3",
                ),
                machine(
                    "[Hardware Error]: Unified Memory Controller Ext. Error Code: 0, DRAM ECC error.",
                    "dram-ecc",
                ),
                machine("[Hardware Error]: Corrected error, no action required.", "hardware-error-corrected"),
                machine("[Hardware Error]: Deferred error, no action required.", "hardware-error-deferred"),
                machine(
                    "[Hardware Error]: Uncorrected, software restartable error.",
                    "hardware-error-uncorrected",
                ),
                machine("{1}[Hardware Error]: event severity: corrected", "firmware-error-corrected"),
                machine("{1}[Hardware Error]: event severity: recoverable", "firmware-error-recoverable"),
                machine("{1}[Hardware Error]: event severity: fatal", "firmware-error-fatal"),
                machine("{1}[Hardware Error]:   section_type: memory error", "hardware-error"),
                machine("{1}[Hardware Error]:   fru_text: CPU0_DIMM_A1", "hardware-error"),
                machine(
                    "[Hardware Error]: CPU:0 (17:71:0) MC18_STATUS[Over|CE|MiscV|AddrV|-|-|SyndV|CECC|-|-|-]: 0xdc2040000000011b",
                    "hardware-error",
                ),
                machine("{1}[Hardware Error]:   error_status: 0x0000000000000400", "hardware-error"),
                machine("mce: [Hardware Error]: Machine check events logged", "mce-logged"),
                (
                    "EDAC MC0: 3 CE memory read error on CPU_SrcID#0_Ha#0_Chan#1_DIMM#0 (channel:1 slot:0 page:0x1 offset:0x0 grain:32 syndrome:0x0)",
                    Some(("edac-corrected", Some("mc0"), 3)),
                ),
                some(
                    "EDAC MC0: 1 UE ie31200 UE on mc#0csrow#0channel#0 (csrow:0)",
                    "edac-uncorrected",
                    "mc0",
                ),
                some(
                    "EDAC MC0: Giving out device to module ie31200_edac controller IE31200",
                    "ecc-driver",
                    "mc0",
                ),
                machine("EDAC amd64: Node 0: DRAM ECC enabled.", "ecc-enabled"),
                machine("EDAC amd64: Node 0: DRAM ECC disabled.", "ecc-disabled"),
                machine(
                    "Memory failure: 0x12345: recovery action for dirty LRU page: Recovered",
                    "memory-page-failed",
                ),
            ],
        );
    }

    #[test]
    fn processor_and_bus() {
        check_family(
            &super::ROWS[20..],
            &[
                some(
                    "mce: CPU2: Core temperature above threshold, cpu clock throttled (total events = 9)",
                    "cpu-throttled",
                    "cpu2",
                ),
                some(
                    "CPU2: Package temperature is above threshold, cpu clock is throttled (total events = 9)",
                    "cpu-throttled",
                    "cpu2",
                ),
                none("mce: CPU2: Core temperature/speed normal"),
                some(
                    "thermal thermal_zone0: critical temperature reached, shutting down",
                    "thermal-shutdown",
                    "thermal_zone0",
                ),
                machine("acpitz: critical temperature reached (105 C), shutting down", "thermal-shutdown"),
                some(
                    "pcieport 0000:00:1c.0: AER: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)",
                    "pcie-corrected",
                    "0000:00:1c.0",
                ),
                some(
                    "pcieport 0000:00:1c.0: PCIe Bus Error: severity=Correctable, type=Data Link Layer, (Receiver ID)",
                    "pcie-corrected",
                    "0000:00:1c.0",
                ),
                some(
                    "nvme 0000:01:00.0: PCIe Bus Error: severity=Uncorrected (Non-Fatal), type=Transaction Layer, id=0100",
                    "pcie-uncorrected",
                    "0000:01:00.0",
                ),
                some(
                    "pcieport 0000:00:1c.0:    [ 0] RxErr                  (First)",
                    "pcie-error",
                    "0000:00:1c.0",
                ),
                some(
                    "pcieport 0000:00:1c.0:    [ 0] Receiver Error         (First)",
                    "pcie-error",
                    "0000:00:1c.0",
                ),
                some(
                    "pcieport 0000:00:1c.0: AER: Corrected error received: id=00e0",
                    "pcie-error-message",
                    "0000:00:1c.0",
                ),
                some(
                    "pcieport 0000:00:1c.0: AER: Multiple Correctable error message received from 0000:01:00.0",
                    "pcie-error-message",
                    "0000:00:1c.0",
                ),
                some(
                    "pcieport 0000:00:1c.0: DPC: containment event, status:0x1f01 source:0x0000",
                    "pcie-contained",
                    "0000:00:1c.0",
                ),
                some("pcieport 0000:00:1c.0: pciehp: Slot(4): Link Down", "pcie-surprise-removal", "Slot(4)"),
                machine("NMI: PCI system error (SERR) for reason a1 on CPU 0.", "nmi-error"),
                machine("watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [kworker:1]", "task-stuck"),
                machine("INFO: task md1_raid5:1234 blocked for more than 120 seconds.", "task-stuck"),
                machine("rcu: INFO: rcu_sched self-detected stall on CPU", "task-stuck"),
                machine("watchdog: watchdog0: watchdog did not stop!", "watchdog-left-running"),
                machine(
                    "x86/amd: Previous system reset reason [0x00080800]: software wrote 0x6",
                    "reset-reason",
                ),
                some("hwmon hwmon1: Undervoltage detected!", "undervoltage", "hwmon1"),
                machine("Under-voltage detected! (0x00050005)", "undervoltage"),
                machine("Voltage normalised (0x00000000)", "voltage-normal-again"),
                machine("Kernel panic - not syncing: Fatal exception", "kernel-panic"),
                machine("BUG: unable to handle kernel paging request at 0000000000001234", "kernel-crash"),
            ],
        );
    }
}
