//! What the raw value of an ATA attribute means, where that is known.
//!
//! The raw value is 48 bits of the maker's own, often several numbers packed; most false alarms of other tools come
//! from reading them as one (hardware.md 0.7). The text that the drive database makes of it is trusted first, because
//! it knows the drive. Without it, only packings that many drives share are undone, and what is not known is `None`.

/// Attribute 188 of Seagate: 16 bits each of all timeouts, those over 5 s, those over 7.5 s, from the low end.
const COMMAND_TIMEOUT: u8 = 188;
/// Power-on hours; Seagate and others put milliseconds or minutes into the upper bits.
const POWER_ON: u8 = 9;
/// Head flying hours, packed like 9.
const HEAD_FLYING: u8 = 240;
const READ_ERROR_RATE: u8 = 1;
const SEEK_ERROR_RATE: u8 = 7;
const AIRFLOW_TEMPERATURE: u8 = 190;
const TEMPERATURE: u8 = 194;
const LOW_32: u64 = 0xffff_ffff;
const LOW_16: u64 = 0xffff;

/// The number that the raw value means: `name` and `text` as the drive database has them.
pub(crate) fn decoded(id: u8, name: &str, model: &str, raw: u64, text: &str) -> Option<u64> {
    let text = text.trim();
    // Printed as hexadecimal: the drive database does not know what it means either.
    if text.starts_with("0x") {
        return None;
    }
    let plain = text.is_empty() || text.parse() == Ok(raw);
    match id {
        TEMPERATURE | AIRFLOW_TEMPERATURE => {
            let degrees = if plain { raw & LOW_16 } else { leading(text)? };
            (1..128).contains(&degrees).then_some(degrees)
        }
        COMMAND_TIMEOUT => {
            let words: Vec<u64> = text.split(' ').filter_map(|word| word.parse().ok()).collect();
            match words.as_slice() {
                [_, _, all] => Some(*all),
                _ if plain && raw > LOW_16 => Some(raw & LOW_16),
                _ => leading(text).or(Some(raw)),
            }
        }
        POWER_ON | HEAD_FLYING if plain => {
            // The database names the unit where it is not hours.
            let other_unit = ["Minutes", "Seconds"].iter().any(|unit| name.contains(unit));
            (!other_unit).then_some(raw & LOW_32)
        }
        READ_ERROR_RATE | SEEK_ERROR_RATE if plain && is_seagate(model) => Some(raw >> 32),
        _ if plain => (raw < LOW_32 || is_total(name)).then_some(raw),
        _ => leading(text),
    }
}

/// Seagate's disks; its SSDs and the drives of other makers count these two differently.
fn is_seagate(model: &str) -> bool {
    let model = model.trim_start_matches("SEAGATE ").trim_start_matches("Seagate ");
    model.strip_prefix("ST").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Sums over life that may honestly pass 32 bits.
fn is_total(name: &str) -> bool {
    ["LBA", "Written", "Write", "Read_", "Reads", "Total", "GiB", "MiB", "Sectors", "Pages"]
        .iter()
        .any(|word| name.contains(word))
        && !name.contains("Error")
        && !name.contains("Pend")
}

/// The number at the start, when what follows shows that it stands for itself: `26 (Min/Max 25/28)`, `5 (2 0)`,
/// `44380h+35m+50.128s`, `3/1200`.
fn leading(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(digits)?;
    let known = rest.is_empty() || [" (", "h+", "/"].iter().any(|mark| rest.starts_with(mark));
    known.then(|| number.parse().ok())?
}

/// The raw value of which a text report prints the decoded form: exact where all parts are printed, else the part
/// that stands first.
pub(super) fn raw_of(text: &str) -> Option<u64> {
    const LARGEST: u64 = (1 << 48) - 1;
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    let parts: Vec<Option<u64>> = text.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
    let packed = |bits: u32| {
        parts.iter().try_fold(0_u64, |sum, part| {
            part.filter(|part| *part < 1 << bits).map(|part| (sum << bits) | part)
        })
    };
    let exact = match parts.len() {
        1 => parts.first().copied().flatten(),
        3 => packed(16),
        6 => packed(8),
        _ => None,
    };
    exact.or_else(|| leading(text)).filter(|raw| *raw <= LARGEST || exact.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_raw_values() {
        fn check(id: u8, name: &str, model: &str, raw: u64, text: &str, expected: Option<u64>) {
            assert_eq!(decoded(id, name, model, raw, text), expected, "{id} {name} {raw} {text:?}");
        }
        check(188, "Command_Timeout", "ST4000VN008-2DR166", 94_490_722_326, "94490722326", Some(22));
        check(188, "Command_Timeout", "ST4000VN008-2DR166", 94_490_722_326, "22 22 22", Some(22));
        check(188, "Command_Timeout", "ST4000VN008-2DR166", 2, "0 0 2", Some(2));
        check(188, "Command_Timeout", "WDC WD40EFRX", 3, "3", Some(3));
        check(1, "Raw_Read_Error_Rate", "ST4000VN008-2DR166", 123_456_789, "123456789", Some(0));
        check(7, "Seek_Error_Rate", "ST4000VN008-2DR166", (3 << 32) | 77, "12884901965", Some(3));
        check(7, "Seek_Error_Rate", "Seagate ST4000VN008", 77, "0/77", Some(0));
        check(1, "Raw_Read_Error_Rate", "WDC WD40EFRX-68WT0N0", 729, "729", Some(729));
        check(9, "Power_On_Hours", "ST1", (35 << 32) | 44_380, "44380h+35m+50.128s", Some(44_380));
        check(9, "Power_On_Hours", "ST1", (35 << 32) | 44_380, "150323899740", Some(44_380));
        check(9, "Power_On_Minutes", "MAXTOR", 1234 * 60 + 56, "1234h+56m", Some(1234));
        check(9, "Power_On_Minutes", "MAXTOR", 74_096, "74096", None);
        check(194, "Temperature_Celsius", "", 0x1c_0019_001a, "26 (Min/Max 25/28)", Some(26));
        check(194, "Temperature_Celsius", "", 0x1c_0019_001a, "120260722714", Some(26));
        check(194, "Temperature_Celsius", "", 0, "0", None);
        check(5, "Reallocated_Sector_Ct", "", 0x0002_0000_0005, "5 (2 0)", Some(5));
        check(5, "Reallocated_Sector_Ct", "", 8, "8", Some(8));
        check(198, "Offline_Uncorrectable", "", 4_294_967_295, "4294967295", None);
        check(187, "Reported_Uncorrect", "", 97_229_535_248_384, "97229535248384", None);
        check(241, "Total_LBAs_Written", "", 97_229_535_248, "97229535248", Some(97_229_535_248));
        check(9, "Power_On_Hours", "", 1, "0x000000000001", None);
        check(3, "Spin_Up_Time", "", 1, "N/A", None);
    }

    #[test]
    fn raw_values_of_printed_ones() {
        fn check(text: &str, expected: Option<u64>) {
            assert_eq!(raw_of(text), expected, "{text:?}");
        }
        check("729", Some(729));
        check("22 22 22", Some(94_490_722_326));
        check("0 0 2", Some(2));
        check("1 2 3 4 5 6", Some(0x0102_0304_0506));
        check("0 0 70000", None);
        check("44380h+35m+50.128s", Some(44_380));
        check("26 (Min/Max 25/28)", Some(26));
        check("0/77", Some(0));
        check("0x00000000002a", Some(42));
        check("-", None);
        check("", None);
    }
}
