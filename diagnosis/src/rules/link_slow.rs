//! LNK-002: link to a drive runs below its speed.
//!
//! What a drive can do and what its port can do are two numbers; only the first is read. A neighbour that runs faster
//! in the same chassis shows what ports can do there, and the kernel says when it had to slow a link down. QTS's map
//! numbers speeds by a code that is known from samples: two codes of one map are compared, and nothing more is made
//! of it.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::drive::{Drive, LinkSpeed, Protocol};
use assay_bundle::units::MegabitsPerSecond;

use crate::certainty::LINK_SLOW;
use crate::counters::{each, finding, once};
use crate::evidence::{test, told};
use crate::happenings::Happening;
use crate::rule::{Judgement, Rule};
use crate::subject::{asleep, fact, name};
use crate::view::View;

/// The kernel slowed a link down after errors.
const SLOWED: [&str; 1] = ["ata-link-slowed"];
/// Codes of QTS's map for SATA and SAS, and for one lane of PCIe; codes of one range compare.
const COMPARABLE: [std::ops::RangeInclusive<u32>; 2] = [7..=10, 100..=400];

/// The rule.
pub static RULE: Rule = Rule {
    code: "LNK-002",
    title: "Link to a drive runs below its speed",
    component: Component::Link,
    checks: "The speed that each drive's link negotiated against the highest that the drive can do, what its neighbours in the same chassis run at, QTS's map of the bays, and whether the kernel slowed the link down.",
    why: "A link falls back to a lower speed when it makes errors at the higher one: a worn contact, a cable or a backplane shows there first. The drive works on, slower.",
    what_to_do: "With the unit switched off, take the drive out, clean and reseat it in the same bay, and look at the speed again.",
    threshold_source: "The drive's own highest speed and its neighbours' (SATA specification, speed negotiation); the kernel's libata slows a link down only after errors.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    // The mode of transfers that libata configures is told under the same name and is no speed of the link.
    let mode = |h: &&Happening<'_>| !h.event.details.iter().any(|d| d.starts_with("mode "));
    let slowed: Vec<&Happening<'_>> = view.log.of_kind(&SLOWED).filter(mode).collect();
    once(each(view, |drive| judge(view, drive, &slowed)), "the speed of no drive's link was read")
}

/// The fastest link of the same chassis.
fn fastest(view: &View<'_>, drive: &Drive) -> Option<MegabitsPerSecond> {
    let chassis = |d: &Drive| d.enclosure.value().copied().unwrap_or(0);
    let all = view.facts.drives.value().into_iter().flatten();
    all.filter(|d| chassis(d) == chassis(drive)).filter_map(|d| d.link_speed.value().copied()).max()
}

/// The link below its maximum by QTS's map.
fn by_map(drive: &Drive) -> Option<Evidence> {
    let Observed::Seen { value: now, from } = &drive.listed_link_speed else { return None };
    let most = drive.listed_link_speed_max.value()?;
    let comparable = COMPARABLE.iter().any(|r| r.contains(&now.code) && r.contains(&most.code));
    let words = |listed: &LinkSpeed| match listed.speed {
        Some(speed) => format!("code {} ({speed})", listed.code),
        None => format!("code {}", listed.code),
    };
    (comparable && now.code < most.code)
        .then(|| told(fact(drive, "listed_link_speed"), format!("{} of {}", words(now), words(most)), from))
}

fn judge(view: &View<'_>, drive: &Drive, slowed: &[&Happening<'_>]) -> Judgement {
    let subject = name(drive);
    let kernel = slowed.iter().find(|h| h.is_about(drive)).map(|h| h.evidence());
    let map = by_map(drive);
    let speeds = drive.link_speed.value().zip(drive.link_speed_max.value());
    let below = speeds.filter(|(now, most)| now < most);
    if kernel.is_none() && map.is_none() && below.is_none() {
        let told = speeds.is_some() || drive.listed_link_speed.is_seen();
        return match &drive.link_speed {
            _ if told => Judgement::clear(subject),
            Observed::Absent => Judgement::not_applicable(subject),
            // Of NVMe only QTS's map tells a speed; a drive that gave no answer at all is told by DRV-001.
            _ if drive.protocol.value() == Some(&Protocol::Nvme) => Judgement::not_applicable(subject),
            _ if asleep(drive) || !drive.health_passed.is_seen() => Judgement::not_applicable(subject),
            _ => Judgement::cannot_tell(subject, "the speed of its link was not read", false),
        };
    }
    let faster = below.and_then(|(now, _)| fastest(view, drive).filter(|best| best > now));
    if let (None, None, Some((now, most)), None) = (&kernel, &map, below, faster) {
        let why = format!(
            "its link runs at {now} and the drive could do {most}; no port of the same chassis is seen faster, so that may be all they can do"
        );
        return Judgement::exonerated(subject, why);
    }
    let verdict = if kernel.is_some() { Verdict::Suspected } else { Verdict::Watch };
    let mut why = Vec::new();
    why.extend(below.map(|(now, most)| {
        let from = drive.link_speed.place().unwrap_or_default();
        told(fact(drive, "link_speed"), format!("{now}, and the drive can do {most}"), from)
    }));
    why.extend(
        faster.map(|best| told("drives", format!("a neighbour in the same chassis runs at {best}"), "")),
    );
    let only_map = kernel.is_none() && below.is_none();
    why.extend(kernel);
    why.extend(map);
    let title = format!("The link to the {subject} runs below its speed");
    let mut finding = finding(&RULE, view, drive, &LINK_SLOW, (verdict, title), why);
    if only_map {
        let value = "only QTS's map of the bays says so, and its codes are known from samples: no proof";
        finding.counter_evidence.push(told(fact(drive, "listed_link_speed"), value, ""));
    }
    finding.test = test(
        "Look at the speed again after the next planned restart, with nothing moved.",
        &[
            "It is back at its highest: errors of the moment slowed it down; watch LNK-001.",
            "It stays low, and neighbours are faster: clean and reseat the drive in its own bay with the unit switched off.",
            "It stays low after that: the bay or its port, or a port that can do no more by design.",
        ],
    );
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, hdd, with_drives, with_log};
    use assay_bundle::facts::kernel_log::KernelEvent;

    pub(crate) fn four() -> Four {
        let none = Drive { link_speed: Observed::Absent, ..hdd("sda", 1) };
        Four {
            fires: with_log(with_drives(vec![at("sda", 1, 6000, 6000)]), vec![slowed(&[])]),
            clear: with_drives(vec![at("sda", 1, 6000, 6000)]),
            cannot_tell: with_drives(vec![hdd("sda", 1)]),
            not_applicable: Some(with_drives(vec![none])),
        }
    }

    fn slowed(details: &[&str]) -> KernelEvent {
        KernelEvent {
            signature: "ata-link-slowed".to_owned(),
            subject: Some("sda".to_owned()),
            details: details.iter().map(|&d| d.to_owned()).collect(),
            ..KernelEvent::default()
        }
    }

    fn at(device: &str, bay: u32, now: u64, most: u64) -> Drive {
        Drive {
            link_speed: Observed::seen(MegabitsPerSecond(now), "x"),
            link_speed_max: Observed::seen(MegabitsPerSecond(most), "x"),
            ..hdd(device, bay)
        }
    }

    fn check(drives: Vec<Drive>, events: Vec<KernelEvent>, states: &[&str], says: &str) {
        crate::fixture::check(evaluate, &with_log(with_drives(drives), events), states, says);
    }

    #[test]
    fn neighbours_and_the_kernel_show_what_a_port_can_do() {
        let both = |now| vec![at("sda", 1, 3000, 6000), at("sdb", 2, now, 6000)];
        check(both(6000), Vec::new(), &["found, watch", "clear"], "a neighbour in the same chassis");
        check(both(3000), Vec::new(), &["exonerated", "exonerated"], "all they can do");
        check(both(3000), vec![slowed(&[])], &["found, suspected", "exonerated"], "ata-link-slowed");
        check(vec![at("sda", 1, 6000, 6000)], vec![slowed(&["mode UDMA/33"])], &["clear"], "");
    }

    #[test]
    fn codes_of_one_map_compare() {
        let listed = |code, most| {
            let speed = |code| Observed::seen(LinkSpeed { code, speed: None }, "etc/enclosure_0.conf");
            Drive { listed_link_speed: speed(code), listed_link_speed_max: speed(most), ..hdd("sda", 1) }
        };
        check(vec![listed(9, 9)], Vec::new(), &["clear"], "");
        check(vec![listed(8, 9)], Vec::new(), &["found, watch"], "no proof");
        check(vec![listed(9, 300)], Vec::new(), &["clear"], "");
        check(vec![listed(0, 9)], Vec::new(), &["clear"], "");
        check(vec![hdd("sda", 1), hdd("sdb", 2)], Vec::new(), &["cannot tell"], "no drive's link");
    }
}
