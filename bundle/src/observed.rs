//! Every reading is one of four things, and "not seen" never means "healthy".
//!
//! A rule that needs a reading matches on [`Observed`] and has to decide what each state means for it; there is on
//! purpose no `unwrap_or_default` here.

use std::fmt;

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::json;

/// The words for a reading that nobody took. Of what a person pasted they would be advice to mend a machine that nobody
/// asked: there [`NOT_PASTED`] stands instead.
pub const NOBODY_READ: &str = "nothing that reads it answered";
/// The same for several readings.
pub const NOBODY_READ_THEM: &str = "nothing that reads them answered";
/// The same for a part of which only a plan tells.
pub const NOBODY_ANSWERED: &str = "nothing answered";
/// The words for a reading that is in none of the outputs that were pasted.
pub const NOT_PASTED: &str = "not pasted";

/// One reading of one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed<T> {
    /// It was read and understood.
    Seen {
        /// What was read.
        value: T,
        /// Where it stands: a path below `raw/` in the bundle, such as `sys/class/hwmon/hwmon1/fan1_input`.
        from: String,
    },
    /// This machine has none (as far as a source that would know says).
    Absent,
    /// It should be there, but could not be read or understood.
    Unreadable {
        /// The reason, with the noun and the whole error chain.
        why: String,
    },
    /// Nobody looked. The default, so that an old bundle never claims that a new reading was absent.
    #[default]
    NotCollected,
}

/// The spelling of a reading, whatever was read.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Seen { value: Box<RawValue>, from: String },
    Absent,
    Unreadable { why: String },
    NotCollected,
}

/// Reads the spelling once for all types and the value by its own. A derived implementation repeats the reading of
/// the spelling for each of some fifty types, which is half a megabyte in a program that has to be small.
impl<'de, T: DeserializeOwned> Deserialize<'de> for Observed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserializer.deserialize_newtype_struct(json::WHOLE, Whole)? {
            Shape::Seen { value, from } => Self::Seen { value: json::of(&value).map_err(told)?, from },
            Shape::Absent => Self::Absent,
            Shape::Unreadable { why } => Self::Unreadable { why },
            Shape::NotCollected => Self::NotCollected,
        })
    }
}

/// Takes the whole reading as text, from our own reader at once and from any other by way of [`RawValue`].
struct Whole;

impl<'de> Visitor<'de> for Whole {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reading")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Shape, E> {
        serde_json::from_str(text).map_err(told)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        self.visit_str(Box::<RawValue>::deserialize(deserializer)?.get())
    }
}

#[inline(never)]
fn told<E: Error>(error: serde_json::Error) -> E {
    E::custom(error)
}

impl<T> Observed<T> {
    /// A value that was read at `from` (a path below `raw/`).
    pub fn seen(value: T, from: impl Into<String>) -> Self {
        Self::Seen { value, from: from.into() }
    }

    /// A reading that failed; `why` names what was read and the whole chain of causes.
    pub fn unreadable(why: impl Into<String>) -> Self {
        Self::Unreadable { why: why.into() }
    }

    /// The value, when there is one. Callers that judge must look at the other states too.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Seen { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Where the value stands below `raw/`, when there is one.
    pub fn place(&self) -> Option<&str> {
        match self {
            Self::Seen { from, .. } => Some(from),
            _ => None,
        }
    }

    /// Whether the value was read.
    pub fn is_seen(&self) -> bool {
        matches!(self, Self::Seen { .. })
    }

    /// Whether the machine is known to have none.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether nobody looked.
    pub fn is_not_collected(&self) -> bool {
        matches!(self, Self::NotCollected)
    }

    /// The same reading of something derived from the value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Seen { value, from } => Observed::Seen { value: f(value), from },
            Self::Absent => Observed::Absent,
            Self::Unreadable { why } => Observed::Unreadable { why },
            Self::NotCollected => Observed::NotCollected,
        }
    }

    /// The same reading by reference.
    pub fn as_ref(&self) -> Observed<&T> {
        match self {
            Self::Seen { value, from } => Observed::Seen { value, from: from.clone() },
            Self::Absent => Observed::Absent,
            Self::Unreadable { why } => Observed::Unreadable { why: why.clone() },
            Self::NotCollected => Observed::NotCollected,
        }
    }

    /// This reading if it was seen, else the other: sources in order of trust. The first failure is kept when
    /// nothing was seen, because it names the better source.
    #[must_use]
    pub fn or(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Seen { .. } => self,
            Self::NotCollected => other(),
            Self::Absent | Self::Unreadable { .. } => match other() {
                Self::NotCollected | Self::Absent => self,
                Self::Unreadable { .. } if matches!(self, Self::Unreadable { .. }) => self,
                better => better,
            },
        }
    }

    /// Why there is no value, in words for a person; `None` when there is one.
    pub fn why_not(&self) -> Option<String> {
        match self {
            Self::Seen { .. } => None,
            Self::Absent => Some("this machine has none".to_owned()),
            Self::Unreadable { why } => Some(why.clone()),
            Self::NotCollected => Some(NOBODY_READ.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reading: &Observed<u8>, json: &str) {
        assert_eq!(serde_json::to_string(reading).expect("plain data"), json);
        assert_eq!(&serde_json::from_str::<Observed<u8>>(json).expect("own output"), reading);
    }

    #[test]
    fn each_state_has_one_spelling() {
        check(&Observed::seen(7, "proc/x"), r#"{"seen":{"value":7,"from":"proc/x"}}"#);
        check(&Observed::Absent, r#""absent""#);
        check(&Observed::unreadable("it burnt"), r#"{"unreadable":{"why":"it burnt"}}"#);
        check(&Observed::NotCollected, r#""not_collected""#);
    }

    #[test]
    fn the_better_source_wins_and_its_failure_is_kept() {
        let seen = || Observed::seen(1, "a");
        let failed = || Observed::<u8>::unreadable("first");
        assert_eq!(seen().or(|| Observed::seen(2, "b")), seen());
        assert_eq!(failed().or(seen), seen());
        assert_eq!(failed().or(|| Observed::unreadable("second")), failed());
        assert_eq!(failed().or(|| Observed::Absent), failed());
        assert_eq!(Observed::Absent.or(failed), failed());
        assert_eq!(Observed::NotCollected.or(failed), failed());
    }
}
