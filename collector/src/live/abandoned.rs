//! The children that could not be killed, remembered across runs in `abandoned.json` of the runtime folder (RAM).
//!
//! The file is shared by every run on the machine: it is replaced as a whole, under a lock, and entries whose process
//! is gone are dropped. It is a memory, not a command: garbage in it is ignored and replaced, and no process is ever
//! killed because the file names it. When the folder cannot be used, this run still remembers its own children.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use assay_bundle::facts::stuck::StuckReader;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use super::proc_stat::ProcStat;

const FILE: &str = "abandoned.json";
const NEW_FILE: &str = "abandoned.json.new";
const LOCK: &str = "abandoned.lock";

/// Most bytes of the file that are looked at. Eight entries take less than 8 KiB with the longest paths in use.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Most entries that are believed.
const MAX_ENTRIES: usize = 64;

/// How often, and how long in between, the lock is tried; its holder needs microseconds.
const LOCK_TRIES: (u32, Duration) = (20, Duration::from_millis(5));

/// The list.
pub(super) struct Abandoned {
    folder: Option<PathBuf>,
    own: Mutex<Vec<StuckReader>>,
}

impl Abandoned {
    pub(super) fn new(folder: PathBuf) -> Self {
        let folder = match usable(&folder) {
            Ok(()) => Some(folder),
            Err(error) => {
                let folder = folder.display();
                tracing::warn!(%error, %folder, "stuck readers of earlier runs are not known: no runtime folder");
                None
            }
        };
        Self { folder, own: Mutex::default() }
    }

    /// The entries whose process still lives.
    pub(super) fn living(&self) -> Vec<StuckReader> {
        self.update(Vec::new())
    }

    /// Remembers children that could not be killed.
    pub(super) fn add(&self, entries: Vec<StuckReader>) {
        self.update(entries);
    }

    fn update(&self, new: Vec<StuckReader>) -> Vec<StuckReader> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.extend(new);
        let Some(folder) = &self.folder else {
            own.retain(lives);
            return own.clone();
        };
        let stored = read(folder);
        if own.is_empty() && stored == Stored::Missing {
            return Vec::new();
        }
        let (mut known, mut changed) = merge(&own, &stored);
        if changed {
            let lock = lock(folder);
            // Somebody else may have added an entry before we had the lock.
            (known, changed) = merge(&own, &read(folder));
            if changed && let Err(error) = write(folder, &known) {
                tracing::warn!(%error, folder = %folder.display(), "the list of stuck readers could not be written");
            }
            drop(lock);
        }
        own.clone_from(&known);
        known
    }
}

/// Own and stored entries that live, and whether the file should say so but does not.
fn merge(own: &[StuckReader], stored: &Stored) -> (Vec<StuckReader>, bool) {
    let entries = stored.entries();
    let all = entries.iter().chain(own).filter(|entry| lives(entry));
    let known: BTreeMap<_, _> = all.map(|entry| ((entry.pid, entry.started_ticks), entry.clone())).collect();
    let known: Vec<_> = known.into_values().take(MAX_ENTRIES).collect();
    let says_so = match stored {
        Stored::Missing => known.is_empty(),
        Stored::Entries(entries) => !known.is_empty() && *entries == known,
        Stored::Garbage(_) => false,
    };
    (known, !says_so)
}

fn lives(entry: &StuckReader) -> bool {
    ProcStat::of(entry.pid)
        .is_some_and(|process| process.started_ticks == entry.started_ticks && process.lives())
}

#[derive(Debug, PartialEq)]
enum Stored {
    Missing,
    Entries(Vec<StuckReader>),
    /// Something in the file is not an entry; these are.
    Garbage(Vec<StuckReader>),
}

impl Stored {
    fn entries(&self) -> &[StuckReader] {
        match self {
            Self::Missing => &[],
            Self::Entries(entries) | Self::Garbage(entries) => entries,
        }
    }
}

fn read(folder: &Path) -> Stored {
    let file = match open(&folder.join(FILE), OFlags::RDONLY) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Stored::Missing,
        Err(_) => return Stored::Garbage(Vec::new()),
    };
    let mut bytes = Vec::new();
    match file.take(MAX_FILE_BYTES).read_to_end(&mut bytes) {
        Ok(_) => parse(&bytes),
        Err(_) => Stored::Garbage(Vec::new()),
    }
}

fn parse(bytes: &[u8]) -> Stored {
    let Ok(values) = serde_json::from_slice::<Vec<serde_json::Value>>(bytes) else {
        return Stored::Garbage(Vec::new());
    };
    let count = values.len();
    let entries = values.into_iter().take(MAX_ENTRIES).filter_map(|value| serde_json::from_value(value).ok());
    // Process id 0 is nobody and 1 is init: neither was ever our child.
    let entries: Vec<StuckReader> = entries.filter(|entry: &StuckReader| entry.pid > 1).collect();
    if entries.len() == count { Stored::Entries(entries) } else { Stored::Garbage(entries) }
}

fn write(folder: &Path, known: &[StuckReader]) -> io::Result<()> {
    let (file, new) = (folder.join(FILE), folder.join(NEW_FILE));
    if known.is_empty() {
        return match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut out = open(&new, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
    out.write_all(&serde_json::to_vec(known)?)?;
    drop(out);
    fs::rename(&new, &file)
}

/// The lock, or nothing when its holder does not let go: a lost entry costs one more stuck child, waiting costs the run.
fn lock(folder: &Path) -> Option<File> {
    let file = open(&folder.join(LOCK), OFlags::RDWR | OFlags::CREATE).ok()?;
    let (tries, pause) = LOCK_TRIES;
    for _ in 0..tries {
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Some(file);
        }
        std::thread::sleep(pause);
    }
    None
}

/// Opens a plain file in the runtime folder, never through a link.
fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a plain file")) }
}

/// Makes the folder if need be; refuses one that somebody else can write to.
fn usable(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let seen = fs::symlink_metadata(folder)?;
    let ours = seen.is_dir() && seen.uid() == rustix::process::geteuid().as_raw() && seen.mode() & 0o022 == 0;
    if !ours {
        return Err(io::Error::other("the runtime folder is not ours alone; remove it and run assay again"));
    }
    let probe = OpenOptions::new().read(true).open(folder)?;
    drop(probe);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn entry(pid: u32, started_ticks: u64) -> StuckReader {
        let (target, command) = ("/dev/sda".to_owned(), "file reader".to_owned());
        StuckReader { pid, started_ticks, target, command, since_unix_s: 7 }
    }

    fn own() -> StuckReader {
        let stat = ProcStat::of(std::process::id()).expect("it runs");
        entry(stat.pid, stat.started_ticks)
    }

    #[test]
    fn what_the_file_says() {
        fn check(text: &str, expected: &Stored) {
            assert_eq!(&parse(text.as_bytes()), expected, "{text}");
        }
        let good = serde_json::to_string(&entry(42, 1)).expect("plain data");
        check("[]", &Stored::Entries(vec![]));
        check(&format!("[{good}]"), &Stored::Entries(vec![entry(42, 1)]));
        check(&format!("[{good},7,{{}}]"), &Stored::Garbage(vec![entry(42, 1)]));
        check(&format!("[{good}"), &Stored::Garbage(vec![]));
        check("{}", &Stored::Garbage(vec![]));
        check("", &Stored::Garbage(vec![]));
        check(
            &format!("[{}]", serde_json::to_string(&entry(1, 1)).expect("plain data")),
            &Stored::Garbage(vec![]),
        );
    }

    #[test]
    fn the_living_are_remembered_across_runs_and_the_dead_are_dropped() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path().join("run");
        let first = Abandoned::new(folder.clone());
        let another_start = StuckReader { started_ticks: own().started_ticks + 1, ..own() };
        first.add(vec![own(), another_start, entry(u32::MAX, 3)]);
        assert_eq!(Abandoned::new(folder.clone()).living(), [own()]);
        let mode = |path: &Path| fs::metadata(path).expect("it was made").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(FILE))), (0o700, 0o600));
        fs::write(folder.join(FILE), serde_json::to_vec(&[entry(u32::MAX, 3)]).expect("plain data"))
            .expect("a file");
        assert_eq!(Abandoned::new(folder.clone()).living(), []);
        assert!(!folder.join(FILE).exists());
    }

    #[test]
    fn garbage_is_replaced_and_a_bad_folder_is_not_used() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = folder.path().join("run");
        for garbage in [&b"\xff\x00{"[..], b"[[[[", b"null", b"[1,2", b""] {
            let list = Abandoned::new(run.clone());
            fs::write(run.join(FILE), garbage).expect("a file");
            assert_eq!(list.living(), []);
            assert!(!run.join(FILE).exists());
            fs::write(run.join(FILE), garbage).expect("a file");
            list.add(vec![own()]);
            assert_eq!(Abandoned::new(run.clone()).living(), [own()]);
            fs::remove_file(run.join(FILE)).expect("the list");
        }
        fs::create_dir(run.join(FILE)).expect("a folder in the way");
        let list = Abandoned::new(run.clone());
        list.add(vec![own()]);
        assert_eq!(list.living(), [own()]);
        fs::set_permissions(&run, fs::Permissions::from_mode(0o777)).expect("our folder");
        assert!(Abandoned::new(run.clone()).folder.is_none());
        std::os::unix::fs::symlink("/tmp", folder.path().join("link")).expect("a link");
        assert!(Abandoned::new(folder.path().join("link")).folder.is_none());
    }
}
