//! The logs of an ATA drive beside its attributes: errors, statistics, pending defects, link events, FARM.

use assay_bundle::facts::drive::{
    AtaError, AtaErrorKind, AtaStatistics, Drive, Farm, PendingDefect, PhyEvent,
};
use assay_bundle::units::{Celsius, Hours, Percent};
use serde_json::Value;

use super::json::{Json, find, number, words};

/// Entries kept of the error log; drives hold 5 (summary) or 4 a sector of the extended one, most of them 24.
const MOST_ERRORS: usize = 64;
/// Sectors kept of the pending defects log; smartctl prints 31 unless it is asked for more.
pub(super) const MOST_DEFECTS: usize = 256;
/// Counters kept of the link; the specification names 16.
const MOST_PHY_EVENTS: usize = 64;

pub(super) fn read(json: &Json<'_>, drive: &mut Drive, command_failed: bool) {
    let errors = ["extended", "summary"]
        .iter()
        .find_map(|kind| json.at(&format!("/ata_smart_error_log/{kind}")))
        .filter(|log| number(log, "/count").is_some());
    let missing = || json.missing("/ata_smart_error_log", "error log", command_failed);
    drive.ata_error_count =
        errors.and_then(|log| number(log, "/count")).map_or_else(missing, |count| json.seen(count));
    drive.ata_errors = match errors {
        Some(log) => json.seen(rows(log).iter().take(MOST_ERRORS).filter_map(error).collect()),
        None => json.missing("/ata_smart_error_log", "error log", command_failed),
    };
    let defects = "/ata_pending_defects_log";
    drive.pending_defects = json.unsigned(&format!("{defects}/count")).map_or_else(
        || json.missing_extra(defects, "pending defects log", command_failed),
        |count| json.seen(count),
    );
    drive.pending_defect_sectors = match json.at(defects) {
        Some(log) => json.seen(rows(log).iter().take(MOST_DEFECTS).filter_map(defect).collect()),
        None => json.missing_extra(defects, "pending defects log", command_failed),
    };
    drive.phy_events = match json.array("/sata_phy_event_counters/table") {
        Some(rows) => json.seen(rows.iter().take(MOST_PHY_EVENTS).filter_map(phy_event).collect()),
        None => json.missing_extra("/sata_phy_event_counters", "link event counters", command_failed),
    };
    drive.ata_statistics = match json.array("/ata_device_statistics/pages") {
        Some(pages) => json.seen(match json.rows() {
            Some(rows) => rows.statistics.clone(),
            None => statistics(pages),
        }),
        None => json.missing_extra("/ata_device_statistics", "device statistics", command_failed),
    };
    // A FARM log is printed only where it is asked for (7.4: `-l farm`), so its absence says nothing.
    drive.farm = json.maybe(farm(json));
}

fn rows(log: &Value) -> &[Value] {
    find(log, "/table").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn error(row: &Value) -> Option<AtaError> {
    row.as_object()?;
    let text = words(row, "/error_description");
    Some(AtaError {
        number: number(row, "/error_number"),
        kind: kind(&text),
        at_power_on_hours: number(row, "/lifetime_hours").map(Hours),
        // "… at LBA = 0x177dbe89 = 394116745"
        lba: text.rsplit_once(" = ").filter(|_| text.contains("LBA = ")).and_then(|(_, n)| n.parse().ok()),
        text,
    })
}

/// By the names of the error register's bits. A transfer that was damaged on the way is aborted too, so the order
/// matters.
fn kind(text: &str) -> AtaErrorKind {
    let has = |name: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name);
    match () {
        () if has("ICRC") => AtaErrorKind::InterfaceCrc,
        () if has("UNC") => AtaErrorKind::Uncorrectable,
        () if has("IDNF") => AtaErrorKind::IdNotFound,
        () if has("ABRT") => AtaErrorKind::Abort,
        () => AtaErrorKind::Other,
    }
}

fn defect(row: &Value) -> Option<PendingDefect> {
    Some(PendingDefect {
        lba: number(row, "/lba")?,
        at_power_on_hours: number(row, "/power_on_hours").map(Hours),
    })
}

fn phy_event(row: &Value) -> Option<PhyEvent> {
    Some(PhyEvent {
        id: u16::try_from(number(row, "/id")?).ok()?,
        value: number(row, "/value")?,
        overflow: find(row, "/overflow").and_then(Value::as_bool).unwrap_or(false),
    })
}

/// Keyed by page and offset (ACS-4, 9.5), which no version of smartctl renames.
fn statistics(pages: &[Value]) -> AtaStatistics {
    let mut found = AtaStatistics::default();
    for page in pages {
        let Some(page_number) = number(page, "/number") else { continue };
        for row in rows(page) {
            if find(row, "/flags/valid").and_then(Value::as_bool) == Some(false) {
                continue;
            }
            if find(row, "/flags/monitored_condition_met").and_then(Value::as_bool) == Some(true) {
                found.conditions_met.push(words(row, "/name"));
            }
            let Some(offset) = number(row, "/offset") else { continue };
            statistic(&mut found, page_number, offset, find(row, "/value"));
        }
    }
    found
}

pub(super) fn statistic(found: &mut AtaStatistics, page: u64, offset: u64, value: Option<&Value>) {
    let count = value.and_then(Value::as_u64);
    let degrees = || value.and_then(Value::as_i64).filter(|degrees| *degrees > -128);
    match (page, offset) {
        (1, 0x10) => found.power_on_hours = count.map(Hours),
        (3, 0x20) => found.reallocated_sectors = count,
        (3, 0x28) => found.read_recovery_attempts = count,
        (3, 0x30) => found.mechanical_start_failures = count,
        (3, 0x38) => found.reallocation_candidates = count,
        (4, 0x08) => found.uncorrectable_errors = count,
        (5, 0x20) => found.highest_temperature_c = degrees().and_then(Celsius::of_drive),
        (5, 0x28) => found.lowest_temperature_c = degrees().and_then(Celsius::plausible),
        (5, 0x50) => found.over_temperature_minutes = count,
        (5, 0x58) => found.temperature_limit_max_c = degrees().and_then(Celsius::of_drive),
        (5, 0x68) => found.temperature_limit_min_c = degrees().and_then(Celsius::plausible),
        (6, 0x18) => found.interface_crc_errors = count,
        (7, 0x08) => found.percentage_used = count.and_then(|n| u8::try_from(n).ok()).map(Percent),
        _ => {}
    }
}

/// Keys as smartctl 7.4 and 7.5 print them.
fn farm(json: &Json<'_>) -> Option<Farm> {
    let field = |key: &str| json.unsigned(&format!("/seagate_farm_log/{key}"));
    json.at("/seagate_farm_log")?;
    let errors = |key: &str| field(&format!("page_3_error_statistics/{key}"));
    let found = Farm {
        power_on_hours: field("page_1_drive_information/poh").map(Hours),
        spindle_hours: field("page_1_drive_information/spoh").map(Hours),
        unrecoverable_read_errors: errors("number_of_unrecoverable_read_errors"),
        unrecoverable_write_errors: errors("number_of_unrecoverable_write_errors"),
        reallocated_sectors: errors("number_of_reallocated_sectors"),
        reallocation_candidates: errors("number_of_reallocated_candidate_sectors"),
        mechanical_start_failures: errors("number_of_mechanical_start_failures"),
        interface_crc_errors: errors("total_crc_errors"),
    };
    (found != Farm::default()).then_some(found)
}
