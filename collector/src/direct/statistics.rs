//! The ATA Device Statistics log (ACS-4, 9.5): counters that the standard defines, unlike attributes.
//!
//! Each page is one sector: its number in byte 2, then eight bytes a statistic, the highest of them flags. A statistic
//! counts only when its flags say "supported" and "valid". These sectors have no checksum; a page whose number is
//! another one (some firmware answers every page with the first) says nothing.

use assay_bundle::units::{Celsius, Hours, Percent};

use super::{DeviceAnswer, SECTOR_BYTES, StatisticsPage, le};

/// Flags: supported, valid.
const SUPPORTED: u128 = 1 << 63;
const VALID: u128 = 1 << 62;
/// Number of the log in the directory of logs.
const LOG: usize = 0x04;

/// What the pages say that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Times that the drive was powered on.
    pub power_on_resets: Option<u64>,
    /// Hours under power.
    pub power_on_hours: Option<Hours>,
    /// Logical sectors written over life.
    pub sectors_written: Option<u64>,
    /// Logical sectors read over life.
    pub sectors_read: Option<u64>,
    /// Sectors that were reallocated.
    pub reallocated_sectors: Option<u64>,
    /// Times that the spindle could not start.
    pub mechanical_start_failures: Option<u64>,
    /// Sectors that wait to be reallocated.
    pub reallocation_candidates: Option<u64>,
    /// Errors that were reported as uncorrectable.
    pub uncorrectable_errors: Option<u64>,
    /// Temperature now.
    pub temperature_c: Option<Celsius>,
    /// Highest temperature so far.
    pub highest_temperature_c: Option<Celsius>,
    /// Highest temperature that the maker allows.
    pub temperature_limit_c: Option<Celsius>,
    /// Interface CRC errors.
    pub interface_crc_errors: Option<u64>,
    /// Endurance used, 0 to 255.
    pub percentage_used: Option<Percent>,
}

/// Whether the directory of logs names this log.
pub fn is_in_directory(answer: &DeviceAnswer) -> bool {
    // Word 0 is the version, word N the number of pages of log N.
    le::<2>(&answer.data, 0) == Some(1) && le::<2>(&answer.data, LOG * 2).is_some_and(|pages| pages > 0)
}

/// The pages that page 0 lists, of those that are known here.
///
/// # Errors
/// Why page 0 says nothing, in words.
pub fn pages(answer: &DeviceAnswer) -> Result<Vec<StatisticsPage>, String> {
    let page = page(answer, StatisticsPage::List)?;
    let count = usize::from(page.get(8).copied().unwrap_or(0));
    let listed = page.get(9..).unwrap_or_default().get(..count).unwrap_or_default();
    let known = StatisticsPage::ALL.into_iter().filter(|known| *known != StatisticsPage::List);
    Ok(known.filter(|known| listed.contains(&known.number())).collect())
}

fn page(answer: &DeviceAnswer, page: StatisticsPage) -> Result<&[u8], String> {
    if answer.data.len() < SECTOR_BYTES as usize {
        return Err(format!("{} of {SECTOR_BYTES} bytes came", answer.data.len()));
    }
    match answer.data.get(2) {
        Some(number) if *number == page.number() => Ok(&answer.data),
        _ => Err(format!("it is not page {} of the statistics", page.number())),
    }
}

impl Statistics {
    /// Reads one page into its fields.
    ///
    /// # Errors
    /// Why the page says nothing, in words.
    pub fn read(&mut self, which: StatisticsPage, answer: &DeviceAnswer) -> Result<(), String> {
        let page = page(answer, which)?;
        let number = |at: usize, bytes: u32| {
            let statistic = le::<8>(page, at)?;
            let counts = statistic & (SUPPORTED | VALID) == SUPPORTED | VALID;
            let value = u64::try_from(statistic).ok()? & (1_u64 << (bytes * 8)).saturating_sub(1);
            counts.then_some(value)
        };
        // One signed byte; -128 is "not valid".
        let degrees = |at: usize| {
            let byte = u8::try_from(number(at, 1)?).ok()?;
            Celsius::of_drive(i64::from(byte.cast_signed()))
        };
        match which {
            StatisticsPage::List => {}
            StatisticsPage::General => {
                self.power_on_resets = number(0x08, 4);
                self.power_on_hours = number(0x10, 4).map(Hours);
                self.sectors_written = number(0x18, 6);
                self.sectors_read = number(0x28, 6);
            }
            StatisticsPage::RotatingMedia => {
                self.reallocated_sectors = number(0x20, 4);
                self.mechanical_start_failures = number(0x30, 4);
                self.reallocation_candidates = number(0x38, 4);
            }
            StatisticsPage::Errors => self.uncorrectable_errors = number(0x08, 4),
            StatisticsPage::Temperature => {
                self.temperature_c = degrees(0x08);
                self.highest_temperature_c = degrees(0x20);
                self.temperature_limit_c = degrees(0x58);
            }
            StatisticsPage::Transport => self.interface_crc_errors = number(0x18, 4),
            StatisticsPage::SolidState => {
                self.percentage_used = number(0x08, 1).and_then(|used| u8::try_from(used).ok()).map(Percent);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
pub(crate) mod tests {
    use super::*;
    use crate::direct::DeviceQuery;
    use crate::direct::answer::tests::good;

    /// A page with these statistics: offset, flags, value.
    pub(crate) fn page_of(number: u8, statistics: &[(usize, u8, u64)]) -> Vec<u8> {
        let mut data = vec![0; 512];
        data[0] = 1;
        data[2] = number;
        for (at, flags, value) in statistics {
            data[*at..at + 7].copy_from_slice(&value.to_le_bytes()[..7]);
            data[at + 7] = *flags;
        }
        data
    }

    fn read(which: StatisticsPage, data: &[u8]) -> Result<Statistics, String> {
        let mut all = Statistics::default();
        let answer = DeviceAnswer::new(DeviceQuery::AtaDeviceStatistics(which), good(), data);
        all.read(which, &answer).map(|()| all)
    }

    #[test]
    fn each_page_has_its_fields() {
        let general = page_of(1, &[(0x08, 0xc0, 20), (0x10, 0xc0, 12345), (0x18, 0xc0, 1 << 47)]);
        let found = read(StatisticsPage::General, &general).expect("page 1");
        assert_eq!((found.power_on_resets, found.power_on_hours), (Some(20), Some(Hours(12345))));
        assert_eq!((found.sectors_written, found.sectors_read), (Some(1 << 47), None));
        let media = page_of(3, &[(0x20, 0xd0, 8), (0x30, 0x80, 1), (0x38, 0x40, 1)]);
        let found = read(StatisticsPage::RotatingMedia, &media).expect("page 3");
        assert_eq!(found.reallocated_sectors, Some(8));
        assert_eq!((found.mechanical_start_failures, found.reallocation_candidates), (None, None));
        let found = read(StatisticsPage::Errors, &page_of(4, &[(0x08, 0xc0, 3)])).expect("page 4");
        assert_eq!(found.uncorrectable_errors, Some(3));
        let hot = page_of(5, &[(0x08, 0xc0, 41), (0x20, 0xc0, 0x80), (0x58, 0xc0, 60)]);
        let found = read(StatisticsPage::Temperature, &hot).expect("page 5");
        assert_eq!((found.temperature_c, found.temperature_limit_c), (Some(Celsius(41)), Some(Celsius(60))));
        assert_eq!(found.highest_temperature_c, None);
        let found = read(StatisticsPage::Transport, &page_of(6, &[(0x18, 0xc0, 7)])).expect("page 6");
        assert_eq!(found.interface_crc_errors, Some(7));
        let found = read(StatisticsPage::SolidState, &page_of(7, &[(0x08, 0xc0, 255)])).expect("page 7");
        assert_eq!(found.percentage_used, Some(Percent(255)));
    }

    #[test]
    fn another_page_is_refused() {
        assert!(read(StatisticsPage::Errors, &page_of(1, &[(0x08, 0xc0, 3)])).is_err());
        assert!(read(StatisticsPage::Errors, &page_of(4, &[])[..500]).is_err());
    }

    #[test]
    fn lists_of_logs_and_pages() {
        let of = |query, data: &[u8]| DeviceAnswer::new(query, good(), data);
        let mut directory = vec![0; 512];
        assert!(!is_in_directory(&of(DeviceQuery::AtaLogDirectory, &directory)));
        directory[0] = 1;
        directory[8] = 8;
        assert!(is_in_directory(&of(DeviceQuery::AtaLogDirectory, &directory)));
        let mut list = page_of(0, &[]);
        list[8..14].copy_from_slice(&[5, 0, 1, 4, 7, 0xff]);
        let query = DeviceQuery::AtaDeviceStatistics(StatisticsPage::List);
        let expected = [StatisticsPage::General, StatisticsPage::Errors, StatisticsPage::SolidState];
        assert_eq!(pages(&of(query, &list)), Ok(expected.to_vec()));
        list[8] = 255;
        assert!(pages(&of(query, &list)).is_ok());
    }

    #[test]
    fn damage_never_panics() {
        let whole = page_of(5, &[(0x08, 0xc0, 41), (0x58, 0xc0, 60)]);
        crate::hostile::mutate(
            &whole,
            1000,
            |bytes| read(StatisticsPage::Temperature, bytes),
            |found| {
                let degrees = found.as_ref().ok().and_then(|found| found.temperature_c);
                assert!(degrees.is_none_or(|degrees| (1..128).contains(&degrees.0)));
            },
        );
    }
}
