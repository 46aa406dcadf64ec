//! Lines and portals that fail: the bundle stays in the spool until a receipt is believed, and what went through the line
//! holds no secret even for who opens TLS.

use std::fs::{self, File};
use std::process::Stdio;

use super::front::{Fault, Front};
use super::{Bench, sealed};
use crate::cli::portal::Portal;
use crate::cli::run::CEILING;
use crate::support::{Guarded, wait_for};

/// One failure of the line or the portal.
struct Row {
    name: &'static str,
    fault: Fault,
    says: &'static [&'static str],
}

fn row(name: &'static str, fault: Fault, says: &'static [&'static str]) -> Row {
    Row { name, fault, says }
}

const CREATE: &str = "POST ";
const PART: &str = "PATCH ";
const RECEIPT: &str = "GET ";

/// An answer that asks to come back in an hour, so that nobody waits here.
fn later(status: &str) -> String {
    page(status, "retry-after: 3600\r\n", "")
}

fn page(status: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n{body}", body.len())
}

/// Uploads through the front.
fn upload(bench: &Bench, front: &Front, more: &[&str]) -> crate::cli::run::Ran {
    let proxy = front.url();
    bench.run(&[&["upload", "--proxy", &proxy][..], more].concat())
}

#[test]
fn lines_and_portals_that_fail() {
    let portal = Portal::start();
    let foreign = Portal::start();
    let foreign = foreign.url.trim_start_matches("https://").parse().expect("an address");
    let front = Front::start(&portal.folder.path().join("data"), &portal.url);
    // A receipt of another bundle, truly signed.
    let other = sealed(&portal);
    upload(&other, &front, &["{sealed.assay}"]).ends(0);
    let receipt = front.receipt();
    assert!(receipt.contains("signature"), "{receipt}");

    let rows = [
        row("a portal with another key", Fault::Elsewhere(foreign), &["not sent"]),
        row(
            "a portal whose certificate has run out",
            Fault::Expired,
            &["not sent", "its certificate is not valid at the time"],
        ),
        row("500 to the first call", Fault::Answer(CREATE, later("500 Oops")), &["not sent", "500"]),
        row("500 to a part", Fault::Answer(PART, later("500 Oops")), &["not sent", "500"]),
        row(
            "503 to the question for the receipt",
            Fault::Answer(RECEIPT, later("503 Busy")),
            &["not sent", "503"],
        ),
        row(
            "413 without a reason",
            Fault::Answer(CREATE, page("413 Too Large", "", "")),
            &["not sent", "413"],
        ),
        row(
            "409 without a reason",
            Fault::Answer(CREATE, page("409 Conflict", "", "")),
            &["not sent", "409"],
        ),
        row(
            "a login page",
            Fault::Answer(CREATE, page("302 Found", "location: https://login.example/\r\n", "")),
            &["not sent", "login.example"],
        ),
        row(
            "no JSON where an upload is begun",
            Fault::Answer(CREATE, page("200 OK", "content-type: application/json\r\n", "{{{")),
            &["not sent"],
        ),
        row("no JSON in the receipt", Fault::Body(RECEIPT, "{{{".into()), &["not sent"]),
        row(
            "a receipt for another bundle",
            Fault::Body(RECEIPT, receipt),
            &["not sent", "stays in the spool"],
        ),
        row(
            "a receipt that was changed",
            Fault::Replace(RECEIPT, "accepted", "Accepted"),
            &["not sent", "stays in the spool"],
        ),
        row(
            "a receipt with another signature",
            Fault::Replace(
                RECEIPT,
                "-----BEGIN SSH SIGNATURE-----\\n",
                "-----BEGIN SSH SIGNATURE-----\\nAAAA",
            ),
            &["not sent", "report this to the operator of the portal"],
        ),
    ];
    let mut wrong = Vec::new();
    for Row { name, fault, says } in rows {
        let bench = sealed(&portal);
        front.set(fault);
        let ran = upload(&bench, &front, &["{sealed.assay}"]);
        let said = format!("{}{}", ran.out, ran.err);
        let mut faults = Vec::new();
        if ran.code != 3 {
            faults.push(format!("ended with {}", ran.code));
        }
        if front.faults() == 0 {
            faults.push("nothing went wrong".to_owned());
        }
        faults.extend(
            says.iter().filter(|word| !said.contains(**word)).map(|word| format!("does not say {word:?}")),
        );
        faults.extend(bench.faults_on_disk());
        let waits = bench.run(&["status", "--json"]).ends(0).json();
        if waits["waiting"].as_u64().unwrap_or(0) + waits["uploading"].as_u64().unwrap_or(0) != 1 {
            faults.push(format!("nothing waits any more: {waits}"));
        }
        front.set(Fault::None);
        let again = upload(&bench, &front, &[]);
        if again.code != 0 || !again.out.contains("accepted") {
            faults.push(format!("then: {}{}", again.out, again.err));
        }
        faults.extend(
            bench.leaked(&front.wire()).iter().map(|secret| format!("{secret} went through the line")),
        );
        if !faults.is_empty() {
            wrong.push(format!("{name}:\n  {}\n  it said: {said}", faults.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Failures that are sat out: the upload goes on by itself when the line is good again, and the bundle arrives once.
#[test]
fn lines_that_come_back() {
    let portal = Portal::start();
    let front = Front::start(&portal.folder.path().join("data"), &portal.url);
    for (name, fault) in [
        ("reset in a part", Fault::ResetInPart(PART)),
        ("closed after the last byte of a part", Fault::LoseAnswer(PART)),
        ("closed instead of a receipt", Fault::LoseAnswer(RECEIPT)),
        ("the first answer lost", Fault::LoseAnswer(CREATE)),
    ] {
        let bench = sealed(&portal);
        front.set(fault);
        let proxy = front.url();
        let sealed_file = bench.device.text("sealed.assay");
        let mut command = bench.device.command(&["upload", "--proxy", &proxy, &sealed_file]);
        let out = bench.path("out");
        command.stdout(File::create(&out).unwrap()).stderr(Stdio::null());
        let mut child = Guarded(command.spawn().unwrap());
        wait_for("the line to fail", CEILING, || (front.faults() > 0).then_some(()));
        assert_eq!(child.0.try_wait().unwrap(), None, "{name}: it sits it out");
        front.set(Fault::None);
        assert_eq!(child.wait(CEILING).code(), Some(0), "{name}: {}", fs::read_to_string(&out).unwrap());
        assert!(fs::read_to_string(&out).unwrap().contains("accepted"), "{name}");
        assert_eq!(bench.leaked(&front.wire()), Vec::<&str>::new(), "{name}");
        assert_eq!(bench.faults_on_disk(), Vec::<String>::new(), "{name}");
        assert!(upload(&bench, &front, &[]).ends(0).out.contains("Nothing waits"), "{name}: it arrived once");
    }
}

/// Before it is enrolled a device knows no key of the portal: a certificate that has run out is refused, and the code is
/// still good.
#[test]
fn nobody_enrols_at_a_certificate_that_has_run_out() {
    let portal = Portal::start();
    let front = Front::start(&portal.folder.path().join("data"), &portal.url);
    let bench = Bench::new();
    let (code, fingerprint) = portal.code();
    let (ca, proxy) = (portal.ca(), front.url());
    let known = ["enroll", "--portal", &portal.url, "--code", &code, "--fingerprint", &fingerprint];
    let enrol = [&known[..], &["--ca-file", &ca, "--proxy", &proxy]].concat();
    front.set(Fault::Expired);
    let ran = bench.run(&enrol).ends(3);
    assert!(
        front.faults() > 0 && ran.err.contains("its certificate is not valid at the time"),
        "{}",
        ran.err
    );
    assert!(!bench.identity("enrolment.json").exists());
    assert_eq!(front.wire(), b"", "not one request was made");
    assert_eq!(bench.faults_on_disk(), Vec::<String>::new());
    front.set(Fault::None);
    assert!(bench.run(&enrol).ends(0).out.contains("enrolled"));
}

/// A line that swallows everything: who gives up waiting loses nothing.
#[test]
fn a_black_hole_is_left_without_a_loss() {
    let portal = Portal::start();
    let front = Front::start(&portal.folder.path().join("data"), &portal.url);
    let bench = sealed(&portal);
    front.set(Fault::BlackHole);
    let proxy = front.url();
    let sealed_file = bench.device.text("sealed.assay");
    let mut command = bench.device.command(&["upload", "--proxy", &proxy, &sealed_file]);
    let err = bench.path("err");
    command.stdout(Stdio::null()).stderr(File::create(&err).unwrap());
    let mut child = Guarded(command.spawn().unwrap());
    wait_for("the black hole", CEILING, || (front.faults() > 0).then_some(()));
    super::system("kill", &["-INT", &child.0.id().to_string()]);
    assert_eq!(child.wait(CEILING).code(), Some(130), "{}", fs::read_to_string(&err).unwrap());
    assert_eq!(bench.faults_on_disk(), Vec::<String>::new());
    front.set(Fault::None);
    assert!(upload(&bench, &front, &[]).ends(0).out.contains("accepted"));
}
