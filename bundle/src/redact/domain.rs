//! Domain names, mail addresses and iSCSI names.

use super::line::{Cleaner, Scan, is_word_byte};
use super::pseudonym::is_word;
use super::rules::Hint;
use super::secret::hits;
use super::words::{self, DOCUMENTATION_DOMAINS, PUBLIC_DOMAINS, SECOND_LEVEL, SERVICE_LABELS, UNIT_ENDS};

/// Longest domain name (RFC 1035, 2.3.4); of a longer one the end is looked at.
const LONGEST: usize = 253;

fn is_domain_byte(b: u8) -> bool {
    is_word_byte(b) || b == b'-' || b == b'.' || b == b'_'
}

impl Cleaner {
    /// A domain name label by label; the end that everybody shares stays. With `host` the first label names a
    /// machine.
    pub(super) fn domain(&self, name: &str, host: bool) -> String {
        let lower = name.to_lowercase();
        let public = words::all(PUBLIC_DOMAINS).any(|p| is_below(&lower, p));
        if public {
            return name.to_owned();
        }
        let labels: Vec<&str> = name.split('.').collect();
        let mut personal = labels.len().saturating_sub(1);
        let country = labels.last().is_some_and(|l| l.len() == 2);
        let second =
            labels.get(personal.wrapping_sub(1)).is_some_and(|l| words::has_any_case(SECOND_LEVEL, l));
        let documentation = words::all(DOCUMENTATION_DOMAINS).any(|d| is_below(&lower, d));
        let machine_from = if documentation { 1 } else { 2 };
        if documentation || personal >= 2 && second && (country || lower.ends_with(".home.arpa")) {
            personal -= 1;
        }
        let cleaned: Vec<String> = labels
            .iter()
            .enumerate()
            .map(|(at, label)| {
                let service =
                    personal >= machine_from && at == 0 && words::has_any_case(SERVICE_LABELS, label);
                if at >= personal || service || label.is_empty() || is_word(label) {
                    return (*label).to_owned();
                }
                let known = self.learned.kind_of(label);
                let machine = at == 0 && host && (personal >= machine_from || is_home(&lower));
                self.pseudonyms
                    .word(if machine || known.is_some() { known.unwrap_or("host") } else { "dom" }, label)
            })
            .collect();
        cleaned.join(".")
    }
}

/// Whether a name is a domain or stands below it.
fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Ends under which a single label is a machine: `nas.local`.
fn is_home(name: &str) -> bool {
    ["local", "lan", "home", "internal", "localdomain", "box", "intranet", "private", "corp"]
        .iter()
        .any(|end| name.rsplit('.').next() == Some(end))
}

/// Names with a known end.
pub(super) fn names(cleaner: &Cleaner, scan: &mut Scan) {
    for (end, ambiguous) in scan.hits.iter().filter_map(|h| match h.hint {
        Hint::Domain { ambiguous } => Some((h.end, ambiguous)),
        _ => None,
    }) {
        // The end must be the end: not `.dev` of `.device`, not `.com` of `org.com.x`.
        let goes_on = scan.byte(end).is_some_and(|b| is_word_byte(b) || b == b'-' || b == b'_')
            || (scan.byte(end) == Some(b'.') && scan.byte(end + 1).is_some_and(is_word_byte));
        if goes_on {
            continue;
        }
        let start = scan.run_left(end, is_domain_byte).max(scan.boundary(end.saturating_sub(LONGEST)));
        let whole = scan.part(start, end);
        let name = whole.rsplit("..").next().unwrap_or(whole).trim_start_matches(['-', '.', '_']);
        let start = end - name.len();
        let labels = name.split('.').count();
        let file = scan.before(start) == Some(b'/')
            && !matches!(scan.before(start.saturating_sub(1)), Some(b'/' | b'\\'));
        if labels < if ambiguous { 3 } else { 2 } || (ambiguous && file) || name.split('.').any(str::is_empty)
        {
            continue;
        }
        let mail = scan.before(start) == Some(b'@');
        let with = cleaner.domain(name, !mail);
        let kind = if with.starts_with("host-") && !is_word(name.split('.').next().unwrap_or_default()) {
            "host"
        } else {
            "domain"
        };
        scan.replace(start, end, kind, with);
    }
}

/// `bob@example.com`, and `bob@nas` as SSH keys and prompts have it.
pub(super) fn mail(cleaner: &Cleaner, scan: &mut Scan) {
    for (at, after) in hits(scan, Hint::At) {
        let start = scan.run_left(at, |b| is_word_byte(b) || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-'));
        let end = scan.run_right(after, |b| is_word_byte(b) || b == b'.' || b == b'-');
        let left = scan.part(start, at).trim_start_matches(['.', '-']);
        let right = scan.part(after, end).trim_end_matches(['.', '-']);
        let (start, end) = (at - left.len(), after + right.len());
        if left.is_empty() || right.is_empty() {
            continue;
        }
        let last = right.rsplit('.').next().unwrap_or_default();
        if right.contains('.') && last.chars().all(char::is_alphabetic) && last.chars().count() >= 2 {
            if words::has(UNIT_ENDS, last) {
                continue;
            }
            let (address, host) = (format!("{left}@{right}"), cleaner.domain(right, false));
            if !is_word(left) {
                scan.replace(start, at, "mail", cleaner.pseudonyms.word("mail", &address));
            }
            scan.replace(after, end, "domain", host);
        } else if right.bytes().all(|b| b.is_ascii_digit() || b == b'.') && right.contains('.') {
            let with = if is_word(left) { left.to_owned() } else { cleaner.user(left) };
            scan.replace(start, at, "user", with);
        } else if !right.contains('.') && is_account_at_host(left, right) {
            let with = if is_word(left) { left.to_owned() } else { cleaner.user(left) };
            scan.replace(start, at, "user", with);
            scan.replace(after, end, "host", cleaner.host(right));
        }
    }
}

/// Not `ethernet@fd580000`, `i2c@1,0` or `2@3V`: device trees are full of those.
fn is_account_at_host(left: &str, right: &str) -> bool {
    /// Nodes of a device tree.
    const NODES: &[&str] =
        &["i2c", "spi", "usb", "pci", "pcie", "mmc", "cpu", "memory", "gpio", "serial", "ethernet"];
    let letters = |text: &str, least| text.chars().filter(|c| c.is_alphabetic()).count() >= least;
    left.starts_with(char::is_alphabetic)
        && right.starts_with(char::is_alphabetic)
        && letters(left, 2)
        && !NODES.contains(&left)
        && letters(right, 3)
        && !right.bytes().all(|b| b.is_ascii_hexdigit())
        && !right.contains(',')
}

/// `iqn.2004-04.com.qnap:ts-453d:iscsi.bob.1a2b3c`: what follows the naming authority is the owner's.
pub(super) fn iqn(cleaner: &Cleaner, scan: &mut Scan) {
    let mut done = 0;
    for (start, after) in hits(scan, Hint::Iqn) {
        if start < done {
            continue;
        }
        let end = scan.run_right(after, |b| is_domain_byte(b) || b == b':');
        done = end;
        let name = scan.part(start, end).trim_end_matches(['.', ':', ',']);
        let Some((authority, own)) = name.split_once(':') else { continue };
        let dated = authority.get(4..8).is_some_and(|year| year.bytes().all(|b| b.is_ascii_digit()));
        if dated && !own.is_empty() && !is_word(own) {
            let from = start + authority.len() + 1;
            let with = cleaner.pseudonyms.word("name", own);
            scan.replace(from, start + name.len(), "iqn", with);
        }
    }
}
