//! MD-002: copies or parity of an array did not match at its last check.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::md::MdArray;

use crate::arrays::{is_system, without_redundancy};
use crate::certainty::{ARRAY_MISMATCH, Place};
use crate::evidence::{listed, seen, test, told};
use crate::rule::{Judgement, Rule, over};
use crate::view::View;

/// From so many sectors a mirror is worth a look; fewer are what memory-mapped writes and swap leave (netdata's alarm
/// for `mismatch_cnt`, 1,024).
const MIRROR_FROM: u64 = 1_024;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MD-002",
    title: "Copies or parity of an array did not match",
    component: Component::StorageState,
    checks: "The number of sectors that did not match at each array's last check. Mirrors differ a little by design where swap or memory-mapped files change while they are written.",
    why: "Parity that does not match the data means that one of them was written wrong: the next rebuild may bring back wrong data.",
    what_to_do: "Back up the data, test the memory, and check the array again; do not run a repair before the cause is known, because it makes the data as it is final.",
    threshold_source: "Parity arrays from 1 sector after a check, mirrors above 1,024 (netdata's alarm for mismatch_cnt; md(4): mirrors with swap differ without a fault).",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    over(&facts.md_arrays, "data arrays", false, |arrays| {
        let mut sorted: Vec<&MdArray> = arrays.iter().collect();
        sorted.sort_by_key(|a| (a.name.len(), a.name.clone()));
        let unread = |a: &&MdArray| {
            let reading = &a.mismatch_sectors;
            let asked = !is_system(facts, a) && !without_redundancy(a);
            asked && matches!(reading, Observed::NotCollected | Observed::Unreadable { .. })
        };
        let mut judged: Vec<Judgement> =
            sorted.iter().filter(|a| !unread(a)).map(|array| judge(facts, array)).collect();
        let names: Vec<String> = sorted.iter().filter(|a| unread(a)).map(|a| a.name.clone()).collect();
        if !names.is_empty() {
            let why = "how many sectors did not match was not read";
            judged.push(Judgement::cannot_tell(listed(&names), why, false));
        }
        judged
    })
}

fn judge(facts: &Facts, array: &MdArray) -> Judgement {
    let subject = array.name.clone();
    if without_redundancy(array) {
        return Judgement::not_applicable(subject);
    }
    let (sectors, from) = match &array.mismatch_sectors {
        Observed::Seen { value, from } => (*value, from),
        // Of data arrays this was told for all of them at once; system arrays differ by design.
        _ => return Judgement::not_applicable(subject),
    };
    if sectors == 0 {
        return Judgement::clear(subject);
    }
    let mirror = matches!(array.level.value().map(String::as_str), Some("raid1" | "raid10"));
    if is_system(facts, array) {
        let why = format!(
            "{sectors} sectors of this mirror of the system differ: swap and open files do that by design"
        );
        return Judgement::exonerated(subject, why);
    }
    if mirror && sectors <= MIRROR_FROM {
        let why = format!(
            "{sectors} sectors of the mirror differ: files that change while they are written do that by design"
        );
        return Judgement::exonerated(subject, why);
    }
    let action = array.last_sync_action.value().map(String::as_str);
    let running = array.sync_action.value().map(String::as_str) == Some("check");
    // A resync after an unclean stop counts what it rewrites; only a check compares.
    if !running && action.is_some_and(|action| action != "check") {
        let why = format!(
            "its {sectors} sectors were counted by a {} that rewrote them, not by a check",
            action.unwrap_or_default()
        );
        return Judgement::exonerated(subject, why);
    }
    let verdict = if mirror || action.is_none() && !running { Verdict::Watch } else { Verdict::Suspected };
    let place = |share: &crate::certainty::Share| match share.component {
        Component::Drive => Place::at(format!("a member of {}", array.name)),
        _ => Place::at("the unit"),
    };
    let path = |field: &str| format!("md_arrays[{}].{field}", array.name);
    let mut evidence = vec![told(path("mismatch_sectors"), format!("{sectors} sectors"), from)];
    evidence.extend(seen(path("level"), &array.level));
    evidence.extend(seen(path("last_sync_action"), &array.last_sync_action));
    let title = format!("{sectors} sectors of array {} did not match at its last check", array.name);
    let mut finding = RULE.finding(verdict, title, ARRAY_MISMATCH.suspects(place), evidence);
    finding.test = test(
        "Run a memory test, then check the array again (a check, not a repair) and compare the counts; nothing is moved.",
        &[
            "The memory test finds errors: memory.",
            "The count grew: memory, controller or a drive that delivers wrong data.",
            "The count is the same or smaller: old damage, as after an unclean stop.",
        ],
    );
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, array, nas, with_arrays};
    use assay_bundle::facts::md::MdMemberState::InSync;

    fn with(name: &str, level: &str, sectors: u64, last: &str) -> MdArray {
        let seen = |text: &str| Observed::seen(text.to_owned(), "x");
        MdArray {
            mismatch_sectors: Observed::seen(sectors, "sys/block/md1/md/mismatch_cnt"),
            last_sync_action: if last.is_empty() { Observed::Absent } else { seen(last) },
            ..array(name, level, 2, &[("sda3", InSync), ("sdb3", InSync)])
        }
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: with_arrays(vec![with("md1", "raid5", 8, "check")]),
            clear: with_arrays(vec![with("md1", "raid5", 0, "check")]),
            cannot_tell: Facts { md_arrays: Observed::unreadable("x"), ..nas() },
            not_applicable: Some(Facts { md_arrays: Observed::Absent, ..nas() }),
        }
    }

    #[test]
    fn parity_counts_and_mirrors_differ() {
        for (array, state, says) in [
            (with("md1", "raid5", 0, "check"), "clear", ""),
            (with("md1", "raid5", 1, "check"), "found, suspected", "component: Memory"),
            (with("md1", "raid6", 1, ""), "found, watch", "1 sectors"),
            (with("md1", "raid6", 1, "resync"), "exonerated", "by a resync"),
            (with("md1", "raid1", 1_024, "check"), "exonerated", "by design"),
            (with("md1", "raid10", 1_025, "check"), "found, watch", "1025"),
            (with("md322", "raid1", 90_000, "check"), "exonerated", "of the system"),
            (with("md1", "raid0", 9, "check"), "not applicable", ""),
        ] {
            crate::fixture::check(evaluate, &with_arrays(vec![array]), &[state], says);
        }
        let unread = MdArray { mismatch_sectors: Observed::NotCollected, ..with("md1", "raid5", 0, "") };
        crate::fixture::check(evaluate, &with_arrays(vec![unread]), &["cannot tell"], "was not read");
    }
}
