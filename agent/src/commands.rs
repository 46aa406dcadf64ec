//! Everything that the program does: one file each, and the one list of them.
//!
//! To add a command: write its file (arguments with their help, `run`), add its `mod` line and its row in the list.
//! Help texts end with what comes next and the exit codes; a test in `cli.rs` holds every command to it.

mod backup;
mod backup_child;
mod check;
mod collect;
mod config;
mod enroll;
mod explain;
mod forget;
mod job;
mod judge;
mod log;
mod pause;
mod reader;
mod recovery_key;
mod redact;
mod remember;
mod replay;
mod resume;
mod rotate_key;
mod run;
mod selftest;
mod setup;
pub(crate) mod show;
mod slip;
mod status;
mod support;
mod unenroll;
mod unmask;
mod upload;
mod verify;

pub(crate) use self::reader::WORD as READER;
use assay_collector::source::Source;

use crate::context::Context;

/// Makes the list: a variant for each command, and the way to it. The order is the order of `assay --help`.
macro_rules! commands {
    ($($(#[$attribute:meta])* $variant:ident: $module:ident),* $(,)?) => {
        /// A command as it was typed.
        #[derive(clap::Subcommand)]
        pub(crate) enum Command {
            $($(#[$attribute])* $variant($module::Args),)*
        }

        impl Command {
            /// Runs the command; the result is the exit code.
            pub(crate) fn run(self, context: &Context) -> anyhow::Result<u8> {
                match self {
                    $(Self::$variant(args) => apart(|| $module::run(args, context)),)*
                }
            }
        }
    };
}

/// Keeps what one command needs on the stack out of the frame of all others: without it, every command has the room of
/// them all, a third of a megabyte.
#[inline(never)]
fn apart<T>(command: impl FnOnce() -> T) -> T {
    command()
}

commands! {
    Check: check,
    Collect: collect,
    Show: show,
    Verify: verify,
    Replay: replay,
    Judge: judge,
    Explain: explain,
    Slip: slip,
    Setup: setup,
    RecoveryKey: recovery_key,
    Enroll: enroll,
    Upload: upload,
    RotateKey: rotate_key,
    Unenroll: unenroll,
    Forget: forget,
    Redact: redact,
    Unmask: unmask,
    Support: support,
    Pause: pause,
    Resume: resume,
    Log: log,
    #[command(name = "selftest")]
    SelfTest: selftest,
    Backup: backup,
    Run: run,
    Status: status,
    Config: config,
    #[command(name = READER, hide = true)]
    Reader: reader,
    #[command(name = "__remember", hide = true)]
    Remember: remember,
    #[command(name = crate::backup::CHILD, hide = true)]
    BackupChild: backup_child,
    #[command(name = crate::daemon::JOB, hide = true)]
    Job: job,
}

/// What two commands that read a machine have in common.
#[derive(clap::Args)]
pub(crate) struct Machine {
    /// Read a recording instead of this machine: a device folder, or a bundle
    #[arg(long, value_name = "DIR|FILE")]
    source: Option<std::path::PathBuf>,
    /// Secret key that opens an encrypted bundle (written by age-keygen)
    #[arg(long, value_name = "FILE", requires = "source")]
    identity: Option<std::path::PathBuf>,
    /// Day on the purchase invoice, YYYY-MM-DD: the warranty counts from it
    #[arg(long, value_name = "DATE")]
    invoice_date: Option<String>,
    /// Seconds after which reading ends, complete or not
    #[arg(long, value_name = "SECONDS")]
    deadline_s: Option<String>,
}

impl Machine {
    /// This machine, or the recording that was named.
    fn source(&self, context: &Context, config: &crate::config::Config) -> anyhow::Result<Box<dyn Source>> {
        self.source_with(config, &context.paths)
    }

    /// The same, with places of the caller's.
    fn source_with(
        &self,
        config: &crate::config::Config,
        paths: &crate::paths::Paths,
    ) -> anyhow::Result<Box<dyn Source>> {
        crate::source::choose(self.source.as_deref(), self.identity.as_deref(), config, paths)
    }

    /// The flags as values on top of the configuration.
    fn overrides(&self) -> Vec<crate::config::Override> {
        let invoice = self.invoice_date.clone().map(|t| ("warranty.invoice_date", t, "--invoice-date"));
        let deadline = self.deadline_s.clone().map(|t| ("collect.deadline_s", t, "--deadline-s"));
        invoice.into_iter().chain(deadline).collect()
    }
}
