//! An e-mail address by plain rules: what every mail server accepts, and nothing cleverer.
//!
//! Quoted names, comments and addresses at bare hosts are legal and refused: in a service form they are mistakes.

use super::{Field, Problem};

/// Longest address and longest part before the `@`, in bytes (RFC 5321, 4.5.3.1).
const MOST: (usize, usize) = (254, 64);
/// Longest part of a domain between dots, in bytes (RFC 1035, 2.3.4).
const MOST_LABEL: usize = 63;
/// Ends of addresses that are nearly always mistyped, and what was meant. Source: judgement.
const MISTYPED: &[(&str, &str)] = &[
    (".con", ".com"),
    (".cmo", ".com"),
    (".comm", ".com"),
    ("@gmial.com", "@gmail.com"),
    ("@gmai.com", "@gmail.com"),
    ("@hotmial.com", "@hotmail.com"),
    ("@yaho.com", "@yahoo.com"),
];

/// Checks the address.
pub(super) fn check(typed: &str, problems: &mut Vec<Problem>) {
    let typed = typed.trim();
    if typed.is_empty() {
        return;
    }
    if let Err((wrong, fix)) = judge(typed) {
        problems.push(Problem::refused(Field::Email, wrong, fix));
        return;
    }
    let lower = typed.to_ascii_lowercase();
    if let Some((end, meant)) = MISTYPED.iter().find(|(end, _)| lower.ends_with(end)) {
        let stem = typed.get(..typed.len().saturating_sub(end.len())).unwrap_or_default();
        problems.push(Problem::ask(
            Field::Email,
            format!("ends with {end}"),
            format!("type {stem}{meant} if that was meant"),
        ));
    }
}

fn judge(typed: &str) -> Result<(), (&'static str, &'static str)> {
    const SHAPE: &str = "type it as name@example.com";
    let Some((name, domain)) = typed.rsplit_once('@') else { return Err(("has no @", SHAPE)) };
    if typed.len() > MOST.0 || name.len() > MOST.1 {
        return Err(("is longer than mail servers accept", "type a shorter address"));
    }
    if typed.contains(char::is_whitespace) {
        return Err(("has a blank in it", "type it without blanks"));
    }
    if name.contains('@') || typed.contains([',', ';']) {
        return Err(("is more than one address, or has a comma where a dot belongs", "type one address"));
    }
    if !typed.is_ascii() {
        return Err(("has letters that not every mail server accepts", "type an address of ASCII letters"));
    }
    let dots =
        |text: &str| text.is_empty() || text.starts_with('.') || text.ends_with('.') || text.contains("..");
    if dots(name) || dots(domain) {
        return Err(("has a dot or an @ where a name belongs", SHAPE));
    }
    if name.bytes().any(|b| !(b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b))) {
        return Err(("has a character before the @ that addresses do not have", SHAPE));
    }
    let is_label = |label: &str| {
        label.len() <= MOST_LABEL
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = domain.rsplit('.').next().unwrap_or_default();
    let is_top = top.len() >= 2 && (top.bytes().all(|b| b.is_ascii_alphabetic()) || top.starts_with("xn--"));
    match domain.contains('.') && is_top && domain.split('.').all(is_label) {
        true => Ok(()),
        false => Err(("has no complete domain after the @", SHAPE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(typed: &str, says: &str) {
        let mut problems = Vec::new();
        check(typed, &mut problems);
        let words = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        assert!(if says.is_empty() { words.is_empty() } else { words.contains(says) }, "{typed}: {words}");
    }

    #[test]
    fn a7_email_addresses() {
        check_one("ada@example.com", "");
        check_one("ada.l+nas@mail.example.co.uk", "");
        check_one("o'brien@example.org", "");
        check_one("a@xn--bcher-kva.example", "");
        check_one("ada.example.com", "has no @");
        check_one("ada@", "a name belongs");
        check_one("@example.com", "a name belongs");
        check_one("ada@@example.com", "more than one address");
        check_one("a@b.com, c@d.com", "blank");
        check_one("a@example,com", "comma where a dot belongs");
        check_one("ada l@example.com", "blank");
        check_one("ada..l@example.com", "a name belongs");
        check_one("ada@localhost", "no complete domain");
        check_one("ada@192.168.1.1", "no complete domain");
        check_one("ada@-x.com", "no complete domain");
        check_one("<ada>@example.com", "character before the @");
        check_one("ada@bücher.example", "ASCII");
        check_one(&format!("{}@example.com", "a".repeat(65)), "longer than");
        check_one("ada@gmail.con", "type ada@gmail.com if");
        check_one("ada@gmial.com", "type ada@gmail.com if");
    }
}
