//! Whatever is cut or damaged, every other record counts; the size is bounded; a new file loses no base.

use assay_bundle::Observed;
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::{AtaAttribute, Drive, NvmeHealth, WhenFailed};
use assay_bundle::facts::hwmon::Fan;
use assay_bundle::redact::{Door, Level, PseudonymKey};
use assay_bundle::units::{Celsius, Hours, Rpm};

use super::*;
use crate::hostile;

fn seen<T>(value: T) -> Observed<T> {
    Observed::seen(value, "x")
}

fn drive(serial: &str, pending: u64, temperature: i16) -> Drive {
    let attribute = AtaAttribute {
        id: 197,
        name: "Current_Pending_Sector".into(),
        value: Some(100),
        worst: Some(100),
        threshold: Some(0),
        prefailure: false,
        when_failed: WhenFailed::Never,
        raw: pending,
        raw_text: pending.to_string(),
        decoded: None,
    };
    Drive {
        device: "sda".into(),
        model: seen("WDC WD40EFRX-68N32N0".to_owned()),
        serial: seen(serial.to_owned()),
        temperature_c: seen(Celsius(temperature)),
        power_on_hours: seen(Hours(1000)),
        ata_attributes: seen(vec![attribute]),
        ..Drive::default()
    }
}

fn run(unix_s: i64, drives: Vec<Drive>, fans: &[(&str, u32)]) -> Facts {
    let fan = |(name, speed): &(&str, u32)| Fan {
        name: (*name).into(),
        speed_rpm: seen(Rpm(*speed)),
        ..Fan::default()
    };
    let mut facts = Facts::default();
    facts.clock.unix_s = seen(unix_s);
    facts.clock.boot_id = seen("boot-a".to_owned());
    facts.drives = seen(drives);
    facts.fans = seen(fans.iter().map(fan).collect());
    facts
}

/// The two files, and what the writer does with them.
#[derive(Clone, Default)]
struct Files {
    older: String,
    newer: String,
    written: usize,
}

impl Files {
    fn text(&self) -> String {
        let both = format!("{}{}", self.older, self.newer);
        String::from_utf8(unframe(both.as_bytes())).expect("JSON")
    }

    fn parsed(&self) -> Parsed {
        parse(&self.text(), false)
    }

    /// One run; whether something was recorded.
    fn remember(&mut self, facts: &Facts) -> bool {
        let Some(records) = change::record(&self.parsed(), facts, "1.0.0") else { return false };
        if self.newer.is_empty() || (self.newer.len() + records.changes.len()) as u64 > SEGMENT_BYTES {
            self.older = std::mem::take(&mut self.newer);
            self.newer = records.full;
        } else {
            self.newer.push_str(&records.changes);
        }
        self.written += 1;
        true
    }
}

fn series(parsed: &Parsed, name: &str, metric: Metric) -> Vec<Option<i64>> {
    let found = parsed
        .history
        .series
        .iter()
        .filter(|s| (s.name == name || s.serial.as_deref() == Some(name)) && s.metric == metric);
    found.flat_map(|series| series.points.iter().map(|point| point.value)).collect()
}

fn sample() -> Files {
    let mut files = Files::default();
    for (step, (pending, temperature, speed)) in
        [(0, 31, 900), (0, 32, 910), (8, 36, 900), (8, 36, 0), (9, 30, 850)].into_iter().enumerate()
    {
        let unix_s = 1_760_000_000 + i64::try_from(step).expect("small") * 3600;
        files.remember(&run(unix_s, vec![drive("S1", pending, temperature)], &[("it87/fan1", speed)]));
    }
    files
}

#[test]
fn only_changes_are_kept_and_in_order() {
    let mut files = sample();
    let parsed = files.parsed();
    assert_eq!(series(&parsed, "S1", Metric::Ata197), [Some(0), Some(8), Some(9)]);
    assert_eq!(series(&parsed, "S1", Metric::TemperatureC), [Some(31), Some(32), Some(36), Some(30)]);
    assert_eq!(series(&parsed, "it87/fan1", Metric::SpeedRpm), [Some(900), Some(0), Some(850)]);
    assert_eq!(parsed.history.boots, ["boot-a"]);
    assert_eq!((parsed.history.records, parsed.history.segments_damaged), (5, 0));
    let again = run(1_760_014_401, vec![drive("S1", 9, 31)], &[("it87/fan1", 880)]);
    assert!(!files.remember(&again), "nothing that is worth a record");
    // Hours ride along with another change, and come once a day alone.
    let mut later = drive("S1", 9, 31);
    later.power_on_hours = seen(Hours(1001));
    assert!(!files.remember(&run(1_760_014_402, vec![later.clone()], &[("it87/fan1", 880)])));
    assert!(files.remember(&run(1_760_200_000, vec![later], &[("it87/fan1", 880)])));
    assert_eq!(series(&files.parsed(), "S1", Metric::PowerOnHours), [Some(1000), Some(1001)]);
}

#[test]
fn what_goes_away_and_comes_back_is_recorded() {
    let mut files = sample();
    let gone = run(1_760_100_000, Vec::new(), &[]);
    assert!(files.remember(&gone));
    assert!(!files.remember(&gone), "once");
    let back = run(1_760_200_000, vec![drive("S1", 9, 31)], &[("it87/fan1", 860)]);
    assert!(files.remember(&back));
    let parsed = files.parsed();
    assert_eq!(series(&parsed, "S1", Metric::Ata197), [Some(0), Some(8), Some(9), None, Some(9)]);
    assert_eq!(
        series(&parsed, "it87/fan1", Metric::SpeedRpm),
        [Some(900), Some(0), Some(850), None, Some(860)]
    );
}

#[test]
fn a_drive_that_did_not_say_who_it_is_takes_nobody_away() {
    let mut files = sample();
    let asleep =
        Drive { device: "sda".into(), serial: Observed::unreadable("it sleeps"), ..Drive::default() };
    assert!(!files.remember(&run(1_760_100_000, vec![asleep], &[("it87/fan1", 850)])));
    let mut unlisted = run(1_760_100_000, Vec::new(), &[("it87/fan1", 850)]);
    unlisted.drives = Observed::unreadable("no list");
    assert!(!files.remember(&unlisted));
}

/// The JSON lines of whole records.
fn records(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.contains("damaged_bytes")).collect()
}

#[test]
fn a_cut_anywhere_leaves_the_records_before_it() {
    let file = sample().newer;
    let whole = sample().text();
    let whole = records(&whole);
    for end in 0..=file.len() {
        let text = String::from_utf8(unframe(&file.as_bytes()[..end])).expect("JSON");
        // A record that lacks only its line end is whole.
        let lines = file[..end].matches('\n').count() + usize::from(file[end..].starts_with('\n') && end > 0);
        assert_eq!(records(&text), whole[..lines], "cut at {end}");
        let torn = end > 0 && !file[..end].ends_with('\n') && !file[end..].starts_with('\n');
        assert_eq!(parse(&text, false).history.segments_damaged, u64::from(torn), "cut at {end}");
    }
}

#[test]
fn a_flipped_byte_costs_one_record() {
    let file = sample().newer.into_bytes();
    let whole = sample().text();
    let whole = records(&whole);
    for at in 0..file.len() {
        for flip in [0x01, 0x80, file[at] ^ b'\n', 0xff] {
            let mut damaged = file.clone();
            damaged[at] ^= flip;
            if damaged[at] == file[at] {
                continue;
            }
            let text = String::from_utf8(unframe(&damaged)).expect("JSON");
            let index = file[..at].iter().filter(|byte| **byte == b'\n').count();
            let mut left = whole.clone();
            // A damaged line end costs nothing: the length says where the record ends.
            if file[at] != b'\n' {
                left.remove(index);
            }
            assert_eq!(records(&text), left, "byte {at} flipped by {flip:#x}");
            assert!(parse(&text, false).history.segments_damaged == 1, "byte {at} flipped by {flip:#x}");
        }
    }
}

#[test]
fn a_torn_end_does_not_take_the_next_record_with_it() {
    let file = sample().newer;
    let next = frame("{\"unix_s\":7,\"of\":[0]}");
    for torn in 1..200 {
        // The writer begins with a line end when the file does not end with one; NULs are what a power loss leaves.
        for end in ["\n", "\0\0\0\0\n"] {
            let damaged = format!("{}{end}{next}", &file[..file.len() - torn]);
            let text = String::from_utf8(unframe(damaged.as_bytes())).expect("JSON");
            assert_eq!(records(&text).last(), Some(&"{\"unix_s\":7,\"of\":[0]}"), "{torn}");
        }
    }
}

#[test]
fn ten_thousand_records_stay_in_bounds_and_lose_no_base() {
    let mut files = Files::default();
    let quiet = drive("QUIET", 5, 30);
    let (mut largest, mut rotations) = (0, 0);
    let mut parsed = Parsed::default();
    for round in 0..10_000_u32 {
        let noisy = drive("NOISY", u64::from(round), 30);
        let facts = run(1_760_000_000 + i64::from(round), vec![noisy, quiet.clone()], &[]);
        // The state follows from the records alone; parsing all of them ten thousand times is only slow.
        let records = change::record(&parsed, &facts, "1.0.0").expect("it changed");
        let rotate =
            files.newer.is_empty() || (files.newer.len() + records.changes.len()) as u64 > SEGMENT_BYTES;
        if rotate {
            files.older = std::mem::take(&mut files.newer);
            files.newer = records.full;
            rotations += 1;
            parsed = files.parsed();
        } else {
            files.newer.push_str(&records.changes);
            let line = String::from_utf8(unframe(records.changes.as_bytes())).expect("JSON");
            let known = parsed.state.values().next().cloned();
            assert!(known.is_some());
            for (key, value) in parse(&line, false).state {
                parsed.state.insert(key, value);
            }
        }
        largest = largest.max(files.older.len() + files.newer.len());
    }
    assert!(largest as u64 <= 2 * SEGMENT_BYTES, "{largest}");
    assert!(rotations > 3, "{rotations}");
    let parsed = files.parsed();
    assert_eq!(series(&parsed, "QUIET", Metric::Ata197), [Some(5)], "kept over every rotation");
    let noisy = parsed
        .history
        .series
        .iter()
        .find(|s| s.serial.as_deref() == Some("NOISY") && s.metric == Metric::Ata197);
    let noisy = noisy.expect("followed");
    assert_eq!(noisy.points.len(), MOST_POINTS);
    assert_eq!(noisy.points.last().and_then(|point| point.value), Some(9_999));
    assert!(noisy.points_left_out > 0 && noisy.first.value < noisy.points[0].value);
    // The newer file alone is a base.
    let newer = parse(&String::from_utf8(unframe(files.newer.as_bytes())).expect("JSON"), false);
    assert_eq!(newer.state.len(), parsed.state.len());
}

#[test]
fn unknown_words_and_foreign_lines_are_counted() {
    let line = r#"{"unix_s":1,"new_field":2,"of":[{"subject":"drive","name":"M","serial":"S","values":{"ata5":1,"quantum":7}},{"subject":"warp core","name":"w","values":{}}]}"#;
    let text = format!("{line}\nnonsense\n{{}}\n{{\"unread\":\"it burnt\"}}\n{{\"damaged_bytes\":9}}\n\n");
    let history = parse(&text, true).history;
    assert_eq!((history.records, history.segments_damaged, history.values_unknown), (1, 5, 2));
    assert_eq!(history.series.len(), 1);
}

#[test]
fn a_counter_beyond_the_range_is_the_largest_number() {
    let health = NvmeHealth { media_errors: Some(u128::MAX), ..NvmeHealth::default() };
    let mut nvme = drive("N1", 0, 30);
    nvme.nvme = seen(health);
    let mut files = Files::default();
    files.remember(&run(1, vec![nvme], &[]));
    assert_eq!(series(&files.parsed(), "N1", Metric::NvmeMediaErrors), [Some(i64::MAX)]);
}

#[test]
fn hostile_records() {
    let file = sample().newer;
    let facts = |bytes: &[u8]| {
        let text = String::from_utf8(unframe(bytes)).expect("JSON");
        parse(&text, false).history
    };
    let raw = sample().text();
    hostile::cut(file.as_bytes(), |bytes| facts(bytes).series);
    hostile::cut(raw.as_bytes(), |bytes| parse(&String::from_utf8_lossy(bytes), false).history.series);
    let check = |history: &History| {
        assert!(history.series.len() <= MOST_SERIES);
        for series in &history.series {
            assert!((1..=MOST_POINTS).contains(&series.points.len()));
            let boots = u32::try_from(history.boots.len()).expect("few");
            assert!(series.points.iter().all(|point| point.boot.is_none_or(|boot| boot < boots)));
        }
    };
    hostile::mutate(file.as_bytes(), 1000, facts, check);
    hostile::mutate(
        raw.as_bytes(),
        1000,
        |bytes| parse(&String::from_utf8_lossy(bytes), false).history,
        check,
    );
}

#[test]
fn redaction_and_reading_can_be_swapped() {
    let mut files = sample();
    let mut odd = drive("S2", 1, 40);
    odd.model = seen("mail bob@example.com at mynas".to_owned());
    files.remember(&run(1_760_300_000, vec![odd, drive("S1", 9, 31)], &[("user alice password=x", 800)]));
    let key = PseudonymKey([7; 32].into());
    let mut door = Door::open(&key, Level::default()).expect("sound rules");
    door.learn_host("mynas");
    let raw = files.text();
    let clean = door.raw("state/recorder.jsonl", raw.as_bytes()).expect("it may leave");
    let read_clean = parse(&String::from_utf8_lossy(clean.bytes()), false).history;
    let read = Observed::seen(parse(&raw, false).history, "state/recorder.jsonl");
    let (_, clean_read) = door.document("facts.json", read.clone()).expect("plain data");
    assert_ne!(read.value(), Some(&read_clean), "something was replaced");
    assert_eq!(clean_read.value(), Some(&read_clean));
}
