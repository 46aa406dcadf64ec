//! `/proc/mdstat`.

use assay_bundle::Facts;

use super::{Format, Output, add, never};
use crate::mdstat;

pub(super) const FORMAT: Format = Format { name: "mdstat", begins, interrupts: true, is_json: never, read };

fn begins(lines: &[&str]) -> bool {
    lines.first().is_some_and(|line| line.starts_with("Personalities :"))
}

fn read(facts: &mut Facts, output: &Output<'_>) -> Result<(), String> {
    add(&mut facts.md_arrays, mdstat::parse(output.text, output.place), output.place);
    Ok(())
}
