//! Support requests on the device: what an engineer asks, what the owner answers, and what may leave after that.
//!
//! [`state`] decides, and knows no file, clock or network; everything else here carries its decisions out.

pub(crate) mod answer;
pub(crate) mod copy;
pub(crate) mod desk;
pub(crate) mod questions;
pub(crate) mod session;
pub(crate) mod snapshot;
pub(crate) mod standing;
pub(crate) mod state;
pub(crate) mod store;
pub(crate) mod verify;
