//! The report for a terminal: plain text in rows that fit, with colour where it is wanted.
//!
//! Meaning never hangs on colour: every colour repeats a word that is there anyway. Every string is escaped, so that a
//! drive named with an escape sequence or a right-to-left mark cannot rewrite the report. What the first screen is too
//! small for is counted and named; nothing is left out when everything is asked for.

use std::collections::BTreeMap;

use assay_bundle::diagnosis::{Overall, Verdict};

use super::readings::{Group, Reading};
use super::view::{FindingView, SafeView, Said, StepView, View};
use super::words;
use crate::rule::Rule;
use crate::text::escaped;

/// Narrower than this no report can be laid out; a smaller width is taken as this one.
const NARROWEST: usize = 40;
/// Reasons of optional unknowns that are shown unless all are asked for: they change no verdict.
const OPTIONAL_REASONS: usize = 4;
/// Subjects of one optional reason that are named unless all are asked for.
const OPTIONAL_SUBJECTS: usize = 6;
/// Readings that identify a drive: short and always together, they share a row.
const IDENTITY: [&str; 4] = ["model", "serial", "firmware", "power_on_hours"];

/// How the page is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Columns; less than 40 is taken as 40.
    pub width: usize,
    /// Whether colour is wanted.
    pub colour: bool,
    /// Whether optional unknowns are all listed instead of counted.
    pub all: bool,
}

/// The report as text.
pub fn terminal(view: &View, layout: Layout) -> String {
    let mut page = Page::new(layout);
    head(&mut page, view);
    page.heading(words::WHAT_TO_DO);
    for step in &view.steps {
        page.step(step);
    }
    if !view.findings.is_empty() {
        page.heading(words::FOUND);
    }
    let mut shown = Shown::default();
    for (finding, number) in view.findings.iter().zip(1..) {
        if number > 1 {
            page.line("");
        }
        page.finding(finding, &mut shown);
        shown.earlier.append(&mut shown.fresh);
    }
    if !view.cleared.is_empty() {
        page.heading(words::CLEARED);
    }
    for cleared in &view.cleared {
        page.text(2, "", &cleared.sentence(usize::MAX));
    }
    if !view.needed.is_empty() || !view.optional.is_empty() {
        page.heading(words::UNKNOWN);
    }
    for needed in &view.needed {
        page.text(2, "", &needed.sentence(usize::MAX));
    }
    page.optional(&view.optional, layout.all);
    if !view.entitlement.is_empty() {
        page.heading(words::ENTITLEMENT);
    }
    for sentence in &view.entitlement {
        page.text(2, "", sentence);
    }
    if !view.cost.is_empty() {
        page.heading(words::COST);
        let rows = view.cost.iter().map(|(label, value)| format!("{label}: {value}"));
        page.text(2, "", &rows.collect::<Vec<_>>().join(" · "));
    }
    page.out
}

/// What `explain` shows about one rule, wrapped at 80 columns.
pub fn explain(rule: &Rule) -> String {
    let mut page = Page::new(Layout { width: 80, colour: false, all: true });
    page.line(&format!("{}  {}", rule.code, rule.title));
    page.text(0, "", &format!("{}: {}", words::ABOUT, rule.component.word()));
    for (heading, text) in [
        (words::CHECKS, rule.checks),
        (words::WHY, rule.why),
        (words::WHAT_TO_DO, rule.what_to_do),
        (words::SOURCE, rule.threshold_source),
    ] {
        page.heading(heading);
        page.text(2, "", text);
    }
    page.out
}

/// The first screen: the verdict, the worst finding, the machine.
fn head(page: &mut Page, view: &View) {
    let verdict = page.paint(colour_of(view.overall), &view.overall.words().to_uppercase());
    page.line(&verdict);
    page.text(0, "", &view.headline);
    let device = &view.device;
    let serial = match &device.serial {
        Some(serial) => format!("{} {serial}", words::SERIAL.to_lowercase()),
        None => words::SERIAL_NOT_READ.to_owned(),
    };
    let model = device.model.clone().unwrap_or_else(|| words::MODEL_NOT_READ.to_owned());
    let parts: Vec<String> = [Some(model), Some(serial), device.firmware.clone(), device.read_at.clone()]
        .into_iter()
        .flatten()
        .collect();
    page.text(0, "", &parts.join(" · "));
    if let Some(counts) = &view.counts {
        page.text(0, "", counts);
    }
    if let Some(origin) = view.origin {
        page.text(0, "", origin);
    }
    for input in &view.inputs {
        page.text(2, "", input);
    }
}

/// SGR colour numbers: red, yellow, green.
fn colour_of(overall: Overall) -> &'static str {
    match overall {
        Overall::DefectConfirmed | Overall::DefectSuspected => "31",
        Overall::Attention | Overall::CannotTell => "33",
        Overall::Healthy => "32",
    }
}

fn verdict_colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Confirmed | Verdict::Suspected => "31",
        Verdict::Watch => "33",
    }
}

/// What findings have shown already: path, value and place of each reading, with the finding's code.
#[derive(Default)]
struct Shown {
    earlier: Vec<(String, Reading, String)>,
    /// Of the finding that is being written.
    fresh: Vec<(String, Reading, String)>,
}

impl Shown {
    /// The earlier finding that showed this reading.
    fn code(&self, path: &str, reading: &Reading) -> Option<&str> {
        self.earlier.iter().find(|(p, r, _)| p == path && r == reading).map(|(_, _, code)| code.as_str())
    }
}

struct Page {
    out: String,
    width: usize,
    colour: bool,
}

impl Page {
    fn new(layout: Layout) -> Self {
        Self { out: String::new(), width: layout.width.max(NARROWEST), colour: layout.colour }
    }

    fn paint(&self, sgr: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{sgr}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn heading(&mut self, text: &str) {
        self.line("");
        let text = self.paint("1", text);
        self.line(&text);
    }

    /// One paragraph: `lead` stands at the indent, the text follows and hangs below it.
    fn text(&mut self, indent: usize, lead: &str, text: &str) {
        self.painted(indent, lead, None, text);
    }

    fn painted(&mut self, indent: usize, lead: &str, sgr: Option<&str>, text: &str) {
        let hang = indent + lead.chars().count();
        let room = self.width.saturating_sub(hang).max(10);
        for (row, number) in wrap(&escaped(text), room).into_iter().zip(0..) {
            let start = match (number, sgr) {
                (0, Some(sgr)) => format!("{}{}", " ".repeat(indent), self.paint(sgr, lead)),
                (0, None) => format!("{}{lead}", " ".repeat(indent)),
                _ => " ".repeat(hang),
            };
            self.line(format!("{start}{row}").trim_end());
        }
    }

    /// A part of a finding: its lead in a column of its own.
    fn part(&mut self, lead: &str, text: &str) {
        self.text(4, &format!("{lead:<9}"), text);
    }

    fn step(&mut self, step: &StepView) {
        let cites =
            if step.cites.is_empty() { String::new() } else { format!(" [{}]", step.cites.join(", ")) };
        let lead = format!("{}. ", step.number);
        let hang = 2 + lead.chars().count();
        self.text(2, &lead, &format!("{}{cites}", step.text));
        for blocker in &step.blocked_by {
            self.text(hang, &format!("{}: ", words::FIRST), blocker);
        }
    }

    /// Readings of one thing below its name, and once where they stand. What an earlier finding showed is only named.
    fn evidence(&mut self, lead: &str, groups: &[Group], code: &str, shown: &mut Shown) {
        let mut lead = lead;
        for group in groups {
            let mut fresh: Vec<Reading> = Vec::new();
            let mut known: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for reading in &group.readings {
                match shown.code(&group.path(reading), reading) {
                    Some(earlier) => known.entry(earlier).or_default().push(&reading.field),
                    None => fresh.push(reading.clone()),
                }
            }
            let mut thing = group.thing.clone();
            for (earlier, fields) in known {
                thing.push_str(&format!(", {} {}", fields.join(", "), words::as_under(earlier)));
            }
            match fresh.as_slice() {
                [only] if thing == group.thing => {
                    self.part(lead, &format!("{} = {}", group.path(only), only.value));
                }
                readings => {
                    self.part(lead, &thing);
                    for row in rows(readings) {
                        self.text(15, "", &row);
                    }
                }
            }
            let fresh = Group { thing: group.thing.clone(), readings: fresh };
            for place in fresh.places() {
                self.part("", &format!("{} {place}", words::IN));
            }
            let paths: Vec<String> = fresh.readings.iter().map(|reading| fresh.path(reading)).collect();
            shown.fresh.extend(paths.into_iter().zip(fresh.readings).map(|(p, r)| (p, r, code.to_owned())));
            lead = "";
        }
    }

    fn finding(&mut self, finding: &FindingView, shown: &mut Shown) {
        let lead = format!("{} ", finding.verdict.word().to_uppercase());
        let title = format!("{} {}", finding.code, finding.title);
        self.painted(2, &lead, Some(verdict_colour(finding.verdict)), &title);
        self.evidence(words::FOR, &finding.evidence, &finding.code, shown);
        self.evidence(words::AGAINST, &finding.against, &finding.code, shown);
        if let Some(rate) = &finding.rate {
            self.part(words::RATE, rate);
        }
        let mut lead = words::SUSPECT;
        for suspect in &finding.suspects {
            let id = |word: &str, value: &Option<String>| {
                value.as_ref().map(|v| format!(", {} {v}", word.to_lowercase())).unwrap_or_default()
            };
            let who = format!(
                "{:>3} % {}: {}{}{}",
                suspect.certainty_percent,
                suspect.component.word(),
                suspect.location,
                id(words::SERIAL, &suspect.serial),
                id(words::FIRMWARE, &suspect.firmware)
            );
            self.part(lead, &who);
            lead = "";
        }
        for source in &finding.certainty_from {
            self.part("", &format!("{}: {source}", words::CERTAINTY));
        }
        if let Some(test) = &finding.test {
            let action = test.step.map_or_else(|| test.action.clone(), words::as_step);
            self.part(words::TEST, &action);
            for outcome in &test.outcomes {
                self.text(13, "- ", outcome);
            }
        }
        if let Some(safe) = &finding.safe {
            self.text(4, &format!("{} ", words::SAFE_TO_REMOVE), &removable(safe));
        }
        self.part(words::DO, &finding.advice);
    }

    /// Unknowns that change no verdict: the first reasons in words, the rest as a number.
    fn optional(&mut self, optional: &[Said], all: bool) {
        let (reasons, subjects) = match all {
            true => (usize::MAX, usize::MAX),
            false => (OPTIONAL_REASONS, OPTIONAL_SUBJECTS),
        };
        for said in optional.iter().take(reasons) {
            self.text(2, "", &format!("{}: {}", words::OPTIONAL_SHORT, said.sentence(subjects)));
        }
        let rest = optional.get(reasons..).unwrap_or_default();
        if !rest.is_empty() {
            let readings = rest.iter().map(|said| said.subjects.len()).sum();
            self.text(2, "", &words::more_optional(readings, rest.len()));
        }
    }
}

/// One row for each reading; what identifies a drive shares one.
fn rows(readings: &[Reading]) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    let mut identity = false;
    for reading in readings {
        let is_identity = IDENTITY.contains(&reading.field.as_str());
        let row = match is_identity {
            true => format!("{} {}", reading.field, reading.value),
            false => format!("{} = {}", reading.field, reading.value),
        };
        match rows.last_mut().filter(|_| identity && is_identity) {
            Some(last) => *last = format!("{last}, {row}"),
            None => rows.push(row.trim_start().to_owned()),
        }
        identity = is_identity;
    }
    rows
}

fn removable(safe: &SafeView) -> String {
    let answer = words::answer(safe.answer);
    match &safe.same_as {
        Some(code) => format!("{answer}, {}", words::as_under(code)),
        None => format!("{answer}: {}", safe.sentence()),
    }
}

/// Words in rows of at most `room` characters; a longer word is cut, because a path must not break the page.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        for (piece, number) in pieces(word, room.max(1)).zip(0..) {
            let length = piece.chars().count();
            let gap = usize::from(used > 0 && number == 0);
            if used > 0 && used + gap + length > room {
                rows.push(String::new());
                used = 0;
            }
            if let Some(row) = rows.last_mut() {
                if used > 0 && gap == 1 {
                    row.push(' ');
                    used += 1;
                }
                row.push_str(piece);
                used += length;
            }
        }
    }
    rows
}

/// A word in pieces of at most `room` characters.
fn pieces(word: &str, room: usize) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let end = rest.char_indices().nth(room).map_or(rest.len(), |(at, _)| at);
        let (piece, below) = rest.split_at_checked(end).filter(|(piece, _)| !piece.is_empty())?;
        rest = below;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RULES;

    #[test]
    fn words_wrap() {
        for (text, room, rows) in [
            ("", 5, vec![""]),
            ("one two", 7, vec!["one two"]),
            ("one two", 6, vec!["one", "two"]),
            ("abcdefgh i", 4, vec!["abcd", "efgh", "i"]),
        ] {
            assert_eq!(wrap(text, room), rows);
        }
    }

    #[test]
    fn every_rule_explains_itself() {
        for rule in RULES {
            let text = explain(rule);
            assert!(text.starts_with(rule.code) && text.contains(words::SOURCE), "{text}");
            assert!(text.lines().all(|row| row.chars().count() <= 80), "{text}");
        }
    }
}
