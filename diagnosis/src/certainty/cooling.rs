//! Fans, heat and air.

use assay_bundle::diagnosis::{Component, SuspectKind};

use super::{Row, Share, cable, environment, part, shared, software};

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
/// A fan turns slower than it did.
pub static FAN_SLOWER: Row = Row {
    situation: "a fan turns slower than it did, and fans that are driven together with it do not",
    shares: &[part(Component::Fan, 70), environment(Component::Environment, 30)],
    source: "judgement: a bearing that runs dry, else dust on the blades",
};
/// A fan's speed swings.
pub static FAN_HUNTS: Row = Row {
    situation: "a fan's speed swings up and down",
    shares: &[
        part(Component::Fan, 60),
        Share { kind: SuspectKind::Configuration, component: Component::Cooling, percent: 40 },
    ],
    source: "judgement: a bearing or sensor that fails, else fan control that overshoots",
};
/// A fan that earlier runs saw is not listed.
pub static FAN_GONE: Row = Row {
    situation: "a fan that was there is not listed, while others that are read in the same way are",
    shares: &[part(Component::Fan, 50), cable(30), software(20)],
    source: "judgement: a fan that died or was taken out, its plug, or a change of what lists fans",
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
/// Everything in the unit is hotter than it was.
pub static HOTTER: Row = Row {
    situation: "several things in the unit are hotter than they were at rest, and the fans turn as before or slower",
    shares: &[
        environment(Component::Environment, 40),
        environment(Component::Cooling, 40),
        Share { kind: SuspectKind::Configuration, component: Component::Cooling, percent: 20 },
    ],
    source: "judgement: season and dust alike, and the speed of the fans is a setting",
};
/// Everything in the unit is hotter than it was although the fans turn faster.
pub static HOTTER_WITH_FANS: Row = Row {
    situation: "several things in the unit are hotter than they were at rest although the fans turn faster",
    shares: &[environment(Component::Cooling, 60), environment(Component::Environment, 40)],
    source: "judgement: air that does not pass, or a room that is much warmer",
};

/// Every row of this file.
pub(super) static COOLING_ROWS: &[&Row] = &[
    &FAN_STALLED,
    &FAN_STANDS_STILL,
    &FAN_SLOWER,
    &FAN_HUNTS,
    &FAN_GONE,
    &TOO_HOT,
    &TOO_HOT_FAN,
    &HOTTER,
    &HOTTER_WITH_FANS,
];
