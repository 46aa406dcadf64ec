//! `GET /api/v1/card`: what the portal says of itself, before anything is promised.

use axum::Json;
use axum::extract::State;

use assay_bundle::enrolment::PortalCard;

use crate::app::Shared;

/// The card, unsigned: what makes it trustworthy is the fingerprint that a person compares.
pub(super) async fn handle(State(app): State<Shared>) -> Json<PortalCard> {
    Json(app.card.clone())
}
