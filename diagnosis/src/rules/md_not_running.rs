//! MD-004: data array does not run, or lacks more members than it can.

use assay_bundle::diagnosis::{Component, Evidence, Finding, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::md::{MdArray, MdMemberState};

use crate::arrays::{does_not_run, is_system, lacks_too_many, members_in, names};
use crate::certainty::{ARRAY_NOT_RUNNING, Place};
use crate::departed::{Departed, departed};
use crate::evidence::{seen, test, told};
use crate::rule::{Judgement, Rule, over};
use crate::subject::log_witness;
use crate::view::View;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MD-004",
    title: "Data array does not run",
    component: Component::StorageState,
    checks: "Each md array that holds data: whether the kernel runs it, and whether it still has as many members as its level needs.",
    why: "Nothing can be read from an array that does not run; a wrong step now can make that final.",
    what_to_do: "Do not create, format or force anything: that destroys what can still be read. Ask support first.",
    threshold_source: "States inactive and broken, and more members lost than the level can lose (kernel documentation, md.rst).",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    over(&facts.md_arrays, "data arrays", true, |arrays| {
        let mut sorted: Vec<&MdArray> = arrays.iter().collect();
        sorted.sort_by_key(|a| (a.name.len(), a.name.clone()));
        sorted.into_iter().map(|array| judge(facts, array)).collect()
    })
}

fn judge(facts: &Facts, array: &MdArray) -> Judgement {
    let subject = array.name.clone();
    if is_system(facts, array) {
        return Judgement::not_applicable(subject);
    }
    let Some(state) = array.state.value().map(String::as_str) else {
        // That its members were not read either is MD-001's; a state alone adds nothing where they were.
        let why = format!("its state was not read: {}", array.state.why_not().unwrap_or_default());
        return Judgement::cannot_tell(subject, why, false);
    };
    if matches!(state, "inactive" | "broken" | "clear") {
        if !does_not_run(array) {
            let why = "not assembled: a container, or left over from another machine";
            return Judgement::cannot_tell(subject, why, false);
        }
        return Judgement::found(subject, found(facts, array, format!("Array {} does not run", array.name)));
    }
    match lacks_too_many(array) {
        Some((lost, most)) => {
            let title = format!(
                "Array {} lacks {lost} members and can lack {most}: its data is not whole",
                array.name
            );
            Judgement::found(subject, found(facts, array, title))
        }
        None => Judgement::clear(subject),
    }
}

fn found(facts: &Facts, array: &MdArray, title: String) -> Finding {
    let path = |field: &str| format!("md_arrays[{}].{field}", array.name);
    let mut evidence: Vec<Evidence> = [
        seen(path("level"), &array.level),
        seen(path("state"), &array.state),
        seen(path("raid_disks"), &array.raid_disks)
            .map(|e| Evidence { value: format!("{} slots", e.value), ..e }),
    ]
    .into_iter()
    .flatten()
    .collect();
    let working = names(&members_in(array, MdMemberState::InSync));
    let from = array.members.place().unwrap_or_default();
    evidence.push(told(path("members"), format!("working: {working}"), from));
    evidence.extend(log_witness(facts, &["md-array-offline"], |subject| {
        subject.is_none_or(|subject| subject == array.name)
    }));
    let departed = departed(facts);
    evidence.extend(departed.iter().map(Departed::evidence));
    let place = |share: &crate::certainty::Share| match (share.component, departed.as_slice()) {
        (Component::Drive, [one]) => one.place(),
        _ => Place::at(format!("members of {}", array.name)),
    };
    let mut finding = RULE.finding(Verdict::Suspected, title, ARRAY_NOT_RUNNING.suspects(place), evidence);
    finding.test = test(
        "Compare the drives that the machine lists with its bays, and read the kernel log of the start; nothing is moved.",
        &[
            "Several drives are missing: power supply, backplane or controller before the drives.",
            "One drive is missing: it died or lost its link.",
            "Every drive is there: the members disagree after an unclean stop, or belong to another machine.",
        ],
    );
    finding
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::departed::tests::remembering;
    use crate::fixture::{Four, array, nas, with_arrays};
    use MdMemberState::{Faulty, InSync, Spare};
    use assay_bundle::Observed;

    fn raid5(state: &str, working: usize) -> MdArray {
        let members = ["sda3", "sdb3", "sdc3"].into_iter().enumerate();
        let members: Vec<_> =
            members.map(|(at, name)| (name, if at < working { InSync } else { Faulty })).collect();
        let from = "proc/mdstat";
        MdArray { state: Observed::seen(state.to_owned(), from), ..array("md1", "raid5", 3, &members) }
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: with_arrays(vec![raid5("inactive", 1)]),
            clear: with_arrays(vec![raid5("clean", 3)]),
            cannot_tell: Facts { md_arrays: Observed::unreadable("x"), ..nas() },
            not_applicable: Some(Facts { md_arrays: Observed::Absent, ..nas() }),
        }
    }

    fn check(array: MdArray, state: &str, says: &str) {
        crate::fixture::check(evaluate, &with_arrays(vec![array]), &[state], says);
    }

    #[test]
    fn an_array_that_does_not_run() {
        check(raid5("inactive", 3), "found, suspected", "md1 does not run");
        check(raid5("broken", 3), "found, suspected", "md1 does not run");
        check(raid5("clean", 3), "clear", "");
        check(raid5("clean", 2), "clear", "");
        check(raid5("clean", 1), "found, suspected", "lacks 2 members and can lack 1");
        let named = remembering(with_arrays(vec![raid5("inactive", 1)]), &[("Z9", 4, "sdd")]);
        crate::fixture::check(evaluate, &named, &["found, suspected"], "Z9 of bay 4");
        let mut left_over = array("md127", "", 0, &[("sdd1", Spare)]);
        left_over.state = Observed::seen("inactive".to_owned(), "proc/mdstat");
        left_over.level = Observed::Absent;
        check(left_over, "cannot tell", "not assembled");
        let stripe = array("md3", "raid0", 2, &[("sda3", InSync), ("sdb3", InSync)]);
        check(MdArray { raid_disks: Observed::Absent, missing: Observed::Absent, ..stripe }, "clear", "");
        check(MdArray { state: Observed::NotCollected, ..raid5("", 3) }, "cannot tell", "state was not read");
        check(array("md9", "raid1", 24, &[("sda1", InSync)]), "not applicable", "");
    }
}
