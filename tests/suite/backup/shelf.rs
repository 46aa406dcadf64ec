//! Copies are listed, shown, carried away, pruned and given to another key.

use std::fs;
use std::process::Stdio;

use super::Owner;
use crate::cli::run::{CEILING, names};
use crate::support::Guarded;

#[test]
fn copies_are_shown_carried_pruned_and_rekeyed() {
    let owner = Owner::new();
    fs::write(owner.etc().join("hosts"), "127.0.0.1 localhost\n").unwrap();
    owner
        .device
        .run(&["backup", "create", "--root", &owner.device.text("src")])
        .fails_with(&["recovery key", "next: "]);
    owner.run(&["show"]).fails_with(&["there is no recovery copy", "backup list"]);
    assert!(owner.run(&["list"]).ends(0).out.contains("assay backup create"));
    for _ in 0..3 {
        owner.create(&[]).ends(0);
    }
    assert_eq!(owner.run(&["list", "--json"]).ends(0).json().as_array().unwrap().len(), 3);
    let (key, usb) = (owner.device.text("key.txt"), owner.device.path("usb"));
    let shown = owner.run(&["show", "2", "--identity", &key]).ends(0).out;
    assert!(shown.contains("etc/hosts") && shown.contains("2 entries"), "{shown}");
    fs::create_dir(&usb).unwrap();
    owner.run(&["export", "latest", usb.to_str().unwrap()]).ends(0);
    owner.run(&["export", "latest", usb.to_str().unwrap()]).fails_with(&["is there already"]);
    let exported = usb.join(names(&usb).into_iter().find(|name| name.ends_with(".age")).unwrap());
    owner.run(&["verify", exported.to_str().unwrap(), "--identity", &key]).ends(0);
    owner.run(&["prune", "--keep", "1"]).ends(0);
    let copy = owner.latest();
    assert_eq!(owner.run(&["list", "--json"]).ends(0).json().as_array().unwrap().len(), 1);

    let other = Owner::new();
    let other_key = other.device.text("key.txt");
    owner
        .run(&["verify", "latest", "--identity", &other_key])
        .fails_with(&["cannot be opened with this key"]);
    owner
        .run(&["rekey", "latest", "--identity", &other_key, "--recipient", &other.recipient])
        .fails_with(&["this key"]);
    owner.run(&["rekey", "latest", "--identity", &key, "--recipient", &other.recipient]).ends(0);
    owner.run(&["verify", "latest", "--identity", &other_key]).ends(0);
    owner.run(&["verify", "latest", "--identity", &key]).fails_with(&["cannot be opened with this key"]);

    let mut bytes = fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&copy, &bytes).unwrap();
    owner.run(&["verify"]).fails_with(&["changed or damaged", "next: "]);
    owner.restore("usb", &[]).fails_with(&["next: "]);
    // To a pipe, as the page downloads it.
    let root = owner.device.text("src");
    let piped = owner.device.path("piped.age");
    let mut command = owner.device.command(&owner.creating(&root, &["-o", "-"]));
    command.stdout(fs::File::create(&piped).unwrap()).stderr(Stdio::null());
    assert!(Guarded(command.spawn().unwrap()).wait(CEILING).success());
    owner.run(&["verify", piped.to_str().unwrap(), "--identity", &key]).ends(0);
}
