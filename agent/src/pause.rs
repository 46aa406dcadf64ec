//! "Pause everything": one mark in the identity folder, which survives every boot and update.
//!
//! While it stands nothing is polled, uploaded or scheduled; looking, collecting and denying still work. Who sends asks
//! [`check`] first. A mark that cannot be read pauses: silence is the safe side.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::context::Context;
use crate::output;
use crate::trouble::{NextStep, refuse};

const FILE: &str = "paused.json";

/// Since when, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Paused {
    /// Device's clock, seconds since 1970; 0 when the mark cannot be read.
    pub(crate) since_unix_s: i64,
    /// Whose order it was.
    pub(crate) by: String,
}

fn path(identity_dir: &Path) -> PathBuf {
    identity_dir.join(FILE)
}

/// The pause, when there is one.
pub(crate) fn paused(identity_dir: &Path) -> Option<Paused> {
    match fs::read(path(identity_dir)) {
        Ok(bytes) => Some(
            serde_json::from_slice(&bytes)
                .unwrap_or(Paused { since_unix_s: 0, by: "a mark that cannot be read".to_owned() }),
        ),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
        Err(error) => {
            Some(Paused { since_unix_s: 0, by: format!("a mark that cannot be read ({})", error.kind()) })
        }
    }
}

/// Refuses while everything is paused.
pub(crate) fn check(context: &Context) -> anyhow::Result<()> {
    match paused(context.identity().dir()) {
        None => Ok(()),
        Some(paused) => Err(refuse(
            format!(
                "everything is paused since {} by {}: nothing is asked and nothing is sent",
                clock::rfc3339(paused.since_unix_s),
                paused.by
            ),
            "`assay resume` lets it go on",
        )),
    }
}

/// Sets the mark; one that stands stays as it is.
pub(crate) fn pause(context: &Context, by: String) -> anyhow::Result<Paused> {
    let dir = context.identity().dir().to_owned();
    if let Some(paused) = paused(&dir) {
        return Ok(paused);
    }
    let paused = Paused { since_unix_s: context.clock.now_unix_s, by };
    output::replace_private(&path(&dir), &serde_json::to_vec_pretty(&paused)?)?;
    Ok(paused)
}

/// Takes the mark away; whether there was one.
pub(crate) fn resume(context: &Context) -> anyhow::Result<bool> {
    let path = path(context.identity().dir());
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => {
            Err(error).or_advise(format!("cannot remove {}", path.display()), "run as administrator (root)")
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_that_cannot_be_read_pauses() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(paused(folder.path()), None);
        assert_eq!(paused(&folder.path().join("missing")), None);
        fs::write(folder.path().join(FILE), "torn").expect("written");
        assert_eq!(paused(folder.path()).map(|p| p.since_unix_s), Some(0));
        let good = Paused { since_unix_s: 7, by: "uid 0".to_owned() };
        fs::write(folder.path().join(FILE), serde_json::to_vec(&good).expect("plain")).expect("written");
        assert_eq!(paused(folder.path()), Some(good));
    }
}
