//! The arrows of the tree, as a table. A wrong edge, a crate outside the lints or a heavy dependency in the wrong
//! place fails here with both sides shown.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::support::root;

/// Who may depend on whom (normal and build dependencies inside the workspace).
const ARROWS: &[(&str, &[&str])] = &[
    ("assay-bundle", &[]),
    ("assay-diagnosis", &["assay-bundle"]),
    ("assay-warranty", &["assay-bundle"]),
    ("assay-collector", &["assay-bundle"]),
    ("assay-uploader", &["assay-bundle"]),
    (
        "assay-agent",
        &["assay-bundle", "assay-collector", "assay-diagnosis", "assay-uploader", "assay-warranty"],
    ),
    ("assay-portal", &["assay-bundle", "assay-collector", "assay-diagnosis", "assay-warranty"]),
    (
        "assay-tests",
        &[
            "assay-agent",
            "assay-bundle",
            "assay-collector",
            "assay-diagnosis",
            "assay-portal",
            "assay-uploader",
            "assay-warranty",
        ],
    ),
    ("xtask", &[]),
];

fn metadata() -> Value {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("cargo prints JSON")
}

#[test]
fn arrows_point_at_bundle() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    assert_eq!(packages.len(), ARROWS.len(), "a crate without a row in the table");
    for package in packages {
        let name = package["name"].as_str().expect("name");
        let found: BTreeSet<&str> = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            .filter(|d| d["kind"] != "dev" && d["path"].is_string())
            .map(|d| d["name"].as_str().expect("name"))
            .collect();
        let allowed = allowed.get(name).unwrap_or_else(|| panic!("{name} has no row in the table"));
        assert!(found.is_subset(allowed), "{name} depends on {found:?}, allowed are {allowed:?}");
    }
}

#[test]
fn folder_crate_and_version_agree() {
    for package in metadata()["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("name");
        let manifest = package["manifest_path"].as_str().expect("path");
        let folder = std::path::Path::new(manifest).parent().and_then(|p| p.file_name()).expect("folder");
        let folder = folder.to_string_lossy();
        assert!(name == folder || name == format!("assay-{folder}"), "{name} lies in {folder}");
        let text = std::fs::read_to_string(manifest).expect("manifest");
        // The collector restates the lints for one function; `tidy` holds its list to the workspace's.
        let lints = if folder == "collector" { "[lints.rust]" } else { "[lints]\nworkspace = true" };
        for line in ["version.workspace = true", "license.workspace = true", lints] {
            assert!(text.contains(line), "{manifest} lacks `{line}`");
        }
    }
}

/// What a crate links, by `cargo tree` over normal edges.
fn links(package: &str) -> BTreeSet<String> {
    let out = Command::new(env!("CARGO"))
        .args([
            "tree",
            "-p",
            package,
            "-e",
            "normal",
            "--prefix",
            "none",
            "--locked",
            "--offline",
            "-f",
            "{p}",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|l| l.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn check_links(package: &str, never: &[&str]) {
    let links = links(package);
    for name in never {
        assert!(!links.contains(*name), "{package} must not link {name}");
    }
}

#[test]
fn the_pure_crates_link_no_edge() {
    for pure in ["assay-bundle", "assay-diagnosis", "assay-warranty"] {
        check_links(pure, &["tokio", "reqwest", "sysinfo", "rustix", "tracing", "sqlx"]);
    }
}

#[test]
fn the_portal_cannot_read_a_live_machine() {
    check_links("assay-portal", &["sysinfo", "assay-uploader"]);
}

#[test]
fn the_agent_stays_small() {
    check_links(
        "assay-agent",
        &["axum", "sqlx", "askama", "hickory-resolver", "h2", "openssl", "aws-lc-rs", "chrono"],
    );
}

#[test]
fn xtask_builds_fast() {
    check_links("xtask", &["tokio", "reqwest", "ring"]);
}

#[test]
fn purity_is_fenced_by_lint() {
    for (krate, fences) in [
        ("bundle", ["std::fs", "std::process", "SystemTime"]),
        ("diagnosis", ["std::fs", "std::process", "SystemTime"]),
        ("warranty", ["std::fs", "std::process", "SystemTime"]),
    ] {
        let text = std::fs::read_to_string(root().join(krate).join("clippy.toml")).expect("clippy.toml");
        for fence in fences {
            assert!(text.contains(fence), "{krate}/clippy.toml does not forbid {fence}");
        }
    }
}
