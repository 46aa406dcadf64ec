//! A sysfs tree that another project keeps for its own tests, against a table written from reading the tree.

use std::collections::BTreeMap;

use assay_bundle::Facts;
use assay_bundle::facts::md::MdMemberState;
use assay_collector::recorded::RecordedSource;
use assay_collector::{Options, collect};

use crate::support::shared_data;

/// The archive is text: `Path:` and `Lines:` then so many lines (`EOF` glued to the last one where the file has no last
/// line break), or `SymlinkTo:`.
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
            let content = content.strip_suffix("EOF\n").map_or(content.clone(), str::to_owned);
            files.insert(path.clone(), content.replace("NULLBYTE", "\0").into_bytes());
        }
    }
    follow(&mut files);
    files
}

/// A recording has the files of a class where the kernel has a link to the device: each link of a class brings the
/// files behind it.
fn follow(files: &mut BTreeMap<String, Vec<u8>>) {
    let links: Vec<(String, String)> = files
        .iter()
        .filter(|(path, _)| path.starts_with("sys/class/") && path.matches('/').count() == 3)
        .filter_map(|(path, target)| {
            let name = path.strip_suffix(".link")?;
            Some((name.to_owned(), resolve(name, &String::from_utf8_lossy(target))))
        })
        .collect();
    for (name, target) in links {
        let below = format!("{target}/");
        let found: Vec<_> = files
            .range(below.clone()..)
            .take_while(|(path, _)| path.starts_with(&below))
            .map(|(path, bytes)| (format!("{name}/{}", &path[below.len()..]), bytes.clone()))
            .collect();
        files.extend(found);
    }
}

fn resolve(link: &str, target: &str) -> String {
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for part in target.split('/').filter(|part| !part.is_empty()) {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

fn facts() -> Option<Facts> {
    let folder = shared_data("linux-sysfs")?;
    let text = std::fs::read_to_string(folder.join("sys.ttar")).expect("the archive");
    Some(collected(ttar(&text)))
}

fn collected(files: BTreeMap<String, Vec<u8>>) -> Facts {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(collect(&RecordedSource::from_files(files), &Options::default())).facts
}

fn number<T: ToString>(reading: &assay_bundle::Observed<T>) -> String {
    reading.value().map_or_else(|| "-".to_owned(), T::to_string)
}

#[test]
fn arrays() {
    let Some(facts) = facts() else { return };
    let found: Vec<String> = facts
        .md_arrays
        .value()
        .expect("arrays")
        .iter()
        .map(|array| {
            use MdMemberState::{Faulty, InSync, Rebuilding, Spare};
            let members = array.members.value().map(Vec::as_slice).unwrap_or_default();
            let count = |state| members.iter().filter(|member| member.state == state).count().to_string();
            [
                array.name.clone(),
                number(&array.level),
                number(&array.state),
                number(&array.metadata_version),
                number(&array.raid_disks),
                number(&array.missing),
                [InSync, Rebuilding, Spare, Faulty].map(count).join("+"),
                number(&array.sync_action),
                number(&array.sync_hundredths_of_percent),
            ]
            .join(" ")
        })
        .collect();
    // Slots, missing, members in sync + rebuilding + spare + faulty, what runs and how far. The tree has no slots of
    // members, so the spare of md6 that is being filled is only a spare.
    assert_eq!(
        found,
        [
            "md0 raid0 clean 1.2 2 - 2+0+0+0 - -",
            "md1 raid1 clean 1.2 2 0 2+0+0+0 idle -",
            "md4 raid4 clean 1.2 3 0 3+0+0+0 idle -",
            "md5 raid5 clean 1.2 3 1 2+0+1+1 idle -",
            "md6 raid6 active 1.2 4 1 3+0+1+0 recovery 7500",
            "md10 raid10 clean 1.2 4 0 4+0+0+0 idle -",
        ]
    );
    println!("linux-sysfs: {} arrays equal", found.len());
}

#[test]
fn memory_controllers() {
    let Some(facts) = facts() else { return };
    let found: Vec<String> = facts
        .memory_controllers
        .value()
        .expect("controllers")
        .iter()
        .map(|mc| {
            let counts = [&mc.corrected, &mc.uncorrected, &mc.uncorrected_without_place].map(number);
            format!("{} {} {}", mc.name, counts.join(" "), mc.dimms.value().map_or(0, Vec::len))
        })
        .collect();
    // The tree has old `csrow` folders only, so no module is named.
    assert_eq!(found, ["mc0 1 5 6 0"]);
}

/// Every row of a table of readings must be among what was found: other sources may add to the list.
fn check_rows(found: &[String], expected: &[&str]) {
    for row in expected {
        assert!(found.iter().any(|found| found == row), "{row} is not among {found:#?}");
    }
}

#[test]
fn sensors() {
    let Some(facts) = facts() else { return };
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let temperatures: Vec<String> = facts
        .temperatures
        .value()
        .expect("temperatures")
        .iter()
        .map(|t| format!("{}={}", t.name, or_none(t.temperature_c.value().map(|c| c.0.to_string()))))
        .collect();
    check_rows(&temperatures, TEMPERATURES);
    assert!(!temperatures.iter().any(|row| row.starts_with("nvme")), "drives' sensors belong to the drives");
    let fans: Vec<String> = facts
        .fans
        .value()
        .expect("fans")
        .iter()
        .map(|f| format!("{}={}", f.name, or_none(f.speed_rpm.value().map(|rpm| rpm.0.to_string()))))
        .collect();
    check_rows(&fans, FANS);
    println!("linux-sysfs: {} temperatures and {} fans equal", TEMPERATURES.len(), FANS.len());
}

/// Chip and input, degrees: two processors with four cores each, a chip without a name, and radios.
const TEMPERATURES: &[&str] = &[
    "coretemp/temp1=55",
    "coretemp/temp2=54",
    "coretemp/temp3=52",
    "coretemp/temp4=53",
    "coretemp/temp5=50",
    "coretemp-2/temp1=55",
    "coretemp-2/temp2=54",
    "coretemp-2/temp3=52",
    "coretemp-2/temp4=53",
    "coretemp-2/temp5=50",
    "hwmon4/temp1=55",
    "hwmon4/temp2=54",
    "mt7996_phy0_0/temp1=55",
    "mt7996_phy0_1/temp1=56",
    "mt7996_phy0_2/temp1=57",
];

/// Chip and input, revolutions per minute.
const FANS: &[&str] = &["nct6779/fan2=1098"];

#[test]
fn interfaces() {
    let Some(folder) = shared_data("linux-sysfs") else { return };
    let text = std::fs::read_to_string(folder.join("sys.ttar")).expect("the archive");
    let mut files = ttar(&text);
    // No interface of the tree has a device behind it, so none is hardware; with one, eth0 is.
    assert!(collected(files.clone()).network_links.is_absent());
    files.insert("sys/class/net/eth0/device.link".to_owned(), b"../../../0000:03:00.0".to_vec());
    let facts = collected(files);
    let found: Vec<String> = facts
        .network_links
        .value()
        .expect("one link")
        .iter()
        .map(|link| {
            let speed = link.speed_mbit_s.value().map_or(0, |speed| speed.0);
            let changes = number(&link.carrier_changes);
            format!("{} {} {speed} {} {changes}", link.name, number(&link.state), number(&link.carrier))
        })
        .collect();
    assert_eq!(found, ["eth0 up 1000 true 2"]);
}
