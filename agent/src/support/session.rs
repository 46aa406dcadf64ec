//! The record of a remote session: who looks, how, from when to when, and what was different afterwards.
//!
//! Nothing here opens or closes a way into this NAS; the owner does. What is recorded is the owner's start, a hard expiry
//! that nobody can move, and an end: the owner's, the portal's, or the expiry's. After it a new recovery copy is taken,
//! and the owner is shown what differs, as paths; the portal gets counts.

use std::path::{Path, PathBuf};

use assay_bundle::poll::SessionOffer;
use assay_bundle::session::{SessionEnd, SessionRecord};
use assay_bundle::statement::{STATEMENT_FORMAT, Signed, is_id};
use assay_uploader::{PortalError, SessionCall};
use serde::{Deserialize, Serialize};

use super::copy::{OwnCommand, RecoveryCopy};
use super::desk::{Desk, words};
use super::snapshot::{Difference, Snapshot};
use super::state::{Odd, Step};
use crate::audit::What;
use crate::output;
use crate::pause;
use crate::trouble::{NextStep, refuse};

/// One session as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Its record so far.
    pub(crate) record: SessionRecord,
    /// The record as it was signed last.
    signed: Signed,
    /// Whether the portal has that.
    told: bool,
    /// The configuration before it.
    before: Snapshot,
}

impl Session {
    /// Whether nobody ended it.
    pub(crate) fn runs(&self) -> bool {
        self.record.stopped_unix_s.is_none()
    }
}

/// What the owner is shown at the end.
pub(crate) struct Stopped {
    /// The whole record.
    pub(crate) record: SessionRecord,
    /// What differs.
    pub(crate) difference: Difference,
    /// Why no copy was taken after it.
    pub(crate) why_no_copy: Option<String>,
    /// Whether the portal has the record.
    pub(crate) told: bool,
}

impl Desk<'_> {
    fn session_path(&self, id: &str) -> anyhow::Result<PathBuf> {
        match is_id(id) {
            true => Ok(self.store.dir().join(format!("s-{id}.json"))),
            false => Err(refuse(format!("{id:?} is no id"), "`assay support list` names requests")),
        }
    }

    fn keep_session(&self, session: &Session) -> anyhow::Result<()> {
        let path = self.session_path(&session.record.session_id)?;
        output::replace_private(&path, &serde_json::to_vec_pretty(session)?)
    }

    /// All sessions that are kept, running ones too.
    pub(crate) fn sessions(&self) -> Vec<Session> {
        let files = std::fs::read_dir(self.store.dir()).into_iter().flatten().flatten();
        let ours = files.filter(|file| file.file_name().to_string_lossy().starts_with("s-"));
        ours.filter_map(|file| serde_json::from_slice(&std::fs::read(file.path()).ok()?).ok()).collect()
    }

    /// The kept session of this id, or of this request.
    fn session(&self, id: &str) -> anyhow::Result<Session> {
        let mut ours: Vec<Session> = self.sessions();
        ours.retain(|session| session.record.session_id == id || session.record.request_id == id);
        ours.sort_by_key(|session| (session.runs(), session.record.started_unix_s));
        ours.pop().ok_or_else(|| {
            refuse(
                format!("there is no session {id} on this NAS"),
                "`assay support session start ID` starts one that your support engineer offers",
            )
        })
    }

    /// The owner starts a session that was offered for a request that is ready.
    pub(crate) async fn start_session(&self, id: &str) -> anyhow::Result<Session> {
        pause::check(self.context)?;
        self.poll(None).await?;
        let offer = self.offer(id)?;
        let (record, asked) = self.load(&offer.request_id)?;
        if record.handling.step != Step::Ready {
            let odd = record.handling.check_open().err().unwrap_or(Odd::NoConsent);
            return Err(words(&offer.request_id, &odd));
        }
        if self.sessions().iter().any(Session::runs) {
            return Err(refuse(
                "another session runs on this NAS",
                "`assay support session stop ID` ends it; one at a time",
            ));
        }
        let now = self.now_unix_s();
        let document = SessionRecord {
            format: STATEMENT_FORMAT,
            session_id: offer.id.clone(),
            request_id: offer.request_id.clone(),
            nonce: asked.nonce,
            key_id: self.key.public().fingerprint(),
            engineer: offer.engineer,
            method: offer.method,
            started_unix_s: now,
            hard_expiry_unix_s: now.saturating_add(i64::from(offer.most_hours) * 3_600),
            stopped_unix_s: None,
            ended_by: None,
            copy_after: None,
            difference: None,
        };
        let signed = Signed::new(&document, &self.key)?;
        let mut session =
            Session { record: document, signed, told: false, before: Snapshot::take(Path::new("/")) };
        self.log.must_note(
            What::Session,
            Some(&offer.id),
            &format!("session by {} starts", session.record.engineer),
        )?;
        self.keep_session(&session)?;
        if let Err(error) = self.tell_session(&mut session, SessionCall::Start).await {
            // A session that the portal does not know of is none: the owner opens nothing for it.
            std::fs::remove_file(self.session_path(&offer.id)?)?;
            self.log.note(What::Session, Some(&offer.id), "it did not start: the portal was not told");
            return Err(error).or_advise(
                "the session did not start: the portal did not take its record",
                "open no access; call again when this NAS reaches the portal",
            );
        }
        Ok(session)
    }

    fn offer(&self, id: &str) -> anyhow::Result<SessionOffer> {
        let offers = self.last_poll().sessions;
        offers.into_iter().find(|offer| offer.id == id || offer.request_id == id).ok_or_else(|| {
            refuse(
                format!("no session is offered for {id}"),
                "it is offered when the request is ready and your support engineer opens it; open no access before",
            )
        })
    }

    /// Ends a session; an end that the portal has not heard of is told again.
    pub(crate) async fn stop_session(&self, id: &str) -> anyhow::Result<Stopped> {
        let mut session = self.session(id)?;
        let (mut why_no_copy, mut difference) = (None, Difference::default());
        if session.runs() {
            let after = Snapshot::take(Path::new("/"));
            difference = session.before.until(&after);
            let now = self.now_unix_s();
            let closed = self.last_poll().closed_sessions.contains(&session.record.session_id);
            let expiry = session.record.hard_expiry_unix_s;
            let (stopped, by) = match (now >= expiry, closed) {
                (true, _) => (expiry, SessionEnd::Expiry),
                (false, true) => (now, SessionEnd::Portal),
                (false, false) => (now, SessionEnd::Owner),
            };
            let copy_after = match (OwnCommand { context: self.context }).create().await {
                Ok(taken) => Some(taken.copy),
                Err(why_not) => {
                    why_no_copy = Some(why_not.words);
                    None
                }
            };
            session.record.stopped_unix_s = Some(stopped.max(session.record.started_unix_s));
            session.record.ended_by = Some(by);
            session.record.copy_after = copy_after;
            session.record.difference = Some(difference.summary());
            session.signed = Signed::new(&session.record, &self.key)?;
            session.told = false;
            self.keep_session(&session)?;
            let text = format!("session ended: {}", by.words());
            self.log.note(What::Session, Some(&session.record.session_id), &text);
        }
        if !session.told
            && pause::paused(self.identity.dir()).is_none()
            && let Err(error) = self.tell_session(&mut session, SessionCall::Stop).await
        {
            tracing::warn!("the portal was not told: {:#}", anyhow::Error::new(error));
        }
        Ok(Stopped { record: session.record, difference, why_no_copy, told: session.told })
    }

    /// Ends what nobody ended: sessions past their hard expiry, and those that the portal closed.
    pub(crate) async fn end_overdue_sessions(&self) -> anyhow::Result<Vec<Stopped>> {
        let (now, closed) = (self.now_unix_s(), self.last_poll().closed_sessions);
        let mut ended = Vec::new();
        for session in self.sessions().into_iter().filter(Session::runs) {
            let id = session.record.session_id;
            if now >= session.record.hard_expiry_unix_s || closed.contains(&id) {
                ended.push(self.stop_session(&id).await?);
            }
        }
        Ok(ended)
    }

    async fn tell_session(&self, session: &mut Session, end: SessionCall) -> Result<(), PortalError> {
        let id = session.record.session_id.clone();
        let portal = match self.portal() {
            Ok(portal) => portal,
            Err(error) => return Err(PortalError::Setup { what: format!("{error:#}") }),
        };
        portal.session(&self.key, &id, end, &session.signed).await?;
        session.told = true;
        if let Err(error) = self.keep_session(session) {
            tracing::warn!("that the portal was told cannot be kept: {error:#}");
        }
        Ok(())
    }
}
