//! Kernel logs of earlier boots, as QTS keeps them on its system partition. The lines themselves stay in `raw/`.

use serde::{Deserialize, Serialize};

use super::kernel_log::KernelEvent;

/// What the kept files say, over all boots that they reach back to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PersistedLog {
    /// The files that were read, oldest first.
    pub files: Vec<LogFile>,
    /// Older files that were not read.
    pub files_left_out: u64,
    /// Boots, oldest first, the running one last; at most [`PersistedLog::MOST_BOOTS`], the newest.
    pub boots: Vec<Boot>,
    /// Older boots beyond that number.
    pub boots_left_out: u64,
    /// Events of all boots that a signature matched, oldest first, at most [`PersistedLog::MOST_EVENTS`], the newest.
    pub events: Vec<PastEvent>,
    /// Older events beyond that number.
    pub events_left_out: u64,
}

impl PersistedLog {
    /// How many boots are kept.
    pub const MOST_BOOTS: usize = 200;
    /// How many events are kept.
    pub const MOST_EVENTS: usize = 2_000;
}

/// One file that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogFile {
    /// Where it stands below `raw/`.
    pub from: String,
    /// Lines read (bytes would change when names in it are replaced).
    pub lines: u64,
    /// Whether its beginning was left out.
    pub cut: bool,
}

/// How the log of a boot ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BootEnd {
    /// It is the last one in the files: the running boot, or the log ends there.
    Open,
    /// Its last lines are those of a shutdown or restart.
    Clean,
    /// The next boot begins in the middle of a line, or after bytes that were never written: power was lost while the
    /// kernel wrote.
    MidSentence,
    /// Neither: the log stops and the next boot begins.
    #[default]
    Unknown,
}

/// One boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Boot {
    /// File in which it begins, below `raw/`.
    pub from: String,
    /// Line in that file where it begins, from 1.
    pub line: u64,
    /// Whether its first line is there; the oldest one usually lost it.
    pub whole: bool,
    /// First time of day, as written (the device's own time zone): `2022-05-04 03:02:01`.
    pub first_at: Option<String>,
    /// Last time of day, as written.
    pub last_at: Option<String>,
    /// Time since boot of the last line, in microseconds.
    pub last_us: Option<u64>,
    /// Time of QTS's mark that the boot finished, as written.
    pub finished_at: Option<String>,
    /// Firmware in that mark, such as `5.0.0.1986-20220324`.
    pub firmware: Option<String>,
    /// Kernel in its banner, such as `5.10.60-qnap`.
    pub kernel: Option<String>,
    /// Memory that the kernel found (`Memory: …K/TOTALK available`), in KiB. One that shrinks between boots of one
    /// firmware is a module that was lost.
    pub memory_total_kib: Option<u64>,
    /// Lines.
    pub records: u64,
    /// How it ends.
    pub end: BootEnd,
}

/// One event of one boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PastEvent {
    /// Number of the boot among all boots of the files, from 0; the first kept one has the number `boots_left_out`.
    pub boot: u64,
    /// Time of day, as written.
    pub at: Option<String>,
    /// File, below `raw/`; `line` of the event counts in it.
    pub from: String,
    /// What it was. Its `device` is never told: letters move from boot to boot.
    pub event: KernelEvent,
}
