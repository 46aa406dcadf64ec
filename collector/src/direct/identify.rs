//! ATA IDENTIFY DEVICE (ACS-4, 7.13): who the drive is, and which of its logs it keeps.
//!
//! Words are 16 bits, little-endian. Many are only valid when others say so. A sector whose checksum is wrong, or
//! that is empty (some bridges answer so for a bay without a disk), says nothing.

use assay_bundle::facts::drive::Medium;
use assay_bundle::units::{Bytes, Rpm};

use super::le;
use super::{DeviceAnswer, SECTOR_BYTES};

/// Signature of the last word: its other byte is a checksum.
const CHECKSUM_SIGNATURE: u128 = 0xa5;
/// Rotation rates start here; 1 is flash, everything else is reserved (word 217).
const SLOWEST_RPM: u16 = 0x0401;

/// What the drive says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identify {
    /// Model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Firmware revision.
    pub firmware: Option<String>,
    /// World wide name, 16 lower-case hexadecimal digits.
    pub wwn: Option<String>,
    /// Capacity.
    pub capacity_bytes: Option<Bytes>,
    /// Rotating or flash; `None` where the drive does not say.
    pub medium: Option<Medium>,
    /// Speed of rotating media.
    pub rotation_rpm: Option<Rpm>,
    /// SMART exists; `None` where the words are not valid.
    pub smart_supported: Option<bool>,
    /// SMART is switched on.
    pub smart_enabled: Option<bool>,
    /// The drive keeps SMART error logs.
    pub error_log: bool,
    /// The drive runs and logs self-tests.
    pub self_tests: bool,
    /// The drive has general purpose logs.
    pub general_logs: bool,
    /// Fastest generation of the SATA link that the drive can do: 1 is 1.5, 2 is 3, 3 is 6 Gbit/s.
    pub link_generation_max: Option<u8>,
    /// Generation of the link now.
    pub link_generation_now: Option<u8>,
}

/// Reads the answer.
///
/// # Errors
/// Why it says nothing, in words.
pub fn read(answer: &DeviceAnswer) -> Result<Identify, String> {
    let data = answer.data.as_slice();
    if data.len() < SECTOR_BYTES as usize {
        return Err(format!("{} of {SECTOR_BYTES} bytes came", data.len()));
    }
    if answer.texts.is_empty() && data.iter().all(|byte| *byte == 0) {
        return Err("the answer is empty".to_owned());
    }
    if le::<1>(data, 510) == Some(CHECKSUM_SIGNATURE) && answer.sum != 0 {
        return Err("the checksum is wrong".to_owned());
    }
    let word = |number: usize| le::<2>(data, number * 2).and_then(|w| u16::try_from(w).ok()).unwrap_or(0);
    let bit = |number: usize, bit: u32| word(number) >> bit & 1 == 1;
    // Bit 14 set and bit 15 clear: the words of this group are valid.
    let valid = |number: usize| word(number) >> 14 == 1;
    let text = |name| answer.text(name).map(str::to_owned);
    let (supported, enabled) = (valid(83), valid(87));
    let rate = word(217);
    Ok(Identify {
        model: text("model"),
        serial: text("serial"),
        firmware: text("firmware"),
        wwn: (enabled && bit(87, 8)).then(|| wwn(data)).flatten(),
        capacity_bytes: capacity(data, supported && bit(83, 10), word(106)),
        medium: match rate {
            1 => Some(Medium::Ssd),
            SLOWEST_RPM..=0xfffe => Some(Medium::Hdd),
            _ => None,
        },
        rotation_rpm: (SLOWEST_RPM..=0xfffe).contains(&rate).then(|| Rpm::plausible(rate.into())).flatten(),
        smart_supported: supported.then(|| bit(82, 0)),
        smart_enabled: enabled.then(|| bit(85, 0)),
        error_log: (valid(84) && bit(84, 0)) || (enabled && bit(87, 0)),
        self_tests: (valid(84) && bit(84, 1)) || (enabled && bit(87, 1)),
        general_logs: (valid(84) && bit(84, 5)) || (enabled && bit(87, 5)),
        link_generation_max: link(word(76), |capabilities| {
            (1..=3_u8).rev().find(|generation| capabilities >> generation & 1 == 1)
        }),
        link_generation_now: link(word(77), |now| {
            u8::try_from(now >> 1 & 7).ok().filter(|g| (1..=3).contains(g))
        }),
    })
}

/// All zeros and all ones mean that the device is no SATA one.
fn link(word: u16, read: impl Fn(u16) -> Option<u8>) -> Option<u8> {
    if matches!(word, 0 | 0xffff) { None } else { read(word) }
}

/// Words 108 to 111, the highest first.
fn wwn(data: &[u8]) -> Option<String> {
    let word = |number: usize| le::<2>(data, number * 2);
    let name =
        [108, 109, 110, 111].iter().try_fold(0_u128, |name, number| Some(name << 16 | word(*number)?))?;
    (name != 0 && name != u128::from(u64::MAX)).then(|| format!("{name:016x}"))
}

/// Sectors times their logical size; word 106 tells whether that is not 512 (in words 117 and 118, as 16-bit words).
fn capacity(data: &[u8], long_addresses: bool, sizes: u16) -> Option<Bytes> {
    let sectors = if long_addresses { le::<8>(data, 200)? } else { le::<4>(data, 120)? };
    let large = sizes >> 14 == 1 && sizes >> 12 & 1 == 1;
    let size = if large { le::<4>(data, 234)?.checked_mul(2)? } else { u128::from(SECTOR_BYTES) };
    let bytes = u64::try_from(sectors.checked_mul(size)?).ok()?;
    (bytes != 0).then_some(Bytes(bytes))
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
pub(crate) mod tests {
    use super::*;
    use crate::direct::DeviceQuery;
    use crate::direct::answer::tests::{good, swapped};

    /// The sector of a 4 TB disk, with other words in the place of its own.
    pub(crate) fn sector(other: &[(usize, u16)]) -> Vec<u8> {
        let mut data = vec![0; 512];
        data[20..40].copy_from_slice(&swapped("EX0001", 20));
        data[46..54].copy_from_slice(&swapped("80.00A80", 8));
        data[54..94].copy_from_slice(&swapped("EXAMPLE HD4000", 40));
        let words = [
            (0, 0x0040),
            (60, 0xffff),
            (61, 0x0fff),
            (76, 0x850e),
            (77, 0x0006),
            (82, 0x706b),
            (83, 0x7c01),
            (84, 0x4163),
            (85, 0x7069),
            (86, 0xbc41),
            (87, 0x4163),
            (100, 0xbeb0),
            (101, 0xd1c0),
            (102, 0x0001),
            (106, 0x6003),
            (108, 0x5000),
            (109, 0xc500),
            (110, 0x0000),
            (111, 0x3039),
            (217, 0x1518),
        ];
        for (number, word) in words.iter().chain(other) {
            data[number * 2..number * 2 + 2].copy_from_slice(&word.to_le_bytes());
        }
        data[510] = 0xa5;
        seal(data)
    }

    /// Puts the checksum of a sector into its last byte.
    pub(crate) fn seal(mut data: Vec<u8>) -> Vec<u8> {
        data[511] = 0;
        let sum = data.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        data[511] = sum.wrapping_neg();
        data
    }

    fn check(sector: &[u8]) -> Result<Identify, String> {
        read(&DeviceAnswer::new(DeviceQuery::AtaIdentify, good(), sector))
    }

    #[test]
    fn a_disk() {
        let disk = check(&sector(&[])).expect("a whole sector");
        assert_eq!(
            disk,
            Identify {
                model: Some("EXAMPLE HD4000".into()),
                serial: Some("EX0001".into()),
                firmware: Some("80.00A80".into()),
                wwn: Some("5000c50000003039".into()),
                capacity_bytes: Some(Bytes(4_000_787_030_016)),
                medium: Some(Medium::Hdd),
                rotation_rpm: Some(Rpm(5400)),
                smart_supported: Some(true),
                smart_enabled: Some(true),
                error_log: true,
                self_tests: true,
                general_logs: true,
                link_generation_max: Some(3),
                link_generation_now: Some(3),
            }
        );
    }

    #[test]
    fn other_drives() {
        let of = |words: &[(usize, u16)]| check(&sector(words)).expect("a whole sector");
        let flash = of(&[(217, 1)]);
        assert_eq!((flash.medium, flash.rotation_rpm), (Some(Medium::Ssd), None));
        assert_eq!(of(&[(217, 0)]).medium, None);
        assert_eq!(of(&[(217, 0xfffe)]).rotation_rpm, None);
        let native = of(&[(106, 0x5000), (117, 0x0800), (100, 1000), (101, 0), (102, 0)]);
        assert_eq!(native.capacity_bytes, Some(Bytes(4_096_000)));
        assert_eq!(of(&[(83, 0x4001)]).capacity_bytes, Some(Bytes(0x0fff_ffff * 512)));
        let off = of(&[(85, 0)]);
        assert_eq!((off.smart_supported, off.smart_enabled), (Some(true), Some(false)));
        assert_eq!(of(&[(83, 0xffff), (87, 0)]).smart_supported, None);
        let slow = of(&[(76, 0x0006), (77, 0x0002)]);
        assert_eq!((slow.link_generation_max, slow.link_generation_now), (Some(2), Some(1)));
        assert_eq!(of(&[(76, 0xffff), (77, 0xffff)]).link_generation_max, None);
        assert_eq!(of(&[(108, 0), (109, 0), (111, 0)]).wwn, None);
    }

    #[test]
    fn a_sector_that_says_nothing() {
        let mut wrong = sector(&[]);
        wrong[2] ^= 1;
        assert_eq!(check(&wrong), Err("the checksum is wrong".to_owned()));
        assert_eq!(check(&[0; 512]), Err("the answer is empty".to_owned()));
        assert_eq!(check(&sector(&[])[..511]), Err("511 of 512 bytes came".to_owned()));
        // Older drives have no signature and no checksum.
        wrong[510] = 0;
        assert!(check(&wrong).is_ok());
    }

    #[test]
    fn damage_never_panics() {
        crate::hostile::mutate(&sector(&[]), 1000, check, |found| {
            let rpm = found.as_ref().ok().and_then(|disk| disk.rotation_rpm);
            assert!(rpm.is_none_or(|rpm| u64::from(rpm.0) <= Rpm::HIGHEST));
        });
    }
}
