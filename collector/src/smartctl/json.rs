//! Looking into a tree that a stranger wrote: every key may be missing and every type may be wrong.
//!
//! The tree is smartctl's JSON, or a text report read into the same keys. The two differ in what a missing key means:
//! smartctl's JSON is complete, while a report may have been asked for less, or its end may be missing; there only a
//! `null`, which stands for the line "not supported", says that the drive does not keep a log.

use assay_bundle::Observed;
use serde_json::Value;

use super::text::Rows;

/// A tree and the place below `raw/` where it stands.
#[derive(Clone, Copy)]
pub(super) struct Json<'a> {
    root: &'a Value,
    place: &'a str,
    /// The tables of a text report.
    rows: Option<&'a Rows>,
}

impl<'a> Json<'a> {
    pub(super) fn new(root: &'a Value, place: &'a str) -> Self {
        Self { root, place, rows: None }
    }

    /// The tree of a text report.
    pub(super) fn of_report(root: &'a Value, rows: &'a Rows, place: &'a str) -> Self {
        Self { root, place, rows: Some(rows) }
    }

    /// The long tables of a text report, whose rows are not in the tree.
    pub(super) fn rows(&self) -> Option<&'a Rows> {
        self.rows
    }

    /// The place below `raw/`.
    pub(super) fn place(&self) -> &'a str {
        self.place
    }

    /// What stands at a JSON pointer; `null` counts as not there.
    pub(super) fn at(&self, pointer: &str) -> Option<&'a Value> {
        find(self.root, pointer).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, pointer: &str) -> Option<&'a str> {
        self.at(pointer)?.as_str()
    }

    pub(super) fn array(&self, pointer: &str) -> Option<&'a [Value]> {
        self.at(pointer)?.as_array().map(Vec::as_slice)
    }

    pub(super) fn unsigned(&self, pointer: &str) -> Option<u64> {
        self.at(pointer)?.as_u64()
    }

    /// A number of one byte.
    pub(super) fn byte(&self, pointer: &str) -> Option<u8> {
        self.unsigned(pointer).and_then(|number| u8::try_from(number).ok())
    }

    /// A counter of up to 128 bits: past 2^53 smartctl adds a sibling `KEY_s` with the exact digits, and past 2^64
    /// the number itself no longer fits a JSON integer.
    pub(super) fn counter(&self, pointer: &str) -> Option<u128> {
        self.text(&format!("{pointer}_s"))
            .and_then(|digits| digits.parse().ok())
            .or_else(|| self.unsigned(pointer).map(u128::from))
    }

    pub(super) fn seen<T>(&self, value: T) -> Observed<T> {
        Observed::seen(value, self.place)
    }

    /// Seen, or NotCollected for the caller to say what a missing key means.
    pub(super) fn maybe<T>(&self, value: Option<T>) -> Observed<T> {
        value.map_or(Observed::NotCollected, |value| self.seen(value))
    }

    /// What it means that the log at this pointer is not there: the drive does not keep it, unless a command to the
    /// drive failed or the text of a report does not say so.
    pub(super) fn missing<T>(&self, pointer: &str, log: &str, command_failed: bool) -> Observed<T> {
        if self.rows.is_some() {
            return match find(self.root, pointer) {
                Some(Value::Null) => Observed::Absent,
                _ => Observed::unreadable(format!("{}: the report holds no {log}", self.place)),
            };
        }
        if command_failed {
            return Observed::unreadable(format!(
                "{}: no {log}, and smartctl says that a command to the drive failed",
                self.place
            ));
        }
        Observed::Absent
    }

    /// The same for a log that smartctl prints only when it is asked for everything (`-x`), or for it by its name.
    pub(super) fn missing_extra<T>(&self, pointer: &str, log: &str, command_failed: bool) -> Observed<T> {
        if self.was_asked_for_everything() {
            self.missing(pointer, log, command_failed)
        } else {
            Observed::NotCollected
        }
    }

    /// smartctl repeats its command line; where it does not, it is taken to be ours, which asks for everything.
    fn was_asked_for_everything(&self) -> bool {
        self.array("/smartctl/argv").is_none_or(|words| {
            words.iter().filter_map(Value::as_str).any(|word| {
                word == "--xall" || (word.starts_with('-') && !word.starts_with("--") && word.contains('x'))
            })
        })
    }
}

/// Members of an object that are looked through one after the other.
const FEW: usize = 8;

/// What stands at `/a/b/0`. None of smartctl's keys holds the characters that a JSON pointer escapes, and undoing
/// those is most of the time of `Value::pointer`.
pub(super) fn find<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    pointer.split('/').skip(1).try_fold(value, |value, key| match value {
        // A row has few members: they are compared sooner than hashed.
        Value::Object(object) if object.len() <= FEW => {
            object.iter().find(|(name, _)| name.as_str() == key).map(|(_, value)| value)
        }
        Value::Object(object) => object.get(key),
        Value::Array(list) => list.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// A small number inside one element of an array.
pub(super) fn small(value: &Value, pointer: &str) -> Option<u8> {
    number(value, pointer).and_then(|number| u8::try_from(number).ok())
}

/// A number inside one element of an array.
pub(super) fn number(value: &Value, pointer: &str) -> Option<u64> {
    find(value, pointer)?.as_u64()
}

/// A text inside one element of an array; empty when it is not there.
pub(super) fn words(value: &Value, pointer: &str) -> String {
    find(value, pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
