//! Programs of other people on the other side of the line: tus clients that upload to our portal, a tus server that our
//! agent uploads to, libraries for RFC 9421 that verify our calls and sign their own. `cargo xtask test` installs them
//! into `target/interop` from the lock files in `tests/interop`, where the small scripts are that drive them.
//!
//! `ssh-keygen`, `age`, `zstd` and `tar` over our bundles: `bundle_format::stock`.

mod clients;
mod server;
mod signatures;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

use serde_json::Value;

use crate::support::root;

/// Debian's own: another one that stands before it in the path may lack the modules that packages are installed for.
const PYTHON: &str = "/usr/bin/python3";

/// Where the foreign programs are, with our scripts beside them: Node looks for packages beside the script.
fn installed() -> PathBuf {
    static SCRIPTS: Once = Once::new();
    let folder = root().join("target/interop");
    assert!(
        folder.join("installed").is_file(),
        "the foreign programs are not installed: run `cargo xtask test --only tools`"
    );
    SCRIPTS.call_once(|| {
        for file in fs::read_dir(root().join("tests/interop")).expect("tests/interop").flatten() {
            if file.path().extension().is_some_and(|end| end == "mjs" || end == "py") {
                fs::copy(file.path(), folder.join(file.file_name())).expect("a copy of the script");
            }
        }
    });
    folder
}

/// A script under its interpreter, trusting `ca` besides nothing.
fn script(name: &str, ca: &Path) -> Command {
    let folder = installed();
    let mut command = Command::new(if name.ends_with(".py") { PYTHON } else { "node" });
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("PYTHONPATH", folder.join("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("REQUESTS_CA_BUNDLE", ca)
        .env("NODE_EXTRA_CA_CERTS", ca)
        .current_dir(&folder)
        .arg(name)
        .stderr(Stdio::inherit());
    command
}

/// Gives a script its task on standard input; what it says on standard output.
fn run(name: &str, ca: &Path, task: &Value) -> Value {
    let mut command = script(name, ca);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(task.to_string().as_bytes()).expect("it reads its task");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name}: {}: {said}", output.status);
    // A library may talk before; the answer is the last line.
    let line = said.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {said}"))
}
