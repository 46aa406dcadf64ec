//! Most memory that a run may take, set by the kernel's own limits: a parser or a tool that goes wild ends itself, not
//! the NAS, whose smallest models have 512 MB for everything.
//!
//! A cap is no target: a run takes some 10 MB. What is capped is the writable memory of a process (`RLIMIT_DATA`; since
//! Linux 4.7 all of it, before that the heap alone) and, further away, its addresses (`RLIMIT_AS`), because allocators
//! reserve more than they use. A process that meets its cap gets no memory and ends with an error of its own, which is
//! a failed reading like every other. Only the soft limits are set, and never above what the caller had.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const MIB: u64 = 1024 * 1024;

/// Of our own process. The raw forms of a hostile machine are 64 MiB at most and pass the redaction in copies.
pub(super) const OWN: Cap = Cap { data_bytes: 512 * MIB, addresses_bytes: 2048 * MIB };

/// Of a reader, and of the command that it becomes. An event log of 64 MiB is read into a buffer that doubles.
pub(super) const CHILD: Cap = Cap { data_bytes: 256 * MIB, addresses_bytes: 1024 * MIB };

/// Most memory of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cap {
    /// Writable memory.
    pub(super) data_bytes: u64,
    /// Addresses.
    pub(super) addresses_bytes: u64,
}

impl Cap {
    /// Holds for this process and for the children that it starts from now on.
    pub(super) fn apply(self) -> io::Result<()> {
        lower(Resource::Data, self.data_bytes)?;
        lower(Resource::As, self.addresses_bytes)
    }
}

fn lower(resource: Resource, bytes: u64) -> io::Result<()> {
    let now = getrlimit(resource);
    Ok(setrlimit(resource, Rlimit { current: Some(lowest(now, bytes)), maximum: now.maximum })?)
}

fn lowest(now: Rlimit, bytes: u64) -> u64 {
    [now.current, now.maximum].into_iter().flatten().fold(bytes, u64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_only_lowers() {
        fn check(current: Option<u64>, maximum: Option<u64>, expected: u64) {
            assert_eq!(lowest(Rlimit { current, maximum }, 256), expected, "{current:?} {maximum:?}");
        }
        check(None, None, 256);
        check(Some(512), None, 256);
        check(Some(100), None, 100);
        check(None, Some(90), 90);
        check(Some(100), Some(90), 90);
    }
}
