//! The manifest: the exact bytes that are signed, and what a reader decides on before it opens anything.
//!
//! `FORMAT.md` is the contract. Unknown fields survive in [`Manifest::extra`]; an unknown format version is refused
//! by name ([`Manifest::parse`]).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::diagnosis::{Diagnosis, Overall, Verdict};
use crate::json;

/// The format version that this crate writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// Name of the manifest inside the outer tar.
pub const MANIFEST_NAME: &str = "manifest.json";
/// Name of its signature inside the outer tar.
pub const SIGNATURE_NAME: &str = "manifest.json.sig";
/// Name of the plain payload inside the outer tar.
pub const PLAIN_PAYLOAD_NAME: &str = "payload.tar.zst";
/// Name of the encrypted payload inside the outer tar.
pub const SEALED_PAYLOAD_NAME: &str = "payload.tar.zst.age";

/// Where a run's facts came from. Only a live run is evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunSource {
    /// This machine, now.
    Live,
    /// A recording.
    Recorded,
    /// Outputs gathered by other means.
    Judged,
}

/// Why a bundle was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The owner asked.
    Owner,
    /// A support request asked and the owner consented.
    SupportRequest,
    /// The schedule asked.
    Schedule,
    /// A new or worse finding asked.
    Finding,
}

/// The device as it names itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ManifestDevice {
    /// Fingerprint of the signing key, `SHA256:…` as `ssh-keygen -l` prints it.
    pub key_id: String,
    /// Model, where it was seen.
    pub model: Option<String>,
    /// Serial number, where it was seen and the level of redaction keeps it.
    pub serial: Option<String>,
    /// Its salted digest, where the level masks it: who knows the serial number can compare, nobody can read it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_digest: Option<SaltedDigest>,
    /// Firmware, where it was seen.
    pub firmware: Option<String>,
}

/// A salted digest of a serial number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SaltedDigest {
    /// Random, lower-case hex, another one in every bundle.
    pub salt: String,
    /// SHA-256 of salt, a colon and the serial number in capitals without blanks around it; lower-case hex.
    pub sha256: String,
}

impl SaltedDigest {
    /// The digest of a serial number.
    pub fn of(serial: &str, salt: &str) -> Self {
        let text = format!("{salt}:{}", serial.trim().to_ascii_uppercase());
        Self { salt: salt.to_owned(), sha256: crate::digest::sha256_hex(text.as_bytes()) }
    }

    /// Whether it is of this serial number.
    pub fn is_of(&self, serial: &str) -> bool {
        *self == Self::of(serial, &self.salt)
    }
}

/// The program that made the bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ManifestAgent {
    /// Version.
    pub version: String,
    /// SHA-256 of its binary, lower-case hex; empty when it could not be read.
    pub binary_sha256: String,
}

/// The device's clock at sealing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ManifestClock {
    /// Device time, RFC 3339 in UTC.
    pub device_time: String,
    /// Seconds since boot, where they were read.
    pub uptime_s: Option<u64>,
    /// Whether the clock was disciplined, where that was read.
    pub synchronised: Option<bool>,
    /// Whether the time lies between the binary's build date and fifteen years after it.
    pub plausible: bool,
}

/// One form of the payload, or the tar inside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Form {
    /// Size in bytes.
    pub size_bytes: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

/// The forms of the payload that this one signature covers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Payload {
    /// The uncompressed inner tar.
    pub inner: Form,
    /// The compressed form, which stays on the device.
    pub plain: Form,
    /// The encrypted form, which is all that is ever uploaded; absent when sealed without a recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Form>,
}

/// What the redaction door applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ManifestRedaction {
    /// Version of the rule set; zero means that no door was passed, and such a bundle is never uploaded.
    pub rule_set: u32,
    /// Level, `standard` or `strict`.
    pub level: String,
}

/// What a queue shows without opening the payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Overall verdict, as the device decided it.
    pub overall: Overall,
    /// Confirmed findings.
    pub confirmed: u32,
    /// Suspected findings.
    pub suspected: u32,
    /// Findings to watch.
    pub watch: u32,
    /// Required readings that are missing.
    pub cannot_tell: u32,
    /// Codes of the worst findings, at most [`Summary::MOST_CODES`], without duplicates.
    pub top_codes: Vec<String>,
}

impl Summary {
    /// How many codes are listed.
    pub const MOST_CODES: usize = 8;

    /// The summary of a diagnosis.
    pub fn of(diagnosis: &Diagnosis) -> Self {
        let count = |verdict| {
            u32::try_from(diagnosis.findings.iter().filter(|f| f.verdict == verdict).count())
                .unwrap_or(u32::MAX)
        };
        let mut top_codes: Vec<String> = Vec::new();
        for finding in &diagnosis.findings {
            if !top_codes.contains(&finding.code) && top_codes.len() < Self::MOST_CODES {
                top_codes.push(finding.code.clone());
            }
        }
        Self {
            overall: diagnosis.overall,
            confirmed: count(Verdict::Confirmed),
            suspected: count(Verdict::Suspected),
            watch: count(Verdict::Watch),
            cannot_tell: u32::try_from(diagnosis.unknowns.iter().filter(|u| u.required).count())
                .unwrap_or(u32::MAX),
            top_codes,
        }
    }
}

/// The signed statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format version; see [`FORMAT_VERSION`].
    pub format: u32,
    /// Where the facts came from.
    pub source: RunSource,
    /// The device.
    pub device: ManifestDevice,
    /// The program.
    pub agent: ManifestAgent,
    /// Why it was made.
    pub reason: Reason,
    /// Support request it answers, where it answers one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Challenge nonce of that request. Without one, freshness is unproven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Monotonic number of this key's bundles, from 1.
    pub seq: u64,
    /// Boot in which it was made, where that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// The device's clock.
    pub clock: ManifestClock,
    /// Digests and sizes of both payload forms and the tar inside.
    pub payload: Payload,
    /// Version of the parsers that made the facts.
    pub parser_set: u32,
    /// Version of the rules that made the diagnosis.
    pub rule_pack: u32,
    /// Redaction applied.
    pub redaction: ManifestRedaction,
    /// age recipients of the encrypted form: naming them in what is signed stops forwarding under another's name.
    pub recipients: Vec<String>,
    /// Receipt of the recovery copy, where the run was for a support request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_copy: Option<crate::recovery::CopyReceipt>,
    /// What a queue shows.
    pub summary: Summary,
    /// Fields of a later minor revision, kept as they came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Why manifest bytes were refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not the JSON of a manifest.
    #[error("{MANIFEST_NAME} is not a manifest: is this file an Assay bundle?")]
    Json(#[source] serde_json::Error),
    /// Made by a newer program.
    #[error(
        "bundle format {found} is newer than this program reads ({FORMAT_VERSION}): update Assay and open it again"
    )]
    Newer {
        /// The version it names.
        found: u64,
    },
    /// A version that never was.
    #[error("bundle format {found} does not exist: is this file an Assay bundle?")]
    Unknown {
        /// The version it names.
        found: u64,
    },
}

impl Manifest {
    /// Reads manifest bytes. The version is looked at before anything else, so that a newer format is refused by
    /// name and not by the first field that changed.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Version {
            format: u64,
        }
        let version: Version = json::from_slice(bytes).map_err(ManifestError::Json)?;
        match version.format {
            v if v == u64::from(FORMAT_VERSION) => json::from_slice(bytes).map_err(ManifestError::Json),
            v if v > u64::from(FORMAT_VERSION) => Err(ManifestError::Newer { found: v }),
            v => Err(ManifestError::Unknown { found: v }),
        }
    }

    /// Namespace under which this manifest must be signed: only a live run is signed as evidence.
    pub fn namespace(&self) -> &'static str {
        match self.source {
            RunSource::Live => crate::sshsig::namespace::BUNDLE,
            RunSource::Recorded | RunSource::Judged => crate::sshsig::namespace::REPLAY,
        }
    }
}
