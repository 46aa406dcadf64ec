//! Lines of `hal_app` that name what they are about, without the command that was typed:
//! `enc_sys_get_fan(2631):fan index = 0,ret = 0,fan = 5212 rpm,fan_fail = 0`.

use super::{Begins, Format, Gathered, Output, Sign, never, qts};
use crate::command::QtsCommand;
use crate::command::qts::FanNumber;

pub(super) const FORMAT: Format = Format {
    name: "hal_app fans",
    sign: Sign::Holds(b'='),
    begins: |lines| lines.first().is_some_and(|line| fan(line).is_some()),
    place: Begins::AmongOthers,
    is_json: never,
    read,
};

/// The command that prints such a line.
fn fan(line: &str) -> Option<QtsCommand> {
    let (function, fields) = line.split_once("fan index = ")?;
    let index: u8 = fields.split(',').next()?.trim().parse().ok()?;
    let fan = FanNumber::new(index.checked_add(1)?)?;
    if function.contains("get_fan_pwm(") {
        return Some(QtsCommand::FanDrive(fan));
    }
    function.contains("get_fan(").then_some(QtsCommand::FanState(fan))
}

fn read(gathered: &mut Gathered, output: &Output<'_>) -> Result<(), String> {
    for line in output.text.split_inclusive('\n') {
        if let Some(command) = fan(line) {
            gathered.qts.put(qts::place(command), line, output.place);
        }
    }
    Ok(())
}
