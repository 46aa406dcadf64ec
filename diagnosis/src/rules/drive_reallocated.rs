//! DRV-006: hard disk has remapped sectors.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Verdict};
use assay_bundle::facts::drive::{Drive, Medium, Protocol};
use assay_bundle::facts::history::Metric;

use crate::certainty::REALLOCATED;
use crate::counters::{
    Counted, EXTENDED_TEST, LOOK_AGAIN, counted, each, failed_test, finding, predicts, rose, untold,
};
use crate::course::WEEK_S;
use crate::evidence::{test, told};
use crate::health::{fails_now, is_copy};
use crate::rule::{Judgement, Rule};
use crate::subject::{fact, name};
use crate::view::View;

/// From so many on a disk is suspicious; fewer are watched (Backblaze 2014: a disk with up to 4 fails hardly more often
/// than one with none, one with 16 to 70 nine times as often).
const SUSPICIOUS_FROM: u64 = 10;
/// From so many on a disk that goes on remapping is defective (RAIDShield, FAST 2015: about 200 tell failing disks).
const MANY_FROM: u64 = 200;
/// So many more within a week mean that it goes on. Judgement after RAIDShield: the rise tells more than the count.
const RISE_A_WEEK: u64 = 5;

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-006",
    title: "Hard disk has remapped sectors",
    component: Component::Drive,
    checks: "Sectors that a hard disk has replaced by spare ones: attribute 5 where its name says so, else the device statistics; how many, and how many more within a week.",
    why: "A remapped sector was lost and replaced. A few are normal ageing and harmless; many, or more every week, mean that the surface is going.",
    what_to_do: "Back up the data, and have the disk replaced when the count goes on rising.",
    threshold_source: "1 to 9 watched, 10 suspicious: Backblaze 2014 by count. 200: RAIDShield, USENIX FAST 2015. 5 more within a week: judgement. Defective from 200 on while it rises, and from 10 on where the self-test failed; the maker's own threshold DRV-001 judges.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    each(view, |drive| judge(view, drive))
}

fn judge(view: &View<'_>, drive: &Drive) -> Judgement {
    let (facts, subject) = (view.facts, name(drive));
    // Flash remaps as it wears: SSD-002 weighs what is left of its spare blocks.
    if matches!(drive.protocol.value(), Some(Protocol::Nvme | Protocol::Scsi))
        || drive.medium.value() == Some(&Medium::Ssd)
    {
        return Judgement::not_applicable(subject);
    }
    let statistic = match &drive.ata_statistics {
        Observed::Seen { value, from } => value.reallocated_sectors.map(|n| (n, from.as_str())),
        _ => None,
    };
    let (sectors, mut why, counter) = match (counted(drive, 5, &["reallocated_sector"]), statistic) {
        (Counted::Count(counter), _) => {
            (counter.count, vec![counter.evidence(drive, "sectors")], Some(counter))
        }
        (_, Some((n, from))) => {
            let path = fact(drive, "ata_statistics.reallocated_sectors");
            (n, vec![told(path, format!("{n} sectors"), from)], None)
        }
        (why, None) => return untold(drive, why),
    };
    let at_limit = counter.as_ref().is_some_and(|c| fails_now(c.row) && !is_copy(c.from));
    if counter.as_ref().is_some_and(|c| predicts(c.row, c.from)) {
        return Judgement::not_applicable(subject);
    }
    if sectors == 0 && !at_limit {
        return Judgement::clear(subject);
    }
    let moved = counter.as_ref().and_then(|c| rose(facts, drive, c, Some(Metric::Ata5), WEEK_S));
    let goes_on = moved.as_ref().is_some_and(|m| m.rise.by >= RISE_A_WEEK);
    let tested = failed_test(drive).filter(|_| sectors >= SUSPICIOUS_FROM);
    let copied = counter.as_ref().is_some_and(|c| is_copy(c.from));
    let many = goes_on && sectors >= MANY_FROM && !copied;
    let verdict = if at_limit || many || tested.is_some() {
        Verdict::Confirmed
    } else if goes_on || sectors >= SUSPICIOUS_FROM {
        Verdict::Suspected
    } else {
        Verdict::Watch
    };
    if at_limit {
        why.push(told(fact(drive, "ata_attributes"), "at the maker's own threshold now", ""));
    }
    let rate = moved.as_ref().map(|m| m.rise.rate());
    why.extend(moved.map(|m| m.evidence));
    why.extend(tested);
    let noun = if sectors == 1 { "sector" } else { "sectors" };
    let more = if goes_on { ", and more come" } else { "" };
    let title = format!("The {subject} has remapped {sectors} {noun}{more}");
    let mut finding = finding(&RULE, view, drive, &REALLOCATED, (verdict, title), why);
    finding.rate = rate;
    match verdict {
        Verdict::Confirmed => {
            finding.advice =
                "Back up the data now, then have the disk replaced by its own maker: its surface is going."
                    .to_owned();
        }
        Verdict::Suspected => {
            finding.test = test(
                EXTENDED_TEST,
                &[
                    "The test fails: the disk is defective; its maker accepts the test as proof.",
                    "The count rises by 5 or more: plan its replacement now.",
                    "The test passes and the count stays: keep it and watch it.",
                ],
            );
        }
        Verdict::Watch => {
            finding.advice = "Nothing to do now: a few remapped sectors are normal. Look again in a month; a rise says more than the count.".to_owned();
            finding.test = test(
                LOOK_AGAIN,
                &["5 more or above 9 in all: treat the disk as suspicious.", "It stays: normal ageing."],
            );
        }
    }
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, failing, hdd, recorded, self_test, with_drives};
    use assay_bundle::facts::drive::{AtaAttribute, AtaStatistics, SelfTestOutcome, WhenFailed};

    pub(crate) fn four() -> Four {
        Four {
            fires: with_drives(vec![with(12)]),
            clear: with_drives(vec![with(0)]),
            cannot_tell: with_drives(vec![Drive { ata_attributes: Observed::NotCollected, ..hdd("sda", 1) }]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    fn row(row: AtaAttribute) -> Drive {
        Drive { ata_attributes: Observed::seen(vec![row], "cmd/smartctl.sat.sda/stdout"), ..hdd("sda", 3) }
    }

    fn with(sectors: u64) -> Drive {
        row(attribute(5, "Reallocated_Sector_Ct", sectors))
    }

    fn check(drive: Drive, state: &str, says: &str) {
        crate::fixture::check(evaluate, &with_drives(vec![drive]), &[state], says);
    }

    #[test]
    fn by_the_count() {
        check(with(0), "clear", "");
        check(with(1), "found, watch", "remapped 1 sector\"");
        check(with(9), "found, watch", "");
        check(with(10), "found, suspected", "10 sectors");
        check(with(1_040), "found, suspected", "");
        check(row(failing(5, "Reallocated_Sector_Ct", true, WhenFailed::Now)), "not applicable", "");
        let at_limit = failing(5, "Reallocated_Sector_Ct", false, WhenFailed::Now);
        check(row(at_limit), "found, confirmed", "threshold");
        let failed = Observed::seen(vec![self_test("Extended offline", SelfTestOutcome::Failed)], "x");
        check(Drive { self_tests: failed.clone(), ..with(9) }, "found, watch", "");
        check(Drive { self_tests: failed, ..with(10) }, "found, confirmed", "first failing sector");
        check(row(attribute(5, "Retired_Block_Count", 8)), "exonerated", "Retired_Block_Count");
        let flash = Drive { medium: Observed::seen(Medium::Ssd, "x"), ..with(12) };
        check(flash, "not applicable", "");
        let counted = AtaStatistics { reallocated_sectors: Some(16), ..AtaStatistics::default() };
        check(
            Drive { ata_statistics: Observed::seen(counted, "x"), ..hdd("sda", 1) },
            "found, suspected",
            "16",
        );
    }

    #[test]
    fn a_rise_tells_more_than_the_count() {
        const NOW: i64 = 1_700_000_100;
        const DAY: i64 = 86_400;
        let check = |days: i64, before: i64, now: u64, state: &str| {
            let (drive, points) = (with(now), [(NOW - days * DAY, 0, Some(before))]);
            let facts = recorded(with_drives(vec![drive.clone()]), &drive, Metric::Ata5, &points);
            crate::fixture::check(evaluate, &facts, &[state], "");
        };
        check(3, 1, 5, "found, watch");
        check(3, 1, 6, "found, suspected");
        check(3, 190, 210, "found, confirmed");
        check(3, 209, 210, "found, suspected");
        check(90, 1, 6, "found, watch");
    }
}
