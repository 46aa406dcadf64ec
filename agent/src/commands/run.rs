//! `assay run`: the daemon. Everything is in `daemon.rs`.

use crate::cli::exit_codes;
use crate::context::Context;
use crate::daemon;

/// Stay and check by the clock: the daemon
#[derive(clap::Args)]
#[command(after_help = concat!(
    "It checks, samples the flight recorder, and seals a bundle for a new or worse finding, which is kept here.\n\
     An enrolled device asks its portal for support requests; `assay pause` stops that. Nothing else leaves by itself:\n\
     the health report is sent only where report.schedule says when, and uploads that you began are finished.\n\
     SIGHUP takes the configuration anew, SIGTERM ends it within five seconds.\n\
     Next: `assay status` says what ran, what is next and what fails.\n",
    exit_codes!()
))]
pub(crate) struct Args {}

/// Runs until it is told to stop.
pub(crate) fn run(_args: Args, context: &Context) -> anyhow::Result<u8> {
    daemon::run(context)
}
