//! What this program did that an owner may ask about later: every look, consent, upload and restore, one JSON object a
//! line, on the data volume.
//!
//! Only appended to; bounded by two files of [`MOST_BYTES`], the older of which goes when the newer is full. Without a
//! data volume it is kept in RAM and ends with the boot, which `assay log` says. It never holds a secret, a path of the
//! owner's or a key: words of this program, ids, digests and the owner's own reason. A line that was torn by a power
//! loss is closed by the next one and passed over by the reader. A log that cannot be written is said and does not stop
//! a denial; whatever sends something asks for [`Log::must_note`] first.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::{self, Clock};
use crate::context::Context;
use crate::output;
use crate::trouble::NextStep;

/// Bytes of one of the two files (judgement: some thousand lines, years of an ordinary owner's use).
const MOST_BYTES: u64 = 512 * 1024;
/// Longest text of one entry; what is longer is cut.
const MOST_TEXT: usize = 400;
const NEWER: &str = "audit.jsonl";
const OLDER: &str = "audit.1.jsonl";

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// A support request came, or ended.
    Request,
    /// Somebody looked at what would leave.
    Look,
    /// The owner consented, or denied.
    Consent,
    /// A standing consent was given, used or ended.
    Standing,
    /// A recovery copy was taken, or waived.
    Copy,
    /// Something was restored.
    Restore,
    /// A bundle left.
    Upload,
    /// A remote session began or ended.
    Session,
    /// A self-test of a drive.
    SelfTest,
    /// Everything was paused or goes on.
    Pause,
    /// A key changed, was revoked, or ended.
    Key,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Device's clock, seconds since 1970.
    pub(crate) at_unix_s: i64,
    /// What happened.
    pub(crate) what: What,
    /// Support request or session it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// In words.
    pub(crate) text: String,
    /// Whose word it was: the user of this machine.
    pub(crate) by: String,
}

/// The log of this device.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    folder: PathBuf,
    /// Whether it ends with the boot.
    pub(crate) in_ram: bool,
    /// Asked for each line: an answer may take its owner an hour.
    clock: fn() -> Clock,
}

impl Log {
    /// The log of a call: beside the spool, or in RAM.
    pub(crate) fn of(context: &Context) -> Self {
        let (folder, in_ram) = match &context.paths.memory_dir {
            Some(memory) => (memory.with_file_name("audit"), false),
            None => (context.paths.runtime_dir.join("audit"), true),
        };
        Self { folder, in_ram, clock: Clock::read }
    }

    /// Writes down what happened; when that fails, it is said and the work goes on.
    pub(crate) fn note(&self, what: What, id: Option<&str>, text: &str) {
        if let Err(error) = self.must_note(what, id, text) {
            tracing::warn!("the audit log was not written: {error:#}");
        }
    }

    /// Writes down what is about to happen; when that fails, it must not happen.
    pub(crate) fn must_note(&self, what: What, id: Option<&str>, text: &str) -> anyhow::Result<()> {
        let text: String = text.chars().filter(|c| !c.is_control()).take(MOST_TEXT).collect();
        let entry = Entry {
            at_unix_s: (self.clock)().now_unix_s,
            what,
            id: id.map(str::to_owned),
            text,
            by: administrator(),
        };
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        append(&self.folder, &line).or_advise(
            format!("the audit log {} cannot be written", self.folder.join(NEWER).display()),
            "free some space on the data volume and call again; nothing was sent",
        )
    }

    /// All lines, oldest first.
    pub(crate) fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for name in [OLDER, NEWER] {
            let path = self.folder.join(name);
            let text = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(error)
                        .or_advise(format!("cannot read {}", path.display()), "run as administrator (root)");
                }
            };
            entries.extend(text.split(|byte| *byte == b'\n').filter_map(|l| serde_json::from_slice(l).ok()));
        }
        Ok(entries)
    }
}

/// Who gives this program its orders: the user behind `sudo`, else the user id of this process.
pub(crate) fn administrator() -> String {
    let sudo = std::env::var("SUDO_UID").ok().filter(|uid| !uid.is_empty() && uid.len() <= 10);
    let sudo = sudo.filter(|uid| uid.bytes().all(|b| b.is_ascii_digit()));
    let real = rustix::process::getuid().as_raw();
    // Only root is told by sudo who it is; anybody else could set the variable.
    match sudo.filter(|_| real == 0) {
        Some(uid) => format!("uid {uid} by sudo"),
        None => format!("uid {real}"),
    }
}

fn append(folder: &Path, line: &[u8]) -> io::Result<()> {
    output::private_folder(folder).map_err(io::Error::other)?;
    let newer = folder.join(NEWER);
    let mut file = open(&newer)?;
    file.lock()?;
    let length = file.metadata()?.len();
    if length > 0 && length.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX)) > MOST_BYTES {
        fs::rename(&newer, folder.join(OLDER))?;
        // The lock goes with the old file; a writer that waits for it appends to the older half, and nothing is lost.
        file = open(&newer)?;
    }
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    file.write_all(line)?;
    file.sync_data()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// One entry for a person.
pub(crate) fn words(entry: &Entry) -> String {
    let Entry { at_unix_s, what, id, text, by } = entry;
    let what = output::word(what);
    let id = id.as_deref().map(|id| format!(" {id}")).unwrap_or_default();
    format!("{}  {what:<9}{id}  {text} ({by})\n", clock::rfc3339(*at_unix_s))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn log(folder: &Path) -> Log {
        Log { folder: folder.to_owned(), in_ram: false, clock: || Clock { now_unix_s: 1_000 } }
    }

    #[test]
    fn lines_are_appended_and_a_torn_one_costs_itself_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = log(&folder.path().join("audit"));
        assert_eq!(log.entries().expect("empty"), []);
        log.note(What::Consent, Some("r-1"), "approved\nby the owner");
        let path = log.folder.join(NEWER);
        let mut file = OpenOptions::new().append(true).open(&path).expect("there");
        file.write_all(b"{\"at_unix_s\":1,\"wh").expect("written");
        log.note(What::Upload, None, "sent");
        let texts: Vec<String> = log.entries().expect("read").into_iter().map(|e| e.text).collect();
        assert_eq!(texts, ["approvedby the owner", "sent"]);
    }

    #[test]
    fn it_is_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = log(folder.path());
        let line = vec![b'x'; 100_000];
        for _ in 0..20 {
            append(&log.folder, &line).expect("room");
        }
        log.note(What::Pause, None, "paused");
        let size = |name: &str| log.folder.join(name).metadata().map(|m| m.len()).unwrap_or_default();
        assert!(size(OLDER) > 0 && size(OLDER) <= MOST_BYTES + 20, "{}", size(OLDER));
        assert!(size(NEWER) <= MOST_BYTES + 20, "{}", size(NEWER));
        assert_eq!(log.entries().expect("read").len(), 1);
    }
}
