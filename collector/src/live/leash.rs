//! A child process that cannot be forgotten: it ends dead, or abandoned and remembered.
//!
//! Every child leads its own process group, and it is the group that is ended: a command's own children hold its
//! pipes, and may be the ones that hang. Dropping a leash (a cancelled request, the end of a run) kills at once and
//! remembers whoever does not die.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use assay_bundle::facts::stuck::StuckReader;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::Shared;
use super::proc_stat::{ProcStat, living_members};
use crate::source::Failure;

/// How long a command may take to end by itself after it was asked to.
pub(super) const TERM_GRACE: Duration = Duration::from_millis(500);

/// How many times longer a killed child may wait for processor time: a busy machine is no hung disk.
const PATIENCE: u32 = 4;

/// How often a dying group is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How long dropping waits for a killed child: long enough for one that can die, short enough for a thread that others
/// wait for.
const DROP_WAIT: Duration = Duration::from_millis(30);

/// How a child is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Ask first: it may be in the middle of something.
    Ask,
    /// Kill at once.
    Kill,
}

/// A child and its group.
pub(super) struct Leash {
    pub(super) child: Child,
    group: Option<Pid>,
    /// What it is busy with.
    pub(super) target: String,
    /// Its command line, or what it is.
    pub(super) what: String,
    settled: bool,
    shared: Arc<Shared>,
}

impl Leash {
    /// Starts a reader child with `stderr` as given; its other ends are pipes.
    pub(super) fn start(
        shared: &Arc<Shared>,
        stderr: Stdio,
        target: &str,
        what: String,
    ) -> Result<Self, Failure> {
        let mut words = shared.options.reader.iter();
        let program =
            words.next().ok_or_else(|| Failure::Io { why: "no command line for file readers".to_owned() })?;
        let mut command = Command::new(program);
        command.args(words).env_clear().envs(ENVIRONMENT).current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let child = command.spawn().map_err(|error| Failure::Io {
            why: format!(
                "starting the reader {}: {error}; reinstall assay or free some memory",
                program.display()
            ),
        })?;
        shared.started.fetch_add(1, Ordering::Relaxed);
        let group = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        Ok(Self { child, group, target: target.to_owned(), what, settled: false, shared: Arc::clone(shared) })
    }

    /// Ends the whole group. An error says that somebody in it cannot be killed and was abandoned.
    pub(super) async fn end(mut self, manner: Manner) -> Result<(), Failure> {
        if manner == Manner::Ask {
            self.signal(Signal::TERM);
            // The result does not matter: whoever is left is killed next.
            let _ = timeout(TERM_GRACE, self.child.wait()).await;
        }
        self.signal(Signal::KILL);
        let deadline = Instant::now() + self.shared.options.kill_grace;
        let _ = timeout(self.shared.options.kill_grace, self.child.wait()).await;
        while self.group_exists() {
            let left = self.survivors();
            if left.is_empty() {
                break;
            }
            let late = Instant::now().saturating_duration_since(deadline);
            // Who is not in an uninterruptible sleep dies as soon as the processor has time for it.
            let patience = PATIENCE * self.shared.options.kill_grace;
            if !late.is_zero() && (left.iter().any(ProcStat::is_stuck) || late >= patience) {
                return Err(self.abandon(&left));
            }
            sleep(LOOK).await;
        }
        self.settled = true;
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that is gone already is what is wanted.
            let _ = kill_process_group(group, signal);
        }
    }

    fn group_exists(&self) -> bool {
        self.group.is_some_and(|group| test_kill_process_group(group) != Err(Errno::SRCH))
    }

    fn survivors(&self) -> Vec<ProcStat> {
        let group = self.group.and_then(|group| u32::try_from(group.as_raw_pid()).ok());
        group.map(living_members).unwrap_or_default()
    }

    fn abandon(&mut self, left: &[ProcStat]) -> Failure {
        self.settled = true;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let since_unix_s = i64::try_from(since).unwrap_or(i64::MAX);
        let entry = |process: &ProcStat| StuckReader {
            pid: process.pid,
            started_ticks: process.started_ticks,
            target: self.target.clone(),
            command: self.what.clone(),
            since_unix_s,
        };
        let entries: Vec<_> = left.iter().map(entry).collect();
        for StuckReader { pid, target, command, .. } in &entries {
            tracing::warn!(pid, %target, %command, "a child is stuck in the kernel and cannot be killed; it is left alone");
        }
        self.shared.abandoned.fetch_add(entries.len() as u64, Ordering::Relaxed);
        self.shared.gate.abandon(entries);
        Failure::Stuck { since_unix_s, target: self.target.clone() }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        self.signal(Signal::KILL);
        let deadline = Instant::now() + DROP_WAIT;
        loop {
            // Collects the child when it is dead; its group may live on.
            let _ = self.child.try_wait();
            let left = if self.group_exists() { self.survivors() } else { Vec::new() };
            if left.is_empty() {
                return;
            }
            let late = Instant::now().saturating_duration_since(deadline);
            let all_stuck = left.iter().all(ProcStat::is_stuck);
            if !late.is_zero() && (all_stuck || late >= PATIENCE * DROP_WAIT) {
                // The others have been killed and need no more than processor time.
                let stuck: Vec<_> = left.into_iter().filter(ProcStat::is_stuck).collect();
                if !stuck.is_empty() {
                    self.abandon(&stuck);
                }
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The whole environment of every child: a known language and clock, and nothing of the caller's.
pub(super) const ENVIRONMENT: [(&str, &str); 3] =
    [("LC_ALL", "C"), ("TZ", "UTC"), ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")];
