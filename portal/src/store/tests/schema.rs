//! Both schemas are one: the same tables with the same columns, and a database of before comes along.

use super::*;
use crate::store::schema::{Table, tables};

pub(super) async fn columns(store: &Store) -> BTreeMap<String, Table> {
    let mut connection = store.writer.acquire().await.expect("connects");
    tables(store.kind(), &mut connection).await.expect("lists")
}

#[tokio::test]
async fn both_schemas_have_the_same_tables_and_columns() {
    let (sqlite, postgres) = (opened(Kind::Sqlite).await, opened(Kind::Postgres).await);
    let (sqlite, postgres) = (columns(&sqlite.store).await, columns(&postgres.store).await);
    assert!(sqlite.len() > 20, "{:?}", sqlite.keys());
    assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
    for (name, table) in &sqlite {
        assert_eq!(Some(&table.columns), postgres.get(name).map(|table| &table.columns), "{name}");
        assert!(!table.key.is_empty(), "{name} has a key");
    }
}

#[tokio::test]
async fn migrations_have_the_same_numbers_from_the_eleventh_on() {
    let numbers = |migrator: sqlx::migrate::Migrator| -> Vec<i64> {
        migrator.iter().map(|migration| migration.version).filter(|number| *number >= 11).collect()
    };
    assert_eq!(
        numbers(sqlx::migrate!("./migrations/sqlite")),
        numbers(sqlx::migrate!("./migrations/postgres"))
    );
}

#[tokio::test]
async fn what_was_there_before_tenants_is_the_default_tenants() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("portal.db");
    sqlx::any::install_default_drivers();
    let before = AnyPoolOptions::new()
        .max_connections(1)
        .connect_with(options(&place::file_url(&path, "rwc")).expect("an address"))
        .await
        .expect("opens");
    let mut old = sqlx::migrate!("./migrations/sqlite");
    old.migrations = old.migrations.iter().filter(|migration| migration.version < 11).cloned().collect();
    old.run(&before).await.expect("the schema of before");
    for sql in [
        "INSERT INTO devices (id, key_id, public_key, chassis, enrolled_at) VALUES ('d', 'SHA256:k', 'ssh', '[]', 1)",
        "INSERT INTO users (name, password_hash, created_at) VALUES ('Ada', 'x', 1)",
        "INSERT INTO replacements (old_serial, new_serial, created_at, case_id) VALUES ('A', 'B', 1, 'C')",
        "INSERT INTO update_notice (only, version, sha256, url, set_at) VALUES (1, '1.0.0', 'x', 'u', 1)",
        "INSERT INTO failures (kind, subject, at) VALUES ('code', '::1', 5)",
    ] {
        before.execute(sql).await.expect("runs");
    }
    before.close().await;
    let store = Store::open(&Place::Sqlite(path)).await.expect("comes along");
    let device = store.caller_by_key("SHA256:k").await.expect("asks").expect("is there");
    assert_eq!(device.tenant.id(), tenants::DEFAULT);
    let own = store.of(&device.tenant);
    assert_eq!(own.person("ADA").await.expect("asks").as_deref(), Some("Ada"));
    assert!(
        own.replacement_of("A").await.expect("asks").is_some_and(|one| one.case_id.as_deref() == Some("C"))
    );
    assert!(own.notice().await.expect("asks").is_some());
    assert_eq!(store.failures_of("code", "::1", 0).await.expect("asks"), 1);
}

#[tokio::test]
async fn a_database_is_opened_twice_at_once_and_later_again() {
    for kind in KINDS {
        let (place, _dir) = empty(kind).await;
        let (one, other) = tokio::join!(Store::open(&place), Store::open(&place));
        let (one, other) = (one.expect("opens"), other.expect("opens as well"));
        assert_eq!(one.tenants().await.expect("lists"), other.tenants().await.expect("lists"));
        one.close().await;
        other.close().await;
        let again = Store::open(&place).await.expect("opens again");
        assert_eq!(again.tenants().await.expect("lists").len(), 1);
    }
}
