//! Secrets: by the name of their field, by their own shape, inside addresses, and after the word in prose.

use super::field::{self, Field};
use super::line::{Cleaner, Scan, is_mark};
use super::pseudonym::is_word;
use super::rules::Hint;
use super::value::{Style, Value, is_name_byte};
use super::words::{self, PROSE};

/// Of a longer name only the end is looked at.
const LONGEST_NAME: usize = 96;

/// How far into a URL a user name and password are looked for.
const LONGEST_URL: usize = 1024;

/// Secrets that show by their own shape: tokens, hashes, keys.
pub(super) fn tokens(cleaner: &Cleaner, scan: &mut Scan) {
    for (kind, shape) in &cleaner.rules.tokens {
        for found in shape.find_iter(scan.line.as_bytes()) {
            scan.destroy(found.start(), found.end(), kind);
        }
    }
}

/// `Bearer x` without a header before it.
pub(super) fn bearers(_: &Cleaner, scan: &mut Scan) {
    /// A shorter word after "bearer" is prose.
    const SHORTEST: usize = 8;
    for hit in hits(scan, Hint::Bearer) {
        let end = scan.run_right(hit.1, |b| b.is_ascii_alphanumeric() || b"._~+/=-".contains(&b));
        let word = scan.part(hit.1, end);
        if word.len() >= SHORTEST && word.bytes().any(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
            scan.destroy(hit.1, end, "token");
        }
    }
}

/// `scheme://user:password@host`.
pub(super) fn urls(cleaner: &Cleaner, scan: &mut Scan) {
    for (_, after) in hits(scan, Hint::Url) {
        let inside = |b: u8| !matches!(b, b' ' | b'\t' | b'"' | b'\'' | b'<' | b'>' | b'\\' | b'\r');
        let limit = scan.boundary(after + LONGEST_URL);
        let end = after + scan.part(after, limit).bytes().take_while(|b| inside(*b)).count();
        let whole = scan.part(after, end);
        let authority = whole.find(['/', '?', '#']).map_or(whole, |at| whole.get(..at).unwrap_or(whole));
        // A password may hold a slash: then the part up to it looks like `user:word` with a port that is none.
        let info = match authority.rfind('@') {
            // With a password the last `@` counts: it may hold an `@` and a slash.
            Some(at) if !authority.get(..at).is_some_and(|info| info.contains(':')) => at,
            Some(at) => whole.rfind('@').unwrap_or(at),
            None => match (authority.split_once(':'), whole.rfind('@')) {
                (Some((_, port)), Some(at))
                    if !port.is_empty() && !port.bytes().all(|b| b.is_ascii_digit()) =>
                {
                    at
                }
                _ => continue,
            },
        };
        let Some((user, _)) = whole.get(..info).and_then(|i| i.split_once(':')) else {
            let lone = whole.get(..info).unwrap_or_default();
            let web = scan.part(after.saturating_sub(8), after).contains("http");
            if web && !is_mark(lone) && !is_word(lone) {
                scan.destroy(after, after + info, "url-password");
            } else if !is_mark(lone) {
                let with = cleaner.user(lone);
                scan.replace(after, after + info, "user", with);
            }
            continue;
        };
        let (user_end, secret) = (after + user.len(), scan.part(after + user.len() + 1, after + info));
        if !secret.is_empty() && !is_mark(secret) {
            scan.destroy(user_end + 1, after + info, "url-password");
        }
        let with = cleaner.user(scan.part(after, user_end));
        scan.replace(after, user_end, "user", with);
    }
}

/// Values of fields whose name says what they hold.
pub(super) fn fields(cleaner: &Cleaner, scan: &mut Scan) {
    let mut seen = (0, 0);
    // What is destroyed already needs no second look; without this a line of nothing but fields takes for ever.
    for (hit_start, hit_end) in hits(scan, Hint::Field) {
        if hit_start < scan.reached || (hit_start >= seen.0 && hit_end <= seen.1) {
            continue;
        }
        let start = scan.run_left(hit_start, is_name_byte);
        let end = scan.run_right(hit_end, is_name_byte);
        seen = (start, end);
        let start = start.max(scan.boundary(end.saturating_sub(LONGEST_NAME)));
        let raw = scan.part(start, end);
        let name = raw.trim_matches(['-', '.', '_']);
        let Some(field) = field::of(name) else { continue };
        // The last part of a path is no field: "/proc/sys/kernel/hostname: permission denied" names nobody. Only here,
        // because it is the one file that we read whose name is a field's.
        if matches!(field, Field::Host) && scan.before(start) == Some(b'/') && scan.byte(end) == Some(b':') {
            continue;
        }
        let dashes = raw.starts_with('-');
        let trailing = raw.len() - raw.trim_end_matches(['-', '.']).len();
        match scan.separator(start, end - trailing) {
            Some((after, style)) => with_separator(cleaner, scan, name, field, (start, after), style),
            None => without_separator(scan, name, field, end, dashes),
        }
    }
}

fn with_separator(
    cleaner: &Cleaner,
    scan: &mut Scan,
    name: &str,
    field: Field,
    (start, after): (usize, usize),
    style: Style,
) {
    match field {
        Field::Header(kind) => {
            let quoted = scan.run_right(after, |b| b == b' ' || b == b'\t');
            let outside = scan.before(start).filter(|b| matches!(b, b'"' | b'\''));
            let style =
                if matches!(scan.byte(quoted), Some(b'"' | b'\'')) { style } else { Style::Rest(outside) };
            let value = scan.value(after, style);
            header(scan, value, kind);
        }
        Field::Secret(kind) => {
            let value = scan.value(after, style);
            let text = scan.part(value.start, value.end);
            let directory = name.eq_ignore_ascii_case("pwd") || name.eq_ignore_ascii_case("oldpwd");
            if text.is_empty() || is_blank(text) || (directory && text.starts_with('/')) || counts(name, text)
            {
                return;
            }
            // `auth: Bearer x` and the like keep the scheme.
            let value = after_scheme(scan, value);
            scan.destroy(value.start, value.end, kind);
        }
        Field::User | Field::Host | Field::Share | Field::Network | Field::Mac => {
            let value = match field {
                // Names of shares may hold spaces, the others end at the first.
                Field::Share => scan.value(after, style),
                _ => scan.value(after, if style == Style::Loose { Style::Tight } else { style }),
            };
            // "nested host: reported" is prose; `host=x` and a line that begins with it are not.
            let bare = name.eq_ignore_ascii_case("host") && !scan.starts_line(start);
            if bare && scan.before(after) != Some(b'=') {
                return;
            }
            let text = scan.part(value.start, value.end);
            let text = text.trim_end_matches(['.', ',', ';', ':', ')', ']', '}']);
            let end = value.start + text.len();
            if let Some((kind, with)) = cleaner.field_value(field, text) {
                scan.replace(value.start, end, kind, with);
            }
        }
    }
}

/// `--password x`, `password x` and `snmp community x`.
fn without_separator(scan: &mut Scan, name: &str, field: Field, end: usize, dashes: bool) {
    let Field::Secret(kind) = field else { return };
    let mut at = scan.run_right(end, |b| b == b' ' || b == b'\t' || b == b'"' || b == b'\'');
    if at == end || scan.byte(at).is_none() {
        return;
    }
    let lower = name.to_ascii_lowercase();
    let strong = ["password", "passwd", "passphrase", "psk", "requirepass", "passwort", "bindpw", "rootpw"]
        .iter()
        .any(|w| lower.ends_with(w))
        || (kind == "community" && (lower.len() > "community".len() || mentions(scan, end, "snmp")));
    let mut word = scan.value(at, Style::Tight);
    if scan.before(at).is_some_and(|b| b == b'"' || b == b'\'') {
        // A quote before it was skipped above: take up to its end.
        at -= 1;
        word = scan.value(at, Style::Tight);
    }
    let mut text = scan.part(word.start, word.end);
    if !dashes && (text == "is" || text == "was") {
        word = scan.value(word.end, Style::Tight);
        text = scan.part(word.start, word.end);
    }
    let bare = text.trim_matches(|c: char| !c.is_alphanumeric());
    let prose = bare.is_empty() || words::has_any_case(PROSE, bare);
    let looks_secret = text.len() >= 8
        && text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().any(|b| b.is_ascii_alphabetic());
    let secret = if dashes { !text.starts_with('-') } else { !prose && (strong || looks_secret) };
    if secret && !text.is_empty() && !is_blank(text) {
        scan.destroy(word.start, word.end, kind);
    }
}

/// `password for bob: x`, `passphrase of the key = x`.
pub(super) fn prose(_: &Cleaner, scan: &mut Scan) {
    /// How far the separator may stand from the word.
    const REACH: usize = 64;
    let mut seen = 0;
    for (start, end) in hits(scan, Hint::Field) {
        if start < scan.reached || end <= seen {
            continue;
        }
        let name_end = scan.run_right(end, is_name_byte);
        let name_start =
            scan.run_left(start, is_name_byte).max(scan.boundary(name_end.saturating_sub(LONGEST_NAME)));
        seen = name_end;
        let lower = scan.part(name_start, name_end).to_ascii_lowercase();
        if !["password", "passwd", "passphrase"].iter().any(|w| lower.ends_with(w)) {
            continue;
        }
        let rest = scan.line.get(name_end..).unwrap_or_default();
        if !rest.starts_with(" for ") && !rest.starts_with(" of ") {
            continue;
        }
        let Some(at) = rest.bytes().take(REACH).position(|b| b == b'=' || b == b':') else { continue };
        let value = scan.value(name_end + at + 1, Style::Loose);
        let text = scan.part(value.start, value.end);
        if !text.is_empty() && !is_blank(text) && rest.as_bytes().get(at + 1).is_none_or(|b| *b != b':') {
            scan.destroy(value.start, value.end, "password");
        }
    }
}

/// Keeps the scheme of a header and destroys what follows.
fn header(scan: &mut Scan, value: Value, kind: &'static str) {
    let value = after_scheme(scan, value);
    let text = scan.part(value.start, value.end);
    if !text.is_empty() && !is_blank(text) {
        scan.destroy(value.start, value.end, kind);
    }
}

fn after_scheme(scan: &Scan, value: Value) -> Value {
    const SCHEMES: &[&str] =
        &["bearer", "basic", "digest", "negotiate", "ntlm", "token", "apikey", "aws4-hmac-sha256"];
    let text = scan.part(value.start, value.end);
    match text.split_once(' ') {
        Some((scheme, rest))
            if SCHEMES.iter().any(|s| scheme.eq_ignore_ascii_case(s)) && !rest.trim().is_empty() =>
        {
            let gap = rest.len() - rest.trim_start().len();
            Value { start: value.start + scheme.len() + 1 + gap, end: value.end }
        }
        _ => value,
    }
}

/// What stands where a secret was, or where there is none.
pub(super) fn is_blank(text: &str) -> bool {
    is_mark(text) || text.bytes().all(|b| matches!(b, b'*' | b'.' | b'-' | b',' | b';')) || text == "(null)"
}

/// `pass: 2` counts a run; a password of one or two digits is none.
fn counts(name: &str, text: &str) -> bool {
    name.eq_ignore_ascii_case("pass") && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit())
}

fn mentions(scan: &Scan, before: usize, word: &str) -> bool {
    /// How far back a word still belongs to what follows.
    const REACH: usize = 48;
    scan.part(scan.boundary(before.saturating_sub(REACH)), before).to_ascii_lowercase().contains(word)
}

/// Places of the words with this hint. They outlive the loan of the scan, which takes proposals meanwhile.
pub(super) fn hits<'a>(scan: &Scan<'a>, hint: Hint) -> impl Iterator<Item = (usize, usize)> + use<'a> {
    scan.hits.iter().filter(move |h| h.hint == hint).map(|h| (h.start, h.end))
}
