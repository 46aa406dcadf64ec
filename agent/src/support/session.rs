//! The record of a remote session: who looks, how, from when to when, and what was different afterwards.
//!
//! Nothing here opens or closes a way into this NAS; the owner does. What is recorded is the owner's start, a hard expiry
//! that nobody can move, and an end: the owner's, the portal's, or the expiry's. Before it and after it a recovery copy is
//! taken, and the owner is shown what differs between the two, as paths; the portal gets counts. What they are compared
//! by (salted digests, 0600) is kept for the time of the session and removed at its end. Where there was no copy before,
//! a look at the configuration stands in for it, and the owner is told.

use std::path::{Path, PathBuf};

use assay_bundle::consent::CopyTaken;
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
use crate::backup::digests::{self, Changes};
use crate::output;
use crate::pause;
use crate::terminal::Line;
use crate::trouble::{self, NextStep, refuse};

/// One session as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Its record so far.
    pub(crate) record: SessionRecord,
    /// The record as it was signed last.
    signed: Signed,
    /// Whether the portal has that.
    told: bool,
    /// Accounts, keys and services before it; files too where there is no copy.
    before: Snapshot,
    /// What digests are mixed with, until the session ends.
    #[serde(default)]
    salt: String,
    /// Whether a copy was taken before it, with its list.
    #[serde(default)]
    copied_before: bool,
}

/// A session that began.
pub(crate) struct Started {
    /// Its record.
    pub(crate) record: SessionRecord,
    /// The copy before it, or why there is none.
    pub(crate) copy: Result<CopyTaken, String>,
}

/// What the paths of a difference were compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ComparedBy {
    /// The recovery copies before and after.
    Copies,
    /// Two looks at the configuration: there was no copy before.
    Looks,
    /// Nothing: there is no copy after it.
    Nothing,
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
    /// By what; none when it had ended before, and was compared then.
    pub(crate) compared_by: Option<ComparedBy>,
    /// Why no copy was taken after it.
    pub(crate) why_no_copy: Option<String>,
    /// Whether the portal has the record.
    pub(crate) told: bool,
}

/// List of the copy before a session, and of the one after it.
const BEFORE: &str = "before";
const AFTER: &str = "after";

/// Removes a list; one that is not there is gone already.
fn forget(list: &Path) {
    if let Err(error) = std::fs::remove_file(list)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!("{} cannot be removed: {error}", list.display());
    }
}

impl Desk<'_> {
    fn session_path(&self, id: &str) -> anyhow::Result<PathBuf> {
        match is_id(id) {
            true => Ok(self.store.dir().join(format!("s-{id}.json"))),
            false => Err(refuse(format!("{id:?} is no id"), "`assay support list` names requests")),
        }
    }

    /// Where the list of a copy stands while the session runs.
    fn list_path(&self, id: &str, which: &str) -> anyhow::Result<PathBuf> {
        Ok(self.session_path(id)?.with_extension(which))
    }

    /// Takes a copy and fills a list beside it; no list stays where there is no copy.
    async fn copy_with_list(&self, list: &Path, salt: &str) -> Result<CopyTaken, String> {
        let prepared = digests::prepare(list, salt).map_err(|error| trouble::parts(&error).0);
        let taken = match prepared {
            Ok(()) => {
                let copies = OwnCommand { context: self.context, digests: Some(list) };
                copies.create().await.map(|taken| taken.copy).map_err(|why| why.words)
            }
            Err(why) => Err(why),
        };
        if taken.is_err() {
            forget(list);
        }
        taken
    }

    fn keep_session(&self, session: &Session) -> anyhow::Result<()> {
        let path = self.session_path(&session.record.session_id)?;
        output::replace_private(&path, &serde_json::to_vec_pretty(session)?)
    }

    /// All sessions that are kept, running ones too.
    pub(crate) fn sessions(&self) -> Vec<Session> {
        let files = std::fs::read_dir(self.store.dir()).into_iter().flatten().flatten();
        let ours = files.filter(|file| {
            let name = file.file_name();
            let name = name.to_string_lossy();
            name.starts_with("s-") && name.ends_with(".json")
        });
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
    pub(crate) async fn start_session(&self, id: &str) -> anyhow::Result<Started> {
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
        // A copy takes its time: nobody else starts one in it.
        let _held = self.store.hold(&offer.request_id)?;
        let salt = output::random_name()?;
        let list = self.list_path(&offer.id, BEFORE)?;
        let line = Line::new();
        line.show("taking a recovery copy of the configuration");
        let copy = self.copy_with_list(&list, &salt).await;
        line.clear();
        let before = Snapshot::take(Path::new("/"), &salt);
        let before = if copy.is_ok() { before.without_files() } else { before };
        // Nobody looks in while the copy is taken.
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
        let copied_before = copy.is_ok();
        let mut session = Session { record: document, signed, told: false, before, salt, copied_before };
        let with = match &copy {
            Ok(copy) => format!("a recovery copy was taken before it, {}", copy.sha256),
            Err(why) => format!("NO recovery copy was taken before it: {why}"),
        };
        let text = format!("session by {} starts; {with}", session.record.engineer);
        self.log.must_note(What::Session, Some(&offer.id), &text).inspect_err(|_| forget(&list))?;
        self.keep_session(&session).inspect_err(|_| forget(&list))?;
        if let Err(error) = self.tell_session(&mut session, SessionCall::Start).await {
            // A session that the portal does not know of is none: the owner opens nothing for it.
            forget(&list);
            std::fs::remove_file(self.session_path(&offer.id)?)?;
            self.log.note(What::Session, Some(&offer.id), "it did not start: the portal was not told");
            return Err(error).or_advise(
                "the session did not start: the portal did not take its record",
                "open no access; call again when this NAS reaches the portal",
            );
        }
        Ok(Started { record: session.record, copy })
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
        let mut compared_by = None;
        if session.runs() {
            let now = self.now_unix_s();
            let closed = self.last_poll().closed_sessions.contains(&session.record.session_id);
            let expiry = session.record.hard_expiry_unix_s;
            let (stopped, by) = match (now >= expiry, closed) {
                (true, _) => (expiry, SessionEnd::Expiry),
                (false, true) => (now, SessionEnd::Portal),
                (false, false) => (now, SessionEnd::Owner),
            };
            let lists = [BEFORE, AFTER].map(|which| self.list_path(&session.record.session_id, which));
            let [before, after] = lists;
            let (before, after) = (before?, after?);
            let line = Line::new();
            line.show("taking a recovery copy of the configuration");
            let copy_after = match self.copy_with_list(&after, &session.salt).await {
                Ok(copy) => Some(copy),
                Err(why) => {
                    why_no_copy = Some(why);
                    None
                }
            };
            line.clear();
            let look = Snapshot::take(Path::new("/"), &session.salt);
            let look = if session.copied_before { look.without_files() } else { look };
            difference = session.before.until(&look);
            compared_by = Some(match (session.copied_before, &copy_after) {
                (false, _) => ComparedBy::Looks,
                (true, None) => ComparedBy::Nothing,
                (true, Some(_)) => match digests::compare(&before, &after) {
                    Ok(Changes { added, removed, changed, cut }) => {
                        difference = Difference { added, removed, changed, cut, ..difference };
                        ComparedBy::Copies
                    }
                    Err(error) => {
                        tracing::warn!("the two copies cannot be compared: {error:#}");
                        ComparedBy::Nothing
                    }
                },
            });
            session.record.stopped_unix_s = Some(stopped.max(session.record.started_unix_s));
            session.record.ended_by = Some(by);
            session.record.copy_after = copy_after;
            session.record.difference = Some(difference.summary());
            session.signed = Signed::new(&session.record, &self.key)?;
            session.told = false;
            // What a comparison needed is not kept beyond it.
            (session.before, session.salt) = (Snapshot::default(), String::new());
            self.keep_session(&session)?;
            for list in [&before, &after] {
                forget(list);
            }
            let text = format!("session ended: {}", by.words());
            self.log.note(What::Session, Some(&session.record.session_id), &text);
        }
        if !session.told
            && pause::paused(self.identity.dir()).is_none()
            && let Err(error) = self.tell_session(&mut session, SessionCall::Stop).await
        {
            tracing::warn!("the portal was not told: {:#}", anyhow::Error::new(error));
        }
        Ok(Stopped { record: session.record, difference, compared_by, why_no_copy, told: session.told })
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
