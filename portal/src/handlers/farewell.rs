//! `POST /api/v1/farewell`: a device leaves, with a goodbye or with the deletion of everything.
//!
//! Answered with our signed word: a revocation, or the receipt of the deletion. Who asks again, because the answer was
//! lost, gets a word of the same meaning. A key that was revoked for another reason deletes nothing: whoever revoked it
//! may have had a thief in mind.

use assay_bundle::key_life::{Farewell, Leaving};
use assay_bundle::keys::PublicKey;
use assay_bundle::sshsig;
use assay_bundle::statement::Signed;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;

use crate::app::{App, Shared};
use crate::clock;
use crate::device_call;
use crate::erase;
use crate::refusal::{Refusal, chain};
use crate::store::devices::Device;

/// Reason of a revocation by goodbye.
const GOODBYE: &str = "its owner ended the enrolment";
/// Reason of a revocation that a deletion begins with.
const DELETION: &str = "its owner asked for the deletion of everything";

/// Lets it go.
pub(super) async fn handle(State(app): State<Shared>, request: Request) -> Result<Json<Signed>, Refusal> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, super::MOST_BODY_BYTES)
        .await
        .map_err(|_| Refusal::bad_call("The farewell is too long or broke off."))?;
    device_call::body_digest(&parts, &body)?;
    let signed: Signed = serde_json::from_slice(&body)
        .map_err(|error| Refusal::bad_call(format!("The farewell is not understood: {error}.")))?;
    // A device that is deleted is not in the database any more: its own key tells who asks.
    let key = sshsig::named_key(&signed.signature)
        .map_err(|error| Refusal::bad_call(format!("The farewell is not signed: {error}.")))?;
    let farewell: Farewell = signed
        .open(&key)
        .map_err(|error| Refusal::bad_call(format!("The farewell is refused: {}.", chain(&error))))?;
    let nonce = device_call::possession(&app, &parts, &key).await?;
    let root = PublicKey::from_openssh(&app.card.root_key).map_err(|error| Refusal::internal(&error))?;
    if farewell.key_id != key.fingerprint() || farewell.portal_root != root.fingerprint() {
        return Err(Refusal::bad_call("The farewell is of another key or to another portal."));
    }
    let Some(device) = app.store.caller_by_key(&farewell.key_id).await? else {
        return match app.store.deletion_of_key(&farewell.key_id).await? {
            Some(receipt) if farewell.wants == Leaving::Deletion => Ok(Json(receipt)),
            _ => Err(device_call::unknown_key(&farewell.key_id)),
        };
    };
    if device.id != farewell.device_id {
        return Err(Refusal::bad_call("The farewell is of another device."));
    }
    match farewell.wants {
        Leaving::Goodbye => goodbye(&app, &device, &nonce).await.map(Json),
        Leaving::Deletion => delete(&app, &device, &nonce).await.map(Json),
    }
}

async fn goodbye(app: &App, device: &Device, nonce: &str) -> Result<Signed, Refusal> {
    if device.revoked_at.is_some() && device.revoked_reason != GOODBYE {
        return Err(device_call::revoked(app, device, nonce));
    }
    let device = revoke(app, device, GOODBYE).await?;
    tracing::info!(device = %device.id, "a device said goodbye");
    device_call::revocation(app, &device, nonce)
}

async fn delete(app: &App, device: &Device, nonce: &str) -> Result<Signed, Refusal> {
    if device.revoked_at.is_some() && ![GOODBYE, DELETION].contains(&device.revoked_reason.as_str()) {
        return Err(device_call::revoked(app, device, nonce));
    }
    // From here on nothing more comes from it.
    let device = revoke(app, device, DELETION).await?;
    let unit = app.store.of(&device.tenant).same_unit(&device).await?;
    let reopen = || unit.iter().for_each(|one| app.busy.open(&one.id));
    if !unit.iter().all(|one| app.busy.close(&one.id)) {
        reopen();
        return Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "A bundle of this device is being read.",
            "The deletion is noted and nothing more is taken; ask again in a minute.",
        )
        .with("retry-after", "5"));
    }
    let erased = erase::erase(&app.dir, app.store.of(&device.tenant), &app.card, &app.online, &device).await;
    reopen();
    let receipt = erased.map_err(|error| Refusal::internal(&error))?;
    tracing::info!(device = %device.id, "deleted a device at its owner's wish");
    Ok(receipt)
}

/// Revokes the key for this reason; one that was revoked before stays so.
async fn revoke(app: &App, device: &Device, why: &str) -> Result<Device, Refusal> {
    app.store.of(&device.tenant).revoke_device(&device.id, why, clock::now_unix_s()).await?;
    let now = app.store.of(&device.tenant).device(&device.id).await?;
    Ok(now.unwrap_or_else(|| device.clone()))
}
