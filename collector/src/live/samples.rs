//! What is asked of the system itself: host and clock, as JSON with fixed keys.
//!
//! `sample/host.json`: `architecture` (text, as uname gives it), `cpu_brand` (text), `cpu_count`, `memory_total_bytes`, `memory_available_bytes`,
//! `swap_total_bytes`, `swap_used_bytes`, `load_1min_hundredths`, `load_15min_hundredths`, `uptime_s` (whole numbers).
//! `sample/clock.json`: `unix_s` (seconds since 1970, negative before), `synchronised` (true, false, or null).
//! A key is null when the system does not say; it is never left out.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use super::kernel_calls;
use crate::source::{Failure, Fetched};

#[derive(Serialize)]
struct Host {
    architecture: Option<String>,
    cpu_brand: Option<String>,
    cpu_count: Option<usize>,
    memory_total_bytes: Option<u64>,
    memory_available_bytes: Option<u64>,
    swap_total_bytes: Option<u64>,
    swap_used_bytes: Option<u64>,
    load_1min_hundredths: Option<u32>,
    load_15min_hundredths: Option<u32>,
    uptime_s: Option<u64>,
}

#[derive(Serialize)]
struct Clock {
    unix_s: i64,
    /// Null when the kernel does not answer. It knows of a daemon that disciplines it; a clock that something sets from
    /// time to time is right and not synchronised.
    synchronised: Option<bool>,
}

/// Processor, memory, load and uptime.
pub(super) fn host() -> Result<Fetched, Failure> {
    let what = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::everything());
    let system = System::new_with_specifics(what).ok();
    let total = system.as_ref().map(System::total_memory).filter(|bytes| *bytes > 0);
    // Without the memory's size nothing about memory was read; with it, no swap is an honest zero.
    let of_memory = |read: fn(&System) -> u64| total.and(system.as_ref().map(read));
    let load = System::load_average().ok();
    json(
        "the host sample",
        &Host {
            architecture: rustix::system::uname().machine().to_str().ok().map(str::to_owned),
            cpu_brand: system
                .as_ref()
                .and_then(|system| system.cpus().first())
                .map(|cpu| cpu.brand().trim().to_owned())
                .filter(|brand| !brand.is_empty()),
            cpu_count: system.as_ref().map(|system| system.cpus().len()).filter(|count| *count > 0),
            memory_total_bytes: total,
            memory_available_bytes: of_memory(System::available_memory),
            swap_total_bytes: of_memory(System::total_swap),
            swap_used_bytes: of_memory(System::used_swap),
            load_1min_hundredths: load.as_ref().map(|load| hundredths(load.one)),
            load_15min_hundredths: load.as_ref().map(|load| hundredths(load.fifteen)),
            uptime_s: System::uptime().ok(),
        },
    )
}

/// The system clock; whether it is right is for others to judge.
pub(super) fn clock() -> Result<Fetched, Failure> {
    let whole = |time: std::time::Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let unix_s = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    };
    json("the clock", &Clock { unix_s, synchronised: kernel_calls::is_clock_disciplined().ok() })
}

pub(super) fn json(noun: &str, value: &impl Serialize) -> Result<Fetched, Failure> {
    let bytes = serde_json::to_vec(value).map_err(|error| Failure::Io { why: format!("{noun}: {error}") })?;
    Ok(Fetched { bytes, ..Fetched::default() })
}

/// A load average in hundredths; the conversion saturates.
fn hundredths(load: f64) -> u32 {
    (load * 100.0).round() as u32
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn load_is_whole_hundredths() {
        fn check(load: f64, expected: u32) {
            assert_eq!(hundredths(load), expected);
        }
        check(0.0, 0);
        check(1.234, 123);
        check(0.29, 29);
        check(-1.0, 0);
        check(f64::NAN, 0);
        check(1e30, u32::MAX);
    }

    #[test]
    fn a_sample_names_every_key() {
        fn check(sample: Fetched, keys: &[&str]) {
            let value: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(&sample.bytes).expect("our own JSON");
            assert_eq!(value.keys().map(String::as_str).collect::<Vec<_>>(), keys);
            assert!(value.values().any(|value| !value.is_null()));
        }
        check(clock().expect("a clock"), &["unix_s", "synchronised"]);
        let told: serde_json::Value = serde_json::from_slice(&clock().expect("a clock").bytes).expect("JSON");
        assert_eq!(told["synchronised"].as_bool(), kernel_calls::is_clock_disciplined().ok(), "{told}");
        assert!(told["synchronised"].is_boolean(), "the kernel tells: {told}");
        check(
            host().expect("a host"),
            &[
                "architecture",
                "cpu_brand",
                "cpu_count",
                "memory_total_bytes",
                "memory_available_bytes",
                "swap_total_bytes",
                "swap_used_bytes",
                "load_1min_hundredths",
                "load_15min_hundredths",
                "uptime_s",
            ],
        );
    }
}
