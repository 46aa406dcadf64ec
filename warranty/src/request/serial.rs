//! The serial number that was typed against the one that the unit itself reports.
//!
//! A wrong one blocks the right unit's coverage, so a difference is never passed over. Letters that look like digits on
//! a worn label get a hint. Refuses to conclude anything from a unit that reports none: its label counts then, and an
//! unreadable electronic serial is a finding, not a missing label (service terms L5).

use super::{Field, Problem};

/// Characters that are taken for each other on a label.
const ALIKE: &[(char, char)] =
    &[('O', '0'), ('I', '1'), ('B', '8'), ('S', '5'), ('Z', '2'), ('G', '6'), ('Q', '0')];
/// Fewest and most characters. Judgement: units seen have 10 to 14.
const LENGTH: std::ops::RangeInclusive<usize> = 6..=24;

/// A serial number as it is compared: no blanks, capital letters.
pub fn comparable(serial: &str) -> String {
    serial.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_uppercase).collect()
}

/// Checks the typed number; `reported` is what the unit says, where it says something.
pub(super) fn check(typed: &str, reported: Option<&str>, problems: &mut Vec<Problem>) {
    if typed.trim().is_empty() {
        return;
    }
    let typed = comparable(typed);
    if !LENGTH.contains(&typed.chars().count())
        || !typed.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    {
        problems.push(Problem::refused(
            Field::Serial,
            "is not what serial numbers look like",
            "type the letters and digits of the label with the bar code, such as Q165B04307",
        ));
        return;
    }
    let Some(reported) = reported.map(comparable).filter(|reported| !reported.is_empty()) else { return };
    if typed == reported {
        return;
    }
    let same = typed.chars().count() == reported.chars().count();
    let pairs: Vec<(char, char)> = typed.chars().zip(reported.chars()).filter(|(t, r)| t != r).collect();
    let alike = |(t, r): &(char, char)| {
        let folded = |c: char| ALIKE.iter().find(|(letter, _)| *letter == c).map_or(c, |(_, digit)| *digit);
        folded(*t) == folded(*r)
    };
    let problem = if same && pairs.iter().all(alike) {
        let (t, r) = pairs.first().copied().unwrap_or_default();
        Problem::refused(
            Field::Serial,
            format!("has {t} where the unit reports {r}"),
            format!("type {reported}, which is what the unit reports"),
        )
    } else {
        Problem::refused(
            Field::Serial,
            format!("is {typed}, and the unit reports {reported}"),
            format!("type {reported}, or start the request from the unit with the label {typed}"),
        )
    };
    problems.push(problem);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(typed: &str, reported: Option<&str>, says: &str) {
        let mut problems = Vec::new();
        check(typed, reported, &mut problems);
        let words = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        assert!(if says.is_empty() { words.is_empty() } else { words.contains(says) }, "{typed}: {words}");
    }

    #[test]
    fn l8_the_serial_number_is_the_units() {
        let unit = Some("Q165B04307");
        check_one("Q165B04307", unit, "");
        check_one(" q165 b04307 ", unit, "");
        check_one("Q165BO4307", unit, "has O where the unit reports 0");
        check_one("Q165BO43O7", unit, "type Q165B04307");
        check_one("QI65B04307", unit, "has I where the unit reports 1");
        check_one("Q165804307", unit, "has 8 where the unit reports B");
        check_one("Q165B04308", unit, "is Q165B04308, and the unit reports Q165B04307");
        check_one("Q165B0430", unit, "or start the request from the unit");
        check_one("Q165B04308", None, "");
        check_one("Q165B04308", Some(" "), "");
        check_one("abc", unit, "not what serial numbers look like");
        check_one("Q165*B04307", unit, "not what serial numbers look like");
    }
}
