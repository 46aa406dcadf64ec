//! The program `assay` as a person meets it: what it prints, how it ends, and what it leaves behind. Every test drives
//! the binary; nothing here calls the library. What needs a portal is in [`portal`].

mod memory;
pub(crate) mod portal;
mod recovery_key;
mod report;
pub(crate) mod run;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use self::run::{CEILING, Device, Ran, finish, names, recorded};
use crate::support::{Guarded, devices, skip};

const EXIT_CODES: &str =
    "Exit codes: 0 healthy or done, 1 any defect or attention, 2 cannot tell, 3 failed, 64 wrong usage.";

#[test]
fn every_help_says_the_exit_codes_and_what_comes_next() {
    let device = Device::new();
    let help = device.run(&["--help"]).ends(0).out;
    let commands: Vec<String> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    assert!(commands.len() >= 11, "{help}");
    assert!(!help.contains("__reader"), "the reader is not for people");
    assert!(!help.contains("__remember"), "nor is the writer");
    assert!(!help.contains("__backup"), "nor is the copier");
    for command in &commands {
        let help = device.run(&[command, "--help"]).ends(0).out;
        assert!(help.contains(EXIT_CODES), "{command}: {help}");
        assert!(help.contains("Next: "), "{command}: {help}");
    }
    assert!(names(&device.state()).is_empty(), "help writes nothing");
}

#[test]
fn wrong_usage_ends_with_64() {
    let device = Device::new();
    for line in [&["check", "--nonsense"][..], &["nonsense"], &[], &["show"], &["check", "--deadline-s"]] {
        let ran = device.run(line).ends(64);
        assert!(ran.err.contains("--help") || ran.err.contains("Usage"), "{line:?}: {}", ran.err);
    }
    device.run(&["--version"]).ends(0);
}

#[test]
fn a_broken_configuration_is_refused_with_its_place() {
    let device = Device::new();
    fs::create_dir_all(device.state()).unwrap();
    let file = device.state().join("assay.toml");
    let named = file.to_str().unwrap();
    let check = |text: &str, words: &[&str]| {
        fs::write(&file, text).unwrap();
        device.run(&["config", "show"]).fails_with(words);
        device.run(&["check", "--source", &recorded()]).fails_with(words);
    };
    check("[collect]\ndeadlin_s = 1\n", &[&format!("{named}:2"), "did you mean", "config show"]);
    check("[collect]\ndeadline_s = 'soon'\n", &[&format!("{named}:2"), "from 5 to 3600"]);
    check("[collect\n", &[&format!("{named}:1"), "mend the line"]);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    device.run(&["check"]).fails_with(&[named, "cannot be read", "--config"]);
    device.run(&["--config", "/nonexistent.toml", "check"]).fails_with(&["/nonexistent.toml"]);
    // What needs no configuration works beside a broken one.
    device.run(&["explain"]).ends(0);
}

#[test]
fn config_show_names_the_origin_of_each_value() {
    let mut device = Device::new();
    fs::create_dir_all(device.state()).unwrap();
    fs::write(device.state().join("assay.toml"), "[collect]\ndeadline_s = 60\n").unwrap();
    device.environment.push(("ASSAY_PORTAL_PROXY".into(), "http://me:secret@proxy:1".into()));
    let ran = device.run(&["--log-format", "json", "config", "show"]).ends(0);
    for words in ["built in", "assay.toml:2", "environment ASSAY_PORTAL_PROXY", "flag --log-format"] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    assert!(!ran.out.contains("secret"), "{}", ran.out);
    let json = device.run(&["config", "show", "--json"]).ends(0).json();
    let rows = json["settings"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["name"] == "collect.deadline_s" && row["value"] == "60"));
}

#[test]
fn every_recorded_device_is_checked() {
    let device = Device::new();
    for (name, path) in devices() {
        let path = path.to_str().unwrap();
        let ran = device.run(&["check", "--source", path, "--json"]);
        let json = ran.json();
        assert_eq!(json["source"], "recorded", "{name}");
        let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        let wanted = ["source", "facts", "diagnosis", "entitlement", "recommendation", "steps", "cost"];
        assert_eq!(keys, wanted, "{name}");
        let expected = match json["diagnosis"]["overall"].as_str().unwrap() {
            "healthy" => 0,
            "cannot_tell" => 2,
            _ => 1,
        };
        assert_eq!(ran.code, expected, "{name}");
        let text = device.run(&["check", "--source", path]).ends(expected);
        assert!(text.out.contains("\nA recording, not this machine.\n"), "{name}: {}", text.out);
        assert!(!text.out.contains('\u{1b}'), "{name}: colour without a terminal");
        assert!(text.out.lines().all(|line| line.chars().count() <= 110), "{name}: {}", text.out);
    }
    assert!(names(&device.state()).is_empty(), "check writes nothing: {:?}", names(&device.state()));
}

#[test]
fn a_recording_is_read_again_with_the_same_result() {
    let device = Device::new();
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (recording, bundle, extracted) = (place("recording"), place("b.assay"), place("extracted"));
    // Names and addresses get other pseudonyms in each run of a device without a key.
    let facts = |source: &str| {
        let ran = device.run(&["check", "--json", "--source", source]);
        let json = ran.json();
        let kept = ["drives", "md_arrays", "fans", "kernel_log"].map(|kind| json["facts"][kind].clone());
        (ran.code, kept, json["diagnosis"]["findings"].clone())
    };
    let made =
        device.run(&["collect", "--source", &recorded(), "--record", &recording, "--json"]).ends(0).json();
    assert!(made["files"].as_u64().unwrap() > 50, "{made}");
    assert_eq!(facts(&recording), facts(&recorded()));
    device.run(&["collect", "--source", &recorded(), "-o", &bundle]).ends(0);
    let shown = device.run(&["show", &bundle, "--extract", &extracted]).ends(0).out;
    assert!(shown.contains("--source"), "{shown}");
    assert_eq!(facts(&extracted), facts(&recorded()));
    device.run(&["show", &bundle, "--extract", &extracted]).fails_with(&["is not empty", "not there yet"]);
    device.run(&["collect", "--record", &recording]).fails_with(&["is not empty"]);
    device.run(&["collect", "--record", &recording, "-o", &bundle]).ends(64);
}

#[test]
fn pasted_outputs_are_judged() {
    const MDSTAT: &str =
        "Personalities : [raid1]\nmd1 : active raid1 sdb3[1](F) sda3[0]\n      100 blocks [2/1] [U_]\n";
    let device = Device::new();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (array, unknown) = (file("array.txt", MDSTAT), file("unknown.txt", "hello\n"));
    let json = device.run(&["judge", "--json", &array, &unknown]).ends(1).json();
    assert_eq!(json["source"], "judged");
    assert_eq!(json["diagnosis"]["findings"][0]["code"], "MD-001");
    assert!(json["diagnosis"]["findings"][0]["verdict"].is_string());
    assert_eq!(json["facts"]["md_arrays"]["seen"]["from"], "array.txt");
    assert_eq!(json["outputs"][1]["format"], serde_json::Value::Null);
    let facts = device.run(&["judge", "--facts", &array]).ends(1).json();
    assert!(facts["md_arrays"]["seen"].is_object() && facts["diagnosis"].is_null());
    let text = device.run(&["judge", &array]).ends(1).out;
    assert!(text.contains("MD-001") && text.contains("no evidence for a shipment"), "{text}");
    assert!(text.contains("not pasted") && text.contains("paste the outputs that show it too"), "{text}");
    assert!(!text.contains("answered") && !text.contains("mend that"), "{text}");
    // A map of bays and a drive's report, in one transcript of Windows without a last line end.
    let session = "\u{feff}[~] # cat /etc/enclosure_0.conf\r\n[PhysicalDisk_1]\r\nport_id = 3\r\nserial_no = S1\r\n\
        [~] # getsysinfo cputmp\r\n45 C/113 F\r\n[~] # smartctl -j -x /dev/sda\r\n\
        {\"smartctl\":{\"version\":[7,4],\"exit_status\":8},\"device\":{\"name\":\"/dev/sda\",\"type\":\"sat\",\"protocol\":\"ATA\"},\
        \"serial_number\":\"S1\",\"smart_status\":{\"passed\":false}}";
    let session = file("session.txt", session);
    let judged = device.run(&["judge", "--json", &session]).ends(1).json();
    let formats: Vec<_> = judged["outputs"].as_array().unwrap().iter().map(|o| o["format"].clone()).collect();
    assert_eq!(formats, ["map of bays", "QTS command or file", "smartctl"]);
    assert_eq!(judged["facts"]["temperatures"]["seen"]["value"][0]["temperature_c"]["seen"]["value"], 45);
    let text = device.run(&["judge", &session]).ends(1).out;
    assert!(text.contains("bay 3") && text.contains("session.txt#L2: map of bays"), "{text}");
    device.run(&["judge", &unknown]).fails_with(&["unknown.txt: not recognised", "mdstat"]);
    device.run(&["judge", "/nonexistent"]).fails_with(&["/nonexistent", "can be read"]);
    device.run(&["judge"]).ends(64);
    assert!(names(&device.state()).is_empty(), "judge writes nothing: {:?}", names(&device.state()));
}

#[test]
fn this_machine_is_checked_and_a_missing_tool_is_named() {
    let mut device = Device::new();
    let ran = device.run(&["check", "--json"]);
    let json = ran.json();
    assert!((0..=2).contains(&ran.code), "{}", ran.err);
    assert_eq!(json["source"], "live");
    assert!(names(&device.state()).is_empty(), "check writes nothing: {:?}", names(&device.state()));
    // A tool that cannot be run is as good as none, wherever the real one is.
    device.environment.push(("ASSAY_COLLECT_TOOL_DIRS".into(), "/nonexistent".into()));
    let json = device.run(&["check", "--json"]).json();
    let drives = json["facts"]["drives"]["seen"]["value"].as_array().map_or(0, Vec::len);
    let installed =
        ["/usr/sbin/smartctl", "/usr/bin/smartctl", "/sbin/smartctl"].iter().any(|p| Path::new(p).exists());
    if drives > 0 && !installed {
        assert!(
            json["diagnosis"]["unknowns"].to_string().contains("smartctl"),
            "{}",
            json["diagnosis"]["unknowns"]
        );
    }
}

#[test]
fn a_recording_without_smartctl_names_it_among_the_unknowns() {
    let device = Device::new();
    let copy = device.path("recording");
    copy_folder(&Path::new(&recorded()).join("source"), &copy);
    let mut changed = 0;
    for name in names(&copy.join("cmd")) {
        if let Some(slug) =
            name.strip_suffix(".unreadable").or(Some(&name)).filter(|n| n.starts_with("smartctl"))
        {
            let path = copy.join("cmd").join(&name);
            if path.is_dir() {
                fs::remove_dir_all(&path).unwrap()
            } else {
                fs::remove_file(&path).unwrap()
            }
            let failure = serde_json::json!({ "no_tool": { "name": "smartctl" } });
            fs::write(copy.join(format!("cmd/{slug}.unreadable")), failure.to_string()).unwrap();
            changed += 1;
        }
    }
    assert!(changed > 0, "the recorded device has smartctl's output");
    let json = device.run(&["check", "--source", copy.to_str().unwrap(), "--json"]).ends(2).json();
    assert!(
        json["diagnosis"]["unknowns"].to_string().contains("smartctl"),
        "{}",
        json["diagnosis"]["unknowns"]
    );
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn no_recording_no_check() {
    let device = Device::new();
    device.run(&["check", "--source", "/nonexistent"]).fails_with(&["/nonexistent", "next: "]);
    let empty = device.text("empty");
    fs::create_dir(&empty).unwrap();
    device.run(&["check", "--source", &empty]).fails_with(&["is no recording", "next: "]);
    device.run(&["check", "--source", "/proc/version"]).fails_with(&["/proc/version", "next: "]);
}

#[test]
fn a_live_bundle_is_evidence_and_a_recorded_one_is_not() {
    let device = Device::new();
    let recorded_file = device.bundle("recorded.assay");
    let verified = device.run(&["verify", &recorded_file, "--json"]).ends(0).json();
    assert_eq!(
        (verified["namespace"].as_str(), verified["evidence"].as_bool()),
        (Some("assay-replay"), Some(false))
    );
    let live = device.text("live.assay");
    let made = device.run(&["collect", "-o", &live]).ends(0);
    for words in [live.as_str(), "verdict", "signed as evidence", "next  "] {
        assert!(made.out.contains(words), "{words}: {}", made.out);
    }
    let verified = device.run(&["verify", &live, "--json"]).ends(0).json();
    assert_eq!(
        (verified["namespace"].as_str(), verified["evidence"].as_bool()),
        (Some("assay-bundle"), Some(true))
    );
    let verdict = verified["manifest"]["summary"]["overall"].as_str().unwrap().to_owned();
    let code = match verdict.as_str() {
        "healthy" => 0,
        "cannot_tell" => 2,
        _ => 1,
    };
    // What was read can be read again, and says the same.
    let replayed = device.run(&["replay", &live, "--json"]).ends(code).json();
    assert_eq!(replayed["differences"], serde_json::json!([]));
    let tree = device.run(&["show", &live, "--tree"]).ends(0).out;
    assert!(tree.contains("facts.json") && tree.contains("raw/"), "{tree}");
    let facts = device.run(&["show", &live, "--raw", "facts.json"]).ends(0);
    facts.json();
    device.run(&["show", &live]).ends(0);
    device.run(&["show", &live, "--raw", "nothing"]).fails_with(&["no file \"nothing\"", "--tree"]);
    // A bundle is a source like a folder.
    assert_eq!(device.run(&["check", "--source", &live, "--json"]).ends(code).json()["source"], "recorded");
}

#[test]
fn a_recording_is_never_spooled() {
    let device = Device::new();
    device.run(&["collect", "--source", &recorded()]).fails_with(&["never put into the spool", "-o FILE"]);
    assert!(names(&device.state().join("spool")).is_empty());
}

#[test]
fn verify_says_what_is_wrong() {
    let device = Device::new();
    let file = device.bundle("good.assay");
    let ran = device.run(&["verify", &file]).ends(0);
    assert!(ran.out.starts_with("good  "), "{}", ran.out);
    assert!(ran.out.contains("assay-replay") && ran.out.contains("not evidence"), "{}", ran.out);
    let good = fs::read(&file).unwrap();
    let check = |name: &str, bytes: &[u8], words: &[&str]| {
        let file = device.text(name);
        fs::write(&file, bytes).unwrap();
        let ran = device.run(&["verify", &file]).fails_with(words);
        assert!(ran.err.contains("next: "), "{}", ran.err);
        assert!(ran.out.is_empty(), "{name}: {}", ran.out);
    };
    let mut payload = good.clone();
    let middle = good.len() - good.len() / 4;
    payload[middle] ^= 1;
    check("tampered.assay", &payload, &["does not match the signed manifest"]);
    let manifest =
        replaced(&good, b"\"healthy\"", b"\"heal1hy\"").or_else(|| replaced(&good, b"0.1.0", b"0.1.1"));
    check("forged.assay", &manifest.expect("words of the manifest"), &["is refused"]);
    check("short.assay", &good[..good.len() / 2], &["cut short"]);
    check("empty.assay", b"", &["is refused"]);
    check("text.assay", b"hello, this is no bundle at all", &["is refused"]);
    let newer = replaced(&good, b"\"format\":1", b"\"format\":2")
        .or_else(|| replaced(&good, b"\"format\": 1", b"\"format\": 2"))
        .expect("the manifest names its format");
    check("newer.assay", &newer, &["newer than this program reads", "update Assay"]);

    let other = Device::new();
    other.run(&["verify", &file]).fails_with(&["not this device's", "--signer"]);
    other.bundle("own.assay");
    other.run(&["verify", &file]).fails_with(&["not this device's", "--signer"]);
    let key = device.run(&["status", "--json"]).ends(0).json()["public_key"].as_str().unwrap().to_owned();
    other.run(&["verify", &file, "--signer", &key]).ends(0);
    fs::write(other.path("key.pub"), format!("# NAS\n{key} comment\n")).unwrap();
    other.run(&["verify", &file, "--key", &other.text("key.pub")]).ends(0);
    let foreign = other.run(&["status", "--json"]).ends(0).json()["public_key"].as_str().unwrap().to_owned();
    other.run(&["verify", &file, "--signer", &foreign]).fails_with(&["signed by key", "next: "]);
    other.run(&["verify", &file, "--signer", "ssh-rsa AAAA"]).fails_with(&["is no key", "ssh-ed25519"]);
    other.run(&["verify", "/nonexistent"]).fails_with(&["cannot read /nonexistent", "next: "]);
}

/// `bytes` with the first `from` replaced by `to`, of the same length.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from)?;
    let mut changed = bytes.to_vec();
    changed[at..at + to.len()].copy_from_slice(to);
    Some(changed)
}

#[test]
fn numbers_are_never_used_twice() {
    let device = Device::new();
    let number = |name: &str| -> u64 {
        let file = device.bundle(name);
        device.run(&["verify", &file, "--json"]).ends(0).json()["manifest"]["seq"].as_u64().unwrap()
    };
    let reservation = || fs::read_to_string(device.state().join("identity/seq")).unwrap();
    let (first, reserved) = (number("1"), reservation());
    let second = number("2");
    assert_eq!((first, second), (1, 2));
    assert_eq!(reservation(), reserved, "one write reserves many numbers");
    // A crash or a boot loses what is in RAM.
    let digest =
        assay_bundle::digest::sha256_hex(device.state().join("identity").as_os_str().as_encoded_bytes());
    let status = device.run(&["status", "--json"]).ends(0).json();
    let position =
        Path::new(status["runtime_dir"].as_str().unwrap()).join(format!("seq-{}.json", &digest[..16]));
    fs::remove_file(position).expect("the position is in RAM");
    let third = number("3");
    assert!(third > 64, "numbers of the lost block are skipped: {third}");
    assert!(number("4") == third + 1);
}

/// A file system of `kib` KiB at `folder`, gone when dropped; `None` when this machine does not let us.
struct Tmpfs<'p>(&'p Path);

impl<'p> Tmpfs<'p> {
    fn mount(test: &str, folder: &'p Path, kib: u32) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "assay-test"]).arg(folder);
        if finish(mount).code == 0 {
            return Some(Self(folder));
        }
        skip(test, "this machine lets us mount nothing");
        None
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let mut umount = Command::new("umount");
        umount.arg(self.0);
        let _ = finish(umount);
    }
}

#[test]
fn a_full_disk_leaves_nothing_partial() {
    let device = Device::new();
    let disk = device.path("disk");
    let Some(_mounted) = Tmpfs::mount("cli::a_full_disk_leaves_nothing_partial", &disk, 64) else { return };
    fs::write(disk.join("x.assay"), "old").unwrap();
    fs::write(disk.join("filler"), vec![0; 44 << 10]).unwrap();
    let file = disk.join("x.assay");
    let ran = device.run(&["collect", "--source", &recorded(), "-o", file.to_str().unwrap()]);
    ran.fails_with(&["could not be written", "space", "next: "]);
    assert_eq!(names(&disk), ["filler", "x.assay"]);
    assert_eq!(fs::read(&file).unwrap(), b"old", "the old file stays until the new one is whole");
    drop(_mounted);

    let spool = device.path("spool");
    let Some(_mounted) = Tmpfs::mount("cli::a_full_disk_leaves_nothing_partial", &spool, 64) else { return };
    fs::write(spool.join(".filler"), vec![0; 52 << 10]).unwrap();
    let mut command = device.command(&["collect"]);
    command.env("ASSAY_SPOOL_DIR", &spool);
    finish(command).fails_with(&["space"]);
    let left: Vec<_> =
        names(&spool).into_iter().filter(|name| !name.contains("lock") && name != ".filler").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn output_goes_where_it_may() {
    let device = Device::new();
    let folder = device.text("folder");
    fs::create_dir(&folder).unwrap();
    device.run(&["collect", "--source", &recorded(), "-o", &folder]).fails_with(&["is a folder", "next: "]);
    device
        .run(&["collect", "--source", &recorded(), "-o", "/nonexistent/x"])
        .fails_with(&["/nonexistent/x", "next: "]);
    device
        .run(&["collect", "--source", &recorded(), "--sealed-output", &device.text("x")])
        .fails_with(&["not enrolled", "assay enroll"]);
    // A bundle on standard output is only the bundle.
    let mut command = device.command(&["collect", "--source", &recorded(), "-o", "-"]);
    let file = device.path("piped.assay");
    command.stdout(fs::File::create(&file).unwrap()).stderr(Stdio::null());
    assert!(Guarded(command.spawn().unwrap()).wait(CEILING).success());
    device.run(&["verify", file.to_str().unwrap()]).ends(0);
}

#[test]
fn a_reader_that_left_is_no_failure() {
    let device = Device::new();
    for (arguments, code) in [(&["explain", "--json"][..], 0), (&["--help"], 0)] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = device.command(arguments);
        let err = device.path("err");
        command.stdout(writer).stderr(fs::File::create(&err).unwrap());
        let status = Guarded(command.spawn().unwrap()).wait(CEILING);
        let said = fs::read_to_string(&err).unwrap();
        assert_eq!((status.code(), said.as_str()), (Some(code), ""), "{arguments:?}");
    }
}

#[test]
fn the_spool_survives_and_status_tells() {
    let device = Device::new();
    let empty = device.run(&["status", "--json"]).ends(0).json();
    assert_eq!((empty["key_id"].is_null(), empty["waiting"].as_u64()), (true, Some(0)));
    assert!(names(&device.state()).is_empty(), "status writes nothing");
    device.run(&["upload"]).fails_with(&["not enrolled", "assay enroll"]);
    device.run(&["rotate-key"]).fails_with(&["not enrolled", "assay enroll"]);
    for command in ["unenroll", "forget"] {
        device.run(&[command, "--yes"]).fails_with(&["not enrolled", "assay status"]);
    }
    let made = device.run(&["collect", "--json"]).ends(0).json();
    let plain = made["plain"]["path"].as_str().unwrap();
    assert!(Path::new(plain).is_file() && made["sealed"].is_null(), "{made}");
    device.run(&["upload"]).fails_with(&["not enrolled", "the spool keeps what waits"]);
    let status = device.run(&["status", "--json"]).ends(0).json();
    assert_eq!(status["waiting"], 1);
    assert!(status["key_id"].as_str().unwrap().starts_with("SHA256:"));
    let text = device.run(&["status"]).ends(0).out;
    assert!(text.contains("1 waiting") && text.contains("assay enroll"), "{text}");
}

#[test]
fn redact_cleans_a_text() {
    let device = Device::new();
    let secret = "password = hunter2-Tr0ub4dor";
    let mut child = device.command(&["redact"]);
    let (out, err) = (device.path("out"), device.path("err"));
    child
        .stdin(Stdio::piped())
        .stdout(fs::File::create(&out).unwrap())
        .stderr(fs::File::create(&err).unwrap());
    let mut child = Guarded(child.spawn().unwrap());
    child.0.stdin.take().unwrap().write_all(format!("drive sda failed\n{secret}\n").as_bytes()).unwrap();
    assert!(child.wait(CEILING).success());
    let (out, err) = (fs::read_to_string(&out).unwrap(), fs::read_to_string(&err).unwrap());
    assert!(out.contains("drive sda failed") && !out.contains("Tr0ub4dor"), "{out}");
    assert!(err.contains("replaced: ") && err.contains("next: "), "{err}");
    device.run(&["redact", "/nonexistent"]).fails_with(&["/nonexistent", "next: "]);
    assert!(names(&device.state()).is_empty(), "redact keeps nothing");
}

#[test]
fn explain_knows_every_code_of_a_finding() {
    let device = Device::new();
    let list = device.run(&["explain", "--json"]).ends(0).json();
    for rule in list.as_array().unwrap() {
        let code = rule["code"].as_str().unwrap();
        let text = device.run(&["explain", code]).ends(0).out;
        assert!(text.contains(code), "{text}");
    }
    device.run(&["explain", "NONE-999"]).fails_with(&["no rule has the code", "assay explain"]);
}

#[test]
fn logs_are_talk() {
    let device = Device::new();
    let ran: Ran = device.run(&["-vvv", "--log-format", "json", "check", "--source", &recorded(), "--json"]);
    ran.json();
    for line in ran.err.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[test]
fn pause_log_and_support_without_a_portal() {
    let device = Device::new();
    device.run(&["support", "list"]).fails_with(&["not enrolled", "next: "]);
    assert!(device.run(&["selftest", "status"]).ends(0).out.contains("no self-test was started here"));
    device.run(&["selftest", "abort", "3"]).fails_with(&["waits or runs here", "next: "]);
    assert!(device.run(&["log"]).ends(0).out.contains("Nothing has happened yet"));
    assert!(device.run(&["resume"]).ends(0).out.contains("nothing was paused"));
    assert!(device.run(&["pause"]).ends(0).out.contains("`assay resume`"));
    device.run(&["upload"]).fails_with(&["everything is paused", "`assay resume`"]);
    assert!(device.run(&["status"]).ends(0).out.contains("paused"));
    assert!(device.run(&["resume"]).ends(0).out.contains("resumed"));
    let log = device.run(&["log", "--json"]).ends(0).out;
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert_eq!(lines[0]["what"], "pause");
}
