//! Which jobs there are: made from the configuration and the identity, and handed to the daemon as one document in RAM.
//!
//! A child makes it ([`write()`]), so that the daemon itself reads no configuration file and no key: what a parser of
//! configurations takes, an idle daemon does not hold. A configuration that is broken makes no document.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use assay_bundle::digest::sha256_hex;
use assay_bundle::poll::USUAL_INTERVAL_S;
use serde::{Deserialize, Deserializer, Serialize};

use super::board;
use super::plan::{Job, Pace};
use super::quiet::QuietHours;
use crate::config::Config;
use crate::context::Context;
use crate::output;
use crate::support::store::Store;

/// Copy of the configuration that is in force, for the jobs: a file that was broken since does not reach them.
pub(super) const CONFIG: &str = "in-force.toml";
/// The document.
const SCHEDULE: &str = "schedule.json";

/// The job that asks the portal for requests.
pub(super) const POLL: &str = "poll";
/// The job that watches self-tests.
pub(super) const SELF_TEST: &str = "selftest";
/// Every job that a plan may hold.
const NAMES: [&str; 7] = ["check", "recorder", "report", SELF_TEST, "drain", POLL, "keep"];

/// Beyond the collection's own deadline: redaction and sealing.
const AFTER_COLLECTING_S: u64 = 300;
/// Most seconds for a report.
const REPORT_S: u64 = 180;
/// Most seconds for one round of uploads: what is left goes on in the next.
const DRAIN_S: u64 = 3 * 3600;
/// At most so often.
const DRAIN_EVERY_S: u64 = 900;
/// Most seconds for what is brought to the data volume.
const KEEP_S: u64 = 30;
/// At most so often.
const KEEP_EVERY_S: u64 = 3600;
/// What a poll may take beyond a collection: a standing consent answers a request, with its copy and its upload.
const ANSWER_S: u64 = 3600;
/// Widest spread of the checks and samples of a fleet; they cost the device alone.
const LOCAL_SPREAD_S: u64 = 600;
/// Widest spread of the reports of a fleet, which meet at the portal.
const REPORT_SPREAD_S: u64 = 3600;

/// What the daemon goes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Schedule {
    /// The jobs, in the order in which they go when several are due.
    pub(super) jobs: Vec<Job>,
    /// Hours in which nothing is sent.
    pub(super) quiet_hours: Option<QuietHours>,
    /// Whether the device was enrolled when this was made.
    pub(super) enrolled: bool,
    /// The file that says so.
    pub(super) enrolment: PathBuf,
    /// Where the answers to support requests keep what dies with the boot.
    pub(super) support_ram: PathBuf,
}

impl Schedule {
    /// The document as it was made last.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        board::read(&folder.join(SCHEDULE)).context("what the configuration came to cannot be read back")
    }
}

/// Reads configuration and identity, and writes down what follows for the daemon and its jobs.
pub(super) fn write(context: &Context, folder: &Path) -> anyhow::Result<()> {
    let settings = context.settings()?;
    let enrolment = context.identity().enrolment_file();
    let enrolled = enrolment.is_file();
    let schedule = Schedule {
        jobs: jobs_of(&settings.config, &key_id(context), enrolled),
        quiet_hours: settings.config.run_quiet_hours,
        enrolled,
        enrolment,
        support_ram: Store::of(context).ram().to_owned(),
    };
    copy_config(context, &folder.join(CONFIG))?;
    output::replace_private(&folder.join(SCHEDULE), &serde_json::to_vec(&schedule)?)
}

/// Keeps the configuration file as it is now; one that is not there is empty.
fn copy_config(context: &Context, to: &Path) -> anyhow::Result<()> {
    let file = context.config_file();
    let bytes = match fs::read(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        other => other.with_context(|| format!("cannot read {}", file.display()))?,
    };
    output::replace_private(to, &bytes)
}

/// What tells devices apart, before there is a key: nothing, and nothing is sent then.
fn key_id(context: &Context) -> String {
    let public = context.identity().public().ok().flatten();
    public.map(|key| key.fingerprint()).unwrap_or_default()
}

/// This device's own second within a spread: the same for ever, another for each device and job.
fn jitter_s(key_id: &str, job: &str, spread_s: u64) -> u64 {
    let digest = sha256_hex(format!("assay-jitter {key_id} {job}").as_bytes());
    let number = digest.get(..15).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default();
    number % spread_s.max(1)
}

/// The jobs of a configuration.
fn jobs_of(config: &Config, key_id: &str, enrolled: bool) -> Vec<Job> {
    let local = |name, pace, deadline_s, spread_s: u64| Job {
        name,
        pace,
        jitter_s: jitter_s(key_id, name, spread_s),
        deadline_s,
        is_loud: false,
    };
    let collecting = config.collect_deadline_s.saturating_add(AFTER_COLLECTING_S);
    let recorder =
        Some(config.run_recorder_minutes * 60).filter(|period| *period > 0 && config.collect_recorder);
    let recorder =
        recorder.map(|period| local("recorder", Pace::Every(period), collecting, period.min(LOCAL_SPREAD_S)));
    let check =
        config.run_check.clone().map(|cron| local("check", Pace::Cron(cron), collecting, LOCAL_SPREAD_S));
    let report = config
        .report_schedule
        .clone()
        .map(|cron| Job { is_loud: true, ..local("report", Pace::Cron(cron), REPORT_S, REPORT_SPREAD_S) });
    let drain = Job { is_loud: true, ..local("drain", Pace::WhenAwake(DRAIN_EVERY_S), DRAIN_S, 1) };
    // The portal's signed answer sets each next time; this is for when there is none.
    let usual = u64::from(USUAL_INTERVAL_S);
    let answering = collecting.saturating_add(ANSWER_S);
    let poll = enrolled.then(|| Job { is_loud: true, ..local(POLL, Pace::Every(usual), answering, usual) });
    let keep = local("keep", Pace::WhenAwake(KEEP_EVERY_S), KEEP_S, 1);
    // Not a job of the clock: it costs nothing while no self-test waits or runs.
    let selftest = local(SELF_TEST, Pace::OnCall, collecting.saturating_mul(2), 1);
    check
        .into_iter()
        .chain(recorder)
        .chain(report)
        .chain([selftest, drain])
        .chain(poll)
        .chain([keep])
        .collect()
}

/// A job as it is written down.
#[derive(Deserialize)]
struct Written {
    name: String,
    pace: Pace,
    jitter_s: u64,
    deadline_s: u64,
    is_loud: bool,
}

impl<'de> Deserialize<'de> for Job {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Written { name, pace, jitter_s, deadline_s, is_loud } = Written::deserialize(from)?;
        let name = NAMES.iter().find(|known| **known == name).copied();
        let name = name.ok_or_else(|| serde::de::Error::custom("there is no such job"))?;
        Ok(Self { name, pace, jitter_s, deadline_s, is_loud })
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_is_spread_and_a_device_is_steady() {
        let at = |device: u32| jitter_s(&format!("SHA256:{device}"), "report", REPORT_SPREAD_S);
        let seconds: Vec<u64> = (0..1000).map(at).collect();
        assert_eq!(seconds, (0..1000).map(at).collect::<Vec<_>>());
        assert!(seconds.iter().all(|second| *second < REPORT_SPREAD_S));
        for quarter in 0..4 {
            let share = seconds.iter().filter(|s| **s / (REPORT_SPREAD_S / 4) == quarter).count();
            assert!((200..300).contains(&share), "{share}");
        }
        assert_ne!(at(1), jitter_s("SHA256:1", "check", REPORT_SPREAD_S));
    }

    fn config(text: &str) -> Config {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("assay.toml");
        fs::write(&file, text).expect("a file");
        crate::config::load(&file, true, &|_| None, &[]).expect("a configuration").config
    }

    #[test]
    fn what_there_is_to_do() {
        fn check(text: &str, enrolled: bool, expected: &[&str]) {
            let jobs = jobs_of(&config(text), "", enrolled);
            let names: Vec<&str> = jobs.iter().map(|job| job.name).collect();
            assert_eq!(names, expected, "{text}");
            // What the daemon reads back is what was made.
            let text = serde_json::to_vec(&jobs).expect("plain data");
            assert_eq!(serde_json::from_slice::<Vec<Job>>(&text).expect("a schedule"), jobs);
        }
        // Nothing is sent by built-in settings, and nobody is asked before the owner enrols.
        check("", false, &["check", "recorder", "selftest", "drain", "keep"]);
        check("", true, &["check", "recorder", "selftest", "drain", "poll", "keep"]);
        check("[report]\nschedule = '15 5 * * 1-5'\n", true, &NAMES);
        check("[run]\ncheck = ''\nrecorder_minutes = 0\n", false, &["selftest", "drain", "keep"]);
    }

    #[test]
    fn a_document_of_another_version_is_refused() {
        let job = r#"{"name":"sing","pace":{"every":60},"jitter_s":0,"deadline_s":1,"is_loud":false}"#;
        assert!(serde_json::from_str::<Job>(&job.replace("sing", "check")).is_ok());
        assert!(serde_json::from_str::<Job>(job).is_err());
    }
}
