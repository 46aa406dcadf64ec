//! What the reader of documents reads and refuses, compared with serde_json.

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
    check(r#"{"reading":{"seen":{"value":["absent",{"seen":{"value":3,"from":"x"}}],"from":"y"}}}"#, true);
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

#[derive(Debug, PartialEq, Deserialize)]
struct Needy {
    first: u8,
    #[serde(default = "seven")]
    second: u8,
    third: Option<u8>,
    #[serde(rename = "4th")]
    fourth: Observed<u8>,
    #[serde(skip)]
    never: u8,
}

fn seven() -> u8 {
    7
}

fn check_needy(text: &str) {
    let by_serde_json = serde_json::from_str::<Needy>(text);
    match (from_slice::<Needy>(text.as_bytes()), by_serde_json) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
        (Err(found), Err(expected)) => {
            assert!(expected.to_string().starts_with(&found.to_string()), "{found}, not {expected}");
        }
        (found, expected) => assert_eq!(found.ok(), expected.ok(), "{text}"),
    }
}

#[test]
fn fields_are_found_by_their_names() {
    check_needy(r#"{"first":1,"second":2,"third":3,"4th":"absent"}"#);
    check_needy(r#"{"4th":"absent","third":3,"second":2,"first":1}"#);
    check_needy(r#"{"more":[],"first":1,"never":5,"4th":{"seen":{"value":4,"from":"x"}}}"#);
    check_needy(r#"{"first":1}"#);
    check_needy(r#"{"4th":"absent"}"#);
    check_needy(r#"{"first":1,"third":null,"4th":"absent","third":3}"#);
    check_needy(r#"{"first":1,"fifth":2}"#);
    check_needy(r#"{"first":1,"4th":""}"#);
}

/// The list is that of the attribute in all sources that are read by this reader.
#[test]
fn the_strict_are_strict() {
    let mut named = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && name != "target" && name != ".git" {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                let strict = text.split(concat!("#[serde(", "deny_unknown_fields)]")).skip(1);
                named.extend(strict.filter_map(|after| {
                    let (body, _) = after.split_once(" struct ")?.1.split_once("\n}")?;
                    let name = body.split([' ', '<']).next()?;
                    let last = body.rsplit_once("pub ")?.1.split(':').next()?;
                    Some((name.to_owned(), last.to_owned()))
                }));
            }
        }
    }
    named.sort_unstable();
    let named: Vec<(&str, &str)> = named.iter().map(|(name, last)| (&**name, &**last)).collect();
    assert_eq!(named, fields::STRICT);
    let unknown = br#"{"document":"","signature":"","extra":1}"#;
    let error = from_slice::<crate::statement::Signed>(unknown).expect_err("a field too many");
    assert!(error.to_string().contains("unknown field `extra`"), "{error}");
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
