//! The list of enclosures as `hal_app --se_enum` prints it; `--se_getinfo=N` prints one row of it.
//!
//! Header and rows may be broken over two lines. The world wide name is empty on the machine itself, so that counting
//! columns goes wrong; models have blanks (`Memory Card`). What is certain: a row begins with its number and two names,
//! numbers stand at its end, and a line of nothing but numbers goes on with the row before. Between the names and the
//! numbers stand world wide name (hex, at least 12 digits), vendor (one word) and model.
//!
//! On a TS-453Be every row had one number more than the header names. The layer's own file counts default and factory
//! processor fans between processor fans and sensors, so that with more numbers nothing after `cpu_fan_no` is certain:
//! those columns are Unreadable. With fewer, only a row that ends where a line of the header ends is read.

use assay_bundle::Observed;
use assay_bundle::facts::chassis::{Enclosure, MOST_PARTS};

use super::conf;

/// Most rows that are kept.
const MOST_ROWS: usize = 256;
/// Columns before the numbers.
const NAMES: [&str; 6] = ["enc_id", "enc_parent_sys_id", "enc_sys_id", "wwn", "vendor", "model"];

/// Reads the table that stands at `place`; `noun` names the command.
pub(super) fn parse(text: &str, place: &str, noun: &str) -> Observed<Vec<Enclosure>> {
    if text.trim().is_empty() {
        return Observed::unreadable(format!("{noun}: it printed nothing"));
    }
    // A last line without its end was cut.
    let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    let mut columns: Vec<&str> = Vec::new();
    // How many columns there are at the end of each line of the header.
    let mut breaks: Vec<usize> = Vec::new();
    let mut rows: Vec<Vec<&str>> = Vec::new();
    let mut goes_on = false;
    for line in whole.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(first) = words.first() else { continue };
        let is_header =
            if columns.is_empty() { *first == "enc_id" } else { words.iter().all(|w| is_name(w)) };
        if rows.is_empty() && is_header {
            columns.extend(&words);
            breaks.push(columns.len());
        } else if words.iter().all(is_number) {
            // Numbers that follow no row belong to nothing.
            if let Some(row) = rows.last_mut().filter(|_| goes_on) {
                row.extend(&words);
            }
        } else {
            goes_on = is_number(first) && words.len() > 3 && rows.len() < MOST_ROWS;
            if goes_on {
                rows.push(words);
            }
        }
    }
    let named = columns.iter().zip(NAMES).all(|(column, name)| *column == name);
    if columns.len() <= NAMES.len() || !named {
        return Observed::unreadable(format!("{noun}: its output has no header that is known"));
    }
    let header = Header {
        numbers: columns.get(NAMES.len()..).unwrap_or_default(),
        breaks: breaks.iter().filter_map(|end| end.checked_sub(NAMES.len())).collect(),
        place,
    };
    let mut enclosures: Vec<Enclosure> = Vec::new();
    for enclosure in rows.iter().filter_map(|row| row_of(row, &header)) {
        if enclosures.iter().all(|known| known.id != enclosure.id) {
            enclosures.push(enclosure);
        }
    }
    match enclosures.is_empty() {
        true => Observed::unreadable(format!("{noun}: no row of its output was understood")),
        false => Observed::seen(enclosures, place),
    }
}

/// A name of a column: lower case with underscores.
fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

fn is_number(word: &&str) -> bool {
    word.parse::<i64>().is_ok()
}

/// The columns of numbers.
struct Header<'t> {
    numbers: &'t [&'t str],
    /// Where a line of the header ends, in columns of numbers.
    breaks: Vec<usize>,
    place: &'t str,
}

impl Header<'_> {
    /// What a row has in the column `name`.
    fn read<T>(&self, values: &[&str], name: &str, mean: impl FnOnce(&str) -> Observed<T>) -> Observed<T> {
        let Some(at) = self.numbers.iter().position(|column| *column == name) else {
            return Observed::NotCollected;
        };
        let last_certain = self.numbers.iter().position(|column| *column == "cpu_fan_no");
        let certain = match values.len() {
            all if all == self.numbers.len() => true,
            more if more > self.numbers.len() => last_certain.is_some_and(|last| at <= last),
            fewer => self.breaks.contains(&fewer),
        };
        match values.get(at).filter(|_| certain) {
            Some(text) => mean(text),
            None => Observed::unreadable(format!(
                "{}: a row has other columns than the header; {name} is not certain",
                self.place
            )),
        }
    }
}

fn row_of(words: &[&str], header: &Header<'_>) -> Option<Enclosure> {
    let [id, parent, system, rest @ ..] = words else { return None };
    let id = id.parse::<u32>().ok().filter(|id| *id <= MOST_PARTS)?;
    let names_end = rest.iter().rposition(|word| !is_number(word)).map_or(0, |at| at + 1);
    let (names, values) = rest.split_at_checked(names_end)?;
    let place = header.place;
    let seen = |text: &str| Observed::seen(text.to_owned(), place);
    let (wwn, names) = match names {
        [wwn, names @ ..] if is_wwn(wwn) => (seen(wwn), names),
        names => (Observed::Absent, names),
    };
    let (vendor, model) = match names {
        [vendor, model @ ..] if !model.is_empty() => (seen(vendor), seen(&model.join(" "))),
        _ => {
            let why = format!("{place}: a row does not name both vendor and model");
            (Observed::unreadable(why.clone()), Observed::unreadable(why))
        }
    };
    let count = |name: &str| header.read(values, name, |text| conf::count(text, place, name));
    Some(Enclosure {
        id,
        system_id: seen(system),
        parent_system_id: seen(parent),
        kind: header.read(values, "protocol", |text| conf::kind(text, place)),
        wwn,
        vendor,
        model,
        serial: Observed::NotCollected,
        disks: count("disk_no"),
        fans: count("fan_no"),
        cpu_fans: count("cpu_fan_no"),
        temperature_sensors: count("temp_no"),
        power_units: Observed::NotCollected,
        capabilities: Observed::NotCollected,
    })
}

fn is_wwn(word: &str) -> bool {
    (12..=32).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::hostile;

    const RULE: &str = "==================================\n";
    const HEADER: &str = "enc_id enc_parent_sys_id enc_sys_id wwn vendor model status protocol disk_no\n\
                          fan_no cpu_fan_no temp_no gpio_no\n";

    fn table(rows: &str) -> String {
        format!("{RULE}{HEADER}{rows}{RULE}")
    }

    /// Each enclosure in one line; `?` is unreadable, `.` absent, `-` not said.
    fn words(enclosures: &Observed<Vec<Enclosure>>) -> Vec<String> {
        fn word<T: std::fmt::Display>(reading: &Observed<T>) -> String {
            match reading {
                Observed::Seen { value, .. } => value.to_string(),
                Observed::Absent => ".".to_owned(),
                Observed::Unreadable { .. } => "?".to_owned(),
                Observed::NotCollected => "-".to_owned(),
            }
        }
        let all = enclosures.value().into_iter().flatten();
        all.map(|one| {
            let kind = one.kind.as_ref().map(|kind| format!("{kind:?}"));
            let names = [&one.system_id, &one.wwn, &one.vendor, &one.model, &kind].map(word).join("|");
            let counts = [&one.disks, &one.fans, &one.cpu_fans, &one.temperature_sensors].map(word).join(" ");
            format!("{} {names} {counts}", one.id)
        })
        .collect()
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(words(&parse(text, "p", "hal_app --se_enum")), expected, "{text}");
    }

    #[test]
    fn rows_are_read_by_their_content() {
        // As seen: broken rows, no world wide name, one number more than columns.
        check(
            &table("0\troot\troot\t\tQNAP\tTS-453Be\t0\t0\t4\n1\t0\t0\t0\t2\n"),
            &["0 root|.|QNAP|TS-453Be|Internal 4 1 0 ?"],
        );
        check(
            &table(
                "0 root root QNAP TS-453Be 0 0 4 1 0 2 0\r\n34 root root_mmc QNAP Memory Card 0 7 1 0 0 0 0\r\n",
            ),
            &["0 root|.|QNAP|TS-453Be|Internal 4 1 0 2", "34 root_mmc|.|QNAP|Memory Card|Mmc 1 0 0 0"],
        );
        check(
            &table(
                "1 root sg9 5000C50012345678 QNAP TL-R1220Sep-RP 0 3 12\n3 0 4 0\n32 root root_boot QNAP BOOT 0 -1 1\n",
            ),
            &[
                "1 sg9|5000C50012345678|QNAP|TL-R1220Sep-RP|Sas 12 3 0 4",
                "32 root_boot|.|QNAP|BOOT|. 1 ? ? ?",
            ],
        );
        // The same number twice, a number out of range, a kind and a count that cannot be.
        check(
            &table("2 r a V M 0 99 65535 1 0 0 0\n2 r b V M 0 0 1 1 0 0 0\n70000 r c V M 0 0 1 1 0 0 0\n"),
            &["2 a|.|V|M|? ? 1 0 0"],
        );
    }

    #[test]
    fn what_does_not_fit_is_not_certain() {
        // Neither all columns nor up to a break: something is missing in between.
        check(&table("0 root root QNAP TS-1 0 0\n"), &["0 root|.|QNAP|TS-1|? ? ? ? ?"]);
        check(&table("0 root root QNAP 0 0 4 1 0 2 0\n"), &["0 root|.|?|?|Internal 4 1 0 2"]);
        // Numbers after a line that nobody knows are not the row's.
        check(
            &table("0 root root QNAP TS-1 0 0 4\n(continued)\n9 9 9 9\n"),
            &["0 root|.|QNAP|TS-1|Internal 4 ? ? ?"],
        );
        for (text, why) in [
            ("", "nothing"),
            ("hal_app: no such option\n", "header"),
            ("0 root root QNAP TS-1 0 0 4 1 0 2 0\n", "header"),
            ("enc_id model\n0 root root QNAP TS-1 0\n", "header"),
            (&table(""), "no row"),
            (&table("Segmentation fault\n"), "no row"),
        ] {
            let found = parse(text, "p", "hal_app --se_enum");
            assert!(found.why_not().is_some_and(|found| found.contains(why)), "{text}: {found:?}");
        }
    }

    #[test]
    fn damage_never_invents() {
        let whole = table(
            "0\troot\troot\t\tQNAP\tTVS-1288X\t0\t0\t12\n13\t10\t14\t0\n\
             24\troot\tqm2_1_2\t\tQNAP\tQM2-4P-384\t0\t9\t14\n11\t0\t12\t0\n",
        );
        let read = |bytes: &[u8]| parse(&String::from_utf8_lossy(bytes), "p", "hal_app --se_enum");
        hostile::cut(whole.as_bytes(), |bytes| match read(bytes) {
            // A row whose second line is missing is read up to the break.
            Observed::Seen { value, from } => Observed::Seen { value, from },
            _ => Observed::Absent,
        });
        hostile::mutate(whole.as_bytes(), 1000, read, |all| {
            for one in all.value().into_iter().flatten() {
                let counts = [&one.disks, &one.fans, &one.cpu_fans, &one.temperature_sensors];
                assert!(one.id <= MOST_PARTS);
                assert!(counts.iter().all(|count| count.value().is_none_or(|count| *count <= MOST_PARTS)));
            }
        });
    }
}
