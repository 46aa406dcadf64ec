//! Kernel logs of earlier boots as QTS keeps them: each line with the time of day and the time since boot. Several files
//! are one history; where all are named as QTS names them (`kmsg`, `kmsg.1`), the names tell the order, else the order of
//! the paste does, oldest first.

use assay_bundle::Facts;

use super::{Begins, Format, Sign, never};
use crate::log_text;
use crate::probes::persisted_log::{self, age};

pub(super) const FORMAT: Format = Format {
    name: "kept kernel log",
    sign: Sign::None,
    begins: |lines| lines.first().is_some_and(|line| is_line(line)),
    place: Begins::Apart,
    is_json: never,
    read: |gathered, output| {
        gathered.persisted.logs.push(Log {
            file: output.file.to_owned(),
            place: output.place.to_owned(),
            text: output.text.to_owned(),
        });
        Ok(())
    },
};

/// `2022-05-04 03:02:01  [   12.5] …`, or the mark at the end of a start.
fn is_line(line: &str) -> bool {
    log_text::wall(line.trim_end()).is_some_and(|(_, rest)| {
        let stamp = rest.strip_prefix('[').and_then(|rest| rest.trim_start().chars().next());
        stamp.is_some_and(|first| first.is_ascii_digit()) || rest.starts_with("======")
    })
}

/// The logs so far.
#[derive(Default)]
pub(super) struct Logs {
    logs: Vec<Log>,
}

struct Log {
    file: String,
    place: String,
    text: String,
}

impl Logs {
    /// Reads them together.
    pub(super) fn finish(mut self, facts: &mut Facts) {
        if self.logs.is_empty() {
            return;
        }
        if self.logs.iter().all(|log| age(&log.file).is_some()) {
            self.logs.sort_by_key(|log| std::cmp::Reverse(age(&log.file)));
        }
        let files: Vec<_> =
            self.logs.iter().map(|log| (log.place.as_str(), log.text.as_bytes(), false)).collect();
        facts.persisted_log = persisted_log::parse(&files, 0);
    }
}
