//! Reading one file as it was at one moment: again when it changed meanwhile, under SQLite's own lock when it is a
//! database of SQLite's, and never what is no plain file.
//!
//! A small file is held until it is known to be whole. A large one is read twice and held nowhere: once to see that it
//! can be read and stays as it is, again when it does not, and then into the copy, from the cache as a rule. What
//! differs between the two is noted; an entry keeps the size that was announced, filled with zeros.
//!
//! A file is opened from its folder's descriptor (`O_NOFOLLOW`, `O_NONBLOCK`) and looked at again before a byte is read:
//! a FIFO or a device that was put in its place is not read. SQLite itself would be a megabyte in a program of five and
//! would write to databases that belong to others. Its locking protocol is enough to copy: a shared lock over the whole
//! database file keeps every rollback-journal writer out, and one over `-shm` every writer and checkpoint of a
//! write-ahead log; readers go on. What is not locked within [`LOCK_PATIENCE`] is read without and noted.

use std::fs::File;
use std::io::{self, Read as _, Seek, SeekFrom, Write};
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
/// Content up to this size is held in memory until it is known to be whole. What is larger is read twice; only a
/// database, whose lock must not last as long as compressing does, waits in a file without a name.
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

/// A large file that was read once, and goes straight into the copy.
pub(super) struct Large {
    file: File,
    /// What it was when its reading began.
    pub(super) stat: Stat,
    /// Bytes that [`Large::pour`] writes.
    pub(super) size_bytes: u64,
    changed: bool,
}

/// What became of it.
pub(super) struct Poured {
    /// SHA-256 of what was written, lower-case hex.
    pub(super) sha256: String,
    /// It is not what it was.
    pub(super) changed: bool,
    /// Its second reading failed: zeros stand for the rest.
    pub(super) failed: bool,
}

impl Large {
    /// Writes exactly as many bytes as were announced; fails only when they cannot be kept.
    pub(super) fn pour(mut self, out: &mut dyn Write, beat: &mut dyn FnMut()) -> io::Result<Poured> {
        let mut to = Sha256::new(out);
        let mut failed = self.file.rewind().is_err();
        let mut left = self.size_bytes;
        if !failed {
            let passed = pass(&self.file, left, beat, &mut |bytes| to.write_all(bytes));
            match passed {
                Ok(rest) => left = rest,
                Err(Missed::Keeping(error)) => return Err(error),
                Err(_) => {
                    left = self.size_bytes.saturating_sub(to.size_bytes());
                    failed = true;
                }
            }
        }
        let changed =
            self.changed || left > 0 || !fstat(&self.file).is_ok_and(|is| mark(&is) == mark(&self.stat));
        io::copy(&mut io::repeat(0).take(left), &mut to)?;
        let (_, _, sha256) = to.finish();
        Ok(Poured { sha256, changed, failed })
    }
}

/// What was found under a name.
pub(super) enum Read {
    /// A file, which is in the spool.
    File(Reading),
    /// A file that is read again for the copy.
    Large(Box<Large>),
    /// A database, which is locked and not read yet.
    Database(Box<Database>),
}

/// Reads a file into `spool`, unless it is a database; `beat` is told about progress within a large one.
pub(super) fn read(at: At<'_>, spool: &mut Spool, beat: &mut dyn FnMut()) -> Result<Read, Missed> {
    let (mut file, stat) = open_plain(at)?;
    let mut first = [0; SQLITE.len()];
    if stat.st_size >= SQLITE.len() as i64 && file.read_exact(&mut first).is_ok() && &first == SQLITE {
        return Ok(Read::Database(Box::new(Database::lock(file, at))));
    }
    if stat.st_size > IN_MEMORY_BYTES as i64 {
        return large(file, stat, at, beat).map(|large| Read::Large(Box::new(large)));
    }
    let reading = once(&file, stat, Some(at), spool, beat)?;
    match reading.changed {
        false => Ok(Read::File(reading)),
        true => attempts(RETRIES, || opened(at, spool, beat)).map(Read::File),
    }
}

/// Reads a large file through, until it stays as it is or was tried often enough.
fn large(mut file: File, mut stat: Stat, at: At<'_>, beat: &mut dyn FnMut()) -> Result<Large, Missed> {
    let mut tries = 0;
    loop {
        file.rewind().map_err(Missed::Source)?;
        let size_bytes = u64::try_from(stat.st_size).unwrap_or_default();
        let left = pass(&file, size_bytes, beat, &mut |_| Ok(()))?;
        let changed = left > 0 || has_changed(&file, Some(at), &stat)?;
        if !changed || tries >= RETRIES {
            return Ok(Large { file, stat, size_bytes, changed });
        }
        tries += 1;
        std::thread::sleep(PAUSE);
        (file, stat) = open_plain(at)?;
    }
}

/// Reads a file into `spool`, whatever it is.
pub(super) fn read_plain(at: At<'_>, spool: &mut Spool, beat: &mut dyn FnMut()) -> Result<Reading, Missed> {
    attempts(1 + RETRIES, || opened(at, spool, beat))
}

/// Reads until two looks agree, at most `most` times.
fn attempts(most: u32, mut once: impl FnMut() -> Result<Reading, Missed>) -> Result<Reading, Missed> {
    let mut reading = once()?;
    for _ in 1..most {
        if !reading.changed {
            break;
        }
        std::thread::sleep(PAUSE);
        reading = once()?;
    }
    Ok(reading)
}

/// Opens a plain file and says what it is, without changing when it was last read where that is allowed: md9 is written
/// rarely.
fn open_plain(at: At<'_>) -> Result<(File, Stat), Missed> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match openat(at.parent, at.name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(at.parent, at.name, flags, Mode::empty()),
        opened => opened,
    };
    let file: OwnedFd = file?;
    let stat = fstat(&file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok((file.into(), stat)),
        _ => Err(Missed::Special),
    }
}

/// Opens a plain file and reads it once.
fn opened(at: At<'_>, spool: &mut Spool, beat: &mut dyn FnMut()) -> Result<Reading, Missed> {
    let (file, stat) = open_plain(at)?;
    once(&file, stat, Some(at), spool, beat)
}

/// One reading of an open file. `stat`: what it was just before. `at`: where it must still be the one that has this name.
fn once(
    mut file: &File,
    stat: Stat,
    at: Option<At<'_>>,
    spool: &mut Spool,
    beat: &mut dyn FnMut(),
) -> Result<Reading, Missed> {
    file.rewind().map_err(Missed::Source)?;
    spool.clear();
    let mut to = Sha256::new(&mut *spool);
    // A file that only grows is cut at the size that it had.
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    let left = pass(file, size, beat, &mut |bytes| to.write_all(bytes))?;
    let (_, _, sha256) = to.finish();
    let changed = left > 0 || has_changed(file, at, &stat)?;
    Ok(Reading { stat, sha256, changed })
}

/// Hands so many bytes of a file to `to`; says how many were not there any more.
fn pass(
    mut file: &File,
    size_bytes: u64,
    beat: &mut dyn FnMut(),
    to: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<u64, Missed> {
    let mut buffer = vec![0; BUFFER_BYTES.min(usize::try_from(size_bytes).unwrap_or(usize::MAX))];
    let (mut left, mut since_beat) = (size_bytes, 0);
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = match file.read(buffer.get_mut(..most).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Missed::Source(error)),
        };
        to(buffer.get(..read).unwrap_or_default()).map_err(Missed::Keeping)?;
        left = left.saturating_sub(read as u64);
        since_beat += read as u64;
        if since_beat >= BEAT_BYTES {
            since_beat = 0;
            beat();
        }
    }
    Ok(left)
}

/// Whether an open file is not what it was, or not the one any more that has its name.
fn has_changed(file: &File, at: Option<At<'_>>, stat: &Stat) -> Result<bool, Missed> {
    let after = fstat(file)?;
    let named = at.map(|at| statat(at.parent, at.name, AtFlags::SYMLINK_NOFOLLOW));
    let moved = match named {
        Some(Ok(named)) => mark(&named) != mark(stat),
        Some(Err(_)) => true,
        None => false,
    };
    Ok(moved || mark(&after) != mark(stat))
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
    /// Locks a database, as far as that is possible.
    fn lock(file: File, at: At<'_>) -> Self {
        let until = Instant::now() + LOCK_PATIENCE;
        let mut locked = lock(&file, until);
        let index = [at.name, b"-shm"].concat();
        let log_index = open_plain(At { parent: at.parent, name: &index }).map(|(file, _)| file).ok();
        if let (true, Some(index)) = (locked, &log_index) {
            locked = lock(index, until);
        }
        Self { file, _log_index: log_index, locked }
    }

    /// Reads the database itself. Not through another descriptor: closing one would give the lock up.
    pub(super) fn read(&self, spool: &mut Spool, beat: &mut dyn FnMut()) -> Result<Reading, Missed> {
        attempts(1 + RETRIES, || once(&self.file, fstat(&self.file)?, None, spool, beat))
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
#[allow(clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use assay_bundle::digest::sha256_hex;
    use std::os::fd::AsFd;

    fn plain(read: Result<Read, Missed>) -> Reading {
        match read {
            Ok(Read::File(reading)) => reading,
            Ok(Read::Large(_)) => panic!("a large file"),
            Ok(Read::Database(_)) => panic!("a database"),
            Err(missed) => panic!("{missed:?}"),
        }
    }

    fn large_of(read: Result<Read, Missed>) -> Large {
        match read {
            Ok(Read::Large(large)) => *large,
            Ok(_) => panic!("not large"),
            Err(missed) => panic!("{missed:?}"),
        }
    }

    fn folder() -> (tempfile::TempDir, OwnedFd) {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = File::open(folder.path()).expect("opened").into();
        (folder, opened)
    }

    #[test]
    fn a_file_is_read_whole_whatever_its_size() {
        let (folder, opened) = folder();
        for size in [0, 1, BUFFER_BYTES, IN_MEMORY_BYTES] {
            let content: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).expect("small")).collect();
            std::fs::write(folder.path().join("f"), &content).expect("a file");
            let mut spool = Spool::new(folder.path());
            let at = At { parent: opened.as_fd(), name: b"f" };
            let reading = plain(read(at, &mut spool, &mut || {}));
            assert!(!reading.changed);
            assert_eq!(reading.sha256, sha256_hex(&content));
            let mut out = Vec::new();
            spool.pour(&mut out).expect("poured");
            assert_eq!((out == content, spool.size_bytes()), (true, size as u64));
        }
        for size in [IN_MEMORY_BYTES + 1, 3 * IN_MEMORY_BYTES + 7] {
            let content: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).expect("small")).collect();
            std::fs::write(folder.path().join("f"), &content).expect("a file");
            let at = At { parent: opened.as_fd(), name: b"f" };
            let large = large_of(read(at, &mut Spool::new(folder.path()), &mut || {}));
            assert_eq!(large.size_bytes, size as u64);
            let mut out = Vec::new();
            let poured = large.pour(&mut out, &mut || {}).expect("poured");
            assert_eq!((poured.changed, poured.failed, out == content), (false, false, true));
            assert_eq!(poured.sha256, sha256_hex(&content));
            // What a file without a name held would be the same.
            let mut spool = Spool::new(folder.path());
            let reading = read_plain(at, &mut spool, &mut || {}).map_err(|_| "missed").expect("read");
            assert_eq!((reading.sha256, spool.size_bytes()), (sha256_hex(&content), size as u64));
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
        let large = read(at, &mut spool, &mut || {
            beats += 1;
            let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("opened");
            file.write_all(b"x").expect("written");
        });
        let large = large_of(large);
        assert_eq!(beats, 2 * (RETRIES + 1));
        let size = large.size_bytes;
        let mut out = Vec::new();
        let poured = large.pour(&mut out, &mut || {}).expect("poured");
        assert_eq!((poured.changed, poured.failed), (true, false));
        assert_eq!(out.len() as u64, size, "what was read fits its entry");
        // Cut after it was looked at: the entry keeps its size.
        let large = large_of(read(at, &mut spool, &mut || {}));
        let size = large.size_bytes;
        std::fs::OpenOptions::new().write(true).open(&path).expect("opened").set_len(5).expect("cut");
        let mut out = Vec::new();
        let poured = large.pour(&mut out, &mut || {}).expect("poured");
        assert_eq!((poured.changed, out.len() as u64), (true, size));
        assert_eq!(poured.sha256, sha256_hex(&out));
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
        let mut spool = Spool::new(folder.path());
        plain(read(at(b"b.db"), &mut spool, &mut || {}));
        let Ok(Read::Database(database)) = read(at(b"a.db"), &mut spool, &mut || {}) else {
            panic!("a database")
        };
        assert!(database.locked);
        let reading = database.read(&mut spool, &mut || {}).map_err(|_| "missed").expect("read");
        assert_eq!((reading.changed, spool.size_bytes()), (false, 116));
    }
}
