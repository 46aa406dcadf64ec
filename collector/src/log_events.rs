//! Lines of a kernel log to events: repeats are counted, and what the kernel prints on several lines is one event.
//!
//! An ATA exception takes up to seven lines a command, a machine check three to ten. They join by block and subject,
//! not by neighbourhood: two disks that fail in the same second print into each other. An event keeps the name of the
//! line that tells most; the others stand in `also`. A line that lost its beginning to a wrapping mail program is tried
//! again with a blank instead of the break.

use std::collections::{BTreeSet, HashMap};

use assay_bundle::facts::kernel_log::KernelEvent;

use crate::signatures::{Block, Match, Matcher, Said};

/// Lines after one that names an ATA port during which an unnamed one still belongs to it (libata prints at most
/// four lines for one failed command).
const ATA_CONTEXT_LINES: u64 = 4;
/// Repeats within this time of the last one are one event: below any window of a rate rule, so no rate is changed.
const FOLD_WITHIN_US: u64 = 1_000_000;
/// Lines of other matters that may stand inside a block (31 commands of a second disk, in the worst case).
const JOIN_WITHIN_LINES: u64 = 128;
/// A log whose first record is older than this after the start has lost its beginning.
const BEGINNING_US: u64 = 60_000_000;
/// The container of an ATA exception, and of a hardware error, before a line tells what it was.
const UNTOLD: [&str; 3] = ["ata-exception", "hardware-error", "pcie-error"];
/// A link that went down; on an empty bay it is what the boot prints.
const LINK_DOWN: &str = "ata-link-down";
const SUPPRESSED: &str = "messages-suppressed";

/// A block that more lines may join.
struct Open {
    /// Place in the list; `None` when the list was full.
    index: Option<usize>,
    rank: usize,
    at_us: Option<u64>,
    line: u64,
}

/// Gathers events.
pub(crate) struct Assembler {
    matcher: &'static Matcher,
    most: usize,
    pub(crate) events: Vec<KernelEvent>,
    pub(crate) left_out: u64,
    pub(crate) suppressed: u64,
    pub(crate) benign: u64,
    open: HashMap<(Block, Option<String>), Open>,
    ata: Option<(String, u64)>,
    in_use: BTreeSet<String>,
    began_at_us: Option<u64>,
    last_at_us: Option<u64>,
}

/// One line with its time and number; `whole` says that its end was read.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) number: u64,
    pub(crate) at_us: Option<u64>,
    pub(crate) text: &'a str,
    pub(crate) whole: bool,
}

impl Assembler {
    /// Keeps at most `most` events.
    ///
    /// # Errors
    /// A malformed signature, in words.
    pub(crate) fn new(most: usize) -> Result<Self, &'static str> {
        Ok(Self {
            matcher: Matcher::get()?,
            most,
            events: Vec::new(),
            left_out: 0,
            suppressed: 0,
            benign: 0,
            open: HashMap::new(),
            ata: None,
            in_use: BTreeSet::new(),
            began_at_us: None,
            last_at_us: None,
        })
    }

    /// A new boot: nothing joins over it, and no port is known to be in use.
    pub(crate) fn boot(&mut self) {
        self.open.clear();
        self.in_use.clear();
        (self.ata, self.began_at_us, self.last_at_us) = (None, None, None);
    }

    /// Lets go of the oldest events, counted as left out.
    pub(crate) fn forget(&mut self, count: usize) {
        let count = count.min(self.events.len());
        self.events.drain(..count);
        self.left_out = self.left_out.saturating_add(count as u64);
        self.open.retain(|_, open| {
            open.index = open.index.and_then(|index| index.checked_sub(count));
            open.index.is_some()
        });
    }

    /// Tells whether a line by itself says something.
    pub(crate) fn speaks(&self) -> impl Fn(&str) -> bool + use<> {
        let matcher = self.matcher;
        move |text| matcher.line(text, true).is_some()
    }

    /// Takes one line in.
    pub(crate) fn line(&mut self, line: Line<'_>) {
        self.began_at_us = self.began_at_us.or(line.at_us);
        let said = self.matcher.line(line.text, line.whole).or_else(|| {
            let unwrapped = line.text.contains('\n').then(|| line.text.replace('\n', " "))?;
            self.matcher.line(&unwrapped, line.whole)
        });
        let port = self.matcher.ata_port(line.text);
        if let Some(port) = &port {
            if line.text.contains(&format!("{port}.")) {
                self.in_use.insert(port.clone());
            }
            self.ata = Some((port.clone(), line.number));
            let joins = matches!(&said, Some(Said::Event(found)) if found.block == Some(Block::Ata));
            if !joins {
                self.open.remove(&(Block::Ata, Some(port.clone())));
            }
        }
        match said {
            None => {}
            Some(Said::Benign) => self.benign += 1,
            Some(Said::Event(found)) => self.event(line, found),
        }
    }

    fn event(&mut self, line: Line<'_>, mut found: Match) {
        if found.subject.is_none() && found.wants_ata {
            found.subject = self
                .ata
                .as_ref()
                .filter(|(_, seen_at)| line.number.saturating_sub(*seen_at) <= ATA_CONTEXT_LINES)
                .map(|(port, _)| port.clone());
        }
        if found.name == SUPPRESSED {
            self.suppressed = self.suppressed.saturating_add(found.count);
        }
        if found.name == LINK_DOWN && !self.was_in_use(found.subject.as_deref()) {
            self.benign += 1;
            return;
        }
        if found.wants_ata
            && let Some(port) = &found.subject
        {
            self.in_use.insert(port.clone());
        }
        match found.block {
            Some(block) => self.join(line, block, found),
            None => self.single(line, found),
        }
    }

    /// A port that never had a device is an empty bay, unless the log has lost its beginning.
    fn was_in_use(&self, port: Option<&str>) -> bool {
        port.is_some_and(|port| self.in_use.contains(port))
            || self.began_at_us.is_some_and(|at| at > BEGINNING_US)
    }

    fn single(&mut self, line: Line<'_>, found: Match) {
        let near = match (self.last_at_us, line.at_us) {
            (Some(before), Some(now)) => now.saturating_sub(before) <= FOLD_WITHIN_US,
            (None, None) => true,
            _ => false,
        };
        self.last_at_us = line.at_us;
        if let Some(last) = self.events.last_mut()
            && near
            && self.left_out == 0
            && last.signature == found.name
            && last.subject == found.subject
        {
            last.repeats = last.repeats.saturating_add(found.count);
            add_details(last, found.details);
        } else {
            self.push(line, found);
        }
    }

    fn join(&mut self, line: Line<'_>, block: Block, found: Match) {
        // Machine checks of one moment are told line by line without a name on each.
        let subject = if block == Block::HardwareError { None } else { found.subject.clone() };
        let key = (block, subject);
        let open = self.open.remove(&key).filter(|open| near(open, line));
        let Some(mut open) = open else {
            self.begin(line, key, found);
            return;
        };
        let Some(event) = open.index.and_then(|index| self.events.get_mut(index)) else {
            // The list was full when it began.
            if begins(block, &found) {
                self.left_out += 1;
            }
            (open.at_us, open.line) = (line.at_us, line.number);
            self.open.insert(key, open);
            return;
        };
        let untold = UNTOLD.contains(&event.signature.as_str());
        if begins(block, &found) && !(untold && block == Block::HardwareError) {
            let same = event.signature == found.name && event.subject == found.subject;
            if block == Block::Ata || !same {
                self.begin(line, key, found);
                return;
            }
            event.repeats = event.repeats.saturating_add(found.count);
        }
        if found.rank < open.rank {
            let before = std::mem::replace(&mut event.signature, found.name.to_owned());
            add_also(event, &before);
            open.rank = found.rank;
        } else {
            add_also(event, found.name);
        }
        event.subject = event.subject.take().or(found.subject);
        add_details(event, found.details);
        if event.repeats == 1 {
            event.last_line = line.number;
        }
        (open.at_us, open.line) = (line.at_us, line.number);
        self.open.insert(key, open);
    }

    fn begin(&mut self, line: Line<'_>, key: (Block, Option<String>), found: Match) {
        let rank = found.rank;
        self.last_at_us = line.at_us;
        let index = self.push(line, found);
        self.open.insert(key, Open { index, rank, at_us: line.at_us, line: line.number });
    }

    fn push(&mut self, line: Line<'_>, found: Match) -> Option<usize> {
        if self.events.len() >= self.most {
            self.left_out += 1;
            return None;
        }
        let mut event = KernelEvent {
            signature: found.name.to_owned(),
            subject: found.subject,
            at_us: line.at_us,
            line: line.number,
            last_line: line.number,
            repeats: found.count,
            ..KernelEvent::default()
        };
        add_details(&mut event, found.details);
        self.events.push(event);
        Some(self.events.len() - 1)
    }
}

/// Whether a line begins a new occurrence rather than saying more about one.
fn begins(block: Block, found: &Match) -> bool {
    match block {
        Block::Ata => found.details.iter().any(|detail| detail.starts_with("emask ")),
        Block::HardwareError => !matches!(found.name, "hardware-error" | "dram-ecc"),
        Block::Pcie => found.name != "pcie-error",
    }
}

fn near(open: &Open, line: Line<'_>) -> bool {
    let soon = match (open.at_us, line.at_us) {
        (Some(before), Some(now)) => now.saturating_sub(before) <= FOLD_WITHIN_US,
        _ => true,
    };
    soon && line.number.saturating_sub(open.line) <= JOIN_WITHIN_LINES
}

fn add_also(event: &mut KernelEvent, name: &str) {
    if !UNTOLD.contains(&name) && !event.says(name) {
        event.also.push(name.to_owned());
    }
}

fn add_details(event: &mut KernelEvent, details: Vec<String>) {
    for detail in details {
        if event.details.len() < KernelEvent::MOST_DETAILS && !event.details.contains(&detail) {
            event.details.push(detail);
        }
    }
}
