//! SSD-001: solid-state drive is worn.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::drive::{Drive, Medium, Protocol};

use crate::certainty::WORN;
use crate::counters::{each, finding, named};
use crate::evidence::{test, told};
use crate::health::{Reason, is_copy, reason};
use crate::rule::{Judgement, Rule};
use crate::subject::{asleep, fact, name, why_missing};
use crate::view::View;

/// From so much of its rated writes on, in percent, a drive is watched (hardware-observer's warning).
const WATCHED_FROM: u8 = 80;
/// From here on its replacement is planned (hardware-observer's error; smartd's default is 95).
const PLANNED_FROM: u8 = 90;
/// Its rated writes are used up.
const WORN_FROM: u8 = 100;
/// The largest number of the standard counter; drives that do not keep it print it too.
const LARGEST: u8 = 255;
/// Attributes that give what is left, in percent, as their normalised value: id and name in small letters. Those that
/// say it themselves stand first; makers agree on none.
const LEFT: [(u8, &str); 7] = [
    (231, "ssd_life_left"),
    (202, "percent_lifetime_remain"),
    (202, "perc_rated_life_used"),
    (169, "remaining_lifetime_perc"),
    (233, "media_wearout_indicator"),
    (177, "wear_leveling_count"),
    (173, "wear_leveling_count"),
];

/// The rule.
pub static RULE: Rule = Rule {
    code: "SSD-001",
    title: "Solid-state drive is worn",
    component: Component::Drive,
    checks: "How much of its rated writes a solid-state drive has used: the standard counter (NVMe, ATA device statistics, SCSI), else the maker's attribute where its name says so.",
    why: "Flash wears with every write. A drive past its rated writes usually goes on for long, but its maker promises nothing any more, and drives that were bought together wear out together.",
    what_to_do: "Plan the replacement and keep backups. Wear is use, not a defect, and no warranty covers it.",
    threshold_source: "80 and 90 percent: Canonical's hardware-observer (smartd warns at 95). 100 percent: the maker's own rating (NVMe base specification, percentage used). What is defective about a worn drive DRV-001 and SSD-002 say.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    each(view, |drive| judge(view, drive))
}

/// How much is used, in percent, where that stands, and whether it is the standard's number.
type Used = (u8, Evidence, bool);

/// By the standard's counter, whatever command set.
fn by_standard(drive: &Drive) -> Option<Used> {
    let standard = |field: &str, percent: u8, from: &str| {
        (percent, told(fact(drive, field), format!("{percent} % of its rated writes used"), from), true)
    };
    if let Observed::Seen { value, from } = &drive.endurance_used_percent {
        return Some(standard("endurance_used_percent", value.0, from));
    }
    if let Observed::Seen { value, from } = &drive.nvme
        && let Some(used) = value.percentage_used
    {
        return Some(standard("nvme.percentage_used", used.0, from));
    }
    if let Observed::Seen { value, from } = &drive.ata_statistics
        && let Some(used) = value.percentage_used
    {
        return Some(standard("ata_statistics.percentage_used", used.0, from));
    }
    None
}

/// By the maker's attribute.
fn by_maker(drive: &Drive) -> Option<Used> {
    let Observed::Seen { value: table, from } = &drive.ata_attributes else { return None };
    if is_copy(from) {
        return None;
    }
    // 0 is what drives print that do not scale the attribute so.
    let rows = LEFT.iter().filter_map(|&(id, name)| table.iter().find(|a| a.id == id && named(a, &[name])));
    let (row, left) =
        rows.filter_map(|row| Some((row, row.value?))).find(|(_, left)| (1..=100).contains(left))?;
    let path = fact(drive, &format!("ata_attributes[{} {}]", row.id, row.name));
    Some((100 - left, told(path, format!("{left} of 100 left, by its maker's own scale"), from), false))
}

fn judge(view: &View<'_>, drive: &Drive) -> Judgement {
    let subject = name(drive);
    let flash = drive.medium.value() == Some(&Medium::Ssd) || drive.protocol.value() == Some(&Protocol::Nvme);
    if !flash {
        return Judgement::not_applicable(subject);
    }
    let (standard, maker) = (by_standard(drive), by_maker(drive));
    if let (Some((LARGEST, ..)), Some((percent, evidence, _))) = (&standard, &maker)
        && *percent < WATCHED_FROM
    {
        let why = format!(
            "its standard counter of wear stands at its largest number, and its maker's says {}: no such wear",
            evidence.value
        );
        return Judgement::exonerated(subject, why);
    }
    let Some((percent, evidence, standard)) = standard.or(maker) else {
        let read = [drive.ata_attributes.is_seen(), drive.nvme.is_seen(), drive.scsi.is_seen()];
        // A drive that was read and does not say it has no such count; one that answered nothing is told by DRV-001.
        if read.contains(&true) || asleep(drive) || !drive.health_passed.is_seen() {
            return Judgement::not_applicable(subject);
        }
        let why = match drive.protocol.value() {
            Some(Protocol::Nvme) => why_missing(drive, "its health log", &drive.nvme),
            _ => why_missing(drive, "the attribute table", &drive.ata_attributes),
        };
        return Judgement::cannot_tell(subject, why, false);
    };
    // DRV-001 tells the same of a drive past its rated writes, with what it lost and what is left.
    if percent < WATCHED_FROM || matches!(reason(drive), Reason::Worn(_)) {
        return Judgement::clear(subject);
    }
    let title = if percent >= WORN_FROM {
        format!("The {subject} has used up its rated writes")
    } else {
        format!("The {subject} has used {percent} % of its rated writes")
    };
    let mut finding = finding(&RULE, view, drive, &WORN, (Verdict::Watch, title), vec![evidence]);
    finding.advice = match percent {
        WORN_FROM.. => "Worn, not defective. Replace it when planned and keep backups; wear is not covered by a warranty.",
        PLANNED_FROM.. => "Order its replacement now and keep backups; drives that were bought together wear out together.",
        _ => "Plan its replacement; look again every month.",
    }
    .to_owned();
    if !standard {
        let value = "the scale is its maker's own; other drives use the same number differently";
        finding.counter_evidence.push(told(fact(drive, "ata_attributes"), value, ""));
    }
    finding.test = test(
        "Read it again in 30 days; the rise says how long it will last at this use.",
        &[
            "It rises by 1 or more a month: replace it within the year.",
            "It stays: its use is light; look again in half a year.",
        ],
    );
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, hdd, nvme, nvme_health, with_drives};
    use assay_bundle::facts::drive::AtaAttribute;
    use assay_bundle::units::Percent;

    pub(crate) fn four() -> Four {
        let unread = Drive { nvme: Observed::NotCollected, ..nvme("nvme0", nvme_health(0, 0, 0)) };
        Four {
            fires: with_drives(vec![nvme("nvme0", nvme_health(0, 91, 0))]),
            clear: with_drives(vec![nvme("nvme0", nvme_health(0, 3, 0))]),
            cannot_tell: with_drives(vec![unread]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    fn check(drive: Drive, state: &str, says: &str) {
        crate::fixture::check(evaluate, &with_drives(vec![drive]), &[state], says);
    }

    fn ssd(row: AtaAttribute) -> Drive {
        Drive {
            medium: Observed::seen(Medium::Ssd, "x"),
            ata_attributes: Observed::seen(vec![row], "cmd/smartctl.sat.sda/stdout"),
            ..hdd("sda", 3)
        }
    }

    #[test]
    fn by_the_standard() {
        check(nvme("nvme0", nvme_health(0, 79, 0)), "clear", "");
        check(nvme("nvme0", nvme_health(0, 80, 0)), "found, watch", "used 80 %");
        check(nvme("nvme0", nvme_health(0, 90, 0)), "found, watch", "Order its replacement");
        check(nvme("nvme0", nvme_health(0, 104, 0)), "clear", "");
        check(nvme("nvme0", nvme_health(0, 104, 7)), "found, watch", "Worn, not defective");
        let endurance = Observed::seen(Percent(85), "x");
        let both = Drive { endurance_used_percent: endurance, ..ssd(attribute(231, "SSD_Life_Left", 0)) };
        check(both, "found, watch", "endurance_used_percent");
        let full = |left| Drive {
            endurance_used_percent: Observed::seen(Percent(255), "x"),
            ..ssd(AtaAttribute { value: Some(left), ..attribute(233, "Media_Wearout_Indicator", 0) })
        };
        check(full(100), "exonerated", "no such wear");
        check(full(1), "found, watch", "used up");
    }

    #[test]
    fn by_the_maker() {
        let left = |id, name: &str, value| ssd(AtaAttribute { value: Some(value), ..attribute(id, name, 0) });
        check(left(231, "SSD_Life_Left", 19), "found, watch", "19 of 100 left");
        check(left(231, "SSD_Life_Left", 21), "clear", "");
        check(left(177, "Wear_Leveling_Count", 1), "found, watch", "used 99 %");
        check(left(177, "Wear_Range_Delta", 1), "not applicable", "");
        check(left(177, "Wear_Leveling_Count", 0), "not applicable", "");
        check(left(233, "SandForce_Internal", 1), "not applicable", "");
        let copy = Observed::seen(vec![attribute(177, "Wear_Leveling_Count", 0)], "tmp/smart/smart_0_3.info");
        check(Drive { ata_attributes: copy, ..left(177, "x", 1) }, "not applicable", "");
    }
}
