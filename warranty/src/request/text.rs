//! What any typed text must be: present where it is needed, not too long, and made of characters that a person sees.
//!
//! Invisible characters are refused and not removed: a direction mark in an address prints as another address, and a
//! zero-width blank in a serial number finds no unit.

use super::{Field, Problem};

/// Whether a character prints nothing or turns the direction of what follows.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Refuses what is empty, too long or invisible. Lines and tabs belong only into fields of several lines.
pub(super) fn check(field: Field, text: &str, problems: &mut Vec<Problem>) {
    let limits = field.limits();
    if text.trim().is_empty() {
        if limits.needed {
            problems.push(Problem::refused(field, "is empty", field.fix()));
        }
        return;
    }
    let length = text.chars().count();
    if length > limits.most_chars {
        problems.push(Problem::refused(
            field,
            format!("has {length} characters; {} fit", limits.most_chars),
            format!("shorten it to {} characters", limits.most_chars),
        ));
    }
    let allowed = |c: char| limits.several_lines && matches!(c, '\n' | '\r' | '\t');
    if let Some(position) = text.chars().position(|c| is_invisible(c) && !allowed(c)) {
        problems.push(Problem::refused(
            field,
            format!("has an invisible character at position {}", position.saturating_add(1)),
            "type the text anew instead of pasting it",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(field: Field, text: &str, says: &str) {
        let mut problems = Vec::new();
        check(field, text, &mut problems);
        let words = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        assert!(if says.is_empty() { words.is_empty() } else { words.contains(says) }, "{text:?}: {words}");
    }

    #[test]
    fn a7_texts_are_there_fit_and_can_be_seen() {
        check_one(Field::Contact, "Ada Lovelace", "");
        check_one(Field::Contact, "Łucja Śliwińska", "");
        check_one(Field::Contact, " \t", "contact person is empty");
        check_one(Field::AddressLine2, "", "");
        check_one(Field::Contact, &"a".repeat(101), "has 101 characters; 100 fit");
        check_one(Field::Contact, "Ada\nLovelace", "invisible character at position 4");
        check_one(Field::Contact, "Ada\u{202e}ecalevoL", "invisible character at position 4");
        check_one(Field::Serial, "Q165\u{200b}B04307", "invisible character at position 5");
        check_one(Field::ProblemText, "It beeps.\nFan 2 stands.", "");
        check_one(Field::ProblemText, "It beeps.\u{7}", "invisible character");
        check_one(Field::ProblemText, &"a".repeat(4_001), "4000 fit");
    }
}
