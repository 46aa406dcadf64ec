//! What the daemon waits for: a signal, a child's end, a wall clock that was set, or time. One poll(2), no threads.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

/// Far away: the timer is there to tell that the clock was set, not to run out.
const NEVER_S: i64 = 1 << 40;

/// Pipes that signals write to, and the timer.
pub(crate) struct Watch {
    stop: UnixStream,
    reload: UnixStream,
    child: UnixStream,
    clock: Option<OwnedFd>,
}

/// What happened since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Happened {
    /// SIGTERM or SIGINT.
    pub(crate) stop: bool,
    /// SIGHUP.
    pub(crate) reload: bool,
}

fn pipe(signals: &[i32]) -> anyhow::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair().context("no pipe for signals")?;
    ours.set_nonblocking(true).context("no pipe for signals")?;
    for signal in signals {
        let writer = theirs.try_clone().context("no pipe for signals")?;
        signal_hook::low_level::pipe::register(*signal, writer).context("signals cannot be watched")?;
    }
    Ok(ours)
}

fn arm(timer: &OwnedFd) {
    let at = |seconds| Timespec { tv_sec: seconds, tv_nsec: 0 };
    let far = Itimerspec { it_interval: at(0), it_value: at(NEVER_S) };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    // A kernel that cannot tell costs five minutes at most: the sleep is bounded.
    let _ = timerfd_settime(timer, flags, &far);
}

impl Watch {
    /// From now on.
    pub(crate) fn begin() -> anyhow::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let clock = timerfd_create(TimerfdClockId::Realtime, flags).ok();
        if let Some(timer) = &clock {
            arm(timer);
        }
        Ok(Self {
            stop: pipe(&[SIGTERM, SIGINT])?,
            reload: pipe(&[SIGHUP])?,
            child: pipe(&[SIGCHLD])?,
            clock,
        })
    }

    /// Sleeps until something happens, at most `seconds`.
    pub(crate) fn wait(&mut self, seconds: u64) -> anyhow::Result<Happened> {
        let ready = {
            let mut fds: Vec<PollFd<'_>> = [self.stop.as_fd(), self.reload.as_fd(), self.child.as_fd()]
                .into_iter()
                .chain(self.clock.as_ref().map(AsFd::as_fd))
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
                .collect();
            let timeout = Timespec { tv_sec: i64::try_from(seconds).unwrap_or(NEVER_S), tv_nsec: 0 };
            match poll(&mut fds, Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).context("waiting for signals failed"),
            }
            fds.iter().map(|fd| !fd.revents().is_empty()).collect::<Vec<bool>>()
        };
        let is_ready = |index: usize| ready.get(index).copied().unwrap_or_default();
        if is_ready(3)
            && let Some(timer) = &self.clock
        {
            // ECANCELED is the message.
            let _ = rustix::io::read(timer, &mut [0_u8; 8]);
            arm(timer);
        }
        drain(&mut self.child);
        Ok(Happened { stop: drain(&mut self.stop), reload: drain(&mut self.reload) })
    }
}

/// Empties a pipe; whether there was anything in it.
fn drain(pipe: &mut UnixStream) -> bool {
    let mut any = false;
    while pipe.read(&mut [0; 64]).is_ok_and(|count| count > 0) {
        any = true;
    }
    any
}
