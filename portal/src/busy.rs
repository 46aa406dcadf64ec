//! Who works on the files of a device, so that what is deleted stays deleted: a deletion begins only while nobody
//! does, and nobody begins after it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The devices whose files somebody has in hand, and those that are gone.
#[derive(Clone, Default)]
pub struct Busy(Arc<Mutex<Devices>>);

#[derive(Default)]
struct Devices {
    working: HashMap<String, usize>,
    closed: HashSet<String>,
}

/// Somebody works, for as long as this lives.
pub struct Working {
    busy: Busy,
    device_id: String,
}

impl Busy {
    fn devices(&self) -> MutexGuard<'_, Devices> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to work on a device's files; `None` once it is being deleted.
    pub fn enter(&self, device_id: &str) -> Option<Working> {
        let mut devices = self.devices();
        if devices.closed.contains(device_id) {
            return None;
        }
        *devices.working.entry(device_id.to_owned()).or_default() += 1;
        Some(Working { busy: self.clone(), device_id: device_id.to_owned() })
    }

    /// Lets nobody begin any more, unless somebody works: then `false`.
    pub fn close(&self, device_id: &str) -> bool {
        let mut devices = self.devices();
        let free = !devices.working.contains_key(device_id);
        if free {
            devices.closed.insert(device_id.to_owned());
        }
        free
    }

    /// Lets them begin again: the deletion failed, or is done and the name is nobody's.
    pub fn open(&self, device_id: &str) {
        self.devices().closed.remove(device_id);
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut devices = self.busy.devices();
        if let Some(count) = devices.working.get_mut(&self.device_id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                devices.working.remove(&self.device_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_waits_and_then_shuts_the_door() {
        let busy = Busy::default();
        let (one, two) = (busy.enter("a").expect("free"), busy.enter("a").expect("free"));
        assert!(!busy.close("a") && busy.close("b"));
        drop(one);
        assert!(!busy.close("a"));
        drop(two);
        assert!(busy.close("a"));
        assert!(busy.enter("a").is_none() && busy.enter("c").is_some());
        busy.open("a");
        assert!(busy.enter("a").is_some());
    }
}
