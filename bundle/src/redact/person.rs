//! Names of people, machines and shared folders: in fields and in prose.

use std::net::Ipv4Addr;

use super::field::Field;
use super::line::{Cleaner, Scan};
use super::pseudonym::is_word;
use super::rules::Hint;
use super::secret::{hits, is_blank};
use super::words::{self, COMMON_HOSTS, SYSTEM_FOLDERS, SYSTEM_USERS};

impl Cleaner {
    /// The stand-in for an account. `DOMAIN\user` and `user@domain` are one name.
    pub(super) fn user(&self, name: &str) -> String {
        let plain = name.trim();
        let number = plain.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
        let kept = number || words::has_any_case(SYSTEM_USERS, plain) || is_blank(plain);
        if kept { name.to_owned() } else { self.pseudonyms.word("user", plain) }
    }

    /// The stand-in for a machine: each label by itself, so that `nas` and `nas.example.com` stay related.
    pub(super) fn host(&self, name: &str) -> String {
        let plain = name.trim();
        if words::has_any_case(COMMON_HOSTS, plain) || is_blank(plain) || is_address(plain) {
            return name.to_owned();
        }
        match plain.contains('.') {
            true => self.domain(plain, true),
            false => self.pseudonyms.word("host", plain),
        }
    }

    /// The stand-in for a shared folder.
    pub(super) fn share(&self, name: &str) -> String {
        let kept = words::has_any_case(SYSTEM_FOLDERS, name) || is_blank(name);
        if kept { name.to_owned() } else { self.pseudonyms.word("share", name) }
    }

    /// The stand-in for the value of a field that is no secret, with its kind. `None`: it stays.
    pub(super) fn field_value(&self, field: Field, text: &str) -> Option<(&'static str, String)> {
        let plain = text.trim();
        if plain.is_empty() || is_word(plain) || is_blank(plain) {
            return None;
        }
        match field {
            Field::User if plain.starts_with(|c: char| c.is_ascii_digit()) => None,
            Field::User => Some(("user", self.user(plain))),
            Field::Host if !is_name(plain) => None,
            Field::Host => Some(("host", self.host(plain))),
            Field::Share if plain.starts_with('/') => None,
            Field::Share => Some(("share", self.share(plain))),
            Field::Network => Some(("network", self.pseudonyms.word("net", plain))),
            Field::Mac => self.bare_mac(plain).map(|with| ("mac", with)),
            Field::Secret(_) | Field::Header(_) => None,
        }
    }
}

/// Whether a text can be a host name and is not the kernel's `host0`.
fn is_name(text: &str) -> bool {
    let number =
        text.strip_prefix("host").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    !number
        && text.chars().any(char::is_alphabetic)
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_'))
}

fn is_address(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok() || text.contains(':')
}

fn is_account_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@' | b'\\' | b'$') || b >= 0x80
}

/// `for user bob`, `user "bob"`, `user 'bob'`, `uid=1000(bob)`.
pub(super) fn users(cleaner: &Cleaner, scan: &mut Scan) {
    for (start, end) in hits(scan, Hint::User) {
        if scan.before(start).is_some_and(|b| b.is_ascii_alphanumeric()) {
            continue;
        }
        let gap = scan.run_right(end, |b| b == b' ');
        if gap == end {
            continue;
        }
        let quoted = matches!(scan.byte(gap), Some(b'"' | b'\'' | b'[' | b'<'));
        let from = gap + usize::from(quoted);
        let to = scan.run_right(from, is_account_byte);
        let name = scan.part(from, to).trim_end_matches(['.', '-']);
        let asked = ["for ", "invalid ", "by ", "of ", "from ", "unknown ", "illegal "]
            .iter()
            .any(|w| scan.part(0, start).ends_with(w));
        /// Words of the machine after "user".
        const OTHER: &[&str] = &[
            "space", "mode", "data", "memory", "access", "input", "id", "name", "process", "program",
            "request", "thread",
        ];
        if name.is_empty() || OTHER.contains(&name.split('-').next().unwrap_or_default()) {
            continue;
        }
        let starts_well = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if (quoted || asked) && starts_well {
            let with = cleaner.user(name);
            scan.replace(from, from + name.len(), "user", with);
        }
    }
}

/// Longest name of a shared folder whose closing quote is looked for: four times what SMB allows, in UTF-8.
const LONGEST_SHARE: usize = 320;

/// `share "x"`, `shared folder [x]`.
pub(super) fn shares(cleaner: &Cleaner, scan: &mut Scan) {
    for (start, end) in hits(scan, Hint::Share) {
        if scan.before(start).is_some_and(|b| b.is_ascii_alphanumeric() || b == b'/') {
            continue;
        }
        let gap = scan.run_right(end, |b| b == b' ');
        let close = match scan.byte(gap) {
            Some(b'"') => b'"',
            Some(b'\'') => b'\'',
            Some(b'[') => b']',
            _ => continue,
        };
        let within = scan.line.as_bytes().get(gap + 1..).unwrap_or_default();
        let Some(to) = within.iter().take(LONGEST_SHARE).position(|b| *b == close).map(|at| gap + 1 + at)
        else {
            continue;
        };
        if gap > end {
            let with = cleaner.share(scan.part(gap + 1, to));
            scan.replace(gap + 1, to, "share", with);
        }
    }
}
