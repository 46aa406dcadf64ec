//! Block devices: `/sys/block`, and how each is attached by the path that its link names.
//!
//! Loop, RAM, md, device mapper, network and optical devices are left out, as is everything whose path lies below
//! `virtual` (but NVMe, whose multipath nodes do). The names change over reboots. `ioerr_cnt` is hexadecimal and
//! counts harmless refusals as well.

use assay_bundle::Observed;
use assay_bundle::facts::block::{BlockDevice, Transport};
use assay_bundle::units::Bytes;

use crate::door::Door;
use crate::join::join_all;
use crate::source::Request;

const BLOCK: &str = "/sys/block";
/// What is not a disk of its own.
const LEFT_OUT: [&str; 10] = ["loop", "ram", "zram", "md", "dm-", "nbd", "sr", "fd", "mtdblock", "drbd"];
/// What is read of every device.
const FILES: [&str; 7] =
    ["size", "queue/rotational", "removable", "ro", "device/model", "device/state", "device/ioerr_cnt"];
/// The unit of `size`, whatever the device's own sector size.
const SIZE_UNIT_BYTES: u64 = 512;

/// Reads every device.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<Vec<BlockDevice>> {
    let names = match door.names(BLOCK).await {
        Ok(names) => names,
        Err(missing) => return missing.observed(),
    };
    let names: Vec<&String> = names.iter().filter(|name| may_be_hardware(name)).collect();
    let links: Vec<Request> = names.iter().map(|name| Request::link(format!("{BLOCK}/{name}"))).collect();
    door.ahead(&links).await;
    // All at once: a shelf has hundreds of these files, and one after the other each waits for a reader twice.
    let read = names.into_iter().map(|name| async move {
        let path = door.link(&format!("{BLOCK}/{name}")).await;
        let is_virtual = path.value().is_some_and(|path| path.contains("/virtual/"));
        if is_virtual && !name.starts_with("nvme") {
            return None;
        }
        door.attributes_ahead(&format!("{BLOCK}/{name}"), &FILES).await;
        Some(device(door, name, path).await)
    });
    let devices: Vec<_> = join_all(read).await.into_iter().flatten().collect();
    if devices.is_empty() {
        Observed::Absent
    } else {
        Observed::seen(devices, format!("{}/.list", &BLOCK[1..]))
    }
}

/// eMMC's boot and replay-protected areas are parts of the device beside them.
fn may_be_hardware(name: &str) -> bool {
    let part_of_emmc = name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb"));
    !part_of_emmc && !LEFT_OUT.iter().any(|prefix| name.starts_with(prefix))
}

async fn device(door: &Door<'_>, name: &str, path: Observed<String>) -> BlockDevice {
    let file = |file: &str| format!("{BLOCK}/{name}/{file}");
    let known = |path: &Observed<String>| match path {
        Observed::Absent => {
            Observed::unreadable(format!("{BLOCK}/{name}: the link that names its path is not there"))
        }
        other => other.clone(),
    };
    let ata_port = match path.clone() {
        Observed::Seen { value, from } => {
            port(&value).map_or(Observed::Absent, |port| Observed::Seen { value: port.to_owned(), from })
        }
        other => other,
    };
    let attached_through = path.as_ref().map(|path| ancestors(path));
    let transport = crate::door::understand(known(&path), &file(""), "a path of a known kind", |path| {
        transport(name, path)
    });
    BlockDevice {
        name: name.to_owned(),
        transport,
        size_bytes: door.value(&file("size"), "a number of sectors", size).await,
        rotational: door.flag(&file("queue/rotational")).await,
        removable: door.flag(&file("removable")).await,
        read_only: door.flag(&file("ro")).await,
        model: door.text(&file("device/model")).await,
        state: door.text(&file("device/state")).await,
        ata_port,
        attached_through,
        io_error_count: door.value(&file("device/ioerr_cnt"), "a hexadecimal number", hexadecimal).await,
    }
}

fn size(text: &str) -> Option<Bytes> {
    text.parse::<u64>().ok()?.checked_mul(SIZE_UNIT_BYTES).map(Bytes)
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// `ata3` of `…/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0/block/sdc`.
fn port(path: &str) -> Option<&str> {
    path.split('/').find(|part| {
        part.strip_prefix("ata")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// `0000:00:17.0`, `ata3` and `host2` of `…/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0/block/sdc`.
fn ancestors(path: &str) -> Vec<String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let pci = |part: &str| {
        let mut pieces = part.split([':', '.']);
        let hexadecimal = |piece: Option<&str>, length: usize| {
            piece.is_some_and(|p| p.len() == length && p.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        hexadecimal(pieces.next(), 4)
            && hexadecimal(pieces.next(), 2)
            && hexadecimal(pieces.next(), 2)
            && hexadecimal(pieces.next(), 1)
            && pieces.next().is_none()
    };
    let numbered = |part: &str, word: &str| part.strip_prefix(word).is_some_and(digits);
    let usb_port = |part: &str| {
        part.split_once('-').is_some_and(|(bus, port)| digits(bus) && port.split('.').all(digits))
    };
    path.split('/')
        .filter(|part| {
            pci(part)
                || numbered(part, "ata")
                || numbered(part, "host")
                || part.starts_with("expander-")
                || usb_port(part)
        })
        .map(str::to_owned)
        .collect()
}

/// The outermost bus decides: a SATA disk in a USB case is a USB disk.
fn transport(name: &str, path: &str) -> Option<Transport> {
    let has = |prefix: &str| path.split('/').any(|part| part.starts_with(prefix));
    if has("usb") {
        Some(Transport::Usb)
    } else if name.starts_with("nvme") {
        Some(Transport::Nvme)
    } else if name.starts_with("mmcblk") {
        Some(Transport::Mmc)
    } else if has("virtio") {
        Some(Transport::Virtio)
    } else if port(path).is_some() {
        Some(Transport::Sata)
    } else if has("end_device-") || has("sas_") {
        Some(Transport::Sas)
    } else if has("target") {
        Some(Transport::Scsi)
    } else {
        None
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::door::testing::run;

    #[test]
    fn the_path_names_the_transport() {
        fn check(name: &str, path: &str, expected: Option<Transport>, ata: Option<&str>) {
            assert_eq!((transport(name, path), port(path)), (expected, ata), "{path}");
        }
        let pci = "../devices/pci0000:00/0000:00:17.0";
        check(
            "sdc",
            &format!("{pci}/ata3/host2/target2:0:0/2:0:0:0/block/sdc"),
            Some(Transport::Sata),
            Some("ata3"),
        );
        check(
            "sdd",
            &format!("{pci}/usb1/1-4/1-4:1.0/host6/target6:0:0/6:0:0:0/block/sdd"),
            Some(Transport::Usb),
            None,
        );
        check(
            "sde",
            &format!("{pci}/host0/port-0:0/end_device-0:0/target0:0:0/0:0:0:0/block/sde"),
            Some(Transport::Sas),
            None,
        );
        check("nvme0n1", &format!("{pci}/nvme/nvme0/nvme0n1"), Some(Transport::Nvme), None);
        check(
            "nvme0n1",
            "../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1",
            Some(Transport::Nvme),
            None,
        );
        check(
            "mmcblk0",
            "../devices/platform/soc/mmc_host/mmc0/mmc0:0001/block/mmcblk0",
            Some(Transport::Mmc),
            None,
        );
        check("vda", &format!("{pci}/virtio1/block/vda"), Some(Transport::Virtio), None);
        check("sdf", &format!("{pci}/host9/target9:0:0/9:0:0:0/block/sdf"), Some(Transport::Scsi), None);
        check("xvda", "../devices/vbd-768/block/xvda", None, None);
        check("sda", "", None, None);
    }

    #[test]
    fn the_path_names_what_it_hangs_on() {
        fn check(path: &str, expected: &[&str]) {
            assert_eq!(ancestors(path), expected, "{path}");
        }
        let pci = "../devices/pci0000:00/0000:00:1d.0";
        check(&format!("{pci}/ata3/host2/target2:0:0/2:0:0:0/block/sdc"), &["0000:00:1d.0", "ata3", "host2"]);
        check(
            &format!(
                "{pci}/0000:02:00.0/host0/port-0:0/expander-0:0/port-0:0:3/end_device-0:0:3/target0:0:3/0:0:3:0/block/sde"
            ),
            &["0000:00:1d.0", "0000:02:00.0", "host0", "expander-0:0"],
        );
        check(&format!("{pci}/0000:03:00.0/nvme/nvme0/nvme0n1"), &["0000:00:1d.0", "0000:03:00.0"]);
        check(
            &format!("{pci}/usb1/1-4/1-4.2/1-4.2:1.0/host6/block/sdd"),
            &["0000:00:1d.0", "1-4", "1-4.2", "host6"],
        );
        check("../devices/platform/soc/mmc_host/mmc0/mmc0:0001/block/mmcblk0", &[]);
        check("", &[]);
    }

    fn devices(files: &[(&str, &str)]) -> Observed<Vec<BlockDevice>> {
        run(files, async |door| collect(door).await)
    }

    #[test]
    fn one_disk_and_what_is_none() {
        let found = devices(&[
            (
                "sys/block/sda.link",
                "../devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda",
            ),
            ("sys/block/sda/size", "7814037168\n"),
            ("sys/block/sda/queue/rotational", "1\n"),
            ("sys/block/sda/device/ioerr_cnt", "0x1f\n"),
            ("sys/block/sda/device/model", "ST4000VN008-2DR1\n"),
            ("sys/block/zd0.link", "../devices/virtual/block/zd0"),
            ("sys/block/loop0/size", "0"),
            ("sys/block/mmcblk0boot0/size", "0"),
            ("sys/block/dm-0/size", "1"),
        ]);
        let all = found.value().expect("one disk");
        assert_eq!(all.len(), 1);
        let sda = &all[0];
        assert_eq!(sda.size_bytes.value(), Some(&Bytes(4_000_787_030_016)));
        assert_eq!((sda.io_error_count.value(), sda.rotational.value()), (Some(&31), Some(&true)));
        assert_eq!((sda.transport.value(), sda.removable.is_absent()), (Some(&Transport::Sata), true));
        assert_eq!(sda.ata_port.value().map(String::as_str), Some("ata1"));
    }

    #[test]
    fn a_disk_without_a_link_is_listed_all_the_same() {
        let found = devices(&[("sys/block/sda/size", "18446744073709551615")]);
        let sda = &found.value().expect("one disk")[0];
        assert!(sda.transport.why_not().is_some_and(|why| why.contains("not there")), "{sda:?}");
        assert!(sda.size_bytes.why_not().is_some_and(|why| why.contains("number of sectors")), "{sda:?}");
        assert_eq!(devices(&[]), Observed::Absent);
    }
}
