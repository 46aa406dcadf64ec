//! The one door to the machine: what may be asked ([`Request`]), what comes back ([`Fetched`]) and how it can fail
//! ([`Failure`]).
//!
//! [`Source`] has exactly three kinds of implementation: the live machine (`live::LiveSource`), a recording that is
//! read again ([`crate::recorded::RecordedSource`]) and a recording in the making ([`crate::recording::Recording`]).
//! A probe cannot tell which one it talks to. There is no request that writes, and no request takes a command line:
//! commands are a closed list ([`Command`]).
//!
//! Every request has one place below `raw/` in a bundle; [`Request::place`] is that naming rule:
//!
//! | request | what was read | what failed (never for "not there") |
//! |---|---|---|
//! | `Read /a/b`, `ReadEnd /a/b` | `a/b` | `a/b.unreadable` |
//! | `List /a` | `a/.list` | `a/.list.unreadable` |
//! | `Link /a/b` | `a/b.link` | `a/b.link.unreadable` |
//! | `Run` | `cmd/<slug>/stdout`, `stderr`, `status.json` | `cmd/<slug>.unreadable` |
//! | `Device` | `ioctl/<device>/<query>.json` | `ioctl/<device>/<query>.json.unreadable` |
//! | `KernelLog` | `dev/kmsg` | `dev/kmsg.unreadable` |
//! | `Space /a/b` | `sample/space/a.b.json` | the same with `.unreadable` |
//! | samples | `sample/host.json`, `clock.json`, `dimms.json`, `stuck.json` | the same with `.unreadable` |
//! | `EventLog` | `sample/event_log.jsonl` | the same with `.unreadable` |
//! | `SnmpPower` | `sample/snmp-power.txt` | the same with `.unreadable` |
//! | `Nut` | `sample/nut.txt` | the same with `.unreadable` |
//! | `ManagementCgi` | `sample/management-<page>.xml` | the same with `.unreadable` |
//! | memory | `state/recorder.jsonl`, `state/inventory.json` | the same with `.unreadable` |
//!
//! A file that was read under a lock has `<place>.read` beside it: how it was read, as JSON ([`Manner`]).
//! A reading that was cut at its limit has an empty file `<place>.truncated` beside it; a command says so in its
//! `status.json`. Read next: [`crate::recorded`].

use std::future::Future;
use std::pin::Pin;

use assay_bundle::manifest::RunSource;
use serde::{Deserialize, Serialize};

use crate::command::{Command, DeviceNode};
use crate::direct::DeviceQuery;

/// Longest path that is asked for, in bytes (the kernel's own `PATH_MAX`).
pub const MAX_PATH_BYTES: usize = 4096;

/// Most bytes that one directory listing may hold.
pub const MAX_LIST_BYTES: u64 = 2 * 1024 * 1024;

/// Most bytes of the kernel's log that are read; the newest are kept.
pub const MAX_KERNEL_LOG_BYTES: u64 = 4 * 1024 * 1024;

/// Most bytes of QTS's event log that are read, by the reader child.
pub const MAX_EVENT_LOG_BYTES: u64 = 64 * 1024 * 1024;

/// Most bytes of the rows that are taken from it.
pub const MAX_EVENT_ROWS_BYTES: u64 = 2 * 1024 * 1024;

/// Most bytes of a command's standard output that are kept.
pub const MAX_STDOUT_BYTES: usize = 8 * 1024 * 1024;

/// Most bytes of a command's standard error that are kept.
pub const MAX_STDERR_BYTES: usize = 256 * 1024;

/// The future of one answer.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Fetched, Failure>> + Send + 'a>>;

/// The future of several answers.
pub type Answers<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Takes several answers one by one: the number of the request, and what came of it.
pub type Keep<'a> = &'a mut (dyn FnMut(usize, Result<Fetched, Failure>) + Send + 'a);

/// The one door to the machine. Object safe; a probe gets `&dyn Source`.
pub trait Source: Send + Sync {
    /// Asks for one thing. The answer always comes: a live source keeps a deadline for everything that can hang.
    fn fetch<'a>(&'a self, request: &'a Request) -> Answer<'a>;

    /// Asks for several things that are wanted whatever any of them says. Each has the answer that it would have alone,
    /// and is handed on as soon as it is there: who stops waiting loses only what was still open.
    fn fetch_all<'a>(&'a self, requests: &'a [Request], keep: Keep<'a>) -> Answers<'a> {
        Box::pin(async move {
            for (at, request) in requests.iter().enumerate() {
                keep(at, self.fetch(request).await);
            }
        })
    }

    /// What kind of source this is; decides the namespace that the bundle is signed under.
    fn run_source(&self) -> RunSource;

    /// What asking has cost so far. Zero for everything but a live machine.
    fn counters(&self) -> Counters {
        Counters::default()
    }
}

/// What asking has cost, for `cost.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Child processes started: commands and file readers.
    pub processes_started: u64,
    /// Children given up because they could not be killed.
    pub readers_abandoned: u64,
}

/// One thing to ask for. Paths are absolute and plain: no `.`, no `..`, no doubled slash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// The content of a plain file (on a disk, in `/proc` or in `/sys`).
    Read {
        /// Absolute path.
        path: String,
        /// Most bytes to read; the rest is left and `truncated` set. The head of the file is kept.
        limit_bytes: u64,
        /// A lock file that its writer holds while it writes (`fcntl` record lock). The reader shares it; where it
        /// cannot have it in time, it reads until two readings agree.
        lock: Option<String>,
    },
    /// The newest part of a plain file that grows: whole lines from its end.
    ReadEnd {
        /// Absolute path.
        path: String,
        /// Most bytes to read; what stands before is left and `truncated` set.
        limit_bytes: u64,
    },
    /// The names in a directory, sorted, one a line.
    List {
        /// Absolute path.
        path: String,
    },
    /// The target of a symbolic link, as it is stored.
    Link {
        /// Absolute path.
        path: String,
    },
    /// The output of one of the commands that are known.
    Run(Command),
    /// A device's answer to one of the read-only questions that are known, as [`crate::direct::DeviceAnswer`].
    Device {
        /// The disk.
        device: DeviceNode,
        /// The question.
        query: DeviceQuery,
    },
    /// The kernel's log: `priority,sequence,microseconds,flags;text` records, oldest first.
    KernelLog,
    /// Rows of QTS's event log that are about hardware, as lines of JSON: a head, then one line a row, oldest first.
    EventLog,
    /// Memory modules as SMBIOS describes them, as JSON. The table itself holds the machine's UUID and asset tags.
    Dimms,
    /// Processor, memory, load and uptime as JSON.
    HostSample,
    /// The system clock as JSON.
    ClockSample,
    /// The readers that are stuck now, as a JSON list of `assay_bundle::facts::stuck::StuckReader`.
    StuckReaders,
    /// Size and free space of a mounted file system as JSON: `size_bytes`, `free_bytes`, `available_bytes` (to ordinary
    /// users) and `read_only`.
    Space {
        /// Absolute path of the mount point; its names hold letters, digits, `_` and `-` only.
        path: String,
    },
    /// The state of the power units from the NAS's own SNMP service, if it is switched on: lines of
    /// [`crate::snmp`].
    SnmpPower,
    /// What the NAS's own UPS service says: lines of the NUT protocol ([`crate::nut`]).
    Nut,
    /// A page of QTS's management, through an administrator's session: XML ([`crate::management_cgi`]).
    ManagementCgi(CgiPage),
    /// What the flight recorder kept of earlier runs, one JSON record a line, oldest first; damaged places are lines
    /// of their own (see [`crate::ring`]).
    Recorder,
    /// What earlier runs remembered of the unit's parts, as JSON (see [`crate::inventory_memory`]).
    Inventory,
}

/// The pages of QTS's management that are known to read only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CgiPage {
    /// Model, memory, network errors, fans, temperatures, power units.
    SysInfo,
    /// QTS's word for the whole.
    SysHealth,
    /// QTS's verdict on each bay.
    DiskHealth,
}

impl CgiPage {
    /// All pages.
    pub const ALL: [Self; 3] = [Self::SysInfo, Self::SysHealth, Self::DiskHealth];

    /// Its word in the place of its answer.
    pub fn slug(self) -> &'static str {
        match self {
            Self::SysInfo => "sysinfo",
            Self::SysHealth => "syshealth",
            Self::DiskHealth => "diskhealth",
        }
    }

    /// Path and query below `/cgi-bin/`, without the session.
    pub fn path(self) -> &'static str {
        match self {
            Self::SysInfo => "management/manaRequest.cgi?subfunc=sysinfo&hd=no&multicpu=1",
            Self::SysHealth => "management/manaRequest.cgi?subfunc=sysinfo&sysHealth=1",
            Self::DiskHealth => "disk/qsmart.cgi?func=all_hd_data",
        }
    }
}

impl Request {
    /// Asks for a file.
    pub fn read(path: impl Into<String>, limit_bytes: u64) -> Self {
        Self::Read { path: path.into(), limit_bytes, lock: None }
    }

    /// Asks for a file under a shared lock. The answer says how it was read ([`Fetched::manner`]).
    pub fn read_locked(path: impl Into<String>, limit_bytes: u64, lock: impl Into<String>) -> Self {
        Self::Read { path: path.into(), limit_bytes, lock: Some(lock.into()) }
    }

    /// Asks for the newest part of a file.
    pub fn read_end(path: impl Into<String>, limit_bytes: u64) -> Self {
        Self::ReadEnd { path: path.into(), limit_bytes }
    }

    /// Asks for the names in a directory.
    pub fn list(path: impl Into<String>) -> Self {
        Self::List { path: path.into() }
    }

    /// Asks for the target of a symbolic link.
    pub fn link(path: impl Into<String>) -> Self {
        Self::Link { path: path.into() }
    }

    /// Asks for the size and the free space of a mounted file system.
    pub fn space(path: impl Into<String>) -> Self {
        Self::Space { path: path.into() }
    }

    /// Where the answer stands below `raw/`.
    pub fn place(&self) -> String {
        match self {
            Self::Read { path, .. } | Self::ReadEnd { path, .. } => below_raw(path),
            Self::List { path } => match below_raw(path) {
                top if top.is_empty() => ".list".to_owned(),
                folder => format!("{folder}/.list"),
            },
            Self::Link { path } => format!("{}.link", below_raw(path)),
            Self::Run(command) => format!("cmd/{}/stdout", command.slug()),
            Self::Device { device, query } => format!("ioctl/{}/{}.json", device.name(), query.slug()),
            Self::KernelLog => "dev/kmsg".to_owned(),
            Self::EventLog => "sample/event_log.jsonl".to_owned(),
            Self::Dimms => "sample/dimms.json".to_owned(),
            Self::HostSample => "sample/host.json".to_owned(),
            Self::ClockSample => "sample/clock.json".to_owned(),
            Self::StuckReaders => "sample/stuck.json".to_owned(),
            Self::Space { path } => format!("sample/space/{}.json", space_name(path)),
            Self::SnmpPower => "sample/snmp-power.txt".to_owned(),
            Self::Nut => "sample/nut.txt".to_owned(),
            Self::ManagementCgi(page) => format!("sample/management-{}.xml", page.slug()),
            Self::Recorder => "state/recorder.jsonl".to_owned(),
            Self::Inventory => "state/inventory.json".to_owned(),
        }
    }

    /// Where a failure to answer stands below `raw/`.
    pub fn failure_place(&self) -> String {
        match self {
            Self::Run(command) => format!("cmd/{}.unreadable", command.slug()),
            _ => format!("{}.unreadable", self.place()),
        }
    }

    /// What is asked for, in words: a path, a command line, or a name.
    pub fn noun(&self) -> String {
        match self {
            Self::Read { path, .. }
            | Self::ReadEnd { path, .. }
            | Self::List { path }
            | Self::Link { path } => path.clone(),
            Self::Run(command) => command.line(),
            Self::Device { device, query } => format!("{} of {}", query.slug(), device.path()),
            Self::KernelLog => "the kernel log".to_owned(),
            Self::EventLog => "the event log".to_owned(),
            Self::Dimms => "the list of memory modules".to_owned(),
            Self::HostSample => "the host sample".to_owned(),
            Self::ClockSample => "the clock".to_owned(),
            Self::StuckReaders => "the list of stuck readers".to_owned(),
            Self::Space { path } => format!("the free space of {path}"),
            Self::SnmpPower => "the SNMP service of this NAS".to_owned(),
            Self::Nut => "the UPS service of this NAS".to_owned(),
            Self::ManagementCgi(page) => format!("QTS's management page {}", page.slug()),
            Self::Recorder => "the flight recorder".to_owned(),
            Self::Inventory => "the inventory memory".to_owned(),
        }
    }

    /// The device node that it touches: while a reader of that node is stuck, it is not asked.
    pub fn device(&self) -> Option<&str> {
        match self {
            Self::Run(command) => command.device(),
            Self::Device { device, .. } => Some(device.path()),
            _ => None,
        }
    }

    /// Refuses a path that is not absolute and plain. Names come from directory listings, which are bytes from
    /// outside: no name may climb out of the folder that it was listed in.
    ///
    /// # Errors
    /// [`Failure::Io`] that names the path.
    pub fn check(&self) -> Result<(), Failure> {
        match self {
            Self::Read { path, lock: Some(lock), .. } => check_path(path).and_then(|()| check_path(lock)),
            Self::Read { path, .. }
            | Self::ReadEnd { path, .. }
            | Self::List { path }
            | Self::Link { path } => check_path(path),
            Self::Space { path } => check_path(path).and_then(|()| check_space(path)),
            _ => Ok(()),
        }
    }
}

fn below_raw(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
}

/// `share.CACHEDEV1_DATA` of `/share/CACHEDEV1_DATA`. One name for each path that [`check_space`] lets pass.
fn space_name(path: &str) -> String {
    if path == "/" { "@root".to_owned() } else { below_raw(path).replace('/', ".") }
}

fn check_space(path: &str) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-');
    if path.chars().all(plain) {
        return Ok(());
    }
    Err(Failure::Io { why: format!("the path {path:?} is no mount point of the system; nothing was read") })
}

fn check_path(path: &str) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::Io { why: format!("the path {path:?} {why}; nothing was read") });
    let Some(rest) = path.strip_prefix('/') else { return refuse("is not absolute") };
    if path.len() > MAX_PATH_BYTES {
        return refuse("is too long");
    }
    if path.chars().any(char::is_control) {
        return refuse("holds a control character");
    }
    if !rest.is_empty() && rest.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return refuse("is not plain");
    }
    Ok(())
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// The content: a file's bytes, a list of names, a link's target, a command's standard output, JSON.
    pub bytes: Vec<u8>,
    /// Whether something was left out: the limit was reached, or the kernel had overwritten records.
    pub truncated: bool,
    /// How a command ended. `None` for everything else.
    pub exit: Option<Exit>,
    /// A command's standard error. Empty for everything else.
    pub stderr: Vec<u8>,
    /// Where the content stands below `raw/`.
    pub place: String,
    /// How a file with a lock was read. `None` for everything else, and where a recording does not say.
    pub manner: Option<Manner>,
}

/// How a file with a lock was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    /// Whether the lock was held. If not, two readings agreed.
    pub locked: bool,
    /// Seconds since the file was last written, by the machine's clock; negative when that lies in the future.
    /// `None` where the system does not say.
    pub age_s: Option<i64>,
}

impl Fetched {
    /// The content as text; bytes that are not UTF-8 become U+FFFD, as old firmware writes serials in any code page.
    pub fn text(&self) -> String {
        crate::lines::text(&self.bytes).into_owned()
    }

    /// The names of a [`Request::List`] answer.
    pub fn names(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }
}

/// How a command ended. The status never decides whether the output counts: smartctl's exit status is a bit mask
/// whose upper bits mean "the disk is bad" while the output is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code, 0 to 255; `None` when a signal ended it.
    pub exit_code: Option<i32>,
    /// Signal number; `None` when it exited by itself.
    pub signal: Option<i32>,
    /// Wall time it took.
    pub duration_ms: u64,
}

/// Why there is no answer. Serialised into `raw/` (all but [`Failure::NotFound`]), so that a recording fails the way
/// the machine did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The file, directory or link does not exist.
    #[error("it is not there")]
    NotFound,
    /// The system does not let us.
    #[error("no permission for {what}; run assay as root (log in as the administrator, or use sudo)")]
    Denied {
        /// What was refused.
        what: String,
    },
    /// It did not answer in time, and was stopped.
    #[error(
        "no answer within {} s, so it was stopped; a device that answers late is failing or very busy: run assay again when the NAS is idle",
        seconds(*after_ms)
    )]
    Deadline {
        /// How long was waited, in milliseconds.
        after_ms: u64,
    },
    /// A reader of it hangs in the kernel and cannot be killed; nothing touches it again while that one lives.
    #[error(
        "a reader of {target} has been stuck in the kernel since {} and cannot be ended, so no other one is started; what hangs there is failing or gone: back up what still reads, then restart the NAS",
        utc(*since_unix_s)
    )]
    Stuck {
        /// When it was given up, in seconds since 1970 by the device's clock.
        since_unix_s: i64,
        /// What it was reading: a device node or a path.
        target: String,
    },
    /// Too many readers hang already.
    #[error(
        "too many readers are stuck in the kernel already, so nothing more that could hang is started; back up what still reads, restart the NAS, then run assay again"
    )]
    TooManyStuck,
    /// The system reported an error.
    #[error("{why}")]
    Io {
        /// The whole chain, with the path or the command.
        why: String,
    },
    /// A command is not installed.
    #[error(
        "{name} is not installed; install the assay package that brings it, or add it to a tool directory"
    )]
    NoTool {
        /// Name of the program.
        name: String,
    },
}

/// Milliseconds as seconds with one decimal.
fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1000, ms % 1000 / 100)
}

/// Seconds since 1970 as `2026-05-04 03:02:01 UTC` (proleptic Gregorian; the era arithmetic counts years from March so
/// that the leap day is the last one).
pub(crate) fn utc(unix_s: i64) -> String {
    const DAY_S: i64 = 86_400;
    let (days, second) = (unix_s.div_euclid(DAY_S), unix_s.rem_euclid(DAY_S));
    let shifted = days.saturating_add(719_468);
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn check_place(request: &Request, place: &str, failure_place: &str) {
        assert_eq!(request.place(), place);
        assert_eq!(request.failure_place(), failure_place);
    }

    #[test]
    fn every_request_has_one_place() {
        check_place(&Request::read("/proc/mdstat", 1), "proc/mdstat", "proc/mdstat.unreadable");
        check_place(&Request::list("/sys/block"), "sys/block/.list", "sys/block/.list.unreadable");
        check_place(&Request::list("/"), ".list", ".list.unreadable");
        check_place(&Request::link("/sys/block/sda"), "sys/block/sda.link", "sys/block/sda.link.unreadable");
        check_place(
            &Request::Run(Command::SmartctlVersion),
            "cmd/smartctl.version/stdout",
            "cmd/smartctl.version.unreadable",
        );
        check_place(&Request::read_end("/a/b", 1), "a/b", "a/b.unreadable");
        check_place(&Request::EventLog, "sample/event_log.jsonl", "sample/event_log.jsonl.unreadable");
        let device = DeviceNode::parse("sda").expect("a known shape");
        let query = DeviceQuery::AtaIdentify;
        check_place(
            &Request::Device { device, query },
            "ioctl/sda/ata-identify.json",
            "ioctl/sda/ata-identify.json.unreadable",
        );
        check_place(&Request::KernelLog, "dev/kmsg", "dev/kmsg.unreadable");
        check_place(&Request::Recorder, "state/recorder.jsonl", "state/recorder.jsonl.unreadable");
        check_place(&Request::StuckReaders, "sample/stuck.json", "sample/stuck.json.unreadable");
        check_place(&Request::Nut, "sample/nut.txt", "sample/nut.txt.unreadable");
        check_place(
            &Request::ManagementCgi(CgiPage::SysInfo),
            "sample/management-sysinfo.xml",
            "sample/management-sysinfo.xml.unreadable",
        );
    }

    #[test]
    fn only_absolute_plain_paths_pass() {
        fn check(path: &str, passes: bool) {
            assert_eq!(Request::read(path, 1).check().is_ok(), passes, "{path:?}");
        }
        check("/proc/mdstat", true);
        check("/", true);
        check("/sys/class/hwmon/a b", true);
        check("proc/mdstat", false);
        check("", false);
        check("/sys/../etc/shadow", false);
        assert!(Request::read_locked("/tmp/x", 1, "/var/lock/y").check().is_ok());
        assert!(Request::read_locked("/tmp/x", 1, "/var/../y").check().is_err());
        check("/sys/./x", false);
        check("/sys//x", false);
        check("/sys/x/", false);
        check("/sys/\0x", false);
        check("/sys/a\nb", false);
        check(&format!("/{}", "x".repeat(MAX_PATH_BYTES)), false);
    }

    #[test]
    fn the_space_of_a_mount_point_has_one_place() {
        fn check(path: &str, place: &str) {
            check_place(&Request::space(path), place, &format!("{place}.unreadable"));
            assert!(Request::space(path).check().is_ok(), "{path}");
        }
        check("/", "sample/space/@root.json");
        check("/share/CACHEDEV1_DATA", "sample/space/share.CACHEDEV1_DATA.json");
        for bad in ["", "mnt", "/mnt/a.b", "/mnt/@root", "/mnt/../x", "/mnt/a b", "/mnt/\u{e4}"] {
            assert!(Request::space(bad).check().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_failure_has_one_spelling_and_tells_the_next_step() {
        fn check(failure: &Failure, json: &str, words: &str) {
            assert_eq!(serde_json::to_string(failure).expect("plain data"), json);
            assert_eq!(&serde_json::from_str::<Failure>(json).expect("own output"), failure);
            assert!(failure.to_string().contains(words), "{failure}");
        }
        check(&Failure::NotFound, r#""not_found""#, "not there");
        check(&Failure::Deadline { after_ms: 5250 }, r#"{"deadline":{"after_ms":5250}}"#, "within 5.2 s");
        check(
            &Failure::Stuck { since_unix_s: 1_709_210_096, target: "/dev/sda".into() },
            r#"{"stuck":{"since_unix_s":1709210096,"target":"/dev/sda"}}"#,
            "/dev/sda has been stuck in the kernel since 2024-02-29 12:34:56 UTC",
        );
        check(&Failure::TooManyStuck, r#""too_many_stuck""#, "restart the NAS");
        check(
            &Failure::NoTool { name: "smartctl".into() },
            r#"{"no_tool":{"name":"smartctl"}}"#,
            "smartctl is not",
        );
    }

    #[test]
    fn time_is_written_for_people() {
        fn check(unix_s: i64, text: &str) {
            assert_eq!(utc(unix_s), text);
        }
        check(0, "1970-01-01 00:00:00 UTC");
        check(-1, "1969-12-31 23:59:59 UTC");
        check(951_782_400, "2000-02-29 00:00:00 UTC");
        check(4_102_444_799, "2099-12-31 23:59:59 UTC");
    }
}
