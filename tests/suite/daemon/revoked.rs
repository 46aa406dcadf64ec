//! A portal that revoked the key: the daemon says so, keeps what waits, hardly calls any more, and goes on when the owner
//! has enrolled again.

use super::polling::{QUIET, late, polled, swept, wake};
use super::*;
use crate::cli::run::finish;

/// Calls of devices in the portal's log.
fn calls(portal: &Portal) -> Vec<String> {
    let log = fs::read_to_string(portal.folder.path().join("log")).expect("the portal's log");
    let paths = ["/api/v1/poll", "/api/v1/uploads", "/api/v1/reports"];
    log.lines().filter(|line| paths.iter().any(|path| line.contains(path))).map(str::to_owned).collect()
}

/// Bundles that are still to be sent.
pub(super) fn waiting(device: &Device) -> u64 {
    let status = device.run(&["status", "--json"]).ends(0).json();
    ["waiting", "uploading"].iter().filter_map(|state| status[state].as_u64()).sum()
}

/// Jobs that are late, and the recorder among them: it finds drives awake, so that uploads have their turn.
fn restless(device: &Device) {
    let past = json!({ "poll": late()["poll"], "recorder": { "started_unix_s": 1_700_000_000 } });
    prepare(device, "[run]\ncheck = ''\n", &past);
}

#[test]
fn a_revoked_key_is_said_and_hardly_asked_about_until_the_device_is_enrolled_again() {
    let mut portal = Portal::start();
    let device = Device::new();
    portal.enrol(&device);
    device.run(&["collect"]);
    // Begun by a person, while nobody listened.
    let address = portal.url.trim_start_matches("https://").to_owned();
    portal.stop();
    device.run(&["upload"]).ends(3);
    portal.listen(&address);
    let key = device.run(&["status", "--json"]).ends(0).json()["key_id"].as_str().expect("a key").to_owned();
    finish(portal.command(&["device", "revoke", &key, "--reason", "The unit was reported stolen."])).ends(0);

    prepare(&device, QUIET, &late());
    let swept = swept(&device);
    let daemon = Daemon::start(&device);
    assert!(polled(&device, 1)["outcome"].as_str().expect("words").contains("revoked this device's key"));
    let words = device.run(&["status"]).ends(0).out;
    assert!(words.contains("REVOKED") && words.contains("reported stolen"), "{words}");
    assert!(device.run(&["log"]).ends(0).out.contains("the portal revoked the key: The unit was reported"));
    daemon.stop();
    assert!(whole_log(&device).contains("poll: the portal has revoked this device's key"));
    wait_for("the poll in the portal's log", CEILING, || (calls(&portal).len() == 1).then_some(()));

    // Everything is late again, and the portal is left alone: by the poll, and by the upload that was begun.
    restless(&device);
    fs::remove_file(swept[0].0.join("daemon.json")).expect("what the daemon knew");
    let daemon = Daemon::start(&device);
    for job in ["poll", "drain"] {
        daemon.waits_for(&format!("{job}: the portal has revoked this device's key"));
    }
    assert!(daemon.said("looked at once a day"));
    daemon.stop();
    assert_eq!(calls(&portal).len(), 1, "{:?}", calls(&portal));
    assert_eq!(waiting(&device), 1, "nothing is lost");

    // With a new code it goes on at once, though the portal had said a quarter of a day.
    fs::remove_file(swept[0].0.join("daemon.json")).expect("what the daemon knew");
    restless(&device);
    let daemon = Daemon::start(&device);
    daemon.waits_for("poll: the portal has revoked this device's key");
    portal.enrol(&device);
    wake(&daemon);
    daemon.waits_for("the enrolment of this device is another one");
    daemon.waits_for("poll: nobody asks for anything");
    assert!(device.run(&["status", "--json"]).ends(0).json()["revoked"].is_null());
    daemon.stop();
    assert!(device.run(&["upload"]).ends(0).out.contains("accepted "));
    assert_eq!(waiting(&device), 0);
}
