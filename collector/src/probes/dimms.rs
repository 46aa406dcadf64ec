//! Memory slots: `sample/dimms.json`, which the live source takes out of the firmware's table
//! (`/sys/firmware/dmi/tables/DMI`, root only, so that no UUID or asset tag is in a raw form). ARM models have no table.
//!
//! Firmware fills what it does not know with words (`Not Specified`, `Undefined`) or zeros: those are Absent. An empty
//! slot is listed, with its label; everything about its module is Absent.

use assay_bundle::Observed;
use assay_bundle::facts::dimm::MemorySlot;
use assay_bundle::units::Bytes;
use serde_json::Value;

use crate::door::Door;
use crate::source::Request;

/// Words that firmware writes where it knows nothing (lower case).
const NOTHING: [&str; 12] = [
    "not specified",
    "unknown",
    "undefined",
    "none",
    "empty",
    "[empty]",
    "no dimm",
    "not available",
    "n/a",
    "not provided",
    "to be filled by o.e.m.",
    "dimm_blank",
];

/// Types that a NAS has had (SMBIOS 7.18.2).
const KINDS: [(u64, &str); 11] = [
    (0x12, "DDR"),
    (0x13, "DDR2"),
    (0x18, "DDR3"),
    (0x1a, "DDR4"),
    (0x1b, "LPDDR"),
    (0x1c, "LPDDR2"),
    (0x1d, "LPDDR3"),
    (0x1e, "LPDDR4"),
    (0x22, "DDR5"),
    (0x23, "LPDDR5"),
    (0x07, "RAM"),
];

/// Kinds of correction (SMBIOS 7.17.3).
const CORRECTIONS: [(u64, &str); 5] =
    [(3, "none"), (4, "parity"), (5, "single-bit"), (6, "multi-bit"), (7, "crc")];

/// Reads the slots.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<Vec<MemorySlot>> {
    match door.ask(&Request::Dimms).await {
        Ok(fetched) => door.noted(parse(&fetched.bytes, &fetched.place)),
        Err(missing) => missing.observed(),
    }
}

/// Reads a list that stands at `place`.
pub fn parse(bytes: &[u8], place: &str) -> Observed<Vec<MemorySlot>> {
    let Ok(list) = serde_json::from_slice::<Value>(bytes) else {
        return Observed::unreadable(format!("{place}: it is no JSON"));
    };
    let Some(slots) = list.get("slots").and_then(Value::as_array) else {
        return Observed::unreadable(format!("{place}: it holds no list of slots"));
    };
    if slots.is_empty() {
        return Observed::Absent;
    }
    Observed::seen(slots.iter().map(|slot| memory_slot(slot, place)).collect(), place)
}

fn memory_slot(slot: &Value, place: &str) -> MemorySlot {
    let number = |name: &str| slot.get(name).and_then(Value::as_u64);
    let size_kib = number("size_kib");
    let filled = size_kib.map(|size| size > 0);
    let empty = filled == Some(false);
    let text = |name: &str| seen(slot.get(name).and_then(Value::as_str).and_then(known), place);
    let of_module = |name: &str| if empty { Observed::Absent } else { text(name) };
    let count = |name: &str| number(name).filter(|_| !empty);
    let code = |name: &str, names: &[(u64, &str)]| {
        let code = number(name)?;
        names.iter().find(|(known, _)| *known == code).map(|(_, name)| (*name).to_owned())
    };
    let bits = |name: &str| seen(count(name).and_then(|bits| u16::try_from(bits).ok()), place);
    let speed = |name: &str| seen(count(name).and_then(|speed| u32::try_from(speed).ok()), place);
    MemorySlot {
        label: text("label"),
        bank: text("bank"),
        filled: filled.map_or_else(
            || Observed::unreadable(format!("{place}: the firmware does not know the size of the module")),
            |filled| Observed::seen(filled, place),
        ),
        size_bytes: seen(
            size_kib.filter(|size| *size > 0).and_then(|size| size.checked_mul(1024)).map(Bytes),
            place,
        ),
        kind: seen(code("type_code", &KINDS).filter(|_| !empty), place),
        speed_mt_s: speed("speed_mt_s"),
        configured_speed_mt_s: speed("configured_speed_mt_s"),
        manufacturer: of_module("manufacturer"),
        part_number: of_module("part_number"),
        serial: of_module("serial"),
        data_width_bits: bits("data_width_bits"),
        total_width_bits: bits("total_width_bits"),
        correction: seen(code("correction_code", &CORRECTIONS), place),
    }
}

fn seen<T>(value: Option<T>, place: &str) -> Observed<T> {
    value.map_or(Observed::Absent, |value| Observed::seen(value, place))
}

/// A text that says something.
fn known(text: &str) -> Option<String> {
    let text = text.trim();
    let says = !text.bytes().all(|b| matches!(b, b'0' | b' '))
        && !NOTHING.contains(&text.to_ascii_lowercase().as_str());
    says.then(|| text.to_owned())
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::hostile;

    const LIST: &str = r#"{"slots":[{"label":"DIMM_A1","bank":"BANK 0","size_kib":8388608,"type_code":26,"speed_mt_s":3200,"configured_speed_mt_s":2400,"manufacturer":"Samsung","part_number":"M391A1K43BB2-CTD","serial":"0A1B2C3D","data_width_bits":64,"total_width_bits":72,"correction_code":5},{"label":"DIMM_A2","bank":null,"size_kib":0,"type_code":2,"speed_mt_s":null,"configured_speed_mt_s":null,"manufacturer":"Not Specified","part_number":"Not Specified","serial":"00000000","data_width_bits":null,"total_width_bits":null,"correction_code":5},{"label":"DIMM_B1","size_kib":null,"serial":"00000000"}]}"#;

    #[test]
    fn filled_empty_and_unknown() {
        let found = parse(LIST.as_bytes(), "sample/dimms.json");
        let slots = found.value().expect("three slots");
        assert_eq!(slots[0].size_bytes.value(), Some(&Bytes(8 << 30)));
        assert_eq!(slots[0].kind.value().map(String::as_str), Some("DDR4"));
        assert_eq!(slots[0].total_width_bits.value(), Some(&72));
        assert_eq!(slots[0].correction.value().map(String::as_str), Some("single-bit"));
        assert_eq!((slots[1].filled.value(), slots[1].label.is_seen()), (Some(&false), true));
        assert!(slots[1].manufacturer.is_absent() && slots[1].size_bytes.is_absent());
        assert!(slots[2].filled.why_not().is_some_and(|why| why.contains("size")));
        assert!(slots[2].serial.is_absent());
        assert_eq!(parse(br#"{"slots":[]}"#, "x"), Observed::Absent);
        assert!(parse(b"{}", "x").why_not().is_some());
    }

    #[test]
    fn cut_and_damaged_lists() {
        hostile::cut(LIST.as_bytes(), |bytes| parse(bytes, "x"));
        hostile::mutate(
            LIST.as_bytes(),
            1000,
            |bytes| parse(bytes, "x"),
            |found| {
                assert!(found.value().is_none_or(|slots| slots.len() <= 64));
            },
        );
    }
}
