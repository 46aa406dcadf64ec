//! Looking into a JSON tree that a stranger wrote: every key may be missing and every type may be wrong.

use assay_bundle::Observed;
use serde_json::Value;

/// A tree and the place below `raw/` where it stands.
#[derive(Clone, Copy)]
pub(super) struct Json<'a> {
    root: &'a Value,
    place: &'a str,
}

impl<'a> Json<'a> {
    pub(super) fn new(root: &'a Value, place: &'a str) -> Self {
        Self { root, place }
    }

    /// The place below `raw/`.
    pub(super) fn place(&self) -> &'a str {
        self.place
    }

    /// What stands at a JSON pointer; `null` counts as not there.
    pub(super) fn at(&self, pointer: &str) -> Option<&'a Value> {
        self.root.pointer(pointer).filter(|value| !value.is_null())
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
}

/// A small number inside one element of an array.
pub(super) fn small(value: &Value, pointer: &str) -> Option<u8> {
    value.pointer(pointer)?.as_u64().and_then(|number| u8::try_from(number).ok())
}
