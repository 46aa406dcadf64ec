//! A text report of smartctl (5.x to 7.5: `-a`, `-x`, `-i`, `-H`) read into the keys that its JSON has.
//!
//! What is pasted into a ticket is read line by line: a line is known by its words and never by its column, lines that
//! are not known are passed over, and a report that begins or ends in the middle gives what it holds. The last line
//! counts only when it is whole. Where smartctl computes a value from a whole table (temperature, power-on hours), so
//! do we, after the table has ended. What was anonymised (`--`) is not a value. Of several reports in one text only
//! the first is read. smartctl before 7.0 has no JSON; QTS 4.x tools bring 5.x and 6.x.

mod ata;
mod ata_logs;
mod nvme;
mod scsi;
mod tree;

use std::borrow::Cow;

use assay_bundle::facts::drive::{AtaAttribute, AtaStatistics};
use serde_json::{Value, json};

use tree::Tree;

use crate::lines;

/// Bytes looked at for the marks of a report.
const HEAD_BYTES: usize = 4096;

/// Which of the multi-line parts the next line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    None,
    /// `extended` or `summary`.
    AtaErrors(&'static str),
    /// `extended` or `standard`.
    AtaSelfTests(&'static str),
    AtaStatistics,
    AtaPendingDefects,
    PhyEvents,
    Farm,
    NvmeErrors,
    NvmeSelfTests,
    ScsiSelfTests,
    ScsiScan,
}

/// A report that is being read.
struct Report {
    tree: Tree,
    /// `device/protocol` of the tree: nearly every line asks for it.
    protocol: Option<&'static str>,
    part: Part,
    /// What the lines so far have found of an entry that takes several lines.
    error: Option<Value>,
    rows: Rows,
    attributes: ata::Table,
    scsi: scsi::Rows,
}

/// The long tables of a report as facts: of their rows nobody asks for more, and a tree of each is most of the work.
#[derive(Default)]
pub(super) struct Rows {
    /// `ata_smart_attributes/table`, not decoded: that takes the model's name, which may come later.
    pub(super) attributes: Vec<AtaAttribute>,
    /// `ata_device_statistics/pages`.
    pub(super) statistics: AtaStatistics,
}

/// The tree, and the tables of which it holds the keys only, when the bytes are a report at all.
pub(super) fn tree(bytes: &[u8]) -> Option<(Value, Rows)> {
    let head = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    if !is_report(&lines::text(head)) {
        return None;
    }
    let text = lines::text(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let mut report = Report {
        tree: Tree::new(),
        protocol: None,
        part: Part::None,
        error: None,
        rows: Rows::default(),
        attributes: ata::Table::default(),
        scsi: scsi::Rows::default(),
    };
    let mut heads = 0;
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        heads += u32::from(is_head(line));
        if heads > 1 {
            break;
        }
        report.line(line.trim_end());
    }
    report.end_of_report();
    Some((report.tree.into_value(), report.rows))
}

/// `smartctl 7.2 2020-12-30 …`, `smartctl version 5.38 …`, `smartctl pre-7.5 …`.
fn is_head(line: &str) -> bool {
    version(line).is_some()
}

fn version(line: &str) -> Option<Vec<u64>> {
    let rest = line.strip_prefix("smartctl ")?;
    let rest = rest.strip_prefix("version ").unwrap_or(rest);
    let word = rest.split_ascii_whitespace().next()?.trim_start_matches("pre-");
    let numbers: Option<Vec<u64>> = word.split('.').map(|part| part.parse().ok()).collect();
    numbers.filter(|numbers| numbers.len() > 1)
}

fn is_report(head: &str) -> bool {
    const MARKS: [&str; 8] = [
        "=== START OF ",
        "SMART overall-health self-assessment",
        "SMART Health Status:",
        "SMART support is:",
        "ID# ATTRIBUTE_NAME",
        "Smartctl open device:",
        "Device Model:  ",
        "SMART/Health Information (NVMe Log",
    ];
    if head.trim_start().starts_with('{') {
        return false;
    }
    head.lines().any(is_head) || MARKS.iter().any(|mark| head.contains(mark))
}

impl Report {
    fn line(&mut self, line: &str) {
        // What begins a part or says how the call went begins with a capital; most lines are rows of numbers.
        let first = line.trim_start().bytes().next().unwrap_or(b' ');
        if (first.is_ascii_uppercase() || first == b'=') && (self.message(line) || self.heading(line)) {
            return;
        }
        if let Some(numbers) = version(line) {
            self.tree.put("smartctl/version", numbers);
            return;
        }
        let used = match self.part {
            Part::None => false,
            Part::AtaErrors(log) => self.ata_error(log, line),
            Part::AtaSelfTests(log) => self.ata_self_test(log, line),
            Part::AtaStatistics => self.ata_statistic(line),
            Part::AtaPendingDefects => self.ata_pending_defect(line),
            Part::PhyEvents => self.phy_event(line),
            Part::Farm => self.farm(line),
            Part::NvmeErrors => self.nvme_error(line),
            Part::NvmeSelfTests => self.nvme_self_test(line),
            Part::ScsiSelfTests => self.scsi_self_test(line),
            Part::ScsiScan => self.scsi_scan(line),
        };
        if used || self.attribute(line) || self.scsi_row(line) {
            return;
        }
        if let Some((key, value)) = line.split_once(':') {
            let (key, value) = (single_spaced(key.trim_ascii()), value.trim());
            if !self.identity(&key, value) && !self.nvme_field(&key, value) && !self.scsi_field(&key, value) {
                self.ata_field(&key, value);
            }
        }
    }

    /// What JSON has under `smartctl.messages`.
    fn message(&mut self, line: &str) -> bool {
        let said = line.trim();
        let severity = match () {
            () if said.starts_with("Device is in ") && said.contains(" mode") => "information",
            () if said.starts_with("Warning: ") && said.contains("based on an Attribute check") => "warning",
            () if said.starts_with("Smartctl open device: ")
                || said.starts_with("Read Device Identity failed")
                || said.starts_with("A mandatory SMART command failed") =>
            {
                "error"
            }
            () => return false,
        };
        self.tree.push("smartctl/messages", Some(json!({"string": said, "severity": severity})));
        true
    }

    /// A line that begins a part, or says that the drive does not keep it.
    fn heading(&mut self, line: &str) -> bool {
        if line.starts_with(char::is_whitespace) {
            return false;
        }
        const UNSUPPORTED: [(&str, &str); 12] = [
            ("Device Statistics (GP", "ata_device_statistics"),
            ("Device Statistics (SMART", "ata_device_statistics"),
            ("Pending Defects log (GP", "ata_pending_defects_log"),
            ("SATA Phy Event Counters (GP", "sata_phy_event_counters"),
            ("SATA Phy Event Counters with", "sata_phy_event_counters"),
            ("SMART Extended Comprehensive Error Log (GP", "ata_smart_error_log"),
            ("SMART Error Log not", "ata_smart_error_log"),
            ("SMART Extended Self-test Log (GP", "ata_smart_self_test_log"),
            ("SMART Self-test Log not", "ata_smart_self_test_log"),
            ("Self-tests not", "nvme_self_test_log"),
            ("Error Information Log not", "nvme_error_information_log"),
            ("No Self-tests have been logged", "scsi_self_test_0"),
        ];
        let none = || line.contains("not supported") || line.starts_with("No Self-tests have been logged");
        // The first bytes tell most apart.
        let first = line.as_bytes().first();
        let begins = |start: &str| start.as_bytes().first() == first && line.starts_with(start);
        let unsupported = UNSUPPORTED.iter().find(|(start, _)| begins(start));
        if let Some((_, key)) = unsupported.filter(|_| none()) {
            self.tree.put(key, Value::Null);
            self.part = Part::None;
            return true;
        }
        const HEADINGS: [(&str, Part); 17] = [
            ("SMART Extended Comprehensive Error Log Version", Part::AtaErrors("extended")),
            ("SMART Error Log Version", Part::AtaErrors("summary")),
            ("SMART Extended Self-test Log Version", Part::AtaSelfTests("extended")),
            ("SMART Self-test log structure revision", Part::AtaSelfTests("standard")),
            ("SMART Self-test log, version", Part::AtaSelfTests("standard")),
            ("Device Statistics (", Part::AtaStatistics),
            ("Pending Defects log (", Part::AtaPendingDefects),
            ("SATA Phy Event Counters (", Part::PhyEvents),
            ("Seagate Field Access Reliability Metrics log (FARM)", Part::Farm),
            ("Error Information (NVMe Log 0x01", Part::NvmeErrors),
            ("Self-test Log (NVMe Log 0x06", Part::NvmeSelfTests),
            ("SMART Self-test log", Part::ScsiSelfTests),
            ("Background scan results log", Part::ScsiScan),
            ("SMART Selective self-test log", Part::None),
            ("SCT Status Version", Part::None),
            ("General SMART Values", Part::None),
            ("Selective Self-tests/Logging", Part::None),
        ];
        let Some((_, part)) = HEADINGS.iter().find(|(start, _)| begins(start)) else {
            return line.starts_with("=== START OF") && {
                self.part = Part::None;
                true
            };
        };
        self.part = *part;
        self.error = None;
        match part {
            Part::AtaStatistics => self.tree.push("ata_device_statistics/pages", None),
            Part::PhyEvents => self.tree.push("sata_phy_event_counters/table", None),
            Part::NvmeErrors => self.tree.push("nvme_error_information_log/table", None),
            Part::NvmeSelfTests => self.tree.push("nvme_self_test_log/table", None),
            _ => {}
        }
        true
    }

    /// The drive speaks this protocol, unless a line before said another.
    fn speaks(&mut self, protocol: &'static str) {
        if self.protocol.is_none() {
            self.protocol = Some(protocol);
            self.tree.put("device/protocol", protocol);
        }
    }

    /// The lines that say who the drive is and how it is in one word. The first that names the drive names its
    /// command set.
    fn identity(&mut self, key: &str, value: &str) -> bool {
        let (path, protocol) = match key {
            "Model Family" => ("model_family", Some("ATA")),
            "Device Model" => ("model_name", Some("ATA")),
            "Model Number" => ("model_name", Some("NVMe")),
            "Vendor" => ("scsi_vendor", Some("SCSI")),
            "Product" => ("scsi_product", Some("SCSI")),
            "Revision" => ("scsi_revision", Some("SCSI")),
            "Serial Number" | "Serial number" => ("serial_number", None),
            "Firmware Version" => ("firmware_version", None),
            "Logical Unit id" => ("logical_unit_id", Some("SCSI")),
            "Transport protocol" => ("scsi_transport_protocol/name", Some("SCSI")),
            "ATA Version is" => ("ata_version/string", Some("ATA")),
            "NVMe Version" => ("nvme_version/string", Some("NVMe")),
            _ => return self.identity_number(key, value),
        };
        if let Some(protocol) = protocol {
            self.speaks(protocol);
        }
        if is_value(value) {
            self.tree.put(path, value);
        }
        true
    }

    fn identity_number(&mut self, key: &str, value: &str) -> bool {
        match key {
            "User Capacity" | "Total NVM Capacity" | "Namespace 1 Size/Capacity" | "Namespace 1 Size" => {
                let bytes = value.split(['[', 'b']).next().and_then(digits);
                self.tree.put_some("user_capacity/bytes", bytes.and_then(|bytes| u64::try_from(bytes).ok()));
            }
            "Rotation Rate" if value.starts_with("Solid State") => self.tree.put("rotation_rate", 0),
            "Rotation Rate" => self.tree.put_some("rotation_rate", first_number(value)),
            "LU WWN Device Id" => self.wwn(value),
            "SATA Version is" => self.sata_speed(value),
            "SMART support is" => {
                let said = |word| value.starts_with(word);
                if said("Unavailable") || said("Available") {
                    self.tree.put("smart_support/available", said("Available"));
                } else if said("Enabled") || said("Disabled") {
                    self.tree.put("smart_support/enabled", said("Enabled"));
                }
            }
            "SMART overall-health self-assessment test result" => {
                let passed = match value {
                    "PASSED" => Some(true),
                    "FAILED!" | "FAILED" => Some(false),
                    _ => None,
                };
                self.tree.put_some("smart_status/passed", passed);
            }
            "SMART Health Status" => self.scsi_status(value),
            "Power mode is" | "Power mode was" => {
                self.tree.put_some("power_mode/ata_value", power_mode(value));
            }
            _ => return false,
        }
        true
    }

    /// `5 0014ee 2b1234567`.
    fn wwn(&mut self, value: &str) {
        let parts: Vec<&str> = value.split_ascii_whitespace().collect();
        let &[naa, oui, id] = parts.as_slice() else { return };
        let hex = |digits: &str, length: usize| {
            (digits.len() == length).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        };
        if let (Some(naa), Some(oui), Some(id)) = (hex(naa, 1), hex(oui, 6), hex(id, 9)) {
            self.tree.put("wwn", json!({"naa": naa, "oui": oui, "id": id}));
        }
    }

    /// `SATA 3.0, 6.0 Gb/s (current: 3.0 Gb/s)`.
    fn sata_speed(&mut self, value: &str) {
        const MEGABIT: u64 = 1_000_000;
        for (which, before) in [("max", ", "), ("current", "current: ")] {
            let speed = value
                .split_once(before)
                .and_then(|(_, rest)| rest.split_once(" Gb/s"))
                .and_then(|(speed, _)| super::common::megabits(speed));
            if let Some(speed) = speed {
                let path = format!("interface_speed/{which}");
                self.tree.put(&path, json!({"units_per_second": speed.0, "bits_per_unit": MEGABIT}));
            }
        }
    }
}

/// CHECK POWER MODE's byte of its name (smartctl(8), `-n`).
fn power_mode(name: &str) -> Option<u64> {
    Some(match name {
        "ACTIVE or IDLE" => 0xff,
        "ACTIVE" | "ACTIVE_NV_UP" | "ACTIVE_NV_DOWN" => 0x40,
        "IDLE" => 0x80,
        "IDLE_A" => 0x81,
        "IDLE_B" => 0x82,
        "IDLE_C" => 0x83,
        "STANDBY" => 0x00,
        "STANDBY_Y" => 0x01,
        _ => return None,
    })
}

/// The words of a key with one blank between them, which most keys have already.
fn single_spaced(key: &str) -> Cow<'_, str> {
    let blanks = |pair: &[u8]| pair.iter().all(u8::is_ascii_whitespace);
    let other = |byte: u8| byte.is_ascii_whitespace() && byte != b' ';
    if key.bytes().any(other) || key.as_bytes().windows(2).any(blanks) {
        Cow::Owned(key.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
    } else {
        Cow::Borrowed(key)
    }
}

/// Whether a line says something: `--` and the like are what is left when a value was removed.
fn is_value(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric) && !text.starts_with("[No Information")
}

/// A number with thousands separators of any locale: `,` `.` `'`, a space or a no-break one. Ends at a word.
fn digits(text: &str) -> Option<u128> {
    let end = text
        .find(|c: char| {
            !(c.is_ascii_digit() || [',', '.', '\'', '’', ' ', '\u{a0}', '\u{202f}'].contains(&c))
        })
        .unwrap_or(text.len());
    let number: String = text.get(..end)?.chars().filter(char::is_ascii_digit).collect();
    number.parse().ok()
}

/// The first word as a number.
fn first_number(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// Parts the status from what stands before it, by the words that it begins with, the first of them a capital.
fn split_status<'a>(text: &'a str, statuses: &[(&str, u8)]) -> Option<(&'a str, &'a str, u8)> {
    let capitals = text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_uppercase());
    let (at, outcome) = capitals
        .filter_map(|(at, _)| Some((at, text.get(at..)?)))
        .find_map(|(at, rest)| Some((at, statuses.iter().find(|(start, _)| rest.starts_with(start))?.1)))?;
    Some((text.get(..at)?.trim(), text.get(at..)?.trim(), outcome))
}

/// Takes so many words from the end: the rest of the line, and the words in their order.
fn last_words(line: &str, count: usize) -> Option<(&str, Vec<&str>)> {
    let mut rest = line.trim_end();
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let at = rest.rfind(|c: char| c.is_ascii_whitespace())?;
        let (before, word) = rest.split_at_checked(at)?;
        words.push(word.trim());
        rest = before.trim_end();
    }
    words.reverse();
    Some((rest, words))
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
