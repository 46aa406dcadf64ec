//! When to try again: exponential backoff with full jitter, `Retry-After` from the portal, and the end of patience.
//!
//! The jitter is what protects a portal that comes back to ten thousand waiting devices. What the portal asks for is
//! a floor, never shortened; a wait longer than this run's patience is handed back, to be kept for the next run.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use crate::http_date;

/// How long and how often one upload is tried before it waits for the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Failures in a row, without a byte of progress between them, after which the upload waits for the next run.
    pub failures: u32,
    /// Ceiling of the first random wait; it doubles with every failure in a row.
    pub base: Duration,
    /// Ceiling of every random wait.
    pub cap: Duration,
    /// The longest wait that is sat out inside one run, whoever asks for it.
    pub longest_wait: Duration,
    /// How long the portal's receipt is waited for after the last byte.
    pub receipt_wait: Duration,
}

impl Default for RetryPolicy {
    /// Eight failures in a row, 0.5 s to 60 s: about two minutes of patience on average (judgement: longer than a
    /// portal's restart, shorter than a person's), two minutes for the receipt.
    fn default() -> Self {
        Self {
            failures: 8,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(60),
            longest_wait: Duration::from_secs(120),
            receipt_wait: Duration::from_secs(120),
        }
    }
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try again after this long.
    After(Duration),
    /// Enough for this run; not before this long from now.
    GiveUp(Duration),
}

impl RetryPolicy {
    /// After the `failure`th failure in a row (1 is the first), with what the portal asked for and a random number
    /// in 0..=1.
    pub(crate) fn next(&self, failure: u32, asked: Option<Duration>, random: f64) -> Next {
        let doublings = failure.saturating_sub(1).min(31);
        let ceiling = self.base.saturating_mul(1 << doublings).min(self.cap);
        // Full jitter on our own wait; on the portal's wish a tenth more, so that not all come back at once.
        let own = ceiling.mul_f64(random.clamp(0.0, 1.0));
        let wait = match asked {
            None => own,
            Some(asked) => own.max(asked + (asked / 10).mul_f64(random.clamp(0.0, 1.0))),
        };
        if failure >= self.failures || wait > self.longest_wait {
            Next::GiveUp(wait)
        } else {
            Next::After(wait)
        }
    }
}

/// A random number in 0..=1. Where the system gives none the whole wait is used: slower, never a herd of zeros.
pub(crate) fn random() -> f64 {
    let mut bytes = [0_u8; 4];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

/// `Retry-After`: seconds, or a date. A date is read against the portal's own `Date`, because the clock of a NAS may
/// be decades away; `now_unix_s` serves only where the portal sent none.
pub(crate) fn retry_after(value: Option<&str>, date: Option<&str>, now_unix_s: i64) -> Option<Duration> {
    let value = value?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let here = date.and_then(http_date::unix_s).unwrap_or(now_unix_s);
    Some(Duration::from_secs(u64::try_from(http_date::unix_s(value)? - here).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        failures: 8,
        base: Duration::from_millis(500),
        cap: Duration::from_secs(60),
        longest_wait: Duration::from_secs(120),
        receipt_wait: Duration::from_secs(1),
    };

    fn check(failure: u32, asked_s: Option<u64>, random: f64, expected: Next) {
        assert_eq!(
            POLICY.next(failure, asked_s.map(Duration::from_secs), random),
            expected,
            "{failure} {asked_s:?}"
        );
    }

    #[test]
    fn waits() {
        let ms = |ms| Next::After(Duration::from_millis(ms));
        check(1, None, 1.0, ms(500));
        check(1, None, 0.0, ms(0));
        check(2, None, 1.0, ms(1_000));
        check(4, None, 0.5, ms(2_000));
        check(7, None, 1.0, ms(32_000));
        check(8, None, 1.0, Next::GiveUp(Duration::from_secs(60)));
        check(u32::MAX, None, 1.0, Next::GiveUp(Duration::from_secs(60)));
        // What the portal asks for is a floor.
        check(1, Some(30), 0.0, ms(30_000));
        check(1, Some(30), 1.0, ms(33_000));
        check(7, Some(1), 1.0, ms(32_000));
        check(1, Some(3_600), 0.0, Next::GiveUp(Duration::from_secs(3_600)));
    }

    #[test]
    fn retry_after_headers() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (value, date, expected_s) in [
            (Some("120"), None, Some(120)),
            (Some(" 0 "), None, Some(0)),
            (Some("Sun, 06 Nov 1994 08:50:07 GMT"), date, Some(30)),
            (Some("Sun, 06 Nov 1994 08:49:00 GMT"), date, Some(0)),
            (Some("Thu, 01 Jan 1970 00:01:40 GMT"), None, Some(100)),
            (Some("soon"), date, None),
            (Some("-5"), date, None),
            (None, date, None),
        ] {
            assert_eq!(retry_after(value, date, 0), expected_s.map(Duration::from_secs), "{value:?}");
        }
    }

    #[test]
    fn random_numbers_stay_in_range() {
        assert!((0..100).map(|_| random()).all(|r| (0.0..=1.0).contains(&r)));
    }
}
