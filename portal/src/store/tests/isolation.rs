//! Two tenants of the same shape: whatever one asks by the other's names, nothing of the other is returned or changed.
//!
//! The list of questions is held against the source: a method of [`TenantStore`] without a line here fails, and so does
//! a statement of one that does not name the tenant.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use assay_bundle::consent::Consent;
use assay_bundle::statement::Signed;
use assay_bundle::support_request::SupportRequest;
use sqlx::any::AnyRow;
use sqlx::{Column, Row};

use super::*;
use crate::boots::{Heard, Used};
use crate::roles::{Role, Roles};
use crate::store::bundles::{Outcome, Pending};
use crate::store::by_hand::Brought;
use crate::store::erasure::Deletion;
use crate::store::key_life::NewKey;
use crate::store::notices::{Notice, Replacement};
use crate::store::sessions::SupportSession;
use crate::store::uploads::{NewUpload, Upload};

/// When everything happened.
const NOW: i64 = 1_700_000_000;
/// Serial number that both tenants have: an owner may be known to two of them.
const SERIAL: &str = "Q100000001";

/// What a tenant has: every id and every text begins with its mark.
pub(super) fn rows(mark: &str) -> Vec<String> {
    let (t, m) = (mark, mark);
    let end = NOW + 1_000_000_000;
    let devices = "INSERT INTO devices (tenant, id, key_id, public_key, model, serial, chassis, enrolled_at, last_seq, doubt,
         doubt_words, moved_to, revoked_at, revoked_reason) VALUES";
    let bundles = "INSERT INTO bundles (tenant, id, upload_id, device_id, sha256, size_bytes, received_at, state, source, seq,
         serial, manifest, signature, receipt, receipt_signature) VALUES";
    vec![
        format!("INSERT INTO tenants (id, name) VALUES ('{t}', '{m}-name')"),
        format!("{devices} ('{t}', '{m}-d', '{m}-key', '{m}-pub', '{m}-model', '{SERIAL}', '[]', {NOW}, 4, 'cloned', '{m}-doubt', NULL, NULL, '')"),
        format!("{devices} ('{t}', '{m}-e', '{m}-key2', '{m}-pub', '{m}-model', '{SERIAL}', '[]', {NOW}, 2, NULL, '', '{m}-d', {NOW}, '{m}-why')"),
        format!("INSERT INTO device_keys (tenant, key_id, device_id, public_key, valid_from, valid_to, next_key_id, document, signature)
             VALUES ('{t}', '{m}-key0', '{m}-d', '{m}-pub0', 1, 2, '{m}-key', '{m}-doc', '{m}-sig')"),
        format!("INSERT INTO device_keys (tenant, key_id, device_id, public_key, valid_from) VALUES ('{t}', '{m}-key', '{m}-d', '{m}-pub', 2)"),
        format!("INSERT INTO boots (tenant, device_id, boot_id, first_no, most_seq) VALUES ('{t}', '{m}-d', '{m}-boot', 1, 4)"),
        format!("INSERT INTO device_events (tenant, device_id, at, what, words) VALUES ('{t}', '{m}-d', 1, '{m}-what', '{m}-words')"),
        format!("INSERT INTO enrolment_codes (tenant, code_sha256, serial, created_at, expires_at, used_by_key, issued_by)
             VALUES ('{t}', '{m}-code', '{SERIAL}', 1, {end}, '{m}-key', '{m}-ada')"),
        format!("INSERT INTO enrolment_codes (tenant, code_sha256, serial, created_at, expires_at)
             VALUES ('{t}', '{m}-free', '{SERIAL}', 1, {end})"),
        format!("INSERT INTO uploads (tenant, id, device_id, announced_sha256, length_bytes, created_at, expires_at)
             VALUES ('{t}', '{m}-u', '{m}-d', '{m}-sha', 100, 1, {end})"),
        format!("{bundles} ('{t}', '{m}-b', '{m}-u', '{m}-d', '{m}-bsha', 9, {NOW}, 'accepted', 'live', 4, '{SERIAL}', '{m}-man', '{m}-sig', '{m}-rec', '{m}-rsig')"),
        format!("{bundles} ('{t}', '{m}-p', '{m}-u', '{m}-d', '{m}-psha', 9, {NOW}, 'pending', NULL, NULL, NULL, NULL, NULL, NULL, NULL)"),
        format!("INSERT INTO readings (tenant, bundle_id, document) VALUES ('{t}', '{m}-b', '{m}-reading')"),
        format!("INSERT INTO users (tenant, name, password_hash, created_at) VALUES ('{t}', '{m}-ada', '{m}-hash', 1)"),
        format!("INSERT INTO sessions (tenant, token_sha256, user_name, csrf, created_at, expires_at)
             VALUES ('{t}', '{m}-token', '{m}-ada', '{m}-csrf', 1, {end})"),
        format!("INSERT INTO requests (tenant, id, device_id, nonce, engineer, issued_at, expires_at, document, signature)
             VALUES ('{t}', '{m}-r', '{m}-d', '{m}-nonce', '{m}-eng', 1, {end}, '{m}-doc', '{m}-sig')"),
        format!("INSERT INTO requests (tenant, id, device_id, nonce, engineer, issued_at, expires_at, document, signature, state, closed_at)
             VALUES ('{t}', '{m}-c', '{m}-d', '{m}-nonce2', '{m}-eng', 1, {end}, '{m}-doc', '{m}-sig', 'cancelled', 2)"),
        format!("INSERT INTO consents (tenant, request_id, manifest_sha256, document, signature, received_at)
             VALUES ('{t}', '{m}-r', '{m}-man', '{m}-doc', '{m}-sig', 1)"),
        format!("INSERT INTO support_sessions (tenant, id, request_id, device_id, engineer, method, most_hours, opened_at, start_before,
             started_at, start_document, start_signature) VALUES ('{t}', '{m}-s', '{m}-r', '{m}-d', '{m}-eng', '{m}-how', 1, 1, {end}, 2, '{m}-doc', '{m}-sig')"),
        format!("INSERT INTO support_sessions (tenant, id, request_id, device_id, engineer, method, most_hours, opened_at, start_before)
             VALUES ('{t}', '{m}-n', '{m}-c', '{m}-d', '{m}-eng', '{m}-how', 1, 1, {end})"),
        format!("INSERT INTO replacements (tenant, old_serial, new_serial, created_at, case_id) VALUES ('{t}', '{SERIAL}', '{m}-new', 1, '{m}-case')"),
        format!("INSERT INTO update_notice (tenant, version, sha256, url, set_at) VALUES ('{t}', '{m}-1.0', '{m}-sha', '{m}-url', 1)"),
        format!("INSERT INTO health_reports (tenant, id, device_id, received_at, report) VALUES ('{t}', '{m}-h', '{m}-d', 1, '{m}-report')"),
        format!("INSERT INTO deletions (tenant, id, deleted_at, document, signature) VALUES ('{t}', '{m}-x', 1, '{m}-doc', '{m}-sig')"),
    ]
}

/// Everything that a tenant has, table by table.
pub(super) async fn everything(store: &Store, tenant: &str) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for (table, about) in schema::columns(store).await {
        if !about.columns.contains_key("tenant") {
            continue;
        }
        let sql = sqlx::AssertSqlSafe(format!("SELECT * FROM {table} WHERE tenant = $1"));
        let rows: Vec<AnyRow> = sqlx::query(sql).bind(tenant).fetch_all(&store.writer).await.expect("lists");
        let mut rows: Vec<String> = rows.iter().map(shown).collect();
        rows.sort();
        all.insert(table, rows);
    }
    all
}

pub(super) fn shown(row: &AnyRow) -> String {
    let values = row.columns().iter().map(|column| {
        let name = column.name();
        match row.try_get::<Option<String>, _>(name) {
            Ok(text) => format!("{name}={text:?}"),
            Err(_) => format!("{name}={:?}", row.get::<Option<i64>, _>(name)),
        }
    });
    let mut values: Vec<String> = values.collect();
    values.sort();
    values.join(" ")
}

/// A question to one tenant's store, by the names of whoever `x` marks.
type Asked<'a> = Pin<Box<dyn Future<Output = String> + 'a>>;
type Ask = for<'a> fn(TenantStore<'a>, &'a str) -> Asked<'a>;

macro_rules! asks {
    ($($name:ident ($own:ident, $x:ident, $n:ident) => [$($argument:expr),* $(,)?];)*) => {
        [$((
            stringify!($name),
            (|$own, $x| {
                Box::pin(async move {
                    let $n = |what: &str| format!("{}-{what}", $x);
                    let _ = &$n;
                    format!("{:?}", $own.$name($($argument),*).await)
                })
            }) as Ask,
        )),*]
    };
}

fn request(x: &str) -> SupportRequest {
    serde_json::from_value(serde_json::json!({
        "format": 1, "id": format!("{x}-r9"), "device_id": format!("{x}-d"), "key_id": "k", "serial": null, "scope": ["bundle"],
        "reason": "r", "engineer": "e", "issued_unix_s": NOW, "expires_unix_s": NOW + 9, "nonce": format!("{x}-n9"),
        "redaction": "standard", "portal_fingerprint": "f",
    }))
    .expect("a request")
}

fn consent(x: &str) -> Consent {
    let dated = |answer: &str| serde_json::json!({ "answer": answer, "at_unix_s": NOW });
    serde_json::from_value(serde_json::json!({
        "format": 1, "request_id": format!("{x}-r"), "nonce": "n", "key_id": "k", "manifest_sha256": "m",
        "backup": dated("backed_up"), "confidential": dated("removed_or_locked"), "redaction": "standard", "recipients": [],
        "portal_fingerprint": "f", "standing": false, "consented_unix_s": NOW,
        "safeguard": { "waiver": { "reason": "no_volume", "accepted_unix_s": 1, "expires_unix_s": 2, "configuration_sha256": "c" } },
    }))
    .expect("a consent")
}

fn signed() -> Signed {
    Signed { document: "new".to_owned(), signature: "new".to_owned() }
}

fn upload(own: TenantStore<'_>, x: &str) -> Upload {
    Upload {
        tenant: own.tenant().clone(),
        id: format!("{x}-u"),
        device_id: format!("{x}-d"),
        announced_sha256: None,
        length_bytes: 100,
        offset_bytes: 0,
        expires_at: NOW,
        bundle_id: None,
    }
}

fn pending(own: TenantStore<'_>, x: &str) -> Pending {
    Pending {
        tenant: own.tenant().clone(),
        id: format!("{x}-p"),
        upload_id: format!("{x}-u"),
        device_id: format!("{x}-d"),
        sha256: "s".to_owned(),
        size_bytes: 1,
        received_at: NOW,
        brought_by: None,
    }
}

fn outcome() -> Outcome<'static> {
    Outcome {
        accepted: false,
        reason: "new",
        source: None,
        evidence: false,
        seq: None,
        model: None,
        serial: None,
        overall: None,
        device_overall: None,
        flags: "[]",
        manifest: None,
        reading: None,
        receipt: ("new", "new"),
        last_seq: 99,
        answers: None,
    }
}

/// A device as its own tenant has it, in the hands of another.
async fn device(own: TenantStore<'_>, x: &str) -> devices::Device {
    own.outside().caller_by_key(&format!("{x}-key")).await.expect("asks").expect("is there")
}

fn heard(x: &str) -> Heard {
    Heard {
        boot_id: format!("{x}-boot"),
        at: NOW,
        is_live: true,
        made_at: None,
        seq: Some(9),
        used: Used::No,
    }
}

fn session(x: &str) -> SupportSession {
    SupportSession {
        id: format!("{x}-s9"),
        request_id: format!("{x}-r"),
        device_id: format!("{x}-d"),
        engineer: "e".to_owned(),
        method: "m".to_owned(),
        most_hours: 1,
        opened_at: NOW,
        start_before: NOW,
        started_at: None,
        hard_expiry: None,
        start_document: None,
        stopped_at: None,
        stop_document: None,
        closed_at: None,
    }
}

fn all_questions() -> Vec<(&'static str, Ask)> {
    let mut all: Vec<(&'static str, Ask)> = Vec::new();
    all.extend(asks! {
        bundle(own, x, n) => [&n("b")];
        newest_bundles(own, x, n) => [50, 0];
        bundles_of_device(own, x, n) => [&n("d"), 50];
        manifest(own, x, n) => [&n("b")];
        reading(own, x, n) => [&n("b")];
        request_by_nonce(own, x, n) => [&n("d"), &n("nonce")];
        code_issuers(own, x, n) => [&n("key")];
        consent(own, x, n) => [&n("r")];
        device_by_key(own, x, n) => [&n("key")];
        device(own, x, n) => [&n("d")];
        same_serial(own, x, n) => [&device(own, x).await];
        devices_named(own, x, n) => [SERIAL];
        device_count(own, x, n) => [];
        documents_of(own, x, n) => [&n("d")];
        bundle_files_of(own, x, n) => [&n("d")];
        upload_files_of(own, x, n) => [&n("d")];
        former_key(own, x, n) => [&n("d"), &n("key0")];
        keys_of(own, x, n) => [&n("d")];
        manifests_of_seq(own, x, n) => [&n("d"), 4, "none"];
        events_of(own, x, n) => [&n("d")];
        notice(own, x, n) => [];
        replacement_of(own, x, n) => [SERIAL];
        replacement_by(own, x, n) => [&devices::Device { id: n("new"), serial: None, ..device(own, x).await }];
        reports_of_device(own, x, n) => [&n("d"), 50];
        request(own, x, n) => [&n("r")];
        request_of(own, x, n) => [&n("d"), &n("r")];
        newest_requests(own, x, n) => [None, 50];
        open_requests(own, x, n) => [&n("d"), NOW];
        cancelled_requests(own, x, n) => [&n("d"), NOW, 50];
        support_session(own, x, n) => [&n("s")];
        newest_support_sessions(own, x, n) => [Some(&n("d")), 50];
        upload(own, x, n) => [&n("d"), &n("u")];
        person(own, x, n) => [&n("ada")];
        people(own, x, n) => [];
    });
    all.extend(asks! {
        same_unit(own, x, n) => [&device(own, x).await];
        decide_bundle(own, x, n) => [&pending(own, x), &outcome()];
        queue_brought(own, x, n) => [&Brought {
            id: "9", device_id: &n("d"), sha256: &n("bsha"), size_bytes: 1, by: "b", now: NOW }];
        mark_typed(own, x, n) => [&n("r")];
        sign_code(own, x, n) => [&n("free"), "eve"];
        add_code(own, x, n) => [&n("free"), None, NOW, NOW];
        keep_consent(own, x, n) => [&n("d"), &consent(x), &signed(), NOW];
        revoke_device(own, x, n) => [&n("d"), "w", NOW];
        unrevoke_device(own, x, n) => [&n("e"), "w", NOW];
        change_key(own, x, n) => [&NewKey {
            device_id: &n("d"), old_key_id: &n("key"), key_id: "k9", public_key: "p", change: &signed(), now: NOW }];
        move_key(own, x, n) => [&device(own, x).await, &device(own, x).await, true, NOW];
        heard(own, x, n) => [&n("d"), &heard(x)];
        end_doubt(own, x, n) => [&n("d"), "w", NOW];
        set_notice(own, x, n) => [
            &Notice { version: "9".to_owned(), sha256: "9".to_owned(), url: "9".to_owned() }, NOW];
        end_replacement(own, x, n) => [SERIAL];
        name_replacement(own, x, n) => [
            &Replacement { old_serial: SERIAL.to_owned(), new_serial: n("new"), case_id: None }, NOW];
        keep_report(own, x, n) => [&n("h"), &n("d"), NOW, "{}"];
        add_request(own, x, n) => [&request(x), &signed(), 50];
        close_request(own, x, n) => [&n("r"), "denied", "w", NOW];
        open_support_session(own, x, n) => [&session(x)];
        start_support_session(own, x, n) => [&n("n"), NOW, NOW, &signed()];
        stop_support_session(own, x, n) => [&n("s"), NOW, &signed()];
        close_support_session(own, x, n) => [&n("n"), NOW];
        create_upload(own, x, n) => [&NewUpload {
            id: &n("u"), device_id: &n("d"), sha256: Some(&n("sha")), length_bytes: 1, now: NOW, expires_at: NOW, most_open: 9 }];
        advance_upload(own, x, n) => [&n("u"), 0, 9, NOW];
        finish_upload(own, x, n) => [&upload(own, x), "b9", &n("bsha"), NOW];
        drop_upload(own, x, n) => [&n("u")];
        set_user(own, x, n) => [&n("ada"), "h", Some(Roles::of(&Role::ALL)), NOW];
        set_roles(own, x, n) => [&n("ada"), Roles::of(&Role::ALL)];
        disable_user(own, x, n) => [&n("ada"), Some(NOW)];
        erase_devices(own, x, n) => [&[n("d"), n("e")], &Deletion { id: "x9", now: NOW, document: "{}", signature: "s" }];
    });
    all
}

/// Source files of the store.
fn sources() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect();
    found.sort();
    found
}

/// The bodies of `impl TenantStore` in a source file.
fn bodies(text: &str) -> Vec<&str> {
    let starts = text.match_indices("\nimpl TenantStore<'_> {");
    starts.filter_map(|(at, _)| text.get(at..)?.split_once("\n}\n").map(|(body, _)| body)).collect()
}

#[test]
fn every_question_is_asked_here_and_names_its_tenant() {
    let asked: Vec<&str> = all_questions().iter().map(|(name, _)| *name).collect();
    let mut seen = 0;
    for path in sources() {
        // What other files of this folder ask is asked in tests of their own.
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("cases")) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("reads");
        for body in bodies(&text) {
            for (at, _) in body.match_indices("pub async fn ") {
                let name: String =
                    body[at + 13..].chars().take_while(|c| *c == '_' || c.is_alphanumeric()).collect();
                assert!(asked.contains(&name.as_str()), "{name} of {} is not asked", path.display());
                seen += 1;
            }
            for sql in body.split('"').skip(1).step_by(2).filter(|text| is_sql(text)) {
                assert!(sql.contains("tenant"), "{}: {sql}", path.display());
            }
        }
    }
    assert_eq!(seen, asked.len(), "each is asked once");
}

fn is_sql(text: &str) -> bool {
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WHERE "]
        .iter()
        .any(|word| text.trim_start().starts_with(word))
}

#[tokio::test]
async fn nothing_of_another_tenant_is_returned_or_changed() {
    for kind in KINDS {
        let mut own_answers = 0;
        // Each question has two tenants that nobody asked before.
        let held = opened(kind).await;
        let store = &held.store;
        for (count, (name, ask)) in all_questions().into_iter().enumerate() {
            let (mine, theirs) = (format!("m{count}"), format!("t{count}"));
            for sql in rows(&mine).into_iter().chain(rows(&theirs)) {
                sqlx::query(sqlx::AssertSqlSafe(sql.clone())).execute(&store.writer).await.expect(&sql);
            }
            let tenant = store.tenant_named(&mine).await.expect("asks").expect("is there");
            let before = everything(store, &theirs).await;
            assert!(before.values().filter(|rows| !rows.is_empty()).count() >= 17, "{before:?}");
            let answer = ask(store.of(&tenant), &theirs).await;
            // An error of the database may name what was asked for, and no more.
            let told = answer.starts_with("Ok") && answer.contains(&format!("{theirs}-"));
            assert!(!told || name == "same_unit", "{kind:?}: {name} tells {answer}");
            assert_eq!(everything(store, &theirs).await, before, "{kind:?}: {name} changes");
            let answer = ask(store.of(&tenant), &mine).await;
            assert!(
                answer.starts_with("Ok") || answer.contains("UNIQUE") || answer.contains("unique"),
                "{kind:?}: {name}: {answer}"
            );
            own_answers += usize::from(answer.contains(&format!("{mine}-")));
        }
        assert!(own_answers > 30, "{kind:?}: own things are found: {own_answers}");
    }
}
