//! What the service terms grant a unit today. `warranty` computes it; here are only the words.

use serde::{Deserialize, Serialize};

/// How long the standard warranty of a unit's series runs (service terms L3, L4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandardPeriod {
    /// The model is in a listed series.
    Years {
        /// Length of the standard warranty in years, 2 to 5.
        years: u8,
        /// Series as the terms print it, such as `TS-x53`.
        series: String,
        /// Years of global coverage included, where the terms grant it.
        global_years: Option<u8>,
    },
    /// The model is in no listed series, or was not read: the portal's entitlement record decides.
    Unknown {
        /// Why.
        why: String,
    },
}

/// Whether a unit is covered today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// Covered through this day, included.
    Until {
        /// Last covered day, `YYYY-MM-DD`.
        last_day: String,
    },
    /// The period appears over. Never a refusal: dealers may give more.
    AppearsExpired {
        /// Last covered day, `YYYY-MM-DD`.
        last_day: String,
    },
    /// It cannot be told.
    Unknown {
        /// Why: no invoice date, unsynchronised clock, unlisted series.
        why: String,
    },
}

/// What the terms grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// Model that was looked up, as read.
    pub model: Option<String>,
    /// Standard period of its series.
    pub standard_period: StandardPeriod,
    /// Standard coverage today.
    pub standard: Coverage,
    /// Rule IDs that this rests on.
    pub rules: Vec<String>,
}
