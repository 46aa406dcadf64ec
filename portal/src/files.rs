//! Where the portal keeps things, and how a file is written so that it is there whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The data folder (0700) and what lies in it.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// Opens the folder, making it and its parts when they are missing.
    ///
    /// # Errors
    /// When a folder cannot be made, with its path.
    pub fn open(root: &Path) -> Result<Self, FileError> {
        let dir = Self { root: root.to_path_buf() };
        for path in [dir.root.clone(), dir.uploads(), dir.objects(), dir.quarantine()] {
            DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(|source| FileError {
                what: "make the folder",
                path,
                source,
            })?;
        }
        Ok(dir)
    }

    /// A file directly in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
    /// Database.
    pub fn database(&self) -> PathBuf {
        self.file("portal.db")
    }
    /// Decryption identity: only the ingest worker reads it.
    pub fn identity(&self) -> PathBuf {
        self.file("identity.age")
    }
    /// Certificate authority of a self-made certificate, for `--ca-file` on devices.
    pub fn ca(&self) -> PathBuf {
        self.file("ca.pem")
    }
    /// The card, as the last start published it.
    pub fn card(&self) -> PathBuf {
        self.file("card.json")
    }
    /// Uploads that are not whole yet.
    pub fn uploads(&self) -> PathBuf {
        self.file("uploads")
    }
    /// Bundles, byte for byte as received, named by their id and never by their content.
    pub fn objects(&self) -> PathBuf {
        self.file("objects")
    }
    /// Bundles that were refused.
    pub fn quarantine(&self) -> PathBuf {
        self.file("quarantine")
    }

    /// Takes the folder for one process alone; it is given back when the file is dropped.
    ///
    /// # Errors
    /// When another process has it.
    pub fn take(&self) -> Result<File, FileError> {
        self.lock(File::try_lock)
    }

    /// Takes the folder together with other serving processes, whose database keeps them apart.
    ///
    /// # Errors
    /// When a process has it alone.
    pub fn share(&self) -> Result<File, FileError> {
        self.lock(File::try_lock_shared)
    }

    fn lock(&self, how: fn(&File) -> Result<(), TryLockError>) -> Result<File, FileError> {
        let path = self.file("lock");
        let fail = |source| FileError { what: "take the lock", path: path.clone(), source };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        match how(&file) {
            Ok(()) => Ok(file),
            Err(_) => Err(fail(io::Error::other(
                "another portal serves from this folder: stop it, or give this one its own --data-dir",
            ))),
        }
    }
}

/// A file operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {} (check its owner, its folder and the free space)", path.display())]
pub struct FileError {
    /// What was tried.
    pub what: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// Writes a file so that it is there whole or not at all: temporary name, sync, rename, sync of the folder.
///
/// # Errors
/// When any step fails; nothing is left behind then.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let fail = |source| FileError { what: "write", path: path.to_path_buf(), source };
    let folder = path.parent().ok_or_else(|| fail(io::Error::other("it has no folder")))?;
    let temporary = folder.join(format!(".{}.tmp", uuid::Uuid::new_v4()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        sync_folder(folder)
    })();
    written.map_err(|source| {
        // The error that is reported is the first one; a leftover that cannot be removed either adds nothing.
        let _ = std::fs::remove_file(&temporary);
        fail(source)
    })
}

/// Makes a rename in `folder` survive a power cut.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Reads a file as text.
///
/// # Errors
/// When it cannot be read or is no text.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(|source| FileError {
        what: "read",
        path: path.to_path_buf(),
        source,
    })
}
