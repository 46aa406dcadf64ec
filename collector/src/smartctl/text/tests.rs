//! Reports of all three kinds: equal to the JSON of the same drive, cut, damaged, and the odd ones in tables.

use assay_bundle::Observed;
use assay_bundle::facts::drive::{Drive, PowerMode, SelfTestOutcome, WhenFailed};
use assay_bundle::units::{Celsius, MegabitsPerSecond};

use crate::hostile;
use crate::smartctl::{ASLEEP, Answer, ParsedDrive, parse, samples};

const PLACE: &str = "cmd/smartctl.sat.sda/stdout";

fn report(text: &str) -> ParsedDrive {
    parse(text.as_bytes(), PLACE)
}

#[test]
fn text_and_json_of_a_drive_are_the_same_facts() {
    fn check(text: &str, json: &str) {
        let (text, json) = (report(text), report(json));
        assert_eq!(text.answer, Answer::Answered);
        assert_eq!(text, json);
        // Separators of other locales, and lines that end as on Windows.
        assert!(text.drive.serial.is_seen() && text.drive.capacity_bytes.is_seen());
    }
    check(samples::ATA, samples::ATA_JSON);
    check(samples::NVME, samples::NVME_JSON);
    check(samples::SCSI, samples::SCSI_JSON);
    check(&samples::ATA.replace('\n', "\r\n"), samples::ATA_JSON);
    for separator in [".", "'", "\u{a0}", "\u{202f}", " ", ""] {
        let text: String = samples::NVME
            .lines()
            .map(|line| match line.split_once(':') {
                Some((key, value)) if !key.contains("Error Information (") => {
                    format!("{key}:{}\n", value.replace(',', separator))
                }
                _ => format!("{line}\n"),
            })
            .collect();
        assert_eq!(report(&text), report(samples::NVME_JSON), "{separator:?}");
    }
}

#[test]
fn cut_and_damaged_reports_say_nothing_else() {
    let ranges = |drive: &Drive| {
        assert!(drive.temperature_c.value().is_none_or(|t| (1..128).contains(&t.0)));
        assert!(drive.spare_available_percent.value().is_none_or(|spare| spare.0 <= 100));
        assert!(drive.ata_attributes.value().is_none_or(|rows| rows.iter().all(|row| row.id > 0)));
        assert!(drive.nvme.value().is_none_or(|log| log.temperature_sensors_c.len() <= 8));
    };
    for sample in [samples::ATA, samples::NVME, samples::SCSI] {
        hostile::cut(sample.as_bytes(), |bytes| parse(bytes, PLACE).drive);
        hostile::mutate(sample.as_bytes(), 1000, |bytes| parse(bytes, PLACE).drive, ranges);
        // At every line, which is where a cut looks like an end.
        let whole = report(sample).drive;
        for (at, _) in sample.match_indices('\n') {
            let part = report(sample.get(..=at).expect("a line end")).drive;
            let seen = |a: bool, same: bool| assert!(!a || same, "cut after {at} bytes");
            seen(part.temperature_c.is_seen(), part.temperature_c == whole.temperature_c);
            seen(part.power_on_hours.is_seen(), part.power_on_hours == whole.power_on_hours);
            seen(part.ata_error_count.is_seen(), part.ata_error_count == whole.ata_error_count);
            seen(part.pending_defects.is_seen(), part.pending_defects == whole.pending_defects);
            seen(part.health_passed.is_seen(), part.health_passed == whole.health_passed);
            let uncorrected = |drive: &Drive| drive.scsi.value().and_then(|scsi| scsi.uncorrected_errors);
            seen(uncorrected(&part).is_some(), uncorrected(&part) == uncorrected(&whole));
            let honest =
                |part: bool, whole: bool| assert!(!part || whole, "cut after {at} bytes: no absence");
            honest(part.self_tests.is_absent(), whole.self_tests.is_absent());
            honest(part.pending_defects.is_absent(), whole.pending_defects.is_absent());
            honest(part.ata_statistics.is_absent(), whole.ata_statistics.is_absent());
        }
    }
    for sample in [samples::ATA_JSON, samples::NVME_JSON, samples::SCSI_JSON] {
        hostile::cut(sample.as_bytes(), |bytes| parse(bytes, PLACE).drive);
        hostile::mutate(sample.as_bytes(), 1000, |bytes| parse(bytes, PLACE).drive, ranges);
    }
}

#[test]
fn attribute_rows_of_all_ages() {
    /// Id, value, when failed, predicts failure, raw, decoded.
    type Short = (u8, Option<u8>, WhenFailed, bool, u64, Option<u64>);
    fn check(row: &str, expected: Option<Short>) {
        let found = report(&format!("=== START OF READ SMART DATA SECTION ===\n{row}\n\n"));
        let rows = found.drive.ata_attributes.value().cloned().unwrap_or_default();
        let first = rows.first();
        let short = first.map(|a| (a.id, a.value, a.when_failed, a.prefailure, a.raw, a.decoded));
        assert_eq!(short, expected, "{row}");
    }
    use WhenFailed::{Never, Now, Past};
    let old = "  5 Reallocated_Sector_Ct   0x0033   100   099   010    Pre-fail  Always       -       8";
    check(old, Some((5, Some(100), Never, true, 8, Some(8))));
    let failing =
        "  5 Reallocated_Sector_Ct   0x0033   001   001   010    Pre-fail  Always   FAILING_NOW 1975";
    check(failing, Some((5, Some(1), Now, true, 1975, Some(1975))));
    let past = "190 Airflow_Temperature_Cel 0x0022   066   040   045    Old_age   Always   In_the_past 34 (Min/Max 20/60)";
    check(past, Some((190, Some(66), Past, false, 34, Some(34))));
    let brief = "190 Airflow_Temperature_Cel -O---K   066   040   045    Past 34 (0 4 36 20 0)";
    check(brief, Some((190, Some(66), Past, false, 34, Some(34))));
    let without = "  9 Power_On_Hours          -O--CK   ---   ---   ---    -    30232h+08m+42.220s";
    check(without, Some((9, None, Never, false, 30_232, Some(30_232))));
    let hex = "  9 Power_On_Hours          -O--CK   100   100   000    -    0x00000000001e";
    check(hex, Some((9, Some(100), Never, false, 30, None)));
    // Same id, another meaning: the name stays with it, and nothing is judged here.
    let trap = "196 Not_In_Use              PO--CK   100   100   000    -    0";
    check(trap, Some((196, Some(100), Never, true, 0, Some(0))));
    let ssd = "197 Total_Pending_Sectors   -O--CK   100   100   000    -    3";
    check(ssd, Some((197, Some(100), Never, false, 3, Some(3))));
    check("  5 Reallocated_Sector_Ct   PO--CK   100   100   010    -", None);
    check("  5 Reallocated_Sector_Ct   PO--CK   100   100   010", None);
    check("300 Reallocated_Sector_Ct   PO--CK   100   100   010    -    0", None);
    check("  0 Reallocated_Sector_Ct   PO--CK   100   100   010    -    0", None);
}

#[test]
fn temperature_is_of_the_table_then_of_sct() {
    fn check(lines: &str, expected: Option<i16>, sentinel: bool) {
        let found = report(&format!("=== START OF READ SMART DATA SECTION ===\n{lines}\n\n"));
        let none = "SMART overall-health self-assessment test result: PASSED\n";
        let found = if lines.is_empty() { report(none) } else { found };
        assert_eq!(found.drive.temperature_c.value().map(|t| t.0), expected, "{lines}");
        assert_eq!(found.temperature_is_sentinel, sentinel, "{lines}");
    }
    let row = |id: u8, raw: &str| format!("{id} Temperature_Celsius -O---K 100 100 000 - {raw}\n");
    let sct = "\nCurrent Temperature:                    35 Celsius";
    check(&row(194, "34 (Min/Max 20/60)"), Some(34), false);
    check(&format!("{}{}", row(190, "31"), row(194, "34")), Some(34), false);
    check(&format!("{}{sct}", row(190, "31")), Some(31), false);
    check(&format!("{}{sct}", row(194, "0")), Some(35), false);
    check(&row(194, "0"), None, true);
    check("Current Temperature:                     ? Celsius", None, false);
    check("", None, false);
}

#[test]
fn health_by_its_line() {
    fn check(lines: &str, passed: Option<bool>, codes: Option<(u8, u8)>) {
        let drive = report(&format!(
            "Vendor:  EXAMPLE\nProduct: X\n=== START OF READ SMART DATA SECTION ===\n{lines}\n"
        ))
        .drive;
        assert_eq!(drive.health_passed.value().copied(), passed, "{lines}");
        let found = drive.scsi.value().and_then(|scsi| scsi.asc.zip(scsi.ascq));
        assert_eq!(found, codes, "{lines}");
    }
    check("SMART overall-health self-assessment test result: PASSED", Some(true), None);
    check("SMART overall-health self-assessment test result: FAILED!", Some(false), None);
    check("SMART overall-health self-assessment test result: UNKNOWN!", None, None);
    check("SMART Health Status: OK", Some(true), None);
    check(
        "SMART Health Status: FAILURE PREDICTION THRESHOLD EXCEEDED [asc=5d, ascq=10]",
        Some(false),
        Some((0x5d, 0x10)),
    );
    check(
        "SMART Health Status: FAILURE PREDICTION THRESHOLD EXCEEDED (FALSE) [asc=5d, ascq=ff]",
        Some(false),
        Some((0x5d, 0xff)),
    );
    check(
        "SMART Health Status: WARNING - SPECIFIED TEMPERATURE EXCEEDED [asc=b, ascq=1]",
        Some(false),
        Some((0x0b, 1)),
    );
}

#[test]
fn a_drive_that_does_not_answer_says_why() {
    let head = "smartctl 6.5 2016-05-07 r4318 [armv7l-linux] (local build)\n\n";
    let asleep =
        report(&format!("{head}=== START OF INFORMATION SECTION ===\nDevice is in STANDBY mode, exit(2)\n"));
    assert_eq!(asleep.answer, Answer::Asleep(PowerMode::Standby));
    assert_eq!(asleep.drive.health_passed, Observed::unreadable(ASLEEP));
    assert_eq!(asleep.smartctl_version.as_deref(), Some("6.5"));
    let none = report(&format!(
        "{head}Vendor:               WDC\nProduct:              WD40EFRX\nSerial number:        W1\nSMART support is:     Unavailable - device lacks SMART capability.\nCurrent Drive Temperature:     0 C\n"
    ));
    assert!(matches!(&none.answer, Answer::NoSmart(why) if why.contains("no SMART capability")), "{none:?}");
    assert!(none.temperature_is_sentinel && none.is_poor());
    let failed = report(&format!("{head}Smartctl open device: /dev/sda failed: No such device\n"));
    assert!(matches!(&failed.answer, Answer::Unreadable(why) if why.contains("No such device")));
    for (first, version) in
        [("smartctl version 5.38 [arm]", "5.38"), ("smartctl pre-7.5 2024-01-01 r5600", "7.5")]
    {
        let found = report(&format!("{first}\nDevice Model:     EXAMPLE\nSerial Number:    --\n"));
        assert_eq!(found.smartctl_version.as_deref(), Some(version));
        assert!(found.drive.model.is_seen() && !found.drive.serial.is_seen(), "an anonymised serial is none");
    }
    assert!(matches!(report("no report at all\n").answer, Answer::Unreadable(_)));
}

#[test]
fn logs_that_are_not_there() {
    let absent = "SMART overall-health self-assessment test result: PASSED\nDevice Model:  X\nPending Defects log (GP Log 0x0c) not supported\nDevice Statistics (GP/SMART Log 0x04) not supported\nSMART Self-test Log not supported\nSMART Error Log not supported\nSATA Phy Event Counters (GP Log 0x11) not supported\n";
    let drive = report(absent).drive;
    assert!(
        drive.pending_defects.is_absent() && drive.ata_statistics.is_absent() && drive.phy_events.is_absent()
    );
    assert!(drive.self_tests.is_absent() && drive.ata_error_count.is_absent());
    let unknown =
        report("SMART overall-health self-assessment test result: PASSED\nDevice Model:  X\n").drive;
    assert!(unknown.pending_defects.why_not().is_some_and(|why| why.contains("the report holds no")));
    let empty = "Device Model:  X\nSMART overall-health self-assessment test result: PASSED\nSMART Error Log Version: 1\nNo Errors Logged\n\nSMART Self-test log structure revision number 1\nNo self-tests have been logged.  [To run self-tests, use: smartctl -t]\n\nPending Defects log (GP Log 0x0c)\nNo Defects Logged\n\n";
    let drive = report(empty).drive;
    assert_eq!((drive.ata_error_count.value(), drive.pending_defects.value()), (Some(&0), Some(&0)));
    assert_eq!(drive.self_tests.value().map(Vec::len), Some(0));
}

#[test]
fn a_second_report_in_the_text_is_left_alone() {
    let both = format!("{}{}", samples::ATA, samples::NVME);
    assert_eq!(report(&both), report(samples::ATA));
}

#[test]
fn a_test_that_lost_its_power_is_not_running() {
    let text = "Device Model:  X\nSMART overall-health self-assessment test result: PASSED\nSelf-test execution status:      (   0)\tThe previous\nSMART Self-test log structure revision number 1\nNum  Test_Description    Status\n# 1  Short offline       Self-test routine in progress 90%       100         -\n\n";
    let drive = report(text).drive;
    let outcomes: Vec<_> = drive.self_tests.value().expect("a log").iter().map(|test| test.outcome).collect();
    assert_eq!(outcomes, [SelfTestOutcome::NotCompleted]);
    assert_eq!(drive.link_speed, Observed::<MegabitsPerSecond>::NotCollected);
    assert_eq!(report(samples::SCSI).drive.temperature_limit_c.value(), Some(&Celsius(65)));
}
