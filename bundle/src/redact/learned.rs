//! Names that no rule could guess and the caller knows: the host name, accounts.
//!
//! It refuses names that a log is full of anyway (`nas`, `sda`, `TS-453D`): replacing those everywhere would destroy
//! evidence. They are still replaced where the whole value is a name.

use super::finder::Finder;
use super::line::{Scan, is_word_byte};
use super::pseudonym::{Pseudonyms, is_word};
use super::words::{self, COMMON_HOSTS, COMMON_WORDS, SYSTEM_USERS};

/// Shorter names stand inside too much else by chance.
const SHORTEST: usize = 3;

/// The names and their automaton.
#[derive(Default)]
pub(super) struct Learned {
    names: Vec<(String, &'static str)>,
    finder: Option<Finder>,
}

impl Learned {
    /// Learns a name of kind `host` or `user`; whether it is a new one that can be replaced wherever it stands.
    pub(super) fn add(&mut self, name: &str, kind: &'static str) -> bool {
        let name = name.trim().to_ascii_lowercase();
        if !telling(&name) || self.names.iter().any(|(known, _)| *known == name) {
            return false;
        }
        self.names.push((name, kind));
        // Longest first, so that `nas-office-2` is not found as `nas-office`.
        self.names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        self.finder = Finder::new(self.names.iter().map(|(name, _)| &**name));
        true
    }

    /// All names, for the gate.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    /// The kind under which a name is known.
    pub(super) fn kind_of(&self, name: &str) -> Option<&'static str> {
        self.names.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind)
    }

    /// Proposes every learnt name that stands as a whole word.
    pub(super) fn names(&self, pseudonyms: &Pseudonyms, scan: &mut Scan) {
        let Some(finder) = &self.finder else { return };
        for found in finder.all(scan.line) {
            let (start, end) = (found.start(), found.end());
            let whole =
                !scan.before(start).is_some_and(is_word_byte) && !scan.byte(end).is_some_and(is_word_byte);
            if let Some((name, kind)) = self.names.get(found.pattern().as_usize())
                && whole
            {
                scan.replace(start, end, kind, pseudonyms.word(kind, name));
            }
        }
    }
}

/// Whether a name tells something and can be replaced wherever it stands.
fn telling(name: &str) -> bool {
    let digits_and_hex = name.bytes().all(|b| b.is_ascii_hexdigit());
    name.len() >= SHORTEST
        && name.bytes().any(|b| b.is_ascii_alphabetic() || b >= 0x80)
        && !digits_and_hex
        && !is_word(name)
        && !words::has(COMMON_HOSTS, name)
        && !words::has(COMMON_WORDS, name)
        && !words::has(SYSTEM_USERS, name)
        && !is_device(name)
        && !is_model(name)
}

/// Kernel names such as `sda`, `md1`, `ata3`, `nvme0n1`, `eth0`, `mc0`.
fn is_device(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let numbered = stem.len() < name.len();
    let disk = name.len() <= 5 && name.starts_with("sd") && name.bytes().all(|b| b.is_ascii_lowercase());
    const STEMS: &[&str] = &[
        "sd", "hd", "vd", "md", "dm-", "ata", "eth", "bond", "br", "mc", "dimm", "rank", "fan", "temp", "in",
        "pwm", "hwmon", "cpu", "nvme", "nvme0n", "mmcblk", "host", "target", "usb", "sg", "loop", "ttys",
        "slot", "bay", "port",
    ];
    disk || (numbered && STEMS.contains(&stem))
}

/// Marketing names of machines, which many owners leave as the host name: `TS-453D`, `TVS-h874`, `TS453D`.
fn is_model(name: &str) -> bool {
    const SERIES: &[&str] =
        &["tvs", "tbs", "tds", "tes", "qsw", "tsx", "hs", "ts", "tr", "tl", "qgd", "gm", "es", "ss"];
    SERIES.iter().filter_map(|s| name.strip_prefix(s)).any(|rest| {
        let rest = rest.strip_prefix('-').unwrap_or(rest);
        rest.bytes().any(|b| b.is_ascii_digit()) && rest.len() <= 12
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: bool) {
        assert_eq!(telling(name), expected, "{name}");
    }

    #[test]
    fn only_telling_names_are_learnt() {
        for name in ["qnap-office", "bobs-nas", "nas0a1b2c", "bob", "grün"] {
            check(name, true);
        }
        for name in [
            "nas",
            "sda",
            "md1",
            "ts-453d",
            "tvs-h874",
            "ts453d",
            "ab",
            "1234",
            "cafe",
            "localhost",
            "host-7k3m9q2x",
        ] {
            check(name, false);
        }
    }
}
