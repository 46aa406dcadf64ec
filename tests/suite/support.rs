//! What the modules share: where things are, seeded randomness, loud skips, bounded waits, child processes that never
//! outlive a test. Nothing here knows a rule, a probe or a page.
#![allow(dead_code, reason = "each helper is used by some modules only")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Folder of the whole project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the project").to_path_buf()
}

/// Third-party device outputs that live beside the project, when they are there.
pub(crate) fn shared_data(name: &str) -> Option<PathBuf> {
    let path = root().parent()?.join("shared/data").join(name);
    if path.is_dir() {
        return Some(path);
    }
    note("ABSENT", name, "third-party data is not beside the project");
    None
}

/// A test that this machine cannot run: printed, and counted by `cargo xtask test`, which allows only listed names.
pub(crate) fn skip(name: &str, why: &str) {
    note("SKIP", name, why);
}

fn note(kind: &str, name: &str, why: &str) {
    println!("{kind} {name}: {why}");
    if let Some(file) = std::env::var_os("ASSAY_NOTES") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).expect("notes file");
        writeln!(file, "{kind} {name}: {why}").expect("notes file");
    }
}

/// Seed of all randomness in tests: `ASSAY_SEED`, or one fixed number. Print [`replay`] in every failure.
pub(crate) fn seed() -> u64 {
    const FIXED: u64 = 20_261_122;
    match std::env::var("ASSAY_SEED") {
        Ok(text) => text.parse().expect("ASSAY_SEED is a whole number"),
        Err(_) => FIXED,
    }
}

/// The line that runs one test again with the same seed.
pub(crate) fn replay(test: &str) -> String {
    format!("replay: ASSAY_SEED={} cargo test -p assay-tests --test suite -- --exact {test}", seed())
}

/// A small generator (SplitMix64), so that a seed means the same on every machine and for ever.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    /// Seeded by [`seed`] and the test's own number.
    pub(crate) fn new(salt: u64) -> Self {
        Self(seed() ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// `count` incompressible bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(count + 8);
        while out.len() < count {
            out.extend_from_slice(&self.next().to_le_bytes());
        }
        out.truncate(count);
        out
    }
}

/// Waits until `condition` gives a value, at most `ceiling`; `what` is said when it never does.
pub(crate) fn wait_for<T>(what: &str, ceiling: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < ceiling, "waited {ceiling:?} for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// One of our binaries, built by `cargo xtask test` before, or now.
pub(crate) fn binary(name: &str) -> PathBuf {
    static BUILT: std::sync::Once = std::sync::Once::new();
    // The test binary lies in target/<profile>/deps.
    let me = std::env::current_exe().expect("own path");
    let folder = me.parent().and_then(Path::parent).expect("target folder").to_path_buf();
    BUILT.call_once(|| {
        if std::env::var_os("ASSAY_BUILT").is_none() {
            let status = Command::new(env!("CARGO"))
                .args(["build", "--quiet", "--workspace", "--bin", "assay", "--bin", "assay-portal"])
                .current_dir(root())
                .status()
                .expect("cargo runs");
            assert!(status.success(), "the binaries under test do not build");
        }
    });
    let path = folder.join(name);
    assert!(path.is_file(), "{} is missing: run `cargo build --workspace`", path.display());
    path
}

/// A child that is killed, with its group, when the test ends, however it ends.
pub(crate) struct Guarded(pub(crate) Child);

impl Guarded {
    /// Waits for the end, at most `ceiling`.
    pub(crate) fn wait(&mut self, ceiling: Duration) -> ExitStatus {
        let child = &mut self.0;
        wait_for("a child to end", ceiling, || child.try_wait().expect("child can be waited for"))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Devices in `tests/devices`, by name, sorted.
pub(crate) fn devices() -> Vec<(String, PathBuf)> {
    let mut found: Vec<_> = std::fs::read_dir(root().join("tests/devices"))
        .expect("tests/devices")
        .map(|entry| entry.expect("readable entry").path())
        .filter(|path| path.is_dir())
        .map(|path| (path.file_name().expect("named").to_string_lossy().into_owned(), path))
        .collect();
    found.sort();
    found
}

/// Compares with a reviewed snapshot; `ASSAY_BLESS=1` writes it instead. Read the diff before you accept it.
pub(crate) fn snapshot(path: &Path, got: &str) {
    if std::env::var_os("ASSAY_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("snapshots lie in folders")).expect("snapshot folder");
        std::fs::write(path, got).expect("snapshot");
        return;
    }
    let want = std::fs::read_to_string(path).unwrap_or_default();
    if want == got {
        return;
    }
    let differing = want.lines().zip(got.lines()).position(|(a, b)| a != b);
    let line = differing.unwrap_or_else(|| want.lines().count().min(got.lines().count()));
    panic!(
        "{} differs from line {} on:\n  was: {}\n  is:  {}\nread the whole diff, then accept it with \
         ASSAY_BLESS=1 cargo test -p assay-tests",
        path.strip_prefix(root()).unwrap_or(path).display(),
        line + 1,
        want.lines().nth(line).unwrap_or("(end)"),
        got.lines().nth(line).unwrap_or("(end)"),
    );
}
