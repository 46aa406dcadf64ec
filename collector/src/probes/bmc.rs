//! The board management controller of big rack models and of plain servers: `ipmitool sdr elist full`, `sel elist`.
//!
//! Most QNAP models have none. Nothing is started unless the kernel has an IPMI device (`/sys/class/ipmi/ipmiN`): a
//! driver without one would wait for its time-out. A sensor that is not on this board (`ns`, `na`) is Absent, `No
//! Reading` of a healthy sensor too; discrete sensors have words or a bit mask instead of a number. The event log keeps
//! the controller's own time, which is often wrong and is kept as written; its newest lines count.

use std::collections::VecDeque;

use assay_bundle::Observed;
use assay_bundle::facts::bmc::{Bmc, BmcEvent, BmcEventKind, BmcReading, BmcSensor};

use super::Found;
use crate::command::{Command, SensorsCommand};
use crate::door::{Door, Missing};
use crate::source::Request;

const DEVICES: &str = "/sys/class/ipmi";
/// Most sensors; servers have a hundred.
const MOST_SENSORS: usize = 512;
/// Most entries of the event log.
const MOST_EVENTS: usize = 200;
/// Longest field.
const MOST_FIELD: usize = 160;

/// Asks the controller, where there is one.
pub(crate) async fn collect(door: &Door<'_>) -> (Observed<Bmc>, Found) {
    match door.names(DEVICES).await {
        Ok(names) if names.iter().any(|name| name.starts_with("ipmi")) => {}
        Ok(_) | Err(Missing::NotThere) => return (Observed::Absent, Found::Nothing),
        Err(missing) => return (missing.observed(), Found::Failed),
    }
    let sensors = output(door, SensorsCommand::IpmiSdr, sensors, "a list of sensors").await;
    let events = output(door, SensorsCommand::IpmiSel, events, "an event log").await;
    let found = Found::any([Found::of(&sensors), Found::of(&events)]);
    (Observed::seen(Bmc { sensors, events }, format!("{}/.list", &DEVICES[1..])), found)
}

async fn output<T>(
    door: &Door<'_>,
    command: SensorsCommand,
    read: impl FnOnce(&str, &str) -> Option<Vec<T>>,
    expected: &str,
) -> Observed<Vec<T>> {
    let command = Command::Sensors(command);
    let noun = command.line();
    match door.ask(&Request::Run(command)).await {
        Ok(fetched) => door.noted(match read(&fetched.text(), &fetched.place) {
            Some(found) if found.is_empty() => Observed::Absent,
            Some(found) => Observed::seen(found, fetched.place),
            None => Observed::unreadable(format!("{noun}: its answer is not {expected}")),
        }),
        Err(missing) => missing.required(&noun),
    }
}

/// The whole lines of a table, as fields.
fn rows(text: &str) -> impl Iterator<Item = (u64, Vec<&str>)> {
    let lines = (1..).zip(text.split_inclusive('\n'));
    let whole = lines.filter_map(|(number, line)| Some((number, line.strip_suffix('\n')?)));
    whole.map(|(number, line)| (number, line.split('|').map(str::trim).collect()))
}

/// Sensors of a text that stands at `place`:
/// `CPU Temp         | 01h | ok  |  3.1 | 45 degrees C`. `None` when nothing looks like that.
pub(crate) fn sensors(text: &str, place: &str) -> Option<Vec<BmcSensor>> {
    let row = |(_, fields): (u64, Vec<&str>)| match fields.as_slice() {
        [name, id, state, _, reading] if id.ends_with('h') && fits(name) => {
            let absent = matches!(*state, "ns" | "na");
            let known =
                ["ok", "nc", "cr", "nr", "lnc", "lcr", "lnr", "unc", "ucr", "unr"].contains(state) && !absent;
            Some(BmcSensor {
                name: (*name).to_owned(),
                state: match (absent, known) {
                    (true, _) => Observed::Absent,
                    (_, true) => Observed::seen((*state).to_owned(), place),
                    _ => Observed::unreadable("ipmitool: a state that is not known"),
                },
                reading: if absent { Observed::Absent } else { reading_of(reading, place) },
            })
        }
        _ => None,
    };
    let found: Vec<_> = rows(text).filter_map(row).take(MOST_SENSORS).collect();
    (!found.is_empty() || text.trim().is_empty()).then_some(found)
}

fn fits(text: &str) -> bool {
    !text.is_empty() && text.len() <= MOST_FIELD
}

fn reading_of(text: &str, place: &str) -> Observed<BmcReading> {
    if matches!(text, "" | "No Reading" | "Disabled" | "Not Readable" | "Not Available") {
        return Observed::Absent;
    }
    if !fits(text) {
        return Observed::unreadable("ipmitool: a reading that is too long");
    }
    let number = text.split_once(' ').and_then(|(number, unit)| Some((thousandths(number)?, unit.trim())));
    let reading = match number {
        Some((milli, unit)) => BmcReading::Number { milli, unit: unit.to_owned() },
        None => BmcReading::Words(text.to_owned()),
    };
    Observed::seen(reading, place)
}

/// `12.10` as 12100; further digits are left out.
fn thousandths(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || !plain(whole) || !plain(part) {
        return None;
    }
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    let number = whole.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(part.parse().ok()?)?;
    Some(if negative { -number } else { number })
}

/// `   1 | 05/04/2026 | 12:34:56 | Power Supply PS1 Status | Power Supply AC lost | Asserted`, or `Pre-Init` and a
/// counter instead of a day. `None` when nothing looks like that.
pub(crate) fn events(text: &str, place: &str) -> Option<Vec<BmcEvent>> {
    let mut newest = VecDeque::new();
    for event in rows(text).filter_map(|(line, fields)| event(line, &fields, place)) {
        if newest.len() == MOST_EVENTS {
            newest.pop_front();
        }
        newest.push_back(event);
    }
    let empty = text.trim().is_empty() || text.contains("SEL has no entries");
    (!newest.is_empty() || empty).then(|| newest.into())
}

fn event(line: u64, fields: &[&str], place: &str) -> Option<BmcEvent> {
    let (number, day, time, sensor, what, ends) = match fields {
        [number, day, time, sensor, what] => (number, day, time, sensor, what, &[][..]),
        [number, day, time, sensor, what, ends @ ..] => (number, day, time, sensor, what, ends),
        _ => return None,
    };
    let hexadecimal = (1..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_hexdigit());
    if !hexadecimal || !fits(sensor) || what.len() > MOST_FIELD {
        return None;
    }
    Some(BmcEvent {
        number: (*number).to_owned(),
        when: match *day {
            "Pre-Init" | "" => Observed::Absent,
            day if fits(day) && time.len() <= MOST_FIELD => Observed::seen(format!("{day} {time}"), place),
            _ => Observed::unreadable("ipmitool: a time that is too long"),
        },
        kind: kind(sensor),
        sensor: (*sensor).to_owned(),
        event: (*what).to_owned(),
        asserted: match ends.first() {
            Some(&"Asserted") => Observed::seen(true, place),
            Some(&"Deasserted") => Observed::seen(false, place),
            _ => Observed::Absent,
        },
        line,
    })
}

/// The kind stands first in a sensor's words (`Power Supply PS1 Status`); names of boards vary, so the first that fits.
fn kind(sensor: &str) -> BmcEventKind {
    const KINDS: [(&str, BmcEventKind); 15] = [
        ("power supply", BmcEventKind::PowerSupply),
        ("psu", BmcEventKind::PowerSupply),
        ("power unit", BmcEventKind::PowerSupply),
        ("fan", BmcEventKind::Fan),
        ("temperature", BmcEventKind::Temperature),
        ("temp", BmcEventKind::Temperature),
        ("voltage", BmcEventKind::Voltage),
        ("current", BmcEventKind::Voltage),
        ("memory", BmcEventKind::Memory),
        ("dimm", BmcEventKind::Memory),
        ("processor", BmcEventKind::Processor),
        ("cpu", BmcEventKind::Processor),
        ("drive slot", BmcEventKind::Drive),
        ("critical interrupt", BmcEventKind::Bus),
        ("slot", BmcEventKind::Bus),
    ];
    let sensor = sensor.to_ascii_lowercase();
    let starts = KINDS.iter().find(|(word, _)| sensor.starts_with(word));
    starts
        .or_else(|| KINDS.iter().find(|(word, _)| sensor.contains(word)))
        .map_or(BmcEventKind::Other, |found| found.1)
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::door::testing::run;
    use crate::hostile;

    const SENSORS: &str = "CPU Temp         | 01h | ok  |  3.1 | 45 degrees C
12V              | 30h | ok  |  7.1 | 12.10 Volts
FAN1             | 41h | lcr | 29.1 | 300 RPM
FAN2             | 42h | ns  | 29.2 | No Reading
P1-DIMMA1 Temp   | b0h | ok  | 32.64 | No Reading
PS1 Status       | c8h | ok  | 10.1 | Presence detected
VBAT             | 33h | ok  | 40.1 | 0x00
Outlet           | 34h | ok  | 40.2 | -5.5 degrees C
";
    const EVENTS: &str = "   1 | 05/04/2026 | 12:34:56 | Power Supply PS1 Status | Power Supply AC lost | Asserted
   2 | 05/04/2026 | 12:35:01 | Power Supply PS1 Status | Power Supply AC lost | Deasserted
   a |  Pre-Init  |0000000012| Fan FAN1 | Lower Critical going low  | Asserted | Reading 300 < Threshold 400 RPM
   b | 05/05/2026 | 01:00:00 | Memory | Correctable ECC | Asserted
   c | 05/05/2026 | 01:00:01 | OEM record
";

    #[test]
    fn sensors_have_numbers_words_or_nothing() {
        fn check(name: &str, state: Option<&str>, reading: Option<BmcReading>) {
            let found = sensors(SENSORS, "x").expect("a table");
            let sensor = found.iter().find(|sensor| sensor.name == name).expect("it is listed");
            assert_eq!(sensor.state.value().map(String::as_str), state, "{name}");
            assert_eq!(sensor.reading.value().cloned(), reading, "{name}");
        }
        let number = |milli: i64, unit: &str| Some(BmcReading::Number { milli, unit: unit.into() });
        let words = |words: &str| Some(BmcReading::Words(words.into()));
        check("CPU Temp", Some("ok"), number(45_000, "degrees C"));
        check("12V", Some("ok"), number(12_100, "Volts"));
        check("FAN1", Some("lcr"), number(300_000, "RPM"));
        check("FAN2", None, None);
        check("P1-DIMMA1 Temp", Some("ok"), None);
        check("PS1 Status", Some("ok"), words("Presence detected"));
        check("VBAT", Some("ok"), words("0x00"));
        check("Outlet", Some("ok"), number(-5500, "degrees C"));
        assert_eq!(sensors("Could not open device at /dev/ipmi0\n", "x"), None);
        assert_eq!(sensors("", "x"), Some(Vec::new()));
    }

    #[test]
    fn events_are_told_apart_by_their_sensor() {
        let found = events(EVENTS, "x").expect("a log");
        let said: Vec<_> = found.iter().map(|e| (e.kind, e.asserted.value().copied(), e.line)).collect();
        assert_eq!(
            said,
            [
                (BmcEventKind::PowerSupply, Some(true), 1),
                (BmcEventKind::PowerSupply, Some(false), 2),
                (BmcEventKind::Fan, Some(true), 3),
                (BmcEventKind::Memory, Some(true), 4),
            ]
        );
        assert!(found[2].when.is_absent());
        assert_eq!(found[0].when.value().map(String::as_str), Some("05/04/2026 12:34:56"));
        assert_eq!(events("SEL has no entries\n", "x"), Some(Vec::new()));
        assert_eq!(events("Unable to open SDR\n", "x"), None);
        assert_eq!(kind("Temperature CPU1"), BmcEventKind::Temperature);
        assert_eq!(kind("Watchdog2 #0x51"), BmcEventKind::Other);
        let many = EVENTS.lines().next().expect("one").to_owned() + "\n";
        let newest = events(&many.repeat(500), "x").expect("a log");
        assert_eq!((newest.len(), newest[199].line), (200, 500));
    }

    #[test]
    fn nothing_is_started_without_a_device() {
        let with = |files: &[(&str, &str)]| run(files, async |door| collect(door).await.0);
        assert!(with(&[("cmd/ipmitool.sdr/stdout", SENSORS)]).is_absent());
        let found = with(&[("sys/class/ipmi/.list", "ipmi0\n"), ("cmd/ipmitool.sdr/stdout", SENSORS)]);
        let bmc = found.value().expect("a controller");
        assert_eq!(bmc.sensors.value().map(Vec::len), Some(8));
        assert!(bmc.events.why_not().is_some_and(|why| why.contains("ipmitool sel elist")));
    }

    #[test]
    fn no_cut_and_no_damage_makes_a_value() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        hostile::cut(SENSORS.as_bytes(), |bytes| sensors(&text(bytes), "x"));
        hostile::cut(EVENTS.as_bytes(), |bytes| events(&text(bytes), "x"));
        hostile::mutate(
            SENSORS.as_bytes(),
            1000,
            |bytes| sensors(&text(bytes), "x"),
            |found| {
                assert!(found.iter().flatten().all(|sensor| sensor.name.len() <= MOST_FIELD));
            },
        );
        hostile::mutate(
            EVENTS.as_bytes(),
            1000,
            |bytes| events(&text(bytes), "x"),
            |found| {
                assert!(found.iter().flatten().all(|event| event.event.len() <= MOST_FIELD));
            },
        );
    }
}
