//! Where requests are received and their states are kept: the one place that changes a record.
//!
//! Every change goes through [`Desk::change`]: the state machine first, then the file, then the spool, so that a bundle
//! that a request no longer stands behind is removed before anything else can happen to it. Times are the portal's as
//! far as they are known: the difference between the clocks is kept from its last signed answer.

use std::io::Read;
use std::path::Path;

use anyhow::Context as _;
use assay_bundle::keys::SigningKey;
use assay_bundle::poll::PollAnswer;
use assay_bundle::statement::Signed;
use assay_bundle::support_request::SupportRequest;
use assay_uploader::{Portal, PortalError, Spool, Trust};
use serde::{Deserialize, Serialize};

use super::copy::{OwnCommand, RecoveryCopy};
use super::session::Session;
use super::state::{Around, Event, Handling, Moment, Odd, Step};
use super::store::{Record, Store, Via, waited_boot_s};
use super::verify::{Known, Me, Verified, verify};
use crate::audit::{Log, What};
use crate::clock::Clock;
use crate::config::Settings;
use crate::context::Context;
use crate::identity::{Enrolment, Identity};
use crate::trouble::{NextStep, refuse};
use crate::{chassis, clock, output, pause, portal, portal_keys, revoked, source, update};

/// Longest file of a request: a signed statement.
const MOST_FILE_BYTES: u64 = 256 << 10;
/// What the last poll said, in RAM and, after news, beside the requests.
pub(crate) const LAST_POLL: &str = "last-poll.json";
/// The daemon tends to what stays open so often (judgement: an hour; a standing consent is used once a day).
const TEND_EVERY_S: u64 = 3600;
/// Requests that are over are forgotten after this: longer than any request lives (judgement: a quarter).
const KEPT_S: i64 = 90 * 86_400;

/// What the portal's last signed answer said besides requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LastPoll {
    /// The portal's clock minus ours, seconds.
    pub(crate) skew_s: i64,
    /// When it was asked, by our clock.
    pub(crate) asked_unix_s: i64,
    /// When to ask again.
    pub(crate) interval_s: u32,
    /// Sessions that the owner can start.
    pub(crate) sessions: Vec<assay_bundle::poll::SessionOffer>,
    /// Sessions that are over for the portal.
    pub(crate) closed_sessions: Vec<String>,
    /// Digest of all that was open.
    pub(crate) state: String,
    /// Whether anything was.
    pub(crate) open: bool,
    /// Whether what it said was taken in whole.
    pub(crate) taken_in: bool,
    /// When the daemon last tended to what is open, by our clock.
    pub(crate) tended_unix_s: i64,
    /// When the first session that runs is over, by the portal's clock.
    pub(crate) session_ends_unix_s: Option<i64>,
}

/// What a poll of the daemon came to.
pub(crate) struct Looked {
    /// The portal's answer.
    pub(crate) answer: PollAnswer,
    /// What became of the requests in it, when it was another answer than before.
    pub(crate) came: Vec<Came>,
    /// Whether it was.
    pub(crate) changed: bool,
    /// Whether the portal might hold the call.
    pub(crate) was_held: bool,
}

/// What became of a request that came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// It waits for the owner, under this id.
    New(String),
    /// It is there already.
    Known(String),
    /// It is not listened to, and why.
    Not(String),
}

/// Everything that answering takes.
pub(crate) struct Desk<'a> {
    /// The call.
    pub(crate) context: &'a Context,
    /// The configuration.
    pub(crate) settings: Settings,
    /// Keys and numbers.
    pub(crate) identity: Identity,
    /// The portal.
    pub(crate) enrolment: Enrolment,
    /// The device's key.
    pub(crate) key: SigningKey,
    /// Whose word counts.
    pub(crate) trust: Trust,
    /// The requests.
    pub(crate) store: Store,
    /// What is written down for the owner.
    pub(crate) log: Log,
    /// Asked at each step and not once for a call: an owner thinks for as long as they want, and a request may run out.
    pub(crate) clock: fn() -> Clock,
}

impl<'a> Desk<'a> {
    /// Opens it; a device that is not enrolled has none.
    pub(crate) fn open(context: &'a Context) -> anyhow::Result<Self> {
        let settings = context.settings()?;
        let identity = context.identity();
        let (Some(enrolment), Some(key)) = (identity.enrolment()?, identity.key()?) else {
            return Err(refuse(
                "this device is not enrolled, so nobody can ask it for anything",
                "`assay enroll --portal URL --code CODE` with the code from your support engineer",
            ));
        };
        let trust = Trust::from_card(&enrolment.card).or_advise(
            "the portal's card that was pinned is damaged",
            "enrol again with a new code: `assay enroll`",
        )?;
        let (store, log) = (Store::of(context), Log::of(context));
        Ok(Self { context, settings, identity, enrolment, key, trust, store, log, clock: Clock::read })
    }

    /// The portal, with its key pinned.
    pub(crate) fn portal(&self) -> anyhow::Result<Portal> {
        let clock = self.context.clock;
        Ok(portal::enrolled(&self.enrolment, &self.settings.config, &self.identity, clock)?)
    }

    /// The spool.
    pub(crate) fn spool(&self) -> anyhow::Result<Spool> {
        self.context.spool(&self.settings)
    }

    /// Now, by the portal's clock as far as it is known.
    pub(crate) fn now_unix_s(&self) -> i64 {
        (self.clock)().now_unix_s.saturating_add(self.last_poll().skew_s)
    }

    /// Now, and what holds now.
    pub(crate) fn moment(&self) -> Moment {
        let card = &self.enrolment.card;
        let around = Around {
            key_id: self.key.public().fingerprint(),
            portal: card.fingerprint(),
            recipient: card.recipient.clone(),
            configuration: OwnCommand::of(self.context).configuration_digest(),
        };
        let paused = pause::paused(self.identity.dir()).is_some();
        Moment { now_unix_s: self.now_unix_s(), around, paused }
    }

    /// What the last poll said: of this boot, else as the data volume keeps it. A file that is not there or damaged says
    /// nothing.
    pub(crate) fn last_poll(&self) -> LastPoll {
        let read = |dir: &Path| serde_json::from_slice(&std::fs::read(dir.join(LAST_POLL)).ok()?).ok();
        read(self.store.ram()).or_else(|| read(self.store.dir())).unwrap_or_default()
    }

    /// Asks the portal what is open, and takes in what it says.
    pub(crate) async fn poll(&self, known: Option<&str>) -> anyhow::Result<(PollAnswer, Vec<Came>)> {
        if known.is_none() {
            // A key that came with drives from another unit asks nothing in that one's name.
            let here = source::who(&self.settings.config, &self.context.paths).await?;
            chassis::check(&self.enrolment.chassis, &chassis::marks(&here))?;
        }
        let asked = self.ask(known, known.is_some()).await?;
        let answer = asked.or_advise(
            "the portal could not be asked",
            "see that this NAS reaches it, and call again; a request also comes as a file: `assay support fetch FILE`",
        )?;
        if answer.revoked {
            return Err(refuse(
                "the portal has revoked this device's key: nothing is asked of it and nothing is taken from it",
                "ask your support engineer for a new code: `assay enroll`",
            ));
        }
        let mut last = self.said(&answer);
        self.remember(&last)?;
        self.remember_for_good()?;
        if let Some(told) = update::hear(self.context, answer.latest.as_ref()) {
            output::say(&told);
        }
        let came = self.take_in(&answer)?;
        last.taken_in = true;
        self.remember(&last)?;
        Ok((answer, came))
    }

    /// One signed call, and what follows from its answer whatever is asked: newer keys of the portal are taken, and a
    /// revocation is kept.
    async fn ask(&self, known: Option<&str>, waits: bool) -> anyhow::Result<Result<PollAnswer, PortalError>> {
        let portal = self.portal()?;
        let asked = portal.poll(&self.key, &self.trust, known, waits).await;
        let shown = asked.as_ref().map_or(u64::MAX, |answer| answer.keys_number);
        let strange = matches!(asked, Err(PortalError::Trust(_)));
        if (strange || asked.is_ok()) && shown > Trust::keys_number(&self.enrolment.card).unwrap_or_default()
        {
            let newer = portal_keys::refresh(self.context, &self.identity, &self.enrolment, &portal).await?;
            if newer.is_some() {
                return Err(refuse(
                    "the portal has new keys, signed by its root key: they are taken now",
                    "call again; nothing needs doing",
                ));
            }
        }
        match &asked {
            Ok(answer) if answer.revoked => revoked::hear_poll(self.context, answer)?,
            Ok(answer) => {
                revoked::clear(self.context);
                self.identity.sequence().go_above(answer.last_seq)?;
            }
            Err(error) => {
                if let Some(revocation) = error.revocation() {
                    revoked::hear(self.context, revocation)?;
                }
            }
        }
        Ok(asked)
    }

    /// The daemon's poll. Like [`Desk::poll`], but what says nothing new touches RAM alone: no sleeping disk is woken
    /// for the news that there is none. Held by the portal while something is open, or somebody waits.
    pub(crate) async fn look(&self) -> anyhow::Result<Result<Looked, PortalError>> {
        let before = self.last_poll();
        let waits = waited_boot_s(self.store.ram()).is_some();
        let known = (before.open || waits).then_some(before.state.as_str()).filter(|state| !state.is_empty());
        let answer = match self.ask(known, waits).await? {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        let was_held = known.is_some();
        let mut last = LastPoll { tended_unix_s: before.tended_unix_s, ..self.said(&answer) };
        let changed = !before.taken_in || before.state != answer.state;
        self.remember(&last)?;
        let mut came = Vec::new();
        if changed && !answer.revoked {
            came = self.take_in(&answer)?;
            let is_new = came.iter().any(|came| matches!(came, Came::New(_)));
            if is_new
                || (&before.sessions, &before.closed_sessions) != (&last.sessions, &last.closed_sessions)
            {
                self.remember_for_good()?;
            }
        }
        // A clock that cannot be right lets no request in; it is judged again when the clock is.
        last.taken_in = came.is_empty() || clock::plausible(self.now_unix_s());
        self.remember(&last)?;
        Ok(Ok(Looked { answer, came, changed, was_held }))
    }

    /// Whether open things are to be tended now: after a change, and once an hour while there are any.
    pub(crate) fn tends(&self, looked: &Looked) -> anyhow::Result<bool> {
        let mut last = self.last_poll();
        let now = (self.clock)().now_unix_s;
        let due = last.open && now.abs_diff(last.tended_unix_s) >= TEND_EVERY_S;
        let over = last.session_ends_unix_s.is_some_and(|end| self.now_unix_s() >= end);
        if !(looked.changed || due || over) || looked.answer.revoked {
            return Ok(false);
        }
        last.tended_unix_s = now;
        self.remember(&last)?;
        Ok(true)
    }

    /// Notes when the first of the sessions that run is over, so that nobody looks at the data volume for it before.
    pub(crate) fn note_session_ends(&self) -> anyhow::Result<()> {
        let mut last = self.last_poll();
        let ends = self.sessions().into_iter().filter(Session::runs).map(|s| s.record.hard_expiry_unix_s);
        last.session_ends_unix_s = ends.min();
        self.remember(&last)
    }

    fn said(&self, answer: &PollAnswer) -> LastPoll {
        let now = (self.clock)().now_unix_s;
        let is_open = !answer.requests.is_empty() || !answer.sessions.is_empty();
        LastPoll {
            skew_s: answer.made_unix_s.saturating_sub(now),
            asked_unix_s: now,
            interval_s: answer.interval_s,
            sessions: answer.sessions.clone(),
            closed_sessions: answer.closed_sessions.clone(),
            state: answer.state.clone(),
            open: is_open && !answer.revoked,
            taken_in: false,
            tended_unix_s: 0,
            session_ends_unix_s: self.last_poll().session_ends_unix_s,
        }
    }

    fn remember(&self, last: &LastPoll) -> anyhow::Result<()> {
        output::replace_private(&self.store.ram().join(LAST_POLL), &serde_json::to_vec_pretty(last)?)
    }

    /// Brings what the last poll said to the data volume: for the time after the next boot.
    fn remember_for_good(&self) -> anyhow::Result<()> {
        self.store.keep_from_ram(LAST_POLL)
    }

    fn take_in(&self, answer: &PollAnswer) -> anyhow::Result<Vec<Came>> {
        let came = answer.requests.iter().map(|signed| self.take(signed, Via::Poll)).collect();
        for id in &answer.cancelled {
            self.cancelled(id)?;
        }
        came
    }

    /// A request that the portal took back. One that another call answers at this moment hears of it from the portal.
    fn cancelled(&self, id: &str) -> anyhow::Result<()> {
        let Ok(_held) = self.store.hold(id) else { return Ok(()) };
        let Ok(mut record) = self.store.load(id) else { return Ok(()) };
        if record.handling.is_over() {
            return Ok(());
        }
        self.change(id, &mut record, Event::Cancelled)?;
        self.log.note(What::Request, Some(id), "the portal cancelled the request");
        Ok(())
    }

    /// A request out of a file.
    pub(crate) fn fetch(&self, path: &Path) -> anyhow::Result<Came> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MOST_FILE_BYTES).read_to_end(&mut bytes))
            .or_advise(format!("cannot read {}", path.display()), "name the file of the request")?;
        let signed: Signed = assay_bundle::json::from_slice(&bytes).or_advise(
            format!("{} is no signed request", path.display()),
            "copy the file again from where your engineer put it; nothing was taken from it",
        )?;
        self.take(&signed, Via::File)
    }

    /// Judges a request and keeps it.
    pub(crate) fn take(&self, signed: &Signed, via: Via) -> anyhow::Result<Came> {
        let known = self.known()?;
        let now = self.now_unix_s();
        if !clock::plausible(now) {
            return Ok(Came::Not(format!(
                "this device's clock says {}, so nobody can tell whether the request has expired",
                clock::rfc3339(now)
            )));
        }
        let me = Me {
            device_id: self.enrolment.device_id.clone(),
            key_id: self.key.public().fingerprint(),
            chassis: self.enrolment.chassis.clone(),
            portal: self.enrolment.card.fingerprint(),
        };
        let request = match verify(signed, &self.trust, &me, &known, now) {
            Ok(Verified::New(request)) => request,
            Ok(Verified::Same(id)) => return Ok(Came::Known(id)),
            Err(error) => {
                let why = format!("{:#}", anyhow::Error::new(error));
                self.log.note(What::Request, None, &format!("a request was not listened to: {why}"));
                return Ok(Came::Not(why));
            }
        };
        let record = Record {
            request: signed.clone(),
            received_unix_s: now,
            via,
            handling: Handling::received(self.moment().around, request.expires_unix_s),
            copy_receipt: None,
            why_no_copy: None,
            answers: None,
            consent: None,
            receipt: None,
            denial_untold: false,
        };
        // The daemon and a call of the owner's may take it at one moment: who is second finds it there.
        if !self.store.create(&request.id, &record)? {
            return Ok(Came::Known(request.id));
        }
        self.log.note(What::Request, Some(&request.id), &format!("{} asks for a bundle", request.engineer));
        Ok(Came::New(request.id))
    }

    /// What is known; what was over long ago is forgotten on the way.
    fn known(&self) -> anyhow::Result<Vec<Known>> {
        let mut known = Vec::new();
        let moment = self.moment();
        for (id, mut record) in self.store.all()? {
            let asked = record.asked()?;
            record.handling.settle(&moment);
            let old = asked.expires_unix_s < moment.now_unix_s.saturating_sub(KEPT_S);
            if old && !record.handling.is_open() {
                self.store.remove(&id)?;
                continue;
            }
            known.push(Known {
                document: record.request.document,
                id,
                nonce: asked.nonce,
                received_unix_s: record.received_unix_s,
                open: record.handling.is_open(),
            });
        }
        Ok(known)
    }

    /// One request as it stands now; what ran out meanwhile is written down.
    pub(crate) fn load(&self, id: &str) -> anyhow::Result<(Record, SupportRequest)> {
        let mut record = self.store.load(id)?;
        let asked = record.asked()?;
        let before = record.handling.clone();
        record.handling.settle(&self.moment());
        if record.handling != before {
            self.let_go(&before, &record.handling)?;
            self.store.save(id, &record)?;
            if record.handling.step == Step::Expired {
                self.log.note(What::Request, Some(id), "nobody answered before the request expired");
            }
        }
        Ok((record, asked))
    }

    /// Lets something happen to a request, and keeps what it became, also when it was refused.
    pub(crate) fn change(&self, id: &str, record: &mut Record, event: Event) -> anyhow::Result<()> {
        self.try_change(id, record, event)?.map_err(|odd| words(id, &odd))
    }

    /// The same, for who has an answer to an odd event.
    pub(crate) fn try_change(
        &self,
        id: &str,
        record: &mut Record,
        event: Event,
    ) -> anyhow::Result<Result<(), Odd>> {
        let before = record.handling.clone();
        let result = record.handling.apply(event, &self.moment());
        if record.handling != before {
            if record.handling.agreed.is_none() {
                (record.answers, record.consent) = (None, None);
            }
            // Nothing that lost its ground may lie ready, not even if the file cannot be written afterwards.
            self.let_go(&before, &record.handling)?;
            self.store.save(id, record).context("what became of the request cannot be kept")?;
        }
        Ok(result)
    }

    /// Removes a bundle that the request no longer stands behind.
    fn let_go(&self, before: &Handling, after: &Handling) -> anyhow::Result<()> {
        let Some(old) = &before.sealed else { return Ok(()) };
        let answered = matches!(after.step, Step::Ready | Step::Lapsed | Step::Taken | Step::Refused { .. });
        let same = after.sealed.as_ref() == Some(old);
        if same && (answered || !after.is_over()) {
            return Ok(());
        }
        let spool = self.spool()?;
        match spool.entry(&old.entry) {
            Ok(entry) if !entry.is_done() => Ok(spool.remove(&old.entry)?),
            _ => Ok(()),
        }
    }
}

/// An odd event for the owner.
pub(crate) fn words(id: &str, odd: &Odd) -> anyhow::Error {
    refuse(format!("the support request {id}: {odd}"), odd.next().replace("ID", id))
}
