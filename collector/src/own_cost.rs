//! What the collection cost this process, from the kernel's books about it.
//!
//! These are readings about Assay, not about the machine, so they do not pass the source and are no facts. On a
//! system that does not keep them they stay zero.

use std::time::Instant;

use assay_bundle::cost::Cost;
use assay_bundle::units::{Bytes, Milliseconds};

use crate::source::Counters;
use crate::woken::Sleepers;

/// Processor time so far, in ticks: own and of children that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    own: u64,
    children: u64,
}

/// A measurement in the making.
pub(crate) struct Meter {
    started: Instant,
    ticks: Ticks,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), ticks: ticks_now() }
    }

    pub(crate) fn stop(&self, counters: Counters, sleepers: Sleepers) -> Cost {
        let now = ticks_now();
        Cost {
            wall_ms: Milliseconds(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)),
            cpu_ms: milliseconds(now.own.saturating_sub(self.ticks.own)),
            children_cpu_ms: milliseconds(now.children.saturating_sub(self.ticks.children)),
            peak_memory_bytes: peak_memory_now(),
            written_bytes: written_now(),
            io_class: io_class_now(),
            processes_started: counters.processes_started,
            readers_abandoned: counters.readers_abandoned,
            disks_asleep: sleepers.asleep,
            disks_woken: sleepers.woken,
            disks_unchecked: sleepers.unchecked,
        }
    }
}

/// The kernel reports in ticks of 1/100 s to user space on every architecture that a NAS has (`USER_HZ`).
fn milliseconds(ticks: u64) -> Milliseconds {
    Milliseconds(ticks.saturating_mul(10))
}

fn own_file(name: &str) -> String {
    if cfg!(feature = "live") {
        std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default()
    } else {
        String::new()
    }
}

fn ticks_now() -> Ticks {
    ticks(&own_file("stat")).unwrap_or_default()
}

/// Fields 14 to 17 of `/proc/PID/stat`; the program's name in brackets may hold blanks.
fn ticks(stat: &str) -> Option<Ticks> {
    let (_, rest) = stat.rsplit_once(')')?;
    let numbers: Vec<u64> =
        rest.split_whitespace().skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
    let [user, system, children_user, children_system] = numbers.as_slice() else { return None };
    Some(Ticks {
        own: user.saturating_add(*system),
        children: children_user.saturating_add(*children_system),
    })
}

fn peak_memory_now() -> Bytes {
    Bytes(field(&own_file("status"), "VmHWM:").unwrap_or(0).saturating_mul(1024))
}

/// Of the thread that collects, whose readers and commands inherit it.
fn io_class_now() -> Option<String> {
    #[cfg(feature = "live")]
    return crate::live::io_class().ok().map(str::to_owned);
    #[cfg(not(feature = "live"))]
    None
}

fn written_now() -> Option<Bytes> {
    field(&own_file("io"), "write_bytes:").map(Bytes)
}

fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_a_stat_line() {
        fn check(stat: &str, expected: Option<(u64, u64)>) {
            assert_eq!(ticks(stat).map(|ticks| (ticks.own, ticks.children)), expected, "{stat}");
        }
        check("7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 100 20 3 4 20 0 1", Some((120, 7)));
        check("7 (x) S 1 2 3 4 5 6 7 8 9 10 100", None);
        check("", None);
    }

    #[test]
    fn fields_of_status_and_io() {
        assert_eq!(field("VmPeak:\t 9 kB\nVmHWM:\t  5120 kB\n", "VmHWM:"), Some(5120));
        assert_eq!(field("wchar: 7\nwrite_bytes: 4096\n", "write_bytes:"), Some(4096));
        assert_eq!(field("", "VmHWM:"), None);
    }
}
