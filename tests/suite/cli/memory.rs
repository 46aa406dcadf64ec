//! What runs remember for the next ones, with the real program: begun by a collection, kept by a check, read by both.

use std::fs;

use serde_json::Value;

use super::run::{Device, names};

fn history(json: &Value) -> &Value {
    &json["facts"]["history"]["seen"]["value"]
}

#[test]
fn a_collection_begins_a_memory_and_the_next_run_reads_it() {
    let device = Device::new();
    let memory = device.state().join("memory");
    let json = device.run(&["check", "--json"]).json();
    assert_eq!(json["facts"]["history"], "absent");
    assert!(!memory.exists(), "a check leaves no trace");
    device.run(&["collect", "-o", &device.text("a.assay")]).ends(0);
    // A machine of which nothing at all can be followed leaves nothing; every real one has a link or a sensor.
    let followed = ["network_links", "temperatures", "fans", "drives", "md_arrays", "memory_controllers"];
    if followed.iter().all(|kind| json["facts"][kind]["seen"].is_null()) {
        return assert!(!memory.exists());
    }
    let json = device.run(&["check", "--json"]).json();
    assert_eq!(history(&json)["records"], 1, "{}", json["steps"]);
    assert_eq!(history(&json)["segments_damaged"], 0);
    // A full older file, and a torn end: what is whole counts.
    let newer = fs::read(memory.join("recorder.jsonl")).expect("a recorder");
    fs::write(memory.join("recorder.old.jsonl"), &newer).unwrap();
    fs::write(memory.join("recorder.jsonl"), [&newer[..], &newer[..20]].concat()).unwrap();
    let json = device.run(&["check", "--json"]).json();
    assert_eq!((&history(&json)["records"], &history(&json)["segments_damaged"]), (&2.into(), &1.into()));
    let status = device.run(&["status"]).ends(0);
    assert!(status.out.contains("recorder   "), "{}", status.out);
    // What one bundle says of the past follows from its raw forms.
    device.run(&["collect", "-o", &device.text("b.assay")]).ends(0);
    let replayed = device.run(&["replay", &device.text("b.assay"), "--json"]).json();
    assert_eq!(replayed["facts_contradict_raw"], false, "{}", replayed["differences"]);
}

#[test]
fn a_recorder_that_is_off_or_in_the_way_costs_nothing_else() {
    let mut device = Device::new();
    device.environment.push(("ASSAY_COLLECT_RECORDER".into(), "false".into()));
    device.run(&["collect", "-o", &device.text("a.assay")]).ends(0);
    assert!(!device.state().join("memory").exists());
    assert!(device.run(&["status"]).ends(0).out.contains("switched off"));
    device.environment.pop();
    fs::write(device.state().join("memory"), "a file where the folder belongs").unwrap();
    device.run(&["collect", "-o", &device.text("b.assay")]).ends(0);
    assert_eq!(names(&device.state()).iter().filter(|name| *name == "memory").count(), 1);
    let verified = device.run(&["verify", &device.text("b.assay"), "--json"]).ends(0).json();
    assert_eq!(verified["evidence"], true);
}
