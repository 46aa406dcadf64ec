//! One daemon for each identity: a locked file in RAM that names the process. The kernel gives the lock back when its
//! holder dies, however it dies, so a file that was left behind is in nobody's way.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::trouble::{NextStep, refuse};

const FILE: &str = "lock";
/// So often it is tried again before somebody else is said to have it.
const TRIES: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(20);

/// The right to be the daemon; given back when dropped.
pub(crate) struct Lock {
    _file: File,
}

/// Takes the right, or says which process has it.
pub(crate) fn take(folder: &Path) -> anyhow::Result<Lock> {
    let path = folder.join(FILE);
    let cannot = || format!("cannot lock {}", path.display());
    let root = "run as administrator (root)";
    let opened =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = opened.or_advise(cannot(), root)?;
    // A question whether it is held holds it for a moment itself.
    let mut tried = file.try_lock();
    for _ in 0..TRIES {
        if !matches!(tried, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(BETWEEN);
        tried = file.try_lock();
    }
    match tried {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = (&mut file).take(20).read_to_string(&mut pid);
            return Err(refuse(
                format!("another daemon runs already (process {})", pid.trim()),
                "`assay status` says what it does; stop it first if this one is to run",
            ));
        }
        Err(TryLockError::Error(error)) => return Err(error).or_advise(cannot(), root),
    }
    let written =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.or_advise(cannot(), root)?;
    Ok(Lock { _file: file })
}

/// Whether a daemon holds the lock.
pub(crate) fn is_held(folder: &Path) -> bool {
    let file = File::open(folder.join(FILE));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_a_file_left_behind_is_in_nobodys_way() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), "99999999\nleft behind").expect("a file");
        assert!(!is_held(folder.path()));
        let lock = take(folder.path()).expect("it is free");
        assert!(is_held(folder.path()));
        let own = format!("process {})", std::process::id());
        let error = take(folder.path()).map(|_| ()).expect_err("refused").to_string();
        assert!(error.contains(&own), "{error}");
        drop(lock);
        take(folder.path()).expect("given back");
    }
}
