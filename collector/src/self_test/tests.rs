//! Every order, written down, and what none of them may be; answers and logs as smartctl gives them.

use serde_json::{Value, json};

use super::*;
use crate::smartctl::sample::ata;
use crate::source::Exit;

/// Every line of every order on one drive; a new variant does not compile without its arm.
fn lines(order: SelfTestOrder) -> [&'static str; 2] {
    match order {
        SelfTestOrder::Short => [
            "smartctl -n standby,3 -t short -d sat /dev/sda",
            "smartctl -n standby,3 -t short -d nvme /dev/nvme0",
        ],
        SelfTestOrder::Long => [
            "smartctl -n standby,3 -t long -d sat /dev/sda",
            "smartctl -n standby,3 -t long -d nvme /dev/nvme0",
        ],
        SelfTestOrder::Abort => {
            ["smartctl -n standby,3 -X -d sat /dev/sda", "smartctl -n standby,3 -X -d nvme /dev/nvme0"]
        }
    }
}

const ORDERS: [SelfTestOrder; 3] = [SelfTestOrder::Short, SelfTestOrder::Long, SelfTestOrder::Abort];
/// Every word there is besides the drive.
const WORDS: [&str; 11] =
    ["-n", "standby,3", "-t", "short", "long", "-X", "-d", "sat", "ata", "scsi", "nvme"];

fn order(order: SelfTestOrder, node: &str, kind: SmartctlKind) -> SelfTestCommand {
    SelfTestCommand { order, device: DeviceNode::parse(node).expect("a known shape"), kind }
}

#[test]
fn every_order_is_written_down() {
    for of in ORDERS {
        let [sat, nvme] = lines(of);
        assert_eq!(order(of, "sda", SmartctlKind::Sat).line(), sat);
        assert_eq!(order(of, "nvme0", SmartctlKind::Nvme).line(), nvme);
    }
}

/// No order is anything but a short or long test or its end: no setting, no captive or forced test, no other tool.
#[test]
fn nothing_else_can_be_ordered() {
    // The enum holds what is written down above, and nothing that nobody listed.
    let source = include_str!("../self_test.rs");
    let (_, rest) = source.split_once("pub enum SelfTestOrder {\n").expect("the enum");
    let (body, _) = rest.split_once("\n}\n").expect("its end");
    let variants: Vec<&str> = body
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("///"))
        .map(|v| v.trim_end_matches(','))
        .collect();
    assert_eq!(variants, ["Short", "Long", "Abort"]);
    for of in ORDERS {
        for node in ["sda", "sdzz", "nvme0", "nvme12n1", "sg3"] {
            for kind in SmartctlKind::ALL {
                let command = order(of, node, kind);
                let argv = command.argv();
                let (device, plain) = argv.split_last().expect("a drive");
                assert_eq!(device, command.device.path(), "{}", command.line());
                let allowed = |word: &String| WORDS.contains(&word.as_str()) || word == "sat,12";
                assert!(plain.iter().all(allowed), "{}", command.line());
                assert_eq!(
                    plain.get(..2),
                    Some(&["-n".to_owned(), "standby,3".to_owned()][..]),
                    "never wakes"
                );
                let tests = plain.iter().filter(|word| *word == "-t" || *word == "-X").count();
                assert_eq!(tests, 1, "{}", command.line());
                for never in [
                    "force",
                    "-C",
                    "captive",
                    "select",
                    "vendor",
                    "offline",
                    "-s",
                    "jmb39x",
                    "conveyance",
                    "--",
                ] {
                    assert!(!argv.iter().any(|word| word.contains(never)), "{}", command.line());
                }
                assert!(
                    !command.line().contains([';', '|', '&', '$', '`', '>', '<', '\n']),
                    "{}",
                    command.line()
                );
            }
        }
    }
}

#[test]
fn whether_an_order_was_taken() {
    fn check(text: &str, status: Option<i32>, expected: &Taken) {
        let exit = Some(Exit { exit_code: status, signal: None, duration_ms: 1 });
        let fetched = Fetched { bytes: text.as_bytes().to_vec(), exit, ..Fetched::default() };
        assert_eq!(&taken(&fetched), expected, "{text}");
    }
    let no = |words: &str| Taken::No(words.to_owned());
    check("Testing has begun.\nPlease wait 2 minutes for test to complete.\n", Some(0), &Taken::Yes);
    // The drive fails its health and logs errors; the test began.
    check("Testing has begun.\n", Some(8 + 64), &Taken::Yes);
    check("Self-testing aborted!\n", Some(0), &Taken::Yes);
    check("Device is in STANDBY mode, exit(3)\n", Some(3), &Taken::Asleep);
    check(
        "smartctl 7.4\n\n=== START OF OFFLINE IMMEDIATE AND SELF-TEST SECTION ===\nCan't start self-test without aborting \
         current test (90% remaining),\nadd '-t force' option to override.\n\n",
        Some(4),
        &no(
            "smartctl says: Can't start self-test without aborting current test (90% remaining), (exit status 4)",
        ),
    );
    check(
        "Smartctl open device: /dev/sda failed\n",
        Some(2),
        &no("smartctl says: Smartctl open device: /dev/sda failed (exit status 2)"),
    );
    check("", None, &no("smartctl said nothing (it was killed)"));
    check("", Some(3), &no("smartctl said nothing (exit status 3)"));
}

#[test]
fn versions() {
    for (text, expected) in [
        ("smartctl 7.4 2023-08-01 r5530 [x86_64-linux-5.10.60-qnap] (local build)\nCopyright", Some((7, 4))),
        ("smartctl pre-7.4 2023-06-13 r5481", Some((7, 3))),
        ("smartctl 6.6 2017-11-05 r4594", Some((6, 6))),
        ("smartctl version 5.38 [x86_64]", Some((5, 38))),
        ("smartctl pre-7.0", None),
        ("garbage", None),
    ] {
        assert_eq!(version(text), expected, "{text}");
    }
}

#[test]
fn what_a_look_sees() {
    fn check(rest: Value, runs: bool, left: Option<u8>, short: Option<u64>, extended: Option<u64>) {
        let look = Look::read(ata(rest.clone()).to_string().as_bytes(), "x");
        assert_eq!(
            (look.runs(), look.remaining_percent, look.short_minutes, look.extended_minutes),
            (runs, left, short, extended),
            "{rest}"
        );
    }
    let status = |value: u64| {
        json!({"ata_smart_data": {"self_test": {"status": {"value": value, "string": "x"},
            "polling_minutes": {"short": 2, "extended": 523}}}})
    };
    check(status(0), false, None, Some(2), Some(523));
    check(status(0xf9), true, Some(90), Some(2), Some(523));
    check(status(0xf0), true, Some(0), Some(2), Some(523));
    check(json!({}), false, None, None, None);
    let nvme = |operation: u64| {
        json!({"device": {"name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe"},
            "nvme_smart_health_information_log": {"critical_warning": 0},
            "nvme_self_test_log": {"current_self_test_operation": {"value": operation, "string": "x"},
                "current_self_test_completion_percent": 40}})
    };
    check(nvme(1), true, Some(60), None, None);
    check(nvme(0), false, None, None, None);
    let sas = json!({"device": {"name": "/dev/sda", "type": "scsi", "protocol": "SCSI"}, "scsi_grown_defect_list": 0,
        "scsi_extended_self_test_seconds": 80_401, "scsi_self_test_0": {"code": {"string": "Background long"},
        "result": {"value": 15, "string": "Self test in progress ..."}}});
    check(sas, true, None, None, Some(1341));
    assert!(!Look::read(b"", "x").runs() && Look::read(b"[]", "x").asleep().is_none());
}

#[test]
fn the_first_new_row_of_a_log_is_ours() {
    fn row(hours: u64, outcome: SelfTestOutcome) -> SelfTest {
        SelfTest {
            kind: "Short offline".to_owned(),
            outcome,
            text: String::new(),
            at_power_on_hours: Some(assay_bundle::units::Hours(hours)),
            first_error_lba: None,
        }
    }
    fn check(before: &[u64], after: &[u64], expected: Option<u64>) {
        let rows = |hours: &[u64]| -> Vec<SelfTest> {
            hours.iter().map(|hours| row(*hours, SelfTestOutcome::Passed)).collect()
        };
        let found = logged_since(&rows(before), &rows(after)).and_then(|test| test.at_power_on_hours);
        assert_eq!(found.map(|hours| hours.0), expected, "{before:?} {after:?}");
    }
    check(&[], &[], None);
    check(&[], &[5], Some(5));
    check(&[5], &[5], None);
    check(&[5, 4], &[9, 5, 4], Some(9));
    // Equal rows of one hour still count.
    check(&[5], &[5, 5], Some(5));
    // Ours is the older of two new ones.
    check(&[5, 4], &[11, 9, 5, 4], Some(9));
    // A full log drops its oldest row.
    check(&[5, 4, 3], &[9, 5, 4], Some(9));
    check(&[5, 4, 3], &[5, 4, 3], None);
    // Another log altogether: the oldest that is there.
    check(&[5, 4], &[9, 8], Some(8));
    check(&[5, 4], &[], None);
}
