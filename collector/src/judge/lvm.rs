//! The tables of `lvs` and `pvs`, by their headings.

use super::{Begins, Format, Sign, add, never};
use crate::lvm_table;

pub(super) const FORMAT: Format = Format {
    name: "lvs or pvs",
    sign: Sign::First(b"LP"),
    begins: |lines| lines.first().is_some_and(|line| lvm_table::is_heading(line)),
    place: Begins::AmongOthers,
    is_json: never,
    read: |gathered, output| {
        let logical = lvm_table::logical_volumes(output.text);
        let physical = lvm_table::physical_volumes(output.text);
        if logical.is_empty() && physical.is_empty() {
            return Err("it has no row with a name, a group and attributes".to_owned());
        }
        if !logical.is_empty() {
            add(&mut gathered.facts.logical_volumes, logical, output.place);
        }
        if !physical.is_empty() {
            add(&mut gathered.facts.physical_volumes, physical, output.place);
        }
        Ok(())
    },
};
