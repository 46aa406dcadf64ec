//! Running the worker: one process for each job, in a group of its own, with an empty environment, a deadline and a
//! limit on what it may answer. However it ends, the portal goes on.

use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::IngestError;
use super::reading::Reading;
use crate::app::App;
use crate::refusal::chain;
use crate::worker::{Answer, Extracted, Job, Judgement};

/// Longest answer: facts, diagnosis and the list of 50,000 entries fit many times.
const MOST_ANSWER_BYTES: u64 = 64 << 20;
/// How much of what the worker says on stderr is kept for our log.
const MOST_TALK_BYTES: u64 = 4 << 10;

/// Kills the worker's whole group when dropped: a child of the worker must not outlive it either.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It has ended by itself in the ordinary case.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Has the worker read a bundle again.
///
/// # Errors
/// Refused when the bundle is bad or the worker crashed or ran out of time on it; trouble when it could not work.
pub async fn read(app: &App, object: &Path, received_at: i64) -> Result<Box<Reading>, IngestError> {
    let job = Job::Read { bundle: object.to_path_buf(), identity: app.dir.identity(), received_at };
    match run(app, &job).await? {
        Answer::Reading(reading) => Ok(reading),
        Answer::Refused { reason } => Err(IngestError::Refused(reason)),
        Answer::Trouble { why } => Err(IngestError::Trouble(why)),
        Answer::Extracted(_) | Answer::Judged(_) => Err(other_job()),
    }
}

/// Has the worker take one file out of a bundle, cut at a limit.
///
/// # Errors
/// As [`read`].
pub async fn extract(app: &App, object: &Path, name: &str) -> Result<Extracted, IngestError> {
    let job =
        Job::Extract { bundle: object.to_path_buf(), identity: app.dir.identity(), name: name.to_owned() };
    match run(app, &job).await? {
        Answer::Extracted(extracted) => Ok(extracted),
        Answer::Refused { reason } => Err(IngestError::Refused(reason)),
        Answer::Trouble { why } => Err(IngestError::Trouble(why)),
        Answer::Reading(_) | Answer::Judged(_) => Err(other_job()),
    }
}

/// Has the worker judge pasted outputs.
///
/// # Errors
/// As [`read`].
pub async fn judge(app: &App, text: String) -> Result<Box<Judgement>, IngestError> {
    match run(app, &Job::Judge { text }).await? {
        Answer::Judged(judgement) => Ok(judgement),
        Answer::Refused { reason } => Err(IngestError::Refused(reason)),
        Answer::Trouble { why } => Err(IngestError::Trouble(why)),
        Answer::Reading(_) | Answer::Extracted(_) => Err(other_job()),
    }
}

fn other_job() -> IngestError {
    IngestError::Trouble("the worker answered another job".to_owned())
}

async fn run(app: &App, job: &Job) -> Result<Answer, IngestError> {
    let job = serde_json::to_vec(job).map_err(|error| IngestError::Trouble(chain(&error)))?;
    let mut child = Command::new(&app.worker.program)
        .arg("ingest-worker")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| IngestError::Trouble(format!("the worker does not start: {error}")))?;
    let _group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let Ok(ended) = tokio::time::timeout(app.worker.deadline, converse(&mut child, &job)).await else {
        return Err(IngestError::Refused(format!(
            "it could not be read: reading it took longer than {} seconds",
            app.worker.deadline.as_secs()
        )));
    };
    let (status, answer, talk) =
        ended.map_err(|error| IngestError::Trouble(format!("the worker cannot be talked to: {error}")))?;
    if !talk.is_empty() {
        tracing::warn!(talk = ?String::from_utf8_lossy(&talk), "the worker said");
    }
    if !status.success() {
        return Err(IngestError::Refused(format!("it could not be read: its reader ended with {status}")));
    }
    serde_json::from_slice(&answer)
        .map_err(|_| IngestError::Refused("it could not be read: its reader gave no answer".to_owned()))
}

async fn converse(
    child: &mut Child,
    job: &[u8],
) -> std::io::Result<(std::process::ExitStatus, Vec<u8>, Vec<u8>)> {
    let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let tell = async {
        if let Some(stdin) = &mut stdin {
            // A worker that ended before it listened says so by its exit code.
            let _ = stdin.write_all(job).await;
        }
        drop(stdin.take());
    };
    let ((), answer, talk) =
        tokio::join!(tell, gather(stdout, MOST_ANSWER_BYTES), gather(stderr, MOST_TALK_BYTES));
    Ok((child.wait().await?, answer?, talk?))
}

/// Keeps the first bytes and reads the rest away, so that the other side never waits.
async fn gather(from: Option<impl AsyncRead + Unpin>, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        let mut limited = from.take(most);
        limited.read_to_end(&mut bytes).await?;
        tokio::io::copy(&mut limited.into_inner(), &mut tokio::io::sink()).await?;
    }
    Ok(bytes)
}
