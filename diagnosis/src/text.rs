//! What a person reads in a terminal: the verdict first, then what to do, then the reasons.
//!
//! Text is returned, never printed. Meaning never hangs on colour: every colour repeats a word that is there anyway.
//! Strings that came from a device (models, serials, labels) are escaped, so that a drive named with an escape sequence
//! or a right-to-left mark cannot rewrite the report.

use assay_bundle::diagnosis::{
    Diagnosis, Evidence, Finding, Overall, Removable, SafeToRemove, Unknown, Verdict,
};
use assay_bundle::facts::Facts;
use assay_bundle::recommendation::{Recommendation, Step};

use crate::rule::Rule;

/// Narrower than this no report can be laid out; a smaller width is taken as this one.
const NARROWEST: usize = 40;

/// The report of one run, wrapped at `width` columns.
pub fn report(
    facts: &Facts,
    diagnosis: &Diagnosis,
    recommendation: &Recommendation,
    width: usize,
    colour: bool,
) -> String {
    let mut page = Page::new(width, colour);
    page.line(&page.paint(colour_of(diagnosis.overall), &diagnosis.overall.words().to_uppercase()));
    page.text(0, "", &machine(facts));
    page.text(0, "", &counts(diagnosis));

    page.heading("What to do");
    for (step, number) in recommendation.steps.iter().zip(1..) {
        page.step(number, step);
    }
    if !diagnosis.findings.is_empty() {
        page.heading("Found");
    }
    for (finding, number) in diagnosis.findings.iter().zip(1..) {
        if number > 1 {
            page.line("");
        }
        page.finding(finding);
    }
    if !diagnosis.exonerations.is_empty() {
        page.heading("Looks wrong and is not");
    }
    for cleared in &diagnosis.exonerations {
        page.text(2, "", &format!("{}: {} ({})", cleared.subject, cleared.why, cleared.code));
    }
    if !diagnosis.unknowns.is_empty() {
        page.heading("Could not be told");
    }
    for (unknown, codes) in grouped(&diagnosis.unknowns) {
        let need = if unknown.required { "" } else { "optional: " };
        page.text(2, "", &format!("{need}{}: {} ({})", unknown.subject, unknown.why, codes.join(", ")));
    }
    page.out
}

/// What `explain` shows about one rule, wrapped at 80 columns.
pub fn explain(rule: &Rule) -> String {
    let mut page = Page::new(80, false);
    page.line(&format!("{}  {}", rule.code, rule.title));
    page.text(0, "", &format!("About: {}", rule.component.word()));
    for (heading, text) in [
        ("Checks", rule.checks),
        ("Why it matters", rule.why),
        ("What to do", rule.what_to_do),
        ("Source of the threshold", rule.threshold_source),
    ] {
        page.heading(heading);
        page.text(2, "", text);
    }
    page.out
}

/// A moment of the device's clock in UTC, as `2023-11-14T22:13:20Z`; seconds where it is no date at all.
pub(crate) fn date(unix_s: i64) -> String {
    jiff::Timestamp::from_second(unix_s).map_or_else(|_| format!("{unix_s} s since 1970"), |t| t.to_string())
}

/// Makes a string harmless for a terminal: control characters, escape sequences, invisible and direction-changing
/// characters are written as their code.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) {
            out.push(c);
        } else {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        }
    }
    out
}

/// Refused: C0 and C1 controls, soft hyphen, Arabic letter mark, zero-width and direction marks, line and paragraph
/// separators, embeddings, overrides and isolates, byte order mark, interlinear and tag characters.
fn is_harmless(c: char) -> bool {
    let tricks = matches!(u32::from(c),
        0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb
        | 0xe0000..=0xe007f);
    !(c.is_control() || tricks)
}

fn machine(facts: &Facts) -> String {
    let identity = &facts.identity;
    let mut parts = Vec::new();
    parts.push(identity.model.value().cloned().unwrap_or_else(|| "model not read".to_owned()));
    parts.push(match identity.serial.value() {
        Some(serial) => format!("serial {serial}"),
        None => "serial not read".to_owned(),
    });
    parts.extend(identity.firmware.value().cloned());
    if let Some(now) = facts.clock.unix_s.value() {
        let trust = match facts.clock.synchronised.value() {
            Some(true) => "",
            Some(false) => " (clock not synchronised)",
            None => " by its own clock",
        };
        parts.push(format!("{}{trust}", date(*now)));
    }
    parts.join(" · ")
}

fn counts(diagnosis: &Diagnosis) -> String {
    let of = |verdict| diagnosis.findings.iter().filter(|f| f.verdict == verdict).count();
    let required = diagnosis.unknowns.iter().filter(|u| u.required).count();
    format!(
        "{} confirmed, {} suspected, {} to watch, {required} needed but not readable",
        of(Verdict::Confirmed),
        of(Verdict::Suspected),
        of(Verdict::Watch)
    )
}

/// Unknowns with one subject and one reason are one line, whoever asked; required ones first.
fn grouped(unknowns: &[Unknown]) -> Vec<(Unknown, Vec<String>)> {
    let mut groups: Vec<(Unknown, Vec<String>)> = Vec::new();
    for unknown in unknowns {
        match groups.iter_mut().find(|(u, _)| u.subject == unknown.subject && u.why == unknown.why) {
            Some((first, codes)) => {
                first.required |= unknown.required;
                codes.push(unknown.code.clone());
            }
            None => groups.push((unknown.clone(), vec![unknown.code.clone()])),
        }
    }
    groups.sort_by_key(|(u, _)| !u.required);
    groups
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

struct Page {
    out: String,
    width: usize,
    colour: bool,
}

impl Page {
    fn new(width: usize, colour: bool) -> Self {
        Self { out: String::new(), width: width.max(NARROWEST), colour }
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

    fn step(&mut self, number: u32, step: &Step) {
        let mut cites = step.rules.clone();
        cites.extend(step.finding.clone());
        let cites = if cites.is_empty() { String::new() } else { format!(" [{}]", cites.join(", ")) };
        self.text(2, &format!("{number}. "), &format!("{}{cites}", step.text));
        for blocker in &step.blocked_by {
            self.text(5, "first: ", blocker);
        }
    }

    /// Readings in a row from one place cite it once, below the last of them.
    fn evidence(&mut self, lead: &str, list: &[Evidence]) {
        for (evidence, number) in list.iter().zip(1..) {
            self.text(4, lead, &format!("{} = {}", evidence.fact, evidence.value));
            let next = list.get(number).map(|e| e.from.as_str());
            if !evidence.from.is_empty() && next != Some(evidence.from.as_str()) {
                self.text(4, "         ", &format!("in raw/{}", evidence.from));
            }
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let lead = format!("{} ", finding.verdict.word().to_uppercase());
        let title = format!("{} {}", finding.code, finding.title);
        self.painted(2, &lead, Some(verdict_colour(finding.verdict)), &title);
        self.evidence("for      ", &finding.evidence);
        self.evidence("against  ", &finding.counter_evidence);
        if let Some(rate) = finding.rate {
            self.text(4, "rate     ", &format!("{} in {} s", rate.count, rate.window_s));
        }
        for suspect in &finding.suspects {
            let id = |word: &str, value: &Option<String>| {
                value.as_ref().map(|v| format!(", {word} {v}")).unwrap_or_default()
            };
            let who = format!(
                "{:>3} % {}: {}{}{}",
                suspect.certainty_percent,
                suspect.component.word(),
                suspect.location,
                id("serial", &suspect.serial),
                id("firmware", &suspect.firmware)
            );
            self.text(4, "suspect  ", &who);
        }
        if let Some(first) = finding.suspects.first() {
            self.text(4, "         ", &format!("certainty: {}", first.certainty_source));
        }
        if let Some(test) = &finding.test {
            self.text(4, "test     ", &test.action);
            for outcome in &test.outcomes {
                self.text(13, "- ", outcome);
            }
        }
        if let Some(safe) = &finding.safe_to_remove {
            self.text(4, "safe to remove now? ", &removable(safe));
        }
        self.text(4, "do       ", &finding.advice);
    }
}

fn removable(safe: &SafeToRemove) -> String {
    let answer = match safe.answer {
        Removable::Yes => "YES",
        Removable::No => "NO",
        Removable::Unknown => "UNKNOWN",
    };
    let as_of = match safe.as_of_unix_s {
        Some(at) => format!("as of {}; after 10 minutes ask again", date(at)),
        None => "ask again before touching it".to_owned(),
    };
    format!("{answer}: {} ({as_of})", safe.why)
}

/// Words in rows of at most `room` characters; a longer word is cut, because a path must not break the page.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let chars: Vec<char> = word.chars().collect();
        for (piece, number) in chars.chunks(room.max(1)).zip(0..) {
            let gap = usize::from(used > 0 && number == 0);
            if used > 0 && used + gap + piece.len() > room {
                rows.push(String::new());
                used = 0;
            }
            if let Some(row) = rows.last_mut() {
                if used > 0 && gap == 1 {
                    row.push(' ');
                    used += 1;
                }
                row.extend(piece);
                used += piece.len();
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{healthy_nas, nas_with_everything_wrong};
    use crate::{RULES, diagnose};
    use assay_bundle::Observed;
    use assay_bundle::recommendation::Action;

    fn advice() -> Recommendation {
        let step = Step {
            action: Action::Backup,
            text: "Back up the data of this unit before anything else is done to it, on another machine."
                .to_owned(),
            finding: Some("DRV-001".to_owned()),
            component: None,
            rules: vec!["L9".to_owned()],
            blocked_by: vec!["the owner's answer".to_owned()],
        };
        Recommendation { steps: vec![step] }
    }

    #[test]
    fn the_verdict_comes_first_and_every_row_fits() {
        let facts = nas_with_everything_wrong();
        let diagnosis = diagnose(&facts);
        for width in [0, 40, 60, 80, 132] {
            let text = report(&facts, &diagnosis, &advice(), width, false);
            assert!(text.starts_with("DEFECT CONFIRMED\n"), "{text}");
            for row in text.lines() {
                assert!(row.chars().count() <= width.max(NARROWEST), "{width}: {row:?}");
                assert_eq!(row, row.trim_end());
            }
        }
        let text = report(&facts, &diagnosis, &advice(), 80, false);
        let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words:?} is not in\n{text}"));
        assert!(at("What to do") < at("Found"));
        for words in [
            "  1. Back up",
            "[L9, DRV-001]",
            "first: the owner's",
            "100 % drive: bay 1",
            "safe to remove now?",
        ] {
            at(words);
        }
    }

    #[test]
    fn what_is_cleared_is_said() {
        let facts = healthy_nas();
        let text = report(&facts, &diagnose(&facts), &advice(), 80, false);
        assert!(text.starts_with("HEALTHY\n"), "{text}");
        assert!(text.contains("md9: a system array of QNAP, [32/3] by design"), "{text}");
    }

    #[test]
    fn colour_only_repeats_words() {
        let facts = nas_with_everything_wrong();
        let diagnosis = diagnose(&facts);
        let plain = report(&facts, &diagnosis, &advice(), 80, false);
        assert!(!plain.contains('\x1b'));
        let mut painted = report(&facts, &diagnosis, &advice(), 80, true);
        for sgr in ["31", "33", "32", "1", "0"] {
            painted = painted.replace(&format!("\x1b[{sgr}m"), "");
        }
        assert_eq!(painted, plain);
    }

    #[test]
    fn a_device_cannot_rewrite_the_report() {
        let mut facts = healthy_nas();
        facts.identity.model = Observed::seen("TS\x1b[2J\u{202e}x\r\nHEALTHY\u{200b}".to_owned(), "x");
        let text = report(&facts, &diagnose(&facts), &advice(), 80, false);
        assert!(text.contains("TS\\u{1b}[2J\\u{202e}x\\u{d}\\u{a}HEALTHY\\u{200b}"), "{text}");
        assert!(text.chars().all(|c| c == '\n' || is_harmless(c)));
    }

    #[test]
    fn same_subject_same_reason_is_one_line() {
        let mut facts = healthy_nas();
        facts.drives = Observed::NotCollected;
        let text = report(&facts, &diagnose(&facts), &advice(), 80, false);
        assert_eq!(text.matches("drives: were not read").count(), 1, "{text}");
        assert!(text.contains("(DRV-001, DRV-002,"), "{text}");
    }

    #[test]
    fn every_rule_explains_itself() {
        for rule in RULES {
            let text = explain(rule);
            assert!(text.starts_with(rule.code) && text.contains("Source of the threshold"), "{text}");
            assert!(text.lines().all(|row| row.chars().count() <= 80), "{text}");
        }
    }

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
}
