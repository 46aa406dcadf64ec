//! The portal's signed word that this device's key counts no more: kept, explained, and asked about again once a day.
//!
//! The uploader has verified it (signed by the pinned portal, about our very call). Nothing is removed: what waits in the
//! spool goes on waiting, and a revocation can be taken back. The mark stands in the identity folder, written once; when
//! the daemon last looked is in RAM, so that a boot looks once more.

use std::fs;
use std::path::{Path, PathBuf};

use assay_bundle::key_life::Revocation;
use assay_bundle::poll::PollAnswer;
use assay_uploader::{DrainReport, Outcome, PortalError, Trust, UploadError};
use serde::{Deserialize, Serialize};

use crate::audit::{Log, What};
use crate::config::Config;
use crate::context::Context;
use crate::daemon::board;
use crate::{clock, output, portal};

const FILE: &str = "revoked.json";
const LOOKED: &str = "revoked-looked";
/// How often the daemon looks whether the revocation was taken back.
const LOOK_EVERY_S: u64 = 86_400;

/// What was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// The key, `SHA256:…`.
    pub(crate) key_id: String,
    /// The portal's reason.
    pub(crate) reason: String,
    /// Since when it counts no more, portal's clock.
    pub(crate) revoked_unix_s: i64,
    /// When we heard of it first, device's clock.
    pub(crate) told_unix_s: i64,
}

impl Told {
    /// For a person, with the next step.
    pub(crate) fn words(&self) -> String {
        format!(
            "the portal has revoked this device's key on {}: {}. Nothing is lost: what waits stays in the spool. Ask your \
             support engineer; when they take it back, `assay upload` goes on; with a new code `assay enroll --new-key`",
            clock::rfc3339(self.revoked_unix_s),
            self.reason.trim_end_matches('.')
        )
    }
}

/// What was told about the key of now. A mark that cannot be read says nothing: the portal says it again.
pub(crate) fn told(context: &Context) -> Option<Told> {
    let identity = context.identity();
    let told: Told = serde_json::from_slice(&fs::read(identity.dir().join(FILE)).ok()?).ok()?;
    let public = identity.public().ok()??;
    (told.key_id == public.fingerprint()).then_some(told)
}

/// Keeps what was told, once.
pub(crate) fn hear(context: &Context, revocation: &Revocation) -> anyhow::Result<()> {
    looked(context);
    let known = told(context);
    if known.is_some_and(|told| told.reason == revocation.reason) {
        return Ok(());
    }
    let told = Told {
        key_id: revocation.key_id.clone(),
        reason: revocation.reason.clone(),
        revoked_unix_s: revocation.revoked_unix_s,
        told_unix_s: context.clock.now_unix_s,
    };
    Log::of(context).note(What::Key, None, &format!("the portal revoked the key: {}", told.reason));
    output::replace_private(&context.identity().dir().join(FILE), &serde_json::to_vec_pretty(&told)?)
}

/// Keeps what a poll told: the same word, signed and bound to the call in another form.
pub(crate) fn hear_poll(context: &Context, answer: &PollAnswer) -> anyhow::Result<()> {
    let reason = answer.revoked_why.clone().unwrap_or_else(|| "no reason was given".to_owned());
    let revocation = Revocation {
        format: answer.format,
        device_id: answer.device_id.clone(),
        key_id: answer.key_id.clone(),
        call_nonce: answer.call_nonce.clone(),
        made_unix_s: answer.made_unix_s,
        revoked_unix_s: told(context).map_or(answer.made_unix_s, |told| told.revoked_unix_s),
        reason,
    };
    hear(context, &revocation)
}

/// The portal took our word, or there is another key: the mark goes.
pub(crate) fn clear(context: &Context) {
    let path = context.identity().dir().join(FILE);
    if fs::remove_file(path).is_ok() {
        Log::of(context).note(What::Key, None, "the portal takes the word of this key");
    }
    let _ = fs::remove_file(looked_path(context));
}

/// The revocation in an error, when it is that.
pub(crate) fn in_error(error: &anyhow::Error) -> Option<&Revocation> {
    error.chain().find_map(|cause| cause.downcast_ref::<PortalError>()?.revocation())
}

/// Takes in a revocation, where an error is that; what went well elsewhere says nothing.
pub(crate) fn learn_if_revoked<T>(context: &Context, result: &anyhow::Result<T>) {
    if result.is_err() {
        learn(context, result);
    }
}

/// Takes in what a signed call was answered.
pub(crate) fn learn<T>(context: &Context, result: &anyhow::Result<T>) {
    match result {
        Ok(_) => clear(context),
        Err(error) => {
            if let Some(revocation) = in_error(error)
                && let Err(error) = hear(context, revocation)
            {
                tracing::warn!("the revocation was not written down: {error:#}");
            }
        }
    }
}

/// Takes in what the calls of a round of uploads were answered; gives the revocation when it was that.
pub(crate) fn learn_of(context: &Context, report: &DrainReport) -> anyhow::Result<Option<Told>> {
    let outcomes = || report.bundles.iter().map(|(_, outcome)| outcome);
    let told = outcomes().find_map(|outcome| match outcome {
        Outcome::Failed(UploadError::Stopped(error)) => error.revocation(),
        _ => None,
    });
    match told {
        Some(revocation) => hear(context, revocation)?,
        None if outcomes().any(|outcome| matches!(outcome, Outcome::Accepted(_) | Outcome::StillReading)) => {
            clear(context);
        }
        None => {}
    }
    Ok(told.and(self::told(context)))
}

/// Asks the portal whether the key counts again: what a mark is worth when nothing else is to be sent.
pub(crate) async fn look(context: &Context, config: &Config) -> anyhow::Result<Option<Told>> {
    let identity = context.identity();
    let (Some(enrolment), Some(key)) = (identity.enrolment()?, identity.key()?) else { return Ok(None) };
    let trust = Trust::from_card(&enrolment.card)?;
    let portal = portal::enrolled(&enrolment, config, &identity, context.clock)?;
    let answer = portal.poll(&key, &trust, None, false).await?;
    match answer.revoked {
        true => hear_poll(context, &answer)?,
        false => clear(context),
    }
    Ok(told(context))
}

/// Whether a job that sends rests: the key is revoked, and the portal was asked within a day.
pub(crate) fn rests(context: &Context) -> Option<Told> {
    let told = told(context)?;
    rests_at(fs::read_to_string(looked_path(context)).ok().as_deref(), board::boot_s()).then_some(told)
}

/// By the clock that cannot jump: the seconds since boot at which was looked.
fn rests_at(looked: Option<&str>, boot_s: u64) -> bool {
    let looked: Option<u64> = looked.and_then(|text| text.trim().parse().ok());
    looked.is_some_and(|at| (at..at.saturating_add(LOOK_EVERY_S)).contains(&boot_s))
}

fn looked(context: &Context) {
    // Not written: looked again at the next job, and nothing worse.
    let _ = output::replace_private(&looked_path(context), board::boot_s().to_string().as_bytes());
}

fn looked_path(context: &Context) -> PathBuf {
    Path::new(&board::folder(&context.paths)).join(LOOKED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_look_a_day() {
        fn check(looked: Option<&str>, boot_s: u64, expected: bool) {
            assert_eq!(rests_at(looked, boot_s), expected, "{looked:?} {boot_s}");
        }
        check(None, 100, false);
        check(Some("damaged"), 100, false);
        check(Some("100"), 100, true);
        check(Some("100"), 100 + LOOK_EVERY_S - 1, true);
        check(Some("100"), 100 + LOOK_EVERY_S, false);
        // Of an earlier boot.
        check(Some("5000"), 100, false);
    }
}
