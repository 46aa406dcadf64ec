//! SATA, SCSI and block layer (hardware.md 3.1, rows 1 to 29).
//!
//! libata prints one failed command on up to seven lines: they are one event, named by the most telling line, which is
//! the one whose row stands first here. `Emask` texts are those of `ata_err_string`. The block layer's prefix went from
//! `end_request:` over `blk_update_request:` and `print_req_error:` to none.

use super::{About, Block, Signature, joined, row};

const DEVICE: About = About::Group("");

const fn ata(name: &'static str, pattern: &'static str) -> Signature {
    joined(Block::Ata, name, About::Ata, pattern)
}

pub(super) const ROWS: &[Signature] = &[
    ata("ata-uncorrectable", r"\bata\d+(?:\.\d+)?: error: \{ (?P<error>[^}]*\bUNC\b[^}]*) \}"),
    ata("ata-uncorrectable", r"\bres [0-9a-f]{2}/[^\n]*Emask 0x[0-9a-f]+ \((?P<result>media error)\)"),
    ata("ata-interface-crc", r"\bata\d+(?:\.\d+)?: error: \{ (?P<error>[^}]*\bICRC\b[^}]*) \}"),
    ata("ata-id-not-found", r"\bata\d+(?:\.\d+)?: error: \{ (?P<error>[^}]*\bIDNF\b[^}]*) \}"),
    ata(
        "ata-link-error",
        r"SError: \{ (?P<serror>[^}]*\b(?:10B8B|BadCRC|Dispar|Handshk|LinkSeq|TrStaTrns|UnrecovData|Proto|UnrecFIS)\b[^}]*) \}",
    ),
    ata("ata-bus-error", r"\bres [0-9a-f]{2}/[^\n]*Emask 0x[0-9a-f]+ \((?P<result>ATA bus error)\)"),
    ata("ata-host-bus-error", r"\bres [0-9a-f]{2}/[^\n]*Emask 0x[0-9a-f]+ \((?P<result>host bus error)\)"),
    ata("ata-link-dropped", r"SError: \{ (?P<serror>[^}]*\b(?:PHYRdyChg|CommWake|DevExch)\b[^}]*) \}"),
    ata("ata-timeout", r"\bEmask 0x[0-9a-f]+ \((?P<result>timeout)\)"),
    ata("ata-command-aborted", r"\bata\d+(?:\.\d+)?: error: \{ (?P<error>ABRT) \}"),
    ata("ata-exception", r"\bata\d+(?:\.\d+)?: exception Emask (?P<emask>0x[0-9a-f]+) SAct"),
    ata("ata-exception", r"\bata\d+(?:\.\d+)?: failed command: (?P<command>[A-Z0-9 /-]*[A-Z0-9])"),
    ata("ata-exception", r"\bres [0-9a-f]{2}/[^\n]*Emask 0x[0-9a-f]+ \((?P<result>[A-Za-z ]+)\)"),
    ata("ata-exception", r"\bata\d+(?:\.\d+)?: cmd [0-9a-f]{2}/"),
    ata("ata-exception", r"\bata\d+(?:\.\d+)?: status: \{ (?P<status>[A-Za-z ]+) \}"),
    ata("ata-exception", r"\bata\d+(?:\.\d+)?: error: \{ (?P<error>[A-Z ]+) \}"),
    ata("ata-exception", r"\bata\d+(?:\.\d+)?: SError: \{ (?P<serror>[A-Za-z0-9 ]+) \}"),
    row("ata-link-lost", About::Ata, r"\bata\d+(?:\.\d+)?: reset failed, giving up"),
    row(
        "ata-reset-failed",
        About::Ata,
        r"\bata\d+(?:\.\d+)?: (?:hardreset failed|softreset failed|COMRESET failed|SRST failed|reset failed \(errno)",
    ),
    row("ata-link-reset", About::Ata, r"\bata\d+(?:\.\d+)?: (?:hard|soft) resetting (?:link|port)"),
    row("ata-link-slowed", About::Ata, r"\bata\d+(?:\.\d+)?: limiting SATA link speed to"),
    row(
        "ata-link-slowed",
        About::Ata,
        r"\bata\d+(?:\.\d+)?: limiting speed to (?P<mode>(?:UDMA|MWDMA|PIO)[^:\s]*)",
    ),
    row(
        "ata-link-slowed",
        About::Ata,
        r"\bata\d+(?:\.\d+)?: configured for (?P<mode>UDMA/(?:16|25|33|44|66)|PIO\d?|MWDMA\d)\b",
    ),
    row(
        "ata-link-up",
        About::Ata,
        r"\bata\d+(?:\.\d+)?: SATA link up (?P<speed>\d\.\d Gbps) \(SStatus [0-9A-Fa-f]+ ",
    ),
    // An empty bay says this at boot: whether the port was ever in use decides, which is for who reads the log.
    row("ata-link-down", About::Ata, r"\bata\d+(?:\.\d+)?: SATA link down \(SStatus "),
    row(
        "ata-link-slow",
        About::Ata,
        r"\bata\d+(?:\.\d+)?: (?:link|port|device) is slow to respond, please be patient",
    ),
    row("ata-ncq-disabled", About::Ata, r"\bata\d+(?:\.\d+)?: NCQ disabled due to excessive errors"),
    row(
        "ata-revalidation-failed",
        About::Ata,
        r"\bata\d+(?:\.\d+)?: (?:revalidation failed|failed to IDENTIFY)",
    ),
    row(
        "ata-revalidation-failed",
        About::Ata,
        r"\bata\d+(?:\.\d+)?: qc timeout (?:after \d+ m?secs )?\(cmd 0x(?P<opcode>ec|a1|27|ef)\)",
    ),
    row("ata-device-lost", About::Ata, r"\bata\d+(?:\.\d+)?: (?:disabled$|disable device|detaching \(SCSI)"),
    row(
        "ata-identity-changed",
        About::Ata,
        r"\bata\d+(?:\.\d+)?: (?:model number|serial number|n_sectors) mismatch",
    ),
    row("ata-diagnostics-failed", About::Ata, r"\bata\d+(?:\.\d+)?: Drive reports diagnostics failure"),
    row("scsi-medium-error", About::Scsi, r"Sense Key : Medium Error"),
    row("scsi-hardware-error", About::Scsi, r"Sense Key : Hardware Error"),
    row("scsi-aborted-command", About::Scsi, r"Sense Key : Aborted Command"),
    row("scsi-not-ready", About::Scsi, r"Sense Key : Not Ready"),
    row("scsi-recovered-error", About::Scsi, r"Sense Key : Recovered Error"),
    row(
        "scsi-failure-predicted",
        About::Scsi,
        // 5D/00 to 5D/7F. 5D/FF has "(false)" at its end: the drive tests its alarm.
        r"Add\. Sense: (?:[A-Za-z ]*[Ff]ailure prediction threshold exceeded\s*$|[A-Za-z ]+ impending failure)",
    ),
    row("scsi-unrecovered-read", About::Scsi, r"Add\. Sense: (?:Unrecovered read error|Record not found)"),
    row("scsi-write-error", About::Scsi, r"Add\. Sense: Write error"),
    row(
        "scsi-internal-failure",
        About::Scsi,
        r"Add\. Sense: (?:Mechanical positioning error|Internal target failure|Logical unit failure)",
    ),
    row(
        "scsi-link-error",
        About::Scsi,
        r"Add\. Sense: (?:Scsi parity error|Logical unit communication CRC error|Information unit iuCRC error)",
    ),
    row(
        "scsi-offlined",
        About::Scsi,
        r"rejecting I/O to (?:offline|dead) device|Device offlined - |Medium access timeout failure\. Offlining disk",
    ),
    row("scsi-power-on-reset", About::Scsi, r"Power-on or device reset occurred"),
    row("scsi-capacity-changed", About::Scsi, r"Capacity data has changed"),
    row(
        "scsi-task-abort",
        About::Scsi,
        r"task abort: (?:SUCCESS|FAILED) scmd|attempting (?:task abort|device reset|host reset)",
    ),
    row(
        "sas-log-info",
        DEVICE,
        r"\b(?P<subject>mpt[23]sas_cm\d+): log_info\((?P<info>0x[0-9a-f]+)\): originator\(",
    ),
    row(
        "enclosure-message",
        DEVICE,
        r"\b(?:ses|enclosure) (?P<subject>\d+:\d+:\d+:\d+): [^\n]*(?i:fan|temp|power supply|psu)",
    ),
    row(
        "medium-error",
        DEVICE,
        r"critical medium error, dev (?P<subject>[^\s,]+), sector (?P<sector>\d+)(?:\s|$)",
    ),
    row("target-error", DEVICE, r"critical target error, dev (?P<subject>[^\s,]+),"),
    row("space-error", DEVICE, r"critical space allocation error, dev (?P<subject>[^\s,]+),"),
    row("timeout-error", DEVICE, r"timeout error, dev (?P<subject>[^\s,]+),"),
    row("protection-error", DEVICE, r"protection error, dev (?P<subject>[^\s,]+),"),
    row("io-error", DEVICE, r"I/O error, dev (?P<subject>[^\s,]+), sector"),
    row(
        "lost-write",
        DEVICE,
        r"Buffer I/O error on dev(?:ice)? (?P<subject>[^\s,]+), logical block \d+, lost ",
    ),
    row("lost-write", DEVICE, r"lost page write due to I/O error on (?P<subject>\S+)"),
    row("buffer-io-error", DEVICE, r"Buffer I/O error on dev(?:ice)? (?P<subject>[^\s,]+),"),
];

#[cfg(test)]
mod tests {
    use super::super::testing::{check_family, none, some};

    #[test]
    fn sata() {
        check_family(
            &super::ROWS[..32],
            &[
                some("ata3.00: error: { UNC }", "ata-uncorrectable", "ata3"),
                some(
                    "ata3.00: cmd 60/08:00 tag 0 ncq 4096 in\n         res 41/40:00:00 Emask 0x409 (media error) <F>",
                    "ata-uncorrectable",
                    "ata3",
                ),
                some("ata3.00: error: { ICRC ABRT }", "ata-interface-crc", "ata3"),
                some("ata3.00: error: { IDNF }", "ata-id-not-found", "ata3"),
                some("ata3.00: error: { IDNF ABRT }", "ata-id-not-found", "ata3"),
                some("ata3.00: error: { ABRT }", "ata-command-aborted", "ata3"),
                some("ata3.00: error: { AMNF }", "ata-exception", "ata3"),
                some("ata12: SError: { PHYRdyChg 10B8B LinkSeq }", "ata-link-error", "ata12"),
                some("ata12: SError: { PHYRdyChg CommWake }", "ata-link-dropped", "ata12"),
                some("ata12: SError: { RecovComm }", "ata-exception", "ata12"),
                ("         res 50/00:01:00/00 Emask 0x10 (ATA bus error)", Some(("ata-bus-error", None, 1))),
                (
                    "         res 50/00:01:00/00 Emask 0x20 (host bus error)",
                    Some(("ata-host-bus-error", None, 1)),
                ),
                ("         res 40/00:01:00/00 Emask 0x4 (timeout)", Some(("ata-timeout", None, 1))),
                ("         res 40/00:01:00/00 Emask 0x1 (device error)", Some(("ata-exception", None, 1))),
                some(
                    "ata3.00: exception Emask 0x0 SAct 0x1 SErr 0x0 action 0x6 frozen",
                    "ata-exception",
                    "ata3",
                ),
                some("ata3.00: failed command: READ FPDMA QUEUED", "ata-exception", "ata3"),
                some("ata3.00: failed command: FLUSH CACHE EXT", "ata-exception", "ata3"),
                some("ata3.00: failed command: SMART", "ata-exception", "ata3"),
                some("ata3.00: cmd 60/08:00:00:00:00/00:00 tag 0 ncq dma 4096 in", "ata-exception", "ata3"),
                some("ata3.00: status: { DRDY ERR }", "ata-exception", "ata3"),
                some("ata3: hard resetting link", "ata-link-reset", "ata3"),
                some("ata3: soft resetting port", "ata-link-reset", "ata3"),
                some("ata3: COMRESET failed (errno=-16)", "ata-reset-failed", "ata3"),
                some("ata3: softreset failed (device not ready)", "ata-reset-failed", "ata3"),
                some("ata3: reset failed (errno=-32), retrying in 8 secs", "ata-reset-failed", "ata3"),
                some("ata3: reset failed, giving up", "ata-link-lost", "ata3"),
                some("ata3: limiting SATA link speed to 1.5 Gbps", "ata-link-slowed", "ata3"),
                some("ata3.00: limiting speed to UDMA/100:PIO4", "ata-link-slowed", "ata3"),
                some("ata3.00: configured for UDMA/33", "ata-link-slowed", "ata3"),
                none("ata3.00: configured for UDMA/133"),
                some("ata3: SATA link up 6.0 Gbps (SStatus 133 SControl 300)", "ata-link-up", "ata3"),
                some("ata3: SATA link down (SStatus 0 SControl 300)", "ata-link-down", "ata3"),
                some("ata3: link is slow to respond, please be patient (ready=0)", "ata-link-slow", "ata3"),
                some("ata3.00: NCQ disabled due to excessive errors", "ata-ncq-disabled", "ata3"),
                some("ata3.00: revalidation failed (errno=-5)", "ata-revalidation-failed", "ata3"),
                some(
                    "ata3.00: failed to IDENTIFY (I/O error, err_mask=0x4)",
                    "ata-revalidation-failed",
                    "ata3",
                ),
                some("ata3.00: qc timeout (cmd 0xec)", "ata-revalidation-failed", "ata3"),
                some("ata3.00: qc timeout after 5000 msecs (cmd 0xa1)", "ata-revalidation-failed", "ata3"),
                some("ata3.00: disable device", "ata-device-lost", "ata3"),
                some("ata3.00: disabled", "ata-device-lost", "ata3"),
                some("ata3.00: detaching (SCSI 2:0:0:0)", "ata-device-lost", "ata3"),
                some("ata3.00: serial number mismatch 'A' != 'B'", "ata-identity-changed", "ata3"),
                some("ata3.00: Drive reports diagnostics failure.", "ata-diagnostics-failed", "ata3"),
            ],
        );
    }

    #[test]
    fn scsi_and_block() {
        check_family(
            &super::ROWS[32..],
            &[
                some(
                    "sd 2:0:0:0: [sdc] tag#11 Sense Key : Medium Error [current] ",
                    "scsi-medium-error",
                    "sdc",
                ),
                some("sd 2:0:0:0: [sdc] Sense Key : Hardware Error [current]", "scsi-hardware-error", "sdc"),
                some(
                    "sd 2:0:0:0: [sdc] tag#1 Sense Key : Aborted Command [current]",
                    "scsi-aborted-command",
                    "sdc",
                ),
                some("sd 2:0:0:0: [sdc] Sense Key : Not Ready [current]", "scsi-not-ready", "sdc"),
                some(
                    "sd 2:0:0:0: [sdc] Sense Key : Recovered Error [current]",
                    "scsi-recovered-error",
                    "sdc",
                ),
                some(
                    "sd 2:0:0:0: [sdc] Add. Sense: Failure prediction threshold exceeded",
                    "scsi-failure-predicted",
                    "sdc",
                ),
                some(
                    "sd 2:0:0:0: [sdc] Add. Sense: Media failure prediction threshold exceeded",
                    "scsi-failure-predicted",
                    "sdc",
                ),
                some(
                    "sd 2:0:0:0: [sdc] Add. Sense: Data channel impending failure data error rate too high",
                    "scsi-failure-predicted",
                    "sdc",
                ),
                none("sd 2:0:0:0: [sdc] Add. Sense: Failure prediction threshold exceeded (false)"),
                some(
                    "sd 2:0:0:0: [sdc] tag#11 Add. Sense: Unrecovered read error - auto reallocate failed",
                    "scsi-unrecovered-read",
                    "sdc",
                ),
                some("sd 2:0:0:0: [sdc] Add. Sense: Write error", "scsi-write-error", "sdc"),
                some("sd 2:0:0:0: [sdc] Add. Sense: Internal target failure", "scsi-internal-failure", "sdc"),
                some("sd 2:0:0:0: [sdc] Add. Sense: Scsi parity error", "scsi-link-error", "sdc"),
                some("sd 2:0:0:0: rejecting I/O to offline device", "scsi-offlined", "2:0:0:0"),
                some(
                    "sd 2:0:0:0: Device offlined - not ready after error recovery",
                    "scsi-offlined",
                    "2:0:0:0",
                ),
                some("sd 2:0:0:0: Power-on or device reset occurred", "scsi-power-on-reset", "2:0:0:0"),
                some("sd 2:0:0:0: Capacity data has changed", "scsi-capacity-changed", "2:0:0:0"),
                some("sd 2:0:0:0: task abort: SUCCESS scmd(0000000012345678)", "scsi-task-abort", "2:0:0:0"),
                some(
                    "mpt3sas_cm0: log_info(0x31110d00): originator(PL), code(0x11), sub_code(0x0d00)",
                    "sas-log-info",
                    "mpt3sas_cm0",
                ),
                some("ses 6:0:24:0: Power Supply 1 failed", "enclosure-message", "6:0:24:0"),
                some(
                    "blk_update_request: critical medium error, dev sdc, sector 8 op 0x0:(READ)",
                    "medium-error",
                    "sdc",
                ),
                some("blk_update_request: critical medium error, dev sdc, sector 8", "medium-error", "sdc"),
                some("critical medium error, dev nvme0n1, sector 8 ", "medium-error", "nvme0n1"),
                some("critical target error, dev sda, sector 8 op 0x1:(WRITE)", "target-error", "sda"),
                some("critical space allocation error, dev sda, sector 8", "space-error", "sda"),
                some("timeout error, dev sda, sector 8", "timeout-error", "sda"),
                some("protection error, dev sda, sector 8", "protection-error", "sda"),
                some("I/O error, dev sda, sector 8 op 0x0:(READ) flags 0x0", "io-error", "sda"),
                some("print_req_error: I/O error, dev sda, sector 8", "io-error", "sda"),
                some("end_request: I/O error, dev sda, sector 8", "io-error", "sda"),
                some(
                    "Buffer I/O error on dev md1, logical block 9, lost async page write",
                    "lost-write",
                    "md1",
                ),
                some("lost page write due to I/O error on dm-3", "lost-write", "dm-3"),
                some(
                    "Buffer I/O error on dev sdb1, logical block 9, async page read",
                    "buffer-io-error",
                    "sdb1",
                ),
            ],
        );
    }
}
