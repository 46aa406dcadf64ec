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
    ("depmod", "kmod"),
    ("faketime", "faketime"),
    ("nginx", "nginx-light"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("openssl", "openssl"),
    // Debian keeps the server itself out of the path.
    ("pg_ctlcluster", "postgresql"),
    // Virtual environments bring a `pip3` of their own, which may lack the package.
    ("/usr/bin/pip3", "python3-pip"),
    ("prometheus-node-exporter", "prometheus-node-exporter"),
    ("python3", "python3"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-aarch64-static", "qemu-user-static"),
    ("qemu-arm-static", "qemu-user-static"),
    ("smartctl", "smartmontools"),
    ("sosreport", "sosreport"),
    ("ssh-keygen", "openssh-client"),
    ("strip", "binutils"),
    ("tar", "tar"),
    ("unshare", "util-linux"),
    ("zstd", "zstd"),
];

/// Programs that tests run for real.
pub(crate) const FOR_TESTS: &[&str] =
    &["age", "cc", "curl", "faketime", "pg_ctlcluster", "python3", "ssh-keygen", "tar", "unshare", "zstd"];

/// Programs that the demo uses.
pub(crate) const FOR_DEMO: &[&str] = &["cc", "curl", "smartctl"];

/// Programs that the virtual NAS needs; what runs inside it is unpacked and not installed.
pub(crate) const FOR_LAB: &[&str] = &["cc", "depmod", "qemu-system-x86_64", "smartctl", "strip"];

/// Programs that the benchmark uses: the real smartctl is covered by one that imitates drives.
pub(crate) const FOR_BENCH: &[&str] = &["cc", "smartctl", "unshare"];

/// What installs and runs the programs of other people that tests talk to.
pub(crate) const FOR_FOREIGN: &[&str] = &["node", "npm", "/usr/bin/pip3"];

/// What the benchmark's uploads are compared with, besides those programs.
pub(crate) const FOR_UPLOADS: &[&str] = &["nginx", "openssl"];

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
