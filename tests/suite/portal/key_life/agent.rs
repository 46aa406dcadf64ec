//! The device's side with the real program: a new key, a revocation, and leaving.

use super::*;

#[test]
fn a_new_key_loses_nothing_wherever_it_is_cut_short() {
    let mut unit = Unit::start();
    // Sealed before enrolment, so not encrypted yet; and after it.
    unit.collect();
    unit.enrol(&[]);
    unit.collect();
    let first = unit.key();
    // The portal cannot be reached: both keys are kept, the old one counts.
    unit.server.stop();
    unit.bad(&["rotate-key"], &["does not know the new key yet", "ends the change"]);
    let status = unit.status();
    assert_eq!(
        (status["key_id"].as_str(), &status["key_change_begun"]),
        (Some(first.as_str()), &true.into())
    );
    let cut_short = unit.path("cut-short");
    put_files(&unit.identity(), &cut_short);
    unit.server.start_again(&[]);
    let told: Value = serde_json::from_str(&unit.ok(&["rotate-key", "--json"])).expect("JSON");
    let second = unit.key();
    assert_eq!(
        (told["old_key_id"].as_str(), told["key_id"].as_str()),
        (Some(first.as_str()), Some(second.as_str()))
    );
    assert_ne!(first, second);
    assert!(!unit.identity().join("device.key.next").exists());
    // As if the answer of the portal, or the step after it, had been lost: the next call ends the change.
    put_files(&cut_short, &unit.identity());
    assert_eq!(unit.key(), first);
    let sent = unit.ok(&["upload"]);
    assert_eq!(sent.matches("accepted ").count(), 2, "both bundles of before: {sent}");
    assert_eq!(unit.key(), second, "the same change, and no other");
    assert_eq!(unit.status()["key_change_begun"], false);
    // Everything was written but the last step.
    for name in ["device.key", "device.key.next"] {
        fs::copy(cut_short.join(name), unit.identity().join(name)).expect("copied");
    }
    assert_eq!(unit.key(), first);
    unit.ok(&["upload"]);
    assert_eq!(unit.key(), second);
    let text = unit.server.says(&["device", "show", &second]);
    assert!(text.contains("earlier key") && text.contains(&first) && text.contains("key changed"), "{text}");
    assert!(unit.ok(&["log"]).contains("the key changed from"));
    // And on: what comes now is under the new key.
    unit.collect();
    assert!(unit.ok(&["upload"]).contains("accepted "));
    unit.ok(&["rotate-key"]);
}

#[test]
fn a_revoked_device_keeps_what_waits_and_goes_on_when_it_may() {
    let unit = Unit::start();
    unit.enrol(&[]);
    unit.collect();
    let key = unit.key();
    unit.server.says(&["device", "revoke", &key, "--reason", "The unit was reported stolen."]);
    for _ in 0..2 {
        unit.bad(&["upload"], &["revoked this device's key", "reported stolen", "Nothing is lost"]);
        let status = unit.status();
        assert_eq!(status["revoked"]["reason"], "The unit was reported stolen.");
        assert_eq!(status["waiting"].as_u64().unwrap_or(0) + status["uploading"].as_u64().unwrap_or(0), 1);
    }
    assert!(unit.ok(&["status"]).contains("REVOKED"));
    unit.bad(&["support", "wait", "--seconds", "1"], &["has revoked this device's key"]);
    unit.server.says(&["device", "unrevoke", &key, "--reason", "It was found."]);
    assert!(unit.ok(&["upload"]).contains("accepted "));
    assert!(unit.status()["revoked"].is_null());
    // Again, and this time for good: a new code makes a new key, and what waits goes with it.
    unit.collect();
    unit.server.says(&["device", "revoke", &key, "--reason", "The key may be known to others."]);
    unit.bad(&["upload"], &["may be known to others"]);
    unit.enrol(&[]);
    let status = unit.status();
    assert_ne!(status["key_id"], key.as_str());
    assert!(status["revoked"].is_null());
    assert!(unit.ok(&["log"]).contains("the portal revoked the key"));
    let sent = unit.ok(&["upload"]);
    assert!(sent.contains("accepted "), "sealed again under the new key: {sent}");
}

#[test]
fn a_goodbye_ends_everything_that_goes_by_itself() {
    let unit = Unit::start();
    fs::create_dir_all(unit.path("state")).expect("a folder");
    fs::write(unit.path("state/assay.toml"), "[report]\nschedule = \"0 5 * * *\"\n").expect("written");
    unit.bad(&["unenroll", "--yes"], &["is not enrolled"]);
    unit.enrol(&[]);
    unit.collect();
    let key = unit.key();
    unit.bad(&["unenroll"], &["nobody is here to say yes"]);
    assert_eq!(unit.key(), key, "nothing happened");
    let told: Value = serde_json::from_str(&unit.ok(&["unenroll", "--yes", "--json"])).expect("JSON");
    assert_eq!(
        (&told["told_portal"], &told["left"]["schedule_ended"]),
        (&true.into(), &true.into()),
        "{told}"
    );
    assert_eq!(told["left"]["waiting"], 1);
    let status = unit.status();
    assert!(status["enrolment"].is_null() && status["key_id"].is_null(), "{status}");
    assert_eq!(status["waiting"], 1, "bundles are the owner's");
    let names: Vec<String> = fs::read_dir(unit.identity())
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!names.iter().any(|name| name.starts_with("device.key")), "{names:?}");
    let text = unit.server.says(&["device", "show", &key]);
    assert!(text.contains("its owner ended the enrolment"), "{text}");
    assert!(unit.ok(&["log"]).contains("the portal was told"));
    unit.bad(&["upload"], &["is not enrolled"]);
}

#[test]
fn without_the_portal_the_key_is_destroyed_all_the_same() {
    let mut unit = Unit::start();
    unit.enrol(&[]);
    unit.server.stop();
    unit.bad(&["forget", "--yes"], &["has confirmed no deletion"]);
    assert!(unit.status()["key_id"].is_string(), "nothing ends before the receipt is there");
    let told = unit.ok(&["unenroll", "--yes"]);
    assert!(told.contains("NOT told") && told.contains("destroyed"), "{told}");
    assert!(unit.status()["key_id"].is_null());
}

#[test]
fn forgotten_with_an_export_and_a_receipt() {
    let unit = Unit::start();
    unit.enrol(&[]);
    unit.collect();
    assert!(unit.ok(&["upload"]).contains("accepted "));
    let key = unit.key();
    let before = unit.path("before");
    put_files(&unit.identity(), &before);
    let export = unit.path("all.tar");
    let file = export.to_str().expect("a plain path").to_owned();
    unit.bad(&["forget", "--export", &file], &["nobody is here to say yes"]);
    assert!(export.is_file(), "the export comes before the question");
    unit.bad(&["forget", "--export", &file, "--yes"], &["is there already"]);
    let told: Value = serde_json::from_str(&unit.ok(&["forget", "--yes", "--json"])).expect("JSON");
    assert_eq!(
        (&told["receipt"]["bundles"], told["receipt"]["key_id"].as_str()),
        (&1.into(), Some(key.as_str()))
    );
    let list = Command::new("tar").arg("-tf").arg(&export).output().expect("tar runs");
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    for part in ["device.json", "bundles/", "readings/", "documents/receipt-"] {
        assert!(list.contains(part), "{part} is not in {list}");
    }
    let online = fs::read_to_string(unit.server.data("card.json")).expect("the card");
    let online: Value = serde_json::from_str(&online).expect("JSON");
    let online = PublicKey::from_openssh(online["online_key"].as_str().expect("a key")).expect("a key");
    let kept = PathBuf::from(told["receipt_file"].as_str().expect("a file"));
    let receipt: DeletionReceipt = statement(&kept, &online);
    assert_eq!(receipt.bundles, 1);
    assert!(unit.status()["key_id"].is_null());
    fails(&unit.server, &["device", "show", &key], "no device is called");
    // As if the key had not been destroyed before a power loss: asked again, the same receipt.
    put_files(&before, &unit.identity());
    let again: Value = serde_json::from_str(&unit.ok(&["forget", "--yes", "--json"])).expect("JSON");
    assert_eq!(again["receipt"], told["receipt"]);
}
