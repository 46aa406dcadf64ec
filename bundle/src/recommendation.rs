//! What to do, in order: a diagnosis joined with an entitlement.

use serde::{Deserialize, Serialize};

use crate::diagnosis::Component;

/// What kind of step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing needs doing.
    Nothing,
    /// Protect the data first.
    Backup,
    /// One more test before anything is replaced.
    Test,
    /// Mend the surroundings or a setting.
    Environment,
    /// A drive goes to its own maker (L2).
    DriveMaker,
    /// Return through the original purchase channel (L7).
    PurchaseChannel,
    /// Repair at the customer's cost (L10).
    PaidRepair,
    /// Make it possible to tell: read what was missing.
    ReadAgain,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Kind.
    pub action: Action,
    /// What to do, for a person.
    pub text: String,
    /// Finding it answers, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// Component that it is about, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Component>,
    /// Service-term rule IDs that this rests on.
    pub rules: Vec<String>,
    /// What still blocks it.
    pub blocked_by: Vec<String>,
}

/// What to do, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recommendation {
    /// Steps, first things first; never empty after `warranty::recommend`.
    pub steps: Vec<Step>,
}
