//! SCSI: the status line, defect lists, error counters, self-tests and the background scan as text.

use serde_json::{Value, json};

use super::{Part, Report, first_number, last_words, split_status};

/// Statuses of the self-test results page with their values (SPC-4, 7.3.20).
const STATUSES: [(&str, u8); 8] = [
    ("Completed, segment failed", 4),
    ("Completed", 0),
    ("Aborted (by user command)", 1),
    ("Aborted (device reset", 2),
    ("Unknown error", 3),
    ("Failed in first segment", 5),
    ("Failed in second segment", 6),
    ("Self test in progress", 15),
];
/// "Failed in segment -->" is result 7.
const FAILED_IN_SEGMENT: (&str, u8) = ("Failed in segment", 7);

/// The rows of the error counter log until it has ended: their sum is one number.
#[derive(Default)]
pub(super) struct Rows {
    counters: Vec<(&'static str, u64)>,
    self_tests: u32,
}

impl Report {
    /// `OK`, or `FAILURE PREDICTION THRESHOLD EXCEEDED [asc=5d, ascq=10]`. NVMe before 7.0 has the same line.
    pub(super) fn scsi_status(&mut self, value: &str) {
        if value == "OK" {
            self.tree.put("smart_status/passed", true);
            return;
        }
        let code = |name: &str| {
            let (_, rest) = value.split_once(name)?;
            let digits = rest.split([',', ']']).next()?.trim();
            u8::from_str_radix(digits, 16).ok()
        };
        if let (Some(asc), Some(ascq)) = (code("[asc="), code("ascq=")) {
            self.tree.put("smart_status/passed", false);
            self.tree.put("smart_status/scsi/asc", asc);
            self.tree.put("smart_status/scsi/ascq", ascq);
        }
    }

    pub(super) fn scsi_field(&mut self, key: &str, value: &str) -> bool {
        if self.protocol != Some("SCSI") {
            return key == "Device" && self.old_device(value);
        }
        let cycle = |name: &str| format!("scsi_start_stop_cycle_counter/{name}");
        let number = first_number(value);
        match key {
            "Current Drive Temperature" => self.tree.put_some("temperature/current", number),
            "Drive Trip Temperature" => self.tree.put_some("temperature/drive_trip", number),
            "Elements in grown defect list" => self.tree.put_some("scsi_grown_defect_list", number),
            "Non-medium error count" => self.tree.put_some("scsi_non_medium_error_count", number),
            "Specified cycle count over device lifetime" => {
                self.tree.put_some(&cycle("specified_cycle_count_over_device_lifetime"), number);
            }
            "Accumulated start-stop cycles" => {
                self.tree.put_some(&cycle("accumulated_start_stop_cycles"), number);
            }
            "Specified load-unload count over device lifetime" => {
                self.tree.put_some(&cycle("specified_load_unload_count_over_device_lifetime"), number);
            }
            "Accumulated load-unload cycles" => {
                self.tree.put_some(&cycle("accumulated_load_unload_cycles"), number);
            }
            "Percentage used endurance indicator" => {
                let percent = value.strip_suffix('%').and_then(|number| number.parse::<u64>().ok());
                self.tree.put_some("scsi_percentage_used_endurance_indicator", percent);
            }
            // "Accumulated power on time, hours:minutes 12345:06 [740706 minutes]"
            "Accumulated power on time, hours" => {
                let hours = value.strip_prefix("minutes ").and_then(|rest| rest.split(':').next());
                self.tree.put_some("power_on_time/hours", hours.and_then(|n| n.trim().parse::<u64>().ok()));
            }
            "Pending defect count" => self.tree.put_some("scsi_pending_defects/count", number),
            "negotiated logical link rate" if value.contains("Gbps") => {
                self.tree.put("scsi_sas_port_0/phy_0/negotiated_logical_link_rate", value);
            }
            _ => return false,
        }
        true
    }

    /// `Device: SEAGATE  ST373453LC       Version: DX10`, as before 5.41.
    fn old_device(&mut self, value: &str) -> bool {
        let Some((names, version)) = value.split_once("Version:") else { return false };
        let Some((vendor, product)) = names.trim().split_once(' ') else { return false };
        self.speaks("SCSI");
        self.tree.put("scsi_vendor", vendor);
        self.tree.put("scsi_product", product.trim());
        self.tree.put("scsi_revision", version.trim());
        true
    }

    /// Lines that are no `key: value`: the counters, which end with the first other line, and old power-on hours.
    pub(super) fn scsi_row(&mut self, line: &str) -> bool {
        if self.protocol.is_some_and(|name| name != "SCSI") {
            return false;
        }
        if let Some((kind, rest)) = line.split_once(':') {
            let kind = ["read", "write", "verify"].into_iter().find(|known| *known == kind);
            let words: Vec<&str> = rest.split_ascii_whitespace().collect();
            // Fast, delayed, rewrites, corrected, invocations, gigabytes, uncorrected.
            if let (Some(kind), [_, _, _, _, _, _, uncorrected]) = (kind, words.as_slice())
                && let Ok(uncorrected) = uncorrected.parse()
            {
                self.scsi.counters.push((kind, uncorrected));
                return true;
            }
        }
        if self.pending_defect(line) {
            return true;
        }
        for (kind, uncorrected) in std::mem::take(&mut self.scsi.counters) {
            self.tree.put(&format!("scsi_error_counter_log/{kind}/total_uncorrected_errors"), uncorrected);
        }
        // Seagate's own page: "  number of hours powered up = 12345.67".
        if let Some(hours) = line.trim().strip_prefix("number of hours powered up = ") {
            let hours = hours.split('.').next().and_then(|whole| whole.parse::<u64>().ok());
            self.tree.put_some("power_on_time/hours", hours);
            return true;
        }
        false
    }

    /// `     1:  0x177dbe89        ,  25000` below the count.
    fn pending_defect(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        let [index, lba, hours] = words.as_slice() else { return false };
        let index = index.strip_suffix(':').and_then(|index| index.parse::<u32>().ok());
        let lba = lba.strip_prefix("0x").and_then(|lba| u64::from_str_radix(lba, 16).ok());
        let (Some(index), Some(lba), Ok(hours)) = (index, lba, hours.parse::<u64>()) else { return false };
        if self.tree.get("scsi_pending_defects/count").is_none() {
            return false;
        }
        let row = json!({"LBA": lba, "accum_power_on_hours": hours});
        self.tree.put(&format!("scsi_pending_defects/{index}"), row);
        true
    }

    /// `# 1  Background long   Completed                   -       90                 - [-   -    -]`.
    pub(super) fn scsi_self_test(&mut self, line: &str) -> bool {
        let test = scsi_logged(line);
        let used = test.is_some();
        if let Some(test) = test {
            self.tree.put(&format!("scsi_self_test_{}", self.scsi.self_tests), test);
            self.scsi.self_tests = self.scsi.self_tests.saturating_add(1);
        } else if line.is_empty() {
            self.part = Part::None;
        }
        used
    }

    /// `   1 12345:06  00000000abcdef12  [3,11,0]   Require Write or Reassign Blocks command`.
    pub(super) fn scsi_scan(&mut self, line: &str) -> bool {
        if let Some((_, count)) = line.split_once("Number of background medium scans performed:") {
            let count = first_number(count);
            self.tree.put_some("scsi_background_scan/status/number_medium_scans_performed", count);
            return true;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [index, when, lba, sense, status @ ..] = words.as_slice() else { return false };
        let codes: Vec<u64> = sense
            .trim_matches(['[', ']'])
            .split(',')
            .filter_map(|code| u64::from_str_radix(code, 16).ok())
            .collect();
        let &[key, asc, ascq] = codes.as_slice() else { return false };
        let minutes = when.split_once(':').and_then(|(hours, minutes)| {
            hours.parse::<u64>().ok()?.checked_mul(60)?.checked_add(minutes.parse().ok()?)
        });
        let (Ok(index), Some(minutes), Ok(lba)) =
            (index.parse::<u32>(), minutes, u64::from_str_radix(lba, 16))
        else {
            return false;
        };
        let needs = status.first() == Some(&"Require");
        let row = json!({
            "accumulated_power_on": {"minutes": minutes},
            "lba": lba,
            "sense_key": {"value": key},
            "asc": asc,
            "ascq": ascq,
            "reassign_status": {"value": u8::from(needs)},
        });
        self.tree.put(&format!("scsi_background_scan/result_{index}"), row);
        true
    }
}

fn scsi_logged(line: &str) -> Option<Value> {
    let (line, _) = line.strip_prefix('#')?.split_once('[')?;
    let (rest, words) = last_words(line, 3)?;
    let &[_, hours, lba] = words.as_slice() else { return None };
    let rest = rest.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    let (kind, status, value) =
        split_status(rest, &[FAILED_IN_SEGMENT]).or_else(|| split_status(rest, &STATUSES))?;
    let mut test = json!({
        "code": {"string": kind},
        "result": {"value": value, "string": status.trim_end_matches("-->").trim_end()},
    });
    if let Some(test) = test.as_object_mut() {
        if let Ok(hours) = hours.parse::<u64>() {
            test.insert("power_on_time".to_owned(), json!({"hours": hours}));
        }
        if let Ok(lba) = lba.parse::<u64>() {
            test.insert("lba_first_failure".to_owned(), json!({"value": lba}));
        }
    }
    Some(test)
}
