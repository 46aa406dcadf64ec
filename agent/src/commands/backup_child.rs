//! `assay __backup`: the child that reads the configuration, which may hang. Not for people.

use crate::backup;
use crate::context::Context;

/// Started by `assay backup create` only
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Makes one copy.
pub(crate) fn run(_args: Args, _context: &Context) -> anyhow::Result<u8> {
    backup::serve()
}
