//! A bundle that names a support request: taken only when the owner consented to exactly these bytes.
//!
//! Decided from the signed manifest alone, before anything is decrypted. Refused are: a request that is not this
//! device's, or is denied, cancelled, answered or expired; another nonce; no consent, or one to another manifest; a
//! redaction that is weaker than asked or than consented to; recipients that the owner did not see; a recording.

use assay_bundle::Manifest;
use assay_bundle::consent::Consent;
use assay_bundle::digest::sha256_hex;
use assay_bundle::manifest::RunSource;
use assay_bundle::redact::Level;
use assay_bundle::support_request::{SupportRequest, redacts_at_least};

use super::IngestError;
use super::envelope::Admitted;
use crate::app::App;
use crate::refusal::chain;
use crate::store::bundles::Pending;
use crate::store::requests::RequestRow;

/// A request that a bundle may answer.
pub struct Answered {
    /// Request.
    pub request_id: String,
    /// The consent to this bundle.
    pub consent_id: i64,
    /// Whether the receipt may say "ready".
    pub ready: bool,
}

/// Finds request and consent of a bundle, or says why it is refused. `None` for a bundle that names no request.
///
/// # Errors
/// Refused, with the reason and the next step.
pub async fn check(
    app: &App,
    bundle: &Pending,
    admitted: &Admitted,
) -> Result<Option<Answered>, IngestError> {
    let manifest = &admitted.manifest;
    let Some(id) = &manifest.request_id else {
        return match manifest.nonce {
            Some(_) => refuse("it carries a nonce and names no support request"),
            None => Ok(None),
        };
    };
    let Some(row) = app.store.request_of(&bundle.device_id, id).await? else {
        return refuse("it names a support request that this device was never sent");
    };
    open(&row, bundle.received_at)?;
    let Some(kept) = app.store.consent(&row.id).await? else {
        return refuse("no consent of the owner came before it: run assay support approve on the device");
    };
    let trouble = |error| IngestError::Trouble(chain(&error));
    let (request, consent) = (row.request().map_err(trouble)?, kept.consent().map_err(trouble)?);
    if kept.received_at > bundle.received_at {
        return refuse("the consent came after it: send the bundle again");
    }
    fits(manifest, &sha256_hex(admitted.manifest_text.as_bytes()), &request, &consent)
        .map_err(|why| IngestError::Refused(why.to_owned()))?;
    Ok(Some(Answered { request_id: row.id, consent_id: kept.id, ready: consent.makes_ready() }))
}

fn refuse<T>(why: &str) -> Result<T, IngestError> {
    Err(IngestError::Refused(why.to_owned()))
}

/// Whether a request could be answered when the last byte came.
fn open(row: &RequestRow, received_at: i64) -> Result<(), IngestError> {
    match row.state.as_str() {
        "open" if received_at >= row.expires_at => {
            refuse("its support request has expired: ask the support engineer for a new one")
        }
        "open" => Ok(()),
        "denied" => refuse("its support request was denied by the owner"),
        "cancelled" => refuse("its support request was cancelled: nothing more is needed for it"),
        _ => refuse("its support request was answered before by another bundle"),
    }
}

/// The manifest against request and consent.
fn fits(
    manifest: &Manifest,
    manifest_sha256: &str,
    request: &SupportRequest,
    consent: &Consent,
) -> Result<(), &'static str> {
    let or = |holds: bool, why| if holds { Ok(()) } else { Err(why) };
    or(manifest.source == RunSource::Live, "it is a recording, and a support request wants a live run")?;
    or(
        manifest.nonce.as_deref() == Some(request.nonce.as_str()),
        "its nonce is not the support request's: it was not made for this request",
    )?;
    or(
        consent.manifest_sha256 == manifest_sha256,
        "the owner consented to other bytes: show the owner this bundle and ask again",
    )?;
    let level = manifest.redaction.level.parse::<Level>();
    let redacted = level.as_ref().is_ok_and(|level| {
        redacts_at_least(*level, request.redaction) && redacts_at_least(*level, consent.redaction)
    });
    or(redacted, "it is redacted less than the support request or the owner demands")?;
    or(
        manifest.recipients.iter().all(|recipient| consent.recipients.contains(recipient)),
        "it is encrypted for a recipient that the owner did not see",
    )
}
