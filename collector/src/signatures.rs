//! What a hardware fault looks like in the kernel log: the table of signatures.
//!
//! A signature is a name (an open string that rules refer to), a pattern and what it is about. The literals are those
//! of the Linux sources from 4.2 to 6.12; where the wording changed, a name has a row for each. The first row that
//! matches a line wins, after the benign list, which catches what naive matchers stumble over. Patterns say what was
//! printed, never what it means: no row knows a severity.

use std::sync::{LazyLock, OnceLock};

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// How the device that a line is about is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The group `subject`, with this put before it; nothing when the group took no part.
    Group(&'static str),
    /// `ataN` anywhere in the line, or that of the line before it (one event spans several lines).
    Ata,
    /// `[sdX]` in the line, else the SCSI address.
    Scsi,
    /// Nothing in particular.
    Machine,
}

/// One row of the table.
pub(crate) struct Signature {
    /// The name under which an event is reported.
    pub(crate) name: &'static str,
    pub(crate) about: About,
    pattern: &'static str,
}

const fn row(name: &'static str, about: About, pattern: &'static str) -> Signature {
    Signature { name, about, pattern }
}

const DEVICE: About = About::Group("");
const CPU: About = About::Group("cpu");

/// Lines that look like a fault and are none: announcements, empty bays, discards that a drive refuses, errors of
/// devices that are not hardware, and ext4's daily reminder of an old error.
const BENIGN: &[&str] = &[
    r"CPU\d+ supports \d+ MCE banks",
    r"MCE: In-kernel MCE decoding enabled",
    r"EDAC MC: Ver: ",
    r"AER: enabled with IRQ",
    r"SATA link down \(SStatus 0 SControl 3\d0\)",
    r"ata\d+: DUMMY",
    r"Ignoring BGRT",
    r"operation not supported error, dev ",
    r"critical target error, dev [^\n]*\((?:DISCARD|WRITE_ZEROES|WRITE_SAME)\)",
    r"error, dev (?:loop|fd|sr|nbd|ram|zram)\d",
    r"Buffer I/O error on dev(?:ice)? (?:loop|fd|sr|nbd|ram|zram)\d",
    r"EXT4-fs \(\S+\): (?:initial|last) error at time",
    r"usb-storage: device ignored",
    r"missing or invalid SUBNQN field",
    r"perf: interrupt took too long",
];

/// The table, numbered in groups: SATA, SCSI, block, NVMe, md and filesystems, processor and memory, PCIe, USB, NIC.
pub(crate) static SIGNATURES: &[Signature] = &[
    row("ata-uncorrectable", About::Ata, r"\bata\d+(?:\.\d+)?: error: \{[^}]*\bUNC\b"),
    row("ata-interface-crc", About::Ata, r"\bata\d+(?:\.\d+)?: error: \{[^}]*\bICRC\b"),
    row("ata-id-not-found", About::Ata, r"\bata\d+(?:\.\d+)?: error: \{[^}]*\bIDNF\b"),
    row(
        "ata-link-error",
        About::Ata,
        r"SError: \{[^}]*\b(?:10B8B|BadCRC|Dispar|Handshk|LinkSeq|TrStaTrns|UnrecovData|Proto|UnrecFIS)\b",
    ),
    row("ata-link-dropped", About::Ata, r"SError: \{[^}]*\b(?:PHYRdyChg|CommWake|DevExch)\b"),
    row("ata-timeout", About::Ata, r"Emask 0x4 \(timeout\)"),
    row("ata-link-lost", About::Ata, r"\bata\d+(?:\.\d+)?: reset failed, giving up"),
    row(
        "ata-reset-failed",
        About::Ata,
        r"\bata\d+(?:\.\d+)?: (?:hardreset failed|softreset failed|COMRESET failed|SRST failed|reset failed \(errno)",
    ),
    row("ata-link-reset", About::Ata, r"\bata\d+(?:\.\d+)?: (?:hard|soft) resetting (?:link|port)"),
    row("ata-link-slowed", About::Ata, r"\bata\d+(?:\.\d+)?: limiting (?:SATA link )?speed to"),
    row("ata-ncq-disabled", About::Ata, r"\bata\d+(?:\.\d+)?: NCQ disabled due to excessive errors"),
    row(
        "ata-revalidation-failed",
        About::Ata,
        r"\bata\d+(?:\.\d+)?: (?:revalidation failed|failed to IDENTIFY)",
    ),
    row(
        "ata-revalidation-failed",
        About::Ata,
        r"\bata\d+(?:\.\d+)?: qc timeout (?:after \d+ m?secs )?\(cmd 0x(?:ec|a1|27|ef)\)",
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
        r"Add\. Sense: (?:Failure prediction threshold exceeded|Hardware impending failure)",
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
    row(
        "scsi-task-abort",
        About::Scsi,
        r"task abort: (?:SUCCESS|FAILED) scmd|attempting (?:task abort|device reset|host reset)",
    ),
    row("sas-log-info", DEVICE, r"\b(?P<subject>mpt[23]sas_cm\d+): log_info\(0x"),
    row("medium-error", DEVICE, r"critical medium error, dev (?P<subject>[^\s,]+),"),
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
    row("nvme-media-error", DEVICE, r"\b(?P<subject>nvme\d+(?:c\d+)?n\d+): [^\n]*\(sct 0x2 / sc 0x8[0-4]\)"),
    row(
        "nvme-command-error",
        DEVICE,
        r"\b(?P<subject>nvme\d+(?:c\d+)?n\d+): [^\n]*\(sct 0x[0-9a-f]+ / sc 0x",
    ),
    row("nvme-lost-interrupt", DEVICE, r"nvme (?P<subject>nvme\d+): I/O [^\n]*completion polled"),
    row("nvme-timeout", DEVICE, r"nvme (?P<subject>nvme\d+): I/O (?:tag )?\d+ [^\n]*timeout"),
    row(
        "nvme-fatal-status",
        DEVICE,
        r"nvme (?P<subject>[^\s:]+|\S+\.\d): controller is down; will reset: CSTS=0x3\b",
    ),
    row("nvme-controller-down", DEVICE, r"nvme (?P<subject>[^\s:]+|\S+\.\d): controller is down; will reset"),
    row(
        "nvme-device-lost",
        DEVICE,
        r"nvme (?P<subject>[^\s:]+|\S+\.\d): (?:Device not ready; aborting|Removing after probe failure|Disabling device after reset failure)",
    ),
    row(
        "nvme-power-state",
        DEVICE,
        r"nvme (?P<subject>[^\s:]+): (?:failed to set APST feature|Does your device have a faulty power saving mode enabled)",
    ),
    row(
        "md-member-failed",
        DEVICE,
        r"md/raid\w*:md\w+: Disk failure on (?P<subject>[^\s,]+), disabling device",
    ),
    row("md-read-corrected", DEVICE, r"read error corrected \(\d+ sectors at \d+ on (?P<subject>[^\s)]+)\)"),
    row(
        "md-read-lost",
        DEVICE,
        r"read error (?:not correctable|NOT corrected!!) \(sector \d+ on (?P<subject>[^\s)]+)\)",
    ),
    row(
        "md-read-lost",
        DEVICE,
        r"md/raid\w*:\w+: (?P<subject>[^\s:]+): unrecoverable I/O read error for block",
    ),
    row("md-read-lost", DEVICE, r"Too many read errors, failing device (?P<subject>[^\s.]+)"),
    row(
        "md-array-offline",
        DEVICE,
        r"\b(?P<subject>md\w+): (?:cannot start dirty degraded array|not enough operational|failed to run raid set)",
    ),
    row("md-unclean", DEVICE, r"\b(?P<subject>md\w+): not clean -- starting background reconstruction"),
    row(
        "md-sync-started",
        DEVICE,
        r"md: (?:requested-resync|recovery|resync|check|data-check|reshape) of RAID array (?P<subject>md\w+)",
    ),
    row("md-sync-done", DEVICE, r"md: (?P<subject>md\w+): [\w-]+ done\."),
    row("md-sync-interrupted", DEVICE, r"md: (?P<subject>md\w+): [\w-]+ interrupted\."),
    row("filesystem-error", DEVICE, r"EXT4-fs error \(device (?P<subject>[^\s)]+)\)"),
    row("filesystem-read-only", DEVICE, r"EXT4-fs \((?P<subject>[^\s)]+)\): Remounting filesystem read-only"),
    row(
        "filesystem-recovered",
        DEVICE,
        r"EXT[34]-fs \((?P<subject>[^\s)]+)\): (?:recovery complete|INFO: recovery required|orphan cleanup on readonly fs)",
    ),
    row("journal-aborted", DEVICE, r"Aborting journal on device (?P<subject>[^\s.]+)"),
    row(
        "journal-aborted",
        DEVICE,
        r"JBD2: (?:I/O error|Detected IO errors)[^\n]*?(?: on | for | updating journal superblock for )?(?P<subject>[a-z]+[0-9a-z-]*)?\.?$",
    ),
    row("btrfs-device-error", DEVICE, r"BTRFS[^\n]*bdev (?P<subject>\S+) errs: wr "),
    row(
        "btrfs-checksum",
        DEVICE,
        r"BTRFS (?:warning|error) \(device (?P<subject>[^\s):]+)[^)]*\): (?:csum failed|checksum verify failed)",
    ),
    row("xfs-error", DEVICE, r"XFS \((?P<subject>[^\s)]+)\): (?:Metadata (?:CRC|corruption)|log I/O error)"),
    row(
        "zfs-pool-suspended",
        DEVICE,
        r"Pool '(?P<subject>[^']+)' has encountered an uncorrectable I/O failure",
    ),
    // The status register's bits 61 (uncorrected) and 57 (processor context corrupt) are bit 1 of its first two digits
    // (Intel SDM volume 3B, 16.3.2.2).
    row(
        "mce-uncorrected",
        CPU,
        r"CPU (?P<subject>\d+): Machine Check(?: Exception)?: [0-9a-f]+ Bank \d+: (?:[2367abef][0-9a-f]|[0-9a-f][2367abef])[0-9a-f]{14}",
    ),
    row(
        "mce-corrected",
        CPU,
        r"CPU (?P<subject>\d+): Machine Check(?: Exception)?: [0-9a-f]+ Bank \d+: [0-9a-f]{16}",
    ),
    row("dram-ecc", About::Machine, r"\[Hardware Error\]:[^\n]*DRAM ECC error"),
    row(
        "hardware-error-corrected",
        About::Machine,
        r"\[Hardware Error\]: Corrected error, no action required",
    ),
    row("hardware-error-deferred", About::Machine, r"\[Hardware Error\]: Deferred error"),
    row(
        "hardware-error-uncorrected",
        About::Machine,
        r"\[Hardware Error\]: (?:Uncorrected, software|Fatal|System Fatal error)",
    ),
    row("firmware-error-corrected", About::Machine, r"\[Hardware Error\]: event severity: corrected"),
    row("firmware-error-recoverable", About::Machine, r"\[Hardware Error\]: event severity: recoverable"),
    row("firmware-error-fatal", About::Machine, r"\[Hardware Error\]: event severity: (?:fatal|panic)"),
    row("mce-logged", About::Machine, r"\[Hardware Error\]: Machine check events logged"),
    row("edac-corrected", DEVICE, r"EDAC (?P<subject>MC\d+): (?P<count>\d+) CE "),
    row("edac-uncorrected", DEVICE, r"EDAC (?P<subject>MC\d+): (?P<count>\d+) UE "),
    row(
        "memory-page-failed",
        About::Machine,
        r"Memory failure: 0x[0-9a-f]+: (?:recovery action|Sending SIGBUS)",
    ),
    row("cpu-throttled", CPU, r"CPU(?P<subject>\d+): (?:Core|Package) temperature (?:is )?above threshold"),
    row("thermal-shutdown", DEVICE, r"(?P<subject>thermal_zone\d+): critical temperature reached"),
    row("thermal-shutdown", About::Machine, r"critical temperature reached \(\d+ C\), shutting down"),
    row(
        "pcie-uncorrected",
        DEVICE,
        r"(?P<subject>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): (?:AER: )?PCIe Bus Error: severity=Uncorrect",
    ),
    row(
        "pcie-corrected",
        DEVICE,
        r"(?P<subject>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): (?:AER: )?PCIe Bus Error: severity=Correct",
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
    row("undervoltage", About::Machine, r"Under-?voltage detected!"),
    row("usb-disconnect", DEVICE, r"usb (?P<subject>[\d.-]+): USB disconnect, device number"),
    row("usb-reset", DEVICE, r"usb (?P<subject>[\d.-]+): reset [^\n]*USB device number"),
    row(
        "usb-enumeration-failed",
        DEVICE,
        r"usb (?P<subject>[\w.-]+): (?:device descriptor read/\S+ error -\d+|device not accepting address \d+, error -\d+|unable to enumerate USB device)",
    ),
    row("usb-over-current", DEVICE, r"usb (?P<subject>[\w.-]+-port\d+): over-current (?:change|condition)"),
    row(
        "usb-bridge-error",
        About::Scsi,
        r"uas_eh_(?:abort|device_reset)_handler|xHCI host controller not responding, assume dead",
    ),
    row(
        "mmc-error",
        DEVICE,
        r"\b(?P<subject>mmc(?:blk)?\d+): (?:Card stuck being busy|running CQE recovery|tried to HW reset card, got error|error -\d+ (?:transferring|sending)|recovery failed)",
    ),
    row("nic-transmit-timeout", DEVICE, r"NETDEV WATCHDOG: (?P<subject>\S+) \("),
    row("nic-hang", DEVICE, r"(?:^|\s)(?P<subject>\S+): Detected (?:Tx|Hardware) Unit Hang"),
    row("nic-lost", DEVICE, r"(?:^|\s)(?P<subject>\S+): PCIe link lost, device now detached"),
    row("nic-link-down", DEVICE, r"(?P<subject>[^\s:]+):? NIC Link is Down"),
];

/// The table ready for use. Compiled once; a pattern that does not compile is our bug, and a test finds it.
pub(crate) struct Matcher {
    benign: RegexSet,
    set: RegexSet,
    ata: Regex,
    scsi: Regex,
    rows: Vec<OnceLock<Option<Regex>>>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) name: &'static str,
    /// The device in the line itself.
    pub(crate) subject: Option<String>,
    /// The line belongs to an ATA port that a line before it may name.
    pub(crate) wants_ata: bool,
    /// Events that the line itself counts.
    pub(crate) count: u64,
}

static MATCHER: LazyLock<Result<Matcher, String>> = LazyLock::new(|| {
    Matcher::compile().map_err(|error| format!("a kernel log signature is malformed: {error}"))
});

/// A pattern without Unicode tables: the kernel writes ASCII, and the tables would cost more than the rest.
fn regex(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).unicode(false).build()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Matcher {
    /// The one matcher.
    ///
    /// # Errors
    /// A malformed pattern in the table, in words.
    pub(crate) fn get() -> Result<&'static Self, &'static str> {
        MATCHER.as_ref().map_err(String::as_str)
    }

    fn compile() -> Result<Self, regex::Error> {
        Ok(Self {
            benign: RegexSetBuilder::new(BENIGN).unicode(false).build()?,
            set: RegexSetBuilder::new(SIGNATURES.iter().map(|row| row.pattern)).unicode(false).build()?,
            ata: regex(r"\b(ata\d+)(?:\.\d+)?: ")?,
            scsi: regex(r"\[(sd[a-z]+)\]|\bsd (\d+:\d+:\d+:\d+):")?,
            rows: SIGNATURES.iter().map(|_| OnceLock::new()).collect(),
        })
    }

    /// The ATA port that a line names.
    pub(crate) fn ata_port(&self, line: &str) -> Option<String> {
        self.ata.captures(line.as_bytes())?.get(1).map(|found| text(found.as_bytes()))
    }

    fn scsi_device(&self, line: &str) -> Option<String> {
        let group = |number| self.scsi.captures_iter(line.as_bytes()).find_map(|groups| groups.get(number));
        group(1).or_else(|| group(2)).map(|found| text(found.as_bytes()))
    }

    /// The first row that matches a line, unless the line is known to be benign.
    pub(crate) fn line(&self, line: &str) -> Option<Match> {
        let index = self.set.matches(line.as_bytes()).into_iter().next()?;
        if self.benign.is_match(line.as_bytes()) {
            return None;
        }
        let row = SIGNATURES.get(index)?;
        let mut found = Match { name: row.name, subject: None, wants_ata: row.about == About::Ata, count: 1 };
        match row.about {
            About::Ata => found.subject = self.ata_port(line),
            About::Scsi => found.subject = self.scsi_device(line),
            About::Machine => {}
            About::Group(prefix) => {
                let pattern = self.rows.get(index)?.get_or_init(|| regex(row.pattern).ok()).as_ref()?;
                let groups = pattern.captures(line.as_bytes())?;
                let group = |name| groups.name(name).map(|group| text(group.as_bytes()));
                found.count = group("count").and_then(|count| count.parse().ok()).unwrap_or(1);
                let lower = groups.name("count").is_some();
                found.subject = group("subject").map(|subject| {
                    let subject = if lower { subject.to_ascii_lowercase() } else { subject };
                    format!("{prefix}{subject}")
                });
            }
        }
        Some(found)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(&str, Option<&str>, u64)>) {
        let matcher = Matcher::get().expect("every pattern compiles");
        let found = matcher.line(line);
        let short = found.as_ref().map(|found| (found.name, found.subject.as_deref(), found.count));
        assert_eq!(short, expected, "{line}");
    }

    #[test]
    fn every_row_compiles_by_itself_and_is_kebab_case() {
        for row in SIGNATURES {
            let pattern = regex(row.pattern).expect(row.name);
            let named = pattern.capture_names().flatten().any(|name| name == "subject");
            assert_eq!(matches!(row.about, About::Group(_)), named, "{}", row.name);
            assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", row.name);
        }
    }

    #[test]
    fn lines_of_the_kernel() {
        let one = |name, subject| Some((name, Some(subject), 1));
        for (line, expected) in [
            ("ata3.00: error: { UNC }", one("ata-uncorrectable", "ata3")),
            ("ata3.00: error: { ICRC ABRT }", one("ata-interface-crc", "ata3")),
            ("ata3.00: error: { ABRT }", None),
            ("ata12: SError: { PHYRdyChg 10B8B LinkSeq }", one("ata-link-error", "ata12")),
            ("ata12: SError: { PHYRdyChg CommWake }", one("ata-link-dropped", "ata12")),
            (
                "         res 40/00:01:00:00:00/00:00:00:00:00/00 Emask 0x4 (timeout)",
                Some(("ata-timeout", None, 1)),
            ),
            ("ata3: hard resetting link", one("ata-link-reset", "ata3")),
            ("ata3: COMRESET failed (errno=-16)", one("ata-reset-failed", "ata3")),
            ("ata3: reset failed, giving up", one("ata-link-lost", "ata3")),
            ("ata3.00: disable device", one("ata-device-lost", "ata3")),
            ("ata3.00: disabled", one("ata-device-lost", "ata3")),
            ("ata3: limiting SATA link speed to 1.5 Gbps", one("ata-link-slowed", "ata3")),
            ("ata3: SATA link down (SStatus 0 SControl 300)", None),
            ("sd 2:0:0:0: [sdc] tag#11 Sense Key : Medium Error [current] ", one("scsi-medium-error", "sdc")),
            ("sd 2:0:0:0: rejecting I/O to offline device", one("scsi-offlined", "2:0:0:0")),
            (
                "sd 2:0:0:0: [sdc] tag#11 Add. Sense: Unrecovered read error - auto reallocate failed",
                one("scsi-unrecovered-read", "sdc"),
            ),
            (
                "blk_update_request: critical medium error, dev sdc, sector 8 op 0x0:(READ)",
                one("medium-error", "sdc"),
            ),
            ("critical medium error, dev nvme0n1, sector 8", one("medium-error", "nvme0n1")),
            ("critical target error, dev sda, sector 8 op 0x3:(DISCARD) flags 0x800", None),
            ("I/O error, dev sda, sector 8 op 0x0:(READ) flags 0x0", one("io-error", "sda")),
            ("blk_update_request: I/O error, dev fd0, sector 0", None),
            ("Buffer I/O error on dev md1, logical block 9, lost async page write", one("lost-write", "md1")),
            ("Buffer I/O error on device sr0, logical block 9", None),
            (
                "Buffer I/O error on dev sdb1, logical block 9, async page read",
                one("buffer-io-error", "sdb1"),
            ),
            ("nvme nvme2: I/O 7 QID 0 timeout, reset controller", one("nvme-timeout", "nvme2")),
            (
                "nvme nvme2: I/O tag 22 (1016) QID 3 timeout, completion polled",
                one("nvme-lost-interrupt", "nvme2"),
            ),
            (
                "nvme nvme0: I/O tag 22 (1016) opcode 0x2 (Read) QID 3 timeout, aborting",
                one("nvme-timeout", "nvme0"),
            ),
            (
                "nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0xffff",
                one("nvme-controller-down", "nvme0"),
            ),
            (
                "nvme nvme0: controller is down; will reset: CSTS=0x3, PCI_STATUS=0x10",
                one("nvme-fatal-status", "nvme0"),
            ),
            ("nvme nvme9: Device not ready; aborting reset, CSTS=0x1", one("nvme-device-lost", "nvme9")),
            (
                "nvme0n1: Read(0x2) @ LBA 2048, 8 blocks, Unrecovered Read Error (sct 0x2 / sc 0x81) DNR ",
                one("nvme-media-error", "nvme0n1"),
            ),
            ("md/raid:md1: Disk failure on sdc3, disabling device.", one("md-member-failed", "sdc3")),
            (
                "md/raid1:md9: Disk failure on sdc1, disabling device.\nmd/raid1:md9: Operation continuing on 3 devices.",
                one("md-member-failed", "sdc1"),
            ),
            (
                "md/raid:md1: read error corrected (8 sectors at 128 on sdc3)",
                one("md-read-corrected", "sdc3"),
            ),
            ("md/raid:md1: read error not correctable (sector 128 on sdc3).", one("md-read-lost", "sdc3")),
            ("md/raid1:md1: not clean -- starting background reconstruction", one("md-unclean", "md1")),
            ("md: recovery of RAID array md1", one("md-sync-started", "md1")),
            ("EXT4-fs (dm-7): recovery complete", one("filesystem-recovered", "dm-7")),
            ("EXT4-fs (dm-7): last error at time 1593093822: ext4_lookup:1590: inode 12", None),
            (
                "EXT4-fs error (device dm-7): ext4_find_entry:1455: inode #2: comm ls: reading directory",
                one("filesystem-error", "dm-7"),
            ),
            (
                "BTRFS error (device sda1: state EA): bdev /dev/sda1 errs: wr 0, rd 3, flush 0, corrupt 0, gen 0",
                one("btrfs-device-error", "/dev/sda1"),
            ),
            (
                "JBD2: I/O error when updating journal superblock for dm-7-8.",
                one("journal-aborted", "dm-7-8"),
            ),
            (
                "mce: [Hardware Error]: CPU 1: Machine Check: 0 Bank 8: 9c00000000010091",
                one("mce-corrected", "cpu1"),
            ),
            (
                "mce: [Hardware Error]: CPU 3: Machine Check Exception: 5 Bank 4: be00000000800400",
                one("mce-uncorrected", "cpu3"),
            ),
            ("mce: CPU0 supports 6 MCE banks", None),
            (
                "EDAC MC0: 3 CE memory read error on CPU_SrcID#0_Ha#0_Chan#1_DIMM#0 (channel:1 slot:0 page:0x1 offset:0x0 grain:32 syndrome:0x0)",
                Some(("edac-corrected", Some("mc0"), 3)),
            ),
            ("EDAC MC0: 1 UE ie31200 UE on mc#0csrow#0channel#0 (csrow:0)", one("edac-uncorrected", "mc0")),
            (
                "mce: CPU2: Core temperature above threshold, cpu clock throttled (total events = 9)",
                one("cpu-throttled", "cpu2"),
            ),
            (
                "pcieport 0000:00:1c.0: AER: PCIe Bus Error: severity=Corrected, type=Physical Layer",
                one("pcie-corrected", "0000:00:1c.0"),
            ),
            (
                "nvme 0000:01:00.0: PCIe Bus Error: severity=Uncorrected (Non-Fatal), type=Transaction Layer",
                one("pcie-uncorrected", "0000:01:00.0"),
            ),
            ("usb 1-4: USB disconnect, device number 3", one("usb-disconnect", "1-4")),
            ("usb 1-4: device descriptor read/64, error -71", one("usb-enumeration-failed", "1-4")),
            ("usb usb1-port4: unable to enumerate USB device", one("usb-enumeration-failed", "usb1-port4")),
            ("mmcblk0: error -110 transferring data, sector 8", one("mmc-error", "mmcblk0")),
            ("NETDEV WATCHDOG: eth0 (igb): transmit queue 2 timed out", one("nic-transmit-timeout", "eth0")),
            ("igb 0000:01:00.0 eth1: igb: eth1 NIC Link is Down", one("nic-link-down", "eth1")),
            ("e1000e 0000:00:19.0 eth0: Detected Hardware Unit Hang:", one("nic-hang", "eth0")),
            ("", None),
        ] {
            check(line, expected);
        }
    }
}
