//! Parsers against real outputs of real devices, which lie beside the project and are never copied into it. The
//! expected values were computed independently of us; a difference is a question to answer.

mod qnap_cgi;

use std::collections::BTreeMap;

use assay_bundle::Facts;
use assay_bundle::facts::md::MdMemberState;
use assay_collector::recorded::RecordedSource;
use assay_collector::{Options, collect};

use crate::support::shared_data;

mod differences;
#[path = "../../collector/src/hostile.rs"]
mod hostile;
mod smartctl;

/// Facts of these recorded files.
fn facts_of(files: BTreeMap<String, Vec<u8>>) -> Facts {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(collect(&RecordedSource::from_files(files), &Options::default())).facts
}

#[test]
fn mdstat_with_many_kinds_of_arrays() {
    let Some(folder) = shared_data("linux-sysfs") else { return };
    let bytes = std::fs::read(folder.join("mdstat")).expect("the file");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let facts = facts_of([("proc/mdstat".to_owned(), bytes)].into());
    let arrays = facts.md_arrays.value().expect("arrays");
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("md")).collect();
    assert_eq!(arrays.len(), heads.len());
    let mut members = 0;
    for array in arrays {
        let head =
            heads.iter().find(|head| head.starts_with(&format!("{} :", array.name))).expect("its line");
        let (listed, faulty) = (head.matches('[').count(), head.matches("(F)").count());
        let found = array.members.value().expect("members");
        members += found.len();
        assert_eq!(found.len(), listed, "{head}");
        assert_eq!(
            found.iter().filter(|member| member.state == MdMemberState::Faulty).count(),
            faulty,
            "{head}"
        );
        let slots = array.raid_disks.value().zip(array.missing.value());
        let said = slots.map(|(slots, missing)| format!("[{slots}/{}]", slots - missing));
        assert!(said.is_none_or(|said| text.contains(&said)), "{head}");
    }
    println!("linux-sysfs: {} arrays, {members} members in mdstat", arrays.len());
}

/// The archive is text: `Path:` and `Lines:` then so many lines, or `SymlinkTo:`.
fn ttar(text: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut lines = text.lines();
    let mut path = String::new();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("Path: ") {
            path = name.to_owned();
        } else if let Some(target) = line.strip_prefix("SymlinkTo: ") {
            files.insert(format!("{path}.link"), target.as_bytes().to_vec());
        } else if let Some(count) = line.strip_prefix("Lines: ") {
            let count: usize = count.parse().expect("a number of lines");
            let content: String =
                (0..count).filter_map(|_| lines.next()).flat_map(|line| [line, "\n"]).collect();
            files.insert(path.clone(), content.replace("NULLBYTE", "\0").into_bytes());
        }
    }
    files
}

#[test]
fn a_sysfs_tree_of_another_project() {
    let Some(folder) = shared_data("linux-sysfs") else { return };
    let text = std::fs::read_to_string(folder.join("sys.ttar")).expect("the archive");
    let files = ttar(&text);
    let read = |path: &str| files.get(path).map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    let facts = facts_of(files.clone());
    let arrays = facts.md_arrays.value().expect("arrays");
    for array in arrays {
        let file = |name: &str| read(&format!("sys/block/{}/md/{name}", array.name));
        assert_eq!(array.level.value().cloned(), file("level"), "{}", array.name);
        assert_eq!(array.state.value().cloned(), file("array_state"), "{}", array.name);
        assert_eq!(array.missing.value().map(u32::to_string), file("degraded"), "{}", array.name);
    }
    let controllers = facts.memory_controllers.value().expect("controllers");
    for controller in controllers {
        let file = |name: &str| read(&format!("sys/devices/system/edac/mc/{}/{name}", controller.name));
        assert_eq!(controller.corrected.value().map(u64::to_string), file("ce_count"), "{}", controller.name);
        assert_eq!(
            controller.uncorrected.value().map(u64::to_string),
            file("ue_count"),
            "{}",
            controller.name
        );
    }
    let sensors = facts.temperatures.value().map_or(0, Vec::len);
    println!(
        "linux-sysfs: {} arrays, {} memory controllers, {sensors} temperatures of {} files",
        arrays.len(),
        controllers.len(),
        files.len()
    );
}
