//! Leaving a portal: the signed farewell, and what ends here with it.
//!
//! The order is the safe one: what the portal has to say is checked and kept first, then what goes by itself is ended
//! (standing consent, health report), and the key goes last. Bundles are the owner's and stay, and it is said what
//! becomes of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assay_bundle::deletion::DeletionReceipt;
use assay_bundle::key_life::{self, Farewell};
use assay_bundle::keys::{PublicKey, SigningKey};
use assay_bundle::statement::{STATEMENT_FORMAT, Signed};
use assay_uploader::{Portal, PortalError, Trust};
use serde::Serialize;

use crate::audit::{Log, What};
use crate::config::{self, SETTINGS, Settings};
use crate::context::Context;
use crate::identity::{Enrolment, Identity};
use crate::support::desk::Desk;
use crate::trouble::{NextStep, refuse};
use crate::{chassis, output, portal, portal_keys, revoked, source, terminal};

/// The setting that lets the health report leave.
const SCHEDULE: &str = "report.schedule";
/// How often a portal that reads a bundle at this moment is asked again, and how long is waited in between: together
/// longer than its worker may take.
const ASKED_AGAIN: u32 = 40;
const PAUSE: Duration = Duration::from_secs(5);

/// A device that leaves.
pub(crate) struct Leaving<'a> {
    context: &'a Context,
    settings: Settings,
    identity: Identity,
    enrolment: Enrolment,
    key: SigningKey,
}

/// What ended here, and what is left.
#[derive(Debug, Serialize)]
pub(crate) struct Left {
    /// The key that was destroyed.
    pub(crate) key_id: String,
    /// Whether a standing consent ended.
    standing_ended: bool,
    /// Whether the schedule of the health report was taken out of the configuration.
    schedule_ended: bool,
    /// Why the schedule stands still, where it does: it says nothing without an enrolment.
    schedule_note: Option<String>,
    /// Bundles in the spool that were not sent.
    waiting: usize,
    /// Of these, bundles whose plain form is there to be read.
    readable: usize,
}

impl Left {
    /// For a person.
    pub(crate) fn words(&self) -> String {
        let mut text = String::new();
        if self.standing_ended {
            text.push_str("consent    the standing consent ended\n");
        }
        if self.schedule_ended {
            text.push_str("report     the health report is switched off\n");
        }
        if let Some(note) = &self.schedule_note {
            let _ = writeln!(text, "report     {note}");
        }
        let _ = match self.waiting {
            0 => writeln!(text, "spool      nothing waits"),
            waiting => writeln!(
                text,
                "spool      {waiting} not sent and signed by a key that is gone: sent nowhere any more. {} can be read \
                 here (`assay show FILE`); the encrypted forms only the portal can open. Remove them when you like",
                self.readable
            ),
        };
        text.push_str("next       `assay enroll` with a new code begins anew\n");
        text
    }
}

impl<'a> Leaving<'a> {
    /// A device that is enrolled.
    pub(crate) fn begin(context: &'a Context) -> anyhow::Result<Self> {
        let settings = context.settings()?;
        let identity = context.identity();
        let (Some(enrolment), Some(key)) = (identity.enrolment()?, identity.key()?) else {
            return Err(refuse(
                "this device is not enrolled: there is nothing to end",
                "`assay status` says who this device is; a key that is there signs bundles for nobody",
            ));
        };
        Ok(Self { context, settings, identity, enrolment, key })
    }

    /// What the portal calls itself.
    pub(crate) fn portal_name(&self) -> String {
        format!("{} ({})", self.enrolment.card.name, self.enrolment.card.url)
    }

    fn portal(&self) -> anyhow::Result<Portal> {
        Ok(portal::enrolled(&self.enrolment, &self.settings.config, &self.identity, self.context.clock)?)
    }

    /// The portal as its keys are now. A key that came with drives from another unit ends nothing for that one.
    async fn current(&self) -> anyhow::Result<(Portal, Trust)> {
        let here = source::who(&self.settings.config, &self.context.paths).await?;
        chassis::check(&self.enrolment.chassis, &chassis::marks(&here))?;
        let portal = self.portal()?;
        let newer = portal_keys::refresh(self.context, &self.identity, &self.enrolment, &portal).await?;
        let enrolment = newer.as_ref().unwrap_or(&self.enrolment);
        let trust = Trust::from_card(&enrolment.card)?;
        let settings = &self.settings.config;
        Ok((portal::enrolled(enrolment, settings, &self.identity, self.context.clock)?, trust))
    }

    fn farewell(&self, wants: key_life::Leaving) -> anyhow::Result<Signed> {
        let root = PublicKey::from_openssh(&self.enrolment.card.root_key)?;
        let farewell = Farewell {
            format: STATEMENT_FORMAT,
            device_id: self.enrolment.device_id.clone(),
            key_id: self.key.public().fingerprint(),
            wants,
            made_unix_s: self.context.clock.now_unix_s,
            portal_root: root.fingerprint(),
        };
        Ok(Signed::new(&farewell, &self.key)?)
    }

    /// Tells the portal that the key counts no more.
    pub(crate) async fn goodbye(&self) -> anyhow::Result<()> {
        let (portal, trust) = self.current().await?;
        portal.goodbye(&self.key, &trust, &self.farewell(key_life::Leaving::Goodbye)?).await?;
        Ok(())
    }

    /// Writes all that the portal has into a file, whole or not at all; its size.
    pub(crate) async fn export(&self, file: &Path) -> anyhow::Result<u64> {
        if file.exists() {
            return Err(refuse(
                format!("{} is there already", file.display()),
                "name a file that is not there",
            ));
        }
        let (portal, _) = self.current().await?;
        let mut partial = file.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        crate::rotation::remove_if_there(&partial)?;
        let result = portal.export(&self.key, &partial).await;
        let renamed = match result {
            Ok(size_bytes) => std::fs::rename(&partial, file)
                .map(|()| size_bytes)
                .or_advise(format!("cannot write {}", file.display()), "name another file"),
            Err(error) => Err(error.into()),
        };
        if renamed.is_err() {
            let _ = std::fs::remove_file(&partial);
        }
        renamed
    }

    /// Has everything deleted; the receipt, and the file in which it is kept.
    pub(crate) async fn forget(&self) -> anyhow::Result<(PathBuf, DeletionReceipt)> {
        let (portal, trust) = self.current().await?;
        let farewell = self.farewell(key_life::Leaving::Deletion)?;
        let mut asked = 0;
        let (signed, receipt) = loop {
            match portal.forget(&self.key, &trust, &farewell).await {
                Err(error @ PortalError::Refused { status: 503, .. }) if asked < ASKED_AGAIN => {
                    if asked == 0 {
                        output::say(&format!("{error}; waiting"));
                    }
                    asked += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                other => break other?,
            }
        };
        let file = self.identity.dir().join(format!("deletion-{}.json", receipt.id));
        output::replace_private(&file, &serde_json::to_vec_pretty(&signed)?)?;
        Ok((file, receipt))
    }

    /// Ends what goes by itself, then the enrolment, and destroys the key.
    pub(crate) fn end(self, why: &str) -> anyhow::Result<Left> {
        let log = Log::of(self.context);
        let standing_ended = match Desk::open(self.context) {
            Ok(desk) => desk.end_standing("the enrolment ended")?,
            Err(_) => false,
        };
        let (schedule_ended, schedule_note) = self.end_schedule();
        let spool_dir = self.context.spool_dir(&self.settings);
        let entries = match spool_dir.as_ref().is_some_and(|dir| dir.is_dir()) {
            true => self.context.spool(&self.settings)?.entries()?,
            false => Vec::new(),
        };
        let waiting: Vec<_> = entries.iter().filter(|entry| !entry.is_done()).collect();
        let left = Left {
            key_id: self.key.public().fingerprint(),
            standing_ended,
            schedule_ended,
            schedule_note,
            waiting: waiting.len(),
            readable: waiting.iter().filter(|entry| entry.plain.is_some()).count(),
        };
        self.identity.end()?;
        revoked::clear(self.context);
        log.note(What::Key, None, &format!("{why}; key {} was destroyed", left.key_id));
        Ok(left)
    }

    /// Takes the schedule of the health report out of the configuration, where the file has it.
    fn end_schedule(&self) -> (bool, Option<String>) {
        if self.settings.config.report_schedule.is_none() {
            return (false, None);
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == SCHEDULE) else {
            return (false, None);
        };
        let file = self.context.config_file();
        let ended = config::edit::put(&file, setting, "\"\"", "");
        let stands = || match self.context.settings() {
            Ok(settings) => settings.config.report_schedule.is_some(),
            Err(_) => true,
        };
        match ended {
            Ok(()) if !stands() => (true, None),
            _ => (
                false,
                Some(format!(
                    "{SCHEDULE} is still set; nothing is sent without an enrolment, remove it yourself"
                )),
            ),
        }
    }
}

/// Takes the owner's yes, unless it was given with the call.
pub(crate) fn confirm(yes: bool, what: &str, otherwise: &str) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    output::say(what);
    if !terminal::can_ask() {
        return Err(refuse(
            format!("nobody is here to say yes, so {otherwise}"),
            "call from a terminal, or give --yes",
        ));
    }
    match terminal::said_yes("Do you want that?")? {
        true => Ok(()),
        false => Err(refuse(format!("you said no: {otherwise}"), "nothing needs doing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_said() {
        fn check(left: &Left, expected: &[&str], not: &[&str]) {
            let words = left.words();
            assert!(expected.iter().all(|text| words.contains(text)), "{words}");
            assert!(not.iter().all(|text| !words.contains(text)), "{words}");
        }
        let nothing = || Left {
            key_id: "SHA256:x".to_owned(),
            standing_ended: false,
            schedule_ended: false,
            schedule_note: None,
            waiting: 0,
            readable: 0,
        };
        check(&nothing(), &["nothing waits", "`assay enroll`"], &["consent", "report"]);
        check(
            &Left { standing_ended: true, schedule_ended: true, waiting: 3, readable: 2, ..nothing() },
            &["standing consent ended", "switched off", "3 not sent", "2 can be read"],
            &["nothing waits"],
        );
    }
}
