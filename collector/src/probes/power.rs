//! Power units of QTS and QuTS hero: how many there should be, and what QTS says of each.
//!
//! No command of QTS that tells a power unit's state is known, so it comes from, in this order: the last `pwr_index`
//! lines of `/var/log/hal_daemon.log`; the NAS's own SNMP service, if it is switched on; the management page, if an
//! administrator lent a session. The first source that names every unit that should exist wins. When none knows, the
//! fact is Unreadable and names all three ways.
//!
//! How many there should be: `REDUNDANT_POWER`, `REDUNDANT_POWER_INFO` or the capability bit `REDUNDANT_PWR` of
//! `/etc/model.conf` and `/etc/hal.conf`. A model with a single supply reports status 0 for it whether it is well or
//! not (TS-228, TS-328): without a temperature or a fan behind it, that is no reading, and the units are Absent.

use assay_bundle::Observed;
use assay_bundle::facts::management::ManagementReport;
use assay_bundle::facts::power::{Power, PowerStatus, PowerUnit};

use super::Found;
use super::qts_cooling::{MODEL_FILES, capabilities, is_qts};
use crate::door::{ATTRIBUTE_BYTES, Door, Missing};
use crate::source::Request;
use crate::{hal_log, ini, snmp};

/// The log of QTS's hardware daemon, in RAM.
pub(crate) const HAL_LOG: &str = "/var/log/hal_daemon.log";
/// Most bytes of it. A log that is longer has its newest lines beyond.
pub(crate) const HAL_LOG_BYTES: u64 = 4 * 1024 * 1024;
/// Enclosure capability: power units that stand in for each other (hal.h).
const REDUNDANT_PWR: u64 = 1;
/// Power units of a unit with redundancy: QNAP's hardware layer knows two.
const UNITS_WHEN_REDUNDANT: u32 = 2;

/// Reads configuration, log and services; `management` was read before.
pub(crate) async fn collect(door: &Door<'_>, management: &ManagementReport) -> (Power, Found) {
    if !is_qts(door).await {
        return (Power::default(), Found::Nothing);
    }
    let redundant = redundant(door).await;
    let expected_units = redundant.as_ref().map(|yes| if *yes { UNITS_WHEN_REDUNDANT } else { 1 });
    let expected = expected_units.value().map_or(1, |count| usize::try_from(*count).unwrap_or(usize::MAX));

    let mut best = log(door).await;
    if told(&best) < expected {
        best = better(best, snmp(door).await);
    }
    if told(&best) < expected {
        best = better(best, page(management));
    }
    let units = match best {
        Ok((units, _)) if redundant.value() == Some(&false) && units.iter().all(says_nothing) => Observed::Absent,
        Ok((units, place)) => Observed::seen(units, place),
        Err(_) if redundant.value() == Some(&false) => Observed::Absent,
        Err(reasons) => door.noted(Observed::unreadable(format!(
            "nothing told the state of the power units: {}; switch SNMP on in the control panel of QTS, or start the check from Assay's page in QTS as an administrator",
            reasons.join("; ")
        ))),
    };
    let found = Found::of(&units);
    (Power { redundant, expected_units, units }, found)
}

/// The units and where they were read; else the reasons of every source so far.
type Told = Result<(Vec<PowerUnit>, String), Vec<String>>;

/// Units with a status.
fn told(told: &Told) -> usize {
    told.as_ref().map_or(0, |(units, _)| units.iter().filter(|unit| unit.status.is_seen()).count())
}

fn better(first: Told, second: Told) -> Told {
    match (first, second) {
        (Err(mut reasons), Err(more)) => {
            reasons.extend(more);
            Err(reasons)
        }
        (first, second) if told(&second) > told(&first) => second,
        (first @ Ok(_), _) => first,
        (_, second) => second,
    }
}

fn units(units: Vec<PowerUnit>, place: String, none: &str) -> Told {
    if units.is_empty() { Err(vec![none.to_owned()]) } else { Ok((units, place)) }
}

async fn log(door: &Door<'_>) -> Told {
    match door.ask(&Request::read(HAL_LOG, HAL_LOG_BYTES)).await {
        Ok(fetched) if fetched.truncated => {
            Err(vec![format!("{HAL_LOG}: too long to reach its newest lines")])
        }
        Ok(fetched) => {
            let found = hal_log::parse(&fetched.text(), &fetched.place).power_units;
            units(found, fetched.place, &format!("{HAL_LOG}: it names no power unit"))
        }
        Err(missing) => Err(vec![reason(missing, &format!("{HAL_LOG}: it is not there"))]),
    }
}

async fn snmp(door: &Door<'_>) -> Told {
    match door.try_ask(&Request::SnmpPower).await {
        Ok(fetched) => {
            let found = snmp::power_units(&fetched.text(), &fetched.place);
            units(found, fetched.place, "the SNMP service of this NAS names no power unit")
        }
        Err(missing) => Err(vec![reason(missing, "the SNMP service of this NAS is off")]),
    }
}

fn page(management: &ManagementReport) -> Told {
    const NONE: &str = "the management page names no power unit";
    match &management.system {
        Observed::Seen { value, .. } => match &value.power_units {
            Observed::Seen { value, from } => units(value.clone(), from.clone(), NONE),
            _ => Err(vec![NONE.to_owned()]),
        },
        Observed::Unreadable { why } => Err(vec![why.clone()]),
        _ => Err(vec!["the management page was not asked".to_owned()]),
    }
}

fn reason(missing: Missing, not_there: &str) -> String {
    match missing {
        Missing::NotThere => not_there.to_owned(),
        Missing::Failed(why) | Missing::NoTool(why) => why,
    }
}

/// A good status without any sensor behind it: what a plain power brick reads as.
fn says_nothing(unit: &PowerUnit) -> bool {
    unit.status.value() == Some(&PowerStatus::Good)
        && !unit.temperature_c.is_seen()
        && !unit.fan_rpm.is_seen()
}

/// Whether the configuration says that the model has redundant power: one file that says yes suffices.
async fn redundant(door: &Door<'_>) -> Observed<bool> {
    let mut found = Observed::NotCollected;
    for path in MODEL_FILES {
        let Ok(file) = door.ask(&Request::read(path, ATTRIBUTE_BYTES)).await else { continue };
        match configured(&file.text()) {
            Some(true) => return Observed::seen(true, file.place),
            Some(false) if !found.is_seen() => found = Observed::seen(false, file.place),
            _ => {}
        }
    }
    found
}

fn configured(text: &str) -> Option<bool> {
    let sections = ini::sections(text);
    let value = |key: &str| {
        let mut keys = sections.iter().flat_map(|(_, keys)| keys);
        keys.find(|(name, value)| name.eq_ignore_ascii_case(key) && !value.is_empty())
            .map(|(_, value)| *value)
    };
    let says_no =
        |value: &str| ["0", "no", "false", "none", "off"].iter().any(|no| value.eq_ignore_ascii_case(no));
    match (value("REDUNDANT_POWER"), value("REDUNDANT_POWER_INFO")) {
        (Some(value), _) if says_no(value) => Some(false),
        (Some(value), _) if value != "-1" => Some(true),
        (_, Some(info)) if !says_no(info) => Some(true),
        _ => capabilities(text).map(|bits| bits & REDUNDANT_PWR != 0),
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use assay_bundle::facts::power::PowerSource;

    use super::*;
    use crate::door::testing::run;

    const REDUNDANT: (&str, &str) = ("etc/model.conf", "[System Enclosure]\nREDUNDANT_POWER = yes\n");
    const SINGLE: (&str, &str) = ("etc/hal.conf", "[Enclosure_0]\ncapabilities = 16\n");
    const LOG: &str = "var/log/hal_daemon.log";
    const SNMP: &str = "sample/snmp-power.txt";
    const TWO: &str =
        "pwr_index = 0, status = 0, rpm = 5120, temp = 38\npwr_index = 1, status = -2, rpm = -1, temp = -1\n";
    const ONE: &str = "pwr_index = 0, status = 0, rpm = -1, temp = -1\n";
    const TABLE: &str = "1.3.6.1.4.1.24681.1.4.1.1.1.1.3.2.1.4.1 = INTEGER: 0\n1.3.6.1.4.1.24681.1.4.1.1.1.1.3.2.1.4.2 = INTEGER: -1\n";
    const PAGE: &str = "<QDocRoot><authPassed>1</authPassed><root><nic_cnt>0</nic_cnt><Power1Status>0</Power1Status><Power2Status>-1</Power2Status></root></QDocRoot>";

    fn power(files: &[(&str, &str)]) -> Power {
        let mut all = vec![("etc/platform.conf", "Platform = X86\n")];
        all.extend(files);
        run(&all, async |door| {
            let (management, _) = super::super::management::collect(door).await;
            collect(door, &management).await.0
        })
    }

    fn check(files: &[(&str, &str)], source: PowerSource, statuses: &[PowerStatus]) {
        let found = power(files);
        let units = found.units.value().unwrap_or_else(|| panic!("{:?}", found.units));
        assert!(units.iter().all(|unit| unit.source == source), "{units:?}");
        let said: Vec<_> = units.iter().filter_map(|unit| unit.status.value().copied()).collect();
        assert_eq!(said, statuses);
    }

    #[test]
    fn the_first_source_that_knows_every_unit_wins() {
        use PowerStatus::{Failed, Good, Removed};
        let page = ("sample/management-sysinfo.xml", PAGE);
        check(&[REDUNDANT, (LOG, TWO), (SNMP, TABLE), page], PowerSource::HardwareLog, &[Good, Removed]);
        check(&[REDUNDANT, (LOG, ONE), (SNMP, TABLE), page], PowerSource::Snmp, &[Good, Failed]);
        check(&[REDUNDANT, (SNMP, TABLE), page], PowerSource::Snmp, &[Good, Failed]);
        check(&[REDUNDANT, (LOG, ONE), page], PowerSource::ManagementPage, &[Good, Failed]);
        check(&[REDUNDANT, (LOG, ONE)], PowerSource::HardwareLog, &[Good]);
        check(&[(LOG, ONE)], PowerSource::HardwareLog, &[Good]);
        check(&[SINGLE, (LOG, "pwr_index = 0, status = -1\n")], PowerSource::HardwareLog, &[Failed]);
    }

    #[test]
    fn no_source_names_all_three_ways() {
        let found = power(&[REDUNDANT]);
        assert_eq!((found.redundant.value(), found.expected_units.value()), (Some(&true), Some(&2)));
        let why = found.units.why_not().expect("unread");
        for word in ["hal_daemon.log", "SNMP", "management page", "as an administrator"] {
            assert!(why.contains(word), "{why}");
        }
        assert!(power(&[]).units.why_not().is_some_and(|why| why.contains("SNMP")));
        let cut = power(&[REDUNDANT, (LOG, TWO), ("var/log/hal_daemon.log.truncated", "")]);
        assert!(cut.units.why_not().is_some_and(|why| why.contains("newest lines")));
    }

    #[test]
    fn a_single_supply_that_nothing_measures_is_absent() {
        assert!(power(&[SINGLE]).units.is_absent());
        assert!(power(&[SINGLE, (LOG, ONE)]).units.is_absent());
        assert_eq!(power(&[SINGLE]).expected_units.value(), Some(&1));
        let plan = |bits| ("etc/model.conf", bits);
        let layer = |bits| ("etc/hal.conf", bits);
        let units = |files: &[(&str, &str)]| power(files).expected_units.value().copied();
        assert_eq!(units(&[plan("[System Enclosure]\nCAP=0x10\n")]), Some(1));
        let yes = layer("[Enclosure_0]\ncapability = 0x11\n");
        assert_eq!(units(&[plan("[System Enclosure]\nCAP=0x10\n"), yes]), Some(2));
        let elsewhere = run(&[(LOG, ONE)], async |door| collect(door, &ManagementReport::default()).await.0);
        assert_eq!(elsewhere, Power::default());
    }

    #[test]
    fn the_configuration_speaks_of_redundancy() {
        fn check(text: &str, expected: Option<bool>) {
            assert_eq!(configured(text), expected, "{text}");
        }
        check("[System Enclosure]\nREDUNDANT_POWER = yes\n", Some(true));
        check("[System Enclosure]\nREDUNDANT_POWER = 0\n", Some(false));
        check("[System Power]\nREDUNDANT_POWER_INFO = GPIO:2\n", Some(true));
        check("[System Enclosure]\nREDUNDANT_POWER =\nCAPABILITIES = 0x11\n", Some(true));
        check("[System Enclosure]\ncapabilities = 16\n", Some(false));
        check("[System Enclosure]\nMAX_FAN_NUM = 1\n", None);
        check("", None);
    }
}
