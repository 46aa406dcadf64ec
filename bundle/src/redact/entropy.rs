//! The last net: a value of `key=value` or `key: value` that looks drawn at random, whatever its field is called.
//!
//! Structured parsers and the rules for field names come first; this one knows nothing but the value. It asks for
//! capital letters, small ones and digits, mixed, without a word in between. So it refuses what identifies hardware
//! and must survive: serial numbers and models (capitals and digits), world wide names, UUIDs and digests (hexadecimal),
//! PCI and SAS addresses (colons), paths and links by id (words between separators).

use super::line::{Cleaner, Scan};
use super::value::is_name_byte;

/// Shorter values are names as often as keys: 20 characters of base64 hold 120 bits, a key of 96 bits has 16.
pub(super) const SHORTEST: usize = 20;
/// Longer runs are judged by their beginning.
const LONGEST: usize = 4096;
/// So many different characters has a random run of [`SHORTEST`] (62 symbols: 17 are expected, 13 is one in thousands).
const DISTINCT: usize = 13;
/// So many digits: a random run of 20 has three, base64 of a text may have one.
const DIGITS: usize = 1;
/// Longest run of small letters: words have longer ones, a random run of 20 has one of six in a hundred cases.
const LETTERS_IN_A_ROW: usize = 5;
/// So often a run of one class (capital, small, digit) ends and another begins, for each four characters: names in
/// camel case change at words, random runs at every second character.
const CHANGES_PER_FOUR: usize = 1;

/// Destroys every such value of a line.
pub(super) fn values(_: &Cleaner, scan: &mut Scan) {
    let bytes = scan.line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let end = scan.run_right(at, is_key_byte);
        if end == at {
            at += 1;
            continue;
        }
        let start = at;
        at = end;
        if end - start < SHORTEST {
            continue;
        }
        // `name=value` is one run when the name is of the same characters: the value is what follows the separator.
        let whole = scan.part(start, end);
        let value = match whole.trim_end_matches('=').find('=') {
            Some(separator) => start + separator + 1,
            None => start,
        };
        if end - value >= SHORTEST && is_value(scan, value) && is_random(scan.part(value, end)) {
            scan.destroy(value, end, "random");
        }
    }
}

/// Base64 in both alphabets.
fn is_key_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-')
}

/// Whether a name and a separator stand before it.
fn is_value(scan: &Scan, start: usize) -> bool {
    let head = scan.part(0, start).trim_end_matches([' ', '\t', '"', '\'', '\\']);
    let Some(name) = head.strip_suffix(['=', ':']) else { return false };
    let name = name.trim_end_matches([' ', '\t', '"', '\'', '\\', ']']);
    name.bytes().last().is_some_and(is_name_byte)
}

/// Whether a run was drawn rather than written.
fn is_random(run: &str) -> bool {
    let run = run.get(..run.len().min(LONGEST)).unwrap_or(run).trim_end_matches('=');
    if run.starts_with('/') || run.contains("//") {
        return false;
    }
    // Between separators stand words; a key in base64 has a `/` here and there, so its longest piece decides.
    let piece = run.split(['_', '-', '/', '=']).max_by_key(|piece| piece.len()).unwrap_or_default();
    // Base64 has a separator in 32 characters; words and paths have more than one in twenty.
    let separators = run.bytes().filter(|b| !b.is_ascii_alphanumeric()).count();
    let judged = if separators * 20 <= run.len() { run } else { piece };
    if judged.len() < SHORTEST {
        return false;
    }
    let count = |is: fn(&u8) -> bool| judged.bytes().filter(is).count();
    let mut seen = [false; 128];
    for byte in judged.bytes() {
        if let Some(slot) = seen.get_mut(usize::from(byte)) {
            *slot = true;
        }
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    let classes: Vec<u8> = judged.bytes().map(class).collect();
    let changes = classes.iter().zip(classes.iter().skip(1)).filter(|(a, b)| a != b).count();
    count(u8::is_ascii_uppercase) > 1
        && count(u8::is_ascii_lowercase) > 1
        && count(u8::is_ascii_digit) >= DIGITS
        && distinct >= DISTINCT
        && classes
            .chunk_by(|a, b| a == b)
            .filter(|run| run.first() == Some(&1))
            .all(|run| run.len() <= LETTERS_IN_A_ROW)
        && changes * 4 >= judged.len() * CHANGES_PER_FOUR
}

fn class(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(run: &str, expected: bool) {
        assert_eq!(is_random(run), expected, "{run}");
    }

    #[test]
    fn keys_are_drawn() {
        for run in [
            "q7Zr0Vn2Tx9LbKc4Wm1P",
            "dGhpcyBpcyBhIHNlY3JldCBrZXkgMTIz",
            "8f3Kd0sLqPz7Xv2NbM1cR5tY",
            "Zx81/kQp0vT9aBdLmN3rSq7Wb2+HjKpQ4sVtYxLcZdE=",
            "aB3_dE5fG7hJ9kL2mN4pQ6rS8t",
        ] {
            check(run, true);
        }
    }

    #[test]
    fn what_identifies_hardware_is_written() {
        for run in [
            "50014ee2b9a4b3c150014ee2b9a4b3c1",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "c0ffee12-3456-7890-abcd-ef0123456789",
            "Samsung_SSD_970_EVO_Plus_1TB_S4EWNX0R123456L",
            "nvme-Samsung_SSD_970_EVO_Plus_1TB_S4EWNX0R123456L",
            "ata-WDC_WD40EFRX-68N32N0_WD-WCC7K3PLANTED",
            "/dev/disk/by-id/wwn-0x50014ee2b9a4b3c1",
            "ST4000VN008-2DR166-ZDH1ABCDE",
            "QNAPQTSTurboStationKernelBuild",
            "CPU_SrcID#0",
            "ReallocatedSectorCountRawValue12",
            "00000000000000000000000000000000",
            "20250321T101500Z20250321T101500Z",
            "SSD/Intel/SSDSC2/SSDSC2BF240A5/6F87B7D5A5B2",
        ] {
            check(run, false);
        }
    }
}
