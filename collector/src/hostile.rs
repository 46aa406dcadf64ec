//! For tests of parsers: input that was cut, and input that was damaged.
//!
//! [`cut`] shows that a parser never says something else because the end is missing: what it saw in the cut text is
//! what it saw in the whole one, or it was not seen. A list may be shorter, and an optional value may be missing.
//! [`mutate`] shows that no damage makes it panic. The seed is `ASSAY_SEED`, with a fixed default.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr)]

use serde::Serialize;
use serde_json::Value;

/// Cuts per input.
const CUTS: usize = 20;
/// Used when `ASSAY_SEED` is not set.
const DEFAULT_SEED: u64 = 0x5eed_a55a;

/// Parses `whole` and [`CUTS`] of its beginnings, and compares what was seen.
pub(crate) fn cut<T: Serialize>(whole: &[u8], parse: impl Fn(&[u8]) -> T) {
    let full = json(&parse(whole));
    for step in 0..CUTS {
        let end = whole.len() * step / CUTS;
        let part = json(&parse(&whole[..end]));
        if let Err(place) = honest(&part, &full, "") {
            panic!("cut after {end} of {} bytes: {place}\n{part}", whole.len());
        }
    }
}

/// Parses `times` damaged forms of `whole` and hands each result to `check`, which asserts the documented ranges.
pub(crate) fn mutate<T>(whole: &[u8], times: usize, parse: impl Fn(&[u8]) -> T, check: impl Fn(&T)) {
    let seed = std::env::var("ASSAY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(DEFAULT_SEED);
    let mut random = Random(seed | 1);
    for round in 0..times {
        let damaged = damage(whole, &mut random);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&parse(&damaged))));
        if let Err(panic) = outcome {
            eprintln!("replay: ASSAY_SEED={seed} (round {round}): {:?}", String::from_utf8_lossy(&damaged));
            std::panic::resume_unwind(panic);
        }
    }
}

/// Whether everything that `part` saw stands in `full` too; else the first place that does not.
fn honest(part: &Value, full: &Value, place: &str) -> Result<(), String> {
    match (part, full) {
        // What a plain field holds before anything is read.
        (Value::Null | Value::Bool(false), _) => Ok(()),
        (Value::String(word), _) if word.is_empty() => Ok(()),
        (Value::String(word), _) if word == "absent" || word == "not_collected" => Ok(()),
        (Value::Object(part), _) if part.len() == 1 && part.contains_key("unreadable") => Ok(()),
        (Value::Object(part), Value::Object(full)) => part.iter().try_for_each(|(key, value)| {
            let other = full.get(key).ok_or_else(|| format!("{place}.{key} is not there in the whole"))?;
            honest(value, other, &format!("{place}.{key}"))
        }),
        (Value::Array(part), Value::Array(full)) if part.len() <= full.len() => part
            .iter()
            .zip(full)
            .enumerate()
            .try_for_each(|(index, (part, full))| honest(part, full, &format!("{place}[{index}]"))),
        (part, full) if part == full => Ok(()),
        (part, full) => Err(format!("{place}: {part} instead of {full}")),
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("plain data")
}

/// One to four damages: a byte changed, a piece removed, a piece doubled, a number made absurd.
fn damage(whole: &[u8], random: &mut Random) -> Vec<u8> {
    const ABSURD: [&[u8]; 8] =
        [b"-1", b"65535", b"4294967295", b"18446744073709551616", b"NaN", b"--", b"\xff\xfe", b"3892314"];
    let mut bytes = whole.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len().max(1));
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(4) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).unwrap_or_default(),
            1 => drop(bytes.drain(at.min(end)..end)),
            2 => {
                let piece = bytes[at.min(end)..end].to_vec();
                bytes.splice(at.min(bytes.len())..at.min(bytes.len()), piece);
            }
            _ => {
                let digits = bytes.iter().skip(at).position(u8::is_ascii_digit).map(|more| at + more);
                if let Some(start) = digits {
                    let end = start + bytes[start..].iter().take_while(|b| b.is_ascii_digit()).count();
                    bytes.splice(start..end, ABSURD[random.below(ABSURD.len())].iter().copied());
                }
            }
        }
    }
    bytes
}

/// xorshift64*: enough for damage, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap_or_default() % bound.max(1)
    }
}

#[test]
fn a_cut_number_is_noticed() {
    let full = serde_json::json!({"a": {"seen": {"value": 2400, "from": "x"}}, "b": [1, 2]});
    for (part, passes) in [
        (serde_json::json!({"a": {"seen": {"value": 24, "from": "x"}}}), false),
        (serde_json::json!({"a": {"seen": {"value": 2400, "from": "x"}}, "b": [1]}), true),
        (serde_json::json!({"a": {"unreadable": {"why": "cut"}}, "b": []}), true),
        (serde_json::json!({"a": "absent", "b": [2]}), false),
        (serde_json::json!({"c": 1}), false),
    ] {
        assert_eq!(honest(&part, &full, "").is_ok(), passes, "{part}");
    }
}
