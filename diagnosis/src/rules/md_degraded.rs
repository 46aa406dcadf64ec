//! MD-001: data array is degraded.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Finding, SuspectKind, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::md::{MdArray, MdMember, MdMemberState};

use crate::arrays::{SYSTEM_ARRAY_SLOTS, is_system, lost, members_in, names, rebuilding, without_redundancy};
use crate::certainty::{
    MEMBER_KICKED, MEMBER_MISSING, MEMBER_OUT_OF_DATE, Place, Row, SEVERAL_KICKED, Share,
};
use crate::counters::own_proof;
use crate::departed::{self, Departed, departed, the_one};
use crate::doubt::{self, Doubt};
use crate::evidence::{listed, seen, test, told};
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Rule, over};
use crate::subject::{disk, drive_of, identity, location, log_witness, name, place};
use crate::view::View;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MD-001",
    title: "Data array is degraded",
    component: Component::StorageState,
    checks: "Each md array that holds data: whether every slot has a working member, and if not which drive left. QNAP's own system arrays are judged by their members only, because they always have more slots than the machine has drives.",
    why: "A degraded array has lost part or all of its redundancy: the next failure takes data with it.",
    what_to_do: "Back up the data first. Pull no working drive until the array is whole; find out why the member left before a new drive goes in.",
    threshold_source: "One slot without a working member, or one member marked faulty by md (kernel documentation, md.rst). System arrays by number: real /proc/mdstat samples of QTS and QuTS hero show 24 to 128 slots there by design.",
    evaluate,
};

/// While md fills a member.
const LEAVE_IN_PLACE: &str =
    "Leave every drive in place until the rebuild ends, and keep the backup current.";

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    over(&facts.md_arrays, "data arrays", true, |arrays| {
        let mut sorted: Vec<&MdArray> = arrays.iter().collect();
        sorted.sort_by_key(|a| (a.name.len(), a.name.clone()));
        sorted.into_iter().map(|array| judge(facts, array)).collect()
    })
}

fn judge(facts: &Facts, array: &MdArray) -> Judgement {
    let subject = array.name.clone();
    let faulty = members_in(array, MdMemberState::Faulty);
    if is_system(facts, array) {
        return match (&array.members, faulty.is_empty()) {
            // Only what looks wrong needs to be cleared in words.
            (Observed::Seen { .. }, true) if members_in(array, MdMemberState::InSync).is_empty() => {
                Judgement::cannot_tell(subject, "no working member of it was read", false)
            }
            (Observed::Seen { .. }, true) if lost(array) == Some(0) => Judgement::clear(subject),
            (Observed::Seen { .. }, true) => Judgement::exonerated(subject, by_design(array)),
            (Observed::Seen { .. }, false) => Judgement::found(subject, kicked(facts, array, &faulty)),
            // Optional: a system array without its members says nothing about data.
            (other, _) => Judgement::cannot_tell(subject, members_unread(other), false),
        };
    }
    if !faulty.is_empty() {
        return Judgement::found(subject, kicked(facts, array, &faulty));
    }
    // An array that does not run is MD-004's.
    if array.state.value().is_some_and(|state| state == "inactive") {
        return Judgement::not_applicable(subject);
    }
    match (lost(array), array.members.value()) {
        (Some(0), _) => Judgement::clear(subject),
        (Some(slots), _) => Judgement::found(subject, missing(facts, array, slots)),
        // An array without redundancy does not run unless every member is there, and md counts no slots for it.
        (None, _) if without_redundancy(array) && array.state.is_seen() => Judgement::clear(subject),
        (None, None) => Judgement::cannot_tell(subject, members_unread(&array.members), true),
        (None, Some(_)) => Judgement::cannot_tell(subject, "the number of its slots was not read", true),
    }
}

fn members_unread<T>(members: &Observed<T>) -> String {
    format!("its members were not read: {}", members.why_not().unwrap_or_default())
}

fn by_design(array: &MdArray) -> String {
    let working = members_in(array, MdMemberState::InSync).len();
    match array.raid_disks.value() {
        Some(slots) => {
            format!(
                "a system array of QNAP, [{slots}/{working}] by design: every member it has works; it holds no user data"
            )
        }
        None => "a system array of QNAP: every member it has works; it holds no user data".to_owned(),
    }
}

/// md threw members out: the kicked drives are suspects, or what they share when there are several.
fn kicked(facts: &Facts, array: &MdArray, faulty: &[&MdMember]) -> Finding {
    let drives: Vec<_> = faulty.iter().filter_map(|m| drive_of(facts, &m.device)).collect();
    let departed = if drives.is_empty() { departed(facts) } else { Vec::new() };
    let left = match faulty {
        [one] => the_one(&departed, Some(&one.device)),
        _ => None,
    };
    let where_ = if let Some(left) = left {
        left.name()
    } else if drives.is_empty() {
        names(faulty)
    } else {
        listed(&drives.iter().map(|d| location(d)).collect::<Vec<_>>())
    };
    let several = faulty.len() > 1;
    let row = if several { &SEVERAL_KICKED } else { &MEMBER_KICKED };
    let suspects = row.suspects(|share| match (share.kind, drives.as_slice()) {
        (SuspectKind::Part, [drive]) => place(drive),
        (SuspectKind::Part, _) => left.map_or_else(|| Place::at(where_.clone()), Departed::place),
        (_, _) if share.component == Component::Psu => Place::at("the unit"),
        _ => Place::at(where_.clone()),
    });
    let noun = if several { "members" } else { "a member" };
    let title = format!("Array {} has lost {noun}: md kicked {} ({where_})", array.name, names(faulty));
    let mut finding = RULE.finding(Verdict::Suspected, title, suspects, evidence(array));
    finding.evidence.extend(faulty.iter().map(|m| told_member(array, m)));
    finding.evidence.extend(log_witness(facts, &["md-member-failed"], |subject| {
        faulty.iter().any(|m| subject == Some(m.device.as_str()))
    }));
    finding.evidence.extend(departed.iter().map(Departed::evidence));
    if let [drive] = drives.as_slice() {
        finding.evidence.extend(identity(drive));
        finding.safe_to_remove = Some(safe_to_remove(facts, drive));
    }
    if let Some(action) = rebuilding(array) {
        finding.counter_evidence.push(rebuild(array, &action));
        finding.advice = LEAVE_IN_PLACE.to_owned();
    }
    // A drive that has proven its defect is asked for no further proof, least of all for hours of reading.
    if let [drive] = drives.as_slice()
        && own_proof(drive)
    {
        finding.test = test(
            "Ask nothing more of this drive: it proves its own defect, as the finding about it says. Check the array again when that drive has been replaced.",
            &[
                "Whole: the drive was the cause.",
                "A new drive there is kicked as well: cable, slot or power supply.",
            ],
        );
        return finding;
    }
    finding.test = test(
        "Read the kicked drive's health table and the kernel log around the moment it was kicked, and run its extended self-test; nothing is moved.",
        &[
            "The drive reports media errors or fails its self-test: the drive is defective.",
            "Only link errors or resets: cable, slot or backplane; the drive may be good.",
            "Several drives reset in the same seconds: the power supply or the controller.",
            "Nothing at all, and the machine stopped uncleanly before: the member was only out of date.",
        ],
    );
    finding
}

/// Slots are empty, and nobody is marked faulty: a drive left, or one that is there was left out.
fn missing(facts: &Facts, array: &MdArray, slots: u32) -> Finding {
    let empty = empty_slots(array);
    let where_ =
        if empty.is_empty() { format!("{slots} of its slots") } else { format!("slot {}", listed(&empty)) };
    let departed = departed(facts);
    // A kernel name of this boot's log leads to the drive that had it when an earlier run looked.
    let logged = facts.kernel_log.value().into_iter().flat_map(|log| &log.events);
    let failed = logged.rev().find(|e| e.says("md-member-failed")).and_then(|e| e.subject.as_deref());
    let left = (slots == 1).then(|| the_one(&departed, failed)).flatten();
    let out = left_out(facts, array);
    let unclean = unclean_stop(facts, array);
    let out_of_date = match (out.as_slice(), &unclean) {
        ([drive], Some(_)) if departed.is_empty() && slots == 1 => Some(*drive),
        _ => None,
    };
    let row: &Row = if out_of_date.is_some() { &MEMBER_OUT_OF_DATE } else { &MEMBER_MISSING };
    let place = |share: &Share| match (share.kind, left, out_of_date) {
        (SuspectKind::Part, Some(left), _) => left.place(),
        (SuspectKind::Part, None, Some(drive)) => place(drive),
        (SuspectKind::Environment, ..) => Place::at("the unit"),
        (_, Some(left), _) => Place::at(left.place().location),
        (_, None, Some(drive)) => Place::at(location(drive)),
        (_, None, None) => Place::at(format!("{where_} of {}", array.name)),
    };
    if let Some(action) = rebuilding(array) {
        let title =
            format!("Array {} is being rebuilt ({action}); its redundancy is not back yet", array.name);
        let mut finding = RULE.finding(Verdict::Watch, title, row.suspects(place), evidence(array));
        finding.evidence.push(rebuild(array, &action));
        finding.advice = LEAVE_IN_PLACE.to_owned();
        finding.test = test(
            "Check again when the rebuild has ended.",
            &["Whole: the member is back.", "Degraded again: its drive, or the link to it, is at fault."],
        );
        return finding;
    }
    let who = match (left, out_of_date, departed.is_empty()) {
        (Some(left), ..) => format!("; the drive {} left", left.name()),
        (None, Some(drive), _) => format!("; the {} is there and was left out", name(drive)),
        (None, None, false) => format!("; among these that left: {}", departed::names(&departed)),
        (None, None, true) => String::new(),
    };
    let title = format!("Array {} is degraded: {where_} has no working member{who}", array.name);
    let mut finding = RULE.finding(Verdict::Suspected, title, row.suspects(place), evidence(array));
    finding.evidence.extend(departed.iter().map(Departed::evidence));
    finding.evidence.extend(log_witness(facts, &["md-member-failed"], |subject| subject == failed));
    if departed.is_empty() {
        finding.counter_evidence.extend(out.iter().map(|drive| {
            told(
                format!("drives[{}]", drive.device),
                "it is there, answers well and is in no data array",
                drive.health_passed.place().unwrap_or_default(),
            )
        }));
    }
    if out_of_date.is_some() {
        finding.counter_evidence.extend(unclean);
        finding.advice = "Back up the data first. Nothing speaks of a defect: the member was left out after the power went away. Add the same drive to the array again, and look after the power input.".to_owned();
    }
    finding.test = test(
        "Compare the drives that the machine lists with its bays, and read the kernel log for a drive that left; nothing is moved.",
        &[
            "A drive is gone from the list: it died or lost its link; the log's last lines about it say which.",
            "Every drive is listed and healthy: the member was removed, or was out of date after an unclean stop.",
        ],
    );
    finding
}

/// Drives that are there, answer well, hold parts of the system's arrays, and are in no data array: as md leaves a
/// member out whose superblock is older than the others'.
fn left_out<'f>(facts: &'f Facts, array: &MdArray) -> Vec<&'f Drive> {
    let arrays = facts.md_arrays.value().map(Vec::as_slice).unwrap_or_default();
    let has = |drive: &Drive, system: bool| {
        arrays
            .iter()
            .filter(|a| is_system(facts, a) == system || a.name == array.name && !system)
            .any(|a| a.members.value().into_iter().flatten().any(|m| disk(&m.device) == disk(&drive.device)))
    };
    let sound = |drive: &Drive| doubt::of_drive(facts, drive) == Doubt::Sound;
    let drives = facts.drives.value().into_iter().flatten();
    drives.filter(|d| has(d, true) && !has(d, false) && sound(d)).collect()
}

/// What says that the machine stopped without writing its superblocks.
fn unclean_stop(facts: &Facts, array: &MdArray) -> Option<Evidence> {
    let logged = log_witness(facts, &["md-unclean"], |subject| subject == Some(array.name.as_str()));
    logged.or_else(|| {
        let Observed::Seen { value, from } = &facts.event_log else { return None };
        let stop = value.events.iter().rev().find(|e| e.kind == "unclean-shutdown")?;
        let at = stop.at_unix_s.map(crate::text::date).or(stop.at_text.clone()).unwrap_or_default();
        Some(told("event_log.events", format!("the system was not shut down, {at}"), from))
    })
}

/// The slots that no member works in, as far as the members' slots are known: `/proc/mdstat` alone does not name them.
fn empty_slots(array: &MdArray) -> Vec<String> {
    let (Some(slots), Some(members)) = (array.raid_disks.value(), array.members.value()) else {
        return Vec::new();
    };
    let slotless = members.iter().any(|m| m.state == MdMemberState::InSync && m.slot.is_none());
    if *slots >= SYSTEM_ARRAY_SLOTS || slotless {
        return Vec::new();
    }
    let working = |n: &u32| members.iter().any(|m| m.slot == Some(*n) && m.state == MdMemberState::InSync);
    (0..*slots).filter(|n| !working(n)).map(|n| n.to_string()).collect()
}

fn path(array: &MdArray, field: &str) -> String {
    format!("md_arrays[{}].{field}", array.name)
}

fn evidence(array: &MdArray) -> Vec<Evidence> {
    let rows = [
        seen(path(array, "level"), &array.level),
        seen(path(array, "state"), &array.state),
        seen(path(array, "raid_disks"), &array.raid_disks)
            .map(|e| Evidence { value: format!("{} slots", e.value), ..e }),
        seen(path(array, "missing"), &array.missing)
            .map(|e| Evidence { value: format!("{} without a working member", e.value), ..e }),
    ];
    let mut evidence: Vec<Evidence> = rows.into_iter().flatten().collect();
    let from = array.members.place().unwrap_or_default();
    evidence.push(told(
        path(array, "members"),
        format!("working: {}", names(&members_in(array, MdMemberState::InSync))),
        from,
    ));
    evidence
}

fn told_member(array: &MdArray, member: &MdMember) -> Evidence {
    let from = array.members.place().unwrap_or_default();
    told(path(array, &format!("members[{}]", member.device)), member.state_text.clone(), from)
}

fn rebuild(array: &MdArray, action: &str) -> Evidence {
    let done = array.sync_hundredths_of_percent.value();
    let done = done.map(|n| format!(", {}.{:02} % done", n / 100, n % 100)).unwrap_or_default();
    told(path(array, "sync_action"), format!("{action}{done}"), array.sync_action.place().unwrap_or_default())
}

#[cfg(test)]
pub(crate) mod tests;
