//! The report: what a person reads of a diagnosis, on a terminal, in a ticket, on a page to keep or to print.
//!
//! What is said is worked out once ([`View`]) and written three times ([`terminal`], [`markdown`], [`html`]): the verdict
//! first, then what to do, then what was found with its evidence, what was cleared, what could not be told, what the
//! service terms grant and what the run cost. Meaning never hangs on colour: every colour repeats a word. Every string
//! may have come from a device and is escaped by each writer for its own form. This refuses to print, to open or to
//! fetch anything: text is returned, and a page loads nothing.

use assay_bundle::cost::Cost;
use assay_bundle::diagnosis::Diagnosis;
use assay_bundle::entitlement::Entitlement;
use assay_bundle::facts::Facts;
use assay_bundle::recommendation::Recommendation;

mod bay_map;
mod bays;
mod html;
mod markdown;
mod markup;
mod readings;
mod slip;
mod sparkline;
mod style;
mod terminal;
#[cfg(test)]
mod tests;
mod trends;
mod view;
mod words;

pub use html::html;
pub use markdown::markdown;
pub use slip::SlipDrawing;
pub use terminal::{Layout, explain, terminal};
pub use view::View;

/// Where the facts come from, which decides how far the report may be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This machine, just now. Only then an answer to "may I pull it?" is shown as it is.
    Live,
    /// A recording of a machine.
    Recorded,
    /// A bundle that a live run made.
    Bundle,
    /// Outputs that somebody gave.
    Judged,
}

/// Everything that a report is made from.
#[derive(Clone, Copy, Debug)]
pub struct Material<'m> {
    /// What was seen.
    pub facts: &'m Facts,
    /// What it means.
    pub diagnosis: &'m Diagnosis,
    /// What to do.
    pub recommendation: &'m Recommendation,
    /// What the service terms grant, where it was looked up.
    pub entitlement: Option<&'m Entitlement>,
    /// What the run cost, where a run was measured.
    pub cost: Option<&'m Cost>,
    /// Where the facts come from.
    pub origin: Origin,
    /// Outputs that were judged, one line each; empty where a machine or a recording was read.
    pub inputs: &'m [String],
}

impl<'m> Material<'m> {
    /// What every report has; the rest is added where it is known.
    pub fn new(
        facts: &'m Facts,
        diagnosis: &'m Diagnosis,
        recommendation: &'m Recommendation,
        origin: Origin,
    ) -> Self {
        Self { facts, diagnosis, recommendation, entitlement: None, cost: None, origin, inputs: &[] }
    }
}
