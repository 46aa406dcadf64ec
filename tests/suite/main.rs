//! The one test binary. Each module says what belongs in it; try not to add more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test fails by panicking, and says why on its output"
)]

mod adversarial;
mod architecture;
mod backup;
mod bundle_format;
mod cli;
mod corpus;
mod daemon;
mod devices;
mod docs;
mod failures;
mod hang;
mod harmless;
mod interop;
mod offline;
mod portal;
mod redaction;
mod rules;
mod selftest;
mod support;
mod support_requests;
mod tidy;
mod upload;
