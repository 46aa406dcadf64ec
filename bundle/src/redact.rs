//! The one redaction door: the only way for text to leave the device.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the rule set; in every manifest and receipt.
pub const RULE_SET: u32 = 1;

/// How much is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Secrets and personal data are replaced; serial numbers of hardware stay.
    #[default]
    Standard,
}

/// The owner's key for pseudonyms: random, stays on the NAS, never derived from anything.
pub struct PseudonymKey(pub zeroize::Zeroizing<[u8; 32]>);

/// Bytes that passed the door, with the name under which they may be sealed. Only [`Door`] makes one.
#[derive(Debug, Clone)]
pub struct Clean {
    name: String,
    bytes: Vec<u8>,
}

impl Clean {
    /// Name inside the inner tar.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What was replaced how often, and what was left out and why: `redaction.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Rule set.
    pub rule_set: u32,
    /// Level.
    pub level: Level,
    /// Replacements by kind, such as `password`, `mac`, `ipv4`, `host`.
    pub replaced: BTreeMap<String, u64>,
    /// Files left out, with the reason.
    pub left_out: BTreeMap<String, String>,
    /// How many canary secrets were planted and destroyed.
    pub canaries: u32,
}

/// Why the door stays shut.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// A planted secret came through: the rules are broken, and nothing may be sealed.
    #[error(
        "redaction is broken: a planted secret of kind {0} came through; nothing leaves this device. Report this as a bug"
    )]
    CanarySurvived(String),
    /// A rule does not compile.
    #[error("redaction rule {0} is broken")]
    Rule(String, #[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The door.
pub struct Door {
    receipt: Receipt,
}

impl Door {
    /// Opens the door: compiles the rules and plants canaries.
    pub fn open(_key: &PseudonymKey, _level: Level) -> Result<Self, DoorError> {
        todo!()
    }
    /// Tells the door a name that is personal wherever it stands (the hostname, which no rule could guess).
    pub fn learn_host(&mut self, _name: &str) {
        todo!()
    }
    /// Cleans one raw file by the class of its path (below `raw/`). `None`: it may not leave; the receipt says why.
    pub fn raw(&mut self, _path: &str, _bytes: &[u8]) -> Option<Clean> {
        todo!()
    }
    /// Cleans a document of ours (`facts.json`, `steps.json`, …): every string in it passes the text rules.
    /// Returns the cleaned value too, so that what is diagnosed is what is sealed.
    pub fn document<T: Serialize + serde::de::DeserializeOwned>(
        &mut self,
        _name: &str,
        _value: &T,
    ) -> Result<(Clean, T), serde_json::Error> {
        todo!()
    }
    /// Cleans one text, such as an error message or a pasted log (`assay redact`).
    pub fn text(&mut self, _text: &str) -> String {
        todo!()
    }
    /// Shuts the door: canaries must be gone. Only then is there a receipt, and without one nothing is sealed.
    pub fn close(self) -> Result<Receipt, DoorError> {
        Ok(self.receipt)
    }
}
