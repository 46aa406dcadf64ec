//! Can an array or pool lean on this drive while another one is pulled?
//!
//! Only a drive whose health was read and that shows no loss of data of its own. One that was not read is neither: it
//! is named, and the answer that needs it stays unknown. Refuses to weigh counts: one sector that the drive could not
//! read is enough to lose what only it still holds.

use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::{AtaAttribute, Drive, SelfTestOutcome};

use crate::health::{Reason, reason};
use crate::rules::drive_pending_sectors;
use crate::subject::{asleep, disk, drive_of, last_completed_test};

/// How much a drive can be leaned on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Its health was read and it lost nothing.
    Sound,
    /// It is itself in doubt, and why.
    Doubted(String),
    /// Nobody knows, and why.
    NotRead(String),
}

/// The drive below a kernel name.
pub(crate) fn of_device(facts: &Facts, kernel_name: &str) -> Doubt {
    match drive_of(facts, kernel_name) {
        Some(drive) => of_drive(facts, drive),
        None => Doubt::NotRead("its drive was not read".to_owned()),
    }
}

/// One drive.
pub(crate) fn of_drive(facts: &Facts, drive: &Drive) -> Doubt {
    let doubted = |why: &str| Doubt::Doubted(why.to_owned());
    let stuck = facts.stuck_readers.value().into_iter().flatten();
    if stuck.into_iter().any(|r| disk(&r.target) == disk(&drive.device)) {
        return doubted("it does not answer");
    }
    let answer = reason(drive);
    if matches!(answer, Reason::Predicts(_) | Reason::Unexplained(_) | Reason::AtLimit(_)) {
        return doubted("it says that it fails");
    }
    if drive_pending_sectors::has_pending(drive) {
        return doubted("it has sectors that it could not read");
    }
    if lost_data(drive) {
        return doubted("it has counted data that it could not deliver");
    }
    if last_completed_test(drive).is_some_and(|test| test.outcome == SelfTestOutcome::Failed) {
        return doubted("it failed its last self-test");
    }
    match answer {
        Reason::NoAnswer if asleep(drive) => Doubt::NotRead("it is asleep".to_owned()),
        Reason::NoAnswer => Doubt::NotRead("its health was not read".to_owned()),
        _ => Doubt::Sound,
    }
}

/// Whether one of the drive's own counters says that it could not deliver data: 187 or 198, ATA statistics, NVMe media
/// errors, SCSI uncorrected errors. Each can be old; whoever leans on the drive cannot tell.
fn lost_data(drive: &Drive) -> bool {
    let uncorrectable = |a: &AtaAttribute| {
        matches!(a.id, 187 | 198)
            && a.name.to_ascii_lowercase().contains("uncorrect")
            && a.decoded.unwrap_or(a.raw) > 0
    };
    drive.ata_attributes.value().into_iter().flatten().any(uncorrectable)
        || drive.ata_statistics.value().and_then(|s| s.uncorrectable_errors).is_some_and(|n| n > 0)
        || drive.nvme.value().and_then(|log| log.media_errors).is_some_and(|n| n > 0)
        || drive.scsi.value().and_then(|log| log.uncorrected_errors).is_some_and(|n| n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{attribute, hdd, nas, nvme, nvme_health, sas, self_test, stuck};
    use assay_bundle::Observed;
    use assay_bundle::facts::drive::{NvmeHealth, PowerMode};

    fn check(drive: &Drive, expected: &str) {
        let said = match of_drive(&nas(), drive) {
            Doubt::Sound => "sound".to_owned(),
            Doubt::Doubted(why) => format!("doubted: {why}"),
            Doubt::NotRead(why) => format!("not read: {why}"),
        };
        assert!(said.contains(expected), "{expected}: {said}");
    }

    #[test]
    fn one_lost_sector_is_enough() {
        let with = |id, name, raw| Drive {
            ata_attributes: Observed::seen(vec![attribute(id, name, raw)], "x"),
            ..hdd("sda", 1)
        };
        check(&hdd("sda", 1), "sound");
        check(&with(187, "Reported_Uncorrect", 1), "doubted: it has counted");
        check(&with(198, "Offline_Uncorrectable", 2), "doubted: it has counted");
        check(&with(187, "Unknown_Attribute", 9), "sound");
        check(&with(197, "Current_Pending_Sector", 8), "doubted: it has sectors");
        check(&nvme("nvme0", NvmeHealth { ..nvme_health(0, 3, 1) }), "doubted");
        check(&nvme("nvme0", nvme_health(0, 3, 0)), "sound");
        check(&sas("sda", 0, 0, true), "sound");
        check(&sas("sda", 0x5d, 0x10, false), "doubted: it says");
        let failed = vec![self_test("Short", SelfTestOutcome::Failed)];
        check(&Drive { self_tests: Observed::seen(failed, "x"), ..hdd("sda", 1) }, "self-test");
    }

    #[test]
    fn what_was_not_read_is_not_sound() {
        let unread = Drive {
            health_passed: Observed::NotCollected,
            ata_attributes: Observed::Absent,
            ..hdd("sda", 1)
        };
        check(&unread, "not read: its health");
        check(
            &Drive { power_mode: Observed::seen(PowerMode::Standby, "x"), ..unread },
            "not read: it is asleep",
        );
        assert!(matches!(of_device(&nas(), "sdx3"), Doubt::NotRead(_)));
        let mut facts = nas();
        facts.stuck_readers = Observed::seen(vec![stuck("/dev/sda")], "x");
        assert!(matches!(of_device(&facts, "sda3"), Doubt::Doubted(_)));
    }
}
