//! Support requests between the real binaries: asked at the portal, answered on the device, and every way in which an
//! answer goes wrong. What single events do is tested beside the code (`agent/src/support/state/tests.rs`).

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use assay_uploader::{Entry, Spool, SpoolLimits};
use serde_json::Value;

use crate::selftest::{FIRST, Machine, SECOND};
use crate::support::{Guarded, binary};

/// Somebody's public recipient, whose secret nobody needs here: the example of age's own README.
const OWNER: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
const YES: [&str; 5] = ["--backed-up", "yes", "--removed", "accepted", "--yes"];

/// A portal and a device that is enrolled at it and has a recovery key.
struct Bench {
    folder: tempfile::TempDir,
    portal: Option<Guarded>,
    url: String,
    /// Where the device's program runs, when not on this machine as it is.
    machine: Option<Machine>,
}

impl Bench {
    fn start() -> Self {
        Self::start_on(None)
    }

    fn start_on(machine: Option<Machine>) -> Self {
        let folder = tempfile::Builder::new().prefix("assay-requests").tempdir().expect("a folder");
        let mut bench = Self { folder, portal: None, url: String::new(), machine };
        bench.serve("127.0.0.1:0");
        let told = bench.portal(&["enroll-code"]);
        let (code, fingerprint) = (field(&told, "code "), field(&told, "fingerprint "));
        let (ca, url) = (bench.text("portal/ca.pem"), bench.url.clone());
        let enrol =
            ["enroll", "--portal", &url, "--code", &code, "--fingerprint", &fingerprint, "--ca-file", &ca];
        bench.ok(&enrol);
        let key = serde_json::json!({ "recipient": OWNER, "made_unix_s": 1, "lost": [] });
        fs::write(bench.path("state/identity/recovery.json"), key.to_string()).expect("a recovery key");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a plain path").to_owned()
    }

    fn portal_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("assay-portal"));
        command.env_clear().env("PATH", "/usr/bin:/bin").arg("--data-dir").arg(self.path("portal"));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    fn serve(&mut self, listen: &str) {
        let log = File::options().create(true).append(true).open(self.path("portal.log")).expect("a log");
        let mut command = self.portal_command(&["serve", "--listen", listen, "--self-signed"]);
        let mut child =
            Guarded(command.stdout(Stdio::piped()).stderr(log).spawn().expect("the portal starts"));
        let out = BufReader::new(child.0.stdout.take().expect("its output"));
        let line = out.lines().map_while(Result::ok).find(|line| line.contains("listening on "));
        let line = line.unwrap_or_else(|| {
            panic!("no portal: {}", fs::read_to_string(self.path("portal.log")).unwrap_or_default())
        });
        self.url = line.rsplit("listening on ").next().expect("an address").trim().to_owned();
        self.portal = Some(child);
    }

    /// Runs a command of the portal to its end; what it printed.
    fn portal(&self, arguments: &[&str]) -> String {
        let done = self.portal_command(arguments).output().expect("the portal's command runs");
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text")
    }

    /// Asks this device for a bundle; the request's id.
    fn issue(&self, more: &[&str]) -> String {
        let enrolment = fs::read(self.path("state/identity/enrolment.json")).expect("the enrolment");
        let enrolment: Value = serde_json::from_slice(&enrolment).expect("JSON");
        let device = enrolment["device_id"].as_str().expect("a name").to_owned();
        let mut arguments =
            vec!["request", "issue", &device, "--engineer", "Ada", "--reason", "Fan 2 was reported."];
        arguments.extend(more);
        field(&self.portal(&arguments), "request ")
    }

    fn assay(&self, arguments: &[&str]) -> Output {
        let mut command = match &self.machine {
            Some(machine) => machine.command(&binary("assay")),
            None => Command::new(binary("assay")),
        };
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").args(arguments);
        command.arg("--state-dir").arg(self.path("state")).stdin(Stdio::null());
        command.output().expect("assay runs")
    }

    /// Runs to a good end; what it printed.
    fn ok(&self, arguments: &[&str]) -> String {
        let done = self.assay(arguments);
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{arguments:?}: {out}{err}");
        out.into_owned()
    }

    /// Runs to a bad end (3) whose message holds `expected`.
    fn bad(&self, arguments: &[&str], expected: &str) {
        let done = self.assay(arguments);
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert_eq!(done.status.code(), Some(3), "{arguments:?}: {out}{err}");
        assert!(err.contains(expected), "{arguments:?} does not say {expected:?}: {out}{err}");
    }

    fn approve(&self, id: &str, more: &[&str]) -> Vec<String> {
        let arguments = ["support", "approve", id].into_iter().chain(YES).chain(more.iter().copied());
        arguments.map(str::to_owned).collect()
    }

    fn state(&self, id: &str) -> String {
        let shown: Value = serde_json::from_str(&self.ok(&["support", "show", id, "--json"])).expect("JSON");
        shown["state"]["is"].as_str().expect("a state").to_owned()
    }

    fn spooled(&self) -> Vec<Entry> {
        let spool = Spool::open(&self.path("state/spool"), SpoolLimits::default()).expect("the spool");
        spool.entries().expect("readable")
    }
}

/// The value behind `name` at the beginning of a line.
fn field(told: &str, name: &str) -> String {
    let line = told.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {told}")).trim().to_owned()
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn asked_shown_approved_ready() {
    let bench = Bench::start();
    assert_eq!(bench.assay(&["support", "wait"]).status.code(), Some(2), "nobody asks yet");
    let id = bench.issue(&["--strict"]);
    assert!(bench.ok(&["support", "wait", "--seconds", "30"]).contains(&id));
    let shown = bench.ok(&["support", "show", &id]);
    for expected in ["Ada", "Fan 2 was reported.", "waits for your answer", "at least strict"] {
        assert!(shown.contains(expected), "{shown}");
    }
    // Paused is paused, and looking still works.
    bench.ok(&["pause"]);
    bench.bad(&words(&bench.approve(&id, &[])), "everything is paused");
    bench.bad(&["support", "wait"], "everything is paused");
    bench.bad(&["upload"], "everything is paused");
    assert!(bench.ok(&["status"]).contains("`assay resume` lets it go on"));
    bench.ok(&["resume"]);
    // Nobody answers for the owner.
    bench.bad(&["support", "approve", &id], "nobody is here to answer");
    assert_eq!(bench.state(&id), "sealed");
    let held = bench.spooled();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].held_for.as_deref(), Some(id.as_str()));
    bench.ok(&["upload"]);
    assert_eq!(bench.spooled(), held, "what is held is not sent");
    let preview = bench.ok(&["support", "show", &id]);
    assert!(preview.contains("facts.json") && preview.contains("--diff-raw"), "{preview}");

    let told = bench.ok(&words(&bench.approve(&id, &[])));
    assert!(told.contains("ready for remote support"), "{told}");
    assert_eq!(bench.state(&id), "ready");
    let sent = bench.spooled();
    assert_eq!(sent.len(), 1, "the bundle that was shown is the one that was sent");
    assert_eq!(sent[0].id, held[0].id);
    assert!(sent[0].is_done());
    bench.bad(&words(&bench.approve(&id, &[])), "confirmed that everything is ready");
    bench.bad(&["support", "deny", &id], "confirmed that everything is ready");
    let log = bench.ok(&["log"]);
    for expected in
        ["asks for a bundle", "recovery copy read back", "was shown", "approved by the owner", "says: ready"]
    {
        assert!(log.contains(expected), "{expected} is not in {log}");
    }
    let portal = bench.portal(&["request", "show", &id]);
    assert!(portal.contains("answered") || portal.contains("ready"), "{portal}");
}

#[test]
fn cancelled_denied_forged_and_from_a_file() {
    let bench = Bench::start();
    // Taken back between the look and the answer.
    let id = bench.issue(&[]);
    bench.ok(&["support", "wait"]);
    bench.bad(&["support", "approve", &id], "nobody is here to answer");
    assert_eq!(bench.spooled().len(), 1);
    bench.portal(&["request", "cancel", &id]);
    bench.bad(&words(&bench.approve(&id, &[])), "the portal has cancelled the request");
    assert_eq!(bench.state(&id), "cancelled");
    assert!(bench.spooled().is_empty(), "its bundle is gone");
    // A file, as it was signed and not otherwise.
    let id = bench.issue(&[]);
    let signed = bench.portal(&["request", "show", &id, "--signed"]);
    let file = bench.text("request.json");
    fs::write(&file, signed.replace("Fan 2", "Fan 3")).expect("a file");
    bench.bad(&["support", "fetch", &file], "is not the word of the portal");
    fs::write(&file, &signed).expect("a file");
    assert!(bench.ok(&["support", "fetch", &file]).contains(&id));
    assert!(bench.ok(&["support", "fetch", &file]).contains(&id), "the same again is no second one");
    // No is no.
    bench.ok(&["support", "deny", &id, "--reason", "not today"]);
    assert_eq!(bench.state(&id), "denied");
    bench.bad(&words(&bench.approve(&id, &[])), "was denied on this NAS");
    assert!(bench.portal(&["request", "show", &id]).contains("denied"));
    bench.bad(&["support", "approve", "nothing"], "there is no support request");
}

#[test]
fn other_bytes_are_asked_again_and_a_waiver_is_told() {
    let mut bench = Bench::start();
    let address = bench.url.trim_start_matches("https://").to_owned();
    let id = bench.issue(&[]);
    bench.ok(&["support", "wait"]);
    drop(bench.portal.take());
    bench.bad(&words(&bench.approve(&id, &[])), "the portal does not have it");
    assert_eq!(bench.state(&id), "agreed");
    let first = bench.spooled().remove(0);
    let path = first.sealed.clone().expect("the encrypted form");
    let mut bytes = fs::read(&path).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("writable");
    bench.serve(&address);
    // Without answers nothing goes on: what was agreed to is gone.
    bench.bad(&["support", "approve", &id], "nobody is here to answer");
    assert_eq!(bench.state(&id), "sealed");
    bench.ok(&words(&bench.approve(&id, &[])));
    let sent = bench.spooled();
    assert_eq!(sent.len(), 1);
    assert_ne!(sent[0].id, first.id, "another bundle, and the owner was asked about it");

    // A copy that cannot be taken: only the very reason waives it.
    let id = bench.issue(&[]);
    bench.ok(&["support", "wait"]);
    let copies = find(&bench.path("state"), "recovery").expect("where copies are");
    fs::remove_dir_all(&copies).expect("removed");
    fs::write(&copies, "in the way").expect("a file");
    bench.bad(&words(&bench.approve(&id, &[])), "nobody is here to answer");
    bench.bad(&words(&bench.approve(&id, &["--waive-copy", "no_volume"])), "but the reason is");
    assert_eq!(bench.state(&id), "received");
    let told = bench.ok(&words(&bench.approve(&id, &["--waive-copy", "copy_failed"])));
    assert!(told.contains("WITHOUT a recovery copy"), "{told}");
    assert!(bench.ok(&["log"]).contains("NO recovery copy"));
}

#[test]
fn self_tests_need_a_yes_of_their_own_and_come_before_the_bundle() {
    let Some(machine) = Machine::new() else { return };
    let bench = Bench::start_on(Some(machine));
    let machine = bench.machine.as_ref().expect("its machine");
    let id = bench.issue(&["--short-test", FIRST, "--short-test", SECOND, "--short-test", "NOBODYS"]);
    bench.ok(&["support", "wait"]);
    assert!(bench.ok(&["support", "show", &id]).contains("a short self-test of the drives"));
    // A standing consent does not cover it, and a general yes is none to it.
    bench.ok(&["support", "standing", "--days", "3", "--backed-up", "yes", "--removed", "yes", "--yes"]);
    bench.ok(&["support", "wait"]);
    assert_eq!(bench.state(&id), "received");
    let status = bench.ok(&["status"]);
    for expected in ["without asking until", "0 of 1 used today, 0 in all", "by Ada: waits for your answer"] {
        assert!(status.contains(expected), "{expected}: {status}");
    }
    bench.bad(&words(&bench.approve(&id, &[])), "nobody is here to answer");
    assert!(!machine.runs("sda") && bench.spooled().is_empty());

    let yes = bench.approve(&id, &["--self-tests", "yes"]);
    let done = bench.assay(&words(&yes));
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(3), "{out}{}", String::from_utf8_lossy(&done.stderr));
    assert!(out.contains("selftest status"), "{out}");
    assert!(machine.runs("sda") && !machine.runs("sdb"), "one at a time");
    assert!(bench.spooled().is_empty(), "the bundle shows what they find");
    let status = bench.ok(&["status"]);
    assert!(status.contains("approved to test drives") && status.contains(FIRST), "{status}");
    machine.ends("sda", 0, "Completed without error");
    assert_eq!(bench.assay(&words(&yes)).status.code(), Some(3), "the second one runs");
    machine.ends("sdb", 0x79, "Completed: read failure");
    assert!(bench.ok(&words(&yes)).contains("ready for remote support"));

    let sent = bench.spooled().remove(0);
    let plain = sent.plain.expect("the form that the owner can open").display().to_string();
    let facts = bench.ok(&["show", &plain, "--raw", "facts.json"]);
    assert!(facts.contains("Completed: read failure"), "the drive's log is in the bundle: {facts}");
    let log = bench.ok(&["log"]);
    for expected in [
        "short self-tests of 3 drives were agreed to by the owner",
        "there is no drive of this serial number",
        "FAILED: Completed: read failure",
        "have ended",
    ] {
        assert!(log.contains(expected), "{expected} is not in {log}");
    }

    // No is an answer, too: the bundle goes without. And what is over tests nothing more.
    let id = bench.issue(&["--short-test", FIRST]);
    bench.ok(&["support", "wait"]);
    bench.ok(&words(&bench.approve(&id, &["--self-tests", "no"])));
    assert_eq!((bench.state(&id).as_str(), machine.runs("sda")), ("ready", false));
    let id = bench.issue(&["--short-test", FIRST, "--short-test", SECOND]);
    bench.ok(&["support", "wait"]);
    let yes = bench.approve(&id, &["--self-tests", "yes"]);
    assert_eq!(bench.assay(&words(&yes)).status.code(), Some(3));
    bench.ok(&["support", "deny", &id, "--reason", "not today"]);
    machine.ends("sda", 0, "Completed without error");
    assert!(bench.ok(&["selftest", "status"]).contains("is over"));
    assert!(!machine.runs("sdb"));
}

#[test]
fn a_session_shows_what_the_copies_before_and_after_it_differ_in() {
    let Some(machine) = Machine::new() else { return };
    machine.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    for name in ["same", "old", "smb"] {
        machine.write(&format!("etc/{name}.conf"), name);
    }
    let bench = Bench::start_on(Some(machine));
    let machine = bench.machine.as_ref().expect("its machine");
    let id = bench.issue(&["--session", "screen-share"]);
    bench.ok(&["support", "wait"]);
    bench.bad(&["support", "session", "start", &id], "no session is offered");
    bench.ok(&words(&bench.approve(&id, &[])));
    bench.portal(&["session", "open", &id]);
    let told = bench.ok(&["support", "session", "start", &id]);
    assert!(told.contains("taken before it, read back"), "{told}");
    let kept = || -> Vec<PathBuf> {
        let files = fs::read_dir(bench.path("state/support")).expect("there").flatten();
        let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
        files.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("s-")));
        files.sort();
        files
    };
    let list =
        kept().into_iter().find(|path| path.extension().is_some_and(|e| e == "before")).expect("a list");
    let mode = fs::metadata(&list).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let digest = assay_bundle::digest::sha256_hex(b"smb");
    let listed = fs::read_to_string(&list).expect("text");
    assert!(listed.contains("etc/smb.conf") && !listed.contains(&digest), "{listed}");
    let status = bench.ok(&["status"]);
    assert!(status.contains("session") && status.contains("at the latest"), "{status}");

    machine.write("etc/same.conf", "same");
    machine.write("etc/smb.conf", "changed");
    machine.write("etc/new/x.conf", "new");
    machine.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nguest:x:0:0::/:/bin/sh\n");
    fs::remove_file(machine.path("etc/old.conf")).expect("ours");
    let told = bench.ok(&["support", "session", "stop", &id]);
    for expected in [
        "the recovery copies before and after it",
        "etc/new/x.conf",
        "etc/old.conf",
        "etc/smb.conf",
        "NEW ACCOUNT guest",
        "remove the access that you opened",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert!(!told.contains("same.conf"), "written again as it was: {told}");
    let left = kept();
    assert_eq!(left.len(), 1, "{left:?}");
    let record = fs::read_to_string(&left[0]).expect("the record");
    assert!(!record.contains("smb.conf"), "nothing of the comparison is kept: {record}");
    assert!(bench.ok(&["support", "session", "stop", &id]).contains("was shown then"));
    assert!(bench.portal(&["session", "list"]).contains("stopped"));
}

/// The folder of this name below another.
fn find(below: &Path, name: &str) -> Option<PathBuf> {
    let folders = fs::read_dir(below).ok()?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    let mut folders: Vec<PathBuf> = folders.collect();
    folders.sort();
    folders
        .iter()
        .find(|path| path.ends_with(name))
        .cloned()
        .or_else(|| folders.iter().find_map(|f| find(f, name)))
}
