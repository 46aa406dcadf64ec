//! Looking through a bundle before it leaves: every line with a word in it, and every line that was changed beside what
//! it was.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use assay_diagnosis::text::escaped;

use crate::stand_ins::{StandIns, turned_back};

/// How a mark of a secret begins.
const MARK: &str = "[redacted:";

/// Every line of every file that holds the word, in any case, as `file:line: text`.
pub(crate) fn search(files: &BTreeMap<String, Vec<u8>>, word: &str) -> String {
    let word = word.to_lowercase();
    let mut out = String::new();
    for (name, bytes) in files {
        for (line, number) in String::from_utf8_lossy(bytes).lines().zip(1_u64..) {
            if line.to_lowercase().contains(&word) {
                let _ = writeln!(out, "{}:{number}: {}", escaped(name), escaped(line));
            }
        }
    }
    out
}

/// Every line in which something was replaced, as it leaves, and before it as it was, as far as this device knows.
pub(crate) fn difference(files: &BTreeMap<String, Vec<u8>>, table: &StandIns) -> String {
    let mut out = String::new();
    let mut changed = 0_u64;
    for (name, bytes) in files {
        let mut head = false;
        for (line, number) in String::from_utf8_lossy(bytes).lines().zip(1_u64..) {
            let was = turned_back(table, line);
            if was.is_none() && !line.contains(MARK) {
                continue;
            }
            if !head {
                let _ = writeln!(out, "{}", escaped(name));
                head = true;
            }
            changed += 1;
            let _ = writeln!(out, "{number:>7} - {}", escaped(was.as_deref().unwrap_or(line)));
            let _ = writeln!(out, "        + {}", escaped(line));
        }
    }
    let _ = writeln!(
        out,
        "{changed} lines were changed; secrets ([redacted:…]) are kept nowhere and cannot be shown"
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> BTreeMap<String, Vec<u8>> {
        let text = "from host-2a3b4c5d\nplain\npassword=[redacted:password] \u{1b}[2J\n";
        [("raw/dev/kmsg".to_owned(), text.as_bytes().to_vec())].into()
    }

    #[test]
    fn a_word_is_found_with_its_place() {
        assert_eq!(search(&files(), "PLAIN"), "raw/dev/kmsg:2: plain\n");
        assert_eq!(search(&files(), "office"), "");
    }

    #[test]
    fn what_changed_stands_beside_what_it_was() {
        let table = [("host-2a3b4c5d".to_owned(), "office".to_owned())].into();
        let text = difference(&files(), &table);
        let expected = "raw/dev/kmsg\n      1 - from office\n        + from host-2a3b4c5d\n      3 - \
            password=[redacted:password] \\u{1b}[2J\n        + password=[redacted:password] \\u{1b}[2J\n2 lines";
        assert!(text.starts_with(expected), "{text}");
    }
}
