//! The board management controller: `ipmitool sdr elist full` and `ipmitool sel elist`, by the shape of their lines.

use assay_bundle::Observed;
use assay_bundle::facts::bmc::Bmc;

use super::{Begins, Format, Gathered, Sign, never};
use crate::probes::bmc;

pub(super) const SENSORS: Format = Format {
    name: "ipmitool sdr",
    sign: Sign::Holds(b'|'),
    begins: |lines| is_row(lines, |line| bmc::sensors(line, "").is_some_and(|found| !found.is_empty())),
    place: Begins::AmongOthers,
    is_json: never,
    read: |gathered, output| {
        let sensors = bmc::sensors(output.text, output.place).ok_or("it is not a list of sensors")?;
        add(gathered, output.place, |bmc| bmc.sensors = Observed::seen(sensors, output.place));
        Ok(())
    },
};

pub(super) const EVENTS: Format = Format {
    name: "ipmitool sel",
    sign: Sign::Holds(b'|'),
    begins: |lines| is_row(lines, |line| bmc::events(line, "").is_some_and(|found| !found.is_empty())),
    place: Begins::AmongOthers,
    is_json: never,
    read: |gathered, output| {
        let events = bmc::events(output.text, output.place).ok_or("it is not an event log")?;
        add(gathered, output.place, |bmc| bmc.events = Observed::seen(events, output.place));
        Ok(())
    },
};

/// Five fields between bars; most lines of anything have none.
fn is_row(lines: &[&str], fits: impl Fn(&str) -> bool) -> bool {
    let bars = |line: &str| line.bytes().filter(|byte| *byte == b'|').take(4).count();
    lines.first().is_some_and(|line| bars(line) == 4 && fits(line))
}

/// Both outputs are of one controller.
fn add(gathered: &mut Gathered, place: &str, change: impl FnOnce(&mut Bmc)) {
    let mut bmc = match std::mem::take(&mut gathered.facts.bmc) {
        Observed::Seen { value, .. } => value,
        _ => Bmc::default(),
    };
    change(&mut bmc);
    gathered.facts.bmc = Observed::seen(bmc, place);
}
