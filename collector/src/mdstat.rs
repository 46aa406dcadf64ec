//! `/proc/mdstat`, the one text about software RAID that every kernel writes.
//!
//! It is meant for people: no space before a colon in QNAP's, 128-slot maps of 130 characters, `resync=DELAYED` in
//! place of a progress bar, Synology's `(E)`. What is not understood is left out, never guessed; a file of another form
//! (Unraid writes `key=value`) gives no array. An array whose `N blocks` line is missing was cut, so its members are
//! Unreadable: one of them may be half filled. That nothing runs is only said when something follows the array.

use assay_bundle::Observed;
use assay_bundle::facts::md::{MdArray, MdMember, MdMemberFlag, MdMemberState};
use assay_bundle::units::Bytes;

use crate::lines;

/// The unit of `N blocks`.
const BLOCK_BYTES: u64 = 1024;

/// Reads a text that stands at `place`.
pub fn parse(text: &str, place: &str) -> Vec<MdArray> {
    let mut arrays: Vec<MdArray> = Vec::new();
    let mut body: Vec<&str> = Vec::new();
    for line in lines::whole(text).lines() {
        let next = head(line, place);
        if next.is_none() && line.starts_with([' ', '\t']) && !line.trim().is_empty() {
            body.push(line);
            continue;
        }
        finish(arrays.last_mut(), &body, true, place);
        // Nothing after the blank line below an array belongs to it.
        body.clear();
        arrays.extend(next);
    }
    finish(arrays.last_mut(), &body, false, place);
    arrays
}

/// `md1 : active (auto-read-only) raid1 sda3[0] sdb3[2](F)`.
fn head(line: &str, place: &str) -> Option<MdArray> {
    let (name, rest) = line.split_once(':')?;
    let name = name.trim_end();
    let is_name = name.starts_with("md") && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let mut words = rest.split_whitespace();
    let mut state = words.next().filter(|state| is_name && matches!(*state, "active" | "inactive"))?;
    let seen = |text: &str| Observed::seen(text.to_owned(), place);
    let mut level = Observed::NotCollected;
    let mut members = Vec::new();
    let mut whole = true;
    for word in words {
        match (member(word), word) {
            (Some(member), _) => members.push(member),
            (None, "(read-only)") => state = "readonly",
            (None, "(auto-read-only)") => state = "read-auto",
            (None, _) if is_level(word) && members.is_empty() => level = seen(word),
            // A word such as `sda3[x]` is a member that was not understood: the list is not the whole one.
            (None, _) if word.contains('[') => whole = false,
            (None, _) => {}
        }
    }
    Some(MdArray {
        name: name.to_owned(),
        level,
        state: seen(state),
        members: match whole {
            true => Observed::seen(members, place),
            false => {
                Observed::unreadable(format!("{place}: a member of {name} is not what members look like"))
            }
        },
        ..MdArray::default()
    })
}

/// Most slots that mdadm makes.
pub(crate) const MOST_SLOTS: u32 = 4096;

/// The kernel's words for a personality.
pub(crate) fn is_level(word: &str) -> bool {
    const LEVELS: [&str; 10] =
        ["linear", "raid0", "raid1", "raid4", "raid5", "raid6", "raid10", "multipath", "faulty", "container"];
    LEVELS.contains(&word)
}

/// `sdb3[2](F)`. The number is a descriptor, not a slot.
fn member(word: &str) -> Option<MdMember> {
    let (device, rest) = word.split_once('[')?;
    let (number, marks) = rest.split_once(']')?;
    if device.is_empty() || number.parse::<u32>().is_err() {
        return None;
    }
    let mut flags: Vec<MdMemberFlag> = [
        ("(W)", MdMemberFlag::WriteMostly),
        ("(J)", MdMemberFlag::Journal),
        ("(R)", MdMemberFlag::Replacement),
    ]
    .into_iter()
    .filter_map(|(mark, flag)| marks.contains(mark).then_some(flag))
    .collect();
    let state = if marks.contains("(F)") {
        MdMemberState::Faulty
    } else if marks.contains("(E)") {
        flags.push(MdMemberFlag::Error);
        MdMemberState::Other
    } else if marks.contains("(S)") {
        MdMemberState::Spare
    } else if marks.contains("(J)") || marks.contains("(R)") {
        MdMemberState::Other
    } else {
        MdMemberState::InSync
    };
    let device = device.to_owned();
    Some(MdMember { device, state, state_text: marks.to_owned(), flags, ..MdMember::default() })
}

/// Adds what the lines below an array say; `ended` when the text goes on behind them.
fn finish(array: Option<&mut MdArray>, body: &[&str], ended: bool, place: &str) {
    // Lines between two arrays, and a second end, belong to none.
    let Some(array) = array.filter(|array| array.sync_action.is_not_collected()) else { return };
    if body.is_empty() {
        if array.members.is_seen() {
            let why = format!("{place}: the text ends within {}", array.name);
            array.members = Observed::unreadable(why);
        }
        return;
    }
    let words = || body.iter().flat_map(|line| line.split_whitespace());
    if let Some(blocks) = body.iter().find_map(|line| before_word(line, "blocks")) {
        let bytes = blocks.parse::<u64>().ok().and_then(|blocks| blocks.checked_mul(BLOCK_BYTES));
        array.size_bytes = bytes.map_or(Observed::NotCollected, |bytes| Observed::seen(Bytes(bytes), place));
        // The kernel leaves the oldest format out.
        let format = words().skip_while(|word| *word != "super").nth(1).unwrap_or("0.90");
        array.metadata_version = Observed::seen(format.to_owned(), place);
    }
    if let Some((slots, up)) = words().find_map(slots) {
        array.raid_disks = Observed::seen(slots, place);
        array.missing = Observed::seen(slots.saturating_sub(up), place);
        mark_rebuilding(array, up);
    }
    match body.iter().find_map(|line| action(line)) {
        Some((action, progress)) => {
            array.sync_action = Observed::seen(action.to_owned(), place);
            array.sync_hundredths_of_percent = Observed::seen(progress.unwrap_or(0), place);
            array.sync_waits = Observed::seen(progress.is_none(), place);
        }
        None if ended => {
            array.sync_action = Observed::seen("idle".to_owned(), place);
            array.sync_waits = Observed::seen(false, place);
        }
        None => {}
    }
}

/// The word before `word`.
fn before_word<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(2).find(|pair| pair.last() == Some(&word)).and_then(|pair| pair.first().copied())
}

/// A member without a mark has a slot. Those beyond the ones that work are being filled, or wait for it: the one with
/// the highest descriptor was added last, and it stands first in the line.
fn mark_rebuilding(array: &mut MdArray, working: u32) {
    let Observed::Seen { value: members, .. } = &mut array.members else { return };
    let listed = members.iter().filter(|member| member.state == MdMemberState::InSync).count();
    let filling = listed.saturating_sub(usize::try_from(working).unwrap_or(usize::MAX));
    for member in members.iter_mut().filter(|member| member.state == MdMemberState::InSync).take(filling) {
        member.state = MdMemberState::Rebuilding;
    }
}

/// `[4/3]`: slots and working members.
fn slots(word: &str) -> Option<(u32, u32)> {
    let (slots, working) = word.strip_prefix('[')?.strip_suffix(']')?.split_once('/')?;
    let (slots, working): (u32, u32) = (slots.parse().ok()?, working.parse().ok()?);
    ((1..=MOST_SLOTS).contains(&slots) && working <= slots).then_some((slots, working))
}

/// `[==>..]  recovery = 12.6% (…)`: the action and hundredths of a percent; `resync=DELAYED`: none, it waits.
fn action(line: &str) -> Option<(&str, Option<u32>)> {
    const ACTIONS: [&str; 5] = ["resync", "recovery", "check", "reshape", "repair"];
    let (before, after) = line.split_once('=').map(|_| line).and_then(|line| {
        let at = ACTIONS.iter().filter_map(|action| line.find(action)).min()?;
        line.get(at..)?.split_once('=')
    })?;
    let action = before.trim();
    if !ACTIONS.contains(&action) {
        return None;
    }
    let percent = after.split_whitespace().next()?;
    if matches!(percent, "DELAYED" | "PENDING" | "REMOTE") {
        return Some((action, None));
    }
    let (whole, fraction) = percent.strip_suffix('%')?.split_once('.')?;
    let tenths: u32 = fraction.get(..1)?.parse().ok()?;
    let hundredths = whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(tenths * 10)?;
    (hundredths <= 10_000).then_some((action, Some(hundredths)))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::hostile;

    type Short<'a> = (&'a str, &'a str, Option<u32>, Option<u32>, &'a str, Option<u32>);

    fn check(text: &str, expected: &[Short<'_>]) {
        let arrays = parse(text, "proc/mdstat");
        let short: Vec<Short<'_>> = arrays
            .iter()
            .map(|a| {
                (
                    a.name.as_str(),
                    a.level.value().map_or("", String::as_str),
                    a.raid_disks.value().copied(),
                    a.missing.value().copied(),
                    a.sync_action.value().map_or("", String::as_str),
                    a.sync_hundredths_of_percent.value().copied(),
                )
            })
            .collect();
        assert_eq!(short, expected, "{text}");
    }

    #[test]
    fn arrays_of_all_kinds() {
        check("", &[]);
        check("Personalities : [raid1]\nunused devices: <none>\n", &[]);
        check("mdState=STARTED\nmdNumDisks=4\n", &[]);
        check(
            "Personalities : [raid1] [raid6] [raid5] [raid4]\n\
             md1 : active raid5 sdd3[4] sdc3[2](F) sdb3[1] sda3[0]\n      8760934848 blocks super 1.0 level 5, 512k chunk, algorithm 2 [4/3] [UU_U]\n      \n\
             md13 : active raid1 sdc4[35] sdb4[34] sda4[32] sdd4[33]\n      458880 blocks super 1.0 [32/4] [UUUU____________________________]\n\
             md321: active raid1 sdc5[0] [2/1] [U_]\n      8283712 blocks super 1.0 [2/1] [U_]\n\
             md7 : active (auto-read-only) raid0 sda5[0] sdb5[1]\n      99 blocks 64k chunks\n\
             md8 : inactive sde1[0](S)\n      99 blocks\n\nunused devices: <none>\n",
            &[
                ("md1", "raid5", Some(4), Some(1), "idle", None),
                ("md13", "raid1", Some(32), Some(28), "idle", None),
                ("md321", "raid1", Some(2), Some(1), "idle", None),
                ("md7", "raid0", None, None, "idle", None),
                ("md8", "", None, None, "idle", None),
            ],
        );
    }

    #[test]
    fn what_runs_and_how_far() {
        let head = "md1 : active raid1 sdb3[2] sda3[0]\n      9 blocks [2/1] [U_]\n";
        let expected = |action, progress| [("md1", "raid1", Some(2), Some(1), action, Some(progress))];
        check(
            &format!("{head}      [==>....]  recovery = 12.6% (3/9) finish=1.0min speed=1K/sec\n"),
            &expected("recovery", 1260),
        );
        check(&format!("{head}      \tresync=DELAYED\n"), &expected("resync", 0));
        check(&format!("{head}      [>]  check =  0.0% (3/9)\n"), &expected("check", 0));
        check(
            &format!("{head}      bitmap: 1/7 pages\n\n"),
            &[("md1", "raid1", Some(2), Some(1), "idle", None)],
        );
        // Whether nothing runs is not known when the text may have been cut here.
        check(&format!("{head}      bitmap: 1/7 pages\n"), &[("md1", "raid1", Some(2), Some(1), "", None)]);
        check(
            &format!("{head}      [>]  check = 100.1% (3/9)\n"),
            &[("md1", "raid1", Some(2), Some(1), "", None)],
        );
    }

    #[test]
    fn who_is_being_filled() {
        fn check(flags: &str, rest: &str, expected: &[MdMemberState]) {
            let text = format!(
                "md1 : active raid1 sdc3[3] sdb3[1]{flags} sda3[0]\n      9 blocks [3/1] [U__]\n{rest}"
            );
            let arrays = parse(&text, "proc/mdstat");
            let states: Vec<_> =
                arrays[0].members.value().expect("members").iter().map(|m| m.state).collect();
            assert_eq!(states, expected);
        }
        use MdMemberState::{Faulty, InSync, Rebuilding};
        check("(F)", "      [>]  recovery = 1.0% (1/9)\n", &[Rebuilding, Faulty, InSync]);
        check("(F)", "      resync=DELAYED\n", &[Rebuilding, Faulty, InSync]);
        check("(S)", "", &[Rebuilding, MdMemberState::Spare, InSync]);
        check("(E)", "", &[Rebuilding, MdMemberState::Other, InSync]);
        check("(J)", "", &[Rebuilding, MdMemberState::Other, InSync]);
    }

    #[test]
    fn marks_sizes_and_waiting() {
        let text = "md1 : active (auto-read-only) raid1 sdc3[3](W)(S) sdb3[1](J) sda3[0](W)(F)\n      9 blocks super 1.0 [2/1] [U_]\n      \tresync=PENDING\n\n\
                    md2 : inactive sdd[0](S)\n      7932 blocks super external:imsm\n\n\
                    md3 : active (read-only) linear sde1[0]\n      18446744073709551615 blocks 0k rounding\n\nunused devices: <none>\n";
        let arrays = parse(text, "proc/mdstat");
        let flags: Vec<_> =
            arrays[0].members.value().expect("members").iter().map(|m| m.flags.clone()).collect();
        use MdMemberFlag::{Journal, WriteMostly};
        assert_eq!(flags, [vec![WriteMostly], vec![Journal], vec![WriteMostly]]);
        let short: Vec<_> = arrays
            .iter()
            .map(|a| {
                (
                    a.state.value().map_or("", String::as_str),
                    a.metadata_version.value().map_or("", String::as_str),
                    a.size_bytes.value().map(|bytes| bytes.0),
                    a.sync_waits.value().copied(),
                )
            })
            .collect();
        assert_eq!(
            short,
            [
                ("read-auto", "1.0", Some(9216), Some(true)),
                ("inactive", "external:imsm", Some(7932 * 1024), Some(false)),
                ("readonly", "0.90", None, Some(false)),
            ]
        );
    }

    /// Every kind of line: a reshape, a rebuild, marks, a slot map of 128, a linear array.
    const WHOLE: &str = "Personalities : [linear] [raid1] [raid6] [raid5] [raid4]\n\
        md1 : active raid5 sdd3[4] sdc3[2](F) sdb3[1] sda3[0]\n      8760934848 blocks super 1.0 level 5, 512k chunk, algorithm 2 [4/2] [UU__]\n      [==>..................]  recovery = 12.6% (37043392/292945152) finish=127.5min speed=33440K/sec\n      bitmap: 3/22 pages [12KB], 65536KB chunk\n\n\
        md322 : active raid1 sdc5[2](S) sdb5[1] sda5[0]\n      7235136 blocks super 1.0 [2/2] [UU]\n      \tresync=DELAYED\n\n\
        md2 : active linear sde1[0]\n      2095104 blocks super 1.2 0k rounding\n\nunused devices: <none>\n";

    #[test]
    fn a_cut_or_damaged_text_says_nothing_else() {
        let parse = |bytes: &[u8]| parse(&String::from_utf8_lossy(bytes), "x");
        hostile::cut(WHOLE.as_bytes(), parse);
        hostile::mutate(WHOLE.as_bytes(), 1000, parse, |arrays| {
            for array in arrays {
                assert!(array.sync_hundredths_of_percent.value().is_none_or(|done| *done <= 10_000));
                let slots = array.raid_disks.value().copied().unwrap_or(u32::MAX);
                assert!(array.missing.value().is_none_or(|missing| *missing <= slots));
            }
        });
        for odd in [
            "md: :\n",
            "md1 : active\n",
            "md1 : active raid1 [[]] []](F)\n",
            "md1 : active x[y]\n [/] check = %\n recovery = 9.%\n",
        ] {
            parse(odd.as_bytes());
        }
    }
}
