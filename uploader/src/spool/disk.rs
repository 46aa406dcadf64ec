//! The few file operations that must survive a power cut, and names that nobody guesses.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use assay_bundle::digest::Sha256;
use ring::rand::{SecureRandom, SystemRandom};

use super::SpoolError;

/// Puts the operation and the path to an I/O error; a full disk has an error of its own.
pub(super) fn at<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> SpoolError + 'a {
    move |source| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                SpoolError::DiskFull { path, source }
            }
            _ => SpoolError::Disk { doing, path, source },
        }
    }
}

/// Makes a folder and its parents, for us alone. One that exists keeps its mode.
pub(super) fn make_dir(dir: &Path) -> Result<(), SpoolError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at("make", dir))
}

/// Opens a lock file, made where it is missing. It stays empty. On a volume that went read-only the one that is there
/// still locks: what waits on such a volume must be able to leave it.
pub(super) fn lock_file(path: &Path) -> Result<File, SpoolError> {
    let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    match opened {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(path),
        opened => opened,
    }
    .map_err(at("open", path))
}

/// Makes the names inside a folder durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), SpoolError> {
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(at("flush", dir))
}

/// Makes a finished file durable and ours alone; answers its SHA-256 (lower-case hex) and size in bytes.
pub(super) fn make_durable(path: &Path) -> Result<(String, u64), SpoolError> {
    let file = File::open(path).map_err(at("open", path))?;
    file.set_permissions(Permissions::from_mode(0o600)).map_err(at("protect", path))?;
    file.sync_all().map_err(at("flush", path))?;
    digest(file).map_err(at("read", path))
}

/// SHA-256 and size of a file, read once from its beginning.
pub(crate) fn digest(file: File) -> io::Result<(String, u64)> {
    let mut reader = Sha256::new(file);
    io::copy(&mut reader, &mut io::sink())?;
    let (_file, size_bytes, sha256) = reader.finish();
    Ok((sha256, size_bytes))
}

/// Replaces `dir/name` whole: a reader, and a crash at any moment, sees the old bytes or the new ones.
pub(super) fn replace(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), SpoolError> {
    let (new, path) = (dir.join(format!(".{name}.new")), dir.join(name));
    let written = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    if let Err(source) = written {
        // The half-written file may be what fills the disk; failing to remove it changes nothing.
        let _ = fs::remove_file(&new);
        return Err(at("write", &path)(source));
    }
    fs::rename(&new, &path).map_err(at("replace", &path))?;
    sync_dir(dir)
}

/// Eight hexadecimal digits.
pub(super) fn random_name() -> Result<String, SpoolError> {
    let mut bytes = [0_u8; 4];
    SystemRandom::new().fill(&mut bytes).map_err(|_| SpoolError::Random)?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}
