//! Reading documents of ours from JSON with little code.
//!
//! serde_json's reader is compiled anew, tokens, blanks, positions and all, into every type that it reads, and the facts
//! are hundreds of types. Here a value is cut into its members by one function for all types, which also finds the
//! fields of a structure by their names: a type only takes its values in the order of its fields. That is a fifth of
//! the code, in a program that has to fit into a NAS. It reads what serde_json reads, and syntax is still serde_json's.
//! It refuses arrays where a structure should be, and its messages name no position and, because documents may hold
//! anything, no content. A field that is not there is read as no value, which only an `Option` takes.

macro_rules! numbers {
    ($($method:ident: $read:ident, $visit:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            visitor.$visit(self.$read()?)
        })*
    };
}

mod fields;
mod pieces;
mod text;

use std::borrow::Cow;

use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde_json::value::RawValue;
use serde_json::{Error, Result};

use self::pieces::{Choice, Elements, Members, VisitCow};
pub(crate) use self::text::string_end;
use self::text::{after_comma, cut, not_json};

/// Name of the newtype by which a type asks for the text of its whole value; only this reader knows it.
pub(crate) const WHOLE: &str = "$assay::whole";

/// Reads a document.
///
/// # Errors
/// It is no JSON, or not of this type.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    of(serde_json::from_slice(bytes)?)
}

/// Reads one value.
pub(crate) fn of<T: DeserializeOwned>(value: &RawValue) -> Result<T> {
    of_json(value.get())
}

/// Reads one value from what is known to be JSON, without blanks around it: of any other text it makes an error or a
/// wrong value.
pub(crate) fn of_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    T::deserialize(Text(text))
}

/// One value, known to be JSON, without blanks around it.
#[derive(Clone, Copy)]
struct Text<'de>(&'de str);

impl<'de> Text<'de> {
    #[inline(never)]
    fn expected<T>(self, what: &str) -> Result<T> {
        let found = match self.0.as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'"') => "a text",
            Some(b't' | b'f') => "a truth value",
            Some(b'n') => "null",
            _ => "a number",
        };
        Err(Error::custom(format_args!("expected {what}, found {found}")))
    }

    #[inline(never)]
    fn string(self) -> Result<Cow<'de, str>> {
        match self.0.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) if !text.contains('\\') => Ok(Cow::Borrowed(text)),
            Some(_) => serde_json::from_str(self.0).map(Cow::Owned),
            None => self.expected("a text"),
        }
    }

    /// What stands between the brackets, without the blanks at its ends.
    fn inside(self) -> &'de str {
        self.0.get(1..self.0.len().saturating_sub(1)).unwrap_or_default().trim_ascii()
    }

    #[inline(never)]
    fn members(self) -> Result<Members<'de>> {
        if !self.0.starts_with('{') {
            return self.expected("an object");
        }
        let mut pairs = Vec::new();
        let mut rest = self.inside();
        while !rest.is_empty() {
            let (name, below) = cut(rest)?;
            let value = below.trim_ascii_start().strip_prefix(':').ok_or_else(not_json)?.trim_ascii_start();
            let (value, below) = cut(value)?;
            pairs.push((name.string()?, value));
            rest = after_comma(below);
        }
        Ok(Members { rest: pairs.into_iter(), value: Text("null") })
    }

    #[inline(never)]
    fn elements(self) -> Result<Elements<'de>> {
        if !self.0.starts_with('[') {
            return self.expected("an array");
        }
        let mut values = Vec::new();
        let mut rest = self.inside();
        while !rest.is_empty() {
            let (value, below) = cut(rest)?;
            values.push(value);
            rest = after_comma(below);
        }
        Ok(Elements(values.into_iter()))
    }

    #[inline(never)]
    fn choice(self) -> Result<Choice<'de>> {
        if self.0.starts_with('"') {
            return Ok(Choice { name: self.string()?, content: None });
        }
        let mut members = self.members()?.rest;
        match (members.next(), members.next()) {
            (Some((name, value)), None) => Ok(Choice { name, content: Some(value) }),
            _ => Err(Error::custom("expected an object with one member")),
        }
    }

    #[inline(never)]
    fn unsigned(self) -> Result<u64> {
        self.number()
    }

    #[inline(never)]
    fn signed(self) -> Result<i64> {
        self.number()
    }

    /// The grammar of numbers has been checked; what is left are those of another kind and too large ones.
    fn number<T: std::str::FromStr>(self) -> Result<T> {
        self.0.parse().or_else(|_| self.expected("a number of another range"))
    }
}

impl<'de> Deserializer<'de> for Text<'de> {
    type Error = Error;

    /// Only what takes any value asks for this. serde_json limits its depth.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        serde_json::Deserializer::from_str(self.0).deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => self.expected("a truth value"),
        }
    }

    numbers! {
        deserialize_u8: unsigned, visit_u64;
        deserialize_u16: unsigned, visit_u64;
        deserialize_u32: unsigned, visit_u64;
        deserialize_u64: unsigned, visit_u64;
        deserialize_i8: signed, visit_i64;
        deserialize_i16: signed, visit_i64;
        deserialize_i32: signed, visit_i64;
        deserialize_i64: signed, visit_i64;
        deserialize_str: string, visit_cow;
        deserialize_string: string, visit_cow;
        deserialize_identifier: string, visit_cow;
        deserialize_char: string, visit_cow;
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_u128(self.number()?)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_i128(self.number()?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_f64(self.number()?)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if matches!(self.0, "null" | "") { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.0 == "null" { visitor.visit_unit() } else { self.expected("null") }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value> {
        if name == WHOLE { visitor.visit_borrowed_str(self.0) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let mut elements = self.elements()?;
        let value = visitor.visit_seq(&mut elements)?;
        elements.end().map(|()| value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_map(self.members()?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let mut fields = self.fields(name, fields)?;
        visitor.visit_seq(&mut fields).map_err(|error| fields.said(error))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_enum(self.choice()?)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::disallowed_methods)]
mod tests;
