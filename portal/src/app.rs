//! What every handler shares. Nothing here opens a payload: the decryption identity is not part of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_bundle::enrolment::PortalCard;
use assay_bundle::keys::SigningKey;
use tokio::sync::Notify;

use crate::busy::Busy;
use crate::files::DataDir;
use crate::password::Passwords;
use crate::polls::Polls;
use crate::store::Store;
use crate::uploads::Locks;

/// State of a serving portal.
pub struct App {
    /// Data folder.
    pub dir: DataDir,
    /// Database.
    pub store: Store,
    /// Our card.
    pub card: PortalCard,
    /// Signs receipts.
    pub online: SigningKey,
    /// Ingest worker.
    pub worker: Worker,
    /// One lock for each upload that is being committed to.
    pub locks: Locks,
    /// This portal among those that share a database.
    pub me: String,
    /// Rings when a bundle waits for the worker.
    pub bell: Notify,
    /// Polls that are held.
    pub polls: Polls,
    /// Number of our keys in force, as the root key signed it.
    pub keys_number: u64,
    /// Recipients of before; bundles that were sealed for one of them are still opened.
    pub former_recipients: Vec<String>,
    /// Who works on the files of a device.
    pub busy: Busy,
    /// Held while an export is made.
    pub exporting: tokio::sync::Mutex<()>,
    /// Checks passwords, a few at a time.
    pub passwords: Passwords,
}

/// How the ingest worker is run.
pub struct Worker {
    /// Its program.
    pub program: PathBuf,
    /// When it is killed.
    pub deadline: Duration,
}

/// The state as handlers get it.
pub type Shared = Arc<App>;

impl App {
    /// `@authority` of our public URL: what devices must have signed, whatever a proxy writes into `Host`.
    pub fn authority(&self) -> &str {
        self.card.url.strip_prefix("https://").unwrap_or(&self.card.url)
    }

    /// Whether a payload that is encrypted to this recipient can be opened here.
    pub fn is_our_recipient(&self, recipient: &str) -> bool {
        self.card.recipient == recipient || self.former_recipients.iter().any(|former| former == recipient)
    }
}
