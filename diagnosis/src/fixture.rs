//! Facts for the unit tests of this crate: a small NAS on which nothing is wrong, and ways to break it.

pub(crate) mod log;

use assay_bundle::Observed;
use assay_bundle::diagnosis::Verdict;
use assay_bundle::facts::Facts;
use assay_bundle::facts::bmc::{Bmc, BmcEvent, BmcEventKind, BmcReading, BmcSensor};
use assay_bundle::facts::clock::Clock;
use assay_bundle::facts::drive::{
    AtaAttribute, Drive, Medium, NvmeHealth, PowerMode, Protocol, ScsiHealth, SelfTest, SelfTestOutcome,
    WhenFailed,
};
use assay_bundle::facts::edac::{Dimm, MemoryController};
use assay_bundle::facts::history::{Metric, Point, Series, Subject};
use assay_bundle::facts::hwmon::Fan;
use assay_bundle::facts::identity::{Identity, Platform};
use assay_bundle::facts::kernel_log::{KernelEvent, KernelLog};
use assay_bundle::facts::md::{MdArray, MdMember, MdMemberState};
use assay_bundle::facts::power::{Power, PowerStatus, PowerUnit};
use assay_bundle::facts::stuck::StuckReader;
use assay_bundle::units::{Celsius, Hours, Percent, Rpm, Seconds};

use crate::rule::{Judgement, Outcome};
use crate::view::View;

/// An outcome in a few words, so that tables stay narrow.
pub(crate) fn state(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Clear(None) => "clear".to_owned(),
        Outcome::Clear(Some(_)) => "exonerated".to_owned(),
        Outcome::Found(finding) => format!("found, {}", finding.verdict.word()),
        Outcome::CannotTell { required: true, .. } => "cannot tell, required".to_owned(),
        Outcome::CannotTell { required: false, .. } => "cannot tell".to_owned(),
        Outcome::NotApplicable => "not applicable".to_owned(),
    }
}

/// The facts on which a rule reaches each of its four outcomes.
pub(crate) struct Four {
    /// It fires.
    pub(crate) fires: Facts,
    /// It has its input and nothing is wrong.
    pub(crate) clear: Facts,
    /// It lacks its input.
    pub(crate) cannot_tell: Facts,
    /// There is nothing for it to look at; `None` for a rule that always has something.
    pub(crate) not_applicable: Option<Facts>,
}

/// Runs one rule and compares each subject's state; `says` must stand somewhere in what the rule said.
pub(crate) fn check(evaluate: fn(&View<'_>) -> Vec<Judgement>, facts: &Facts, states: &[&str], says: &str) {
    let judgements = evaluate(&View::new(facts));
    let got: Vec<String> = judgements.iter().map(|j| state(&j.outcome)).collect();
    assert_eq!(got, states, "{judgements:#?}");
    let words = format!("{judgements:?}");
    assert!(words.contains(says), "{says:?} is not in {judgements:#?}");
    for judgement in &judgements {
        if let Outcome::Found(finding) = &judgement.outcome {
            let sum: u32 = finding.suspects.iter().map(|s| u32::from(s.certainty_percent)).sum();
            assert_eq!(sum, 100, "certainties add to 100: {finding:#?}");
            assert!(!finding.evidence.is_empty(), "a finding has evidence: {finding:#?}");
            let placed = finding.evidence.iter().any(|evidence| !evidence.from.is_empty());
            assert!(placed, "some of it stands somewhere: {finding:#?}");
            let tested = finding.verdict == Verdict::Confirmed || finding.test.is_some();
            assert!(tested, "what is not confirmed has a test: {finding:#?}");
        }
    }
}

pub(crate) fn hdd(device: &str, bay: u32) -> Drive {
    let from = format!("cmd/smartctl.sat.{device}/stdout");
    Drive {
        device: device.to_owned(),
        bay: Observed::seen(bay, "etc/enclosure_0.conf"),
        protocol: Observed::seen(Protocol::Ata, &from),
        medium: Observed::seen(Medium::Hdd, &from),
        model: Observed::seen("WDC WD40EFRX-68N32N0".to_owned(), &from),
        serial: Observed::seen(format!("WD-WCC7K{bay:03}"), &from),
        firmware: Observed::seen("82.00A82".to_owned(), &from),
        power_mode: Observed::seen(PowerMode::Active, &from),
        health_passed: Observed::seen(true, &from),
        temperature_c: Observed::seen(Celsius(34), &from),
        temperature_limit_c: Observed::Absent,
        power_on_hours: Observed::seen(Hours(20_000), &from),
        ata_attributes: Observed::seen(vec![attribute(197, "Current_Pending_Sector", 0)], &from),
        pending_defects: Observed::Absent,
        nvme: Observed::Absent,
        scsi: Observed::Absent,
        self_tests: Observed::seen(Vec::new(), &from),
        ..Drive::default()
    }
}

pub(crate) fn nvme(device: &str, health: NvmeHealth) -> Drive {
    let from = format!("cmd/smartctl.nvme.{device}/stdout");
    Drive {
        protocol: Observed::seen(Protocol::Nvme, &from),
        medium: Observed::seen(Medium::Ssd, &from),
        health_passed: Observed::seen(health.critical_warning == 0, &from),
        ata_attributes: Observed::Absent,
        nvme: Observed::seen(health, &from),
        ..hdd(device, 1)
    }
}

pub(crate) fn nvme_health(critical_warning: u8, used: u8, media_errors: u128) -> NvmeHealth {
    NvmeHealth {
        critical_warning,
        available_spare_percent: Some(Percent(100)),
        available_spare_threshold_percent: Some(Percent(10)),
        percentage_used: Some(Percent(used)),
        media_errors: Some(media_errors),
        ..NvmeHealth::default()
    }
}

pub(crate) fn sas(device: &str, asc: u8, ascq: u8, passed: bool) -> Drive {
    let from = format!("cmd/smartctl.scsi.{device}/stdout");
    Drive {
        protocol: Observed::seen(Protocol::Scsi, &from),
        health_passed: Observed::seen(passed, &from),
        ata_attributes: Observed::Absent,
        scsi: Observed::seen(ScsiHealth { asc: Some(asc), ascq: Some(ascq), ..ScsiHealth::default() }, &from),
        ..hdd(device, 1)
    }
}

pub(crate) fn attribute(id: u8, name: &str, raw: u64) -> AtaAttribute {
    AtaAttribute {
        id,
        name: name.to_owned(),
        value: Some(100),
        worst: Some(100),
        threshold: Some(0),
        prefailure: false,
        when_failed: WhenFailed::Never,
        raw,
        raw_text: raw.to_string(),
        decoded: Some(raw),
    }
}

/// An attribute at its threshold, now or in the past.
pub(crate) fn failing(id: u8, name: &str, prefailure: bool, when_failed: WhenFailed) -> AtaAttribute {
    AtaAttribute {
        value: Some(1),
        worst: Some(1),
        threshold: Some(10),
        prefailure,
        when_failed,
        ..attribute(id, name, 2_000)
    }
}

pub(crate) fn self_test(kind: &str, outcome: SelfTestOutcome) -> SelfTest {
    SelfTest {
        kind: kind.to_owned(),
        outcome,
        text: format!("{outcome:?}"),
        at_power_on_hours: Some(Hours(19_990)),
        first_error_lba: (outcome == SelfTestOutcome::Failed).then_some(123_456),
    }
}

pub(crate) fn array(name: &str, level: &str, slots: u32, members: &[(&str, MdMemberState)]) -> MdArray {
    let from = format!("sys/block/{name}/md");
    let working = members.iter().filter(|(_, s)| *s == MdMemberState::InSync).count();
    let members = members.iter().zip(0..).map(|(&(device, state), slot)| MdMember {
        device: device.to_owned(),
        slot: Some(slot),
        state,
        state_text: format!("{state:?}").to_lowercase(),
        corrected_errors: Some(0),
        ..MdMember::default()
    });
    MdArray {
        name: name.to_owned(),
        level: Observed::seen(level.to_owned(), format!("{from}/level")),
        state: Observed::seen("clean".to_owned(), format!("{from}/array_state")),
        raid_disks: Observed::seen(slots, format!("{from}/raid_disks")),
        missing: Observed::seen(
            slots.saturating_sub(u32::try_from(working).unwrap_or(0)),
            format!("{from}/degraded"),
        ),
        members: Observed::seen(members.collect(), from.clone()),
        sync_action: Observed::seen("idle".to_owned(), format!("{from}/sync_action")),
        sync_hundredths_of_percent: Observed::Absent,
        mismatch_sectors: Observed::seen(0, format!("{from}/mismatch_cnt")),
        ..MdArray::default()
    }
}

pub(crate) fn fan(name: &str, rpm: u32) -> Fan {
    let from = format!("cmd/hal_app.{name}/stdout");
    Fan {
        name: name.to_owned(),
        label: Observed::Absent,
        speed_rpm: Observed::seen(Rpm(rpm), &from),
        minimum_rpm: Observed::Absent,
        fault: Observed::seen(false, &from),
        alarm: Observed::Absent,
        pwm: Observed::Absent,
        expected: Observed::seen(true, "etc/model.conf"),
    }
}

pub(crate) fn controller(errors: &[(&str, u64)]) -> MemoryController {
    let at = "sys/devices/system/edac/mc/mc0";
    let dimms = errors.iter().zip(0..).map(|(&(label, count), n)| Dimm {
        name: format!("dimm{n}"),
        label: Observed::seen(label.to_owned(), format!("{at}/dimm{n}/dimm_label")),
        location: Observed::seen(format!("channel 0 slot {n}"), format!("{at}/dimm{n}/dimm_location")),
        corrected: Observed::seen(0, format!("{at}/dimm{n}/dimm_ce_count")),
        uncorrected: Observed::seen(count, format!("{at}/dimm{n}/dimm_ue_count")),
    });
    let total = errors.iter().map(|(_, count)| count).sum();
    MemoryController {
        name: "mc0".to_owned(),
        kind: Observed::seen("F17h_M20h".to_owned(), format!("{at}/mc_name")),
        corrected: Observed::seen(0, format!("{at}/ce_count")),
        uncorrected: Observed::seen(total, format!("{at}/ue_count")),
        uncorrected_without_place: Observed::seen(0, format!("{at}/ue_noinfo_count")),
        since_reset_s: Observed::seen(86_400, format!("{at}/seconds_since_reset")),
        dimms: Observed::seen(dimms.collect(), at),
    }
}

pub(crate) fn power_unit(number: u32, status: PowerStatus) -> PowerUnit {
    PowerUnit {
        name: format!("power unit {number}"),
        status: Observed::seen(status, "var/log/hal_daemon.log"),
        line: Some(7),
        ..PowerUnit::default()
    }
}

pub(crate) fn stuck(target: &str) -> StuckReader {
    StuckReader {
        pid: 4_711,
        started_ticks: 99,
        target: target.to_owned(),
        command: "smartctl".to_owned(),
        since_unix_s: 1_700_000_000,
    }
}

/// A QTS machine with three drives and nothing else read.
pub(crate) fn nas() -> Facts {
    Facts {
        identity: Identity {
            platform: Observed::seen(Platform::Qts, "etc/config/uLinux.conf"),
            model: Observed::seen("TS-453D".to_owned(), "etc/platform.conf"),
            ..Identity::default()
        },
        clock: Clock {
            unix_s: Observed::seen(1_700_000_100, "sample/clock.json"),
            uptime_s: Observed::seen(Seconds(86_400), "proc/uptime"),
            synchronised: Observed::seen(true, "sample/clock.json"),
            boot_id: Observed::seen("0b00".to_owned(), "proc/sys/kernel/random/boot_id"),
        },
        drives: Observed::seen(vec![hdd("sda", 1), hdd("sdb", 2), hdd("sdc", 3)], "sys/block"),
        ..Facts::default()
    }
}

pub(crate) fn with_drives(drives: Vec<Drive>) -> Facts {
    Facts { drives: Observed::seen(drives, "sys/block"), ..nas() }
}

pub(crate) fn with_arrays(arrays: Vec<MdArray>) -> Facts {
    Facts { md_arrays: Observed::seen(arrays, "proc/mdstat"), ..nas() }
}

pub(crate) fn with_fans(fans: Vec<Fan>) -> Facts {
    Facts { fans: Observed::seen(fans, "sys/class/hwmon"), ..nas() }
}

/// The same with these events in the running kernel log.
pub(crate) fn with_log(facts: Facts, events: Vec<KernelEvent>) -> Facts {
    let log = KernelLog { records: 1_000, first_us: Some(0), events, ..KernelLog::default() };
    Facts { kernel_log: Observed::seen(log, "dev/kmsg"), ..facts }
}

/// The same with a drive's counter recorded by earlier runs: seconds since 1970, number of the boot, value.
pub(crate) fn recorded(
    mut facts: Facts,
    drive: &Drive,
    metric: Metric,
    points: &[(i64, u32, Option<i64>)],
) -> Facts {
    let points: Vec<Point> = points
        .iter()
        .map(|&(at, boot, value)| Point { unix_s: Some(at), boot: Some(boot), uptime_s: None, value })
        .collect();
    let mut history = facts.history.value().cloned().unwrap_or_default();
    history.boots = vec!["earlier".to_owned()];
    if let Some(first) = points.first() {
        history.series.push(Series {
            subject: Subject::Drive,
            name: drive.model.value().cloned().unwrap_or_default(),
            serial: drive.serial.value().cloned(),
            metric,
            first: first.clone(),
            points,
            points_left_out: 0,
        });
    }
    facts.history = Observed::seen(history, "state/recorder.jsonl");
    facts
}

/// The same with a value of a named thing recorded by earlier runs: seconds since 1970, number of the boot, value.
pub(crate) fn recorded_name(
    mut facts: Facts,
    subject: Subject,
    name: &str,
    metric: Metric,
    points: &[(i64, u32, Option<i64>)],
) -> Facts {
    let points: Vec<Point> = points
        .iter()
        .map(|&(at, boot, value)| Point { unix_s: Some(at), boot: Some(boot), uptime_s: None, value })
        .collect();
    let mut history = facts.history.value().cloned().unwrap_or_default();
    history.boots = vec!["earlier".to_owned()];
    history.series.extend(points.first().cloned().map(|first| Series {
        subject,
        name: name.to_owned(),
        serial: None,
        metric,
        first,
        points,
        points_left_out: 0,
    }));
    facts.history = Observed::seen(history, "state/recorder.jsonl");
    facts
}

/// A sensor of the management controller; a reading without a unit is a word.
pub(crate) fn bmc_sensor(name: &str, state: &str, reading: Option<(i64, &str)>) -> BmcSensor {
    let from = "cmd/ipmitool.sensors/stdout";
    let reading = reading.map(|(value, unit)| match unit {
        "" => BmcReading::Words(value.to_string()),
        unit => BmcReading::Number { milli: value * 1000, unit: unit.to_owned() },
    });
    BmcSensor {
        name: name.to_owned(),
        state: Observed::seen(state.to_owned(), from),
        reading: reading.map_or(Observed::Absent, |reading| Observed::seen(reading, from)),
    }
}

/// An event of the management controller; without a time its clock was never set.
pub(crate) fn bmc_event(
    line: u64,
    kind: BmcEventKind,
    sensor: &str,
    event: &str,
    begins: bool,
    when: &str,
) -> BmcEvent {
    let from = "cmd/ipmitool.events/stdout";
    BmcEvent {
        number: format!("{line:x}"),
        when: if when.is_empty() { Observed::Absent } else { Observed::seen(when.to_owned(), from) },
        kind,
        sensor: sensor.to_owned(),
        event: event.to_owned(),
        asserted: Observed::seen(begins, from),
        line,
    }
}

/// The same with these sensors and events of the management controller.
pub(crate) fn with_bmc(facts: Facts, sensors: Vec<BmcSensor>, events: Vec<BmcEvent>) -> Facts {
    let bmc = Bmc {
        sensors: Observed::seen(sensors, "cmd/ipmitool.sensors/stdout"),
        events: Observed::seen(events, "cmd/ipmitool.events/stdout"),
    };
    Facts { bmc: Observed::seen(bmc, "cmd/ipmitool.sensors/stdout"), ..facts }
}

/// A NAS on which every rule has its input and none fires, with a system array that looks degraded.
pub(crate) fn healthy_nas() -> Facts {
    use MdMemberState::InSync;
    let three = [("sda3", InSync), ("sdb3", InSync), ("sdc3", InSync)];
    let system = [("sda1", InSync), ("sdb1", InSync), ("sdc1", InSync)];
    Facts {
        fans: Observed::seen(vec![fan("system fan 1", 900), fan("system fan 2", 920)], "sys/class/hwmon"),
        memory_controllers: Observed::seen(vec![controller(&[("DIMM1", 0)])], "sys/devices/system/edac/mc"),
        stuck_readers: Observed::seen(Vec::new(), "sample/stuck.json"),
        ..with_arrays(vec![array("md1", "raid5", 3, &three), array("md9", "raid1", 32, &system)])
    }
}

/// The same NAS with something for every rule.
pub(crate) fn nas_with_everything_wrong() -> Facts {
    use MdMemberState::{Faulty, InSync};
    let mut failed = hdd("sda", 1);
    failed.health_passed = Observed::seen(false, "cmd/smartctl.sat.sda/stdout");
    failed.temperature_c = Observed::seen(Celsius(61), "cmd/smartctl.sat.sda/stdout");
    failed.ata_attributes = Observed::seen(
        vec![
            failing(5, "Reallocated_Sector_Ct", true, WhenFailed::Now),
            attribute(197, "Current_Pending_Sector", 16),
        ],
        "cmd/smartctl.sat.sda/stdout",
    );
    Facts {
        drives: Observed::seen(vec![failed, hdd("sdb", 2), hdd("sdc", 3)], "sys/block"),
        md_arrays: Observed::seen(
            vec![array("md1", "raid5", 3, &[("sda3", Faulty), ("sdb3", InSync), ("sdc3", InSync)])],
            "proc/mdstat",
        ),
        fans: Observed::seen(vec![fan("system fan 1", 900), fan("system fan 2", 0)], "sys/class/hwmon"),
        memory_controllers: Observed::seen(vec![controller(&[("DIMM1", 2)])], "sys/devices/system/edac/mc"),
        stuck_readers: Observed::seen(vec![stuck("/dev/sdb")], "sample/stuck.json"),
        power: Power {
            redundant: Observed::seen(true, "etc/model.conf"),
            expected_units: Observed::seen(2, "etc/model.conf"),
            units: Observed::seen(
                vec![power_unit(1, PowerStatus::Good), power_unit(2, PowerStatus::Failed)],
                "var/log/hal_daemon.log",
            ),
        },
        ..nas()
    }
}
