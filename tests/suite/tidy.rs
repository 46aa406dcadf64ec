//! Tidiness: lists equal folders, every file says what it is for, nothing half-finished, nothing of one machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::root;

/// A folder whose files are listed in one place: folder, the list's file, how a listed name is written there.
const LISTS: &[(&str, &str)] = &[
    ("collector/src/probes", "collector/src/probes.rs"),
    ("diagnosis/src/rules", "diagnosis/src/rules.rs"),
    ("warranty/src/lanes", "warranty/src/lanes.rs"),
    ("agent/src/commands", "agent/src/commands.rs"),
    ("portal/src/handlers", "portal/src/handlers.rs"),
];

/// Largest file before a newcomer loses the way. Tables and tests count too.
const MOST_LINES: usize = 700;

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("readable folder") {
        let path = entry.expect("readable entry").path();
        let name = path.file_name().expect("named").to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                files(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&root(), ".rs", &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| (path.clone(), std::fs::read_to_string(&path).expect("UTF-8 source")))
        .collect()
}

#[test]
fn lists_equal_folders() {
    for (folder, list) in LISTS {
        let text = std::fs::read_to_string(root().join(list)).unwrap_or_else(|e| panic!("{list}: {e}"));
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}")) {
            let name = entry.expect("entry").file_name().to_string_lossy().into_owned();
            if let Some(stem) = name.strip_suffix(".rs") {
                found.insert(stem.to_owned());
            }
        }
        assert!(!found.is_empty(), "{folder} is empty");
        let code: String =
            text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for stem in &found {
            assert!(code.contains(&format!("mod {stem};")), "{folder}/{stem}.rs is not in {list}");
            // Once as a module, once more in the list itself.
            let uses = code.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| w == stem).count();
            assert!(uses >= 2, "{stem} is a module of {list} but not in its list");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in sources() {
        assert!(text.starts_with("//!"), "{} does not open with //!", path.display());
    }
}

#[test]
fn files_stay_readable() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines: split it", path.display());
    }
}

/// Code outside `#[cfg(test)]` modules: everything up to the first one, by our file order (tests come last).
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

/// Whether a file is a module that its parent declares under `#[cfg(test)]`, or lies below one.
fn only_for_tests(path: &Path, sources: &[(PathBuf, String)]) -> bool {
    path.ancestors().take_while(|p| p.file_name().is_some_and(|n| n != "src")).any(|module| {
        let name = module.file_stem().expect("named").to_string_lossy().into_owned();
        let Some(folder) = module.parent() else { return false };
        let parents = [folder.with_extension("rs"), folder.join("lib.rs"), folder.join("main.rs")];
        sources.iter().filter(|(p, _)| parents.contains(p)).any(|(_, text)| {
            let mut lines = text.lines().map(str::trim).filter(|l| !l.starts_with("//"));
            let (mut under, mut open) = (false, false);
            lines.any(|line| {
                let declares = line.ends_with(&format!("mod {name};")) && under;
                // An attribute may take several lines.
                open = (open || (line.starts_with("#[") && !line.ends_with(']'))) && !line.ends_with(")]");
                let more = open || line.starts_with("#[") || line.ends_with(")]");
                under = line.starts_with("#[cfg(test)]") || (under && more);
                declares
            })
        })
    })
}

#[test]
fn shipped_code_does_not_panic_on_purpose() {
    let sources = sources();
    for (path, text) in &sources {
        let relative = path.strip_prefix(root()).expect("below the root");
        if relative.starts_with("tests")
            || relative.starts_with("packaging/xtask")
            || only_for_tests(path, &sources)
        {
            continue;
        }
        for (number, line) in shipped(text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            for word in [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!("] {
                assert!(
                    !code.contains(word),
                    "{}:{}: `{word}` outside tests: {line}",
                    relative.display(),
                    number + 1
                );
            }
        }
    }
}

/// The files with `unsafe`: two ioctls, and three short calls, that no crate has a safe interface for.
const UNSAFE_FILES: [&str; 2] = ["collector/src/live/ioctl.rs", "collector/src/live/kernel_calls.rs"];

#[test]
fn unsafe_code_is_in_two_functions() {
    let word = |line: &str, wanted: &str| {
        line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == wanted)
    };
    let mut found = BTreeSet::new();
    for (path, text) in sources() {
        let relative = path.strip_prefix(root()).expect("below the root").display().to_string();
        // What stands between quotes is text: a counter of drives has the word in its name.
        let bare = |line: &str| line.split('"').step_by(2).collect::<Vec<_>>().join(" ");
        let code = text.lines().map(|line| bare(line.split("//").next().unwrap_or(line)));
        let lines: Vec<_> = code.filter(|line| word(line, "unsafe") || word(line, "unsafe_code")).collect();
        // Nothing of the tests ships, and their strings name what they look for.
        if relative.starts_with("tests/") || lines.is_empty() {
            continue;
        }
        let lifted = lines.iter().filter(|line| word(line, "unsafe_code")).count();
        assert_eq!(lifted, 1, "{relative}: `unsafe_code` is lifted for one function: {lines:?}");
        found.insert(relative);
    }
    assert_eq!(found, BTreeSet::from(UNSAFE_FILES.map(str::to_owned)));
}

#[test]
fn the_collectors_lints_are_the_workspaces() {
    fn lints(file: &str, head: &str) -> BTreeSet<String> {
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let mut section = String::new();
        let mut found = BTreeSet::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']').to_owned();
            } else if let Some(tool) = section.strip_prefix(head)
                && line.contains('=')
                && !line.starts_with('#')
            {
                found.insert(format!("{tool}: {line}"));
            }
        }
        found
    }
    let workspace: BTreeSet<_> = lints("Cargo.toml", "workspace.lints.")
        .into_iter()
        .map(|line| line.replace("unsafe_code = \"forbid\"", "unsafe_code = \"deny\""))
        .collect();
    assert!(!workspace.is_empty());
    assert_eq!(lints("collector/Cargo.toml", "lints."), workspace);
    // Everybody else takes them as they are.
    let mut manifests = Vec::new();
    files(&root(), "Cargo.toml", &mut manifests);
    for path in manifests {
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        let own = text.contains("[lints]\nworkspace = true") || text.contains("[workspace]");
        assert!(own || path.ends_with("collector/Cargo.toml"), "{} has lints of its own", path.display());
    }
}

#[test]
fn nothing_half_finished_and_nothing_of_one_machine() {
    let words = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["XX", "X "].concat(),
        ["for ", "now"].concat(),
        ["place", "holder"].concat(),
        ["/wo", "rk/"].concat(),
        ["/ro", "ot/"].concat(),
    ];
    let mut all = Vec::new();
    for ending in [".rs", ".toml", ".md", ".html", ".css", ".sql", "run"] {
        files(&root(), ending, &mut all);
    }
    for path in all {
        let relative = path.strip_prefix(root()).expect("below the root").display().to_string();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for word in &words {
            let hit = text.lines().position(|line| line.contains(word.as_str()));
            assert!(hit.is_none(), "{relative}:{}: contains {word:?}", hit.unwrap_or_default() + 1);
        }
    }
}

#[test]
fn third_party_files_are_what_the_list_says() {
    let list = std::fs::read_to_string(root().join("THIRD_PARTY.md")).expect("THIRD_PARTY.md");
    for row in list.lines().filter(|l| l.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(|c| c.trim().trim_matches('`')).collect();
        let bytes = std::fs::read(root().join(cells[1])).unwrap_or_else(|e| panic!("{}: {e}", cells[1]));
        assert_eq!(assay_bundle::digest::sha256_hex(&bytes), cells[4], "{} changed", cells[1]);
    }
}
