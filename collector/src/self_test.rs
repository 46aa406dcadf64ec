//! Self-tests of drives: the one order that is not reading, how an answer to it is read, and what a drive says of one that
//! runs or has ended.
//!
//! The list of orders is closed and is not part of [`crate::command`], whose list only reads: a probe cannot reach it.
//! There is no captive test (`-C`), no `force` over a test that runs, no range of sectors, no vendor test and no setting.
//! Every order asks the power mode first (`-n standby,3`), so that it never wakes a drive. Quirks: for NVMe smartctl
//! starts self-tests from 7.4 on; a SAS drive says no remaining time; an ATA drive counts what is left in tenths.

use assay_bundle::facts::drive::{PowerMode, SelfTest, SelfTestOutcome};
use serde_json::Value;

use crate::command::{Command, DeviceNode, SmartctlKind};
use crate::smartctl::{self, Answer, ParsedDrive};
use crate::source::{Fetched, Request};

/// First version of smartctl that is used for self-tests: `-n` with an exit status and JSON came with 7.0 (its NEWS).
pub const FIRST_VERSION: (u32, u32) = (7, 0);
/// First version that starts self-tests of NVMe drives (NEWS of smartmontools 7.4).
pub const FIRST_VERSION_NVME: (u32, u32) = (7, 4);
/// Exit status bits 0 to 2 of smartctl: the line was not understood, the drive did not open, a command failed.
const FAILED_BITS: i32 = 0b111;
/// Exit status that [`SelfTestCommand`] asks for when the drive sleeps.
const ASLEEP_STATUS: i32 = 3;

/// What is ordered. The list is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SelfTestOrder {
    /// `-t short`: a few minutes.
    Short,
    /// `-t long`: the whole surface.
    Long,
    /// `-X`: ends the test that runs.
    Abort,
}

/// One order to one drive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SelfTestCommand {
    /// What.
    pub order: SelfTestOrder,
    /// To which drive.
    pub device: DeviceNode,
    /// How smartctl talks to it.
    pub kind: SmartctlKind,
}

impl SelfTestCommand {
    /// The program's file name.
    pub const TOOL: &'static str = "smartctl";

    /// The arguments after the program's name.
    pub fn argv(&self) -> Vec<String> {
        let mut argv = vec!["-n", "standby,3"];
        argv.extend(match self.order {
            SelfTestOrder::Short => ["-t", "short"].as_slice(),
            SelfTestOrder::Long => &["-t", "long"],
            SelfTestOrder::Abort => &["-X"],
        });
        if let Some(device_type) = self.kind.device_type() {
            argv.extend(["-d", device_type]);
        }
        argv.push(self.device.path());
        argv.into_iter().map(str::to_owned).collect()
    }

    /// The command line in words, without the directory.
    pub fn line(&self) -> String {
        let words: Vec<String> = std::iter::once(Self::TOOL.to_owned()).chain(self.argv()).collect();
        words.join(" ")
    }
}

/// Whether an order was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The drive has it.
    Yes,
    /// The drive sleeps and was left alone.
    Asleep,
    /// It was not taken, in smartctl's words.
    No(String),
}

/// Reads what smartctl said to an order. Bits 3 to 7 of its exit status are about the drive's health, not about the
/// order.
pub fn taken(fetched: &Fetched) -> Taken {
    let text = fetched.text();
    let asleep = text.lines().any(|line| {
        line.strip_prefix("Device is in ").is_some_and(|rest| rest.contains(" mode"))
            && !line.contains("ACTIVE")
    });
    let status = fetched.exit.and_then(|exit| exit.exit_code);
    if asleep && status == Some(ASLEEP_STATUS) {
        return Taken::Asleep;
    }
    match status {
        Some(status) if status & FAILED_BITS == 0 => Taken::Yes,
        _ => Taken::No(what_it_said(&text, status)),
    }
}

/// What went wrong: the first line below smartctl's last heading, or the last line that says something.
fn what_it_said(text: &str, status: Option<i32>) -> String {
    let says = |line: &&str| line.chars().any(char::is_alphabetic) && !line.starts_with("===");
    let below = text.lines().rev().position(|line| line.starts_with("===")).and_then(|from_end| {
        let at = text.lines().count().saturating_sub(from_end);
        text.lines().skip(at).map(str::trim).find(says)
    });
    let said = below.or_else(|| text.lines().rev().map(str::trim).find(says));
    let status = status.map_or_else(|| "it was killed".to_owned(), |status| format!("exit status {status}"));
    match said {
        Some(said) => format!("smartctl says: {said} ({status})"),
        None => format!("smartctl said nothing ({status})"),
    }
}

/// The version in the answer to `smartctl --version`: `smartctl 7.4 2023-08-01 r5530 …`.
pub fn version(text: &str) -> Option<(u32, u32)> {
    let rest = text.lines().find_map(|line| line.strip_prefix("smartctl "))?;
    let word = rest.strip_prefix("version ").unwrap_or(rest).split_whitespace().next()?;
    // What led to a version has not everything of it.
    let (number, before) = match word.strip_prefix("pre-") {
        Some(number) => (number, true),
        None => (word, false),
    };
    let (major, minor) = number.split_once('.')?;
    let (major, minor) = (major.parse().ok()?, minor.parse::<u32>().ok()?);
    if before { Some((major, minor.checked_sub(1)?)) } else { Some((major, minor)) }
}

/// How to look at a drive: the question that only reads and does not wake it.
pub fn look_request(device: DeviceNode, kind: SmartctlKind) -> Request {
    Request::Run(Command::Smartctl { device, kind })
}

/// One look at a drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Who answered, and its log of self-tests.
    pub parsed: ParsedDrive,
    /// What is left of the test that runs, in percent, where the drive says so.
    pub remaining_percent: Option<u8>,
    /// The drive's own estimate for a short test, minutes.
    pub short_minutes: Option<u64>,
    /// The drive's own estimate for an extended test, minutes (rounded up).
    pub extended_minutes: Option<u64>,
}

impl Look {
    /// Reads one answer of [`look_request`]; total, as [`smartctl::parse`] is.
    pub fn read(bytes: &[u8], place: &str) -> Self {
        let parsed = smartctl::parse(bytes, place);
        let root: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let number = |pointer: &str| root.pointer(pointer).and_then(Value::as_u64);
        let tenths = number("/ata_smart_data/self_test/status/value").filter(|status| status >> 4 == 0xf);
        let done =
            number("/nvme_self_test_log/current_self_test_completion_percent").filter(|done| *done <= 100);
        let running = parsed.drive.self_tests.value().and_then(|tests| tests.first()).is_some_and(is_running);
        let remaining = tenths.map(|status| (status & 0xf) * 10).or(done.map(|done| 100 - done));
        let minutes = |kind: &str| number(&format!("/ata_smart_data/self_test/polling_minutes/{kind}"));
        let seconds = number("/scsi_extended_self_test_seconds");
        Self {
            remaining_percent: remaining
                .filter(|left| running && *left <= 100)
                .and_then(|left| u8::try_from(left).ok()),
            short_minutes: minutes("short").filter(|minutes| *minutes > 0),
            extended_minutes: minutes("extended").or(seconds.map(|s| s.div_ceil(60))).filter(|m| *m > 0),
            parsed,
        }
    }

    /// Whether a test runs, whoever began it.
    pub fn runs(&self) -> bool {
        self.log().first().is_some_and(is_running)
    }

    /// The power mode in which it was left alone.
    pub fn asleep(&self) -> Option<PowerMode> {
        match self.parsed.answer {
            Answer::Asleep(mode) => Some(mode),
            _ => None,
        }
    }

    /// Every test of the log that has ended, newest first.
    pub fn ended(&self) -> Vec<SelfTest> {
        self.log().iter().filter(|test| !is_running(test)).cloned().collect()
    }

    fn log(&self) -> &[SelfTest] {
        self.parsed.drive.self_tests.value().map(Vec::as_slice).unwrap_or_default()
    }
}

fn is_running(test: &SelfTest) -> bool {
    test.outcome == SelfTestOutcome::Running
}

/// The first test that was logged after a log looked like `before`: newest first, both. `None` when nothing is new.
/// Quirk: of a full log of equal rows nobody can tell; no drive logs twenty equal tests of one hour.
pub fn logged_since(before: &[SelfTest], after: &[SelfTest]) -> Option<SelfTest> {
    let fits = |new: usize| {
        let old = after.get(new..).unwrap_or_default();
        // A log that was full has dropped its oldest rows.
        let kept = before.get(..old.len().min(before.len())).unwrap_or_default();
        old.get(..kept.len()) == Some(kept)
            && (old.len() == kept.len())
            && (kept.len() == before.len() || new > 0)
    };
    let new = (0..=after.len()).find(|new| fits(*new))?;
    after.get(new.checked_sub(1)?).cloned()
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic)]
mod tests;
