//! Serial numbers and what stands in their place.
//!
//! Board makers leave fillers where a value should be ("To Be Filled By O.E.M."), QTS prints `--` and `Q---` on models
//! without vital product data, and emulators count from 0 to 9. None of them names a unit; they are Absent. A serial
//! number is kept byte for byte: it binds keys and cases, and is compared with what other places say.

use assay_bundle::Observed;
use assay_bundle::facts::identity::{SerialOrigin, SerialSource};

/// What board makers leave in place of a value, in lower case. Seen in DMI tables of retail boards.
const FILLERS: [&str; 24] = [
    "to be filled by o.e.m.",
    "to be filled by oem",
    "default string",
    "none",
    "null",
    "n/a",
    "unknown",
    "oem",
    "o.e.m.",
    "invalid",
    "not specified",
    "not applicable",
    "not available",
    "system manufacturer",
    "system product name",
    "system serial number",
    "base board serial number",
    "chassis serial number",
    "0123456789",
    "123456789",
    "1234567890",
    "0123456789abcdef",
    "q---",
    "serial number",
];

/// Whether this is no name of anything.
pub(super) fn is_filler(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    FILLERS.contains(&value.as_str()) || value.bytes().all(|b| matches!(b, b'0' | b'.' | b'-' | b' ' | b'x'))
}

/// A name that is no filler.
pub(super) fn named(reading: Observed<String>) -> Observed<String> {
    match reading {
        Observed::Seen { value, .. } if is_filler(&value) => Observed::Absent,
        other => other,
    }
}

/// A serial number that is no filler and not one sign over and over.
pub(super) fn serial(reading: Observed<String>) -> Observed<String> {
    match named(reading) {
        Observed::Seen { value, .. } if is_one_sign(&value) => Observed::Absent,
        other => other,
    }
}

/// The line of `get_hwsn`: one word, as on the unit's label (`Q211I009382`). A hyphen does for a digit: the stand-in of a
/// unit that is named by its own serial number need not have one.
pub(super) fn of_unit(line: &str) -> Option<String> {
    let fits = (6..=32).contains(&line.len())
        && line.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && line.bytes().any(|b| b.is_ascii_digit() || b == b'-');
    (fits && !is_filler(line) && !is_one_sign(line)).then(|| line.to_owned())
}

fn is_one_sign(value: &str) -> bool {
    let value = value.trim();
    let first = value.chars().next();
    value.chars().all(|c| Some(c) == first)
}

/// What every place says. Nowhere one: Absent, or the first failure.
pub(super) fn sources(places: Vec<(SerialOrigin, Observed<String>)>) -> Observed<Vec<SerialSource>> {
    let sources: Vec<SerialSource> =
        places.into_iter().map(|(source, serial)| SerialSource { source, serial }).collect();
    if let Some(place) = sources.iter().find_map(|source| source.serial.place()) {
        let place = place.to_owned();
        return Observed::seen(sources, place);
    }
    let failed = sources.into_iter().find(|source| matches!(source.serial, Observed::Unreadable { .. }));
    failed.map_or(Observed::Absent, |source| source.serial.map(|_| Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fillers_are_no_names() {
        fn check(value: &str, expected: bool) {
            assert_eq!(is_filler(value), expected, "{value:?}");
        }
        for value in [
            "To Be Filled By O.E.M.",
            "Default string",
            "None",
            "System Serial Number",
            "0123456789",
            "0123456789ABCDEF",
            "0000",
            "--",
            "Q---",
            "xxxxxxxx",
        ] {
            check(value, true);
        }
        for value in ["Q211I009382", "TS-453D", "00001A", "Nonesuch", "X1"] {
            check(value, false);
        }
    }

    #[test]
    fn what_is_a_serial_number() {
        fn check(value: &str, expected: bool) {
            assert_eq!(serial(Observed::seen(value.to_owned(), "p")).is_seen(), expected, "{value:?}");
        }
        for value in ["Q211I009382", "00001A", "Serial 5", "1112"] {
            check(value, true);
        }
        for value in ["", " ", "1111111", "FFFFFFFF", "Default string", "Q---"] {
            check(value, false);
        }
        for (line, expected) in [
            ("Q174B07559", true),
            ("Q211I009382", true),
            ("Q---", false),
            ("error", false),
            ("cannot open the device 12", false),
            ("2222222222", false),
            ("-1", false),
        ] {
            assert_eq!(of_unit(line).is_some(), expected, "{line}");
        }
    }

    #[test]
    fn the_list_says_whether_any_place_has_one() {
        use SerialOrigin::{DmiProduct, HalConf, Hwsn};
        let seen = Observed::seen("Q1".to_owned(), "etc/hal.conf");
        let list = sources(vec![(Hwsn, Observed::unreadable("it hangs")), (HalConf, seen)]);
        assert_eq!((list.place(), list.value().map(Vec::len)), (Some("etc/hal.conf"), Some(2)));
        let failed = sources(vec![(Hwsn, Observed::Absent), (DmiProduct, Observed::unreadable("root only"))]);
        assert_eq!(failed, Observed::unreadable("root only"));
        assert!(sources(vec![(Hwsn, Observed::NotCollected), (DmiProduct, Observed::Absent)]).is_absent());
    }
}
