//! Programs of other people that the tests and the benchmark talk to: npm and Python packages, installed into
//! `target/interop` from the lock files in `tests/interop`. Versions and digests are in the lock files; no script of a
//! package runs, nothing is compiled, nothing is installed beside the project's own folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{setup, sh};

/// Debian's own, which the packages fit.
const PYTHON: &str = "/usr/bin/python3";
/// One package manager, on a slow line.
const LIMIT: Duration = Duration::from_secs(180);

/// Installs them when they are not there, or are not those of the lock files.
pub(crate) fn install() -> Result<PathBuf> {
    setup::ensure(setup::FOR_FOREIGN)?;
    let from = sh::root().join("tests/interop");
    let to = sh::root().join("target/interop");
    let read = |name: &str| std::fs::read_to_string(from.join(name)).with_context(|| name.to_owned());
    let python = sh::must(&mut sh::command(PYTHON, &["--version"]), LIMIT, false)?;
    let wanted = ["package-lock.json", "requirements.txt"]
        .into_iter()
        .try_fold(python, |text, name| anyhow::Ok(text + &read(name)?))?;
    let installed = to.join("installed");
    if std::fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(to);
    }
    sh::say("installing the programs that the tests talk to into target/interop");
    let _ = std::fs::remove_dir_all(&to);
    std::fs::create_dir_all(&to).context("target/interop")?;
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(from.join(name), to.join(name)).with_context(|| name.to_owned())?;
    }
    let npm = ["ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"];
    sh::must(sh::command("npm", &npm).current_dir(&to), LIMIT, false)?;
    sh::must(sh::command(PYTHON, &[]).args(pip(&from)).current_dir(&to), LIMIT, false)?;
    std::fs::write(&installed, wanted).context("target/interop/installed")?;
    Ok(to)
}

/// Arguments that install what the lock file names, and only files whose digest is in it.
fn pip(from: &Path) -> Vec<String> {
    let options = "-m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore \
                   --require-hashes --only-binary :all: --target python --requirement";
    let lock = from.join("requirements.txt").display().to_string();
    options.split_whitespace().map(str::to_owned).chain([lock]).collect()
}
