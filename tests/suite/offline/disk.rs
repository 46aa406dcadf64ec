//! A bundle on a removable disk, for a code that was read over the telephone, and brought to the portal by hand.

use super::{asked, device_id, field, in_namespace};
use crate::cli::portal::Portal;
use crate::cli::run::{Device, names};
use std::fs;

/// Makes a stick; `/media` is empty in the namespace.
const STICK: &str = "mount -n -t tmpfs none /media; mkdir /media/STICK\n\
     mount -n -t tmpfs -o size=64m none /media/STICK\n";

#[test]
fn a_code_is_typed_and_the_bundle_is_brought_by_hand() {
    let portal = Portal::start();
    let device = Device::new();
    portal.enrol(&device);
    let id = device_id(&device);
    let issue = ["request", "issue", &id, "--engineer", "Ada", "--reason", "Fan 2 was reported.", "--typed"];
    let told = asked(&portal, &issue).ends(0).out;
    let (request, code) = (field(&told, "request "), field(&told, "code "));
    assert!(told.contains(&format!("assay collect --usb --nonce {code}")), "{told}");

    // A wrong sign is told before anything else: before a disk, a configuration or a drive is looked at.
    let wrong =
        code.replacen(|c: char| c.is_ascii_alphanumeric(), if code.starts_with('7') { "8" } else { "7" }, 1);
    let words = ["was not typed as it was read", "a letter or digit is wrong", "nothing was done"];
    device.run(&["collect", "--usb", "--nonce", &wrong]).fails_with(&words);
    device.run(&["collect", "--nonce", "ABCD-EFGH", "-o", "x"]).fails_with(&["it has 8 letters and digits"]);
    device.run(&["collect", "--nonce", &code]).fails_with(&["brought by hand", "--usb"]);
    assert!(names(&device.state().join("spool")).is_empty());

    let script = format!(
        "{STICK}ASSAY collect --usb --nonce {code} --json --state-dir STATE > OUT/said\n\
         ls -A /media/STICK > OUT/names; cp /media/STICK/*.assay OUT/brought.assay"
    );
    let Some(ran) = in_namespace(&device, "a typed code", &script) else { return };
    ran.ends(0);
    let said: serde_json::Value =
        serde_json::from_slice(&fs::read(device.path("out/said")).expect("its output")).expect("JSON");
    let brought = fs::read(device.path("out/brought.assay")).expect("the bundle");
    assert_eq!(said["sealed"]["sha256"], assay_bundle::digest::sha256_hex(&brought));
    assert_eq!(said["sealed"]["size_bytes"], brought.len());
    assert!(said["plain"].is_null() && said["spool_entry"].is_null(), "{said}");
    let left = fs::read_to_string(device.path("out/names")).expect("names");
    assert_eq!(left.lines().count(), 1, "nothing but the bundle is on the disk: {left}");

    let file = device.text("out/brought.assay");
    let import = |file: &str| asked(&portal, &["bundle", "import", file, "--by", "Ada", "--wait-s", "120"]);
    let imported = import(&file).ends(0).out;
    for words in ["accepted", "BROUGHT      by hand, by Ada", "that its owner named on the device", "verdict"]
    {
        assert!(imported.contains(words), "{words}: {imported}");
    }
    let shown = asked(&portal, &["request", "show", &request]).ends(0).out;
    assert!(shown.contains("answered") && !shown.contains("ready"), "{shown}");
    let again = import(&file).ends(0).out;
    assert_eq!(field(&again, "bundle "), field(&imported, "bundle "), "the same bytes are kept once");

    // What is no sealed bundle of an enrolled key is not taken in, and nothing of it is kept.
    let cut = device.text("out/cut.assay");
    fs::write(&cut, &brought[..brought.len() / 2]).expect("a file");
    let plain = device.bundle("plain.assay");
    for (file, words) in [
        (plain.as_str(), "is the form that is not encrypted"),
        ("/nonexistent.assay", "cannot read"),
        ("/dev/null", "is no file"),
    ] {
        let refused = import(file).ends(3).err;
        assert!(refused.contains(words), "{refused}");
    }
    // Half a bundle is refused wherever it is noticed first.
    import(&cut).ends(3);
    let objects = names(&portal.folder.path().join("data/objects"));
    assert_eq!(objects, [field(&imported, "bundle ")], "what was refused is not kept among the bundles");
    // A request in a file, that asks for more redaction than is usual here.
    let issue = ["request", "issue", &id, "--engineer", "Ada", "--reason", "Fan 2 again.", "--strict"];
    let request = field(&asked(&portal, &issue).ends(0).out, "request ");
    let signed = asked(&portal, &["request", "show", &request, "--signed"]).ends(0).out;
    fs::write(device.path("request.json"), signed.replace("Fan 2", "Fan 3")).expect("a file");
    let forged = device.text("request.json");
    let to = device.text("out/forged.assay");
    device
        .run(&["collect", "--request", &forged, "--sealed-output", &to])
        .fails_with(&["was not listened to", "is not the word of the portal"]);
    fs::write(&forged, signed).expect("a file");
    let script = format!(
        "{STICK}ASSAY collect --usb --request {forged} --state-dir STATE > OUT/said\ncp /media/STICK/*.assay OUT/filed.assay"
    );
    in_namespace(&device, "a request in a file", &script).expect("namespaces").ends(0);
    let filed = import(&device.text("out/filed.assay")).ends(0).out;
    assert!(filed.contains("that its owner named on the device"), "{filed}");
    assert!(asked(&portal, &["request", "show", &request]).ends(0).out.contains("answered"));
    // A code counts once.
    let script = format!(
        "{STICK}ASSAY collect --usb --nonce {code} --state-dir STATE > OUT/said\ncp /media/STICK/*.assay OUT/second.assay"
    );
    in_namespace(&device, "a typed code", &script).expect("namespaces").ends(0);
    let second = import(&device.text("out/second.assay")).ends(3);
    assert!(second.err.contains("answered before by another bundle"), "{}", second.err);
}

#[test]
fn a_disk_that_cannot_take_it_is_told_in_words() {
    let device = Device::new();
    let recipient = device.text("recipient.txt");
    fs::write(&recipient, "recipient    age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\n")
        .expect("a file");
    device.run(&["collect", "--usb"]).fails_with(&["not enrolled", "--recipient FILE"]);
    fs::write(device.path("nobody.txt"), "nobody\n").expect("a file");
    let nobody = device.text("nobody.txt");
    device.run(&["collect", "--usb", "--recipient", &nobody]).fails_with(&["exactly one recipient"]);
    let collect = format!("ASSAY collect --recipient {recipient} --state-dir STATE");
    let check = |mounts: &str, flag: &str, code: i32, words: &[&str]| {
        let script = format!(
            "mount -n -t tmpfs none /media\n{mounts}\nrc=0; {collect} {flag} || rc=$?\n\
             echo; for d in /media/*; do echo \"left $(ls -A $d)\"; done; exit $rc"
        );
        let Some(ran) = in_namespace(&device, "disks", &script) else { return };
        let ran = ran.ends(code);
        for word in words {
            assert!(ran.err.contains(word) || ran.out.contains(word), "{word}: {}\n{}", ran.out, ran.err);
        }
        let left: Vec<&str> = ran.out.lines().filter_map(|line| line.strip_prefix("left ")).collect();
        let bundles = left.iter().filter(|names| names.ends_with(".assay")).count();
        assert_eq!(bundles, usize::from(code == 0), "{left:?}");
        assert!(left.iter().all(|name| name.is_empty() || name.starts_with("assay-")), "{left:?}");
    };
    let disk = |name: &str, options: &str| {
        format!("mkdir /media/{name}; mount -n -t tmpfs -o {options} none /media/{name}\n")
    };
    check("", "--usb", 3, &["no removable disk is mounted", "Assay mounts none"]);
    // A folder that nothing is mounted on is RAM, and not the disk.
    check("mkdir /media/A", "--usb=/media/A", 3, &["no removable disk is mounted at /media/A"]);
    check(&disk("A", "size=64k"), "--usb", 3, &["/media/A is full"]);
    let read_only = disk("A", "size=64m") + "mount -n -o remount,ro /media/A";
    check(&read_only, "--usb", 3, &["/media/A cannot be written to", "read-only"]);
    let two = disk("A", "size=64m") + &disk("B", "size=64m");
    check(&two, "--usb", 3, &["more than one", "/media/A, /media/B", "--usb=DIR"]);
    // Full in the middle: there is room, and no place for another name.
    check(&disk("A", "size=64m,nr_inodes=2"), "--usb", 3, &["the disk /media/A is full", "nothing partial"]);
    // What an earlier call left half written goes, the rest stays, and the other disk is not touched.
    let told = [
        "read back from the disk",
        "eject the disk",
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    ];
    check(&(two + "echo x > /media/B/.assay-Q1-1.assay.00.part"), "--usb=/media/B", 0, &told);
}
