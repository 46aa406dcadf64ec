//! What becomes of a bundle: accepted, flagged or refused with a reason, exactly once, whatever happens to the worker.

use std::os::unix::fs::PermissionsExt;

use assay_bundle::Observed;
use assay_bundle::enrolment::EnrolmentAnswer;
use assay_bundle::manifest::RunSource;
use assay_bundle::receipt::ReceiptStatus;
use assay_bundle::redact::RULE_SET;

use super::bundles::{Recipe, forged, forms, sealed};
use super::server::{CEILING, Device, Server, wait_for_log};
use crate::support::wait_for;

#[tokio::test]
async fn a_bundle_is_read_again_and_answered_once() {
    let server = Server::start();
    let device = server.enrolled().await;
    let card = server.card().await;
    let bundle = sealed(&device, &Recipe { seq: 7, ..Recipe::new(&card.recipient) });
    let location = device.send(&server, &bundle).await;
    let receipt = device.receipt(&server, &location).await;
    assert_eq!(receipt.status, ReceiptStatus::Accepted, "{}", receipt.reason);
    assert!(receipt.evidence && receipt.overall.is_some());
    assert_eq!((receipt.last_seq, receipt.reason.as_str()), (7, ""));
    // Again: the same place, the same bytes, nothing doubled.
    let nothing = Device::part_call(&location, bundle.len(), b"");
    device.call(&server, nothing).await.ends(204);
    let first = device.receipt_answer(&server, &location).await.ends(200).body;
    assert_eq!(device.create(&server, &bundle).await, location);
    assert_eq!(device.offset(&server, &location).await, bundle.len().to_string());
    assert_eq!(device.receipt_answer(&server, &location).await.ends(200).body, first);
    let objects: Vec<_> = std::fs::read_dir(server.data("objects")).expect("objects").collect();
    assert_eq!(objects.len(), 1);
    let object = objects.into_iter().next().expect("one").expect("readable").path();
    assert_eq!(std::fs::read(&object).expect("readable"), bundle, "kept byte for byte");
    assert_eq!(object.file_name().expect("named").to_string_lossy(), receipt.bundle_id);
    assert_eq!(std::fs::read_dir(server.data("uploads")).expect("uploads").count(), 0);
    // A device that lost its state learns where it was.
    let code = server.code(&[]);
    let answer = device.enrol(&server, &device.request(&code, &card)).await.ends(200);
    let answer: EnrolmentAnswer = serde_json::from_slice(&answer.body).expect("an answer");
    assert_eq!(answer.last_seq, 7);
}

#[tokio::test]
async fn the_same_bytes_are_kept_once_however_they_are_announced() {
    let server = Server::start();
    let device = server.enrolled().await;
    let bundle = sealed(&device, &Recipe::new(&server.card().await.recipient));
    let first = device.send_accepted(&server, &bundle).await;
    let call = Device::create_call(bundle.len(), None);
    let location = device.call(&server, call).await.ends(201).header("location").to_owned();
    device.call(&server, Device::part_call(&location, 0, &bundle)).await.ends(204);
    assert_eq!(device.receipt(&server, &location).await, first);
    assert_eq!(std::fs::read_dir(server.data("objects")).expect("objects").count(), 1);
}

#[tokio::test]
async fn a_recording_is_no_evidence() {
    let server = Server::start();
    let device = server.enrolled().await;
    let recipient = server.card().await.recipient;
    for (seq, source) in [(1, RunSource::Recorded), (2, RunSource::Judged)] {
        // A recording is of another unit by nature.
        let recipe = Recipe { source, seq, ..Recipe::new(&recipient) };
        let recipe = recipe.with("sys/class/dmi/id/product_serial", "Q777\n");
        let receipt = device.send_accepted(&server, &sealed(&device, &recipe)).await;
        assert!(!receipt.evidence);
    }
}

#[tokio::test]
async fn what_is_not_a_good_bundle_is_refused_with_a_reason() {
    let server = Server::start();
    let (device, stranger) = (server.enrolled().await, Device::new("Q123"));
    let recipient = server.card().await.recipient;
    let recipe = || Recipe::new(&recipient);
    let good = sealed(&device, &recipe());
    let mut tampered = good.clone();
    let place = tampered.len() - 3000;
    tampered[place] ^= 1;
    let mut unsigned = good.clone();
    let place = 512 + 40;
    unsigned[place] ^= 1;
    let elsewhere = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"; // age's own documentation
    let own = device.key.public().fingerprint();
    let other = stranger.key.public().fingerprint();
    let forge = |from: &str, to: &str| forged(sealed(&device, &recipe()), &device.key, from, to);
    let table: [(&str, Vec<u8>, &str); 11] = [
        ("tampered payload", tampered, "does not match the signed manifest"),
        ("tampered manifest", unsigned, ""),
        ("truncated", good[..good.len() - 2000].to_vec(), "cut short"),
        ("no bundle at all", b"hello, this is a file".repeat(100), ""),
        ("foreign key", sealed(&stranger, &recipe()), "signed by key"),
        ("newer version", forge("\"format\": 1", "\"format\": 2"), "newer than this program reads"),
        (
            "not redacted",
            forge(&format!("\"rule_set\": {RULE_SET}"), "\"rule_set\": 0"),
            "no redaction rule set",
        ),
        ("another key id", forge(&own, &other), "key"),
        (
            "another recipient",
            sealed(&device, &Recipe { recipient: elsewhere.into(), ..recipe() }),
            "another recipient",
        ),
        (
            "another unit",
            sealed(&device, &recipe().with("sys/class/dmi/id/product_serial", "Q777\n")),
            "is enrolled for Q123",
        ),
        ("plain", forms(&device, &recipe()).0, "not encrypted"),
    ];
    for (what, bytes, reason) in table {
        let location = device.send(&server, &bytes).await;
        let receipt = device.receipt(&server, &location).await;
        assert_eq!(receipt.status, ReceiptStatus::Refused, "{what}");
        assert!(receipt.reason.contains(reason) && receipt.reason.len() > 10, "{what}: {}", receipt.reason);
        assert_eq!((receipt.evidence, receipt.overall, receipt.last_seq), (false, None, 0), "{what}");
        let kept = server.data("quarantine").join(&receipt.bundle_id);
        wait_for("the bytes to be in quarantine", CEILING, || kept.exists().then_some(()));
        assert_eq!(std::fs::read(kept).expect("kept"), bytes, "{what}");
    }
    device.send_accepted(&server, &good).await;
}

#[tokio::test]
async fn a_lie_about_the_facts_is_flagged() {
    let server = Server::start();
    let device = server.enrolled().await;
    let recipe = Recipe {
        lie: |facts| {
            if let Observed::Seen { value, .. } = &mut facts.fans {
                for fan in value {
                    fan.speed_rpm =
                        Observed::seen(assay_bundle::units::Rpm(1200), "sys/class/hwmon/hwmon0/fan1_input");
                }
            }
        },
        ..Recipe::new(&server.card().await.recipient)
    };
    let receipt = device.send_accepted(&server, &sealed(&device, &recipe)).await;
    let opened = server.store().await;
    let store = opened.own();
    let row = store.bundle(&receipt.bundle_id).await.expect("the database").expect("there");
    assert!(row.flags.contains("Facts ≠ raw"), "{}", row.flags);
    let reading = store.reading(&receipt.bundle_id).await.expect("the database").expect("there");
    assert!(reading.contains("speed_rpm") && reading.contains("1200"), "the difference is kept");
}

#[tokio::test]
async fn a_number_that_does_not_rise_is_flagged() {
    let server = Server::start();
    let device = server.enrolled().await;
    let recipient = server.card().await.recipient;
    for (seq, flagged, last) in [(5, false, 5), (5, true, 5), (3, true, 5), (6, false, 6)] {
        let receipt =
            device.send_accepted(&server, &sealed(&device, &Recipe { seq, ..Recipe::new(&recipient) })).await;
        assert_eq!(receipt.last_seq, last);
        let row = server
            .store()
            .await
            .own()
            .bundle(&receipt.bundle_id)
            .await
            .expect("the database")
            .expect("there");
        assert_eq!(row.flags.contains("is not above the last accepted one"), flagged, "{seq}: {}", row.flags);
    }
}

/// A program to be run in the worker's place.
fn script(server: &Server, text: &str) -> String {
    let path = server.data("worker.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("writable");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("ours");
    path.to_str().expect("a plain path").to_owned()
}

#[tokio::test]
async fn a_worker_that_crashes_or_hangs_costs_one_bundle() {
    let mut server = Server::start();
    let device = server.enrolled().await;
    let recipient = server.card().await.recipient;
    let deadline = ["--worker-deadline-s", "1"];
    for (seq, text, options, reason) in [
        (1, "kill -SEGV $$", &[][..], "could not be read"),
        (2, "trap '' TERM; sleep 600 & wait", &deadline[..], "took longer than 1 seconds"),
        (3, "echo '{\"nonsense\":1}'", &[][..], "gave no answer"),
    ] {
        server.stop();
        let script = script(&server, text);
        server.start_again(&[&["--ingest-worker", script.as_str()], options].concat());
        let location =
            device.send(&server, &sealed(&device, &Recipe { seq, ..Recipe::new(&recipient) })).await;
        let receipt = device.receipt(&server, &location).await;
        assert_eq!(receipt.status, ReceiptStatus::Refused, "{text}");
        assert!(receipt.reason.contains(reason), "{text}: {}", receipt.reason);
        let kept = server.data("quarantine").join(&receipt.bundle_id);
        wait_for("the bytes to be in quarantine", CEILING, || kept.exists().then_some(()));
    }
    server.stop();
    server.start_again(&[]);
    let recipe = Recipe { seq: 4, ..Recipe::new(&recipient) };
    device.send_accepted(&server, &sealed(&device, &recipe)).await;
}

#[tokio::test]
async fn a_stop_in_the_middle_loses_and_doubles_nothing() {
    let mut server = Server::start();
    let device = server.enrolled().await;
    let bundle = sealed(&device, &Recipe::new(&server.card().await.recipient));
    server.stop();
    let started = server.data("started");
    let script = script(&server, &format!("touch {}; sleep 600 & wait", started.display()));
    server.start_again(&["--ingest-worker", &script]);
    let location = device.send(&server, &bundle).await;
    wait_for("the worker to have the bundle", CEILING, || started.exists().then_some(()));
    device.receipt_answer(&server, &location).await.ends(202);
    server.stop();
    server.start_again(&[]);
    let receipt = device.receipt(&server, &location).await;
    assert_eq!(receipt.status, ReceiptStatus::Accepted, "{}", receipt.reason);
    assert_eq!(server.store().await.own().newest_bundles(10, 0).await.expect("the database").len(), 1);
}

#[tokio::test]
async fn trouble_of_our_own_refuses_nothing() {
    let mut server = Server::start();
    let device = server.enrolled().await;
    let bundle = sealed(&device, &Recipe::new(&server.card().await.recipient));
    let mode = |mode| {
        let path = server.data("identity.age");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
    };
    mode(0o644);
    let location = device.send(&server, &bundle).await;
    wait_for_log(&server, "may be read by others");
    device.receipt_answer(&server, &location).await.ends(202);
    mode(0o600);
    server.stop();
    server.start_again(&[]);
    assert_eq!(device.receipt(&server, &location).await.status, ReceiptStatus::Accepted);
}
