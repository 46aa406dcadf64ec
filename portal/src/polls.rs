//! Polls that are held: at most one for each device, and a number in all. Whoever is one too many is answered at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most polls that are held at once (judgement: each asks the database once a second).
const MOST: usize = 256;

/// Which polls are held.
#[derive(Default)]
pub struct Polls {
    /// Device, and the number of its newest poll.
    held: Mutex<HashMap<String, u64>>,
    stopping: AtomicBool,
}

/// A poll that may be held; given back when dropped.
pub struct Held<'a> {
    polls: &'a Polls,
    device_id: String,
    number: u64,
}

impl Polls {
    /// Holds a poll; the device's older one ends. `None` when there are too many, or the portal stops.
    pub fn hold(&self, device_id: &str) -> Option<Held<'_>> {
        let mut held = self.lock();
        if self.stopping.load(Ordering::Relaxed) || (held.len() >= MOST && !held.contains_key(device_id)) {
            return None;
        }
        let number = held.entry(device_id.to_owned()).or_default();
        *number += 1;
        Some(Held { polls: self, device_id: device_id.to_owned(), number: *number })
    }

    /// Lets every held poll be answered, and holds none any more.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        // Nothing is left half done under this lock.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// Whether to go on holding: no newer poll of the device came, and the portal does not stop.
    pub fn goes_on(&self) -> bool {
        !self.polls.stopping.load(Ordering::Relaxed)
            && self.polls.lock().get(&self.device_id) == Some(&self.number)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut held = self.polls.lock();
        if held.get(&self.device_id) == Some(&self.number) {
            held.remove(&self.device_id);
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn one_for_each_device_and_a_number_in_all() {
        let polls = Polls::default();
        let first = polls.hold("a").expect("there is room");
        assert!(first.goes_on());
        let second = polls.hold("a").expect("the older one gives way");
        assert!(!first.goes_on() && second.goes_on());
        drop(first);
        assert!(second.goes_on(), "the older one takes nothing with it");
        let others: Vec<_> = (1..MOST).map(|n| polls.hold(&n.to_string()).expect("there is room")).collect();
        assert!(polls.hold("z").is_none());
        let third = polls.hold("a").expect("its own place");
        drop(second);
        drop(others);
        assert!(polls.hold("z").is_some());
        polls.stop();
        assert!(!third.goes_on() && polls.hold("y").is_none());
    }
}
