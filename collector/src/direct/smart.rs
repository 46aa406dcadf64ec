//! ATA SMART: the attribute table with its thresholds, the drive's verdict, the error log and the self-test log.
//!
//! The layout of the attribute table is not in any current standard; it is the one of ATA-3 (X3T10/2008D) and SFF-8035,
//! which every drive keeps. Raw values are 48 bits and may hold several numbers: only what nearly all makers agree on
//! is taken apart. A sector whose checksum is wrong says nothing.

use assay_bundle::facts::drive::{AtaAttribute, Medium, SelfTest, SelfTestOutcome, WhenFailed};
use assay_bundle::units::{Celsius, Hours};

use super::sense::Registers;
use super::{DeviceAnswer, SECTOR_BYTES, SMART_PATTERN, le, names};
use crate::smartctl::decode::decoded;

/// Rows of the attribute and threshold tables, from byte 2 on.
const ROWS: usize = 30;
/// Bytes of one row.
const ROW_BYTES: usize = 12;
/// Flag bit: predicts failure.
const PREFAILURE: u128 = 1;
/// Entries of the self-test log.
const LOGGED_TESTS: usize = 21;
/// Bytes of one of them.
const TEST_BYTES: usize = 24;
/// More hours than the oldest SATA drive can have been under power (the first were made in 2003): such a raw value
/// counts minutes or seconds.
const MOST_HOURS: u64 = 30 * 8766;

/// A sector with a right checksum.
///
/// # Errors
/// Why it says nothing, in words.
pub fn sector(answer: &DeviceAnswer) -> Result<&[u8], String> {
    if answer.data.len() < SECTOR_BYTES as usize {
        return Err(format!("{} of {SECTOR_BYTES} bytes came", answer.data.len()));
    }
    if answer.sum != 0 {
        return Err("the checksum is wrong".to_owned());
    }
    Ok(&answer.data)
}

/// The attribute table. Without thresholds no attribute has failed, and none is said not to have.
///
/// # Errors
/// Why the table says nothing, in words.
pub fn attributes(
    data: &DeviceAnswer,
    thresholds: Option<&DeviceAnswer>,
    medium: Option<Medium>,
) -> Result<Vec<AtaAttribute>, String> {
    let table = sector(data)?;
    let limits = thresholds.and_then(|answer| sector(answer).ok()).unwrap_or_default();
    // An attribute may stand in another row than its threshold.
    let threshold =
        |id: u8| rows(limits).find(|row| row.first() == Some(&id)).and_then(|row| row.get(1).copied());
    Ok(rows(table).filter_map(|row| attribute(row, threshold, medium)).collect())
}

/// Rows that are in use.
fn rows(table: &[u8]) -> impl Iterator<Item = &[u8]> {
    let rows = table.get(2..).unwrap_or_default().chunks_exact(ROW_BYTES).take(ROWS);
    rows.filter(|row| row.first().is_some_and(|id| *id != 0))
}

fn attribute(
    row: &[u8],
    threshold: impl Fn(u8) -> Option<u8>,
    medium: Option<Medium>,
) -> Option<AtaAttribute> {
    // 0, 254 and 255 are no normalised values.
    let normalised = |at: usize| row.get(at).copied().filter(|value| (1..=253).contains(value));
    let id = *row.first()?;
    let (value, worst, threshold) = (normalised(3), normalised(4), threshold(id));
    let reached = |value: Option<u8>| {
        threshold.is_some_and(|limit| limit != 0 && value.is_some_and(|value| value <= limit))
    };
    let raw = u64::try_from(le::<6>(row, 5)?).ok()?;
    let name = names::of(id, medium);
    Some(AtaAttribute {
        id,
        name: name.to_owned(),
        value,
        worst,
        threshold,
        prefailure: le::<2>(row, 1)? & PREFAILURE != 0,
        when_failed: if reached(value) {
            WhenFailed::Now
        } else if reached(worst) {
            WhenFailed::Past
        } else {
            WhenFailed::Never
        },
        raw,
        decoded: decoded(id, name, "", raw, &raw_text(id, raw)),
        raw_text: raw_text(id, raw),
    })
}

/// Packed values that nearly all makers pack alike.
fn raw_text(id: u8, raw: u64) -> String {
    match id {
        // The lowest byte is the temperature now; the others hold the lowest and highest so far, each maker his way.
        190 | 194 => (raw & 0xff).to_string(),
        // Commands that took longer than 7.5 s, 5 s, and in all: only where the upper words are in use.
        188 if raw > u64::from(u16::MAX) => {
            format!("{} {} {}", raw & 0xffff, raw >> 16 & 0xffff, raw >> 32 & 0xffff)
        }
        // Hours in the lower three bytes, a finer part above.
        9 | 240 => (raw & 0xff_ffff).to_string(),
        _ => raw.to_string(),
    }
}

fn raw(table: &[AtaAttribute], id: u8) -> Option<u64> {
    table.iter().find(|row| row.id == id).map(|row| row.raw)
}

/// The temperature: attribute 194, else 190, the lowest byte. What no drive means is none.
pub fn temperature(table: &[AtaAttribute]) -> Option<Celsius> {
    let of = |id| raw(table, id).and_then(|raw| Celsius::of_drive(i64::try_from(raw & 0xff).ok()?));
    of(194).or_else(|| of(190))
}

/// Hours under power: attribute 9. `None` where it counts something else than hours.
pub fn power_on_hours(table: &[AtaAttribute]) -> Option<Hours> {
    raw(table, 9).map(|raw| raw & 0xff_ffff).filter(|hours| *hours <= MOST_HOURS).map(Hours)
}

/// Power cycles: attribute 12, whose upper bytes some makers use for something else.
pub fn power_cycles(table: &[AtaAttribute]) -> Option<u64> {
    raw(table, 12).map(|raw| raw & 0xffff_ffff)
}

/// The answer to SMART RETURN STATUS: whether the drive passes. `None` for registers that are neither answer.
pub fn verdict(registers: &Registers) -> Option<bool> {
    const FAILING: (u8, u8) = (0xf4, 0x2c);
    match (registers.lba_middle, registers.lba_high) {
        SMART_PATTERN => Some(true),
        FAILING => Some(false),
        _ => None,
    }
}

/// Lifetime count of the summary error log.
///
/// # Errors
/// Why the log says nothing, in words.
pub fn error_count(answer: &DeviceAnswer) -> Result<u64, String> {
    let count = le::<2>(sector(answer)?, 452).and_then(|count| u64::try_from(count).ok());
    count.ok_or_else(|| "the log is too short".to_owned())
}

/// The self-test that runs now, by the status byte of the attribute sector.
pub fn running_test(data: &DeviceAnswer) -> Option<SelfTest> {
    let status = *sector(data).ok()?.get(363)?;
    (outcome(status) == SelfTestOutcome::Running).then(|| SelfTest {
        kind: "running now".to_owned(),
        outcome: SelfTestOutcome::Running,
        text: format!("in progress, {} % left", u32::from(status & 0x0f) * 10),
        at_power_on_hours: None,
        first_error_lba: None,
    })
}

/// The self-test log, newest first.
///
/// # Errors
/// Why the log says nothing, in words.
pub fn self_tests(answer: &DeviceAnswer) -> Result<Vec<SelfTest>, String> {
    let log = sector(answer)?;
    // The index of the newest, from 1; 0 means that none was ever logged.
    let newest = usize::from(log.get(508).copied().unwrap_or(0));
    match newest {
        0 => return Ok(Vec::new()),
        1..=LOGGED_TESTS => {}
        _ => return Err(format!("the log's newest entry would be number {newest} of {LOGGED_TESTS}")),
    }
    let entry = |back: usize| {
        let index = (newest - 1 + LOGGED_TESTS - back) % LOGGED_TESTS;
        let start = 2 + index * TEST_BYTES;
        log.get(start..start + TEST_BYTES)
    };
    Ok((0..LOGGED_TESTS).filter_map(entry).filter_map(logged).collect())
}

fn logged(entry: &[u8]) -> Option<SelfTest> {
    if entry.iter().all(|byte| *byte == 0) {
        return None;
    }
    let (kind, status) = (*entry.first()?, *entry.get(1)?);
    let outcome = outcome(status);
    // Only a failed test has a first failing sector; all ones is none.
    let lba = le::<4>(entry, 5).and_then(|lba| u64::try_from(lba).ok()).filter(|lba| *lba != 0xffff_ffff);
    Some(SelfTest {
        kind: kind_words(kind).to_owned(),
        outcome,
        text: words(status).to_owned(),
        at_power_on_hours: le::<2>(entry, 2).and_then(|hours| u64::try_from(hours).ok()).map(Hours),
        first_error_lba: lba.filter(|_| outcome == SelfTestOutcome::Failed),
    })
}

/// The status byte: the upper half is the outcome, the lower one tenths that are left (ACS-4, 9.6).
fn outcome(status: u8) -> SelfTestOutcome {
    match status >> 4 {
        0 => SelfTestOutcome::Passed,
        4..=8 => SelfTestOutcome::Failed,
        0xf => SelfTestOutcome::Running,
        _ => SelfTestOutcome::NotCompleted,
    }
}

fn words(status: u8) -> &'static str {
    match status >> 4 {
        0 => "Completed without error",
        1 => "Aborted by host",
        2 => "Interrupted (host reset)",
        3 => "Fatal or unknown error",
        4 => "Completed: unknown failure",
        5 => "Completed: electrical failure",
        6 => "Completed: servo/seek failure",
        7 => "Completed: read failure",
        8 => "Completed: handling damage",
        0xf => "Self-test routine in progress",
        _ => "Reserved",
    }
}

fn kind_words(kind: u8) -> &'static str {
    match kind {
        0x00 => "Offline",
        0x01 => "Short offline",
        0x02 => "Extended offline",
        0x03 => "Conveyance offline",
        0x04 => "Selective offline",
        0x7f => "Abort offline test",
        0x81 => "Short captive",
        0x82 => "Extended captive",
        0x83 => "Conveyance captive",
        0x84 => "Selective captive",
        0x40..=0x7e | 0x90..=0xff => "Vendor",
        _ => "Reserved",
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
pub(crate) mod tests {
    use super::*;
    use crate::direct::DeviceQuery;
    use crate::direct::answer::tests::good;
    use crate::direct::identify::tests::seal;

    /// Id, flags, value, worst, raw.
    pub(crate) type Row = (u8, u16, u8, u8, u64);

    pub(crate) fn table(rows: &[Row], status: u8) -> Vec<u8> {
        let mut data = vec![0; 512];
        data[0] = 16;
        for (index, (id, flags, value, worst, raw)) in rows.iter().enumerate() {
            let start = 2 + index * 12;
            data[start] = *id;
            data[start + 1..start + 3].copy_from_slice(&flags.to_le_bytes());
            data[start + 3..start + 5].copy_from_slice(&[*value, *worst]);
            data[start + 5..start + 11].copy_from_slice(&raw.to_le_bytes()[..6]);
        }
        data[363] = status;
        seal(data)
    }

    pub(crate) fn limits(rows: &[(u8, u8)]) -> Vec<u8> {
        let mut data = vec![0; 512];
        data[0] = 16;
        for (index, (id, threshold)) in rows.iter().enumerate() {
            data[2 + index * 12..4 + index * 12].copy_from_slice(&[*id, *threshold]);
        }
        seal(data)
    }

    pub(crate) const DISK: &[Row] = &[
        (5, 0x33, 100, 100, 8),
        (9, 0x32, 60, 60, 0x0012_3400_8000),
        (12, 0x32, 100, 100, 77),
        (188, 0x32, 100, 98, 0x0016_0016_0016),
        (194, 0x22, 66, 40, 0x0014_0000_0022),
    ];

    fn answer(query: DeviceQuery, data: &[u8]) -> DeviceAnswer {
        DeviceAnswer::new(query, good(), data)
    }

    fn read(rows: &[Row], thresholds: &[(u8, u8)]) -> Vec<AtaAttribute> {
        let data = answer(DeviceQuery::AtaSmartData, &table(rows, 0));
        let thresholds = answer(DeviceQuery::AtaSmartThresholds, &limits(thresholds));
        attributes(&data, Some(&thresholds), Some(Medium::Hdd)).expect("a table")
    }

    #[test]
    fn a_table() {
        let rows = read(DISK, &[(194, 0), (5, 10)]);
        assert_eq!(rows.len(), 5);
        assert_eq!((rows[0].id, rows[0].name.as_str(), rows[0].raw), (5, "Reallocated_Sector_Ct", 8));
        assert_eq!((rows[0].prefailure, rows[0].threshold), (true, Some(10)));
        assert_eq!((rows[1].prefailure, rows[1].threshold), (false, None));
        assert_eq!(rows[3].raw_text, "22 22 22");
        assert_eq!(rows[4].raw_text, "34");
        assert_eq!(temperature(&rows), Some(Celsius(34)));
        assert_eq!((power_on_hours(&rows), power_cycles(&rows)), (Some(Hours(0x8000)), Some(77)));
    }

    #[test]
    fn when_an_attribute_failed() {
        fn check(value: u8, worst: u8, threshold: u8, expected: WhenFailed) {
            assert_eq!(read(&[(5, 1, value, worst, 0)], &[(5, threshold)])[0].when_failed, expected);
        }
        check(100, 100, 10, WhenFailed::Never);
        check(10, 10, 10, WhenFailed::Now);
        check(11, 9, 10, WhenFailed::Past);
        check(1, 1, 0, WhenFailed::Never);
        // No normalised values.
        check(0, 255, 10, WhenFailed::Never);
        let alone = answer(DeviceQuery::AtaSmartData, &table(&[(5, 1, 1, 1, 0)], 0));
        assert_eq!(attributes(&alone, None, None).expect("a table")[0].when_failed, WhenFailed::Never);
    }

    #[test]
    fn values_that_mean_nothing() {
        fn temperature_of(rows: &[Row]) -> Option<i16> {
            temperature(&read(rows, &[])).map(|degrees| degrees.0)
        }
        assert_eq!(temperature_of(&[(194, 0, 100, 100, 0)]), None);
        assert_eq!(temperature_of(&[(194, 0, 100, 100, 0xff)]), None);
        assert_eq!(temperature_of(&[(190, 0, 70, 60, 30), (194, 0, 100, 100, 0)]), Some(30));
        // An old drive that counts minutes.
        assert_eq!(power_on_hours(&read(&[(9, 0, 1, 1, 3_000_000)], &[])), None);
        assert_eq!(power_on_hours(&read(&[], &[])), None);
    }

    #[test]
    fn a_verdict_has_two_spellings() {
        fn check(lba_middle: u8, lba_high: u8, expected: Option<bool>) {
            let registers = Registers { error: 0, status: 0x50, count: 0, lba_middle, lba_high };
            assert_eq!(verdict(&registers), expected);
        }
        check(0x4f, 0xc2, Some(true));
        check(0xf4, 0x2c, Some(false));
        check(0, 0, None);
        check(0x4f, 0x2c, None);
    }

    /// A log with these entries from the oldest on: kind, status, hours, sector.
    pub(crate) fn log(entries: &[(u8, u8, u16, u32)]) -> Vec<u8> {
        let mut data = vec![0; 512];
        data[0] = 1;
        for (index, (kind, status, hours, lba)) in entries.iter().enumerate() {
            let start = 2 + index % 21 * 24;
            data[start..start + 2].copy_from_slice(&[*kind, *status]);
            data[start + 2..start + 4].copy_from_slice(&hours.to_le_bytes());
            data[start + 5..start + 9].copy_from_slice(&lba.to_le_bytes());
            data[508] = u8::try_from(index % 21 + 1).unwrap();
        }
        seal(data)
    }

    #[test]
    fn self_tests_are_newest_first() {
        fn check(entries: &[(u8, u8, u16, u32)], expected: &[(SelfTestOutcome, u64, Option<u64>)]) {
            let log = self_tests(&answer(DeviceQuery::AtaSmartSelfTestLog, &log(entries))).expect("a log");
            let found: Vec<_> = log
                .iter()
                .map(|test| (test.outcome, test.at_power_on_hours.unwrap().0, test.first_error_lba))
                .collect();
            assert_eq!(found, expected);
        }
        use SelfTestOutcome::{Failed, NotCompleted, Passed};
        check(&[], &[]);
        check(
            &[(1, 0, 5, 0), (2, 0x79, 7, 99), (1, 0x19, 9, 0xffff_ffff)],
            &[(NotCompleted, 9, None), (Failed, 7, Some(99)), (Passed, 5, None)],
        );
        check(&[(1, 0x70, 5, 0xffff_ffff)], &[(Failed, 5, None)]);
        // The ring came round: 23 tests, 21 places.
        let many: Vec<_> = (1..=23).map(|hour| (1, 0, hour, 0)).collect();
        let expected: Vec<_> = (3..=23).rev().map(|hour| (Passed, hour, None)).collect();
        check(&many, &expected);
        let mut odd = log(&[]);
        odd[508] = 22;
        assert!(self_tests(&answer(DeviceQuery::AtaSmartSelfTestLog, &seal(odd))).is_err());
    }

    #[test]
    fn a_test_that_runs_now() {
        let of = |status| running_test(&answer(DeviceQuery::AtaSmartData, &table(&[], status)));
        assert_eq!(of(0xf9).map(|test| test.text), Some("in progress, 90 % left".to_owned()));
        assert_eq!(of(0x00), None);
        assert_eq!(of(0x79), None);
    }

    #[test]
    fn errors_are_counted() {
        let mut data = vec![0; 512];
        data[452..454].copy_from_slice(&[0x2c, 0x01]);
        assert_eq!(error_count(&answer(DeviceQuery::AtaSmartErrorLogSummary, &seal(data.clone()))), Ok(300));
        assert!(error_count(&answer(DeviceQuery::AtaSmartErrorLogSummary, &data)).is_err());
        assert!(error_count(&answer(DeviceQuery::AtaSmartErrorLogSummary, &data[..100])).is_err());
    }

    #[test]
    fn cut_and_damaged_sectors_say_nothing_else() {
        let all = |bytes: &[u8]| {
            let answer = answer(DeviceQuery::AtaSmartData, bytes);
            (
                attributes(&answer, Some(&answer), None).unwrap_or_default(),
                running_test(&answer),
                self_tests(&answer).unwrap_or_default(),
            )
        };
        crate::hostile::cut(&table(DISK, 0xf1), all);
        for whole in [table(DISK, 0xf1), log(&[(1, 0x79, 5, 7)])] {
            crate::hostile::mutate(&whole, 1000, all, |(rows, _, tests)| {
                assert!(rows.len() <= ROWS && tests.len() <= LOGGED_TESTS);
                assert!(rows.iter().all(|row| row.id > 0 && row.raw < 1 << 48));
                assert!(temperature(rows).is_none_or(|degrees| (1..128).contains(&degrees.0)));
            });
        }
    }
}
