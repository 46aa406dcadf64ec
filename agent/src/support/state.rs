//! What a support request can become on this device: events to states, and nothing else. No file, no clock, no network.
//!
//! ```text
//! received -> protected -> sealed -> agreed -> delivered -> leaving -> ready
//!      copy or waiver  bundle   consent   the portal   upload     the portal's
//!                      held     signed    has it       begins     signed receipt
//! ```
//!
//! Every arrow has one event, and every event is refused where its arrow does not begin: a refusal is an [`Odd`], with
//! words for the owner. Before each event the state is settled: a request that ran out, a key, portal or recipient that
//! changed, and a waiver that lapsed take back what rested on them. Bytes are named by digest only, and a bundle that is
//! sealed again is always asked again. Self-tests that a request asks for need a yes of their own, and their end comes
//! before the bundle that shows it. While everything is paused nothing leaves. Quirk: taking back never gives a bundle free; who reads a state that went back to
//! an earlier step holds the bundle again.

use assay_bundle::consent::{CopyLevel, Safeguard, WAIVER_LIFE_S, Waiver};
use assay_bundle::support_request::SKEW_S;
use serde::{Deserialize, Serialize};

/// Who and what a request is bound to. Whatever changes here ends it, or the part that rests on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Around {
    /// Fingerprint of the device's key.
    pub(crate) key_id: String,
    /// Fingerprint of the pinned portal's card.
    pub(crate) portal: String,
    /// Recipient to whom bundles are encrypted.
    pub(crate) recipient: String,
    /// Digest of the configuration that a recovery copy would hold; a waiver counts for this one only.
    pub(crate) configuration: String,
}

/// When, and under which circumstances, something happens.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    /// Seconds since 1970, the portal's clock as far as this device knows it.
    pub(crate) now_unix_s: i64,
    /// What holds now.
    pub(crate) around: Around,
    /// Whether the owner has paused everything.
    pub(crate) paused: bool,
}

/// A sealed bundle that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sealed {
    /// Its name in the spool.
    pub(crate) entry: String,
    /// SHA-256 of its manifest's exact bytes: what the consent names.
    pub(crate) manifest_sha256: String,
    /// SHA-256 of the encrypted file: what the receipt names.
    pub(crate) file_sha256: String,
}

/// How far a request has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Step {
    /// Verified; nothing was done.
    Received,
    /// A recovery copy is there, or its waiver.
    Protected,
    /// The bundle is sealed and held.
    Sealed,
    /// The owner's consent is signed.
    Agreed,
    /// The portal has the consent; the bundle may leave.
    Delivered,
    /// The upload has begun: nothing of it can be taken back any more.
    Leaving,
    /// The portal's signed receipt says ready.
    Ready,
    /// It was ready by a waiver that has lapsed.
    Lapsed,
    /// The portal's signed receipt says that it has the bundle, and not that it is ready.
    Taken,
    /// The owner said no.
    Denied {
        /// Why, in the owner's words.
        reason: String,
    },
    /// The portal took it back.
    Cancelled,
    /// Nobody answered in time.
    Expired,
    /// The portal refused the bundle or the consent.
    Refused {
        /// Why, in the portal's words.
        reason: String,
    },
    /// Key, portal or recipient changed under it.
    Void {
        /// What changed.
        changed: Changed,
    },
}

/// What changed under a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Changed {
    /// The device's key.
    Key,
    /// Whom bundles are encrypted for.
    Recipient,
    /// The portal that this device is enrolled at.
    Portal,
}

/// What became of the self-tests that a request asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tests {
    /// The owner was not asked about any.
    #[default]
    NotAsked,
    /// The owner agreed; they wait or run.
    Agreed,
    /// The owner did not want them.
    Declined,
    /// They ended, each in its way.
    Ended,
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A copy was taken, or waived.
    Protected(Safeguard),
    /// The owner agreed to the self-tests that are asked for.
    TestsAgreed,
    /// The owner did not.
    TestsDeclined,
    /// The last of them ended, or was stopped.
    TestsEnded,
    /// The bundle was sealed and is held.
    Sealed(Sealed),
    /// The owner was shown what is in the bundle with this manifest.
    Shown(String),
    /// The owner answered both questions about the bundle with this manifest, and signed.
    Agreed(String),
    /// The portal has the consent.
    Delivered,
    /// The upload of this bundle begins (or goes on).
    Leaving {
        /// SHA-256 of its manifest.
        manifest_sha256: String,
        /// SHA-256 of the file.
        file_sha256: String,
    },
    /// The portal's signed receipt for the file with this digest: whether it says ready.
    Receipt {
        /// SHA-256 of the file.
        file_sha256: String,
        /// What it says.
        says: Said,
    },
    /// The owner says no.
    Denied(String),
    /// The portal takes it back.
    Cancelled,
}

/// What a signed receipt says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Ready for remote support.
    Ready,
    /// Taken, and no more.
    Taken,
    /// Refused, and why.
    Refused(String),
}

/// Why an event was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Odd {
    /// Ran out.
    #[error("the request has expired")]
    Expired,
    /// Taken back.
    #[error("the portal has cancelled the request")]
    Cancelled,
    /// The owner said no before.
    #[error("the request was denied on this NAS")]
    Denied,
    /// The portal said no before.
    #[error("the portal has refused what was sent for this request: {0}")]
    Refused(String),
    /// Something it rests on changed.
    #[error("{} since the request was received", changed_words(*.0))]
    Changed(Changed),
    /// Answered before.
    #[error("the request is already approved, for exactly this bundle; nothing was signed again")]
    AlreadyApproved,
    /// Finished.
    #[error("the request is answered: the portal has confirmed that everything is ready")]
    AlreadyReady,
    /// Finished without being ready.
    #[error("the portal has the bundle and has answered it, without calling the request ready")]
    Taken,
    /// Ready no longer.
    #[error("the waiver of the recovery copy has lapsed")]
    Lapsed,
    /// Nothing protects the owner.
    #[error("there is no verified recovery copy and no waiver")]
    NoCopy,
    /// A copy that nobody read back.
    #[error("the recovery copy was written but not read back, so nobody knows whether it is good")]
    CopyUnproven,
    /// A waiver that is none.
    #[error("the waiver lasts longer than 24 hours, has lapsed or is for another configuration")]
    BadWaiver,
    /// Drives are being tested.
    #[error("the self-tests that you agreed to have not ended")]
    TestsRun,
    /// No drive is being tested.
    #[error("no self-tests were agreed to for this request")]
    NoTests,
    /// Everything is paused.
    #[error("everything is paused: nothing is sent")]
    Paused,
    /// Nothing is sealed.
    #[error("no bundle is sealed for this request")]
    NothingSealed,
    /// Nobody looked.
    #[error("the bundle was not shown before")]
    NotShown,
    /// Not the bytes that were shown or agreed to.
    #[error("the sealed bundle is not the one that was shown")]
    OtherBytes,
    /// No consent.
    #[error("there is no consent for these bytes")]
    NoConsent,
    /// Past the point of no return.
    #[error("the bundle has left this NAS already")]
    TooLate,
}

fn changed_words(changed: Changed) -> &'static str {
    match changed {
        Changed::Key => "this NAS has another key",
        Changed::Recipient => "bundles are encrypted for another recipient",
        Changed::Portal => "this NAS is enrolled at another portal",
    }
}

impl Odd {
    /// What the owner can do.
    pub(crate) fn next(&self) -> &'static str {
        match self {
            Self::Expired | Self::Lapsed | Self::Taken | Self::Changed(_) | Self::Refused(_) => {
                "ask your support engineer for a new request; nothing of this one leaves any more"
            }
            Self::Cancelled | Self::Denied => {
                "nothing of it leaves; a new request needs a new answer of yours"
            }
            Self::AlreadyApproved => "`assay support show ID` says how far it is",
            Self::AlreadyReady => "`assay support session start ID` records who looks in, and when",
            Self::NoCopy | Self::CopyUnproven | Self::BadWaiver => {
                "`assay support approve ID` takes a copy first; without one it needs your waiver, for 24 hours"
            }
            Self::TestsRun => {
                "`assay selftest status` says how far they are; then `assay support approve ID`"
            }
            Self::NoTests => "`assay support approve ID` asks for your yes",
            Self::Paused => "`assay resume` lets it go on; then `assay support approve ID`",
            Self::NothingSealed | Self::NotShown | Self::OtherBytes => {
                "`assay support approve ID` shows the bundle and asks again"
            }
            Self::NoConsent => "`assay support approve ID` asks for it",
            Self::TooLate => "ask the portal's operator to delete it; `assay pause` stops everything further",
        }
    }
}

/// One request's way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handling {
    /// How far it has come.
    pub(crate) step: Step,
    /// What it is bound to, as it was when it was received.
    pub(crate) bound: Around,
    /// When it runs out, seconds since 1970.
    pub(crate) expires_unix_s: i64,
    /// What protects the owner.
    pub(crate) safeguard: Option<Safeguard>,
    /// The held bundle.
    pub(crate) sealed: Option<Sealed>,
    /// Digest of the manifest that the owner was shown.
    pub(crate) shown: Option<String>,
    /// Digest of the manifest that the owner agreed to.
    pub(crate) agreed: Option<String>,
    /// The self-tests that are asked for.
    #[serde(default)]
    pub(crate) tests: Tests,
}

impl Handling {
    /// A request that was just verified.
    pub(crate) fn received(around: Around, expires_unix_s: i64) -> Self {
        Self {
            step: Step::Received,
            bound: around,
            expires_unix_s,
            safeguard: None,
            sealed: None,
            shown: None,
            agreed: None,
            tests: Tests::NotAsked,
        }
    }

    /// Whether nothing can happen to it any more.
    pub(crate) fn is_over(&self) -> bool {
        !matches!(
            self.step,
            Step::Received
                | Step::Protected
                | Step::Sealed
                | Step::Agreed
                | Step::Delivered
                | Step::Leaving
                | Step::Ready
        )
    }

    /// Whether it still waits for the owner or the portal.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_over() && self.step != Step::Ready
    }

    /// Whether anything can still be answered.
    pub(crate) fn check_open(&self) -> Result<(), Odd> {
        self.is_alive()
    }

    /// Takes back what no longer holds.
    pub(crate) fn settle(&mut self, at: &Moment) {
        if self.is_over() {
            return;
        }
        let lapsed = self.waiver_lapsed(at);
        if self.step == Step::Ready {
            if lapsed {
                self.step = Step::Lapsed;
            }
            return;
        }
        if at.now_unix_s >= self.expires_unix_s {
            self.step = Step::Expired;
        } else if let Some(changed) = self.changed(&at.around) {
            self.step = Step::Void { changed };
        } else if lapsed {
            self.safeguard = None;
            self.unseal(Step::Received);
        }
    }

    /// What happens. On an error nothing but what [`Handling::settle`] takes back has changed.
    pub(crate) fn apply(&mut self, event: Event, at: &Moment) -> Result<(), Odd> {
        self.settle(at);
        // The portal's word that it is over is true whatever we think.
        if matches!(event, Event::Cancelled) && !self.is_over() {
            self.step = Step::Cancelled;
            return Ok(());
        }
        self.is_alive()?;
        let left = self.step == Step::Leaving;
        match event {
            Event::Protected(_)
            | Event::Sealed(_)
            | Event::Denied(_)
            | Event::TestsAgreed
            | Event::TestsDeclined
            | Event::TestsEnded
                if left =>
            {
                return Err(Odd::TooLate);
            }
            Event::Protected(safeguard) => {
                acceptable(&safeguard, at)?;
                self.safeguard = Some(safeguard);
                // The manifest names the copy: a bundle from before it is not the one to show.
                self.unseal(Step::Protected);
            }
            Event::TestsAgreed => {
                self.safeguard.as_ref().ok_or(Odd::NoCopy)?;
                if self.tests == Tests::Agreed {
                    return Err(Odd::TestsRun);
                }
                self.tests = Tests::Agreed;
                // What was sealed before does not show what they find.
                self.unseal(Step::Protected);
            }
            Event::TestsDeclined => match self.tests {
                Tests::Agreed => return Err(Odd::TestsRun),
                _ => self.tests = Tests::Declined,
            },
            Event::TestsEnded => match self.tests {
                Tests::Agreed => self.tests = Tests::Ended,
                _ => return Err(Odd::NoTests),
            },
            Event::Sealed(sealed) => {
                self.safeguard.as_ref().ok_or(Odd::NoCopy)?;
                if self.tests == Tests::Agreed {
                    return Err(Odd::TestsRun);
                }
                self.unseal(Step::Sealed);
                self.sealed = Some(sealed);
            }
            Event::Shown(manifest) => {
                self.is_sealed_as(&manifest)?;
                self.shown = Some(manifest);
            }
            Event::Agreed(manifest) => {
                self.is_sealed_as(&manifest)?;
                if self.agreed.as_ref() == Some(&manifest) {
                    return Err(Odd::AlreadyApproved);
                }
                if self.shown.as_ref() != Some(&manifest) {
                    return Err(Odd::NotShown);
                }
                self.agreed = Some(manifest);
                self.step = Step::Agreed;
            }
            Event::Delivered => {
                self.consented()?;
                if !left {
                    self.step = Step::Delivered;
                }
            }
            Event::Leaving { manifest_sha256, file_sha256 } => {
                self.may_leave(&manifest_sha256, &file_sha256, at)?;
                self.step = Step::Leaving;
            }
            Event::Receipt { file_sha256, says } => {
                let sealed = self.consented()?;
                if !left {
                    return Err(Odd::NoConsent);
                }
                if sealed.file_sha256 != file_sha256 {
                    return Err(Odd::OtherBytes);
                }
                match says {
                    Said::Ready => self.step = Step::Ready,
                    Said::Refused(reason) => self.step = Step::Refused { reason },
                    Said::Taken => self.step = Step::Taken,
                }
            }
            Event::Denied(reason) => self.step = Step::Denied { reason },
            Event::Cancelled => {}
        }
        Ok(())
    }

    /// Whether exactly this bundle may leave now.
    pub(crate) fn may_leave(&self, manifest: &str, file: &str, at: &Moment) -> Result<(), Odd> {
        let mut settled = self.clone();
        settled.settle(at);
        settled.is_alive()?;
        if at.paused {
            return Err(Odd::Paused);
        }
        let sealed = settled.consented()?;
        if sealed.manifest_sha256 != manifest || sealed.file_sha256 != file {
            return Err(Odd::OtherBytes);
        }
        match settled.step {
            Step::Delivered | Step::Leaving => Ok(()),
            _ => Err(Odd::NoConsent),
        }
    }

    /// The held bundle, when the owner agreed to exactly it and something protects the owner.
    fn consented(&self) -> Result<&Sealed, Odd> {
        self.safeguard.as_ref().ok_or(Odd::NoCopy)?;
        let sealed = self.sealed.as_ref().ok_or(Odd::NothingSealed)?;
        match &self.agreed {
            Some(agreed) if *agreed == sealed.manifest_sha256 => Ok(sealed),
            Some(_) => Err(Odd::OtherBytes),
            None => Err(Odd::NoConsent),
        }
    }

    fn is_sealed_as(&self, manifest: &str) -> Result<(), Odd> {
        let sealed = self.sealed.as_ref().ok_or(Odd::NothingSealed)?;
        if sealed.manifest_sha256 == manifest { Ok(()) } else { Err(Odd::OtherBytes) }
    }

    fn is_alive(&self) -> Result<(), Odd> {
        match &self.step {
            Step::Expired => Err(Odd::Expired),
            Step::Cancelled => Err(Odd::Cancelled),
            Step::Denied { .. } => Err(Odd::Denied),
            Step::Lapsed => Err(Odd::Lapsed),
            Step::Taken => Err(Odd::Taken),
            Step::Refused { reason } => Err(Odd::Refused(reason.clone())),
            Step::Void { changed } => Err(Odd::Changed(*changed)),
            Step::Ready => Err(Odd::AlreadyReady),
            Step::Received
            | Step::Protected
            | Step::Sealed
            | Step::Agreed
            | Step::Delivered
            | Step::Leaving => Ok(()),
        }
    }

    /// Goes back to `step` with nothing sealed, shown or agreed.
    fn unseal(&mut self, step: Step) {
        (self.sealed, self.shown, self.agreed) = (None, None, None);
        self.step = step;
    }

    fn changed(&self, around: &Around) -> Option<Changed> {
        let Around { key_id, portal, recipient, .. } = &self.bound;
        // A card's fingerprint covers the recipient; the narrower word is the truer one.
        match around {
            now if now.key_id != *key_id => Some(Changed::Key),
            now if now.recipient != *recipient => Some(Changed::Recipient),
            now if now.portal != *portal => Some(Changed::Portal),
            _ => None,
        }
    }

    fn waiver_lapsed(&self, at: &Moment) -> bool {
        self.safeguard.as_ref().is_some_and(|safeguard| !holds(safeguard, at))
    }
}

/// Whether a safeguard holds at this moment.
fn holds(safeguard: &Safeguard, at: &Moment) -> bool {
    match safeguard {
        Safeguard::Copy(_) => true,
        // One that was accepted in the future was accepted by another clock.
        Safeguard::Waiver(Waiver { accepted_unix_s, expires_unix_s, configuration_sha256, .. }) => {
            at.now_unix_s < *expires_unix_s
                && *accepted_unix_s <= at.now_unix_s.saturating_add(SKEW_S)
                && *configuration_sha256 == at.around.configuration
        }
    }
}

/// Whether a safeguard may be taken as one.
fn acceptable(safeguard: &Safeguard, at: &Moment) -> Result<(), Odd> {
    match safeguard {
        Safeguard::Copy(copy) if copy.level < CopyLevel::ReadBack => Err(Odd::CopyUnproven),
        Safeguard::Copy(_) => Ok(()),
        Safeguard::Waiver(waiver) => {
            let life = waiver.expires_unix_s.saturating_sub(waiver.accepted_unix_s);
            match life <= WAIVER_LIFE_S && holds(safeguard, at) {
                true => Ok(()),
                false => Err(Odd::BadWaiver),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
