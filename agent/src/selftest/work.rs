//! Carries the queue out: looks at the drive that tests, begins the next test, gives the orders.
//!
//! Before an order the drive is looked at anew and has to answer with the serial number that is meant: names of devices
//! move. That a test begins is kept before the order goes out, so that a call that dies in between costs nothing: the
//! next look finds in the drive's log what became of it. An order never wakes a drive.

use std::sync::Arc;

use assay_bundle::facts::drive::Protocol;
use assay_bundle::support_request::{SelfTestKind, SelfTests};
use assay_collector::command::{Command, DeviceNode, SmartctlKind};
use assay_collector::live::LiveSource;
use assay_collector::self_test::{Look, SelfTestCommand, SelfTestOrder, Taken, look_request, taken, version};
use assay_collector::source::{Request, Source};

use super::drives::{self, Machine, Tool};
use super::queue::{Entry, LATER_S, Queue, Run, Seen, State, kind_word, result_words};
use super::store::Store;
use crate::audit::{Log, What};
use crate::clock::Clock;
use crate::config::Settings;
use crate::context::Context;
use crate::daemon::Told;
use crate::support::desk::Desk;
use crate::support::state::Tests;
use crate::terminal::Line;
use crate::{pause, pipeline, runtime, source};

/// How a call works on the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    /// Looks at the drive that tests although its time has not come: a person asks.
    pub(crate) look_now: bool,
    /// Begins the next test.
    pub(crate) may_start: bool,
    /// May touch the data volume: a person asks, so that drives may wake.
    pub(crate) volume: bool,
}

impl How {
    /// A person asks.
    pub(crate) fn asked(context: &Context) -> Self {
        Self { look_now: true, may_start: pause::paused(context.identity().dir()).is_none(), volume: true }
    }
}

/// Everything that the work takes.
pub(crate) struct Worker<'a> {
    context: &'a Context,
    settings: Settings,
    source: LiveSource,
    log: Log,
    store: Store,
    clock: fn() -> Clock,
}

impl<'a> Worker<'a> {
    /// Opens it.
    pub(crate) fn open(context: &'a Context) -> anyhow::Result<Self> {
        let settings = context.settings()?;
        let source = source::live(&settings.config, &context.paths)?;
        Ok(Self {
            context,
            source,
            settings,
            log: Log::of(context),
            store: Store::of(context),
            clock: Clock::read,
        })
    }

    /// Where the queue is kept.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    fn now(&self) -> i64 {
        (self.clock)().now_unix_s
    }

    /// Looks at the whole machine: nothing of it is remembered, and nothing wakes.
    pub(crate) async fn examine(&self) -> anyhow::Result<Machine> {
        let line = Arc::new(Line::new());
        let options = source::options(&self.settings.config, &line);
        let key = self.context.identity().pseudonym_key_for_showing()?;
        let tool = match self.source.fetch(&Request::Run(Command::SmartctlVersion)).await {
            Ok(fetched) => Tool::Version(version(&fetched.text())),
            Err(failure) => Tool::Missing(failure.to_string()),
        };
        let run = pipeline::examine(&self.source, &options, &key, None, None).await?;
        line.clear();
        Ok(Machine { facts: run.facts, diagnosis: run.diagnosis, tool })
    }

    /// Brings the queue as far as it goes now. `machine`: what was just seen of it, if anything was.
    pub(crate) async fn advance(
        &self,
        queue: &mut Queue,
        how: How,
        mut machine: Option<Machine>,
    ) -> anyhow::Result<()> {
        let mut looks = how.look_now;
        loop {
            let now = self.now();
            if let Some(entry) = queue.running().and_then(|at| queue.entries.get_mut(at)) {
                let Some(run) = entry.run().cloned() else { return Ok(()) };
                if !std::mem::take(&mut looks) && run.wait_s(now) > 0 {
                    return Ok(());
                }
                let seen = self.look_at(entry, &run).await?;
                // It may have been found elsewhere.
                let state = entry.run().cloned().unwrap_or(run).after(seen, now);
                self.becomes(entry, state);
                let runs = entry.run().is_some();
                self.store.save(queue, how.volume)?;
                if runs {
                    return Ok(());
                }
                // What was seen of the machine was seen before.
                machine = None;
                continue;
            }
            let Some(at) = queue.next(now).filter(|_| how.may_start) else { return Ok(()) };
            let machine = match &machine {
                Some(machine) => machine,
                None => machine.insert(self.examine().await?),
            };
            self.begin(queue, at, machine, how).await?;
            looks = false;
        }
    }

    /// Takes the next state, and writes an end down.
    fn becomes(&self, entry: &mut Entry, state: State) {
        entry.state = state;
        let words = match &entry.state {
            State::Ended { test, .. } => result_words(test),
            State::Unknown { why, .. } => format!("its end is not known: {why}"),
            State::Refused { why, .. } => format!("refused: {}", why.join("; ")),
            State::Aborted { why, .. } => format!("stopped: {why}"),
            State::Waiting { .. } | State::Running(_) => return,
        };
        let (kind, serial) = (kind_word(entry.kind), &entry.serial);
        let text = format!("{kind} self-test of the drive {serial} ({}): {words}", entry.place);
        self.log.note(What::SelfTest, entry.request.as_deref(), &text);
    }

    /// Begins a test that waits, or says why not.
    async fn begin(&self, queue: &mut Queue, at: usize, machine: &Machine, how: How) -> anyhow::Result<()> {
        let Some(entry) = queue.entries.get_mut(at) else { return Ok(()) };
        let now = self.now();
        let later = |why: &str| State::Waiting {
            why: Some(why.to_owned()),
            not_before_unix_s: now.saturating_add(LATER_S),
        };
        let state = match self.ready(entry, machine, now).await {
            Ready::Not(state) => state,
            Ready::Asleep => later("the drive sleeps and was not woken"),
            Ready::Busy => later("the drive runs a self-test that was not begun here"),
            Ready::Yes { command, run } => {
                let (kind, serial, place) = (kind_word(entry.kind), &entry.serial, &entry.place);
                let text = format!("{kind} self-test of the drive {serial} ({place}) begins");
                self.log.must_note(What::SelfTest, entry.request.as_deref(), &text)?;
                entry.state = State::Running(run.clone());
                self.store.save(queue, how.volume)?;
                let said = self.source.order_self_test(&command).await;
                match said.map(|fetched| taken(&fetched)) {
                    Ok(Taken::Yes) => State::Running(run),
                    Ok(Taken::Asleep) => later("the drive sleeps and was not woken"),
                    Ok(Taken::No(why)) => State::Refused { why: vec![why], at_unix_s: now },
                    // Nobody knows whether it has the order: its log will tell.
                    Err(failure) => State::Running(Run { unseen: Some(failure.to_string()), ..run }),
                }
            }
        };
        if let Some(entry) = queue.entries.get_mut(at) {
            self.becomes(entry, state);
        }
        self.store.save(queue, how.volume)
    }

    /// Whether a test can begin now.
    async fn ready(&self, entry: &mut Entry, machine: &Machine, now: i64) -> Ready {
        let refused = |why: Vec<String>| Ready::Not(State::Refused { why, at_unix_s: now });
        if let Some(why) = entry.request.as_deref().and_then(|id| self.is_over(id)) {
            return Ready::Not(State::Aborted { why, at_unix_s: now });
        }
        let Ok(drive) = drives::find(&machine.facts, &entry.serial) else {
            if drives::may_sleep(&machine.facts) {
                return Ready::Asleep;
            }
            return refused(vec!["the drive is not there any more".to_owned()]);
        };
        entry.place = drives::place(drive);
        if drives::is_asleep(drive) {
            return Ready::Asleep;
        }
        let why = drives::against(machine, drive, entry.kind);
        if !why.is_empty() {
            return refused(why);
        }
        let (by, look) = match self.ask(&drive.device, drive.protocol.value().copied(), &entry.serial).await {
            Ok(found) => found,
            Err(Seen::Asleep) => return Ready::Asleep,
            Err(Seen::Not(why)) => return refused(vec![why]),
            Err(Seen::Drive(_)) => return refused(vec!["another drive answers in its place".to_owned()]),
        };
        if look.runs() {
            return Ready::Busy;
        }
        let Some(device) = DeviceNode::parse(&drive.device) else {
            return refused(vec![format!("{} is no device that smartctl can be asked about", drive.device)]);
        };
        let order = match entry.kind {
            SelfTestKind::Short => SelfTestOrder::Short,
            SelfTestKind::Extended => SelfTestOrder::Long,
        };
        let size = drive.capacity_bytes.value().map(|size| size.0);
        let run = Run::begins((&drive.device, by.slug()), entry.kind, &look, size, now);
        Ready::Yes { command: SelfTestCommand { order, device, kind: by }, run }
    }

    /// Why a support request's tests are not begun any more.
    fn is_over(&self, id: &str) -> Option<String> {
        let open = Desk::open(self.context).and_then(|desk| {
            let (record, _) = desk.load(id)?;
            Ok(record.handling.is_open() && record.handling.tests == Tests::Agreed)
        });
        (!open.unwrap_or(false)).then(|| format!("the support request {id} is over"))
    }

    /// Asks one drive, without waking it, until it answers as the one that is meant.
    async fn ask(
        &self,
        device: &str,
        protocol: Option<Protocol>,
        serial: &str,
    ) -> Result<(SmartctlKind, Look), Seen> {
        self.ask_by(device, drives::kinds(device, protocol), serial).await
    }

    async fn ask_by(
        &self,
        device: &str,
        kinds: &[SmartctlKind],
        serial: &str,
    ) -> Result<(SmartctlKind, Look), Seen> {
        let Some(node) = DeviceNode::parse(device) else {
            return Err(Seen::Not(format!("{device} is no device that smartctl can be asked about")));
        };
        let mut why = Seen::Not(format!("{device} was not asked"));
        for kind in kinds {
            let fetched = match self.source.fetch(&look_request(node.clone(), *kind)).await {
                Ok(fetched) => fetched,
                Err(failure) => return Err(Seen::Not(failure.to_string())),
            };
            let look = Look::read(&fetched.bytes, &fetched.place);
            if look.asleep().is_some() {
                return Err(Seen::Asleep);
            }
            match look.parsed.drive.serial.value() {
                Some(found) if found.trim().eq_ignore_ascii_case(serial.trim()) && !look.parsed.is_poor() => {
                    return Ok((*kind, look));
                }
                Some(found) if !found.trim().eq_ignore_ascii_case(serial.trim()) => {
                    why = Seen::Drive(Box::new(look));
                }
                _ => {
                    let words = look.parsed.drive.serial.why_not();
                    why = Seen::Not(
                        words.unwrap_or_else(|| format!("{device} says too little by {}", kind.slug())),
                    );
                }
            }
        }
        Err(why)
    }

    /// Looks at the drive of a running test, wherever it is by now.
    async fn look_at(&self, entry: &mut Entry, run: &Run) -> anyhow::Result<Seen> {
        let by = SmartctlKind::ALL.into_iter().find(|kind| kind.slug() == run.by);
        let kinds: Vec<SmartctlKind> = by.into_iter().collect();
        match self.ask_by(&run.device, &kinds, &entry.serial).await {
            Ok((_, look)) => return Ok(Seen::Drive(Box::new(look))),
            Err(Seen::Asleep) => return Ok(Seen::Asleep),
            Err(_) => {}
        }
        // Names of devices move with every boot.
        let machine = self.examine().await?;
        let Ok(drive) = drives::find(&machine.facts, &entry.serial) else {
            return Ok(match drives::may_sleep(&machine.facts) {
                true => Seen::Asleep,
                false => Seen::Not("the drive is not there".to_owned()),
            });
        };
        entry.place = drives::place(drive);
        if drives::is_asleep(drive) {
            return Ok(Seen::Asleep);
        }
        let protocol = drive.protocol.value().copied();
        Ok(match self.ask(&drive.device, protocol, &entry.serial).await {
            Ok((by, look)) => {
                if let State::Running(run) = &mut entry.state {
                    (run.device, run.by) = (drive.device.clone(), by.slug().to_owned());
                }
                Seen::Drive(Box::new(look))
            }
            Err(Seen::Drive(_)) => Seen::Not("another drive answers in its place".to_owned()),
            Err(seen) => seen,
        })
    }

    /// Ends the open test of a drive.
    pub(crate) async fn abort(&self, queue: &mut Queue, at: usize, how: How) -> anyhow::Result<()> {
        let by_owner = |at_unix_s| State::Aborted { why: "by the owner".to_owned(), at_unix_s };
        let now = self.now();
        let Some(entry) = queue.entries.get_mut(at) else { return Ok(()) };
        let Some(run) = entry.run().cloned() else {
            self.becomes(entry, by_owner(now));
            return self.store.save(queue, how.volume);
        };
        // The drive that is told to stop is the one that tests.
        let seen = self.look_at(entry, &run).await?;
        let run = entry.run().cloned().unwrap_or(run);
        let why_not = match &seen {
            Seen::Drive(_) => None,
            Seen::Asleep => Some("the drive sleeps and was not woken".to_owned()),
            Seen::Not(why) => Some(why.clone()),
        };
        if let Some(why) = why_not {
            return Err(crate::trouble::refuse(
                format!("the self-test of the drive {} was not stopped: {why}", entry.serial),
                "call again when the drive answers; `assay selftest status` looks at it",
            ));
        }
        let mut state = run.clone().after(seen, now);
        if let (State::Running(_), Some(device)) = (&state, DeviceNode::parse(&run.device)) {
            let kind = SmartctlKind::ALL
                .into_iter()
                .find(|kind| kind.slug() == run.by)
                .unwrap_or(SmartctlKind::Auto);
            let command = SelfTestCommand { order: SelfTestOrder::Abort, device, kind };
            match self.source.order_self_test(&command).await.map(|fetched| taken(&fetched)) {
                Ok(Taken::Yes) => {}
                other => {
                    let why = match other {
                        Ok(Taken::No(why)) => why,
                        Ok(_) => "the drive sleeps and was not woken".to_owned(),
                        Err(failure) => failure.to_string(),
                    };
                    return Err(crate::trouble::refuse(
                        format!("the self-test of the drive {} was not stopped: {why}", entry.serial),
                        "call again; `assay selftest status` looks at it",
                    ));
                }
            }
            // It may have ended in the moment before: what the log says counts.
            let seen = self.look_at(entry, &run).await?;
            state = match run.after(seen, self.now()) {
                State::Ended { test, at_unix_s }
                    if test.outcome != assay_bundle::facts::drive::SelfTestOutcome::NotCompleted =>
                {
                    State::Ended { test, at_unix_s }
                }
                _ => by_owner(self.now()),
            };
        }
        self.becomes(entry, state);
        self.store.save(queue, how.volume)
    }

    /// Puts the tests of a support request into the queue, each once, and brings the queue as far as it goes; whether
    /// any of them is still to come.
    pub(crate) async fn for_request(&self, id: &str, tests: &SelfTests) -> anyhow::Result<bool> {
        let _held = self.store.hold()?;
        let mut queue = self.store.load()?;
        let is_known = |queue: &Queue, serial: &str| {
            queue
                .entries
                .iter()
                .any(|e| e.request.as_deref() == Some(id) && e.serial.eq_ignore_ascii_case(serial))
        };
        let mut machine = None;
        for serial in &tests.serials {
            if is_known(&queue, serial) {
                continue;
            }
            let machine = match &machine {
                Some(machine) => machine,
                None => machine.insert(self.examine().await?),
            };
            let now = self.now();
            let (place, why) = match drives::find(&machine.facts, serial) {
                Ok(drive) => (drives::place(drive), drives::against(machine, drive, tests.kind)),
                Err(_) if drives::may_sleep(&machine.facts) => ("a drive that sleeps".to_owned(), Vec::new()),
                Err(_) => ("no bay".to_owned(), vec!["there is no drive of this serial number".to_owned()]),
            };
            let state = State::Waiting { why: None, not_before_unix_s: 0 };
            let (kind, request) = (tests.kind, Some(id.to_owned()));
            let mut entry = Entry { serial: serial.clone(), place, kind, asked_unix_s: now, request, state };
            let full = match why.is_empty() {
                true => queue.add(entry.clone()).err().map(|full| vec![full.to_string()]),
                false => Some(why),
            };
            if let Some(why) = full {
                self.becomes(&mut entry, State::Refused { why, at_unix_s: now });
                queue.entries.push(entry);
            }
        }
        self.store.save(&queue, true)?;
        self.advance(&mut queue, How::asked(self.context), machine).await?;
        let open = queue.is_open_for(id);
        if open {
            self.store.call_daemon();
        }
        Ok(open)
    }
}

/// What came of looking whether a test can begin.
enum Ready {
    Yes { command: SelfTestCommand, run: Run },
    Asleep,
    Busy,
    Not(State),
}

/// The daemon's job: what is due, and when to come again. Writes to RAM alone.
pub(crate) fn job(context: &Context) -> anyhow::Result<Told> {
    let told =
        |words: &str, again_after_s| Ok(Told { words: words.to_owned(), again_after_s, ..Told::default() });
    let store = Store::of(context);
    let Ok(_held) = store.hold() else { return told("another call works on it", Some(60)) };
    let mut queue = store.load()?;
    if queue.wait_s(context.clock.now_unix_s).is_none() {
        return told("no self-test waits or runs", None);
    }
    let may_start = pause::paused(context.identity().dir()).is_none();
    let how = How { look_now: false, may_start, volume: false };
    let worker = Worker::open(context)?;
    runtime::block_on(worker.advance(&mut queue, how, None))?;
    let waits = queue.entries.iter().filter(|entry| matches!(entry.state, State::Waiting { .. })).count();
    let again = queue.wait_s(worker.now()).map(|wait| u64::try_from(wait).unwrap_or_default());
    let again = again.map(|wait| if may_start { wait } else { wait.max(900) });
    let runs = usize::from(queue.running().is_some());
    told(&format!("{runs} self-tests run, {waits} wait"), again)
}
