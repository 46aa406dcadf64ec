//! A restore stays where it belongs: below its root, through no link, and in a unit that can take it.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use assay_bundle::recovery::tape::Item;
use assay_bundle::recovery::{CopyHead, EntryKind};

use super::{Owner, seal};
use crate::cli::run::names;

#[test]
fn a_restore_stays_where_it_belongs() {
    let owner = Owner::new();
    fs::create_dir_all(owner.etc().join("sub")).unwrap();
    fs::write(owner.etc().join("sub/a"), "new").unwrap();
    fs::write(owner.etc().join("b"), "new").unwrap();
    owner.create(&[]).ends(0);
    let (dst, outside) = (owner.device.path("dst"), owner.device.path("outside"));
    fs::create_dir_all(dst.join("etc")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(dst.join("etc/mine"), "mine").unwrap();
    let dry = owner.device.text("key.txt");
    let to = owner.device.text("dst");
    let shown = owner.run(&["restore", "latest", "--to", &to, "--identity", &dry, "--dry-run"]).ends(0);
    assert!(
        shown.out.contains("+ etc/b") && shown.out.contains("etc/mine (only here; stays)"),
        "{}",
        shown.out
    );
    assert!(!dst.join("etc/b").exists(), "a dry run writes nothing");
    owner
        .run(&["restore", "latest", "--to", &to, "--identity", &dry])
        .fails_with(&["nobody is here", "--yes"]);
    symlink(&outside, dst.join("etc/sub")).unwrap();
    owner.restore("dst", &[]).fails_with(&["etc/sub", "next: "]);
    assert!(
        names(&outside).is_empty() && !dst.join("etc/b").exists(),
        "nothing is written when part is refused"
    );
    fs::remove_file(dst.join("etc/sub")).unwrap();
    owner.restore("dst", &["etc/sub"]).ends(0);
    assert!(dst.join("etc/sub/a").exists() && !dst.join("etc/b").exists(), "only what was asked for");
    assert_eq!(fs::read_to_string(dst.join("etc/mine")).unwrap(), "mine");
    owner.restore("dst", &["--portable"]).fails_with(&["is not enrolled", "assay enroll"]);
    owner.restore("dst", &["../etc"]).fails_with(&["is no path of a copy"]);

    // A copy that somebody else made for the owner's key: a link, and then a file behind it.
    let evil = owner.device.path("evil.tar.zst.age");
    let target = outside.as_os_str().as_bytes().to_vec();
    let plain = Item { mode: 0o644, ..Item::document("etc/l", 0, 0) };
    let items = [
        Item { kind: EntryKind::Link, mode: 0o777, target, ..plain.clone() },
        Item { path: b"etc/l/file".to_vec(), ..plain },
    ];
    let head = CopyHead { format: 1, profile: "linux".into(), ..CopyHead::default() };
    seal(&evil, &owner.recipient, &head, &items.map(|item| (item, &b""[..])));
    let evil = evil.to_str().unwrap();
    owner.run(&["verify", evil, "--identity", &dry]).ends(0);
    owner.run(&["restore", evil, "--to", &to, "--identity", &dry, "--yes"]).fails_with(&["is a link"]);
    assert!(names(&outside).is_empty(), "nothing is written through a link");

    // Another model, and newer firmware.
    let conf = |version: &str, model: &str| format!("[System]\nModel = {model}\nVersion = {version}\n");
    let qts = Owner::new();
    for (top, text) in [
        ("src", conf("5.2.0", "TS-X53B")),
        ("other", conf("5.2.0", "TS-X64")),
        ("older", conf("5.1.9", "TS-X53B")),
    ] {
        fs::create_dir_all(qts.device.path(top).join("etc/config")).unwrap();
        fs::write(qts.device.path(top).join("etc/config/uLinux.conf"), text).unwrap();
    }
    qts.create(&[]).ends(0);
    qts.restore("other", &[]).fails_with(&["another model", "--portable"]);
    qts.restore("older", &[]).fails_with(&["newer firmware", "update the firmware"]);
    qts.restore("src", &[]).ends(0);
}
