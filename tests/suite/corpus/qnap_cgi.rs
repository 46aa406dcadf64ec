//! Management pages of five real models (QTS 4.2 to 4.5) against what a Python client made of the same pages. They lie
//! beside the project and are never copied into it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assay_bundle::Observed;
use assay_bundle::facts::management::{BayHealth, SystemPage};
use assay_collector::management_cgi::{self, Page};
use serde_json::Value;

use crate::support::shared_data;

/// Values of the other client that are not ours, and why: key, its value (`*` for any), reason.
const ARGUED: &[(&str, &str, &str)] = &[
    ("system.serial_number", "--", "no product data stored: there is no serial number, so Absent"),
    ("system.serial_number", "Q---", "the same, as QTS 4.2 writes it on a TS-451"),
    ("cpu.usage_percent", "*", "load of a moment, from the host sample"),
    ("cpu.temp_f", "*", "the same temperature in another unit"),
    ("system.temp_f", "*", "the same temperature in another unit"),
    ("memory.free", "*", "use of a moment, from the host sample"),
    ("memory.total", "*", "what the system may use, from the host sample; the slots are the hardware"),
    ("firmware.patch", "*", "always 0"),
    ("firmware.build_time", "*", "the build day in another order"),
    ("uptime.", "*", "from the kernel"),
    ("dns", "*", "the owner's network, not read"),
    ("system.name", "*", "the owner's name for it, not read"),
    ("system.timezone", "*", "the owner's place, not read"),
    (".ip", "*", "the owner's network, not read"),
    (".mask", "*", "the owner's network, not read"),
    (".usage", "*", "the owner's network, not read"),
];

fn argued(key: &str, value: &Value) -> bool {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    ARGUED.iter().any(|(known, of, _)| {
        let same = key == *known
            || (known.starts_with('.') && key.ends_with(known))
            || (known.ends_with('.') && key.starts_with(known))
            || key.starts_with(&format!("{known}."));
        same && (*of == "*" || *of == text)
    })
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

fn compare(file: &Path, ours: &BTreeMap<String, Value>, theirs: &Value, not_ours: &[&str]) -> (usize, usize) {
    let mut expected = BTreeMap::new();
    leaves(theirs, "", &mut expected);
    let (mut equal, mut left) = (0, 0);
    for (key, value) in &expected {
        let last = key.rsplit('.').next().unwrap_or_default();
        if argued(key, value) || not_ours.contains(&last) {
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
    let files = pages(&folder);
    for file in &files {
        let xml = String::from_utf8_lossy(&std::fs::read(file).expect("the page")).into_owned();
        let page = management_cgi::parse(&xml, "x");
        let json = std::fs::read_to_string(file.with_extension("json")).ok();
        let theirs: Value = json.map_or(Value::Null, |json| serde_json::from_str(&json).expect("JSON"));
        let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let (same, other) = match stem.as_str() {
            "systemstats" => {
                let page = page.expect("a page").system.expect("this page");
                compare(file, &system(&page), &theirs, &[])
            }
            "systemhealth" => {
                assert_eq!(page.expect("a page").health.map(Value::from), Some(theirs), "{}", file.display());
                (1, 0)
            }
            "smartdiskhealth" => {
                let found = page.expect("a page").bays.expect("this page");
                let said =
                    found.iter().all(|bay| bay.filled.value() != Some(&true) || bay.solid_state.is_seen());
                // Rounded text and another unit; and what old firmware does not say.
                let not_ours: &[&str] =
                    if said { &["capacity", "temp_f"] } else { &["capacity", "temp_f", "type"] };
                compare(file, &bays(&found), &theirs, not_ours)
            }
            // Not asked for: volumes come from the storage tools, bandwidth is a moment, the login is a secret.
            _ => {
                assert!(page.is_err() || page == Ok(Page::default()), "{}", file.display());
                (0, 0)
            }
        };
        equal += same;
        left += other;
        compared += usize::from(same > 0);
    }
    println!("qnap-cgi: {compared} of {} pages compared, {equal} values equal, {left} argued", files.len());
}

#[test]
fn the_kept_form_of_real_pages_says_the_same_and_no_secret() {
    let Some(folder) = shared_data("qnap-cgi") else { return };
    for file in pages(&folder) {
        let xml = String::from_utf8_lossy(&std::fs::read(&file).expect("the page")).into_owned();
        let Ok(kept) = management_cgi::essentials(&xml, 7) else { continue };
        for personal in
            ["hostname", "server_name", "authSid", "eth_ip", "dns", "timezone", "sharename", "username"]
        {
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
