//! The lanes of service, one file each; this is the one list, in the order of preference.
//!
//! A lane is a function from a [`Case`] to a [`LaneOption`]: it always answers, also with "not offered because …", and it
//! always shows its gates. What costs nothing comes first, then what serves the customer fastest, then the standard way,
//! then what the customer pays.

use crate::decision::{Case, LaneOption};

mod advance_replacement;
mod component;
mod drive_maker;
mod environment_first;
mod international_rma;
mod on_site;
mod other_maker;
mod paid_repair;
mod purchase_channel;
mod repair_rma;
mod test_first;

/// Every lane, best first.
pub(crate) const LANES: &[fn(&Case<'_>) -> LaneOption] = &[
    test_first::judge,
    environment_first::judge,
    drive_maker::judge,
    other_maker::judge,
    component::judge,
    on_site::judge,
    advance_replacement::judge,
    repair_rma::judge,
    purchase_channel::judge,
    international_rma::judge,
    paid_repair::judge,
];
