//! DRV-002: drive has sectors that it cannot read.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::{AtaAttribute, Drive, Medium, Protocol, SelfTestOutcome};

use crate::certainty::{PENDING_ONE_DRIVE, PENDING_SEVERAL_DRIVES, PENDING_WITH_WITNESS};
use crate::evidence::{test, told};
use crate::health::is_copy;
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Rule, over};
use crate::subject::{
    asleep, disk, fact, identity, last_completed_test, log_witness, name, sorted, suspects, test_evidence,
    why_missing,
};
use crate::view::View;

/// From so many pending sectors a drive is suspicious.
const PENDING_FROM: u64 = 1;
/// Signatures of the kernel log that say that a read of the medium failed.
const READ_FAILED: [&str; 4] =
    ["ata-uncorrectable", "scsi-medium-error", "scsi-unrecovered-read", "medium-error"];
/// From here a raw value is several numbers packed into one, or a sentinel: no drive has four billion pending sectors.
const PACKED_FROM: u64 = 0xffff_ffff;
/// So many drives with the same mark point at what they share.
const SEVERAL: usize = 2;

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-002",
    title: "Drive has sectors that it cannot read",
    component: Component::Drive,
    checks: "Sectors of ATA drives that could not be read and wait to be remapped: the pending defects log, and attribute 197 where its name says so; with the newest completed self-test and read errors of the kernel as witnesses.",
    why: "Data in these sectors is unreadable, a rebuild that meets one may fail, and drives with pending sectors fail far more often. A write cut short by a power loss leaves the same mark on a good drive, and rewriting heals that.",
    what_to_do: "Back up the data, then run the drive's extended self-test and look again: the count says whether the mark stays.",
    threshold_source: "More than 0: Backblaze 2016 and 2019 (197 and 198 go before most failures). Confirmed only by a failed self-test, which drive makers accept as proof; a count from one moment cannot show that it rises.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    over(&facts.drives, "drives", false, |drives| {
        let several = drives.iter().filter(|d| has_pending(d)).count() >= SEVERAL;
        sorted(drives).into_iter().map(|drive| judge(facts, drive, several)).collect()
    })
}

/// Whether the drive counts pending sectors, by the better source that it has.
pub(crate) fn has_pending(drive: &Drive) -> bool {
    matches!(count(drive), Count::Counted { sectors, .. } if sectors >= PENDING_FROM)
}

/// What the drive counts.
enum Count {
    Counted {
        sectors: u64,
        evidence: Vec<Evidence>,
        against: Vec<Evidence>,
    },
    /// Attribute 197 is there and means something else.
    OtherMeaning(String),
    /// The drive was read and counts no such thing.
    CountsNone,
    NotRead(String),
}

fn judge(facts: &Facts, drive: &Drive, several: bool) -> Judgement {
    let subject = name(drive);
    if matches!(drive.protocol.value(), Some(Protocol::Nvme | Protocol::Scsi)) {
        return Judgement::not_applicable(subject);
    }
    let (sectors, counted, against) = match count(drive) {
        Count::Counted { sectors, evidence, against } => (sectors, evidence, against),
        Count::OtherMeaning(why) => return Judgement::exonerated(subject, why),
        Count::CountsNone => return Judgement::not_applicable(subject),
        Count::NotRead(why) => return Judgement::cannot_tell(subject, why, false),
    };
    if sectors < PENDING_FROM {
        return Judgement::clear(subject);
    }

    let failed_test = last_completed_test(drive).filter(|t| t.outcome == SelfTestOutcome::Failed);
    let kernel = kernel_witness(facts, drive);
    let witnessed = failed_test.is_some() || kernel.is_some();
    let row = match (several, witnessed) {
        (_, true) => &PENDING_WITH_WITNESS,
        (true, false) => &PENDING_SEVERAL_DRIVES,
        (false, false) => &PENDING_ONE_DRIVE,
    };
    let verdict = if failed_test.is_some() { Verdict::Confirmed } else { Verdict::Suspected };

    let mut evidence = identity(drive);
    evidence.extend(counted);
    evidence.extend(uncorrectable(drive));
    evidence.extend(failed_test.map(|t| test_evidence(drive, t)));
    evidence.extend(kernel);
    let plural = if sectors == 1 { "sector" } else { "sectors" };
    let title = format!("The {subject} has {sectors} {plural} that it cannot read");
    let mut finding = RULE.finding(verdict, title, suspects(row, drive), evidence);
    finding.counter_evidence = against;
    if let Some(passed) = last_completed_test(drive).filter(|t| t.outcome == SelfTestOutcome::Passed) {
        finding.counter_evidence.push(test_evidence(drive, passed));
    }
    if verdict == Verdict::Confirmed {
        finding.advice =
            "Back up the data now, then have the drive replaced by its own maker: its self-test failed."
                .to_owned();
    } else {
        finding.test = test(
            "With a backup made, run the drive's extended self-test (QTS calls it the complete test) and read the count again; the drive stays in its bay.",
            &[
                "The test fails with a read error: the drive is defective; its maker accepts the test as proof.",
                "The test passes and the count falls to 0: it was a transient mark, such as a power loss leaves; watch it.",
                "The test passes and the count stays or rises within 24 hours: treat the drive as defective.",
            ],
        );
    }
    finding.safe_to_remove = Some(safe_to_remove(facts, drive));
    Judgement::found(subject, finding)
}

/// The pending defects log (ACS-4) is the more exact count. When it and attribute 197 disagree, the worse one is
/// believed and the other is shown against it.
fn count(drive: &Drive) -> Count {
    let mut counts: Vec<(u64, Evidence)> = Vec::new();
    let mut other_meaning = None;
    if let Observed::Seen { value, from } = &drive.pending_defects {
        counts.push((*value, told(fact(drive, "pending_defects"), format!("{value} sectors"), from)));
    }
    if let Observed::Seen { value, from } = &drive.ata_attributes
        && let Some(a) = value.iter().find(|a| a.id == 197)
    {
        if !is_pending(a) {
            other_meaning =
                Some(format!("its attribute 197 is {}, not the count of pending sectors", a.name));
        } else if is_copy(from) && drive.medium.value() != Some(&Medium::Hdd) && a.raw > 0 {
            other_meaning = Some(format!(
                "QTS names its attribute 197 by the number alone; on flash that number may count something else ({})",
                a.raw
            ));
        } else if a.raw >= PACKED_FROM {
            other_meaning = Some(format!("its attribute 197 reads {}, which is no count of sectors", a.raw));
        } else {
            let path = fact(drive, &format!("ata_attributes[197 {}]", a.name));
            counts.push((a.raw, told(path, format!("{} sectors", a.raw), from)));
        }
    }
    let Some(sectors) = counts.iter().map(|(n, _)| *n).max() else {
        return match (other_meaning, &drive.ata_attributes, &drive.pending_defects) {
            (Some(why), ..) => Count::OtherMeaning(why),
            _ if asleep(drive) => Count::NotRead(why_missing(drive, "", &drive.ata_attributes)),
            (None, Observed::Seen { .. } | Observed::Absent, _) => Count::CountsNone,
            (None, attributes, _) => Count::NotRead(why_missing(drive, "the attribute table", attributes)),
        };
    };
    let (evidence, against): (Vec<_>, Vec<_>) = counts.into_iter().partition(|(n, _)| *n == sectors);
    let texts = |list: Vec<(u64, Evidence)>| list.into_iter().map(|(_, e)| e).collect();
    Count::Counted { sectors, evidence: texts(evidence), against: texts(against) }
}

/// Whether row 197 counts pending sectors. Drives reuse the id under other names, and one name says itself that it is
/// bogus, so only the names of the count itself are taken.
fn is_pending(attribute: &AtaAttribute) -> bool {
    let name = attribute.name.to_ascii_lowercase().replace([' ', '-'], "_");
    attribute.id == 197 && name.starts_with("current_pending_sector")
}

/// Attribute 198 speaks for the finding but never confirms it: drives update it only in an offline scan, so it may be
/// old, and one reading cannot show that it rises.
fn uncorrectable(drive: &Drive) -> Option<Evidence> {
    let Observed::Seen { value, from } = &drive.ata_attributes else { return None };
    let named = |a: &&AtaAttribute| a.id == 198 && a.name.to_ascii_lowercase().contains("uncorrectable");
    let a = value.iter().find(named).filter(|a| a.raw > 0 && a.raw < PACKED_FROM)?;
    Some(told(fact(drive, &format!("ata_attributes[198 {}]", a.name)), format!("{} sectors", a.raw), from))
}

/// Read errors of the medium that the kernel logged for this drive, under its name or its port's. A port with a port
/// multiplier speaks for several drives, so it speaks for none.
fn kernel_witness(facts: &Facts, drive: &Drive) -> Option<Evidence> {
    let own = disk(&drive.device);
    let blocks = || facts.block_devices.value().into_iter().flatten();
    let port = blocks().find(|b| disk(&b.name) == own).and_then(|b| b.ata_port.value());
    let port = port.filter(|port| blocks().filter(|b| b.ata_port.value() == Some(port)).count() == 1);
    log_witness(facts, &READ_FAILED, |subject| {
        subject.is_some_and(|s| disk(s) == own || port.is_some_and(|p| p == s))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, hdd, nas, nvme, nvme_health, self_test, with_drives};
    use assay_bundle::facts::drive::PowerMode;
    use assay_bundle::facts::kernel_log::{KernelEvent, KernelLog};

    pub(crate) fn four() -> Four {
        Four {
            fires: with_drives(vec![with(&[(197, "Current_Pending_Sector", 8)])]),
            clear: with_drives(vec![hdd("sda", 1)]),
            cannot_tell: with_drives(vec![Drive { ata_attributes: Observed::NotCollected, ..hdd("sda", 1) }]),
            not_applicable: Some(with_drives(vec![nvme("nvme0", nvme_health(0, 0, 0))])),
        }
    }

    fn check(drive: Drive, state: &str, says: &str) {
        crate::fixture::check(evaluate, &with_drives(vec![drive]), &[state], says);
    }

    fn with(rows: &[(u8, &str, u64)]) -> Drive {
        let rows = rows.iter().map(|&(id, name, raw)| attribute(id, name, raw)).collect();
        Drive { ata_attributes: Observed::seen(rows, "cmd/smartctl.sat.sda/stdout"), ..hdd("sda", 3) }
    }

    #[test]
    fn the_name_decides_with_the_id() {
        check(with(&[(197, "Current_Pending_Sector", 0)]), "clear", "");
        check(with(&[(197, "Current_Pending_Sector", 1)]), "found, suspected", "has 1 sector that");
        check(with(&[(197, "Current_Pending_Sector_Count", 8)]), "found, suspected", "8 sectors");
        check(with(&[(197, "Bogus_Current_Pend_Sect", 8)]), "exonerated", "Bogus_Current_Pend_Sect");
        check(with(&[(197, "Total_Pending_Sectors", 8)]), "exonerated", "Total_Pending_Sectors");
        check(with(&[(197, "Current_Pending_Sector", 94_490_722_326)]), "exonerated", "no count");
        check(with(&[(5, "Reallocated_Sector_Ct", 8)]), "not applicable", "");
        check(nvme("nvme0", nvme_health(0, 0, 9)), "not applicable", "");
    }

    #[test]
    fn the_copy_of_qts_has_names_by_number() {
        let copied = |medium, raw| {
            let row = AtaAttribute { decoded: None, ..attribute(197, "Current_Pending_Sector_Count", raw) };
            Drive {
                medium,
                ata_attributes: Observed::seen(vec![row], "tmp/smart/smart_0_3.info"),
                ..hdd("sda", 3)
            }
        };
        let is = |medium| Observed::seen(medium, "sys/block/sda/queue/rotational");
        check(copied(is(Medium::Hdd), 8), "found, suspected", "8 sectors");
        check(copied(is(Medium::Hdd), 0), "clear", "");
        check(copied(is(Medium::Ssd), 8), "exonerated", "by the number alone");
        check(copied(Observed::NotCollected, 8), "exonerated", "by the number alone");
        check(copied(is(Medium::Ssd), 0), "clear", "");
    }

    #[test]
    fn only_a_failed_self_test_confirms() {
        let pending = |tests: &[SelfTestOutcome]| {
            let tests = tests.iter().map(|&outcome| self_test("Extended offline", outcome)).collect();
            Drive {
                self_tests: Observed::seen(tests, "x"),
                ..with(&[(197, "Current_Pending_Sector", 8), (198, "Offline_Uncorrectable", 8)])
            }
        };
        use SelfTestOutcome::{Failed, NotCompleted, Passed, Running};
        check(pending(&[]), "found, suspected", "198 Offline_Uncorrectable");
        check(pending(&[Failed]), "found, confirmed", "first failing sector 123456");
        check(pending(&[Running, NotCompleted, Failed]), "found, confirmed", "");
        check(pending(&[Passed, Failed]), "found, suspected", "counter_evidence: [Evidence");
        check(
            with(&[(197, "Current_Pending_Sector", 8), (198, "Host_Reads_GiB", 900)]),
            "found, suspected",
            "",
        );
    }

    #[test]
    fn the_kernel_is_a_witness_and_no_judge() {
        let event = |subject: &str| KernelEvent {
            signature: "ata-uncorrectable".to_owned(),
            subject: Some(subject.to_owned()),
            at_us: Some(1),
            line: 42,
            repeats: 1,
            ..KernelEvent::default()
        };
        let on_port = |name: &str| assay_bundle::facts::block::BlockDevice {
            name: name.to_owned(),
            ata_port: Observed::seen("ata1".to_owned(), "x"),
            ..Default::default()
        };
        let alone = vec![on_port("sda")];
        let multiplied = vec![on_port("sda"), on_port("sdb")];
        for (subject, blocks, says) in [
            ("sda", &alone, "first in line 42"),
            ("sdb", &alone, "a power loss leaves"),
            ("ata1", &alone, "first in line 42"),
            ("ata1", &multiplied, "a power loss leaves"),
            ("sda", &multiplied, "first in line 42"),
        ] {
            let mut facts = with_drives(vec![with(&[(197, "Current_Pending_Sector", 8)])]);
            let log = KernelLog { events: vec![event(subject)], ..KernelLog::default() };
            facts.kernel_log = Observed::seen(log, "dev/kmsg");
            facts.block_devices = Observed::seen(blocks.clone(), "sys/block");
            crate::fixture::check(evaluate, &facts, &["found, suspected"], says);
        }
    }

    #[test]
    fn the_worse_count_is_believed() {
        let mut drive = with(&[(197, "Current_Pending_Sector", 8)]);
        drive.pending_defects = Observed::seen(0, "x");
        check(drive, "found, suspected", "0 sectors");
        let mut drive = with(&[(197, "Current_Pending_Sector", 0)]);
        drive.pending_defects = Observed::seen(3, "x");
        check(drive, "found, suspected", "3 sectors");
    }

    #[test]
    fn several_drives_point_at_what_they_share() {
        let mut second = with(&[(197, "Current_Pending_Sector", 8)]);
        second.device = "sdb".to_owned();
        let facts = with_drives(vec![with(&[(197, "Current_Pending_Sector", 8)]), second]);
        crate::fixture::check(evaluate, &facts, &["found, suspected", "found, suspected"], "power loss");
    }

    #[test]
    fn what_was_not_read_is_not_zero() {
        let unread = |attributes, mode| Drive {
            ata_attributes: attributes,
            power_mode: Observed::seen(mode, "x"),
            ..hdd("sda", 3)
        };
        check(unread(Observed::NotCollected, PowerMode::Standby), "cannot tell", "asleep; was not woken");
        check(unread(Observed::unreadable("denied"), PowerMode::Active), "cannot tell", "denied");
        check(unread(Observed::Absent, PowerMode::Active), "not applicable", "");
        let facts = Facts { drives: Observed::NotCollected, ..nas() };
        crate::fixture::check(evaluate, &facts, &["cannot tell"], "drives");
    }
}
