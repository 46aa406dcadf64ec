//! What the worker read: the document that is stored, and that the pages walk.

use assay_bundle::archive::EntryDigest;
use assay_bundle::cost::Cost;
use assay_bundle::redact::Receipt as Redaction;
use assay_bundle::steps::Step;
use assay_bundle::{Diagnosis, Entitlement, Facts, Recommendation};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::IngestError;
use super::compare::Difference;
use crate::ledger::judge::{judge, purchase, situation};
use crate::ledger::record::Record;
use crate::refusal::chain;

/// One reading of one bundle.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reading {
    /// Parsers that made `facts`.
    pub parser_set: u32,
    /// What `raw/` says, read again here.
    pub facts: Facts,
    /// What our rules make of it.
    pub diagnosis: Diagnosis,
    /// What the device made of it; `None` when its document could not be read.
    pub device_diagnosis: Option<Diagnosis>,
    /// What the terms grant, on the day it was received.
    pub entitlement: Entitlement,
    /// What to do.
    pub recommendation: Recommendation,
    /// Values seen by both, under the same parsers, that differ.
    pub contradictions: Vec<Difference>,
    /// Everything else that differs.
    pub parser_differences: Vec<Difference>,
    /// What each probe did on the device.
    pub steps: Vec<Step>,
    /// What the run cost the device.
    pub cost: Option<Cost>,
    /// What was replaced and left out.
    pub redaction: Option<Redaction>,
    /// Every file in the payload.
    pub entries: Vec<EntryDigest>,
    /// What the worker could not read of our own documents, and files that were too large to be read again.
    pub notes: Vec<String>,
}

impl Reading {
    /// Joins what was found with what the ledger has of the unit, on a day. Returns what an engineer has to know about
    /// the record itself.
    pub fn judge(&mut self, day: Option<Date>, record: Option<&Record>) -> Vec<String> {
        let model = self.facts.identity.model.value().map(String::as_str);
        let said = situation(&purchase(record, model));
        let judged = judge(day, model, record, &self.diagnosis, &said);
        self.entitlement = judged.entitlement;
        self.recommendation = judged.recommendation;
        judged.notes
    }
}

/// The document as it is stored.
///
/// # Errors
/// Trouble when it cannot be written as JSON.
pub fn to_json(reading: &Reading) -> Result<String, IngestError> {
    serde_json::to_string(reading).map_err(|error| IngestError::Trouble(chain(&error)))
}
