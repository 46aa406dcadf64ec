//! `assay __reader`: the sacrificial child that does the reads which may hang. Not for people.

use crate::context::Context;

/// The word that makes the program a reader child.
pub(crate) const WORD: &str = "__reader";

/// Started by the collector only
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Serves reads until the parent goes away.
pub(crate) fn run(_args: Args, _context: &Context) -> anyhow::Result<u8> {
    assay_collector::live::reader_main()
}
