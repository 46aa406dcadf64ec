//! Reading documents of ours from JSON with little code.
//!
//! serde_json's reader is compiled anew, tokens, blanks, positions and all, into every type that it reads, and the facts
//! are hundreds of types. Here a value is cut into its members by one function for all types, and a type says only what
//! belongs where: a third of the code, in a program that has to fit into a NAS. It reads what serde_json reads, and
//! syntax is still serde_json's. It refuses arrays where a structure should be, and its messages name no position and,
//! because documents may hold anything, no content.

use std::borrow::Cow;
use std::vec::IntoIter;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde_json::value::RawValue;
use serde_json::{Error, Result};

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
    T::deserialize(Text(value.get()))
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

macro_rules! numbers {
    ($($method:ident: $read:ident, $visit:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            visitor.$visit(self.$read()?)
        })*
    };
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
        if self.0 == "null" { visitor.visit_none() } else { visitor.visit_some(self) }
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
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_map(self.members()?)
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

/// The first value of a text that goes on behind it. The syntax was checked when the document was taken: what is looked
/// for here is only where the value ends.
#[inline(never)]
fn cut(text: &str) -> Result<(Text<'_>, &str)> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                if depth == 0 {
                    break;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 1 => depth -= 1,
            // The end of this value, or of the one around it, which belongs to that.
            b'}' | b']' => {
                at += depth;
                break;
            }
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => break,
            _ => {}
        }
        at += 1;
    }
    match text.split_at_checked(at) {
        Some((value, below)) if at > 0 => Ok((Text(value), below)),
        _ => Err(not_json()),
    }
}

fn after_comma(text: &str) -> &str {
    let text = text.trim_ascii_start();
    text.strip_prefix(',').unwrap_or(text).trim_ascii_start()
}

#[cold]
fn not_json() -> Error {
    Error::custom("the text is no JSON")
}

/// The place after the closing quote of the string whose opening quote is at `start`.
pub(crate) fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// An object that is being read.
struct Members<'de> {
    rest: IntoIter<(Cow<'de, str>, Text<'de>)>,
    value: Text<'de>,
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
struct Elements<'de>(IntoIter<Text<'de>>);

impl Elements<'_> {
    fn end(&self) -> Result<()> {
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
struct Choice<'de> {
    name: Cow<'de, str>,
    content: Option<Text<'de>>,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Error;
    type Variant = Content<'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Content<'de>)> {
        Ok((seed.deserialize(Key(self.name))?, Content(self.content)))
    }
}

/// What belongs to a variant.
struct Content<'de>(Option<Text<'de>>);

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

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.given()?.deserialize_map(visitor)
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
trait VisitCow<'de>: Visitor<'de> {
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

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::{Facts, Observed};

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Sample {
        number: i32,
        large: u128,
        truth: Option<bool>,
        text: String,
        list: Vec<(u8, String)>,
        map: BTreeMap<u16, Kind>,
        kinds: Vec<Kind>,
        whole: serde_json::Value,
        reading: Observed<Vec<Observed<u8>>>,
        width: Width,
        ratio: f64,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    struct Width(u32);

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        One(u8),
        Two(u8, String),
        Named {
            size: i64,
        },
        #[serde(other)]
        Other,
    }

    /// It reads what serde_json reads, and refuses what that refuses.
    fn check(text: &str, readable: bool) {
        let by_serde_json = serde_json::from_str::<Sample>(text).ok();
        assert_eq!(by_serde_json.is_some(), readable, "{text}");
        assert_eq!(from_slice::<Sample>(text.as_bytes()).ok(), by_serde_json, "{text}");
    }

    #[test]
    fn it_reads_what_serde_json_reads() {
        check("{}", true);
        check(
            r#" { "number" : -7 , "unknown" : [ { "a" : null } ] , "large":340282366920938463463374607431768211455} "#,
            true,
        );
        check(r#"{"truth":true,"text":"a\u0041\n\"é","width":4,"ratio":1.5}"#, true);
        check(r#"{"truth":null,"te\u0078t":"x","whole":{"a":[1,-2.5,"b",{}]}}"#, true);
        check(r#"{"list":[[1,"a"],[2,"b\\"]],"map":{"7":"plain","65535":{"one":3}}}"#, true);
        check(
            r#"{"kinds":["plain",{"plain":null},{"one":1},{"two":[2,"x"]},{"named":{"size":-1}},"new"]}"#,
            true,
        );
        check(
            r#"{"reading":{"seen":{"value":["absent",{"seen":{"value":3,"from":"x"}}],"from":"y"}}}"#,
            true,
        );
        check(r#"{"reading":{"unreadable":{"why":"it \"burnt\""}}}"#, true);
        for refused in [
            "",
            "7",
            "null",
            "{",
            r#"{"number":1}x"#,
            r#"{"number":"1"}"#,
            r#"{"number":1,"number":2}"#,
            r#"{"number":4294967296}"#,
            r#"{"width":-1}"#,
            r#"{"text":5}"#,
            r#"{"text":"a"#,
            r#"{"list":[[1]]}"#,
            r#"{"list":[[1,"a",3]]}"#,
            r#"{"list":{}}"#,
            r#"{"map":{"x":"plain"}}"#,
            r#"{"map":{"65536":"plain"}}"#,
            r#"{"kinds":["one"]}"#,
            r#"{"kinds":[{"one":1,"two":[1,"x"]}]}"#,
            r#"{"kinds":[{}]}"#,
            r#"{"kinds":[{"plain":1}]}"#,
            r#"{"truth":"true"}"#,
            r#"{"reading":"gone"}"#,
            r#"{"reading":{"seen":{"value":7,"from":"y"}}}"#,
            r#"{"reading":{"seen":{"from":"y"}}}"#,
        ] {
            check(refused, false);
        }
    }

    #[test]
    fn no_message_holds_content() {
        let error = from_slice::<Sample>(br#"{"number":"geheim"}"#).expect_err("refused");
        assert!(!error.to_string().contains("geheim"), "{error}");
        let error = from_slice::<Sample>(br#"{"list":"geheim"}"#).expect_err("refused");
        assert_eq!(error.to_string(), "expected an array, found a text");
    }

    #[test]
    fn depth_is_limited() {
        let deep = format!(r#"{{"whole":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(from_slice::<Sample>(deep.as_bytes()).is_err());
    }

    #[test]
    fn facts_come_back() {
        let facts = Facts::default();
        let text = serde_json::to_vec(&facts).expect("plain data");
        assert_eq!(from_slice::<Facts>(&text).expect("own output"), facts);
    }
}
