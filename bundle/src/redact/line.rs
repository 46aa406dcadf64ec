//! Cleaning one text: key blocks first, then line by line, each until nothing changes any more.
//!
//! Every rule proposes spans of the line as it stands and never sees another rule's output, so their order cannot
//! matter except where two claim the same bytes (the one named first wins). Repeating until nothing changes makes
//! cleaning idempotent by construction, and a line that does not settle is dropped whole.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::gate::{Found, Gate};
use super::learned::Learned;
use super::pieces::{Change, Pieces};
use super::pseudonym::Pseudonyms;
use super::rules::{Hint, Hit, Rules, gate_words};
use super::serials::Serials;
use super::{address, block, command, domain, entropy, path, person, secret};

/// How often a line is looked at before it is given up: two looks are the rule, a third follows nested secrets.
pub(super) const MOST_PASSES: usize = 8;

/// What was replaced so far: counts by kind, and what stands for what.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How often, by kind.
    pub(super) counts: BTreeMap<String, u64>,
    /// Stand-in to original, for the owner's own look back; secrets are never in it. At most [`MOST_STAND_INS`].
    pub(super) stand_ins: BTreeMap<String, String>,
}

/// A device has some hundred names; a log full of addresses must not fill the memory.
const MOST_STAND_INS: usize = 20_000;
/// A longer original is a whole line that went, not a name.
const LONGEST_ORIGINAL: usize = 512;

impl Tally {
    /// Counts replacements of one kind.
    pub(super) fn add(&mut self, kind: &str, times: u64) {
        match self.counts.get_mut(kind) {
            Some(count) => *count += times,
            None => {
                self.counts.insert(kind.to_owned(), times);
            }
        }
    }

    /// Counts one replacement, and remembers what the stand-in stands for.
    pub(super) fn replaced(&mut self, kind: &str, old: &str, with: &str) {
        self.add(kind, 1);
        let marked = |text: &str| text.as_bytes().contains(&b'[') && text.contains(MARK);
        let secret = marked(with) || marked(old);
        let room = self.stand_ins.len() < MOST_STAND_INS && old.len() <= LONGEST_ORIGINAL;
        if !secret && room && !self.stand_ins.contains_key(with) {
            self.stand_ins.insert(with.to_owned(), old.to_owned());
        }
    }
}

/// What is known about a text beside the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Context {
    /// Dotted quads are version numbers here.
    pub(super) version: bool,
}

/// A proposed replacement.
#[derive(Debug)]
struct Span {
    start: usize,
    end: usize,
    rank: u8,
    kind: &'static str,
    with: String,
}

/// A line with what the gate found in it and what the rules propose.
pub(super) struct Scan<'a> {
    /// The line without its end.
    pub(super) line: &'a str,
    /// Words of the gate.
    pub(super) hits: &'a [Hit],
    /// Kinds of addresses that the gate saw.
    pub(super) addresses: u8,
    /// What is known beside the text.
    pub(super) context: Context,
    /// How far the rule at work has replaced already.
    pub(super) reached: usize,
    rank: u8,
    off: &'a BTreeSet<String>,
    spans: Vec<Span>,
}

impl<'a> Scan<'a> {
    /// The byte at `at`.
    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.line.as_bytes().get(at).copied()
    }

    /// The byte before `at`.
    pub(super) fn before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).and_then(|at| self.byte(at))
    }

    /// Part of the line; empty where it is no part.
    pub(super) fn part(&self, start: usize, end: usize) -> &'a str {
        self.line.get(start..end).unwrap_or_default()
    }

    /// The first place at or after `at` where a character begins; the end of the line beyond it.
    pub(super) fn boundary(&self, at: usize) -> usize {
        (at..self.line.len()).find(|at| self.line.is_char_boundary(*at)).unwrap_or(self.line.len())
    }

    /// Proposes to replace a part; nothing happens when it stays the same.
    pub(super) fn replace(&mut self, start: usize, end: usize, kind: &'static str, with: String) {
        let old = self.line.get(start..end);
        if old.is_some_and(|old| !old.is_empty() && old != with) && !self.off.contains(kind) {
            self.reached = self.reached.max(end);
            self.spans.push(Span { start, end, rank: self.rank, kind, with });
        }
    }

    /// Proposes to replace a part by the mark of a secret.
    pub(super) fn destroy(&mut self, start: usize, end: usize, kind: &'static str) {
        self.replace(start, end, kind, mark(kind));
    }

    /// First place at or after `from` whose byte does not fulfil `is`.
    pub(super) fn run_right(&self, from: usize, is: impl Fn(u8) -> bool) -> usize {
        let rest = self.line.as_bytes().get(from..).unwrap_or_default();
        from + rest.iter().position(|b| !is(*b)).unwrap_or(rest.len())
    }

    /// First place of the run of bytes before `from` that fulfil `is`.
    pub(super) fn run_left(&self, from: usize, is: impl Fn(u8) -> bool) -> usize {
        let rest = self.line.as_bytes().get(..from).unwrap_or_default();
        rest.iter().rposition(|b| !is(*b)).map_or(0, |at| at + 1)
    }
}

/// How a mark begins.
const MARK: &str = "[redacted:";

/// What stands for a secret.
pub(super) fn mark(kind: &str) -> String {
    format!("{MARK}{kind}]")
}

/// Whether this is nothing but such a mark.
pub(super) fn is_mark(text: &str) -> bool {
    text.strip_prefix(MARK).and_then(|t| t.strip_suffix(']')).is_some_and(|kind| {
        !kind.is_empty() && kind.len() <= 24 && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
    })
}

/// Letters, digits and everything beyond ASCII.
pub(super) fn is_word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80
}

/// Everything that cleaning needs.
pub(super) struct Cleaner {
    pub(super) rules: Rules,
    pub(super) pseudonyms: Pseudonyms,
    pub(super) learned: Learned,
    /// Serial numbers that the level masks; none at `standard`.
    pub(super) serials: Serials,
    /// Kinds that are switched off, by tests that prove that the canaries notice.
    pub(super) off: BTreeSet<String>,
}

impl Cleaner {
    /// Makes the gate know what was learnt.
    pub(super) fn told(&mut self) {
        let learned = self.learned.words().map(|name| (name.to_owned().into(), Hint::Learned));
        let serials = self.serials.words().map(|serial| (serial.to_owned().into(), Hint::Serial));
        let rules = gate_words().into_iter().map(|(word, hint)| (word.into(), hint));
        self.rules.gate = Gate::new(rules.chain(learned).chain(serials).collect());
    }

    /// Cleans a text of any number of lines.
    pub(super) fn text<'t>(&self, text: &'t str, context: Context, tally: &mut Tally) -> Cow<'t, str> {
        self.pieces(text, context, tally).whole()
    }

    /// The same in pieces.
    pub(super) fn pieces<'t>(&self, text: &'t str, context: Context, tally: &mut Tally) -> Pieces<'t> {
        let text = if self.off.contains("private-key") {
            Cow::Borrowed(text)
        } else {
            block::private_keys(text, tally)
        };
        let mut changes = Vec::new();
        let mut found = Found::default();
        let mut start = 0;
        while start < text.len() {
            let end = self.rules.gate.line(text.as_bytes(), start, &mut found);
            if found.any() {
                let line = text.get(start..end).unwrap_or_default();
                if let Some(with) = self.line(line, &mut found, context, tally) {
                    changes.push(Change { start, end, with });
                }
            }
            start = end + 1;
        }
        Pieces::new(text, changes)
    }

    /// Cleans a line that the gate stopped. `None`: it stays as it is.
    fn line(&self, line: &str, found: &mut Found, context: Context, tally: &mut Tally) -> Option<String> {
        let mut current: Option<String> = None;
        for _ in 0..MOST_PASSES {
            let seen = current.as_deref().unwrap_or(line);
            let Some(next) = self.pass(seen, found, context, tally) else { return current };
            self.rules.gate.line(next.as_bytes(), 0, found);
            current = Some(next);
        }
        tally.add("line", 1);
        Some(mark("line"))
    }

    /// One look at a line. `None`: nothing to replace.
    pub(super) fn pass(
        &self,
        line: &str,
        found: &Found,
        context: Context,
        tally: &mut Tally,
    ) -> Option<String> {
        type Rule = fn(&Cleaner, &mut Scan);
        /// In the order of their rank, each with the hint without which it has nothing to look at.
        const RULES: &[(Hint, Rule)] = &[
            (Hint::Token, secret::tokens),
            (Hint::Url, secret::urls),
            (Hint::Field, secret::fields),
            (Hint::Bearer, secret::bearers),
            (Hint::Command, command::options),
            (Hint::Field, secret::prose),
            (Hint::At, domain::mail),
            (Hint::Iqn, domain::iqn),
            (Hint::Unc, path::network),
            (Hint::Path, path::local),
            (Hint::User, person::users),
            (Hint::Share, person::shares),
        ];
        let mut scan = Scan {
            line,
            hits: &found.hits,
            addresses: found.addresses,
            context,
            reached: 0,
            rank: 0,
            off: &self.off,
            spans: Vec::new(),
        };
        for (hint, rule) in RULES {
            scan.rank += 1;
            if found.has(*hint) {
                scan.reached = 0;
                rule(self, &mut scan);
            }
        }
        scan.rank += 1;
        if found.addresses != 0 {
            address::all(self, &mut scan);
        }
        scan.rank += 1;
        if found.has(Hint::Domain { ambiguous: false }) {
            domain::names(self, &mut scan);
        }
        scan.rank += 1;
        if found.has(Hint::Learned) {
            self.learned.names(&self.pseudonyms, &mut scan);
        }
        scan.rank += 1;
        if found.has(Hint::Serial) {
            self.serials.mask(&mut scan);
        }
        scan.rank += 1;
        if found.long {
            entropy::values(self, &mut scan);
        }
        assemble(line, scan.spans, tally)
    }
}

/// Applies the spans that do not overlap a better one; what a dropped one wanted is seen again on the next look.
fn assemble(line: &str, mut spans: Vec<Span>, tally: &mut Tally) -> Option<String> {
    spans.sort_by_key(|s| (s.start, s.rank, std::cmp::Reverse(s.end)));
    let mut kept: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match kept.last_mut() {
            Some(last) if span.start < last.end => {
                if span.rank < last.rank {
                    *last = span;
                }
            }
            _ => kept.push(span),
        }
    }
    if kept.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    for span in &kept {
        out.push_str(line.get(at..span.start).unwrap_or_default());
        out.push_str(&span.with);
        at = span.end;
        tally.replaced(span.kind, line.get(span.start..span.end).unwrap_or_default(), &span.with);
    }
    out.push_str(line.get(at..).unwrap_or_default());
    Some(out)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &str) {
        let cleaner = Cleaner {
            rules: Rules::compile().map_err(|(name, why)| format!("{name}: {why}")).expect("rules compile"),
            pseudonyms: Pseudonyms::new(&[1; 32]),
            learned: Learned::default(),
            serials: Serials::default(),
            off: BTreeSet::new(),
        };
        let clean = cleaner.text(input, Context::default(), &mut Tally::default());
        assert_eq!(clean, expected);
    }

    #[test]
    fn a_secret_goes_and_the_shape_stays() {
        check("admin_pw=\"a b\" x=1", "admin_pw=\"[redacted:password]\" x=1");
        check("password = my own phrase", "password = [redacted:password]");
        check(
            "-o username=admin,password=a,b,uid=0 x",
            "-o username=admin,password=[redacted:password],uid=0 x",
        );
        check("login password=abc failed on tty1", "login password=[redacted:password] failed on tty1");
        check("{\"password\":\"x\\\"y\",\"n\":1}", "{\"password\":\"[redacted:password]\",\"n\":1}");
        check("a=\\\"{\\\"token\\\":\\\"x y\\\"}\\\"", "a=\\\"{\\\"token\\\":\\\"[redacted:token]\\\"}\\\"");
        check("<pw>x</pw>", "<pw>[redacted:password]</pw>");
        check("-H 'Authorization: Basic eA==' u", "-H 'Authorization: Basic [redacted:auth]' u");
        check("Cookie: a=b; c=d\r", "Cookie: [redacted:cookie]\r");
        check("sid=abc&user=admin", "sid=[redacted:session]&user=admin");
        check("ftp://admin:p@ss/w@10.0.0.0/x", "ftp://admin:[redacted:url-password]@240.0.0.0/x");
        check("password=\"cut", "password=\"[redacted:password]");
    }

    #[test]
    fn what_is_no_secret_stays() {
        for line in [
            "password=",
            "password: ********",
            "password=[redacted:password]",
            "password required for login",
            "PWD=/usr/local",
            "pass: 2",
            "std::token::x",
            "Sense Key : Medium Error",
        ] {
            check(line, line);
        }
    }

    #[test]
    fn a_mark_hides_nothing() {
        check("password=[redacted:x]secret", "password=[redacted:password]");
        check("password: [redacted:x] secret", "password: [redacted:password]");
        check("password=[redacted:password=secret", "password=[redacted:password]");
    }

    #[test]
    fn line_ends_stay() {
        check("a\npw=x\r\nb\n\n", "a\npw=[redacted:password]\r\nb\n\n");
    }
}
