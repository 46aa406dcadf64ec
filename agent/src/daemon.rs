//! `assay run`: what happens by itself. One small loop that sleeps in poll(2); each job is a child process of this
//! program, so that a crash, a leak or a disk that hangs never takes the daemon, and an idle daemon holds nothing of
//! what a job needs.
//!
//! Read [`plan`] for when what runs, [`jobs`] for what it does. By itself nothing leaves: the health report is sent only
//! where the owner set a schedule for it, and of bundles only those whose sending a person began are finished. The
//! daemon writes to RAM; a job brings it to the data volume when drives are awake for another reason, and at the end.

use std::time::Duration;

use anyhow::Context as _;
use assay_bundle::digest::sha256_hex;
use jiff::tz::TimeZone;

use crate::clock::Clock;
use crate::config::Config;
use crate::context::Context;
use crate::output;

pub(crate) mod board;
mod child;
mod cron;
pub(crate) mod jobs;
mod journal;
pub(crate) mod lock;
mod news;
mod plan;
mod quiet;
mod watch;

use board::BOARD;
pub(crate) use board::Board;
use child::{Running, Told};
pub(crate) use cron::Cron;
use journal::Journal;
pub(crate) use journal::to_syslog;
use plan::{Job, Now, Pace, Plan};
pub(crate) use quiet::QuietHours;
use watch::Watch;

/// Copy of the configuration that is in force, for the jobs: a file that was broken since does not reach them.
const CONFIG: &str = "in-force.toml";

/// The word that makes the program a job's process.
pub(crate) const JOB: &str = "__job";

/// Beyond the collection's own deadline: redaction and sealing.
const AFTER_COLLECTING_S: u64 = 300;
/// Most seconds for a report.
const REPORT_S: u64 = 180;
/// Most seconds for one round of uploads: what is left goes on in the next.
const DRAIN_S: u64 = 3 * 3600;
/// At most so often.
const DRAIN_EVERY_S: u64 = 900;
/// Most seconds for what is brought to the data volume.
const KEEP_S: u64 = 30;
/// At most so often.
const KEEP_EVERY_S: u64 = 3600;
/// Widest spread of the checks and samples of a fleet; they cost the device alone.
const LOCAL_SPREAD_S: u64 = 600;
/// Widest spread of the reports of a fleet, which meet at the portal.
const REPORT_SPREAD_S: u64 = 3600;
/// How long a child that is asked to end is waited for; with its kill and the last errand, five seconds are not passed.
const GRACE: Duration = Duration::from_millis(1500);
/// The last errand's time.
const LAST_ERRAND: Duration = Duration::from_millis(1500);
/// What is remembered is read from the data volume within this.
const RECALL: Duration = Duration::from_secs(10);

/// Both clocks.
fn now() -> Now {
    let clock = Clock::read();
    Now { wall_s: clock.now_unix_s, boot_s: board::boot_s(), plausible: clock.is_plausible() }
}

/// This device's own second within a spread: the same for ever, another for each device and job.
fn jitter_s(key_id: &str, job: &str, spread_s: u64) -> u64 {
    let digest = sha256_hex(format!("assay-jitter {key_id} {job}").as_bytes());
    let number = digest.get(..15).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default();
    number % spread_s.max(1)
}

/// The jobs of a configuration, in the order in which they go when several are due.
fn jobs_of(config: &Config, key_id: &str) -> Vec<Job> {
    let local = |name, pace, deadline_s, spread_s: u64| Job {
        name,
        pace,
        jitter_s: jitter_s(key_id, name, spread_s),
        deadline_s,
        is_loud: false,
    };
    let collecting = config.collect_deadline_s.saturating_add(AFTER_COLLECTING_S);
    let recorder =
        Some(config.run_recorder_minutes * 60).filter(|period| *period > 0 && config.collect_recorder);
    let recorder =
        recorder.map(|period| local("recorder", Pace::Every(period), collecting, period.min(LOCAL_SPREAD_S)));
    let check =
        config.run_check.clone().map(|cron| local("check", Pace::Cron(cron), collecting, LOCAL_SPREAD_S));
    let report = config
        .report_schedule
        .clone()
        .map(|cron| Job { is_loud: true, ..local("report", Pace::Cron(cron), REPORT_S, REPORT_SPREAD_S) });
    let drain = Job { is_loud: true, ..local("drain", Pace::WhenAwake(DRAIN_EVERY_S), DRAIN_S, 1) };
    let keep = local("keep", Pace::WhenAwake(KEEP_EVERY_S), KEEP_S, 1);
    check.into_iter().chain(recorder).chain(report).chain([drain, keep]).collect()
}

/// The zone of this machine now; read again when the configuration is.
fn zone() -> TimeZone {
    let localtime = std::fs::read("/etc/localtime").ok();
    cron::zone_of(std::env::var("TZ").ok().as_deref(), localtime.as_deref())
}

/// Runs until it is told to stop.
pub(crate) fn run(context: &Context) -> anyhow::Result<u8> {
    let folder = board::folder(&context.paths);
    output::private_folder(&folder)?;
    let _lock = lock::take(&folder)?;
    let watch = Watch::begin()?;
    // A configuration that is broken from the start is the caller's to see.
    let settings = context.settings()?;
    let gentle = assay_collector::live::be_gentle();
    let mut daemon = Daemon::begin(context, settings.config, folder, watch)?;
    if let Err(error) = gentle {
        daemon.say(&format!("goes on at ordinary priority or without a limit of its memory: {error}"));
    }
    daemon.work()
}

struct Daemon<'c> {
    context: &'c Context,
    config: Config,
    zone: TimeZone,
    folder: std::path::PathBuf,
    arguments: Vec<String>,
    plan: Plan,
    running: Option<Running>,
    journal: Journal,
    watch: Watch,
    board: Board,
    /// Told to stop before the work began.
    stop_asked: bool,
}

impl<'c> Daemon<'c> {
    fn begin(
        context: &'c Context,
        config: Config,
        folder: std::path::PathBuf,
        mut watch: Watch,
    ) -> anyhow::Result<Self> {
        let in_force = folder.join(CONFIG);
        copy_config(context, &in_force)?;
        let mut arguments = Vec::new();
        let flags =
            [("--config", Some(in_force.as_path())), ("--state-dir", context.globals.state_dir.as_deref())];
        for (flag, path) in flags {
            if let Some(path) = path {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                arguments.extend([flag.to_owned(), path.display().to_string()]);
            }
        }
        let mut journal = Journal::new(&folder);
        // A data volume that hangs must not hold a daemon that is told to stop.
        let mut stop_asked = false;
        let mut gives_up = || {
            stop_asked |= watch.wait(0).is_ok_and(|happened| happened.stop);
            stop_asked
        };
        if !folder.join(BOARD).is_file()
            && let Err(why) = errand("recall", &arguments, &folder, RECALL, &mut gives_up)
        {
            journal.say(now().wall_s, &format!("begins without what it knew before: {why}"));
        }
        let before = Board::read(&folder);
        let zone = zone();
        let jobs = jobs_of(&config, &key_id(context));
        let now = now();
        let plan = Plan::new(jobs, before.past, zone.clone(), &board::boot_id(), now);
        let board = Board { pid: std::process::id(), begun_unix_s: now.wall_s, ..Board::default() };
        let running = None;
        Ok(Self {
            context,
            config,
            zone,
            folder,
            arguments,
            plan,
            running,
            journal,
            watch,
            board,
            stop_asked,
        })
    }

    fn say(&mut self, text: &str) {
        self.journal.say(now().wall_s, text);
    }

    fn work(&mut self) -> anyhow::Result<u8> {
        self.say(&format!("begins (process {})", std::process::id()));
        self.write_board();
        while !self.stop_asked {
            self.reap();
            self.start_what_is_due();
            let now = now();
            let until_deadline = |running: &Running| running.deadline_boot_s.saturating_sub(now.boot_s);
            let sleep = match &self.running {
                // One job at a time: nothing else is due before it ends.
                Some(running) => until_deadline(running).clamp(1, plan::LONGEST_SLEEP_S),
                None => self.plan.sleep_s(now),
            };
            let happened = self.watch.wait(sleep)?;
            self.stop_asked = happened.stop;
            if happened.reload && !happened.stop {
                self.reload();
            }
        }
        self.stop();
        Ok(0)
    }

    fn start_what_is_due(&mut self) {
        if self.running.is_some() {
            return;
        }
        let now = now();
        let quiet = self.is_quiet(now);
        let Some(job) = self.plan.due(now, quiet) else { return };
        self.plan.started(&job, now);
        match child::start(&job, &self.arguments, &self.folder, now.boot_s) {
            Ok(running) => self.running = Some(running),
            Err(error) => return self.ended(&job, Err(format!("{error:#}"))),
        }
        self.write_board();
    }

    fn is_quiet(&self, now: Now) -> bool {
        self.config.run_quiet_hours.is_some_and(|hours| hours.hold_at(now.wall_s, &self.zone))
    }

    /// Takes the end of the job that runs, or makes it: at its deadline, and of uploads when the quiet hours begin.
    fn reap(&mut self) {
        let quiet = self.is_quiet(now());
        let Some(running) = &mut self.running else { return };
        let gives_way = quiet && running.job.is_loud && matches!(running.job.pace, Pace::WhenAwake(_));
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
        let (is_good, words) = match ended {
            Ok(told) => {
                again_after_s = told.again_after_s;
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
        self.say(&line);
        if in_loop && !was_in_loop {
            self.say(&format!("{} fails again and again; it is tried once an hour from now on", job.name));
            to_syslog(&format!("{} fails again and again; `assay status` says why", job.name));
        }
    }

    /// Takes the configuration anew; one that is broken leaves the old one in force.
    fn reload(&mut self) {
        let settings = self.context.settings().map_err(anyhow::Error::new).and_then(|settings| {
            copy_config(self.context, &self.folder.join(CONFIG))?;
            Ok(settings)
        });
        let line = match settings {
            Ok(settings) => {
                self.zone = zone();
                self.plan.replace_jobs(jobs_of(&settings.config, &key_id(self.context)), self.zone.clone());
                self.config = settings.config;
                self.board.config_error = None;
                "takes the configuration anew".to_owned()
            }
            Err(error) => {
                let error = format!("{error:#}");
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
        self.say("stops");
        if let Some(mut running) = self.running.take() {
            let why =
                if running.end(GRACE) { "it was stopped with the daemon" } else { "it cannot be killed" };
            self.plan.finished(&running.job, now(), false, why.to_owned());
        }
        self.board.pid = 0;
        self.write_board();
        if let Err(why) = errand("keep", &self.arguments, &self.folder, LAST_ERRAND, &mut || false) {
            output::say(&format!("assay run: the data volume did not take what is remembered: {why}"));
        }
    }

    fn write_board(&mut self) {
        let now = now();
        self.board.running = self.running.as_ref().map(|running| running.job.name.to_owned());
        self.board.past.clone_from(self.plan.past());
        let next = |job: &Job| (job.name.to_owned(), self.plan.next_unix_s(job, now));
        self.board.next_unix_s = self.plan.jobs().iter().map(next).collect();
        let written = serde_json::to_vec(&self.board)
            .context("the board")
            .and_then(|bytes| output::replace_private(&self.folder.join(BOARD), &bytes));
        if let Err(error) = written {
            self.say(&format!("cannot write down what it does: {error:#}"));
        }
    }
}

/// Keeps the configuration file as it is now; one that is not there is empty.
fn copy_config(context: &Context, to: &std::path::Path) -> anyhow::Result<()> {
    let file = context.config_file();
    let bytes = match std::fs::read(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        other => other.with_context(|| format!("cannot read {}", file.display()))?,
    };
    output::replace_private(to, &bytes)
}

/// What tells devices apart, before there is a key: nothing, and nothing is sent then.
fn key_id(context: &Context) -> String {
    let public = context.identity().public().ok().flatten();
    public.map(|key| key.fingerprint()).unwrap_or_default()
}

/// Runs a short job that no plan holds, and waits for it no longer than `patience`.
fn errand(
    name: &'static str,
    arguments: &[String],
    folder: &std::path::Path,
    patience: Duration,
    gives_up: &mut dyn FnMut() -> bool,
) -> Result<Told, String> {
    let job = Job { name, pace: Pace::WhenAwake(0), jitter_s: 0, deadline_s: 0, is_loud: false };
    let mut running = child::start(&job, arguments, folder, 0).map_err(|error| format!("{error:#}"))?;
    let begun = std::time::Instant::now();
    while begun.elapsed() < patience {
        if let Some(ended) = running.ended() {
            return ended;
        }
        if gives_up() {
            running.end(Duration::from_millis(100));
            return Err("it was stopped".to_owned());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    running.end(Duration::from_millis(100));
    Err(format!("it took longer than {} ms", patience.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_is_spread_and_a_device_is_steady() {
        let at = |device: u32| jitter_s(&format!("SHA256:{device}"), "report", REPORT_SPREAD_S);
        let seconds: Vec<u64> = (0..1000).map(at).collect();
        assert_eq!(seconds, (0..1000).map(at).collect::<Vec<_>>());
        assert!(seconds.iter().all(|second| *second < REPORT_SPREAD_S));
        for quarter in 0..4 {
            let share = seconds.iter().filter(|s| **s / (REPORT_SPREAD_S / 4) == quarter).count();
            assert!((200..300).contains(&share), "{share}");
        }
        assert_ne!(at(1), jitter_s("SHA256:1", "check", REPORT_SPREAD_S));
    }

    #[test]
    fn nothing_is_sent_by_built_in_settings() {
        let settings = crate::config::load(std::path::Path::new("/nonexistent"), false, &|_| None, &[]);
        let names: Vec<&str> =
            settings.iter().flat_map(|s| jobs_of(&s.config, "")).map(|job| job.name).collect();
        assert_eq!(names, ["check", "recorder", "drain", "keep"]);
    }
}
