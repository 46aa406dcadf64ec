//! What the owner allows the daemon's uploads: no bytes in quiet hours, and no more than so many in a second.

use std::time::{SystemTime, UNIX_EPOCH};

use super::polling::{late, swept};
use super::revoked::waiting;
use super::*;
use crate::cli::run::recorded;
use crate::failures::copy;
use crate::failures::front::{Fault, Front};

/// The slowest rate that may be set.
const RATE: u64 = 16 * 1024;
/// Heads of requests: a few calls with their signatures.
const HEADS_BYTES: u64 = 16 * 1024;

/// Hours that hold now and for minutes to come: all of the day but one minute of one hour, in any time zone.
fn quiet_now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let free = (now / 60 + 7) % 15;
    format!("00:{:02}-00:{free:02}", free + 1)
}

/// A device with an upload that a person began, and that broke off in its first part.
fn begun(portal: &Portal, front: &Front) -> Device {
    let device = Device::new();
    portal.enrol(&device);
    // Numbers do not compress well, so there is something to send.
    let source = device.path("source");
    copy(&Path::new(&recorded()).join("source"), &source);
    let mut log = fs::read_to_string(source.join("dev/kmsg")).expect("a kernel log");
    for at in 100_000..103_000 {
        let digits = sha256_hex(format!("{at}").as_bytes()).replace(|c: char| !c.is_ascii_digit(), " 7 ");
        log.push_str(&format!("6,{at},{at}000,-;a driver counts {digits}\n"));
    }
    fs::write(source.join("dev/kmsg"), log).expect("a file");
    let (source, plain, sealed) = (device.text("source"), device.text("plain"), device.text("sealed"));
    device.run(&["collect", "--source", &source, "-o", &plain, "--sealed-output", &sealed]).ends(0);
    front.set(Fault::ResetInPart("PATCH "));
    let mut command = device.command(&["upload", "--proxy", &front.url(), &sealed]);
    let mut child = Guarded(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts"));
    wait_for("the line to fail", CEILING, || (front.faults() > 0).then_some(()));
    send(i32::try_from(child.0.id()).expect("a number"), Signal::INT);
    child.wait(CEILING);
    front.set(Fault::None);
    device
}

/// The poll and the recorder are late; the recorder finds drives awake, so that uploads have their turn.
fn settings(device: &Device, front: &Front, more: &str) {
    let past = json!({ "poll": late()["poll"], "recorder": { "started_unix_s": 1_700_000_000 } });
    let proxy = front.url();
    prepare(device, &format!("[portal]\nproxy = '{proxy}'\n[run]\ncheck = ''\n{more}"), &past);
}

#[test]
fn quiet_hours_let_no_byte_out() {
    let portal = Portal::start();
    let front = Front::start(&portal.folder.path().join("data"), &portal.url);
    let device = begun(&portal, &front);
    settings(&device, &front, &format!("quiet_hours = '{}'\n", quiet_now()));
    let _swept = swept(&device);
    let before = front.wire().len();
    let daemon = Daemon::start(&device);
    // Jobs that are due go in one order: uploads and polls stand before `keep`.
    daemon.waits_for("keep: ");
    assert!(!daemon.said("drain: ") && !daemon.said("poll: "));
    assert_eq!(front.wire().len(), before, "nothing was said to the portal");
    assert_eq!(waiting(&device), 1);
    // The owner ends them.
    let settings = fs::read_to_string(device.state().join("assay.toml")).expect("settings");
    let without: Vec<&str> = settings.lines().filter(|line| !line.starts_with("quiet_hours")).collect();
    fs::write(device.state().join("assay.toml"), without.join("\n")).expect("a file");
    daemon.signal(Signal::HUP);
    daemon.waits_for("drain: 1 accepted");
    daemon.waits_for("poll: ");
    daemon.stop();
    assert!(front.wire().len() > before);
    assert_eq!(waiting(&device), 0);
}

/// The bound holds at every moment, however slow the machine is: a slow one sends less.
#[test]
fn the_daemon_uploads_no_faster_than_it_may() {
    let portal = Portal::start();
    let front = Front::start(&portal.folder.path().join("data"), &portal.url);
    let device = begun(&portal, &front);
    settings(&device, &front, &format!("[upload]\nbytes_per_s = {RATE}\n"));
    let _swept = swept(&device);
    let before = front.wire().len() as u64;
    let begun = Instant::now();
    let daemon = Daemon::start(&device);
    let sent = wait_for("the upload", CEILING, || {
        let is_done = daemon.said("drain: 1 accepted");
        let sent = front.wire().len() as u64 - before;
        let allowed = RATE + HEADS_BYTES + RATE * begun.elapsed().as_millis() as u64 / 1000;
        assert!(sent <= allowed, "{sent} bytes went out, {allowed} were allowed by then");
        is_done.then_some(sent)
    });
    daemon.stop();
    assert!(sent > 2 * RATE + HEADS_BYTES, "{sent} bytes are too few to be slowed down");
    assert_eq!(waiting(&device), 0);
}
