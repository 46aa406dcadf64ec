//! The gate: one pass over a line says which rules have to look at it at all. A line without any word of theirs, without
//! anything like an address and without a long run of key characters is copied as it is and costs nothing more.
//!
//! What it lets through untouched no rule would have changed: it may send a rule in vain, never spare one. The rules'
//! own tests and a slow path that asks every rule about every line hold it to that.

use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, StartKind};

use super::rules::{Hint, Hit};

/// Shortest run that the last net looks at; see [`super::entropy`].
pub(super) use super::entropy::SHORTEST as LONG;

/// A byte of base64 in either alphabet.
const KEY: u8 = 1;
/// A byte that an address is known by.
const POINT: u8 = 2;
/// The end of the line.
const END: u8 = 4;

/// What each byte may begin, so that nothing is compared twice.
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        let key = b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-');
        kinds[byte] = (if key { KEY } else { 0 })
            | (if matches!(b, b'.' | b':' | b'-') { POINT } else { 0 })
            | (if b == b'\n' { END } else { 0 });
        byte += 1;
    }
    kinds
};

/// Something like a MAC address, with colons.
pub(super) const MAC_COLON: u8 = 1;
/// Something like a MAC address, with dashes.
pub(super) const MAC_DASH: u8 = 2;
/// Something like an IPv4 address.
pub(super) const IPV4: u8 = 4;
/// Something like an IPv6 address that may be somebody's.
pub(super) const IPV6: u8 = 8;

/// What the gate found in a line.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Words of the gate, with their places in the line.
    pub(super) hits: Vec<Hit>,
    /// The hints of these words, as a set of [`Hint::bit`].
    pub(super) hints: u16,
    /// Kinds of addresses: a set of [`MAC_COLON`], [`MAC_DASH`], [`IPV4`], [`IPV6`].
    pub(super) addresses: u8,
    /// A run of [`LONG`] key characters.
    pub(super) long: bool,
}

impl Found {
    /// Whether any rule has to look.
    pub(super) fn any(&self) -> bool {
        self.long || self.addresses != 0 || self.hints != 0
    }

    /// Whether a word with this hint stands in the line.
    pub(super) fn has(&self, hint: Hint) -> bool {
        self.hints & hint.bit() != 0
    }
}

/// The automaton of all words.
pub(super) struct Gate {
    words: DFA,
    start: aho_corasick::automaton::StateID,
    hints: Vec<Hint>,
    /// Hints that are taken to stand in every line: those of names that could not be made part of the automaton.
    everywhere: u16,
}

impl Gate {
    /// Compiles the words, which count in any case.
    pub(super) fn new(words: &[(&str, Hint)]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let hints = words.iter().map(|(_, hint)| *hint).collect();
        let words = DFA::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            // It would look for first bytes, of which the words have nearly all.
            .prefilter(false)
            .build(words.iter().map(|(word, _)| *word))?;
        let start = words.start_state(Anchored::No)?;
        Ok(Self { words, start, hints, everywhere: 0 })
    }

    /// The same gate for all these words, of which some were told. One that cannot be built must not let names through:
    /// then the rules for names look at every line.
    pub(super) fn told(&mut self, words: &[(&str, Hint)]) {
        match Self::new(words) {
            Ok(gate) => *self = gate,
            Err(_) => self.everywhere = Hint::Learned.bit() | Hint::Serial.bit(),
        }
    }

    /// Looks at the line that begins at `from`, writes what it finds, and gives the place of its line feed or the end.
    pub(super) fn line(&self, text: &[u8], from: usize, found: &mut Found) -> usize {
        found.hits.clear();
        (found.hints, found.addresses, found.long) = (self.everywhere, 0, false);
        let (mut state, mut run) = (self.start, 0_usize);
        for (at, byte) in text.get(from..).unwrap_or_default().iter().copied().enumerate() {
            let kind = KINDS[usize::from(byte)];
            run = if kind & KEY == 0 { 0 } else { run + 1 };
            if run == LONG {
                found.long = true;
            }
            if kind & (END | POINT) != 0 {
                if kind & END != 0 {
                    return from + at;
                }
                found.addresses |= address(text, from + at, byte);
            }
            state = self.words.next_state(Anchored::No, state, byte);
            if self.words.is_match(state) {
                self.note(state, at + 1, found);
            }
        }
        text.len()
    }

    /// Notes the words that end here.
    #[cold]
    fn note(&self, state: aho_corasick::automaton::StateID, end: usize, found: &mut Found) {
        for index in 0..self.words.match_len(state) {
            let word = self.words.match_pattern(state, index);
            if let Some(hint) = self.hints.get(word.as_usize()) {
                found.hits.push(Hit { start: end - self.words.pattern_len(word), end, hint: *hint });
                found.hints |= hint.bit();
            }
        }
    }
}

/// What kind of address may begin around its first separator at `at`. A second look is the rule's.
fn address(text: &[u8], at: usize, separator: u8) -> u8 {
    if separator == b'.' {
        return if dotted(text, at) { IPV4 } else { 0 };
    }
    // The second separator of a MAC address tells most other places apart.
    let mac = text.get(at + 3) == Some(&separator) && six_octets(text, at, separator);
    match separator {
        b'-' => u8::from(mac) * MAC_DASH,
        _ => (u8::from(mac) * MAC_COLON) | (u8::from(group(text, at)) * IPV6),
    }
}

fn is(text: &[u8], at: Option<usize>, is: impl Fn(&u8) -> bool) -> bool {
    at.and_then(|at| text.get(at)).is_some_and(is)
}

/// A digit, then `.ddd.ddd.d` with one to three digits between the dots.
fn dotted(text: &[u8], mut at: usize) -> bool {
    if !is(text, at.checked_sub(1), u8::is_ascii_digit) {
        return false;
    }
    for _ in 0..2 {
        let rest = text.get(at + 1..).unwrap_or_default();
        let digits = rest.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        if !(1..=3).contains(&digits) || rest.get(digits) != Some(&b'.') {
            return false;
        }
        at += digits + 1;
    }
    is(text, Some(at + 1), u8::is_ascii_digit)
}

/// Two hexadecimal digits, then five times a separator and two of them.
fn six_octets(text: &[u8], at: usize, separator: u8) -> bool {
    let Some(run) = at.checked_sub(2).and_then(|from| text.get(from..from + 17)) else { return false };
    let hex = |at: usize| run.get(at).is_some_and(u8::is_ascii_hexdigit);
    // The later separators first: they tell what only begins like one.
    [14, 11, 8].iter().all(|at| run.get(*at) == Some(&separator))
        && [0, 3, 6, 9, 12, 15].iter().all(|at| hex(*at) && hex(*at + 1))
}

/// Four hexadecimal digits of a range that may be somebody's (2000::/3, fc00::/7, fe80::/10), a colon, and more of it.
fn group(text: &[u8], at: usize) -> bool {
    let Some([a, b, c, d]) = at.checked_sub(4).and_then(|from| text.get(from..at)) else { return false };
    let range = match a {
        b'2' | b'3' => b.is_ascii_hexdigit() && c.is_ascii_hexdigit(),
        b'f' | b'F' => match b.to_ascii_lowercase() {
            b'c' | b'd' => c.is_ascii_hexdigit(),
            b'e' => matches!(c.to_ascii_lowercase(), b'8' | b'9' | b'a' | b'b'),
            _ => false,
        },
        _ => false,
    };
    range && d.is_ascii_hexdigit() && is(text, Some(at + 1), |b| b.is_ascii_hexdigit() || *b == b':')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(line: &str, addresses: u8, long: bool, words: usize) {
        let gate = Gate::new(&[("password", Hint::Field), ("pass", Hint::Field), ("@", Hint::At)]).unwrap();
        let text = format!("before 10.0.0.1 {line}\n10.1.2.3@");
        let from = text.find(line).unwrap();
        let mut found = Found::default();
        let end = gate.line(text.as_bytes(), from, &mut found);
        assert_eq!(end, from + line.len(), "{line}");
        assert_eq!((found.addresses, found.long, found.hits.len()), (addresses, long, words), "{line}");
    }

    #[test]
    fn a_line_is_known_by_what_stands_in_it() {
        check("ata3.00: cmd 60/08:00:08:57:0c/00:00:1d:00:00/40 tag 0", 0, false, 0);
        check("a 24:5e:be:12:34:56", MAC_COLON, false, 0);
        check("a 24-5E-be-12-34-56-", MAC_DASH, false, 0);
        check("a 24:5e:be:12:34:5", 0, false, 0);
        check("x1.22.333.4", IPV4, false, 0);
        check("1.22.3333.4 1.2.3. 1..2.3", 0, false, 0);
        check("fe80::1 fe70::1", IPV6, false, 0);
        check("FD00:1 fd00: ", IPV6, false, 0);
        check("ff02::1 0000:03:00.0", 0, false, 0);
        check("My PassWord@", 0, false, 3);
        check("a=aaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaa", 0, false, 0);
        check("a=aaaaaaaaaaaaaaaaaaaa", 0, true, 0);
    }

    #[test]
    fn hits_stand_in_the_line() {
        let gate = Gate::new(&[("password", Hint::Field), ("@", Hint::At)]).unwrap();
        let mut found = Found::default();
        gate.line(b"a@b\npassword", 4, &mut found);
        assert_eq!((found.hits[0].start, found.hits[0].end, found.hints), (0, 8, Hint::Field.bit()));
    }
}
