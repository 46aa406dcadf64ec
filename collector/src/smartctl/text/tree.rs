//! The tree that a report is read into.

use serde_json::{Map, Value};

/// smartctl's JSON keys, filled line by line. The first value of a key stays: a later line never takes back what an
/// earlier one said, so a report that was cut says nothing else than the whole one.
pub(super) struct Tree(Map<String, Value>);

impl Tree {
    pub(super) fn new() -> Self {
        Self(Map::new())
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// The value at `a/b/c`.
    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        let mut parts = path.split('/');
        let first = self.0.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }

    /// Sets `a/b/c` where nothing stands yet. A `null` ("not supported") gives way to a value.
    pub(super) fn put(&mut self, path: &str, value: impl Into<Value>) {
        if let Some(slot) = self.slot(path)
            && slot.is_null()
        {
            *slot = value.into();
        }
    }

    /// The same where the line has a number.
    pub(super) fn put_some<T: Into<Value>>(&mut self, path: &str, value: Option<T>) {
        if let Some(value) = value {
            self.put(path, value);
        }
    }

    /// A counter of up to 128 bits, in the two spellings that smartctl uses.
    pub(super) fn put_counter(&mut self, path: &str, value: Option<u128>) {
        let Some(value) = value else { return };
        if let Ok(small) = u64::try_from(value) {
            self.put(path, small);
        }
        self.put(&format!("{path}_s"), value.to_string());
    }

    /// Appends to the array at `a/b/c`; an empty array with `None`.
    pub(super) fn push(&mut self, path: &str, value: Option<Value>) {
        let Some(slot) = self.slot(path) else { return };
        if slot.is_null() {
            *slot = Value::Array(Vec::new());
        }
        if let (Value::Array(list), Some(value)) = (slot, value) {
            list.push(value);
        }
    }

    fn slot(&mut self, path: &str) -> Option<&mut Value> {
        let mut parts = path.split('/');
        let first = self.0.entry(parts.next()?).or_insert(Value::Null);
        parts.try_fold(first, |value, part| {
            if value.is_null() {
                *value = Value::Object(Map::new());
            }
            value.as_object_mut().map(|object| object.entry(part).or_insert(Value::Null))
        })
    }
}

#[test]
fn the_first_value_stays() {
    let mut tree = Tree::new();
    tree.put("a/b", Value::Null);
    tree.put("a/b", 1);
    tree.put("a/b", 2);
    tree.put("a/b/c", 3);
    tree.push("a/list", None);
    tree.push("a/list", Some(Value::from(4)));
    tree.put_counter("n", Some(u128::MAX));
    let expected = serde_json::json!({"a": {"b": 1, "list": [4]}, "n_s": u128::MAX.to_string()});
    assert_eq!(tree.into_value(), expected);
}
