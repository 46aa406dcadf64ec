//! `assay run`: what happens by itself. One small loop that sleeps in poll(2); each job is a child process of this
//! program, so that a crash, a leak or a disk that hangs never takes the daemon, and an idle daemon holds nothing of
//! what a job needs. For the same reason `assay run` becomes another process image (the same process) before it settles
//! down: whatever read flags, keys and configuration at the start is gone from memory, and children read them anew.
//!
//! Read [`plan`] for when what runs, [`schedule`] for which jobs there are, [`jobs`] for what they do. By itself nothing
//! of this machine leaves: an enrolled device asks its portal whether somebody wants something; the health report is sent
//! only where the owner set a schedule for it, and of bundles only those whose sending a person began are finished. The
//! daemon writes to RAM; a job brings it to the data volume when drives are awake for another reason, and at the end.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use jiff::tz::TimeZone;

use crate::clock::Clock;
use crate::context::Context;
use crate::{output, selftest, trouble};

pub(crate) mod board;
mod child;
mod cron;
pub(crate) mod jobs;
mod journal;
pub(crate) mod lock;
mod news;
mod plan;
mod quiet;
mod schedule;
mod watch;

use board::BOARD;
pub(crate) use board::Board;
use child::Running;
pub(crate) use child::Told;
pub(crate) use cron::Cron;
use journal::Journal;
pub(crate) use journal::to_syslog;
use plan::{Job, Now, Pace, Plan};
pub(crate) use quiet::QuietHours;
use schedule::{POLL, SELF_TEST, Schedule};
use watch::Watch;

/// The word that makes the program a job's process.
pub(crate) const JOB: &str = "__job";
/// The word that makes it the daemon itself, without the command line of a person.
pub(crate) const DAEMON: &str = "__daemon";

/// After SIGTERM it is gone within this.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// How long a child that is asked to end is waited for.
const GRACE: Duration = Duration::from_millis(1500);
/// The last errand's time at least; what ending a job did not take is its own too.
const LAST_ERRAND: Duration = Duration::from_millis(1500);
/// How long an errand that took too long is asked to end, before it is killed.
const ERRAND_END: Duration = Duration::from_millis(100);
/// Of the promise, for what no wait counts.
const SPARE: Duration = Duration::from_millis(500);
/// What is remembered, and the configuration, are read within this.
const RECALL: Duration = Duration::from_secs(10);

/// Both clocks.
fn now() -> Now {
    let clock = Clock::read();
    Now { wall_s: clock.now_unix_s, boot_s: board::boot_s(), plausible: clock.is_plausible() }
}

/// The zone of this machine now; read again when the configuration is.
fn zone() -> TimeZone {
    let localtime = std::fs::read("/etc/localtime").ok();
    cron::zone_of(std::env::var("TZ").ok().as_deref(), localtime.as_deref())
}

/// Where the daemon is, and the flags with which it was started.
struct Start {
    folder: PathBuf,
    /// Of the program as the owner started it: which configuration, which state folder.
    flags: Vec<OsString>,
    /// The same with the configuration that is in force, for the jobs.
    job_flags: Vec<OsString>,
}

impl Start {
    fn new(folder: PathBuf, config: Option<OsString>, state_dir: Option<OsString>) -> Self {
        let flag = |name: &str, path: Option<OsString>| path.map(|path| [OsString::from(name), path]);
        let state_dir = flag("--state-dir", state_dir);
        let in_force = flag("--config", Some(folder.join(schedule::CONFIG).into_os_string()));
        let both = |config: Option<[OsString; 2]>| config.into_iter().chain(state_dir.clone()).flatten();
        Self { flags: both(flag("--config", config)).collect(), job_flags: both(in_force).collect(), folder }
    }
}

/// Sees that the daemon can run, then becomes it; returns when it was told to stop.
pub(crate) fn run(context: &Context) -> anyhow::Result<u8> {
    let folder = board::folder(&context.paths);
    output::private_folder(&folder)?;
    let lock = lock::take(&folder)?;
    // A configuration that is broken from the start is the caller's to see.
    schedule::write(context, &folder)?;
    let absolute =
        |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).into_os_string();
    let config = context.globals.config.as_deref().map(absolute);
    let state_dir = context.globals.state_dir.as_deref().map(absolute);
    // It takes the lock again; whoever comes between is told by it.
    drop(lock);
    let text = |path: &Option<OsString>| path.clone().unwrap_or_default();
    if let Ok(program) = std::env::current_exe() {
        let mut image = std::process::Command::new(program);
        image.arg(DAEMON).arg(&folder).arg(text(&config)).arg(text(&state_dir));
        // It comes back only where it could not: then the daemon stays as it is, and takes some memory more.
        let _ = image.exec();
    }
    stay(Start::new(folder, config, state_dir))
}

/// The daemon's own process image: what [`run()`] became.
pub(crate) fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(2);
    let folder = PathBuf::from(arguments.next().unwrap_or_default());
    let mut path = || arguments.next().filter(|path| !path.is_empty());
    let (config, state_dir) = (path(), path());
    match stay(Start::new(folder, config, state_dir)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => ExitCode::from(trouble::report(&error)),
    }
}

/// Runs until it is told to stop.
fn stay(start: Start) -> anyhow::Result<u8> {
    let _lock = lock::take(&start.folder)?;
    let watch = Watch::begin()?;
    let gentle = assay_collector::live::be_gentle();
    let mut daemon = Daemon::begin(start, watch)?;
    if let Err(error) = gentle {
        daemon.say(&format!("goes on at ordinary priority or without a limit of its memory: {error}"));
    }
    daemon.work()
}

/// Number and time of a file: those of another when it was replaced.
type Stamp = (u64, i64, i64);

fn stamp(file: &Path) -> Option<Stamp> {
    let meta = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some((meta.ino(), meta.mtime(), meta.mtime_nsec()))
}

struct Daemon {
    start: Start,
    schedule: Schedule,
    zone: TimeZone,
    plan: Plan,
    running: Option<Running>,
    journal: Journal,
    watch: Watch,
    board: Board,
    /// Which enrolment it was when it was looked at last.
    enrolment: Option<Stamp>,
    /// Told to stop.
    stop_asked: bool,
    /// Told to take the configuration anew.
    reload_asked: bool,
}

impl Daemon {
    fn begin(start: Start, mut watch: Watch) -> anyhow::Result<Self> {
        let folder = &start.folder;
        let schedule = Schedule::read(folder)?;
        let mut journal = Journal::new(folder);
        // A data volume that hangs must not hold a daemon that is told to stop.
        let (mut stop_asked, mut reload_asked) = (false, false);
        let mut gives_up = || {
            let happened = watch.wait(0).unwrap_or_default();
            reload_asked |= happened.reload;
            stop_asked |= happened.stop;
            stop_asked
        };
        if !folder.join(BOARD).is_file()
            && let Err(why) = errand("recall", &start.job_flags, folder, RECALL, &mut gives_up)
        {
            journal.say(now().wall_s, &format!("begins without what it knew before: {why}"));
        }
        let before = Board::read(folder);
        let zone = zone();
        let now = now();
        let mut plan = Plan::new(schedule.jobs.clone(), before.past, zone.clone(), &board::boot_id(), now);
        if selftest::store::is_open(folder) {
            plan.called(SELF_TEST, now);
        }
        let board = Board { pid: std::process::id(), begun_unix_s: now.wall_s, ..Board::default() };
        let running = None;
        let enrolment = stamp(&schedule.enrolment);
        Ok(Self {
            start,
            schedule,
            zone,
            plan,
            running,
            journal,
            watch,
            board,
            enrolment,
            stop_asked,
            reload_asked,
        })
    }

    fn say(&mut self, text: &str) {
        self.journal.say(now().wall_s, text);
    }

    fn work(&mut self) -> anyhow::Result<u8> {
        // Who waits for this line finds the status written.
        self.write_board();
        self.say(&format!("begins (process {})", std::process::id()));
        while !self.stop_asked {
            self.reap();
            if std::mem::take(&mut self.reload_asked) {
                self.reload("takes the configuration anew");
                continue;
            }
            self.look_at_enrolment();
            self.start_what_is_due();
            let now = now();
            let until_deadline = |running: &Running| running.deadline_boot_s.saturating_sub(now.boot_s);
            let sleep = match &self.running {
                // One job at a time: nothing else is due before it ends.
                Some(running) => until_deadline(running).clamp(1, plan::LONGEST_SLEEP_S),
                // What the quiet hours held back goes when they end.
                None => self.quiet_left_s(now).unwrap_or(u64::MAX).min(self.plan.sleep_s(now)),
            };
            let happened = self.watch.wait(sleep)?;
            self.stop_asked |= happened.stop;
            self.reload_asked |= happened.reload;
        }
        self.stop();
        Ok(0)
    }

    /// A device that was enrolled, or is no longer, has other jobs; one that was enrolled anew asks its portal soon,
    /// whatever the portal of before said of the next time; and who just asked the portal for a request
    /// (`assay support wait`) need not wait for the next poll.
    fn look_at_enrolment(&mut self) {
        let found = stamp(&self.schedule.enrolment);
        // A job that runs now may still speak of the one before: looked at when it has ended.
        let before = match self.running {
            Some(_) => self.enrolment,
            None => std::mem::replace(&mut self.enrolment, found),
        };
        match (found.is_some(), self.schedule.enrolled) {
            (true, false) => self.reload("this device is enrolled now"),
            (false, true) => self.reload("this device is no longer enrolled"),
            (true, true) if self.running.is_none() && before.is_some() && before != found => {
                self.reload("the enrolment of this device is another one");
                self.plan.called(POLL, now());
            }
            _ => {}
        }
        if let Some(at_boot_s) = crate::support::store::waited_boot_s(&self.schedule.support_ram) {
            self.plan.hurry(POLL, at_boot_s, now());
        }
    }

    fn start_what_is_due(&mut self) {
        if self.running.is_some() {
            return;
        }
        let now = now();
        let quiet = self.is_quiet(now);
        if selftest::store::was_called(&self.start.folder) {
            self.plan.called(SELF_TEST, now);
        }
        let Some(job) = self.plan.due(now, quiet) else { return };
        self.plan.started(&job, now);
        match child::start(&job, &self.start.job_flags, &self.start.folder, now.boot_s) {
            Ok(running) => self.running = Some(running),
            Err(error) => return self.ended(&job, Err(format!("{error:#}"))),
        }
        self.write_board();
    }

    fn quiet_left_s(&self, now: Now) -> Option<u64> {
        self.schedule.quiet_hours.and_then(|hours| hours.left_s(now.wall_s, &self.zone))
    }

    fn is_quiet(&self, now: Now) -> bool {
        self.schedule.quiet_hours.is_some_and(|hours| hours.hold_at(now.wall_s, &self.zone))
    }

    /// Takes the end of the job that runs, or makes it: at its deadline, and of uploads and polls when the quiet hours begin.
    fn reap(&mut self) {
        let quiet = self.is_quiet(now());
        let Some(running) = &mut self.running else { return };
        let gives_way = quiet && running.job.is_loud && !matches!(running.job.pace, Pace::Cron(_));
        let ended = match running.ended() {
            Some(ended) => ended,
            None if gives_way && running.end(GRACE) => Ok(Told {
                words: "stopped for the quiet hours; it goes on where it is".to_owned(),
                again_after_s: Some(1),
                ..Told::default()
            }),
            None if running.deadline_boot_s > now().boot_s => return,
            None => Err(match running.end(GRACE) {
                true => format!("it took longer than {} s and was killed", running.job.deadline_s),
                false => format!("it took longer than {} s and cannot be killed", running.job.deadline_s),
            }),
        };
        let job = running.job.clone();
        self.running = None;
        self.ended(&job, ended);
    }

    fn ended(&mut self, job: &Job, ended: Result<Told, String>) {
        let now = now();
        let was_in_loop = self.plan.past().get(job.name).is_some_and(|past| past.in_crash_loop);
        let mut again_after_s = None;
        let mut is_told = false;
        let (is_good, words) = match ended {
            Ok(told) => {
                again_after_s = told.again_after_s;
                let last = self.plan.past().get(job.name).and_then(|past| past.outcome.as_deref());
                is_told = told.repeats && last == Some(told.words.as_str());
                if told.drives_awake == Some(true) {
                    self.plan.drives_are_awake(now);
                }
                (true, told.words)
            }
            Err(why) => (false, why),
        };
        let line =
            if is_good { format!("{}: {words}", job.name) } else { format!("{} failed: {words}", job.name) };
        self.plan.finished(job, now, is_good, words);
        if let Some(seconds) = again_after_s {
            self.plan.again_after(job, now, seconds);
        }
        let in_loop = self.plan.past().get(job.name).is_some_and(|past| past.in_crash_loop);
        // Who reads the log and then asks for the status finds there what the log said.
        self.write_board();
        if !is_told {
            self.say(&line);
        }
        if in_loop && !was_in_loop {
            self.say(&format!("{} fails again and again; it is tried once an hour from now on", job.name));
            to_syslog(&format!("{} fails again and again; `assay status` says why", job.name));
        }
    }

    /// Takes the configuration anew; one that is broken leaves the old one in force. A child reads it.
    fn reload(&mut self, why: &str) {
        let (watch, stop, again) = (&mut self.watch, &mut self.stop_asked, &mut self.reload_asked);
        let mut gives_up = || {
            let happened = watch.wait(0).unwrap_or_default();
            *again |= happened.reload;
            *stop |= happened.stop;
            *stop
        };
        let folder = &self.start.folder;
        let read = errand("settings", &self.start.flags, folder, RECALL, &mut gives_up)
            .and_then(|_| Schedule::read(folder).map_err(|error| format!("{error:#}")));
        let line = match read {
            Ok(schedule) => {
                self.zone = zone();
                self.plan.replace_jobs(schedule.jobs.clone(), self.zone.clone());
                self.schedule = schedule;
                self.board.config_error = None;
                why.to_owned()
            }
            Err(error) => {
                // Asked again when the file is another one, and not at each turn of the loop.
                self.schedule.enrolled = self.schedule.enrolment.is_file();
                let line = format!("goes on with the old configuration: {error}");
                self.board.config_error = Some(error);
                line
            }
        };
        self.write_board();
        self.say(&line);
    }

    /// Ends what runs, brings what is remembered to the data volume, within five seconds.
    fn stop(&mut self) {
        let begun = std::time::Instant::now();
        self.say("stops");
        if let Some(mut running) = self.running.take() {
            let why =
                if running.end(GRACE) { "it was stopped with the daemon" } else { "it cannot be killed" };
            self.plan.finished(&running.job, now(), false, why.to_owned());
        }
        self.board.pid = 0;
        self.write_board();
        let left = last_errand(begun.elapsed());
        if let Err(why) = errand("keep", &self.start.job_flags, &self.start.folder, left, &mut || false) {
            output::say(&format!("assay run: the data volume did not take what is remembered: {why}"));
        }
    }

    fn write_board(&mut self) {
        let now = now();
        self.board.running = self.running.as_ref().map(|running| running.job.name.to_owned());
        self.board.past.clone_from(self.plan.past());
        let next = |job: &Job| (job.name.to_owned(), self.plan.next_unix_s(job, now));
        let listed = self.plan.jobs().iter().map(next);
        // One that nobody calls for has no next time, and waits for no drives.
        self.board.next_unix_s = listed.filter(|(name, next)| name != SELF_TEST || next.is_some()).collect();
        let written = serde_json::to_vec(&self.board)
            .context("the board")
            .and_then(|bytes| output::replace_private(&self.start.folder.join(BOARD), &bytes));
        if let Err(error) = written {
            self.say(&format!("cannot write down what it does: {error:#}"));
        }
    }
}

/// How long the last errand may take, after what ending a job took.
fn last_errand(ending: Duration) -> Duration {
    let rest = STOPS_WITHIN.saturating_sub(SPARE + ERRAND_END + child::KILL_WAIT);
    rest.saturating_sub(ending).max(LAST_ERRAND)
}

/// Runs a short job that no plan holds, and waits for it no longer than `patience`.
fn errand(
    name: &'static str,
    flags: &[OsString],
    folder: &Path,
    patience: Duration,
    gives_up: &mut dyn FnMut() -> bool,
) -> Result<Told, String> {
    let job = Job { name, pace: Pace::WhenAwake(0), jitter_s: 0, deadline_s: 0, is_loud: false };
    let mut running = child::start(&job, flags, folder, 0).map_err(|error| format!("{error:#}"))?;
    let begun = std::time::Instant::now();
    while begun.elapsed() < patience {
        if let Some(ended) = running.ended() {
            return ended;
        }
        if gives_up() {
            running.end(ERRAND_END);
            return Err("it was stopped".to_owned());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    running.end(ERRAND_END);
    Err(format!("it took longer than {} ms", patience.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_keeps_its_promise_whatever_hangs() {
        let a_job_that_hangs = GRACE + child::KILL_WAIT;
        for ending in [Duration::ZERO, GRACE, a_job_that_hangs] {
            let all = ending + last_errand(ending) + ERRAND_END + child::KILL_WAIT + SPARE;
            assert!(all <= STOPS_WITHIN, "{all:?} after {ending:?}");
            assert!(last_errand(ending) >= LAST_ERRAND);
        }
    }
}
