//! What an md array is worth: whose it is, how many members it lacks, whether it can lose one more.
//!
//! `[n/m]` alone never decides. QNAP's own system arrays have more slots than the machine has bays and look degraded
//! for ever, so they are judged by their members only.

use assay_bundle::Observed;
use assay_bundle::facts::Facts;
use assay_bundle::facts::identity::Platform;
use assay_bundle::facts::md::{MdArray, MdMember, MdMemberState};

use crate::evidence::listed;

/// A mirror with at least this many slots is one of QNAP's system arrays whatever runs on the machine: samples of QTS
/// and QuTS hero have 24, 32, 64 and 128 slots, and no NAS mirrors one volume over 24 drives.
pub(crate) const SYSTEM_ARRAY_SLOTS: u32 = 24;

/// The numbers that QTS and QuTS hero give to their own arrays: 9 configuration, 13 applications, 256 and 320 to 329
/// swap (real `/proc/mdstat` samples of both).
fn has_system_number(name: &str) -> bool {
    let number = name.strip_prefix("md").and_then(|n| n.parse::<u32>().ok());
    matches!(number, Some(9 | 13 | 256 | 320..=329))
}

/// Whether the array is one of QNAP's own. On a machine that is known to be another Linux, only the number of slots
/// can say so (a QNAP started from a rescue stick).
pub(crate) fn is_system(facts: &Facts, array: &MdArray) -> bool {
    let other_linux = facts.identity.platform.value() == Some(&Platform::Linux);
    let many_slots = array.raid_disks.value().is_some_and(|n| *n >= SYSTEM_ARRAY_SLOTS);
    has_system_number(&array.name) && (!other_linux || many_slots)
}

/// Members in one state, by name and in order.
pub(crate) fn members_in(array: &MdArray, state: MdMemberState) -> Vec<&MdMember> {
    let mut members: Vec<&MdMember> =
        array.members.value().into_iter().flatten().filter(|m| m.state == state).collect();
    members.sort_by_key(|m| (m.slot, m.device.clone()));
    members
}

/// Slots without a working member, by the kernel's count or by counting the members, whichever is worse.
/// `None` when neither was read.
pub(crate) fn lost(array: &MdArray) -> Option<u32> {
    let by_kernel = array.missing.value().copied();
    let by_members = match (&array.members, array.raid_disks.value()) {
        (Observed::Seen { .. }, Some(slots)) => {
            let working = u32::try_from(members_in(array, MdMemberState::InSync).len()).unwrap_or(u32::MAX);
            Some(slots.saturating_sub(working))
        }
        _ => None,
    };
    by_kernel.max(by_members)
}

/// What md is busy with that must not be disturbed: `recovery`, `resync`, `reshape`, `repair`.
pub(crate) fn rebuilding(array: &MdArray) -> Option<String> {
    let action = array.sync_action.value().map(String::as_str);
    if let Some(action @ ("recovery" | "recover" | "resync" | "reshape" | "repair")) = action {
        return Some(action.to_owned());
    }
    (!members_in(array, MdMemberState::Rebuilding).is_empty()).then(|| "recovery".to_owned())
}

/// Whether the level keeps no second copy.
pub(crate) fn without_redundancy(array: &MdArray) -> bool {
    matches!(array.level.value().map(String::as_str), Some("raid0" | "linear" | "multipath" | "faulty"))
}

/// How many further members the array can lose without losing data. `Err` says why nobody knows.
pub(crate) fn spare_redundancy(array: &MdArray) -> Result<u32, String> {
    let level = array.level.value().ok_or_else(|| format!("the level of {} was not read", array.name))?;
    if without_redundancy(array) {
        return Ok(0);
    }
    if array.members.value().is_none() {
        return Err(format!("the members of {} were not read", array.name));
    }
    let lost = lost(array).ok_or_else(|| format!("the slots of {} were not read", array.name))?;
    let working = u32::try_from(members_in(array, MdMemberState::InSync).len()).unwrap_or(0);
    match level.as_str() {
        "raid1" => Ok(working.saturating_sub(1)),
        // Of raid10 only the whole array is known to survive a loss: which pairs are broken is not in the facts.
        "raid4" | "raid5" | "raid10" => Ok(1_u32.saturating_sub(lost)),
        "raid6" => Ok(2_u32.saturating_sub(lost)),
        other => Err(format!("{} has the level {other}, which is not known here", array.name)),
    }
}

/// How many members the level can lose; `None` where it hangs on which ones, or is not known.
fn can_lose(array: &MdArray) -> Option<u32> {
    let slots = array.raid_disks.value().copied()?;
    match array.level.value()?.as_str() {
        "raid0" | "linear" => Some(0),
        "raid1" => slots.checked_sub(1),
        "raid4" | "raid5" => Some(1),
        "raid6" => Some(2),
        _ => None,
    }
}

/// Members that the array lacks and could lack, when it lacks more than its level can lose: its data is not whole. md
/// counts no slots for arrays without redundancy: they run with all members or not at all.
pub(crate) fn lacks_too_many(array: &MdArray) -> Option<(u32, u32)> {
    let lost = lost(array).filter(|_| !without_redundancy(array))?;
    let most = can_lose(array)?;
    (lost > most).then_some((lost, most))
}

/// Whether the kernel knows the array and does not run it. A container, and what is left over from another machine, has
/// only spares and no level.
pub(crate) fn does_not_run(array: &MdArray) -> bool {
    let stopped = array.state.value().is_some_and(|s| matches!(s.as_str(), "inactive" | "broken" | "clear"));
    let spare = |m: &MdMember| m.state == MdMemberState::Spare;
    let all_spare = array.members.value().is_some_and(|members| members.iter().all(spare));
    stopped && (array.level.is_seen() || !all_spare)
}

/// Names of members for a sentence.
pub(crate) fn names(members: &[&MdMember]) -> String {
    listed(&members.iter().map(|m| m.device.clone()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{array, nas};

    fn check(level: &str, slots: u32, members: &[(&str, MdMemberState)], want: Result<u32, ()>) {
        let array = array("md1", level, slots, members);
        assert_eq!(spare_redundancy(&array).map_err(|_| ()), want, "{level} {slots} {members:?}");
    }

    #[test]
    fn what_can_still_be_lost() {
        use MdMemberState::{Faulty, InSync};
        check("raid1", 2, &[("sda3", InSync), ("sdb3", InSync)], Ok(1));
        check("raid1", 32, &[("sda1", InSync), ("sdb1", InSync), ("sdc1", InSync)], Ok(2));
        check("raid1", 1, &[("sda3", InSync)], Ok(0));
        check("raid5", 3, &[("sda3", InSync), ("sdb3", InSync), ("sdc3", InSync)], Ok(1));
        check("raid5", 3, &[("sda3", InSync), ("sdb3", InSync), ("sdc3", Faulty)], Ok(0));
        check("raid6", 4, &[("sda3", InSync), ("sdb3", InSync), ("sdc3", InSync)], Ok(1));
        check("raid10", 4, &[("sda3", InSync), ("sdb3", InSync), ("sdc3", InSync)], Ok(0));
        check("raid0", 2, &[("sda3", InSync), ("sdb3", InSync)], Ok(0));
        check("raid7", 2, &[("sda3", InSync), ("sdb3", InSync)], Err(()));
    }

    #[test]
    fn system_arrays_have_a_number_and_a_platform() {
        let qnap = nas();
        let mut linux = nas();
        linux.identity.platform = Observed::seen(Platform::Linux, "etc/os-release");
        for (name, slots, on_qnap, on_linux) in [
            ("md9", 32, true, true),
            ("md13", 128, true, true),
            ("md321", 2, true, false),
            ("md322", 2, true, false),
            ("md256", 2, true, false),
            ("md1", 4, false, false),
            ("md127", 2, false, false),
            ("md90", 2, false, false),
        ] {
            let array = array(name, "raid1", slots, &[]);
            assert_eq!(is_system(&qnap, &array), on_qnap, "{name} on a QNAP");
            assert_eq!(is_system(&linux, &array), on_linux, "{name} elsewhere");
        }
    }
}
