//! The scheduled health report: the one document that may leave by itself, and only after the owner chose so.
//!
//! A **closed** list of fields: who the device is, which verdicts its rules gave and how often, counters, versions,
//! ages. There is no field for text of a log, a name, an address or a path, and codes and versions that do not look
//! like one are refused ([`HealthReport::check`]), so that none of these can hide in them. It carries no facts: the
//! portal shows it as "reported by the device", and it passes no gate.

use serde::{Deserialize, Serialize};

use crate::diagnosis::{Overall, Verdict};

/// Version of the document.
pub const FORMAT_VERSION: u32 = 1;
/// Most bytes of one as JSON (judgement: one with every count filled is below 8 kB).
pub const MOST_BYTES: usize = 16 * 1024;
/// Most kinds of findings that are counted.
pub const MOST_CODES: usize = 64;
/// Longest code or version.
pub const LONGEST_WORD: usize = 32;
/// Longest model or serial number, as at enrolment.
const LONGEST_TEXT: usize = 64;

/// A health report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// Version of this document: [`FORMAT_VERSION`].
    pub format: u32,
    /// Fingerprint of the device's key, `SHA256:…`.
    pub key_id: String,
    /// Portal's name for the device.
    pub device_id: String,
    /// Model, where it was seen at the last check.
    pub model: Option<String>,
    /// Serial number, where it was seen and the owner's level of redaction keeps it.
    pub serial: Option<String>,
    /// Device's clock when it was made, RFC 3339 in UTC; a fact, not an order.
    pub device_time: String,
    /// Versions of what decided.
    pub versions: Versions,
    /// The last check; none when there was none yet.
    pub last_check: Option<LastCheck>,
    /// Age of the newest recovery copy in seconds; none when there is none, or nobody can tell.
    pub recovery_copy_age_s: Option<u64>,
    /// What waits on the device.
    pub spool: SpoolDepth,
    /// How the daemon fares.
    pub daemon: DaemonCounters,
    /// Kernel's random id of the running boot, where it was read: by this and `seq` two units with one key are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// Highest number of a bundle that the device may have given out; none when it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// Versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The agent's.
    pub agent: String,
    /// The firmware's, where it was seen.
    pub firmware: Option<String>,
    /// Of the parsers.
    pub parser_set: u32,
    /// Of the rules.
    pub rule_pack: u32,
}

/// What the last check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCheck {
    /// Its age in seconds by the device's clock.
    pub age_s: u64,
    /// The overall verdict as the device decided it.
    pub overall: Overall,
    /// Findings by code and verdict, worst first.
    pub findings: Vec<CodeCount>,
    /// Required readings that are missing.
    pub cannot_tell: u32,
}

/// How often one rule gave one verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeCount {
    /// The rule's code.
    pub code: String,
    /// The verdict.
    pub verdict: Verdict,
    /// How many findings.
    pub count: u32,
}

/// Bundles on the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolDepth {
    /// Not accepted yet, held ones too.
    pub waiting: u32,
    /// Refused by the portal.
    pub refused: u32,
    /// Bytes of all.
    pub size_bytes: u64,
}

/// Counters of the daemon since its state began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonCounters {
    /// Jobs that ended well.
    pub runs: u64,
    /// Jobs that failed.
    pub failures: u64,
    /// Kinds of jobs that fail again and again now.
    pub crash_loops: u32,
}

/// Why a document is no health report.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HealthReportError {
    /// Another version.
    #[error("a health report of version {0}; only version {FORMAT_VERSION} is understood here")]
    Version(u32),
    /// A field that could hold text.
    #[error("{0} does not look like one")]
    NotAWord(&'static str),
    /// Too many kinds of findings.
    #[error("more than {MOST_CODES} kinds of findings")]
    TooMany,
}

impl HealthReport {
    /// Refuses what a report never holds. Both ends ask: the device before it sends, the portal before it keeps.
    ///
    /// # Errors
    /// The first field that does not fit.
    pub fn check(&self) -> Result<(), HealthReportError> {
        if self.format != FORMAT_VERSION {
            return Err(HealthReportError::Version(self.format));
        }
        let word = |text: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._+".contains(&b);
            !text.is_empty() && text.len() <= LONGEST_WORD && text.bytes().all(plain)
        };
        let label = |text: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._+ ()".contains(&b);
            text.len() <= LONGEST_TEXT && text.bytes().all(plain)
        };
        let key = |text: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"+/".contains(&b);
            text.strip_prefix("SHA256:").is_some_and(|digest| digest.len() == 43 && digest.bytes().all(plain))
        };
        let time = |text: &str| {
            let plain = |b: u8| b.is_ascii_digit() || b"-+:.TZ@".contains(&b);
            text.len() <= 40 && text.bytes().all(plain)
        };
        let codes = self.last_check.iter().flat_map(|check| &check.findings);
        for (fits, what) in [
            (key(&self.key_id), "key_id"),
            (word(&self.device_id) || self.device_id.len() == 36 && label(&self.device_id), "device_id"),
            (self.model.as_deref().is_none_or(label), "model"),
            (self.serial.as_deref().is_none_or(label), "serial"),
            (time(&self.device_time), "device_time"),
            (word(&self.versions.agent), "versions.agent"),
            (self.versions.firmware.as_deref().is_none_or(label), "versions.firmware"),
            (codes.clone().all(|finding| word(&finding.code)), "last_check.findings.code"),
            (self.boot_id.as_deref().is_none_or(is_boot_id), "boot_id"),
        ] {
            if !fits {
                return Err(HealthReportError::NotAWord(what));
            }
        }
        if codes.count() > MOST_CODES {
            return Err(HealthReportError::TooMany);
        }
        Ok(())
    }
}

/// Whether a text is a boot id as Linux writes one: 36 digits of lower-case hex and dashes.
pub fn is_boot_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-')
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Every key that may leave. A new one belongs here, in FORMAT.md, and before the owner's eyes.
    const KEYS: [&str; 30] = [
        "format",
        "key_id",
        "device_id",
        "model",
        "serial",
        "device_time",
        "versions",
        "versions.agent",
        "versions.firmware",
        "versions.parser_set",
        "versions.rule_pack",
        "last_check",
        "last_check.age_s",
        "last_check.overall",
        "last_check.findings",
        "last_check.findings.code",
        "last_check.findings.verdict",
        "last_check.findings.count",
        "last_check.cannot_tell",
        "recovery_copy_age_s",
        "spool",
        "spool.waiting",
        "spool.refused",
        "spool.size_bytes",
        "daemon",
        "daemon.runs",
        "daemon.failures",
        "daemon.crash_loops",
        "boot_id",
        "seq",
    ];

    fn full() -> HealthReport {
        HealthReport {
            format: FORMAT_VERSION,
            key_id: format!("SHA256:{}", "a".repeat(43)),
            device_id: "0199d0d4-1111-7222-8333-444455556666".into(),
            model: Some("TS-453D (rev. 2)".into()),
            serial: Some("Q201B00001".into()),
            device_time: "2026-11-22T13:30:00Z".into(),
            versions: Versions {
                agent: "0.1.0".into(),
                firmware: Some("5.2.0.2860 build 20240817".into()),
                parser_set: 1,
                rule_pack: 2,
            },
            last_check: Some(LastCheck {
                age_s: 60,
                overall: Overall::DefectSuspected,
                findings: vec![CodeCount { code: "DRV-003".into(), verdict: Verdict::Suspected, count: 2 }],
                cannot_tell: 1,
            }),
            recovery_copy_age_s: Some(86_400),
            spool: SpoolDepth { waiting: 1, refused: 0, size_bytes: 5 },
            daemon: DaemonCounters { runs: 9, failures: 1, crash_loops: 0 },
            boot_id: Some("0a1b2c3d-1111-4222-8333-444455556666".into()),
            seq: Some(64),
        }
    }

    fn keys(value: &serde_json::Value, prefix: &str, out: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (key, value) in fields {
                    let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    out.push(name.clone());
                    keys(value, &name, out);
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, prefix, out)),
            _ => {}
        }
    }

    #[test]
    fn only_listed_keys_leave() {
        let report = full();
        report.check().unwrap();
        let mut seen = Vec::new();
        keys(&serde_json::to_value(&report).unwrap(), "", &mut seen);
        assert_eq!(seen, KEYS);
        let format = include_str!("../FORMAT.md");
        for key in KEYS {
            let name = key.rsplit('.').next().unwrap();
            assert!(format.contains(&format!("`{name}`")), "{key} is not in FORMAT.md");
        }
    }

    #[test]
    fn text_cannot_hide() {
        fn check(change: impl Fn(&mut HealthReport), expected: HealthReportError) {
            let mut report = full();
            change(&mut report);
            assert_eq!(report.check(), Err(expected));
        }
        use HealthReportError::{NotAWord, TooMany, Version};
        check(|r| r.format = 2, Version(2));
        check(|r| r.key_id = "me".into(), NotAWord("key_id"));
        check(|r| r.model = Some("a@b".into()), NotAWord("model"));
        check(|r| r.serial = Some("/share/Public".into()), NotAWord("serial"));
        check(|r| r.device_time = "yesterday".into(), NotAWord("device_time"));
        check(|r| r.versions.agent = "0.1.0 on nas.example".into(), NotAWord("versions.agent"));
        check(|r| r.versions.firmware = Some("x".repeat(65)), NotAWord("versions.firmware"));
        let finding = |code: &str| CodeCount { code: code.into(), verdict: Verdict::Watch, count: 1 };
        let with = |codes: Vec<CodeCount>| {
            move |r: &mut HealthReport| {
                r.last_check.as_mut().unwrap().findings = codes.clone();
            }
        };
        check(with(vec![finding("sda: I/O error")]), NotAWord("last_check.findings.code"));
        check(with(vec![finding("A-1"); 65]), TooMany);
    }
}
