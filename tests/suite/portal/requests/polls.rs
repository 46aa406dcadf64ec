//! Polls: answered at once, or held until something changes, and never in anybody's way.

use std::time::Instant;

use tokio::task::JoinSet;

use super::*;

#[tokio::test]
async fn a_poll_tells_what_there_is() {
    let server = Server::start();
    let device = server.enrolled().await;
    let quiet = device.poll(&server, "").await;
    assert_eq!((quiet.interval_s, quiet.last_seq, quiet.revoked), (900, 0, false));
    assert!(quiet.latest.is_none() && quiet.replacement.is_none());
    // Nothing is open: also the same state is answered at once.
    let started = Instant::now();
    device.poll(&server, &format!("?known={}", quiet.state)).await;
    assert!(started.elapsed().as_secs() < 30, "it was held");
    let digest = "ab".repeat(32);
    server.says(&["update-notice", "set", "0.2.0", &digest]);
    server.says(&["device", "replacement-of", "Q123", "Q124"]);
    let told = device.poll(&server, "").await;
    let latest = told.latest.expect("it is told");
    assert_eq!((latest.version.as_str(), latest.sha256), ("0.2.0", digest));
    let replacement = told.replacement.expect("it is told");
    assert_eq!((replacement.old_serial.as_str(), replacement.new_serial.as_str()), ("Q123", "Q124"));
    let request = issued(&server, &device, &[]).await;
    assert_eq!(device.poll(&server, "").await.interval_s, 30);
    // The key moves to the unit that comes: the old one learns it from the poll, and from nothing else.
    let (new, code) = (Device::new("Q124"), server.code(&[]));
    new.enrol(&server, &new.request(&code, &server.card().await)).await.ends(200);
    let (old_key, new_key) = (device.key.public().fingerprint(), new.key.public().fingerprint());
    server.says(&["device", "key-move", &old_key, &new_key]);
    let told = device.poll(&server, "").await;
    assert!(told.revoked && told.requests.is_empty() && told.interval_s == 21_600);
    let bundle = answering(&server, &device, &request, 1).await;
    let given = consent(&server, &request, &bundle).await;
    device.consents(&server, &given).await.refused(403, "key-revoked");
    assert_eq!(field(&server.says(&["request", "show", &request.id]), "state"), "cancelled");
    assert!(new.poll(&server, "").await.replacement.is_some());
}

#[tokio::test]
async fn keys_of_different_units_do_not_move() {
    let server = Server::start();
    let device = server.enrolled().await;
    let (other, code) = (Device::new("Q999"), server.code(&[]));
    other.enrol(&server, &other.request(&code, &server.card().await)).await.ends(200);
    let keys = [device.key.public().fingerprint(), other.key.public().fingerprint()];
    let output = server.command(&["device", "key-move", &keys[0], &keys[1]]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(!device.poll(&server, "").await.revoked);
}

/// A poll that is on its way.
fn under_way(server: &Server, device: &Device, query: &str, into: &mut JoinSet<Answer>) {
    let call = Call { path: format!("/api/v1/poll{query}"), ..Call::default() };
    let sending = device.signed(server, &call).send();
    into.spawn(async move { Answer::of(sending.await.expect("an answer")).await });
}

/// The next one that is answered.
async fn answered(polls: &mut JoinSet<Answer>, key: &PublicKey) -> PollAnswer {
    let answer = polls.join_next().await.expect("one is under way").expect("it ends").ends(200);
    let signed: Signed = serde_json::from_slice(&answer.body).expect("a statement");
    signed.open(key).expect("signed by the portal")
}

#[tokio::test]
async fn a_held_poll_ends_with_a_change_a_newer_one_and_the_portal() {
    const MANY: usize = 8;
    let mut server = Server::start();
    let device = server.enrolled().await;
    let key = online(&server).await;
    let request = issued(&server, &device, &[]).await;
    let state = device.poll(&server, "").await.state;
    let mut polls = JoinSet::new();
    for _ in 0..MANY {
        under_way(&server, &device, &format!("?known={state}"), &mut polls);
    }
    // The newest is held, the others give way to it.
    for _ in 1..MANY {
        assert_eq!(answered(&mut polls, &key).await.state, state);
    }
    let started = Instant::now();
    server.says(&["request", "cancel", &request.id]);
    let told = answered(&mut polls, &key).await;
    assert!(started.elapsed().as_secs() < 50, "it was held although something changed");
    assert_eq!(told.cancelled, [request.id]);
    // Somebody waits at the device: held with nothing open. The first gives way, so the second is held.
    let query = format!("?known={}&wait=1", told.state);
    under_way(&server, &device, &query, &mut polls);
    under_way(&server, &device, &query, &mut polls);
    assert_eq!(answered(&mut polls, &key).await.state, told.state);
    // What is held does not keep the portal from stopping, and is answered.
    let stopped = std::thread::spawn(move || server.stop());
    assert_eq!(answered(&mut polls, &key).await.state, told.state);
    stopped.join().expect("it stopped in time");
}
