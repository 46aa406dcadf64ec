//! A device and a portal on loopback, in one folder, as the demo and the benchmark need them.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::sh;

/// What one step may take.
pub(crate) const STEP: Duration = Duration::from_secs(180);

/// The programs and where they keep their things.
pub(crate) struct Pair {
    /// The agent.
    pub(crate) assay: PathBuf,
    /// The portal.
    pub(crate) portal: PathBuf,
    /// Holds the folders `device` and `portal`, and `portal.log`.
    pub(crate) folder: PathBuf,
}

impl Pair {
    /// Programs of a profile, an empty folder below `target/`.
    pub(crate) fn new(profile: &str, folder: &str) -> Result<Self> {
        let target = sh::root().join("target");
        let pair = Self {
            assay: target.join(profile).join("assay"),
            portal: target.join(profile).join("assay-portal"),
            folder: target.join(folder),
        };
        if pair.folder.exists() {
            std::fs::remove_dir_all(&pair.folder)
                .with_context(|| format!("cannot remove the last run's folder target/{folder}"))?;
        }
        std::fs::create_dir_all(&pair.folder).with_context(|| format!("target/{folder}"))?;
        Ok(pair)
    }

    /// The agent with its state in the folder.
    pub(crate) fn assay(&self, args: &[&str]) -> Command {
        let mut command = sh::command(&self.assay, args);
        command.arg("--state-dir").arg(self.folder.join("device"));
        command
    }

    /// The portal with its data in the folder.
    pub(crate) fn portal(&self, args: &[&str]) -> Command {
        let mut command = sh::command(&self.portal, args);
        command.arg("--data-dir").arg(self.folder.join("portal"));
        command
    }

    /// The certificate authority that the portal makes for itself.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("portal/ca.pem")
    }

    /// Starts the portal at a free port; its address.
    pub(crate) fn serve(&self, name: &str) -> Result<(sh::Running, String)> {
        let mut serve = self.portal(&["serve", "--listen", "127.0.0.1:0", "--self-signed", "--name", name]);
        serve.stderr(std::fs::File::create(self.folder.join("portal.log")).context("portal.log")?);
        sh::serve(&mut serve, "listening on ", Duration::from_secs(30)).with_context(|| {
            format!("the portal did not start; see {}", self.folder.join("portal.log").display())
        })
    }

    /// Enrols the device at the portal, with a code that it made for this.
    pub(crate) fn enrol(&self, url: &str) -> Result<()> {
        let code = sh::must(&mut self.portal(&["enroll-code"]), STEP, false)?;
        let field = |name: &str| -> Result<String> {
            code.lines()
                .find_map(|l| l.strip_prefix(name)?.strip_prefix(' ').map(|v| v.trim().to_owned()))
                .with_context(|| format!("`assay-portal enroll-code` did not print `{name}`\n{code}"))
        };
        let (code_word, fingerprint) = (field("code")?, field("fingerprint")?);
        sh::say(&format!("\n== this machine enrols (code {code_word}, portal {fingerprint})"));
        let mut enroll =
            self.assay(&["enroll", "--portal", url, "--code", &code_word, "--fingerprint", &fingerprint]);
        sh::must(enroll.arg("--ca-file").arg(self.ca()), STEP, true).map(drop)
    }
}
