//! Network interfaces with hardware behind them: `/sys/class/net/*` that have a `device`.
//!
//! Bridges, bonds, VLANs and tunnels have none and are left out. While an interface is down the kernel refuses
//! `carrier` and `speed` (EINVAL), so those are not asked then. A driver that does not know the speed says -1, which
//! old kernels print as 4294967295. No addresses of the network are read.

use assay_bundle::Observed;
use assay_bundle::facts::network::NetworkLink;
use assay_bundle::units::MegabitsPerSecond;

use crate::door::Door;
use crate::source::Request;

const INTERFACES: &str = "/sys/class/net";
/// What is read of every interface, on or off.
const FILES: [&str; 12] = [
    "flags",
    "address",
    "operstate",
    "carrier_changes",
    "statistics/rx_errors",
    "statistics/rx_crc_errors",
    "statistics/rx_frame_errors",
    "statistics/rx_over_errors",
    "statistics/rx_missed_errors",
    "statistics/tx_errors",
    "statistics/tx_carrier_errors",
    "statistics/collisions",
];
/// `IFF_UP` of `if.h`: the administrator has switched it on.
const UP: u32 = 1;

/// Reads every interface.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<Vec<NetworkLink>> {
    let names = match door.names(INTERFACES).await {
        Ok(names) => names,
        Err(missing) => return missing.observed(),
    };
    let mut links = Vec::new();
    let devices = names.iter().filter(|name| *name != "lo");
    let devices = devices.map(|name| Request::link(format!("{INTERFACES}/{name}/device")));
    door.ahead(&devices.collect::<Vec<_>>()).await;
    for name in names.iter().filter(|name| *name != "lo") {
        let device = door.link(&format!("{INTERFACES}/{name}/device")).await;
        if !device.is_absent() {
            links.push(link(door, name).await);
        }
    }
    if links.is_empty() {
        Observed::Absent
    } else {
        Observed::seen(links, format!("{}/.list", &INTERFACES[1..]))
    }
}

async fn link(door: &Door<'_>, name: &str) -> NetworkLink {
    let file = |file: &str| format!("{INTERFACES}/{name}/{file}");
    door.attributes_ahead(&format!("{INTERFACES}/{name}"), &FILES).await;
    let flags = door.value(&file("flags"), "a hexadecimal number", hexadecimal).await;
    let down = flags.value().is_some_and(|flags| flags & UP == 0);
    let carrier = if down { switched_off() } else { door.flag(&file("carrier")).await };
    let silent = down || carrier.value() == Some(&false);
    NetworkLink {
        name: name.to_owned(),
        mac: known_mac(door.text(&file("address")).await),
        driver: door.link(&file("device/driver")).await.map(last_part),
        state: door.text(&file("operstate")).await,
        carrier,
        speed_mbit_s: if silent { Observed::Absent } else { known_speed(door, &file("speed")).await },
        carrier_changes: door.number(&file("carrier_changes")).await,
        rx_errors: door.number(&file("statistics/rx_errors")).await,
        rx_crc_errors: door.number(&file("statistics/rx_crc_errors")).await,
        rx_frame_errors: door.number(&file("statistics/rx_frame_errors")).await,
        rx_over_errors: door.number(&file("statistics/rx_over_errors")).await,
        rx_missed_errors: door.number(&file("statistics/rx_missed_errors")).await,
        tx_errors: door.number(&file("statistics/tx_errors")).await,
        tx_carrier_errors: door.number(&file("statistics/tx_carrier_errors")).await,
        collisions: door.number(&file("statistics/collisions")).await,
        duplex: if silent { Observed::Absent } else { known_duplex(door.text(&file("duplex")).await) },
    }
}

fn switched_off<T>() -> Observed<T> {
    Observed::unreadable("the interface is switched off, so the kernel does not look for a carrier")
}

async fn known_speed(door: &Door<'_>, path: &str) -> Observed<MegabitsPerSecond> {
    match door.value(path, "a speed in Mbit/s", |text| text.parse::<i64>().ok()).await {
        Observed::Seen { value, from } => match u64::try_from(value) {
            Ok(speed) if speed > 0 && speed < u64::from(u32::MAX) => {
                Observed::seen(MegabitsPerSecond(speed), from)
            }
            _ => Observed::Absent,
        },
        other => other.map(|_| MegabitsPerSecond(0)),
    }
}

/// A driver that does not know writes `unknown`.
fn known_duplex(duplex: Observed<String>) -> Observed<String> {
    match duplex {
        Observed::Seen { value, .. } if value != "full" && value != "half" => Observed::Absent,
        other => other,
    }
}

fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// A MAC address of zeros is what a driver without one has.
fn known_mac(mac: Observed<String>) -> Observed<String> {
    match mac {
        Observed::Seen { value, .. } if value.bytes().all(|b| matches!(b, b'0' | b':')) => Observed::Absent,
        other => other,
    }
}

fn last_part(target: String) -> String {
    target.rsplit('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::door::testing::run;

    fn links(files: &[(&str, &str)]) -> Observed<Vec<NetworkLink>> {
        let files: Vec<(String, &str)> =
            files.iter().map(|(path, text)| (format!("sys/class/net/{path}"), *text)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        run(&files, async |door| collect(door).await)
    }

    fn check_speed(text: &str, expected: Option<u64>, absent: bool) {
        let found = links(&[
            ("eth0/device.link", "../../../0000:01:00.0"),
            ("eth0/flags", "0x1003"),
            ("eth0/speed", text),
        ]);
        let speed = &found.value().expect("one link")[0].speed_mbit_s;
        assert_eq!((speed.value().map(|s| s.0), speed.is_absent()), (expected, absent), "{text}");
    }

    #[test]
    fn a_speed_and_its_sentinels() {
        check_speed("1000\n", Some(1000), false);
        check_speed("2500", Some(2500), false);
        check_speed("-1\n", None, true);
        check_speed("4294967295\n", None, true);
        check_speed("0", None, true);
        check_speed("fast", None, false);
    }

    #[test]
    fn an_interface_that_is_off_is_not_asked() {
        let found = links(&[
            ("eth0/device.link", "../x"),
            ("eth0/device/driver.link", "../../bus/pci/drivers/igb"),
            ("eth0/flags", "0x1002"),
            ("eth0/carrier.unreadable", r#"{"io":{"why":"EINVAL"}}"#),
            ("eth0/address", "00:00:00:00:00:00"),
        ]);
        let link = &found.value().expect("one link")[0];
        assert_eq!(link.driver.value().map(String::as_str), Some("igb"));
        assert!(link.carrier.why_not().is_some_and(|why| why.contains("switched off")));
        assert!(link.mac.is_absent() && link.speed_mbit_s.is_absent());
    }

    #[test]
    fn duplex_and_counters() {
        let found = links(&[
            ("eth0/device.link", "../x"),
            ("eth0/flags", "0x1003"),
            ("eth0/duplex", "half\n"),
            ("eth0/statistics/tx_carrier_errors", "7\n"),
            ("eth0/statistics/collisions", "many\n"),
            ("eth1/device.link", "../x"),
            ("eth1/flags", "0x1003"),
            ("eth1/duplex", "unknown\n"),
        ]);
        let links = found.value().expect("two links");
        assert_eq!(links[0].duplex.value().map(String::as_str), Some("half"));
        assert_eq!(links[0].tx_carrier_errors.value(), Some(&7));
        assert!(links[0].collisions.why_not().is_some_and(|why| why.contains("whole number")));
        assert!(links[1].duplex.is_absent());
    }

    #[test]
    fn only_hardware_is_listed() {
        assert_eq!(links(&[("lo/operstate", "unknown"), ("bond0/speed", "1000")]), Observed::Absent);
        assert_eq!(links(&[]), Observed::Absent);
    }
}
