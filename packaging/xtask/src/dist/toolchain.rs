//! The compiler of what ships: one that has the source of its own standard library (so that the library is built for
//! the target, for size, with the program), and zig as C compiler, linker and musl for every target.
//!
//! A rustup toolchain with `rust-src` does; where rustup cannot fetch that, Debian's `rustc-web` with `rust-web-src`
//! does. zig and cargo-zigbuild live in a virtual environment below `target/`. Nothing is installed by hand.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{setup, sh};

/// Versions that are known to make a program that starts: an update is a change of what ships.
const PYTHON_PACKAGES: [&str; 2] = ["cargo-zigbuild==0.24.0", "ziglang==0.17.1"];

/// Where the source of the standard library is below a sysroot.
const LIBRARY: &str = "lib/rustlib/src/rust/library/Cargo.toml";

/// A C compiler and linker for every target is 90 MB from a registry.
const FETCH_LIMIT: Duration = Duration::from_secs(600);
const ASK_LIMIT: Duration = Duration::from_secs(60);

/// Where the programs are.
pub(super) struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    environment: PathBuf,
    /// What `rustc --version` says.
    pub(super) version: String,
}

impl Toolchain {
    /// Finds the programs; what is missing is installed.
    pub(super) fn ready() -> Result<Self> {
        let environment = environment()?;
        let (cargo, rustc) = match compiler() {
            Some(found) => found,
            None => install_compiler()?,
        };
        let version = ask(&rustc, &["--version"])?;
        Ok(Self { cargo, rustc, environment, version })
    }

    /// `cargo rustc` with zig as linker, with these arguments.
    pub(super) fn zig_rustc(&self, args: &[&str]) -> Command {
        let programs = self.environment.join("bin");
        let mut command = sh::command(programs.join("cargo-zigbuild"), &["rustc"]);
        let first = [self.cargo.parent().unwrap_or(Path::new("/usr/bin")), programs.as_path()];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = first.into_iter().map(Path::to_path_buf).chain(std::env::split_paths(&path));
        command.args(args);
        command.env("PATH", std::env::join_paths(path).unwrap_or_default());
        command.env("CARGO", &self.cargo).env("RUSTC", &self.rustc);
        command.env("CARGO_ZIGBUILD_PYTHON_PATH", programs.join("python3"));
        // The compiler and the library's source are of one version, so what a stable one hides is safe to use.
        command.env("RUSTC_BOOTSTRAP", "1");
        command
    }
}

fn ask(program: &Path, args: &[&str]) -> Result<String> {
    Ok(sh::must(&mut sh::command(program, args), ASK_LIMIT, false)?.trim().to_owned())
}

/// A `cargo` and `rustc` that have the library's source: those that run us, else Debian's.
fn compiler() -> Option<(PathBuf, PathBuf)> {
    let ours =
        std::env::var_os("CARGO").map(PathBuf::from).map(|cargo| (cargo.with_file_name("rustc"), cargo));
    let debian = (PathBuf::from("/usr/bin/rustc"), PathBuf::from("/usr/bin/cargo"));
    ours.into_iter().chain([debian]).find_map(|(rustc, cargo)| {
        let both = rustc.is_file() && cargo.is_file();
        let sysroot = both.then(|| ask(&rustc, &["--print", "sysroot"]).ok()).flatten()?;
        Path::new(&sysroot).join(LIBRARY).is_file().then_some((cargo, rustc))
    })
}

fn install_compiler() -> Result<(PathBuf, PathBuf)> {
    if sh::exists("rustup") {
        let args = ["component", "add", "rust-src"];
        let _ = sh::run(&mut sh::command("rustup", &args), FETCH_LIMIT, true);
        if let Some(found) = compiler() {
            return Ok(found);
        }
    }
    setup::install(&["rustc-web", "cargo-web", "rust-web-src"])?;
    compiler().context("no compiler with the source of its library: run `rustup component add rust-src`")
}

/// The virtual environment with zig; made when it is missing or holds other versions.
fn environment() -> Result<PathBuf> {
    let folder = sh::root().join("target/toolchain/zig");
    let done = folder.join("versions");
    let versions = PYTHON_PACKAGES.join("\n");
    if std::fs::read_to_string(&done).is_ok_and(|text| text == versions) {
        return Ok(folder);
    }
    let _ = std::fs::remove_dir_all(&folder);
    sh::say(&format!("installing below target/toolchain: {}", PYTHON_PACKAGES.join(" ")));
    let name = folder.to_string_lossy();
    if sh::must(&mut sh::command("python3", &["-m", "venv", &name]), FETCH_LIMIT, false).is_err() {
        setup::install(&["python3", "python3-venv"])?;
        sh::must(&mut sh::command("python3", &["-m", "venv", &name]), FETCH_LIMIT, false)?;
    }
    let mut pip = sh::command(folder.join("bin/python3"), &["-m", "pip", "install", "--quiet"]);
    pip.args(["--disable-pip-version-check"]).args(PYTHON_PACKAGES);
    sh::must(&mut pip, FETCH_LIMIT, false).context("zig is fetched by pip: is its registry reachable?")?;
    std::fs::write(&done, versions).context("target/toolchain/zig/versions")?;
    Ok(folder)
}
