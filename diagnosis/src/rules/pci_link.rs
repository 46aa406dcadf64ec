//! PCI-001: PCIe link reports errors.

use std::collections::BTreeMap;

use assay_bundle::diagnosis::{Component, Evidence, Finding, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::kernel_log::KernelEvent;

use crate::certainty::{BOARD_NMI, PCI_CORRECTED, PCI_LOST, PCI_UNCORRECTED, Place, Row};
use crate::evidence::{listed, test, told};
use crate::happenings::{Happening, most_within};
use crate::rule::{Judgement, Rule};
use crate::subject::{drive_of, name};
use crate::view::View;

/// More corrected errors than this in an hour are a flood: one a minute (judgement: a sound link corrects a few a day).
const FLOOD_AN_HOUR: u64 = 60;
/// Seconds of an hour.
const HOUR_S: u64 = 3_600;
/// Until so many seconds after the start drivers probe what a device does not support (judgement).
const PROBING_UNTIL_US: u64 = 120 * 1_000_000;
/// A link's own lines. The message that an error was received stands beside them and is not counted.
const CORRECTED: [&str; 1] = ["pcie-corrected"];
const UNCORRECTED: [&str; 1] = ["pcie-uncorrected"];
/// The port shut itself off, or the device left without notice.
const LOST: [&str; 1] = ["pcie-contained"];
const REMOVED: [&str; 1] = ["pcie-surprise-removal"];
const NMI: [&str; 1] = ["nmi-error"];

/// The rule.
pub static RULE: Rule = Rule {
    code: "PCI-001",
    title: "PCIe link reports errors",
    component: Component::Slot,
    checks: "Errors that PCIe ports and devices report in the kernel log since the start: floods of corrected ones, uncorrected ones, and ports that shut themselves off.",
    why: "NVMe drives, network and controllers hang on these links: a bad contact slows them first and loses them later.",
    what_to_do: "Power off, seat the card or drive anew, and look for dust or bent contacts; then try another slot for it.",
    threshold_source: "More than 60 corrected errors of one link in an hour, one a minute (judgement); one uncorrected error after the first two minutes; one containment (PCIe specification, advanced error reporting and downstream port containment). Unsupported requests at the start are drivers that probe.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    const SUBJECT: &str = "PCIe links";
    if !view.log.read {
        return vec![Judgement::cannot_tell(SUBJECT, "no kernel log was read", false)];
    }
    let mut by_link: BTreeMap<&str, Vec<&Happening<'_>>> = BTreeMap::new();
    let kinds = [CORRECTED[0], UNCORRECTED[0], LOST[0]];
    for happening in view.log.iter().filter(|h| h.now && kinds.iter().any(|kind| h.event.says(kind))) {
        if let Some(link) = happening.event.subject.as_deref() {
            by_link.entry(link).or_default().push(happening);
        }
    }
    let mut judgements: Vec<Judgement> =
        by_link.iter().map(|(link, happenings)| judge(view, link, happenings)).collect();
    if let Some(nmi) = view.log.of_kind(&NMI).find(|h| h.now) {
        let title = "The board reported a fault to the processor, and not which".to_owned();
        let finding = finding(Verdict::Watch, title, &BOARD_NMI, "the mainboard", vec![nmi.evidence()]);
        judgements.push(Judgement::found("mainboard", finding));
    }
    if judgements.is_empty() {
        judgements.push(Judgement::clear(SUBJECT));
    }
    judgements
}

fn judge(view: &View<'_>, link: &str, happenings: &[&Happening<'_>]) -> Judgement {
    let subject = format!("PCIe {link}");
    let of = |kinds: &[&str]| -> Vec<&Happening<'_>> {
        happenings.iter().filter(|h| kinds.iter().any(|kind| h.event.says(kind))).copied().collect()
    };
    let below = below(view.facts, link);
    let where_ = if below.is_empty() { link.to_owned() } else { format!("{link} ({})", listed(&below)) };
    let removed = view.log.of_kind(&REMOVED).find(|h| h.now).map(Happening::evidence);

    let lost = of(&LOST);
    let uncorrected: Vec<&Happening<'_>> =
        of(&UNCORRECTED).into_iter().filter(|h| !is_probing(h.event)).collect();
    if let Some(first) = lost.first().or(uncorrected.first()) {
        let gone = !lost.is_empty() || removed.is_some();
        let (verdict, row, what) = if gone {
            (Verdict::Suspected, &PCI_LOST, "failed and was shut off, or lost its device")
        } else {
            (Verdict::Watch, &PCI_UNCORRECTED, "met an error that it could not correct")
        };
        let mut evidence = vec![first.evidence()];
        evidence.extend(uncorrected.first().filter(|_| !lost.is_empty()).map(|h| h.evidence()));
        evidence.extend(removed.filter(|_| gone));
        let title = format!("The PCIe link at {where_} {what}");
        return Judgement::found(subject, finding(verdict, title, row, &where_, evidence));
    }
    let corrected = of(&CORRECTED);
    let most = most_within(corrected.iter().copied(), HOUR_S);
    if let Some((rate, first)) = most.filter(|(rate, _)| rate.count > FLOOD_AN_HOUR) {
        let title = format!("The PCIe link at {where_} corrects errors all the time");
        let mut evidence: Vec<Evidence> = first.first().map(|h| h.evidence()).into_iter().collect();
        let told_rate = format!("{} corrected errors in {} s", rate.count, rate.window_s);
        evidence.push(told("kernel_log.events", told_rate, ""));
        let mut finding = finding(Verdict::Watch, title, &PCI_CORRECTED, &where_, evidence);
        finding.rate = Some(rate);
        return Judgement::found(subject, finding);
    }
    let why = match corrected.iter().map(|h| h.times()).fold(0, u64::saturating_add) {
        0 => "it refused requests that drivers try at the start: that is no fault".to_owned(),
        times => format!("it corrected {times} errors, less than one a minute: the link repeats them itself"),
    };
    Judgement::exonerated(subject, why)
}

/// A request that the device does not support, while drivers look what it can do.
fn is_probing(event: &KernelEvent) -> bool {
    let unsupported = |d: &String| d == "bit UnsupReq" || d == "bit Unsupported Request";
    event.at_us.is_some_and(|at| at < PROBING_UNTIL_US) && event.details.iter().any(unsupported)
}

/// Drives that hang on the link, by what sysfs says that they are attached through.
fn below(facts: &Facts, link: &str) -> Vec<String> {
    let devices = facts.block_devices.value().into_iter().flatten();
    let attached =
        devices.filter(|d| d.attached_through.value().is_some_and(|way| way.iter().any(|at| at == link)));
    let mut names: Vec<String> = attached.filter_map(|d| drive_of(facts, &d.name)).map(name).collect();
    names.sort();
    names.dedup();
    names
}

fn finding(verdict: Verdict, title: String, row: &Row, at: &str, evidence: Vec<Evidence>) -> Finding {
    let suspects = row.suspects(|share| match share.component {
        Component::Mainboard | Component::Cpu => Place::at("the mainboard"),
        Component::Memory | Component::Software => Place::at("the unit"),
        _ => Place::at(at),
    });
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    finding.test = test(
        "Compare the link's width and speed with what it can do, and watch the kernel log under load; nothing is moved.",
        &[
            "The errors come with one device only: that device or its contacts.",
            "They come on several links at once: mainboard or power supply.",
            "They stop when power saving of the link is switched off: a setting, not a defect.",
        ],
    );
    finding
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, nas, with_log};
    use crate::machine_check::tests::event;
    use assay_bundle::Observed;
    use assay_bundle::facts::block::BlockDevice;

    const PORT: &str = "0000:00:1c.0";

    fn on_port(signatures: &[&str], details: &[&str], at: u64) -> KernelEvent {
        KernelEvent { subject: Some(PORT.to_owned()), ..event(signatures, details, at) }
    }

    // It always has something to look at where a log was read.
    pub(crate) fn four() -> Four {
        Four {
            fires: with_log(nas(), vec![on_port(&["pcie-contained"], &[], 900)]),
            clear: with_log(nas(), vec![]),
            cannot_tell: nas(),
            not_applicable: None,
        }
    }

    #[test]
    fn floods_and_losses() {
        let check = |events: Vec<KernelEvent>, state: &str, says: &str| {
            crate::fixture::check(evaluate, &with_log(nas(), events), &[state], says);
        };
        let corrected = |n: u64| (0..n).map(|at| on_port(&["pcie-corrected"], &[], 900 + at)).collect();
        check(vec![], "clear", "");
        check(corrected(60), "exonerated", "corrected 60 errors");
        check(corrected(61), "found, watch", "count: 61");
        check(
            vec![on_port(&["pcie-uncorrected"], &["bit CmpltTO"], 900)],
            "found, watch",
            "could not correct",
        );
        check(vec![on_port(&["pcie-uncorrected"], &["bit UnsupReq"], 9)], "exonerated", "at the start");
        check(vec![on_port(&["pcie-uncorrected"], &["bit UnsupReq"], 900)], "found, watch", "");
        check(vec![on_port(&["pcie-contained"], &[], 900)], "found, suspected", "shut off");
        let removal = event(&["pcie-surprise-removal"], &[], 901);
        check(vec![removal.clone()], "clear", "");
        check(vec![on_port(&["pcie-uncorrected"], &[], 900), removal], "found, suspected", "surprise");
        check(vec![event(&["nmi-error"], &[], 9)], "found, watch", "not which");
    }

    #[test]
    fn what_hangs_on_the_link_is_named() {
        let mut facts = with_log(nas(), vec![on_port(&["pcie-contained"], &[], 900)]);
        let device = BlockDevice {
            name: "sda".to_owned(),
            attached_through: Observed::seen(vec![PORT.to_owned(), "0000:01:00.0".to_owned()], "x"),
            ..BlockDevice::default()
        };
        facts.block_devices = Observed::seen(vec![device], "sys/block");
        crate::fixture::check(evaluate, &facts, &["found, suspected"], "(drive in bay 1 (sda))");
    }
}
