//! How the portal says no: what is wrong and what to do next, in one JSON object (the shape of RFC 9457).

use serde::{Deserialize, Serialize};

use crate::statement::Signed;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable word that a program may branch on, such as `code-expired`, `unknown-key`, `clock-skew`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is wrong, for a person.
    pub title: String,
    /// What to do next, for a person.
    pub next_step: String,
    /// The same as the portal's signed statement, where the caller has to act on it: a
    /// [`crate::key_life::Revocation`]. Without one, a refusal is only what somebody on the way may say too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Box<Signed>>,
}
