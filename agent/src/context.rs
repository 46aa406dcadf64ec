//! What every command starts from: the global flags, and configuration and paths found through them when asked for.
//!
//! Nothing is read before a command needs it, so that `assay explain` works beside a broken configuration.

use std::path::PathBuf;

use assay_uploader::{Spool, SpoolLimits};

use crate::cli::Globals;
use crate::clock::Clock;
use crate::config::{self, ConfigError, Override, Settings};
use crate::identity::Identity;
use crate::memory::Memory;
use crate::paths::Paths;
use crate::trouble::{NextStep, refuse};

/// Global flags and what follows from them.
pub(crate) struct Context {
    /// Flags that every command has.
    pub(crate) globals: Globals,
    /// Where things live.
    pub(crate) paths: Paths,
    /// The clock when the program started.
    pub(crate) clock: Clock,
}

impl Context {
    /// The context of one call.
    pub(crate) fn new(globals: Globals) -> Self {
        let state_dir =
            globals.state_dir.clone().or_else(|| std::env::var_os("ASSAY_STATE_DIR").map(PathBuf::from));
        // The state folder may be given relative to here; everything that is remembered needs it whole.
        let state_dir = state_dir.map(|dir| std::path::absolute(&dir).unwrap_or(dir));
        let paths = Paths::find(state_dir.as_deref());
        Self { globals, paths, clock: Clock::read() }
    }

    /// The configuration, with nothing but the global flags on top.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        self.settings_with(Vec::new())
    }

    /// The configuration with a command's own flags on top.
    pub(crate) fn settings_with(&self, mut flags: Vec<Override>) -> Result<Settings, ConfigError> {
        if let Some(format) = &self.globals.log_format {
            flags.push(("log.format", format.clone(), "--log-format"));
        }
        let environment = |name: &str| std::env::var(name).ok();
        config::load(&self.config_file(), self.globals.config.is_some(), &environment, &flags)
    }

    /// The configuration file, whether or not it exists.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.globals.config.clone().unwrap_or_else(|| self.paths.config_file.clone())
    }

    /// The identity of this device; nothing is made before it is needed.
    pub(crate) fn identity(&self) -> Identity {
        Identity::new(self.paths.identity_dir.clone(), self.paths.runtime_dir.clone())
    }

    /// Where the spool is, when there is a place for one.
    pub(crate) fn spool_dir(&self, settings: &Settings) -> Option<PathBuf> {
        settings.config.spool_dir.clone().or_else(|| self.paths.spool_dir.clone())
    }

    /// Where a run is remembered; `None` when it is not: switched off, or no data volume. `begins`: whether a memory
    /// is begun where there is none.
    pub(crate) fn memory(&self, settings: &Settings, begins: bool) -> Option<Memory> {
        let folder = self.paths.memory_dir.clone().filter(|_| settings.config.collect_recorder)?;
        Some(Memory { folder, runtime_dir: self.paths.runtime_dir.clone(), begins })
    }

    /// Opens the spool.
    pub(crate) fn spool(&self, settings: &Settings) -> anyhow::Result<Spool> {
        let Some(dir) = self.spool_dir(settings) else {
            return Err(refuse(
                "no data volume is mounted, so there is no place for a spool",
                "write the bundle to a file (-o FILE), or unlock or mount the data volume and call again",
            ));
        };
        let bundles = usize::try_from(settings.config.spool_max_bundles).unwrap_or(usize::MAX);
        let limits = SpoolLimits { bytes: settings.config.spool_max_bytes, bundles };
        Spool::open(&dir, limits).or_advise(
            format!("the spool {} cannot be used", dir.display()),
            "run as administrator (root), or name another folder with --state-dir",
        )
    }
}
