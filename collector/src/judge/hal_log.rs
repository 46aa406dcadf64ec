//! `/var/log/hal_daemon.log`: temperature limits and power units, by the lines that tell them.

use super::{Begins, Format, Sign, never, qts};
use crate::hal_log;

pub(super) const FORMAT: Format = Format {
    name: "hal_daemon.log",
    sign: Sign::Holds(b'='),
    begins: |lines| {
        let Some(line) = lines.first().filter(|line| line.contains(" = ")) else { return false };
        let found = hal_log::parse(line, "");
        !found.limits.is_empty() || !found.power_units.is_empty()
    },
    place: Begins::Apart,
    is_json: never,
    read: |gathered, output| {
        gathered.qts.append(qts::HAL_LOG, output.text, output.place);
        Ok(())
    },
};
