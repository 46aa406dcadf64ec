//! `assay __job`: one job of the daemon, in a process of its own. Not for people.

use crate::context::Context;
use crate::daemon;

/// Started by the daemon only
#[derive(clap::Args)]
pub(crate) struct Args {
    name: String,
    parent: i32,
}

/// Does one job.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    daemon::jobs::run(&args.name, args.parent, context)
}
