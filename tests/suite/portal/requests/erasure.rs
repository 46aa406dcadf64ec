//! What is handed out and destroyed, and slips of devices that reach nobody.

use assay_bundle::Overall;
use assay_bundle::deletion::DeletionReceipt;
use assay_bundle::manifest::{RunSource, Summary};
use assay_bundle::slip::Slip;

use super::*;

#[tokio::test]
async fn a_device_is_handed_out_whole_and_leaves_a_receipt() {
    let mut server = Server::start();
    let device = server.enrolled().await;
    let (other, code) = (Device::new("Q999"), server.code(&[]));
    other.enrol(&server, &other.request(&code, &server.card().await)).await.ends(200);
    let request = made_ready(&server, &device, &["--session", "screen-share"]).await;
    server.says(&["session", "open", &request.id]);
    let left = issued(&server, &other, &[]).await;
    let key = device.key.public().fingerprint();
    let online = online(&server).await;
    server.stop();
    let out = server.data("handed-out");
    server.says(&["export", &key, "--out", out.to_str().expect("a plain path")]);
    let names = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(out.join(folder)).expect("a folder");
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
    };
    assert_eq!((names("bundles").len(), names("readings").len()), (1, 1));
    assert_eq!(names("documents").len(), 3, "request, consent, receipt: {:?}", names("documents"));
    let signed = std::fs::read(out.join("documents").join(format!("request-{}.json", request.id)));
    let signed: Signed = serde_json::from_slice(&signed.expect("readable")).expect("a statement");
    assert_eq!(signed.open::<SupportRequest>(&online).expect("signed"), request);
    let without = server.command(&["delete", &key]).output().expect("it starts");
    assert_eq!(without.status.code(), Some(3), "{without:?}");
    assert_eq!(std::fs::read_dir(server.data("objects")).expect("objects").count(), 1);
    let signed: Signed = serde_json::from_str(&server.says(&["delete", &key, "--yes"])).expect("a statement");
    let receipt: DeletionReceipt = signed.open(&online).expect("signed");
    assert_eq!((receipt.bundles, receipt.requests), (1, 1));
    assert_eq!(receipt.key_id, key);
    assert_eq!(std::fs::read_dir(server.data("objects")).expect("objects").count(), 0);
    let database = std::fs::read(server.data("portal.db")).expect("readable");
    for gone in [key.as_bytes(), b"nas-of-eva", request.nonce.as_bytes()] {
        // The receipt alone names the key.
        let times = database.windows(gone.len()).filter(|window| window == &gone).count();
        assert!(times <= usize::from(gone == key.as_bytes()), "{}", String::from_utf8_lossy(gone));
    }
    server.start_again(&[]);
    let call = Call { path: "/api/v1/poll".to_owned(), ..Call::default() };
    device.call(&server, call).await.refused(401, "unknown-key");
    assert_eq!(other.poll(&server, "").await.requests.len(), 1, "{} is another's", left.id);
}

#[tokio::test]
async fn a_slip_is_checked_and_is_for_triage_only() {
    let server = Server::start();
    let device = server.enrolled().await;
    let slip = Slip {
        format: 1,
        source: RunSource::Live,
        serial: Some(device.serial.clone()),
        model: Some("TS-453D".to_owned()),
        summary: Summary {
            overall: Overall::DefectSuspected,
            confirmed: 0,
            suspected: 1,
            watch: 0,
            cannot_tell: 2,
            top_codes: vec!["FAN-001".to_owned()],
        },
        made_unix_s: now_unix_s(),
        key_id: device.key.public().fingerprint(),
    };
    let path = server.data("slip.txt");
    let check = |text: &str| {
        std::fs::write(&path, text).expect("writable");
        let command = server.command(&["slip", "check", path.to_str().expect("plain")]).output();
        let output = command.expect("it starts");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), format!("{out}{err}"))
    };
    let text = slip.to_text(&device.key).expect("acceptable");
    let (code, said) = check(&format!("{text}\n"));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("TRIAGE ONLY") && said.contains("FAN-001") && said.contains("Q123"), "{said}");
    let (code, said) =
        check(&Slip { serial: Some("Q1".to_owned()), ..slip.clone() }.to_text(&device.key).expect("ok"));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("WARNING"), "{said}");
    let (code, said) =
        check(&Slip { source: RunSource::Recorded, ..slip.clone() }.to_text(&device.key).expect("ok"));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("made of a recording"), "{said}");
    let stranger = SigningKey::generate().expect("a key");
    let key_id = stranger.public().fingerprint();
    let (code, said) = check(&Slip { key_id, ..slip.clone() }.to_text(&stranger).expect("ok"));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("UNKNOWN KEY"), "{said}");
    for wrong in [
        // By a key that names another, cut off, none at all, too long.
        slip.to_text(&stranger).expect("acceptable"),
        text[..text.len() - 20].to_owned(),
        "hello".to_owned(),
        text.repeat(3),
    ] {
        let (code, said) = check(&wrong);
        assert_eq!(code, Some(3), "{said}");
        assert!(!said.contains("TRIAGE"), "{said}");
    }
}
