//! FW-001: firmware with a known notice about data.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::identity::Platform;
use assay_bundle::facts::md::MdArray;

use crate::arrays::is_system;
use crate::certainty::{FIRMWARE_NOTICE, Place};
use crate::evidence::{listed, seen, test, told};
use crate::rule::{Judgement, Rule};
use crate::view::View;

/// One published notice.
struct Notice {
    /// QNAP's number for it.
    id: &'static str,
    /// What it is about.
    what: &'static str,
    /// Builds before this day (`yyyymmdd`) have the fault.
    built_before: &'static str,
    /// Levels of arrays that it concerns.
    levels: &'static [&'static str],
    /// What to do.
    remedy: &'static str,
}

/// The notices that are known. A row needs a published source; what only a person suspects is no row.
const NOTICES: &[Notice] = &[
    // Reported by owners with QNAP's number; the text of the notice was not seen verbatim.
    Notice {
        id: "TEC-201707-01",
        what: "RAID 5 and RAID 6 arrays may be corrupted silently",
        built_before: "20170417",
        levels: &["raid5", "raid6"],
        remedy: "With a backup made, update the firmware, then let every RAID group be scrubbed, and compare important files with older backups.",
    },
];

/// The rule.
pub static RULE: Rule = Rule {
    code: "FW-001",
    title: "Firmware with a known notice about data",
    component: Component::Software,
    checks: "The build day of QTS against published notices about the integrity of data, and whether the unit has an array that such a notice concerns; with the mismatches that the last check of that array found.",
    why: "No part is defective, but data may be damaged, and a new part would not mend that.",
    what_to_do: "With a backup made, update the firmware and let every RAID group be scrubbed.",
    threshold_source: "QNAP notice TEC-201707-01: QTS built before 2017-04-17 with RAID 5 or 6 (as reported; the notice itself was not seen). Watched; suspected when the array's last check found mismatches.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    vec![judge(view.facts)]
}

fn judge(facts: &Facts) -> Judgement {
    let subject = "firmware";
    // QuTS hero began after these notices and keeps its data elsewhere.
    if facts.identity.platform.value() != Some(&Platform::Qts) {
        return Judgement::not_applicable(subject);
    }
    let built = match &facts.identity.firmware_build_date {
        Observed::Seen { value, .. } if is_day(value) => value.trim(),
        Observed::Seen { .. } => {
            return Judgement::cannot_tell(subject, "its build day is not a date", false);
        }
        Observed::Unreadable { why } => {
            return Judgement::cannot_tell(subject, format!("its build day could not be read: {why}"), false);
        }
        Observed::Absent | Observed::NotCollected => return Judgement::not_applicable(subject),
    };
    // Days of one form compare as texts do.
    let Some(notice) = NOTICES.iter().find(|notice| built < notice.built_before) else {
        return Judgement::clear(subject);
    };
    let arrays = match &facts.md_arrays {
        Observed::Seen { value, .. } => value.as_slice(),
        Observed::Absent => &[],
        other => {
            let why = other.why_not().unwrap_or_default();
            let why = format!("{} concerns this build, and its arrays were not read: {why}", notice.id);
            return Judgement::cannot_tell(subject, why, false);
        }
    };
    let concerned: Vec<&MdArray> = arrays
        .iter()
        .filter(|array| !is_system(facts, array))
        .filter(|array| array.level.value().is_some_and(|level| notice.levels.contains(&level.as_str())))
        .collect();
    if concerned.is_empty() {
        let why = format!("{} concerns this build, and no array of this unit", notice.id);
        return Judgement::exonerated(subject, why);
    }
    found(facts, notice, &concerned)
}

fn is_day(text: &str) -> bool {
    text.trim().len() == 8 && text.trim().bytes().all(|b| b.is_ascii_digit())
}

fn found(facts: &Facts, notice: &Notice, concerned: &[&MdArray]) -> Judgement {
    let names: Vec<String> = concerned.iter().map(|array| array.name.clone()).collect();
    let mismatch: Vec<_> = concerned
        .iter()
        .filter_map(|array| match &array.mismatch_sectors {
            Observed::Seen { value, from } if *value > 0 => Some(told(
                format!("md_arrays[{}].mismatch_sectors", array.name),
                format!("{value} sectors did not match at the last check"),
                from,
            )),
            _ => None,
        })
        .collect();
    let verdict = if mismatch.is_empty() { Verdict::Watch } else { Verdict::Suspected };
    let suspects = FIRMWARE_NOTICE.suspects(|_| Place {
        firmware: facts.identity.firmware.value().cloned(),
        ..Place::at("firmware of the unit")
    });
    let mut evidence = Vec::new();
    evidence.extend(seen("identity.firmware_build_date", &facts.identity.firmware_build_date));
    let from = facts.md_arrays.place().unwrap_or_default();
    evidence.push(told("md_arrays", format!("{}: {}", notice.levels.join(" or "), names.join(", ")), from));
    evidence.extend(mismatch);
    let title = format!("Firmware before {}: {}, by {}", notice.built_before, notice.what, notice.id);
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    finding.advice = notice.remedy.to_owned();
    if verdict == Verdict::Watch {
        let words = format!("nothing here shows that data of {} is damaged", listed(&names));
        finding.counter_evidence.push(told("md_arrays", words, ""));
    }
    finding.test = test(
        "With a backup made, let QTS scrub the RAID group, and run a check again.",
        &[
            "No mismatch: the data agrees with its parity; update the firmware.",
            "Mismatches: compare files with older backups, update, and scrub again.",
        ],
    );
    Judgement::found("firmware", finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, array, nas, with_arrays};
    use assay_bundle::facts::md::MdMemberState::InSync;

    fn with(built: &str, level: &str, mismatch: u64) -> Facts {
        let mut data = array("md1", level, 3, &[("sda3", InSync), ("sdb3", InSync), ("sdc3", InSync)]);
        data.mismatch_sectors = Observed::seen(mismatch, "sys/block/md1/md/mismatch_cnt");
        let mut facts = with_arrays(vec![data]);
        facts.identity.firmware_build_date = Observed::seen(built.to_owned(), "x");
        facts
    }

    pub(crate) fn four() -> Four {
        let mut unread = nas();
        unread.identity.firmware_build_date = Observed::unreadable("x");
        Four {
            fires: with("20170301", "raid5", 0),
            clear: with("20170417", "raid5", 0),
            cannot_tell: unread,
            not_applicable: Some(Facts::default()),
        }
    }

    fn check(facts: &Facts, state: &str, says: &str) {
        crate::fixture::check(evaluate, facts, &[state], says);
    }

    #[test]
    fn builds_and_arrays() {
        check(&with("20170301", "raid5", 0), "found, watch", "TEC-201707-01");
        check(&with("20170416", "raid6", 8), "found, suspected", "8 sectors did not match");
        check(&with("20170301", "raid1", 8), "exonerated", "no array of this unit");
        check(&with("20170417", "raid5", 8), "clear", "");
        check(&with("20250321", "raid5", 0), "clear", "");
        check(&with("2017", "raid5", 0), "cannot tell", "not a date");
        let mut hero = with("20170301", "raid5", 0);
        hero.identity.platform = Observed::seen(Platform::QutsHero, "x");
        check(&hero, "not applicable", "");
        let unread = Facts { md_arrays: Observed::unreadable("denied"), ..with("20170301", "raid5", 0) };
        check(&unread, "cannot tell", "denied");
    }
}
