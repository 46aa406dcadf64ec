//! The gate: one pass over a line says which rules have to look at it at all. A line without any word of theirs, without
//! anything like an address and without a long run of key characters is copied as it is and costs nothing more.
//!
//! What it lets through untouched no rule would have changed: it may send a rule in vain, never spare one. The rules'
//! own tests and a slow path that asks every rule about every line hold it to that.

use std::borrow::Cow;

use super::rules::{Hint, Hit};

/// Shortest run that the last net looks at; see [`super::entropy`].
pub(super) use super::entropy::SHORTEST as LONG;

/// The code of a byte, by which beginnings of words are known: letters in any case, blanks, digits and the commonest
/// signs tell, all other bytes share one.
const CODE: u16 = 31;
const CODE_BITS: u32 = 5;
/// A byte of base64 in either alphabet.
const KEY: u16 = 32;
/// A byte that an address is known by.
const POINT: u16 = 64;
/// The end of the line.
const END: u16 = 128;
/// The last byte of a word that is shorter than a beginning.
const SHORT: u16 = 256;

/// Bytes of a beginning.
const BEGINNING: usize = 3;
/// Codes of beginnings, and one more.
const CODES: usize = 1 << (CODE_BITS as usize * BEGINNING);

/// What each byte may begin, so that nothing is compared twice.
const KINDS: [u16; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        let code = match b {
            b'a'..=b'z' => 1 + b - b'a',
            b'A'..=b'Z' => 1 + b - b'A',
            b'.' => 27,
            b' ' => 28,
            b'0'..=b'9' => 29,
            b'_' | b'-' => 30,
            b'/' | b'\\' => 31,
            _ => 0,
        };
        let key = b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-');
        kinds[byte] = code as u16
            | (if key { KEY } else { 0 })
            | (if matches!(b, b'.' | b':' | b'-') { POINT } else { 0 })
            | (if b == b'\n' { END } else { 0 });
        byte += 1;
    }
    kinds
};

/// The code of the bytes so far with one more.
fn next_code(code: usize, kind: u16) -> usize {
    (code << CODE_BITS | usize::from(kind & CODE)) % CODES
}

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

/// All words. A line is looked at byte by byte, and compared with words only where three bytes begin one: an automaton
/// of all words is half a megabyte, which no near memory of a processor holds.
pub(super) struct Gate {
    words: Vec<(Cow<'static, str>, Hint)>,
    /// [`KINDS`], with the last bytes of short words.
    kinds: [u16; 256],
    /// The codes with which a word begins, as a set.
    begins: [u64; CODES / 64],
    /// How many codes of the set are below each of its parts.
    ranks: [u16; CODES / 64],
    /// For each code of the set the place of its first word in `numbers`.
    firsts: Vec<usize>,
    /// These codes with the numbers of their words, in order.
    numbers: Vec<(usize, usize)>,
    /// The numbers and lengths of words that are shorter than a beginning.
    short: Vec<(usize, usize)>,
}

impl Gate {
    /// Takes the words, which count in any case.
    pub(super) fn new(words: Vec<(Cow<'static, str>, Hint)>) -> Self {
        let (mut kinds, mut begins) = (KINDS, [0_u64; CODES / 64]);
        let (mut numbers, mut short) = (Vec::new(), Vec::new());
        for (number, (word, _)) in words.iter().enumerate() {
            match (word.as_bytes().get(..BEGINNING), word.bytes().last()) {
                (Some(beginning), _) => {
                    let code = beginning.iter().fold(0, |code, b| next_code(code, KINDS[usize::from(*b)]));
                    begins[code / 64] |= 1 << (code % 64);
                    numbers.push((code, number));
                }
                (None, Some(last)) => {
                    kinds[usize::from(last.to_ascii_lowercase())] |= SHORT;
                    kinds[usize::from(last.to_ascii_uppercase())] |= SHORT;
                    short.push((number, word.len()));
                }
                (None, None) => {}
            }
        }
        numbers.sort_unstable();
        let mut firsts: Vec<usize> = Vec::new();
        for (place, (code, _)) in numbers.iter().enumerate() {
            let last = firsts.last().and_then(|first| numbers.get(*first));
            if last.is_none_or(|(other, _)| other != code) {
                firsts.push(place);
            }
        }
        let (mut ranks, mut below) = ([0; CODES / 64], 0);
        for (rank, part) in ranks.iter_mut().zip(&begins) {
            *rank = below;
            below += part.count_ones() as u16;
        }
        Self { words, kinds, begins, ranks, firsts, numbers, short }
    }

    /// Looks at the line that begins at `from`, writes what it finds, and gives the place of its line feed or the end.
    pub(super) fn line(&self, text: &[u8], from: usize, found: &mut Found) -> usize {
        found.hits.clear();
        (found.hints, found.addresses, found.long) = (0, 0, false);
        let (mut code, mut run) = (0, 0_usize);
        let mut bytes = text.get(from..).unwrap_or_default().iter();
        // Every byte of every log comes here, and little code is made for each: what most bytes are not is asked at once.
        while let Some(byte) = bytes.next() {
            let kind = self.kinds[usize::from(*byte)];
            // Without a branch: nearly every second one would be guessed wrong.
            run = (run + 1) & usize::from((kind / KEY) & 1).wrapping_neg();
            if run == LONG {
                found.long = true;
            }
            code = next_code(code, kind);
            let begins = self.begins[code / 64] >> (code % 64) & 1 != 0;
            if begins || kind & (END | POINT | SHORT) != 0 {
                let at = text.len() - bytes.len() - 1;
                if kind & END != 0 {
                    return at;
                }
                if kind & POINT != 0 {
                    found.addresses |= address(text, at, *byte);
                }
                if kind & SHORT != 0 {
                    self.short(text, from, at + 1, found);
                }
                if begins {
                    self.note(text, from, at + 1, code, found);
                }
            }
        }
        text.len()
    }

    /// Notes the words whose beginnings have this code and end here.
    #[inline(never)]
    fn note(&self, text: &[u8], line: usize, end: usize, code: usize, found: &mut Found) {
        let before = self.begins[code / 64] & ((1 << (code % 64)) - 1);
        let first = usize::from(self.ranks[code / 64]) + before.count_ones() as usize;
        let first = self.firsts.get(first).copied().unwrap_or_default();
        let alike =
            self.numbers.get(first..).unwrap_or_default().iter().take_while(|(other, _)| *other == code);
        for (_, number) in alike {
            self.compare(text, line, end.checked_sub(BEGINNING), *number, found);
        }
    }

    /// Notes the short words that end here.
    #[inline(never)]
    fn short(&self, text: &[u8], line: usize, end: usize, found: &mut Found) {
        for (number, length) in &self.short {
            self.compare(text, line, end.checked_sub(*length), *number, found);
        }
    }

    /// Notes a word when it stands at `start`, in the line that begins at `line`.
    fn compare(&self, text: &[u8], line: usize, start: Option<usize>, number: usize, found: &mut Found) {
        let (Some(start), Some((word, hint))) =
            (start.filter(|start| *start >= line), self.words.get(number))
        else {
            return;
        };
        // Most places that a code leads to differ here.
        if !is(text, Some(start), |first| {
            word.as_bytes().first().is_some_and(|b| b.eq_ignore_ascii_case(first))
        }) {
            return;
        }
        let end = start + word.len();
        if text.get(start..end).is_some_and(|there| there.eq_ignore_ascii_case(word.as_bytes())) {
            let hit = Hit { start: start - line, end: end - line, hint: *hint };
            // In the order in which they end; of those that end together the longest first.
            let after = found.hits.iter().rposition(|other| (other.end, other.start) <= (hit.end, hit.start));
            found.hits.insert(after.map_or(0, |other| other + 1), hit);
            found.hints |= hint.bit();
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

    fn gate(words: &[(&'static str, Hint)]) -> Gate {
        Gate::new(words.iter().map(|(word, hint)| (Cow::Borrowed(*word), *hint)).collect())
    }

    fn check(line: &str, addresses: u8, long: bool, words: usize) {
        let gate = gate(&[("password", Hint::Field), ("pass", Hint::Field), ("@", Hint::At)]);
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
    fn words_of_any_length_are_found_in_the_order_of_their_ends() {
        let gate = gate(&[("pw", Hint::Field), ("w=sid", Hint::User), ("sid", Hint::Field), ("=", Hint::At)]);
        let mut found = Found::default();
        // What stands in the line before begins no word in this one.
        gate.line(b"p\nW=w=SID si\nd pw", 2, &mut found);
        let places: Vec<_> = found.hits.iter().map(|hit| (hit.start, hit.end, hit.hint)).collect();
        assert_eq!(places, [(1, 2, Hint::At), (3, 4, Hint::At), (2, 7, Hint::User), (4, 7, Hint::Field)]);
        gate.line(b"apW", 0, &mut found);
        assert_eq!((found.hits[0].start, found.hits[0].end, found.hits.len()), (1, 3, 1));
    }

    #[test]
    fn hits_stand_in_the_line() {
        let gate = gate(&[("password", Hint::Field), ("@", Hint::At)]);
        let mut found = Found::default();
        gate.line(b"a@b\npassword", 4, &mut found);
        assert_eq!((found.hits[0].start, found.hits[0].end, found.hints), (0, 8, Hint::Field.bit()));
    }
}
