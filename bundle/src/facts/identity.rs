//! Who the machine says it is: serial, model, firmware, boards.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::Bytes;

/// The operating system family, because QTS and QuTS hero store and print differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// QNAP QTS (md and LVM).
    Qts,
    /// QNAP QuTS hero (ZFS).
    QutsHero,
    /// Any other Linux.
    Linux,
}

/// Identity readings; each may come from another source, named in its place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// QTS, QuTS hero or plain Linux.
    pub platform: Observed<Platform>,
    /// Maker of the machine (DMI `sys_vendor`; "QNAP" on QTS).
    pub vendor: Observed<String>,
    /// Marketing model, such as `TS-453D` (QTS `DISPLAY_NAME`, DMI `product_name`, device-tree `model`).
    pub model: Observed<String>,
    /// QTS internal model, such as `TS-X53D`: one internal model covers several products (`getcfg System Model`).
    pub internal_model: Observed<String>,
    /// QTS hardware platform, such as `X86_GEMINILAKE` or `ARM_AL` (`/etc/platform.conf`, `Platform`).
    pub hardware_platform: Observed<String>,
    /// Serial number of the unit. QTS and QuTS hero: `get_hwsn`, then `/etc/hal.conf`, never DMI, which board makers
    /// fill. Elsewhere: DMI `product_serial`, device-tree `serial-number`.
    pub serial: Observed<String>,
    /// The serial number as every source has it, in the order of [`SerialOrigin`]; NotCollected inside where this
    /// machine is not asked. See [`Identity::serial_agreement`].
    pub serial_sources: Observed<Vec<SerialSource>>,
    /// Serial number of the mainboard (DMI `board_serial`).
    pub board_serial: Observed<String>,
    /// Mainboard name or part number (DMI `board_name`).
    pub board: Observed<String>,
    /// Part number of the mainboard, such as `70-0QY472150` (QNAP VPD, table 0 field 4).
    pub board_part_number: Observed<String>,
    /// Part number of the backplane, such as `70-1QY580110` (QNAP VPD, table 1 field 7).
    pub backplane_part_number: Observed<String>,
    /// When the unit was made, as printed: `2023/05/22 14:14`, its time zone unknown (QNAP VPD, table 0 field 0).
    pub manufactured: Observed<String>,
    /// BIOS version (DMI `bios_version`).
    pub bios_version: Observed<String>,
    /// BIOS date as printed (DMI `bios_date`, `MM/DD/YYYY`).
    pub bios_date: Observed<String>,
    /// Firmware of the embedded controller, such as `QY47EF16` (`hal_app --get_ec_version`); Absent without one.
    pub ec_version: Observed<String>,
    /// Firmware of the front microcontroller (`hal_app --get_mcu_version`); Absent without one.
    pub mcu_version: Observed<String>,
    /// Operating system's name and version. QTS and QuTS hero, put together from their parts:
    /// `QTS <Version>.<Number> build <Build Number>`, such as `QTS 5.2.4.3079 build 20250321`, and `QuTS hero
    /// h5.2.4.3079 build 20250321`; a part that was not seen is left out. Elsewhere os-release `PRETTY_NAME`.
    pub firmware: Observed<String>,
    /// Day on which the firmware was built, `yyyymmdd` (QTS `Build Number`).
    pub firmware_build_date: Observed<String>,
    /// Running kernel, such as `5.10.60-qnap` (`/proc/sys/kernel/osrelease`).
    pub kernel: Observed<String>,
    /// Processor architecture as the kernel names it, such as `x86_64`, `aarch64`, `armv7l`.
    pub architecture: Observed<String>,
    /// Size of a memory page, a power of two from 4 KiB to 64 KiB (`hal_app --get_pagesize`): 32 KiB on some ARM
    /// models, where other programs do not start.
    pub page_size_bytes: Observed<Bytes>,
    /// Hostname (`/proc/sys/kernel/hostname`); replaced by a pseudonym before it leaves.
    pub hostname: Observed<String>,
}

/// A place that keeps a serial number, in the order in which they are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SerialOrigin {
    /// `get_hwsn` of QTS: vital product data, PIC or network EEPROM, whichever the model has.
    Hwsn,
    /// `/etc/hal.conf`, `[Enclosure_0]`.
    HalConf,
    /// DMI `product_serial`.
    DmiProduct,
    /// DMI `chassis_serial`.
    DmiChassis,
    /// Device tree `serial-number`.
    DeviceTree,
    /// DMI `board_serial`: of the mainboard, so that it is not compared with the others.
    DmiBoard,
}

/// What one place says the serial number is. A filler, such as `Default string` or `Q---`, is Absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SerialSource {
    /// Which place.
    pub source: SerialOrigin,
    /// What stands there.
    pub serial: Observed<String>,
}

/// Whether the places that keep the unit's serial number name one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SerialAgreement {
    /// Two or more places have one, and it is the same.
    Agreeing,
    /// At least two places have different ones: a replaced mainboard, drives moved from another unit, or a forgery.
    Disagreeing,
    /// One place has one, so nothing confirms it.
    OnlyOne,
    /// No place has one.
    NoneSeen,
}

impl Identity {
    /// Whether the places of the unit's serial number agree, without regard to case and the mainboard's own serial.
    pub fn serial_agreement(&self) -> SerialAgreement {
        let mut serials = self.unit_serials().map(|(_, serial)| serial.trim());
        let Some(first) = serials.next() else { return SerialAgreement::NoneSeen };
        let mut others = serials.peekable();
        if others.peek().is_none() {
            return SerialAgreement::OnlyOne;
        }
        match others.all(|other| other.eq_ignore_ascii_case(first)) {
            true => SerialAgreement::Agreeing,
            false => SerialAgreement::Disagreeing,
        }
    }

    /// The unit's serial number in each place that has one, the most believed first.
    pub fn unit_serials(&self) -> impl Iterator<Item = (SerialOrigin, &str)> {
        let sources = self.serial_sources.value().into_iter().flatten();
        sources
            .filter(|source| source.source != SerialOrigin::DmiBoard)
            .filter_map(|source| Some((source.source, source.serial.value()?.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(serials: &[(SerialOrigin, &str)], expected: SerialAgreement) {
        let sources = serials.iter().map(|(source, serial)| SerialSource {
            source: *source,
            serial: match *serial {
                "" => Observed::Absent,
                serial => Observed::seen(serial.to_owned(), "x"),
            },
        });
        let serial_sources = Observed::seen(sources.collect(), "x");
        let identity = Identity { serial_sources, ..Identity::default() };
        assert_eq!(identity.serial_agreement(), expected, "{serials:?}");
    }

    #[test]
    fn serials_agree_or_not() {
        use SerialOrigin::{DmiBoard, DmiProduct, HalConf, Hwsn};
        check(&[], SerialAgreement::NoneSeen);
        check(&[(Hwsn, ""), (DmiBoard, "B1")], SerialAgreement::NoneSeen);
        check(&[(Hwsn, "Q1"), (HalConf, "")], SerialAgreement::OnlyOne);
        check(&[(Hwsn, "Q1"), (HalConf, "q1 "), (DmiBoard, "B1")], SerialAgreement::Agreeing);
        check(&[(Hwsn, "Q1"), (HalConf, "Q1"), (DmiProduct, "Q2")], SerialAgreement::Disagreeing);
        assert_eq!(Identity::default().serial_agreement(), SerialAgreement::NoneSeen);
    }
}
