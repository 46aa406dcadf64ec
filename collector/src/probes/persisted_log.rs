//! Kernel logs of earlier boots: `/mnt/HDA_ROOT/.logs/kmsg*`, which QTS writes to its system partition and turns over
//! by size. Each line is `YYYY-MM-DD HH:MM:SS  [seconds] text`; QTS marks the end of each start with
//! ` ====== YYYY-MM-DD HH:MM:SS <model> (<firmware>) boot finished.` Plain Linux keeps its own in files that hold
//! people's names as well; those are not read.
//!
//! This is the one place that tells how the boot before ended. A start that begins in the middle of a line, or after
//! zero bytes that the file system gave but nobody wrote, follows a loss of power. The times are the device's own: with
//! an empty RTC battery they jump back to 2000, so the files are put in order by name (`kmsg` newest, then `kmsg.1` …;
//! inferred from other log turners), never by time.

use assay_bundle::Observed;
use assay_bundle::facts::kernel_log::KernelEvent;
use assay_bundle::facts::persisted_log::{Boot, BootEnd, LogFile, PastEvent, PersistedLog};

use crate::door::Door;
use crate::log_events::{Assembler, Line};
use crate::log_text::{LogicalLines, is_shutdown, wall};
use crate::source::Request;

const FOLDER: &str = "/mnt/HDA_ROOT/.logs";
const NAME: &str = "kmsg";
/// The newest files; with the limit of each, 4 MiB in all.
const MOST_FILES: usize = 4;
const MOST_FILE_BYTES: u64 = 1024 * 1024;
/// The kernel's first line.
const BANNER: &str = "Linux version ";
/// Lines before a start in which a shutdown is looked for: what 24 disks print when they stop.
const LAST_LINES: u64 = 60;
/// Time since boot that goes back by more than this is a new boot whose first line is not there.
const BACK_US: u64 = 10_000_000;

/// Reads the kept logs.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<PersistedLog> {
    let names = match door.names(FOLDER).await {
        Ok(names) => names,
        Err(missing) => return missing.observed(),
    };
    let mut names: Vec<String> = names.into_iter().filter(|name| age(name).is_some()).collect();
    names.sort_by_key(|name| age(name));
    let left_out = names.len().saturating_sub(MOST_FILES);
    names.truncate(MOST_FILES);
    let mut files = Vec::new();
    let mut failed = None;
    for name in names.iter().rev() {
        match door.ask(&Request::read_end(format!("{FOLDER}/{name}"), MOST_FILE_BYTES)).await {
            Ok(fetched) => files.push((fetched.place, fetched.bytes, fetched.truncated)),
            Err(missing) => failed = failed.or(Some(missing)),
        }
    }
    if files.is_empty() {
        return failed.map_or(Observed::Absent, |missing| missing.observed());
    }
    let files: Vec<_> = files.iter().map(|(place, bytes, cut)| (place.as_str(), &bytes[..], *cut)).collect();
    door.noted(parse(&files, left_out as u64))
}

/// How far back a file stands: the one without a number is the newest, those with another end are the oldest.
pub(crate) fn age(name: &str) -> Option<(u64, String)> {
    let rest = name.strip_prefix(NAME)?;
    if [".gz", ".tgz", ".xz", ".key"].iter().any(|end| rest.ends_with(end)) {
        return None;
    }
    let number = rest.trim_start_matches(['.', '_', '-']);
    let age = if rest.is_empty() { 0 } else { number.parse().map_or(u64::MAX, |n: u64| n.saturating_add(1)) };
    Some((age, name.to_owned()))
}

/// Reads files (place, content, whether the beginning was left out), oldest first.
pub fn parse(files: &[(&str, &[u8], bool)], files_left_out: u64) -> Observed<PersistedLog> {
    let Some((newest, _, _)) = files.last() else { return Observed::Absent };
    let events = match Assembler::new(usize::MAX) {
        Ok(events) => events,
        Err(why) => return Observed::unreadable(format!("{newest}: {why}")),
    };
    let mut reader =
        Reader { events, tags: Vec::new(), log: PersistedLog::default(), shutdown_ago: None, torn: false };
    reader.log.files_left_out = files_left_out;
    for (place, bytes, cut) in files {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        reader.log.files.push(LogFile { from: (*place).to_owned(), lines, cut: *cut });
        reader.file(place, bytes);
    }
    Observed::seen(reader.finish(), *newest)
}

struct Reader {
    events: Assembler,
    /// Boot, time and file of each event.
    tags: Vec<(u64, Option<String>, String)>,
    log: PersistedLog,
    /// Lines since the last one of a shutdown.
    shutdown_ago: Option<u64>,
    /// The last line was not written to its end.
    torn: bool,
}

impl Reader {
    fn file(&mut self, place: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let known = self.events.speaks();
        let speaks = |line: &str| {
            line.contains(BANNER)
                || line.contains('\0')
                || line.trim_start().starts_with("======")
                || known(line)
        };
        for line in LogicalLines::new(&text, speaks) {
            let text: &str = &line.text;
            self.torn |= text.starts_with('\0');
            let line_at =
                |wall, at_us, text| One { place, wall, at_us, text, number: line.number, whole: line.whole };
            match restart_inside(text) {
                Some((before, stamp, after)) => {
                    self.take(line_at(line.wall, line.at_us, before.trim_matches('\0')));
                    self.torn = true;
                    self.take(line_at(Some(stamp), Some(0), after));
                }
                None => self.take(line_at(line.wall, line.at_us, text.trim_matches('\0'))),
            }
            self.torn |= !line.whole;
        }
    }

    fn take(&mut self, line: One<'_>) {
        let banner = line.text.strip_prefix(BANNER);
        let last_us = self.log.boots.last().and_then(|boot| boot.last_us);
        let back = matches!((last_us, line.at_us), (Some(before), Some(now)) if now.saturating_add(BACK_US) < before);
        if banner.is_some() || back || self.log.boots.is_empty() {
            self.begin(line, banner.is_some());
        }
        if !line.text.is_empty() {
            self.torn = false;
        }
        self.shutdown_ago =
            if is_shutdown(line.text) { Some(0) } else { self.shutdown_ago.map(|ago| ago + 1) };
        let number = self.log.boots_left_out + self.log.boots.len().saturating_sub(1) as u64;
        let Some(boot) = self.log.boots.last_mut() else { return };
        boot.records += 1;
        boot.last_us = line.at_us.or(boot.last_us);
        if let Some(wall) = line.wall {
            boot.first_at.get_or_insert_with(|| wall.to_owned());
            boot.last_at = Some(wall.to_owned());
        }
        if let Some(kernel) = banner.and_then(|rest| rest.split_once(' ')) {
            boot.kernel = Some(kernel.0.to_owned());
        }
        if let Some((finished_at, firmware)) = boot_finished(line.text) {
            boot.finished_at = Some(finished_at.to_owned());
            boot.firmware = firmware.map(str::to_owned);
        }
        boot.memory_total_kib = boot.memory_total_kib.or_else(|| memory_total_kib(line.text));
        self.events.line(Line { number: line.number, at_us: line.at_us, text: line.text, whole: line.whole });
        while self.tags.len() < self.events.events.len() {
            self.tags.push((number, line.wall.map(str::to_owned), line.place.to_owned()));
        }
        if self.tags.len() >= 2 * PersistedLog::MOST_EVENTS {
            self.forget(PersistedLog::MOST_EVENTS);
        }
    }

    fn begin(&mut self, line: One<'_>, whole: bool) {
        let clean = self.shutdown_ago.is_some_and(|ago| ago <= LAST_LINES);
        if let Some(before) = self.log.boots.last_mut() {
            before.end = match (self.torn, clean) {
                (true, _) => BootEnd::MidSentence,
                (false, true) => BootEnd::Clean,
                (false, false) => BootEnd::Unknown,
            };
        }
        self.shutdown_ago = None;
        self.events.boot();
        let boot = Boot {
            from: line.place.to_owned(),
            line: line.number,
            whole,
            end: BootEnd::Open,
            ..Boot::default()
        };
        self.log.boots.push(boot);
        if self.log.boots.len() >= 2 * PersistedLog::MOST_BOOTS {
            self.forget_boots(PersistedLog::MOST_BOOTS);
        }
    }

    fn forget(&mut self, count: usize) {
        self.events.forget(count);
        self.tags.drain(..count.min(self.tags.len()));
    }

    fn forget_boots(&mut self, count: usize) {
        self.log.boots.drain(..count.min(self.log.boots.len()));
        self.log.boots_left_out += count as u64;
    }

    fn finish(mut self) -> PersistedLog {
        self.forget(self.tags.len().saturating_sub(PersistedLog::MOST_EVENTS));
        let surplus = self.log.boots.len().saturating_sub(PersistedLog::MOST_BOOTS);
        self.forget_boots(surplus);
        self.log.events_left_out = self.events.left_out;
        let past = |(event, (boot, at, from)): (KernelEvent, (u64, Option<String>, String))| PastEvent {
            boot,
            at,
            from,
            event,
        };
        self.log.events = self.events.events.into_iter().zip(self.tags).map(past).collect();
        self.log
    }
}

/// One line, or a part of one.
#[derive(Clone, Copy)]
struct One<'a> {
    place: &'a str,
    wall: Option<&'a str>,
    at_us: Option<u64>,
    text: &'a str,
    number: u64,
    whole: bool,
}

/// A start in the middle of a line: what stood before it, its time, and its first line.
fn restart_inside(text: &str) -> Option<(&str, &str, &str)> {
    let at = text.find(BANNER).filter(|at| *at > 0)?;
    let (before, after) = (text.get(..at)?, text.get(at..)?);
    let starts = (0..before.len()).rev().filter(|start| before.is_char_boundary(*start));
    let (start, stamp) = starts.filter_map(|start| Some((start, wall(before.get(start..)?)?.0))).next()?;
    Some((before.get(..start)?, stamp, after))
}

/// Time and firmware of ` ====== 2022-05-04 03:05:01 TS-453D (5.0.0.1986-20220324) boot finished.`
fn boot_finished(text: &str) -> Option<(&str, Option<&str>)> {
    let mark = text.trim().trim_start_matches('=').trim().strip_suffix("boot finished.")?;
    let (at, rest) = wall(mark)?;
    let firmware =
        rest.rsplit_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(firmware, _)| firmware);
    Some((at, firmware))
}

/// The total of `Memory: 3855492K/3981688K available (…)`.
fn memory_total_kib(text: &str) -> Option<u64> {
    let (_, rest) = text.strip_prefix("Memory: ")?.split_once("K/")?;
    rest.split_once("K available")?.0.parse().ok()
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::door::testing::run;
    use crate::hostile;

    const TWO_BOOTS: &str = "\
2022-05-04 03:02:01  [    0.000000] Linux version 5.10.60-qnap (root@build) (gcc 7) #1 SMP
2022-05-04 03:02:01  [    0.100000] Memory: 3855492K/3981688K available (12291K kernel code, 1K rwdata)
2022-05-04 03:02:05  [    4.100000] ata1: SATA link up 6.0 Gbps (SStatus 133 SControl 300)
2022-05-04 03:05:01  [   95.100000]  ====== 2022-05-04 03:05:01 TS-453D (5.0.0.1986-20220324) boot finished.
2022-05-05 10:00:00  [90000.100000] ata1: hard resetting link
2022-05-05 11:00:00  [93600.100000] EXT4-fs (dm-7): mounted filesys";
    const THEN: &str = "\
2022-05-05 11:09:00  [    0.000000] Linux version 5.10.60-qnap (root@build) (gcc 7) #1 SMP
2022-05-05 11:09:00  [    0.100000] Memory: 1855492K/1981688K available (12291K kernel code, 1K rwdata)
2022-05-05 11:09:31  [   31.100000] md/raid1:md1: not clean -- starting background reconstruction
2022-05-05 12:00:00  [ 4000.100000] sd 0:0:0:0: [sda] Synchronizing SCSI cache
2022-05-05 12:00:01  [ 4001.100000] reboot: Restarting system
2022-05-05 12:02:00  [    0.000000] Linux version 5.10.60-qnap (root@build) (gcc 7) #1 SMP
";

    fn read(text: &str) -> PersistedLog {
        parse(&[("kmsg", text.as_bytes(), false)], 0).value().expect("a log").clone()
    }

    fn ends(text: &str) -> Vec<BootEnd> {
        read(text).boots.iter().map(|boot| boot.end).collect()
    }

    #[test]
    fn how_each_boot_ended() {
        use BootEnd::{Clean, MidSentence, Open, Unknown};
        assert_eq!(ends(&format!("{TWO_BOOTS}{THEN}")), [MidSentence, Clean, Open]);
        assert_eq!(ends(&format!("{TWO_BOOTS}\n{THEN}")), [Unknown, Clean, Open]);
        assert_eq!(ends(&format!("{TWO_BOOTS}\n\0\0\0\0{THEN}")), [MidSentence, Clean, Open]);
        assert_eq!(ends(&format!("{TWO_BOOTS}\n2022-05-0{THEN}")), [MidSentence, Clean, Open]);
        assert_eq!(ends(""), []);
    }

    #[test]
    fn what_a_boot_says() {
        let log = read(&format!("{TWO_BOOTS}{THEN}"));
        let first = &log.boots[0];
        assert_eq!(
            (first.memory_total_kib, log.boots[1].memory_total_kib),
            (Some(3_981_688), Some(1_981_688))
        );
        assert_eq!(first.firmware.as_deref(), Some("5.0.0.1986-20220324"));
        assert_eq!(first.finished_at.as_deref(), Some("2022-05-04 03:05:01"));
        assert_eq!((first.kernel.as_deref(), first.whole), (Some("5.10.60-qnap"), true));
        assert_eq!(first.last_at.as_deref(), Some("2022-05-05 11:00:00"));
        assert_eq!(log.boots[1].first_at.as_deref(), Some("2022-05-05 11:09:00"));
        let short: Vec<_> = log
            .events
            .iter()
            .map(|past| (past.boot, past.at.as_deref(), past.event.signature.as_str(), past.event.line))
            .collect();
        assert_eq!(
            short,
            [
                (0, Some("2022-05-04 03:02:05"), "ata-link-up", 3),
                (0, Some("2022-05-05 10:00:00"), "ata-link-reset", 5),
                (1, Some("2022-05-05 11:09:31"), "md-unclean", 8),
            ]
        );
    }

    #[test]
    fn a_lost_banner_is_noticed_by_the_time() {
        let log = read("2022-05-04 03:02:01  [ 9000.0] x\n2022-05-04 04:02:01  [   40.0] y\n");
        assert_eq!(log.boots.iter().map(|boot| boot.whole).collect::<Vec<_>>(), [false, false]);
    }

    #[test]
    fn files_in_order() {
        let found = run(
            &[
                ("mnt/HDA_ROOT/.logs/kmsg", "2022-05-04 03:02:03  [ 3.0] ata1: hard resetting link\n"),
                ("mnt/HDA_ROOT/.logs/kmsg.1", "2022-05-04 03:02:02  [ 2.0] ata2: hard resetting link\n"),
                ("mnt/HDA_ROOT/.logs/kmsg.10", "2022-05-04 03:02:01  [ 1.0] ata3: hard resetting link\n"),
                ("mnt/HDA_ROOT/.logs/kmsg.2.gz", "?"),
                ("mnt/HDA_ROOT/.logs/event.log", "?"),
            ],
            async |door| collect(door).await,
        );
        let log = found.value().expect("a log");
        let ports: Vec<_> = log.events.iter().filter_map(|past| past.event.subject.as_deref()).collect();
        assert_eq!(ports, ["ata3", "ata2", "ata1"]);
        assert_eq!(
            (log.boots.len(), log.files.len(), found.place()),
            (1, 3, Some("mnt/HDA_ROOT/.logs/kmsg"))
        );
        assert!(run(&[], async |door| collect(door).await).is_absent());
        assert!(run(&[("mnt/HDA_ROOT/.logs/x", "")], async |door| collect(door).await).is_absent());
    }

    #[test]
    fn more_than_is_kept_is_counted() {
        let events: String = (0..5000)
            .map(|n| format!("2022-05-04 03:02:01  [{n}.0] ata{}: hard resetting link\n", n % 7))
            .collect();
        let log = read(&events);
        assert_eq!((log.events.len() as u64 + log.events_left_out, log.events.len()), (5000, 2000));
        assert_eq!(log.events.last().map(|past| past.event.line), Some(5000));
        let log = read(&"Linux version 5 x\n".repeat(1000));
        assert_eq!((log.boots.len() as u64 + log.boots_left_out, log.boots.len()), (1000, 200));
    }

    #[test]
    fn cut_and_damaged_logs() {
        let text = format!("{TWO_BOOTS}{THEN}");
        hostile::cut(text.as_bytes(), |bytes| {
            let log = parse(&[("kmsg", bytes, false)], 0);
            let events = log.value().map(|log| log.events.clone()).unwrap_or_default();
            let boots = log.value().map(|log| log.boots.clone()).unwrap_or_default();
            let known =
                |boot: Boot| (boot.line, boot.first_at, boot.memory_total_kib, boot.firmware, boot.kernel);
            (events, boots.into_iter().map(known).collect::<Vec<_>>())
        });
        hostile::mutate(
            text.as_bytes(),
            1000,
            |bytes| parse(&[("kmsg", bytes, false)], 0),
            |log| {
                let log = log.value().expect("a log");
                assert!(
                    log.events.iter().all(|past| past.boot < log.boots_left_out + log.boots.len() as u64)
                );
            },
        );
    }
}
