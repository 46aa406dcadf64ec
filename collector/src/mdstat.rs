//! `/proc/mdstat`, the one text about software RAID that every kernel writes.
//!
//! It is meant for people: no space before a colon in QNAP's, 128-slot maps of 130 characters, `resync=DELAYED` in
//! place of a progress bar. What is not understood is left out, never guessed; a file of another form (Unraid writes
//! `key=value`) gives no array.

use assay_bundle::Observed;
use assay_bundle::facts::md::{MdArray, MdMember, MdMemberState};

/// Reads a text that stands at `place`.
pub(crate) fn parse(text: &str, place: &str) -> Vec<MdArray> {
    let mut arrays: Vec<MdArray> = Vec::new();
    let mut body: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(array) = head(line, place) {
            finish(arrays.last_mut(), &body, place);
            body.clear();
            arrays.push(array);
        } else if line.starts_with([' ', '\t']) {
            body.push(line);
        } else {
            finish(arrays.last_mut(), &body, place);
            body.clear();
        }
    }
    finish(arrays.last_mut(), &body, place);
    arrays
}

/// `md1 : active (auto-read-only) raid1 sda3[0] sdb3[2](F)`.
fn head(line: &str, place: &str) -> Option<MdArray> {
    let (name, rest) = line.split_once(':')?;
    let name = name.trim_end();
    let is_name = name.starts_with("md") && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let mut words = rest.split_whitespace();
    let state = words.next().filter(|state| is_name && matches!(*state, "active" | "inactive"))?;
    let seen = |text: &str| Observed::seen(text.to_owned(), place);
    let mut level = Observed::NotCollected;
    let mut members = Vec::new();
    for word in words {
        match member(word) {
            Some(member) => members.push(member),
            None if !word.starts_with(['(', '[']) && members.is_empty() => level = seen(word),
            None => {}
        }
    }
    Some(MdArray {
        name: name.to_owned(),
        level,
        state: seen(state),
        members: Observed::seen(members, place),
        sync_action: seen("idle"),
        ..MdArray::default()
    })
}

/// `sdb3[2](F)`. The number is a descriptor, not a slot.
fn member(word: &str) -> Option<MdMember> {
    let (device, rest) = word.split_once('[')?;
    let (number, flags) = rest.split_once(']')?;
    if device.is_empty() || number.parse::<u32>().is_err() {
        return None;
    }
    let state = if flags.contains("(F)") {
        MdMemberState::Faulty
    } else if flags.contains("(S)") {
        MdMemberState::Spare
    } else if flags.contains("(J)") || flags.contains("(R)") {
        MdMemberState::Other
    } else {
        MdMemberState::InSync
    };
    Some(MdMember {
        device: device.to_owned(),
        slot: None,
        state,
        state_text: flags.to_owned(),
        corrected_errors: None,
    })
}

fn finish(array: Option<&mut MdArray>, body: &[&str], place: &str) {
    let Some(array) = array else { return };
    let words = || body.iter().flat_map(|line| line.split_whitespace());
    let mut working = None;
    if let Some((slots, up)) = words().find_map(slots) {
        array.raid_disks = Observed::seen(slots, place);
        array.missing = Observed::seen(slots.saturating_sub(up), place);
        working = Some(up);
    }
    let Some((action, hundredths)) = body.iter().find_map(|line| action(line)) else { return };
    array.sync_action = Observed::seen(action.to_owned(), place);
    array.sync_hundredths_of_percent = Observed::seen(hundredths, place);
    if action == "recovery" {
        mark_rebuilding(array, working);
    }
}

/// Members beyond those that work are being filled: the one with the highest descriptor was added last, and it
/// stands first in the line.
fn mark_rebuilding(array: &mut MdArray, working: Option<u32>) {
    let (Observed::Seen { value: members, .. }, Some(working)) = (&mut array.members, working) else {
        return;
    };
    let listed = members.iter().filter(|member| member.state == MdMemberState::InSync).count();
    let filling = listed.saturating_sub(usize::try_from(working).unwrap_or(usize::MAX));
    for member in members.iter_mut().filter(|member| member.state == MdMemberState::InSync).take(filling) {
        member.state = MdMemberState::Rebuilding;
    }
}

/// `[4/3]`: slots and working members.
fn slots(word: &str) -> Option<(u32, u32)> {
    let (slots, working) = word.strip_prefix('[')?.strip_suffix(']')?.split_once('/')?;
    Some((slots.parse().ok()?, working.parse().ok()?))
}

/// `[==>..]  recovery = 12.6% (…)`, or `resync=DELAYED`.
fn action(line: &str) -> Option<(&str, u32)> {
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
        return Some((action, 0));
    }
    let (whole, fraction) = percent.strip_suffix('%')?.split_once('.')?;
    let tenths: u32 = fraction.get(..1)?.parse().ok()?;
    Some((action, whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(tenths * 10)?.min(10_000)))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

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
            &format!("{head}      bitmap: 1/7 pages\n"),
            &[("md1", "raid1", Some(2), Some(1), "idle", None)],
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
        check("(F)", "", &[InSync, Faulty, InSync]);
    }

    #[test]
    fn any_text_reads() {
        let text = "md1 : active raid1 sdb3[2](F) sda3[0]\n      9 blocks [2/1] [U_]\n      [=>] recovery = 12.6% (3/9)\n";
        for end in 0..text.len() {
            parse(&text[..end], "x");
        }
        for odd in [
            "md: :",
            "md1 : active",
            "md1 : active raid1 [[]] []](F)",
            "md1 : active x[y]\n [/] check = %\n recovery = 9.%",
        ] {
            parse(odd, "x");
        }
    }
}
