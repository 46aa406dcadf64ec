//! DRV-002: drive has sectors that it cannot read.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::{AtaAttribute, Drive, Medium, Protocol, SelfTestOutcome};
use assay_bundle::facts::history::Metric;

use crate::certainty::{PENDING_ONE_DRIVE, PENDING_RISING, PENDING_SEVERAL_DRIVES, PENDING_WITH_WITNESS};
use crate::counters::{Counted, EXTENDED_TEST, Moved, counted, rose, yields};
use crate::course::{DAY_S, of_drive, series_of_drive};
use crate::evidence::{test, told};
use crate::health::is_copy;
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Rule, over};
use crate::shared::Mark;
use crate::subject::{
    asleep, disk, fact, identity, last_completed_test, log_witness, name, sorted, suspects, test_evidence,
    why_missing,
};
use crate::view::View;

/// Name of attribute 197 where it counts pending sectors, in small letters.
const NAME: &str = "current_pending_sector";
/// From so many pending sectors a drive is suspicious.
const PENDING_FROM: u64 = 1;
/// Signatures of the kernel log that say that a read of the medium failed.
pub(crate) const READ_FAILED: [&str; 4] =
    ["ata-uncorrectable", "scsi-medium-error", "scsi-unrecovered-read", "medium-error"];
/// From here a raw value is several numbers packed into one, or a sentinel: no drive has four billion pending sectors.
const PACKED_FROM: u64 = 0xffff_ffff;
/// So many drives with the same mark point at what they share.
const SEVERAL: usize = 2;
/// Pending sectors that were gone again are told for so long; judgement: a month is what an owner remembers.
const TOLD_FOR_S: u64 = 30 * DAY_S;

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-002",
    title: "Drive has sectors that it cannot read",
    component: Component::Drive,
    checks: "Sectors of ATA drives that could not be read and wait to be remapped: the pending defects log, and attribute 197 where its name says so; with the newest completed self-test, read errors of the kernel, and what earlier runs and QTS's event log counted as witnesses.",
    why: "Data in these sectors is unreadable, a rebuild that meets one may fail, and drives with pending sectors fail far more often. A write cut short by a power loss leaves the same mark on a good drive, and rewriting heals that.",
    what_to_do: "Back up the data, then run the drive's extended self-test and look again: the count says whether the mark stays.",
    threshold_source: "More than 0: Backblaze 2016 and 2019 (197 and 198 go before most failures). Confirmed by a failed self-test, which drive makers accept as proof, or when sectors that were pending stayed and more came within 24 hours; a count from one moment cannot show that it rises. A count that fell to 0 without a remapped sector was transient.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    over(&view.facts.drives, "drives", false, |drives| {
        let several = drives.iter().filter(|d| has_pending(d)).count() >= SEVERAL;
        sorted(drives).into_iter().map(|drive| judge(view, drive, several)).collect()
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

fn judge(view: &View<'_>, drive: &Drive, several: bool) -> Judgement {
    let (facts, subject) = (view.facts, name(drive));
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
        return match gone_again(facts, drive) {
            Some(why) => Judgement::exonerated(subject, why),
            None => Judgement::clear(subject),
        };
    }
    if let Some(shared) = yields(view, drive, Mark::Media, "its pending sectors") {
        return shared;
    }

    let failed_test = last_completed_test(drive).filter(|t| t.outcome == SelfTestOutcome::Failed);
    let kernel = kernel_witness(facts, drive, &READ_FAILED);
    let moved = rising(facts, drive);
    // From 0 it is the same first appearance as a count from one moment; a power loss leaves that too.
    let grew = moved.as_ref().is_some_and(|m| m.rise.from >= PENDING_FROM);
    let witnessed = failed_test.is_some() || kernel.is_some();
    let row = match (several, witnessed) {
        (_, true) => &PENDING_WITH_WITNESS,
        (false, false) if grew => &PENDING_RISING,
        (true, false) => &PENDING_SEVERAL_DRIVES,
        (false, false) => &PENDING_ONE_DRIVE,
    };
    // Several drives whose counts rise together share their cause: then a rise proves nothing against one of them.
    let proven = failed_test.is_some() || (grew && !several);
    let verdict = if proven { Verdict::Confirmed } else { Verdict::Suspected };

    let mut evidence = identity(drive);
    evidence.extend(counted);
    evidence.extend(uncorrectable(drive));
    evidence.extend(failed_test.map(|t| test_evidence(drive, t)));
    evidence.extend(kernel);
    let rate = moved.as_ref().map(|m| m.rise.rate());
    evidence.extend(moved.map(|m| m.evidence));
    let plural = if sectors == 1 { "sector" } else { "sectors" };
    let title = format!("The {subject} has {sectors} {plural} that it cannot read");
    let mut finding = RULE.finding(verdict, title, suspects(row, drive), evidence);
    finding.counter_evidence = against;
    finding.rate = rate;
    if let Some(passed) = last_completed_test(drive).filter(|t| t.outcome == SelfTestOutcome::Passed) {
        finding.counter_evidence.push(test_evidence(drive, passed));
    }
    if verdict == Verdict::Confirmed {
        let proof = if failed_test.is_some() {
            "its self-test failed"
        } else {
            "sectors stay unreadable and more come"
        };
        finding.advice =
            format!("Back up the data now, then have the drive replaced by its own maker: {proof}.");
    } else {
        finding.test = test(
            EXTENDED_TEST,
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

/// How the count rose within the last day.
fn rising(facts: &Facts, drive: &Drive) -> Option<Moved> {
    let by_table = match counted(drive, 197, &[NAME]) {
        Counted::Count(counter) => rose(facts, drive, &counter, Some(Metric::Ata197), DAY_S),
        _ => None,
    };
    by_table.or_else(|| {
        let now = drive.pending_defects.value().copied();
        let course = of_drive(facts, drive, Metric::PendingDefects, now, DAY_S);
        let rise = course.rise_within(DAY_S)?.clone();
        Some(Moved { evidence: rise.evidence(fact(drive, "pending_defects")), rise })
    })
}

/// Pending sectors that an earlier run saw and that are gone, in words: when nothing was remapped they were transient.
fn gone_again(facts: &Facts, drive: &Drive) -> Option<String> {
    let now = *facts.clock.unix_s.value()?;
    let recent = |at: i64| u64::try_from(now.saturating_sub(at)).is_ok_and(|ago| ago <= TOLD_FOR_S);
    let counts = [Metric::Ata197, Metric::PendingDefects];
    let points = counts.iter().filter_map(|metric| series_of_drive(facts, drive, *metric));
    let was = points.flat_map(|s| &s.points).filter(|p| p.value.is_some_and(|v| v > 0));
    // The recorder keeps changes, so a point is when the count was first seen; it stood until the next one.
    let last = was.filter(|p| p.unix_s.is_some_and(recent)).max_by_key(|p| p.unix_s)?;
    let (at, sectors) = (last.unix_s?, last.value?);
    let remapped = match counted(drive, 5, &["reallocated_sector"]) {
        Counted::Count(counter) => {
            let series = series_of_drive(facts, drive, Metric::Ata5);
            let points = series.into_iter().flat_map(|s| s.points.iter().chain([&s.first]));
            let before = points.filter(|p| p.unix_s.is_some_and(|t| t <= at)).max_by_key(|p| p.unix_s);
            let before = before.and_then(|p| p.value);
            before.map(|before| i64::try_from(counter.row.raw).is_ok_and(|now| now > before))
        }
        _ => None,
    };
    let seen = format!("it had {sectors} pending sectors on {} and has none now", crate::text::date(at));
    Some(match remapped {
        Some(false) => format!(
            "{seen}, and no sector was remapped: a transient mark, such as a write cut by a power loss leaves"
        ),
        Some(true) => format!("{seen}: the drive remapped them, which DRV-006 weighs"),
        None => format!("{seen}; whether the drive remapped them was not recorded"),
    })
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
    attribute.id == 197 && name.starts_with(NAME)
}

/// Attribute 198 speaks for the finding but never confirms it: drives update it only in an offline scan, so it may be
/// old, and one reading cannot show that it rises.
fn uncorrectable(drive: &Drive) -> Option<Evidence> {
    let Observed::Seen { value, from } = &drive.ata_attributes else { return None };
    let named = |a: &&AtaAttribute| a.id == 198 && a.name.to_ascii_lowercase().contains("uncorrectable");
    let a = value.iter().find(named).filter(|a| a.raw > 0 && a.raw < PACKED_FROM)?;
    Some(told(fact(drive, &format!("ata_attributes[198 {}]", a.name)), format!("{} sectors", a.raw), from))
}

/// What the kernel logged for this drive under these signatures, under its name or its port's. A port with a port
/// multiplier speaks for several drives, so it speaks for none.
pub(crate) fn kernel_witness(facts: &Facts, drive: &Drive, signatures: &[&str]) -> Option<Evidence> {
    let own = disk(&drive.device);
    let blocks = || facts.block_devices.value().into_iter().flatten();
    let port = blocks().find(|b| disk(&b.name) == own).and_then(|b| b.ata_port.value());
    let port = port.filter(|port| blocks().filter(|b| b.ata_port.value() == Some(port)).count() == 1);
    log_witness(facts, signatures, |subject| {
        subject.is_some_and(|s| disk(s) == own || port.is_some_and(|p| p == s))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, hdd, nas, nvme, nvme_health, recorded, self_test, with_drives};
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
    fn more_within_a_day_is_proof() {
        const NOW: i64 = 1_700_000_100;
        const HOUR: i64 = 3_600;
        let check =
            |now: u64, points: &[(i64, u32, Option<i64>)], remaps: &[i64], state: &str, says: &str| {
                let drive = with(&[(197, "Current_Pending_Sector", now), (5, "Reallocated_Sector_Ct", 4)]);
                let mut facts = recorded(with_drives(vec![drive.clone()]), &drive, Metric::Ata197, points);
                if !remaps.is_empty() {
                    let points: Vec<_> = remaps.iter().map(|n| (NOW - 90 * 24 * HOUR, 0, Some(*n))).collect();
                    facts = recorded(facts, &drive, Metric::Ata5, &points);
                }
                crate::fixture::check(evaluate, &facts, &[state], says);
            };
        let seen = |hours: i64, value: i64| (NOW - hours * HOUR, 0, Some(value));
        check(16, &[seen(20, 8)], &[], "found, confirmed", "rose from 8 to 16");
        check(16, &[seen(20, 0)], &[], "found, suspected", "rose from 0 to 16");
        check(16, &[seen(20, 16)], &[], "found, suspected", "rate: None");
        check(16, &[seen(24 * 40, 8)], &[], "found, suspected", "rate: None");
        // Gone again: the number of remapped sectors tells what became of them.
        check(0, &[seen(400, 0), seen(48, 8), seen(24, 0)], &[4], "exonerated", "a transient mark");
        check(0, &[seen(400, 0), seen(48, 8), seen(24, 0)], &[3], "exonerated", "DRV-006");
        check(0, &[seen(400, 0), seen(48, 8), seen(24, 0)], &[], "exonerated", "was not recorded");
        check(0, &[seen(24 * 200, 8), seen(24 * 190, 0)], &[4], "clear", "");
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
