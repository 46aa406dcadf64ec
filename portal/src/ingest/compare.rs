//! The device's facts beside our own reading of its raw files.
//!
//! Only a value that both saw, that differs, under the same parsers, contradicts: then facts ≠ raw. A value that one
//! saw and the other did not, or any difference under other parsers, is a difference of parsers and is only listed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most differences that are kept of each kind; one is enough to look.
const MOST: usize = 200;
/// Longest value that is kept, in characters.
const LONGEST_VALUE: usize = 200;
/// Fields that name an element of a list: lists are compared by name where every element has one.
const NAMES: [&str; 3] = ["name", "device", "id"];

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Path of the fact, such as `drives[sda].health_passed`.
    pub fact: String,
    /// What the device states.
    pub device: String,
    /// What we read.
    pub portal: String,
}

/// All differences.
#[derive(Debug, Default)]
pub struct Differences {
    /// Facts ≠ raw.
    pub contradictions: Vec<Difference>,
    /// Differences of parsers.
    pub parser_differences: Vec<Difference>,
}

/// Compares facts as JSON.
pub fn compare(device: &Value, portal: &Value, same_parsers: bool) -> Differences {
    let mut walk = Walk { same_parsers, found: Differences::default() };
    walk.values("", device, portal, false);
    walk.found
}

struct Walk {
    same_parsers: bool,
    found: Differences,
}

/// The value inside `{"seen": {"value": …, "from": …}}`.
fn seen(value: &Value) -> Option<&Value> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    map.get("seen")?.get("value")
}

/// One of the other three states of an observation.
fn is_unseen(value: &Value) -> bool {
    match value {
        Value::String(word) => word == "absent" || word == "not_collected",
        Value::Object(map) => map.len() == 1 && map.get("unreadable").is_some_and(Value::is_object),
        _ => false,
    }
}

impl Walk {
    /// `inside`: whether both saw the value that this is a part of.
    fn values(&mut self, path: &str, device: &Value, portal: &Value, inside: bool) {
        match (seen(device), seen(portal)) {
            (Some(device), Some(portal)) => return self.values(path, device, portal, true),
            (Some(value), None) if is_unseen(portal) => return self.note(path, value, portal, false),
            (None, Some(value)) if is_unseen(device) => return self.note(path, device, value, false),
            _ => {}
        }
        if is_unseen(device) && is_unseen(portal) {
            if device != portal {
                self.note(path, device, portal, false);
            }
            return;
        }
        match (device, portal) {
            (Value::Object(device), Value::Object(portal)) => self.objects(path, device, portal, inside),
            (Value::Array(device), Value::Array(portal)) => self.lists(path, device, portal, inside),
            (device, portal) if device == portal => {}
            (device, portal) => self.note(path, device, portal, inside),
        }
    }

    fn objects(
        &mut self,
        path: &str,
        device: &Map<String, Value>,
        portal: &Map<String, Value>,
        inside: bool,
    ) {
        for (key, value) in device {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match portal.get(key) {
                Some(other) => self.values(&path, value, other, inside),
                // A field that only newer parsers know.
                None => self.note(&path, value, &Value::Null, false),
            }
        }
        for (key, value) in portal.iter().filter(|(key, _)| !device.contains_key(*key)) {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.note(&path, &Value::Null, value, false);
        }
    }

    fn lists(&mut self, path: &str, device: &[Value], portal: &[Value], inside: bool) {
        let (device, portal) = match (named(device), named(portal)) {
            (Some(device), Some(portal)) => (device, portal),
            _ => (numbered(device), numbered(portal)),
        };
        for (name, value) in &device {
            let path = format!("{path}[{name}]");
            match portal.get(name) {
                Some(other) => self.values(&path, value, other, inside),
                None => self.note(&path, value, &Value::Null, inside),
            }
        }
        for (name, value) in portal.iter().filter(|(name, _)| !device.contains_key(*name)) {
            self.note(&format!("{path}[{name}]"), &Value::Null, value, inside);
        }
    }

    fn note(&mut self, path: &str, device: &Value, portal: &Value, both_saw: bool) {
        let list = if both_saw && self.same_parsers {
            &mut self.found.contradictions
        } else {
            &mut self.found.parser_differences
        };
        if list.len() < MOST {
            list.push(Difference { fact: path.to_owned(), device: short(device), portal: short(portal) });
        }
    }
}

fn named(list: &[Value]) -> Option<BTreeMap<String, &Value>> {
    let field = NAMES.iter().find(|field| list.iter().all(|element| element.get(**field).is_some()))?;
    let by_name: BTreeMap<String, &Value> = list
        .iter()
        .filter_map(|element| {
            element.get(*field).map(|name| (short(name).trim_matches('"').to_owned(), element))
        })
        .collect();
    // Two elements of one name can only be told apart by their place.
    (by_name.len() == list.len()).then_some(by_name)
}

fn numbered(list: &[Value]) -> BTreeMap<String, &Value> {
    list.iter().enumerate().map(|(index, element)| (format!("{index:05}"), element)).collect()
}

fn short(value: &Value) -> String {
    if value.is_null() {
        return "—".to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(device: &Value, portal: &Value, contradictions: &[&str], parser_differences: &[&str]) {
        let found = compare(device, portal, true);
        let paths = |list: &[Difference]| list.iter().map(|d| d.fact.clone()).collect::<Vec<_>>();
        assert_eq!(paths(&found.contradictions), contradictions, "{device} {portal}");
        assert_eq!(paths(&found.parser_differences), parser_differences, "{device} {portal}");
        let other = compare(device, portal, false);
        assert!(other.contradictions.is_empty(), "other parsers never contradict");
    }

    fn seen(value: Value) -> Value {
        json!({"seen": {"value": value, "from": "proc/x"}})
    }

    #[test]
    fn only_what_both_saw_contradicts() {
        let failed = json!({"unreadable": {"why": "it burnt"}});
        check(&json!({"a": seen(json!(1))}), &json!({"a": seen(json!(1))}), &[], &[]);
        check(&json!({"a": seen(json!(1))}), &json!({"a": seen(json!(2))}), &["a"], &[]);
        check(&json!({"a": seen(json!(1))}), &json!({"a": "absent"}), &[], &["a"]);
        check(&json!({"a": "not_collected"}), &json!({"a": seen(json!(1))}), &[], &["a"]);
        check(&json!({"a": failed}), &json!({"a": "absent"}), &[], &["a"]);
        check(&json!({"a": seen(json!(1)), "b": 1}), &json!({"a": seen(json!(1))}), &[], &["b"]);
    }

    #[test]
    fn lists_are_compared_by_name() {
        let list = |entries: &[(&str, i64)]| {
            let entries: Vec<_> =
                entries.iter().map(|(name, rpm)| json!({"name": name, "speed": seen(json!(rpm))})).collect();
            json!({"fans": seen(json!(entries))})
        };
        check(&list(&[("a", 1), ("b", 2)]), &list(&[("b", 2), ("a", 1)]), &[], &[]);
        check(&list(&[("a", 1)]), &list(&[("a", 3)]), &["fans[a].speed"], &[]);
        check(&list(&[("a", 1), ("b", 2)]), &list(&[("a", 1)]), &["fans[b]"], &[]);
        check(&list(&[]), &list(&[("a", 1)]), &["fans[a]"], &[]);
        check(&json!({"x": seen(json!([1, 2]))}), &json!({"x": seen(json!([1, 3]))}), &["x[00001]"], &[]);
    }
}
