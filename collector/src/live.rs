//! The live machine behind the one door.
//!
//! Everything that a dying disk can block happens in a child process that may be lost: file reads, listings and links
//! and questions to devices in reader children ([`reader_main`], a small pool, reused), commands in a child that looks for the program and then
//! becomes it. This process never opens, examines or executes anything on a disk, so no state of a disk can stop it.
//! A child that misses its deadline is killed; one that cannot be killed is abandoned and remembered in the
//! runtime folder, and nothing touches its target again while it lives.
//!
//! What is done in this process cannot block: `/dev/kmsg` (opened non-blocking), the host sample (`sysinfo` reads a few
//! files in `/proc`), the clock, and `/proc/PID/stat` of our own children.
//!
//! Nothing here writes to the machine except the list of abandoned children in the runtime folder, which is RAM.
//! There is no vendor command, no self-test and no setting that this door could reach.

mod abandoned;
mod gate;
mod ioctl;
mod kernel_log;
mod leash;
mod pool;
mod proc_stat;
mod protocol;
mod reader;
mod run;
mod samples;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use assay_bundle::manifest::RunSource;

pub use self::reader::reader_main;
use crate::source::{Answer, Counters, Failure, Fetched, MAX_LIST_BYTES, Request, Source};

/// How long a file may take. Reads from `/proc` and `/sys` take microseconds; a disk that retries takes seconds.
pub const READ_DEADLINE: Duration = Duration::from_secs(5);

/// How long a command may take. A QNAP TR-002 needs 61.8 s for `smartctl -x` (smartmontools#237).
pub const COMMAND_DEADLINE: Duration = Duration::from_secs(70);

/// How long one question to a device may take: longer than the ten seconds after which the kernel gives a command up,
/// by the time that its error handling may need for a link reset.
pub const DEVICE_DEADLINE: Duration = Duration::from_secs(30);

/// How long a killed child may take to die before it is abandoned.
pub const KILL_GRACE: Duration = Duration::from_secs(2);

/// Niceness of a run: only what is left over. Without an I/O class of its own a process gets its I/O priority from its
/// niceness, so this makes the reads gentle too.
const NICENESS: i32 = 10;

/// How a live source works.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Where the machine's root is: `/`. Tests put a folder here; what is read from there is no live evidence.
    pub root: PathBuf,
    /// Directories in which tools are looked for first.
    pub tool_dirs: Vec<PathBuf>,
    /// Folder in RAM for the list of abandoned children; made with mode 0700.
    pub runtime_dir: PathBuf,
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
}

impl LiveOptions {
    /// The real machine, with the usual deadlines.
    pub fn new(runtime_dir: impl Into<PathBuf>, reader: Vec<OsString>) -> Self {
        Self {
            root: PathBuf::from("/"),
            tool_dirs: Vec::new(),
            runtime_dir: runtime_dir.into(),
            reader,
            read_deadline: READ_DEADLINE,
            command_deadline: COMMAND_DEADLINE,
            device_deadline: DEVICE_DEADLINE,
            kill_grace: KILL_GRACE,
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

    async fn answer(&self, request: &Request) -> Result<Fetched, Failure> {
        request.check()?;
        let options = &self.shared.options;
        let mut fetched = match request {
            Request::Read { path, limit_bytes } => {
                self.pool.ask(&self.shared, protocol::Op::Read, path, *limit_bytes).await?
            }
            Request::List { path } => {
                self.pool.ask(&self.shared, protocol::Op::List, path, MAX_LIST_BYTES).await?
            }
            Request::Link { path } => {
                self.pool
                    .ask(&self.shared, protocol::Op::Link, path, protocol::MAX_REQUEST_BYTES as u64)
                    .await?
            }
            Request::Run(command) => run::run(&self.shared, command).await?,
            Request::Device { device, query } => self.pool.ask_device(&self.shared, device, *query).await?,
            Request::KernelLog => kernel_log::read(&options.place("/dev/kmsg"))?,
            Request::HostSample if options.is_real() => samples::host()?,
            Request::HostSample => return Err(Failure::NotFound),
            Request::ClockSample => samples::clock()?,
            Request::StuckReaders => samples::json("the list of stuck readers", &self.shared.gate.living())?,
        };
        fetched.place = request.place();
        Ok(fetched)
    }
}

impl Source for LiveSource {
    fn fetch<'a>(&'a self, request: &'a Request) -> Answer<'a> {
        Box::pin(self.answer(request))
    }

    fn run_source(&self) -> RunSource {
        if self.shared.options.is_real() { RunSource::Live } else { RunSource::Recorded }
    }

    fn counters(&self) -> Counters {
        self.counters()
    }
}

/// Makes this process, and the children that it starts from now on, take only what others leave over.
///
/// # Errors
/// What the system says; a run may go on without.
pub fn be_gentle() -> std::io::Result<()> {
    Ok(rustix::process::setpriority_process(None, NICENESS)?)
}
