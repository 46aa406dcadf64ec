//! Transactions under many writers at once: what one writer after the other would decide is what many decide.

use tokio::task::JoinSet;

use super::*;
use crate::store::codes::{Candidate, Redeemed};
use crate::store::uploads::{Created, NewUpload};
use crate::store::users::KeptUser;

/// Writers at once.
const MANY: usize = 24;
const NOW: i64 = 1_700_000_000;

/// What each of many writers got.
async fn many<T, F>(work: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut set = JoinSet::new();
    (0..MANY).for_each(|n| drop(set.spawn(work(n))));
    set.join_all().await
}

async fn first(store: &Store) -> Tenant {
    store.tenant_named(tenants::DEFAULT).await.expect("asks").expect("is there")
}

async fn redeem(store: Store, key: String, code: &'static str) -> Redeemed {
    let candidate = Candidate {
        code_sha256: code,
        key_id: &key,
        public_key: "p",
        model: None,
        serial: Some("Q1"),
        chassis: "[]",
        card_matches: true,
        now: NOW,
        new_id: &format!("d-{key}"),
    };
    store.redeem(&candidate).await.expect("asks")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_code_enrols_one_key_and_its_tries_are_all_counted() {
    for kind in KINDS {
        let held = opened(kind).await;
        let tenant = first(&held.store).await;
        let own = held.store.of(&tenant);
        own.add_code("c", None, NOW, NOW + 60).await.expect("kept");
        let ended = many(|n| redeem(held.store.clone(), format!("k{n}"), "c")).await;
        let enrolled = ended.iter().filter(|one| matches!(one, Redeemed::Enrolled(_))).count();
        assert_eq!(enrolled, 1, "{kind:?}");
        assert_eq!(own.device_count().await.expect("counts"), 1, "{kind:?}");
        own.add_code("d", Some("Q1"), NOW, NOW + 60).await.expect("kept");
        many(|n| redeem(held.store.clone(), format!("j{n}"), "unknown")).await;
        let last = redeem(held.store.clone(), "late".to_owned(), "d").await;
        assert!(matches!(last, Redeemed::TooManyTries), "{kind:?}: {last:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn limits_of_a_device_hold() {
    for kind in KINDS {
        let held = opened(kind).await;
        let tenant = first(&held.store).await;
        held.store.of(&tenant).add_code("c", None, NOW, NOW + 60).await.expect("kept");
        let Redeemed::Enrolled(device) = redeem(held.store.clone(), "k".to_owned(), "c").await else {
            panic!("not enrolled")
        };
        let ended = many(|n| {
            let (store, device) = (held.store.clone(), device.clone());
            async move {
                let new = NewUpload {
                    id: &format!("u{n}"),
                    device_id: &device.id,
                    sha256: Some(&format!("s{}", n % 12)),
                    length_bytes: 9,
                    now: NOW,
                    expires_at: NOW + 60,
                    most_open: 4,
                };
                store.of(&device.tenant).create_upload(&new).await.expect("asks")
            }
        })
        .await;
        let new = ended.iter().filter(|one| matches!(one, Created::New(_))).count();
        assert_eq!(new, 4, "{kind:?}");
        // The last part of one upload by many: one queues the bundle.
        let Some(Created::New(upload)) = ended.into_iter().find(|one| matches!(one, Created::New(_))) else {
            panic!("none is new")
        };
        let queued = many(|n| {
            let (store, upload) = (held.store.clone(), upload.clone());
            async move {
                let own = store.of(&upload.tenant);
                own.finish_upload(&upload, &format!("b{n}"), "sha", NOW).await.expect("asks")
            }
        })
        .await;
        assert_eq!(queued.iter().flatten().count(), 1, "{kind:?}");
        assert_eq!(held.store.pending_bundles().await.expect("lists").len(), 1, "{kind:?}");
    }
}

/// A bundle of a new device that waits.
async fn waiting(store: &Store, device: &str, bundle: &str) {
    for sql in [
        format!(
            "INSERT INTO devices (tenant, id, key_id, public_key, chassis, enrolled_at)
             VALUES ('default', '{device}', 'k-{device}', 'p', '[]', 1) ON CONFLICT DO NOTHING"
        ),
        format!(
            "INSERT INTO bundles (tenant, id, upload_id, device_id, sha256, size_bytes, received_at, state)
             VALUES ('default', '{bundle}', 'u', '{device}', 's-{bundle}', 1, 1, 'pending')"
        ),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&store.writer).await.expect("runs");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bundle_is_taken_by_one_portal_and_comes_back_by_time() {
    for kind in KINDS {
        let held = opened(kind).await;
        let store = &held.store;
        for bundle in ["b1", "b2", "b3"] {
            waiting(store, "d", bundle).await;
        }
        let jobs = store.pending_bundles().await.expect("lists");
        let taken = many(|n| {
            let (store, job) = (store.clone(), jobs[n % 3].clone());
            async move {
                store
                    .lease_bundle(&job, &format!("p{n}"), NOW, NOW + 60)
                    .await
                    .expect("asks")
                    .then_some((n, job.id))
            }
        })
        .await;
        let taken: Vec<_> = taken.into_iter().flatten().collect();
        assert_eq!(taken.len(), 1, "{kind:?}: one of the device's at a time: {taken:?}");
        let (by, id) = (format!("p{}", taken[0].0), taken[0].1.clone());
        let job = jobs.iter().find(|job| job.id == id).expect("is there");
        assert!(store.renew_lease(&id, &by, NOW + 120).await.expect("asks"));
        assert!(!store.renew_lease(&id, "stranger", NOW + 999).await.expect("asks"));
        assert!(!store.lease_bundle(job, "q", NOW + 119, NOW + 200).await.expect("asks"), "kept");
        assert!(store.lease_bundle(job, "q", NOW + 120, NOW + 200).await.expect("asks"), "lost by time");
        assert!(!store.renew_lease(&id, &by, NOW + 999).await.expect("asks"), "who lost it is told");
        store.end_lease(&id, &by).await.expect("asks");
        assert!(
            !store.lease_bundle(job, "r", NOW + 121, NOW + 300).await.expect("asks"),
            "not theirs to give back"
        );
        store.end_leases(Some("q")).await.expect("asks");
        assert!(store.lease_bundle(job, "r", NOW + 121, NOW + 300).await.expect("asks"), "given back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_portal_at_a_time_writes_to_an_upload_and_statements_go_on() {
    let held = opened(Kind::Postgres).await;
    let inside = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let most = many(|_| {
        let (store, inside) = (held.store.clone(), inside.clone());
        async move {
            let _alone = store.alone_with_upload("u").await.expect("waits");
            let there = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            // A statement beside it finds a connection.
            store.tenants().await.expect("lists");
            inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            there
        }
    })
    .await;
    assert!(most.iter().all(|others| *others == 0), "{most:?}");
}

#[tokio::test]
async fn postgres_tells_one_portal_what_another_wrote() {
    assert!(opened(Kind::Sqlite).await.store.news().await.expect("asks").is_none());
    let held = opened(Kind::Postgres).await;
    let mut line = held.store.news().await.expect("opens").expect("a line");
    let other = held.store.clone();
    let tenant = first(&other).await;
    let mut expects = Vec::new();
    waiting(&other, "d", "b").await;
    expects.push(news::News::Bundle);
    assert!(other.of(&tenant).revoke_device("d", "w", NOW).await.expect("revokes"));
    expects.push(news::News::Device("d".to_owned()));
    let notice = notices::Notice { version: "1".to_owned(), sha256: "s".to_owned(), url: "u".to_owned() };
    other.of(&tenant).set_notice(&notice, NOW).await.expect("sets");
    expects.push(news::News::Anything);
    for expected in expects {
        let told = tokio::time::timeout(Duration::from_secs(60), line.next()).await;
        assert_eq!(told.expect("in time").expect("is told"), expected);
    }
}

#[tokio::test]
async fn a_text_with_nul_names_nothing_and_is_kept_without_it() {
    for kind in KINDS {
        let held = opened(kind).await;
        let tenant = first(&held.store).await;
        let own = held.store.of(&tenant);
        assert!(own.request("a\0b").await.expect("asks").is_none(), "{kind:?}");
        assert!(own.request_by_nonce("d", "a\0b").await.expect("asks").is_none(), "{kind:?}");
        assert!(own.former_key("d", "a\0b").await.expect("asks").is_none(), "{kind:?}");
        assert!(held.store.user("a\0b").await.expect("asks").is_none(), "{kind:?}");
        assert!(!own.close_request("r", "denied", "a\0b", NOW).await.expect("asks"), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_nonce_is_spent_once_and_a_name_is_one_persons() {
    for kind in KINDS {
        let held = opened(kind).await;
        let spent = many(|_| {
            let store = held.store.clone();
            async move { store.spend_nonce("k", "n", NOW).await.expect("asks") }
        })
        .await;
        assert_eq!(spent.iter().filter(|good| **good).count(), 1, "{kind:?}");
        held.store.set_tenant("other", "Other").await.expect("kept");
        let kept = many(|n| {
            let store = held.store.clone();
            async move {
                let whose = if n % 2 == 0 { tenants::DEFAULT } else { "other" };
                let tenant = store.tenant_named(whose).await.expect("asks").expect("is there");
                let name = if n % 3 == 0 { "Ada" } else { "ada" };
                store.of(&tenant).set_user(name, "h", None, NOW).await.expect("asks")
            }
        })
        .await;
        assert_eq!(kept.iter().filter(|one| **one == KeptUser::New).count(), 1, "{kind:?}");
        assert_eq!(kept.iter().filter(|one| **one == KeptUser::Elsewhere).count(), MANY / 2, "{kind:?}");
        assert_eq!(held.store.user_count().await.expect("counts"), 1, "{kind:?}");
        let (name, _) = held.store.user("ADA").await.expect("asks").expect("is there");
        held.store.open_session("t", &name, "c", NOW, NOW + 60).await.expect("opens");
        let session = held.store.session("t", NOW).await.expect("asks").expect("is there");
        assert_eq!(session.user_name, name);
    }
}
