//! NVMe: the health log, the error log and the self-test log as text.

use serde_json::{Value, json};

use super::{Report, digits, first_number, last_words, split_status};

/// Statuses of the self-test log with their result values (NVMe base specification, device self-test log).
const STATUSES: [(&str, u8); 11] = [
    ("Completed without error", 0),
    ("Aborted: Self-test command", 1),
    ("Aborted: Controller Reset", 2),
    ("Aborted: Namespace removed", 3),
    ("Aborted: Format NVM command", 4),
    ("Fatal or unknown test error", 5),
    ("Completed: unknown failed segment", 6),
    ("Completed: failed segments", 7),
    ("Aborted: unknown reason", 8),
    ("Aborted: sanitize operation", 9),
    ("Aborted", 8),
];
/// Sensors in the health log.
const SENSORS: usize = 8;

impl Report {
    pub(super) fn nvme_field(&mut self, key: &str, value: &str) -> bool {
        if self.protocol != Some("NVMe") {
            // Reports before 7.0 and excerpts may begin with the log.
            if key != "Critical Warning" {
                return false;
            }
            self.speaks("NVMe");
            if self.protocol != Some("NVMe") {
                return false;
            }
        }
        let count = || digits(value.trim_end_matches('%'));
        let log = |name: &str| format!("nvme_smart_health_information_log/{name}");
        let percent = || value.strip_suffix('%').and_then(|number| number.trim().parse::<u64>().ok());
        match key {
            "Critical Warning" => {
                let bits = value.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
                self.tree.put_some(&log("critical_warning"), bits);
            }
            "Temperature" => self.tree.put_some("temperature/current", first_number(value)),
            "Available Spare" => self.tree.put_some(&log("available_spare"), percent()),
            "Available Spare Threshold" => self.tree.put_some(&log("available_spare_threshold"), percent()),
            "Percentage Used" => self.tree.put_some(&log("percentage_used"), percent()),
            "Data Units Read" => self.tree.put_counter(&log("data_units_read"), units(value)),
            "Data Units Written" => self.tree.put_counter(&log("data_units_written"), units(value)),
            "Host Read Commands" => self.tree.put_counter(&log("host_reads"), count()),
            "Host Write Commands" => self.tree.put_counter(&log("host_writes"), count()),
            "Controller Busy Time" => self.tree.put_counter(&log("controller_busy_time"), count()),
            "Power Cycles" => self.tree.put_counter(&log("power_cycles"), count()),
            "Power On Hours" => self.tree.put_counter(&log("power_on_hours"), count()),
            "Unsafe Shutdowns" => self.tree.put_counter(&log("unsafe_shutdowns"), count()),
            "Media and Data Integrity Errors" => self.tree.put_counter(&log("media_errors"), count()),
            "Error Information Log Entries" => self.tree.put_counter(&log("num_err_log_entries"), count()),
            "Warning Comp. Temperature Time" => self.tree.put_counter(&log("warning_temp_time"), count()),
            "Critical Comp. Temperature Time" => self.tree.put_counter(&log("critical_comp_time"), count()),
            "Warning Comp. Temp. Threshold" => {
                self.tree.put_some("nvme_composite_temperature_threshold/warning", first_number(value));
            }
            "Critical Comp. Temp. Threshold" => {
                self.tree.put_some("nvme_composite_temperature_threshold/critical", first_number(value));
            }
            "Namespace 1 IEEE EUI-64" => self.eui64(value),
            _ => return self.sensor(key, value),
        }
        true
    }

    /// `Temperature Sensor 3: 39 Celsius`: a sensor that the drive does not have is left out, which is a gap.
    fn sensor(&mut self, key: &str, value: &str) -> bool {
        const PATH: &str = "nvme_smart_health_information_log/temperature_sensors";
        let Some(index) = key.strip_prefix("Temperature Sensor ").and_then(|n| n.parse::<usize>().ok())
        else {
            return false;
        };
        if !(1..=SENSORS).contains(&index) {
            return true;
        }
        let known = self.tree.get(PATH).and_then(Value::as_array).map_or(0, Vec::len);
        for _ in known + 1..index {
            self.tree.push(PATH, Some(Value::Null));
        }
        if known < index {
            self.tree.push(PATH, Some(first_number(value).map_or(Value::Null, Value::from)));
        }
        true
    }

    /// `0025385 791b4f537`, printed as the three bytes of the maker and the five of the drive.
    fn eui64(&mut self, value: &str) {
        let Some((oui, id)) = value.split_once(' ') else { return };
        let hex = |digits: &str, length: usize| {
            (digits.len() == length).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        };
        if let (Some(oui), Some(id)) = (hex(oui, 6), hex(id, 10)) {
            self.tree.put("nvme_namespaces", json!([{"eui64": {"oui": oui, "ext_id": id}}]));
        }
    }

    /// `  0       4871     0  0x500f  0x4004  0x028            0     0     -  Invalid Field in Command`. The status
    /// word has the phase tag in bit 0, the code in bits 1 to 8 and its type in bits 9 to 11.
    pub(super) fn nvme_error(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [index, count, _, _, status, _, lba, namespace, ..] = words.as_slice() else { return false };
        if index.parse::<u64>().is_err() {
            return false;
        }
        let word = status.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let (Some(word), Ok(count)) = (word, count.parse::<u64>()) else { return false };
        let row = json!({
            "error_count": count,
            "status_field": {"status_code": (word >> 1) & 0xff, "status_code_type": (word >> 9) & 7},
            "lba": lba.parse::<u64>().ok(),
            "nsid": namespace.parse::<u64>().ok(),
        });
        self.tree.push("nvme_error_information_log/table", Some(row));
        true
    }

    /// ` 0   Short   Completed without error   2049   -   -   -   -   -`: hours, sector, namespace, segment, status
    /// code type, status code.
    pub(super) fn nvme_self_test(&mut self, line: &str) -> bool {
        if let Some(status) = line.strip_prefix("Self-test status:") {
            let status = status.trim();
            let running = !status.starts_with("No self-test");
            let operation = json!({"value": u8::from(running), "string": status});
            self.tree.put("nvme_self_test_log/current_self_test_operation", operation);
            return true;
        }
        let test = nvme_logged(line);
        let used = test.is_some();
        if used {
            self.tree.push("nvme_self_test_log/table", test);
        }
        used
    }
}

fn nvme_logged(line: &str) -> Option<Value> {
    let (rest, words) = last_words(line, 6)?;
    let &[hours, lba, ..] = words.as_slice() else { return None };
    let rest = rest.trim_start();
    let number = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
    let (kind, status, value) = split_status(rest.get(number..)?, &STATUSES)?;
    Some(json!({
        "self_test_code": {"string": kind},
        "self_test_result": {"value": value, "string": status},
        "power_on_hours": hours.parse::<u64>().ok()?,
        "lba": lba.parse::<u64>().ok(),
    }))
}

/// `17,084,042 [8.74 TB]`.
fn units(value: &str) -> Option<u128> {
    digits(value.split('[').next()?.trim())
}
