//! The kernel's log from `/dev/kmsg`: every record as the kernel writes it, the newest kept when there are too many.
//!
//! Opened non-blocking this device never waits, so it is read in this process: the log is most wanted when everything
//! else hangs. One `read` returns one record, and fails with `EINVAL` when the buffer is smaller than the record.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, major, minor};
use rustix::io::Errno;

use crate::source::{Failure, Fetched, MAX_KERNEL_LOG_BYTES};

/// Larger than the largest record (the kernel's own limit is 8 KiB with its extension lines).
const RECORD_BYTES: usize = 16 * 1024;

/// Most records that one run looks at: the largest ring holds some hundred thousand. A kernel that logs faster than we
/// read must not hold the run up.
const MAX_RECORDS: usize = 500_000;

/// The device's number, the same on every Linux.
const KMSG: (u32, u32) = (1, 11);

/// Reads the log at `path`, the device or (in tests) a plain file.
pub(super) fn read(path: &Path) -> Result<Fetched, Failure> {
    let failed = |error: Errno| match error {
        Errno::NOENT | Errno::NOTDIR => Failure::NotFound,
        Errno::PERM | Errno::ACCESS => {
            Failure::Denied { what: format!("the kernel log ({})", path.display()) }
        }
        _ => Failure::Io { why: format!("{}: {}", path.display(), io::Error::from(error)) },
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?);
    let seen = fstat(&file).map_err(failed)?;
    let is_log = match FileType::from_raw_mode(seen.st_mode) {
        FileType::CharacterDevice => (major(seen.st_rdev), minor(seen.st_rdev)) == KMSG,
        FileType::RegularFile => true,
        _ => false,
    };
    if !is_log {
        return Err(Failure::Io { why: format!("{}: this is not the kernel's log", path.display()) });
    }
    let mut newest = Newest::new(MAX_KERNEL_LOG_BYTES as usize);
    let mut buffer = vec![0; RECORD_BYTES];
    for _ in 0..MAX_RECORDS {
        match rustix::io::read(&file, buffer.as_mut_slice()) {
            Ok(0) | Err(Errno::AGAIN) => return Ok(newest.finish()),
            Ok(count) => newest.push(buffer.get(..count).unwrap_or_default()),
            Err(Errno::INTR) => {}
            // The ring went round while it was read; the sequence numbers show the gap.
            Err(Errno::PIPE) => newest.lost = true,
            Err(error) => return Err(failed(error)),
        }
    }
    newest.lost = true;
    Ok(newest.finish())
}

/// Whole records, the newest, up to a limit.
struct Newest {
    records: VecDeque<Vec<u8>>,
    bytes: usize,
    limit_bytes: usize,
    lost: bool,
}

impl Newest {
    fn new(limit_bytes: usize) -> Self {
        Self { records: VecDeque::new(), bytes: 0, limit_bytes, lost: false }
    }

    fn push(&mut self, record: &[u8]) {
        self.bytes += record.len();
        self.records.push_back(record.to_vec());
        while self.bytes > self.limit_bytes {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes -= oldest.len();
            self.lost = true;
        }
    }

    fn finish(self) -> Fetched {
        let bytes = self.records.into_iter().flatten().collect();
        Fetched { bytes, truncated: self.lost, ..Fetched::default() }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_records_are_kept_whole() {
        fn check(limit_bytes: usize, records: &[&str], expected: &str, truncated: bool) {
            let mut newest = Newest::new(limit_bytes);
            records.iter().for_each(|record| newest.push(record.as_bytes()));
            let fetched = newest.finish();
            assert_eq!((fetched.text().as_str(), fetched.truncated), (expected, truncated));
        }
        check(9, &["aaa\n", "bbb\n"], "aaa\nbbb\n", false);
        check(9, &["aaa\n", "bbb\n", "ccc\n"], "bbb\nccc\n", true);
        check(3, &["aaa\n"], "", true);
        check(9, &[], "", false);
    }

    #[test]
    fn a_log_is_a_log_or_is_refused() {
        fn check(path: &Path, expected: Result<&str, &str>) {
            match (read(path), expected) {
                (Ok(fetched), Ok(text)) => assert_eq!(fetched.text(), text),
                (Err(failure), Err(words)) => assert!(failure.to_string().contains(words), "{failure}"),
                (answer, expected) => panic!("{answer:?} instead of {expected:?}"),
            }
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("kmsg");
        std::fs::write(&file, "6,1,2,-;x\n").expect("a file");
        check(&file, Ok("6,1,2,-;x\n"));
        check(&folder.path().join("none"), Err("not there"));
        check(folder.path(), Err("not the kernel's log"));
        check(Path::new("/dev/zero"), Err("not the kernel's log"));
    }
}
