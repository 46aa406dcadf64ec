//! What a value consists of, as serde asks for it: members, elements, variants and names.

use std::borrow::Cow;
use std::vec::IntoIter;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::{Error, Result};

use super::Text;

/// An object that is being read.
pub(super) struct Members<'de> {
    pub(super) rest: IntoIter<(Cow<'de, str>, Text<'de>)>,
    pub(super) value: Text<'de>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = value;
        seed.deserialize(Key(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value> {
        seed.deserialize(self.value)
    }
}

/// An array that is being read.
pub(super) struct Elements<'de>(pub(super) IntoIter<Text<'de>>);

impl Elements<'_> {
    pub(super) fn end(&self) -> Result<()> {
        if self.0.len() == 0 { Ok(()) } else { Err(Error::custom("the array has more elements than it may")) }
    }
}

impl<'de> SeqAccess<'de> for &mut Elements<'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        self.0.next().map(|value| seed.deserialize(value)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// One variant of several, with what belongs to it.
pub(super) struct Choice<'de> {
    pub(super) name: Cow<'de, str>,
    pub(super) content: Option<Text<'de>>,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Error;
    type Variant = Content<'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Content<'de>)> {
        Ok((seed.deserialize(Key(self.name))?, Content(self.content)))
    }
}

/// What belongs to a variant.
pub(super) struct Content<'de>(Option<Text<'de>>);

impl<'de> Content<'de> {
    fn given(self) -> Result<Text<'de>> {
        self.0.ok_or_else(|| Error::custom("the variant lacks its content"))
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        match self.0 {
            None | Some(Text("null")) => Ok(()),
            Some(content) => content.expected("null"),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value> {
        seed.deserialize(self.given()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.given()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.given()?.deserialize_struct("", fields, visitor)
    }
}

/// A name as a value: of a field, of a variant, or the key of a map, which may be a number in quotes.
struct Key<'de>(Cow<'de, str>);

impl Key<'_> {
    fn number<T: std::str::FromStr>(&self) -> Result<T> {
        self.0.parse().map_err(|_| Error::custom("expected a number as a key"))
    }
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_cow(self.0)
    }

    numbers! {
        deserialize_u8: number, visit_u64;
        deserialize_u16: number, visit_u64;
        deserialize_u32: number, visit_u64;
        deserialize_u64: number, visit_u64;
        deserialize_i8: number, visit_i64;
        deserialize_i16: number, visit_i64;
        deserialize_i32: number, visit_i64;
        deserialize_i64: number, visit_i64;
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_enum(Choice { name: self.0, content: None })
    }

    serde::forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// A visitor's values that may be borrowed.
pub(super) trait VisitCow<'de>: Visitor<'de> {
    fn visit_cow(self, text: Cow<'de, str>) -> Result<Self::Value>;
}

impl<'de, V: Visitor<'de>> VisitCow<'de> for V {
    fn visit_cow(self, text: Cow<'de, str>) -> Result<Self::Value> {
        match text {
            Cow::Borrowed(text) => self.visit_borrowed_str(text),
            Cow::Owned(text) => self.visit_string(text),
        }
    }
}
