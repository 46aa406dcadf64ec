//! The rows of one table of an SQLite database, out of a copy in memory.
//!
//! Only what that takes: the header, table b-tree pages (types 5 and 13), records and overflow pages. Index pages,
//! views, freelists and everything else are ignored, and nothing is ever written. SQLite itself would be a megabyte in
//! a program of five, and would take locks and replay journals of a database that belongs to QTS.
//!
//! The bytes are guilty: a page is visited once, depth, payloads and columns are bounded, and a page that makes no sense
//! is counted and skipped. A copy that was taken while QTS wrote may hold such pages. Rows that only stand in a
//! write-ahead log are not there. Format: sqlite.org/fileformat2.html.

use std::collections::HashSet;

/// First bytes of every database.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Bytes before the first page's b-tree header.
const HEADER_BYTES: usize = 100;
/// Most levels of a tree: twenty levels of two children are more pages than a copy can hold.
const MOST_DEPTH: usize = 20;
/// Most bytes of one record; an event is a sentence.
const MOST_PAYLOAD_BYTES: usize = 64 * 1024;
/// Most columns of a record.
const MOST_COLUMNS: usize = 100;

/// One stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Text(String),
    /// A number with a point, or bytes.
    Other,
}

/// One row: its number, and its values in the order of the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) values: Vec<Value>,
}

/// A database in memory.
pub(super) struct Database<'a> {
    bytes: &'a [u8],
    page_bytes: usize,
    usable_bytes: usize,
    utf16: Option<bool>,
    /// The header says that changes go to a write-ahead log first.
    pub(super) wal_mode: bool,
}

/// A table's first page and the names of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    root: u32,
    pub(super) columns: Vec<String>,
}

impl<'a> Database<'a> {
    /// Reads the header.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, &'static str> {
        if !bytes.starts_with(MAGIC) || bytes.len() < HEADER_BYTES {
            return Err("it is no SQLite database");
        }
        let page_bytes = match big(bytes, 16, 2) {
            Some(1) => 65_536,
            Some(size) if size >= 512 && size.is_power_of_two() => size,
            _ => return Err("its page size is none that SQLite has"),
        };
        let page_bytes = usize::try_from(page_bytes).map_err(|_| "its pages are too large")?;
        let reserved = bytes.get(20).copied().map(usize::from).unwrap_or_default();
        let usable_bytes = page_bytes.saturating_sub(reserved);
        if usable_bytes < 480 {
            return Err("its pages have no room");
        }
        let utf16 = match big(bytes, 56, 4) {
            Some(2) => Some(false),
            Some(3) => Some(true),
            _ => None,
        };
        Ok(Self { bytes, page_bytes, usable_bytes, utf16, wal_mode: bytes.get(18) == Some(&2) })
    }

    /// Finds a table by its name, in any case.
    pub(super) fn table(&self, name: &str) -> Option<Table> {
        let mut found = None;
        self.rows(1, &mut |row| {
            if let [Value::Text(kind), Value::Text(called), _, Value::Integer(root), Value::Text(sql), ..] =
                row.values.as_slice()
                && kind == "table"
                && called.eq_ignore_ascii_case(name)
                && let Ok(root) = u32::try_from(*root)
            {
                found = Some(Table { root, columns: columns(sql) });
            }
            found.is_none()
        });
        found
    }

    /// Hands out the rows of a table from the newest (highest number) to the oldest until `take` has enough. The
    /// answer is the number of pages and records that made no sense.
    pub(super) fn newest_first(&self, table: &Table, mut take: impl FnMut(Row) -> bool) -> u64 {
        self.rows(table.root, &mut take)
    }

    fn rows(&self, root: u32, take: &mut dyn FnMut(Row) -> bool) -> u64 {
        let mut damaged = 0;
        let mut visited = HashSet::new();
        let mut waiting = vec![(root, 0_usize)];
        while let Some((number, depth)) = waiting.pop() {
            if depth > MOST_DEPTH || !visited.insert(number) {
                damaged += 1;
                continue;
            }
            let Some(page) = self.page(number) else {
                damaged += 1;
                continue;
            };
            let start = if number == 1 { HEADER_BYTES } else { 0 };
            let cells =
                big(page, start + 3, 2).and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
            let head = match page.get(start) {
                Some(13) => 8,
                Some(5) => 12,
                _ => {
                    damaged += 1;
                    continue;
                }
            };
            let cell = |index: usize| {
                let at = start.checked_add(head)?.checked_add(index.checked_mul(2)?)?;
                usize::try_from(big(page, at, 2)?).ok()
            };
            if head == 12 {
                // Children in the order of their keys; the last one is what is taken next.
                let children = (0..cells).map(|index| big(page, cell(index)?, 4));
                let last = std::iter::once_with(|| big(page, start + 8, 4));
                for child in children.chain(last) {
                    match child.and_then(|child| u32::try_from(child).ok()) {
                        Some(child) => waiting.push((child, depth + 1)),
                        None => damaged += 1,
                    }
                }
                continue;
            }
            for index in (0..cells).rev() {
                match cell(index).and_then(|at| self.record(page, at)) {
                    Some(row) => {
                        if !take(row) {
                            return damaged;
                        }
                    }
                    None => damaged += 1,
                }
            }
        }
        damaged
    }

    fn page(&self, number: u32) -> Option<&'a [u8]> {
        let start = usize::try_from(number).ok()?.checked_sub(1)?.checked_mul(self.page_bytes)?;
        self.bytes.get(start..start.checked_add(self.page_bytes)?)?.get(..self.usable_bytes)
    }

    /// The record of a leaf's cell, with what overflows it.
    fn record(&self, page: &[u8], at: usize) -> Option<Row> {
        let (length, at) = varint(page, at)?;
        let (id, at) = varint(page, at)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= MOST_PAYLOAD_BYTES)?;
        let most_local = self.usable_bytes.checked_sub(35)?;
        if length <= most_local {
            return Some(Row { id, values: self.values(page.get(at..at.checked_add(length)?)?)? });
        }
        let least = (self.usable_bytes.checked_sub(12)? * 32 / 255).checked_sub(23)?;
        let local = least + length.checked_sub(least)? % self.usable_bytes.checked_sub(4)?;
        let local = if local <= most_local { local } else { least };
        let mut payload = page.get(at..at.checked_add(local)?)?.to_vec();
        let mut next = big(page, at + local, 4)?;
        // Every overflow page brings bytes, so this ends.
        while payload.len() < length {
            let page = self.page(u32::try_from(next).ok()?)?;
            next = big(page, 0, 4)?;
            let more = page.get(4..)?;
            payload.extend(more.iter().take(length - payload.len()));
        }
        Some(Row { id, values: self.values(&payload)? })
    }

    fn values(&self, payload: &[u8]) -> Option<Vec<Value>> {
        let (head, mut at) = varint(payload, 0)?;
        let head = usize::try_from(head).ok().filter(|head| *head <= payload.len())?;
        let mut body = head;
        let mut values = Vec::new();
        while at < head && values.len() < MOST_COLUMNS {
            let (kind, after) = varint(payload, at)?;
            at = after;
            let length = match kind {
                0 | 8 | 9 => 0,
                1..=4 => usize::try_from(kind).ok()?,
                5 => 6,
                6 | 7 => 8,
                12.. => usize::try_from((kind - 12) / 2).ok()?,
                _ => return None,
            };
            let end = body.checked_add(length)?;
            let bytes = payload.get(body..end)?;
            body = end;
            values.push(match kind {
                0 => Value::Null,
                1..=6 => Value::Integer(signed(bytes)),
                8 => Value::Integer(0),
                9 => Value::Integer(1),
                12.. if kind % 2 == 1 => Value::Text(self.text(bytes)),
                _ => Value::Other,
            });
        }
        Some(values)
    }

    fn text(&self, bytes: &[u8]) -> String {
        match self.utf16 {
            None => String::from_utf8_lossy(bytes).into_owned(),
            Some(big_endian) => {
                let units = bytes.chunks_exact(2).filter_map(|pair| {
                    let pair: [u8; 2] = pair.try_into().ok()?;
                    Some(if big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
                });
                char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect()
            }
        }
    }
}

/// Names of the columns in `CREATE TABLE name (a INTEGER PRIMARY KEY, "b" TEXT, …)`.
fn columns(sql: &str) -> Vec<String> {
    let Some((_, list)) = sql.split_once('(') else { return Vec::new() };
    let list = list.rsplit_once(')').map_or(list, |(list, _)| list);
    let mut depth = 0_i32;
    let parts = list.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    });
    let name = |part: &str| {
        let word = part.split_whitespace().next()?;
        Some(word.trim_matches(['"', '`', '\'', '[', ']']).to_ascii_lowercase())
    };
    let constraint =
        |name: &String| matches!(name.as_str(), "primary" | "unique" | "check" | "foreign" | "constraint");
    parts.filter_map(name).filter(|name| !constraint(name)).take(MOST_COLUMNS).collect()
}

/// A number of at most seven bytes, most significant first.
fn big(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    Some(bytes.get(at..at.checked_add(length)?)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn signed(bytes: &[u8]) -> i64 {
    let sign = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    bytes.iter().fold(if sign { -1 } else { 0 }, |sum, byte| sum << 8 | i64::from(*byte))
}

/// A number of one to nine bytes, seven bits each, and the place after it.
fn varint(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let mut sum = 0_i64;
    for place in 0..9 {
        let byte = *bytes.get(at.checked_add(place)?)?;
        if place == 8 {
            return Some((sum << 8 | i64::from(byte), at + 9));
        }
        sum = sum << 7 | i64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((sum, at + place + 1));
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
pub(super) mod tests {
    use super::*;

    /// A database that the real tool makes of these statements; `None` where there is no `sqlite3`.
    pub(crate) fn made(sql: &str) -> Option<Vec<u8>> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("made.db");
        let status = std::process::Command::new("sqlite3").arg(&file).arg(sql).output().ok()?.status;
        assert!(status.success(), "{sql}");
        Some(std::fs::read(&file).expect("a database"))
    }

    fn all(bytes: &[u8], table: &str) -> Option<(Vec<Row>, u64)> {
        let database = Database::open(bytes).ok()?;
        let table = database.table(table)?;
        let mut rows = Vec::new();
        let damaged = database.newest_first(&table, |row| {
            rows.push(row);
            rows.len() < 10_000
        });
        Some((rows, damaged))
    }

    #[test]
    fn names_of_columns() {
        fn check(sql: &str, expected: &[&str]) {
            assert_eq!(columns(sql), expected, "{sql}");
        }
        check("CREATE TABLE t (a INTEGER PRIMARY KEY, \"B\" VARCHAR(10, 2), [c])", &["a", "b", "c"]);
        check("CREATE TABLE t(a,b, PRIMARY KEY (a, b))", &["a", "b"]);
        check("CREATE TABLE t", &[]);
    }

    #[test]
    fn varints() {
        fn check(bytes: &[u8], expected: Option<(i64, usize)>) {
            assert_eq!(varint(bytes, 0), expected, "{bytes:?}");
        }
        check(&[5], Some((5, 1)));
        check(&[0x81, 0], Some((128, 2)));
        check(&[0xff; 9], Some((-1, 9)));
        check(&[0xff; 8], None);
        check(&[], None);
    }

    #[test]
    fn tables_that_the_real_tool_made() {
        let sql = |pragma: &str, rows: u32, length: u32| {
            format!(
                "{pragma}; CREATE TABLE other(x); CREATE TABLE T(id INTEGER PRIMARY KEY, n INT, s TEXT);
                 CREATE INDEX i ON T(s);
                 WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<{rows})
                 INSERT INTO T SELECT x, (x-100)*(x-100)*(x-100)*1000003, substr(printf('%.{length}c', 'y'), 1, {length}) || x FROM c;"
            )
        };
        for (pragma, rows, length) in [
            ("PRAGMA page_size=512", 3000_u32, 10_usize),
            ("PRAGMA page_size=512", 50, 4000),
            ("PRAGMA page_size=4096", 2000, 5),
            ("PRAGMA page_size=65536", 20, 60_000),
            ("PRAGMA encoding='UTF-16le'", 30, 30),
            ("PRAGMA encoding='UTF-16be'", 30, 30),
        ] {
            let Some(bytes) = made(&sql(pragma, rows, u32::try_from(length).expect("small"))) else { return };
            let (found, damaged) = all(&bytes, "t").expect("the table");
            assert_eq!((found.len(), damaged), (rows as usize, 0), "{pragma}");
            for (row, id) in found.iter().zip((1..=i64::from(rows)).rev()) {
                let [Value::Null, Value::Integer(number), Value::Text(text)] = row.values.as_slice() else {
                    panic!("{row:?}")
                };
                assert_eq!((row.id, *number), (id, (id - 100).pow(3) * 1_000_003));
                assert_eq!(*text, format!("{}{id}", "y".repeat(length)));
            }
        }
    }

    #[test]
    fn cut_and_damaged_databases_end() {
        let Some(whole) = made(
            "PRAGMA page_size=512; CREATE TABLE T(id INTEGER PRIMARY KEY, s TEXT);
             WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<200)
             INSERT INTO T SELECT x, printf('%.*c', x * 7, 'y') FROM c;",
        ) else {
            return;
        };
        let (full, _) = all(&whole, "T").expect("the table");
        for step in 0..20 {
            if let Some((rows, _)) = all(&whole[..whole.len() * step / 20], "T") {
                assert!(rows.iter().all(|row| full.contains(row)));
            }
        }
        crate::hostile::mutate(
            &whole,
            1000,
            |bytes| all(bytes, "T"),
            |found| {
                assert!(found.as_ref().is_none_or(|(rows, _)| rows.len() <= 10_000));
            },
        );
        assert!(Database::open(b"").is_err() && Database::open(&[0; 200]).is_err());
    }

    #[test]
    fn a_circle_of_pages_ends() {
        let mut bytes = vec![0_u8; 1024];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..18].copy_from_slice(&512_u16.to_be_bytes());
        // An inner page whose only child is itself.
        bytes[100] = 5;
        bytes[108..112].copy_from_slice(&1_u32.to_be_bytes());
        let database = Database::open(&bytes).expect("a header");
        assert_eq!(database.rows(1, &mut |_| true), 1);
    }
}
