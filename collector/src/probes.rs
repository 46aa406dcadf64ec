//! The probes: one file each, and the one list of them.
//!
//! A probe reads one kind of thing through the [`Door`] and returns facts; it cannot tell a live machine from a
//! recording. To add one: write its file (`//!` what is read, of which models, with which quirks; path constants;
//! `collect` over pure parsing; tests), add its name to [`NAMES`] and its line to [`run_all`].

pub mod block_devices;
pub mod clock;
pub mod dimms;
pub mod drives;
pub mod edac;
pub mod event_log;
pub mod host;
pub mod hwmon;
pub mod identity;
pub mod kernel_log;
pub mod md;
pub mod network;
pub mod persisted_log;
pub mod pstore;
pub mod rtc;
pub mod stuck;

use std::time::Instant;

use assay_bundle::Observed;
use assay_bundle::facts::Facts;
use assay_bundle::steps::{Step, StepStatus};
use assay_bundle::units::{Bytes, Milliseconds};

use crate::door::Door;
use crate::source::Source;
use crate::{Progress, ProgressState};

/// Every probe: its file's name, and its name in `steps.json`.
pub const NAMES: &[&str] = &[
    "block_devices",
    "clock",
    "dimms",
    "drives",
    "edac",
    "event_log",
    "host",
    "hwmon",
    "identity",
    "kernel_log",
    "md",
    "network",
    "persisted_log",
    "pstore",
    "rtc",
    "stuck",
];

/// What a probe found, for its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Something,
    Nothing,
    Failed,
}

impl Found {
    /// Of a reading: Absent is nothing of its kind here; Unreadable and NotCollected are a failure.
    fn of<T>(reading: &Observed<T>) -> Self {
        match reading {
            Observed::Seen { .. } => Self::Something,
            Observed::Absent => Self::Nothing,
            Observed::Unreadable { .. } | Observed::NotCollected => Self::Failed,
        }
    }

    /// Of several readings: one that was seen suffices.
    fn any(readings: impl IntoIterator<Item = Self>) -> Self {
        readings.into_iter().fold(Self::Failed, |best, one| match (best, one) {
            (Self::Something, _) | (_, Self::Something) => Self::Something,
            (Self::Nothing, _) | (_, Self::Nothing) => Self::Nothing,
            _ => Self::Failed,
        })
    }
}

/// What a probe needs to know besides the door.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) source: &'a dyn Source,
    /// When the whole collection has to be over. `None` for a recording.
    pub(crate) end: Option<Instant>,
    pub(crate) progress: Option<&'a (dyn Fn(Progress) + Send + Sync)>,
}

impl Run<'_> {
    pub(crate) fn say(&self, probe: &'static str, state: ProgressState, detail: Option<String>) {
        if let Some(progress) = self.progress {
            progress(Progress { probe, state, detail });
        }
    }
}

/// One probe with its own door, and its record. A macro, because a function over async closures gives a future that
/// cannot move between threads.
macro_rules! step {
    ($run:ident, $name:literal, $door:ident => $probe:expr) => {
        async {
            let started = begin($run, $name);
            let $door = Door::new($run.source);
            let (value, found) = $probe;
            (value, end($run, $name, started, $door, found))
        }
    };
}

/// Runs every probe at the same time on the current task; the drives wait for the list of block devices.
pub(crate) async fn run_all(run: Run<'_>) -> (Facts, Vec<Step>) {
    let disks = async {
        let blocks = step!(run, "block_devices", door => with(block_devices::collect(&door).await)).await;
        let drives = step!(run, "drives", door => with(drives::collect(&door, run, &blocks.0).await)).await;
        (blocks, drives)
    };
    // One after the other: they read one folder, and when its volume hangs, one stuck reader is enough.
    let logs = async {
        let kept = step!(run, "persisted_log", door => with(persisted_log::collect(&door).await)).await;
        let words = step!(run, "pstore", door => with(pstore::collect(&door).await)).await;
        let events = step!(run, "event_log", door => with(event_log::collect(&door).await)).await;
        (kept, words, events)
    };
    let (
        (blocks, drives),
        (persisted_log, pstore, event_log),
        clock,
        dimms,
        edac,
        host,
        hwmon,
        identity,
        kernel_log,
        md,
        network,
        rtc,
        stuck,
    ) = tokio::join!(
        disks,
        logs,
        step!(run, "clock", door => clock::collect(&door).await),
        step!(run, "dimms", door => with(dimms::collect(&door).await)),
        step!(run, "edac", door => with(edac::collect(&door).await)),
        step!(run, "host", door => host::collect(&door).await),
        step!(run, "hwmon", door => hwmon::collect(&door).await),
        step!(run, "identity", door => identity::collect(&door).await),
        step!(run, "kernel_log", door => with(kernel_log::collect(&door).await)),
        step!(run, "md", door => with(md::collect(&door).await)),
        step!(run, "network", door => with(network::collect(&door).await)),
        step!(run, "rtc", door => rtc::collect(&door).await),
        step!(run, "stuck", door => with(stuck::collect(&door).await)),
    );
    let facts = Facts {
        identity: identity.0,
        clock: clock.0,
        host: host.0,
        block_devices: blocks.0,
        drives: drives.0,
        md_arrays: md.0,
        fans: hwmon.0.fans,
        temperatures: hwmon.0.temperatures,
        voltages: hwmon.0.voltages,
        memory_controllers: edac.0,
        kernel_log: kernel_log.0,
        persisted_log: persisted_log.0,
        pstore: pstore.0,
        event_log: event_log.0,
        memory_slots: dimms.0,
        rtc: rtc.0,
        network_links: network.0,
        stuck_readers: stuck.0,
    };
    let steps = vec![
        blocks.1,
        clock.1,
        dimms.1,
        drives.1,
        edac.1,
        event_log.1,
        host.1,
        hwmon.1,
        identity.1,
        kernel_log.1,
        md.1,
        network.1,
        persisted_log.1,
        pstore.1,
        rtc.1,
        stuck.1,
    ];
    (facts, steps)
}

/// A reading and what it amounts to.
fn with<T>(reading: Observed<T>) -> (Observed<T>, Found) {
    let found = Found::of(&reading);
    (reading, found)
}

/// Begins a probe's record.
fn begin(run: Run<'_>, name: &'static str) -> Instant {
    run.say(name, ProgressState::Started, None);
    Instant::now()
}

/// Writes a probe's record.
fn end(run: Run<'_>, name: &'static str, started: Instant, door: Door<'_>, found: Found) -> Step {
    let (bytes, errors, ran_out) = door.close();
    let late = ran_out && run.end.is_some_and(|end| Instant::now() >= end);
    let status = match found {
        _ if late => StepStatus::DeadlineExceeded,
        Found::Nothing if errors.is_empty() => StepStatus::NothingHere,
        Found::Something if errors.is_empty() => StepStatus::Complete,
        Found::Something | Found::Nothing => StepStatus::Partial,
        Found::Failed => StepStatus::Failed,
    };
    let duration_ms = Milliseconds(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
    run.say(name, ProgressState::Finished, None);
    Step { probe: name.to_owned(), status, duration_ms, bytes: Bytes(bytes), errors }
}
