//! ATA: the attribute table in its three forms, the self-test log, and the single lines.
//!
//! A row of the table is known by its shape (id, name, flags, three values), so that one without its heading counts
//! too. Old: `… 0x0033 100 100 010 Pre-fail Always - 0`; brief: `… PO--CK 100 100 010 - 0`; a value may be `---`.

use assay_bundle::facts::drive::{AtaAttribute, WhenFailed};
use serde_json::{Value, json};

use super::super::decode;
use super::{Part, Report, first_number, last_words, split_status};

/// Lengths of the flag words: `0x0033`, `PO--CK`.
const FLAG_BYTES: usize = 6;
/// Statuses of the self-test log with the high nibble of their code (ACS-4, self-test log).
const STATUSES: [(&str, u8); 11] = [
    ("Completed without error", 0),
    ("Aborted by host", 1),
    ("Interrupted (host reset)", 2),
    ("Fatal or unknown error", 3),
    ("Completed: unknown failure", 4),
    ("Completed: electrical failure", 5),
    ("Completed: servo/seek failure", 6),
    ("Completed: read failure", 7),
    ("Completed: handling damage", 8),
    ("Self-test routine in progress", 15),
    ("Unknown", 9),
];

/// The rows of the attribute table that say how the drive is, until the table has ended.
#[derive(Default)]
pub(super) struct Table {
    open: bool,
    closed: bool,
    temperature: Option<u64>,
    airflow: Option<u64>,
    /// What stands for "no temperature": 0, 128 and above.
    sentinel: Option<u64>,
    hours: Option<u64>,
    cycles: Option<u64>,
}

/// One row: what stands in it.
struct Row<'a> {
    id: u8,
    name: &'a str,
    prefailure: bool,
    values: [Option<u8>; 3],
    when_failed: WhenFailed,
    raw_text: &'a str,
}

fn row(line: &str) -> Option<Row<'_>> {
    line.trim_start().starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
    let mut rest = line;
    let mut word = || {
        rest = rest.trim_ascii_start();
        let end = rest.bytes().position(|byte| byte.is_ascii_whitespace()).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end)?;
        rest = after;
        (!word.is_empty()).then_some(word)
    };
    let id = word()?.parse().ok().filter(|id| *id > 0)?;
    let name = word().filter(|name| name.contains(|c: char| c.is_ascii_alphabetic()))?;
    let flags = word().filter(|flags| flags.len() == FLAG_BYTES)?;
    let prefailure = match flags.strip_prefix("0x") {
        Some(hex) => u16::from_str_radix(hex, 16).ok()? & 1 != 0,
        None => flags.starts_with('P'),
    };
    let mut values = [None; 3];
    for value in &mut values {
        let word = word()?;
        *value = if word.bytes().all(|b| b == b'-') { None } else { Some(word.parse().ok()?) };
    }
    let mut failed = word()?;
    if ["Pre-fail", "Old_age"].contains(&failed) {
        failed = word()?;
    }
    if ["Always", "Offline"].contains(&failed) {
        failed = word()?;
    }
    let when_failed = match failed {
        "-" => WhenFailed::Never,
        "NOW" | "FAILING_NOW" => WhenFailed::Now,
        "Past" | "In_the_past" => WhenFailed::Past,
        _ => return None,
    };
    Some(Row { id, name, prefailure, values, when_failed, raw_text: rest.trim() })
}

impl Report {
    pub(super) fn attribute(&mut self, line: &str) -> bool {
        let Some(row) = row(line) else {
            self.end_of_attributes();
            return false;
        };
        self.speaks("ATA");
        // Without any number there is no raw value to keep.
        let Some(raw) = decode::raw_of(row.raw_text) else { return true };
        if !self.attributes.closed {
            self.attributes.open = true;
            let model = self.tree.get("model_name").and_then(Value::as_str).unwrap_or_default();
            let decoded = decode::decoded(row.id, row.name, model, raw, row.raw_text);
            let table = &mut self.attributes;
            if decoded.is_none() && [190, 194].contains(&row.id) && raw <= u64::from(u8::MAX) {
                table.sentinel = Some(raw);
            }
            match row.id {
                194 => table.temperature = table.temperature.or(decoded),
                190 => table.airflow = table.airflow.or(decoded),
                9 if row.name.contains("Power_On") || row.name.contains("Hours") => {
                    table.hours = table.hours.or(decoded);
                }
                12 if row.name.contains("Cycle") => table.cycles = table.cycles.or(decoded),
                _ => {}
            }
        }
        if self.rows.attributes.is_empty() {
            self.tree.push("ata_smart_attributes/table", None);
        }
        let [value, worst, threshold] = row.values;
        self.rows.attributes.push(AtaAttribute {
            id: row.id,
            name: row.name.to_owned(),
            value,
            worst,
            threshold,
            prefailure: row.prefailure,
            when_failed: row.when_failed,
            raw,
            raw_text: row.raw_text.to_owned(),
            decoded: None,
        });
        true
    }

    /// smartctl takes temperature, hours and cycles out of the table; so the whole table must be there.
    fn end_of_attributes(&mut self) {
        let table = &mut self.attributes;
        if !table.open || table.closed {
            return;
        }
        table.closed = true;
        let (temperature, hours, cycles) = (table.temperature.or(table.airflow), table.hours, table.cycles);
        self.tree.put_some("temperature/current", temperature);
        self.tree.put_some("power_on_time/hours", hours);
        self.tree.put_some("power_cycle_count", cycles);
    }

    /// A temperature that says that none is known, when no line knew one.
    pub(super) fn end_of_report(&mut self) {
        let sentinel = self.attributes.sentinel.filter(|_| self.attributes.closed);
        self.tree.put_some("temperature/current", sentinel);
    }

    pub(super) fn ata_field(&mut self, key: &str, value: &str) {
        match key {
            "Self-test execution status" => {
                let status = value.strip_prefix('(').and_then(|rest| rest.split_once(')'));
                let Some(status) = status.and_then(|(code, _)| code.trim().parse::<u8>().ok()) else {
                    return;
                };
                let words = match status >> 4 {
                    15 => format!("in progress, {}0% remaining", status & 15),
                    _ => String::new(),
                };
                self.tree.put("ata_smart_data/self_test/status", json!({"value": status, "string": words}));
            }
            "Device Error Count" => {
                self.tree.put_some("ata_smart_error_log/extended/count", first_number(value));
            }
            "ATA Error Count" => {
                self.tree.put_some("ata_smart_error_log/summary/count", first_number(value));
            }
            "Current Temperature" => self.tree.put_some("temperature/current", first_number(value)),
            "Specified Max Operating Temperature" => {
                self.tree.put_some("temperature/op_limit_max", first_number(value));
            }
            _ => {}
        }
    }

    /// `# 1  Extended offline    Completed: read failure       90%     12345         987654321`.
    pub(super) fn ata_self_test(&mut self, log: &str, line: &str) -> bool {
        let path = || format!("ata_smart_self_test_log/{log}");
        if line.starts_with("No self-tests have been logged") {
            self.tree.put(&format!("{}/count", path()), 0);
            return true;
        }
        if line.starts_with("Num ") {
            self.tree.push(&format!("{}/table", path()), None);
            return true;
        }
        if let Some(test) = logged(line) {
            self.tree.push(&format!("{}/table", path()), Some(test));
            return true;
        }
        if line.trim().is_empty() {
            self.part = Part::None;
        }
        false
    }
}

fn logged(line: &str) -> Option<Value> {
    let (rest, words) = last_words(line.strip_prefix('#')?, 3)?;
    let &[remaining, hours, lba] = words.as_slice() else { return None };
    let tenths = remaining.strip_suffix('%')?.parse::<u8>().ok()? / 10;
    let rest = rest.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    let (kind, status, nibble) = split_status(rest, &STATUSES)?;
    let mut test = json!({
        "type": {"string": kind},
        "status": {"value": (nibble << 4) | (tenths & 15), "string": status},
        "lifetime_hours": hours.parse::<u64>().ok()?,
    });
    if let (Some(test), Ok(lba)) = (test.as_object_mut(), lba.parse::<u64>()) {
        test.insert("lba".to_owned(), lba.into());
    }
    Some(test)
}
