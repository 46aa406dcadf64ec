//! What should exist by the vendor's own configuration: bays, fans, sensors, power units, enclosures.
//!
//! A fan that does not answer is a finding only where a fan belongs; these readings say where. They come from
//! `/etc/model.conf` (the plan of the model), `/etc/hal.conf` (what the vendor's hardware layer runs with) and
//! `hal_app --se_enum`. Nothing is worked out from a model's name. A machine that does not run QTS or QuTS hero has no
//! such plan: all is Absent. On QTS a file that is not there, and a key that a file does not have, is NotCollected:
//! nothing says that there is none.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// Most of anything that one enclosure is believed to have; more is not a count.
pub const MOST_PARTS: u32 = 1024;

/// The plan of the machine. Counts are 0 to [`MOST_PARTS`]; -1, the vendor's word for none, is Absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chassis {
    /// Model that the plan is for (`[System Enclosure] MODEL`); related products share one plan.
    pub model: Observed<String>,
    /// Bays for drives (`MAX_DISK_NUM`; else `max_disk_num` of the root enclosure).
    pub disks: Observed<u32>,
    /// System fans, those of power units not counted (`MAX_FAN_NUM`; else `max_fan_num` of the root enclosure).
    pub fans: Observed<u32>,
    /// Fans on processors (`MAX_CPU_FAN_NUM`; else `max_cpu_fan_num` of the root enclosure).
    pub cpu_fans: Observed<u32>,
    /// Temperature sensors, those of power units not counted (`MAX_TEMP_NUM`; else `max_temp_num`).
    pub temperature_sensors: Observed<u32>,
    /// Network ports (`MAX_NET_PORT_NUM`).
    pub network_ports: Observed<u32>,
    /// Slots for expansion cards (`MAX_PCIE_SLOT`).
    pub pcie_slots: Observed<u32>,
    /// Groups of fans and how their speed is read.
    pub fan_groups: Observed<Vec<FanGroup>>,
    /// Whether the model is built for redundant power units: true when any of the capability bits, `REDUNDANT_POWER`
    /// and `REDUNDANT_POWER_INFO` says so, false when those that are there say no. A family may share one plan with
    /// and without a second unit, so that true does not mean that two are installed.
    pub redundant_power: Observed<bool>,
    /// `REDUNDANT_POWER_INFO` as written: whether data of power units can be read.
    pub redundant_power_info: Observed<String>,
    /// What reads the processor's temperature, such as `DTS:6` (`CPU_TEMP_UNIT`).
    pub cpu_temperature_unit: Observed<String>,
    /// What reads the system's temperature, such as `EC` or `PIC` (`SYSTEM_TEMP_UNIT`).
    pub system_temperature_unit: Observed<String>,
    /// Super-I/O or embedded controller, such as `IT8528` (`SIO_DEVICE`).
    pub sio_device: Observed<String>,
    /// What keeps the serial number, such as `VPD` or `PIC` (`BOARD_SN_DEVICE`).
    pub serial_device: Observed<String>,
    /// Bays of the machine itself, by number (`[System Disk n]`).
    pub bays: Observed<Vec<Bay>>,
    /// Device node that QTS boots from, a partition number to be added: `/dev/mmcblk0p`, `/dev/sdx`.
    pub boot_disk: Observed<String>,
    /// The machine itself and everything attached that holds drives: expansion units, cards, boot module, card reader.
    pub enclosures: Observed<Vec<Enclosure>>,
}

/// One bay of the machine itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bay {
    /// Number, from 1; the port number of the vendor's other files.
    pub id: u32,
    /// Name as on the chassis, such as `M.2 SSD 1` (`SLOT_NAME`); where there is none, the number is printed.
    pub slot_name: Observed<String>,
}

/// One group of fans that is read and driven together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FanGroup {
    /// Name of the section, such as `System FAN`, `CPU FAN`, `System FAN Region 1`.
    pub name: String,
    /// What reads them, such as `EC`, `PIC`, `SIO` (`FAN_UNIT`).
    pub unit: Observed<String>,
    /// Inputs that its fans are wired to, such as `I1` (`FAN_1`, `FAN_2`, …), in the order of the section.
    pub inputs: Observed<Vec<String>>,
}

/// What connects an enclosure to the machine (`protocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnclosureKind {
    /// 0: the machine itself.
    Internal,
    /// 1: SATA port multiplier.
    SataPortMultiplier,
    /// 2: USB.
    Usb,
    /// 3: SAS.
    Sas,
    /// 4: iSCSI.
    Iscsi,
    /// 5: PCI Express.
    Pcie,
    /// 6: Thunderbolt.
    Thunderbolt,
    /// 7: memory card or eMMC.
    Mmc,
    /// 8: optical drive.
    OpticalDrive,
    /// 9: QM2 expansion card.
    Qm2,
    /// 10: USB with RAID in hardware (TR-00x), which hides its drives.
    UsbRaid,
    /// 11: Thunderbolt with RAID in hardware.
    ThunderboltRaid,
    /// 12: QXP host adapter.
    Qxp,
    /// 13: SATA expansion unit of the TL series.
    TlSata,
}

impl EnclosureKind {
    /// The kind of a vendor's number; `None` for a number that is not known.
    pub fn of(protocol: i64) -> Option<Self> {
        Some(match protocol {
            0 => Self::Internal,
            1 => Self::SataPortMultiplier,
            2 => Self::Usb,
            3 => Self::Sas,
            4 => Self::Iscsi,
            5 => Self::Pcie,
            6 => Self::Thunderbolt,
            7 => Self::Mmc,
            8 => Self::OpticalDrive,
            9 => Self::Qm2,
            10 => Self::UsbRaid,
            11 => Self::ThunderboltRaid,
            12 => Self::Qxp,
            13 => Self::TlSata,
            _ => return None,
        })
    }
}

/// One enclosure. Counts are 0 to [`MOST_PARTS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Enclosure {
    /// The vendor's number: 0 the machine itself, 1 to 31 internal, from 32 external.
    pub id: u32,
    /// The vendor's name, such as `root` or `sg9` (`enc_sys_id`); commands for this enclosure take it.
    pub system_id: Observed<String>,
    /// What it hangs on (`enc_parent_sys_id`).
    pub parent_system_id: Observed<String>,
    /// How it is connected (`protocol`); Absent where the vendor's layer has none (the boot module).
    pub kind: Observed<EnclosureKind>,
    /// World wide name of an expander.
    pub wwn: Observed<String>,
    /// Maker.
    pub vendor: Observed<String>,
    /// Model, such as `TS-453Be` or `TL-D800C`; `BOOT`, `USB` and `Memory Card` for parts of the machine itself.
    pub model: Observed<String>,
    /// Serial number.
    pub serial: Observed<String>,
    /// Bays (`max_disk_num`, `disk_no`).
    pub disks: Observed<u32>,
    /// System fans (`max_fan_num`, `fan_no`).
    pub fans: Observed<u32>,
    /// Fans on processors (`max_cpu_fan_num`, `cpu_fan_no`).
    pub cpu_fans: Observed<u32>,
    /// Temperature sensors (`max_temp_num`, `temp_no`).
    pub temperature_sensors: Observed<u32>,
    /// Power units: 2 where the capability bit says that they are redundant (the vendor's layer knows two at most).
    /// NotCollected without that bit: no source counts them.
    pub power_units: Observed<u32>,
    /// What it can do.
    pub capabilities: Observed<Capabilities>,
}

/// The capability bits of an enclosure that are known (`capability` in `/etc/hal.conf`, `CAP` in `/etc/model.conf`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// All bits, as they were read.
    pub bits: u32,
    /// 0x1: redundant power units.
    pub redundant_power: bool,
    /// 0x2: the opening of the case is noticed.
    pub case_intrusion: bool,
    /// 0x8: the European saving mode.
    pub eup: bool,
    /// 0x10: the processor's temperature can be read.
    pub cpu_temperature: bool,
    /// 0x20: fans are modules that can be changed.
    pub fan_module: bool,
    /// 0x1_0000: a microcontroller.
    pub mcu: bool,
    /// 0x2_0000: drives must not be changed while it runs.
    pub no_hotswap: bool,
    /// 0x40_0000: a PIC microcontroller on a serial line.
    pub pic: bool,
    /// 0x100_0000: the speed of its fans cannot be read, so that 0 RPM says nothing.
    pub no_fan_read: bool,
    /// 0x2000_0000: a battery backup unit.
    pub battery_backup: bool,
    /// 0x8000_0000: the vendor's daemon watches it.
    pub monitored: bool,
}

impl Capabilities {
    /// Names the bits.
    pub fn of(bits: u32) -> Self {
        let has = |bit: u32| bits & bit != 0;
        Self {
            bits,
            redundant_power: has(0x1),
            case_intrusion: has(0x2),
            eup: has(0x8),
            cpu_temperature: has(0x10),
            fan_module: has(0x20),
            mcu: has(0x1_0000),
            no_hotswap: has(0x2_0000),
            pic: has(0x40_0000),
            no_fan_read: has(0x100_0000),
            battery_backup: has(0x2000_0000),
            monitored: has(0x8000_0000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_have_names() {
        fn check(bits: u32, expected: &str) {
            let json = serde_json::to_value(Capabilities::of(bits)).unwrap_or_default();
            let set =
                json.as_object().into_iter().flatten().filter(|(_, value)| value.as_bool() == Some(true));
            let mut names: Vec<&str> = set.map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            assert_eq!(names.join(" "), expected, "{bits:#x}");
        }
        check(0, "");
        // A TS-228: two fixed bays, a PIC.
        check(0x824a_0384, "monitored no_hotswap pic");
        // A TS-1283XU, sold with one power unit and, as -RP, with two.
        check(0x8214_9a15, "cpu_temperature monitored redundant_power");
        check(0x0100_0000, "no_fan_read");
    }

    #[test]
    fn kinds_have_numbers() {
        assert_eq!(EnclosureKind::of(0), Some(EnclosureKind::Internal));
        assert_eq!(EnclosureKind::of(10), Some(EnclosureKind::UsbRaid));
        for unknown in [-1, 14, i64::MAX] {
            assert_eq!(EnclosureKind::of(unknown), None);
        }
    }
}
