//! How many drives are asked at the same time: [`PER_CONTROLLER`] on one host adapter, [`PER_BRIDGE`] of them behind
//! one USB host or one port multiplier, which pass a single command at a time to several disks.
//!
//! The path in sysfs tells both. The adapter is the innermost PCI function of it (ARM boards have none: there it is
//! what stands before the port); a port multiplier is a `link` with its number in the path, or an ATA port with
//! several disks.

use std::collections::BTreeMap;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Drives that are asked at the same time on one controller.
const PER_CONTROLLER: usize = 12;
/// Of those, behind one USB host or port multiplier.
const PER_BRIDGE: usize = 4;

/// The places of all controllers.
pub(super) struct Slots {
    controllers: BTreeMap<String, Semaphore>,
    bridges: BTreeMap<String, Semaphore>,
    shared_ports: Vec<String>,
}

impl Slots {
    /// Places for drives with these paths.
    pub(super) fn new<'p>(paths: impl Iterator<Item = &'p str> + Clone) -> Self {
        let ports: Vec<String> = paths.clone().filter_map(|path| up_to(path, is_ata_port)).collect();
        let mut shared_ports: Vec<String> = ports
            .iter()
            .filter(|port| ports.iter().filter(|other| other == port).count() > 1)
            .cloned()
            .collect();
        shared_ports.sort();
        shared_ports.dedup();
        let mut slots = Self { controllers: BTreeMap::new(), bridges: BTreeMap::new(), shared_ports };
        for path in paths {
            slots.controllers.entry(controller(path)).or_insert_with(|| Semaphore::new(PER_CONTROLLER));
            if let Some(bridge) = slots.bridge(path) {
                slots.bridges.entry(bridge).or_insert_with(|| Semaphore::new(PER_BRIDGE));
            }
        }
        slots
    }

    /// Waits for a place. None is ever refused; should one be, the drive is asked all the same.
    pub(super) async fn enter(&self, path: &str) -> [Option<SemaphorePermit<'_>>; 2] {
        // The narrow one first: who waits for a bridge keeps nobody else from the controller.
        let bridge = match self.bridge(path).and_then(|bridge| self.bridges.get(&bridge)) {
            Some(bridge) => bridge.acquire().await.ok(),
            None => None,
        };
        let controller = match self.controllers.get(&controller(path)) {
            Some(controller) => controller.acquire().await.ok(),
            None => None,
        };
        [bridge, controller]
    }

    fn bridge(&self, path: &str) -> Option<String> {
        let usb = up_to(path, |part| numbered(part, "usb"));
        let link = || {
            up_to(path, |part| part.starts_with("link") && part.contains('.')).and(up_to(path, is_ata_port))
        };
        let port = || up_to(path, is_ata_port).filter(|port| self.shared_ports.contains(port));
        usb.or_else(link).or_else(port)
    }
}

/// The path of the host adapter.
fn controller(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let pci = parts.iter().rposition(|part| is_pci_function(part)).map(|at| at + 1);
    let port =
        || parts.iter().position(|part| is_ata_port(part) || numbered(part, "host") || numbered(part, "usb"));
    let end = pci.or_else(port).unwrap_or(0);
    parts.get(..end).unwrap_or_default().join("/")
}

/// The path up to and with the first part of this kind.
fn up_to(path: &str, is: impl Fn(&str) -> bool) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    let at = parts.iter().position(|part| is(part))?;
    parts.get(..=at).map(|parts| parts.join("/"))
}

fn is_ata_port(part: &str) -> bool {
    numbered(part, "ata")
}

fn numbered(part: &str, word: &str) -> bool {
    part.strip_prefix(word).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

/// `0000:00:17.0`.
fn is_pci_function(part: &str) -> bool {
    let bytes = part.as_bytes();
    let digits = |from: usize, to: usize| {
        bytes.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_hexdigit))
    };
    bytes.len() == 12
        && digits(0, 4)
        && digits(5, 7)
        && digits(8, 10)
        && digits(11, 12)
        && [4, 7].iter().all(|at| bytes.get(*at) == Some(&b':'))
        && bytes.get(10) == Some(&b'.')
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::join::join_all;

    /// How many of these drives are asked at once.
    fn check(paths: &[String], at_once: usize) {
        let slots = Slots::new(paths.iter().map(String::as_str));
        let (busy, most) = (Cell::new(0), Cell::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(join_all(paths.iter().map(|path| async {
            let _slot = slots.enter(path).await;
            busy.set(busy.get() + 1);
            most.set(most.get().max(busy.get()));
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            busy.set(busy.get() - 1);
        })));
        assert_eq!((most.get(), busy.get()), (at_once, 0), "{paths:?}");
    }

    #[test]
    fn each_controller_has_its_places() {
        let many = |count: usize, path: &dyn Fn(usize) -> String| (0..count).map(path).collect::<Vec<_>>();
        let sata = |n: usize| {
            format!("../devices/pci0000:00/0000:00:17.0/ata{n}/host{n}/target{n}:0:0/{n}:0:0:0/block/sd{n}")
        };
        let sas = |n: usize| {
            format!("../devices/pci0000:00/0000:00:01.0/0000:03:00.0/host0/port-0:{n}/end_device-0:{n}/x")
        };
        let usb = |n: usize| format!("../devices/pci0000:00/0000:00:14.0/usb2/2-{n}/2-{n}:1.0/host{n}/x");
        let nvme =
            |n: usize| format!("../devices/pci0000:00/0000:00:1d.0/0000:0{n}:00.0/nvme/nvme{n}/nvme{n}n1");
        let multiplied = |n: usize| {
            format!("../devices/pci0000:00/0000:00:17.0/ata9/host8/target8:{n}:0/8:{n}:0:0/block/sd{n}")
        };
        let linked = |n: usize| format!("../devices/pci0000:00/0000:00:17.0/ata{n}/link{n}.2/dev{n}.2.0/x");
        let arm = |n: usize| format!("../devices/platform/f7e90000.sata/ata{n}/host{n}/x");
        check(&many(3, &sata), 3);
        check(&many(24, &sata), 12);
        check(&many(24, &sas), 12);
        check(&many(9, &usb), 4);
        check(&many(9, &nvme), 9);
        check(&many(5, &multiplied), 4);
        check(&[multiplied(0), sata(1), sata(2)], 3);
        check(&many(2, &linked), 2);
        check(&many(14, &arm), 12);
        check(&many(14, &|_| String::new()), 12);
        check(&[many(24, &sata), many(24, &sas), many(9, &usb)].concat(), 28);
        // A full bridge does not take the places of what stands beside it.
        check(&[many(20, &multiplied), many(12, &sata)].concat(), 12);
    }
}
