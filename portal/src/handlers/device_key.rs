//! `POST /api/v1/device-key`: a device puts a new key in the place of its old one.
//!
//! The statement is signed by the old key, the call by the new one. Refused are: a statement for another portal or by a
//! key that does not count, a new key that is or was somebody's, a revoked key. The same change again gets the same
//! answer, so that a device that lost our answer can ask again.

use assay_bundle::key_life::{DeviceKeyChange, KeyChanged};
use assay_bundle::keys::PublicKey;
use assay_bundle::sshsig;
use assay_bundle::statement::Signed;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;

use crate::app::Shared;
use crate::clock;
use crate::device_call;
use crate::refusal::{Refusal, chain};
use crate::store::key_life::{KeyChange, NewKey};

/// Changes the key.
pub(super) async fn handle(State(app): State<Shared>, request: Request) -> Result<Json<KeyChanged>, Refusal> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, super::MOST_BODY_BYTES)
        .await
        .map_err(|_| Refusal::bad_call("The change of the key is too long or broke off."))?;
    device_call::body_digest(&parts, &body)?;
    let signed: Signed = serde_json::from_slice(&body)
        .map_err(|error| Refusal::bad_call(format!("The change of the key is not understood: {error}.")))?;
    let old = sshsig::named_key(&signed.signature)
        .map_err(|error| Refusal::bad_call(format!("The change of the key is not signed: {error}.")))?;
    let change: DeviceKeyChange = signed.open(&old).map_err(|error| {
        Refusal::bad_call(format!("The change of the key is refused: {}.", chain(&error)))
    })?;
    let new = PublicKey::from_openssh(&change.new_key)
        .map_err(|_| Refusal::bad_call("The new key is not an Ed25519 key."))?;
    device_call::possession(&app, &parts, &new).await?;
    let root = PublicKey::from_openssh(&app.card.root_key).map_err(|error| Refusal::internal(&error))?;
    if change.old_key_id != old.fingerprint() || change.portal_root != root.fingerprint() {
        return Err(Refusal::bad_call("The change of the key is for another key or another portal."));
    }
    let new_key = NewKey {
        device_id: &change.device_id,
        old_key_id: &change.old_key_id,
        key_id: &new.fingerprint(),
        public_key: &new.to_openssh(),
        change: &signed,
        now: clock::now_unix_s(),
    };
    // By the old key; or by the new one, when the same change comes again.
    let known = match app.store.caller_by_key(&change.old_key_id).await? {
        None => app.store.caller_by_key(new_key.key_id).await?,
        known => known,
    };
    let Some(known) = known else { return Err(device_call::unknown_key(&change.old_key_id)) };
    let device = match app.store.of(&known.tenant).change_key(&new_key).await? {
        KeyChange::Done(device) => device,
        // Unsigned: the call is the new key's, and our word would be about the old one. Any call of that one is told.
        KeyChange::Revoked(device) => {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "key-revoked",
                format!("Key {} was revoked here, so it cannot name another.", device.key_id),
                "Nothing is lost on the device. Ask the support engineer.",
            ));
        }
        KeyChange::NotTheKey => return Err(device_call::unknown_key(&change.old_key_id)),
        KeyChange::Known => {
            return Err(Refusal::new(
                StatusCode::CONFLICT,
                "key-known",
                "The new key is or was the key of a device.",
                "Make a new one: assay rotate-key",
            ));
        }
    };
    tracing::info!(device = %device.id, key = %device.key_id, "changed the key of a device");
    Ok(Json(KeyChanged {
        device_id: device.id,
        key_id: device.key_id,
        last_seq: u64::try_from(device.last_seq).unwrap_or_default(),
    }))
}
