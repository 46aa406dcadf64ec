//! RFC 9421 HTTP message signatures in one fixed profile, tag `assay-v1`.
//!
//! The profile: one signature labelled `sig1`; the components of [`Call`] in the order of its fields, none more and
//! none less; the parameters `created`, `expires`, `nonce`, `keyid`, `alg`, `tag`, each once. We write them in this
//! order; any order is taken, because libraries do not let their callers choose it and the signature covers the order
//! as it was sent. Anything else is refused, also where the RFC would allow it: nothing is left to two readings.
//! Whether a nonce was seen before is not decided here: it takes memory (keep nonces until `expires` + [`LATE_S`]).

use std::fmt::Write as _;

use data_encoding::BASE64;

use crate::keys::{PublicKey, SigningKey};

/// How long a signature is valid, in seconds: `expires` = `created` + this, and never later.
pub const VALID_S: i64 = 300;

/// How far, in seconds, the signer's clock may be ahead of ours (judgement: as long as a signature is valid).
pub const AHEAD_S: i64 = 300;

/// How long, in seconds, after `expires` a signature is still taken (judgement: a request on a slow line is that long
/// under way). A clock that is further behind is told so, with our time to correct itself by.
pub const LATE_S: i64 = 60;

/// Largest time, in seconds since 1970, that the integers of structured fields hold (RFC 9651: 15 digits).
const LATEST_UNIX_S: i64 = 999_999_999_999_999;

/// Lengths of a nonce that are taken: 16 random bytes are 22 letters of base64url, 24 with padding.
const NONCE_LETTERS: std::ops::RangeInclusive<usize> = 22..=64;

/// A fingerprint is `SHA256:` and 43 letters.
const MOST_KEY_ID_BYTES: usize = 64;

/// The one algorithm.
const ALGORITHM: &str = "alg=\"ed25519\"";

/// The profile's name: a signature made for something else does not carry it.
const TAG: &str = "tag=\"assay-v1\"";

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
pub fn content_digest(body: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, body);
    format!("sha-256=:{}:", BASE64.encode(digest.as_ref()))
}

/// Signs a call. `nonce` is 16 random bytes in base64url, made by the caller.
pub fn sign(key: &SigningKey, call: &Call<'_>, created_unix_s: i64, nonce: &str) -> Headers {
    let parameters = format!(
        "{};created={created_unix_s};expires={};nonce=\"{nonce}\";keyid=\"{}\";{ALGORITHM};{TAG}",
        covered(call),
        created_unix_s.saturating_add(VALID_S),
        key.public().fingerprint(),
    );
    let signature = key.sign(signature_base(call, &parameters).as_bytes());
    Headers {
        signature_input: format!("sig1={parameters}"),
        signature: format!("sig1=:{}:", BASE64.encode(&signature)),
    }
}

/// Reads the parameters (to look up the key by `key_id`), refusing anything that is not exactly the profile for `call`.
pub fn parameters(call: &Call<'_>, signature_input: &str) -> Result<Parameters, HttpSigError> {
    let rest = signature_input
        .strip_prefix("sig1=")
        .and_then(|input| input.strip_prefix(covered(call).as_str()))
        .ok_or(HttpSigError::Profile("the covered components are not exactly its own"))?;
    let parameters = read_parameters(rest).map_err(HttpSigError::Profile)?;
    if !(1..=VALID_S).contains(&parameters.expires.saturating_sub(parameters.created)) {
        return Err(HttpSigError::Profile("expires is not within 300 seconds after created"));
    }
    Ok(parameters)
}

/// Verifies a call against a key and the time here. The clock is judged last: only the key's holder is told about it.
pub fn verify(
    key: &PublicKey,
    call: &Call<'_>,
    headers: &Headers,
    now_unix_s: i64,
) -> Result<Parameters, HttpSigError> {
    let parameters = parameters(call, &headers.signature_input)?;
    if components(call).any(|(_, value)| !value.bytes().all(|b| matches!(b, b' '..=b'~'))) {
        return Err(HttpSigError::Profile("a covered component is not printable text"));
    }
    let signature = headers
        .signature
        .strip_prefix("sig1=:")
        .and_then(|s| s.strip_suffix(':'))
        .and_then(|s| BASE64.decode(s.as_bytes()).ok())
        .ok_or(HttpSigError::Profile("the header Signature is not sig1=:base64:"))?;
    let base = signature_base(call, headers.signature_input.strip_prefix("sig1=").unwrap_or_default());
    if parameters.key_id != key.fingerprint() || !key.verify(base.as_bytes(), &signature) {
        return Err(HttpSigError::Mismatch);
    }
    let earliest = parameters.created.saturating_sub(AHEAD_S);
    let latest = parameters.expires.saturating_add(LATE_S);
    if (earliest..=latest).contains(&now_unix_s) {
        Ok(parameters)
    } else {
        Err(HttpSigError::Clock { created: parameters.created, now: now_unix_s })
    }
}

/// The covered components, in the profile's order.
fn components<'a>(call: &Call<'a>) -> impl Iterator<Item = (&'static str, &'a str)> {
    [
        ("@method", Some(call.method)),
        ("@authority", Some(call.authority)),
        ("@path", Some(call.path)),
        ("@query", Some(call.query)),
        ("content-digest", call.content_digest),
        ("upload-offset", call.upload_offset),
        ("upload-length", call.upload_length),
        ("tus-resumable", call.tus_resumable),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|v| (name, v)))
}

/// The list of covered components, as it begins the header.
fn covered(call: &Call<'_>) -> String {
    let names: Vec<String> = components(call).map(|(name, _)| format!("\"{name}\"")).collect();
    format!("({})", names.join(" "))
}

/// The signature base (RFC 9421 section 2.5): one line for each component, and the parameters last, without an end.
fn signature_base(call: &Call<'_>, signature_params: &str) -> String {
    let mut base = String::new();
    for (name, value) in components(call) {
        // Writing to a string does not fail.
        let _ = writeln!(base, "\"{name}\": {value}");
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(signature_params);
    base
}

/// Reads the parameters behind the list of components: each once, none else, each in its one spelling.
fn read_parameters(rest: &str) -> Result<Parameters, &'static str> {
    let mut parts = rest.split(';');
    if parts.next() != Some("") {
        return Err("no parameters follow the components");
    }
    let (mut created, mut expires, mut nonce, mut key_id) = (None, None, None, None);
    let (mut algorithm, mut tag) = (None, None);
    for part in parts {
        let (name, value) = part.split_once('=').ok_or("a parameter has no value")?;
        let slot = match name {
            "created" => &mut created,
            "expires" => &mut expires,
            "nonce" => &mut nonce,
            "keyid" => &mut key_id,
            "alg" => &mut algorithm,
            "tag" => &mut tag,
            _ => return Err("a parameter is not one of the profile's"),
        };
        if slot.replace((part, value)).is_some() {
            return Err("a parameter is given twice");
        }
    }
    let is = |found: Option<(&str, &str)>, wanted| found.is_some_and(|(part, _)| part == wanted);
    if !is(algorithm, ALGORITHM) || !is(tag, TAG) {
        return Err("alg is not ed25519 or tag is not assay-v1");
    }
    // A number has one spelling: a sign or leading zeros would be another one.
    let time = |found: Option<(&str, &str)>| {
        let (_, text) = found?;
        let time: i64 = text.parse().ok()?;
        (text == time.to_string() && (0..=LATEST_UNIX_S).contains(&time)).then_some(time)
    };
    let quoted = |found: Option<(&str, &str)>| {
        found.and_then(|(_, text)| text.strip_prefix('"')?.strip_suffix('"').map(str::to_owned))
    };
    let base64url = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'=');
    let nonce = quoted(nonce).filter(|nonce| NONCE_LETTERS.contains(&nonce.len()));
    let fingerprint = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'+' | b'/');
    let key_id = quoted(key_id).filter(|id| id.len() <= MOST_KEY_ID_BYTES);
    Ok(Parameters {
        created: time(created).ok_or("created is not a time")?,
        expires: time(expires).ok_or("expires is not a time")?,
        nonce: nonce
            .filter(|nonce| nonce.bytes().all(base64url))
            .ok_or("nonce is not 16 random bytes in base64url")?,
        key_id: key_id.filter(|id| id.bytes().all(fingerprint)).ok_or("keyid is not a key's fingerprint")?,
    })
}

#[cfg(test)]
mod tests;
