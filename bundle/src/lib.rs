//! The nouns of Assay and the file they travel in.
//!
//! Everything the other crates say to each other is a type here: what was seen ([`Facts`], [`Observed`]), what it
//! means ([`Diagnosis`], [`Finding`]), what to do ([`Recommendation`]), and the signed file that carries them
//! ([`Manifest`], [`archive`], [`seal`]). This crate opens nothing, runs nothing, asks no clock and logs nothing:
//! readers and writers are handed in, time is a fact. Start with [`facts`], then [`diagnosis`], then `FORMAT.md`.

pub mod archive;
pub mod consent;
pub mod cost;
pub mod deletion;
pub mod diagnosis;
pub mod digest;
pub mod enrolment;
pub mod entitlement;
pub mod facts;
pub mod health_report;
pub mod httpsig;
pub mod json;
pub mod key_life;
pub mod keys;
pub mod manifest;
pub mod observed;
pub mod poll;
pub mod problem;
pub mod receipt;
pub mod recommendation;
pub mod recovery;
pub mod redact;
pub mod replacement;
pub mod seal;
pub mod session;
pub mod slip;
pub mod sshsig;
pub mod statement;
pub mod steps;
pub mod support_request;
pub mod typed_nonce;
pub mod units;
pub mod version;

pub use diagnosis::{Diagnosis, Finding, Overall, Verdict};
pub use entitlement::Entitlement;
pub use facts::Facts;
pub use manifest::Manifest;
pub use observed::Observed;
pub use recommendation::Recommendation;
