//! Support requests between the real portal and a hand-played device: what is taken, and all that is not.

use assay_bundle::consent::{
    BackupAnswer, ConfidentialAnswer, Consent, CopyLevel, CopyTaken, Dated, Safeguard, Waiver, WaiverReason,
};
use assay_bundle::digest::sha256_hex;
use assay_bundle::keys::{PublicKey, SigningKey};
use assay_bundle::poll::PollAnswer;
use assay_bundle::receipt::{Receipt, ReceiptStatus};
use assay_bundle::redact::Level;
use assay_bundle::statement::Signed;
use assay_bundle::support_request::SupportRequest;
use reqwest::Method;
use serde::Serialize;

use super::bundles::{Recipe, manifest_of, sealed};
use super::server::{Answer, Call, Device, Server, field, now_unix_s};

mod bytes;
mod erasure;
mod polls;
mod sessions;

/// What a device does about requests.
impl Device {
    async fn post(&self, server: &Server, path: &str, body: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(body).expect("plain data");
        let call = Call { method: Method::POST, path: path.to_owned(), body: Some(body), ..Call::default() };
        self.call(server, call).await
    }

    async fn consents(&self, server: &Server, consent: &Consent) -> Answer {
        let signed = Signed::new(consent, &self.key).expect("acceptable");
        self.post(server, &format!("/api/v1/requests/{}/consent", consent.request_id), &signed).await
    }

    async fn poll(&self, server: &Server, query: &str) -> PollAnswer {
        let nonce = data_encoding::HEXLOWER.encode(&rand_bytes());
        let path = format!("/api/v1/poll{query}");
        let call = Call { path, nonce: Some(nonce.clone()), ..Call::default() };
        let answer = self.call(server, call).await.ends(200);
        let signed: Signed = serde_json::from_slice(&answer.body).expect("a statement");
        let opened: PollAnswer = signed.open(&online(server).await).expect("signed by the portal");
        assert!(opened.answers(&self.key.public().fingerprint(), &nonce), "it answers this very call");
        opened
    }
}

fn rand_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).expect("randomness");
    bytes
}

async fn online(server: &Server) -> PublicKey {
    PublicKey::from_openssh(&server.card().await.online_key).expect("a key")
}

/// Issues a request as an engineer does, and answers it as the device gets it.
async fn issued(server: &Server, device: &Device, options: &[&str]) -> SupportRequest {
    let key = device.key.public().fingerprint();
    let asks = ["request", "issue", &key, "--engineer", "Ada", "--reason", "A fan is slow."];
    let id = field(&server.says(&[&asks, options].concat()), "request");
    let requests = device.poll(server, "").await.requests;
    let key = online(server).await;
    let opened = requests.iter().map(|signed| signed.open::<SupportRequest>(&key).expect("signed"));
    opened.into_iter().find(|request| request.id == id).expect("it is told")
}

/// A bundle that answers a request.
async fn answering(server: &Server, device: &Device, request: &SupportRequest, seq: u64) -> Vec<u8> {
    let recipient = server.card().await.recipient;
    let request = Some((request.id.clone(), request.nonce.clone()));
    sealed(device, &Recipe { seq, request, ..Recipe::new(&recipient) })
}

/// The consent to a bundle, right in everything.
async fn consent(server: &Server, request: &SupportRequest, bundle: &[u8]) -> Consent {
    let now = now_unix_s();
    Consent {
        format: 1,
        request_id: request.id.clone(),
        nonce: request.nonce.clone(),
        key_id: request.key_id.clone(),
        manifest_sha256: sha256_hex(manifest_of(bundle)),
        backup: Dated { answer: BackupAnswer::BackedUp, at_unix_s: now },
        confidential: Dated { answer: ConfidentialAnswer::RemovedOrLocked, at_unix_s: now },
        redaction: Level::Standard,
        recipients: vec![server.card().await.recipient],
        portal_fingerprint: request.portal_fingerprint.clone(),
        safeguard: Safeguard::Copy(CopyTaken {
            level: CopyLevel::ReadBack,
            sha256: "cd".repeat(32),
            made_unix_s: now,
        }),
        standing: false,
        consented_unix_s: now,
    }
}

async fn sent(server: &Server, device: &Device, bundle: &[u8]) -> Receipt {
    let location = device.send(server, bundle).await;
    device.receipt(server, &location).await
}

/// Everything up to "ready".
async fn made_ready(server: &Server, device: &Device, options: &[&str]) -> SupportRequest {
    let request = issued(server, device, options).await;
    let bundle = answering(server, device, &request, 1).await;
    device.consents(server, &consent(server, &request, &bundle).await).await.ends(204);
    let receipt = sent(server, device, &bundle).await;
    assert_eq!((receipt.status, receipt.ready), (ReceiptStatus::Accepted, true), "{}", receipt.reason);
    request
}

#[tokio::test]
async fn a_request_becomes_ready_by_one_bundle() {
    let server = Server::start();
    let device = server.enrolled().await;
    let request = issued(&server, &device, &[]).await;
    assert_eq!(request.portal_fingerprint, server.card().await.fingerprint());
    let bundle = answering(&server, &device, &request, 1).await;
    let given = consent(&server, &request, &bundle).await;
    device.consents(&server, &given).await.ends(204);
    device.consents(&server, &given).await.ends(204);
    let receipt = sent(&server, &device, &bundle).await;
    assert_eq!(receipt.status, ReceiptStatus::Accepted, "{}", receipt.reason);
    assert_eq!((receipt.request_id.as_deref(), receipt.ready), (Some(request.id.as_str()), true));
    // Kept byte for byte, and shown.
    let kept = server.store().await.own().consent(&request.id).await.expect("the database").expect("there");
    assert_eq!(kept.document, Signed::new(&given, &device.key).expect("acceptable").document);
    let shown = server.says(&["request", "show", &request.id]);
    assert_eq!(field(&shown, "state"), "ready for remote support");
    assert!(shown.contains("data is backed up") && shown.contains("read back"), "{shown}");
    assert!(server.says(&["request", "list"]).contains("ready for remote support"));
    assert!(device.poll(&server, "").await.requests.is_empty());
    // The same consent again is the same answer; a second approval and a second bundle are not.
    device.consents(&server, &given).await.ends(204);
    let second = answering(&server, &device, &request, 2).await;
    let other = consent(&server, &request, &second).await;
    device.consents(&server, &other).await.refused(409, "request-answered");
    let deny = format!("/api/v1/requests/{}/deny", request.id);
    let no = serde_json::json!({"reason": "too late"});
    device.post(&server, &deny, &no).await.refused(409, "request-answered");
    let receipt = sent(&server, &device, &second).await;
    assert_eq!(receipt.status, ReceiptStatus::Refused);
    assert!(receipt.reason.contains("answered before by another bundle"), "{}", receipt.reason);
    // A bundle that answers nothing says nothing about requests.
    let recipe = Recipe { seq: 3, ..Recipe::new(&server.card().await.recipient) };
    let receipt = device.send_accepted(&server, &sealed(&device, &recipe)).await;
    assert_eq!((receipt.request_id, receipt.ready), (None, false));
}

#[tokio::test]
async fn under_a_standing_consent_nothing_becomes_ready() {
    let server = Server::start();
    let device = server.enrolled().await;
    let request = issued(&server, &device, &[]).await;
    let bundle = answering(&server, &device, &request, 1).await;
    let standing = Consent { standing: true, ..consent(&server, &request, &bundle).await };
    device.consents(&server, &standing).await.ends(204);
    let receipt = sent(&server, &device, &bundle).await;
    assert_eq!((receipt.status, receipt.ready), (ReceiptStatus::Accepted, false), "{}", receipt.reason);
    assert_eq!(field(&server.says(&["request", "show", &request.id]), "state"), "answered");
}

#[tokio::test]
async fn a_consent_that_does_not_fit_is_refused() {
    let server = Server::start();
    let device = server.enrolled().await;
    let request = issued(&server, &device, &["--strict"]).await;
    let bundle = answering(&server, &device, &request, 1).await;
    let good = Consent { redaction: Level::Strict, ..consent(&server, &request, &bundle).await };
    let now = now_unix_s();
    let waiver = |accepted_unix_s, expires_unix_s| {
        Safeguard::Waiver(Waiver {
            reason: WaiverReason::PoolGone,
            accepted_unix_s,
            expires_unix_s,
            configuration_sha256: "ef".repeat(32),
        })
    };
    let written = CopyTaken { level: CopyLevel::Written, sha256: "cd".repeat(32), made_unix_s: now };
    let long_ago = Dated { answer: BackupAnswer::BackedUp, at_unix_s: now - 86_400 };
    for wrong in [
        Consent { redaction: Level::Standard, ..good.clone() },
        Consent { nonce: "0".repeat(32), ..good.clone() },
        Consent { key_id: "SHA256:x".to_owned(), ..good.clone() },
        Consent { portal_fingerprint: "AAAA".to_owned(), ..good.clone() },
        Consent { recipients: vec!["age1other".to_owned()], ..good.clone() },
        Consent { backup: long_ago, ..good.clone() },
        Consent { consented_unix_s: now + 86_400, ..good.clone() },
        Consent { safeguard: Safeguard::Copy(written), ..good.clone() },
        Consent { safeguard: waiver(now - 100, now - 1), ..good.clone() },
    ] {
        device.consents(&server, &wrong).await.refused(409, "consent-refused");
    }
    let path = format!("/api/v1/requests/{}/consent", request.id);
    let signed = Signed::new(&good, &device.key).expect("acceptable");
    let tampered = Signed { document: signed.document.replace("strict", "strict "), ..signed.clone() };
    device.post(&server, &path, &tampered).await.refused(400, "statement-signature");
    let by_other = Signed::new(&good, &SigningKey::generate().expect("a key")).expect("acceptable");
    device.post(&server, &path, &by_other).await.refused(400, "statement-signature");
    let unknown = signed.document.replacen('{', "{\"also\":1,", 1);
    let signature = assay_bundle::sshsig::sign(&device.key, "assay-consent", unknown.as_bytes());
    let unknown = Signed { document: unknown, signature };
    device.post(&server, &path, &unknown).await.refused(400, "statement-invalid");
    // Another device's request is as unknown as none.
    let (other, code) = (Device::new("Q999"), server.code(&[]));
    other.enrol(&server, &other.request(&code, &server.card().await)).await.ends(200);
    other.consents(&server, &good).await.refused(404, "unknown-request");
    assert!(other.poll(&server, "").await.requests.is_empty());
    assert!(server.store().await.own().consent(&request.id).await.expect("the database").is_none());
    let waived = Consent { safeguard: waiver(now, now + 3_600), ..good.clone() };
    device.consents(&server, &waived).await.ends(204);
    assert!(server.says(&["request", "show", &request.id]).contains("NO COPY      waived: the pool is gone"));
    // Cancelled: told by the poll, and no consent any more, not even the same.
    server.says(&["request", "cancel", &request.id]);
    assert_eq!(device.poll(&server, "").await.cancelled, std::slice::from_ref(&request.id));
    device.consents(&server, &waived).await.refused(410, "request-closed");
}

#[tokio::test]
async fn the_owner_may_say_no_until_the_bundle_is_accepted() {
    let server = Server::start();
    let device = server.enrolled().await;
    let request = issued(&server, &device, &[]).await;
    let bundle = answering(&server, &device, &request, 1).await;
    device.consents(&server, &consent(&server, &request, &bundle).await).await.ends(204);
    let path = format!("/api/v1/requests/{}/deny", request.id);
    let no = serde_json::json!({"reason": "Not\u{1b}[31m now"});
    device.post(&server, &path, &no).await.ends(204);
    device.post(&server, &path, &no).await.ends(204);
    let receipt = sent(&server, &device, &bundle).await;
    assert!(receipt.reason.contains("denied by the owner"), "{}", receipt.reason);
    let shown = server.says(&["request", "show", &request.id]);
    assert!(shown.contains("Not[U+001B][31m now"), "{shown}");
    let mut cancel = server.command(&["request", "cancel", &request.id]);
    let output = cancel.output().expect("it starts");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[tokio::test]
async fn a_second_approval_replaces_until_the_upload_begins() {
    let server = Server::start();
    let device = server.enrolled().await;
    let request = issued(&server, &device, &[]).await;
    let (first, second) =
        (answering(&server, &device, &request, 1).await, answering(&server, &device, &request, 2).await);
    device.consents(&server, &consent(&server, &request, &first).await).await.ends(204);
    let to_second = consent(&server, &request, &second).await;
    device.consents(&server, &to_second).await.ends(204);
    // What was replaced is no longer consented to.
    let receipt = sent(&server, &device, &first).await;
    assert!(receipt.reason.contains("consented to other bytes"), "{}", receipt.reason);
    let location = device.create(&server, &second).await;
    let third = answering(&server, &device, &request, 3).await;
    let to_third = consent(&server, &request, &third).await;
    device.consents(&server, &to_third).await.refused(409, "upload-under-way");
    device.consents(&server, &to_second).await.ends(204);
    device.drop_upload(&server, &location).await.ends(204);
    device.consents(&server, &to_third).await.ends(204);
    let receipt = sent(&server, &device, &third).await;
    assert!(receipt.ready, "{}", receipt.reason);
}
