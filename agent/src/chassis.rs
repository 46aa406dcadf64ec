//! What the key is bound to: serial, mainboard serial and network addresses, as digests that tell only equality.
//!
//! On QTS the configuration area travels with the drives. When they sit in another unit (a replacement, a clone),
//! the key must not speak for it: uploads stop, the spool stays, and the owner enrols again.

use assay_bundle::digest::sha256_hex;
use assay_bundle::facts::Facts;
use serde::{Deserialize, Serialize};

use crate::trouble::refuse;

/// What a mark is a digest of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Serial number of the unit.
    Serial,
    /// Serial number of the mainboard.
    Board,
    /// Address of a network adapter.
    Nic,
}

impl Kind {
    /// The word for a person.
    fn word(self) -> &'static str {
        match self {
            Self::Serial => "serial number",
            Self::Board => "mainboard",
            Self::Nic => "network adapters",
        }
    }
}

/// One digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Of what.
    pub(crate) kind: Kind,
    /// SHA-256 of kind and value, lower-case hex.
    pub(crate) sha256: String,
}

impl Mark {
    fn new(kind: Kind, value: &str) -> Self {
        let value = value.trim().to_ascii_lowercase();
        Self { kind, sha256: sha256_hex(format!("assay-chassis {kind:?} {value}").as_bytes()) }
    }
}

/// The marks of a machine, from facts that have not been redacted. Readings that failed give no mark.
pub(crate) fn marks(facts: &Facts) -> Vec<Mark> {
    let identity = &facts.identity;
    let serial = identity.serial.value().map(|value| Mark::new(Kind::Serial, value));
    let board = identity.board_serial.value().map(|value| Mark::new(Kind::Board, value));
    let links = facts.network_links.value().into_iter().flatten();
    let nics = links.filter_map(|link| link.mac.value()).map(|mac| Mark::new(Kind::Nic, mac));
    let mut marks: Vec<Mark> = serial.into_iter().chain(board).chain(nics).collect();
    marks.sort();
    marks.dedup();
    marks
}

/// What differs between the marks of enrolment and of now, in words; empty when it is the same chassis. A kind
/// that one side could not read decides nothing; of the adapters one in common suffices, because cards are added.
pub(crate) fn differences(enrolled: &[Mark], now: &[Mark]) -> Vec<&'static str> {
    let of = |marks: &[Mark], kind: Kind| -> Vec<String> {
        marks.iter().filter(|mark| mark.kind == kind).map(|mark| mark.sha256.clone()).collect()
    };
    [Kind::Serial, Kind::Board, Kind::Nic]
        .into_iter()
        .filter(|kind| {
            let (before, after) = (of(enrolled, *kind), of(now, *kind));
            !before.is_empty() && !after.is_empty() && !before.iter().any(|mark| after.contains(mark))
        })
        .map(Kind::word)
        .collect()
}

/// Refuses when the key sits in another unit than the one it was enrolled in.
pub(crate) fn check(enrolled: &[Mark], now: &[Mark]) -> anyhow::Result<()> {
    let differences = differences(enrolled, now);
    if differences.is_empty() {
        return Ok(());
    }
    Err(refuse(
        format!(
            "this is not the unit that was enrolled (other {}): its key does not speak for this one",
            differences.join(", ")
        ),
        "enrol this unit with a code of its own: `assay enroll`; nothing was sent and the spool keeps what waits",
    ))
}

/// Whether a serial number is another than the one of these marks. Marks without one contradict nothing.
pub(crate) fn is_other_serial(marks: &[Mark], serial: &str) -> bool {
    let asked = Mark::new(Kind::Serial, serial);
    let mut serials = marks.iter().filter(|mark| mark.kind == Kind::Serial).peekable();
    serials.peek().is_some() && serials.all(|mark| *mark != asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_bundle::facts::network::NetworkLink;
    use assay_bundle::observed::Observed;

    fn machine(serial: &str, board: &str, macs: &[&str]) -> Vec<Mark> {
        let seen = |text: &str| match text {
            "" => Observed::Absent,
            text => Observed::seen(text.to_owned(), "x"),
        };
        let mut facts = Facts::default();
        facts.identity.serial = seen(serial);
        facts.identity.board_serial = seen(board);
        let link = |mac: &&str| NetworkLink { mac: seen(mac), ..NetworkLink::default() };
        facts.network_links = Observed::seen(macs.iter().map(link).collect(), "x");
        marks(&facts)
    }

    fn check(before: &[Mark], after: &[Mark], expected: &[&str]) {
        assert_eq!(differences(before, after), expected);
    }

    #[test]
    fn a_moved_key_is_noticed() {
        let home = machine("Q123", "B1", &["00:11", "00:12"]);
        check(&home, &home, &[]);
        check(&home, &machine("q123 ", "B1", &["00:12", "aa:aa"]), &[]);
        check(&home, &machine("", "", &[]), &[]);
        check(&home, &machine("Q999", "B1", &["00:11"]), &["serial number"]);
        check(&home, &machine("Q123", "B2", &["00:99"]), &["mainboard", "network adapters"]);
        check(&machine("", "", &[]), &home, &[]);
    }
}
