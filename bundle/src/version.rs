//! A version as releases of Assay are numbered (Semantic Versioning 2.0.0), and which of two is later.
//!
//! Refused is everything else: a version is compared, shown to a person and never guessed at.

use std::cmp::Ordering;

/// Longest version, in bytes (judgement).
const LONGEST: usize = 64;

/// `MAJOR.MINOR.PATCH`, with `-pre.release` and `+build` where they are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    numbers: [u32; 3],
    /// Parts of the pre-release; empty for a release.
    before: Vec<String>,
}

impl Version {
    /// Reads a version; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_part =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if text.len() > LONGEST {
            return None;
        }
        let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        if build.is_some_and(|build| !build.split('.').all(is_part)) {
            return None;
        }
        let (core, before) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
        let mut numbers = [0; 3];
        let mut parts = core.split('.');
        for number in &mut numbers {
            *number = number_of(parts.next()?)?;
        }
        if parts.next().is_some() {
            return None;
        }
        let before: Vec<String> =
            before.map(|pre| pre.split('.').map(str::to_owned).collect()).unwrap_or_default();
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if !before.iter().all(|part| is_part(part) && (!digits(part) || number_of(part).is_some())) {
            return None;
        }
        Some(Self { numbers, before })
    }
}

/// A number without leading zeros.
fn number_of(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !plain || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok()
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_part = |(a, b): (&String, &String)| match (number_of(a), number_of(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.cmp(b),
        };
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.before.is_empty(), other.before.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => {
                    let first =
                        self.before.iter().zip(&other.before).map(by_part).find(|order| order.is_ne());
                    first.unwrap_or_else(|| self.before.len().cmp(&other.before.len()))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_is_later() {
        // The order of the standard's own example, around our numbers.
        let rising = [
            "0.1.0",
            "0.1.1",
            "0.2.0",
            "0.10.0",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "10.0.0",
        ];
        let rising: Vec<Option<Version>> = rising.iter().map(|text| Version::parse(text)).collect();
        for pair in rising.windows(2) {
            assert!(pair[0].is_some() && pair[0] < pair[1], "{pair:?}");
        }
        assert_eq!(Version::parse("1.2.3+a"), Version::parse("1.2.3+b.7"));
    }

    #[test]
    fn what_is_no_version_is_refused() {
        fn check(text: &str) {
            assert_eq!(Version::parse(text), None, "{text}");
        }
        let long = format!("1.0.0-{}", "a".repeat(LONGEST));
        for text in [
            "", "1", "1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.2.x", "1.2.3-", "1.2.3-01", "1.2.3+", " 1.2.3",
            "latest",
        ] {
            check(text);
        }
        check("4294967296.0.0");
        check(&long);
        check("1.2.3-a\u{202e}");
    }
}
