//! The owner's answer, step by step: safeguard, bundle, preview, questions, consent, upload. Each step is kept before the
//! next begins, so that a call that was cut short goes on where it stopped, and what was done is not done twice.
//!
//! Nothing leaves before the state machine agrees to exactly the bytes that lie on the disk at that moment.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::sync::Arc;

use assay_bundle::consent::{Consent, Safeguard, WAIVER_LIFE_S, Waiver};
use assay_bundle::digest::{Sha256, sha256_hex};
use assay_bundle::manifest::Reason;
use assay_bundle::receipt::{Receipt, ReceiptStatus};
use assay_bundle::redact::Level;
use assay_bundle::statement::{STATEMENT_FORMAT, Signed};
use assay_bundle::support_request::{SupportRequest, redacts_at_least};
use assay_uploader::{Outcome, PortalError, drain_one};

use super::copy::{OwnCommand, RecoveryCopy};
use super::desk::{Desk, words};
use super::questions::{self, Given};
use super::state::{Event, Odd, Said, Sealed, Step, Tests};
use super::store::{Answers, Record};
use crate::audit::What;
use crate::backup::keys::Known;
use crate::bundle_file::Opened;
use crate::commands::show;
use crate::seal::{self, Sealing};
use crate::selftest::queue::kind_word;
use crate::selftest::work::Worker;
use crate::terminal::Line;
use crate::trouble::{NextStep, refuse};
use crate::{chassis, output, pause, pipeline, runtime, source, stand_ins};

/// Who agrees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose<'g> {
    /// The owner, now.
    Owner(&'g Given),
    /// A standing consent, with the answers that were given with it.
    Standing(Answers),
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The portal's signed receipt says ready.
    Ready,
    /// Sent and taken; the portal does not call it ready.
    Taken,
    /// The portal still reads it.
    StillReading,
    /// The owner looked and did not agree.
    NotAgreed,
    /// Self-tests that the owner agreed to wait or run; the bundle comes after them.
    Testing,
}

/// Redaction of a request's bundle: the stricter of what the owner has set and what is asked.
pub(crate) fn level(own: Level, asked: Level) -> Level {
    if redacts_at_least(own, asked) { own } else { asked }
}

impl Desk<'_> {
    /// Answers a request with yes, as far as it goes.
    pub(crate) async fn approve(&self, id: &str, whose: Whose<'_>) -> anyhow::Result<Ended> {
        pause::check(self.context)?;
        let _held = self.store.hold(id)?;
        let (mut record, asked) = self.load(id)?;
        if let Err(odd) = record.handling.check_open() {
            return Err(words(id, &odd));
        }
        if record.handling.step != Step::Leaving {
            self.safeguard(id, &mut record, whose).await?;
            if !self.tests(id, &mut record, &asked, whose).await? {
                return Ok(Ended::Testing);
            }
            self.seal(id, &mut record, &asked).await?;
            if record.handling.agreed.is_none() {
                let shown = self.preview(id, &mut record)?;
                // Under a standing consent nobody looks, and nothing says that somebody did.
                if let Whose::Owner(_) = whose {
                    output::say(&shown);
                    self.log.note(What::Look, Some(id), "the bundle that would leave was shown");
                }
                if !self.agree(id, &mut record, &asked, whose)? {
                    return Ok(Ended::NotAgreed);
                }
            }
            self.deliver(id, &mut record).await?;
        }
        self.send(id, &mut record).await
    }

    /// A copy that was read back, or the owner's waiver.
    async fn safeguard(&self, id: &str, record: &mut Record, whose: Whose<'_>) -> anyhow::Result<()> {
        if record.handling.safeguard.is_some() {
            return Ok(());
        }
        // A key that nobody made yet is no reason to go without a copy.
        if Known::read(self.context)?.recipient.is_none() {
            return Err(refuse(
                "there is no recovery key yet, so no recovery copy can be taken before somebody looks in",
                format!("make one with `assay recovery-key`, then `assay support approve {id}` again"),
            ));
        }
        let line = Line::new();
        line.show("taking a recovery copy of the configuration");
        let copies = OwnCommand::of(self.context);
        let why_not = match copies.create().await {
            Ok(mut taken) => {
                line.clear();
                // Consents are dated by the portal's clock.
                let skew_s = self.last_poll().skew_s;
                taken.copy.made_unix_s = taken.copy.made_unix_s.saturating_add(skew_s);
                let text = format!("recovery copy {}, {}", taken.copy.level.words(), taken.copy.sha256);
                record.copy_receipt = Some(taken.receipt);
                self.change(id, record, Event::Protected(Safeguard::Copy(taken.copy)))?;
                self.log.note(What::Copy, Some(id), &text);
                return Ok(());
            }
            Err(why_not) => why_not,
        };
        line.clear();
        let no_copy = || {
            refuse(
                format!("there is no recovery copy ({}): {}", why_not.reason.words(), why_not.words),
                "see what keeps it (`assay backup create`), or waive it for 24 hours in `assay support approve ID`"
                    .replace("ID", id),
            )
        };
        // Going without a copy is a decision of a moment; nobody takes it in advance.
        let Whose::Owner(given) = whose else { return Err(no_copy()) };
        if !questions::waives(given, why_not.reason, &why_not.words)? {
            return Err(no_copy());
        }
        let now = self.now_unix_s();
        let waiver = Waiver {
            reason: why_not.reason,
            accepted_unix_s: now,
            expires_unix_s: now.saturating_add(WAIVER_LIFE_S),
            configuration_sha256: copies.configuration_digest(),
        };
        (record.why_no_copy, record.copy_receipt) = (Some(why_not.words.clone()), None);
        self.change(id, record, Event::Protected(Safeguard::Waiver(waiver)))?;
        let text = format!("NO recovery copy, waived for 24 hours: {}", why_not.reason.words());
        self.log.note(What::Copy, Some(id), &text);
        Ok(())
    }

    /// The self-tests that are asked for: the owner's own yes, and their end. `false` while they wait or run.
    async fn tests(
        &self,
        id: &str,
        record: &mut Record,
        asked: &SupportRequest,
        whose: Whose<'_>,
    ) -> anyhow::Result<bool> {
        let Some(tests) = asked.self_tests() else { return Ok(true) };
        let (kind, count) = (kind_word(tests.kind), tests.serials.len());
        match record.handling.tests {
            Tests::Declined | Tests::Ended => return Ok(true),
            Tests::Agreed => {}
            Tests::NotAsked => {
                // A test loads a drive for hours; nobody agrees to it in advance.
                let Whose::Owner(given) = whose else {
                    return Err(refuse(
                        format!(
                            "the support request {id} asks for self-tests, which no standing consent covers"
                        ),
                        format!("`assay support approve {id}` asks you"),
                    ));
                };
                if !questions::lets_test(given, tests)? {
                    self.change(id, record, Event::TestsDeclined)?;
                    self.log.note(
                        What::SelfTest,
                        Some(id),
                        &format!("{kind} self-tests were declined by the owner"),
                    );
                    return Ok(true);
                }
                let text = format!("{kind} self-tests of {count} drives were agreed to by the owner");
                self.log.must_note(What::SelfTest, Some(id), &text)?;
                self.change(id, record, Event::TestsAgreed)?;
            }
        }
        if Worker::open(self.context)?.for_request(id, tests).await? {
            return Ok(false);
        }
        self.change(id, record, Event::TestsEnded)?;
        self.log.note(What::SelfTest, Some(id), "the self-tests that were agreed to have ended");
        Ok(true)
    }

    /// The bundle for this request, sealed and held; one that lies there as it was sealed is not made again.
    async fn seal(&self, id: &str, record: &mut Record, asked: &SupportRequest) -> anyhow::Result<()> {
        if let Some(sealed) = &record.handling.sealed {
            match self.on_disk(sealed) {
                Ok(found) if found == *sealed => return Ok(()),
                _ => output::say(
                    "The sealed bundle is no longer the one that was sealed: a new one is made, and you are asked again.",
                ),
            }
        }
        let settings = &self.settings;
        let level = level(settings.config.collect_redaction, asked.redaction);
        let here = source::who(&settings.config, &self.context.paths).await?;
        chassis::check(&self.enrolment.chassis, &chassis::marks(&here))?;
        let spool = self.spool()?;
        // What a call that was cut short has sealed for this request and nobody knows of.
        let current = record.handling.sealed.as_ref().map(|sealed| sealed.entry.as_str());
        for entry in spool.entries()? {
            if entry.held_for.as_deref() == Some(id) && Some(entry.id.as_str()) != current {
                spool.remove(&entry.id)?;
            }
        }
        let slot = spool.begin()?;
        let machine = source::live(&settings.config, &self.context.paths)?;
        let pseudonyms = self.identity.pseudonym_key_or_new()?;
        let line = Arc::new(Line::new());
        let options = source::options(&settings.config, &line);
        let memory = self.context.memory(settings, true);
        let invoice_date = settings.config.warranty_invoice_date;
        let (mut run, content) =
            pipeline::examine_to_seal(&machine, &options, &pseudonyms, level, invoice_date, memory.as_ref())
                .await?;
        let table = std::mem::take(&mut run.stand_ins);
        if let Some(folder) = &self.context.paths.memory_dir
            && let Err(error) = stand_ins::keep(folder, table)
        {
            tracing::warn!("{error:#}; `assay unmask` will not know this bundle's stand-ins");
        }
        line.show("sealing");
        let clock = self.context.clock;
        let mut draft = seal::draft(&run, clock, self.identity.sequence().next()?, Reason::SupportRequest);
        draft.request_id = Some(asked.id.clone());
        draft.nonce = Some(asked.nonce.clone());
        draft.recovery_copy = record.copy_receipt.clone();
        let recipients = vec![self.enrolment.card.recipient.clone()];
        let sealing = Sealing { draft, content, key: self.identity.key_or_new()?, recipients };
        let (_, entry) = runtime::blocking(move |stop| sealing.into_spool(slot, clock, stop)).await?;
        line.clear();
        let name = Sealed { entry: entry.id, manifest_sha256: String::new(), file_sha256: String::new() };
        let sealed = self.on_disk(&name)?;
        // The one before, if any, goes with this change.
        self.change(id, record, Event::Sealed(sealed))
    }

    /// What lies in the spool under this name, checked whole: signature, payload, and that it is held or released by us.
    fn on_disk(&self, sealed: &Sealed) -> anyhow::Result<Sealed> {
        let entry = self.spool()?.entry(&sealed.entry)?;
        let path = entry.sealed.ok_or_else(|| {
            refuse("the encrypted form is gone from the spool", "`assay support approve` makes it again")
        })?;
        let mut opened = Opened::read(&path)?;
        opened.verify_signature(&self.key.public())?;
        opened.check_payload()?;
        let mut digest = Sha256::new(io::sink());
        io::copy(&mut File::open(&path)?, &mut digest)?;
        Ok(Sealed {
            entry: sealed.entry.clone(),
            manifest_sha256: sha256_hex(&opened.envelope.manifest_bytes),
            file_sha256: digest.finish().2,
        })
    }

    /// What would leave, in words, from the form that the owner can open; it is the same bundle by its manifest.
    pub(crate) fn preview(&self, id: &str, record: &mut Record) -> anyhow::Result<String> {
        let Some(sealed) = record.handling.sealed.clone() else {
            return Err(words(id, &Odd::NothingSealed));
        };
        let entry = self.spool()?.entry(&sealed.entry)?;
        let plain = entry.plain.ok_or_else(|| {
            refuse(
                "the form that you can open is gone from the spool",
                "`assay support approve` makes it again",
            )
        })?;
        let opened = Opened::read(&plain)?;
        opened.verify_signature(&self.key.public())?;
        let manifest = sha256_hex(&opened.envelope.manifest_bytes);
        let (envelope, entries) = opened.entries(None, &|_| false)?;
        // Digest first: what is shown under another manifest would be shown for nothing.
        if manifest != sealed.manifest_sha256 {
            return Err(words(id, &Odd::OtherBytes));
        }
        if record.handling.is_open() && record.handling.step != Step::Leaving {
            self.change(id, record, Event::Shown(manifest))?;
        }
        let mut text = show::head(&envelope);
        let summary = &envelope.manifest.summary;
        let _ = writeln!(text, "verdict      {} {}\n", summary.overall.words(), summary.top_codes.join(", "));
        text.push_str(&show::tree(&entries));
        let file = plain.display();
        let _ = writeln!(
            text,
            "\nEvery line that was changed, beside what it was:  assay show {file} --diff-raw\n\
             One file as it would leave:                      assay show {file} --raw NAME"
        );
        Ok(text)
    }

    /// Asks, signs, keeps. `false` when the owner does not agree.
    fn agree(
        &self,
        id: &str,
        record: &mut Record,
        asked: &SupportRequest,
        whose: Whose<'_>,
    ) -> anyhow::Result<bool> {
        let (answers, standing) = match whose {
            Whose::Owner(given) => {
                let answers = questions::both(given, self.now_unix_s())?;
                if !questions::agrees(given)? {
                    return Ok(false);
                }
                (answers, false)
            }
            Whose::Standing(answers) => (answers, true),
        };
        let handling = &record.handling;
        let (Some(sealed), Some(safeguard)) = (handling.sealed.clone(), handling.safeguard.clone()) else {
            return Err(words(id, &Odd::NothingSealed));
        };
        let entry = self.spool()?.entry(&sealed.entry)?;
        let path = entry.sealed.ok_or_else(|| words(id, &Odd::NothingSealed))?;
        let manifest = Opened::read(&path)?.envelope.manifest;
        let redaction: Level = manifest.redaction.level.parse().map_err(|why: String| {
            refuse(format!("the bundle's redaction is not known: {why}"), "collect anew with this version")
        })?;
        let consent = Consent {
            format: STATEMENT_FORMAT,
            request_id: asked.id.clone(),
            nonce: asked.nonce.clone(),
            key_id: self.key.public().fingerprint(),
            manifest_sha256: sealed.manifest_sha256.clone(),
            backup: answers.backup,
            confidential: answers.confidential,
            redaction,
            recipients: manifest.recipients,
            portal_fingerprint: self.enrolment.card.fingerprint(),
            safeguard,
            standing,
            consented_unix_s: self.now_unix_s(),
        };
        consent.fits(asked, self.now_unix_s()).or_advise(
            format!("the request {id} cannot be answered like this"),
            "`assay support show` says what is asked; ask your support engineer for a new request if need be",
        )?;
        let signed = Signed::new(&consent, &self.key)?;
        // Before it counts: what was agreed to has to stand in the owner's own log.
        let how = if standing { "by the standing consent" } else { "by the owner" };
        let (one, two) = (answers.backup.answer.words(), answers.confidential.answer.words());
        let text = format!("approved {how}: {one}; {two}; manifest {}", sealed.manifest_sha256);
        self.log.must_note(What::Consent, Some(id), &text)?;
        match self.try_change(id, record, Event::Agreed(sealed.manifest_sha256))? {
            Ok(()) => {}
            Err(odd) => return Err(words(id, &odd)),
        }
        (record.answers, record.consent) = (Some(answers), Some(signed));
        self.store.save(id, record)?;
        Ok(true)
    }

    /// Hands the consent to the portal.
    async fn deliver(&self, id: &str, record: &mut Record) -> anyhow::Result<()> {
        if matches!(record.handling.step, Step::Delivered | Step::Leaving) {
            return Ok(());
        }
        let Some(consent) = record.consent.clone() else { return Err(words(id, &Odd::NoConsent)) };
        // An owner may pause everything while this call waits for an answer.
        pause::check(self.context)?;
        if let Err(error) = self.portal()?.consent(&self.key, id, &consent).await {
            self.portal_said_no(id, record, &error)?;
            return Err(error).or_advise(
                "your consent is signed and kept, but the portal does not have it",
                format!("`assay support approve {id}` goes on from here; nothing has left"),
            );
        }
        self.change(id, record, Event::Delivered)
    }

    /// A refusal that ends the request: it was cancelled, or ran out, while the owner answered.
    fn portal_said_no(&self, id: &str, record: &mut Record, error: &PortalError) -> anyhow::Result<()> {
        if let PortalError::Refused { problem, .. } = error
            && matches!(problem.kind.as_str(), "request-closed" | "unknown-request")
        {
            self.log.note(
                What::Request,
                Some(id),
                &format!("the portal closed the request: {}", problem.title),
            );
            let _over = self.try_change(id, record, Event::Cancelled)?;
        }
        Ok(())
    }

    /// Sends exactly what was agreed to, and takes the receipt.
    async fn send(&self, id: &str, record: &mut Record) -> anyhow::Result<Ended> {
        let Some(sealed) = record.handling.sealed.clone() else { return Err(words(id, &Odd::NothingSealed)) };
        let found = self.on_disk(&sealed).or_advise(
            "the sealed bundle cannot be sent: its file is not the one that you agreed to",
            format!("`assay support approve {id}` makes a new one and asks you again; nothing has left"),
        )?;
        let spool = self.spool()?;
        let leaving =
            Event::Leaving { manifest_sha256: found.manifest_sha256, file_sha256: found.file_sha256 };
        self.change(id, record, leaving)?;
        self.log.must_note(What::Upload, Some(id), &format!("upload of {}", sealed.file_sha256))?;
        spool.release(&sealed.entry)?;
        let portal = self.portal()?;
        let line = Line::new();
        line.show("sending");
        let card = &self.enrolment.card;
        let report = drain_one(&spool, &portal, &self.key, card, &sealed.entry, &|_| ()).await;
        line.clear();
        let report = report?;
        if let Some(last) = report.last_seq() {
            self.identity.sequence().go_above(last)?;
        }
        match report.bundles.into_iter().next().map(|(_, outcome)| outcome) {
            Some(Outcome::Accepted(receipt)) => self.received(id, record, &receipt, &sealed),
            Some(Outcome::Refused { reason }) => {
                let says = Said::Refused(reason.clone());
                self.change(id, record, Event::Receipt { file_sha256: sealed.file_sha256, says })?;
                self.log.note(What::Upload, Some(id), &format!("the portal refused the bundle: {reason}"));
                Err(words(id, &Odd::Refused(reason)))
            }
            Some(Outcome::StillReading) => Ok(Ended::StillReading),
            Some(Outcome::Failed(error)) => Err(error).or_advise(
                "the bundle did not get through; it stays in the spool",
                format!("`assay support approve {id}` goes on where it stopped"),
            ),
            // Not waiting any more: an earlier run got it through, and its receipt is in the spool.
            None => match kept_receipt(&spool.entry(&sealed.entry)?.meta.state) {
                Some(receipt) => self.received(id, record, &receipt, &sealed),
                None => Ok(Ended::StillReading),
            },
        }
    }

    /// What the portal signed. The uploader has checked by whom and for which bytes.
    fn received(
        &self,
        id: &str,
        record: &mut Record,
        receipt: &Receipt,
        sealed: &Sealed,
    ) -> anyhow::Result<Ended> {
        let ours = receipt.request_id.as_deref() == Some(id) && receipt.status == ReceiptStatus::Accepted;
        let says = if ours && receipt.ready { Said::Ready } else { Said::Taken };
        let ended = if says == Said::Ready { Ended::Ready } else { Ended::Taken };
        let file_sha256 = receipt.bundle_sha256.clone();
        if let assay_uploader::State::Done { receipt } = self.spool()?.entry(&sealed.entry)?.meta.state {
            record.receipt = Some(receipt);
        }
        self.change(id, record, Event::Receipt { file_sha256, says })?;
        self.store.save(id, record)?;
        let text = match ended {
            Ended::Ready => "the portal's receipt says: ready for remote support",
            _ => "the portal has taken the bundle",
        };
        self.log.note(What::Upload, Some(id), text);
        Ok(ended)
    }

    /// The owner says no. It counts here at once, and at the portal as soon as it can be told; whether it was.
    pub(crate) async fn deny(&self, id: &str, reason: &str) -> anyhow::Result<bool> {
        let _held = self.store.hold(id)?;
        let (mut record, _) = self.load(id)?;
        if !record.denial_untold {
            self.change(id, &mut record, Event::Denied(reason.to_owned()))?;
            record.denial_untold = true;
            self.store.save(id, &record)?;
            self.log.note(What::Consent, Some(id), &format!("denied: {reason}"));
        }
        if pause::paused(self.identity.dir()).is_some() {
            return Ok(false);
        }
        let told = match self.portal()?.deny(&self.key, id, reason).await {
            // A request that the portal does not hold open needs no denial.
            Ok(()) | Err(PortalError::Refused { .. }) => true,
            Err(error) => {
                tracing::warn!("the portal was not told: {:#}", anyhow::Error::new(error));
                false
            }
        };
        if told {
            record.denial_untold = false;
            self.store.save(id, &record)?;
        }
        Ok(told)
    }
}

/// The receipt in a spool entry's state.
fn kept_receipt(state: &assay_uploader::State) -> Option<Receipt> {
    match state {
        assay_uploader::State::Done { receipt } => serde_json::from_str(&receipt.receipt).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_raises_redaction_and_never_lowers_it() {
        use Level::{Standard, Strict};
        for (own, asked, expected) in [
            (Standard, Standard, Standard),
            (Standard, Strict, Strict),
            (Strict, Standard, Strict),
            (Strict, Strict, Strict),
        ] {
            assert_eq!(level(own, asked), expected);
        }
    }
}
