//! SHR-001: several drives show one mark.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, DiscriminatingTest, Verdict};
use assay_bundle::facts::drive::{Drive, SelfTestOutcome};

use crate::certainty::{
    GONE_TOGETHER, Place, Row, SHARED_CONTROLLER, SHARED_ENCLOSURE, SHARED_EXPANDER, SHARED_MEDIA,
    SHARED_PORT_MULTIPLIER, SHARED_POWER, SHARED_UNIT,
};
use crate::evidence::{listed, test, told};
use crate::health::says_failing;
use crate::rule::{Judgement, Rule};
use crate::shared::{Ancestor, Mark, Shared, When};
use crate::subject::{last_completed_test, name};
use crate::view::View;

/// So many drives can share something.
const SEVERAL: usize = 2;

/// The rule.
pub static RULE: Rule = Rule {
    code: "SHR-001",
    title: "Several drives show one mark",
    component: Component::Slot,
    checks: "Timeouts, link errors, lost power, lost drives and failed reads of the kernel log over all boots, with link errors, power losses and second motor starts that the drives count: whether several drives show the same one within minutes, in turns over weeks, or rising together; and what the smallest thing is that they hang on.",
    why: "Several drives that fail in one way at one time are almost never several bad drives. Replacing them costs much and mends nothing, while the part that they share goes on failing.",
    what_to_do: "Replace no drive for this. Back up the data, run the test, and have the shared part looked at; pull no drive while it goes on.",
    threshold_source: "Two drives within 10 minutes: the window in which the ZFS event daemon counts errors of one cause. One drive with five times the marks of all others together leads them and is no shared cause (judgement). One mark on each drive, minutes apart, is watched only.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    let mut told: Vec<&Shared> = Vec::new();
    for shared in view.shared_causes() {
        // One occurrence leaves several marks; the one that costs most names the finding.
        if told.iter().any(|other| meets(other, shared)) {
            continue;
        }
        told.push(shared);
        judgements.extend(match shared.leader {
            Some(leader) => led(view, shared, leader),
            None => found(view, shared),
        });
    }
    if judgements.is_empty() { vec![nothing(view)] } else { judgements }
}

fn nothing(view: &View<'_>) -> Judgement {
    let subject = "several drives";
    match &view.facts.drives {
        Observed::Absent => return Judgement::not_applicable(subject),
        Observed::Seen { value, .. } if value.len() < SEVERAL => return Judgement::not_applicable(subject),
        _ => {}
    }
    if view.log.read || view.facts.history.is_seen() {
        return Judgement::clear(subject);
    }
    let why = "neither a kernel log nor what earlier runs recorded was read";
    Judgement::cannot_tell(subject, why, false)
}

/// Whether two causes are about some of the same drives.
fn meets(one: &Shared, other: &Shared) -> bool {
    one.members.iter().any(|a| other.members.iter().any(|b| a.place == b.place))
}

/// One drive leads: its neighbours are cleared, and nothing shared is blamed.
fn led(view: &View<'_>, shared: &Shared, leader: usize) -> Vec<Judgement> {
    let Some(first) = shared.members.get(leader) else { return Vec::new() };
    let others = shared.members.iter().enumerate().filter(|(at, _)| *at != leader);
    others
        .map(|(_, member)| {
            let subject = subject(view, member.device.as_deref(), &member.place);
            let why = format!(
                "its {} of this mark came beside {} of {}: a bad drive disturbs its neighbours, and nothing that they share is suspected",
                member.count, first.count, first.place
            );
            Judgement::exonerated(subject, why)
        })
        .collect()
}

fn subject(view: &View<'_>, device: Option<&str>, place: &str) -> String {
    drive(view, device).map_or_else(|| place.to_owned(), name)
}

fn drive<'v>(view: &View<'v>, device: Option<&str>) -> Option<&'v Drive> {
    let device = device?;
    view.facts.drives.value()?.iter().find(|d| d.device == device)
}

/// A drive's own proof of failure, which no shared cause takes away.
fn own_proof(drive: &Drive) -> Option<&'static str> {
    if says_failing(drive) {
        return Some("says itself that it is failing");
    }
    let failed = last_completed_test(drive).is_some_and(|t| t.outcome == SelfTestOutcome::Failed);
    failed.then_some("failed its newest self-test")
}

fn found(view: &View<'_>, shared: &Shared) -> Vec<Judgement> {
    let places: Vec<String> = shared.members.iter().map(|m| m.place.clone()).collect();
    let places = match (&shared.kind, places.as_slice()) {
        (Ancestor::PortMultiplier(_), [_]) => listed(&bays(view, shared)),
        _ => listed(&places),
    };
    let when = match shared.when {
        When::SameMoment => " in the same moment",
        When::SameWindow => " within minutes",
        When::Turns => " in turns",
        When::Counters => "",
        When::SameDay => " on the same day",
    };
    // Reads that fail in one moment say so in their own words.
    let when = if shared.mark == Mark::Media { "" } else { when };
    let title = format!("Several drives {}{when}: {places}", shared.mark.words());
    let row = row(shared);
    let suspects = row.suspects(|share| match (share.component, &shared.kind) {
        (Component::Drive, _) => Place::at(format!("one of {places}")),
        (Component::Psu | Component::PowerInput, Ancestor::Enclosure(number)) => {
            Place::at(format!("enclosure {number}"))
        }
        (Component::Psu | Component::PowerInput | Component::Software, _) => Place::at("the unit"),
        (Component::StorageState, _) => Place::at(places.clone()),
        _ => Place::at(shared.ancestor.clone()),
    });
    let counts = shared.members.iter().map(|m| {
        let times = if m.count == 1 { "once".to_owned() } else { format!("{} times", m.count) };
        told(format!("shared[{}]", m.place), format!("shows it {times}"), "")
    });
    let mut evidence: Vec<_> = if shared.when == When::Counters || shared.when == When::SameDay {
        Vec::new()
    } else {
        counts.collect()
    };
    evidence.extend(shared.evidence.iter().cloned());
    let mut finding = RULE.finding(verdict(shared), title, suspects, evidence);
    finding.component = component(&shared.kind, shared.mark);
    finding.rate = shared.rate;
    finding.counter_evidence.push(told("shared", against(shared), ""));
    let drives: Vec<&Drive> = shared.devices.iter().filter_map(|device| drive(view, Some(device))).collect();
    for (drive, proof) in drives.iter().filter_map(|d| Some((d, own_proof(d)?))) {
        finding.counter_evidence.push(told("drives", format!("the {} {proof}", name(drive)), ""));
    }
    finding.test = discriminate(shared);
    let mut judgements = vec![Judgement::found(places, finding)];
    if verdict(shared) == Verdict::Suspected {
        let cleared = drives.into_iter().filter(|d| own_proof(d).is_none()).map(|drive| {
            let why = format!(
                "shows it together with others, which points at what they share ({}) and not at the drive",
                shared.ancestor
            );
            Judgement::exonerated(name(drive), why)
        });
        judgements.extend(cleared);
    }
    judgements
}

/// The bays behind a port multiplier whose lines name the port only.
fn bays(view: &View<'_>, shared: &Shared) -> Vec<String> {
    let of = |device: &String| drive(view, Some(device)).map(crate::subject::location);
    shared.devices.iter().filter_map(of).collect()
}

fn verdict(shared: &Shared) -> Verdict {
    let once = shared.members.iter().all(|m| m.count <= 1) && shared.members.len() < 3;
    match shared.when {
        When::SameDay => Verdict::Watch,
        _ if shared.one_port() => Verdict::Watch,
        When::SameWindow if once && shared.mark != Mark::Gone => Verdict::Watch,
        _ => Verdict::Suspected,
    }
}

fn row(shared: &Shared) -> &'static Row {
    match (&shared.kind, shared.when, shared.mark) {
        (_, When::SameDay, _) => &GONE_TOGETHER,
        (_, _, Mark::Media) => &SHARED_MEDIA,
        (Ancestor::PortMultiplier(_), ..) => &SHARED_PORT_MULTIPLIER,
        (Ancestor::Expander(_), ..) => &SHARED_EXPANDER,
        (Ancestor::Controller(_) | Ancestor::Bridge(_), ..) => &SHARED_CONTROLLER,
        (Ancestor::Enclosure(_), ..) => &SHARED_ENCLOSURE,
        (Ancestor::Power, ..) => &SHARED_POWER,
        (Ancestor::Unit | Ancestor::Unknown, ..) => &SHARED_UNIT,
    }
}

fn component(kind: &Ancestor, mark: Mark) -> Component {
    match kind {
        Ancestor::PortMultiplier(_) | Ancestor::Expander(_) => Component::Slot,
        Ancestor::Controller(_) | Ancestor::Bridge(_) => Component::Mainboard,
        Ancestor::Enclosure(_) => Component::Enclosure,
        Ancestor::Power => Component::Psu,
        Ancestor::Unit | Ancestor::Unknown if mark == Mark::Power => Component::Psu,
        Ancestor::Unit | Ancestor::Unknown => Component::Slot,
    }
}

fn against(shared: &Shared) -> &'static str {
    match (&shared.kind, shared.when) {
        (_, When::SameDay) => "nothing was logged of it: whoever took them out leaves the same picture",
        _ if shared.one_port() => {
            "the log's events name the port alone: the number behind the port's dot in its lines tells whether they are all about one drive"
        }
        (Ancestor::PortMultiplier(_) | Ancestor::Expander(_), _) => {
            "one bad drive on a port multiplier or expander disturbs the others: look for one whose own counters stand out"
        }
        (_, When::Turns) => {
            "a new kernel, driver or drive firmware can do it too: compare with the date of the last update"
        }
        (Ancestor::Unit, _) => {
            "all drives hang on one controller, so that the log cannot tell power, backplane, controller and driver apart"
        }
        (Ancestor::Unknown, _) => "what the drives hang on was not read",
        _ => "a new kernel or driver can do it too: compare with the date of the last update",
    }
}

fn discriminate(shared: &Shared) -> Option<DiscriminatingTest> {
    if shared.when == When::SameDay {
        return test(
            "Look at the bays: are there drives in them? If so, with a backup made, shut down, take the power off for a minute and start again without moving any drive.",
            &[
                "The bays are empty: the drives were taken out; nothing is defective.",
                "The drives come back after a cold start: a row of the backplane was without power; watch for it to return.",
                "The drives are in and stay away: the backplane or its supply.",
            ],
        );
    }
    match &shared.kind {
        Ancestor::Enclosure(_) => test(
            "Note the time of the next occurrence and look at the enclosure's own lamps and at its supply; with a backup made and everything switched off, use another cable or port for the enclosure.",
            &[
                "It stops with the other cable or port: the cable or the port.",
                "It goes on for this enclosure alone: the enclosure or its supply.",
                "Other drives show it too: the unit's power, controller or driver.",
            ],
        ),
        Ancestor::Power | Ancestor::Unit | Ancestor::Unknown => test(
            "Move nothing. Run the unit from another outlet or a UPS for some days, compare the times with the power log and with the last firmware update, and read the log again.",
            &[
                "It stops on the other outlet: the mains.",
                "It comes under load or when drives start: the power supply or the backplane.",
                "It began with a firmware update: the driver; go back or update.",
                "It goes on as before: power supply first, then backplane, then mainboard.",
            ],
        ),
        _ => test(
            "Move nothing. Read the log again after a day with load, and see which bays the next marks name.",
            &[
                "The same group of bays again and no other: the part that they share.",
                "One bay far more often than the others: the drive in it, which disturbs its neighbours.",
                "Bays beyond this group: power, or the driver.",
            ],
        ),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::log::{attached, event};
    use crate::fixture::{Four, hdd, nas, recorded, self_test, with_drives, with_log};
    use assay_bundle::facts::Facts;
    use assay_bundle::facts::history::Metric;
    use assay_bundle::facts::inventory::{Inventory, Moment, RememberedDrive};

    fn two_ports() -> Facts {
        attached(
            nas(),
            &[
                ("sda", "0000:00:17.0 ata1 host0"),
                ("sdb", "0000:00:17.0 ata2 host1"),
                ("sdc", "0000:03:00.0 ata9 host8"),
            ],
        )
    }

    fn both_reset() -> Facts {
        with_log(
            two_ports(),
            vec![event("ata-link-reset", "ata1", 500), event("ata-link-reset", "ata2", 500)],
        )
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: both_reset(),
            clear: with_log(two_ports(), vec![event("ata-link-reset", "ata1", 500)]),
            cannot_tell: nas(),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    fn check(facts: &Facts, states: &[&str], says: &str) {
        crate::fixture::check(evaluate, facts, states, says);
    }

    const FOUND: [&str; 3] = ["found, suspected", "exonerated", "exonerated"];

    #[test]
    fn two_disks_that_reset_in_one_second() {
        check(&both_reset(), &FOUND, "in the same moment: bay 1 and bay 2");
        check(&both_reset(), &FOUND, "the controller 0000:00:17.0");
        check(&both_reset(), &FOUND, "and not at the drive");
        let apart = |later| {
            with_log(
                two_ports(),
                vec![event("ata-link-reset", "ata1", 500), event("ata-link-reset", "ata2", later)],
            )
        };
        check(&apart(900), &["found, watch"], "within minutes");
        check(&apart(1_200), &["clear"], "");
    }

    #[test]
    fn a_drive_with_its_own_proof_stays_accused() {
        let mut facts = both_reset();
        if let Observed::Seen { value, .. } = &mut facts.drives {
            value[0].health_passed = Observed::seen(false, "x");
            value[1].self_tests =
                Observed::seen(vec![self_test("Short offline", SelfTestOutcome::Failed)], "x");
        }
        check(&facts, &["found, suspected"], "says itself that it is failing");
        check(&facts, &["found, suspected"], "failed its newest self-test");
    }

    #[test]
    fn one_port_with_several_drives_is_watched() {
        let paths =
            [("sda", "0000:03:00.0 ata9"), ("sdb", "0000:03:00.0 ata9"), ("sdc", "0000:00:17.0 ata1")];
        let twice = vec![event("ata-link-reset", "ata9", 500), event("ata-link-reset", "ata9", 700)];
        check(&with_log(attached(nas(), &paths), twice), &["found, watch"], "bay 1 and bay 2");
    }

    #[test]
    fn one_that_leads_is_no_shared_cause() {
        let mut events: Vec<_> = (0..12).map(|n| event("ata-timeout", "sda", 500 + n)).collect();
        events.push(event("ata-timeout", "sdb", 505));
        let facts = with_log(two_ports(), events);
        check(&facts, &["exonerated"], "1 of this mark came beside 12 of bay 1");
        let mut facts = both_reset();
        facts.drives = Observed::NotCollected;
        check(&facts, &["found, suspected"], "port ata1 and port ata2");
    }

    #[test]
    fn counters_that_rise_together() {
        const NOW: i64 = 1_700_000_100;
        let crc = |device: &str, bay| {
            let mut drive = hdd(device, bay);
            let row = crate::fixture::attribute(199, "UDMA_CRC_Error_Count", 40);
            drive.ata_attributes = Observed::seen(vec![row], "x");
            drive
        };
        let (a, b) = (crc("sda", 1), crc("sdb", 2));
        let old = [(NOW - 2 * 86_400, 0, Some(4))];
        let facts = with_drives(vec![a.clone(), b.clone(), hdd("sdc", 3)]);
        let one = recorded(facts, &a, Metric::Ata199, &old);
        check(&one, &["clear"], "");
        let both = recorded(one, &b, Metric::Ata199, &old);
        check(&both, &FOUND, "rose from 4 to 40");
    }

    #[test]
    fn motors_that_need_a_second_start_point_at_the_supply() {
        let weak = |device: &str, bay| {
            let row = crate::fixture::attribute(10, "Spin_Retry_Count", 3);
            let mut drive = hdd(device, bay);
            drive.ata_attributes = Observed::seen(vec![row], "x");
            drive
        };
        check(&with_drives(vec![weak("sda", 1), weak("sdb", 2)]), &FOUND, "the power of the unit");
        check(&with_drives(vec![weak("sda", 1), hdd("sdb", 2)]), &["cannot tell"], "kernel log");
    }

    #[test]
    fn drives_gone_on_one_day_are_watched() {
        let gone = |serial: &str, bay, at| RememberedDrive {
            serial: serial.to_owned(),
            last_bay: Some(bay),
            last_seen: Moment { unix_s: Some(at), boot_id: None },
            present: Observed::seen(false, "x"),
            ..RememberedDrive::default()
        };
        let with = |drives| Facts {
            inventory: Observed::seen(
                Inventory { remembered_drives: drives, ..Inventory::default() },
                "state/inventory.json",
            ),
            ..with_log(nas(), Vec::new())
        };
        let at = 1_699_000_000;
        check(&with(vec![gone("A", 9, at), gone("B", 10, at + 60)]), &["found, watch"], "bay 9 and bay 10");
        check(&with(vec![gone("A", 9, at), gone("B", 10, at + 900_000)]), &["clear"], "");
        check(&with(vec![gone("A", 9, at)]), &["clear"], "");
    }
}
