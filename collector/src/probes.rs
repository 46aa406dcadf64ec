//! The probes: one file each, and the one list of them.
//!
//! A probe reads one kind of thing through the [`Door`] and returns facts; it cannot tell a live machine from a
//! recording. To add one: write its file (`//!` what is read, of which models, with which quirks; path constants;
//! `collect` over pure parsing; tests), add its name to [`NAMES`] and its line to [`run_all`].

pub mod block_devices;
pub mod bmc;
pub mod boot_device;
pub mod chassis;
pub mod clock;
pub mod dimms;
pub mod drives;
pub mod edac;
pub mod event_log;
pub mod history;
pub mod host;
pub mod hwmon;
pub mod identity;
pub mod inventory;
pub mod kernel_log;
pub mod lvm;
pub mod management;
pub mod md;
pub mod mounts;
pub mod network;
pub mod persisted_log;
pub mod power;
pub mod pstore;
pub mod qts_cooling;
pub mod rtc;
pub mod stuck;
pub mod temperature_limits;
pub mod thermal_zones;
pub mod ups;
pub mod volumes;
pub mod zfs;

use std::time::Instant;

use assay_bundle::Observed;
use assay_bundle::facts::Facts;
use assay_bundle::steps::{Step, StepStatus};
use assay_bundle::units::{Bytes, Milliseconds};

use crate::door::Door;
use crate::remember::any_asleep;
use crate::source::Source;
use crate::{Progress, ProgressState};

/// Every probe: its file's name, and its name in `steps.json`.
pub const NAMES: &[&str] = &[
    "block_devices",
    "bmc",
    "boot_device",
    "chassis",
    "clock",
    "dimms",
    "drives",
    "edac",
    "event_log",
    "history",
    "host",
    "hwmon",
    "identity",
    "inventory",
    "kernel_log",
    "lvm",
    "management",
    "md",
    "mounts",
    "network",
    "persisted_log",
    "power",
    "pstore",
    "qts_cooling",
    "rtc",
    "stuck",
    "temperature_limits",
    "thermal_zones",
    "ups",
    "volumes",
    "zfs",
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

/// Why the logs that the system keeps are not read: they lie on a mirror of all data drives.
const MIRROR_ASLEEP: &str =
    "not read: a drive sleeps, and reading what lies on the mirror of all drives may wake it";

/// Runs every probe at the same time on the current task, in families. The drives wait for the list of block devices;
/// what was remembered and what the system keeps on their mirror waits for the drives, because it is left alone while
/// they sleep; power and limits wait for the pages of QTS's management.
pub(crate) async fn run_all(run: Run<'_>) -> (Facts, Vec<Step>) {
    let disks = async {
        let blocks = step!(run, "block_devices", door => with(block_devices::collect(&door).await)).await;
        let drives = step!(run, "drives", door => drives::collect(&door, run, &blocks.0).await).await;
        let history = step!(run, "history", door => history::collect(&door, &drives.0.drives).await).await;
        let inventory =
            step!(run, "inventory", door => inventory::collect(&door, &drives.0.drives).await).await;
        // One after the other: they read one folder, and when its volume hangs, one stuck reader is enough.
        let sleeps = any_asleep(&drives.0.drives);
        let persisted = step!(run, "persisted_log", door => with(match sleeps {
            true => door.noted(Observed::unreadable(MIRROR_ASLEEP)),
            false => persisted_log::collect(&door).await,
        }))
        .await;
        let dumps = step!(run, "pstore", door => with(pstore::collect(&door, !sleeps).await)).await;
        let events = step!(run, "event_log", door => with(match sleeps {
            true => door.noted(Observed::unreadable(MIRROR_ASLEEP)),
            false => event_log::collect(&door).await,
        }))
        .await;
        (blocks, drives, history, inventory, (persisted, dumps, events))
    };
    let storage = async {
        tokio::join!(
            step!(run, "boot_device", door => with(boot_device::collect(&door).await)),
            step!(run, "lvm", door => with(lvm::collect(&door).await)),
            step!(run, "md", door => with(md::collect(&door).await)),
            step!(run, "mounts", door => with(mounts::collect(&door).await)),
            step!(run, "volumes", door => with(volumes::collect(&door).await)),
            step!(run, "zfs", door => with(zfs::collect(&door).await)),
        )
    };
    let power = async {
        let management = step!(run, "management", door => management::collect(&door).await).await;
        let (power, limits) = tokio::join!(
            step!(run, "power", door => power::collect(&door, &management.0).await),
            step!(run, "temperature_limits", door => optional(temperature_limits::collect(&door, &management.0).await)),
        );
        (management, power, limits)
    };
    let cooling = async {
        tokio::join!(
            step!(run, "bmc", door => bmc::collect(&door).await),
            step!(run, "hwmon", door => hwmon::collect(&door).await),
            step!(run, "qts_cooling", door => qts_cooling::collect(&door).await),
            step!(run, "thermal_zones", door => optional(thermal_zones::collect(&door).await)),
            step!(run, "ups", door => with(ups::collect(&door).await)),
        )
    };
    let machine = async {
        tokio::join!(
            step!(run, "chassis", door => chassis::collect(&door).await),
            step!(run, "clock", door => clock::collect(&door).await),
            step!(run, "dimms", door => with(dimms::collect(&door).await)),
            step!(run, "edac", door => with(edac::collect(&door).await)),
            step!(run, "host", door => host::collect(&door).await),
            step!(run, "identity", door => identity::collect(&door).await),
            step!(run, "kernel_log", door => with(kernel_log::collect(&door).await)),
            step!(run, "network", door => with(network::collect(&door).await)),
            step!(run, "rtc", door => rtc::collect(&door).await),
            step!(run, "stuck", door => with(stuck::collect(&door).await)),
        )
    };
    let (disks, storage, power, cooling, machine) = tokio::join!(disks, storage, power, cooling, machine);
    let (blocks, drives, history, inventory, (persisted_log, pstore, event_log)) = disks;
    let (boot_device, lvm, md, mounts, volumes, zfs) = storage;
    let (management, power, limits) = power;
    let (bmc, hwmon, cooling, zones, ups) = cooling;
    let (chassis, clock, dimms, edac, host, identity, kernel_log, network, rtc, stuck) = machine;

    let sensors = cooling.0.beside(hwmon.0);
    let temperatures = qts_cooling::together(sensors.temperatures, zones.0);
    let mut facts = Facts {
        identity: identity.0,
        chassis: chassis.0,
        clock: clock.0,
        rtc: rtc.0,
        host: host.0,
        block_devices: blocks.0,
        boot_device: boot_device.0,
        drives: drives.0.drives,
        departed_drives: drives.0.departed,
        md_arrays: md.0,
        dm_devices: lvm.0,
        // `lvs` and `pvs` wake disks: only a report that somebody pasted has these.
        logical_volumes: Observed::NotCollected,
        physical_volumes: Observed::NotCollected,
        mounts: mounts.0,
        volumes: volumes.0,
        zfs_pools: zfs.0,
        fans: sensors.fans,
        temperatures,
        voltages: sensors.voltages,
        temperature_limits: limits.0,
        power: power.0,
        ups: ups.0,
        bmc: bmc.0,
        management: management.0,
        memory_controllers: edac.0,
        memory_slots: dimms.0,
        kernel_log: kernel_log.0,
        persisted_log: persisted_log.0,
        pstore: pstore.0,
        event_log: event_log.0,
        network_links: network.0,
        stuck_readers: stuck.0,
        history: history.0,
        inventory: Observed::NotCollected,
    };
    facts.inventory = inventory::compared(inventory.0, &facts);
    let mut steps = vec![
        blocks.1,
        drives.1,
        history.1,
        inventory.1,
        boot_device.1,
        lvm.1,
        md.1,
        mounts.1,
        volumes.1,
        zfs.1,
        management.1,
        power.1,
        limits.1,
        bmc.1,
        hwmon.1,
        cooling.1,
        zones.1,
        ups.1,
        event_log.1,
        kernel_log.1,
        persisted_log.1,
        pstore.1,
        chassis.1,
        clock.1,
        dimms.1,
        edac.1,
        host.1,
        identity.1,
        network.1,
        rtc.1,
        stuck.1,
    ];
    steps.sort_by_key(|step| NAMES.iter().position(|name| *name == step.probe));
    (facts, steps)
}

/// A reading and what it amounts to.
fn with<T>(reading: Observed<T>) -> (Observed<T>, Found) {
    let found = Found::of(&reading);
    (reading, found)
}

/// The same for a source that most machines do not have: NotCollected is nothing of its kind here.
fn optional<T>(reading: Observed<T>) -> (Observed<T>, Found) {
    let found = if reading.is_not_collected() { Found::Nothing } else { Found::of(&reading) };
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
