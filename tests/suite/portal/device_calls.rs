//! What devices call: the card, enrolment, tus, and everything about signatures of calls.

use assay_bundle::digest::sha256_hex;
use assay_bundle::enrolment::EnrolmentAnswer;
use bytes::Bytes;
use http_body_util::channel::Channel;
use reqwest::Method;

use super::server::{Answer, Call, Device, Server, field, now_unix_s};
use crate::support::Rng;

#[tokio::test]
async fn the_card_is_the_same_everywhere() {
    let server = Server::start_with(&["--name", "Support North"]);
    let card = server.card().await;
    assert_eq!((card.name.as_str(), card.url.as_str()), ("Support North", server.url.as_str()));
    assert!(card.tls_key_pin.starts_with("sha256/") && card.recipient.starts_with("age1"));
    for command in [&["card"][..], &["enroll-code"][..]] {
        assert_eq!(field(&server.says(command), "fingerprint"), card.fingerprint());
    }
    let root = assay_bundle::keys::PublicKey::from_openssh(&card.root_key).expect("a key");
    let rotation = assay_bundle::sshsig::namespace::ROTATION;
    assay_bundle::sshsig::verify(&root, rotation, card.online_key.as_bytes(), &card.online_key_signature)
        .expect("the root key signs the online key");
}

#[tokio::test]
async fn keys_are_for_the_owner_alone_and_survive_a_restart() {
    use std::os::unix::fs::PermissionsExt;
    let mut server = Server::start();
    for name in ["root.key", "online.key", "identity.age", "tls.key", "ca.key"] {
        let mode = std::fs::metadata(server.data(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let card = server.card().await;
    server.stop();
    server.start_again(&[]);
    assert_eq!(server.card().await, card);
}

#[tokio::test]
async fn one_portal_per_folder() {
    let server = Server::start();
    let mut second = server.command(&["serve", "--listen", "127.0.0.1:0", "--self-signed"]);
    let out = second.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn();
    let mut out = crate::support::Guarded(out.expect("it starts"));
    let said = std::io::read_to_string(out.0.stderr.take().expect("stderr")).expect("text");
    assert_eq!(out.wait(super::server::CEILING).code(), Some(3));
    assert!(said.contains("another portal serves from this folder"), "{said}");
}

#[tokio::test]
async fn a_code_enrols_one_key() {
    let server = Server::start();
    let card = server.card().await;
    let device = Device::new("Q123");
    let code = server.code(&[]);
    let typed = code.to_lowercase().replace('-', " ");
    let answer = device.enrol(&server, &device.request(&typed, &card)).await.ends(200);
    let answer: EnrolmentAnswer = serde_json::from_slice(&answer.body).expect("an answer");
    assert_eq!(
        (answer.key_id, answer.card.clone(), answer.last_seq),
        (device.key.public().fingerprint(), card, 0)
    );
    // The same key with the same code: the same answer. Another key: used.
    let again = device.enrol(&server, &device.request(&code, &answer.card)).await.ends(200);
    let again: EnrolmentAnswer = serde_json::from_slice(&again.body).expect("an answer");
    assert_eq!(again.device_id, answer.device_id);
    let other = Device::new("Q123");
    other.enrol(&server, &other.request(&code, &answer.card)).await.refused(409, "code-used");
    let wrong = other.request("00000-00000", &answer.card);
    other.enrol(&server, &wrong).await.refused(404, "code-unknown");
}

#[tokio::test]
async fn a_code_expires() {
    let server = Server::start();
    let card = server.card().await;
    let (device, now) = (Device::new("Q123"), now_unix_s());
    let digest = assay_portal::handlers::code_digest("AAAAA-BBBBB");
    server.store().await.own().add_code(&digest, None, now - 1000, now - 1).await.expect("kept");
    device.enrol(&server, &device.request("AAAAA-BBBBB", &card)).await.refused(410, "code-expired");
}

#[tokio::test]
async fn a_code_dies_after_five_tries() {
    let server = Server::start();
    let card = server.card().await;
    let code = server.code(&["--serial", "Q999"]);
    let (wrong, right) = (Device::new("Q123"), Device::new("Q999"));
    let mut foreign = card.clone();
    foreign.name.push('!');
    let request = right.request(&code, &foreign);
    right.enrol(&server, &request).await.refused(409, "card-mismatch");
    for _ in 0..4 {
        wrong.enrol(&server, &wrong.request(&code, &card)).await.refused(409, "serial-mismatch");
    }
    right.enrol(&server, &right.request(&code, &card)).await.refused(429, "too-many-tries");
    // Guesses that name a unit wear out the codes of that unit.
    let code = server.code(&["--serial", "Q999"]);
    for guess in 0..5 {
        let request = right.request(&format!("0000{guess}00000"), &card);
        right.enrol(&server, &request).await.refused(404, "code-unknown");
    }
    right.enrol(&server, &right.request(&code, &card)).await.refused(429, "too-many-tries");
}

#[tokio::test]
async fn a_key_enrols_itself_only() {
    let server = Server::start();
    let card = server.card().await;
    let code = server.code(&[]);
    let (thief, victim) = (Device::new("Q123"), Device::new("Q123"));
    // The thief's signature, the victim's key.
    thief.enrol(&server, &victim.request(&code, &card)).await.refused(401, "signature");
    victim.enrol(&server, &victim.request(&code, &card)).await.ends(200);
}

#[tokio::test]
async fn guessing_codes_is_limited() {
    let server = Server::start();
    let card = server.card().await;
    let device = Device::new("Q123");
    let mut kinds = Vec::new();
    for guess in 0..22 {
        let request = device.request(&format!("1111{guess:02}1111"), &card);
        kinds.push(device.enrol(&server, &request).await.status);
    }
    assert_eq!(kinds[..20], [404; 20]);
    assert_eq!(kinds[20..], [429; 2]);
}

#[tokio::test]
async fn calls_are_signed_once_for_one_place_at_one_time() {
    let server = Server::start();
    let device = server.enrolled().await;
    let create = || Device::create_call(10, Some(&sha256_hex(b"x")));
    let unknown = Device::new("Q123");
    unknown.call(&server, create()).await.refused(401, "unknown-key");
    let late = device.call(&server, Call { clock_s: -1000, ..create() }).await.refused(401, "clock-skew");
    assert!(late.header("date").ends_with(" GMT"), "a Date to correct the clock by");
    device.call(&server, Call { clock_s: 1000, ..create() }).await.refused(401, "clock-skew");
    let elsewhere = Call { authority: Some("portal.example".to_owned()), ..create() };
    device.call(&server, elsewhere).await.refused(401, "signature");
    let unsigned =
        server.http.post(format!("{}/api/v1/uploads", server.url)).send().await.expect("an answer");
    Answer::of(unsigned).await.refused(401, "signature");
    let nonce = Some("AAAAAAAAAAAAAAAAAAAAAA".to_owned());
    device.call(&server, Call { nonce: nonce.clone(), ..create() }).await.ends(201);
    device.call(&server, Call { nonce, ..create() }).await.refused(409, "replay");
    // A header that is covered, given twice.
    let twice =
        device.signed(&server, &create()).header("upload-length", "11").send().await.expect("an answer");
    Answer::of(twice).await.refused(400, "bad-call");
}

#[tokio::test]
async fn tus_says_what_it_can() {
    let server = Server::start();
    let request = server.http.request(Method::OPTIONS, format!("{}/api/v1/uploads", server.url));
    let answer = Answer::of(request.send().await.expect("an answer")).await.ends(204);
    assert_eq!(answer.header("tus-version"), "1.0.0");
    assert_eq!(answer.header("tus-extension"), "creation,expiration,termination");
    assert_eq!(answer.header("tus-max-size"), (256u64 << 20).to_string());
}

#[tokio::test]
async fn an_upload_is_created_once() {
    let server = Server::start();
    let (device, other) = (server.enrolled().await, server.enrolled().await);
    let digest = sha256_hex(b"a file");
    let first = device.call(&server, Device::create_call(6, Some(&digest))).await.ends(201);
    assert!(first.header("location").starts_with("/api/v1/uploads/"));
    assert!(first.header("upload-expires").ends_with(" GMT"));
    let again = device.call(&server, Device::create_call(6, Some(&digest))).await.ends(200);
    assert_eq!(again.header("location"), first.header("location"));
    device.call(&server, Device::create_call(7, Some(&digest))).await.refused(409, "length-differs");
    // Another device's upload is its own, and is not to be seen.
    let others = other.call(&server, Device::create_call(6, Some(&digest))).await.ends(201);
    assert_ne!(others.header("location"), first.header("location"));
    let part = Device::part_call(first.header("location"), 0, b"a file");
    other.call(&server, part).await.refused(404, "unknown-upload");
    other.drop_upload(&server, first.header("location")).await.refused(404, "unknown-upload");
    // Without a digest, with an empty one, with a wrong one, without a length, too long, in another version.
    device.call(&server, Device::create_call(6, None)).await.ends(201);
    let mut call = Device::create_call(6, None);
    call.headers.push(("upload-metadata", String::new()));
    device.call(&server, call).await.ends(201);
    device.call(&server, Device::create_call(6, Some("ab"))).await.refused(400, "bad-call");
    device.call(&server, Device::create_call(0, Some(&digest))).await.refused(400, "bad-call");
    device.call(&server, Device::create_call((256 << 20) + 1, Some(&digest))).await.refused(413, "too-large");
    let mut call = Device::create_call(6, Some(&digest));
    call.headers.retain(|(name, _)| *name != "tus-resumable");
    device.call(&server, call).await.refused(412, "tus-version");
}

#[tokio::test]
async fn a_part_counts_when_it_is_whole() {
    let server = Server::start();
    let device = server.enrolled().await;
    let file = Rng::new(1).bytes(300_000);
    let location = device.create(&server, &file).await;
    let part = |offset: usize, body: &[u8]| Device::part_call(&location, offset, body);
    assert_eq!(device.offset(&server, &location).await, "0");
    // Wrong offset, wrong digest, wrong kind, too long: nothing is kept.
    let wrong = device.call(&server, part(5, &file[5..9])).await.refused(409, "wrong-offset");
    assert_eq!(wrong.header("upload-offset"), "0");
    let digest = Some(assay_bundle::httpsig::content_digest(b"another part"));
    device.call(&server, Call { digest, ..part(0, &file[..9]) }).await.refused(400, "digest");
    let mut plain = part(0, &file[..9]);
    plain.headers.retain(|(name, _)| *name != "content-type");
    device.call(&server, plain).await.refused(415, "bad-call");
    let long = [&file[..], b"more"].concat();
    device.call(&server, part(0, &long)).await.refused(413, "part-too-long");
    // A part that is cut: the connection breaks after some of the announced bytes.
    for _ in 0..3 {
        let call = part(0, &file[..200_000]);
        let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(1);
        let request = device
            .signed(&server, &call)
            .header("content-length", "200000")
            .body(reqwest::Body::wrap(body))
            .send();
        let feed = async {
            sender.send_data(Bytes::copy_from_slice(&file[..100_000])).await.expect("the server reads");
            sender.abort(std::io::Error::other("the line is cut"));
        };
        assert!(tokio::join!(request, feed).0.is_err());
    }
    assert_eq!(device.offset(&server, &location).await, "0");
    // Whole parts, also of one byte and of none.
    for (from, to) in [(0, 100_000), (100_000, 100_001), (100_001, 100_001), (100_001, 200_000)] {
        let answer = device.call(&server, part(from, &file[from..to])).await.ends(204);
        assert_eq!(answer.header("upload-offset"), to.to_string());
    }
    device.call(&server, part(0, &file[..100_000])).await.refused(409, "wrong-offset");
    device.receipt_answer(&server, &location).await.refused(409, "upload-incomplete");
    device.drop_upload(&server, &location).await.ends(204);
    device.call(&server, part(200_000, &file[200_000..])).await.refused(404, "unknown-upload");
    // A call that was cut ends in the portal in its own time.
    let left = || std::fs::read_dir(server.data("uploads")).expect("the folder").count();
    crate::support::wait_for(
        "nothing to be left of what was cut or given up",
        super::server::CEILING,
        || (left() == 0).then_some(()),
    );
}

#[tokio::test]
async fn the_database_knows_how_much_was_committed() {
    let mut server = Server::start();
    let device = server.enrolled().await;
    let file = Rng::new(2).bytes(50_000);
    let location = device.create(&server, &file).await;
    device.call(&server, Device::part_call(&location, 0, &file[..20_000])).await.ends(204);
    server.stop();
    // What a power cut may leave: bytes beyond the committed offset, and half a part.
    let name = location.rsplit('/').next().expect("an id");
    let path = server.data("uploads").join(name);
    let mut bytes = std::fs::read(&path).expect("the upload");
    bytes.extend_from_slice(b"not committed");
    std::fs::write(&path, bytes).expect("writable");
    let stray = server.data("uploads").join(format!("{name}.x.part"));
    std::fs::write(&stray, b"half").expect("writable");
    server.start_again(&[]);
    assert!(!stray.exists());
    assert_eq!(device.offset(&server, &location).await, "20000");
    device.call(&server, Device::part_call(&location, 20_000, &file[20_000..])).await.ends(204);
    // It is no bundle, so it is refused; but what was refused is the file, whole.
    let receipt = device.receipt(&server, &location).await;
    assert_eq!(receipt.bundle_sha256, sha256_hex(&file));
    device.drop_upload(&server, &location).await.refused(409, "already-received");
}

#[tokio::test]
async fn a_file_is_what_was_announced() {
    let server = Server::start();
    let device = server.enrolled().await;
    let call = Device::create_call(6, Some(&sha256_hex(b"a file")));
    let location = device.call(&server, call).await.ends(201).header("location").to_owned();
    device.call(&server, Device::part_call(&location, 0, b"a fake")).await.refused(422, "digest-mismatch");
    device.call(&server, Device::part_call(&location, 0, b"a file")).await.refused(404, "unknown-upload");
}

#[tokio::test]
async fn a_lost_key_is_never_replaced_in_silence() {
    for lost in ["root.key", "online.key", "identity.age"] {
        let mut server = Server::start();
        server.stop();
        std::fs::remove_file(server.data(lost)).expect("there");
        let mut command = server.command(&["serve", "--listen", "127.0.0.1:0", "--self-signed"]);
        let child = command.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn();
        let mut child = crate::support::Guarded(child.expect("it starts"));
        let said = std::io::read_to_string(child.0.stderr.take().expect("stderr")).expect("text");
        assert_eq!(child.wait(super::server::CEILING).code(), Some(3), "{said}");
        assert!(said.contains(lost) && said.contains("restore it from a backup"), "{said}");
    }
}

#[tokio::test]
async fn an_unknown_call_is_told_so() {
    let server = Server::start();
    let answer = server.http.get(format!("{}/api/v2/card", server.url)).send().await.expect("an answer");
    Answer::of(answer).await.refused(404, "unknown-call");
}
