//! For tests of probes: reading what redaction left gives what redaction makes of the reading.

#![allow(clippy::expect_used)]

use std::collections::BTreeMap;

use assay_bundle::redact::{Door as Redaction, Level, PseudonymKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::door::Door;
use crate::door::testing::run;

/// Runs a probe over recorded files and over their redacted forms. Nothing may be held back, and both ways must give the
/// same facts, which are returned.
pub(crate) fn check<T: Serialize + DeserializeOwned + Clone>(
    files: &[(&str, &str)],
    probe: impl AsyncFn(&Door<'_>) -> T,
) -> T {
    let facts = run(files, async |door| probe(door).await);
    let key = PseudonymKey([7; 32].into());
    let mut redaction = Redaction::open(&key, Level::Standard).expect("the door opens");
    let redacted: BTreeMap<&str, String> = files
        .iter()
        .map(|(name, text)| {
            let clean =
                redaction.raw(name, text.as_bytes()).unwrap_or_else(|| panic!("{name} may not leave"));
            (*name, String::from_utf8_lossy(clean.bytes()).into_owned())
        })
        .collect();
    let (_, expected) = redaction.document("facts.json", facts.clone()).expect("facts are JSON");
    let redacted: Vec<(&str, &str)> = redacted.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let again = run(&redacted, async |door| probe(door).await);
    let json = |facts: &T| serde_json::to_value(facts).expect("plain data");
    assert_eq!(json(&again), json(&expected), "{redacted:?}");
    facts
}
