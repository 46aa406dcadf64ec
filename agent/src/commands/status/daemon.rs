//! The daemon's part of `assay status`: what ran and how it ended, what is next, what fails again and again.

use serde::Serialize;

use crate::clock;
use crate::context::Context;
use crate::daemon::{Board, board, lock};

/// What is known of the daemon.
#[derive(Serialize)]
pub(super) struct Daemon {
    running: bool,
    pid: Option<u32>,
    begun: Option<String>,
    now_running: Option<String>,
    config_error: Option<String>,
    jobs: Vec<Job>,
}

/// One job.
#[derive(Serialize)]
struct Job {
    name: String,
    last_started: Option<String>,
    outcome: Option<String>,
    took_s: Option<u64>,
    runs: u64,
    failures: u64,
    failures_in_a_row: u32,
    crash_loop: bool,
    /// Whether it runs by the configuration in force.
    planned: bool,
    next: Option<String>,
    /// Whether it runs when another job finds the drives awake.
    waits_for_drives: bool,
}

/// Reads the board: in RAM, or where the data volume keeps it when there was no daemon since the boot.
pub(super) fn gather(context: &Context) -> Daemon {
    let folder = board::folder(&context.paths);
    let running = lock::is_held(&folder);
    let kept = || board::read(&context.paths.memory_dir.as_ref()?.join(board::BOARD));
    let board: Board = board::read(&folder.join(board::BOARD)).or_else(kept).unwrap_or_default();
    let mut names: Vec<&String> = board.past.keys().chain(board.next_unix_s.keys()).collect();
    names.sort();
    names.dedup();
    // What nobody ever called for says nothing.
    let never = |name: &str| board.past.get(name).is_none_or(|past| past.runs == 0 && past.failures == 0);
    names.retain(|name| board.next_unix_s.contains_key(*name) || !never(name));
    let jobs = names.into_iter().map(|name| {
        let past = board.past.get(name).cloned().unwrap_or_default();
        let next = board.next_unix_s.get(name).copied().flatten().filter(|_| running);
        Job {
            name: name.clone(),
            last_started: past.started_unix_s.map(clock::rfc3339),
            outcome: past.outcome,
            took_s: past.took_s,
            runs: past.runs,
            failures: past.failures,
            failures_in_a_row: past.failures_in_a_row,
            crash_loop: past.in_crash_loop,
            planned: board.next_unix_s.contains_key(name),
            next: next.map(clock::rfc3339),
            waits_for_drives: running && board.next_unix_s.get(name).is_some_and(Option::is_none),
        }
    });
    Daemon {
        running,
        pid: Some(board.pid).filter(|_| running),
        begun: running.then(|| clock::rfc3339(board.begun_unix_s)),
        jobs: jobs.collect(),
        now_running: board.running.filter(|_| running),
        config_error: board.config_error.filter(|_| running),
    }
}

/// Lines for a person: name and value.
pub(super) fn lines(daemon: &Daemon) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    match (daemon.pid, &daemon.begun) {
        (Some(pid), Some(begun)) => lines.push(("daemon", format!("runs since {begun} (process {pid})"))),
        _ => lines.push(("daemon", "does not run; `assay run` starts it".to_owned())),
    }
    if let Some(error) = &daemon.config_error {
        lines.push(("", format!("goes on with the old configuration: {error}")));
    }
    if let Some(name) = &daemon.now_running {
        lines.push(("", format!("{name} runs now")));
    }
    for job in &daemon.jobs {
        let last = match (&job.last_started, &job.outcome) {
            (Some(at), Some(outcome)) => {
                format!("{at}: {outcome} ({} s)", job.took_s.unwrap_or_default())
            }
            (Some(at), None) => format!("{at}: not ended yet"),
            (None, Some(outcome)) => outcome.clone(),
            (None, None) => "not yet".to_owned(),
        };
        let trouble = match (job.crash_loop, job.failures_in_a_row) {
            (true, count) => format!("; fails again and again ({count} times), tried once an hour"),
            (false, 0) => String::new(),
            (false, count) => format!("; failed {count} times in a row"),
        };
        let next = match (&job.next, job.waits_for_drives) {
            (Some(at), _) => format!("; next {at}"),
            (None, true) if !job.planned => "; not any more".to_owned(),
            (None, true) => "; next when drives are awake".to_owned(),
            (None, false) => String::new(),
        };
        lines.push(("", format!("{}: {last}{trouble}{next}", job.name)));
    }
    lines
}
