//! Every rule of the service terms is either code with a test named after it or an item of the checklist.
//!
//! Only a test: it reads this crate's own sources, so a rule that lost its test is missed by name. A name counts by its
//! beginning: `a3_…` is a test of A3.
#![allow(clippy::disallowed_methods, reason = "reads this crate's sources, in a test only")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::checklist::ITEMS;

/// Rules of each part of the terms: the letter, and how many there are.
const PARTS: [(char, u8); 5] = [('L', 13), ('E', 9), ('A', 17), ('O', 15), ('S', 2)];

fn rules() -> BTreeSet<String> {
    PARTS.iter().flat_map(|&(part, count)| (1..=count).map(move |n| format!("{part}{n}"))).collect()
}

/// Names of the tests in a source, in its order.
fn tests_in(source: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        let name = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
        match name {
            Some(name) if marked => {
                names.push(name);
                marked = false;
            }
            Some(_) => marked = false,
            None if line == "#[test]" => marked = true,
            None => {}
        }
    }
    names
}

/// The rule that a test is named after.
fn rule_of(test: &str) -> Option<String> {
    let (id, _) = test.split_once('_')?;
    let mut chars = id.chars();
    let part = chars.next()?;
    let digits = chars.as_str();
    let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    (number && part.is_ascii_lowercase()).then(|| id.to_ascii_uppercase())
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("the crate's sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(std::fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn every_rule_is_tested_code_or_a_checklist_item() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let mut tested: BTreeMap<String, usize> = BTreeMap::new();
    for rule in found.iter().flat_map(|source| tests_in(source)).filter_map(rule_of) {
        *tested.entry(rule).or_default() += 1;
    }
    let asked: BTreeSet<String> = ITEMS.iter().map(|item| item.id.to_owned()).collect();
    let rules = rules();

    let unknown: Vec<&String> =
        tested.keys().chain(&asked).filter(|rule| !rules.contains(rule.as_str())).collect();
    assert!(unknown.is_empty(), "the terms have no such rules: {unknown:?}");
    let missing: Vec<&String> =
        rules.iter().filter(|rule| !tested.contains_key(*rule) && !asked.contains(*rule)).collect();
    assert!(
        missing.is_empty(),
        "neither a test is named after these rules nor does the checklist ask: {missing:?}"
    );
}

#[test]
fn names_of_tests_are_read() {
    let source = "#[test]\nfn a3_same_day() {}\nfn a4_helper() {}\n#[test]\n#[ignore]\n    fn l10_x() {\n// fn o1_y()\n";
    assert_eq!(tests_in(source), ["a3_same_day", "l10_x"]);
    for (test, rule) in [
        ("a3_same_day", Some("A3")),
        ("l10_x", Some("L10")),
        ("a_3", None),
        ("an_hour", None),
        ("a3", None),
        ("3a_x", None),
        ("healthy_needs_nothing", None),
    ] {
        assert_eq!(rule_of(test).as_deref(), rule, "{test}");
    }
    assert_eq!(rules().len(), 56);
}
