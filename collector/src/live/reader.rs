//! The reader child: does what may hang, and nothing else, until its standard input closes.
//!
//! It opens plain files (on disks, in `/proc`, in `/sys`) for reading and never a pipe or socket, and a device only to
//! ask it one of the questions of [`crate::direct`] (see [`super::ioctl`]): a file is looked at through a handle that
//! opens nothing (`O_PATH`) before it is opened, because opening a device can start it.
//! A path below `/tmp`, where any user of the NAS may write, must not lead out of it. A file whose writer holds a lock
//! while it writes is read under the same lock, shared, which writes nothing and is given back at once.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, Mode, OFlags, StatVfsMountFlags, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Signal, set_parent_process_death_signal};

use super::leash::ENVIRONMENT;
use super::protocol::{
    Ask, LAUNCH_FAILED, LAUNCH_MARK, Launch, MAX_MANNER_BYTES, Op, Question, locked_paths, respond,
    with_manner,
};
use super::{event_rows, ioctl, memory_cap};
use crate::source::{Failure, MAX_EVENT_LOG_BYTES, Manner};

/// Folder in which everybody may make links.
const SHARED_FOLDER: &str = "/tmp";

/// How long a lock is tried for. Its writer holds it for one small file.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// Pause between two attempts.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Most further readings of a file whose lock could not be had.
const UNLOCKED_READINGS: usize = 5;

/// Exit status of a reader that was told nonsense, or whose parent went away in the middle of an answer.
const BROKEN: i32 = 3;

/// The reader child's whole life: answers requests on standard input until that closes. For the program's hidden
/// command that `LiveOptions::reader` names; it never returns.
pub fn reader_main() -> ! {
    // Where the kernel offers it, the child does not outlive a parent that was killed, nor does the command that it
    // becomes. (The kernel watches the thread that started the child: the agent has one.)
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    // A kernel that refuses leaves the child as it was; what it reads is bounded by itself too.
    let _ = memory_cap::CHILD.apply();
    let Ok(output) = io::stdout().as_fd().try_clone_to_owned() else { exit(BROKEN) };
    let mut output = File::from(output);
    let mut input = io::stdin().lock();
    loop {
        let answer = match Ask::decode(&mut input) {
            Ok(None) => exit(0),
            Err(_) => exit(BROKEN),
            Ok(Some(Ask { op: Op::Become, text, .. })) => launch(&text),
            Ok(Some(Ask { op: Op::Device, text, .. })) => match Question::decode(&text) {
                Some(Question { query, path }) => ioctl::ask(Path::new(&path), query),
                None => exit(BROKEN),
            },
            Ok(Some(Ask { op, limit_bytes, text })) => {
                let path = PathBuf::from(std::ffi::OsString::from_vec(text));
                match op {
                    Op::ReadLocked => read_locked(path.as_os_str().as_bytes(), limit_bytes),
                    Op::List => list(&path, limit_bytes),
                    Op::Link => link(&path),
                    Op::Space => space(&path),
                    Op::End => read_end(&path, limit_bytes),
                    Op::EventRows => event_rows(&path, limit_bytes),
                    _ => read(&path, limit_bytes),
                }
            }
        };
        if respond(&mut output, answer).is_err() {
            exit(BROKEN);
        }
    }
}

fn read(path: &Path, limit_bytes: u64) -> Result<(Vec<u8>, bool), Failure> {
    read_open(open(path)?, path, limit_bytes)
}

/// Whole lines from the end of a file.
fn read_end(path: &Path, limit_bytes: u64) -> Result<(Vec<u8>, bool), Failure> {
    let mut file = open(path)?;
    let size = file.metadata().map_err(|error| failure(path, &error))?.len();
    let left_out = size.saturating_sub(limit_bytes);
    file.seek(SeekFrom::Start(left_out)).map_err(|error| failure(path, &error))?;
    let (mut bytes, grew) = read_open(file, path, limit_bytes)?;
    if left_out > 0 {
        let part = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
        bytes.drain(..part);
    }
    Ok((bytes, left_out > 0 || grew))
}

/// The hardware rows of a database that its owner goes on writing: read into memory, never opened by SQLite, so that
/// no lock, journal or write-ahead log of the owner is ever touched.
fn event_rows(path: &Path, limit_bytes: u64) -> Result<(Vec<u8>, bool), Failure> {
    let (bytes, cut) = read(path, MAX_EVENT_LOG_BYTES)?;
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        fs::symlink_metadata(name).is_ok_and(|seen| seen.len() > 0)
    };
    let state = event_rows::Beside { wal: beside("-wal"), journal: beside("-journal"), cut };
    event_rows::extract(&bytes, state, limit_bytes)
        .map_err(|why| Failure::Io { why: format!("{}: {why}", path.display()) })
}

fn read_open(mut file: File, path: &Path, limit_bytes: u64) -> Result<(Vec<u8>, bool), Failure> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let wanted = limit_bytes.saturating_add(1).saturating_sub(bytes.len() as u64);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).min(buffer.len());
        match file.read(buffer.get_mut(..wanted).unwrap_or_default()) {
            Ok(0) => return Ok((bytes, false)),
            Ok(count) => bytes.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A file of the kernel that has nothing more to say now.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok((bytes, false)),
            Err(error) => return Err(failure(path, &error)),
        }
        if bytes.len() as u64 > limit_bytes {
            bytes.truncate(usize::try_from(limit_bytes).unwrap_or(usize::MAX));
            return Ok((bytes, true));
        }
    }
}

/// Reads a file while its lock is held by us too. When the lock cannot be had in time, because its holder hangs or
/// there is none, the file is read until two readings agree: the writer does not replace it in one step.
fn read_locked(text: &[u8], limit_bytes: u64) -> Result<(Vec<u8>, bool), Failure> {
    let broken = || Failure::Io { why: "not a file and its lock".to_owned() };
    let (path, lock) = locked_paths(text).ok_or_else(broken)?;
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    let lock = locked(Path::new(std::ffi::OsStr::from_bytes(lock)));
    let limit_bytes = limit_bytes.saturating_sub(MAX_MANNER_BYTES);
    let mut answer = read(path, limit_bytes)?;
    if lock.is_none() {
        let mut agreed = false;
        for _ in 0..UNLOCKED_READINGS {
            let again = read(path, limit_bytes)?;
            agreed = again == answer;
            answer = again;
            if agreed {
                break;
            }
            std::thread::sleep(LOCK_PAUSE);
        }
        if !agreed {
            let why =
                format!("{}: it changed at every reading, and its lock could not be had", path.display());
            return Err(Failure::Io { why });
        }
    }
    let manner = Manner { locked: lock.is_some(), age_s: age(path) };
    Ok((with_manner(manner, &answer.0), answer.1))
}

/// The lock, as long as the file is kept open. `None`: it is not there, or others held it for too long.
fn locked(path: &Path) -> Option<File> {
    let file = open(path).ok()?;
    let end = Instant::now() + LOCK_WAIT;
    loop {
        match fcntl_lock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return Some(file),
            Err(Errno::ACCESS | Errno::AGAIN) if Instant::now() < end => std::thread::sleep(LOCK_PAUSE),
            Err(_) => return None,
        }
    }
}

/// Seconds since a file was written.
fn age(path: &Path) -> Option<i64> {
    let written = fs::metadata(path).ok()?.modified().ok()?;
    match SystemTime::now().duration_since(written) {
        Ok(age) => i64::try_from(age.as_secs()).ok(),
        Err(ahead) => i64::try_from(ahead.duration().as_secs()).ok().map(|s| -s.max(1)),
    }
}

/// Opens a plain file for reading.
fn open(path: &Path) -> Result<File, Failure> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let handle =
        rustix::fs::open(path, flags, Mode::empty()).map_err(|error| failure(path, &error.into()))?;
    let handle = File::from(handle);
    if !handle.metadata().map_err(|error| failure(path, &error))?.is_file() {
        return Err(Failure::Io {
            why: format!("{}: not a plain file, so it was not opened", path.display()),
        });
    }
    let by_number = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&handle));
    if path.starts_with(SHARED_FOLDER) {
        let leads_to = fs::read_link(&by_number).map_err(|error| failure(path, &error))?;
        let shared = fs::canonicalize(SHARED_FOLDER).map_err(|error| failure(path, &error))?;
        if !leads_to.starts_with(&shared) {
            let why = format!("{}: leads out of {SHARED_FOLDER}, so it was not opened", path.display());
            return Err(Failure::Io { why });
        }
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(by_number.as_str(), flags, Mode::empty());
    Ok(File::from(file.map_err(|error| failure(path, &error.into()))?))
}

fn list(path: &Path, limit_bytes: u64) -> Result<(Vec<u8>, bool), Failure> {
    let mut names = Vec::new();
    let (mut size, mut truncated) = (0_u64, false);
    for entry in fs::read_dir(path).map_err(|error| failure(path, &error))? {
        let name = entry.map_err(|error| failure(path, &error))?.file_name();
        // A name is one line. What is not text or holds a line break cannot be asked for again anyway.
        let name = name.to_string_lossy().replace(char::is_control, "\u{fffd}");
        size += name.len() as u64 + 1;
        if size > limit_bytes {
            truncated = true;
            break;
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok((names.iter().flat_map(|name| [name.as_str(), "\n"]).collect::<String>().into_bytes(), truncated))
}

fn link(path: &Path) -> Result<(Vec<u8>, bool), Failure> {
    let target = fs::read_link(path).map_err(|error| failure(path, &error))?;
    Ok((target.as_os_str().as_bytes().to_vec(), false))
}

/// Size and free space of the file system at `path`, as JSON. Opens nothing.
fn space(path: &Path) -> Result<(Vec<u8>, bool), Failure> {
    let space = rustix::fs::statvfs(path).map_err(|error| failure(path, &error.into()))?;
    let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
    let sample = serde_json::json!({
        "size_bytes": bytes(space.f_blocks),
        "free_bytes": bytes(space.f_bfree),
        "available_bytes": bytes(space.f_bavail),
        "read_only": space.f_flag.contains(StatVfsMountFlags::RDONLY),
    });
    Ok((sample.to_string().into_bytes(), false))
}

/// Becomes the first candidate that can be started; otherwise says why not, in the place where the command would
/// have written.
fn launch(text: &[u8]) -> ! {
    let failure = match Launch::decode(text) {
        Some(Launch { candidates, arguments }) => {
            let mut worst = None;
            for program in candidates.iter().map(Path::new) {
                let mut command = Command::new(program);
                command.args(&arguments).env_clear().envs(ENVIRONMENT).stdin(Stdio::null());
                let failed = failure(program, &command.exec());
                if failed != Failure::NotFound {
                    worst.get_or_insert(failed);
                }
            }
            let name = candidates.first().and_then(|path| Path::new(path).file_name()).unwrap_or_default();
            worst.unwrap_or_else(|| Failure::NoTool { name: name.to_string_lossy().into_owned() })
        }
        None => Failure::Io { why: "not a command line".to_owned() },
    };
    let mut said = LAUNCH_MARK.to_vec();
    said.extend(serde_json::to_vec(&failure).unwrap_or_default());
    // Nobody else to tell when this fails: the exit status says the rest.
    let _ = io::Write::write_all(&mut io::stderr(), &said);
    exit(LAUNCH_FAILED)
}

/// What went wrong with a path, in the words of the door.
pub(super) fn failure(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Failure::NotFound,
        io::ErrorKind::PermissionDenied => Failure::Denied { what: path.display().to_string() },
        _ => Failure::Io { why: format!("{}: {error}", path.display()) },
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::super::protocol::{locked_text, split_manner};
    use super::*;

    fn check(answer: Result<(Vec<u8>, bool), Failure>, expected: Result<(&str, bool), &str>) {
        match (answer, expected) {
            (Ok((bytes, truncated)), Ok(expected)) => {
                assert_eq!((String::from_utf8_lossy(&bytes).as_ref(), truncated), expected);
            }
            (Err(failure), Err(words)) => assert!(failure.to_string().contains(words), "{failure}"),
            (answer, expected) => panic!("{answer:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn only_plain_files_are_read_and_only_up_to_the_limit() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, "12345").expect("a file");
        check(read(&file, 5), Ok(("12345", false)));
        check(read(&file, 4), Ok(("1234", true)));
        check(read(&file, 0), Ok(("", true)));
        check(read(&file.join("below"), 5), Err("not there"));
        check(read(folder.path(), 5), Err("not a plain file"));
        check(read(Path::new("/dev/zero"), 5), Err("not a plain file"));
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0)
            .expect("a pipe");
        check(read(&pipe, 5), Err("not a plain file"));
        assert!(read(Path::new("/proc/self/stat"), 9999).expect("always there").0.len() > 20);
    }

    const HELD_LOCK: &str = "ASSAY_TEST_HOLDS_LOCK";

    /// Another process that holds a lock: record locks do not show within one process.
    struct Holder(std::process::Child);

    impl Holder {
        fn start(lock: &Path) -> Self {
            let mut command = Command::new(std::env::current_exe().expect("own path"));
            command
                .args(["--exact", "live::reader::tests::holds_a_lock", "--nocapture"])
                .env(HELD_LOCK, lock);
            let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
            let mut child = child.expect("own binary");
            let lines = io::BufRead::lines(io::BufReader::new(child.stdout.take().expect("a pipe")));
            assert!(
                lines.map_while(Result::ok).any(|line| line.contains("held")),
                "it says when it holds it"
            );
            Self(child)
        }
    }

    impl Drop for Holder {
        fn drop(&mut self) {
            drop(self.0.stdin.take());
            self.0.wait().expect("it ends with its input");
        }
    }

    #[test]
    fn holds_a_lock() {
        let Some(lock) = std::env::var_os(HELD_LOCK) else { return };
        let file = File::options().read(true).write(true).open(lock).expect("a lock file");
        fcntl_lock(&file, FlockOperation::LockExclusive).expect("nobody else holds it");
        io::Write::write_all(&mut io::stdout(), b"held\n").expect("a pipe");
        io::stdin().read_to_end(&mut Vec::new()).expect("a pipe");
    }

    #[test]
    fn a_locked_file_is_read_with_and_without_its_lock() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, lock) = (folder.path().join("file"), folder.path().join("lock"));
        fs::write(&file, "1,2\n").expect("a file");
        let text = locked_text(file.as_os_str().as_bytes(), lock.as_os_str().as_bytes());
        let check = |limit: u64, locked: bool, content: &str, cut: bool| {
            let (mut bytes, truncated) = read_locked(&text, limit + MAX_MANNER_BYTES).expect("it is there");
            let manner = split_manner(&mut bytes).expect("it says how");
            assert_eq!((manner.locked, truncated), (locked, cut));
            assert!(manner.age_s.is_some_and(|age| (-1..600).contains(&age)), "{manner:?}");
            assert_eq!(String::from_utf8_lossy(&bytes), content);
        };
        check(9, false, "1,2\n", false);
        fs::write(&lock, "").expect("a file");
        check(9, true, "1,2\n", false);
        check(2, true, "1,", true);
        let holder = Holder::start(&lock);
        check(9, false, "1,2\n", false);
        drop(holder);
        check(9, true, "1,2\n", false);
        assert!(read_locked(b"/no-zero-byte", 999).is_err());
        let none = locked_text(b"/nowhere/at/all", b"/nowhere/lock");
        assert_eq!(read_locked(&none, 999), Err(Failure::NotFound));
    }

    #[test]
    fn the_end_of_a_file_is_whole_lines() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, "one\ntwo\nthree\n").expect("a file");
        check(read_end(&file, 100), Ok(("one\ntwo\nthree\n", false)));
        check(read_end(&file, 14), Ok(("one\ntwo\nthree\n", false)));
        check(read_end(&file, 12), Ok(("two\nthree\n", true)));
        check(read_end(&file, 8), Ok(("three\n", true)));
        check(read_end(&file, 2), Ok(("", true)));
    }

    #[test]
    fn a_path_in_the_shared_folder_does_not_lead_out_of_it() {
        let Ok(folder) = tempfile::tempdir_in(SHARED_FOLDER) else { return };
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).expect("a link");
        check(read(&link, 9999), Err("leads out of /tmp"));
        std::os::unix::fs::symlink("/etc", folder.path().join("folder")).expect("a link");
        check(read(&folder.path().join("folder/passwd"), 9999), Err("leads out of /tmp"));
    }

    #[test]
    fn a_file_system_has_a_size() {
        let (bytes, _) = space(Path::new("/proc")).expect("always mounted");
        let sample: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(sample["size_bytes"], 0);
        check(space(Path::new("/proc/no/such/folder")), Err("not there"));
    }

    #[test]
    fn names_are_sorted_lines() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["b", "a", "c\nd"] {
            fs::write(folder.path().join(name), "").expect("a file");
        }
        check(list(folder.path(), 100), Ok(("a\nb\nc\u{fffd}d\n", false)));
        assert!(list(folder.path(), 3).expect("a folder").1);
        check(list(&folder.path().join("a"), 100), Err("not there"));
        std::os::unix::fs::symlink("../x", folder.path().join("l")).expect("a link");
        check(link(&folder.path().join("l")), Ok(("../x", false)));
        check(link(&folder.path().join("a")), Err("Invalid argument"));
    }
}
