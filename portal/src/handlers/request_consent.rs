//! `POST /api/v1/requests/{id}/consent`: the owner's signed consent, before the bundle.
//!
//! Refused are: a signature by another key than the calling device's, a request that is not open, and a consent that
//! does not fit it ([`assay_bundle::consent::Consent::fits`]). The same bytes again are answered as before.

use assay_bundle::consent::{Consent, Misfit};
use assay_bundle::keys::PublicKey;
use assay_bundle::statement::{Signed, StatementError};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;

use crate::app::Shared;
use crate::clock;
use crate::device_call;
use crate::refusal::{Refusal, chain};
use crate::store::consents::Kept;
use crate::store::requests::RequestRow;

/// Takes a consent.
pub(super) async fn handle(
    State(app): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let (device, body) = device_call::with_body(request, super::MOST_BODY_BYTES).await?;
    let row = app.store.of(&device.tenant).request_of(&device.id, &id).await?.ok_or_else(unknown_request)?;
    let signed = signed(&body)?;
    let key = PublicKey::from_openssh(&device.public_key).map_err(|error| Refusal::internal(&error))?;
    let consent: Consent = signed.open(&key).map_err(|error| statement_refused(&error))?;
    let now = clock::now_unix_s();
    let before = app.store.of(&device.tenant).consent(&row.id).await?;
    let again = before.is_some_and(|before| before.document == signed.document);
    if again && matches!(row.state.as_str(), "open" | "answered") {
        return Ok(StatusCode::NO_CONTENT);
    }
    must_be_open(&row, now)?;
    let asked = row.request().map_err(|error| Refusal::internal(&error))?;
    consent.fits(&asked, now).map_err(misfit)?;
    if asked.portal_fingerprint != app.card.fingerprint() || !consent.recipients.contains(&app.card.recipient)
    {
        return Err(misfit(Misfit::Portal));
    }
    match app.store.of(&device.tenant).keep_consent(&device.id, &consent, &signed, now).await? {
        Kept::New => {
            tracing::info!(request = %row.id, device = %device.id, standing = consent.standing, "consented");
            Ok(StatusCode::NO_CONTENT)
        }
        Kept::Same => Ok(StatusCode::NO_CONTENT),
        Kept::Closed => Err(closed("The request was closed in the meantime.")),
        Kept::UnderWay => Err(Refusal::new(
            StatusCode::CONFLICT,
            "upload-under-way",
            "Another consent was given for this request, and an upload is under way.",
            "Wait for its receipt; if the bundle is refused, send this consent again.",
        )
        .with("retry-after", "30")),
    }
}

/// A statement with its signature, as a body.
///
/// # Errors
/// When it is none.
pub(super) fn signed(body: &[u8]) -> Result<Signed, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_call(format!("The body is no signed statement: {error}.")))
}

/// The answer to another device's request, and to none.
pub(super) fn unknown_request() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "unknown-request",
        "This portal has sent no such support request to this device.",
        "Poll again, or ask the support engineer which request is meant.",
    )
}

/// The answer to a statement that is not signed as it has to be, or says what nobody can mean.
pub(super) fn statement_refused(error: &StatementError) -> Refusal {
    let kind = match error {
        StatementError::Signature { .. } => "statement-signature",
        _ => "statement-invalid",
    };
    Refusal::new(
        StatusCode::BAD_REQUEST,
        kind,
        chain(error),
        "Nothing was kept. Update Assay on the device; if it goes on, tell the support engineer.",
    )
}

/// Refuses what comes after the end of a request.
///
/// # Errors
/// When it is no longer open.
pub(super) fn must_be_open(row: &RequestRow, now: i64) -> Result<(), Refusal> {
    if row.is_open(now) {
        return Ok(());
    }
    Err(match row.state.as_str() {
        "open" => closed("This support request has expired."),
        "denied" => closed("This support request was denied by the owner."),
        "cancelled" => closed("This support request was cancelled by the support engineer."),
        _ => Refusal::new(
            StatusCode::CONFLICT,
            "request-answered",
            "This support request was answered by a bundle before.",
            "Nothing needs doing: its receipt says whether it is ready for remote support.",
        ),
    })
}

fn closed(title: &str) -> Refusal {
    Refusal::new(
        StatusCode::GONE,
        "request-closed",
        title,
        "Nothing needs doing. If help is still wanted, ask the support engineer for a new request.",
    )
}

fn misfit(misfit: Misfit) -> Refusal {
    if misfit == Misfit::Expired {
        return closed("This support request has expired.");
    }
    let mut title = misfit.to_string();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Refusal::new(
        StatusCode::CONFLICT,
        "consent-refused",
        format!("{title}."),
        "Nothing was kept. Run assay support show on the device, and approve what it shows.",
    )
}
