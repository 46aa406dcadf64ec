//! Power units, mains and batteries.

use assay_bundle::diagnosis::{Component, SuspectKind};

use super::{Row, Share, environment, part};

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
/// Every row of this file.
pub(super) static POWER_ROWS: &[&Row] = &[&POWER_UNIT_FAILED, &POWER_UNIT_REMOVED];
