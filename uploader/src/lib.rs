//! From the spool to the portal: bundles wait on the data volume, travel in parts that survive broken lines, and are
//! done when the portal's signed receipt says so.
//!
//! A bundle is opaque here: bytes with a digest. Nothing in this crate opens one, decides what may leave, or judges
//! anything. It refuses plain HTTP, redirects, receipts that do not fit, and deleting evidence to make room.
//! Read [`spool`] for what is on disk after a crash, [`tus`] for the upload, [`portal`] for whom it trusts.

pub mod drain;
mod http_date;
mod part;
pub mod portal;
mod rate;
mod retry;
pub mod spool;
mod trust;
pub mod tus;

pub use drain::{DrainError, DrainOptions, DrainReport, Outcome, drain, drain_one, is_begun};
pub use part::{LARGEST_PART_BYTES, SMALLEST_PART_BYTES, START_PART_BYTES};
pub use portal::support::SessionCall;
pub use portal::{ClockTrust, Now, Portal, PortalError, PortalOptions, system_now};
pub use rate::SLOWEST_BYTES_PER_S;
pub use retry::RetryPolicy;
pub use spool::{Entry, EntryMeta, Slot, Spool, SpoolEntry, SpoolError, SpoolLimits, State};
pub use trust::{Trust, TrustError};
pub use tus::{Phase, Progress, Resume, Sent, Upload, UploadError, upload_file};
