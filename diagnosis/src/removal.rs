//! May this drive be pulled now? The answer that costs data when it is wrong.
//!
//! Yes only when every array that the drive is part of was read, runs, is not being rebuilt, can lose one more member
//! and does not lean on another drive that is itself in doubt. Everything that was not read makes it unknown. Refuses
//! to say yes about storage that it cannot see: ZFS pools, and partitions outside md on a machine that is not QTS.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Removable, SafeToRemove};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::identity::Platform;
use assay_bundle::facts::md::{MdArray, MdMember, MdMemberState};

use crate::arrays::{rebuilding, spare_redundancy};
use crate::health::says_failing;
use crate::rules::{drive_pending_sectors, drive_self_test_failed};
use crate::subject::{disk, drive_of};

/// States of `array_state` in which an array runs (kernel documentation, md.rst). Anything else is not a promise.
const RUNNING: [&str; 6] = ["clean", "active", "active-idle", "write-pending", "readonly", "read-auto"];

/// The answer for one drive, with the device's clock and boot, because it ages within minutes.
pub(crate) fn safe_to_remove(facts: &Facts, drive: &Drive) -> SafeToRemove {
    let as_of_unix_s = facts.clock.unix_s.value().copied();
    let (mut answer, mut why) = judge(facts, drive);
    if answer == Removable::Yes && as_of_unix_s.is_none() {
        answer = Removable::Unknown;
        why = "the device's clock was not read, so nobody can tell how old this answer is".to_owned();
    }
    SafeToRemove { answer, why, as_of_unix_s, boot_id: facts.clock.boot_id.value().cloned() }
}

fn judge(facts: &Facts, drive: &Drive) -> (Removable, String) {
    let unknown = |why: String| (Removable::Unknown, why);
    let arrays = match &facts.md_arrays {
        Observed::Seen { value, .. } => value,
        Observed::Absent => {
            return unknown("there is no md array, and what else uses the drive was not read".to_owned());
        }
        other => {
            return unknown(format!("the arrays were not read: {}", other.why_not().unwrap_or_default()));
        }
    };
    if let Some(unread) = arrays.iter().find(|a| a.members.value().is_none()) {
        return unknown(format!("the members of {} were not read", unread.name));
    }
    let holding: Vec<(&MdArray, &MdMember)> = arrays
        .iter()
        .flat_map(|a| a.members.value().into_iter().flatten().map(move |m| (a, m)))
        .filter(|(_, m)| disk(&m.device) == disk(&drive.device))
        .collect();

    // One reason against outweighs any doubt, and one doubt outweighs any number of arrays that would survive.
    let mut doubt = None;
    for &(array, member) in &holding {
        match one_array(facts, array, member) {
            Ok(()) => {}
            Err((Removable::No, why)) => return (Removable::No, why),
            Err((_, why)) => doubt = doubt.or(Some(why)),
        }
    }
    if let Some(why) = doubt {
        return unknown(why);
    }
    match facts.identity.platform.value() {
        Some(Platform::QutsHero) => {
            unknown("the data lives on ZFS pools, and what they can lose is not judged here".to_owned())
        }
        _ if holding.is_empty() => unknown(
            "the drive is in no array that was read; whether data lives on it is not known".to_owned(),
        ),
        Some(Platform::Qts) => (Removable::Yes, survives(&holding)),
        _ if holding.iter().all(|(_, m)| disk(&m.device) == m.device) => (Removable::Yes, survives(&holding)),
        _ => unknown("the drive has partitions, and those outside the arrays were not read".to_owned()),
    }
}

fn survives(holding: &[(&MdArray, &MdMember)]) -> String {
    let mut names: Vec<String> = holding.iter().map(|(a, _)| a.name.clone()).collect();
    names.sort();
    names.dedup();
    format!("every array that it is part of keeps all data without it: {}", names.join(", "))
}

fn one_array(facts: &Facts, array: &MdArray, member: &MdMember) -> Result<(), (Removable, String)> {
    let unknown = |why: String| Err((Removable::Unknown, why));
    let no = |why: String| Err((Removable::No, why));
    if let Some(action) = rebuilding(array) {
        return no(format!("{} is busy with {action}; pulling a drive now breaks it", array.name));
    }
    match array.state.value().map(String::as_str) {
        Some(state) if RUNNING.contains(&state) => {}
        Some(state) => return unknown(format!("{} is {state}", array.name)),
        None => return unknown(format!("the state of {} was not read", array.name)),
    }
    // A member that is already out, or that only waits, takes nothing with it.
    if matches!(member.state, MdMemberState::Faulty | MdMemberState::Spare) {
        return Ok(());
    }
    match spare_redundancy(array) {
        Err(why) => return unknown(why),
        Ok(0) => return no(format!("{} has no redundancy left without it", array.name)),
        Ok(_) => {}
    }
    let others = array.members.value().into_iter().flatten();
    let leans_on = others
        .filter(|m| m.state == MdMemberState::InSync && disk(&m.device) != disk(&member.device))
        .find(|m| drive_of(facts, &m.device).is_some_and(|drive| in_doubt(facts, drive)));
    match leans_on {
        Some(other) => {
            no(format!("{} would lean on {}, whose drive is itself in doubt", array.name, other.device))
        }
        None => Ok(()),
    }
}

/// Whether no array should lean on this drive: it says that it fails, failed its own test, has sectors that it cannot
/// read, or does not answer.
fn in_doubt(facts: &Facts, drive: &Drive) -> bool {
    let stuck =
        facts.stuck_readers.value().into_iter().flatten().any(|r| disk(&r.target) == disk(&drive.device));
    stuck
        || says_failing(drive)
        || drive_self_test_failed::failed(drive)
        || drive_pending_sectors::has_pending(drive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{array, nas, with_arrays};
    use MdMemberState::{Faulty, InSync, Rebuilding};

    fn check(facts: &Facts, device: &str, answer: Removable, why: &str) {
        let drive = drive_of(facts, device).cloned().unwrap_or_default();
        let got = safe_to_remove(facts, &drive);
        assert_eq!(got.answer, answer, "{got:?}");
        assert!(got.why.contains(why), "{got:?}");
    }

    fn raid5(third: MdMemberState) -> MdArray {
        array("md1", "raid5", 3, &[("sda3", InSync), ("sdb3", InSync), ("sdc3", third)])
    }

    #[test]
    fn yes_needs_everything() {
        let whole = with_arrays(vec![raid5(InSync)]);
        check(&whole, "sdc", Removable::Yes, "md1");

        let mut no_clock = whole.clone();
        no_clock.clock.unix_s = Observed::NotCollected;
        check(&no_clock, "sdc", Removable::Unknown, "clock");

        let mut hero = whole.clone();
        hero.identity.platform = Observed::seen(Platform::QutsHero, "x");
        check(&hero, "sdc", Removable::Unknown, "ZFS");

        let mut linux = whole.clone();
        linux.identity.platform = Observed::seen(Platform::Linux, "x");
        check(&linux, "sdc", Removable::Unknown, "partitions");

        check(&with_arrays(vec![]), "sdc", Removable::Unknown, "no array");
    }

    #[test]
    fn a_kicked_member_may_go_and_the_rest_may_not() {
        let degraded = with_arrays(vec![raid5(Faulty)]);
        check(&degraded, "sdc", Removable::Yes, "md1");
        check(&degraded, "sda", Removable::No, "no redundancy left");
        check(&with_arrays(vec![raid5(Rebuilding)]), "sdc", Removable::No, "recovery");
        check(&with_arrays(vec![raid5(Rebuilding)]), "sda", Removable::No, "recovery");
    }

    #[test]
    fn unread_arrays_are_unknown() {
        for arrays in [Observed::NotCollected, Observed::Absent, Observed::unreadable("denied")] {
            let facts = Facts { md_arrays: arrays, ..nas() };
            check(&facts, "sda", Removable::Unknown, "");
        }
        let mut blind = raid5(InSync);
        blind.members = Observed::unreadable("denied");
        check(&with_arrays(vec![blind]), "sda", Removable::Unknown, "members");
    }

    #[test]
    fn an_array_does_not_lean_on_a_drive_in_doubt() {
        let mut facts = with_arrays(vec![raid5(InSync)]);
        if let Observed::Seen { value, .. } = &mut facts.drives {
            for drive in value.iter_mut().filter(|d| d.device == "sdb") {
                drive.pending_defects = Observed::seen(8, "cmd/smartctl.sat.sdb/stdout");
            }
        }
        check(&facts, "sda", Removable::No, "sdb3");
        let mut facts = with_arrays(vec![raid5(InSync)]);
        facts.stuck_readers = Observed::seen(vec![crate::fixture::stuck("/dev/sdc")], "sample/stuck.json");
        check(&facts, "sda", Removable::No, "sdc3");
    }
}
