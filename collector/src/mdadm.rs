//! What `mdadm --detail` and `mdadm --query` print: for reports that a person pastes. The agent never runs mdadm; the
//! kernel's own files say the same.
//!
//! `Key : value` lines, then a table of members whose last column is the device. A container (`ddf`, `imsm`) has no
//! state, no slots and no words of state in its table; a row that says `removed` is an empty slot and no member. The
//! order of the words differs by release (`spare rebuilding`, `writemostly failfast spare rebuilding`). The array's name
//! carries the host's and is not read.

use assay_bundle::Observed;
use assay_bundle::facts::md::{MdArray, MdMember, MdMemberFlag, MdMemberState};
use assay_bundle::units::Bytes;

use crate::lines;

/// The unit of `Array Size`.
const KIB: u64 = 1024;

/// Reads a text that stands at `place`: every array that it describes, in order.
pub fn parse(text: &str, place: &str) -> Vec<MdArray> {
    let mut arrays: Vec<MdArray> = Vec::new();
    let mut table = false;
    for line in lines::whole(text).lines() {
        if let Some(array) = detail(line).or_else(|| query(line, place)) {
            table = false;
            arrays.push(array);
        } else if let Some(array) = arrays.last_mut() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.starts_with(&["Number", "Major", "Minor", "RaidDevice"]) {
                table = true;
                array.members = Observed::seen(Vec::new(), place);
            } else if table {
                if let (Some(member), Observed::Seen { value: members, .. }) =
                    (row(&words), &mut array.members)
                {
                    members.push(member);
                }
            } else if let Some((key, value)) = line.split_once(" : ") {
                pair(array, key.trim(), value.trim(), place);
            }
        }
    }
    arrays
}

/// Whether the description of an array begins at this line.
pub(crate) fn begins(line: &str) -> bool {
    line.starts_with("/dev/") && (detail(line).is_some() || query(line, "").is_some())
}

/// `/dev/md1:` alone on its line.
fn detail(line: &str) -> Option<MdArray> {
    let name = node(line.trim_end().strip_suffix(':')?)?;
    Some(MdArray { name: name.to_owned(), ..MdArray::default() })
}

/// `/dev/md1: 5.46TiB raid1 2 devices, 1 spare. Use mdadm --detail for more detail.`
fn query(line: &str, place: &str) -> Option<MdArray> {
    let (name, rest) = line.split_once(": ")?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [_, level, slots, devices, ..] = *words.as_slice() else { return None };
    if !matches!(devices, "devices," | "device,") {
        return None;
    }
    Some(MdArray {
        name: node(name)?.to_owned(),
        level: Observed::seen(level.to_owned(), place),
        raid_disks: Observed::seen(slots.parse().ok()?, place),
        ..MdArray::default()
    })
}

/// `md1` of `/dev/md1`, `md/volume` of `/dev/md/volume`.
fn node(path: &str) -> Option<&str> {
    let name = path.strip_prefix("/dev/")?;
    (name.starts_with("md") && !name.contains(char::is_whitespace)).then_some(name)
}

fn pair(array: &mut MdArray, key: &str, value: &str, place: &str) {
    let seen = |text: &str| Observed::seen(text.to_owned(), place);
    let number = || value.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
    match key {
        "Version" => array.metadata_version = seen(value),
        "Raid Level" => array.level = seen(value),
        "Array Size" => {
            let bytes = number().and_then(|kib| kib.checked_mul(KIB));
            array.size_bytes = understood(bytes.map(Bytes), key, place);
        }
        "Raid Devices" => {
            array.raid_disks = understood(number().and_then(|n| u32::try_from(n).ok()), key, place);
        }
        "Active Devices" => {
            let active = number().and_then(|n| u32::try_from(n).ok());
            let slots = array.raid_disks.value().copied();
            array.missing = match slots {
                Some(slots) => understood(active.map(|active| slots.saturating_sub(active)), key, place),
                None => Observed::NotCollected,
            };
        }
        "State" => {
            let mut words = value.split(',').map(str::trim);
            array.state = seen(words.next().unwrap_or_default());
            let action = words.find_map(action);
            array.sync_waits =
                Observed::seen(value.contains("(DELAYED)") || value.contains("(PENDING)"), place);
            array.sync_action = seen(action.unwrap_or("idle"));
        }
        "Rebuild Status" | "Resync Status" | "Check Status" | "Reshape Status" => {
            let percent = value.split_once('%').and_then(|(percent, _)| percent.trim().parse::<u32>().ok());
            let hundredths = percent.filter(|percent| *percent <= 100).map(|percent| percent * 100);
            array.sync_hundredths_of_percent = understood(hundredths, key, place);
        }
        _ => {}
    }
}

fn understood<T>(value: Option<T>, key: &str, place: &str) -> Observed<T> {
    match value {
        Some(value) => Observed::seen(value, place),
        None => Observed::unreadable(format!("{place}: {key:?} is not a number of its range")),
    }
}

/// A word of `State` that says what runs, in the words of facts.
fn action(word: &str) -> Option<&'static str> {
    match word.split_whitespace().next()? {
        "recovering" => Some("recovery"),
        "resyncing" => Some("resync"),
        "reshaping" => Some("reshape"),
        "checking" => Some("check"),
        _ => None,
    }
}

/// `0  8  17  0  active sync  /dev/sdb1`; `None` for an empty slot and for anything else.
fn row(words: &[&str]) -> Option<MdMember> {
    let [number, major, minor, slot, states @ .., device] = words else { return None };
    if ![number, major, minor, slot].iter().all(|word| **word == "-" || word.parse::<u32>().is_ok()) {
        return None;
    }
    let device = device.strip_prefix("/dev/")?;
    let has = |word: &str| states.contains(&word);
    let flags = [
        (has("writemostly") || has("write-mostly"), MdMemberFlag::WriteMostly),
        (has("journal"), MdMemberFlag::Journal),
        (has("replacement"), MdMemberFlag::Replacement),
        (has("failfast"), MdMemberFlag::Failfast),
    ];
    let state = if has("faulty") {
        MdMemberState::Faulty
    } else if has("journal") || has("replacement") {
        MdMemberState::Other
    } else if has("rebuilding") {
        MdMemberState::Rebuilding
    } else if has("spare") {
        MdMemberState::Spare
    } else if has("active") && has("sync") || states.iter().any(|word| word.starts_with("sync")) {
        MdMemberState::InSync
    } else {
        MdMemberState::Other
    };
    Some(MdMember {
        device: device.to_owned(),
        slot: slot.parse().ok(),
        state,
        state_text: states.join(" "),
        flags: flags.into_iter().filter_map(|(set, flag)| set.then_some(flag)).collect(),
        ..MdMember::default()
    })
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::hostile;

    const WHOLE: &str = "/dev/md1:\n           Version : 1.0\n     Creation Time : Mon May  4 03:02:01 2020\n        \
        Raid Level : raid5\n        Array Size : 8760934848 (8355.08 GiB 8971.20 GB)\n      Raid Devices : 4\n     \
        Total Devices : 4\n\n             State : clean, degraded, recovering \n    Active Devices : 3\n   \
        Working Devices : 4\n    Failed Devices : 1\n     Spare Devices : 1\n\n    Rebuild Status : 24% complete\n\n              \
        Name : 1\n            Events : 57\n\n    Number   Major   Minor   RaidDevice State\n       \
        0       8        3        0      active sync   /dev/sda3\n       4       8       19        1      writemostly failfast spare rebuilding   /dev/sdb3\n       \
        2       8       35        2      active sync   /dev/sdc3\n       -       0        0        3      removed\n\n       \
        3       8       51        -      faulty   /dev/sdd3\n       5       8       67        -      spare   /dev/sde3\n       \
        6       8       83        -      journal   /dev/sdf3\n";

    #[test]
    fn an_array_and_its_members() {
        let arrays = parse(WHOLE, "x");
        let [md1] = arrays.as_slice() else { panic!("one array") };
        assert_eq!((md1.name.as_str(), md1.level.value().map(String::as_str)), ("md1", Some("raid5")));
        assert_eq!((md1.state.value().map(String::as_str), md1.missing.value()), (Some("clean"), Some(&1)));
        assert_eq!(md1.sync_action.value().map(String::as_str), Some("recovery"));
        assert_eq!(md1.sync_hundredths_of_percent.value(), Some(&2400));
        let members: Vec<_> =
            md1.members.value().unwrap().iter().map(|m| (m.device.as_str(), m.slot, m.state)).collect();
        use MdMemberState::{Faulty, InSync, Other, Rebuilding, Spare};
        assert_eq!(
            members,
            [
                ("sda3", Some(0), InSync),
                ("sdb3", Some(1), Rebuilding),
                ("sdc3", Some(2), InSync),
                ("sdd3", None, Faulty),
                ("sde3", None, Spare),
                ("sdf3", None, Other),
            ]
        );
        assert_eq!(
            md1.members.value().unwrap()[1].flags,
            [MdMemberFlag::WriteMostly, MdMemberFlag::Failfast]
        );
    }

    #[test]
    fn what_runs() {
        fn check(state: &str, action: &str, waits: bool) {
            let arrays = parse(&format!("/dev/md0:\n  State : {state}\n"), "x");
            let found = (arrays[0].sync_action.value().map(String::as_str), arrays[0].sync_waits.value());
            assert_eq!(found, (Some(action), Some(&waits)), "{state}");
        }
        check("clean ", "idle", false);
        check("active, checking", "check", false);
        check("clean, resyncing (DELAYED) ", "resync", true);
        check("clean, resyncing (PENDING)", "resync", true);
        check("active, degraded, reshaping", "reshape", false);
        check("clean, FAILED", "idle", false);
    }

    #[test]
    fn containers_short_answers_and_other_texts() {
        fn check(text: &str, expected: &[(&str, &str, Option<u32>, Option<usize>)]) {
            let arrays = parse(text, "x");
            let found: Vec<_> = arrays
                .iter()
                .map(|a| {
                    let level = a.level.value().map_or("", String::as_str);
                    (a.name.as_str(), level, a.raid_disks.value().copied(), a.members.value().map(Vec::len))
                })
                .collect();
            assert_eq!(found, expected, "{text}");
        }
        check(
            "/dev/md0:\n           Version : ddf\n        Raid Level : container\n     Total Devices : 2\n\n    \
             Number   Major   Minor   RaidDevice\n\n       -     254        0        -        /dev/vda\n       \
             -     254       16        -        /dev/vdb\n",
            &[("md0", "container", None, Some(2))],
        );
        check(
            "/dev/md127: 99.00MiB raid1 2 devices, 1 spare. Use mdadm --detail for more detail.\n",
            &[("md127", "raid1", Some(2), None)],
        );
        check("/dev/md/data:\n        Raid Level : raid1\n", &[("md/data", "raid1", None, None)]);
        check("/dev/sda1: is not an md array\nmdadm: cannot open /dev/md0\n/dev/sda:\n", &[]);
        check("", &[]);
    }

    #[test]
    fn a_cut_or_damaged_text_says_nothing_else() {
        let parse = |bytes: &[u8]| parse(&String::from_utf8_lossy(bytes), "x");
        hostile::cut(WHOLE.as_bytes(), parse);
        hostile::mutate(WHOLE.as_bytes(), 1000, parse, |arrays| {
            for array in arrays {
                assert!(array.sync_hundredths_of_percent.value().is_none_or(|done| *done <= 10_000));
            }
        });
    }
}
