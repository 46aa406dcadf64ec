//! Paths of the owner: shares, users and file names are replaced; depth and kind of file stay.

use super::line::{Cleaner, Scan, is_word_byte};
use super::pseudonym::is_word;
use super::rules::Hint;
use super::secret::hits;
use super::words::{self, EXTENSIONS, SLASH_WORDS, SYSTEM_FOLDERS};

/// Most words with spaces between them that still make one file name.
const MOST_WORDS: usize = 8;

fn ends_path(b: u8) -> bool {
    matches!(
        b,
        b' ' | b'\t' | b'"' | b'\'' | b',' | b';' | b'<' | b'>' | b'|' | b')' | b']' | b'}' | b'\r' | b'\\'
    )
}

impl Cleaner {
    fn file(&self, name: &str) -> String {
        let kept = name.is_empty() || words::has_any_case(SYSTEM_FOLDERS, name) || super::line::is_mark(name);
        if kept {
            return name.to_owned();
        }
        match name.rsplit_once('.') {
            Some((stem, extension)) if words::has_any_case(EXTENSIONS, extension) && !stem.is_empty() => {
                let stem = if is_word(stem) { stem.to_owned() } else { self.pseudonyms.word("name", stem) };
                format!("{stem}.{extension}")
            }
            _ => self.pseudonyms.word("name", name),
        }
    }

    /// The segments after a root such as `/share` or `/home`.
    fn segments(&self, root: &str, rest: &str) -> String {
        #[derive(PartialEq)]
        enum Next {
            ShareOrVolume,
            Share,
            User,
            File,
            Kept,
        }
        let separator = if root == "users" && rest.contains('\\') { '\\' } else { '/' };
        let mut next = if root == "share" || root == "export" { Next::ShareOrVolume } else { Next::User };
        let mut out = Vec::new();
        for segment in rest.split(separator) {
            let lower = segment.to_ascii_lowercase();
            let (with, then) = match next {
                _ if segment.is_empty() => (String::new(), next),
                // Installed packages are the machine's, as is QTS's own web root.
                _ if lower == ".qpkg" || lower == "httpd" || next == Next::Kept => {
                    (segment.to_owned(), Next::Kept)
                }
                Next::ShareOrVolume if is_volume(segment) => (segment.to_owned(), Next::Share),
                Next::ShareOrVolume | Next::Share => {
                    let then = if lower == "homes" { Next::User } else { Next::File };
                    (self.share(segment), then)
                }
                Next::User => (self.user(segment), Next::File),
                Next::File | Next::Kept => (self.file(segment), Next::File),
            };
            next = then;
            out.push(with);
        }
        out.join(&separator.to_string())
    }
}

/// `CACHEDEV1_DATA`, `CE_CACHEDEV1_DATA`, `HDA_DATA`, `MD0_DATA`, `ZFS530_DATA`, `external`, `DEV3301_1`.
fn is_volume(segment: &str) -> bool {
    let data = segment
        .strip_suffix("_DATA")
        .is_some_and(|stem| stem.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'));
    let device =
        segment.strip_prefix("DEV").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit() || b == b'_'));
    data || device || segment.eq_ignore_ascii_case("external")
}

/// `/share/…`, `/home/…`, `/homes/…`, `/Users/…`, `C:\Users\…`.
pub(super) fn local(cleaner: &Cleaner, scan: &mut Scan) {
    let mut done = 0;
    for (start, after) in hits(scan, Hint::Path) {
        if start < done
            || scan.before(start).is_some_and(|b| is_word_byte(b) || matches!(b, b'_' | b'-' | b'.'))
        {
            continue;
        }
        let end = path_end(scan, start, after);
        done = end;
        let root = scan.part(start + 1, after - 1).to_ascii_lowercase();
        let with = cleaner.segments(&root, scan.part(after, end));
        scan.replace(after, end, "path", with);
    }
}

/// The end of a path: its closing quote, or white space, past spaces that must belong to a name because a slash or
/// a known extension follows.
fn path_end(scan: &Scan, start: usize, after: usize) -> usize {
    if let Some(quote @ (b'"' | b'\'')) = scan.before(start) {
        let closing = scan.run_right(after, |b| b != quote);
        if scan.byte(closing).is_some() {
            return closing;
        }
    }
    let backslash = scan.byte(start) == Some(b'\\');
    let stop = |b: u8| ends_path(b) && !(backslash && b == b'\\');
    let mut end = scan.run_right(after, |b| !stop(b));
    while scan.byte(end) == Some(b' ') && !scan.part(start, end).ends_with(':') {
        let mut to = end;
        let mut found = None;
        for _ in 0..MOST_WORDS {
            if scan.byte(to) != Some(b' ') {
                break;
            }
            let from = to + 1;
            to = scan.run_right(from, |b| !stop(b));
            let word = scan.part(from, to);
            if word.is_empty() || word.starts_with('/') || word.ends_with(':') {
                break;
            }
            let head = word.split('/').next().unwrap_or_default().to_ascii_lowercase();
            let slash = word.contains('/') && !words::has(SLASH_WORDS, &head);
            let extension = word
                .trim_end_matches(['.', ':'])
                .rsplit_once('.')
                .is_some_and(|(stem, e)| !stem.is_empty() && words::has_any_case(EXTENSIONS, e));
            if slash || extension {
                found = Some(to);
                break;
            }
        }
        match found {
            Some(to) => end = to,
            None => break,
        }
    }
    let path = scan.part(after, end);
    after + path.trim_end_matches(['.', ':']).len()
}

/// `//host/share/…` and `\\host\share\…`.
pub(super) fn network(cleaner: &Cleaner, scan: &mut Scan) {
    let mut done = 0;
    for (start, after) in hits(scan, Hint::Unc) {
        let opened = scan.before(start).is_none_or(|b| {
            matches!(b, b' ' | b'\t' | b'"' | b'\'' | b'=' | b'(' | b',' | b'[' | b';' | b'|' | b'>' | b'{')
        });
        if start < done || !opened {
            continue;
        }
        let slash = scan.byte(start).unwrap_or(b'/');
        let host_end = scan.run_right(after, |b| is_word_byte(b) || matches!(b, b'.' | b'-' | b'_'));
        if host_end == after || scan.byte(host_end) != Some(slash) {
            continue;
        }
        let end = scan.run_right(host_end + 1, |b| !ends_path(b) || (slash == b'\\' && b == b'\\'));
        done = end;
        let host = scan.part(after, host_end);
        if !host.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            let with = if is_word(host) { host.to_owned() } else { cleaner.host(host) };
            scan.replace(after, host_end, "host", with);
        }
        let separator = char::from(slash).to_string();
        let rest: Vec<String> = scan
            .part(host_end + 1, end)
            .split(&separator)
            .enumerate()
            .map(|(at, s)| match at {
                0 if s.is_empty() || is_word(s) => s.to_owned(),
                0 => cleaner.share(s),
                _ => cleaner.file(s),
            })
            .collect();
        scan.replace(host_end + 1, end, "share", rest.join(&separator));
    }
}
