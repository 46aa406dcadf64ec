//! Reading one file as it was at one moment: again when it changed meanwhile, under SQLite's own lock when it is a
//! database of SQLite's, and never what is no plain file.
//!
//! A file is opened from its folder's descriptor (`O_NOFOLLOW`, `O_NONBLOCK`) and looked at again before a byte is read:
//! a FIFO or a device that was put in its place is not read. SQLite itself would be a megabyte in a program of five and
//! would write to databases that belong to others. Its locking protocol is enough to copy: a shared lock over the whole
//! database file keeps every rollback-journal writer out, and one over `-shm` every writer and checkpoint of a
//! write-ahead log; readers go on. What is not locked within [`LOCK_PATIENCE`] is read without and noted.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use assay_bundle::digest::Sha256;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat, fcntl_lock, fstat, openat, statat};
use rustix::io::Errno;

use super::walk::At;
use crate::output::Scratch;

/// Readings after the first, of a file that changes.
const RETRIES: u32 = 3;
/// How long a lock is waited for. QTS's own writers hold one for milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);
/// First bytes of an SQLite database.
const SQLITE: &[u8; 16] = b"SQLite format 3\0";
/// Content up to this size is held in memory until it is known to be whole; what is larger, in a file without a name.
const IN_MEMORY_BYTES: usize = 512 << 10;
/// Buffer for reading.
const BUFFER_BYTES: usize = 64 << 10;
/// After so many bytes somebody is told that there is progress.
const BEAT_BYTES: u64 = 4 << 20;

/// Content on its way into the copy.
pub(super) struct Spool {
    memory: Vec<u8>,
    file: Option<Scratch>,
    folder: PathBuf,
    size_bytes: u64,
}

impl Spool {
    /// An empty one, which uses `folder` for what does not fit into memory.
    pub(super) fn new(folder: &Path) -> Self {
        Self { memory: Vec::new(), file: None, folder: folder.to_owned(), size_bytes: 0 }
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.memory.clear();
        self.file = None;
        self.size_bytes = 0;
    }

    /// Bytes in it.
    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Writes all of it to `out`.
    pub(super) fn pour(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let Some(file) = &mut self.file else { return out.write_all(&self.memory) };
        file.rewind()?;
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut left = self.size_bytes;
        while left > 0 {
            let read = file.read(&mut buffer)?;
            let bytes = buffer.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                return Err(io::Error::other("the temporary file ended too early"));
            }
            out.write_all(bytes)?;
            left = left.saturating_sub(read as u64);
        }
        file.seek(SeekFrom::End(0)).map(|_| ())
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() && self.memory.len() + bytes.len() > IN_MEMORY_BYTES {
            let mut file = Scratch::in_folder(&self.folder).map_err(|error| {
                // The chain's innermost cause is what decides what is said: no room.
                let kind =
                    error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
                io::Error::new(kind.unwrap_or(io::ErrorKind::Other), error.to_string())
            })?;
            file.write_all(&self.memory)?;
            self.memory.clear();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None => self.memory.extend_from_slice(bytes),
        }
        self.size_bytes = self.size_bytes.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a file was not read.
#[derive(Debug)]
pub(super) enum Missed {
    /// It is not there any more.
    Gone,
    /// It is no plain file any more.
    Special,
    /// It cannot be read.
    Source(io::Error),
    /// What was read cannot be kept: the copy fails, not the file.
    Keeping(io::Error),
}

impl From<Errno> for Missed {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT => Self::Gone,
            Errno::LOOP | Errno::NXIO => Self::Special,
            other => Self::Source(other.into()),
        }
    }
}

/// A file that was read.
pub(super) struct Reading {
    /// What it was when its reading began.
    pub(super) stat: Stat,
    /// SHA-256 of what was read, lower-case hex.
    pub(super) sha256: String,
    /// It changed during every attempt.
    pub(super) changed: bool,
}

/// Reads a file into `spool`; `beat` is told about progress within a large one.
pub(super) fn read(at: At<'_>, spool: &mut Spool, beat: &mut dyn FnMut()) -> Result<Reading, Missed> {
    attempts(|| once(&open_plain(at)?, Some(at), spool, beat))
}

fn attempts(mut once: impl FnMut() -> Result<Reading, Missed>) -> Result<Reading, Missed> {
    let mut reading = once()?;
    for _ in 0..RETRIES {
        if !reading.changed {
            break;
        }
        std::thread::sleep(PAUSE);
        reading = once()?;
    }
    Ok(reading)
}

/// Opens a plain file, without changing when it was last read where that is allowed: md9 is written rarely.
fn open_plain(at: At<'_>) -> Result<File, Missed> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match openat(at.parent, at.name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(at.parent, at.name, flags, Mode::empty()),
        opened => opened,
    };
    let file: OwnedFd = file?;
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(file.into()),
        _ => Err(Missed::Special),
    }
}

/// One reading of an open file. `at`: where it must still be the one that has this name.
fn once(
    mut file: &File,
    at: Option<At<'_>>,
    spool: &mut Spool,
    beat: &mut dyn FnMut(),
) -> Result<Reading, Missed> {
    let stat = fstat(file)?;
    file.rewind().map_err(Missed::Source)?;
    spool.clear();
    let mut to = Sha256::new(&mut *spool);
    let mut buffer = vec![0; BUFFER_BYTES];
    // A file that only grows is cut at the size that it had.
    let mut left = u64::try_from(stat.st_size).unwrap_or_default();
    let mut since_beat = 0;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(BUFFER_BYTES);
        let read = match file.read(buffer.get_mut(..most).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Missed::Source(error)),
        };
        to.write_all(buffer.get(..read).unwrap_or_default()).map_err(Missed::Keeping)?;
        left = left.saturating_sub(read as u64);
        since_beat += read as u64;
        if since_beat >= BEAT_BYTES {
            since_beat = 0;
            beat();
        }
    }
    let (_, _, sha256) = to.finish();
    let after = fstat(file)?;
    let named = at.map(|at| statat(at.parent, at.name, AtFlags::SYMLINK_NOFOLLOW));
    let moved = match named {
        Some(Ok(named)) => mark(&named) != mark(&stat),
        Some(Err(_)) => true,
        None => false,
    };
    Ok(Reading { stat, sha256, changed: left > 0 || moved || mark(&after) != mark(&stat) })
}

/// What differs when a file was written to, or another one took its name.
fn mark(stat: &Stat) -> [i128; 6] {
    [
        stat.st_dev.into(),
        stat.st_ino.into(),
        stat.st_size.into(),
        stat.st_mtime.into(),
        stat.st_mtime_nsec.into(),
        stat.st_ctime.into(),
    ]
}

/// A database with the files that belong to it, read under one lock.
pub(super) struct Database {
    file: File,
    /// Held open for its lock.
    _log_index: Option<File>,
    /// Whether the lock was had.
    pub(super) locked: bool,
}

/// What is added to a database's name for the files that hold a part of its content.
pub(super) const COMPANIONS: [&[u8]; 2] = [b"-journal", b"-wal"];

impl Database {
    /// Opens and locks what begins like a database; `None` for every other file.
    pub(super) fn open(at: At<'_>) -> Result<Option<Self>, Missed> {
        let mut file = open_plain(at)?;
        let mut first = [0; 16];
        if file.read_exact(&mut first).is_err() || &first != SQLITE {
            return Ok(None);
        }
        let until = Instant::now() + LOCK_PATIENCE;
        let mut locked = lock(&file, until);
        let index = [at.name, b"-shm"].concat();
        let log_index = open_plain(At { parent: at.parent, name: &index }).ok();
        if let (true, Some(index)) = (locked, &log_index) {
            locked = lock(index, until);
        }
        Ok(Some(Self { file, _log_index: log_index, locked }))
    }

    /// Reads the database itself. Not through another descriptor: closing one would give the lock up.
    pub(super) fn read(&self, spool: &mut Spool, beat: &mut dyn FnMut()) -> Result<Reading, Missed> {
        attempts(|| once(&self.file, None, spool, beat))
    }
}

fn lock(file: &File, until: Instant) -> bool {
    loop {
        match fcntl_lock(file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return true,
            Err(Errno::AGAIN | Errno::ACCESS) if Instant::now() < until => std::thread::sleep(PAUSE),
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use assay_bundle::digest::sha256_hex;
    use std::os::fd::AsFd;

    fn folder() -> (tempfile::TempDir, OwnedFd) {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = File::open(folder.path()).expect("opened").into();
        (folder, opened)
    }

    #[test]
    fn a_file_is_read_whole_whatever_its_size() {
        let (folder, opened) = folder();
        for size in [0, 1, IN_MEMORY_BYTES, IN_MEMORY_BYTES + 1, 3 * IN_MEMORY_BYTES] {
            let content: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).expect("small")).collect();
            std::fs::write(folder.path().join("f"), &content).expect("a file");
            let mut spool = Spool::new(folder.path());
            let at = At { parent: opened.as_fd(), name: b"f" };
            let reading = read(at, &mut spool, &mut || {}).map_err(|_| "missed").expect("read");
            assert!(!reading.changed);
            assert_eq!(reading.sha256, sha256_hex(&content));
            let mut out = Vec::new();
            spool.pour(&mut out).expect("poured");
            assert_eq!((out == content, spool.size_bytes()), (true, size as u64));
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "no scratch has a name");
    }

    #[test]
    fn a_file_that_changes_is_said_to() {
        let (folder, opened) = folder();
        let path = folder.path().join("f");
        std::fs::write(&path, vec![1; 9 << 20]).expect("a file");
        let at = At { parent: opened.as_fd(), name: b"f" };
        let mut spool = Spool::new(folder.path());
        let mut beats = 0;
        // Each reading beats twice; the file grows at each beat.
        let reading = read(at, &mut spool, &mut || {
            beats += 1;
            let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("opened");
            file.write_all(b"x").expect("written");
        });
        let reading = reading.map_err(|_| "missed").expect("read");
        assert!(reading.changed);
        assert_eq!(beats, 2 * (RETRIES + 1));
        assert_eq!(
            u64::try_from(reading.stat.st_size),
            Ok(spool.size_bytes()),
            "what was read fits its entry"
        );
    }

    #[test]
    fn only_plain_files_are_opened() {
        let (folder, opened) = folder();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("link")).expect("a link");
        rustix::fs::mknodat(&opened, "fifo", FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a FIFO");
        for (name, expected) in [("link", "Special"), ("fifo", "Special"), ("none", "Gone")] {
            let at = At { parent: opened.as_fd(), name: name.as_bytes() };
            let missed = read(at, &mut Spool::new(folder.path()), &mut || {}).err().expect("missed");
            assert_eq!(format!("{missed:?}"), expected, "{name}");
        }
    }

    #[test]
    fn a_database_is_locked() {
        let (folder, opened) = folder();
        std::fs::write(folder.path().join("a.db"), [&SQLITE[..], &[0; 100]].concat()).expect("a file");
        std::fs::write(folder.path().join("b.db"), b"SQLite format 2\0").expect("a file");
        let at = |name| At { parent: opened.as_fd(), name };
        let database =
            Database::open(at(b"a.db")).map_err(|_| "missed").expect("opened").expect("a database");
        assert!(database.locked);
        assert!(Database::open(at(b"b.db")).map_err(|_| "missed").expect("opened").is_none());
        let mut spool = Spool::new(folder.path());
        let reading = database.read(&mut spool, &mut || {}).map_err(|_| "missed").expect("read");
        assert_eq!((reading.changed, spool.size_bytes()), (false, 116));
    }
}
