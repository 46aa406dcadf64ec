//! Where bundles wait until the portal has them. Nothing here is lost by a crash, and no evidence is deleted to make
//! room for newer evidence.
//!
//! ```text
//! .lock                    short changes of the folder, one at a time
//! .upload-lock             one upload run at a time
//! .tmp-<random>/           a bundle being written; its writer holds a lock on the folder
//! 00000007-1f0c9a3e/       an entry; the number grows, so the names sort by age whatever the clock says
//!     entry.json           its state, replaced whole: written beside, fsync, rename, fsync of the folder
//!     plain.assay          the form the owner browses
//!     sealed.assay         the form that is uploaded
//!     held                 while it stands, nothing is sent: what the entry is held for
//! ```
//!
//! An entry appears whole: files and their folder are fsynced inside `.tmp-…`, then the folder is renamed, then the
//! spool is fsynced. A process that dies before the rename leaves a `.tmp-…` whose lock is free; the next
//! [`Spool::open`] removes it. One that dies after the rename leaves an entry.
//!
//! The spool is bounded in bytes and in bundles. Over the bound only entries that the portal has accepted go, oldest
//! first, and each is logged; when that is not enough the *new* bundle is refused with what to do. After an accepted
//! receipt the sealed form goes (the portal has it), the plain form and the receipt stay within the bound.

pub(crate) mod disk;
mod entry;
mod error;
mod slot;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

pub use entry::{Entry, EntryMeta, SpoolEntry, State};
pub use error::SpoolError;
pub use slot::Slot;

use disk::at;

const TEMP_PREFIX: &str = ".tmp-";
const LOCK: &str = ".lock";
const UPLOAD_LOCK: &str = ".upload-lock";

/// How much the spool may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Bytes of all bundles together, both forms.
    pub bytes: u64,
    /// Number of bundles.
    pub bundles: usize,
}

impl Default for SpoolLimits {
    /// 1 GiB and 64 bundles (judgement: a bundle is a few MiB; a NAS that cannot spare this has no usable volume).
    fn default() -> Self {
        Self { bytes: 1 << 30, bundles: 64 }
    }
}

/// The folder of waiting bundles. Cheap to clone; several processes may have it open.
#[derive(Clone, Debug)]
pub struct Spool {
    dir: PathBuf,
    limits: SpoolLimits,
}

/// While this lives, no other process uploads from the spool.
#[derive(Debug)]
pub struct UploadLock {
    _file: File,
}

impl Spool {
    /// Opens the spool, making the folder (0700) where it is missing, and removes what dead writers left behind.
    ///
    /// # Errors
    /// The folder cannot be made, written or locked: there is no usable data volume.
    pub fn open(dir: &Path, limits: SpoolLimits) -> Result<Self, SpoolError> {
        disk::make_dir(dir)?;
        let spool = Self { dir: dir.to_owned(), limits };
        let changing = spool.lock()?;
        // What cannot be removed now (a read-only volume) is in nobody's way; what waits must still be able to leave.
        if let Err(error) = spool.sweep() {
            tracing::warn!(error = crate::portal::chain(&error), "the spool could not be tidied");
        }
        drop(changing);
        Ok(spool)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The bound it was opened with.
    pub fn limits(&self) -> SpoolLimits {
        self.limits
    }

    /// Starts a bundle: a folder of its own inside the spool, removed whole when the [`Slot`] is dropped.
    ///
    /// # Errors
    /// [`SpoolError::Full`] already here, before anything is collected or written, when no room can be made.
    pub fn begin(&self) -> Result<Slot, SpoolError> {
        let _changing = self.lock()?;
        let entries = self.entries()?;
        let kept: Vec<&Entry> = entries.iter().filter(|entry| !entry.is_done()).collect();
        let kept_bytes = kept.iter().map(|entry| entry.size_bytes).sum();
        if kept.len() >= self.limits.bundles || kept_bytes >= self.limits.bytes {
            return Err(self.full(kept.len(), kept_bytes, 0));
        }
        Slot::new(self)
    }

    /// All entries, oldest first. An entry whose state cannot be read is not skipped: it comes back as waiting, with
    /// the reason in `last_error`, because sending a bundle twice is harmless and losing one is not.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>, SpoolError> {
        let mut entries = Vec::new();
        for item in fs::read_dir(&self.dir).map_err(at("list", &self.dir))? {
            let item = item.map_err(at("list", &self.dir))?;
            let name = item.file_name();
            let Some(id) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            if item.file_type().is_ok_and(|kind| kind.is_dir()) {
                entries.push(entry::load(&self.dir.join(id), id)?);
            }
        }
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(entries)
    }

    /// One entry.
    ///
    /// # Errors
    /// [`SpoolError::NoSuchEntry`], or it cannot be read.
    pub fn entry(&self, id: &str) -> Result<Entry, SpoolError> {
        let dir = self.dir.join(id);
        if id.is_empty() || id.starts_with('.') || id.contains('/') || !dir.is_dir() {
            return Err(SpoolError::NoSuchEntry { id: id.to_owned(), dir: self.dir.clone() });
        }
        entry::load(&dir, id)
    }

    /// Gives an entry a (new) sealed form: `file`, moved from the same file system, typically a slot's scratch folder.
    /// The entry waits for upload again; a form that was there before is removed only after the new one is safe.
    ///
    /// # Errors
    /// No such entry, or the disk.
    pub fn put_sealed(&self, id: &str, file: &Path) -> Result<Entry, SpoolError> {
        let _changing = self.lock()?;
        let before = self.entry(id)?;
        let (sha256, size_bytes) = disk::make_durable(file)?;
        let name = format!("sealed-{}.assay", disk::random_name()?);
        let dir = self.dir.join(id);
        fs::rename(file, dir.join(&name)).map_err(at("move", file))?;
        disk::sync_dir(&dir)?;
        let meta = EntryMeta {
            sha256_sealed: Some(sha256),
            size_sealed_bytes: Some(size_bytes),
            state: State::Waiting,
            last_error: None,
            next_attempt_unix_s: None,
            ..before.meta
        };
        entry::save(&dir, &meta, before.plain.as_deref(), Some(&dir.join(&name)))?;
        if let Some(old) = before.sealed {
            fs::remove_file(&old).map_err(at("remove", &old))?;
        }
        self.entry(id)
    }

    /// Puts a refused entry back to waiting, when a person asks.
    ///
    /// # Errors
    /// No such entry, or the disk.
    pub fn requeue(&self, id: &str) -> Result<Entry, SpoolError> {
        self.update(id, |meta| {
            if matches!(meta.state, State::Refused { .. }) {
                meta.state = State::Waiting;
                meta.next_attempt_unix_s = None;
            }
        })
    }

    /// Lets a held entry be sent: its consent is given. Nothing happens to one that is not held.
    ///
    /// # Errors
    /// No such entry, or the disk; then it stays held.
    pub fn release(&self, id: &str) -> Result<Entry, SpoolError> {
        let _changing = self.lock()?;
        self.entry(id)?;
        let dir = self.dir.join(id);
        let path = dir.join(entry::HELD);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(at("remove", &path)(error));
            }
            _ => disk::sync_dir(&dir)?,
        }
        self.entry(id)
    }

    /// Holds an entry (again): its consent was taken back.
    ///
    /// # Errors
    /// No such entry, or the disk.
    pub fn hold(&self, id: &str, held_for: &str) -> Result<Entry, SpoolError> {
        let _changing = self.lock()?;
        self.entry(id)?;
        disk::replace(&self.dir.join(id), entry::HELD, held_for.as_bytes())?;
        self.entry(id)
    }

    /// Removes an entry with all its files. Only ever because a person asked.
    ///
    /// # Errors
    /// No such entry, or the disk.
    pub fn remove(&self, id: &str) -> Result<(), SpoolError> {
        let _changing = self.lock()?;
        let entry = self.entry(id)?;
        self.remove_whole(&entry)
    }

    /// Takes the right to upload from this spool, or says that another process has it.
    ///
    /// # Errors
    /// [`SpoolError::Busy`].
    pub fn lock_uploads(&self) -> Result<UploadLock, SpoolError> {
        let path = self.dir.join(UPLOAD_LOCK);
        let file = disk::lock_file(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(UploadLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(SpoolError::Busy { dir: self.dir.clone() }),
            Err(TryLockError::Error(source)) => Err(at("lock", &path)(source)),
        }
    }

    /// Changes the state of an entry and makes the change durable.
    pub(crate) fn update(&self, id: &str, change: impl FnOnce(&mut EntryMeta)) -> Result<Entry, SpoolError> {
        let _changing = self.lock()?;
        let mut entry = self.entry(id)?;
        change(&mut entry.meta);
        entry::save(&self.dir.join(id), &entry.meta, entry.plain.as_deref(), entry.sealed.as_deref())?;
        Ok(entry)
    }

    /// Records an accepted receipt; the sealed form goes after the record is safe. On a full volume it goes first, for
    /// the record needs room, and the portal has signed that it has the bundle.
    pub(crate) fn accepted(
        &self,
        id: &str,
        change: impl FnOnce(&mut EntryMeta),
    ) -> Result<Entry, SpoolError> {
        let _changing = self.lock()?;
        let mut entry = self.entry(id)?;
        change(&mut entry.meta);
        let dir = self.dir.join(id);
        let save = || entry::save(&dir, &entry.meta, entry.plain.as_deref(), None);
        let no_room = match save() {
            Ok(()) => false,
            Err(SpoolError::DiskFull { .. }) => true,
            Err(error) => return Err(error),
        };
        if let Some(sealed) = &entry.sealed {
            fs::remove_file(sealed).map_err(at("remove", sealed))?;
        }
        if no_room {
            save()?;
        }
        self.entry(id)
    }

    /// Serialises changes of the folder between processes; held for milliseconds, never over the network.
    fn lock(&self) -> Result<File, SpoolError> {
        let path = self.dir.join(LOCK);
        let file = disk::lock_file(&path)?;
        file.lock().map_err(at("lock", &path))?;
        Ok(file)
    }

    /// Removes folders of dead writers, and sealed forms that an accepted entry no longer names.
    fn sweep(&self) -> Result<(), SpoolError> {
        for item in fs::read_dir(&self.dir).map_err(at("list", &self.dir))? {
            let path = item.map_err(at("list", &self.dir))?.path();
            let is_temp =
                path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(TEMP_PREFIX));
            // A folder whose lock is taken has a living writer.
            if is_temp && File::open(&path).is_ok_and(|folder| folder.try_lock().is_ok()) {
                fs::remove_dir_all(&path).map_err(at("remove", &path))?;
                tracing::info!(path = %path.display(), "removed what a dead writer left in the spool");
            }
        }
        for entry in self.entries()?.iter().filter(|entry| entry.is_done()) {
            for orphan in entry::unnamed_sealed(&self.dir.join(&entry.id), entry)? {
                fs::remove_file(&orphan).map_err(at("remove", &orphan))?;
            }
        }
        Ok(())
    }

    /// Makes room for a bundle of `new_bytes` by removing accepted entries, oldest first. Removes nothing when even
    /// that would not be enough.
    fn make_room(&self, new_bytes: u64) -> Result<(), SpoolError> {
        let entries = self.entries()?;
        let (mut bundles, mut bytes) =
            (entries.len() + 1, entries.iter().map(|e| e.size_bytes).sum::<u64>() + new_bytes);
        let mut to_remove = Vec::new();
        for entry in entries.iter().filter(|entry| entry.is_done()) {
            if bundles <= self.limits.bundles && bytes <= self.limits.bytes {
                break;
            }
            bundles -= 1;
            bytes -= entry.size_bytes;
            to_remove.push(entry);
        }
        if bundles > self.limits.bundles || bytes > self.limits.bytes {
            let kept: Vec<&Entry> = entries.iter().filter(|entry| !entry.is_done()).collect();
            return Err(self.full(kept.len(), kept.iter().map(|entry| entry.size_bytes).sum(), new_bytes));
        }
        for entry in to_remove {
            tracing::info!(id = %entry.id, size_bytes = entry.size_bytes, "removed an accepted bundle to make room");
            self.remove_whole(entry)?;
        }
        Ok(())
    }

    /// Out of sight by one rename, then gone: a crash between leaves what the next sweep removes.
    fn remove_whole(&self, entry: &Entry) -> Result<(), SpoolError> {
        let from = self.dir.join(&entry.id);
        let to = self.dir.join(format!("{TEMP_PREFIX}{}", disk::random_name()?));
        fs::rename(&from, &to).map_err(at("remove", &from))?;
        disk::sync_dir(&self.dir)?;
        fs::remove_dir_all(&to).map_err(at("remove", &to))
    }

    fn full(&self, bundles: usize, bytes: u64, new_bytes: u64) -> SpoolError {
        SpoolError::Full { dir: self.dir.clone(), bundles, bytes, new_bytes, limits: self.limits }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
