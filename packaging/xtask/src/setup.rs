//! Installs what a step needs from Debian's packages when it is missing, and says so. Nothing depends on what a
//! person installed by hand.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::sh;

/// Programs and the Debian or Ubuntu package that holds each.
const PACKAGES: &[(&str, &str)] = &[
    ("age", "age"),
    ("cc", "gcc"),
    ("curl", "curl"),
    ("faketime", "faketime"),
    ("prometheus-node-exporter", "prometheus-node-exporter"),
    ("qemu-aarch64-static", "qemu-user-static"),
    ("qemu-arm-static", "qemu-user-static"),
    ("smartctl", "smartmontools"),
    ("sosreport", "sosreport"),
    ("ssh-keygen", "openssh-client"),
    ("tar", "tar"),
    ("unshare", "util-linux"),
    ("zstd", "zstd"),
];

/// Programs that tests run for real.
pub(crate) const FOR_TESTS: &[&str] =
    &["age", "cc", "curl", "faketime", "ssh-keygen", "tar", "unshare", "zstd"];

/// Programs that the demo uses.
pub(crate) const FOR_DEMO: &[&str] = &["cc", "curl", "smartctl"];

/// Programs that the benchmark uses: the real smartctl is covered by one that imitates drives.
pub(crate) const FOR_BENCH: &[&str] = &["cc", "smartctl", "unshare"];

/// What the benchmark's recovery copies are compared with.
pub(crate) const FOR_COPIES: &[&str] = &["age", "zstd"];

/// Programs that the benchmark compares with.
pub(crate) const COMPARED: &[&str] = &["sosreport", "prometheus-node-exporter"];

/// Makes sure that the programs are there.
pub(crate) fn ensure(programs: &[&str]) -> Result<()> {
    let missing: Vec<&(&str, &str)> =
        PACKAGES.iter().filter(|(program, _)| programs.contains(program) && !sh::exists(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    install(&packages)
}

/// Installs packages.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let line = format!("apt-get install --yes --no-install-recommends {}", packages.join(" "));
    sh::say(&format!("installing: {}", packages.join(" ")));
    if !sh::exists("apt-get") {
        bail!(
            "these programs are missing and there is no apt-get here: {}; install them and run again",
            packages.join(", ")
        );
    }
    let root = sh::command("id", &["-u"]).output().context("id")?.stdout.starts_with(b"0\n");
    let sudo: &[&str] = if root { &[] } else { &["sudo", "--non-interactive"] };
    let apt = |args: &[&str]| {
        let mut all: Vec<&str> = sudo.to_vec();
        all.push("apt-get");
        all.extend(args);
        let (program, rest) = all.split_first().unwrap_or((&"apt-get", &[]));
        let mut command = sh::command(program, rest);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    // Fresh machines have an empty package list; a failed refresh is told by the install that follows.
    let _ = sh::run(&mut apt(&["update", "--quiet"]), Duration::from_secs(120), false)?;
    let mut args = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    args.extend(packages);
    sh::must(&mut apt(&args), Duration::from_secs(240), false)
        .with_context(|| format!("run `{line}` yourself, then try again"))?;
    Ok(())
}
