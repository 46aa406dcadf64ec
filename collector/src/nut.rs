//! The NUT protocol as the NAS's own UPS service speaks it (`upsd`, TCP 3493 on the loopback): `LIST UPS`, then
//! `LIST VAR <name>`.
//!
//! Only these two questions are spelled here; the protocol's `SET`, `INSTCMD` and `LOGIN` are not. A UPS on the network
//! hands out passwords and communities among its variables (`driver.parameter.*`) and personal words (`ups.contact`,
//! `device.location`, `ups.id`), so only variables of [`KEPT`] enter the raw form. Status tokens may stand several in
//! a line (`OB DISCHRG LB`), and models differ in what they know: everything is optional.

use std::collections::BTreeMap;

use assay_bundle::Observed;
use assay_bundle::facts::ups::Ups;
use assay_bundle::units::Seconds;

/// Most units that are asked.
pub const MOST_UPS: usize = 8;
/// Most lines of one answer.
pub const MOST_LINES: usize = 512;
/// Longest line.
pub const MOST_LINE: usize = 1024;

/// Asks for the list of units.
pub const LIST_UPS: &str = "LIST UPS\n";

/// Variables that may enter the raw form. A name ending in `.` stands for all below it.
const KEPT: [&str; 12] = [
    "ups.status",
    "ups.alarm",
    "ups.mfr",
    "ups.model",
    "ups.serial",
    "ups.load",
    "ups.test.",
    "battery.",
    "device.mfr",
    "device.model",
    "device.serial",
    "input.voltage",
];

/// Asks for the variables of one unit; `None` for a name that could be more than a name.
pub fn list_variables(ups: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@');
    (!ups.is_empty() && ups.len() <= 64 && ups.chars().all(plain)).then(|| format!("LIST VAR {ups}\n"))
}

/// The names in an answer to [`LIST_UPS`].
pub fn names(text: &str) -> Vec<String> {
    let listed = |line: &str| words(line.strip_prefix("UPS ")?).into_iter().next();
    text.lines().filter_map(listed).filter(|name| list_variables(name).is_some()).take(MOST_UPS).collect()
}

/// The form of a line that is kept: a unit without its description, a variable of [`KEPT`], an error.
pub fn kept(line: &str) -> Option<String> {
    if let Some(rest) = line.strip_prefix("UPS ") {
        return rest.split_whitespace().next().map(|name| format!("UPS {name}"));
    }
    if let Some(rest) = line.strip_prefix("VAR ") {
        let name = rest.split_whitespace().nth(1)?;
        let known = |kept: &&str| name == *kept || (kept.ends_with('.') && name.starts_with(*kept));
        return KEPT.iter().any(known).then(|| line.to_owned());
    }
    (line.starts_with("ERR ") || line.starts_with("BEGIN LIST ") || line.starts_with("END LIST "))
        .then(|| line.to_owned())
}

/// Reads the kept lines; `place` is where they stand below `raw/`.
///
/// # Errors
/// In words, when the list of units did not come whole.
pub(crate) fn parse(text: &str, place: &str) -> Result<Vec<Ups>, &'static str> {
    let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::trim_end);
    if !lines.by_ref().any(|line| line == "BEGIN LIST UPS") {
        return Err("the UPS service did not list its units; see whether the UPS service of QTS runs");
    }
    let mut units: Vec<(String, BTreeMap<String, String>, Option<&str>)> = Vec::new();
    let mut whole = false;
    let mut current = None;
    // Answers come in the order of the list; an error does not say which unit it is about.
    let mut answered = 0;
    for line in lines {
        if line == "END LIST UPS" {
            whole = true;
        } else if let (false, Some(name)) = (whole, line.strip_prefix("UPS ")) {
            if units.len() < MOST_UPS && units.iter().all(|(known, _, _)| known != name) {
                units.push((name.to_owned(), BTreeMap::new(), Some("its variables were not told whole")));
            }
        } else if let Some(name) = line.strip_prefix("BEGIN LIST VAR ") {
            current = units.iter().position(|(known, _, _)| known == name);
        } else if let Some(name) = line.strip_prefix("END LIST VAR ") {
            if let Some(at) = units.iter().position(|(known, _, _)| known == name) {
                answered = at + 1;
                if let Some(unit) = units.get_mut(at) {
                    unit.2 = None;
                }
            }
            current = None;
        } else if let Some(error) = line.strip_prefix("ERR ") {
            if let Some(unit) = units.get_mut(answered) {
                unit.2 = Some(refusal(error));
            }
            answered += 1;
        } else if let Some((variables, words)) = current
            .and_then(|at| units.get_mut(at))
            .map(|unit| &mut unit.1)
            .zip(line.strip_prefix("VAR ").map(words))
            && let [_, name, value] = words.as_slice()
        {
            variables.insert(name.clone(), value.clone());
        }
    }
    if !whole {
        return Err("the list of units was cut");
    }
    Ok(units.into_iter().map(|(name, variables, why)| Reader { variables, why, place }.ups(name)).collect())
}

/// What an error of the protocol means.
fn refusal(error: &str) -> &'static str {
    match error.split_whitespace().next() {
        Some("DATA-STALE") => "the UPS service has lost the UPS; see its cable and its power switch",
        Some("DRIVER-NOT-CONNECTED") => "the UPS driver does not run; see the UPS settings of QTS",
        Some("ACCESS-DENIED") => "the UPS service refuses the question",
        _ => "the UPS service answered with an error",
    }
}

/// The words of a line; quotes hold one together, a backslash takes the next character as it is.
fn words(line: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word: Option<String> = None;
    let (mut quoted, mut escaped) = (false, false);
    for c in line.chars() {
        match c {
            _ if escaped => {
                word.get_or_insert_default().push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' | '\t' if !quoted => all.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    // A quote that never closes is a cut value.
    if !quoted {
        all.extend(word);
    }
    all
}

struct Reader<'a> {
    variables: BTreeMap<String, String>,
    why: Option<&'a str>,
    place: &'a str,
}

impl Reader<'_> {
    fn ups(&self, name: String) -> Ups {
        Ups {
            name,
            maker: self.text(&["ups.mfr", "device.mfr"]),
            model: self.text(&["ups.model", "device.model"]),
            serial: self.text(&["ups.serial", "device.serial"]),
            status: self.text(&["ups.status"]).map(|s| s.split_whitespace().map(str::to_owned).collect()),
            alarm: self.text(&["ups.alarm"]),
            charge_hundredths_percent: self.number("battery.charge", 100, 10_000),
            charge_low_hundredths_percent: self.number("battery.charge.low", 100, 10_000),
            runtime_s: self.number("battery.runtime", 1, 100_000_000).map(Seconds),
            load_hundredths_percent: self.number("ups.load", 100, 100_000),
            battery_date: self.text(&["battery.date", "battery.mfr.date"]),
            test_result: self.text(&["ups.test.result"]),
            input_mv: self.number("input.voltage", 1000, 1_000_000),
        }
    }

    fn text(&self, names: &[&str]) -> Observed<String> {
        if let Some(why) = self.why {
            return Observed::unreadable(why);
        }
        let found = names.iter().filter_map(|name| self.variables.get(*name)).map(|value| value.trim());
        match found.into_iter().find(|value| !value.is_empty()) {
            Some(value) => Observed::seen(value.to_owned(), self.place),
            None => Observed::Absent,
        }
    }

    /// A number with a decimal point, times `scale` (1, 100 or 1000) and at most `most`.
    fn number<T: TryFrom<u64>>(&self, name: &str, scale: u64, most: u64) -> Observed<T> {
        if let Some(why) = self.why {
            return Observed::unreadable(why);
        }
        let Some(value) = self.variables.get(name) else { return Observed::Absent };
        let number = scaled(value.trim(), scale).filter(|number| *number <= most);
        number.and_then(|number| T::try_from(number).ok()).map_or_else(
            || Observed::unreadable(format!("{name}: not a number of its range")),
            |number| Observed::seen(number, self.place),
        )
    }
}

/// `99.5` times 100 is 9950; further digits are left out. No sign, no exponent.
fn scaled(text: &str, scale: u64) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    let mut number = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let mut unit = scale;
    for digit in part.bytes() {
        unit /= 10;
        number = number.checked_add(u64::from(digit - b'0').checked_mul(unit)?)?;
    }
    Some(number)
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::hostile;

    const TEXT: &str = "BEGIN LIST UPS
UPS qnapups
END LIST UPS
BEGIN LIST VAR qnapups
VAR qnapups battery.charge \"62\"
VAR qnapups battery.charge.low \"20\"
VAR qnapups battery.date \"2019/04/11\"
VAR qnapups battery.runtime \"1240\"
VAR qnapups device.model \"Back-UPS 700\"
VAR qnapups input.voltage \"0.0\"
VAR qnapups ups.load \"37.5\"
VAR qnapups ups.mfr \"American \\\"Power\\\" \"
VAR qnapups ups.serial \"3B1904X12345\"
VAR qnapups ups.status \"OB DISCHRG LB\"
VAR qnapups ups.test.result \"No test initiated\"
END LIST VAR qnapups
";

    #[test]
    fn a_unit_on_battery() {
        let units = parse(TEXT, "x").expect("one");
        let ups = &units[0];
        assert_eq!((units.len(), ups.name.as_str()), (1, "qnapups"));
        assert_eq!(ups.status.value().expect("tokens"), &["OB", "DISCHRG", "LB"]);
        assert_eq!(ups.charge_hundredths_percent.value(), Some(&6200));
        assert_eq!(ups.charge_low_hundredths_percent.value(), Some(&2000));
        assert_eq!(ups.load_hundredths_percent.value(), Some(&3750));
        assert_eq!(ups.runtime_s.value(), Some(&Seconds(1240)));
        assert_eq!(ups.input_mv.value(), Some(&0));
        assert_eq!(ups.maker.value().map(String::as_str), Some("American \"Power\""));
        assert_eq!(ups.model.value().map(String::as_str), Some("Back-UPS 700"));
        assert!(ups.alarm.is_absent());
    }

    #[test]
    fn numbers_have_a_range() {
        fn check(text: &str, expected: Option<u64>) {
            assert_eq!(scaled(text, 100), expected, "{text}");
        }
        check("99.5", Some(9950));
        check("100", Some(10_000));
        check("0.129", Some(12));
        check("-1", None);
        check("", None);
        check(".5", None);
        check("1e3", None);
        check("NaN", None);
        check("18446744073709551615", None);
        let odd = parse(&TEXT.replace("\"62\"", "\"165\""), "x").expect("one");
        assert!(odd[0].charge_hundredths_percent.why_not().is_some_and(|why| why.contains("battery.charge")));
    }

    #[test]
    fn a_unit_that_does_not_answer_says_why() {
        let stale = "BEGIN LIST UPS\nUPS a\nUPS b\nUPS c\nEND LIST UPS\nERR DATA-STALE\nBEGIN LIST VAR b\n\
                     VAR b ups.status \"OL\"\nEND LIST VAR b\nERR DRIVER-NOT-CONNECTED\n";
        let units = parse(stale, "x").expect("three");
        assert!(units[0].status.why_not().is_some_and(|why| why.contains("lost the UPS")));
        assert_eq!(units[1].status.value().expect("one"), &["OL"]);
        assert!(units[2].status.why_not().is_some_and(|why| why.contains("driver does not run")));
        assert!(parse("ERR ACCESS-DENIED\n", "x").is_err());
        assert!(parse("", "x").is_err());
        assert_eq!(parse("BEGIN LIST UPS\nEND LIST UPS\n", "x"), Ok(Vec::new()));
    }

    #[test]
    fn secrets_and_personal_words_are_not_kept() {
        fn check(line: &str, expected: Option<&str>) {
            assert_eq!(kept(line).as_deref(), expected, "{line}");
        }
        check("VAR u driver.parameter.community \"hush\"", None);
        check("VAR u driver.parameter.password \"hush\"", None);
        check("VAR u ups.contact \"Ann\"", None);
        check("VAR u ups.id \"Ann's\"", None);
        check("VAR u device.location \"cellar\"", None);
        check("VAR u ups.status \"OL\"", Some("VAR u ups.status \"OL\""));
        check("VAR u battery.charge \"1\"", Some("VAR u battery.charge \"1\""));
        check("UPS qnapups \"Ann's desk\"", Some("UPS qnapups"));
        check("OK Goodbye", None);
        assert_eq!(list_variables("a\nSET VAR x"), None);
        assert_eq!(list_variables("qnapups").as_deref(), Some("LIST VAR qnapups\n"));
        assert_eq!(names("UPS a \"x y\"\nUPS b; \"\"\nBEGIN LIST UPS\n"), ["a"]);
    }

    #[test]
    fn no_cut_and_no_damage_makes_a_value() {
        let read = |bytes: &[u8]| match parse(&String::from_utf8_lossy(bytes), "x") {
            Ok(units) => Observed::seen(units, "x"),
            Err(why) => Observed::unreadable(why),
        };
        hostile::cut(TEXT.as_bytes(), read);
        hostile::mutate(TEXT.as_bytes(), 1000, read, |units| {
            for ups in units.value().into_iter().flatten() {
                assert!(ups.charge_hundredths_percent.value().is_none_or(|charge| *charge <= 10_000));
                assert!(ups.input_mv.value().is_none_or(|voltage| *voltage <= 1_000_000));
            }
        });
    }
}
