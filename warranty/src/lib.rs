//! The service terms as rules that a program can decide: what a unit's series grants, and what to do about a
//! diagnosis, in order, with the rule IDs of the terms.
//!
//! Nothing here reads, runs, logs or asks what day it is: today is an argument, and `None` when nobody trusts the clock
//! that was asked. This crate refuses to refuse: it issues no return number, declares no warranty void and never says
//! "expired" without "appears"; people decide, it computes and reminds. Read [`series`], [`entitlement()`], [`recommend()`].

pub mod calendar;
pub mod checklist;
#[cfg(test)]
mod coverage;
pub mod deadlines;
mod entitlement;
mod holidays;
pub mod plans;
mod recommend;
pub mod series;
pub mod transfer;
pub mod zones;

pub use entitlement::{entitlement, entitlement_as_of, entitlement_of};
pub use plans::offers;
pub use recommend::recommend;
pub use series::standard_period;
