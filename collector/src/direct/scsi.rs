//! What a SCSI (SAS) drive says: power condition, identity, log pages (SPC-5, SBC-4).
//!
//! Every page tells its own number and length; a page with another number is refused, and parameters beyond the end
//! are not read. Only whole parameters count, so that a short buffer says less and never something else.

use assay_bundle::facts::drive::{PowerMode, SelfTest, SelfTestOutcome};
use assay_bundle::units::{Celsius, Hours};

use super::{DeviceAnswer, LogPage, be, sense};

/// "Failure prediction threshold exceeded", and a warning.
const FAILURE_PREDICTED: u8 = 0x5d;
const WARNING: u8 = 0x0b;
/// "Low power condition on".
const LOW_POWER: u8 = 0x5e;
/// Not ready, with this qualifier of "not ready": it was stopped and waits to be started.
const NOT_READY: u8 = 0x02;
const STOPPED: (u8, u8) = (0x04, 0x02);

/// The power mode, by the answer to REQUEST SENSE: its data is sense data. Some devices give it with the status.
pub fn power_mode(answer: &DeviceAnswer) -> Option<PowerMode> {
    let sense = sense::parse(&answer.data).or_else(|| answer.sense())?;
    Some(match (sense.key, sense.asc, sense.ascq) {
        (NOT_READY, asc, ascq) if (asc, ascq) == STOPPED => PowerMode::Standby,
        // By timer and by command: idle, and its deeper kinds.
        (_, LOW_POWER, 0x01 | 0x03 | 0x05..=0x08 | 0x42) => PowerMode::Idle,
        // Standby, and its deeper kind; or it does not say which low power condition.
        (_, LOW_POWER, 0x45) => PowerMode::Sleep,
        (_, LOW_POWER, _) => PowerMode::Standby,
        _ => PowerMode::Active,
    })
}

/// Whether INQUIRY tells of a disk that speaks ATA behind a translation.
pub fn speaks_ata(inquiry: &DeviceAnswer) -> bool {
    inquiry.text("model").is_some_and(|model| model == "ATA" || model.starts_with("ATA "))
}

/// Whether INQUIRY tells of a disk at all: device type 0, connected.
pub fn is_disk(inquiry: &DeviceAnswer) -> bool {
    inquiry.data.len() >= 36 && inquiry.data.first() == Some(&0)
}

/// The serial number. A device that ignores the page's number answers with plain INQUIRY data.
pub fn serial(answer: &DeviceAnswer) -> Option<&str> {
    (answer.data.get(1) == Some(&0x80)).then(|| answer.text("serial")).flatten()
}

/// The content of a log page.
///
/// # Errors
/// Why it says nothing, in words.
fn page(answer: &DeviceAnswer, which: LogPage) -> Result<&[u8], String> {
    let data = answer.data.as_slice();
    let (Some(code), Some(length)) = (data.first(), be::<2>(data, 2)) else {
        return Err(format!("{} bytes came, which is no log page", data.len()));
    };
    if code & 0x3f != which.code() {
        return Err(format!("it is log page {:02X}h", code & 0x3f));
    }
    let end = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(4).min(data.len());
    Ok(data.get(4..end).unwrap_or_default())
}

/// Parameters of a page: code, content.
fn parameters(page: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = page;
    std::iter::from_fn(move || {
        let code = u16::try_from(be::<2>(rest, 0)?).ok()?;
        let length = usize::from(*rest.get(3)?);
        let content = rest.get(4..4 + length)?;
        rest = rest.get(4 + length..)?;
        Some((code, content))
    })
}

/// The pages that page 00h lists, of those that are known here.
///
/// # Errors
/// Why it says nothing, in words.
pub fn pages(answer: &DeviceAnswer) -> Result<Vec<LogPage>, String> {
    let listed = page(answer, LogPage::Supported)?;
    let known = LogPage::ALL.into_iter().filter(|known| *known != LogPage::Supported);
    Ok(known.filter(|known| listed.contains(&known.code())).collect())
}

/// The drive's verdict: additional sense code, qualifier, and the temperature where it stands there too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceptions {
    /// Additional sense code; 5Dh is a predicted failure, 0Bh a warning.
    pub asc: u8,
    /// Its qualifier; 5D/FF is a test.
    pub ascq: u8,
    /// Temperature now.
    pub temperature_c: Option<Celsius>,
}

impl Exceptions {
    /// Whether the drive passes, as it says itself.
    pub fn passed(&self) -> bool {
        !matches!(self.asc, FAILURE_PREDICTED | WARNING)
    }
}

/// The informational exceptions page.
///
/// # Errors
/// Why it says nothing, in words.
pub fn exceptions(answer: &DeviceAnswer) -> Result<Exceptions, String> {
    let page = page(answer, LogPage::InformationalExceptions)?;
    let general = parameters(page).find(|(code, _)| *code == 0).map(|(_, content)| content);
    match general {
        Some([asc, ascq, rest @ ..]) => Ok(Exceptions {
            asc: *asc,
            ascq: *ascq,
            temperature_c: rest.first().and_then(|degrees| Celsius::of_drive((*degrees).into())),
        }),
        _ => Err("the page holds no verdict".to_owned()),
    }
}

/// Temperature now, and the one that the maker allows at most; 255 is "not known".
///
/// # Errors
/// Why the page says nothing, in words.
pub fn temperatures(answer: &DeviceAnswer) -> Result<(Option<Celsius>, Option<Celsius>), String> {
    let page = page(answer, LogPage::Temperature)?;
    let of = |wanted: u16| {
        let content = parameters(page).find(|(code, _)| *code == wanted).map(|(_, content)| content)?;
        Celsius::of_drive((*content.get(1)?).into())
    };
    Ok((of(0), of(1)))
}

/// Errors that could not be corrected, of an error counter page. `None`: the page does not count them.
///
/// # Errors
/// Why the page says nothing, in words.
pub fn uncorrected(answer: &DeviceAnswer, which: LogPage) -> Result<Option<u64>, String> {
    const TOTAL_UNCORRECTED: u16 = 6;
    let page = page(answer, which)?;
    let total = parameters(page).find(|(code, _)| *code == TOTAL_UNCORRECTED).map(|(_, content)| content);
    // Counters have as many bytes as the drive likes; more than eight cannot be told here.
    Ok(total
        .filter(|content| (1..=8).contains(&content.len()))
        .map(|content| content.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))))
}

/// Hours under power, of the background scan page, which counts minutes.
///
/// # Errors
/// Why the page says nothing, in words.
pub fn power_on_hours(answer: &DeviceAnswer) -> Result<Option<Hours>, String> {
    let page = page(answer, LogPage::BackgroundScan)?;
    let status = parameters(page).find(|(code, _)| *code == 0).map(|(_, content)| content);
    Ok(status.and_then(|content| be::<4>(content, 0)).map(|minutes| Hours(minutes / 60)))
}

/// Entries of the grown defect list, by the head of READ DEFECT DATA.
///
/// # Errors
/// Why it says nothing, in words.
pub fn grown_defects(answer: &DeviceAnswer) -> Result<u64, String> {
    let (Some(kind), Some(length)) = (answer.data.get(1), be::<2>(&answer.data, 2)) else {
        return Err(format!("{} bytes came, which is no defect list", answer.data.len()));
    };
    if kind & 0x18 != 0x08 {
        return Err("it is not the grown list".to_owned());
    }
    // The drive may answer in another format than the one asked for: short block, extended, long block, physical.
    let entry = match kind & 0x07 {
        0 => 4,
        3..=5 => 8,
        other => return Err(format!("the list has format {other}")),
    };
    Ok(length / entry)
}

/// The self-test results page, newest first.
///
/// # Errors
/// Why the page says nothing, in words.
pub fn self_tests(answer: &DeviceAnswer) -> Result<Vec<SelfTest>, String> {
    let page = page(answer, LogPage::SelfTests)?;
    Ok(parameters(page).filter_map(|(_, content)| logged(content)).collect())
}

fn logged(content: &[u8]) -> Option<SelfTest> {
    let (first, hours, lba) = (*content.first()?, be::<2>(content, 2)?, be::<8>(content, 4)?);
    // An unused place is all zeros.
    if content.iter().all(|byte| *byte == 0) {
        return None;
    }
    let outcome = match first & 0x0f {
        0 => SelfTestOutcome::Passed,
        3..=7 => SelfTestOutcome::Failed,
        0x0f => SelfTestOutcome::Running,
        _ => SelfTestOutcome::NotCompleted,
    };
    let kind = match first >> 5 {
        1 => "Background short",
        2 => "Background long",
        4 => "Abort background",
        5 => "Foreground short",
        6 => "Foreground long",
        _ => "Default",
    };
    let text = match first & 0x0f {
        0 => "Completed",
        1 => "Aborted (by user command)",
        2 => "Aborted (device reset)",
        3 => "Failed, unknown error",
        4 => "Completed, segment failed",
        5 => "Failed in first segment",
        6 => "Failed in second segment",
        7 => "Failed in segment",
        0x0f => "Self test in progress",
        _ => "Reserved",
    };
    Some(SelfTest {
        kind: kind.to_owned(),
        outcome,
        text: text.to_owned(),
        at_power_on_hours: Some(Hours(hours)),
        first_error_lba: (outcome == SelfTestOutcome::Failed && lba != u64::MAX).then_some(lba),
    })
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
pub(crate) mod tests {
    use super::*;
    use crate::direct::DeviceQuery;
    use crate::direct::answer::tests::good;

    /// A page of parameters.
    pub(crate) fn page_of(code: u8, parameters: &[(u16, &[u8])]) -> Vec<u8> {
        let mut content = Vec::new();
        for (code, bytes) in parameters {
            content.extend(code.to_be_bytes());
            content.extend([0x03, u8::try_from(bytes.len()).unwrap()]);
            content.extend(*bytes);
        }
        let mut page = vec![code, 0];
        page.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        page.extend(content);
        page
    }

    fn log(which: LogPage, data: &[u8]) -> DeviceAnswer {
        DeviceAnswer::new(DeviceQuery::ScsiLogSense(which), good(), data)
    }

    #[test]
    fn sleeping_drives() {
        fn check(sense: &[u8], expected: Option<PowerMode>) {
            let answer = DeviceAnswer::new(DeviceQuery::ScsiRequestSense, good(), sense);
            assert_eq!(power_mode(&answer), expected);
        }
        let of = |key, asc, ascq| [0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0];
        check(&of(0, 0, 0), Some(PowerMode::Active));
        check(&of(0, 0x5e, 0x01), Some(PowerMode::Idle));
        check(&of(0, 0x5e, 0x04), Some(PowerMode::Standby));
        check(&of(0, 0x5e, 0x09), Some(PowerMode::Standby));
        check(&of(0, 0x5e, 0x00), Some(PowerMode::Standby));
        check(&of(0, 0x5e, 0x45), Some(PowerMode::Sleep));
        check(&of(2, 0x04, 0x02), Some(PowerMode::Standby));
        check(&of(2, 0x04, 0x01), Some(PowerMode::Active));
        check(&[], None);
        check(&[0; 18], None);
    }

    #[test]
    fn pages_of_a_drive() {
        let supported = log(LogPage::Supported, &[0x00, 0, 0, 5, 0x00, 0x02, 0x0d, 0x2f, 0x3f]);
        let expected = [LogPage::WriteErrors, LogPage::Temperature, LogPage::InformationalExceptions];
        assert_eq!(pages(&supported), Ok(expected.to_vec()));
        let verdict = |content: &[u8]| {
            exceptions(&log(LogPage::InformationalExceptions, &page_of(0x2f, &[(0, content)])))
        };
        let fine = verdict(&[0, 0, 34, 65]).expect("a verdict");
        assert_eq!((fine.passed(), fine.temperature_c), (true, Some(Celsius(34))));
        let failing = verdict(&[0x5d, 0x10, 0xff]).expect("a verdict");
        assert_eq!((failing.passed(), failing.ascq, failing.temperature_c), (false, 0x10, None));
        assert!(verdict(&[0x5d]).is_err());
        let hot = page_of(0x0d, &[(0, &[0, 33]), (1, &[0, 65])]);
        assert_eq!(
            temperatures(&log(LogPage::Temperature, &hot)),
            Ok((Some(Celsius(33)), Some(Celsius(65))))
        );
        let unknown = page_of(0x0d, &[(0, &[0, 255])]);
        assert_eq!(temperatures(&log(LogPage::Temperature, &unknown)), Ok((None, None)));
        assert!(temperatures(&log(LogPage::Temperature, &page_of(0x2f, &[]))).is_err());
        let errors = page_of(0x03, &[(0, &[0, 0, 0, 9]), (6, &[0, 0, 2, 23])]);
        assert_eq!(uncorrected(&log(LogPage::ReadErrors, &errors), LogPage::ReadErrors), Ok(Some(535)));
        let few = page_of(0x02, &[(0, &[0])]);
        assert_eq!(uncorrected(&log(LogPage::WriteErrors, &few), LogPage::WriteErrors), Ok(None));
        let scan = page_of(0x15, &[(0, &[0, 0, 0x10, 0x00, 0, 0, 0, 0, 0, 0, 0, 0])]);
        assert_eq!(power_on_hours(&log(LogPage::BackgroundScan, &scan)), Ok(Some(Hours(68))));
    }

    #[test]
    fn defects_are_counted_by_the_length_of_their_list() {
        fn check(data: &[u8], expected: Option<u64>) {
            let answer = DeviceAnswer::new(DeviceQuery::ScsiGrownDefects, good(), data);
            assert_eq!(grown_defects(&answer).ok(), expected, "{data:?}");
        }
        check(&[0, 0x0c, 0, 0], Some(0));
        check(&[0, 0x0c, 0x08, 0x20, 1, 2, 3, 4], Some(260));
        check(&[0, 0x08, 0, 40], Some(10));
        check(&[0, 0x0e, 0, 40], None);
        check(&[0, 0x14, 0, 40], None);
        check(&[0, 0x0c, 0], None);
    }

    #[test]
    fn self_tests_newest_first() {
        let entry = |first: u8, hours: u8, lba: u64| {
            let mut content = vec![first, 0, 0, hours];
            content.extend(lba.to_be_bytes());
            content.extend([0; 4]);
            content
        };
        let (newest, failed, unused) = (entry(0x20, 90, u64::MAX), entry(0x47, 80, 4711), entry(0, 0, 0));
        let page = page_of(0x10, &[(1, &newest), (2, &failed), (3, &unused)]);
        let found: Vec<_> = self_tests(&log(LogPage::SelfTests, &page))
            .expect("a page")
            .iter()
            .map(|test| (test.outcome, test.kind.clone(), test.first_error_lba))
            .collect();
        use SelfTestOutcome::{Failed, Passed};
        let expected = [
            (Passed, "Background short".to_owned(), None),
            (Failed, "Background long".to_owned(), Some(4711)),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn who_it_is() {
        fn check(data: &[u8], disk: bool, ata: bool) {
            let answer = DeviceAnswer::new(DeviceQuery::ScsiInquiry, good(), data);
            assert_eq!((is_disk(&answer), speaks_ata(&answer)), (disk, ata));
        }
        check(b"\0\0\x05\x02\x1f\0\0\0ATA     EXAMPLE HD4000  A1  ", true, true);
        check(b"\0\0\x05\x02\x1f\0\0\0EXAMPLE SAS4000         A1  ", true, false);
        check(b"\x0d\0\x05\x02\x1f\0\0\0EXAMPLE ENCLOSURE       A1  ", false, false);
        check(b"\x7f\0\x05\x02\x1f\0\0\0                            ", false, false);
        check(b"", false, false);
        let of = |data: &[u8]| DeviceAnswer::new(DeviceQuery::ScsiInquirySerial, good(), data);
        assert_eq!(serial(&of(b"\0\x80\0\x06S1    ")), Some("S1"));
        assert_eq!(serial(&of(b"\0\0\x05\x02\x1f\0\0\0EXAMPLE")), None);
    }

    #[test]
    fn cut_and_damaged_pages_say_nothing_else() {
        let all = |bytes: &[u8]| {
            let answer = log(LogPage::SelfTests, bytes);
            (
                self_tests(&answer).unwrap_or_default(),
                exceptions(&answer).is_ok(),
                uncorrected(&answer, LogPage::ReadErrors).ok().flatten(),
                temperatures(&answer).is_ok(),
                pages(&answer).is_ok(),
                grown_defects(&answer).ok(),
            )
        };
        let content = [0x47, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0];
        let page = page_of(0x10, &[(1, &content), (2, &content)]);
        crate::hostile::cut(&page, |bytes| all(bytes).0);
        for whole in [page, page_of(0x03, &[(6, &[1, 2, 3, 4])]), page_of(0x2f, &[(0, &[0x5d, 1, 30])])] {
            crate::hostile::mutate(&whole, 1000, all, |found| assert!(found.0.len() <= 40));
        }
    }
}
