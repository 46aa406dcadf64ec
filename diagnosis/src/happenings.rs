//! What the kernel reported, over this boot, earlier boots and dumps that survived a crash, in order of time.
//!
//! An event that the running log and its kept copy both hold is counted once. Kernel names are told for the running
//! boot only: letters move from boot to boot, so an event of an earlier one names a port and never a drive.
//! The kept log writes local time without a zone, so that moments of earlier boots may be off by up to 14 hours against
//! the device's clock; within one boot they are exact. Refuses to place what has no time: it is listed, and counts for
//! no rate.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Evidence, Rate};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::kernel_log::KernelEvent;
use assay_bundle::facts::persisted_log::{BootEnd, PersistedLog};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::evidence::told;
use crate::subject::disk;

/// Microseconds in a second.
const MICROS: u64 = 1_000_000;

/// One event and when it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happening<'a> {
    /// What the kernel said.
    pub(crate) event: &'a KernelEvent,
    /// Whether it was in the running boot, so that kernel names still mean the same.
    pub(crate) now: bool,
    /// Seconds since 1970, as far as it can be told.
    pub(crate) at_unix_s: Option<i64>,
    /// Below `raw/`: the log that holds it.
    from: &'a str,
}

/// Everything that the kernel reported, oldest first; what has no time stands first.
#[derive(Debug, Default)]
pub(crate) struct Happenings<'a> {
    all: Vec<Happening<'a>>,
    /// Whether any log was read.
    pub(crate) read: bool,
}

impl Happening<'_> {
    /// How often it happened: the event itself and its repeats.
    pub(crate) fn times(&self) -> u64 {
        self.event.repeats.max(1)
    }

    /// Whether it is about this drive, by the names of the running boot.
    pub(crate) fn is_about(&self, drive: &Drive) -> bool {
        let own = disk(&drive.device);
        self.now
            && [self.event.device.as_deref(), self.event.subject.as_deref()]
                .into_iter()
                .flatten()
                .any(|name| disk(name) == own)
    }

    /// It as evidence.
    pub(crate) fn evidence(&self) -> Evidence {
        let subject = self.event.subject.as_deref().unwrap_or("this machine");
        let at = self.at_unix_s.map(|at| format!(" at {}", crate::text::date(at))).unwrap_or_default();
        let details = if self.event.details.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.event.details.join(", "))
        };
        // The line's number is part of the place, so that a page can link to it.
        let from =
            if self.from.is_empty() { String::new() } else { format!("{}#L{}", self.from, self.event.line) };
        let fact = if self.now { "kernel_log.events" } else { "persisted_log.events" };
        told(fact, format!("{} of {subject}{details}{at}", self.event.signature), &from)
    }
}

impl<'a> Happenings<'a> {
    /// Everything in these facts.
    pub(crate) fn of(facts: &'a Facts) -> Self {
        let mut all = Vec::new();
        let mut read = false;
        let mut covered_from_us = None;
        if let Observed::Seen { value: log, from } = &facts.kernel_log {
            read = true;
            covered_from_us = Some(log.first_us.unwrap_or(0));
            let boot = boot_unix_s(facts);
            all.extend(log.events.iter().map(|event| Happening {
                event,
                now: true,
                at_unix_s: boot.zip(event.at_us).map(|(boot, at)| boot.saturating_add(seconds(at))),
                from,
            }));
        }
        if let Observed::Seen { value: log, .. } = &facts.persisted_log {
            read = true;
            all.extend(past(log, covered_from_us));
        }
        all.sort_by_key(|h| h.at_unix_s);
        Self { all, read }
    }

    /// Events with one of these signatures.
    pub(crate) fn of_kind(&self, signatures: &'a [&'a str]) -> impl Iterator<Item = &Happening<'a>> {
        self.all.iter().filter(move |h| signatures.iter().any(|name| h.event.says(name)))
    }

    /// Every event, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Happening<'a>> {
        self.all.iter()
    }
}

/// When this boot began by the device's clock.
fn boot_unix_s(facts: &Facts) -> Option<i64> {
    let now = facts.clock.unix_s.value()?;
    let uptime = i64::try_from(facts.clock.uptime_s.value()?.0).ok()?;
    now.checked_sub(uptime)
}

fn seconds(us: u64) -> i64 {
    i64::try_from(us / MICROS).unwrap_or(i64::MAX)
}

/// Events of the kept files. Those of the boot that still runs are left out where the running log holds them.
fn past(log: &PersistedLog, covered_from_us: Option<u64>) -> impl Iterator<Item = Happening<'_>> {
    let last = log.boots_left_out.saturating_add(u64::try_from(log.boots.len()).unwrap_or(u64::MAX));
    let running = log.boots.last().filter(|boot| boot.end == BootEnd::Open).and(last.checked_sub(1));
    log.events.iter().filter_map(move |past| {
        let runs = running == Some(past.boot);
        let twice = runs && past.event.at_us.zip(covered_from_us).is_some_and(|(at, from)| at >= from);
        let untimed = runs && covered_from_us.is_some() && past.event.at_us.is_none();
        (!twice && !untimed).then(|| Happening {
            event: &past.event,
            // Only a log that is read beside it says that this is the boot that runs.
            now: false,
            at_unix_s: past.at.as_deref().and_then(local_time),
            from: &past.from,
        })
    })
}

/// `2022-05-04 03:02:01` taken as UTC.
fn local_time(text: &str) -> Option<i64> {
    let time: DateTime = text.trim().replacen(' ', "T", 1).parse().ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// The most that happened in any window of `window_s` seconds, and the happenings of that window. What has no time
/// counts in none.
pub(crate) fn most_within<'a, 'h>(
    happenings: impl IntoIterator<Item = &'h Happening<'a>>,
    window_s: u64,
) -> Option<(Rate, Vec<&'h Happening<'a>>)>
where
    'a: 'h,
{
    let mut timed: Vec<(i64, &Happening<'_>)> =
        happenings.into_iter().filter_map(|h| Some((h.at_unix_s?, h))).collect();
    timed.sort_by_key(|(at, _)| *at);
    let (mut best, mut best_count): (&[(i64, &Happening<'_>)], u64) = (&[], 0);
    let mut start = 0;
    for end in 0..timed.len() {
        while let (Some((first, _)), Some((last, _))) = (timed.get(start), timed.get(end)) {
            if last.abs_diff(*first) <= window_s {
                break;
            }
            start += 1;
        }
        let window = timed.get(start..=end).unwrap_or_default();
        let count = window.iter().map(|(_, h)| h.times()).fold(0, u64::saturating_add);
        if count > best_count {
            (best, best_count) = (window, count);
        }
    }
    let (first, last) = (best.first()?, best.last()?);
    let rate = Rate { count: best_count, window_s: window_s.min(last.0.abs_diff(first.0).max(1)) };
    Some((rate, best.iter().map(|(_, h)| *h).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{hdd, nas, with_log};
    use assay_bundle::facts::kernel_log::KernelLog;
    use assay_bundle::facts::persisted_log::{Boot, PastEvent};

    fn event(signature: &str, subject: &str, at_s: u64) -> KernelEvent {
        KernelEvent {
            signature: signature.to_owned(),
            subject: Some(subject.to_owned()),
            at_us: Some(at_s * MICROS),
            line: at_s,
            repeats: 1,
            ..KernelEvent::default()
        }
    }

    #[test]
    fn a_kept_copy_of_the_running_log_counts_once() {
        let mut facts = with_log(nas(), vec![event("ata-timeout", "sda", 100)]);
        let past = |boot, at_s, at: &str| PastEvent {
            boot,
            at: Some(at.to_owned()),
            from: "mnt/HDA_ROOT/.logs/kmsg".to_owned(),
            event: event("ata-timeout", "sdb", at_s),
        };
        let open = Boot { end: BootEnd::Open, ..Boot::default() };
        facts.persisted_log = Observed::seen(
            PersistedLog {
                boots: vec![Boot::default(), open],
                events: vec![past(0, 50, "2023-11-01 00:00:50"), past(1, 100, "2023-11-13 22:15:00")],
                ..PersistedLog::default()
            },
            "x",
        );
        let log = Happenings::of(&facts);
        let said: Vec<(bool, Option<i64>)> =
            log.of_kind(&["ata-timeout"]).map(|h| (h.now, h.at_unix_s)).collect();
        // 1700000100 - 86400 + 100
        assert_eq!(said, [(false, Some(1_698_796_850)), (true, Some(1_699_913_800))]);
        let about: Vec<bool> = log.iter().map(|h| h.is_about(&hdd("sda", 1))).collect();
        assert_eq!(about, [false, true], "letters of another boot name nobody");
        facts.kernel_log = Observed::NotCollected;
        assert_eq!(Happenings::of(&facts).iter().count(), 2);
        facts.persisted_log = Observed::unreadable("x");
        assert!(!Happenings::of(&facts).read);
    }

    #[test]
    fn the_most_in_any_window() {
        fn check(at_s: &[u64], window_s: u64, expected: Option<(u64, u64)>) {
            let events: Vec<KernelEvent> = at_s.iter().map(|at| event("x", "sda", *at)).collect();
            let facts = with_log(nas(), events);
            let log = Happenings::of(&facts);
            let got = most_within(log.iter(), window_s).map(|(rate, _)| (rate.count, rate.window_s));
            assert_eq!(got, expected, "{at_s:?} in {window_s}");
        }
        check(&[], 60, None);
        check(&[5], 60, Some((1, 1)));
        check(&[0, 100, 110, 120, 300], 60, Some((3, 20)));
        check(&[0, 60, 120], 60, Some((2, 60)));
        check(&[300, 0, 10], 400, Some((3, 300)));
        let mut facts = with_log(nas(), vec![event("x", "sda", 5)]);
        if let Observed::Seen { value: KernelLog { events, .. }, .. } = &mut facts.kernel_log {
            events[0].at_us = None;
        }
        assert!(most_within(Happenings::of(&facts).iter(), 60).is_none(), "no time, no rate");
    }
}
