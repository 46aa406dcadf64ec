//! The life of keys between the real binaries: changed, revoked, moved, cloned, given up; and the portal's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use assay_bundle::deletion::DeletionReceipt;
use assay_bundle::key_life::{DeviceKeyChange, Farewell, Leaving, Revocation};
use assay_bundle::keys::{PublicKey, SigningKey};
use assay_bundle::problem::Problem;
use assay_bundle::receipt::ReceiptStatus;
use assay_bundle::statement::{Signed, Statement};
use reqwest::Method;
use serde_json::Value;

use super::bundles::{Recipe, sealed};
use super::server::{Call, Device, Server, field, now_unix_s};
use crate::support::binary;

mod agent;
mod portal_keys;

/// A boot id.
fn boot(number: u8) -> String {
    format!("{number:08x}-1111-4222-8333-444455556666")
}

impl Device {
    /// A body of its own, signed as a call by this key.
    async fn tells(&self, server: &Server, path: &str, signed: &Signed) -> super::server::Answer {
        let body = serde_json::to_vec(signed).expect("plain data");
        let call = Call { method: Method::POST, path: path.to_owned(), body: Some(body), ..Call::default() };
        self.call(server, call).await
    }

    async fn polls_from(&self, server: &Server, boot: &str, seq: u64) {
        let call = Call { path: format!("/api/v1/poll?boot={boot}&seq={seq}"), ..Call::default() };
        self.call(server, call).await.ends(200);
    }
}

/// The portal's name for a device, and what is shown of it.
fn shown(server: &Server, key: &SigningKey) -> Value {
    let text = server.says(&["device", "show", &key.public().fingerprint(), "--json"]);
    serde_json::from_str(&text).expect("JSON")
}

async fn root_of(server: &Server) -> String {
    PublicKey::from_openssh(&server.card().await.root_key).expect("a key").fingerprint()
}

async fn change(server: &Server, device_id: &str, old: &SigningKey, new: &SigningKey) -> Signed {
    let change = DeviceKeyChange {
        format: 1,
        device_id: device_id.to_owned(),
        old_key_id: old.public().fingerprint(),
        new_key: new.public().to_openssh(),
        made_unix_s: now_unix_s(),
        portal_root: root_of(server).await,
    };
    Signed::new(&change, old).expect("acceptable")
}

fn fails(server: &Server, arguments: &[&str], words: &str) {
    let output = server.command(arguments).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
    assert!(said.contains(words), "{arguments:?}: {said}");
}

#[tokio::test]
async fn a_key_is_changed_by_the_key_before_it() {
    const PATH: &str = "/api/v1/device-key";
    let server = Server::start();
    let first = server.enrolled().await;
    let recipient = server.card().await.recipient;
    let id = shown(&server, &first.key)["device_id"].as_str().expect("a name").to_owned();
    let (second, third) = (Device::new("Q123"), Device::new("Q123"));
    let before = sealed(&first, &Recipe { seq: 3, ..Recipe::new(&recipient) });

    // By a key that is nobody's, for another device, not signed by the new key.
    let stray = change(&server, &id, &third.key, &second.key).await;
    second.tells(&server, PATH, &stray).await.refused(401, "unknown-key");
    let other = change(&server, "another-device", &first.key, &second.key).await;
    second.tells(&server, PATH, &other).await.refused(401, "unknown-key");
    let good = change(&server, &id, &first.key, &second.key).await;
    third.tells(&server, PATH, &good).await.refused(401, "signature");
    let mut forged = good.clone();
    forged.document = forged.document.replace(&id, "another-device");
    second.tells(&server, PATH, &forged).await.refused(400, "bad-call");

    // The same change as often as it is asked.
    for _ in 0..2 {
        let answer: Value =
            serde_json::from_slice(&second.tells(&server, PATH, &good).await.ends(200).body).expect("JSON");
        assert_eq!(answer["device_id"], id.as_str());
        assert_eq!(answer["key_id"], second.key.public().fingerprint().as_str());
    }
    let call = || Call { path: "/api/v1/poll".to_owned(), ..Call::default() };
    first.call(&server, call()).await.refused(401, "unknown-key");
    second.call(&server, call()).await.ends(200);

    // What the first key sealed is still this device's, when the second key brings it.
    let receipt = second.send_accepted(&server, &before).await;
    assert_eq!(receipt.last_seq, 3);
    let late = Recipe {
        seq: 4,
        boot: Some((boot(1), "2099-01-01T00:00:00Z".to_owned())),
        ..Recipe::new(&recipient)
    };
    let location = second.send(&server, &sealed(&first, &late)).await;
    let refused = second.receipt(&server, &location).await;
    assert_eq!(refused.status, ReceiptStatus::Refused);
    assert!(refused.reason.contains("after that key had been replaced"), "{}", refused.reason);

    // On to the third; then nothing of before leads anywhere.
    let onward = change(&server, &id, &second.key, &third.key).await;
    third.tells(&server, PATH, &onward).await.ends(200);
    second.tells(&server, PATH, &good).await.refused(401, "unknown-key");
    let back = change(&server, &id, &third.key, &first.key).await;
    first.tells(&server, PATH, &back).await.refused(409, "key-known");
    let code = server.code(&[]);
    let again = first.enrol(&server, &first.request(&code, &server.card().await)).await;
    again.refused(409, "key-replaced");
    let keys = shown(&server, &third.key);
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(3), "{keys}");
}

#[tokio::test]
async fn a_revocation_is_signed_and_about_the_call() {
    let server = Server::start();
    let device = server.enrolled().await;
    let key_id = device.key.public().fingerprint();
    fails(&server, &["device", "revoke", &key_id, "--reason", ""], "reason");
    server.says(&["device", "revoke", &key_id, "--reason", "The unit was reported stolen."]);
    let nonce = "BBBBBBBBBBBBBBBBBBBBBB";
    let call = Call { nonce: Some(nonce.to_owned()), ..Device::create_call(10, None) };
    let answer = device.call(&server, call).await.refused(403, "key-revoked");
    let problem: Problem = serde_json::from_slice(&answer.body).expect("a problem");
    let online = PublicKey::from_openssh(&server.card().await.online_key).expect("a key");
    let word: Revocation = problem.signed.expect("signed").open(&online).expect("the portal's word");
    assert!(word.answers(&key_id, nonce), "{word:?}");
    assert_eq!(word.reason, "The unit was reported stolen.");
    // No code brings the key back, and the code is not worn by the try.
    let code = server.code(&[]);
    let card = server.card().await;
    device.enrol(&server, &device.request(&code, &card)).await.refused(409, "key-revoked");
    let fresh = Device::new("Q123");
    fresh.enrol(&server, &fresh.request(&code, &card)).await.ends(200);
    // Nor does a change of the key, nor a goodbye.
    let id = shown(&server, &device.key)["device_id"].as_str().expect("a name").to_owned();
    let next = Device::new("Q123");
    let change = change(&server, &id, &device.key, &next.key).await;
    next.tells(&server, "/api/v1/device-key", &change).await.refused(403, "key-revoked");
    let farewell = Farewell {
        format: 1,
        device_id: id,
        key_id: key_id.clone(),
        wants: Leaving::Deletion,
        made_unix_s: now_unix_s(),
        portal_root: root_of(&server).await,
    };
    let farewell = Signed::new(&farewell, &device.key).expect("acceptable");
    device.tells(&server, "/api/v1/farewell", &farewell).await.refused(403, "key-revoked");
    // Taken back.
    server.says(&["device", "unrevoke", &key_id, "--reason", "It was found again."]);
    device.call(&server, Device::create_call(10, None)).await.ends(201);
    fails(&server, &["device", "unrevoke", &key_id, "--reason", "x"], "is not revoked");
}

#[tokio::test]
async fn two_units_with_one_key_are_told_apart() {
    let server = Server::start();
    let device = server.enrolled().await;
    let key_id = device.key.public().fingerprint();
    let recipient = server.card().await.recipient;
    let at = |seq: u64, number: u8, time: &str| Recipe {
        seq,
        boot: Some((boot(number), time.to_owned())),
        ..Recipe::new(&recipient)
    };
    let doubt = || shown(&server, &device.key)["doubt"].as_str().map(str::to_owned);
    // One unit: its boots one after the other, and a bundle that comes late.
    device.polls_from(&server, &boot(1), 64).await;
    device.send_accepted(&server, &sealed(&device, &at(2, 1, "2026-11-01T10:00:00Z"))).await;
    device.polls_from(&server, &boot(2), 128).await;
    device.send_accepted(&server, &sealed(&device, &at(65, 2, "2026-11-02T10:00:00Z"))).await;
    device.send_accepted(&server, &sealed(&device, &at(3, 1, "2026-11-01T11:00:00Z"))).await;
    device.polls_from(&server, &boot(2), 128).await;
    assert_eq!(doubt(), None);
    // Its numbers begin again.
    device.polls_from(&server, &boot(3), 0).await;
    assert_eq!(doubt().as_deref(), Some("state_lost"));
    let text = server.says(&["device", "show", &key_id]);
    assert!(text.contains("STATE LOST") && text.contains("accept-state-lost"), "{text}");
    server.says(&["device", "accept-state-lost", &key_id]);
    assert_eq!(doubt(), None);
    fails(&server, &["device", "accept-state-lost", &key_id], "no doubt");
    // An earlier boot speaks again after a later one.
    device.polls_from(&server, &boot(4), 128).await;
    device.polls_from(&server, &boot(5), 128).await;
    assert_eq!(doubt(), None);
    device.polls_from(&server, &boot(4), 128).await;
    assert_eq!(doubt().as_deref(), Some("cloned"));
    let receipt = device.send_accepted(&server, &sealed(&device, &at(129, 5, "2026-11-03T10:00:00Z"))).await;
    let flags =
        server.store().await.own().bundle(&receipt.bundle_id).await.expect("read").expect("there").flags;
    assert!(flags.contains("cloned key"), "{flags}");
    fails(&server, &["device", "accept-state-lost", &key_id], "looks cloned");
    server.says(&["device", "accept-state-lost", &key_id, "--one-unit"]);
    assert_eq!(doubt(), None);
    // One number twice within a boot.
    let other = at(129, 5, "2026-11-03T10:00:00Z").with("proc/uptime", "1.0 1.0\n");
    device.send_accepted(&server, &sealed(&device, &other)).await;
    assert_eq!(doubt().as_deref(), Some("cloned"));
}

#[tokio::test]
async fn a_second_key_of_a_unit_is_never_silent() {
    let server = Server::start();
    let (old, new) = (server.enrolled().await, server.enrolled().await);
    let recipient = server.card().await.recipient;
    let waiting = sealed(&old, &Recipe { seq: 9, ..Recipe::new(&recipient) });
    let events = shown(&server, &old.key)["events"].to_string();
    assert!(events.contains("second key") && events.contains(&new.key.public().fingerprint()), "{events}");
    let (old_id, new_id) = (old.key.public().fingerprint(), new.key.public().fingerprint());
    let told = server.says(&["device", "key-move", &old_id, &new_id]);
    assert!(told.contains("taken from the new one"), "{told}");
    old.call(&server, Device::create_call(10, None)).await.refused(403, "key-revoked");
    // The record moved: what the old key sealed is the unit's.
    assert_eq!(new.send_accepted(&server, &waiting).await.last_seq, 9);
    fails(&server, &["device", "unrevoke", &old_id, "--reason", "x"], "moved to device");
    // Whoever has the new key deleted, has everything of the unit deleted.
    let farewell = Farewell {
        format: 1,
        device_id: shown(&server, &new.key)["device_id"].as_str().expect("a name").to_owned(),
        key_id: new_id,
        wants: Leaving::Deletion,
        made_unix_s: now_unix_s(),
        portal_root: root_of(&server).await,
    };
    let farewell = Signed::new(&farewell, &new.key).expect("acceptable");
    let answer = asked_until_free(&new, &server, &farewell).await;
    answer.ends(200);
    fails(&server, &["device", "show", &old_id], "no device is called");
}

/// Says it until no bundle is in the worker's hands any more: it may be for a moment after its receipt.
async fn asked_until_free(device: &Device, server: &Server, farewell: &Signed) -> super::server::Answer {
    let begun = std::time::Instant::now();
    loop {
        let answer = device.tells(server, "/api/v1/farewell", farewell).await;
        if answer.status != 503 {
            return answer;
        }
        assert!(begun.elapsed() < super::server::CEILING, "{}", server.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_deletion_is_answered_again() {
    let server = Server::start();
    let device = server.enrolled().await;
    let recipient = server.card().await.recipient;
    device.send_accepted(&server, &sealed(&device, &Recipe::new(&recipient))).await;
    let id = shown(&server, &device.key)["device_id"].as_str().expect("a name").to_owned();
    let farewell = |wants| Farewell {
        format: 1,
        device_id: id.clone(),
        key_id: device.key.public().fingerprint(),
        wants,
        made_unix_s: now_unix_s(),
        portal_root: String::new(),
    };
    let root = root_of(&server).await;
    let say = |wants| {
        let farewell = Farewell { portal_root: root.clone(), ..farewell(wants) };
        Signed::new(&farewell, &device.key).expect("acceptable")
    };
    let online = PublicKey::from_openssh(&server.card().await.online_key).expect("a key");
    let mut receipts = Vec::new();
    for _ in 0..2 {
        let answer = asked_until_free(&device, &server, &say(Leaving::Deletion)).await.ends(200);
        let signed: Signed = serde_json::from_slice(&answer.body).expect("a statement");
        let receipt: DeletionReceipt = signed.open(&online).expect("the portal's word");
        assert_eq!((receipt.bundles, receipt.device_id.as_str()), (1, id.as_str()));
        receipts.push(signed);
    }
    assert_eq!(receipts[0], receipts[1]);
    device.tells(&server, "/api/v1/farewell", &say(Leaving::Goodbye)).await.refused(401, "unknown-key");
    assert_eq!(fs::read_dir(server.data("objects")).expect("objects").count(), 0);
}

/// A device as the real program plays it, enrolled at a portal of its own.
struct Unit {
    folder: tempfile::TempDir,
    server: Server,
}

impl Unit {
    /// Enrolled, with one bundle of before and one of after in its spool.
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("assay-keys").tempdir().expect("a folder");
        Self { folder, server: Server::start() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn enrol(&self, more: &[&str]) -> String {
        let told = self.server.says(&["enroll-code"]);
        let (code, fingerprint) = (field(&told, "code"), field(&told, "fingerprint"));
        let ca = self.server.data("ca.pem").to_str().expect("a plain path").to_owned();
        let mut enrol =
            vec!["enroll", "--portal", &self.server.url, "--code", &code, "--fingerprint", &fingerprint];
        enrol.extend(["--ca-file", &ca]);
        enrol.extend(more);
        self.ok(&enrol)
    }

    fn assay(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary("assay"));
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").args(arguments);
        command.arg("--state-dir").arg(self.path("state")).stdin(Stdio::null());
        command.output().expect("assay runs")
    }

    /// Runs to a good end; what it printed.
    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let done = self.assay(arguments);
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(matches!(done.status.code(), Some(0)), "{arguments:?}: {out}{err}{}", self.server.log());
        out.into_owned()
    }

    /// Collects a bundle into the spool; what it found does not matter here.
    fn collect(&self) {
        let done = self.assay(&["collect"]);
        assert!(done.status.code().is_some_and(|code| code < 3), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Runs to a bad end (3) whose message holds all of these.
    #[track_caller]
    fn bad(&self, arguments: &[&str], expected: &[&str]) {
        let done = self.assay(arguments);
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert_eq!(done.status.code(), Some(3), "{arguments:?}: {out}{err}");
        for words in expected {
            assert!(
                err.contains(words) || out.contains(words),
                "{arguments:?} does not say {words:?}: {out}{err}"
            );
        }
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.ok(&["status", "--json"])).expect("JSON")
    }

    fn key(&self) -> String {
        self.status()["key_id"].as_str().expect("a key").to_owned()
    }

    fn identity(&self) -> PathBuf {
        self.path("state/identity")
    }
}

/// Copies the files of a folder into another, which is emptied before.
fn put_files(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        fs::copy(&path, to.join(path.file_name().expect("named"))).expect("copied");
    }
}

/// The document of a statement that a file holds.
fn statement<T: Statement>(path: &Path, key: &PublicKey) -> T {
    let signed: Signed = serde_json::from_slice(&fs::read(path).expect("readable")).expect("a statement");
    signed.open(key).expect("signed")
}
