//! DRV-009: hard disk loses its helium.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Verdict};
use assay_bundle::facts::drive::{AtaAttribute, Drive, Medium};

use crate::certainty::HELIUM;
use crate::counters::{each, finding, named, predicts};
use crate::evidence::{test, told};
use crate::health::{fails_now, is_copy};
use crate::rule::{Judgement, Rule};
use crate::subject::{asleep, fact, name, why_missing};
use crate::view::View;

/// A sealed disk leaves the factory at 100 and stays there.
const FULL: u64 = 100;
/// At or below it the disk is failing (Western Digital and HGST set their threshold to 25).
const EMPTY: u64 = 25;

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-009",
    title: "Hard disk loses its helium",
    component: Component::Drive,
    checks: "The helium level of sealed hard disks: attribute 22 where its name says so, against the full level and the maker's threshold.",
    why: "The heads of these disks fly on helium. It cannot be refilled, and without it the heads touch the surface: all data is lost at once.",
    what_to_do: "Back up the data now, then have the disk replaced by its own maker.",
    threshold_source: "100 is full, and the makers' threshold is 25 (Western Digital and HGST, attribute 22). Anything between has leaked; what the drive itself predicts DRV-001 says.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    each(view, |drive| judge(view, drive))
}

/// The level, 0 to 100: the normalised value, which the maker scales so; else the raw one.
fn level(row: &AtaAttribute) -> Option<u64> {
    let raw = row.decoded.filter(|raw| *raw <= FULL);
    row.value.map(u64::from).filter(|value| *value <= FULL).or(raw)
}

fn judge(view: &View<'_>, drive: &Drive) -> Judgement {
    let subject = name(drive);
    let (table, from) = match &drive.ata_attributes {
        Observed::Seen { value, from } => (value, from),
        Observed::Absent => return Judgement::not_applicable(subject),
        _ if asleep(drive) || drive.medium.value() == Some(&Medium::Ssd) => {
            return Judgement::not_applicable(subject);
        }
        unread => {
            return Judgement::cannot_tell(subject, why_missing(drive, "the attribute table", unread), false);
        }
    };
    let row = table.iter().find(|a| a.id == 22 && named(a, &["helium_level"]));
    let Some((row, level)) = row.and_then(|row| Some((row, level(row)?))) else {
        return Judgement::not_applicable(subject);
    };
    if predicts(row, from) {
        return Judgement::not_applicable(subject);
    }
    let at_limit = fails_now(row) || level <= EMPTY;
    if level >= FULL && !at_limit {
        return Judgement::clear(subject);
    }
    let verdict = if at_limit && !is_copy(from) { Verdict::Confirmed } else { Verdict::Suspected };
    let path = fact(drive, &format!("ata_attributes[22 {}]", row.name));
    let why = vec![told(path, format!("level {level} of {FULL}, the maker's threshold is {EMPTY}"), from)];
    let title = format!("The {subject} has lost helium: level {level} of {FULL}");
    let mut finding = finding(&RULE, view, drive, &HELIUM, (verdict, title), why);
    if verdict == Verdict::Suspected {
        finding.advice =
            "Back up the data, and plan the replacement of the disk: helium cannot be refilled.".to_owned();
        finding.test = test(
            "Read the level again after a week, with the disk as warm as today; it stays in its bay.",
            &[
                "The level falls further: the disk leaks; have it replaced before it reaches 25.",
                "The level stays or comes back: cold or an uncertain reading; watch it.",
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
        Four {
            fires: with_drives(vec![with(at(90))]),
            clear: with_drives(vec![with(at(100))]),
            cannot_tell: with_drives(vec![Drive { ata_attributes: Observed::NotCollected, ..hdd("sda", 1) }]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    fn at(level: u8) -> AtaAttribute {
        AtaAttribute { value: Some(level), ..attribute(22, "Helium_Level", u64::from(level)) }
    }

    fn with(row: AtaAttribute) -> Drive {
        Drive { ata_attributes: Observed::seen(vec![row], "cmd/smartctl.sat.sda/stdout"), ..hdd("sda", 3) }
    }

    #[test]
    fn the_level_decides() {
        let check = |row, state: &str, says: &str| {
            crate::fixture::check(evaluate, &with_drives(vec![with(row)]), &[state], says);
        };
        check(at(100), "clear", "");
        check(at(98), "found, suspected", "level 98 of 100");
        check(at(25), "found, confirmed", "");
        check(failing(22, "Helium_Level", true, WhenFailed::Now), "not applicable", "");
        check(failing(22, "Helium_Level", false, WhenFailed::Now), "found, confirmed", "");
        check(AtaAttribute { value: None, ..at(60) }, "found, suspected", "level 60");
        check(AtaAttribute { name: "Lamp_Level".to_owned(), ..at(60) }, "not applicable", "");
        let copy = |level| Drive {
            ata_attributes: Observed::seen(vec![at(level)], "tmp/smart/smart_0_3.info"),
            ..hdd("sda", 3)
        };
        crate::fixture::check(evaluate, &with_drives(vec![copy(20)]), &["found, suspected"], "");
    }
}
