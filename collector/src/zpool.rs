//! What `zpool status` prints, as text of OpenZFS and of QuTS hero's fork, and as the JSON of `zpool status -j`.
//!
//! A pool is `key: value` lines whose colons stand below each other (so at most three blanks before a key), with lines
//! that go on further in: a tab in OpenZFS, four blanks in QuTS hero, eight in old releases. The tree's depth is two
//! blanks a step, counted from its own header. QuTS hero adds `prune:`, `expand:` and `ztier:`, which are survived, and
//! names devices by enclosure and bay. JSON has numbers as strings. Lists of damaged files (`-v`) are never read: their
//! names are the owner's.
//!
//! A text that goes on over several lines is only taken when another key follows, because the rest may have been cut.

mod json;

use assay_bundle::Observed;
use assay_bundle::facts::zfs::{
    ZfsClass, ZfsNumber, ZfsPool, ZfsScan, ZfsScanKind, ZfsScanState, ZfsVdev, ZfsVdevKind,
};

use crate::lines;

/// Reads text or JSON that stands at `place`: every pool, in order.
pub fn parse(text: &str, place: &str) -> Vec<ZfsPool> {
    if text.trim_start().starts_with('{') {
        return json::parse(text, place);
    }
    let mut pools: Vec<ZfsPool> = Vec::new();
    let mut open: Option<(&str, Vec<&str>)> = None;
    let mut tree = Tree::default();
    for line in lines::whole(text).lines() {
        if let Some((name, value)) = key(line) {
            if let (Some((name, value)), Some(pool)) = (open.take(), pools.last_mut()) {
                pair(pool, name, &value, place);
            }
            match name {
                "pool" => {
                    tree = Tree::default();
                    pools.push(ZfsPool { name: value.to_owned(), ..ZfsPool::default() });
                }
                // The one key that nothing follows; its first line is whole.
                "errors" => {
                    if let Some(pool) = pools.last_mut() {
                        errors(pool, value, place);
                    }
                }
                _ => open = Some((name, vec![value])),
            }
            continue;
        }
        match (&mut open, pools.last_mut()) {
            (Some(("config", _)), Some(pool)) => pool.vdevs.extend(tree.row(line, place)),
            (Some((_, value)), _) => value.push(line.trim()),
            _ => {}
        }
    }
    pools
}

/// Whether the description of a pool begins at this line.
pub(crate) fn begins(line: &str) -> bool {
    line.trim_ascii_start().starts_with("pool:")
        && matches!(key(line), Some(("pool", name)) if !name.is_empty())
}

/// `  pool: zpool1`.
fn key(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let indent = name.len() - name.trim_start_matches(' ').len();
    let name = name.trim_start_matches(' ');
    let is_key = indent <= 3 && !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase());
    (is_key && (value.is_empty() || value.starts_with(' '))).then(|| (name, value.trim()))
}

fn pair(pool: &mut ZfsPool, name: &str, value: &[&str], place: &str) {
    let words: Vec<&str> = value.iter().flat_map(|line| line.split_whitespace()).collect();
    let text = words.join(" ");
    match name {
        "state" => pool.state = Observed::seen(text, place),
        "status" => pool.status = Observed::seen(text, place),
        "action" => pool.action = Observed::seen(text, place),
        "see" => {
            pool.message_id = match text.find("ZFS-").and_then(|at| text.get(at..)) {
                Some(id) => {
                    let length = id.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'-').count();
                    Observed::seen(id.get(..length).unwrap_or_default().to_owned(), place)
                }
                None => Observed::unreadable(format!("{place}: \"see\" names no message")),
            }
        }
        // Old releases say `scrub:`.
        "scan" | "scrub" => pool.scan = Observed::seen(scan(&text), place),
        "config" => {
            // A pool says nothing where it has nothing to say.
            for reading in [&mut pool.status, &mut pool.action, &mut pool.message_id] {
                if reading.is_not_collected() {
                    *reading = Observed::Absent;
                }
            }
        }
        _ => {}
    }
}

fn errors(pool: &mut ZfsPool, value: &str, place: &str) {
    let count = match value.split_once(" data errors") {
        _ if value == "No known data errors" => Some(0),
        Some((count, _)) => count.trim().parse().ok(),
        None => None,
    };
    pool.errors_text = Observed::seen(value.to_owned(), place);
    pool.data_errors = match count {
        Some(count) => Observed::seen(count, place),
        None => Observed::unreadable(format!("{place}: \"errors\" names no number of errors")),
    };
}

/// `scrub repaired 0 in 2 days 00:36:53 with 0 errors on Thu Sep  3 02:36:56 2026`, and its relatives.
fn scan(text: &str) -> ZfsScan {
    let has = |part: &str| text.contains(part);
    let kind = if has("none requested") {
        ZfsScanKind::None
    } else if text.starts_with("resilver") {
        ZfsScanKind::Resilver
    } else if text.starts_with("scrub") {
        ZfsScanKind::Scrub
    } else {
        ZfsScanKind::Other
    };
    let state = if kind == ZfsScanKind::None {
        ZfsScanState::None
    } else if has("in progress") {
        ZfsScanState::InProgress
    } else if has(" paused ") {
        ZfsScanState::Paused
    } else if has(" canceled ") {
        ZfsScanState::Canceled
    } else if has(" repaired ") || has(" completed ") || text.starts_with("resilvered ") {
        ZfsScanState::Finished
    } else {
        ZfsScanState::Other
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let word_before = |what: &str| {
        let at = words.iter().position(|word| word.trim_end_matches(',') == what)?;
        words.get(at.checked_sub(1)?).copied()
    };
    let word_after = |what: &str| words.get(words.iter().position(|word| *word == what)? + 1).copied();
    let finished = state == ZfsScanState::Finished;
    let repaired = if finished {
        word_after("repaired").or_else(|| word_after("resilvered"))
    } else {
        word_before("repaired").or_else(|| word_before("resilvered"))
    };
    let ended = matches!(state, ZfsScanState::Finished | ZfsScanState::Canceled)
        .then(|| text.rsplit_once(" on "))
        .flatten()
        .map(|(_, date)| date.to_owned());
    ZfsScan {
        kind,
        state,
        done_hundredths_of_percent: word_before("done").and_then(percent),
        repaired_bytes: repaired.and_then(number),
        errors: word_before("errors").and_then(|count| count.parse().ok()),
        ended,
        text: text.to_owned(),
    }
}

/// `12.34%` as 1234.
fn percent(word: &str) -> Option<u32> {
    let word = word.strip_suffix('%')?;
    let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
    let digit = |at: usize| match fraction.as_bytes().get(at) {
        None => Some(0),
        Some(digit) => char::from(*digit).to_digit(10),
    };
    let hundredths = whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(digit(0)? * 10 + digit(1)?)?;
    (hundredths <= 10_000).then_some(hundredths)
}

/// `0`, `0B`, `512B`, `1.2K`, `3.41T`.
fn number(word: &str) -> Option<ZfsNumber> {
    const UNITS: [(char, u32); 7] =
        [('B', 0), ('K', 10), ('M', 20), ('G', 30), ('T', 40), ('P', 50), ('E', 60)];
    let shift = UNITS.iter().find_map(|(unit, shift)| word.strip_suffix(*unit).map(|rest| (rest, *shift)));
    let (digits, shift) = shift.unwrap_or((word, 0));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || fraction.len() > 4 || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let unit = 1_u128 << shift;
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? };
    let value =
        whole.parse::<u64>().ok().map(u128::from)?.checked_mul(unit)?.checked_add(part * unit / scale)?;
    Some(ZfsNumber { value: u64::try_from(value).ok()?, rounded: shift > 0 })
}

/// The table of a pool, line by line.
#[derive(Default)]
struct Tree {
    /// Blanks before the header, once it was there.
    indent: Option<usize>,
    /// Whether the table has a column of slow requests (`-s`).
    slow: bool,
    class: ZfsClass,
}

impl Tree {
    fn row(&mut self, line: &str, place: &str) -> Option<ZfsVdev> {
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = *words.first()?;
        let Some(base) = self.indent else {
            if words.starts_with(&["NAME", "STATE"]) {
                self.indent = Some(indent);
                self.slow = words.contains(&"SLOW");
            }
            return None;
        };
        let depth = u32::try_from(indent.checked_sub(base)? / 2).ok()?;
        if depth == 0
            && words.len() == 1
            && let Some(class) = class(name)
        {
            self.class = class;
            return None;
        }
        let mut rest = words.iter().skip(1).copied().peekable();
        let state =
            rest.next().map_or(Observed::NotCollected, |state| Observed::seen(state.to_owned(), place));
        let mut counters = [Observed::Absent, Observed::Absent, Observed::Absent];
        // A spare waits and has none.
        if self.class != ZfsClass::Spare {
            for counter in &mut counters {
                *counter = match rest.next_if(|word| number(word).is_some()).and_then(number) {
                    Some(number) => Observed::seen(number, place),
                    None => Observed::unreadable(format!("{place}: a counter of a device is no number")),
                };
            }
            if self.slow {
                let _ = rest.next_if(|word| number(word).is_some() || *word == "-");
            }
        }
        let [read_errors, write_errors, checksum_errors] = counters;
        let note: Vec<&str> = rest.collect();
        let note = (!note.is_empty()).then(|| note.join(" "));
        let kind = kind(name, depth, self.class);
        let vdev = ZfsVdev { depth, kind, class: self.class, state, note, ..named(name) };
        Some(ZfsVdev { read_errors, write_errors, checksum_errors, ..vdev })
    }
}

fn class(name: &str) -> Option<ZfsClass> {
    match name {
        "logs" | "log" => Some(ZfsClass::Log),
        "cache" | "l2cache" => Some(ZfsClass::Cache),
        "spares" => Some(ZfsClass::Spare),
        "special" => Some(ZfsClass::Special),
        "dedup" => Some(ZfsClass::Dedup),
        _ => None,
    }
}

fn kind(name: &str, depth: u32, class: ZfsClass) -> ZfsVdevKind {
    const GROUPS: [&str; 6] = ["mirror-", "raidz", "draid", "spare-", "replacing-", "indirect-"];
    if depth == 0 && class == ZfsClass::Data {
        ZfsVdevKind::Pool
    } else if GROUPS.iter().any(|group| name.starts_with(group)) && class != ZfsClass::Spare {
        ZfsVdevKind::Group
    } else {
        ZfsVdevKind::Device
    }
}

/// A vdev of this name, with what QuTS hero's name says: `qzfs/enc_0/disk_0x4_5000C500E6B4AE7B_3` is the third
/// partition of the drive in bay 4 of enclosure 0.
fn named(name: &str) -> ZfsVdev {
    let said = name.rsplit_once("enc_").and_then(|(_, rest)| {
        let (enclosure, disk) = rest.split_once("/disk_0x")?;
        let (port, id) = disk.split_once('_')?;
        let (id, partition) = id.rsplit_once('_')?;
        partition.parse::<u32>().ok()?;
        Some((enclosure.parse().ok()?, u32::from_str_radix(port, 16).ok()?, id.to_owned()))
    });
    let (enclosure, bay, drive_id) = match said {
        Some((enclosure, bay, id)) => (Some(enclosure), Some(bay), Some(id)),
        None => (None, None, None),
    };
    ZfsVdev { name: name.to_owned(), enclosure, bay, drive_id, ..ZfsVdev::default() }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
