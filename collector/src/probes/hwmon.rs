//! Sensors of the hwmon interface: `/sys/class/hwmon/hwmonN/{fan,temp,in,pwm}N_*`.
//!
//! Generic Linux boards have them; QTS on x86 has only the processor's (`coretemp`) while its fans hang on an embedded
//! controller, which is why a machine without any fan input here is NotCollected and not Absent: this source would
//! not know. One failing file spoils its own field only. Sentinels are refused by name: 65535 RPM from an
//! unconnected input, millions of degrees from a Super-I/O that lost its bus, any temperature of a sensor that says
//! that it is broken. Drives' own sensors (`drivetemp`, `nvme`) are left to the drives.

use std::collections::BTreeMap;

use assay_bundle::Observed;
use assay_bundle::facts::hwmon::{Fan, TemperatureSensor, VoltageSensor};
use assay_bundle::units::{Celsius, Millivolts, Rpm};

use super::Found;
use crate::door::{Door, flag};

const CHIPS: &str = "/sys/class/hwmon";
/// Chips that are drives: the drives probe reads those, through a question that does not wake them.
const DRIVE_CHIPS: [&str; 2] = ["drivetemp", "nvme"];

/// What the chips have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sensors {
    pub(crate) fans: Observed<Vec<Fan>>,
    pub(crate) temperatures: Observed<Vec<TemperatureSensor>>,
    pub(crate) voltages: Observed<Vec<VoltageSensor>>,
}

/// One chip's folder.
struct Chip<'d, 'a> {
    door: &'d Door<'a>,
    folder: String,
    /// Name in facts: the driver's, numbered from the second chip of that name on.
    name: String,
    files: Vec<String>,
}

/// Reads every chip.
pub(crate) async fn collect(door: &Door<'_>) -> (Sensors, Found) {
    let mut numbers = match door.names(CHIPS).await {
        Ok(names) => {
            names.iter().filter_map(|name| name.strip_prefix("hwmon")?.parse().ok()).collect::<Vec<u32>>()
        }
        Err(missing) => {
            let sensors = match missing.observed::<()>() {
                Observed::Unreadable { why } => Sensors {
                    fans: Observed::unreadable(&*why),
                    temperatures: Observed::unreadable(&*why),
                    voltages: Observed::unreadable(&*why),
                },
                _ => Sensors::default(),
            };
            return found(sensors);
        }
    };
    numbers.sort_unstable();
    let (mut fans, mut temperatures, mut voltages) = (Vec::new(), Vec::new(), Vec::new());
    let mut met: BTreeMap<String, u32> = BTreeMap::new();
    for number in numbers {
        let Some(chip) = chip(door, number, &mut met).await else { continue };
        for index in chip.inputs("fan") {
            fans.push(chip.fan(index).await);
        }
        for index in chip.inputs("temp") {
            temperatures.push(chip.temperature(index).await);
        }
        for index in chip.inputs("in") {
            voltages.push(chip.voltage(index).await);
        }
    }
    found(Sensors { fans: list(fans), temperatures: list(temperatures), voltages: list(voltages) })
}

fn found(sensors: Sensors) -> (Sensors, Found) {
    let of = |failed: bool, seen: bool| match (seen, failed) {
        (true, _) => Found::Something,
        (false, true) => Found::Failed,
        (false, false) => Found::Nothing,
    };
    let failed = matches!(sensors.fans, Observed::Unreadable { .. });
    let seen = sensors.fans.is_seen() || sensors.temperatures.is_seen() || sensors.voltages.is_seen();
    (sensors, of(failed, seen))
}

fn list<T>(all: Vec<T>) -> Observed<Vec<T>> {
    if all.is_empty() {
        Observed::NotCollected
    } else {
        Observed::seen(all, format!("{}/.list", &CHIPS[1..]))
    }
}

async fn chip<'d, 'a>(
    door: &'d Door<'a>,
    number: u32,
    met: &mut BTreeMap<String, u32>,
) -> Option<Chip<'d, 'a>> {
    let folder = format!("{CHIPS}/hwmon{number}");
    let files = door.names(&folder).await.ok()?;
    let driver = match door.text(&format!("{folder}/name")).await {
        Observed::Seen { value, .. } => value,
        _ => format!("hwmon{number}"),
    };
    if DRIVE_CHIPS.contains(&driver.as_str()) {
        return None;
    }
    let count = met.entry(driver.clone()).and_modify(|count| *count += 1).or_insert(1);
    let name = if *count == 1 { driver } else { format!("{driver}-{count}") };
    Some(Chip { door, folder, name, files })
}

impl Chip<'_, '_> {
    /// The numbers N for which `<kind>N_input` is there, in order.
    fn inputs(&self, kind: &str) -> Vec<u32> {
        let number = |file: &String| file.strip_prefix(kind)?.strip_suffix("_input")?.parse().ok();
        let mut all: Vec<u32> = self.files.iter().filter_map(number).collect();
        all.sort_unstable();
        all
    }

    /// One file, if the folder has it.
    async fn value<T>(
        &self,
        file: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Observed<T> {
        if !self.files.iter().any(|name| name == file) {
            return Observed::Absent;
        }
        self.door.value(&format!("{}/{file}", self.folder), expected, read).await
    }

    async fn text(&self, file: &str) -> Observed<String> {
        self.value(file, "text", |text| Some(text.to_owned())).await
    }

    async fn flag(&self, file: &str) -> Observed<bool> {
        self.value(file, "0 or 1", flag).await
    }

    async fn fan(&self, index: u32) -> Fan {
        Fan {
            name: format!("{}/fan{index}", self.name),
            label: self.text(&format!("fan{index}_label")).await,
            speed_rpm: self.value(&format!("fan{index}_input"), SPEED, speed).await,
            minimum_rpm: self.value(&format!("fan{index}_min"), SPEED, speed).await,
            fault: self.flag(&format!("fan{index}_fault")).await,
            alarm: self.flag(&format!("fan{index}_alarm")).await,
            pwm: self
                .value(&format!("pwm{index}"), "a drive level of 0 to 255", |text| text.parse().ok())
                .await,
            expected: Observed::NotCollected,
        }
    }

    async fn temperature(&self, index: u32) -> TemperatureSensor {
        let fault = self.flag(&format!("temp{index}_fault")).await;
        let temperature_c = if fault.value() == Some(&true) {
            Observed::unreadable(format!(
                "{}/temp{index}_fault: the sensor says that it is broken",
                self.folder
            ))
        } else {
            self.value(&format!("temp{index}_input"), TEMPERATURE, temperature).await
        };
        TemperatureSensor {
            name: format!("{}/temp{index}", self.name),
            label: self.text(&format!("temp{index}_label")).await,
            temperature_c,
            maximum_c: self.value(&format!("temp{index}_max"), TEMPERATURE, temperature).await,
            critical_c: self.value(&format!("temp{index}_crit"), TEMPERATURE, temperature).await,
            fault,
        }
    }

    async fn voltage(&self, index: u32) -> VoltageSensor {
        VoltageSensor {
            name: format!("{}/in{index}", self.name),
            label: self.text(&format!("in{index}_label")).await,
            voltage_mv: self.value(&format!("in{index}_input"), VOLTAGE, voltage).await,
            minimum_mv: self.value(&format!("in{index}_min"), VOLTAGE, voltage).await,
            maximum_mv: self.value(&format!("in{index}_max"), VOLTAGE, voltage).await,
        }
    }
}

const SPEED: &str = "a speed that a fan can have (65535 is an unconnected input)";
const TEMPERATURE: &str = "a temperature in thousandths of a degree that a sensor can have";
const VOLTAGE: &str = "a voltage in millivolts";

fn speed(text: &str) -> Option<Rpm> {
    Rpm::plausible(text.parse().ok()?)
}

/// Thousandths of a degree to whole degrees, rounded: drivers of some chips give 49850.
fn temperature(text: &str) -> Option<Celsius> {
    let thousandths: i64 = text.parse().ok()?;
    Celsius::plausible(thousandths.checked_add(500)?.div_euclid(1000))
}

fn voltage(text: &str) -> Option<Millivolts> {
    text.parse().ok().map(Millivolts)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::door::testing::run;

    const H0: &str = "sys/class/hwmon/hwmon0";

    fn sensors(files: &[(String, &str)]) -> Sensors {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        run(&files, async |door| collect(door).await.0)
    }

    fn check_fan(file: &str, content: &str, speed: Option<u32>, why: &str) {
        let found = sensors(&[(format!("{H0}/name"), "it8528\n"), (format!("{H0}/{file}"), content)]);
        let fan = found.fans.value().and_then(|fans| fans.first()).expect("one fan").clone();
        assert_eq!(fan.name, "it8528/fan1");
        assert_eq!(fan.speed_rpm.value().map(|rpm| rpm.0), speed);
        assert!(fan.speed_rpm.why_not().unwrap_or_default().contains(why), "{fan:?}");
    }

    #[test]
    fn a_fan_turns_stands_or_cannot_be_read() {
        check_fan("fan1_input", "900\n", Some(900), "");
        check_fan("fan1_input", "0\n", Some(0), "");
        check_fan("fan1_input", "65535\n", None, "unconnected");
        check_fan("fan1_input", "-1\n", None, "not a speed");
        check_fan("fan1_input", "", None, "has none");
        check_fan("fan1_input.unreadable", r#"{"io":{"why":"fan1_input: EAGAIN"}}"#, None, "EAGAIN");
    }

    #[test]
    fn temperatures_are_rounded_and_sentinels_refused() {
        fn check(text: &str, expected: Option<i16>) {
            assert_eq!(temperature(text).map(|c| c.0), expected, "{text}");
        }
        check("49850", Some(50));
        check("34000", Some(34));
        check("-5000", Some(-5));
        check("3892314000", None);
        check("-128000", None);
        check("9223372036854775807", None);
        check("34.0", None);
        check("", None);
    }

    #[test]
    fn a_broken_sensor_has_no_temperature() {
        let found = sensors(&[(format!("{H0}/temp1_input"), "25000"), (format!("{H0}/temp1_fault"), "1")]);
        let sensor = &found.temperatures.value().expect("one sensor")[0];
        assert_eq!(sensor.name, "hwmon0/temp1");
        assert!(sensor.temperature_c.why_not().is_some_and(|why| why.contains("broken")), "{sensor:?}");
    }

    #[test]
    fn chips_of_one_name_are_told_apart_and_drives_left_out() {
        let found = sensors(&[
            ("sys/class/hwmon/hwmon10/name".into(), "coretemp"),
            ("sys/class/hwmon/hwmon10/temp1_input".into(), "41000"),
            ("sys/class/hwmon/hwmon2/name".into(), "coretemp"),
            ("sys/class/hwmon/hwmon2/temp2_input".into(), "40000"),
            ("sys/class/hwmon/hwmon2/temp10_input".into(), "40000"),
            ("sys/class/hwmon/hwmon3/name".into(), "drivetemp"),
            ("sys/class/hwmon/hwmon3/temp1_input".into(), "30000"),
        ]);
        let names: Vec<_> =
            found.temperatures.value().expect("some").iter().map(|t| t.name.clone()).collect();
        assert_eq!(names, ["coretemp/temp2", "coretemp/temp10", "coretemp-2/temp1"]);
        assert_eq!((found.fans, found.voltages), (Observed::NotCollected, Observed::NotCollected));
    }

    #[test]
    fn nothing_here_and_not_allowed() {
        assert_eq!(sensors(&[]), Sensors::default());
        let denied = sensors(&[("sys/class/hwmon/.list.unreadable".into(), r#"{"denied":{"what":"x"}}"#)]);
        assert!(denied.fans.why_not().is_some_and(|why| why.contains("no permission")), "{denied:?}");
    }
}
