//! Fans, heat and air.

use assay_bundle::diagnosis::{Component, SuspectKind};

use super::{Row, Share, cable, environment, part, shared};

/// A fan that should turn stands still.
pub static FAN_STALLED: Row = Row {
    situation: "a fan that should turn does not",
    shares: &[part(Component::Fan, 70), cable(20), shared(Component::Mainboard, 10)],
    source: "judgement: bearings and dust stop fans far more often than connectors or headers fail",
};
/// A fan stands still, and it may be meant to.
pub static FAN_STANDS_STILL: Row = Row {
    situation: "a fan stands still, and some models stop fans on purpose",
    shares: &[
        part(Component::Fan, 50),
        Share { kind: SuspectKind::Configuration, component: Component::Cooling, percent: 50 },
    ],
    source: "unknown split, shared equally: one sample cannot tell a stalled fan from a stopped one",
};
/// Drives are too hot and no fan is known to be at fault.
pub static TOO_HOT: Row = Row {
    situation: "drives are too hot and no fan is known to be at fault",
    shares: &[environment(Component::Cooling, 50), environment(Component::Environment, 50)],
    source: "unknown split, shared equally: dust and fans, or the room",
};
/// Drives are too hot while a fan stands still.
pub static TOO_HOT_FAN: Row = Row {
    situation: "drives are too hot while a fan stands still",
    shares: &[
        part(Component::Fan, 70),
        environment(Component::Cooling, 20),
        environment(Component::Environment, 10),
    ],
    source: "judgement: a fan that stands still explains the heat behind it",
};
/// Every row of this file.
pub(super) static COOLING_ROWS: &[&Row] = &[&FAN_STALLED, &FAN_STANDS_STILL, &TOO_HOT, &TOO_HOT_FAN];
