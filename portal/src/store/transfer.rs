//! A whole portal's rows from one database into another, empty one: all of them, or none.
//!
//! The source is read in one snapshot, the target written in one transaction. Before that is committed, each table is
//! read back and compared by the number of its rows and by a digest: the sum of the SHA-256 of every row, so that it
//! does not depend on the order in which a database gives them. Refused are a target that holds anything, and one whose
//! tables differ from the source's.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ring::digest::{Context, SHA256};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{AnyConnection, Arguments, AssertSqlSafe, Row};

use super::schema::{Holds, Table, in_order, tables};
use super::tenants::DEFAULT;
use super::{Doing, Kind, Store, StoreError};

/// Rows that are read and written at a time.
const ROWS: usize = 200;
const DOING: &str = "copy it";

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One table, with the database's reason.
    #[error("table {table} cannot be copied")]
    Table {
        /// Table.
        table: String,
        /// Why not.
        #[source]
        source: StoreError,
    },
    /// The target is not empty.
    #[error("the target is not empty (table {0} has rows): name an empty database")]
    NotEmpty(String),
    /// The tables are not the same.
    #[error(
        "source and target do not have the same tables: bring both to the version of this program (assay-portal migrate)"
    )]
    Tables,
    /// What was read back is not what was written.
    #[error("table {0} does not read back as it was written: nothing was kept of the copy")]
    Differs(String),
}

/// What a table has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Rows.
    pub rows: u64,
    /// Sum of the digests of its rows.
    sum: [u64; 4],
}

impl Content {
    fn add(&mut self, row: &[Value]) {
        let mut context = Context::new(&SHA256);
        for value in row {
            let (mark, bytes): (u8, &[u8]) = match value {
                Value::Null => (0, &[]),
                Value::Number(number) => (1, &number.to_be_bytes()),
                Value::Text(text) => (2, text.as_bytes()),
                Value::Bytes(bytes) => (3, bytes),
            };
            context.update(&[mark]);
            context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(bytes);
        }
        let digest = context.finish();
        for (lane, part) in self.sum.iter_mut().zip(digest.as_ref().chunks_exact(8)) {
            let part = part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            *lane = lane.wrapping_add(part);
        }
        self.rows += 1;
    }

    /// The digest, lower-case hex.
    pub fn digest(&self) -> String {
        self.sum.iter().map(|lane| format!("{lane:016x}")).collect()
    }
}

#[derive(Clone, Debug)]
enum Value {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    fn of(row: &AnyRow, place: usize, holds: Holds) -> Result<Self, sqlx::Error> {
        Ok(match holds {
            Holds::Number => row.try_get::<Option<i64>, _>(place)?.map(Self::Number),
            Holds::Text => row.try_get::<Option<String>, _>(place)?.map(Self::Text),
            Holds::Bytes => row.try_get::<Option<Vec<u8>>, _>(place)?.map(Self::Bytes),
        }
        .unwrap_or(Self::Null))
    }

    fn bind(&self, arguments: &mut AnyArguments, holds: Holds) -> Result<(), sqlx::Error> {
        let bound = match (self, holds) {
            (Self::Number(number), _) => arguments.add(*number),
            (Self::Text(text), _) => arguments.add(text.as_str()),
            (Self::Bytes(bytes), _) => arguments.add(bytes.as_slice()),
            (Self::Null, Holds::Number) => arguments.add(None::<i64>),
            (Self::Null, Holds::Text) => arguments.add(None::<String>),
            (Self::Null, Holds::Bytes) => arguments.add(None::<Vec<u8>>),
        };
        bound.map_err(sqlx::Error::Encode)
    }
}

/// Copies everything. `told` hears of each table when it is written.
///
/// # Errors
/// When the target is not empty, the tables differ, or a database fails; nothing is kept then.
pub async fn transfer(
    from: &Store,
    to: &Store,
    told: &mut dyn FnMut(&str, &Content),
) -> Result<BTreeMap<String, Content>, TransferError> {
    let mut source = from.snapshot().await.doing(DOING)?;
    let mut target = to.begin(&[]).await.doing(DOING)?;
    let schema = tables(to.kind, &mut target).await?;
    if columns(&tables(from.kind, &mut source).await?) != columns(&schema) {
        return Err(TransferError::Tables);
    }
    for name in schema.keys() {
        let held = format!("SELECT count(*) FROM {name}");
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(held)).fetch_one(&mut *target).await.doing(DOING)?;
        // The first tenant is there from the beginning; it is replaced by the source's.
        let first = i64::from(name == "tenants");
        if rows > first {
            return Err(TransferError::NotEmpty(name.clone()));
        }
    }
    sqlx::query("DELETE FROM tenants WHERE id = $1")
        .bind(DEFAULT)
        .execute(&mut *target)
        .await
        .doing(DOING)?;
    let mut written = BTreeMap::new();
    for name in in_order(&schema) {
        let Some(table) = schema.get(&name) else { continue };
        let of_table = |source| TransferError::Table { table: name.clone(), source };
        let content = copy(&mut source, &mut target, &name, table).await.doing(DOING).map_err(of_table)?;
        told(&name, &content);
        written.insert(name, content);
    }
    if to.kind == Kind::Postgres {
        go_on_counting(&mut target).await.doing(DOING)?;
    }
    for (name, content) in &written {
        let Some(table) = schema.get(name) else { continue };
        let mut back = Content::default();
        let mut last = None;
        loop {
            let page = page(&mut target, name, table, last.as_deref()).await.doing(DOING)?;
            page.iter().for_each(|row| back.add(row));
            last = key_of(table, page.last());
            if page.len() < ROWS {
                break;
            }
        }
        if back != *content {
            return Err(TransferError::Differs(name.clone()));
        }
    }
    source.rollback().await.doing(DOING)?;
    target.commit().await.doing(DOING)?;
    Ok(written)
}

fn columns(tables: &BTreeMap<String, Table>) -> BTreeMap<&String, &BTreeMap<String, Holds>> {
    tables.iter().map(|(name, table)| (name, &table.columns)).collect()
}

async fn copy(
    source: &mut AnyConnection,
    target: &mut AnyConnection,
    name: &str,
    table: &Table,
) -> Result<Content, sqlx::Error> {
    let mut content = Content::default();
    let mut last = None;
    loop {
        let page = page(source, name, table, last.as_deref()).await?;
        if !page.is_empty() {
            insert(target, name, table, &page).await?;
        }
        page.iter().for_each(|row| content.add(row));
        last = key_of(table, page.last());
        if page.len() < ROWS {
            return Ok(content);
        }
    }
}

/// The key of a row: the next page begins behind it.
fn key_of(table: &Table, row: Option<&Vec<Value>>) -> Option<Vec<Value>> {
    let place = |key: &String| table.columns.keys().position(|column| column == key);
    table.key.iter().map(|key| row?.get(place(key)?).cloned()).collect()
}

/// Names in a statement: they are words of some databases.
fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// The rows behind a key, by their primary key. Names come out of the database's own schema.
async fn page(
    connection: &mut AnyConnection,
    name: &str,
    table: &Table,
    behind: Option<&[Value]>,
) -> Result<Vec<Vec<Value>>, sqlx::Error> {
    let (columns, key) = (list(table.columns.keys()), list(table.key.iter()));
    let mut arguments = AnyArguments::default();
    let mut filter = String::new();
    if let Some(behind) = behind {
        for (column, value) in table.key.iter().zip(behind) {
            value.bind(&mut arguments, table.columns.get(column).copied().unwrap_or(Holds::Text))?;
        }
        let places: Vec<String> = (1..=behind.len()).map(|place| format!("${place}")).collect();
        filter = format!("WHERE ({key}) > ({})", places.join(", "));
    }
    let sql = format!("SELECT {columns} FROM {name} {filter} ORDER BY {key} LIMIT {ROWS}");
    let rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(connection).await?;
    let read = |row: &AnyRow| {
        let values = table.columns.values().enumerate();
        values.map(|(place, holds)| Value::of(row, place, *holds)).collect()
    };
    rows.iter().map(read).collect()
}

async fn insert(
    connection: &mut AnyConnection,
    name: &str,
    table: &Table,
    rows: &[Vec<Value>],
) -> Result<(), sqlx::Error> {
    let mut sql = format!("INSERT INTO {name} ({}) VALUES ", list(table.columns.keys()));
    let mut arguments = AnyArguments::default();
    let mut place = 0;
    for (number, row) in rows.iter().enumerate() {
        sql.push_str(if number == 0 { "(" } else { ", (" });
        for (column, (value, holds)) in row.iter().zip(table.columns.values()).enumerate() {
            place += 1;
            // A String takes everything that is written to it.
            let _ = write!(sql, "{}${place}", if column == 0 { "" } else { ", " });
            value.bind(&mut arguments, *holds)?;
        }
        sql.push(')');
    }
    sqlx::query_with(AssertSqlSafe(sql), arguments).execute(connection).await.map(drop)
}

/// Columns that PostgreSQL counts itself go on above the highest number that was copied.
async fn go_on_counting(target: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let counted: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text FROM information_schema.columns
         WHERE table_schema = current_schema() AND is_identity = 'YES'",
    )
    .fetch_all(&mut *target)
    .await?;
    for (table, column) in counted {
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max(\"{column}\")) FROM {table} HAVING max(\"{column}\") > 0"
        );
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *target).await?;
    }
    Ok(())
}
