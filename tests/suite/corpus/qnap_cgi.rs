//! Management pages of five real models (QTS 4.2 to 4.5) against what a Python client made of the same pages. They lie
//! beside the project and are never copied into it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use assay_bundle::Observed;
use assay_bundle::facts::management::{BayHealth, SystemPage};
use assay_bundle::facts::volumes::{Volume, VolumeSize, VolumeStatus, VolumeUnit};
use assay_collector::management_cgi::{self, Login, Page};
use serde_json::Value;

use crate::support::shared_data;

/// Values of the other client that are not ours, and why: page, key (`*` for one name, a last `**` for all below), its
/// value (`*` for any), reason. A row that no value needs fails.
const ARGUED: &[(&str, &str, &str, &str)] = &[
    (
        "systemstats",
        "system.serial_number",
        "--",
        "no product data stored: there is no serial number, so Absent",
    ),
    ("systemstats", "system.serial_number", "Q---", "the same, as QTS 4.2 writes it on a TS-451"),
    ("systemstats", "cpu.usage_percent", "*", "load of a moment, from the host sample"),
    ("systemstats", "cpu.temp_f", "*", "the same temperature in another unit"),
    ("systemstats", "system.temp_f", "*", "the same temperature in another unit"),
    ("systemstats", "memory.free", "*", "use of a moment, from the host sample"),
    (
        "systemstats",
        "memory.total",
        "*",
        "what the system may use, from the host sample; the slots are the hardware",
    ),
    ("systemstats", "firmware.patch", "*", "always 0"),
    ("systemstats", "firmware.build_time", "*", "the build day in another order"),
    ("systemstats", "uptime.**", "*", "from the kernel"),
    ("systemstats", "dns.**", "*", "the owner's network, not read"),
    ("systemstats", "system.name", "*", "the owner's name for it, not read"),
    ("systemstats", "system.timezone", "*", "the owner's place, not read"),
    ("systemstats", "nics.*.ip", "*", "the owner's network, not read"),
    ("systemstats", "nics.*.mask", "*", "the owner's network, not read"),
    ("systemstats", "nics.*.usage", "*", "the owner's network, not read"),
    (
        "volumes",
        "3.label",
        "Volume 3",
        "legacy models give no label, the other client makes one of the number",
    ),
    ("volumes", "4.label", "Volume 4", "the same"),
    ("volumes", "*.folders.**", "*", "names and sizes of the owner's shared folders, not read"),
    ("bandwidth", "*.is_default", "*", "the owner's choice of a default route"),
    ("bandwidth", "*.name", "*", "QTS's name for a port, which says no more than its number"),
    (
        "bandwidth",
        "*.rx",
        "*",
        "throughput of a moment; counters and link speed are facts of the network probe",
    ),
    ("bandwidth", "*.tx", "*", "the same"),
];

/// What a login says besides the session, and why it is not read. Each page may have nothing else.
const NOT_READ_OF_LOGIN: &[(&[&str], &str)] = &[
    (&["authPassed", "mediaReady", "doQuick", "is_booting", "fwNotice", "ts"], "states of the answer itself"),
    (&["authSid", "SUID", "cuid"], "secrets of the session"),
    (&["username", "groupname", "isAdmin", "pw_status"], "the person"),
    (&["shutdown_info", "type", "timestamp", "duration"], "a planned shutdown, the owner's plan"),
    (&["SMBFW", "psType", "qts_mode_type"], "modes whose numbers are not documented"),
    (&["title", "content", "showVersion", "show_link"], "the owner's texts on the login page"),
    (
        &["standard_massage", "standard_color", "standard_size", "standard_bg_style"],
        "looks of the login page",
    ),
];

fn fits(pattern: &str, key: &str) -> bool {
    let mut names = key.split('.');
    for part in pattern.split('.') {
        if part == "**" {
            return true;
        }
        if names.next().is_none_or(|name| part != "*" && part != name) {
            return false;
        }
    }
    names.next().is_none()
}

/// The row that argues a value.
fn argued(page: &str, key: &str, value: &Value) -> Option<usize> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    ARGUED
        .iter()
        .position(|(on, known, of, _)| *on == page && fits(known, key) && (*of == "*" || *of == text))
}

/// Every value of a JSON document with its path.
fn leaves(value: &Value, path: &str, out: &mut BTreeMap<String, Value>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| leaves(value, &below(key), out)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, v)| leaves(v, &below(&at.to_string()), out))
        }
        Value::Null => {}
        value => drop(out.insert(path.to_owned(), value.clone())),
    }
}

fn text(reading: &Observed<String>) -> Value {
    reading.value().map_or(Value::Null, |text| text.clone().into())
}

/// Our facts in the other client's shape.
fn system(page: &SystemPage) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let mut put = |key: String, value: Value| {
        if !value.is_null() {
            all.insert(key, value);
        }
    };
    let degrees = |name: &str| {
        let sensors = page.temperatures.value().into_iter().flatten();
        let found = sensors.filter(|s| s.name == name).find_map(|s| s.temperature_c.value());
        found.map_or(Value::Null, |degrees| degrees.0.into())
    };
    put("cpu.model".into(), text(&page.cpu_model));
    put("cpu.temp_c".into(), degrees("CPU"));
    put("system.temp_c".into(), degrees("system"));
    put("system.model".into(), text(&page.model));
    put("system.serial_number".into(), text(&page.serial));
    put("firmware.version".into(), text(&page.firmware));
    put("firmware.build".into(), text(&page.firmware_build));
    for (at, port) in page.network_ports.value().into_iter().flatten().enumerate() {
        // The other client names ports by their order.
        let key = |name: &str| format!("nics.eth{at}.{name}");
        let number = |reading: &Observed<u64>| reading.value().map_or(Value::Null, |n| (*n).into());
        put(key("mac"), text(&port.mac));
        put(key("err_packets"), number(&port.error_packets));
        put(key("rx_packets"), number(&port.rx_packets));
        put(key("tx_packets"), number(&port.tx_packets));
        put(key("max_speed"), port.maximum_mbit_s.value().map_or(Value::Null, |speed| speed.0.into()));
        let link = port.link.value().map(|up| if *up { "Up" } else { "Down" });
        put(key("link_status"), link.map_or(Value::Null, Value::from));
    }
    all
}

/// The bays with a drive in the other client's shape.
fn bays(all: &[BayHealth]) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for bay in all.iter().filter(|bay| bay.filled.value() == Some(&true)) {
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                found.insert(format!("{}.{name}", bay.bay), value);
            }
        };
        put("drive_number", bay.bay.clone().into());
        put("health", text(&bay.health));
        put("model", text(&bay.model));
        put("serial", text(&bay.serial));
        put("temp_c", bay.temperature_c.value().map_or(Value::Null, |degrees| degrees.0.into()));
        // Old firmware does not say; the other client then says `hdd`, even of an Intel SSD.
        let kind = bay.solid_state.value().map(|flash| if *flash { "ssd" } else { "hdd" });
        put("type", kind.map_or(Value::Null, Value::from));
    }
    found
}

/// The volumes with a size in the other client's shape, by their number; it leaves out the others, whose list of use is
/// empty (QTS 4.5). Its own keys are the labels, which need not be different.
fn volumes(all: &[Volume]) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for volume in all.iter().filter(|volume| volume.size.is_seen()) {
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                found.insert(format!("{}.{name}", volume.number), value);
            }
        };
        let bytes = |size: &Observed<VolumeSize>| {
            let size = size.value().filter(|size| size.unit == VolumeUnit::Byte);
            size.map_or(Value::Null, |size| (size.hundredths / 100).into())
        };
        put("id", volume.number.to_string().into());
        put("label", text(&volume.description));
        put("total_size", bytes(&volume.size));
        put("free_size", bytes(&volume.free));
    }
    found
}

fn by_number(theirs: Value) -> Value {
    let Value::Object(volumes) = theirs else { panic!("volumes by their labels") };
    let number = |volume: &Value| volume["id"].as_str().expect("a number").to_owned();
    Value::Object(volumes.into_iter().map(|(_, volume)| (number(&volume), volume)).collect())
}

/// Values that are equal, values that are argued; the rows that argued are added to `used`.
fn compare(
    file: &Path,
    ours: &BTreeMap<String, Value>,
    theirs: &Value,
    not_ours: &[&str],
    used: &mut BTreeSet<usize>,
) -> (usize, usize) {
    let mut expected = BTreeMap::new();
    leaves(theirs, "", &mut expected);
    let (mut equal, mut left) = (0, 0);
    for (key, value) in &expected {
        let last = key.rsplit('.').next().unwrap_or_default();
        let row = argued(&stem(file), key, value);
        used.extend(row);
        if row.is_some() || not_ours.contains(&last) {
            left += 1;
            continue;
        }
        assert_eq!(ours.get(key), Some(value), "{}: {key}", file.display());
        equal += 1;
    }
    for (key, value) in ours {
        assert_eq!(expected.get(key), Some(value), "{}: {key} is ours alone", file.display());
    }
    (equal, left)
}

/// A login has no JSON beside it: each of its elements is read or argued.
fn login(file: &Path, xml: &str, found: &Login) -> (usize, usize) {
    let hero_model = found.hero_model.value().map(|hero| if *hero { "1" } else { "0" });
    let known: BTreeSet<&str> =
        NOT_READ_OF_LOGIN.iter().flat_map(|(names, _)| names.iter().copied()).collect();
    let (mut equal, mut left) = (0, 0);
    let body = xml.split_once("<QDocRoot").and_then(|(_, rest)| rest.split_once('>')).expect("a root").1;
    for (name, after) in
        body.split('<').filter(|tag| !tag.starts_with(['/', '!'])).filter_map(|tag| tag.split_once('>'))
    {
        assert_eq!(after.trim(), "", "text without a wrapping");
        if name == "hero_model" {
            let hero_model = hero_model.expect("read");
            assert!(body.contains(&format!("<hero_model><![CDATA[{hero_model}]]>")), "{}", file.display());
            equal += 1;
        } else {
            assert!(known.contains(name), "{}: {name} is neither read nor argued", file.display());
            left += 1;
        }
    }
    assert_eq!(equal, usize::from(hero_model.is_some()));
    let unread = Login { hero_model: Observed::Absent, ..found.clone() };
    let absent = || Observed::Absent;
    let none = Login {
        model: absent(),
        internal_model: absent(),
        serial: absent(),
        hero: Observed::Absent,
        hero_model: Observed::Absent,
        firmware: absent(),
        firmware_number: absent(),
        firmware_build: absent(),
    };
    assert_eq!(unread, none, "{}", file.display());
    (equal, left)
}

fn stem(file: &Path) -> String {
    file.file_stem().expect("a name").to_string_lossy().into_owned()
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for model in std::fs::read_dir(folder).expect("a folder").flatten().filter(|entry| entry.path().is_dir())
    {
        found.extend(std::fs::read_dir(model.path()).expect("a folder").flatten().map(|entry| entry.path()));
    }
    found.retain(|path| path.extension().is_some_and(|ending| ending == "xml"));
    found.sort();
    found
}

#[test]
fn management_pages_of_real_models() {
    let Some(folder) = shared_data("qnap-cgi") else { return };
    let (mut equal, mut left, mut compared) = (0, 0, 0);
    let mut used = BTreeSet::new();
    let files = pages(&folder);
    for file in &files {
        let xml = String::from_utf8_lossy(&std::fs::read(file).expect("the page")).into_owned();
        let page = management_cgi::parse(&xml, "x").expect("a page");
        let json = std::fs::read_to_string(file.with_extension("json")).ok();
        let theirs: Value = json.map_or(Value::Null, |json| serde_json::from_str(&json).expect("JSON"));
        let (same, other) = match stem(file).as_str() {
            "systemstats" => {
                compare(file, &system(&page.system.expect("this page")), &theirs, &[], &mut used)
            }
            "systemhealth" => {
                assert_eq!(page.health.map(Value::from), Some(theirs), "{}", file.display());
                (1, 0)
            }
            "smartdiskhealth" => {
                let found = page.bays.expect("this page");
                let said =
                    found.iter().all(|bay| bay.filled.value() != Some(&true) || bay.solid_state.is_seen());
                // Rounded text and another unit; and what old firmware does not say.
                let not_ours: &[&str] =
                    if said { &["capacity", "temp_f"] } else { &["capacity", "temp_f", "type"] };
                compare(file, &bays(&found), &theirs, not_ours, &mut used)
            }
            "volumes" => {
                let found = page.volumes.expect("this page");
                assert!(!found.is_empty());
                for volume in &found {
                    assert_eq!(volume.status.value(), Some(&VolumeStatus::Ready), "{}", file.display());
                }
                compare(file, &volumes(&found), &by_number(theirs), &[], &mut used)
            }
            "bandwidth" => {
                assert_eq!(page, Page { bandwidth: true, ..Page::default() }, "{}", file.display());
                compare(file, &BTreeMap::new(), &theirs, &[], &mut used)
            }
            "login" => {
                let found = page.login.clone().expect("this page");
                assert_eq!(page, Page { login: page.login.clone(), ..Page::default() }, "{}", file.display());
                login(file, &xml, &found)
            }
            other => panic!("{other}: no known page"),
        };
        equal += same;
        left += other;
        compared += 1;
    }
    for (at, (page, key, value, _)) in ARGUED.iter().enumerate() {
        assert!(used.contains(&at), "no page needs the row {page} {key} {value}");
    }
    println!("qnap-cgi: {compared} of {} pages compared, {equal} values equal, {left} argued", files.len());
}

#[test]
fn the_kept_form_of_real_pages_says_the_same_and_no_secret() {
    let Some(folder) = shared_data("qnap-cgi") else { return };
    for file in pages(&folder) {
        let xml = String::from_utf8_lossy(&std::fs::read(&file).expect("the page")).into_owned();
        let Ok(kept) = management_cgi::essentials(&xml, 7) else { continue };
        for personal in [
            "hostname",
            "server_name",
            "authSid",
            "SUID",
            "cuid",
            "eth_ip",
            "dns",
            "timezone",
            "sharename",
            "username",
        ] {
            assert!(!kept.contains(&format!("<{personal}")), "{}: {personal}", file.display());
        }
        let (mut whole, mut again) = (
            management_cgi::parse(&xml, "x").expect("a page"),
            management_cgi::parse(&kept, "x").expect("a page"),
        );
        for page in [&mut whole, &mut again] {
            if let Some(system) = &mut page.system {
                system.answered_unix_s = Observed::NotCollected;
            }
        }
        assert_eq!(again, whole, "{}", file.display());
    }
}
