//! Bundles that name a request: only the bytes that were consented to, for that request, in its time.

use assay_bundle::receipt::ReceiptStatus;
use assay_bundle::support_request::SupportRequest;

use super::*;

/// Sends a bundle that must be refused with these words.
async fn refused(server: &Server, device: &Device, recipe: &Recipe, words: &str) {
    let receipt = sent(server, device, &sealed(device, recipe)).await;
    assert_eq!(receipt.status, ReceiptStatus::Refused, "{words}");
    assert_eq!((receipt.request_id, receipt.ready), (None, false));
    assert!(receipt.reason.contains(words), "{words}: {}", receipt.reason);
}

#[tokio::test]
async fn bytes_that_were_not_consented_to_are_refused() {
    let server = Server::start();
    let device = server.enrolled().await;
    let recipient = server.card().await.recipient;
    let request = issued(&server, &device, &[]).await;
    let (other, code) = (Device::new("Q999"), server.code(&[]));
    other.enrol(&server, &other.request(&code, &server.card().await)).await.ends(200);
    let others = issued(&server, &other, &[]).await;
    let recipe = |seq, id: &str, nonce: &str| Recipe {
        seq,
        request: Some((id.to_owned(), nonce.to_owned())),
        ..Recipe::new(&recipient)
    };
    let (id, nonce) = (request.id.as_str(), request.nonce.as_str());
    refused(&server, &device, &recipe(1, id, nonce), "no consent of the owner came before it").await;
    refused(&server, &device, &recipe(2, &others.id, &others.nonce), "was never sent").await;
    refused(&server, &device, &recipe(3, "none", nonce), "was never sent").await;
    let bundle = answering(&server, &device, &request, 4).await;
    let given = consent(&server, &request, &bundle).await;
    device.consents(&server, &given).await.ends(204);
    refused(&server, &device, &recipe(5, id, nonce), "consented to other bytes").await;
    refused(&server, &device, &recipe(6, id, &others.nonce), "its nonce is not").await;
    refused(&server, &device, &recipe(7, id, "0"), "its nonce is not").await;
    let recording = Recipe { source: assay_bundle::manifest::RunSource::Recorded, ..recipe(8, id, nonce) };
    refused(&server, &device, &recording, "it is a recording").await;
    // The consent promised more redaction than the bundle has.
    let strict = issued(&server, &device, &["--strict"]).await;
    let weak = recipe(9, &strict.id, &strict.nonce);
    let promised = consent(&server, &strict, &sealed(&device, &weak)).await;
    let weak_bundle = sealed(&device, &weak);
    let promised = Consent {
        redaction: Level::Strict,
        manifest_sha256: sha256_hex(manifest_of(&weak_bundle)),
        ..promised
    };
    device.consents(&server, &promised).await.ends(204);
    let receipt = sent(&server, &device, &weak_bundle).await;
    assert!(receipt.reason.contains("redacted less"), "{}", receipt.reason);
    let strong = Recipe { level: Level::Strict, ..recipe(10, &strict.id, &strict.nonce) };
    let strong = sealed(&device, &strong);
    let promised = Consent { manifest_sha256: sha256_hex(manifest_of(&strong)), ..promised };
    device.consents(&server, &promised).await.ends(204);
    assert!(sent(&server, &device, &strong).await.ready);
    // And the first request still takes what was consented to.
    assert!(sent(&server, &device, &bundle).await.ready);
}

#[tokio::test]
async fn what_comes_after_the_end_of_a_request_is_refused() {
    let server = Server::start();
    let device = server.enrolled().await;
    let request = issued(&server, &device, &[]).await;
    let bundle = answering(&server, &device, &request, 1).await;
    device.consents(&server, &consent(&server, &request, &bundle).await).await.ends(204);
    server.says(&["request", "cancel", &request.id, "--reason", "solved by phone"]);
    let receipt = sent(&server, &device, &bundle).await;
    assert!(receipt.reason.contains("was cancelled"), "{}", receipt.reason);
    // Expired: issued and consented to in the past, written as time alone would bring it.
    let past = now_unix_s() - 7_200;
    let old = SupportRequest {
        id: "0199-old".to_owned(),
        nonce: "ab".repeat(16),
        issued_unix_s: past,
        expires_unix_s: past + 3_600,
        ..request
    };
    let key = std::fs::read_to_string(server.data("online.key")).expect("its key");
    let key = SigningKey::from_openssh(&key).expect("a key");
    let opened = server.store().await;
    let store = opened.own();
    assert!(store.add_request(&old, &Signed::new(&old, &key).expect("acceptable"), 8).await.expect("kept"));
    let bundle = answering(&server, &device, &old, 2).await;
    let given = consent(&server, &old, &bundle).await;
    device.consents(&server, &given).await.refused(410, "request-closed");
    let signed = Signed::new(&given, &device.key).expect("acceptable");
    store.keep_consent(&old.device_id, &given, &signed, past + 60).await.expect("kept");
    let receipt = sent(&server, &device, &bundle).await;
    assert!(receipt.reason.contains("has expired"), "{}", receipt.reason);
    assert!(device.poll(&server, "").await.requests.is_empty());
    assert_eq!(field(&server.says(&["request", "show", "0199-old"]), "state"), "expired");
}
