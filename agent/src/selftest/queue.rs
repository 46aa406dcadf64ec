//! What can become of a self-test: waiting, running, ended. Pure: no file, no clock, no drive.
//!
//! One test runs at a time, over all drives: a NAS with two drives under test answers slowly, and a fault that shows then
//! is hard to place. The result is the first row that the drive logged after the start, whatever this program missed in
//! between; a drive that logged none says nothing, and that is what is kept. Looks follow the drive's own estimate.

use assay_bundle::facts::drive::{SelfTest, SelfTestOutcome};
use assay_bundle::support_request::SelfTestKind;
use assay_collector::self_test::{Look, logged_since};
use serde::{Deserialize, Serialize};

/// Tests that are kept after their end: more than one support request can ask for, so that none of an open one is lost.
const MOST_ENDED: usize = 160;
/// Most tests that wait: every drive of the largest model with its enclosures, both kinds.
const MOST_WAITING: usize = 128;
/// A drive that sleeps or is busy is asked again after this, seconds (judgement).
pub(crate) const LATER_S: i64 = 1_800;
/// After its estimate a drive gets this before it is looked at, seconds.
const MARGIN_S: i64 = 60;
/// Shortest and longest time between two looks, seconds.
const LOOK_S: std::ops::RangeInclusive<i64> = 60..=3_600;
/// A drive that neither runs a test nor has logged one may be about to: seconds after the start.
const GRACE_S: i64 = 120;
/// A test that runs for longer is watched no more: seven days, several times what the largest drives need under load.
const WATCHED_S: i64 = 7 * 86_400;
/// A drive that says no estimate for a short test: minutes, what every drive states (ATA ACS-4: two at most).
const SHORT_MINUTES: u64 = 2;
/// Bytes that an extended test reads in a minute where the drive gives no estimate (judgement: 160 MB/s).
const BYTES_A_MINUTE: u64 = 160_000_000 * 60;
/// An extended test of a drive of unknown size, minutes (judgement).
const EXTENDED_MINUTES: u64 = 8 * 60;

/// One test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Drive's serial number.
    pub(crate) serial: String,
    /// Where it was when the test was asked for, in words: `bay 3`.
    pub(crate) place: String,
    /// Which test.
    pub(crate) kind: SelfTestKind,
    /// When it was asked for, device's clock, seconds since 1970.
    pub(crate) asked_unix_s: i64,
    /// Support request that it is for.
    #[serde(default)]
    pub(crate) request: Option<String>,
    /// How far it is.
    pub(crate) state: State,
}

/// How far a test is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum State {
    /// In the queue.
    Waiting {
        /// Why it did not begin when it could have.
        #[serde(default)]
        why: Option<String>,
        /// Not before.
        #[serde(default)]
        not_before_unix_s: i64,
    },
    /// The drive has the order, or was about to get it when this program ended.
    Running(Run),
    /// The drive logged an end.
    Ended {
        /// As it is logged.
        test: SelfTest,
        /// When that was seen.
        at_unix_s: i64,
    },
    /// It ended without a word of the drive's log.
    Unknown {
        /// Why.
        why: String,
        /// When.
        at_unix_s: i64,
    },
    /// It never began.
    Refused {
        /// Each reason, with the fact that it comes from.
        why: Vec<String>,
        /// When.
        at_unix_s: i64,
    },
    /// It was stopped, or taken out of the queue.
    Aborted {
        /// Why, or by whom.
        why: String,
        /// When.
        at_unix_s: i64,
    },
}

/// A test that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Device node's name when it began.
    pub(crate) device: String,
    /// How smartctl talks to the drive: the word of [`assay_collector::command::SmartctlKind::slug`].
    pub(crate) by: String,
    /// When it began.
    pub(crate) started_unix_s: i64,
    /// The drive's own estimate, seconds.
    pub(crate) estimate_s: i64,
    /// When it is looked at next.
    pub(crate) look_unix_s: i64,
    /// What was left at the last look, percent.
    #[serde(default)]
    pub(crate) remaining_percent: Option<u8>,
    /// Why the last look saw nothing.
    #[serde(default)]
    pub(crate) unseen: Option<String>,
    /// The drive's log before it, newest first.
    pub(crate) before: Vec<SelfTest>,
}

impl Entry {
    /// Whether something is still to come.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Waiting { .. } | State::Running(_))
    }

    /// Its running part.
    pub(crate) fn run(&self) -> Option<&Run> {
        match &self.state {
            State::Running(run) => Some(run),
            _ => None,
        }
    }
}

/// What a look at a running test says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The drive answered.
    Drive(Box<Look>),
    /// It sleeps and was left alone.
    Asleep,
    /// It could not be asked.
    Not(String),
}

/// All tests, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Queue {
    /// The tests.
    pub(crate) entries: Vec<Entry>,
}

/// Why a test is not taken into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// The drive has one already.
    #[error("a self-test of this drive is queued or runs already")]
    Already,
    /// Too many.
    #[error("too many self-tests wait")]
    TooMany,
}

impl Queue {
    /// Adds a test at the end.
    pub(crate) fn add(&mut self, entry: Entry) -> Result<(), Full> {
        let open = self.entries.iter().filter(|entry| entry.is_open());
        if open.clone().any(|other| other.serial == entry.serial) {
            return Err(Full::Already);
        }
        if open.count() >= MOST_WAITING {
            return Err(Full::TooMany);
        }
        self.entries.push(entry);
        let ended = self.entries.iter().filter(|entry| !entry.is_open()).count();
        let mut excess = ended.saturating_sub(MOST_ENDED);
        self.entries.retain(|entry| {
            let goes = excess > 0 && !entry.is_open();
            excess -= usize::from(goes);
            !goes
        });
        Ok(())
    }

    /// The test that runs.
    pub(crate) fn running(&self) -> Option<usize> {
        self.entries.iter().position(|entry| entry.run().is_some())
    }

    /// The test that may begin now: none while one runs.
    pub(crate) fn next(&self, now_unix_s: i64) -> Option<usize> {
        if self.running().is_some() {
            return None;
        }
        self.entries.iter().position(|entry| match entry.state {
            // A time far in the future was set by another clock.
            State::Waiting { not_before_unix_s: at, .. } => now_unix_s >= at || at - now_unix_s > LATER_S,
            _ => false,
        })
    }

    /// Seconds until there is something to do; none when nothing is open.
    pub(crate) fn wait_s(&self, now_unix_s: i64) -> Option<i64> {
        if let Some(run) = self.running().and_then(|at| self.entries.get(at)).and_then(Entry::run) {
            return Some(run.wait_s(now_unix_s));
        }
        let waits = self.entries.iter().filter_map(|entry| match entry.state {
            State::Waiting { not_before_unix_s, .. } => {
                Some(not_before_unix_s.saturating_sub(now_unix_s).clamp(0, LATER_S))
            }
            _ => None,
        });
        waits.min()
    }

    /// The open test of a drive.
    pub(crate) fn open_of(&self, serial: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.is_open() && entry.serial.eq_ignore_ascii_case(serial))
    }

    /// Whether tests of a support request are still to come.
    pub(crate) fn is_open_for(&self, request: &str) -> bool {
        self.entries.iter().any(|entry| entry.is_open() && entry.request.as_deref() == Some(request))
    }
}

impl Run {
    /// A test that begins now on a drive that was just looked at.
    pub(crate) fn begins(
        (device, by): (&str, &str),
        kind: SelfTestKind,
        look: &Look,
        size_bytes: Option<u64>,
        now: i64,
    ) -> Self {
        let minutes = match kind {
            SelfTestKind::Short => look.short_minutes.unwrap_or(SHORT_MINUTES),
            SelfTestKind::Extended => look.extended_minutes.unwrap_or_else(|| {
                size_bytes.map_or(EXTENDED_MINUTES, |size| size.div_ceil(BYTES_A_MINUTE).max(SHORT_MINUTES))
            }),
        };
        let estimate_s = i64::try_from(minutes.saturating_mul(60)).unwrap_or(WATCHED_S).min(WATCHED_S);
        Self {
            device: device.to_owned(),
            by: by.to_owned(),
            started_unix_s: now,
            estimate_s,
            look_unix_s: now.saturating_add(estimate_s).saturating_add(MARGIN_S),
            remaining_percent: None,
            unseen: None,
            before: look.ended(),
        }
    }

    /// Seconds until the next look. A clock that was set back does not put it off.
    pub(crate) fn wait_s(&self, now_unix_s: i64) -> i64 {
        let longest = self.estimate_s.saturating_add(MARGIN_S).max(LATER_S);
        let wait = self.look_unix_s.saturating_sub(now_unix_s).max(0);
        if wait > longest { 0 } else { wait }
    }

    /// Takes a look into account: the test's next state.
    pub(crate) fn after(mut self, seen: Seen, now: i64) -> State {
        let elapsed = now.saturating_sub(self.started_unix_s);
        let unknown = |why: &str| State::Unknown { why: why.to_owned(), at_unix_s: now };
        let look = match seen {
            Seen::Drive(look) => look,
            Seen::Asleep if elapsed <= WATCHED_S => {
                return self
                    .unseen("the drive sleeps and was not woken; its log is read when it is awake", now);
            }
            Seen::Not(why) if elapsed <= WATCHED_S => return self.unseen(&why, now),
            Seen::Asleep => {
                return unknown("the drive slept for days and was not woken: its log was not read");
            }
            Seen::Not(why) => return unknown(&format!("the drive could not be asked for days: {why}")),
        };
        let log = &look.parsed.drive.self_tests;
        if let Some(test) = logged_since(&self.before, &look.ended()) {
            return State::Ended { test, at_unix_s: now };
        }
        if look.runs() {
            if elapsed > WATCHED_S {
                return unknown("it still ran after seven days, and is watched no more");
            }
            self.remaining_percent = look.remaining_percent;
            self.unseen = None;
            let percent = i64::from(look.remaining_percent.unwrap_or(10).max(5));
            let wait = self.estimate_s.saturating_mul(percent) / 100;
            self.look_unix_s = now.saturating_add(wait.clamp(*LOOK_S.start(), *LOOK_S.end()));
            return State::Running(self);
        }
        match log.why_not() {
            Some(why) if !log.is_absent() => {
                self.unseen(&format!("the drive's log was not read: {why}"), now)
            }
            // A drive may take a moment to begin, and one to write its log.
            _ if (0..GRACE_S).contains(&elapsed) => {
                self.look_unix_s = now.saturating_add(*LOOK_S.start());
                State::Running(self)
            }
            _ => unknown("no test runs and the drive has logged none since it began: nothing is known of it"),
        }
    }

    fn unseen(mut self, why: &str, now: i64) -> State {
        self.unseen = Some(why.to_owned());
        self.look_unix_s = now.saturating_add(LATER_S);
        State::Running(self)
    }
}

/// The kind in words.
pub(crate) fn kind_word(kind: SelfTestKind) -> &'static str {
    match kind {
        SelfTestKind::Short => "short",
        SelfTestKind::Extended => "extended",
    }
}

/// A logged test in words: what it means first, then what the drive says.
pub(crate) fn result_words(test: &SelfTest) -> String {
    let meaning = match test.outcome {
        SelfTestOutcome::Passed => "passed",
        SelfTestOutcome::Failed => "FAILED",
        SelfTestOutcome::NotCompleted => "not completed, which says nothing about the drive",
        SelfTestOutcome::Running => "runs",
    };
    let lba = test.first_error_lba.map(|lba| format!(", first failing sector {lba}")).unwrap_or_default();
    let at = test.at_power_on_hours.map(|hours| format!(", at {hours} under power")).unwrap_or_default();
    format!("{meaning}: {}{lba}{at}", test.text)
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic)]
mod tests;
