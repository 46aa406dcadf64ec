//! What an NVMe controller says: Identify, the health log and the self-test log (NVMe base specification 2.0).
//!
//! Counters have 128 bits. A controller that fell off the bus answers with all ones, which is refused; so is a
//! structure that is shorter than the specification says, because NVMe has no checksum to tell.

use assay_bundle::facts::drive::{NvmeHealth, SelfTest, SelfTestOutcome};
use assay_bundle::units::{Bytes, Celsius, Hours, Percent};

use super::{DeviceAnswer, le};

/// 0 C in kelvin, as drives round it.
const ZERO_CELSIUS_K: i64 = 273;
/// Bytes of the health log, and of the self-test log.
const HEALTH_BYTES: usize = 512;
const SELF_TEST_BYTES: usize = 564;
/// Bytes of Identify that are kept.
const IDENTIFY_BYTES: usize = 768;
/// Its first bytes, which hold the texts.
const TEXT_BYTES: usize = 72;
/// Optional admin commands: device self-test.
const SELF_TEST_BIT: u128 = 1 << 4;
/// Entries of the self-test log, and bytes of one.
const LOGGED_TESTS: usize = 20;
const TEST_BYTES: usize = 28;

/// What the controller says of itself. Texts are in the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Controller {
    /// Capacity of the whole device; `None` where the controller does not say.
    pub capacity_bytes: Option<Bytes>,
    /// Critical composite temperature.
    pub temperature_limit_c: Option<Celsius>,
    /// The controller keeps a self-test log.
    pub self_tests: bool,
    /// Entries of its error log.
    pub error_entries: u16,
}

/// Readings of the health log that stand in the drive and not in [`NvmeHealth`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The log.
    pub log: NvmeHealth,
    /// Composite temperature.
    pub temperature_c: Option<Celsius>,
    /// Hours under power; `None` beyond 64 bits.
    pub power_on_hours: Option<Hours>,
    /// Power cycles; `None` beyond 64 bits.
    pub power_cycles: Option<u64>,
}

/// `texts`: bytes at the beginning whose texts were taken out.
fn structure(answer: &DeviceAnswer, bytes: usize, texts: usize) -> Result<&[u8], String> {
    let data = answer.data.get(..bytes);
    let data = data.ok_or_else(|| format!("{} of {bytes} bytes came", answer.data.len()))?;
    if data.iter().skip(texts).all(|byte| *byte == 0xff) {
        return Err("the answer is all ones, as of a controller that is gone".to_owned());
    }
    Ok(data)
}

/// Kelvin as degrees Celsius; 0 is "not reported".
fn degrees(kelvin: Option<u128>) -> Option<Celsius> {
    i64::try_from(kelvin?).ok().and_then(|kelvin| Celsius::of_drive(kelvin - ZERO_CELSIUS_K))
}

/// Reads Identify.
///
/// # Errors
/// Why it says nothing, in words.
pub fn controller(answer: &DeviceAnswer) -> Result<Controller, String> {
    let data = structure(answer, IDENTIFY_BYTES, TEXT_BYTES)?;
    if answer.texts.is_empty() && data.iter().all(|byte| *byte == 0) {
        return Err("the answer is empty".to_owned());
    }
    let capacity = le::<16>(data, 280).and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
    Ok(Controller {
        capacity_bytes: capacity.map(Bytes),
        temperature_limit_c: degrees(le::<2>(data, 268)),
        self_tests: le::<2>(data, 256).is_some_and(|commands| commands & SELF_TEST_BIT != 0),
        error_entries: data.get(262).map_or(0, |last| u16::from(*last) + 1),
    })
}

/// Reads the health log.
///
/// # Errors
/// Why it says nothing, in words.
pub fn health(answer: &DeviceAnswer) -> Result<Health, String> {
    let data = structure(answer, HEALTH_BYTES, 0)?;
    let percent = |at: usize| data.get(at).copied().map(Percent);
    let counter = |at: usize| le::<16>(data, at);
    let narrow = |number: u128| u64::try_from(number).ok();
    let log = NvmeHealth {
        critical_warning: data.first().copied().unwrap_or_default(),
        available_spare_percent: percent(3),
        available_spare_threshold_percent: percent(4),
        percentage_used: percent(5),
        media_errors: counter(160),
        error_log_entries: counter(176),
        unsafe_shutdowns: counter(144),
        warning_temperature_minutes: le::<4>(data, 192).and_then(narrow),
        critical_temperature_minutes: le::<4>(data, 196).and_then(narrow),
        data_units_read: counter(32),
        data_units_written: counter(48),
        host_reads: counter(64),
        host_writes: counter(80),
        controller_busy_minutes: counter(96),
        temperature_sensors_c: sensors(data),
        ..NvmeHealth::default()
    };
    Ok(Health {
        log,
        temperature_c: degrees(le::<2>(data, 1)),
        power_on_hours: counter(128).and_then(narrow).map(Hours),
        power_cycles: counter(112).and_then(narrow),
    })
}

/// Sensors 1 to 8; those behind the last one that the drive has are left out.
fn sensors(data: &[u8]) -> Vec<Option<Celsius>> {
    let mut all: Vec<Option<Celsius>> = (0..8).map(|n| degrees(le::<2>(data, 200 + 2 * n))).collect();
    while all.last().is_some_and(Option::is_none) {
        all.pop();
    }
    all
}

/// Reads the self-test log, newest first; a test that runs now comes before.
///
/// # Errors
/// Why it says nothing, in words.
pub fn self_tests(answer: &DeviceAnswer) -> Result<Vec<SelfTest>, String> {
    let data = structure(answer, SELF_TEST_BYTES, 0)?;
    let operation = data.first().copied().unwrap_or_default() & 0x0f;
    let done = data.get(1).copied().unwrap_or_default() & 0x7f;
    let running = (operation != 0).then(|| SelfTest {
        kind: "running now".to_owned(),
        outcome: SelfTestOutcome::Running,
        text: format!("{} in progress, {done} % done", kind(operation)),
        at_power_on_hours: None,
        first_error_lba: None,
    });
    let log = data.get(4..).unwrap_or_default().chunks_exact(TEST_BYTES).take(LOGGED_TESTS);
    Ok(running.into_iter().chain(log.filter_map(logged)).collect())
}

fn kind(code: u8) -> &'static str {
    match code {
        1 => "Short",
        2 => "Extended",
        0x0e => "Vendor specific",
        _ => "Reserved",
    }
}

fn logged(entry: &[u8]) -> Option<SelfTest> {
    /// An entry that was never used.
    const UNUSED: u8 = 0x0f;
    const LBA_VALID: u8 = 1 << 1;
    let status = *entry.first()?;
    let outcome = match status & 0x0f {
        UNUSED => return None,
        0 => SelfTestOutcome::Passed,
        5..=7 => SelfTestOutcome::Failed,
        _ => SelfTestOutcome::NotCompleted,
    };
    let text = match status & 0x0f {
        0 => "Completed without error",
        1 => "Aborted: by a self-test command",
        2 => "Aborted: controller reset",
        3 => "Aborted: a namespace was removed",
        4 => "Aborted: a format command came",
        5 => "Fatal or unknown test error",
        6 => "Completed: failed segments (unknown which)",
        7 => "Completed: failed segments",
        8 => "Aborted: unknown reason",
        9 => "Aborted: sanitize operation",
        _ => "Reserved",
    };
    let number = |at: usize| le::<8>(entry, at).and_then(|number| u64::try_from(number).ok());
    Some(SelfTest {
        kind: kind(status >> 4).to_owned(),
        outcome,
        text: text.to_owned(),
        at_power_on_hours: number(4).map(Hours),
        first_error_lba: if entry.get(2)? & LBA_VALID != 0 { number(16) } else { None },
    })
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
pub(crate) mod tests {
    use super::*;
    use crate::direct::DeviceQuery;
    use crate::direct::answer::Ending;

    fn of(query: DeviceQuery, data: &[u8]) -> DeviceAnswer {
        DeviceAnswer::new(query, Ending::Nvme { status: 0 }, data)
    }

    /// Identify of a 500 GB device.
    pub(crate) fn identify() -> Vec<u8> {
        let mut data = vec![0; 4096];
        data[4..24].copy_from_slice(format!("{:<20}", "N1").as_bytes());
        data[24..64].copy_from_slice(format!("{:<40}", "EXAMPLE SSD").as_bytes());
        data[64..72].copy_from_slice(b"1.0.0.2 ");
        data[256] = 0x17;
        data[262] = 63;
        data[268..270].copy_from_slice(&358_u16.to_le_bytes());
        data[280..288].copy_from_slice(&500_107_862_016_u64.to_le_bytes());
        data
    }

    /// A health log with these numbers: offset, bytes.
    pub(crate) fn health_log(numbers: &[(usize, &[u8])]) -> Vec<u8> {
        let mut data = vec![0; 512];
        data[1..3].copy_from_slice(&308_u16.to_le_bytes());
        data[3..6].copy_from_slice(&[100, 10, 3]);
        data[112] = 12;
        data[128..130].copy_from_slice(&4711_u16.to_le_bytes());
        for (at, bytes) in numbers {
            data[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        data
    }

    /// A self-test log with these entries: status, valid bits, sector.
    pub(crate) fn test_log(operation: u8, entries: &[(u8, u8, u64)]) -> Vec<u8> {
        let mut data = vec![0xff; 564];
        data[..4].copy_from_slice(&[operation, 40, 0, 0]);
        for (index, (status, valid, lba)) in entries.iter().enumerate() {
            let start = 4 + index * 28;
            data[start] = *status;
            data[start + 2] = *valid;
            data[start + 4..start + 12].copy_from_slice(&7_u64.to_le_bytes());
            data[start + 16..start + 24].copy_from_slice(&lba.to_le_bytes());
        }
        data
    }

    #[test]
    fn a_controller() {
        let answer = of(DeviceQuery::NvmeIdentifyController, &identify());
        assert_eq!(
            controller(&answer),
            Ok(Controller {
                capacity_bytes: Some(Bytes(500_107_862_016)),
                temperature_limit_c: Some(Celsius(85)),
                self_tests: true,
                error_entries: 64,
            })
        );
        assert_eq!((answer.text("serial"), answer.text("firmware")), (Some("N1"), Some("1.0.0.2")));
        assert!(controller(&of(DeviceQuery::NvmeIdentifyController, &[0; 4096])).is_err());
        assert!(controller(&of(DeviceQuery::NvmeIdentifyController, &[0xff; 4096])).is_err());
        assert!(controller(&of(DeviceQuery::NvmeIdentifyController, &[1; 100])).is_err());
    }

    #[test]
    fn counters_have_128_bits() {
        let log = health_log(&[(0, &[4]), (160, &[0xff; 16]), (176, &[62]), (192, &[9]), (144, &[1])]);
        let found = health(&of(DeviceQuery::NvmeSmartLog, &log)).expect("a log");
        assert_eq!((found.log.critical_warning, found.log.media_errors), (4, Some(u128::MAX)));
        assert_eq!((found.log.error_log_entries, found.log.unsafe_shutdowns), (Some(62), Some(1)));
        assert_eq!(found.log.percentage_used, Some(Percent(3)));
        assert_eq!(found.log.warning_temperature_minutes, Some(9));
        assert_eq!((found.temperature_c, found.power_cycles), (Some(Celsius(35)), Some(12)));
        assert_eq!(found.power_on_hours, Some(Hours(4711)));
        let cold = health(&of(DeviceQuery::NvmeSmartLog, &health_log(&[(1, &[0, 0])]))).expect("a log");
        assert_eq!(cold.temperature_c, None);
        assert!(health(&of(DeviceQuery::NvmeSmartLog, &[0xff; 512])).is_err());
        assert!(health(&of(DeviceQuery::NvmeSmartLog, &log[..511])).is_err());
    }

    #[test]
    fn self_tests_newest_first() {
        let log = test_log(2, &[(0x27, 2, 99), (0x15, 0, 5), (0x12, 0, 0), (0x10, 0, 0)]);
        let tests = self_tests(&of(DeviceQuery::NvmeSelfTestLog, &log)).expect("a log");
        let found: Vec<_> = tests.iter().map(|test| (test.outcome, test.first_error_lba)).collect();
        use SelfTestOutcome::{Failed, NotCompleted, Passed, Running};
        assert_eq!(
            found,
            [(Running, None), (Failed, Some(99)), (Failed, None), (NotCompleted, None), (Passed, None)]
        );
        let empty = self_tests(&of(DeviceQuery::NvmeSelfTestLog, &test_log(0, &[]))).expect("a log");
        assert!(empty.is_empty());
    }

    #[test]
    fn damage_never_panics() {
        let all = |bytes: &[u8]| {
            let answer = of(DeviceQuery::NvmeSmartLog, bytes);
            (health(&answer), self_tests(&answer).unwrap_or_default(), controller(&answer))
        };
        for whole in [health_log(&[]), test_log(1, &[(0x27, 2, 99)]), identify()] {
            crate::hostile::mutate(&whole, 1000, all, |(health, tests, controller)| {
                let degrees = health.as_ref().ok().and_then(|health| health.temperature_c);
                let limit = controller.as_ref().ok().and_then(|controller| controller.temperature_limit_c);
                assert!([degrees, limit].into_iter().flatten().all(|d| (1..128).contains(&d.0)));
                assert!(tests.len() <= LOGGED_TESTS + 1);
            });
        }
    }
}
