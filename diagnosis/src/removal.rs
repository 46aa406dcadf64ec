//! May this drive be pulled now? The answer that costs data when it is wrong.
//!
//! Yes only when every array and pool that the drive is part of was read, runs, is not being rebuilt, and would keep
//! all its data even if every survivor that is itself in doubt failed too. Everything that was not read makes it
//! unknown. Refuses to say yes about storage that it cannot see: partitions outside md and ZFS on a machine that is no
//! QNAP, LVM or a file system on the drive itself, and drives that nothing which was read holds.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Removable, SafeToRemove};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::identity::Platform;
use assay_bundle::facts::md::{MdArray, MdMember, MdMemberFlag, MdMemberState};

use crate::arrays::{
    does_not_run, is_system, lacks_too_many, rebuilding, spare_redundancy, without_redundancy,
};
use crate::doubt::{self, Doubt};
use crate::evidence::listed;
use crate::pools;
use crate::subject::disk;

/// States of `array_state` in which an array runs (kernel documentation, md.rst). Anything else is not a promise.
const RUNNING: [&str; 6] = ["clean", "active", "active-idle", "write-pending", "readonly", "read-auto"];

/// Why a drive may not be pulled, or why nobody knows.
pub(crate) type Refusal = (Removable, String);

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

/// One reason against outweighs any doubt, and one doubt outweighs any number of arrays that would survive.
pub(crate) fn weightiest(refusals: impl IntoIterator<Item = Refusal>) -> Option<Refusal> {
    let mut doubt = None;
    for refusal in refusals {
        if refusal.0 == Removable::No {
            return Some(refusal);
        }
        doubt = doubt.or(Some(refusal));
    }
    doubt
}

/// Survivors weighed against the redundancy that is left: each that is in doubt, and each that was not read, counts as
/// one that may fail.
pub(crate) fn lean(name: &str, left: u32, survivors: &[(String, Doubt)]) -> Result<(), Refusal> {
    let told = |of: &dyn Fn(&Doubt) -> Option<String>| -> Vec<String> {
        survivors.iter().filter_map(|(who, doubt)| Some(format!("{who} ({})", of(doubt)?))).collect()
    };
    let doubted = told(&|doubt| match doubt {
        Doubt::Doubted(why) => Some(why.clone()),
        _ => None,
    });
    let unread = told(&|doubt| match doubt {
        Doubt::NotRead(why) => Some(why.clone()),
        _ => None,
    });
    let exceeds = |count: usize| u32::try_from(count).unwrap_or(u32::MAX) > left;
    if exceeds(doubted.len()) {
        return Err((Removable::No, format!("{name} would lean on {}", listed(&doubted))));
    }
    if exceeds(doubted.len().saturating_add(unread.len())) {
        let all: Vec<String> = doubted.into_iter().chain(unread).collect();
        return Err((Removable::Unknown, format!("{name} would lean on {}", listed(&all))));
    }
    Ok(())
}

fn judge(facts: &Facts, drive: &Drive) -> (Removable, String) {
    let mut refusals = Vec::new();
    let unknown = |why: String| (Removable::Unknown, why);
    let mut keeping = Vec::new();
    let mut whole_drives = true;
    let mut holds_data = false;

    match &facts.md_arrays {
        Observed::Seen { value: arrays, .. } => {
            if let Some(unread) = arrays.iter().find(|a| a.members.value().is_none()) {
                refusals.push(unknown(format!("the members of {} were not read", unread.name)));
            }
            for array in arrays {
                let own = own_members(array, drive);
                // What is left out of an array that stopped may be what brings it back.
                if !is_system(facts, array) && (does_not_run(array) || lacks_too_many(array).is_some()) {
                    let why = format!("{} is not whole, and this drive may be needed to save it", array.name);
                    refusals.push(unknown(why));
                }
                if own.is_empty() {
                    continue;
                }
                holds_data |= !is_system(facts, array);
                whole_drives &= own.iter().all(|m| disk(&m.device) == m.device);
                match one_array(facts, array, drive, &own) {
                    Ok(()) => keeping.push(array.name.clone()),
                    Err(refusal) => refusals.push(refusal),
                }
            }
        }
        Observed::Absent => {}
        other => {
            let why = format!("the arrays were not read: {}", other.why_not().unwrap_or_default());
            refusals.push(unknown(why));
        }
    }
    let in_pools = pools::without(facts, drive);
    whole_drives &= !in_pools.partitioned;
    holds_data |= !in_pools.keeping.is_empty();
    keeping.extend(in_pools.keeping);
    refusals.extend(in_pools.refusals);
    refusals.extend(on_the_drive_itself(facts, drive));

    if let Some(refusal) = weightiest(refusals) {
        return refusal;
    }
    if keeping.is_empty() {
        return unknown(
            "the drive is in no array or pool that was read; whether data lives on it is not known"
                .to_owned(),
        );
    }
    let qnap = matches!(facts.identity.platform.value(), Some(Platform::Qts | Platform::QutsHero));
    if !qnap && !whole_drives {
        return unknown("the drive has partitions, and those outside the arrays were not read".to_owned());
    }
    // Old firmware puts a file system on a single drive's partition, beside the system's own arrays.
    if !holds_data && !facts.mounts.is_seen() {
        return unknown(
            "the drive is in the system's own arrays only; whether a volume lies on it directly was not read"
                .to_owned(),
        );
    }
    keeping.sort();
    keeping.dedup();
    (
        Removable::Yes,
        format!("everything that it is part of keeps all data without it: {}", keeping.join(", ")),
    )
}

/// What would be lost with the drive because it lies on it without md or ZFS.
fn on_the_drive_itself(facts: &Facts, drive: &Drive) -> Vec<Refusal> {
    let here = |node: &str| disk(node) == disk(&drive.device);
    let mut refusals = Vec::new();
    let mounts = facts.mounts.value().into_iter().flatten();
    for mount in mounts.filter(|m| m.device.as_deref().is_some_and(here)) {
        let what = mount.mount_point.as_deref().unwrap_or("a file system");
        refusals.push((Removable::No, format!("{what} lies on this drive alone, without redundancy")));
    }
    let volumes = facts.physical_volumes.value().into_iter().flatten();
    if volumes.into_iter().any(|pv| pv.device.as_deref().is_some_and(here)) {
        let why = "LVM keeps data on this drive directly, and what it can lose is not known";
        refusals.push((Removable::Unknown, why.to_owned()));
    }
    refusals
}

fn own_members<'a>(array: &'a MdArray, drive: &Drive) -> Vec<&'a MdMember> {
    let members = array.members.value().into_iter().flatten();
    members.filter(|m| disk(&m.device) == disk(&drive.device)).collect()
}

fn one_array(facts: &Facts, array: &MdArray, drive: &Drive, own: &[&MdMember]) -> Result<(), Refusal> {
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
    if own.iter().any(|m| m.flags.contains(&MdMemberFlag::Journal)) {
        return no(format!("{} keeps its journal on it", array.name));
    }
    // A member that is already out, or that only waits, takes nothing with it.
    let working =
        own.iter().filter(|m| !matches!(m.state, MdMemberState::Faulty | MdMemberState::Spare)).count();
    if working == 0 {
        return Ok(());
    }
    if !without_redundancy(array) && !array.sync_action.is_seen() {
        return unknown(format!("whether {} is being rebuilt was not read", array.name));
    }
    let spare = match spare_redundancy(array) {
        Err(why) => return unknown(why),
        Ok(spare) => spare,
    };
    let Some(left) = spare.checked_sub(u32::try_from(working).unwrap_or(u32::MAX)) else {
        return no(format!("{} has no redundancy left without it", array.name));
    };
    let others = array.members.value().into_iter().flatten();
    let survivors: Vec<(String, Doubt)> = others
        .filter(|m| m.state == MdMemberState::InSync && disk(&m.device) != disk(&drive.device))
        .map(|m| (m.device.clone(), member_in_doubt(facts, m)))
        .collect();
    lean(&array.name, left, &survivors)
}

/// The member as md sees it, then its drive.
fn member_in_doubt(facts: &Facts, member: &MdMember) -> Doubt {
    use MdMemberFlag::{Blocked, Error, WantReplacement, WriteError};
    if member.bad_block_sectors.value().is_some_and(|n| *n > 0) {
        return Doubt::Doubted("md lists bad blocks on it".to_owned());
    }
    if member.flags.iter().any(|flag| matches!(flag, Blocked | Error | WantReplacement | WriteError)) {
        return Doubt::Doubted("md marked an error on it".to_owned());
    }
    doubt::of_device(facts, &member.device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{array, nas, with_arrays};
    use crate::subject::drive_of;
    use MdMemberState::{Faulty, InSync, Rebuilding};
    use assay_bundle::facts::lvm::PhysicalVolume;
    use assay_bundle::facts::mounts::{Mount, MountKind};

    fn check(facts: &Facts, device: &str, answer: Removable, why: &str) {
        let drive = drive_of(facts, device).cloned().unwrap_or_default();
        let got = safe_to_remove(facts, &drive);
        assert_eq!(got.answer, answer, "{got:?}");
        assert!(got.why.contains(why), "{got:?}");
    }

    fn raid5(third: MdMemberState) -> MdArray {
        array("md1", "raid5", 3, &[("sda3", InSync), ("sdb3", InSync), ("sdc3", third)])
    }

    /// The same with `change` done to one drive.
    fn with(mut facts: Facts, device: &str, change: impl Fn(&mut Drive)) -> Facts {
        if let Observed::Seen { value, .. } = &mut facts.drives {
            value.iter_mut().filter(|d| d.device == device).for_each(change);
        }
        facts
    }

    fn pending(drive: &mut Drive) {
        drive.pending_defects = Observed::seen(8, "cmd/smartctl.sat.sdb/stdout");
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

        let mut busy = raid5(InSync);
        busy.sync_action = Observed::NotCollected;
        check(&with_arrays(vec![busy]), "sdc", Removable::Unknown, "being rebuilt was not read");
        check(&with_arrays(vec![]), "sdc", Removable::Unknown, "no array");
    }

    #[test]
    fn a_kicked_member_may_go_and_the_rest_may_not() {
        let degraded = with_arrays(vec![raid5(Faulty)]);
        check(&degraded, "sdc", Removable::Yes, "md1");
        check(&degraded, "sda", Removable::No, "no redundancy left");
        check(&with_arrays(vec![raid5(Rebuilding)]), "sdc", Removable::No, "recovery");
        check(&with_arrays(vec![raid5(Rebuilding)]), "sda", Removable::No, "recovery");
        let mut journal = raid5(InSync);
        if let Observed::Seen { value, .. } = &mut journal.members {
            value[2].flags = vec![MdMemberFlag::Journal];
            value[2].state = MdMemberState::Spare;
        }
        check(&with_arrays(vec![journal]), "sdc", Removable::No, "journal");
    }

    #[test]
    fn what_is_out_of_a_collapsed_array_may_be_needed() {
        let members = [("sda3", InSync), ("sdb3", Faulty), ("sdc3", Faulty)];
        let collapsed = || array("md1", "raid5", 3, &members);
        check(&with_arrays(vec![collapsed()]), "sdc", Removable::Unknown, "needed to save it");
        let mut stopped = array("md1", "raid5", 3, &members[..2]);
        stopped.state = Observed::seen("inactive".to_owned(), "proc/mdstat");
        let beside = array("md2", "raid1", 2, &[("sdc3", InSync), ("sdd3", InSync)]);
        check(&with_arrays(vec![stopped, beside]), "sdc", Removable::Unknown, "needed to save it");
    }

    #[test]
    fn a_drive_that_holds_two_members_takes_both() {
        let twice = [("sda3", InSync), ("sda4", InSync)];
        check(&with_arrays(vec![array("md1", "raid1", 2, &twice)]), "sda", Removable::No, "no redundancy");
        let thrice = [("sda3", InSync), ("sda4", InSync), ("sdb3", InSync)];
        check(&with_arrays(vec![array("md1", "raid1", 3, &thrice)]), "sda", Removable::Yes, "md1");
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
        let whole = || with_arrays(vec![raid5(InSync)]);
        check(&with(whole(), "sdb", pending), "sda", Removable::No, "sdb3 (it has sectors");
        check(&with(whole(), "sdb", pending), "sdb", Removable::Yes, "md1");
        let mut facts = whole();
        facts.stuck_readers = Observed::seen(vec![crate::fixture::stuck("/dev/sdc")], "sample/stuck.json");
        check(&facts, "sda", Removable::No, "sdc3");
        let unread = with(whole(), "sdb", |d| {
            d.health_passed = Observed::unreadable("x");
            d.ata_attributes = Observed::NotCollected;
        });
        check(&unread, "sda", Removable::Unknown, "sdb3 (its health was not read)");
        let mut bad = raid5(InSync);
        if let Observed::Seen { value, .. } = &mut bad.members {
            value[1].bad_block_sectors = Observed::seen(16, "x");
        }
        check(&with_arrays(vec![bad]), "sda", Removable::No, "bad blocks");
        // A second redundancy carries one drive in doubt, and not two.
        let members = [("sda3", InSync), ("sdb3", InSync), ("sdc3", InSync), ("sdd3", InSync)];
        let mut six = with_arrays(vec![array("md1", "raid6", 4, &members)]);
        if let Observed::Seen { value, .. } = &mut six.drives {
            value.push(crate::fixture::hdd("sdd", 4));
        }
        let one = with(six, "sdb", pending);
        check(&one, "sda", Removable::Yes, "md1");
        check(
            &with(one, "sdc", pending),
            "sda",
            Removable::No,
            "sdb3 (it has sectors that it could not read) and sdc3",
        );
    }

    #[test]
    fn what_lies_on_the_drive_itself() {
        let system = || with_arrays(vec![array("md9", "raid1", 24, &[("sda1", InSync), ("sdb1", InSync)])]);
        check(&system(), "sda", Removable::Unknown, "own arrays only");
        let mounted = |device: &str| {
            let mount = Mount {
                kind: MountKind::DataVolume,
                mount_point: Some("/share/HDA_DATA".to_owned()),
                device: Some(device.to_owned()),
                ..Mount::default()
            };
            Facts { mounts: Observed::seen(vec![mount], "proc/mounts"), ..system() }
        };
        check(&mounted("sda3"), "sda", Removable::No, "/share/HDA_DATA lies on this drive alone");
        check(&mounted("mapper/cachedev1"), "sda", Removable::Yes, "md9");
        let volume = PhysicalVolume { device: Some("sda3".to_owned()), ..PhysicalVolume::default() };
        let lvm =
            Facts { physical_volumes: Observed::seen(vec![volume], "x"), ..mounted("mapper/cachedev1") };
        check(&lvm, "sda", Removable::Unknown, "LVM");
    }
}
