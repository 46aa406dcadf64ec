//! What LVM and the caches are to the kernel: `/sys/block/dm-*` and `dmsetup status --noflush`.
//!
//! `lvs`, `vgs` and `pvs` are not run: they read the labels of every device, past the page cache, which wakes sleeping
//! disks and hangs on dying ones. With `--readonly`, the only way to be sure that they repair nothing, they do not ask the
//! kernel and know neither how full a thin pool is nor whether it went read-only. The kernel's own state says both.
//! `--noflush` because without it the kernel first commits a thin pool's metadata, which is a write. Never `dmsetup
//! table`: it prints keys. A device that is gone can hang the command; it has its deadline like every other.

use std::collections::BTreeMap;

use assay_bundle::Observed;
use assay_bundle::facts::lvm::{DmDevice, DmTarget};
use assay_bundle::units::Bytes;

use crate::command::{Command, StorageCommand};
use crate::dmsetup;
use crate::door::{Door, Missing};
use crate::source::Request;

const BLOCK: &str = "/sys/block";
/// The unit of `size`.
const SECTOR_BYTES: u64 = 512;

/// Reads every mapped device.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<Vec<DmDevice>> {
    let names = match door.names(BLOCK).await {
        Ok(names) => names,
        Err(missing) => return missing.observed(),
    };
    let mut nodes: Vec<String> = names.into_iter().filter(|name| name.starts_with("dm-")).collect();
    if nodes.is_empty() {
        return Observed::Absent;
    }
    nodes.sort_by_key(|node| (node.len(), node.clone()));
    let status = status(door).await;
    let mut devices = Vec::new();
    for node in nodes {
        devices.push(device(door, node, &status).await);
    }
    Observed::seen(devices, format!("{}/.list", &BLOCK[1..]))
}

async fn status(door: &Door<'_>) -> Observed<BTreeMap<String, Vec<DmTarget>>> {
    match door.ask(&Request::Run(Command::Storage(StorageCommand::DmsetupStatus))).await {
        Ok(fetched) => {
            let devices = dmsetup::parse(&fetched.text());
            if devices.is_empty() {
                door.noted(Observed::unreadable(format!("{}: it describes no device", fetched.place)))
            } else {
                Observed::seen(devices, fetched.place)
            }
        }
        // A recording of a version that did not ask.
        Err(Missing::NotThere) => Observed::NotCollected,
        Err(missing) => missing.observed(),
    }
}

async fn device(
    door: &Door<'_>,
    node: String,
    status: &Observed<BTreeMap<String, Vec<DmTarget>>>,
) -> DmDevice {
    let file = |file: &str| format!("{BLOCK}/{node}/{file}");
    let name = door.text(&file("dm/name")).await.value().cloned().unwrap_or_default();
    let targets = match status {
        Observed::Seen { value, from } => match value.get(&name) {
            Some(targets) => Observed::seen(targets.clone(), from.as_str()),
            None => Observed::unreadable(format!("{from}: it does not describe {node}")),
        },
        other => other.as_ref().map(|_| Vec::new()),
    };
    DmDevice {
        size_bytes: door
            .value(&file("size"), "a number of sectors", |text| {
                text.parse::<u64>().ok()?.checked_mul(SECTOR_BYTES).map(Bytes)
            })
            .await,
        read_only: door.flag(&file("ro")).await,
        suspended: door.flag(&file("dm/suspended")).await,
        name,
        node: Some(node),
        targets,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::commutes;

    const STDOUT: &str = "cmd/dmsetup.status/stdout";

    #[test]
    fn devices_and_their_pieces() {
        let found = commutes::check(
            &[
                ("sys/block/dm-10/dm/name", "cachedev1\n"),
                ("sys/block/dm-10/dm/suspended", "1\n"),
                ("sys/block/dm-10/ro", "0\n"),
                ("sys/block/dm-2/dm/name", "vg1-tp1-tpool\n"),
                ("sys/block/dm-2/size", "20971520\n"),
                ("sys/block/dm-3/dm/name", "vg1-new\n"),
                ("sys/block/sda/size", "1\n"),
                (
                    STDOUT,
                    "cachedev1: 0 41943040 flashcache stats: \n\tx\nvg1-tp1-tpool: 0 20971520 thin-pool 1 4/4 88/20480 - ro discard_passdown queue_if_no_space - 1024\n",
                ),
            ],
            collect,
        );
        let devices = found.value().expect("devices");
        let short: Vec<_> = devices
            .iter()
            .map(|d| (d.name.as_str(), d.node.as_deref(), d.targets.value().map(Vec::len)))
            .collect();
        assert_eq!(
            short,
            [
                ("vg1-tp1-tpool", Some("dm-2"), Some(1)),
                ("vg1-new", Some("dm-3"), None),
                ("cachedev1", Some("dm-10"), Some(1))
            ]
        );
        assert_eq!((devices[2].suspended.value(), devices[2].read_only.value()), (Some(&true), Some(&false)));
        assert_eq!(devices[0].size_bytes.value(), Some(&Bytes(10_737_418_240)));
    }

    #[test]
    fn machines_without() {
        assert_eq!(commutes::check(&[("sys/block/sda/size", "1\n")], collect), Observed::Absent);
        assert_eq!(commutes::check(&[], collect), Observed::Absent);
        let found = commutes::check(
            &[
                ("sys/block/dm-0/dm/name", "a\n"),
                ("cmd/dmsetup.status.unreadable", r#"{"no_tool":{"name":"dmsetup"}}"#),
            ],
            collect,
        );
        let why = found.value().expect("one")[0].targets.why_not();
        assert!(why.is_some_and(|why| why.contains("not installed")));
    }
}
