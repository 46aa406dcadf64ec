//! The memory modules of the firmware's table (SMBIOS 2.1 to 3.7, types 16 and 17), as plain data.
//!
//! The table also holds the machine's UUID, serials and asset tags, so it never becomes a raw form: what is taken out
//! here is. Numbers stay as the firmware gives them, with its "unknown" left out; texts stay as they are, so that what
//! says nothing (`Not Specified`) is told from what is missing where the facts are made.

use serde::Serialize;

/// Most slots that are listed; a NAS has eight.
const MOST_SLOTS: usize = 64;

/// `sample/dimms.json`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Modules {
    slots: Vec<Slot>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Slot {
    label: Option<String>,
    bank: Option<String>,
    /// 0: empty.
    size_kib: Option<u64>,
    type_code: Option<u8>,
    speed_mt_s: Option<u32>,
    configured_speed_mt_s: Option<u32>,
    manufacturer: Option<String>,
    part_number: Option<String>,
    serial: Option<String>,
    data_width_bits: Option<u16>,
    total_width_bits: Option<u16>,
    /// 3 none, 4 parity, 5 single-bit, 6 multi-bit, 7 CRC.
    correction_code: Option<u8>,
}

/// One structure of the table: its fixed part, and the texts behind it.
struct Structure<'a> {
    fixed: &'a [u8],
    texts: &'a [u8],
}

/// Reads the table; one that ends early gives what stands before.
pub(super) fn modules(table: &[u8]) -> Modules {
    let mut arrays: Vec<(u16, u8)> = Vec::new();
    let mut slots: Vec<(Option<u16>, Slot)> = Vec::new();
    let mut rest = table;
    while let Some((structure, after)) = next(rest) {
        rest = after;
        match structure.fixed.first() {
            Some(16) => {
                if let (Some(handle), Some(code)) = (structure.word(2), structure.byte(6)) {
                    arrays.push((handle, code));
                }
            }
            Some(17) if slots.len() < MOST_SLOTS => slots.push((structure.word(4), slot(&structure))),
            // The end of the table; what follows is not part of it.
            Some(127) => break,
            _ => {}
        }
    }
    let correction =
        |array: Option<u16>| arrays.iter().find(|(handle, _)| Some(*handle) == array).map(|(_, code)| *code);
    let slots =
        slots.into_iter().map(|(array, slot)| Slot { correction_code: correction(array), ..slot }).collect();
    Modules { slots }
}

fn slot(structure: &Structure<'_>) -> Slot {
    let known = |value: Option<u16>| value.filter(|value| *value != 0 && *value != 0xffff);
    let speed = |at, extended| match structure.word(at)? {
        0 => None,
        0xffff => structure.double(extended),
        speed => Some(u32::from(speed)),
    };
    let size_kib = match structure.word(0x0c) {
        None | Some(0xffff) => None,
        Some(0x7fff) => structure.double(0x1c).map(|mib| u64::from(mib & 0x7fff_ffff) * 1024),
        Some(size) if size & 0x8000 != 0 => Some(u64::from(size & 0x7fff)),
        Some(mib) => Some(u64::from(mib) * 1024),
    };
    Slot {
        label: structure.text(0x10),
        bank: structure.text(0x11),
        size_kib,
        type_code: structure.byte(0x12),
        speed_mt_s: speed(0x15, 0x54),
        configured_speed_mt_s: speed(0x20, 0x58),
        manufacturer: structure.text(0x17),
        part_number: structure.text(0x1a),
        serial: structure.text(0x18),
        data_width_bits: known(structure.word(0x0a)),
        total_width_bits: known(structure.word(0x08)),
        correction_code: None,
    }
}

/// The next structure, and what follows it.
fn next(table: &[u8]) -> Option<(Structure<'_>, &[u8])> {
    let length = usize::from(*table.get(1)?);
    let fixed = table.get(..length).filter(|fixed| fixed.len() >= 4)?;
    let texts = table.get(length..)?;
    let end = texts.windows(2).position(|pair| pair == [0, 0])?;
    Some((Structure { fixed, texts: texts.get(..end)? }, texts.get(end + 2..)?))
}

impl Structure<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.fixed.get(at).copied()
    }

    fn word(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.fixed.get(at..at + 2)?.try_into().ok()?))
    }

    fn double(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.fixed.get(at..at + 4)?.try_into().ok()?)).filter(|value| *value != 0)
    }

    /// The text whose number stands at a place; number 0 is none.
    fn text(&self, at: usize) -> Option<String> {
        let number = usize::from(self.byte(at)?).checked_sub(1)?;
        let text = self.texts.split(|byte| *byte == 0).nth(number)?;
        let text = String::from_utf8_lossy(text).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::hostile;

    fn structure(kind: u8, handle: u16, fields: &[(usize, &[u8])], length: u8, texts: &[&str]) -> Vec<u8> {
        let mut bytes = vec![0; usize::from(length)];
        bytes[0] = kind;
        bytes[1] = length;
        bytes[2..4].copy_from_slice(&handle.to_le_bytes());
        for (at, value) in fields {
            bytes[*at..at + value.len()].copy_from_slice(value);
        }
        for text in texts {
            bytes.extend(text.as_bytes());
            bytes.push(0);
        }
        bytes.extend(if texts.is_empty() { &[0, 0][..] } else { &[0][..] });
        bytes
    }

    fn table() -> Vec<u8> {
        let mut bytes = structure(1, 1, &[], 27, &["QNAP", "a serial that stays here"]);
        bytes.extend(structure(16, 0x30, &[(6, &[5])], 23, &[]));
        bytes.extend(structure(
            17,
            0x31,
            &[
                (4, &[0x30, 0]),
                (8, &[72, 0, 64, 0, 0, 0x20]),
                (0x10, &[1, 2, 0x1a]),
                (0x15, &[0x80, 0x0c]),
                (0x17, &[3, 4, 0, 5]),
                (0x20, &[0x60, 0x09]),
            ],
            40,
            &["DIMM_A1", "BANK 0", "Samsung", "0A1B2C3D", "M391A1K43BB2-CTD "],
        ));
        bytes.extend(structure(17, 0x32, &[(4, &[0x30, 0]), (0x10, &[1])], 27, &["DIMM_A2"]));
        bytes.extend(structure(127, 0x33, &[], 4, &[]));
        bytes
    }

    #[test]
    fn a_filled_and_an_empty_slot() {
        let found = modules(&table());
        assert_eq!(found.slots.len(), 2);
        let first = &found.slots[0];
        assert_eq!(
            (first.size_kib, first.total_width_bits, first.data_width_bits),
            (Some(8 << 20), Some(72), Some(64))
        );
        assert_eq!((first.speed_mt_s, first.configured_speed_mt_s), (Some(3200), Some(2400)));
        assert_eq!((first.label.as_deref(), first.serial.as_deref()), (Some("DIMM_A1"), Some("0A1B2C3D")));
        assert_eq!((first.part_number.as_deref(), first.type_code), (Some("M391A1K43BB2-CTD"), Some(0x1a)));
        assert_eq!((found.slots[1].size_kib, found.slots[1].correction_code), (Some(0), Some(5)));
        let json = serde_json::to_string(&found).expect("plain data");
        assert!(!json.contains("stays here"), "{json}");
    }

    #[test]
    fn cut_and_damaged_tables() {
        hostile::cut(&table(), |bytes| {
            modules(bytes).slots.into_iter().map(|s| (s.label, s.size_kib)).collect::<Vec<_>>()
        });
        hostile::mutate(&table(), 1000, modules, |found| assert!(found.slots.len() <= MOST_SLOTS));
        assert_eq!(modules(&[]), Modules::default());
    }
}
