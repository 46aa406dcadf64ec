//! Stable pseudonyms: the same value gets the same stand-in on this device, and nobody without the owner's key can go
//! back. Every stand-in can be told from a real value by its shape alone, so that cleaning twice changes nothing.
//!
//! * Words are `kind-` and four pairs of digit and letter: `host-7k3m9q2x`. No person names a host so.
//! * MAC addresses keep the maker's half; the fourth octet is one small and one capital letter, a mixture that no
//!   tool prints.
//! * IPv4 addresses move to 240.0.0.0/4, which is reserved and on no network; the first octet says what it was.
//! * IPv6 addresses move to 2001:db8::/32, the range for documentation; link-local ones stay link-local.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use ring::hmac;

/// Digits and letters of the words; without 0, 1, i, l and o, which people confuse.
const DIGITS: &[u8; 8] = b"23456789";
const LETTERS: &[u8; 23] = b"abcdefghjkmnpqrstuvwxyz";
/// Pairs in a word: (8 · 23)^4 is a little over 2^30, enough for the names of one device.
const PAIRS: usize = 4;
/// All kinds of words.
const KINDS: &[&str] = &["host", "dom", "mail", "user", "share", "name", "net"];

/// The keyed functions.
pub(crate) struct Pseudonyms {
    key: hmac::Key,
    /// The digests of addresses that were seen last: a log names few, and each many times.
    seen: RefCell<Vec<Seen>>,
}

/// A short class and value, and their digest.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// Length of the class and of both; 0 where nothing was seen.
    lengths: [u8; 2],
    text: [u8; LONGEST_SEEN],
    digest: [u8; 32],
}

/// The longest is an IPv6 address with its class.
const LONGEST_SEEN: usize = 20;
/// A later digest takes the place of one before, so that a log full of addresses cannot fill the memory.
const MOST_SEEN: usize = 1024;

impl Seen {
    /// `None`: it is too long to be kept.
    fn of(class: &str, value: &[u8]) -> Option<Self> {
        let mut seen = Self::default();
        let length = class.len() + value.len();
        let both = class.bytes().chain(value.iter().copied());
        seen.text.get_mut(..length)?.iter_mut().zip(both).for_each(|(to, from)| *to = from);
        seen.lengths = [u8::try_from(class.len()).ok()?, u8::try_from(length).ok()?];
        Some(seen)
    }

    fn is(&self, other: &Self) -> bool {
        self.lengths == other.lengths && self.text == other.text
    }

    fn place(&self) -> usize {
        let hash =
            self.text.iter().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193));
        usize::try_from(hash ^ (hash >> 15)).unwrap_or_default() % MOST_SEEN
    }
}

impl Pseudonyms {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), seen: RefCell::default() }
    }

    /// HMAC-SHA256 of class and value; the class is ended by a NUL, so no two pairs are one input.
    pub(crate) fn digest(&self, class: &str, value: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(class.as_bytes());
        context.update(&[0]);
        context.update(value);
        let mut out = [0; 32];
        out.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        out
    }

    /// The same for what is likely to come again.
    fn again(&self, class: &str, value: &[u8]) -> [u8; 32] {
        let (Some(mut wanted), Ok(mut seen)) = (Seen::of(class, value), self.seen.try_borrow_mut()) else {
            return self.digest(class, value);
        };
        if seen.is_empty() {
            seen.resize(MOST_SEEN, Seen::default());
        }
        match seen.get_mut(wanted.place()) {
            Some(known) if known.is(&wanted) => known.digest,
            Some(slot) => {
                wanted.digest = self.digest(class, value);
                *slot = wanted;
                wanted.digest
            }
            None => self.digest(class, value),
        }
    }

    fn number(&self, class: &str, value: &[u8]) -> u64 {
        self.again(class, value).iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b))
    }

    /// `kind-7k3m9q2x` for a value; case does not count.
    pub(crate) fn word(&self, kind: &'static str, value: &str) -> String {
        if is_word(value) {
            return value.to_owned();
        }
        let mut n = self.number(kind, value.to_lowercase().as_bytes());
        let mut word = format!("{kind}-");
        for _ in 0..PAIRS {
            for alphabet in [&DIGITS[..], &LETTERS[..]] {
                let size = alphabet.len() as u64;
                word.push(char::from(alphabet.get((n % size) as usize).copied().unwrap_or(b'x')));
                n /= size;
            }
        }
        word
    }

    /// The last three octets of a MAC address, given all six as numbers; separators are the caller's.
    pub(crate) fn mac_tail(&self, octets: [u8; 6]) -> [String; 3] {
        let n = self.number("mac", &octets);
        let letter = |base: char, n: u64| char::from(base as u8 + (n % 6) as u8);
        [
            format!("{}{}", letter('a', n), letter('A', n >> 8)),
            format!("{:02x}", n >> 16 & 0xff),
            format!("{:02x}", n >> 24 & 0xff),
        ]
    }

    /// An IPv4 address with equal prefixes kept equal, octet by octet; 0 and 255 stay, so that networks and
    /// broadcasts can still be seen. `None`: the address says nothing about anybody and stays.
    pub(crate) fn ipv4(&self, address: Ipv4Addr) -> Option<Ipv4Addr> {
        let [a, b, c, d] = address.octets();
        if address.is_loopback()
            || address.is_link_local()
            || address.is_documentation()
            || a == 0
            || a >= 224
        {
            return None;
        }
        let first = match (a, b) {
            (10, _) => 240,
            (172, 16..=31) => 241,
            (192, 168) => 242,
            (100, 64..=127) => 243,
            // 244 to 254: a public address.
            _ => 244 + (self.number("ipv4", &[a]) % 11) as u8,
        };
        Some(Ipv4Addr::new(first, self.octet(&[a], b), self.octet(&[a, b], c), self.octet(&[a, b, c], d)))
    }

    /// A keyed permutation of 1..=254 for each prefix: four Feistel rounds over half octets, whose sixteen-entry
    /// tables are exactly one digest; walked on past 0 and 255, which are fixed.
    fn octet(&self, prefix: &[u8], value: u8) -> u8 {
        if value == 0 || value == 255 {
            return value;
        }
        let tables = self.again("ipv4", prefix);
        let mut current = value;
        loop {
            let (mut left, mut right) = (current >> 4, current & 15);
            for table in tables.chunks(8) {
                let pair = table.get(usize::from(right >> 1)).copied().unwrap_or_default();
                let round = if right & 1 == 0 { pair & 15 } else { pair >> 4 };
                (left, right) = (right, left ^ round);
            }
            current = left << 4 | right;
            if current != 0 && current != 255 {
                return current;
            }
        }
    }

    /// An IPv6 address with equal /32, /48 and /64 prefixes kept equal; the first byte stays, so that a private
    /// (`fd`) can be told from a public address. `None`: it stays as it is.
    pub(crate) fn ipv6(&self, address: Ipv6Addr) -> Option<Ipv6Addr> {
        let s = address.segments();
        let bytes = address.octets();
        let hash = |len: usize| self.number("ipv6", bytes.get(..len).unwrap_or(&bytes));
        let (all, first) = (hash(16), s[0]);
        if first & 0xffc0 == 0xfe80 {
            // Most hold the MAC address in full.
            return (s[4] != 0x0db8).then(|| {
                Ipv6Addr::new(
                    first,
                    s[1],
                    s[2],
                    s[3],
                    0x0db8,
                    (all >> 32) as u16,
                    (all >> 16) as u16,
                    all as u16,
                )
            });
        }
        let personal = first & 0xe000 == 0x2000 || first & 0xfe00 == 0xfc00;
        let stands_in = first == 0x2001 && s[1] == 0x0db8;
        (personal && !stands_in).then(|| {
            Ipv6Addr::new(
                0x2001,
                0x0db8,
                first & 0xff00 | (hash(4) & 0xff) as u16,
                hash(6) as u16,
                hash(8) as u16,
                (all >> 32) as u16,
                (all >> 16) as u16,
                all as u16,
            )
        })
    }

    /// A secret that looks random, for canaries: letters and digits only.
    pub(crate) fn canary(&self, label: &str) -> String {
        self.digest("canary", label.as_bytes()).iter().take(16).fold(String::from("Cq"), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Whether this is one of our own words.
pub(crate) fn is_word(text: &str) -> bool {
    let Some((kind, tail)) = text.split_once('-') else { return false };
    KINDS.contains(&kind)
        && tail.len() == 2 * PAIRS
        && tail.bytes().enumerate().all(
            |(i, b)| {
                if i % 2 == 0 { DIGITS.contains(&b) } else { LETTERS.contains(&b) }
            },
        )
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pseudonyms() -> Pseudonyms {
        Pseudonyms::new(&[7; 32])
    }

    #[test]
    fn words_are_stable_and_known_again() {
        let p = pseudonyms();
        let word = p.word("host", "QNAP-Office");
        assert!(is_word(&word), "{word}");
        assert_eq!(word, p.word("host", "qnap-office"));
        assert_eq!(word, p.word("host", &word));
        assert_ne!(word.get(5..), p.word("user", "qnap-office").get(5..));
        assert_ne!(word, Pseudonyms::new(&[8; 32]).word("host", "qnap-office"));
        for real in ["host-computer", "host-1a2b3c4d", "qnap-7k3m9q2x", "host-7k3m9q2", "hosts"] {
            assert!(!is_word(real), "{real}");
        }
    }

    #[test]
    fn octets_are_permuted() {
        let p = pseudonyms();
        let mut seen: Vec<u8> = (0..=255).map(|o| p.octet(&[10, 1], o)).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..=255).collect::<Vec<u8>>());
    }

    fn check_v4(from: &str, expected_first: Option<u8>) {
        let got = pseudonyms().ipv4(from.parse().unwrap());
        assert_eq!(got.map(|a| a.octets()[0]), expected_first, "{from}");
        if let Some(again) = got {
            assert_eq!(pseudonyms().ipv4(again), None, "{from} is not stable");
        }
    }

    #[test]
    fn addresses_say_what_they_were_and_are_stable() {
        check_v4("10.1.2.3", Some(240));
        check_v4("172.20.0.1", Some(241));
        check_v4("192.168.1.5", Some(242));
        check_v4("100.64.0.1", Some(243));
        for kept in ["127.0.0.1", "0.0.0.0", "169.254.1.1", "255.255.255.0", "192.0.2.1", "224.0.0.251"] {
            check_v4(kept, None);
        }
        let p = pseudonyms();
        let (a, b) =
            (p.ipv4("10.1.2.3".parse().unwrap()).unwrap(), p.ipv4("10.1.9.3".parse().unwrap()).unwrap());
        assert_eq!(a.octets()[..2], b.octets()[..2]);
        assert_ne!(a.octets()[2], b.octets()[2]);
        for v6 in ["fd00:1234::5", "2a02:8070::1", "fe80::265e:beff:fe12:3456"] {
            let once = p.ipv6(v6.parse().unwrap()).unwrap();
            assert_eq!(p.ipv6(once), None, "{v6}");
        }
        for kept in ["::1", "ff02::1", "2001:db8::1", "::"] {
            assert_eq!(p.ipv6(kept.parse().unwrap()), None, "{kept}");
        }
    }

    #[test]
    fn mac_tails_carry_the_mark() {
        let [mark, b, c] = pseudonyms().mac_tail([0x24, 0x5e, 0xbe, 0x12, 0x34, 0x56]);
        let mut mark = mark.chars();
        assert!(matches!(mark.next(), Some('a'..='f')) && matches!(mark.next(), Some('A'..='F')));
        assert_eq!((b.len(), c.len()), (2, 2));
    }
}
