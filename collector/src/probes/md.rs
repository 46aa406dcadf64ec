//! Linux software RAID: `/sys/block/mdX/md/*` first, `/proc/mdstat` for what sysfs does not say.
//!
//! sysfs names each member's state and slot; mdstat is one text that all kernels have. QNAP's system arrays (md9,
//! md13) are made for 24 to 128 slots and never full, so `missing` is a plain number here and no judgement. While a
//! reshape runs `raid_disks` reads `2 (1)`. An array without redundancy (raid0, linear) has no `degraded` file.

use std::collections::BTreeMap;

use assay_bundle::Observed;
use assay_bundle::facts::md::{MdArray, MdMember, MdMemberState};

use crate::door::Door;
use crate::mdstat;
use crate::source::Request;

const MDSTAT: &str = "/proc/mdstat";
const BLOCK: &str = "/sys/block";
/// Ample for hundreds of arrays of 128 slots.
const MDSTAT_BYTES: u64 = 1024 * 1024;

/// Reads every array.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<Vec<MdArray>> {
    let (text, place, failure) = match door.ask(&Request::read(MDSTAT, MDSTAT_BYTES)).await {
        Ok(fetched) => (fetched.text(), fetched.place, None),
        Err(missing) => (String::new(), String::new(), Some(missing)),
    };
    let mut arrays: BTreeMap<String, MdArray> =
        mdstat::parse(&text, &place).into_iter().map(|array| (array.name.clone(), array)).collect();
    for name in door.names(BLOCK).await.unwrap_or_default() {
        let is_array = name
            .strip_prefix("md")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '_'));
        if is_array || arrays.contains_key(&name) {
            let by_text = arrays.remove(&name);
            if let Some(array) = array(door, &name, by_text).await {
                arrays.insert(name, array);
            }
        }
    }
    match failure {
        Some(failure) if arrays.is_empty() => failure.observed(),
        _ if arrays.is_empty() => Observed::Absent,
        Some(_) => Observed::seen(in_order(arrays), format!("{}/.list", &BLOCK[1..])),
        None => Observed::seen(in_order(arrays), place),
    }
}

/// `md2` before `md10`.
fn in_order(arrays: BTreeMap<String, MdArray>) -> Vec<MdArray> {
    let mut all: Vec<MdArray> = arrays.into_values().collect();
    all.sort_by_key(|array| (array.name.len(), array.name.clone()));
    all
}

/// One array by sysfs, filled up from its text. A node without an `md` folder and without a text is no array.
async fn array(door: &Door<'_>, name: &str, by_text: Option<MdArray>) -> Option<MdArray> {
    let folder = format!("{BLOCK}/{name}/md");
    let file = |file: &str| format!("{folder}/{file}");
    let Ok(files) = door.names(&folder).await else { return by_text };
    let text = by_text.unwrap_or_default();
    let sync_action = door.text(&file("sync_action")).await;
    let filling =
        sync_action.value().is_some_and(|action| matches!(action.as_str(), "recover" | "resync" | "reshape"));
    let mut members = Vec::new();
    for device in files.iter().filter_map(|file| file.strip_prefix("dev-")) {
        let known = text.members.value().and_then(|all| all.iter().find(|member| member.device == device));
        members.push(member(door, &file(&format!("dev-{device}")), device, filling, known).await);
    }
    members.sort_by_key(|member| (member.slot.unwrap_or(u32::MAX), member.device.clone()));
    let members = if members.is_empty() {
        text.members
    } else {
        Observed::seen(members, format!("{}/.list", folder.trim_start_matches('/')))
    };
    Some(MdArray {
        name: name.to_owned(),
        level: door.text(&file("level")).await.or(|| text.level),
        state: door.text(&file("array_state")).await.or(|| text.state),
        raid_disks: door.value(&file("raid_disks"), "a number of slots", slots).await.or(|| text.raid_disks),
        missing: door.number(&file("degraded")).await.or(|| text.missing),
        members,
        sync_action: sync_action.map(|action| action_name(&action).to_owned()).or(|| text.sync_action),
        sync_hundredths_of_percent: match door.value(&file("sync_completed"), "a progress", progress).await {
            Observed::Seen { value: Some(done), from } => Observed::Seen { value: done, from },
            Observed::Seen { value: None, .. } => Observed::Absent,
            other => other.map(|_| 0).or(|| text.sync_hundredths_of_percent),
        },
        mismatch_sectors: door.number(&file("mismatch_cnt")).await,
    })
}

/// `2 (1)` while a reshape runs: the number to come, then the number before.
fn slots(text: &str) -> Option<u32> {
    text.split_whitespace().next()?.parse().ok()
}

/// The word of facts for the word of sysfs.
fn action_name(action: &str) -> &str {
    if action == "recover" { "recovery" } else { action }
}

/// Hundredths of a percent of `N / M` sectors; none when nothing runs, 0 when it waits.
fn progress(text: &str) -> Option<Option<u32>> {
    match text {
        "none" => Some(None),
        "delayed" => Some(Some(0)),
        _ => {
            let (done, all) = text.split_once('/')?;
            let (done, all): (u128, u128) = (done.trim().parse().ok()?, all.trim().parse().ok()?);
            let hundredths = done.checked_mul(10_000)?.checked_div(all)?;
            u32::try_from(hundredths.min(10_000)).ok().map(Some)
        }
    }
}

async fn member(
    door: &Door<'_>,
    folder: &str,
    device: &str,
    filling: bool,
    known: Option<&MdMember>,
) -> MdMember {
    let state_text = door.text(&format!("{folder}/state")).await;
    let slot = door.value(&format!("{folder}/slot"), "a slot or none", slot).await;
    let corrected = door.number(&format!("{folder}/errors")).await;
    let slot = slot.value().copied().flatten();
    let (state, state_text) = match state_text {
        Observed::Seen { value, .. } => (member_state(&value, slot, filling), value),
        _ => known
            .map_or((MdMemberState::Other, String::new()), |known| (known.state, known.state_text.clone())),
    };
    MdMember {
        device: device.to_owned(),
        slot,
        state,
        state_text,
        corrected_errors: corrected.value().copied(),
    }
}

fn slot(text: &str) -> Option<Option<u32>> {
    if text == "none" { Some(None) } else { text.parse().ok().map(Some) }
}

/// Words of `Documentation/admin-guide/md.rst`. A device that is being filled is a `spare` with a slot.
fn member_state(text: &str, slot: Option<u32>, filling: bool) -> MdMemberState {
    let has = |word: &str| text.split([',', ' ']).any(|one| one.trim() == word);
    if has("faulty") {
        MdMemberState::Faulty
    } else if has("journal") || has("replacement") {
        MdMemberState::Other
    } else if has("in_sync") {
        MdMemberState::InSync
    } else if has("spare") {
        if filling && slot.is_some() { MdMemberState::Rebuilding } else { MdMemberState::Spare }
    } else {
        MdMemberState::Other
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::door::testing::run;

    fn arrays(files: &[(&str, &str)]) -> Observed<Vec<MdArray>> {
        run(files, async |door| collect(door).await)
    }

    const MD1: [(&str, &str); 13] = [
        ("sys/block/md1/md/level", "raid5\n"),
        ("sys/block/md1/md/array_state", "clean\n"),
        ("sys/block/md1/md/raid_disks", "4\n"),
        ("sys/block/md1/md/degraded", "1\n"),
        ("sys/block/md1/md/sync_action", "recover\n"),
        ("sys/block/md1/md/sync_completed", "25 / 200\n"),
        ("sys/block/md1/md/mismatch_cnt", "8\n"),
        ("sys/block/md1/md/dev-sda3/state", "in_sync\n"),
        ("sys/block/md1/md/dev-sda3/slot", "0\n"),
        ("sys/block/md1/md/dev-sdb3/state", "faulty,write_error\n"),
        ("sys/block/md1/md/dev-sdb3/slot", "none\n"),
        ("sys/block/md1/md/dev-sdc3/state", "spare\n"),
        ("sys/block/md1/md/dev-sdc3/slot", "1\n"),
    ];

    #[test]
    fn sysfs_names_every_member() {
        let found = arrays(&MD1);
        let md1 = &found.value().expect("one array")[0];
        let members: Vec<_> = md1
            .members
            .value()
            .expect("members")
            .iter()
            .map(|m| (m.device.as_str(), m.slot, m.state))
            .collect();
        assert_eq!(
            members,
            [
                ("sda3", Some(0), MdMemberState::InSync),
                ("sdc3", Some(1), MdMemberState::Rebuilding),
                ("sdb3", None, MdMemberState::Faulty),
            ]
        );
        assert_eq!((md1.missing.value(), md1.sync_hundredths_of_percent.value()), (Some(&1), Some(&1250)));
        assert_eq!(md1.sync_action.value().map(String::as_str), Some("recovery"));
        assert_eq!(found.place(), Some("sys/block/.list"));
    }

    #[test]
    fn the_text_fills_the_gaps() {
        let text = "md1 : active raid5 sda3[0] sdb3[1](F)\n      9 blocks super 1.0 level 5 [4/3] [UUU_]\n";
        let found = arrays(&[
            ("proc/mdstat", text),
            ("sys/block/md1/md/dev-sdb3/slot", "1"),
            ("sys/block/md1/md/raid_disks", "what"),
        ]);
        let md1 = &found.value().expect("one array")[0];
        assert_eq!((md1.level.place(), md1.raid_disks.value()), (Some("proc/mdstat"), Some(&4)));
        assert_eq!(md1.members.value().expect("one")[0].state, MdMemberState::Faulty);
        let alone = arrays(&[("proc/mdstat", text)]);
        assert_eq!(alone.value().expect("one")[0].members.value().map(Vec::len), Some(2));
        assert_eq!(arrays(&[("proc/mdstat", "Personalities :\n")]), Observed::Absent);
        assert_eq!(arrays(&[("sys/block/mdx/size", "1")]), Observed::Absent);
    }

    #[test]
    fn words_of_sysfs() {
        fn check_state(text: &str, slot: Option<u32>, filling: bool, expected: MdMemberState) {
            assert_eq!(member_state(text, slot, filling), expected, "{text}");
        }
        check_state("in_sync,write_mostly", Some(0), false, MdMemberState::InSync);
        check_state("faulty,in_sync", Some(0), false, MdMemberState::Faulty);
        check_state("spare", None, true, MdMemberState::Spare);
        check_state("spare", Some(1), false, MdMemberState::Spare);
        check_state("spare", Some(1), true, MdMemberState::Rebuilding);
        check_state("journal", None, false, MdMemberState::Other);
        check_state("", None, false, MdMemberState::Other);
        fn check_progress(text: &str, expected: Option<Option<u32>>) {
            assert_eq!(progress(text), expected, "{text}");
        }
        check_progress("none", Some(None));
        check_progress("delayed", Some(Some(0)));
        check_progress("37043392 / 292945152", Some(Some(1264)));
        check_progress("1 / 0", None);
        check_progress("soon", None);
        assert_eq!((slots("2 (1)"), slots("32"), slots("")), (Some(2), Some(32), None));
    }
}
