//! What lists and pages show of a bundle: words for people, made from rows; every text of outside made visible.

use assay_bundle::Overall;
use assay_bundle::entitlement::Coverage;
use serde_json::Value;

use crate::clock;
use crate::display::visible;
use crate::store::bundles::BundleRow;

/// One verdict, as a word and as the name of its style.
#[derive(Clone, Debug)]
pub struct Badge {
    /// For people.
    pub words: String,
    /// Class in the style sheet; always one of our own words.
    pub class: &'static str,
}

impl Badge {
    /// The badge of a verdict.
    pub fn of(overall: Overall) -> Self {
        let class = match overall {
            Overall::Healthy => "healthy",
            Overall::CannotTell => "cannot-tell",
            Overall::Attention => "attention",
            Overall::DefectSuspected => "suspected",
            Overall::DefectConfirmed => "confirmed",
        };
        Self { words: overall.words().to_owned(), class }
    }

    /// The badge of a stored word; a word of a later version is shown as it is.
    pub fn of_word(word: &str) -> Self {
        match serde_json::from_value(Value::String(word.to_owned())) {
            Ok(overall) => Self::of(overall),
            Err(_) => Self { words: visible(word), class: "cannot-tell" },
        }
    }
}

/// A bundle in a list.
#[derive(Clone, Debug)]
pub struct Line {
    /// Portal's name for it.
    pub id: String,
    /// Whose.
    pub device_id: String,
    /// When it was received, for people.
    pub received: String,
    /// The same for machines.
    pub received_at: String,
    /// Model, or that it is not known.
    pub model: String,
    /// Serial number, or that it is not known.
    pub serial: String,
    /// Verdict or state.
    pub verdict: Badge,
    /// The device's verdict, where it differs.
    pub device_verdict: Option<Badge>,
    /// Evidence or not, and why.
    pub source: Badge,
    /// Sentences to see first.
    pub flags: Vec<String>,
    /// Device's number of it.
    pub seq: String,
    /// Why it was refused.
    pub reason: String,
}

impl From<&BundleRow> for Line {
    fn from(row: &BundleRow) -> Self {
        let verdict = match (row.state.as_str(), &row.overall) {
            ("accepted", Some(overall)) => Badge::of_word(overall),
            ("refused", _) => Badge { words: "refused".to_owned(), class: "refused" },
            _ => Badge { words: "being read".to_owned(), class: "pending" },
        };
        let device_verdict = match (&row.overall, &row.device_overall) {
            (Some(own), Some(device)) if own != device => Some(Badge::of_word(device)),
            _ => None,
        };
        Self {
            id: row.id.clone(),
            device_id: row.device_id.clone(),
            received: clock::for_people(row.received_at),
            received_at: clock::rfc3339(row.received_at),
            model: known(row.model.as_deref(), "model not known"),
            serial: known(row.serial.as_deref(), "serial not known"),
            verdict,
            device_verdict,
            source: source(row),
            flags: flags(row),
            seq: row.seq.map(|seq| seq.to_string()).unwrap_or_default(),
            reason: visible(&row.reason),
        }
    }
}

fn source(row: &BundleRow) -> Badge {
    let (words, class) = match (row.state.as_str(), row.source.as_deref()) {
        ("pending", _) => ("not read yet", "pending"),
        ("refused", _) => ("not evidence: refused", "not-evidence"),
        (_, Some("live")) if row.evidence.is_set() => ("evidence: live run", "evidence"),
        (_, Some("recorded")) => ("not evidence: recording", "not-evidence"),
        (_, Some("judged")) => ("not evidence: gathered by other means", "not-evidence"),
        _ => ("not evidence", "not-evidence"),
    };
    Badge { words: words.to_owned(), class }
}

fn flags(row: &BundleRow) -> Vec<String> {
    let flags: Vec<String> = serde_json::from_str(&row.flags).unwrap_or_default();
    flags.iter().map(|flag| visible(flag)).collect()
}

/// A text of outside made visible, or the words that say that there is none.
pub fn known(text: Option<&str>, otherwise: &str) -> String {
    match text.map(str::trim) {
        Some(text) if !text.is_empty() => visible(text),
        _ => otherwise.to_owned(),
    }
}

/// What one warranty or plan does today, in one sentence.
pub fn coverage_words(coverage: &Coverage) -> String {
    match coverage {
        Coverage::Until { last_day } => format!("Covered through {last_day}."),
        Coverage::AppearsExpired { last_day } => {
            format!("Appears expired since {last_day}: check dealer and plans.")
        }
        Coverage::Unknown { why } => format!("Coverage not known: {why}."),
        Coverage::Starts { first_day, last_day } => format!("Covered from {first_day} through {last_day}."),
        Coverage::NotEligible { why } => format!("Not eligible: {why}."),
        Coverage::Moved { serial } => format!("The coverage moved to the replacement {serial}."),
        Coverage::NotBought => "None is recorded.".to_owned(),
    }
}
