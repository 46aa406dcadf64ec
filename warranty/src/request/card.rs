//! Finds a payment-card number in any typed text, so that it is refused before it is stored.
//!
//! A card is authorised on the vendor's own form (service terms A2); a number in a request would be a secret in every
//! copy of it. A digit run is a card number when all three hold: 13 to 19 digits (single blanks, dashes or dots
//! between them), a prefix and length that card issuers use, and the Luhn check digit. Any one alone also fits serial
//! numbers, capacities in bytes and telephone numbers. Not looked at: runs glued to one to three letters (serial
//! numbers begin so) and telephone numbers (`+`, at most 15 digits). The number is never repeated in a message.

/// Fewest and most digits of a card number (ISO/IEC 7812-1 allows 19; the shortest in use has 13).
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// Longest telephone number in digits (ITU-T E.164).
const PHONE_DIGITS: usize = 15;
/// Letters before a run that make it a serial number and not a word before a card number. Judgement: serial numbers
/// begin with a letter or a maker's two or three.
const SERIAL_LETTERS: usize = 3;

/// Prefixes (first, last, as numbers of equal length) and the lengths that go with them. Source: the issuers' public
/// ranges of issuer identification numbers.
const ISSUERS: &[(u32, u32, std::ops::RangeInclusive<usize>)] = &[
    (4, 4, 13..=19),
    (51, 55, 16..=16),
    (2_221, 2_720, 16..=16),
    (34, 34, 15..=15),
    (37, 37, 15..=15),
    (6_011, 6_011, 16..=19),
    (644, 649, 16..=19),
    (65, 65, 16..=19),
    (300, 305, 14..=19),
    (36, 36, 14..=19),
    (38, 39, 14..=19),
    (3_528, 3_589, 16..=19),
    (62, 62, 16..=19),
    (50, 50, 13..=19),
    (56, 58, 13..=19),
];

/// Whether a payment-card number stands in the text.
pub(super) fn found(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    runs(&chars).iter().any(|run| run.holds_a_card(&chars))
}

/// Digit groups with single separators between them.
#[derive(Default)]
struct Run {
    /// Where the first digit stands.
    start: usize,
    /// Digits, group by group.
    groups: Vec<Vec<u32>>,
}

impl Run {
    fn holds_a_card(&self, chars: &[char]) -> bool {
        let before: Vec<char> = chars.get(..self.start).unwrap_or_default().iter().rev().copied().collect();
        let digits: usize = self.groups.iter().map(Vec::len).sum();
        let letters = before.iter().take_while(|c| c.is_alphabetic()).count();
        if before.first() == Some(&'+') && digits <= PHONE_DIGITS {
            return false;
        }
        let first = usize::from((1..=SERIAL_LETTERS).contains(&letters));
        // Whatever stands before or after, in groups of its own, is no part of the number.
        (first..self.groups.len()).any(|from| {
            let mut number = Vec::new();
            self.groups.iter().skip(from).any(|group| {
                number.extend_from_slice(group);
                is_card(&number)
            })
        })
    }
}

fn runs(chars: &[char]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut last_digit = None;
    for (at, c) in chars.iter().enumerate() {
        let Some(digit) = digit(*c) else { continue };
        let gap = last_digit.map(|last: usize| at.saturating_sub(last));
        last_digit = Some(at);
        let separator = at.checked_sub(1).and_then(|i| chars.get(i)).copied().unwrap_or_default();
        match (gap, runs.last_mut()) {
            (Some(1), Some(run)) => {
                if let Some(group) = run.groups.last_mut() {
                    group.push(digit);
                }
            }
            (Some(2), Some(run)) if is_separator(separator) => run.groups.push(vec![digit]),
            _ => runs.push(Run { start: at, groups: vec![vec![digit]] }),
        }
    }
    runs
}

/// ASCII and full-width digits: both are read as digits by a person.
fn digit(c: char) -> Option<u32> {
    match c {
        '\u{ff10}'..='\u{ff19}' => u32::from(c).checked_sub(0xff10),
        _ => c.to_digit(10),
    }
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '.' | '_' | '/' | '\u{2010}'..='\u{2015}' | '\u{200b}')
}

fn is_card(digits: &[u32]) -> bool {
    DIGITS.contains(&digits.len()) && is_issued(digits) && luhn(digits)
}

fn is_issued(digits: &[u32]) -> bool {
    ISSUERS.iter().any(|(first, last, lengths)| {
        let width = usize::try_from(first.ilog10()).unwrap_or_default().saturating_add(1);
        let prefix =
            digits.iter().take(width).fold(0_u32, |sum, d| sum.saturating_mul(10).saturating_add(*d));
        lengths.contains(&digits.len()) && (*first..=*last).contains(&prefix)
    })
}

/// ISO/IEC 7812-1 annex B: every second digit from the right counts double, its digits added.
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match (index % 2, digit * 2) {
            (0, _) => *digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a2_card_numbers_are_found_however_they_are_grouped() {
        // Test numbers that the issuers publish for this purpose.
        for text in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "my card is 4111-1111-1111-1111, exp 12/29",
            "4111.1111.1111.1111",
            "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
            "order 12 4111 1111 1111 1111",
            "4111\u{a0}1111\u{a0}1111\u{a0}1111",
            "４１１１１１１１１１１１１１１１",
            "4222222222222",
            "visa4111111111111111",
            "card:5555555555554444",
            "2223003122003222",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "30569309025904",
            "3530111333300000",
            "6200000000000005",
            "+4111111111111111",
        ] {
            assert!(found(text), "{text}");
        }
    }

    #[test]
    fn a2_serial_telephone_and_other_numbers_are_no_cards() {
        for text in [
            "",
            // One digit changed: the check digit fails.
            "4111111111111112",
            // Luhn holds, nobody issues 1…, 7… or 9….
            "1111111111111117",
            "7992739871300005",
            "Q165B04307",
            "Q4111111111111111",
            "WD-WCC7K4111111",
            "Z2R4111111111111111",
            "+14155552671",
            "+4915112345678",
            "0049 151 1234 5678",
            "(415) 555-2671, (415) 555-2672",
            "capacity 4000787030016 bytes",
            "capacity 6001175126016 bytes, 4000225165312, 4000752599040",
            "2026-11-22 14:00:00 and 2026-11-23 09:30:00",
            "41111111111111111111",
            "sector 411111111111",
        ] {
            assert!(!found(text), "{text}");
        }
    }
}
