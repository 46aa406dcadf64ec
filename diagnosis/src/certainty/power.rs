//! Power units, mains and batteries.

use assay_bundle::diagnosis::{Component, SuspectKind};

use super::{Row, Share, environment, part, shared};

/// QTS says that a power unit failed.
pub static POWER_UNIT_FAILED: Row = Row {
    situation: "a power unit of two is reported as failed",
    shares: &[part(Component::Psu, 60), environment(Component::PowerInput, 40)],
    source: "judgement: a unit whose cable or outlet is dead is reported the same way",
};
/// QTS says that a power unit is not there.
pub static POWER_UNIT_REMOVED: Row = Row {
    situation: "a power unit of two is reported as taken out",
    shares: &[
        part(Component::Psu, 50),
        Share { kind: SuspectKind::Configuration, component: Component::PowerInput, percent: 50 },
    ],
    source: "unknown split, shared equally: taken out on purpose or never fitted, or no longer seen",
};
/// The board's controller says that a unit fails.
pub static POWER_UNIT_FAILS: Row = Row {
    situation: "the board's controller says that a power unit fails, and not that its input is lost",
    shares: &[part(Component::Psu, 90), environment(Component::PowerInput, 10)],
    source: "judgement after IPMI 2.0: the unit reports its own failure apart from a lost input",
};
/// The board's controller says that a unit has no input.
pub static POWER_UNIT_NO_INPUT: Row = Row {
    situation: "the board's controller says that a power unit has lost its input",
    shares: &[environment(Component::PowerInput, 80), part(Component::Psu, 20)],
    source: "judgement after IPMI 2.0: cable, outlet and UPS come before the unit",
};
/// The unit stops without a shutdown again and again.
pub static POWER_GOES: Row = Row {
    situation: "the unit stops without a shutdown again and again, and nothing says why",
    shares: &[
        part(Component::Psu, 50),
        environment(Component::PowerInput, 40),
        shared(Component::Mainboard, 10),
    ],
    source: "judgement after one published case of an ageing supply: supply and mains look alike from inside",
};
/// The unit stops without a shutdown after its UPS spoke.
pub static POWER_GOES_AFTER_UPS: Row = Row {
    situation: "the unit loses its power after its UPS reported that the mains failed",
    shares: &[environment(Component::PowerInput, 50), part(Component::Ups, 40), part(Component::Psu, 10)],
    source: "judgement: the UPS saw the mains go, and did not last until the shutdown",
};
/// A rail of the power supply is out of range.
pub static SUPPLY_VOLTAGE: Row = Row {
    situation: "a sensor says that a rail of the power supply is out of range",
    shares: &[part(Component::Psu, 70), shared(Component::Mainboard, 30)],
    source: "judgement: supplies sag with age; a sensor of the board that is off reads the same",
};
/// A voltage that the mainboard makes itself is critical.
pub static BOARD_VOLTAGE: Row = Row {
    situation: "a sensor says that a voltage which the mainboard makes itself is out of range",
    shares: &[shared(Component::Mainboard, 70), part(Component::Psu, 30)],
    source: "judgement: regulators on the board make it, out of what the supply gives",
};
/// A UPS's battery is worn or old.
pub static UPS_BATTERY: Row = Row {
    situation: "a UPS says that its battery is worn, or the battery is old or weak",
    shares: &[part(Component::Ups, 100)],
    source: "NUT: the UPS's own word; batteries last 3 to 5 years by their makers",
};
/// A UPS runs on battery.
pub static MAINS_GONE: Row = Row {
    situation: "a UPS runs on its battery",
    shares: &[environment(Component::PowerInput, 90), part(Component::Ups, 10)],
    source: "judgement: the mains, else the input of the UPS",
};
/// A UPS is overloaded.
pub static UPS_OVERLOADED: Row = Row {
    situation: "a UPS says that it carries too much load",
    shares: &[
        Share { kind: SuspectKind::Configuration, component: Component::PowerInput, percent: 80 },
        part(Component::Ups, 20),
    ],
    source: "judgement: too many machines on it, else a UPS that measures wrong",
};

/// Every row of this file.
pub(super) static POWER_ROWS: &[&Row] = &[
    &POWER_UNIT_FAILED,
    &POWER_UNIT_REMOVED,
    &POWER_UNIT_FAILS,
    &POWER_UNIT_NO_INPUT,
    &POWER_GOES,
    &POWER_GOES_AFTER_UPS,
    &SUPPLY_VOLTAGE,
    &BOARD_VOLTAGE,
    &UPS_BATTERY,
    &MAINS_GONE,
    &UPS_OVERLOADED,
];
