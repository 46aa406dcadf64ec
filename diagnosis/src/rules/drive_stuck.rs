//! DRV-003: drive does not answer.

use assay_bundle::diagnosis::{Component, DiscriminatingTest, Evidence, Removable, SafeToRemove, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::stuck::StuckReader;

use crate::certainty::{Place, READER_STUCK, READERS_STUCK};
use crate::evidence::{listed, test, told};
use crate::gone;
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Rule, over};
use crate::rules::drive_dropped;
use crate::subject::{disk, drive_of, identity, location, name, sorted, suspects};
use crate::view::View;

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-003",
    title: "Drive does not answer",
    component: Component::Drive,
    checks: "Whether an earlier reader of a drive never came back and still waits inside the kernel; and whether every drive that earlier runs or QTS remember is still there, was replaced, or is gone.",
    why: "A drive that keeps a request for ever cannot be asked how it is, and programs that touch it hang as well.",
    what_to_do: "Back up what can still be read, then restart the machine at a quiet time and look again; leave the drives in place.",
    threshold_source: "One reader past its deadline and its kill: requests end within seconds on a working drive, because the kernel gives up a command after 30 seconds by default.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let mut judgements = stuck(facts);
    judgements.extend(gone::judge(facts, &drive_dropped::told(view)));
    judgements
}

fn stuck(facts: &Facts) -> Vec<Judgement> {
    if facts.stuck_readers.value().is_some_and(Vec::is_empty) {
        return vec![Judgement::clear("stuck readers")];
    }
    over(&facts.stuck_readers, "stuck readers", false, |readers| {
        let (on_drives, others): (Vec<_>, Vec<_>) =
            readers.iter().partition(|r| drive_of(facts, &r.target).is_some());
        let stuck: Vec<Drive> = facts
            .drives
            .value()
            .into_iter()
            .flatten()
            .filter(|d| on_drives.iter().any(|r| disk(&r.target) == disk(&d.device)))
            .cloned()
            .collect();
        let mut judgements: Vec<Judgement> = match sorted(&stuck).as_slice() {
            [] => Vec::new(),
            [drive] => vec![one(facts, drive, &on_drives, readers_place(facts))],
            drives => vec![several(facts, drives, &on_drives, readers_place(facts))],
        };
        judgements.extend(others.into_iter().map(|r| {
            let why = format!("a reader of it has not come back ({})", r.command);
            Judgement::cannot_tell(r.target.clone(), why, false)
        }));
        judgements
    })
}

fn readers_place(facts: &Facts) -> &str {
    facts.stuck_readers.place().unwrap_or_default()
}

fn evidence(readers: &[&StuckReader], drive: &Drive, from: &str) -> Vec<Evidence> {
    let of_drive = readers.iter().filter(|r| disk(&r.target) == disk(&drive.device));
    let word = |r: &&StuckReader| {
        let since = format!(
            "{} has waited since {} by the device's clock",
            r.command,
            crate::text::date(r.since_unix_s)
        );
        told(format!("stuck_readers[{}]", r.target), since, from)
    };
    identity(drive).into_iter().chain(of_drive.map(word)).collect()
}

fn one(facts: &Facts, drive: &Drive, readers: &[&StuckReader], from: &str) -> Judgement {
    let subject = name(drive);
    let title = format!("The {subject} does not answer: a reader is stuck on it");
    let mut finding = RULE.finding(
        Verdict::Suspected,
        title,
        suspects(&READER_STUCK, drive),
        evidence(readers, drive, from),
    );
    finding.test = restart();
    finding.safe_to_remove = Some(safe_to_remove(facts, drive));
    Judgement::found(subject, finding)
}

/// Several drives that hang together are one finding about what they share, not one about each drive.
fn several(facts: &Facts, drives: &[&Drive], readers: &[&StuckReader], from: &str) -> Judgement {
    let places = listed(&drives.iter().map(|d| location(d)).collect::<Vec<_>>());
    let title = format!("Several drives do not answer: readers are stuck on {places}");
    let row = READERS_STUCK.suspects(|share| match share.component {
        Component::Drive => Place::at(format!("each of {places}")),
        Component::Slot => Place::at(format!("what {places} share")),
        _ => Place::at("the unit"),
    });
    let evidence = drives.iter().flat_map(|d| evidence(readers, d, from)).collect();
    let mut finding = RULE.finding(Verdict::Suspected, title, row, evidence);
    finding.component = Component::Slot;
    finding.test = restart();
    finding.safe_to_remove = drives.first().map(|drive| SafeToRemove {
        answer: Removable::No,
        why: "several drives do not answer; pulling one may take an array down".to_owned(),
        ..safe_to_remove(facts, drive)
    });
    Judgement::found(places, finding)
}

fn restart() -> Option<DiscriminatingTest> {
    test(
        "With a backup made, restart the machine at a quiet time without moving any drive, then run a check again.",
        &[
            "The reader gets stuck on the same drive again: the drive or its slot; its health table and the kernel log say which.",
            "Readers get stuck on several drives: what they share (controller, backplane, supply).",
            "Nothing gets stuck: a driver or firmware may have hung; watch it.",
        ],
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, nas, stuck};
    use assay_bundle::Observed;

    pub(crate) fn four() -> Four {
        let with = |readers| Facts { stuck_readers: readers, ..nas() };
        Four {
            fires: with(Observed::seen(vec![stuck("/dev/sdb")], "x")),
            clear: with(Observed::seen(Vec::new(), "x")),
            cannot_tell: with(Observed::NotCollected),
            // The list of stuck readers is one that every run has.
            not_applicable: None,
        }
    }

    fn check(readers: Observed<Vec<StuckReader>>, states: &[&str], says: &str) {
        crate::fixture::check(evaluate, &Facts { stuck_readers: readers, ..nas() }, states, says);
    }

    #[test]
    fn a_reader_that_never_came_back() {
        let seen = |targets: &[&str]| {
            Observed::seen(targets.iter().map(|t| stuck(t)).collect(), "sample/stuck.json")
        };
        check(seen(&["/dev/sda"]), &["found, suspected"], "2023-11-14T22:13:20Z");
        check(seen(&["sda", "/dev/sda"]), &["found, suspected"], "bay 1");
        check(seen(&["/dev/sdc", "/dev/sda"]), &["found, suspected"], "what bay 1 and bay 3 share");
        check(seen(&["/sys/class/hwmon/hwmon1/temp1_input"]), &["cannot tell"], "has not come back");
        check(seen(&["/dev/sda", "/proc/mdstat"]), &["found, suspected", "cannot tell"], "");
        check(seen(&[]), &["clear"], "");
        check(Observed::NotCollected, &["cannot tell"], "were not read");
        check(Observed::Absent, &["not applicable"], "");
    }

    #[test]
    fn a_drive_that_is_gone_is_no_healthy_drive() {
        use assay_bundle::facts::inventory::{Inventory, RememberedDrive};
        let gone = RememberedDrive {
            serial: "Z1".to_owned(),
            present: Observed::seen(false, "sys/block"),
            ..RememberedDrive::default()
        };
        let memory = Inventory { remembered_drives: vec![gone], ..Inventory::default() };
        let facts = Facts {
            stuck_readers: Observed::seen(Vec::new(), "sample/stuck.json"),
            inventory: Observed::seen(memory, "state/inventory.json"),
            ..nas()
        };
        crate::fixture::check(evaluate, &facts, &["clear", "cannot tell, required"], "is not there now");
    }
}
