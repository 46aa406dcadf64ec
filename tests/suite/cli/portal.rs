//! Enrolment and upload against a real portal over TLS on loopback: who is trusted, what is sent, what clocks may say.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::run::{CEILING, Device, finish, names, recorded};
use crate::support::{Guarded, binary, skip, wait_for};

/// Clocks that cannot be right: a dead battery, another dead battery, a wild one.
const WRONG_CLOCKS: [(&str, i64); 3] = [("1970", 60), ("2000", 946_684_800), ("2099", 4_070_908_800)];

/// A portal with its own data folder; stopped when dropped.
pub(crate) struct Portal {
    pub(crate) folder: tempfile::TempDir,
    child: Option<Guarded>,
    pub(crate) url: String,
}

impl Portal {
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("assay-portal").tempdir().expect("a folder");
        let mut portal = Self { folder, child: None, url: String::new() };
        portal.listen("127.0.0.1:0");
        portal
    }

    /// Starts serving; the address is told when it is ready.
    pub(crate) fn listen(&mut self, address: &str) {
        let mut command = self.command(&["serve", "--listen", address, "--self-signed"]);
        let log = fs::File::create(self.folder.path().join("log")).expect("a file");
        let mut child =
            Guarded(command.stdout(Stdio::piped()).stderr(log).spawn().expect("the portal starts"));
        let out = child.0.stdout.take().expect("its output");
        let line =
            BufReader::new(out).lines().map_while(Result::ok).find(|line| line.contains("listening on "));
        let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let line = line.unwrap_or_else(|| panic!("the portal did not start: {}", log()));
        self.url = line.rsplit("listening on ").next().expect("an address").trim().to_owned();
        self.child = Some(child);
    }

    pub(crate) fn stop(&mut self) {
        self.child = None;
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("assay-portal"));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .arg("--data-dir")
            .arg(self.folder.path().join("data"));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    pub(crate) fn ca(&self) -> String {
        let path: PathBuf = self.folder.path().join("data/ca.pem");
        path.to_str().expect("a plain path").to_owned()
    }

    /// A one-time code and the fingerprint that comes with it.
    pub(crate) fn code(&self) -> (String, String) {
        let text = finish(self.command(&["enroll-code"])).ends(0).out;
        let field = |name: &str| -> String {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
        };
        (field("code "), field("fingerprint "))
    }

    /// Asks an enrolled device for a bundle; the request's id.
    pub(crate) fn issue(&self, device: &Device) -> String {
        let enrolment = fs::read(device.state().join("identity/enrolment.json")).expect("the enrolment");
        let enrolment: serde_json::Value = serde_json::from_slice(&enrolment).expect("JSON");
        let name = enrolment["device_id"].as_str().expect("a name");
        let why = ["--engineer", "Ada", "--reason", "Fan 2 was reported."];
        let told = finish(self.command(&[&["request", "issue", name], &why[..]].concat())).ends(0).out;
        let line = told.lines().find_map(|line| line.strip_prefix("request "));
        line.unwrap_or_else(|| panic!("no request in {told}")).trim().to_owned()
    }

    pub(crate) fn enrol(&self, device: &Device) {
        let (code, fingerprint) = self.code();
        let ca = self.ca();
        let ran = device.run(&[
            "enroll",
            "--portal",
            &self.url,
            "--code",
            &code,
            "--fingerprint",
            &fingerprint,
            "--ca-file",
            &ca,
        ]);
        assert!(ran.ends(0).out.contains("enrolled"), "it says so");
    }
}

/// The library that sets a program's wall clock, or `None` where there is no C compiler.
fn clock_library(device: &Device, test: &str) -> Option<String> {
    let source = crate::support::root().join("tests/suite/cli/clock.c");
    let library = device.text("clock.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o", &library]).arg(source).stdin(Stdio::null());
    if cc.spawn().is_ok_and(|child| Guarded(child).wait(CEILING).success()) {
        return Some(library);
    }
    skip(test, "no C compiler to make the clock library with");
    None
}

fn with_clock<'d>(device: &'d mut Device, library: &str, unix_s: i64) -> &'d Device {
    device.environment =
        vec![("LD_PRELOAD".into(), library.to_owned()), ("FAKE_UNIX_S".into(), unix_s.to_string())];
    device
}

#[test]
fn nothing_is_trusted_in_silence() {
    let portal = Portal::start();
    let device = Device::new();
    let (code, fingerprint) = portal.code();
    let ca = portal.ca();
    let enroll = |extra: &[&str]| {
        let mut arguments = vec!["enroll", "--portal", &portal.url, "--code", &code];
        arguments.extend_from_slice(extra);
        device.run(&arguments)
    };
    enroll(&[]).fails_with(&["vouches for its certificate", "--ca-file"]);
    let shown = enroll(&["--ca-file", &ca]).fails_with(&["nobody is here to compare", "--fingerprint"]);
    for words in [fingerprint.as_str(), portal.url.as_str(), "age1", "this device"] {
        assert!(shown.err.contains(words), "{words}: {}", shown.err);
    }
    let wrong = fingerprint.chars().rev().collect::<String>();
    enroll(&["--ca-file", &ca, "--fingerprint", &wrong]).fails_with(&["another portal", "do not enrol"]);
    assert!(device.run(&["status", "--json"]).ends(0).json()["enrolment"].is_null());
    device
        .run(&[
            "enroll",
            "--portal",
            &portal.url,
            "--code",
            "AAAAA-AAAAA",
            "--fingerprint",
            &fingerprint,
            "--ca-file",
            &ca,
        ])
        .fails_with(&["the portal refuses"]);
    let low = fingerprint.to_lowercase().replace('-', " ");
    enroll(&["--ca-file", &ca, "--fingerprint", &low]).ends(0);
    let other = Device::new();
    let arguments =
        ["enroll", "--portal", &portal.url, "--code", &code, "--fingerprint", &fingerprint, "--ca-file", &ca];
    other.run(&arguments).fails_with(&["the portal refuses"]);
    let status = device.run(&["status"]).ends(0).out;
    assert!(status.contains(&fingerprint) && status.contains(&portal.url), "{status}");
    let plain_http = portal.url.replace("https", "http");
    device.run(&["enroll", "--portal", &plain_http, "--code", &code]).fails_with(&["plain HTTP is refused"]);
}

#[test]
fn a_bundle_from_before_enrolment_is_sealed_again_and_arrives_once() {
    let mut portal = Portal::start();
    let device = Device::new();
    let early = device.run(&["collect", "--json"]).ends(0).json();
    assert!(early["sealed"].is_null());
    portal.enrol(&device);
    let late = device.run(&["collect", "--json"]).ends(0).json();
    assert!(late["sealed"]["size_bytes"].as_u64().unwrap() > 0);

    // No network: nothing is lost, and the next run sends it.
    let address = portal.url.trim_start_matches("https://").to_owned();
    portal.stop();
    let ran = device.run(&["upload"]).ends(3);
    assert!(ran.out.contains("not sent") && ran.out.contains("nothing listens there"), "{}", ran.out);
    let status = device.run(&["status", "--json"]).ends(0).json();
    assert_eq!(status["waiting"].as_u64().unwrap() + status["uploading"].as_u64().unwrap(), 2, "{status}");
    portal.listen(&address);

    let sent = device.run(&["upload", "--json"]).ends(0).json();
    let bundles = sent["bundles"].as_array().unwrap();
    assert_eq!(bundles.len(), 2, "{sent}");
    for bundle in bundles {
        assert_eq!(bundle["outcome"], "accepted", "{sent}");
        assert_eq!(bundle["receipt"]["evidence"], true, "{sent}");
    }
    let status = device.run(&["status", "--json"]).ends(0).json();
    assert_eq!((status["accepted"].as_u64(), status["waiting"].as_u64()), (Some(2), Some(0)), "{status}");
    let again = device.run(&["upload"]).ends(0).out;
    assert!(again.contains("Nothing waits"), "{again}");

    // The bundle that was sealed again says from what, under a number of its own.
    let resealed = status["bundles"].as_array().unwrap().iter().filter_map(|bundle| {
        let verified = device.run(&["verify", bundle["plain"].as_str().unwrap(), "--json"]).ends(0).json();
        let manifest = &verified["manifest"];
        manifest["resealed"]["seq"].as_u64().map(|old| (old, manifest["seq"].as_u64().unwrap()))
    });
    let resealed: Vec<_> = resealed.collect();
    assert_eq!(resealed.len(), 1, "{status}");
    assert!(resealed[0].0 == early["manifest"]["seq"].as_u64().unwrap() && resealed[0].1 > resealed[0].0);
}

#[test]
fn a_recording_is_sent_only_by_name_and_is_no_evidence() {
    let portal = Portal::start();
    let device = Device::new();
    portal.enrol(&device);
    let (plain, sealed) = (device.text("plain.assay"), device.text("sealed.assay"));
    device.run(&["collect", "--source", &recorded(), "-o", &plain, "--sealed-output", &sealed]).ends(0);
    assert!(device.run(&["upload"]).ends(0).out.contains("Nothing waits"));
    let shown = device.run(&["show", &sealed]).ends(0).out;
    assert!(shown.contains("encrypted") && shown.contains("not evidence"), "{shown}");
    device.run(&["show", &sealed, "--tree"]).fails_with(&["cannot be opened", "--identity"]);
    device.run(&["verify", &sealed]).ends(0);

    let sent = device.run(&["upload", &sealed, "--json"]).ends(0).json();
    assert_eq!(sent["bundles"][0]["receipt"]["evidence"], false, "{sent}");
    let again = device.run(&["upload", &plain]).ends(0).out;
    assert!(
        again.contains("it is sent once") && !again.contains("accepted"),
        "one manifest is sent once: {again}"
    );
    let foreign = Device::new();
    portal.enrol(&foreign);
    foreign.run(&["upload", &plain]).fails_with(&["made by another key", "next: "]);
}

#[test]
fn clocks_that_cannot_be_right() {
    let test = "cli::portal::clocks_that_cannot_be_right";
    let portal = Portal::start();
    let mut device = Device::new();
    let Some(library) = clock_library(&device, test) else { return };
    let (code, fingerprint) = portal.code();
    let ca = portal.ca();
    for (year, unix_s) in WRONG_CLOCKS {
        let arguments = [
            "enroll",
            "--portal",
            &portal.url,
            "--code",
            &code,
            "--fingerprint",
            &fingerprint,
            "--ca-file",
            &ca,
        ];
        with_clock(&mut device, &library, unix_s).run(&arguments).fails_with(&[year, "date -u -s"]);
    }
    device.environment.clear();
    portal.enrol(&device);
    for (year, unix_s) in WRONG_CLOCKS {
        let device = with_clock(&mut device, &library, unix_s);
        let made = device.run(&["collect", "--json"]).ends(0).json();
        let clock = &made["manifest"]["clock"];
        assert_eq!(clock["plausible"], false, "{clock}");
        assert!(clock["device_time"].as_str().unwrap().starts_with(year), "{clock}");
        let sent = device.run(&["upload", "--json"]).ends(0).json();
        assert_eq!(sent["bundles"][0]["outcome"], "accepted", "{year}: {sent}");
    }
}

#[test]
fn a_key_in_another_chassis_does_not_speak() {
    let portal = Portal::start();
    let device = Device::new();
    portal.enrol(&device);
    device.run(&["collect"]).ends(0);
    // The drives were moved: the enrolment names marks of another unit.
    let file = device.state().join("identity/enrolment.json");
    let mut enrolment: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let marks = enrolment["chassis"].as_array_mut().unwrap();
    if marks.is_empty() {
        skip(
            "cli::portal::a_key_in_another_chassis_does_not_speak",
            "this machine has no serial and no adapter",
        );
        return;
    }
    for mark in marks {
        mark["sha256"] = "00".repeat(32).into();
    }
    fs::write(&file, enrolment.to_string()).unwrap();
    device.run(&["upload"]).fails_with(&["not the unit that was enrolled", "assay enroll"]);
    let before = device.run(&["status", "--json"]).ends(0).json();
    assert_eq!(before["waiting"], 1, "the spool keeps what waits");
    portal.enrol(&device);
    let after = device.run(&["status", "--json"]).ends(0).json();
    assert_ne!(before["key_id"], after["key_id"], "another unit has another key");
}

#[test]
fn an_interrupt_leaves_nothing_partial() {
    let portal = Portal::start();
    let device = Device::new();
    portal.enrol(&device);
    let folder = device.path("out");
    fs::create_dir(&folder).unwrap();
    // The plain form goes into a pipe that nobody reads, so the run cannot end by itself.
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let flags = rustix::fs::fcntl_getfl(&writer).expect("flags");
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).expect("flags");
    while writer.write(&[0; 4096]).is_ok() {}
    rustix::fs::fcntl_setfl(&writer, flags).expect("flags");
    let sealed = folder.join("sealed.assay");
    let err = device.path("err");
    let arguments =
        ["collect", "--source", &recorded(), "-o", "-", "--sealed-output", sealed.to_str().unwrap()];
    let mut command = device.command(&arguments);
    command.stdout(writer).stderr(fs::File::create(&err).unwrap());
    let mut child = Guarded(command.spawn().unwrap());
    // The command keeps its end of the pipe open until it is dropped.
    drop(command);
    wait_for("the partial file", CEILING, || {
        names(&folder).iter().any(|n| n.ends_with(".part")).then_some(())
    });
    let mut kill = Command::new("kill");
    kill.args(["-INT", &child.0.id().to_string()]);
    finish(kill).ends(0);
    let said = || fs::read_to_string(&err).unwrap();
    wait_for("the signal to be seen", CEILING, || said().contains("stopping").then_some(()));
    drop(reader);
    assert_eq!(child.wait(CEILING).code(), Some(130), "{}", said());
    assert!(said().contains("SIGINT"), "{}", said());
    assert!(names(&folder).is_empty(), "{:?}", names(&folder));
}
