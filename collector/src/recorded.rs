//! A recording that answers like the machine did: a bundle's `raw/` or a test device's `source/` folder.
//!
//! The forms are listed in [`crate::source`]. A recording holds plain files only; a symbolic link in the folder is
//! refused, not followed (a link of the machine is recorded as `NAME.link`). What is missing answers
//! [`Failure::NotFound`]. A request's byte limit is not applied again: it bounds what a *live* read may cost, the
//! recording was bounded when it was made, and redaction may have changed a length since.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use assay_bundle::manifest::RunSource;
use serde::{Deserialize, Serialize};

use crate::source::{Answer, Exit, Failure, Fetched, Request, Source};

/// Limits of a folder that is read as a recording, all enforced while reading.
pub const FOLDER_LIMITS: FolderLimits =
    FolderLimits { files: 65_536, file_bytes: 32 * 1024 * 1024, total_bytes: 256 * 1024 * 1024, depth: 64 };

/// Limits of a folder that is read as a recording.
#[derive(Clone, Copy, Debug)]
pub struct FolderLimits {
    /// Most files.
    pub files: usize,
    /// Most bytes in one file.
    pub file_bytes: u64,
    /// Most bytes in all files.
    pub total_bytes: u64,
    /// Most folders inside each other.
    pub depth: usize,
}

/// Suffix of a recorded failure.
pub(crate) const UNREADABLE: &str = ".unreadable";
/// Suffix of a recorded link target.
pub(crate) const LINK: &str = ".link";
/// Suffix of the empty file that says that a reading was cut at its limit.
pub(crate) const TRUNCATED: &str = ".truncated";
/// Suffix of the file that says how a file with a lock was read.
pub(crate) const MANNER: &str = ".read";
/// Name of a recorded directory listing.
pub(crate) const LIST: &str = ".list";

/// A source that answers from recorded files.
#[derive(Clone, Debug, Default)]
pub struct RecordedSource {
    files: BTreeMap<String, Vec<u8>>,
}

impl RecordedSource {
    /// Reads a folder of recorded forms, whole.
    ///
    /// # Errors
    /// What the system says, with the path; a symbolic link or device in the folder; a limit of [`FOLDER_LIMITS`].
    pub fn from_dir(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        read_folder(folder, "", &FOLDER_LIMITS, &mut Budget::default(), &mut files)?;
        Ok(Self { files })
    }

    /// Answers from files that are in memory already: path below `raw/` to content.
    pub fn from_files(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self { files }
    }

    /// The recorded files: path below `raw/` to content.
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }
}

impl Source for RecordedSource {
    fn fetch<'a>(&'a self, request: &'a Request) -> Answer<'a> {
        Box::pin(std::future::ready(answer(&self.files, request)))
    }

    fn run_source(&self) -> RunSource {
        RunSource::Recorded
    }
}

/// `status.json` beside a command's output.
#[derive(Serialize, Deserialize)]
pub(crate) struct Status {
    #[serde(flatten)]
    pub(crate) exit: Exit,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) truncated: bool,
}

/// Answers one request from recorded files. [`crate::recording::Recording`] answers through this too, so that a probe
/// never sees anything that its recording does not say.
pub(crate) fn answer(files: &BTreeMap<String, Vec<u8>>, request: &Request) -> Result<Fetched, Failure> {
    request.check()?;
    let place = request.place();
    if let Request::Run(command) = request {
        return answer_run(files, request, &format!("cmd/{}", command.slug()), place);
    }
    if let Some(bytes) = files.get(&place) {
        let truncated = files.contains_key(&format!("{place}{TRUNCATED}"));
        let manner = match request {
            Request::Read { lock: Some(_), .. } => files.get(&format!("{place}{MANNER}")),
            _ => None,
        };
        let manner = manner.and_then(|bytes| serde_json::from_slice(bytes).ok());
        return Ok(Fetched { bytes: bytes.clone(), truncated, place, manner, ..Fetched::default() });
    }
    if let Some(failure) = files.get(&request.failure_place()) {
        return Err(recorded_failure(failure));
    }
    if let Request::List { .. } = request {
        let folder = place.strip_suffix(LIST).unwrap_or_default();
        if let Some(bytes) = names_below(files, folder) {
            return Ok(Fetched { bytes, place, ..Fetched::default() });
        }
    }
    Err(Failure::NotFound)
}

fn answer_run(
    files: &BTreeMap<String, Vec<u8>>,
    request: &Request,
    folder: &str,
    place: String,
) -> Result<Fetched, Failure> {
    let stdout = files.get(&place);
    let status = files.get(&format!("{folder}/status.json"));
    if stdout.is_none() && status.is_none() {
        return Err(files
            .get(&request.failure_place())
            .map_or(Failure::NotFound, |bytes| recorded_failure(bytes)));
    }
    let status: Option<Status> = match status {
        None => None,
        Some(bytes) => Some(serde_json::from_slice(bytes).map_err(|error| Failure::Io {
            why: format!("recorded {folder}/status.json is not a command's status: {error}"),
        })?),
    };
    Ok(Fetched {
        bytes: stdout.cloned().unwrap_or_default(),
        truncated: status.as_ref().is_some_and(|status| status.truncated),
        exit: status.map(|status| status.exit),
        stderr: files.get(&format!("{folder}/stderr")).cloned().unwrap_or_default(),
        place,
        manner: None,
    })
}

fn recorded_failure(bytes: &[u8]) -> Failure {
    serde_json::from_slice(bytes).unwrap_or_else(|_| Failure::Io {
        why: "a recorded failure that this version cannot read".to_owned(),
    })
}

/// The names directly below `folder` (which ends in `/`, or is empty), one a line, as far as recorded files show them.
fn names_below(files: &BTreeMap<String, Vec<u8>>, folder: &str) -> Option<Vec<u8>> {
    let mut names = BTreeSet::new();
    for path in
        files.range(folder.to_owned()..).map(|(path, _)| path).take_while(|path| path.starts_with(folder))
    {
        let below = path.get(folder.len()..).unwrap_or_default();
        let (name, is_folder) = below.split_once('/').map_or((below, false), |(name, _)| (name, true));
        let plain = if is_folder { name } else { without_marks(name) };
        if plain != LIST && !plain.is_empty() {
            names.insert(plain);
        }
    }
    let lines: String = names.iter().flat_map(|name| [*name, "\n"]).collect();
    (!names.is_empty()).then(|| lines.into_bytes())
}

fn without_marks(name: &str) -> &str {
    let name = name.strip_suffix(UNREADABLE).or_else(|| name.strip_suffix(TRUNCATED)).unwrap_or(name);
    name.strip_suffix(LINK).unwrap_or(name)
}

#[derive(Default)]
struct Budget {
    files: usize,
    total_bytes: u64,
}

fn read_folder(
    folder: &Path,
    prefix: &str,
    limits: &FolderLimits,
    spent: &mut Budget,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> io::Result<()> {
    let with_path =
        |path: &Path, error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let refuse = |path: &Path, why: &str| io::Error::other(format!("{}: {why}", path.display()));
    if prefix.matches('/').count() > limits.depth {
        return Err(refuse(folder, "folders are nested too deeply for a recording"));
    }
    for entry in fs::read_dir(folder).map_err(|error| with_path(folder, error))? {
        let path = entry.map_err(|error| with_path(folder, error))?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| refuse(&path, "the name is not text"))?;
        let seen = fs::symlink_metadata(&path).map_err(|error| with_path(&path, error))?;
        if seen.is_dir() {
            read_folder(&path, &format!("{prefix}{name}/"), limits, spent, files)?;
            continue;
        }
        if !seen.is_file() {
            return Err(refuse(
                &path,
                "a recording holds plain files only (a link is recorded as NAME.link)",
            ));
        }
        let file = fs::File::open(&path).map_err(|error| with_path(&path, error))?;
        let opened = file.metadata().map_err(|error| with_path(&path, error))?;
        if (opened.dev(), opened.ino()) != (seen.dev(), seen.ino()) {
            return Err(refuse(&path, "changed while it was opened"));
        }
        let mut bytes = Vec::new();
        let room = limits.file_bytes.min(limits.total_bytes.saturating_sub(spent.total_bytes));
        file.take(room.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| with_path(&path, error))?;
        spent.files += 1;
        spent.total_bytes += bytes.len() as u64;
        if bytes.len() as u64 > room || spent.files > limits.files {
            return Err(refuse(&path, "the folder is larger than a recording may be"));
        }
        files.insert(format!("{prefix}{name}"), bytes);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::command::{Command, DeviceNode, SmartctlKind};

    fn source(files: &[(&str, &str)]) -> RecordedSource {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        RecordedSource::from_files(files.collect())
    }

    fn check(files: &[(&str, &str)], request: &Request, expected: Result<&str, Failure>) {
        let answer = answer(source(files).files(), request).map(|fetched| fetched.text());
        assert_eq!(answer, expected.map(str::to_owned));
    }

    #[test]
    fn a_file_a_failure_or_nothing() {
        let read = Request::read("/a/b", 1);
        check(&[("a/b", "text")], &read, Ok("text"));
        check(&[("a/c", "text")], &read, Err(Failure::NotFound));
        check(
            &[("a/b.unreadable", r#"{"io":{"why":"it burnt"}}"#)],
            &read,
            Err(Failure::Io { why: "it burnt".into() }),
        );
        check(
            &[("a/b.unreadable", "no failure")],
            &read,
            Err(Failure::Io { why: "a recorded failure that this version cannot read".into() }),
        );
        check(&[("a/b.link", "../c")], &Request::link("/a/b"), Ok("../c"));
        check(&[("dev/kmsg", "6,1,2,-;x\n")], &Request::KernelLog, Ok("6,1,2,-;x\n"));
    }

    #[test]
    fn a_listing_is_the_recorded_one_or_the_names_that_are_there() {
        let list = Request::list("/a");
        check(&[("a/.list", "x\ny\n"), ("a/z", "")], &list, Ok("x\ny\n"));
        check(&[("a/.list", "")], &list, Ok(""));
        check(
            &[
                ("a/y.unreadable", ""),
                ("a/x", ""),
                ("a/x.truncated", ""),
                ("a/l.link", ""),
                ("a/d/e", ""),
                ("a/d/.list", ""),
                ("a/m.link.unreadable", ""),
                ("a0", ""),
                ("b", ""),
            ],
            &list,
            Ok("d\nl\nm\nx\ny\n"),
        );
        check(
            &[("a/.list.unreadable", r#"{"denied":{"what":"/a"}}"#)],
            &list,
            Err(Failure::Denied { what: "/a".into() }),
        );
        check(&[("ab", "")], &list, Err(Failure::NotFound));
        check(&[("a/b", ""), ("c", "")], &Request::list("/"), Ok("a\nc\n"));
    }

    #[test]
    fn a_command_keeps_output_whatever_its_status() {
        let device = DeviceNode::parse("sda").expect("a known shape");
        let run = Request::Run(Command::Smartctl { device, kind: SmartctlKind::Sat });
        let files = source(&[
            ("cmd/smartctl.sat.sda/stdout", "{}"),
            ("cmd/smartctl.sat.sda/stderr", "oh"),
            (
                "cmd/smartctl.sat.sda/status.json",
                r#"{"exit_code":216,"signal":null,"duration_ms":12,"truncated":true}"#,
            ),
        ]);
        let fetched = answer(files.files(), &run).expect("it is recorded");
        assert_eq!(fetched.exit, Some(Exit { exit_code: Some(216), signal: None, duration_ms: 12 }));
        assert_eq!(
            (fetched.bytes.as_slice(), fetched.stderr.as_slice(), fetched.truncated),
            (&b"{}"[..], &b"oh"[..], true)
        );
        check(
            &[("cmd/smartctl.sat.sda.unreadable", r#"{"no_tool":{"name":"smartctl"}}"#)],
            &run,
            Err(Failure::NoTool { name: "smartctl".into() }),
        );
        check(&[], &run, Err(Failure::NotFound));
        check(&[("cmd/smartctl.sat.sda/stdout", "only this")], &run, Ok("only this"));
    }

    #[test]
    fn a_cut_reading_says_so() {
        let files = source(&[("a", "x"), ("a.truncated", ""), ("b", "x")]);
        assert!(answer(files.files(), &Request::read("/a", 9)).expect("there").truncated);
        assert!(!answer(files.files(), &Request::read("/b", 9)).expect("there").truncated);
    }

    #[test]
    fn a_folder_is_read_whole_and_a_link_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(folder.path().join("proc/sys")).expect("a folder");
        fs::write(folder.path().join("proc/sys/x"), "7").expect("a file");
        let files = RecordedSource::from_dir(folder.path()).expect("plain files");
        assert_eq!(answer(files.files(), &Request::read("/proc/sys/x", 9)).expect("there").text(), "7");
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("proc/leak")).expect("a link");
        let error = RecordedSource::from_dir(folder.path()).expect_err("a link");
        assert!(error.to_string().contains("proc/leak"), "{error}");
    }

    #[test]
    fn a_folder_has_limits() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("a"), "12345").expect("a file");
        fs::create_dir_all(folder.path().join("d/e/f")).expect("folders");
        fs::write(folder.path().join("d/e/f/g"), "1").expect("a file");
        fn read(folder: &Path, limits: FolderLimits) -> bool {
            read_folder(folder, "", &limits, &mut Budget::default(), &mut BTreeMap::new()).is_ok()
        }
        let fits = FolderLimits { files: 2, file_bytes: 5, total_bytes: 6, depth: 3 };
        assert!(read(folder.path(), fits));
        assert!(!read(folder.path(), FolderLimits { files: 1, ..fits }));
        assert!(!read(folder.path(), FolderLimits { file_bytes: 4, ..fits }));
        assert!(!read(folder.path(), FolderLimits { total_bytes: 5, ..fits }));
        assert!(!read(folder.path(), FolderLimits { depth: 2, ..fits }));
    }
}
