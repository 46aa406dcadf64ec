//! The fields of a structure, found by their names and given in its order.

use std::vec::IntoIter;

use serde::de::{DeserializeSeed, Error as _, SeqAccess};
use serde_json::{Error, Result};

use super::Text;

/// What stands for the value of a field that is not there: no JSON value is empty.
const LACKING: Text<'static> = Text("");

/// The structures that refuse fields that they do not know: those under `deny_unknown_fields`, which serde tells the
/// reader nothing about. A test holds the two together.
/// Name and last field, because there are two `Dated`.
pub(super) const STRICT: &[(&str, &str)] = &[
    ("Consent", "consented_unix_s"),
    ("CopyTaken", "made_unix_s"),
    ("Dated", "at_unix_s"),
    ("DeviceKeyChange", "portal_root"),
    ("DifferenceSummary", "new_services"),
    ("Farewell", "portal_root"),
    ("PortalKeys", "made_unix_s"),
    ("RemoteSession", "most_hours"),
    ("Replacement", "portal_fingerprint"),
    ("SelfTests", "serials"),
    ("SessionRecord", "difference"),
    ("Signed", "signature"),
    ("SupportRequest", "portal_fingerprint"),
    ("Waiver", "configuration_sha256"),
];

impl<'de> Text<'de> {
    /// The values of a structure in the order of its fields.
    #[inline(never)]
    pub(super) fn fields(self, name: &str, fields: &'static [&'static str]) -> Result<Fields<'de>> {
        let mut values = vec![LACKING; fields.len()];
        // Who wrote it wrote the fields in this order: the next is nearly always the one after the last.
        let mut likely = 0;
        for (key, value) in self.members()?.rest {
            let is = |place: &usize| fields.get(*place).is_some_and(|field| *field == key);
            let Some(place) = Some(likely).filter(is).or_else(|| (0..fields.len()).find(is)) else {
                if fields.last().is_some_and(|last| STRICT.contains(&(name, last))) {
                    return Err(Error::unknown_field(&key, fields));
                }
                continue;
            };
            likely = place + 1;
            let (Some(slot), Some(field)) = (values.get_mut(place), fields.get(place)) else { continue };
            if slot.0 != LACKING.0 {
                return Err(Error::duplicate_field(field));
            }
            *slot = value;
        }
        Ok(Fields { names: fields, values: values.into_iter(), lacks: None })
    }
}

/// A structure that is being read.
pub(super) struct Fields<'de> {
    names: &'static [&'static str],
    values: IntoIter<Text<'de>>,
    /// The field whose turn it was when it was not there, and that is no `Option`.
    lacks: Option<&'static str>,
}

impl<'de> Fields<'de> {
    /// The next value, and the name of its field when it is not there.
    #[inline(never)]
    fn next(&mut self) -> Option<(Text<'de>, Option<&'static str>)> {
        let place = self.names.len() - self.values.len();
        let value = self.values.next()?;
        self.lacks = None;
        Some((value, self.names.get(place).copied().filter(|_| value.0 == LACKING.0)))
    }

    /// A type without a value for a field that is not there can only say that the values ended early.
    #[inline(never)]
    pub(super) fn said(&self, error: Error) -> Error {
        self.lacks.map_or(error, Error::missing_field)
    }
}

impl<'de> SeqAccess<'de> for &mut Fields<'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        let Some((value, absent)) = self.next() else { return Ok(None) };
        match seed.deserialize(value) {
            Err(_) if absent.is_some() => {
                // No value: the type's default, or the end of reading.
                self.lacks = absent;
                Ok(None)
            }
            read => read.map(Some),
        }
    }
}
