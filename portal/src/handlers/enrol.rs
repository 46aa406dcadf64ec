//! `POST /api/v1/enrol`: a one-time code and a new key become a device.
//!
//! Refused are: a call that the new key did not sign itself, a wrong, used, old or worn-out code, a code for another
//! unit, and an owner who accepted another portal's card. The same key with the same code again gets the same answer.

use std::net::SocketAddr;

use assay_bundle::digest::sha256_hex;
use assay_bundle::enrolment::{EnrolmentAnswer, EnrolmentRequest};
use assay_bundle::keys::PublicKey;
use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;

use crate::app::{App, Shared};
use crate::clock;
use crate::device_call;
use crate::refusal::Refusal;
use crate::store::codes::{Candidate, Redeemed};

/// Window in which wrong codes are counted, in seconds: the life of a code.
const WINDOW_S: i64 = 15 * 60;
/// Wrong codes in a window from one address. A person mistypes a few times; a guesser needs 2^49 tries.
const MOST_FROM_ADDRESS: i64 = 20;
/// Wrong codes in a window in all: 2^50 / 200 windows are 160 million years.
const MOST_IN_ALL: i64 = 200;
/// Kind of failure in the database.
const FAILURE: &str = "code";
/// Longest model, serial number or digest that is kept, in bytes.
const LONGEST_TEXT: usize = 256;
/// Most chassis digests.
const MOST_CHASSIS: usize = 32;

/// Enrols.
pub(super) async fn handle(
    State(app): State<Shared>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<Json<EnrolmentAnswer>, Refusal> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, super::MOST_BODY_BYTES)
        .await
        .map_err(|_| Refusal::bad_call("The enrolment request is too long or broke off."))?;
    device_call::body_digest(&parts, &body)?;
    let wanted: EnrolmentRequest = serde_json::from_slice(&body)
        .map_err(|error| Refusal::bad_call(format!("The enrolment request is not understood: {error}.")))?;
    let key = PublicKey::from_openssh(&wanted.public_key)
        .map_err(|_| Refusal::bad_call("The public key in the enrolment request is not an Ed25519 key."))?;
    device_call::possession(&app, &parts, &key).await?;
    check_lengths(&wanted)?;

    let now = clock::now_unix_s();
    let subject = address.ip().to_string();
    limit(&app, &subject, now).await?;
    let key_id = key.fingerprint();
    let chassis = serde_json::to_string(&wanted.chassis).map_err(|error| Refusal::internal(&error))?;
    let candidate = Candidate {
        code_sha256: &code_digest(&wanted.code),
        key_id: &key_id,
        public_key: &key.to_openssh(),
        model: wanted.model.as_deref(),
        serial: wanted.serial.as_deref(),
        chassis: &chassis,
        card_matches: wanted.card_fingerprint == app.card.fingerprint(),
        now,
        new_id: &uuid::Uuid::now_v7().to_string(),
    };
    let redeemed = app.store.redeem(&candidate).await?;
    if let Redeemed::Enrolled(device) = redeemed {
        tracing::info!(device = %device.id, key = %device.key_id, "enrolled a device");
        return Ok(Json(EnrolmentAnswer {
            device_id: device.id,
            key_id: device.key_id,
            card: app.card.clone(),
            last_seq: u64::try_from(device.last_seq).unwrap_or_default(),
        }));
    }
    app.store.add_failure(FAILURE, &subject, now).await?;
    Err(refused(&redeemed))
}

/// The digest under which a code is kept. Case, spaces and dashes do not matter, and the letters that Crockford's
/// base32 leaves out read as the digits they are mistaken for.
pub fn code_digest(typed: &str) -> String {
    let code: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    sha256_hex(code.as_bytes())
}

fn check_lengths(wanted: &EnrolmentRequest) -> Result<(), Refusal> {
    let texts = [&wanted.model, &wanted.serial].into_iter().flatten().chain(&wanted.chassis);
    if wanted.chassis.len() > MOST_CHASSIS
        || texts.into_iter().any(|text| text.len() > LONGEST_TEXT || text.contains('\0'))
    {
        return Err(Refusal::bad_call(
            "Model, serial number or chassis of the enrolment request is too long or no text.",
        ));
    }
    Ok(())
}

async fn limit(app: &App, subject: &str, now: i64) -> Result<(), Refusal> {
    let since = now - WINDOW_S;
    let from_address = app.store.failures_of(FAILURE, subject, since).await?;
    if from_address >= MOST_FROM_ADDRESS || app.store.failures_in_all(FAILURE, since).await? >= MOST_IN_ALL {
        return Err(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-tries",
            "Too many wrong enrolment codes were tried.",
            "Wait 15 minutes, ask for a new code and type it with care.",
        )
        .with("retry-after", WINDOW_S.to_string()));
    }
    Ok(())
}

fn refused(outcome: &Redeemed) -> Refusal {
    const NEW_CODE: &str = "Ask the support engineer for a new code (assay-portal enroll-code).";
    let (status, kind, title, next_step) = match outcome {
        Redeemed::Enrolled(_) | Redeemed::Unknown => (
            StatusCode::NOT_FOUND,
            "code-unknown",
            "This enrolment code is not known here.",
            "Check the code, and that this is the portal that gave it; type it again.",
        ),
        Redeemed::Used => {
            (StatusCode::CONFLICT, "code-used", "This enrolment code was used by another key.", NEW_CODE)
        }
        Redeemed::Expired => (StatusCode::GONE, "code-expired", "This enrolment code has expired.", NEW_CODE),
        Redeemed::TooManyTries => (
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-tries",
            "This enrolment code was tried too often and is dead.",
            NEW_CODE,
        ),
        Redeemed::CardMismatch => (
            StatusCode::CONFLICT,
            "card-mismatch",
            "The card that was accepted on the device is not this portal's.",
            "Compare the fingerprint on the device with the one that assay-portal card prints. If they differ, \
             somebody stands between: do not enrol.",
        ),
        Redeemed::KeyRevoked => (
            StatusCode::CONFLICT,
            "key-revoked",
            "The key of this device was revoked here: a code does not bring it back.",
            "Enrol with a new key: assay enroll --new-key, with the same code",
        ),
        Redeemed::KeyReplaced => (
            StatusCode::CONFLICT,
            "key-replaced",
            "This key was replaced by a newer one of its device.",
            "Enrol with a new key: assay enroll --new-key, with the same code",
        ),
        Redeemed::SerialMismatch => (
            StatusCode::CONFLICT,
            "serial-mismatch",
            "This enrolment code is for a unit with another serial number.",
            "Use the code on the unit that it was made for, or ask for one for this unit.",
        ),
        // Nor is a stranger told that somebody else has the unit: a new key is how a unit changes hands.
        Redeemed::OtherTenant => (
            StatusCode::CONFLICT,
            "key-elsewhere",
            "This key is enrolled already.",
            "Enrol with a new key: assay enroll --new-key, with the same code",
        ),
        // One text for all: the holder of a unit that was reported stolen learns nothing from it.
        Redeemed::NotInService => (
            StatusCode::CONFLICT,
            "not-in-service",
            "This serial number cannot be enrolled here.",
            "Ask the support engineer, and have the label with the serial number at hand.",
        ),
    };
    Refusal::new(status, kind, title, next_step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_may_be_typed_in_many_ways() {
        for typed in ["AB01Z-9XK12", "ab01z9xk12", " abo1z 9xkl2\n", "ABOIZ-9XKI2"] {
            assert_eq!(code_digest(typed), code_digest("AB01Z9XK12"), "{typed}");
        }
        assert_ne!(code_digest("AB01Z9XK13"), code_digest("AB01Z9XK12"));
    }
}
