//! Linux software RAID: `/sys/block/mdX/md/*` first, `/proc/mdstat` for what sysfs does not say.
//!
//! sysfs names each member's state and slot; mdstat is one text that all kernels have. QNAP's system arrays (md9,
//! md13) are made for 24 to 128 slots and never full, so `missing` is a plain number here and no judgement; what an
//! array is for follows from its number where QTS runs (`/etc/platform.conf` is there), and is Absent elsewhere. While
//! a reshape runs `raid_disks` reads `2 (1)`: the number to come and the one before. `sync_completed` reads `none`,
//! `delayed` or `N / M`. An array without redundancy (raid0, linear) has no `degraded` file. An empty `bad_blocks` is
//! an empty list; kernels before 3.1 have no such file.

use std::collections::BTreeMap;

use assay_bundle::Observed;
use assay_bundle::facts::md::{MdArray, MdMember, MdMemberFlag, MdMemberState, MdRole};
use assay_bundle::units::Bytes;

use crate::door::{ATTRIBUTE_BYTES, Door, understand};
use crate::source::Request;
use crate::{lines, mdstat};

const MDSTAT: &str = "/proc/mdstat";
const BLOCK: &str = "/sys/block";
/// Words of `array_state` (Documentation/admin-guide/md.rst).
const STATES: [&str; 10] = [
    "clear",
    "inactive",
    "suspended",
    "readonly",
    "read-auto",
    "clean",
    "active",
    "write-pending",
    "active-idle",
    "broken",
];
/// Only QTS and QuTS hero have it.
const PLATFORM_CONF: &str = "/etc/platform.conf";
/// The unit of `size`.
const SECTOR_BYTES: u64 = 512;
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
    let named_by = door.text(PLATFORM_CONF).await;
    for array in arrays.values_mut() {
        array.role = named_by.as_ref().map(|_| role(&array.name));
    }
    match failure {
        Some(failure) if arrays.is_empty() => failure.observed(),
        _ if arrays.is_empty() => Observed::Absent,
        Some(_) => Observed::seen(in_order(arrays), format!("{}/.list", &BLOCK[1..])),
        None => Observed::seen(in_order(arrays), place),
    }
}

/// The numbers of QTS and QuTS hero (real `/proc/mdstat` samples of both; qnap-platform.md 1.5b).
fn role(name: &str) -> MdRole {
    match name.strip_prefix("md").and_then(|number| number.parse::<u32>().ok()) {
        Some(9) => MdRole::Configuration,
        Some(13) => MdRole::Applications,
        Some(256 | 320..=329) => MdRole::Swap,
        _ => MdRole::Data,
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
    for device in
        files.iter().filter_map(|file| file.strip_prefix("dev-").filter(|device| !device.is_empty()))
    {
        let known = text.members.value().and_then(|all| all.iter().find(|member| member.device == device));
        members.push(member(door, &file(&format!("dev-{device}")), device, filling, known).await);
    }
    members.sort_by_key(|member| (member.slot.unwrap_or(u32::MAX), member.device.clone()));
    let members = if members.is_empty() {
        text.members
    } else {
        Observed::seen(members, format!("{}/.list", folder.trim_start_matches('/')))
    };
    let slots = door.value(&file("raid_disks"), "a number of slots", slots).await;
    let completed = door.value(&file("sync_completed"), "a progress", progress).await;
    Some(MdArray {
        name: name.to_owned(),
        // Filled in where all arrays are known.
        role: Observed::NotCollected,
        metadata_version: door.text(&file("metadata_version")).await.or(|| text.metadata_version),
        size_bytes: door
            .value(&format!("{BLOCK}/{name}/size"), "a number of sectors", sectors)
            .await
            .map(Bytes)
            .or(|| text.size_bytes),
        level: door
            .value(&file("level"), "a level of md", |text| mdstat::is_level(text).then(|| text.to_owned()))
            .await
            .or(|| text.level),
        state: door
            .value(&file("array_state"), "a state of md", |text| {
                STATES.contains(&text).then(|| text.to_owned())
            })
            .await
            .or(|| text.state),
        raid_disks_before: inside(&slots, |(_, before)| before),
        raid_disks: slots.map(|(slots, _)| slots).or(|| text.raid_disks),
        missing: door.number(&file("degraded")).await.or(|| text.missing),
        members,
        sync_action: sync_action.map(|action| action_name(&action).to_owned()).or(|| text.sync_action),
        // Where sysfs tells, it tells of now; the text may be of a moment before.
        sync_hundredths_of_percent: if completed.is_seen() {
            inside(&completed, Progress::hundredths)
        } else {
            inside(&completed, Progress::hundredths).or(|| text.sync_hundredths_of_percent)
        },
        sync_waits: completed.map(|done| done == Progress::Waits).or(|| text.sync_waits),
        last_sync_action: door
            .text(&file("last_sync_action"))
            .await
            .map(|action| action_name(&action).to_owned()),
        mismatch_sectors: door.number(&file("mismatch_cnt")).await,
    })
}

/// A part of a reading; Absent where the whole has no such part.
fn inside<T: Copy, U>(reading: &Observed<T>, part: impl FnOnce(T) -> Option<U>) -> Observed<U> {
    match reading {
        Observed::Seen { value, from } => {
            part(*value).map_or(Observed::Absent, |part| Observed::seen(part, from.as_str()))
        }
        Observed::Absent => Observed::Absent,
        Observed::Unreadable { why } => Observed::unreadable(why.as_str()),
        Observed::NotCollected => Observed::NotCollected,
    }
}

/// `2 (1)` while a reshape runs: the number to come, then the number before.
fn slots(text: &str) -> Option<(u32, Option<u32>)> {
    let number = |text: &str| text.parse().ok().filter(|slots| *slots <= mdstat::MOST_SLOTS);
    match text.split_once(' ') {
        None => Some((number(text)?, None)),
        Some((after, before)) => {
            let before = before.trim().strip_prefix('(')?.strip_suffix(')')?;
            Some((number(after)?, Some(number(before)?)))
        }
    }
}

fn sectors(text: &str) -> Option<u64> {
    text.parse::<u64>().ok()?.checked_mul(SECTOR_BYTES)
}

/// The word of facts for the word of sysfs.
fn action_name(action: &str) -> &str {
    if action == "recover" { "recovery" } else { action }
}

/// What `sync_completed` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// `none`.
    Nothing,
    /// `delayed`: it waits for an array that shares a disk.
    Waits,
    /// Hundredths of a percent of `N / M` sectors.
    Done(u32),
}

impl Progress {
    fn hundredths(self) -> Option<u32> {
        match self {
            Self::Nothing => None,
            Self::Waits => Some(0),
            Self::Done(hundredths) => Some(hundredths),
        }
    }
}

fn progress(text: &str) -> Option<Progress> {
    match text {
        "none" => Some(Progress::Nothing),
        "delayed" => Some(Progress::Waits),
        _ => {
            let (done, all) = text.split_once('/')?;
            let (done, all): (u128, u128) = (done.trim().parse().ok()?, all.trim().parse().ok()?);
            let hundredths = done.checked_mul(10_000)?.checked_div(all)?;
            u32::try_from(hundredths.min(10_000)).ok().map(Progress::Done)
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
    let (state, flags, state_text) = match state_text {
        Observed::Seen { value, .. } => (member_state(&value, slot, filling), flags(&value), value),
        _ => known.map_or((MdMemberState::Other, Vec::new(), String::new()), |known| {
            (known.state, known.flags.clone(), known.state_text.clone())
        }),
    };
    MdMember {
        device: device.to_owned(),
        slot,
        state,
        state_text,
        corrected_errors: corrected.value().copied(),
        flags,
        bad_block_sectors: bad_blocks(door, &format!("{folder}/bad_blocks")).await,
    }
}

/// `first length` a line. No line is no bad block.
async fn bad_blocks(door: &Door<'_>, path: &str) -> Observed<u64> {
    match door.ask(&Request::read(path, ATTRIBUTE_BYTES)).await {
        Ok(fetched) => {
            let text = Observed::seen(fetched.text(), fetched.place);
            door.noted(understand(text, path, "a list of bad blocks", count_bad))
        }
        Err(missing) => missing.observed(),
    }
}

fn count_bad(text: &str) -> Option<u64> {
    // The kernel stops at the end of a page, where half a line may stand.
    lines::whole(text).lines().try_fold(0_u64, |all, line| {
        let (first, length) = line.split_once(' ')?;
        let (_, length): (u64, u64) = (first.parse().ok()?, length.trim().parse().ok()?);
        all.checked_add(length)
    })
}

fn slot(text: &str) -> Option<Option<u32>> {
    if matches!(text, "none" | "journal") { Some(None) } else { text.parse().ok().map(Some) }
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

/// Marks in the same text.
fn flags(text: &str) -> Vec<MdMemberFlag> {
    const WORDS: [(&str, MdMemberFlag); 8] = [
        ("write_mostly", MdMemberFlag::WriteMostly),
        ("writemostly", MdMemberFlag::WriteMostly),
        ("journal", MdMemberFlag::Journal),
        ("replacement", MdMemberFlag::Replacement),
        ("want_replacement", MdMemberFlag::WantReplacement),
        ("write_error", MdMemberFlag::WriteError),
        ("blocked", MdMemberFlag::Blocked),
        ("failfast", MdMemberFlag::Failfast),
    ];
    let has = |word: &str| text.split([',', ' ']).any(|one| one.trim() == word);
    let mut flags: Vec<_> = WORDS.into_iter().filter(|(word, _)| has(word)).map(|(_, flag)| flag).collect();
    flags.dedup();
    flags
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
        check_state("spare,replacement", Some(1), true, MdMemberState::Other);
        use MdMemberFlag::{Blocked, Failfast, Replacement, WantReplacement, WriteError, WriteMostly};
        for (text, expected) in [
            ("in_sync", vec![]),
            ("in_sync,write_mostly,failfast", vec![WriteMostly, Failfast]),
            ("faulty,blocked,write_error", vec![WriteError, Blocked]),
            ("in_sync,want_replacement", vec![WantReplacement]),
            ("spare,replacement", vec![Replacement]),
        ] {
            assert_eq!(flags(text), expected, "{text}");
        }
        for (text, expected) in [
            ("", Some(0)),
            ("8 8\n1024 3\n", Some(11)),
            ("8 8\n1024", Some(8)),
            ("8\n", None),
            ("x y\n", None),
        ] {
            assert_eq!(count_bad(text), expected, "{text:?}");
        }
        use Progress::{Done, Nothing, Waits};
        fn check_progress(text: &str, expected: Option<Progress>) {
            assert_eq!(progress(text), expected, "{text}");
        }
        check_progress("none", Some(Nothing));
        check_progress("delayed", Some(Waits));
        check_progress("37043392 / 292945152", Some(Done(1264)));
        check_progress("1 / 0", None);
        check_progress("soon", None);
        assert_eq!((slots("2 (1)"), slots("32"), slots("")), (Some((2, Some(1))), Some((32, None)), None));
        assert_eq!((slots("2 (1"), slots("-1"), slots("4 4")), (None, None, None));
        assert_eq!((slot("journal"), slot("3"), slot("x")), (Some(None), Some(Some(3)), None));
    }

    #[test]
    fn whose_array_it_is_follows_from_its_number_on_qts_only() {
        fn check(name: &str, expected: MdRole) {
            let level = format!("sys/block/{name}/md/level");
            let of = |files: &[(&str, &str)]| arrays(files).value().expect("one array")[0].role.clone();
            assert_eq!(
                of(&[(&level, "raid1"), ("etc/platform.conf", "[MISC]")]),
                Observed::seen(expected, "etc/platform.conf")
            );
            assert_eq!(of(&[(&level, "raid1")]), Observed::Absent);
        }
        check("md9", MdRole::Configuration);
        check("md13", MdRole::Applications);
        check("md256", MdRole::Swap);
        check("md321", MdRole::Swap);
        check("md329", MdRole::Swap);
        check("md330", MdRole::Data);
        check("md1", MdRole::Data);
        check("md_d9", MdRole::Data);
        assert!(MdRole::Swap.is_system() && !MdRole::Data.is_system());
    }

    #[test]
    fn a_reshape_has_two_numbers() {
        let found = arrays(&[
            ("sys/block/md1/size", "2048\n"),
            ("sys/block/md1/md/metadata_version", "1.0\n"),
            ("sys/block/md1/md/raid_disks", "5 (4)\n"),
            ("sys/block/md1/md/sync_action", "reshape\n"),
            ("sys/block/md1/md/sync_completed", "delayed\n"),
            ("sys/block/md1/md/last_sync_action", "recover\n"),
            ("sys/block/md1/md/dev-sda3/state", "in_sync\n"),
            ("sys/block/md1/md/dev-sda3/bad_blocks", ""),
        ]);
        let md1 = &found.value().expect("one array")[0];
        assert_eq!((md1.raid_disks.value(), md1.raid_disks_before.value()), (Some(&5), Some(&4)));
        assert_eq!((md1.sync_waits.value(), md1.sync_hundredths_of_percent.value()), (Some(&true), Some(&0)));
        assert_eq!(md1.last_sync_action.value().map(String::as_str), Some("recovery"));
        assert_eq!(md1.size_bytes.value(), Some(&Bytes(1_048_576)));
        assert_eq!(md1.members.value().expect("one")[0].bad_block_sectors.value(), Some(&0));
    }
}
