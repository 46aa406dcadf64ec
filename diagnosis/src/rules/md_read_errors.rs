//! MD-003: md had to correct reads of a member.

use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::history::Metric;
use assay_bundle::facts::md::MdMember;

use crate::certainty::MEMBER_READ_ERRORS;
use crate::course::{self, Course, DAY_S, WEEK_S};
use crate::evidence::{test, told};
use crate::happenings::{Happening, most_within};
use crate::health::says_failing;
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Rule, over};
use crate::shared::Mark;
use crate::subject::{disk, fact, identity, name, sorted, suspects};
use crate::view::View;

/// More corrected reads than this a day suspect the drive (judgement; md itself fails a member at 20 an hour, md.rst
/// `max_read_errors`).
const CORRECTED_A_DAY: u64 = 10;
/// The kernel's line about one corrected read.
const CORRECTED: [&str; 1] = ["md-read-corrected"];
/// The kernel's line about a read that md could not correct.
const LOST: [&str; 1] = ["md-read-lost"];

/// The rule.
pub static RULE: Rule = Rule {
    code: "MD-003",
    title: "Array had to correct reads of a member",
    component: Component::Drive,
    checks: "Each drive in an md array: reads that md corrected from the other members, over the kernel log and earlier runs, and the list of bad blocks that md keeps of it.",
    why: "Each corrected read is a sector that the drive could not deliver; many in a short time come before md throws it out. A bad block on md's list has no second copy any more.",
    what_to_do: "Keep the backup current, run the drive's extended self-test, and plan its replacement when the count goes on rising.",
    threshold_source: "Judgement: more than 10 corrected reads in a day, any rise within a week is watched; md fails a member at 20 an hour (md.rst, max_read_errors). One bad block on md's list (md(4)). An old count that does not rise says nothing.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    if !facts.md_arrays.is_seen() {
        return over(&facts.md_arrays, "data arrays", false, |_| Vec::new());
    }
    let judged = over(&facts.drives, "drives", false, |drives| {
        let members: Vec<(&Drive, Vec<&MdMember>)> =
            sorted(drives).into_iter().map(|drive| (drive, members(facts, drive))).collect();
        let members: Vec<_> = members.into_iter().filter(|(_, members)| !members.is_empty()).collect();
        let counted = members.iter().any(|(_, m)| m.iter().any(|m| m.corrected_errors.is_some()));
        if !members.is_empty() && !counted && !view.log.read {
            let why = "corrected reads were counted nowhere, and no kernel log was read";
            return vec![Judgement::cannot_tell("drives", why, false)];
        }
        let corrected: Vec<&Happening<'_>> = view.log.of_kind(&CORRECTED).filter(|h| h.now).collect();
        let lost: Vec<&Happening<'_>> = view.log.of_kind(&LOST).filter(|h| h.now).collect();
        members.iter().map(|(drive, members)| judge(view, drive, members, &corrected, &lost)).collect()
    });
    if judged.is_empty() { vec![Judgement::not_applicable("drives")] } else { judged }
}

fn members<'f>(facts: &'f Facts, drive: &Drive) -> Vec<&'f MdMember> {
    let arrays = facts.md_arrays.value().into_iter().flatten();
    let members = arrays.filter_map(|a| a.members.value()).flatten();
    members.filter(|m| disk(&m.device) == disk(&drive.device)).collect()
}

fn judge(
    view: &View<'_>,
    drive: &Drive,
    members: &[&MdMember],
    corrected: &[&Happening<'_>],
    lost: &[&Happening<'_>],
) -> Judgement {
    let facts = view.facts;
    let subject = name(drive);
    let corrected = most_within(corrected.iter().copied().filter(|h| h.is_about(drive)), DAY_S);
    let lost: Vec<Evidence> =
        lost.iter().filter(|h| h.is_about(drive)).take(1).map(|h| h.evidence()).collect();
    let bad_blocks: u64 =
        members.iter().filter_map(|m| m.bad_block_sectors.value()).fold(0, |sum, n| sum.saturating_add(*n));
    let counts: Vec<u64> = members.iter().filter_map(|m| m.corrected_errors).collect();
    let now = (!counts.is_empty()).then(|| counts.iter().fold(0_u64, |sum, n| sum.saturating_add(*n)));
    let course = course::of_drive(facts, drive, Metric::MdCorrected, now, WEEK_S);
    let rise = match &course {
        Course::Rose(rise) if rise.within(WEEK_S) => Some(rise),
        _ => None,
    };
    let by_log = corrected.as_ref().map_or(0, |(rate, _)| rate.count);
    let many = by_log > CORRECTED_A_DAY || rise.is_some_and(|r| r.within(DAY_S) && r.by > CORRECTED_A_DAY);
    if by_log == 0 && lost.is_empty() && bad_blocks == 0 && rise.is_none() {
        return match now {
            Some(count) if count > 0 => {
                let why = format!(
                    "{count} corrected reads since its arrays were started, and none is known to be new"
                );
                Judgement::exonerated(subject, why)
            }
            _ => Judgement::clear(subject),
        };
    }
    if let Some(shared) = view.shares(drive, Mark::Media).filter(|_| !says_failing(drive)) {
        let why = format!(
            "its failed reads yield to SHR-001: several drives show them, and share {}",
            shared.ancestor
        );
        return Judgement::exonerated(subject, why);
    }
    let verdict =
        if many || !lost.is_empty() || bad_blocks > 0 { Verdict::Suspected } else { Verdict::Watch };
    let what = match (bad_blocks, by_log.max(rise.map_or(0, |r| r.by))) {
        (0, 0) => "md could not correct a read of the".to_owned(),
        (0, 1) => "md corrected a read of the".to_owned(),
        (0, n) => format!("md corrected {n} reads of the"),
        (n, _) => format!("md lists {n} bad sectors of the"),
    };
    let mut evidence = identity(drive);
    if bad_blocks > 0 {
        let from = members.iter().find_map(|m| m.bad_block_sectors.place()).unwrap_or_default();
        evidence.push(told("md_arrays.members.bad_block_sectors", format!("{bad_blocks} sectors"), from));
    }
    if let Some((rate, happenings)) = &corrected {
        evidence.extend(happenings.first().map(|h| h.evidence()));
        let told_rate = format!("{} corrected reads in {} s", rate.count, rate.window_s);
        evidence.push(told("kernel_log.events", told_rate, ""));
    }
    evidence.extend(lost);
    evidence.extend(rise.map(|rise| rise.evidence(fact(drive, "corrected_reads"))));
    let title = format!("{what} {}", name(drive));
    let mut finding = RULE.finding(verdict, title, suspects(&MEMBER_READ_ERRORS, drive), evidence);
    finding.rate = corrected.map(|(rate, _)| rate).or(rise.map(|r| r.rate()));
    finding.safe_to_remove = Some(safe_to_remove(facts, drive));
    finding.test = test(
        "Run the drive's extended self-test and check the array; compare the drive's pending and reallocated sectors before and after. Nothing is moved.",
        &[
            "The self-test fails or sectors are reallocated: the drive is defective.",
            "Both pass and nothing rises: it was one event; keep watching.",
            "Only link errors beside the reads: cable, slot or backplane.",
        ],
    );
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, array, hdd, nas, recorded, with_arrays, with_log};
    use assay_bundle::Observed;
    use assay_bundle::facts::kernel_log::KernelEvent;
    use assay_bundle::facts::md::MdMemberState::InSync;

    const NOW: i64 = 1_700_000_100;
    const DAY: i64 = 86_400;

    fn mirror(errors: u64, bad: u64) -> Facts {
        let mut array = array("md1", "raid1", 2, &[("sda3", InSync), ("sdb3", InSync)]);
        if let Observed::Seen { value, .. } = &mut array.members {
            value[0].corrected_errors = Some(errors);
            value[0].bad_block_sectors = Observed::seen(bad, "sys/block/md1/md/dev-sda3/bad_blocks");
        }
        with_arrays(vec![array])
    }

    fn reads(signature: &str, times: u64) -> Vec<KernelEvent> {
        let event = |n| KernelEvent {
            signature: signature.to_owned(),
            subject: Some("sda3".to_owned()),
            at_us: Some((1_000 + n) * 1_000_000),
            line: n,
            repeats: 1,
            ..KernelEvent::default()
        };
        (0..times).map(event).collect()
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: with_log(mirror(11, 0), reads("md-read-corrected", 11)),
            clear: mirror(0, 0),
            cannot_tell: Facts { md_arrays: Observed::unreadable("x"), ..nas() },
            not_applicable: Some(Facts { md_arrays: Observed::Absent, ..nas() }),
        }
    }

    #[test]
    fn many_in_a_day_and_not_many_at_all() {
        let check = |facts: &Facts, first: &str, says: &str| {
            crate::fixture::check(evaluate, facts, &[first, "clear"], says);
        };
        check(&mirror(0, 0), "clear", "");
        check(&mirror(64, 0), "exonerated", "64 corrected reads");
        check(&with_log(mirror(10, 0), reads("md-read-corrected", 10)), "found, watch", "corrected 10 reads");
        check(&with_log(mirror(11, 0), reads("md-read-corrected", 11)), "found, suspected", "count: 11");
        check(&with_log(mirror(0, 0), reads("md-read-lost", 1)), "found, suspected", "could not correct");
        check(&mirror(0, 16), "found, suspected", "lists 16 bad sectors");
    }

    #[test]
    fn a_constant_is_old_and_a_rise_is_new() {
        let drive = hdd("sda", 1);
        let course = |was: i64, days: i64, now: u64| {
            recorded(mirror(now, 0), &drive, Metric::MdCorrected, &[(NOW - days * DAY, 0, Some(was))])
        };
        let check = |facts: &Facts, first: &str, says: &str| {
            crate::fixture::check(evaluate, facts, &[first, "clear"], says);
        };
        check(&course(64, 3, 0), "clear", "");
        // Another boot: the count began anew.
        check(&course(64, 3, 4), "found, watch", "corrected 4 reads");
        check(&course(0, 1, 40), "found, suspected", "corrected 40 reads");
        check(&course(0, 90, 40), "exonerated", "none is known to be new");
    }
}
