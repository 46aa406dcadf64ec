//! MEM-004: memory that was there is gone.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Finding, Verdict};
use assay_bundle::facts::inventory::PartKind;
use assay_bundle::facts::persisted_log::Boot;

use crate::certainty::{MEMORY_GONE, Place};
use crate::evidence::{test, told};
use crate::rule::{Judgement, Rule};
use crate::view::View;

/// A smaller loss between two starts is the firmware's or the graphics unit's (judgement: the smallest module that was
/// ever sold for such a machine has 1 GiB, and the kernel counts some of it off).
const LOST_FROM_KIB: u64 = 768 * 1024;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MEM-004",
    title: "Memory that was there is gone",
    component: Component::Memory,
    checks: "Memory modules that earlier runs saw, and how much memory the kernel found at each start of one firmware.",
    why: "A module that fails at power-on is left out without a word: the machine goes on with less.",
    what_to_do: "If nobody took it out, power off, seat the module anew, and replace it when it stays away.",
    threshold_source: "A module that earlier runs of this unit saw and this one does not, or 768 MiB less than at an earlier start of the same firmware (judgement: the smallest module has 1 GiB).",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let mut judgements = Vec::new();
    let memory = facts.inventory.value().filter(|m| m.same_unit.value() != Some(&false));
    let parts = memory.into_iter().flat_map(|m| &m.remembered_parts).filter(|p| p.kind == PartKind::Dimm);
    let from = facts.inventory.place().unwrap_or_default();
    for part in parts.clone().filter(|p| p.present.value() == Some(&false)) {
        let evidence =
            vec![told("inventory.remembered_parts", format!("{} was there before", part.name), from)];
        let title = format!("The memory module {} is gone", part.name);
        judgements.push(Judgement::found(part.name.clone(), gone(&part.name, title, evidence)));
    }
    if !judgements.is_empty() {
        return judgements;
    }
    let boots = facts.persisted_log.value().map(|log| log.boots.as_slice()).unwrap_or_default();
    if let Some((before, now)) = shrunk(boots) {
        let (was, is) = (mib(before), mib(now));
        let title =
            format!("The kernel found {is} MiB of memory at the last start, and {was} MiB at an earlier one");
        let told_boot = |boot: &Boot| {
            let at = boot.first_at.as_deref().unwrap_or("an unknown time");
            told("persisted_log.boots", format!("{} MiB at {at}", mib(boot)), &boot.from)
        };
        let evidence = vec![told_boot(before), told_boot(now)];
        return vec![Judgement::found("memory", gone("one of the modules", title, evidence))];
    }
    let known =
        parts.clone().any(|p| p.present.is_seen()) || boots.iter().any(|b| b.memory_total_kib.is_some());
    vec![match &facts.persisted_log {
        _ if known => Judgement::clear("memory"),
        Observed::Unreadable { why } => {
            let why = format!("the kernel logs of earlier starts could not be read: {why}");
            Judgement::cannot_tell("memory", why, false)
        }
        // That the memory of earlier runs could not be read is told with the drives.
        _ => Judgement::not_applicable("memory"),
    }]
}

fn mib(boot: &Boot) -> u64 {
    boot.memory_total_kib.unwrap_or_default() / 1024
}

/// The newest start, and an earlier one of its firmware with that much more.
fn shrunk(boots: &[Boot]) -> Option<(&Boot, &Boot)> {
    let now = boots.last()?;
    let (kib, firmware) = (now.memory_total_kib?, firmware(now)?);
    let same = boots.iter().rev().skip(1).filter(|b| self::firmware(b) == Some(firmware));
    let most = same.max_by_key(|b| b.memory_total_kib)?;
    (most.memory_total_kib?.saturating_sub(kib) >= LOST_FROM_KIB).then_some((most, now))
}

/// Firmware, else kernel: another one may keep more for itself.
fn firmware(boot: &Boot) -> Option<&str> {
    boot.firmware.as_deref().or(boot.kernel.as_deref())
}

fn gone(place: &str, title: String, evidence: Vec<Evidence>) -> Finding {
    let suspects = MEMORY_GONE.suspects(|share| match share.component {
        Component::Mainboard => Place::at(format!("socket of {place}")),
        _ => Place::at(place),
    });
    let mut finding = RULE.finding(Verdict::Suspected, title, suspects, evidence);
    finding.test = test(
        "Ask whether somebody took memory out or changed it, and compare the memory slots that the machine lists with what was bought; nothing is moved.",
        &[
            "It was taken out or exchanged: nothing is wrong.",
            "Nobody did: the module, its contacts or its socket.",
        ],
    );
    finding
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, nas};
    use assay_bundle::facts::Facts;
    use assay_bundle::facts::inventory::{Inventory, Moment, RememberedPart};
    use assay_bundle::facts::persisted_log::PersistedLog;

    fn remembered(present: Observed<bool>) -> Facts {
        let part = RememberedPart {
            kind: PartKind::Dimm,
            name: "DIMM_A1".to_owned(),
            first_seen: Moment::default(),
            present,
        };
        let memory = Inventory { remembered_parts: vec![part], ..Inventory::default() };
        Facts { inventory: Observed::seen(memory, "state/inventory.json"), ..nas() }
    }

    fn starts(kib: &[(u64, &str)]) -> Facts {
        let boot = |&(kib, firmware): &(u64, &str)| Boot {
            from: "mnt/HDA_ROOT/.logs/kmsg".to_owned(),
            memory_total_kib: Some(kib),
            firmware: Some(firmware.to_owned()),
            ..Boot::default()
        };
        let log = PersistedLog { boots: kib.iter().map(boot).collect(), ..PersistedLog::default() };
        Facts { persisted_log: Observed::seen(log, "x"), ..nas() }
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: remembered(Observed::seen(false, "x")),
            clear: remembered(Observed::seen(true, "x")),
            cannot_tell: Facts { persisted_log: Observed::unreadable("denied"), ..nas() },
            not_applicable: Some(nas()),
        }
    }

    #[test]
    fn what_was_there_before() {
        const GIB: u64 = 1024 * 1024;
        let check = |facts: &Facts, state: &str, says: &str| {
            crate::fixture::check(evaluate, facts, &[state], says);
        };
        check(&remembered(Observed::seen(false, "x")), "found, suspected", "DIMM_A1 is gone");
        check(&remembered(Observed::unreadable("x")), "not applicable", "");
        let mut other = remembered(Observed::seen(false, "x"));
        if let Observed::Seen { value, .. } = &mut other.inventory {
            value.same_unit = Observed::seen(false, "x");
        }
        check(&other, "not applicable", "");
        check(&starts(&[(8 * GIB, "5.0"), (8 * GIB, "5.0")]), "clear", "");
        check(&starts(&[(8 * GIB, "5.0"), (4 * GIB, "5.0")]), "found, suspected", "4096 MiB");
        check(&starts(&[(8 * GIB, "5.0"), (4 * GIB, "5.0"), (8 * GIB, "5.0")]), "clear", "");
        check(&starts(&[(8 * GIB, "5.0"), (4 * GIB, "5.1")]), "clear", "");
        check(&starts(&[(8 * GIB, "5.0"), (8 * GIB - 300 * 1024, "5.0")]), "clear", "");
    }
}
