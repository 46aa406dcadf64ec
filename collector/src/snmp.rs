//! The least of SNMP (version 2c) that reads the power table of a NAS: BER for one question and one answer.
//!
//! Only `GETNEXT` can be built: there is no writing request in this file. The community is `public`; the configured one
//! is a secret and is never read. What is asked for is one table of QTS (QNAP enclosure view, power: status, fan
//! speed, temperature) and one value of QuTS hero. An answer is bytes from outside: lengths are checked, nesting is
//! flat, and what is not understood ends the walk.
//!
//! The raw form is one line for each value: `1.3.6.1.4.1.24681.1.4.1.1.1.1.3.2.1.4.1 = INTEGER: 0`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use assay_bundle::facts::power::{PowerSource, PowerUnit};

use crate::hal_log::{MOST_UNITS, Source, unit_name};

/// Power table of the enclosure view: column 4 status, 5 fan speed, 6 temperature (QNAP NAS-MIB).
pub const POWER_TABLE: &[u32] = &[1, 3, 6, 1, 4, 1, 24681, 1, 4, 1, 1, 1, 1, 3, 2, 1];
/// Power status of QuTS hero.
pub const HERO_POWER: &[u32] = &[1, 3, 6, 1, 4, 1, 55062, 2, 12, 19];
/// Most values that one walk takes.
pub const MOST_VALUES: usize = 128;
/// Most bytes of one answer.
pub const MOST_ANSWER: usize = 4096;

const COMMUNITY: &[u8] = b"public";
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const NULL: u8 = 0x05;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const GET_NEXT: u8 = 0xa1;
const RESPONSE: u8 = 0xa2;
/// Version 2c.
const VERSION: u8 = 1;
/// Most parts of an object identifier (the standard's limit).
const MOST_PARTS: usize = 128;

/// One value of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Which object.
    pub oid: Vec<u32>,
    /// Its value as text with its type: `INTEGER: 0`; `None` when there is nothing behind the asked one.
    pub value: Option<String>,
}

/// The question for what follows `oid`.
pub fn question(request: u16, oid: &[u32]) -> Vec<u8> {
    let mut name = Vec::new();
    let first = oid.first().copied().unwrap_or_default().saturating_mul(40);
    base128(&mut name, first.saturating_add(oid.get(1).copied().unwrap_or_default()));
    for part in oid.iter().skip(2) {
        base128(&mut name, *part);
    }
    let binding = [tagged(OID, &name), tagged(NULL, &[])].concat();
    let bindings = tagged(SEQUENCE, &tagged(SEQUENCE, &binding));
    let [high, low] = request.to_be_bytes();
    let pdu =
        [tagged(INTEGER, &[0, high, low]), tagged(INTEGER, &[0]), tagged(INTEGER, &[0]), bindings].concat();
    let message = [tagged(INTEGER, &[VERSION]), tagged(OCTETS, COMMUNITY), tagged(GET_NEXT, &pdu)].concat();
    tagged(SEQUENCE, &message)
}

/// The answer to question `request`; `None` when the bytes are not that.
pub fn answer(bytes: &[u8], request: u16) -> Option<Binding> {
    let bytes = bytes.get(..bytes.len().min(MOST_ANSWER))?;
    let (message, _) = expect(bytes, SEQUENCE)?;
    let (version, rest) = expect(message, INTEGER)?;
    let (_community, rest) = expect(rest, OCTETS)?;
    let (pdu, _) = expect(rest, RESPONSE)?;
    let (id, rest) = expect(pdu, INTEGER)?;
    let (status, rest) = expect(rest, INTEGER)?;
    let (_index, rest) = expect(rest, INTEGER)?;
    if integer(version)? != i64::from(VERSION) || integer(id)? != i64::from(request) || integer(status)? != 0
    {
        return None;
    }
    let (bindings, _) = expect(rest, SEQUENCE)?;
    let (binding, _) = expect(bindings, SEQUENCE)?;
    let (name, rest) = expect(binding, OID)?;
    let (tag, value, _) = element(rest)?;
    Some(Binding { oid: identifier(name)?, value: worded(tag, value) })
}

/// A value as text; `None` for "no such object" and "end of view", and for what no power table has.
fn worded(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        INTEGER => Some(format!("INTEGER: {}", integer(value)?)),
        OCTETS => {
            let text: String = String::from_utf8_lossy(value)
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            Some(format!("STRING: {}", text.trim()))
        }
        // Counter32, Gauge32, TimeTicks, Counter64.
        0x41 | 0x42 | 0x43 | 0x46 => Some(format!("Gauge: {}", integer(value)?)),
        _ => None,
    }
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7f) => out.push(short),
        Ok(long) => out.extend([0x81, long]),
        Err(_) => {
            let [.., high, low] = content.len().to_be_bytes();
            out.extend([0x82, high, low]);
        }
    }
    out.extend(content);
    out
}

fn base128(out: &mut Vec<u8>, part: u32) {
    for shift in [28, 21, 14, 7] {
        if part >> shift != 0 {
            out.push(0x80 | u8::try_from(part >> shift & 0x7f).unwrap_or_default());
        }
    }
    out.push(u8::try_from(part & 0x7f).unwrap_or_default());
}

/// Tag, content and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|(found, _, _)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// A two's complement number of up to eight bytes.
fn integer(bytes: &[u8]) -> Option<i64> {
    let first = bytes.first().filter(|_| bytes.len() <= 8)?;
    let start = if first & 0x80 == 0 { 0 } else { -1 };
    Some(bytes.iter().fold(start, |number: i64, byte| number << 8 | i64::from(*byte)))
}

fn identifier(bytes: &[u8]) -> Option<Vec<u32>> {
    let mut parts = Vec::new();
    let mut part: u32 = 0;
    let mut open = false;
    for byte in bytes {
        part = part.checked_mul(128)? | u32::from(byte & 0x7f);
        open = byte & 0x80 != 0;
        if open {
            continue;
        }
        if parts.is_empty() {
            let first = (part / 40).min(2);
            parts.extend([first, part - first * 40]);
        } else {
            parts.push(part);
        }
        part = 0;
        if parts.len() > MOST_PARTS {
            return None;
        }
    }
    (!open && !parts.is_empty()).then_some(parts)
}

/// The walk through one subtree, without the network: the next question, then take its answer.
pub struct Walk {
    below: &'static [u32],
    at: Vec<u32>,
    lines: usize,
}

impl Walk {
    /// Begins below `oid`.
    pub fn new(oid: &'static [u32]) -> Self {
        Self { below: oid, at: oid.to_vec(), lines: 0 }
    }

    /// The question that comes next.
    pub fn question(&self, request: u16) -> Vec<u8> {
        question(request, &self.at)
    }

    /// Writes a value down; false when the subtree has ended, the service goes backwards, or it is enough.
    pub fn take(&mut self, found: Binding, out: &mut String) -> bool {
        let Some(value) = found.value else { return false };
        if !found.oid.starts_with(self.below) || found.oid <= self.at || self.lines >= MOST_VALUES {
            return false;
        }
        let _ = writeln!(out, "{} = {value}", dotted(&found.oid));
        self.lines += 1;
        self.at = found.oid;
        true
    }
}

fn dotted(oid: &[u32]) -> String {
    let parts: Vec<String> = oid.iter().map(u32::to_string).collect();
    parts.join(".")
}

/// The power units of a walk's lines.
pub(crate) fn power_units(text: &str, place: &str) -> Vec<PowerUnit> {
    let mut rows: BTreeMap<u32, BTreeMap<u32, &str>> = BTreeMap::new();
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let Some((oid, value)) = line.split_once(" = ") else { continue };
        let Some(value) = value.strip_prefix("INTEGER: ").or_else(|| value.strip_prefix("STRING: ")) else {
            continue;
        };
        let Some(parts) = oid.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>() else {
            continue;
        };
        let (row, column) = match (parts.strip_prefix(POWER_TABLE), parts.strip_prefix(HERO_POWER)) {
            (Some([column, row]), _) => (*row, *column),
            // One value for all units; `.0` is how SNMP spells a single value.
            (_, Some([] | [0])) => (1, STATUS),
            _ => continue,
        };
        if rows.len() < MOST_UNITS || rows.contains_key(&row) {
            rows.entry(row).or_default().insert(column, value.trim());
        }
    }
    let from = Source { noun: "the SNMP service of this NAS", place };
    rows.into_iter()
        .filter(|(_, columns)| columns.contains_key(&STATUS))
        .map(|(row, columns)| PowerUnit {
            name: unit_name(row),
            status: from.status(columns.get(&STATUS).copied()),
            fan_rpm: from.speed(columns.get(&FAN_SPEED).copied()),
            temperature_c: from.temperature(columns.get(&TEMPERATURE).copied()),
            source: PowerSource::Snmp,
            line: None,
        })
        .collect()
}

const STATUS: u32 = 4;
const FAN_SPEED: u32 = 5;
const TEMPERATURE: u32 = 6;

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
pub(crate) mod testing {
    //! A service that answers.

    use super::*;

    /// The answer to a question about `oid`: a value in BER.
    pub(crate) fn response(request: u16, oid: &[u32], value: &[u8]) -> Vec<u8> {
        let mut name = Vec::new();
        base128(&mut name, oid[0] * 40 + oid[1]);
        oid[2..].iter().for_each(|part| base128(&mut name, *part));
        let binding = [tagged(OID, &name), value.to_vec()].concat();
        let [high, low] = request.to_be_bytes();
        let pdu = [
            tagged(INTEGER, &[0, high, low]),
            tagged(INTEGER, &[0]),
            tagged(INTEGER, &[0]),
            tagged(SEQUENCE, &tagged(SEQUENCE, &binding)),
        ]
        .concat();
        let message =
            [tagged(INTEGER, &[VERSION]), tagged(OCTETS, COMMUNITY), tagged(RESPONSE, &pdu)].concat();
        tagged(SEQUENCE, &message)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use assay_bundle::facts::power::PowerStatus;

    use super::testing::response;
    use super::*;
    use crate::hostile;

    const TABLE: &str = "1.3.6.1.4.1.24681.1.4.1.1.1.1.3.2.1";

    #[test]
    fn the_question_is_what_net_snmp_sends() {
        // snmpgetnext -v2c -c public ... 1.3.6.1.2.1.1.1, request id 1, by the book (RFC 1157, X.690).
        let expected = [
            0x30, 0x27, 0x02, 0x01, 0x01, 0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', 0xa1, 0x1a, 0x02,
            0x03, 0x00, 0x00, 0x01, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x0d, 0x30, 0x0b, 0x06, 0x07,
            0x2b, 0x06, 0x01, 0x02, 0x01, 0x01, 0x01, 0x05, 0x00,
        ];
        assert_eq!(question(1, &[1, 3, 6, 1, 2, 1, 1, 1]), expected);
    }

    #[test]
    fn an_answer_has_one_value() {
        fn check(value: &[u8], expected: Option<&str>) {
            let found = answer(&response(7, POWER_TABLE, value), 7).expect("an answer");
            assert_eq!(found.oid, POWER_TABLE);
            assert_eq!(found.value.as_deref(), expected, "{value:?}");
        }
        check(&[INTEGER, 1, 0], Some("INTEGER: 0"));
        check(&[INTEGER, 1, 0xff], Some("INTEGER: -1"));
        check(&[INTEGER, 2, 0x14, 0x00], Some("INTEGER: 5120"));
        check(&[OCTETS, 4, b'G', b'o', b'\n', b'd'], Some("STRING: Go d"));
        check(&[0x42, 1, 9], Some("Gauge: 9"));
        check(&[0x82, 0], None);
        check(&[NULL, 0], None);
        assert_eq!(answer(&response(7, POWER_TABLE, &[INTEGER, 1, 0]), 8), None);
        assert_eq!(answer(&question(7, POWER_TABLE), 7), None);
        assert_eq!(answer(&[], 7), None);
        assert_eq!(answer(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff], 7), None);
    }

    #[test]
    fn a_walk_ends_and_never_goes_backwards() {
        let found = |last: u32, value: Option<&str>| Binding {
            oid: [POWER_TABLE, &[4, last]].concat(),
            value: value.map(str::to_owned),
        };
        let mut text = String::new();
        let mut walk = Walk::new(POWER_TABLE);
        assert!(walk.take(found(1, Some("INTEGER: 0")), &mut text));
        assert!(walk.take(found(2, Some("INTEGER: -1")), &mut text));
        assert!(!walk.take(found(1, Some("INTEGER: 0")), &mut text));
        assert!(!walk.take(found(3, None), &mut text));
        assert!(!walk.take(Binding { oid: vec![1, 3, 7], value: Some("INTEGER: 0".into()) }, &mut text));
        assert_eq!(text, format!("{TABLE}.4.1 = INTEGER: 0\n{TABLE}.4.2 = INTEGER: -1\n"));
    }

    fn table() -> String {
        [(4, 1, "0"), (4, 2, "-1"), (5, 1, "5120"), (5, 2, "-1"), (6, 1, "38"), (6, 2, "-1")]
            .map(|(column, row, value)| format!("{TABLE}.{column}.{row} = INTEGER: {value}\n"))
            .concat()
    }

    #[test]
    fn rows_become_units() {
        let units = power_units(&table(), "x");
        let of = |unit: &PowerUnit| {
            (unit.name.clone(), unit.status.value().copied(), unit.fan_rpm.value().map(|r| r.0))
        };
        assert_eq!(of(&units[0]), ("power unit 1".into(), Some(PowerStatus::Good), Some(5120)));
        assert_eq!(of(&units[1]), ("power unit 2".into(), Some(PowerStatus::Failed), None));
        assert!(units[1].temperature_c.is_absent());
        let hero = power_units("1.3.6.1.4.1.55062.2.12.19.0 = INTEGER: 3\n", "x");
        assert!(hero[0].status.why_not().is_some());
        assert!(power_units("1.3.6.1.4.1.24681.1.4.1.1.1.1.3.2.1.5.1 = INTEGER: 0\nodd\n", "x").is_empty());
    }

    #[test]
    fn no_cut_and_no_damage_makes_a_value() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // Column after column: a cut after the first column has all units and fewer readings.
        hostile::cut(table().as_bytes(), |bytes| power_units(&text(bytes), "x"));
        hostile::mutate(
            table().as_bytes(),
            1000,
            |bytes| power_units(&text(bytes), "x"),
            |units| {
                assert!(units.len() <= MOST_UNITS);
                assert!(
                    units.iter().all(|u| u.temperature_c.value().is_none_or(|c| (1..128).contains(&c.0)))
                );
            },
        );
        let bytes = response(7, POWER_TABLE, &[INTEGER, 2, 0x14, 0x00]);
        hostile::mutate(
            &bytes,
            1000,
            |bytes| answer(bytes, 7),
            |found| {
                assert!(found.as_ref().is_none_or(|found| found.oid.len() <= MOST_PARTS + 1));
            },
        );
        for end in 0..bytes.len() {
            assert_eq!(answer(&bytes[..end], 7), None, "{end}");
        }
    }
}
