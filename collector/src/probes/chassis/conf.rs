//! The two files: `/etc/model.conf` and `/etc/hal.conf`, INI as the vendor writes it.
//!
//! `model.conf` is one of some hundred plans that ship with QTS, linked by the part numbers of mainboard and backplane.
//! Keys are upper case, with and without blanks around `=`. Fans stand in sections `System FAN`, `CPU FAN` and
//! `System FAN Region n`, each with the unit that reads them and one `FAN_n` per input. Where `REDUNDANT_POWER` and
//! `REDUNDANT_POWER_INFO` stand differs, so both `System Enclosure` and `System IO` are looked at; a value that is no
//! yes or no is not turned into one. `SLOT_NAME` is missing on models whose bays are plainly numbered.
//!
//! `hal.conf` has one section per enclosure with its number in `enc_id`; the capability bits are `capability` in hex
//! (`capabilities` in decimal in related files). A boot module has protocol -1. A last line without its end was cut
//! and is not read: half a number is another number.

use std::collections::BTreeMap;

use assay_bundle::Observed;
use assay_bundle::facts::chassis::{
    Bay, Capabilities, Chassis, Enclosure, EnclosureKind, FanGroup, MOST_PARTS,
};

use crate::ini;
use crate::probes::identity::given;

/// Most enclosures that are kept; the vendor's numbers end far below.
const MOST_ENCLOSURES: usize = 256;

/// What `model.conf` says.
pub(super) struct Plan {
    /// All but the enclosures, the boot disk and the redundancy.
    pub(super) chassis: Chassis,
    /// What the keys of that name say.
    pub(super) redundant_power: Observed<bool>,
    /// What the capability bits say.
    pub(super) redundant_bit: Observed<bool>,
}

/// What `hal.conf` says.
pub(super) struct Hal {
    pub(super) enclosures: Observed<Vec<Enclosure>>,
    pub(super) boot_disk: Observed<String>,
}

/// Reads `model.conf`.
pub(super) fn plan(file: &Observed<String>) -> Plan {
    let conf = match Conf::open(file) {
        Ok(conf) => conf,
        Err(nothing) => {
            return Plan {
                chassis: no_plan(nothing.as_ref()),
                redundant_power: nothing.as_ref().map(|_| false),
                redundant_bit: nothing.map(|()| false),
            };
        }
    };
    let enclosure = conf.section("System Enclosure");
    let io = conf.section("System IO");
    let power = |key: &str| conf.raw(enclosure, key).or(|| conf.raw(io, key));
    let info = power("REDUNDANT_POWER_INFO");
    let yes = |text: Observed<String>| conf.read(text, "yes or no", yes_or_no);
    let bits = conf.bits(conf.raw(enclosure, "CAP"));
    Plan {
        redundant_power: super::any(yes(power("REDUNDANT_POWER")), yes(info.clone())),
        redundant_bit: bits.map(|can| can.redundant_power),
        chassis: Chassis {
            model: conf.value(enclosure, "MODEL"),
            disks: conf.count(enclosure, "MAX_DISK_NUM"),
            fans: conf.count(enclosure, "MAX_FAN_NUM"),
            cpu_fans: conf.count(enclosure, "MAX_CPU_FAN_NUM"),
            temperature_sensors: conf.count(enclosure, "MAX_TEMP_NUM"),
            network_ports: conf.count(enclosure, "MAX_NET_PORT_NUM"),
            pcie_slots: conf.count(enclosure, "MAX_PCIE_SLOT"),
            fan_groups: conf.fan_groups(),
            redundant_power: Observed::NotCollected,
            redundant_power_info: info,
            cpu_temperature_unit: conf.value(enclosure, "CPU_TEMP_UNIT"),
            system_temperature_unit: conf.value(enclosure, "SYSTEM_TEMP_UNIT"),
            sio_device: conf.value(enclosure, "SIO_DEVICE"),
            serial_device: conf.value(enclosure, "BOARD_SN_DEVICE"),
            bays: conf.bays(),
            boot_disk: Observed::NotCollected,
            enclosures: Observed::NotCollected,
        },
    }
}

/// A plan that is not there, or could not be read.
fn no_plan(nothing: Observed<&()>) -> Chassis {
    let count = || nothing.clone().map(|_| 0);
    let text = || nothing.clone().map(|_| String::new());
    Chassis {
        model: text(),
        disks: count(),
        fans: count(),
        cpu_fans: count(),
        temperature_sensors: count(),
        network_ports: count(),
        pcie_slots: count(),
        fan_groups: nothing.clone().map(|_| Vec::new()),
        redundant_power_info: text(),
        cpu_temperature_unit: text(),
        system_temperature_unit: text(),
        sio_device: text(),
        serial_device: text(),
        bays: nothing.clone().map(|_| Vec::new()),
        ..Chassis::default()
    }
}

/// Reads `hal.conf`.
pub(super) fn hal(file: &Observed<String>) -> Hal {
    let conf = match Conf::open(file) {
        Ok(conf) => conf,
        Err(nothing) => {
            return Hal {
                enclosures: nothing.as_ref().map(|_| Vec::new()),
                boot_disk: nothing.map(|()| String::new()),
            };
        }
    };
    let mut enclosures = BTreeMap::new();
    for (number, keys) in conf.numbered("Enclosure_").take(MOST_ENCLOSURES) {
        enclosures.entry(number).or_insert_with(|| conf.enclosure(number, keys));
    }
    let enclosures: Vec<Enclosure> = enclosures.into_values().collect();
    let boot = conf.value(conf.section("BootDisk_0"), "pd_sys_name");
    Hal {
        enclosures: match enclosures.is_empty() {
            true => Observed::NotCollected,
            false => Observed::seen(enclosures, conf.place),
        },
        boot_disk: conf.read(boot, "a device node", device_node),
    }
}

type Keys<'t> = [(&'t str, &'t str)];

/// One file that was read.
struct Conf<'t> {
    place: &'t str,
    sections: Vec<(&'t str, Vec<(&'t str, &'t str)>)>,
}

impl<'t> Conf<'t> {
    /// The lines that are whole; or, what takes the place of every reading when there is no file.
    fn open(file: &'t Observed<String>) -> Result<Self, Observed<()>> {
        let Observed::Seen { value: text, from: place } = file else { return Err(file.as_ref().map(|_| ())) };
        let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
        Ok(Self { place, sections: ini::sections(whole) })
    }

    fn section(&self, name: &str) -> &Keys<'t> {
        let section = self.sections.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        section.map_or(&[], |(_, keys)| keys)
    }

    /// Sections whose name is a prefix and a number.
    fn numbered<'c>(&'c self, prefix: &'c str) -> impl Iterator<Item = (u32, &'c Keys<'t>)> {
        self.sections.iter().filter_map(move |(name, keys)| {
            let head = name.get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix))?;
            let number = name.get(head.len()..)?;
            let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            let number =
                plain.then(|| number.parse().ok()).flatten().filter(|number| *number <= MOST_PARTS)?;
            Some((number, keys.as_slice()))
        })
    }

    /// A key as it is written; nothing after `=` is Absent, no such key says nothing.
    fn raw(&self, keys: &Keys<'_>, key: &str) -> Observed<String> {
        match keys.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)) {
            None => Observed::NotCollected,
            Some((_, "")) => Observed::Absent,
            Some((_, value)) => Observed::seen((*value).to_owned(), self.place),
        }
    }

    /// A name; a filler is Absent.
    fn value(&self, keys: &Keys<'_>, key: &str) -> Observed<String> {
        given(self.raw(keys, key))
    }

    /// What a key's value means, when there is one.
    fn then<T>(&self, keys: &Keys<'_>, key: &str, mean: impl FnOnce(&str) -> Observed<T>) -> Observed<T> {
        match self.raw(keys, key) {
            Observed::Seen { value, .. } => mean(&value),
            Observed::Absent => Observed::Absent,
            Observed::Unreadable { why } => Observed::Unreadable { why },
            Observed::NotCollected => Observed::NotCollected,
        }
    }

    fn read<T>(
        &self,
        text: Observed<String>,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Observed<T> {
        crate::door::understand(text, self.place, expected, read)
    }

    /// A count of parts. -1 is the vendor's word for none.
    fn count(&self, keys: &Keys<'_>, key: &str) -> Observed<u32> {
        self.then(keys, key, |value| count(value, self.place, key))
    }

    /// Capability bits, in hex after `0x`, else in decimal.
    fn bits(&self, text: Observed<String>) -> Observed<Capabilities> {
        self.read(text, "capability bits", |text| {
            let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
            let bits = match hex {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => text.parse(),
            };
            bits.ok().map(Capabilities::of)
        })
    }

    fn fan_groups(&self) -> Observed<Vec<FanGroup>> {
        let is_fans = |name: &str| {
            let name = name.to_ascii_lowercase();
            name == "system fan" || name == "cpu fan" || name.starts_with("system fan region ")
        };
        let groups: Vec<FanGroup> = self
            .sections
            .iter()
            .filter(|(name, _)| is_fans(name))
            .take(MOST_ENCLOSURES)
            .map(|(name, keys)| FanGroup {
                name: (*name).to_owned(),
                unit: self.value(keys, "FAN_UNIT"),
                inputs: self.inputs(keys),
            })
            .collect();
        if groups.is_empty() { Observed::NotCollected } else { Observed::seen(groups, self.place) }
    }

    /// Where the fans of a section are wired to. A list, because a count of the lines that are left of a cut file would
    /// be another count.
    fn inputs(&self, keys: &Keys<'_>) -> Observed<Vec<String>> {
        let is_input = |key: &str| {
            let number = key.get(..4).filter(|head| head.eq_ignore_ascii_case("FAN_")).and(key.get(4..));
            number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        };
        let inputs: Vec<String> = keys
            .iter()
            .filter(|(key, value)| is_input(key) && !value.is_empty())
            .take(MOST_ENCLOSURES)
            .map(|(_, value)| (*value).to_owned())
            .collect();
        if inputs.is_empty() { Observed::NotCollected } else { Observed::seen(inputs, self.place) }
    }

    fn bays(&self) -> Observed<Vec<Bay>> {
        let mut bays = BTreeMap::new();
        for (id, keys) in self.numbered("System Disk ") {
            bays.entry(id).or_insert_with(|| Bay { id, slot_name: self.value(keys, "SLOT_NAME") });
        }
        match bays.is_empty() {
            true => Observed::NotCollected,
            false => Observed::seen(bays.into_values().collect(), self.place),
        }
    }

    fn enclosure(&self, id: u32, keys: &Keys<'_>) -> Enclosure {
        let bits = self.raw(keys, "capability").or(|| self.raw(keys, "capabilities"));
        let capabilities = self.bits(bits);
        Enclosure {
            id,
            system_id: self.value(keys, "enc_sys_id"),
            parent_system_id: self.value(keys, "enc_parent_sys_id"),
            kind: self.then(keys, "protocol", |value| kind(value, self.place)),
            wwn: self.value(keys, "wwn"),
            vendor: self.value(keys, "vendor"),
            model: self.value(keys, "model"),
            serial: self.value(keys, "serial").or(|| self.value(keys, "serial_no")),
            disks: self.count(keys, "max_disk_num"),
            fans: self.count(keys, "max_fan_num"),
            cpu_fans: self.count(keys, "max_cpu_fan_num"),
            temperature_sensors: self.count(keys, "max_temp_num"),
            power_units: match capabilities.value() {
                Some(can) if can.redundant_power => Observed::seen(2, self.place),
                _ => Observed::NotCollected,
            },
            capabilities,
        }
    }
}

/// A count of parts that stands at `place` under `name`.
pub(super) fn count(text: &str, place: &str, name: &str) -> Observed<u32> {
    match text.parse::<i64>() {
        Ok(-1) => Observed::Absent,
        Ok(number) => match u32::try_from(number).ok().filter(|number| *number <= MOST_PARTS) {
            Some(number) => Observed::seen(number, place),
            None => Observed::unreadable(format!("{place}: its {name} is no count of parts")),
        },
        Err(_) => Observed::unreadable(format!("{place}: its {name} is no count of parts")),
    }
}

/// The vendor's number for a connection. -1 has none.
pub(super) fn kind(text: &str, place: &str) -> Observed<EnclosureKind> {
    match text.parse::<i64>() {
        Ok(-1) => Observed::Absent,
        Ok(number) => EnclosureKind::of(number).map_or_else(
            || Observed::unreadable(format!("{place}: protocol {number} is not known")),
            |kind| Observed::seen(kind, place),
        ),
        Err(_) => Observed::unreadable(format!("{place}: its protocol is no number")),
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Some(true),
        "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// A node directly below `/dev`, without its partition number.
fn device_node(text: &str) -> Option<String> {
    let name = text.strip_prefix("/dev/")?;
    let plain = (2..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| text.to_owned())
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::hostile;

    /// A desktop model with a PIC, keys with and without blanks.
    const DESKTOP: &str = "\
        [System Enclosure]\nVENDOR = QNAP\nMODEL = TS-228\nCAP=0x24A0384\nMAX_DISK_NUM = 2\n\
        MAX_TEMP_NUM = 1\nMAX_FAN_NUM = 1\nMAX_NET_PORT_NUM = 1\nBOARD_SN_DEVICE = PIC\n\
        SYSTEM_TEMP_UNIT= PIC\nCPU_TEMP_UNIT = THERMAL_ZONE:0\n\n[System FAN]\nFAN_UNIT = PIC\nFAN_1 = I1\n\n\
        [System Disk 1]\nDEV_PORT = 2\n\n[System Disk 2]\nDEV_PORT = 4\n\n[Boot Disk 1]\nFLASH_SIZE_M = 2\n";

    /// A rack model with two regions of fans and named slots.
    const RACK: &str = "\
        [System Enclosure]\r\nMODEL = TS-1283XU\r\nCAP=0x82149a15\r\nMAX_DISK_NUM = 12\r\nMAX_FAN_NUM = 2\r\n\
        MAX_CPU_FAN_NUM = 1\r\nMAX_PCIE_SLOT = 4\r\nSIO_DEVICE = IT8528\r\n[System IO]\r\n\
        REDUNDANT_POWER_INFO = yes\r\n[CPU FAN]\r\nFAN_UNIT = EC\r\nFAN_1 = I7\r\n[System FAN]\r\n\
        FAN_UNIT = EC\r\nFAN_1 = I1\r\nFAN_2 = I2\r\n[System FAN Region 1]\r\nFAN_UNIT = EC\r\nFAN_1 = I3\r\n\
        [System Disk 12]\r\nSLOT_NAME = M.2 SSD 2\r\n[System Disk 1]\r\nSLOT_NAME = Disk 1\r\n\
        [System Disk 1]\r\nSLOT_NAME = again\r\n[System Disk x]\r\n[System Disk ]\r\n";

    /// The machine itself, its boot module and an expansion unit.
    const LAYER: &str = "\
        [Index]\nenc_bitmap = 0x700000001\n[Enclosure_0]\nenc_id = 0\nenc_sys_id = root\nserial = Q174B07559\n\
        vendor = QNAP\nmodel = TS-228\nprotocol = 0\ncapability = 0x824a0384\nmax_disk_num = 2\nmax_fan_num = 1\n\
        max_cpu_fan_num = 0\nmax_temp_num = 1\nmax_ujbod_num = -1\nenc_parent_sys_id = root\nrevision = \n\
        [Enclosure_32]\nenc_id = 32\nenc_sys_id = root_boot\nmodel = BOOT\nprotocol = -1\ncapability = 0x0\n\
        [BootDisk_0]\npd_sys_name = /dev/mmcblk0p\nserial_no = \n\
        [Enclosure_40]\nenc_id = 40\nenc_sys_id = sg9\nmodel = TL-R1200C-RP\nserial = Default string\n\
        protocol = 17\ncapability = 1\nmax_fan_num = 65535\nmax_temp_num = many\n\
        [Enclosure_99999999999]\n[Enclosure_]\n[Global]\nService Mode = 0\n";

    fn seen(text: &str) -> Observed<String> {
        Observed::seen(text.to_owned(), "etc/x.conf")
    }

    fn words<T: std::fmt::Display>(reading: &Observed<T>) -> String {
        match reading {
            Observed::Seen { value, .. } => value.to_string(),
            Observed::Absent => "absent".to_owned(),
            Observed::Unreadable { .. } => "unreadable".to_owned(),
            Observed::NotCollected => "-".to_owned(),
        }
    }

    #[test]
    fn a_plan_says_what_should_exist() {
        fn check(text: &str, counts: &str, names: &str, redundant: &str) {
            let Plan { chassis, redundant_power, redundant_bit } = plan(&seen(text));
            let found: Vec<String> = [
                &chassis.disks,
                &chassis.fans,
                &chassis.cpu_fans,
                &chassis.temperature_sensors,
                &chassis.network_ports,
                &chassis.pcie_slots,
            ]
            .map(words)
            .to_vec();
            assert_eq!(found.join(" "), counts);
            let found: Vec<String> = [
                &chassis.model,
                &chassis.cpu_temperature_unit,
                &chassis.system_temperature_unit,
                &chassis.sio_device,
                &chassis.serial_device,
                &chassis.redundant_power_info,
            ]
            .map(words)
            .to_vec();
            assert_eq!(found.join(" "), names);
            assert_eq!(format!("{} {}", words(&redundant_bit), words(&redundant_power)), redundant);
        }
        check(DESKTOP, "2 1 - 1 1 -", "TS-228 THERMAL_ZONE:0 PIC - PIC -", "false -");
        check(RACK, "12 2 1 - - 4", "TS-1283XU - - IT8528 - yes", "true true");
        check("", "- - - - - -", "- - - - - -", "- -");
        let odd = "[system enclosure]\nmax_disk_num=-1\nMAX_FAN_NUM=\nMAX_TEMP_NUM=-2\nMAX_PCIE_SLOT=4294967295\n\
                   MODEL=Default string\nCAP=no\nREDUNDANT_POWER=EC\nMAX_CPU_FAN_NUM=1";
        check(odd, "absent absent - unreadable - unreadable", "absent - - - - -", "unreadable unreadable");
        check("[System IO]\nREDUNDANT_POWER=0\n", "- - - - - -", "- - - - - -", "- false");
    }

    #[test]
    fn bays_and_fans_are_listed_once() {
        let rack = plan(&seen(RACK)).chassis;
        let bays = rack.bays.value().expect("bays");
        let found: Vec<(u32, String)> = bays.iter().map(|bay| (bay.id, words(&bay.slot_name))).collect();
        assert_eq!(found, [(1, "Disk 1".to_owned()), (12, "M.2 SSD 2".to_owned())]);
        let groups = rack.fan_groups.value().expect("groups");
        let found: Vec<String> = groups
            .iter()
            .map(|group| {
                format!("{} {} {}", group.name, words(&group.unit), group.inputs.value().map_or(0, Vec::len))
            })
            .collect();
        assert_eq!(found, ["CPU FAN EC 1", "System FAN EC 2", "System FAN Region 1 EC 1"]);
        let desktop = plan(&seen(DESKTOP)).chassis;
        assert!(
            desktop.bays.value().is_some_and(|bays| bays.len() == 2 && bays[1].slot_name.is_not_collected())
        );
    }

    #[test]
    fn the_layer_lists_enclosures() {
        let found = hal(&seen(LAYER));
        assert_eq!(words(&found.boot_disk), "/dev/mmcblk0p");
        let all = found.enclosures.value().expect("three");
        assert_eq!(all.iter().map(|one| one.id).collect::<Vec<_>>(), [0, 32, 40]);
        let [root, boot, unit] = all.as_slice() else { panic!("three") };
        assert_eq!(root.kind.value(), Some(&EnclosureKind::Internal));
        assert_eq!(words(&root.serial), "Q174B07559");
        let can = root.capabilities.value().expect("bits");
        assert!(can.no_hotswap && can.pic && can.monitored && !can.no_fan_read && !can.redundant_power);
        assert_eq!(
            (words(&root.fans), words(&root.cpu_fans), words(&root.power_units)),
            ("1".into(), "0".into(), "-".into())
        );
        assert!(boot.kind.is_absent() && boot.fans.is_not_collected());
        assert_eq!(boot.capabilities.value(), Some(&Capabilities::of(0)));
        assert!(matches!(unit.kind, Observed::Unreadable { .. }));
        assert_eq!(
            (words(&unit.fans), words(&unit.temperature_sensors)),
            ("unreadable".into(), "unreadable".into())
        );
        assert_eq!((words(&unit.power_units), words(&unit.serial)), ("2".into(), "absent".into()));
    }

    #[test]
    fn a_file_that_is_not_there_or_failed_says_so_everywhere() {
        let absent = plan(&Observed::Absent).chassis;
        assert!(absent.fans.is_absent() && absent.bays.is_absent() && absent.model.is_absent());
        assert!(hal(&Observed::Absent).enclosures.is_absent());
        let failed = plan(&Observed::unreadable("no permission")).chassis;
        assert_eq!(failed.fans, Observed::unreadable("no permission"));
        assert_eq!(hal(&Observed::unreadable("x")).boot_disk, Observed::unreadable("x"));
        assert!(hal(&seen("\n")).enclosures.is_not_collected());
    }

    #[test]
    fn only_a_node_is_a_boot_disk() {
        for (text, expected) in [
            ("/dev/mmcblk0p", true),
            ("/dev/sdx", true),
            ("sdx", false),
            ("/dev/", false),
            ("/dev/../etc", false),
            ("/dev/mapper/x", false),
        ] {
            assert_eq!(device_node(text).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn damage_never_invents() {
        fn parsed(bytes: &[u8]) -> (Chassis, Observed<bool>, Observed<Vec<Enclosure>>, Observed<String>) {
            let text = seen(&String::from_utf8_lossy(bytes));
            let (plan, hal) = (plan(&text), hal(&text));
            (plan.chassis, plan.redundant_bit, hal.enclosures, hal.boot_disk)
        }
        fn in_range(count: &Observed<u32>) -> bool {
            count.value().is_none_or(|count| *count <= MOST_PARTS)
        }
        for whole in [DESKTOP, RACK, LAYER] {
            hostile::mutate(whole.as_bytes(), 1000, parsed, |(chassis, _, enclosures, boot)| {
                assert!(in_range(&chassis.disks) && in_range(&chassis.fans) && in_range(&chassis.pcie_slots));
                for one in enclosures.value().into_iter().flatten() {
                    assert!(
                        one.id <= MOST_PARTS && in_range(&one.fans) && in_range(&one.temperature_sensors)
                    );
                    assert!(one.power_units.value().is_none_or(|units| *units == 2));
                }
                assert!(boot.value().is_none_or(|node| device_node(node).is_some()));
            });
        }
        for whole in [DESKTOP, LAYER] {
            hostile::cut(whole.as_bytes(), parsed);
        }
    }
}
