//! What a database itself says of its tables: columns, primary keys, and which table refers to which.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::AnyConnection;

use super::{Doing, Kind, StoreError};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holds {
    /// Whole numbers.
    Number,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// Columns by name.
    pub(super) columns: BTreeMap<String, Holds>,
    /// Columns of the primary key, in its order.
    pub(super) key: Vec<String>,
    /// Other tables that it refers to.
    pub(super) refers: BTreeSet<String>,
}

/// Every table but the list of migrations.
///
/// # Errors
/// When the database fails, or has a column of a kind that we do not use.
pub(super) async fn tables(
    kind: Kind,
    connection: &mut AnyConnection,
) -> Result<BTreeMap<String, Table>, StoreError> {
    const DOING: &str = "list its tables";
    let (columns, references) = match kind {
        Kind::Sqlite => (
            "SELECT m.name, c.name, lower(c.type), c.pk FROM sqlite_master m, pragma_table_info(m.name) c
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!' AND m.name <> '_sqlx_migrations'
             ORDER BY m.name, c.pk",
            "SELECT m.name, f.\"table\" FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
        ),
        Kind::Postgres => (
            "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL), coalesce(k.place, 0)
             FROM pg_class c
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                 LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
                 LEFT JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k (attnum, place) ON k.attnum = a.attnum
             WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
                 AND c.relname <> '_sqlx_migrations'
             ORDER BY c.relname, coalesce(k.place, 0)",
            "SELECT c.relname::text, f.relname::text FROM pg_constraint r
                 JOIN pg_class c ON c.oid = r.conrelid JOIN pg_class f ON f.oid = r.confrelid
             WHERE r.contype = 'f' AND c.relnamespace = current_schema()::regnamespace",
        ),
    };
    let columns: Vec<(String, String, String, i64)> =
        sqlx::query_as(columns).fetch_all(&mut *connection).await.doing(DOING)?;
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for (table, column, holds, place) in columns {
        let holds = match holds.as_str() {
            "integer" | "bigint" => Holds::Number,
            "text" => Holds::Text,
            "blob" | "bytea" => Holds::Bytes,
            other => {
                let why = format!("{table}.{column} is {other}, which is not one of ours");
                return Err(sqlx::Error::Protocol(why)).doing(DOING);
            }
        };
        let table = tables.entry(table).or_default();
        if place > 0 {
            table.key.push(column.clone());
        }
        table.columns.insert(column, holds);
    }
    let references: Vec<(String, String)> =
        sqlx::query_as(references).fetch_all(connection).await.doing(DOING)?;
    for (table, to) in references {
        if table != to
            && let Some(table) = tables.get_mut(&table)
        {
            table.refers.insert(to);
        }
    }
    Ok(tables)
}

/// Names of tables, each behind those that it refers to.
pub(super) fn in_order(tables: &BTreeMap<String, Table>) -> Vec<String> {
    let mut done: Vec<String> = Vec::new();
    while done.len() < tables.len() {
        let ready = tables.iter().filter(|(name, table)| {
            !done.contains(name)
                && table.refers.iter().all(|to| done.contains(to) || !tables.contains_key(to))
        });
        let ready: Vec<String> = ready.map(|(name, _)| name.clone()).collect();
        if ready.is_empty() {
            // A circle: the database itself says what it refuses.
            done.extend(tables.keys().filter(|name| !done.contains(name)).cloned().collect::<Vec<_>>());
        }
        done.extend(ready);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tables: &[(&str, &[&str])], expected: &[&str]) {
        let table = |refers: &[&str]| Table {
            refers: refers.iter().map(|to| (*to).to_owned()).collect(),
            ..Table::default()
        };
        let tables = tables.iter().map(|(name, refers)| ((*name).to_owned(), table(refers))).collect();
        assert_eq!(in_order(&tables), expected);
    }

    #[test]
    fn who_is_referred_to_comes_first() {
        check(&[], &[]);
        check(&[("a", &["c"]), ("b", &["a"]), ("c", &[])], &["c", "a", "b"]);
        check(&[("a", &["b"]), ("b", &["a"]), ("c", &[])], &["c", "a", "b"]);
        check(&[("a", &["gone"])], &["a"]);
    }
}
