//! SSD-002: solid-state drive runs out of spare blocks.
//!
//! Of an NVMe drive DRV-001 judges the spare capacity, by the drive's own threshold.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Verdict};
use assay_bundle::facts::drive::{AtaAttribute, Drive, Medium, Protocol};

use crate::certainty::SPARE_LOW;
use crate::counters::{Counted, EXTENDED_TEST, counted, each, finding, named, predicts, untold};
use crate::evidence::{test, told};
use crate::health::{fails_now, is_copy};
use crate::rule::{Judgement, Rule};
use crate::subject::{fact, name};
use crate::view::View;

/// Below so many percent of its reserve a drive is about to run out.
const LOW_BELOW: u8 = 10;
/// Attributes whose normalised value is what is left of the reserve, and whether it is so in percent by its name.
const RESERVE: [(u8, &str, bool); 8] = [
    (232, "available_reserv", true),
    (232, "perc_avail_resrvd_space", true),
    (170, "available_reserv", true),
    (170, "reserved_block_pct", true),
    (180, "unused_rsvd_blk", false),
    (180, "unused_reserve_nand_blk", false),
    (170, "unused_rsvd_blk", false),
    (179, "used_rsvd_blk", false),
];
/// Names of attribute 5 where it counts blocks that were replaced.
const REPLACED: [&str; 3] = ["reallocated_sector", "retired_block", "reallocate_nand_blk"];

/// The rule.
pub static RULE: Rule = Rule {
    code: "SSD-002",
    title: "Solid-state drive runs out of spare blocks",
    component: Component::Drive,
    checks: "What is left of the reserve from which a SATA solid-state drive replaces worn or bad blocks: its attributes where their names say so, their thresholds, and the blocks replaced so far.",
    why: "When the reserve is gone the drive turns read-only or fails at the next bad block, without another warning.",
    what_to_do: "Back up the data now, then have the drive replaced by its own maker; where its rated writes are used up it is worn instead.",
    threshold_source: "The makers' own thresholds inside the drive; less than 10 percent left is what NVMe drives and Intel's data sheets take as the threshold.",
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
    let (table, from) = match (&drive.ata_attributes, counted(drive, 5, &REPLACED)) {
        (Observed::Seen { value, from }, _) => (value, from),
        (_, why) => return untold(drive, why),
    };
    let find = |id: u8, name: &str| table.iter().find(|a| a.id == id && named(a, &[name]));
    let mut rows: Vec<(&AtaAttribute, bool)> =
        RESERVE.iter().filter_map(|&(id, name, percent)| Some((find(id, name)?, percent))).collect();
    rows.extend(REPLACED.iter().find_map(|name| find(5, name)).map(|row| (row, false)));
    if rows.is_empty() || is_copy(from) {
        return Judgement::not_applicable(subject);
    }
    let spare = drive.spare_available_percent.value().map(|left| left.0);
    // A value of 0 without a threshold is what drives print that do not scale the row at all.
    let left = |row: &AtaAttribute| row.value.filter(|value| (1..=100).contains(value));
    let low = |row: &AtaAttribute| left(row).is_some_and(|left| left < LOW_BELOW);
    let worst = rows.iter().find(|(row, _)| fails_now(row)).or_else(|| {
        let by_percent = rows.iter().find(|(row, percent)| *percent && low(row));
        // Where the drive gives a percentage, the scales of other rows do not matter; without a threshold they mean
        // nothing (a 1 beside thousands of spare blocks was seen).
        let told = spare.is_some() || rows.iter().any(|(row, percent)| *percent && left(row).is_some());
        let scaled = |row: &AtaAttribute| !told && low(row) && row.threshold.is_some_and(|t| t > 0);
        by_percent.or_else(|| rows.iter().find(|(row, _)| scaled(row)))
    });
    let Some((row, percent)) = worst else {
        let replaced = match counted(drive, 5, &REPLACED) {
            Counted::Count(counter) => counter.count,
            _ => 0,
        };
        let reserve = spare.or(rows.iter().filter(|(_, percent)| *percent).find_map(|(row, _)| left(row)));
        return match reserve.filter(|_| replaced > 0) {
            Some(left) => Judgement::exonerated(
                subject,
                format!("it replaced {replaced} blocks and has {left} % of its reserve left: flash wears"),
            ),
            None => Judgement::clear(subject),
        };
    };
    // DRV-001 has this very row as the drive's own prediction.
    if predicts(row, from) {
        return Judgement::not_applicable(subject);
    }
    let verdict = if fails_now(row) || *percent { Verdict::Confirmed } else { Verdict::Suspected };
    let path = fact(drive, &format!("ata_attributes[{} {}]", row.id, row.name));
    let number = |n: Option<u8>| n.map_or("?".to_owned(), |n| n.to_string());
    let words =
        format!("{} left, threshold {}, raw {}", number(row.value), number(row.threshold), row.raw_text);
    let why = vec![told(path, words, from)];
    let title = format!("The {subject} runs out of spare blocks");
    let mut finding = finding(&RULE, view, drive, &SPARE_LOW, (verdict, title), why);
    if verdict == Verdict::Suspected {
        let value = "the scale of this row is its maker's own, so how much is left is not certain";
        finding.counter_evidence.push(told(fact(drive, "ata_attributes"), value, ""));
        finding.test = test(
            EXTENDED_TEST,
            &[
                "The test fails, or the value falls: have the drive replaced.",
                "The test passes and the value stays: plan its replacement.",
            ],
        );
    }
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, failing, hdd, with_drives};
    use assay_bundle::facts::drive::WhenFailed;

    pub(crate) fn four() -> Four {
        let unread = Drive { ata_attributes: Observed::NotCollected, ..ssd(Vec::new()) };
        Four {
            fires: with_drives(vec![ssd(vec![left(232, "Available_Reservd_Space", 6)])]),
            clear: with_drives(vec![ssd(vec![left(232, "Available_Reservd_Space", 100)])]),
            cannot_tell: with_drives(vec![unread]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    fn left(id: u8, name: &str, value: u8) -> AtaAttribute {
        AtaAttribute { value: Some(value), ..attribute(id, name, 0) }
    }

    fn ssd(rows: Vec<AtaAttribute>) -> Drive {
        Drive {
            medium: Observed::seen(Medium::Ssd, "x"),
            ata_attributes: Observed::seen(rows, "cmd/smartctl.sat.sda/stdout"),
            ..hdd("sda", 3)
        }
    }

    #[test]
    fn what_is_left_decides() {
        let check = |rows, state: &str, says: &str| {
            crate::fixture::check(evaluate, &with_drives(vec![ssd(rows)]), &[state], says);
        };
        check(vec![left(232, "Available_Reservd_Space", 10)], "clear", "");
        check(vec![left(232, "Perc_Avail_Resrvd_Space", 9)], "found, confirmed", "9 left");
        let scaled =
            |value| AtaAttribute { threshold: Some(5), ..left(180, "Unused_Rsvd_Blk_Cnt_Tot", value) };
        check(vec![scaled(9)], "found, suspected", "its maker's own");
        check(vec![scaled(9), left(170, "Reserved_Block_Pct", 100)], "clear", "");
        check(vec![left(180, "Unused_Rsvd_Blk_Cnt_Tot", 1)], "clear", "");
        check(vec![left(180, "Unused_Reserve_NAND_Blk", 0)], "clear", "");
        check(vec![left(170, "Grown_Failing_Block_Ct", 3)], "not applicable", "");
        check(vec![failing(232, "Available_Reservd_Space", false, WhenFailed::Now)], "found, confirmed", "");
        check(vec![failing(232, "Available_Reservd_Space", true, WhenFailed::Now)], "not applicable", "");
        check(vec![attribute(5, "Reallocated_Sector_Ct", 12)], "clear", "");
        let replaced =
            vec![attribute(5, "Reallocated_Sector_Ct", 12), left(232, "Available_Reservd_Space", 98)];
        check(replaced, "exonerated", "replaced 12 blocks and has 98 %");
    }
}
