//! A signed statement: the exact bytes of one JSON document and the SSHSIG over them.
//!
//! What is signed is never written again: it travels, is kept and is checked as the text that it was. A statement that
//! grants or asks something refuses every field that it does not know, by name, because an unknown field may be the
//! one that narrows it. One that only informs passes over such fields.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::keys::{PublicKey, SigningKey};
use crate::sshsig::{self, SignatureError};

/// The version of every statement that this crate writes and reads.
pub const STATEMENT_FORMAT: u32 = 1;
/// Longest statement with its signature in JSON, in bytes; what a reader makes room for (judgement: a poll answer with
/// [`crate::poll::MOST_REQUESTS`] requests has a fifth of it).
pub const MOST_SIGNED_BYTES: usize = 256 << 10;

/// A kind of statement.
pub trait Statement: Serialize + DeserializeOwned {
    /// Namespace of its signature.
    const NAMESPACE: &'static str;
    /// What it is called in messages.
    const NOUN: &'static str;
    /// Longest text of it, in bytes.
    const MOST_BYTES: usize;

    /// Version that it names.
    fn format(&self) -> u32;

    /// What its types cannot say: lengths, ranges, spellings.
    ///
    /// # Errors
    /// The first field that is not acceptable, in words.
    fn check(&self) -> Result<(), String>;
}

/// Why a statement was refused.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// Too long to be looked at.
    #[error("the {noun} is longer than {most} bytes")]
    TooLong {
        /// What it should be.
        noun: &'static str,
        /// Limit.
        most: usize,
    },
    /// Not signed by whom it has to be, or not for this purpose.
    #[error("the {noun} is not signed as it has to be")]
    Signature {
        /// What it should be.
        noun: &'static str,
        /// Why.
        #[source]
        source: SignatureError,
    },
    /// Not of this type.
    #[error("the {noun} is not understood: {source}")]
    Json {
        /// What it should be.
        noun: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Of another version.
    #[error("the {noun} is of version {found}, and this program reads {STATEMENT_FORMAT}: update Assay")]
    Version {
        /// What it should be.
        noun: &'static str,
        /// The version it names.
        found: u32,
    },
    /// A field that its type admits and its meaning does not.
    #[error("the {noun} is not acceptable: {why}")]
    Content {
        /// What it should be.
        noun: &'static str,
        /// Which field and why.
        why: String,
    },
}

/// A statement with its signature: what travels and what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The exact bytes of the document.
    pub document: String,
    /// SSHSIG over them, armoured.
    pub signature: String,
}

impl Signed {
    /// Signs a statement.
    ///
    /// # Errors
    /// When it is not acceptable itself: what nobody would take is not signed.
    pub fn new<T: Statement>(statement: &T, key: &SigningKey) -> Result<Self, StatementError> {
        let noun = T::NOUN;
        if statement.format() != STATEMENT_FORMAT {
            return Err(StatementError::Version { noun, found: statement.format() });
        }
        statement.check().map_err(|why| StatementError::Content { noun, why })?;
        let document =
            serde_json::to_string(statement).map_err(|source| StatementError::Json { noun, source })?;
        if document.len() > T::MOST_BYTES {
            return Err(StatementError::TooLong { noun, most: T::MOST_BYTES });
        }
        let signature = sshsig::sign(key, T::NAMESPACE, document.as_bytes());
        Ok(Self { document, signature })
    }

    /// Checks length, signature, version and content, in this order, and answers the statement.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn open<T: Statement>(&self, key: &PublicKey) -> Result<T, StatementError> {
        let noun = T::NOUN;
        if self.document.len() > T::MOST_BYTES {
            return Err(StatementError::TooLong { noun, most: T::MOST_BYTES });
        }
        sshsig::verify(key, T::NAMESPACE, self.document.as_bytes(), &self.signature)
            .map_err(|source| StatementError::Signature { noun, source })?;
        read(&self.document)
    }
}

/// Reads a statement whose signature has been checked, or was ours.
///
/// # Errors
/// When it is of another version, or not acceptable.
pub fn read<T: Statement>(document: &str) -> Result<T, StatementError> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let noun = T::NOUN;
    let json = |source| StatementError::Json { noun, source };
    // Before anything else, so that a newer one is refused by its version and not by the first field that changed.
    let version: Version = crate::json::from_slice(document.as_bytes()).map_err(json)?;
    if version.format != STATEMENT_FORMAT {
        return Err(StatementError::Version { noun, found: version.format });
    }
    let statement: T = crate::json::from_slice(document.as_bytes()).map_err(json)?;
    statement.check().map_err(|why| StatementError::Content { noun, why })?;
    Ok(statement)
}

/// Whether a text is a SHA-256 in lower-case hex.
pub fn is_sha256(text: &str) -> bool {
    is_hex(text, 64)
}

/// Whether a text is so many lower-case hexadecimal digits.
pub(crate) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Whether a text is an id: 1 to 64 letters, digits and dashes. It becomes a file name and a part of a path.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Whether a text may be shown to a person as it is: neither empty nor too long, no control characters (a line break
/// only where `lines`), and nothing that has no width or turns the direction of its neighbours.
pub(crate) fn is_plain(text: &str, most_bytes: usize, lines: bool) -> bool {
    let deceptive = |c: char| {
        (c.is_control() && !(lines && c == '\n'))
            || matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
    };
    !text.trim().is_empty() && text.len() <= most_bytes && !text.chars().any(deceptive)
}

/// `Err` with these words, unless it holds.
pub(crate) fn require(holds: bool, why: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why.to_owned()) }
}
