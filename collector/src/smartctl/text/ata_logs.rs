//! ATA: the error log, device statistics, pending defects, link events and FARM as text.

use serde_json::{Value, json};

use super::super::ata_logs;
use super::{Part, Report, digits};

impl Report {
    /// An entry takes several lines: the one with its number and hours, and the registers with the description. It
    /// counts when the registers have been read.
    pub(super) fn ata_error(&mut self, log: &str, line: &str) -> bool {
        if line.starts_with("No Errors Logged") {
            self.tree.put(&format!("ata_smart_error_log/{log}/count"), 0);
            return true;
        }
        if let Some(rest) = line.strip_prefix("Error ").filter(|_| line.contains("power-on lifetime:")) {
            let number = rest.split_ascii_whitespace().next().and_then(|word| word.parse::<u64>().ok());
            let hours = line.split_once("lifetime:").and_then(|(_, rest)| super::first_number(rest));
            self.error = Some(json!({"error_number": number, "lifetime_hours": hours}));
            return true;
        }
        // The commands before the error have registers too, but come after its entry was taken.
        if let Some(text) = registers(line) {
            if let Some(mut entry) = self.error.take() {
                if let Some(entry) = entry.as_object_mut() {
                    entry.insert("error_description".to_owned(), text.into());
                }
                self.tree.push(&format!("ata_smart_error_log/{log}/table"), Some(entry));
            }
            return true;
        }
        false
    }

    /// `0x03  0x020  4              16  ---  Number of Reallocated Logical Sectors`; before 6.5 the page is decimal
    /// and a normalised value ends in `~`.
    pub(super) fn ata_statistic(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [page, offset, size, value, rest @ ..] = words.as_slice() else {
            return self.end_of_rows(line);
        };
        let (Some(page), Some(offset)) = (number(page), offset.strip_prefix("0x").and_then(hex)) else {
            return false;
        };
        if size.parse::<u8>().is_err() {
            return false;
        }
        let is_flags = |word: &&&str| word.len() >= 3 && word.chars().all(|c| "-NDCV ".contains(c));
        let flags = rest.first().filter(is_flags);
        self.tree.push("ata_device_statistics/pages", None);
        let Ok(value) = value.trim_end_matches('~').parse::<i64>() else { return true };
        let found = &mut self.rows.statistics;
        if flags.is_some_and(|flags| flags.contains('C')) {
            found.conditions_met.push(rest.get(1..).unwrap_or_default().join(" "));
        }
        ata_logs::statistic(found, page, offset, Some(&value.into()));
        true
    }

    /// `Index  LBA  Hours`, then one line each. The count is not printed: it is that of the lines, with those that
    /// smartctl says it left out, when the list has ended.
    pub(super) fn ata_pending_defect(&mut self, line: &str) -> bool {
        const LOG: &str = "ata_pending_defects_log";
        if line.starts_with("No Defects Logged") {
            self.tree.put(&format!("{LOG}/count"), 0);
            self.part = Part::None;
            return true;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if words.first() == Some(&"Index") {
            self.tree.push(&format!("{LOG}/table"), None);
            return true;
        }
        let listed = self.tree.get(&format!("{LOG}/table")).and_then(Value::as_array).map(Vec::len);
        match (words.as_slice(), listed) {
            ([index, lba, hours], Some(_)) if index.parse::<u64>().is_ok() => {
                let row =
                    json!({"lba": lba.parse::<u64>().ok(), "power_on_hours": hours.parse::<u64>().ok()});
                self.tree.push(&format!("{LOG}/table"), Some(row));
            }
            (["...", left_out, ..], Some(listed)) => {
                let more = left_out.trim_start_matches('(').parse::<u64>().ok();
                let count = u64::try_from(listed).ok().zip(more).and_then(|(n, more)| n.checked_add(more));
                self.tree.put_some(&format!("{LOG}/count"), count);
            }
            ([], Some(listed)) => {
                self.tree.put_some(&format!("{LOG}/count"), u64::try_from(listed).ok());
                self.part = Part::None;
            }
            _ => return false,
        }
        true
    }

    /// `0x000a  2            2  Device-to-host register FISes sent due to a COMRESET`; a `+` after the value means
    /// that the counter is at its end.
    pub(super) fn phy_event(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [id, _, value, name @ ..] = words.as_slice() else { return self.end_of_rows(line) };
        let Some(id) = id.strip_prefix("0x").and_then(hex) else { return false };
        let Ok(count) = value.trim_end_matches('+').parse::<u64>() else { return false };
        let row = json!({"id": id, "name": name.join(" "), "value": count, "overflow": value.ends_with('+')});
        self.tree.push("sata_phy_event_counters/table", Some(row));
        true
    }

    /// `Number of Reallocated Sectors: 0` under its page; the log has no empty line inside a page of interest.
    pub(super) fn farm(&mut self, line: &str) -> bool {
        let Some((key, value)) = line.trim().split_once(':') else { return false };
        let path = match key.trim() {
            "Power on Hours" => "page_1_drive_information/poh",
            "Spindle Power on Hours" => "page_1_drive_information/spoh",
            "Unrecoverable Read Errors" => "page_3_error_statistics/number_of_unrecoverable_read_errors",
            "Unrecoverable Write Errors" => "page_3_error_statistics/number_of_unrecoverable_write_errors",
            "Number of Reallocated Sectors" => "page_3_error_statistics/number_of_reallocated_sectors",
            "Number of Reallocated Candidate Sectors" => {
                "page_3_error_statistics/number_of_reallocated_candidate_sectors"
            }
            "Number of Mechanical Start Failures" => {
                "page_3_error_statistics/number_of_mechanical_start_failures"
            }
            "Number of Interface CRC Errors" => "page_3_error_statistics/total_crc_errors",
            // The log repeats the drive's names and temperatures; they are read where the drive itself says them.
            _ => return line.starts_with(char::is_whitespace),
        };
        let value = digits(value.trim()).and_then(|value| u64::try_from(value).ok());
        self.tree.put_some(&format!("seagate_farm_log/{path}"), value);
        true
    }

    fn end_of_rows(&mut self, line: &str) -> bool {
        if line.is_empty() {
            self.part = Part::None;
        }
        false
    }
}

/// The description behind a line of registers: `  40 -- 51 00 08 …  Error: UNC at LBA = …`. Seven registers in the
/// summary log, thirteen in the extended one.
fn registers(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let bytes = line.as_bytes();
    let (mut at, mut count) = (0, 0);
    while let Some([high, low]) = bytes.get(at..at + 2)
        && ((*high, *low) == (b'-', b'-') || (high.is_ascii_hexdigit() && low.is_ascii_hexdigit()))
        && bytes.get(at + 2).is_none_or(|behind| *behind == b' ')
    {
        count += 1;
        at += 2;
        at += bytes.iter().skip(at).take_while(|byte| byte.is_ascii_whitespace()).count();
    }
    (count >= 7 && bytes.first() != Some(&b'-')).then(|| line.get(at..))?
}

fn hex(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

/// `0x03` or `3`.
fn number(word: &str) -> Option<u64> {
    word.strip_prefix("0x").map_or_else(|| word.parse().ok(), hex)
}

#[test]
fn registers_and_what_stands_behind_them() {
    for (line, expected) in [
        (
            "  40 -- 51 00 01 00 00 17 7d be 89 40 00  Error: UNC at LBA = 0x1 = 1",
            Some("Error: UNC at LBA = 0x1 = 1"),
        ),
        ("  40 51 08 e0 bd 71 40  Error: ICRC, ABRT", Some("Error: ICRC, ABRT")),
        ("  04 51 08 e0 bd 71 40", Some("")),
        ("  -- -- -- == -- == == == -- -- -- -- --", None),
        ("  ER ST SC SN CL CH DH", None),
        ("", None),
    ] {
        assert_eq!(registers(line), expected, "{line:?}");
    }
}
