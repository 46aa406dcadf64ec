//! A machine with 24 SATA drives on one controller that do not exist: a folder that stands in `/sys/block`'s place and
//! a small `smartctl` in the real one's, in a mount namespace of its own. The release binary is what a NAS runs; it has
//! no way in for a benchmark.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::sh;

/// Drives of the machine: the largest QNAP enclosure in one.
const DRIVES: usize = 24;

/// What imitates smartctl.
const SMARTCTL: &str = include_str!("smartctl.c");
/// Where a smartctl may be; whichever is there is covered.
const TOOL_DIRS: &str = "/opt/sbin /usr/local/sbin /usr/sbin /usr/bin";

/// The folder of it.
pub(super) struct Machine(PathBuf);

impl Machine {
    /// A machine that is already prepared.
    pub(super) fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Writes the drives and compiles their smartctl.
    pub(super) fn prepare(folder: &Path) -> Result<Self> {
        let machine = Self::at(folder);
        let recorded = recorded_answers()?;
        std::fs::create_dir_all(machine.path("block")).context("the drives' folder")?;
        std::fs::create_dir_all(machine.path("run")).context("a runtime folder")?;
        for (n, name) in names().enumerate() {
            let recorded = recorded.get(n % recorded.len().max(1)).context("no recorded answer")?;
            machine.write(&format!("answers/{name}"), &one_drive(recorded, n)?)?;
            // The kernel's own shape: an entry of /sys/block is a link whose target names the port.
            let port = n + 1;
            let disk = format!(
                "devices/pci0000:00/0000:00:17.0/ata{port}/host{n}/target{n}:0:0/{n}:0:0:0/block/{name}"
            );
            for (file, text) in [
                ("size", "7814037168\n"),
                ("queue/rotational", "1\n"),
                ("removable", "0\n"),
                ("ro", "0\n"),
                ("device/model", "MADE UP         \n"),
                ("device/state", "running\n"),
                ("device/ioerr_cnt", "0x2\n"),
            ] {
                machine.write(&format!("{disk}/{file}"), text)?;
            }
            std::os::unix::fs::symlink(machine.path(&disk), machine.path("block").join(&name))
                .with_context(|| format!("the link of {name}"))?;
        }
        machine.write("answers/version", "smartctl 7.4 2023-08-01 r5530 [x86_64-linux] (local build)\n")?;
        machine.write("smartctl.c", SMARTCTL)?;
        let answers = format!("-DANSWERS=\"{}\"", machine.path("answers").display());
        let (source, program) = (machine.text("smartctl.c"), machine.text("smartctl"));
        let arguments = ["-O2", "-static", &answers, "-o", &program, &source];
        sh::must(&mut sh::command("cc", &arguments), Duration::from_secs(60), false)?;
        Ok(machine)
    }

    /// `program` where this machine stands over the real one.
    pub(super) fn inside(&self, program: &Path, arguments: &[&str]) -> std::process::Command {
        let script = format!(
            "set -e\nmount --make-rprivate /\nfor folder in {TOOL_DIRS}; do\n\
             [ ! -e $folder/smartctl ] || mount --bind {0}/smartctl $folder/smartctl\ndone\n\
             mount --bind {0}/block /sys/block\nmount --bind {0}/run /run\nexec \"$@\"\n",
            self.0.display()
        );
        // Who is not root becomes root of a name space of users, where that is allowed.
        let root = sh::command("id", &["-u"]).output().is_ok_and(|said| said.stdout.starts_with(b"0\n"));
        let mut command =
            sh::command("unshare", if root { &["--mount"] } else { &["--mount", "--map-root-user"] });
        command.args(["sh", "-c", &script, "sh"]).arg(program).args(arguments);
        command
    }

    /// Whether each drive takes two seconds to answer.
    pub(super) fn set_slow(&self, slow: bool) -> Result<()> {
        match slow {
            true => self.write("answers/slow", ""),
            false => std::fs::remove_file(self.path("answers/slow")).context("answers/slow"),
        }
    }

    /// A path in its folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The same as text.
    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&self.0))
            .and_then(|()| std::fs::write(&path, text))
            .with_context(|| path.display().to_string())
    }
}

/// `sda` to `sdx`.
pub(super) fn names() -> impl Iterator<Item = String> {
    (b'a'..=b'z').take(DRIVES).map(|letter| format!("sd{}", char::from(letter)))
}

/// What SATA drives of the test devices answered, in the order of their names.
pub(super) fn recorded_answers() -> Result<Vec<Value>> {
    let mut paths = Vec::new();
    for device in std::fs::read_dir(sh::root().join("tests/devices")).context("tests/devices")? {
        let commands = device.context("tests/devices")?.path().join("source/cmd");
        for command in std::fs::read_dir(commands).into_iter().flatten() {
            let path = command.context("a recorded command")?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("smartctl.sat.")) {
                paths.push(path.join("stdout"));
            }
        }
    }
    paths.sort();
    let answers = paths.iter().filter_map(|path| serde_json::from_slice(&std::fs::read(path).ok()?).ok());
    // One that did not get through to its drive would make the benchmark ask again in other ways.
    Ok(answers.filter(|answer: &Value| answer["serial_number"].is_string()).collect())
}

/// A recorded answer as that of another drive of its kind: two with one serial number would count as one drive.
pub(super) fn one_drive(recorded: &Value, n: usize) -> Result<String> {
    let mut answer = recorded.clone();
    if let Some(object) = answer.as_object_mut() {
        object.insert("serial_number".to_owned(), json!(format!("BENCH{n:03}")));
        object.insert("wwn".to_owned(), json!({"naa": 5, "oui": 3152, "id": n}));
    }
    serde_json::to_string_pretty(&answer).context("an answer")
}
