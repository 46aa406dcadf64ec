//! Which drive or port shows which mark when, by the kernel log.

use std::collections::{BTreeMap, BTreeSet};

use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::kernel_log::KernelEvent;

use super::Mark;
use crate::happenings::{Happening, Happenings};
use crate::subject::{disk, location, sorted};

/// Commands without an answer, and what the kernel does about them.
const TIMEOUT: [&str; 10] = [
    "ata-timeout",
    "ata-link-reset",
    "ata-reset-failed",
    "ata-revalidation-failed",
    "scsi-task-abort",
    "timeout-error",
    "nvme-timeout",
    "nvme-controller-down",
    "nvme-fatal-status",
    "nvme-slot-error",
];
/// Data damaged between drive and controller.
const LINK_ERROR: [&str; 5] =
    ["ata-interface-crc", "ata-link-error", "ata-bus-error", "scsi-link-error", "ata-link-slowed"];
/// The kernel gave the drive up.
const GONE: [&str; 5] =
    ["ata-link-lost", "ata-device-lost", "nvme-device-lost", "capacity-lost", "scsi-offlined"];
/// The link or the drive lost power, or looks so.
const POWER: [&str; 2] = ["ata-link-dropped", POWERED_ON];
/// A disk was switched on or reset.
const POWERED_ON: &str = "scsi-power-on-reset";
/// The medium could not be read.
const MEDIA: [&str; 5] =
    ["ata-uncorrectable", "scsi-medium-error", "scsi-unrecovered-read", "medium-error", "nvme-media-error"];
/// Resets and power-ons in the first seconds of a boot are the boot (libata gives a slow drive 10 s and three tries).
const BOOT_S: u64 = 60;
/// Ports that lose their links within so many seconds lost them at once; two hands do not (judgement).
const AT_ONCE_S: u64 = 3;
/// For so long after a hand moved a drive its port's lines are about that (libata's longest reset schedule is under
/// three minutes: 10, 10, 35 and 5 seconds and the waits between them).
const HAND_S: u64 = 180;
/// The lines of one failed command on a port and on its disk stand so close together (judgement: error handling retries
/// within seconds).
const SAME_LINES_S: u64 = 10;
/// Trouble so long before a link was lost speaks against a hand (judgement).
const TROUBLE_S: u64 = 600;

/// A drive, or a port or name behind which no single drive is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// Index into the drives of the facts.
    Drive(usize),
    /// An ATA port.
    Port(String),
    /// A kernel name of the running boot that no drive of the facts has.
    Name(String),
}

/// One mark.
#[derive(Debug)]
pub(crate) struct Tick<'a> {
    pub(crate) mark: Mark,
    pub(crate) who: Who,
    pub(crate) at_s: i64,
    pub(crate) times: u64,
    /// Whether a hand that moved the drive left it.
    pub(crate) by_hand: bool,
    pub(crate) happening: &'a Happening<'a>,
}

/// Where drives are: by kernel name, by port, by path. Made once.
#[derive(Debug)]
pub(crate) struct Map<'f> {
    pub(super) facts: &'f Facts,
    drives: &'f [Drive],
    by_disk: BTreeMap<&'f str, usize>,
    by_port: BTreeMap<&'f str, Vec<usize>>,
    by_function: BTreeMap<&'f str, usize>,
    paths: BTreeMap<usize, &'f [String]>,
    order: BTreeMap<usize, usize>,
}

impl<'f> Map<'f> {
    pub(crate) fn of(facts: &'f Facts) -> Self {
        let drives = facts.drives.value().map(Vec::as_slice).unwrap_or_default();
        let by_disk: BTreeMap<&str, usize> =
            drives.iter().enumerate().map(|(at, d)| (disk(&d.device), at)).collect();
        let mut by_port: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let (mut by_function, mut paths) = (BTreeMap::new(), BTreeMap::new());
        for block in facts.block_devices.value().into_iter().flatten() {
            let Some(&at) = by_disk.get(disk(&block.name)) else { continue };
            if let Some(port) = block.ata_port.value() {
                by_port.entry(port).or_default().push(at);
            }
            if let Some(path) = block.attached_through.value() {
                paths.insert(at, path.as_slice());
                if let Some(function) = path.last().filter(|last| last.contains(':')) {
                    by_function.insert(function.as_str(), at);
                }
            }
        }
        let places: BTreeMap<&str, usize> =
            sorted(drives).into_iter().enumerate().map(|(place, d)| (d.device.as_str(), place)).collect();
        let order = drives
            .iter()
            .enumerate()
            .filter_map(|(at, d)| Some((at, *places.get(d.device.as_str())?)))
            .collect();
        Self { facts, drives, by_disk, by_port, by_function, paths, order }
    }

    pub(super) fn drives(&self) -> &'f [Drive] {
        self.drives
    }

    /// The drive with this kernel name.
    pub(crate) fn listed(&self, kernel_name: &str) -> Option<&'f Drive> {
        self.drives.get(*self.by_disk.get(disk(kernel_name))?)
    }

    /// What the drive hangs on, from the root outwards.
    pub(super) fn path(&self, drive: &Drive) -> Option<&'f [String]> {
        self.paths.get(self.by_disk.get(disk(&drive.device))?).copied()
    }

    /// Whom an event is about.
    pub(crate) fn who(&self, happening: &Happening<'_>) -> Option<Who> {
        let event = happening.event;
        let names = || [event.device.as_deref(), event.subject.as_deref()].into_iter().flatten();
        if happening.now
            && let Some(at) = names().find_map(|name| self.by_disk.get(disk(name)))
        {
            return Some(Who::Drive(*at));
        }
        let subject = event.subject.as_deref()?;
        if let Some(at) = self.by_function.get(subject) {
            return Some(Who::Drive(*at));
        }
        if subject.starts_with("ata") {
            return Some(match self.by_port.get(subject).map(Vec::as_slice) {
                Some([one]) => Who::Drive(*one),
                _ => Who::Port(subject.to_owned()),
            });
        }
        // A disk that is not listed may be a stick that was pulled; without any list the name is all there is.
        let disk = disk(subject);
        let known = self.facts.drives.is_seen();
        let drive = disk.starts_with("nvme") || !known && disk.starts_with("sd");
        (happening.now && drive).then(|| Who::Name(disk.to_owned()))
    }

    /// The one drive behind it.
    pub(crate) fn single(&self, who: &Who) -> Option<&'f Drive> {
        match who {
            Who::Drive(at) => self.drives.get(*at),
            _ => None,
        }
    }

    /// Every drive behind it.
    pub(super) fn all_behind(&self, who: &Who) -> Vec<&'f Drive> {
        match who {
            Who::Drive(at) => self.drives.get(*at).into_iter().collect(),
            Who::Port(port) => self
                .by_port
                .get(port.as_str())
                .into_iter()
                .flatten()
                .filter_map(|at| self.drives.get(*at))
                .collect(),
            Who::Name(_) => Vec::new(),
        }
    }

    pub(super) fn drives_behind(&self, who: &Who) -> usize {
        match who {
            Who::Port(port) => self.by_port.get(port.as_str()).map_or(0, Vec::len),
            Who::Drive(_) => 1,
            Who::Name(_) => 0,
        }
    }

    pub(crate) fn place(&self, who: &Who) -> String {
        match who {
            Who::Drive(at) => self.drives.get(*at).map(location).unwrap_or_default(),
            Who::Port(port) => format!("port {port}"),
            Who::Name(name) => format!("{name} (kernel name)"),
        }
    }

    /// The order of the bays; ports and names behind.
    pub(super) fn order(&self, who: &Who) -> (usize, String) {
        match who {
            Who::Drive(at) => (self.order.get(at).copied().unwrap_or(usize::MAX), String::new()),
            Who::Port(name) | Who::Name(name) => (usize::MAX, name.clone()),
        }
    }
}

/// Seconds since 1970, or since this boot where no clock was read: windows need differences only.
pub(crate) fn moment(happening: &Happening<'_>) -> Option<i64> {
    let since_boot = || i64::try_from(happening.event.at_us?.checked_div(1_000_000)?).ok();
    happening.at_unix_s.or_else(|| happening.now.then(since_boot).flatten())
}

fn says_any(event: &KernelEvent, signatures: &[&str]) -> bool {
    signatures.iter().any(|name| event.says(name))
}

fn marks_of(event: &KernelEvent) -> impl Iterator<Item = Mark> {
    let table: [(Mark, &[&str]); 5] = [
        (Mark::Timeout, &TIMEOUT),
        (Mark::LinkError, &LINK_ERROR),
        (Mark::Gone, &GONE),
        (Mark::Power, &POWER),
        (Mark::Media, &MEDIA),
    ];
    let at_boot = event.at_us.is_some_and(|at| at < BOOT_S * 1_000_000);
    let boot = at_boot && says_any(event, &["ata-link-reset", POWERED_ON, "ata-link-dropped"]);
    table.into_iter().filter(move |(_, names)| !boot && says_any(event, names)).map(|(mark, _)| mark)
}

/// Every mark of the log, oldest first; those that a hand left say so.
pub(crate) fn of_log<'a>(map: &Map<'_>, log: &'a Happenings<'a>) -> Vec<Tick<'a>> {
    let mut ticks = Vec::new();
    let mut powered = BTreeSet::new();
    for happening in log.iter() {
        // A SCSI disk says so once when it is attached, which a shelf that is switched on later does as well.
        if happening.event.signature == POWERED_ON
            && map.who(happening).is_none_or(|who| powered.insert((happening.now, who)))
        {
            continue;
        }
        let mut marks = marks_of(happening.event).peekable();
        if marks.peek().is_none() {
            continue;
        }
        let Some((who, at_s)) = map.who(happening).zip(moment(happening)) else { continue };
        let times = happening.times();
        let tick = |mark| Tick { mark, who: who.clone(), at_s, times, by_hand: false, happening };
        ticks.extend(marks.map(tick));
    }
    ticks.sort_by_key(|tick| tick.at_s);
    name_drives(map, &mut ticks);
    let hands = hands(&ticks);
    for tick in &mut ticks {
        let mut moved = hands.get(&tick.who).into_iter().flatten();
        tick.by_hand = moved.any(|hand| tick.at_s >= *hand && tick.at_s.abs_diff(*hand) <= HAND_S);
    }
    ticks
}

/// Behind a port multiplier the port's lines come with those of the one drive that they are about: then they are that
/// drive's. What the medium did is never a whole port's.
fn name_drives(map: &Map<'_>, ticks: &mut Vec<Tick<'_>>) {
    let mut named: Vec<(usize, Who)> = Vec::new();
    for (at, tick) in ticks.iter().enumerate().filter(|(_, t)| map.drives_behind(&t.who) > 1) {
        let from = ticks.partition_point(|t| t.at_s < tick.at_s && t.at_s.abs_diff(tick.at_s) > SAME_LINES_S);
        let near = ticks.iter().skip(from).take_while(|t| t.at_s.abs_diff(tick.at_s) <= SAME_LINES_S);
        let behind = map.all_behind(&tick.who);
        let mut near = near.filter(|t| map.single(&t.who).is_some_and(|d| behind.contains(&d)));
        if let Some(first) = near.next().filter(|first| near.all(|t| t.who == first.who)) {
            named.push((at, first.who.clone()));
        }
    }
    for (at, who) in named {
        if let Some(tick) = ticks.get_mut(at) {
            tick.who = who;
        }
    }
    ticks.retain(|t| t.mark != Mark::Media || map.drives_behind(&t.who) < 2);
}

/// When hands moved drives: the link of one port was lost or came, nothing of the drive failed before, and no other
/// port lost its own at the same time.
fn hands(ticks: &[Tick<'_>]) -> BTreeMap<Who, Vec<i64>> {
    let mut hands: BTreeMap<Who, Vec<i64>> = BTreeMap::new();
    for (at, tick) in ticks.iter().enumerate().filter(|(_, tick)| is_by_hand(tick.happening.event)) {
        let earlier = hands.get(&tick.who).and_then(|all| all.last());
        if earlier.is_some_and(|hand| tick.at_s.abs_diff(*hand) <= HAND_S) {
            continue;
        }
        // Nearest first, in both directions: what speaks against a hand stands close by.
        let (before, after) = ticks.split_at_checked(at).unwrap_or_default();
        let within = |seconds: u64| move |other: &&Tick<'_>| other.at_s.abs_diff(tick.at_s) <= seconds;
        let at_once = |other: &Tick<'_>| other.who != tick.who && is_drop(other.happening.event);
        let trouble = |other: &Tick<'_>| {
            other.who == tick.who && other.at_s < tick.at_s && !is_drop(other.happening.event)
        };
        let others = before.iter().rev().take_while(within(AT_ONCE_S)).any(at_once)
            || after.iter().take_while(within(AT_ONCE_S)).any(at_once);
        if !others && !before.iter().rev().take_while(within(TROUBLE_S)).any(trouble) {
            hands.entry(tick.who.clone()).or_default().push(tick.at_s);
        }
    }
    hands
}

/// A link that was lost or came, or a card that left its slot.
fn is_drop(event: &KernelEvent) -> bool {
    says_any(event, &["ata-link-dropped"])
}

/// Whether the link went or came as when a hand moves the drive: the port saw another device (`DevExch`), and no
/// command was waiting in vain.
fn is_by_hand(event: &KernelEvent) -> bool {
    let exchanged =
        event.details.iter().any(|detail| detail.starts_with("serror ") && detail.contains("DevExch"));
    is_drop(event) && exchanged && !event.says("ata-timeout")
}
