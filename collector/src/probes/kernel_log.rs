//! The kernel log: `/dev/kmsg` records, or the text that `dmesg` makes of them, classified by signature.
//!
//! Every Linux has it. The ring is small: what happened before its first record is not here, which is why the fact
//! carries the times of the first and last record. One event may span several records (libata) and one record several
//! lines (md prints two with one call; kmsg writes the newline as `\x0a`). Plain text occurs in recorded devices,
//! since that is what an owner can paste. The lines themselves stay in `raw/`.

use assay_bundle::Observed;
use assay_bundle::facts::kernel_log::{KernelEvent, KernelLog};

use crate::door::Door;
use crate::signatures::Matcher;
use crate::source::Request;

/// Lines after one that names an ATA port during which an unnamed one still belongs to it (libata prints at most
/// four lines for one failed command).
const ATA_CONTEXT_LINES: u64 = 4;
/// Repeats within this time of the last one are one event: below any window of a rate rule, so no rate is changed.
const FOLD_WITHIN_US: u64 = 1_000_000;

/// Reads the log.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<KernelLog> {
    match door.ask(&Request::KernelLog).await {
        Ok(fetched) => door.noted(parse(&fetched.bytes, fetched.truncated, &fetched.place)),
        Err(missing) => missing.required("the kernel log"),
    }
}

/// One record as it was found.
#[derive(Debug, PartialEq, Eq)]
struct Record<'a> {
    sequence: Option<u64>,
    at_us: Option<u64>,
    text: &'a str,
}

/// Reads a log that stands at `place`; `cut` says that the reader left something out.
pub fn parse(bytes: &[u8], cut: bool, place: &str) -> Observed<KernelLog> {
    let matcher = match Matcher::get() {
        Ok(matcher) => matcher,
        Err(why) => return Observed::unreadable(format!("{place}: {why}")),
    };
    let text = String::from_utf8_lossy(bytes);
    let mut log = KernelLog { lost: cut, ..KernelLog::default() };
    let mut sequence = None;
    let mut ata: Option<(String, u64)> = None;
    let mut folding = Folding::default();
    for (number, line) in (1_u64..).zip(text.lines()) {
        let Some(record) = record(line) else { continue };
        log.records += 1;
        log.first_us = log.first_us.or(record.at_us);
        log.last_us = record.at_us.or(log.last_us);
        if let (Some(before), Some(now)) = (sequence, record.sequence) {
            log.lost |= now > before + 1;
        }
        sequence = record.sequence.or(sequence);
        let unescaped = record.text.replace("\\x0a", "\n");
        if let Some(port) = matcher.ata_port(&unescaped) {
            ata = Some((port, number));
        }
        let Some(found) = matcher.line(&unescaped) else { continue };
        let recent = || {
            let (port, seen_at) = ata.as_ref()?;
            (number - seen_at <= ATA_CONTEXT_LINES).then(|| port.clone())
        };
        let subject = found.subject.or_else(|| if found.wants_ata { recent() } else { None });
        folding.keep(
            &mut log,
            KernelEvent {
                signature: found.name.to_owned(),
                subject,
                at_us: record.at_us,
                line: number,
                repeats: found.count,
            },
        );
    }
    Observed::seen(log, place)
}

/// Adds repeats to the event before.
#[derive(Default)]
struct Folding {
    last_at_us: Option<u64>,
}

impl Folding {
    fn keep(&mut self, log: &mut KernelLog, event: KernelEvent) {
        let near = match (self.last_at_us, event.at_us) {
            (Some(before), Some(now)) => now.saturating_sub(before) <= FOLD_WITHIN_US,
            (None, None) => true,
            _ => false,
        };
        self.last_at_us = event.at_us;
        if let Some(last) = log.events.last_mut()
            && near
            && log.events_left_out == 0
            && last.signature == event.signature
            && last.subject == event.subject
        {
            last.repeats = last.repeats.saturating_add(event.repeats);
        } else if log.events.len() < KernelLog::MOST_EVENTS {
            log.events.push(event);
        } else {
            log.events_left_out += 1;
        }
    }
}

/// One line: a kmsg record, a line of `dmesg`, or a line of syslog. kmsg follows a record with lines of
/// ` KEY=value`, which start with a blank and are no records.
fn record(line: &str) -> Option<Record<'_>> {
    if line.is_empty() || (line.starts_with(' ') && line.contains('=') && !line.contains(": ")) {
        return None;
    }
    if let Some(record) = kmsg(line) {
        return Some(record);
    }
    let line = line.split_once(" kernel: ").map_or(line, |(_, rest)| rest);
    let line = match line.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        Some((level, rest)) if level.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => line,
    };
    let Some((at_us, text)) = dmesg(line) else {
        return Some(Record { sequence: None, at_us: None, text: line });
    };
    Some(Record { sequence: None, at_us: Some(at_us), text })
}

/// `priority,sequence,microseconds,flags;text` (Documentation/ABI/testing/dev-kmsg).
fn kmsg(line: &str) -> Option<Record<'_>> {
    let (prefix, text) = line.split_once(';')?;
    let mut fields = prefix.split(',');
    let _priority: u32 = fields.next()?.parse().ok()?;
    let sequence = fields.next()?.parse().ok()?;
    let at_us = fields.next()?.parse().ok()?;
    Some(Record { sequence: Some(sequence), at_us: Some(at_us), text })
}

/// `[   12.345678] text`, with the caller's `[    T1]` in between on kernels that print it.
fn dmesg(line: &str) -> Option<(u64, &str)> {
    let (stamp, text) = line.strip_prefix('[')?.split_once(']')?;
    let (seconds, fraction) = stamp.trim().split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    if fraction.is_empty() || fraction.len() > 6 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros: u64 = format!("{fraction:0<6}").parse().ok()?;
    let text = text.strip_prefix(' ').unwrap_or(text);
    let text = match text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((caller, rest)) if caller.trim().starts_with(['T', 'C']) => rest,
        _ => text,
    };
    Some((seconds.checked_mul(1_000_000)?.checked_add(micros)?, text))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    type Found = (String, Option<String>, Option<u64>, u64, u64);
    type Expected<'a> = (&'a str, Option<&'a str>, Option<u64>, u64, u64);

    fn events(text: &str) -> Vec<Found> {
        let log = parse(text.as_bytes(), false, "dev/kmsg");
        let log = log.value().expect("a log always reads");
        let short = |e: &KernelEvent| (e.signature.clone(), e.subject.clone(), e.at_us, e.line, e.repeats);
        log.events.iter().map(short).collect()
    }

    fn check(text: &str, expected: &[Expected<'_>]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(a, b, c, d, e)| ((*a).to_owned(), b.map(str::to_owned), *c, *d, *e))
            .collect();
        assert_eq!(events(text), expected, "{text}");
    }

    #[test]
    fn kmsg_dmesg_and_syslog_say_the_same() {
        let expected = |line| [("ata-link-reset", Some("ata3"), Some(12_345_678), line, 1)];
        check("6,7,12345678,-;ata3: hard resetting link\n", &expected(1));
        check("[   12.345678] ata3: hard resetting link\n", &expected(1));
        check("[   12.345678][    T9] ata3: hard resetting link\n", &expected(1));
        check("<3>[   12.345678] ata3: hard resetting link\n", &expected(1));
        check("May  4 03:02:01 nas kernel: [   12.345678] ata3: hard resetting link", &expected(1));
        check("ata3: hard resetting link", &[("ata-link-reset", Some("ata3"), None, 1, 1)]);
    }

    #[test]
    fn one_event_over_several_lines_keeps_its_port() {
        check(
            "[ 1.0] ata3.00: exception Emask 0x0 SAct 0x1 SErr 0x0 action 0x6 frozen\n\
             [ 1.0] ata3.00: failed command: READ FPDMA QUEUED\n\
             [ 1.0] ata3.00: cmd 60/08:00:00:00:00/00:00:00:00:00/40 tag 0 ncq dma 4096 in\n\
             [ 1.0]          res 40/00:01:00:00:00/00:00:00:00:00/00 Emask 0x4 (timeout)\n",
            &[("ata-timeout", Some("ata3"), Some(1_000_000), 4, 1)],
        );
        check(
            "3,9,5,-;ata3.00: cmd 60/08:00\\x0a         res 40/00:01 Emask 0x4 (timeout)\n SUBSYSTEM=scsi\n DEVICE=+scsi:2\n",
            &[("ata-timeout", Some("ata3"), Some(5), 1, 1)],
        );
    }

    #[test]
    fn repeats_fold_within_a_second_and_no_longer() {
        let line = |at| format!("3,{at},{at},-;I/O error, dev sda, sector {at} op 0x0:(READ)\n");
        check(
            &format!("{}{}{}", line(1), line(2), line(900_000)),
            &[("io-error", Some("sda"), Some(1), 1, 3)],
        );
        check(
            &format!("{}{}", line(1), line(2_000_000)),
            &[("io-error", Some("sda"), Some(1), 1, 1), ("io-error", Some("sda"), Some(2_000_000), 2, 1)],
        );
    }

    #[test]
    fn lost_records_are_noticed() {
        fn check(text: &str, cut: bool, records: u64, lost: bool) {
            let log = parse(text.as_bytes(), cut, "dev/kmsg");
            let log = log.value().expect("a log always reads");
            assert_eq!((log.records, log.lost), (records, lost), "{text}");
        }
        check("", false, 0, false);
        check("6,1,1,-;a\n6,2,2,-;b\n", false, 2, false);
        check("6,1,1,-;a\n6,4,2,-;b\n", false, 2, true);
        check("6,1,1,-;a\n", true, 1, true);
    }

    #[test]
    fn more_events_than_are_kept_are_counted() {
        let text: String =
            (0..2_500_u64).map(|n| format!("3,{n},{n},-;ata{}: hard resetting link\n", n % 7)).collect();
        let log = parse(text.as_bytes(), false, "dev/kmsg");
        let log = log.value().expect("a log always reads");
        assert_eq!((log.events.len(), log.events_left_out), (KernelLog::MOST_EVENTS, 500));
    }

    #[test]
    fn any_bytes_read() {
        let text = "3,9,5,-;ata3.00: cmd\\x0a res Emask 0x4 (timeout)\n[  1.0] md: md1: resync done.\n";
        for end in 0..text.len() {
            assert!(parse(&text.as_bytes()[..end], false, "x").is_seen());
        }
        for odd in
            [&b"\xff\xfe;,;,\n"[..], b"[99999999999999999999.1] x\n", b"[.] x", b"<>[1.0000000] x", b",,;"]
        {
            assert!(parse(odd, false, "x").is_seen());
        }
    }
}
