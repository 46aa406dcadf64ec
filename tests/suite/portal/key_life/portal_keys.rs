//! The portal's own keys: replaced under the root key, taken by devices, never taken back.

use super::*;

/// The files of a portal's identity.
fn save(server: &Server, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for name in ["keys.json", "identity.age"] {
        fs::copy(server.data(name), to.join(name)).expect("copied");
    }
}

fn bring_back(server: &Server, from: &Path) {
    for name in ["keys.json", "identity.age"] {
        fs::copy(from.join(name), server.data(name)).expect("copied");
    }
}

#[test]
fn new_keys_come_from_the_root_and_upwards_only() {
    let mut unit = Unit::start();
    unit.enrol(&[]);
    unit.collect();
    fails(&unit.server, &["key", "rotate", "--online"], "while the portal does not serve");
    let first = unit.server.says(&["key", "show"]);
    assert_eq!(field(&first, "number"), "1");
    let old = unit.path("old-keys");
    save(&unit.server, &old);
    unit.server.stop();
    fails(&unit.server, &["key", "rotate"], "say what is replaced");
    let second = unit.server.says(&["key", "rotate", "--online", "--recipient"]);
    assert_eq!(field(&second, "number"), "2");
    assert_eq!(field(&second, "former"), field(&first, "recipient"));
    assert_eq!(field(&second, "root key"), field(&first, "root key"));
    unit.server.start_again(&[]);
    // What was sealed for the old recipient is sealed again for the new one.
    let sent = unit.ok(&["upload"]);
    assert!(sent.contains("accepted "), "{sent}");
    let card = unit.status()["enrolment"]["card"].clone();
    assert_eq!(card["recipient"], field(&second, "recipient").as_str());
    assert_eq!(card["online_key"], field(&second, "online key").as_str());
    assert!(unit.ok(&["log"]).contains("number 2, signed by its root key"));
    // The online key alone: a poll cannot be read under the old one, and takes the new one.
    unit.server.stop();
    unit.server.says(&["key", "rotate", "--online"]);
    unit.server.start_again(&[]);
    unit.bad(&["support", "wait", "--seconds", "1"], &["has new keys"]);
    assert_eq!(unit.assay(&["support", "wait", "--seconds", "1"]).status.code(), Some(2), "nobody asks");
    // A backup of before comes back: its keys are older, and nothing is said to it.
    unit.collect();
    unit.server.stop();
    bring_back(&unit.server, &old);
    unit.server.start_again(&[]);
    unit.bad(&["upload"], &["older ones are not taken", "nothing was sent"]);
    let status = unit.status();
    assert_eq!(status["enrolment"]["card"]["recipient"], field(&second, "recipient").as_str());
    assert_eq!(status["waiting"], 1);
}

#[tokio::test]
async fn what_was_sealed_for_the_old_recipient_is_still_opened() {
    let mut server = Server::start();
    let device = server.enrolled().await;
    let before = sealed(&device, &Recipe { seq: 5, ..Recipe::new(&server.card().await.recipient) });
    server.stop();
    server.says(&["key", "rotate", "--recipient"]);
    server.start_again(&[]);
    let card = server.card().await;
    assert_eq!(device.send_accepted(&server, &before).await.last_seq, 5);
    let after = sealed(&device, &Recipe { seq: 6, ..Recipe::new(&card.recipient) });
    assert_eq!(device.send_accepted(&server, &after).await.last_seq, 6);
}
