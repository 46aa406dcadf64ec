//! Which machine a command looks at: this one, or a recording (a device folder, or a bundle).

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay_bundle::facts::Facts;
use assay_bundle::manifest::RunSource;
use assay_collector::command::Command;
use assay_collector::live::{LiveOptions, LiveSource};
use assay_collector::recorded::RecordedSource;
use assay_collector::source::{Answer, Failure, Request, Source};
use assay_collector::{Options, Progress, ProgressState};

use crate::bundle_file::Opened;
use crate::commands::READER;
use crate::config::Config;
use crate::paths::Paths;
use crate::terminal::Line;
use crate::trouble::{NextStep, refuse};

/// Top folders of which a recording has at least one.
const RECORDED_TOPS: [&str; 8] = ["sys", "proc", "etc", "cmd", "sample", "dev", "mnt", "state"];

/// How long it may take to say who this machine is.
const WHO_DEADLINE: Duration = Duration::from_secs(20);
/// What that question does not look at.
const HIDDEN: [&str; 12] = [
    "/dev/qzfs",
    "/etc/enclosure_",
    "/sys/block",
    "/sys/class/block",
    "/sys/class/hwmon",
    "/sys/class/nvme",
    "/sys/devices/system/edac",
    "/proc/mdstat",
    "/tmp/smart",
    "/proc/mounts",
    "/mnt/HDA_ROOT/.logs",
    "/sys/fs/pstore",
];

/// This machine, or the recording at `recorded`.
pub(crate) fn choose(
    recorded: Option<&Path>,
    identity: Option<&Path>,
    config: &Config,
    paths: &Paths,
) -> anyhow::Result<Box<dyn Source>> {
    match recorded {
        None => Ok(Box::new(live(config, paths)?)),
        Some(path) if path.is_dir() => Ok(Box::new(folder(path)?)),
        Some(path) => {
            let (_, entries) = Opened::read(path)?.entries(identity, &|name| name.starts_with("raw/"))?;
            Ok(Box::new(RecordedSource::from_files(entries.into_raw())))
        }
    }
}

/// A device folder (with `source/` in it), or such a `source/` itself.
fn folder(path: &Path) -> anyhow::Result<RecordedSource> {
    let source = path.join("source");
    let folder = if source.is_dir() { source } else { path.to_owned() };
    if !RECORDED_TOPS.iter().any(|top| folder.join(top).is_dir()) {
        return Err(refuse(
            format!(
                "{} is no recording: it has none of the folders {}",
                folder.display(),
                RECORDED_TOPS.join(", ")
            ),
            "name a device folder, or a bundle file (.assay)",
        ));
    }
    RecordedSource::from_dir(&folder).or_advise(
        format!("cannot read the recording {}", folder.display()),
        "name a folder that can be read",
    )
}

/// This machine.
pub(crate) fn live(config: &Config, paths: &Paths) -> anyhow::Result<LiveSource> {
    let own_program = std::env::current_exe()
        .or_advise("the program cannot find its own file", "see that /proc is mounted and call again")?;
    let mut options = LiveOptions::new(&paths.runtime_dir, vec![own_program.into(), READER.into()]);
    options.state_dir.clone_from(&paths.memory_dir);
    options.tool_dirs.clone_from(&config.collect_tool_dirs);
    if let Err(error) = assay_collector::live::be_gentle() {
        tracing::info!(%error, "the run goes on at ordinary priority or without a limit of its memory");
    }
    Ok(LiveSource::new(options))
}

/// Who this machine is: serial, boards, network adapters, clock. Drives are not asked, so none wakes.
pub(crate) async fn who(config: &Config, paths: &Paths) -> anyhow::Result<Facts> {
    let source = WithoutDrives(live(config, paths)?);
    let options = Options { deadline: WHO_DEADLINE, ..Options::default() };
    Ok(assay_collector::collect(&source, &options).await.facts)
}

/// A live source on which drives, arrays, sensors and logs are not there.
struct WithoutDrives(LiveSource);

impl Source for WithoutDrives {
    fn fetch<'a>(&'a self, request: &'a Request) -> Answer<'a> {
        let hidden = match request {
            Request::Run(Command::Qts(command)) => command.reads_cooling(),
            Request::Run(Command::Sensors(_) | Command::Storage(_)) => true,
            Request::Run(_) | Request::Device { .. } => request.device().is_some(),
            Request::KernelLog | Request::EventLog | Request::Dimms | Request::HostSample => true,
            Request::Recorder | Request::Inventory => true,
            Request::SnmpPower | Request::Nut | Request::ManagementCgi(_) | Request::Space { .. } => true,
            Request::Read { path, .. }
            | Request::ReadEnd { path, .. }
            | Request::List { path }
            | Request::Link { path } => HIDDEN.iter().any(|hidden| path.starts_with(hidden)),
            Request::ClockSample | Request::StuckReaders => false,
        };
        if hidden { Box::pin(std::future::ready(Err(Failure::NotFound))) } else { self.0.fetch(request) }
    }

    fn run_source(&self) -> RunSource {
        self.0.run_source()
    }
}

/// The collector's options, with progress on `line`.
pub(crate) fn options(config: &Config, line: &Arc<Line>) -> Options {
    let mut options = Options {
        deadline: Duration::from_secs(config.collect_deadline_s),
        per_drive_deadline: Duration::from_secs(config.collect_per_drive_deadline_s),
        ..Options::default()
    };
    if line.is_live() {
        let line = Arc::clone(line);
        let waiting = Mutex::new(Vec::new());
        options.progress = Some(Arc::new(move |progress: Progress| {
            if let Ok(mut waiting) = waiting.lock() {
                line.show(&still_reading(&mut waiting, progress));
            }
        }));
    }
    options
}

/// What the run waits for, drives by name: `reading drives (sda, sdb), md`.
fn still_reading(waiting: &mut Vec<(&'static str, Option<String>)>, progress: Progress) -> String {
    let Progress { probe, state, detail } = progress;
    match state {
        ProgressState::Started => waiting.push((probe, detail)),
        ProgressState::Finished => waiting.retain(|other| *other != (probe, detail.clone())),
    }
    let probes = waiting.iter().filter(|(_, detail)| detail.is_none()).map(|(probe, _)| *probe);
    let words: Vec<String> = probes
        .map(|probe| {
            let details =
                waiting.iter().filter(|(other, _)| *other == probe).filter_map(|(_, d)| d.as_deref());
            let details = details.collect::<Vec<_>>().join(", ");
            if details.is_empty() { probe.to_owned() } else { format!("{probe} ({details})") }
        })
        .collect();
    if words.is_empty() { "judging".to_owned() } else { format!("reading {}", words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drive_that_is_waited_for_is_named() {
        use ProgressState::{Finished, Started};
        let mut waiting = Vec::new();
        let mut check = |probe, state, detail: Option<&str>, expected: &str| {
            let progress = Progress { probe, state, detail: detail.map(str::to_owned) };
            assert_eq!(still_reading(&mut waiting, progress), expected);
        };
        check("md", Started, None, "reading md");
        check("drives", Started, None, "reading md, drives");
        check("drives", Started, Some("sda"), "reading md, drives (sda)");
        check("drives", Started, Some("sdb"), "reading md, drives (sda, sdb)");
        check("md", Finished, None, "reading drives (sda, sdb)");
        check("drives", Finished, Some("sda"), "reading drives (sdb)");
        check("drives", Finished, Some("sdb"), "reading drives");
        check("drives", Finished, None, "judging");
    }
}
