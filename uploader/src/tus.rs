//! One bundle to one portal: tus 1.0 (core and creation), parts that are signed one by one, and patience.
//!
//! Creation is idempotent: the portal knows a device's bundle by its SHA-256 and answers with the same upload however
//! often it is asked, so nothing is ever doubled. A part is committed whole or not at all (its digest is signed);
//! after any doubt the portal is asked how far it is (`HEAD`) and the upload goes on from there.
//!
//! | the portal or the line says | what happens |
//! |---|---|
//! | connection lost, silence, 408, 502, 504, a part that arrived damaged | half the part size, ask how far, go on |
//! | 413 from something that is no portal | a proxy with a body limit: half the part size, go on |
//! | 409, 423 on a part, 409 for the receipt | ask how far, go on |
//! | 404, 410 | the upload is gone: create it again, from 0 |
//! | any other 4xx to `HEAD`, which has no body for a reason | create it again: that answer has one |
//! | 429, other 5xx | wait (`Retry-After`, else backoff with jitter), go on |
//! | 400, 413, 415, 422 … with a reason | refused: the entry keeps the reason |
//! | 401, 403, 407, redirects, TLS | stop: no other bundle would fare better |

mod judge;
mod session;

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
pub(crate) mod double;
#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use assay_bundle::keys::SigningKey;
use assay_bundle::receipt::{Receipt, SignedReceipt};

use crate::portal::{Portal, PortalError};
use crate::retry::RetryPolicy;
use crate::spool::{SpoolError, disk};
use crate::trust::Trust;
use session::Session;

/// What is sent.
#[derive(Clone, Debug)]
pub struct Upload<'a> {
    /// Name for progress; the spool's id.
    pub id: &'a str,
    /// The sealed form.
    pub path: &'a Path,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Where an earlier run stopped.
    pub resume: Option<Resume>,
}

impl<'a> Upload<'a> {
    /// A file that is in no spool, sent from its beginning.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of_file(id: &'a str, path: &'a Path) -> io::Result<Self> {
        let (sha256, size_bytes) = disk::digest(File::open(path)?)?;
        Ok(Self { id, path, sha256, size_bytes, resume: None })
    }
}

/// What must be remembered to go on after a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Path of the upload on the portal.
    pub url: String,
    /// Bytes of the part that the next run begins with.
    pub part_bytes: u64,
}

/// What an upload is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reads the file once to see that it is what was sealed.
    Checking,
    /// Asks the portal for the upload and how far it is.
    Asking,
    /// Sends a part.
    Sending,
    /// Waits before it tries again.
    Waiting,
    /// All bytes are there; the portal reads them.
    Reading,
    /// The receipt is there.
    Done,
}

/// How far an upload is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which bundle.
    pub id: String,
    /// Bytes committed, and those of the part under way.
    pub sent_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
    /// Size of the part under way, or of the next one.
    pub part_bytes: u64,
    /// What it is doing.
    pub phase: Phase,
}

/// How an upload ended without an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The portal's verified receipt; it may be a signed refusal.
    Receipt {
        /// What is kept.
        signed: SignedReceipt,
        /// What it says.
        receipt: Receipt,
    },
    /// All bytes are there, and the portal is still reading them: the next run asks for the receipt.
    StillReading {
        /// What the portal asked us to wait.
        wait: Duration,
    },
}

/// How an upload ended otherwise.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The portal will not have this bundle.
    #[error(transparent)]
    Refused(PortalError),
    /// No upload can succeed now.
    #[error(transparent)]
    Stopped(PortalError),
    /// It did not get through in this run.
    #[error(
        "{committed_bytes} of {total_bytes} bytes are on the portal, then {failures} attempts in a row failed; the next `assay upload` goes on from there"
    )]
    GaveUp {
        /// Bytes the portal has.
        committed_bytes: u64,
        /// Bytes in all.
        total_bytes: u64,
        /// Failures without progress.
        failures: u32,
        /// Wait at least this long.
        wait: Duration,
        /// The last failure.
        source: PortalError,
    },
    /// The file is not what was sealed.
    #[error("the bundle {} changed on disk after it was sealed (its digest is {found}, it was {wanted}): collect a new one, and have the volume checked", path.display())]
    Changed {
        /// The file.
        path: std::path::PathBuf,
        /// SHA-256 now.
        found: String,
        /// SHA-256 when it was sealed.
        wanted: String,
    },
    /// The spool lost it.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// Sends one bundle and waits for its receipt. `remember` is called, and is durable when it returns, before anything is
/// sent that a crash should not forget; when it fails, that is logged and the upload goes on.
///
/// # Errors
/// [`UploadError`]; after [`UploadError::GaveUp`] the same call with what was remembered goes on.
pub async fn upload_file(
    portal: &Portal,
    key: &SigningKey,
    trust: &Trust,
    policy: &RetryPolicy,
    upload: &Upload<'_>,
    remember: &mut dyn FnMut(&Resume) -> Result<(), SpoolError>,
    progress: &dyn Fn(Progress),
) -> Result<Sent, UploadError> {
    Session::new(portal, key, policy, upload, remember, progress).run(trust).await
}
