//! The questions to an NVMe controller. Logs that Identify does not announce are not asked for.

use assay_bundle::Observed;
use assay_bundle::facts::drive::{Drive, Medium, Protocol};

use super::{Asked, nothing, some};
use crate::direct::{DeviceQuery, nvme};

/// Entries of the error log that the question for it asks for; a controller that keeps fewer refuses.
const NVME_ERRORS: u16 = 16;

/// The health log alone: its warning is what the drive says of itself.
pub(super) async fn verdict(asked: &Asked<'_, '_>, why: &str) -> Drive {
    let health = asked.read(DeviceQuery::NvmeSmartLog, nvme::health).await;
    Drive {
        health_passed: health.as_ref().map(|health| health.log.critical_warning == 0),
        nvme: health.map(|health| health.log),
        ..nothing(why, Observed::NotCollected)
    }
}

pub(super) async fn drive(asked: &Asked<'_, '_>) -> Drive {
    let who = asked.ask(DeviceQuery::NvmeIdentifyController).await;
    let mut drive = match &who {
        Ok(reply) => Drive {
            protocol: reply.seen(Protocol::Nvme),
            medium: reply.seen(Medium::Ssd),
            model: reply.maybe(reply.answer.text("model").map(str::to_owned)),
            serial: reply.maybe(reply.answer.text("serial").map(str::to_owned)),
            firmware: reply.maybe(reply.answer.text("firmware").map(str::to_owned)),
            rotation_rpm: Observed::Absent,
            ..Drive::default()
        },
        Err(no) => nothing(&no.why, Observed::NotCollected),
    };
    drive.ata_attributes = Observed::Absent;
    drive.ata_error_count = Observed::Absent;
    drive.pending_defects = Observed::Absent;
    drive.scsi = Observed::Absent;
    let controller = match &who {
        Ok(reply) => match nvme::controller(&reply.answer) {
            Ok(controller) => {
                drive.capacity_bytes = reply.maybe(controller.capacity_bytes);
                drive.temperature_limit_c = reply.maybe(controller.temperature_limit_c);
                Some(controller)
            }
            Err(why) => {
                let why = reply.why(&why);
                asked.door.note(&why);
                drive = Drive { protocol: Observed::NotCollected, ..nothing(&why, Observed::NotCollected) };
                None
            }
        },
        Err(_) => None,
    };
    let health = asked.read(DeviceQuery::NvmeSmartLog, nvme::health).await;
    drive.health_passed = health.as_ref().map(|health| health.log.critical_warning == 0);
    drive.temperature_c = some(health.as_ref().map(|health| health.temperature_c));
    drive.power_on_hours = some(health.as_ref().map(|health| health.power_on_hours));
    drive.power_cycles = some(health.as_ref().map(|health| health.power_cycles));
    drive.nvme = health.map(|health| health.log);
    drive.self_tests = match controller {
        Some(controller) if controller.self_tests => {
            asked.read(DeviceQuery::NvmeSelfTestLog, nvme::self_tests).await
        }
        Some(_) => Observed::Absent,
        None => drive.self_tests,
    };
    let errors = drive.nvme.value().and_then(|log| log.error_log_entries).unwrap_or(0);
    if errors > 0 && controller.is_some_and(|controller| controller.error_entries >= NVME_ERRORS) {
        // Only its raw form counts; why it could not be read was noted.
        let _ = asked.ask(DeviceQuery::NvmeErrorLog).await;
    }
    drive
}
