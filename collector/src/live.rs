//! The live machine behind the one door.
//!
//! Everything that a dying disk can block happens in a child process that may be lost: file reads, listings and links
//! and questions to devices in reader children ([`reader_main`], a small pool, reused), commands in a child that looks for the program and then
//! becomes it. This process never opens, examines or executes anything on a disk, so no state of a disk can stop it.
//! A child that misses its deadline is killed; one that cannot be killed is abandoned and remembered in the
//! runtime folder, and nothing touches its target again while it lives.
//!
//! What is done in this process cannot block: `/dev/kmsg` (opened non-blocking), the host sample (`sysinfo` reads a few
//! files in `/proc`), the clock, and `/proc/PID/stat` of our own children. Services of the NAS itself are asked over
//! the loopback with deadlines of their own.
//!
//! Nothing here writes to the machine except the list of abandoned children in the runtime folder, which is RAM.
//! There is no vendor command and no setting that this door could reach. A self-test is no question of a source: nothing
//! that holds a [`Source`] can start one; [`LiveSource::order_self_test`] can, and has its own closed list.

mod abandoned;
mod event_rows;
mod gate;
mod ioctl;
mod kernel_calls;
mod kernel_log;
mod leash;
mod management;
mod memory_cap;
mod pool;
mod proc_stat;
mod protocol;
mod reader;
mod run;
mod samples;
mod services;
mod smbios;
mod sqlite;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use assay_bundle::manifest::RunSource;

pub(crate) use self::kernel_calls::io_class;
pub use self::management::{Called, Management, ManagementCaller};
use self::pool::Plain;
use self::protocol::Op;
pub use self::reader::reader_main;
use crate::self_test::SelfTestCommand;
use crate::source::{
    Answer, Answers, Counters, Failure, Fetched, Keep, MAX_EVENT_ROWS_BYTES, Request, Source,
};

/// QTS's event log. `/etc/logs` is a link to the same folder.
const EVENT_LOG: &str = "/mnt/HDA_ROOT/.logs/event.log";

/// The firmware's description of the machine.
const SMBIOS: &str = "/sys/firmware/dmi/tables/DMI";

/// Most bytes of it: version 2 has a 16-bit length, version 3 tables of servers stay well below this.
const MAX_SMBIOS_BYTES: u64 = 256 * 1024;
use crate::{inventory_memory, ring};

/// How long a file may take. Reads from `/proc` and `/sys` take microseconds; a disk that retries takes seconds.
pub const READ_DEADLINE: Duration = Duration::from_secs(5);

/// How long a command may take. A QNAP TR-002 needs 61.8 s for `smartctl -x` (smartmontools#237).
pub const COMMAND_DEADLINE: Duration = Duration::from_secs(70);

/// How long one question to a device may take: longer than the ten seconds after which the kernel gives a command up,
/// by the time that its error handling may need for a link reset.
pub const DEVICE_DEADLINE: Duration = Duration::from_secs(30);

/// How long a killed child may take to die before it is abandoned.
pub const KILL_GRACE: Duration = Duration::from_secs(2);

/// Niceness of a run: the highest, only what is left over. Where the idle I/O class is refused, it gives the lowest level
/// of the best-effort class (7 of 0 to 7; ioprio_set(2)). Both hold for the children too.
const NICENESS: i32 = 19;

/// How a live source works.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Where the machine's root is: `/`. Tests put a folder here; what is read from there is no live evidence.
    pub root: PathBuf,
    /// Directories in which tools are looked for first.
    pub tool_dirs: Vec<PathBuf>,
    /// Folder in RAM for the list of abandoned children; made with mode 0700.
    pub runtime_dir: PathBuf,
    /// Folder of what earlier runs remembered, on the data volume: see [`crate::ring`] and
    /// [`crate::inventory_memory`]. `None`: there is no data volume, so what is remembered cannot be read.
    pub state_dir: Option<PathBuf>,
    /// Command line of the reader child: our own executable and the word that makes it call [`reader_main`].
    pub reader: Vec<OsString>,
    /// How long one file, listing or link may take.
    pub read_deadline: Duration,
    /// How long one command may take.
    pub command_deadline: Duration,
    /// How long one question to a device may take.
    pub device_deadline: Duration,
    /// How long a killed child may take to die.
    pub kill_grace: Duration,
    /// QTS's management pages, where somebody can fetch them.
    pub management: Option<Arc<Management>>,
}

impl LiveOptions {
    /// The real machine, with the usual deadlines.
    pub fn new(runtime_dir: impl Into<PathBuf>, reader: Vec<OsString>) -> Self {
        Self {
            root: PathBuf::from("/"),
            tool_dirs: Vec::new(),
            runtime_dir: runtime_dir.into(),
            state_dir: None,
            reader,
            read_deadline: READ_DEADLINE,
            command_deadline: COMMAND_DEADLINE,
            device_deadline: DEVICE_DEADLINE,
            kill_grace: KILL_GRACE,
            management: None,
        }
    }

    fn is_real(&self) -> bool {
        self.root == Path::new("/")
    }

    /// A path of the machine as this process sees it.
    fn place(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

/// The live machine.
pub struct LiveSource {
    shared: Arc<Shared>,
    pool: pool::Pool,
}

/// What readers, commands and their leashes have in common.
struct Shared {
    options: LiveOptions,
    gate: gate::Gate,
    started: AtomicU64,
    abandoned: AtomicU64,
}

impl LiveSource {
    /// A source for this machine. Starts nothing yet.
    pub fn new(options: LiveOptions) -> Self {
        let gate = gate::Gate::new(abandoned::Abandoned::new(options.runtime_dir.clone()));
        let shared = Shared { options, gate, started: AtomicU64::new(0), abandoned: AtomicU64::new(0) };
        Self { shared: Arc::new(shared), pool: pool::Pool::default() }
    }

    /// Children started and abandoned by this source so far.
    pub fn counters(&self) -> Counters {
        Counters {
            processes_started: self.shared.started.load(Ordering::Relaxed),
            readers_abandoned: self.shared.abandoned.load(Ordering::Relaxed),
        }
    }

    /// Gives one drive an order about self-tests, for its owner: the only thing that is not reading. Whether it was taken:
    /// [`crate::self_test::taken`].
    ///
    /// # Errors
    /// As for every command: it is not there, hangs, or its drive is stuck.
    pub async fn order_self_test(&self, command: &SelfTestCommand) -> Result<Fetched, Failure> {
        run::order(&self.shared, command).await
    }

    async fn answer(&self, request: &Request) -> Result<Fetched, Failure> {
        request.check()?;
        let options = &self.shared.options;
        if let Some(plain) = Plain::of(request) {
            let fetched = self.pool.ask(&self.shared, plain).await?;
            return Ok(Fetched { place: request.place(), ..fetched });
        }
        let mut fetched = match request {
            Request::Read { path, limit_bytes, lock: Some(lock) } => {
                self.pool.ask_locked(&self.shared, path, lock, *limit_bytes).await?
            }
            Request::EventLog => {
                self.pool
                    .ask(&self.shared, Plain::new(Op::EventRows, EVENT_LOG, MAX_EVENT_ROWS_BYTES))
                    .await?
            }
            Request::Dimms => {
                let table =
                    self.pool.ask(&self.shared, Plain::new(Op::Read, SMBIOS, MAX_SMBIOS_BYTES)).await?;
                samples::json("the list of memory modules", &smbios::modules(&table.bytes))?
            }
            Request::Run(command) => run::run(&self.shared, command).await?,
            Request::Device { device, query } => self.pool.ask_device(&self.shared, device, *query).await?,
            Request::KernelLog => kernel_log::read(&options.place("/dev/kmsg"))?,
            Request::HostSample if options.is_real() => samples::host()?,
            Request::HostSample => return Err(Failure::NotFound),
            Request::ClockSample => samples::clock()?,
            Request::SnmpPower if options.is_real() => Box::pin(services::snmp_power()).await?,
            Request::Nut if options.is_real() => services::nut().await?,
            Request::SnmpPower | Request::Nut => return Err(Failure::NotFound),
            Request::ManagementCgi(page) => match &options.management {
                Some(management) => management.page(*page).await?,
                None => return Err(management::without_session()),
            },
            Request::Recorder => Box::pin(self.recorder()).await?,
            Request::Inventory => {
                let path = self.remembered(inventory_memory::FILE)?;
                self.pool.ask(&self.shared, Plain::new(Op::Read, &path, inventory_memory::MOST_BYTES)).await?
            }
            Request::StuckReaders => samples::json("the list of stuck readers", &self.shared.gate.living())?,
            Request::Read { .. }
            | Request::ReadEnd { .. }
            | Request::List { .. }
            | Request::Link { .. }
            | Request::Space { .. } => {
                // Asked above. A new form of these without a way to ask it must not go unnoticed.
                return Err(Failure::Io { why: format!("{}: there is no way to ask this", request.noun()) });
            }
        };
        fetched.place = request.place();
        Ok(fetched)
    }

    /// Plain questions go to one reader together, the others one by one.
    async fn answer_all(&self, requests: &[Request], keep: Keep<'_>) {
        let mut plain = Vec::new();
        for (at, request) in requests.iter().enumerate() {
            match Plain::of(request).filter(|_| request.check().is_ok()) {
                Some(question) => plain.push((at, question)),
                None => keep(at, self.answer(request).await),
            }
        }
        let (places, questions): (Vec<usize>, Vec<Plain<'_>>) = plain.into_iter().unzip();
        let mut keep_there = |n: usize, answer: Result<Fetched, Failure>| {
            if let Some((at, request)) = places.get(n).and_then(|at| Some((*at, requests.get(*at)?))) {
                keep(at, answer.map(|fetched| Fetched { place: request.place(), ..fetched }));
            }
        };
        self.pool.ask_all(&self.shared, &questions, &mut keep_there).await;
    }

    /// Where a file of the memory is.
    fn remembered(&self, name: &str) -> Result<String, Failure> {
        let no_place = |why: &str| Failure::Io { why: format!("what earlier runs remembered: {why}") };
        let Some(folder) = &self.shared.options.state_dir else {
            return Err(no_place("no data volume is mounted; unlock or mount it, then run assay again"));
        };
        let path = folder.join(name);
        path.to_str().map(str::to_owned).ok_or_else(|| no_place("its folder's name is not text"))
    }

    /// Both files of the flight recorder, older first, checked. One that cannot be read costs itself only.
    async fn recorder(&self) -> Result<Fetched, Failure> {
        let mut found = Fetched::default();
        let mut read = 0;
        let mut failed = None;
        for name in [ring::OLDER, ring::NEWER] {
            let path = self.remembered(name)?;
            match self.pool.ask(&self.shared, Plain::new(Op::Read, &path, ring::SEGMENT_BYTES)).await {
                Ok(part) => {
                    read += 1;
                    found.truncated |= part.truncated;
                    found.bytes.extend(ring::unframe(&part.bytes));
                }
                Err(Failure::NotFound) => {}
                Err(failure) => {
                    found.bytes.extend(ring::unread(&failure.to_string()));
                    failed = Some(failure);
                }
            }
        }
        match (read, failed) {
            (0, Some(failure)) => Err(failure),
            (0, None) => Err(Failure::NotFound),
            _ => Ok(found),
        }
    }
}

impl Source for LiveSource {
    fn fetch<'a>(&'a self, request: &'a Request) -> Answer<'a> {
        Box::pin(self.answer(request))
    }

    fn fetch_all<'a>(&'a self, requests: &'a [Request], keep: Keep<'a>) -> Answers<'a> {
        Box::pin(self.answer_all(requests, keep))
    }

    fn run_source(&self) -> RunSource {
        if self.shared.options.is_real() { RunSource::Live } else { RunSource::Recorded }
    }

    fn counters(&self) -> Counters {
        self.counters()
    }
}

/// Makes this process, and the children that it starts from now on, take only what others leave over (niceness, idle I/O
/// class), and no more memory than a small NAS can spare. Called before a second thread: the first two are a thread's.
///
/// # Errors
/// What the system says; a run may go on without.
pub fn be_gentle() -> std::io::Result<()> {
    let nice = rustix::process::setpriority_process(None, NICENESS);
    let idle = kernel_calls::be_idle();
    memory_cap::OWN.apply()?;
    nice?;
    idle
}
