//! A bundle on its way into the spool. Dropping a slot removes everything it wrote.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::disk::{self, at};
use super::entry::{self, HELD, PLAIN, SEALED};
use super::{Entry, EntryMeta, Spool, SpoolEntry, SpoolError, State, TEMP_PREFIX};

const SCRATCH: &str = "scratch";

/// A folder inside the spool that belongs to one writer until it becomes an entry.
#[derive(Debug)]
pub struct Slot {
    spool: Spool,
    dir: PathBuf,
    plain: PathBuf,
    sealed: PathBuf,
    scratch: PathBuf,
    /// Locked: tells a sweep that the writer lives. The kernel frees it when the process dies.
    _alive: File,
    committed: bool,
}

impl Slot {
    /// Makes the folder. The caller holds the spool's lock, so no sweep can come between making and locking it.
    pub(super) fn new(spool: &Spool) -> Result<Self, SpoolError> {
        let dir = spool.dir.join(format!("{TEMP_PREFIX}{}", disk::random_name()?));
        let scratch = dir.join(SCRATCH);
        disk::make_dir(&scratch)?;
        let alive = File::open(&dir).map_err(at("open", &dir))?;
        alive.lock().map_err(at("lock", &dir))?;
        Ok(Self {
            spool: spool.clone(),
            plain: dir.join(PLAIN),
            sealed: dir.join(SEALED),
            scratch,
            dir,
            _alive: alive,
            committed: false,
        })
    }

    /// Where the plain form is to be written.
    pub fn plain_path(&self) -> &Path {
        &self.plain
    }

    /// Where the sealed form is to be written.
    pub fn sealed_path(&self) -> &Path {
        &self.sealed
    }

    /// A folder for what is needed on the way; removed at [`Slot::commit`].
    pub fn scratch_dir(&self) -> &Path {
        &self.scratch
    }

    /// Makes an entry of what was written: both forms or either. When it returns, the entry survives a power cut.
    ///
    /// # Errors
    /// [`SpoolError::Full`], [`SpoolError::DiskFull`], or the disk; then nothing of the slot is left.
    pub fn commit(mut self, about: SpoolEntry) -> Result<Entry, SpoolError> {
        fs::remove_dir_all(&self.scratch).map_err(at("remove", &self.scratch))?;
        let plain = self.plain.is_file().then_some(self.plain.as_path());
        let sealed = self.sealed.is_file().then_some(self.sealed.as_path());
        if plain.is_none() && sealed.is_none() {
            return Err(SpoolError::NothingWritten { dir: self.dir.clone() });
        }
        plain.map(disk::make_durable).transpose()?;
        let (sha256_sealed, size_sealed_bytes) = sealed.map(disk::make_durable).transpose()?.unzip();
        let meta = EntryMeta {
            sha256_sealed,
            size_sealed_bytes,
            seq: about.seq,
            reason: about.reason,
            created_unix_s: about.created_unix_s,
            state: State::Waiting,
            attempts: 0,
            next_attempt_unix_s: None,
            last_error: None,
        };
        if let Some(what) = &about.held_for {
            disk::replace(&self.dir, HELD, what.as_bytes())?;
        }
        entry::save(&self.dir, &meta, plain, sealed)?;

        let _changing = self.spool.lock()?;
        self.spool.make_room(entry::size_bytes(&self.dir)?)?;
        let id = self.next_id()?;
        let to = self.spool.dir.join(&id);
        fs::rename(&self.dir, &to).map_err(at("move", &self.dir))?;
        self.committed = true;
        disk::sync_dir(&self.spool.dir)?;
        self.spool.entry(&id)
    }

    /// One above the highest number there is. The random half keeps a number that is used again from meaning another
    /// bundle under the same name.
    fn next_id(&self) -> Result<String, SpoolError> {
        let entries = self.spool.entries()?;
        let highest =
            entries.iter().filter_map(|entry| entry.id.split('-').next()?.parse::<u64>().ok()).max();
        Ok(format!("{:08}-{}", highest.map_or(1, |number| number.saturating_add(1)), disk::random_name()?))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.committed
            && let Err(error) = fs::remove_dir_all(&self.dir)
        {
            tracing::warn!(path = %self.dir.display(), %error, "an unfinished bundle stays until the spool is opened again");
        }
    }
}
