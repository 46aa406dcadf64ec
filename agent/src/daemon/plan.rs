//! Which job runs when. Pure: clocks are handed in, nothing is started here.
//!
//! Two clocks are read together: the wall clock, which may jump, and the time since boot, which cannot. A job by a cron
//! expression is due once for all its times that have passed since it last ran, however many were missed. A time that
//! comes less than half a period after the last start is covered by that start: so a clock that is set back, a missed
//! run caught up shortly before the next one, or a restart make no second run. While the wall clock cannot be right
//! nothing is compared with it: such a job runs once a day by the time since boot.
//!
//! A job that fails is tried again after ten seconds, and twice as long after each further failure. Five failures within
//! ten minutes are a crash loop: then once an hour, and it is said. One job runs at a time.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::cron::Cron;

/// First wait after a failure; doubles (judgement).
pub(crate) const FIRST_RETRY_S: u64 = 10;
/// Longest wait after a failure, and the wait in a crash loop.
pub(crate) const LONGEST_RETRY_S: u64 = 3600;
/// So many failures within [`LOOP_WINDOW_S`] are a crash loop.
pub(crate) const LOOP_FAILURES: usize = 5;
/// See [`LOOP_FAILURES`].
pub(crate) const LOOP_WINDOW_S: u64 = 600;
/// Period of a job by the calendar while there is no calendar.
const WITHOUT_CALENDAR_S: u64 = 86_400;
/// Shortest and longest time after which a job may ask to be run again (design section 6: what a portal may set).
pub(crate) const AGAIN_S: std::ops::RangeInclusive<u64> = 10..=6 * 3600;
/// Longest sleep: five minutes, should the system not say that its clock was set.
pub(crate) const LONGEST_SLEEP_S: u64 = 300;

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// Wall clock, seconds since 1970.
    pub(crate) wall_s: i64,
    /// Seconds since boot, sleep included.
    pub(crate) boot_s: u64,
    /// Whether the wall clock can be right.
    pub(crate) plausible: bool,
}

/// How often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pace {
    /// At the times of an expression.
    Cron(Cron),
    /// So many seconds after the last start.
    Every(u64),
    /// Only when it asked for it, or somebody called for it.
    OnCall,
    /// After another job found the drives awake, at most once in so many seconds: for what touches the data volume.
    WhenAwake(u64),
}

/// One job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Job {
    /// Its word.
    pub(crate) name: &'static str,
    /// How often.
    pub(crate) pace: Pace,
    /// Seconds after its time at which this device does it, so that a fleet does not speak at once.
    pub(crate) jitter_s: u64,
    /// Seconds after which it is killed.
    pub(crate) deadline_s: u64,
    /// Whether it waits for the end of the quiet hours.
    pub(crate) is_loud: bool,
}

/// What is remembered of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Past {
    /// Boot in which the seconds since boot below count.
    pub(crate) boot_id: String,
    /// Last start by the wall clock, when that could be right.
    pub(crate) started_unix_s: Option<i64>,
    /// Last start, seconds since boot.
    pub(crate) started_boot_s: Option<u64>,
    /// Times of the expression up to here are done with.
    pub(crate) done_until_unix_s: Option<i64>,
    /// Seconds since boot at which it asked to be run again.
    pub(crate) again_boot_s: Option<u64>,
    /// Seconds since boot before which it is not tried again.
    pub(crate) retry_boot_s: Option<u64>,
    /// Failures one after the other.
    pub(crate) failures_in_a_row: u32,
    /// Seconds since boot of the latest failures, at most [`LOOP_FAILURES`].
    pub(crate) failed_boot_s: Vec<u64>,
    /// Whether it fails again and again.
    pub(crate) in_crash_loop: bool,
    /// Runs that ended well, since ever.
    pub(crate) runs: u64,
    /// Runs that failed, since ever.
    pub(crate) failures: u64,
    /// How the last one ended, in words.
    pub(crate) outcome: Option<String>,
    /// How long the last one took.
    pub(crate) took_s: Option<u64>,
}

/// All jobs, and what is remembered of them.
pub(crate) struct Plan {
    jobs: Vec<Job>,
    past: BTreeMap<String, Past>,
    zone: TimeZone,
    boot_id: String,
    begun_boot_s: u64,
    awake_boot_s: Option<u64>,
}

impl Plan {
    /// A plan that begins now. What is remembered of an earlier boot keeps its wall-clock times alone; a job that failed
    /// then is tried again at once.
    pub(crate) fn new(
        jobs: Vec<Job>,
        mut past: BTreeMap<String, Past>,
        zone: TimeZone,
        boot_id: &str,
        now: Now,
    ) -> Self {
        for past in past.values_mut().filter(|past| past.boot_id != boot_id) {
            past.boot_id = boot_id.to_owned();
            past.started_boot_s = None;
            past.failed_boot_s.clear();
            past.in_crash_loop = false;
            past.again_boot_s = None;
            past.retry_boot_s = past.retry_boot_s.map(|_| now.boot_s);
        }
        Self { jobs, past, zone, boot_id: boot_id.to_owned(), begun_boot_s: now.boot_s, awake_boot_s: None }
    }

    /// Other jobs from now on; what is remembered stays.
    pub(crate) fn replace_jobs(&mut self, jobs: Vec<Job>, zone: TimeZone) {
        // A new expression is not late: its times begin now.
        for job in &jobs {
            let old = self.jobs.iter().find(|old| old.name == job.name);
            if old.is_none_or(|old| old.pace != job.pace)
                && let Some(past) = self.past.get_mut(job.name)
            {
                past.done_until_unix_s = None;
            }
        }
        (self.jobs, self.zone) = (jobs, zone);
    }

    /// The jobs.
    pub(crate) fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// What is remembered.
    pub(crate) fn past(&self) -> &BTreeMap<String, Past> {
        &self.past
    }

    /// A job found the drives awake.
    pub(crate) fn drives_are_awake(&mut self, now: Now) {
        self.awake_boot_s = Some(now.boot_s);
    }

    /// The first job that is due, in the order of the list. `quiet`: loud jobs wait.
    pub(crate) fn due(&mut self, now: Now, quiet: bool) -> Option<Job> {
        let names: Vec<Job> = self.jobs.iter().filter(|job| !(quiet && job.is_loud)).cloned().collect();
        names.into_iter().find(|job| {
            let awake = self.awake_boot_s;
            let (zone, begun) = (self.zone.clone(), self.begun_boot_s);
            let boot_id = self.boot_id.clone();
            let past = self.past.entry(job.name.to_owned()).or_default();
            if past.boot_id.is_empty() {
                past.boot_id = boot_id;
            }
            settle(job, past, &zone, now);
            wait_s(job, past, &zone, begun, awake, now) == Some(0)
        })
    }

    /// Seconds until a job may be due, at most [`LONGEST_SLEEP_S`]. To be asked when nothing is due.
    pub(crate) fn sleep_s(&self, now: Now) -> u64 {
        let nothing = Past::default();
        let waits = self.jobs.iter().filter_map(|job| {
            let past = self.past.get(job.name).unwrap_or(&nothing);
            wait_s(job, past, &self.zone, self.begun_boot_s, self.awake_boot_s, now)
        });
        // A job that is due and held back by quiet hours must not turn the loop into a spin.
        waits.filter(|wait| *wait > 0).min().unwrap_or(LONGEST_SLEEP_S).min(LONGEST_SLEEP_S)
    }

    /// When a job runs next, by the wall clock as it stands.
    pub(crate) fn next_unix_s(&self, job: &Job, now: Now) -> Option<i64> {
        let nothing = Past::default();
        let past = self.past.get(job.name).unwrap_or(&nothing);
        let wait = wait_s(job, past, &self.zone, self.begun_boot_s, self.awake_boot_s, now)?;
        now.wall_s.checked_add_unsigned(wait)
    }

    /// The job was started.
    pub(crate) fn started(&mut self, job: &Job, now: Now) {
        let past = self.past.entry(job.name.to_owned()).or_default();
        past.boot_id.clone_from(&self.boot_id);
        past.started_boot_s = Some(now.boot_s);
        past.started_unix_s = now.plausible.then_some(now.wall_s);
        (past.retry_boot_s, past.again_boot_s) = (None, None);
        if now.plausible {
            past.done_until_unix_s = now.wall_s.checked_sub_unsigned(job.jitter_s);
        }
    }

    /// A job that ended well asks to be run again after `seconds`: before its interval is over, or after.
    pub(crate) fn again_after(&mut self, job: &Job, now: Now, seconds: u64) {
        let seconds = seconds.clamp(*AGAIN_S.start(), *AGAIN_S.end());
        let past = self.past.entry(job.name.to_owned()).or_default();
        past.again_boot_s = Some(now.boot_s.saturating_add(seconds));
    }

    /// Somebody calls for a job: it runs as soon as one may ask to be run again.
    pub(crate) fn called(&mut self, name: &str, now: Now) {
        if let Some(job) = self.jobs.iter().find(|job| job.name == name).cloned() {
            self.again_after(&job, now, 0);
        }
    }

    /// Somebody waits for this job since `since_boot_s`: unless it was started after that, it is run shortly.
    pub(crate) fn hurry(&mut self, name: &str, since_boot_s: u64, now: Now) {
        let soon = now.boot_s.saturating_add(*AGAIN_S.start());
        if let (Some(past), true) = (self.past.get_mut(name), self.jobs.iter().any(|job| job.name == name))
            && past.started_boot_s.is_none_or(|started| started < since_boot_s)
            && past.again_boot_s.is_none_or(|again| again > soon)
        {
            past.again_boot_s = Some(soon);
        }
    }

    /// The job ended, well or not.
    pub(crate) fn finished(&mut self, job: &Job, now: Now, is_good: bool, outcome: String) {
        let past = self.past.entry(job.name.to_owned()).or_default();
        past.outcome = Some(outcome);
        past.took_s = past.started_boot_s.map(|started| now.boot_s.saturating_sub(started));
        if is_good {
            past.runs = past.runs.saturating_add(1);
            past.failures_in_a_row = 0;
            past.failed_boot_s.clear();
            (past.retry_boot_s, past.in_crash_loop) = (None, false);
            return;
        }
        past.failures = past.failures.saturating_add(1);
        past.failures_in_a_row = past.failures_in_a_row.saturating_add(1);
        past.failed_boot_s.push(now.boot_s);
        let excess = past.failed_boot_s.len().saturating_sub(LOOP_FAILURES);
        past.failed_boot_s.drain(..excess);
        let window = past.failed_boot_s.first().map_or(0, |first| now.boot_s.saturating_sub(*first));
        past.in_crash_loop |= past.failed_boot_s.len() >= LOOP_FAILURES && window <= LOOP_WINDOW_S;
        let doubled = 1_u64.checked_shl(past.failures_in_a_row.saturating_sub(1)).unwrap_or(u64::MAX);
        let wait = match past.in_crash_loop {
            true => LONGEST_RETRY_S,
            false => FIRST_RETRY_S.saturating_mul(doubled).min(LONGEST_RETRY_S),
        };
        past.retry_boot_s = Some(now.boot_s.saturating_add(wait));
    }
}

/// Seconds since the last start; `None` when that cannot be told or there was none.
fn elapsed_s(past: &Past, now: Now) -> Option<u64> {
    if let Some(started) = past.started_boot_s {
        return Some(now.boot_s.saturating_sub(started));
    }
    // Of another boot. A clock that was set back since then tells the distance still.
    past.started_unix_s.filter(|_| now.plausible).map(|started| now.wall_s.abs_diff(started))
}

/// Brings what is done with in line with the clock: behind it, and past the times that the last start covers.
fn settle(job: &Job, past: &mut Past, zone: &TimeZone, now: Now) {
    let (Pace::Cron(cron), true) = (&job.pace, now.plausible) else { return };
    let Some(until) = now.wall_s.checked_sub_unsigned(job.jitter_s) else { return };
    let done = past.done_until_unix_s.unwrap_or(until).min(until);
    past.done_until_unix_s = Some(done);
    if past.retry_boot_s.is_some() {
        return;
    }
    let Some(slot) = cron.last_until(until, zone).filter(|slot| *slot > done) else { return };
    let period = cron.last_until(slot - 1, zone).map_or(WITHOUT_CALENDAR_S, |before| slot.abs_diff(before));
    if elapsed_s(past, now).is_some_and(|elapsed| elapsed < period / 2) {
        past.done_until_unix_s = Some(until);
    }
}

/// Seconds until the job is due; `None` when only something else can make it so.
fn wait_s(
    job: &Job,
    past: &Past,
    zone: &TimeZone,
    begun_boot_s: u64,
    awake_boot_s: Option<u64>,
    now: Now,
) -> Option<u64> {
    if let Some(retry) = past.retry_boot_s {
        return Some(retry.saturating_sub(now.boot_s));
    }
    let after = |wait: u64| match elapsed_s(past, now) {
        Some(elapsed) => wait.saturating_sub(elapsed),
        // Never, or nobody can tell when: not in the rush after a start.
        None => begun_boot_s.saturating_add(job.jitter_s).saturating_sub(now.boot_s),
    };
    let again = past.again_boot_s.map(|again| again.saturating_sub(now.boot_s));
    match &job.pace {
        Pace::OnCall => again,
        Pace::Every(seconds) => Some(again.unwrap_or_else(|| after(*seconds))),
        Pace::WhenAwake(at_most_every_s) => {
            let news = awake_boot_s.filter(|awake| past.started_boot_s.is_none_or(|start| start < *awake));
            let news = news
                .map(|_| elapsed_s(past, now).map_or(0, |elapsed| at_most_every_s.saturating_sub(elapsed)));
            again.into_iter().chain(news).min()
        }
        Pace::Cron(_) if !now.plausible => {
            let since = past.started_boot_s.unwrap_or(begun_boot_s);
            Some(since.saturating_add(WITHOUT_CALENDAR_S).saturating_sub(now.boot_s))
        }
        Pace::Cron(cron) => {
            let until = now.wall_s.checked_sub_unsigned(job.jitter_s)?;
            let done = past.done_until_unix_s.unwrap_or(until).min(until);
            let next = cron.next_after(done, zone)?.checked_add_unsigned(job.jitter_s)?;
            Some(u64::try_from(next.saturating_sub(now.wall_s)).unwrap_or(0))
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
