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
                store.of(&tenant).set_user(name, "h", NOW).await.expect("asks")
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
