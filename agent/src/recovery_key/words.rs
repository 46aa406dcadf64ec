//! A 256-bit key as 24 words and back, by BIP-39 with its English list: 11 bits a word, the last 8 bits a checksum.
//!
//! Takes what people type: any case, any spacing, numbers before the words, and the first four letters for a word (the
//! list is made so that they suffice). Errors name the place. They repeat what was typed only when it can be no more
//! than one mistyped word: somebody may give the plain key by mistake.

use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

/// The list of the standard, 2048 words in alphabetical order; its origin is in THIRD_PARTY.md.
const LIST: &str = include_str!("english.txt");
/// Words of a key of 256 bits.
pub(crate) const COUNT: usize = 24;
/// Bits that one word carries.
const WORD_BITS: u32 = 11;
/// The longest word of the list has 8 letters; what is much longer is no mistyped word and is not repeated.
const MOST_LETTERS: usize = 12;
/// From this many letters on the beginning of a word stands for it.
const ENOUGH_LETTERS: usize = 4;
/// Most suggestions for a word that is not in the list.
const MOST_NEAR: usize = 3;
/// How the plain form of a key begins.
const PLAIN_KEY: &str = "age-secret-key-";

/// Why words are no key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WordsError {
    /// A word that the list does not have.
    #[error("word {position} is not in the list{}{}", quoted(.typed.as_deref()), suggested(.near))]
    Unknown {
        /// Its place, from 1.
        position: usize,
        /// What was typed, when it can be no more than one word.
        typed: Option<String>,
        /// Words of the list that it may be meant to be.
        near: Vec<&'static str>,
    },
    /// Too few or too many.
    #[error("these are {0} words, and the key has {COUNT}")]
    Count(usize),
    /// The checksum does not fit.
    #[error(
        "every word is in the list, but together they are no key: one is another word, or two changed places"
    )]
    Checksum,
    /// The other form of a key.
    #[error("this is the plain key (AGE-SECRET-KEY-…), not its words")]
    PlainKey,
}

fn quoted(typed: Option<&str>) -> String {
    typed.map(|typed| format!(" ({typed:?})")).unwrap_or_default()
}

fn suggested(near: &[&'static str]) -> String {
    match near {
        [] => String::new(),
        near => format!("; near it: {}", near.join(", ")),
    }
}

/// The words of a key, as places in the list.
pub(crate) struct Words(Zeroizing<Vec<u16>>);

impl Words {
    /// The words of 256 bits.
    pub(crate) fn of(key: &[u8; 32]) -> Self {
        let check = digest(&SHA256, key);
        let mut places = Zeroizing::new(Vec::with_capacity(COUNT));
        let (mut held, mut bits) = (0_u32, 0);
        for byte in key.iter().chain(check.as_ref().first()) {
            held = (held << 8 | u32::from(*byte)) & 0x7_ffff;
            bits += 8;
            if bits >= WORD_BITS {
                bits -= WORD_BITS;
                places.push((held >> bits & 0x7ff) as u16);
            }
        }
        Self(places)
    }

    /// The 256 bits; refuses a wrong count and a wrong checksum.
    pub(crate) fn key(&self) -> Result<Zeroizing<[u8; 32]>, WordsError> {
        if self.0.len() != COUNT {
            return Err(WordsError::Count(self.0.len()));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(COUNT * 11 / 8));
        let (mut held, mut bits) = (0_u32, 0);
        for place in self.0.iter() {
            held = (held << WORD_BITS | u32::from(*place)) & 0x7_ffff;
            bits += WORD_BITS;
            while bits >= 8 {
                bits -= 8;
                bytes.push((held >> bits & 0xff) as u8);
            }
        }
        let (key, check) = bytes.split_at_checked(32).ok_or(WordsError::Checksum)?;
        match (<[u8; 32]>::try_from(key), digest(&SHA256, key).as_ref().first() == check.first()) {
            (Ok(key), true) => Ok(Zeroizing::new(key)),
            _ => Err(WordsError::Checksum),
        }
    }

    /// No words yet.
    pub(crate) fn none() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(COUNT)))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Adds the words of a text; those before a wrong one stay.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), WordsError> {
        for typed in text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';')) {
            // A sheet numbers its words, and a person may copy the numbers.
            let typed = typed.trim_start_matches(|c: char| c.is_ascii_digit()).trim_matches(['.', ':', ')']);
            if typed.is_empty() {
                continue;
            }
            let place = find(typed).ok_or_else(|| self.unknown(typed))?;
            if self.0.len() == COUNT {
                return Err(WordsError::Count(COUNT + 1));
            }
            self.0.push(place);
        }
        Ok(())
    }

    fn unknown(&self, typed: &str) -> WordsError {
        let lower = Zeroizing::new(typed.to_ascii_lowercase());
        if lower.starts_with(PLAIN_KEY) {
            return WordsError::PlainKey;
        }
        let position = self.0.len() + 1;
        let one_word =
            typed.chars().count() <= MOST_LETTERS && typed.chars().all(|c| c.is_alphabetic() || c == '-');
        match one_word {
            true => WordsError::Unknown { position, typed: Some(typed.to_owned()), near: near(&lower) },
            false => WordsError::Unknown { position, typed: None, near: Vec::new() },
        }
    }

    /// The words in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().filter_map(|place| LIST.lines().nth(usize::from(*place)))
    }

    /// Whether a person who types `typed` means the word at `position` (from 1).
    pub(crate) fn is(&self, position: usize, typed: &str) -> bool {
        let place = position.checked_sub(1).and_then(|index| self.0.get(index));
        place.is_some() && find(typed.trim()).as_ref() == place
    }
}

/// The place of a word, or of the only word that begins so.
fn find(typed: &str) -> Option<u16> {
    let typed = Zeroizing::new(typed.to_ascii_lowercase());
    let place = |found: usize| u16::try_from(found).ok();
    if let Some(exact) = LIST.lines().position(|word| word == typed.as_str()) {
        return place(exact);
    }
    let mut starts = LIST.lines().enumerate().filter(|(_, word)| word.starts_with(typed.as_str()));
    match (typed.len() >= ENOUGH_LETTERS, starts.next(), starts.next()) {
        (true, Some((only, _)), None) => place(only),
        _ => None,
    }
}

/// The words that begin as typed, then those at most two changes of a letter away (one in a short word): fewest changes
/// first, then the longest common beginning.
fn near(typed: &str) -> Vec<&'static str> {
    let differing = |word: &str| word.bytes().zip(typed.bytes()).skip_while(|(a, b)| a == b).count();
    let most = if typed.len() <= ENOUGH_LETTERS { 1 } else { 2 };
    let begins = |word: &str| typed.len() > 1 && word.starts_with(typed);
    let mut found: Vec<(bool, usize, usize, &'static str)> = LIST
        .lines()
        .map(|word| (!begins(word), changes(word, typed), differing(word), word))
        .filter(|(other, changes, ..)| !other || *changes <= most)
        .collect();
    found.sort_unstable();
    found.into_iter().take(MOST_NEAR).map(|(.., word)| word).collect()
}

/// How many letters have to be added, removed or replaced (Levenshtein's distance).
fn changes(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let (mut diagonal, mut left) = (i, i + 1);
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let best = (diagonal + usize::from(x != y)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    /// The standard's own examples for 256 bits (its reference implementation's `vectors.json`).
    #[test]
    fn as_the_standard_says() {
        check([0; 32], &format!("{}art", "abandon ".repeat(23)));
        check([0xff; 32], &format!("{}vote", "zoo ".repeat(23)));
        check(
            [0x7f; 32],
            "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful \
             legal winner thank year wave sausage worth title",
        );
        check(
            [0x80; 32],
            "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic \
             avoid letter advice cage absurd amount doctor acoustic bless",
        );
        check(
            hex("68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c"),
            "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis \
             maple dilemma loan word shrug inflict delay length",
        );
        check(
            hex("9f6a2878b2520799a44ef18bc7df394e7061a224d2c33cd015b157d746869863"),
            "panda eyebrow bullet gorilla call smoke muffin taste mesh discover soft ostrich alcohol speed nation flash \
             devote level hobby quick inner drive ghost inside",
        );
        check(
            hex("066dca1a2bb7e8a1db2832148ce9933eea0f3ac9548d793112d9a95c9407efad"),
            "all hour make first leader extend hole alien behind guard gospel lava path output census museum junior mass \
             reopen famous sing advance salt reform",
        );
        check(
            hex("f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f"),
            "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol \
             group space point ten exist slush involve unfold",
        );
    }

    fn hex(text: &str) -> [u8; 32] {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).expect("hex");
        bytes.try_into().expect("32 bytes")
    }

    fn read(text: &str) -> Result<Zeroizing<[u8; 32]>, WordsError> {
        let mut words = Words::none();
        words.add(text)?;
        words.key()
    }

    fn check(key: [u8; 32], expected: &str) {
        let words: Vec<&str> = Words::of(&key).iter().collect();
        assert_eq!(words.join(" "), expected);
        assert_eq!(*read(expected).expect("a key"), key);
    }

    #[test]
    fn as_people_type_them() {
        let same = |text: &str| assert_eq!(*read(text).expect(text), [0; 32], "{text}");
        same(&format!("{}ART\n", "  Abandon\t".repeat(23)));
        same(&format!("{}art", "aban ".repeat(23)));
        same(&format!("{}art", "abando,".repeat(23)));
        let numbered: String =
            (1..=24).map(|n| format!("{n}. {}\n", if n < 24 { "abandon" } else { "art" })).collect();
        same(&numbered);
        same(&numbered.replace(". ", "."));
    }

    #[test]
    fn refusals_name_the_place() {
        let refused = |text: &str, expected: &str| {
            assert_eq!(read(text).expect_err("refused").to_string(), expected);
        };
        refused("abandon abandn", "word 2 is not in the list (\"abandn\"); near it: abandon");
        refused("Aba", "word 1 is not in the list (\"Aba\"); near it: abandon");
        refused("appel", "word 1 is not in the list (\"appel\"); near it: appear, apple, april");
        refused("abandon qqqqqqqq", "word 2 is not in the list (\"qqqqqqqq\")");
        refused("abo", "word 1 is not in the list (\"abo\"); near it: about, above");
        refused("", "these are 0 words, and the key has 24");
        refused("zoo zoo", "these are 2 words, and the key has 24");
        refused(&"zoo ".repeat(25), "these are 25 words, and the key has 24");
        let swapped = WordsError::Checksum.to_string();
        refused(&"zoo ".repeat(24), &swapped);
        refused(&format!("art {}", "abandon ".repeat(23)), &swapped);
        refused("AGE-SECRET-KEY-1QQQ", "this is the plain key (AGE-SECRET-KEY-…), not its words");
        refused("zoo 7f7f7f7f7f7f7f7f7f7f7f7f7f7fq", "word 2 is not in the list");
        refused("zoo abandonabandonabandon", "word 2 is not in the list");
    }

    #[test]
    fn four_letters_say_each_word() {
        assert_eq!(LIST.lines().count(), 2048);
        for (place, word) in LIST.lines().enumerate() {
            let first: String = word.chars().take(ENOUGH_LETTERS).collect();
            assert_eq!(find(&first), u16::try_from(place).ok(), "{word}");
        }
    }

    #[test]
    fn one_word_is_compared_as_typed() {
        let words = Words::of(&[0; 32]);
        for (position, typed, expected) in [
            (24, "art", true),
            (24, " Art\n", true),
            (24, "abandon", false),
            (1, "aban", true),
            (1, "aba", false),
            (1, "", false),
            (25, "art", false),
            (0, "art", false),
        ] {
            assert_eq!(words.is(position, typed), expected, "{position} {typed:?}");
        }
    }

    #[test]
    fn every_key_survives() {
        let mut key = [0_u8; 32];
        for round in 0..=255_u8 {
            for (index, byte) in key.iter_mut().enumerate() {
                *byte = byte.wrapping_mul(31).wrapping_add(round).wrapping_add(index as u8);
            }
            let words: Vec<&str> = Words::of(&key).iter().collect();
            assert_eq!(words.len(), COUNT);
            assert_eq!(*read(&words.join(" ")).expect("a key"), key);
        }
    }
}
