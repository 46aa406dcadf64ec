//! Shared cause first: several drives with one mark in a window are blamed on the smallest thing that they share.
//!
//! A mark is read from the kernel log (this boot by drive, earlier boots by ATA port), from the flight recorder and
//! from the drives' own counters. One drive that shows far more of it than all others together is no shared cause: a
//! bad drive disturbs its neighbours. A drive that a hand took out or put in shows the marks of a lost link and is
//! left out, unless several ports lost theirs in the same moment. Refuses to name an ancestor that was not read.

mod ancestor;
mod counters;
mod marks;

use std::collections::BTreeMap;

use assay_bundle::diagnosis::{Evidence, Rate};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;

use crate::course::{DAY_S, WEEK_S};
use crate::happenings::Happenings;

pub(crate) use ancestor::Ancestor;
pub(crate) use marks::{Map, Tick, Who, moment, of_log as ticks};

/// Different drives with one mark so close together are one occurrence: ten minutes is the window in which the ZFS
/// event daemon counts errors of one cause (OpenZFS zed, 600 s).
const WINDOW_S: u64 = 600;
/// Reads of the medium fail on different drives for different reasons; only in the same moment do they share one
/// (judgement: the reach of one command and its retry).
const SAME_MOMENT_S: u64 = 10;
/// A drive with so many times the marks of all others together leads them (judgement).
const LEADS_TIMES: u64 = 5;
/// Fewer marks than this lead nobody (judgement).
const LEADS_FROM: u64 = 5;
/// Taking turns means that the mark went from one drive to another at least so often (judgement: twice there and back).
const TURNS: usize = 3;

/// What several drives may show at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// Commands that timed out, and link resets.
    Timeout,
    /// Errors on the link: CRC, handshake, PHY.
    LinkError,
    /// The drive left the bus.
    Gone,
    /// Power was lost without notice, or the motor needed a second start.
    Power,
    /// The medium could not be read.
    Media,
}

impl Mark {
    /// Every mark, what costs most first.
    const ALL: [Self; 5] = [Self::Gone, Self::Power, Self::Timeout, Self::LinkError, Self::Media];

    /// What the drives did, as the end of a sentence about several.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Timeout => "stopped answering or had their links reset",
            Self::LinkError => "had errors on their links",
            Self::Gone => "left the bus",
            Self::Power => "show the mark of failing power",
            Self::Media => "failed to read in the same moment",
        }
    }
}

/// Several drives with one mark, and what they share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// The mark.
    pub(crate) mark: Mark,
    /// Device names of the drives, in the order of the bays.
    pub(crate) devices: Vec<String>,
    /// What they share, in words: `controller 0000:00:17.0`.
    pub(crate) ancestor: String,
    /// What kind of thing that is.
    pub(crate) kind: Ancestor,
    /// Each of them: its place and how many marks it shows; drives and ports, in the order of the bays.
    pub(crate) members: Vec<Member>,
    /// What was seen, a few for each member.
    pub(crate) evidence: Vec<Evidence>,
    /// How many marks in which window, where they have moments.
    pub(crate) rate: Option<Rate>,
    /// How the marks stand in time.
    pub(crate) when: When,
    /// Index into `members` of the one that shows far more than all others: then they share no cause.
    pub(crate) leader: Option<usize>,
}

/// One of several.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// `bay 3`, `nvme0 (kernel name)`, `port ata3`.
    pub(crate) place: String,
    /// Kernel name of the drive, when one is there.
    pub(crate) device: Option<String>,
    /// How many marks it shows.
    pub(crate) count: u64,
}

/// How marks of several drives stand in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Within seconds.
    SameMoment,
    /// Within minutes.
    SameWindow,
    /// In turns, over at least a week.
    Turns,
    /// Counters that rose together, or stand on several drives.
    Counters,
    /// They are gone since the same day, and nothing was logged of it.
    SameDay,
}

impl Shared {
    /// Whether all that is known is one port with several drives: the lines do not say how many of them it is about.
    pub(crate) fn one_port(&self) -> bool {
        self.members.len() == 1
    }

    /// Whether the drive is one of them.
    pub(crate) fn holds(&self, drive: &Drive) -> bool {
        self.leader.is_none() && !self.one_port() && self.devices.contains(&drive.device)
    }
}

/// Every shared cause in these facts; the ones that a single drive leads stand among them with their leader.
pub(crate) fn causes(facts: &Facts, log: &Happenings<'_>) -> Vec<Shared> {
    let map = Map::of(facts);
    let ticks = ticks(&map, log);
    let mut causes = Vec::new();
    for mark in Mark::ALL {
        let of_mark: Vec<&Tick<'_>> = ticks.iter().filter(|t| t.mark == mark && !t.by_hand).collect();
        let found = in_window(&map, mark, &of_mark)
            .or_else(|| in_turns(&map, mark, &of_mark))
            .or_else(|| counters::of(&map, mark));
        causes.extend(found);
    }
    causes
}

/// The window with the most different drives.
fn in_window(map: &Map<'_>, mark: Mark, ticks: &[&Tick<'_>]) -> Option<Shared> {
    let window_s = if mark == Mark::Media { SAME_MOMENT_S } else { WINDOW_S };
    let mut inside: BTreeMap<&Who, u64> = BTreeMap::new();
    let (mut start, mut best, mut best_count) = (0, 0..0, (1, u64::MAX));
    for (end, tick) in ticks.iter().enumerate() {
        *inside.entry(&tick.who).or_default() += tick.times;
        while let Some(first) = ticks.get(start).filter(|t| tick.at_s.abs_diff(t.at_s) > window_s) {
            if let Some(left) = inside.get_mut(&first.who) {
                *left = left.saturating_sub(first.times);
                if *left == 0 {
                    inside.remove(&first.who);
                }
            }
            start += 1;
        }
        // Marks of a port with several drives are several drives' marks already.
        let several = inside.keys().map(|who| map.drives_behind(who).max(1)).sum::<usize>();
        let marks: u64 = inside.values().sum();
        let enough = inside.len() > 1 || marks > 1;
        if enough && (several, marks) > best_count {
            (best, best_count) = (start..end + 1, (several, marks));
        }
    }
    let chosen = ticks.get(best).filter(|chosen| !chosen.is_empty())?;
    let span = chosen.last()?.at_s.abs_diff(chosen.first()?.at_s);
    let when = if span <= SAME_MOMENT_S { When::SameMoment } else { When::SameWindow };
    let rate = Rate { count: chosen.iter().map(|t| t.times).sum(), window_s: span.max(1) };
    Some(shared(map, mark, ticks, chosen, when, rate))
}

/// Marks that go from drive to drive and back over weeks.
fn in_turns(map: &Map<'_>, mark: Mark, ticks: &[&Tick<'_>]) -> Option<Shared> {
    // What a medium does is its own over weeks, and drives leave and come for many reasons.
    if !matches!(mark, Mark::Timeout | Mark::LinkError) {
        return None;
    }
    let span = ticks.last()?.at_s.abs_diff(ticks.first()?.at_s);
    let turns = ticks.iter().zip(ticks.iter().skip(1)).filter(|(a, b)| a.who != b.who).count();
    if turns < TURNS || span < WEEK_S {
        return None;
    }
    let rate = Rate { count: ticks.iter().map(|t| t.times).sum(), window_s: span };
    Some(shared(map, mark, ticks, ticks, When::Turns, rate))
}

/// The chosen marks as one cause; `all` are those of the whole log, for whether one drive leads.
fn shared(
    map: &Map<'_>,
    mark: Mark,
    all: &[&Tick<'_>],
    chosen: &[&Tick<'_>],
    when: When,
    rate: Rate,
) -> Shared {
    let mut counts: BTreeMap<&Who, u64> = BTreeMap::new();
    for tick in chosen {
        counts.entry(&tick.who).or_default();
    }
    for tick in all {
        if let Some(count) = counts.get_mut(&tick.who) {
            *count = count.saturating_add(tick.times);
        }
    }
    let mut whos: Vec<(&Who, u64)> = counts.into_iter().collect();
    whos.sort_by_key(|(who, _)| map.order(who));
    let members: Vec<Member> = whos
        .iter()
        .map(|(who, count)| Member {
            place: map.place(who),
            device: map.single(who).map(|d| d.device.clone()),
            count: *count,
        })
        .collect();
    let mut drives: Vec<&Drive> = Vec::new();
    for drive in whos.iter().flat_map(|(who, _)| map.all_behind(who)) {
        if !drives.contains(&drive) {
            drives.push(drive);
        }
    }
    let nameless = whos.iter().any(|(who, _)| map.drives_behind(who) == 0);
    let kind = Ancestor::of(map, &drives, nameless);
    // The first mark of each member proves it; a hundred more prove nothing new.
    let mut evidence = Vec::new();
    for (who, _) in &whos {
        evidence.extend(chosen.iter().find(|t| t.who == **who).map(|t| t.happening.evidence()));
    }
    Shared {
        mark,
        devices: drives.iter().map(|d| d.device.clone()).collect(),
        ancestor: kind.words(),
        kind,
        leader: leader(&members),
        members,
        evidence,
        rate: Some(rate),
        when,
    }
}

/// The one that shows far more than all others together.
fn leader(members: &[Member]) -> Option<usize> {
    let (at, most) = members.iter().enumerate().max_by_key(|(_, m)| m.count)?;
    let others: u64 = members.iter().map(|m| m.count).sum::<u64>().saturating_sub(most.count);
    (members.len() > 1 && most.count >= LEADS_FROM && most.count >= others.saturating_mul(LEADS_TIMES))
        .then_some(at)
}

/// Whether two moments fall on one day, as far as a memory that writes daily can tell.
fn same_day(a: i64, b: i64) -> bool {
    a.abs_diff(b) <= DAY_S
}

#[cfg(test)]
mod tests;
