//! A bundle that names a support request: taken only when the owner consented to exactly these bytes.
//!
//! Decided from the signed manifest alone, before anything is decrypted. Refused are: a request that is not this
//! device's, or is denied, cancelled, answered or expired; another nonce; no consent, or one to another manifest; a
//! redaction that is weaker than asked or than consented to; a waiver that has lapsed; recipients that the owner did
//! not see; a recording. A request may also be answered by its nonce alone, by a bundle that was brought by hand.

use assay_bundle::Manifest;
use assay_bundle::consent::{Consent, Safeguard};
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
    /// The consent to this bundle; none where it names the request by its nonce alone and was brought by hand.
    pub consent_id: Option<i64>,
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
        return match (&manifest.nonce, &bundle.brought_by) {
            (Some(nonce), Some(_)) => by_nonce(app, bundle, manifest, nonce).await.map(Some),
            (Some(_), None) => refuse(
                "it carries a nonce and names no support request: what answers a code or a file is brought by \
                 hand, assay-portal bundle import FILE",
            ),
            (None, _) => Ok(None),
        };
    };
    let Some(row) = app.store.of(&bundle.tenant).request_of(&bundle.device_id, id).await? else {
        return refuse("it names a support request that this device was never sent");
    };
    open(&row, bundle.received_at)?;
    let Some(kept) = app.store.of(&bundle.tenant).consent(&row.id).await? else {
        return refuse(
            "no consent of the owner came before it: run assay support approve on the device, which seals a new one",
        );
    };
    let trouble = |error| IngestError::Trouble(chain(&error));
    let (request, consent) = (row.request().map_err(trouble)?, kept.consent().map_err(trouble)?);
    if kept.received_at > bundle.received_at {
        return refuse(
            "the consent came after it: run assay support approve on the device, which seals a new one",
        );
    }
    if let Safeguard::Waiver(waiver) = &consent.safeguard
        && bundle.received_at >= waiver.expires_unix_s
    {
        return refuse("the waiver of the recovery copy has lapsed: take the copy, or accept again");
    }
    fits(manifest, &sha256_hex(admitted.manifest_text.as_bytes()), &request, &consent)
        .map_err(|why| IngestError::Refused(why.to_owned()))?;
    Ok(Some(Answered { request_id: row.id, consent_id: Some(kept.id), ready: consent.makes_ready() }))
}

/// The request whose code the owner typed, or whose file. There is no consent record and no recovery copy behind such a
/// bundle, so it never makes a request ready for remote support: naming the request on the device and handing over the
/// disk consents to this bundle and to nothing else.
async fn by_nonce(
    app: &App,
    bundle: &Pending,
    manifest: &Manifest,
    nonce: &str,
) -> Result<Answered, IngestError> {
    let Some(row) = app.store.of(&bundle.tenant).request_by_nonce(&bundle.device_id, nonce).await? else {
        return refuse(
            "its nonce is of no request that was issued for this device: read the owner the right code",
        );
    };
    open(&row, bundle.received_at)?;
    let request = row.request().map_err(|error| IngestError::Trouble(chain(&error)))?;
    if manifest.source != RunSource::Live {
        return refuse("it is a recording, and a support request wants a live run");
    }
    if !manifest
        .redaction
        .level
        .parse::<Level>()
        .is_ok_and(|level| redacts_at_least(level, request.redaction))
    {
        return refuse(
            "it is redacted less than the support request demands: collect with --redaction strict",
        );
    }
    Ok(Answered { request_id: row.id, consent_id: None, ready: false })
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
