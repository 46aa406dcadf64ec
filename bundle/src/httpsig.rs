//! RFC 9421 HTTP message signatures in one fixed profile, tag `assay-v1` (dependencies.md section 4).

use crate::keys::{PublicKey, SigningKey};

/// How long a signature is valid, in seconds: `expires` = `created` + this.
pub const VALID_S: i64 = 300;

/// What is covered: exactly these components, each only when present.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call<'a> {
    /// `@method`, upper case.
    pub method: &'a str,
    /// `@authority`: host, and port when it is not the scheme's default, lower case.
    pub authority: &'a str,
    /// `@path`.
    pub path: &'a str,
    /// `@query` with its `?`; an empty query is `?`.
    pub query: &'a str,
    /// `content-digest`, when there is a body.
    pub content_digest: Option<&'a str>,
    /// `upload-offset`, when present.
    pub upload_offset: Option<&'a str>,
    /// `upload-length`, when present.
    pub upload_length: Option<&'a str>,
    /// `tus-resumable`, when present.
    pub tus_resumable: Option<&'a str>,
}

/// The two headers.
#[derive(Clone, Debug)]
pub struct Headers {
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
}

/// Signature parameters, untrusted until [`verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// `created`, seconds since 1970.
    pub created: i64,
    /// `expires`.
    pub expires: i64,
    /// `nonce`.
    pub nonce: String,
    /// `keyid`: the key's fingerprint, opaque, never an address.
    pub key_id: String,
}

/// Why a signed call was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpSigError {
    /// Header does not fit the profile.
    #[error("the signature headers do not fit the profile assay-v1: {0}")]
    Profile(&'static str),
    /// Made too long ago or in the future.
    #[error("signed at {created}, but the time here is {now}: the clocks differ too much")]
    Clock {
        /// `created`.
        created: i64,
        /// Time here.
        now: i64,
    },
    /// Over other bytes or by another key.
    #[error("the signature does not fit the call")]
    Mismatch,
}

/// RFC 9530 `Content-Digest` of a body.
pub fn content_digest(_body: &[u8]) -> String {
    todo!()
}

/// Signs a call. `nonce` is 16 random bytes in base64url, made by the caller.
pub fn sign(_key: &SigningKey, _call: &Call<'_>, _created_unix_s: i64, _nonce: &str) -> Headers {
    todo!()
}

/// Reads the parameters (to look up the key by `key_id`), refusing anything that is not exactly the profile for `call`.
pub fn parameters(_call: &Call<'_>, _signature_input: &str) -> Result<Parameters, HttpSigError> {
    todo!()
}

/// Verifies a call against a key and the time here.
pub fn verify(
    _key: &PublicKey,
    _call: &Call<'_>,
    _headers: &Headers,
    _now_unix_s: i64,
) -> Result<Parameters, HttpSigError> {
    todo!()
}
