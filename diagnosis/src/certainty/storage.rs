//! Arrays, pools and file systems.

use assay_bundle::diagnosis::Component;

use super::{Row, cable, part, shared, software};

/// A member was kicked out of an array.
pub static MEMBER_KICKED: Row = Row {
    situation: "md kicked one member out of an array",
    shares: &[part(Component::Drive, 60), cable(20), shared(Component::Psu, 20)],
    source: "judgement: md kicks a member when a write fails, and drive, cable or supply can fail it",
};
/// Several members were kicked out of one array.
pub static SEVERAL_KICKED: Row = Row {
    situation: "md kicked several members out of one array",
    shares: &[shared(Component::Slot, 40), shared(Component::Psu, 30), part(Component::Drive, 30)],
    source: "judgement: members of one array that fail together point at what they share",
};
/// A slot of an array is empty.
pub static MEMBER_MISSING: Row = Row {
    situation: "a slot of an array has no member",
    shares: &[part(Component::Drive, 50), cable(30), software(20)],
    source: "judgement: a drive that died, lost its link, or was removed or left out on purpose looks the same",
};
/// An array does not run.
pub static ARRAY_NOT_RUNNING: Row = Row {
    situation: "an array is known but does not run",
    shares: &[part(Component::Drive, 40), cable(30), software(30)],
    source: "judgement: missing members, a lost link, or an array that belongs to another machine",
};
/// Every row of this file.
pub(super) static STORAGE_ROWS: &[&Row] =
    &[&MEMBER_KICKED, &SEVERAL_KICKED, &MEMBER_MISSING, &ARRAY_NOT_RUNNING];
