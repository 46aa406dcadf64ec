//! Who may start a child on what: the promise that a dying device costs a bounded number of stuck processes.
//!
//! While an abandoned child lives, nothing touches its target again: the same device, the same path, anything below
//! it, or anything in the same folder (the attributes of one `/sys` folder lead to one device; a dying disk holds whole
//! folders). Folders directly below the root are no such folder: `/proc/mdstat` says nothing about `/proc/uptime`; nor
//! are the kernel's own indexes ([`INDEXES`]), where each entry leads to another device.
//! Children that are busy now count like stuck ones, so that many at once cannot overrun the limit. At most
//! [`MAX_STUCK`] are abandoned in all; commands stop at [`MAX_STUCK_COMMANDS`], because the files in `/proc` and
//! `/sys` are what is left to tell of a machine whose disks all hang. While nothing is stuck, [`MAX_COMMANDS`] commands
//! run at once, as many as one controller's drives are asked at a time: should all of them hang in the same moment,
//! that many are left behind, once, and none is started after.

use std::sync::{Mutex, MutexGuard, PoisonError};

use assay_bundle::facts::stuck::StuckReader;
use tokio::sync::Notify;

use super::abandoned::Abandoned;
use crate::source::Failure;

/// Most children that may be stuck at once.
pub(super) const MAX_STUCK: usize = 8;

/// Most stuck children at which a command is still started.
pub(super) const MAX_STUCK_COMMANDS: usize = 6;

/// Most commands at once while nothing is stuck.
pub(super) const MAX_COMMANDS: usize = 12;

/// Most file readers at once.
pub(super) const MAX_READERS: usize = 4;

/// Folders of sysfs that only list what has nothing in common: a network adapter that hangs must not hide the fans.
const INDEXES: [&str; 3] = ["/sys/block", "/sys/bus", "/sys/class"];

/// What kind of child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file reader.
    File,
    /// A command.
    Command,
}

/// The door keeper.
pub(super) struct Gate {
    abandoned: Abandoned,
    busy: Mutex<Vec<(Kind, String)>>,
    freed: Notify,
}

/// Leave to use one child on one target; given back when dropped.
pub(super) struct Pass<'g> {
    gate: &'g Gate,
    kind: Kind,
    target: String,
}

impl Gate {
    pub(super) fn new(abandoned: Abandoned) -> Self {
        Self { abandoned, busy: Mutex::default(), freed: Notify::new() }
    }

    /// Waits for a free place. Waiting ends, because everybody inside has a deadline.
    pub(super) async fn enter(&self, kind: Kind, target: &str) -> Result<Pass<'_>, Failure> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.admit(kind, target)? {
                return Ok(Pass { gate: self, kind, target: target.to_owned() });
            }
            freed.await;
        }
    }

    fn admit(&self, kind: Kind, target: &str) -> Result<bool, Failure> {
        // Who is stuck is read from a file, and everybody who waits comes here whenever a place gets free: first what
        // costs nothing to know.
        if !self.may_be_free(kind, target) {
            return Ok(false);
        }
        let stuck = self.living();
        if let Some(entry) = stuck.iter().find(|entry| related(&entry.target, target)) {
            return Err(Failure::Stuck { since_unix_s: entry.since_unix_s, target: entry.target.clone() });
        }
        let limit = match kind {
            Kind::File => MAX_STUCK,
            Kind::Command => MAX_STUCK_COMMANDS,
        };
        if stuck.len() >= limit {
            return Err(Failure::TooManyStuck);
        }
        let mut busy = self.busy();
        let count = |kind| busy.iter().filter(|(other, _)| *other == kind).count();
        let (commands, files) = (count(Kind::Command), count(Kind::File));
        // However many commands are busy, the readers keep the places that commands never had.
        let others = commands.min(MAX_STUCK_COMMANDS.saturating_sub(stuck.len()));
        let free = match kind {
            Kind::Command if stuck.is_empty() => commands < MAX_COMMANDS,
            Kind::Command => {
                commands < MAX_STUCK_COMMANDS - stuck.len() && stuck.len() + commands + files < MAX_STUCK
            }
            Kind::File => files < MAX_READERS && stuck.len() + others + files < MAX_STUCK,
        };
        let free = free && !busy.iter().any(|(_, other)| related(other, target));
        if free {
            busy.push((kind, target.to_owned()));
        }
        Ok(free)
    }

    /// Whether a place would be free if nothing were stuck.
    fn may_be_free(&self, kind: Kind, target: &str) -> bool {
        let busy = self.busy();
        let most = match kind {
            Kind::File => MAX_READERS,
            Kind::Command => MAX_COMMANDS,
        };
        busy.iter().filter(|(other, _)| *other == kind).count() < most
            && !busy.iter().any(|(_, other)| related(other, target))
    }

    /// The abandoned children that still live.
    pub(super) fn living(&self) -> Vec<StuckReader> {
        self.abandoned.living()
    }

    /// Remembers children that could not be killed.
    pub(super) fn abandon(&self, entries: Vec<StuckReader>) {
        self.abandoned.add(entries);
    }

    fn busy(&self) -> MutexGuard<'_, Vec<(Kind, String)>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut busy = self.gate.busy();
        if let Some(at) = busy.iter().position(|(kind, target)| *kind == self.kind && *target == self.target)
        {
            busy.swap_remove(at);
        }
        drop(busy);
        self.gate.freed.notify_waiters();
    }
}

/// Whether a hang at one target makes a hang at the other likely.
fn related(one: &str, other: &str) -> bool {
    let below = |path: &str, folder: &str| {
        path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/') || folder.ends_with('/'))
    };
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let is_deep = |folder: &String| folder.matches('/').count() >= 2 && !INDEXES.contains(&folder.as_str());
    let same_folder = folder(one).filter(is_deep).is_some_and(|of_one| folder(other) == Some(of_one));
    one == other || below(one, other) || below(other, one) || same_folder
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::super::proc_stat::ProcStat;
    use super::*;

    fn check(one: &str, other: &str, expected: bool) {
        assert_eq!((related(one, other), related(other, one)), (expected, expected), "{one} {other}");
    }

    #[test]
    fn a_hang_reaches_as_far_as_the_folder() {
        check("/dev/sda", "/dev/sda", true);
        check("/dev/sda", "/dev/sdb", false);
        check("/proc/mdstat", "/proc/uptime", false);
        check("/mnt/pool", "/mnt/pool/a/b", true);
        check("/mnt/pool", "/mnt/pool2", false);
        check("/etc/config/a", "/etc/config/b", true);
        check("/sys/class/hwmon/hwmon3/temp1_input", "/sys/class/hwmon/hwmon3/name", true);
        check("/sys/class/hwmon/hwmon3/name", "/sys/class/hwmon/hwmon4/name", false);
        check("/sys/class/net", "/sys/class/hwmon", false);
        check("/sys/class/net/eth0/speed", "/sys/class/net", true);
        check("/sys/block/sda", "/sys/block/sdb", false);
        check("/sys/block", "/sys/block/sdb", true);
        check("/", "/proc", true);
        check("smartctl", "/dev/sda", false);
        check("smartctl", "smartctl", true);
    }

    fn gate_with(stuck: usize) -> (Gate, Vec<std::process::Child>, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let gate = Gate::new(Abandoned::new(folder.path().join("run")));
        let sleep = || std::process::Command::new("sleep").arg("600").spawn().expect("sleep is everywhere");
        let children: Vec<_> = (0..stuck).map(|_| sleep()).collect();
        gate.abandon(
            children
                .iter()
                .enumerate()
                .map(|(n, child)| StuckReader {
                    pid: child.id(),
                    started_ticks: ProcStat::of(child.id()).expect("it runs").started_ticks,
                    target: format!("/dev/stuck{n}"),
                    command: "sleep".into(),
                    since_unix_s: 7,
                })
                .collect(),
        );
        (gate, children, folder)
    }

    #[test]
    fn places_are_limited() {
        fn check(stuck: usize, commands: Result<usize, Failure>, files: Result<usize, Failure>) {
            let (gate, mut children, _folder) = gate_with(stuck);
            let fill = |kind| {
                let mut admitted = 0;
                while gate.admit(kind, &format!("/x{kind:?}{admitted}"))? {
                    admitted += 1;
                }
                gate.busy().clear();
                Ok(admitted)
            };
            assert_eq!((fill(Kind::Command), fill(Kind::File)), (commands, files), "{stuck} stuck");
            for child in &mut children {
                child.kill().expect("it runs");
                child.wait().expect("it was killed");
            }
            assert_eq!(gate.admit(Kind::Command, "/dev/stuck0"), Ok(true));
        }
        check(0, Ok(12), Ok(4));
        check(1, Ok(5), Ok(4));
        check(5, Ok(1), Ok(3));
        check(6, Err(Failure::TooManyStuck), Ok(2));
        check(8, Err(Failure::TooManyStuck), Err(Failure::TooManyStuck));
    }

    #[test]
    fn many_commands_leave_places_for_readers() {
        let (gate, _, _folder) = gate_with(0);
        let admit = |kind, target: String| gate.admit(kind, &target).expect("nothing is stuck");
        assert_eq!((0..20).filter(|n| admit(Kind::Command, format!("/dev/sd{n}"))).count(), MAX_COMMANDS);
        assert_eq!(
            (0..9).filter(|n| admit(Kind::File, format!("/x{n}"))).count(),
            MAX_STUCK - MAX_STUCK_COMMANDS
        );
    }

    #[test]
    fn a_stuck_target_is_left_alone_and_a_busy_one_waited_for() {
        let (gate, mut children, _folder) = gate_with(1);
        let stuck = Failure::Stuck { since_unix_s: 7, target: "/dev/stuck0".into() };
        assert_eq!(gate.admit(Kind::Command, "/dev/stuck0"), Err(stuck));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let pass = gate.enter(Kind::File, "/a/b/c").await.expect("a free place");
            assert_eq!(gate.admit(Kind::File, "/a/b/d"), Ok(false));
            assert_eq!(gate.admit(Kind::File, "/a/b"), Ok(false));
            let second = async { gate.enter(Kind::File, "/a/b/d").await.map(drop) };
            let (answer, ()) = tokio::join!(second, async { drop(pass) });
            assert_eq!(answer, Ok(()));
        });
        children.iter_mut().for_each(|child| {
            child.kill().expect("it runs");
            child.wait().expect("it was killed");
        });
    }
}
