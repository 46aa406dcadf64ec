//! `mdadm --detail` and `zpool status` against the JSON beside each file, which another program made of the same text,
//! and `/proc/mdstat` with many kinds of arrays. Three things are other on purpose, and written into the comparison: an
//! empty slot is a row of theirs and no member of ours; a heading in a pool's tree is a row of theirs and the class of
//! ours; the names of damaged files are the owner's, so they are neither kept nor counted.

use std::path::{Path, PathBuf};

use assay_bundle::facts::md::{MdArray, MdMember, MdMemberState};
use assay_bundle::facts::zfs::ZfsPool;
use assay_collector::{mdadm, mdstat, zpool};
use serde_json::{Value, json};

use crate::support::shared_data;

fn files(prefix: &str) -> Vec<PathBuf> {
    let Some(folder) = shared_data("mdadm-text") else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    files.retain(|path| stem(path).starts_with(prefix) && path.extension().is_some_and(|e| e == "out"));
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("named").to_string_lossy().into_owned()
}

fn beside(path: &Path) -> (String, Value) {
    let text = std::fs::read_to_string(path).expect("a text");
    let json = std::fs::read_to_string(path.with_extension("json")).expect("the JSON beside it");
    (text, serde_json::from_str(&json).expect("JSON"))
}

fn text(reading: &assay_bundle::Observed<String>) -> Value {
    reading.value().map_or(Value::Null, |text| text.clone().into())
}

fn number<T: Copy + Into<u64>>(reading: &assay_bundle::Observed<T>) -> Value {
    reading.value().map_or(Value::Null, |number| (*number).into().into())
}

/// Compares each value that the other side has; says how many there were.
fn compare(file: &str, pairs: &[(&str, Value, Value)]) -> usize {
    let mut equal = 0;
    for (what, ours, theirs) in pairs {
        if !theirs.is_null() {
            assert_eq!(ours, theirs, "{file}: {what}");
            equal += 1;
        }
    }
    equal
}

/// What the words of a row mean, by `mdadm(8)`: written down here a second time, from the other side's words.
fn state(words: &[Value]) -> MdMemberState {
    let has = |word: &str| words.iter().any(|w| w == word);
    match () {
        () if has("faulty") => MdMemberState::Faulty,
        () if has("rebuilding") => MdMemberState::Rebuilding,
        () if has("spare") => MdMemberState::Spare,
        () if has("active") && has("sync") => MdMemberState::InSync,
        () => MdMemberState::Other,
    }
}

fn member(file: &str, ours: &MdMember, theirs: &Value) {
    assert_eq!(format!("/dev/{}", ours.device), theirs["device"], "{file}");
    assert_eq!(ours.slot.map_or(Value::Null, Value::from), theirs["raid_device"], "{file}: {}", ours.device);
    let words = theirs["state"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert_eq!(ours.state, state(words), "{file}: {}", ours.device);
    let said: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    assert_eq!(ours.state_text, said.join(" "), "{file}: {}", ours.device);
}

fn array(file: &str, ours: &MdArray, theirs: &Value) -> usize {
    let words: Vec<&str> =
        theirs["state_list"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let action = words.iter().find_map(|word| match *word {
        "recovering" => Some("recovery"),
        "resyncing" => Some("resync"),
        _ => None,
    });
    let missing =
        theirs["raid_devices"].as_u64().zip(theirs["active_devices"].as_u64()).map(|(all, up)| all - up);
    let percent =
        theirs["rebuild_status_percent"].as_u64().or_else(|| theirs["resync_status_percent"].as_u64());
    let running =
        |text: &Value| text.as_str().map(|text| text.split('%').next().and_then(|n| n.parse::<u64>().ok()));
    let percent = percent.or_else(|| {
        running(&theirs["rebuild_status"]).or_else(|| running(&theirs["resync_status"])).flatten()
    });
    compare(
        file,
        &[
            ("device", format!("/dev/{}", ours.name).into(), theirs["device"].clone()),
            ("version", text(&ours.metadata_version), theirs["version"].clone()),
            ("raid_level", text(&ours.level), theirs["raid_level"].clone()),
            ("raid_devices", number(&ours.raid_disks), theirs["raid_devices"].clone()),
            ("missing", number(&ours.missing), json!(missing)),
            ("state", text(&ours.state), json!(words.first())),
            (
                "action",
                text(&ours.sync_action),
                json!((!words.is_empty()).then_some(action.unwrap_or("idle"))),
            ),
            (
                "progress",
                number(&ours.sync_hundredths_of_percent),
                json!(percent.map(|percent| percent * 100)),
            ),
            (
                "array_size",
                ours.size_bytes.value().map_or(Value::Null, |bytes| bytes.0.into()),
                json!(theirs["array_size_num"].as_u64().map(|kib| kib * 1024)),
            ),
        ],
    )
}

#[test]
fn mdadm_details() {
    let (mut arrays, mut values, mut members) = (0, 0, 0);
    for path in files("mdadm-query") {
        let (out, theirs) = beside(&path);
        let file = stem(&path);
        let found = mdadm::parse(&out, "x");
        let theirs = match &theirs {
            Value::Array(list) => list.clone(),
            one => vec![one.clone()],
        };
        assert_eq!(found.len(), theirs.len(), "{file}");
        for (ours, theirs) in found.iter().zip(&theirs) {
            arrays += 1;
            values += array(&file, ours, theirs);
            // An empty slot is a row of theirs and no member of ours.
            let rows: Vec<&Value> = theirs["device_table"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|row| !row["device"].is_null())
                .collect();
            let ours = ours.members.value().map(Vec::as_slice).unwrap_or_default();
            assert_eq!(ours.len(), rows.len(), "{file}: members");
            for (ours, theirs) in ours.iter().zip(rows) {
                member(&file, ours, theirs);
                members += 1;
            }
        }
    }
    println!("mdadm-text: {arrays} arrays, {values} values and {members} members equal");
}

fn pool(file: &str, ours: &ZfsPool, theirs: &Value) -> usize {
    let one_blank =
        |text: &Value| json!(text.as_str().map(|t| t.split_whitespace().collect::<Vec<_>>().join(" ")));
    let scan = if theirs["scan"].is_null() { &theirs["scrub"] } else { &theirs["scan"] };
    let errors = theirs["errors"].as_str().unwrap_or_default();
    let equal = compare(
        file,
        &[
            ("pool", ours.name.clone().into(), theirs["pool"].clone()),
            ("state", text(&ours.state), theirs["state"].clone()),
            ("status", text(&ours.status), one_blank(&theirs["status"])),
            ("action", text(&ours.action), one_blank(&theirs["action"])),
            ("scan", ours.scan.value().map_or(Value::Null, |scan| scan.text.clone().into()), one_blank(scan)),
            ("data_errors", number(&ours.data_errors), json!(errors.starts_with("No known").then_some(0))),
        ],
    );
    // Their headings of sections are rows.
    let rows: Vec<&Value> =
        theirs["config"].as_array().into_iter().flatten().filter(|row| !row["state"].is_null()).collect();
    assert_eq!(ours.vdevs.len(), rows.len(), "{file}: rows");
    for (ours, theirs) in ours.vdevs.iter().zip(rows) {
        let count = |reading: &assay_bundle::Observed<assay_bundle::facts::zfs::ZfsNumber>| {
            reading.value().map_or(Value::Null, |number| number.value.into())
        };
        let found = [
            Value::from(ours.name.clone()),
            text(&ours.state),
            count(&ours.read_errors),
            count(&ours.write_errors),
            count(&ours.checksum_errors),
            json!(ours.note),
        ];
        let expected =
            ["name", "state", "read", "write", "checksum", "errors"].map(|key| theirs[key].clone());
        assert_eq!(found, expected, "{file}");
    }
    equal
}

#[test]
fn zpool_states() {
    let (mut pools, mut values, mut rows) = (0, 0, 0);
    for path in files("zpool-status") {
        let (out, theirs) = beside(&path);
        let file = stem(&path);
        let found = zpool::parse(&out, "x");
        let theirs = theirs.as_array().expect("a list of pools");
        assert_eq!(found.len(), theirs.len(), "{file}");
        for (ours, theirs) in found.iter().zip(theirs) {
            pools += 1;
            values += pool(&file, ours, theirs);
            rows += ours.vdevs.len();
        }
    }
    println!("mdadm-text: {pools} pools, {values} values and {rows} rows equal");
}

#[test]
fn mdstat_with_many_kinds_of_arrays() {
    let Some(folder) = shared_data("linux-sysfs") else { return };
    let bytes = std::fs::read(folder.join("mdstat")).expect("the file");
    let text = String::from_utf8_lossy(&bytes);
    let short = |array: &MdArray| {
        let members = array.members.value().map(Vec::as_slice).unwrap_or_default();
        let count = |state| members.iter().filter(|member| member.state == state).count();
        use MdMemberState::{Faulty, InSync, Rebuilding, Spare};
        format!(
            "{} {} {} {} [{}] {} {}",
            array.name,
            array.state.value().map_or("?", String::as_str),
            array.level.value().map_or("?", String::as_str),
            array.metadata_version.value().map_or("?", String::as_str),
            [InSync, Rebuilding, Spare, Faulty].map(|state| count(state).to_string()).join(" "),
            array
                .raid_disks
                .value()
                .zip(array.missing.value())
                .map_or_else(|| "-".to_owned(), |(slots, missing)| format!("{slots}-{missing}"),),
            array.sync_action.value().map_or("?".to_owned(), |action| {
                match (array.sync_hundredths_of_percent.value(), array.sync_waits.value()) {
                    (_, Some(true)) => format!("{action} waits"),
                    (Some(done), _) => format!("{action} {done}"),
                    _ => action.clone(),
                }
            }),
        )
    };
    let found: Vec<String> = mdstat::parse(&text, "proc/mdstat").iter().map(short).collect();
    // Name, state, level, format, members [in sync, rebuilding, spare, faulty], slots - missing, what runs.
    assert_eq!(
        found,
        [
            "md3 active raid6 1.2 [8 0 2 0] 8-0 idle",
            "md127 active raid1 0.90 [2 0 0 0] 2-0 idle",
            "md0 active raid1 0.90 [2 0 0 0] 2-0 idle",
            "md4 inactive raid1 0.90 [0 0 1 1] 2-0 idle",
            "md6 active raid1 0.90 [1 0 1 1] 2-1 recovery 850",
            "md8 active raid1 0.90 [2 0 2 0] 2-0 resync 850",
            "md201 active raid1 1.2 [2 0 0 0] 2-0 check 570",
            "md7 active raid6 1.2 [3 0 0 1] 4-1 idle",
            "md9 active raid1 1.2 [4 0 1 2] 4-0 resync waits",
            "md10 active raid0 0.90 [2 0 0 0] - idle",
            "md11 read-auto raid1 1.2 [2 0 2 1] 2-0 resync waits",
            "md12 active raid0 1.2 [2 0 0 0] - idle",
            "md126 active raid0 external:/md127/0 [2 0 0 0] - idle",
            "md219 inactive ? external:imsm [0 0 3 0] - idle",
            "md00 active raid0 1.2 [1 0 0 0] - idle",
            "md120 active linear 1.2 [2 0 0 0] - idle",
            "md101 readonly raid0 1.2 [3 0 0 0] - idle",
        ]
    );
    println!("linux-sysfs: {} arrays in mdstat equal", found.len());
}
