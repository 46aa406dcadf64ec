//! Outputs that were gathered by other means, as facts: what a support engineer does with a pasted report.
//!
//! A file is recognised by its content, never by its name, and may hold several outputs one after the other (a
//! transcript of a shell session, a support log). Each is read by the parser that the probes use. Nothing is asked of
//! any machine, nothing is believed beyond what the text says, and what no format claims is named in [`Part`] instead
//! of being dropped in silence. What nobody pasted stays NotCollected.
//!
//! To add a format: its file in `judge/` with a `FORMAT`, its line in [`FORMATS`].

mod kernel_log;
mod mdstat;
mod smartctl;

use std::collections::BTreeMap;
use std::time::Instant;

use assay_bundle::cost::Cost;
use assay_bundle::steps::{Step, StepStatus};
use assay_bundle::units::{Bytes, Milliseconds};
use assay_bundle::{Facts, Observed};
use serde_json::Value;

use crate::Collection;

/// Every format. The first that claims a line, or a JSON document, wins.
static FORMATS: &[&Format] = &[&smartctl::FORMAT, &mdstat::FORMAT, &kernel_log::FORMAT];

/// Most bytes of one pasted file that are read: the largest support logs of QTS are a tenth of it.
pub const MAX_PASTED_BYTES: usize = 64 * 1024 * 1024;

/// One form of output that is understood.
struct Format {
    /// What it is called in [`Part`].
    name: &'static str,
    /// Whether an output of this form begins at the first of these lines. The rest is there to look ahead.
    begins: fn(&[&str]) -> bool,
    /// Whether it may begin in the middle of another one: a heading may, a mere shape of line may not.
    interrupts: bool,
    /// Whether a JSON document is of this form.
    is_json: fn(&Value) -> bool,
    /// Adds what one output says; the words when it says nothing.
    read: fn(&mut Facts, &Output<'_>) -> Result<(), String>,
}

/// One output within a pasted file.
struct Output<'a> {
    /// Its text, from its first line to the line before the next output.
    text: &'a str,
    /// Its name and first line: `report.txt#L20`.
    place: &'a str,
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
    let mut facts = Facts::default();
    let mut parts = Vec::new();
    let mut steps = Vec::new();
    for file in files {
        let text = String::from_utf8_lossy(&file.bytes);
        for stretch in stretches(&text) {
            let place = match stretch.first_line {
                1 => file.name.clone(),
                line => format!("{}#L{line}", file.name),
            };
            let output = Output { text: stretch.text, place: &place };
            let trouble = match stretch.format {
                Some(format) => (format.read)(&mut facts, &output).err(),
                None => Some("no known format".to_owned()),
            };
            steps.push(step(&stretch, &place, trouble.as_deref()));
            parts.push(Part {
                place,
                format: stretch.format.map(|format| format.name),
                lines: stretch.text.lines().count(),
                trouble,
            });
        }
    }
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

/// A run of lines of one format, or of none.
struct Stretch<'a> {
    format: Option<&'static Format>,
    text: &'a str,
    first_line: usize,
}

/// Cuts a text into outputs. Stretches of blank lines that belong to nothing are left out.
fn stretches(text: &str) -> Vec<Stretch<'_>> {
    if let Some(documents) = json_documents(text) {
        return documents;
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut found: Vec<(usize, Option<&'static Format>)> = Vec::new();
    for at in 0..lines.len() {
        let rest = lines.get(at..).unwrap_or_default();
        let current = found.last().and_then(|(_, format)| *format);
        let begins = FORMATS
            .iter()
            .copied()
            .find(|format| (current.is_none() || format.interrupts) && (format.begins)(rest));
        let same = |format: &Format| current.is_some_and(|now| now.name == format.name) && !format.interrupts;
        match begins {
            Some(format) if !same(format) => found.push((at, Some(format))),
            _ if found.is_empty() => found.push((at, None)),
            _ => {}
        }
    }
    // `lines` drops line ends of one or two bytes: the places in the text come from the slices themselves.
    let offset =
        |at: usize| lines.get(at).map_or(text.len(), |line| line.as_ptr() as usize - text.as_ptr() as usize);
    let ends = found.iter().skip(1).map(|(at, _)| *at).chain([lines.len()]);
    let cut = found.iter().zip(ends).filter_map(|((at, format), end)| {
        let text = text.get(offset(*at)..offset(end))?;
        Some(Stretch { format: *format, text, first_line: at + 1 })
    });
    cut.filter(|stretch| stretch.format.is_some() || !stretch.text.trim().is_empty()).collect()
}

/// The text as JSON documents one after the other, when it is nothing else.
fn json_documents(text: &str) -> Option<Vec<Stretch<'_>>> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut documents = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut start = 0;
    while let Some(document) = stream.next() {
        let document = document.ok()?;
        let end = stream.byte_offset();
        let piece = text.get(start..end)?;
        let blank = piece.len() - piece.trim_start().len();
        let first_line = text.get(..start + blank)?.matches('\n').count() + 1;
        let format = FORMATS.iter().copied().find(|format| (format.is_json)(&document));
        documents.push(Stretch { format, text: piece.trim_start(), first_line });
        start = end;
    }
    Some(documents)
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

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn pasted(text: &str) -> Pasted {
        Pasted { name: "p.txt".into(), bytes: text.as_bytes().to_vec() }
    }

    /// The parts of one file: place, format, lines.
    fn check(text: &str, expected: &[(&str, &str, usize)]) {
        let judged = judge(&[pasted(text)]);
        let parts: Vec<(&str, &str, usize)> =
            judged.parts.iter().map(|p| (p.place.as_str(), p.format.unwrap_or("-"), p.lines)).collect();
        assert_eq!(parts, expected, "{text}");
    }

    const SMART: &str = r#"{"smartctl":{"version":[7,4],"exit_status":0},"device":{"name":"/dev/sda","type":"sat","protocol":"ATA"},"serial_number":"S1","smart_status":{"passed":true}}"#;
    const MDSTAT: &str =
        "Personalities : [raid1]\nmd1 : active raid1 sdb3[1](F) sda3[0]\n      100 blocks [2/1] [U_]\n";

    #[test]
    fn outputs_are_found_by_content() {
        check("", &[]);
        check("hello\nworld\n", &[("p.txt", "-", 2)]);
        check(SMART, &[("p.txt", "smartctl", 1)]);
        check(&format!("{SMART}\n{SMART}\n"), &[("p.txt", "smartctl", 1), ("p.txt#L2", "smartctl", 1)]);
        check("{\"other\": 1}", &[("p.txt", "-", 1)]);
        check(MDSTAT, &[("p.txt", "mdstat", 3)]);
        check(&format!("# cat /proc/mdstat\r\n{MDSTAT}"), &[("p.txt", "-", 1), ("p.txt#L2", "mdstat", 3)]);
        check(
            &format!("[    1.000000] ata1: hard resetting link\n[    2.0] x\n{MDSTAT}"),
            &[("p.txt", "kernel log", 2), ("p.txt#L3", "mdstat", 3)],
        );
    }

    #[test]
    fn facts_name_the_file_and_several_files_add_up() {
        let other = Pasted { name: "second.json".into(), bytes: SMART.replace("S1", "S2").into_bytes() };
        let judged = judge(&[pasted(SMART), other, pasted(MDSTAT)]);
        let drives = judged.collection.facts.drives.value().expect("two drives");
        assert_eq!(
            drives.iter().filter_map(|d| d.serial.place()).collect::<Vec<_>>(),
            ["p.txt", "second.json"]
        );
        assert_eq!(judged.collection.facts.md_arrays.value().map(Vec::len), Some(1));
        assert!(judged.collection.facts.fans.is_not_collected());
        assert!(judged.found_anything());
        assert!(!judge(&[pasted("nothing\n")]).found_anything());
    }

    #[test]
    fn any_bytes_are_survived() {
        crate::hostile::mutate(
            format!("{MDSTAT}\n[1.0] ata1: x\n").as_bytes(),
            1000,
            |bytes| judge(&[Pasted { name: "p".into(), bytes: bytes.to_vec() }]),
            |judged| assert!(judged.parts.len() < 100),
        );
    }
}
