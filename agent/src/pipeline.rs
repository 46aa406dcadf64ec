//! The one sentence that every run is: collect(source) -> redact(raw, facts, steps) -> diagnose(redacted facts) ->
//! recommend(diagnosis, entitlement) -> seal -> spool. The last two are in [`crate::seal`].
//!
//! What is diagnosed is what is sealed: nothing past the door ever looks at an unredacted value again.

use std::thread::JoinHandle;

use anyhow::Context as _;
use assay_bundle::cost::Cost;
use assay_bundle::manifest::{RunSource, SaltedDigest};
use assay_bundle::redact::{Clean, Door, DoorError, Level, PseudonymKey};
use assay_bundle::seal::Content;
use assay_bundle::steps::Step;
use assay_bundle::{Diagnosis, Entitlement, Facts, Recommendation};
use assay_collector::source::Source;
use assay_collector::{Collection, Options};
use jiff::civil::Date;

use crate::clock;
use crate::memory::Memory;
use crate::stand_ins::StandIns;

/// What one run saw, decided and may show.
pub(crate) struct Run {
    /// Where the facts came from.
    pub(crate) source: RunSource,
    /// Redacted facts.
    pub(crate) facts: Facts,
    /// What they mean.
    pub(crate) diagnosis: Diagnosis,
    /// What the service terms grant.
    pub(crate) entitlement: Entitlement,
    /// What to do.
    pub(crate) recommendation: Recommendation,
    /// What each probe did, redacted.
    pub(crate) steps: Vec<Step>,
    /// What the run cost.
    pub(crate) cost: Cost,
    /// How much was replaced.
    pub(crate) level: Level,
    /// The serial number by its salted digest, where the level masks it.
    pub(crate) serial_digest: Option<SaltedDigest>,
    /// What the stand-ins stand for; never leaves.
    pub(crate) stand_ins: StandIns,
}

/// Runs the sentence up to the recommendation. A live run leaves in `memory` what the next ones want to know; before
/// redaction, because identities have to be the same in every run.
pub(crate) async fn examine(
    source: &dyn Source,
    options: &Options,
    key: &PseudonymKey,
    invoice_date: Option<Date>,
    memory: Option<&Memory>,
) -> anyhow::Result<Run> {
    let door = Opening::begin(key, Level::default());
    let mut collection = collected(source, options, memory).await;
    collection.raw.clear();
    through(&mut door.wait()?, collection, source.run_source(), invoice_date, &mut drop)
}

/// The same, with what may be sealed: everything in it has passed the door.
pub(crate) async fn examine_to_seal(
    source: &dyn Source,
    options: &Options,
    key: &PseudonymKey,
    level: Level,
    invoice_date: Option<Date>,
    memory: Option<&Memory>,
) -> anyhow::Result<(Run, Content)> {
    let door = Opening::begin(key, level);
    let mut collection = collected(source, options, memory).await;
    let raw = std::mem::take(&mut collection.raw);
    let mut door = door.wait()?;
    let mut entries = Vec::new();
    let mut run =
        through(&mut door, collection, source.run_source(), invoice_date, &mut |entry| entries.push(entry))?;
    let diagnosis = entries.pop();
    // What may not leave is named in the receipt by the door itself.
    // One by one, so that the raw form of a file and its clean form are in memory together only once.
    entries.extend(raw.into_iter().filter_map(|(path, bytes)| door.raw(&path, &bytes)));
    entries.extend(diagnosis);
    run.stand_ins = door.stand_ins().clone();
    Ok((run, Content { entries, receipt: door.close()? }))
}

/// The rest of the sentence, from what was collected on. What is only shown needs no clean raw forms, whose cleaning
/// is most of the work.
pub(crate) fn conclude(
    mut collection: Collection,
    source: RunSource,
    key: &PseudonymKey,
    invoice_date: Option<Date>,
) -> anyhow::Result<Run> {
    collection.raw.clear();
    let mut door = Door::open(key, Level::default())?;
    through(&mut door, collection, source, invoice_date, &mut drop)
}

/// A door that opens while the machine is asked: compiling its rules and planting its canaries is a third of what a
/// run on a quiet machine computes, and nobody needs it before the last answer is there.
enum Opening {
    Beside(JoinHandle<Result<Door, DoorError>>),
    /// No thread was to be had.
    Later(PseudonymKey, Level),
}

impl Opening {
    fn begin(key: &PseudonymKey, level: Level) -> Self {
        let own = key.clone();
        let thread = std::thread::Builder::new().name("door".to_owned());
        match thread.spawn(move || Door::open(&own, level)) {
            Ok(handle) => Self::Beside(handle),
            Err(_) => Self::Later(key.clone(), level),
        }
    }

    fn wait(self) -> anyhow::Result<Door> {
        match self {
            Self::Beside(handle) => match handle.join() {
                Ok(opened) => Ok(opened?),
                Err(_) => {
                    anyhow::bail!("the redaction rules could not be made ready; nothing leaves this device")
                }
            },
            Self::Later(key, level) => Ok(Door::open(&key, level)?),
        }
    }
}

async fn collected(source: &dyn Source, options: &Options, memory: Option<&Memory>) -> Collection {
    let mut collection = assay_collector::collect(source, options).await;
    if let Some(memory) = memory.filter(|_| source.run_source() == RunSource::Live) {
        memory.keep(&mut collection).await;
    }
    collection
}

/// Takes our own documents through the door, and judges what came through. `keep` gets facts, steps, cost and diagnosis,
/// in this order and each as soon as it is clean: where nothing is sealed they are not in memory while it is judged.
fn through(
    door: &mut Door,
    collection: Collection,
    source: RunSource,
    invoice_date: Option<Date>,
    keep: &mut dyn FnMut(Clean),
) -> anyhow::Result<Run> {
    let Collection { facts, steps, cost, .. } = collection;
    let serial_digest = match (door.level(), facts.identity.serial.value()) {
        (Level::Strict, Some(serial)) => Some(SaltedDigest::of(serial, &salt()?)),
        _ => None,
    };
    door.learn(&facts);
    let (entry, facts) = door.document("facts.json", facts).context("the facts cannot be written")?;
    keep(entry);
    let (entry, steps) = door.document("steps.json", steps).context("the steps cannot be written")?;
    keep(entry);
    let (entry, cost) = door.document("cost.json", cost).context("the cost cannot be written")?;
    keep(entry);
    let begun = std::time::Instant::now();
    let diagnosis = match source {
        RunSource::Judged => assay_diagnosis::diagnose_pasted(&facts),
        RunSource::Live | RunSource::Recorded => assay_diagnosis::diagnose(&facts),
    };
    tracing::debug!(took_us = begun.elapsed().as_micros(), "diagnosed");
    let (entitlement, recommendation) = recommend(&facts, &diagnosis, invoice_date);
    let (entry, diagnosis) =
        door.document("diagnosis.json", diagnosis).context("the diagnosis cannot be written")?;
    keep(entry);
    Ok(Run {
        source,
        facts,
        diagnosis,
        entitlement,
        recommendation,
        steps,
        cost,
        level: door.level(),
        serial_digest,
        stand_ins: StandIns::new(),
    })
}

/// Sixteen random bytes in hexadecimal.
fn salt() -> anyhow::Result<String> {
    let key = crate::identity::passing_pseudonym_key()?;
    Ok(data_encoding::HEXLOWER.encode(key.0.get(..16).unwrap_or_default()))
}

/// Joins a diagnosis with what the service terms grant today, by the machine's own clock when it can be trusted.
pub(crate) fn recommend(
    facts: &Facts,
    diagnosis: &Diagnosis,
    invoice_date: Option<Date>,
) -> (Entitlement, Recommendation) {
    let model = facts.identity.model.value().map(String::as_str);
    let entitlement = assay_warranty::entitlement(today(facts), model, invoice_date);
    let recommendation = assay_warranty::recommend(diagnosis, &entitlement);
    (entitlement, recommendation)
}

/// The day of the run, when the machine's clock was disciplined and can be right.
fn today(facts: &Facts) -> Option<Date> {
    let unix_s = *facts.clock.unix_s.value()?;
    let synchronised = facts.clock.synchronised.value().copied().unwrap_or_default();
    (synchronised && clock::plausible(unix_s)).then(|| clock::day(unix_s)).flatten()
}
