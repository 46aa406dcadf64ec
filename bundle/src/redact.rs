//! The one redaction door: the only way for text to leave the device.
//!
//! What leaves is an allow-list: a raw file goes by the class of its path ([`Door::raw`]), a document of ours string
//! by string ([`Door::document`]), and only the door makes a [`Clean`], which is all that can be sealed. Secrets are
//! replaced by `[redacted:kind]`; names, paths and addresses by stand-ins under the owner's key that keep their shape
//! and stay equal where the values were equal. Serial numbers, world wide names, PCI and SAS addresses, sectors and
//! counters are evidence and stay byte for byte. It refuses: what it does not know, what is no text, and, when a
//! planted secret comes through, everything.
//!
//! Cleaning twice changes nothing, and a string is cleaned alike as a file, as a line of a log and as JSON, so that
//! facts read from a redacted file are the redacted facts.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

mod address;
mod block;
mod canary;
mod class;
mod command;
mod domain;
mod entropy;
mod field;
mod finder;
mod gate;
mod json;
mod learned;
mod line;
mod mounts;
mod path;
mod person;
mod pieces;
mod pseudonym;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test reads the recorded devices, and fails by panicking"
)]
mod reference;
mod rules;
mod secret;
mod serials;
mod value;
mod words;

use class::Treatment;
use line::{Cleaner, Context, Tally};
pub use pieces::Pieces;

/// Version of the rule set; in every manifest and receipt.
pub const RULE_SET: u32 = 2;

/// How much is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Secrets and personal data are replaced; serial numbers of hardware stay.
    #[default]
    Standard,
    /// Serial numbers and world wide names are masked too. A return of hardware then needs them another way.
    Strict,
}

impl Level {
    /// The word in manifests and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Strict => "strict",
        }
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Standard, Self::Strict]
            .into_iter()
            .find(|level| level.word() == text)
            .ok_or_else(|| format!("{text:?} is no level of redaction: use standard or strict"))
    }
}

/// The owner's key for pseudonyms: random, stays on the NAS, never derived from anything. Each copy is wiped.
#[derive(Clone)]
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
    #[error("redaction rule {0} is broken; nothing leaves this device. Report this as a bug")]
    Rule(String, #[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Which rules are in force. There is one set; a broken one exists so that tests can see the canaries notice.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    off: BTreeSet<String>,
}

impl RuleSet {
    /// The set without the rules for one kind of replacement.
    #[must_use]
    pub fn without(mut self, kind: &str) -> Self {
        self.off.insert(kind.to_owned());
        self
    }
}

/// The door.
pub struct Door {
    cleaner: Cleaner,
    receipt: Receipt,
    tally: Tally,
}

impl Door {
    /// Opens the door: compiles the rules and plants canaries.
    pub fn open(key: &PseudonymKey, level: Level) -> Result<Self, DoorError> {
        Self::open_with_rules(key, level, &RuleSet::default())
    }

    /// Opens the door with a set of rules that may be broken; for tests of the canaries.
    #[doc(hidden)]
    pub fn open_with_rules(key: &PseudonymKey, level: Level, rules: &RuleSet) -> Result<Self, DoorError> {
        let cleaner = Cleaner {
            rules: rules::Rules::compile().map_err(|(name, why)| DoorError::Rule(name, why))?,
            pseudonyms: pseudonym::Pseudonyms::new(&key.0),
            learned: learned::Learned::default(),
            serials: serials::Serials::default(),
            off: rules.off.clone(),
        };
        let canaries = plant(&cleaner, "open")?;
        let receipt = Receipt { rule_set: RULE_SET, level, canaries, ..Receipt::default() };
        Ok(Self { cleaner, receipt, tally: Tally::default() })
    }

    /// Tells the door a name that is personal wherever it stands (the hostname, which no rule could guess). Tell it
    /// before the first file. Names that a log is full of anyway, such as `nas` or `TS-453D`, are replaced only where
    /// the whole value is a host name.
    pub fn learn_host(&mut self, name: &str) {
        let name = name.trim();
        // Of `nas.example.com` the first label is what stands alone elsewhere.
        self.learn_name(name.split('.').next().unwrap_or(name), "host");
    }

    /// Tells the door the name of an account, as [`Door::learn_host`] does for hosts.
    pub fn learn_user(&mut self, name: &str) {
        self.learn_name(name, "user");
    }

    fn learn_name(&mut self, name: &str, kind: &'static str) {
        if self.cleaner.learned.add(name, kind) {
            self.cleaner.told();
        }
    }

    /// How much this door replaces.
    pub fn level(&self) -> Level {
        self.receipt.level
    }

    /// Tells the door what was seen, before the first file: the host name, and at [`Level::Strict`] every serial number
    /// and world wide name.
    pub fn learn(&mut self, facts: &crate::Facts) {
        if let Some(hostname) = facts.identity.hostname.value() {
            self.learn_host(hostname);
        }
        if self.receipt.level == Level::Strict {
            self.cleaner.serials.learn(&self.cleaner.pseudonyms, facts);
            self.cleaner.told();
        }
    }

    /// Cleans one raw file by the class of its path (below `raw/`). `None`: it may not leave; the receipt says why.
    pub fn raw(&mut self, path: &str, bytes: &[u8]) -> Option<Clean> {
        let treatment = match class::of(path) {
            Ok(treatment) => treatment,
            Err(refusal) => return self.refuse(path, refusal.why()),
        };
        if self.receipt.level == Level::Strict && class::holds_binary(path) {
            return self.refuse(path, "a binary buffer may hold serial numbers, which this level masks");
        }
        // Parsers read a byte that is no UTF-8 as U+FFFD too, so what they saw is what leaves.
        let lossy;
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) => {
                self.tally.add("no-utf8", 1);
                lossy = String::from_utf8_lossy(bytes);
                lossy.as_ref()
            }
        };
        if treatment != Treatment::DeviceTree && text.contains('\0') {
            return self.refuse(path, "binary, so nobody can say what it holds");
        }
        let tally = &mut self.tally;
        let clean = match treatment {
            Treatment::Text => self.cleaner.text(text, Context::default(), tally).into_owned(),
            Treatment::Version => self.cleaner.text(text, Context { version: true }, tally).into_owned(),
            Treatment::Json => match self.cleaner.json(text, tally) {
                Some(json) => json.into_owned(),
                None => self.cleaner.text(text, Context::default(), tally).into_owned(),
            },
            Treatment::Mounts => {
                self.cleaner.text(&mounts::kept(text), Context::default(), tally).into_owned()
            }
            Treatment::JsonLines => {
                // Line by line, so that one damaged line is plain text and the others stay JSON.
                let mut clean = String::with_capacity(text.len());
                for piece in text.split_inclusive('\n') {
                    match self.cleaner.json(piece, tally) {
                        Some(json) => clean.push_str(&json),
                        None => clean.push_str(&self.cleaner.text(piece, Context::default(), tally)),
                    }
                }
                clean
            }
            Treatment::HostName => self.cleaner.host_file(text, tally),
            Treatment::DeviceTree => {
                let strings = text.split('\0').map(|s| self.cleaner.text(s, Context::default(), tally));
                strings.collect::<Vec<_>>().join("\0")
            }
        };
        let name = format!("raw/{}", self.name(path));
        Some(Clean { name, bytes: clean.into_bytes() })
    }

    /// Cleans a document of ours (`facts.json`, `steps.json`, …): every string in it passes the text rules.
    /// Returns the cleaned value too, so that what is diagnosed is what is sealed: the given one where nothing had to
    /// go, else what the clean text says.
    pub fn document<T: Serialize + serde::de::DeserializeOwned>(
        &mut self,
        name: &str,
        value: T,
    ) -> Result<(Clean, T), serde_json::Error> {
        let text = serde_json::to_string(&value)?;
        // It was written as JSON a moment ago, and the cleaner puts texts in place of texts and numbers in place of
        // numbers: what it makes of JSON is JSON.
        let json = match self.cleaner.strings(&text, &mut self.tally) {
            Some(Cow::Owned(json)) => json,
            Some(Cow::Borrowed(_)) => {
                debug_assert_eq!(
                    crate::json::of_json::<T>(&text).and_then(|again| serde_json::to_string(&again)).ok(),
                    Some(text.clone()),
                    "{name} is read as it was written"
                );
                return Ok((Clean { name: name.to_owned(), bytes: text.into_bytes() }, value));
            }
            None => {
                return Err(<serde_json::Error as serde::ser::Error>::custom(format!(
                    "{name} is no JSON that can be read again"
                )));
            }
        };
        // A document of a large NAS is half a megabyte: not three of it at once.
        drop((text, value));
        let value = crate::json::of_json(&json)?;
        Ok((Clean { name: name.to_owned(), bytes: json.into_bytes() }, value))
    }

    /// Cleans one text, such as an error message or a pasted log (`assay redact`).
    pub fn text(&mut self, text: &str) -> String {
        self.cleaner.text(text, Context::default(), &mut self.tally).into_owned()
    }

    /// The same in pieces, for a text that is too long to be in memory twice.
    pub fn pieces<'t>(&mut self, text: &'t str) -> Pieces<'t> {
        self.cleaner.pieces(text, Context::default(), &mut self.tally)
    }

    /// What the stand-ins so far stand for: stand-in to original. For the owner alone, on the device; secrets are not
    /// in it, because nobody needs them back.
    pub fn stand_ins(&self) -> &BTreeMap<String, String> {
        &self.tally.stand_ins
    }

    /// Records that something was left out, with a reason that names no secret.
    pub fn leave_out(&mut self, path: &str, why: &str) {
        let (path, why) = (self.name(path), self.text(why));
        self.receipt.left_out.insert(path, why);
    }

    /// Shuts the door: canaries must be gone. Only then is there a receipt, and without one nothing is sealed.
    pub fn close(mut self) -> Result<Receipt, DoorError> {
        self.receipt.canaries += plant(&self.cleaner, "close")?;
        self.receipt.replaced = self.tally.counts;
        Ok(self.receipt)
    }

    fn refuse(&mut self, path: &str, why: &str) -> Option<Clean> {
        self.leave_out(path, why);
        None
    }

    /// A path as it may be shown: cleaned as the absolute path that it was on the device.
    fn name(&mut self, path: &str) -> String {
        let absolute = format!("/{path}");
        let clean = self.cleaner.text(&absolute, Context { version: true }, &mut self.tally);
        clean.strip_prefix('/').unwrap_or(&clean).to_owned()
    }
}

impl Cleaner {
    /// A file that is a host name as a whole. What stands behind its first line is text like any other.
    fn host_file(&self, text: &str, tally: &mut Tally) -> String {
        let (first, rest) = text.split_at(text.find('\n').unwrap_or(text.len()));
        let name = first.trim();
        let with = self.host(name);
        let is_one = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_'));
        let first = if name.is_empty() || !is_one || self.off.contains("host") {
            self.text(first, Context::default(), tally).into_owned()
        } else if with == name {
            first.to_owned()
        } else {
            tally.replaced("host", name, &with);
            first.replacen(name, &with, 1)
        };
        first + &self.text(rest, Context::default(), tally)
    }
}

fn plant(cleaner: &Cleaner, label: &str) -> Result<u32, DoorError> {
    canary::test(cleaner, label).map_err(|kind| DoorError::CanarySurvived(kind.to_owned()))
}
