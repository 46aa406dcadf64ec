//! The XML of QTS's management pages (QTS 4.2 to 5.2), asked through an administrator's session or pasted.
//!
//! Keys were renamed between releases: `fan_fail1` (4.2) became `sysfan_fail1` (4.5), some have neither; `mem_slot_info`,
//! `ifname` and `bios_version` are missing on old ones. What a page does not have is Absent here: the page would know.
//! Refused as values: `serial_number` `--` and `Q---` (no product data stored), power temperatures and fans of -1 and
//! -2 (no sensor), a drive's 0 C (asleep) and `module_temperature` 32763 (never read). An empty bay (`Disk_Status` -5)
//! is called `Abnormal` by old firmware: it has no health.
//!
//! A page is full of personal things (host name, addresses, time zone, share names), so [`essentials`] keeps a list of
//! elements and nothing else before a page becomes raw form. Throughput (`bandwidth_info`) is of a moment: the page is
//! known and nothing of it is read. Volumes and logins have files of their own below.

mod login;
mod volumes;

use assay_bundle::Observed;
use assay_bundle::facts::hwmon::{Fan, TemperatureSensor};
use assay_bundle::facts::limits::{LimitKind, LimitOf, TemperatureLimit};
use assay_bundle::facts::management::{BayHealth, MemorySlot, NetworkPort, SystemPage};
use assay_bundle::facts::power::{PowerSource, PowerUnit};
use assay_bundle::facts::volumes::Volume;
use assay_bundle::units::{Celsius, MegabitsPerSecond, Rpm};

pub use self::login::Login;
use crate::hal_log::{Source, limit, unit_name};
use crate::xml::{self, Element};

/// Most bytes of one page.
pub const MOST_PAGE_BYTES: usize = 1024 * 1024;
/// Most fans, ports and power units that are looked for.
const MOST_NUMBERED: u32 = 32;
const NOUN: &str = "QTS's management page";
/// Network throughput.
const BANDWIDTH: &str = "bandwidth_info";

/// What one page holds; every page of the closed list may be handed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// System information, if it is that page.
    pub system: Option<SystemPage>,
    /// QTS's word for the whole, if it is that page.
    pub health: Option<String>,
    /// QTS's verdict on each bay, if it is that page.
    pub bays: Option<Vec<BayHealth>>,
    /// Volumes, if it is a page of them; sizes in bytes. No probe asks for one.
    pub volumes: Option<Vec<Volume>>,
    /// Which machine answered, if it is the answer to a login. No probe asks for one.
    pub login: Option<Login>,
    /// Whether it is the page of network throughput, which holds no fact about hardware.
    pub bandwidth: bool,
}

impl Page {
    /// Whether the page is any of those above.
    pub fn is_known(&self) -> bool {
        *self != Self::default()
    }
}

/// Reads a page; `place` is where it stands below `raw/`.
///
/// # Errors
/// In words, when it is no whole page or was not answered to an administrator. A login may be answered to anyone.
pub fn parse(text: &str, place: &str) -> Result<Page, &'static str> {
    let root = document(text)?;
    let reader = Reader { root: &root, place };
    if login::is_login(&root) {
        return Ok(Page { login: Some(reader.login()), ..Page::default() });
    }
    answered(&root)?;
    let system =
        root.find("root").is_some_and(|own| own.find("nic_cnt").is_some() || own.find("cpu_usage").is_some());
    Ok(Page {
        system: system.then(|| reader.system()),
        health: root.find("sysHealth").and_then(|found| found.text("status")).map(str::to_owned),
        bays: root
            .find("Disk_Info")
            .map(|list| list.all("entry").into_iter().map(|e| reader.bay(e)).collect()),
        volumes: reader.volumes()?,
        login: None,
        bandwidth: root.find(BANDWIDTH).is_some(),
    })
}

fn document(text: &str) -> Result<Element, &'static str> {
    let root = xml::parse(text)?;
    if root.name == "QDocRoot" { Ok(root) } else { Err("the page is no page of QTS") }
}

/// Whether QTS accepted the session.
fn answered(root: &Element) -> Result<(), &'static str> {
    match root.text("authPassed") {
        Some("1") => Ok(()),
        _ => Err("QTS did not accept the session; log in to QTS as an administrator again"),
    }
}

/// Elements that are kept in the raw form, without the number at their end.
const KEPT: [&str; 61] = [
    "authPassed",
    "model",
    "modelName",
    "internalModelName",
    "platform",
    "platform_ex",
    "displayModelName",
    "is_zfs",
    "firmware",
    "version",
    "number",
    "build",
    "patch",
    "func",
    "ownContent",
    "root",
    "cpu_usage",
    "cpufan_count",
    "cpu_model",
    "total_memory",
    "mem_max_slots",
    "mem_slot_info",
    "mem_valid",
    "mem_slot_id",
    "mem_channel_id",
    "mem_dimm_size",
    "mem_dimm_manufacturer",
    "nic_cnt",
    "ifname",
    "rx_packet",
    "tx_packet",
    "err_packet",
    "eth_status",
    "eth_max_speed",
    "eth_mac",
    "HDTempWarnT",
    "HDTempErrT",
    "SSDTempWarnT",
    "SSDTempErrT",
    "cpu_tempc",
    "CPUTempWarnT",
    "CPUTempErrT",
    "sys_tempc",
    "SysTempWarnT",
    "SysTempErrT",
    "sysfan_count",
    "sysfan",
    "sysfan_fail",
    "fan_fail",
    "PowerTemp",
    "PowerStatus",
    "PowerFanStatus",
    "serial_number",
    "bios_version",
    "sysHealth",
    "status",
    "Disk_Info",
    "entry",
    "HDNo",
    "Disk_Status",
    BANDWIDTH,
];
/// The same, within a bay.
const KEPT_OF_BAY: [&str; 11] = [
    "Health",
    "io_health",
    "Capacity",
    "Temperature",
    "oC",
    "LastTestSts",
    "LastTestType",
    "Model",
    "Serial",
    "FirmVersion",
    "hd_is_ssd",
];

/// The page without anything that is not about hardware, and when it was answered (seconds since 1970): its raw form.
///
/// # Errors
/// As [`parse`]: what is no page of QTS is not kept at all.
pub fn essentials(text: &str, answered_unix_s: i64) -> Result<String, &'static str> {
    let root = document(text)?;
    answered(&root)?;
    let mut out = format!(
        "<?xml version=\"1.0\"?>\n<QDocRoot>\n<answered_unix_s>{answered_unix_s}</answered_unix_s>\n"
    );
    for child in &root.children {
        write(child, &mut out);
    }
    out.push_str("</QDocRoot>\n");
    Ok(out)
}

fn write(element: &Element, out: &mut String) {
    // The number stands at the end (`sysfan1`) or within (`Power1Status`).
    let plain: String = element.name.chars().filter(|c| !c.is_ascii_digit()).collect();
    let mut kept = KEPT.iter().chain(&KEPT_OF_BAY).chain(&volumes::KEPT).chain(&login::KEPT);
    if !kept.any(|name| *name == plain) {
        return;
    }
    if element.children.is_empty() {
        out.push_str(&format!("<{0}>{1}</{0}>\n", element.name, xml::escaped(&element.text)));
        return;
    }
    out.push_str(&format!("<{}>\n", element.name));
    for child in &element.children {
        write(child, out);
    }
    out.push_str(&format!("</{}>\n", element.name));
}

struct Reader<'a> {
    root: &'a Element,
    place: &'a str,
}

impl Reader<'_> {
    fn system(&self) -> SystemPage {
        let own = self.root;
        SystemPage {
            answered_unix_s: match self.value(own, "answered_unix_s", |text| text.parse().ok()) {
                // A pasted page does not say when.
                Observed::Absent => Observed::NotCollected,
                seen => seen,
            },
            model: self.text(own, "displayModelName"),
            internal_model: self.text(own, "internalModelName"),
            hero: self.flag(own, "is_zfs"),
            firmware: self.below("firmware", "version"),
            firmware_number: self.below("firmware", "number"),
            firmware_build: self.below("firmware", "build"),
            serial: self.serial(),
            bios_version: self.text(own, "bios_version"),
            cpu_model: self.text(own, "cpu_model"),
            memory_slots: self.list(own.all("mem_slot_info").into_iter().map(|e| self.slot(e)).collect()),
            network_ports: self.list(numbered(own, "err_packet", |number| self.port(number))),
            fans: self.list(numbered(own, "sysfan", |number| self.fan(number))),
            temperatures: self.list(self.temperatures()),
            limits: self.list(self.limits()),
            power_units: self.list(self.power_units()),
        }
    }

    /// `--` and `Q---` where no product data is stored.
    fn serial(&self) -> Observed<String> {
        match self.text(self.root, "serial_number") {
            Observed::Seen { value, .. } if value.ends_with("--") => Observed::Absent,
            serial => serial,
        }
    }

    fn slot(&self, element: &Element) -> MemorySlot {
        let filled = self.flag(element, "mem_valid");
        let empty = filled.value() == Some(&false);
        MemorySlot {
            slot: self.value(element, "mem_slot_id", |text| text.parse().ok()),
            channel: self.text(element, "mem_channel_id"),
            size_mib: match empty {
                true => Observed::Absent,
                false => {
                    self.value(element, "mem_dimm_size", |text| text.parse().ok().filter(|size| *size > 0))
                }
            },
            manufacturer: if empty { Observed::Absent } else { self.text(element, "mem_dimm_manufacturer") },
            filled,
        }
    }

    fn port(&self, number: u32) -> NetworkPort {
        let own = self.root;
        let key = |name: &str| format!("{name}{number}");
        NetworkPort {
            name: own.text(&key("ifname")).map_or_else(|| format!("port {number}"), str::to_owned),
            mac: self.text(own, &key("eth_mac")),
            link: self.flag(own, &key("eth_status")),
            maximum_mbit_s: self
                .value(own, &key("eth_max_speed"), |text| text.parse().ok().filter(|speed| *speed > 0))
                .map(MegabitsPerSecond),
            rx_packets: self.value(own, &key("rx_packet"), |text| text.parse().ok()),
            tx_packets: self.value(own, &key("tx_packet"), |text| text.parse().ok()),
            error_packets: self.value(own, &key("err_packet"), |text| text.parse().ok()),
        }
    }

    fn fan(&self, number: u32) -> Fan {
        let own = self.root;
        let speed_rpm = match own.text(&format!("sysfan{number}")).map(str::parse::<i64>) {
            Some(Ok(-2 | -1)) => {
                Observed::unreadable(format!("{NOUN}: it says that the speed cannot be read"))
            }
            _ => self.value(own, &format!("sysfan{number}"), |text| Rpm::plausible(text.parse().ok()?)),
        };
        let fault = match self.flag(own, &format!("sysfan_fail{number}")) {
            Observed::Absent => self.flag(own, &format!("fan_fail{number}")),
            fault => fault,
        };
        let counted = self.value(own, "sysfan_count", |text| text.parse::<u32>().ok());
        Fan {
            name: format!("system fan {number}"),
            speed_rpm,
            fault,
            expected: counted.map(|count| number <= count),
            ..Fan::default()
        }
    }

    fn temperatures(&self) -> Vec<TemperatureSensor> {
        [("CPU", "cpu_tempc"), ("system", "sys_tempc")]
            .into_iter()
            .filter(|(_, key)| self.root.text(key).is_some())
            .map(|(name, key)| TemperatureSensor {
                name: name.to_owned(),
                temperature_c: match self.root.text(key) {
                    Some("-1" | "--") => Observed::Absent,
                    _ => self.value(self.root, key, |text| Celsius::of_drive(text.parse().ok()?)),
                },
                ..TemperatureSensor::default()
            })
            .collect()
    }

    fn limits(&self) -> Vec<TemperatureLimit> {
        [
            ("CPUTempWarnT", LimitOf::Cpu, LimitKind::Warning),
            ("CPUTempErrT", LimitOf::Cpu, LimitKind::Critical),
            ("SysTempWarnT", LimitOf::System, LimitKind::Warning),
            ("SysTempErrT", LimitOf::System, LimitKind::Critical),
            ("HDTempWarnT", LimitOf::HardDisk, LimitKind::Warning),
            ("HDTempErrT", LimitOf::HardDisk, LimitKind::Critical),
            ("SSDTempWarnT", LimitOf::SolidState, LimitKind::Warning),
            ("SSDTempErrT", LimitOf::SolidState, LimitKind::Critical),
        ]
        .into_iter()
        .filter_map(|(key, of, kind)| {
            let temperature_c = match self.root.text(key)?.parse() {
                Ok(value) => limit(value, NOUN, self.place),
                Err(_) => Observed::unreadable(format!("{NOUN}: {key} is no number")),
            };
            Some(TemperatureLimit { of, kind, temperature_c, line: None })
        })
        .collect()
    }

    fn power_units(&self) -> Vec<PowerUnit> {
        let from = Source { noun: NOUN, place: self.place };
        (1..=MOST_NUMBERED)
            .filter_map(|number| {
                let status = self.root.text(&format!("Power{number}Status"))?;
                Some(PowerUnit {
                    name: unit_name(number),
                    status: from.status(Some(status)),
                    temperature_c: from.temperature(self.root.text(&format!("Power{number}Temp"))),
                    fan_rpm: Observed::NotCollected,
                    source: PowerSource::ManagementPage,
                    line: None,
                })
            })
            .collect()
    }

    fn bay(&self, entry: &Element) -> BayHealth {
        let filled = match self.value(entry, "Disk_Status", |text| text.parse::<i64>().ok()) {
            Observed::Seen { value: -5, from } => Observed::seen(false, from),
            status => status.map(|_| true),
        };
        let bay = entry.text("HDNo").unwrap_or_default().to_owned();
        if filled.value() == Some(&false) {
            let none = || Observed::Absent;
            return BayHealth {
                bay,
                filled,
                health: none(),
                model: none(),
                serial: none(),
                firmware: none(),
                temperature_c: Observed::Absent,
                last_self_test: none(),
                solid_state: Observed::Absent,
            };
        }
        // `module_temperature` has the same children and stands before.
        let degrees = entry.children.iter().find(|child| child.name == "Temperature");
        let temperature_c = match degrees.and_then(|found| found.text("oC")) {
            None | Some("--") => Observed::Absent,
            Some("0") => Observed::unreadable(format!("{NOUN}: 0 C, the drive sleeps or was not asked")),
            Some(text) => text.parse().ok().and_then(Celsius::of_drive).map_or_else(
                || Observed::unreadable(format!("{NOUN}: not a temperature that a drive can have")),
                |degrees| Observed::seen(degrees, self.place),
            ),
        };
        BayHealth {
            bay,
            filled,
            health: self.text(entry, "Health"),
            model: self.text(entry, "Model"),
            serial: self.text(entry, "Serial"),
            firmware: self.text(entry, "FirmVersion"),
            temperature_c,
            last_self_test: self.text(entry, "LastTestSts"),
            solid_state: self.flag(entry, "hd_is_ssd"),
        }
    }

    fn below(&self, folder: &str, key: &str) -> Observed<String> {
        self.root.find(folder).map_or(Observed::Absent, |found| self.text(found, key))
    }

    fn text(&self, element: &Element, key: &str) -> Observed<String> {
        element.text(key).map_or(Observed::Absent, |text| Observed::seen(text.to_owned(), self.place))
    }

    fn flag(&self, element: &Element, key: &str) -> Observed<bool> {
        self.value(element, key, crate::door::flag)
    }

    fn value<T>(&self, element: &Element, key: &str, read: impl FnOnce(&str) -> Option<T>) -> Observed<T> {
        match element.text(key) {
            None => Observed::Absent,
            Some(text) => read(text).map_or_else(
                || Observed::unreadable(format!("{NOUN}: {key} has no value of its range")),
                |value| Observed::seen(value, self.place),
            ),
        }
    }

    fn list<T>(&self, all: Vec<T>) -> Observed<Vec<T>> {
        if all.is_empty() { Observed::Absent } else { Observed::seen(all, self.place) }
    }
}

/// One thing for each element `<key>1`, `<key>2`, … that is there.
fn numbered<T>(root: &Element, key: &str, read: impl Fn(u32) -> T) -> Vec<T> {
    (1..=MOST_NUMBERED).filter(|number| root.text(&format!("{key}{number}")).is_some()).map(read).collect()
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use assay_bundle::facts::power::PowerStatus;

    use super::*;
    use crate::hostile;

    /// A rack unit of our own invention, with the keys of QTS 4.5.
    const SYSTEM: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>
<QDocRoot version=\"1.0\">
<authPassed><![CDATA[1]]></authPassed><model><internalModelName><![CDATA[TS-X83]]></internalModelName>
<displayModelName><![CDATA[TS-1283XU-RP]]></displayModelName><is_zfs><![CDATA[0]]></is_zfs></model>
<firmware><version><![CDATA[5.1.2]]></version><number><![CDATA[2534]]></number><build><![CDATA[20230927]]></build></firmware>
<hostname><![CDATA[cellar]]></hostname>
<func><name><![CDATA[S_MENU_40]]></name><ownContent><root><cpu_usage><![CDATA[4.5 %]]></cpu_usage>
<mem_slot_info><mem_valid>0</mem_valid><mem_slot_id>1</mem_slot_id><mem_dimm_size>0</mem_dimm_size></mem_slot_info>
<mem_slot_info><mem_valid>1</mem_valid><mem_slot_id>2</mem_slot_id><mem_channel_id>A</mem_channel_id>
<mem_dimm_size>8192</mem_dimm_size><mem_dimm_manufacturer><![CDATA[A & B]]></mem_dimm_manufacturer></mem_slot_info>
<nic_cnt>1</nic_cnt><ifname1>eth0</ifname1><err_packet1>213</err_packet1><eth_status1>1</eth_status1>
<eth_ip1>192.0.2.7</eth_ip1><eth_mac1>24:5E:BE:00:00:01</eth_mac1><eth_max_speed1>10000</eth_max_speed1>
<HDTempWarnT>55</HDTempWarnT><cpu_tempc>59</cpu_tempc><CPUTempErrT>80</CPUTempErrT><sys_tempc>-1</sys_tempc>
<sysfan_count>2</sysfan_count><sysfan1>1489</sysfan1><sysfan_fail1>0</sysfan_fail1><sysfan2>65535</sysfan2>
<fan_fail2>1</fan_fail2><Power1Temp>-2</Power1Temp><Power2Temp>41</Power2Temp><Power1Status>-1</Power1Status>
<Power2Status>0</Power2Status><PowerFanStatus1>-2</PowerFanStatus1><serial_number>Q---</serial_number>
</root></ownContent></func></QDocRoot>
";
    const BAYS: &str = "<QDocRoot><authPassed>1</authPassed><Disk_Info>
<entry><module_temperature><oC>32763</oC></module_temperature><Disk_Status>0</Disk_Status><HDNo>0:1</HDNo><Health>OK</Health>
<Temperature><oC>41</oC><oF>105</oF></Temperature><Serial>X1</Serial><hd_is_ssd>0</hd_is_ssd></entry>
<entry><Disk_Status>0</Disk_Status><HDNo>0:2</HDNo><Health>Abnormal</Health><Temperature><oC>0</oC></Temperature></entry>
<entry><Disk_Status>-5</Disk_Status><HDNo>0:3</HDNo><Health>Abnormal</Health></entry></Disk_Info></QDocRoot>";

    fn system(text: &str) -> SystemPage {
        parse(text, "x").expect("a page").system.expect("this page")
    }

    #[test]
    fn a_system_page() {
        let page = system(SYSTEM);
        assert_eq!(page.model.value().map(String::as_str), Some("TS-1283XU-RP"));
        assert_eq!(page.firmware_number.value().map(String::as_str), Some("2534"));
        assert!(page.serial.is_absent() && page.answered_unix_s.is_not_collected());
        let slots = page.memory_slots.value().expect("two");
        assert!(slots[0].size_mib.is_absent() && slots[0].filled.value() == Some(&false));
        assert_eq!(slots[1].manufacturer.value().map(String::as_str), Some("A & B"));
        let port = &page.network_ports.value().expect("one")[0];
        assert_eq!((port.name.as_str(), port.error_packets.value()), ("eth0", Some(&213)));
        let fans = page.fans.value().expect("two");
        assert_eq!((fans[0].speed_rpm.value(), fans[0].fault.value()), (Some(&Rpm(1489)), Some(&false)));
        assert!(fans[1].speed_rpm.why_not().is_some() && fans[1].fault.value() == Some(&true));
        let temperatures = page.temperatures.value().expect("two");
        assert!(temperatures[1].temperature_c.is_absent());
        let units = page.power_units.value().expect("two");
        assert_eq!(units[0].status.value(), Some(&PowerStatus::Failed));
        assert!(units[0].temperature_c.is_absent());
        assert_eq!(units[1].temperature_c.value(), Some(&Celsius(41)));
        assert_eq!(page.limits.value().map(Vec::len), Some(2));
    }

    #[test]
    fn a_bay_sleeps_or_is_empty() {
        let bays = parse(BAYS, "x").expect("a page").bays.expect("this page");
        assert_eq!(
            (bays[0].temperature_c.value(), bays[0].filled.value()),
            (Some(&Celsius(41)), Some(&true))
        );
        assert!(bays[1].temperature_c.why_not().is_some_and(|why| why.contains("sleeps")));
        assert!(bays[2].health.is_absent() && bays[2].filled.value() == Some(&false));
    }

    #[test]
    fn a_session_that_ended_is_no_reading() {
        fn check(text: &str, why: &str) {
            assert!(parse(text, "x").expect_err("refused").contains(why), "{text}");
        }
        check("<QDocRoot><authPassed>0</authPassed></QDocRoot>", "as an administrator again");
        check("<QDocRoot></QDocRoot>", "as an administrator again");
        check("<html><body>moved</body></html>", "no page of QTS");
        check("", "cut");
        let health =
            "<QDocRoot><authPassed>1</authPassed><sysHealth><status>good</status></sysHealth></QDocRoot>";
        assert_eq!(parse(health, "x").expect("a page").health.as_deref(), Some("good"));
    }

    #[test]
    fn throughput_is_known_and_not_read() {
        let text = "<QDocRoot><authPassed>1</authPassed><bandwidth_info><item><id>eth0</id><rx>1234</rx></item></bandwidth_info></QDocRoot>";
        let page = parse(text, "x").expect("a page");
        assert_eq!(page, Page { bandwidth: true, ..Page::default() });
        let kept = essentials(text, 7).expect("a page");
        assert!(parse(&kept, "x") == Ok(page) && !kept.contains("1234"), "{kept}");
        let other = "<QDocRoot><authPassed>1</authPassed><other/></QDocRoot>";
        assert!(!parse(other, "x").expect("a page").is_known());
    }

    #[test]
    fn the_kept_form_says_the_same_and_nothing_personal() {
        let kept = essentials(SYSTEM, 1_760_000_000).expect("a page");
        for personal in ["cellar", "192.0.2.7"] {
            assert!(!kept.contains(personal), "{kept}");
        }
        let expected = SystemPage { answered_unix_s: Observed::seen(1_760_000_000, "x"), ..system(SYSTEM) };
        assert_eq!(system(&kept), expected);
        let bays = essentials(BAYS, 7).expect("a page");
        assert_eq!(parse(&bays, "x").expect("a page").bays, parse(BAYS, "x").expect("a page").bays);
    }

    #[test]
    fn no_cut_and_no_damage_makes_a_value() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for page in [SYSTEM, BAYS] {
            for end in 0..page.trim_end().len() {
                assert!(!page.is_char_boundary(end) || parse(&page[..end], "x").is_err(), "{end}");
            }
            hostile::mutate(
                page.as_bytes(),
                1000,
                |bytes| parse(&text(bytes), "x"),
                |found| {
                    let Ok(page) = found else { return };
                    for unit in page.system.iter().flat_map(|p| p.power_units.value()).flatten() {
                        assert!(unit.temperature_c.value().is_none_or(|c| (1..128).contains(&c.0)));
                    }
                    for fan in page.system.iter().flat_map(|p| p.fans.value()).flatten() {
                        assert!(fan.speed_rpm.value().is_none_or(|rpm| rpm.0 <= 30_000));
                    }
                    for bay in page.bays.iter().flatten() {
                        assert!(bay.temperature_c.value().is_none_or(|c| (1..128).contains(&c.0)));
                    }
                },
            );
        }
    }
}
