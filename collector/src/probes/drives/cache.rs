//! The SMART cache that QTS keeps in RAM: `/tmp/smart/smart_<enclosure>_<port>.info`, written by its `hal_daemon` for
//! every disk, as a rule each 300 s. Reading it sends nothing to a disk and wakes none.
//!
//! A header line of numbers, then one line `ID,NAME,VALUE,WORST,THRESH,RAW,FLAG` an attribute. The file is not replaced
//! in one step, so it is read under its lock, and one with fewer rows than its header says is Unreadable. It names no
//! drive: it speaks of whatever was in the bay when it was written, so one that is older than [`MOST_AGE_S`] is not
//! taken for the drive that is there now. Names of ATA attributes are QTS's own and differ from smartmontools': the id
//! counts. NVMe rows are told by their names (`Critial Warning`, in that spelling), since their ids are row numbers;
//! their temperature is in Kelvin. 0 C means asleep or not read. Known from the library of QTS 4.5.4 and samples; what
//! the header's other fields mean is inferred, and they are kept as numbers. It refuses to turn QTS's own judgement
//! into the drive's health answer.

use std::collections::BTreeMap;

use assay_bundle::Observed;
use assay_bundle::facts::drive::{
    AtaAttribute, Drive, NvmeHealth, Protocol, QtsCache, QtsFlag, QtsHealth, WhenFailed,
};
use assay_bundle::units::{Celsius, Hours, Percent, Seconds};

use crate::door::Door;
use crate::source::{Manner, Request};

const FOLDER: &str = "/tmp/smart";
const LOCK: &str = "/var/lock/smart_tmp.lck";
/// Real files have a few kilobytes.
const MOST_BYTES: u64 = 64 * 1024;
/// Age at which a file may speak of a drive that is gone: twelve rounds of QTS's default.
const MOST_AGE_S: i64 = 3600;
/// Fields of a row before its flags.
const ROW_FIELDS: usize = 7;
/// The header's fields that are used are those up to the temperature.
const HEADER_FIELDS: usize = 9;
/// Flags that QTS does not know.
const FLAGS_UNKNOWN: u16 = u16::MAX;
/// 0 C.
const FREEZING_K: i64 = 273;
/// More hours than any drive has run, by far: makers that count minutes or pack the number otherwise.
const MOST_HOURS: u64 = 1_000_000;

/// The readings of the bays that have a file, by enclosure and port.
pub(super) async fn collect(door: &Door<'_>) -> BTreeMap<(u32, u32), Drive> {
    let mut all = BTreeMap::new();
    let Ok(names) = door.names(FOLDER).await else { return all };
    for name in names {
        let Some(bay) = bay_of(&name) else { continue };
        let path = format!("{FOLDER}/{name}");
        match door.ask(&Request::read_locked(&path, MOST_BYTES, LOCK)).await {
            Ok(fetched) => {
                if fetched.manner.is_some_and(|manner| !manner.locked) {
                    door.note(&format!(
                        "{path}: its lock could not be had, so it was read until two readings agreed"
                    ));
                }
                let drive = readings(&fetched.bytes, &fetched.place, fetched.manner);
                all.insert(bay, drive);
            }
            Err(missing) => {
                if let Some(why) = missing.observed::<()>().why_not() {
                    all.insert(bay, nothing(&why));
                }
            }
        }
    }
    all
}

/// Enclosure and port of a file's name.
pub(super) fn bay_of(name: &str) -> Option<(u32, u32)> {
    let (enclosure, port) = name.strip_prefix("smart_")?.strip_suffix(".info")?.split_once('_')?;
    let number = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    Some((number(enclosure)?, number(port)?))
}

/// What one file says, as far as it can be trusted to say it of the drive that is there now.
fn readings(bytes: &[u8], place: &str, manner: Option<Manner>) -> Drive {
    let age_s = match manner.and_then(|manner| manner.age_s) {
        None => Observed::NotCollected,
        Some(age) => u64::try_from(age).map_or_else(
            |_| Observed::unreadable(format!("{place}: the file's time lies in the future")),
            |age| Observed::seen(Seconds(age), place),
        ),
    };
    match manner.and_then(|manner| manner.age_s) {
        Some(age) if age > MOST_AGE_S => nothing(&format!(
            "{place}: QTS last wrote it {age} s ago, so it may speak of a drive that was in this bay before"
        )),
        _ => parse(bytes, place, age_s),
    }
}

/// A drive of which the cache could say something and does not.
fn nothing(why: &str) -> Drive {
    Drive { qts_health: Observed::unreadable(why), qts_cache: Observed::unreadable(why), ..Drive::default() }
}

/// One attribute line.
struct Row<'t> {
    id: u8,
    name: &'t str,
    value: Option<u8>,
    worst: Option<u8>,
    threshold: Option<u8>,
    raw: u64,
    flags: Option<u16>,
}

pub(super) fn parse(bytes: &[u8], place: &str, age_s: Observed<Seconds>) -> Drive {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split_inclusive('\n');
    let Some(header) = lines.next().and_then(header) else {
        return nothing(&format!(
            "{place}: it does not begin with a line of at least {HEADER_FIELDS} numbers"
        ));
    };
    let rows: Vec<Row<'_>> = lines.filter_map(row).collect();
    let field = |at: usize| header.get(at).copied();
    let wanted = field(0).unwrap_or(-1);
    if usize::try_from(wanted) != Ok(rows.len()) {
        return nothing(&format!("{place}: it has {} attributes and announces {wanted}", rows.len()));
    }
    let mut drive = Drive {
        temperature_c: temperature(field(8), &rows, place),
        qts_health: Observed::seen(health(field(4).unwrap_or(-1)), place),
        qts_cache: Observed::seen(
            QtsCache { age_s, self_test_code: field(2), status_code: field(7), flagged: flagged(&rows) },
            place,
        ),
        ..Drive::default()
    };
    if rows.iter().any(|row| is_nvme(row.name)) {
        nvme(&rows, place, &mut drive);
    } else if !rows.is_empty() {
        ata(&rows, place, &mut drive);
    }
    drive
}

/// The numbers of the header; `0x…` is a number too. The last one counts only when a comma or a line end follows.
fn header(line: &str) -> Option<Vec<i64>> {
    let ended = line.strip_suffix('\n');
    let fields: Vec<&str> = ended.unwrap_or(line).trim_end_matches('\r').split(',').map(str::trim).collect();
    let sure = if ended.is_some() { fields.len() } else { fields.len().saturating_sub(1) };
    let number = |field: &str| match field.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => field.parse().ok(),
    };
    let numbers: Option<Vec<i64>> = fields.into_iter().take(sure).map(number).collect();
    numbers.filter(|numbers| numbers.len() >= HEADER_FIELDS)
}

/// One attribute. A name may hold commas: the numbers are counted from the end.
fn row(line: &str) -> Option<Row<'_>> {
    let ended = line.strip_suffix('\n');
    let line = ended.unwrap_or(line).trim_end_matches('\r');
    let (id, rest) = line.split_once(',')?;
    let mut numbers = rest.rsplitn(ROW_FIELDS - 1, ',');
    let mut next = || numbers.next().map(str::trim);
    let (flags, raw, threshold, worst, value, name) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let small = |field: &str| field.parse::<u8>().ok();
    let flags = flags.parse::<u16>().ok().filter(|_| ended.is_some());
    let id = small(id.trim())?;
    let raw = raw.parse().ok()?;
    Some(Row { id, name, value: small(value), worst: small(worst), threshold: small(threshold), raw, flags })
}

/// Only 2 is certain: QTS's own test for a SMART error is this field being 2.
fn health(field: i64) -> QtsHealth {
    match field {
        0 => QtsHealth::Good,
        1 => QtsHealth::Warning,
        2 => QtsHealth::Abnormal,
        other => QtsHealth::Unknown(other),
    }
}

fn flagged(rows: &[Row<'_>]) -> Vec<QtsFlag> {
    let known = |row: &Row<'_>| row.flags.filter(|flags| *flags != 0 && *flags != FLAGS_UNKNOWN);
    rows.iter().filter_map(|row| known(row).map(|flags| QtsFlag { id: row.id, flags })).collect()
}

fn temperature(header: Option<i64>, rows: &[Row<'_>], place: &str) -> Observed<Celsius> {
    let kelvin = rows.iter().find(|row| is(row.name, "Composite Temperature"));
    let of_log = kelvin.and_then(|row| i64::try_from(row.raw).ok()).map(|kelvin| kelvin - FREEZING_K);
    [header, of_log].into_iter().flatten().find_map(Celsius::of_drive).map_or_else(
        || Observed::unreadable(format!("{place}: QTS has no temperature of it (asleep, or not read)")),
        |degrees| Observed::seen(degrees, place),
    )
}

fn ata(rows: &[Row<'_>], place: &str, drive: &mut Drive) {
    drive.protocol = Observed::seen(Protocol::Ata, place);
    let attributes = rows.iter().filter(|row| row.id > 0).map(attribute);
    drive.ata_attributes = Observed::seen(attributes.collect(), place);
    let raw = |id: u8| rows.iter().find(|row| row.id == id).map(|row| row.raw);
    // Some makers keep milliseconds in the upper bytes.
    drive.power_on_hours = match raw(9).map(|raw| raw & 0xffff_ffff) {
        Some(hours) if hours <= MOST_HOURS => Observed::seen(Hours(hours), place),
        Some(_) => Observed::unreadable(format!("{place}: attribute 9 does not count hours")),
        None => Observed::NotCollected,
    };
    drive.power_cycles = match raw(12) {
        Some(cycles) if cycles <= u64::from(u32::MAX) => Observed::seen(cycles, place),
        Some(_) => {
            Observed::unreadable(format!("{place}: attribute 12 is more than a number of power cycles"))
        }
        None => Observed::NotCollected,
    };
}

/// Whether the maker counts it as predicting failure is not in the file, so nothing claims that it does.
fn attribute(row: &Row<'_>) -> AtaAttribute {
    let below =
        |value: Option<u8>| row.threshold.is_some_and(|limit| limit > 0 && value.is_some_and(|v| v <= limit));
    let when_failed = match (below(row.value), below(row.worst)) {
        (true, _) => WhenFailed::Now,
        (false, true) => WhenFailed::Past,
        (false, false) => WhenFailed::Never,
    };
    AtaAttribute {
        id: row.id,
        name: row.name.to_owned(),
        value: row.value,
        worst: row.worst,
        threshold: row.threshold,
        prefailure: false,
        when_failed,
        raw: row.raw,
        // Names are QTS's own, so what a packed number means is not known by them.
        decoded: None,
        raw_text: row.raw.to_string(),
    }
}

fn is(name: &str, other: &str) -> bool {
    name.replace('_', " ").eq_ignore_ascii_case(other)
}

fn is_critical_warning(name: &str) -> bool {
    is(name, "Critial Warning") || is(name, "Critical Warning")
}

fn is_nvme(name: &str) -> bool {
    is_critical_warning(name) || is(name, "Composite Temperature")
}

fn nvme(rows: &[Row<'_>], place: &str, drive: &mut Drive) {
    drive.protocol = Observed::seen(Protocol::Nvme, place);
    let raw = |names: &[&str]| {
        rows.iter().find(|row| names.iter().any(|name| is(row.name, name))).map(|row| row.raw)
    };
    let percent = |names: &[&str]| raw(names).and_then(|raw| u8::try_from(raw).ok()).map(Percent);
    let warning = rows.iter().find(|row| is_critical_warning(row.name)).map(|row| row.raw);
    drive.nvme = match warning.and_then(|bits| u8::try_from(bits).ok()) {
        Some(critical_warning) => {
            let mut log = NvmeHealth { critical_warning, ..NvmeHealth::default() };
            log.available_spare_percent = percent(&["Available Spare"]);
            log.available_spare_threshold_percent = percent(&["Available Spare Threshold"]);
            log.percentage_used = percent(&["Percentage Used"]);
            log.media_errors = raw(&["Media and Data Integrity Errors", "Media Errors"]).map(u128::from);
            let entries = ["Number of Error Information Log Entries", "Error Information Log Entries"];
            log.error_log_entries = raw(&entries).map(u128::from);
            log.unsafe_shutdowns = raw(&["Unsafe Shutdowns"]).map(u128::from);
            log.warning_temperature_minutes = raw(&["Warning Composite Temperature Time"]);
            log.critical_temperature_minutes = raw(&["Critical Composite Temperature Time"]);
            Observed::seen(log, place)
        }
        None => Observed::unreadable(format!("{place}: it holds no critical warning of one byte")),
    };
    drive.power_on_hours = match raw(&["Power On Hours"]) {
        Some(hours) if hours <= MOST_HOURS => Observed::seen(Hours(hours), place),
        Some(_) => Observed::unreadable(format!("{place}: its power-on hours are more than any drive has")),
        None => Observed::NotCollected,
    };
    if let Some(cycles) = raw(&["Power Cycles"]) {
        drive.power_cycles = Observed::seen(cycles, place);
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::door::testing::run;
    use crate::hostile;

    const PLACE: &str = "tmp/smart/smart_0_1.info";

    pub(super) const HDD: &str = "6,0,0,0,0,0,0,0,34,0x0000,0,0,0\n5,Reallocated_Sectors_Count,100,100,10,0,0\n9,Power-On_Hours,86,86,0,8589946937,0\n12,Power_Cycle_Count,100,100,0,57,65535\n190,Airflow_Temperature_Cel,30,20,45,34,4\n197,Current_Pending_Sector_Count,200,200,0,3,0\n199,Ultra_Dma_CRC_Error_Count,200,40,50,0,0\n";
    const SSD: &str = "6,4,0,0,0,0,0,0,37,0x0000,-1,-1,0\n1,Critial Warning,0,0,0,4,0\n2,Composite Temperature,0,0,0,310,0\n3,Available Spare,0,0,0,100,0\n4,Percentage Used,0,0,0,110,0\n5,Power On Hours,0,0,0,7,0\n6,Unsafe Shutdowns,0,0,0,12,0\n";

    fn parsed(text: &str) -> Drive {
        parse(text.as_bytes(), PLACE, Observed::NotCollected)
    }

    #[test]
    fn a_disk_and_an_nvme_drive() {
        let hdd = parsed(HDD);
        let rows = hdd.ata_attributes.value().expect("a table");
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [5, 9, 12, 190, 197, 199]);
        assert_eq!((rows[3].when_failed, rows[5].when_failed), (WhenFailed::Now, WhenFailed::Past));
        assert_eq!((rows[4].raw, rows[0].when_failed), (3, WhenFailed::Never));
        assert_eq!(hdd.power_on_hours.value(), Some(&Hours(12_345)));
        assert_eq!((hdd.power_cycles.value(), hdd.temperature_c.value()), (Some(&57), Some(&Celsius(34))));
        assert_eq!(hdd.qts_cache.value().expect("the rest").flagged, [QtsFlag { id: 190, flags: 4 }]);
        assert!(hdd.health_passed.is_not_collected(), "QTS's judgement is not the drive's");
        let ssd = parsed(SSD);
        let health = ssd.nvme.value().expect("a log");
        assert_eq!((health.critical_warning, health.percentage_used), (4, Some(Percent(110))));
        assert_eq!((health.unsafe_shutdowns, health.media_errors), (Some(12), None));
        assert_eq!(
            (ssd.power_on_hours.value(), ssd.temperature_c.value()),
            (Some(&Hours(7)), Some(&Celsius(37)))
        );
        assert!(ssd.ata_attributes.is_not_collected());
    }

    #[test]
    fn the_header_is_judged_by_its_fields() {
        fn check(header: &str, health: Option<QtsHealth>, temperature: Option<i16>) {
            let drive = parsed(header);
            assert_eq!(drive.qts_health.value(), health.as_ref(), "{header}");
            assert_eq!(drive.temperature_c.value().map(|c| c.0), temperature, "{header}");
        }
        check("0,0,0,0,0,0,0,0,34,0x0000,0,0,0\n", Some(QtsHealth::Good), Some(34));
        check("0,0,0,0,1,0,0,0,34,0x0000,0,0,0", Some(QtsHealth::Warning), Some(34));
        check("0,0,0,0,2,0,0,0,0,0x00ff,0,0,0\r\n", Some(QtsHealth::Abnormal), None);
        check("0,0,0,0,-1,0,0,0,-1,0x0000,0,0,0\n", Some(QtsHealth::Unknown(-1)), None);
        check("0,0,0,0,0,0,0,0,65535\n", Some(QtsHealth::Good), None);
        check("0,0,0,0,0,0,0,0,34", None, None);
        check("1,0,0,0,0,0,0,0,34,0x0000,0,0,0\n", None, None);
        check("0,0,0,0,0,0,0,0,34,0x0000,0,0,0\n5,A,1,1,1,1,1\n", None, None);
        check("", None, None);
        check("Please wait\n", None, None);
    }

    #[test]
    fn rows_are_told_by_their_ends() {
        fn check(line: &str, expected: Option<(u8, &str, u64, Option<u16>)>) {
            assert_eq!(row(line).map(|row| (row.id, row.name, row.raw, row.flags)), expected, "{line}");
        }
        check("5,A,100,100,10,7,0\n", Some((5, "A", 7, Some(0))));
        check("5,A, b, c,100,100,10,7,4\n", Some((5, "A, b, c", 7, Some(4))));
        check("5,A,100,100,10,7,6", Some((5, "A", 7, None)));
        check("5,A,4294967295,100,10,7,70000\n", Some((5, "A", 7, None)));
        check("0,A,100,100,10,7,0\n", Some((0, "A", 7, Some(0))));
        check("5,A,100,100,10,-1,0\n", None);
        check("5,A,100,100,10,7\n", None);
    }

    #[test]
    fn the_hours_are_hours() {
        fn check(raw: u64, expected: Option<u64>) {
            let text = format!("1,0,0,0,0,0,0,0,34,0x0000,0,0,0\n9,X,100,100,0,{raw},0\n");
            assert_eq!(parsed(&text).power_on_hours.value().map(|hours| hours.0), expected, "{raw}");
        }
        check(45_000, Some(45_000));
        check(0x1234_0000_0000 + 12, Some(12));
        check(2_700_000, None);
    }

    #[test]
    fn an_old_file_speaks_of_nobody() {
        fn check(age_s: Option<i64>, counts: bool, age: Option<u64>) {
            let drive = readings(HDD.as_bytes(), PLACE, Some(Manner { locked: true, age_s }));
            assert_eq!(drive.qts_health.is_seen(), counts, "{age_s:?}");
            let found = drive.qts_cache.value().and_then(|cache| cache.age_s.value().copied());
            assert_eq!(found, age.map(Seconds), "{age_s:?}");
        }
        check(None, true, None);
        check(Some(300), true, Some(300));
        check(Some(-5), true, None);
        check(Some(MOST_AGE_S + 1), false, None);
    }

    #[test]
    fn files_are_found_by_bay() {
        let failure = r#"{"denied":{"what":"/tmp/smart/smart_0_3.info"}}"#;
        let found = run(
            &[
                ("tmp/smart/smart_0_1.info", HDD),
                ("tmp/smart/smart_0_1.info.read", r#"{"locked":false,"age_s":60}"#),
                ("tmp/smart/smart_32_12.info", SSD),
                ("tmp/smart/smart_0_3.info.unreadable", failure),
                ("tmp/smart/smart_0_x.info", HDD),
                ("tmp/smart/smart_0_+4.info", HDD),
                ("tmp/smart/check_smart_health", ""),
            ],
            async |door| collect(door).await,
        );
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [(0, 1), (0, 3), (32, 12)]);
        assert!(found[&(0, 3)].qts_health.why_not().is_some_and(|why| why.contains("no permission")));
        assert_eq!(found[&(0, 1)].temperature_c.place(), Some(PLACE));
        let cache = found[&(0, 1)].qts_cache.value().expect("read");
        assert_eq!(cache.age_s.value(), Some(&Seconds(60)));
        assert!(run(&[], async |door| collect(door).await).is_empty());
    }

    #[test]
    fn damage_is_survived() {
        for text in [HDD, SSD] {
            let parse = |bytes: &[u8]| parse(bytes, PLACE, Observed::NotCollected);
            hostile::cut(text.as_bytes(), parse);
            hostile::mutate(text.as_bytes(), 1000, parse, |drive| {
                assert!(drive.temperature_c.value().is_none_or(|c| (1..128).contains(&c.0)));
                assert!(drive.power_on_hours.value().is_none_or(|hours| hours.0 <= MOST_HOURS));
                let rows = drive.ata_attributes.value().into_iter().flatten();
                assert!(rows.into_iter().all(|row| row.id > 0));
            });
        }
    }
}
