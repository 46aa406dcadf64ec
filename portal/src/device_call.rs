//! Who calls: the RFC 9421 signature of a device call, checked against the enrolled key before any body is read.
//!
//! Refused are: another set of covered components than the profile's, a doubled header, an authority other than our
//! configured one (whatever `Host` says), a clock too far off, a nonce seen before, a key that is not enrolled.

use assay_bundle::httpsig::{self, Call, Headers, HttpSigError, Parameters};
use assay_bundle::key_life::{MOST_REASON_BYTES, Revocation};
use assay_bundle::keys::PublicKey;
use assay_bundle::statement::{self, STATEMENT_FORMAT};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;

use crate::app::App;
use crate::clock;
use crate::display::visible;
use crate::refusal::Refusal;
use crate::store::devices::Device;

/// How long a spent nonce is kept beyond its signature's end, in seconds: as long as one is taken late, and a minute
/// for a clock that is set back.
const NONCE_GRACE_S: i64 = httpsig::LATE_S + 60;

/// Characters of a reason that always fit: one takes at most four bytes.
const MOST_REASON_CHARS: usize = MOST_REASON_BYTES / 4;

/// A header that may be there at most once.
///
/// # Errors
/// When it is there twice or is no text: then it is open to two readings.
pub fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::bad_call(format!("The header {name} is given twice.")));
    }
    match first.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(Refusal::bad_call(format!("The header {name} is no text."))),
    }
}

/// A call as it was signed, before it is known by whom.
struct Signed<'a> {
    call: Call<'a>,
    headers: Headers,
}

fn signed<'a>(app: &'a App, parts: &'a Parts, query: &'a str) -> Result<Signed<'a>, Refusal> {
    let header = |name| single(&parts.headers, name);
    let (Some(signature_input), Some(signature)) = (header("signature-input")?, header("signature")?) else {
        return Err(refused(&HttpSigError::Profile("the call is not signed")));
    };
    Ok(Signed {
        call: Call {
            method: parts.method.as_str(),
            authority: app.authority(),
            path: parts.uri.path(),
            query,
            content_digest: header("content-digest")?,
            upload_offset: header("upload-offset")?,
            upload_length: header("upload-length")?,
            tus_resumable: header("tus-resumable")?,
        },
        headers: Headers { signature_input: signature_input.to_owned(), signature: signature.to_owned() },
    })
}

fn query(parts: &Parts) -> String {
    format!("?{}", parts.uri.query().unwrap_or_default())
}

/// Who made a call, as [`crate::gate`] found out.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The device.
    pub device: Device,
    /// Nonce of the call's signature.
    pub nonce: String,
}

/// What the gate found out about the device of this call.
///
/// # Errors
/// When the call's line in the list is not one for devices: our own bug, refused like a call that nobody signed.
pub fn known(parts: &Parts) -> Result<Caller, Refusal> {
    let caller = parts.extensions.get::<Caller>().cloned();
    caller.ok_or_else(|| refused(&HttpSigError::Profile("the call is not signed")))
}

/// The device that made this call.
///
/// # Errors
/// As [`known`].
pub fn device(parts: &Parts) -> Result<Device, Refusal> {
    known(parts).map(|caller| caller.device)
}

/// Our signed word that a key counts no more, about the call with this nonce.
///
/// # Errors
/// When it cannot be signed: our own bug.
pub fn revocation(app: &App, device: &Device, nonce: &str) -> Result<statement::Signed, Refusal> {
    let words: String = visible(device.revoked_words()).chars().take(MOST_REASON_CHARS).collect();
    let revocation = Revocation {
        format: STATEMENT_FORMAT,
        device_id: device.id.clone(),
        key_id: device.key_id.clone(),
        call_nonce: nonce.to_owned(),
        made_unix_s: clock::now_unix_s(),
        revoked_unix_s: device.revoked_at.unwrap_or_default(),
        reason: words,
    };
    statement::Signed::new(&revocation, &app.online).map_err(|error| Refusal::internal(&error))
}

/// The refusal of a call by a key that was revoked.
pub fn revoked(app: &App, device: &Device, nonce: &str) -> Refusal {
    let signed = match revocation(app, device, nonce) {
        Ok(signed) => signed,
        Err(refusal) => return refusal,
    };
    Refusal::new(
        StatusCode::FORBIDDEN,
        "key-revoked",
        format!("Key {} was revoked here: {}.", device.key_id, visible(device.revoked_words()).trim_end_matches('.')),
        "Nothing is lost on the device. Ask the support engineer; with a new enrolment code run: assay enroll --new-key",
    )
    .signed(signed)
}

/// Finds out who made this call, for the gate. The key may have been revoked.
///
/// # Errors
/// When it is not known to be one that was enrolled.
pub async fn caller(app: &App, parts: &Parts) -> Result<Caller, Refusal> {
    let query = query(parts);
    let signed = signed(app, parts, &query)?;
    let named = httpsig::parameters(&signed.call, &signed.headers.signature_input)
        .map_err(|error| refused(&error))?;
    let Some(device) = app.store.caller_by_key(&named.key_id).await? else {
        return Err(unknown_key(&named.key_id));
    };
    let key = PublicKey::from_openssh(&device.public_key).map_err(|error| Refusal::internal(&error))?;
    let parameters = check(app, &signed, &key).await?;
    Ok(Caller { device, nonce: parameters.nonce })
}

/// Checks that `key` itself made this call: the proof of possession at enrolment. Gives the nonce of its signature.
///
/// # Errors
/// When it did not.
pub async fn possession(app: &App, parts: &Parts, key: &PublicKey) -> Result<String, Refusal> {
    let query = query(parts);
    let signed = signed(app, parts, &query)?;
    let parameters = check(app, &signed, key).await?;
    if parameters.key_id != key.fingerprint() {
        return Err(refused(&HttpSigError::Mismatch));
    }
    Ok(parameters.nonce)
}

async fn check(app: &App, signed: &Signed<'_>, key: &PublicKey) -> Result<Parameters, Refusal> {
    let parameters = httpsig::verify(key, &signed.call, &signed.headers, clock::now_unix_s())
        .map_err(|error| refused(&error))?;
    let keep_until = parameters.expires.saturating_add(NONCE_GRACE_S);
    if !app.store.spend_nonce(&key.fingerprint(), &parameters.nonce, keep_until).await? {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "replay",
            "This very call was made before.",
            "Nothing needs doing: a repeated call is refused, a new one is signed anew. If it goes on, look for a \
             proxy that repeats requests.",
        ));
    }
    Ok(parameters)
}

fn refused(error: &HttpSigError) -> Refusal {
    match error {
        HttpSigError::Clock { .. } => Refusal::new(
            StatusCode::UNAUTHORIZED,
            "clock-skew",
            error.to_string(),
            "The device corrects its signatures by the Date of this answer; set its clock when you can.",
        ),
        HttpSigError::Profile(_) | HttpSigError::Mismatch => Refusal::new(
            StatusCode::UNAUTHORIZED,
            "signature",
            error.to_string(),
            "Check that the device calls the portal by its public URL, as on its card; else enrol again.",
        ),
    }
}

/// The refusal of a key that is nobody's here.
pub fn unknown_key(key_id: &str) -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "unknown-key",
        format!("Key {key_id} is not enrolled here."),
        "Ask the support engineer for an enrolment code and run: assay enroll",
    )
}

/// The device of a call, and its whole body, checked against the signed digest.
///
/// # Errors
/// When either is not as it has to be.
pub async fn with_body(request: Request, most_bytes: usize) -> Result<(Device, Bytes), Refusal> {
    let (parts, body) = request.into_parts();
    let device = device(&parts)?;
    let body = axum::body::to_bytes(body, most_bytes)
        .await
        .map_err(|_| Refusal::bad_call("The body is too long or broke off."))?;
    body_digest(&parts, &body)?;
    Ok((device, body))
}

/// Checks `Content-Digest` of a whole body.
///
/// # Errors
/// When it is missing or does not fit.
pub fn body_digest(parts: &Parts, body: &[u8]) -> Result<(), Refusal> {
    match single(&parts.headers, "content-digest")? {
        Some(digest) if digest == httpsig::content_digest(body) => Ok(()),
        Some(_) => Err(digest_refused()),
        None => Err(Refusal::bad_call("A call with a body needs a Content-Digest.")),
    }
}

/// The answer to a body that is not what was signed.
pub fn digest_refused() -> Refusal {
    Refusal::new(
        StatusCode::BAD_REQUEST,
        "digest",
        "The body does not fit its signed Content-Digest: it was damaged on the way.",
        "Nothing was kept of it; the device sends it again by itself.",
    )
}
