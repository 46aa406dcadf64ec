//! A telephone number in the international form of E.164: `+`, country, number, at most 15 digits.
//!
//! A courier and a technician call it from another country, so a national form is refused; the message holds the
//! international form whenever it can be told. Nothing is converted silently: the owner confirms the number.

use super::{Field, Problem};

/// Fewest and most digits behind the `+` (ITU-T E.164 allows 15; shorter than 7 reaches nobody abroad: judgement).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// What to type when the international form cannot be told.
const NO_SUGGESTION: &str = "type +, the country's code and the number without its leading 0, digits only: +14155550100 or +493012345678";

/// Checks the number; `plus_one` when the address lies where numbers begin with `+1`.
pub(super) fn check(typed: &str, plus_one: bool, problems: &mut Vec<Problem>) {
    let typed = typed.trim();
    if typed.is_empty() {
        return;
    }
    let digits = typed.strip_prefix('+').unwrap_or_default();
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let wrong = match plain {
        true => wrong(digits).map(str::to_owned),
        false => Some("is not in the international form".to_owned()),
    };
    let Some(wrong) = wrong else { return };
    let fix = match suggestion(typed, plus_one).filter(|digits| self::wrong(digits).is_none()) {
        Some(digits) => format!("type +{digits} if that is your number"),
        None => NO_SUGGESTION.to_owned(),
    };
    problems.push(Problem::refused(Field::Phone, wrong, fix));
}

/// What is wrong with the digits behind the `+`.
fn wrong(digits: &str) -> Option<&'static str> {
    if !DIGITS.contains(&digits.len()) {
        return Some("does not have 7 to 15 digits");
    }
    if digits.starts_with('0') {
        return Some("has a 0 where the country's code begins");
    }
    let national = digits.strip_prefix('1')?;
    // North American numbering plan: area code and exchange begin with 2 to 9.
    let begins = |at: usize| national.as_bytes().get(at).is_some_and(|b| (b'2'..=b'9').contains(b));
    if national.len() != 10 {
        return Some("begins with +1 and does not have ten digits after it");
    }
    (!begins(0) || !begins(3)).then_some("has an area code or exchange that begins with 0 or 1")
}

/// The digits of the international form that was probably meant.
fn suggestion(typed: &str, plus_one: bool) -> Option<String> {
    let number = typed.split(['x', 'X', ';', ',']).next().unwrap_or_default().replace("(0)", "");
    let strange = |c: char| !(c.is_ascii_digit() || c.is_whitespace() || "+-./()".contains(c));
    if number.contains(strange) {
        return None;
    }
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    if number.trim().starts_with('+') {
        return Some(digits);
    }
    // Prefixes that people dial for another country: 011 in North America, 00 elsewhere.
    let dialled =
        if plus_one { digits.strip_prefix("011") } else { None }.or_else(|| digits.strip_prefix("00"));
    match dialled {
        Some(international) => Some(international.to_owned()),
        None if plus_one && digits.len() == 10 => Some(format!("1{digits}")),
        None if plus_one && digits.len() == 11 && digits.starts_with('1') => Some(digits),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(typed: &str, plus_one: bool, says: &str) {
        let mut problems = Vec::new();
        check(typed, plus_one, &mut problems);
        let words = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        assert!(if says.is_empty() { words.is_empty() } else { words.contains(says) }, "{typed}: {words}");
    }

    #[test]
    fn a7_telephone_numbers_are_international() {
        check_one("+14155552671", true, "");
        check_one(" +493012345678 ", false, "");
        check_one("+3726001234", false, "");
        check_one("(415) 555-2671", true, "type +14155552671 if");
        check_one("1-415-555-2671", true, "type +14155552671 if");
        check_one("415.555.2671 x12", true, "type +14155552671 if");
        check_one("+1 415 555 2671", true, "type +14155552671 if");
        check_one("011 49 30 12345678", true, "type +493012345678 if");
        check_one("0049 30 12345678", false, "type +493012345678 if");
        check_one("+49 (0)30 12345678", false, "type +493012345678 if");
        check_one("030 12345678", false, "type +, the country's code");
        check_one("1-800-FLOWERS", true, "type +, the country's code");
        check_one("+12345", true, "7 to 15 digits");
        check_one("+1234567", true, "ten digits after it");
        check_one("+1234567890123456", true, "7 to 15 digits");
        check_one("+049301234567", false, "0 where the country's code begins");
        check_one("+1415555267", true, "ten digits");
        check_one("+11155552671", true, "begins with 0 or 1");
        check_one("555-2671", true, "type +, the country's code");
    }
}
