//! Where the queue is kept: in RAM while the NAS runs, and on the data volume.
//!
//! A look that the daemon takes by itself writes to RAM alone, so that a pool that sleeps goes on sleeping; its job
//! `keep` brings it to the data volume when drives are awake, as it does with everything that the daemon remembers, and
//! `recall` brings it back after a boot. What a person asks for is written to both at once. Should RAM be lost before
//! that, nothing is lost but a look: the drive's own log decides. One call at a time works on it, by a lock in RAM.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::queue::Queue;
use crate::context::Context;
use crate::daemon::board;
use crate::output;
use crate::trouble::{NextStep, refuse};

/// The queue, in RAM and on the data volume.
pub(crate) const FILE: &str = "selftest.json";
/// Tells the daemon that there is something to do.
const CALL: &str = "selftest.call";
const LOCK: &str = "selftest.lock";

/// Where it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    ram: PathBuf,
    volume: Option<PathBuf>,
}

/// While this lives, nobody else works on the queue.
#[derive(Debug)]
pub(crate) struct Held {
    _file: File,
}

impl Store {
    /// The queue of this device.
    pub(crate) fn of(context: &Context) -> Self {
        Self { ram: board::folder(&context.paths), volume: context.paths.memory_dir.clone() }
    }

    /// The queue as it stands; what was never kept is empty. One that cannot be read is named: a test may be running.
    pub(crate) fn load(&self) -> anyhow::Result<Queue> {
        for folder in [Some(&self.ram), self.volume.as_ref()].into_iter().flatten() {
            let path = folder.join(FILE);
            match fs::read(&path) {
                Ok(bytes) => {
                    return assay_bundle::json::from_slice(&bytes).or_advise(
                        format!("{} is damaged", path.display()),
                        "remove the file; a test that runs goes on, and its result is in the drive's log (`assay check`)",
                    );
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error)
                        .or_advise(format!("cannot read {}", path.display()), "run as administrator (root)");
                }
            }
        }
        Ok(Queue::default())
    }

    /// Keeps the queue in RAM, and on the data volume too where `volume` says that it may be touched.
    pub(crate) fn save(&self, queue: &Queue, volume: bool) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec_pretty(queue)?;
        output::private_folder(&self.ram)?;
        output::replace_private(&self.ram.join(FILE), &bytes)?;
        if let Some(folder) = self.volume.as_ref().filter(|_| volume) {
            output::private_folder(folder)?;
            output::replace_private(&folder.join(FILE), &bytes)?;
        }
        Ok(())
    }

    /// Whether the queue ends with the boot.
    pub(crate) fn in_ram(&self) -> bool {
        self.volume.is_none()
    }

    /// Takes the right to work on the queue.
    pub(crate) fn hold(&self) -> anyhow::Result<Held> {
        output::private_folder(&self.ram)?;
        let path = self.ram.join(LOCK);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .or_advise(format!("cannot open {}", path.display()), "run as administrator (root)")?;
        match file.try_lock() {
            Ok(()) => Ok(Held { _file: file }),
            Err(TryLockError::WouldBlock) => Err(refuse(
                "another call looks at the drives under test at this moment",
                "let it end, then call again; it takes a minute or two",
            )),
            Err(TryLockError::Error(error)) => {
                Err(error).or_advise(format!("cannot lock {}", path.display()), "call again")
            }
        }
    }

    /// Tells the daemon, if one runs, that there is something to do. It hears of it within five minutes.
    pub(crate) fn call_daemon(&self) {
        if let Err(error) = output::replace_private(&self.ram.join(CALL), b"") {
            tracing::warn!("the daemon is not told of the self-test: {error:#}");
        }
    }
}

/// Whether the daemon with this folder was called; asked once for each call.
pub(crate) fn was_called(folder: &Path) -> bool {
    let call = folder.join(CALL);
    call.exists() && fs::remove_file(call).is_ok()
}

/// Whether something is still to come, by the queue in this folder in RAM.
pub(crate) fn is_open(folder: &Path) -> bool {
    let queue =
        fs::read(folder.join(FILE)).ok().and_then(|bytes| serde_json::from_slice::<Queue>(&bytes).ok());
    queue.is_some_and(|queue| queue.entries.iter().any(super::queue::Entry::is_open))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn ram_comes_first_and_a_boot_costs_nothing_that_a_person_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store { ram: folder.path().join("ram"), volume: Some(folder.path().join("volume")) };
        assert_eq!(store.load().expect("empty"), Queue::default());
        let entry = |serial: &str| super::super::queue::Entry {
            serial: serial.to_owned(),
            place: String::new(),
            kind: assay_bundle::support_request::SelfTestKind::Short,
            asked_unix_s: 1,
            request: None,
            state: super::super::queue::State::Waiting { why: None, not_before_unix_s: 0 },
        };
        let mut queue = Queue { entries: vec![entry("A")] };
        store.save(&queue, true).expect("kept");
        queue.entries.push(entry("B"));
        store.save(&queue, false).expect("kept");
        assert_eq!(store.load().expect("there").entries.len(), 2);
        assert!(is_open(&store.ram));
        fs::remove_dir_all(&store.ram).expect("a boot");
        assert_eq!(store.load().expect("there").entries.len(), 1);
        assert!(!is_open(&store.ram));
        fs::write(folder.path().join("volume").join(FILE), "torn").expect("written");
        assert!(store.load().is_err(), "a queue that cannot be read is not an empty one");
        let _held = store.hold().expect("free");
        assert!(store.hold().is_err());
        store.call_daemon();
        assert!(was_called(&store.ram) && !was_called(&store.ram));
    }
}
