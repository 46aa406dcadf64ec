//! What the programs of QTS and QuTS hero say of the machine: `get_hwsn`, `getcfg` and `hal_app`.
//!
//! They are asked on QTS only, so that no process is started for them elsewhere. A program that did not answer once is
//! not asked again: `hal_app` waits for a daemon, and when that hangs every question would cost its whole deadline.
//! Exit statuses are not looked at; scripts of the vendor do not either.
//!
//! Version, number and build come from the factory copy of the configuration, which belongs to the running firmware;
//! the file in use travels with the drives. They are taken from one file, never mixed. The internal model comes from
//! the file in use first, as the vendor's own script reads it.
//!
//! Quirks: `hal_app --get_ec_version` prints nothing on a model without embedded controller; the microcontroller's
//! version is the fourth word of a sentence; values of the vital product data stand after `= `; a unit whose data were
//! never written has the first minute of 2013 as its date and `--` or `Q---` as its serial number.

use assay_bundle::Observed;
use assay_bundle::units::Bytes;

use super::serial;
use crate::command::Command;
use crate::command::qts::{ConfigFile, QtsCommand, SystemKey, VpdField};
use crate::door::{Door, Missing};
use crate::source::Request;

/// What was said. NotCollected where nothing was asked.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Programs {
    pub(super) serial: Observed<String>,
    pub(super) model: Observed<String>,
    pub(super) version: Observed<String>,
    pub(super) number: Observed<String>,
    pub(super) build: Observed<String>,
    pub(super) board: Observed<String>,
    pub(super) backplane: Observed<String>,
    pub(super) manufactured: Observed<String>,
    pub(super) ec: Observed<String>,
    pub(super) mcu: Observed<String>,
    pub(super) page_size: Observed<Bytes>,
}

/// Asks all of them, the three programs at the same time. Models without the vendor's hardware layer have no `hal_app`.
pub(super) async fn ask(door: &Door<'_>, has_hal: bool) -> Programs {
    let (serial, (model, version, number, build), hal) = tokio::join!(hwsn(door), config(door), async {
        if has_hal { hal(door).await } else { Programs::default() }
    });
    Programs { serial, model, version, number, build, ..hal }
}

async fn hwsn(door: &Door<'_>) -> Observed<String> {
    Asked::new(door).one(QtsCommand::Hwsn, "a serial number", |text| text, serial::of_unit).await
}

type Config = (Observed<String>, Observed<String>, Observed<String>, Observed<String>);

async fn config(door: &Door<'_>) -> Config {
    let mut getcfg = Asked::new(door);
    let mut model = getcfg.config(ConfigFile::Current, SystemKey::Model, "a model", model_name).await;
    if !model.is_seen() {
        let factory = getcfg.config(ConfigFile::Factory, SystemKey::Model, "a model", model_name).await;
        model = model.or(|| factory);
    }
    let mut file = ConfigFile::Factory;
    let mut version = getcfg.config(file, SystemKey::Version, "a version", firmware_version).await;
    if !version.is_seen() {
        file = ConfigFile::Current;
        let current = getcfg.config(file, SystemKey::Version, "a version", firmware_version).await;
        version = version.or(|| current);
    }
    if !version.is_seen() {
        // Alone they name no firmware.
        return (model, version, Observed::NotCollected, Observed::NotCollected);
    }
    let number = getcfg.config(file, SystemKey::Number, "a number", |text| digits(text, 1, 5)).await;
    let build = getcfg.config(file, SystemKey::BuildNumber, "a date", build_date).await;
    (model, version, number, build)
}

async fn hal(door: &Door<'_>) -> Programs {
    let mut hal = Asked::new(door);
    let part = "a part number";
    Programs {
        board: hal.one(QtsCommand::Vpd(VpdField::Board), part, after_equals, part_number).await,
        backplane: hal.one(QtsCommand::Vpd(VpdField::Backplane), part, after_equals, part_number).await,
        manufactured: never_written(
            hal.one(QtsCommand::Vpd(VpdField::Manufactured), "a date", after_equals, date_and_time).await,
        ),
        ec: hal.one(QtsCommand::EcVersion, "a version", |text| text, chip_version).await,
        mcu: hal.one(QtsCommand::McuVersion, "a sentence with a version", |text| text, fourth_word).await,
        page_size: hal.one(QtsCommand::PageSize, "the size of a page", |text| text, page_size).await,
        ..Programs::default()
    }
}

/// One program, and why it is not asked any more.
struct Asked<'d, 's> {
    door: &'d Door<'s>,
    silent: Option<String>,
}

impl<'d, 's> Asked<'d, 's> {
    fn new(door: &'d Door<'s>) -> Self {
        Self { door, silent: None }
    }

    async fn config(
        &mut self,
        file: ConfigFile,
        key: SystemKey,
        expected: &str,
        read: impl Fn(&str) -> Option<String>,
    ) -> Observed<String> {
        self.one(QtsCommand::Config { file, key }, expected, |text| text, read).await
    }

    /// Asks for one value, which stands in a line of its own, inside of which `part` finds it.
    async fn one<T>(
        &mut self,
        command: QtsCommand,
        expected: &str,
        part: impl Fn(&str) -> &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Observed<T> {
        let request = Request::Run(Command::Qts(command));
        let noun = request.noun();
        if let Some(why) = &self.silent {
            return Observed::unreadable(format!("{noun}: it was not asked, because of this: {why}"));
        }
        match self.door.ask(&request).await {
            Ok(fetched) if fetched.truncated => {
                self.door.noted(Observed::unreadable(format!("{noun}: its output is far too long")))
            }
            Ok(fetched) => {
                self.door.noted(value(&fetched.text(), &fetched.place, &noun, expected, part, read))
            }
            Err(Missing::NotThere) => Observed::NotCollected,
            Err(Missing::Failed(why) | Missing::NoTool(why)) => {
                self.silent = Some(why.clone());
                Observed::Unreadable { why }
            }
        }
    }
}

/// The first line that is what is expected. Nothing, and a word for nothing, is Absent.
fn value<T>(
    text: &str,
    place: &str,
    noun: &str,
    expected: &str,
    part: impl Fn(&str) -> &str,
    read: impl Fn(&str) -> Option<T>,
) -> Observed<T> {
    let lines = || text.lines().map(|line| part(line.trim()).trim());
    match lines().find_map(read) {
        Some(value) => Observed::seen(value, place),
        None if lines().all(|line| line.is_empty() || serial::is_filler(line)) => Observed::Absent,
        None => Observed::unreadable(format!("{noun}: its output is not {expected}")),
    }
}

/// `MB part = 70-0QY472150`; a value alone is taken as well.
fn after_equals(line: &str) -> &str {
    line.rsplit_once('=').map_or(line, |(_, value)| value)
}

/// One word of letters, digits and a few signs, with a digit in it.
fn word(text: &str, least: usize, most: usize) -> Option<String> {
    let fits = (least..=most).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.bytes().any(|b| b.is_ascii_digit());
    (fits && !serial::is_filler(text)).then(|| text.to_owned())
}

fn model_name(text: &str) -> Option<String> {
    let plain =
        text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'_' | b' ' | b'.'));
    let named = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= 64;
    (plain && named && text.contains('-') && !serial::is_filler(text)).then(|| text.to_owned())
}

/// `70-0QY472150`: capitals, digits and dashes. Any other word behind an equals sign may be anything.
fn part_number(text: &str) -> Option<String> {
    let fits = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
    word(text, 6, 32).filter(|number| number.contains('-') && number.bytes().all(fits))
}

fn chip_version(text: &str) -> Option<String> {
    word(text, 2, 32)
}

/// `MCU version is 1.2.3` and `PIC mcu version QX49F012`; a line that says something else has a fourth word too.
fn fourth_word(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, second, third, version] = words.as_slice() else { return None };
    let says = [second, third].iter().any(|word| word.eq_ignore_ascii_case("version"));
    says.then(|| chip_version(version)).flatten()
}

fn page_size(text: &str) -> Option<Bytes> {
    let size: u64 = text.parse().ok()?;
    (size.is_power_of_two() && (4096..=65_536).contains(&size)).then_some(Bytes(size))
}

/// `5.2.4`, and `h5.2.4` of QuTS hero.
fn firmware_version(text: &str) -> Option<String> {
    let numbers = text.strip_prefix('h').unwrap_or(text);
    let parts: Vec<&str> = numbers.split('.').collect();
    let fits = (2..=4).contains(&parts.len()) && parts.iter().all(|part| digits(part, 1, 4).is_some());
    fits.then(|| text.to_owned())
}

fn digits(text: &str, least: usize, most: usize) -> Option<String> {
    let fits = (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.to_owned())
}

/// `20250321`.
fn build_date(text: &str) -> Option<String> {
    let date = digits(text, 8, 8)?;
    is_date(date.get(..4)?, date.get(4..6)?, date.get(6..)?).then_some(date)
}

/// `2023/05/22 14:14`; the field counts minutes from 2013 in three bytes, which end in 2044.
fn date_and_time(text: &str) -> Option<String> {
    let (date, time) = text.split_once(' ')?;
    let parts: Vec<&str> = date.split('/').collect();
    let [year, month, day] = parts.as_slice() else { return None };
    let (hour, minute) = time.split_once(':')?;
    let number = |text: &str| digits(text, 2, 2)?.parse::<u8>().ok();
    let fits = digits(year, 4, 4).is_some_and(|year| ("2013".."2045").contains(&year.as_str()))
        && is_date(year, month, day)
        && number(hour)? < 24
        && number(minute)? < 60;
    fits.then(|| text.to_owned())
}

fn is_date(year: &str, month: &str, day: &str) -> bool {
    let number = |text: &str| digits(text, 2, 2).and_then(|text| text.parse::<u8>().ok()).unwrap_or_default();
    ("2000".."2100").contains(&year) && (1..=12).contains(&number(month)) && (1..=31).contains(&number(day))
}

/// A field that was never written counts no minute.
fn never_written(date: Observed<String>) -> Observed<String> {
    match date {
        Observed::Seen { value, .. } if value.starts_with("2013/01/01 00:00") => Observed::Absent,
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::door::testing::run;
    use crate::hostile;

    fn asked(files: &[(&str, &str)]) -> Programs {
        run(files, async |door| ask(door, true).await)
    }

    #[test]
    fn every_value_by_its_shape() {
        fn check(read: impl Fn(&str) -> Option<String>, good: &[&str], bad: &[&str]) {
            for text in good {
                assert_eq!(read(text).as_deref(), Some(*text), "{text}");
            }
            for text in bad {
                assert_eq!(read(text), None, "{text}");
            }
        }
        check(
            firmware_version,
            &["5.2.4", "4.3.6", "h5.2.4", "5.0"],
            &["", "h", "5", "5.2.x", "v5.2", "5..2"],
        );
        check(build_date, &["20250321"], &["2025032", "20251321", "20250300", "19990101", "2025-3-1"]);
        check(
            date_and_time,
            &["2023/05/22 14:14"],
            &["2012/05/22 14:14", "2045/01/01 00:00", "2023/05/22", "2023/05/22 24:00", "2023/5/2 1:1"],
        );
        check(part_number, &["70-0QY472150"], &["", "--", "-1", "70", "no such field", "FFFFFFFF0x;"]);
        check(model_name, &["TS-X53D", "TVS-872XT"], &["", "--", "error", "-1", "getcfg: no-such file"]);
        check(fourth_word, &[], &["", "one two three", "MCU version is failed", "a secret word abc123"]);
        assert_eq!(fourth_word("MCU version is 1.2.3").as_deref(), Some("1.2.3"));
        assert_eq!(fourth_word("PIC mcu version QX49F012").as_deref(), Some("QX49F012"));
        for (text, size) in
            [("4096", Some(4096)), ("32768", Some(32_768)), ("0", None), ("-1", None), ("5000", None)]
        {
            assert_eq!(page_size(text).map(|size| size.0), size, "{text}");
        }
    }

    #[test]
    fn an_output_is_a_value_nothing_or_not_understood() {
        fn check(text: &str, expected: &Observed<String>) {
            assert_eq!(
                &value(text, "p", "x --y", "a part number", after_equals, part_number),
                expected,
                "{text:?}"
            );
        }
        let seen = Observed::seen("70-0QY472150".to_owned(), "p");
        check("MB = 70-0QY472150\n", &seen);
        check("warning: the bus is busy\r\nvpd field 0:4 = 70-0QY472150\r\n", &seen);
        check("70-0QY472150", &seen);
        for nothing in ["", "\n\n", "vpd field 0:4 = \n", "field =--", "= N/A"] {
            check(nothing, &Observed::Absent);
        }
        check("hal_app: unknown option\n", &Observed::unreadable("x --y: its output is not a part number"));
        check("= -1\nno", &Observed::unreadable("x --y: its output is not a part number"));
    }

    #[test]
    fn all_are_asked_and_the_factory_file_names_the_firmware() {
        let found = asked(&[
            ("cmd/get_hwsn/stdout", "Q211I009382\n"),
            ("cmd/getcfg.system.model/stdout", "TS-X53D\n"),
            ("cmd/getcfg.factory.version/stdout", "5.2.4\n"),
            ("cmd/getcfg.factory.number/stdout", "3079\n"),
            ("cmd/getcfg.system.build_number/stdout", "20200101\n"),
            ("cmd/hal_app.vpd.manufactured/stdout", "2013/01/01 00:00\n"),
            ("cmd/hal_app.get_ec_version/stdout", "\n"),
            ("cmd/hal_app.get_mcu_version/stdout", "MCU version is QA01\n"),
            ("cmd/hal_app.get_pagesize/stdout", "32768\n"),
        ]);
        assert_eq!(found.serial, Observed::seen("Q211I009382".to_owned(), "cmd/get_hwsn/stdout"));
        assert_eq!(found.version.value().map(String::as_str), Some("5.2.4"));
        assert_eq!(found.number.place(), Some("cmd/getcfg.factory.number/stdout"));
        // The other file's build is of another firmware.
        assert_eq!(found.build, Observed::NotCollected);
        assert!(found.manufactured.is_absent() && found.ec.is_absent() && found.board.is_not_collected());
        assert_eq!(found.mcu.value().map(String::as_str), Some("QA01"));
        assert_eq!(found.page_size.value(), Some(&Bytes(32_768)));
    }

    #[test]
    fn a_program_that_hangs_is_asked_once() {
        let found = asked(&[
            ("cmd/hal_app.vpd.board.unreadable", r#"{"deadline":{"after_ms":70000}}"#),
            ("cmd/hal_app.get_ec_version/stdout", "QY47EF16\n"),
            ("cmd/getcfg.system.version/stdout", "4.3.6\n"),
        ]);
        assert!(found.board.why_not().is_some_and(|why| why.contains("within 70.0 s")));
        assert!(found.ec.why_not().is_some_and(|why| why.contains("not asked") && why.contains("70.0 s")));
        assert_eq!(found.version.value().map(String::as_str), Some("4.3.6"));
        let none =
            run(&[("cmd/hal_app.get_ec_version/stdout", "QY47EF16\n")], async |door| ask(door, false).await);
        assert_eq!(none, Programs::default());
    }

    #[test]
    fn a_cut_answer_is_no_answer() {
        let found = asked(&[
            ("cmd/get_hwsn/stdout", "Q211I0"),
            ("cmd/get_hwsn/status.json", r#"{"exit_code":0,"signal":null,"duration_ms":1,"truncated":true}"#),
        ]);
        assert!(found.serial.why_not().is_some_and(|why| why.contains("too long")));
    }

    #[test]
    fn damage_gives_a_shape_or_nothing() {
        let read = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            value(&text, "p", "x", "a date", after_equals, date_and_time)
        };
        hostile::cut(b"vpd field 0:0 = 2023/05/22 14:14\n", read);
        hostile::mutate(b"vpd field 0:0 = 2023/05/22 14:14\n", 1000, read, |date| {
            assert!(date.value().is_none_or(|date| date_and_time(date).is_some()));
        });
        let size = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            value(&text, "p", "x", "a size", |text| text, page_size)
        };
        hostile::cut(b"4096\n", size);
        hostile::mutate(b"4096\n", 1000, size, |size| {
            assert!(size.value().is_none_or(|size| size.0.is_power_of_two() && size.0 <= 65_536));
        });
    }
}
