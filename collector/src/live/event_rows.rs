//! The rows of QTS's event log that are about hardware, out of a copy of the database, as lines of JSON.
//!
//! Only four columns are looked at: number, level, time and text (table `NASLOG_EVENT`; newer systems have more
//! columns). Users and addresses stand in other columns and are never taken. A row is kept when its text has one of
//! [`WORDS`] and does not begin with one of [`NOT_HARDWARE`]. The texts are in the language that QTS was set to; rows in
//! another language than English have none of the words, which is why the head says how many rows there were.
//!
//! The first line is the head: `rows_read`, `rows_left_out` (older hardware rows beyond the limit), `unreadable` (pages
//! and records that made no sense), `cut` (the copy is not the whole file), `wal_mode`, `wal` and `journal` (what stood
//! beside the database: rows in a write-ahead log are missing here, rows of an open journal may be undone). Then one
//! line a row, oldest first: `id`, `type` (0 information, 1 warning, 2 error), `time_unix_s` or `time_text`, `text`.

use serde_json::json;

use super::sqlite::{Database, Row, Value};

/// Most rows that are kept: the newest.
const MOST_ROWS: usize = 5_000;
/// Most rows that are looked at; QTS keeps ten thousand by default.
const MOST_ROWS_READ: u64 = 500_000;
/// Most bytes of one text.
const MOST_TEXT_BYTES: usize = 1024;
const TABLE: &str = "NASLOG_EVENT";

/// A text with one of these words (in any case, at the beginning of a word) is about hardware.
const WORDS: &[&str] = &[
    "power",
    "psu",
    "shutdown",
    "shut down",
    "restart",
    "reboot",
    "boot",
    "system started",
    "fan",
    "temperature",
    "overheat",
    "thermal",
    "disk",
    "drive",
    "ssd",
    "nvme",
    "m.2",
    "s.m.a.r.t",
    "bad block",
    "medium error",
    "i/o error",
    "raid",
    "pool",
    "volume",
    "rebuil",
    "degraded",
    "resync",
    "scrub",
    "firmware",
    "ups",
    "ncq",
    "enclosure",
    "jbod",
    "memory",
    "ecc",
    "pcie",
    "battery",
    "file system",
];

/// A text that begins so is about programs and people, whatever words follow.
const NOT_HARDWARE: &[&str] = &[
    "[app center]",
    "[users]",
    "[user",
    "[shared folder",
    "[notification center]",
    "[myqnapcloud",
    "[hybrid backup",
    "[hbs",
    "[file station]",
    "[qsync",
    "[security",
    "[privilege",
    "[network & file",
];

/// What stood beside the database when it was copied.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beside {
    pub(super) wal: bool,
    pub(super) journal: bool,
    pub(super) cut: bool,
}

/// Head and rows, and whether something was left out.
pub(super) fn extract(bytes: &[u8], beside: Beside, limit_bytes: u64) -> Result<(Vec<u8>, bool), String> {
    let database = Database::open(bytes)?;
    let table = database.table(TABLE).ok_or_else(|| format!("it has no table {TABLE}"))?;
    let column = |name: &str| table.columns.iter().position(|column| column == name);
    let text = column("event_desc").ok_or_else(|| format!("{TABLE} has no column event_desc"))?;
    let columns = Columns {
        text,
        kind: column("event_type"),
        unix: column("event_timet"),
        date: column("event_date"),
        time: column("event_time"),
    };
    let room = usize::try_from(limit_bytes).unwrap_or(usize::MAX).saturating_sub(512);
    let (mut rows_read, mut left_out, mut size) = (0_u64, 0_u64, 0_usize);
    let mut lines = Vec::new();
    let unreadable = database.newest_first(&table, |row| {
        rows_read += 1;
        if let Some(line) = columns.line(&row) {
            if lines.len() < MOST_ROWS && size + line.len() < room {
                size += line.len() + 1;
                lines.push(line);
            } else {
                left_out += 1;
            }
        }
        rows_read < MOST_ROWS_READ
    });
    let head = json!({
        "rows_read": rows_read,
        "rows_left_out": left_out,
        "unreadable": unreadable,
        "cut": beside.cut,
        "wal_mode": database.wal_mode,
        "wal": beside.wal,
        "journal": beside.journal,
    });
    let mut out = format!("{head}\n");
    for line in lines.iter().rev() {
        out.push_str(line);
        out.push('\n');
    }
    Ok((out.into_bytes(), left_out > 0 || beside.cut))
}

struct Columns {
    text: usize,
    kind: Option<usize>,
    unix: Option<usize>,
    date: Option<usize>,
    time: Option<usize>,
}

impl Columns {
    fn line(&self, row: &Row) -> Option<String> {
        let value = |column: Option<usize>| row.values.get(column?);
        let Some(Value::Text(text)) = value(Some(self.text)) else { return None };
        if !is_hardware(text) {
            return None;
        }
        let end = (0..=MOST_TEXT_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end))?;
        let word = |column| match value(column) {
            Some(Value::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        let unix = number(value(self.unix)).filter(|time| *time > 0);
        let written = match (unix, word(self.date), word(self.time)) {
            (None, Some(date), Some(time)) => Some(format!("{date} {time}")),
            _ => None,
        };
        Some(
            json!({
                "id": row.id,
                "type": number(value(self.kind)),
                "time_unix_s": unix,
                "time_text": written,
                "text": text.get(..end)?,
            })
            .to_string(),
        )
    }
}

fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Integer(number) => Some(*number),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn is_hardware(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    !NOT_HARDWARE.iter().any(|begin| lower.starts_with(begin))
        && WORDS.iter().any(|word| lower.match_indices(word).any(|(at, _)| stands_alone(&lower, at, word)))
}

/// Whether a word begins where it was found. A short one has to end there too (but for a plural): `fan` is no
/// `fantastic`, and `power` is in `powered`.
fn stands_alone(text: &str, at: usize, word: &str) -> bool {
    const SHORT: usize = 4;
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    let after = text.get(at + word.len()..).unwrap_or_default();
    let ends = |rest: &str| !rest.starts_with(char::is_alphabetic);
    let ended = word.len() > SHORT || ends(after) || after.strip_prefix('s').is_some_and(ends);
    ended && before.is_none_or(|c| !c.is_alphanumeric())
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::super::sqlite::tests::made;
    use super::*;

    const CREATE: &str = "CREATE TABLE NASLOG_EVENT (event_id INTEGER PRIMARY KEY, event_type INTEGER, event_date TEXT,
        event_time TEXT, event_user TEXT, event_ip TEXT, event_comp TEXT, event_desc TEXT, event_msgid INTEGER,
        event_timet INTEGER, event_app TEXT);";

    #[test]
    fn only_hardware_rows_and_no_users() {
        let rows = "INSERT INTO NASLOG_EVENT VALUES
            (1,0,'2022-05-04','03:02:01','anna','10.0.0.9','nas','[Power] System started.',1,1651633321,''),
            (2,0,'2022-05-04','03:03:01','anna','10.0.0.9','nas','[Users] Created user with a power supply.',1,1651633381,''),
            (3,0,'2022-05-04','03:03:02','anna','10.0.0.9','nas','Login OK',1,1651633382,''),
            (4,2,'2022-05-04','03:04:01','System','127.0.0.1','localhost','[Power] The system was not shutdown properly last time.',1,0,''),
            (5,0,'2022-05-04','03:04:02','System','127.0.0.1','localhost','Fantastic groups',1,1,'');";
        let Some(bytes) = made(&format!("{CREATE}{rows}")) else { return };
        let (out, cut) = extract(&bytes, Beside::default(), 100_000).expect("a database");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        let head: serde_json::Value = serde_json::from_str(lines[0]).expect("a head");
        assert_eq!(
            (head["rows_read"].as_u64(), head["wal_mode"].as_bool(), cut),
            (Some(5), Some(false), false)
        );
        let last: serde_json::Value = serde_json::from_str(lines[2]).expect("a row");
        assert_eq!((last["id"].as_i64(), last["type"].as_i64()), (Some(4), Some(2)));
        assert_eq!(
            (&last["time_unix_s"], last["time_text"].as_str()),
            (&serde_json::Value::Null, Some("2022-05-04 03:04:01"))
        );
        assert!(!text.contains("anna") && !text.contains("10.0.0.9"));
    }

    #[test]
    fn the_newest_rows_fit_the_limit() {
        let fill = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<7000)
            INSERT INTO NASLOG_EVENT SELECT x,0,'','','','','','Drive ' || x || ' plugged',1,x,'' FROM c;";
        let Some(bytes) = made(&format!("{CREATE}{fill}")) else { return };
        let (out, cut) = extract(&bytes, Beside::default(), 1_000_000).expect("a database");
        let text = String::from_utf8(out).expect("text");
        assert_eq!((text.lines().count(), cut), (MOST_ROWS + 1, true));
        assert!(
            text.ends_with("Drive 7000 plugged\"}\n")
                && text.contains("Drive 7000 plugged")
                && !text.contains("Drive 2000 ")
        );
        let (out, _) = extract(&bytes, Beside::default(), 10_000).expect("a database");
        assert!(out.len() <= 10_000);
    }

    #[test]
    fn a_write_ahead_log_is_told() {
        let Some(bytes) = made(&format!("PRAGMA journal_mode=WAL; {CREATE}")) else { return };
        let (out, _) =
            extract(&bytes, Beside { wal: true, ..Beside::default() }, 10_000).expect("a database");
        let head: serde_json::Value = serde_json::from_slice(&out).expect("a head alone");
        assert_eq!((head["wal_mode"].as_bool(), head["wal"].as_bool()), (Some(true), Some(true)));
    }

    #[test]
    fn what_is_no_event_log_is_refused() {
        assert!(extract(b"hello", Beside::default(), 10).expect_err("no database").contains("no SQLite"));
        let Some(bytes) = made("CREATE TABLE x(y);") else { return };
        assert!(extract(&bytes, Beside::default(), 10).expect_err("no table").contains(TABLE));
    }
}
