//! The device that QTS starts from: which it is, whether it is there, and how worn it is.
//!
//! `/etc/hal.conf` names it (`[BootDisk_0] pd_sys_name = /dev/mmcblk0p`, to which the caller appends a partition's
//! number), else `hal_app` is asked. A boot disk that fell off the bus is named there and missing in `/sys/block`. The
//! kernel tells the used life of an eMMC in steps of ten percent (`life_time`: `0x01 0x02`) and its reserved blocks
//! (`pre_eol_info`); 0 means that the chip does not know. Other systems have no such file, and no fact.

use assay_bundle::Observed;
use assay_bundle::facts::boot_device::{BootDevice, BootDeviceKind, Emmc, EmmcReserve};
use assay_bundle::units::{Bytes, Percent};

use crate::command::{Command, QtsCommand};
use crate::door::{Door, Missing, understand};
use crate::ini;
use crate::source::Request;

/// Only QTS and QuTS hero have it.
const PLATFORM_CONF: &str = "/etc/platform.conf";
const HAL_CONF: &str = "/etc/hal.conf";
const BLOCK: &str = "/sys/block";
/// The unit of `size`.
const SECTOR_BYTES: u64 = 512;

/// Reads it.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<BootDevice> {
    let qts = door.text(PLATFORM_CONF).await;
    if !qts.is_seen() {
        return match qts {
            Observed::Unreadable { why } => Observed::Unreadable { why },
            _ => Observed::Absent,
        };
    }
    let device = match named_by_conf(door).await {
        seen @ Observed::Seen { .. } => seen,
        other => {
            let by_tool = named_by_tool(door).await;
            other.or(|| by_tool)
        }
    };
    match device {
        Observed::Seen { value, from } => {
            let place = from.clone();
            Observed::seen(boot_device(door, value, from).await, place)
        }
        Observed::Absent => Observed::Absent,
        Observed::Unreadable { why } => Observed::Unreadable { why },
        Observed::NotCollected => Observed::NotCollected,
    }
}

async fn named_by_conf(door: &Door<'_>) -> Observed<String> {
    let name = match door.text(HAL_CONF).await {
        Observed::Seen { value, from } => match ini::value(&value, "BootDisk_0", "pd_sys_name") {
            Some(name) => Observed::seen(name, from),
            None => Observed::Absent,
        },
        other => other,
    };
    door.noted(understand(name, HAL_CONF, "the node of a disk", node))
}

async fn named_by_tool(door: &Door<'_>) -> Observed<String> {
    let request = Request::Run(Command::Qts(QtsCommand::BootDevice));
    match door.ask(&request).await {
        Ok(fetched) => {
            let text = Observed::seen(fetched.text(), fetched.place);
            door.noted(understand(text, &request.noun(), "the node of a disk", said))
        }
        // A recording of a version that did not ask.
        Err(Missing::NotThere) => Observed::NotCollected,
        Err(missing) => missing.observed(),
    }
}

/// The node in what hal_app prints.
fn said(text: &str) -> Option<String> {
    text.split_whitespace().find_map(node)
}

/// `mmcblk0` of `/dev/mmcblk0p`, `sdg` of `/dev/sdg`. Nothing else is a disk to start from.
fn node(path: &str) -> Option<String> {
    let name = path.trim().strip_prefix("/dev/")?;
    let digits = |text: &str| matches!(text.len(), 1..=3) && text.bytes().all(|b| b.is_ascii_digit());
    let numbered = name.strip_suffix('p').unwrap_or(name);
    let known = if let Some(number) = numbered.strip_prefix("mmcblk") {
        digits(number).then_some(numbered)
    } else if let Some(rest) = numbered.strip_prefix("nvme") {
        rest.split_once('n').is_some_and(|(a, b)| digits(a) && digits(b)).then_some(numbered)
    } else {
        let letters =
            |text: &str| matches!(text.len(), 1..=3) && text.bytes().all(|b| b.is_ascii_lowercase());
        name.strip_prefix("sd").is_some_and(letters).then_some(name)
    };
    known.map(str::to_owned)
}

async fn boot_device(door: &Door<'_>, name: String, from: String) -> BootDevice {
    let present = match door.names(BLOCK).await {
        Ok(names) => Observed::seen(names.contains(&name), format!("{}/.list", &BLOCK[1..])),
        Err(missing) => missing.required(BLOCK),
    };
    let file = |file: &str| format!("{BLOCK}/{name}/{file}");
    let path = door.link(&format!("{BLOCK}/{name}")).await;
    let kind =
        understand(path, &format!("{BLOCK}/{name}"), "a path of a known bus", |path| kind(&name, path));
    let is_emmc = name.starts_with("mmcblk");
    let model = door.text(&file("device/model")).await;
    BootDevice {
        present,
        kind: door.noted(kind),
        size_bytes: door
            .value(&file("size"), "a number of sectors", |text| {
                text.parse::<u64>().ok()?.checked_mul(SECTOR_BYTES).map(Bytes)
            })
            .await,
        read_only: door.flag(&file("ro")).await,
        model: if is_emmc { door.text(&file("device/name")).await } else { model },
        emmc: if is_emmc {
            let place = format!("{}/device", &file("")[1..].trim_end_matches('/'));
            match door.names(&file("device")).await {
                Ok(_) => Observed::seen(emmc(door, &file("device")).await, place),
                Err(missing) => missing.observed(),
            }
        } else {
            Observed::Absent
        },
        device: Observed::seen(name, from),
    }
}

/// The outermost bus decides.
fn kind(name: &str, path: &str) -> Option<BootDeviceKind> {
    let has = |prefix: &str| path.split('/').any(|part| part.starts_with(prefix));
    if has("usb") {
        Some(BootDeviceKind::Usb)
    } else if name.starts_with("mmcblk") {
        Some(BootDeviceKind::Emmc)
    } else if name.starts_with("nvme") {
        Some(BootDeviceKind::Nvme)
    } else if has("ata") {
        Some(BootDeviceKind::Sata)
    } else {
        None
    }
}

async fn emmc(door: &Door<'_>, folder: &str) -> Emmc {
    let file = |file: &str| format!("{folder}/{file}");
    let life = door.value(&file("life_time"), "two steps of used life", life).await;
    let reserve = door.value(&file("pre_eol_info"), "a state of the reserve", reserve).await;
    Emmc {
        life_used_a_percent: known(&life, |(a, _)| a),
        life_used_b_percent: known(&life, |(_, b)| b),
        reserve: known(&reserve, |reserve| reserve),
        maker: door.text(&file("manfid")).await,
        serial: door.text(&file("serial")).await,
        firmware: door.text(&file("fwrev")).await,
    }
}

/// A part of a reading; Absent where the chip does not know.
fn known<T: Copy, U>(reading: &Observed<T>, part: impl FnOnce(T) -> Option<U>) -> Observed<U> {
    match reading {
        Observed::Seen { value, from } => {
            part(*value).map_or(Observed::Absent, |part| Observed::seen(part, from.as_str()))
        }
        Observed::Absent => Observed::Absent,
        Observed::Unreadable { why } => Observed::unreadable(why.as_str()),
        Observed::NotCollected => Observed::NotCollected,
    }
}

/// `0x01 0x02`: 1 is up to 10 percent used, 10 up to 100, 11 beyond; 0 is not known.
fn life(text: &str) -> Option<(Option<Percent>, Option<Percent>)> {
    let (a, b) = text.split_once(' ')?;
    let percent = |step: &str| match hexadecimal(step)? {
        0 => Some(None),
        step @ 1..=11 => Some(Some(Percent(step * 10))),
        _ => None,
    };
    Some((percent(a)?, percent(b)?))
}

/// `0x01`; 0 is not known.
fn reserve(text: &str) -> Option<Option<EmmcReserve>> {
    match hexadecimal(text)? {
        0 => Some(None),
        1 => Some(Some(EmmcReserve::Normal)),
        2 => Some(Some(EmmcReserve::Used80Percent)),
        3 => Some(Some(EmmcReserve::Used90Percent)),
        _ => None,
    }
}

fn hexadecimal(text: &str) -> Option<u8> {
    u8::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::{commutes, hostile};

    const QTS: (&str, &str) = ("etc/platform.conf", "[MISC]\n");
    const CONF: (&str, &str) = ("etc/hal.conf", "[BootDisk_0]\npd_sys_name = /dev/mmcblk0p\n");

    #[test]
    fn names_of_disks() {
        fn check(path: &str, expected: Option<&str>) {
            assert_eq!(node(path).as_deref(), expected, "{path:?}");
        }
        check("/dev/mmcblk0p", Some("mmcblk0"));
        check("/dev/mmcblk0", Some("mmcblk0"));
        check("/dev/sdg\n", Some("sdg"));
        check("/dev/sdp", Some("sdp"));
        check("/dev/nvme0n1p", Some("nvme0n1"));
        for bad in [
            "",
            "/dev/",
            "sdg",
            "/dev/sdg1",
            "/dev/../sdg",
            "/dev/mmcblk",
            "/dev/mmcblk0p1",
            "/dev/md9",
            "none",
            "/dev/sd",
        ] {
            check(bad, None);
        }
        assert_eq!(said("get_boot_pd(1): /dev/sdc\n").as_deref(), Some("sdc"));
        assert_eq!(said("ERROR: no such command\n"), None);
    }

    #[test]
    fn wear_of_a_chip() {
        fn check(text: &str, expected: Option<(Option<u8>, Option<u8>)>) {
            let found = life(text).map(|(a, b)| (a.map(|p| p.0), b.map(|p| p.0)));
            assert_eq!(found, expected, "{text:?}");
        }
        check("0x01 0x02", Some((Some(10), Some(20))));
        check("0x0b 0x0a", Some((Some(110), Some(100))));
        check("0x00 0x00", Some((None, None)));
        for bad in ["", "0x01", "0x0c 0x01", "1 2", "0xff 0xff", "0x01 0x02 0x03"] {
            check(bad, None);
        }
        assert_eq!(reserve("0x00"), Some(None));
        assert_eq!(reserve("0x02"), Some(Some(EmmcReserve::Used80Percent)));
        assert_eq!((reserve("0x04"), reserve("")), (None, None));
        for whole in ["0x01 0x0b", "0x0a 0x00"] {
            let parse = |bytes: &[u8]| life(&String::from_utf8_lossy(bytes));
            hostile::mutate(whole.as_bytes(), 1000, parse, |found| {
                for percent in found.iter().flat_map(|(a, b)| [a, b]).flatten() {
                    assert!(percent.0 <= 110);
                }
            });
        }
    }

    #[test]
    fn an_emmc() {
        let found = commutes::check(
            &[
                QTS,
                CONF,
                ("sys/block/mmcblk0.link", "../devices/platform/soc/mmc0/mmc0:0001/block/mmcblk0"),
                ("sys/block/mmcblk0/size", "15269888\n"),
                ("sys/block/mmcblk0/ro", "0\n"),
                ("sys/block/mmcblk0/device/name", "DG4008\n"),
                ("sys/block/mmcblk0/device/life_time", "0x01 0x00\n"),
                ("sys/block/mmcblk0/device/pre_eol_info", "0x01\n"),
                ("sys/block/mmcblk0/device/serial", "0x1a2b3c4d\n"),
                ("sys/block/mmcblk0/device/manfid", "0x000045\n"),
                ("sys/block/mmcblk0/device/fwrev", "0x3132383234313536\n"),
            ],
            collect,
        );
        let boot = found.value().expect("a boot device");
        assert_eq!((boot.present.value(), boot.kind.value()), (Some(&true), Some(&BootDeviceKind::Emmc)));
        assert_eq!(boot.size_bytes.value(), Some(&Bytes(7_818_182_656)));
        let emmc = boot.emmc.value().expect("an eMMC");
        assert_eq!(
            (emmc.life_used_a_percent.value(), &emmc.life_used_b_percent),
            (Some(&Percent(10)), &Observed::Absent)
        );
        assert_eq!(emmc.reserve.value(), Some(&EmmcReserve::Normal));
    }

    #[test]
    fn a_disk_that_is_gone_and_machines_that_do_not_say() {
        const SAID: &str = "cmd/hal_app.get_boot_pd/stdout";
        let sdx = |files: &[(&str, &str)]| commutes::check(files, collect);
        let gone = sdx(&[QTS, (SAID, "/dev/sdg\n"), ("sys/block/sda/size", "1\n")]);
        let gone = gone.value().expect("it is named");
        assert_eq!(
            (gone.device.value().map(String::as_str), gone.present.value()),
            (Some("sdg"), Some(&false))
        );
        assert_eq!((&gone.emmc, &gone.kind), (&Observed::Absent, &Observed::Absent));
        assert_eq!(sdx(&[CONF]), Observed::Absent);
        assert_eq!(sdx(&[QTS]), Observed::Absent);
        assert!(matches!(sdx(&[QTS, (SAID, "what\n")]), Observed::Unreadable { .. }));
        assert!(matches!(
            sdx(&[QTS, ("etc/hal.conf", "[BootDisk_0]\npd_sys_name = x\n")]),
            Observed::Unreadable { .. }
        ));
        let tool = sdx(&[QTS, ("etc/hal.conf", "[BootDisk_0]\npd_sys_name = x\n"), (SAID, "/dev/sdg")]);
        assert_eq!(tool.place(), Some(SAID));
    }
}
