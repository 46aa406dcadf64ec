//! The portable part of another unit's copy: only into its replacement in an open case, by the portal's signed word.

use std::fs;

use assay_bundle::recovery::tape::Item;
use assay_bundle::recovery::{CopyHead, EntryKind};
use assay_bundle::replacement::Replacement;
use assay_bundle::statement::Signed;
use serde_json::Value;

use super::{Owner, seal};
use crate::cli::run::Ran;
use crate::portal::server::{Call, Device, Server, field};

/// A unit that comes, enrolled, with a copy of the unit that goes.
struct Successor {
    owner: Owner,
    copy: String,
}

impl Successor {
    async fn enrolled(server: &Server) -> Self {
        let owner = Owner::new();
        let told = server.says(&["enroll-code"]);
        let (code, fingerprint) = (field(&told, "code"), field(&told, "fingerprint"));
        let ca = server.data("ca.pem").to_str().unwrap().to_owned();
        owner
            .device
            .run(&[
                "enroll",
                "--portal",
                &server.url,
                "--code",
                &code,
                "--fingerprint",
                &fingerprint,
                "--ca-file",
                &ca,
            ])
            .ends(0);
        let copy = owner.device.text("old.tar.zst.age");
        let file = |path: &str, content: &'static [u8]| {
            (Item { mode: 0o644, ..Item::document(path, content.len() as u64, 0) }, content)
        };
        let entries = [
            (Item { kind: EntryKind::Folder, mode: 0o755, ..Item::document("etc/config", 0, 0) }, &b""[..]),
            file("etc/config/raid.conf", b"[old]\n"),
            file("etc/config/shadow", b"admin:old\n"),
            file("etc/config/smb.conf", b"[Public]\n"),
        ];
        let head = CopyHead {
            format: 1,
            profile: "qts".into(),
            model: Some("TS-453D".into()),
            firmware: Some("5.2.0".into()),
            serial: Some("Q123".into()),
            packages: [("Plex".to_owned(), "1.40".to_owned())].into(),
            ..CopyHead::default()
        };
        seal(copy.as_ref(), &owner.recipient, &head, &entries);
        let config = owner.device.path("dst/etc/config");
        fs::create_dir_all(&config).unwrap();
        fs::write(config.join("uLinux.conf"), "[System]\nModel = TS-464\nVersion = 5.1.0\n").unwrap();
        Self { owner, copy }
    }

    /// The portal's name for it.
    fn name(&self) -> String {
        let enrolment = fs::read(self.owner.device.state().join("identity/enrolment.json")).unwrap();
        let enrolment: Value = serde_json::from_slice(&enrolment).unwrap();
        enrolment["device_id"].as_str().unwrap().to_owned()
    }

    fn restore(&self, more: &[&str]) -> Ran {
        let (to, key) = (self.owner.device.text("dst"), self.owner.device.text("key.txt"));
        let line = ["restore", &self.copy, "--to", &to, "--identity", &key, "--yes"];
        self.owner.run(&[&line, more].concat())
    }

    fn has(&self, path: &str) -> bool {
        self.owner.device.path("dst/etc/config").join(path).exists()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portable_part_goes_into_the_replacement_of_an_open_case() {
    let server = Server::start();
    server.enrolled().await;
    let unit = Successor::enrolled(&server).await;
    let name = unit.name();
    unit.restore(&[]).fails_with(&["another model", "--portable"]);
    unit.restore(&["--portable"]).fails_with(&["no open case names this unit", "next: "]);
    // Without a case the drives may move, and the copy stays closed.
    server.says(&["device", "replacement-of", "Q123", &name]);
    unit.restore(&["--portable"]).fails_with(&["no open case names this unit"]);
    assert!(!unit.has("smb.conf"));
    server.says(&["device", "replacement-of", "Q123", &name, "--case", "C-17"]);
    let ran = unit.restore(&["--portable"]).ends(0);
    assert!(
        ran.err.contains("case C-17: this unit replaces Q123") && ran.err.contains("Plex 1.40"),
        "{}",
        ran.err
    );
    assert!(unit.has("smb.conf"), "{}", ran.err);
    assert!(!unit.has("raid.conf") && !unit.has("shadow"), "only what another unit can take");
    // Another unit's copy is not meant, whatever the case says.
    let other = server.enrolled_as("Q777").await;
    server.says(&["device", "replacement-of", &other.serial, &name, "--case", "C-18"]);
    unit.restore(&["--portable"]).fails_with(&["not of the unit Q777"]);
    server.says(&["device", "replacement-done", "Q777"]);
    unit.restore(&["--portable"]).fails_with(&["no open case names this unit"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_taken_as_a_file_and_only_by_whom_it_is_for() {
    let mut server = Server::start();
    server.enrolled().await;
    let (unit, other) = (Successor::enrolled(&server).await, Successor::enrolled(&server).await);
    let refused = server.command(&["device", "replacement-statement", &unit.name()]).output().unwrap();
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    server.says(&["device", "replacement-of", "Q123", &unit.name(), "--case", "C-17"]);
    let text = server.says(&["device", "replacement-statement", &unit.name()]);
    // Nobody is reached from here on.
    server.stop();
    let file = unit.owner.device.text("statement.json");
    fs::write(&file, &text).unwrap();
    unit.restore(&["--portable"]).fails_with(&["cannot be asked", "--statement FILE"]);
    other.restore(&["--portable", "--statement", &file]).fails_with(&["for another unit"]);
    let mut forged: Signed = serde_json::from_str(&text).unwrap();
    forged.document = forged.document.replace("Q123", "Q777");
    fs::write(&file, serde_json::to_vec(&forged).unwrap()).unwrap();
    unit.restore(&["--portable", "--statement", &file]).fails_with(&["is refused"]);
    fs::write(&file, "nonsense").unwrap();
    unit.restore(&["--portable", "--statement", &file]).fails_with(&["is no statement of replacement"]);
    assert!(!unit.has("smb.conf"));
    fs::write(&file, &text).unwrap();
    unit.restore(&["--portable", "--statement", &file]).ends(0);
    assert!(unit.has("smb.conf") && !unit.has("shadow"));
}

#[tokio::test]
async fn the_portal_states_it_to_the_unit_that_comes_and_to_nobody_else() {
    let server = Server::start();
    let old = server.enrolled().await;
    let new = server.enrolled_as("Q124").await;
    let call = || Call { path: "/api/v1/replacement".into(), ..Call::default() };
    new.call(&server, call()).await.refused(404, "no-replacement");
    let wrong =
        server.command(&["device", "replacement-of", "Q123", "Q124", "--case", " "]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(3), "{wrong:?}");
    server.says(&["device", "replacement-of", "Q123", "Q124", "--case", "C-17"]);
    old.call(&server, call()).await.refused(404, "no-replacement");
    Device::new("Q124").call(&server, call()).await.refused(401, "unknown-key");
    let answer = new.call(&server, call()).await.ends(200);
    let signed: Signed = serde_json::from_str(&answer.text()).unwrap();
    let online = assay_bundle::keys::PublicKey::from_openssh(&server.card().await.online_key).unwrap();
    let said: Replacement = signed.open(&online).unwrap();
    assert_eq!((said.case_id.as_str(), said.old_serial.as_str()), ("C-17", "Q123"));
    assert_eq!((said.new_serial.as_deref(), said.key_id), (Some("Q124"), new.key.public().fingerprint()));
    server.says(&["device", "key-move", &old.key.public().fingerprint(), &new.key.public().fingerprint()]);
    new.call(&server, call()).await.ends(200);
    server.says(&["device", "replacement-done", "Q123"]);
    new.call(&server, call()).await.refused(404, "no-replacement");
}
