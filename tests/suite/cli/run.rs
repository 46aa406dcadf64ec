//! Running the program as a person would: an own state folder, a clean environment, a ceiling on every wait.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Guarded, binary, devices};

/// Longer than any command may take on a busy machine; nothing waits for it.
pub(crate) const CEILING: Duration = Duration::from_secs(120);

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Asserts the exit code, showing everything that was said.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "out:\n{}\nerr:\n{}", self.out, self.err);
        self
    }

    /// Asserts that the failure says each of these, and ends with what to do.
    #[track_caller]
    pub(crate) fn fails_with(self, words: &[&str]) -> Self {
        let ran = self.ends(3);
        for word in words {
            assert!(ran.err.contains(word), "{word:?} is not in:\n{}", ran.err);
        }
        assert!(ran.err.lines().any(|line| line.starts_with("assay: ")), "{}", ran.err);
        ran
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

/// One device of a test: its state folder, and what is set around its calls.
pub(crate) struct Device {
    folder: tempfile::TempDir,
    pub(crate) environment: Vec<(String, String)>,
}

impl Device {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::Builder::new().prefix("assay-cli").tempdir().expect("a folder"),
            environment: Vec::new(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a plain path").to_owned()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// The call, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("assay"));
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("ASSAY_STATE_DIR", self.state())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs a call to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments))
    }

    /// Makes a bundle of a recorded device and gives its path.
    pub(crate) fn bundle(&self, name: &str) -> String {
        let file = self.text(name);
        self.run(&["collect", "--source", &recorded(), "-o", &file]).ends(0);
        file
    }
}

/// Runs a command to its end, with its output in files so that nothing can block.
pub(crate) fn finish(mut command: Command) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    command.stdout(File::create(&out).expect("a file")).stderr(File::create(&err).expect("a file"));
    let mut child = Guarded(command.spawn().expect("the program starts"));
    let status = child.wait(CEILING);
    let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).expect("its output")).into_owned();
    Ran { code: status.code().unwrap_or(-1), out: text(&out), err: text(&err) }
}

/// A recorded device: the healthy one when it is there, else the first.
pub(crate) fn recorded() -> String {
    let devices = devices();
    let healthy = devices.iter().find(|(name, _)| name == "generic-healthy").or(devices.first());
    healthy.expect("a recorded device").1.to_str().expect("a plain path").to_owned()
}

/// Names in a folder, hidden ones too; empty when the folder is not there.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
