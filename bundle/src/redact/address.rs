//! MAC and IP addresses, told apart from what only looks like them: SAS addresses of eight octets, timestamps, PCI
//! addresses, task files, object identifiers, version numbers.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::gate;
use super::line::{Cleaner, Scan, is_word_byte};
use super::words::{self, VERSION_WORDS};

/// Proposes all addresses of a line.
pub(super) fn all(cleaner: &Cleaner, scan: &mut Scan) {
    type Rule = fn(&Cleaner, &mut Scan);
    const RULES: &[(u8, Rule)] = &[
        (gate::MAC_COLON, |cleaner, scan| macs(cleaner, scan, b':')),
        (gate::MAC_DASH, |cleaner, scan| macs(cleaner, scan, b'-')),
        (gate::IPV6, ipv6),
        (gate::IPV4, ipv4),
    ];
    for (kind, rule) in RULES {
        if scan.addresses & kind != 0 {
            rule(cleaner, scan);
        }
    }
}

/// Exactly six octets of two digits in a run; a run of eight is a SAS address and stays.
fn macs(cleaner: &Cleaner, scan: &mut Scan, separator: u8) {
    let in_run = |b: u8| is_word_byte(b) || b == b'_' || b == separator;
    let mut from = 0;
    while let Some(at) =
        scan.line.as_bytes().get(from..).and_then(|rest| rest.iter().position(|b| *b == separator))
    {
        let start = scan.run_left(from + at, in_run).max(from);
        let end = scan.run_right(from + at, in_run);
        run(cleaner, scan, start, end, separator);
        from = end.max(from + at + 1);
    }
}

/// Looks at the tokens of one run.
fn run(cleaner: &Cleaner, scan: &mut Scan, start: usize, end: usize, separator: u8) {
    /// `aa:bb:cc:dd:ee:ff` with its separators.
    const LENGTH: usize = 17;
    if end - start < LENGTH || scan.before(start) == Some(b'/') || scan.byte(end) == Some(b'/') {
        return;
    }
    let mut octets: Vec<(usize, u8)> = Vec::new();
    let mut groups: Vec<Vec<(usize, u8)>> = Vec::new();
    let mut at = start;
    for token in scan.part(start, end).split(char::from(separator)) {
        let octet = (token.len() == 2).then(|| u8::from_str_radix(token, 16).ok()).flatten();
        match octet.filter(|_| token.bytes().all(|b| b.is_ascii_hexdigit())) {
            Some(octet) => octets.push((at, octet)),
            None => groups.push(std::mem::take(&mut octets)),
        }
        at += token.len() + 1;
    }
    groups.push(octets);
    for group in groups {
        // The firewall's `MAC=` is two addresses and a protocol in one run.
        let firewall = group.len() == 14 && scan.part(0, start).ends_with("MAC=");
        let take = if firewall { 12 } else { group.len() };
        if take == 6 || firewall {
            for six in group.get(..take).unwrap_or_default().chunks(6) {
                mac(cleaner, scan, six, separator);
            }
        }
    }
}

fn mac(cleaner: &Cleaner, scan: &mut Scan, six: &[(usize, u8)], separator: u8) {
    let [(first, a), (_, b), (_, c), (fourth, d), (_, e), (last, f)] = *six else { return };
    let octets = [a, b, c, d, e, f];
    if impersonal(octets) || is_marked(scan.part(fourth, fourth + 2)) {
        return;
    }
    let head = scan.part(first, fourth);
    let upper = head.bytes().any(|b| b.is_ascii_uppercase());
    let tail = cleaner.pseudonyms.mac_tail(octets);
    let tail = shape(&tail, upper, &char::from(separator).to_string());
    scan.replace(fourth, last + 2, "mac", tail);
}

/// The tail in the case of the head; its first octet carries the mark and keeps its mixture.
fn shape([mark, e, f]: &[String; 3], upper: bool, separator: &str) -> String {
    let cased = |s: &String| if upper { s.to_ascii_uppercase() } else { s.clone() };
    [mark.clone(), cased(e), cased(f)].join(separator)
}

/// Addresses of nobody: none, broadcast, IPv4 and IPv6 multicast, spanning tree.
fn impersonal(octets: [u8; 6]) -> bool {
    octets == [0; 6]
        || octets == [0xff; 6]
        || octets.starts_with(&[0x01, 0x00, 0x5e])
        || octets.starts_with(&[0x33, 0x33])
        || octets.starts_with(&[0x01, 0x80, 0xc2])
}

/// A small and a capital letter: ours.
fn is_marked(octet: &str) -> bool {
    matches!(octet.as_bytes(), [b'a'..=b'f', b'A'..=b'F'])
}

impl Cleaner {
    /// A MAC address that is a value by itself, also without separators.
    pub(super) fn bare_mac(&self, text: &str) -> Option<String> {
        if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut octets = [0; 6];
        for (octet, at) in octets.iter_mut().zip((0..12).step_by(2)) {
            *octet = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
        }
        if impersonal(octets) || is_marked(text.get(6..8)?) {
            return None;
        }
        let head = text.get(..6)?;
        let upper = head.bytes().any(|b| b.is_ascii_uppercase());
        Some(format!("{head}{}", shape(&self.pseudonyms.mac_tail(octets), upper, "")))
    }
}

fn ipv4(cleaner: &Cleaner, scan: &mut Scan) {
    let bytes = scan.line.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'.')) {
        let dot = at + found;
        let start = scan.run_left(dot, |b| b.is_ascii_digit() || b == b'.').max(at);
        let end = scan.run_right(dot, |b| b.is_ascii_digit() || b == b'.');
        at = end.max(dot + 1);
        let text = scan.part(start, end).trim_end_matches('.');
        let end = start + text.len();
        let Ok(address) = text.parse::<Ipv4Addr>() else { continue };
        let attached = scan.before(start).is_some_and(|b| is_word_byte(b) || b == b'_')
            || scan.byte(end).is_some_and(|b| is_word_byte(b) || b == b'_');
        if attached || is_version(scan, (start, end), address) {
            continue;
        }
        if let Some(with) = cleaner.pseudonyms.ipv4(address) {
            scan.replace(start, end, "ipv4", with.to_string());
        }
    }
}

/// Whether a dotted quad is a version number: the file says so, or the word before it, or the name it hangs on
/// (`linux-5.10.60.1`, `1.24.0.212-d7da3a9`). The ranges that every home uses are addresses all the same.
fn is_version(scan: &Scan, (start, end): (usize, usize), address: Ipv4Addr) -> bool {
    if scan.context.version {
        return true;
    }
    let [a, b, ..] = address.octets();
    if (a, b) == (192, 168) || (a == 172 && (16..32).contains(&b)) {
        return false;
    }
    if scan.byte(end) == Some(b'-') && a != 10 && scan.byte(end + 1).is_some_and(|b| b.is_ascii_alphabetic())
    {
        return true;
    }
    if scan.before(start) == Some(b'-') {
        let name = scan.run_left(start - 1, |b| b.is_ascii_alphabetic());
        return name < start - 1 && a != 10;
    }
    let gap =
        scan.run_left(start, |b| matches!(b, b' ' | b'\t' | b':' | b'=' | b'(' | b'"' | b'\'' | b'[' | b'>'));
    let word = scan.run_left(gap, |b| b.is_ascii_alphanumeric());
    let word = scan.part(word, gap);
    words::has_any_case(VERSION_WORDS, word)
}

fn ipv6(cleaner: &Cleaner, scan: &mut Scan) {
    let bytes = scan.line.as_bytes();
    let in_run = |b: u8| b.is_ascii_hexdigit() || b == b':';
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == b':')) {
        let colon = at + found;
        let start = scan.run_left(colon, in_run).max(at);
        let end = scan.run_right(colon, in_run);
        at = end.max(colon + 1);
        let whole = scan.part(start, end);
        // `addr:fd00::1` and `fd00::1:` have one colon too many at their ends.
        for candidate in [whole, whole.trim_end_matches(':'), whole.trim_start_matches(':')] {
            let from = start + whole.find(candidate).unwrap_or_default();
            let to = from + candidate.len();
            let first = candidate.split(':').next().unwrap_or_default();
            let attached = scan.before(from).is_some_and(|b| is_word_byte(b) || b == b'_' || b == b'.')
                || scan.byte(to).is_some_and(|b| is_word_byte(b) || b == b'_');
            let Ok(address) = candidate.parse::<Ipv6Addr>() else { continue };
            if first.len() == 4
                && !attached
                && let Some(with) = cleaner.pseudonyms.ipv6(address)
            {
                scan.replace(from, to, "ipv6", with.to_string());
            }
            break;
        }
    }
}
