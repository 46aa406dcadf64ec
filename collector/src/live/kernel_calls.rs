//! Three short calls to the kernel that no crate here has a safe interface for: the I/O class of this thread (set and
//! read back) and whether the clock is disciplined (read only).
//!
//! This is one of the two files of the project with `unsafe` in it, and here too it is one function, [`call`], which
//! takes a closed list: there is no way to hand it another number or another pointer. None of the three can block.
//!
//! The class is the calling thread's, and what that thread starts inherits it (`ioprio_set(2)`). It counts with the
//! schedulers that know it (BFQ, CFQ, mq-deadline since Linux 5.14). The clock is asked with no mode set, which changes
//! nothing and needs no right (`adjtimex(2)`).

use std::io;

/// `IOPRIO_WHO_PROCESS` of `linux/ioprio.h`: one thread; zero for the caller.
const WHO_PROCESS: libc::c_long = 1;
/// `IOPRIO_CLASS_SHIFT`: the class stands above thirteen bits of data.
const CLASS_SHIFT: u32 = 13;
/// `IOPRIO_CLASS_IDLE`: served when nobody else asks.
const CLASS_IDLE: libc::c_long = 3;
/// `TIME_ERROR` of `timex.h`: the kernel's answer while `STA_UNSYNC` is set.
const TIME_ERROR: libc::c_long = 5;
/// Words for `struct timex`, which has 208 bytes at most on any architecture; only the returned state is looked at, so
/// its layout, which differs between them, does not matter.
const TIMEX_WORDS: usize = 64;

/// What can be asked.
#[derive(Clone, Copy, Debug)]
enum Call {
    /// `ioprio_set`: the idle class for this thread.
    SetIdle,
    /// `ioprio_get`: the priority of this thread.
    Priority,
    /// `clock_adjtime` without a mode: the state of the system clock.
    ClockState,
}

/// Asks for the idle I/O class for this thread and what it starts from now on.
pub(super) fn be_idle() -> io::Result<()> {
    call(Call::SetIdle).map(|_| ())
}

/// The I/O class of this thread, as the kernel gives it back, in the words of `ionice(1)`; `none` is a class that
/// follows the niceness.
pub(crate) fn io_class() -> io::Result<&'static str> {
    let class = call(Call::Priority)? >> CLASS_SHIFT;
    Ok(class_word(class))
}

fn class_word(class: libc::c_long) -> &'static str {
    match class {
        0 => "none",
        1 => "realtime",
        2 => "best-effort",
        CLASS_IDLE => "idle",
        _ => "unknown",
    }
}

/// Whether the kernel says that something disciplines its clock: not `STA_UNSYNC`.
pub(super) fn is_clock_disciplined() -> io::Result<bool> {
    call(Call::ClockState).map(disciplined)
}

/// Every other state is a leap second being awaited or made, or none.
fn disciplined(state: libc::c_long) -> bool {
    state != TIME_ERROR
}

/// Makes one call. Gives what the kernel returned, which is never negative.
#[expect(unsafe_code, reason = "no crate here has a safe interface for these three calls")]
fn call(call: Call) -> io::Result<libc::c_long> {
    let mut timex = [0_u64; TIMEX_WORDS];
    // SAFETY: the list is closed. The first two calls take three and two numbers and no pointer. The third takes a
    // pointer to `timex`, which is larger than the kernel's structure on any architecture, aligned for its largest
    // field, borrowed exclusively and alive until the call returns; all zero, it names no mode, so the kernel sets
    // nothing and only writes the structure.
    let answer = unsafe {
        match call {
            Call::SetIdle => {
                libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0 as libc::c_long, CLASS_IDLE << CLASS_SHIFT)
            }
            Call::Priority => libc::syscall(libc::SYS_ioprio_get, WHO_PROCESS, 0 as libc::c_long),
            Call::ClockState => libc::syscall(
                libc::SYS_clock_adjtime,
                libc::c_long::from(libc::CLOCK_REALTIME),
                timex.as_mut_ptr(),
            ),
        }
    };
    match answer {
        ..0 => Err(io::Error::last_os_error()),
        answer => Ok(answer),
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_gives_the_idle_class_back() {
        // In a thread of its own: the class is the thread's, and other tests keep theirs.
        let (before, after, child) = std::thread::spawn(|| {
            let before = io_class().expect("a class");
            be_idle().expect("the kernel takes it");
            let child = std::thread::spawn(|| io_class().expect("a class")).join().expect("it ends");
            (before, io_class().expect("a class"), child)
        })
        .join()
        .expect("it ends");
        assert_eq!((after, child), ("idle", "idle"), "before: {before}");
    }

    #[test]
    fn words_and_states() {
        for (class, word) in [(0, "none"), (1, "realtime"), (2, "best-effort"), (3, "idle"), (4, "unknown")] {
            assert_eq!(class_word(class), word);
        }
        for (state, expected) in [(0, true), (1, true), (4, true), (5, false)] {
            assert_eq!(disciplined(state), expected, "{state}");
        }
    }

    #[test]
    fn the_clock_is_asked_and_not_set() {
        // Whatever the answer is here, there is one, and it stays the same for a while.
        let state = call(Call::ClockState).expect("no right is needed");
        assert!((0..=TIME_ERROR).contains(&state), "{state}");
    }
}
