//! Fans and temperatures as QTS and QuTS hero report them: `getsysinfo`, and `hal_app` where it answers.
//!
//! On most models the fans hang on an embedded controller that the kernel does not show: hwmon has `coretemp` and
//! nothing else (TS-453Bmini, QTS 5.2.10). QTS's own temperature of the processor is calibrated and may differ from
//! `coretemp` by 27 degrees (TS-466C), so both stand side by side under their own names.
//!
//! `getsysinfo` counts fans from 1, `hal_app` from 0. `hal_app` is asked first: it also tells `fan_fail`, which is
//! QNAP's own verdict; `ret` other than 0 is a reading that failed. How many fans there should be stands in
//! `/etc/model.conf` or `/etc/hal.conf` (`MAX_FAN_NUM`), else `sysfannum` says it. A model whose configuration has the
//! capability `NO_FAN_READ` has fans that nobody can read: they are Absent, and no fan is asked for.
//!
//! Refused as values: `--` (none), -1 and 65535 (the speed is not known), 0 C and below and everything from 128 C on.
//! A worn TS-x51 gives such junk. Nothing is started on a machine without `/etc/platform.conf`, and a tool that failed
//! once is not asked again in the same run: a daemon that hangs would cost its deadline for every fan.

use std::collections::BTreeSet;

use assay_bundle::Observed;
use assay_bundle::facts::hwmon::{Fan, TemperatureSensor};
use assay_bundle::units::{Celsius, Rpm};

use super::Found;
use super::hwmon::Sensors;
use crate::command::qts::FanNumber;
use crate::command::{Command, QtsCommand};
use crate::door::{ATTRIBUTE_BYTES, Door, Missing};
use crate::ini;
use crate::source::{Fetched, Request};

/// What only QTS and QuTS hero have.
pub(crate) const PLATFORM: &str = "/etc/platform.conf";
/// Where the model's equipment is written down, in order of trust.
pub(crate) const MODEL_FILES: [&str; 2] = ["/etc/model.conf", "/etc/hal.conf"];
/// Enclosure capability: the fans cannot be read (hal.h).
const NO_FAN_READ: u64 = 0x0100_0000;

/// What QTS says about cooling.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cooling {
    pub(crate) fans: Observed<Vec<Fan>>,
    pub(crate) temperatures: Observed<Vec<TemperatureSensor>>,
    /// Whether any fan or temperature has a value: a recording without these commands has none.
    answered: bool,
}

/// Asks QTS, where it is QTS.
pub(crate) async fn collect(door: &Door<'_>) -> (Cooling, Found) {
    counting(door, 0).await
}

/// The same, where at least so many fans are known to have answered: a paste need not hold their number.
pub(crate) async fn counting(door: &Door<'_>, at_least: u8) -> (Cooling, Found) {
    if !is_qts(door).await {
        return (Cooling::default(), Found::Nothing);
    }
    let mut asker = Asker { door, failed: BTreeSet::new() };
    let mut temperatures = Vec::new();
    for (name, command) in [("CPU", QtsCommand::CpuTemperature), ("system", QtsCommand::SystemTemperature)] {
        let temperature_c = asker.reading(command, TEMPERATURE, temperature).await;
        if !temperature_c.is_not_collected() {
            temperatures.push(TemperatureSensor {
                name: name.to_owned(),
                temperature_c,
                ..TemperatureSensor::default()
            });
        }
    }
    let equipment = equipment(door).await;
    let fans = if equipment.no_fan_read { Observed::Absent } else { asker.fans(&equipment, at_least).await };
    let answered = temperatures.iter().any(|sensor| sensor.temperature_c.is_seen())
        || fans.value().is_some_and(|fans| fans.iter().any(|fan| fan.speed_rpm.is_seen()));
    let asked = !temperatures.is_empty() || fans.value().is_some_and(|fans| !fans.is_empty());
    let found = match (answered, asked) {
        (true, _) => Found::Something,
        (false, true) => Found::Failed,
        (false, false) => Found::Nothing,
    };
    let place = Request::Run(Command::Qts(QtsCommand::CpuTemperature)).place();
    let temperatures =
        if temperatures.is_empty() { Observed::NotCollected } else { Observed::seen(temperatures, place) };
    (Cooling { fans, temperatures, answered }, found)
}

/// Whether this is QTS or QuTS hero.
pub(crate) async fn is_qts(door: &Door<'_>) -> bool {
    door.ask(&Request::read(PLATFORM, ATTRIBUTE_BYTES)).await.is_ok()
}

/// One list from two: the first one's readings, then the second's. What was seen wins over what was not, and a
/// failure over "has none".
pub(crate) fn together<T>(first: Observed<Vec<T>>, second: Observed<Vec<T>>) -> Observed<Vec<T>> {
    match (first, second) {
        (Observed::Seen { mut value, from }, Observed::Seen { value: more, .. }) => {
            value.extend(more);
            Observed::seen(value, from)
        }
        (Observed::NotCollected, other) => other,
        (first, other) => first.or(|| other),
    }
}

impl Cooling {
    /// What hwmon has with QTS's own readings beside it. Fans that only the configuration knows and that nothing
    /// answered for are left out when hwmon reads fans: it is the same fans under other names.
    pub(crate) fn beside(self, hwmon: Sensors) -> Sensors {
        let tried = |fan: &Fan| !fan.speed_rpm.is_not_collected();
        let spoken = self.answered || self.fans.value().is_some_and(|fans| fans.iter().any(tried));
        let fans = if hwmon.fans.is_seen() && !spoken { hwmon.fans } else { together(hwmon.fans, self.fans) };
        Sensors { fans, temperatures: together(hwmon.temperatures, self.temperatures), ..hwmon }
    }
}

/// What the model's own configuration says about its fans.
#[derive(Debug, Default)]
struct Equipment {
    /// Number of fans and the file that says so.
    fans: Option<(u8, &'static str)>,
    no_fan_read: bool,
}

async fn equipment(door: &Door<'_>) -> Equipment {
    let mut found = Equipment::default();
    for path in MODEL_FILES {
        if let Ok(file) = door.ask(&Request::read(path, ATTRIBUTE_BYTES)).await {
            let text = file.text();
            found.fans = found.fans.or_else(|| any_number(&text, "MAX_FAN_NUM").map(|n| (n, path)));
            found.no_fan_read |= capabilities(&text).is_some_and(|bits| bits & NO_FAN_READ != 0);
        }
    }
    found
}

/// The first number of that key in a section about an enclosure: `[System Enclosure]` or `[Enclosure_0]`.
fn any_number<T: std::str::FromStr>(text: &str, key: &str) -> Option<T> {
    enclosure_value(text, key).and_then(|value| value.parse().ok())
}

/// The first value of that key in a section about the unit's own enclosure.
pub(crate) fn enclosure_value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let own = |name: &str| {
        name.eq_ignore_ascii_case("System Enclosure") || name.eq_ignore_ascii_case("Enclosure_0")
    };
    ini::sections(text)
        .into_iter()
        .filter(|(name, _)| own(name))
        .flat_map(|(_, keys)| keys)
        .find(|(name, value)| name.eq_ignore_ascii_case(key) && !value.is_empty())
        .map(|(_, value)| value)
}

/// Names of the capability bits: `CAP` in `model.conf`, `capability` in `hal.conf`, `capabilities` in maps of bays.
const CAPABILITY_KEYS: [&str; 3] = ["CAP", "capability", "capabilities"];

/// The capability bits of the unit's own enclosure, written in decimal or with `0x`.
pub(crate) fn capabilities(text: &str) -> Option<u64> {
    let value = CAPABILITY_KEYS.into_iter().find_map(|key| enclosure_value(text, key))?;
    match value.strip_prefix("0x") {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).ok(),
        None => value.parse().ok(),
    }
}

/// Runs commands, and leaves a tool alone that failed.
struct Asker<'d, 'a> {
    door: &'d Door<'a>,
    failed: BTreeSet<&'static str>,
}

impl Asker<'_, '_> {
    async fn run(&mut self, command: QtsCommand) -> Result<Fetched, Missing> {
        let tool = command.tool();
        if self.failed.contains(tool) {
            return Err(Missing::Failed(format!("{tool} failed before, so it was not asked again")));
        }
        let answer = self.door.ask(&Request::Run(Command::Qts(command))).await;
        if matches!(answer, Err(Missing::Failed(_) | Missing::NoTool(_))) {
            self.failed.insert(tool);
        }
        answer
    }

    /// One reading; a command that was never run (in a recording) is NotCollected.
    async fn reading<T>(
        &mut self,
        command: QtsCommand,
        expected: &str,
        read: impl FnOnce(&str) -> Word<T>,
    ) -> Observed<T> {
        let noun = Command::Qts(command.clone()).line();
        match self.run(command).await {
            Ok(fetched) => self.door.noted(understand(&fetched, &noun, expected, read)),
            Err(Missing::NotThere) => Observed::NotCollected,
            Err(missing) => missing.observed(),
        }
    }

    async fn fans(&mut self, equipment: &Equipment, at_least: u8) -> Observed<Vec<Fan>> {
        let counted = self.reading(QtsCommand::FanCount, "a number of fans", count).await;
        let configured = equipment.fans.map(|(count, _)| count);
        let most =
            configured.max(counted.value().copied()).unwrap_or_default().max(at_least).min(FanNumber::MOST);
        let place = match (&counted, equipment.fans) {
            (Observed::Seen { from, .. }, _) => from.clone(),
            (_, Some((_, path))) => path.trim_start_matches('/').to_owned(),
            _ if at_least > 0 => Request::Run(Command::Qts(QtsCommand::FanCount)).place(),
            _ => return counted.map(|_| Vec::new()),
        };
        let mut fans = Vec::new();
        for fan in (1..=most).filter_map(FanNumber::new) {
            let expected = match equipment.fans {
                Some((count, path)) => Observed::seen(fan.number() <= count, path.trim_start_matches('/')),
                None => counted.as_ref().map(|_| true),
            };
            fans.push(self.fan(fan, expected).await);
        }
        if fans.is_empty() { Observed::Absent } else { Observed::seen(fans, place) }
    }

    async fn fan(&mut self, fan: FanNumber, expected: Observed<bool>) -> Fan {
        let noun = Command::Qts(QtsCommand::FanState(fan)).line();
        let (state, fault) = match self.run(QtsCommand::FanState(fan)).await {
            Ok(fetched) => (
                understand(&fetched, &noun, SPEED, |text| hal_speed(text, fan.index())),
                self.door.noted(understand(&fetched, &noun, "a verdict of 0 or 1", |text| {
                    hal_verdict(text, fan.index())
                })),
            ),
            Err(Missing::NotThere) => (Observed::NotCollected, Observed::NotCollected),
            Err(missing) => (missing.clone().observed(), missing.observed()),
        };
        let speed_rpm = match state {
            Observed::Seen { .. } => state,
            Observed::NotCollected => self.reading(QtsCommand::FanSpeed(fan), SPEED, speed).await,
            failed => {
                let second = self.reading(QtsCommand::FanSpeed(fan), SPEED, speed).await;
                failed.or(|| second)
            }
        };
        Fan {
            name: format!("system fan {}", fan.number()),
            speed_rpm,
            fault,
            pwm: self
                .reading(QtsCommand::FanDrive(fan), "a drive level of 0 to 255", |text| {
                    drive(text, fan.index())
                })
                .await,
            expected,
            ..Fan::default()
        }
    }
}

/// What a text says.
#[derive(Debug, PartialEq, Eq)]
enum Word<T> {
    Value(T),
    /// It says that there is none.
    None,
    /// It says that the reading failed, in words of ours.
    Failed(&'static str),
    /// It is not what it should be.
    Strange,
}

fn understand<T>(
    fetched: &Fetched,
    noun: &str,
    expected: &str,
    read: impl FnOnce(&str) -> Word<T>,
) -> Observed<T> {
    match read(&fetched.text()) {
        Word::Value(value) => Observed::seen(value, fetched.place.clone()),
        Word::None => Observed::Absent,
        Word::Failed(why) => Observed::unreadable(format!("{noun}: {why}")),
        Word::Strange => Observed::unreadable(format!("{noun}: its answer is not {expected}")),
    }
}

const SPEED: &str = "a speed that a fan can have (65535 is an unconnected input)";
const TEMPERATURE: &str = "a temperature such as `34 C/93 F` that a sensor can have";

/// `34 C/93 F`. Sensors that did not answer give 0, a worn controller anything.
fn temperature(text: &str) -> Word<Celsius> {
    let text = text.trim();
    if text.starts_with("--") {
        return Word::None;
    }
    let Some((number, rest)) = text.split_once(' ') else { return Word::Strange };
    match (number.parse::<i64>(), rest.strip_prefix("C/")) {
        (Ok(-1), Some(_)) => Word::None,
        (Ok(0), Some(_)) => {
            Word::Failed("it says 0 C, which is what QTS prints when a sensor does not answer")
        }
        (Ok(degrees), Some(_)) => Celsius::of_drive(degrees).map_or(Word::Strange, Word::Value),
        _ => Word::Strange,
    }
}

fn count(text: &str) -> Word<u8> {
    match text.trim() {
        text if text.starts_with("--") => Word::None,
        text => text.parse().map_or(Word::Strange, Word::Value),
    }
}

/// `970 RPM`.
fn speed(text: &str) -> Word<Rpm> {
    let text = text.trim();
    if text.starts_with("--") {
        return Word::None;
    }
    match text.split_once(' ') {
        Some((number, unit)) if unit.trim().eq_ignore_ascii_case("rpm") => revolutions(number),
        _ => Word::Strange,
    }
}

fn revolutions(number: &str) -> Word<Rpm> {
    match number.parse::<i64>() {
        Ok(-1 | -2) => Word::Failed("it says that the speed cannot be read (-1 or -2)"),
        Ok(number) => u64::try_from(number).ok().and_then(Rpm::plausible).map_or(Word::Strange, Word::Value),
        Err(_) => Word::Strange,
    }
}

/// The fields of the line of that fan: `enc_sys_get_fan(2631):fan index = 0,ret = 0,fan = 5212 rpm,fan_fail = 0`. The
/// line has to be whole: a cut number is another number.
fn hal_fields(text: &str, index: u8) -> Option<Vec<(&str, &str)>> {
    let whole_lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    whole_lines
        .filter_map(|line| line.find("fan index").and_then(|start| line.get(start..)))
        .map(|rest| -> Vec<(&str, &str)> {
            rest.split(',').filter_map(|f| f.split_once('=')).map(|(k, v)| (k.trim(), v.trim())).collect()
        })
        .find(|fields| field(fields, "fan index").and_then(|number| number.parse().ok()) == Some(index))
}

fn field<'t>(fields: &[(&str, &'t str)], key: &str) -> Option<&'t str> {
    fields.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
}

/// The fields of a reading that succeeded.
fn hal_answer<T>(text: &str, index: u8) -> Result<Vec<(&str, &str)>, Word<T>> {
    let Some(fields) = hal_fields(text, index) else { return Err(Word::Strange) };
    match field(&fields, "ret").and_then(|ret| ret.parse::<i64>().ok()) {
        Some(0) => Ok(fields),
        Some(_) => Err(Word::Failed("the controller did not give this fan's reading (ret is not 0)")),
        None => Err(Word::Strange),
    }
}

fn hal_speed(text: &str, index: u8) -> Word<Rpm> {
    match hal_answer(text, index) {
        Ok(fields) => match field(&fields, "fan").and_then(|value| value.split_once(' ')) {
            Some((number, "rpm")) => revolutions(number),
            _ => Word::Strange,
        },
        Err(word) => word,
    }
}

fn hal_verdict(text: &str, index: u8) -> Word<bool> {
    match hal_answer(text, index) {
        Ok(fields) => match field(&fields, "fan_fail") {
            Some("0") => Word::Value(false),
            Some("1" | "-1") => Word::Value(true),
            Some("-2") => Word::Failed("it says that the fan cannot be read (-2)"),
            _ => Word::Strange,
        },
        Err(word) => word,
    }
}

fn drive(text: &str, index: u8) -> Word<u8> {
    match hal_answer(text, index) {
        Ok(fields) => {
            field(&fields, "fan_pwm").and_then(|value| value.parse().ok()).map_or(Word::Strange, Word::Value)
        }
        Err(word) => word,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::door::testing::run;
    use crate::hostile;

    const STATE: &str = "enc_sys_get_fan(2631):fan index = 0,ret = 0,fan = 5212 rpm,fan_fail = 0\n";
    const DRIVE: &str = "enc_sys_get_fan_pwm(2689):fan index = 0,ret = 0,fan_pwm = 159\n";

    #[test]
    fn a_temperature_has_a_unit_and_a_range() {
        fn check(text: &str, expected: Word<i16>) {
            let found = match temperature(text) {
                Word::Value(degrees) => Word::Value(degrees.0),
                Word::None => Word::None,
                Word::Failed(_) => Word::Failed(""),
                Word::Strange => Word::Strange,
            };
            assert_eq!(found, expected, "{text}");
        }
        check("34 C/93 F\n", Word::Value(34));
        check("27 C/81 F", Word::Value(27));
        check("--\n", Word::None);
        check("-- C/-- F\n", Word::None);
        check("-1 C/30 F\n", Word::None);
        check("0 C/32 F\n", Word::Failed(""));
        check("128 C/262 F\n", Word::Strange);
        check("-40 C/-40 F\n", Word::Strange);
        check("3892314 C/7 F\n", Word::Strange);
        check("34", Word::Strange);
        check("34 F", Word::Strange);
        check("", Word::Strange);
        check("garbage\n", Word::Strange);
    }

    #[test]
    fn a_speed_is_not_a_sentinel() {
        fn check(text: &str, expected: Option<u32>) {
            let found = match speed(text) {
                Word::Value(speed) => Some(speed.0),
                _ => None,
            };
            assert_eq!(found, expected, "{text}");
        }
        check("970 RPM\n", Some(970));
        check("0 RPM", Some(0));
        check("65535 RPM", None);
        check("-1 RPM", None);
        check("4294967295 RPM", None);
        check("97", None);
        check("970 RP", None);
        check("--", None);
        assert_eq!(speed("--\n"), Word::None);
    }

    #[test]
    fn the_hal_answers_by_index() {
        fn check(text: &str, expected: (Word<u32>, Word<bool>)) {
            let speed = match hal_speed(text, 0) {
                Word::Value(speed) => Word::Value(speed.0),
                Word::None => Word::None,
                Word::Failed(_) => Word::Failed(""),
                Word::Strange => Word::Strange,
            };
            let verdict = match hal_verdict(text, 0) {
                Word::Failed(_) => Word::Failed(""),
                other => other,
            };
            assert_eq!((speed, verdict), expected, "{text}");
        }
        check(STATE, (Word::Value(5212), Word::Value(false)));
        check(
            &format!("some warning\n{}", STATE.replace("fan_fail = 0", "fan_fail = 1")),
            (Word::Value(5212), Word::Value(true)),
        );
        check(&STATE.replace("ret = 0", "ret = -1"), (Word::Failed(""), Word::Failed("")));
        check(&STATE.replace("5212", "-1"), (Word::Failed(""), Word::Value(false)));
        check(&STATE.replace("5212", "65535"), (Word::Strange, Word::Value(false)));
        check(&STATE.replace("index = 0", "index = 1"), (Word::Strange, Word::Strange));
        check(STATE.trim(), (Word::Strange, Word::Strange));
        check("", (Word::Strange, Word::Strange));
        assert_eq!(drive(DRIVE, 0), Word::Value(159));
        assert_eq!(drive(&DRIVE.replace("159", "256"), 0), Word::Strange);
        assert!(matches!(drive(&DRIVE.replace("ret = 0", "ret = 5"), 0), Word::Failed(_)));
    }

    #[test]
    fn no_cut_and_no_damage_makes_a_value() {
        let answer = |word: Word<u32>| match word {
            Word::Value(value) => Observed::seen(value, "x"),
            Word::None => Observed::Absent,
            Word::Failed(why) => Observed::unreadable(why),
            Word::Strange => Observed::unreadable("strange"),
        };
        let value = |word: Word<Rpm>| match word {
            Word::Value(speed) => Word::Value(speed.0),
            _ => Word::Strange,
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fan = |bytes: &[u8]| answer(value(hal_speed(&text(bytes), 0)));
        let plain = |bytes: &[u8]| answer(value(speed(&text(bytes))));
        let pwm = |bytes: &[u8]| match drive(&text(bytes), 0) {
            Word::Value(level) => Observed::seen(level, "x"),
            _ => Observed::unreadable("strange"),
        };
        let degrees = |bytes: &[u8]| match temperature(&text(bytes)) {
            Word::Value(degrees) => Observed::seen(degrees.0, "x"),
            _ => Observed::unreadable("strange"),
        };
        hostile::cut(STATE.as_bytes(), fan);
        hostile::cut(b"970 RPM\n", plain);
        hostile::cut(DRIVE.as_bytes(), pwm);
        hostile::cut(b"34 C/93 F\n", degrees);
        let possible = |speed: &Observed<u32>| assert!(speed.value().is_none_or(|speed| *speed <= 30_000));
        hostile::mutate(STATE.as_bytes(), 1000, fan, possible);
        hostile::mutate(b"970 RPM\n", 1000, plain, possible);
        hostile::mutate(DRIVE.as_bytes(), 1000, pwm, |_| ());
        hostile::mutate(b"34 C/93 F\n", 1000, degrees, |c| {
            assert!(c.value().is_none_or(|c| (1..128).contains(c)));
        });
    }

    fn cooling(files: &[(&str, &str)]) -> Cooling {
        let mut all = vec![("etc/platform.conf", "Platform = X86\n")];
        all.extend(files);
        run(&all, async |door| collect(door).await.0)
    }

    #[test]
    fn the_configuration_says_how_many_fans_there_should_be() {
        let found = cooling(&[
            ("etc/model.conf", "[System Enclosure]\nMAX_FAN_NUM = 2\n"),
            ("cmd/getsysinfo.sysfannum/stdout", "1\n"),
            ("cmd/getsysinfo.cputmp/stdout", "34 C/93 F\n"),
            ("cmd/getsysinfo.systmp/stdout", "--\n"),
            ("cmd/hal_app.fan.0/stdout", STATE),
            ("cmd/hal_app.fan_pwm.0/stdout", DRIVE),
        ]);
        let fans = found.fans.value().expect("two");
        let of =
            |fan: &Fan| (fan.name.clone(), fan.speed_rpm.value().map(|r| r.0), fan.expected.value().copied());
        assert_eq!(of(&fans[0]), ("system fan 1".into(), Some(5212), Some(true)));
        assert_eq!((fans[0].fault.value(), fans[0].pwm.value()), (Some(&false), Some(&159)));
        assert_eq!(of(&fans[1]), ("system fan 2".into(), None, Some(true)));
        let temperatures = found.temperatures.value().expect("two");
        assert_eq!(temperatures[0].temperature_c.value(), Some(&Celsius(34)));
        assert!(temperatures[1].temperature_c.is_absent());
    }

    #[test]
    fn getsysinfo_helps_out_and_most_fans_are_sixteen() {
        let found = cooling(&[
            ("cmd/getsysinfo.sysfannum/stdout", "200\n"),
            ("cmd/getsysinfo.sysfan.1/stdout", "970 RPM\n"),
            ("cmd/hal_app.fan.0.unreadable", r#"{"no_tool":{"name":"hal_app"}}"#),
        ]);
        let fans = found.fans.value().expect("some");
        assert_eq!((fans.len(), fans[0].speed_rpm.value()), (16, Some(&Rpm(970))));
        assert!(fans[1].fault.why_not().is_some_and(|why| why.contains("failed before")), "{:?}", fans[1]);
    }

    #[test]
    fn fans_that_nobody_can_read_are_absent() {
        let found = cooling(&[
            ("etc/hal.conf", "[Enclosure_0]\ncapabilities = 16777217\nmax_fan_num = 1\n"),
            ("cmd/getsysinfo.sysfannum/stdout", "1\n"),
        ]);
        assert!(found.fans.is_absent());
        assert_eq!(capabilities("[System Enclosure]\nCAPABILITIES = 0x1000000\n"), Some(NO_FAN_READ));
        assert_eq!(capabilities("[System Enclosure]\nCAP=0x1000000\n"), Some(NO_FAN_READ));
        assert_eq!(capabilities("[Enclosure_0]\ncapability = 0x824a0384\n"), Some(0x824a_0384));
        assert_eq!(capabilities("[System Disk 1]\ncapabilities = 16777216\n"), None);
    }

    #[test]
    fn elsewhere_nothing_is_asked_and_two_lists_are_one() {
        let found =
            run(&[("cmd/getsysinfo.cputmp/stdout", "34 C/93 F\n")], async |door| collect(door).await.0);
        assert_eq!(found, Cooling::default());
        let one = |name: &str| Observed::seen(vec![name.to_owned()], name);
        assert_eq!(together(one("a"), one("b")).value().map(Vec::len), Some(2));
        assert_eq!(together(Observed::NotCollected, one("b")), one("b"));
        assert_eq!(together(one("a"), Observed::Absent), one("a"));
        assert_eq!(together(Observed::<Vec<u8>>::NotCollected, Observed::Absent), Observed::Absent);
        assert_eq!(
            together(Observed::<Vec<u8>>::unreadable("x"), Observed::Absent),
            Observed::unreadable("x")
        );
    }

    #[test]
    fn hwmon_has_the_same_fans_when_qts_was_not_asked() {
        let silent = || cooling(&[("etc/model.conf", "[System Enclosure]\nMAX_FAN_NUM = 1\n")]);
        let hwmon = || Sensors {
            fans: Observed::seen(vec![Fan { name: "it8528/fan1".into(), ..Fan::default() }], "sys"),
            ..Sensors::default()
        };
        assert_eq!(silent().beside(hwmon()), hwmon());
        assert_eq!(silent().beside(Sensors::default()).fans.value().map(Vec::len), Some(1));
    }
}
