//! A NAS that reaches nobody, and one in trouble: bundles on a disk, codes that are typed, the check that needs nothing,
//! the verdict slip; and what a portal says of the latest version. The real programs; disks are mounted in a mount
//! namespace of the test's own.

mod disk;
mod rescue;
mod update;

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::cli::portal::Portal;
use crate::cli::run::{Device, Ran, finish};
use crate::support::{binary, skip};

/// A value behind its name at the beginning of a line.
fn field(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
}

/// The portal's name for a device.
fn device_id(device: &Device) -> String {
    let bytes = fs::read(device.state().join("identity/enrolment.json")).expect("enrolled");
    let enrolment: Value = serde_json::from_slice(&bytes).expect("JSON");
    enrolment["device_id"].as_str().expect("a name").to_owned()
}

/// What a command of the portal says.
fn asked(portal: &Portal, arguments: &[&str]) -> Ran {
    finish(portal.command(arguments))
}

/// Runs a script in a mount namespace: `ASSAY` is the program, `STATE` the device's state folder, `OUT` an empty folder.
/// `None` where there are no such namespaces.
fn in_namespace(device: &Device, test: &str, script: &str) -> Option<Ran> {
    let probe = Command::new("unshare").args(["--mount", "true"]).output().expect("unshare runs");
    if !probe.status.success() {
        skip("mount-namespace", &format!("{test}: {}", String::from_utf8_lossy(&probe.stderr)));
        return None;
    }
    fs::create_dir_all(device.path("out")).expect("a folder");
    fs::create_dir_all(device.state()).expect("a folder");
    let state = device.state();
    let script = script
        .replace("ASSAY", binary("assay").to_str().expect("a plain path"))
        .replace("STATE", state.to_str().expect("a plain path"))
        .replace("OUT", &device.text("out"));
    let mut command = Command::new("unshare");
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.args(["--mount", "sh", "-c", &format!("set -e; mount --make-rprivate /\n{script}")]);
    Some(finish(command))
}
