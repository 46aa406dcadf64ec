//! Outputs that were gathered by other means, as facts: what a support engineer does with a pasted report.
//!
//! A file is recognised by its content, never by its name, and may hold several outputs one after the other (a
//! transcript of a shell session, a support log). Each is read by the parser that the probes use. Nothing is asked of
//! any machine, nothing is believed beyond what the text says, and what no format claims is named in [`Part`] instead
//! of being dropped in silence. What nobody pasted stays NotCollected.
//!
//! Pastes come from anywhere: line ends of Windows, a byte order mark, UTF-16 and a missing last line end are mended
//! before anything is read. What QTS's own programs and files say is read by its probes together, once everything is
//! there (`judge/qts.rs`), so that a map of bays and a drive's report join.
//!
//! To add a format: its file in `judge/` with a `FORMAT`, its line in [`FORMATS`].

mod bay_map;
mod bmc;
mod dmsetup;
mod event_log;
mod hal_app;
mod hal_log;
mod kernel_log;
mod lvm;
mod management;
mod md;
mod outputs;
mod paste;
mod persisted_log;
mod prompt;
mod qcli;
mod qts;
mod smart_cache;
mod smartctl;
mod ups;
mod zpool;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Instant;

use assay_bundle::cost::Cost;
use assay_bundle::steps::{Step, StepStatus};
use assay_bundle::units::{Bytes, Milliseconds};
use assay_bundle::{Facts, Observed};
use serde_json::Value;

use self::outputs::{Stretch, stretches};
use crate::Collection;

/// Every format. The first that claims a line, or a JSON document, wins.
static FORMATS: &[&Format] = &[
    &smartctl::FORMAT,
    &md::MDSTAT,
    &md::MDADM,
    &zpool::FORMAT,
    &lvm::FORMAT,
    &management::FORMAT,
    &bay_map::FORMAT,
    &smart_cache::FORMAT,
    &qcli::FORMAT,
    &hal_app::FORMAT,
    &hal_log::FORMAT,
    &qts::FORMAT,
    &bmc::SENSORS,
    &bmc::EVENTS,
    &ups::FORMAT,
    &event_log::FORMAT,
    &persisted_log::FORMAT,
    &kernel_log::FORMAT,
    &dmsetup::FORMAT,
];

/// Most bytes of one pasted file that are read: the largest support logs of QTS are a tenth of it.
pub const MAX_PASTED_BYTES: usize = 64 * 1024 * 1024;

/// Where a format may begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begins {
    /// Anywhere, also in the middle of an output of its own: each heading is one output.
    Anywhere,
    /// In the middle of another output too; its own goes on.
    AmongOthers,
    /// Below an empty line or what nobody claims: a mere shape of line.
    Apart,
}

/// What the first line of an output shows at a glance: every line of every paste is looked at, and few formats have to be
/// asked about one.
#[derive(Clone, Copy)]
enum Sign {
    /// Its first byte that is no blank is one of these, or beyond ASCII.
    First(&'static [u8]),
    /// This byte, one of [`RARE`], stands in it.
    Holds(u8),
    /// Nothing.
    None,
}

/// What a line shows at a glance.
#[derive(Clone, Copy)]
struct Glance {
    /// Its first byte that is no blank; a blank for a line of blanks.
    first: u8,
    /// Which of the [`RARE`] bytes stand in it, as a set.
    rare: u8,
}

/// Bytes by which formats and prompts are known wherever they stand in a line.
const RARE: [u8; 6] = [b',', b'_', b'=', b'|', b'@', b'/'];

/// The set of [`RARE`] bytes that each byte stands for.
const RARE_SETS: [u8; 256] = {
    let mut sets = [0; 256];
    let mut number = 0;
    while number < RARE.len() {
        sets[RARE[number] as usize] = 1 << number;
        number += 1;
    }
    sets
};

impl Glance {
    fn at(line: &str) -> Self {
        // As in [`char::is_whitespace`]; blanks beyond ASCII are left to the few who care.
        let first = line.bytes().find(|byte| !matches!(byte, b' ' | b'\t'..=b'\r')).unwrap_or(b' ');
        Self { first, rare: line.bytes().fold(0, |set, byte| set | RARE_SETS[usize::from(byte)]) }
    }

    /// Whether nothing but blanks stand in this line.
    fn is_blank(self, line: &str) -> bool {
        self.first == b' ' || (!self.first.is_ascii() && line.trim().is_empty())
    }

    /// The [`FORMATS`] that may begin at the line, a bit for each.
    fn formats(self) -> u32 {
        /// The formats of each first byte, whatever else stands in the line.
        static BY_FIRST: LazyLock<[u32; 256]> = LazyLock::new(|| {
            let mut sets = [0; 256];
            for (set, first) in sets.iter_mut().zip(0..=u8::MAX) {
                *set = set_of(|sign| Glance { first, rare: 0 }.shows(sign));
            }
            sets
        });
        let set = BY_FIRST[usize::from(self.first)];
        if self.rare == 0 {
            set
        } else {
            set | set_of(|sign| matches!(sign, Sign::Holds(_)) && self.shows(sign))
        }
    }

    /// Whether the line may bear this sign.
    fn shows(self, sign: Sign) -> bool {
        match sign {
            Sign::First(bytes) => !self.first.is_ascii() || bytes.contains(&self.first),
            Sign::Holds(byte) => self.rare & RARE_SETS[usize::from(byte)] != 0,
            Sign::None => true,
        }
    }
}

/// The [`FORMATS`] whose sign is of this kind, a bit for each.
fn set_of(is: impl Fn(Sign) -> bool) -> u32 {
    FORMATS.iter().enumerate().fold(0, |set, (number, format)| set | (u32::from(is(format.sign)) << number))
}

/// One form of output that is understood.
struct Format {
    /// What it is called in [`Part`].
    name: &'static str,
    /// What its first line shows.
    sign: Sign,
    /// Whether an output of this form begins at the first of these lines. The rest is there to look ahead.
    begins: fn(&[&str]) -> bool,
    /// Where it may.
    place: Begins,
    /// Whether a JSON document is of this form.
    is_json: fn(&Value) -> bool,
    /// Adds what one output says; the words when it says nothing.
    read: fn(&mut Gathered, &Output<'_>) -> Result<(), String>,
}

/// One output within a pasted file.
struct Output<'a> {
    /// Its text, from its first line to the line before the next output; it ends with a line end.
    text: &'a str,
    /// Its name and first line: `report.txt#L20`.
    place: &'a str,
    /// The command that was typed at the prompt before it, without its path; empty where none was.
    typed: &'a str,
    /// The name of its file.
    file: &'a str,
    /// Its JSON, where it is one document and nothing else, and was read to recognise it.
    document: Option<&'a Value>,
}

/// What the outputs have said so far.
#[derive(Default)]
struct Gathered {
    facts: Facts,
    /// What QTS's programs and files say, in the shape of a recording.
    qts: qts::Recording,
    /// What management pages say beside the probes' own facts.
    pages: management::Pages,
    /// Kernel logs of earlier boots, which are read together.
    persisted: persisted_log::Logs,
}

impl Gathered {
    /// Reads what can only be read when everything is there.
    fn facts(self) -> Facts {
        let Self { mut facts, qts, pages, persisted } = self;
        persisted.finish(&mut facts);
        qts.finish(&mut facts);
        pages.finish(&mut facts);
        facts
    }
}

/// One file, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pasted {
    /// Its name, for the places of facts; no path.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// One output that was found, or a stretch that no format claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// File and line at which it begins: `report.txt#L20`.
    pub place: String,
    /// Format; `None` when no format claims it.
    pub format: Option<&'static str>,
    /// Lines.
    pub lines: usize,
    /// Why nothing was read from it.
    pub trouble: Option<String>,
}

/// What the pasted files say.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Facts and one step for each part, as a collection has them. It has no raw form: the files are at hand.
    pub collection: Collection,
    /// What was made of the files, in order.
    pub parts: Vec<Part>,
}

impl Judged {
    /// Whether any output was recognised and read.
    pub fn found_anything(&self) -> bool {
        self.parts.iter().any(|part| part.format.is_some() && part.trouble.is_none())
    }
}

/// The names of all formats, for messages.
pub fn formats() -> Vec<&'static str> {
    FORMATS.iter().map(|format| format.name).collect()
}

/// Reads every output in every file.
pub fn judge(files: &[Pasted]) -> Judged {
    let started = Instant::now();
    let mut gathered = Gathered::default();
    let mut parts = Vec::new();
    let mut steps = Vec::new();
    for file in files {
        let text = paste::text(&file.bytes);
        for stretch in stretches(&text) {
            let place = match stretch.first_line {
                1 => file.name.clone(),
                line => format!("{}#L{line}", file.name),
            };
            let output = Output {
                text: stretch.text,
                place: &place,
                typed: stretch.typed,
                file: &file.name,
                document: stretch.document.as_ref(),
            };
            let trouble = match stretch.format {
                Some(format) => (format.read)(&mut gathered, &output).err(),
                None => Some("no known format".to_owned()),
            };
            steps.push(step(&stretch, &place, trouble.as_deref()));
            parts.push(Part {
                place,
                format: stretch.format.map(|format| format.name),
                lines: stretch.lines,
                trouble,
            });
        }
    }
    let facts = gathered.facts();
    let wall_ms = Milliseconds(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
    let cost = Cost { wall_ms, ..Cost::default() };
    Judged { collection: Collection { facts, steps, raw: BTreeMap::new(), cost }, parts }
}

fn step(stretch: &Stretch<'_>, place: &str, trouble: Option<&str>) -> Step {
    Step {
        probe: stretch.format.map_or("unknown", |format| format.name).to_owned(),
        status: if trouble.is_none() { StepStatus::Complete } else { StepStatus::Failed },
        duration_ms: Milliseconds(0),
        bytes: Bytes(stretch.text.len() as u64),
        errors: trouble.map(|why| format!("{place}: {why}")).into_iter().collect(),
    }
}

/// Adds to a list that may not be there yet.
fn add<T>(list: &mut Observed<Vec<T>>, more: Vec<T>, place: &str) {
    match list {
        Observed::Seen { value, .. } => value.extend(more),
        other => *other = Observed::seen(more, place),
    }
}

fn never(_: &Value) -> bool {
    false
}

/// A list as a reading; the words when nothing was in it.
fn some<T>(list: Vec<T>, nothing: &str) -> Result<Vec<T>, String> {
    if list.is_empty() { Err(nothing.to_owned()) } else { Ok(list) }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
