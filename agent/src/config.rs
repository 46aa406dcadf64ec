//! Configuration in layers: built in, file, environment, flags. Each setting is one row of [`SETTINGS`].
//!
//! Every layer says a setting in the same text form and every text goes through the same parser, so that an origin
//! can be named for each value. An unknown key or a value that does not parse is refused with its file and line:
//! a typing error must not silently mean the built-in value.

use std::fmt;
use std::path::{Path, PathBuf};

use assay_bundle::redact::Level;
use jiff::civil::Date;
use toml::de::{DeTable, DeValue};

pub(crate) mod edit;
use crate::daemon::{Cron, QuietHours};
mod settings;

pub(crate) use settings::SETTINGS;
use settings::nearest;

/// How the program's own log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Lines for a person.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What the settings mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// Certificates to trust besides the system's and the built-in ones, PEM.
    pub(crate) portal_ca_file: Option<PathBuf>,
    /// Proxy for the portal; the usual environment variables apply when it is not set.
    pub(crate) portal_proxy: Option<String>,
    /// Seconds after which a collection ends, complete or not.
    pub(crate) collect_deadline_s: u64,
    /// Seconds after which one drive is given up.
    pub(crate) collect_per_drive_deadline_s: u64,
    /// Folders in which tools are looked for, in order.
    pub(crate) collect_tool_dirs: Vec<PathBuf>,
    /// Whether what changed is remembered for the next runs.
    pub(crate) collect_recorder: bool,
    /// How much is replaced in what may leave.
    pub(crate) collect_redaction: Level,
    /// Who can open recovery copies besides the owner's recovery key (`age1…`).
    pub(crate) backup_recipients: Vec<String>,
    /// Spool's folder, where not the layout's.
    pub(crate) spool_dir: Option<PathBuf>,
    /// Most bytes in the spool.
    pub(crate) spool_max_bytes: u64,
    /// Most bundles in the spool.
    pub(crate) spool_max_bundles: u64,
    /// Recovery copies that are kept.
    pub(crate) backup_keep: u64,
    /// Seconds without progress after which a recovery copy is given up.
    pub(crate) backup_stall_s: u64,
    /// Day on the purchase invoice, from which the warranty counts.
    pub(crate) warranty_invoice_date: Option<Date>,
    /// When the daemon checks; never where there is none.
    pub(crate) run_check: Option<Cron>,
    /// Minutes between two samples of the flight recorder; 0 for none.
    pub(crate) run_recorder_minutes: u64,
    /// When nothing is sent.
    pub(crate) run_quiet_hours: Option<QuietHours>,
    /// Most bundles that the daemon seals for findings in a day.
    pub(crate) run_bundles_per_day: u64,
    /// When the health report is sent; none: never.
    pub(crate) report_schedule: Option<Cron>,
    /// Most bytes in a second that the daemon uploads with; 0 for as fast as the line is.
    pub(crate) upload_bytes_per_s: u64,
    /// Form of the log.
    pub(crate) log_format: LogFormat,
}

/// Who said a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The program.
    BuiltIn,
    /// The configuration file.
    File {
        /// Its path.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(&'static str),
    /// A flag of this call.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Why the configuration is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {0} cannot be read; mend it, or name another file with --config")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// Not TOML, or not in sections.
    #[error("{path}:{line}: this is not a configuration ({why}); mend the line and call again")]
    Syntax {
        /// File.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The parser's words.
        why: String,
    },
    /// A key that no setting has.
    #[error("{path}:{line}: unknown key {key:?}{hint}; remove it, or see `assay config show` for all keys")]
    UnknownKey {
        /// File.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The key with its section.
        key: String,
        /// The nearest known key, when there is one.
        hint: String,
    },
    /// A value that does not fit.
    #[error("{origin}: {name} cannot be {value:?}: {why}; change the value and call again")]
    Value {
        /// Who said it.
        origin: Origin,
        /// Setting.
        name: &'static str,
        /// What was said.
        value: String,
        /// Why it does not fit.
        why: String,
    },
}

/// One effective value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Effective {
    /// Text form; a password inside a proxy address is masked.
    pub(crate) text: String,
    /// Who said it.
    pub(crate) origin: Origin,
}

/// The configuration with the origin of each value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// What the settings mean.
    pub(crate) config: Config,
    /// One for each of [`SETTINGS`].
    pub(crate) effective: Vec<Effective>,
}

/// A value that a flag of this call gives: setting's name, text, flag.
pub(crate) type Override = (&'static str, String, &'static str);

/// Puts the layers on top of each other. `required` says that the file must exist, because a person named it.
pub(crate) fn load(
    file: &Path,
    required: bool,
    environment: &dyn Fn(&str) -> Option<String>,
    flags: &[Override],
) -> Result<Settings, ConfigError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => String::new(),
        Err(error) => return Err(ConfigError::Unreadable(file.to_owned(), error)),
    };
    let in_file = read_file(file, &text)?;
    let mut config = Config::default();
    let mut effective = Vec::new();
    for setting in SETTINGS {
        let mut value = (setting.built_in.to_owned(), Origin::BuiltIn);
        if let Some((_, text, line)) = in_file.iter().find(|(name, ..)| *name == setting.name) {
            value = (text.clone(), Origin::File { path: file.to_owned(), line: *line });
        }
        if let Some(text) = environment(setting.env) {
            value = (text, Origin::Environment(setting.env));
        }
        if let Some((_, text, flag)) = flags.iter().find(|(name, ..)| *name == setting.name) {
            value = (text.clone(), Origin::Flag(flag));
        }
        let (text, origin) = value;
        setting.apply(&mut config, &text).map_err(|why| ConfigError::Value {
            origin: origin.clone(),
            name: setting.name,
            value: masked(&text),
            why,
        })?;
        effective.push(Effective { text: masked(&text), origin });
    }
    Ok(Settings { config, effective })
}

/// How a plain age key begins: somebody may take it for its public half.
const SECRET_KEY: &str = "AGE-SECRET-KEY-";

/// A proxy address without its user and password; nothing of a text with a secret key in it.
fn masked(text: &str) -> String {
    if text.to_ascii_uppercase().contains(SECRET_KEY) {
        return format!("{SECRET_KEY}***");
    }
    match text.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://***@{host}"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    }
}

/// The file's settings: name, text form, line.
fn read_file(path: &Path, text: &str) -> Result<Vec<(&'static str, String, usize)>, ConfigError> {
    let line_at = |offset: usize| 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    let document = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: line_at(error.span().map_or(0, |span| span.start)),
        why: error.message().to_owned(),
    })?;
    let unknown = |key: String, offset: usize| ConfigError::UnknownKey {
        path: path.to_owned(),
        line: line_at(offset),
        hint: nearest(&key).map(|name| format!(" (did you mean {name:?}?)")).unwrap_or_default(),
        key,
    };
    let mut found = Vec::new();
    for (section, value) in document.get_ref() {
        let prefix = format!("{}.", section.get_ref());
        if !SETTINGS.iter().any(|setting| setting.name.starts_with(&prefix)) {
            return Err(unknown(section.get_ref().to_string(), section.span().start));
        }
        let DeValue::Table(table) = value.get_ref() else {
            return Err(ConfigError::Syntax {
                path: path.to_owned(),
                line: line_at(section.span().start),
                why: format!("{0} is a section: write [{0}] and its keys below it", section.get_ref()),
            });
        };
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let line = line_at(key.span().start);
            let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
                return Err(unknown(name, key.span().start));
            };
            let text = text_form(value.get_ref()).ok_or_else(|| ConfigError::Value {
                origin: Origin::File { path: path.to_owned(), line },
                name: setting.name,
                value: "a nested value".to_owned(),
                why: "it is one text, number or list of texts".to_owned(),
            })?;
            found.push((setting.name, text, line));
        }
    }
    Ok(found)
}

/// A TOML value in the text form of environment and flags; a list is joined with colons.
fn text_form(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Array(items) => items
            .iter()
            .map(|item| text_form(item.get_ref()))
            .collect::<Option<Vec<_>>>()
            .map(|i| i.join(":")),
        DeValue::Float(_) | DeValue::Table(_) => None,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    /// The effective text and origin of a setting under a file, an environment and flags; or the refusal.
    fn check(file: &str, environment: &[(&str, &str)], flags: &[Override], name: &str, expected: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("assay.toml");
        std::fs::write(&path, file).expect("a file");
        let environment =
            |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let got = match load(&path, true, &environment, flags) {
            Ok(settings) => SETTINGS
                .iter()
                .zip(&settings.effective)
                .find(|(setting, _)| setting.name == name)
                .map(|(_, e)| format!("{} ({})", e.text, e.origin))
                .expect("a known setting"),
            Err(error) => error.to_string(),
        };
        assert_eq!(got.replace(&folder.path().display().to_string(), ""), expected);
    }

    #[test]
    fn later_layers_win() {
        let name = "collect.deadline_s";
        let file = "# mine\n[collect]\ndeadline_s = 60\n";
        let environment = [("ASSAY_COLLECT_DEADLINE_S", "70")];
        let flag = [(name, "80".to_owned(), "--deadline-s")];
        check("", &[], &[], name, "150 (built in)");
        check(file, &[], &[], name, "60 (/assay.toml:3)");
        check(file, &environment, &[], name, "70 (environment ASSAY_COLLECT_DEADLINE_S)");
        check(file, &environment, &flag, name, "80 (flag --deadline-s)");
        let dirs = "collect.tool_dirs";
        check("[collect]\ntool_dirs = ['/a', '/b']", &[], &[], dirs, "/a:/b (/assay.toml:2)");
        check(
            "warranty.invoice_date = 2024-05-01",
            &[],
            &[],
            "warranty.invoice_date",
            "2024-05-01 (/assay.toml:1)",
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let file = "[portal]\nproxy = 'http://me:secret@proxy:3128'";
        check(file, &[], &[], "portal.proxy", "http://***@proxy:3128 (/assay.toml:2)");
        check(
            "[backup]\nrecipients = ['age-secret-key-1qqqqqqqqqq']",
            &[],
            &[],
            "backup.recipients",
            "/assay.toml:2: backup.recipients cannot be \"AGE-SECRET-KEY-***\": this is a secret key; name its public \
             half (age1…), and make another key if others could read this one; change the value and call again",
        );
    }

    #[test]
    fn recipients_are_checked_when_they_are_named() {
        const ONE: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
        let name = "backup.recipients";
        let file = format!("[backup]\nrecipients = ['{ONE}', '{ONE}']");
        check(&file, &[], &[], name, &format!("{ONE}:{ONE} (/assay.toml:2)"));
        check("", &[], &[], name, " (built in)");
        let environment = [("ASSAY_BACKUP_RECIPIENTS", "age1nothing")];
        check(
            "",
            &environment,
            &[],
            name,
            "environment ASSAY_BACKUP_RECIPIENTS: backup.recipients cannot be \"age1nothing\": \"age1nothing\" is no age \
             recipient (age1…); change the value and call again",
        );
    }

    #[test]
    fn refusals_name_the_place_and_the_next_step() {
        let all = "remove it, or see `assay config show` for all keys";
        check(
            "\n[collect]\ndeadlin_s = 1\n",
            &[],
            &[],
            "",
            &format!(
                "/assay.toml:3: unknown key \"collect.deadlin_s\" (did you mean \"collect.deadline_s\"?); {all}"
            ),
        );
        check("[zzz]\n", &[], &[], "", &format!("/assay.toml:1: unknown key \"zzz\"; {all}"));
        check(
            "spool = 1\n",
            &[],
            &[],
            "",
            "/assay.toml:1: this is not a configuration (spool is a section: write [spool] and its keys below it); \
             mend the line and call again",
        );
        check(
            "[collect]\ndeadline_s = 'soon'\n",
            &[],
            &[],
            "",
            "/assay.toml:2: collect.deadline_s cannot be \"soon\": it is a whole number from 5 to 3600; change the \
             value and call again",
        );
        check(
            "",
            &[("ASSAY_LOG_FORMAT", "xml")],
            &[],
            "",
            "environment ASSAY_LOG_FORMAT: log.format cannot be \"xml\": it is text or json; change the value and \
             call again",
        );
        check(
            "[collect\n",
            &[],
            &[],
            "",
            "/assay.toml:1: this is not a configuration (unclosed table, expected `]`); mend the line and call again",
        );
    }

    #[test]
    fn every_setting_has_a_sound_built_in_value_and_an_own_name() {
        let settings =
            load(Path::new("/nonexistent/assay.toml"), false, &|_| None, &[]).expect("built-in values");
        let (config, spool) = (&settings.config, assay_uploader::SpoolLimits::default());
        assert_eq!((config.spool_max_bytes, config.spool_max_bundles), (spool.bytes, spool.bundles as u64));
        let collector = assay_collector::Options::default();
        assert_eq!(config.collect_deadline_s, collector.deadline.as_secs());
        assert_eq!(config.collect_per_drive_deadline_s, collector.per_drive_deadline.as_secs());
        for setting in SETTINGS {
            assert_eq!(setting.env, format!("ASSAY_{}", setting.name.replace('.', "_").to_uppercase()));
        }
    }
}
