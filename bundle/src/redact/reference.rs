//! The slow path, kept to hold the fast one to it: line by line, every word looked for by itself, and every rule for
//! addresses, names and random values asked about every line. Only tests are built from it.

use super::block;
use super::gate::{Found, IPV4, IPV6, MAC_COLON, MAC_DASH};
use super::learned::Learned;
use super::line::{Cleaner, Context, MOST_PASSES, Tally, mark};
use super::pseudonym::Pseudonyms;
use super::rules::{Hint, Hit, Rules, gate_words};
use super::serials::Serials;
use crate::facts::Facts;
use crate::observed::Observed;

/// What a gate would find that lets every rule look.
fn everything(line: &str) -> Found {
    let lower = line.to_ascii_lowercase();
    let mut places: Vec<(usize, usize, usize, Hint)> = Vec::new();
    for (number, (word, hint)) in gate_words().into_iter().enumerate() {
        let mut from = 0;
        while let Some(at) = lower[from..].find(word).map(|at| from + at) {
            places.push((at + word.len(), at, number, hint));
            // Every word begins with an ASCII character.
            from = at + 1;
        }
    }
    places.sort_by_key(|(end, start, number, _)| (*end, *start, *number));
    let hits: Vec<Hit> = places.into_iter().map(|(end, start, _, hint)| Hit { start, end, hint }).collect();
    let hints = hits.iter().fold(Hint::Learned.bit() | Hint::Serial.bit(), |bits, hit| bits | hit.hint.bit());
    Found { hits, hints, addresses: MAC_COLON | MAC_DASH | IPV4 | IPV6, long: true }
}

fn slow(cleaner: &Cleaner, text: &str, tally: &mut Tally) -> String {
    let text = block::private_keys(text, tally);
    let mut out = String::new();
    for piece in text.split_inclusive('\n') {
        let body = piece.strip_suffix('\n').unwrap_or(piece);
        let mut current = body.to_owned();
        let mut settled = false;
        for _ in 0..MOST_PASSES {
            match cleaner.pass(&current, &everything(&current), Context::default(), tally) {
                Some(next) => current = next,
                None => {
                    settled = true;
                    break;
                }
            }
        }
        if !settled {
            tally.add("line", 1);
            current = mark("line");
        }
        out.push_str(&current);
        out.push_str(&piece[body.len()..]);
    }
    out
}

fn cleaner() -> Cleaner {
    let mut cleaner = Cleaner {
        rules: Rules::compile().map_err(|(name, why)| format!("{name}: {why}")).unwrap(),
        pseudonyms: Pseudonyms::new(&[5; 32]),
        learned: Learned::default(),
        serials: Serials::default(),
        off: Default::default(),
    };
    let mut facts = Facts::default();
    facts.identity.serial = Observed::Seen { value: "Q123B45678".to_owned(), from: "x".to_owned() };
    cleaner.learned.add("bobs-keller", "host");
    cleaner.learned.add("carol", "user");
    cleaner.serials.learn(&cleaner.pseudonyms, &facts);
    cleaner.told();
    cleaner
}

/// Both ways over one text: the same text, the same counts, the same stand-ins.
fn check(cleaner: &Cleaner, text: &str, what: &str) {
    let (mut fast_tally, mut slow_tally) = (Tally::default(), Tally::default());
    let fast = cleaner.text(text, Context::default(), &mut fast_tally);
    let slow = slow(cleaner, text, &mut slow_tally);
    assert_eq!(fast, slow, "{what}");
    assert_eq!(fast_tally.counts, slow_tally.counts, "{what}");
    assert_eq!(fast_tally.stand_ins, slow_tally.stand_ins, "{what}");
}

/// `ASSAY_SEED`, or one fixed number; SplitMix64, as in the suite.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as usize % bound
    }
}

/// What stands between the words of the gate, and what is made of no word.
const PIECES: &[&str] = &[
    "=",
    ": ",
    " = ",
    "\"",
    "'",
    "\\\"",
    ", ",
    ";",
    " ",
    "\t",
    "<",
    ">",
    "/",
    "\\",
    ".",
    "-",
    "\n",
    "\n\n",
    "bob",
    "hunter2secret",
    "example.com",
    "10.1.2.3",
    "1.2.3.4.5",
    "192.168.1.255",
    "24:5e:be:12:34:56",
    "24-5E-BE-12-34-56",
    "50:01:4e:e2:b9:a4:b3:c1",
    "fd00:1234::5",
    "fe80::1",
    "2001:",
    "0000:03:00.0",
    "$6$salt$abcdefghijkl",
    "q7Zr0Vn2Tx9LbKc4Wm1P",
    "k=q7Zr0Vn2Tx9LbKc4Wm1P",
    "Bobs-Keller",
    "carol",
    "Q123B45678",
    "[redacted:password]",
    "host-7k3m9q2x",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "ä",
    "日本",
    "\u{fffd}",
    "ata3.00: cmd 60/08:00:08:57:0c/00:00:1d:00:00/40 tag 0",
    "sd 2:0:0:0: [sdc] hostbyte=DID_OK",
    "aa",
    "0",
    "12:34",
];

#[test]
fn random_texts_are_cleaned_alike_both_ways() {
    const TEXTS: usize = 1_500;
    let seed = std::env::var("ASSAY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_122);
    let (cleaner, words, mut random) = (cleaner(), gate_words(), Random(seed));
    for number in 0..TEXTS {
        let mut text = String::new();
        for _ in 0..random.below(14) {
            match random.below(8) {
                0..3 => text.push_str(words[random.below(words.len())].0),
                3 => {
                    for _ in 0..random.below(24) {
                        text.push(char::from(b"abcdef0123456789:.-"[random.below(19)]));
                    }
                }
                4 => text.push(char::from(b' ' + random.below(95) as u8)),
                _ => text.push_str(PIECES[random.below(PIECES.len())]),
            }
        }
        if random.below(4) == 0 {
            text = text.to_uppercase();
        }
        check(&cleaner, &text, &format!("ASSAY_SEED={seed}, text {number}: {text:?}"));
    }
}

/// Every line that any recorded device says, each once: two machines say most of theirs alike.
#[test]
fn every_line_of_every_device_is_cleaned_alike_both_ways() {
    let cleaner = cleaner();
    let mut seen = std::collections::HashSet::new();
    let mut folders =
        vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/devices"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // What we made of it is no input.
                if !path.ends_with("expected") {
                    folders.push(path);
                }
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            let new: Vec<&str> = text.split('\n').filter(|line| seen.insert((*line).to_owned())).collect();
            check(&cleaner, &new.join("\n"), &path.display().to_string());
        }
    }
    assert!(seen.len() > 3_000, "{}", seen.len());
}
