//! The twenty readings that other tools get wrong, each with the facts and the judgement that it must give here.
//!
//! One table: a case is shown by a recorded device or by a recording that stands beside it in this file. Facts are
//! looked up by names (`drives[sda].temperature_c`), so that a list may grow; a case whose device or fact is gone
//! fails. What is expected is what was seen (as JSON), or `absent`, `unreadable`, `not_collected`.

mod logs;
mod recordings;

use std::collections::BTreeMap;

use assay_bundle::facts::Facts;
use assay_collector::recorded::RecordedSource;
use assay_collector::{Options, collect};
use assay_diagnosis::{Outcome, RULES};
use serde_json::Value;

use self::recordings::*;
use crate::support::root;

/// Where a case is seen.
enum Shown {
    /// A folder of `tests/devices`.
    Device(&'static str),
    /// Files of a recording.
    Recording(fn() -> Files),
}

/// Path below `raw/`, content.
type Files = Vec<(String, String)>;

struct Case {
    name: &'static str,
    shown: Shown,
    /// Where in the facts, and what has to stand there.
    facts: &'static [(&'static str, &'static str)],
    /// Rule, a part of its subject, and its outcome: a verdict, `clear`, `exonerated`, `cannot tell`, `not applicable`.
    judged: &'static [(&'static str, &'static str, &'static str)],
}

use Shown::{Device, Recording};

const CASES: &[Case] = &[
    Case {
        name: "a SATA disk that smartctl took for SCSI says 0 C and knows no attributes",
        shown: Recording(typed_scsi),
        facts: &[
            ("drives[sda].temperature_c", "unreadable"),
            ("drives[sdb].temperature_c", "31"),
            ("drives[sdb].protocol", "\"ata\""),
        ],
        judged: &[("TMP-001", "sda", "cannot tell"), ("TMP-001", "sdb", "clear")],
    },
    Case {
        name: "a sleeping disk exits with 3 or, asked as older versions are, with 2, and has no health answer",
        shown: Recording(asleep),
        facts: &[
            ("drives[sda].power_mode", "\"standby\""),
            ("drives[sda].health_passed", "unreadable"),
            ("drives[sdb].power_mode", "\"standby\""),
            ("drives[sdb].health_passed", "unreadable"),
        ],
        judged: &[("DRV-001", "sda", "cannot tell"), ("DRV-001", "sdb", "cannot tell")],
    },
    Case {
        name: "a disk passes while its attributes tell of 878 pending sectors (HUS726060ALA640)",
        shown: Recording(passes_with_pending),
        facts: &[
            ("drives[sda].health_passed", "true"),
            ("drives[sda].ata_attributes[5].raw", "1040"),
            ("drives[sda].ata_attributes[197].raw", "878"),
        ],
        judged: &[("DRV-001", "sda", "clear"), ("DRV-002", "sda", "suspected")],
    },
    Case {
        name: "a disk says FAILED only because its airflow temperature is at its limit now",
        shown: Recording(failed_by_heat),
        facts: &[
            ("drives[sda].health_passed", "false"),
            ("drives[sda].ata_attributes[190].when_failed", "\"now\""),
        ],
        judged: &[("DRV-001", "sda", "exonerated"), ("DRV-002", "sda", "clear")],
    },
    Case {
        name: "attribute 188 of 94490722326 is three counters of 22",
        shown: Recording(packed_timeouts),
        facts: &[
            ("drives[sda].ata_attributes[188].raw", "94490722326"),
            ("drives[sda].ata_attributes[188].decoded", "22"),
        ],
        judged: &[("DRV-001", "sda", "clear"), ("DRV-002", "sda", "clear")],
    },
    Case {
        name: "20 CRC errors that are years old",
        shown: Device("ts-453be-no-smartctl"),
        facts: &[
            ("drives[sda].ata_attributes[199].raw", "20"),
            ("drives[sda].health_passed", "true"),
            ("drives[nvme0].nvme.error_log_entries", "1201"),
        ],
        judged: &[
            ("DRV-001", "bay 1 (sda)", "clear"),
            ("DRV-002", "bay 1 (sda)", "clear"),
            ("DRV-001", "nvme0", "clear"),
        ],
    },
    Case {
        name: "an NVMe drive warns 04h at 110 % used and lost nothing",
        shown: Device("tbs-h574tx-nvme"),
        facts: &[
            ("drives[nvme2].health_passed", "false"),
            ("drives[nvme2].nvme.critical_warning", "4"),
            ("drives[nvme2].nvme.percentage_used", "110"),
            ("drives[nvme2].nvme.media_errors", "0"),
        ],
        judged: &[("DRV-001", "nvme2", "confirmed")],
    },
    Case {
        name: "an NVMe drive that counts no spare has spare 0 and threshold 0",
        shown: Device("tbs-h574tx-nvme"),
        facts: &[
            ("drives[nvme1].nvme.available_spare_percent", "0"),
            ("drives[nvme1].nvme.available_spare_threshold_percent", "0"),
            ("drives[nvme1].spare_available_percent", "not_collected"),
        ],
        judged: &[("DRV-001", "nvme1", "clear")],
    },
    Case {
        name: "null among the temperature sensors and in the self-test table",
        shown: Device("tbs-h574tx-nvme"),
        facts: &[
            ("drives[nvme1].nvme.temperature_sensors_c", "[null,null,61]"),
            ("drives[nvme4].self_tests.0.outcome", "\"not_completed\""),
            ("drives[nvme4].self_tests.1.outcome", "\"passed\""),
            ("drives[nvme4].self_tests.2.outcome", "\"passed\""),
        ],
        judged: &[("DRV-001", "nvme4", "clear")],
    },
    Case {
        name: "the newest self-test was aborted, an older one failed, one before passed",
        shown: Recording(aborted_over_failed),
        facts: &[
            ("drives[sda].self_tests.0.outcome", "\"not_completed\""),
            ("drives[sda].self_tests.1.outcome", "\"failed\""),
            ("drives[sda].self_tests.1.first_error_lba", "987654321"),
            ("drives[sda].self_tests.2.outcome", "\"passed\""),
        ],
        judged: &[("DRV-002", "sda", "confirmed")],
    },
    Case {
        name: "a SAS disk whose only failed self-test is its oldest",
        shown: Device("tds-16489u-sas-shelf"),
        facts: &[
            ("drives[sdh].self_tests.0.outcome", "\"passed\""),
            ("drives[sdh].self_tests.3.outcome", "\"failed\""),
            ("drives[sdh].self_tests.3.at_power_on_hours", "211"),
        ],
        judged: &[("DRV-001", "sdh", "clear"), ("DRV-001", "sdj", "exonerated")],
    },
    Case {
        name: "md9 with 6 of 128 members",
        shown: Recording(md9_of_128),
        facts: &[("md_arrays[md9].role", "\"configuration\""), ("md_arrays[md9].raid_disks", "128")],
        judged: &[("MD-001", "md9", "exonerated")],
    },
    Case {
        name: "a member is marked (F) while the rebuild onto another one runs",
        shown: Recording(faulty_while_rebuilding),
        facts: &[
            ("md_arrays[md1].members[sdb3].state", "\"faulty\""),
            ("md_arrays[md1].members[sdd3].state", "\"rebuilding\""),
            ("md_arrays[md1].sync_action", "\"recovery\""),
            ("md_arrays[md1].sync_hundredths_of_percent", "1260"),
        ],
        judged: &[("MD-001", "md1", "found")],
    },
    Case {
        name: "zpool status says that features are not enabled",
        shown: Device("tbs-h574tx-nvme"),
        facts: &[
            ("zfs_pools[zpool1].state", "\"ONLINE\""),
            ("zfs_pools[zpool1].data_errors", "0"),
            ("zfs_pools[zpool256].state", "\"ONLINE\""),
        ],
        judged: &[],
    },
    Case {
        name: "zpool status of QuTS hero has lines that OpenZFS does not print",
        shown: Recording(hero_lines),
        facts: &[
            ("zfs_pools[zpool1].state", "\"DEGRADED\""),
            ("zfs_pools[zpool1].vdevs.3.state", "\"UNAVAIL\""),
            ("zfs_pools[zpool1].scan.kind", "\"scrub\""),
        ],
        judged: &[],
    },
    Case {
        name: "an input without a fan counts 65535 RPM",
        shown: Recording(fan_of_65535),
        facts: &[
            ("fans[it8528/fan1].speed_rpm", "900"),
            ("fans[it8528/fan2].speed_rpm", "unreadable"),
            ("fans[system fan 1].speed_rpm", "unreadable"),
        ],
        judged: &[("FAN-001", "it8528/fan1", "clear"), ("FAN-001", "it8528/fan2", "cannot tell")],
    },
    Case {
        name: "a header that nobody connected a fan to reads 0 RPM",
        shown: Recording(empty_fan_header),
        facts: &[("fans[nct6775/fan2].speed_rpm", "0")],
        judged: &[("FAN-001", "nct6775/fan1", "clear"), ("FAN-001", "nct6775/fan2", "not applicable")],
    },
    Case {
        name: "a chip that lost its bus measures 3892314 C",
        shown: Device("hostile-garbage"),
        facts: &[
            ("temperatures[nct6793/temp1].temperature_c", "unreadable"),
            ("temperatures[CPU].temperature_c", "unreadable"),
        ],
        judged: &[],
    },
    Case {
        name: "a processor that is hot speaks with the words of a machine check",
        shown: Recording(thermal_machine_check),
        facts: &[
            ("kernel_log.events[cpu-throttled].subject", "\"cpu2\""),
            ("kernel_log.events.0.signature", "\"cpu-throttled\""),
        ],
        judged: &[("MEM-001", "", "not found")],
    },
    Case {
        name: "two disks reset in the same second, and their lines are mixed",
        shown: Recording(two_resets),
        facts: &[
            ("kernel_log.events[ata-link-error].subject", "\"ata3\""),
            ("kernel_log.events[ata-uncorrectable].subject", "\"ata4\""),
            ("kernel_log.events.2.signature", "\"ata-link-reset\""),
            ("kernel_log.events.2.subject", "\"ata3\""),
            ("kernel_log.events.3.subject", "\"ata4\""),
        ],
        judged: &[],
    },
];

#[test]
fn every_case_is_there() {
    assert_eq!(CASES.len(), 20);
}

#[test]
fn readings_that_mislead() {
    let mut wrong = Vec::new();
    for case in CASES {
        let facts = read(case);
        let tree = serde_json::to_value(&facts).expect("plain data");
        for (path, expected) in case.facts {
            let found = at(&tree, path);
            if found != *expected {
                wrong.push(format!("{}: {path} is {found}, expected {expected}", case.name));
            }
        }
        for (code, subject, expected) in case.judged {
            let found = judged(&facts, code, subject);
            let any = *expected == "found" && ["confirmed", "suspected", "watch"].contains(&found.as_str());
            let none =
                *expected == "not found" && !["confirmed", "suspected", "watch"].contains(&found.as_str());
            if found != *expected && !any && !none {
                wrong.push(format!(
                    "{}: {code} of {subject:?} is {found:?}, expected {expected:?}",
                    case.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn read(case: &Case) -> Facts {
    let source = match case.shown {
        Device(name) => {
            let folder = root().join("tests/devices").join(name).join("source");
            RecordedSource::from_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", case.name))
        }
        Recording(files) => {
            let files: BTreeMap<String, Vec<u8>> =
                files().into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
            RecordedSource::from_files(files)
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(collect(&source, &Options::default())).facts
}

/// What stands at a path, as JSON; readings that are not there by their word.
fn at(facts: &Value, path: &str) -> String {
    let mut here = facts;
    for step in path.split('.') {
        let (name, key) = match step.split_once('[') {
            Some((name, key)) => (name, Some(key.trim_end_matches(']'))),
            None => (step, None),
        };
        here = match name.parse::<usize>() {
            Ok(index) => here.get(index),
            Err(_) => here.get(name),
        }
        .map_or(&Value::Null, value);
        if let Some(key) = key {
            let named = |item: &&Value| {
                ["device", "name", "id", "signature"].iter().any(|field| match item.get(field) {
                    Some(Value::String(text)) => text == key,
                    Some(Value::Number(number)) => number.to_string() == key,
                    _ => false,
                })
            };
            here = here.as_array().and_then(|list| list.iter().find(named)).unwrap_or(&Value::Null);
        }
    }
    match here {
        Value::String(word) if ["absent", "not_collected"].contains(&word.as_str()) => word.clone(),
        Value::Object(map) if map.contains_key("unreadable") => "unreadable".to_owned(),
        other => other.to_string(),
    }
}

/// The value of what was seen; everything else as it is.
fn value(reading: &Value) -> &Value {
    reading.get("seen").and_then(|seen| seen.get("value")).unwrap_or(reading)
}

/// What a rule makes of the subject with these words in it.
fn judged(facts: &Facts, code: &str, subject: &str) -> String {
    let rule = RULES.iter().find(|rule| rule.code == code).unwrap_or_else(|| panic!("no rule {code}"));
    let all = (rule.evaluate)(&assay_diagnosis::View::new(facts));
    let Some(judgement) = all.iter().find(|j| j.subject.contains(subject)) else {
        return "no judgement".to_owned();
    };
    match &judgement.outcome {
        Outcome::Found(finding) => {
            let word = serde_json::to_value(finding.verdict).expect("plain data");
            word.as_str().unwrap_or_default().to_owned()
        }
        Outcome::Clear(None) => "clear".to_owned(),
        Outcome::Clear(Some(_)) => "exonerated".to_owned(),
        Outcome::CannotTell { .. } => "cannot tell".to_owned(),
        Outcome::NotApplicable => "not applicable".to_owned(),
    }
}

/// The hostile device is text, because only text may leave a machine. As bytes it has to be survived as well.
#[test]
fn garbage_says_nothing() {
    let folder = root().join("tests/devices/hostile-garbage/source");
    let text = RecordedSource::from_dir(&folder).expect("a recorded device");
    let bytes = |content: &[u8]| -> Vec<u8> {
        let text = String::from_utf8_lossy(content);
        text.chars().flat_map(|c| u8::try_from(u32::from(c)).map_or_else(|_| vec![0], |b| vec![b])).collect()
    };
    let raw = text.files().iter().map(|(path, content)| (path.clone(), bytes(content))).collect();
    for source in [text, RecordedSource::from_files(raw)] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let facts = runtime.block_on(collect(&source, &Options::default())).facts;
        let diagnosis = assay_diagnosis::diagnose(&facts);
        assert_eq!(diagnosis.overall, assay_bundle::Overall::CannotTell);
        assert!(diagnosis.findings.is_empty(), "{diagnosis:?}");
        // Two rows of its logs are whole, a stop and a throttling: they are cleared in words, and blame nothing.
        let cleared = |code: &str| ["PSU-002", "TMP-003"].contains(&code);
        assert!(diagnosis.exonerations.iter().all(|e| cleared(&e.code)), "{diagnosis:?}");
        plausible(&serde_json::to_value(&facts).expect("plain data"), "facts");
    }
}

/// No number that was seen lies outside of what its unit can be.
fn plausible(facts: &Value, place: &str) {
    let limit = |name: &str| match name {
        name if name.ends_with("_c") => Some(150),
        name if name.ends_with("_rpm") => Some(30_000),
        name if name.ends_with("_percent") => Some(255),
        "bay" | "fans" | "disks" | "temperature_sensors" => Some(9999),
        _ => None,
    };
    match facts {
        Value::Object(map) => {
            for (key, reading) in map {
                let place = format!("{place}.{key}");
                if let (Some(most), Some(number)) = (limit(key), value(reading).as_i64()) {
                    assert!((-40..=most).contains(&number), "{place} is {number}");
                }
                plausible(reading, &place);
            }
        }
        Value::Array(list) => list.iter().for_each(|item| plausible(item, place)),
        _ => {}
    }
}
