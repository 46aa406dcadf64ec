//! LNK-001: link to a drive damages data.
//!
//! The link is the cable or backplane, both connectors and both electronics. Every damaged frame is sent again, so no
//! data is lost; a count over life keeps every cable that was ever loose and is no sign of anything now.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Rate, Verdict};
use assay_bundle::facts::drive::{Drive, Protocol};
use assay_bundle::facts::history::Metric;

use crate::certainty::{LINK_DAMAGES, LINK_DAMAGES_WITNESSED};
use crate::counters::{Counted, counted, each, finding, rose, untold, yields};
use crate::course::{DAY_S, WEEK_S};
use crate::evidence::{test, told};
use crate::happenings::{Happening, most_within};
use crate::rule::{Judgement, Rule};
use crate::shared::Mark;
use crate::subject::{fact, name};
use crate::view::View;

/// Names of attribute 199 where it counts CRC errors of the link, in small letters.
const NAMES: [&str; 4] = ["udma_crc_error", "ultra_dma_crc_error", "sata_crc_error", "crc_error_c"];
/// What the kernel logs of a damaged link.
const DAMAGED: [&str; 4] = ["ata-interface-crc", "ata-link-error", "ata-bus-error", "scsi-link-error"];
/// So many of them within a day are no accident such as a drive that is plugged in. Judgement.
const KERNEL_A_DAY: u64 = 3;
/// SATA phy counters of CRC errors (SATA 3.2, 13.7.2): commands that failed by one, frames of the host with one.
const PHY_CRC: [u16; 2] = [0x001, 0x00b];

/// The rule.
pub static RULE: Rule = Rule {
    code: "LNK-001",
    title: "Link to a drive damages data",
    component: Component::Link,
    checks: "CRC errors on the link between a drive and its controller: whether attribute 199 rises by one a day or more, and what the kernel logs of the link; the drive's statistics and phy counters stand beside it.",
    why: "Frames are damaged on their way and sent again. It slows the drive down and may throw it out of its array, but the drive itself is well: replacing it mends nothing.",
    what_to_do: "With the unit switched off, take the drive out, clean and reseat it in the same bay, and watch the count for a week.",
    threshold_source: "1 error a day within 7 days, or 3 of the kernel within a day: judgement after field reports that a count over life fires for every cable that was ever loose. A constant never fires.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let damaged: Vec<&Happening<'_>> = view.log.of_kind(&DAMAGED).collect();
    each(view, |drive| judge(view, drive, &damaged))
}

/// The most that the kernel saw of this drive's link within a day.
fn seen_by_kernel(drive: &Drive, damaged: &[&Happening<'_>]) -> Option<(Rate, Evidence)> {
    let own = damaged.iter().copied().filter(|h| h.is_about(drive));
    let (rate, happenings) = most_within(own, DAY_S)?;
    let mut evidence = happenings.first()?.evidence();
    evidence.value = format!("{}, {} within a day", evidence.value, rate.count);
    Some((rate, evidence))
}

fn judge(view: &View<'_>, drive: &Drive, damaged: &[&Happening<'_>]) -> Judgement {
    let subject = name(drive);
    if drive.protocol.value() == Some(&Protocol::Nvme) {
        return Judgement::not_applicable(subject);
    }
    let kernel = seen_by_kernel(drive, damaged);
    let counter = match counted(drive, 199, &NAMES) {
        Counted::Count(counter) => Some(counter),
        why if kernel.is_none() => return untold(drive, why),
        _ => None,
    };
    let moved = counter.as_ref().and_then(|c| rose(view.facts, drive, c, Some(Metric::Ata199), WEEK_S));
    let daily = moved.as_ref().is_some_and(|m| m.rise.by.saturating_mul(DAY_S) >= m.rise.within_s);
    let often = kernel.as_ref().is_some_and(|(rate, _)| rate.count >= KERNEL_A_DAY);
    if !daily && kernel.is_none() {
        return match (&moved, counter.filter(|c| c.count > 0)) {
            (_, None) => Judgement::clear(subject),
            (Some(moved), Some(_)) => Judgement::exonerated(
                subject,
                format!("its link errors rose by {} within the week, less than one a day", moved.rise.by),
            ),
            (None, Some(counter)) => Judgement::exonerated(
                subject,
                format!(
                    "its {} link errors are a count over its life, and no rise is seen: cables and contacts cause them, not the drive",
                    counter.count
                ),
            ),
        };
    }
    if let Some(shared) = yields(view, drive, Mark::LinkError, "its link errors") {
        return shared;
    }
    let row = if kernel.is_some() { &LINK_DAMAGES_WITNESSED } else { &LINK_DAMAGES };
    let verdict = if daily || often { Verdict::Suspected } else { Verdict::Watch };
    let mut why: Vec<Evidence> =
        counter.as_ref().map(|c| c.evidence(drive, "link errors")).into_iter().collect();
    let rate = moved.as_ref().map(|m| m.rise.rate()).or(kernel.as_ref().map(|(rate, _)| *rate));
    why.extend(moved.map(|m| m.evidence));
    why.extend(kernel.map(|(_, evidence)| evidence));
    why.extend(beside(drive));
    let title = format!("The link to the {subject} damages data on its way");
    let mut finding = finding(&RULE, view, drive, row, (verdict, title), why);
    finding.rate = rate;
    let value = "damaged frames are sent again; the medium of the drive has no part in it";
    finding.counter_evidence.push(told(fact(drive, "ata_attributes"), value, ""));
    finding.test = test(
        "Read the count daily for a week, under load, with nothing moved; then clean and reseat the drive in its own bay with the unit switched off, and read it for another week.",
        &[
            "The count stands still: a contact; nothing is to be replaced.",
            "It goes on, and the drives beside it are well: bay or backplane first, then the drive's own connector.",
            "It goes on for several drives: what they share (backplane, controller, power supply).",
        ],
    );
    Judgement::found(subject, finding)
}

/// What else the drive counts of its link: no rate is known of it, so it decides nothing.
fn beside(drive: &Drive) -> Vec<Evidence> {
    let mut beside = Vec::new();
    if let Observed::Seen { value, from } = &drive.ata_statistics
        && let Some(errors) = value.interface_crc_errors.filter(|n| *n > 0)
    {
        let path = fact(drive, "ata_statistics.interface_crc_errors");
        beside.push(told(path, format!("{errors} over its life"), from));
    }
    if let Observed::Seen { value, from } = &drive.phy_events {
        for event in value.iter().filter(|e| PHY_CRC.contains(&e.id) && e.value > 0) {
            let path = fact(drive, &format!("phy_events[{:#06x}]", event.id));
            beside.push(told(path, format!("{} since it was last reset", event.value), from));
        }
    }
    beside
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, hdd, nvme, nvme_health, recorded, with_drives, with_log};
    use assay_bundle::facts::kernel_log::KernelEvent;

    const NOW: i64 = 1_700_000_100;
    const DAY: i64 = 86_400;

    pub(crate) fn four() -> Four {
        Four {
            fires: with_log(with_drives(vec![with(3)]), vec![crc(100, 5)]),
            clear: with_drives(vec![with(0)]),
            cannot_tell: with_drives(vec![Drive { ata_attributes: Observed::NotCollected, ..hdd("sda", 1) }]),
            not_applicable: Some(with_drives(vec![nvme("nvme0", nvme_health(0, 0, 0))])),
        }
    }

    fn crc(at_s: u64, repeats: u64) -> KernelEvent {
        KernelEvent {
            signature: "ata-interface-crc".to_owned(),
            subject: Some("sda".to_owned()),
            at_us: Some(at_s * 1_000_000),
            repeats,
            ..KernelEvent::default()
        }
    }

    fn with(errors: u64) -> Drive {
        let rows = vec![attribute(199, "UDMA_CRC_Error_Count", errors)];
        Drive { ata_attributes: Observed::seen(rows, "cmd/smartctl.sat.sda/stdout"), ..hdd("sda", 3) }
    }

    fn check(drive: &Drive, before: Option<(i64, i64)>, events: Vec<KernelEvent>, state: &str, says: &str) {
        let mut facts = with_log(with_drives(vec![drive.clone()]), events);
        if let Some((days, errors)) = before {
            facts = recorded(facts, drive, Metric::Ata199, &[(NOW - days * DAY, 0, Some(errors))]);
        }
        crate::fixture::check(evaluate, &facts, &[state], says);
    }

    #[test]
    fn an_old_constant_never_fires() {
        check(&with(0), None, Vec::new(), "clear", "");
        check(&with(50_000), None, Vec::new(), "exonerated", "50000 link errors are a count over its life");
        check(&with(50_000), Some((90, 50_000)), Vec::new(), "exonerated", "no rise");
        check(&with(50_000), Some((90, 100)), Vec::new(), "exonerated", "no rise");
        check(&with(7), Some((6, 5)), Vec::new(), "exonerated", "less than one a day");
        let other = vec![attribute(199, "Write_Sectors_Tot_Ct", 9_000)];
        let other = Drive { ata_attributes: Observed::seen(other, "x"), ..hdd("sda", 3) };
        check(&other, None, Vec::new(), "exonerated", "Write_Sectors_Tot_Ct");
    }

    #[test]
    fn a_rise_or_the_kernel_blames_the_link() {
        check(&with(12), Some((4, 5)), Vec::new(), "found, suspected", "rose from 5 to 12");
        check(&with(12), Some((4, 5)), vec![crc(100, 1)], "found, suspected", "ata-interface-crc");
        check(&with(12), None, vec![crc(100, 3)], "found, suspected", "3 within a day");
        check(&with(12), None, vec![crc(100, 1)], "found, watch", "");
        let bare = Drive { ata_attributes: Observed::Absent, ..hdd("sda", 3) };
        check(&bare, None, vec![crc(100, 4)], "found, suspected", "LNK-001");
    }
}
