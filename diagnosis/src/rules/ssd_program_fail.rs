//! SSD-003: solid-state drive fails to write or erase its flash.

use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::drive::{Drive, Medium, Protocol};

use crate::certainty::FLASH_FAILS;
use crate::counters::{Counted, Counter, EXTENDED_TEST, LOOK_AGAIN, counted, each, finding, rose, untold};
use crate::course::WEEK_S;
use crate::evidence::test;
use crate::rule::{Judgement, Rule};
use crate::subject::name;
use crate::view::View;

/// Up to so many over its life are normal: single blocks that were weak from the start.
const NORMAL_UP_TO: u64 = 10;
/// No drive has so many spare blocks: the number counts something else or in other units.
const IMPLAUSIBLE_FROM: u64 = 0x1_0000;
/// Counters of failed writes and erases, with their names in small letters.
const ROWS: [(u8, &str); 4] =
    [(171, "program_fail"), (172, "erase_fail"), (181, "program_fail"), (182, "erase_fail")];

/// The rule.
pub static RULE: Rule = Rule {
    code: "SSD-003",
    title: "Solid-state drive fails to write or erase its flash",
    component: Component::Drive,
    checks: "Blocks of a SATA solid-state drive that could not be written or erased (attributes 171, 172, 181 and 182 where their names say so): how many over its life, and whether they rise by QTS's event log.",
    why: "Each is a block lost for good and replaced from the reserve. A few are normal; a rise means that flash is failing faster than wear explains.",
    what_to_do: "Back up the data, and run the drive's extended self-test; SSD-002 says how much of the reserve is left.",
    threshold_source: "1 to 10 over a life are normal, more are watched, and any rise within 7 days is suspicious: judgement after makers' descriptions of these attributes.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    each(view, |drive| judge(view, drive))
}

fn judge(view: &View<'_>, drive: &Drive) -> Judgement {
    let subject = name(drive);
    if drive.medium.value() != Some(&Medium::Ssd)
        || matches!(drive.protocol.value(), Some(Protocol::Nvme | Protocol::Scsi))
    {
        return Judgement::not_applicable(subject);
    }
    let mut counters: Vec<Counter<'_>> = Vec::new();
    let mut unread = None;
    for (id, name) in ROWS {
        match counted(drive, id, &[name]) {
            Counted::Count(counter) => counters.push(counter),
            why @ Counted::NotRead(_) => unread = Some(why),
            Counted::OtherMeaning(_) | Counted::CountsNone => {}
        }
    }
    if counters.is_empty() {
        return untold(drive, unread.unwrap_or(Counted::CountsNone));
    }
    let moved = counters.iter().find_map(|c| rose(view.facts, drive, c, None, WEEK_S));
    let worst = counters.iter().map(|c| c.count).max().unwrap_or(0);
    let verdict = match (&moved, worst) {
        (Some(_), _) => Verdict::Suspected,
        (None, IMPLAUSIBLE_FROM..) => {
            let why = format!(
                "its count of failed writes or erases reads {worst}: no drive has so many spare blocks, so it counts something else"
            );
            return Judgement::exonerated(subject, why);
        }
        (None, 0..=NORMAL_UP_TO) => return Judgement::clear(subject),
        (None, _) => Verdict::Watch,
    };
    let mut why: Vec<Evidence> =
        counters.iter().filter(|c| c.count > 0).map(|c| c.evidence(drive, "blocks")).collect();
    let rate = moved.as_ref().map(|m| m.rise.rate());
    why.extend(moved.map(|m| m.evidence));
    let title = format!("The {subject} failed to write or erase {worst} blocks of its flash");
    let mut finding = finding(&RULE, view, drive, &FLASH_FAILS, (verdict, title), why);
    finding.rate = rate;
    if verdict == Verdict::Watch {
        finding.advice = "Nothing to do now: a count over its life. Look again in a month; a rise says more than the count.".to_owned();
        finding.test = test(
            LOOK_AGAIN,
            &["The counts rise: treat the drive as suspicious.", "They stay: single weak blocks."],
        );
    } else {
        finding.test = test(
            EXTENDED_TEST,
            &[
                "The test fails, or the counts go on rising: have the drive replaced.",
                "The test passes and they stay: single weak blocks; watch it.",
            ],
        );
    }
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, hdd, with_drives};
    use assay_bundle::Observed;
    use assay_bundle::facts::drive::AtaAttribute;
    use assay_bundle::facts::event_log::{AttributeChange, EventLog, SystemEvent};

    pub(crate) fn four() -> Four {
        let unread = Drive { ata_attributes: Observed::NotCollected, ..ssd(Vec::new()) };
        Four {
            fires: with_drives(vec![ssd(vec![attribute(171, "Program_Fail_Count", 40)])]),
            clear: with_drives(vec![ssd(vec![attribute(171, "Program_Fail_Count", 0)])]),
            cannot_tell: with_drives(vec![unread]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    fn ssd(rows: Vec<AtaAttribute>) -> Drive {
        Drive {
            medium: Observed::seen(Medium::Ssd, "x"),
            ata_attributes: Observed::seen(rows, "cmd/smartctl.sat.sda/stdout"),
            ..hdd("sda", 3)
        }
    }

    #[test]
    fn a_few_are_normal_and_a_rise_is_not() {
        let check = |row: AtaAttribute, before: Option<u64>, state: &str, says: &str| {
            let mut facts = with_drives(vec![ssd(vec![row.clone()])]);
            let event = before.map(|before| SystemEvent {
                kind: "smart-change".to_owned(),
                at_unix_s: Some(1_700_000_000),
                subject: Some("drive 3".to_owned()),
                change: Some(AttributeChange { id: row.id, before, after: row.raw }),
                ..SystemEvent::default()
            });
            let log = EventLog { events: event.into_iter().collect(), ..EventLog::default() };
            facts.event_log = Observed::seen(log, "x");
            crate::fixture::check(evaluate, &facts, &[state], says);
        };
        check(attribute(171, "Program_Fail_Count", 10), None, "clear", "");
        check(attribute(182, "Erase_Fail_Count_Total", 11), None, "found, watch", "11 blocks");
        check(attribute(171, "Program_Fail_Count", 3), Some(1), "found, suspected", "rose from 1 to 3");
        check(attribute(181, "Program_Fail_Cnt_Total", 18_809_284), None, "exonerated", "something else");
        check(attribute(181, "Non4k_Aligned_Access", 900), None, "not applicable", "");
    }
}
