//! How large the next part is: large parts are cheap on a good line, small ones get through a bad one.
//!
//! A part that breaks commits nothing, so what is lost on a bad line is one part. Its size halves then and doubles
//! while parts survive. After a break several parts in a row must survive before the size that broke is tried again:
//! a middlebox that always cuts at the same size would otherwise cost more than it lets through.

use std::time::Duration;

/// First part of an upload on an unknown line (dependencies: decided upload part sizes).
pub const START_PART_BYTES: u64 = 1024 * 1024;
/// Parts never get smaller: below it headers and round trips cost more than a break.
pub const SMALLEST_PART_BYTES: u64 = 64 * 1024;
/// Parts never get larger: the portal joins parts up to this size without keeping more in memory.
pub const LARGEST_PART_BYTES: u64 = 8 * 1024 * 1024;

/// A part that took longer does not grow: on a slow line a larger part only risks more (judgement).
const SLOW_PART: Duration = Duration::from_secs(15);
/// Parts in a row that must survive after a break before the size doubles again (judgement: bounds the bytes lost
/// to a line that cuts at a fixed size to about a quarter of what gets through).
const GOOD_AFTER_BREAK: u32 = 4;

/// The size of the next part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartSize {
    bytes: u64,
    good: u32,
    good_needed: u32,
}

impl PartSize {
    /// Goes on with a size from an earlier run, or starts new.
    pub(crate) fn new(saved_bytes: Option<u64>) -> Self {
        let bytes = saved_bytes.unwrap_or(START_PART_BYTES).clamp(SMALLEST_PART_BYTES, LARGEST_PART_BYTES);
        Self { bytes, good: 0, good_needed: 1 }
    }

    /// Bytes of the next part (the last one of a bundle is what is left).
    pub(crate) fn bytes(self) -> u64 {
        self.bytes
    }

    /// What must be on disk while a part is under way: a process that is killed inside it starts with half of it.
    pub(crate) fn after_a_kill(self) -> u64 {
        (self.bytes / 2).max(SMALLEST_PART_BYTES)
    }

    /// The part was committed after `took`.
    pub(crate) fn survived(&mut self, took: Duration) {
        self.good += 1;
        if self.good >= self.good_needed && took < SLOW_PART {
            self.bytes = (self.bytes * 2).min(LARGEST_PART_BYTES);
            self.good = 0;
        }
    }

    /// The part was not committed, for a reason that smaller parts may avoid.
    pub(crate) fn broke(&mut self) {
        self.bytes = (self.bytes / 2).max(SMALLEST_PART_BYTES);
        self.good = 0;
        self.good_needed = GOOD_AFTER_BREAK;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1024;

    /// `+` a part survived, `s` survived slowly, `-` broke; the sizes in KiB that follow.
    fn check(saved_kib: Option<u64>, events: &str, expected_kib: &[u64]) {
        let mut size = PartSize::new(saved_kib.map(|kib| kib * KIB));
        let mut seen = vec![size.bytes() / KIB];
        for event in events.chars() {
            match event {
                '+' => size.survived(Duration::from_millis(10)),
                's' => size.survived(SLOW_PART),
                _ => size.broke(),
            }
            seen.push(size.bytes() / KIB);
        }
        assert_eq!(seen, expected_kib, "{events}");
    }

    #[test]
    fn sizes() {
        check(None, "++++", &[1024, 2048, 4096, 8192, 8192]);
        check(None, "-----", &[1024, 512, 256, 128, 64, 64]);
        check(None, "--++++-++++", &[1024, 512, 256, 256, 256, 256, 512, 256, 256, 256, 256, 512]);
        check(None, "ss+", &[1024, 1024, 1024, 2048]);
        check(Some(256), "+", &[256, 512]);
        check(Some(1), "+", &[64, 128]);
        check(Some(1 << 40), "-", &[8192, 4096]);
    }

    #[test]
    fn a_kill_inside_a_part_halves_it() {
        for (now, expected) in [(1024, 512), (64, 64), (8192, 4096)] {
            assert_eq!(PartSize::new(Some(now * KIB)).after_a_kill(), expected * KIB);
        }
    }
}
