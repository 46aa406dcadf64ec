//! Writing for others: data to standard output, files that appear whole or not at all, private files.
//!
//! A reader that closed the pipe has what it wanted: that is success. A file keeps its old content until the new one
//! is complete and on the disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::trouble::{NextStep, refuse};

/// What to do when there is no room.
const NO_ROOM: &str = "free some space or name another folder, and call again; nothing partial was left";

/// A long log is written in few calls.
const WRITTEN_AT_ONCE: usize = 64 * 1024;

/// Prints data on standard output.
pub(crate) fn print(bytes: impl AsRef<[u8]>) -> anyhow::Result<()> {
    to_stdout(|stdout| stdout.write_all(bytes.as_ref()))
}

/// Prints data that stands in pieces.
pub(crate) fn print_pieces<'p>(pieces: impl Iterator<Item = &'p str>) -> anyhow::Result<()> {
    let mut pieces = pieces;
    to_stdout(|stdout| pieces.try_for_each(|piece| stdout.write_all(piece.as_bytes())))
}

fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut stdout = BufWriter::with_capacity(WRITTEN_AT_ONCE, io::stdout().lock());
    match write(&mut stdout).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.or_advise("cannot write to standard output", "name another place for the output"),
    }
}

/// A document as a JSON value, by way of its text: one way to spell each type in the whole program keeps it small.
pub(crate) fn value(document: &impl serde::Serialize) -> anyhow::Result<serde_json::Value> {
    Ok(serde_json::from_slice(&serde_json::to_vec(document)?)?)
}

/// The word by which a unit variant is spelled in JSON.
pub(crate) fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Prints a value as JSON with a line end.
pub(crate) fn print_json(document: &impl serde::Serialize) -> anyhow::Result<()> {
    let compact = serde_json::to_vec(document)?;
    to_stdout(|stdout| indent(&compact, stdout))
}

/// JSON without blanks as JSON for people: what serde_json's own writer would make of the tree, without the tree.
fn indent(compact: &[u8], to: &mut dyn Write) -> io::Result<()> {
    let (mut depth, mut in_string, mut escaped, mut opened) = (0_usize, false, false, false);
    let line = |to: &mut dyn Write, depth: usize| write!(to, "\n{:1$}", "", 2 * depth);
    for byte in compact.iter().copied() {
        let closes = matches!(byte, b'}' | b']') && !in_string;
        depth -= usize::from(closes && depth > 0);
        // Between what opens and what closes there is a line break only if there is something else.
        if opened != closes {
            line(to, depth)?;
        }
        to.write_all(&[byte])?;
        opened = false;
        match byte {
            _ if in_string => (in_string, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\'),
            b'{' | b'[' => (depth, opened) = (depth + 1, true),
            b',' => line(to, depth)?,
            b':' => to.write_all(b" ")?,
            b'"' => in_string = true,
            _ => {}
        }
    }
    to.write_all(b"\n")
}

/// Talks to the person on standard error.
#[expect(clippy::print_stderr, reason = "the one place where a command talks")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// 128 random bits as hex, for names that must not meet.
pub(crate) fn random_name() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    let random = ring::rand::SystemRandom::new();
    ring::rand::SecureRandom::fill(&random, &mut bytes).map_err(|_| {
        refuse("the system gave no randomness", "try again when the machine has been up for a minute")
    })?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// A file in the making, beside the place where it will stand. Dropped unfinished, it vanishes.
#[derive(Debug)]
pub(crate) struct PartialFile {
    temporary: PathBuf,
    target: PathBuf,
    file: Option<File>,
}

impl PartialFile {
    /// Begins a file that will stand at `target` (with the permissions `mode`, as the umask allows).
    pub(crate) fn begin(target: &Path, mode: u32) -> anyhow::Result<Self> {
        // A link keeps standing: what it points to is replaced.
        let whole = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let target = whole.as_path();
        let cannot = || format!("cannot write {}", target.display());
        let Some(name) = target.file_name() else {
            return Err(refuse(cannot(), "name a file, not a folder"));
        };
        // Renaming over a device node would replace it for the whole machine.
        match target.metadata() {
            Ok(there) if there.is_dir() => {
                return Err(refuse(format!("{} is a folder", target.display()), "name a file in it"));
            }
            Ok(there) if !there.is_file() => {
                return Err(refuse(
                    format!("{} is no plain file", target.display()),
                    "name a file, or - for a pipe",
                ));
            }
            _ => {}
        }
        let temporary =
            folder_of(target).join(format!(".{}.{}.part", name.to_string_lossy(), random_name()?));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)
            .or_advise(cannot(), "name a folder that exists and can be written")?;
        Ok(Self { temporary, target: target.to_owned(), file: Some(file) })
    }

    /// Makes the file durable, then lets it appear under its name in one step.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        let cannot = || format!("cannot finish {}", self.target.display());
        if let Some(file) = self.file.take() {
            file.sync_all().or_advise(cannot(), NO_ROOM)?;
        }
        fs::rename(&self.temporary, &self.target).or_advise(cannot(), NO_ROOM)?;
        self.temporary = PathBuf::new();
        sync_folder(&self.target).or_advise(cannot(), NO_ROOM)
    }

    /// Makes what was written durable, under its temporary name still.
    pub(crate) fn sync(&self) -> anyhow::Result<()> {
        let synced = self.file.as_ref().map_or(Ok(()), File::sync_all);
        synced.or_advise(format!("cannot finish {}", self.target.display()), NO_ROOM)
    }

    /// Where it is until it is finished.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    fn open(&mut self) -> io::Result<&mut File> {
        self.file.as_mut().ok_or_else(|| io::Error::other("the file is already finished"))
    }
}

impl Write for PartialFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open()?.flush()
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.temporary.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// A temporary file without a name in `folder`: however the program ends, it is gone.
#[derive(Debug)]
pub(crate) struct Scratch(File);

impl Scratch {
    /// Makes one.
    pub(crate) fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(format!(".assay.{}.scratch", random_name()?));
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path).or_advise(
                format!("cannot write in {}", folder.display()),
                "name a folder that can be written",
            )?;
        fs::remove_file(&path).or_advise(format!("cannot remove {}", path.display()), "remove it by hand")?;
        Ok(Self(file))
    }

    /// Makes one beside `target`, so that one disk holds all of it.
    pub(crate) fn beside(target: &Path) -> anyhow::Result<Self> {
        Self::in_folder(folder_of(target))
    }
}

impl Read for Scratch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Scratch {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Seek for Scratch {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// Makes a folder that only its owner can look into.
pub(crate) fn private_folder(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).or_advise(
        format!("cannot make the folder {}", path.display()),
        "run as administrator (root), or name another folder with --state-dir",
    )
}

/// Replaces a private file (0600) in one step.
pub(crate) fn replace_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    private_folder(folder_of(path))?;
    let mut file = PartialFile::begin(path, 0o600)?;
    file.write_all(bytes).or_advise(format!("cannot write {}", path.display()), NO_ROOM)?;
    file.finish()
}

/// Makes a private file that does not exist yet; `false` when another process was first, whose file stays.
pub(crate) fn create_private(path: &Path, bytes: &[u8]) -> anyhow::Result<bool> {
    private_folder(folder_of(path))?;
    let cannot = || format!("cannot write {}", path.display());
    let mut file = PartialFile::begin(path, 0o600)?;
    file.write_all(bytes).or_advise(cannot(), NO_ROOM)?;
    if let Some(file) = file.file.take() {
        file.sync_all().or_advise(cannot(), NO_ROOM)?;
    }
    // A link appears whole and never replaces; the temporary name goes when `file` is dropped.
    match fs::hard_link(&file.temporary, path) {
        Ok(()) => sync_folder(path).or_advise(cannot(), NO_ROOM).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).or_advise(cannot(), "name another folder with --state-dir"),
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn json_for_people_is_as_serde_json_writes_it() {
        fn check(text: &str) {
            let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
            let pretty = serde_json::to_string_pretty(&value).expect("plain data") + "\n";
            let mut indented = Vec::new();
            indent(value.to_string().as_bytes(), &mut indented).expect("memory");
            assert_eq!(String::from_utf8(indented).expect("text"), pretty);
        }
        check("1");
        check("[]");
        check("{}");
        check(r#"{"a":[],"b":{},"c":[[],[{}],1,-2.5,null,true]}"#);
        check(r#"["{\"a\":[1,2]}","\\","\\\"",":,[]{}","é"]"#);
        check(r#"{"a":{"b":{"c":[{"d":"e"},{"f":""}]}}}"#);
    }

    #[test]
    fn whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        fs::write(&path, "old").expect("a file");
        let mut file = PartialFile::begin(&path, 0o644).expect("begun");
        file.write_all(b"half").expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"old");
        drop(file);
        assert_eq!(names(folder.path()), ["x"]);
        let mut file = PartialFile::begin(&path, 0o644).expect("begun");
        file.write_all(b"new").expect("written");
        file.finish().expect("finished");
        assert_eq!(fs::read(&path).expect("read"), b"new");
        assert_eq!(names(folder.path()), ["x"]);
    }

    #[test]
    fn links_stand_and_devices_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let (link, file) = (folder.path().join("link"), folder.path().join("file"));
        fs::write(&file, "old").expect("a file");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        let mut partial = PartialFile::begin(&link, 0o644).expect("begun");
        partial.write_all(b"new").expect("written");
        partial.finish().expect("finished");
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).expect("read"), b"new");
        let error = PartialFile::begin(Path::new("/dev/null"), 0o644).expect_err("refused");
        assert!(error.to_string().contains("no plain file"), "{error}");
    }

    #[test]
    fn a_key_is_never_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("identity/key");
        assert!(create_private(&path, b"first").expect("made"));
        assert!(!create_private(&path, b"second").expect("kept"));
        assert_eq!(fs::read(&path).expect("read"), b"first");
        assert_eq!(names(&folder.path().join("identity")), ["key"]);
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&folder.path().join("identity")), 0o700);
    }

    #[test]
    fn scratch_has_no_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut scratch = Scratch::in_folder(folder.path()).expect("made");
        scratch.write_all(b"x").expect("written");
        assert!(names(folder.path()).is_empty());
    }
}
