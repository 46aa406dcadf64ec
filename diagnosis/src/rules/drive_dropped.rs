//! DRV-013: drive left the bus.

use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::block::{BlockDevice, Transport};
use assay_bundle::facts::drive::{Drive, SelfTestOutcome};
use assay_bundle::facts::history::{Metric, Series, Subject};

use crate::certainty::{DROPPED, DROPPED_AFTER_LINK_ERRORS, DROPPED_FAILING, DROPPED_NVME, Place, Row};
use crate::evidence::{seen, test, told as evidence};
use crate::gone::{Missed, missed_drives};
use crate::health::says_failing;
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Rule};
use crate::shared::{Map, Mark, Tick, Who, ticks};
use crate::stays::{tenant, tenants};
use crate::subject::{disk, identity, last_completed_test, name, place, sorted};
use crate::view::View;

/// States of a SCSI or NVMe device in which the kernel no longer uses it (kernel: `scsi_device.h`, `nvme.h`).
const NOT_USED: [&str; 4] = ["offline", "transport-offline", "dead", "deleting (no IO)"];
/// A card that leaves its slot is noted within so long of the drive that was on it (judgement).
const SAME_S: u64 = 10;
/// What is given up so soon after the start never came up (libata's longest reset schedule is under three minutes).
const START_S: u64 = 180;
/// Trouble so long before speaks against a hand (judgement).
const TROUBLE_S: u64 = 600;

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-013",
    title: "Drive left the bus",
    component: Component::Drive,
    checks: "Drives that the kernel switched off (state offline) or gave up (resets without an answer, removed after a failed probe) and that did not come back, together with the drives that earlier runs and QTS remember; and whether the link went as when a hand pulls the drive.",
    why: "A drive that is gone protects nothing, and the array runs on the others. That it is gone is sure; whether drive, slot or link is at fault is not.",
    what_to_do: "Back up the data and pull no other drive. Look at the bay: if the drive is in it, switch the unit off at a quiet time and on again without moving it.",
    threshold_source: "One giving-up by the kernel: it follows several resets or a failed probe (libata and NVMe driver sources). Left as when pulled: a changed device on the link (SError DevExch) or a card not present, and no command in vain in the 10 minutes before.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    judge(view).into_iter().map(|(judgement, _)| judgement).collect()
}

/// Serial numbers of the drives of which this rule says how they went.
pub(crate) fn told(view: &View<'_>) -> Vec<String> {
    if missed_drives(view.facts).is_empty() {
        return Vec::new();
    }
    judge(view).into_iter().filter_map(|(_, serial)| serial).collect()
}

/// Judgements, with the serial number of the missed drive that a finding names.
fn judge(view: &View<'_>) -> Vec<(Judgement, Option<String>)> {
    let facts = view.facts;
    if !view.log.read && !facts.block_devices.is_seen() {
        let why = "neither a kernel log nor the state of the drives in the kernel was read";
        return vec![(Judgement::cannot_tell("drives that left the bus", why, false), None)];
    }
    let map = Map::of(facts);
    let ticks = ticks(&map, &view.log);
    let mut judgements = Vec::new();
    let missed = missed_drives(facts);
    let mut said: Vec<&Who> = Vec::new();
    for tick in ticks.iter().filter(|t| t.mark == Mark::Gone) {
        if said.contains(&&tick.who) {
            continue;
        }
        said.push(&tick.who);
        let story = Story { view, map: &map, ticks: &ticks, who: &tick.who };
        judgements.extend(match map.single(&tick.who) {
            Some(drive) => story.of_listed(drive).map(|j| (j, None)),
            None => story.of_missed(&missed, &ticks),
        });
    }
    for (block, state) in switched_off(facts) {
        let drive = map.listed(&block.name);
        let told = drive.is_some_and(|d| said.iter().any(|who| map.single(who) == Some(d)));
        if !told {
            judgements.push((off(view, block, state, drive), None));
        }
    }
    let found: Vec<String> = judgements.iter().map(|(j, _)| j.subject.clone()).collect();
    let quiet = facts.drives.value().map(|all| sorted(all)).unwrap_or_default();
    let quiet = quiet.into_iter().map(name).filter(|name| !found.contains(name));
    judgements.extend(quiet.map(|name| (Judgement::clear(name), None)));
    if judgements.is_empty() {
        let subject = "drives that left the bus";
        let none = facts.drives.is_absent() || facts.drives.value().is_some_and(Vec::is_empty);
        let nothing = if none { Judgement::not_applicable(subject) } else { Judgement::clear(subject) };
        judgements.push((nothing, None));
    }
    judgements
}

/// Disks that the kernel lists and no longer uses. A stick on USB that was pulled while in use is one too, and no
/// drive of the unit.
fn switched_off(facts: &Facts) -> impl Iterator<Item = (&BlockDevice, &str)> {
    facts.block_devices.value().into_iter().flatten().filter_map(|block| {
        let state = block.state.value().map(String::as_str).filter(|s| NOT_USED.contains(s))?;
        (block.transport.value() != Some(&Transport::Usb)).then_some((block, state))
    })
}

/// What the log says of one drive or port.
struct Story<'s, 'v> {
    view: &'s View<'v>,
    map: &'s Map<'v>,
    ticks: &'s [Tick<'s>],
    who: &'s Who,
}

impl Story<'_, '_> {
    fn own(&self, mark: Mark) -> impl Iterator<Item = &Tick<'_>> {
        self.ticks.iter().filter(move |t| t.mark == mark && t.who == *self.who)
    }

    /// Whether it went as when a hand moves it.
    fn by_hand(&self) -> bool {
        if self.own(Mark::Gone).all(|t| t.by_hand) {
            return true;
        }
        let Some(first) = self.own(Mark::Gone).next() else { return false };
        let slot = self.view.log.of_kind(&["pcie-surprise-removal"]);
        let left = slot
            .filter_map(crate::shared::moment)
            .any(|at| at <= first.at_s && at.abs_diff(first.at_s) <= SAME_S);
        let trouble = |t: &Tick<'_>| {
            t.who == *self.who
                && t.mark != Mark::Gone
                && t.at_s < first.at_s.saturating_sub_unsigned(SAME_S)
                && t.at_s.abs_diff(first.at_s) <= TROUBLE_S
        };
        left && !self.ticks.iter().any(trouble)
    }

    /// The shared cause that this is a part of.
    fn shared(&self) -> Option<String> {
        let place = self.map.place(self.who);
        let of_gone = self.view.shared_causes().iter().filter(|c| c.mark == Mark::Gone && c.leader.is_none());
        let mut holds = of_gone.filter(|c| c.members.iter().any(|m| m.place == place));
        let cause = holds.next()?;
        Some(format!(
            "left the bus together with others, which yields to SHR-001: it points at what they share ({})",
            cause.ancestor
        ))
    }

    fn lines(&self) -> Vec<Evidence> {
        // How it began and how it ended; what stands between is the kernel trying.
        let (first, last) = (self.own(Mark::Gone).next(), self.own(Mark::Gone).last());
        let mut lines: Vec<Evidence> =
            self.own(Mark::Timeout).take(1).map(|t| t.happening.evidence()).collect();
        lines.extend(first.map(|t| t.happening.evidence()));
        lines
            .extend(last.filter(|l| first.is_some_and(|f| f.at_s != l.at_s)).map(|t| t.happening.evidence()));
        lines
    }

    fn row(&self, failing: bool, nvme: bool) -> &'static Row {
        if failing || self.own(Mark::Media).next().is_some() {
            &DROPPED_FAILING
        } else if nvme {
            &DROPPED_NVME
        } else if self.own(Mark::LinkError).any(|t| !t.by_hand && !t.happening.event.says("ata-link-slowed"))
        {
            &DROPPED_AFTER_LINK_ERRORS
        } else {
            &DROPPED
        }
    }

    /// Whether another drive was in this bay when the log gave it up.
    fn predecessor(&self, drive: &Drive) -> bool {
        let (Some(bay), Some(serial)) = (drive.bay.value(), drive.serial.value()) else { return false };
        let tenants = tenants(self.view.facts);
        let last = self.own(Mark::Gone).last().and_then(|t| tenant(&tenants, *bay, t.at_s));
        last.is_some_and(|then| then.drive.serial != *serial)
    }

    /// A drive that the log gave up and that is listed: back, or switched off.
    fn of_listed(&self, drive: &Drive) -> Option<Judgement> {
        // Of an earlier boot: it is there now, and that boot is over.
        let now = self.own(Mark::Gone).any(|t| t.happening.now);
        if !now {
            return None;
        }
        let subject = name(drive);
        if let Some(why) = self.shared() {
            return Some(Judgement::exonerated(subject, why));
        }
        if self.predecessor(drive) {
            let why = "the drive that was in its bay before left the bus; this one came after it";
            return Some(Judgement::exonerated(subject, why));
        }
        let off = switched_off(self.view.facts).find(|(block, _)| disk(&block.name) == disk(&drive.device));
        let blocks = &self.view.facts.block_devices;
        let there = blocks.value().is_none_or(|all| all.iter().any(|b| disk(&b.name) == disk(&drive.device)));
        if self.by_hand() && there && off.is_none() {
            let why = "left the bus as when a hand takes it out, and is there: put back or changed";
            return Some(Judgement::exonerated(subject, why));
        }
        let nvme = disk(&drive.device).starts_with("nvme");
        let row = self.row(failing(drive), nvme);
        let mut proof = identity(drive);
        proof.extend(self.lines());
        let (verdict, title) = if off.is_none() && there {
            (Verdict::Watch, format!("The {subject} left the bus and came back"))
        } else {
            (Verdict::Suspected, format!("The {subject} left the bus and is not back"))
        };
        proof.extend(
            off.and_then(|(block, _)| seen(format!("block_devices[{}].state", block.name), &block.state)),
        );
        let mut finding = RULE.finding(verdict, title, crate::subject::suspects(row, drive), proof);
        finding.test = look_again();
        finding.safe_to_remove = Some(safe_to_remove(self.view.facts, drive));
        Some(Judgement::found(subject, finding))
    }

    /// A port or name without a drive behind it now.
    fn of_missed(&self, missed: &[Missed], all: &[Tick<'_>]) -> Option<(Judgement, Option<String>)> {
        let place = self.map.place(self.who);
        let drive = self.which(missed, all);
        // A port of an earlier boot that nobody misses is history.
        if drive.is_none() && !self.own(Mark::Gone).any(|t| t.happening.now) {
            return None;
        }
        let subject = drive.map_or_else(|| format!("drive on {place}"), Missed::name);
        if let Some(why) = self.shared() {
            return Some((Judgement::exonerated(subject, why), None));
        }
        if self.by_hand() {
            let why = "its link went as when a hand takes the drive out, and nothing failed before: no defect is logged; one that dies at once leaves the same lines, so look at the bay";
            return Some((Judgement::exonerated(subject, why), None));
        }
        let before = drive.map(|d| before(self.view.facts, &d.serial)).unwrap_or_default();
        let nvme = matches!(self.who, Who::Name(name) if name.starts_with("nvme"));
        let row = self.row(!before.is_empty(), nvme);
        let at = drive.and_then(|d| d.bay).map_or_else(|| place.clone(), |bay| format!("bay {bay}"));
        let suspects = row.suspects(|share| match share.component {
            Component::Drive => {
                Place { location: at.clone(), serial: drive.map(|d| d.serial.clone()), firmware: None }
            }
            Component::Software => Place::at("the unit"),
            _ => Place::at(at.clone()),
        });
        let mut proof: Vec<Evidence> =
            drive.map(|d| evidence(d.fact, d.name(), &d.from)).into_iter().collect();
        proof.extend(self.lines());
        proof.extend(before);
        let at_start = self.own(Mark::Gone).next().and_then(|t| t.happening.event.at_us);
        let title = if at_start.is_some_and(|at| at < START_S * 1_000_000) {
            format!("The {subject} did not come up when the unit started")
        } else {
            format!("The {subject} left the bus and is not back")
        };
        let mut finding = RULE.finding(Verdict::Suspected, title, suspects, proof);
        if drive.is_some_and(|d| d.device.is_none()) {
            finding.counter_evidence.push(evidence(
                "kernel_log.events",
                format!(
                    "that {place} was its port is inferred: one port lost its drive and one drive is missed"
                ),
                "",
            ));
        }
        finding.test = look_again();
        Some((Judgement::found(subject, finding), drive.map(|d| d.serial.clone())))
    }

    /// The missed drive that this is: by its name in this boot, or because one port lost its drive and one is missed.
    fn which<'m>(&self, missed: &'m [Missed], all: &[Tick<'_>]) -> Option<&'m Missed> {
        if let Who::Name(own) = self.who {
            return missed.iter().find(|d| d.device.as_deref().is_some_and(|device| disk(device) == own));
        }
        let lost = |t: &&Tick<'_>| t.mark == Mark::Gone && self.map.single(&t.who).is_none();
        let others = all.iter().filter(lost).any(|t| t.who != *self.who);
        match missed {
            [one] if !others => Some(one),
            _ => None,
        }
    }
}

/// Other word that the drive itself fails.
fn failing(drive: &Drive) -> bool {
    says_failing(drive) || last_completed_test(drive).is_some_and(|t| t.outcome == SelfTestOutcome::Failed)
}

/// What the recorder had against a drive that is gone: unreadable sectors and media errors when it was last read.
fn before(facts: &Facts, serial: &str) -> Vec<Evidence> {
    use Metric::{Ata187, Ata197, Ata198, NvmeMediaErrors, PendingDefects, ScsiUncorrected};
    let bad = |metric| {
        matches!(metric, Ata187 | Ata197 | Ata198 | NvmeMediaErrors | PendingDefects | ScsiUncorrected)
    };
    let of_drive =
        |s: &&Series| s.subject == Subject::Drive && s.serial.as_deref() == Some(serial) && bad(s.metric);
    let series = facts.history.value().into_iter().flat_map(|h| &h.series).filter(of_drive);
    series
        .filter_map(|s| {
            let last = s.points.iter().rev().find_map(|p| p.value).filter(|value| *value > 0)?;
            let value = format!("{:?} stood at {last} when it was last read", s.metric);
            Some(evidence(format!("drives[{serial}]"), value, "state/recorder.jsonl"))
        })
        .collect()
}

/// A disk that the kernel switched off without a line of the log that is still there.
fn off(view: &View<'_>, block: &BlockDevice, state: &str, drive: Option<&Drive>) -> Judgement {
    let subject = drive.map_or_else(|| format!("drive {}", block.name), name);
    if let Some(cause) = drive.and_then(|d| view.shares(d, Mark::Gone)) {
        let why = format!("is {state} together with others, which yields to SHR-001: {}", cause.ancestor);
        return Judgement::exonerated(subject, why);
    }
    let nvme = block.name.starts_with("nvme");
    let row = match (drive.is_some_and(failing), nvme) {
        (true, _) => &DROPPED_FAILING,
        (_, true) => &DROPPED_NVME,
        _ => &DROPPED,
    };
    let at = drive.map_or_else(|| Place::at(format!("{} (kernel name)", block.name)), place);
    let suspects =
        drive.map_or_else(|| row.suspects(|_| at.clone()), |drive| crate::subject::suspects(row, drive));
    let mut proof = drive.map(identity).unwrap_or_default();
    proof.extend(seen(format!("block_devices[{}].state", block.name), &block.state));
    let title = format!("The {subject} was switched off by the kernel ({state})");
    let mut finding = RULE.finding(Verdict::Suspected, title, suspects, proof);
    finding.counter_evidence.push(evidence(
        "kernel_log.events",
        "the line that says why is no longer there",
        "",
    ));
    finding.test = look_again();
    finding.safe_to_remove = drive.map(|drive| safe_to_remove(view.facts, drive));
    Judgement::found(subject, finding)
}

fn look_again() -> Option<assay_bundle::diagnosis::DiscriminatingTest> {
    test(
        "With a backup made, switch the unit off at a quiet time and on again without moving any drive, then run a check and read the drive's health table and the log.",
        &[
            "The drive is back and its health table is clean: the slot or the link; watch the bay.",
            "The drive is back and counts unreadable sectors or a failed self-test: the drive.",
            "It stays away: the drive or its slot; a spare drive in that bay while the unit is off tells which.",
        ],
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::log::{attached, dropped, event};
    use crate::fixture::{Four, hdd, nas, recorded, with_log};
    use crate::stays::testing::{remembering, stayed};
    use assay_bundle::Observed;
    use assay_bundle::facts::kernel_log::KernelEvent;

    const NOW: i64 = 1_700_000_000;

    fn unit() -> Facts {
        attached(
            nas(),
            &[("sda", "0000:00:17.0 ata1"), ("sdb", "0000:00:17.0 ata2"), ("sdc", "0000:00:17.0 ata3")],
        )
    }

    fn died() -> Vec<KernelEvent> {
        vec![
            event("ata-timeout", "ata4", 5_000),
            event("ata-reset-failed", "ata4", 5_030),
            event("ata-link-lost", "ata4", 5_090),
            event("ata-device-lost", "ata4", 5_091),
        ]
    }

    fn pulled() -> Vec<KernelEvent> {
        let mut events = died();
        events[0] = dropped("ata4", "PHYRdyChg DevExch", 5_000);
        events
    }

    /// Bay 4 is empty, and its drive is remembered.
    fn missing() -> Facts {
        remembering(unit(), vec![stayed("Z4", &[(4, 1, NOW)], false)])
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: with_log(missing(), died()),
            clear: with_log(unit(), Vec::new()),
            cannot_tell: nas(),
            not_applicable: Some(with_log(Facts { drives: Observed::Absent, ..nas() }, Vec::new())),
        }
    }

    fn check(facts: &Facts, first: &str, says: &str) {
        let mut states = vec![first];
        states.extend(["clear"; 3]);
        crate::fixture::check(evaluate, facts, &states, says);
    }

    #[test]
    fn a_drive_that_was_given_up() {
        check(&with_log(missing(), died()), "found, suspected", "WD40EFRX-68N32N0 Z4 of bay 4 left the bus");
        check(&with_log(missing(), died()), "found, suspected", "is inferred");
        check(&with_log(unit(), died()), "found, suspected", "drive on port ata4");
        let start = vec![event("ata-link-slowed", "ata4", 40), event("ata-link-lost", "ata4", 70)];
        check(&with_log(missing(), start.clone()), "found, suspected", "did not come up when");
        check(&with_log(missing(), start), "found, suspected", "leave the same lines");
        let facts = with_log(missing(), died());
        assert_eq!(told(&View::new(&facts)), ["Z4"]);
        let media = [vec![event("ata-uncorrectable", "ata4", 4_000)], died()].concat();
        check(&with_log(missing(), media), "found, suspected", "USENIX ATC 2018");
    }

    #[test]
    fn its_own_counters_spoke_before() {
        let drive = Drive { serial: Observed::seen("Z4".to_owned(), "x"), ..hdd("sdd", 4) };
        let facts = recorded(with_log(missing(), died()), &drive, Metric::Ata197, &[(NOW - 5, 0, Some(16))]);
        check(&facts, "found, suspected", "stood at 16");
    }

    #[test]
    fn a_hand_is_told_in_words() {
        check(&with_log(missing(), pulled()), "exonerated", "look at the bay");
        assert!(told(&View::new(&with_log(missing(), pulled()))).is_empty());
        let nvme = |before: Vec<KernelEvent>| {
            let last = vec![
                event("pcie-surprise-removal", "Slot(4)", 5_000),
                event("nvme-device-lost", "nvme1", 5_002),
            ];
            with_log(unit(), [before, last].concat())
        };
        check(&nvme(Vec::new()), "exonerated", "as when a hand");
        check(&nvme(vec![event("nvme-timeout", "nvme1", 4_900)]), "found, suspected", "power saving");
    }

    #[test]
    fn a_drive_that_came_back() {
        let lost = with_log(unit(), vec![event("ata-device-lost", "ata1", 5_000)]);
        crate::fixture::check(evaluate, &lost, &["found, watch", "clear", "clear"], "came back");
        let moved = vec![
            dropped("ata1", "PHYRdyChg CommWake DevExch", 5_000),
            event("ata-device-lost", "ata1", 5_002),
        ];
        crate::fixture::check(
            evaluate,
            &with_log(unit(), moved),
            &["exonerated", "clear", "clear"],
            "put back",
        );
        // This boot began a day before now, and the log gave the drive up 5,000 seconds later: another one then.
        let before = vec![
            stayed("OLD", &[(1, 1, NOW - 80_000)], false),
            stayed("WD-WCC7K001", &[(1, NOW - 3_000, NOW)], true),
        ];
        let states = ["exonerated", "clear", "clear"];
        crate::fixture::check(evaluate, &remembering(lost, before), &states, "came after it");
    }

    #[test]
    fn a_drive_that_was_switched_off() {
        let mut facts = with_log(unit(), Vec::new());
        if let Observed::Seen { value, .. } = &mut facts.block_devices {
            value[1].state = Observed::seen("offline".to_owned(), "sys/block/sdb/device/state");
        }
        crate::fixture::check(
            evaluate,
            &facts,
            &["found, suspected", "clear", "clear"],
            "switched off by the kernel",
        );
        if let Observed::Seen { value, .. } = &mut facts.block_devices {
            value[1].transport = Observed::seen(Transport::Usb, "x");
        }
        crate::fixture::check(evaluate, &facts, &["clear"; 3], "");
    }

    #[test]
    fn several_at_once_share_a_cause() {
        let mut events = died();
        events.extend(died().into_iter().map(|e| KernelEvent { subject: Some("ata5".to_owned()), ..e }));
        let facts = with_log(unit(), events);
        let states = ["exonerated", "exonerated", "clear", "clear", "clear"];
        crate::fixture::check(evaluate, &facts, &states, "yields to SHR-001");
    }
}
