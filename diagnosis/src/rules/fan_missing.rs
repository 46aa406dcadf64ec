//! FAN-003: fan is not listed any more.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, SuspectKind, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::inventory::{Inventory, PartKind, RememberedPart};

use crate::certainty::{FAN_GONE, Place};
use crate::earlier::{OVER_TIME, why_not};
use crate::evidence::{seen, test, told};
use crate::rule::{Judgement, Rule};
use crate::view::View;

/// Where the memory of parts stands below `raw/`.
const MEMORY: &str = "state/inventory.json";

/// The rule.
pub static RULE: Rule = Rule {
    code: "FAN-003",
    title: "Fan is not listed any more",
    component: Component::Fan,
    checks: "The fans that earlier runs saw turn in this unit: whether each of them is still listed.",
    why: "A fan that is unplugged, or whose sensor wire broke, disappears from every list, and nothing else says that it no longer cools.",
    what_to_do: "Open the unit with its power off and see that the fan is there, that its plug sits on the header and that it turns.",
    threshold_source: "This unit's own memory of its parts. A fan that only the model's plan names is not judged here: nothing says that it was ever there. When every fan is gone at once, what reads them has changed.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let memory = match &facts.inventory {
        Observed::Seen { value, .. } => value,
        Observed::Unreadable { .. } => {
            return vec![Judgement::cannot_tell(OVER_TIME, why_not(&facts.inventory), false)];
        }
        Observed::Absent | Observed::NotCollected => {
            return vec![Judgement::not_applicable("fans of earlier runs")];
        }
    };
    let fans: Vec<&RememberedPart> =
        memory.remembered_parts.iter().filter(|part| part.kind == PartKind::Fan).collect();
    // Drives take the memory along into another chassis, whose fans are others.
    if fans.is_empty() || memory.same_unit.value() == Some(&false) {
        return vec![Judgement::not_applicable("fans of earlier runs")];
    }
    fans.iter().map(|fan| judge(facts, memory, &fans, fan)).collect()
}

/// What reads a fan: `it87` of `it87/fan2`, `system fan` of `system fan 2`.
fn reader(name: &str) -> &str {
    match name.split_once('/') {
        Some((chip, _)) => chip,
        None => name.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' '),
    }
}

fn judge(facts: &Facts, memory: &Inventory, all: &[&RememberedPart], fan: &RememberedPart) -> Judgement {
    let subject = fan.name.clone();
    match &fan.present {
        Observed::Seen { value: true, .. } => return Judgement::clear(subject),
        Observed::Seen { value: false, .. } => {}
        // A list of fans that could not be read is told by the rule about fans that stand still.
        _ => return Judgement::not_applicable(subject),
    }
    if memory.same_unit.value().is_none() {
        let why = "is not listed now; whether the memory is of this unit is not known";
        return Judgement::cannot_tell(subject, why, false);
    }
    let still_read = all.iter().any(|other| {
        other.name != fan.name
            && other.present.value() == Some(&true)
            && reader(&other.name) == reader(&fan.name)
    });
    if !still_read {
        let why = "is not listed now, nor is any other fan that was read in the same way: what reads them may have changed";
        return Judgement::cannot_tell(subject, why, false);
    }
    let suspects = FAN_GONE.suspects(|share| match share.kind {
        SuspectKind::Part => Place::at(subject.clone()),
        SuspectKind::Software => Place::at("what lists the fans"),
        _ => Place::at(format!("header of {subject}")),
    });
    let since = fan.first_seen.unix_s.map(crate::text::date);
    let since = since.map(|day| format!(", first seen {day}")).unwrap_or_default();
    let mut evidence =
        vec![told(format!("inventory.fans[{subject}]"), format!("earlier runs saw it{since}"), MEMORY)];
    let from = facts.fans.place().unwrap_or_default();
    evidence.push(told("fans", format!("{subject} is not listed now"), from));
    let listed = facts.fans.value().into_iter().flatten();
    evidence.extend(listed.filter_map(|f| seen(format!("fans[{}].speed_rpm", f.name), &f.speed_rpm)));
    let title = format!("The fan {subject}, which was in this unit, is not listed now");
    let mut finding = RULE.finding(Verdict::Suspected, title, suspects, evidence);
    let doubt = "a fan that was taken out on purpose looks the same";
    finding.counter_evidence.push(told("inventory", doubt, ""));
    finding.test = test(
        "Look through the grille, without opening the unit, whether the fan is there and turns.",
        &[
            "It is there and stands still: its plug or the fan itself.",
            "It turns: its sensor wire, or what lists the fans; note the version of the firmware.",
            "It was taken out on purpose: nothing is wrong.",
        ],
    );
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, fan, nas, with_fans};
    use assay_bundle::facts::inventory::Moment;

    fn remembered(same_unit: Observed<bool>, fans: &[(&str, Observed<bool>)]) -> Facts {
        let part = |(name, present): &(&str, Observed<bool>)| RememberedPart {
            kind: PartKind::Fan,
            name: (*name).to_owned(),
            first_seen: Moment { unix_s: Some(1_600_000_000), boot_id: None },
            present: present.clone(),
        };
        let memory = Inventory {
            same_unit,
            remembered_parts: fans.iter().map(part).collect(),
            ..Inventory::default()
        };
        let facts = with_fans(vec![fan("system fan 1", 900)]);
        Facts { inventory: Observed::seen(memory, MEMORY), ..facts }
    }

    fn is(yes: bool) -> Observed<bool> {
        Observed::seen(yes, "x")
    }

    pub(crate) fn four() -> Four {
        let two = |second| remembered(is(true), &[("system fan 1", is(true)), ("system fan 2", is(second))]);
        Four {
            fires: two(false),
            clear: two(true),
            cannot_tell: Facts { inventory: Observed::unreadable("x"), ..nas() },
            not_applicable: Some(nas()),
        }
    }

    fn check(same_unit: Observed<bool>, fans: &[(&str, Observed<bool>)], states: &[&str], says: &str) {
        crate::fixture::check(evaluate, &remembered(same_unit, fans), states, says);
    }

    #[test]
    fn a_fan_that_vanished() {
        let first = ("system fan 1", is(true));
        let two = |second| [first.clone(), ("system fan 2", second)];
        check(is(true), &two(is(false)), &["clear", "found, suspected"], "first seen 2020-09-13");
        check(is(true), &two(Observed::unreadable("x")), &["clear", "not applicable"], "");
        check(is(false), &two(is(false)), &["not applicable"], "");
        check(Observed::NotCollected, &two(is(false)), &["clear", "cannot tell"], "of this unit");
    }

    #[test]
    fn fans_of_another_reader_did_not_vanish() {
        check(is(true), &[("system fan 1", is(false))], &["cannot tell"], "may have changed");
        let chip = [("system fan 1", is(true)), ("it87/fan1", is(false)), ("it87/fan2", is(false))];
        check(is(true), &chip, &["clear", "cannot tell", "cannot tell"], "in the same way");
        check(
            is(true),
            &[("it87/fan1", is(true)), ("it87/fan3", is(false))],
            &["clear", "found, suspected"],
            "",
        );
    }
}
