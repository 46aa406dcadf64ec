//! Volumes that are full at any point, read-only, or not what they should be.

use std::fs;
use std::process::Command;

use super::{Bench, Row, sealed, system, table};
use crate::cli::portal::Portal;
use crate::cli::run::finish;
use crate::support::skip;

const UPLOAD: &[&str] = &["upload", "{sealed.assay}"];

/// Whether this machine lets us mount.
fn may_mount(test: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "assay-test"]).arg(folder.path());
    if finish(mount).code != 0 {
        skip(test, "this machine lets us mount nothing");
        return false;
    }
    system("umount", &[folder.path().to_str().unwrap()]);
    true
}

/// A volume of 512 KiB at `name`, with so many KiB left.
fn volume(bench: &Bench, name: &str, left_kib: usize) {
    const SIZE_KIB: usize = 512;
    let folder = bench.path(name);
    fs::create_dir_all(&folder).unwrap();
    system(
        "mount",
        &["-t", "tmpfs", "-o", &format!("size={SIZE_KIB}k"), "assay-test", folder.to_str().unwrap()],
    );
    fs::write(folder.join(".filler"), vec![b'x'; (SIZE_KIB - left_kib) << 10]).unwrap();
}

/// A volume that nobody can write to at `name`.
fn read_only_at(bench: &Bench, name: &str) {
    let folder = bench.path(name);
    fs::create_dir_all(&folder).unwrap();
    system("mount", &["-t", "tmpfs", "-o", "ro,size=64k", "assay-test", folder.to_str().unwrap()]);
}

/// Room again.
fn freed(bench: &Bench, name: &str) {
    fs::remove_file(bench.path(name).join(".filler")).unwrap();
}

fn gone(bench: &Bench, name: &str) {
    system("umount", &["-l", bench.path(name).to_str().unwrap()]);
}

const OUTPUT: &[&str] = &["collect", "--source", "{source}", "-o", "{volume/made.assay}"];
const BOTH: &[&str] =
    &["collect", "--source", "{source}", "-o", "{plain-2.assay}", "--sealed-output", "{volume/made.assay}"];
const SPOOL: &str = "state/spool";
const NO_ROOM: &[&str] = &["space", "next: "];

#[test]
fn volumes_that_are_full() {
    if !may_mount("failures::disk::volumes_that_are_full") {
        return;
    }
    let portal = Portal::start();
    let row = |name, inject, command, mend| Row {
        name,
        inject,
        command,
        code: 3,
        says: NO_ROOM,
        mend,
        again: command,
    };
    let output = |name, inject| row(name, inject, OUTPUT, |b: &Bench| freed(b, "volume"));
    let spool = |name, inject| row(name, inject, UPLOAD, |b: &Bench| freed(b, SPOOL));
    let rows: &[Row] = &[
        output("a bundle's volume with nothing left", |b| volume(b, "volume", 0)),
        output("a bundle's volume with 4 KiB left", |b| volume(b, "volume", 4)),
        output("a bundle's volume with 8 KiB left", |b| volume(b, "volume", 8)),
        row(
            "the encrypted form's volume with 4 KiB left",
            |b| volume(b, "volume", 4),
            BOTH,
            |b| freed(b, "volume"),
        ),
        spool("a spool with nothing left", |b| volume(b, SPOOL, 0)),
        spool("a spool with 4 KiB left", |b| volume(b, SPOOL, 4)),
        spool("a spool with 12 KiB left", |b| volume(b, SPOOL, 12)),
    ];
    table(rows, || sealed(&portal));
}

/// What is remembered for the next runs is worth less than the bundle: without room for it the bundle is made.
#[test]
fn a_memory_without_room_costs_no_bundle() {
    if !may_mount("failures::disk::a_memory_without_room_costs_no_bundle") {
        return;
    }
    for left_kib in [0, 4] {
        let bench = Bench::new();
        volume(&bench, "state/memory", left_kib);
        let ran = bench.run(&["collect", "-o", "{live.assay}"]).ends(0);
        assert!(ran.out.contains("signed as evidence"), "{}", ran.out);
        bench.run(&["verify", "{live.assay}"]).ends(0);
        let faults = bench.faults_on_disk();
        assert_eq!(faults, Vec::<String>::new(), "{left_kib} KiB left");
    }
}

#[test]
fn volumes_that_are_read_only_or_something_else() {
    if !may_mount("failures::disk::volumes_that_are_read_only_or_something_else") {
        return;
    }
    let portal = Portal::start();
    let rows: &[Row] = &[
        Row {
            name: "read-only spool",
            inject: |b| read_only_at(b, SPOOL),
            command: UPLOAD,
            code: 3,
            says: &["spool", "writable"],
            mend: |b| gone(b, SPOOL),
            again: UPLOAD,
        },
        Row {
            name: "read-only volume for the bundle",
            inject: |b| read_only_at(b, "volume"),
            command: OUTPUT,
            code: 3,
            says: &["made.assay", "ead-only", "next: "],
            mend: |b| gone(b, "volume"),
            again: OUTPUT,
        },
        Row {
            name: "read-only identity before the first bundle",
            inject: |b| {
                fs::rename(b.identity(""), b.path("away")).unwrap();
                read_only_at(b, "state/identity");
            },
            command: &["collect", "--source", "{source}", "-o", "{made.assay}"],
            code: 3,
            says: &["identity", "next: "],
            mend: |b| gone(b, "state/identity"),
            again: &["collect", "--source", "{source}", "-o", "{made.assay}"],
        },
        Row {
            name: "a file in the spool's place",
            inject: |b| {
                let _ = fs::remove_dir_all(b.path(SPOOL));
                fs::write(b.path(SPOOL), "x").unwrap();
            },
            command: UPLOAD,
            code: 3,
            says: &["spool", "cannot be used", "next: "],
            mend: |b| fs::remove_file(b.path(SPOOL)).unwrap(),
            again: UPLOAD,
        },
        Row {
            name: "a link to nowhere in the spool's place",
            inject: |b| {
                let _ = fs::remove_dir_all(b.path(SPOOL));
                std::os::unix::fs::symlink("/nonexistent/spool", b.path(SPOOL)).unwrap();
            },
            command: UPLOAD,
            code: 3,
            says: &["spool", "cannot be used", "next: "],
            mend: |b| fs::remove_file(b.path(SPOOL)).unwrap(),
            again: UPLOAD,
        },
    ];
    table(rows, || sealed(&portal));
}
