//! JSON without touching anything but strings: numbers, spaces and order stay byte for byte, so that a recorded
//! output parses to the same values and 128-bit counters survive.

use std::borrow::Cow;

use super::field::{self, Field};
use super::line::{Cleaner, Context, Tally, is_mark, mark};
use crate::json::string_end;

/// Objects that only wrap a reading: `{"seen":{"value":…,"from":…}}`. The name above them tells what it is.
const WRAPPERS: &[&str] = &["seen", "value"];

/// Readings without a value, as [`crate::Observed`] spells them: words of ours, whatever the name above them.
const STATES: &[&str] = &["absent", "not_collected"];

/// What a name says about the values below it.
#[derive(Clone, Copy, Default)]
struct About {
    field: Option<Field>,
    version: bool,
    /// It is the place of a reading, not its value.
    from: bool,
}

/// What was found out about one document: a list of drives has the same names, and often the same words, in each.
///
/// Only what stays as it is: a text that holds something to replace is looked at, and counted, each time.
#[derive(Default)]
struct Known {
    names: Slots<About>,
    /// Values outside of versions.
    values: Slots<()>,
}

/// A longer value is hardly there twice.
const LONGEST_KNOWN: usize = 48;

impl Known {
    fn value(&mut self, value: &str) {
        if value.len() <= LONGEST_KNOWN {
            self.values.put(value, ());
        }
    }
}

/// Texts in slots by their hash. The later one takes the slot, so that a foreign document can neither fill the memory
/// nor make the search long.
struct Slots<T>(Vec<Option<(Box<str>, T)>>);

/// Our own documents have some hundred names.
const SLOTS: usize = 1024;

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self(std::iter::repeat_with(|| None).take(SLOTS).collect())
    }
}

impl<T: Copy> Slots<T> {
    /// FNV-1a: the texts are short.
    fn slot(text: &str) -> usize {
        let hash = text
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        usize::try_from(hash ^ (hash >> 16)).unwrap_or_default() % SLOTS
    }

    fn get(&self, text: &str) -> Option<T> {
        let known = self.0.get(Self::slot(text))?.as_ref();
        known.filter(|(known, _)| **known == *text).map(|(_, about)| *about)
    }

    fn put(&mut self, text: &str, about: T) {
        if let Some(slot) = self.0.get_mut(Self::slot(text)) {
            *slot = Some((text.into(), about));
        }
    }
}

/// One open container.
#[derive(Clone, Copy, Default)]
struct Level {
    object: bool,
    /// The name of the container.
    above: About,
    /// The name whose value comes next; in a list, the name of the list.
    name: About,
    /// A secret above: everything below is one.
    secret: Option<&'static str>,
    /// The next string of an object is a name.
    name_next: bool,
    /// Treatment of a `value` whose `from` stands beside it.
    place: Place,
    /// A private key was begun in the list and not ended.
    in_key: bool,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Place {
    #[default]
    Plain,
    HostName,
    Version,
}

impl Cleaner {
    /// Cleans JSON. `None`: it is none.
    pub(super) fn json<'t>(&self, text: &'t str, tally: &mut Tally) -> Option<Cow<'t, str>> {
        serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
        self.strings(text, tally)
    }

    /// Cleans what is known to be JSON; borrowed where nothing had to go. `None`: it is none after all.
    pub(super) fn strings<'t>(&self, text: &'t str, tally: &mut Tally) -> Option<Cow<'t, str>> {
        let bytes = text.as_bytes();
        let mut out = String::new();
        let mut levels = vec![Level::default()];
        let mut known = Known::default();
        // Everything up to here is written.
        let mut written = 0;
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            match byte {
                b'{' | b'[' => {
                    let above = levels.last().copied().unwrap_or_default();
                    levels.push(below(&above, byte == b'{', text, at));
                    at += 1;
                }
                b'}' | b']' => {
                    levels.pop();
                    at += 1;
                }
                b',' => {
                    if let Some(level) = levels.last_mut().filter(|l| l.object) {
                        level.name_next = true;
                    }
                    at += 1;
                }
                b'"' => {
                    let end = string_end(bytes, at);
                    let token = text.get(at..end)?;
                    if let Some(new) = self.token(token, levels.last_mut()?, &mut known, tally) {
                        out.push_str(text.get(written..at)?);
                        out.push_str(&new);
                        written = end;
                    }
                    at = end;
                }
                b'-' | b'0'..=b'9' => {
                    let end = at + bytes.get(at..)?.iter().take_while(|b| is_number_byte(**b)).count();
                    if let Some(kind) = levels.last().and_then(secret_of)
                        && text.get(at..end)? != "0"
                        && !self.off.contains(kind)
                    {
                        out.push_str(text.get(written..at)?);
                        out.push('0');
                        written = end;
                        tally.add(kind, 1);
                    }
                    if written < end
                        && let Some(with) = self.serials.number(text.get(at..end)?)
                    {
                        out.push_str(text.get(written..at)?);
                        out.push_str(with);
                        written = end;
                        tally.add("serial", 1);
                    }
                    at = end;
                }
                _ => at += 1,
            }
        }
        if written == 0 {
            return Some(Cow::Borrowed(text));
        }
        out.push_str(text.get(written..)?);
        Some(Cow::Owned(out))
    }

    /// Cleans one string token, quotes included. `None`: it stays as it is.
    fn token(&self, token: &str, level: &mut Level, known: &mut Known, tally: &mut Tally) -> Option<String> {
        let inner = token.get(1..token.len().checked_sub(1)?)?;
        let unescaped;
        let plain = if inner.contains('\\') {
            match serde_json::from_str::<String>(token) {
                Ok(text) => {
                    unescaped = text;
                    unescaped.as_str()
                }
                // Half a surrogate pair: no text, so nobody can say what it holds.
                Err(_) => return quoted(&mark("unreadable")),
            }
        } else {
            inner
        };
        if level.name_next {
            level.name_next = false;
            let seen = known.names.get(plain);
            let about = seen.unwrap_or_else(|| about(plain));
            level.name = if WRAPPERS.contains(&plain) { level.above } else { about };
            if seen.is_some() {
                return None;
            }
            let new = self.text(plain, Context::default(), tally);
            if new != plain {
                return quoted(&new);
            }
            known.names.put(plain, about);
            return None;
        }
        let new = self.value(plain, level, known, tally)?;
        if new == plain { None } else { quoted(&new) }
    }

    fn value(&self, plain: &str, level: &mut Level, known: &mut Known, tally: &mut Tally) -> Option<String> {
        if let Some(kind) = secret_of(level) {
            if plain.is_empty() || is_mark(plain) || self.off.contains(kind) {
                return None;
            }
            tally.add(kind, 1);
            return Some(mark(kind));
        }
        if level.in_key {
            level.in_key = !plain.contains("END ");
            return Some(mark("private-key"));
        }
        let host = level.place == Place::HostName && !level.name.from;
        let about = if host { Some(Field::Host) } else { level.name.field };
        if let Some(field) = about
            && !STATES.contains(&plain)
            && let Some((kind, with)) = self.field_value(field, plain)
            && with != plain
            && !self.off.contains(kind)
        {
            tally.replaced(kind, plain, &with);
            return Some(with);
        }
        let version = level.place == Place::Version || level.name.version;
        if !version && known.values.get(plain).is_some() {
            return None;
        }
        let new = match self.text(plain, Context { version }, tally) {
            // Behind a mark a key may go on, which has to be noticed each time.
            Cow::Borrowed(same) if !same.ends_with(']') => {
                if !version {
                    known.value(plain);
                }
                return None;
            }
            new => new.into_owned(),
        };
        level.in_key = !level.object
            && plain.contains("BEGIN ")
            && !plain.contains("END ")
            && new.ends_with(&mark("private-key"));
        Some(new)
    }
}

fn secret_of(level: &Level) -> Option<&'static str> {
    if level.name_next {
        return None;
    }
    level.secret.or(match level.name.field {
        Some(Field::Secret(kind) | Field::Header(kind)) => Some(kind),
        _ => None,
    })
}

fn about(name: &str) -> About {
    let lower = name.to_ascii_lowercase();
    About {
        field: field::of(name),
        version: lower.contains("version")
            || lower.contains("firmware")
            || lower == "rev"
            || lower.ends_with("_rev"),
        from: lower == "from",
    }
}

/// What a container that begins at `at` gets from the one above.
fn below(above: &Level, object: bool, text: &str, at: usize) -> Level {
    Level {
        object,
        above: above.name,
        name: above.name,
        secret: secret_of(above),
        name_next: object,
        place: if object { place(text, at) } else { above.place },
        in_key: false,
    }
}

/// A reading that names its place is treated as the file at that place is: what a parser took from a file is then
/// cleaned as the file was.
fn place(text: &str, at: usize) -> Place {
    const HEAD: &str = "{\"value\":\"";
    const FROM: &str = "\",\"from\":\"";
    let Some(rest) = text.get(at..).and_then(|t| t.strip_prefix(HEAD)) else { return Place::Plain };
    let Some(end) = string_end(text.as_bytes(), at + HEAD.len() - 1).checked_sub(at + HEAD.len()) else {
        return Place::Plain;
    };
    let Some(from) = rest.get(end.saturating_sub(1)..).and_then(|t| t.strip_prefix(FROM)) else {
        return Place::Plain;
    };
    // A fragment says where in the file.
    let path = from.split(['"', '#']).next().unwrap_or_default();
    match super::class::of(path) {
        Ok(super::class::Treatment::HostName) => Place::HostName,
        Ok(super::class::Treatment::Version) => Place::Version,
        _ => Place::Plain,
    }
}

fn is_number_byte(b: u8) -> bool {
    b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E')
}

fn quoted(text: &str) -> Option<String> {
    serde_json::to_string(text).ok()
}
