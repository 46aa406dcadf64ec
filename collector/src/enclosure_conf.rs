//! QTS's map of bays: `/etc/enclosure_N.conf`, and `/etc/enclosure_N_del.conf` for drives that left.
//!
//! One section `[PhysicalDisk_N]` a drive, `key = value` a line; the section's number is QTS's own and no bay, the bay is
//! `port_id`. Written while it may be read: the last line counts only when it is ended, and everything that is not a
//! value (`none`, `--`, a negative number where none can be) is left out. Firmware versions add keys, which are
//! skipped. `pd_sys_name` names what the kernel called the disk when the map was written, which may be another disk
//! by now: whoever uses it compares the serial first. It refuses to guess: a section without a bay is in no bay.

use assay_bundle::facts::drive::LinkSpeed;
use assay_bundle::units::{Bytes, MegabitsPerSecond, Rpm};

use crate::ini;

/// Capability bit: a volume that a TR enclosure shows in place of its drives.
const TR_VIRTUAL: u64 = 0x8_0000;
/// Capability bit: no drive at all (iSCSI and the like).
const VIRTUAL: u64 = 0x40_0000;
/// Slowest rotation that is a speed; smaller numbers are codes (ACS-4, word 217).
const SLOWEST_RPM: u64 = 1025;

/// Vendors that are in no drive's own name: the transport's, and makers whose drives print the bare model (`ST4000…`,
/// `CT1000…`).
const SILENT_VENDORS: [&str; 3] = ["ATA", "Seagate", "Crucial"];

/// One drive of a map. Every field but the enclosure may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(crate) struct MappedDrive {
    /// The N of the file's name.
    pub(crate) enclosure: u32,
    /// Bay (`port_id`), from 1.
    pub(crate) bay: Option<u32>,
    /// Device node without `/dev/`: `sda`, `nvme0n1`.
    pub(crate) device: Option<String>,
    pub(crate) vendor: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) serial: Option<String>,
    /// As it stands in the file: hexadecimal digits in either case.
    pub(crate) wwn: Option<String>,
    pub(crate) firmware: Option<String>,
    pub(crate) capacity: Option<Bytes>,
    /// `rotation_speed`; 0 is flash, and -1 (not reported) is nothing.
    pub(crate) rotation: Option<Rpm>,
    pub(crate) link_speed: Option<LinkSpeed>,
    pub(crate) link_speed_max: Option<LinkSpeed>,
    pub(crate) capabilities: Option<u64>,
    /// Where it stands below `raw/`.
    pub(crate) place: String,
}

impl MappedDrive {
    /// The model as drives print it themselves: with the vendor, once, where its drives print it. A model that differs
    /// from the drive's own would look like a drive that changed its name.
    pub(crate) fn full_model(&self) -> Option<String> {
        let model = self.model.as_ref()?;
        let silent = |vendor: &str| SILENT_VENDORS.iter().any(|name| name.eq_ignore_ascii_case(vendor));
        match &self.vendor {
            Some(vendor) if !model.starts_with(vendor.as_str()) && !silent(vendor) => {
                Some(format!("{vendor} {model}"))
            }
            _ => Some(model.clone()),
        }
    }

    /// Whether it is the volume of a TR enclosure.
    pub(crate) fn is_tr_volume(&self) -> bool {
        self.can(TR_VIRTUAL)
    }

    /// Whether it is no drive.
    pub(crate) fn is_virtual(&self) -> bool {
        self.can(VIRTUAL)
    }

    fn can(&self, bit: u64) -> bool {
        self.capabilities.is_some_and(|bits| bits & bit != 0)
    }

    /// Whether it names a drive at all. A section may stand for an empty bay.
    fn is_there(&self) -> bool {
        self.device.is_some() || self.serial.is_some() || self.model.is_some() || self.wwn.is_some()
    }
}

/// The number and kind of a file of `/etc`: `(0, false)` of `enclosure_0.conf`, `(2, true)` of `enclosure_2_del.conf`.
pub(crate) fn file_of(name: &str) -> Option<(u32, bool)> {
    let number = name.strip_prefix("enclosure_")?.strip_suffix(".conf")?;
    let (number, departed) = number.strip_suffix("_del").map_or((number, false), |number| (number, true));
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    Some((number.parse().ok().filter(|_| plain)?, departed))
}

/// Every drive of one file.
pub(crate) fn parse(text: &str, enclosure: u32, place: &str) -> Vec<MappedDrive> {
    // A value that the end of the text cuts is no value.
    let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    ini::sections(whole)
        .into_iter()
        .filter(|(name, _)| name.starts_with("PhysicalDisk"))
        .map(|(_, keys)| drive(&keys, enclosure, place))
        .filter(MappedDrive::is_there)
        .collect()
}

fn drive(keys: &[(&str, &str)], enclosure: u32, place: &str) -> MappedDrive {
    let value = |key: &str| {
        let value = keys.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)?;
        (!is_nothing(value)).then_some(value)
    };
    let text = |key: &str| value(key).map(str::to_owned);
    let number = |key: &str| value(key)?.parse::<u64>().ok();
    let speed = |key: &str| number(key).and_then(|code| u32::try_from(code).ok()).map(link_speed);
    let sector = number("sector_size").filter(|bytes| (512..=65_536).contains(bytes));
    let capacity = sector.and_then(|bytes| number("capacity")?.checked_mul(bytes));
    MappedDrive {
        enclosure,
        bay: value("port_id").and_then(|port| port.parse().ok()).filter(|port| (1..=9999).contains(port)),
        device: value("pd_sys_name").map(|name| name.trim_start_matches("/dev/").to_owned()),
        vendor: text("vendor"),
        model: text("model"),
        serial: text("serial_no"),
        wwn: text("wwn"),
        firmware: text("revision"),
        capacity: capacity.filter(|bytes| *bytes > 0).map(Bytes),
        rotation: number("rotation_speed")
            .filter(|speed| *speed == 0 || *speed >= SLOWEST_RPM)
            .and_then(Rpm::plausible),
        link_speed: speed("link_speed"),
        link_speed_max: speed("max_link_speed"),
        capabilities: number("capabilities"),
        place: place.to_owned(),
    }
}

/// What QTS writes where there is nothing.
fn is_nothing(value: &str) -> bool {
    value.is_empty()
        || value.bytes().all(|b| b == b'-')
        || ["none", "n/a", "null", "unknown", "(null)"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// The numbering of QTS 4.5's library.
fn link_speed(code: u32) -> LinkSpeed {
    let megabits = match code {
        2 => Some(12),
        3 => Some(480),
        4 | 5 => Some(5000),
        6 => Some(10_000),
        7 => Some(1500),
        8 => Some(3000),
        9 => Some(6000),
        10 => Some(12_000),
        100 => Some(2500),
        200 => Some(5000),
        300 => Some(8000),
        400 => Some(16_000),
        // 1 is 1.5 Mbit/s, which is no whole number and no drive.
        _ => None,
    };
    LinkSpeed { code, speed: megabits.map(MegabitsPerSecond) }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::hostile;

    const PLACE: &str = "etc/enclosure_0.conf";

    const TWO: &str = "[Index]\npd_bitmap = 0x6\npd_sysid_sda = 1\n[PhysicalDisk_1]\nport_id = 1\npd_sys_id = sg0\nenc_sys_id = root\npd_sys_name = /dev/sda\npd_bus_name = 2:0:0:0\nwwn = 5000A0B1C2D3E4F5\nvendor = EXA\nmodel = EXA10EFRX-000000\nserial_no = EX-000000000001\nstatus = 0\ncapabilities = 207191\nsector_size = 512\ncapacity = 1953525168\nrevision = 82.00A82\nlink_speed = 8\nmax_link_speed = 9\nread_speed = none\nrotation_speed = 5400\n[PhysicalDisk_2]\nport_id = 4\npd_sys_name = /dev/nvme0n1\nvendor = EXA\nmodel = SSD 1\nserial_no = N1\nlink_speed = 300\nmax_link_speed = 77\nrotation_speed = 0\n";

    #[test]
    fn a_map_is_read_whole() {
        let all = parse(TWO, 0, PLACE);
        let [hdd, ssd] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(
            (hdd.bay, hdd.device.as_deref(), hdd.serial.as_deref()),
            (Some(1), Some("sda"), Some("EX-000000000001"))
        );
        assert_eq!(hdd.full_model().as_deref(), Some("EXA10EFRX-000000"));
        assert_eq!((hdd.capacity, hdd.rotation), (Some(Bytes(1_000_204_886_016)), Some(Rpm(5400))));
        let speed =
            |code, megabits: Option<u64>| Some(LinkSpeed { code, speed: megabits.map(MegabitsPerSecond) });
        assert_eq!((hdd.link_speed, hdd.link_speed_max), (speed(8, Some(3000)), speed(9, Some(6000))));
        assert_eq!(ssd.full_model().as_deref(), Some("EXA SSD 1"));
        assert_eq!((ssd.link_speed, ssd.link_speed_max), (speed(300, Some(8000)), speed(77, None)));
        assert_eq!((ssd.bay, ssd.rotation, ssd.capacity), (Some(4), Some(Rpm(0)), None));
        assert!(!hdd.is_tr_volume() && !hdd.is_virtual());
    }

    #[test]
    fn what_is_no_value_is_left_out() {
        fn check(lines: &str, expected: Option<MappedDrive>) {
            let text = format!("[PhysicalDisk_7]\n{lines}\n");
            assert_eq!(parse(&text, 2, "x").first(), expected.as_ref(), "{lines}");
        }
        let known = || MappedDrive {
            enclosure: 2,
            model: Some("M".into()),
            place: "x".into(),
            ..MappedDrive::default()
        };
        check("port_id = 3", None);
        check("port_id = 3\npd_sys_name = none\nserial_no = --\nmodel =", None);
        check("port_id = 3\nmodel = M", Some(MappedDrive { bay: Some(3), ..known() }));
        check("port_id = 0\nmodel = M", Some(known()));
        check(
            "port_id = -1\nmodel = M\nrotation_speed = -1\nlink_speed = -1\nserial_no = N/A",
            Some(known()),
        );
        check("model = M\nrotation_speed = 1\nsector_size = 0\ncapacity = 7", Some(known()));
        check("model = M\nsector_size = 4096\ncapacity = 18446744073709551615", Some(known()));
        check(
            "model = M\ncapabilities = 524288",
            Some(MappedDrive { capabilities: Some(TR_VIRTUAL), ..known() }),
        );
        assert_eq!(parse("[PhysicalDisk_1]\nport_id = 1\nserial_no = ABC", 0, "x"), []);
        assert_eq!(parse("", 0, "x"), []);
    }

    #[test]
    fn a_model_is_what_the_drive_prints() {
        fn check(vendor: &str, model: &str, expected: &str) {
            let named = |text: &str| Some(text.to_owned());
            let drive = MappedDrive { vendor: named(vendor), model: named(model), ..MappedDrive::default() };
            assert_eq!(drive.full_model().as_deref(), Some(expected));
        }
        check("WDC", "WD40EFRX-68N32N0", "WDC WD40EFRX-68N32N0");
        check("WDC", "WDC WD40EFRX-68N32N0", "WDC WD40EFRX-68N32N0");
        check("Seagate", "ST4000VN008-2DR166", "ST4000VN008-2DR166");
        check("Crucial", "CT1000MX500SSD1", "CT1000MX500SSD1");
        check("ATA", "HGST HUS726060ALA640", "HGST HUS726060ALA640");
    }

    #[test]
    fn files_are_told_by_their_names() {
        fn check(name: &str, expected: Option<(u32, bool)>) {
            assert_eq!(file_of(name), expected, "{name}");
        }
        check("enclosure_0.conf", Some((0, false)));
        check("enclosure_33.conf", Some((33, false)));
        check("enclosure_12_del.conf", Some((12, true)));
        for other in [
            "enclosure_.conf",
            "enclosure_+1.conf",
            "enclosure_x.conf",
            "enclosure_0.conf~",
            "hal.conf",
            "enclosure__del.conf",
        ] {
            check(other, None);
        }
    }

    #[test]
    fn damage_is_survived() {
        let parse = |bytes: &[u8]| parse(&String::from_utf8_lossy(bytes), 0, PLACE);
        hostile::cut(TWO.as_bytes(), parse);
        hostile::mutate(TWO.as_bytes(), 1000, parse, |all| {
            for drive in all {
                assert!(drive.bay.is_none_or(|bay| (1..=9999).contains(&bay)));
                let speed = drive.rotation.map_or(0, |speed| u64::from(speed.0));
                assert!(speed == 0 || (SLOWEST_RPM..=Rpm::HIGHEST).contains(&speed));
            }
        });
    }
}
