//! The redaction door over whole lines as a NAS writes them: no secret left, no evidence lost, nothing changed twice.
//!
//! The unit tests beside the rules say what each rule does; here the lines go through every way in: as text, as a file
//! of the kernel log, inside JSON and inside a document of ours.

use assay_bundle::redact::{Door, DoorError, Level, PseudonymKey, RuleSet};

mod kernel_log;
mod lines;
mod planted;
mod properties;
mod protected;
pub(crate) mod secrets;

/// A door with a fixed key.
fn door() -> Door {
    Door::open(&key(), Level::Standard).expect("the rules hold")
}

fn key() -> PseudonymKey {
    PseudonymKey([42; 32].into())
}

/// The line as each way in leaves it.
fn every_way(door: &mut Door, line: &str) -> Vec<(&'static str, String)> {
    let record = format!("6,12,3456789,-;{line}\n");
    let kmsg = door.raw("dev/kmsg", record.as_bytes()).expect("text");
    let json = serde_json::json!({ "a": [1, { "why": line }], "n": 340_282_366_920u64 }).to_string();
    let stdout = door.raw("cmd/smartctl.auto.sda/stdout", json.as_bytes()).expect("text");
    let value: serde_json::Value = serde_json::from_slice(stdout.bytes()).expect("still JSON");
    let (_, document) = door.document("steps.json", vec![line.to_owned()]).expect("still a document");
    let kmsg = String::from_utf8(kmsg.bytes().to_vec()).expect("text");
    vec![
        ("text", door.text(line)),
        ("log", kmsg.trim_end().split_once(';').map_or(kmsg.clone(), |(_, text)| text.to_owned())),
        ("JSON", value["a"][1]["why"].as_str().expect("a string").to_owned()),
        ("document", document[0].clone()),
    ]
}

#[test]
fn what_no_class_names_stays_and_the_deny_list_wins() {
    let mut door = door();
    for path in [
        "etc/shadow",
        "etc/config/uLinux.conf",
        "sys/class/iscsi_session/session1/password",
        "mnt/HDA_ROOT/.externalkey",
        "proc/device-tree/chosen/rng-seed",
        "sys/kernel/tls/server.key",
    ] {
        assert!(door.raw(path, b"x").is_none(), "{path}");
    }
    assert!(door.raw("var/log/messages", b"x").is_none());
    assert!(door.raw("share/homes/bob.smith/x.txt", b"x").is_none());
    let damaged = door.raw("sys/block/sda/device/model", b"ST4000\xff").expect("one bad byte costs no file");
    assert_eq!(damaged.bytes(), "ST4000\u{fffd}".as_bytes());
    assert!(door.raw("dev/kmsg", b"6,1,1,-;a\0b").is_none(), "binary");
    assert!(
        door.raw("proc/device-tree/model", b"QNAP TS-228\0").is_some(),
        "NUL ends strings in a device tree"
    );
    let receipt = door.close().expect("the rules hold");
    assert_eq!(receipt.left_out.len(), 9, "{:?}", receipt.left_out);
    assert!(receipt.left_out["etc/shadow"].contains("deny list"));
    assert!(receipt.left_out["var/log/messages"].contains("allow list"));
    assert_eq!(receipt.replaced.get("no-utf8"), Some(&1));
    assert!(!receipt.left_out.keys().any(|path| path.contains("bob")), "a path is text as well");
}

#[test]
fn a_broken_rule_shuts_the_door() {
    for kind in [
        "password",
        "secret",
        "passphrase",
        "psk",
        "community",
        "token",
        "auth",
        "cookie",
        "session",
        "url-password",
        "hash",
        "private-key",
        "user",
        "share",
        "path",
        "mail",
    ] {
        match Door::open_with_rules(&key(), Level::Standard, &RuleSet::default().without(kind)) {
            Err(DoorError::CanarySurvived(survivor)) => assert!(!survivor.is_empty()),
            Err(other) => panic!("{kind}: {other}"),
            Ok(_) => panic!("{kind}: nobody noticed"),
        }
    }
    let receipt = door().close().expect("the rules hold");
    assert!(receipt.canaries >= 16, "{}", receipt.canaries);
}

#[test]
fn hosts_and_users_are_learnt() {
    let mut door = door();
    door.learn_host("Bobs-Keller.fritz.box");
    door.learn_user("carol");
    let log = door.text("Jan  1 12:00:00 bobs-keller smbd: carol opened a file on BOBS-KELLER");
    assert!(!log.to_lowercase().contains("keller") && !log.contains("carol"), "{log}");
    let file = door.raw("proc/sys/kernel/hostname", b"bobs-keller\n").expect("text");
    let name = String::from_utf8(file.bytes().to_vec()).expect("text");
    assert!(name.starts_with("host-") && log.contains(name.trim()), "{name} is not in {log}");
    // A name that a log is full of is replaced where it is the value and nowhere else.
    let facts = serde_json::json!({
        "identity": { "model": { "seen": { "value": "TS-453D", "from": "sys/class/dmi/id/product_name" } },
                      "hostname": { "seen": { "value": "TS-453D", "from": "proc/sys/kernel/hostname" } } } });
    door.learn_host("TS-453D");
    let (_, facts) = door.document("facts.json", facts.clone()).expect("a document");
    let file = door.raw("proc/sys/kernel/hostname", b"TS-453D\n").expect("text");
    assert_eq!(facts["identity"]["model"]["seen"]["value"], "TS-453D");
    assert_eq!(
        facts["identity"]["hostname"]["seen"]["value"].as_str().expect("a string").as_bytes(),
        file.bytes().trim_ascii()
    );
}

#[test]
fn a_document_keeps_its_numbers() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Document {
        media_errors: u128,
        why: String,
    }
    let document = Document { media_errors: u128::MAX, why: "mac 24:5e:be:12:34:56".to_owned() };
    let (clean, again) = door().document("facts.json", document).expect("a document");
    assert_eq!(again.media_errors, u128::MAX);
    assert!(again.why.starts_with("mac 24:5e:be:") && !again.why.contains("12:34:56"), "{}", again.why);
    assert_eq!(serde_json::from_slice::<Document>(clean.bytes()).expect("same bytes"), again);
    assert_eq!(clean.name(), "facts.json");
}

#[test]
fn the_probe_that_others_fail_is_passed() {
    let Some(probe) = crate::support::root().parent().map(|p| p.join("shared/tools/probe.txt")) else {
        return;
    };
    let Ok(text) = std::fs::read_to_string(&probe) else {
        crate::support::skip("probe.txt", "third-party lines are not beside the project");
        return;
    };
    let mut door = door();
    let clean = door.text(&text);
    println!("{clean}");
    for secret in [
        "s3cret",
        "eyJ",
        "b3Blbn",
        "Bobs-",
        "bob",
        "tax-2025",
        "qnap-office",
        "10.1.2.3",
        "12:34:56",
        "fd00:",
    ] {
        assert!(!clean.contains(secret), "{secret} is left");
    }
    for evidence in [
        "WD-WCC7K3PLANTED",
        "5 0014ee 2b9a4b3c1",
        "wwn 0x50014ee2b9a4b3c1 naa.50014ee2b9a4b3c1",
        "SAS Address 50:01:4e:e2:b9:a4:b3:c1",
        "60/08:00:08:57:0c/00:00:1d:00:00/40",
        "CPU_SrcID#0_Ha#0_Chan#1_DIMM#0",
        "mac 24:5e:be:",
    ] {
        assert!(clean.contains(evidence), "{evidence} is gone");
    }
    assert_eq!(door.text(&clean), clean);
}

/// A host's name may be anything but "absent": the words of the states are not names.
#[test]
fn the_words_of_a_reading_are_no_names() {
    use assay_bundle::{Facts, Observed};
    for hostname in [
        Observed::Absent,
        Observed::NotCollected,
        Observed::unreadable("/proc/sys/kernel/hostname: permission denied"),
    ] {
        let mut facts = Facts::default();
        facts.identity.hostname = hostname;
        facts.md_arrays = Observed::Absent;
        let (_, cleaned) = door().document("facts.json", facts.clone()).expect("facts are JSON");
        assert_eq!(cleaned, facts);
    }
}
