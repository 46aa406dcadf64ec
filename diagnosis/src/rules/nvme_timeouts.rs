//! NVM-003: NVMe drive stops answering.

use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::drive::{Drive, Protocol};

use crate::certainty::{NVME_FATAL, NVME_TIMEOUTS};
use crate::course::WEEK_S;
use crate::evidence::{seen, test, told};
use crate::happenings::{Happening, most_within};
use crate::health::says_failing;
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Rule, over};
use crate::shared::{Map, Mark, Who};
use crate::subject::{fact, identity, name, sorted, suspects};
use crate::view::View;

/// The controller did not answer, or was reset for it.
const STOPPED: [&str; 4] = ["nvme-timeout", "nvme-controller-down", "nvme-fatal-status", "nvme-slot-error"];
/// The answer was there and its interrupt was not: the platform's.
const LOST_INTERRUPT: [&str; 1] = ["nvme-lost-interrupt"];
/// Events so close together are one occurrence: a controller that is reset lets all its commands time out (the
/// driver's own timeout is 30 s, its longest wait for a ready controller two minutes).
const OCCURRENCE_S: u64 = 180;
/// So many occurrences are no accident (judgement).
const REPEATED: usize = 2;
/// Most lines that a finding shows.
const MOST_LINES: usize = 4;

/// The rule.
pub static RULE: Rule = Rule {
    code: "NVM-003",
    title: "NVMe drive stops answering",
    component: Component::Drive,
    checks: "Timeouts and resets of each NVMe drive in the kernel log over all boots, whether its controller declared a fatal status or fell off the bus, and whether the kernel blames power saving; several drives at once are SHR-001's.",
    why: "A drive that is reset while it is written to may lose what was under way, and a pool drops it after a few resets.",
    what_to_do: "Back up the data, update the firmware of the NAS and of the drive, and switch off power saving of PCI Express where the system offers it, before anything is replaced.",
    threshold_source: "One occurrence is watched, a second one or a controller's fatal status is suspected (judgement); events within three minutes are one occurrence (NVMe driver: 30 s timeout and its resets). The kernel's own hint names power saving (APST, ASPM) first.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    over(&view.facts.drives, "drives", false, |drives| {
        let nvme = |d: &&Drive| d.protocol.value() == Some(&Protocol::Nvme);
        let drives: Vec<&Drive> = sorted(drives).into_iter().filter(nvme).collect();
        if drives.is_empty() {
            return vec![Judgement::not_applicable("NVMe drives")];
        }
        if !view.log.read {
            let why = "no kernel log was read";
            return vec![Judgement::cannot_tell("NVMe drives", why, false)];
        }
        let map = Map::of(view.facts);
        drives.into_iter().map(|drive| judge(view, &map, drive)).collect()
    })
}

fn judge(view: &View<'_>, map: &Map<'_>, drive: &Drive) -> Judgement {
    let subject = name(drive);
    let about = |h: &&Happening<'_>| match map.who(h) {
        Some(who @ Who::Drive(_)) => map.single(&who).is_some_and(|d| d.device == drive.device),
        _ => false,
    };
    let events: Vec<&Happening<'_>> = view.log.of_kind(&STOPPED).filter(about).collect();
    if events.is_empty() {
        let late = view.log.of_kind(&LOST_INTERRUPT).filter(about).map(|h| h.times()).sum::<u64>();
        return match late {
            0 => Judgement::clear(subject),
            n => Judgement::exonerated(
                subject,
                format!(
                    "{n} answers came without their interrupt: the platform or its firmware, not the drive"
                ),
            ),
        };
    }
    if let Some(shared) = view.shares(drive, Mark::Timeout)
        && !says_failing(drive)
    {
        let why =
            format!("stopped answering together with others, which yields to SHR-001: {}", shared.ancestor);
        return Judgement::exonerated(subject, why);
    }
    let fatal = events.iter().any(|h| h.event.says("nvme-fatal-status"));
    let occurrences = occurrences(&events);
    let repeated = occurrences >= REPEATED;
    let (verdict, row) = match (fatal, repeated) {
        (true, _) => (Verdict::Suspected, &NVME_FATAL),
        (false, true) => (Verdict::Suspected, &NVME_TIMEOUTS),
        (false, false) => (Verdict::Watch, &NVME_TIMEOUTS),
    };
    let times = if occurrences <= 1 { "once".to_owned() } else { format!("{occurrences} times") };
    let title = if fatal {
        format!("The controller of the {subject} declared a fatal status")
    } else {
        format!("The {subject} stopped answering {times}")
    };
    let mut evidence: Vec<Evidence> = identity(drive);
    evidence.extend(seen(fact(drive, "firmware"), &drive.firmware));
    evidence.extend(events.iter().take(MOST_LINES).map(|h| h.evidence()));
    let hints: Vec<Evidence> =
        view.log.of_kind(&["nvme-power-state"]).filter(about).take(1).map(|h| h.evidence()).collect();
    let mut finding = RULE.finding(verdict, title, suspects(row, drive), evidence);
    finding.rate = most_within(events.iter().copied(), WEEK_S).map(|(rate, _)| rate);
    let against = if hints.is_empty() {
        "power saving (APST, ASPM) that the drive does not stand gives the same lines"
    } else {
        "the kernel itself blames the drive's power saving first"
    };
    finding.counter_evidence.push(told("kernel_log.events", against, ""));
    finding.counter_evidence.extend(hints);
    finding.test = test(
        "Move nothing. Update the firmware of the NAS and of the drive; where kernel parameters can be set, start once with nvme_core.default_ps_max_latency_us=0 pcie_aspm=off. Then watch for a week.",
        &[
            "It stops: power saving or firmware; the hardware is sound.",
            "It goes on with this drive alone: the drive or its slot.",
            "Other drives begin as well: what they share (PCI switch, board, supply).",
        ],
    );
    finding.safe_to_remove = Some(safe_to_remove(view.facts, drive));
    Judgement::found(subject, finding)
}

/// Events with a pause between them; what has no time at all is one.
fn occurrences(events: &[&Happening<'_>]) -> usize {
    let mut moments: Vec<i64> = events.iter().filter_map(|h| crate::shared::moment(h)).collect();
    moments.sort_unstable();
    let pauses = moments.iter().zip(moments.iter().skip(1)).filter(|(a, b)| a.abs_diff(**b) > OCCURRENCE_S);
    pauses.count() + 1
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::log::{attached, earlier, event};
    use crate::fixture::{Four, hdd, nvme, nvme_health, with_drives, with_log};
    use assay_bundle::Observed;
    use assay_bundle::facts::Facts;
    use assay_bundle::facts::kernel_log::KernelEvent;

    fn two() -> Facts {
        let second = Drive { bay: Observed::seen(2, "x"), ..nvme("nvme1", nvme_health(0, 3, 0)) };
        attached(
            with_drives(vec![nvme("nvme0", nvme_health(0, 3, 0)), second]),
            &[("nvme0n1", "0000:00:1c.0 0000:02:00.0"), ("nvme1n1", "0000:00:1d.0 0000:03:00.0")],
        )
    }

    fn logged(events: Vec<KernelEvent>) -> Facts {
        with_log(two(), events)
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: logged(vec![event("nvme-timeout", "nvme0", 500), event("nvme-timeout", "nvme0", 5_000)]),
            clear: logged(Vec::new()),
            cannot_tell: two(),
            not_applicable: Some(with_log(with_drives(vec![hdd("sda", 1)]), Vec::new())),
        }
    }

    fn check(events: Vec<KernelEvent>, first: &str, says: &str) {
        crate::fixture::check(evaluate, &logged(events), &[first, "clear"], says);
    }

    #[test]
    fn once_is_watched_and_again_is_suspected() {
        let at = |signature: &str, seconds: &[u64]| -> Vec<KernelEvent> {
            seconds.iter().map(|s| event(signature, "nvme0", *s)).collect()
        };
        check(at("nvme-timeout", &[500, 501, 530]), "found, watch", "stopped answering once");
        check(at("nvme-timeout", &[500, 900]), "found, suspected", "stopped answering 2 times");
        check(at("nvme-controller-down", &[500, 90_000]), "found, suspected", "power saving");
        check(at("nvme-fatal-status", &[500]), "found, suspected", "declared a fatal status");
        check(at("nvme-lost-interrupt", &[500, 900]), "exonerated", "without their interrupt");
        let mut hinted = at("nvme-controller-down", &[500]);
        hinted.push(event("nvme-power-state", "nvme0", 501));
        check(hinted, "found, watch", "the kernel itself blames");
        // Old kernels write the address on the bus.
        check(vec![event("nvme-timeout", "0000:02:00.0", 500)], "found, watch", "");
    }

    #[test]
    fn names_of_earlier_boots_name_nobody() {
        let facts = earlier(
            logged(Vec::new()),
            vec![
                ("2023-11-01 00:00:50", event("nvme-timeout", "nvme0", 500)),
                ("2023-11-02 00:00:50", event("nvme-timeout", "nvme0", 500)),
            ],
        );
        crate::fixture::check(evaluate, &facts, &["clear", "clear"], "");
        let facts = earlier(
            logged(Vec::new()),
            vec![
                ("2023-11-01 00:00:50", event("nvme-timeout", "0000:03:00.0", 500)),
                ("2023-11-02 00:00:50", event("nvme-timeout", "0000:03:00.0", 500)),
            ],
        );
        crate::fixture::check(evaluate, &facts, &["clear", "found, suspected"], "");
    }

    #[test]
    fn several_at_once_share_a_cause() {
        let both = vec![event("nvme-timeout", "nvme0", 500), event("nvme-timeout", "nvme1", 503)];
        crate::fixture::check(evaluate, &logged(both), &["exonerated", "exonerated"], "yields to SHR-001");
    }
}
