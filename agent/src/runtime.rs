//! The asynchronous runtime of one command: one thread, stopped by a signal, with nothing partial left behind.
//!
//! A signal drops the command's future: children are killed and temporary files removed by their owners. Work that
//! blocks (sealing) runs beside it through [`blocking`] and sees the signal at its next write.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::output;
use crate::trouble::Stopped;

/// Runs `work` to its end or to the first signal.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime does not start")?;
    // Dropping the runtime afterwards waits for blocking work that a signal has told to stop.
    runtime.block_on(async {
        let mut hangup = listen(SignalKind::hangup())?;
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut terminate = listen(SignalKind::terminate())?;
        let stopped = tokio::select! {
            biased;
            _ = hangup.recv() => Stopped { name: "SIGHUP", code: 129 },
            _ = interrupt.recv() => Stopped { name: "SIGINT", code: 130 },
            _ = terminate.recv() => Stopped { name: "SIGTERM", code: 143 },
            result = work => return result,
        };
        // The rest may take a moment: a disk or a pipe has to give back the write that is under way.
        output::say("assay: stopping; what is unfinished is removed");
        Err(stopped.into())
    })
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("signals cannot be watched")
}

/// Tells blocking work to stop; set when the future that waits for it is dropped.
#[derive(Clone, Default)]
pub(crate) struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Passes everything on to `inner` until told to stop.
    pub(crate) fn guard<W: Write>(&self, inner: W) -> Stoppable<W> {
        Stoppable { inner, flag: self.clone() }
    }
}

struct SetOnDrop(StopFlag);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::SeqCst);
    }
}

/// Runs `work` on a thread of its own; when the caller is dropped, `work`'s guarded writes fail and it ends.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&StopFlag) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let flag = StopFlag::default();
    let _stop = SetOnDrop(flag.clone());
    tokio::task::spawn_blocking(move || work(&flag)).await.context("the sealing thread did not end well")?
}

/// A writer that fails once its flag is set.
pub(crate) struct Stoppable<W> {
    inner: W,
    flag: StopFlag,
}

impl<W> Stoppable<W> {
    fn check(&self) -> io::Result<()> {
        match self.flag.0.load(Ordering::SeqCst) {
            true => Err(io::Error::other("stopped by a signal")),
            false => Ok(()),
        }
    }
}

impl<W: Write> Write for Stoppable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        self.inner.flush()
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_waiter_stops_the_work() {
        let (begun, wait_begun) = std::sync::mpsc::channel();
        let (ended, wait_ended) = std::sync::mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let work = blocking(move |flag| {
                begun.send(()).expect("the test listens");
                let mut writer = flag.guard(io::sink());
                let error = loop {
                    if let Err(error) = writer.write_all(b"x") {
                        break error;
                    }
                };
                ended.send(error.to_string()).expect("the test listens");
                Ok(())
            });
            tokio::select! {
                result = work => panic!("it never ends by itself: {result:?}"),
                () = async { while wait_begun.try_recv().is_err() { tokio::task::yield_now().await } } => {}
            }
        });
        drop(runtime);
        assert_eq!(wait_ended.recv().expect("it ended"), "stopped by a signal");
    }
}
