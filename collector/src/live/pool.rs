//! The parent's side of the readers of files and devices: a few children, one request at a time each, reused while
//! they behave.

use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::Shared;
use super::gate::Kind;
use super::leash::{Leash, Manner};
use super::protocol::{
    Ask, Head, MAX_MANNER_BYTES, Op, Question, RESPONSE_HEAD_BYTES, locked_text, split_manner,
};
use crate::command::DeviceNode;
use crate::direct::DeviceQuery;
use crate::direct::answer::MAX_ANSWER_BYTES;
use crate::source::{Failure, Fetched};

/// The readers that wait for work.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Reader>>,
}

struct Reader {
    leash: Leash,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

impl Pool {
    /// Asks one reader for a file, a listing or a link.
    pub(super) async fn ask(
        &self,
        shared: &Arc<Shared>,
        op: Op,
        path: &str,
        limit_bytes: u64,
    ) -> Result<Fetched, Failure> {
        let text = shared.options.place(path).into_os_string().into_encoded_bytes();
        self.ask_with(shared, op, path, text, limit_bytes).await
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
        let mut fetched = self.ask_with(shared, Op::ReadLocked, path, text, limit_bytes).await?;
        fetched.manner = split_manner(&mut fetched.bytes);
        Ok(fetched)
    }

    async fn ask_with(
        &self,
        shared: &Arc<Shared>,
        op: Op,
        path: &str,
        text: Vec<u8>,
        limit_bytes: u64,
    ) -> Result<Fetched, Failure> {
        let ask = Ask { op, limit_bytes, text };
        self.exchange(shared, Kind::File, path, &ask, shared.options.read_deadline).await
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
                    return answer.map(|(bytes, truncated)| Fetched {
                        bytes,
                        truncated,
                        ..Fetched::default()
                    });
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
        Ok(Self { leash, stdin, stdout })
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
