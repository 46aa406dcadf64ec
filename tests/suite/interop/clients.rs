//! tus-js-client, uppy and tuspy upload to the real portal. Each signs its calls with the RFC 9421 library of its own
//! language, in its own hook; nothing of ours runs on their side.

use assay_bundle::digest::sha256_hex;
use assay_bundle::keys::SigningKey;
use assay_bundle::receipt::ReceiptStatus;
use serde_json::{Value, json};

use super::run;
use crate::portal::bundles::{Recipe, sealed};
use crate::portal::server::{Device, Server, now_unix_s, wait_for_log};
use crate::support::Rng;

/// Clients, and the script that drives each.
const CLIENTS: [(&str, &str); 3] =
    [("tus-js-client", "upload.mjs"), ("uppy", "upload.mjs"), ("tuspy", "upload.py")];

/// Bytes of a part of the bundle, which has several of them.
const SMALL_PART: usize = 2000;

/// A portal with one device, whose key lies where scripts read it.
struct Desk {
    server: Server,
    device: Device,
}

impl Desk {
    async fn open() -> Self {
        let server = Server::start();
        let device = server.enrolled().await;
        std::fs::write(server.data("../device.key"), device.key.to_openssh("test").as_bytes()).expect("room");
        Self { server, device }
    }

    /// The task of uploading these bytes, and what else is wanted.
    fn task(&self, client: &str, bytes: &[u8], chunk: usize, more: Value) -> Value {
        let file = self.server.data("../file");
        std::fs::write(&file, bytes).expect("room");
        let mut task = json!({
            "client": client,
            "url": self.server.url,
            "key": self.server.data("../device.key"),
            "key_id": self.device.key.public().fingerprint(),
            "file": file,
            "chunk": chunk,
        });
        let (Some(task_fields), Value::Object(more)) = (task.as_object_mut(), more) else { unreachable!() };
        task_fields.extend(more);
        task
    }

    fn upload(&self, client: &str, bytes: &[u8], chunk: usize, more: Value) -> Value {
        let (_, script) = CLIENTS.into_iter().find(|(name, _)| *name == client).expect("a client");
        run(script, &self.server.data("ca.pem"), &self.task(client, bytes, chunk, more))
    }

    /// The path on the portal of an upload that a client says went well.
    #[track_caller]
    fn path(&self, said: &Value) -> String {
        let url = said["upload"].as_str().unwrap_or_else(|| panic!("{said}\n{}", self.server.log()));
        url.strip_prefix(&self.server.url).expect("our address").to_owned()
    }
}

/// `METHOD status` of each call, in order.
fn calls(said: &Value) -> Vec<String> {
    let calls = said["calls"].as_array().expect("calls");
    calls
        .iter()
        .map(|call| format!("{} {}", call["method"].as_str().unwrap_or("?"), call["status"]))
        .collect()
}

/// A real bundle in several parts, one of which is damaged on its way: refused by its digest, sent again from where the
/// portal is, and in the end accepted.
#[tokio::test]
async fn bundles_arrive_from_foreign_clients() {
    let desk = Desk::open().await;
    for (seq, (client, _)) in (1..).zip(CLIENTS) {
        let mut recipe = Recipe::new(&desk.server.card().await.recipient);
        recipe.seq = seq;
        let bundle = sealed(&desk.device, &recipe);
        assert!(bundle.len() > 2 * SMALL_PART, "{} bytes", bundle.len());
        let said = desk.upload(client, &bundle, SMALL_PART, json!({"damaged": 1}));
        let path = desk.path(&said);
        let made = calls(&said);
        assert_eq!(made[..5], ["POST 201", "PATCH 204", "PATCH 400", "HEAD 200", "PATCH 204"], "{client}");
        assert_eq!(said["calls"][3]["offset"], SMALL_PART.to_string(), "{client}: {said}");
        let receipt = desk.device.receipt(&desk.server, &path).await;
        assert_eq!(receipt.status, ReceiptStatus::Accepted, "{client}: {}", receipt.reason);
        assert_eq!(receipt.bundle_sha256, sha256_hex(&bundle), "{client}");
    }
}

/// A connection that breaks inside a part, and a client that begins again with nothing but the address: both ask for the
/// offset, and no part is sent twice.
#[tokio::test]
async fn foreign_clients_go_on_after_a_cut() {
    const PART: usize = 1 << 20;
    let desk = Desk::open().await;
    let bytes = Rng::new(0x1E).bytes(3 * PART + 17);
    let said = desk.upload("tus-js-client", &bytes, PART, json!({"cuts": 1}));
    desk.path(&said);
    assert_eq!(said["cuts_left"], 0, "{said}");
    // What the portal had committed is not sent again; the last part's 204 says that its SHA-256 fits the announced one.
    let taken = |said: &Value| -> Vec<String> {
        let parts = said["calls"].as_array().expect("calls").iter();
        let taken = parts.filter(|call| call["method"] == "PATCH" && call["status"] == 204);
        taken.map(|call| call["offset"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let offsets: Vec<String> = [PART, 2 * PART, 3 * PART, bytes.len()].iter().map(usize::to_string).collect();
    assert_eq!(taken(&said), offsets, "{said}");
    assert!(calls(&said).contains(&"HEAD 200".to_owned()), "{said}");

    let bytes = Rng::new(0x1F).bytes(3 * PART + 17);
    let said = desk.upload("tuspy", &bytes, PART, json!({"stop_at": PART}));
    desk.path(&said);
    assert_eq!(calls(&said)[..4], ["POST 201", "PATCH 204", "HEAD 200", "PATCH 204"], "{said}");
    assert_eq!(taken(&said), offsets, "{said}");
}

/// An upload that ran out is not there any more; tus-js-client begins a new one, tuspy tells its caller.
#[tokio::test]
async fn an_expired_upload_is_gone() {
    let mut desk = Desk::open().await;
    let bytes = Rng::new(0x20).bytes(3 * SMALL_PART);
    let location = desk.device.create(&desk.server, &bytes).await;
    let part = Device::part_call(&location, 0, &bytes[..SMALL_PART]);
    desk.device.call(&desk.server, part).await.ends(204);
    let id = location.rsplit('/').next().expect("an id");
    let (at, store) = (i64::try_from(SMALL_PART).expect("small"), desk.server.store().await);
    assert!(store.own().advance_upload(id, at, at, now_unix_s() - 1).await.expect("kept"));
    drop(store);
    desk.server.stop();
    desk.server.start_again(&[]);
    wait_for_log(&desk.server, "gave up an upload that ran out");

    let old = json!({"upload_url": format!("{}{location}", desk.server.url)});
    let said = desk.upload("tuspy", &bytes, SMALL_PART, old.clone());
    assert_eq!(calls(&said), ["HEAD 404"], "{said}");
    assert!(said["error"].as_str().is_some_and(|error| error.contains("404")), "{said}");
    let said = desk.upload("tus-js-client", &bytes, SMALL_PART, old);
    assert_ne!(desk.path(&said), location);
    assert_eq!(calls(&said)[..3], ["HEAD 404", "POST 201", "PATCH 204"], "{said}");
}

/// What the portal refuses is a refusal in the client's own words, with the headers that tus 1.0 wants.
#[tokio::test]
async fn refusals_reach_foreign_clients() {
    let desk = Desk::open().await;
    let stranger = desk.server.data("../stranger.key");
    let key = SigningKey::generate().expect("a key");
    std::fs::write(&stranger, key.to_openssh("test").as_bytes()).expect("room");
    let bytes = Rng::new(0x21).bytes(SMALL_PART);
    for (client, _) in CLIENTS {
        let check = |more: Value, status: u16, name: &str, value: Value| {
            let mut more = more;
            more["retry"] = json!(false);
            let said = desk.upload(client, &bytes, SMALL_PART, more);
            let first = &said["calls"][0];
            assert_eq!((calls(&said), &first[name]), (vec![format!("POST {status}")], &value), "{client}");
            assert_eq!(first["speaks"], "1.0.0", "{client}: {said}");
            let error = said["error"].as_str().unwrap_or_default();
            // Uppy reads the status of a browser's request, which there is none of here.
            assert!(error.contains(&status.to_string()) || client == "uppy" && !error.is_empty(), "{said}");
        };
        check(json!({"tus_version": "0.2.2"}), 412, "version", json!("1.0.0"));
        check(json!({"key": stranger}), 401, "kind", json!("signature"));
        check(json!({"clock_s": -4000}), 401, "kind", json!("clock-skew"));
        // Uppy takes the size from the file.
        if client != "uppy" {
            let most = json!(assay_portal::uploads::MAX_BYTES.to_string());
            check(json!({"length": 300_000_000}), 413, "most", most);
        }
    }
}
