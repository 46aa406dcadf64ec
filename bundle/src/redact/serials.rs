//! Serial numbers and world wide names, which the level `strict` masks wherever they stand and in every notation.
//!
//! A stand-in keeps the length and can be told by its shape: `ZZ`, then letters and digits in turn; of a world wide name
//! the maker's part stays. What a decoder would read out of binary buffers is not masked here: those files are left
//! out at that level. Refused: serials too short to be found safely, which their own field names still cover.

use std::collections::BTreeMap;

use super::finder::Finder;
use super::line::{Scan, is_word_byte};
use super::pseudonym::Pseudonyms;
use crate::facts::Facts;

/// Shorter ones stand inside too much else by chance.
const SHORTEST: usize = 5;
/// Shorter ones are replaced only as whole words.
const WORD_BELOW: usize = 8;
/// The part of a 64-bit world wide name that the maker numbers: 36 bits.
const NUMBERED_BITS: u32 = 36;

/// What is masked, and by what.
#[derive(Default)]
pub(super) struct Serials {
    masks: Vec<(String, String)>,
    numbers: BTreeMap<String, String>,
    finder: Option<Finder>,
}

impl Serials {
    /// Learns every serial number and world wide name of these facts.
    pub(super) fn learn(&mut self, pseudonyms: &Pseudonyms, facts: &Facts) {
        for serial in serials_of(facts) {
            let serial = serial.trim();
            if serial.len() >= SHORTEST && serial.is_ascii() && !is_stand_in(serial) {
                self.add(serial.to_owned(), stand_in(pseudonyms, serial));
            }
        }
        for wwn in wwns_of(facts) {
            let hex = wwn.trim().trim_start_matches("0x").to_ascii_lowercase();
            let Some(number) = (hex.len() == 16).then(|| u64::from_str_radix(&hex, 16).ok()).flatten() else {
                continue;
            };
            let masked = masked_wwn(pseudonyms, number);
            for (from, to) in notations(number).into_iter().zip(notations(masked)) {
                self.add(from, to);
            }
            // smartctl writes the numbered part of a name as one JSON number, of 36 or of 40 bits.
            for bits in [NUMBERED_BITS, 40] {
                let low = |n: u64| (n & ((1 << bits) - 1)).to_string();
                self.numbers.insert(low(number), low(masked));
            }
        }
        // Longest first, so that one serial inside another is not found before it.
        self.masks.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        self.finder = Finder::new(self.masks.iter().map(|(from, _)| &**from));
    }

    fn add(&mut self, from: String, to: String) {
        if !self.masks.iter().any(|(known, _)| known.eq_ignore_ascii_case(&from)) {
            self.masks.push((from, to));
        }
    }

    /// Everything that is masked, for the gate.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.masks.iter().map(|(from, _)| from.as_str())
    }

    /// What stands for a JSON number that is part of a world wide name.
    pub(super) fn number(&self, number: &str) -> Option<&str> {
        self.numbers.get(number).map(String::as_str)
    }

    /// Proposes to mask every serial number in a line.
    pub(super) fn mask(&self, scan: &mut Scan) {
        let Some(finder) = &self.finder else { return };
        for found in finder.all(scan.line) {
            let (start, end) = (found.start(), found.end());
            let whole =
                !scan.before(start).is_some_and(is_word_byte) && !scan.byte(end).is_some_and(is_word_byte);
            if let Some((from, to)) = self.masks.get(found.pattern().as_usize())
                && (whole || from.len() >= WORD_BELOW)
            {
                let upper = scan.part(start, end).bytes().any(|b| b.is_ascii_uppercase());
                let lower = from.bytes().any(|b| b.is_ascii_lowercase());
                // Hexadecimal may be written in capitals.
                let to = if upper && lower { to.to_ascii_uppercase() } else { to.clone() };
                scan.replace(start, end, "serial", to);
            }
        }
    }
}

/// Every serial number in these facts.
fn serials_of(facts: &Facts) -> Vec<&String> {
    let mut found: Vec<&String> = Vec::new();
    let identity = &facts.identity;
    let mut add = |serial| found.extend(serial);
    add(identity.serial.value());
    add(identity.board_serial.value());
    for source in identity.serial_sources.value().into_iter().flatten() {
        add(source.serial.value());
    }
    for drive in facts.drives.value().into_iter().flatten() {
        add(drive.serial.value());
    }
    for drive in facts.departed_drives.value().into_iter().flatten() {
        add(drive.serial.as_ref());
    }
    for enclosure in facts.chassis.enclosures.value().into_iter().flatten() {
        add(enclosure.serial.value());
    }
    for ups in facts.ups.value().into_iter().flatten() {
        add(ups.serial.value());
    }
    add(facts.boot_device.value().and_then(|boot| boot.emmc.value()).and_then(|emmc| emmc.serial.value()));
    add(facts.management.system.value().and_then(|page| page.serial.value()));
    for bay in facts.management.bays.value().into_iter().flatten() {
        add(bay.serial.value());
    }
    if let Some(inventory) = facts.inventory.value() {
        add(inventory.unit_serial.as_ref());
        for drive in &inventory.remembered_drives {
            add(Some(&drive.serial));
            add(drive.bay_taken_by.as_ref());
        }
    }
    for series in facts.history.value().into_iter().flat_map(|history| &history.series) {
        add(series.serial.as_ref());
    }
    for slot in facts.memory_slots.value().into_iter().flatten() {
        add(slot.serial.value());
    }
    found
}

fn wwns_of(facts: &Facts) -> Vec<&String> {
    let mut found: Vec<&String> = Vec::new();
    let mut add = |wwn| found.extend(wwn);
    for drive in facts.drives.value().into_iter().flatten() {
        add(drive.wwn.value());
    }
    for drive in facts.departed_drives.value().into_iter().flatten() {
        add(drive.wwn.as_ref());
    }
    for enclosure in facts.chassis.enclosures.value().into_iter().flatten() {
        add(enclosure.wwn.value());
    }
    for drive in facts.inventory.value().into_iter().flat_map(|inventory| &inventory.remembered_drives) {
        add(drive.wwn.as_ref());
    }
    for vdev in facts.zfs_pools.value().into_iter().flatten().flat_map(|pool| &pool.vdevs) {
        add(vdev.drive_id.as_ref());
    }
    found
}

/// Plain, in smartctl's groups, and by octets: hexadecimal digits in each.
fn notations(number: u64) -> [String; 3] {
    let plain = format!("{number:016x}");
    let part = |from: usize, to: usize| plain.get(from..to).unwrap_or_default();
    let groups = format!("{} {} {}", part(0, 1), part(1, 7), part(7, 16));
    let octets: Vec<&str> = (0..8).map(|at| part(at * 2, at * 2 + 2)).collect();
    [plain.clone(), groups, octets.join(":")]
}

fn masked_wwn(pseudonyms: &Pseudonyms, number: u64) -> u64 {
    let digest = pseudonyms.digest("wwn", &number.to_be_bytes());
    let drawn = digest.iter().take(8).fold(0_u64, |n, b| n << 8 | u64::from(*b));
    let low = (1 << NUMBERED_BITS) - 1;
    number & !low | drawn & low
}

fn stand_in(pseudonyms: &Pseudonyms, serial: &str) -> String {
    let digest = pseudonyms.digest("serial", serial.to_ascii_uppercase().as_bytes());
    let mut bytes = digest.iter().cycle();
    let drawn = (2..serial.len()).map(|at| {
        let byte = bytes.next().copied().unwrap_or_default();
        char::from(if at % 2 == 0 { b'A' + byte % 26 } else { b'0' + byte % 10 })
    });
    "ZZ".chars().chain(drawn).collect()
}

fn is_stand_in(serial: &str) -> bool {
    let turn = |(at, byte): (usize, u8)| {
        if at % 2 == 0 { byte.is_ascii_uppercase() } else { byte.is_ascii_digit() }
    };
    serial.strip_prefix("ZZ").is_some_and(|rest| rest.bytes().enumerate().all(turn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_has_the_length_and_is_known_again() {
        let pseudonyms = Pseudonyms::new(&[3; 32]);
        for serial in ["Q123B45678", "WD-WCC7K3PLANTED", "S4EWNX0R123456L"] {
            let with = stand_in(&pseudonyms, serial);
            assert!(with.len() == serial.len() && is_stand_in(&with) && !is_stand_in(serial), "{with}");
            assert_eq!(with, stand_in(&pseudonyms, &serial.to_lowercase()));
        }
        let masked = masked_wwn(&pseudonyms, 0x5001_4ee2_b9a4_b3c1);
        assert_eq!(masked >> NUMBERED_BITS, 0x0500_14ee);
        assert_ne!(masked, 0x5001_4ee2_b9a4_b3c1);
        let spelled = ["50014ee2b9a4b3c1", "5 0014ee 2b9a4b3c1", "50:01:4e:e2:b9:a4:b3:c1"];
        assert_eq!(notations(0x5001_4ee2_b9a4_b3c1), spelled);
    }
}
