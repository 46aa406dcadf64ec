//! The text of a kernel log to its records: four spellings of the same thing.
//!
//! - `/dev/kmsg`: `priority,sequence,microseconds,flags;text`, a line break inside written as `\x0a`, followed by lines
//!   of ` KEY=value` that are no records (Documentation/ABI/testing/dev-kmsg);
//! - `dmesg`: `[   12.345678] text`, with `<3>` before it and the caller's `[    T1]` after it on some kernels;
//! - syslog: `May  4 03:02:01 nas kernel: [   12.345678] text`;
//! - QTS, persisted: `2022-05-04 03:02:01  [12.345678] text`.
//!
//! Where records have times, a line without one is the rest of the line before (a second line of one `printk`, or what
//! a mail program wrapped), unless it says something by itself.

use std::borrow::Cow;

/// Most lines that one record is put together from.
const MOST_WRAPS: usize = 4;
/// Most bytes of a record that is put together; the longest message of the kernel is 1 KiB.
const MOST_WRAPPED_BYTES: usize = 2048;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogicalLine<'a> {
    /// Number of its first line, from 1.
    pub(crate) number: u64,
    /// Whether its end was read: a last line without its line break may be cut.
    pub(crate) whole: bool,
    /// The kernel's number of the record.
    pub(crate) sequence: Option<u64>,
    /// Time since boot, in microseconds.
    pub(crate) at_us: Option<u64>,
    /// Time of day as written: `2022-05-04 03:02:01`.
    pub(crate) wall: Option<&'a str>,
    pub(crate) text: Cow<'a, str>,
}

/// The records of a text, in order.
pub(crate) struct LogicalLines<'a, F> {
    lines: std::iter::Peekable<std::iter::Zip<std::ops::RangeFrom<u64>, std::str::SplitInclusive<'a, char>>>,
    speaks: F,
}

impl<'a, F: Fn(&str) -> bool> LogicalLines<'a, F> {
    /// `speaks` says whether a line has a meaning of its own.
    pub(crate) fn new(text: &'a str, speaks: F) -> Self {
        Self { lines: (1_u64..).zip(text.split_inclusive('\n')).peekable(), speaks }
    }
}

impl<'a, F: Fn(&str) -> bool> Iterator for LogicalLines<'a, F> {
    type Item = LogicalLine<'a>;

    fn next(&mut self) -> Option<LogicalLine<'a>> {
        let (mut line, wraps) = loop {
            let (number, line) = self.lines.next()?;
            if let Some(found) = record(number, line) {
                break found;
            }
        };
        if !wraps {
            return Some(line);
        }
        for _ in 1..MOST_WRAPS {
            let Some((number, next)) = self.lines.peek().copied() else { break };
            let Some((more, stamped)) = record(number, next) else { break };
            if stamped || (self.speaks)(&more.text) {
                break;
            }
            let text = line.text.to_mut();
            if text.len() + more.text.len() > MOST_WRAPPED_BYTES {
                break;
            }
            text.push('\n');
            text.push_str(&more.text);
            line.whole = more.whole;
            self.lines.next();
        }
        Some(line)
    }
}

/// One line as a record, and whether it has a time before text that may go on in the next line.
fn record(number: u64, raw: &str) -> Option<(LogicalLine<'_>, bool)> {
    let line = raw.trim_end_matches(['\n', '\r']);
    if line.is_empty() || is_property(line) {
        return None;
    }
    let whole = line.len() < raw.len();
    let plain = |sequence, at_us, wall, text| LogicalLine { number, whole, sequence, at_us, wall, text };
    if let Some((sequence, at_us, text)) = kmsg(line) {
        let text = if text.contains("\\x0a") { Cow::Owned(text.replace("\\x0a", "\n")) } else { text.into() };
        return Some((plain(Some(sequence), Some(at_us), None, text), false));
    }
    let (wall, rest) = wall(line).map_or((None, line), |(wall, rest)| (Some(wall), rest));
    let (syslog, rest) = rest.split_once(" kernel: ").map_or((false, rest), |(_, rest)| (true, rest));
    let rest = match rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        Some((level, rest)) if level.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => rest,
    };
    let (at_us, text) = dmesg(rest).map_or((None, rest), |(at_us, text)| (Some(at_us), text));
    Some((plain(None, at_us, wall, text.into()), at_us.is_some() || wall.is_some() || syslog))
}

/// ` KEY=value` below a record of `/dev/kmsg`.
fn is_property(line: &str) -> bool {
    let key = line.strip_prefix(' ').and_then(|line| line.split_once('=')).map(|(key, _)| key);
    key.is_some_and(|key| !key.is_empty() && key.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
}

/// Whether a line is one of those that a system prints on its way down. That the disks were told to write back is
/// printed by every restart and shutdown, and by the removal of a single disk too: who asks looks at the last lines only.
pub(crate) fn is_shutdown(text: &str) -> bool {
    const LAST_WORDS: [&str; 6] = [
        "reboot: Restarting system",
        "reboot: Power down",
        "reboot: System halted",
        "md: stopping all md devices",
        "Synchronizing SCSI cache",
        "Kernel logging (proc) stopped",
    ];
    LAST_WORDS.iter().any(|words| text.contains(words))
}

/// Sequence number, time and text of a record of `/dev/kmsg`.
fn kmsg(line: &str) -> Option<(u64, u64, &str)> {
    let (prefix, text) = line.split_once(';')?;
    let mut fields = prefix.split(',');
    let _priority: u32 = fields.next()?.parse().ok()?;
    let sequence = fields.next()?.parse().ok()?;
    let at_us = fields.next()?.parse().ok()?;
    Some((sequence, at_us, text))
}

/// `YYYY-MM-DD HH:MM:SS` at the beginning, and what follows without the blanks.
pub(crate) fn wall(line: &str) -> Option<(&str, &str)> {
    const SHAPE: &[u8] = b"0000-00-00 00:00:00";
    let stamp = line.get(..SHAPE.len())?;
    let fits = stamp.bytes().zip(SHAPE).all(|(b, shape)| match shape {
        b'0' => b.is_ascii_digit(),
        other => b == *other,
    });
    let rest = line.get(SHAPE.len()..)?;
    (fits && (rest.is_empty() || rest.starts_with(' '))).then(|| (stamp, rest.trim_start()))
}

/// `[   12.345678] text`, with the caller in between on kernels that print it. QTS's own log may leave the fraction out.
fn dmesg(line: &str) -> Option<(u64, &str)> {
    let (stamp, text) = line.strip_prefix('[')?.split_once(']')?;
    let (seconds, fraction) = stamp.trim().split_once('.').unwrap_or((stamp.trim(), "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let seconds: u64 = seconds.parse().ok()?;
    let micros: u64 = format!("{fraction:0<6}").parse().ok()?;
    let text = text.strip_prefix(' ').unwrap_or(text);
    let text = match text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((caller, rest)) if caller.trim().starts_with(['T', 'C']) => rest,
        _ => text,
    };
    Some((seconds.checked_mul(1_000_000)?.checked_add(micros)?, text))
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(u64, Option<u64>, &str)]) {
        let lines: Vec<_> = LogicalLines::new(text, |line| line.contains("ata")).collect();
        let short: Vec<_> = lines.iter().map(|l| (l.number, l.at_us, l.text.as_ref())).collect();
        assert_eq!(short, expected, "{text}");
    }

    #[test]
    fn wrapped_lines_are_one_record() {
        check(
            "[ 1.0] md/raid1:md9: Disk failure on\nsdc1, disabling device.\n[ 2.0] x\n",
            &[
                (1, Some(1_000_000), "md/raid1:md9: Disk failure on\nsdc1, disabling device."),
                (3, Some(2_000_000), "x"),
            ],
        );
        check(
            "[ 1.0] x\nata3: hard resetting link\n",
            &[(1, Some(1_000_000), "x"), (2, None, "ata3: hard resetting link")],
        );
        check("no\ntimes\n", &[(1, None, "no"), (2, None, "times")]);
        check("6,1,5,-;a\\x0ab\n SUBSYSTEM=scsi\n6,2,6,-;c\n", &[(1, Some(5), "a\nb"), (3, Some(6), "c")]);
    }

    #[test]
    fn the_persisted_form_has_two_times() {
        let text = "2022-05-04 03:02:01  [   12.5] ata3: x\n2022-05-04 03:02:02  [13] y\n";
        let lines: Vec<_> = LogicalLines::new(text, |_| false).collect();
        let short: Vec<_> = lines.iter().map(|l| (l.wall, l.at_us, l.text.as_ref())).collect();
        assert_eq!(
            short,
            [
                (Some("2022-05-04 03:02:01"), Some(12_500_000), "ata3: x"),
                (Some("2022-05-04 03:02:02"), Some(13_000_000), "y"),
            ]
        );
        assert_eq!(wall("2022-05-04 03:02"), None);
        assert_eq!(wall("2022-05-04 03:02:011 x"), None);
    }

    #[test]
    fn a_last_line_may_be_cut() {
        let whole = |text: &str| LogicalLines::new(text, |_| false).map(|l| l.whole).collect::<Vec<_>>();
        assert_eq!(whole("a\nb"), [true, false]);
        assert_eq!(whole("a\nb\n"), [true, true]);
    }
}
