//! What `smartctl` says of one drive, as JSON or as text, as facts.
//!
//! [`parse`] is pure and total: any bytes give a [`ParsedDrive`], with every reading that is not there Unreadable,
//! Absent or NotCollected. A text report is read into the keys that the JSON of the same drive has (`text`), so that
//! there is one reading of what they mean. It reads the answer whatever the exit status was (bits 2 to 7 come with a full answer) and
//! decides by the presence of keys, because `json_format_version` never changed between smartmontools 7.0 and 7.5
//! while the keys did. It refuses to guess: no overall health is not a pass, 0 C is not a temperature, and packed raw
//! values stay packed beside the text that smartctl's drive database makes of them.

mod ata;
mod ata_logs;
mod common;
pub(crate) mod decode;
mod json;
mod nvme;
#[cfg(test)]
mod samples;
mod scsi;
mod text;

use assay_bundle::Observed;
use assay_bundle::facts::drive::{Drive, PowerMode, Protocol};
use serde_json::Value;

use json::Json;

/// Exit status bit 2: some command to the drive failed, or a checksum was wrong (smartctl(8), EXIT STATUS).
const EXIT_COMMAND_FAILED: u8 = 1 << 2;
/// Why a sleeping drive has no readings. Waking it would break the promise that a probe changes nothing.
pub const ASLEEP: &str = "asleep, was not woken";

/// How far smartctl got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The drive identified itself and was asked for its health.
    Answered,
    /// The drive is in a low-power mode and was left alone.
    Asleep(PowerMode),
    /// smartctl spoke, but not to a drive that has SMART: the wrong device type, or a virtual disk.
    NoSmart(String),
    /// Nothing usable; the reason with the whole chain.
    Unreadable(String),
}

/// One answer of smartctl.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedDrive {
    /// The readings. `device` is smartctl's own name for it, without `/dev/`; `bay` is never known here.
    pub drive: Drive,
    /// How far it got.
    pub answer: Answer,
    /// smartctl's version, such as `7.4`.
    pub smartctl_version: Option<String>,
    /// The device type that smartctl used, such as `sat` or `scsi`.
    pub device_type: Option<String>,
    /// smartctl printed a temperature of 0 C or less: the mark of a SATA drive asked as a SCSI one.
    pub temperature_is_sentinel: bool,
}

impl ParsedDrive {
    /// Whether another device type may get more out of the drive.
    pub fn is_poor(&self) -> bool {
        match &self.answer {
            Answer::Asleep(_) => false,
            Answer::NoSmart(_) | Answer::Unreadable(_) => true,
            Answer::Answered => !self.drive.serial.is_seen() || self.temperature_is_sentinel,
        }
    }

    /// How much of the drive the answer shows; only for choosing between answers about the same drive.
    pub fn richness(&self) -> u32 {
        let drive = &self.drive;
        [
            matches!(self.answer, Answer::Asleep(_)),
            matches!(self.answer, Answer::Answered),
            drive.serial.is_seen(),
            drive.model.is_seen(),
            drive.health_passed.is_seen(),
            drive.temperature_c.is_seen(),
            drive.power_on_hours.is_seen(),
            drive.ata_attributes.is_seen() || drive.nvme.is_seen() || drive.scsi.is_seen(),
        ]
        .into_iter()
        .map(u32::from)
        .sum()
    }
}

/// Reads one answer, JSON or text by its content; `place` is where the bytes stand below `raw/`.
pub fn parse(bytes: &[u8], place: &str) -> ParsedDrive {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return nothing(format!("{place}: smartctl printed nothing"));
    }
    if let Some((report, rows)) = text::tree(bytes) {
        return read(&Json::of_report(&report, &rows, place));
    }
    let root = match serde_json::from_slice::<Value>(bytes) {
        Ok(root) => root,
        Err(error) => return nothing(format!("{place}: smartctl's answer is not JSON: {error}")),
    };
    of_json(&root, place)
}

/// The same of JSON that was read already.
pub(crate) fn of_json(root: &Value, place: &str) -> ParsedDrive {
    if !root.is_object() {
        return nothing(format!("{place}: smartctl's answer is not a JSON object"));
    }
    read(&Json::new(root, place))
}

/// A drive of which nothing could be read, for the one reason.
pub fn nothing(why: String) -> ParsedDrive {
    let mut drive = Drive::default();
    fill_missing(&mut drive, &why);
    drive.smartctl_exit_bits = Observed::NotCollected;
    ParsedDrive {
        drive,
        answer: Answer::Unreadable(why),
        smartctl_version: None,
        device_type: None,
        temperature_is_sentinel: false,
    }
}

/// Gives every reading that nobody made, and that a drive of this protocol has, the one reason.
fn fill_missing(drive: &mut Drive, why: &str) {
    fn fill<T>(reading: &mut Observed<T>, why: &str) {
        if matches!(reading, Observed::NotCollected) {
            *reading = Observed::unreadable(why);
        }
    }
    fill(&mut drive.model, why);
    fill(&mut drive.serial, why);
    fill(&mut drive.firmware, why);
    fill(&mut drive.health_passed, why);
    fill(&mut drive.temperature_c, why);
    fill(&mut drive.power_on_hours, why);
    fill(&mut drive.self_tests, why);
    match drive.protocol.value() {
        Some(Protocol::Ata) => fill(&mut drive.ata_attributes, why),
        Some(Protocol::Nvme) => fill(&mut drive.nvme, why),
        Some(Protocol::Scsi) => fill(&mut drive.scsi, why),
        None => {}
    }
}

fn read(json: &Json<'_>) -> ParsedDrive {
    let messages = messages(json);
    let exit = json.unsigned("/smartctl/exit_status").and_then(|bits| u8::try_from(bits).ok());
    let device_type = json.text("/device/type").map(str::to_owned);
    let mut drive = Drive {
        device: json.text("/device/name").map_or("", |name| name.trim_start_matches("/dev/")).to_owned(),
        protocol: protocol(json),
        health_from_attributes: messages.iter().any(|m| m.contains("based on an Attribute check")),
        smartctl_exit_bits: exit.map_or(Observed::NotCollected, |bits| json.seen(bits)),
        ..Drive::default()
    };
    let temperature = common::temperature(json);
    common::identity(json, &mut drive);
    let answer = answer(json, &drive, &messages);
    match &answer {
        Answer::Asleep(mode) => {
            drive.power_mode = json.seen(*mode);
            fill_missing(&mut drive, ASLEEP);
        }
        Answer::NoSmart(why) | Answer::Unreadable(why) => {
            common::health(json, &mut drive, temperature);
            common::link(json, &mut drive);
            fill_missing(&mut drive, why);
        }
        Answer::Answered => {
            drive.power_mode = common::power_mode(json);
            common::health(json, &mut drive, temperature);
            common::link(json, &mut drive);
            logs(json, &mut drive, exit.unwrap_or(0) & EXIT_COMMAND_FAILED != 0);
        }
    }
    ParsedDrive {
        drive,
        answer,
        smartctl_version: version(json),
        device_type,
        temperature_is_sentinel: temperature.is_some_and(|degrees| degrees <= 0),
    }
}

fn messages<'a>(json: &Json<'a>) -> Vec<&'a str> {
    json.array("/smartctl/messages")
        .unwrap_or_default()
        .iter()
        .filter_map(|message| message.pointer("/string").and_then(Value::as_str))
        .collect()
}

fn version(json: &Json<'_>) -> Option<String> {
    let numbers = json.array("/smartctl/version")?;
    let parts: Vec<String> = numbers.iter().filter_map(|n| n.as_u64().map(|n| n.to_string())).collect();
    (!parts.is_empty()).then(|| parts.join("."))
}

fn protocol(json: &Json<'_>) -> Observed<Protocol> {
    match json.text("/device/protocol") {
        Some("ATA") => json.seen(Protocol::Ata),
        Some("SCSI") => json.seen(Protocol::Scsi),
        Some("NVMe") => json.seen(Protocol::Nvme),
        _ => Observed::NotCollected,
    }
}

/// "Device is in STANDBY mode, exit(3)", "Device is in SLEEP mode, exit(2)": an `information`, never an `error`.
fn asleep(messages: &[&str]) -> Option<PowerMode> {
    messages.iter().find_map(|message| {
        let mode = message.strip_prefix("Device is in ")?.split_once(" mode")?.0;
        Some(match mode {
            "SLEEP" => PowerMode::Sleep,
            _ if mode.starts_with("IDLE") => PowerMode::Idle,
            _ => PowerMode::Standby,
        })
    })
}

fn answer(json: &Json<'_>, drive: &Drive, messages: &[&str]) -> Answer {
    if let Some(mode) = asleep(messages) {
        return Answer::Asleep(mode);
    }
    let said = |severity: &str| {
        json.array("/smartctl/messages").unwrap_or_default().iter().find_map(|message| {
            let this = message.pointer("/severity").and_then(Value::as_str)?;
            (this == severity).then(|| message.pointer("/string").and_then(Value::as_str))?
        })
    };
    let unavailable = json.at("/smart_support/available").and_then(Value::as_bool) == Some(false);
    let has_health = json.at("/smart_status/passed").is_some()
        || ["/ata_smart_attributes", "/nvme_smart_health_information_log", "/scsi_grown_defect_list"]
            .iter()
            .any(|key| json.at(key).is_some());
    if has_health {
        return Answer::Answered;
    }
    if drive.serial.is_seen() || drive.model.is_seen() {
        let why = match (unavailable, said("error")) {
            (_, Some(error)) => format!("{}: smartctl says: {error}", json.place()),
            (true, None) => {
                format!("{}: smartctl says that the device has no SMART capability", json.place())
            }
            (false, None) => format!("{}: smartctl's answer holds no health data", json.place()),
        };
        // A virtual volume behind a SCSI front identifies itself and says no more: it has no SMART at all.
        let scsi = drive.protocol.value() == Some(&Protocol::Scsi);
        return if unavailable || scsi { Answer::NoSmart(why) } else { Answer::Unreadable(why) };
    }
    let why = said("error").or_else(|| said("warning")).map_or_else(
        || format!("{}: smartctl's answer names no drive", json.place()),
        |error| format!("{}: smartctl says: {error}", json.place()),
    );
    Answer::Unreadable(why)
}

fn logs(json: &Json<'_>, drive: &mut Drive, command_failed: bool) {
    match drive.protocol.value() {
        Some(Protocol::Ata) => ata::read(json, drive, command_failed),
        Some(Protocol::Nvme) => nvme::read(json, drive, command_failed),
        Some(Protocol::Scsi) => scsi::read(json, drive, command_failed),
        None => {}
    }
    common::wear(json, drive);
    fill_missing(drive, &format!("{}: smartctl's answer does not hold it", json.place()));
}

/// An ATA answer as smartctl 7.4 gives it, with other keys in place of its own.
#[cfg(test)]
pub(crate) mod sample {
    use serde_json::{Value, json};

    pub(crate) fn ata(rest: Value) -> Value {
        let mut answer = json!({
            "json_format_version": [1, 0],
            "smartctl": {"version": [7, 4], "exit_status": 0},
            "device": {"name": "/dev/sda", "info_name": "/dev/sda [SAT]", "type": "sat", "protocol": "ATA"},
            "model_name": "EXAMPLE HD4000",
            "serial_number": "EX0001",
            "firmware_version": "1.0",
            "wwn": {"naa": 5, "oui": 3152, "id": 12345},
            "user_capacity": {"blocks": 7_814_037_168_u64, "bytes": 4_000_787_030_016_u64},
            "rotation_rate": 5400,
            "smart_status": {"passed": true},
            "temperature": {"current": 34, "op_limit_max": 70},
            "power_on_time": {"hours": 12345, "minutes": 6},
            "power_cycle_count": 20,
            "ata_smart_attributes": {"table": [
                {"id": 5, "name": "Reallocated_Sector_Ct", "value": 100, "worst": 100, "thresh": 10, "when_failed": "",
                 "flags": {"prefailure": true}, "raw": {"value": 0, "string": "0"}},
                {"id": 188, "name": "Command_Timeout", "value": 100, "worst": 98, "thresh": 0, "when_failed": "",
                 "flags": {"prefailure": false}, "raw": {"value": 94_490_722_326_u64, "string": "22 22 22"}},
                {"id": 190, "name": "Airflow_Temperature_Cel", "value": 66, "worst": 40, "thresh": 45, "when_failed": "past",
                 "flags": {"prefailure": false}, "raw": {"value": 34, "string": "34"}},
            ]},
            "ata_smart_error_log": {"extended": {"count": 3}},
            "ata_smart_self_test_log": {"standard": {"count": 0}},
        });
        if let (Some(answer), Some(rest)) = (answer.as_object_mut(), rest.as_object()) {
            for (key, value) in rest {
                answer.insert(key.clone(), value.clone());
            }
        }
        answer
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use serde_json::json;

    use super::sample::ata;
    use super::*;

    const PLACE: &str = "cmd/smartctl.sat.sda/stdout";

    fn parsed(answer: &Value) -> ParsedDrive {
        parse(answer.to_string().as_bytes(), PLACE)
    }

    #[test]
    fn health_has_three_states() {
        fn check(rest: Value, passed: Option<bool>, from_attributes: bool, answered: bool) {
            let found = parsed(&ata(rest));
            assert_eq!(found.drive.health_passed.value().copied(), passed);
            assert_eq!(found.drive.health_from_attributes, from_attributes);
            assert_eq!(found.answer == Answer::Answered, answered);
        }
        check(json!({"smart_status": {"passed": false}}), Some(false), false, true);
        check(json!({"smart_status": {}}), None, false, true);
        check(json!({"smart_status": {"passed": null}}), None, false, true);
        check(json!({"smart_status": {"passed": "yes"}}), None, false, true);
        let warning = json!([{"string": "Warning: This result is based on an Attribute check.", "severity": "warning"}]);
        check(json!({"smartctl": {"exit_status": 4, "messages": warning}}), Some(true), true, true);
        check(json!({"smart_status": null, "ata_smart_attributes": null}), None, false, false);
    }

    #[test]
    fn temperatures_that_mean_unknown() {
        fn check(temperature: Value, expected: Option<i16>, sentinel: bool) {
            let found = parsed(&ata(json!({ "temperature": temperature })));
            assert_eq!(found.drive.temperature_c.value().map(|c| c.0), expected);
            assert_eq!((found.temperature_is_sentinel, found.is_poor()), (sentinel, sentinel));
        }
        check(json!({"current": 31}), Some(31), false);
        check(json!({"current": 0, "drive_trip": 0}), None, true);
        check(json!({"current": -1}), None, true);
        check(json!({"current": 255}), None, false);
        check(json!({}), None, false);
        check(json!(null), None, false);
    }

    #[test]
    fn a_sleeping_drive_says_only_that() {
        fn check(message: &str, mode: PowerMode) {
            let found = parsed(&json!({
                "smartctl": {"version": [7, 5], "exit_status": 3, "messages": [{"string": message, "severity": "information"}]},
                "device": {"name": "/dev/sda", "type": "sat", "protocol": "ATA"},
            }));
            assert_eq!(found.answer, Answer::Asleep(mode));
            assert!(!found.is_poor());
            assert_eq!(found.drive.health_passed, Observed::unreadable(ASLEEP));
            assert_eq!(found.drive.temperature_c, Observed::unreadable(ASLEEP));
            assert_eq!(found.drive.smartctl_exit_bits.value(), Some(&3));
        }
        check("Device is in STANDBY mode, exit(3)", PowerMode::Standby);
        check("Device is in STANDBY_Y mode, exit(3)", PowerMode::Standby);
        check("Device is in SLEEP mode, exit(3)", PowerMode::Sleep);
        check("Device is in STANDBY (OS) mode, exit(3)", PowerMode::Standby);
    }

    #[test]
    fn an_answer_without_a_drive_names_the_reason() {
        fn check(answer: &Value, words: &str, no_smart: bool) {
            let found = parsed(answer);
            let why = match &found.answer {
                Answer::NoSmart(why) | Answer::Unreadable(why) => why.clone(),
                other => format!("{other:?}"),
            };
            assert!(why.contains(words), "{why}");
            assert_eq!(matches!(found.answer, Answer::NoSmart(_)), no_smart);
            assert!(found.is_poor() && found.drive.health_passed.why_not().is_some());
        }
        let failed =
            json!([{"string": "Smartctl open device: /dev/sda failed: No such device", "severity": "error"}]);
        check(&json!({"smartctl": {"exit_status": 2, "messages": failed}}), "No such device", false);
        check(&json!({"smartctl": {"exit_status": 2}}), "names no drive", false);
        check(
            &json!({"device": {"protocol": "SCSI", "type": "scsi"}, "model_name": "WDC WD40", "serial_number": "W1",
                    "smart_support": {"available": false}, "temperature": {"current": 0, "drive_trip": 0}}),
            "no SMART capability",
            true,
        );
        check(
            &json!({"device": {"protocol": "SCSI"}, "vendor": "Intel", "product": "Raid 1 Volume"}),
            "no health data",
            true,
        );
    }

    #[test]
    fn values_of_a_wrong_type_are_not_seen() {
        fn check(rest: Value, seen: impl Fn(&Drive) -> bool) {
            assert!(!seen(&parsed(&ata(rest.clone())).drive), "{rest}");
        }
        check(json!({"serial_number": 7}), |d| d.serial.is_seen());
        check(json!({"serial_number": "  "}), |d| d.serial.is_seen());
        check(json!({"power_on_time": {"hours": -1}}), |d| d.power_on_hours.is_seen());
        check(json!({"power_on_time": {"hours": "12"}}), |d| d.power_on_hours.is_seen());
        check(json!({"user_capacity": []}), |d| d.capacity_bytes.is_seen());
        check(json!({"wwn": {"naa": 5}}), |d| d.wwn.is_seen());
        check(json!({"rotation_rate": 4_294_967_296_u64}), |d| d.rotation_rpm.is_seen());
        check(json!({"ata_smart_attributes": {"table": "none"}}), |d| d.ata_attributes.is_seen());
        check(json!({"device": {"protocol": "Smoke"}}), |d| d.protocol.is_seen());
        let rows = json!({"ata_smart_attributes": {"table": [{"id": 0}, {"id": 300, "raw": {"value": 1}}, {"id": 5}, null, 7]}});
        check(rows, |d| d.ata_attributes.value().is_some_and(|rows| !rows.is_empty()));
    }

    #[test]
    fn a_cut_answer_has_nothing_or_everything() {
        let text = ata(json!({})).to_string();
        let whole = parse(text.as_bytes(), PLACE);
        for end in 0..=text.len() {
            let Some(bytes) = text.as_bytes().get(..end) else { continue };
            let found = parse(bytes, PLACE);
            assert!(found == whole || !found.drive.serial.is_seen(), "cut at {end}");
            assert!(matches!(found.answer, Answer::Answered | Answer::Unreadable(_)));
        }
        for odd in
            ["", " \n", "null", "[]", "7", "\u{0}", "{\"smartctl\":7,\"device\":[],\"temperature\":true}"]
        {
            assert!(parse(odd.as_bytes(), PLACE).is_poor(), "{odd:?}");
        }
    }

    #[test]
    fn cut_and_damaged_answers_say_nothing_else() {
        let answer = br#"{"smartctl":{"version":[7,4],"exit_status":4},"device":{"name":"/dev/sda","type":"sat","protocol":"ATA"},"serial_number":"S1","model_name":"M","smart_status":{"passed":true},"temperature":{"current":31},"power_on_time":{"hours":4711},"ata_smart_attributes":{"table":[{"id":5,"name":"Reallocated_Sector_Ct","value":100,"worst":100,"thresh":10,"when_failed":"","flags":{"prefailure":true},"raw":{"value":0,"string":"0"}}]}}"#;
        let drive = |bytes: &[u8]| parse(bytes, "x").drive;
        crate::hostile::cut(answer, drive);
        crate::hostile::mutate(answer, 1000, drive, |drive| {
            assert!(drive.temperature_c.value().is_none_or(|t| (1..128).contains(&t.0)));
        });
    }
}
