//! Runs one command of the closed list: a deadline that holds, output that is kept whatever the exit status says.
//!
//! The child is a reader that becomes the command: looking for the program and loading it are reads from a disk too
//! (Entware's tools live on a data volume), so they happen in the child. The output is read until the command ends and
//! its pipes close; a grandchild that keeps them open gets [`PIPE_GRACE`] and is then killed with the group.

use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::gate::Kind;
use super::leash::{Leash, Manner};
use super::pool::milliseconds;
use super::protocol::{Ask, LAUNCH_FAILED, LAUNCH_MARK, Launch, Op};
use super::{LiveOptions, Shared};
use crate::command::{Command, TOOL_DIRS};
use crate::self_test::SelfTestCommand;
use crate::source::{Exit, Failure, Fetched, MAX_STDERR_BYTES, MAX_STDOUT_BYTES};

/// How long the pipes may stay open after the command has ended.
const PIPE_GRACE: Duration = Duration::from_millis(500);

/// What is taken from a pipe at once.
const PIPE_READ_BYTES: usize = 16 * 1024;

/// What is started: words of a closed type, and what they touch.
struct Line<'l> {
    tool: &'l str,
    argv: Vec<String>,
    target: &'l str,
    line: String,
}

/// Runs `command` and returns its output.
pub(super) async fn run(shared: &Arc<Shared>, command: &Command) -> Result<Fetched, Failure> {
    let target = command.device().unwrap_or_else(|| command.tool());
    let (tool, argv) = (command.tool(), command.argv());
    launch(shared, Line { tool, argv, target, line: command.line() }).await
}

/// Gives a drive an order about self-tests and returns what the program said.
pub(super) async fn order(shared: &Arc<Shared>, command: &SelfTestCommand) -> Result<Fetched, Failure> {
    let (target, argv) = (command.device.path(), command.argv());
    launch(shared, Line { tool: SelfTestCommand::TOOL, argv, target, line: command.line() }).await
}

async fn launch(shared: &Arc<Shared>, what: Line<'_>) -> Result<Fetched, Failure> {
    let Line { tool, argv, target, line } = what;
    let _pass = shared.gate.enter(Kind::Command, target).await?;
    let launch = Launch {
        candidates: candidates(&shared.options, tool).map(PathBuf::into_os_string).collect(),
        arguments: argv.iter().map(Into::into).collect(),
    };
    let frame = Ask { op: Op::Become, limit_bytes: 0, text: launch.encode() }
        .encode()
        .map_err(|error| Failure::Io { why: format!("{line}: {error}") })?;

    let started = Instant::now();
    let mut leash = Leash::start(shared, Stdio::piped(), target, line.clone())?;
    let mut stdout = Sink::new(leash.child.stdout.take(), MAX_STDOUT_BYTES);
    let mut stderr = Sink::new(leash.child.stderr.take(), MAX_STDERR_BYTES);
    if let Some(mut stdin) = leash.child.stdin.take() {
        // Fits into the pipe. A child that does not take it ends with an error of its own, which is shown.
        let _ = stdin.write_all(&frame).await;
    }
    let mut status: Option<ExitStatus> = None;
    let mut deadline = started + shared.options.command_deadline;
    while status.is_none() || stdout.is_open() || stderr.is_open() {
        tokio::select! {
            () = sleep_until(deadline) => break,
            ended = leash.child.wait(), if status.is_none() => {
                status = Some(ended.map_err(|error| Failure::Io { why: format!("{line}: {error}") })?);
                deadline = deadline.min(Instant::now() + PIPE_GRACE);
            }
            () = stdout.fill(), if stdout.is_open() => {}
            () = stderr.fill(), if stderr.is_open() => {}
        }
    }
    let Some(status) = status else {
        leash.end(Manner::Ask).await?;
        return Err(Failure::Deadline { after_ms: milliseconds(shared.options.command_deadline) });
    };
    let duration_ms = milliseconds(started.elapsed());
    // The command is done and its output counts; should something that it left behind hang, that is remembered.
    let _ = leash.end(Manner::Kill).await;
    if let Some(failure) = launch_failure(status, &stderr.bytes) {
        return Err(failure);
    }
    Ok(Fetched {
        exit: Some(Exit { exit_code: status.code(), signal: status.signal(), duration_ms }),
        truncated: stdout.overflowed || stderr.overflowed,
        bytes: stdout.bytes,
        stderr: stderr.bytes,
        ..Fetched::default()
    })
}

/// Where the program may be. With a root that is not the machine's, the machine's own programs are left alone.
fn candidates<'a>(options: &'a LiveOptions, tool: &'a str) -> impl Iterator<Item = PathBuf> + 'a {
    let usual = TOOL_DIRS.iter().filter(|_| options.is_real()).map(Path::new);
    let configured = options.tool_dirs.iter().map(PathBuf::as_path).filter(|folder| folder.is_absolute());
    configured.chain(usual).map(move |folder| folder.join(tool))
}

/// What the child says when it could not become the command.
fn launch_failure(status: ExitStatus, stderr: &[u8]) -> Option<Failure> {
    let said = stderr.strip_prefix(LAUNCH_MARK).filter(|_| status.code() == Some(LAUNCH_FAILED))?;
    serde_json::from_slice(said).ok()
}

/// Keeps the head of a stream, and goes on reading so that the writer is not held up.
struct Sink<R> {
    pipe: Option<R>,
    bytes: Vec<u8>,
    limit_bytes: usize,
    overflowed: bool,
}

impl<R: AsyncRead + Unpin> Sink<R> {
    fn new(pipe: Option<R>, limit_bytes: usize) -> Self {
        Self { pipe, bytes: Vec::new(), limit_bytes, overflowed: false }
    }

    fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Takes what is there. Safe to cancel: nothing is lost between two calls. The buffer lives on the stack of a poll and
    /// not in the future, of which 24 drives have as many at once.
    async fn fill(&mut self) {
        std::future::poll_fn(|context| {
            let Some(pipe) = &mut self.pipe else { return Poll::Ready(()) };
            let mut space = [MaybeUninit::uninit(); PIPE_READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut space);
            let outcome = std::task::ready!(Pin::new(pipe).poll_read(context, &mut buffer));
            let fresh = buffer.filled();
            if outcome.is_err() || fresh.is_empty() {
                self.pipe = None;
            }
            let room = self.limit_bytes.saturating_sub(self.bytes.len());
            self.overflowed |= fresh.len() > room;
            self.bytes.extend_from_slice(fresh.get(..room.min(fresh.len())).unwrap_or_default());
            Poll::Ready(())
        })
        .await;
    }
}
