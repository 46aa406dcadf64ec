//! Which rows of the table a line can match at all: each row's pattern needs some word, and one pass of one automaton
//! finds them all. Nearly every line of a kernel log holds none of them and costs nothing more, and a pattern is
//! compiled when its word was seen.
//!
//! The words are taken out of the patterns themselves, so they cannot drift apart. Where no word can be found the row
//! is tried on every line.

use std::iter::Peekable;
use std::str::Chars;

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{BuildError, Input};

/// The shortest word worth looking for: a shorter one is in every second line.
const SHORTEST: usize = 2;

/// How deep the automaton has a place for every byte: one step is where nearly all text ends, and each further one doubles
/// the memory (100 KB with the default of two) for a speed that nobody sees.
const DENSE_DEPTH: usize = 1;

/// The automaton, and the row of each of its words.
pub(super) struct Gate {
    words: NFA,
    rows: Vec<usize>,
    always: Vec<usize>,
}

impl Gate {
    /// A gate for these patterns.
    pub(super) fn new<'p>(patterns: impl Iterator<Item = &'p str>) -> Result<Self, BuildError> {
        let (mut words, mut rows, mut always) = (Vec::new(), Vec::new(), Vec::new());
        for (row, pattern) in patterns.enumerate() {
            match needed(pattern) {
                Some(needed) => {
                    rows.extend(needed.iter().map(|_| row));
                    words.extend(needed);
                }
                None => always.push(row),
            }
        }
        // A few patterns ignore case; for the others this lets a line through that they refuse themselves.
        let words = NFA::builder().ascii_case_insensitive(true).dense_depth(DENSE_DEPTH).build(words)?;
        Ok(Self { words, rows, always })
    }

    /// The rows that this line may match, in the table's order.
    pub(super) fn candidates(&self, line: &str) -> Vec<usize> {
        // Refused is only a search from a fixed place, which this is not.
        let found = self.words.try_find_overlapping_iter(Input::new(line)).into_iter().flatten();
        let mut rows: Vec<usize> =
            found.filter_map(|word| self.rows.get(word.pattern().as_usize()).copied()).collect();
        rows.extend(&self.always);
        rows.sort_unstable();
        rows.dedup();
        rows
    }
}

/// Words of which every match of the pattern holds at least one; `None` where there are none.
fn needed(pattern: &str) -> Option<Vec<String>> {
    let mut reader = Reader { rest: pattern.chars().peekable() };
    reader.alternatives().filter(|words| shortest(words) >= SHORTEST)
}

fn shortest(words: &[String]) -> usize {
    words.iter().map(String::len).min().unwrap_or(0)
}

/// Reads the part of the syntax that the table uses. What it does not know it takes for something without words.
struct Reader<'p> {
    rest: Peekable<Chars<'p>>,
}

/// What stands in a sequence.
enum Piece {
    Character(char),
    /// A group with the words of which it needs one.
    Group(Option<Vec<String>>),
    /// A class, a dot, a place: no word.
    Other,
}

impl Reader<'_> {
    /// Up to the end of the pattern or of the group that it is in.
    fn alternatives(&mut self) -> Option<Vec<String>> {
        let mut all = Some(Vec::new());
        loop {
            let words = self.sequence();
            // One alternative without a word is enough for none being needed.
            all = all.zip(words).map(|(mut all, words)| {
                all.extend(words);
                all
            });
            if self.rest.next() != Some('|') {
                return all;
            }
        }
    }

    /// The best words of one sequence; leaves `|` and `)` where they are.
    fn sequence(&mut self) -> Option<Vec<String>> {
        let mut best: Option<Vec<String>> = None;
        let mut word = String::new();
        while let Some(next) = self.rest.peek().copied().filter(|next| !matches!(next, '|' | ')')) {
            self.rest.next();
            let piece = match next {
                '(' => Piece::Group(self.group()),
                '[' => self.class(),
                '\\' => self.escape(),
                '.' | '^' | '$' => Piece::Other,
                other => Piece::Character(other),
            };
            let (may_be_none, repeats) = self.quantifier();
            let ends = may_be_none || repeats;
            match piece {
                Piece::Character(c) if !may_be_none => word.push(c),
                Piece::Group(words) if !may_be_none => {
                    offer(&mut best, &mut word);
                    keep(&mut best, words);
                }
                _ => offer(&mut best, &mut word),
            }
            if ends {
                offer(&mut best, &mut word);
            }
        }
        offer(&mut best, &mut word);
        best
    }

    /// A group after its `(`, with its name or flags.
    fn group(&mut self) -> Option<Vec<String>> {
        if self.rest.next_if_eq(&'?').is_some() {
            let ends = if self.rest.peek() == Some(&'P') { '>' } else { ':' };
            while self.rest.next().is_some_and(|c| c != ends) {}
        }
        self.alternatives()
    }

    fn class(&mut self) -> Piece {
        self.rest.next_if_eq(&'^');
        self.rest.next_if_eq(&']');
        while let Some(c) = self.rest.next().filter(|c| *c != ']') {
            if c == '\\' {
                self.rest.next();
            }
        }
        Piece::Other
    }

    fn escape(&mut self) -> Piece {
        match self.rest.next() {
            Some(c) if !c.is_ascii_alphanumeric() => Piece::Character(c),
            _ => Piece::Other,
        }
    }

    /// Whether what stands before may be missing, and whether it may stand there more than once.
    fn quantifier(&mut self) -> (bool, bool) {
        let found = match self.rest.peek() {
            Some('?' | '*') => (true, true),
            Some('+') => (false, true),
            Some('{') => {
                let mut count = String::new();
                while let Some(c) = self.rest.next().filter(|c| *c != '}') {
                    count.push(c);
                }
                return (count.starts_with("{0"), true);
            }
            _ => return (false, false),
        };
        self.rest.next();
        self.rest.next_if_eq(&'?');
        found
    }
}

/// A finished word as what the sequence needs, if it is the best so far.
fn offer(best: &mut Option<Vec<String>>, word: &mut String) {
    keep(best, Some(vec![std::mem::take(word)]));
}

fn keep(best: &mut Option<Vec<String>>, words: Option<Vec<String>>) {
    if let Some(words) = words
        && shortest(&words) > best.as_deref().map_or(0, shortest)
    {
        *best = Some(words);
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows;
    use super::*;

    fn check(pattern: &str, expected: &[&str]) {
        assert_eq!(needed(pattern).unwrap_or_default(), expected, "{pattern}");
    }

    #[test]
    fn words_of_a_pattern() {
        check(r"ata\d+: DUMMY", &[": DUMMY"]);
        check(r"Under-?voltage detected!", &["voltage detected!"]);
        check(r"\[Hardware Error\]: +fru_text: (?P<module>\S+)", &["[Hardware Error]: "]);
        check(r"NMI: (?:PCI system error|IOCK error)|Uhhuh", &["PCI system error", "IOCK error", "Uhhuh"]);
        check(r"\b(?:ses|enclosure) (?P<n>\d+:\d+): [^\n]*(?i:fan|psu)", &["ses", "enclosure"]);
        check(r"a{2}bc{0,1}def*", &["de"]);
        check(r"(?:abc)?\w+x", &[]);
        check(r"abc|\d", &[]);
        check(r"[\]a-z]abc[^]x]de", &["abc"]);
        check(r"(?:a(?:bcd|ef)+gh)+", &["bcd", "ef"]);
        check(r"ab+c", &["ab"]);
        check("", &[]);
    }

    #[test]
    fn every_row_has_a_word() {
        for row in rows() {
            assert!(needed(row.pattern).is_some(), "{}: {}", row.name, row.pattern);
        }
    }
}
