//! The ledger on a real database: all or nothing at every statement and at every moment, one case for each serial
//! number, an audit that stays.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::*;
use crate::ledger::import::Edit;
use crate::store::Kind;
use crate::store::testing::{KINDS, Opened, opened};

const CASE: Holder<'_> = Holder { tenant: "a", case_id: "1" };
const ADA: Actor<'_> = Actor { who: "ada", reason: "case 1", now: 1_700_000_000 };

fn line(serial: &str, edits: &[Edit]) -> Line {
    Line { line: 2, serial: serial.to_owned(), edits: edits.to_vec() }
}

async fn add(store: &Store, serial: &str) -> Record {
    let edits = [
        Edit::Model(Some("TS-451".to_owned())),
        Edit::SoldTo(Some("dealer 7".to_owned())),
        Edit::InvoiceDate(Some("2024-03-01".to_owned())),
        Edit::Price(Price::read("2999", "USD").ok()),
    ];
    store.ledger_set(&line(serial, &edits), "set", &ADA).await.expect("taken")
}

/// A unit that waits for its replacement.
async fn waiting(store: &Store) {
    add(store, "Q100000001").await;
    assert_eq!(store.ledger_hold("Q100000001", &CASE, 1).await.expect("asked"), Held::Free);
}

/// Everything that the ledger has, but for the number of the audit's lines.
async fn everything(store: &Store) -> Vec<String> {
    let mut all = Vec::new();
    for query in [
        "SELECT serial || ' ' || status || ' ' || coalesce(replaced_by, '') || ' ' || coalesce(replaces, '') || purchase
         FROM ledger ORDER BY serial",
        "SELECT serial || ' ' || tenant || ' ' || case_id FROM ledger_holds ORDER BY serial",
        "SELECT who || ' ' || serial || ' ' || action || coalesce(before, '') || after FROM ledger_audit ORDER BY id",
    ] {
        all.extend(sqlx::query_scalar::<_, String>(query).fetch_all(&store.writer).await.expect("reads"));
    }
    all
}

async fn run(store: &Store, sql: impl sqlx::SqlSafeStr) {
    sqlx::raw_sql(sql).execute(&store.writer).await.expect("runs");
}

/// Counts what is written to the ledger and its audit, and breaks at one statement.
async fn break_at(store: &Store, at: i64) {
    run(store, "CREATE TABLE counted (n BIGINT); INSERT INTO counted VALUES (0)").await;
    run(
        store,
        sqlx::AssertSqlSafe(format!("CREATE TABLE breaks (at BIGINT); INSERT INTO breaks VALUES ({at})")),
    )
    .await;
    if store.kind() == Kind::Postgres {
        run(
            store,
            "CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 UPDATE counted SET n = n + 1;
                 IF EXISTS (SELECT 1 FROM counted, breaks WHERE n = at) THEN RAISE EXCEPTION 'injected'; END IF;
                 RETURN NULL; END $$",
        )
        .await;
    }
    for (name, event) in
        [("t1", "INSERT ON ledger"), ("t2", "UPDATE ON ledger"), ("t3", "INSERT ON ledger_audit")]
    {
        let what = match store.kind() {
            Kind::Sqlite => {
                "BEGIN UPDATE counted SET n = n + 1;
                     SELECT RAISE(ABORT, 'injected') FROM counted, breaks WHERE n = at; END"
            }
            Kind::Postgres => "FOR EACH ROW EXECUTE FUNCTION counts()",
        };
        run(store, sqlx::AssertSqlSafe(format!("CREATE TRIGGER {name} AFTER {event} {what}"))).await;
    }
}

/// A change that is tried.
type Tried<'a> = Pin<Box<dyn Future<Output = Result<(), LedgerError>> + 'a>>;
type Change = for<'a> fn(&'a Store) -> Tried<'a>;

fn ships(store: &Store) -> Tried<'_> {
    Box::pin(async move {
        store.ledger_ship(&CASE, "Q100000001", ("Q200000002", Some("TS-451")), &ADA).await.map(drop)
    })
}

fn is_lost(store: &Store) -> Tried<'_> {
    Box::pin(async move {
        let both = ("Q100000001", "Q200000002");
        store.ledger_lost_outbound(&CASE, both, ("Q300000003", None), &ADA).await.map(drop)
    })
}

fn was_damaged(store: &Store) -> Tried<'_> {
    Box::pin(async move {
        let both = ("Q100000001", "Q200000002");
        store.ledger_reinstate(&CASE, both, "2026-11-22".parse().ok(), &ADA).await.map(drop)
    })
}

fn imports(store: &Store) -> Tried<'_> {
    Box::pin(async move {
        let model = [Edit::Model(Some("TS-253".to_owned()))];
        let lines = [line("Q100000001", &model), line("Q400000004", &model), line("Q500000005", &model)];
        store.ledger_import(&lines, false, &ADA).await?;
        Ok(())
    })
}

const CHANGES: [(&str, Change, bool); 4] = [
    ("shipped", ships, false),
    ("lost", is_lost, true),
    ("damaged", was_damaged, true),
    ("imported", imports, false),
];

async fn prepared(kind: Kind, shipped: bool) -> Opened {
    let opened = opened(kind).await;
    waiting(&opened.store).await;
    if shipped {
        ships(&opened.store).await.expect("ships");
    }
    opened
}

#[tokio::test]
async fn a_statement_that_fails_leaves_nothing_half() {
    for kind in KINDS {
        // A table that counts what is written and breaks at one of them: every statement of every change is the one once.
        for (name, change, shipped) in CHANGES {
            let mut broke = 0;
            for at in 1.. {
                assert!(at < 50, "{name} never ends");
                let held = prepared(kind, shipped).await;
                let store = &held.store;
                break_at(store, at).await;
                let before = everything(store).await;
                let got = change(store).await;
                let after = everything(store).await;
                match got {
                    Ok(()) => {
                        assert_ne!(before, after, "{name} did something");
                        break;
                    }
                    Err(LedgerError::Store(_)) => assert_eq!(before, after, "{name} broke at statement {at}"),
                    Err(error) => panic!("{name}: {error}"),
                }
                broke = at;
            }
            assert!(broke >= 4, "{name} writes two units and two lines at least, and broke at {broke}");
        }
    }
}

/// A future that is dropped after a number of looks at it, as when its task is killed.
struct Cut<'a> {
    inner: Tried<'a>,
    looks: usize,
}

impl Future for Cut<'_> {
    type Output = Option<Result<(), LedgerError>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.looks == 0 {
            return Poll::Ready(None);
        }
        self.looks -= 1;
        self.inner.as_mut().poll(context).map(Some)
    }
}

#[tokio::test]
async fn a_change_that_is_cut_off_leaves_nothing_half() {
    for kind in KINDS {
        // A new database of PostgreSQL takes its time: there every third look is the last one.
        let step = if kind == Kind::Sqlite { 1 } else { 3 };
        for (name, change, shipped) in CHANGES {
            for looks in (1..).step_by(step) {
                assert!(looks < 500, "{name} never ends");
                let held = prepared(kind, shipped).await;
                let store = &held.store;
                let before = everything(store).await;
                let ended = Cut { inner: change(store), looks }.await;
                // Another writer waits until what was cut off is undone.
                store.begin(&[Only::Ledger]).await.expect("waits").rollback().await.expect("ends");
                let after = everything(store).await;
                match ended {
                    Some(result) => {
                        result.expect("not refused");
                        assert_ne!(before, after);
                        break;
                    }
                    None if before == after => {}
                    // Cut off behind the commit: then all of it is there.
                    None => {
                        let whole = prepared(kind, shipped).await;
                        let whole = &whole.store;
                        change(whole).await.expect("not refused");
                        assert_eq!(after, everything(whole).await, "{name} after {looks} looks");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn one_open_shipping_case_for_a_serial_over_all_tenants() {
    for kind in KINDS {
        let held = opened(kind).await;
        let store = &held.store;
        let other = Holder { tenant: "b", case_id: "1" };
        let hold = |serial: &'static str, holder| async move {
            store.ledger_hold(serial, &holder, 1).await.expect("asked")
        };
        // A unit that the ledger does not have may have a case as well.
        assert_eq!(hold("Q900000009", CASE).await, Held::Free);
        assert_eq!(hold("Q900000009", CASE).await, Held::Free, "the same case");
        assert_eq!(hold("Q900000009", other).await, Held::Taken);
        assert!(!store.ledger_release("Q900000009", &other).await.expect("asked"), "not theirs to give");
        assert!(store.ledger_release("Q900000009", &CASE).await.expect("asked"));
        assert_eq!(hold("Q900000009", other).await, Held::Free);
        // Twenty at once: one has it.
        let ids: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let mut asked = tokio::task::JoinSet::new();
        for id in ids {
            let store = store.clone();
            asked.spawn(async move {
                store
                    .ledger_hold("Q800000008", &Holder { tenant: "c", case_id: &id }, 1)
                    .await
                    .expect("asked")
            });
        }
        let free = asked.join_all().await.into_iter().filter(|held| *held == Held::Free).count();
        assert_eq!(free, 1);
        // What was reported stolen, or was replaced, is as taken as any other.
        add(store, "Q100000001").await;
        store.ledger_status("Q100000001", Status::ReportedStolen, &ADA).await.expect("reported");
        assert_eq!(hold("Q100000001", CASE).await, Held::Taken);
    }
}

#[tokio::test]
async fn what_ships_needs_its_case_and_a_unit_in_stock() {
    for kind in KINDS {
        let held = prepared(kind, false).await;
        let store = &held.store;
        let check = |holder: Holder<'static>, serial: &'static str, says: &'static str| async move {
            let got = store.ledger_ship(&holder, "Q100000001", (serial, None), &ADA).await;
            let error = got.expect_err("refused").to_string();
            assert!(error.contains(says), "{error}");
        };
        check(Holder { tenant: "b", case_id: "1" }, "Q200000002", "taken by another").await;
        add(store, "Q400000004").await;
        check(CASE, "Q400000004", "not in stock").await;
        assert_eq!(
            store.ledger_hold("Q600000006", &Holder { tenant: "b", case_id: "2" }, 1).await.expect("asked"),
            Held::Free
        );
        check(CASE, "Q600000006", "not in stock").await;
        // Reported stolen after the case was opened: nothing ships any more.
        store.ledger_status("Q100000001", Status::ReportedStolen, &ADA).await.expect("reported");
        check(CASE, "Q200000002", "reported stolen").await;
    }
}

#[tokio::test]
async fn a_table_is_taken_whole_or_not_at_all() {
    for kind in KINDS {
        let held = prepared(kind, false).await;
        let store = &held.store;
        let before = everything(store).await;
        let model = [Edit::Model(Some("TS-253".to_owned()))];
        let wrong = [Edit::Status(Status::Refurbished)];
        let lines = [line("Q400000004", &model), line("Q100000001", &wrong)];
        let got = store.ledger_import(&lines, false, &ADA).await.expect("looked at");
        assert_eq!(got.errors.len(), 1);
        assert_eq!(got.errors[0].column, Some("status"));
        assert_eq!(everything(store).await, before);
        let lines = [line("Q400000004", &model), line("Q100000001", &model)];
        let dry = store.ledger_import(&lines, true, &ADA).await.expect("looked at");
        assert_eq!((dry.added, dry.changed, dry.unchanged), (1, 1, 0));
        assert_eq!(everything(store).await, before, "a dry run takes nothing");
        assert_eq!(store.ledger_import(&lines, false, &ADA).await.expect("taken"), dry);
        let again = store.ledger_import(&lines, false, &ADA).await.expect("taken");
        assert_eq!((again.added, again.changed, again.unchanged), (0, 0, 2));
    }
}

#[tokio::test]
async fn the_audit_says_who_and_stays() {
    for kind in KINDS {
        let held = prepared(kind, true).await;
        let store = &held.store;
        let bob = Actor { who: "bob", ..ADA };
        store.ledger_set(&line("Q200000002", &[Edit::SoldTo(None)]), "set", &bob).await.expect("taken");
        let history = store.ledger_history("Q200000002", 10).await.expect("reads");
        let actions: Vec<_> =
            history.iter().map(|change| (change.who.as_str(), change.action.as_str())).collect();
        assert_eq!(actions, [("bob", "set"), ("ada", "shipped")]);
        assert!(
            history[1].before.is_none() && history[0].before.as_deref() == Some(history[1].after.as_str())
        );
        assert_eq!(
            store.ledger_editors("Q200000002").await.expect("reads"),
            ["bob"],
            "a shipment is no edit"
        );
        for sql in ["UPDATE ledger_audit SET who = 'eve'", "DELETE FROM ledger_audit"] {
            assert!(sqlx::raw_sql(sql).execute(&store.writer).await.is_err(), "{sql}");
        }
    }
}
