//! The parent's side of the readers of files and devices: a few children, reused while they behave. Each does one
//! thing after the other; small files of one folder are asked for ahead.

use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::Shared;
use super::gate::Kind;
use super::leash::{Leash, Manner};
use super::protocol::{
    Ask, Head, MAX_MANNER_BYTES, MAX_REQUEST_BYTES, Op, Question, RESPONSE_HEAD_BYTES, locked_text,
    split_manner,
};
use crate::command::DeviceNode;
use crate::direct::DeviceQuery;
use crate::direct::answer::MAX_ANSWER_BYTES;
use crate::source::{Failure, Fetched, Keep, MAX_LIST_BYTES, Request};

/// The readers that wait for work.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Reader>>,
}

struct Reader {
    leash: Leash,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// Most bytes of questions that are written ahead: the smallest pipe that the kernel makes, so that writing never waits
/// for a reader that waits for us.
const MOST_AHEAD_BYTES: usize = 4096;

/// A question about one path.
#[derive(Clone, Copy)]
pub(super) struct Plain<'a> {
    op: Op,
    path: &'a str,
    limit_bytes: u64,
}

impl<'a> Plain<'a> {
    pub(super) fn new(op: Op, path: &'a str, limit_bytes: u64) -> Self {
        Self { op, path, limit_bytes }
    }

    /// `None`: the request is of another kind.
    pub(super) fn of(request: &'a Request) -> Option<Self> {
        Some(match request {
            Request::Read { path, limit_bytes, lock: None } => Self::new(Op::Read, path, *limit_bytes),
            Request::ReadEnd { path, limit_bytes } => Self::new(Op::End, path, *limit_bytes),
            Request::List { path } => Self::new(Op::List, path, MAX_LIST_BYTES),
            Request::Link { path } => Self::new(Op::Link, path, MAX_REQUEST_BYTES as u64),
            Request::Space { path } => Self::new(Op::Space, path, MAX_REQUEST_BYTES as u64),
            _ => return None,
        })
    }

    fn ask(&self, shared: &Shared) -> Ask {
        let text = shared.options.place(self.path).into_os_string().into_encoded_bytes();
        Ask { op: self.op, limit_bytes: self.limit_bytes, text }
    }
}

/// The folder that holds all of them: while they are asked, nobody else reads in it.
fn folder(questions: &[Plain<'_>]) -> String {
    let mut paths = questions.iter().map(|question| question.path);
    let first = paths.next().unwrap_or_default();
    let mut folder = first;
    for path in paths {
        while !(path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))) {
            folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
    if folder.is_empty() { "/".to_owned() } else { folder.to_owned() }
}

fn fetched((bytes, truncated): (Vec<u8>, bool)) -> Fetched {
    Fetched { bytes, truncated, ..Fetched::default() }
}

impl Pool {
    /// Asks one reader.
    pub(super) async fn ask(&self, shared: &Arc<Shared>, question: Plain<'_>) -> Result<Fetched, Failure> {
        self.exchange(shared, Kind::File, question.path, &question.ask(shared), shared.options.read_deadline)
            .await
    }

    /// Asks one reader everything at once and takes the answers in turn, each with the deadline that it would have
    /// alone. As soon as one is late, and where nobody may read in their folder now, what is left is asked one by one:
    /// what hangs costs what it would cost alone.
    pub(super) async fn ask_all(&self, shared: &Arc<Shared>, questions: &[Plain<'_>], keep: Keep<'_>) {
        let mut done = 0;
        let mut together = true;
        while let Some(rest) = questions.get(done..).filter(|rest| !rest.is_empty()) {
            let mut kept = |n: usize, answer| keep(done + n, answer);
            let answered = if together { self.round(shared, rest, &mut kept).await } else { 0 };
            done += answered;
            together &= answered > 0;
            if let Some(question) = questions.get(done).filter(|_| !together) {
                keep(done, self.ask(shared, *question).await);
                done += 1;
            }
        }
    }

    /// One round of questions to one reader: how many were answered. None when they could not be asked together.
    async fn round(&self, shared: &Arc<Shared>, questions: &[Plain<'_>], keep: Keep<'_>) -> usize {
        let mut frames = Vec::new();
        let mut asked = Vec::new();
        for question in questions {
            let Ok(frame) = question.ask(shared).encode() else { break };
            if !asked.is_empty() && frames.len() + frame.len() > MOST_AHEAD_BYTES {
                break;
            }
            frames.extend(frame);
            asked.push(*question);
        }
        let Ok(_pass) = shared.gate.enter(Kind::File, &folder(&asked)).await else { return 0 };
        let idle = self.idle().pop();
        let Ok(mut reader) = idle.map_or_else(|| Reader::start(shared), Ok) else { return 0 };
        let deadline = shared.options.read_deadline;
        for (n, question) in asked.iter().enumerate() {
            question.path.clone_into(&mut reader.leash.target);
            let asks = if n == 0 { frames.as_slice() } else { &[] };
            match timeout(deadline, reader.exchange(asks, question.limit_bytes)).await {
                Ok(Ok(answer)) => keep(n, answer.map(fetched)),
                ended => {
                    let stuck = reader.end().await.err();
                    if ended.is_err() {
                        let late = Failure::Deadline { after_ms: milliseconds(deadline) };
                        keep(n, Err(stuck.unwrap_or(late)));
                        return n + 1;
                    }
                    // It broke off, which says nothing about what it was asked.
                    return n;
                }
            }
        }
        self.idle().push(reader);
        asked.len()
    }

    /// Asks for a file under a shared lock.
    pub(super) async fn ask_locked(
        &self,
        shared: &Arc<Shared>,
        path: &str,
        lock: &str,
        limit_bytes: u64,
    ) -> Result<Fetched, Failure> {
        let place = |path: &str| shared.options.place(path).into_os_string().into_encoded_bytes();
        let text = locked_text(&place(path), &place(lock));
        let limit_bytes = limit_bytes.saturating_add(MAX_MANNER_BYTES);
        let ask = Ask { op: Op::ReadLocked, limit_bytes, text };
        let mut fetched = self.exchange(shared, Kind::File, path, &ask, shared.options.read_deadline).await?;
        fetched.manner = split_manner(&mut fetched.bytes);
        Ok(fetched)
    }

    /// Asks one reader to ask a device. For the gate this is a command on that device.
    pub(super) async fn ask_device(
        &self,
        shared: &Arc<Shared>,
        device: &DeviceNode,
        query: DeviceQuery,
    ) -> Result<Fetched, Failure> {
        let path = shared.options.place(device.path()).into_os_string();
        let text = Question { query, path }.encode();
        let ask = Ask { op: Op::Device, limit_bytes: MAX_ANSWER_BYTES, text };
        let deadline = shared.options.device_deadline;
        self.exchange(shared, Kind::Command, device.path(), &ask, deadline).await
    }

    /// Comes back by the deadline whatever happens to the reader.
    async fn exchange(
        &self,
        shared: &Arc<Shared>,
        kind: Kind,
        path: &str,
        ask: &Ask,
        deadline: Duration,
    ) -> Result<Fetched, Failure> {
        let _pass = shared.gate.enter(kind, path).await?;
        let limit_bytes = ask.limit_bytes;
        let frame = ask.encode().map_err(|error| Failure::Io { why: format!("{path}: {error}") })?;
        loop {
            let reused = self.idle().pop();
            let may_try_again = reused.is_some();
            let mut reader = match reused {
                Some(reader) => reader,
                None => Reader::start(shared)?,
            };
            path.clone_into(&mut reader.leash.target);
            match timeout(deadline, reader.exchange(&frame, limit_bytes)).await {
                Ok(Ok(answer)) => {
                    self.idle().push(reader);
                    return answer.map(fetched);
                }
                Ok(Err(error)) => {
                    reader.end().await?;
                    // A reader from an earlier request may have died since, which says nothing about this one.
                    if !may_try_again {
                        return Err(Failure::Io {
                            why: format!("{path}: the file reader broke off: {error}"),
                        });
                    }
                }
                Err(_) => {
                    reader.end().await?;
                    return Err(Failure::Deadline { after_ms: milliseconds(deadline) });
                }
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    fn start(shared: &Arc<Shared>) -> Result<Self, Failure> {
        let mut leash = Leash::start(shared, Stdio::null(), "", "file reader".to_owned())?;
        let (Some(stdin), Some(stdout)) = (leash.child.stdin.take(), leash.child.stdout.take()) else {
            return Err(Failure::Io { why: "the file reader has no pipes".to_owned() });
        };
        Ok(Self { leash, stdin, stdout: BufReader::new(stdout) })
    }

    async fn exchange(
        &mut self,
        frame: &[u8],
        limit_bytes: u64,
    ) -> std::io::Result<Result<(Vec<u8>, bool), Failure>> {
        self.stdin.write_all(frame).await?;
        let mut head = [0; RESPONSE_HEAD_BYTES];
        self.stdout.read_exact(&mut head).await?;
        let head = Head::decode(&head, limit_bytes)?;
        let mut bytes = Vec::new();
        (&mut self.stdout).take(head.length).read_to_end(&mut bytes).await?;
        if bytes.len() as u64 != head.length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if head.ok {
            return Ok(Ok((bytes, head.truncated)));
        }
        Ok(Err(serde_json::from_slice(&bytes)?))
    }

    async fn end(self) -> Result<(), Failure> {
        drop(self.stdin);
        drop(self.stdout);
        self.leash.end(Manner::Kill).await
    }
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_asked_together_stand_in_one_folder() {
        fn check(paths: &[&str], expected: &str) {
            let questions: Vec<_> = paths.iter().map(|path| Plain::new(Op::Read, path, 1)).collect();
            assert_eq!(folder(&questions), expected, "{paths:?}");
        }
        check(&["/sys/block/sda/size"], "/sys/block/sda/size");
        check(&["/sys/block/sda/size", "/sys/block/sda/device/model"], "/sys/block/sda");
        check(&["/sys/block/sda/size", "/sys/block/sdaa/size"], "/sys/block");
        check(&["/sys/block/sda", "/sys/block/sda/size"], "/sys/block/sda");
        check(&["/sys/block/sda/size", "/proc/uptime"], "/");
        check(&["/", "/proc"], "/");
    }
}
