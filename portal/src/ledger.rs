//! The serial ledger: what was sold, what covers it, and where each unit is. Pure rules; the rows are in
//! [`crate::store::ledger`].
//!
//! Start with [`record`] (what is kept of a unit), then [`rules`] (what may become of it, A12-A14), then [`judge`] (a
//! diagnosis joined with what the ledger says of the purchase). Nothing here opens a file or asks a clock. Refused:
//! a unit that is replaced twice, coverage that is in two places, a status that cannot follow the one before, and any
//! shipment for a unit that was reported stolen.

pub mod csv;
pub mod export;
pub mod import;
pub mod judge;
pub mod plans;
pub mod record;
pub mod rules;
