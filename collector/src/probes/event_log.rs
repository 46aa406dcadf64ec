//! QTS's own event log (`/mnt/HDA_ROOT/.logs/event.log`, an SQLite database), from rows that the live source takes out of
//! a copy: `sample/event_log.jsonl`, a head and one row a line.
//!
//! The wordings marked as known were seen verbatim on devices or stand in QNAP's HAL library; the others are inferred
//! and say so in the fact. Only English is understood. What QuLog Center (QTS 4.5 and later) keeps in its own database
//! is not here. A row that no line of the table knows is `other`.

use std::collections::BTreeMap;

use assay_bundle::Observed;
use assay_bundle::facts::event_log::{AttributeChange, EventLog, MonthCount, SystemEvent};
use serde::Deserialize;

use crate::door::Door;
use crate::source::{Request, utc};

/// One wording: the kind, whether it was seen verbatim, and the words (lower case) that all have to be there.
type Wording = (&'static str, bool, &'static [&'static str]);

/// The first wording that fits names the event.
const WORDINGS: &[Wording] = &[
    (UNCLEAN, true, &["not shutdown properly"]),
    (UNCLEAN, false, &["not shut down properly"]),
    (UNCLEAN, false, &["abnormal", "shutdown"]),
    ("smart-change", true, &["s.m.a.r.t.[", "] ", " -> "]),
    ("ncq-disabled", true, &["ncq black list"]),
    ("raid-degraded", true, &["raid group degraded"]),
    ("raid-failed", true, &["raid group failed"]),
    ("drive-unplugged", true, &["disk ", " unplugged"]),
    ("drive-plugged", true, &["disk ", " plug-in"]),
    ("drive-error", true, &["error occurred while accessing drive"]),
    ("firmware-updated", true, &["[firmware update]", "updated system from version"]),
    ("raid-degraded", false, &["degraded"]),
    ("raid-rebuilt", false, &["rebuil", "completed"]),
    ("raid-rebuilt", false, &["rebuil", "finished"]),
    ("raid-rebuilding", false, &["rebuil"]),
    ("drive-unplugged", false, &["drive", "unplugged"]),
    ("drive-unplugged", false, &["drive", "removed"]),
    ("drive-unplugged", false, &["disk", "removed"]),
    ("drive-plugged", false, &["drive", "plugged"]),
    ("drive-plugged", false, &["disk", "plugged"]),
    ("drive-plugged", false, &["drive", "inserted"]),
    ("power-unit", false, &["power supply"]),
    ("power-unit", false, &["power unit"]),
    ("power-unit", false, &["redundant power"]),
    ("power-unit", false, &["psu"]),
    ("ups", false, &["ups "]),
    ("ups", false, &["uninterruptible"]),
    ("temperature", false, &["temperature"]),
    ("temperature", false, &["overheat"]),
    ("fan", false, &[" fan"]),
    ("fan", false, &["fan "]),
    ("drive-error", false, &["bad block"]),
    ("drive-error", false, &["medium error"]),
    ("drive-error", false, &["i/o error"]),
    ("pool-error", false, &["pool", "error"]),
    ("pool-error", false, &["pool", "failed"]),
    ("pool-error", false, &["pool", "read-only"]),
    ("raid-failed", false, &["raid", "failed"]),
    ("drive-error", false, &["drive", "error"]),
    ("drive-error", false, &["disk", "error"]),
    ("drive-error", false, &["drive", "failed"]),
    ("drive-error", false, &["disk", "failed"]),
    ("firmware-updated", false, &["firmware", "updated"]),
    ("started", false, &["system started"]),
    ("started", false, &["powered on"]),
    ("shutdown", false, &["shut down"]),
    ("shutdown", false, &["shutdown"]),
    ("shutdown", false, &["restart"]),
    ("shutdown", false, &["reboot"]),
];
const UNCLEAN: &str = "unclean-shutdown";
const OTHER: &str = "other";

/// What an event can be about, as written (lower case), and as it is told.
const SUBJECTS: &[(&str, &str)] = &[
    ("power supply unit ", "power supply"),
    ("power supply ", "power supply"),
    ("psu ", "power supply"),
    ("fan ", "fan"),
    ("drive ", "drive"),
    ("disk ", "drive"),
];

#[derive(Deserialize)]
struct Head {
    rows_read: u64,
    #[serde(default)]
    rows_left_out: u64,
    #[serde(default)]
    unreadable: u64,
    #[serde(default)]
    cut: bool,
    #[serde(default)]
    wal: bool,
    #[serde(default)]
    journal: bool,
}

#[derive(Deserialize)]
struct Row {
    id: i64,
    #[serde(rename = "type")]
    level: Option<i64>,
    time_unix_s: Option<i64>,
    time_text: Option<String>,
    text: String,
}

/// Reads the rows.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<EventLog> {
    match door.ask(&Request::EventLog).await {
        Ok(fetched) => {
            let log = door.noted(parse(&fetched.bytes, &fetched.place));
            if log.value().is_some_and(|log| log.newest_may_be_missing) {
                door.note("event.log: its newest rows stand in a journal that was not read");
            }
            log
        }
        Err(missing) => missing.observed(),
    }
}

/// Reads rows that stand at `place`.
pub fn parse(bytes: &[u8], place: &str) -> Observed<EventLog> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = (1_u64..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let Some((_, first)) = lines.next() else {
        return Observed::unreadable(format!("{place}: it is empty"));
    };
    let Ok(head) = serde_json::from_str::<Head>(first) else {
        return Observed::unreadable(format!("{place}: its first line is no head of event rows"));
    };
    let mut log = EventLog {
        rows_read: Some(head.rows_read),
        rows_left_out: head.rows_left_out,
        unreadable: head.unreadable,
        newest_may_be_missing: head.wal || head.journal || head.cut,
        ..EventLog::default()
    };
    let mut months: BTreeMap<String, u64> = BTreeMap::new();
    for (number, line) in lines {
        let Ok(row) = serde_json::from_str::<Row>(line) else {
            log.unreadable = log.unreadable.saturating_add(1);
            continue;
        };
        let event = event(&row, number);
        if event.kind == UNCLEAN
            && let Some(month) = month(&row)
        {
            *months.entry(month).or_default() += 1;
        }
        log.events.push(event);
    }
    let surplus = log.events.len().saturating_sub(EventLog::MOST_EVENTS);
    log.events.drain(..surplus);
    log.events_left_out = surplus as u64;
    log.unclean_shutdowns_per_month =
        months.into_iter().map(|(month, count)| MonthCount { month, count }).collect();
    Observed::seen(log, place)
}

fn event(row: &Row, line: u64) -> SystemEvent {
    let lower = row.text.to_ascii_lowercase();
    let wording = WORDINGS.iter().find(|(_, _, words)| words.iter().all(|word| lower.contains(word)));
    let (kind, known_wording) = wording.map_or((OTHER, false), |(kind, known, _)| (*kind, *known));
    SystemEvent {
        id: row.id,
        kind: kind.to_owned(),
        known_wording,
        level: row.level,
        at_unix_s: row.time_unix_s,
        at_text: row.time_text.clone(),
        subject: subject(&lower),
        change: change(&lower),
        line,
    }
}

/// The one thing that the sentence names. `[RAID5 Disk Volume: Drive 1 2 3] Error … Drive 3.` lists the members in its
/// category, so what stands in brackets counts only when nothing follows them.
fn subject(lower: &str) -> Option<String> {
    if let Some(enclosure) = raid_enclosure(lower) {
        // Its drives count from 1 as those of the machine do; without its name they would be taken for them.
        return Some(match numbered(lower).filter(|own| own.starts_with("drive ")) {
            Some(drive) => format!("enclosure {enclosure} {drive}"),
            None => format!("enclosure {enclosure}"),
        });
    }
    let (category, sentence) = lower.split_once(']').map_or(("", lower), |(category, rest)| (category, rest));
    numbered(sentence).or_else(|| numbered(category))
}

/// `TR-004` of a sentence about an enclosure that makes RAID in hardware.
fn raid_enclosure(lower: &str) -> Option<String> {
    let (_, rest) = lower.split_once("tr-0").filter(|_| lower.contains("external raid"))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).take(4).collect();
    (!digits.is_empty()).then(|| format!("TR-0{digits}"))
}

fn numbered(text: &str) -> Option<String> {
    let found = |(word, kind): &(&'static str, &'static str)| {
        text.match_indices(word)
            .filter_map(|(at, _)| Some((at, number(text.get(at + word.len()..)?)?)))
            .next()
            .map(|(at, number)| (at, format!("{kind} {number}")))
    };
    SUBJECTS.iter().filter_map(found).min_by_key(|(at, _)| *at).map(|(_, subject)| subject)
}

/// The number that a text begins with. A second number after it makes it a list of members, which names no single one.
fn number(text: &str) -> Option<&str> {
    let digits = text.trim_start_matches([':', '#', ' ']);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let list =
        digits.get(end..).is_some_and(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    digits.get(..end).filter(|number| (1..=4).contains(&number.len()) && !list)
}

/// `S.M.A.R.T.[5] 0 -> 8.`
fn change(lower: &str) -> Option<AttributeChange> {
    let (_, rest) = lower.split_once("s.m.a.r.t.[")?;
    let (id, rest) = rest.split_once("] ")?;
    let (before, after) = rest.split_once(" -> ")?;
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    Some(AttributeChange {
        id: id.parse().ok().filter(|id| *id > 0)?,
        before: before.trim().parse().ok()?,
        after: after.get(..end)?.parse().ok()?,
    })
}

/// Month as `2026-05`.
fn month(row: &Row) -> Option<String> {
    let written = match row.time_unix_s {
        Some(time) => utc(time),
        None => row.time_text.clone()?,
    };
    let month = written.get(..7)?;
    let digits = |range| month.get(range).is_some_and(|part: &str| part.bytes().all(|b| b.is_ascii_digit()));
    (digits(0..4) && month.get(4..5) == Some("-") && digits(5..7)).then(|| month.to_owned())
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::door::testing::run;
    use crate::hostile;

    fn check(text: &str, kind: &str, known: bool, subject: Option<&str>) {
        let row = Row { id: 1, level: None, time_unix_s: None, time_text: None, text: text.to_owned() };
        let event = event(&row, 2);
        let found = (event.kind.as_str(), event.known_wording, event.subject.as_deref());
        assert_eq!(found, (kind, known, subject), "{text}");
    }

    #[test]
    fn wordings() {
        check("[Power] The system was not shutdown properly last time.", UNCLEAN, true, None);
        check(
            "[RAID5 Disk Volume: Drive 1 2 3 4 5 6] Error occurred while accessing Drive 3.",
            "drive-error",
            true,
            Some("drive 3"),
        );
        check(
            "[Firmware Update] Updated system from version 4.3.6(20190328) to 4.3.6(20190711).",
            "firmware-updated",
            true,
            None,
        );
        check("Host: disk 3 unplugged", "drive-unplugged", true, Some("drive 3"));
        check("Host: disk 3 plug-in", "drive-plugged", true, Some("drive 3"));
        check("Host: disk 3 S.M.A.R.T.[5] 0 -> 8.", "smart-change", true, Some("drive 3"));
        check("Host: disk 3 in NCQ black list, disable NCQ.", "ncq-disabled", true, Some("drive 3"));
        check(
            "[TR-004] External RAID group degraded. RAID group: 1, Device: TR-004. Check the status of all member disks.",
            "raid-degraded",
            true,
            Some("enclosure TR-004"),
        );
        check(
            "[External RAID] TR-004: Drive 2 unplugged.",
            "drive-unplugged",
            false,
            Some("enclosure TR-004 drive 2"),
        );
        check("[External RAID] Drive 2 unplugged.", "drive-unplugged", false, Some("drive 2"));
        check("[Hardware Status] System Fan 2 failed.", "fan", false, Some("fan 2"));
        check("[Hardware Status] Power supply 1 failed.", "power-unit", false, Some("power supply 1"));
        check("[RAID5 Disk Volume: Drive 1 2 3] Rebuilding completed.", "raid-rebuilt", false, None);
        check("[Single Disk Volume: Drive 4] Examination completed.", OTHER, false, Some("drive 4"));
        check("[Power] System started.", "started", false, None);
        check("", OTHER, false, None);
    }

    #[test]
    fn attribute_changes() {
        fn check(text: &str, expected: Option<(u8, u64, u64)>) {
            let found = change(&text.to_ascii_lowercase()).map(|c| (c.id, c.before, c.after));
            assert_eq!(found, expected, "{text}");
        }
        check("disk 3 S.M.A.R.T.[5] 0 -> 8.", Some((5, 0, 8)));
        check("disk 3 S.M.A.R.T.[197] 18446744073709551615 -> 0.", Some((197, u64::MAX, 0)));
        check("disk 3 S.M.A.R.T.[300] 0 -> 8.", None);
        check("disk 3 S.M.A.R.T.[0] 0 -> 8.", None);
        check("disk 3 S.M.A.R.T.[5] 0 -> .", None);
    }

    const ROWS: &str = r#"{"rows_read":9000,"rows_left_out":0,"unreadable":0,"cut":false,"wal_mode":false,"wal":false,"journal":false}
{"id":1,"type":2,"time_unix_s":1777900000,"time_text":null,"text":"[Power] The system was not shutdown properly last time."}
{"id":2,"type":2,"time_unix_s":1778000000,"time_text":null,"text":"[Power] The system was not shutdown properly last time."}
{"id":3,"type":2,"time_unix_s":null,"time_text":"2026-07-01 02:03:04","text":"[Power] The system was not shutdown properly last time."}
{"id":4,"type":1,"time_unix_s":1778000001,"time_text":null,"text":"Host: disk 3 S.M.A.R.T.[5] 0 -> 8."}
"#;

    #[test]
    fn months_are_counted() {
        let log = parse(ROWS.as_bytes(), "sample/event_log.jsonl");
        let log = log.value().expect("rows");
        let months: Vec<_> =
            log.unclean_shutdowns_per_month.iter().map(|m| (m.month.as_str(), m.count)).collect();
        assert_eq!(months, [("2026-05", 2), ("2026-07", 1)]);
        assert_eq!((log.rows_read, log.events.len(), log.newest_may_be_missing), (Some(9000), 4, false));
        assert_eq!((log.events[3].line, log.events[3].change.map(|c| c.id)), (5, Some(5)));
    }

    #[test]
    fn a_journal_beside_it_is_told() {
        let found = run(&[("sample/event_log.jsonl", r#"{"rows_read":1,"wal":true}"#)], async |door| {
            collect(door).await
        });
        assert!(found.value().expect("a head").newest_may_be_missing);
        assert!(run(&[], async |door| collect(door).await).is_absent());
        assert!(parse(b"", "x").why_not().is_some_and(|why| why.contains("empty")));
        assert!(parse(b"{}", "x").why_not().is_some_and(|why| why.contains("no head")));
    }

    #[test]
    fn cut_and_damaged_rows() {
        hostile::cut(ROWS.as_bytes(), |bytes| parse(bytes, "x").value().map(|log| log.events.clone()));
        hostile::mutate(
            ROWS.as_bytes(),
            1000,
            |bytes| parse(bytes, "x"),
            |log| {
                let Some(log) = log.value() else { return };
                assert!(log.events.len() <= EventLog::MOST_EVENTS);
                assert!(log.unclean_shutdowns_per_month.iter().all(|m| m.month.len() == 7 && m.count > 0));
            },
        );
    }
}
