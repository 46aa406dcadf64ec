//! The questions to an ATA disk that is awake: identity, SMART, and the statistics that the standard defines.
//!
//! What the standard defines (device statistics) is believed before what makers agree on (attributes).

use assay_bundle::Observed;
use assay_bundle::facts::drive::{AtaAttribute, Drive, Medium, PowerMode, Protocol};
use assay_bundle::units::Celsius;

use super::{Asked, Reply, nothing};
use crate::direct::statistics::{self, Statistics};
use crate::direct::{DeviceQuery, StatisticsPage, identify, smart};

pub(super) async fn drive(asked: &Asked<'_, '_>, mode: Observed<PowerMode>) -> Drive {
    let (who, reply) = match asked.ask(DeviceQuery::AtaIdentify).await {
        Ok(reply) => match identify::read(&reply.answer) {
            Ok(who) => (who, reply),
            Err(why) => {
                let why = reply.why(&why);
                asked.door.note(&why);
                return nothing(&why, mode);
            }
        },
        Err(no) => return nothing(&no.why, mode),
    };
    let drive = Drive {
        protocol: reply.seen(Protocol::Ata),
        medium: who.medium.map_or(Observed::NotCollected, |medium| reply.seen(medium)),
        model: reply.maybe(who.model.clone()),
        serial: reply.maybe(who.serial.clone()),
        wwn: reply.maybe(who.wwn.clone()),
        firmware: reply.maybe(who.firmware.clone()),
        capacity_bytes: reply.maybe(who.capacity_bytes),
        rotation_rpm: match (who.medium, who.rotation_rpm) {
            (Some(Medium::Hdd), Some(rpm)) => reply.seen(rpm),
            (Some(Medium::Ssd), _) => Observed::Absent,
            _ => Observed::NotCollected,
        },
        power_mode: mode,
        nvme: Observed::Absent,
        scsi: Observed::Absent,
        ..Drive::default()
    };
    let statistics = ata_statistics(asked, who.general_logs).await;
    if who.smart_supported == Some(false) {
        let none = Drive {
            health_passed: Observed::Absent,
            ata_attributes: Observed::Absent,
            ata_error_count: Observed::Absent,
            self_tests: Observed::Absent,
            ..drive
        };
        return with_statistics(none, &statistics);
    }
    if who.smart_enabled == Some(false) {
        let why = reply.why("SMART is switched off in this drive");
        asked.door.note(&why);
        let off = Drive {
            health_passed: Observed::Unreadable { why: why.clone() },
            ata_attributes: Observed::Unreadable { why: why.clone() },
            ata_error_count: Observed::Unreadable { why: why.clone() },
            self_tests: Observed::Unreadable { why },
            ..drive
        };
        return with_statistics(off, &statistics);
    }
    with_statistics(with_smart(asked, &who, drive).await, &statistics)
}

/// What the drive says of itself.
pub(super) async fn verdict(asked: &Asked<'_, '_>) -> Observed<bool> {
    asked
        .read(DeviceQuery::AtaSmartStatus, |answer| {
            let registers = answer.sense().and_then(|sense| sense.registers);
            let registers =
                registers.ok_or("what stands before the drive drops the registers of its answer")?;
            smart::verdict(&registers).ok_or_else(|| "the registers hold no verdict".to_owned())
        })
        .await
}

/// Verdict, attributes and logs of a drive that has SMART.
async fn with_smart(asked: &Asked<'_, '_>, who: &identify::Identify, drive: Drive) -> Drive {
    let data = asked.ask(DeviceQuery::AtaSmartData).await;
    let thresholds = asked.ask(DeviceQuery::AtaSmartThresholds).await;
    let attributes = match &data {
        Ok(reply) => {
            let limits = thresholds.as_ref().ok().map(|reply| &reply.answer);
            match smart::attributes(&reply.answer, limits, who.medium) {
                Ok(rows) => reply.seen(rows),
                Err(why) => asked.door.noted(Observed::Unreadable { why: reply.why(&why) }),
            }
        }
        Err(no) => no.observed(),
    };
    let verdict = verdict(asked).await;
    let errors = if who.error_log {
        asked.read(DeviceQuery::AtaSmartErrorLogSummary, smart::error_count).await
    } else {
        Observed::Absent
    };
    let tests = if who.self_tests {
        asked.read(DeviceQuery::AtaSmartSelfTestLog, smart::self_tests).await
    } else {
        Observed::Absent
    };
    let running = data.as_ref().ok().and_then(|reply| smart::running_test(&reply.answer));
    Drive {
        health_passed: verdict,
        temperature_c: temperature(&attributes),
        power_on_hours: of_rows(&attributes, &[9], smart::power_on_hours, "attribute 9 does not count hours"),
        power_cycles: of_rows(&attributes, &[12], smart::power_cycles, "attribute 12 counts nothing"),
        ata_attributes: attributes,
        ata_error_count: errors,
        self_tests: tests.map(|tests| running.into_iter().chain(tests).collect()),
        ..drive
    }
}

fn temperature(attributes: &Observed<Vec<AtaAttribute>>) -> Observed<Celsius> {
    of_rows(attributes, &[190, 194], smart::temperature, "the temperature is one that means 'not known'")
}

/// A reading out of the attribute table: Absent where no row of these ids exists.
fn of_rows<T>(
    attributes: &Observed<Vec<AtaAttribute>>,
    ids: &[u8],
    read: impl Fn(&[AtaAttribute]) -> Option<T>,
    otherwise: &str,
) -> Observed<T> {
    match attributes {
        Observed::Seen { value: rows, from } => match read(rows) {
            Some(value) => Observed::seen(value, from.as_str()),
            None if rows.iter().any(|row| ids.contains(&row.id)) => {
                Observed::unreadable(format!("{from}: {otherwise}"))
            }
            None => Observed::Absent,
        },
        Observed::Absent => Observed::Absent,
        Observed::Unreadable { why } => Observed::unreadable(why.as_str()),
        Observed::NotCollected => Observed::NotCollected,
    }
}

/// Each page that was read, with its place.
type Pages = Vec<(Statistics, Reply)>;

async fn ata_statistics(asked: &Asked<'_, '_>, general_logs: bool) -> Pages {
    if !general_logs {
        return Vec::new();
    }
    let directory =
        asked.read(DeviceQuery::AtaLogDirectory, |answer| Ok(statistics::is_in_directory(answer)));
    if directory.await.value() != Some(&true) {
        return Vec::new();
    }
    let list = DeviceQuery::AtaDeviceStatistics(StatisticsPage::List);
    let Observed::Seen { value: listed, .. } = asked.read(list, statistics::pages).await else {
        return Vec::new();
    };
    let mut pages = Vec::new();
    for page in listed {
        let Ok(reply) = asked.ask(DeviceQuery::AtaDeviceStatistics(page)).await else { continue };
        let mut values = Statistics::default();
        match values.read(page, &reply.answer) {
            Ok(()) => pages.push((values, reply)),
            Err(why) => asked.door.note(&reply.why(&why)),
        }
    }
    pages
}

/// What the standard defines is believed before what makers agree on; but its power-on resets are not quite power
/// cycles, and only fill a gap.
fn with_statistics(mut drive: Drive, pages: &Pages) -> Drive {
    fn first<T>(pages: &Pages, of: impl Fn(&Statistics) -> Option<T>) -> Option<Observed<T>> {
        pages.iter().find_map(|(values, reply)| of(values).map(|value| reply.seen(value)))
    }
    if let Some(hours) = first(pages, |values| values.power_on_hours) {
        drive.power_on_hours = hours;
    }
    if let Some(degrees) = first(pages, |values| values.temperature_c) {
        drive.temperature_c = degrees;
    }
    if let Some(cycles) = first(pages, |values| values.power_on_resets)
        && !drive.power_cycles.is_seen()
    {
        drive.power_cycles = cycles;
    }
    if let Some(limit) = first(pages, |values| values.temperature_limit_c) {
        drive.temperature_limit_c = limit;
    }
    drive
}
