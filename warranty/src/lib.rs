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
mod dates;
pub mod deadlines;
pub mod decision;
mod entitlement;
#[cfg(test)]
mod fixture;
mod gates;
mod holidays;
mod lanes;
mod page;
pub mod plans;
mod recommend;
pub mod request;
pub mod series;
pub mod sheets;
pub mod situation;
mod text;
pub mod transfer;
pub mod zones;

pub use decision::{ServiceDecision, decide};
pub use entitlement::{entitlement, entitlement_as_of, entitlement_of};
pub use plans::offers;
pub use recommend::{recommend, recommendation};
pub use series::standard_period;
pub use situation::Situation;
