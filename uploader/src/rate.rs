//! How fast a part may be fed: a token bucket, so that a background upload leaves the owner's line alone.
//!
//! The bucket holds one second's worth: at no moment have more bytes gone than that and the rate's share of the time, and
//! silences of the line are not caught up for ever.

use std::time::Duration;

/// The slowest rate: 16 KiB in a second. Slower, and one chunk takes longer than a portal waits for the next byte.
pub const SLOWEST_BYTES_PER_S: u64 = 16 * 1024;

/// A token bucket. Time is handed in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    bytes_per_s: u64,
    tokens: u64,
    at: Duration,
}

impl Bucket {
    /// A full bucket; slower than [`SLOWEST_BYTES_PER_S`] is that.
    pub(crate) fn new(bytes_per_s: u64) -> Self {
        let bytes_per_s = bytes_per_s.max(SLOWEST_BYTES_PER_S);
        Self { bytes_per_s, tokens: bytes_per_s, at: Duration::ZERO }
    }

    /// Takes `bytes` at `now` (since any fixed moment), and says how long to wait before they may go.
    pub(crate) fn take(&mut self, bytes: u64, now: Duration) -> Duration {
        let passed_us = u64::try_from(now.saturating_sub(self.at).as_micros()).unwrap_or(u64::MAX);
        let gained = u128::from(self.bytes_per_s) * u128::from(passed_us) / 1_000_000;
        let full = self.bytes_per_s;
        self.tokens = full.min(self.tokens.saturating_add(u64::try_from(gained).unwrap_or(full)));
        self.at = now;
        if bytes <= self.tokens {
            self.tokens -= bytes;
            return Duration::ZERO;
        }
        let missing = bytes - self.tokens;
        self.tokens = 0;
        let wait = Duration::from_micros(missing.saturating_mul(1_000_000) / self.bytes_per_s);
        // The wait pays for these bytes: it is not gained a second time.
        self.at = now + wait;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chunks of 64 KiB at a rate, the line itself taking `line_ms` for each: seconds until all are through.
    fn check(rate: u64, chunks: u32, line_ms: u64, expected_s: u64) {
        let mut bucket = Bucket::new(rate);
        let mut now = Duration::ZERO;
        for _ in 0..chunks {
            now += Duration::from_millis(line_ms);
            now += bucket.take(64 * 1024, now);
        }
        assert_eq!(now.as_secs(), expected_s, "{rate}");
    }

    #[test]
    fn a_rate_is_kept_on_average() {
        check(64 * 1024, 101, 0, 100);
        check(128 * 1024, 202, 0, 100);
        check(1024 * 1024, 160 + 16, 0, 10);
        // Slower than the line itself: the line decides.
        check(64 * 1024, 100, 2000, 200);
        // Too slow to be kept alive.
        check(1, 11, 0, 43);
    }
}
