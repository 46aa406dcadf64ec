//! The daemon's log: each line to standard error at once, and to a file of bounded size on the data volume.
//!
//! The file is written when drives are awake for another reason; until then its lines wait in RAM. Two files of 1 MB are
//! kept. What does not fit into the waiting room is counted and said. A finding goes to syslog too; QTS's own event log
//! is not touched, because the only way into it is a command that writes.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use super::board::PENDING_LOG;
use crate::clock;
use crate::output;

/// Most bytes that wait in RAM.
const MOST_PENDING_BYTES: u64 = 64 * 1024;
/// Size at which a file on the data volume is put aside.
const MOST_FILE_BYTES: u64 = 1_000_000;
/// Longest line.
const LONGEST_CHARS: usize = 600;
/// The log on the data volume.
pub(crate) const LOG: &str = "daemon.log";
/// The one before.
const OLDER_LOG: &str = "daemon.log.1";
/// Lines on their way from RAM to the data volume.
const TAKEN: &str = "taken.log";

/// Where lines wait.
pub(crate) struct Journal {
    pending: PathBuf,
    dropped: u64,
}

impl Journal {
    /// A journal that waits in this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { pending: folder.join(PENDING_LOG), dropped: 0 }
    }

    /// Says a line. The log is talk: when it cannot be written, the work goes on.
    pub(crate) fn say(&mut self, unix_s: i64, text: &str) {
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let text: String = text.chars().take(LONGEST_CHARS).map(clean).collect();
        output::say(&format!("assay run: {text}"));
        let length = fs::metadata(&self.pending).map_or(0, |meta| meta.len());
        if length > MOST_PENDING_BYTES {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let mut lines = String::new();
        if self.dropped > 0 {
            lines = format!("{} {} lines are missing here\n", clock::rfc3339(unix_s), self.dropped);
            self.dropped = 0;
        }
        lines.push_str(&format!("{} {text}\n", clock::rfc3339(unix_s)));
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.pending);
        let _ = file.and_then(|mut file| file.write_all(lines.as_bytes()));
    }
}

/// Moves what waits in `from` (RAM) to the log in `to` (the data volume). A child does it.
pub(crate) fn settle(from: &Path, to: &Path) -> io::Result<()> {
    let taken = from.join(TAKEN);
    // What an earlier child took and did not bring there comes first.
    if !taken.is_file() {
        match fs::rename(from.join(PENDING_LOG), &taken) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        }
    }
    let lines = fs::read(&taken)?;
    let log = to.join(LOG);
    let length = fs::metadata(&log).map_or(0, |meta| meta.len());
    let more = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    if length > 0 && length.saturating_add(more) > MOST_FILE_BYTES {
        fs::rename(&log, to.join(OLDER_LOG))?;
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&log)?;
    file.write_all(&lines).and_then(|()| file.sync_data())?;
    fs::remove_file(&taken)
}

/// One line to syslog, as a warning of a daemon. A machine without syslog loses nothing: `assay status` says the same.
pub(crate) fn to_syslog(text: &str) {
    let line: String = text.chars().take(LONGEST_CHARS).filter(|c| !c.is_control()).collect();
    if let Ok(socket) = UnixDatagram::unbound() {
        // A full syslog must not hold the check.
        let _ = socket.set_nonblocking(true);
        let _ = socket.send_to(format!("<28>assay: {line}").as_bytes(), "/dev/log");
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn size(path: PathBuf) -> u64 {
        fs::metadata(path).map_or(0, |meta| meta.len())
    }

    #[test]
    fn the_log_is_bounded_everywhere() {
        let (ram, volume) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let mut journal = Journal::new(ram.path());
        settle(ram.path(), volume.path()).expect("nothing to do");
        for _ in 0..400 {
            journal.say(1_800_000_000, &"x\ny".repeat(300));
        }
        assert!(size(ram.path().join(PENDING_LOG)) <= MOST_PENDING_BYTES + 2000);
        assert!(journal.dropped > 200);
        for _ in 0..60 {
            for _ in 0..120 {
                journal.say(1_800_000_000, &"z".repeat(700));
            }
            settle(ram.path(), volume.path()).expect("settled");
        }
        let log = fs::read_to_string(volume.path().join(LOG)).expect("the log");
        assert!(log.contains(" lines are missing here\n"));
        assert!(size(volume.path().join(LOG)) <= MOST_FILE_BYTES);
        let older = size(volume.path().join(OLDER_LOG));
        assert!(older <= MOST_FILE_BYTES && older > MOST_FILE_BYTES / 2, "{older}");
        assert!(size(ram.path().join(PENDING_LOG)) == 0);
    }
}
