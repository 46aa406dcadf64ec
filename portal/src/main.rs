//! The portal's binary: which role, and with what exit code it ends.

use std::process::ExitCode;

fn main() -> ExitCode {
    assay_portal::cli::run(std::env::args_os())
}
