//! The flight recorder's form: a bounded, append-only memory of changes in two files of at most 256 KiB each.
//!
//! **On disk** a record is one line, `CRC LENGTH JSON`: CRC-32 of the JSON in eight hex digits, its bytes in decimal.
//! New records go to the end of `recorder.jsonl`; when the next one does not fit, that file is renamed to
//! `recorder.old.jsonl` (replacing the one before) and a new one begins with a record of *all* values, so that losing
//! the older file loses no base. Two files and a rename were chosen over one file used as a ring: a line is never
//! overwritten in place, so a power loss can tear only the newest one, and stock tools can read it. A damaged byte
//! costs the record that it lies in: the length says where a record ends when its line end is gone, the line end says
//! where the next begins when the record is gone.
//!
//! **Below `raw/`** stand the JSON lines alone, checked when they were read, with a line `{"damaged_bytes":N}` where
//! something was lost. The checksum stays on the device: redaction may replace a name in a record, and a reader must
//! be able to tell damage from that. Names and serials stand under the field names that facts use, never as keys.
//!
//! Refused: a record without JSON in it, a subject or value that this version does not know (counted), names longer
//! than [`MOST_NAME_BYTES`]. How fine changes are kept is [`change`]'s; what is followed is [`readings`]'.

pub(crate) mod change;
pub(crate) mod readings;

use std::collections::BTreeMap;

use assay_bundle::facts::history::{History, Metric, Point, Series, Subject};
use serde::de::IntoDeserializer;
use serde::de::value::Error as NoSuchWord;
use serde::{Deserialize, Serialize};

/// Name of the file that is appended to.
pub const NEWER: &str = "recorder.jsonl";
/// Name of the file that was full.
pub const OLDER: &str = "recorder.old.jsonl";
/// Most bytes of one of the two files.
pub const SEGMENT_BYTES: u64 = 256 * 1024;
/// Most series in facts.
const MOST_SERIES: usize = 2_000;
/// Most points of one series in facts.
const MOST_POINTS: usize = 200;
/// Longest name or serial number that is followed; real ones have up to 40 bytes.
const MOST_NAME_BYTES: usize = 128;
/// Longest head of a record: eight digits, a blank, six digits, a blank.
const MOST_HEAD_BYTES: usize = 16;

/// One line below `raw/`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Line {
    /// Seconds since 1970 by the device's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    unix_s: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boot_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime_s: Option<u64>,
    /// Version of the program that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// All values, not only the changed ones.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    full: bool,
    /// The values, by what they belong to; [`Entry`] where this version knows it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    of: Vec<serde_json::Value>,
    /// No record: so many bytes were lost here.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged_bytes: Option<u64>,
    /// No record: a whole part could not be read, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<String>,
}

/// Values of one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    subject: Subject,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    /// By the word for the metric; `null` when the thing went away.
    values: BTreeMap<String, Option<i64>>,
}

/// One followed value of one thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) subject: Subject,
    pub(crate) name: String,
    pub(crate) serial: Option<String>,
    pub(crate) metric: Metric,
}

/// What is known of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Last recorded value; `None` when its thing was gone.
    pub(crate) last: Option<i64>,
    /// When that was recorded.
    pub(crate) unix_s: Option<i64>,
    /// Lowest value recorded.
    pub(crate) lowest: i64,
    /// Highest value recorded.
    pub(crate) highest: i64,
}

/// What the records amount to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parsed {
    /// For facts.
    pub(crate) history: History,
    /// The newest state of every value, for the next record.
    pub(crate) state: BTreeMap<Key, Known>,
}

/// A record as it is appended to the file.
pub(crate) fn frame(json: &str) -> String {
    format!("{:08x} {} {json}\n", crc32(json.as_bytes()), json.len())
}

/// The form below `raw/` of what the two files hold, older first: whole records, and a line for each lost place.
pub fn unframe(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut at, mut lost) = (0, 0_usize);
    let rest = |at: usize| bytes.get(at..).unwrap_or_default();
    while let Some(byte) = bytes.get(at) {
        if let Some((json, used)) = whole(rest(at)) {
            lost_line(&mut out, &mut lost);
            out.extend_from_slice(json);
            out.push(b'\n');
            at += used;
            // The line end may be what is damaged: the next record begins behind it all the same.
            if bytes.get(at).is_some_and(|byte| *byte != b'\n') && whole(rest(at)).is_none() {
                lost += 1;
                at += 1;
            }
        } else if *byte == b'\n' {
            at += 1;
        } else {
            let length = rest(at).iter().position(|byte| *byte == b'\n').unwrap_or(rest(at).len());
            lost += length;
            at += length;
        }
    }
    lost_line(&mut out, &mut lost);
    out
}

fn lost_line(out: &mut Vec<u8>, lost: &mut usize) {
    if *lost > 0 {
        out.extend_from_slice(format!("{{\"damaged_bytes\":{lost}}}\n").as_bytes());
        *lost = 0;
    }
}

/// The line below `raw/` for a file that could not be read at all.
pub fn unread(why: &str) -> Vec<u8> {
    let line = Line { unread: Some(why.to_owned()), ..Line::default() };
    let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// A whole record at the beginning: its JSON, and how many bytes it took without its line end.
fn whole(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let head = bytes.get(..bytes.len().min(MOST_HEAD_BYTES))?;
    let mut words = head.splitn(3, |byte| *byte == b' ');
    let (crc, length) = (words.next()?, words.next()?);
    words.next()?;
    let begin = crc.len() + length.len() + 2;
    let number = |digits: &[u8], radix| {
        let digits = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
        u32::from_str_radix(digits, radix).ok()
    };
    let (crc, length) = (number(crc, 16).filter(|_| crc.len() == 8)?, number(length, 10)?);
    let end = begin.checked_add(usize::try_from(length).ok()?)?;
    let json = bytes.get(begin..end)?;
    (crc32(json) == crc && !json.contains(&b'\n')).then_some((json, end))
}

/// CRC-32 as zip and Ethernet have it (polynomial 0x04c11db7, reflected). Bit by bit: half a megabyte takes some
/// milliseconds, and a table would be as long as this file.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1)))
    })
}

/// Reads the form below `raw/`.
pub(crate) fn parse(text: &str, truncated: bool) -> Parsed {
    let mut parsed = Parsed::default();
    let mut places = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match assay_bundle::json::from_slice::<Line>(line.as_bytes()) {
            Ok(Line { damaged_bytes: None, unread: None, of, .. }) if of.is_empty() => {
                parsed.history.segments_damaged += 1;
            }
            Ok(line) if line.damaged_bytes.is_none() && line.unread.is_none() => {
                parsed.take(line, &mut places);
            }
            _ => parsed.history.segments_damaged += 1,
        }
    }
    parsed.history.segments_damaged += u64::from(truncated);
    for series in &mut parsed.history.series {
        let too_many = series.points.len().saturating_sub(MOST_POINTS);
        series.points.drain(..too_many);
        // The first one stands in `first`.
        series.points_left_out = u64::try_from(too_many.saturating_sub(1)).unwrap_or(u64::MAX);
    }
    parsed
}

impl Parsed {
    fn take(&mut self, line: Line, places: &mut BTreeMap<Key, usize>) {
        self.history.records += 1;
        self.history.newest_unix_s = line.unix_s.or(self.history.newest_unix_s);
        let boot = line.boot_id.and_then(|id| self.boot(id));
        for entry in line.of {
            let Ok(Entry { subject, name, serial, values }) = serde_json::from_value(entry) else {
                self.history.values_unknown += 1;
                continue;
            };
            for (word, value) in values {
                let known: Result<Metric, NoSuchWord> =
                    Metric::deserialize(word.as_str().into_deserializer());
                let Ok(metric) = known else {
                    self.history.values_unknown += 1;
                    continue;
                };
                let key = Key { subject, name: name.clone(), serial: serial.clone(), metric };
                let point = Point { unix_s: line.unix_s, boot, uptime_s: line.uptime_s, value };
                self.point(key, point, places);
            }
        }
    }

    fn boot(&mut self, id: String) -> Option<u32> {
        let boots = &mut self.history.boots;
        // A boot follows the one before it, so the newest is the likely one.
        let index = boots.iter().rposition(|known| *known == id).unwrap_or_else(|| {
            boots.push(id);
            boots.len() - 1
        });
        u32::try_from(index).ok()
    }

    fn point(&mut self, key: Key, point: Point, places: &mut BTreeMap<Key, usize>) {
        let Some(known) = self.state.get_mut(&key) else {
            let value = point.value.unwrap_or_default();
            let known = Known { last: point.value, unix_s: point.unix_s, lowest: value, highest: value };
            if self.history.series.len() < MOST_SERIES {
                places.insert(key.clone(), self.history.series.len());
                self.history.series.push(Series {
                    subject: key.subject,
                    name: key.name.clone(),
                    serial: key.serial.clone(),
                    metric: key.metric,
                    first: point.clone(),
                    points: vec![point],
                    points_left_out: 0,
                });
            } else {
                self.history.series_left_out += 1;
            }
            self.state.insert(key, known);
            return;
        };
        // A record of all values repeats what did not change.
        if known.last == point.value {
            return;
        }
        known.last = point.value;
        known.unix_s = point.unix_s;
        if let Some(value) = point.value {
            known.lowest = known.lowest.min(value);
            known.highest = known.highest.max(value);
        }
        if let Some(series) = places.get(&key).and_then(|at| self.history.series.get_mut(*at)) {
            series.points.push(point);
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
