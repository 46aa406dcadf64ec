//! Empties the spool: every sealed bundle that waits, oldest first.
//!
//! One bundle's failure does not stop the others; what would stop all of them (no connection, an unknown key, a
//! foreign certificate) ends the run and is said once. Held entries wait for the owner's consent and are passed over. Entries without a sealed form are not touched: they were made
//! before there was a portal to seal them for.

use std::time::Duration;

use assay_bundle::enrolment::PortalCard;
use assay_bundle::keys::SigningKey;
use assay_bundle::receipt::{Receipt, ReceiptStatus, SignedReceipt};

use crate::portal::{Portal, PortalError, chain};
use crate::retry::{self, Next, RetryPolicy};
use crate::spool::{Entry, Spool, SpoolError, State};
use crate::trust::Trust;
use crate::tus::{Progress, Resume, Sent, Upload, UploadError, upload_file};

/// How a run is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct DrainOptions {
    /// Patience with each bundle.
    pub policy: RetryPolicy,
    /// Leave out bundles whose next attempt is not due: for scheduled runs. A person who asks waits for nothing.
    pub only_due: bool,
    /// Leave out bundles that nobody has begun to send: a bundle leaves when a person says so, and a scheduled run only
    /// goes on with what that person began.
    pub only_begun: bool,
}

/// What became of one bundle.
#[derive(Debug)]
pub enum Outcome {
    /// Accepted, and the receipt is kept.
    Accepted(Receipt),
    /// Refused, by a signed receipt or by a call; the bundle stays in the spool with the reason.
    Refused {
        /// The portal's reason.
        reason: String,
    },
    /// Uploaded, the portal is still reading it: the next run fetches the receipt.
    StillReading,
    /// Not through in this run; it goes on in the next.
    Failed(UploadError),
}

/// What a run did.
#[derive(Debug, Default)]
pub struct DrainReport {
    /// Each bundle that was tried, in order, by id.
    pub bundles: Vec<(String, Outcome)>,
    /// Bundles that were left alone because the run ended early.
    pub not_tried: usize,
    /// Bundles left alone because their next attempt is not due.
    pub not_due: usize,
    /// Outcomes that could not be written into the spool (a volume that is full or went read-only). The next run asks
    /// the portal again and sends nothing twice.
    pub unrecorded: Vec<SpoolError>,
}

impl DrainReport {
    /// Whether nothing that was to be sent is still waiting.
    pub fn is_complete(&self) -> bool {
        self.not_tried == 0 && self.bundles.iter().all(|(_, outcome)| matches!(outcome, Outcome::Accepted(_)))
    }

    /// The last `seq` the portal names in its receipts: a device that lost its state goes on above it.
    pub fn last_seq(&self) -> Option<u64> {
        let accepted = self.bundles.iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Accepted(receipt) => Some(receipt.last_seq),
            _ => None,
        });
        accepted.max()
    }
}

/// Uploads what waits. `card` is the card that was pinned at enrolment; receipts are believed by it.
///
/// # Errors
/// The spool cannot be read or another process uploads from it, or the pinned card is no card. What happens to single
/// bundles is in the report.
pub async fn drain(
    spool: &Spool,
    portal: &Portal,
    key: &SigningKey,
    card: &PortalCard,
    options: &DrainOptions,
    progress: &dyn Fn(Progress),
) -> Result<DrainReport, DrainError> {
    let trust = Trust::from_card(card).map_err(PortalError::Trust)?;
    let _uploading = spool.lock_uploads()?;
    let mut report = DrainReport::default();
    let waiting = spool.entries()?.into_iter().filter(is_waiting);
    let waiting: Vec<Entry> = waiting.filter(|entry| !options.only_begun || is_begun(entry)).collect();
    let mut waiting = waiting.into_iter();
    for entry in waiting.by_ref() {
        if options.only_due && !is_due(&entry, portal.now_unix_s(), &options.policy) {
            report.not_due += 1;
            continue;
        }
        let result = send(spool, portal, key, &trust, options, &entry, progress).await;
        let ends_run = result.as_ref().is_err_and(concerns_all);
        let (outcome, recorded) = record(spool, portal, options, &entry, result);
        if let Err(error) = recorded {
            tracing::warn!(id = %entry.id, error = chain(&error), "what became of a bundle cannot be written down");
            report.unrecorded.push(error);
        }
        report.bundles.push((entry.id, outcome));
        if ends_run {
            break;
        }
    }
    report.not_tried = waiting.len();
    Ok(report)
}

/// Uploads one entry and no other: what the owner consented to a moment ago leaves alone.
///
/// # Errors
/// As [`drain`]; an entry that is held, or has no sealed form, gives an empty report.
pub async fn drain_one(
    spool: &Spool,
    portal: &Portal,
    key: &SigningKey,
    card: &PortalCard,
    id: &str,
    progress: &dyn Fn(Progress),
) -> Result<DrainReport, DrainError> {
    let trust = Trust::from_card(card).map_err(PortalError::Trust)?;
    let _uploading = spool.lock_uploads()?;
    let mut report = DrainReport::default();
    let entry = spool.entry(id)?;
    if !is_waiting(&entry) {
        return Ok(report);
    }
    let options = DrainOptions::default();
    let result = send(spool, portal, key, &trust, &options, &entry, progress).await;
    let (outcome, recorded) = record(spool, portal, &options, &entry, result);
    report.unrecorded.extend(recorded.err());
    report.bundles.push((entry.id, outcome));
    Ok(report)
}

/// Why a run could not be made at all.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The pinned card.
    #[error(transparent)]
    Portal(#[from] PortalError),
}

/// Whether a person has begun to send a bundle, and it is not through yet.
pub fn is_begun(entry: &Entry) -> bool {
    is_waiting(entry) && (entry.meta.attempts > 0 || matches!(entry.meta.state, State::Uploading { .. }))
}

fn is_waiting(entry: &Entry) -> bool {
    let open = matches!(entry.meta.state, State::Waiting | State::Uploading { .. });
    open && entry.held_for.is_none() && entry.sealed.is_some() && entry.meta.sha256_sealed.is_some()
}

/// A time further away than any wait we would set was written by a clock that has jumped since: it is due.
fn is_due(entry: &Entry, now_unix_s: i64, policy: &RetryPolicy) -> bool {
    let longest_s = i64::try_from(longest_schedule_s(policy)).unwrap_or(i64::MAX);
    entry
        .meta
        .next_attempt_unix_s
        .is_none_or(|at| at <= now_unix_s || at > now_unix_s.saturating_add(longest_s))
}

/// Between scheduled attempts of one bundle: at most this many times the longest single wait (about an hour with the
/// default policy), or a day when the portal asks for it.
fn longest_schedule_s(policy: &RetryPolicy) -> u64 {
    (policy.cap.as_secs() * SCHEDULE_CAPS).max(DAY_S)
}

const SCHEDULE_CAPS: u64 = 60;
const DAY_S: u64 = 86_400;

async fn send(
    spool: &Spool,
    portal: &Portal,
    key: &SigningKey,
    trust: &Trust,
    options: &DrainOptions,
    entry: &Entry,
    progress: &dyn Fn(Progress),
) -> Result<Sent, UploadError> {
    let (Some(path), Some(sha256)) = (&entry.sealed, &entry.meta.sha256_sealed) else {
        return Err(SpoolError::NoSuchEntry { id: entry.id.clone(), dir: spool.dir().to_owned() }.into());
    };
    let resume = match &entry.meta.state {
        State::Uploading { url, part_bytes } => Some(Resume { url: url.clone(), part_bytes: *part_bytes }),
        _ => None,
    };
    let size_bytes = entry.meta.size_sealed_bytes.unwrap_or_default();
    let upload = Upload { id: &entry.id, path, sha256: sha256.clone(), size_bytes, resume };
    let mut remember = |resume: &Resume| {
        let state = State::Uploading { url: resume.url.clone(), part_bytes: resume.part_bytes };
        spool.update(&entry.id, |meta| meta.state = state).map(|_| ())
    };
    upload_file(portal, key, trust, &options.policy, &upload, &mut remember, progress).await
}

/// What became of a bundle, and whether the spool could be told.
fn record(
    spool: &Spool,
    portal: &Portal,
    options: &DrainOptions,
    entry: &Entry,
    result: Result<Sent, UploadError>,
) -> (Outcome, Result<Entry, SpoolError>) {
    let id = &entry.id;
    let in_s = |wait: Duration| {
        let wait_s = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        Some(portal.now_unix_s().saturating_add(wait_s))
    };
    match result {
        Ok(Sent::Receipt { signed, receipt }) if receipt.status == ReceiptStatus::Accepted => {
            let recorded = spool.accepted(id, |meta| {
                meta.state = State::Done { receipt: signed };
                (meta.last_error, meta.next_attempt_unix_s) = (None, None);
            });
            (Outcome::Accepted(receipt), recorded)
        }
        Ok(Sent::Receipt { signed, receipt }) => refuse(spool, id, receipt.reason, Some(signed)),
        Ok(Sent::StillReading { wait }) => {
            let recorded = spool.update(id, |meta| {
                (meta.last_error, meta.next_attempt_unix_s) = (None, in_s(wait));
            });
            (Outcome::StillReading, recorded)
        }
        Err(UploadError::Refused(error)) => refuse(spool, id, error.to_string(), None),
        Err(error) => {
            let asked = match &error {
                UploadError::GaveUp { wait, .. } => Some(*wait),
                _ => None,
            };
            let attempts = entry.meta.attempts.saturating_add(1);
            let (Next::After(wait) | Next::GiveUp(wait)) =
                schedule(&options.policy).next(attempts, asked, retry::random());
            let message = chain(&error);
            let recorded = spool.update(id, |meta| {
                meta.attempts = attempts;
                (meta.last_error, meta.next_attempt_unix_s) = (Some(message), in_s(wait));
            });
            (Outcome::Failed(error), recorded)
        }
    }
}

/// Between runs the same backoff goes on with longer waits.
fn schedule(policy: &RetryPolicy) -> RetryPolicy {
    let longest = policy.cap * u32::try_from(SCHEDULE_CAPS).unwrap_or(u32::MAX);
    RetryPolicy { base: policy.cap, cap: longest, longest_wait: longest, failures: u32::MAX, ..*policy }
}

fn refuse(
    spool: &Spool,
    id: &str,
    reason: String,
    receipt: Option<SignedReceipt>,
) -> (Outcome, Result<Entry, SpoolError>) {
    let state = State::Refused { reason: reason.clone(), receipt };
    let recorded = spool.update(id, |meta| {
        meta.state = state;
        (meta.last_error, meta.next_attempt_unix_s) = (Some(reason.clone()), None);
    });
    (Outcome::Refused { reason }, recorded)
}

/// Whether the next bundle would meet the same.
fn concerns_all(error: &UploadError) -> bool {
    match error {
        UploadError::Stopped(
            PortalError::File { .. } | PortalError::Trust(_) | PortalError::Answer { .. },
        ) => false,
        UploadError::Stopped(_) | UploadError::Spool(_) => true,
        UploadError::GaveUp { source: PortalError::Connection { cause, .. }, .. } => {
            cause.concerns_every_call()
        }
        UploadError::GaveUp { .. } | UploadError::Refused(_) | UploadError::Changed { .. } => false,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
