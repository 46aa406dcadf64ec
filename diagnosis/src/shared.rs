//! Shared cause first: several drives with one mark in one window are blamed on the smallest thing that they share.

use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;

use crate::happenings::Happenings;

/// What several drives may show at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// Commands that timed out, and link resets.
    Timeout,
    /// Errors on the link: CRC, handshake, PHY.
    LinkError,
    /// The drive left the bus.
    Gone,
    /// Power was lost without notice, or the motor needed a second start.
    Power,
    /// The medium could not be read.
    Media,
}

/// Several drives with one mark, and what they share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// The mark.
    pub(crate) mark: Mark,
    /// Device names of the drives, in the order of the bays.
    pub(crate) devices: Vec<String>,
    /// What they share, in words: `controller 0000:00:17.0`.
    pub(crate) ancestor: String,
}

impl Shared {
    /// Whether the drive is one of them.
    pub(crate) fn holds(&self, drive: &Drive) -> bool {
        self.devices.contains(&drive.device)
    }
}

/// Every shared cause in these facts.
pub(crate) fn causes(_facts: &Facts, _log: &Happenings<'_>) -> Vec<Shared> {
    Vec::new()
}
