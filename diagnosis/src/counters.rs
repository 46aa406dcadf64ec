//! Counters that a drive keeps: read by id *and* name, unpacked, followed over earlier runs and QTS's event log.
//!
//! Makers reuse the ids of ATA attributes, pack several numbers into one raw value and print sentinels; each of these
//! has made other tools call healthy drives defective. What cannot be read as the count that its name promises is said
//! to be something else and counts for nothing. In QTS's copy the names follow the number alone, so on flash they prove
//! nothing. Refuses to take a rate from a number whose packing is not known.

use assay_bundle::diagnosis::{Evidence, Finding, Verdict};
use assay_bundle::facts::drive::{AtaAttribute, Drive, Medium};
use assay_bundle::facts::history::Metric;
use assay_bundle::{Observed, facts::Facts};

use crate::certainty::Row;
use crate::course::{Course, Rise, course, series_of_drive};
use crate::evidence::told;
use crate::health::{Reason, fails_now, is_copy, reason};
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Outcome, Rule, over};
use crate::rules::drive_self_test_failed;
use crate::shared::Mark;
use crate::subject::{
    asleep, fact, identity, last_completed_test, name, sorted, suspects, test_evidence, why_missing,
};
use crate::view::View;

/// From here a raw value is several numbers packed into one, or a sentinel: no drive counts four billion events.
const PACKED_FROM: u64 = 0xffff_ffff;
/// Makers that pack several numbers keep the count itself in the low 16 bits (smartmontools' drive database, formats
/// `raw16(raw16)` and Seagate's 188).
const LOW_16: u64 = 0xffff;

/// What settles a suspicion about a medium, in the same words wherever it is asked for. Nothing is moved.
pub(crate) const EXTENDED_TEST: &str = "With a backup made, run the drive's extended self-test (QTS calls it the complete test) and read its counts again after a week; the drive stays in its bay.";
/// What a count that is only watched needs.
pub(crate) const LOOK_AGAIN: &str = "Read the drive's counts again in a month, with nothing moved.";

/// Judges every drive, in the order in which a person looks at them.
pub(crate) fn each(view: &View<'_>, judge: impl Fn(&Drive) -> Judgement) -> Vec<Judgement> {
    over(&view.facts.drives, "drives", false, |drives| sorted(drives).into_iter().map(judge).collect())
}

/// The same, and one line where no drive's reading is there at all: nobody reads it on this machine.
pub(crate) fn once(judgements: Vec<Judgement>, why: &str) -> Vec<Judgement> {
    let untold = |j: &Judgement| matches!(j.outcome, Outcome::CannotTell { .. });
    let mut applies = judgements.iter().filter(|j| j.outcome != Outcome::NotApplicable);
    if judgements.iter().filter(|j| untold(j)).count() > 1 && applies.all(untold) {
        return vec![Judgement::cannot_tell("drives", why, false)];
    }
    judgements
}

/// A finding about one drive: what identifies it comes first, and whether it may be pulled stands below.
pub(crate) fn finding(
    rule: &Rule,
    view: &View<'_>,
    drive: &Drive,
    row: &Row,
    (verdict, title): (Verdict, String),
    why: Vec<Evidence>,
) -> Finding {
    let mut evidence = identity(drive);
    let known = evidence.len();
    evidence.extend(why);
    let copied = evidence.iter().skip(known).find(|e| is_copy(&e.from)).map(|e| e.from.clone());
    let mut finding = rule.finding(verdict, title, suspects(row, drive), evidence);
    if let Some(from) = copied {
        let doubt = "the count is from QTS's copy of the table, whose format is known from samples";
        finding.counter_evidence.push(told(fact(drive, "ata_attributes"), doubt, &from));
    }
    finding.safe_to_remove = Some(safe_to_remove(view.facts, drive));
    finding
}

/// Whether the drive has given its own proof, which no shared cause explains away: it predicts its failure or failed
/// its own test.
pub(crate) fn own_proof(drive: &Drive) -> bool {
    let says_so = matches!(reason(drive), Reason::Predicts(_) | Reason::Unexplained(_));
    says_so || drive_self_test_failed::failed(drive)
}

/// The failed self-test of a drive whose newest completed one failed: with it, damage of the medium is proven.
pub(crate) fn failed_test(drive: &Drive) -> Option<Evidence> {
    let test = last_completed_test(drive).filter(|_| drive_self_test_failed::failed(drive))?;
    Some(test_evidence(drive, test))
}

/// Whether the row is the drive's own prediction of its failure: then DRV-001 shows it, and no other rule repeats it.
pub(crate) fn predicts(row: &AtaAttribute, from: &str) -> bool {
    fails_now(row) && row.prefailure && !is_copy(from)
}

/// Several drives with one mark are blamed on what they share: the drive is cleared, unless it has proof of its own.
pub(crate) fn yields(view: &View<'_>, drive: &Drive, mark: Mark, what: &str) -> Option<Judgement> {
    let shared = view.shares(drive, mark).filter(|_| !own_proof(drive))?;
    let others = shared.devices.len();
    let why = format!(
        "{what} yields to SHR-001: {others} drives show it together, and they share {}",
        shared.ancestor
    );
    Some(Judgement::exonerated(name(drive), why))
}

/// A counter of the attribute table.
pub(crate) struct Counter<'a> {
    /// The row that it stands in.
    pub(crate) row: &'a AtaAttribute,
    /// The number that the raw value means.
    pub(crate) count: u64,
    /// Where the table stands below `raw/`.
    pub(crate) from: &'a str,
}

/// What the table says about one counter.
pub(crate) enum Counted<'a> {
    /// It counts.
    Count(Counter<'a>),
    /// The row is there and means something else, in words.
    OtherMeaning(String),
    /// The table was read and has no such row, or the drive has no table.
    CountsNone,
    /// The table was not read, and why.
    NotRead(String),
}

/// The counter with this id under one of these names (in small letters, `_` between words; a row's name may go on).
pub(crate) fn counted<'a>(drive: &'a Drive, id: u8, names: &[&str]) -> Counted<'a> {
    let (table, from) = match &drive.ata_attributes {
        Observed::Seen { value, from } => (value, from.as_str()),
        Observed::Absent => return Counted::CountsNone,
        unread => return Counted::NotRead(why_missing(drive, "the attribute table", unread)),
    };
    let Some(row) = table.iter().find(|a| a.id == id) else { return Counted::CountsNone };
    if !named(row, names) {
        // A row without a meaning, or at 0, looks like nothing: there is nothing to clear.
        if row.raw == 0 || row.name.to_ascii_lowercase().starts_with("unknown") {
            return Counted::CountsNone;
        }
        return Counted::OtherMeaning(format!(
            "its attribute {id} is {}, which counts something else",
            row.name
        ));
    }
    let count = match row.decoded {
        Some(count) => Some(count),
        None if is_copy(from) => Some(if id == 188 { row.raw & LOW_16 } else { row.raw }),
        None => None,
    };
    match count.filter(|count| *count < PACKED_FROM) {
        Some(count) if count > 0 && is_copy(from) && drive.medium.value() != Some(&Medium::Hdd) => {
            Counted::OtherMeaning(format!(
                "QTS names its attribute {id} by the number alone; on flash that number may count something else ({count})"
            ))
        }
        Some(count) => Counted::Count(Counter { row, count, from }),
        None => Counted::OtherMeaning(format!(
            "its attribute {id} reads {}, which is no plain count",
            row.raw_text
        )),
    }
}

/// Whether the row has one of these names.
pub(crate) fn named(row: &AtaAttribute, names: &[&str]) -> bool {
    let own = row.name.to_ascii_lowercase().replace([' ', '-', '/'], "_");
    names.iter().any(|name| own.starts_with(name))
}

impl Counter<'_> {
    /// It as evidence: the count, in these units.
    pub(crate) fn evidence(&self, drive: &Drive, unit: &str) -> Evidence {
        let path = fact(drive, &format!("ata_attributes[{} {}]", self.row.id, self.row.name));
        told(path, format!("{} {unit}", self.count), self.from)
    }

    /// How it moved over earlier runs, unpacked as its value of this run is.
    pub(crate) fn course(&self, facts: &Facts, drive: &Drive, metric: Metric, window_s: u64) -> Course {
        let Some(series) = series_of_drive(facts, drive, metric) else {
            return crate::course::of_drive(facts, drive, metric, Some(self.count), window_s);
        };
        let plain = self.row.raw == self.count && self.row.id != 188;
        if plain {
            return course(facts, series, Some(self.count), window_s);
        }
        if self.row.raw & LOW_16 != self.count {
            return Course::NotFollowed("earlier runs recorded it packed".to_owned());
        }
        let mut series = series.clone();
        let low = i64::try_from(LOW_16).unwrap_or(i64::MAX);
        for point in std::iter::once(&mut series.first).chain(&mut series.points) {
            point.value = point.value.map(|value| value & low);
        }
        course(facts, &series, Some(self.count), window_s)
    }
}

/// A rise and what shows it.
pub(crate) struct Moved {
    /// By how much, within what.
    pub(crate) rise: Rise,
    /// The recorder's course, or QTS's log of it.
    pub(crate) evidence: Evidence,
}

/// How the counter rose within the window, by the recorder or, where that does not tell, by QTS's event log.
pub(crate) fn rose(
    facts: &Facts,
    drive: &Drive,
    counter: &Counter<'_>,
    metric: Option<Metric>,
    window_s: u64,
) -> Option<Moved> {
    if counter.count == 0 {
        return None;
    }
    let path = fact(drive, &format!("ata_attributes[{} {}]", counter.row.id, counter.row.name));
    let recorded = metric.map(|metric| counter.course(facts, drive, metric, window_s));
    if let Some(rise) = recorded.as_ref().and_then(|course| course.rise_within(window_s)) {
        return Some(Moved { rise: rise.clone(), evidence: rise.evidence(path) });
    }
    // A counter that the recorder followed and saw at rest did not rise, whatever a log says.
    let followed = |s: Option<u64>| s.is_some_and(|s| s >= window_s);
    if matches!(&recorded, Some(Course::Still { followed_s }) if followed(*followed_s)) {
        return None;
    }
    logged(facts, drive, counter, window_s)
}

/// The rise by QTS's event log. It names bays, so a bay whose drive changed since starts anew, and a value above the
/// present one was another drive's. Enclosures beside the NAS have no unmistakable number in it.
fn logged(facts: &Facts, drive: &Drive, counter: &Counter<'_>, window_s: u64) -> Option<Moved> {
    let Observed::Seen { value: log, from } = &facts.event_log else { return None };
    if drive.enclosure.value().is_some_and(|enclosure| *enclosure > 0) {
        return None;
    }
    let bay = format!("drive {}", drive.bay.value()?);
    let now = *facts.clock.unix_s.value()?;
    let mut rise: Option<(Rise, u64)> = None;
    for event in log.events.iter().filter(|event| event.subject.as_deref() == Some(bay.as_str())) {
        if matches!(event.kind.as_str(), "drive-plugged" | "drive-unplugged") {
            rise = None;
            continue;
        }
        let Some(change) = event.change.filter(|c| c.id == counter.row.id && c.after > c.before) else {
            continue;
        };
        let ago = event.at_unix_s.and_then(|at| u64::try_from(now.saturating_sub(at)).ok());
        let Some(ago) = ago.filter(|ago| *ago <= window_s && change.after <= counter.count) else { continue };
        let by = change.after - change.before;
        match &mut rise {
            Some((rise, _)) => (rise.by, rise.to) = (rise.by.saturating_add(by), change.after),
            None => {
                let first = Rise { by, within_s: ago.max(1), from: change.before, to: change.after };
                rise = Some((first, event.line));
            }
        }
    }
    let (rise, line) = rise?;
    let words = format!("attribute {} rose from {} to {}", counter.row.id, rise.from, rise.to);
    Some(Moved { evidence: told("event_log.events", words, &format!("{from}#L{line}")), rise })
}

/// The judgement of a drive whose table does not tell: what is not read is said in the same words by every rule that
/// asks, so that the report shows it once; a sleeping drive is already told by DRV-001.
pub(crate) fn untold(drive: &Drive, why: Counted<'_>) -> Judgement {
    match why {
        Counted::NotRead(_) if asleep(drive) => Judgement::not_applicable(name(drive)),
        Counted::NotRead(why) => Judgement::cannot_tell(name(drive), why, false),
        Counted::OtherMeaning(why) => Judgement::exonerated(name(drive), why),
        Counted::CountsNone | Counted::Count(_) => Judgement::not_applicable(name(drive)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{attribute, hdd, nas, recorded, self_test, with_drives};
    use crate::shared::{Ancestor, Shared, When};
    use assay_bundle::facts::drive::SelfTestOutcome;
    use assay_bundle::facts::event_log::{AttributeChange, EventLog, SystemEvent};

    const NOW: i64 = 1_700_000_100;
    const DAY: i64 = 86_400;
    const WEEK_S: u64 = crate::course::WEEK_S;

    fn with(row: AtaAttribute, from: &str) -> Drive {
        Drive { ata_attributes: Observed::seen(vec![row], from), ..hdd("sda", 1) }
    }

    fn packed(id: u8, raw: u64, text: &str, decoded: Option<u64>) -> AtaAttribute {
        AtaAttribute { raw_text: text.to_owned(), decoded, ..attribute(id, "Command_Timeout", raw) }
    }

    #[test]
    fn a_count_is_what_its_name_promises() {
        fn check(drive: Drive, expected: &str) {
            let said = match counted(&drive, 188, &["command_timeout"]) {
                Counted::Count(counter) => counter.count.to_string(),
                Counted::OtherMeaning(why) | Counted::NotRead(why) => why,
                Counted::CountsNone => "none".to_owned(),
            };
            assert!(said.contains(expected), "{expected:?} is not in {said:?}");
        }
        const COPY: &str = "tmp/smart/smart_0_1.info";
        check(with(attribute(188, "Command_Timeout", 3), "x"), "3");
        check(with(packed(188, 94_490_722_326, "22 22 22", Some(22)), "x"), "22");
        check(with(packed(188, 94_490_722_326, "94490722326", None), COPY), "22");
        check(with(packed(188, 0x5_0000_0000, "0x000500000000", None), "x"), "no plain count");
        check(with(attribute(188, "Lamp_Hours", 3), "x"), "Lamp_Hours");
        check(with(attribute(5, "Reallocated_Sector_Ct", 3), "x"), "none");
        let flash = Drive {
            medium: Observed::seen(Medium::Ssd, "x"),
            ..with(attribute(188, "Command_Timeout", 3), COPY)
        };
        check(flash, "by the number alone");
        check(Drive { ata_attributes: Observed::NotCollected, ..hdd("sda", 1) }, "was not read");
        check(Drive { ata_attributes: Observed::Absent, ..hdd("sda", 1) }, "none");
    }

    #[test]
    fn a_drive_yields_to_what_it_shares_unless_it_has_proof_of_its_own() {
        let failed = vec![self_test("Extended offline", SelfTestOutcome::Failed)];
        let proven = Drive { self_tests: Observed::seen(failed, "x"), ..hdd("sdb", 2) };
        let facts = with_drives(vec![hdd("sda", 1), proven, hdd("sdc", 3)]);
        let devices = vec!["sda".to_owned(), "sdb".to_owned()];
        let shared = Shared {
            mark: Mark::Media,
            devices,
            ancestor: "controller 0000:00:17.0".to_owned(),
            kind: Ancestor::Controller("0000:00:17.0".to_owned()),
            members: Vec::new(),
            evidence: Vec::new(),
            rate: None,
            when: When::SameMoment,
            leader: None,
        };
        let view = View::sharing(&facts, vec![shared]);
        let said = |mark| -> Vec<Option<String>> {
            let drives = facts.drives.value().into_iter().flatten();
            drives.map(|d| yields(&view, d, mark, "its errors").map(|j| format!("{:?}", j.outcome))).collect()
        };
        let media = said(Mark::Media);
        let first = media[0].as_deref().expect("it yields");
        assert!(
            first.contains("2 drives show it together, and they share controller 0000:00:17.0"),
            "{first}"
        );
        assert_eq!(
            (&media[1], &media[2]),
            (&None, &None),
            "proof of its own, and a drive that shares nothing"
        );
        assert_eq!(said(Mark::Power), [None, None, None]);
    }

    #[test]
    fn a_rise_is_unpacked_before_it_is_told() {
        fn check(now: AtaAttribute, before: i64, expected: Option<u64>) {
            let drive = with(now, "x");
            let points = [(NOW - 20 * DAY, 0, Some(before)), (NOW - 2 * DAY, 0, Some(before))];
            let facts = recorded(with_drives(vec![drive.clone()]), &drive, Metric::Ata188, &points);
            let Counted::Count(counter) = counted(&drive, 188, &["command_timeout"]) else {
                panic!("it counts")
            };
            let got = rose(&facts, &drive, &counter, Some(Metric::Ata188), WEEK_S).map(|m| m.rise.by);
            assert_eq!(got, expected, "{before}");
        }
        check(packed(188, 94_490_722_326, "22 22 22", Some(22)), 94_490_722_326, None);
        check(packed(188, (23 << 32) | (23 << 16) | 25, "23 23 25", Some(25)), 94_490_722_326, Some(3));
        check(packed(188, 9, "9", Some(9)), 4, Some(5));
        check(packed(188, 0, "0", Some(0)), 4, None);
    }

    #[test]
    fn the_event_log_is_a_second_course() {
        let change = |at: i64, before, after| SystemEvent {
            kind: "smart-change".to_owned(),
            at_unix_s: Some(at),
            subject: Some("drive 1".to_owned()),
            change: Some(AttributeChange { id: 5, before, after }),
            line: 7,
            ..SystemEvent::default()
        };
        let plugged =
            |at: i64| SystemEvent { kind: "drive-plugged".to_owned(), change: None, ..change(at, 0, 0) };
        let drive = with(attribute(5, "Reallocated_Sector_Ct", 12), "x");
        let check = |events: Vec<SystemEvent>, expected: Option<(u64, u64)>| {
            let mut facts = with_drives(vec![drive.clone()]);
            facts.event_log = Observed::seen(EventLog { events, ..EventLog::default() }, "x");
            let Counted::Count(counter) = counted(&drive, 5, &["reallocated"]) else { panic!("it counts") };
            let got =
                rose(&facts, &drive, &counter, Some(Metric::Ata5), WEEK_S).map(|m| (m.rise.from, m.rise.by));
            assert_eq!(got, expected);
        };
        check(vec![change(NOW - 3 * DAY, 0, 8), change(NOW - DAY, 8, 12)], Some((0, 12)));
        check(vec![change(NOW - 30 * DAY, 0, 8)], None);
        check(vec![change(NOW - 3 * DAY, 0, 400)], None);
        check(vec![change(NOW - 3 * DAY, 0, 8), plugged(NOW - 2 * DAY)], None);
        check(vec![change(NOW - 3 * DAY, 12, 0)], None);
        assert!(nas().event_log.is_not_collected());
    }
}
