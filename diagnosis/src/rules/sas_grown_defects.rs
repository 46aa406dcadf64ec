//! SAS-001: SAS drive remaps sectors.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::{Drive, Protocol};
use assay_bundle::facts::history::Metric;

use crate::certainty::SAS_DEFECTS;
use crate::course::{self, Course, DAY_S, WEEK_S};
use crate::evidence::{test, told};
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Rule, over};
use crate::subject::{asleep, fact, identity, name, sorted, suspects, why_missing};
use crate::view::View;

/// So many remapped sectors are many (hardware.md 2.2, S2: 100; disks of Backblaze's and RAIDShield's studies with as
/// many failed several times as often as others).
const MANY: u64 = 100;
/// So many more in a week are going on (the same).
const RISES_BY: u64 = 5;
/// A few that have not risen for so long are history (judgement).
const OLD_S: u64 = 30 * DAY_S;

/// The rule.
pub static RULE: Rule = Rule {
    code: "SAS-001",
    title: "SAS drive remaps sectors",
    component: Component::Drive,
    checks: "The grown defect list of each SAS drive: sectors that it gave up since it was made, and how the count moved over earlier runs.",
    why: "A few remapped sectors are normal in a long life. Many, or more every week, go before failures.",
    what_to_do: "Back up the data, run the drive's extended self-test, and compare the count after a week.",
    threshold_source: "More than 0 is watched; 5 more within a week or 100 in all are suspected (RAIDShield, USENIX FAST 2015, and Backblaze, for ATA's count of the same thing). Few that have not moved for 30 days are cleared (judgement).",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    over(&view.facts.drives, "drives", false, |drives| {
        sorted(drives).into_iter().map(|drive| judge(view.facts, drive)).collect()
    })
}

fn judge(facts: &Facts, drive: &Drive) -> Judgement {
    let subject = name(drive);
    if drive.protocol.value() != Some(&Protocol::Scsi) || asleep(drive) {
        return Judgement::not_applicable(subject);
    }
    let (pages, from) = match &drive.scsi {
        Observed::Seen { value, from } => (value, from),
        Observed::Absent => return Judgement::not_applicable(subject),
        other => return Judgement::cannot_tell(subject, why_missing(drive, "its log pages", other), false),
    };
    let Some(defects) = pages.grown_defects else { return Judgement::not_applicable(subject) };
    let path = fact(drive, "scsi.grown_defects");
    let course = course::of_drive(facts, drive, Metric::ScsiGrownDefects, Some(defects), WEEK_S);
    let rise = course.rise_within(WEEK_S).filter(|rise| rise.by >= RISES_BY);
    let followed = match course {
        Course::Still { followed_s } => followed_s.unwrap_or(0),
        _ => 0,
    };
    let verdict = match defects {
        0 => return Judgement::clear(subject),
        _ if rise.is_some() || defects >= MANY => Verdict::Suspected,
        n if followed >= OLD_S => {
            let why = format!("remapped {n} sectors long ago and none for {} days", followed / DAY_S);
            return Judgement::exonerated(subject, why);
        }
        _ => Verdict::Watch,
    };
    let mut evidence = identity(drive);
    evidence.push(told(path.clone(), format!("{defects} sectors"), from));
    evidence.extend(rise.map(|rise| rise.evidence(path.clone())));
    let title = if rise.is_some() {
        format!("The {subject} remaps more and more sectors")
    } else {
        format!("The {subject} has remapped {defects} sectors")
    };
    let mut finding = RULE.finding(verdict, title, suspects(&SAS_DEFECTS, drive), evidence);
    finding.rate = rise.map(course::Rise::rate);
    if rise.is_none() {
        let words = match followed / DAY_S {
            0 => "whether it rises is not known yet".to_owned(),
            days => format!("has not risen for {days} days"),
        };
        finding.counter_evidence.push(told(path, words, ""));
    }
    finding.test = test(
        "With a backup made, run the drive's extended self-test and read the grown defect list again after a week; the drive stays in its bay.",
        &[
            "The test fails, or the list grows by 5 or more: treat the drive as defective.",
            "Neither: it gave up a few sectors and works; watch it.",
        ],
    );
    finding.safe_to_remove = Some(safe_to_remove(facts, drive));
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, hdd, recorded, sas, with_drives};
    use assay_bundle::facts::drive::ScsiHealth;

    const NOW: i64 = 1_700_000_100;

    fn with(defects: Option<u64>) -> Drive {
        let pages = ScsiHealth { grown_defects: defects, ..ScsiHealth::default() };
        Drive { scsi: Observed::seen(pages, "cmd/smartctl.scsi.sda/stdout"), ..sas("sda", 0, 0, true) }
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: with_drives(vec![with(Some(260))]),
            clear: with_drives(vec![with(Some(0))]),
            cannot_tell: with_drives(vec![Drive { scsi: Observed::unreadable("denied"), ..with(None) }]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1), with(None)])),
        }
    }

    #[test]
    fn many_or_more_every_week() {
        let check = |now, before: Option<(i64, i64)>, state: &str, says: &str| {
            let drive = with(Some(now));
            let mut facts = with_drives(vec![drive.clone()]);
            if let Some((days, value)) = before {
                let points = [(NOW - days * 86_400, 0, Some(value))];
                facts = recorded(facts, &drive, Metric::ScsiGrownDefects, &points);
            }
            crate::fixture::check(evaluate, &facts, &[state], says);
        };
        check(0, None, "clear", "");
        check(12, None, "found, watch", "whether it rises is not known yet");
        check(99, None, "found, watch", "");
        check(100, None, "found, suspected", "");
        check(12, Some((40, 12)), "exonerated", "none for 40 days");
        check(12, Some((20, 12)), "found, watch", "has not risen for 20 days");
        check(12, Some((3, 7)), "found, suspected", "more and more");
        check(12, Some((3, 8)), "found, watch", "");
        check(260, Some((400, 260)), "found, suspected", "has not risen for 400 days");
    }
}
