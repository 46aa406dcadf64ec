//! The settings, one row each: name, environment variable, built-in value, meaning, and how its text is read.

use std::path::PathBuf;

use super::{Config, LogFormat};
use crate::recovery_key::is_recipient;

/// Most recipients of a recovery copy besides its owner: judgement; each is a person who can open everything.
const MOST_RECIPIENTS: usize = 16;
use crate::daemon::Cron;

/// One setting.
pub(crate) struct Setting {
    /// `section.key` as in the file.
    pub(crate) name: &'static str,
    /// Environment variable.
    pub(crate) env: &'static str,
    /// Value when nobody says; empty means not set.
    pub(crate) built_in: &'static str,
    /// What it is, with its unit and range.
    pub(crate) about: &'static str,
    take: fn(&mut Config, &str) -> Result<(), String>,
}

impl Setting {
    /// Reads a value; the error says what would fit.
    pub(super) fn apply(&self, config: &mut Config, text: &str) -> Result<(), String> {
        (self.take)(config, text)
    }
}

/// All settings, in the order of `assay config show`.
pub(crate) static SETTINGS: &[Setting] = &[
    Setting {
        name: "portal.ca_file",
        env: "ASSAY_PORTAL_CA_FILE",
        built_in: "",
        about: "certificates to trust besides the system's, PEM",
        take: |config, text| path(text).map(|value| config.portal_ca_file = value),
    },
    Setting {
        name: "portal.proxy",
        env: "ASSAY_PORTAL_PROXY",
        built_in: "",
        about: "proxy for the portal: http://…, https://… or socks5://…",
        take: |config, text| {
            let schemes = ["http://", "https://", "socks5://", "socks5h://"];
            if !text.is_empty() && !schemes.iter().any(|scheme| text.starts_with(scheme)) {
                return Err("a proxy starts with http://, https://, socks5:// or socks5h://".to_owned());
            }
            config.portal_proxy = Some(text.to_owned()).filter(|t| !t.is_empty());
            Ok(())
        },
    },
    Setting {
        name: "collect.deadline_s",
        env: "ASSAY_COLLECT_DEADLINE_S",
        built_in: "150",
        about: "seconds after which a collection ends, complete or not, 5 to 3600",
        take: |config, text| number(text, 5, 3600).map(|value| config.collect_deadline_s = value),
    },
    Setting {
        name: "collect.per_drive_deadline_s",
        env: "ASSAY_COLLECT_PER_DRIVE_DEADLINE_S",
        built_in: "75",
        about: "seconds after which one drive is given up, 1 to 3600",
        take: |config, text| number(text, 1, 3600).map(|value| config.collect_per_drive_deadline_s = value),
    },
    Setting {
        name: "collect.tool_dirs",
        env: "ASSAY_COLLECT_TOOL_DIRS",
        built_in: "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/opt/sbin",
        about: "folders in which tools such as smartctl are looked for, in order",
        take: |config, text| {
            let dirs: Vec<PathBuf> = text.split(':').filter(|t| !t.is_empty()).map(PathBuf::from).collect();
            if let Some(dir) = dirs.iter().find(|dir| !dir.is_absolute()) {
                return Err(format!("{} is not an absolute path", dir.display()));
            }
            config.collect_tool_dirs = dirs;
            Ok(())
        },
    },
    Setting {
        name: "collect.recorder",
        env: "ASSAY_COLLECT_RECORDER",
        built_in: "true",
        about: "whether runs keep what changed on the data volume (flight recorder, inventory): true or false",
        take: |config, text| {
            config.collect_recorder = text.parse().map_err(|_| "it is true or false".to_owned())?;
            Ok(())
        },
    },
    Setting {
        name: "collect.redaction",
        env: "ASSAY_COLLECT_REDACTION",
        built_in: "standard",
        about: "what bundles replace: standard, or strict, which masks serial numbers too (a return then needs them another way)",
        take: |config, text| text.parse().map(|level| config.collect_redaction = level),
    },
    Setting {
        name: "backup.recipients",
        env: "ASSAY_BACKUP_RECIPIENTS",
        built_in: "",
        about: "who can open recovery copies besides the owner's recovery key, a list of age recipients (age1…), at most 16",
        take: |config, text| {
            if text.to_ascii_uppercase().contains(super::SECRET_KEY) {
                return Err("this is a secret key; name its public half (age1…), and make another key if others could \
                            read this one"
                    .to_owned());
            }
            let mut all: Vec<String> = Vec::new();
            for one in text.split(':').map(str::trim).filter(|one| !one.is_empty()) {
                if !is_recipient(one) {
                    return Err(format!("{one:?} is no age recipient (age1…)"));
                }
                if !all.iter().any(|known| known == one) {
                    all.push(one.to_owned());
                }
            }
            if all.len() > MOST_RECIPIENTS {
                return Err(format!("these are more than {MOST_RECIPIENTS}"));
            }
            config.backup_recipients = all;
            Ok(())
        },
    },
    Setting {
        name: "spool.dir",
        env: "ASSAY_SPOOL_DIR",
        built_in: "",
        about: "folder of the bundles that wait for upload; not set: on the data volume",
        take: |config, text| path(text).map(|value| config.spool_dir = value),
    },
    Setting {
        name: "spool.max_bytes",
        env: "ASSAY_SPOOL_MAX_BYTES",
        built_in: "1073741824",
        about: "most bytes in the spool, from 1000000",
        take: |config, text| number(text, 1_000_000, u64::MAX).map(|value| config.spool_max_bytes = value),
    },
    Setting {
        name: "spool.max_bundles",
        env: "ASSAY_SPOOL_MAX_BUNDLES",
        built_in: "64",
        about: "most bundles in the spool, 1 to 10000",
        take: |config, text| number(text, 1, 10_000).map(|value| config.spool_max_bundles = value),
    },
    Setting {
        name: "backup.keep",
        env: "ASSAY_BACKUP_KEEP",
        built_in: "7",
        about: "recovery copies that are kept, 1 to 1000; the newest good one always is",
        take: |config, text| number(text, 1, 1000).map(|value| config.backup_keep = value),
    },
    Setting {
        name: "backup.stall_s",
        env: "ASSAY_BACKUP_STALL_S",
        built_in: "60",
        about: "seconds without any progress after which a recovery copy is given up, 1 to 3600",
        take: |config, text| number(text, 1, 3600).map(|value| config.backup_stall_s = value),
    },
    Setting {
        name: "warranty.invoice_date",
        env: "ASSAY_WARRANTY_INVOICE_DATE",
        built_in: "",
        about: "day on the purchase invoice, YYYY-MM-DD: the warranty counts from it",
        take: |config, text| {
            config.warranty_invoice_date = match text {
                "" => None,
                day => Some(day.parse().map_err(|_| "a day is written YYYY-MM-DD".to_owned())?),
            };
            Ok(())
        },
    },
    Setting {
        name: "run.check",
        env: "ASSAY_RUN_CHECK",
        built_in: "30 4 * * *",
        about: "when the daemon checks: minute hour day month weekday, by this machine's zone; empty: never",
        take: |config, text| cron(text).map(|value| config.run_check = value),
    },
    Setting {
        name: "run.recorder_minutes",
        env: "ASSAY_RUN_RECORDER_MINUTES",
        built_in: "60",
        about: "minutes between two samples of the daemon's flight recorder, 10 to 1440; 0: none",
        take: |config, text| {
            let number = number(text, 0, 1440).ok().filter(|minutes| *minutes == 0 || *minutes >= 10);
            config.run_recorder_minutes = number.ok_or("it is 0 or a whole number from 10 to 1440")?;
            Ok(())
        },
    },
    Setting {
        name: "run.quiet_hours",
        env: "ASSAY_RUN_QUIET_HOURS",
        built_in: "",
        about: "hours in which the daemon sends nothing, such as 08:00-18:00; empty: none",
        take: |config, text| {
            config.run_quiet_hours = if text.is_empty() { None } else { Some(text.parse()?) };
            Ok(())
        },
    },
    Setting {
        name: "run.bundles_per_day",
        env: "ASSAY_RUN_BUNDLES_PER_DAY",
        built_in: "3",
        about: "most bundles that the daemon seals for new findings in 24 hours, 0 to 24; they are kept here, not sent",
        take: |config, text| number(text, 0, 24).map(|value| config.run_bundles_per_day = value),
    },
    Setting {
        name: "report.schedule",
        env: "ASSAY_REPORT_SCHEDULE",
        built_in: "",
        about: "when the health report is sent (versions, counts, ages; no text), such as \"15 5 * * *\"; empty: never",
        take: |config, text| cron(text).map(|value| config.report_schedule = value),
    },
    Setting {
        name: "upload.bytes_per_s",
        env: "ASSAY_UPLOAD_BYTES_PER_S",
        built_in: "0",
        about: "most bytes in a second that the daemon uploads with, from 16384; 0: as fast as the line is",
        take: |config, text| {
            let slowest = assay_uploader::SLOWEST_BYTES_PER_S;
            let rate = number(text, 0, u64::MAX).ok().filter(|rate| *rate == 0 || *rate >= slowest);
            config.upload_bytes_per_s =
                rate.ok_or_else(|| format!("it is 0 or a whole number from {slowest}"))?;
            Ok(())
        },
    },
    Setting {
        name: "log.format",
        env: "ASSAY_LOG_FORMAT",
        built_in: "text",
        about: "form of the log on standard error: text or json",
        take: |config, text| {
            config.log_format = match text {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err("it is text or json".to_owned()),
            };
            Ok(())
        },
    },
];

fn number(text: &str, lowest: u64, highest: u64) -> Result<u64, String> {
    let range = || match highest {
        u64::MAX => format!("it is a whole number from {lowest}"),
        _ => format!("it is a whole number from {lowest} to {highest}"),
    };
    text.parse().ok().filter(|value| (lowest..=highest).contains(value)).ok_or_else(range)
}

fn cron(text: &str) -> Result<Option<Cron>, String> {
    if text.trim().is_empty() { Ok(None) } else { text.parse().map(Some) }
}

fn path(text: &str) -> Result<Option<PathBuf>, String> {
    match text {
        "" => Ok(None),
        text if text.starts_with('/') => Ok(Some(PathBuf::from(text))),
        _ => Err("it is an absolute path".to_owned()),
    }
}

/// The known name that shares the most of its letters in order, when that is most of them.
pub(super) fn nearest(key: &str) -> Option<&'static str> {
    let sections = SETTINGS.iter().filter_map(|s| s.name.split_once('.').map(|(section, _)| section));
    let names = SETTINGS.iter().map(|s| s.name).chain(sections);
    let score = |name: &str| common_subsequence(key, name) * 2 * 100 / (key.len() + name.len()).max(1);
    names
        .map(|name| (score(name), name))
        .max_by_key(|(score, _)| *score)
        .filter(|(score, _)| *score >= 75)
        .map(|(_, n)| n)
}

/// Length of the longest common subsequence.
fn common_subsequence(a: &str, b: &str) -> usize {
    let mut row = vec![0_usize; b.len() + 1];
    for x in a.bytes() {
        let mut diagonal = 0;
        for (index, y) in b.bytes().enumerate() {
            let left = row.get(index).copied().unwrap_or_default();
            if let Some(cell) = row.get_mut(index + 1) {
                let above = *cell;
                *cell = if x == y { diagonal + 1 } else { above.max(left) };
                diagonal = above;
            }
        }
    }
    row.last().copied().unwrap_or_default()
}
