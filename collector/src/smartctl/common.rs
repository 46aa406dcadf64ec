//! The part of smartctl's answer that drives of all kinds share: who the drive is, and its overall readings.

use assay_bundle::Observed;
use assay_bundle::facts::drive::{Drive, Medium, PowerMode, Protocol};
use assay_bundle::units::{Bytes, Celsius, Hours, MegabitsPerSecond, Percent, Rpm};
use serde_json::Value;

use super::json::Json;

pub(super) fn identity(json: &Json<'_>, drive: &mut Drive) {
    let vendor = json.text("/scsi_vendor").or_else(|| json.text("/vendor"));
    let product = json.text("/scsi_product").or_else(|| json.text("/product"));
    let joined = match (vendor, product) {
        (Some(vendor), Some(product)) => Some(format!("{} {}", vendor.trim(), product.trim())),
        (None, Some(product)) => Some(product.to_owned()),
        _ => None,
    };
    let model =
        json.text("/model_name").or_else(|| json.text("/scsi_model_name")).map(str::to_owned).or(joined);
    drive.model = json.maybe(model.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()));
    drive.serial =
        json.maybe(json.text("/serial_number").map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()));
    let firmware = ["/firmware_version", "/scsi_revision", "/revision"].iter().find_map(|key| json.text(key));
    drive.firmware = json.maybe(firmware.map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()));
    drive.capacity_bytes = json.maybe(
        json.unsigned("/user_capacity/bytes").or_else(|| json.unsigned("/nvme_total_capacity")).map(Bytes),
    );
    drive.wwn = json.maybe(wwn(json));
    let rotation = json.unsigned("/rotation_rate");
    match (drive.protocol.value(), rotation) {
        (Some(Protocol::Nvme), _) | (_, Some(0)) => {
            drive.medium = json.seen(Medium::Ssd);
            drive.rotation_rpm = Observed::Absent;
        }
        // Value 1 means "flash" in the ATA word; smartctl prints 0 for it. Speeds start at 1025 (ACS-4, word 217).
        (_, Some(speed)) if speed > 1024 => {
            drive.medium = json.seen(Medium::Hdd);
            drive.rotation_rpm = json.maybe(Rpm::plausible(speed));
        }
        _ => {}
    }
}

/// ATA prints the three parts in decimal; SCSI prints `0x5000…`; NVMe has the EUI-64 of its first namespace.
fn wwn(json: &Json<'_>) -> Option<String> {
    let part = |key| json.unsigned(key);
    if let (Some(naa), Some(oui), Some(id)) = (part("/wwn/naa"), part("/wwn/oui"), part("/wwn/id")) {
        return Some(format!("{naa:x}{oui:06x}{id:09x}"));
    }
    if let Some(id) = json.text("/logical_unit_id") {
        return Some(id.trim_start_matches("0x").to_ascii_lowercase()).filter(|id| !id.is_empty());
    }
    let oui = part("/nvme_namespaces/0/eui64/oui")?;
    Some(format!("{oui:06x}{:010x}", part("/nvme_namespaces/0/eui64/ext_id")?))
}

/// `scsi_temperature` existed in 7.3 only.
pub(super) fn temperature(json: &Json<'_>) -> Option<i64> {
    ["/temperature/current", "/scsi_temperature/current", "/nvme_smart_health_information_log/temperature"]
        .iter()
        .find_map(|key| json.at(key).and_then(Value::as_i64))
}

pub(super) fn power_mode(json: &Json<'_>) -> Observed<PowerMode> {
    // Values of CHECK POWER MODE (ACS-4, 7.3): 0x00/0x01 standby, 0x40/0x41 with the non-volatile cache, 0x80-0x83
    // idle, 0xff active or idle.
    match json.unsigned("/power_mode/ata_value") {
        Some(0x00 | 0x01) => json.seen(PowerMode::Standby),
        Some(0x80..=0x83) => json.seen(PowerMode::Idle),
        Some(0x40 | 0x41 | 0xff) => json.seen(PowerMode::Active),
        _ => Observed::NotCollected,
    }
}

/// SATA names both speeds; a SAS drive says what its first phy negotiated: "phy enabled; 12 Gbps".
pub(super) fn link(json: &Json<'_>, drive: &mut Drive) {
    const MEGABIT: u64 = 1_000_000;
    let speed = |which: &str| {
        let part = |key: &str| json.unsigned(&format!("/interface_speed/{which}/{key}"));
        let bits = part("units_per_second")?.checked_mul(part("bits_per_unit")?)?;
        (bits >= MEGABIT).then_some(MegabitsPerSecond(bits / MEGABIT))
    };
    let phy = || {
        let said = json.text("/scsi_sas_port_0/phy_0/negotiated_logical_link_rate")?;
        megabits(said.rsplit(';').next()?.trim().strip_suffix("Gbps")?)
    };
    drive.link_speed = json.maybe(speed("current").or_else(phy));
    drive.link_speed_max = json.maybe(speed("max"));
}

/// Gigabits with at most one decimal, such as `6.0`, `22.5` or `12`.
pub(super) fn megabits(gigabits: &str) -> Option<MegabitsPerSecond> {
    let (whole, tenths) = gigabits.trim().split_once('.').unwrap_or((gigabits.trim(), "0"));
    let (whole, tenths): (u64, u64) = (whole.parse().ok()?, tenths.get(..1)?.parse().ok()?);
    Some(MegabitsPerSecond(whole.checked_mul(1000)?.checked_add(tenths * 100)?)).filter(|speed| speed.0 > 0)
}

/// Endurance and spare by whatever the drive counts with.
pub(super) fn wear(json: &Json<'_>, drive: &mut Drive) {
    let nvme = drive.nvme.value();
    let used = json
        .byte("/endurance_used/current_percent")
        .map(Percent)
        .or_else(|| drive.ata_statistics.value()?.percentage_used)
        .or_else(|| nvme?.percentage_used)
        .or_else(|| drive.scsi.value()?.percentage_used);
    // A threshold of 0 with a spare of 0 is how a drive says that it does not count (QEMU and cheap ones).
    let spare = json.byte("/spare_available/current_percent").map(Percent).or_else(|| {
        nvme?.available_spare_percent.filter(|spare| {
            spare.0 > 0 || nvme.and_then(|log| log.available_spare_threshold_percent) != Some(Percent(0))
        })
    });
    drive.endurance_used_percent = json.maybe(used);
    drive.spare_available_percent = json.maybe(spare.filter(|spare| spare.0 <= 100));
}

pub(super) fn health(json: &Json<'_>, drive: &mut Drive, temperature: Option<i64>) {
    let place = json.place();
    if let Some(passed) = json.at("/smart_status/passed").and_then(Value::as_bool) {
        drive.health_passed = json.seen(passed);
    }
    drive.temperature_c = match temperature {
        Some(degrees) => Celsius::of_drive(degrees).map_or_else(
            || {
                Observed::unreadable(format!(
                    "{place}: {degrees} C is what is printed when no temperature is known"
                ))
            },
            |degrees| json.seen(degrees),
        ),
        None => Observed::NotCollected,
    };
    let limit = [
        "/temperature/op_limit_max",
        "/temperature/drive_trip",
        "/nvme_composite_temperature_threshold/critical",
    ]
    .iter()
    .filter_map(|key| json.at(key).and_then(Value::as_i64))
    .find_map(Celsius::of_drive);
    drive.temperature_limit_c = json.maybe(limit);
    drive.power_on_hours = json.maybe(
        json.unsigned("/power_on_time/hours")
            .or_else(|| json.unsigned("/nvme_smart_health_information_log/power_on_hours"))
            .map(Hours),
    );
    drive.power_cycles = json.maybe(
        json.unsigned("/power_cycle_count")
            .or_else(|| json.unsigned("/nvme_smart_health_information_log/power_cycles")),
    );
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::smartctl::{parse, sample};

    fn drive(rest: Value) -> Drive {
        parse(sample::ata(rest).to_string().as_bytes(), "x").drive
    }

    #[test]
    fn link_speeds() {
        fn check(rest: Value, current: Option<u64>, max: Option<u64>) {
            let drive = drive(rest);
            let found = (drive.link_speed.value().map(|s| s.0), drive.link_speed_max.value().map(|s| s.0));
            assert_eq!(found, (current, max));
        }
        let speed = |units: u64| json!({"units_per_second": units, "bits_per_unit": 100_000_000});
        check(json!({"interface_speed": {"max": speed(60), "current": speed(15)}}), Some(1500), Some(6000));
        check(json!({"interface_speed": {"max": speed(30)}}), None, Some(3000));
        check(json!({"interface_speed": {"current": speed(0)}}), None, None);
        check(json!({"interface_speed": {"current": speed(u64::MAX)}}), None, None);
        let phy = |rate: &str| json!({"scsi_sas_port_0": {"phy_0": {"negotiated_logical_link_rate": rate}}});
        check(phy("phy enabled; 12 Gbps"), Some(12_000), None);
        check(phy("phy enabled; 22.5 Gbps"), Some(22_500), None);
        check(phy("phy enabled; unknown reason"), None, None);
    }

    #[test]
    fn endurance_and_spare() {
        fn check(rest: Value, used: Option<u8>, spare: Option<u8>) {
            let drive = drive(rest);
            let percent = |reading: &Observed<Percent>| reading.value().map(|percent| percent.0);
            let found = (percent(&drive.endurance_used_percent), percent(&drive.spare_available_percent));
            assert_eq!(found, (used, spare));
        }
        check(json!({}), None, None);
        let new = json!({"endurance_used": {"current_percent": 103}, "spare_available": {"current_percent": 98, "threshold_percent": 10}});
        check(new, Some(103), Some(98));
        check(json!({"spare_available": {"current_percent": 253}}), None, None);
        let page = json!({"ata_device_statistics": {"pages": [{"number": 7, "table": [{"offset": 8, "value": 19}]}]}});
        check(page, Some(19), None);
        let nvme = |spare: u8, threshold: u8| {
            json!({"device": {"protocol": "NVMe"}, "nvme_smart_health_information_log":
                {"critical_warning": 0, "available_spare": spare, "available_spare_threshold": threshold, "percentage_used": 7}})
        };
        check(nvme(90, 10), Some(7), Some(90));
        check(nvme(0, 10), Some(7), Some(0));
        check(nvme(0, 0), Some(7), None);
    }

    #[test]
    fn a_log_that_nobody_asked_for_is_not_absent() {
        fn check(argv: Value, absent: bool, collected: bool) {
            let drive = drive(json!({"smartctl": {"argv": argv, "exit_status": 0}}));
            let found = (drive.ata_statistics.is_absent(), !drive.ata_statistics.is_not_collected());
            assert_eq!(found, (absent, collected));
            assert!(drive.pending_defects.is_absent() == absent && drive.phy_events.is_absent() == absent);
        }
        check(json!(["smartctl", "--json", "-x", "/dev/sda"]), true, true);
        check(json!(["smartctl", "-jx", "-d", "sat", "/dev/sda"]), true, true);
        check(json!(["smartctl", "--xall", "--json", "/dev/sda"]), true, true);
        check(json!(["smartctl", "--json", "-a", "/dev/sda"]), false, false);
        check(json!(null), true, true);
    }

    #[test]
    fn power_modes() {
        for (value, mode) in [
            (0x00, Some(PowerMode::Standby)),
            (0x81, Some(PowerMode::Idle)),
            (0xff, Some(PowerMode::Active)),
            (0x55, None),
        ] {
            let found = drive(json!({"power_mode": {"ata_value": value}}));
            assert_eq!(found.power_mode.value().copied(), mode);
        }
    }
}
