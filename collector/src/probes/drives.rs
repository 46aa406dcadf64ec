//! Drives: `smartctl --json` for every disk that may be a physical drive, on the base of what sysfs says of it.
//!
//! On QNAP the automatic choice takes SATA disks for SCSI and then answers "no SMART" and 0 C, so each transport has
//! its own chain of device types; the next is tried when an answer is poor, and the richest answer counts. A sleeping
//! drive is not woken (`-n standby`): it is listed with its power mode and nothing else. A disk that smartctl cannot
//! read, or a NAS without smartctl, still lists every drive by its sysfs data, each reading Unreadable with the
//! reason. The bay is QTS's own: `/etc/enclosure_0.conf` maps ports of the chassis to device nodes, which are not in
//! alphabetical order. NVMe drives are asked through the controller. Removable USB media and virtual disks are no drives. At most
//! [`AT_ONCE`] are asked at a time, and fewer behind USB, where one bridge serves several bays.

#[cfg_attr(not(test), expect(dead_code, reason = "the chain of drives comes to it last"))]
mod direct;

use assay_bundle::Observed;
use assay_bundle::facts::block::{BlockDevice, Transport};
use assay_bundle::facts::drive::{Drive, Medium, Protocol};
use tokio::sync::Semaphore;

use super::Run;
use crate::ProgressState;
use crate::command::{Command, DeviceNode, SmartctlKind};
use crate::door::{Door, Missing};
use crate::ini;
use crate::join::join_all;
use crate::smartctl::{self, ParsedDrive};
use crate::source::Request;

/// QTS's map of the NAS's own bays. Expansion units have files of their own.
const ENCLOSURE: &str = "/etc/enclosure_0.conf";
/// Drives that are asked at the same time.
const AT_ONCE: usize = 12;
/// Of those, behind USB.
const AT_ONCE_ON_USB: usize = 4;

/// One drive to ask.
struct Target<'b> {
    node: DeviceNode,
    transport: Transport,
    block: &'b BlockDevice,
}

/// Asks every drive among the block devices.
pub(crate) async fn collect(
    door: &Door<'_>,
    run: Run<'_>,
    blocks: &Observed<Vec<BlockDevice>>,
) -> Observed<Vec<Drive>> {
    let (blocks, place) = match blocks {
        Observed::Seen { value, from } => (value, from),
        other => return door.noted(other.as_ref().map(|_| Vec::new())),
    };
    let targets = targets(blocks);
    if targets.is_empty() {
        return Observed::Absent;
    }
    let map = door.text(ENCLOSURE).await;
    let (all, usb) = (Semaphore::new(AT_ONCE), Semaphore::new(AT_ONCE_ON_USB));
    let asked = targets.iter().map(|target| async {
        // Neither is ever closed, so a permit is refused never; a drive would then be asked all the same.
        let _usb = if target.transport == Transport::Usb { usb.acquire().await.ok() } else { None };
        let _any = all.acquire().await.ok();
        run.say("drives", ProgressState::Started, Some(target.node.name().to_owned()));
        let drive = Drive { bay: bay(&map, &target.block.name), ..drive(door, target).await };
        run.say("drives", ProgressState::Finished, Some(target.node.name().to_owned()));
        drive
    });
    Observed::seen(without_doubles(join_all(asked).await), &**place)
}

/// The bay of a device node, by sections `[PhysicalDisk_N]` with `port_id` and `pd_sys_name`. A drive that the map
/// does not hold is in no bay (a boot device, a USB drive); without a map nothing is known.
fn bay(map: &Observed<String>, device: &str) -> Observed<u32> {
    let Observed::Seen { value: text, from } = map else {
        return if map.is_absent() { Observed::NotCollected } else { map.as_ref().map(|_| 0) };
    };
    let node = format!("/dev/{device}");
    let port = ini::sections(text).into_iter().find_map(|(_, keys)| {
        let value = |key: &str| keys.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        (value("pd_sys_name") == Some(&node)).then(|| value("port_id")?.parse().ok())?
    });
    port.map_or(Observed::Absent, |port| Observed::Seen { value: port, from: from.clone() })
}

/// A drive that two paths lead to (multipath SAS) answers twice with one serial number and one name.
fn without_doubles(drives: Vec<Drive>) -> Vec<Drive> {
    let mut kept: Vec<Drive> = Vec::new();
    for drive in drives {
        let same = |other: &Drive| {
            let equal = |a: &Observed<String>, b: &Observed<String>| a.is_seen() && a.value() == b.value();
            equal(&drive.serial, &other.serial) && equal(&drive.wwn, &other.wwn)
        };
        if !kept.iter().any(same) {
            kept.push(drive);
        }
    }
    kept
}

fn targets(blocks: &[BlockDevice]) -> Vec<Target<'_>> {
    let mut targets: Vec<Target<'_>> = Vec::new();
    for block in blocks {
        // A path of unknown kind may still lead to a drive: asking is harmless.
        let transport = block.transport.value().copied().unwrap_or(Transport::Scsi);
        let media = transport == Transport::Usb && block.removable.value() == Some(&true);
        if media || matches!(transport, Transport::Virtio | Transport::Mmc) {
            continue;
        }
        let name =
            if transport == Transport::Nvme { controller(&block.name) } else { Some(block.name.as_str()) };
        let Some(node) = name.and_then(DeviceNode::parse) else { continue };
        if !targets.iter().any(|known| known.node == node) {
            targets.push(Target { node, transport, block });
        }
    }
    targets
}

/// `nvme0` of `nvme0n1`.
fn controller(namespace: &str) -> Option<&str> {
    let digits = namespace.strip_prefix("nvme")?;
    let end = digits.find('n')?;
    namespace.get(.."nvme".len() + end)
}

/// Device types to try, best first.
fn kinds(target: &Target<'_>) -> &'static [SmartctlKind] {
    use SmartctlKind::{Ata, Auto, Nvme, Sat, Sat12, Scsi};
    let speaks_ata = target.block.model.value().is_some_and(|model| model.starts_with("ATA "));
    match target.transport {
        Transport::Nvme => &[Nvme],
        Transport::Sata => &[Sat, Sat12, Ata],
        // A SAS host serves SATA drives too; each kind of drive refuses the other's question at once.
        Transport::Sas if !speaks_ata => &[Scsi, Sat],
        Transport::Sas => &[Sat, Scsi],
        // smartctl knows most bridges by their USB ids, and `sat` suits the rest.
        Transport::Usb => &[Auto, Sat, Sat12],
        Transport::Scsi | Transport::Virtio | Transport::Mmc => &[Auto, Sat, Scsi],
    }
}

async fn drive(door: &Door<'_>, target: &Target<'_>) -> Drive {
    let mut best: Option<ParsedDrive> = None;
    for kind in kinds(target) {
        let request = Request::Run(Command::Smartctl { device: target.node.clone(), kind: *kind });
        let (parsed, go_on) = match door.ask(&request).await {
            Ok(fetched) => (smartctl::parse(&fetched.bytes, &fetched.place), true),
            Err(Missing::NotThere) => {
                (smartctl::nothing(format!("{}: it was not asked", request.noun())), true)
            }
            // A drive that hangs, or a missing program, does not answer another question either.
            Err(Missing::Failed(why) | Missing::NoTool(why)) => (smartctl::nothing(why), false),
        };
        let good = !parsed.is_poor();
        if best.as_ref().is_none_or(|best| parsed.richness() > best.richness()) {
            best = Some(parsed);
        }
        if good || !go_on {
            break;
        }
    }
    let parsed = best.unwrap_or_else(|| smartctl::nothing("no way to ask this drive is known".to_owned()));
    if let smartctl::Answer::NoSmart(why) | smartctl::Answer::Unreadable(why) = &parsed.answer {
        door.note(why);
    }
    let by_system = by_system(door, target).await;
    joined(parsed.drive, by_system)
}

/// What sysfs says of the drive; with the kernel's names where the drive did not answer.
async fn by_system(door: &Door<'_>, target: &Target<'_>) -> Drive {
    let block = target.block;
    let nvme = target.transport == Transport::Nvme;
    let file = |name: &str| format!("/sys/block/{}/device/{name}", block.name);
    let medium = block.rotational.clone().map(|rotating| if rotating { Medium::Hdd } else { Medium::Ssd });
    // The transport tells the protocol only where no bridge stands between.
    let protocol = match (target.transport, &block.transport) {
        (Transport::Nvme, Observed::Seen { from, .. }) => Observed::seen(Protocol::Nvme, &**from),
        (Transport::Sata, Observed::Seen { from, .. }) => Observed::seen(Protocol::Ata, &**from),
        _ => Observed::NotCollected,
    };
    Drive {
        device: target.node.name().to_owned(),
        protocol,
        medium,
        model: block.model.clone(),
        serial: if nvme { door.text(&file("serial")).await } else { Observed::NotCollected },
        firmware: if nvme { door.text(&file("firmware_rev")).await } else { Observed::NotCollected },
        capacity_bytes: block.size_bytes.clone(),
        ..Drive::default()
    }
}

/// The drive's own answer, filled up by the system's.
fn joined(answer: Drive, system: Drive) -> Drive {
    Drive {
        device: system.device,
        protocol: answer.protocol.or(|| system.protocol),
        medium: answer.medium.or(|| system.medium),
        model: answer.model.or(|| system.model),
        serial: answer.serial.or(|| system.serial),
        firmware: answer.firmware.or(|| system.firmware),
        capacity_bytes: answer.capacity_bytes.or(|| system.capacity_bytes),
        ..answer
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::door::testing::run;
    use crate::probes::block_devices;

    const SATA: &str = "../devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda";
    const USB: &str =
        "../devices/pci0000:00/0000:00:14.0/usb1/1-4/1-4:1.0/host6/target6:0:0/6:0:0:0/block/sda";
    const SAS: &str =
        "../devices/pci0000:00/0000:01:00.0/host0/port-0:0/end_device-0:0/target0:0:0/0:0:0:0/block/sda";

    fn drives(files: &[(&str, &str)]) -> Observed<Vec<Drive>> {
        run(files, async |door| {
            let source = crate::recorded::RecordedSource::default();
            let run = Run { source: &source, end: None, progress: None };
            collect(door, run, &block_devices::collect(door).await).await
        })
    }

    fn answer(kind: &str, protocol: &str, rest: &str) -> String {
        format!(
            r#"{{"smartctl":{{"version":[7,4],"exit_status":0}},"device":{{"name":"/dev/sda","type":"{kind}","protocol":"{protocol}"}},"serial_number":"S1"{rest}}}"#
        )
    }

    fn good() -> String {
        answer("sat", "ATA", r#","smart_status":{"passed":true},"temperature":{"current":31}"#)
    }

    /// One SATA disk with these answers; which one counted, by its place.
    fn check_chain(path: &str, answers: &[(&str, String)], counted: Option<&str>) {
        let places: Vec<String> =
            answers.iter().map(|(slug, _)| format!("cmd/smartctl.{slug}/stdout")).collect();
        let mut files = vec![("sys/block/sda.link", path), ("sys/block/sda/size", "8")];
        files.extend(places.iter().zip(answers).map(|(place, (_, text))| (place.as_str(), text.as_str())));
        let found = drives(&files);
        let drive = &found.value().expect("one drive")[0];
        assert_eq!(
            drive.serial.place(),
            counted.map(|slug| format!("cmd/smartctl.{slug}/stdout")).as_deref()
        );
    }

    #[test]
    fn a_poor_answer_is_asked_again_another_way() {
        let wrong =
            || answer("scsi", "SCSI", r#","smart_support":{"available":false},"temperature":{"current":0}"#);
        let cold = || answer("sat", "ATA", r#","smart_status":{"passed":true},"temperature":{"current":0}"#);
        check_chain(SATA, &[("sat.sda", good()), ("ata.sda", good())], Some("sat.sda"));
        check_chain(SATA, &[("sat.sda", wrong()), ("sat12.sda", good())], Some("sat12.sda"));
        check_chain(
            SATA,
            &[("sat.sda", cold()), ("sat12.sda", "{".into()), ("ata.sda", good())],
            Some("ata.sda"),
        );
        check_chain(SATA, &[("sat.sda", cold()), ("ata.sda", wrong())], Some("sat.sda"));
        check_chain(SATA, &[], None);
        check_chain(SAS, &[("scsi.sda", wrong()), ("sat.sda", good())], Some("sat.sda"));
        check_chain(USB, &[("auto.sda", good())], Some("auto.sda"));
    }

    #[test]
    fn a_sleeping_drive_is_left_alone() {
        let asleep = r#"{"smartctl":{"exit_status":3,"messages":[{"string":"Device is in STANDBY mode, exit(3)","severity":"information"}]},"device":{"name":"/dev/sda","protocol":"ATA"}}"#;
        let found = drives(&[
            ("sys/block/sda.link", SATA),
            ("sys/block/sda/device/model", "ST4000VN008-2DR1"),
            ("sys/block/sda/queue/rotational", "1"),
            ("cmd/smartctl.sat.sda/stdout", asleep),
        ]);
        let drive = &found.value().expect("one drive")[0];
        assert_eq!(drive.power_mode.value(), Some(&assay_bundle::facts::drive::PowerMode::Standby));
        assert_eq!(drive.health_passed, Observed::unreadable(smartctl::ASLEEP));
        assert_eq!(drive.model.place(), Some("sys/block/sda/device/model"));
        assert_eq!(drive.medium.value(), Some(&Medium::Hdd));
    }

    #[test]
    fn without_smartctl_every_drive_is_still_listed() {
        let found = drives(&[
            ("sys/block/sda.link", SATA),
            ("sys/block/sda/size", "7814037168"),
            ("sys/block/nvme0n1.link", "../devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1"),
            ("sys/block/nvme0n2.link", "../devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n2"),
            ("sys/block/nvme0n1/device/serial", "N1"),
            ("cmd/smartctl.sat.sda.unreadable", r#"{"no_tool":{"name":"smartctl"}}"#),
            ("cmd/smartctl.nvme.nvme0.unreadable", r#"{"no_tool":{"name":"smartctl"}}"#),
        ]);
        let all = found.value().expect("two drives");
        assert_eq!(all.iter().map(|drive| drive.device.as_str()).collect::<Vec<_>>(), ["nvme0", "sda"]);
        assert_eq!(all[0].serial, Observed::seen("N1".to_owned(), "sys/block/nvme0n1/device/serial"));
        assert_eq!(all[1].capacity_bytes.value().map(|bytes| bytes.0), Some(4_000_787_030_016));
        for drive in all {
            assert!(
                drive.health_passed.why_not().is_some_and(|why| why.contains("smartctl is not installed"))
            );
        }
    }

    #[test]
    fn the_bay_is_the_chassis_own() {
        fn check(map: &Observed<String>, device: &str, expected: &Observed<u32>) {
            assert_eq!(&bay(map, device), expected);
        }
        let text = "[Index]\npd_bitmap = 0x6\n[PhysicalDisk_1]\nport_id = 3\npd_sys_name = /dev/sda\n[PhysicalDisk_2]\nport_id = x\npd_sys_name = /dev/sdb\n";
        let map = Observed::seen(text.to_owned(), "etc/enclosure_0.conf");
        check(&map, "sda", &Observed::seen(3, "etc/enclosure_0.conf"));
        check(&map, "sdb", &Observed::Absent);
        check(&map, "sdaa", &Observed::Absent);
        check(&Observed::Absent, "sda", &Observed::NotCollected);
        check(&Observed::unreadable("why"), "sda", &Observed::unreadable("why"));
    }

    #[test]
    fn only_drives_are_drives() {
        let targets_of = |files: &[(&str, &str)]| drives(files).value().map_or(0, Vec::len);
        assert_eq!(targets_of(&[("sys/block/sda.link", USB), ("sys/block/sda/removable", "1")]), 0);
        assert_eq!(targets_of(&[("sys/block/sda.link", USB), ("sys/block/sda/removable", "0")]), 1);
        assert_eq!(targets_of(&[("sys/block/vda.link", "../devices/pci0000:00/virtio1/block/vda")]), 0);
        assert_eq!(drives(&[]), Observed::Absent);
        let denied = drives(&[("sys/block/.list.unreadable", r#"{"denied":{"what":"/sys/block"}}"#)]);
        assert!(denied.why_not().is_some_and(|why| why.contains("/sys/block")));
    }

    #[test]
    fn a_drive_on_two_paths_is_one_drive() {
        let named = |device: &str, serial: &str, wwn: &str| Drive {
            device: device.to_owned(),
            serial: Observed::seen(serial.to_owned(), "x"),
            wwn: Observed::seen(wwn.to_owned(), "x"),
            ..Drive::default()
        };
        let nameless = || Drive::default();
        let kept = without_doubles(vec![
            named("sda", "1", "a"),
            named("sdb", "1", "a"),
            named("sdc", "1", "b"),
            nameless(),
            nameless(),
        ]);
        assert_eq!(
            kept.iter().map(|drive| drive.device.as_str()).collect::<Vec<_>>(),
            ["sda", "sdc", "", ""]
        );
    }
}
