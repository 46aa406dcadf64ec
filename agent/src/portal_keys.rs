//! The portal's newer keys: taken only under the signature of the root key that the owner compared, and under a higher
//! number than those of now. Everything else that the owner compared stays as it was.

use assay_uploader::{Portal, Trust, TrustError};

use crate::audit::{Log, What};
use crate::context::Context;
use crate::identity::{Enrolment, Identity};
use crate::output;
use crate::trouble::NextStep;

/// The enrolment for the calls that follow. A portal that cannot be reached says nothing about its keys; what it shows
/// that is not to be believed ends the call.
pub(crate) async fn settled(
    context: &Context,
    identity: &Identity,
    enrolment: Enrolment,
    portal: &Portal,
) -> anyhow::Result<Enrolment> {
    match refresh(context, identity, &enrolment, portal).await {
        Ok(newer) => Ok(newer.unwrap_or(enrolment)),
        Err(error) if error.chain().any(|cause| cause.is::<TrustError>()) => Err(error),
        Err(error) => {
            tracing::info!("the portal's card was not looked at: {error:#}");
            Ok(enrolment)
        }
    }
}

/// Looks at the portal's card and takes newer keys from it; the enrolment as it is then, when it changed.
///
/// # Errors
/// Not reachable, or keys that the root key did not sign, or older ones: nothing more is to be said to such a portal.
pub(crate) async fn refresh(
    context: &Context,
    identity: &Identity,
    enrolment: &Enrolment,
    portal: &Portal,
) -> anyhow::Result<Option<Enrolment>> {
    let shown = portal.card().await?;
    let newer = Trust::newer(&enrolment.card, &shown).or_advise(
        "the keys that the portal shows are not taken",
        "nothing was sent; ask the operator of the portal, and enrol again only when they confirm it",
    )?;
    let Some(card) = newer else { return Ok(None) };
    let number = Trust::keys_number(&card)?;
    let same_recipient = card.recipient == enrolment.card.recipient;
    let newer = Enrolment { card, ..enrolment.clone() };
    identity.update(&newer)?;
    let what = if same_recipient { "its online key" } else { "its keys and whom bundles are encrypted for" };
    let words = format!("the portal changed {what} (number {number}, signed by its root key)");
    Log::of(context).note(What::Key, None, &words);
    output::say(&format!(
        "The portal changed {what}: number {number}, signed by the root key that you compared."
    ));
    Ok(Some(newer))
}
