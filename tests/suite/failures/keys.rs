//! Keys and cards that are damaged, open to others, gone, or of somebody else.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{Bench, Row, nothing, sealed, table};
use crate::cli::portal::Portal;

const COLLECT: &[&str] = &["collect", "--source", "{source}", "-o", "{made.assay}"];
const SEAL: &[&str] =
    &["collect", "--source", "{source}", "-o", "{made.assay}", "--sealed-output", "{made-sealed.assay}"];
const UPLOAD: &[&str] = &["upload", "{sealed.assay}"];

fn write(bench: &Bench, name: &str, text: &str) {
    let path = bench.identity(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = fs::remove_file(&path);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
}

fn remove(bench: &Bench, name: &str) {
    let path = bench.identity(name);
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

fn no_pseudonyms(bench: &Bench) {
    remove(bench, "pseudonym.key");
}

fn no_key(bench: &Bench) {
    remove(bench, "device.key");
}

#[test]
fn keys_of_the_device() {
    const DAMAGED: &[&str] = &["pseudonym.key is damaged", "remove it: a new one is made"];
    const OTHERS: &[&str] = &["can be read by others (mode 644)", "chmod 600"];
    let row = |name, inject, command, says, mend| Row {
        name,
        inject,
        command,
        code: 3,
        says,
        mend,
        again: command,
    };
    let rows: &[Row] = &[
        row(
            "pseudonym key of other letters",
            |b| write(b, "pseudonym.key", &"zz".repeat(32)),
            COLLECT,
            DAMAGED,
            no_pseudonyms,
        ),
        row(
            "pseudonym key cut short",
            |b| write(b, "pseudonym.key", "0011"),
            COLLECT,
            DAMAGED,
            no_pseudonyms,
        ),
        row("pseudonym key empty", |b| write(b, "pseudonym.key", ""), COLLECT, DAMAGED, no_pseudonyms),
        row(
            "pseudonym key not text",
            |b| write(b, "pseudonym.key", "\0\0\0\0"),
            COLLECT,
            DAMAGED,
            no_pseudonyms,
        ),
        row(
            "pseudonym key open to others",
            |b| {
                write(b, "pseudonym.key", &"07".repeat(32));
                fs::set_permissions(b.identity("pseudonym.key"), Permissions::from_mode(0o644)).unwrap();
            },
            COLLECT,
            OTHERS,
            |b| fs::set_permissions(b.identity("pseudonym.key"), Permissions::from_mode(0o600)).unwrap(),
        ),
        row(
            "pseudonym key is a folder",
            |b| fs::create_dir_all(b.identity("pseudonym.key")).unwrap(),
            COLLECT,
            &["cannot read", "pseudonym.key", "next: "],
            no_pseudonyms,
        ),
        row(
            "pseudonym key is a link that goes round",
            |b| {
                fs::create_dir_all(b.identity("")).unwrap();
                symlink("pseudonym.key", b.identity("pseudonym.key")).unwrap();
            },
            COLLECT,
            &["cannot read", "pseudonym.key", "next: "],
            no_pseudonyms,
        ),
        row(
            "redaction of a text with a damaged key",
            |b| write(b, "pseudonym.key", "zz"),
            &["redact", "{source/dev/kmsg}"],
            DAMAGED,
            no_pseudonyms,
        ),
        row(
            "device key damaged",
            |b| write(b, "device.key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"),
            COLLECT,
            &["device.key is damaged", "enrol again"],
            no_key,
        ),
        row(
            "device key open to others",
            |b| {
                b.run(COLLECT).ends(0);
                fs::set_permissions(b.identity("device.key"), Permissions::from_mode(0o644)).unwrap();
            },
            COLLECT,
            OTHERS,
            |b| fs::set_permissions(b.identity("device.key"), Permissions::from_mode(0o600)).unwrap(),
        ),
        row(
            "identity folder is a file",
            |b| {
                fs::create_dir_all(b.device.state()).unwrap();
                fs::write(b.device.state().join("identity"), "x").unwrap();
            },
            COLLECT,
            &["identity", "next: "],
            |b| fs::remove_file(b.device.state().join("identity")).unwrap(),
        ),
    ];
    table(rows, Bench::new);
}

/// A private key in a file that is no text, which the door refuses: it stays on the device, and the bundle says so.
#[test]
fn what_the_door_refuses_stays_and_is_named() {
    let bench = Bench::new();
    let mut binary = fs::read(bench.path("source/dev/kmsg")).unwrap();
    binary.extend_from_slice(b"-----BEGIN RSA PRIVATE KEY-----\n\0\0");
    fs::write(bench.path("source/dev/kmsg"), binary).unwrap();
    bench.run(COLLECT).ends(0);
    assert_eq!(bench.faults_on_disk(), Vec::<String>::new());
    let receipt = bench.run(&["show", "{made.assay}", "--raw", "redaction.json"]).ends(0).json();
    let why = receipt["left_out"]["dev/kmsg"].as_str().unwrap_or_default();
    assert!(why.contains("binary"), "{receipt}");
}

/// Changes the enrolment by hand, as a damaged disk or a wrong edit would.
fn card(bench: &Bench, change: fn(&mut serde_json::Value)) {
    let path = bench.identity("enrolment.json");
    fs::copy(&path, bench.path("enrolment.good")).unwrap();
    let mut enrolment = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut enrolment);
    fs::write(path, enrolment.to_string()).unwrap();
}

fn raw(bench: &Bench, text: &str) {
    let path = bench.identity("enrolment.json");
    fs::copy(&path, bench.path("enrolment.good")).unwrap();
    fs::write(path, text).unwrap();
}

fn card_back(bench: &Bench) {
    fs::copy(bench.path("enrolment.good"), bench.identity("enrolment.json")).unwrap();
}

#[test]
fn cards_and_recipients_of_the_portal() {
    let portal = Portal::start();
    let row = |name, inject, command, says| Row {
        name,
        inject,
        command,
        code: 3,
        says,
        mend: card_back,
        again: command,
    };
    const RECIPIENT: &[&str] = &["recipient", "next: "];
    const DAMAGED: &[&str] = &["enrolment.json is damaged", "enrol again"];
    let rows: &[Row] = &[
        row("recipient empty", |b| card(b, |e| e["card"]["recipient"] = "".into()), SEAL, RECIPIENT),
        row(
            "recipient no key",
            |b| card(b, |e| e["card"]["recipient"] = "age1nobody".into()),
            SEAL,
            RECIPIENT,
        ),
        row(
            "recipient of another kind",
            |b| card(b, |e| e["card"]["recipient"] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA".into()),
            SEAL,
            RECIPIENT,
        ),
        row("enrolment empty", |b| raw(b, ""), SEAL, DAMAGED),
        row("enrolment cut short", |b| raw(b, "{\"device_id\":\"x\",\"card\":{"), UPLOAD, DAMAGED),
        row("enrolment of another shape", |b| raw(b, "[]"), UPLOAD, DAMAGED),
        row(
            "root key of the card unreadable",
            |b| card(b, |e| e["card"]["root_key"] = "ssh-ed25519 AAAA".into()),
            UPLOAD,
            &["unreadable root key"],
        ),
        row(
            "online key of the card not signed by its root",
            |b| card(b, |e| e["card"]["online_key_signature"] = "".into()),
            UPLOAD,
            &["not signed by its root key"],
        ),
        row(
            "pin of the card is none",
            |b| card(b, |e| e["card"]["tls_key_pin"] = "sha256/short".into()),
            UPLOAD,
            &["key pin", "assay enroll"],
        ),
    ];
    table(rows, || sealed(&portal));
}

/// The identity goes between sealing and sending: nothing is sent, nothing is removed, and the way back is told.
#[test]
fn an_identity_that_went() {
    let portal = Portal::start();
    let rows: &[Row] = &[
        Row {
            name: "the whole identity",
            inject: |b| fs::rename(b.identity(""), b.path("away")).unwrap(),
            command: UPLOAD,
            code: 3,
            says: &["not enrolled", "the spool keeps what waits"],
            mend: |b| {
                let _ = fs::remove_dir_all(b.identity(""));
                fs::rename(b.path("away"), b.identity("")).unwrap();
            },
            again: UPLOAD,
        },
        Row {
            name: "the device's key alone",
            inject: |b| fs::rename(b.identity("device.key"), b.path("away")).unwrap(),
            command: UPLOAD,
            code: 3,
            says: &["not enrolled", "the spool keeps what waits"],
            mend: |b| fs::rename(b.path("away"), b.identity("device.key")).unwrap(),
            again: UPLOAD,
        },
        Row {
            name: "another key in its place",
            inject: |b| {
                fs::rename(b.identity("device.key"), b.path("away")).unwrap();
                b.run(COLLECT).ends(0);
            },
            command: UPLOAD,
            code: 3,
            says: &["another key", "next: "],
            mend: |b| fs::rename(b.path("away"), b.identity("device.key")).unwrap(),
            again: UPLOAD,
        },
        Row {
            name: "a bundle with one changed byte",
            inject: |b| {
                let mut bytes = fs::read(b.path("sealed.assay")).unwrap();
                fs::write(b.path("good"), &bytes).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(b.path("sealed.assay"), bytes).unwrap();
            },
            command: UPLOAD,
            code: 3,
            says: &["sealed.assay", "next: "],
            mend: |b| {
                fs::copy(b.path("good"), b.path("sealed.assay")).unwrap();
            },
            again: UPLOAD,
        },
        Row {
            name: "a bundle cut short",
            inject: |b| {
                let bytes = fs::read(b.path("sealed.assay")).unwrap();
                fs::write(b.path("good"), &bytes).unwrap();
                fs::write(b.path("sealed.assay"), &bytes[..bytes.len() / 2]).unwrap();
            },
            command: UPLOAD,
            code: 3,
            says: &["sealed.assay", "next: "],
            mend: |b| {
                fs::copy(b.path("good"), b.path("sealed.assay")).unwrap();
            },
            again: UPLOAD,
        },
        Row {
            name: "a recovery copy for nobody",
            inject: nothing,
            command: &["backup", "create", "--root", "{source}", "--recipient", "age1nobody"],
            code: 3,
            says: &["age1nobody", "next: "],
            mend: nothing,
            again: UPLOAD,
        },
    ];
    table(rows, || sealed(&portal));
}
