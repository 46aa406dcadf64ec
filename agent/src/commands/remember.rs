//! `assay __remember`: the child that writes the memory to the data volume, which may hang. Not for people.

use crate::context::Context;
use crate::memory;

/// Started by a run only
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Does one errand.
pub(crate) fn run(_args: Args, _context: &Context) -> anyhow::Result<u8> {
    memory::serve()
}
