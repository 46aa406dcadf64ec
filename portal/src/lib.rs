//! The service: devices enrol and upload, bundles are verified, read again and judged again, engineers look.
//!
//! Start with [`cli`] (what can be asked), then [`handlers`] (the one list of routes), then [`ingest`] (what happens
//! to a bundle, in one sentence). The portal trusts no diagnosis that it received, never unpacks a bundle to a file
//! system, and opens payloads only in a worker process of its own ([`worker`]), which alone reads the decryption
//! identity.

pub mod app;
pub mod boots;
pub mod busy;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod device_call;
pub mod display;
pub mod erase;
pub mod export;
pub mod files;
pub mod gate;
pub mod handlers;
pub mod identity;
pub mod ingest;
pub mod ledger;
pub mod page;
pub mod password;
pub mod polls;
pub mod refusal;
pub mod roles;
pub mod routes;
pub mod server;
pub mod session;
pub mod slip;
pub mod store;
pub mod tls;
pub mod uploads;
pub mod view;
pub mod worker;
