//! Polls that are held: at most one for each device, and a number in all. Whoever is one too many is answered at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// Most polls that are held at once (judgement: each asks the database once a second).
const MOST: usize = 256;

/// Which polls are held.
#[derive(Default)]
pub struct Polls {
    /// Device, the number of its newest poll, and what wakes that one.
    held: Mutex<HashMap<String, (u64, Arc<Notify>)>>,
    stopping: AtomicBool,
}

/// A poll that may be held; given back when dropped.
pub struct Held<'a> {
    polls: &'a Polls,
    device_id: String,
    number: u64,
    woken: Arc<Notify>,
}

impl Polls {
    /// Holds a poll; the device's older one ends. `None` when there are too many, or the portal stops.
    pub fn hold(&self, device_id: &str) -> Option<Held<'_>> {
        let mut held = self.lock();
        if self.stopping.load(Ordering::Relaxed) || (held.len() >= MOST && !held.contains_key(device_id)) {
            return None;
        }
        let (number, woken) = held.entry(device_id.to_owned()).or_default();
        *number += 1;
        // The older poll sees that it is the older one.
        woken.notify_one();
        *woken = Arc::default();
        Some(Held { polls: self, device_id: device_id.to_owned(), number: *number, woken: woken.clone() })
    }

    /// Lets every held poll be answered, and holds none any more.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.wake(None);
    }

    /// Lets the held poll of a device look, or every one.
    pub fn wake(&self, device_id: Option<&str>) {
        let held = self.lock();
        match device_id {
            Some(id) => held.get(id).into_iter().for_each(|(_, woken)| woken.notify_one()),
            None => held.values().for_each(|(_, woken)| woken.notify_one()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (u64, Arc<Notify>)>> {
        // Nothing is left half done under this lock.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// Whether to go on holding: no newer poll of the device came, and the portal does not stop.
    pub fn goes_on(&self) -> bool {
        !self.polls.stopping.load(Ordering::Relaxed)
            && self.polls.lock().get(&self.device_id).map(|(number, _)| *number) == Some(self.number)
    }

    /// Waits until it is woken, but no longer than this.
    pub async fn rest(&self, longest: Duration) {
        // Either is a reason to look.
        let _ = tokio::time::timeout(longest, self.woken.notified()).await;
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut held = self.polls.lock();
        if held.get(&self.device_id).map(|(number, _)| *number) == Some(self.number) {
            held.remove(&self.device_id);
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_poll_is_woken_by_its_device_by_a_newer_one_and_by_the_end() {
        let long = Duration::from_secs(3_600);
        let polls = Polls::default();
        let first = polls.hold("a").expect("there is room");
        // Woken before it rests: it is not missed.
        polls.wake(Some("a"));
        first.rest(long).await;
        polls.wake(Some("b"));
        polls.wake(None);
        first.rest(long).await;
        let second = polls.hold("a").expect("the older one gives way");
        first.rest(long).await;
        assert!(!first.goes_on());
        polls.stop();
        second.rest(long).await;
        assert!(!second.goes_on());
    }

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
