//! The one sentence that every run is: collect(source) -> redact(raw, facts, steps) -> diagnose(redacted facts) ->
//! recommend(diagnosis, entitlement) -> seal -> spool. The last two are in [`crate::seal`].
//!
//! What is diagnosed is what is sealed: nothing past the door ever looks at an unredacted value again.

use anyhow::Context as _;
use assay_bundle::cost::Cost;
use assay_bundle::manifest::RunSource;
use assay_bundle::redact::{Door, Level, PseudonymKey};
use assay_bundle::seal::Content;
use assay_bundle::steps::Step;
use assay_bundle::{Diagnosis, Entitlement, Facts, Recommendation};
use assay_collector::source::Source;
use assay_collector::{Collection, Options};
use jiff::civil::Date;

use crate::clock;
use crate::memory::Memory;

/// What one run saw, decided and may show or seal.
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
    /// What may be sealed: everything in it has passed the door.
    pub(crate) content: Content,
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
    let mut collection = assay_collector::collect(source, options).await;
    if let Some(memory) = memory.filter(|_| source.run_source() == RunSource::Live) {
        memory.keep(&mut collection).await;
    }
    conclude(collection, source.run_source(), key, invoice_date)
}

/// The rest of the sentence, from what was collected on.
pub(crate) fn conclude(
    collection: Collection,
    source: RunSource,
    key: &PseudonymKey,
    invoice_date: Option<Date>,
) -> anyhow::Result<Run> {
    let mut door = Door::open(key, Level::default())?;
    let redacted = redact(&mut door, collection)?;
    let diagnosis = match source {
        RunSource::Judged => assay_diagnosis::diagnose_pasted(&redacted.facts),
        RunSource::Live | RunSource::Recorded => assay_diagnosis::diagnose(&redacted.facts),
    };
    let (entitlement, recommendation) = recommend(&redacted.facts, &diagnosis, invoice_date);
    let (diagnosis, content) = close(door, redacted.entries, diagnosis)?;
    Ok(Run {
        source,
        facts: redacted.facts,
        diagnosis,
        entitlement,
        recommendation,
        steps: redacted.steps,
        cost: redacted.cost,
        content,
    })
}

/// A collection after the door.
struct Redacted {
    entries: Vec<assay_bundle::redact::Clean>,
    facts: Facts,
    steps: Vec<Step>,
    cost: Cost,
}

/// Takes everything that was collected through the door.
fn redact(door: &mut Door, collection: Collection) -> anyhow::Result<Redacted> {
    let Collection { facts, steps, raw, cost } = collection;
    if let Some(hostname) = facts.identity.hostname.value() {
        door.learn_host(hostname);
    }
    let (facts_entry, facts) = door.document("facts.json", &facts).context("the facts cannot be written")?;
    let (steps_entry, steps) = door.document("steps.json", &steps).context("the steps cannot be written")?;
    let (cost_entry, cost) = door.document("cost.json", &cost).context("the cost cannot be written")?;
    let mut entries = vec![facts_entry, steps_entry, cost_entry];
    // What may not leave is named in the receipt by the door itself.
    // One by one, so that the raw form of a file and its clean form are in memory together only once.
    entries.extend(raw.into_iter().filter_map(|(path, bytes)| door.raw(&path, &bytes)));
    Ok(Redacted { entries, facts, steps, cost })
}

/// The diagnosis joins what may be sealed, and the door shuts.
fn close(
    mut door: Door,
    mut entries: Vec<assay_bundle::redact::Clean>,
    diagnosis: Diagnosis,
) -> anyhow::Result<(Diagnosis, Content)> {
    let (entry, diagnosis) =
        door.document("diagnosis.json", &diagnosis).context("the diagnosis cannot be written")?;
    entries.push(entry);
    let receipt = door.close()?;
    Ok((diagnosis, Content { entries, receipt }))
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
