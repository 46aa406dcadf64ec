//! The facts of one diagnosis with what several rules ask of them: the course of counters over earlier runs, the log
//! in order of time, and which drives share a cause.
//!
//! Made once and never changed, so that no rule can see what another one said; all it holds is computed from the facts.

use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;

use crate::happenings::Happenings;
use crate::shared::{Mark, Shared};

/// What a rule looks at.
#[derive(Debug)]
pub struct View<'a> {
    /// What was seen.
    pub facts: &'a Facts,
    /// What the kernel reported, in this boot and earlier ones, in order of time.
    pub(crate) log: Happenings<'a>,
    /// Drives with one mark in one window, and what they share.
    shared: Vec<Shared>,
}

impl<'a> View<'a> {
    /// Looks at these facts.
    pub fn new(facts: &'a Facts) -> Self {
        let log = Happenings::of(facts);
        let shared = crate::shared::causes(facts, &log);
        Self { facts, log, shared }
    }

    /// The same with these shared causes, whatever the facts say.
    #[cfg(test)]
    pub(crate) fn sharing(facts: &'a Facts, shared: Vec<Shared>) -> Self {
        Self { shared, ..Self::new(facts) }
    }

    /// What this drive shares with others that carry the same mark: then the shared part is blamed and the drive is
    /// exonerated in words.
    pub(crate) fn shares(&self, drive: &Drive, mark: Mark) -> Option<&Shared> {
        self.shared.iter().find(|shared| shared.mark == mark && shared.holds(drive))
    }

    /// Every shared cause.
    pub(crate) fn shared_causes(&self) -> &[Shared] {
        &self.shared
    }
}
