//! Thermal zones of the kernel: `/sys/class/thermal/thermal_zoneN/{type,temp,trip_point_*}`.
//!
//! ARM models often have no other sensor. Zones of drives do not exist. A zone that is switched off or whose firmware
//! gives nothing fails with an error or reads 0: that is Unreadable, as are values that no part survives. The trip
//! point of type `critical` is where the kernel stops the machine, `hot` and `passive` where it slows it down; zones
//! without them say nothing about limits.

use assay_bundle::Observed;
use assay_bundle::facts::hwmon::TemperatureSensor;
use assay_bundle::units::Celsius;

use crate::door::{Door, Missing};

const ZONES: &str = "/sys/class/thermal";
/// Most trip points of one zone (the kernel's own limit).
const MOST_TRIPS: usize = 12;

/// Reads every zone.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<Vec<TemperatureSensor>> {
    let names = match door.names(ZONES).await {
        Ok(names) => names,
        // A machine without zones has its sensors elsewhere: this source would not know.
        Err(Missing::NotThere) => return Observed::NotCollected,
        Err(missing) => return missing.observed(),
    };
    let mut numbers: Vec<u32> =
        names.iter().filter_map(|name| name.strip_prefix("thermal_zone")?.parse().ok()).collect();
    numbers.sort_unstable();
    let mut zones = Vec::new();
    for number in numbers {
        zones.push(zone(door, number).await);
    }
    if zones.is_empty() {
        Observed::NotCollected
    } else {
        Observed::seen(zones, format!("{}/.list", &ZONES[1..]))
    }
}

async fn zone(door: &Door<'_>, number: u32) -> TemperatureSensor {
    let folder = format!("{ZONES}/thermal_zone{number}");
    let files = door.names(&folder).await.unwrap_or_default();
    let mut sensor = TemperatureSensor {
        name: format!("thermal_zone{number}"),
        label: door.text(&format!("{folder}/type")).await,
        temperature_c: door.value(&format!("{folder}/temp"), EXPECTED, temperature).await,
        maximum_c: Observed::Absent,
        critical_c: Observed::Absent,
        fault: Observed::Absent,
    };
    let trips = files.iter().filter_map(|name| name.strip_prefix("trip_point_")?.strip_suffix("_type"));
    for trip in trips.take(MOST_TRIPS) {
        let kind = door.text(&format!("{folder}/trip_point_{trip}_type")).await;
        let limit = match kind.value().map(String::as_str) {
            Some("critical") => &mut sensor.critical_c,
            Some("hot" | "passive") => &mut sensor.maximum_c,
            _ => continue,
        };
        let found = door.value(&format!("{folder}/trip_point_{trip}_temp"), EXPECTED, temperature).await;
        // Of several, the one that is reached first.
        *limit = match (limit.value(), found.value()) {
            (Some(known), Some(new)) if known <= new => continue,
            (Some(_), None) => continue,
            _ => found,
        };
    }
    sensor
}

const EXPECTED: &str = "a temperature in thousandths of a degree that a sensor can have";

/// Thousandths of a degree, rounded. 0 and -273 are what firmware gives that does not know.
fn temperature(text: &str) -> Option<Celsius> {
    let thousandths: i64 = text.parse().ok()?;
    let degrees = thousandths.checked_add(500)?.div_euclid(1000);
    Celsius::plausible(degrees).filter(|_| thousandths != 0)
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::door::testing::run;

    #[test]
    fn a_zone_with_its_trip_points() {
        let zone = |file: &str| format!("sys/class/thermal/thermal_zone2/{file}");
        let files = [
            (zone("type"), "x86_pkg_temp\n"),
            (zone("temp"), "49850\n"),
            (zone("trip_point_0_type"), "passive\n"),
            (zone("trip_point_0_temp"), "-274000\n"),
            (zone("trip_point_1_type"), "hot\n"),
            (zone("trip_point_1_temp"), "95000\n"),
            (zone("trip_point_2_type"), "critical\n"),
            (zone("trip_point_2_temp"), "105000\n"),
            (zone("trip_point_3_type"), "active\n"),
            ("sys/class/thermal/cooling_device0/type".to_owned(), "Fan\n"),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let found = run(&files, async |door| collect(door).await);
        let sensor = &found.value().expect("one")[0];
        assert_eq!((sensor.name.as_str(), found.value().map(Vec::len)), ("thermal_zone2", Some(1)));
        assert_eq!(sensor.temperature_c.value(), Some(&Celsius(50)));
        assert_eq!(
            (sensor.maximum_c.value(), sensor.critical_c.value()),
            (Some(&Celsius(95)), Some(&Celsius(105)))
        );
        assert!(run(&[], async |door| collect(door).await).is_not_collected());
    }

    #[test]
    fn sentinels_are_refused() {
        fn check(text: &str, expected: Option<i16>) {
            assert_eq!(temperature(text).map(|c| c.0), expected, "{text}");
        }
        check("34000", Some(34));
        check("-5000", Some(-5));
        check("0", None);
        check("-273000", None);
        check("3892314000", None);
        check("9223372036854775807", None);
        check("", None);
    }
}
