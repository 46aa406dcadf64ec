//! What each probe did: the record that a collection always completes and nothing failed in silence.

use serde::{Deserialize, Serialize};

use crate::units::{Bytes, Milliseconds};

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It read everything that it looks for.
    Complete,
    /// Some readings failed; `errors` says which.
    Partial,
    /// It was still running at the deadline; what it had read by then is kept in `raw/`.
    DeadlineExceeded,
    /// It could read nothing.
    Failed,
    /// Nothing of its kind is here.
    NothingHere,
}

/// One probe's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Probe's name: its file.
    pub probe: String,
    /// How it ended.
    pub status: StepStatus,
    /// How long it took.
    pub duration_ms: Milliseconds,
    /// Bytes it read through the source.
    pub bytes: Bytes,
    /// Every failed reading, with noun and chain.
    pub errors: Vec<String>,
}
