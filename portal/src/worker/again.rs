//! Reading a bundle again: `raw/` into facts by our parsers, facts into a diagnosis by our rules. What the device made
//! of it is kept beside, never instead.

use std::collections::BTreeMap;

use assay_bundle::archive::EntryDigest;
use assay_collector::recorded::RecordedSource;
use assay_collector::{Options, PARSER_SET, collect};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Kept, Stop};
use crate::ingest::compare::compare;
use crate::ingest::reading::Reading;
use crate::refusal::chain;

/// Folder of raw files in a payload.
const RAW: &str = "raw/";

/// Reads again.
pub(super) fn read(
    mut kept: Kept,
    entries: Vec<EntryDigest>,
    parser_set: u32,
    received_at: i64,
) -> Result<Reading, Stop> {
    let mut notes: Vec<String> =
        kept.left_out.iter().map(|name| format!("{name} is too large to be read again")).collect();
    let device_facts: Option<Value> = document(&mut kept, "facts.json", &mut notes);
    let device_diagnosis = document(&mut kept, "diagnosis.json", &mut notes);
    let steps = document(&mut kept, "steps.json", &mut notes).unwrap_or_default();
    let cost = document(&mut kept, "cost.json", &mut notes);
    let redaction = document(&mut kept, "redaction.json", &mut notes);
    let raw: BTreeMap<String, Vec<u8>> = kept
        .files
        .into_iter()
        .filter_map(|(name, bytes)| name.strip_prefix(RAW).map(|name| (name.to_owned(), bytes)))
        .collect();
    let facts = parse(raw)?;
    let diagnosis = assay_diagnosis::diagnose(&facts);
    let model = facts.identity.model.value().map(String::as_str);
    let entitlement = assay_warranty::entitlement(day(received_at), model, None);
    let recommendation = assay_warranty::recommend(&diagnosis, &entitlement);
    let own = serde_json::to_value(&facts).map_err(|error| Stop::Trouble(chain(&error)))?;
    let differences =
        device_facts.map(|device| compare(&device, &own, parser_set == PARSER_SET)).unwrap_or_default();
    Ok(Reading {
        parser_set: PARSER_SET,
        facts,
        diagnosis,
        device_diagnosis,
        entitlement,
        recommendation,
        contradictions: differences.contradictions,
        parser_differences: differences.parser_differences,
        steps,
        cost,
        redaction,
        entries,
        notes,
    })
}

fn parse(raw: BTreeMap<String, Vec<u8>>) -> Result<assay_bundle::Facts, Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| Stop::Trouble(format!("the worker cannot start its runtime: {error}")))?;
    let source = RecordedSource::from_files(raw);
    Ok(runtime.block_on(collect(&source, &Options::default())).facts)
}

/// One of the device's own documents. A document that is not understood is noted: the raw files count anyway.
fn document<T: DeserializeOwned>(kept: &mut Kept, name: &str, notes: &mut Vec<String>) -> Option<T> {
    let Some(bytes) = kept.files.remove(name) else {
        notes.push(format!("{name} is not in the bundle"));
        return None;
    };
    match serde_json::from_slice(&bytes) {
        Ok(document) => Some(document),
        Err(error) => {
            notes.push(format!("{name} is not understood: {error}"));
            None
        }
    }
}

fn day(unix_s: i64) -> Option<jiff::civil::Date> {
    let at = jiff::Timestamp::from_second(unix_s).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).date())
}
