//! Documents are true: generated parts are fresh, names that they cite exist.

use std::process::Command;

use crate::support::root;

#[test]
fn generated_parts_are_fresh() {
    let out = Command::new(env!("CARGO"))
        .args(["xtask", "docs", "--check"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
}

/// Paths in backticks that look like ours must exist.
#[test]
fn cited_files_exist() {
    for document in ["README.md", "CONTRIBUTING.md", "bundle/FORMAT.md", "THIRD_PARTY.md"] {
        let text =
            std::fs::read_to_string(root().join(document)).unwrap_or_else(|e| panic!("{document}: {e}"));
        for cited in text.split('`').skip(1).step_by(2) {
            let ours = [
                "bundle/",
                "collector/",
                "diagnosis/",
                "warranty/",
                "uploader/",
                "agent/",
                "portal/",
                "packaging/",
                "tests/",
            ];
            let path = cited.trim_end_matches('/');
            if ours.iter().any(|p| cited.starts_with(p)) && !cited.contains(['<', '*', ' ', '…']) {
                assert!(root().join(path).exists(), "{document} cites `{cited}`, which does not exist");
            }
        }
    }
}

#[test]
fn the_changelog_names_the_version() {
    let cargo = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let version =
        cargo.lines().find_map(|l| l.strip_prefix("version = \"")).expect("version").trim_end_matches('"');
    let changelog = std::fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md");
    assert!(changelog.contains(&format!("## {version}")), "CHANGELOG.md has no section {version}");
}
