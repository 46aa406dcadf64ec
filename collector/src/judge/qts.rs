//! What QTS's own programs and files say, in a transcript or found by content.
//!
//! Each output is kept under the place that it would have in a recording of the machine, and in the end the probes read
//! that recording, as they read a bundle from the field. So there is one parser for everything, a map of bays and a
//! drive's report join, and places still name the paste. What was not pasted is not there: the probes are asked only for
//! what they have seen, because "not there" in a paste never means that the machine has none.

use std::collections::BTreeMap;
use std::future::Future;
use std::task::{Context, Poll, Waker};

use assay_bundle::Observed;
use assay_bundle::facts::Facts;
use assay_bundle::facts::management::SystemPage;
use assay_bundle::manifest::RunSource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Begins, Format, Sign, never};
use crate::command::qts::{ConfigFile, FanNumber, SystemKey, VpdField};
use crate::command::{Command, QtsCommand, StorageCommand, VolumeWord};
use crate::door::Door;
use crate::probes::hwmon::Sensors;
use crate::probes::{chassis, drives, identity, power, qts_cooling, temperature_limits, volumes};
use crate::recorded::RecordedSource;
use crate::source::{Answer, Request, Source};

/// The log of QTS's hardware daemon.
pub(super) const HAL_LOG: &str = "var/log/hal_daemon.log";
/// What only QTS and QuTS hero have: the probes ask nothing of other systems.
const PLATFORM: &str = "etc/platform.conf";
/// What only models with `hal_app` have.
const LAYER: &str = "etc/hal.conf";
const PLAN: &str = "etc/model.conf";
/// Files that a person prints with `cat` and that nothing in their text names.
const FILES: [&str; 4] = [PLATFORM, LAYER, PLAN, "etc/hal_util.conf"];
/// Most volumes of QTS.
const MOST_VOLUMES: u8 = 32;

pub(super) const FORMAT: Format = Format {
    name: "QTS command or file",
    // Found by its prompt alone.
    sign: Sign::First(b""),
    begins: |_| false,
    place: Begins::Anywhere,
    is_json: never,
    read: |gathered, output| {
        let place = answers(output.typed).ok_or("no known command")?;
        if output.text.trim().is_empty() {
            return Err("it printed nothing".to_owned());
        }
        gathered.qts.put(place, output.text, output.place);
        Ok(())
    },
};

/// Whether the output of a command is known by the command alone.
pub(super) fn is_known(typed: &str) -> bool {
    answers(typed).is_some()
}

/// Where the output of that command of QTS stands in a recording.
pub(super) fn place(command: QtsCommand) -> String {
    Request::Run(Command::Qts(command)).place()
}

fn answers(typed: &str) -> Option<String> {
    let words: Vec<&str> =
        typed.split_whitespace().map(|word| word.trim_matches(['"', '\''])).take(8).collect();
    match words.as_slice() {
        ["cat" | "more" | "less", path] => {
            let path = path.strip_prefix('/')?;
            FILES.contains(&path).then(|| path.to_owned())
        }
        ["get_hwsn" | "getcfg" | "hal_app" | "getsysinfo" | "qcli_storage", ..] => {
            let line = words.join(" ");
            commands().find(|command| command.line() == line).map(|command| Request::Run(command).place())
        }
        _ => None,
    }
}

/// The commands whose outputs are nothing without the command.
fn commands() -> impl Iterator<Item = Command> {
    use QtsCommand as Qts;
    let single = [
        Qts::Hwsn,
        Qts::QcliDisks,
        Qts::EcVersion,
        Qts::McuVersion,
        Qts::PageSize,
        Qts::Enclosures,
        Qts::CpuTemperature,
        Qts::SystemTemperature,
        Qts::FanCount,
    ];
    let keys = [SystemKey::Model, SystemKey::Version, SystemKey::Number, SystemKey::BuildNumber];
    let config = keys
        .into_iter()
        .flat_map(|key| [ConfigFile::Current, ConfigFile::Factory].map(|file| Qts::Config { file, key }));
    let product = [VpdField::Board, VpdField::Backplane, VpdField::Manufactured].map(Qts::Vpd);
    let fans = (1..=FanNumber::MOST)
        .filter_map(FanNumber::new)
        .flat_map(|fan| [Qts::FanSpeed(fan), Qts::FanState(fan), Qts::FanDrive(fan)]);
    let words = [
        VolumeWord::Description,
        VolumeWord::Status,
        VolumeWord::FileSystem,
        VolumeWord::Size,
        VolumeWord::Free,
    ];
    let volumes = (0..MOST_VOLUMES)
        .flat_map(move |number| words.map(|word| StorageCommand::Volume { word, number }))
        .chain([StorageCommand::VolumeCount]);
    let qts = single.into_iter().chain(config).chain(product).chain(fans).map(Command::Qts);
    qts.chain(volumes.map(Command::Storage))
}

/// Outputs by their place in a recording, and where they stand in the paste.
#[derive(Default)]
pub(super) struct Recording {
    files: BTreeMap<String, Vec<u8>>,
    places: BTreeMap<String, String>,
}

impl Recording {
    /// Keeps an output; of two of one command the later counts.
    pub(super) fn put(&mut self, path: String, text: &str, place: &str) {
        self.files.insert(path.clone(), text.as_bytes().to_vec());
        self.places.insert(path, place.to_owned());
    }

    /// Keeps a piece of a log below the pieces before it.
    pub(super) fn append(&mut self, path: &str, text: &str, place: &str) {
        self.files.entry(path.to_owned()).or_default().extend_from_slice(text.as_bytes());
        self.places.entry(path.to_owned()).or_insert_with(|| place.to_owned());
    }

    fn has(&self, start: &str) -> bool {
        self.files.range(start.to_owned()..).next().is_some_and(|(path, _)| path.starts_with(start))
    }

    /// The highest number of a fan that answered.
    fn fans(&self) -> u8 {
        let answered = |fan: &FanNumber| {
            [QtsCommand::FanSpeed(*fan), QtsCommand::FanState(*fan), QtsCommand::FanDrive(*fan)]
                .into_iter()
                .any(|command| self.files.contains_key(&place(command)))
        };
        let numbers = (1..=FanNumber::MOST).rev().filter_map(FanNumber::new);
        numbers.into_iter().find(answered).map_or(0, FanNumber::number)
    }

    /// Reads everything and adds it.
    pub(super) fn finish(mut self, facts: &mut Facts) {
        if let Some(first) = self.places.values().next().cloned() {
            // These programs and files answered, so it is QTS, and `hal_app` only answers where there is a layer.
            for (path, text) in [(PLATFORM, "[MISC]\n"), (LAYER, "[MISC]\n")] {
                if (path == PLATFORM || self.has("cmd/hal_app")) && !self.files.contains_key(path) {
                    self.put(path.to_owned(), text, &first);
                }
            }
            ready(self.read(&first, facts));
        }
        page(facts);
    }

    async fn read(self, first: &str, facts: &mut Facts) {
        let fans = self.fans();
        let source = Paste { recorded: RecordedSource::from_files(self.files), places: self.places };
        let door = &Door::new(&source);
        let named =
            |list: &str| list.starts_with("cmd/") || list.starts_with("etc/") || list.starts_with("var/");

        facts.identity = only_seen(identity::collect(door).await.0);
        facts.chassis = only_seen(chassis::collect(door).await.0);
        let cooling = qts_cooling::counting(door, fans).await.0.beside(Sensors::default());
        facts.fans = renamed(cooling.fans, named, first);
        facts.temperatures = renamed(cooling.temperatures, named, first);
        facts.volumes = seen(volumes::collect(door).await);
        facts.temperature_limits = seen(temperature_limits::collect(door, &facts.management).await);
        let power = power::collect(door, &facts.management).await.0;
        facts.power.redundant = seen(power.redundant);
        facts.power.expected_units = seen(power.expected_units);
        facts.power.units = seen(power.units);
        let known = match std::mem::take(&mut facts.drives) {
            Observed::Seen { value, .. } => value,
            _ => Vec::new(),
        };
        let drives = drives::pasted(door, known).await;
        facts.drives = drives.drives;
        facts.departed_drives = seen(drives.departed);
    }
}

/// What the page of the system says where nothing else was pasted.
fn page(facts: &mut Facts) {
    let Observed::Seen { value: page, .. } = &facts.management.system else { return };
    let page: &SystemPage = page;
    let take = |reading: &mut Observed<String>, other: &Observed<String>| {
        if !reading.is_seen() && other.is_seen() {
            *reading = other.clone();
        }
    };
    take(&mut facts.identity.model, &page.model);
    take(&mut facts.identity.internal_model, &page.internal_model);
    take(&mut facts.identity.serial, &page.serial);
    take(&mut facts.identity.bios_version, &page.bios_version);
    if !facts.fans.is_seen() {
        facts.fans = seen(page.fans.clone());
    }
    if !facts.temperatures.is_seen() {
        facts.temperatures = seen(page.temperatures.clone());
    }
    if !facts.temperature_limits.is_seen() {
        facts.temperature_limits = seen(page.limits.clone());
    }
    if !facts.power.units.is_seen() {
        facts.power.units = seen(page.power_units.clone());
    }
}

/// What was read; a paste that lacks it says nothing.
fn seen<T>(reading: Observed<T>) -> Observed<T> {
    if reading.is_seen() { reading } else { Observed::NotCollected }
}

/// A list whose place is the one of a recording gets a place of the paste.
fn renamed<T>(list: Observed<T>, is_recorded: impl Fn(&str) -> bool, place: &str) -> Observed<T> {
    match list {
        Observed::Seen { value, from } => {
            let from = if is_recorded(&from) { place.to_owned() } else { from };
            Observed::Seen { value, from }
        }
        _ => Observed::NotCollected,
    }
}

/// The same with every reading that was not there as one that nobody collected.
fn only_seen<T: Serialize + DeserializeOwned + Default>(facts: T) -> T {
    let text = serde_json::to_vec(&facts).unwrap_or_default();
    let mut value = serde_json::from_slice(&text).unwrap_or_default();
    forget_absent(&mut value);
    assay_bundle::json::from_slice(value.to_string().as_bytes()).unwrap_or_default()
}

/// Only fields are readings: a value that was read is left as it is.
fn forget_absent(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key == "value" && value.is_string() {
                    continue;
                }
                if value == "absent" {
                    *value = "not_collected".into();
                } else {
                    forget_absent(value);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(forget_absent),
        _ => {}
    }
}

/// A recording whose places are those of the paste.
struct Paste {
    recorded: RecordedSource,
    places: BTreeMap<String, String>,
}

impl Source for Paste {
    fn fetch<'a>(&'a self, request: &'a Request) -> Answer<'a> {
        let answer = self.recorded.fetch(request);
        Box::pin(async move {
            let mut fetched = answer.await?;
            if let Some(place) = self.places.get(&fetched.place) {
                fetched.place.clone_from(place);
            }
            Ok(fetched)
        })
    }

    fn run_source(&self) -> RunSource {
        RunSource::Judged
    }
}

/// Runs what never waits: a recording answers at once.
fn ready(future: impl Future<Output = ()>) {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    // Several at once may take turns, each of which is one question to the recording.
    const MOST_TURNS: usize = 100_000;
    for _ in 0..MOST_TURNS {
        if let Poll::Ready(()) = future.as_mut().poll(&mut context) {
            return;
        }
    }
}
