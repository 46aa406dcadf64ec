//! A filled database goes from one kind to the other and back, whole or not at all.

use super::isolation::{everything, rows};
use super::*;
use crate::store::transfer::{Content, TransferError, transfer};

async fn run(store: &Store, sql: String) {
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&store.writer).await.expect("runs");
}

/// Two tenants, and more rows than are copied at a time.
async fn fill(store: &Store) {
    for sql in rows("m").into_iter().chain(rows("n")) {
        run(store, sql).await;
    }
    run(store, "UPDATE tenants SET name = 'Ours' WHERE id = 'default'".to_owned()).await;
    for n in 0..450 {
        run(
            store,
            format!("INSERT INTO nonces (key_id, nonce, expires_at) VALUES ('k{}', 'n{n}', {n})", n % 7),
        )
        .await;
    }
    // The database checks these references at the end only.
    let ledger = "INSERT INTO ledger (serial, status, replaced_by, replaces, purchase, changed_at) VALUES";
    let both =
        format!("{ledger} ('A', 'replaced-by', 'B', NULL, '{{}}', 1), ('B', 'active', NULL, 'A', '{{}}', 1)");
    run(store, both).await;
    let audit = "INSERT INTO ledger_audit (at, who, serial, action, reason, after) VALUES (1, 'Ä', 'A', 'set', 'é', '{}')";
    run(store, audit.to_owned()).await;
}

async fn copied(from: &Store, to: &Store) -> Result<BTreeMap<String, Content>, TransferError> {
    transfer(from, to, &mut |_, _| {}).await
}

#[tokio::test]
async fn a_filled_database_goes_there_and_back() {
    for kind in KINDS {
        let other = if kind == Kind::Sqlite { Kind::Postgres } else { Kind::Sqlite };
        let (here, there, back) = (opened(kind).await, opened(other).await, opened(kind).await);
        fill(&here.store).await;
        let out = copied(&here.store, &there.store).await.expect("copies");
        assert_eq!(out["nonces"].rows, 450);
        assert_eq!(out["tenants"].rows, 3);
        assert_eq!(copied(&there.store, &back.store).await.expect("copies back"), out);
        for tenant in ["m", "n"] {
            let before = everything(&here.store, tenant).await;
            assert_eq!(everything(&there.store, tenant).await, before, "{kind:?}");
            assert_eq!(everything(&back.store, tenant).await, before, "{kind:?}");
        }
        let tenants = there.store.tenants().await.expect("lists");
        assert!(tenants.iter().any(|tenant| tenant.id == tenants::DEFAULT && tenant.name == "Ours"));
        // What counts itself goes on above what was copied.
        let tenant = there.store.tenant_named("m").await.expect("asks").expect("is there");
        assert!(there.store.of(&tenant).revoke_device("m-d", "w", 1).await.expect("writes an event"));
        assert!(matches!(copied(&here.store, &there.store).await, Err(TransferError::NotEmpty(_))));
    }
}

#[tokio::test]
async fn what_cannot_be_copied_leaves_the_target_empty() {
    let (here, there) = (opened(Kind::Sqlite).await, opened(Kind::Postgres).await);
    fill(&here.store).await;
    // SQLite keeps what PostgreSQL does not.
    sqlx::query("UPDATE devices SET model = $1 WHERE id = 'n-d'")
        .bind("a\0b")
        .execute(&here.store.writer)
        .await
        .expect("runs");
    let refused = copied(&here.store, &there.store).await.expect_err("refused");
    assert!(matches!(&refused, TransferError::Table { table, .. } if table == "devices"), "{refused:?}");
    assert!(everything(&there.store, "m").await.values().all(Vec::is_empty));
    assert_eq!(there.store.tenants().await.expect("lists").len(), 1);
    run(&here.store, "UPDATE devices SET model = 'a' WHERE id = 'n-d'".to_owned()).await;
    copied(&here.store, &there.store).await.expect("copies now");
}

#[tokio::test]
async fn other_tables_are_not_copied_into() {
    let (here, there) = (opened(Kind::Sqlite).await, opened(Kind::Postgres).await);
    run(&there.store, "ALTER TABLE devices ADD COLUMN more TEXT".to_owned()).await;
    assert!(matches!(copied(&here.store, &there.store).await, Err(TransferError::Tables)));
}
