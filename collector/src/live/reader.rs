//! The reader child: does what may hang, and nothing else, until its standard input closes.
//!
//! It opens plain files (on disks, in `/proc`, in `/sys`) for reading and never a pipe or socket, and a device only to
//! ask it one of the questions of [`crate::direct`] (see [`super::ioctl`]): a file is looked at through a handle that opens nothing (`O_PATH`) before it is opened, because opening a device can start it.
//! A path below `/tmp`, where any user of the NAS may write, must not lead out of it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::ioctl;
use super::leash::ENVIRONMENT;
use super::protocol::{Ask, LAUNCH_FAILED, LAUNCH_MARK, Launch, Op, Question, respond};
use crate::source::Failure;

/// Folder in which everybody may make links.
const SHARED_FOLDER: &str = "/tmp";

/// Exit status of a reader that was told nonsense, or whose parent went away in the middle of an answer.
const BROKEN: i32 = 3;

/// The reader child's whole life: answers requests on standard input until that closes. For the program's hidden
/// command that `LiveOptions::reader` names; it never returns.
pub fn reader_main() -> ! {
    // Where the kernel offers it, the child does not outlive a parent that was killed, nor does the command that it
    // becomes. (The kernel watches the thread that started the child: the agent has one.)
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
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
                    Op::List => list(&path, limit_bytes),
                    Op::Link => link(&path),
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
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let wanted = limit_bytes.saturating_add(1).saturating_sub(bytes.len() as u64);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).min(buffer.len());
        match file.read(buffer.get_mut(..wanted).unwrap_or_default()) {
            Ok(0) => return Ok((bytes, false)),
            Ok(count) => bytes.extend(buffer.iter().take(count)),
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
