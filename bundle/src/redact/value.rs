//! Where the value of a field begins and ends: quotes, escaped quotes, XML, options of a command, the rest of a line.
//!
//! When in doubt it takes more, not less: half a password is a leak.

use super::line::Scan;

/// Longest look for a closing quote; what is longer goes to the end of the line.
const LONGEST_QUOTED: usize = 16 << 10;

/// How the value is set off from the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `a=b` among other options: ends at white space.
    Tight,
    /// `a = b`, `a: b` or a line of its own: may hold spaces.
    Loose,
    /// `<a>b</a>`.
    Element,
    /// The rest of the line, such as a header's, or up to the quote that was opened before the name.
    Rest(Option<u8>),
}

/// A field found in a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) start: usize,
    pub(super) end: usize,
}

fn is_space(b: u8) -> bool {
    b == b' ' || b == b'\t'
}

pub(super) fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.') || b >= 0x80
}

impl Scan<'_> {
    /// The separator after a name that ends at `at`: where the value may begin, and its style. A name may be quoted
    /// or in brackets itself.
    pub(super) fn separator(&self, name_start: usize, at: usize) -> Option<(usize, Style)> {
        if self.byte(at) == Some(b'>') && matches!(self.before(name_start), Some(b'<' | b':')) {
            return Some((at + 1, Style::Element));
        }
        let closed = self.run_right(at, |b| matches!(b, b'"' | b'\'' | b']' | b'\\'));
        let gap = self.run_right(closed, is_space);
        let rest = self.line.get(gap..)?;
        // <add key="password" value="x"/>
        if let Some(xml) = rest.strip_prefix("value=").filter(|_| closed > at) {
            return Some((self.line.len() - xml.len(), Style::Tight));
        }
        let length = [":=", "=>", "==", "=", ":"].iter().find(|s| rest.starts_with(**s))?.len();
        let after = gap + length;
        // `scheme://` and `a::b` are no fields.
        if rest.starts_with("://") || rest.starts_with("::") {
            return None;
        }
        let spaced = gap > closed || self.byte(after).is_some_and(is_space);
        let style = if spaced || self.starts_line(name_start) { Style::Loose } else { Style::Tight };
        Some((after, style))
    }

    /// Whether a name is the first thing on its line, a log's header aside.
    pub(super) fn starts_line(&self, name_start: usize) -> bool {
        let head = self.part(0, name_start).trim_end_matches(['"', '\'', '\\', '{', ' ', '\t', '-']);
        head.is_empty() || head.ends_with(';') && is_record_header(head) || head.ends_with(']')
    }

    /// The value that begins after a separator.
    pub(super) fn value(&self, from: usize, style: Style) -> Value {
        let start = self.run_right(from, is_space);
        // \"…\" inside a quoted text.
        if self.part(start, (start + 2).min(self.line.len())) == "\\\"" {
            let inside = start + 2;
            let end = self.find(inside, "\\\"").unwrap_or(self.line.len());
            return Value { start: inside, end };
        }
        const RAW: &str = "<![CDATA[";
        if style == Style::Element && self.line.get(start..).is_some_and(|rest| rest.starts_with(RAW)) {
            let inside = start + RAW.len();
            return Value { start: inside, end: self.find(inside, "]]>").unwrap_or(self.line.len()) };
        }
        if let Some(quote @ (b'"' | b'\'')) = self.byte(start)
            && !matches!(style, Style::Rest(_))
        {
            return Value { start: start + 1, end: self.closing(start + 1, quote) };
        }
        let end = match style {
            Style::Element => self.run_right(start, |b| b != b'<'),
            Style::Rest(quote) => self.rest_end(start, quote),
            Style::Tight => self.tight_end(start),
            Style::Loose => self.loose_end(start),
        };
        let trimmed = self.part(start, end).trim_end().len();
        Value { start, end: start + trimmed }
    }

    fn find(&self, from: usize, what: &str) -> Option<usize> {
        let rest = self.line.get(from..)?;
        let mut limit = rest.len().min(LONGEST_QUOTED);
        while !rest.is_char_boundary(limit) {
            limit -= 1;
        }
        rest.get(..limit)?.find(what).map(|at| from + at)
    }

    /// The closing quote, past escaped ones; the end of the line when there is none.
    fn closing(&self, from: usize, quote: u8) -> usize {
        let bytes = self.line.as_bytes().get(from..).unwrap_or_default();
        let mut escaped = false;
        for (at, byte) in bytes.iter().enumerate().take(LONGEST_QUOTED) {
            match *byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b if b == quote => return from + at,
                _ => {}
            }
        }
        self.line.len()
    }

    /// Whether the quote at `at` closes something around the field, rather than being part of the value.
    fn closes_outside(&self, at: usize) -> bool {
        matches!(self.byte(at), Some(b'"' | b'\''))
            && self.byte(at + 1).is_none_or(|b| {
                matches!(b, b' ' | b'\t' | b',' | b';' | b')' | b'}' | b']' | b'>' | b'\r' | b'\\')
            })
    }

    fn rest_end(&self, start: usize, quote: Option<u8>) -> usize {
        let closes = |at: &usize| self.byte(*at) == quote && self.closes_outside(*at);
        quote.and_then(|_| (start..self.line.len()).find(closes)).unwrap_or(self.line.len())
    }

    fn tight_end(&self, start: usize) -> usize {
        for at in start..self.line.len() {
            match self.byte(at) {
                Some(b' ' | b'\t' | b'&' | b'\r') => return at,
                Some(b',' | b';') if self.field_follows(at + 1) || self.byte(at + 1).is_none_or(is_space) => {
                    return at;
                }
                Some(b'"' | b'\'') if self.closes_outside(at) => return at,
                _ => {}
            }
        }
        self.line.len()
    }

    fn loose_end(&self, start: usize) -> usize {
        for at in start..self.line.len() {
            match self.byte(at) {
                Some(b' ' | b'\t') if self.field_follows(self.run_right(at, is_space)) => return at,
                Some(b',' | b';') if self.byte(at + 1).is_none_or(is_space) || self.field_follows(at + 1) => {
                    return at;
                }
                Some(b'&') if self.field_follows(at + 1) => return at,
                Some(b'"' | b'\'') if self.closes_outside(at) => return at,
                _ => {}
            }
        }
        self.line.len()
    }

    /// Whether `name=` or `name:` stands at `at`.
    fn field_follows(&self, at: usize) -> bool {
        /// Longer names of fields are none.
        const LONGEST: usize = 48;
        let opened = self.run_right(at, |b| matches!(b, b'"' | b'\'' | b'\\'));
        if !self.byte(opened).is_some_and(|b| b.is_ascii_alphabetic() || b == b'_') {
            return false;
        }
        let bytes = self.line.as_bytes().get(opened..).unwrap_or_default();
        let length = bytes.iter().take(LONGEST).take_while(|b| is_name_byte(**b)).count();
        let closed = self.run_right(opened + length, |b| matches!(b, b'"' | b'\'' | b'\\'));
        match self.byte(closed) {
            Some(b'=') => true,
            Some(b':') => self.byte(closed + 1).is_none_or(|b| is_space(b) || matches!(b, b'"' | b'\'')),
            _ => false,
        }
    }
}

/// Whether `head` is the header of a kernel record: `6,123,4567,-;`.
fn is_record_header(head: &str) -> bool {
    head.find(';') == Some(head.len() - 1)
        && head.starts_with(|c: char| c.is_ascii_digit())
        && head.matches(',').count() >= 3
        && head.len() <= 64
}
