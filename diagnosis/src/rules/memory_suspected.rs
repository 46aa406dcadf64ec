//! MEM-003: several drives deliver wrong data, which points at memory.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::zfs::ZfsVdevKind;

use super::memory_uncorrected::corrects;
use crate::certainty::{MEMORY_BEHIND_CHECKSUMS, Place};
use crate::evidence::{test, told};
use crate::happenings::Happening;
use crate::rule::{Judgement, Rule};
use crate::vdev::{count, device_name};
use crate::view::View;

/// From so many devices with wrong checksums they point at what they share.
const SEVERAL_FROM: usize = 2;
/// Lines about data with a wrong checksum. One damaged copy of several is repaired and still counts.
const CHECKSUMS: [&str; 1] = ["btrfs-checksum"];
/// Crashes of the kernel itself: they support a suspicion and never make one.
const CRASHES: [&str; 1] = ["kernel-crash"];

/// The rule.
pub static RULE: Rule = Rule {
    code: "MEM-003",
    title: "Wrong checksums on several drives point at memory",
    component: Component::Memory,
    checks: "Whether several devices deliver data with wrong checksums at once: ZFS counters of one machine's pools, and btrfs in the kernel log. Crashes of the kernel support it; alone they are mostly software.",
    why: "Memory without correction damages data on its way to every drive, and the drives are blamed for it.",
    what_to_do: "Run a memory test over night before any drive is replaced, and trust nothing that was written since the first error.",
    threshold_source: "Two devices or more (judgement: drives do not begin to deliver wrong data together). Never confirmed by this alone.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let (devices, mut evidence) = wrong(view);
    let subject = "memory";
    if devices.len() < SEVERAL_FROM {
        let looked = facts.zfs_pools.is_seen() || view.log.read;
        return vec![match (&facts.zfs_pools, looked) {
            (_, true) => Judgement::clear(subject),
            (Observed::Absent, false) => Judgement::not_applicable(subject),
            (..) => Judgement::cannot_tell(subject, "neither pools nor a kernel log were read", false),
        }];
    }
    evidence.extend(view.log.of_kind(&CRASHES).take(1).map(Happening::evidence));
    let counted = facts.memory_controllers.value().filter(|all| !all.is_empty());
    let clean = counted.is_some_and(|all| {
        all.iter().all(|c| c.corrected.value() == Some(&0) && c.uncorrected.value() == Some(&0))
    });
    let title = format!("{} devices deliver data with wrong checksums: memory is suspected", devices.len());
    let suspects = MEMORY_BEHIND_CHECKSUMS.suspects(|share| match share.component {
        Component::Memory => Place::at("one of the modules"),
        _ => Place::at("the unit"),
    });
    let verdict = if clean && corrects(&facts.memory_slots) != Some(false) {
        Verdict::Watch
    } else {
        Verdict::Suspected
    };
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    if clean {
        let from = facts.memory_controllers.place().unwrap_or_default();
        finding.counter_evidence.push(told("memory_controllers", "they count no error", from));
    }
    finding.test = test(
        "Run a memory test over night; no drive is moved or replaced before it.",
        &[
            "It finds errors: take the modules one by one until it does not; the drives are good.",
            "It finds none: controller, backplane or power supply, which the drives share too.",
        ],
    );
    vec![Judgement::found(subject, finding)]
}

/// Devices with wrong checksums.
fn wrong(view: &View<'_>) -> (Vec<String>, Vec<Evidence>) {
    let facts: &Facts = view.facts;
    let mut devices: Vec<String> = Vec::new();
    let mut evidence = Vec::new();
    for pool in facts.zfs_pools.value().into_iter().flatten() {
        for vdev in pool.vdevs.iter().filter(|v| v.kind == ZfsVdevKind::Device) {
            let counted = count(&vdev.checksum_errors);
            let name = device_name(vdev);
            if counted > 0 && !devices.contains(&name) {
                let path = format!("zfs_pools[{}].vdevs[{}].checksum_errors", pool.name, vdev.name);
                evidence.push(told(
                    path,
                    counted.to_string(),
                    vdev.checksum_errors.place().unwrap_or_default(),
                ));
                devices.push(name);
            }
        }
    }
    for happening in view.log.of_kind(&CHECKSUMS).filter(|h| h.now) {
        let name = happening.event.subject.clone().unwrap_or_default();
        if !name.is_empty() && !devices.contains(&name) {
            evidence.push(happening.evidence());
            devices.push(name);
        }
    }
    (devices, evidence)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, controller, nas, with_log};
    use crate::pools::tests::{hero, three};
    use assay_bundle::facts::kernel_log::KernelEvent;

    fn pool(checksums: [u64; 3]) -> Facts {
        hero(vec![three("raidz1-0", checksums.map(|n| ("ONLINE", n)))])
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: pool([3, 4, 0]),
            clear: pool([3, 0, 0]),
            cannot_tell: nas(),
            not_applicable: Some(Facts { zfs_pools: Observed::Absent, ..nas() }),
        }
    }

    #[test]
    fn several_devices_and_never_more_than_a_suspicion() {
        let check = |facts: &Facts, state: &str, says: &str| {
            crate::fixture::check(evaluate, facts, &[state], says);
        };
        check(&pool([900, 0, 0]), "clear", "");
        check(&pool([1, 1, 1]), "found, suspected", "3 devices");
        let ecc = Observed::seen(vec![controller(&[("DIMM1", 0)])], "x");
        check(&Facts { memory_controllers: ecc, ..pool([1, 1, 1]) }, "found, watch", "they count no error");
        let event = |subject: &str| KernelEvent {
            signature: "btrfs-checksum".to_owned(),
            subject: Some(subject.to_owned()),
            at_us: Some(1),
            ..KernelEvent::default()
        };
        check(&with_log(nas(), vec![event("sda3"), event("sda3")]), "clear", "");
        check(&with_log(nas(), vec![event("sda3"), event("sdb3")]), "found, suspected", "2 devices");
        let crash = KernelEvent { signature: "kernel-crash".to_owned(), ..KernelEvent::default() };
        check(&with_log(nas(), vec![crash.clone(), crash]), "clear", "");
    }
}
