//! The daemon asks the portal: a request that is issued there is on the device's list without anybody having asked for
//! it, a device that nobody asks anything is not written to, and a pause is one.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use super::*;

pub(super) const QUIET: &str = "[run]\ncheck = ''\nrecorder_minutes = 0\n";

/// A poll that is late: the daemon asks as soon as it begins.
pub(super) fn late() -> Value {
    json!({ "poll": { "started_unix_s": 1_700_000_000 } })
}

/// Removes what answers to requests keep in RAM.
pub(super) fn swept(device: &Device) -> [Swept; 2] {
    let folder = ram(device);
    let support = sha256_hex(device.state().join("support").as_os_str().as_encoded_bytes());
    let support = folder.with_file_name(format!("support-{}", &support[..16]));
    [Swept(folder), Swept(support)]
}

/// Wakes the daemon as any child's end does.
pub(super) fn wake(daemon: &Daemon<'_>) {
    daemon.signal(Signal::CHILD);
}

fn polls(portal: &Portal) -> usize {
    let log = fs::read_to_string(portal.folder.path().join("log")).expect("the portal's log");
    log.lines().filter(|line| line.contains("/api/v1/poll")).count()
}

/// The poll of the status, once it ended as often as this.
pub(super) fn polled(device: &Device, runs: u64) -> Value {
    wait_for("a poll", CEILING, || {
        let status = device.run(&["status", "--json"]).ends(0).json();
        let poll = job(&status, "poll").clone();
        (poll["runs"].as_u64() >= Some(runs) && status["daemon"]["now_running"].is_null()).then_some(poll)
    })
}

fn listed(device: &Device) -> Vec<String> {
    let list = device.run(&["support", "list", "--json"]).ends(0).json();
    list.as_array().expect("a list").iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
}

/// Everything below the state folder: what it is and when it was changed last.
fn tree(device: &Device) -> BTreeMap<PathBuf, (u64, u64, i64, i64, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut left = vec![device.state()];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).expect("it is there");
        if meta.is_dir() {
            left.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
        }
        let changed = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
        found.insert(path, (meta.ino(), meta.len(), changed.0, changed.1, changed.2, changed.3));
    }
    found
}

#[test]
fn a_request_of_the_portal_is_on_the_list() {
    let device = Device::new();
    let portal = Portal::start();
    prepare(&device, QUIET, &json!({}));
    let _swept = swept(&device);
    let daemon = Daemon::start(&device);
    let status = device.run(&["status", "--json"]).ends(0).json();
    assert!(job(&status, "poll").is_null(), "nobody is asked before the owner enrols: {status}");
    portal.enrol(&device);
    wake(&daemon);
    daemon.waits_for("this device is enrolled now");
    let status = device.run(&["status", "--json"]).ends(0).json();
    assert!(job(&status, "poll")["next"].is_string(), "{status}");
    // Somebody waited a moment ago: the daemon asks soon, and the portal holds its call.
    device.run(&["support", "wait"]).ends(2);
    assert_eq!(listed(&device), [""; 0]);
    wake(&daemon);
    let id = portal.issue(&device);
    daemon.waits_for(&format!("the support request {id} came and waits for you"));
    assert_eq!(listed(&device), [id.as_str()]);
    assert!(device.run(&["log"]).ends(0).out.contains("asks for a bundle"));
    assert!(
        device.state().join("support/last-poll.json").is_file(),
        "news are kept for the time after a boot"
    );
    assert!(device.run(&["status"]).ends(0).out.contains("`assay support show"), "it is in the status");
    daemon.stop();
    // Taken by the daemon, it is the same request for everybody else.
    assert!(device.run(&["support", "wait"]).ends(0).out.contains(&id));
    assert_eq!(listed(&device), [id.as_str()]);
}

#[test]
fn a_poll_without_news_writes_to_ram_alone() {
    let device = Device::new();
    let portal = Portal::start();
    portal.enrol(&device);
    prepare(&device, QUIET, &late());
    let swept = swept(&device);
    // The first of a boot, and one more: neither says anything new.
    for _ in 0..2 {
        let _ = fs::remove_dir_all(&swept[0].0);
        prepare(&device, QUIET, &late());
        let before = tree(&device);
        let daemon = Daemon::start(&device);
        let poll = polled(&device, 1);
        assert_eq!(poll["outcome"], "nobody asks for anything");
        assert!(poll["next"].is_string(), "{poll}");
        assert_eq!(tree(&device), before, "a sleeping disk would have been woken");
        daemon.stop();
    }
    // The portal writes its log in its own time.
    wait_for("both polls in the portal's log", CEILING, || (polls(&portal) >= 2).then_some(()));
    assert_eq!(polls(&portal), 2);
    // A portal that is away is no failure, and is asked again.
    drop(portal);
    let _ = fs::remove_dir_all(&swept[0].0);
    prepare(&device, QUIET, &late());
    let before = tree(&device);
    let daemon = Daemon::start(&device);
    let poll = polled(&device, 1);
    let outcome = poll["outcome"].as_str().expect("words");
    assert!(outcome.contains("could not be asked") && poll["failures"] == 0, "{poll}");
    assert_eq!(tree(&device), before);
    daemon.stop();
}

#[test]
fn a_pause_asks_nobody() {
    let device = Device::new();
    let portal = Portal::start();
    portal.enrol(&device);
    prepare(&device, QUIET, &late());
    let _swept = swept(&device);
    device.run(&["pause"]).ends(0);
    let daemon = Daemon::start(&device);
    assert!(polled(&device, 1)["outcome"].as_str().expect("words").contains("paused"));
    daemon.stop();
    assert_eq!(polls(&portal), 0);
}
