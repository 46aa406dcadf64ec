//! The questions to a SAS disk, of which REQUEST SENSE comes first: it tells of a disk that sleeps and wakes nobody.
//!
//! Only log pages that the drive lists are asked for.

use assay_bundle::Observed;
use assay_bundle::facts::drive::{Drive, PowerMode, Protocol, ScsiHealth};

use super::{Asked, nothing, some};
use crate::direct::{DeviceAnswer, DeviceQuery, LogPage, scsi};
use crate::smartctl::ASLEEP;

pub(super) async fn drive(asked: &Asked<'_, '_>) -> Drive {
    let mode = match asked.ask(DeviceQuery::ScsiRequestSense).await {
        Ok(reply) => match scsi::power_mode(&reply.answer) {
            Some(mode @ (PowerMode::Standby | PowerMode::Sleep)) => {
                return nothing(ASLEEP, reply.seen(mode));
            }
            Some(mode) => reply.seen(mode),
            None => Observed::Unreadable { why: reply.why("it is no sense data") },
        },
        Err(no) => return nothing(&no.why, Observed::Unreadable { why: no.why.clone() }),
    };
    let reply = match asked.ask(DeviceQuery::ScsiInquiry).await {
        Ok(reply) => reply,
        Err(no) => return nothing(&no.why, mode),
    };
    let why_not = if !scsi::is_disk(&reply.answer) {
        Some("it is not a disk")
    } else if scsi::speaks_ata(&reply.answer) {
        Some("it is an ATA disk behind something that passes no ATA commands on")
    } else {
        None
    };
    if let Some(why) = why_not {
        let why = reply.why(why);
        asked.door.note(&why);
        return nothing(&why, mode);
    }
    let serial =
        asked.read(DeviceQuery::ScsiInquirySerial, |answer| Ok(scsi::serial(answer).map(str::to_owned)));
    let serial = match serial.await {
        Observed::Seen { value: Some(serial), from } => Observed::Seen { value: serial, from },
        Observed::Unreadable { why } => Observed::Unreadable { why },
        _ => Observed::Absent,
    };
    let drive = Drive {
        protocol: reply.seen(Protocol::Scsi),
        model: reply.maybe(reply.answer.text("model").map(str::to_owned)),
        firmware: reply.maybe(reply.answer.text("firmware").map(str::to_owned)),
        serial,
        power_mode: mode,
        ata_attributes: Observed::Absent,
        ata_error_count: Observed::Absent,
        pending_defects: Observed::NotCollected,
        nvme: Observed::Absent,
        ..Drive::default()
    };
    let listed = asked.read(DeviceQuery::ScsiLogSense(LogPage::Supported), scsi::pages).await;
    with_pages(asked, drive, &listed).await
}

async fn with_pages(asked: &Asked<'_, '_>, drive: Drive, listed: &Observed<Vec<LogPage>>) -> Drive {
    let exceptions = page(asked, listed, LogPage::InformationalExceptions, scsi::exceptions).await;
    let temperatures = page(asked, listed, LogPage::Temperature, scsi::temperatures).await;
    let hours = page(asked, listed, LogPage::BackgroundScan, scsi::power_on_hours).await;
    let tests = page(asked, listed, LogPage::SelfTests, scsi::self_tests).await;
    let mut uncorrected: Option<u64> = None;
    let mut place = exceptions.place().map(str::to_owned);
    for which in [LogPage::ReadErrors, LogPage::WriteErrors, LogPage::VerifyErrors] {
        let errors = page(asked, listed, which, |answer| scsi::uncorrected(answer, which)).await;
        if let Observed::Seen { value: Some(errors), from } = errors {
            uncorrected = Some(uncorrected.unwrap_or(0).saturating_add(errors));
            place = place.or(Some(from));
        }
    }
    let defects = asked.read(DeviceQuery::ScsiGrownDefects, scsi::grown_defects).await;
    place = place.or_else(|| defects.place().map(str::to_owned));
    let health = ScsiHealth {
        asc: exceptions.value().map(|exceptions| exceptions.asc),
        ascq: exceptions.value().map(|exceptions| exceptions.ascq),
        grown_defects: defects.value().copied(),
        uncorrected_errors: uncorrected,
        ..ScsiHealth::default()
    };
    let now = some(temperatures.clone().map(|(now, _)| now));
    Drive {
        health_passed: exceptions.clone().map(|exceptions| exceptions.passed()),
        temperature_c: if now.is_seen() { now } else { some(exceptions.map(|e| e.temperature_c)).or(|| now) },
        temperature_limit_c: some(temperatures.map(|(_, limit)| limit)),
        power_on_hours: some(hours),
        self_tests: tests,
        scsi: match place {
            Some(place) => Observed::seen(health, place),
            None => listed.as_ref().map(|_| ScsiHealth::default()),
        },
        ..drive
    }
}

/// One log page, if the drive lists it.
async fn page<T>(
    asked: &Asked<'_, '_>,
    listed: &Observed<Vec<LogPage>>,
    which: LogPage,
    read: impl FnOnce(&DeviceAnswer) -> Result<T, String>,
) -> Observed<T> {
    match listed {
        Observed::Seen { value: pages, .. } if pages.contains(&which) => {
            asked.read(DeviceQuery::ScsiLogSense(which), read).await
        }
        Observed::Unreadable { why } => Observed::unreadable(why.as_str()),
        _ => Observed::Absent,
    }
}
