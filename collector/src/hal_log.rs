//! What QTS's hardware daemon writes down: `/var/log/hal_daemon.log` and the configuration files it reads.
//!
//! The log (a TS-228 of QTS 4.3) has the temperature limits at every start of the daemon (`CPU CRIT:WARN:HYSTERESIS =
//! 80:72:4`) and each power unit whenever it was looked at (`pwr_index = 0, status = 0, rpm = -1, temp = -1`): the last
//! line counts. It has no time in its lines. A line without its end is refused, because a cut number is another number.
//! -1 and -2 are no reading; a limit of 0 or less is none.

use std::collections::BTreeMap;

use assay_bundle::Observed;
use assay_bundle::facts::limits::{LimitKind, LimitOf, TemperatureLimit};
use assay_bundle::facts::power::{PowerSource, PowerStatus, PowerUnit};
use assay_bundle::units::{Celsius, Rpm};

use crate::ini;

/// Most power units taken from one source: QNAP's hardware layer knows two, an expansion unit adds its own.
pub(crate) const MOST_UNITS: usize = 16;
/// Longest line that is looked at.
const MOST_LINE: usize = 512;

/// What the log says last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HalLog {
    /// Temperature limits.
    pub limits: Vec<TemperatureLimit>,
    /// Power units, by index.
    pub power_units: Vec<PowerUnit>,
}

/// Reads the log; `place` is where it stands below `raw/`.
pub fn parse(text: &str, place: &str) -> HalLog {
    let mut limits = BTreeMap::new();
    let mut units = BTreeMap::new();
    for (number, line) in (1_u64..).zip(text.split_inclusive('\n')) {
        let Some(line) = line.strip_suffix('\n').filter(|line| line.len() <= MOST_LINE) else { continue };
        for (of, kind, value) in limit_line(line) {
            let limit = TemperatureLimit {
                of,
                kind,
                temperature_c: limit(value, "hal_daemon.log", place),
                line: Some(number),
            };
            // The daemon has a row of limits for each subject and a row for each kind; they may differ.
            limits.insert((of, kind, line.contains(" TEMP ")), limit);
        }
        if let Some((index, unit)) = power_line(line, number, place)
            && (units.len() < MOST_UNITS || units.contains_key(&index))
        {
            units.insert(index, unit);
        }
    }
    HalLog { limits: limits.into_values().collect(), power_units: units.into_values().collect() }
}

/// The limits of a line such as `SHUTDOWN TEMP CPU:SYS:DISK:PWR = 85:70:60:55`.
fn limit_line(line: &str) -> Vec<(LimitOf, LimitKind, i64)> {
    let Some((head, values)) = line.split_once(" = ") else { return Vec::new() };
    let mut words: Vec<&str> = head.split_whitespace().collect();
    let names: Vec<&str> = words.pop().map(|last| last.split(':').collect()).unwrap_or_default();
    let values: Option<Vec<i64>> = values.trim().split(':').map(|value| value.parse().ok()).collect();
    let Some(values) = values.filter(|values| values.len() == names.len() && names.len() > 1) else {
        return Vec::new();
    };
    // Whatever stands before (a time, a function's name) is left out.
    let before = words.as_slice();
    let pair = |name: &str| match before {
        [.., "SHUTDOWN", "TEMP"] => Some((subject(name)?, LimitKind::Shutdown)),
        [.., "WARNING", "TEMP"] => Some((subject(name)?, LimitKind::Warning)),
        [.., of] => Some((subject(of)?, kind(name)?)),
        [] => None,
    };
    names
        .into_iter()
        .zip(values)
        .filter_map(|(name, value)| pair(name).map(|(of, kind)| (of, kind, value)))
        .collect()
}

fn subject(word: &str) -> Option<LimitOf> {
    match word {
        "CPU" => Some(LimitOf::Cpu),
        "SYS" => Some(LimitOf::System),
        "PD" | "DISK" => Some(LimitOf::Drive),
        "SSD" => Some(LimitOf::SolidState),
        "PWR" | "POWER" => Some(LimitOf::PowerUnit),
        _ => None,
    }
}

fn kind(word: &str) -> Option<LimitKind> {
    match word {
        "CRIT" => Some(LimitKind::Critical),
        "WARN" => Some(LimitKind::Warning),
        "HYSTERESIS" => Some(LimitKind::Hysteresis),
        _ => None,
    }
}

/// A limit: 0 and below is none.
pub(crate) fn limit(value: i64, noun: &str, place: &str) -> Observed<Celsius> {
    match value {
        ..=0 => Observed::Absent,
        value => Celsius::plausible(value).map_or_else(
            || Observed::unreadable(format!("{noun}: a limit that no temperature can reach")),
            |limit| Observed::seen(limit, place),
        ),
    }
}

/// `pwr_index = 0, status = 0, rpm = -1, temp = -1`, with anything before it.
fn power_line(line: &str, number: u64, place: &str) -> Option<(u32, PowerUnit)> {
    let rest = line.get(line.find("pwr_index")?..)?;
    let fields: Vec<(&str, &str)> = rest
        .split(',')
        .filter_map(|f| f.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
        .collect();
    let field = |key: &str| fields.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let index: u32 = field("pwr_index")?.parse().ok()?;
    let from = Source { noun: "hal_daemon.log", place };
    let unit = PowerUnit {
        name: unit_name(index.checked_add(1)?),
        status: from.status(field("status")),
        temperature_c: from.temperature(field("temp")),
        fan_rpm: from.speed(field("rpm")),
        source: PowerSource::HardwareLog,
        line: Some(number),
    };
    Some((index, unit))
}

/// A unit's name, counted from 1.
pub(crate) fn unit_name(number: u32) -> String {
    format!("power unit {number}")
}

/// Where a power unit's numbers stand. The values are QNAP's own enumeration in every source.
pub(crate) struct Source<'a> {
    pub(crate) noun: &'a str,
    pub(crate) place: &'a str,
}

impl Source<'_> {
    pub(crate) fn status(&self, value: Option<&str>) -> Observed<PowerStatus> {
        let status = match value.map(str::parse::<i64>) {
            Some(Ok(0)) => PowerStatus::Good,
            Some(Ok(-1)) => PowerStatus::Failed,
            Some(Ok(-2)) => PowerStatus::Removed,
            Some(Ok(-3)) => PowerStatus::DetectionDisabled,
            None => return Observed::unreadable(format!("{}: it has no status for this unit", self.noun)),
            Some(_) => {
                return Observed::unreadable(format!(
                    "{}: a status that is none of 0, -1, -2, -3",
                    self.noun
                ));
            }
        };
        Observed::seen(status, self.place)
    }

    /// Negative is no sensor; 0 C is a sensor that did not answer.
    pub(crate) fn temperature(&self, value: Option<&str>) -> Observed<Celsius> {
        match value.map(str::parse::<i64>) {
            None => Observed::NotCollected,
            Some(Ok(-3..=-1)) => Observed::Absent,
            Some(Ok(value)) => Celsius::of_drive(value).map_or_else(
                || Observed::unreadable(format!("{}: not a temperature of a power unit", self.noun)),
                |degrees| Observed::seen(degrees, self.place),
            ),
            Some(Err(_)) => Observed::unreadable(format!("{}: not a temperature", self.noun)),
        }
    }

    /// Negative is no sensor.
    pub(crate) fn speed(&self, value: Option<&str>) -> Observed<Rpm> {
        match value.map(str::parse::<i64>) {
            None => Observed::NotCollected,
            Some(Ok(-3..=-1)) => Observed::Absent,
            Some(Ok(value)) => u64::try_from(value).ok().and_then(Rpm::plausible).map_or_else(
                || Observed::unreadable(format!("{}: not a speed that a fan can have", self.noun)),
                |speed| Observed::seen(speed, self.place),
            ),
            Some(Err(_)) => Observed::unreadable(format!("{}: not a speed", self.noun)),
        }
    }
}

/// Section `SHUTDOWN TEMP` of `/etc/hal_util.conf`.
pub(crate) fn util_limits(text: &str, place: &str) -> Vec<TemperatureLimit> {
    let keys = [
        ("CPU_TEMP", LimitOf::Cpu),
        ("SYS_TEMP", LimitOf::System),
        ("DISK_TEMP", LimitOf::Drive),
        ("POWER_TEMP", LimitOf::PowerUnit),
    ];
    keys.into_iter()
        .filter_map(|(key, of)| {
            let value = ini::value(text, "SHUTDOWN TEMP", key)?;
            Some(configured(of, LimitKind::Shutdown, &value, "hal_util.conf", place))
        })
        .collect()
}

/// What the owner set: `SYS_WARNING_TEMP` in any section of `/etc/config/hal_setting.conf`.
pub(crate) fn setting_limits(text: &str, place: &str) -> Vec<TemperatureLimit> {
    ini::sections(text)
        .iter()
        .flat_map(|(_, keys)| keys)
        .find(|(key, value)| key.eq_ignore_ascii_case("SYS_WARNING_TEMP") && !value.is_empty())
        .map(|(_, value)| configured(LimitOf::System, LimitKind::Warning, value, "hal_setting.conf", place))
        .into_iter()
        .collect()
}

fn configured(of: LimitOf, kind: LimitKind, value: &str, noun: &str, place: &str) -> TemperatureLimit {
    let temperature_c = match value.parse() {
        Ok(value) => limit(value, noun, place),
        Err(_) => Observed::unreadable(format!("{noun}: a limit that is no number")),
    };
    TemperatureLimit { of, kind, temperature_c, line: None }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::hostile;

    /// Written in the format of a TS-228; the values are ours.
    const LOG: &str = "CPU CRIT:WARN:HYSTERESIS = 80:72:4
SYS CRIT:WARN:HYSTERESIS = 60:50:5
PD CRIT:WARN:HYSTERESIS = 55:52:5
DISK S.M.A.R.T interval = 300 seconds
SHUTDOWN TEMP CPU:SYS:DISK:PWR = 85:70:60:55
WARNING TEMP SYS:DISK:SSD = 60:55:70
cpu_temp = -1,sys_temp = -1
fan_index = 0, status = 0, rpm = -1
pwr_index = 0, status = 0, rpm = 5120, temp = 38
pwr_index = 1, status = -1, rpm = -1, temp = -1
start_monitor_threads: BBU not supported.
set_fan_speed(2921):Change Fan level,enc->id = 0,speed_leve = 1 ->5
";

    fn said(log: &HalLog) -> Vec<(LimitOf, LimitKind, Option<i16>)> {
        log.limits.iter().map(|l| (l.of, l.kind, l.temperature_c.value().map(|c| c.0))).collect()
    }

    #[test]
    fn every_limit_of_the_log_is_read() {
        use LimitKind::{Critical, Hysteresis, Shutdown, Warning};
        use LimitOf::{Cpu, Drive, PowerUnit, SolidState, System};
        assert_eq!(
            said(&parse(LOG, "x")),
            [
                (Cpu, Warning, Some(72)),
                (Cpu, Critical, Some(80)),
                (Cpu, Hysteresis, Some(4)),
                (Cpu, Shutdown, Some(85)),
                (System, Warning, Some(50)),
                (System, Warning, Some(60)),
                (System, Critical, Some(60)),
                (System, Hysteresis, Some(5)),
                (System, Shutdown, Some(70)),
                (Drive, Warning, Some(52)),
                (Drive, Warning, Some(55)),
                (Drive, Critical, Some(55)),
                (Drive, Hysteresis, Some(5)),
                (Drive, Shutdown, Some(60)),
                (SolidState, Warning, Some(70)),
                (PowerUnit, Shutdown, Some(55)),
            ]
        );
    }

    #[test]
    fn a_limit_line_in_other_forms() {
        fn check(line: &str, expected: &[(LimitOf, LimitKind, Option<i16>)]) {
            assert_eq!(said(&parse(line, "x")), expected, "{line}");
        }
        check(
            "hal[12]: CPU CRIT:WARN = 80:72\n",
            &[(LimitOf::Cpu, LimitKind::Warning, Some(72)), (LimitOf::Cpu, LimitKind::Critical, Some(80))],
        );
        check(
            "CPU CRIT:WARN:HYSTERESIS = 80:-1:0\n",
            &[
                (LimitOf::Cpu, LimitKind::Warning, None),
                (LimitOf::Cpu, LimitKind::Critical, Some(80)),
                (LimitOf::Cpu, LimitKind::Hysteresis, None),
            ],
        );
        check(
            "CPU CRIT:WARN = 80:3892314\n",
            &[(LimitOf::Cpu, LimitKind::Warning, None), (LimitOf::Cpu, LimitKind::Critical, Some(80))],
        );
        check("GPU CRIT:WARN = 80:72\n", &[]);
        check("CPU CRIT:WARN = 80\n", &[]);
        check("CPU CRIT:WARN = 80:72", &[]);
        check("CPU CRIT:WARN = eighty:72\n", &[]);
        check("= :\n", &[]);
    }

    #[test]
    fn the_last_line_of_each_unit_counts() {
        fn check(text: &str, expected: &[(&str, Option<PowerStatus>, u64)]) {
            let log = parse(text, "x");
            let found: Vec<_> = log
                .power_units
                .iter()
                .map(|u| (u.name.as_str(), u.status.value().copied(), u.line.unwrap_or_default()))
                .collect();
            assert_eq!(found, expected, "{text}");
        }
        let (one, two) = ("power unit 1", "power unit 2");
        check(LOG, &[(one, Some(PowerStatus::Good), 9), (two, Some(PowerStatus::Failed), 10)]);
        check(
            "pwr_index = 0, status = -1, rpm = -1, temp = -1\npwr_index = 0, status = 0, rpm = -1, temp = -1\n",
            &[(one, Some(PowerStatus::Good), 2)],
        );
        check("pwr_index = 1, status = -2\n", &[(two, Some(PowerStatus::Removed), 1)]);
        check(
            "mon(12):pwr_index = 0, status = -3, rpm = 0\n",
            &[(one, Some(PowerStatus::DetectionDisabled), 1)],
        );
        check("pwr_index = 0, status = 7\n", &[(one, None, 1)]);
        check("pwr_index = 0\n", &[(one, None, 1)]);
        check(
            "pwr_index = x, status = 0\npwr_index = 4294967295, status = 0\npwr_index = 0, status = 0",
            &[],
        );
        let unit = parse(LOG, "x").power_units.remove(0);
        assert_eq!(
            (unit.temperature_c.value(), unit.fan_rpm.value()),
            (Some(&Celsius(38)), Some(&Rpm(5120)))
        );
        let silent = parse(LOG, "x").power_units.remove(1);
        assert!(silent.temperature_c.is_absent() && silent.fan_rpm.is_absent());
    }

    #[test]
    fn configured_limits() {
        let util = "[SHUTDOWN TEMP]\nCPU_TEMP = 85\nSYS_TEMP=x\nDISK_TEMP = 0\n[TFAN SYS 1]\nCPU_TEMP = 20\n";
        let found = util_limits(util, "etc/hal_util.conf");
        let values: Vec<_> = found.iter().map(|l| (l.of, l.temperature_c.value().map(|c| c.0))).collect();
        assert_eq!(values, [(LimitOf::Cpu, Some(85)), (LimitOf::System, None), (LimitOf::Drive, None)]);
        let set = setting_limits("[MISC]\nsys_warning_temp = 58\n", "x");
        assert_eq!(set[0].temperature_c.value(), Some(&Celsius(58)));
        assert!(setting_limits("SYS_WARNING_TEMP =\n", "x").is_empty());
    }

    #[test]
    fn no_cut_and_no_damage_makes_a_value() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        hostile::cut(LOG.as_bytes(), |bytes| {
            let log = parse(&text(bytes), "x");
            // A sorted list shifts: compared by what each limit is of.
            let limits: BTreeMap<String, _> = log
                .limits
                .iter()
                .map(|l| (format!("{:?} {:?} {:?}", l.of, l.kind, l.line), &l.temperature_c))
                .collect();
            serde_json::json!({ "limits": limits, "power": log.power_units })
        });
        hostile::mutate(
            LOG.as_bytes(),
            1000,
            |bytes| parse(&text(bytes), "x"),
            |log| {
                assert!(log.power_units.len() <= MOST_UNITS);
                for limit in &log.limits {
                    assert!(limit.temperature_c.value().is_none_or(|c| (1..=150).contains(&c.0)));
                }
                for unit in &log.power_units {
                    assert!(unit.temperature_c.value().is_none_or(|c| (1..128).contains(&c.0)));
                    assert!(unit.fan_rpm.value().is_none_or(|r| r.0 <= 30_000));
                }
            },
        );
        let conf = "[SHUTDOWN TEMP]\nCPU_TEMP = 85\nSYS_TEMP = 70\nSYS_WARNING_TEMP = 60\n";
        hostile::mutate(
            conf.as_bytes(),
            1000,
            |bytes| [util_limits(&text(bytes), "x"), setting_limits(&text(bytes), "x")].concat(),
            |limits| {
                assert!(
                    limits.iter().all(|l| l.temperature_c.value().is_none_or(|c| (1..=150).contains(&c.0)))
                );
            },
        );
    }
}
