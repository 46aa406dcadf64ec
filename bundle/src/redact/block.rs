//! Private keys that run over several lines, whole or cut: what was begun and not ended goes to the end of the text.

use std::borrow::Cow;

use super::line::{Tally, mark};

const KIND: &str = "private-key";
/// Words of a line that begins or ends a private key: PEM, OpenSSH, PGP, SSH2.
const NAME: &str = "PRIVATE KEY";
/// PuTTY's format has no END.
const PUTTY: &str = "PuTTY-User-Key-File-";

/// Replaces every private key by one mark.
pub(super) fn private_keys<'t>(text: &'t str, tally: &mut Tally) -> Cow<'t, str> {
    if !text.contains(NAME) && !text.contains(PUTTY) {
        return Cow::Borrowed(text);
    }
    // PuTTY's format goes to the end of the text, whatever follows.
    let putty = text.find(PUTTY);
    let mut rest = text.get(..putty.unwrap_or(text.len())).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let mut count = u64::from(putty.is_some());
    while let Some((start, end)) = pem(rest) {
        out.push_str(rest.get(..start).unwrap_or_default());
        out.push_str(&mark(KIND));
        rest = rest.get(end..).unwrap_or_default();
        count += 1;
    }
    if count == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    if putty.is_some() {
        out.push_str(&mark(KIND));
    }
    tally.add(KIND, count);
    Cow::Owned(out)
}

fn pem(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find(NAME) {
        let name = from + found;
        let after = name + NAME.len();
        match fence(text, name) {
            Some((start, true)) => return Some((start, ended(text, after).unwrap_or(text.len()))),
            // An END whose BEGIN was lost, as in a log that wrapped around: its body stands before it.
            Some((start, false)) => return Some((body_before(text, start), close(text, after))),
            None => from = after,
        }
    }
    None
}

/// Where the fence line around `name` begins, and whether it is a BEGIN.
fn fence(text: &str, name: usize) -> Option<(usize, bool)> {
    // `-----BEGIN ` and the words before the name: none is longer than `OPENSSH ` or `SSH2 ENCRYPTED `.
    const LONGEST: usize = 48;
    let mut low = name.saturating_sub(LONGEST);
    while !text.is_char_boundary(low) {
        low += 1;
    }
    let head = text.get(low..name)?;
    let (at, begin) = match (head.rfind("BEGIN "), head.rfind("END ")) {
        (Some(b), Some(e)) if e > b => (e, false),
        (Some(b), _) => (b, true),
        (None, Some(e)) => (e, false),
        (None, None) => return None,
    };
    let dashes = head.get(..at)?;
    let words_only =
        head.get(at..)?.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ');
    let start = dashes.trim_end_matches([' ', '-']).len();
    (words_only && dashes.len() - start >= 4).then_some((low + start + leading_spaces(dashes, start), begin))
}

fn leading_spaces(dashes: &str, start: usize) -> usize {
    let tail = dashes.get(start..).unwrap_or_default();
    tail.len() - tail.trim_start_matches(' ').len()
}

/// The end of the END line that follows.
fn ended(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = text.get(at..)?.find(NAME) {
        let name = at + found;
        let after = name + NAME.len();
        if let Some((_, false)) = fence(text, name) {
            return Some(close(text, after));
        }
        at = after;
    }
    None
}

/// Past ` BLOCK` and the closing dashes.
fn close(text: &str, after: usize) -> usize {
    let tail = text.get(after..).unwrap_or_default();
    let tail = tail.strip_prefix(" BLOCK").unwrap_or(tail);
    let tail = tail.strip_prefix(' ').unwrap_or(tail);
    text.len() - tail.trim_start_matches('-').len()
}

/// Where the lines of base64 before `end` begin.
fn body_before(text: &str, end: usize) -> usize {
    /// Shorter last words of a line are taken for text; only the last line of a key is short.
    const SHORTEST: usize = 16;
    let mut lines = text.get(..end).unwrap_or_default().split_inclusive('\n').rev().peekable();
    // What stands before the fence on its own line is a log's header.
    let own = lines.next_if(|line| !line.ends_with('\n')).map_or(0, str::len);
    let (mut start, mut first) = (end - own, true);
    for line in lines {
        let last_word = line.trim_end().rsplit([' ', ';', '\t']).next().unwrap_or_default();
        let base64 = last_word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
        if !base64 || last_word.is_empty() || (last_word.len() < SHORTEST && !first) {
            break;
        }
        start -= line.len();
        first = false;
    }
    if first { end } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut tally = Tally::default();
        let once = private_keys(text, &mut tally).into_owned();
        assert_eq!(once, expected);
        assert_eq!(private_keys(&once, &mut tally), once);
    }

    #[test]
    fn keys_go_whole() {
        check(
            "a\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\nAAAA\n-----END OPENSSH PRIVATE KEY-----\nb\n",
            "a\n[redacted:private-key]\nb\n",
        );
        check(
            "x: -----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n y",
            "x: [redacted:private-key]\\n y",
        );
        check(
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\nq\n-----END PGP PRIVATE KEY BLOCK-----",
            "[redacted:private-key]",
        );
        check(
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nq\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
            "[redacted:private-key]",
        );
    }

    #[test]
    fn what_is_cut_goes_to_the_end() {
        check("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nmore\n", "a\n[redacted:private-key]");
        check("a\nPuTTY-User-Key-File-2: ssh-rsa\nMIIE\n", "a\n[redacted:private-key]");
        check(
            "kernel: fine\nMIIEowIBAAKCAQEA3Tz2mr7SZiAMfQyu\nAAAA==\n-----END RSA PRIVATE KEY-----\nb",
            "kernel: fine\n[redacted:private-key]\nb",
        );
    }

    #[test]
    fn words_about_keys_stay() {
        check(
            "NO PRIVATE KEY found\n-----BEGIN CERTIFICATE-----\nMIIE\n",
            "NO PRIVATE KEY found\n-----BEGIN CERTIFICATE-----\nMIIE\n",
        );
    }
}
