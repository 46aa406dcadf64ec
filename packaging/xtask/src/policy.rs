//! The lists of `deny.toml` checked over `cargo metadata`: licences, bans, sources, and two versions of one crate in
//! what the agent links. One policy file for this and for `cargo deny`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::sh;

/// Crates that the agent links twice, each with the reason and the date it was looked at. Anything else fails.
const DUPLICATES_IN_AGENT: &[(&str, &str)] = &[
    ("getrandom", "2026-11: ring 0.17 needs 0.2, everything else 0.4"),
    ("sha2", "2026-11: age's crypto crates need 0.10"),
    ("digest", "2026-11: as sha2"),
    ("block-buffer", "2026-11: as sha2"),
    ("crypto-common", "2026-11: as sha2"),
    ("hashbrown", "2026-11: age's and toml's trees"),
    ("syn", "2026-11: build time only"),
    ("cpufeatures", "2026-11: as sha2"),
    ("rand_core", "2026-11: age's crypto crates need the old one"),
    ("base64", "2026-11: reqwest is one version behind"),
    ("const-oid", "2026-11: as sha2"),
    ("hybrid-array", "2026-11: age's post-quantum recipients need 0.2"),
];

/// Runs the check.
pub(crate) fn run() -> Result<()> {
    let text = std::fs::read_to_string(sh::root().join("deny.toml")).context("deny.toml")?;
    let allowed: BTreeSet<String> = list(&text, "allow = [").into_iter().collect();
    let banned: BTreeSet<String> = list(&text, "deny = [").into_iter().collect();
    if allowed.is_empty() || banned.is_empty() {
        bail!("deny.toml has no lists of licences and bans any more");
    }
    let out = sh::must(
        &mut sh::cargo(&["metadata", "--format-version", "1", "--locked"]),
        Duration::from_secs(60),
        false,
    )?;
    let metadata: Value = serde_json::from_str(&out).context("cargo metadata")?;
    let mut wrong = Vec::new();
    let packages = metadata["packages"].as_array().context("packages")?;
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let version = package["version"].as_str().unwrap_or_default();
        if banned.contains(name) {
            wrong.push(format!("{name} {version} is banned (deny.toml)"));
        }
        match package["license"].as_str() {
            Some(licence) if satisfied(licence, &allowed) => {}
            Some(licence) => wrong.push(format!("{name} {version} has licence `{licence}`, not allowed")),
            None => wrong.push(format!("{name} {version} names no licence")),
        }
        match package["source"].as_str() {
            None => {}
            Some(source) if source.starts_with("registry+") => {}
            Some(source) => wrong.push(format!("{name} {version} comes from {source}")),
        }
    }
    wrong.extend(duplicates_in_agent()?);
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    sh::say(&format!("policy: {} crates, licences, bans and sources hold", packages.len()));
    Ok(())
}

fn duplicates_in_agent() -> Result<Vec<String>> {
    let tree = sh::must(
        &mut sh::cargo(&[
            "tree",
            "-p",
            "assay-agent",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--locked",
            "-f",
            "{p}",
        ]),
        Duration::from_secs(60),
        false,
    )?;
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in tree.lines() {
        let mut words = line.split(' ');
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            versions.entry(name).or_default().insert(version);
        }
    }
    let known: BTreeSet<&str> = DUPLICATES_IN_AGENT.iter().map(|(name, _)| *name).collect();
    Ok(versions
        .into_iter()
        .filter(|(name, versions)| versions.len() > 1 && !known.contains(name))
        .map(|(name, versions)| {
            format!("the agent links {name} {versions:?}: argue it in packaging/xtask/src/policy.rs")
        })
        .collect())
}

/// Strings of the array that begins with the line `start`; of an inline table, its `crate`.
fn list(text: &str, start: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| line.trim() != start)
        .skip(1)
        .take_while(|line| line.trim() != "]")
        .filter_map(|line| line.split('"').nth(1))
        .map(str::to_owned)
        .collect()
}

/// Whether an SPDX expression can be met with allowed licences: every `AND` part has an allowed `OR` choice.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let plain = expression.replace('/', " OR ");
    let flat = plain.replace(['(', ')'], " ");
    if plain.contains('(') {
        // Only conjunctions of parenthesised choices occur; each must have one allowed member.
        return plain.split(" AND ").all(|part| {
            part.replace(['(', ')'], " ").split(" OR ").any(|licence| allowed.contains(licence.trim()))
        });
    }
    flat.split(" OR ").any(|choice| choice.split(" AND ").all(|licence| allowed.contains(licence.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, expected: bool) {
        let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0", "ISC"];
        let allowed = allowed.map(str::to_owned).into_iter().collect();
        assert_eq!(satisfied(expression, &allowed), expected, "{expression}");
    }

    #[test]
    fn expressions() {
        check("MIT", true);
        check("GPL-3.0", false);
        check("MIT/Apache-2.0", true);
        check("GPL-2.0 OR MIT", true);
        check("MIT AND GPL-2.0", false);
        check("Apache-2.0 AND ISC", true);
        check("(MIT OR Apache-2.0) AND Unicode-3.0", true);
        check("(MIT OR Apache-2.0) AND GPL-2.0", false);
        check("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true);
    }

    #[test]
    fn lists_are_read() {
        let text = "allow = [\n    \"MIT\",\n]\ndeny = [\n    { crate = \"x\", reason = \"y\" },\n]\n";
        assert_eq!(list(text, "allow = ["), ["MIT"]);
        assert_eq!(list(text, "deny = ["), ["x"]);
    }
}
